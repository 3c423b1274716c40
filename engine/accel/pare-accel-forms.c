#include "engine/accel/pare-accel-private.h"

#include <stdlib.h>
#include <string.h>

bool
pare_accel_grow (PareAccel *self, void **array, uint32_t n, uint32_t more, uint32_t *room, size_t size)
{
  if (n + more <= *room)
    return true;
  uint32_t wanted = (n + more) * 2 + 16;
  void *bigger = realloc (*array, wanted * size);
  if (!bigger)
    {
      self->failed = true;
      return false;
    }
  *array = bigger;
  *room = wanted;
  return true;
}

uint32_t
pare_accel_buffer_new (PareAccel *self, uint64_t bytes)
{
  if (!pare_accel_grow (self, (void **)&self->buffers, self->n_buffers, 1, &self->room_buffers, sizeof *self->buffers))
    return PARE_RT_NONE;
  self->buffers[self->n_buffers] = (PareAccelBuffer){ .bytes = bytes, .input = PARE_RT_NONE, .parent = PARE_RT_NONE };
  return self->n_buffers++;
}

uint32_t
pare_accel_scratch_new (PareAccel *self, uint64_t bytes)
{
  uint32_t buffer = pare_accel_buffer_new (self, bytes);
  if (buffer != PARE_RT_NONE)
    self->buffers[buffer].scratch = true;
  return buffer;
}

uint32_t
pare_accel_buffer_root (const PareAccel *self, uint32_t buffer)
{
  while (self->buffers[buffer].parent != PARE_RT_NONE)
    buffer = self->buffers[buffer].parent;
  return buffer;
}

const void *
pare_accel_constant (const PareAccel *self, uint32_t value)
{
  while (self->plan->values[value].kind == PARE_RT_ALIAS)
    value = self->plan->values[value].alias_of;
  return self->plan->values[value].kind == PARE_RT_CONSTANT ? pare_rt_plan_constant (self->plan, value) : NULL;
}

bool
pare_accel_is_float (const PareAccel *self, uint32_t value)
{
  return value != PARE_RT_NONE && self->plan->values[value].dtype == PARE_DTYPE_FLOAT32;
}

bool
pare_accel_is_codes (const PareAccel *self, uint32_t value)
{
  return value != PARE_RT_NONE
         && (self->plan->values[value].dtype == PARE_DTYPE_UINT8 || self->plan->values[value].dtype == PARE_DTYPE_INT8);
}

dnnl_data_type_t
pare_accel_type (const PareAccel *self, uint32_t value)
{
  PareDtype dtype = self->plan->values[value].dtype;
  return dtype == PARE_DTYPE_UINT8 ? dnnl_u8 : dtype == PARE_DTYPE_INT8 ? dnnl_s8 : dnnl_f32;
}

const PareMd *
pare_accel_plain_md (PareAccel *self, uint32_t value)
{
  const PareShape *shape = &self->plan->values[value].shape;
  const int64_t one = 1;
  if (!pare_accel_is_float (self, value) && !pare_accel_is_codes (self, value))
    return NULL;
  dnnl_data_type_t type = pare_accel_type (self, value);
  return shape->rank ? pare_md_new_typed (self->mds, type, shape->rank, shape->dims, NULL)
                     : pare_md_new_typed (self->mds, type, 1, &one, NULL);
}

void
pare_accel_set_form (PareAccel *self, uint32_t value, const PareMd *md, uint32_t buffer)
{
  PareAccelValue *v = &self->values[value];
  if (buffer == PARE_RT_NONE || v->n_forms == PARE_ACCEL_MAX_FORMS)
    return;
  v->forms[v->n_forms++] = (PareForm){ md, buffer };
  PareAccelBuffer *root = &self->buffers[pare_accel_buffer_root (self, buffer)];
  if (v->last_use > root->last_use)
    root->last_use = v->last_use;
}

uint32_t
pare_accel_new_form (PareAccel *self, uint32_t value, const PareMd *md)
{
  uint32_t buffer = pare_accel_buffer_new (self, md ? pare_md_bytes (md) : self->plan->values[value].bytes);
  pare_accel_set_form (self, value, md, buffer);
  return buffer;
}

bool
pare_accel_may_overwrite (const PareAccel *self, uint32_t step, uint32_t buffer)
{
  const PareAccelBuffer *root = &self->buffers[pare_accel_buffer_root (self, buffer)];
  return !root->fixed && root->input == PARE_RT_NONE && root->last_use <= step;
}

bool
pare_accel_add_primitive (PareAccel *self, uint32_t step, dnnl_primitive_desc_t pd, const PareArgSpec *args, uint32_t n_args)
{
  const PareMd *scratchpad = pare_pd_md (self->mds, pd, PARE_PD_SCRATCHPAD);
  dnnl_primitive_t primitive = pare_pd_take_primitive (pd);
  if (!primitive || !pare_accel_grow (self, (void **)&self->nodes, self->n_nodes, 1, &self->room_nodes, sizeof *self->nodes)
      || !pare_accel_grow (self, (void **)&self->args, self->n_args, n_args + 1, &self->room_args, sizeof *self->args))
    {
      if (primitive)
        dnnl_primitive_destroy (primitive);
      self->failed = true;
      return false;
    }
  PareAccelNode *node = &self->nodes[self->n_nodes++];
  *node = (PareAccelNode){
    .kind = PARE_NODE_PRIMITIVE, .step = step, .threads = self->sharing, .first_arg = self->n_args, .primitive = primitive
  };
  for (uint32_t i = 0; i < n_args; i++)
    {
      if (args[i].buffer == PARE_RT_NONE || !args[i].md)
        self->failed = true;
      self->args[self->n_args++] = (PareAccelArg){ args[i].arg, args[i].md, args[i].buffer };
    }
  if (scratchpad && pare_md_bytes (scratchpad))
    {
      self->args[self->n_args++] = (PareAccelArg){ DNNL_ARG_SCRATCHPAD, scratchpad, PARE_RT_NONE };
      if (pare_md_bytes (scratchpad) > self->scratch_bytes)
        self->scratch_bytes = pare_md_bytes (scratchpad);
    }
  node->n_args = self->n_args - node->first_arg;
  return !self->failed;
}

bool
pare_accel_add_reorder (PareAccel *self, uint32_t step, const PareMd *from, uint32_t src, const PareMd *to, uint32_t dst)
{
  dnnl_primitive_desc_t pd = from && to ? pare_pd_reorder (self->engine, from, to) : NULL;
  if (!pd)
    {
      self->failed = true;
      return false;
    }
  return pare_accel_add_primitive (self, step, pd, (PareArgSpec[]){ { DNNL_ARG_FROM, from, src }, { DNNL_ARG_TO, to, dst } }, 2);
}

bool
pare_accel_add_kernel (PareAccel *self, uint32_t step, PareRtOp op, const void *params, const PareAccelView *in, uint32_t n_in,
                       const PareAccelView *out, uint32_t n_out, uint64_t scratch)
{
  PareRtKernel kernel = pare_rt_kernel (op);
  if (!kernel || !pare_accel_grow (self, (void **)&self->nodes, self->n_nodes, 1, &self->room_nodes, sizeof *self->nodes)
      || !pare_accel_grow (self, (void **)&self->views, self->n_views, n_in + n_out, &self->room_views, sizeof *self->views))
    {
      self->failed = true;
      return false;
    }
  self->nodes[self->n_nodes++] = (PareAccelNode){ .kind = PARE_NODE_KERNEL,
                                                  .step = step,
                                                  .threads = self->sharing,
                                                  .first_arg = self->n_views,
                                                  .n_args = n_in + n_out,
                                                  .n_in = n_in,
                                                  .kernel = kernel,
                                                  .params = params };
  for (uint32_t i = 0; i < n_in; i++)
    self->views[self->n_views++] = in[i];
  for (uint32_t i = 0; i < n_out; i++)
    self->views[self->n_views++] = out[i];
  if (scratch > self->scratch_bytes)
    self->scratch_bytes = scratch;
  return true;
}

bool
pare_accel_add_loop (PareAccel *self, const PareAccelNode *node, uint32_t src, uint32_t dst)
{
  if (!pare_accel_grow (self, (void **)&self->nodes, self->n_nodes, 1, &self->room_nodes, sizeof *self->nodes)
      || !pare_accel_grow (self, (void **)&self->views, self->n_views, 2, &self->room_views, sizeof *self->views))
    return false;
  self->nodes[self->n_nodes] = *node;
  self->nodes[self->n_nodes].first_arg = self->n_views;
  self->nodes[self->n_nodes].n_args = 2;
  self->nodes[self->n_nodes].threads = node->count >= PARE_ACCEL_PARALLEL_FROM ? self->threads : 1;
  self->nodes[self->n_nodes++].n_in = 1;
  self->views[self->n_views++] = (PareAccelView){ .buffer = src };
  self->views[self->n_views++] = (PareAccelView){ .buffer = dst };
  return true;
}

bool
pare_accel_add_work (PareAccel *self, uint32_t step, PareAccelLoop loop, const void *params, uint64_t bytes, uint64_t count,
                     const uint32_t *buffers, uint32_t n_buffers)
{
  void *kept = pare_accel_pack (self, bytes);
  for (uint32_t i = 0; i < n_buffers; i++)
    if (buffers[i] == PARE_RT_NONE)
      self->failed = true;
  if (!kept || self->failed || !pare_accel_grow (self, (void **)&self->nodes, self->n_nodes, 1, &self->room_nodes, sizeof *self->nodes)
      || !pare_accel_grow (self, (void **)&self->views, self->n_views, n_buffers, &self->room_views, sizeof *self->views))
    {
      self->failed = true;
      return false;
    }
  memcpy (kept, params, bytes);
  self->nodes[self->n_nodes++] = (PareAccelNode){ .kind = PARE_NODE_LOOP,
                                                  .step = step,
                                                  .threads = count >= PARE_ACCEL_PARALLEL_FROM ? self->threads : 1,
                                                  .first_arg = self->n_views,
                                                  .n_args = n_buffers,
                                                  .loop = loop,
                                                  .params = kept,
                                                  .count = count };
  for (uint32_t i = 0; i < n_buffers; i++)
    self->views[self->n_views++] = (PareAccelView){ .buffer = buffers[i] };
  return true;
}

/* What callers and portable kernels can read. */
static bool
is_plain (const PareMd *md)
{
  return !md || (pare_md_is_row_major (md) && pare_md_type (md) != dnnl_bf16);
}

bool
pare_accel_is_bf16 (const PareAccel *self, uint32_t step)
{
  return self->exact && pare_rt_step_is_bfloat (self->plan, step, self->exact);
}

PareAccelResult
pare_accel_result (const PareAccel *self, uint32_t value)
{
  PareAccelResult result = { value, PARE_RT_NONE, dnnl_f32 };
  if (!self->exact || self->values[value].last_use == UINT32_MAX)
    return result;
  if (self->exact[value])
    result.type = dnnl_bf16;
  uint32_t reader = pare_accel_only_reader (self, value);
  const PareRtStep *s = reader != PARE_RT_NONE ? &self->plan->steps[reader] : NULL;
  if (!self->exact[value] && s && s->op == PARE_RT_UNARY
      && ((const PareUnaryParams *)(self->plan->params + s->params))->kind == PARE_UN_BFLOAT16
      && self->values[s->out[0]].last_use != UINT32_MAX)
    result = (PareAccelResult){ s->out[0], reader, dnnl_bf16 };
  return result;
}

bool
pare_accel_absorb (PareAccel *self, uint32_t step)
{
  if (step != PARE_RT_NONE)
    self->absorbed_by[step] = self->building + 1;
  return true;
}

/* Constants and inputs get their first form when somebody asks. */
static void
ensure (PareAccel *self, uint32_t value)
{
  const PareRtValue *v = &self->plan->values[value];
  if (self->values[value].n_forms || v->kind == PARE_RT_ALIAS || v->kind == PARE_RT_ARENA)
    return;
  uint32_t buffer = pare_accel_new_form (self, value, pare_accel_plain_md (self, value));
  if (buffer == PARE_RT_NONE)
    return;
  self->buffers[buffer].bytes = v->bytes;
  if (v->kind == PARE_RT_CONSTANT)
    self->buffers[buffer].fixed = pare_rt_plan_constant (self->plan, value);
  else
    for (uint32_t i = 0; i < self->plan->n_inputs; i++)
      if (self->plan->inputs[i] == value)
        self->buffers[buffer].input = i;
}

bool
pare_accel_is_known (const PareAccel *self, uint32_t value)
{
  while (self->plan->values[value].kind == PARE_RT_ALIAS)
    value = self->plan->values[value].alias_of;
  return self->values[value].n_forms || self->plan->values[value].kind != PARE_RT_ARENA;
}

uint32_t
pare_accel_plain (PareAccel *self, uint32_t step, uint32_t value)
{
  while (self->plan->values[value].kind == PARE_RT_ALIAS)
    value = self->plan->values[value].alias_of;
  ensure (self, value);
  PareAccelValue *v = &self->values[value];
  if (!v->n_forms)
    {
      self->failed = true;
      return PARE_RT_NONE;
    }
  for (uint32_t i = 0; i < v->n_forms; i++)
    if (is_plain (v->forms[i].md))
      return v->forms[i].buffer;
  const PareMd *plain = pare_accel_plain_md (self, value);
  if (!plain)
    {
      self->failed = true;
      return PARE_RT_NONE;
    }
  PareForm from = v->forms[0];
  uint32_t buffer = pare_accel_new_form (self, value, plain);
  pare_accel_add_reorder (self, step, from.md, from.buffer, plain, buffer);
  return buffer;
}

/* What the value is another name of, where that has the same axes: it is in memory in that one's layouts. */
static uint32_t
named (const PareAccel *self, uint32_t value)
{
  for (const PareRtValue *v = &self->plan->values[value]; v->kind == PARE_RT_ALIAS; v = &self->plan->values[value])
    {
      const PareRtValue *of = &self->plan->values[v->alias_of];
      if (of->dtype != v->dtype || of->shape.rank != v->shape.rank
          || memcmp (of->shape.dims, v->shape.dims, (size_t)v->shape.rank * sizeof *v->shape.dims))
        break;
      value = v->alias_of;
    }
  return value;
}

const PareMd *
pare_accel_native (PareAccel *self, uint32_t value)
{
  const PareMd *md = pare_accel_native_any (self, value);
  return md && pare_md_type (md) == dnnl_bf16 ? pare_md_with_type (self->mds, md, dnnl_f32) : md;
}

const PareMd *
pare_accel_native_any (PareAccel *self, uint32_t value)
{
  value = named (self, value);
  ensure (self, value);
  if (self->values[value].n_forms && self->values[value].forms[0].md)
    return self->values[value].forms[0].md;
  return pare_accel_plain_md (self, value);
}

uint32_t
pare_accel_plain_bf16 (PareAccel *self, uint32_t step, uint32_t value)
{
  while (self->plan->values[value].kind == PARE_RT_ALIAS)
    value = self->plan->values[value].alias_of;
  const PareMd *plain = pare_accel_plain_md (self, value), *narrow = plain ? pare_md_with_type (self->mds, plain, dnnl_bf16) : NULL;
  return narrow ? pare_accel_form (self, step, value, narrow) : PARE_RT_NONE;
}

uint32_t
pare_accel_form (PareAccel *self, uint32_t step, uint32_t value, const PareMd *md)
{
  value = named (self, value);
  ensure (self, value);
  PareAccelValue *v = &self->values[value];
  for (uint32_t i = 0; i < v->n_forms; i++)
    if (v->forms[i].md == md)
      return v->forms[i].buffer;
  if (self->plan->values[value].kind == PARE_RT_ALIAS && pare_accel_seen (self, value) == md)
    {
      while (self->plan->values[value].kind == PARE_RT_ALIAS)
        value = self->plan->values[value].alias_of;
      return self->values[value].forms[0].buffer;
    }
  if (is_plain (md))
    return pare_accel_plain (self, step, value);
  const void *constant = pare_accel_constant (self, value);
  if (constant)
    {
      uint32_t buffer = pare_accel_weights (self, step, value, pare_accel_plain_md (self, value), md, 1.0f);
      pare_accel_set_form (self, value, md, buffer);
      return buffer;
    }
  PareForm from = v->n_forms ? v->forms[0] : (PareForm){ pare_accel_plain_md (self, value), pare_accel_plain (self, step, value) };
  uint32_t buffer = pare_accel_buffer_new (self, pare_md_bytes (md));
  if (buffer == PARE_RT_NONE || from.buffer == PARE_RT_NONE)
    return PARE_RT_NONE;
  pare_accel_set_form (self, value, md, buffer);
  pare_accel_add_reorder (self, step, from.md, from.buffer, md, buffer);
  return buffer;
}

uint32_t
pare_accel_form_copy (PareAccel *self, uint32_t step, uint32_t value, const PareMd *md)
{
  value = named (self, value);
  ensure (self, value);
  PareAccelValue *v = &self->values[value];
  PareForm from = v->n_forms ? v->forms[0] : (PareForm){ pare_accel_plain_md (self, value), pare_accel_plain (self, step, value) };
  uint32_t buffer = pare_accel_buffer_new (self, pare_md_bytes (md));
  if (buffer == PARE_RT_NONE || from.buffer == PARE_RT_NONE)
    return PARE_RT_NONE;
  pare_accel_add_reorder (self, step, from.md, from.buffer, md, buffer);
  return buffer;
}

/* Runs a reorder now, on one thread: it must be quick on a busy machine too. */
static bool
reorder_now (PareAccel *self, const PareMd *from, const void *src, const PareMd *to, void *dst)
{
  int threads = pare_accel_set_threads (1);
  dnnl_primitive_desc_t pd = pare_pd_reorder (self->engine, from, to);
  if (!pd)
    {
      pare_accel_set_threads (threads);
      return false;
    }
  const PareMd *scratchpad = pare_pd_md (self->mds, pd, PARE_PD_SCRATCHPAD);
  dnnl_primitive_t primitive = pare_pd_take_primitive (pd);
  dnnl_stream_t stream = NULL;
  void *scratch = scratchpad && pare_md_bytes (scratchpad) ? malloc (pare_md_bytes (scratchpad)) : NULL;
  dnnl_memory_t memory[3] = { pare_dnnl_memory (self->engine, from, (void *)src), pare_dnnl_memory (self->engine, to, dst),
                              scratch ? pare_dnnl_memory (self->engine, scratchpad, scratch) : NULL };
  bool fine = primitive && memory[0] && memory[1] && dnnl_stream_create (&stream, self->engine, dnnl_stream_default_flags) == dnnl_success;
  if (fine)
    {
      const dnnl_exec_arg_t args[3] = { { DNNL_ARG_FROM, memory[0] }, { DNNL_ARG_TO, memory[1] }, { DNNL_ARG_SCRATCHPAD, memory[2] } };
      fine = dnnl_primitive_execute (primitive, stream, memory[2] ? 3 : 2, args) == dnnl_success
             && dnnl_stream_wait (stream) == dnnl_success;
    }
  for (int i = 0; i < 3; i++)
    if (memory[i])
      dnnl_memory_destroy (memory[i]);
  if (stream)
    dnnl_stream_destroy (stream);
  if (primitive)
    dnnl_primitive_destroy (primitive);
  free (scratch);
  pare_accel_set_threads (threads);
  return fine;
}

/* Room for a constant times factors in another layout. */
static void *
pack_reordered (PareAccel *self, uint32_t value, const PareMd *as, const PareMd *md, const float *factors, int64_t n, bool *known)
{
  const int64_t how[2] = { (int64_t)pare_md_hash (as), (int64_t)pare_md_hash (md) };
  *known = false;
  if (!pare_md_is_plain_blocked (as) || !pare_md_is_plain_blocked (md)) /* the hashes do not tell everything of them */
    return pare_accel_pack (self, pare_md_bytes (md));
  return pare_accel_pack_shared (self, pare_accel_pack_key (self, PARE_PACK_REORDERED, value, factors, n, how, 2), pare_md_bytes (md),
                                 known);
}

uint32_t
pare_accel_weights (PareAccel *self, uint32_t step, uint32_t value, const PareMd *as, const PareMd *md, float factor)
{
  const float *constant = pare_accel_constant (self, value);
  uint32_t plain = pare_accel_plain (self, step, value);
  if (plain == PARE_RT_NONE || !as || !md)
    {
      self->failed = true;
      return PARE_RT_NONE;
    }
  if (as == md && factor == 1.0f)
    return plain;
  uint32_t buffer = pare_accel_buffer_new (self, pare_md_bytes (md));
  if (buffer == PARE_RT_NONE)
    return PARE_RT_NONE;
  if (!constant)
    {
      pare_accel_add_reorder (self, step, as, plain, md, buffer);
      return buffer;
    }
  bool known;
  float *packed = pack_reordered (self, value, as, md, &factor, 1, &known);
  if (!packed || (!known && !reorder_now (self, as, constant, md, packed)))
    {
      self->failed = true;
      return PARE_RT_NONE;
    }
  if (factor != 1.0f && !known)
    for (uint64_t i = 0; i < pare_md_bytes (md) / sizeof (float); i++)
      packed[i] *= factor;
  self->buffers[buffer].fixed = packed;
  return buffer;
}

uint32_t
pare_accel_packed (PareAccel *self, const void *data, const PareMd *as, const PareMd *md)
{
  uint32_t buffer = pare_accel_buffer_new (self, pare_md_bytes (md));
  void *packed = pare_accel_pack (self, pare_md_bytes (md));
  if (buffer == PARE_RT_NONE || !packed || !reorder_now (self, as, data, md, packed))
    {
      self->failed = true;
      return PARE_RT_NONE;
    }
  self->buffers[buffer].fixed = packed;
  return buffer;
}

uint32_t
pare_accel_fixed (PareAccel *self, const void *data, uint64_t bytes)
{
  uint32_t buffer = pare_accel_buffer_new (self, bytes);
  void *packed = pare_accel_pack (self, bytes);
  if (buffer == PARE_RT_NONE || !packed)
    return PARE_RT_NONE;
  memcpy (packed, data, bytes);
  self->buffers[buffer].fixed = packed;
  return buffer;
}

uint32_t
pare_accel_weights_scaled (PareAccel *self, uint32_t value, const PareMd *as, const PareMd *md, const float *factors, int64_t n)
{
  const float *constant = pare_accel_constant (self, value);
  int64_t count = pare_shape_count (&self->plan->values[value].shape);
  uint32_t buffer = pare_accel_buffer_new (self, pare_md_bytes (md));
  bool known = false;
  float *packed = pack_reordered (self, value, as, md, factors, n, &known),
        *scaled = known ? NULL : malloc ((size_t)count * sizeof *scaled);
  if (buffer != PARE_RT_NONE && known)
    self->buffers[buffer].fixed = packed;
  else if (buffer != PARE_RT_NONE && packed && scaled)
    {
      for (int64_t i = 0; i < n; i++)
        for (int64_t k = i * (count / n); k < (i + 1) * (count / n); k++)
          scaled[k] = constant[k] * factors[i];
      self->buffers[buffer].fixed = packed;
      if (!reorder_now (self, as, scaled, md, packed))
        self->failed = true;
    }
  else
    self->failed = true;
  free (scaled);
  return self->failed ? PARE_RT_NONE : buffer;
}

uint32_t
pare_accel_bias (PareAccel *self, uint32_t step, uint32_t value, float factor)
{
  const float *constant = pare_accel_constant (self, value);
  if (factor == 1.0f || !constant)
    return pare_accel_plain (self, step, value);
  uint64_t bytes = self->plan->values[value].bytes;
  uint32_t buffer = pare_accel_buffer_new (self, bytes);
  float *packed = pare_accel_pack (self, bytes);
  if (buffer == PARE_RT_NONE || !packed)
    return PARE_RT_NONE;
  for (uint64_t i = 0; i < bytes / sizeof (float); i++)
    packed[i] = constant[i] * factor;
  self->buffers[buffer].fixed = packed;
  return buffer;
}

bool
pare_accel_activation (PareActivation activation, float lo, float hi, float alpha, ParePostOps *post)
{
  const float most = 3.4028234663852886e38f; /* infinite bounds are none */
  ParePostOp op = { .kind = PARE_POST_ELTWISE };
  switch (activation)
    {
    case PARE_ACT_NONE:
      return true;
    case PARE_ACT_CLIP:
      op.alg = lo == 0 && hi >= most ? dnnl_eltwise_relu : dnnl_eltwise_clip;
      if (op.alg == dnnl_eltwise_clip)
        {
          op.alpha = lo < -most ? -most : lo;
          op.beta = hi > most ? most : hi;
        }
      if (!(op.alpha <= op.beta))
        return false;
      break;
    case PARE_ACT_LEAKY:
      op.alg = dnnl_eltwise_relu;
      op.alpha = alpha;
      break;
    case PARE_ACT_SIGMOID:
      op.alg = dnnl_eltwise_logistic;
      break;
    case PARE_ACT_TANH:
      op.alg = dnnl_eltwise_tanh;
      break;
    case PARE_ACT_HARDSWISH:
      op.alg = dnnl_eltwise_hardswish;
      break;
    case PARE_ACT_SWISH:
      op.alg = dnnl_eltwise_swish;
      op.alpha = 1;
      break;
    case PARE_ACT_QUICK_GELU:
      op.alg = dnnl_eltwise_swish;
      op.alpha = 1.702f;
      break;
    case PARE_ACT_GELU:
      op.alg = dnnl_eltwise_gelu_erf;
      break;
    case PARE_ACT_GELU_TANH:
      op.alg = dnnl_eltwise_gelu_tanh;
      break;
    case PARE_ACT_ELU:
      op.alg = dnnl_eltwise_elu;
      op.alpha = 1;
      break;
    case PARE_ACT_MISH:
      op.alg = dnnl_eltwise_mish;
      break;
    default:
      return false;
    }
  if (post->n == PARE_MAX_POST)
    return false;
  post->ops[post->n++] = op;
  return true;
}
