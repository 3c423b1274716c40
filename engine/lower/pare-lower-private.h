/* Building a plan: shared by the files of this room. */
#pragma once
#include "engine/graph/pare-graph.h"
#include "engine/runtime/pare-rt.h"

/* What follows a Conv or Gemm and is computed in its step. */
typedef struct
{
  PareNodeId head, last; /* emitted in the place of `last` */
  PareValueId output;    /* of the whole chain */
  PareValueId add_bias;  /* constant added per channel, PARE_NONE */
  PareValueId residual;  /* PARE_NONE */
  PareActivation activation;
  float lo, hi, alpha;
  PareNodeId pad; /* Pad in front, PARE_NONE */
} PareFusion;

/* A Conv, Gemm or MatMul that is computed on codes: its operands as integers in floats. weights NULL: it is not. */
typedef struct
{
  PareTensor *weights, *bias;
  PareTensor *factor; /* sums -> codes of the result, [1, channels, 1...] */
} PareInteger;

typedef struct
{
  const PareGraph *graph;
  GArray *values, *steps; /* PareRtValue, PareRtStep */
  GByteArray *params;
  GPtrArray *constants; /* PareTensor of each constant value, in order of their offsets */
  guint64 constants_bytes;
  guint32 *value_of; /* graph value -> plan value, PARE_RT_NONE */
  gboolean *keep;    /* graph values that must stay readable: outputs, taps */
  PareConsumers *consumers;
  PareFusion *fusions;        /* of each node: as head; head == PARE_NONE: none */
  PareNodeId *fused_into;     /* of each node: the head of the chain that it is part of, PARE_NONE */
  PareInteger *integers;      /* of each node */
  PareNodeId *integer_before; /* of each PareQuantize: the node whose integer sums it rounds, PARE_NONE */
  PareNodeId *add_quantize;   /* of each Add on codes: the PareQuantize that alone reads it, PARE_NONE */
  guint32 *codes_of;          /* graph value -> plan value that holds code - zero, PARE_RT_NONE */
} PareBuilder;

/* --- pare-builder.c --- */
PareBuilder *pare_builder_new (const PareGraph *graph, const gboolean *keep);
void pare_builder_free (PareBuilder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareBuilder, pare_builder_free)
/* The plan value of a graph value, made on first use (constants, inputs, results). */
guint32 pare_builder_value (PareBuilder *self, PareValueId id);
guint32 pare_builder_constant (PareBuilder *self, PareTensor *tensor /* ref taken */);
guint32 pare_builder_temporary (PareBuilder *self, PareDtype dtype, const PareShape *shape);
/* `id` is the same bytes as `of`. */
void pare_builder_alias (PareBuilder *self, PareValueId id, PareValueId of);
/* Appends a step; params copied. Operands are plan values. */
void pare_builder_step (PareBuilder *self, const PareNode *node, PareRtOp op, const void *params, gsize params_bytes, const guint32 *in,
                        guint n_in, const guint32 *out, guint n_out);
/* Liveness, arena, pools: the plan, checked. Frees nothing of the builder. */
PareRtPlan *pare_builder_finish (PareBuilder *self, GError **error);
void pare_plan_free (PareRtPlan *plan);
/* Sets PARE_ERROR_UNSUPPORTED "file: node 'x' (Op): reason"; returns FALSE. */
gboolean pare_lower_refuse (const PareGraph *graph, const PareNode *node, GError **error, const char *format, ...) G_GNUC_PRINTF (4, 5);

/* --- pare-fuse.c --- */
void pare_lower_find_fusions (PareBuilder *self);

/* --- pare-lower-integer.c --- */
void pare_lower_find_integers (PareBuilder *self);
/* The plan value with code - zero of a value on a grid, for `node`. */
guint32 pare_lower_codes (PareBuilder *self, const PareNode *node, PareValueId v);
/* FALSE: this Add is one of floats. */
gboolean pare_lower_add_on_codes (PareBuilder *self, const PareNode *node);
/* FALSE: this PareQuantize neither rounds integer sums nor is read as codes alone. */
gboolean pare_lower_quantize_on_codes (PareBuilder *self, const PareNode *node);

/* --- pare-lower-node.c --- */
gboolean pare_lower_node (PareBuilder *self, PareNodeId id, GError **error);
/* An activation operator as an epilogue; FALSE: it is none that fits. */
gboolean pare_lower_activation (const PareGraph *graph, const PareNode *node, PareActivation *activation, float *lo, float *hi,
                                float *alpha);

/* --- pare-lower-attrs.c: attributes and constant operands --- */
PareTensor *pare_lower_constant (const PareGraph *graph, const PareNode *node, guint i); /* borrowed; NULL: omitted or not constant */
gboolean pare_lower_has_input (const PareNode *node, guint i);
gboolean pare_lower_ints (const PareGraph *graph, const PareNode *node, guint i, gint64 *values, guint most,
                          guint *n);         /* constant operand as integers */
int pare_lower_axis (gint64 axis, int rank); /* -1: out of range */
/* kernel, strides, dilations, pads of a windowed operator, auto_pad resolved. spatial: 1..3. */
gboolean pare_lower_window (const PareGraph *graph, const PareNode *node, int spatial, const PareShape *x, const PareShape *y,
                            const gint64 *kernel, gint32 *k, gint32 *stride, gint32 *dilation, gint32 *pad_begin, gint32 *pad_end);

/* --- pare-lower-conv.c, pare-lower-data.c, pare-lower-rnn.c: one function an operator --- */
typedef gboolean (*PareLowerFunc) (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_conv (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_conv_transpose (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_gemm (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_matmul (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_pool (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_slice (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_split (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_concat (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_pad (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_resize (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_transpose (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_reduce (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_einsum (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_recurrent (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_quantize (PareBuilder *b, const PareNode *node, GError **error);
