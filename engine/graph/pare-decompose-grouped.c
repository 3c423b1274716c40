/* GroupQueryAttention of com.microsoft: ONNX's Attention behind rotary embeddings, over keys and values that go on from those of the past.
 * Where samples of a batch have pasts of different lengths, what is new stands right behind each sample's own. */
#include "engine/graph/pare-writer.h"

static const PareDtype f32 = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;

typedef struct
{
  gint64 batch, rows, past, heads, shared, depth, total /* past and rows */;
  gboolean ragged;     /* each sample's past has a length of its own */
  PareValueId lengths; /* int64 [batch, 1]: of each sample, with its rows; PARE_NONE unless `ragged` */
} Grouped;

static gboolean
is_table (const PareWriter *w, PareValueId table)
{
  return pare_writer_is_float (w, table) && pare_writer_shape (w, table)->rank == 2;
}

static gboolean
read_shapes (const PareWriter *w, const PareNode *node, Grouped *g)
{
  *g = (Grouped){ .heads = pare_node_get_int (node, "num_heads", 0), .shared = pare_node_get_int (node, "kv_num_heads", 0) };
  gboolean packed = w->in[1] == PARE_NONE;
  if (!pare_writer_is_float (w, w->in[0]) || packed != (w->in[2] == PARE_NONE) || (w->in[3] == PARE_NONE) != (w->in[4] == PARE_NONE)
      || g->heads < 1 || g->heads > 1 << 20 || g->shared < 1 || g->heads % g->shared != 0)
    return FALSE;
  const PareShape *q = pare_writer_shape (w, w->in[0]);
  gint64 parts = g->heads + (packed ? 2 * g->shared : 0);
  if (q->rank != 3 || q->dims[2] < 1 || q->dims[2] % parts != 0)
    return FALSE;
  g->batch = q->dims[0];
  g->rows = q->dims[1];
  g->depth = q->dims[2] / parts;
  for (guint i = 1; i <= 4; i++)
    {
      const PareShape *s = w->in[i] != PARE_NONE ? pare_writer_shape (w, w->in[i]) : NULL;
      if (s == NULL)
        continue;
      if (!pare_writer_is_float (w, w->in[i]) || s->dims[0] != g->batch
          || (i <= 2 ? s->rank != 3 || s->dims[1] != g->rows || s->dims[2] != g->shared * g->depth
                     : s->rank != 4 || s->dims[1] != g->shared || s->dims[3] != g->depth || (i == 4 && s->dims[2] != g->past)))
        return FALSE;
      if (i == 3)
        g->past = s->dims[2];
    }
  g->total = g->past + g->rows;
  g->ragged = g->batch > 1 && g->past > 0;
  return TRUE;
}

/* Attributes and operands that say something else, or how many positions there are unless they are the past's and the new ones. */
static gboolean
is_plain (const PareWriter *w, const PareNode *node, const Grouped *g)
{
  PareTensor *total = pare_node_input_constant (w->graph, node, 6);
  for (guint i = 11; i < G_N_ELEMENTS (w->in); i++)
    if (w->in[i] != PARE_NONE)
      return FALSE;
  return pare_node_get_int (node, "smooth_softmax", 0) <= 0 && w->out[3] == PARE_NONE && total != NULL && pare_tensor_count (total) == 1
         && pare_tensor_get_int (total, 0) == g->total && w->in[5] != PARE_NONE
         && pare_shape_count (pare_writer_shape (w, w->in[5])) == g->batch;
}

/* from.. from + n - 1 as [1, n] */
static PareValueId
count_from (PareWriter *w, gint64 from, gint64 n)
{
  PareShape row = { .rank = 2, .dims = { 1, n } };
  g_autoptr (PareTensor) t = pare_tensor_new (i64, &row, NULL);
  for (gint64 i = 0; i < n; i++)
    ((gint64 *)t->data)[i] = from + i;
  return pare_write_constant (w, "positions", t);
}

/* [batch, rows]: each sample's rows go on from its past. */
static PareValueId
own_positions (PareWriter *w, const Grouped *g)
{
  if (g->ragged)
    return pare_write (w, "Add", i64, g->lengths, count_from (w, -g->rows, g->rows));
  const gint64 dims[2] = { g->batch, g->rows };
  return pare_write (w, "Expand", i64, count_from (w, g->past, g->rows), pare_write_ints (w, dims, 2));
}

static PareValueId
turned (PareWriter *w, const PareNode *node, PareValueId x, gint64 heads, PareValueId positions)
{
  const PareValueId in[4] = { x, w->in[7], w->in[8], positions };
  gint64 width = 2 * pare_writer_shape (w, w->in[7])->dims[1];
  PareValueId out = pare_graph_add_value (w->graph, "RotaryEmbedding", f32, NULL, PARE_NONE);
  PareNode *made = pare_write_to (w, "RotaryEmbedding", out, in, 4);
  pare_node_set_int (made, "num_heads", heads);
  pare_node_set_int (made, "interleaved", pare_node_get_int (node, "rotary_interleaved", 0));
  pare_node_set_int (made, "rotary_embedding_dim", width);
  return out;
}

/* [batch, rows, heads * depth] -> [batch, heads, rows, depth] */
static PareValueId
split_heads (PareWriter *w, const Grouped *g, PareValueId x, gint64 heads)
{
  static const gint64 swap[] = { 0, 2, 1, 3 };
  const gint64 dims[] = { g->batch, g->rows, heads, g->depth };
  return pare_write_transpose (w, pare_write_reshape (w, x, dims, 4, PARE_NONE), swap, 4, PARE_NONE);
}

/* Which of past and new ones, one behind the other, comes where; and where there is any. */
typedef struct
{
  PareValueId from, any; /* [batch, shared, total, depth], [batch, 1, total, 1] */
} Places;

static Places
places_of (PareWriter *w, const Grouped *g)
{
  static const gint64 around[] = { 1, 3 };
  const gint64 full[] = { g->batch, g->shared, g->total, g->depth };
  PareValueId position = count_from (w, 0, g->total), rows = pare_write_ints (w, &g->rows, 1);
  PareValueId own = pare_write (w, "Sub", i64, g->lengths, rows); /* each sample's past */
  PareValueId shift = pare_write (w, "Sub", i64, pare_write_ints (w, &g->past, 1), own);
  PareValueId new = pare_write (w, "Add", i64, position, shift), last = pare_write_ints (w, &(gint64){ g->total - 1 }, 1);
  PareValueId from = pare_write_where (w, pare_write (w, "Less", PARE_DTYPE_BOOL, position, own), position,
                                       pare_write (w, "Min", i64, new, last), PARE_NONE);
  PareValueId any = pare_write (w, "Less", PARE_DTYPE_BOOL, position, g->lengths);
  return (Places){ pare_write (w, "Expand", i64, pare_write_unsqueeze (w, from, around, 2), pare_write_ints (w, full, 4)),
                   pare_write_unsqueeze (w, any, around, 2) };
}

/* past and new ones as [batch, shared, total, depth], where each sample has new ones right behind its own past, and zeros behind those. */
static PareValueId
behind_own (PareWriter *w, const Grouped *g, PareValueId past, PareValueId now, const Places *places, PareValueId output)
{
  const PareValueId parts[2] = { past, split_heads (w, g, now, g->shared) };
  const PareValueId in[2] = { pare_write_concat (w, parts, 2, 2, PARE_NONE), places->from };
  PareValueId found = pare_graph_add_value (w->graph, "GatherElements", f32, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "GatherElements", found, in, 2), "axis", 2);
  return pare_write_where (w, places->any, found, pare_write_number (w, 0), output);
}

static void
set_attention (PareNode *attention, const PareNode *node)
{
  float scale = pare_node_get_float (node, "scale", 0);
  gint64 window = pare_node_get_int (node, "local_window_size", -1);
  pare_node_set_int (attention, "is_causal", 1);
  pare_node_set_float (attention, "softcap", pare_node_get_float (node, "softcap", 0));
  if (scale != 0)
    pare_node_set_float (attention, "scale", scale);
  if (window > 0) /* a row is one of its own window */
    pare_node_set_int (attention, "left_window_size", window - 1);
}

static gboolean
group_query (PareWriter *w, const PareNode *node)
{
  Grouped g;
  gboolean rotary = pare_node_get_int (node, "do_rotary", 0) != 0;
  if (!read_shapes (w, node, &g) || !is_plain (w, node, &g) || (rotary && (!is_table (w, w->in[7]) || !is_table (w, w->in[8]))))
    return FALSE;
  gint64 width = g.heads * g.depth, shared_width = g.shared * g.depth;
  PareValueId q = w->in[0], k = w->in[1], v = w->in[2];
  if (k == PARE_NONE)
    {
      q = pare_write_slice (w, w->in[0], 2, 0, width, 1);
      k = pare_write_slice (w, w->in[0], 2, width, width + shared_width, 1);
      v = pare_write_slice (w, w->in[0], 2, width + shared_width, width + 2 * shared_width, 1);
    }
  if (g.ragged)
    {
      const gint64 column[] = { g.batch, 1 };
      PareValueId before = pare_write_reshape (w, pare_write_cast (w, w->in[5], i64, PARE_NONE), column, 2, PARE_NONE);
      g.lengths = pare_write (w, "Add", i64, before, pare_write_ints (w, &(gint64){ 1 }, 1));
    }
  if (rotary)
    {
      PareValueId positions = w->in[9] != PARE_NONE ? w->in[9] : own_positions (w, &g);
      q = turned (w, node, q, g.heads, positions);
      k = turned (w, node, k, g.shared, positions);
    }
  if (!g.ragged)
    {
      const PareValueId in[6] = { q, k, v, w->in[10], w->in[3], w->in[4] };
      PareNode *made = pare_write_many (w, "Attention", w->out, node->n_outputs, in, w->in[3] != PARE_NONE ? 6 : 4);
      set_attention (made, node);
      pare_node_set_int (made, "q_num_heads", g.heads);
      pare_node_set_int (made, "kv_num_heads", g.shared);
      return TRUE;
    }
  const Places places = places_of (w, &g);
  static const gint64 swap[] = { 0, 2, 1, 3 }, flat[] = { -1 };
  const gint64 joined[] = { g.batch, g.rows, width };
  const PareValueId in[7] = { split_heads (w, &g, q, g.heads),
                              behind_own (w, &g, w->in[3], k, &places, w->out[1]),
                              behind_own (w, &g, w->in[4], v, &places, w->out[2]),
                              w->in[10],
                              PARE_NONE,
                              PARE_NONE,
                              pare_write_reshape (w, g.lengths, flat, 1, PARE_NONE) };
  PareValueId y = pare_graph_add_value (w->graph, "Attention", f32, NULL, PARE_NONE);
  set_attention (pare_write_to (w, "Attention", y, in, 7), node);
  pare_write_reshape (w, pare_write_transpose (w, y, swap, 4, PARE_NONE), joined, 3, w->out[0]);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_grouped[] = {
  { PARE_DOMAIN_MS, "GroupQueryAttention", group_query },
  { NULL, NULL, NULL },
};
