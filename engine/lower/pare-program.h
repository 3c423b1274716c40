/* A graph made runnable, and what runs it. */
#pragma once
#include "engine/base/pare-control.h"
#include "engine/graph/pare-graph.h"

typedef enum
{
  PARE_BACKEND_AUTO,
  PARE_BACKEND_PORTABLE,
  PARE_BACKEND_ONEDNN
} PareBackend;
gboolean pare_backend_parse (const char *text, PareBackend *backend);

typedef struct _PareProgram PareProgram; /* immutable, shared between threads, reference counted */
typedef struct _PareRunner PareRunner;   /* one thread's arena and scratch */

typedef struct
{
  PareBackend backend;
  const PareNamedShape *shapes;
  guint n_shapes; /* concrete input shapes; symbolic extents are 1 where nothing is said */
  const char *const *taps;
  guint n_taps;          /* names of values (of the given graph) that must be readable after a run */
  gboolean keep_steps;   /* what every step computes stays readable (hashes) */
  gboolean no_fusion;    /* every node its own step (per-layer error, tests) */
  guint64 memory_budget; /* bytes, of activations, constants, packed weights and scratch; 0: three quarters of what is free, mapped weights
                            not counted */
} PareCompileOptions;

/* Canonicalizes, fuses, plans memory. Errors name the first node that cannot run and why. options may be NULL. */
PareProgram *pare_program_compile (const PareGraph *graph, const PareCompileOptions *options, GError **error);
PareProgram *pare_program_ref (PareProgram *self);
void pare_program_unref (PareProgram *self);
const PareGraph *pare_program_get_graph (const PareProgram *self); /* the canonical graph */
/* Steps that are products of bfloat16 with sums of float32, as the model says; multiplied (nullable): how many of them really take two
 * bytes an operand here. The others, all where the CPU has no such instruction, give the same answers in the time of float32. */
guint pare_program_count_bf16 (PareProgram *self, guint *multiplied);
/* TRUE where nodes run behind the plan, one by one, for only values say how many elements they make; then the shapes of what they give are
 * known after a run, and differ from run to run. layer (nullable): the first of them, borrowed. */
gboolean pare_program_runs_late (const PareProgram *self, const char **layer);
guint pare_program_get_n_inputs (const PareProgram *self);
guint pare_program_get_n_outputs (const PareProgram *self);
/* Borrowed name; shape (an output's extents that values decide: -1) and dtype of the i-th input/output as the model declares it to callers. */
const char *pare_program_get_input (const PareProgram *self, guint i, PareDtype *dtype, PareShape *shape);
const char *pare_program_get_output (const PareProgram *self, guint i, PareDtype *dtype, PareShape *shape);
void pare_program_get_memory (const PareProgram *self, guint64 *arena, guint64 *sum, guint64 *constants);
/* Bytes of weights that its runners keep in an order of their own, besides the constants. */
guint64 pare_program_get_packed_memory (PareProgram *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareProgram, pare_program_unref)

/* threads: for the kernels of one inference; 1 where samples run in parallel. */
PareRunner *pare_runner_new (PareProgram *program, int threads, GError **error);
void pare_runner_free (PareRunner *self);
/* inputs in the program's order; dtypes and shapes must fit (a clear error otherwise). */
gboolean pare_runner_run (PareRunner *self, const PareView *inputs, guint n_inputs, PareControl *control, GError **error);
/* Valid until the next run. Plain row-major. */
PareView pare_runner_get_output (PareRunner *self, guint i);
gboolean pare_runner_get_tap (PareRunner *self, const char *value, PareView *view);
/* Of a value of the plan that is kept. */
PareView pare_runner_get_value (PareRunner *self, guint32 value);
PareProgram *pare_runner_get_program (PareRunner *self); /* borrowed */
/* Share of the steps that oneDNN runs; 0: all are those of the portable kernels. */
double pare_runner_get_coverage (const PareRunner *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareRunner, pare_runner_free)

/* Per-layer times, of the last run. A step may hold several layers: its time cannot be told apart, so it stands with all its work and all
 * that it moves at one of them, and the others have no entry, but a holder. */
typedef struct
{
  PareNodeId layer; /* source node, PARE_NONE: reorders and the like */
  char *op;
  double ms;
  guint64 bytes;    /* that its steps read and write: operands and results, each once, without what stays within a step */
  gint64 macs;      /* of all nodes that its steps compute */
  gboolean integer; /* its products are those of integers */
  gboolean bf16;    /* its products take operands of 16 bits */
} PareLayerTime;
void pare_runner_set_profiling (PareRunner *self, gboolean on);
/* (transfer full) array of *n, summed over each source node's steps; pare_layer_times_free(). */
PareLayerTime *pare_runner_dup_times (PareRunner *self, guint *n);
/* For each source node whose work is done in a step of another: that other; PARE_NONE for all the rest. *n: how many nodes it speaks of.
 * (transfer full) */
PareNodeId *pare_runner_dup_holders (PareRunner *self, guint *n);
void pare_layer_times_free (PareLayerTime *times, guint n);

/* PareEvalFunc over the portable kernels. */
gboolean pare_lower_eval_node (const PareGraph *graph, const PareNode *node, PareTensor **inputs, PareTensor **outputs, GError **error);
/* NULL where every node of the canonical graph can run; else (transfer full) "node 'x' (Op): reason" of the first that cannot. */
char *pare_lower_why_not (const PareGraph *canonical);

/* For a model whose inputs leave more open than the batch: gives them sizes that are common for their kind (pictures, tokens, samples of
 * sound) at which it runs (PareValue.assumed), so that figures can be taken; what it is asked to run on still decides. FALSE: nothing was
 * open, or none of them runs. For a graph that is not shared yet. */
gboolean pare_lower_assume_shapes (PareGraph *graph);
