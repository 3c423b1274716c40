#pragma once
#include "engine/base/pare-control.h"
#include "engine/graph/pare-graph.h"
#include "engine/lower/pare-program.h"

typedef struct { gint64 params, memory_bytes, file_bytes, packed_bytes, download_bytes; } PareSize;

typedef struct {
  char *layer;            /* name in the source graph */
  char *op;
  gint64 params, macs;
  gint64 packed_bytes;    /* weights, bias, scales at their bits */
  gint64 zeros;           /* zero weights */
  PareShape output_shape;
} PareLayerCost;

/* What a graph's dense float constants weigh. Most of them are the same in what a recipe makes of the graph: they need not be weighed again. Immutable,
 * reference counted. */
typedef struct _PareWeighed PareWeighed;
PareWeighed *pare_weighed_new (const PareGraph *graph);
PareWeighed *pare_weighed_ref (PareWeighed *self);
void pare_weighed_unref (PareWeighed *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareWeighed, pare_weighed_unref)

/* Of graph (source or graph'): params as in DESIGN; memory: constants in the containers that integer kernels read (int8, packed int4), counted, not measured; file: what export writes (or the file's own size for an
 * unchanged source); packed: bits as packed (sparse: the smallest of bitmap, CSR, dense; codebook: indices + table); download: packed codes, entropy-coded (order-0 estimate).
 * layers (nullable): (element-type PareLayerCost), one for each source layer that holds constants or computes; parts of a factorized layer are summed. */
gboolean pare_cost_size (const PareGraph *graph, const PareWeighed *known /* nullable */, PareSize *size, GArray **layers, gint64 *macs, GError **error);
void pare_layer_costs_free (GArray *layers);

typedef struct {
  double median_ms, p10_ms, p90_ms;
  guint repeats;
  guint64 peak_rss_bytes;
  PareLayerTime *layers; guint n_layers; /* NULL unless asked for: means over those runs by layer that took what a run takes (median_ms), so that they add up */
  double profiled_ms;                    /* the whole of those runs: the layers and what lies between them; 0: not known */
  PareNodeId *holders; guint n_holders;  /* as pare_runner_dup_holders() */
  guint64 arena_bytes, tensors_bytes, constants_bytes; /* as pare_program_get_memory(); 0: not known */
  guint64 packed_bytes;                                /* as pare_program_get_packed_memory() */
  int threads;
  double fast_share;                     /* of the steps, those that oneDNN runs */
  guint bf16_steps, bf16_multiplied;     /* as pare_program_count_bf16() */
} PareLatency;
/* How to mark figures of a model with such steps: "bf16", or what else they were computed in here; NULL: it has none. */
const char *pare_cost_precision (guint bf16_steps, guint bf16_multiplied);
/* Measures with warm-up; random input of the declared dtype (seeded). control cancels between runs. */
gboolean pare_cost_latency (PareProgram *program, int threads, guint repeats, gboolean per_layer, PareLatency *latency, PareControl *control, GError **error);
/* The same on given values: given[i] of the program's input i, NULL: random. Error: a value that the program does not take. */
gboolean pare_cost_latency_on (PareProgram *program, PareTensor *const *given, int threads, guint repeats, gboolean per_layer, PareLatency *latency, PareControl *control, GError **error);
/* The most memory that this process had at any time, bytes, without what measuring the machine (pare-profile.h) took. */
guint64 pare_cost_peak_memory (void);
/* Frees what it holds; the numbers stay. */
void pare_latency_clear (PareLatency *latency);
/* A copy that holds its own arrays; what `to` held is not freed. */
void pare_latency_copy (PareLatency *to, const PareLatency *from);
