/* Depthwise convolutions of bfloat16 with the pointwise ones (1 x 1) before and after them, where nobody else reads what lies between: as
 * pare-accel-separable.c has them, but two rows at a time. What lies between is rounded as it would be if it were stored: the bits are
 * those of three steps. */
#include "engine/accel/pare-accel-bfloats-private.h"

#define BAND (400 * 1024) /* bytes between the convolutions: they share the second cache with the weights */
#define PRODUCTS 150      /* in a nanosecond, of one thread */
#define FILTERED 80       /* the same of depthwise ones */

typedef struct
{
  PareBfloatPoint expand, project;
  PareBfloatDepthwise depthwise;
  int64_t batch;
  int64_t x_row, x_block, x_image, y_row, y_block, y_image;
  bool residual, wide, wide_residual; /* of the projection */
  int64_t rows;                       /* of results in a band; even */
  int64_t middle_row;                 /* from pixel to pixel of what the projection reads */
  int64_t scratch;                    /* bytes of a thread */
} Separable;

/* Rows from..to-1 of the expansion of an image, into the ring. */
static void
expand (const PareBfloats *isa, const Separable *s, const uint16_t *x, uint16_t *ring, int64_t from, int64_t to)
{
  const PareBfloatDepthwise *d = &s->depthwise;
  while (from < to)
    {
      int64_t slot = from % d->ring, some = to - from < d->ring - slot ? to - from : d->ring - slot;
      pare_accel_multiply_point (isa, &s->expand,
                                 (PareBfloatProduct){ .rows = some * d->in[1],
                                                      .a = x + from * d->in[1] * s->x_row,
                                                      .a_row = s->x_row,
                                                      .a_block = s->x_block,
                                                      .c = { ring + slot * d->in[1] * PARE_BLOCK, false },
                                                      .c_row = PARE_BLOCK,
                                                      .c_block = d->x_block });
      from += some;
    }
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Separable *s = params;
  const PareBfloatDepthwise *d = &s->depthwise;
  const PareBfloats *isa = pare_accel_bfloats_for (d->out[0] * d->out[1]);
  uint16_t *ring = pare_accel_scratch (&args[2], part), *middle = ring + (s->expand.n ? d->channels / PARE_BLOCK * d->x_block : 0);
  int64_t twos = (d->out[0] + 1) / 2, all = s->batch * twos, at = all * part / parts, end = all * (part + 1) / parts, known = 0;
  bool fresh = true; /* nothing of this image is in the ring */
  pare_accel_hold_tiles ();
  while (at < end)
    {
      int64_t image = at / twos, first = at % twos, some = s->rows / 2;
      some = some > end - at ? end - at : some;
      some = some > twos - first ? twos - first : some;
      int64_t oy = 2 * first, rows = oy + 2 * some > d->out[0] ? d->out[0] - oy : 2 * some;
      const uint16_t *x = (const uint16_t *)args[0].data + image * s->x_image;
      if (s->expand.n)
        {
          int64_t from = oy * d->stride - d->pad[0], to = (oy + rows - 1) * d->stride - d->pad[0] + d->kernel;
          from = from < 0 ? 0 : from;
          from = fresh || known < from ? from : known;
          known = to > d->in[0] ? d->in[0] : to;
          expand (isa, s, x, ring, from, known);
        }
      int64_t y = image * s->y_image + oy * d->out[1] * s->y_row;
      for (int64_t r = 0; r < rows; r += 2)
        pare_accel_two_rows (d, s->expand.n ? ring : x, oy + r,
                             s->project.n ? (char *)(middle + r * d->out[1] * s->middle_row)
                                          : (char *)pare_accel_place (&args[1], s->wide, y + r * d->out[1] * s->y_row).data);
      if (s->project.n)
        pare_accel_multiply_point (
            isa, &s->project,
            (PareBfloatProduct){ .rows = rows * d->out[1],
                                 .a = middle,
                                 .a_row = s->middle_row,
                                 .a_block = d->y_block,
                                 .c = pare_accel_place (&args[1], s->wide, y),
                                 .c_row = s->y_row,
                                 .c_block = s->y_block,
                                 .residual = s->residual ? pare_accel_place (&args[3], s->wide_residual, y) : (PareBfloatPlace){ NULL } });
      at += some;
      fresh = at % twos == 0;
    }
  pare_accel_release_tiles ();
}

/* --- what such a group is ------------------------------------------------------------------------------------------------------- */

/* A part of it: its step, what follows its sums, its result. */
typedef struct
{
  uint32_t step; /* PARE_RT_NONE: there is none */
  PareFolded folded;
  PareAccelResult result;
} Part;

static bool
fold (PareAccel *self, uint32_t step, Part *part)
{
  part->step = step;
  if (!pare_accel_fold (self, step, &part->folded))
    return false;
  part->result = pare_accel_result (self, part->folded.y);
  return true;
}

/* The convolution that alone reads what the part computes, in 16 bits, as its first operand. */
static uint32_t
follower (const PareAccel *self, const Part *part)
{
  uint32_t reader = part->result.type == dnnl_bf16 ? pare_accel_only_reader (self, part->result.value) : PARE_RT_NONE;
  return reader != PARE_RT_NONE && self->plan->steps[reader].op == PARE_RT_CONV && self->plan->steps[reader].in[0] == part->result.value
             ? reader
             : PARE_RT_NONE;
}

static bool
is_depthwise (const PareAccel *self, uint32_t step, PareBfloatDepthwise *d)
{
  return step != PARE_RT_NONE && pare_accel_is_depthwise_bf16 (self, step, d) && d->channels % PARE_BLOCK == 0;
}

/* The parts that there are, one before or after the depthwise one at least. */
static bool
find (PareAccel *self, uint32_t step, Part parts[3], PareBfloatDepthwise *d)
{
  uint32_t middle = step;
  for (int i = 0; i < 3; i++)
    parts[i].step = PARE_RT_NONE;
  if (pare_accel_is_point_bf16 (self, step))
    {
      if (pare_accel_operand (&self->plan->steps[step], 3) != PARE_RT_NONE || !fold (self, step, &parts[0]))
        return false;
      middle = follower (self, &parts[0]);
    }
  if (!is_depthwise (self, middle, d) || !fold (self, middle, &parts[1]))
    return false;
  uint32_t last = follower (self, &parts[1]),
           residual = last == PARE_RT_NONE ? PARE_RT_NONE : pare_accel_operand (&self->plan->steps[last], 3);
  if (last != PARE_RT_NONE && pare_accel_is_point_bf16 (self, last) && (residual == PARE_RT_NONE || pare_accel_is_known (self, residual))
      && !fold (self, last, &parts[2]))
    return false;
  return parts[0].step != PARE_RT_NONE || parts[2].step != PARE_RT_NONE;
}

/* All steps from the first to the last are of the group. */
static bool
is_dense (const Part parts[3], uint32_t first, uint32_t last)
{
  uint32_t n = 0;
  for (int i = 0; i < 3; i++)
    {
      const uint32_t steps[] = { parts[i].step, parts[i].folded.norm, parts[i].result.rounds };
      for (int k = 0; k < 3 && parts[i].step != PARE_RT_NONE; k++)
        n += steps[k] != PARE_RT_NONE && steps[k] >= first && steps[k] <= last;
    }
  return n == last - first + 1;
}

/* As many rows in a band as the cache holds. What the projection reads lies in blocks, or pixel by pixel for tiles, which would copy it. */
static void
plan_bands (Separable *s)
{
  PareBfloatDepthwise *d = &s->depthwise;
  int64_t blocks = d->channels / PARE_BLOCK, pixels = d->out[0] * d->out[1], line = PARE_BLOCK * 4;
  bool tiles = pare_accel_bfloats_for (pixels) != pare_accel_bfloats ();
  s->middle_row = !tiles               ? PARE_BLOCK
                  : d->channels % line ? d->channels
                                       : d->channels + line / 2; /* rows do not share a set of the cache */
  for (s->rows = (d->out[0] + 1) / 2 * 2; s->rows > 0; s->rows -= 2)
    {
      if (s->expand.n)
        {
          d->ring = (s->rows - 1) * d->stride + d->kernel;
          d->ring = d->ring > d->in[0] ? d->in[0] : d->ring;
          d->x_block = (d->ring * d->in[1] + 1) * PARE_BLOCK; /* one more: no two lie a power of two apart */
        }
      if (s->project.n)
        d->y_block = tiles ? PARE_BLOCK : (s->rows * d->out[1] + 1) * PARE_BLOCK;
      int64_t middle = tiles ? s->rows * d->out[1] * s->middle_row : blocks * d->y_block;
      s->scratch = ((s->expand.n ? blocks * d->x_block : 0) + (s->project.n ? middle : 0)) * (int64_t)sizeof (uint16_t);
      if (s->scratch <= BAND || s->rows == 2)
        break;
    }
}

static double
estimate (const Separable *s)
{
  const PareBfloatDepthwise *d = &s->depthwise;
  int64_t in = s->batch * d->in[0] * d->in[1], out = s->batch * d->out[0] * d->out[1], area = d->kernel * d->kernel;
  if (pare_accel_bfloats_for (d->out[0] * d->out[1]) == pare_accel_bfloats ())
    return (double)(out * d->channels) * (double)area / FILTERED
           + ((double)(in * s->expand.k) + (double)(out * s->project.n)) * (double)d->channels / PRODUCTS;
  double ns = (double)(out * d->channels / PARE_BLOCK) * (1 + 0.35 * (double)area);
  if (s->expand.n)
    ns += pare_accel_tiles_ns (in, d->channels, s->expand.k);
  if (s->project.n)
    ns += pare_accel_tiles_ns (out, s->project.n, d->channels);
  return ns;
}

bool
pare_accel_separable_bf16 (PareAccel *self, uint32_t step)
{
  const PareRtPlan *plan = self->plan;
  Separable s = { .wide_residual = false };
  Part parts[3];
  if (!find (self, step, parts, &s.depthwise))
    return false;
  PareBfloatDepthwise *d = &s.depthwise;
  const Part *last = &parts[parts[2].step != PARE_RT_NONE ? 2 : 1];
  const PareAccelResult result = last->result;
  uint32_t x = plan->steps[step].in[0], residual = last == &parts[2] ? pare_accel_operand (&plan->steps[last->step], 3) : PARE_RT_NONE;
  const PareShape *sx = &plan->values[x].shape, *sy = &plan->values[last->folded.y].shape;
  const PareMd *added = residual != PARE_RT_NONE ? pare_accel_native_any (self, residual) : NULL;
  s.residual = residual != PARE_RT_NONE;
  s.wide = result.type != dnnl_bf16;
  s.wide_residual = added && pare_md_type (added) != dnnl_bf16;
  dnnl_data_type_t type_added = s.wide_residual ? dnnl_f32 : dnnl_bf16;
  const PareMd *src = pare_md_new_blocks (self->mds, dnnl_bf16, sx->rank, sx->dims);
  bool blocked = src && sx->dims[1] % PARE_BLOCK == 0 && pare_accel_native_any (self, x) == src,
       blocked_y = blocked && sy->dims[1] % PARE_BLOCK == 0;
  if (!blocked)
    src = pare_md_new_channels_last (self->mds, dnnl_bf16, sx->rank, sx->dims);
  const PareMd *dst = blocked_y ? pare_md_new_blocks (self->mds, result.type, sy->rank, sy->dims)
                                : pare_md_new_channels_last (self->mds, result.type, sy->rank, sy->dims);
  const PareMd *dst_added = blocked_y ? pare_md_new_blocks (self->mds, type_added, sy->rank, sy->dims)
                                      : pare_md_new_channels_last (self->mds, type_added, sy->rank, sy->dims);
  int64_t in = d->in[0] * d->in[1], out = d->out[0] * d->out[1];
  s.batch = sx->dims[0];
  s.x_row = blocked ? PARE_BLOCK : sx->dims[1];
  s.x_block = blocked ? in * PARE_BLOCK : PARE_BLOCK;
  s.x_image = in * sx->dims[1];
  s.y_row = blocked_y ? PARE_BLOCK : sy->dims[1];
  s.y_block = blocked_y ? out * PARE_BLOCK : PARE_BLOCK;
  s.y_image = out * sy->dims[1];
  if (!src || !dst || !dst_added
      || (parts[0].step != PARE_RT_NONE && !pare_accel_pack_point_bf16 (self, parts[0].step, &parts[0].folded, &s.expand))
      || (parts[2].step != PARE_RT_NONE && !pare_accel_pack_point_bf16 (self, parts[2].step, &parts[2].folded, &s.project)))
    return false;
  d->x_row = s.expand.n ? PARE_BLOCK : s.x_row;
  d->x_block = s.x_block;
  d->y_row = s.project.n ? PARE_BLOCK : s.y_row;
  d->y_block = s.y_block;
  d->wide = !s.project.n && s.wide;
  plan_bands (&s);
  if (s.project.n)
    d->y_row = s.middle_row;
  if (!pare_accel_pack_depthwise_bf16 (self, parts[1].step, &parts[1].folded, d))
    return false;
  uint32_t scratch = pare_accel_scratch_new (self, (uint64_t)s.scratch), there = PARE_RT_NONE, to;
  uint32_t in_buffer = pare_accel_form (self, step, x, src);
  if (s.residual && (there = pare_accel_form (self, step, residual, dst_added)) == PARE_RT_NONE)
    self->failed = true;
  /* Over the residual: a thread must not write what another one still expands, nor the filter what it still reads. */
  bool same = there != PARE_RT_NONE && pare_accel_buffer_root (self, there) == pare_accel_buffer_root (self, in_buffer);
  if (there != PARE_RT_NONE && dst == dst_added && is_dense (parts, step, last->step) && pare_accel_may_overwrite (self, last->step, there)
      && (!same || (there == in_buffer && s.expand.n && self->threads == 1)))
    {
      to = there;
      pare_accel_set_form (self, result.value, dst, there);
    }
  else
    to = pare_accel_new_form (self, result.value, dst);
  const uint32_t buffers[4] = { in_buffer, to, scratch, there };
  double ns = estimate (&s);
  if (!pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, s.residual ? 4 : 3))
    return false;
  for (int i = 0; i < 3; i++)
    if (parts[i].step != PARE_RT_NONE)
      {
        if (parts[i].step != step)
          {
            pare_accel_absorb (self, parts[i].step);
            self->n_bf16++;
          }
        pare_accel_absorb (self, parts[i].folded.norm);
        pare_accel_absorb (self, parts[i].result.rounds);
      }
  return true;
}
