/* What a graph weighs. Constants are counted by the bits they need:
 *   memory    containers that kernels read: 4-bit codes two to a byte, 5 to 8 bits in a byte, 16 bits in two; shared values expanded
 *   packed    bits as packed, with the smallest of dense, bitmap, CSR and n:m for zeros, indices and table for shared values
 *   download  the same codes under an order-0 entropy coder, never more than packed
 * each with its scales and zero points. The graph itself is part of the file's size only. */
#include "engine/cost/pare-cost.h"
#include "engine/base/pare-error.h"
#include "engine/export/pare-export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  double memory, packed, download; /* bytes */
  gint64 zeros, count;
} Weight;

static int
compare_bits (const void *a, const void *b)
{
  guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;
  return x < y ? -1 : x > y;
}

#define LISTED 4096
static double listed[LISTED]; /* n * log2 (n) */

static gpointer
list_logarithms (gpointer unused)
{
  for (int i = 2; i < LISTED; i++)
    listed[i] = i * log2 (i);
  return NULL;
}

static double
n_log_n (gsize n)
{
  return n < LISTED ? listed[n] : (double)n * log2 ((double)n);
}

/* Most counts are small ones: of a layer's bytes, or of a short vector. */
static double
entropy_bits (const gsize *count, gsize n_symbols, gsize total)
{
  static GOnce once = G_ONCE_INIT;
  g_once (&once, list_logarithms, NULL);
  double bits = n_log_n (total);
  for (gsize i = 0; i < n_symbols; i++)
    bits -= n_log_n (count[i]);
  return bits;
}

/* Distinct values of a codebook, and the entropy of the indices in bits. */
static gsize
codebook (const PareTensor *t, double *bits)
{
  gsize n = (gsize)pare_tensor_count (t), distinct = 0, run = 0;
  g_autofree guint32 *sorted = g_new (guint32, n + 1);
  memcpy (sorted, t->data, n * sizeof *sorted);
  qsort (sorted, n, sizeof *sorted, compare_bits);
  *bits = 0;
  for (gsize i = 0; i < n; i++)
    {
      run++;
      if (i + 1 == n || sorted[i + 1] != sorted[i])
        {
          *bits -= (double)run * log2 ((double)run / (double)n);
          distinct++;
          run = 0;
        }
    }
  return distinct;
}

#define TABLES 4 /* in turns: a code that repeats would wait for its own last increment */

static void
count_codes (const float *x, gsize n, float scale, float zero, const PareQuant *q, gsize symbols, gsize *count)
{
  float inverse = scale > 0 ? 1 / scale : 0, low = (float)q->lo - zero, high = (float)q->hi - zero, origin = (float)q->lo;
  for (gsize i = 0; i < n; i++)
    {
      float code = rintf (fminf (fmaxf (x[i] * inverse, low), high)); /* codes are few: this is as exact as dividing */
      count[(i % TABLES) * symbols + (gsize)(code + zero - origin)]++;
    }
}

/* Codes of a quantized constant, by the scale that runs along its axis. */
static double
code_entropy (const PareTensor *t, const PareQuant *q)
{
  gsize n = (gsize)pare_tensor_count (t), inner = n, along = MAX (q->n, 1), symbols = (gsize)((gint64)q->hi - q->lo + 1);
  const float *data = t->data;
  if (q->axis >= 0 && q->axis < t->shape.rank)
    {
      inner = 1;
      for (int i = q->axis + 1; i < t->shape.rank; i++)
        inner *= (gsize)t->shape.dims[i];
    }
  g_autofree gsize *count = g_new0 (gsize, TABLES * symbols);
  for (gsize i = 0; i * inner < n; i++)
    {
      guint k = (guint)(q->axis >= 0 ? i % along : 0);
      count_codes (data + i * inner, inner, q->scale[k], (float)q->zero[k], q, symbols, count);
    }
  for (gsize i = 0; i < symbols; i++)
    for (gsize table = 1; table < TABLES; table++)
      count[i] += count[table * symbols + i];
  return entropy_bits (count, symbols, n);
}

/* Zero flag first, then each byte of what is not zero by itself: exponents repeat, mantissas do not. */
static double
byte_entropy (const PareTensor *t, gsize size, gsize zeros)
{
  gsize n = (gsize)pare_tensor_count (t), flags[2] = { zeros, n - zeros };
  double bits = entropy_bits (flags, 2, n);
  g_autofree gsize *count = g_new0 (gsize, 256 * size);
  const guint8 *data = t->data;
  static const guint8 nothing[8] = { 0 };
  for (gsize i = 0; i < n; i++)
    if (memcmp (data + i * size, nothing, size) != 0)
      for (gsize b = 0; b < size; b++)
        count[256 * b + data[i * size + b]]++;
  for (gsize b = 0; b < size && n > zeros; b++)
    bits += entropy_bits (count + 256 * b, 256, n - zeros);
  return bits;
}

static gint64
count_zeros (const PareTensor *t)
{
  gint64 n = pare_tensor_count (t), zeros = 0;
  if (t->dtype == PARE_DTYPE_FLOAT32)
    for (gint64 i = 0; i < n; i++)
      zeros += ((const float *)t->data)[i] == 0;
  else
    for (gint64 i = 0; i < n; i++)
      zeros += pare_tensor_get_double (t, (gsize)i) == 0;
  return zeros;
}

/* Index bits that tell one of so many apart. */
static int
index_bits (gsize n)
{
  int bits = 0;
  while (bits < 63 && (G_GUINT64_CONSTANT (1) << bits) < n)
    bits++;
  return MAX (bits, 1);
}

static double
packed_bits (const PareTensor *t, const PareValue *v, double bits, gint64 zeros)
{
  double n = (double)pare_tensor_count (t), kept = n - (double)zeros, best = n * bits;
  double rows = t->shape.rank > 0 ? (double)t->shape.dims[0] : 1, columns = rows > 0 ? n / rows : n;
  best = MIN (best, n + kept * bits);                                                        /* bitmap */
  best = MIN (best, kept * (bits + index_bits ((gsize)MAX (columns, 1))) + (rows + 1) * 32); /* CSR */
  if (v->sparse_m > 1 && v->sparse_n > 0)
    best = MIN (best, n * (v->sparse_m - v->sparse_n) / v->sparse_m * (bits + index_bits ((gsize)v->sparse_m)));
  return best;
}

static Weight
weigh (const PareValue *v)
{
  const PareTensor *t = v->constant;
  gint64 n = pare_tensor_count (t);
  Weight w = { 0 };
  int bits = pare_dtype_bits (t->dtype);
  if (n <= 0 || bits == 0)
    {
      w.memory = w.packed = w.download = t->bytes;
      return w;
    }
  w.count = n;
  w.zeros = count_zeros (t);
  const PareQuant *q = v->quant;
  gboolean narrow = q != NULL && q->bits <= 8 && t->dtype == PARE_DTYPE_FLOAT32;
  double extra = 0;
  if (q != NULL && q->bits < 32) /* a bias' scales are products that nobody stores */
    {
      extra = 4.0 * q->n;
      for (guint i = 0; i < q->n; i++)
        if (q->zero[i] != 0)
          {
            extra += q->n;
            break;
          }
    }
  if (narrow)
    bits = q->bits;
  else if (v->storage == PARE_DTYPE_FLOAT16 || v->storage == PARE_DTYPE_BFLOAT16)
    bits = 16;
  double container = narrow ? (bits <= 4 ? 0.5 : 1) : bits / 8.0;
  w.memory = ceil ((double)n * container) + extra;
  double coded;
  if (v->encoding == PARE_ENCODING_CODEBOOK && t->dtype == PARE_DTYPE_FLOAT32)
    {
      gsize distinct = codebook (t, &coded);
      extra += ceil ((double)distinct * bits / 8);
      w.packed = packed_bits (t, v, index_bits (distinct), w.zeros);
    }
  else
    {
      w.packed = packed_bits (t, v, bits, w.zeros);
      coded = narrow ? code_entropy (t, q) : w.packed;
      if (!narrow && t->dtype == PARE_DTYPE_FLOAT32 && q == NULL && v->storage == PARE_DTYPE_NONE)
        coded = byte_entropy (t, 4, (gsize)w.zeros);
    }
  w.download = ceil (MIN (coded, w.packed) / 8 - 1e-6) + extra; /* no byte more for how the logarithms are rounded */
  w.packed = ceil (w.packed / 8) + extra;
  return w;
}

/* --- what is known already --- */

struct _PareWeighed
{
  gatomicrefcount refs;
  GHashTable *weights; /* PareTensor (a reference) -> Weight */
};

/* Its tensor alone says what it weighs. */
static gboolean
is_plain (const PareValue *v)
{
  return v->quant == NULL && v->encoding == PARE_ENCODING_DENSE && v->storage == PARE_DTYPE_NONE && v->sparse_m == 0;
}

/* The constant that a node reads: its own, or a Constant node's. (transfer none) */
static PareTensor *
constant_input (const PareGraph *graph, const PareNode *node, guint i, PareValueId *value)
{
  *value = node->inputs[i];
  if (*value == PARE_NONE)
    return NULL;
  const PareValue *v = &graph->values[*value];
  if (v->constant != NULL || v->producer == PARE_NONE)
    return v->constant;
  const PareNode *producer = &graph->nodes[v->producer];
  const PareAttr *attr = pare_node_is (producer, "Constant") ? pare_node_get_attr (producer, "value") : NULL;
  return attr != NULL ? attr->tensor : NULL;
}

/* The constants that nodes read, in their order, each once. */
typedef struct
{
  const PareGraph *graph;
  guint8 *seen; /* of each value */
  guint node, input;
} Constants;

static gboolean
next_constant (Constants *c, PareValue *behind, guint *reader)
{
  for (; c->node < c->graph->n_nodes; c->node++, c->input = 0)
    {
      const PareNode *node = &c->graph->nodes[c->node];
      while (node->op != NULL && c->input < node->n_inputs)
        {
          PareValueId id;
          PareTensor *t = constant_input (c->graph, node, c->input++, &id);
          if (t == NULL || c->seen[id])
            continue;
          c->seen[id] = 1;
          *behind = c->graph->values[id];
          behind->constant = t;
          *reader = c->node;
          return TRUE;
        }
    }
  return FALSE;
}

PareWeighed *
pare_weighed_new (const PareGraph *graph)
{
  PareWeighed *self = g_new0 (PareWeighed, 1);
  g_atomic_ref_count_init (&self->refs);
  self->weights = g_hash_table_new_full (NULL, NULL, (GDestroyNotify)pare_tensor_unref, g_free);
  g_autofree guint8 *seen = g_new0 (guint8, graph->n_values + 1);
  Constants constants = { graph, seen, 0, 0 };
  PareValue v;
  guint reader;
  while (next_constant (&constants, &v, &reader))
    if (is_plain (&v) && !g_hash_table_contains (self->weights, v.constant))
      {
        Weight w = weigh (&v);
        g_hash_table_insert (self->weights, pare_tensor_ref (v.constant), g_memdup2 (&w, sizeof w));
      }
  return self;
}

PareWeighed *
pare_weighed_ref (PareWeighed *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_weighed_unref (PareWeighed *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_hash_table_unref (self->weights);
  g_free (self);
}

/* --- by layer --- */

static PareLayerCost *
cost_of (GArray *layers, GHashTable *index, const PareGraph *graph, const PareNode *node, guint id)
{
  guint key = node->origin != PARE_NONE ? node->origin : id;
  guint at = GPOINTER_TO_UINT (g_hash_table_lookup (index, GUINT_TO_POINTER (key + 1)));
  if (at == 0)
    {
      PareLayerCost fresh = { 0 };
      fresh.layer = g_strdup (node->layer != NULL ? node->layer : node->name);
      fresh.op = g_strdup (node->op);
      fresh.output_shape.rank = -1;
      if (node->role == PARE_ROLE_FACTOR) /* its parts are the layer's name and their own */
        {
          char *dot = strrchr (fresh.layer, '.');
          if (dot != NULL)
            *dot = '\0';
        }
      g_array_append_val (layers, fresh);
      at = layers->len;
      g_hash_table_insert (index, GUINT_TO_POINTER (key + 1), GUINT_TO_POINTER (at));
    }
  return &g_array_index (layers, PareLayerCost, at - 1);
}

static void
clear_cost (gpointer data)
{
  PareLayerCost *cost = data;
  g_free (cost->layer);
  g_free (cost->op);
}

void
pare_layer_costs_free (GArray *layers)
{
  if (layers != NULL)
    g_array_unref (layers);
}

static gint64
file_bytes (const PareGraph *graph, GError **error)
{
  return graph->source != NULL ? (gint64)g_bytes_get_size (graph->source) : pare_export_file_bytes (graph, error);
}

gboolean
pare_cost_size (const PareGraph *graph, const PareWeighed *known, PareSize *size, GArray **layers_out, gint64 *macs_out, GError **error)
{
  memset (size, 0, sizeof *size);
  g_autoptr (GArray) layers = g_array_new (FALSE, FALSE, sizeof (PareLayerCost));
  g_array_set_clear_func (layers, clear_cost);
  g_autoptr (GHashTable) index = g_hash_table_new (NULL, NULL);
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (graph, NULL, 0, pare_lower_eval_node, error);
  if (canonical == NULL)
    return FALSE;
  size->params = pare_graph_count_params (graph);
  size->file_bytes = file_bytes (graph, error);
  if (size->file_bytes < 0)
    return FALSE;
  guint n_infos;
  gint64 macs = 0;
  PareLayerInfo *infos = pare_graph_layer_infos (graph, canonical, &n_infos);
  for (guint i = 0; i < n_infos; i++)
    {
      const PareNode *node = &graph->nodes[infos[i].node];
      macs += infos[i].macs;
      if (node->role == PARE_ROLE_QUANT || (infos[i].params == 0 && infos[i].macs == 0))
        continue;
      PareLayerCost *cost = cost_of (layers, index, graph, node, infos[i].node);
      cost->macs += infos[i].macs;
      cost->output_shape = infos[i].output_shape; /* of the last part */
    }
  g_free (infos);
  /* Each constant for the first that reads it. */
  g_autofree guint8 *seen = g_new0 (guint8, graph->n_values + 1);
  Constants constants = { graph, seen, 0, 0 };
  double memory = 0, packed = 0, download = 0;
  PareValue v;
  guint reader;
  while (next_constant (&constants, &v, &reader))
    {
      const Weight *old = known != NULL && is_plain (&v) ? g_hash_table_lookup (known->weights, v.constant) : NULL;
      Weight w = old != NULL ? *old : weigh (&v);
      memory += w.memory;
      packed += w.packed;
      download += w.download;
      PareLayerCost *cost = cost_of (layers, index, graph, &graph->nodes[reader], reader);
      cost->params += w.count;
      cost->packed_bytes += (gint64)w.packed;
      cost->zeros += v.constant->dtype == PARE_DTYPE_FLOAT32 || v.constant->dtype == PARE_DTYPE_FLOAT16
                         ? (v.constant->shape.rank > 1 ? w.zeros : 0)
                         : 0;
    }
  size->memory_bytes = (gint64)memory;
  size->packed_bytes = (gint64)packed;
  size->download_bytes = (gint64)download;
  if (macs_out != NULL)
    *macs_out = macs;
  if (layers_out != NULL)
    *layers_out = g_steal_pointer (&layers);
  return TRUE;
}
