/* The table of kernels. */
#include "engine/runtime/kernels/kernel.h"

char pare_rt_dry_token;

#define SCRATCH_OF_0(name) NULL
#define SCRATCH_OF_1(name) pare_rt_s_##name
#define ROW(id, name, text, has_scratch) [PARE_RT_##id] = { pare_rt_k_##name, SCRATCH_OF_##has_scratch (name), text },

static const struct
{
  PareRtKernel run;
  uint64_t (*scratch) (const void *params, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out);
  const char *name;
} table[PARE_RT_N_OPS] = { PARE_RT_KERNELS (ROW) };

PareRtKernel
pare_rt_kernel (PareRtOp op)
{
  return (unsigned)op < PARE_RT_N_OPS ? table[op].run : NULL;
}

const char *
pare_rt_op_name (PareRtOp op)
{
  return (unsigned)op < PARE_RT_N_OPS ? table[op].name : "?";
}

uint64_t
pare_rt_kernel_scratch (const PareRtPlan *plan, const PareRtStep *step)
{
  PareView in[PARE_RT_MAX_IN], out[PARE_RT_MAX_OUT];
  uint64_t packing = 0;
  if ((unsigned)step->op >= PARE_RT_N_OPS)
    return 0;
  /* the matrix kernel's panels, one set for each worker */
  if (step->op == PARE_RT_CONV || step->op == PARE_RT_CONV_TRANSPOSE || step->op == PARE_RT_GEMM || step->op == PARE_RT_MATMUL)
    packing = PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers ();
  if (table[step->op].scratch == NULL)
    return packing;
  for (uint32_t i = 0; i < step->n_in; i++)
    in[i] = step->in[i] == PARE_RT_NONE ? (PareView){ .dtype = PARE_DTYPE_NONE }
                                        : (PareView){ plan->values[step->in[i]].dtype, plan->values[step->in[i]].shape, NULL };
  for (uint32_t i = 0; i < step->n_out; i++)
    out[i] = step->out[i] == PARE_RT_NONE ? (PareView){ .dtype = PARE_DTYPE_NONE }
                                          : (PareView){ plan->values[step->out[i]].dtype, plan->values[step->out[i]].shape, NULL };
  return packing + table[step->op].scratch (plan->params + step->params, in, step->n_in, out, step->n_out);
}
