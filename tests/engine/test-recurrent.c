/* LSTM, GRU and RNN of sizes that fill no vector, by as many threads as there may be, against a plain computation in double precision; and
 * the rounds in lock step that they run on. */
#include "kernel-call.h"

#include "engine/runtime/kernels/rnn-common.h"
#include "engine/runtime/pare-rt-pool.h"

#include <stdatomic.h>

typedef struct
{
  PareRtOp op;
  int steps, batch, inputs, hidden;
  PareRnnDirection direction;
  gboolean linear, bias, state, peep, unusual; /* unusual: activations of all kinds and a clip */
  gboolean narrow;                             /* weights of bfloat16 */
} Case;

static double
activate (int kind, double x, double clip)
{
  if (clip > 0)
    x = CLAMP (x, -clip, clip);
  return kind == PARE_UN_SIGMOID ? 1 / (1 + exp (-x))
         : kind == PARE_UN_TANH  ? tanh (x)
         : kind == PARE_UN_RELU  ? MAX (x, 0)
                                 : x / (1 + fabs (x));
}

/* x w' and the biases that go with it, as the layer takes them from outside. */
static PareView
projected (const Case *c, const PareView *in, int d)
{
  int gates = c->op == PARE_RT_LSTM ? 4 : c->op == PARE_RT_GRU ? 3 : 1, n = c->hidden, rows = c->steps * c->batch;
  g_autofree char *dims = g_strdup_printf ("%d", d * rows * gates * n + PARE_RT_PROJECTED_MORE);
  PareView v = make (PARE_DTYPE_FLOAT32, dims);
  for (int i = 0; i < d * rows * gates * n; i++)
    {
      int k = i / (rows * gates * n), row = i / (gates * n) % rows, j = i % (gates * n);
      const float *bias = c->bias ? F (in[3]) + k * 2 * gates * n : NULL;
      double sum = bias ? bias[j] : 0;
      if (bias && (gates != 3 || j < 2 * n))
        sum += bias[gates * n + j];
      for (int e = 0; e < c->inputs; e++)
        sum += (double)F (in[1])[(k * gates * n + j) * c->inputs + e] * F (in[0])[row * c->inputs + e];
      F (v)[i] = (float)sum;
    }
  return v;
}

/* y [steps, batch, hidden] of one direction, the last state and cell behind it. */
static void
reference (const Case *c, const PareRnnParams *p, const PareView *in, int d, double *y, double *h, double *cell)
{
  int gates = c->op == PARE_RT_LSTM ? 4 : c->op == PARE_RT_GRU ? 3 : 1, n = c->hidden, each = gates == 4 ? 3 : gates == 3 ? 2 : 1;
  const float *w = F (in[1]) + d * gates * n * c->inputs, *r = F (in[2]) + d * gates * n * n;
  const float *bias = c->bias ? F (in[3]) + d * 2 * gates * n : NULL, *peep = c->peep ? F (in[7]) + d * 3 * n : NULL;
  const int *f = p->activation + d * each;
  gboolean backward = d == 1 || c->direction == PARE_RNN_REVERSE;
  for (int i = 0; i < c->batch * n; i++)
    {
      h[i] = c->state ? F (in[5])[d * c->batch * n + i] : 0;
      cell[i] = c->state && gates == 4 ? F (in[6])[d * c->batch * n + i] : 0;
    }
  g_autofree double *x = g_new (double, gates *n), *s = g_new (double, gates *n);
  for (int step = 0; step < c->steps; step++)
    for (int b = 0; b < c->batch; b++)
      {
        int t = backward ? c->steps - 1 - step : step;
        double *state = h + b * n;
        for (int j = 0; j < gates * n; j++)
          {
            x[j] = bias ? bias[j] : 0;
            s[j] = bias ? bias[gates * n + j] : 0;
            for (int i = 0; i < c->inputs; i++)
              x[j] += (double)w[j * c->inputs + i] * F (in[0])[(t * c->batch + b) * c->inputs + i];
            for (int i = 0; i < n; i++)
              s[j] += r[j * n + i] * state[i];
          }
        if (gates == 3 && !c->linear)
          for (int j = 0; j < n; j++)
            {
              s[2 * n + j] = bias ? bias[5 * n + j] : 0;
              for (int i = 0; i < n; i++)
                s[2 * n + j] += r[(2 * n + j) * n + i] * state[i] * activate (f[0], x[n + i] + s[n + i], p->clip);
            }
        for (int j = 0; j < n; j++)
          if (gates == 4)
            {
              double *k = cell + b * n + j;
              double in_gate = activate (f[0], x[j] + s[j] + (peep ? peep[j] * *k : 0), p->clip);
              double forget = activate (f[0], x[2 * n + j] + s[2 * n + j] + (peep ? peep[2 * n + j] * *k : 0), p->clip);
              *k = forget * *k + in_gate * activate (f[1], x[3 * n + j] + s[3 * n + j], p->clip);
              state[j] = activate (f[0], x[n + j] + s[n + j] + (peep ? peep[n + j] * *k : 0), p->clip) * activate (f[2], *k, 0);
            }
          else if (gates == 3)
            {
              double z = activate (f[0], x[j] + s[j], p->clip), reset = activate (f[0], x[n + j] + s[n + j], p->clip);
              double v = activate (f[1], x[2 * n + j] + (c->linear ? reset : 1) * s[2 * n + j], p->clip);
              state[j] = (1 - z) * v + z * state[j];
            }
          else
            state[j] = activate (f[0], x[j] + s[j], p->clip);
        memcpy (y + (t * c->batch + b) * n, state, n * sizeof *y);
      }
}

static PareView
scaled (const char *dims, int seed, float factor)
{
  PareView v = floats (dims, seed);
  for (gint64 i = 0; i < count_of (&v); i++)
    F (v)[i] *= factor;
  return v;
}

static void
run_case (const Case *c)
{
  gboolean lstm = c->op == PARE_RT_LSTM;
  int d = c->direction == PARE_RNN_BIDIRECTIONAL ? 2 : 1, gates = lstm ? 4 : c->op == PARE_RT_GRU ? 3 : 1, n = c->hidden;
  int each = lstm ? 3 : gates == 3 ? 2 : 1;
  guint n_in = lstm ? 8 : 6, n_out = lstm ? 3 : 2;
  PareRnnParams p = { .direction = c->direction, .hidden = n, .linear_before_reset = c->linear, .clip = c->unusual ? 0.5f : 0 };
  static const PareUnaryKind usual[3] = { PARE_UN_SIGMOID, PARE_UN_TANH, PARE_UN_TANH },
                             others[4] = { PARE_UN_SOFTSIGN, PARE_UN_RELU, PARE_UN_TANH, PARE_UN_SIGMOID };
  for (int i = 0; i < 6; i++)
    p.activation[i] = c->unusual ? others[i % 4] : each == 1 ? PARE_UN_TANH : usual[i % each];
  char dims[8][64];
  g_snprintf (dims[0], 64, "%dx%dx%d", c->steps, c->batch, c->inputs);
  g_snprintf (dims[1], 64, "%dx%dx%d", d, gates * n, c->inputs);
  g_snprintf (dims[2], 64, "%dx%dx%d", d, gates * n, n);
  g_snprintf (dims[3], 64, "%dx%d", d, 2 * gates * n);
  g_snprintf (dims[4], 64, "%dx%dx%dx%d", c->steps, d, c->batch, n);
  g_snprintf (dims[5], 64, "%dx%dx%d", d, c->batch, n);
  g_snprintf (dims[7], 64, "%dx%d", d, 3 * n);
  PareView in[8] = { floats (dims[0], 1),
                     scaled (dims[1], 2, 1 / sqrtf ((float)c->inputs)),
                     scaled (dims[2], 3, 1 / sqrtf ((float)n)),
                     c->bias ? floats (dims[3], 4) : NONE,
                     NONE,
                     c->state ? floats (dims[5], 5) : NONE,
                     c->state && lstm ? floats (dims[5], 6) : NONE,
                     c->peep ? floats (dims[7], 7) : NONE };
  for (int k = 1; c->narrow && k < 3; k++)
    for (gint64 i = 0; i < count_of (&in[k]); i++)
      {
        guint32 bits;
        memcpy (&bits, &F (in[k])[i], 4);
        bits &= 0xffff0000u;
        memcpy (&F (in[k])[i], &bits, 4);
      }
  PareView out[3] = { make (PARE_DTYPE_FLOAT32, dims[4]), make (PARE_DTYPE_FLOAT32, dims[5]), make (PARE_DTYPE_FLOAT32, dims[5]) };
  g_assert_cmpint (try (c->op, &p, sizeof p, in, n_in, out, n_out), ==, PARE_RT_OK);

  gsize count = (gsize)c->steps * c->batch * n, states = (gsize)c->batch * n;
  g_autofree double *y = g_new (double, count), *h = g_new (double, states), *cell = g_new (double, states);
  for (int k = 0; k < d; k++)
    {
      reference (c, &p, in, k, y, h, cell);
      for (gsize i = 0; i < count; i++)
        g_assert_cmpfloat_with_epsilon (F (out[0])[(i / states * d + k) * states + i % states], y[i], 1e-5);
      for (gsize i = 0; i < states; i++)
        {
          g_assert_cmpfloat_with_epsilon (F (out[1])[k * states + i], h[i], 1e-5);
          if (lstm)
            g_assert_cmpfloat_with_epsilon (F (out[2])[k * states + i], cell[i], 2e-5);
        }
    }

  /* the same with packed weights, to the bit by any number of threads */
  PareView again[3] = { make (PARE_DTYPE_FLOAT32, dims[4]), make (PARE_DTYPE_FLOAT32, dims[5]), make (PARE_DTYPE_FLOAT32, dims[5]) };
  guint64 (*pack) (const void *, const PareView *, guint32, const PareView *, guint32, void *) = lstm         ? pare_rt_p_lstm
                                                                                                 : gates == 3 ? pare_rt_p_gru
                                                                                                              : pare_rt_p_rnn;
  guint64 bytes = pack (&p, in, n_in, out, n_out, NULL);
  g_assert_cmpuint (bytes, >, 0);
  g_autofree char *memory = g_malloc (bytes + 2 * GUARD);
  char *packed = (char *)(((guintptr)memory + 63) & ~(guintptr)63);
  memset (packed, 0xA5, memory + bytes + 2 * GUARD - packed);
  g_assert_cmpuint (pack (&p, in, n_in, out, n_out, packed), ==, bytes);
  g_assert_cmphex ((guint8)packed[bytes], ==, 0xA5);
  g_assert_cmpint (pare_rt_rnn_is_narrow (packed), ==, c->narrow);
  for (int threads = 0; threads <= 4; threads++) /* 0: weights as they lie */
    {
      PareRtPool *pool = pare_rt_pool_new (threads == 0 ? 3 : threads), *before = pare_rt_pool_enter (pool);
      in[1].packed = threads == 0 ? NULL : packed;
      for (guint i = 0; i < n_out; i++)
        memset (again[i].data, 0xFF, (gsize)count_of (&again[i]) * sizeof (float));
      g_assert_cmpint (try (c->op, &p, sizeof p, in, n_in, again, n_out), ==, PARE_RT_OK);
      for (guint i = 0; i < n_out; i++)
        {
          if (threads == 1) /* sums of few rows come in another order where weights lie as they are: near, then the same bits again */
            near (&again[i], F (out[i]), count_of (&again[i]), 1e-5f);
          if (threads == 1)
            memcpy (out[i].data, again[i].data, (gsize)count_of (&out[i]) * 4);
          g_assert_cmpmem (again[i].data, (gsize)count_of (&again[i]) * 4, out[i].data, (gsize)count_of (&out[i]) * 4);
        }
      pare_rt_pool_enter (before);
      pare_rt_pool_free (pool);
    }
  PareView given[9] = { in[0], in[1], in[2], in[3], in[4], in[5], lstm ? in[6] : NONE, lstm ? in[7] : NONE, projected (c, in, d) };
  given[0] = make (PARE_DTYPE_FLOAT32, dims[0]); /* nobody reads it */
  memset (given[0].data, 0xFF, (gsize)count_of (&given[0]) * sizeof (float));
  g_assert_cmpint (try (c->op, &p, sizeof p, given, 9, again, n_out), ==, PARE_RT_OK);
  for (guint i = 0; i < n_out; i++)
    near (&again[i], F (out[i]), count_of (&again[i]), 1e-5f);
  given[8].shape.dims[0]--;
  g_assert_cmpint (try (c->op, &p, sizeof p, given, 9, again, n_out), ==, PARE_RT_INVALID);
  PareView last[3] = { NONE, again[1], NONE }; /* what nobody wants is left out */
  g_assert_cmpint (try (c->op, &p, sizeof p, in, n_in, last, n_out), ==, PARE_RT_OK);
  g_assert_cmpmem (again[1].data, (gsize)count_of (&again[1]) * 4, out[1].data, (gsize)count_of (&out[1]) * 4);
}

static void
test_sizes (void)
{
  static const int hidden[] = { 1, 5, 16, 33, 100, 129, 300 };
  static const PareRtOp ops[] = { PARE_RT_LSTM, PARE_RT_GRU, PARE_RT_GRU, PARE_RT_RNN };
  for (gsize k = 0; k < N_OF (ops); k++)
    for (gsize i = 0; i < N_OF (hidden); i++)
      for (int steps = 1; steps <= 3; steps++)
        {
          Case c = { .op = ops[k],
                     .steps = steps == 3 ? 7 : steps,
                     .batch = 1 + (int)(i + steps) % 6,
                     .inputs = 1 + (int)(i * 13 + steps * 5) % 40,
                     .hidden = hidden[i],
                     .direction = (PareRnnDirection)((i + k + steps) % 3),
                     .linear = k == 2,
                     .bias = i % 3 != 0,
                     .state = (i + steps) % 2 == 0,
                     .peep = ops[k] == PARE_RT_LSTM && i % 4 == 1,
                     .unusual = (i + steps) % 5 == 4 };
          run_case (&c);
          c.narrow = TRUE;
          run_case (&c);
          g_ptr_array_set_size (made, 0);
        }
}

/* Large enough that threads share a step, in every direction; a single step, too. */
static void
test_shared (void)
{
  static const PareRtOp ops[] = { PARE_RT_LSTM, PARE_RT_GRU, PARE_RT_GRU, PARE_RT_RNN };
  for (gsize k = 0; k < N_OF (ops); k++)
    for (int direction = 0; direction < 3; direction++)
      for (int steps = 1; steps < 60; steps += 58)
        {
          Case c = { ops[k], steps, 1 + direction, steps == 1 ? 200 : 20, 200, (PareRnnDirection)direction, k == 2, TRUE, TRUE };
          run_case (&c);
          c.narrow = TRUE;
          run_case (&c);
          g_ptr_array_set_size (made, 0);
        }
}

/* --- weights of codes --- */

typedef struct
{
  float scale, zero;
} Grid;

static Grid
grid_of (const float *x, int n)
{
  float least = 0, greatest = 0;
  for (int i = 0; i < n; i++)
    {
      least = MIN (least, x[i]);
      greatest = MAX (greatest, x[i]);
    }
  float scale = greatest > least ? (greatest - least) / 255 : 1;
  return (Grid){ scale, CLAMP (rintf (-least / scale), 0, 255) };
}

/* The product of a row of codes with x, which is laid on a grid. */
static double
times_codes (const PareView *w, const PareView *scale, int row, const float *x, Grid grid)
{
  int n = (int)w->shape.dims[2];
  gint64 sum = 0;
  for (int i = 0; i < n; i++)
    {
      int code = w->dtype == PARE_DTYPE_INT8 ? ((gint8 *)w->data)[row * n + i] : ((gint16 *)w->data)[row * n + i];
      sum += (gint64)(CLAMP (rintf (x[i] / grid.scale), -grid.zero, 255 - grid.zero)) * code;
    }
  return (double)sum * grid.scale * F (*scale)[row];
}

static PareView
codes (PareDtype dtype, const char *dims, int seed)
{
  PareView v = make (dtype, dims);
  for (gint64 i = 0; i < count_of (&v); i++)
    if (dtype == PARE_DTYPE_INT8)
      ((gint8 *)v.data)[i] = (gint8)(seeded (i, seed) * 127);
    else
      ((gint16 *)v.data)[i] = (gint16)(seeded (i, seed) * 200 + 50);
  return v;
}

/* Each step from the states that the layer itself gave before: a code that falls to the other side of a half is no difference then. */
static void
compare_codes (const PareView *in, const PareView *out, int steps, int batch, int inputs, int n, int directions)
{
  g_autofree double *cell = g_new (double, batch *n);
  g_autofree float *state = g_new (float, batch *n);
  Grid of_x = grid_of (F (in[0]), steps * batch * inputs);
  for (int d = 0; d < directions; d++)
    {
      for (int i = 0; i < batch * n; i++)
        {
          state[i] = F (in[5])[d * batch * n + i];
          cell[i] = F (in[6])[d * batch * n + i];
        }
      for (int step = 0; step < steps; step++)
        {
          int t = d == 1 ? steps - 1 - step : step;
          const float *y = F (out[0]) + (t * directions + d) * batch * n;
          Grid of_state = grid_of (state, batch * n);
          for (int i = 0; i < batch * n; i++)
            {
              double g[4];
              for (int k = 0; k < 4; k++)
                {
                  int row = (d * 4 + k) * n + i % n, bias = d * 8 * n + k * n + i % n;
                  g[k] = times_codes (&in[1], &in[9], row, F (in[0]) + (t * batch + i / n) * inputs, of_x)
                         + times_codes (&in[2], &in[10], row, state + i / n * n, of_state) + F (in[3])[bias] + F (in[3])[bias + 4 * n];
                }
              cell[i] = cell[i] / (1 + exp (-g[2])) + tanh (g[3]) / (1 + exp (-g[0]));
              g_assert_cmpfloat_with_epsilon (y[i], tanh (cell[i]) / (1 + exp (-g[1])), 2e-5);
            }
          memcpy (state, y, (gsize)(batch * n) * sizeof *state);
        }
      for (int i = 0; i < batch * n; i++)
        {
          g_assert_cmpfloat (F (out[1])[d * batch * n + i], ==, state[i]);
          g_assert_cmpfloat_with_epsilon (F (out[2])[d * batch * n + i], cell[i], 5e-5);
        }
    }
}

static void
run_codes (PareDtype dtype, int steps, int batch, int inputs, int n, int d)
{
  char dims[7][64];
  g_snprintf (dims[0], 64, "%dx%dx%d", steps, batch, inputs);
  g_snprintf (dims[1], 64, "%dx%dx%d", d, 4 * n, inputs);
  g_snprintf (dims[2], 64, "%dx%dx%d", d, 4 * n, n);
  g_snprintf (dims[3], 64, "%dx%d", d, 8 * n);
  g_snprintf (dims[4], 64, "%dx%dx%dx%d", steps, d, batch, n);
  g_snprintf (dims[5], 64, "%dx%dx%d", d, batch, n);
  g_snprintf (dims[6], 64, "%dx%d", d, 4 * n);
  PareRnnParams p = { .direction = d == 2 ? PARE_RNN_BIDIRECTIONAL : PARE_RNN_FORWARD, .hidden = n };
  for (int i = 0; i < 6; i++)
    p.activation[i] = i % 3 == 0 ? PARE_UN_SIGMOID : PARE_UN_TANH;
  PareView in[11] = { floats (dims[0], 1),
                      codes (dtype, dims[1], 2),
                      codes (PARE_DTYPE_INT8, dims[2], 3),
                      floats (dims[3], 4),
                      NONE,
                      floats (dims[5], 5),
                      floats (dims[5], 6),
                      NONE,
                      NONE,
                      floats (dims[6], 7),
                      floats (dims[6], 8) };
  for (int i = 0; i < d * 4 * n; i++)
    {
      F (in[9])[i] *= 0.02f / sqrtf ((float)inputs);
      F (in[10])[i] *= 0.02f / sqrtf ((float)n);
    }
  PareView out[3] = { make (PARE_DTYPE_FLOAT32, dims[4]), make (PARE_DTYPE_FLOAT32, dims[5]), make (PARE_DTYPE_FLOAT32, dims[5]) },
           again[3] = { make (PARE_DTYPE_FLOAT32, dims[4]), make (PARE_DTYPE_FLOAT32, dims[5]), make (PARE_DTYPE_FLOAT32, dims[5]) };
  g_assert_cmpint (try (PARE_RT_LSTM, &p, sizeof p, in, 11, out, 3), ==, PARE_RT_OK);
  compare_codes (in, out, steps, batch, inputs, n, d);
  const PareIntIsa *isa;
  for (int set = 0; (isa = pare_rt_int_isa_at (set)); set++) /* the same bits by every set, however many threads there are */
    {
      g_assert_true (pare_rt_int_limit (isa->name));
      guint64 bytes = pare_rt_p_lstm (&p, in, 11, out, 3, NULL);
      g_autofree char *memory = g_malloc (bytes + 2 * GUARD);
      char *packed = (char *)(((guintptr)memory + 63) & ~(guintptr)63);
      memset (packed, 0xA5, memory + bytes + 2 * GUARD - packed);
      g_assert_cmpuint (pare_rt_p_lstm (&p, in, 11, out, 3, packed), ==, bytes);
      g_assert_cmphex ((guint8)packed[bytes], ==, 0xA5);
      for (int threads = 0; threads <= 3; threads++) /* 0: weights as they lie */
        {
          PareRtPool *pool = pare_rt_pool_new (threads == 0 ? 3 : threads), *before = pare_rt_pool_enter (pool);
          in[1].packed = threads == 0 ? NULL : packed;
          g_assert_cmpint (try (PARE_RT_LSTM, &p, sizeof p, in, 11, again, 3), ==, PARE_RT_OK);
          for (guint i = 0; i < 3; i++)
            g_assert_cmpmem (again[i].data, (gsize)count_of (&again[i]) * 4, out[i].data, (gsize)count_of (&out[i]) * 4);
          pare_rt_pool_enter (before);
          pare_rt_pool_free (pool);
        }
      in[1].packed = NULL;
    }
  pare_rt_int_limit (NULL);
  in[10].shape.dims[1]--; /* a row without a scale */
  g_assert_cmpint (try (PARE_RT_LSTM, &p, sizeof p, in, 11, again, 3), ==, PARE_RT_INVALID);
  g_assert_cmpint (try (PARE_RT_LSTM, &p, sizeof p, in, 8, again, 3), ==, PARE_RT_INVALID);
}

/* Weights of codes, among them some of 9 bits, with whole and broken blocks and as much work as threads share. */
static void
test_codes (void)
{
  static const int hidden[] = { 1, 33, 64, 130, 300 };
  for (gsize i = 0; i < N_OF (hidden); i++)
    for (int batch = 1; batch <= 6; batch += 5)
      {
        run_codes (i % 2 ? PARE_DTYPE_INT16 : PARE_DTYPE_INT8, i == 0 ? 1 : 5, batch, 1 + (int)i * 17, hidden[i], 1 + (batch + (int)i) % 2);
        g_ptr_array_set_size (made, 0);
      }
  run_codes (PARE_DTYPE_INT8, 40, 1, 90, 200, 2);
}

/* --- rounds --- */

#define ROUNDS 300
typedef struct
{
  int parts;
  _Atomic int times[2][ROUNDS][4];
  _Atomic int done[2]; /* parts of all rounds */
  int slow;            /* a worker that is late now and then; -1: nobody */
} Rounds;

static void
one_part (int64_t round, int team, int part, int parts, int worker, void *arg)
{
  Rounds *r = arg;
  g_assert_cmpint (parts, ==, r->parts);
  /* all of the rounds before are done */
  g_assert_cmpint (atomic_load (&r->done[team]), >=, round * parts);
  g_assert_cmpint (atomic_load (&r->done[team]), <, (round + 1) * parts);
  if (worker == r->slow && round % 50 == 7)
    g_usleep (200);
  atomic_fetch_add (&r->times[team][round][part], 1);
  atomic_fetch_add (&r->done[team], 1);
}

static void
test_rounds (void)
{
  for (int threads = 1; threads <= 4; threads++)
    for (int teams = 1; teams <= 2; teams++)
      for (int parts = 1; parts <= 4; parts++)
        for (int slow = -1; slow < 2; slow++)
          {
            PareRtPool *pool = pare_rt_pool_new (threads), *before = pare_rt_pool_enter (pool);
            Rounds *r = g_new0 (Rounds, 1);
            r->parts = parts;
            r->slow = slow;
            pare_rt_rounds (ROUNDS, teams, parts, one_part, NULL, r);
            for (int team = 0; team < teams; team++)
              for (int round = 0; round < ROUNDS; round++)
                for (int part = 0; part < parts; part++)
                  g_assert_cmpint (r->times[team][round][part], ==, 1);
            g_free (r);
            pare_rt_pool_enter (before);
            pare_rt_pool_free (pool);
          }
}

/* Threads that somebody else keeps may do the tasks one after another. */
static void
one_by_one (int threads, int64_t n, void (*func) (int64_t task, int worker, void *arg), void *arg)
{
  for (int64_t i = n - 1; i >= 0; i--)
    func (i, threads - 1, arg);
}

static void
test_rounds_alone (void)
{
  PareRtPool *pool = pare_rt_pool_new_over (3, one_by_one), *before = pare_rt_pool_enter (pool);
  Rounds *r = g_new0 (Rounds, 1);
  r->parts = 3;
  r->slow = -1;
  pare_rt_rounds (ROUNDS, 1, 3, one_part, NULL, r);
  g_assert_cmpint (r->done[0], ==, 3 * ROUNDS);
  g_free (r);
  pare_rt_pool_enter (before);
  pare_rt_pool_free (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/recurrent/sizes", test_sizes);
  ADD ("/recurrent/shared", test_shared);
  ADD ("/recurrent/codes", test_codes);
  g_test_add_func ("/recurrent/rounds", test_rounds);
  g_test_add_func ("/recurrent/rounds-alone", test_rounds_alone);
  return g_test_run ();
}
