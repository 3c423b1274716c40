/* RoiAlign: means, or largest parts, of samples between the pixels of a box, in cells. Where samples lie is the same for all channels. */
#include "engine/runtime/kernels/kernel.h"

#define MOST 4096 /* samples along a side of a cell */
#define BATCH 32  /* samples whose places are kept at a time */

typedef struct
{
  const float *x, *boxes;
  const PareView *images;
  float *y;
  PareRoiAlignParams p;
  int64_t channels, height, width, rows, columns;
} Job;

typedef struct
{
  float y, x, cell_height, cell_width;
  int64_t down, across; /* samples of a cell */
} Box;

static Box
read_box (const Job *j, int64_t i)
{
  const float *b = j->boxes + 4 * i, offset = j->p.half_pixel ? 0.5f : 0;
  Box box = { .x = b[0] * j->p.scale - offset, .y = b[1] * j->p.scale - offset };
  float width = b[2] * j->p.scale - offset - box.x, height = b[3] * j->p.scale - offset - box.y;
  if (!j->p.half_pixel)
    {
      width = width < 1 ? 1 : width;
      height = height < 1 ? 1 : height;
    }
  box.cell_height = height / (float)j->rows;
  box.cell_width = width / (float)j->columns;
  float down = j->p.samples > 0 ? (float)j->p.samples : ceilf (box.cell_height),
        across = j->p.samples > 0 ? (float)j->p.samples : ceilf (box.cell_width);
  box.down = down > 0 ? down < MOST ? (int64_t)down : MOST : 0;
  box.across = across > 0 ? across < MOST ? (int64_t)across : MOST : 0;
  return box;
}

/* The four pixels around a sample with their weights; outside of the map: none. */
static void
place (const Job *j, float y, float x, int32_t at[4], float weight[4])
{
  for (int k = 0; k < 4; k++)
    {
      at[k] = 0;
      weight[k] = 0;
    }
  if (!(y >= -1 && y <= (float)j->height && x >= -1 && x <= (float)j->width))
    return;
  y = y > 0 ? y : 0;
  x = x > 0 ? x : 0;
  int64_t top = (int64_t)y, left = (int64_t)x, bottom = top + 1, right = left + 1;
  if (top >= j->height - 1)
    y = (float)(top = bottom = j->height - 1);
  if (left >= j->width - 1)
    x = (float)(left = right = j->width - 1);
  float dy = y - (float)top, dx = x - (float)left;
  const int64_t places[4] = { top * j->width + left, top * j->width + right, bottom * j->width + left, bottom * j->width + right };
  const float weights[4] = { (1 - dy) * (1 - dx), (1 - dy) * dx, dy * (1 - dx), dy * dx };
  for (int k = 0; k < 4; k++)
    {
      at[k] = (int32_t)places[k];
      weight[k] = weights[k];
    }
}

static float
take (const Job *j, const float *x, const int32_t *at, const float *weight, int64_t n, float so_far)
{
  for (int64_t i = 0; i < n; i++, at += 4, weight += 4)
    {
      float a = weight[0] * x[at[0]], b = weight[1] * x[at[1]], c = weight[2] * x[at[2]], d = weight[3] * x[at[3]];
      if (!j->p.max)
        so_far += a + b + c + d;
      else
        {
          a = fmaxf (fmaxf (a, b), fmaxf (c, d));
          so_far = a > so_far ? a : so_far;
        }
    }
  return so_far;
}

/* A row of cells of a box. */
static void
align (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t i = task / j->rows, row = task % j->rows, cells = j->rows * j->columns;
  const float *x = j->x + index_at (j->images, i) * j->channels * j->height * j->width;
  float *y = j->y + i * j->channels * cells + row * j->columns;
  Box box = read_box (j, i);
  int64_t samples = box.down * box.across;
  for (int64_t column = 0; column < j->columns; column++)
    {
      int32_t at[4 * BATCH];
      float weight[4 * BATCH], count = samples > 0 ? (float)samples : 1;
      for (int64_t c = 0; c < j->channels; c++)
        y[c * cells + column] = j->p.max && samples > 0 ? -INFINITY : 0;
      for (int64_t s = 0; s < samples; s += BATCH)
        {
          int64_t n = samples - s < BATCH ? samples - s : BATCH;
          for (int64_t k = 0; k < n; k++)
            {
              int64_t down = (s + k) / box.across, across = (s + k) % box.across;
              float sy = box.y + (float)row * box.cell_height + ((float)down + 0.5f) * box.cell_height / (float)box.down,
                    sx = box.x + (float)column * box.cell_width + ((float)across + 0.5f) * box.cell_width / (float)box.across;
              place (j, sy, sx, at + 4 * k, weight + 4 * k);
            }
          for (int64_t c = 0; c < j->channels; c++)
            y[c * cells + column] = take (j, x + c * j->height * j->width, at, weight, n, y[c * cells + column]);
        }
      for (int64_t c = 0; c < j->channels && !j->p.max; c++)
        y[c * cells + column] /= count;
    }
}

KERNEL (pare_rt_k_roi_align)
{
  const PareRoiAlignParams *p = params;
  REQUIRE (p && n_in == 3 && n_out == 1 && in[0].shape.rank == 4 && in[1].shape.rank == 2 && out[0].shape.rank == 4);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_index (&in[2]) && is_f32 (&out[0]));
  const int64_t *x = in[0].shape.dims, *y = out[0].shape.dims;
  REQUIRE (in[1].shape.dims[1] == 4 && y[0] == in[1].shape.dims[0] && count_of (&in[2]) == y[0] && y[1] == x[1] && x[2] > 0 && x[3] > 0);
  SUPPORT (x[2] <= INT32_MAX / x[3]);
  CHECKED;
  Job j = { .x = in[0].data,
            .boxes = in[1].data,
            .images = &in[2],
            .y = out[0].data,
            .p = *p,
            .channels = x[1],
            .height = x[2],
            .width = x[3],
            .rows = y[2],
            .columns = y[3] };
  for (int64_t i = 0; i < y[0]; i++)
    REQUIRE (index_at (&in[2], i) >= 0 && index_at (&in[2], i) < x[0]);
  pare_rt_parallel_if (count_of (&out[0]) >= PARE_RT_SHARE / 4, y[0] * y[2], align, &j);
  return PARE_RT_OK;
}
