/* MatMul: a [..., M, K], b [..., K, N] with numpy's rules (rank 1 operands count as a row or a column); y [..., M, N]. float32. */
#include "engine/runtime/kernels/kernel.h"

KERNEL (pare_rt_k_matmul)
{
  REQUIRE (n_in == 2 && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]));
  int ra = in[0].shape.rank, rb = in[1].shape.rank;
  REQUIRE (ra >= 1 && rb >= 1);
  const int64_t *da = in[0].shape.dims, *db = in[1].shape.dims;
  int64_t k = da[ra - 1], m = ra == 1 ? 1 : da[ra - 2], n = rb == 1 ? 1 : db[rb - 1];
  REQUIRE ((rb == 1 ? db[0] : db[rb - 2]) == k);
  int batch_rank = (ra > rb ? ra : rb) - 2;
  batch_rank = batch_rank < 0 ? 0 : batch_rank;
  int64_t dims[PARE_MAX_RANK], sa[PARE_MAX_RANK], sb[PARE_MAX_RANK], batches = 1, ea = m * k, eb = k * n;
  for (int i = batch_rank - 1; i >= 0; i--)
    {
      int ia = i - (batch_rank - (ra - 2)), ib = i - (batch_rank - (rb - 2));
      int64_t a = ra > 2 && ia >= 0 ? da[ia] : 1, b = rb > 2 && ib >= 0 ? db[ib] : 1;
      REQUIRE (a == b || a == 1 || b == 1);
      dims[i] = a == 1 ? b : a;
      sa[i] = a == 1 ? 0 : ea;
      sb[i] = b == 1 ? 0 : eb;
      ea *= a;
      eb *= b;
      batches *= dims[i];
    }
  REQUIRE (count_of (&out[0]) == batches * m * n);
  CHECKED;
  float *y = out[0].data;
  /* One matrix b under all of a: one product. */
  bool shared = true;
  for (int i = 0; i < batch_rank; i++)
    shared = shared && (sb[i] == 0 || dims[i] == 1);
  if (shared && count_of (&in[0]) == batches * m * k)
    {
      pare_rt_sgemm_after (batches * m, n, k, in[0].data, k, in[1].data, n, 1, in[1].packed, y, n, NULL, scratch);
      return PARE_RT_OK;
    }
  for (int64_t i = 0; i < batches; i++)
    {
      int64_t rest = i, oa = 0, ob = 0;
      for (int d = batch_rank - 1; d >= 0; d--)
        {
          oa += rest % dims[d] * sa[d];
          ob += rest % dims[d] * sb[d];
          rest /= dims[d];
        }
      pare_rt_sgemm (m, n, k, (const float *)in[0].data + oa, k, (const float *)in[1].data + ob, n, 1, y + i * m * n, n, scratch);
    }
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_matmul)
{
  return 0;
}

/* One matrix under all of a; several are read as they lie. */
PACK (pare_rt_p_matmul)
{
  if (n_in != 2 || !is_f32 (&in[1]) || in[1].shape.rank < 1 || in[1].shape.rank > 2 || count_of (&in[1]) <= 0)
    return 0;
  int64_t k = in[1].shape.dims[0], n = in[1].shape.rank == 2 ? in[1].shape.dims[1] : 1;
  return pare_rt_sgemm_pack (n, k, in[1].data, n, 1, packed);
}
