/* The table of kernels. */
#include "engine/runtime/kernels/kernel.h"

char pare_rt_dry_token;

#define SCRATCH_OF_0(name) NULL
#define SCRATCH_OF_1(name) pare_rt_s_##name
#define PACK_OF_0(name) NULL
#define PACK_OF_1(name) pare_rt_p_##name
#define ROW(id, name, text, has_scratch, has_pack)                                                                                         \
  [PARE_RT_##id] = { pare_rt_k_##name, SCRATCH_OF_##has_scratch (name), PACK_OF_##has_pack (name), text },

static const struct
{
  PareRtKernel run;
  uint64_t (*scratch) (const void *params, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out);
  uint64_t (*pack) (const void *params, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out, void *packed);
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

/* The bytes that each operator's kernel reads of its parameters. */
static const uint32_t params_bytes[PARE_RT_N_OPS] = {
  [PARE_RT_CONV] = sizeof (PareConvParams),
  [PARE_RT_CONV_TRANSPOSE] = sizeof (PareConvParams),
  [PARE_RT_GEMM] = sizeof (PareGemmParams),
  [PARE_RT_FAKE_QUANT] = sizeof (PareFakeQuantParams),
  [PARE_RT_MAX_POOL] = sizeof (ParePoolParams),
  [PARE_RT_AVG_POOL] = sizeof (ParePoolParams),
  [PARE_RT_UNARY] = sizeof (PareUnaryParams),
  [PARE_RT_BINARY] = sizeof (PareBinaryParams),
  [PARE_RT_CLIP] = sizeof (PareClipParams),
  [PARE_RT_SOFTMAX] = sizeof (PareSoftmaxParams),
  [PARE_RT_BATCH_NORM] = sizeof (PareBatchNormParams),
  [PARE_RT_LAYER_NORM] = sizeof (PareLayerNormParams),
  [PARE_RT_INSTANCE_NORM] = sizeof (PareInstanceNormParams),
  [PARE_RT_LRN] = sizeof (PareLrnParams),
  [PARE_RT_REDUCE] = sizeof (PareReduceParams),
  [PARE_RT_ARG_EXTREME] = sizeof (PareArgExtremeParams),
  [PARE_RT_CUMSUM] = sizeof (PareCumSumParams),
  [PARE_RT_TRANSPOSE] = sizeof (PareTransposeParams),
  [PARE_RT_CONCAT] = sizeof (PareAxisParams),
  [PARE_RT_SLICE] = sizeof (PareSliceParams),
  [PARE_RT_SPLIT] = sizeof (PareAxisParams),
  [PARE_RT_PAD] = sizeof (ParePadParams),
  [PARE_RT_GATHER] = sizeof (PareAxisParams),
  [PARE_RT_GATHER_ELEMENTS] = sizeof (PareAxisParams),
  [PARE_RT_GATHER_ND] = sizeof (PareGatherNdParams),
  [PARE_RT_SCATTER_ND] = sizeof (PareScatterParams),
  [PARE_RT_SCATTER_ELEMENTS] = sizeof (PareScatterParams),
  [PARE_RT_RESIZE] = sizeof (PareResizeParams),
  [PARE_RT_DEPTH_TO_SPACE] = sizeof (PareDepthSpaceParams),
  [PARE_RT_SPACE_TO_DEPTH] = sizeof (PareDepthSpaceParams),
  [PARE_RT_LSTM] = sizeof (PareRnnParams),
  [PARE_RT_GRU] = sizeof (PareRnnParams),
  [PARE_RT_RNN] = sizeof (PareRnnParams),
  [PARE_RT_QUANTIZE_LINEAR] = sizeof (PareQuantizeParams),
  [PARE_RT_DEQUANTIZE_LINEAR] = sizeof (PareQuantizeParams),
  [PARE_RT_TOPK] = sizeof (PareTopKParams),
  [PARE_RT_ONE_HOT] = sizeof (PareAxisParams),
  [PARE_RT_EINSUM] = sizeof (PareEinsumParams),
  [PARE_RT_TRILU] = sizeof (PareTriluParams),
  [PARE_RT_GROUP_NORM] = sizeof (PareGroupNormParams),
  [PARE_RT_LP_NORM] = sizeof (PareLpNormParams),
  [PARE_RT_QCONV] = sizeof (PareQConvParams),
  [PARE_RT_QGEMM] = sizeof (PareQGemmParams),
  [PARE_RT_QADD] = sizeof (PareQAddParams),
  [PARE_RT_QAVG_POOL] = sizeof (PareQAvgPoolParams),
  [PARE_RT_ATTENTION] = sizeof (PareAttentionParams),
  [PARE_RT_GRID_SAMPLE] = sizeof (PareGridSampleParams),
  [PARE_RT_ROI_ALIGN] = sizeof (PareRoiAlignParams),
  [PARE_RT_ROTARY] = sizeof (PareRotaryParams),
  [PARE_RT_QATTENTION] = sizeof (PareQAttentionParams),
  [PARE_RT_BLOCK_GEMM] = sizeof (PareBlockGemmParams),
};

uint32_t
pare_rt_params_bytes (PareRtOp op)
{
  return (unsigned)op < PARE_RT_N_OPS ? params_bytes[op] : 0;
}

/* Views of a step's operands, with what data there is before anything has run: constants. */
static void
operands (const PareRtPlan *plan, const PareRtStep *step, PareView *in, PareView *out)
{
  for (uint32_t i = 0; i < step->n_in + step->n_out; i++)
    {
      uint32_t v = i < step->n_in ? step->in[i] : step->out[i - step->n_in];
      PareView *view = i < step->n_in ? &in[i] : &out[i - step->n_in];
      *view = (PareView){ .dtype = PARE_DTYPE_NONE };
      if (v == PARE_RT_NONE)
        continue;
      const PareRtValue *value = &plan->values[v];
      const uint32_t base = value->kind == PARE_RT_ALIAS ? value->alias_of : v;
      *view = (PareView){ .dtype = value->dtype, .shape = value->shape };
      if (plan->values[base].kind == PARE_RT_CONSTANT)
        view->data = pare_rt_plan_constant (plan, base);
    }
}

uint64_t
pare_rt_kernel_scratch (const PareRtPlan *plan, const PareRtStep *step, const void *packed)
{
  PareView in[PARE_RT_MAX_IN], out[PARE_RT_MAX_OUT];
  uint64_t packing = 0;
  if ((unsigned)step->op >= PARE_RT_N_OPS)
    return 0;
  /* the matrix kernel's panels, one set for each worker */
  if (step->op == PARE_RT_CONV_TRANSPOSE || step->op == PARE_RT_GEMM || step->op == PARE_RT_MATMUL)
    packing = PARE_RT_GEMM_SCRATCH * (uint64_t)pare_rt_workers ();
  if (table[step->op].scratch == NULL)
    return packing;
  operands (plan, step, in, out);
  in[1].packed = packed;
  return packing + table[step->op].scratch (plan->params + step->params, in, step->n_in, out, step->n_out);
}

uint64_t
pare_rt_kernel_pack (const PareRtPlan *plan, const PareRtStep *step, void *packed)
{
  PareView in[PARE_RT_MAX_IN], out[PARE_RT_MAX_OUT];
  if ((unsigned)step->op >= PARE_RT_N_OPS || table[step->op].pack == NULL || step->n_in < 2)
    return 0;
  operands (plan, step, in, out);
  return in[1].data == NULL ? 0 : table[step->op].pack (plan->params + step->params, in, step->n_in, out, step->n_out, packed);
}
