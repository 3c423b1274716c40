/* Building a plan: shared by the files of this room. */
#pragma once
#include "engine/graph/pare-graph.h"
#include "engine/runtime/pare-rt.h"

/* Nodes that are computed in one step. */
typedef enum
{
  PARE_FUSION_PRODUCT,   /* a Conv, Gemm or MatMul and what follows it */
  PARE_FUSION_UNARY,     /* a unit that is written out: GELU, Swish */
  PARE_FUSION_NORM,      /* a LayerNormalization or RMSNormalization that is written out */
  PARE_FUSION_ATTENTION, /* products of activations around a Softmax, with the transpositions before and after */
} PareFusionKind;

typedef struct
{
  PareFusionKind kind;
  PareNodeId head, last; /* emitted in the place of `last` */
  PareValueId output;    /* of the whole chain */
  /* PRODUCT */
  PareValueId add_bias; /* constant added per channel, PARE_NONE */
  PareValueId residual; /* PARE_NONE */
  PareActivation activation;
  float lo, hi, alpha;
  PareNodeId pad;   /* Pad in front, PARE_NONE */
  PareNodeId focus; /* Concat of slices in front, PARE_NONE */
  /* the others: what they read; NORM: x, scale, bias (PARE_NONE: ones, none); ATTENTION: q, k, v, mask */
  PareValueId operands[4];
  PareUnaryKind unary;
  float epsilon;
  gboolean rms; /* NORM: not centred */
  PareAttentionParams attention;
  PareQAttentionParams codes; /* attention on codes, and its table, PARE_RT_NONE */
  guint32 table;
} PareFusion;

/* A function of one value that several nodes write out. */
typedef struct
{
  PareActivation activation;
  PareUnaryKind unary;
  PareNodeId nodes[12], last;
  guint n_nodes;
} PareUnit;

typedef enum
{
  PARE_INTEGER_NONE,    /* float */
  PARE_INTEGER_PRODUCT, /* Conv, Gemm, MatMul; without `rounds` its result is float */
  PARE_INTEGER_ADD,
  PARE_INTEGER_AVERAGE,
  PARE_INTEGER_TABLE,     /* a function of each element */
  PARE_INTEGER_ATTENTION, /* two products of activations around a Softmax, with what lies between */
  PARE_INTEGER_CONCAT,    /* operands are laid on the result's grid first */
  PARE_INTEGER_MOVE,      /* bytes are moved, the grid stays */
  PARE_INTEGER_LAY,       /* PareQuantize of its own */
  PARE_INTEGER_READ       /* DequantizeLinear: the codes are what it reads */
} PareIntegerKind;

/* How a node is computed on codes. */
typedef struct
{
  PareIntegerKind kind;
  PareNodeId rounds;          /* the PareQuantize behind it that its step does too, PARE_NONE */
  PareTensor *weights, *bias; /* PRODUCT: codes less their zero point; int32 or NULL */
  gint64 channels;            /* PRODUCT: of the result */
  PareValueId source;         /* TABLE: what it is a function of */
  PareNodeId between;         /* PRODUCT: a PareQuantize in front of that BatchNormalization, PARE_NONE */
  PareNodeId normalizes;      /* PRODUCT: a BatchNormalization between its activation and that PareQuantize, PARE_NONE */
} PareInteger;

typedef struct
{
  const PareGraph *graph;
  GArray *values, *steps; /* PareRtValue, PareRtStep */
  guint *first_step;      /* of each node: the first of the steps made while it was lowered, with all that is fused into it */
  guint *end_step;        /* the one behind the last of them */
  GByteArray *params;
  GPtrArray *constants; /* PareTensor of each constant value, in order of their offsets and of the values */
  guint64 constants_bytes;
  guint32 *value_of; /* graph value -> plan value, PARE_RT_NONE */
  gboolean *keep;    /* graph values that must stay readable: outputs, taps */
  PareConsumers *consumers;
  PareFusion *fusions;    /* of each node: as head; head == PARE_NONE: none */
  PareNodeId *fused_into; /* of each node: the head of the chain that it is part of, PARE_NONE */
  GHashTable *units;      /* value + 1 -> PareUnit of it; NULL: none were looked for */
  PareInteger *integers;  /* of each node */
  gboolean *rounded;      /* of each PareQuantize: it is part of the step in front of it */
  const PareQuant **grid; /* of each value: what its real values lie on, NULL */
  gboolean *on_codes;     /* of each value: it is computed as codes */
  guint32 *codes_of;      /* graph value -> plan value that holds its codes, PARE_RT_NONE */
  gboolean moving;        /* the step that is being made moves codes: values are their codes */
} PareBuilder;

/* --- pare-builder.c --- */
PareBuilder *pare_builder_new (const PareGraph *graph, const gboolean *keep);
void pare_builder_free (PareBuilder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareBuilder, pare_builder_free)
/* The plan value of a graph value, made on first use (constants, inputs, results). */
guint32 pare_builder_value (PareBuilder *self, PareValueId id);
guint32 pare_builder_constant (PareBuilder *self, PareTensor *tensor /* ref taken */);
guint32 pare_builder_temporary (PareBuilder *self, PareDtype dtype, const PareShape *shape);
/* The same bytes as plan value `of`, as another shape. */
guint32 pare_builder_view (PareBuilder *self, guint32 of, const PareShape *shape);
/* `id` is the same bytes as `of`. */
void pare_builder_alias (PareBuilder *self, PareValueId id, PareValueId of);
void pare_builder_alias_of (PareBuilder *self, PareValueId id, guint32 base); /* the same, of a value of the plan */
/* Appends a step; params copied. Operands are plan values. */
void pare_builder_step (PareBuilder *self, const PareNode *node, PareRtOp op, const void *params, gsize params_bytes, const guint32 *in,
                        guint n_in, const guint32 *out, guint n_out);
/* Liveness, arena: the plan, checked. Its constants are those of the builder, which are to outlive it (self->constants may be taken). */
PareRtPlan *pare_builder_finish (PareBuilder *self, GError **error);
void pare_plan_free (PareRtPlan *plan);
/* Sets PARE_ERROR_UNSUPPORTED "file: node 'x' (Op): reason"; returns FALSE. */
gboolean pare_lower_refuse (const PareGraph *graph, const PareNode *node, GError **error, const char *format, ...) G_GNUC_PRINTF (4, 5);

/* --- pare-lower-select.c --- */
/* Computes what pare_node_is_selection() says of. inputs[i] NULL: omitted. Fills outputs (transfer full). FALSE: not on these operands. */
gboolean pare_lower_select (const PareNode *node, PareTensor *const *inputs, PareTensor **outputs);

/* --- pare-fuse.c --- */
void pare_lower_find_fusions (PareBuilder *self);
/* MatMul by one matrix: the kernel of Gemm. */
gboolean pare_lower_is_dense (const PareGraph *graph, const PareNode *node);
/* Takes a chain apart again. */
void pare_lower_undo_fusion (PareBuilder *self, PareNodeId head);
/* The only node that reads v, once; PARE_NONE. */
PareNodeId pare_lower_only_reader (const PareBuilder *self, PareValueId v);

/* --- pare-fuse-focus.c: after integers have taken theirs --- */
void pare_lower_find_focus (PareBuilder *self);
/* Makes p and the weights those of the convolution over the image, which it returns. */
PareValueId pare_lower_focus (PareBuilder *self, const PareNode *conv, PareConvParams *p, guint32 *weights);

/* --- pare-fuse-units.c --- */
void pare_lower_find_units (PareBuilder *self);
const PareUnit *pare_lower_unit_of (const PareBuilder *self, PareValueId v); /* whose nodes are still free; NULL */

/* --- pare-fuse-patterns.c: what several nodes write out, after products and integers have taken theirs --- */
void pare_lower_find_patterns (PareBuilder *self);
gboolean pare_lower_pattern (PareBuilder *self, const PareFusion *fusion, GError **error);

/* --- pare-fuse-attention.c --- */
void pare_lower_find_attention (PareBuilder *self);
gboolean pare_lower_attention (PareBuilder *self, const PareFusion *fusion);
/* Where batch, head, row and element of an operand or result of this rank lie; keys: columns are what v calls rows. */
void pare_lower_attention_axes (int rank, gboolean keys, gint32 *perm);
/* The operands go with scores of this shape. */
gboolean pare_lower_attention_fits (const PareGraph *graph, const PareValueId *operands, const PareShape *scores);
gboolean pare_lower_mask_fits (const PareGraph *graph, PareValueId mask, const PareShape *scores);
/* The nodes are not part of anything yet, and nobody else reads or keeps what they write, but for the last one's result. */
gboolean pare_lower_is_closed (const PareBuilder *self, const PareNodeId *nodes, guint n, PareNodeId last);
/* Makes them one step. */
void pare_lower_take (PareBuilder *self, const PareFusion *fusion, const PareNodeId *nodes, guint n);
/* TRUE: operand i of the node is one constant number. */
gboolean pare_lower_number (const PareGraph *graph, const PareNode *node, guint i, double *number);

/* --- pare-fuse-codes.c --- */
/* The second product of an attention on codes, all that is between the two of them being rounded; its nodes become one. */
gboolean pare_lower_find_code_attention (PareBuilder *self, PareNodeId product);
/* y: the grid of the result, NULL: real. */
void pare_lower_code_attention (PareBuilder *self, PareNodeId product, const PareQuant *y, guint32 out);

/* --- pare-lower-grid.c --- */
void pare_lower_find_integers (PareBuilder *self);
/* The PareQuantize that alone reads what the node, with what is fused into it, writes; PARE_NONE. */
PareNodeId pare_lower_quantize_after (const PareBuilder *self, PareNodeId id);
gboolean pare_lower_same_grid (const PareQuant *a, const PareQuant *b);

/* --- pare-lower-table.c --- */
/* The operand of which the node computes a function of each element alone, all others being constants; -1: it does not. */
int pare_lower_function_of (const PareGraph *graph, const PareNode *node);
/* From this node on to a rounding, all is a function of one value on codes: it is in self->integers then. */
gboolean pare_lower_find_table (PareBuilder *self, PareNodeId id);
/* (nullable) v, a function of x element by element, for each byte that a code of x can be. */
PareTensor *pare_lower_table_reals (const PareBuilder *self, PareValueId x, PareValueId v);
/* The same laid on a grid: a constant of codes. PARE_RT_NONE: a node cannot be computed so. */
guint32 pare_lower_table (PareBuilder *self, PareValueId x, PareValueId v, const PareQuant *grid);

/* --- pare-lower-number.c --- */
/* The operand on codes that v is the sum or the product of with a number on a grid; PARE_NONE: v is none. */
PareValueId pare_lower_number_operand (const PareBuilder *self, PareValueId v);
/* 256 codes on y's grid of v, which pare_lower_number_operand() knows, for as many real values of that operand. */
void pare_lower_with_number (const PareBuilder *self, PareValueId v, const float *reals, const PareQuant *y, float *codes);

/* --- pare-lower-integer.c --- */
/* TRUE: weights and bias of this product fit a grid of 8 bits or fewer; they are in self->integers then. */
gboolean pare_lower_integer_operands (PareBuilder *self, PareNodeId id, const PareQuant *x);
/* The plan value with the codes of a value that has a grid. */
guint32 pare_lower_codes (PareBuilder *self, PareValueId v);
/* Writes the real values of what is on codes to `out`. */
void pare_lower_floats (PareBuilder *self, PareValueId v, guint32 out);
guint32 pare_lower_floats_constant (PareBuilder *self, const float *values, gint64 n);
/* The code of zero on the value's grid, a constant of one element. */
guint32 pare_lower_zero (PareBuilder *self, PareValueId v);
/* FALSE: this product is one of floats. */
gboolean pare_lower_integer_conv (PareBuilder *self, const PareNode *node, PareValueId x, const PareConvParams *conv);
gboolean pare_lower_integer_gemm (PareBuilder *self, const PareNode *node, const PareGemmParams *gemm);
/* The other operators on codes. done: the node needs no further step. */
gboolean pare_lower_integer_node (PareBuilder *self, const PareNode *node, gboolean *done, GError **error);

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
/* Where part `part` of a Split begins along its axis, read or not; -1: not known. */
gint64 pare_lower_part_begins (const PareGraph *graph, const PareNode *split, guint part);
typedef gboolean (*PareLowerFunc) (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_conv (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_conv_transpose (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_gemm (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_matmul (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_block_gemm (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_pool (PareBuilder *b, const PareNode *node, GError **error);
/* FALSE: what it cuts is no constant, or out of range. */
gboolean pare_lower_slice_params (const PareGraph *graph, const PareNode *node, PareSliceParams *p);
gboolean pare_lower_slice (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_split (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_concat (PareBuilder *b, const PareNode *node, GError **error);
/* The same for plan values, one for each input of the node. */
gboolean pare_lower_concat_of (PareBuilder *b, const PareNode *node, const guint32 *values, guint32 out, GError **error);
gboolean pare_lower_pad (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_resize (PareBuilder *b, const PareNode *node, GError **error);
/* The same with antialias. */
gboolean pare_lower_antialias (PareBuilder *b, const PareNode *node, const PareResizeParams *p, GError **error);
/* One step with the node's first n_in inputs, PARE_RT_NONE where they are omitted, that writes its first output. TRUE. */
gboolean pare_lower_step (PareBuilder *b, const PareNode *node, PareRtOp op, const void *params, gsize bytes, guint n_in);
/* Which of the names (NULL ends them) the attribute has; -1: none of them. */
int pare_lower_choice (const PareNode *node, const char *attr, int fallback, const char *const *names);
gboolean pare_lower_grid_sample (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_roi_align (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_transpose (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_reduce (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_einsum (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_recurrent (PareBuilder *b, const PareNode *node, GError **error);
gboolean pare_lower_quantize (PareBuilder *b, const PareNode *node, GError **error);

/* --- pare-budget.c --- */
/* Bytes a program takes once it runs. */
typedef struct
{
  guint64 activations, constants, packed, scratch;
  guint32 largest_constant; /* plan value */
} PareBudget;
/* constants: tensors of the plan's constant values, in their order. stated: mapped ones count too. portable: oneDNN is not asked.
 * packs: weights are kept in the order of their kernels, too. */
void pare_budget_of (const PareRtPlan *plan, GPtrArray *constants, gboolean portable, gboolean stated, gboolean packs, PareBudget *out);
/* Of the canonical graph, before it is lowered: no single result may be beyond the budget (0: none is stated, three quarters of what is free).
 * Errors name the node. */
gboolean pare_budget_check_values (const PareGraph *graph, guint64 budget, GError **error);
/* Of the plan, before arena, scratch and packed weights are taken. *packs: there is room for weights in the order of their kernels;
 * portable kernels run without. *left: bytes that the plan leaves of the limit; where none is stated nobody is asked, and it is G_MAXUINT64. */
gboolean pare_budget_check_plan (const PareGraph *graph, const PareRtPlan *plan, GPtrArray *constants, gboolean portable, guint64 budget,
                                 gboolean *packs, guint64 *left, GError **error);
