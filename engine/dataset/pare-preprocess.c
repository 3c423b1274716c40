/* Preprocessing in the order of DESIGN "Data descriptions", in float32, one rounding after each step, as numpy does it. */
#include "engine/dataset/pare-dataset-private.h"
#include "engine/base/pare-error.h"

#include <math.h>
#include <string.h>

PareTensor *
pare_tensor_new_shared (PareDtype dtype, const PareShape *shape, GError **error)
{
  gint64 bytes = pare_shape_bytes (shape, dtype);
  if (bytes < 0 || bytes > G_MAXINT32)
    {
      g_autofree char *text = pare_shape_to_string (shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "a sample of %s is too large", text);
      return NULL;
    }
  gpointer memory = g_aligned_alloc0 (1, MAX (((gsize)bytes + 63) / 64 * 64, 64), 64);
  g_autoptr (GBytes) owner = g_bytes_new_with_free_func (memory, (gsize)bytes, g_aligned_free, memory);
  return pare_tensor_new_from_bytes (dtype, shape, owner, 0, error);
}

static gboolean
has_geometry (const ParePreprocess *p)
{
  return p->resize_short != 0 || p->crop != 0 || p->resize_after_crop != 0 || p->letterbox != 0;
}

/* Python's round (): half to even, which is nearbyint in the default mode. */
static int
python_round (double v)
{
  return v > G_MAXINT ? G_MAXINT : (int)nearbyint (v);
}

static int
floor_half (int v)
{
  return v >= 0 ? v / 2 : -((1 - v) / 2);
}

static PareImage *
letterbox (const ParePreprocess *p, const PareImage *image, GError **error)
{
  int side = p->letterbox;
  double r = MIN ((double)side / image->width, (double)side / image->height);
  int w = CLAMP (python_round (image->width * r), 1, side), h = CLAMP (python_round (image->height * r), 1, side);
  g_autoptr (PareImage) small = pare_image_resize (image, w, h, error);
  PareImage *out = small != NULL ? pare_image_new (side, side, image->channels, error) : NULL;
  if (out == NULL)
    return NULL;
  memset (out->data, p->pad, (gsize)side * side * out->channels);
  int left = (side - w) / 2, top = (side - h) / 2, c = out->channels;
  for (int y = 0; y < h; y++)
    memcpy (out->data + ((gsize)(y + top) * side + left) * c, small->data + (gsize)y * w * c, (gsize)w * c);
  return out;
}

/* (transfer full) */
static PareImage *
geometry (const ParePreprocess *p, const PareImage *image, GError **error)
{
  g_autoptr (PareImage) now = NULL;
  if (p->letterbox != 0)
    return letterbox (p, image, error);
  if (p->resize_short != 0)
    {
      double s = (double)p->resize_short / MIN (image->width, image->height);
      now = pare_image_resize (image, python_round (image->width * s), python_round (image->height * s), error);
      if (now == NULL)
        return NULL;
      image = now;
    }
  if (p->crop != 0)
    {
      PareImage *cut
          = pare_image_crop (image, floor_half (image->width - p->crop), floor_half (image->height - p->crop), p->crop, p->crop, error);
      g_clear_pointer (&now, pare_image_free);
      if (cut == NULL)
        return NULL;
      image = now = cut;
    }
  if (p->resize_after_crop != 0)
    return pare_image_resize (image, p->resize_after_crop, p->resize_after_crop, error);
  if (now == NULL)
    return pare_image_new_from_data (image->width, image->height, image->channels, image->data, error);
  return g_steal_pointer (&now);
}

static float
convert (const PareTensor *x, gsize i)
{
  switch (x->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      return ((const float *)x->data)[i];
    case PARE_DTYPE_INT64:
      return (float)((const gint64 *)x->data)[i];
    case PARE_DTYPE_UINT64:
      return (float)((const guint64 *)x->data)[i];
    default:
      return (float)pare_tensor_get_double (x, i);
    }
}

/* A stored sample: `at` is the first element in x; the shape has no sample axis. */
typedef struct
{
  const PareTensor *x;
  gsize at;
  PareShape shape;
} Stored;

static PareTensor *
stored_floats (const Stored *s, GError **error)
{
  PareTensor *out = pare_tensor_new_shared (PARE_DTYPE_FLOAT32, &s->shape, error);
  if (out == NULL)
    return NULL;
  float *to = out->data;
  gsize n = (gsize)pare_tensor_count (out);
  if (s->x->dtype == PARE_DTYPE_UINT8)
    for (gsize i = 0; i < n; i++)
      to[i] = ((const guint8 *)s->x->data)[s->at + i];
  else
    for (gsize i = 0; i < n; i++)
      to[i] = convert (s->x, s->at + i);
  return out;
}

/* [c, h, w] -> [h, w, c] or back. */
static PareTensor *
transpose (PareTensor *t, gboolean to_first, GError **error)
{
  gint64 *d = t->shape.dims, c = to_first ? d[2] : d[0], pixels = to_first ? d[0] * d[1] : d[1] * d[2];
  PareShape shape = to_first ? pare_shape_make (3, d[2], d[0], d[1]) : pare_shape_make (3, d[1], d[2], d[0]);
  PareTensor *out = pare_tensor_new_shared (PARE_DTYPE_FLOAT32, &shape, error);
  if (out != NULL)
    for (gint64 i = 0; i < pixels; i++)
      for (gint64 k = 0; k < c; k++)
        {
          gint64 first = k * pixels + i, last = i * c + k;
          ((float *)out->data)[to_first ? first : last] = ((const float *)t->data)[to_first ? last : first];
        }
  pare_tensor_unref (t);
  return out;
}

static void
reverse_last (PareTensor *t)
{
  gint64 c = t->shape.rank > 0 ? t->shape.dims[t->shape.rank - 1] : 1, n = pare_tensor_count (t);
  float *v = t->data;
  for (gint64 i = 0; i + c <= n && c > 1; i += c)
    for (gint64 k = 0; k < c / 2; k++)
      {
        float keep = v[i + k];
        v[i + k] = v[i + c - 1 - k];
        v[i + c - 1 - k] = keep;
      }
}

static gboolean
check_channels (const ParePreprocess *p, gint64 channels, GError **error)
{
  if ((p->n_mean <= 1 || p->n_mean == channels) && (p->n_std <= 1 || p->n_std == channels))
    return TRUE;
  gboolean mean = p->n_mean > 1 && p->n_mean != channels;
  g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "'preprocess.%s' has %u values, the sample %" G_GINT64_FORMAT " channels",
               mean ? "mean" : "std", mean ? p->n_mean : p->n_std, channels);
  return FALSE;
}

static inline float
channel (const float *values, guint n, gint64 k, float absent)
{
  return n == 0 ? absent : values[n == 1 ? 0 : k];
}

static inline float
normalized (const ParePreprocess *p, float v, gint64 k)
{
  float scaled = v * p->scale;
  float centred = scaled - channel (p->mean, p->n_mean, k, 0);
  return centred / channel (p->std, p->n_std, k, 1);
}

static gboolean
normalize (const ParePreprocess *p, PareTensor *t, GError **error)
{
  gint64 c = t->shape.rank > 0 ? t->shape.dims[t->shape.rank - 1] : 1, n = pare_tensor_count (t);
  if (!check_channels (p, c, error))
    return FALSE;
  if (p->n_mean <= 1 && p->n_std <= 1)
    c = MAX (n, 1); /* one value for all: one inner loop */
  float *v = t->data;
  for (gint64 i = 0; i + c <= n && c > 0; i += c)
    for (gint64 k = 0; k < c; k++)
      v[i + k] = normalized (p, v[i + k], k);
  return TRUE;
}

static PareTensor *
reshape (const ParePreprocess *p, PareTensor *t, GError **error)
{
  PareShape shape = p->reshape;
  gint64 known = 1, n = pare_tensor_count (t);
  int open = -1;
  for (int i = 0; i < shape.rank; i++)
    if (shape.dims[i] < 0)
      open = i;
    else if (__builtin_mul_overflow (known, shape.dims[i], &known))
      known = G_MAXINT64;
  if (open >= 0)
    shape.dims[open] = n / known;
  PareTensor *out = NULL;
  if (pare_shape_count (&shape) == n)
    out = pare_tensor_reshape (t, &shape, error);
  else
    {
      g_autofree char *from = pare_shape_to_string (&t->shape), *to = pare_shape_to_string (&p->reshape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "'preprocess.reshape': a sample of %s does not reshape to %s", from, to);
    }
  pare_tensor_unref (t);
  return out;
}

static PareTensor *
cut_windows (const ParePreprocess *p, PareTensor *t, GError **error)
{
  gint64 n = pare_tensor_count (t), length = p->window_length, stride = p->window_stride;
  PareTensor *out = NULL;
  if (n < length)
    g_set_error (error, PARE_ERROR, PARE_ERROR_DATA,
                 "'preprocess.window': a sample of %" G_GINT64_FORMAT " values is shorter than one window of %" G_GINT64_FORMAT, n, length);
  else
    {
      PareShape shape = pare_shape_make (2, (n - length) / stride + 1, length);
      out = pare_tensor_new_shared (PARE_DTYPE_FLOAT32, &shape, error);
      for (gint64 i = 0; out != NULL && i < shape.dims[0]; i++)
        memcpy ((float *)out->data + i * length, (const float *)t->data + i * stride, (gsize)length * sizeof (float));
    }
  pare_tensor_unref (t);
  return out;
}

static PareTensor *
finish (const ParePreprocess *p, PareTensor *t, GError **error)
{
  if (t != NULL && p->reshape_set)
    t = reshape (p, t, error);
  if (t != NULL && p->window_length > 0)
    t = cut_windows (p, t, error);
  return t;
}

/* Pictures are 8 bits: one table per channel does colour order, scaling and layout in one pass. */
static PareTensor *
image_floats (const ParePreprocess *p, const PareImage *image, GError **error)
{
  int c = image->channels, pixels = image->width * image->height;
  if (p->normalize && !check_channels (p, c, error))
    return NULL;
  gboolean first = p->layout == PARE_LAYOUT_NCHW;
  PareShape shape = first ? pare_shape_make (3, (gint64)c, (gint64)image->height, (gint64)image->width)
                          : pare_shape_make (3, (gint64)image->height, (gint64)image->width, (gint64)c);
  PareTensor *t = pare_tensor_new_shared (PARE_DTYPE_FLOAT32, &shape, error);
  if (t == NULL)
    return NULL;
  for (int k = 0; k < c; k++)
    {
      float table[256];
      for (int v = 0; v < 256; v++)
        table[v] = p->normalize ? normalized (p, (float)v, k) : (float)v;
      const guint8 *from = image->data + (p->color == PARE_COLOR_BGR ? c - 1 - k : k);
      float *to = (float *)t->data + (first ? (gsize)k * pixels : (gsize)k);
      int step = first ? 1 : c;
      for (int i = 0; i < pixels; i++)
        to[(gsize)i * step] = table[from[(gsize)i * c]];
    }
  return t;
}

PareTensor *
pare_preprocess_image (const ParePreprocess *p, const PareImage *image, GError **error)
{
  g_autoptr (PareImage) now = NULL, grey = NULL;
  if (has_geometry (p))
    {
      if ((now = geometry (p, image, error)) == NULL)
        return NULL;
      image = now;
    }
  if (p->color == PARE_COLOR_GRAY && image->channels == 3)
    {
      if ((grey = pare_image_grey (image, error)) == NULL)
        return NULL;
      image = grey;
    }
  return finish (p, image_floats (p, image, error), error);
}

static Stored
stored_row (const PareTensor *x, guint row)
{
  Stored s = { .x = x, .shape = { .rank = x->shape.rank - 1 } };
  for (int i = 0; i < s.shape.rank; i++)
    s.shape.dims[i] = x->shape.dims[i + 1];
  s.at = (gsize)pare_shape_count (&s.shape) * row;
  return s;
}

/* 8-bit rows of [h, w], [h, w, 1 or 3] (or channels first where `from` says so) are pictures. */
static PareImage *
stored_image (const ParePreprocess *p, const Stored *s, GError **error)
{
  const gint64 *d = s->shape.dims;
  int rank = s->shape.rank;
  gboolean first = p->from == PARE_LAYOUT_NCHW && rank == 3;
  gint64 h = first ? d[1] : d[0], w = first ? d[2] : d[1], c = rank == 2 ? 1 : first ? d[0] : d[2];
  if (s->x->dtype != PARE_DTYPE_UINT8 || rank < 2 || rank > 3 || (c != 1 && c != 3) || h < 1 || w < 1 || h > 65535 || w > 65535)
    {
      g_set_error_literal (error, PARE_ERROR, PARE_ERROR_DATA,
                           "resizing and cropping need 8-bit pictures of height x width (x 1 or 3 channels)");
      return NULL;
    }
  const guint8 *data = (const guint8 *)s->x->data + s->at;
  PareImage *image = pare_image_new_from_data ((int)w, (int)h, (int)c, data, error);
  for (gint64 k = 0; image != NULL && first && k < c; k++)
    for (gint64 i = 0; i < h * w; i++)
      image->data[i * c + k] = data[k * h * w + i];
  return image;
}

PareTensor *
pare_preprocess_row (const ParePreprocess *p, PareTask task, const PareTensor *x, guint row, GError **error)
{
  Stored s = stored_row (x, row);
  if (task == PARE_TASK_NEXT_TOKEN)
    {
      PareTensor *t = pare_tensor_new_shared (PARE_DTYPE_INT64, &s.shape, error);
      for (gint64 i = 0; t != NULL && i < pare_tensor_count (t); i++)
        ((gint64 *)t->data)[i] = pare_tensor_get_int (x, s.at + (gsize)i);
      return t;
    }
  gboolean grey_from_color = p->color == PARE_COLOR_GRAY && x->dtype == PARE_DTYPE_UINT8 && s.shape.rank == 3
                             && s.shape.dims[p->from == PARE_LAYOUT_NCHW ? 0 : 2] == 3;
  if (has_geometry (p) || grey_from_color)
    {
      g_autoptr (PareImage) image = stored_image (p, &s, error);
      return image != NULL ? pare_preprocess_image (p, image, error) : NULL;
    }
  if (p->color == PARE_COLOR_GRAY && s.shape.rank == 2)
    s.shape.dims[s.shape.rank++] = 1;
  PareTensor *t = stored_floats (&s, error);
  if (t != NULL && p->from == PARE_LAYOUT_NCHW && t->shape.rank == 3)
    t = transpose (t, FALSE, error);
  if (t == NULL)
    return NULL;
  if (p->color == PARE_COLOR_BGR)
    reverse_last (t);
  if (p->normalize && !normalize (p, t, error))
    {
      pare_tensor_unref (t);
      return NULL;
    }
  if (p->layout == PARE_LAYOUT_NCHW && t->shape.rank == 3)
    t = transpose (t, TRUE, error);
  return finish (p, t, error);
}

PareImage *
pare_preprocess_picture (const ParePreprocess *p, const PareTensor *x, guint row)
{
  Stored s = stored_row (x, row);
  PareImage *image = stored_image (p, &s, NULL);
  if (image != NULL)
    return image;
  /* Other arrays with the look of a picture: the values from lowest to highest as grey or colour. */
  const gint64 *d = s.shape.dims;
  int rank = s.shape.rank, axis = 0;
  gint64 c = 1;
  if (rank == 3 && (d[2] == 1 || d[2] == 3) && p->from != PARE_LAYOUT_NCHW)
    c = d[2];
  else if (rank == 3 && (d[0] == 1 || d[0] == 3))
    {
      c = d[0];
      axis = 1;
    }
  else if (rank != 2)
    return NULL;
  gint64 h = d[axis], w = d[axis + 1], pixels = h * w;
  if (h < 8 || w < 8 || h > 4096 || w > 4096 || pare_dtype_bits (x->dtype) == 0)
    return NULL;
  double lo = INFINITY, hi = -INFINITY;
  for (gint64 i = 0; i < pixels * c; i++)
    {
      double v = pare_tensor_get_double (x, s.at + (gsize)i);
      lo = isfinite (v) ? MIN (lo, v) : lo;
      hi = isfinite (v) ? MAX (hi, v) : hi;
    }
  if ((image = pare_image_new ((int)w, (int)h, (int)c, NULL)) == NULL || !(hi > lo))
    return image;
  for (gint64 i = 0; i < pixels; i++)
    for (gint64 k = 0; k < c; k++)
      {
        double v = pare_tensor_get_double (x, s.at + (gsize)(axis == 1 ? k * pixels + i : i * c + k));
        image->data[i * c + k] = isfinite (v) ? (guint8)((v - lo) / (hi - lo) * 255 + 0.5) : 0;
      }
  return image;
}
