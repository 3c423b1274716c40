/* The kernels on a bare target: no GLib, one static program. Seeded operands of many shapes through whole plans; floats against sums in
 * double, codes bit for bit against their definition. Every case runs with weights as they lie and packed, on one thread and on three.
 * Prints a line for each case with a hash of its codes (what one machine prints, all must), and "N passed, N failed" last; in the form that
 * test runners read. */
#include "engine/runtime/pare-rt.h"
#include "engine/runtime/kernels/tile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_OF(a) ((int)(sizeof (a) / sizeof *(a)))
#define MOST_OPERANDS 4

static uint32_t state = 1;
static int passed, failed, grown; /* grown: convolutions whose packed weights are transformed */

static int
random_in (int lo, int hi)
{
  state = state * 1664525u + 1013904223u;
  return lo + (int)((state >> 8) % (uint32_t)(hi - lo + 1));
}

typedef struct
{
  char name[96];
  PareRtOp op;
  const void *params;
  size_t params_bytes;
  int n_in;
  PareView in[MOST_OPERANDS]; /* dtype NONE: omitted */
  PareView out;
  double *want;           /* floats; NULL: codes */
  double tolerance, most; /* tolerance: of the largest that is wanted, or of most, the largest before its activation */
  uint8_t *codes;
} Case;

static PareView
tensor (PareDtype dtype, int rank, const int64_t *dims)
{
  PareView v = { .dtype = dtype, .shape = { .rank = rank } };
  for (int i = 0; i < rank; i++)
    v.shape.dims[i] = dims[i];
  int64_t n = pare_shape_count (&v.shape);
  v.data = calloc ((size_t)n * 4 + 64, 1);
  if (!v.data)
    exit (2);
  for (int64_t i = 0; i < n; i++)
    if (dtype == PARE_DTYPE_FLOAT32)
      ((float *)v.data)[i] = (float)random_in (-1000, 1000) / 1000;
    else if (dtype == PARE_DTYPE_INT32)
      ((int32_t *)v.data)[i] = random_in (-3000, 3000);
    else
      ((int8_t *)v.data)[i] = (int8_t)random_in (-127, 127);
  return v;
}

static uint64_t
hash_of (const void *data, size_t bytes)
{
  uint64_t h = UINT64_C (14695981039346656037);
  for (size_t i = 0; i < bytes; i++)
    h = (h ^ ((const uint8_t *)data)[i]) * UINT64_C (1099511628211);
  return h;
}

/* Runs the case's plan; 0 or what is wrong. first: the result of the first way to run it. */
static const char *
run_once (const Case *c, PareRtPlan *plan, bool packed, int threads, void *first, size_t bytes, bool begin)
{
  const char *wrong = pare_rt_plan_check (plan);
  if (wrong)
    return wrong;
  PareRtWeights *weights = packed ? pare_rt_weights_new (plan) : NULL;
  PareRtRunner *runner = pare_rt_runner_new (plan, weights);
  if (!runner)
    return "no memory";
  grown += packed && threads == 1 && c->op == PARE_RT_CONV && pare_rt_weights_bytes (weights) > plan->values[1].bytes * 3 / 2;
  if (threads > 1 && !pare_rt_runner_set_threads (runner, threads))
    wrong = "threads did not start";
  if (!wrong && pare_rt_runner_run (runner, &c->in[0], NULL, NULL, NULL) != PARE_RT_OK)
    wrong = "did not run";
  PareView y = pare_rt_runner_view (runner, plan->outputs[0]);
  if (!wrong && begin)
    memcpy (first, y.data, bytes);
  for (size_t i = 0; !wrong && c->want && i < bytes / 4; i++)
    if (!(fabs ((double)((const float *)y.data)[i] - c->want[i]) <= c->tolerance))
      wrong = "a value is off";
  if (!wrong && !c->want && memcmp (y.data, c->codes, bytes) != 0)
    wrong = "codes differ from their definition";
  if (!wrong && threads > 1 && memcmp (first, y.data, bytes) != 0)
    wrong = "threads change the result";
  pare_rt_runner_free (runner);
  pare_rt_weights_free (weights);
  return wrong;
}

static void
check (Case *c)
{
  PareRtValue values[MOST_OPERANDS + 1] = { 0 };
  PareRtStep step
      = { .op = c->op, .n_in = (uint32_t)c->n_in, .n_out = 1, .params_bytes = (uint32_t)c->params_bytes, .layer = PARE_RT_NONE };
  uint32_t n = 0, input = 0, output;
  uint64_t constants = 0;
  uint8_t *pool = NULL, *memory = NULL, block[512] __attribute__ ((aligned (16))) = { 0 };
  memcpy (block, c->params, c->params_bytes);
  size_t sizes[MOST_OPERANDS];
  for (int i = 0; i < c->n_in; i++)
    {
      sizes[i] = c->in[i].dtype ? (size_t)pare_shape_bytes (&c->in[i].shape, c->in[i].dtype) : 0;
      constants += (sizes[i] + 63) / 64 * 64;
    }
  memory = malloc (constants + 128);
  if (!memory)
    exit (2);
  pool = (uint8_t *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
  uint64_t at = 0;
  for (int i = 0; i < c->n_in; i++)
    {
      step.in[i] = PARE_RT_NONE;
      if (!c->in[i].dtype)
        continue;
      values[n] = (PareRtValue){ .dtype = c->in[i].dtype,
                                 .shape = c->in[i].shape,
                                 .kind = i ? PARE_RT_CONSTANT : PARE_RT_INPUT,
                                 .bytes = sizes[i],
                                 .offset = i ? at : 0,
                                 .source_value = PARE_RT_NONE };
      if (i)
        {
          memcpy (pool + at, c->in[i].data, sizes[i]);
          at += (sizes[i] + 63) / 64 * 64;
        }
      step.in[i] = n++;
    }
  size_t bytes = (size_t)pare_shape_bytes (&c->out.shape, c->out.dtype);
  values[n]
      = (PareRtValue){ .dtype = c->out.dtype, .shape = c->out.shape, .kind = PARE_RT_ARENA, .bytes = bytes, .source_value = PARE_RT_NONE };
  output = step.out[0] = n++;
  PareRtPlan plan = { .n_values = n,
                      .n_steps = 1,
                      .n_inputs = 1,
                      .n_outputs = 1,
                      .values = values,
                      .steps = &step,
                      .inputs = &input,
                      .outputs = &output,
                      .params = block,
                      .params_bytes = sizeof block,
                      .constants = pool,
                      .constants_bytes = constants,
                      .arena_bytes = (bytes + 63) / 64 * 64 };
  void *first = malloc (bytes + 1);
  if (!first)
    exit (2);
  if (c->want)
    {
      double most = fmax (1, c->most);
      for (size_t i = 0; i < bytes / 4; i++)
        most = fmax (most, fabs (c->want[i]));
      c->tolerance = 1e-5 * most;
    }
  const char *wrong = NULL;
  for (int way = 0; way < 8 && !wrong; way++)
    wrong = run_once (c, &plan, way >= 4, 1 + way % 4, first, bytes, way % 4 == 0);
  passed += !wrong;
  failed += wrong != NULL;
  if (wrong)
    printf ("not ok %d - %s: %s\n", passed + failed, c->name, wrong);
  else if (c->want)
    printf ("ok %d - %s\n", passed + failed, c->name);
  else
    printf ("ok %d - %s %016llx\n", passed + failed, c->name, (unsigned long long)hash_of (first, bytes));
  for (int i = 0; i < c->n_in; i++)
    free (c->in[i].data);
  free (c->out.data);
  free (c->want);
  free (c->codes);
  free (first);
  free (memory);
}

static double
activate (const PareConvParams *p, double v)
{
  switch (p->activation)
    {
    case PARE_ACT_CLIP:
      return fmin (fmax (v, p->lo), p->hi);
    case PARE_ACT_LEAKY:
      return v < 0 ? v * p->alpha : v;
    case PARE_ACT_SWISH:
      return v / (1 + exp (-v));
    default:
      return v;
    }
}

static uint8_t
code_of (float v, int zero, int lo, int hi)
{
  v = rintf (v) + (float)zero;
  v = v < (float)lo ? (float)lo : v > (float)hi ? (float)hi : v;
  return (uint8_t)(int)v;
}

/* A convolution of random shape: floats with bias, residual and activation, or codes. kind: 0 any, 1 1x1, 2 depthwise, 3 3x3 of many
 * channels, 4 3x3 with a step of one: by Winograd's algorithm where that pays, 5 few positions of many channels */
static void
convolution (int number, int kind, bool codes)
{
  static PareConvParams p;
  static PareQConvParams q;
  int64_t group = kind == 2 ? random_in (1, 19) : kind < 4 && random_in (0, 3) == 0 ? random_in (1, 3) : 1;
  int64_t cg = kind == 2   ? 1
               : kind == 0 ? random_in (1, 9)
                           : random_in (1, 70),
          mg = kind == 2 ? random_in (1, 2) : random_in (1, kind == 5 ? 90 : 37);
  p = (PareConvParams){ .spatial = 2,
                        .group = (int32_t)group,
                        .activation = (PareActivation[]){ 0, 1, 2, 6 }[random_in (0, 3)],
                        .lo = -0.5f,
                        .hi = 3,
                        .alpha = 0.25f };
  int64_t in[2], out[2];
  for (int i = 0; i < 2; i++)
    for (out[i] = 0; out[i] < 1;)
      {
        p.kernel[i] = kind == 1 ? 1 : kind == 3 || kind == 4 ? 3 : kind == 2 && random_in (0, 3) ? 3 : random_in (1, 5);
        p.stride[i] = kind == 1 || kind == 4 ? 1 : random_in (1, kind == 0 ? 3 : 2);
        p.dilation[i] = kind == 0 ? random_in (1, 2) : 1;
        p.pad_begin[i] = kind == 1 ? 0 : random_in (0, 2);
        p.pad_end[i] = kind == 1 ? 0 : random_in (0, 2);
        in[i] = random_in (1, kind == 5 ? 4 : 40);
        if (i == 1 && kind == 2)
          {
            p.kernel[1] = p.kernel[0];
            p.stride[1] = p.stride[0];
          }
        int64_t room = in[i] + p.pad_begin[i] + p.pad_end[i] - p.dilation[i] * (p.kernel[i] - 1) - 1;
        out[i] = room < 0 ? 0 : room / p.stride[i] + 1;
      }
  int64_t n = random_in (1, 2), c = cg * group, m = mg * group;
  PareDtype type = codes ? PARE_DTYPE_INT8 : PARE_DTYPE_FLOAT32;
  Case t = { .op = codes ? PARE_RT_QCONV : PARE_RT_CONV,
             .n_in = 4,
             .params = codes ? (void *)&q : (void *)&p,
             .params_bytes = codes ? sizeof q : sizeof p };
  t.in[0] = tensor (type, 4, (int64_t[]){ n, c, in[0], in[1] });
  t.in[1] = tensor (type, 4, (int64_t[]){ m, cg, p.kernel[0], p.kernel[1] });
  t.in[2] = tensor (codes ? PARE_DTYPE_INT32 : PARE_DTYPE_FLOAT32, 1, (int64_t[]){ m });
  t.out = tensor (type, 4, (int64_t[]){ n, m, out[0], out[1] });
  if (codes)
    {
      p.activation = PARE_ACT_NONE;
      q = (PareQConvParams){ .conv = p, .zero_x = random_in (-20, 20), .zero_y = random_in (-20, 20), .lo = -128, .hi = 127 };
      t.in[3] = tensor (PARE_DTYPE_FLOAT32, 1, (int64_t[]){ m });
      for (int64_t i = 0; i < m; i++)
        ((float *)t.in[3].data)[i] = 0.0005f + 0.0001f * (float)(i % 17);
    }
  else if (random_in (0, 2) == 0)
    t.in[3] = tensor (PARE_DTYPE_FLOAT32, 4, t.out.shape.dims);
  int64_t outs = out[0] * out[1];
  t.want = codes ? NULL : malloc ((size_t)(n * m * outs) * sizeof (double));
  t.codes = codes ? malloc ((size_t)(n * m * outs)) : NULL;
  for (int64_t i = 0; i < n * m * outs; i++)
    {
      int64_t b = i / outs / m, o = i / outs % m, oy = i / out[1] % out[0], ox = i % out[1], first = o / mg * cg;
      double sum = 0;
      int32_t acc = 0;
      for (int64_t k = 0; k < cg; k++)
        for (int64_t ky = 0; ky < p.kernel[0]; ky++)
          for (int64_t kx = 0; kx < p.kernel[1]; kx++)
            {
              int64_t iy = oy * p.stride[0] - p.pad_begin[0] + ky * p.dilation[0],
                      ix = ox * p.stride[1] - p.pad_begin[1] + kx * p.dilation[1];
              int64_t x = ((b * c + first + k) * in[0] + iy) * in[1] + ix, w = ((o * cg + k) * p.kernel[0] + ky) * p.kernel[1] + kx;
              if (iy < 0 || iy >= in[0] || ix < 0 || ix >= in[1])
                continue;
              if (codes)
                acc += (((int8_t *)t.in[0].data)[x] - q.zero_x) * ((int8_t *)t.in[1].data)[w];
              else
                sum += (double)((float *)t.in[0].data)[x] * ((float *)t.in[1].data)[w];
            }
      if (codes)
        t.codes[i] = code_of (((float)acc + (float)((int32_t *)t.in[2].data)[o]) * ((float *)t.in[3].data)[o], q.zero_y, q.lo, q.hi);
      else
        {
          sum += ((float *)t.in[2].data)[o] + (t.in[3].dtype ? ((float *)t.in[3].data)[i] : 0);
          t.most = fmax (t.most, fabs (sum));
          t.want[i] = activate (&p, sum);
        }
    }
  snprintf (t.name, sizeof t.name, "%s-%d-%d %dx%dx%d->%d k%dx%d s%dx%d g%d", codes ? "qconv" : "conv", kind, number, (int)c, (int)in[0],
            (int)in[1], (int)m, (int)p.kernel[0], (int)p.kernel[1], (int)p.stride[0], (int)p.stride[1], (int)group);
  check (&t);
}

static void
dense (int number, bool codes)
{
  static PareGemmParams p;
  static PareQGemmParams q;
  int64_t m = random_in (1, 20), n = random_in (1, 130), k = random_in (1, number % 5 == 0 ? 600 : 90);
  p = (PareGemmParams){ .trans_b = random_in (0, 1), .alpha = 1, .beta = 1 };
  PareDtype type = codes ? PARE_DTYPE_INT8 : PARE_DTYPE_FLOAT32;
  Case t = { .op = codes ? PARE_RT_QGEMM : PARE_RT_GEMM,
             .n_in = codes ? 4 : 3,
             .params = codes ? (void *)&q : (void *)&p,
             .params_bytes = codes ? sizeof q : sizeof p };
  t.in[0] = tensor (type, 2, (int64_t[]){ m, k });
  t.in[1] = tensor (type, 2, p.trans_b ? (int64_t[]){ n, k } : (int64_t[]){ k, n });
  t.in[2] = tensor (codes ? PARE_DTYPE_INT32 : PARE_DTYPE_FLOAT32, 1, (int64_t[]){ n });
  t.out = tensor (type, 2, (int64_t[]){ m, n });
  if (codes)
    {
      q = (PareQGemmParams){ .gemm = p, .zero_x = random_in (-20, 20), .zero_y = random_in (-20, 20), .lo = -128, .hi = 127 };
      t.in[3] = tensor (PARE_DTYPE_FLOAT32, 1, (int64_t[]){ n });
      for (int64_t i = 0; i < n; i++)
        ((float *)t.in[3].data)[i] = 0.0005f + 0.0001f * (float)(i % 17);
    }
  t.want = codes ? NULL : malloc ((size_t)(m * n) * sizeof (double));
  t.codes = codes ? malloc ((size_t)(m * n)) : NULL;
  for (int64_t i = 0; i < m * n; i++)
    {
      double sum = 0;
      int32_t acc = 0;
      for (int64_t x = 0; x < k; x++)
        {
          int64_t a = i / n * k + x, b = p.trans_b ? i % n * k + x : x * n + i % n;
          if (codes)
            acc += (((int8_t *)t.in[0].data)[a] - q.zero_x) * ((int8_t *)t.in[1].data)[b];
          else
            sum += (double)((float *)t.in[0].data)[a] * ((float *)t.in[1].data)[b];
        }
      if (codes)
        t.codes[i]
            = code_of (((float)acc + (float)((int32_t *)t.in[2].data)[i % n]) * ((float *)t.in[3].data)[i % n], q.zero_y, q.lo, q.hi);
      else
        t.want[i] = sum + ((float *)t.in[2].data)[i % n];
    }
  snprintf (t.name, sizeof t.name, "%s-%d %dx%dx%d%s", codes ? "qgemm" : "gemm", number, (int)m, (int)n, (int)k,
            p.trans_b ? " transposed" : "");
  check (&t);
}

/* Weights of blocks of codes. */
static void
blocks (int number)
{
  static PareBlockGemmParams p;
  const int bits = 2 << number % 3, half = 1 << (bits - 1);
  int64_t m = number % 2 ? 1 : random_in (1, 60), n = random_in (1, 70), k = random_in (1, 400), each = 16 << random_in (0, 4),
          of = (k + each - 1) / each;
  p = (PareBlockGemmParams){ .bits = bits };
  Case t = { .op = PARE_RT_BLOCK_GEMM, .n_in = 4, .params = &p, .params_bytes = sizeof p };
  t.in[0] = tensor (PARE_DTYPE_FLOAT32, 2, (int64_t[]){ m, k });
  t.in[1] = tensor (PARE_DTYPE_UINT8, 3, (int64_t[]){ n, of, each * bits / 8 });
  t.in[2] = tensor (PARE_DTYPE_FLOAT32, 2, (int64_t[]){ n, of });
  t.in[3] = tensor (PARE_DTYPE_FLOAT32, 2, (int64_t[]){ n, of });
  t.out = tensor (PARE_DTYPE_FLOAT32, 2, (int64_t[]){ m, n });
  t.want = malloc ((size_t)(m * n) * sizeof (double));
  for (int64_t i = 0; i < m * n; i++)
    {
      t.want[i] = 0;
      for (int64_t x = 0; x < k; x++)
        {
          int64_t block = i % n * of + x / each, bit = (i % n * of * each + x) * bits;
          int code = ((uint8_t *)t.in[1].data)[bit / 8] >> bit % 8 & ((1 << bits) - 1);
          t.want[i] += (double)((float *)t.in[0].data)[i / n * k + x]
                       * ((code - half) * (double)((float *)t.in[2].data)[block] + (double)((float *)t.in[3].data)[block]);
        }
    }
  snprintf (t.name, sizeof t.name, "blocks-%d %dx%dx%d of %d, %d bits", number, (int)m, (int)n, (int)k, (int)each, bits);
  check (&t);
}

/* One direction of LSTM, GRU (linear before reset) or RNN into t->want, laid out [steps, directions, batch, hidden]. */
static void
recur (const Case *t, const PareRnnParams *p, int direction)
{
  int64_t steps = t->in[0].shape.dims[0], batch = t->in[0].shape.dims[1], inputs = t->in[0].shape.dims[2], n = p->hidden;
  int64_t directions = t->out.shape.dims[1], gates = t->in[1].shape.dims[1] / n;
  const float *x = t->in[0].data, *w = (float *)t->in[1].data + direction * gates * n * inputs;
  const float *r = (float *)t->in[2].data + direction * gates * n * n, *bias = (float *)t->in[3].data + direction * 2 * gates * n;
  double *memory = calloc ((size_t)(n * (3 + 2 * gates)), sizeof (double)), *cell = memory + n, *from = cell + n, *hid = from + gates * n;
  if (!memory)
    exit (2);
  for (int64_t b = 0; b < batch; b++)
    {
      memset (memory, 0, (size_t)(2 * n) * sizeof (double)); /* the state, the cell */
      for (int64_t step = 0; step < steps; step++)
        {
          int64_t at = direction == 1 || p->direction == PARE_RNN_REVERSE ? steps - 1 - step : step;
          for (int64_t j = 0; j < gates * n; j++)
            {
              from[j] = bias[j];
              hid[j] = bias[gates * n + j];
              for (int64_t i = 0; i < inputs; i++)
                from[j] += (double)w[j * inputs + i] * x[(at * batch + b) * inputs + i];
              for (int64_t i = 0; i < n; i++)
                hid[j] += r[j * n + i] * memory[i];
            }
          for (int64_t j = 0; j < n; j++)
            {
              double g[4];
              for (int64_t k = 0; k < gates; k++)
                g[k] = 1 / (1 + exp (-from[k * n + j] - hid[k * n + j]));
              if (gates == 4)
                {
                  cell[j] = g[2] * cell[j] + g[0] * tanh (from[3 * n + j] + hid[3 * n + j]);
                  memory[j] = g[1] * tanh (cell[j]);
                }
              else if (gates == 3)
                memory[j] = (1 - g[0]) * tanh (from[2 * n + j] + g[1] * hid[2 * n + j]) + g[0] * memory[j];
              else
                memory[j] = tanh (from[j] + hid[j]);
              t->want[((at * directions + direction) * batch + b) * n + j] = memory[j];
            }
        }
    }
  free (memory);
}

static void
recurrent (int number)
{
  static const PareRtOp ops[3] = { PARE_RT_LSTM, PARE_RT_GRU, PARE_RT_RNN };
  static const char *const names[3] = { "lstm", "gru", "rnn" };
  int kind = number % 3, gates = kind == 0 ? 4 : kind == 1 ? 3 : 1, each = kind == 0 ? 3 : 2;
  int64_t steps = random_in (1, 9), batch = random_in (1, 3), inputs = random_in (1, 50);
  static PareRnnParams p;
  p = (PareRnnParams){ .direction = (PareRnnDirection)(number % 4 % 3),
                       .hidden = number < 6 ? 150 : random_in (1, 70),
                       .linear_before_reset = 1 };
  for (int i = 0; i < 6; i++)
    p.activation[i] = gates > 1 && i % each == 0 ? PARE_UN_SIGMOID : PARE_UN_TANH;
  int64_t d = p.direction == PARE_RNN_BIDIRECTIONAL ? 2 : 1, n = p.hidden;
  Case t = { .op = ops[kind], .n_in = 4, .params = &p, .params_bytes = sizeof p };
  t.in[0] = tensor (PARE_DTYPE_FLOAT32, 3, (int64_t[]){ steps, batch, inputs });
  t.in[1] = tensor (PARE_DTYPE_FLOAT32, 3, (int64_t[]){ d, gates * n, inputs });
  t.in[2] = tensor (PARE_DTYPE_FLOAT32, 3, (int64_t[]){ d, gates * n, n });
  t.in[3] = tensor (PARE_DTYPE_FLOAT32, 2, (int64_t[]){ d, 2 * gates * n });
  t.out = tensor (PARE_DTYPE_FLOAT32, 4, (int64_t[]){ steps, d, batch, n });
  bool narrow = number % 2;   /* weights of bfloat16, which are packed as such */
  for (int i = 1; i < 3; i++) /* so that states neither saturate nor run away */
    for (int64_t k = 0; k < pare_shape_count (&t.in[i].shape); k++)
      {
        float *at = (float *)t.in[i].data + k;
        uint32_t bits;
        *at *= 1.0f / sqrtf ((float)t.in[i].shape.dims[2]);
        memcpy (&bits, at, sizeof bits);
        bits &= narrow ? 0xffff0000u : 0xffffffffu;
        memcpy (at, &bits, sizeof bits);
      }
  t.want = malloc ((size_t)pare_shape_count (&t.out.shape) * sizeof (double));
  if (!t.want)
    exit (2);
  for (int i = 0; i < d; i++)
    recur (&t, &p, i);
  snprintf (t.name, sizeof t.name, "%s-%d %d steps of %d, %d to %d%s%s", names[kind], number, (int)steps, (int)batch, (int)inputs, (int)n,
            d == 2 ? " both ways" : "", narrow ? ", weights of 16 bits" : "");
  check (&t);
}

static void
pooling (int number, bool max)
{
  static ParePoolParams p;
  p = (ParePoolParams){ .spatial = 2, .count_include_pad = random_in (0, 1) };
  int64_t in[2], out[2], planes = random_in (1, 9);
  for (int i = 0; i < 2; i++)
    for (out[i] = 0; out[i] < 1;)
      {
        p.kernel[i] = random_in (1, 6);
        p.stride[i] = random_in (1, 3);
        p.dilation[i] = 1;
        p.pad_begin[i] = random_in (0, (int)p.kernel[i] - 1);
        p.pad_end[i] = random_in (0, (int)p.kernel[i] - 1);
        in[i] = random_in (1, 40);
        int64_t room = in[i] + p.pad_begin[i] + p.pad_end[i] - p.kernel[i];
        out[i] = room < 0 ? 0 : room / p.stride[i] + 1;
      }
  if (number % 4 == 0) /* whole rows, or everything */
    for (int i = 0; i < 2; i++)
      {
        p.kernel[i] = (int32_t)(i == 0 && number % 8 ? (in[0] + 1) / 2 : in[i]);
        p.stride[i] = p.kernel[i];
        p.pad_begin[i] = p.pad_end[i] = 0;
        out[i] = in[i] / p.kernel[i];
      }
  Case t = { .op = max ? PARE_RT_MAX_POOL : PARE_RT_AVG_POOL, .n_in = 1, .params = &p, .params_bytes = sizeof p };
  t.in[0] = tensor (PARE_DTYPE_FLOAT32, 4, (int64_t[]){ 1, planes, in[0], in[1] });
  t.out = tensor (PARE_DTYPE_FLOAT32, 4, (int64_t[]){ 1, planes, out[0], out[1] });
  int64_t outs = out[0] * out[1];
  t.want = malloc ((size_t)(planes * outs) * sizeof (double));
  for (int64_t i = 0; i < planes * outs; i++)
    {
      double best = -INFINITY, sum = 0;
      int seen = 0;
      for (int64_t ky = 0; ky < p.kernel[0]; ky++)
        for (int64_t kx = 0; kx < p.kernel[1]; kx++)
          {
            int64_t iy = i / out[1] % out[0] * p.stride[0] - p.pad_begin[0] + ky, ix = i % out[1] * p.stride[1] - p.pad_begin[1] + kx;
            if (iy < 0 || iy >= in[0] || ix < 0 || ix >= in[1])
              continue;
            double v = ((float *)t.in[0].data)[(i / outs * in[0] + iy) * in[1] + ix];
            best = v > best ? v : best;
            sum += v;
            seen++;
          }
      t.want[i] = max ? best : sum / (p.count_include_pad ? p.kernel[0] * p.kernel[1] : seen);
    }
  snprintf (t.name, sizeof t.name, "%s-%d %dx%dx%d k%dx%d s%dx%d", max ? "max-pool" : "avg-pool", number, (int)planes, (int)in[0],
            (int)in[1], (int)p.kernel[0], (int)p.kernel[1], (int)p.stride[0], (int)p.stride[1]);
  check (&t);
}

int
main (void)
{
  for (int i = 0; i < 40; i++)
    for (int kind = 0; kind < 4; kind++)
      convolution (i, kind, false);
  for (int i = 0; i < 25; i++)
    for (int kind = 0; kind < 4; kind++)
      convolution (i, kind, true);
  for (int i = 0; i < 60; i++)
    convolution (i, 4, false);
  for (int i = 0; i < 40; i++)
    convolution (i, 5, false);
  for (int i = 0; i < 25; i++)
    {
      dense (i, false);
      dense (i, true);
      pooling (i, true);
      pooling (i, false);
    }
  for (int i = 0; i < 24; i++)
    blocks (i);
  for (int i = 0; i < 24; i++)
    recurrent (i);
  passed += grown >= 10;
  failed += grown < 10;
  printf ("%s %d - convolutions by Winograd's algorithm: %d\n", grown < 10 ? "not ok" : "ok", passed + failed, grown);
  printf ("1..%d\n# float kernels: %s\n# %d passed, %d failed\n", passed + failed, pare_rt_isa ()->name, passed, failed);
  return failed > 0;
}
