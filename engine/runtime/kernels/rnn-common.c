/* What LSTM, GRU and RNN share. */
#include "engine/runtime/kernels/rnn-common.h"

static bool
is_shape (const PareView *v, int64_t a, int64_t b, int64_t c)
{
  const int64_t *d = v->shape.dims;
  if (!is_f32 (v))
    return false;
  return c >= 0 ? v->shape.rank == 3 && d[0] == a && d[1] == b && d[2] == c : v->shape.rank == 2 && d[0] == a && d[1] == b;
}

PareRtStatus
pare_rt_rnn_check (PareRtRnn *s, const PareRnnParams *p, int gates, bool cell, const PareView *in, uint32_t n_in, const PareView *out,
                   uint32_t n_out)
{
  REQUIRE (p && n_in >= 3 && n_in <= (cell ? 8 : 6) && n_out >= 1 && n_out <= (cell ? 3 : 2));
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&in[2]) && !given (in, n_in, 4));
  REQUIRE (in[0].shape.rank == 3 && p->hidden >= 1 && (unsigned)p->direction <= PARE_RNN_BIDIRECTIONAL);
  int64_t d = p->direction == PARE_RNN_BIDIRECTIONAL ? 2 : 1, h = p->hidden, gh = gates * h;
  *s = (PareRtRnn){ .p = p,
                    .steps = in[0].shape.dims[0],
                    .batch = in[0].shape.dims[1],
                    .inputs = in[0].shape.dims[2],
                    .hidden = h,
                    .gates = gates,
                    .directions = d };
  REQUIRE (is_shape (&in[1], d, gh, s->inputs) && is_shape (&in[2], d, gh, h));
  REQUIRE (!given (in, n_in, 3) || is_shape (&in[3], d, 2 * gh, -1));
  REQUIRE (!given (in, n_in, 5) || is_shape (&in[5], d, s->batch, h));
  REQUIRE (!given (in, n_in, 6) || is_shape (&in[6], d, s->batch, h));
  REQUIRE (!given (in, n_in, 7) || is_shape (&in[7], d, 3 * h, -1));
  if (out[0].dtype != PARE_DTYPE_NONE)
    REQUIRE (is_f32 (&out[0]) && out[0].shape.rank == 4 && out[0].shape.dims[0] == s->steps && out[0].shape.dims[1] == d
             && out[0].shape.dims[2] == s->batch && out[0].shape.dims[3] == h);
  for (uint32_t i = 1; i < n_out; i++)
    REQUIRE (out[i].dtype == PARE_DTYPE_NONE || is_shape (&out[i], d, s->batch, h));
  REQUIRE (pare_rt_rnn_scratch (s) != UINT64_MAX);
  return PARE_RT_OK;
}

uint64_t
pare_rt_rnn_scratch (const PareRtRnn *s)
{
  int64_t wide = s->gates * s->hidden, rows, floats;
  /* every step's product with w, then one step's with r, the state and the cell */
  if (__builtin_add_overflow (s->steps, 3, &rows) || __builtin_mul_overflow (rows, s->batch, &rows)
      || __builtin_mul_overflow (rows, wide, &floats) || floats > INT64_MAX / 8)
    return UINT64_MAX;
  return PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers () + (uint64_t)floats * sizeof (float);
}

/* xw = x w' + the bias of w, and of the first `merge` gates also that of r */
static void
project (PareRtRnn *s, const float *x, const PareRtRnnSide *side, int merge)
{
  int64_t wide = s->gates * s->hidden, rows = s->steps * s->batch;
  pare_rt_sgemm (rows, wide, s->inputs, x, s->inputs, side->w, 1, s->inputs, s->xw, wide, s->packing);
  if (side->bias)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < wide; j++)
        s->xw[i * wide + j] += side->bias[j] + (j < merge * s->hidden ? side->bias[wide + j] : 0);
}

static const float *
part (const PareView *in, uint32_t n_in, uint32_t i, int64_t at)
{
  return given (in, n_in, i) ? (const float *)in[i].data + at : NULL;
}

static void
set_state (float *to, const float *from, int64_t n)
{
  if (from)
    memcpy (to, from, n * sizeof (float));
  else
    memset (to, 0, n * sizeof (float));
}

void
pare_rt_rnn_run (PareRtRnn *s, const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, int merge_bias, bool cell, void *scratch,
                 PareRtRnnStep step)
{
  int64_t h = s->hidden, wide = s->gates * h, state = s->batch * h;
  s->packing = scratch;
  s->xw = (float *)((char *)scratch + PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers ());
  s->hr = s->xw + s->steps * s->batch * wide;
  s->h = s->hr + s->batch * wide;
  s->c = s->h + state;
  for (int64_t d = 0; d < s->directions; d++)
    {
      bool backward = d == 1 || s->p->direction == PARE_RNN_REVERSE;
      PareRtRnnSide side = { part (in, n_in, 1, d * wide * s->inputs), part (in, n_in, 2, d * wide * h), part (in, n_in, 3, d * 2 * wide),
                             part (in, n_in, 7, d * 3 * h), (int)d };
      project (s, in[0].data, &side, merge_bias);
      set_state (s->h, part (in, n_in, 5, d * state), state);
      set_state (s->c, cell ? part (in, n_in, 6, d * state) : NULL, state);
      for (int64_t i = 0; i < s->steps; i++)
        {
          int64_t t = backward ? s->steps - 1 - i : i;
          step (s, &side, s->xw + t * s->batch * wide);
          if (out[0].dtype != PARE_DTYPE_NONE)
            memcpy ((float *)out[0].data + (t * s->directions + d) * state, s->h, state * sizeof (float));
        }
      for (uint32_t i = 1; i < n_out; i++)
        if (out[i].dtype != PARE_DTYPE_NONE)
          memcpy ((float *)out[i].data + d * state, i == 1 ? s->h : s->c, state * sizeof (float));
    }
}

typedef float Wide __attribute__ ((vector_size (64), aligned (4)));
#define WIDE 16

typedef float Quarter __attribute__ ((vector_size (16)));

static inline __attribute__ ((always_inline)) float
add_up (Wide v)
{
  Quarter q[4];
  memcpy (q, &v, sizeof q);
  q[0] = (q[0] + q[2]) + (q[1] + q[3]);
  return (q[0][0] + q[0][2]) + (q[0][1] + q[0][3]);
}

/* to [rows] = r x, r [rows, n]: for one sequence r is read once and no product of matrices pays for bringing it into another order. A sum
 * has 16 parts on every processor. */
PARE_RT_CLONES static void
times_vector (int64_t rows, int64_t n, const float *r, const float *x, float *to)
{
  int64_t whole = n / WIDE * WIDE, j = 0;
  for (; j + 4 <= rows; j += 4, r += 4 * n)
    {
      Wide a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
      for (int64_t i = 0; i < whole; i += WIDE)
        {
          Wide v = *(const Wide *)(x + i);
          a += *(const Wide *)(r + i) * v;
          b += *(const Wide *)(r + n + i) * v;
          c += *(const Wide *)(r + 2 * n + i) * v;
          d += *(const Wide *)(r + 3 * n + i) * v;
        }
      float sum[4] = { add_up (a), add_up (b), add_up (c), add_up (d) };
      for (int k = 0; k < 4; k++)
        for (int64_t i = whole; i < n; i++)
          sum[k] += r[k * n + i] * x[i];
      memcpy (to + j, sum, sizeof sum);
    }
  for (; j < rows; j++, r += n)
    {
      Wide a = { 0 };
      for (int64_t i = 0; i < whole; i += WIDE)
        a += *(const Wide *)(r + i) * *(const Wide *)(x + i);
      float sum = add_up (a);
      for (int64_t i = whole; i < n; i++)
        sum += r[i] * x[i];
      to[j] = sum;
    }
}

void
pare_rt_rnn_recur (const PareRtRnn *s, const float *from, const float *r, int64_t cols, float *to)
{
  if (s->batch == 1)
    times_vector (cols, s->hidden, r, from, to);
  else
    pare_rt_sgemm (s->batch, cols, s->hidden, from, s->hidden, r, 1, s->hidden, to, cols, s->packing);
}

PARE_RT_CLONES static void
run (int kind, float alpha, float beta, float *v, int64_t n)
{
  if (kind == PARE_UN_SIGMOID)
    for (int64_t i = 0; i < n; i++)
      v[i] = sigmoid_f32 (v[i]);
  else if (kind == PARE_UN_TANH)
    for (int64_t i = 0; i < n; i++)
      v[i] = tanh_f32 (v[i]);
  else
    for (int64_t i = 0; i < n; i++)
      v[i] = pare_rt_unary_f32 (kind, v[i], alpha, beta);
}

void
pare_rt_rnn_activate (const PareRnnParams *p, int which, bool clip, float *v, int64_t n)
{
  for (int64_t i = 0; clip && p->clip > 0 && i < n; i++)
    v[i] = clip_f32 (v[i], -p->clip, p->clip);
  run (p->activation[which], p->alpha[which], p->beta[which], v, n);
}
