/* Fully connected layers of bfloat16 by panels of our own, a function behind them as part of it: one row as fast as weights are read, for
 * which oneDNN's preparations are too long, or several; and the products of recurrent layers that do not wait for one another, of all steps
 * at once. */
#include "engine/accel/pare-accel-bfloats-private.h"

#include <stdlib.h>
#include <string.h>

#define LEAST_ROWS 4 /* but one: fewer are as fast as weights are read */
#define PRODUCTS 200 /* in a nanosecond, of one thread */
#define OF_ONE_ROW 40
#define STRIP 32          /* rows that tiles multiply together */
#define BAND (256 * 1024) /* bytes of rows that are multiplied by one panel after the other */

typedef struct
{
  PareAccelWalk walk;
  int64_t k, n;
  int64_t y_at; /* elements of the result that are before it */
  const uint16_t *weights;
  const float *bias; /* NULL: none, of several rows */
  PareAfter after;
  bool residual, wide, wide_residual;
} Rows;

static void
multiply (const void *params, const PareView *args, int64_t row, int64_t rows, int64_t panel, bool last)
{
  const Rows *s = params;
  const PareBfloats *isa = pare_accel_bfloats_for (s->walk.rows);
  int64_t at;
  int width = pare_accel_bfloat_panel (pare_accel_whole_blocks (s->n), panel, &at);
  (s->walk.rows == 1 ? isa->row : isa->product) (&(PareBfloatProduct){
      .rows = rows,
      .pairs = s->k / 2,
      .a = (const uint16_t *)args[0].data + row * s->k,
      .a_row = s->k,
      .a_block = PARE_BLOCK,
      .b = s->weights + at * s->k,
      .width = width,
      .columns = (int)(s->n - at < width ? s->n - at : width),
      .bias = s->bias ? s->bias + at : NULL,
      .c = pare_accel_place (&args[1], s->wide, s->y_at + row * s->n + at),
      .c_row = s->n,
      .c_block = PARE_BLOCK,
      .residual = s->residual ? pare_accel_place (&args[2], s->wide_residual, row * s->n + at) : (PareBfloatPlace){ NULL },
      .after = &s->after,
      .first = at });
}

/* All panels of some rows. Threads that share rows would write the same lines of the cache where panels meet. */
static void
multiply_whole (const Rows *s, const PareBfloats *isa, const PareView *args, int64_t row, int64_t end)
{
  int64_t band = BAND / (2 * s->k) / STRIP * STRIP + STRIP;
  for (int64_t rows; row < end; row += rows)
    {
      rows = end - row < band ? end - row : band;
      pare_accel_multiply_pairs (isa, s->n,
                                 &(PareBfloatProduct){ .rows = rows,
                                                       .pairs = s->k / 2,
                                                       .a = (const uint16_t *)args[0].data + row * s->k,
                                                       .a_row = s->k,
                                                       .a_block = PARE_BLOCK,
                                                       .b = s->weights,
                                                       .bias = s->bias,
                                                       .c = pare_accel_place (&args[1], s->wide, s->y_at + row * s->n),
                                                       .c_row = s->n,
                                                       .c_block = PARE_BLOCK,
                                                       .residual = s->residual ? pare_accel_place (&args[2], s->wide_residual, row * s->n)
                                                                               : (PareBfloatPlace){ NULL },
                                                       .after = &s->after });
    }
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Rows *s = params;
  const PareBfloats *isa = pare_accel_bfloats_for (s->walk.rows);
  int64_t strips = s->walk.rows / STRIP;
  pare_accel_hold_tiles ();
  if (isa->panels && strips >= parts)
    multiply_whole (s, isa, args, strips * part / parts * STRIP, part + 1 < parts ? strips * (part + 1) / parts * STRIP : s->walk.rows);
  else
    pare_accel_walk (&s->walk, part, parts, multiply, params, args);
  pare_accel_release_tiles ();
}

/* Weights [n][k] with these strides as panels, and how rows go by them. */
static bool
pack (PareAccel *self, const float *weights, int64_t stride_n, int64_t stride_k, Rows *s)
{
  float *ordered = stride_k == 1 ? NULL : malloc ((size_t)(s->n * s->k) * sizeof *ordered);
  uint16_t *packed = pare_accel_pack (self, (uint64_t)(pare_accel_whole_blocks (s->n) * s->k) * sizeof *packed);
  if (!packed || (stride_k != 1 && !ordered))
    {
      free (ordered);
      self->failed = true;
      return false;
    }
  for (int64_t i = 0; ordered && i < s->n; i++)
    for (int64_t j = 0; j < s->k; j++)
      ordered[i * s->k + j] = weights[i * stride_n + j * stride_k];
  pare_accel_pack_pairs (ordered ? ordered : weights, s->n, s->k, NULL, s->k / 2, packed);
  free (ordered);
  int64_t at;
  s->weights = packed;
  while (pare_accel_bfloat_panel (pare_accel_whole_blocks (s->n), s->walk.panels, &at))
    s->walk.panels++;
  pare_accel_plan_walk (&s->walk, s->n, s->k * (int64_t)sizeof *packed);
  return true;
}

static bool
add (PareAccel *self, uint32_t step, const Rows *s, const uint32_t *buffers)
{
  double ns = pare_accel_bfloats_for (s->walk.rows) != pare_accel_bfloats ()
                  ? pare_accel_tiles_ns (s->walk.rows, s->n, s->k)
                  : (double)(s->walk.rows * s->n) * (double)s->k / (s->walk.rows == 1 ? OF_ONE_ROW : PRODUCTS);
  return pare_accel_add_work (self, step, run, s, sizeof *s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, s->residual ? 3 : 2);
}

bool
pare_accel_rows_bf16 (PareAccel *self, uint32_t step, const PareAccelRows *r)
{
  const float *weights = pare_accel_constant (self, r->w), *bias = r->b == PARE_RT_NONE ? NULL : pare_accel_constant (self, r->b);
  PareAccelResult result = pare_accel_result (self, r->y);
  const PareMd *plain = pare_accel_plain_md (self, result.value), *dst = plain ? pare_md_with_type (self->mds, plain, result.type) : NULL;
  if (!pare_accel_bfloats () || !dst || (r->rows != 1 && (r->rows < LEAST_ROWS || r->n < PARE_BLOCK)) || r->k % 2
      || (r->n % PARE_BLOCK && r->residual != PARE_RT_NONE) || !weights || (r->b != PARE_RT_NONE && !bias)
      || !pare_accel_after_knows (r->activation))
    return false;
  const PareMd *added = r->residual != PARE_RT_NONE ? pare_accel_native_any (self, r->residual) : NULL;
  bool clip = r->activation == PARE_ACT_CLIP;
  int64_t whole = pare_accel_whole_blocks (r->n);
  float *sums = pare_accel_filled (self, whole, 0), *lo = clip ? pare_accel_filled (self, whole, r->lo) : NULL,
        *hi = clip ? pare_accel_filled (self, whole, r->hi) : NULL;
  Rows s = { .walk = { .rows = r->rows },
             .k = r->k,
             .n = r->n,
             .bias = sums,
             .after = { .kind = r->activation, .lo = lo, .hi = hi, .alpha = r->act_alpha },
             .residual = r->residual != PARE_RT_NONE,
             .wide = result.type != dnnl_bf16,
             .wide_residual = !added || pare_md_type (added) != dnnl_bf16 };
  if (!sums || (clip && (!lo || !hi)) || !pack (self, weights, r->stride_n, r->stride_k, &s))
    {
      self->failed = true;
      return false;
    }
  for (int64_t i = 0; bias && i < r->n; i++)
    sums[i] = bias[i] * r->beta;
  uint32_t x = pare_accel_plain_bf16 (self, step, r->x), there = PARE_RT_NONE, y;
  if (s.residual)
    there = s.wide_residual ? pare_accel_plain (self, step, r->residual) : pare_accel_plain_bf16 (self, step, r->residual);
  if (there != PARE_RT_NONE && s.wide == s.wide_residual && pare_accel_may_overwrite (self, step, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, x))
    {
      y = there;
      pare_accel_set_form (self, result.value, dst, there);
    }
  else
    y = pare_accel_new_form (self, result.value, dst);
  const uint32_t buffers[3] = { x, y, there };
  return add (self, step, &s, buffers) && pare_accel_absorb (self, result.rounds);
}

/* What the biases of a direction add to x w'. */
static const float *
merged (PareAccel *self, const float *bias, int64_t gates, int64_t both, int64_t hidden)
{
  float *sums = pare_accel_filled (self, pare_accel_whole_blocks (gates * hidden), 0);
  for (int64_t i = 0; sums && i < gates * hidden; i++)
    sums[i] = bias[i] + (i < both * hidden ? bias[gates * hidden + i] : 0);
  return sums;
}

uint32_t
pare_accel_projected (PareAccel *self, uint32_t step)
{
  const PareRtStep *st = &self->plan->steps[step];
  if ((st->op != PARE_RT_LSTM && st->op != PARE_RT_GRU && st->op != PARE_RT_RNN) || !pare_accel_bfloats ()
      || !pare_accel_is_bf16 (self, step))
    return PARE_RT_NONE;
  const PareShape *sx = &self->plan->values[st->in[0]].shape, *sw = &self->plan->values[st->in[1]].shape;
  int64_t directions = sw->dims[0], n = sw->dims[1], k = sw->dims[2], rows = sx->dims[0] * sx->dims[1];
  int64_t hidden = ((const PareRnnParams *)(self->plan->params + st->params))->hidden, gates = n / hidden;
  uint32_t b = pare_accel_operand (st, 3);
  const float *weights = pare_accel_constant (self, st->in[1]), *bias = b == PARE_RT_NONE ? NULL : pare_accel_constant (self, b);
  if (rows < LEAST_ROWS || k % 2 || (b != PARE_RT_NONE && !bias))
    return PARE_RT_NONE;
  uint32_t x = pare_accel_plain_bf16 (self, step, st->in[0]),
           y = pare_accel_buffer_new (self, (uint64_t)(directions * rows * n + PARE_RT_PROJECTED_MORE) * sizeof (float));
  for (int64_t d = 0; d < directions; d++)
    {
      Rows s = { .walk = { .rows = rows }, .k = k, .n = n, .y_at = d * rows * n, .wide = true };
      if (bias)
        s.bias = merged (self, bias + d * 2 * n, gates, st->op == PARE_RT_GRU ? 2 : gates, hidden);
      if ((bias && !s.bias) || !pack (self, weights + d * n * k, k, 1, &s) || !add (self, step, &s, (const uint32_t[2]){ x, y }))
        {
          self->failed = true;
          return PARE_RT_NONE;
        }
    }
  self->n_bf16++;
  return y;
}
