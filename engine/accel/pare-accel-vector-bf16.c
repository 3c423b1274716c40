/* Fully connected layers of one row on bfloat16: as fast as weights are read, for which oneDNN's preparations are too long. */
#include "engine/accel/pare-accel-bfloats.h"
#include "engine/accel/pare-accel-private.h"

#include <stdlib.h>
#include <string.h>

#define PRODUCTS 40 /* in a nanosecond, of one thread */

typedef struct
{
  int64_t k, n;
  const uint16_t *weights;
  const float *bias;
  PareAfter after;
  bool wide;
} Vector;

/* Threads share the panels. */
static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Vector *s = params;
  const PareBfloats *isa = pare_accel_bfloats ();
  int64_t whole = pare_accel_whole_blocks (s->n), panels = 0, at;
  while (pare_accel_bfloat_panel (whole, panels, &at))
    panels++;
  for (int64_t i = panels * part / parts; i < panels * (part + 1) / parts; i++)
    {
      int width = pare_accel_bfloat_panel (whole, i, &at);
      isa->row (&(PareBfloatProduct){ .rows = 1,
                                      .pairs = s->k / 2,
                                      .a = args[0].data,
                                      .a_row = PARE_BLOCK,
                                      .a_block = PARE_BLOCK,
                                      .b = s->weights + at * s->k,
                                      .width = width,
                                      .columns = (int)(s->n - at < width ? s->n - at : width),
                                      .bias = s->bias + at,
                                      .c = { (char *)args[1].data + at * (s->wide ? 4 : 2), s->wide },
                                      .c_row = s->n,
                                      .c_block = PARE_BLOCK,
                                      .after = &s->after,
                                      .first = at });
    }
}

bool
pare_accel_vector_bf16 (PareAccel *self, uint32_t step, const PareAccelVector *v)
{
  const float *weights = pare_accel_constant (self, v->w), *bias = v->b == PARE_RT_NONE ? NULL : pare_accel_constant (self, v->b);
  PareAccelResult result = pare_accel_result (self, v->y);
  const PareMd *plain = pare_accel_plain_md (self, result.value), *dst = plain ? pare_md_with_type (self->mds, plain, result.type) : NULL;
  if (!pare_accel_bfloats () || !weights || (v->b != PARE_RT_NONE && !bias) || v->k % 2 || !pare_accel_after_knows (v->activation) || !dst)
    return false;
  int64_t whole = pare_accel_whole_blocks (v->n);
  bool clip = v->activation == PARE_ACT_CLIP;
  float *sums = pare_accel_filled (self, whole, 0), *lo = clip ? pare_accel_filled (self, whole, v->lo) : NULL,
        *hi = clip ? pare_accel_filled (self, whole, v->hi) : NULL, *rows = malloc ((size_t)(v->n * v->k) * sizeof *rows);
  uint16_t *packed = pare_accel_pack (self, (uint64_t)(whole * v->k) * sizeof *packed);
  if (!sums || (clip && (!lo || !hi)) || !rows || !packed)
    {
      free (rows);
      return false;
    }
  for (int64_t i = 0; i < v->n; i++)
    for (int64_t j = 0; j < v->k; j++)
      rows[i * v->k + j] = weights[i * v->stride_n + j * v->stride_k];
  pare_accel_pack_pairs (rows, v->n, v->k, NULL, v->k / 2, packed);
  free (rows);
  for (int64_t i = 0; bias && i < v->n; i++)
    sums[i] = bias[i] * v->beta;
  const Vector s = { .k = v->k,
                     .n = v->n,
                     .weights = packed,
                     .bias = sums,
                     .after = { .kind = v->activation, .lo = lo, .hi = hi, .alpha = v->alpha },
                     .wide = result.type != dnnl_bf16 };
  const uint32_t buffers[2] = { v->x, pare_accel_new_form (self, result.value, dst) };
  double ns = (double)(v->n * v->k) / PRODUCTS;
  return pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, 2)
         && pare_accel_absorb (self, result.rounds);
}
