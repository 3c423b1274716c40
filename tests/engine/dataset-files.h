/* Data sets made by hand, in folders that go away again. */
#pragma once
#include "engine/dataset/pare-array.h"
#include "engine/dataset/pare-dataset.h"
#include "engine/dataset/pare-image.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <png.h>
#include <string.h>

static inline char *
folder_new (void)
{
  char *folder = g_dir_make_tmp ("pare-data-XXXXXX", NULL);
  g_assert_nonnull (folder);
  return folder;
}

static inline void
folder_free (char *folder)
{
  GDir *dir = g_dir_open (folder, 0, NULL);
  for (const char *name; dir != NULL && (name = g_dir_read_name (dir)) != NULL;)
    {
      char *path = g_build_filename (folder, name, NULL);
      if (g_file_test (path, G_FILE_TEST_IS_DIR))
        folder_free (path);
      else
        {
          g_unlink (path);
          g_free (path);
        }
    }
  g_dir_close (dir);
  g_rmdir (folder);
  g_free (folder);
}
typedef char Folder;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Folder, folder_free)

static inline void
put (const char *folder, const char *name, gconstpointer data, gssize size)
{
  g_autofree char *path = g_build_filename (folder, name, NULL), *dir = g_path_get_dirname (path);
  g_mkdir_with_parents (dir, 0700);
  g_assert_true (g_file_set_contents (path, data, size, NULL));
}

static inline void
put_array (const char *folder, const char *name, PareTensor *t)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_true (pare_npy_save (path, t, NULL));
}

static inline PareTensor *
bytes_tensor (const guint8 *data, PareShape shape)
{
  PareTensor *t = pare_tensor_new (PARE_DTYPE_UINT8, &shape, NULL);
  memcpy (t->data, data, t->bytes);
  return t;
}

static inline PareTensor *
counting (PareShape shape)
{
  PareTensor *t = pare_tensor_new (PARE_DTYPE_UINT8, &shape, NULL);
  for (gsize i = 0; i < t->bytes; i++)
    ((guint8 *)t->data)[i] = (guint8)i;
  return t;
}

static inline void
put_labels (const char *folder, const char *name, const gint64 *labels, gsize n)
{
  g_autoptr (PareTensor) t = pare_tensor_new_i64 (labels, n);
  put_array (folder, name, t);
}

static inline PareDataset *
open_in (const char *folder, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  return pare_dataset_open (path, error);
}

static inline void
put_png (const char *folder, const char *name, int width, int height, const guint8 *rgb)
{
  g_autofree char *path = g_build_filename (folder, name, NULL), *dir = g_path_get_dirname (path);
  g_mkdir_with_parents (dir, 0700);
  png_image image = { .version = PNG_IMAGE_VERSION, .width = (png_uint_32)width, .height = (png_uint_32)height, .format = PNG_FORMAT_RGB };
  g_assert_true (png_image_write_to_file (&image, path, 0, rgb, 0, NULL));
}

/* The picture of golden-pillow.h. */
static inline PareImage *
formula (void)
{
  PareImage *image = pare_image_new (7, 9, 3, NULL);
  for (int y = 0; y < 9; y++)
    for (int x = 0; x < 7; x++)
      {
        guint8 *p = image->data + (y * 7 + x) * 3;
        p[0] = (guint8)(37 * x + 11 * y * y);
        p[1] = (guint8)(91 * y + 5 * x);
        p[2] = (guint8)(x * y * 29 + 7);
      }
  return image;
}

static inline gboolean
error_says (GError *error, const char *a, const char *b)
{
  return error != NULL && error->domain == PARE_ERROR && strstr (error->message, a) != NULL && strstr (error->message, b) != NULL;
}
