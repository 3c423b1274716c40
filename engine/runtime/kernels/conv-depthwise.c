/* Depthwise Conv: x [N,C,H,W], w [M,1,kH,kW], M once or twice C. A task lays out a few rows of one plane with their padding at a time and
 * computes the output from there, several rows of it together, with bias and clip in registers. */
#include "engine/runtime/kernels/conv.h"

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
          pare_rt_conv_fill (g, &job->block, job->x + (n * g->c + c) * g->in[1] * g->in[2], job->x_end, 1, 0, row0, rows, col0, t.ow,
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

static void
planes_task (int64_t task, int worker, void *arg)
{
  const ConvJob *job = arg;
  const int64_t *tap = (const int64_t *)job->scratch;
  float *packed = (float *)(job->scratch + job->taps * sizeof (int64_t)) + worker * job->each;
  int64_t planes = job->g.n * job->g.m;
  for (int64_t i = planes * task / job->m_blocks; i < planes * (task + 1) / job->m_blocks; i++)
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
  int64_t s = g->stride[1], n = g->dil[1] == 1 ? (PARE_RT_DEPTHWISE_ROWS - 1) * s + g->k[1] : g->k[1];
  for (int64_t j = 0; j < n; j++)
    {
      int64_t r = j * g->dil[1];
      row_at[j] = r % s * b->col_phases * b->plane + r / s * b->pitch;
    }
  pare_rt_parallel_if (!job->serial, job->m_blocks, planes_task, job);
}
