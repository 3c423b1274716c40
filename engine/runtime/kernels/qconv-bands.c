#include "engine/runtime/kernels/qconv-bands.h"
#include "engine/runtime/kernels/qconv.h"

#define SLACK 128 /* bytes behind a band: rows are written in vectors, and read shifted by a few columns */

bool
pare_rt_int_bands (const ConvGeometry *g, const PareIntIsa *isa, int64_t rows, PareIntBands *b)
{
  int64_t column = int_column_bytes (isa), reach = (g->k[1] - 1) * g->dil[1], width = g->out[2];
  if (g->stride[1] > 1 << 12 || rows > 1 << 20 || width > 1 << 20 || reach > 1 << 20 || g->in[1] * g->in[2] > 1 << 26)
    return false;
  *b = (PareIntBands){ .g = g, .isa = isa, .channels = g->c / g->group, .rows = rows, .phases = at_most (g->stride[1], reach + 1) };
  b->parts = (b->channels + isa->k_step - 1) / isa->k_step;
  b->rows_of_phase = rows + reach / g->stride[1];
  int64_t in_rows = at_most ((rows - 1) * g->stride[1] + reach + 1, g->in[1]);
  b->band = int_round_up (b->phases * b->rows_of_phase * width * column + SLACK, 64);
  b->raw = int_round_up ((in_rows * g->in[2] + isa->lanes) * column + SLACK, 64);
  return b->band < 1 << 26 && b->parts * g->k[2] < 1 << 20 && pare_rt_int_bands_bytes (b) < 1 << 28;
}

int64_t
pare_rt_int_bands_bytes (const PareIntBands *b)
{
  return b->parts * b->g->k[2] * b->band + b->isa->conv_vectors * b->isa->lanes * int_column_bytes (b->isa) + SLACK;
}

void
pare_rt_int_bands_steps (const PareIntBands *b, int64_t *next)
{
  const ConvGeometry *g = b->g;
  int64_t line = g->out[2] * int_column_bytes (b->isa), last = 0, s = 0;
  for (int64_t i = 0; i < b->parts * g->k[2]; i++)
    for (int64_t ky = 0; ky < g->k[1]; ky++, s++)
      {
        int64_t y = ky * g->dil[1], at = i * b->band + (y % g->stride[1] * b->rows_of_phase + y / g->stride[1]) * line;
        if (s > 0)
          next[s - 1] = at - last;
        last = at;
      }
  if (s > 0)
    next[s - 1] = 0;
}

typedef uint8_t Bytes __attribute__ ((vector_size (16)));

/* In vectors: up to fifteen bytes too many. */
static inline void
copy (uint8_t *to, const uint8_t *from, int64_t bytes)
{
  Bytes v;
  for (int64_t i = 0; i < bytes; i += sizeof v)
    {
      memcpy (&v, from + i, sizeof v);
      memcpy (to + i, &v, sizeof v);
    }
}

static inline void
fill (uint8_t *to, Bytes v, int64_t bytes)
{
  for (int64_t i = 0; i < bytes; i += sizeof v)
    memcpy (to + i, &v, sizeof v);
}

/* Columns that are `stride` apart: up to a vector too many where every other is taken. */
static inline void
copy_apart (uint8_t *to, const uint8_t *from, int64_t n, int64_t stride, int64_t column)
{
  Bytes a, b;
  if (stride == 2)
    for (int64_t i = 0; i < n * column; i += sizeof a)
      {
        memcpy (&a, from + 2 * i, sizeof a);
        memcpy (&b, from + 2 * i + sizeof a, sizeof b);
        a = column == 4 ? __builtin_shufflevector (a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
                        : __builtin_shufflevector (a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29);
        memcpy (to + i, &a, sizeof a);
      }
  else
    for (int64_t i = 0; i < n; i++)
      memcpy (to + column * i, from + column * stride * i, (size_t)column);
}

/* A row of a band, from the columns of a row of the input. */
typedef struct
{
  int64_t before, inside, after; /* bytes, positions, bytes: padding, input, padding */
  int64_t from;                  /* the first byte of the input's columns */
} Row;

static Row
row_of (const PareIntBands *b, int64_t kx)
{
  const ConvGeometry *g = b->g;
  int64_t column = int_column_bytes (b->isa), first = kx * g->dil[2] - g->pad[2], stride = g->stride[2], width = g->out[2];
  int64_t before = at_most (first < 0 ? (stride - 1 - first) / stride : 0, width);
  int64_t end = first < g->in[2] ? at_most ((g->in[2] - first + stride - 1) / stride, width) : 0;
  int64_t inside = at_least (end - before, 0);
  return (Row){ before * column, inside, (width - before - inside) * column, (first + before * stride) * column };
}

/* The rows of one band, one by one. top: the row of the input under the first; raw: the columns of rows from..end. */
static void
fill_band (const PareIntBands *b, int64_t kx, int64_t rows_of_phase, int64_t top, int64_t from, int64_t end, Bytes zero, const uint8_t *raw,
           uint8_t *band)
{
  const ConvGeometry *g = b->g;
  int64_t column = int_column_bytes (b->isa), width = g->out[2] * column, stride = g->stride[2];
  Row row = row_of (b, kx);
  for (int64_t p = 0; p < b->phases; p++)
    {
      uint8_t *to = band + p * b->rows_of_phase * width;
      for (int64_t i = 0; i < rows_of_phase; i++, to += width)
        {
          int64_t y = top + i * g->stride[1] + p;
          if (y < from || y >= end || row.inside == 0)
            {
              fill (to, zero, width);
              continue;
            }
          const uint8_t *x = raw + (y - from) * g->in[2] * column + row.from;
          fill (to, zero, row.before);
          if (stride == 1)
            copy (to + row.before, x, row.inside * column);
          else
            copy_apart (to + row.before, x, row.inside, stride, column);
          fill (to + row.before + row.inside * column, zero, row.after);
        }
    }
}

void
pare_rt_int_bands_fill (const PareIntBands *b, int64_t r0, int64_t rows, const uint8_t *x, uint8_t zero_x, PareIntCodes codes, uint8_t *raw,
                        uint8_t *to)
{
  const ConvGeometry *g = b->g;
  const PareIntIsa *isa = b->isa;
  int64_t plane = g->in[1] * g->in[2], reach = (g->k[1] - 1) * g->dil[1], top = r0 * g->stride[1] - g->pad[1];
  int64_t from = at_least (top, 0), end = at_least (at_most (top + (rows - 1) * g->stride[1] + reach + 1, g->in[1]), from);
  int64_t columns = (end - from) * g->in[2], rows_of_phase = rows + reach / g->stride[1];
  uint8_t zeros[64];
  Bytes zero, all[4];
  memset (zeros, zero_x, sizeof zeros);
  isa->widen (all, zeros, 16, codes);
  memcpy (&zero, all, sizeof zero);
  for (int64_t i = 0; i < b->parts; i++, x += isa->k_step * plane)
    {
      if (columns > 0)
        isa->panel (raw, x + from * g->in[2], plane, at_most (b->channels - i * isa->k_step, isa->k_step), columns,
                    (int)((columns + isa->lanes - 1) / isa->lanes), codes);
      for (int64_t kx = 0; kx < g->k[2]; kx++, to += b->band)
        fill_band (b, kx, rows_of_phase, top, from, end, zero, raw, to);
    }
}
