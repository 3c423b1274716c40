#include "engine/accel/pare-accel-private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* A node with its operands bound to this runner's memory. */
typedef struct
{
  const PareAccelNode *node;
  int n_args;
  dnnl_exec_arg_t *args; /* primitives */
  PareView *views;       /* kernels, loops */
} Bound;

/* What has to be told where the caller's input lies. */
typedef struct
{
  uint32_t input;
  dnnl_memory_t memory;
  PareView *view;
} Rebind;

typedef struct
{
  const PareMd *md;
  void *data;
  uint32_t input;
  dnnl_memory_t memory;
} Memory;

struct PareAccelRunner
{
  PareAccel *accel;
  dnnl_stream_t stream;
  uint8_t *arena, *scratch;
  Bound *bound;
  dnnl_exec_arg_t *args;
  PareView *views;
  Memory *memories; /* open hash: nodes that read the same bytes in the same layout share a handle */
  uint32_t n_memories, room_memories;
  Rebind *rebinds;
  uint32_t n_rebinds;
  const void **inputs;     /* where they were in the last run */
  PareAccelTurn *turns;    /* of each thread */
  const uint8_t *expected; /* by the caller, after this run: not asked for yet */
  uint64_t expected_lines;
};

static void *
address (const PareAccelRunner *self, uint32_t buffer)
{
  uint64_t offset = 0;
  if (buffer == PARE_RT_NONE)
    return self->scratch;
  const PareAccelBuffer *b = &self->accel->buffers[buffer];
  for (; b->parent != PARE_RT_NONE; b = &self->accel->buffers[b->parent])
    offset += b->offset;
  if (b->fixed)
    return (uint8_t *)b->fixed + offset;
  return b->input != PARE_RT_NONE ? NULL : self->arena + b->offset + offset;
}

static uint32_t
input_of (const PareAccelRunner *self, uint32_t buffer)
{
  return buffer == PARE_RT_NONE ? PARE_RT_NONE : self->accel->buffers[buffer].input;
}

static dnnl_memory_t
memory_for (PareAccelRunner *self, const PareMd *md, uint32_t buffer)
{
  void *data = address (self, buffer);
  uint32_t input = input_of (self, buffer);
  uint64_t hash = ((uintptr_t)md >> 4) * 1099511628211u ^ ((uintptr_t)data >> 4) * 2654435761u ^ input;
  uint32_t i = (uint32_t)((hash ^ hash >> 29) & (self->room_memories - 1));
  for (; self->memories[i].memory; i = (i + 1) & (self->room_memories - 1))
    if (self->memories[i].md == md && self->memories[i].data == data && self->memories[i].input == input)
      return self->memories[i].memory;
  dnnl_memory_t memory = pare_dnnl_memory (self->accel->engine, md, data);
  if (!memory)
    return NULL;
  self->memories[i] = (Memory){ md, data, input, memory };
  if (input != PARE_RT_NONE)
    self->rebinds[self->n_rebinds++] = (Rebind){ .input = input, .memory = memory };
  return memory;
}

static bool
bind (PareAccelRunner *self)
{
  const PareAccel *accel = self->accel;
  dnnl_exec_arg_t *arg = self->args;
  PareView *view = self->views;
  for (uint32_t i = 0; i < accel->n_nodes; i++)
    {
      const PareAccelNode *node = &accel->nodes[i];
      self->bound[i] = (Bound){ .node = node, .n_args = (int)node->n_args, .args = arg, .views = view };
      for (uint32_t k = 0; k < node->n_args; k++)
        if (node->kind == PARE_NODE_PRIMITIVE)
          {
            const PareAccelArg *a = &accel->args[node->first_arg + k];
            *arg = (dnnl_exec_arg_t){ a->arg, memory_for (self, a->md, a->buffer) };
            if (!arg++->memory)
              return false;
          }
        else
          {
            const PareAccelView *v = &accel->views[node->first_arg + k];
            *view = (PareView){ .dtype = v->dtype, .shape = v->shape, .packed = v->packed };
            if (v->buffer != PARE_RT_NONE)
              {
                view->data = address (self, v->buffer);
                if (input_of (self, v->buffer) != PARE_RT_NONE)
                  self->rebinds[self->n_rebinds++] = (Rebind){ .input = input_of (self, v->buffer), .view = view };
              }
            view++;
          }
    }
  return true;
}

/* Cleared; in large pages where it fills some. */
static void *
memory_new (uint64_t bytes)
{
  void *memory = NULL;
  bool large = bytes >= 2 << 20;
  bytes += 64;
  if (posix_memalign (&memory, large ? 2 << 20 : 4096, bytes))
    return NULL;
#ifdef MADV_HUGEPAGE
  if (large)
    madvise (memory, bytes, MADV_HUGEPAGE);
#endif
  memset (memory, 0, bytes);
  return memory;
}

PareAccelRunner *
pare_accel_runner_new (PareAccel *accel)
{
  PareAccelRunner *self = accel ? calloc (1, sizeof *self) : NULL;
  if (!self)
    return NULL;
  self->accel = accel;
  self->room_memories = 16;
  while (self->room_memories < accel->n_args * 2)
    self->room_memories *= 2;
  self->bound = calloc (accel->n_nodes + 1, sizeof *self->bound);
  self->args = calloc (accel->n_args + 1, sizeof *self->args);
  self->views = calloc (accel->n_views + 1, sizeof *self->views);
  self->memories = calloc (self->room_memories, sizeof *self->memories);
  self->rebinds = calloc (accel->n_args + accel->n_views + 1, sizeof *self->rebinds);
  self->inputs = calloc (accel->plan->n_inputs + 1, sizeof *self->inputs);
  self->turns = calloc ((size_t)accel->threads, sizeof *self->turns);
  self->arena = memory_new (accel->arena_bytes);
  self->scratch = memory_new (accel->scratch_bytes);
  if (!self->bound || !self->args || !self->views || !self->memories || !self->rebinds || !self->inputs || !self->turns || !self->arena
      || !self->scratch || dnnl_stream_create (&self->stream, accel->engine, dnnl_stream_default_flags) != dnnl_success || !bind (self))
    {
      pare_accel_runner_free (self);
      return NULL;
    }
  return self;
}

void
pare_accel_runner_free (PareAccelRunner *self)
{
  if (!self)
    return;
  if (self->memories)
    for (uint32_t i = 0; i < self->room_memories; i++)
      if (self->memories[i].memory)
        dnnl_memory_destroy (self->memories[i].memory);
  if (self->stream)
    dnnl_stream_destroy (self->stream);
  free (self->arena);
  free (self->scratch);
  free (self->bound);
  free (self->args);
  free (self->views);
  free (self->memories);
  free (self->rebinds);
  free (self->inputs);
  free (self->turns);
  free (self);
}

static uint64_t
now (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static PareRtStatus
run_node (PareAccelRunner *self, const Bound *b)
{
  const PareAccelNode *node = b->node;
  switch (node->kind)
    {
    case PARE_NODE_PRIMITIVE:
      return dnnl_primitive_execute (node->primitive, self->stream, b->n_args, b->args) == dnnl_success ? PARE_RT_OK : PARE_RT_INVALID;
    case PARE_NODE_KERNEL:
      return node->kernel (node->params, b->views, node->n_in, b->views + node->n_in, (uint32_t)b->n_args - node->n_in, self->scratch);
    case PARE_NODE_FAKE_QUANT:
      pare_accel_fake_quant (b->views[0].data, b->views[1].data, node->count, node->scale, node->zero, node->lo, node->hi, node->threads);
      return PARE_RT_OK;
    case PARE_NODE_COPY:
      memcpy (b->views[1].data, b->views[0].data, node->count);
      return PARE_RT_OK;
    case PARE_NODE_BLOCK:
      pare_accel_copy_block (node->block, b->views[0].data, b->views[1].data);
      return PARE_RT_OK;
    case PARE_NODE_LOOP:
      pare_accel_run_loop (node->loop, node->params, b->views, node->threads);
      return PARE_RT_OK;
    default:
      return PARE_RT_INVALID;
    }
}

/* Nodes from `first` on that threads run without parting in between, from one that is shared to another one; 0: there are no two. */
static uint32_t
count_together (const PareAccelRunner *self, uint32_t first, uint32_t end)
{
  uint32_t last = first;
  for (uint32_t i = first; i < end && self->bound[i].node->kind == PARE_NODE_LOOP; i++)
    if (self->bound[i].node->threads > 1)
      last = i;
    else if (i == first)
      return 0;
  return last > first ? last - first + 1 : 0;
}

/* Such nodes: waiting for each other takes threads a fifth of what it takes them to part and to meet again. What is not shared is the
 * first thread's. A cancelled run goes on to the end, but does nothing any more. */
static void
run_together (PareAccelRunner *self, uint32_t first, uint32_t n, uint64_t *step_ns, uint64_t *then, const volatile int *cancel)
{
  memset (self->turns, 0, (size_t)self->accel->threads * sizeof *self->turns);
#ifdef _OPENMP
#pragma omp parallel num_threads(self->accel->threads)
#endif
  {
    int me = pare_accel_thread (), team = pare_accel_team ();
    uint32_t turn = 0;
    for (uint32_t i = 0; i < n; i++)
      {
        const Bound *b = &self->bound[first + i];
        for (int part = me; part < b->node->threads && !(cancel && *cancel); part += team)
          b->node->loop (b->node->params, b->views, part, b->node->threads);
        if (i + 1 < n && (b->node->threads > 1 || b[1].node->threads > 1))
          pare_accel_meet (self->turns, ++turn, me, team);
        if (me == 0 && step_ns)
          {
            uint64_t t = now ();
            step_ns[b->node->step] += t - *then;
            *then = t;
          }
      }
  }
}

#define LINE 64
#define MOST_LINES 48 /* at once: about as many as the CPU fetches beside what it computes */

/* `left` nodes are to run. */
static void
fetch_expected (PareAccelRunner *self, uint32_t left)
{
  uint64_t lines = (self->expected_lines + left - 1) / left;
  lines = lines > MOST_LINES ? MOST_LINES : lines;
  for (uint64_t i = 0; i < lines; i++)
    __builtin_prefetch (self->expected + i * LINE, 0, 3); /* what the first level cannot hold goes to the second */
  self->expected += lines * LINE;
  self->expected_lines -= lines;
}

void
pare_accel_runner_expect (PareAccelRunner *self, const void *data, uint64_t bytes)
{
  self->expected = data;
  self->expected_lines = (bytes + LINE - 1) / LINE;
}

/* Nodes first..end-1. */
static PareRtStatus
run_nodes (PareAccelRunner *self, uint32_t first, uint32_t end, uint64_t *step_ns, uint64_t then, const volatile int *cancel,
           uint32_t *failed_step)
{
  int threads = self->accel->threads;
  for (uint32_t i = first, n; i < end; i += n)
    {
      const Bound *b = &self->bound[i];
      if (self->expected_lines > 0)
        fetch_expected (self, end - i);
      n = count_together (self, i, end);
      if (n > 0)
        {
          run_together (self, i, n, step_ns, &then, cancel);
          if (!(cancel && *cancel))
            continue;
        }
      n = 1;
      if (b->node->threads != threads && (b->node->kind == PARE_NODE_PRIMITIVE || b->node->kind == PARE_NODE_KERNEL))
        {
          threads = b->node->threads;
          pare_accel_set_threads (threads);
          pare_rt_pool_enter (threads > 1 ? self->accel->pool : NULL);
        }
      PareRtStatus status = cancel && *cancel ? PARE_RT_CANCELLED : run_node (self, b);
      if (status != PARE_RT_OK)
        {
          if (failed_step)
            *failed_step = b->node->step;
          return status;
        }
      if (step_ns)
        {
          uint64_t t = now ();
          step_ns[b->node->step] += t - then;
          then = t;
        }
    }
  return PARE_RT_OK;
}

static bool
rebind (PareAccelRunner *self, const PareView *inputs)
{
  for (uint32_t i = 0; i < self->n_rebinds; i++)
    {
      const Rebind *r = &self->rebinds[i];
      if (self->inputs[r->input] == inputs[r->input].data)
        continue;
      if (r->view)
        r->view->data = inputs[r->input].data;
      else if (dnnl_memory_set_data_handle (r->memory, inputs[r->input].data) != dnnl_success)
        return false;
    }
  for (uint32_t i = 0; i < self->accel->plan->n_inputs; i++)
    self->inputs[i] = inputs[i].data;
  return true;
}

static PareRtStatus
run_range (PareAccelRunner *self, uint32_t first, uint32_t end, uint64_t *step_ns, const volatile int *cancel, uint32_t *failed_step)
{
  const PareAccel *accel = self->accel;
  int before = pare_accel_set_threads (accel->threads);
  PareAffinity places;
  bool moved = accel->threads > 1 && pare_accel_spread (accel->threads, &places);
  PareRtPool *pool = pare_rt_pool_enter (accel->pool);
  PareRtStatus status = run_nodes (self, first, end, step_ns, step_ns ? now () : 0, cancel, failed_step);
  pare_rt_pool_enter (pool);
  if (moved)
    pare_accel_unspread (&places);
  pare_accel_set_threads (before);
  return status;
}

PareRtStatus
pare_accel_runner_run (PareAccelRunner *self, const PareView *inputs, uint64_t *step_ns, const volatile int *cancel, uint32_t *failed_step)
{
  return rebind (self, inputs) ? run_range (self, 0, self->accel->n_nodes, step_ns, cancel, failed_step) : PARE_RT_INVALID;
}

PareRtStatus
pare_accel_runner_run_part (PareAccelRunner *self, const PareView *inputs, uint32_t from, uint32_t to, const volatile int *cancel,
                            uint32_t *failed_step)
{
  if (inputs && !rebind (self, inputs))
    return PARE_RT_INVALID;
  return run_range (self, pare_accel_first_node (self->accel, from), pare_accel_first_node (self->accel, to), NULL, cancel, failed_step);
}

void *
pare_accel_runner_piece (PareAccelRunner *self, const PareAccelPiece *piece)
{
  return address (self, piece->buffer);
}

PareView
pare_accel_runner_view (PareAccelRunner *self, uint32_t value)
{
  const PareRtValue *v = &self->accel->plan->values[value];
  PareView view = { .dtype = v->dtype, .shape = v->shape };
  const PareAccel *accel = self->accel;
  while (accel->plan->values[value].kind == PARE_RT_ALIAS)
    value = accel->plan->values[value].alias_of;
  if (accel->plan->values[value].kind == PARE_RT_CONSTANT)
    view.data = pare_rt_plan_constant (accel->plan, value);
  const PareAccelValue *a = &accel->values[value];
  for (uint32_t i = 0; i < a->n_forms; i++)
    if (!a->forms[i].md || (pare_md_is_row_major (a->forms[i].md) && pare_md_type (a->forms[i].md) != dnnl_bf16))
      {
        uint32_t input = input_of (self, a->forms[i].buffer);
        view.data = input == PARE_RT_NONE ? address (self, a->forms[i].buffer) : (void *)self->inputs[input];
      }
  return view;
}
