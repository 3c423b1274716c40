/* Pooling: x [N,C,D,H,W] (1 to 3 spatial axes) -> y [N,C,oD,oH,oW]. */
#include "engine/runtime/kernels/pool.h"
#include "engine/runtime/kernels/conv.h"

#include <float.h>

bool
pare_rt_pool_geometry (const ParePoolParams *p, const PareView *x, const PareView *y, PoolGeometry *g)
{
  int s = p->spatial;
  if (s < 1 || s > 3 || x->shape.rank != s + 2 || y->shape.rank != s + 2 || x->shape.dims[0] != y->shape.dims[0]
      || x->shape.dims[1] != y->shape.dims[1])
    return false;
  g->planes = x->shape.dims[0] * x->shape.dims[1];
  for (int i = 0; i < 3; i++)
    {
      int a = i - (3 - s);
      g->in[i] = a < 0 ? 1 : x->shape.dims[2 + a];
      g->out[i] = a < 0 ? 1 : y->shape.dims[2 + a];
      g->k[i] = a < 0 ? 1 : p->kernel[a];
      g->stride[i] = a < 0 ? 1 : p->stride[a];
      g->dil[i] = a < 0 ? 1 : p->dilation[a];
      g->pad[i] = a < 0 ? 0 : p->pad_begin[a];
      g->pad_end[i] = a < 0 ? 0 : p->pad_end[a];
      if (g->k[i] < 1 || g->stride[i] < 1 || g->dil[i] < 1)
        return false;
    }
  return true;
}

typedef struct
{
  const ParePoolParams *p;
  ConvGeometry g; /* of one plane: n counts them, one channel */
  ConvBlock block;
  const float *x, *x_end;
  float *y;
  bool max;
  const PoolGeometry *lanes; /* NULL: rows are laid out */
  int64_t taps, each, tasks; /* taps and each: floats or entries, in multiples of a vector */
  char *scratch;
} Job;

#define PLANE_FLOATS 6144 /* of input laid out at a time: stays in the first cache */

/* Scratch: taps, how many columns of each window count, and for each worker the padded input. FALSE: too large. */
static bool
cut (Job *job, const PoolGeometry *g, int workers)
{
  ConvGeometry *c = &job->g;
  *c = (ConvGeometry){ .n = g->planes, .c = 1, .m = 1, .group = 1 };
  int64_t taps = 1;
  for (int i = 0; i < 3; i++)
    {
      c->in[i] = g->in[i];
      c->out[i] = g->out[i];
      c->k[i] = g->k[i];
      c->stride[i] = g->stride[i];
      c->dil[i] = g->dil[i];
      c->pad[i] = g->pad[i];
      c->pad_end[i] = g->pad_end[i];
      if (__builtin_mul_overflow (taps, g->k[i], &taps))
        return false;
    }
  int64_t rows = g->out[1];
  for (;; rows = (rows + 1) / 2)
    {
      if (!pare_rt_conv_block (c, rows > 0 ? rows : 1, g->out[2], &job->block))
        return false;
      if (rows <= 1 || job->block.channel <= PLANE_FLOATS)
        break;
    }
  job->taps = (taps + 15) / 16 * 16;
  job->each = (job->block.channel + CONV_SLACK + 15) / 16 * 16;
  job->tasks = g->planes < 4 * workers ? g->planes : 4 * workers;
  return job->each < INT64_MAX / 1024 && job->taps < INT64_MAX / 1024 && g->out[2] < INT64_MAX / 1024;
}

static uint64_t
bytes_of (const Job *job, int workers)
{
  return (uint64_t)job->taps * sizeof (int64_t) + ((uint64_t)job->g.out[2] + 15) / 16 * 64 + (uint64_t)job->each * (uint64_t)workers * 4;
}

/* How many of window `o`'s places count along axis i: those inside the input, or with padding counted those inside it and the padding (a
 * window that ceil mode lets reach beyond counts no more than that). */
static int64_t
inside (const Job *job, int i, int64_t o)
{
  const ConvGeometry *g = &job->g;
  int64_t n = 0, from = o * g->stride[i] - g->pad[i];
  for (int64_t k = 0; k < g->k[i]; k++)
    {
      int64_t at = from + k * g->dil[i];
      n += job->p->count_include_pad ? at < g->in[i] + g->pad_end[i] : at >= 0 && at < g->in[i];
    }
  return n;
}

static void
planes_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  const ConvGeometry *g = &j->g;
  const PareRtIsa *isa = pare_rt_isa ();
  const int64_t *taps = (const int64_t *)j->scratch;
  const float *columns = (const float *)(taps + j->taps);
  int64_t from = g->n * task / j->tasks, to = g->n * (task + 1) / j->tasks;
  if (j->lanes)
    {
      pare_rt_max_pool_lanes (j->lanes, j->x + from * g->in[1] * g->in[2], j->y + from * g->out[1] * g->out[2], to - from);
      return;
    }
  float *packed = (float *)columns + (g->out[2] + 15) / 16 * 16 + worker * j->each;
  int64_t n_taps = g->k[0] * g->k[1] * g->k[2], area = g->in[0] * g->in[1] * g->in[2];
  for (int64_t plane = from; plane < to; plane++)
    {
      float *y = j->y + plane * g->out[0] * g->out[1] * g->out[2];
      for (int64_t oz = 0; oz < g->out[0]; oz++)
        for (int64_t row0 = 0; row0 < g->out[1]; row0 += j->block.rows)
          {
            int64_t rows = g->out[1] - row0 < j->block.rows ? g->out[1] - row0 : j->block.rows, layers = j->max ? 0 : inside (j, 0, oz);
            pare_rt_conv_fill (g, &j->block, j->x + plane * area, j->x_end, 1, oz, row0, rows, 0, g->out[2], j->max ? -FLT_MAX : 0, packed);
            for (int64_t r = 0; r < rows; r++, y += g->out[2])
              if (j->max)
                isa->max_row (y, packed + r * j->block.pitch, taps, n_taps, g->out[2]);
              else
                isa->mean_row (y, packed + r * j->block.pitch, taps, n_taps, g->out[2], (float)(layers * inside (j, 1, row0 + r)), columns);
          }
    }
}

/* Windows that are runs of floats: whole planes, or whole rows of them. */
typedef struct
{
  const float *x;
  float *y;
  int64_t planes, area, runs, step, length; /* in each plane: runs of that length, every `step` floats */
  int64_t tasks;
  bool max;
} Runs;

static void
runs_task (int64_t task, int worker, void *arg)
{
  const Runs *w = arg;
  const PareRtIsa *isa = pare_rt_isa ();
  for (int64_t i = w->planes * task / w->tasks; i < w->planes * (task + 1) / w->tasks; i++)
    for (int64_t r = 0; r < w->runs; r++)
      {
        const float *x = w->x + i * w->area + r * w->step;
        w->y[i * w->runs + r] = w->max ? isa->max (x, w->length) : w->length > 0 ? isa->sum (x, w->length) / (float)w->length : 0;
      }
}

static void
pool_runs (Runs *runs)
{
  int64_t most = 4 * pare_rt_workers ();
  runs->tasks = runs->planes < most ? runs->planes : most;
  pare_rt_parallel_if ((double)runs->planes * (double)runs->runs * (double)runs->length > 100000, runs->tasks, runs_task, runs);
}

static PareRtStatus
pool (const void *params, const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, void *scratch, bool max)
{
  const ParePoolParams *p = params;
  PoolGeometry g;
  REQUIRE (p && n_in >= 1 && n_out >= 1 && in[0].dtype == out[0].dtype && pare_rt_pool_geometry (p, &in[0], &out[0], &g));
  SUPPORT ((is_f32 (&in[0]) || (max && element_size (&in[0]) == 1)) && n_out == 1);
  CHECKED;
  if (!is_f32 (&in[0]))
    {
      pare_rt_max_pool_codes (&g, &in[0], &out[0]);
      return PARE_RT_OK;
    }
  if (count_of (&out[0]) == 0)
    return PARE_RT_OK;
  bool inner = true; /* nothing of a window leaves the plane, and it takes whole rows */
  for (int i = 0; i < 3; i++)
    inner = inner && g.pad[i] == 0 && g.dil[i] == 1 && (g.out[i] - 1) * g.stride[i] + g.k[i] <= g.in[i];
  inner = inner && g.k[2] == g.in[2] && (g.in[0] == 1 || (g.k[1] == g.in[1] && g.k[0] == g.in[0]));
  if (inner)
    {
      Runs runs = { .x = in[0].data,
                    .y = out[0].data,
                    .planes = g.planes,
                    .area = g.in[0] * g.in[1] * g.in[2],
                    .runs = g.out[1],
                    .step = g.stride[1] * g.in[2],
                    .length = g.k[0] * g.k[1] * g.k[2],
                    .max = max };
      pool_runs (&runs);
      return PARE_RT_OK;
    }
  Job job = {
    .p = p, .x = in[0].data, .x_end = (const float *)in[0].data + count_of (&in[0]), .y = out[0].data, .max = max, .scratch = scratch
  };
  REQUIRE (cut (&job, &g, pare_rt_workers ()));
  job.lanes = max && pare_rt_max_pool_fits_lanes (&g) ? &g : NULL;
  pare_rt_conv_taps (&job.g, &job.block, (int64_t *)scratch);
  float *columns = (float *)((int64_t *)scratch + job.taps);
  for (int64_t ox = 0; !max && ox < g.out[2]; ox++)
    columns[ox] = (float)inside (&job, 2, ox);
  pare_rt_parallel_if ((double)count_of (&in[0]) + (double)count_of (&out[0]) * (double)(g.k[0] * g.k[1] * g.k[2]) > 100000, job.tasks,
                       planes_task, &job);
  return PARE_RT_OK;
}

static uint64_t
scratch_bytes (const void *params, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  PoolGeometry g;
  Job job = { 0 };
  int workers = pare_rt_workers ();
  if (!params || n_in < 1 || n_out < 1 || !is_f32 (&in[0]) || !pare_rt_pool_geometry (params, &in[0], &out[0], &g)
      || count_of (&out[0]) == 0)
    return 0;
  return cut (&job, &g, workers) ? bytes_of (&job, workers) : UINT64_MAX / 2;
}

SCRATCH (pare_rt_s_max_pool)
{
  return scratch_bytes (params, in, n_in, out, n_out);
}

SCRATCH (pare_rt_s_avg_pool)
{
  return scratch_bytes (params, in, n_in, out, n_out);
}

KERNEL (pare_rt_k_max_pool)
{
  return pool (params, in, n_in, out, n_out, scratch, true);
}

KERNEL (pare_rt_k_avg_pool)
{
  return pool (params, in, n_in, out, n_out, scratch, false);
}

static PareRtStatus
global (const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, void *scratch, bool max)
{
  REQUIRE (n_in >= 1 && n_out == 1 && in[0].shape.rank >= 2);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&out[0]));
  int64_t planes = product (&in[0].shape, 0, 2), area = product (&in[0].shape, 2, in[0].shape.rank);
  REQUIRE (count_of (&out[0]) == planes);
  CHECKED;
  Runs runs = { .x = in[0].data, .y = out[0].data, .planes = planes, .area = area, .runs = 1, .length = area, .max = max };
  pool_runs (&runs);
  return PARE_RT_OK;
}

KERNEL (pare_rt_k_global_avg_pool)
{
  return global (in, n_in, out, n_out, scratch, false);
}

KERNEL (pare_rt_k_global_max_pool)
{
  return global (in, n_in, out, n_out, scratch, true);
}
