/* Joining channels where those of a pixel lie side by side: each operand's are copied pixel by pixel out of the layout it is in. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

#define BAND 64          /* pixels that are joined at a time */
#define BYTES_IN_NS 20.0 /* of one thread */

/* Elements of a pixel that lie side by side in an operand and in the result. */
typedef struct
{
  uint32_t arg;
  int64_t from, from_pixel, to, size; /* bytes; from_pixel: to the next pixel's */
} Piece;

typedef struct
{
  int64_t pixels, to_pixel;
  const Piece *pieces;
  uint32_t n_pieces, result; /* result: its argument */
} Join;

static void
copy_pixels (char *to, int64_t to_pixel, const char *from, int64_t from_pixel, int64_t n, int64_t size)
{
#define EACH(SIZE)                                                                                                                         \
  case SIZE:                                                                                                                               \
    for (; n > 0; n--, to += to_pixel, from += from_pixel)                                                                                 \
      memcpy (to, from, SIZE);                                                                                                             \
    break
  switch (size)
    {
      EACH (2);
      EACH (4);
      EACH (8);
      EACH (16);
      EACH (32);
      EACH (64);
      EACH (128);
      EACH (256);
    default:
      for (; n > 0; n--, to += to_pixel, from += from_pixel)
        memcpy (to, from, (size_t)size);
    }
#undef EACH
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Join *s = params;
  int64_t begin = s->pixels * part / parts, end = s->pixels * (part + 1) / parts;
  for (int64_t at = begin; at < end; at += BAND)
    for (uint32_t i = 0; i < s->n_pieces; i++)
      {
        const Piece *p = &s->pieces[i];
        copy_pixels ((char *)args[s->result].data + at * s->to_pixel + p->to, s->to_pixel,
                     (const char *)args[p->arg].data + p->from + at * p->from_pixel, p->from_pixel, end - at < BAND ? end - at : BAND,
                     p->size);
      }
}

/* Pixels follow one another, all images' in one row, and their channels lie side by side. */
static bool
is_by_pixels (const PareMd *md, int64_t *pixel)
{
  const int64_t *strides = pare_md_strides (md), *dims = pare_md_dims (md);
  int last = pare_md_rank (md) - 1;
  if (!strides || last < 2 || (strides[1] != 1 && dims[1] != 1))
    return false;
  for (int i = last; i > 2; i--)
    if (strides[i - 1] != strides[i] * dims[i])
      return false;
  *pixel = strides[last];
  return dims[0] == 1 || strides[0] == strides[2] * dims[2];
}

bool
pare_accel_join_channels (PareAccel *self, uint32_t step, dnnl_data_type_t type)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareShape *sy = &self->plan->values[st->out[0]].shape;
  int64_t size = (int64_t)dnnl_data_type_size (type), pixels = sy->dims[0], to = 0, n = 0;
  const PareMd *dst = pare_md_new_channels_last (self->mds, type, sy->rank, sy->dims), *src[PARE_RT_MAX_IN];
  for (int i = 2; i < sy->rank; i++)
    pixels *= sy->dims[i];
  Piece *pieces = pare_accel_pack (self, (uint64_t)(sy->dims[1] / PARE_BLOCK + st->n_in) * sizeof *pieces);
  if (!dst || !pieces)
    return false;
  for (uint32_t i = 0; i < st->n_in; i++)
    {
      const PareShape *sx = &self->plan->values[st->in[i]].shape;
      int64_t pixel = PARE_BLOCK, block = PARE_BLOCK;
      src[i] = type == dnnl_f32 ? pare_accel_native (self, st->in[i]) : pare_accel_native_any (self, st->in[i]);
      if (!src[i] || pare_md_type (src[i]) != type)
        return false;
      if (is_by_pixels (src[i], &pixel))
        block = sx->dims[1];
      else if (sx->dims[0] != 1 || src[i] != pare_md_new_blocks (self->mds, type, sx->rank, sx->dims))
        return false;
      for (int64_t c = 0; c < sx->dims[1]; c += block)
        {
          int64_t some = sx->dims[1] - c < block ? sx->dims[1] - c : block;
          pieces[n++] = (Piece){ i, c * pixels * size, pixel * size, to * size, some * size };
          to += some;
        }
    }
  uint32_t buffers[PARE_RT_MAX_IN + 1];
  for (uint32_t i = 0; i < st->n_in; i++)
    buffers[i] = pare_accel_form (self, step, st->in[i], src[i]);
  buffers[st->n_in] = pare_accel_new_form (self, st->out[0], dst);
  const Join s = { .pixels = pixels, .to_pixel = sy->dims[1] * size, .pieces = pieces, .n_pieces = (uint32_t)n, .result = st->n_in };
  return pare_accel_add_work (self, step, run, &s, sizeof s, (uint64_t)((double)pare_md_bytes (dst) / BYTES_IN_NS * PARE_ACCEL_IN_NS),
                              buffers, st->n_in + 1);
}
