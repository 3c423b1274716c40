/* Resizing of images whose channels lie side by side: all of a pixel's are copied, or weighted, at once. Codes are copied only. */
#include "engine/accel/pare-accel-private.h"

#include <string.h>

/* What a row or a column is made of. */
typedef struct
{
  int64_t at[2]; /* offsets in the source */
  float weight[2];
  int n;
} Taps;

typedef struct
{
  int64_t planes, in, out[2], run, size; /* rows of pixels of `run` elements; elements of a plane; bytes of an element */
  const Taps *rows, *columns;
} Resize;

static void
weigh (const void *const from[4], const float w[4], int n, int64_t run, float *y)
{
  const float *x[4] = { from[0], from[1], from[2], from[3] };
  if (n == 2)
    for (int64_t i = 0; i < run; i++)
      y[i] = w[0] * x[0][i] + w[1] * x[1][i];
  else
    for (int64_t i = 0; i < run; i++)
      y[i] = w[0] * x[0][i] + w[1] * x[1][i] + w[2] * x[2][i] + w[3] * x[3][i];
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Resize *s = params;
  int64_t all = s->planes * s->out[0], begin = all * part / parts, end = all * (part + 1) / parts;
  char *y = (char *)args[1].data + begin * s->out[1] * s->run * s->size;
  for (int64_t r = begin; r < end; r++)
    {
      const char *plane = (const char *)args[0].data + r / s->out[0] * s->in * s->size;
      const Taps *row = &s->rows[r % s->out[0]];
      for (int64_t c = 0; c < s->out[1]; c++, y += s->run * s->size)
        {
          const Taps *column = &s->columns[c];
          const void *x[4] = { plane };
          float w[4] = { 1 };
          int n = 0;
          for (int i = 0; i < row->n; i++)
            for (int k = 0; k < column->n; k++, n++)
              {
                x[n] = plane + (row->at[i] + column->at[k]) * s->size;
                w[n] = row->weight[i] * column->weight[k];
              }
          if (n == 1)
            memcpy (y, x[0], (size_t)(s->run * s->size));
          else
            weigh (x, w, n, s->run, (float *)(void *)y);
        }
    }
}

bool
pare_accel_step_resize (PareAccel *self, uint32_t step)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareResizeParams *p = (const PareResizeParams *)(self->plan->params + st->params);
  uint32_t x = st->in[0], y = st->out[0];
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[y].shape;
  bool codes = pare_accel_is_codes (self, x) && p->mode == PARE_RESIZE_NEAREST;
  if ((!codes && (!pare_accel_is_float (self, x) || !pare_accel_is_float (self, y))) || sx->rank != 4 || sy->rank != 4
      || pare_shape_count (sy) < 1 || pare_shape_count (sx) < 1 || p->mode == PARE_RESIZE_CUBIC || p->coord == PARE_COORD_TF_CROP
      || sx->dims[0] != sy->dims[0] || sx->dims[1] != sy->dims[1] || p->scale[0] != 1 || p->scale[1] != 1)
    return false;
  const int type = pare_accel_type (self, x);
  const PareMd *native = pare_accel_native (self, x), *blocks = codes ? NULL : pare_md_new_blocks (self->mds, type, sx->rank, sx->dims),
               *last = pare_md_new_channels_last (self->mds, type, sx->rank, sx->dims), *dst;
  bool blocked = native == blocks && sx->dims[1] % PARE_BLOCK == 0;
  if (!native || (!blocked && native != last) || pare_md_is_row_major (native))
    return false;
  dst = blocked ? pare_md_new_blocks (self->mds, type, sy->rank, sy->dims)
                : pare_md_new_channels_last (self->mds, type, sy->rank, sy->dims);
  Taps *taps = pare_accel_pack (self, (uint64_t)(sy->dims[2] + sy->dims[3]) * sizeof *taps);
  if (!dst || !taps)
    return false;
  Resize s = { .run = blocked ? PARE_BLOCK : sx->dims[1],
               .size = codes ? 1 : sizeof (float),
               .planes = blocked ? sx->dims[0] * sx->dims[1] / PARE_BLOCK : sx->dims[0],
               .out = { sy->dims[2], sy->dims[3] },
               .rows = taps,
               .columns = taps + sy->dims[2] };
  s.in = sx->dims[2] * sx->dims[3] * s.run;
  for (int axis = 2; axis < 4; axis++)
    for (int64_t o = 0; o < sy->dims[axis]; o++, taps++)
      {
        taps->n = pare_rt_resize_taps (p, axis, o, sx->dims[axis], sy->dims[axis], taps->at, taps->weight);
        for (int i = 0; i < 2; i++)
          taps->at[i] *= axis == 2 ? sx->dims[3] * s.run : s.run;
      }
  const uint32_t buffers[2] = { pare_accel_form (self, step, x, native), pare_accel_new_form (self, y, dst) };
  return pare_accel_add_work (self, step, run, &s, sizeof s, pare_md_bytes (dst) * 2, buffers, 2);
}
