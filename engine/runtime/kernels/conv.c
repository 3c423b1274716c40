/* Conv: x [N,C,D,H,W] (1 to 3 spatial axes), w [M,C/g,kD,kH,kW], b [M] or none, residual like y or none; y [N,M,oD,oH,oW] = act(conv + b + residual).
 * A matrix product per group: rows are output channels, columns output positions; panels of the unfolded input are packed as they are
 * needed. One channel per group takes the loop in conv-depthwise.c. */
#include "engine/runtime/kernels/conv.h"

/* Everything as three spatial axes: leading ones for fewer. FALSE: the operands do not fit each other. */
bool
pare_rt_conv_geometry (const PareConvParams *p, const PareView *x, const PareView *w, const PareView *y, ConvGeometry *g)
{
  int s = p->spatial;
  if (s < 1 || s > 3 || p->group < 1 || x->shape.rank != s + 2 || w->shape.rank != s + 2 || y->shape.rank != s + 2)
    return false;
  *g = (ConvGeometry){ .n = x->shape.dims[0], .c = x->shape.dims[1], .m = y->shape.dims[1], .group = p->group };
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
      if (g->k[i] < 1 || g->stride[i] < 1 || g->dil[i] < 1 || (a >= 0 && w->shape.dims[2 + a] != g->k[i]))
        return false;
    }
  return y->shape.dims[0] == g->n && g->c % g->group == 0 && g->m % g->group == 0;
}

typedef struct {
  const PareConvParams *p;
  ConvGeometry g;
  const float *x, *w, *b, *residual;
  float *y;
  char *scratch;
  const PareRtGemmIsa *isa;
  int64_t cg, mg, k, positions, col_blocks, row_block, row_blocks;
} Job;

/* One row k of a panel block: the input under kernel position (c, kz, ky, kx) for output positions j0..j0+cols, to[(j / nr)][j % nr]. */
static inline void
unfold_row (const ConvGeometry *g, const float *plane, int64_t kz, int64_t ky, int64_t kx, int64_t j0, int64_t cols, float *to)
{
  int64_t ow = g->out[2], j = 0;
  int64_t ox = j0 % ow, rest = j0 / ow, oy = rest % g->out[1], oz = rest / g->out[1];
  while (j < cols)
    {
      int64_t run = ow - ox < cols - j ? ow - ox : cols - j;
      int64_t iz = oz * g->stride[0] - g->pad[0] + kz * g->dil[0], iy = oy * g->stride[1] - g->pad[1] + ky * g->dil[1];
      if (iz < 0 || iz >= g->in[0] || iy < 0 || iy >= g->in[1])
        memset (to + j, 0, run * sizeof (float));
      else
        {
          const float *row = plane + (iz * g->in[1] + iy) * g->in[2];
          int64_t ix = ox * g->stride[2] - g->pad[2] + kx * g->dil[2], s = g->stride[2], i = 0;
          for (; i < run && ix < 0; i++, ix += s)
            to[j + i] = 0;
          int64_t fit = ix >= g->in[2] ? 0 : (g->in[2] - ix + s - 1) / s;
          int64_t end = i + fit < run ? i + fit : run;
          if (s == 1)
            {
              if (end > i)
                memcpy (to + j + i, row + ix, (end - i) * sizeof (float));
              i = end > i ? end : i;
            }
          else
            for (; i < end; i++, ix += s)
              to[j + i] = row[ix];
          for (; i < run; i++)
            to[j + i] = 0;
        }
      j += run;
      ox = 0;
      if (++oy == g->out[1])
        {
          oy = 0;
          oz++;
        }
    }
}

static void
pack_unfolded (const Job *job, const float *x, int64_t p0, int64_t kc, int64_t j0, int64_t cols, float *pack)
{
  const ConvGeometry *g = &job->g;
  int nr = job->isa->nr;
  int64_t kvol = g->k[0] * g->k[1] * g->k[2], in_plane = g->in[0] * g->in[1] * g->in[2];
  int64_t padded = (cols + nr - 1) / nr * nr;
  float line[PARE_RT_NC];
  bool pointwise = kvol == 1 && g->stride[0] == 1 && g->stride[1] == 1 && g->stride[2] == 1 && !g->pad[0] && !g->pad[1] && !g->pad[2] &&
                   in_plane == job->positions;
  for (int64_t p = 0; p < kc; p++)
    {
      int64_t k = p0 + p, c = k / kvol, rest = k % kvol, kx = rest % g->k[2], ky = rest / g->k[2] % g->k[1], kz = rest / g->k[2] / g->k[1];
      const float *from = x + c * in_plane;
      if (pointwise && padded == cols)
        from += j0;
      else
        {
          if (pointwise)
            memcpy (line, from + j0, cols * sizeof (float));
          else
            unfold_row (g, from, kz, ky, kx, j0, cols, line);
          for (int64_t j = cols; j < padded; j++)
            line[j] = 0;
          from = line;
        }
      for (int64_t j = 0; j < padded; j += nr)
        memcpy (pack + j * kc + p * nr, from + j, nr * sizeof (float));
    }
}

static void
epilogue (const Job *job, int64_t n, int64_t m0, int64_t m1, int64_t j0, int64_t cols)
{
  for (int64_t m = m0; m < m1; m++)
    {
      int64_t at = (n * job->g.m + m) * job->positions + j0;
      pare_rt_conv_epilogue (job->y + at, job->residual ? job->residual + at : NULL, cols, job->b ? job->b[m] : 0, job->p);
    }
}

static void
block_task (int64_t task, int worker, void *arg)
{
  const Job *job = arg;
  int64_t cb = task % job->col_blocks, rb = task / job->col_blocks % job->row_blocks, ng = task / job->col_blocks / job->row_blocks;
  int64_t n = ng / job->g.group, group = ng % job->g.group;
  int64_t j0 = cb * PARE_RT_NC, cols = job->positions - j0 < PARE_RT_NC ? job->positions - j0 : PARE_RT_NC;
  int64_t m0 = rb * job->row_block, m1 = m0 + job->row_block < job->mg ? m0 + job->row_block : job->mg;
  const float *x = job->x + (n * job->g.c + group * job->cg) * job->g.in[0] * job->g.in[1] * job->g.in[2];
  const float *w = job->w + group * job->mg * job->k;
  float *y = job->y + (n * job->g.m + group * job->mg) * job->positions + j0;
  float *pack = (float *) (job->scratch + worker * PARE_RT_GEMM_SCRATCH);
  int nr = job->isa->nr;
  for (int64_t p0 = 0; p0 < job->k; p0 += PARE_RT_KC)
    {
      int64_t kc = job->k - p0 < PARE_RT_KC ? job->k - p0 : PARE_RT_KC;
      pack_unfolded (job, x, p0, kc, j0, cols, pack);
      for (int64_t m = m0; m < m1; m += PARE_RT_MR)
        {
          int rows = m1 - m < PARE_RT_MR ? (int) (m1 - m) : PARE_RT_MR;
          for (int64_t j = 0; j < cols; j += nr)
            job->isa->micro (kc, w + m * job->k + p0, job->k, pack + j * kc, y + m * job->positions + j, job->positions, rows,
                             cols - j < nr ? (int) (cols - j) : nr, p0 > 0);
          if (p0 + kc == job->k)
            epilogue (job, n, group * job->mg + m, group * job->mg + m + rows, j0, cols);
        }
    }
}

KERNEL (pare_rt_k_conv)
{
  const PareConvParams *p = params;
  Job job = { .p = p, .scratch = scratch };
  REQUIRE (p && n_in >= 2 && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]));
  REQUIRE (pare_rt_conv_geometry (p, &in[0], &in[1], &out[0], &job.g));
  const ConvGeometry *g = &job.g;
  job.cg = g->c / g->group;
  job.mg = g->m / g->group;
  REQUIRE (in[1].shape.dims[0] == g->m && in[1].shape.dims[1] == job.cg);
  for (int i = 0; i < 3; i++)
    REQUIRE (g->out[i] == (g->in[i] + g->pad[i] + g->pad_end[i] - g->dil[i] * (g->k[i] - 1) - 1) / g->stride[i] + 1 && g->pad[i] >= 0 && g->pad_end[i] >= 0);
  REQUIRE (!given (in, n_in, 2) || (is_f32 (&in[2]) && count_of (&in[2]) == g->m));
  REQUIRE (!given (in, n_in, 3) || (is_f32 (&in[3]) && same_shape (&in[3], &out[0])));
  CHECKED;
  job.x = in[0].data;
  job.w = in[1].data;
  job.b = given (in, n_in, 2) ? in[2].data : NULL;
  job.residual = given (in, n_in, 3) ? in[3].data : NULL;
  job.y = out[0].data;
  job.k = job.cg * g->k[0] * g->k[1] * g->k[2];
  job.positions = g->out[0] * g->out[1] * g->out[2];
  if (count_of (&out[0]) == 0)
    return PARE_RT_OK;
  if (job.cg == 1 && g->in[0] == 1 && g->k[0] == 1)
    {
      pare_rt_conv_depthwise (p, g, job.x, job.w, job.b, job.residual, job.y);
      return PARE_RT_OK;
    }
  if (job.k == 0)
    {
      memset (job.y, 0, count_of (&out[0]) * sizeof (float));
      for (int64_t n = 0; n < g->n; n++)
        epilogue (&job, n, 0, g->m, 0, job.positions);
      return PARE_RT_OK;
    }
  job.isa = pare_rt_gemm_isa ();
  job.col_blocks = (job.positions + PARE_RT_NC - 1) / PARE_RT_NC;
  job.row_blocks = 1;
  /* Too few column blocks for all workers: cut the rows too. The order of every sum stays as it is. */
  if (pare_rt_workers () > 1 && job.col_blocks * g->n * g->group < 2 * pare_rt_workers ())
    job.row_blocks = (job.mg + 47) / 48;
  job.row_block = ((job.mg + job.row_blocks - 1) / job.row_blocks + PARE_RT_MR - 1) / PARE_RT_MR * PARE_RT_MR;
  job.row_blocks = (job.mg + job.row_block - 1) / job.row_block;
  pare_rt_parallel (job.col_blocks * job.row_blocks * g->n * g->group, block_task, &job);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_conv)
{
  return PARE_RT_GEMM_SCRATCH;
}

void
pare_rt_conv_epilogue (float *y, const float *residual, int64_t n, float bias, const PareConvParams *p)
{
  if (bias != 0)
    for (int64_t i = 0; i < n; i++)
      y[i] += bias;
  if (residual)
    for (int64_t i = 0; i < n; i++)
      y[i] += residual[i];
  pare_rt_activate (y, n, p->activation, p->lo, p->hi, p->alpha);
}
