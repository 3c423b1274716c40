/* The matrix kernel under Gemm, MatMul, ConvTranspose and the recurrent layers: panels of b's columns, packed once where b is constant, by
 * tiles of a's rows. Every output is summed in the order of k, whatever the blocking. */
#include "engine/runtime/kernels/tile.h"

/* Columns of the panel that begins at column j: all of a tile's, or as many vectors as the last ones fill. */
static int64_t
panel_width (const PareRtIsa *isa, int64_t n, int64_t j)
{
  int64_t nr = isa->vectors * isa->lanes, left = n - j;
  return left >= nr ? nr : (left + isa->lanes - 1) / isa->lanes * isa->lanes;
}

/* One panel, [kc][width]: w columns from b on, depths [0, kc); columns beyond are zero. */
PARE_RT_CLONES static void
pack_panel (const float *b, int64_t rsb, int64_t csb, int64_t kc, int64_t w, int64_t width, float *to)
{
  if (csb == 1)
    for (int64_t p = 0; p < kc; p++, to += width)
      {
        for (int64_t x = 0; x < w; x++)
          to[x] = b[p * rsb + x];
        for (int64_t x = w; x < width; x++)
          to[x] = 0;
      }
  else
    for (int64_t p = 0; p < kc; p++, to += width)
      {
        for (int64_t x = 0; x < w; x++)
          to[x] = b[x * csb + p * rsb];
        for (int64_t x = w; x < width; x++)
          to[x] = 0;
      }
}

uint64_t
pare_rt_sgemm_pack (int64_t n, int64_t k, const float *b, int64_t rsb, int64_t csb, float *to)
{
  const PareRtIsa *isa = pare_rt_isa ();
  int64_t nr = isa->vectors * isa->lanes, floats = 0;
  for (int64_t j = 0; j < n; j += nr)
    {
      int64_t width = panel_width (isa, n, j), w = n - j < nr ? n - j : nr;
      if (to)
        pack_panel (b + j * csb, rsb, csb, k, w, width, to + floats);
      floats += k * width;
    }
  return (uint64_t)floats * sizeof (float);
}

typedef struct
{
  int64_t m, n, k, lda, rsb, csb, ldc, col_block, col_blocks, row_block;
  const float *a, *b, *packed;
  float *c;
  const PareRtGemmAfter *after;
  char *scratch;
  const PareRtIsa *isa;
} Job;

PARE_RT_CLONES void
pare_rt_gemm_after (const PareRtGemmAfter *f, float *c, int64_t ldc, int64_t i0, int64_t i1, int64_t j0, int64_t cols)
{
  for (int64_t i = i0; f && i < i1; i++)
    {
      float *row = c + i * ldc + j0;
      if (f->alpha != 1)
        for (int64_t x = 0; x < cols; x++)
          row[x] *= f->alpha;
      if (f->c && f->beta == 1 && f->col_stride)
        for (int64_t x = 0; x < cols; x++)
          row[x] += f->c[i * f->row_stride + j0 + x];
      else if (f->c)
        for (int64_t x = 0; x < cols; x++)
          row[x] += f->beta * f->c[i * f->row_stride + (j0 + x) * f->col_stride];
      if (f->residual)
        for (int64_t x = 0; x < cols; x++)
          row[x] += f->residual[i * ldc + j0 + x];
      pare_rt_activate (row, cols, f->activation, f->lo, f->hi, f->act_alpha);
    }
}

/* rows of c by one panel; w of its columns are c's. */
static void
one_tile (const Job *j, int64_t kc, const float *a, int rows, const float *panel, int64_t width, int64_t w, float *c, bool add)
{
  static const int64_t here = 0;
  float room[PARE_RT_TILE_ROWS * PARE_RT_TILE_VECTORS * PARE_RT_MAX_LANES] __attribute__ ((aligned (64)));
  int lanes = j->isa->lanes, vectors = (int)(width / lanes);
  PareRtTile t = { .channels = kc, .channel_stride = width, .taps = &here, .n_taps = 1, .a = a, .add = add, .c = c, .ldc = j->ldc };
  for (int v = 0; v < vectors; v++)
    {
      t.b[v] = panel + v * lanes;
      t.at[v] = v * lanes;
    }
  if (w < width)
    {
      t.c = room;
      t.ldc = width;
      for (int r = 0; add && r < rows; r++)
        {
          memcpy (room + r * width, c + r * j->ldc, (size_t)w * sizeof (float));
          memset (room + r * width + w, 0, (size_t)(width - w) * sizeof (float));
        }
    }
  j->isa->tile[rows - 1][vectors - 1](&t);
  for (int r = 0; w < width && r < rows; r++)
    memcpy (c + r * j->ldc, room + r * width, (size_t)w * sizeof (float));
}

static void
block_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t j0 = task % j->col_blocks * j->col_block, i0 = task / j->col_blocks * j->row_block, nr = j->isa->vectors * j->isa->lanes;
  int64_t cols = j->n - j0 < j->col_block ? j->n - j0 : j->col_block, i1 = i0 + j->row_block < j->m ? i0 + j->row_block : j->m;
  float *rows_packed = (float *)(j->scratch + worker * PARE_RT_GEMM_SCRATCH), *pack = rows_packed + PARE_RT_KC * PARE_RT_TILE_ROWS;
  if (j->k == 0)
    for (int64_t i = i0; i < i1; i++)
      memset (j->c + i * j->ldc + j0, 0, (size_t)cols * sizeof (float));
  for (int64_t p0 = 0; p0 < j->k; p0 += PARE_RT_KC)
    {
      int64_t kc = j->k - p0 < PARE_RT_KC ? j->k - p0 : PARE_RT_KC, tiles = (i1 - i0 + j->isa->rows - 1) / j->isa->rows;
      for (int64_t x = 0; !j->packed && x < cols; x += nr)
        pack_panel (j->b + p0 * j->rsb + (j0 + x) * j->csb, j->rsb, j->csb, kc, cols - x < nr ? cols - x : nr,
                    panel_width (j->isa, cols, x), pack + x * kc);
      for (int64_t i = 0; i < tiles; i++)
        {
          int64_t first = i0 + (i1 - i0) * i / tiles, rows = i0 + (i1 - i0) * (i + 1) / tiles - first;
          const float *a = j->a + first * j->lda + p0;
          if (rows > 1)
            {
              float *to = rows_packed;
              for (int64_t p = 0; p < kc; p++)
                for (int64_t r = 0; r < rows; r++)
                  *to++ = a[r * j->lda + p];
              a = rows_packed;
            }
          for (int64_t x = 0; x < cols; x += nr)
            {
              int64_t width = panel_width (j->isa, cols, x), w = cols - x < nr ? cols - x : nr;
              const float *panel = j->packed ? j->packed + (j0 + x) * j->k + p0 * width : pack + x * kc;
              one_tile (j, kc, a, (int)rows, panel, width, w, j->c + first * j->ldc + j0 + x, p0 > 0);
            }
        }
    }
  pare_rt_gemm_after (j->after, j->c, j->ldc, i0, i1, j0, cols);
}

/* Sixteen partial sums, folded in a fixed order. */
PARE_RT_CLONES static float
dot (const float *a, const float *b, int64_t n)
{
  float s[16] = { 0 };
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int l = 0; l < 16; l++)
      s[l] += a[i + l] * b[i + l];
  for (int l = 0; i < n; i++, l++)
    s[l] += a[i] * b[i];
  for (int w = 8; w > 0; w /= 2)
    for (int l = 0; l < w; l++)
      s[l] += s[l + w];
  return s[0];
}

#define GEMV_COLUMNS 512

static void
vector_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t j0 = task * GEMV_COLUMNS, cols = j->n - j0 < GEMV_COLUMNS ? j->n - j0 : GEMV_COLUMNS;
  for (int64_t i = 0; i < j->m; i++)
    if (j->csb == 1)
      j->isa->row (j->a + i * j->lda, j->k, j->b + j0, j->rsb, j->c + i * j->ldc + j0, cols);
    else
      for (int64_t x = 0; x < cols; x++)
        j->c[i * j->ldc + j0 + x] = dot (j->a + i * j->lda, j->b + (j0 + x) * j->csb, j->k);
  pare_rt_gemm_after (j->after, j->c, j->ldc, 0, j->m, j0, cols);
}

#define SERIAL_WORK 150000  /* multiplications that are not worth waking anybody */
#define SERIAL_VECTOR 50000 /* those of a few rows, which take as long as the weights take to come */

void
pare_rt_sgemm_after (int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t rsb, int64_t csb,
                     const float *packed, float *c, int64_t ldc, const PareRtGemmAfter *after, void *scratch)
{
  Job job = { .m = m,
              .n = n,
              .k = k,
              .lda = lda,
              .rsb = rsb,
              .csb = csb,
              .ldc = ldc,
              .a = a,
              .b = b,
              .packed = packed,
              .c = c,
              .after = after,
              .scratch = scratch,
              .isa = pare_rt_isa () };
  if (m <= 0 || n <= 0)
    return;
  bool vector = m <= 3, shared = pare_rt_workers () > 1 && (double)m * (double)n * (double)k >= (vector ? SERIAL_VECTOR : SERIAL_WORK);
  /* Few rows of what is not packed: packing would cost more than it saves. */
  if (!packed && m <= 3 && (csb == 1 || rsb == 1))
    {
      pare_rt_parallel_if (shared, (n + GEMV_COLUMNS - 1) / GEMV_COLUMNS, vector_task, &job);
      return;
    }
  int64_t nr = job.isa->vectors * job.isa->lanes, wanted = shared ? (vector ? 1 : 3) * pare_rt_workers () : 1, row_blocks = 1;
  int64_t share = ((n + wanted - 1) / wanted + nr - 1) / nr * nr;
  job.col_block = shared && share < PARE_RT_NC && packed ? share : PARE_RT_NC;
  job.col_blocks = (n + job.col_block - 1) / job.col_block;
  if (job.col_blocks < wanted)
    {
      row_blocks = (m + 47) / 48;
      row_blocks = row_blocks > wanted / job.col_blocks ? wanted / job.col_blocks : row_blocks;
    }
  job.row_block = (m + row_blocks - 1) / row_blocks;
  pare_rt_parallel_if (shared, job.col_blocks * ((m + job.row_block - 1) / job.row_block), block_task, &job);
}

void
pare_rt_sgemm (int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t rsb, int64_t csb, float *c,
               int64_t ldc, void *scratch)
{
  pare_rt_sgemm_after (m, n, k, a, lda, b, rsb, csb, NULL, c, ldc, NULL, scratch);
}
