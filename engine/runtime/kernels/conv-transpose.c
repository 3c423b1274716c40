/* ConvTranspose: x [N,C,spatial], w [C,M/g,k], b [M] or none, residual like y or none; y [N,M,out].
 * Some channels of y at a time, as many as stay in a second-level cache: columns [channels * k, positions] = w' x by the matrix kernel,
 * then each row of y is put together from those that meet it. Positions of a row that lie a stride apart are a phase: columns are added to
 * phases as they lie, and a row's phases are interleaved once they are complete. (The output's extents are the plan's, output_padding is in
 * them.) */
#include "engine/runtime/kernels/conv.h"

#define BLOCK_FLOATS 262144 /* of columns */
#define LEAST_ROWS 32       /* of a product, which lays x out anew */
#define ROW_WORK 16384      /* additions of a task that are worth waking somebody */

typedef struct
{
  const PareConvParams *p;
  ConvGeometry g;
  int64_t cg, mg, kernel, positions, outs; /* of a group; kernel: its taps */
  int64_t block;                           /* channels of y at a time */
  int64_t phase;                           /* floats of one */
  const float *wt;                         /* [M * kernel, C / g]; NULL: x itself is the columns, times the weights (one channel a group) */
  const float *columns, *x, *w, *b, *residual;
  float *y, *phases;
  int64_t first, channels; /* of y that the columns are for */
} Job;

static int64_t
round_up (int64_t n)
{
  return (n + 15) / 16 * 16;
}

/* FALSE: the operands do not fit, or are too large for numbers. */
static bool
begin (Job *j, const PareConvParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  int64_t rows, floats;
  *j = (Job){ .p = p };
  if (!p || n_in < 2 || n_out != 1 || !pare_rt_conv_geometry (p, &in[0], &in[1], &out[0], &j->g))
    return false;
  const ConvGeometry *g = &j->g;
  j->cg = g->c / g->group;
  j->mg = g->m / g->group;
  j->kernel = g->k[0] * g->k[1] * g->k[2];
  j->positions = g->in[0] * g->in[1] * g->in[2];
  j->outs = g->out[0] * g->out[1] * g->out[2];
  if (in[1].shape.dims[0] != g->c || in[1].shape.dims[1] != j->mg)
    return false;
  int64_t each = j->kernel * j->positions > 0 ? BLOCK_FLOATS / (j->kernel * j->positions) : 1,
          least = (LEAST_ROWS + j->kernel - 1) / j->kernel;
  j->block = each > least ? each : least;
  j->block = j->block < j->mg ? j->block : j->mg;
  j->phase = round_up (g->out[2] / g->stride[2] + 1);
  return !__builtin_mul_overflow (j->block * j->kernel, j->positions, &floats) && !__builtin_mul_overflow (g->m * j->kernel, j->cg, &rows)
         && !__builtin_mul_overflow (j->phase, g->stride[2], &rows) && floats < INT64_MAX / 64 && rows < INT64_MAX / 4096;
}

static void
turn_weights (const Job *j, const float *w, float *wt)
{
  int64_t rows = j->mg * j->kernel;
  for (int64_t gi = 0; gi < j->g.group; gi++, w += j->cg * rows, wt += j->cg * rows)
    for (int64_t c = 0; c < j->cg; c++)
      for (int64_t r = 0; r < rows; r++)
        wt[r * j->cg + c] = w[c * rows + r];
}

PARE_RT_CLONES static void
add (float *y, const float *x, int64_t n)
{
  PARE_RT_IVDEP
  for (int64_t i = 0; i < n; i++)
    y[i] += x[i];
}

PARE_RT_CLONES static void
add_times (float *y, const float *x, float factor, int64_t n)
{
  PARE_RT_IVDEP
  for (int64_t i = 0; i < n; i++)
    y[i] += x[i] * factor;
}

PARE_RT_CLONES static void
interleave (float *restrict y, const float *restrict phases, int64_t apart, int64_t stride, int64_t n)
{
  int64_t whole = n / stride;
  if (stride == 2)
    for (int64_t i = 0; i < whole; i++)
      {
        y[2 * i] = phases[i];
        y[2 * i + 1] = phases[apart + i];
      }
  else
    for (int64_t i = 0; i < whole; i++)
      for (int64_t r = 0; r < stride; r++)
        y[i * stride + r] = phases[r * apart + i];
  for (int64_t r = 0; r < n - whole * stride; r++)
    y[whole * stride + r] = phases[r * apart + whole];
}

/* Where output position o of an axis meets a tap: the input position, or -1. */
static int64_t
meets (const ConvGeometry *g, int axis, int64_t o, int64_t tap)
{
  int64_t at = o + g->pad[axis] - tap * g->dil[axis];
  return at < 0 || at % g->stride[axis] || at / g->stride[axis] >= g->in[axis] ? -1 : at / g->stride[axis];
}

/* Adds one row of columns, of tap kx, to the phase that it belongs to. */
static void
add_row (const Job *j, float *phases, const float *row, float factor, int64_t kx)
{
  const ConvGeometry *g = &j->g;
  int64_t stride = g->stride[2], at = kx * g->dil[2] - g->pad[2], r = (at % stride + stride) % stride, q = (at - r) / stride;
  int64_t from = q < 0 ? -q : 0, room = (g->out[2] - r + stride - 1) / stride - q, n = (g->in[2] < room ? g->in[2] : room) - from;
  float *to = phases + r * j->phase + q + from;
  if (n <= 0)
    return;
  if (j->wt)
    add (to, row + from, n);
  else
    add_times (to, row + from, factor, n);
}

/* A channel of y, counted from those of the columns; of depthwise layers from the first of all. */
static void
channel_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  const ConvGeometry *g = &j->g;
  int64_t stride = g->stride[2], wide = g->out[2], m = (j->first + task) % g->m;
  float *phases = j->phases + worker * stride * j->phase, *y = j->y + (j->first + task) * j->outs;
  const float *columns = j->wt ? j->columns + task * j->kernel * j->positions : j->x + (j->first + task) / j->mg * j->positions;
  for (int64_t o = 0; o < g->out[0] * g->out[1]; o++)
    {
      float *row = y + o * wide;
      memset (phases, 0, (size_t)(stride * j->phase) * sizeof (float));
      for (int64_t kz = 0; kz < g->k[0]; kz++)
        for (int64_t ky = 0; ky < g->k[1]; ky++)
          {
            int64_t iz = meets (g, 0, o / g->out[1], kz), iy = meets (g, 1, o % g->out[1], ky), tap = (kz * g->k[1] + ky) * g->k[2];
            for (int64_t kx = 0; iz >= 0 && iy >= 0 && kx < g->k[2]; kx++, tap++)
              add_row (j, phases, columns + (j->wt ? tap * j->positions : 0) + (iz * g->in[1] + iy) * g->in[2],
                       j->wt ? 1 : j->w[m * j->kernel + tap], kx);
          }
      if (stride == 1)
        memcpy (row, phases, (size_t)wide * sizeof (float));
      else
        interleave (row, phases, j->phase, stride, wide);
      pare_rt_conv_epilogue (row, j->residual ? j->residual + (row - j->y) : NULL, wide, j->b ? j->b[m] : 0, j->p);
    }
}

KERNEL (pare_rt_k_conv_transpose)
{
  Job j;
  REQUIRE (params && n_in >= 2 && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]));
  REQUIRE (begin (&j, params, in, n_in, out, n_out));
  REQUIRE (!given (in, n_in, 2) || (is_f32 (&in[2]) && count_of (&in[2]) == j.g.m));
  REQUIRE (!given (in, n_in, 3) || (is_f32 (&in[3]) && same_shape (&in[3], &out[0])));
  CHECKED;
  if (count_of (&out[0]) == 0)
    return PARE_RT_OK;
  j.x = in[0].data;
  j.w = in[1].data;
  j.b = given (in, n_in, 2) ? in[2].data : NULL;
  j.residual = given (in, n_in, 3) ? in[3].data : NULL;
  j.y = out[0].data;
  j.phases = (float *)(void *)((char *)scratch + pare_rt_workers () * PARE_RT_GEMM_SCRATCH);
  double work = (double)j.kernel * (double)j.positions + (double)j.outs;
  if (j.cg == 1)
    {
      pare_rt_parallel_if (work * (double)(j.g.n * j.g.m) > 2 * ROW_WORK, j.g.n * j.g.m, channel_task, &j);
      return PARE_RT_OK;
    }
  float *columns = j.phases + round_up (j.g.stride[2] * j.phase * pare_rt_workers ()),
        *turned = columns + round_up (j.block * j.kernel * j.positions);
  j.columns = columns;
  j.wt = in[1].packed;
  if (!j.wt)
    {
      turn_weights (&j, j.w, turned);
      j.wt = turned;
    }
  for (int64_t n = 0; n < j.g.n; n++)
    for (int64_t gi = 0; gi < j.g.group; gi++)
      for (int64_t m = 0; m < j.mg; m += j.block)
        {
          j.channels = j.mg - m < j.block ? j.mg - m : j.block;
          j.first = n * j.g.m + gi * j.mg + m;
          pare_rt_sgemm (j.channels * j.kernel, j.positions, j.cg, j.wt + (gi * j.mg + m) * j.kernel * j.cg, j.cg,
                         j.x + (n * j.g.c + gi * j.cg) * j.positions, j.positions, 1, columns, j.positions, scratch);
          pare_rt_parallel_if (work * (double)j.channels > 2 * ROW_WORK, j.channels, channel_task, &j);
        }
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_conv_transpose)
{
  Job j;
  int64_t floats, all;
  if (!begin (&j, params, in, n_in, out, n_out))
    return 0;
  floats = round_up (j.g.stride[2] * j.phase * pare_rt_workers ());
  all = floats + round_up (j.block * j.kernel * j.positions) + (in[1].packed ? 0 : round_up (j.g.m * j.kernel * j.cg));
  return (uint64_t)(j.cg == 1 ? floats : all) * sizeof (float);
}

PACK (pare_rt_p_conv_transpose)
{
  Job j;
  if (!begin (&j, params, in, n_in, out, n_out) || j.cg == 1)
    return 0;
  if (packed)
    turn_weights (&j, in[1].data, packed);
  return (uint64_t)(j.g.m * j.kernel * j.cg) * sizeof (float);
}
