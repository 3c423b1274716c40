/* Pillow's 8-bit resampling (src/libImaging/Resample.c, by its definition): a triangle filter widened by the scale, normalised in
 * double, rounded to 22 fractional bits; two passes, each rounded and clipped to 8 bits. */
#include "engine/dataset/pare-image.h"

#include <math.h>
#include <string.h>

#define BITS (32 - 8 - 2)

typedef struct
{
  int taps;   /* room per output position */
  int *first; /* first input position and number of inputs, in pairs */
  gint32 *weight;
} Filter;

static void
filter_clear (Filter *self)
{
  g_free (self->first);
  g_free (self->weight);
}

static void
filter_init (Filter *self, int in, int out)
{
  double scale = (double)in / out, wide = MAX (scale, 1.0), support = wide;
  self->taps = (int)ceil (support) * 2 + 1;
  self->first = g_new (int, 2 * (gsize)out);
  self->weight = g_new0 (gint32, (gsize)out * self->taps);
  g_autofree double *w = g_new (double, self->taps);
  for (int i = 0; i < out; i++)
    {
      double center = (i + 0.5) * scale, sum = 0, inverse = 1.0 / wide;
      int lo = MAX ((int)(center - support + 0.5), 0), hi = MIN ((int)(center + support + 0.5), in);
      for (int k = 0; k < hi - lo; k++)
        {
          double t = fabs ((k + lo - center + 0.5) * inverse);
          w[k] = t < 1.0 ? 1.0 - t : 0.0;
          sum += w[k];
        }
      for (int k = 0; k < hi - lo; k++)
        {
          double v = sum != 0 ? w[k] / sum : w[k];
          self->weight[(gsize)i * self->taps + k] = (gint32)(0.5 + v * (1 << BITS));
        }
      self->first[2 * i] = lo;
      self->first[2 * i + 1] = hi - lo;
    }
}

static inline guint8
clip8 (gint32 v)
{
  v >>= BITS;
  return (guint8)CLAMP (v, 0, 255);
}

static PareImage *
columns (const PareImage *in, int width, GError **error)
{
  PareImage *out = pare_image_new (width, in->height, in->channels, error);
  if (out == NULL)
    return NULL;
  Filter f;
  filter_init (&f, in->width, width);
  int channels = in->channels;
  for (int y = 0; y < in->height; y++)
    {
      const guint8 *from = in->data + (gsize)y * in->width * channels;
      guint8 *to = out->data + (gsize)y * width * channels;
      for (int x = 0; x < width; x++)
        {
          const gint32 *w = f.weight + (gsize)x * f.taps;
          const guint8 *p = from + (gsize)f.first[2 * x] * channels;
          int n = f.first[2 * x + 1];
          for (int c = 0; c < channels; c++)
            {
              gint32 sum = 1 << (BITS - 1);
              for (int k = 0; k < n; k++)
                sum += p[k * channels + c] * w[k];
              *to++ = clip8 (sum);
            }
        }
    }
  filter_clear (&f);
  return out;
}

static PareImage *
rows (const PareImage *in, int height, GError **error)
{
  PareImage *out = pare_image_new (in->width, height, in->channels, error);
  if (out == NULL)
    return NULL;
  Filter f;
  filter_init (&f, in->height, height);
  gsize stride = (gsize)in->width * in->channels;
  g_autofree gint32 *sum = g_new (gint32, stride);
  for (int y = 0; y < height; y++)
    {
      const gint32 *w = f.weight + (gsize)y * f.taps;
      for (gsize i = 0; i < stride; i++)
        sum[i] = 1 << (BITS - 1);
      for (int k = 0; k < f.first[2 * y + 1]; k++)
        {
          const guint8 *p = in->data + (gsize)(f.first[2 * y] + k) * stride;
          gint32 v = w[k];
          for (gsize i = 0; i < stride; i++)
            sum[i] += p[i] * v;
        }
      guint8 *to = out->data + (gsize)y * stride;
      for (gsize i = 0; i < stride; i++)
        to[i] = clip8 (sum[i]);
    }
  filter_clear (&f);
  return out;
}

PareImage *
pare_image_resize (const PareImage *self, int width, int height, GError **error)
{
  if (width < 1 || height < 1 || (gint64)width * self->height > G_MAXINT || (gint64)width * height > G_MAXINT)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "cannot resize to %d x %d", width, height);
      return NULL;
    }
  if (width == self->width && height == self->height)
    return pare_image_new_from_data (width, height, self->channels, self->data, error);
  if (height == self->height)
    return columns (self, width, error);
  if (width == self->width)
    return rows (self, height, error);
  /* Rounding between the passes makes the order visible. Pillow 13 does rows first where they shrink by more than twice as many lines
   * as the columns do (found by trying both orders on 5000 sizes; earlier versions always began with the columns). */
  gboolean rows_first = height < self->height && 2 * (gint64)(self->width - width) < self->height - height;
  g_autoptr (PareImage) middle = rows_first ? rows (self, height, error) : columns (self, width, error);
  if (middle == NULL)
    return NULL;
  return rows_first ? columns (middle, width, error) : rows (middle, height, error);
}

PareImage *
pare_image_crop (const PareImage *self, int left, int top, int width, int height, GError **error)
{
  PareImage *out = pare_image_new (width, height, self->channels, error);
  if (out == NULL)
    return NULL;
  int x0 = MAX (0, -left), x1 = MIN (width, self->width - left), c = self->channels;
  for (int y = MAX (0, -top); y < MIN (height, self->height - top); y++)
    if (x1 > x0)
      memcpy (out->data + ((gsize)y * width + x0) * c, self->data + ((gsize)(y + top) * self->width + x0 + left) * c, (gsize)(x1 - x0) * c);
  return out;
}

PareImage *
pare_image_grey (const PareImage *self, GError **error)
{
  if (self->channels == 1)
    return pare_image_new_from_data (self->width, self->height, 1, self->data, error);
  PareImage *out = pare_image_new (self->width, self->height, 1, error);
  for (gsize i = 0; out != NULL && i < (gsize)self->width * self->height; i++) /* ITU-R 601-2 luma in 16 bits */
    out->data[i] = (guint8)((self->data[3 * i] * 19595u + self->data[3 * i + 1] * 38470u + self->data[3 * i + 2] * 7471u + 0x8000u) >> 16);
  return out;
}
