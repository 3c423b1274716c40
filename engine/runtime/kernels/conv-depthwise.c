/* Depthwise Conv: x [N,C,H,W], w [M,1,kH,kW], M once or twice C. A task lays out a few rows of one plane with their padding at a time and
 * computes the output from there, several rows of it together, with bias and clip in registers. */
#include "engine/runtime/kernels/conv.h"

/* The usual kernels, where the instruction set needs no padding to be laid out. */
static bool
as_it_lies (const ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  return job->isa->plane && (g->k[1] == 3 || g->k[1] == 5) && g->k[2] == g->k[1] && g->stride[1] <= 2 && g->stride[2] == g->stride[1]
         && g->dil[1] == 1 && g->dil[2] == 1;
}

/* Planes narrower than a vector that keep their width: one run of floats. A copy for each column of the kernel has zeros where that column
 * would meet the row before or after, so that every tap is the run shifted. */
#define NARROW 16
static bool
narrow (const ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  return g->stride[1] == 1 && g->stride[2] == 1 && g->in[2] == g->out[2] && g->in[2] < (job->isa->plane ? 6 : NARROW)
         && g->in[1] * g->in[2] <= 1024 && g->k[2] <= NARROW && g->dil[1] * (g->k[1] - 1) < 64;
}

static int64_t
whole (int64_t n)
{
  return (n + 15) / 16 * 16;
}

static int64_t
run_floats (const ConvGeometry *g)
{
  return whole (g->in[1] * g->in[2]);
}

/* Zeros in front of and behind a copy. */
static int64_t
margin (const ConvGeometry *g)
{
  return whole ((g->dil[1] * (g->k[1] - 1) + 2) * g->in[2] + 2 * NARROW);
}

void
pare_rt_conv_depthwise_scratch (const ConvJob *job, int64_t *entries, int64_t *floats)
{
  const ConvGeometry *g = &job->g;
  *entries = whole (g->k[2] + g->k[1] + PARE_RT_DEPTHWISE_ROWS * g->stride[1]);
  *floats = job->block.channel > g->in[2] ? job->block.channel : g->in[2]; /* or a row of zeros */
  if (!narrow (job))
    return;
  int64_t copies = g->k[2] * (run_floats (g) + 2 * margin (g)) + 16;
  *entries += run_floats (g) * g->k[2] / 2;
  *floats = *floats > copies ? *floats : copies;
}

static void
narrow_planes (const ConvJob *job, int64_t first, int64_t end, float *area)
{
  const ConvGeometry *g = &job->g;
  const PareConvParams *p = job->p;
  const int64_t *tap = (const int64_t *)job->scratch;
  int64_t in = g->in[1] * g->in[2], out = g->out[1] * g->out[2], run = run_floats (g), apart = run + 2 * margin (g), m = first % g->m;
  const int32_t *masks = (const int32_t *)(tap + whole (g->k[2] + g->k[1] + PARE_RT_DEPTHWISE_ROWS));
  float room[NARROW];
  PareRtRows t = { .x = area + margin (g),
                   .row_at = tap + g->k[2],
                   .tap = tap,
                   .kh = g->k[1],
                   .kw = g->k[2],
                   .ow = out,
                   .clip = p->activation == PARE_ACT_CLIP && !job->residual,
                   .lo = p->lo,
                   .hi = p->hi };
  bool simple = p->activation == PARE_ACT_NONE || p->activation == PARE_ACT_CLIP;
  memset (area, 0, (size_t)(g->k[2] * apart + 16) * sizeof (float));
  for (int64_t i = first; i < end; i++, m = m + 1 == g->m ? 0 : m + 1)
    {
      const float *x = job->x + (job->mg == 1 ? i : i / g->m * g->c + m / job->mg) * in;
      float *y = job->y + i * out, last[1024 + NARROW];
      if (job->x_end - x < run)
        {
          memcpy (last, x, (size_t)in * sizeof (float));
          memset (last + in, 0, (size_t)(run - in) * sizeof (float));
          x = last;
        }
      job->isa->copies (x, run, masks, run, g->k[2], area + margin (g), apart);
      t.w = job->w + m * g->k[1] * g->k[2];
      t.bias = job->b ? job->b[m] : 0;
      t.y = out < NARROW ? room : y;
      job->isa->depthwise (&t, 1);
      if (out < NARROW)
        memcpy (y, room, (size_t)out * sizeof (float));
      if (job->residual || !simple)
        pare_rt_conv_epilogue (y, job->residual ? job->residual + i * out : NULL, out, 0, p);
    }
}

static void
plane (const ConvJob *job, int64_t index, float *packed, const int64_t *tap, const int64_t *row_at)
{
  const ConvGeometry *g = &job->g;
  const PareConvParams *p = job->p;
  int64_t n = index / g->m, m = index % g->m, c = m / job->mg, oh = g->out[1], ow = g->out[2], lanes = job->isa->lanes;
  bool simple = p->activation == PARE_ACT_NONE || p->activation == PARE_ACT_CLIP;
  bool together = g->dil[1] == 1;
  int64_t most = together ? PARE_RT_DEPTHWISE_ROWS : 1;
  float room[PARE_RT_DEPTHWISE_ROWS * PARE_RT_MAX_LANES];
  PareRtRows t = { .row_at = row_at,
                   .tap = tap,
                   .w = job->w + m * g->k[1] * g->k[2],
                   .bias = job->b ? job->b[m] : 0,
                   .kh = g->k[1],
                   .kw = g->k[2],
                   .stride = together ? g->stride[1] : 0,
                   .clip = p->activation == PARE_ACT_CLIP && !job->residual,
                   .lo = p->lo,
                   .hi = p->hi };
  float *y = job->y + index * oh * ow;
  for (int64_t row0 = 0; row0 < oh; row0 += job->block.rows)
    {
      int64_t rows = oh - row0 < job->block.rows ? oh - row0 : job->block.rows;
      for (int64_t col0 = 0; col0 < ow; col0 += job->block.cols)
        {
          t.ow = ow - col0 < job->block.cols ? ow - col0 : job->block.cols;
          pare_rt_conv_fill (g, &job->block, job->x + (n * g->c + c) * g->in[1] * g->in[2], job->x_end, 1, 0, row0, rows, col0, t.ow, 0,
                             packed);
          for (int64_t r = 0; r < rows; r += most)
            {
              int now = (int)(rows - r < most ? rows - r : most);
              float *to = y + (row0 + r) * ow + col0;
              /* whole vectors are written: aside where that would leave the plane or the block */
              bool aside = t.ow < lanes && (col0 + t.ow < ow || (row0 + r + now - 1) * ow + col0 + lanes > oh * ow);
              t.x = packed + r * job->block.pitch;
              t.y = aside ? room : to;
              t.ldy = aside ? lanes : ow;
              job->isa->depthwise (&t, now);
              for (int i = 0; aside && i < now; i++)
                memcpy (to + i * ow, room + i * lanes, (size_t)t.ow * sizeof (float));
            }
        }
    }
  if (job->residual || !simple)
    pare_rt_conv_epilogue (y, job->residual ? job->residual + index * oh * ow : NULL, oh * ow, 0, p);
}

/* Planes as they lie. */
static void
plain_planes (const ConvJob *job, int64_t first, int64_t end, float *zeros)
{
  const ConvGeometry *g = &job->g;
  const PareConvParams *p = job->p;
  int64_t in = g->in[1] * g->in[2], out = g->out[1] * g->out[2], kernel = g->k[1] * g->k[2], m = first % g->m;
  bool simple = p->activation == PARE_ACT_NONE || p->activation == PARE_ACT_CLIP;
  PareRtPlane t = { .zeros = zeros,
                    .ih = g->in[1],
                    .iw = g->in[2],
                    .pad_top = g->pad[1],
                    .pad_left = g->pad[2],
                    .kernel = (int)g->k[1],
                    .stride = (int)g->stride[1],
                    .oh = g->out[1],
                    .ow = g->out[2],
                    .clip = p->activation == PARE_ACT_CLIP && !job->residual,
                    .lo = p->lo,
                    .hi = p->hi };
  memset (zeros, 0, (size_t)g->in[2] * sizeof (float));
  for (int64_t i = first; i < end; i++, m = m + 1 == g->m ? 0 : m + 1)
    {
      t.x = job->x + (job->mg == 1 ? i : i / g->m * g->c + m / job->mg) * in;
      t.w = job->w + m * kernel;
      t.bias = job->b ? job->b[m] : 0;
      t.y = job->y + i * out;
      job->isa->plane (&t);
      if (job->residual || !simple)
        pare_rt_conv_epilogue (t.y, job->residual ? job->residual + i * out : NULL, out, 0, p);
    }
}

static void
planes_task (int64_t task, int worker, void *arg)
{
  const ConvJob *job = arg;
  const int64_t *tap = (const int64_t *)job->scratch;
  float *packed = (float *)(job->scratch + job->taps * sizeof (int64_t)) + worker * job->each;
  int64_t planes = job->g.n * job->g.m, first = planes * task / job->m_blocks, end = planes * (task + 1) / job->m_blocks;
  if (narrow (job))
    narrow_planes (job, first, end, packed);
  else if (as_it_lies (job))
    plain_planes (job, first, end, packed);
  else
    for (int64_t i = first; i < end; i++)
      plane (job, i, packed, tap, tap + job->g.k[2]);
}

void
pare_rt_conv_depthwise (ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  const ConvBlock *b = &job->block;
  int64_t *tap = (int64_t *)job->scratch, *row_at = tap + g->k[2];
  for (int64_t kx = 0; kx < g->k[2]; kx++)
    tap[kx] = kx * g->dil[2] % g->stride[2] * b->plane + kx * g->dil[2] / g->stride[2];
  if (narrow (job))
    {
      int64_t run = run_floats (g), apart = run + 2 * margin (g);
      int32_t *masks = (int32_t *)(tap + whole (g->k[2] + g->k[1] + PARE_RT_DEPTHWISE_ROWS));
      for (int64_t kx = 0; kx < g->k[2]; kx++)
        {
          int64_t shift = kx * g->dil[2] - g->pad[2];
          tap[kx] = kx * apart + shift;
          for (int64_t i = 0; i < run; i++)
            {
              int64_t column = i % g->in[2] - shift;
              masks[kx * run + i] = i < g->in[1] * g->in[2] && column >= 0 && column < g->in[2] ? -1 : 0;
            }
        }
      for (int64_t ky = 0; ky < g->k[1]; ky++)
        row_at[ky] = (ky * g->dil[1] - g->pad[1]) * g->in[2];
      pare_rt_parallel_if (!job->serial, job->m_blocks, planes_task, job);
      return;
    }
  int64_t s = g->stride[1], n = g->dil[1] == 1 ? (PARE_RT_DEPTHWISE_ROWS - 1) * s + g->k[1] : g->k[1];
  for (int64_t j = 0; j < n; j++)
    {
      int64_t r = j * g->dil[1];
      row_at[j] = r % s * b->col_phases * b->plane + r / s * b->pitch;
    }
  pare_rt_parallel_if (!job->serial, job->m_blocks, planes_task, job);
}
