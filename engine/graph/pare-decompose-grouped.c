/* GroupQueryAttention of com.microsoft: ONNX's Attention behind rotary embeddings, over keys and values that go on from those of the past.
 * Where samples of a batch have pasts of different lengths, what is new stands right behind each sample's own. */
#include "engine/graph/pare-writer.h"

#include <math.h>

static const PareDtype f32 = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;

#define MOST_POSITIONS (1 << 24)

typedef struct
{
  gint64 batch, rows, heads, shared, depth, capacity /* positions of the past as an operand */,
      total /* of the longest sample, with its rows */;
  gint64 before, kept; /* unless `ragged`: positions each sample has seen, and how many of them the past holds */
  gint64 stored;       /* positions of what is handed on */
  gint64 window;       /* a row sees so many positions, its own the last of them; 0: all */
  gboolean sliding;    /* the past holds little more than the window */
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
                     : s->rank != 4 || s->dims[1] != g->shared || s->dims[3] != g->depth || (i == 4 && s->dims[2] != g->capacity)))
        return FALSE;
      if (i == 3)
        g->capacity = s->dims[2];
    }
  return TRUE;
}

/* How many of the last positions a past that slides holds behind `seen` of them: whenever it is full it drops all but what the next row's
 * window needs. */
static gint64
resident (const Grouped *g, gint64 seen)
{
  gint64 step = g->capacity - g->window + 1;
  return seen <= g->capacity ? seen : seen - step * ((seen - g->capacity + step - 1) / step);
}

/* How long pasts are: the operand that says so must be known, since what is handed on has as many positions. */
static gboolean
read_lengths (const PareWriter *w, const PareNode *node, Grouped *g)
{
  PareTensor *total = pare_node_input_constant (w->graph, node, 6);
  if (total == NULL || pare_tensor_count (total) != 1 || w->in[5] == PARE_NONE
      || pare_shape_count (pare_writer_shape (w, w->in[5])) != g->batch)
    return FALSE;
  gint64 window = pare_node_get_int (node, "local_window_size", -1);
  g->total = pare_tensor_get_int (total, 0);
  g->window = window > 0 ? window : 0;
  g->sliding = pare_node_get_int (node, "sliding_window_cache", 0) != 0;
  if (g->total < g->rows || g->total > MOST_POSITIONS || g->capacity > MOST_POSITIONS
      || (g->sliding && (g->batch != 1 || g->window == 0 || g->capacity < g->window)))
    return FALSE;
  g->ragged = g->batch > 1 && g->capacity > 0 && g->total > g->rows;
  g->before = g->total - g->rows;
  g->kept = g->sliding ? resident (g, g->before) : g->before;
  g->stored = g->sliding ? g->capacity : MAX (g->capacity, g->total);
  return g->ragged || (g->kept <= g->capacity && (!g->sliding || resident (g, g->total) <= g->kept + g->rows));
}

/* Operands that say something else: quantized pasts, normalized queries and chunks of several lengths; and scores as an output. */
static gboolean
is_plain (const PareWriter *w, const PareNode *node)
{
  for (guint i = 12; i < node->n_inputs; i++)
    if (node->inputs[i] != PARE_NONE)
      return FALSE;
  return w->out[3] == PARE_NONE && pare_node_get_int (node, "qk_output", 0) == 0;
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
  return pare_write (w, "Expand", i64, count_from (w, g->before, g->rows), pare_write_ints (w, dims, 2));
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

/* --- samples whose pasts differ in length --- */

/* Which of past and new ones, one behind the other, comes where; and where there is any. */
typedef struct
{
  PareValueId from, any; /* [batch, shared, stored, depth], [batch, 1, stored, 1] */
} Places;

static Places
places_of (PareWriter *w, const Grouped *g)
{
  static const gint64 around[] = { 1, 3 };
  const gint64 full[] = { g->batch, g->shared, g->stored, g->depth };
  PareValueId position = count_from (w, 0, g->stored), rows = pare_write_ints (w, &g->rows, 1);
  PareValueId own = pare_write (w, "Sub", i64, g->lengths, rows); /* each sample's past */
  PareValueId shift = pare_write (w, "Sub", i64, pare_write_ints (w, &g->capacity, 1), own);
  PareValueId new = pare_write (w, "Add", i64, position, shift), last = pare_write_ints (w, &(gint64){ g->capacity + g->rows - 1 }, 1);
  PareValueId from = pare_write_where (w, pare_write (w, "Less", PARE_DTYPE_BOOL, position, own), position,
                                       pare_write (w, "Min", i64, new, last), PARE_NONE);
  PareValueId any = pare_write (w, "Less", PARE_DTYPE_BOOL, position, g->lengths);
  return (Places){ pare_write (w, "Expand", i64, pare_write_unsqueeze (w, from, around, 2), pare_write_ints (w, full, 4)),
                   pare_write_unsqueeze (w, any, around, 2) };
}

/* past and new ones as [batch, shared, stored, depth], where each sample has new ones right behind its own past, and zeros behind those. */
static PareValueId
behind_own (PareWriter *w, PareValueId past, PareValueId now, const Places *places, PareValueId output)
{
  const PareValueId parts[2] = { past, now };
  const PareValueId in[2] = { pare_write_concat (w, parts, 2, 2, PARE_NONE), places->from };
  PareValueId found = pare_graph_add_value (w->graph, "GatherElements", f32, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "GatherElements", found, in, 2), "axis", 2);
  return pare_write_where (w, places->any, found, pare_write_number (w, 0), output);
}

/* --- samples of one length --- */

static PareValueId
zeros (PareWriter *w, gint64 a, gint64 b, gint64 c, gint64 d)
{
  PareShape shape = { .rank = 4, .dims = { a, b, c, d } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &shape, NULL);
  return t != NULL ? pare_write_constant (w, "zeros", t) : PARE_NONE;
}

/* Of keys or values [batch, shared, kept + rows, depth] what is handed on: the last ones, and zeros to the end of the buffer. */
static void
store (PareWriter *w, const Grouped *g, PareValueId all, PareValueId output)
{
  gint64 have = g->kept + g->rows, keep = g->sliding ? resident (g, g->total) : have;
  if (output == PARE_NONE)
    return;
  PareValueId parts[2] = { keep < have ? pare_write_slice (w, all, 2, have - keep, have, 1) : all, PARE_NONE };
  if (keep < g->stored)
    parts[1] = zeros (w, g->batch, g->shared, g->stored - keep, g->depth);
  if (parts[1] != PARE_NONE)
    pare_write_concat (w, parts, 2, 2, output);
  else
    pare_write_to (w, "Identity", output, parts, 1);
}

/* --- what each row sees --- */

/* [1, 1, rows, kept + rows], or of a batch with lengths of its own [batch, 1, rows, stored]: 0 where a row sees a position, else -inf. */
static PareValueId
seen_by_rows (PareWriter *w, const Grouped *g, gboolean causal)
{
  if (g->ragged)
    {
      static const gint64 around[] = { 1, 3 }, across[] = { 0, 1 };
      PareValueId own = pare_write_unsqueeze (w, own_positions (w, g), around, 2);
      PareValueId position = pare_write_unsqueeze (w, count_from (w, 0, g->stored), across, 2);
      PareValueId seen = pare_write (w, "LessOrEqual", PARE_DTYPE_BOOL, position, own);
      if (g->window > 0)
        seen = pare_write (
            w, "And", PARE_DTYPE_BOOL, seen,
            pare_write (w, "Greater", PARE_DTYPE_BOOL, position, pare_write (w, "Sub", i64, own, pare_write_ints (w, &g->window, 1))));
      return pare_write_where (w, seen, pare_write_number (w, 0), pare_write_number (w, -INFINITY), PARE_NONE);
    }
  PareShape shape = { .rank = 4, .dims = { 1, 1, g->rows, g->kept + g->rows } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &shape, NULL);
  for (gint64 r = 0; t != NULL && causal && r < g->rows; r++)
    for (gint64 p = 0; p < shape.dims[3]; p++)
      if (p > r + g->kept || (g->window > 0 && p <= r + g->kept - g->window))
        ((float *)t->data)[r * shape.dims[3] + p] = -INFINITY;
  return t != NULL ? pare_write_constant (w, "seen", t) : PARE_NONE;
}

/* A sink is one position more, behind all others, of which key and value are 0 and the score is the sink's. mask: [1 or batch, 1 or heads,
 * rows, positions]. */
static PareValueId
with_sink (PareWriter *w, const Grouped *g, PareValueId sink /* PARE_NONE: 0 */, PareValueId mask, gint64 positions)
{
  const gint64 column[] = { 1, g->heads, 1, 1 }, all[] = { g->batch, g->heads, g->rows, positions },
               last[] = { g->batch, g->heads, g->rows, 1 };
  PareValueId score = sink != PARE_NONE ? pare_write_reshape (w, sink, column, 4, PARE_NONE) : zeros (w, 1, 1, 1, 1);
  const PareValueId parts[2] = { pare_write (w, "Expand", f32, mask, pare_write_ints (w, all, 4)),
                                 pare_write (w, "Expand", f32, score, pare_write_ints (w, last, 4)) };
  return pare_write_concat (w, parts, 2, 3, PARE_NONE);
}

static PareValueId
with_zeros (PareWriter *w, const Grouped *g, PareValueId x)
{
  const PareValueId parts[2] = { x, zeros (w, g->batch, g->shared, 1, g->depth) };
  return pare_write_concat (w, parts, 2, 2, PARE_NONE);
}

/* [1 or batch, 1 or heads, rows, positions] */
static gboolean
fits_rows (const PareWriter *w, const Grouped *g, PareValueId mask)
{
  const PareShape *s = pare_writer_shape (w, mask);
  return pare_writer_is_float (w, mask) && s->rank == 4 && (s->dims[0] == 1 || s->dims[0] == g->batch)
         && (s->dims[1] == 1 || s->dims[1] == g->heads) && s->dims[2] == g->rows && s->dims[3] == g->kept + g->rows;
}

/* What is added to the scores, for positions that the past still holds. */
static PareValueId
added (PareWriter *w, const Grouped *g)
{
  if (w->in[10] == PARE_NONE || !g->sliding || g->kept == g->before)
    return w->in[10];
  return pare_write_slice (w, w->in[10], -1, g->before - g->kept, g->total, 1);
}

static void
set_attention (PareNode *attention, const PareNode *node, gboolean causal, gint64 window)
{
  float scale = pare_node_get_float (node, "scale", 0);
  pare_node_set_int (attention, "is_causal", causal ? 1 : 0);
  pare_node_set_float (attention, "softcap", pare_node_get_float (node, "softcap", 0));
  if (scale != 0)
    pare_node_set_float (attention, "scale", scale);
  if (window > 0) /* a row is one of its own window */
    pare_node_set_int (attention, "left_window_size", window - 1);
}

/* The key's or the value's past, as far as it holds anything. */
static PareValueId
kept_past (PareWriter *w, const Grouped *g, guint which)
{
  PareValueId past = w->in[3 + which];
  return g->kept == g->capacity ? past : pare_write_slice (w, past, 2, 0, g->kept, 1);
}

/* Over keys and values that are joined with the past here. */
static gboolean
attend_all (PareWriter *w, const PareNode *node, const Grouped *g, const PareValueId *qkv, gboolean causal, gboolean smooth)
{
  static const gint64 swap[] = { 0, 2, 1, 3 }, flat[] = { -1 };
  const gint64 joined[] = { g->batch, g->rows, g->heads * g->depth };
  PareValueId in[7] = { split_heads (w, g, qkv[0], g->heads), PARE_NONE, PARE_NONE, w->in[10], PARE_NONE, PARE_NONE, PARE_NONE };
  PareValueId mask = smooth ? seen_by_rows (w, g, causal) : PARE_NONE; /* first: nothing is written where there is no room for it */
  if (smooth && mask == PARE_NONE)
    return FALSE;
  const Places places = g->ragged ? places_of (w, g) : (Places){ PARE_NONE, PARE_NONE };
  for (guint i = 0; i < 2; i++)
    {
      PareValueId now = split_heads (w, g, qkv[1 + i], g->shared);
      if (g->ragged)
        in[1 + i] = behind_own (w, w->in[3 + i], now, &places, w->out[1 + i]);
      else
        {
          const PareValueId parts[2] = { g->kept > 0 ? kept_past (w, g, i) : now, now };
          in[1 + i] = g->kept > 0 ? pare_write_concat (w, parts, 2, 2, PARE_NONE) : now;
          store (w, g, in[1 + i], w->out[1 + i]);
        }
    }
  if (smooth)
    {
      if (in[3] != PARE_NONE)
        mask = pare_write (w, "Add", f32, mask, in[3]);
      in[3] = with_sink (w, g, w->in[11], mask, g->ragged ? g->stored : g->kept + g->rows);
      in[1] = with_zeros (w, g, in[1]);
      in[2] = with_zeros (w, g, in[2]);
    }
  else
    in[6] = pare_write_reshape (w, g->lengths, flat, 1, PARE_NONE);
  PareValueId y = pare_graph_add_value (w->graph, "Attention", f32, NULL, PARE_NONE);
  set_attention (pare_write_to (w, "Attention", y, in, smooth ? 4 : 7), node, !smooth, smooth ? 0 : g->window);
  pare_write_reshape (w, pare_write_transpose (w, y, swap, 4, PARE_NONE), joined, 3, w->out[0]);
  return TRUE;
}

static gboolean
group_query (PareWriter *w, const PareNode *node)
{
  Grouped g;
  gboolean rotary = pare_node_get_int (node, "do_rotary", 0) != 0, causal = pare_node_get_int (node, "causal", 1) != 0;
  if (!is_plain (w, node) || !read_shapes (w, node, &g) || !read_lengths (w, node, &g) || w->out[0] == PARE_NONE
      || (rotary && (!is_table (w, w->in[7]) || !is_table (w, w->in[8]))) || (!causal && (g.ragged || g.window > 0)))
    return FALSE;
  PareValueId sink = w->in[11];
  gboolean smooth = sink != PARE_NONE || pare_node_get_int (node, "smooth_softmax", 0) > 0;
  if (sink != PARE_NONE && (!pare_writer_is_float (w, sink) || pare_shape_count (pare_writer_shape (w, sink)) != g.heads))
    return FALSE;
  if (smooth && w->in[10] != PARE_NONE && (g.ragged || g.sliding || !fits_rows (w, &g, w->in[10])))
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
      PareValueId own = w->in[9] != PARE_NONE ? w->in[9] : own_positions (w, &g);
      q = turned (w, node, q, g.heads, own);
      k = turned (w, node, k, g.shared, own);
    }
  if (g.ragged || smooth)
    return attend_all (w, node, &g, (PareValueId[3]){ q, k, v }, causal, smooth);
  PareValueId pasts[2] = { PARE_NONE, PARE_NONE }, out[3] = { w->out[0], PARE_NONE, PARE_NONE };
  gboolean changed = g.stored != g.kept + g.rows || g.sliding;
  for (guint i = 0; i < 2; i++)
    {
      if (g.kept > 0)
        pasts[i] = kept_past (w, &g, i);
      if (w->out[1 + i] != PARE_NONE)
        out[1 + i] = changed ? pare_graph_add_value (w->graph, "present", f32, NULL, PARE_NONE) : w->out[1 + i];
    }
  const PareValueId in[6] = { q, k, v, added (w, &g), pasts[0], pasts[1] };
  PareNode *made = pare_write_many (w, "Attention", out, 3, in, g.kept > 0 ? 6 : 4);
  set_attention (made, node, causal, causal ? g.window : 0);
  pare_node_set_int (made, "q_num_heads", g.heads);
  pare_node_set_int (made, "kv_num_heads", g.shared);
  for (guint i = 1; changed && i < 3; i++)
    if (out[i] != PARE_NONE)
      store (w, &g, out[i], w->out[i]);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_grouped[] = {
  { PARE_DOMAIN_MS, "GroupQueryAttention", group_query },
  { NULL, NULL, NULL },
};
