/* Sums and products of two tensors of which some are bfloat16 and some are floats, which oneDNN would bring to one type first. */
#include "engine/accel/pare-accel-bfloats.h"
#include "engine/accel/pare-accel-private.h"

#define ELEMENTS_IN_NS 12 /* of one thread */

typedef struct
{
  int64_t n;
  PareBinaryKind kind;
  bool wide_a, wide_b, wide;
  bool bounded;
  float lo, hi;
} Binary;

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"

BF16 INLINE void
range (const Binary *s, const PareView *args, int64_t at, int64_t end, const PareBinaryKind kind)
{
  const __m512 lo = ALL (s->bounded ? s->lo : -__builtin_inff ()), hi = ALL (s->bounded ? s->hi : __builtin_inff ());
  for (; at < end; at += LANES)
    {
      __m512 a = load (args[0].data, s->wide_a, at), b = load (args[1].data, s->wide_b, at);
      __m512 y = kind == PARE_BIN_ADD ? ADD (a, b) : kind == PARE_BIN_SUB ? SUB (a, b) : MUL (a, b);
      store (args[2].data, s->wide, at, SMALLER (hi, LARGER (lo, y)));
    }
}

BF16 static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Binary *s = params;
  int64_t vectors = s->n / LANES, at = vectors * part / parts * LANES, end = vectors * (part + 1) / parts * LANES;
  if (s->kind == PARE_BIN_ADD)
    range (s, args, at, end, PARE_BIN_ADD);
  else if (s->kind == PARE_BIN_SUB)
    range (s, args, at, end, PARE_BIN_SUB);
  else
    range (s, args, at, end, PARE_BIN_MUL);
}
#else
static void
run (const void *params, const PareView *args, int part, int parts)
{
}
#endif

bool
pare_accel_binary_bf16 (PareAccel *self, uint32_t step, uint32_t a, uint32_t b, PareAccelResult result)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareBinaryParams *p = (const PareBinaryParams *)(self->plan->params + st->params);
  const PareMd *ma = pare_accel_native (self, a), *mb = pare_accel_native (self, b);
  if (!pare_accel_bfloats () || !ma || !mb || (p->kind != PARE_BIN_ADD && p->kind != PARE_BIN_SUB && p->kind != PARE_BIN_MUL)
      || (p->activation != PARE_ACT_NONE && p->activation != PARE_ACT_CLIP))
    return false;
  const PareMd *layout = ma != mb && pare_md_is_row_major (ma) ? mb : ma;
  dnnl_data_type_t type_a = pare_md_type (pare_accel_native_any (self, a)), type_b = pare_md_type (pare_accel_native_any (self, b));
  const PareMd *src_a = pare_md_with_type (self->mds, layout, type_a), *src_b = pare_md_with_type (self->mds, layout, type_b),
               *dst = pare_md_with_type (self->mds, layout, result.type);
  Binary s = { .n = (int64_t)(pare_md_bytes (layout) / sizeof (float)),
               .kind = p->kind,
               .wide_a = type_a != dnnl_bf16,
               .wide_b = type_b != dnnl_bf16,
               .wide = result.type != dnnl_bf16,
               .bounded = p->activation == PARE_ACT_CLIP,
               .lo = p->lo,
               .hi = p->hi };
  if (!src_a || !src_b || !dst || s.n % PARE_BLOCK)
    return false;
  const uint32_t buffers[3]
      = { pare_accel_form (self, step, a, src_a), pare_accel_form (self, step, b, src_b), pare_accel_new_form (self, result.value, dst) };
  return pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(s.n / ELEMENTS_IN_NS * PARE_ACCEL_IN_NS), buffers, 3)
         && pare_accel_absorb (self, result.rounds);
}
