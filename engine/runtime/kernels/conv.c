/* Conv: x [N,C,D,H,W] (1 to 3 spatial axes), w [M,C/g,kD,kH,kW], b [M] or none, residual like y or none; y [N,M,oD,oH,oW] = act(conv + b +
 * residual). Here: the checks, how the work is cut, and the packing of weights; conv-direct.c, conv-depthwise.c, conv-winograd.c and
 * conv-unfold.c compute. */
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

#define BLOCK_FLOATS 49152 /* of input that a task lays out: leaves room in a second-level cache */
#define PLANE_FLOATS 6144  /* depthwise: in the first */
#define FEW_CHANNELS 256   /* of output: laying out the input shows beside multiplying */

static int64_t
divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

/* Blocks of `each` positions in n; what is left is a block where it fills a vector, else it belongs to the last one. */
static int64_t
blocks_of (int64_t n, int64_t each, int64_t lanes)
{
  int64_t blocks = n / each;
  return blocks == 0 ? 1 : blocks + (n % each >= lanes);
}

/* The largest block of rows and columns of output whose input fits, at least one row of a few vectors. cols: in: the most. */
static bool
fit_block (ConvJob *job, int64_t channels, int64_t limit, int64_t rows, int64_t cols)
{
  int64_t least = job->isa->vectors * job->isa->lanes, total;
  for (;;)
    {
      int64_t extra = cols < job->g.out[2] ? job->isa->lanes : 0;
      if (!pare_rt_conv_block (&job->g, rows, cols + extra, &job->block))
        return false;
      if (__builtin_mul_overflow (job->block.channel, channels, &total) || total > INT64_MAX / 64)
        return false;
      job->block.cols = cols;
      if (total <= limit || (rows == 1 && cols <= least))
        return true;
      if (rows > 1)
        rows = rows * limit / total > 0 && rows * limit / total < rows ? rows * limit / total : rows - 1;
      else
        cols = cols / 2 > least ? divide_up (cols / 2, least) * least : least;
    }
}

bool
pare_rt_conv_cut (ConvJob *job, int workers)
{
  const ConvGeometry *g = &job->g;
  int64_t lanes = job->isa->lanes, kernel = g->k[0] * g->k[1] * g->k[2], positions = g->out[0] * g->out[1] * g->out[2];
  int64_t units = g->n * g->group, wanted, area = 0;
  job->depthwise = job->cg == 1 && job->mg <= 2 && g->in[0] == 1 && g->k[0] == 1 && g->out[0] == 1;
  job->serial = workers == 1 || conv_is_small (job);
  wanted = job->serial ? 1 : 3 * (int64_t)workers;
  job->m_tiles = divide_up (job->mg, job->isa->rows);
  job->m_blocks = job->row_blocks = job->col_blocks = 1;
  job->pointwise = !job->depthwise && kernel == 1 && positions >= lanes;
  for (int i = 0; i < 3; i++)
    job->pointwise = job->pointwise && g->stride[i] == 1 && g->pad[i] == 0 && g->pad_end[i] == 0;
  job->taps = job->pointwise ? 0 : job->depthwise ? 0 : kernel;
  job->taps = (job->taps + 7) / 8 * 8;
  if (job->depthwise)
    {
      int64_t rows = g->out[1] < 64 ? g->out[1] : 64;
      if (!fit_block (job, 1, PLANE_FLOATS, rows, g->out[2]))
        return false;
      if (rows > job->block.rows && job->block.rows > PARE_RT_DEPTHWISE_ROWS)
        job->block.rows -= job->block.rows % PARE_RT_DEPTHWISE_ROWS;
      job->m_blocks = g->n * g->m < wanted ? g->n * g->m : wanted;
      pare_rt_conv_depthwise_scratch (job, &job->taps, &area);
    }
  else if (job->pointwise)
    {
      /* as much in each block as in any other, for few blocks are all of somebody's share: in whole tiles where they are many */
      int64_t vectors = divide_up (positions, lanes), room = BLOCK_FLOATS / (job->cg > 0 ? job->cg : 1) / lanes;
      int64_t blocks = divide_up (vectors, room < job->isa->vectors ? job->isa->vectors : room), shares = divide_up (wanted, units);
      if (blocks < shares)
        blocks = shares < vectors / job->isa->vectors ? shares : vectors / job->isa->vectors;
      if (blocks > workers && blocks < 8 * workers && !job->serial)
        blocks = blocks / workers * workers;
      job->col_blocks = blocks > 1 ? blocks : 1;
      job->grain = (vectors < 4 * job->isa->vectors * job->col_blocks ? 1 : job->isa->vectors) * lanes;
      units *= job->col_blocks;
    }
  else
    {
      int64_t row_units = units * g->out[0], rows = g->out[1];
      if (wanted > row_units && g->out[1] > 1)
        {
          /* rows below and above are laid out by two tasks: not too few rows in each; and all are by two that share channels */
          rows = divide_up (g->out[1] * row_units, wanted);
          rows = rows < g->k[1] ? g->k[1] : rows;
          if (divide_up (g->out[1], rows) * row_units < 2 * workers && job->mg < FEW_CHANNELS)
            rows = divide_up (g->out[1] * row_units, workers);
          rows = rows > g->out[1] ? g->out[1] : rows;
        }
      if (!fit_block (job, job->cg, BLOCK_FLOATS, rows, g->out[2]))
        return false;
      job->row_blocks = divide_up (g->out[1], job->block.rows);
      job->block.rows = divide_up (g->out[1], job->row_blocks);
      job->col_blocks = blocks_of (g->out[2], job->block.cols, lanes);
      int64_t vectors = divide_up (g->out[2], lanes);
      job->flat = g->out[2] < lanes || (job->col_blocks == 1 && g->out[2] * 5 < vectors * lanes * 4);
      units = row_units * job->row_blocks * job->col_blocks;
      area = job->block.channel * job->cg;
    }
  bool even = !job->pointwise && job->mg < FEW_CHANNELS && units == workers;
  if (!job->depthwise && units < 2 * (int64_t)workers && !even && !job->serial)
    {
      job->m_blocks = divide_up (2 * workers, units > 0 ? units : 1);
      job->m_blocks = job->m_blocks < job->m_tiles ? job->m_blocks : job->m_tiles;
    }
  int64_t panel = job->depthwise ? 0 : (job->terms * job->isa->rows + 15) / 16 * 16;
  job->each = (area + panel + CONV_SLACK + 15) / 16 * 16;
  return job->each < INT64_MAX / 1024 && job->taps < INT64_MAX / 1024;
}

/* What cutting needs to know. FALSE: the operands do not fit. */
static bool
begin (ConvJob *job, const PareConvParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  if (!p || n_in < 2 || n_out != 1 || !pare_rt_conv_geometry (p, &in[0], &in[1], &out[0], &job->g))
    return false;
  const ConvGeometry *g = &job->g;
  job->p = p;
  job->isa = pare_rt_isa ();
  job->cg = g->c / g->group;
  job->mg = g->m / g->group;
  job->terms = job->cg * g->k[0] * g->k[1] * g->k[2];
  return in[1].shape.dims[0] == g->m && in[1].shape.dims[1] == job->cg;
}

KERNEL (pare_rt_k_conv)
{
  const PareConvParams *p = params;
  ConvJob job = { .scratch = scratch };
  SUPPORT (n_in < 2 || n_out < 1 || (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0])));
  REQUIRE (begin (&job, p, in, n_in, out, n_out));
  const ConvGeometry *g = &job.g;
  for (int i = 0; i < 3; i++)
    REQUIRE (g->out[i] == (g->in[i] + g->pad[i] + g->pad_end[i] - g->dil[i] * (g->k[i] - 1) - 1) / g->stride[i] + 1 && g->pad[i] >= 0
             && g->pad_end[i] >= 0);
  REQUIRE (!given (in, n_in, 2) || (is_f32 (&in[2]) && count_of (&in[2]) == g->m));
  REQUIRE (!given (in, n_in, 3) || (is_f32 (&in[3]) && same_shape (&in[3], &out[0])));
  CHECKED;
  job.x = in[0].data;
  job.x_end = job.x + count_of (&in[0]);
  job.w = in[1].data;
  job.packed = in[1].packed;
  job.b = given (in, n_in, 2) ? in[2].data : NULL;
  job.residual = given (in, n_in, 3) ? in[3].data : NULL;
  job.y = out[0].data;
  if (count_of (&out[0]) == 0)
    return PARE_RT_OK;
  if (job.terms == 0 || count_of (&in[0]) == 0)
    {
      int64_t area = g->out[0] * g->out[1] * g->out[2];
      memset (job.y, 0, count_of (&out[0]) * sizeof (float));
      for (int64_t i = 0; i < g->n * g->m; i++)
        pare_rt_conv_epilogue (job.y + i * area, job.residual ? job.residual + i * area : NULL, area, job.b ? job.b[i % g->m] : 0, p);
      return PARE_RT_OK;
    }
  if (pare_rt_conv_unfolds (&job))
    {
      pare_rt_conv_unfold (&job);
      return PARE_RT_OK;
    }
  job.winograd = job.packed ? pare_rt_winograd_choose (&job) : 0;
  REQUIRE (job.winograd ? pare_rt_winograd_cut (&job, pare_rt_workers ()) : pare_rt_conv_cut (&job, pare_rt_workers ()));
  if (job.winograd)
    pare_rt_conv_winograd (&job);
  else if (job.depthwise)
    pare_rt_conv_depthwise (&job);
  else
    pare_rt_conv_direct (&job);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_conv)
{
  ConvJob job = { 0 };
  int workers = pare_rt_workers ();
  if (!begin (&job, params, in, n_in, out, n_out) || job.terms == 0 || count_of (&out[0]) == 0)
    return 0;
  if (pare_rt_conv_unfolds (&job))
    return pare_rt_conv_unfold_scratch (&job, workers);
  job.winograd = in[1].packed ? pare_rt_winograd_choose (&job) : 0;
  if (!(job.winograd ? pare_rt_winograd_cut (&job, workers) : pare_rt_conv_cut (&job, workers)))
    return UINT64_MAX / 2;
  uint64_t floats, bytes;
  if (__builtin_mul_overflow ((uint64_t)job.each, (uint64_t)workers, &floats) || __builtin_mul_overflow (floats, sizeof (float), &bytes)
      || __builtin_add_overflow (bytes, (uint64_t)job.taps * sizeof (int64_t), &bytes))
    return UINT64_MAX / 2;
  return bytes;
}

/* [tile of rows][term][row]; see conv_tile_start */
PACK (pare_rt_p_conv)
{
  ConvJob job = { 0 };
  if (n_in < 2 || n_out != 1 || !is_f32 (&in[1]) || !begin (&job, params, in, n_in, out, n_out) || job.terms == 0 || count_of (&out[0]) == 0
      || !pare_rt_conv_cut (&job, 1) || job.depthwise)
    return 0;
  const float *w = in[1].data;
  float *to = packed;
  if (pare_rt_conv_unfolds (&job))
    return pare_rt_conv_unfold_pack (&job, w, to);
  if ((job.winograd = pare_rt_winograd_choose (&job)) > 0)
    return (uint64_t)pare_rt_winograd_pack (&job, w, to) * sizeof (float);
  for (int64_t group = 0; to && group < job.g.group; group++)
    for (int64_t i = 0; i < job.m_tiles; i++)
      {
        int64_t first = conv_tile_start (job.mg, job.m_tiles, i), end = conv_tile_start (job.mg, job.m_tiles, i + 1);
        for (int64_t k = 0; k < job.terms; k++)
          for (int64_t r = first; r < end; r++)
            *to++ = w[(group * job.mg + r) * job.terms + k];
      }
  return (uint64_t)count_of (&in[1]) * sizeof (float);
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
