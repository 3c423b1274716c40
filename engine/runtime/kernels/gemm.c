/* Gemm: a [M,K] ([K,M] if trans_a), b [K,N] ([N,K] if trans_b), c broadcast to [M,N] or none, residual as y or none;
 * y = act(alpha a b + beta c + residual). */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_gemm)
{
  const PareGemmParams *p = params;
  REQUIRE (p && n_in >= 2 && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]));
  int rank = in[0].shape.rank;
  REQUIRE (rank >= 2 && (rank == 2 || !p->trans_a) && in[1].shape.rank == 2 && out[0].shape.rank == rank);
  int64_t m = p->trans_a ? in[0].shape.dims[1] : product (&in[0].shape, 0, rank - 1), k = in[0].shape.dims[p->trans_a ? 0 : rank - 1],
          n = in[1].shape.dims[p->trans_b ? 0 : 1];
  REQUIRE (in[1].shape.dims[p->trans_b ? 1 : 0] == k && product (&out[0].shape, 0, rank - 1) == m && out[0].shape.dims[rank - 1] == n);
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
  if (given (in, n_in, 3))
    {
      SUPPORT (is_f32 (&in[3]));
      REQUIRE (same_shape (&in[3], &out[0]));
    }
  CHECKED;
  const float *a = in[0].data;
  PareRtGemmAfter after = { .alpha = p->alpha,
                            .beta = p->beta,
                            .c = given (in, n_in, 2) ? in[2].data : NULL,
                            .residual = given (in, n_in, 3) ? in[3].data : NULL,
                            .row_stride = rs,
                            .col_stride = cs,
                            .activation = p->activation,
                            .lo = p->lo,
                            .hi = p->hi,
                            .act_alpha = p->act_alpha };
  if (p->trans_a)
    {
      float *at = (float *)((char *)scratch + pare_rt_workers () * PARE_RT_GEMM_SCRATCH);
      for (int64_t i = 0; i < m; i++)
        for (int64_t q = 0; q < k; q++)
          at[i * k + q] = a[q * m + i];
      a = at;
    }
  pare_rt_sgemm_after (m, n, k, a, k, in[1].data, p->trans_b ? 1 : n, p->trans_b ? k : 1, in[1].packed, out[0].data, n, &after, scratch);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_gemm)
{
  const PareGemmParams *p = params;
  return p && p->trans_a && n_in > 0 && count_of (&in[0]) > 0 ? (uint64_t)count_of (&in[0]) * sizeof (float) : 0;
}

PACK (pare_rt_p_gemm)
{
  const PareGemmParams *p = params;
  if (!p || n_in < 2 || !is_f32 (&in[1]) || in[1].shape.rank != 2 || count_of (&in[1]) <= 0)
    return 0;
  int64_t k = in[1].shape.dims[p->trans_b ? 1 : 0], n = in[1].shape.dims[p->trans_b ? 0 : 1];
  return pare_rt_sgemm_pack (n, k, in[1].data, p->trans_b ? 1 : n, p->trans_b ? k : 1, packed);
}
