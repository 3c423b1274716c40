/* What colours say on the canvas, in tables and legends: op types, the metric map, the delta map. Tables of the design, light and dark. */
#pragma once
#include <gdk/gdk.h>

G_BEGIN_DECLS
typedef enum
{
  PARE_OP_CLASS_CONV,
  PARE_OP_CLASS_DEPTHWISE,
  PARE_OP_CLASS_GEMM,
  PARE_OP_CLASS_NORM,
  PARE_OP_CLASS_ACTIVATION,
  PARE_OP_CLASS_ELEMENTWISE,
  PARE_OP_CLASS_POOL,
  PARE_OP_CLASS_ATTENTION,
  PARE_OP_CLASS_DATA,   /* shape and data */
  PARE_OP_CLASS_UNKNOWN /* drawn hatched */
} PareOpClass;

/* The class of an operator of ai.onnx by its name; a depthwise convolution must be told apart by its group: see pare_op_class_of_conv(). */
PareOpClass pare_op_class_of (const char *op);
/* DEPTHWISE where every output channel reads one input channel. */
PareOpClass pare_op_class_of_conv (gint64 group, gint64 input_channels);
const char *pare_op_class_name (PareOpClass klass); /* "convolution", for words and accessible names */
void pare_op_class_colour (PareOpClass klass, gboolean dark, GdkRGBA *colour);

/* t in 0..1 (clamped), low recedes into the background. */
void pare_colormap_metric (double t, gboolean dark, GdkRGBA *colour);
/* t in -1..1 (clamped): better ... same ... worse. */
void pare_colormap_delta (double t, gboolean dark, GdkRGBA *colour);
/* #1b1724 or white by relative luminance > 0.179; black where #1b1724 is too pale: at least 4.5:1 on any fill. */
void pare_colormap_ink (const GdkRGBA *fill, GdkRGBA *ink);
double pare_colormap_luminance (const GdkRGBA *colour);
G_END_DECLS
