/* A plan that passes here cannot make the interpreter or a kernel read or write out of bounds, whatever file it came from. */
#include "engine/runtime/kernels/kernel.h"

#define MOST_INPUTS 4096

/* Extents whose product overflows even where one of them is 0: kernels multiply some of them without the others. */
static bool
overflows (PareShape shape, PareDtype dtype)
{
  for (int i = 0; i < shape.rank; i++)
    shape.dims[i] = shape.dims[i] == 0 ? 1 : shape.dims[i];
  return pare_shape_bytes (&shape, dtype) < 0;
}

static const char *
check_value (const PareRtPlan *plan, uint32_t i)
{
  const PareRtValue *v = &plan->values[i];
  int64_t bytes;
  if (v->shape.rank < 0 || v->shape.rank > PARE_MAX_RANK)
    return "a value has no rank";
  bytes = pare_dtype_bits (v->dtype) > 0 ? pare_shape_bytes (&v->shape, v->dtype) : -1;
  if (bytes < 0 || (uint64_t)bytes > v->bytes)
    return "a value is larger than its memory";
  if (overflows (v->shape, v->dtype))
    return "a value's extents overflow";
  switch (v->kind)
    {
    case PARE_RT_CONSTANT:
      if (plan->external && !plan->external[i] && v->bytes > 0)
        return "a constant has no memory";
      return v->offset % 64 != 0 || v->offset > plan->constants_bytes || v->bytes > plan->constants_bytes - v->offset
                 ? "a constant lies outside"
                 : NULL;
    case PARE_RT_ARENA:
      return v->offset % 64 != 0 || v->offset > plan->arena_bytes || v->bytes > plan->arena_bytes - v->offset
                 ? "a value lies outside the arena"
                 : NULL;
    case PARE_RT_ALIAS:
      if (v->alias_of >= plan->n_values)
        return "an alias names no value";
      return plan->values[v->alias_of].kind == PARE_RT_ALIAS     ? "an alias of an alias"
             : plan->values[v->alias_of].bytes < (uint64_t)bytes ? "an alias is larger than its value"
                                                                 : NULL;
    case PARE_RT_INPUT:
      return v->bytes != (uint64_t)bytes ? "an input's memory is not its size" : NULL;
    }
  return "a value of unknown kind";
}

static const char *
check_step (const PareRtPlan *plan, const PareRtStep *s)
{
  PareView in[PARE_RT_MAX_IN], out[PARE_RT_MAX_OUT];
  PareRtKernel kernel = pare_rt_kernel (s->op);
  if (!kernel || s->n_in > PARE_RT_MAX_IN || s->n_out > PARE_RT_MAX_OUT || s->n_out == 0)
    return "a step is malformed";
  if (s->params % 16 != 0 || s->params > plan->params_bytes || s->params_bytes > plan->params_bytes - s->params)
    return "a step's parameters lie outside";
  if (s->params_bytes < pare_rt_params_bytes (s->op))
    return "a step's parameters are too short";
  for (uint32_t i = 0; i < s->n_in + s->n_out; i++)
    {
      bool input = i < s->n_in;
      uint32_t v = input ? s->in[i] : s->out[i - s->n_in];
      PareView *view = input ? &in[i] : &out[i - s->n_in];
      *view = (PareView){ .dtype = PARE_DTYPE_NONE };
      if (v == PARE_RT_NONE)
        continue;
      if (v >= plan->n_values)
        return "a step names no value";
      if (!input && plan->values[v].kind != PARE_RT_ARENA)
        return "a step writes what is not its own";
      *view = (PareView){ plan->values[v].dtype, plan->values[v].shape, NULL, NULL };
    }
  switch (kernel (s->params_bytes ? plan->params + s->params : NULL, in, s->n_in, out, s->n_out, PARE_RT_DRY))
    {
    case PARE_RT_OK:
      return NULL;
    case PARE_RT_UNSUPPORTED:
      return "a step's types are not supported by its kernel";
    default:
      return "a step's operands do not fit its kernel";
    }
}

const char *
pare_rt_step_check (const PareRtPlan *plan, uint32_t step)
{
  return check_step (plan, &plan->steps[step]);
}

/* The caller gives data for each of `inputs`; no other value may wait for some. */
static const char *
check_inputs (const PareRtPlan *plan)
{
  uint32_t n = 0;
  if (plan->n_inputs > MOST_INPUTS)
    return "it has too many inputs";
  for (uint32_t i = 0; i < plan->n_inputs; i++)
    {
      if (plan->inputs[i] >= plan->n_values || plan->values[plan->inputs[i]].kind != PARE_RT_INPUT)
        return "an input is not one";
      for (uint32_t k = 0; k < i; k++)
        if (plan->inputs[k] == plan->inputs[i])
          return "an input is given twice";
    }
  for (uint32_t i = 0; i < plan->n_values; i++)
    n += plan->values[i].kind == PARE_RT_INPUT;
  return n != plan->n_inputs ? "a value waits for an input that nobody gives" : NULL;
}

const char *
pare_rt_plan_check (const PareRtPlan *plan)
{
  for (uint32_t i = 0; i < plan->n_values; i++)
    {
      const char *wrong = check_value (plan, i);
      if (wrong)
        return wrong;
    }
  const char *input = check_inputs (plan);
  if (input)
    return input;
  for (uint32_t i = 0; i < plan->n_outputs; i++)
    if (plan->outputs[i] >= plan->n_values)
      return "an output names no value";
  for (uint32_t i = 0; i < plan->n_steps; i++)
    {
      const char *wrong = check_step (plan, &plan->steps[i]);
      if (wrong)
        return wrong;
    }
  return NULL;
}
