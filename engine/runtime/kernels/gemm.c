/* Gemm: a [M,K] ([K,M] if trans_a), b [K,N] ([N,K] if trans_b), c broadcast to [M,N] or none; y = act(alpha a b + beta c). */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_gemm)
{
  const PareGemmParams *p = params;
  REQUIRE (p && n_in >= 2 && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]));
  REQUIRE (in[0].shape.rank == 2 && in[1].shape.rank == 2 && out[0].shape.rank == 2);
  int64_t m = in[0].shape.dims[p->trans_a ? 1 : 0], k = in[0].shape.dims[p->trans_a ? 0 : 1], n = in[1].shape.dims[p->trans_b ? 0 : 1];
  REQUIRE (in[1].shape.dims[p->trans_b ? 1 : 0] == k && out[0].shape.dims[0] == m && out[0].shape.dims[1] == n);
  int64_t rs = 0, cs = 0;
  if (given (in, n_in, 2))
    {
      const PareShape *s = &in[2].shape;
      REQUIRE (is_f32 (&in[2]) && s->rank <= 2);
      int64_t rows = s->rank == 2 ? s->dims[0] : 1, cols = s->rank >= 1 ? s->dims[s->rank - 1] : 1;
      REQUIRE ((rows == m || rows == 1) && (cols == n || cols == 1));
      rs = rows == 1 ? 0 : cols;
      cs = cols == 1 ? 0 : 1;
    }
  CHECKED;
  const float *a = in[0].data, *c = given (in, n_in, 2) ? in[2].data : NULL;
  float *y = out[0].data;
  if (p->trans_a)
    {
      float *at = (float *) ((char *) scratch + pare_rt_workers () * PARE_RT_GEMM_SCRATCH);
      for (int64_t i = 0; i < m; i++)
        for (int64_t q = 0; q < k; q++)
          at[i * k + q] = a[q * m + i];
      a = at;
    }
  pare_rt_sgemm (m, n, k, a, k, in[1].data, p->trans_b ? 1 : n, p->trans_b ? k : 1, y, n, scratch);
  for (int64_t i = 0; i < m; i++)
    {
      float *row = y + i * n;
      if (p->alpha != 1)
        for (int64_t j = 0; j < n; j++)
          row[j] *= p->alpha;
      if (c && p->beta == 1 && cs)
        for (int64_t j = 0; j < n; j++)
          row[j] += c[i * rs + j];
      else if (c)
        for (int64_t j = 0; j < n; j++)
          row[j] += p->beta * c[i * rs + j * cs];
    }
  pare_rt_activate (y, m * n, p->activation, p->lo, p->hi, p->act_alpha);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_gemm)
{
  const PareGemmParams *p = params;
  return p && p->trans_a && n_in > 0 && count_of (&in[0]) > 0 ? (uint64_t) count_of (&in[0]) * sizeof (float) : 0;
}
