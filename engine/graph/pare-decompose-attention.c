/* Attention in its operators of ONNX and com.microsoft, and rotary embeddings, written out. What attention becomes here, q k' times a
 * factor, a mask added, Softmax, times v, is what lowering makes one step of again. */
#include "engine/graph/pare-writer.h"

#include <math.h>

static const PareDtype f32 = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;
static const gint64 swap_heads[] = { 0, 2, 1, 3 }, swap_last[] = { 0, 1, 3, 2 };

/* What is added to the scores. Its first two extents are the batch (or 1) and the heads (or 1); fewer extents: 1. */
typedef struct
{
  PareValueId value; /* PARE_NONE: nothing */
  gint64 batch, heads;
  gboolean hides; /* a whole row may be -inf */
} Bias;

typedef struct
{
  gint64 batch, heads, shared /* heads of k and v */, rows, positions /* with the past */, past, depth, wide /* of v */;
  PareValueId q, k, v; /* [batch, heads, rows or positions, depth or wide] */
  float factor, cap /* 0: none */;
  Bias bias;
  gint64 mode; /* of the scores as an output: 0 scaled, 1 capped, 2 with the bias, 3 weights */
  PareValueId scores;
} Heads;

static void
add_bias (PareWriter *w, Heads *h, Bias other)
{
  if (h->bias.value == PARE_NONE)
    h->bias = other;
  else
    h->bias = (Bias){ pare_write (w, "Add", f32, h->bias.value, other.value), MAX (h->bias.batch, other.batch),
                      MAX (h->bias.heads, other.heads), h->bias.hides || other.hides };
}

/* 0 where the condition holds, else `hidden`. */
static PareValueId
hide (PareWriter *w, PareValueId condition, float hidden)
{
  PareValueId out = pare_graph_add_value (w->graph, "mask", f32, NULL, PARE_NONE);
  return pare_write_where (w, condition, pare_write_number (w, 0), pare_write_number (w, hidden), out);
}

/* 0..n-1 in a shape of n elements */
static PareValueId
count_up (PareWriter *w, const PareShape *shape)
{
  g_autoptr (PareTensor) t = pare_tensor_new (i64, shape, NULL);
  for (gint64 i = 0; i < pare_tensor_count (t); i++)
    ((gint64 *)t->data)[i] = i;
  return pare_write_constant (w, "positions", t);
}

/* Which positions a row may see, as far as that is the same for every sample: those from `left` before its own to `right` behind it, -1:
 * all. */
static void
add_window (PareWriter *w, Heads *h, gint64 left, gint64 right)
{
  PareShape shape = { .rank = 2, .dims = { h->rows, h->positions } };
  g_autoptr (PareTensor) t = left < 0 && right < 0 ? NULL : pare_tensor_new (f32, &shape, NULL);
  if (t == NULL)
    return;
  for (gint64 r = 0; r < h->rows; r++)
    for (gint64 p = 0; p < h->positions; p++)
      if ((left >= 0 && p < r + h->past - left) || (right >= 0 && p > r + h->past + right))
        ((float *)t->data)[r * h->positions + p] = -INFINITY;
  add_bias (w, h, (Bias){ pare_write_constant (w, "window", t), 1, 1, FALSE });
}

/* The same where each sample has a length of its own, at the end of which its rows stand. */
static void
add_lengths (PareWriter *w, Heads *h, PareValueId lengths, gint64 left, gint64 right)
{
  static const gint64 axes[] = { 1, 2, 3 };
  PareShape across = { .rank = 1, .dims = { h->positions } }, down = { .rank = 2, .dims = { h->rows, 1 } };
  PareValueId position = count_up (w, &across), length = pare_write_unsqueeze (w, pare_write_cast (w, lengths, i64, PARE_NONE), axes, 3);
  PareValueId seen = pare_write (w, "Less", PARE_DTYPE_BOOL, position, length);
  if (left >= 0 || right >= 0)
    {
      PareValueId first = pare_write (w, "Sub", i64, length, pare_write_ints (w, &h->rows, 1));
      PareValueId own = pare_write (w, "Add", i64, first, count_up (w, &down));
      if (left >= 0)
        seen = pare_write (
            w, "And", PARE_DTYPE_BOOL, seen,
            pare_write (w, "GreaterOrEqual", PARE_DTYPE_BOOL, position, pare_write (w, "Sub", i64, own, pare_write_ints (w, &left, 1))));
      if (right >= 0)
        seen = pare_write (
            w, "And", PARE_DTYPE_BOOL, seen,
            pare_write (w, "LessOrEqual", PARE_DTYPE_BOOL, position, pare_write (w, "Add", i64, own, pare_write_ints (w, &right, 1))));
    }
  add_bias (w, h, (Bias){ hide (w, seen, -INFINITY), h->batch, 1, TRUE });
}

static gboolean
fits_scores (const Heads *h, const PareShape *s)
{
  const gint64 dims[4] = { h->batch, h->heads, h->rows, h->positions };
  for (int i = 0; i < s->rank && s->rank <= 4; i++)
    if (s->dims[i] != 1 && s->dims[i] != dims[4 - s->rank + i])
      return FALSE;
  return s->rank >= 1 && s->rank <= 4;
}

/* A mask as ONNX has it: booleans say what is seen, numbers are added; the last extent may be shorter: what is behind it is hidden. */
static gboolean
add_mask (PareWriter *w, Heads *h, PareValueId mask, gboolean may_be_short)
{
  PareShape s = *pare_writer_shape (w, mask);
  PareDtype dtype = pare_writer_dtype (w, mask);
  gint64 short_by = may_be_short && s.rank > 0 ? h->positions - s.dims[s.rank - 1] : 0;
  PareShape whole = s;
  if (s.rank < 1 || (dtype != PARE_DTYPE_BOOL && dtype != f32) || short_by < 0)
    return FALSE;
  whole.dims[s.rank - 1] += short_by;
  if (!fits_scores (h, &whole))
    return FALSE;
  PareValueId value = dtype == PARE_DTYPE_BOOL ? hide (w, mask, -INFINITY) : mask;
  if (short_by > 0)
    {
      s.dims[s.rank - 1] = short_by;
      g_autoptr (PareTensor) t = pare_tensor_new (f32, &s, NULL);
      if (t == NULL)
        return FALSE;
      for (gint64 i = 0; i < pare_tensor_count (t); i++)
        ((float *)t->data)[i] = -INFINITY;
      const PareValueId parts[2] = { value, pare_write_constant (w, "hidden", t) };
      value = pare_write_concat (w, parts, 2, -1, PARE_NONE);
    }
  add_bias (w, h, (Bias){ value, s.rank == 4 ? s.dims[0] : 1, s.rank >= 3 ? s.dims[s.rank - 3] : 1, TRUE });
  return TRUE;
}

/* Heads that share their keys and values lie side by side: they are the heads then, and those that do not are the batch. */
static void
group (PareWriter *w, Heads *h, PareValueId *q, PareValueId *k, PareValueId *v, Bias *bias)
{
  gint64 each = h->heads / h->shared, samples = h->batch * h->shared;
  const gint64 qs[] = { samples, each, h->rows, h->depth }, ks[] = { samples, 1, h->positions, h->depth },
               vs[] = { samples, 1, h->positions, h->wide };
  *q = pare_write_reshape (w, *q, qs, 4, PARE_NONE);
  *k = pare_write_reshape (w, *k, ks, 4, PARE_NONE);
  *v = pare_write_reshape (w, *v, vs, 4, PARE_NONE);
  if (bias->value == PARE_NONE || (bias->batch == 1 && bias->heads == 1))
    return;
  const gint64 full[] = { h->batch, bias->heads == 1 ? h->shared : h->heads, 1, 1 },
               split[] = { samples, bias->heads == 1 ? 1 : each, 0, 0 };
  PareValueId wide = pare_write (w, "Expand", f32, bias->value, pare_write_ints (w, full, 4));
  bias->value = pare_write_reshape (w, wide, split, 4, PARE_NONE);
}

/* Writes out: [batch, rows, heads * wide] if `joined`, else [batch, heads, rows, wide]. */
static void
attend (PareWriter *w, Heads *h, gboolean joined, PareValueId out)
{
  PareValueId q = h->q, k = h->k, v = h->v;
  Bias bias = h->bias;
  const gint64 heads_first[] = { h->batch, h->heads, h->rows, h->wide }, rows_first[] = { h->batch, h->rows, h->heads * h->wide },
               all_scores[] = { h->batch, h->heads, h->rows, h->positions };
  if (h->shared != h->heads)
    group (w, h, &q, &k, &v, &bias);
  PareValueId scores = pare_write (w, "MatMul", f32, q, pare_write_transpose (w, k, swap_last, 4, PARE_NONE)), stage[4];
  stage[0] = scores = pare_write (w, "Mul", f32, scores, pare_write_number (w, h->factor));
  if (h->cap > 0)
    {
      PareValueId small = pare_write (w, "Tanh", f32, pare_write (w, "Div", f32, scores, pare_write_number (w, h->cap)), PARE_NONE);
      scores = pare_write (w, "Mul", f32, small, pare_write_number (w, h->cap));
    }
  stage[1] = scores;
  if (bias.value != PARE_NONE)
    scores = pare_write (w, "Add", f32, scores, bias.value);
  stage[2] = scores;
  PareValueId weights = pare_write (w, "Softmax", f32, scores, PARE_NONE), hidden = PARE_NONE;
  stage[3] = weights;
  if (bias.value != PARE_NONE && bias.hides) /* rows that see nothing are 0 */
    {
      static const gint64 last[] = { -1 };
      PareValueId most = pare_write_reduce (w, "ReduceMax", bias.value, pare_write_ints (w, last, 1), TRUE);
      hidden = pare_write (w, "Equal", PARE_DTYPE_BOOL, most, pare_write_number (w, -INFINITY));
      if (h->scores != PARE_NONE && h->mode == 3)
        stage[3] = pare_write_where (w, hidden, pare_write_number (w, 0), weights, PARE_NONE);
    }
  if (h->scores != PARE_NONE)
    pare_write_reshape (w, stage[CLAMP (h->mode, 0, 3)], all_scores, 4, h->scores);
  PareValueId y = pare_write (w, "MatMul", f32, weights, v);
  if (hidden != PARE_NONE)
    y = pare_write_where (w, hidden, pare_write_number (w, 0), y, PARE_NONE);
  if (h->shared != h->heads)
    y = pare_write_reshape (w, y, heads_first, 4, PARE_NONE);
  if (joined)
    pare_write_reshape (w, pare_write_transpose (w, y, swap_heads, 4, PARE_NONE), rows_first, 3, out);
  else
    pare_write_to (w, "Identity", out, &y, 1);
}

/* [batch, n, heads * each] -> [batch, heads, n, each] */
static PareValueId
split_heads (PareWriter *w, PareValueId x, gint64 batch, gint64 n, gint64 heads, gint64 each)
{
  const gint64 dims[] = { batch, n, heads, each };
  return pare_write_transpose (w, pare_write_reshape (w, x, dims, 4, PARE_NONE), swap_heads, 4, PARE_NONE);
}

/* What is new behind what is past, in the dimension of positions; an output gets it as well. */
static PareValueId
behind_past (PareWriter *w, PareValueId past, PareValueId now, PareValueId output)
{
  const PareValueId parts[2] = { past, now };
  if (past != PARE_NONE)
    return pare_write_concat (w, parts, 2, 2, output);
  if (output != PARE_NONE)
    pare_write_to (w, "Identity", output, &now, 1);
  return now;
}

static gboolean
is_past (const PareWriter *w, const Heads *h, PareValueId past, gint64 depth)
{
  const PareShape *s = pare_writer_shape (w, past);
  return pare_writer_is_float (w, past) && s->rank == 4 && s->dims[0] == h->batch && s->dims[1] == h->shared && s->dims[3] == depth;
}

static gboolean
attention (PareWriter *w, const PareNode *node)
{
  if (!pare_writer_is_float (w, w->in[0]) || !pare_writer_is_float (w, w->in[1]) || !pare_writer_is_float (w, w->in[2]))
    return FALSE;
  const PareShape q = *pare_writer_shape (w, w->in[0]), k = *pare_writer_shape (w, w->in[1]), v = *pare_writer_shape (w, w->in[2]);
  gint64 right = pare_node_get_int (node, "right_window_size", -1), left = pare_node_get_int (node, "left_window_size", -1);
  Heads h = { .cap = pare_node_get_float (node, "softcap", 0),
              .mode = pare_node_get_int (node, "qk_matmul_output_mode", 0),
              .scores = w->out[3],
              .bias = { PARE_NONE, 1, 1, FALSE } };
  gboolean flat = q.rank == 3;
  if (q.rank != k.rank || q.rank != v.rank || (q.rank != 3 && q.rank != 4) || (w->in[4] == PARE_NONE) != (w->in[5] == PARE_NONE)
      || (w->in[6] != PARE_NONE && w->in[4] != PARE_NONE))
    return FALSE;
  h.batch = q.dims[0];
  h.heads = flat ? pare_node_get_int (node, "q_num_heads", 0) : q.dims[1];
  h.shared = flat ? pare_node_get_int (node, "kv_num_heads", 0) : k.dims[1];
  gint64 now = k.dims[flat ? 1 : 2];
  if (h.heads < 1 || h.shared < 1 || h.heads % h.shared != 0 || k.dims[0] != h.batch || v.dims[0] != h.batch || v.dims[flat ? 1 : 2] != now
      || (flat ? q.dims[2] % h.heads != 0 || k.dims[2] % h.shared != 0 || v.dims[2] % h.shared != 0 : v.dims[1] != h.shared))
    return FALSE;
  h.rows = q.dims[flat ? 1 : 2];
  h.depth = flat ? q.dims[2] / h.heads : q.dims[3];
  h.wide = flat ? v.dims[2] / h.shared : v.dims[3];
  if ((flat ? k.dims[2] / h.shared : k.dims[3]) != h.depth || h.depth < 1
      || (w->in[4] != PARE_NONE && (!is_past (w, &h, w->in[4], h.depth) || !is_past (w, &h, w->in[5], h.wide))))
    return FALSE;
  h.past = w->in[4] != PARE_NONE ? pare_writer_shape (w, w->in[4])->dims[2] : 0;
  h.positions = now + h.past;
  h.factor = pare_node_get_float (node, "scale", 1 / sqrtf ((float)h.depth));
  if (w->in[3] != PARE_NONE && !add_mask (w, &h, w->in[3], TRUE))
    return FALSE;
  if (pare_node_get_int (node, "is_causal", 0) != 0)
    right = 0;
  if (w->in[6] != PARE_NONE)
    add_lengths (w, &h, w->in[6], left, right);
  else
    add_window (w, &h, left, right);
  h.q = flat ? split_heads (w, w->in[0], h.batch, h.rows, h.heads, h.depth) : w->in[0];
  h.k = behind_past (w, w->in[4], flat ? split_heads (w, w->in[1], h.batch, now, h.shared, h.depth) : w->in[1], w->out[1]);
  h.v = behind_past (w, w->in[5], flat ? split_heads (w, w->in[2], h.batch, now, h.shared, h.wide) : w->in[2], w->out[2]);
  attend (w, &h, flat, w->out[0]);
  return TRUE;
}

/* --- com.microsoft --- */

/* Their masks: integers, 1 for what is seen, of [batch, positions] or [batch, rows, positions], or the length of each sample. */
static gboolean
add_ms_mask (PareWriter *w, const PareNode *node, Heads *h, PareValueId mask)
{
  static const gint64 heads_and_rows[] = { 1, 2 }, all[] = { 1, 2, 3 };
  PareShape s = *pare_writer_shape (w, mask), across = { .rank = 1, .dims = { h->positions } };
  float hidden = pare_node_get_float (node, "mask_filter_value", -10000);
  PareValueId seen = PARE_NONE;
  gboolean integer = pare_writer_dtype (w, mask) == PARE_DTYPE_INT32 || pare_writer_dtype (w, mask) == i64;
  if (integer && s.rank == 2 && s.dims[1] == 1 && h->positions != 1 && (s.dims[0] == 1 || s.dims[0] == h->batch))
    return TRUE; /* stands for none, whatever it says */
  if (integer && s.rank == 1 && s.dims[0] == 2 * h->batch)
    { /* where each sample ends, and then where each begins */
      PareValueId position = count_up (w, &across), whole = pare_write_cast (w, mask, i64, PARE_NONE);
      PareValueId to = pare_write_unsqueeze (w, pare_write_slice (w, whole, 0, 0, h->batch, 1), all, 3),
                  from = pare_write_unsqueeze (w, pare_write_slice (w, whole, 0, h->batch, 2 * h->batch, 1), all, 3);
      seen = pare_write (w, "And", PARE_DTYPE_BOOL, pare_write (w, "Less", PARE_DTYPE_BOOL, position, to),
                         pare_write (w, "GreaterOrEqual", PARE_DTYPE_BOOL, position, from));
      add_bias (w, h, (Bias){ hide (w, seen, hidden), h->batch, 1, FALSE });
      return TRUE;
    }
  if (s.rank < 1 || s.rank > 3 || s.dims[0] != h->batch || (s.rank > 1 && s.dims[s.rank - 1] != h->positions)
      || (s.rank == 3 && s.dims[1] != h->rows) || !integer)
    return FALSE;
  if (s.rank == 1)
    seen = pare_write (w, "Less", PARE_DTYPE_BOOL, count_up (w, &across),
                       pare_write_unsqueeze (w, pare_write_cast (w, mask, i64, PARE_NONE), all, 3));
  else
    seen = pare_write_unsqueeze (w, pare_write_cast (w, mask, PARE_DTYPE_BOOL, PARE_NONE), heads_and_rows, s.rank == 2 ? 2 : 1);
  add_bias (w, h, (Bias){ hide (w, seen, hidden), h->batch, 1, FALSE });
  return TRUE;
}

/* What both operators add to their scores. */
static gboolean
add_ms_biases (PareWriter *w, const PareNode *node, Heads *h, PareValueId mask, PareValueId added)
{
  if ((mask != PARE_NONE && !add_ms_mask (w, node, h, mask)) || (added != PARE_NONE && !add_mask (w, h, added, FALSE)))
    return FALSE;
  h->bias.hides = FALSE; /* what they compute of a row that sees nothing is what Softmax does */
  add_window (w, h, -1, pare_node_get_int (node, "unidirectional", 0) != 0 ? 0 : -1);
  float scale = pare_node_get_float (node, "scale", 0);
  h->factor = scale != 0 ? scale : 1 / sqrtf ((float)h->depth);
  return TRUE;
}

/* One projection for q, k and v in front of it. */
static gboolean
ms_attention (PareWriter *w, const PareNode *node)
{
  if (!pare_writer_is_float (w, w->in[0]) || !pare_writer_is_float (w, w->in[1]) || w->in[6] != PARE_NONE
      || pare_node_get_int (node, "do_rotary", 0) != 0 || pare_node_get_int (node, "past_present_share_buffer", 0) != 0)
    return FALSE;
  const PareShape x = *pare_writer_shape (w, w->in[0]), weights = *pare_writer_shape (w, w->in[1]);
  guint n = 0;
  const gint64 *sizes = pare_node_get_ints (node, "qkv_hidden_sizes", &n);
  Heads h = { .heads = pare_node_get_int (node, "num_heads", 0), .scores = PARE_NONE, .bias = { PARE_NONE, 1, 1, FALSE } };
  if (x.rank != 3 || weights.rank != 2 || h.heads < 1 || (sizes != NULL && n != 3))
    return FALSE;
  const gint64 third = weights.dims[1] / 3, q = sizes != NULL ? sizes[0] : third, k = sizes != NULL ? sizes[1] : third,
               v = sizes != NULL ? sizes[2] : third;
  if (q != k || q % h.heads != 0 || v % h.heads != 0 || q < 1 || v < 1 || q + k + v != weights.dims[1] || weights.dims[0] != x.dims[2])
    return FALSE;
  h.batch = x.dims[0];
  h.shared = h.heads;
  h.rows = x.dims[1];
  h.depth = q / h.heads;
  h.wide = v / h.heads;
  if (w->in[4] != PARE_NONE)
    {
      const PareShape *s = pare_writer_shape (w, w->in[4]);
      if (!pare_writer_is_float (w, w->in[4]) || s->rank != 5 || s->dims[0] != 2 || s->dims[1] != h.batch || s->dims[2] != h.heads
          || s->dims[4] != h.depth || h.depth != h.wide)
        return FALSE;
      h.past = s->dims[3];
    }
  h.positions = h.rows + h.past;
  if (!add_ms_biases (w, node, &h, w->in[3], w->in[5]))
    return FALSE;
  PareValueId all = pare_write (w, "MatMul", f32, w->in[0], w->in[1]);
  if (w->in[2] != PARE_NONE)
    all = pare_write (w, "Add", f32, all, w->in[2]);
  h.q = split_heads (w, pare_write_slice (w, all, 2, 0, q, 1), h.batch, h.rows, h.heads, h.depth);
  h.k = split_heads (w, pare_write_slice (w, all, 2, q, q + k, 1), h.batch, h.rows, h.heads, h.depth);
  h.v = split_heads (w, pare_write_slice (w, all, 2, q + k, q + k + v, 1), h.batch, h.rows, h.heads, h.wide);
  if (w->in[4] != PARE_NONE)
    {
      h.k = behind_past (w, pare_write_pick (w, w->in[4], 0, 0), h.k, PARE_NONE);
      h.v = behind_past (w, pare_write_pick (w, w->in[4], 0, 1), h.v, PARE_NONE);
    }
  if (w->out[1] != PARE_NONE)
    {
      static const gint64 front[] = { 0 };
      const PareValueId both[2] = { pare_write_unsqueeze (w, h.k, front, 1), pare_write_unsqueeze (w, h.v, front, 1) };
      pare_write_concat (w, both, 2, 0, w->out[1]);
    }
  attend (w, &h, TRUE, w->out[0]);
  return TRUE;
}

/* The part of the bias that is one operand's, added to it. */
static PareValueId
with_bias (PareWriter *w, PareValueId x, PareValueId bias, gint64 from, gint64 n)
{
  return bias == PARE_NONE ? x : pare_write (w, "Add", f32, x, pare_write_slice (w, bias, 0, from, from + n, 1));
}

static gboolean
multi_head (PareWriter *w, const PareNode *node)
{
  Heads h = { .heads = pare_node_get_int (node, "num_heads", 0), .scores = w->out[3], .bias = { PARE_NONE, 1, 1, FALSE } };
  if (!pare_writer_is_float (w, w->in[0]) || h.heads < 1 || w->in[8] != PARE_NONE || w->in[9] != PARE_NONE
      || (w->in[6] == PARE_NONE) != (w->in[7] == PARE_NONE) || (w->in[2] != PARE_NONE && w->in[1] == PARE_NONE)
      || (w->in[1] != PARE_NONE && !pare_writer_is_float (w, w->in[1])) || (w->in[2] != PARE_NONE && !pare_writer_is_float (w, w->in[2])))
    return FALSE;
  const PareShape q = *pare_writer_shape (w, w->in[0]), none = { .rank = -1 };
  const PareShape k = w->in[1] != PARE_NONE ? *pare_writer_shape (w, w->in[1]) : none,
                  v = w->in[2] != PARE_NONE ? *pare_writer_shape (w, w->in[2]) : none;
  gboolean all_packed = w->in[1] == PARE_NONE, packed = !all_packed && w->in[2] == PARE_NONE, split = k.rank == 4;
  gint64 now;
  if (all_packed ? q.rank != 5 || q.dims[2] != h.heads || q.dims[3] != 3 : q.rank != 3 || q.dims[2] % h.heads != 0)
    return FALSE;
  h.batch = q.dims[0];
  h.rows = q.dims[1];
  h.shared = h.heads;
  h.depth = all_packed ? q.dims[4] : q.dims[2] / h.heads;
  if (all_packed)
    now = h.rows;
  else if (packed  ? k.rank != 5 || k.dims[2] != h.heads || k.dims[3] != 2 || k.dims[4] != h.depth
           : split ? v.rank != 4 || k.dims[1] != h.heads || v.dims[1] != h.heads || k.dims[3] != h.depth || v.dims[2] != k.dims[2]
                   : k.rank != 3 || v.rank != 3 || k.dims[2] != h.heads * h.depth || v.dims[2] % h.heads != 0 || v.dims[1] != k.dims[1])
    return FALSE;
  else
    now = k.dims[split ? 2 : 1];
  h.wide = all_packed || packed ? h.depth : split ? v.dims[3] : v.dims[2] / h.heads;
  PareValueId bias = w->in[3];
  gint64 width = h.heads * h.depth, value_width = h.heads * h.wide;
  if ((!all_packed && k.dims[0] != h.batch) || h.depth < 1 || (bias != PARE_NONE && (all_packed || packed))
      || (bias != PARE_NONE
          && (!pare_writer_is_float (w, bias) || pare_shape_count (pare_writer_shape (w, bias)) != 2 * width + value_width))
      || (w->in[6] != PARE_NONE && (!is_past (w, &h, w->in[6], h.depth) || !is_past (w, &h, w->in[7], h.wide))))
    return FALSE;
  h.past = w->in[6] != PARE_NONE ? pare_writer_shape (w, w->in[6])->dims[2] : 0;
  h.positions = now + h.past;
  if (!add_ms_biases (w, node, &h, w->in[4], w->in[5]))
    return FALSE;
  PareValueId keys, values;
  if (all_packed)
    h.q = pare_write_transpose (w, pare_write_pick (w, w->in[0], 3, 0), swap_heads, 4, PARE_NONE);
  else
    h.q = split_heads (w, with_bias (w, w->in[0], bias, 0, width), h.batch, h.rows, h.heads, h.depth);
  if (all_packed || packed)
    {
      PareValueId from = w->in[all_packed ? 0 : 1];
      keys = pare_write_transpose (w, pare_write_pick (w, from, 3, all_packed ? 1 : 0), swap_heads, 4, PARE_NONE);
      values = pare_write_transpose (w, pare_write_pick (w, from, 3, all_packed ? 2 : 1), swap_heads, 4, PARE_NONE);
    }
  else
    {
      keys = split ? w->in[1] : split_heads (w, with_bias (w, w->in[1], bias, width, width), h.batch, now, h.heads, h.depth);
      values = split ? w->in[2] : split_heads (w, with_bias (w, w->in[2], bias, 2 * width, value_width), h.batch, now, h.heads, h.wide);
    }
  h.k = behind_past (w, w->in[6], keys, w->out[1]);
  h.v = behind_past (w, w->in[7], values, w->out[2]);
  attend (w, &h, TRUE, w->out[0]);
  return TRUE;
}

/* --- rotary embeddings --- */

/* The tables' rows are picked by position: what remains has tables of [batch or 1, n, turned / 2]. */
static gboolean
rotary (PareWriter *w, const PareNode *node, gint64 heads, PareValueId positions, PareValueId cos, PareValueId sin)
{
  if (!pare_writer_is_float (w, w->in[0]) || positions == PARE_NONE || cos == PARE_NONE || !pare_writer_is_float (w, cos)
      || sin == PARE_NONE || !pare_writer_is_float (w, sin))
    return FALSE;
  const PareShape x = *pare_writer_shape (w, w->in[0]), table = *pare_writer_shape (w, cos);
  gint64 each = x.rank == 4 ? x.dims[3] : x.rank == 3 && heads >= 1 && x.dims[2] % heads == 0 ? x.dims[2] / heads : -1;
  gint64 turned = pare_node_get_int (node, "rotary_embedding_dim", 0);
  turned = turned > 0 ? turned : each;
  if (each < 0 || turned > each || turned % 2 != 0 || table.rank != 2 || table.dims[1] != turned / 2
      || !pare_shape_equal (&table, pare_writer_shape (w, sin)))
    return FALSE;
  const PareValueId in[3] = { w->in[0], pare_write (w, "Gather", f32, cos, positions), pare_write (w, "Gather", f32, sin, positions) };
  PareNode *made = pare_write_to (w, "RotaryEmbedding", w->out[0], in, 3);
  pare_node_set_int (made, "num_heads", heads);
  pare_node_set_int (made, "interleaved", pare_node_get_int (node, "interleaved", 0));
  return TRUE;
}

static gboolean
rotary_embedding (PareWriter *w, const PareNode *node)
{
  return rotary (w, node, pare_node_get_int (node, "num_heads", 0), w->in[3], w->in[1], w->in[2]);
}

/* Positions come first, and may be one number: that of the first row. */
static gboolean
ms_rotary_embedding (PareWriter *w, const PareNode *node)
{
  PareValueId positions = w->in[1];
  if (positions == PARE_NONE || w->in[2] == PARE_NONE || pare_node_get_int (node, "is_packed_batching", 0) != 0)
    return FALSE;
  const PareShape x = *pare_writer_shape (w, w->in[0]), *table = pare_writer_shape (w, w->in[2]);
  gint64 heads = pare_node_get_int (node, "num_heads", 0);
  if (heads == 0 && x.rank == 3 && table->rank == 2 && table->dims[1] > 0 && pare_node_get_int (node, "rotary_embedding_dim", 0) == 0)
    heads = x.dims[2] / (2 * table->dims[1]);
  if (pare_writer_shape (w, positions)->rank == 1 && pare_shape_count (pare_writer_shape (w, positions)) == 1)
    {
      PareShape row = { .rank = 2, .dims = { 1, x.rank == 3 ? x.dims[1] : x.dims[2] } };
      if (row.dims[1] < 0)
        return FALSE;
      positions = pare_write (w, "Add", i64, count_up (w, &row), positions);
    }
  else if (pare_writer_shape (w, positions)->rank != 2)
    return FALSE;
  return rotary (w, node, heads, positions, w->in[2], w->in[3]);
}

/* The same over codes: they and the weights are laid out as floats. */
static gboolean
q_attention (PareWriter *w, const PareNode *node)
{
  PareValueId in[6] = { PARE_NONE, PARE_NONE, w->in[2], w->in[5], w->in[8], PARE_NONE };
  for (guint i = 0; i < 2; i++)
    {
      PareValueId codes[3] = { w->in[i], w->in[3 + i], w->in[6 + i] };
      if (codes[0] == PARE_NONE || codes[1] == PARE_NONE)
        return FALSE;
      in[i] = pare_graph_add_value (w->graph, "DequantizeLinear", f32, NULL, PARE_NONE);
      pare_write_to (w, "DequantizeLinear", in[i], codes, codes[2] != PARE_NONE ? 3 : 2);
    }
  PareNode *made = pare_write_many (w, "Attention", w->out, MIN (node->n_outputs, 2), in, 6);
  made->domain = PARE_DOMAIN_MS;
  pare_node_add_attrs (made, node, NULL);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_attention[] = {
  { "", "Attention", attention },
  { "", "RotaryEmbedding", rotary_embedding },
  { PARE_DOMAIN_MS, "Attention", ms_attention },
  { PARE_DOMAIN_MS, "QAttention", q_attention },
  { PARE_DOMAIN_MS, "MultiHeadAttention", multi_head },
  { PARE_DOMAIN_MS, "RotaryEmbedding", ms_rotary_embedding },
  { NULL, NULL, NULL },
};
