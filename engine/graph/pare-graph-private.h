/* What the files of this room share. */
#pragma once
#include "engine/base/pare-control.h"
#include "engine/base/pare-error.h"
#include "engine/graph/pare-graph.h"

/* The opset whose semantics inference, lowering and kernels know. */
#define PARE_CANONICAL_OPSET 21

/* --- core --- */
void pare_attr_clear (PareAttr *attr);
void pare_node_clear (PareNode *node);
void pare_value_clear (PareValue *value);
/* "node 'x' (Conv)", for messages. */
char *pare_node_describe (const PareNode *node);
/* Appends with the array's growth rule (capacity: the next power of two). room: for n elements by that rule, not set. */
gpointer pare_graph_room (guint n, gsize size);
PareNode *pare_graph_push_node (PareGraph *self);
PareValue *pare_graph_push_value (PareGraph *self);
void pare_graph_push_input (PareGraph *self, PareValueId id);
void pare_graph_push_output (PareGraph *self, PareValueId id);
/* The node's attributes are its own from here on. */
void pare_node_own_attrs (PareNode *node);
PareAttr *pare_node_push_attr (PareNode *node, const char *name, PareAttrKind kind);
/* Appends copies. but: the name of one that is left out, or NULL. */
void pare_node_add_attrs (PareNode *node, const PareNode *from, const char *but);
/* The names a body reads from the graphs around it. */
void pare_graph_collect_captured (const PareGraph *body, GHashTable *names);
/* A body that reads `from` from around it reads `to`. */
void pare_graph_rename_captured (PareGraph *body, const char *from, const char *to);
gboolean pare_node_has_graph (const PareNode *node);
/* pare_graph_verify() of a graph whose nodes are known to be in order. */
gboolean pare_graph_verify_sorted (const PareGraph *self, GError **error);
/* Reorders nodes, ids change for nodes only; FALSE: cycle. */
gboolean pare_graph_sort (PareGraph *self, GError **error);
/* Node ids in topological order without touching the graph; NULL: cycle. Removed nodes are left out. */
GArray *pare_graph_order (const PareGraph *self, GError **error);

/* --- values --- */
/* The constant behind a node's input, NULL where there is none. */
PareTensor *pare_node_input_constant (const PareGraph *graph, const PareNode *node, guint i);
PareValue *pare_node_input (const PareGraph *graph, const PareNode *node, guint i);   /* NULL: omitted */
PareValue *pare_node_output (const PareGraph *graph, const PareNode *node, guint i);
/* Integers of a constant input; NULL where unknown. (transfer full) */
gint64 *pare_node_input_ints (const PareGraph *graph, const PareNode *node, guint i, guint *n);

/* --- inference --- */
/* Fills shapes and dtypes of the node's outputs from its inputs. FALSE: the graph contradicts itself. */
gboolean pare_infer_node (PareGraph *graph, PareNodeId id, GError **error);
typedef struct {
  PareGraph *graph;
  PareNode *node;
  GError **error;
} PareInfer;
gboolean pare_infer_fail (PareInfer *c, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Shape of input i (rank -1 where unknown) and its dtype. */
const PareShape *pare_infer_shape (PareInfer *c, guint i);
PareDtype pare_infer_dtype (PareInfer *c, guint i);
gboolean pare_infer_set (PareInfer *c, guint output, PareDtype dtype, const PareShape *shape);
gboolean pare_infer_broadcast (PareInfer *c, const PareShape *a, const PareShape *b, PareShape *out);
/* Negative axes counted from the end; FALSE and an error where out of range. */
gboolean pare_infer_axis (PareInfer *c, gint64 axis, int rank, int *out);
/* Extents of a window that slides: attributes of Conv and the pools. spatial: rank - 2 (at most 6). */
typedef struct { gint64 kernel[PARE_MAX_RANK], stride[PARE_MAX_RANK], dilation[PARE_MAX_RANK], pad[2 * PARE_MAX_RANK]; char mode; /* U, L, V, N */ } PareWindow;
gboolean pare_infer_window (PareInfer *c, const PareShape *x, const gint64 *kernel, gboolean ceil_mode, PareWindow *w, gint64 *out);
gboolean pare_infer_conv (PareInfer *c, const PareShape *x, const PareShape *w, PareDtype dtype);
gboolean pare_infer_pool (PareInfer *c); /* by the node's kernel_shape */
gboolean pare_infer_matmul (PareInfer *c, const PareShape *a, const PareShape *b, PareDtype dtype);
typedef gboolean (*PareInferFunc) (PareInfer *c);
/* needs: which inputs it says nothing without, a bit for each; 0: the first, PARE_NEEDS_NONE: no one. */
#define PARE_NEEDS(n) ((1u << (n)) - 1) /* the first n */
#define PARE_NEEDS_NONE (1u << 31)
typedef struct { const char *domain, *op; PareInferFunc func; guint needs; } PareInferRule;
extern const PareInferRule pare_infer_rules_nn[], pare_infer_rules_move[], pare_infer_rules_quant[];

/* --- small arithmetic --- */
/* Computes a node whose inputs are small constants (shape arithmetic). FALSE: not one of those. */
gboolean pare_arith_node (const PareGraph *graph, const PareNode *node, PareTensor **outputs);

/* --- lists while a graph runs --- */
gboolean pare_node_is_sequence (const PareNode *node);
/* A constant of no type that holds the members of a list. */
gboolean pare_tensor_is_sequence (const PareTensor *t);
/* Computes a node that makes or reads lists. inputs: NULL where omitted. Fills outputs (transfer full). */
gboolean pare_sequence_node (const PareNode *node, PareTensor *const *inputs, PareTensor **outputs, GError **error);

/* --- opsets --- */
typedef struct {
  PareGraph *graph;
  PareNodeId node;
  int from, target;
  GArray *before, *after; /* PareNodeId: helpers that stand before and after the node */
} PareUpgrade;
/* Rewrites one node from opset `from` to `target`; input shapes are known as far as they can be. */
gboolean pare_upgrade_node (PareUpgrade *u, GError **error);

/* Takes an operator that is made of others apart, in a graph that only runs. Its inputs' shapes are known; `made` (PareNodeId) gets what stands in
 * its place, in order. FALSE: it stays as it is. */
gboolean pare_decompose_node (PareGraph *graph, PareNodeId id, GArray *made);
gboolean pare_decompose_has_rule (const PareNode *node); /* some of its kinds can be taken apart */

/* One walk in topological order: upgrades, infers and folds each node, bodies included. */
typedef struct {
  int from, target;
  gboolean fold;            /* constants become constants; If with a known condition becomes its branch */
  gboolean trust_declared;  /* extents that inference cannot know are taken from the file */
  gboolean lenient;         /* what cannot be inferred is unknown, not an error: writing a file does not run it */
  gboolean run;             /* every node is computed; one that cannot be is an error */
  PareEvalFunc eval;
  GHashTable *extents;      /* symbolic name -> gint64* (nullable) */
  int depth;
  gint64 folded;            /* bytes that were computed from nothing (smaller constants), so far */
  gint64 *turns;            /* that loops may still take, all together; not NULL where `fold` */
  gint64 most;              /* bytes that all results of a running graph may take; 0: what is free */
  gint64 held;              /* bytes that they take so far */
  PareControl *control;     /* (nullable) */
} PareWalk;
gboolean pare_graph_walk (PareGraph *self, PareWalk *walk, GError **error);
/* pare_graph_compute() within a walk: with its turns, its limit and its control. */
gboolean pare_graph_compute_within (const PareGraph *self, const PareWalk *walk, PareTensor *const *inputs, PareTensor **outputs, GError **error);
/* Computes a Loop or Scan whose inputs are constants. body: an unshared copy of its own, at PARE_CANONICAL_OPSET, with what it captures as
 * constants. Fills outputs (transfer full). */
gboolean pare_loop_node (const PareGraph *graph, const PareNode *node, PareGraph *body, const PareWalk *walk, PareTensor **outputs, GError **error);
/* Rewrites the whole graph (bodies too) to `target`, inferring on the way. Nothing is folded. */
gboolean pare_graph_upgrade (PareGraph *self, int target, GError **error);

/* What extents' names stand for (name -> gint64*). get: -1 where nobody said, or where it stands for several. */
gint64 pare_extents_get (GHashTable *extents, const char *name);
void pare_extents_bind (GHashTable *extents, const char *name, gint64 extent);

/* --- canonicalize's parts, on an unshared graph --- */
gboolean pare_canonical_half (PareGraph *self, GError **error);
gboolean pare_canonical_lift (PareGraph *self, GError **error);
void pare_canonical_drop_identities (PareGraph *self);
/* Transposes one behind the other become one, or none; what computes element by element, or only names axes, is turned where it leaves less to
 * be moved. */
gboolean pare_canonical_join_transposes (PareGraph *self, GError **error);
/* The second half of that, once: groups of nodes beside Transposes. What was one's result may be read by nobody afterwards. FALSE: nothing was
 * changed. */
gboolean pare_canonical_turn_groups (PareGraph *self);
/* The node that writes the value, if it is a Transpose of known order; NULL. */
const PareNode *pare_transpose_of (const PareGraph *g, PareValueId value, const gint64 **perm, guint *rank);
/* A constant that each channel of what a convolution or Gemm computes is multiplied with becomes part of its weights: a normalization as
 * some exporters write it. */
void pare_canonical_fold_factors (PareGraph *self);
