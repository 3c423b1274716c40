/* Products of 16 bits: which steps of a plan have both operands on the grid of bfloat16. The portable kernels multiply such values as
 * floats, which is exact, and sum up floats; a CPU with instructions for it computes the same but for the order of the sums. */
#include "engine/runtime/kernels/half.h"

static uint32_t
base_of (const PareRtPlan *plan, uint32_t v)
{
  return plan->values[v].kind == PARE_RT_ALIAS ? plan->values[v].alias_of : v;
}

static bool
constant_is_exact (const PareRtPlan *plan, uint32_t v)
{
  v = base_of (plan, v);
  if (plan->values[v].kind != PARE_RT_CONSTANT || plan->values[v].dtype != PARE_DTYPE_FLOAT32)
    return false;
  const float *data = (const float *)pare_rt_plan_constant (plan, v);
  int64_t n = pare_shape_count (&plan->values[v].shape);
  for (int64_t i = 0; i < n; i++)
    if (!is_bfloat (data[i]))
      return false;
  return true;
}

static bool
is_product (const PareRtStep *s)
{
  return s->n_in > 1 && s->in[0] != PARE_RT_NONE && s->in[1] != PARE_RT_NONE
         && (s->op == PARE_RT_CONV || s->op == PARE_RT_CONV_TRANSPOSE || s->op == PARE_RT_GEMM || s->op == PARE_RT_MATMUL
             || s->op == PARE_RT_LSTM || s->op == PARE_RT_GRU || s->op == PARE_RT_RNN);
}

/* Its results are among its operands' elements (or zero). */
static bool
keeps_elements (const PareRtPlan *plan, const PareRtStep *s)
{
  const void *params = plan->params + s->params;
  switch (s->op)
    {
    case PARE_RT_MAX_POOL:
    case PARE_RT_GLOBAL_MAX_POOL:
    case PARE_RT_COPY:
    case PARE_RT_TRANSPOSE:
    case PARE_RT_CONCAT:
    case PARE_RT_SLICE:
    case PARE_RT_SPLIT:
    case PARE_RT_GATHER:
    case PARE_RT_EXPAND:
    case PARE_RT_TILE:
    case PARE_RT_DEPTH_TO_SPACE:
    case PARE_RT_SPACE_TO_DEPTH:
      return true;
    case PARE_RT_CLIP:
      return is_bfloat (((const PareClipParams *)params)->lo) && is_bfloat (((const PareClipParams *)params)->hi);
    case PARE_RT_UNARY:
      return ((const PareUnaryParams *)params)->kind == PARE_UN_RELU;
    case PARE_RT_PAD:
      return s->n_in < 2 || s->in[1] == PARE_RT_NONE || constant_is_exact (plan, s->in[1]);
    default:
      return false;
    }
}

/* It rounds what it gives. */
static bool
rounds (const PareRtPlan *plan, const PareRtStep *s)
{
  const void *params = plan->params + s->params;
  return (s->op == PARE_RT_UNARY && ((const PareUnaryParams *)params)->kind == PARE_UN_BFLOAT16)
         || (s->op == PARE_RT_ATTENTION && ((const PareAttentionParams *)params)->round_result);
}

static bool
operands_are_exact (const PareRtPlan *plan, const PareRtStep *s, const uint8_t *exact)
{
  uint32_t n = s->op == PARE_RT_CONCAT ? s->n_in : 1; /* the others are indices and the like */
  for (uint32_t i = 0; i < n; i++)
    if (s->in[i] == PARE_RT_NONE || !exact[base_of (plan, s->in[i])])
      return false;
  return n > 0;
}

void
pare_rt_plan_find_bfloat (const PareRtPlan *plan, uint8_t *exact)
{
  memset (exact, 0, plan->n_values);
  for (uint32_t i = 0; i < plan->n_steps; i++)
    {
      const PareRtStep *s = &plan->steps[i];
      for (uint32_t k = 0; k < s->n_out; k++)
        if (s->out[k] != PARE_RT_NONE && plan->values[s->out[k]].dtype == PARE_DTYPE_FLOAT32)
          exact[s->out[k]] = rounds (plan, s) || (s->n_in > 0 && keeps_elements (plan, s) && operands_are_exact (plan, s, exact));
      if (is_product (s) && exact[base_of (plan, s->in[0])] && constant_is_exact (plan, s->in[1]))
        exact[base_of (plan, s->in[1])] = 1;
    }
  for (uint32_t i = 0; i < plan->n_values; i++)
    exact[i] = exact[base_of (plan, i)];
}

bool
pare_rt_step_is_bfloat (const PareRtPlan *plan, uint32_t step, const uint8_t *exact)
{
  const PareRtStep *s = &plan->steps[step];
  if (s->op == PARE_RT_ATTENTION)
    return ((const PareAttentionParams *)(plan->params + s->params))->round_weights && exact[s->in[0]] && exact[s->in[1]]
           && exact[s->in[2]];
  return is_product (s) && exact[s->in[0]] && exact[s->in[1]] && plan->values[base_of (plan, s->in[1])].kind == PARE_RT_CONSTANT;
}
