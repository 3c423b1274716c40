/* BlockGemm: floats by weights of blocks of codes, see PareBlockGemmParams. A few rows take the codes as they lie, and as long as those
 * take to come: a column is read once, and becomes floats in registers. More rows share panels of columns that were made floats. */
#include "engine/runtime/kernels/move.h"
#include "engine/runtime/kernels/tile.h"

#define FEW_ROWS 36         /* from which on a panel pays */
#define DEPTH 256           /* of a panel */
#define SERIAL_WORK 150000  /* multiplications that are not worth waking anybody */
#define SERIAL_VECTOR 50000 /* those of a few rows */

typedef struct
{
  const PareBlockGemmParams *p;
  PareRtBlocks t;
  const PareRtIsa *isa;
  const float *x;
  PareRtGemmAfter after;
  int64_t m, n, k;
  int64_t share;          /* columns of a task */
  uint64_t at_sums, room; /* of the scratch: of all rows, or of a worker's panel */
  bool few;
  char *scratch;
} Job;

static bool
is_power (int64_t n)
{
  return n > 0 && (n & (n - 1)) == 0;
}

static PareRtStatus
read_operands (Job *j, const PareBlockGemmParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  REQUIRE (p && n_in >= 3 && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && in[1].dtype == PARE_DTYPE_UINT8 && is_f32 (&in[2]) && is_f32 (&out[0]));
  int rank = in[0].shape.rank;
  const int64_t *w = in[1].shape.dims;
  REQUIRE (rank >= 2 && in[1].shape.rank == 3 && out[0].shape.rank == rank);
  REQUIRE (p->bits == 2 || p->bits == 4 || p->bits == 8);
  int64_t m = product (&in[0].shape, 0, rank - 1), k = in[0].shape.dims[rank - 1], n = w[0], blocks = w[1], bytes = w[2];
  REQUIRE (is_power (bytes) && bytes >= 4 && bytes <= 1 << 24 && blocks >= 1 && blocks <= 1 << 24 && k >= 1 && k <= 1 << 30);
  int64_t block = bytes * 8 / p->bits;
  REQUIRE (k <= blocks * block && k > (blocks - 1) * block);
  REQUIRE (product (&out[0].shape, 0, rank - 1) == m && out[0].shape.dims[rank - 1] == n);
  REQUIRE (count_of (&in[2]) == n * blocks);
  REQUIRE (!given (in, n_in, 3) || (is_f32 (&in[3]) && count_of (&in[3]) == n * blocks));
  REQUIRE (!given (in, n_in, 4) || (is_f32 (&in[4]) && count_of (&in[4]) == n));
  REQUIRE (!given (in, n_in, 5) || (is_f32 (&in[5]) && same_shape (&in[5], &out[0])));
  *j = (Job){
    .p = p,
    .t = { .codes = in[1].data,
           .row_bytes = blocks * bytes,
           .used = (k * p->bits + 31) / 32 * 4,
           .bits = p->bits,
           .log_bytes = __builtin_ctzll ((unsigned long long)bytes),
           .blocks = blocks,
           .scale = in[2].data,
           .offset = given (in, n_in, 3) ? in[3].data : NULL,
           .y = out[0].data,
           .ldy = n },
    .isa = pare_rt_isa (),
    .x = in[0].data,
    .after = { .alpha = 1,
               .beta = 1,
               .c = given (in, n_in, 4) ? in[4].data : NULL,
               .residual = given (in, n_in, 5) ? in[5].data : NULL,
               .col_stride = 1,
               .activation = p->activation,
               .lo = p->lo,
               .hi = p->hi,
               .act_alpha = p->act_alpha },
    .m = m,
    .n = n,
    .k = k,
    .few = m < FEW_ROWS,
  };
  const int64_t lanes = j->isa->lanes, lines = (j->t.used + 4 * lanes - 1) / (4 * lanes);
  j->t.x_apart = lines * lanes * 32 / p->bits;
  j->t.sums_apart = (blocks + lanes - 1) / lanes * lanes;
  if (j->few)
    {
      j->at_sums = (uint64_t)(m * j->t.x_apart) * sizeof (float);
      j->room = j->at_sums + (uint64_t)(given (in, n_in, 3) ? m * j->t.sums_apart : 0) * sizeof (float);
    }
  else
    j->room = 2 * (uint64_t)(DEPTH * PARE_RT_TILE_VECTORS * PARE_RT_MAX_LANES) * sizeof (float);
  return PARE_RT_OK;
}

/* A row of x in the order of lines. */
PARE_RT_CLONES static void
turn_row (const float *x, int64_t k, int64_t lanes, int64_t codes, int64_t n, float *to)
{
  for (int64_t line = 0; line < n; line += lanes * codes, to += lanes * codes)
    for (int64_t c = 0; c < codes; c++)
      for (int64_t l = 0; l < lanes; l++)
        {
          int64_t at = line + l * codes + c;
          to[c * lanes + l] = at < k ? x[at] : 0;
        }
}

static void
lay_out_rows (Job *j)
{
  float *turned = (float *)j->scratch, *sums = (float *)(j->scratch + j->at_sums);
  int64_t block = ((int64_t)8 << j->t.log_bytes) / j->t.bits;
  for (int64_t r = 0; r < j->m; r++)
    {
      const float *x = j->x + r * j->k;
      turn_row (x, j->k, j->isa->lanes, 32 / j->t.bits, j->t.x_apart, turned + r * j->t.x_apart);
      for (int64_t b = 0; j->t.offset && b < j->t.sums_apart; b++)
        {
          int64_t left = j->k - b * block;
          sums[r * j->t.sums_apart + b] = left > 0 ? j->isa->sum (x + b * block, left < block ? left : block) : 0;
        }
    }
  j->t.x = turned;
  j->t.sums = sums;
}

static void
few_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t from = task * j->share, to = from + j->share < j->n ? from + j->share : j->n;
  for (int64_t r = 0; r < j->m;)
    {
      int64_t groups = (j->m - r + PARE_RT_BLOCK_ROWS - 1) / PARE_RT_BLOCK_ROWS, rows = (j->m - r + groups - 1) / groups;
      PareRtBlocks t = j->t;
      t.x += r * t.x_apart;
      t.sums += t.offset ? r * t.sums_apart : 0;
      t.y += r * t.ldy;
      j->isa->blocks (&t, from, to, (int)rows);
      r += rows;
    }
  pare_rt_gemm_after (&j->after, j->t.y, j->n, 0, j->m, from, to - from);
}

/* Codes from..from+n-1 of a column, as floats; both even numbers of bytes in, within one block. */
PARE_RT_CLONES static void
make_floats (const uint8_t *codes, int bits, int64_t n, float scale, float offset, float *to)
{
  if (bits == 8)
    for (int64_t i = 0; i < n; i++)
      to[i] = (float)(codes[i] - 128) * scale + offset;
  else if (bits == 4)
    for (int64_t i = 0; i < n / 2; i++)
      {
        to[2 * i] = (float)((codes[i] & 15) - 8) * scale + offset;
        to[2 * i + 1] = (float)((codes[i] >> 4) - 8) * scale + offset;
      }
  else
    for (int64_t i = 0; i < n; i++)
      to[i] = (float)((codes[i / 4] >> (i % 4 * 2) & 3) - 2) * scale + offset;
}

/* Depths p0..p0+depth-1 of some columns, as [depth][width]. */
static void
make_panel (const Job *j, int64_t j0, int64_t columns, int64_t width, int64_t p0, int64_t depth, float *rows, float *panel)
{
  const int64_t block = ((int64_t)8 << j->t.log_bytes) / j->t.bits, size = sizeof (float), end = j->t.blocks * block;
  for (int64_t c = 0; c < columns; c++)
    for (int64_t p = p0; p < p0 + DEPTH && p < end;)
      {
        int64_t b = p / block, stop = (b + 1) * block < p0 + DEPTH ? (b + 1) * block : p0 + DEPTH, at = (j0 + c) * j->t.blocks + b;
        make_floats (j->t.codes + (j0 + c) * j->t.row_bytes + p * j->t.bits / 8, j->t.bits, stop - p, j->t.scale[at],
                     j->t.offset ? j->t.offset[at] : 0, rows + c * DEPTH + (p - p0));
        p = stop;
      }
  const int64_t dims[2] = { depth, columns }, from[2] = { size, DEPTH * size }, turned[2] = { width * size, size };
  pare_rt_move (2, dims, rows, from, panel, turned, size);
  for (int64_t p = 0; columns < width && p < depth; p++)
    memset (panel + p * width + columns, 0, (size_t)((width - columns) * size));
}

static void
panel_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  const PareRtIsa *isa = j->isa;
  float apart[PARE_RT_TILE_ROWS * PARE_RT_TILE_VECTORS * PARE_RT_MAX_LANES] __attribute__ ((aligned (64)));
  float *rows = (float *)(j->scratch + (uint64_t)worker * j->room), *panel = rows + DEPTH * PARE_RT_TILE_VECTORS * PARE_RT_MAX_LANES;
  int64_t from = task * j->share, columns = j->n - from < j->share ? j->n - from : j->share;
  int vectors = (int)((columns + isa->lanes - 1) / isa->lanes);
  int64_t width = vectors * isa->lanes, tiles = (j->m + isa->rows - 1) / isa->rows;
  for (int64_t p = 0; p < j->k; p += DEPTH)
    {
      int64_t depth = j->k - p < DEPTH ? j->k - p : DEPTH;
      make_panel (j, from, columns, width, p, depth, rows, panel);
      for (int64_t i = 0; i < tiles; i++)
        {
          int64_t first = j->m * i / tiles, some = j->m * (i + 1) / tiles - first;
          float *c = j->t.y + first * j->n + from;
          bool fits = columns == width;
          PareRtDirect t = { .a = j->x + first * j->k + p,
                             .b = panel,
                             .lda = j->k,
                             .k = depth,
                             .c = fits ? c : apart,
                             .ldc = fits ? j->n : width,
                             .add = p > 0 };
          for (int64_t r = 0; !fits && r < some; r++)
            for (int64_t l = 0; l < width; l++)
              apart[r * width + l] = t.add && l < columns ? c[r * j->n + l] : 0;
          isa->direct[some - 1][vectors - 1](&t);
          for (int64_t r = 0; !fits && r < some; r++)
            memcpy (c + r * j->n, apart + r * width, (size_t)columns * sizeof (float));
        }
    }
  pare_rt_gemm_after (&j->after, j->t.y, j->n, 0, j->m, from, columns);
}

KERNEL (pare_rt_k_block_gemm)
{
  Job j;
  PareRtStatus status = read_operands (&j, params, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  if (j.m <= 0 || j.n <= 0)
    return PARE_RT_OK;
  j.scratch = scratch;
  int workers = pare_rt_workers ();
  bool shared = workers > 1 && (double)j.m * (double)j.n * (double)j.k >= (j.m <= 3 ? SERIAL_VECTOR : SERIAL_WORK);
  if (j.few)
    {
      lay_out_rows (&j);
      int64_t tasks = shared ? 4 * workers : 1;
      j.share = (j.n + tasks - 1) / tasks;
    }
  else
    j.share = (int64_t)j.isa->vectors * j.isa->lanes;
  pare_rt_parallel_if (shared, (j.n + j.share - 1) / j.share, j.few ? few_task : panel_task, &j);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_block_gemm)
{
  Job j;
  if (read_operands (&j, params, in, n_in, out, n_out) != PARE_RT_OK)
    return 0;
  return j.few ? j.room : j.room * (uint64_t)pare_rt_workers ();
}
