/* Input of a convolution under a block of output, padded and sorted by phases of the strides. */
#include "engine/runtime/kernels/conv.h"

bool
pare_rt_conv_block (const ConvGeometry *g, int64_t rows, int64_t cols, ConvBlock *b)
{
  int64_t sy = g->stride[1], sx = g->stride[2], reach_y = (g->k[1] - 1) * g->dil[1], reach_x = (g->k[2] - 1) * g->dil[2];
  *b = (ConvBlock){ rows, cols, reach_y + 1 < sy ? reach_y + 1 : sy, reach_x + 1 < sx ? reach_x + 1 : sx, cols + reach_x / sx, 0, 0 };
  if (__builtin_mul_overflow (b->pitch, rows + reach_y / sy, &b->plane) || __builtin_add_overflow (b->plane, 32, &b->plane)
      || __builtin_mul_overflow (b->plane, b->row_phases, &b->channel) || __builtin_mul_overflow (b->channel, b->col_phases, &b->channel)
      || __builtin_mul_overflow (b->channel, g->k[0], &b->channel) || b->channel > INT64_MAX / 64)
    return false;
  /* channels a page apart would fight for the same lines of the cache */
  if (b->channel % 256 < 16)
    b->channel += 16;
  return true;
}

void
pare_rt_conv_taps (const ConvGeometry *g, const ConvBlock *b, int64_t *taps)
{
  int64_t depth = b->row_phases * b->col_phases * b->plane;
  for (int64_t kz = 0; kz < g->k[0]; kz++)
    for (int64_t ky = 0; ky < g->k[1]; ky++)
      for (int64_t kx = 0; kx < g->k[2]; kx++)
        {
          int64_t r = ky * g->dil[1], c = kx * g->dil[2];
          *taps++ = kz * depth + (r % g->stride[1] * b->col_phases + c % g->stride[2]) * b->plane + r / g->stride[1] * b->pitch
                    + c / g->stride[2];
        }
}

typedef float Floats __attribute__ ((vector_size (64), aligned (4), may_alias));

/* One row of one phase: n columns, every sx-th of the input's row from column ix on, `outside` where that leaves 0..width. Up to 16 floats
 * behind it are overwritten. roomy: that many can be read behind the row. */
static inline __attribute__ ((always_inline)) void
fill_row (float *to, const float *row, int64_t ix, int64_t sx, int64_t width, int64_t n, bool roomy, float outside)
{
  int64_t i = ix < 0 ? (-ix + sx - 1) / sx : 0, end = ix >= width ? 0 : (width - ix + sx - 1) / sx;
  i = i < n ? i : n;
  end = end < n ? end : n;
  for (int64_t z = 0; z < i; z++)
    to[z] = outside;
  if (sx == 1 && roomy)
    for (int64_t at = i; at < end; at += 16)
      __builtin_memcpy (to + at, row + ix + at, 64);
  else if (sx == 1)
    for (int64_t at = i; at < end; at++)
      to[at] = row[ix + at];
  else if (sx == 2 && roomy)
    for (int64_t at = i; at < end; at += 16)
      {
        Floats low = *(const Floats *)(row + ix + 2 * at), high = *(const Floats *)(row + ix + 2 * at + 16);
        *(Floats *)(to + at) = __builtin_shufflevector (low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      }
  else
    for (int64_t at = i; at < end; at++)
      to[at] = row[ix + sx * at];
  for (int64_t z = end > i ? end : i; z < n; z += 16)
    for (int l = 0; l < 16; l++)
      to[z + l] = outside;
}

PARE_RT_CLONES void
pare_rt_conv_fill (const ConvGeometry *g, const ConvBlock *b, const float *x, const float *end, int64_t channels, int64_t oz, int64_t oy,
                   int64_t rows, int64_t ox, int64_t cols, float outside, float *to)
{
  int64_t sy = g->stride[1], sx = g->stride[2], width = g->in[2], in_plane = g->in[0] * g->in[1] * width;
  int64_t iy0 = oy * sy - g->pad[1], ix0 = ox * sx - g->pad[2];
  int64_t n_rows = rows + (g->k[1] - 1) * g->dil[1] / sy, n_cols = cols + (g->k[2] - 1) * g->dil[2] / sx;
  for (int64_t c = 0; c < channels; c++, x += in_plane)
    for (int64_t kz = 0; kz < g->k[0]; kz++)
      {
        float *depth = to + c * b->channel + kz * b->row_phases * b->col_phases * b->plane;
        int64_t iz = oz * g->stride[0] - g->pad[0] + kz * g->dil[0];
        for (int64_t py = 0; py < b->row_phases; py++)
          for (int64_t px = 0; px < b->col_phases; px++, depth += b->plane)
            for (int64_t r = 0; r < n_rows; r++)
              {
                float *line = depth + r * b->pitch;
                int64_t iy = iy0 + r * sy + py;
                if (iz < 0 || iz >= g->in[0] || iy < 0 || iy >= g->in[1])
                  {
                    for (int64_t z = 0; z < n_cols; z += 16)
                      for (int l = 0; l < 16; l++)
                        line[z + l] = outside;
                    continue;
                  }
                const float *row = x + (iz * g->in[1] + iy) * width;
                bool roomy = end - row >= width + 32;
                if (sx == 1)
                  fill_row (line, row, ix0, 1, width, n_cols, roomy, outside);
                else if (sx == 2)
                  fill_row (line, row, ix0 + px, 2, width, n_cols, roomy, outside);
                else
                  fill_row (line, row, ix0 + px, sx, width, n_cols, roomy, outside);
              }
      }
}
