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

/* Of graph (source or graph'): params as in DESIGN; memory: constants in the containers that integer kernels read (int8, packed int4), counted, not measured; file: what export writes (or the file's own size for an
 * unchanged source); packed: bits as packed (sparse: the smallest of bitmap, CSR, dense; codebook: indices + table); download: packed codes, entropy-coded (order-0 estimate).
 * layers (nullable): (element-type PareLayerCost), one for each source layer that holds constants or computes; parts of a factorized layer are summed. */
gboolean pare_cost_size (const PareGraph *graph, PareSize *size, GArray **layers, gint64 *macs, GError **error);
void pare_layer_costs_free (GArray *layers);

typedef struct {
  double median_ms, p10_ms, p90_ms;
  guint repeats;
  guint64 peak_rss_bytes;
  PareLayerTime *layers; guint n_layers; /* medians over the runs; NULL unless asked for */
} PareLatency;
/* Measures with warm-up; random input of the declared dtype (seeded). control cancels between runs. */
gboolean pare_cost_latency (PareProgram *program, int threads, guint repeats, gboolean per_layer, PareLatency *latency, PareControl *control, GError **error);
void pare_latency_clear (PareLatency *latency);
