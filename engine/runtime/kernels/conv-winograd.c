/* Convolutions of 3 x 3 with a step of one by Winograd's algorithm F(m x m, 3 x 3): m x m results of a tile cost (m + 2)^2 products for
 * each pair of channels instead of 9 m^2. A band of tiles is transformed, multiplied (the tiles of tile.h, positions being tiles) and
 * transformed back while it is in the cache. Weights are transformed when they are packed, and grow: 16 or 36 floats for 9. Whoever has no
 * room for that runs without packed weights.
 *
 * Every sum is the same whatever the band and whoever computes it. */
#include "engine/runtime/kernels/conv.h"

#define ROOT 1.41421356237309505f
#define BAND_FLOATS 131072 /* of transformed input: half of a second-level cache */
#define MOST_SIZE 6

static int64_t
divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

/* What reading weights takes, in vectors multiplied: many do not stay in the cache from one run to the next. */
static double
reading (double bytes)
{
  return bytes / (bytes > 2 << 20 ? 5 : 12);
}

/* Rows of tiles lie one behind another along vectors where each alone would leave too much of its last one empty. */
static bool
rows_join (const ConvJob *job, int64_t across)
{
  int64_t lanes = job->isa->lanes;
  return divide_up (across, lanes) * lanes * 4 > across * 5;
}

/* By the layer and the CPU's vectors alone, for the same layer has the same bits however it is run. Counted in multiplications of a vector,
 * two of which fit a cycle; what the transforms take was measured. */
int
pare_rt_winograd_choose (const ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  if (g->group != 1 || g->in[0] != 1 || g->k[0] != 1 || g->out[0] != 1 || g->pad[0] || g->pad_end[0])
    return 0;
  for (int i = 1; i < 3; i++)
    if (g->k[i] != 3 || g->stride[i] != 1 || g->dil[i] != 1 || g->out[i] < 1)
      return 0;
  if (g->out[1] > 65536 || g->out[2] > 65536 || g->n > 65536 || g->c > 65536 || g->m > 65536 || g->pad[1] > 65536 || g->pad[2] > 65536)
    return 0;
  double lanes = job->isa->lanes, c = (double)g->c, m_out = (double)g->m, positions = (double)(g->n * g->out[1] * g->out[2]);
  double least = positions / lanes * 1.15 * 9 * c * m_out + reading (36 * c * m_out);
  int best = 0;
  for (int m = 2; m <= 4; m += 2)
    {
      int64_t across = divide_up (g->out[2], m), down = divide_up (g->out[1], m);
      double size = (m + 2) * (m + 2), vectors = (double)divide_up (g->n * across * down, job->isa->lanes);
      double in = (rows_join (job, across) ? vectors * 2.5 : (double)(g->n * down * divide_up (across, job->isa->lanes))) * c;
      in *= m == 2 ? 90 : 220;
      double back = vectors * m_out * (m == 2 ? 160 : 360);
      double cost = vectors * size * c * m_out * 1.05 + in + back + reading (4 * size * c * m_out);
      if (cost < least)
        {
          least = cost;
          best = m;
        }
    }
  return best;
}

/* Floats of a worker: transformed input, sums of a tile of rows, lines of input with their padding, lines under a vector of tiles. */
static int64_t
input_apart (const ConvJob *job)
{
  return job->g.c * job->band + PARE_RT_MAX_LANES;
}

static int64_t
sums_apart (const ConvJob *job)
{
  return job->isa->rows * job->band + PARE_RT_MAX_LANES;
}

static int64_t
line_floats (const ConvJob *job)
{
  int64_t lanes = job->isa->lanes, vectors = divide_up (job->across, lanes) + 1, needed = job->g.pad[2] + job->g.in[2];
  int64_t read = (vectors * lanes + 1) * job->winograd + lanes;
  return ((needed > read ? needed : read) + 15) / 16 * 16;
}

static int64_t
joined_floats (const ConvJob *job)
{
  return job->winograd * job->isa->lanes + 16;
}

bool
pare_rt_winograd_cut (ConvJob *job, int workers)
{
  const ConvGeometry *g = &job->g;
  int64_t lanes = job->isa->lanes, m = job->winograd, size = (m + 2) * (m + 2);
  job->across = divide_up (g->out[2], m);
  job->down = divide_up (g->out[1], m);
  job->tiles = g->n * job->across * job->down;
  job->m_tiles = divide_up (job->mg, job->isa->rows);
  job->serial = workers == 1 || conv_is_small (job);
  int64_t most = BAND_FLOATS / (size * g->c) / lanes * lanes, vectors = job->isa->vectors * lanes;
  if (most > vectors)
    most -= most % vectors;
  if (most < lanes || size * g->c * g->m > BAND_FLOATS * 4) /* large weights are read as seldom as can be */
    most = most < vectors ? vectors : most;
  job->bands = divide_up (job->tiles, most);
  if (!job->serial && job->bands < workers && size * g->c * g->m * 4 <= 1 << 20)
    job->bands = job->tiles < workers * lanes ? divide_up (job->tiles, lanes) : workers;
  job->band = divide_up (divide_up (job->tiles, job->bands), lanes) * lanes;
  job->bands = divide_up (job->tiles, job->band);
  job->m_blocks = 1;
  if (!job->serial && job->bands < workers) /* each transforms all of the band, and multiplies a part of the channels */
    job->m_blocks = job->m_tiles < workers ? job->m_tiles : workers;
  int64_t each;
  if (__builtin_mul_overflow (size, input_apart (job) + sums_apart (job), &each) || each > INT64_MAX / 2048
      || line_floats (job) > INT64_MAX / 65536)
    return false;
  job->taps = 0;
  job->each = (each + (m + 3) * line_floats (job) + 2 * (m + 2) * joined_floats (job) + CONV_SLACK + 15) / 16 * 16;
  return true;
}

static void
weights_1d (int m, const float *g, float *o, int step)
{
  if (m == 2)
    {
      float sum = g[0] + g[2];
      o[0] = g[0];
      o[step] = 0.5f * (sum + g[1]);
      o[2 * step] = 0.5f * (sum - g[1]);
      o[3 * step] = g[2];
      return;
    }
  float even = 2 * g[0] + g[2], odd = ROOT * g[1], even_2 = 2 * g[2] + g[0];
  o[0] = g[0];
  o[step] = -1 / 3.0f * (even + odd);
  o[2 * step] = -1 / 3.0f * (even - odd);
  o[3 * step] = 1 / 6.0f * (even_2 + odd);
  o[4 * step] = 1 / 6.0f * (even_2 - odd);
  o[5 * step] = g[2];
}

/* [tile of rows][(m + 2)^2][channel][row]; see conv_tile_start */
int64_t
pare_rt_winograd_pack (const ConvJob *job, const float *w, float *to)
{
  int m = job->winograd, edge = m + 2, size = edge * edge;
  for (int64_t i = 0; to && i < job->m_tiles; i++)
    {
      int64_t first = conv_tile_start (job->mg, job->m_tiles, i), rows = conv_tile_start (job->mg, job->m_tiles, i + 1) - first;
      float *tile = to + first * size * job->cg;
      for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < job->cg; c++)
          {
            const float *g = w + ((first + r) * job->cg + c) * 9;
            float half[3 * MOST_SIZE], column[3], all[MOST_SIZE];
            for (int y = 0; y < 3; y++)
              weights_1d (m, g + y * 3, half + y * edge, 1);
            for (int x = 0; x < edge; x++)
              {
                for (int y = 0; y < 3; y++)
                  column[y] = half[y * edge + x];
                weights_1d (m, column, all, 1);
                for (int y = 0; y < edge; y++)
                  tile[((y * edge + x) * job->cg + c) * rows + r] = all[y];
              }
          }
    }
  return job->g.m * job->cg * size;
}

typedef struct
{
  const ConvJob *job;
  int64_t first, n, whole; /* tiles; whole: whole vectors of them */
  float *v, *sums, *lines, *joined;
  int64_t length; /* of a line */
} Band;

/* A tile. */
typedef struct
{
  int64_t x, y, image;
} Place;

static inline Place
place_of (const ConvJob *job, int64_t tile)
{
  int64_t row = tile / job->across;
  return (Place){ tile % job->across, row % job->down, row / job->down };
}

/* n tiles on, at most up to the next row of them. */
static inline void
move_on (const ConvJob *job, Place *at, int64_t n)
{
  if ((at->x += n) < job->across)
    return;
  at->x = 0;
  if (++at->y < job->down)
    return;
  at->y = 0;
  at->image++;
}

/* The lines under a row of tiles of a channel, padded. They are kept from one row of tiles to the next: have says which. */
static inline void
find_lines (const Band *band, const float *plane, int64_t ty, int64_t *have, const float **line)
{
  const ConvJob *job = band->job;
  const ConvGeometry *g = &job->g;
  int m = job->winograd, slot = (int)((uint32_t)ty * (uint32_t)m % (uint32_t)(m + 2));
  int64_t length = band->length, row = ty * m - g->pad[1];
  for (int i = 0; i < m + 2; i++, row++)
    {
      float *at = band->lines + slot * length;
      if (row < 0 || row >= g->in[1])
        line[i] = band->lines + (m + 2) * length; /* zeros */
      else
        {
          if (have[slot] != row)
            memcpy (at + g->pad[2], plane + row * g->in[2], (size_t)g->in[2] * sizeof (float));
          have[slot] = row;
          line[i] = at;
        }
      slot = slot == m + 1 ? 0 : slot + 1;
    }
}

typedef float Floats __attribute__ ((vector_size (64), aligned (4), may_alias));

/* Tiles of a row of them, from column tx on, as lines that lie one behind another for all tiles of a vector: their columns, and the same
 * from column m on. */
static inline __attribute__ ((always_inline)) void
join_lines (const int m, const float *const *line, int64_t tx, int64_t n, float *joined, int64_t apart)
{
  for (int i = 0; i < m + 2; i++)
    for (int64_t f = 0; f < n * m; f += 16) /* both have room for the rest */
      {
        const float *from = line[i] + tx * m + f;
        *(Floats *)(joined + i * apart + f) = *(const Floats *)from;
        *(Floats *)(joined + (m + 2 + i) * apart + f) = *(const Floats *)(from + m);
      }
}

/* Rows of tiles one behind another in each vector. */
static inline __attribute__ ((always_inline)) void
transform_joined (const int m, const Band *band)
{
  const ConvJob *job = band->job;
  const Place first = place_of (job, band->first);
  int64_t lanes = job->isa->lanes, across = job->across, apart = joined_floats (job), plane = job->g.in[1] * job->g.in[2];
  const float *line[MOST_SIZE], *joined[2 * MOST_SIZE];
  for (int i = 0; i < 2 * (m + 2); i++)
    joined[i] = band->joined + i * apart;
  for (int64_t c = 0; c < job->cg; c++)
    {
      int64_t have[MOST_SIZE], before = -1, lane = 0;
      float *to = band->v + c * band->whole;
      Place at = first;
      for (int64_t t = 0, n; t < band->n; t += n)
        {
          n = across - at.x < band->n - t ? across - at.x : band->n - t;
          n = n < lanes - lane ? n : lanes - lane;
          for (int i = 0; at.image != before && i < m + 2; i++)
            have[i] = -1;
          before = at.image;
          find_lines (band, job->x + (at.image * job->g.c + c) * plane, at.y, have, line);
          join_lines (m, line, at.x, n, band->joined + lane * m, apart);
          move_on (job, &at, n);
          if ((lane += n) < lanes && t + n < band->n)
            continue;
          job->isa->winograd_in (m, joined, joined + m + 2, lanes, to, input_apart (job));
          to += lanes;
          lane = 0;
        }
    }
}

/* Each row of tiles for itself. Whole vectors are written: what is too much is overwritten by the tiles that follow. */
static void
transform_rows (const Band *band)
{
  const ConvJob *job = band->job;
  const Place first = place_of (job, band->first);
  int m = job->winograd;
  int64_t plane = job->g.in[1] * job->g.in[2];
  const float *line[2 * MOST_SIZE];
  for (int64_t c = 0; c < job->cg; c++)
    {
      int64_t have[MOST_SIZE], before = -1;
      Place at = first;
      for (int64_t t = 0, n; t < band->n; t += n)
        {
          n = job->across - at.x < band->n - t ? job->across - at.x : band->n - t;
          for (int i = 0; at.image != before && i < m + 2; i++)
            have[i] = -1;
          before = at.image;
          find_lines (band, job->x + (at.image * job->g.c + c) * plane, at.y, have, line);
          for (int i = 0; i < m + 2; i++)
            {
              line[i] += at.x * m;
              line[m + 2 + i] = line[i] + m;
            }
          job->isa->winograd_in (m, line, line + m + 2, n, band->v + c * band->whole + t, input_apart (job));
          move_on (job, &at, n);
        }
    }
}

PARE_RT_CLONES static void
transform_band (const Band *band)
{
  const ConvJob *job = band->job;
  if (!rows_join (job, job->across))
    transform_rows (band);
  else if (job->winograd == 2)
    transform_joined (2, band);
  else
    transform_joined (4, band);
}

static int
find_spans (const Band *band, int64_t vector, PareRtSpan *spans)
{
  const ConvJob *job = band->job;
  const ConvGeometry *g = &job->g;
  int64_t m = job->winograd, at = vector * job->isa->lanes, end = band->n < at + job->isa->lanes ? band->n : at + job->isa->lanes;
  Place tile = place_of (job, band->first + at);
  int n_spans = 0;
  for (int64_t i = at, n; i < end; i += n)
    {
      int64_t x = tile.x * m, y = tile.y * m;
      n = job->across - tile.x < end - i ? job->across - tile.x : end - i;
      int64_t columns = g->out[2] - x < n * m ? g->out[2] - x : n * m, rows = g->out[1] - y < m ? g->out[1] - y : m;
      spans[n_spans++] = (PareRtSpan){ .lane = (int32_t)(i - at),
                                       .columns = (int32_t)columns,
                                       .rows = (int32_t)rows,
                                       .at = (tile.image * g->m * g->out[1] + y) * g->out[2] + x };
      move_on (job, &tile, n);
    }
  return n_spans;
}

static inline int64_t
vectors_now (const PareRtIsa *isa, int64_t left)
{
  return left <= isa->vectors ? left : left == isa->vectors + 1 ? (isa->vectors + 1) / 2 : isa->vectors;
}

/* Channels first..first + rows of output. */
static void
multiply (const Band *band, int64_t first, int rows)
{
  const ConvJob *job = band->job;
  const PareConvParams *p = job->p;
  int64_t m = job->winograd, size = (m + 2) * (m + 2), lanes = job->isa->lanes, positions = job->g.out[1] * job->g.out[2];
  int64_t vectors = band->whole / lanes, apart = sums_apart (job);
  static const int64_t here = 0;
  for (int64_t s = 0; s < size; s++)
    for (int64_t q = 0, n; q < vectors; q += n)
      {
        n = vectors_now (job->isa, vectors - q);
        PareRtTile t = { .channels = job->cg,
                         .channel_stride = band->whole,
                         .taps = &here,
                         .n_taps = 1,
                         .a = job->packed + (first * size + s * rows) * job->cg,
                         .c = band->sums + s * apart,
                         .ldc = band->whole };
        for (int64_t v = 0; v < n; v++)
          {
            t.at[v] = (q + v) * lanes;
            t.b[v] = band->v + s * input_apart (job) + t.at[v];
          }
        job->isa->tile[rows - 1][n - 1](&t);
      }
  bool simple = p->activation == PARE_ACT_NONE || p->activation == PARE_ACT_CLIP || p->activation == PARE_ACT_LEAKY;
  for (int64_t q = 0; q < vectors; q++)
    {
      PareRtSpan spans[PARE_RT_MAX_LANES];
      PareRtWinogradOut o = { .apart = apart,
                              .pitch = job->g.out[2],
                              .spans = spans,
                              .n_spans = find_spans (band, q, spans),
                              .clip = p->activation == PARE_ACT_CLIP,
                              .leaky = p->activation == PARE_ACT_LEAKY,
                              .lo = p->lo,
                              .hi = p->hi,
                              .alpha = p->alpha };
      for (int64_t r = 0; r < rows; r++)
        {
          o.bias = job->b ? job->b[first + r] : 0;
          o.y = job->y + (first + r) * positions;
          o.residual = job->residual ? job->residual + (first + r) * positions : NULL;
          job->isa->winograd_out ((int)m, &o, band->sums + r * band->whole + q * lanes);
          for (int s = 0; !simple && s < o.n_spans; s++)
            for (int row = 0; row < spans[s].rows; row++)
              pare_rt_activate (o.y + spans[s].at + row * o.pitch, spans[s].columns, p->activation, p->lo, p->hi, p->alpha);
        }
    }
}

static void
band_task (int64_t index, int worker, void *arg)
{
  const ConvJob *job = arg;
  int64_t block = index % job->m_blocks, m = job->winograd, size = (m + 2) * (m + 2), lanes = job->isa->lanes;
  Band band = { .job = job, .first = index / job->m_blocks * job->band };
  band.n = job->tiles - band.first < job->band ? job->tiles - band.first : job->band;
  band.whole = divide_up (band.n, lanes) * lanes;
  band.v = (float *)job->scratch + worker * job->each;
  band.sums = band.v + size * input_apart (job);
  band.lines = band.sums + size * sums_apart (job);
  band.length = line_floats (job);
  band.joined = band.lines + (m + 3) * band.length;
  memset (band.lines, 0, (size_t)((m + 3) * band.length + 2 * (m + 2) * joined_floats (job)) * sizeof (float));
  transform_band (&band);
  for (int64_t i = job->m_tiles * block / job->m_blocks; i < job->m_tiles * (block + 1) / job->m_blocks; i++)
    {
      int64_t first = conv_tile_start (job->mg, job->m_tiles, i);
      multiply (&band, first, (int)(conv_tile_start (job->mg, job->m_tiles, i + 1) - first));
    }
}

void
pare_rt_conv_winograd (ConvJob *job)
{
  pare_rt_parallel_if (!job->serial, job->bands * job->m_blocks, band_task, job);
}
