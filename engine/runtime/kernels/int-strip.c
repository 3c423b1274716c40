#include "engine/runtime/kernels/int-strip.h"

bool
pare_rt_int_strip (const ConvGeometry *g, int64_t out_rows, bool rows_apart, PareIntStrip *s)
{
  *s = (PareIntStrip){ .phases_y = rows_apart ? g->stride[1] : 1, .phases_x = g->stride[2] };
  if (g->stride[1] > 1 << 12 || g->stride[2] > 1 << 12 || out_rows > 1 << 20 || g->out[2] > 1 << 20 || g->dil[1] * (g->k[1] - 1) > 1 << 20
      || g->dil[2] * (g->k[2] - 1) > 1 << 20)
    return false;
  s->rows = (out_rows - 1) * g->stride[1] + (g->k[1] - 1) * g->dil[1] + 1;
  s->columns = (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] + 1;
  s->pitch = (s->columns + s->phases_x - 1) / s->phases_x;
  s->phase = (s->rows + s->phases_y - 1) / s->phases_y * s->pitch;
  s->plane = s->phase * s->phases_y * s->phases_x;
  return s->plane < 1 << 26;
}

/* n bytes, as a run of 16 where both sides have the room: rows are often shorter than a call to memcpy is worth. */
static inline void
copy_row (uint8_t *to, const uint8_t *from, int64_t n, const uint8_t *from_end)
{
  if (n <= 16 && from_end - from >= 16)
    memcpy (to, from, 16);
  else
    memcpy (to, from, n);
}

static inline void
fill_row (uint8_t *to, uint8_t zero, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    to[i] = zero;
}

/* Column c of the padded row, for c = phase, phase + step, ...: padding, input, padding. */
static void
fill_phase (uint8_t *to, const uint8_t *row, const uint8_t *end, int64_t width, int64_t pad, int64_t phase, int64_t step, int64_t pitch,
            uint8_t zero)
{
  int64_t before = pad > phase ? (pad - phase + step - 1) / step : 0, first;
  before = before < pitch ? before : pitch;
  first = phase + before * step - pad;
  int64_t inside = first < width ? (width - first + step - 1) / step : 0;
  inside = inside < pitch - before ? inside : pitch - before;
  if (step == 1)
    {
      if (inside > 0)
        copy_row (to + before, row + first, inside, end);
    }
  else if (step == 2)
    for (int64_t i = 0; i < inside; i++)
      to[before + i] = row[first + 2 * i];
  else
    for (int64_t i = 0; i < inside; i++)
      to[before + i] = row[first + i * step];
  fill_row (to, zero, before);
  fill_row (to + before + inside, zero, pitch - before - inside);
}

void
pare_rt_int_strip_fill (const PareIntStrip *s, const ConvGeometry *g, int64_t r0, const uint8_t *x, const uint8_t *end, int64_t n,
                        uint8_t zero, uint8_t *to)
{
  int64_t in_plane = g->in[1] * g->in[2], top = r0 * g->stride[1] - g->pad[1];
  bool sparse = g->k[1] == 1; /* rows between those a stride takes are never looked at */
  /* In the order of memory: a row may be written a few bytes too far, and the next one puts that right. */
  for (int64_t c = 0; c < n; c++, x += in_plane, to += s->plane)
    for (int64_t phase = 0; phase < s->phases_y * s->phases_x; phase++)
      for (int64_t y = phase / s->phases_x; y < s->rows; y += s->phases_y)
        {
          uint8_t *row = to + phase * s->phase + y / s->phases_y * s->pitch;
          if (sparse && y % g->stride[1])
            continue;
          if (top + y < 0 || top + y >= g->in[1])
            memset (row, zero, s->pitch);
          else
            fill_phase (row, x + (top + y) * g->in[2], end, g->in[2], g->pad[2], phase % s->phases_x, g->stride[2], s->pitch, zero);
        }
}
