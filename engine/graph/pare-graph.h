/* The graph: arrays of nodes and values that refer to each other by id. Plain structs; a graph that is shared is immutable.
 *
 *   file --onnx/--> source graph --compress/apply--> graph' --lower/--> concrete graph -> plan
 *
 * The source graph says what the file says, at the file's opset. Every pass returns a new graph (constants are shared by reference)
 * whose nodes and values keep `origin`: the id in the source graph. */
#pragma once
#include "engine/base/pare-control.h"
#include "engine/graph/pare-names.h"
#include "engine/tensor/pare-tensor.h"

typedef guint32 PareNodeId;
typedef guint32 PareValueId;
#define PARE_NONE G_MAXUINT32

typedef struct _PareGraph PareGraph;

typedef enum
{
  PARE_ATTR_FLOAT = 1,
  PARE_ATTR_INT = 2,
  PARE_ATTR_STRING = 3,
  PARE_ATTR_TENSOR = 4,
  PARE_ATTR_GRAPH = 5,
  PARE_ATTR_FLOATS = 6,
  PARE_ATTR_INTS = 7,
  PARE_ATTR_STRINGS = 8,
  PARE_ATTR_OTHER = 0
} PareAttrKind;

typedef struct
{
  char *name;
  PareAttrKind kind;
  gint64 i;
  float f;
  GBytes *s; /* STRING */
  gint64 *ints;
  float *floats;
  GBytes **strings;
  guint n; /* of ints, floats or strings */
  PareTensor *tensor;
  PareGraph *graph; /* GRAPH: body of If, Loop, Scan */
  GBytes *raw;      /* OTHER: the serialized AttributeProto, kept for writing */
} PareAttr;

/* Quantization is data on a value: real = (code - zero) * scale, codes in lo..hi.
 * n scales along `axis` (n == 1 and axis == -1: per tensor). `group` > 0: blocks of that many along axis (later). */
typedef struct
{
  int bits;
  gboolean is_signed;
  int axis;
  int group;
  guint n;
  float *scale;
  gint32 *zero;
  gint32 lo, hi;
} PareQuant;
PareQuant *pare_quant_new (int bits, gboolean is_signed, int axis, guint n);
PareQuant *pare_quant_copy (const PareQuant *self);
void pare_quant_free (PareQuant *self);

/* How a constant is to be stored; composes with quant. */
typedef enum
{
  PARE_ENCODING_DENSE,
  PARE_ENCODING_CODEBOOK
} PareEncoding;

typedef struct
{
  const char *name;  /* unique in the graph, never NULL; this and all other names: as pare_graph_keep_name() gives them, or static */
  PareDtype dtype;   /* NONE: unknown */
  PareShape shape;   /* as declared or inferred */
  PareShape assumed; /* of an input that leaves extents open: what they are taken for where nobody says (rank 0: 1 each) */
  const char *dim_names[PARE_MAX_RANK]; /* symbolic extents of inputs and outputs, else NULL */
  PareTensor *constant;                 /* initializer or folded constant: dense, dequantized values (or NULL) */
  PareQuant *quant;                     /* the grid these values lie on (or NULL) */
  PareEncoding encoding;
  PareDtype storage; /* NONE: as dtype. FLOAT16 or BFLOAT16: every element of this float32 value is exact in it. Constants are exported as
                      * that (followed by a Cast) and costs count 16 bits; set by compress for 16-bit weights. Of what PARE_OP_QUANTIZE
                      * computes without a grid: BFLOAT16, that to which it rounds. */
  int sparse_n, sparse_m; /* n:m pattern kept by a constant (0: none) */
  PareNodeId producer;    /* PARE_NONE: input, constant or omitted */
  PareValueId origin;
} PareValue;

/* What a node does for its origin layer. */
typedef enum
{
  PARE_ROLE_SELF,
  PARE_ROLE_FACTOR /* part of a factorized layer */,
  PARE_ROLE_QUANT,
  PARE_ROLE_FOLDED
} PareRole;

typedef struct
{
  const char *name;   /* as in the file, may be "" */
  const char *layer;  /* unique layer name: name, or first output's; "#2" where needed */
  const char *op;     /* "Conv" ... ; PARE_OP_QUANTIZE for our own grid node */
  const char *domain; /* "" for ai.onnx */
  PareValueId *inputs;
  guint n_inputs; /* PARE_NONE: omitted optional input */
  PareValueId *outputs;
  guint n_outputs;
  PareAttr *attrs; /* copies of a graph share them: changed by pare_node_set_*() and pare_node_unset() only */
  guint n_attrs;
  PareNodeId origin;
  PareRole role;
} PareNode;

/* Our internal operators, which no file has. y = x laid on the grid of y's PareQuant, or rounded to y's storage where that is BFLOAT16 and
 * there is none. Export writes it as QuantizeLinear + DequantizeLinear, or as Cast + Cast. */
#define PARE_OP_QUANTIZE "PareQuantize"
/* y = x w' of weights that stay codes, in canonical graphs only: x, codes UINT8 [n, blocks, bytes], scales, (offsets), as
 * PareBlockGemmParams has it; attribute bits. */
#define PARE_OP_BLOCK_GEMM "PareBlockGemm"

/* Attribute of a Mul in a canonical graph: it was a QLinearMul, which multiplies codes and not what they stand for. */
#define PARE_ATTR_OF_CODES "of_codes"

struct _PareGraph
{
  gatomicrefcount refs;
  char *name;
  char *path;     /* file it came from, or NULL */
  char *sha256;   /* of the file's bytes, hex, or NULL */
  GBytes *source; /* the file's bytes, or NULL */
  gint64 ir_version;
  int opset; /* of ai.onnx; 0: none imported */
  char **domains;
  int *domain_versions;
  guint n_domains; /* other imports */
  char *producer_name;
  char **meta_keys, **meta_values;
  guint n_meta;
  PareNode *nodes;
  guint n_nodes; /* always in a topological order */
  PareValue *values;
  guint n_values;
  PareValueId *inputs;
  guint n_inputs; /* real inputs: initializers that IR < 4 repeats as inputs are left out */
  PareValueId *outputs;
  guint n_outputs;
  PareNames *kept;   /* private: where the names of its nodes and values lie */
  GBytes *functions; /* model-local functions that nodes still call, as they stand in the file (serialized ModelProto fields), or NULL */
  GHashTable
      *names; /* private: value name -> id + 1, made by the first edit; never by a look-up, since shared graphs are read by many threads */
  PareShape *source_shapes;
  PareDtype *source_dtypes;
  guint n_source; /* private: of a canonical graph, by value id of the graph it was made from */
};

PareGraph *pare_graph_new (const char *name);
PareGraph *pare_graph_ref (PareGraph *self);
void pare_graph_unref (PareGraph *self);
PareGraph *pare_graph_copy (const PareGraph *self); /* deep but for what no edit changes: tensors, names, attributes; origins are kept */
/* The text as a name of this graph and its copies, for as long as one of them lives. NULL for NULL. */
const char *pare_graph_keep_name (PareGraph *self, const char *text);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareGraph, pare_graph_unref)

/* Look-ups (borrowed; NULL / PARE_NONE where there is none). Linear unless said otherwise. */
PareValueId pare_graph_find_value (const PareGraph *self, const char *name);
PareNodeId pare_graph_find_layer (const PareGraph *self, const char *layer);
/* Is every element of what it writes one of what it reads, whatever number that stands for (or, for Pad, its padding)? */
gboolean pare_node_only_moves (const PareNode *node);
/* Does it make as many elements as values say, never much more than it reads: NonZero, NonMaxSuppression, Compress, Unique? */
gboolean pare_node_is_selection (const PareNode *node);
const PareAttr *pare_node_get_attr (const PareNode *node, const char *name);
gint64 pare_node_get_int (const PareNode *node, const char *name, gint64 fallback);
float pare_node_get_float (const PareNode *node, const char *name, float fallback);
const gint64 *pare_node_get_ints (const PareNode *node, const char *name, guint *n); /* NULL where absent */
char *pare_node_dup_string (const PareNode *node, const char *name);                 /* (transfer full) (nullable) */
gboolean pare_node_is (const PareNode *node, const char *op);                        /* op in ai.onnx */
/* Consumers of every value: CSR arrays, starts[v]..starts[v+1] in nodes. */
typedef struct
{
  guint *starts;
  PareNodeId *nodes;
} PareConsumers;
PareConsumers *pare_graph_consumers (const PareGraph *self);
void pare_consumers_free (PareConsumers *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareConsumers, pare_consumers_free)
gboolean pare_graph_is_output (const PareGraph *self, PareValueId value);

/* Edits, for a graph that is not shared yet. Ids stay valid until pare_graph_compact(). */
PareValueId pare_graph_add_value (PareGraph *self, const char *name_hint, PareDtype dtype, const PareShape *shape,
                                  PareValueId origin); /* name made unique */
PareValueId pare_graph_add_constant (PareGraph *self, const char *name_hint, PareTensor *tensor /* ref taken */, PareValueId origin);
/* Appends; call pare_graph_sort() after. op, name copied; arrays copied. */
PareNodeId pare_graph_add_node (PareGraph *self, const char *op, const char *name, const PareValueId *inputs, guint n_inputs,
                                const PareValueId *outputs, guint n_outputs, PareNodeId origin, PareRole role);
void pare_graph_set_constant (PareGraph *self, PareValueId value, PareTensor *tensor /* ref taken */);
void pare_node_set_int (PareNode *node, const char *name, gint64 value);
void pare_node_set_float (PareNode *node, const char *name, float value);
void pare_node_set_ints (PareNode *node, const char *name, const gint64 *values, guint n);
void pare_node_set_string (PareNode *node, const char *name, const char *value);
void pare_node_set_graph (PareNode *node, const char *name, PareGraph *body /* transfer full */);
void pare_node_unset (PareNode *node, const char *name);
void pare_node_set_inputs (PareNode *node, const PareValueId *inputs, guint n);
/* Every reader of `from` (graph outputs too when `outputs`) reads `to`. */
void pare_graph_replace_uses (PareGraph *self, PareValueId from, PareValueId to, gboolean outputs);
void pare_graph_remove_node (PareGraph *self, PareNodeId node); /* marks: op becomes NULL, dropped by compact */
/* Drops removed nodes, nodes nobody reads, unread values; sorts topologically. FALSE: cycle or missing value (names the node). */
gboolean pare_graph_compact (PareGraph *self, GError **error);
/* Every id in range, single producer, acyclic, inputs present. */
gboolean pare_graph_verify (const PareGraph *self, GError **error);
void pare_graph_name_layers (PareGraph *self); /* fills PareNode.layer by DESIGN's rule */

gboolean pare_infer_has_rule (const PareNode *node); /* the operator is known: what it makes has a type and a shape */
/* What a Resize to constant sizes that keeps the aspect multiplies its axes with. FALSE: it is not one. */
gboolean pare_node_get_resize_scale (const PareGraph *graph, const PareNode *node, float *scale);
/* Why there is nothing that computes it: the operator is not known, or not this kind of it. (transfer full) */
char *pare_node_dup_unknown (const PareNode *node);

/* --- passes (each returns a new graph) --- */

/* Computes one node on constants: used by constant folding and shape arithmetic. Given by lower/ (pare_lower_eval_node).
 * inputs[i] NULL: omitted. Fills outputs (transfer full); FALSE without error: cannot. */
typedef gboolean (*PareEvalFunc) (const PareGraph *graph, const PareNode *node, PareTensor **inputs, PareTensor **outputs, GError **error);

typedef struct
{
  const char *name;
  PareShape shape;
} PareNamedShape;

/* The twin that runs: opset 21 semantics (one upgrader per operator that changed), QLinear* and fp16 left to be lowered, input shapes made
 * concrete (`shapes`; else declared; symbolic extents 1), all shapes and dtypes inferred, constants folded (when eval is given), BatchNorm
 * folded into Conv/Gemm, Dropout/Identity removed, QDQ and QLinear lifted to PareQuant + PARE_OP_QUANTIZE, dead code dropped. Unknown
 * operators stay, with unknown output shapes. Keeps `origin`. Error only for graphs that contradict themselves. */
PareGraph *pare_graph_canonicalize (const PareGraph *source, const PareNamedShape *shapes, guint n_shapes, PareEvalFunc eval,
                                    GError **error);

/* The inputs on whose values it depends which branch of an If runs, or how many positions GroupQueryAttention of com.microsoft hands on
 * (`only`: of that node; PARE_NONE: of any). Their shapes alone do not decide.
 * (transfer full): PareValueIds, in the order of the inputs; perhaps none. */
GArray *pare_graph_find_deciding_inputs (const PareGraph *self, PareNodeId only);

/* The input has this value from now on: it is a constant and no input any more, so that canonicalizing knows which branches run. For a
 * graph that is not shared yet. Error: another dtype or shape than the input's. */
gboolean pare_graph_bind_input (PareGraph *self, PareValueId input, PareTensor *value /* ref taken */, GError **error);

/* Takes out of a canonical graph, which is not shared yet, all nodes that can only run when values are known: those whose results have as
 * many elements as some values say, Loop and Scan, and all behind them. *late: (transfer full) (nullable) those nodes as a graph, which
 * reads what `self` now also has as outputs, under the same names; its outputs are those of `self` that are gone from there. NULL: there
 * are none. */
gboolean pare_graph_split_late (PareGraph *self, PareGraph **late, GError **error);
/* Computes a canonical graph node by node, of inputs in its order, each of whatever shape. Fills outputs (transfer full). most: bytes that
 * inputs and results may take together; 0: three quarters of what is free. What takes more is an error naming the node, told before memory
 * is taken. */
gboolean pare_graph_compute (const PareGraph *self, PareTensor *const *inputs, PareTensor **outputs, PareEvalFunc eval, gint64 most,
                             PareControl *control, GError **error);

/* BatchNormalization folded into the producing Conv/ConvTranspose/Gemm wherever it is the only reader, at the graph's own opset, on an
 * unshared graph; nodes and values that are needed no more stay until pare_graph_compact(). only: NULL or layer names to which folding is
 * restricted (a GHashTable set of char*). Used by apply, so that a layer's weights are those that deploy. */
void pare_graph_fold_batch_norm (PareGraph *self, GHashTable *only);

/* "images 1×3×224×224": the inputs whose open extents are taken for something, and for what; (transfer full), NULL: none. */
char *pare_graph_dup_assumed (const PareGraph *self);

/* Figures of one node of the canonical graph. params: elements of its constant inputs in the file; macs: for the concrete shapes. */
typedef struct
{
  PareNodeId node; /* in the source graph */
  gint64 params, macs;
  PareShape output_shape;
  PareDtype output_dtype;
} PareLayerInfo;
/* One entry for each node of `source` but Constant, in order; (transfer full) array. canonical may be NULL (no shapes then). */
PareLayerInfo *pare_graph_layer_infos (const PareGraph *source, const PareGraph *canonical, guint *n);
gint64 pare_graph_count_params (const PareGraph *source); /* as in DESIGN: initializers and Constant nodes */
