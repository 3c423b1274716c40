/* Decoding. Rows go straight from the codec into an RGB buffer; limits are checked before that buffer is taken. */
#include "engine/dataset/pare-image.h"
#include "engine/base/pare-file.h"
#include "engine/dataset/pare-array.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>
#include <png.h>

#define MAX_PIXELS (64 * 1024 * 1024)

PareImage *
pare_image_new (int width, int height, int channels, GError **error)
{
  if (width < 1 || height < 1 || (gint64)width * height > MAX_PIXELS)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "a picture of %d x %d is beyond the limit of 64 million pixels", width, height);
      return NULL;
    }
  PareImage *self = g_new0 (PareImage, 1);
  self->width = width;
  self->height = height;
  self->channels = channels;
  self->data = g_try_malloc0 ((gsize)width * height * channels);
  if (self->data == NULL)
    {
      g_free (self);
      g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "no memory for a picture of %d x %d", width, height);
      return NULL;
    }
  return self;
}

PareImage *
pare_image_new_from_data (int width, int height, int channels, const guint8 *data, GError **error)
{
  PareImage *self = pare_image_new (width, height, channels, error);
  if (self != NULL)
    memcpy (self->data, data, (gsize)width * height * channels);
  return self;
}

void
pare_image_free (PareImage *self)
{
  if (self == NULL)
    return;
  g_free (self->data);
  g_free (self);
}

typedef struct
{
  struct jpeg_error_mgr base;
  jmp_buf jump;
  gboolean ended; /* the data ran out */
  char text[JMSG_LENGTH_MAX];
} JpegErrors;

static void
jpeg_failed (j_common_ptr info)
{
  JpegErrors *errors = (JpegErrors *)info->err;
  errors->base.format_message (info, errors->text);
  longjmp (errors->jump, 1);
}

static void
jpeg_message (j_common_ptr info, int level)
{
  JpegErrors *errors = (JpegErrors *)info->err;
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF)
    errors->ended = TRUE;
}

static void
jpeg_silent (j_common_ptr info)
{
}

/* Pillow takes CMYK files as Adobe writes them (inverted) and converts with c' = clip (255 - k - c * (255 - k) / 255), k already inverted
 * back. */
static void
cmyk_row (const guint8 *in, guint8 *out, int width)
{
  for (int x = 0; x < width; x++, in += 4, out += 3)
    {
      int nk = in[3]; /* 255 - k; the file holds the inverse of k */
      for (int c = 0; c < 3; c++)
        {
          int t = (255 - in[c]) * nk + 128;
          out[c] = (guint8)CLAMP (nk - (((t >> 8) + t) >> 8), 0, 255);
        }
    }
}

static PareImage *
decode_jpeg (const guint8 *bytes, gsize size, GError **error)
{
  struct jpeg_decompress_struct info;
  JpegErrors errors = { .ended = FALSE };
  PareImage *volatile image = NULL;
  guint8 *volatile row = NULL;
  info.err = jpeg_std_error (&errors.base);
  errors.base.error_exit = jpeg_failed;
  errors.base.emit_message = jpeg_message;
  errors.base.output_message = jpeg_silent;
  if (setjmp (errors.jump) != 0)
    {
      jpeg_destroy_decompress (&info);
      pare_image_free (image);
      g_free (row);
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "damaged JPEG: %s", errors.text);
      return NULL;
    }
  jpeg_create_decompress (&info);
  jpeg_mem_src (&info, bytes, (unsigned long)size);
  jpeg_read_header (&info, TRUE);
  gboolean cmyk = info.num_components == 4;
  info.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
  image = pare_image_new ((int)info.image_width, (int)info.image_height, 3, error);
  if (image == NULL)
    {
      jpeg_destroy_decompress (&info);
      return NULL;
    }
  jpeg_start_decompress (&info);
  if (cmyk)
    row = g_malloc ((gsize)info.output_width * 4);
  while (info.output_scanline < info.output_height)
    {
      guint8 *to = image->data + (gsize)info.output_scanline * image->width * 3;
      JSAMPROW target = cmyk ? (JSAMPROW)row : to;
      jpeg_read_scanlines (&info, &target, 1);
      if (cmyk)
        cmyk_row ((const guint8 *)row, to, image->width);
    }
  jpeg_abort_decompress (&info);
  jpeg_destroy_decompress (&info);
  g_free (row);
  if (errors.ended)
    {
      pare_image_free (image);
      g_set_error_literal (error, PARE_ERROR, PARE_ERROR_DATA, "damaged JPEG: the data ends early");
      return NULL;
    }
  return image;
}

typedef struct
{
  const guint8 *bytes;
  gsize left;
  char text[128];
} PngState;

static void
png_failed (png_structp png, png_const_charp message)
{
  PngState *state = png_get_error_ptr (png);
  g_strlcpy (state->text, message, sizeof state->text);
  png_longjmp (png, 1);
}

static void
png_silent (png_structp png, png_const_charp message)
{
}

static void
png_pull (png_structp png, png_bytep out, size_t n)
{
  PngState *state = png_get_io_ptr (png);
  if (n > state->left)
    png_error (png, "the data ends early");
  memcpy (out, state->bytes, n);
  state->bytes += n;
  state->left -= n;
}

static PareImage *
decode_png (const guint8 *bytes, gsize size, GError **error)
{
  PngState state = { .bytes = bytes, .left = size };
  PareImage *volatile image = NULL;
  png_bytep *volatile rows = NULL;
  guint8 *volatile wide = NULL;
  png_structp png = png_create_read_struct (PNG_LIBPNG_VER_STRING, &state, png_failed, png_silent);
  png_infop info = png != NULL ? png_create_info_struct (png) : NULL;
  if (info == NULL || setjmp (png_jmpbuf (png)) != 0)
    {
      if (png != NULL)
        png_destroy_read_struct (&png, &info, NULL);
      pare_image_free (image);
      g_free (rows);
      g_free (wide);
      if (error == NULL || *error == NULL)
        g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "damaged PNG: %s", state.text[0] != '\0' ? state.text : "no memory");
      return NULL;
    }
  png_set_read_fn (png, &state, png_pull);
  png_read_info (png, info);
  png_uint_32 width, height;
  int depth, color;
  png_get_IHDR (png, info, &width, &height, &depth, &color, NULL, NULL, NULL);
  gboolean grey16 = depth == 16 && color == PNG_COLOR_TYPE_GRAY;
  if (width > MAX_PIXELS || height > MAX_PIXELS || (guint64)png_get_rowbytes (png, info) * height / 1040 > size)
    png_error (png, "the header's size does not fit the file's");
  png_set_expand (png);
  if (!grey16)
    png_set_strip_16 (png);
  png_set_strip_alpha (png);
  if (!grey16)
    png_set_gray_to_rgb (png);
  png_set_interlace_handling (png);
  png_read_update_info (png, info);
  image = pare_image_new ((int)width, (int)height, 3, error);
  if (image == NULL)
    png_error (png, "too large");
  gsize stride = png_get_rowbytes (png, info);
  if (stride != (gsize)width * (grey16 ? 2 : 3))
    png_error (png, "unexpected row size");
  if (grey16)
    wide = g_malloc (stride * height);
  rows = g_new (png_bytep, height);
  for (png_uint_32 y = 0; y < height; y++)
    rows[y] = (grey16 ? (guint8 *)wide : image->data) + y * stride;
  png_read_image (png, (png_bytepp)rows);
  /* Pillow's "I;16" to RGB clips at 255 instead of taking the high byte. */
  for (gsize i = 0; grey16 && i < (gsize)width * height; i++)
    memset (image->data + 3 * i, wide[2 * i] != 0 ? 255 : wide[2 * i + 1], 3);
  png_destroy_read_struct (&png, &info, NULL);
  g_free (rows);
  g_free (wide);
  return image;
}

PareImage *
pare_image_decode (const guint8 *bytes, gsize size, const char *name, GError **error)
{
  PareImage *image = NULL;
  GError *inner = NULL;
  if (size >= 3 && memcmp (bytes, "\xff\xd8\xff", 3) == 0)
    image = decode_jpeg (bytes, size, &inner);
  else if (size >= 8 && memcmp (bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
    image = decode_png (bytes, size, &inner);
  else
    g_set_error_literal (&inner, PARE_ERROR, PARE_ERROR_DATA, size == 0 ? "the file is empty" : "neither JPEG nor PNG");
  if (image == NULL)
    g_propagate_prefixed_error (error, inner, "%s: ", name);
  return image;
}

PareImage *
pare_image_load (const char *path, GError **error)
{
  gsize size;
  g_autofree char *bytes = pare_file_load (path, &size, PARE_ERROR_DATA, error);
  if (bytes == NULL)
    return NULL;
  return pare_image_decode ((const guint8 *)bytes, size, path, error);
}

static gboolean
ends_with_one (const char *name, const char *const *endings)
{
  gsize n = strlen (name);
  for (; *endings != NULL; endings++)
    if (n > strlen (*endings) && g_ascii_strcasecmp (name + n - strlen (*endings), *endings) == 0)
      return TRUE;
  return FALSE;
}

gboolean
pare_image_is_name (const char *name)
{
  return ends_with_one (name, (const char *const[]){ ".jpg", ".jpeg", ".png", NULL });
}

gboolean
pare_image_is_foreign_name (const char *name)
{
  return ends_with_one (name,
                        (const char *const[]){ ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".avif", ".heic", ".jp2", NULL });
}
