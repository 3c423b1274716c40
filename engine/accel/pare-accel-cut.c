/* A run that stops between two steps and goes on later, in this runner or in another: all that the rest depends on are the buffers that are
 * written before and read after. They are taken as they lie, in the primitives' own layouts, so that nothing is rounded or reordered on the
 * way. */
#include "engine/accel/pare-accel-private.h"

#include <stdlib.h>

uint32_t
pare_accel_first_node (const PareAccel *self, uint32_t step)
{
  uint32_t low = 0, high = self->n_nodes;
  while (low < high)
    {
      uint32_t middle = (low + high) / 2;
      if (self->nodes[middle].step < step)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

static uint64_t
mix (uint64_t hash, uint64_t word)
{
  hash = (hash ^ word) * 0x9FB21C651E98DF25u;
  return hash ^ hash >> 32;
}

/* No cut lies between a step and one that its nodes compute as well. */
static bool
is_torn (const PareAccel *self, uint32_t cut)
{
  for (uint32_t s = cut; s < self->plan->n_steps; s++)
    if (self->absorbed_by[s] && self->absorbed_by[s] - 1 < cut)
      return true;
  return false;
}

static bool
is_alive (const PareAccelBuffer *b, uint32_t node)
{
  return b->parent == PARE_RT_NONE && !b->fixed && b->input == PARE_RT_NONE && b->first < node
         && (b->last >= node || b->last_use == UINT32_MAX);
}

static bool
reads_inputs (const PareAccel *self, uint32_t node)
{
  for (uint32_t i = node; i < self->n_nodes; i++)
    for (uint32_t k = 0; k < self->nodes[i].n_args; k++)
      {
        uint32_t at = self->nodes[i].first_arg + k;
        uint32_t buffer = self->nodes[i].kind == PARE_NODE_PRIMITIVE ? self->args[at].buffer : self->views[at].buffer;
        if (buffer != PARE_RT_NONE && self->buffers[pare_accel_buffer_root (self, buffer)].input != PARE_RT_NONE)
          return true;
      }
  return false;
}

/* Where in its root a buffer begins. */
static uint64_t
offset_of (const PareAccel *self, uint32_t buffer)
{
  uint64_t offset = 0;
  for (; self->buffers[buffer].parent != PARE_RT_NONE; buffer = self->buffers[buffer].parent)
    offset += self->buffers[buffer].offset;
  return offset;
}

/* Where a value lies in the pieces. */
static void
note_forms (const PareAccel *self, uint32_t v, const uint64_t *hashes, PareAccelPiece *pieces, uint32_t n, uint64_t *layout)
{
  for (uint32_t f = 0; f < self->values[v].n_forms; f++)
    {
      const PareForm *form = &self->values[v].forms[f];
      uint32_t root = pare_accel_buffer_root (self, form->buffer), at = 0;
      while (at < n && pieces[at].buffer != root)
        at++;
      if (at == n)
        continue;
      pieces[at].value = v;
      *layout = mix (mix (mix (*layout, at), hashes[v]), offset_of (self, form->buffer));
      *layout = mix (mix (*layout, form->md ? pare_md_hash (form->md) : self->plan->values[v].bytes), pieces[at].bytes);
    }
}

uint32_t
pare_accel_cut (const PareAccel *self, uint32_t step, const uint64_t *hashes, PareAccelPiece *pieces, uint32_t room, uint64_t *layout,
                bool *needs_input)
{
  const PareRtPlan *plan = self->plan;
  uint32_t node = pare_accel_first_node (self, step), n = 0;
  if (is_torn (self, step))
    return UINT32_MAX;
  for (uint32_t i = 0; i < self->n_buffers; i++)
    if (is_alive (&self->buffers[i], node))
      {
        if (n == room)
          return UINT32_MAX;
        pieces[n++] = (PareAccelPiece){ i, self->buffers[i].bytes, PARE_RT_NONE };
      }
  *layout = mix (0x5061726541636365u, n);
  for (uint32_t i = 0; i < plan->n_inputs; i++)
    note_forms (self, plan->inputs[i], hashes, pieces, n, layout);
  for (uint32_t s = 0; s < step; s++)
    for (uint32_t o = 0; o < plan->steps[s].n_out; o++)
      if (plan->steps[s].out[o] != PARE_RT_NONE)
        note_forms (self, plan->steps[s].out[o], hashes, pieces, n, layout);
  for (uint32_t i = 0; i < n; i++)
    if (pieces[i].value == PARE_RT_NONE) /* what lies there has no name */
      return UINT32_MAX;
  *needs_input = reads_inputs (self, node);
  return n;
}
