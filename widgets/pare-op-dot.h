/* PareOpDot: the coloured square of an operator. Decoration: the name of the operator is always written too. */
#pragma once
#include "widgets/pare-cell.h"

G_BEGIN_DECLS
#define PARE_TYPE_OP_DOT (pare_op_dot_get_type ())
G_DECLARE_FINAL_TYPE (PareOpDot, pare_op_dot, PARE, OP_DOT, PareCell)

GtkWidget *pare_op_dot_new (void);
/* ONNX operator name. Use gtk_widget_set_size_request () for the inspector's stripe (12 x 36). */
void pare_op_dot_set (PareOpDot *self, const char *op, gboolean depthwise);
G_END_DECLS
