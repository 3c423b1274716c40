/* Resize: nearest (any type), linear and cubic (float32) over any axes.
 * Rows of the last axis, in columns blocks whose taps are computed once; an output row is a weighted sum of input rows. */
#include "engine/runtime/kernels/move.h"

#define COLUMNS 128
#define ROWS 64

/* What one output position of an axis is made of. */
typedef struct
{
  int n;
  bool outside; /* beyond the region that tf_crop_and_resize reads */
  int64_t at[4];
  float weight[4];
} Taps;

typedef struct
{
  const PareResizeParams *p;
  const PareView *x;
  PareView *y;
  int64_t size, rows;
  int64_t strides[PARE_MAX_RANK];
} Job;

/* Float arithmetic as in ONNX Runtime: ties of nearest depend on it. */
float
pare_rt_resize_coordinate (const PareResizeParams *p, int axis, int64_t o, int64_t n_in, int64_t n_out)
{
  float x = (float)o, scale = p->scale[axis], in = (float)n_in, out = (float)n_out;
  switch (p->coord)
    {
    case PARE_COORD_ASYMMETRIC:
      return x / scale;
    case PARE_COORD_ALIGN_CORNERS:
      return n_out == 1 ? 0 : x * (in - 1) / (out - 1);
    case PARE_COORD_PYTORCH_HALF_PIXEL:
      return n_out > 1 ? (x + 0.5f) / scale - 0.5f : 0;
    case PARE_COORD_TF_CROP:
      return n_out > 1 ? p->roi_start[axis] * (in - 1) + x * (p->roi_end[axis] - p->roi_start[axis]) * (in - 1) / (out - 1)
                       : 0.5f * (p->roi_start[axis] + p->roi_end[axis]) * (in - 1);
    case PARE_COORD_HALF_PIXEL_SYMMETRIC:
      return in / 2 * (1 - out / (scale * in)) + (x + 0.5f) / scale - 0.5f;
    case PARE_COORD_TF_HALF_PIXEL:
      return (x + 0.5f) / scale;
    default:
      return (x + 0.5f) / scale - 0.5f;
    }
}

static int64_t
clamp (float v, int64_t n)
{
  return v <= 0 || isnan (v) ? 0 : v >= (float)(n - 1) ? n - 1 : (int64_t)v;
}

static void
cubic_taps (const PareResizeParams *p, float x, int64_t n, Taps *t)
{
  float base = floorf (x), s = x - base, a = p->cubic_a, sum = 0;
  const float w[4] = {
    ((a * (s + 1) - 5 * a) * (s + 1) + 8 * a) * (s + 1) - 4 * a,
    ((a + 2) * s - (a + 3)) * s * s + 1,
    ((a + 2) * (1 - s) - (a + 3)) * (1 - s) * (1 - s) + 1,
    ((a * (2 - s) - 5 * a) * (2 - s) + 8 * a) * (2 - s) - 4 * a,
  };
  t->n = 4;
  for (int i = 0; i < 4; i++)
    {
      float at = base + (float)(i - 1);
      t->at[i] = clamp (at, n);
      t->weight[i] = p->exclude_outside && (at < 0 || at > (float)(n - 1)) ? 0 : w[i];
      sum += t->weight[i];
    }
  for (int i = 0; p->exclude_outside && i < 4; i++)
    t->weight[i] /= sum;
}

static void
make_taps (const PareResizeParams *p, int axis, int64_t o, int64_t n_in, int64_t n_out, Taps *t)
{
  *t = (Taps){ .n = 1, .weight = { 1 } };
  /* of an image whose rows alone are resized the columns take part, too */
  bool beside = p->mode == PARE_RESIZE_LINEAR && axis >= 2 && p->scale[0] == 1 && p->scale[1] == 1;
  if (p->coord != PARE_COORD_TF_CROP && p->scale[axis] == 1 && n_in == n_out && !beside)
    {
      t->at[0] = o;
      return;
    }
  float x = pare_rt_resize_coordinate (p, axis, o, n_in, n_out);
  t->outside = p->coord == PARE_COORD_TF_CROP && !(x >= 0 && x <= (float)(n_in - 1));
  if (p->mode == PARE_RESIZE_CUBIC)
    cubic_taps (p, x, n_in, t);
  else if (p->mode == PARE_RESIZE_LINEAR)
    {
      x = x > 0 ? x : 0;
      x = x < (float)(n_in - 1) ? x : (float)(n_in - 1);
      t->at[0] = clamp (x, n_in);
      t->at[1] = t->at[0] < n_in - 1 ? t->at[0] + 1 : t->at[0];
      t->weight[1] = t->at[1] > t->at[0] ? x - (float)t->at[0] : 0.5f; /* twice the half of the last: its sums are rounded so */
      t->weight[0] = 1 - t->weight[1];
      t->n = t->weight[1] == 0 ? 1 : 2;
    }
  else
    t->at[0] = clamp (p->nearest == PARE_NEAREST_FLOOR               ? floorf (x)
                      : p->nearest == PARE_NEAREST_CEIL              ? ceilf (x)
                      : p->nearest == PARE_NEAREST_ROUND_PREFER_CEIL ? floorf (x + 0.5f)
                                                                     : ceilf (x - 0.5f),
                      n_in);
}

int
pare_rt_resize_taps (const PareResizeParams *p, int axis, int64_t o, int64_t n_in, int64_t n_out, int64_t at[2], float weight[2])
{
  Taps t;
  make_taps (p, axis, o, n_in, n_out, &t);
  for (int i = 0; i < 2; i++)
    {
      at[i] = t.at[i < t.n ? i : 0];
      weight[i] = i < t.n ? t.weight[i] : 0;
    }
  return t.n;
}

/* One input row's part of an output row. Sums of codes often lie between two of them: which one they become is a matter of how products are
 * rounded, so each number is multiplied as in ONNX Runtime, in linear with the weights of its row and its column together. */
static void
add_row (const float *x, const Taps *taps, int64_t cols, float weight, bool linear, float *sum)
{
  for (int64_t c = 0; c < cols && linear; c++)
    for (int k = 0; k < taps[c].n; k++)
      sum[c] += weight * taps[c].weight[k] * x[taps[c].at[k]];
  for (int64_t c = 0; c < cols && !linear; c++)
    {
      float v = 0;
      for (int k = 0; k < taps[c].n; k++)
        v += taps[c].weight[k] * x[taps[c].at[k]];
      sum[c] += weight * v;
    }
}

static void
nearest_row (const char *x, const Taps *taps, int64_t cols, int64_t size, char *y)
{
  for (int64_t c = 0; c < cols; c++)
    switch (size)
      {
      case 1:
        y[c] = x[taps[c].at[0]];
        break;
      case 2:
        ((uint16_t *)y)[c] = ((const uint16_t *)x)[taps[c].at[0]];
        break;
      case 4:
        ((uint32_t *)y)[c] = ((const uint32_t *)x)[taps[c].at[0]];
        break;
      default:
        ((uint64_t *)y)[c] = ((const uint64_t *)x)[taps[c].at[0]];
      }
}

/* Columns `cols` of one output row; outer: the taps of the other axes. */
static void
make_row (const Job *j, const Taps *outer, int axes, const Taps *taps, int64_t cols, char *y)
{
  const char *x = j->x->data;
  float sum[COLUMNS] = { 0 };
  int pick[PARE_MAX_RANK] = { 0 };
  bool outside = false;
  for (int a = 0; a < axes; a++)
    outside |= outer[a].outside;
  if (j->p->mode == PARE_RESIZE_NEAREST)
    {
      for (int a = 0; a < axes; a++)
        x += outer[a].at[0] * j->strides[a];
      nearest_row (x, taps, cols, j->size, y);
    }
  else
    {
      for (int a = 0; a >= 0;)
        {
          const char *row = x;
          float weight = 1;
          for (int i = 0; i < axes; i++)
            {
              row += outer[i].at[pick[i]] * j->strides[i];
              weight *= outer[i].weight[pick[i]];
            }
          if (weight != 0)
            add_row ((const float *)row, taps, cols, weight, j->p->mode == PARE_RESIZE_LINEAR, sum);
          for (a = axes - 1; a >= 0 && ++pick[a] == outer[a].n; a--)
            pick[a] = 0;
        }
      memcpy (y, sum, cols * sizeof (float));
    }
  if (j->p->coord == PARE_COORD_TF_CROP && j->y->dtype == PARE_DTYPE_FLOAT32)
    for (int64_t c = 0; c < cols; c++)
      if (outside || taps[c].outside)
        ((float *)y)[c] = j->p->extrapolation;
}

static void
resize_rows (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int last = j->y->shape.rank - 1;
  int64_t width = j->y->shape.dims[last], end = (task + 1) * ROWS < j->rows ? (task + 1) * ROWS : j->rows;
  Taps taps[COLUMNS], outer[PARE_MAX_RANK];
  for (int64_t c0 = 0; c0 < width; c0 += COLUMNS)
    {
      int64_t cols = width - c0 < COLUMNS ? width - c0 : COLUMNS;
      for (int64_t c = 0; c < cols; c++)
        make_taps (j->p, last, c0 + c, j->x->shape.dims[last], width, &taps[c]);
      for (int64_t row = task * ROWS; row < end; row++)
        {
          int64_t rest = row;
          for (int a = last - 1; a >= 0; a--)
            {
              make_taps (j->p, a, rest % j->y->shape.dims[a], j->x->shape.dims[a], j->y->shape.dims[a], &outer[a]);
              rest /= j->y->shape.dims[a];
            }
          make_row (j, outer, last, taps, cols, (char *)j->y->data + (row * width + c0) * j->size);
        }
    }
}

KERNEL (pare_rt_k_resize)
{
  const PareResizeParams *p = params;
  REQUIRE (p && n_in >= 1 && n_out == 1 && in[0].dtype == out[0].dtype && in[0].shape.rank == out[0].shape.rank);
  SUPPORT (element_size (&in[0]) > 0 && (unsigned)p->mode <= PARE_RESIZE_CUBIC && (unsigned)p->coord <= PARE_COORD_TF_HALF_PIXEL
           && (unsigned)p->nearest <= PARE_NEAREST_CEIL);
  SUPPORT (is_f32 (&in[0]) || (p->mode == PARE_RESIZE_NEAREST && p->coord != PARE_COORD_TF_CROP));
  int64_t count = count_of (&out[0]);
  REQUIRE (count == 0 || count_of (&in[0]) > 0);
  for (int i = 0; i < in[0].shape.rank; i++)
    REQUIRE (p->scale[i] > 0);
  CHECKED;
  if (in[0].shape.rank == 0)
    memcpy (out[0].data, in[0].data, element_size (&in[0]));
  else if (count > 0)
    {
      Job job = { p, &in[0], &out[0], element_size (&in[0]), product (&out[0].shape, 0, out[0].shape.rank - 1), { 0 } };
      pare_rt_strides (&in[0].shape, job.size, job.strides);
      pare_rt_parallel ((job.rows + ROWS - 1) / ROWS, resize_rows, &job);
    }
  return PARE_RT_OK;
}
