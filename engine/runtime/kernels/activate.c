/* Activations over a run of floats: the epilogue of Conv, Gemm and binary operators. */
#include "engine/runtime/kernels/kernel.h"

#define WHOLE 16

/* n: a multiple of that, for what is left of a vector takes as long as four of them. */
PARE_RT_CLONES static void
activate_whole (float *y, int64_t n, int activation, float lo, float hi, float alpha)
{
  switch (activation)
    {
    case PARE_ACT_CLIP:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = clip_f32 (y[i], lo, hi);
      break;
    case PARE_ACT_LEAKY:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = y[i] < 0 ? y[i] * alpha : y[i];
      break;
    case PARE_ACT_SIGMOID:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = sigmoid_f32 (y[i]);
      break;
    case PARE_ACT_TANH:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = tanh_f32 (y[i]);
      break;
    case PARE_ACT_HARDSWISH:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = hard_swish_f32 (y[i]);
      break;
    case PARE_ACT_SWISH:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = y[i] * sigmoid_f32 (y[i]);
      break;
    case PARE_ACT_GELU:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = gelu_f32 (y[i]);
      break;
    case PARE_ACT_GELU_TANH:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = gelu_tanh_f32 (y[i]);
      break;
    case PARE_ACT_QUICK_GELU:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = quick_gelu_f32 (y[i]);
      break;
    case PARE_ACT_ELU:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = elu_f32 (y[i]);
      break;
    case PARE_ACT_MISH:
      PARE_RT_IVDEP
      for (int64_t i = 0; i < n; i++)
        y[i] = mish_f32 (y[i]);
      break;
    default:
      break;
    }
}

void
pare_rt_activate (float *y, int64_t n, int activation, float lo, float hi, float alpha)
{
  int64_t whole = n / WHOLE * WHOLE;
  float rest[WHOLE] = { 0 };
  activate_whole (y, whole, activation, lo, hi, alpha);
  if (whole == n)
    return;
  memcpy (rest, y + whole, (size_t)(n - whole) * sizeof (float));
  activate_whole (rest, WHOLE, activation, lo, hi, alpha);
  memcpy (y + whole, rest, (size_t)(n - whole) * sizeof (float));
}
