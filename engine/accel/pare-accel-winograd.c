/* Convolutions of 3 x 3 with a step of one by Winograd's algorithm: m x m results of a tile cost (m + 2)^2 products for each pair of
 * channels instead of 9 m^2. Bands of tiles are transformed, multiplied panel by panel and transformed back while they are in the cache. */
#include "engine/accel/pare-accel-private.h"

/* Floats of a band, transformed and multiplied: they share the second cache with the weights. */
#define BAND (640 * 1024 / 4)
#define LEAST_TILES 12 /* in a band */

/* Tables whose parts lie a power of two apart would share one set of the cache. */
static int64_t
apart (int64_t floats)
{
  return floats + 16;
}

void
pare_accel_plan_tiles (PareTileWalk *w, int threads, int64_t most, bool large)
{
  most = most < LEAST_TILES ? LEAST_TILES : most;
  int64_t bands = (w->tiles + most - 1) / most;
  w->by_panels = large;
  if (!large) /* as many for each thread */
    bands = (bands + threads - 1) / threads * threads;
  w->band = (w->tiles + bands - 1) / bands;
}

void
pare_accel_walk_tiles (const PareTileWalk *w, int part, int parts, const PareTileFuncs *funcs, const void *work)
{
  int64_t first = 0, end = w->tiles, panel = 0, panels = w->panels;
  if (w->by_panels)
    {
      panel = w->panels * part / parts;
      panels = w->panels * (part + 1) / parts;
    }
  else
    {
      int64_t bands = (w->tiles + w->band - 1) / w->band;
      first = bands * part / parts * w->band;
      end = part == parts - 1 ? w->tiles : bands * (part + 1) / parts * w->band;
    }
  for (; first < end; first += w->band)
    {
      int64_t n = end - first < w->band ? end - first : w->band;
      funcs->transform (work, first, n);
      for (int64_t i = panel; i < panels; i++)
        funcs->multiply (work, first, n, i);
    }
}

/* What a thread works with. */
typedef struct
{
  const PareWinograd *w;
  const float *x, *residual;
  float *y, *v, *sums;
  int64_t size, v_apart;
} Work;

static void
transform (const void *work, int64_t first, int64_t n)
{
  const Work *k = work;
  pare_accel_floats ()->winograd_in (k->w, k->x, first, n, k->v, k->v_apart);
}

static void
multiply (const void *work, int64_t first, int64_t n, int64_t panel)
{
  const Work *k = work;
  const PareWinograd *w = k->w;
  const PareFloats *isa = pare_accel_floats ();
  int64_t at;
  int width = pare_accel_panel (isa, w->n, panel, &at);
  int64_t sums_apart = apart (w->walk.band * width);
  for (int64_t s = 0; s < k->size; s++)
    isa->product (&(PareProduct){ .rows = n,
                                  .k = w->k,
                                  .a = k->v + s * k->v_apart,
                                  .a_row = PARE_BLOCK,
                                  .a_block = n * PARE_BLOCK,
                                  .b = w->weights + (at * k->size + s * width) * w->k,
                                  .width = width,
                                  .columns = width,
                                  .c = k->sums + s * sums_apart,
                                  .c_row = PARE_BLOCK,
                                  .c_block = n * PARE_BLOCK });
  isa->winograd_out (w, k->sums, sums_apart, first, n, at, width, k->y, k->residual);
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  static const PareTileFuncs funcs = { transform, multiply };
  const PareWinograd *w = params;
  Work k = { .w = w,
             .x = args[0].data,
             .y = args[1].data,
             .v = (float *)args[2].data + part * w->scratch,
             .residual = w->residual ? args[3].data : NULL,
             .size = (w->m + 2) * (w->m + 2),
             .v_apart = apart (w->walk.band * w->k) };
  k.sums = k.v + k.size * k.v_apart;
  pare_accel_walk_tiles (&w->walk, part, parts, &funcs, &k);
}

/* Nanoseconds to read weights: many do not stay in the cache from one run to the next. */
static double
reading (double bytes)
{
  return bytes / (bytes > 2 << 20 ? 40 : 100);
}

/* Which m takes least, 0: none; by the layer alone, for the same layer has the same bits in every program. least: in nanoseconds. Measured:
 * products, what a transform takes for an element of a tile, and the weights, which grow. */
static int
choose (const PareShape *x, const PareShape *y, double *least)
{
  double k = (double)x->dims[1], n = (double)y->dims[1], products = 115;
  int best = 0;
  *least = (double)(y->dims[0] * y->dims[2] * y->dims[3]) * 9 * k * n / products + reading (9 * k * n * 4);
  for (int m = 2; m <= 4; m += 2)
    {
      double tiles = (double)(y->dims[0] * ((y->dims[2] + m - 1) / m) * ((y->dims[3] + m - 1) / m)), size = (m + 2) * (m + 2);
      double ns = size * (tiles * k * n / products + tiles * (k + n) * (m == 2 ? 0.045 : 0.085)) + reading (size * k * n * 4);
      if (ns < *least)
        {
          *least = ns;
          best = m;
        }
    }
  return best;
}

bool
pare_accel_winograd (PareAccel *self, uint32_t step, const PareConvShape *shape)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + s->params);
  uint32_t x = s->in[0], y = s->out[0], residual = s->n_in > 3 ? s->in[3] : PARE_RT_NONE;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  const PareFloats *isa = pare_accel_floats ();
  const float *weights = pare_accel_constant (self, s->in[1]);
  if (!isa || !pare_accel_conv_is_3x3 (p, shape, 1) || p->group != 1 || sx->dims[1] % PARE_BLOCK || sy->dims[1] % PARE_BLOCK || !weights
      || !pare_accel_is_float (self, x) || !pare_accel_is_float (self, y))
    return false;
  double ns;
  int m = choose (sx, sy, &ns);
  if (!m)
    return false;
  const PareMd *blocks = pare_md_new_blocks (self->mds, dnnl_f32, sx->rank, sx->dims),
               *blocks_y = pare_md_new_blocks (self->mds, dnnl_f32, sy->rank, sy->dims),
               *last = pare_md_new_channels_last (self->mds, dnnl_f32, sx->rank, sx->dims),
               *last_y = pare_md_new_channels_last (self->mds, dnnl_f32, sy->rank, sy->dims);
  if (!blocks || !last || !blocks_y || !last_y)
    return false;
  bool blocked = pare_accel_native (self, x) == blocks;
  int64_t k = sx->dims[1], n = sy->dims[1], in = sx->dims[2] * sx->dims[3], out = sy->dims[2] * sy->dims[3], size = (m + 2) * (m + 2);
  PareWinograd w = {
    .m = m,
    .batch = sx->dims[0],
    .in = { sx->dims[2], sx->dims[3] },
    .out = { sy->dims[2], sy->dims[3] },
    .pad = { shape->pad_begin[0], shape->pad_begin[1] },
    .k = k,
    .n = n,
    .x_row = blocked ? PARE_BLOCK : k,
    .x_block = blocked ? in * PARE_BLOCK : PARE_BLOCK,
    .x_image = in * k,
    .y_row = blocked ? PARE_BLOCK : n,
    .y_block = blocked ? out * PARE_BLOCK : PARE_BLOCK,
    .y_image = out * n,
  };
  ParePostOps apart_ops = { 0 };
  if (!pare_accel_after_knows (p->activation) && !pare_accel_activation (p->activation, p->lo, p->hi, p->alpha, &apart_ops))
    return false;
  int64_t at;
  w.walk.tiles = w.batch * ((w.out[0] + m - 1) / m) * ((w.out[1] + m - 1) / m);
  while (pare_accel_panel (isa, n, w.walk.panels, &at))
    w.walk.panels++;
  pare_accel_plan_tiles (&w.walk, self->threads, BAND / (size * (k + isa->width)),
                         size * k * n * 4 > 1 << 20 && n >= isa->width * self->threads);
  w.residual = residual != PARE_RT_NONE;
  w.scratch = size * (apart (w.walk.band * k) + apart (w.walk.band * isa->width));
  PareFolded f;
  if (!pare_accel_fold (self, step, &f))
    return false;
  bool known;
  const int64_t how[4] = { m, n, k, isa->width };
  float *packed = pare_accel_pack_shared (self, pare_accel_pack_key (self, PARE_PACK_WINOGRAD, s->in[1], f.factor, n, how, 4),
                                          (uint64_t)(size * k * n) * sizeof (float), &known);
  uint32_t scratch = pare_accel_buffer_new (self, (uint64_t)(w.scratch * self->threads) * sizeof (float));
  if (!packed || scratch == PARE_RT_NONE)
    return false;
  if (!known)
    isa->winograd_weights (weights, f.factor, n, k, m, packed);
  w.weights = packed;
  w.bias = f.bias;
  w.after = f.after;
  const PareMd *src = blocked ? blocks : last, *dst = blocked ? blocks_y : last_y;
  uint32_t in_buffer = pare_accel_form (self, step, x, src), there = PARE_RT_NONE, result;
  if (residual != PARE_RT_NONE)
    there = pare_accel_form (self, step, residual, dst);
  if (there != PARE_RT_NONE && pare_accel_may_overwrite (self, step, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, in_buffer))
    {
      result = there;
      pare_accel_set_form (self, f.y, dst, there);
    }
  else
    result = pare_accel_new_form (self, f.y, dst);
  const uint32_t buffers[4] = { in_buffer, result, scratch, there };
  if (residual != PARE_RT_NONE && there == PARE_RT_NONE)
    {
      self->failed = true;
      return false;
    }
  if (!pare_accel_add_work (self, step, run, &w, sizeof w, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, residual == PARE_RT_NONE ? 3 : 4))
    return false;
  pare_accel_absorb (self, f.norm);
  return apart_ops.n == 0 || pare_accel_activate (self, step, &apart_ops.ops[0], dst, result);
}
