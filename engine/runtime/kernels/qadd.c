/* QAdd: the sum of two tensors of codes as ONNX Runtime's QLinearAdd takes it. */
#include "engine/runtime/kernels/integer.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__) || !defined(__GLIBC__) || defined(__clang__)
#define CLONES
#else /* with their fmaf: a call for each element otherwise */
#define CLONES __attribute__ ((target_clones ("default", "arch=haswell", "arch=skylake-avx512")))
#endif

#define ADD(name, ta, tb, ty)                                                                                                              \
  CLONES static void name (const ta *a, const tb *b, ty *y, int64_t n, const PareQAddParams *p)                                            \
  {                                                                                                                                        \
    float ra = p->ratio_a, rb = p->ratio_b, fixed = p->fixed, lo = (float)p->lo, hi = (float)p->hi;                                        \
    for (int64_t i = 0; i < n; i++)                                                                                                        \
      {                                                                                                                                    \
        float v = fmaf ((float)b[i], rb, fmaf ((float)a[i], ra, fixed));                                                                   \
        v = v > lo ? v : lo;                                                                                                               \
        v = v < hi ? v : hi;                                                                                                               \
        y[i] = (ty)(int32_t)rintf (v);                                                                                                     \
      }                                                                                                                                    \
  }
ADD (add_uuu, uint8_t, uint8_t, uint8_t)
ADD (add_uus, uint8_t, uint8_t, int8_t)
ADD (add_usu, uint8_t, int8_t, uint8_t)
ADD (add_uss, uint8_t, int8_t, int8_t)
ADD (add_suu, int8_t, uint8_t, uint8_t)
ADD (add_sus, int8_t, uint8_t, int8_t)
ADD (add_ssu, int8_t, int8_t, uint8_t)
ADD (add_sss, int8_t, int8_t, int8_t)

KERNEL (pare_rt_k_qadd)
{
  const PareQAddParams *p = params;
  REQUIRE (p && n_in == 2 && n_out == 1 && same_shape (&in[0], &in[1]) && same_shape (&in[0], &out[0]));
  SUPPORT (is_codes (&in[0]) && is_codes (&in[1]) && is_codes (&out[0]));
  REQUIRE (fits_codes (&out[0], p->lo, p->hi));
  CHECKED;
  int64_t n = count_of (&out[0]);
  switch ((in[0].dtype == PARE_DTYPE_INT8) * 4 + (in[1].dtype == PARE_DTYPE_INT8) * 2 + (out[0].dtype == PARE_DTYPE_INT8))
    {
    case 0:
      add_uuu (in[0].data, in[1].data, out[0].data, n, p);
      break;
    case 1:
      add_uus (in[0].data, in[1].data, out[0].data, n, p);
      break;
    case 2:
      add_usu (in[0].data, in[1].data, out[0].data, n, p);
      break;
    case 3:
      add_uss (in[0].data, in[1].data, out[0].data, n, p);
      break;
    case 4:
      add_suu (in[0].data, in[1].data, out[0].data, n, p);
      break;
    case 5:
      add_sus (in[0].data, in[1].data, out[0].data, n, p);
      break;
    case 6:
      add_ssu (in[0].data, in[1].data, out[0].data, n, p);
      break;
    default:
      add_sss (in[0].data, in[1].data, out[0].data, n, p);
      break;
    }
  return PARE_RT_OK;
}
