/* Writes the nodes that take the place of one. Values that are made have no shape until inference comes to them: what a rule needs to know
 * of extents it computes from those of the node's own operands. */
#pragma once
#include "engine/graph/pare-graph-private.h"

/* The node's inputs and outputs, kept while nodes take its place. */
typedef struct
{
  PareGraph *graph;
  const char *name, *layer;
  PareNodeId origin;
  PareRole role;
  PareValueId in[18], out[4]; /* PARE_NONE: omitted */
  GArray *made;               /* PareNodeId, in the order in which they run */
} PareWriter;

/* One operator; FALSE: nothing was written, it is left as it is. */
typedef gboolean (*PareDecomposeFunc) (PareWriter *w, const PareNode *node);
typedef struct
{
  const char *domain, *op; /* domain NULL ends the list */
  PareDecomposeFunc func;
} PareDecomposeRule;
#define PARE_DOMAIN_MS "com.microsoft"
extern const PareDecomposeRule pare_decompose_rules_attention[], pare_decompose_rules_contrib[], pare_decompose_rules_integer[],
    pare_decompose_rules_channels[], pare_decompose_rules_signal[], pare_decompose_rules_einsum[], pare_decompose_rules_values[],
    pare_decompose_rules_pool[], pare_decompose_rules_image[], pare_decompose_rules_grouped[], pare_decompose_rules_random[],
    pare_decompose_rules_sequence[], pare_decompose_rules_blocks[], pare_decompose_rules_experts[], pare_decompose_rules_loss[],
    pare_decompose_rules_old[], pare_decompose_rules_learn[];

/* pare-decompose-blocks.c: a MatMul or Gemm whose weights are blocks of codes. */
gboolean pare_decompose_product_of_blocks (PareWriter *w, const PareNode *node);

PareDtype pare_writer_dtype (const PareWriter *w, PareValueId value);
const PareShape *pare_writer_shape (const PareWriter *w, PareValueId value); /* not valid any more once a value is added */
/* The value is float32 of known extents. */
gboolean pare_writer_is_float (const PareWriter *w, PareValueId value);

/* A node that writes `output`. */
PareNode *pare_write_to (PareWriter *w, const char *op, PareValueId output, const PareValueId *in, guint n);
/* A node of several outputs. */
PareNode *pare_write_many (PareWriter *w, const char *op, const PareValueId *out, guint n_out, const PareValueId *in, guint n);
/* An operator of com.microsoft; a rule takes it apart in turn. */
PareNode *pare_write_ms (PareWriter *w, const char *op, PareValueId output, const PareValueId *in, guint n);
/* A node that writes a value of its own, which is returned; b PARE_NONE: one operand. */
PareValueId pare_write (PareWriter *w, const char *op, PareDtype dtype, PareValueId a, PareValueId b);
PareValueId pare_write_cast (PareWriter *w, PareValueId x, PareDtype to, PareValueId output /* PARE_NONE: one of its own */);
PareValueId pare_write_transpose (PareWriter *w, PareValueId x, const gint64 *perm, guint n, PareValueId output);
PareValueId pare_write_reshape (PareWriter *w, PareValueId x, const gint64 *dims, guint n, PareValueId output);
/* x from..to-1 of an axis, each step-th. */
PareValueId pare_write_slice (PareWriter *w, PareValueId x, gint64 axis, gint64 from, gint64 to, gint64 step);
PareValueId pare_write_unsqueeze (PareWriter *w, PareValueId x, const gint64 *axes, guint n);
/* Element `index` of an axis, which is no axis of the result. */
PareValueId pare_write_pick (PareWriter *w, PareValueId x, gint64 axis, gint64 index);
PareValueId pare_write_concat (PareWriter *w, const PareValueId *in, guint n, gint64 axis, PareValueId output);
PareValueId pare_write_where (PareWriter *w, PareValueId condition, PareValueId x, PareValueId y, PareValueId output);
/* The mean, or whatever op says, over axes; axes PARE_NONE: over all of them. */
PareValueId pare_write_reduce (PareWriter *w, const char *op, PareValueId x, PareValueId axes, gboolean keep);
/* a b + bias (PARE_NONE: none), of floats, as the node's first output. */
void pare_write_product (PareWriter *w, PareValueId a, PareValueId b, PareValueId bias);
PareValueId pare_write_constant (PareWriter *w, const char *what, PareTensor *t /* ref taken */);
PareValueId pare_write_number (PareWriter *w, float value);
PareValueId pare_write_ints (PareWriter *w, const gint64 *values, guint n);
