#include "engine/runtime/kernels/int-strip.h"

bool
pare_rt_int_strip (const ConvGeometry *g, int64_t out_rows, bool rows_apart, bool columns_apart, PareIntStrip *s)
{
  *s = (PareIntStrip){ .phases_y = rows_apart ? g->stride[1] : 1, .phases_x = columns_apart ? g->stride[2] : 1 };
  if (g->stride[1] > 1 << 12 || g->stride[2] > 1 << 12 || out_rows > 1 << 20 || g->out[2] > 1 << 20 || g->dil[1] * (g->k[1] - 1) > 1 << 20
      || g->dil[2] * (g->k[2] - 1) > 1 << 20)
    return false;
  s->rows = (out_rows - 1) * g->stride[1] + (g->k[1] - 1) * g->dil[1] + 1;
  s->columns = (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] + 1;
  s->pitch = (s->columns + s->phases_x - 1) / s->phases_x;
  s->pitch += columns_apart ? 0 : s->pitch % 2;
  s->phase = (s->rows + s->phases_y - 1) / s->phases_y * s->pitch;
  s->plane = s->phase * s->phases_y * s->phases_x;
  return s->plane < 1 << 26;
}

/* Rows are often shorter than a call to memcpy is worth, so they move as vectors of 16 bytes. A strip is written in the order of memory:
 * what is written too far, the next row puts right, and behind the last one there is slack. */
typedef uint8_t Bytes __attribute__ ((vector_size (16)));
typedef uint16_t Pairs __attribute__ ((vector_size (16)));
typedef uint8_t Half __attribute__ ((vector_size (8)));

static inline void
copy_row (uint8_t *to, const uint8_t *from, int64_t n, const uint8_t *from_end)
{
  Bytes v;
  if (n < (int64_t)sizeof v)
    {
      if (from_end - from >= (int64_t)sizeof v)
        memcpy (to, from, sizeof v);
      else
        memcpy (to, from, n);
      return;
    }
  for (int64_t i = 0; i + (int64_t)sizeof v < n; i += sizeof v)
    {
      memcpy (&v, from + i, sizeof v);
      memcpy (to + i, &v, sizeof v);
    }
  memcpy (&v, from + n - sizeof v, sizeof v);
  memcpy (to + n - sizeof v, &v, sizeof v);
}

/* Every other byte. */
static inline void
copy_every_other (uint8_t *to, const uint8_t *from, int64_t n, const uint8_t *from_end)
{
  int64_t i = 0;
  for (; i < n && from_end - (from + 2 * i) >= (int64_t)sizeof (Pairs); i += 8)
    {
      Pairs v;
      memcpy (&v, from + 2 * i, sizeof v);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
      v >>= 8;
#endif
      Half low = __builtin_convertvector(v & 255, Half);
      memcpy (to + i, &low, sizeof low);
    }
  for (; i < n; i++)
    to[i] = from[2 * i];
}

static inline void
fill_row (uint8_t *to, Bytes zero, int64_t n)
{
  for (int64_t i = 0; i < n; i += sizeof zero)
    memcpy (to + i, &zero, sizeof zero);
}

/* A row of a phase: columns phase, phase + step, ... of the padded row: padding, input, padding. */
typedef struct
{
  int64_t before, first, inside, after;
} Row;

static Row
row_of_phase (const PareIntStrip *s, const ConvGeometry *g, int64_t phase)
{
  int64_t step = s->phases_x, pad = g->pad[2], width = g->in[2];
  Row r = { .before = pad > phase ? (pad - phase + step - 1) / step : 0 };
  r.before = r.before < s->pitch ? r.before : s->pitch;
  r.first = phase + r.before * step - pad;
  r.inside = r.first < width ? (width - r.first + step - 1) / step : 0;
  r.inside = r.inside < s->pitch - r.before ? r.inside : s->pitch - r.before;
  r.after = s->pitch - r.before - r.inside;
  return r;
}

/* n rows that lie in the input, `step` bytes apart from `from` on. The vector that holds a row may begin before it and end behind it: where
 * that is not the input's memory (first..end), its bytes are taken one by one. */
static void
fill_inside (const Row *row, const uint8_t *from, int64_t n, int64_t step, int64_t pitch, const uint8_t *first, const uint8_t *end,
             Bytes inside, Bytes padding, uint8_t *to)
{
  const int64_t before = row->before, count = row->inside;
  for (int64_t r = 0; r < n;)
    {
      Bytes v = { 0 };
      int64_t whole = from >= first && end - from >= (int64_t)sizeof v ? (end - from - (int64_t)sizeof v) / step + 1 : 0;
      whole = whole < n - r ? whole : n - r;
      for (int64_t i = 0; i < whole; i++, from += step, to += pitch)
        {
          memcpy (&v, from, sizeof v);
          v = (v & inside) | padding;
          memcpy (to, &v, sizeof v);
        }
      r += whole;
      if (r == n)
        break;
      v = (Bytes){ 0 };
      for (int64_t i = 0; i < count; i++)
        v[before + i] = from[before + i];
      v |= padding;
      memcpy (to, &v, sizeof v);
      from += step;
      to += pitch;
      r++;
    }
}

/* Rows y, y + phases_y, ... of one phase whose rows fit one vector: input and padding are put together in a register. first: where reading
 * may begin. */
static void
fill_narrow_phase (const PareIntStrip *s, const ConvGeometry *g, const Row *row, int64_t y, int64_t top, const uint8_t *x,
                   const uint8_t *first, const uint8_t *end, Bytes zero, Bytes inside, uint8_t *to)
{
  const int64_t step = s->phases_y, pitch = s->pitch, height = row->inside > 0 ? g->in[1] : 0, width = g->in[2];
  const int64_t rows = (s->rows - y + step - 1) / step, at = top + y; /* of the input, where the first row lies */
  int64_t above = at < 0 ? (step - 1 - at) / step : 0, behind = at < height ? (height - at + step - 1) / step : 0;
  above = above < rows ? above : rows;
  behind = behind < above ? above : behind < rows ? behind : rows;
  for (int64_t r = 0; r < above; r++)
    memcpy (to + r * pitch, &zero, sizeof zero);
  fill_inside (row, x + (at + above * step) * width + row->first - row->before, behind - above, step * width, pitch, first, end, inside,
               zero & ~inside, to + above * pitch);
  for (int64_t r = behind; r < rows; r++)
    memcpy (to + r * pitch, &zero, sizeof zero);
}

/* Rows y, y + phases_y, ... of one phase. */
static void
fill_phase (const PareIntStrip *s, const ConvGeometry *g, const Row *row, int64_t y, int64_t top, const uint8_t *x, const uint8_t *end,
            Bytes zero, uint8_t *to)
{
  int64_t step = s->phases_x;
  bool sparse = g->k[1] == 1 && s->phases_y < g->stride[1]; /* rows between those a stride takes are never looked at */
  for (; y < s->rows; y += s->phases_y, to += s->pitch)
    {
      const uint8_t *from = x + (top + y) * g->in[2] + row->first;
      if (sparse && y % g->stride[1])
        continue;
      if (top + y < 0 || top + y >= g->in[1] || row->inside <= 0)
        {
          fill_row (to, zero, s->pitch);
          continue;
        }
      fill_row (to, zero, row->before);
      if (step == 1)
        copy_row (to + row->before, from, row->inside, end);
      else if (step == 2)
        copy_every_other (to + row->before, from, row->inside, end);
      else
        for (int64_t i = 0; i < row->inside; i++)
          to[row->before + i] = from[i * step];
      fill_row (to + row->before + row->inside, zero, row->after);
    }
}

void
pare_rt_int_strip_fill (const PareIntStrip *s, const ConvGeometry *g, int64_t r0, const uint8_t *x, const uint8_t *end, int64_t n,
                        uint8_t zero, uint8_t *to)
{
  const uint8_t *begin = x;
  int64_t in_plane = g->in[1] * g->in[2], top = r0 * g->stride[1] - g->pad[1];
  Bytes zeros = { 0 };
  zeros += zero;
  bool narrow = s->phases_x == 1 && s->pitch <= (int64_t)sizeof zeros;
  Row row = row_of_phase (s, g, 0);
  uint8_t mask[16] = { 0 };
  for (int64_t i = 0; narrow && i < row.inside; i++)
    mask[row.before + i] = 255;
  Bytes inside;
  memcpy (&inside, mask, sizeof inside);
  for (int64_t c = 0; c < n; c++, x += in_plane)
    for (int64_t py = 0; py < s->phases_y; py++)
      for (int64_t px = 0; px < s->phases_x; px++, to += s->phase)
        {
          if (s->phases_x > 1)
            row = row_of_phase (s, g, px);
          if (narrow)
            fill_narrow_phase (s, g, &row, py, top, x, begin, end, zeros, inside, to);
          else
            fill_phase (s, g, &row, py, top, x, end, zeros, to);
        }
}
