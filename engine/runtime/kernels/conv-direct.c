/* Convolution without unfolding: tiles of output channels by vectors of output positions, read straight from the input (1x1) or from the
 * padded block of it that a task lays out for itself. Bias, residual and activation are applied while the tile is in registers.
 *
 * Where rows of output are a poor fit for the vectors, a tile runs on over the padding between them ("flat") and what falls there is
 * dropped. */
#include "engine/runtime/kernels/conv.h"

typedef struct
{
  int32_t from, n;
  int64_t to;
} Segment; /* n floats of a tile's row that are output, and where they go */

typedef struct
{
  const ConvJob *job;
  const float *input; /* of vector 0 */
  int64_t channel_stride, n_taps, vectors, rows, cols;
  const int64_t *taps;
  int64_t y_at; /* of the block's first position, channel 0 of the group */
  float *panel; /* for weights that are not packed */
} Task;

static inline void
copy_floats (float *to, const float *from, int64_t n)
{
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    __builtin_memcpy (to + i, from + i, 32);
  if (n & 4)
    {
      __builtin_memcpy (to + i, from + i, 16);
      i += 4;
    }
  for (; i < n; i++)
    to[i] = from[i];
}

/* Vector q of the block: where it is read, and the parts of it that are output, lane0 being its first lane in the tile. */
static const float *
place (const Task *task, int64_t q, int lane0, Segment *segments, int *n_segments)
{
  const ConvJob *job = task->job;
  int64_t lanes = job->isa->lanes, ow = job->g.out[2], pitch = job->block.pitch;
  if (job->flat)
    {
      int64_t row = q * lanes / pitch, col = q * lanes % pitch;
      for (int lane = 0; lane < lanes && row < task->rows; row++, col = 0)
        {
          int64_t n = ow - col < lanes - lane ? ow - col : lanes - lane;
          if (n > 0)
            segments[(*n_segments)++] = (Segment){ lane0 + lane, (int32_t)n, row * ow + col };
          lane += (int)(pitch - col < lanes - lane ? pitch - col : lanes - lane);
        }
      return task->input + q * lanes;
    }
  int64_t each = (task->cols + lanes - 1) / lanes, row = q / each, col = q % each * lanes;
  /* the last vector of a row ends with it, and computes a few of its positions twice */
  int64_t at = col + lanes > task->cols ? task->cols - lanes : col;
  segments[(*n_segments)++] = (Segment){ (int32_t)(lane0 + col - at), (int32_t)(at + lanes - col), row * ow + col };
  return task->input + row * pitch + at;
}

static const float *
weights (const Task *task, int64_t first, int64_t rows)
{
  const ConvJob *job = task->job;
  if (job->packed)
    return job->packed + first * job->terms;
  const float *w = job->w + first * job->terms;
  float *to = task->panel;
  for (int64_t k = 0; k < job->terms; k++)
    for (int64_t r = 0; r < rows; r++)
      *to++ = w[r * job->terms + k];
  return task->panel;
}

/* Vectors q.. of the block for the rows of one tile; group0: the group's first channel of output. */
static void
tile (const Task *task, int64_t q, int vectors, int64_t group0, int64_t first, int rows, const float *a)
{
  const ConvJob *job = task->job;
  const PareConvParams *p = job->p;
  int lanes = job->isa->lanes, n_segments = 0;
  int64_t positions = job->g.out[0] * job->g.out[1] * job->g.out[2];
  float room[PARE_RT_TILE_ROWS * PARE_RT_TILE_VECTORS * PARE_RT_MAX_LANES] __attribute__ ((aligned (64)));
  Segment segments[PARE_RT_TILE_VECTORS * PARE_RT_MAX_LANES];
  bool simple = p->activation == PARE_ACT_NONE || p->activation == PARE_ACT_CLIP || p->activation == PARE_ACT_LEAKY;
  bool direct = !job->flat && simple && (!job->residual || job->residual != job->y);
  PareRtTile t = { .channels = job->cg,
                   .channel_stride = task->channel_stride,
                   .taps = task->taps,
                   .n_taps = task->n_taps,
                   .a = a,
                   .start = job->b ? job->b + group0 + first : NULL,
                   .lo = p->lo,
                   .hi = p->hi };
  float *y = job->y + task->y_at + first * positions;
  const float *residual = job->residual ? job->residual + task->y_at + first * positions : NULL;
  for (int v = 0; v < vectors; v++)
    {
      int before = n_segments;
      t.b[v] = place (task, q + v, v * lanes, segments, &n_segments);
      t.at[v] = direct ? segments[before].to - (segments[before].from - v * lanes) : v * lanes;
    }
  t.c = direct ? y : room;
  t.ldc = direct ? positions : vectors * lanes;
  t.residual = direct ? residual : NULL;
  t.clip = p->activation == PARE_ACT_CLIP && (direct || !residual);
  t.leaky = p->activation == PARE_ACT_LEAKY && (direct || !residual);
  t.alpha = p->alpha;
  job->isa->tile[rows - 1][vectors - 1](&t);
  if (direct)
    return;
  for (int r = 0; residual && r < rows; r++)
    for (int s = 0; s < n_segments; s++)
      {
        float *sum = room + r * t.ldc + segments[s].from;
        const float *more = residual + r * positions + segments[s].to;
        for (int64_t i = 0; i < segments[s].n; i++)
          sum[i] += more[i];
      }
  if (!simple || residual) /* of what is dropped, too: whole vectors take less */
    pare_rt_activate (room, rows * t.ldc, p->activation, p->lo, p->hi, p->alpha);
  for (int r = 0; r < rows; r++, y += positions)
    for (int s = 0; s < n_segments; s++)
      copy_floats (y + segments[s].to, room + r * t.ldc + segments[s].from, segments[s].n);
}

static inline int
vectors_now (const PareRtIsa *isa, int64_t left)
{
  /* no lone vector at the end where two pairs do */
  return left <= isa->vectors ? (int)left : left == isa->vectors + 1 ? (isa->vectors + 1) / 2 : isa->vectors;
}

static int64_t
first_column (const ConvJob *job, int64_t block)
{
  int64_t positions = job->g.out[0] * job->g.out[1] * job->g.out[2];
  return job->pointwise ? (positions + job->grain - 1) / job->grain * block / job->col_blocks * job->grain : block * job->block.cols;
}

static void
block_task (int64_t index, int worker, void *arg)
{
  const ConvJob *job = arg;
  const ConvGeometry *g = &job->g;
  int64_t mb = index % job->m_blocks, rest = index / job->m_blocks;
  int64_t cb = rest % job->col_blocks, rb = rest / job->col_blocks % job->row_blocks;
  rest = rest / job->col_blocks / job->row_blocks;
  int64_t oz = job->pointwise ? 0 : rest % g->out[0], ng = job->pointwise ? rest : rest / g->out[0], n = ng / g->group,
          group = ng % g->group;
  int64_t positions = g->out[0] * g->out[1] * g->out[2], in_plane = g->in[0] * g->in[1] * g->in[2], lanes = job->isa->lanes;
  const float *x = job->x + (n * g->c + group * job->cg) * in_plane;
  float *area = (float *)(job->scratch + job->taps * sizeof (int64_t)) + worker * job->each;
  static const int64_t here = 0;
  Task task = { .job = job, .panel = area };
  int64_t wide = job->pointwise ? positions : g->out[2], col0 = first_column (job, cb);
  task.cols = (cb + 1 < job->col_blocks ? first_column (job, cb + 1) : wide) - col0;
  task.y_at = (n * g->m + group * job->mg) * positions + col0;
  if (job->pointwise)
    {
      task.input = x + col0;
      task.rows = 1;
      task.channel_stride = positions;
      task.taps = &here;
      task.n_taps = 1;
      task.vectors = (task.cols + lanes - 1) / lanes;
    }
  else
    {
      float *packed = area + (job->packed ? 0 : (job->terms * job->isa->rows + 15) / 16 * 16);
      int64_t row0 = rb * job->block.rows, rows = g->out[1] - row0 < job->block.rows ? g->out[1] - row0 : job->block.rows;
      pare_rt_conv_fill (g, &job->block, x, job->x_end, job->cg, oz, row0, rows, col0, task.cols, 0, packed);
      task.input = packed;
      task.rows = rows;
      task.channel_stride = job->block.channel;
      task.taps = (const int64_t *)job->scratch;
      task.n_taps = g->k[0] * g->k[1] * g->k[2];
      task.y_at += (oz * g->out[1] + row0) * g->out[2];
      task.vectors = job->flat ? ((rows - 1) * job->block.pitch + g->out[2] + lanes - 1) / lanes : rows * ((task.cols + lanes - 1) / lanes);
    }
  int64_t tile0 = job->m_tiles * mb / job->m_blocks, tile1 = job->m_tiles * (mb + 1) / job->m_blocks, group0 = group * job->mg;
  int64_t first = conv_tile_start (job->mg, job->m_tiles, tile0), last = conv_tile_start (job->mg, job->m_tiles, tile1);
  /* Weights that stay in the cache are walked for each tile of positions, larger ones once. */
  bool once = !job->packed || (last - first) * job->terms > 65536;
  for (int64_t i = tile0; once && i < tile1; i++)
    {
      int64_t m = conv_tile_start (job->mg, job->m_tiles, i);
      int rows = (int)(conv_tile_start (job->mg, job->m_tiles, i + 1) - m);
      const float *a = weights (&task, group0 + m, rows);
      for (int64_t q = 0; q < task.vectors;)
        {
          int vectors = vectors_now (job->isa, task.vectors - q);
          tile (&task, q, vectors, group0, m, rows, a);
          q += vectors;
        }
    }
  for (int64_t q = 0; !once && q < task.vectors;)
    {
      int vectors = vectors_now (job->isa, task.vectors - q);
      for (int64_t i = tile0; i < tile1; i++)
        {
          int64_t m = conv_tile_start (job->mg, job->m_tiles, i);
          int rows = (int)(conv_tile_start (job->mg, job->m_tiles, i + 1) - m);
          tile (&task, q, vectors, group0, m, rows, weights (&task, group0 + m, rows));
        }
      q += vectors;
    }
}

void
pare_rt_conv_direct (ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  if (!job->pointwise)
    pare_rt_conv_taps (g, &job->block, (int64_t *)job->scratch);
  int64_t tasks = g->n * g->group * (job->pointwise ? 1 : g->out[0]) * job->row_blocks * job->col_blocks * job->m_blocks;
  pare_rt_parallel_if (!job->serial, tasks, block_task, job);
}
