#include "widgets/pare-colormap.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

static const guint32 metric_light[7] = { 0xd6f8ed, 0x99dcd7, 0x61bdc9, 0x3b9cb9, 0x38799e, 0x3f5878, 0x393a4c };
static const guint32 metric_dark[7] = { 0x3d3f51, 0x435b7c, 0x3b7ca1, 0x3c9dba, 0x61bdc9, 0x98dad6, 0xd3f5ea };
static const guint32 delta_light[7] = { 0x0067b3, 0x5093c9, 0xa8c2de, 0xf3f3f3, 0xdcb7a6, 0xbe7e5e, 0x99461a };
static const guint32 delta_dark[7] = { 0x44c4ff, 0x5698ce, 0x546e88, 0x474747, 0x846455, 0xc48363, 0xffa371 };

static const struct
{
  const char *name;
  guint32 light, dark;
} classes[] = {
  [PARE_OP_CLASS_CONV] = { N_ ("convolution"), 0x0072b2, 0x3f9fda },
  [PARE_OP_CLASS_DEPTHWISE] = { N_ ("depthwise convolution"), 0x56b4e9, 0x8fd0f5 },
  [PARE_OP_CLASS_GEMM] = { N_ ("matrix product"), 0xe69f00, 0xf0b429 },
  [PARE_OP_CLASS_NORM] = { N_ ("normalization"), 0x009e73, 0x2fc296 },
  [PARE_OP_CLASS_ACTIVATION] = { N_ ("activation"), 0xb8ae2f, 0xd9d05a },
  [PARE_OP_CLASS_ELEMENTWISE] = { N_ ("elementwise"), 0xd55e00, 0xf0803c },
  [PARE_OP_CLASS_POOL] = { N_ ("pooling"), 0xcc79a7, 0xe39fc5 },
  [PARE_OP_CLASS_ATTENTION] = { N_ ("attention"), 0x7d52c4, 0xb393ec },
  [PARE_OP_CLASS_DATA] = { N_ ("shape and data"), 0x8b8993, 0xa5a3ab },
  [PARE_OP_CLASS_UNKNOWN] = { N_ ("unknown operator"), 0x8b8993, 0xa5a3ab },
};

/* Names by class, blank-separated with blanks at both ends. */
static const struct
{
  PareOpClass klass;
  const char *ops;
} members[] = {
  { PARE_OP_CLASS_CONV, " Conv ConvTranspose QLinearConv ConvInteger DeformConv " },
  { PARE_OP_CLASS_GEMM, " Gemm MatMul QLinearMatMul MatMulInteger QGemm LSTM GRU RNN Einsum " },
  { PARE_OP_CLASS_NORM, " BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization LRN "
                        "LpNormalization MeanVarianceNormalization " },
  { PARE_OP_CLASS_ACTIVATION, " Relu LeakyRelu PRelu Clip Sigmoid HardSigmoid HardSwish Swish Mish Tanh Elu Selu Celu Softplus Softsign "
                              "ThresholdedRelu Gelu Erf LogSoftmax Hardmax QLinearLeakyRelu QLinearSigmoid " },
  { PARE_OP_CLASS_ATTENTION, " Softmax Attention MultiHeadAttention QLinearSoftmax " },
  { PARE_OP_CLASS_ELEMENTWISE,
    " Add Sub Mul Div Pow Sqrt Exp Log Neg Abs Min Max Sum Mean Mod Reciprocal Floor Ceil Round Sign Sin Cos Tan "
    "Asin Acos Atan Sinh Cosh Asinh Acosh Atanh And Or Xor Not Equal Greater Less GreaterOrEqual LessOrEqual Where "
    "IsNaN IsInf BitShift BitwiseAnd BitwiseOr BitwiseXor BitwiseNot QLinearAdd QLinearMul CumSum " },
  { PARE_OP_CLASS_POOL,
    " MaxPool AveragePool GlobalAveragePool GlobalMaxPool LpPool GlobalLpPool MaxUnpool MaxRoiPool RoiAlign ReduceMean "
    "ReduceMax ReduceMin ReduceSum ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ArgMax ArgMin "
    "QLinearGlobalAveragePool QLinearAveragePool " },
  { PARE_OP_CLASS_DATA,
    " Reshape Flatten Squeeze Unsqueeze Transpose Concat Split Slice Gather GatherElements GatherND Scatter ScatterElements "
    "ScatterND Shape Size Expand Tile Pad Resize Upsample DepthToSpace SpaceToDepth Cast CastLike Constant ConstantOfShape "
    "Identity Dropout Range OneHot TopK NonZero NonMaxSuppression EyeLike Compress Unique Trilu ReverseSequence "
    "QuantizeLinear DequantizeLinear DynamicQuantizeLinear PareQuantize RandomNormal RandomUniform RandomNormalLike "
    "RandomUniformLike Bernoulli Multinomial If Loop Scan SequenceAt SequenceConstruct SequenceEmpty SequenceInsert "
    "SequenceLength SequenceErase SplitToSequence ConcatFromSequence STFT DFT QLinearConcat " },
};

PareOpClass
pare_op_class_of (const char *op)
{
  if (op == NULL || *op == '\0' || strlen (op) > 60)
    return PARE_OP_CLASS_UNKNOWN;
  char word[64];
  g_snprintf (word, sizeof word, " %s ", op);
  for (guint i = 0; i < G_N_ELEMENTS (members); i++)
    if (strstr (members[i].ops, word) != NULL)
      return members[i].klass;
  return PARE_OP_CLASS_UNKNOWN;
}

PareOpClass
pare_op_class_of_conv (gint64 group, gint64 input_channels)
{
  return group > 1 && group == input_channels ? PARE_OP_CLASS_DEPTHWISE : PARE_OP_CLASS_CONV;
}

const char *
pare_op_class_name (PareOpClass klass)
{
  return classes[(guint)klass <= PARE_OP_CLASS_UNKNOWN ? klass : PARE_OP_CLASS_UNKNOWN].name;
}

static void
set_rgb (GdkRGBA *colour, guint32 rgb)
{
  *colour = (GdkRGBA){ (rgb >> 16) / 255.0f, ((rgb >> 8) & 255) / 255.0f, (rgb & 255) / 255.0f, 1 };
}

void
pare_op_class_colour (PareOpClass klass, gboolean dark, GdkRGBA *colour)
{
  guint k = (guint)klass <= PARE_OP_CLASS_UNKNOWN ? klass : PARE_OP_CLASS_UNKNOWN;
  set_rgb (colour, dark ? classes[k].dark : classes[k].light);
}

/* t in 0..1 over seven stops, in sRGB. */
static void
interpolate (const guint32 stops[7], double t, GdkRGBA *colour)
{
  double at = CLAMP (isnan (t) ? 0 : t, 0, 1) * 6;
  int i = MIN ((int)at, 5);
  float f = (float)(at - i);
  GdkRGBA a, b;
  set_rgb (&a, stops[i]);
  set_rgb (&b, stops[i + 1]);
  *colour = (GdkRGBA){ a.red + (b.red - a.red) * f, a.green + (b.green - a.green) * f, a.blue + (b.blue - a.blue) * f, 1 };
}

void
pare_colormap_metric (double t, gboolean dark, GdkRGBA *colour)
{
  interpolate (dark ? metric_dark : metric_light, t, colour);
}

void
pare_colormap_delta (double t, gboolean dark, GdkRGBA *colour)
{
  interpolate (dark ? delta_dark : delta_light, (CLAMP (isnan (t) ? 0 : t, -1, 1) + 1) / 2, colour);
}

static double
linear (double c)
{
  return c <= 0.04045 ? c / 12.92 : pow ((c + 0.055) / 1.055, 2.4);
}

double
pare_colormap_luminance (const GdkRGBA *c)
{
  return 0.2126 * linear (c->red) + 0.7152 * linear (c->green) + 0.0722 * linear (c->blue);
}

void
pare_colormap_ink (const GdkRGBA *fill, GdkRGBA *ink)
{
  /* At 0.179 white and black read equally well (4.58:1). The design's ink is not quite black: where it would fall below that, it is. */
  double luminance = pare_colormap_luminance (fill);
  set_rgb (ink, luminance <= 0.179 ? 0xffffff : luminance < 0.225 ? 0x000000 : 0x1b1724);
}
