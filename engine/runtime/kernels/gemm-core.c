/* The matrix kernel under Conv, Gemm, MatMul and the recurrent layers: panels of B packed, rows of A as they lie,
 * one micro-kernel for each instruction set, chosen at run time. Every output is summed in the order of k, whatever the blocking. */
#include "engine/runtime/kernels/kernel.h"

#define NAME(x) base_##x
#define VLEN 4
#define TARGET
#include "engine/runtime/kernels/gemm-micro.inc.h"
#undef NAME
#undef VLEN
#undef TARGET

#if defined(__x86_64__)
#define NAME(x) avx2_##x
#define VLEN 8
#define TARGET __attribute__ ((target ("avx2,fma")))
#include "engine/runtime/kernels/gemm-micro.inc.h"
#undef NAME
#undef VLEN
#undef TARGET

#define NAME(x) avx512_##x
#define VLEN 16
#define TARGET __attribute__ ((target ("avx512f,avx2,fma")))
#include "engine/runtime/kernels/gemm-micro.inc.h"
#undef NAME
#undef VLEN
#undef TARGET
#endif

const PareRtGemmIsa *
pare_rt_gemm_isa (void)
{
  static const PareRtGemmIsa base = { 8, base_micro };
#if defined(__x86_64__)
  static const PareRtGemmIsa avx2 = { 16, avx2_micro }, avx512 = { 32, avx512_micro };
  if (__builtin_cpu_supports ("avx512f"))
    return &avx512;
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    return &avx2;
#endif
  return &base;
}

/* Panels of columns [j0, j0+cols) and depths [p0, p0+kc) of b; columns beyond are zero. */
static void
pack_b (const float *b, int64_t rsb, int64_t csb, int64_t p0, int64_t kc, int64_t j0, int64_t cols, int nr, float *to)
{
  for (int64_t j = 0; j < cols; j += nr, to += kc * nr)
    {
      int64_t w = cols - j < nr ? cols - j : nr;
      const float *from = b + p0 * rsb + (j0 + j) * csb;
      if (csb == 1)
        for (int64_t p = 0; p < kc; p++)
          {
            memcpy (to + p * nr, from + p * rsb, w * sizeof (float));
            if (w < nr)
              memset (to + p * nr + w, 0, (nr - w) * sizeof (float));
          }
      else
        {
          for (int64_t x = 0; x < w; x++)
            for (int64_t p = 0; p < kc; p++)
              to[p * nr + x] = from[x * csb + p * rsb];
          for (int64_t x = w; x < nr; x++)
            for (int64_t p = 0; p < kc; p++)
              to[p * nr + x] = 0;
        }
    }
}

typedef struct {
  int64_t m, n, k, lda, rsb, csb, ldc, col_blocks, row_block;
  const float *a, *b;
  float *c;
  char *scratch;
  const PareRtGemmIsa *isa;
} Job;

static void
block_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t j0 = task % j->col_blocks * PARE_RT_NC, i0 = task / j->col_blocks * j->row_block;
  int64_t cols = j->n - j0 < PARE_RT_NC ? j->n - j0 : PARE_RT_NC, i1 = i0 + j->row_block < j->m ? i0 + j->row_block : j->m;
  float *pack = (float *) (j->scratch + worker * PARE_RT_GEMM_SCRATCH);
  int nr = j->isa->nr;
  if (j->k == 0)
    for (int64_t i = i0; i < i1; i++)
      memset (j->c + i * j->ldc + j0, 0, cols * sizeof (float));
  for (int64_t p0 = 0; p0 < j->k; p0 += PARE_RT_KC)
    {
      int64_t kc = j->k - p0 < PARE_RT_KC ? j->k - p0 : PARE_RT_KC;
      pack_b (j->b, j->rsb, j->csb, p0, kc, j0, cols, nr, pack);
      for (int64_t i = i0; i < i1; i += PARE_RT_MR)
        for (int64_t x = 0; x < cols; x += nr)
          j->isa->micro (kc, j->a + i * j->lda + p0, j->lda, pack + x * kc, j->c + i * j->ldc + j0 + x, j->ldc,
                         i1 - i < PARE_RT_MR ? (int) (i1 - i) : PARE_RT_MR, cols - x < nr ? (int) (cols - x) : nr, p0 > 0);
    }
}

/* y[0..n) = sum_p a[p] b[p][0..n): rows of b as they lie, no packing. */
PARE_RT_CLONES static void
row_times_matrix (const float *a, int64_t k, const float *b, int64_t rsb, float *c, int64_t n)
{
  memset (c, 0, n * sizeof (float));
  int64_t p = 0;
  for (; p + 4 <= k; p += 4)
    {
      const float *b0 = b + p * rsb, *b1 = b0 + rsb, *b2 = b1 + rsb, *b3 = b2 + rsb;
      float a0 = a[p], a1 = a[p + 1], a2 = a[p + 2], a3 = a[p + 3];
      for (int64_t j = 0; j < n; j++)
        c[j] = c[j] + a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j];
    }
  for (; p < k; p++)
    for (int64_t j = 0; j < n; j++)
      c[j] += a[p] * b[p * rsb + j];
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
      row_times_matrix (j->a + i * j->lda, j->k, j->b + j0, j->rsb, j->c + i * j->ldc + j0, cols);
    else
      for (int64_t x = 0; x < cols; x++)
        j->c[i * j->ldc + j0 + x] = dot (j->a + i * j->lda, j->b + (j0 + x) * j->csb, j->k);
}

void
pare_rt_sgemm (int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t rsb, int64_t csb, float *c, int64_t ldc, void *scratch)
{
  Job job = { m, n, k, lda, rsb, csb, ldc, (n + PARE_RT_NC - 1) / PARE_RT_NC, m, a, b, c, scratch, pare_rt_gemm_isa () };
  if (m <= 0 || n <= 0)
    return;
  /* Few rows: packing would cost more than it saves. */
  if (m <= 3 && (csb == 1 || rsb == 1))
    {
      pare_rt_parallel ((n + GEMV_COLUMNS - 1) / GEMV_COLUMNS, vector_task, &job);
      return;
    }
  int64_t row_blocks = 1;
  if (pare_rt_workers () > 1 && job.col_blocks < 2 * pare_rt_workers ())
    {
      row_blocks = (m + 47) / 48;
      if (row_blocks > 2 * pare_rt_workers ())
        row_blocks = 2 * pare_rt_workers ();
    }
  job.row_block = ((m + row_blocks - 1) / row_blocks + PARE_RT_MR - 1) / PARE_RT_MR * PARE_RT_MR;
  pare_rt_parallel (job.col_blocks * ((m + job.row_block - 1) / job.row_block), block_task, &job);
}
