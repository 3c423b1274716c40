/* Convolutions of 3 x 3 with a step of one on bfloat16 by Winograd's algorithm, as pare-accel-winograd.c has them for floats. Transforms
 * are computed in floats, transformed tiles and weights are rounded to bfloat16, so that a model's answers are 1.2 to 1.8 times as far from
 * those in float as with direct sums, for tiles of 4 x 4 (ARCHITECTURE.md). Where there is a matrix unit, transforms take longer than
 * the products that they save: oneDNN's direct ones are two to four times as fast. */
#include "engine/accel/pare-accel-amx.h"
#include "engine/accel/pare-accel-bfloats.h"
#include "engine/accel/pare-accel-private.h"

/* Bytes of a band, transformed and multiplied: they share the caches with the weights. */
#define BAND (256 * 1024)
#define MOST_NEAR (16 * 1024) /* weights, which the nearest cache has beside the tiles */

/* Tables whose parts lie a power of two apart would share one set of the cache. */
static int64_t
apart (int64_t elements)
{
  return elements + 32;
}

/* What a thread works with. */
typedef struct
{
  const PareBfloatWinograd *w;
  const void *x, *residual;
  void *y;
  float *sums;
  uint16_t *v;
  int64_t size, v_apart;
} Work;

static void
transform (const void *work, int64_t first, int64_t n)
{
  const Work *k = work;
  pare_accel_bfloats ()->winograd_in (k->w, k->x, first, n, k->v, k->v_apart);
}

static void
multiply (const void *work, int64_t first, int64_t n, int64_t panel)
{
  const Work *k = work;
  const PareBfloatWinograd *w = k->w;
  const PareBfloats *isa = pare_accel_bfloats ();
  int64_t at;
  int width = pare_accel_bfloat_panel (w->n, panel, &at);
  int64_t sums_apart = apart (w->walk.band * width);
  PareBfloatProduct product = { .rows = n,
                                .pairs = w->k / 2,
                                .a = k->v,
                                .a_row = PARE_BLOCK,
                                .a_block = n * PARE_BLOCK,
                                .b = w->weights + at * k->size * w->k,
                                .width = width,
                                .columns = width,
                                .c = { k->sums, true },
                                .c_row = PARE_BLOCK,
                                .c_block = n * PARE_BLOCK };
  PareBfloatSeries all = { k->size, k->v_apart, width * w->k, sums_apart };
  if (width == PARE_BLOCK && all.n * all.b_apart <= MOST_NEAR)
    isa->series (&product, &all);
  else
    for (int64_t s = 0; s < all.n; s++)
      {
        isa->product (&product);
        product.a += all.a_apart;
        product.b += all.b_apart;
        product.c.data = (float *)product.c.data + all.c_apart;
      }
  isa->winograd_out (w, k->sums, sums_apart, first, n, at, width, k->y, k->residual);
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  static const PareTileFuncs funcs = { transform, multiply };
  const PareBfloatWinograd *w = params;
  Work k = { .w = w,
             .x = args[0].data,
             .y = args[1].data,
             .sums = (float *)((char *)args[2].data + part * w->scratch),
             .residual = w->residual ? args[3].data : NULL,
             .size = (w->m[0] + 2) * (w->m[1] + 2),
             .v_apart = apart (w->walk.band * w->k) };
  k.v = (uint16_t *)(k.sums + k.size * apart (w->walk.band * PARE_BF16_WIDTH));
  pare_accel_walk_tiles (&w->walk, part, parts, &funcs, &k);
}

/* Nanoseconds to read weights: many do not stay in the cache from one run to the next. */
static double
reading (double bytes)
{
  return bytes / (bytes > 2 << 20 ? 40 : 100);
}

/* Which tile takes least, by the layer alone, for the same layer has the same bits in every program. False: none. least: in nanoseconds.
 * Measured: products, what both transforms take for an element of a tile, and the weights, which grow. */
static bool
choose (const PareShape *x, const PareShape *y, int m[2], double *least)
{
  static const struct
  {
    int m[2];
    double transform;
  } kinds[] = { { { 2, 2 }, 0.037 }, { { 4, 2 }, 0.042 }, { { 4, 4 }, 0.05 } };
  double k = (double)x->dims[1], n = (double)y->dims[1], products = k < 2 * PARE_BLOCK ? 155 : 200;
  bool any = false;
  *least = (double)(y->dims[0] * y->dims[2] * y->dims[3]) * 9 * k * n / 190 + reading (9 * k * n * 2);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    {
      const int *kind = kinds[i].m;
      double tiles = (double)(y->dims[0] * ((y->dims[2] + kind[0] - 1) / kind[0]) * ((y->dims[3] + kind[1] - 1) / kind[1]));
      double size = (kind[0] + 2) * (kind[1] + 2);
      double ns = size * (tiles * k * n / products + tiles * (k + n) * kinds[i].transform) + reading (size * k * n * 2);
      if (ns < *least)
        {
          *least = ns;
          m[0] = kind[0];
          m[1] = kind[1];
          any = true;
        }
    }
  return any;
}

bool
pare_accel_winograd_bf16 (PareAccel *self, uint32_t step, const PareConvShape *shape)
{
  const PareRtStep *s = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + s->params);
  uint32_t x = s->in[0], residual = s->n_in > 3 ? s->in[3] : PARE_RT_NONE;
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[s->out[0]].shape;
  const PareBfloats *isa = pare_accel_bfloats ();
  const float *weights = pare_accel_constant (self, s->in[1]);
  if (!isa || pare_accel_has_amx () || s->op != PARE_RT_CONV || !pare_accel_conv_is_3x3 (p, shape, 1) || p->group != 1
      || sx->dims[1] % PARE_BLOCK || sy->dims[1] % PARE_BLOCK || !weights || !pare_accel_is_float (self, x)
      || !pare_accel_is_float (self, s->out[0]) || !pare_accel_after_knows (p->activation))
    return false;
  double ns;
  PareBfloatWinograd w = { .batch = sx->dims[0],
                           .in = { sx->dims[2], sx->dims[3] },
                           .out = { sy->dims[2], sy->dims[3] },
                           .pad = { shape->pad_begin[0], shape->pad_begin[1] },
                           .k = sx->dims[1],
                           .n = sy->dims[1],
                           .residual = residual != PARE_RT_NONE };
  if (!choose (sx, sy, w.m, &ns))
    return false;
  const PareMd *blocks = pare_md_new_blocks (self->mds, dnnl_bf16, sx->rank, sx->dims),
               *last = pare_md_new_channels_last (self->mds, dnnl_bf16, sx->rank, sx->dims);
  PareFolded f;
  if (!blocks || !last || !pare_accel_fold (self, step, &f))
    return false;
  const PareMd *added = w.residual ? pare_accel_native_any (self, residual) : NULL;
  w.wide_residual = added && pare_md_type (added) != dnnl_bf16;
  PareAccelResult result = pare_accel_result (self, f.y);
  w.wide = result.type != dnnl_bf16;
  bool blocked = pare_accel_native_any (self, x) == blocks;
  dnnl_data_type_t type = result.type, type_added = w.wide_residual ? dnnl_f32 : dnnl_bf16;
  const PareMd *src = blocked ? blocks : last;
  const PareMd *dst = blocked ? pare_md_new_blocks (self->mds, type, sy->rank, sy->dims)
                              : pare_md_new_channels_last (self->mds, type, sy->rank, sy->dims);
  const PareMd *dst_added = blocked ? pare_md_new_blocks (self->mds, type_added, sy->rank, sy->dims)
                                    : pare_md_new_channels_last (self->mds, type_added, sy->rank, sy->dims);
  if (!dst || !dst_added)
    return false;
  int64_t in = w.in[0] * w.in[1], out = w.out[0] * w.out[1], size = (w.m[0] + 2) * (w.m[1] + 2);
  w.x_row = blocked ? PARE_BLOCK : w.k;
  w.x_block = blocked ? in * PARE_BLOCK : PARE_BLOCK;
  w.x_image = in * w.k;
  w.y_row = blocked ? PARE_BLOCK : w.n;
  w.y_block = blocked ? out * PARE_BLOCK : PARE_BLOCK;
  w.y_image = out * w.n;
  w.bias = f.bias;
  w.after = f.after;
  int64_t width = w.n < PARE_BF16_WIDTH ? w.n : PARE_BF16_WIDTH, at;
  w.walk.tiles = w.batch * ((w.out[0] + w.m[0] - 1) / w.m[0]) * ((w.out[1] + w.m[1] - 1) / w.m[1]);
  while (pare_accel_bfloat_panel (w.n, w.walk.panels, &at))
    w.walk.panels++;
  pare_accel_plan_tiles (&w.walk, self->threads, BAND / (size * (w.k * 2 + width * 4)),
                         size * w.k * w.n * 2 > 1 << 20 && w.n >= PARE_BF16_WIDTH * self->threads);
  w.scratch = size * (apart (w.walk.band * w.k) * 2 + apart (w.walk.band * PARE_BF16_WIDTH) * 4);
  bool known;
  const int64_t how[4] = { w.m[0], w.m[1], w.n, w.k };
  uint16_t *packed = pare_accel_pack_shared (self, pare_accel_pack_key (self, PARE_PACK_WINOGRAD_BF16, s->in[1], f.factor, w.n, how, 4),
                                             (uint64_t)(size * w.k * w.n) * sizeof *packed, &known);
  uint32_t scratch = pare_accel_buffer_new (self, (uint64_t)(w.scratch * self->threads)), there = PARE_RT_NONE, to;
  if (!packed || scratch == PARE_RT_NONE)
    return false;
  if (!known)
    isa->winograd_weights (weights, f.factor, w.n, w.k, w.m, packed);
  w.weights = packed;
  uint32_t in_buffer = pare_accel_form (self, step, x, src);
  if (w.residual && (there = pare_accel_form (self, step, residual, dst_added)) == PARE_RT_NONE)
    self->failed = true;
  if (there != PARE_RT_NONE && dst == dst_added && pare_accel_may_overwrite (self, step, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, in_buffer))
    {
      to = there;
      pare_accel_set_form (self, result.value, dst, there);
    }
  else
    to = pare_accel_new_form (self, result.value, dst);
  const uint32_t buffers[4] = { in_buffer, to, scratch, there };
  if (!pare_accel_add_work (self, step, run, &w, sizeof w, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, w.residual ? 4 : 3))
    return false;
  return pare_accel_absorb (self, f.norm) && pare_accel_absorb (self, result.rounds);
}
