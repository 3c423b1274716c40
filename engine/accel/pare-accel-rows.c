/* Fully connected layers of several rows of floats by panels of our own: a panel is read from memory while the one before it is multiplied,
 * and what stands around the products is as long as it has to be. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

#define SHARE 24          /* rows that threads divide the work by */
#define BAND (1536 << 10) /* bytes of x that are multiplied by one panel after the other */
#define NEAR (2 << 20)    /* bytes of weights that a core keeps beside the rows */
#define LEAST_BAND 6      /* shares: fewer wait for panels */
#define TILE 6            /* rows of a tile: threads part between two */
#define LEAST_ROWS 4      /* fewer are as fast as weights are read */
#define PRODUCTS 110      /* in a nanosecond, of one thread */

typedef struct
{
  PareAccelWalk walk;
  ParePoint point;
  bool residual;
} Rows;

static void
multiply (const void *params, const PareView *args, int64_t row, int64_t rows, int64_t panel, bool last)
{
  const Rows *s = params;
  const PareFloats *isa = pare_accel_floats ();
  const ParePoint *p = &s->point;
  int64_t whole = pare_accel_whole_blocks (p->n), at, next;
  int width = pare_accel_panel (isa, whole, panel, &at), more = last ? 0 : pare_accel_panel (isa, whole, panel + 1, &next);
  isa->product (&(PareProduct){ .rows = rows,
                                .k = p->k,
                                .a = (const float *)args[0].data + row * p->k,
                                .a_row = p->k,
                                .a_block = PARE_BLOCK,
                                .b = p->weights + at * p->k,
                                .width = width,
                                .columns = (int)(p->n - at < width ? p->n - at : width),
                                .bias = p->bias ? p->bias + at : NULL,
                                .c = (float *)args[1].data + row * p->n + at,
                                .c_row = p->n,
                                .c_block = PARE_BLOCK,
                                .residual = s->residual ? (const float *)args[2].data + row * p->n + at : NULL,
                                .after = &p->after,
                                .first = at,
                                .next = p->weights + (more ? next : at) * p->k,
                                .n_next = more * p->k });
}

void
pare_accel_plan_walk (PareAccelWalk *walk, int64_t columns, int64_t row_bytes)
{
  int64_t fit = BAND / (SHARE * row_bytes);
  walk->by_rows = walk->rows > columns || columns * row_bytes <= NEAR;
  walk->band = fit > LEAST_BAND ? fit : LEAST_BAND;
}

/* Rows first_row..end_row-1 by the panels, of which threads share the sequence. */
static void
walk_rows (const PareAccelWalk *w, int64_t first_row, int64_t end_row, int part, int parts, PareAccelRowsFunc multiply_rows,
           const void *params, const PareView *args)
{
  int64_t rows = end_row - first_row, shares = (rows + SHARE - 1) / SHARE;
  int64_t all = shares * w->panels, from = all * part / parts, end = all * (part + 1) / parts;
  while (from < end)
    {
      int64_t first = from / (w->band * w->panels) * w->band, band = shares - first < w->band ? shares - first : w->band,
              at = from - first * w->panels, share = at % band, some = band - share < end - from ? band - share : end - from;
      int64_t row = rows * (first + share) / shares, next = rows * (first + share + some) / shares;
      multiply_rows (params, args, first_row + row, next - row, at / band, from + some == end);
      from += some;
    }
}

void
pare_accel_walk (const PareAccelWalk *w, int part, int parts, PareAccelRowsFunc multiply_rows, const void *params, const PareView *args)
{
  int64_t tiles = w->rows / TILE, first = tiles * part / parts * TILE, end = part + 1 < parts ? tiles * (part + 1) / parts * TILE : w->rows;
  if (w->by_rows && tiles >= 4 * parts)
    walk_rows (w, first, end, 0, 1, multiply_rows, params, args);
  else
    walk_rows (w, 0, w->rows, part, parts, multiply_rows, params, args);
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  pare_accel_walk (&((const Rows *)params)->walk, part, parts, multiply, params, args);
}

float *
pare_accel_filled (PareAccel *self, int64_t n, float value)
{
  float *to = pare_accel_pack (self, (uint64_t)n * sizeof *to);
  for (int64_t i = 0; to && i < n; i++)
    to[i] = value;
  return to;
}

static bool
pack (PareAccel *self, const PareFloats *isa, const PareAccelRows *r, ParePoint *p)
{
  int64_t whole = pare_accel_whole_blocks (r->n);
  const float *bias = r->b == PARE_RT_NONE ? NULL : pare_accel_constant (self, r->b);
  bool clip = r->activation == PARE_ACT_CLIP;
  float *weights = pare_accel_pack (self, (uint64_t)(whole * r->k) * sizeof *weights),
        *sums = bias ? pare_accel_filled (self, whole, 0) : NULL, *lo = clip ? pare_accel_filled (self, whole, r->lo) : NULL,
        *hi = clip ? pare_accel_filled (self, whole, r->hi) : NULL;
  if (!weights || (bias && !sums) || (clip && (!lo || !hi)))
    return false;
  pare_accel_pack_panels (isa, pare_accel_constant (self, r->w), r->stride_n, r->stride_k, NULL, r->n, r->k, weights);
  for (int64_t i = 0; r->alpha != 1 && i < whole * r->k; i++)
    weights[i] *= r->alpha;
  for (int64_t i = 0; bias && i < r->n; i++)
    sums[i] = bias[i] * r->beta;
  *p = (ParePoint){
    .k = r->k, .n = r->n, .weights = weights, .bias = sums, .after = { .kind = r->activation, .lo = lo, .hi = hi, .alpha = r->act_alpha }
  };
  return true;
}

bool
pare_accel_rows (PareAccel *self, uint32_t step, const PareAccelRows *r)
{
  const PareFloats *isa = pare_accel_floats ();
  const PareMd *plain = pare_accel_plain_md (self, r->y);
  Rows s = { .walk = { .rows = r->rows }, .residual = r->residual != PARE_RT_NONE };
  if (!isa || !plain || r->rows < LEAST_ROWS || r->n < PARE_BLOCK || !pare_accel_constant (self, r->w)
      || (r->b != PARE_RT_NONE && !pare_accel_constant (self, r->b)) || !pare_accel_after_knows (r->activation))
    return false;
  uint32_t x = pare_accel_plain (self, step, r->x), there = s.residual ? pare_accel_plain (self, step, r->residual) : PARE_RT_NONE;
  if (x == PARE_RT_NONE || (s.residual && there == PARE_RT_NONE) || !pack (self, isa, r, &s.point))
    {
      self->failed = true;
      return false;
    }
  int64_t at;
  while (pare_accel_panel (isa, pare_accel_whole_blocks (r->n), s.walk.panels, &at))
    s.walk.panels++;
  pare_accel_plan_walk (&s.walk, r->n, r->k * (int64_t)sizeof (float));
  uint32_t y = there;
  if (s.residual && pare_accel_may_overwrite (self, step, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, x))
    pare_accel_set_form (self, r->y, plain, there);
  else
    y = pare_accel_new_form (self, r->y, plain);
  const uint32_t buffers[3] = { x, y, there };
  double ns = (double)(r->rows * r->n) * (double)r->k / PRODUCTS;
  return pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, s.residual ? 3 : 2);
}
