/* Pictures: JPEG and PNG to RGB8 with the values Pillow gives, and Pillow's resampling. */
#pragma once
#include "engine/base/pare-error.h"

/* Interleaved 8-bit rows, no padding. */
typedef struct
{
  int width, height, channels; /* 1 or 3 */
  guint8 *data;
} PareImage;

PareImage *pare_image_new (int width, int height, int channels, GError **error); /* zero-filled */
PareImage *pare_image_new_from_data (int width, int height, int channels, const guint8 *data, GError **error);
void pare_image_free (PareImage *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareImage, pare_image_free)

/* By the file's first bytes, JPEG or PNG. Always three channels: alpha is dropped, grey repeated, CMYK converted as Pillow does. */
PareImage *pare_image_load (const char *path, GError **error);
PareImage *pare_image_decode (const guint8 *bytes, gsize size, const char *name, GError **error);
/* TRUE for names that end as JPEG or PNG files do. */
gboolean pare_image_is_name (const char *name);
/* TRUE for names that end as pictures of kinds do that are not read. */
gboolean pare_image_is_foreign_name (const char *name);

PareImage *pare_image_resize (const PareImage *self, int width, int height, GError **error); /* Image.resize (.., BILINEAR) */
PareImage *pare_image_crop (const PareImage *self, int left, int top, int width, int height, GError **error); /* black outside */
PareImage *pare_image_grey (const PareImage *self, GError **error);                                           /* Image.convert ("L") */
