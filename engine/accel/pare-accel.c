#include "engine/accel/pare-accel-code-tiles.h"
#include "engine/accel/pare-accel-private.h"
#include "engine/accel/pare-dnnl-known.h"

#include <stdio.h>
#include <stdlib.h>

/* Who reads each value, and who is the last; an alias reads what it is an alias of. */
static void
find_last_uses (PareAccel *self)
{
  const PareRtPlan *plan = self->plan;
  for (uint32_t i = 0; i < plan->n_steps; i++)
    for (uint32_t k = 0; k < plan->steps[i].n_in; k++)
      if (plan->steps[i].in[k] != PARE_RT_NONE)
        {
          self->values[plan->steps[i].in[k]].last_use = i;
          self->values[plan->steps[i].in[k]].n_uses++;
        }
  for (uint32_t i = 0; i < plan->n_values; i++)
    {
      if (plan->values[i].keep)
        self->values[i].last_use = UINT32_MAX;
      if (plan->values[i].kind == PARE_RT_ALIAS)
        self->values[plan->values[i].alias_of].n_uses++;
    }
  for (uint32_t i = 0; i < plan->n_outputs; i++)
    self->values[plan->outputs[i]].last_use = UINT32_MAX;
  for (uint32_t i = 0; i < plan->n_values; i++)
    for (uint32_t v = i; plan->values[v].kind == PARE_RT_ALIAS; v = plan->values[v].alias_of)
      {
        uint32_t of = plan->values[v].alias_of;
        if (self->values[of].last_use < self->values[v].last_use)
          self->values[of].last_use = self->values[v].last_use;
      }
}

uint32_t
pare_accel_only_reader (const PareAccel *self, uint32_t value)
{
  const PareAccelValue *v = &self->values[value];
  if (v->n_uses != 1 || v->last_use >= self->plan->n_steps)
    return PARE_RT_NONE;
  const PareRtStep *s = &self->plan->steps[v->last_use]; /* of an alias's reader only the alias knows */
  for (uint32_t i = 0; i < s->n_in; i++)
    if (s->in[i] == value)
      return v->last_use;
  return PARE_RT_NONE;
}

/* projected: what pare_accel_projected() has computed in the place of the first operand. */
static bool
step_portable (PareAccel *self, uint32_t step, uint32_t projected)
{
  const PareRtStep *s = &self->plan->steps[step];
  PareAccelView in[PARE_RT_MAX_IN], out[PARE_RT_MAX_OUT];
  uint32_t n_in = s->n_in;
  for (uint32_t i = 0; i < s->n_in; i++)
    if (s->in[i] == PARE_RT_NONE)
      in[i] = (PareAccelView){ .dtype = PARE_DTYPE_NONE, .buffer = PARE_RT_NONE };
    else
      {
        const PareRtValue *v = &self->plan->values[s->in[i]];
        bool read = i > 0 || projected == PARE_RT_NONE;
        in[i] = (PareAccelView){ .dtype = v->dtype,
                                 .shape = v->shape,
                                 .buffer = read ? pare_accel_plain (self, step, s->in[i]) : PARE_RT_NONE };
      }
  for (uint32_t i = 0; i < s->n_out; i++)
    if (s->out[i] == PARE_RT_NONE)
      out[i] = (PareAccelView){ .dtype = PARE_DTYPE_NONE, .buffer = PARE_RT_NONE };
    else
      {
        const PareRtValue *v = &self->plan->values[s->out[i]];
        out[i] = (PareAccelView){ .dtype = v->dtype,
                                  .shape = v->shape,
                                  .buffer = pare_accel_new_form (self, s->out[i], pare_accel_plain_md (self, s->out[i])) };
      }
  while (projected != PARE_RT_NONE && n_in < PARE_RT_PROJECTED)
    in[n_in++] = (PareAccelView){ .dtype = PARE_DTYPE_NONE, .buffer = PARE_RT_NONE };
  if (projected != PARE_RT_NONE)
    in[n_in++] = (PareAccelView){ .dtype = PARE_DTYPE_FLOAT32,
                                  .shape = { .rank = 1, .dims = { (int64_t)(self->buffers[projected].bytes / sizeof (float)) } },
                                  .buffer = projected };
  if (n_in > 2)
    in[2].packed = pare_accel_recurrent_bf16 (self, step);
  /* with both of a recurrent layer's products made elsewhere, the kernel reads no weights */
  uint64_t bytes = projected != PARE_RT_NONE && in[2].packed ? 0 : pare_rt_kernel_pack (self->plan, s, NULL);
  void *packed = bytes ? pare_accel_pack (self, bytes) : NULL;
  if (packed)
    {
      pare_rt_kernel_pack (self->plan, s, packed);
      in[1].packed = packed;
    }
  return !self->failed
         && pare_accel_add_kernel (self, step, s->op, self->plan->params + s->params, in, n_in, out, s->n_out,
                                   pare_rt_kernel_scratch (self->plan, s, packed));
}

/* False: nothing was added. */
static bool
step_fast (PareAccel *self, uint32_t step)
{
  switch (self->plan->steps[step].op)
    {
    case PARE_RT_CONV:
    case PARE_RT_CONV_TRANSPOSE:
      return pare_accel_step_conv (self, step);
    case PARE_RT_GEMM:
      return pare_accel_step_gemm (self, step);
    case PARE_RT_MATMUL:
      return pare_accel_step_matmul (self, step);
    case PARE_RT_MAX_POOL:
    case PARE_RT_AVG_POOL:
    case PARE_RT_GLOBAL_AVG_POOL:
    case PARE_RT_GLOBAL_MAX_POOL:
      return pare_accel_step_pool (self, step);
    case PARE_RT_UNARY:
    case PARE_RT_CLIP:
      return pare_accel_step_unary (self, step);
    case PARE_RT_BINARY:
      return pare_accel_step_binary (self, step);
    case PARE_RT_FAKE_QUANT:
      return pare_accel_step_fake_quant (self, step);
    case PARE_RT_ATTENTION:
      return pare_accel_step_attention (self, step);
    case PARE_RT_BATCH_NORM:
      return pare_accel_step_batch_norm (self, step);
    case PARE_RT_SOFTMAX:
      return pare_accel_step_softmax (self, step);
    case PARE_RT_SLICE:
    case PARE_RT_PAD:
    case PARE_RT_TRANSPOSE:
      return pare_accel_step_move (self, step);
    case PARE_RT_RESIZE:
      return pare_accel_step_resize (self, step);
    case PARE_RT_CONCAT:
      return pare_accel_step_concat (self, step) || (!self->failed && pare_accel_step_concat_codes (self, step));
    case PARE_RT_QCONV:
      return pare_accel_step_qconv (self, step);
    case PARE_RT_QGEMM:
      return pare_accel_step_qgemm (self, step);
    case PARE_RT_QADD:
      return pare_accel_step_qadd (self, step);
    case PARE_RT_LUT:
      return pare_accel_step_lut (self, step);
    case PARE_RT_QAVG_POOL:
      return pare_accel_step_qavg_pool (self, step);
    case PARE_RT_QUANTIZE_LINEAR:
      return pare_accel_step_quantize (self, step);
    case PARE_RT_DEQUANTIZE_LINEAR:
      return pare_accel_step_dequantize (self, step);
    default:
      return false;
    }
}

/* Is it worth the trouble: products that oneDNN or a loop of ours has. Weights of 16 bits are the portable kernels' where there is no such
 * loop, which then run the whole, threads and all. */
static bool
gains (const PareRtPlan *plan)
{
  for (uint32_t i = 0; i < plan->n_steps; i++)
    switch (plan->steps[i].op)
      {
      case PARE_RT_CONV:
      case PARE_RT_CONV_TRANSPOSE:
      case PARE_RT_GEMM:
      case PARE_RT_MATMUL:
        return true;
      case PARE_RT_QCONV:
      case PARE_RT_QGEMM:
        if (plan->values[plan->steps[i].in[1]].dtype != PARE_DTYPE_INT16 || pare_accel_loop_tiles ())
          return true;
        break;
      default:
        break;
      }
  return false;
}

/* Values that are read after the run lie in plain order; what is the caller's memory is copied, for it may be gone by then. */
static void
keep_readable (PareAccel *self, uint32_t step, uint32_t value)
{
  uint32_t buffer = pare_accel_plain (self, step, value);
  if (buffer == PARE_RT_NONE || self->buffers[buffer].input == PARE_RT_NONE)
    return;
  while (self->plan->values[value].kind == PARE_RT_ALIAS)
    value = self->plan->values[value].alias_of;
  uint32_t copy = pare_accel_new_form (self, value, pare_accel_plain_md (self, value));
  if (copy != PARE_RT_NONE)
    pare_accel_add_loop (self, &(PareAccelNode){ .kind = PARE_NODE_COPY, .step = step, .count = self->plan->values[value].bytes }, buffer,
                         copy);
}

/* One place for what threads keep to themselves, so that the same memory is the same thread's in all nodes: what lies in another one's
 * cache takes long to come. Returns the buffer that stands for all of them. */
static uint32_t
pack_scratch (PareAccel *self)
{
  uint32_t all = PARE_RT_NONE;
  uint64_t most = 0;
  for (uint32_t i = 0; i < self->n_buffers; i++)
    {
      PareAccelBuffer *b = &self->buffers[i];
      if (!b->scratch || b->first == UINT32_MAX)
        continue;
      all = all == PARE_RT_NONE ? i : all;
      PareAccelBuffer *a = &self->buffers[all];
      a->first = b->first < a->first ? b->first : a->first;
      a->last = b->last > a->last ? b->last : a->last;
      most = b->bytes > most ? b->bytes : most;
    }
  most = (most + 63) / 64 * 64;
  for (uint32_t i = 0; i < self->n_views; i++)
    if (self->views[i].buffer != PARE_RT_NONE && self->buffers[self->views[i].buffer].scratch)
      self->views[i].shape.dims[0] = (int64_t)most;
  if (all != PARE_RT_NONE)
    self->buffers[all].bytes = most * (uint64_t)self->threads;
  return all;
}

/* Nodes that use each buffer, and a place for it. */
static bool
pack (PareAccel *self)
{
  for (uint32_t i = 0; i < self->n_buffers; i++)
    {
      self->buffers[i].first = UINT32_MAX;
      self->buffers[i].last = 0;
    }
  for (uint32_t i = 0; i < self->n_nodes; i++)
    for (uint32_t k = 0; k < self->nodes[i].n_args; k++)
      {
        uint32_t at = self->nodes[i].first_arg + k;
        uint32_t buffer = self->nodes[i].kind == PARE_NODE_PRIMITIVE ? self->args[at].buffer : self->views[at].buffer;
        if (buffer == PARE_RT_NONE)
          continue;
        PareAccelBuffer *b = &self->buffers[pare_accel_buffer_root (self, buffer)];
        b->first = i < b->first ? i : b->first;
        b->last = i > b->last ? i : b->last;
      }
  uint32_t n = 0, *first = calloc (self->n_buffers + 1, sizeof *first), *last = calloc (self->n_buffers + 1, sizeof *last),
           *ids = calloc (self->n_buffers + 1, sizeof *ids);
  uint64_t *bytes = calloc (self->n_buffers + 1, sizeof *bytes), *offsets = calloc (self->n_buffers + 1, sizeof *offsets);
  bool fine = first && last && ids && bytes && offsets;
  uint32_t scratch = fine ? pack_scratch (self) : PARE_RT_NONE;
  for (uint32_t i = 0; fine && i < self->n_buffers; i++)
    {
      PareAccelBuffer *b = &self->buffers[i];
      if (b->scratch && i != scratch)
        continue;
      if (b->parent != PARE_RT_NONE || b->fixed || b->input != PARE_RT_NONE || b->first == UINT32_MAX)
        continue;
      ids[n] = i;
      bytes[n] = b->bytes;
      first[n] = b->first;
      last[n++] = b->last_use == UINT32_MAX ? self->n_nodes : b->last;
    }
  if (fine)
    {
      self->arena_bytes = pare_rt_pack_arena (n, bytes, first, last, offsets);
      fine = self->arena_bytes != UINT64_MAX;
      for (uint32_t i = 0; i < n; i++)
        self->buffers[ids[i]].offset = offsets[i];
      for (uint32_t i = 0; i < self->n_buffers; i++)
        if (self->buffers[i].scratch)
          self->buffers[i].offset = self->buffers[scratch].offset;
    }
  free (first);
  free (last);
  free (ids);
  free (bytes);
  free (offsets);
  return fine;
}

/* Joining channels costs nothing where they lie in blocks; oneDNN's convolutions are a little slower so, its single channels much. */
static bool
wants_blocks (const PareAccel *self)
{
  const PareRtPlan *plan = self->plan;
  double joined = 0, macs = 0;
  if (((int)dnnl_get_effective_cpu_isa () & dnnl_cpu_isa_avx512_core) != dnnl_cpu_isa_avx512_core)
    return false;
  for (uint32_t i = 0; i < plan->n_steps; i++)
    {
      const PareRtStep *s = &plan->steps[i];
      const PareRtValue *y = &plan->values[s->out[0]];
      if (s->op == PARE_RT_CONCAT && y->dtype == PARE_DTYPE_FLOAT32 && y->shape.rank == 4 && y->shape.dims[0] == 1
          && ((const PareAxisParams *)(plan->params + s->params))->axis == 1)
        {
          bool whole = true;
          for (uint32_t k = 0; k < s->n_in; k++)
            whole &= plan->values[s->in[k]].shape.dims[1] % 16 == 0;
          joined += whole ? (double)y->bytes : -2 * (double)y->bytes;
        }
      if (s->op == PARE_RT_CONV && !pare_accel_separable_pays (self, i) && !pare_accel_point_pays (self, i))
        {
          const PareConvParams *p = (const PareConvParams *)(plan->params + s->params);
          if (p->group > 1)
            return false;
          macs
              += (double)pare_shape_count (&y->shape) * (double)pare_shape_count (&plan->values[s->in[1]].shape) / (double)y->shape.dims[1];
        }
    }
  return joined > macs / 80; /* measured: 27 bytes are joined while 110 products are made, and a saving of 4 % pays */
}

/* Fully connected layers of one row of floats: the portable kernel reads its packed weights as fast as memory gives them. */
static bool
is_best_portable (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  if (s->op != PARE_RT_GEMM || pare_accel_is_bf16 (self, step) || !pare_accel_is_float (self, s->in[0])
      || !pare_accel_constant (self, s->in[1]) || self->plan->values[s->out[0]].shape.rank != 2
      || self->plan->values[s->out[0]].shape.dims[0] != 1)
    return false;
  uint32_t x = s->in[0];
  while (self->plan->values[x].kind == PARE_RT_ALIAS)
    x = self->plan->values[x].alias_of;
  const PareMd *md = pare_accel_native_any (self, x);
  return md && pare_md_is_row_major (md);
}

/* Primitives and portable kernels that are made from now on are to run on so many threads. */
static void
set_sharing (PareAccel *self, int threads)
{
  self->sharing = threads;
  pare_accel_set_threads (threads);                     /* the code that oneDNN generates splits the work among this many */
  pare_rt_pool_enter (threads > 1 ? self->pool : NULL); /* portable kernels ask for scratch memory by thread */
}

static bool
build (PareAccel *self)
{
  const PareRtPlan *plan = self->plan;
  find_last_uses (self);
  self->blocks = wants_blocks (self);
  for (uint32_t i = 0; i < plan->n_steps && !self->failed; i++)
    {
      self->building = i;
      set_sharing (self, self->gains[i] ? self->threads : 1);
      if (self->absorbed_by[i] || (is_best_portable (self, i) ? step_portable (self, i, PARE_RT_NONE) : step_fast (self, i)))
        self->n_fast++;
      else if (self->failed || !step_portable (self, i, pare_accel_projected (self, i)))
        return false;
      for (uint32_t k = 0; k < plan->steps[i].n_out; k++)
        if (plan->steps[i].out[k] != PARE_RT_NONE && self->values[plan->steps[i].out[k]].last_use == UINT32_MAX)
          keep_readable (self, i, plan->steps[i].out[k]);
    }
  for (uint32_t i = 0; i < plan->n_outputs && !self->failed; i++)
    keep_readable (self, plan->n_steps - 1, plan->outputs[i]);
  return !self->failed && self->n_fast && pack (self);
}

bool
pare_accel_has_bf16 (void)
{
  return ((int)dnnl_get_effective_cpu_isa () & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

uint32_t
pare_accel_count_bf16 (const PareAccel *self)
{
  return self ? self->n_bf16 : 0;
}

PareAccel *
pare_accel_new (const PareRtPlan *plan, int threads)
{
  if (!gains (plan))
    return NULL;
  PareAccel *self = calloc (1, sizeof *self);
  if (!self)
    return NULL;
  self->plan = plan;
  self->threads = threads < 1 ? 1 : threads;
  self->exact = pare_accel_has_bf16 () ? malloc (plan->n_values + 1) : NULL;
  if (self->exact)
    pare_rt_plan_find_bfloat (plan, self->exact);
  self->gains = calloc (plan->n_steps + 1, sizeof *self->gains);
  if (self->threads > 1 && self->gains && !pare_accel_find_gains (plan, self->exact, pare_accel_moves (), self->gains))
    self->threads = 1;
  self->mds = pare_md_pool_new ();
  self->values = calloc (plan->n_values + 1, sizeof *self->values);
  self->contents = calloc (plan->n_values + 1, sizeof *self->contents);
  self->absorbed_by = calloc (plan->n_steps + 1, sizeof *self->absorbed_by);
  int before = pare_accel_set_threads (1);
  self->pool = self->threads > 1 ? pare_rt_pool_new_over (self->threads, pare_accel_share) : NULL;
  PareRtPool *pool = pare_rt_pool_enter (NULL);
  bool fine = self->gains && self->mds && self->values && self->contents && self->absorbed_by && (self->engine = pare_dnnl_engine ())
              && build (self);
  pare_rt_pool_enter (pool);
  pare_accel_set_threads (before);
  if (!fine)
    {
      pare_accel_free (self);
      return NULL;
    }
  pare_accel_offer_packs (self);
  return self;
}

void
pare_accel_free (PareAccel *self)
{
  if (!self)
    return;
  for (uint32_t i = 0; i < self->n_nodes; i++)
    if (self->nodes[i].primitive)
      dnnl_primitive_destroy (self->nodes[i].primitive);
  pare_accel_free_packs (self);
  pare_md_pool_free (self->mds);
  pare_rt_pool_free (self->pool);
  free (self->values);
  free (self->absorbed_by);
  free (self->gains);
  free (self->exact);
  free (self->buffers);
  free (self->nodes);
  free (self->args);
  free (self->views);
  free (self->contents);
  free (self);
}

uint32_t
pare_accel_get_owner (const PareAccel *self, uint32_t step)
{
  while (self->absorbed_by[step])
    step = self->absorbed_by[step] - 1;
  return step;
}

double
pare_accel_get_coverage (const PareAccel *self)
{
  return self && self->plan->n_steps ? (double)self->n_fast / self->plan->n_steps : 0;
}

const char *
pare_accel_version (void)
{
  static char text[32];
  const dnnl_version_t *version = dnnl_version ();
  if (!text[0])
    snprintf (text, sizeof text, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
  return text;
}
