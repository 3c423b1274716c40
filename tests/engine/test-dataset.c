/* Data sets made by hand, with the numbers that reference readings (Pillow, numpy) give for them. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-control.h"
#include "engine/dataset/pare-array.h"
#include "engine/dataset/pare-dataset.h"
#include "engine/dataset/pare-image.h"
#include "tests/engine/dataset-files.h"
#include "tests/engine/golden-pillow.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <math.h>
#include <png.h>
#include <string.h>
#include <zlib.h>

/* --- pictures --- */

static void
test_resize (void)
{
  static const struct
  {
    int w, h;
    const guint8 *want;
    gsize size;
  } cases[] = {
    { 4, 5, resized_4x5, sizeof resized_4x5 },       { 7, 4, resized_7x4, sizeof resized_7x4 }, { 3, 9, resized_3x9, sizeof resized_3x9 },
    { 11, 13, resized_11x13, sizeof resized_11x13 }, { 6, 3, resized_6x3, sizeof resized_6x3 },
  };
  g_autoptr (PareImage) image = formula ();
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PareImage) small = pare_image_resize (image, cases[i].w, cases[i].h, NULL);
      g_assert_cmpmem (small->data, (gsize)small->width * small->height * 3, cases[i].want, cases[i].size);
    }
  g_autoptr (PareImage) luma = pare_image_grey (image, NULL);
  g_assert_cmpmem (luma->data, 63, grey, sizeof grey);
  g_autoptr (PareImage) beyond = pare_image_crop (image, -1, -2, 9, 13, NULL); /* black around */
  g_assert_cmpint (beyond->data[0], ==, 0);
  g_assert_cmpmem (beyond->data + (2 * 9 + 1) * 3, 7 * 3, image->data, 7 * 3);
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_image_new (1 << 20, 1 << 20, 3, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_DATA);
}

static void
test_jpeg (void)
{
  g_autoptr (PareImage) image = pare_image_decode (jpeg, sizeof jpeg, "a.jpg", NULL);
  g_assert_cmpint (image->width, ==, 7);
  g_assert_cmpint (image->height, ==, 9);
  g_assert_cmpmem (image->data, 7 * 9 * 3, jpeg_rgb, sizeof jpeg_rgb);
  g_autoptr (PareImage) four = pare_image_decode (jpeg_cmyk, sizeof jpeg_cmyk, "b.jpg", NULL);
  g_assert_cmpmem (four->data, 3 * 2 * 3, cmyk_rgb, sizeof cmyk_rgb);
  for (gsize cut = 0; cut < sizeof jpeg - 8; cut++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (pare_image_decode (jpeg, cut, "cut.jpg", &error));
      g_assert_true (error_says (error, "cut.jpg", ""));
    }
  guint8 broken[sizeof jpeg];
  for (gsize at = 0; at < sizeof jpeg; at++)
    for (int bit = 0; bit < 8; bit += 3)
      {
        memcpy (broken, jpeg, sizeof jpeg);
        broken[at] ^= (guint8)(1 << bit);
        g_autoptr (GError) error = NULL;
        g_autoptr (PareImage) any = pare_image_decode (broken, sizeof broken, "broken.jpg", &error);
        g_assert_true ((any == NULL) == (error != NULL));
      }
}

static void
test_png (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareImage) image = formula ();
  put_png (folder, "a.png", 7, 9, image->data);
  g_autofree char *path = g_build_filename (folder, "a.png", NULL), *bytes = NULL;
  g_autoptr (PareImage) back = pare_image_load (path, NULL);
  g_assert_cmpmem (back->data, 7 * 9 * 3, image->data, 7 * 9 * 3);
  gsize size;
  g_assert_true (g_file_get_contents (path, &bytes, &size, NULL));
  for (gsize cut = 0; cut + 16 < size; cut++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (pare_image_decode ((guint8 *)bytes, cut, "cut.png", &error));
      g_assert_true (error_says (error, "cut.png", ""));
    }
  bytes[16] = 0x7f; /* a width of two thousand million: refused before memory is taken */
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_image_decode ((guint8 *)bytes, size, "wide.png", &error));
  g_assert_true (error_says (error, "wide.png", "PNG"));
}

/* --- arrays --- */

static GByteArray *
idx (guint8 type, int rank, const guint32 *dims, const guint8 *data, gsize size)
{
  GByteArray *a = g_byte_array_new ();
  const guint8 head[4] = { 0, 0, type, (guint8)rank };
  g_byte_array_append (a, head, 4);
  for (int i = 0; i < rank; i++)
    {
      guint32 big = GUINT32_TO_BE (dims[i]);
      g_byte_array_append (a, (guint8 *)&big, 4);
    }
  g_byte_array_append (a, data, (guint)size);
  return a;
}

static void
test_idx (void)
{
  const guint8 data[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 };
  g_autoptr (GByteArray) plain = idx (0x08, 3, (guint32[]){ 3, 2, 2 }, data, 12);
  g_autoptr (GBytes) bytes = g_bytes_new (plain->data, plain->len);
  g_autoptr (PareTensor) t = pare_idx_parse (bytes, "t", NULL);
  g_assert_cmpint (t->shape.rank, ==, 3);
  g_assert_cmpmem (t->data, t->bytes, data, 12);
  g_autoptr (GByteArray) words = idx (0x0b, 1, (guint32[]){ 2 }, (const guint8[]){ 0xff, 0xfe, 1, 2 }, 4);
  g_autoptr (GBytes) word_bytes = g_bytes_new (words->data, words->len);
  g_autoptr (PareTensor) w = pare_idx_parse (word_bytes, "w", NULL);
  g_assert_cmpint (pare_tensor_get_int (w, 0), ==, -2);
  g_assert_cmpint (pare_tensor_get_int (w, 1), ==, 258);
  for (gsize cut = 0; cut < plain->len; cut++)
    {
      g_autoptr (GBytes) part = g_bytes_new (plain->data, cut);
      g_autoptr (GError) error = NULL;
      g_assert_null (pare_idx_parse (part, "part", &error));
      g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
    }
  g_autoptr (GByteArray) absurd = idx (0x0e, 4, (guint32[]){ G_MAXUINT32, G_MAXUINT32, G_MAXUINT32, 9 }, data, 12);
  g_autoptr (GBytes) absurd_bytes = g_bytes_new (absurd->data, absurd->len);
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_idx_parse (absurd_bytes, "absurd", &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
}

static void
test_idx_folder (void)
{
  g_autoptr (Folder) folder = folder_new ();
  const guint8 pixels[12] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, classes[3] = { 2, 0, 1 };
  g_autoptr (GByteArray) x = idx (0x08, 3, (guint32[]){ 3, 2, 2 }, pixels, 12), y = idx (0x08, 1, (guint32[]){ 3 }, classes, 3);
  g_autofree char *gz = g_build_filename (folder, "t10k-images-idx3-ubyte.gz", NULL);
  gzFile file = gzopen (gz, "wb");
  g_assert_cmpint (gzwrite (file, x->data, x->len), ==, x->len);
  gzclose (file);
  put (folder, "t10k-labels-idx1-ubyte.gz", y->data, y->len); /* stored plainly under that name: also fine */
  g_autoptr (GError) error = NULL;
  g_autoptr (PareDataset) d = pare_dataset_open (folder, &error);
  g_assert_no_error (error);
  g_assert_true (pare_dataset_has_labels (d));
  g_assert_cmpuint (pare_dataset_get_n_samples (d, PARE_SPLIT_ALL), ==, 3);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 0, &s, NULL));
  g_assert_cmpint (s.label, ==, 2);
  g_assert_cmpfloat (((float *)s.x->data)[3], ==, 3);
  /* the same named from where one stands: the folder above, the folder itself, the file */
  g_autofree char *here = g_get_current_dir (), *above = g_path_get_dirname (folder), *name = g_path_get_basename (folder),
                  *inside = g_build_filename (name, "t10k-images-idx3-ubyte.gz", NULL);
  const char *const from[][2] = { { above, name }, { above, inside }, { folder, "." }, { folder, "t10k-images-idx3-ubyte.gz" } };
  for (guint i = 0; i < G_N_ELEMENTS (from); i++)
    {
      g_assert_cmpint (g_chdir (from[i][0]), ==, 0);
      g_autoptr (PareDataset) relative = pare_dataset_open (from[i][1], &error);
      g_assert_no_error (error);
      g_assert_true (pare_dataset_has_labels (relative));
    }
  g_assert_cmpint (g_chdir (here), ==, 0);
  g_autofree char *bytes = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (gz, &bytes, &size, NULL));
  put (folder, "t10k-images-idx3-ubyte.gz", bytes, (gssize)size - 9);
  g_assert_null (pare_dataset_open (folder, &error));
  g_assert_true (error_says (error, "t10k-images-idx3-ubyte.gz", "cut off"));
}

static void
little (GByteArray *a, guint64 v, int n)
{
  for (int i = 0; i < n; i++)
    {
      guint8 b = i < 8 ? (guint8)(v >> (8 * i)) : 0;
      g_byte_array_append (a, &b, 1);
    }
}

/* A zip archive of NPY members; every second one deflated. */
static GByteArray *
npz (const char *const *names, PareTensor **tensors, guint n)
{
  g_autoptr (Folder) folder = folder_new ();
  GByteArray *a = g_byte_array_new ();
  g_autoptr (GByteArray) directory = g_byte_array_new ();
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *name = g_strconcat (names[i], ".npy", NULL), *plain = NULL, *path = g_build_filename (folder, name, NULL);
      gsize size;
      put_array (folder, name, tensors[i]);
      g_assert_true (g_file_get_contents (path, &plain, &size, NULL));
      guint8 packed[4096];
      z_stream z = { .next_in = (Bytef *)plain, .avail_in = (uInt)size, .next_out = packed, .avail_out = sizeof packed };
      gboolean deflated = i % 2 == 1;
      g_assert_cmpint (deflateInit2 (&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), ==, Z_OK);
      g_assert_cmpint (deflate (&z, Z_FINISH), ==, Z_STREAM_END);
      guint packed_size = deflated ? (guint)z.total_out : (guint)size, start = a->len;
      deflateEnd (&z);
      for (int central = 0; central < 2; central++)
        {
          GByteArray *to = central ? directory : a;
          little (to, central ? 0x02014b50 : 0x04034b50, 4);
          little (to, 20, central ? 2 : 0);
          little (to, 20, 2);
          little (to, 0, 2);
          little (to, deflated ? 8 : 0, 2);
          little (to, 0, 4);
          little (to, crc32 (0, (Bytef *)plain, (uInt)size), 4);
          little (to, packed_size, 4);
          little (to, size, 4);
          little (to, strlen (name), 2);
          little (to, 0, 2);
          if (central)
            {
              little (to, 0, 10);
              little (to, start, 4);
            }
          g_byte_array_append (to, (guint8 *)name, (guint)strlen (name));
        }
      g_byte_array_append (a, deflated ? packed : (guint8 *)plain, packed_size);
    }
  guint start = a->len;
  g_byte_array_append (a, directory->data, directory->len);
  little (a, 0x06054b50, 4);
  little (a, 0, 4);
  little (a, n, 2);
  little (a, n, 2);
  little (a, directory->len, 4);
  little (a, start, 4);
  little (a, 0, 2);
  return a;
}

static void
test_npz (void)
{
  g_autoptr (PareTensor) x = counting (pare_shape_make (2, (gint64)4, (gint64)6)), y = pare_tensor_new_i64 ((gint64[]){ 3, 1, 0, 2 }, 4);
  g_autoptr (GByteArray) a = npz ((const char *const[]){ "x", "y" }, (PareTensor *[]){ x, y }, 2);
  g_autoptr (GBytes) bytes = g_bytes_new (a->data, a->len);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareTensor) back = pare_npz_parse (bytes, "a.npz", (const char *const[]){ "labels", "y", NULL }, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (back->data, back->bytes, y->data, y->bytes);
  g_assert_null (pare_npz_parse (bytes, "a.npz", (const char *const[]){ "z", NULL }, &error));
  g_assert_true (error_says (error, "a.npz", "z"));
  g_autoptr (Folder) folder = folder_new ();
  put (folder, "a.npz", a->data, a->len);
  g_clear_error (&error);
  g_autoptr (PareDataset) d = pare_dataset_open (folder, &error);
  g_assert_no_error (error);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 3, &s, NULL));
  g_assert_cmpint (s.label, ==, 2);
  g_assert_cmpfloat (((float *)s.x->data)[5], ==, 23);
  for (gsize cut = 0; cut < a->len; cut++)
    {
      g_autoptr (GBytes) part = g_bytes_new (a->data, cut);
      g_autoptr (GError) why = NULL;
      g_assert_null (pare_npz_parse (part, "part", (const char *const[]){ "y", NULL }, &why));
      g_assert_nonnull (why);
    }
  for (gsize at = 0; at < a->len; at++) /* any byte may be anything: an answer or an error, never a crash */
    {
      g_autofree guint8 *copy = g_memdup2 (a->data, a->len);
      copy[at] ^= 0xff;
      g_autoptr (GBytes) broken = g_bytes_new (copy, a->len);
      g_autoptr (GError) why = NULL;
      g_autoptr (PareTensor) any = pare_npz_parse (broken, "broken", (const char *const[]){ "y", NULL }, &why);
      g_assert_true ((any == NULL) == (why != NULL));
      if (any != NULL)
        g_assert_cmpmem (any->data, any->bytes, y->data, y->bytes);
    }
}

/* --- splits --- */

static void
check_order (PareDataset *d, PareSplit split, guint n, const int *first_value)
{
  g_assert_cmpuint (pare_dataset_get_n_samples (d, split), ==, n);
  for (guint i = 0; i < n; i++)
    {
      g_auto (PareSample) s = { 0 };
      g_assert_true (pare_dataset_load (d, split, i, &s, NULL));
      g_assert_cmpfloat (((float *)s.x->data)[0], ==, first_value[i]);
    }
}

static void
put_description (const char *folder, const char *name, const char *splits)
{
  g_autofree char *text = g_strdup_printf ("{\"format\": \"npy\", \"samples\": \"x.npy\"%s%s}", splits != NULL ? ", \"splits\": " : "",
                                           splits != NULL ? splits : "");
  put (folder, name, text, -1);
}

static void
test_splits (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareTensor) x = counting (pare_shape_make (2, (gint64)10, (gint64)1));
  put_array (folder, "x.npy", x);
  /* sorted (range (10), key = splitmix64 (1 << 32 | i)) of check/reference.py: 6 1 7 5 4 9 8 3 2 0, cut at 2 and 5 */
  put_description (folder, "default.json", NULL);
  g_autoptr (PareDataset) a = open_in (folder, "default.json", NULL);
  check_order (a, PARE_SPLIT_CALIBRATION, 2, (int[]){ 6, 1 });
  check_order (a, PARE_SPLIT_SEARCH, 3, (int[]){ 7, 5, 4 });
  check_order (a, PARE_SPLIT_REPORT, 5, (int[]){ 9, 8, 3, 2, 0 });
  check_order (a, PARE_SPLIT_ALL, 10, (int[]){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 });
  g_assert_false (pare_dataset_has_labels (a));
  put_description (folder, "halves.json",
                   "{\"calibration\": 0.25, \"search\": 0.25, \"report\": 0.5, \"seed\": 1}"); /* floor (2.5 + 0.5) = 3 */
  g_autoptr (PareDataset) b = open_in (folder, "halves.json", NULL);
  check_order (b, PARE_SPLIT_CALIBRATION, 3, (int[]){ 6, 1, 7 });
  check_order (b, PARE_SPLIT_SEARCH, 2, (int[]){ 5, 4 });
  put_description (folder, "ranges.json", "{\"calibration\": \"7:\", \"search\": \":2\", \"report\": \"4:6,2:3\"}");
  g_autoptr (PareDataset) c = open_in (folder, "ranges.json", NULL);
  check_order (c, PARE_SPLIT_CALIBRATION, 3, (int[]){ 7, 8, 9 });
  check_order (c, PARE_SPLIT_SEARCH, 2, (int[]){ 0, 1 });
  check_order (c, PARE_SPLIT_REPORT, 3, (int[]){ 4, 5, 2 });
  put (folder, "mine.csv", "index\n8\n3\n", -1);
  put_description (folder, "file.json", "{\"report\": \"mine.csv\"}");
  g_autoptr (PareDataset) e = open_in (folder, "file.json", NULL);
  check_order (e, PARE_SPLIT_REPORT, 2, (int[]){ 8, 3 });
  g_assert_cmpuint (pare_dataset_get_n_samples (e, PARE_SPLIT_SEARCH), ==, 0);
  static const char *const bad[] = { "{\"report\": \"0:11\"}",
                                     "{\"report\": \"0:9,0:4\"}",
                                     "{\"report\": \"x.json\"}",
                                     "{\"report\": \"3\"}",
                                     "{\"report\": 1.5}",
                                     "{\"report\": 0.7, \"search\": 0.7}",
                                     "{\"report\": true}",
                                     "{\"test\": 0.5}",
                                     "[1]",
                                     "{\"report\": \"99999999999999999999:\"}" };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      put_description (folder, "bad.json", bad[i]);
      g_autoptr (PareDataset) none = open_in (folder, "bad.json", &error);
      if (strstr (bad[i], "99999") != NULL && none != NULL) /* a start beyond the end is an empty range, as in Python */
        g_assert_cmpuint (pare_dataset_get_n_samples (none, PARE_SPLIT_REPORT), ==, 0);
      else
        {
          g_assert_null (none);
          g_assert_true (error_says (error, "bad.json", "splits"));
        }
    }
}

/* --- folders and CSV --- */

static void
test_class_folders (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareImage) image = formula ();
  put_png (folder, "zebra/b.png", 7, 9, image->data);
  put_png (folder, "ant/a.PNG", 7, 9, image->data);
  put (folder, "ant/c.jpeg", jpeg, sizeof jpeg);
  put (folder, "ant/notes.txt", "no picture", -1);
  g_autofree char *empty = g_build_filename (folder, "empty", NULL);
  g_mkdir (empty, 0700);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareDataset) d = pare_dataset_open (folder, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pare_dataset_get_n_classes (d), ==, 2);
  g_assert_cmpstr (pare_dataset_get_class_name (d, 0), ==, "ant");
  g_assert_cmpstr (pare_dataset_get_class_name (d, 1), ==, "zebra");
  g_assert_null (pare_dataset_get_class_name (d, 2));
  g_assert_cmpuint (pare_dataset_get_n_samples (d, PARE_SPLIT_ALL), ==, 3);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 1, &s, NULL));
  g_assert_cmpint (s.label, ==, 0);
  g_assert_cmpint (s.x->shape.dims[0], ==, 3); /* RGB, channels first, 0..1 */
  g_assert_cmpfloat (((float *)s.x->data)[0], ==, jpeg_rgb[0] / 255.0f);
  int w, h;
  g_autoptr (GBytes) thumbnail = pare_dataset_load_thumbnail (d, PARE_SPLIT_ALL, 2, &w, &h);
  g_assert_cmpint (w, ==, 7);
  g_assert_cmpmem (g_bytes_get_data (thumbnail, NULL), g_bytes_get_size (thumbnail), image->data, 7 * 9 * 3);
  /* the hash follows the content, not the place */
  g_autofree char *before = g_strdup (pare_dataset_get_hash (d));
  g_assert_cmpuint (strlen (before), ==, 64);
  g_autoptr (PareDataset) again = pare_dataset_open (folder, NULL);
  g_assert_cmpstr (pare_dataset_get_hash (again), ==, before);
  image->data[0]++;
  put_png (folder, "zebra/b.png", 7, 9, image->data);
  g_autoptr (PareDataset) changed = pare_dataset_open (folder, NULL);
  g_assert_cmpstr (pare_dataset_get_hash (changed), !=, before);
}

static void
test_flat_folder (void)
{
  g_autoptr (Folder) folder = folder_new ();
  put (folder, "b.jpg", jpeg, sizeof jpeg);
  put (folder, "a.jpg", "\xff\xd8\xffgarbage", -1);
  g_autoptr (PareDataset) d = pare_dataset_open (folder, NULL);
  g_assert_false (pare_dataset_has_labels (d));
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 1, &s, NULL));
  g_assert_cmpint (s.label, ==, -1);
  g_autoptr (GError) error = NULL;
  g_auto (PareSample) none = { 0 };
  g_assert_false (pare_dataset_load (d, PARE_SPLIT_ALL, 0, &none, &error));
  g_assert_true (error_says (error, "a.jpg", "JPEG"));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_DATA);
  g_clear_error (&error);
  g_assert_false (pare_dataset_load (d, PARE_SPLIT_ALL, 2, &none, &error));
  g_autoptr (Folder) nothing = folder_new ();
  g_clear_error (&error);
  g_assert_null (pare_dataset_open (nothing, &error));
  g_assert_true (error_says (error, nothing, "no samples"));
}

static void
test_foreign_pictures (void)
{
  g_autoptr (Folder) folder = folder_new ();
  put (folder, "cat/1.jpg", jpeg, sizeof jpeg);
  put (folder, "dog/1.bmp", "BM", -1); /* without it, "fox" would be the second class */
  put (folder, "fox/1.jpg", jpeg, sizeof jpeg);
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_dataset_open (folder, &error));
  g_assert_true (error_says (error, "dog/1.bmp", "neither JPEG nor PNG"));
}

static void
test_csv (void)
{
  g_autoptr (Folder) folder = folder_new ();
  put (folder, "p,1.jpg", jpeg, sizeof jpeg);
  put (folder, "q.jpg", jpeg, sizeof jpeg);
  put (folder, "classes.txt", "cat\ndog\nfox\n", -1);
  put (folder, "report.csv", "path,label\r\n\"p,1.jpg\",2\r\n\r\nq.jpg, dog\r\n", -1);
  put (folder, "other.csv", "q.jpg,0\n", -1);
  put (folder, "dataset.json",
       "{\"format\": \"csv\", \"classes\": \"classes.txt\", \"splits\": {\"calibration\": \"other.csv\", \"search\": \"other.csv\", "
       "\"report\": "
       "\"report.csv\"}}",
       -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareDataset) d = pare_dataset_open (folder, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pare_dataset_get_n_samples (d, PARE_SPLIT_REPORT), ==, 2);
  g_assert_cmpuint (pare_dataset_get_n_samples (d, PARE_SPLIT_SEARCH), ==, 1);
  g_assert_cmpuint (pare_dataset_get_n_samples (d, PARE_SPLIT_ALL), ==, 3); /* the shared file counts once */
  static const gint64 want[2] = { 2, 1 };
  for (guint i = 0; i < 2; i++)
    {
      g_auto (PareSample) s = { 0 };
      g_assert_true (pare_dataset_load (d, PARE_SPLIT_REPORT, i, &s, NULL));
      g_assert_cmpint (s.label, ==, want[i]);
    }
  static const struct
  {
    const char *text, *line, *says;
  } bad[] = {
    { "q.jpg,0\nq.jpg,3\n", "line 2", "out of range" },
    { "q.jpg,0\nq.jpg,-1\n", "line 2", "negative" },
    { "q.jpg,0\nq.jpg,nan\n", "line 2", "nan" },
    { "q.jpg,0\nq.jpg,1.5\n", "line 2", "1.5" },
    { "q.jpg,0\nmissing.jpg,1\n", "line 2", "missing" },
    { "q.jpg,0\nq.jpg\n", "line 2", "label" },
    { "q.jpg,0\n\"q.jpg,1\n", "line 2", "quote" },
    { "q.jpg,wolf\n", "line 1", "wolf" },
    { "q.jpg,0\nq.jpg,99999999999999999999\n", "line 2", "99999" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      put (folder, "report.csv", bad[i].text, -1);
      g_autoptr (GError) why = NULL;
      g_assert_null (pare_dataset_open (folder, &why));
      g_assert_error (why, PARE_ERROR, PARE_ERROR_DATA);
      if (!error_says (why, bad[i].line, bad[i].says) || strstr (why->message, "report.csv") == NULL)
        g_error ("%s: %s", bad[i].text, why->message);
    }
}

static void
test_label_arrays (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareTensor) x = counting (pare_shape_make (2, (gint64)3, (gint64)2));
  PareShape shape = pare_shape_make (1, (gint64)3);
  g_autoptr (PareTensor) y = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  put_array (folder, "x.npy", x);
  memcpy (y->data, (float[]){ 0, NAN, 1 }, 12);
  put_array (folder, "y.npy", y);
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_dataset_open (folder, &error));
  g_assert_true (error_says (error, "y.npy", "row 1"));
  g_clear_error (&error);
  put_labels (folder, "y.npy", (gint64[]){ 0, 1 }, 2);
  g_assert_null (pare_dataset_open (folder, &error));
  g_assert_true (error_says (error, "y.npy", "3 samples"));
  g_clear_error (&error);
  put_labels (folder, "y.npy", (gint64[]){ 0, 1, -7 }, 3);
  g_assert_null (pare_dataset_open (folder, &error));
  g_assert_true (error_says (error, "y.npy", "-7"));
}

static void
test_bad_descriptions (void)
{
  static const struct
  {
    const char *text, *key;
  } cases[] = {
    { "{\"format\": \"tfrecord\", \"samples\": \"x.npy\"}", "format" },
    { "{\"samples\": \"x.npy\"}", "format" },
    { "{\"format\": \"npy\"}", "samples" },
    { "{\"format\": \"npy\", \"samples\": \"nothing.npy\"}", "samples" },
    { "{\"format\": \"npy\", \"samples\": 7}", "samples" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"labels\": \"gone.npy\"}", "labels" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"task\": \"poetry\"}", "task" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"task\": \"detection\"}", "task" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"classes\": \"none.txt\"}", "classes" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"class_offset\": \"one\"}", "class_offset" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"presplits\": {}}", "presplits" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": 3}", "preprocess" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"crop\": -1}}", "preprocess.crop" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"crop\": 1e9}}", "preprocess.crop" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"color\": \"CMYK\"}}", "preprocess.color" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"std\": [1, 0]}}", "preprocess.std" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"mean\": [\"a\"]}}", "preprocess.mean" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"reshape\": [-1, -1]}}", "preprocess.reshape" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"window\": {\"length\": 0, \"stride\": 1}}}", "window.length" },
    { "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"letterbox\": 8, \"crop\": 4}}", "letterbox" },
    { "{\"format\": \"npy\", ", "JSON" },
    { "[]", "object" },
    { "", "" },
  };
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareTensor) x = counting (pare_shape_make (2, (gint64)3, (gint64)2));
  put_array (folder, "x.npy", x);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      put (folder, "bad.json", cases[i].text, -1);
      g_assert_null (open_in (folder, "bad.json", &error));
      g_assert_error (error, PARE_ERROR, PARE_ERROR_DATA);
      if (!error_says (error, "bad.json", cases[i].key))
        g_error ("%s: %s", cases[i].text, error->message);
    }
  g_autofree char *deep = g_strnfill (400000, '['); /* json-glib alone would overflow the stack */
  put (folder, "bad.json", deep, -1);
  g_autoptr (GError) error = NULL;
  g_assert_null (open_in (folder, "bad.json", &error));
  g_assert_true (error_says (error, "bad.json", "deeply"));
  put (folder, "good.json", "{\"format\": \"npy\", \"samples\": \"x.npy\"}", -1);
  put (folder, "bad.json", "{\"format\": \"npy\", \"samples\": \"x.npy\"}", -1);
  g_clear_error (&error);
  g_assert_null (pare_dataset_open (folder, &error)); /* which one is meant? */
  g_assert_true (error_says (error, "bad.json", "good.json"));
  g_clear_error (&error);
  g_assert_null (pare_dataset_open ("/nonexistent/data", &error));
  g_assert_true (error_says (error, "/nonexistent/data", "no such"));
}

/* --- cache and threads --- */

static gboolean
load_one (guint i, int worker, gpointer data)
{
  g_auto (PareSample) s = { 0 };
  guint id = i * 7 % 50;
  return pare_dataset_load (data, PARE_SPLIT_ALL, id, &s, NULL) && ((float *)s.x->data)[0] == (float)(guint8)(id * 4);
}

static void
test_threads (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareTensor) x = counting (pare_shape_make (2, (gint64)50, (gint64)4));
  put_array (folder, "x.npy", x);
  g_autoptr (PareDataset) d = pare_dataset_open (folder, NULL);
  for (guint bytes = 0; bytes < 4096; bytes += 200) /* from no room at all to room for all */
    {
      pare_dataset_set_cache (d, bytes);
      g_assert_true (pare_parallel_for (400, 4, load_one, d));
    }
  g_auto (PareSample) a = { 0 }, b = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 3, &a, NULL));
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 3, &b, NULL));
  g_assert_true (a.x == b.x);
}

/* --- real data, where it is --- */

static void
test_material (void)
{
  /* SHA-256 of the sample's bytes as check/reference.py makes them */
  static const struct
  {
    const char *data;
    PareSplit split;
    guint n, i;
    gint64 label;
    const char *sha;
  } cases[] = {
    { "imagenet/rgb-torch.json", PARE_SPLIT_REPORT, 500, 3, 965, "375b23b9872d71c4f8862d534ab94c89111f250772933d8a41983b31ad794650" },
    { "imagenet/rgb-signed-160-1001.json", PARE_SPLIT_SEARCH, 200, 11, 300,
      "4ecaa0a9dccd32ee212e528d216ac3b5536046590ef47b701a1ccdd320c7e721" },
    { "imagenet/bgr-caffe-227.json", PARE_SPLIT_CALIBRATION, 256, 7, 506,
      "2e9954d056f310a1ff582084ebe8eba5c6baf2bed1cd445eb5f588ee51740735" },
    { "cifar10/torch.json", PARE_SPLIT_REPORT, 340, 205, 3, "f240f3d81b6ea576be63dc65fd6c69bd485134db97aee21ed234672721eb539c" },
    { "cifar10-jpeg/torch.json", PARE_SPLIT_REPORT, 3500, 40, 8, "dc8addbfef496fa5781e03fe3d7bf42049f45450680a7a78bbb4302ff9e3aec5" },
    { "mnist/dataset.json", PARE_SPLIT_SEARCH, 1500, 100, 8, "25df3a7073945ed1e635ded57463bb3c3657322b5c053e88399e41c0ad53ecd1" },
    { "tiny-ad/dataset.json", PARE_SPLIT_REPORT, 110, 5, 1, "76d415845e5f8d9764f64c8b639b8b9517a8e365431aef3b12cc99989109ee62" },
    { "tiny-kws/flat.json", PARE_SPLIT_SEARCH, 100, 9, 3, "a2f76d3f59016884c143360c0ab194b4ce66fbdbd2bd4bdbba9e2d3408ba388e" },
    { "tiny-vww/dataset.json", PARE_SPLIT_REPORT, 450, 2, 0, "cceedd459f111aee571924d73d8d4e9ba7e428ee125f21d9b35e452dd91c3111" },
    { "shakespeare/dataset.json", PARE_SPLIT_REPORT, 300, 1, -1, "76369871a3912ba2ee893de7fbb388309ee7f7da8b2aa2a3a721e1b8e95090ae" },
  };
  const char *shared = g_getenv ("PARE_SHARED"), *root = g_getenv ("PARE_SOURCE_ROOT");
  g_autofree char *data = shared != NULL ? g_build_filename (shared, "material", "data", NULL)
                                         : g_build_filename (root != NULL ? root : ".", "..", "shared", "material", "data", NULL);
  if (!g_file_test (data, G_FILE_TEST_IS_DIR))
    {
      g_test_skip ("no material");
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PareDataset) d = open_in (data, cases[i].data, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (pare_dataset_get_n_samples (d, cases[i].split), ==, cases[i].n);
      g_auto (PareSample) s = { 0 };
      g_assert_true (pare_dataset_load (d, cases[i].split, cases[i].i, &s, &error));
      g_autofree char *sha = g_compute_checksum_for_data (G_CHECKSUM_SHA256, s.x->data, s.x->bytes);
      g_assert_cmpstr (sha, ==, cases[i].sha);
      if (cases[i].label >= 0)
        g_assert_cmpint (s.label, ==, cases[i].label);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dataset/resize", test_resize);
  g_test_add_func ("/dataset/jpeg", test_jpeg);
  g_test_add_func ("/dataset/png", test_png);
  g_test_add_func ("/dataset/idx", test_idx);
  g_test_add_func ("/dataset/idx-folder", test_idx_folder);
  g_test_add_func ("/dataset/npz", test_npz);
  g_test_add_func ("/dataset/splits", test_splits);
  g_test_add_func ("/dataset/class-folders", test_class_folders);
  g_test_add_func ("/dataset/flat-folder", test_flat_folder);
  g_test_add_func ("/dataset/foreign-pictures", test_foreign_pictures);
  g_test_add_func ("/dataset/csv", test_csv);
  g_test_add_func ("/dataset/label-arrays", test_label_arrays);
  g_test_add_func ("/dataset/bad-descriptions", test_bad_descriptions);
  g_test_add_func ("/dataset/threads", test_threads);
  g_test_add_func ("/dataset/material", test_material);
  return g_test_run ();
}
