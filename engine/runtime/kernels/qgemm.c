/* QGemm: matrix product on codes, see PareQGemmParams. This is the definition; faster ways must give the same bits. */
#include "engine/runtime/kernels/integer.h"

typedef struct
{
  const PareQGemmParams *p;
  const PareView *a, *b, *y;
  const int32_t *bias;
  const float *scale;
  int64_t k, n;
} Job;

static void
row_task (int64_t row, int worker, void *arg)
{
  const Job *j = arg;
  const PareQGemmParams *p = j->p;
  for (int64_t c = 0; c < j->n; c++)
    {
      int32_t acc = 0;
      for (int64_t q = 0; q < j->k; q++)
        acc += (code_at (j->a, row * j->k + q) - p->zero_x) * code_at (j->b, p->gemm.trans_b ? c * j->k + q : q * j->n + c);
      float v = scale_sum (acc, j->bias ? (float)j->bias[c] : 0, j->scale[c]);
      if (is_codes (j->y))
        ((uint8_t *)j->y->data)[row * j->n + c] = (uint8_t)round_code (v, p->zero_y, p->lo, p->hi);
      else
        ((float *)j->y->data)[row * j->n + c] = v;
    }
  if (!is_codes (j->y))
    pare_rt_activate ((float *)j->y->data + row * j->n, j->n, p->gemm.activation, p->gemm.lo, p->gemm.hi, p->gemm.act_alpha);
}

KERNEL (pare_rt_k_qgemm)
{
  const PareQGemmParams *p = params;
  REQUIRE (p && n_in == 4 && n_out == 1 && !p->gemm.trans_a);
  SUPPORT (is_codes (&in[0]) && is_weight_codes (&in[1]) && (is_codes (&out[0]) || is_f32 (&out[0])));
  REQUIRE (in[0].shape.rank == 2 && in[1].shape.rank == 2 && out[0].shape.rank == 2);
  int64_t m = in[0].shape.dims[0], k = in[0].shape.dims[1], n = in[1].shape.dims[p->gemm.trans_b ? 0 : 1];
  REQUIRE (in[1].shape.dims[p->gemm.trans_b ? 1 : 0] == k && out[0].shape.dims[0] == m && out[0].shape.dims[1] == n);
  REQUIRE (!given (in, n_in, 2) || (in[2].dtype == PARE_DTYPE_INT32 && count_of (&in[2]) == n));
  REQUIRE (is_f32 (&in[3]) && count_of (&in[3]) == n);
  REQUIRE (fits_codes (&in[0], p->zero_x, p->zero_x));
  REQUIRE (is_f32 (&out[0]) || (fits_codes (&out[0], p->lo, p->hi) && fits_codes (&out[0], p->zero_y, p->zero_y)));
  CHECKED;
  Job job = { p, &in[0], &in[1], &out[0], given (in, n_in, 2) ? in[2].data : NULL, in[3].data, k, n };
  pare_rt_parallel (m, row_task, &job);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_qgemm)
{
  return 0;
}

PACK (pare_rt_p_qgemm)
{
  return 0;
}
