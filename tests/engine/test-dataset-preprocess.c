/* From a file's values to what a model takes: scales, geometry, windows, tokens. */
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
#include <string.h>

/* --- preprocessing --- */

static void
test_values (void)
{
  /* x = arange (12, uint8).reshape (2, 2, 3) * 20, BGR, torch's mean and std, channels first; numpy float32 */
  static const float want[12] = { -0x1.6ed372p+0f, -0x1.9f28a2p-2f, 0x1.3e7e38p-1f, 0x1.a64864p+0f };
  g_autoptr (Folder) folder = folder_new ();
  guint8 data[12];
  for (int i = 0; i < 12; i++)
    data[i] = (guint8)(i * 20);
  g_autoptr (PareTensor) x = bytes_tensor (data, pare_shape_make (4, (gint64)1, (gint64)2, (gint64)2, (gint64)3));
  put_array (folder, "x.npy", x);
  put (folder, "a.json",
       "{\"format\": \"npy\", \"samples\": \"x.npy\", \"splits\": {\"report\": \"0:\"}, \"preprocess\": {\"color\": \"BGR\", \"layout\": "
       "\"NCHW\","
       "\"scale\": 0.00392156862745098, \"mean\": [0.485, 0.456, 0.406], \"std\": [0.229, 0.224, 0.225]}}",
       -1);
  g_autoptr (PareDataset) d = open_in (folder, "a.json", NULL);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_REPORT, 0, &s, NULL));
  g_assert_cmpint (s.x->shape.rank, ==, 3);
  g_assert_cmpint (s.x->shape.dims[0], ==, 3);
  g_assert_cmpint (s.label, ==, -1);
  const float *v = s.x->data;
  for (int i = 0; i < 4; i++)
    g_assert_cmpfloat (v[i], ==, want[i]);
  for (int i = 0; i < 12; i++)
    {
      static const float mean[3] = { 0.485f, 0.456f, 0.406f }, std[3] = { 0.229f, 0.224f, 0.225f };
      float p = (float)data[(i % 4) * 3 + 2 - i / 4] * 0.00392156862745098f;
      p = p - mean[i / 4];
      g_assert_cmpfloat (v[i], ==, p / std[i / 4]);
    }
  put (folder, "mean.json", "{\"format\": \"npy\", \"samples\": \"x.npy\", \"preprocess\": {\"mean\": [1, 2]}}", -1);
  g_autoptr (PareDataset) two = open_in (folder, "mean.json", NULL);
  g_autoptr (GError) error = NULL;
  g_auto (PareSample) none = { 0 };
  g_assert_false (pare_dataset_load (two, PARE_SPLIT_ALL, 0, &none, &error));
  g_assert_true (error_says (error, "x.npy", "mean"));
}

static void
test_geometry (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareImage) image = formula ();
  g_autoptr (PareTensor) x = bytes_tensor (image->data, pare_shape_make (4, (gint64)1, (gint64)9, (gint64)7, (gint64)3));
  put_array (folder, "x.npy", x);
  put_png (folder, "a.png", 7, 9, image->data);
  put (folder, "a.csv", "a.png,5\n", -1);
  for (int from_array = 0; from_array < 2; from_array++)
    {
      /* 7x9 -> short side 5: 5 x round (6.43) = 5x6; the middle 4x4: left (5 - 4) // 2 = 0, top 1; then 3x3 */
      g_autofree char *text
          = g_strdup_printf ("{\"format\": \"%s\", \"samples\": \"%s\", \"preprocess\": {\"resize_short\": 5, \"crop\": 4, "
                             "\"resize_after_crop\": 3, \"layout\": \"NHWC\"}}",
                             from_array ? "npy" : "csv", from_array ? "x.npy" : "a.csv");
      put (folder, "a.json", text, -1);
      g_autoptr (PareDataset) d = open_in (folder, "a.json", NULL);
      g_auto (PareSample) s = { 0 };
      g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 0, &s, NULL));
      g_autoptr (PareImage) one = pare_image_resize (image, 5, 6, NULL), two = pare_image_crop (one, 0, 1, 4, 4, NULL),
                            three = pare_image_resize (two, 3, 3, NULL);
      for (int i = 0; i < 27; i++)
        g_assert_cmpfloat (((float *)s.x->data)[i], ==, three->data[i]);
    }
  put (folder, "box.json",
       "{\"format\": \"csv\", \"samples\": \"a.csv\", \"preprocess\": {\"color\": \"GRAY\", \"crop\": 11, \"layout\": \"NCHW\"}}", -1);
  g_autoptr (PareDataset) d = open_in (folder, "box.json", NULL);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 0, &s, NULL));
  g_assert_cmpint (s.label, ==, 5);
  g_assert_cmpint (s.x->shape.dims[0], ==, 1);
  g_assert_cmpfloat (((float *)s.x->data)[0], ==, 0);                    /* black around */
  g_assert_cmpfloat (((float *)s.x->data)[1 * 11 + 2 + 1], ==, grey[1]); /* left = (7 - 11) // 2 = -2, top = -1 */
}

static void
test_letterbox (void)
{
  g_autoptr (Folder) folder = folder_new ();
  guint8 red[8 * 4 * 3];
  for (int i = 0; i < 32; i++)
    memcpy (red + 3 * i, (guint8[]){ 200, 10, 30 }, 3);
  put_png (folder, "images/sub/a.png", 8, 4, red);
  put (folder, "labels/sub/a.txt", "0 0.5 0.5 1 1\n", -1);
  put (folder, "dataset.json",
       "{\"format\": \"yolo\", \"samples\": \"images\", \"labels\": \"labels\", \"task\": \"detection\", \"splits\": {\"report\": 1.0},"
       "\"preprocess\": {\"letterbox\": 16, \"pad\": 114, \"color\": \"BGR\", \"layout\": \"NCHW\"}}",
       -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareDataset) d = pare_dataset_open (folder, &error);
  g_assert_no_error (error);
  g_assert_cmpint (pare_dataset_get_task (d), ==, PARE_TASK_DETECTION);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_REPORT, 0, &s, NULL));
  const float *v = s.x->data;
  g_assert_cmpint (s.x->shape.dims[1], ==, 16);
  g_assert_cmpfloat (v[3 * 16 + 5], ==, 114); /* above */
  g_assert_cmpfloat (v[4 * 16 + 5], ==, 30);  /* blue first */
  g_assert_cmpfloat (v[2 * 256 + 11 * 16], ==, 200);
  g_assert_cmpfloat (v[2 * 256 + 12 * 16], ==, 114);
}

static void
test_window (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareTensor) x = counting (pare_shape_make (2, (gint64)2, (gint64)10));
  put_array (folder, "x.npy", x);
  put_labels (folder, "y.npy", (gint64[]){ 0, 1 }, 2);
  put (folder, "dataset.json",
       "{\"format\": \"npy\", \"samples\": \"x.npy\", \"labels\": \"y.npy\", \"task\": \"anomaly\", \"preprocess\": {\"window\": "
       "{\"length\": 4, "
       "\"stride\": 3}}}",
       -1);
  g_autoptr (PareDataset) d = pare_dataset_open (folder, NULL);
  g_assert_true (pare_dataset_has_windows (d));
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 1, &s, NULL));
  g_assert_cmpint (s.label, ==, 1);
  g_assert_cmpint (s.x->shape.dims[0], ==, 3);
  static const float want[12] = { 10, 11, 12, 13, 13, 14, 15, 16, 16, 17, 18, 19 };
  g_assert_cmpmem (s.x->data, s.x->bytes, want, sizeof want);
}

static void
test_tokens (void)
{
  g_autoptr (Folder) folder = folder_new ();
  PareShape shape = pare_shape_make (2, (gint64)2, (gint64)3);
  g_autoptr (PareTensor) x = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL), y = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  for (int i = 0; i < 6; i++)
    {
      ((gint64 *)x->data)[i] = i;
      ((gint64 *)y->data)[i] = i + 1;
    }
  put_array (folder, "x.npy", x);
  put_array (folder, "y.npy", y);
  put (
      folder, "dataset.json",
      "{\"format\": \"npy\", \"samples\": \"x.npy\", \"labels\": \"y.npy\", \"task\": \"next-token\", \"preprocess\": {\"batch_axis\": 1}}",
      -1);
  g_autoptr (PareDataset) d = pare_dataset_open (folder, NULL);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 1, &s, NULL));
  g_assert_cmpint (s.x->dtype, ==, PARE_DTYPE_INT64);
  g_assert_cmpint (pare_tensor_get_int (s.x, 2), ==, 5);
  g_assert_cmpint (pare_tensor_get_int (s.labels, 0), ==, 4);
  g_autoptr (PareTensor) fitted = pare_dataset_fit (d, s.x, PARE_DTYPE_INT64, &(PareShape){ .rank = 2, .dims = { -1, 1 } }, "tokens", NULL);
  g_assert_cmpint (fitted->shape.dims[0], ==, 3);
  g_assert_cmpint (fitted->shape.dims[1], ==, 1);
}

static void
test_fit (void)
{
  g_autoptr (Folder) folder = folder_new ();
  g_autoptr (PareTensor) x = counting (pare_shape_make (4, (gint64)1, (gint64)2, (gint64)3, (gint64)1));
  put_array (folder, "x.npy", x);
  g_autoptr (PareDataset) d = pare_dataset_open (folder, NULL);
  g_auto (PareSample) s = { 0 };
  g_assert_true (pare_dataset_load (d, PARE_SPLIT_ALL, 0, &s, NULL));
  PareShape same = { .rank = 4, .dims = { -1, 2, 3, 1 } }, flat = { .rank = 2, .dims = { -1, 6 } },
            other = { .rank = 2, .dims = { -1, 7 } };
  g_autoptr (PareTensor) a = pare_dataset_fit (d, s.x, PARE_DTYPE_FLOAT32, &same, "in", NULL);
  g_assert_cmpint (a->shape.rank, ==, 4);
  g_assert_true (a->data == s.x->data); /* shared, not copied */
  g_autoptr (PareTensor) b = pare_dataset_fit (d, s.x, PARE_DTYPE_UINT8, &flat, "in", NULL);
  g_assert_cmpint (b->shape.rank, ==, 2);
  g_assert_cmpint (((guint8 *)b->data)[5], ==, 5);
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_dataset_fit (d, s.x, PARE_DTYPE_FLOAT32, &other, "in", &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
  g_assert_true (error_says (error, "'in'", "2×3×1"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dataset/values", test_values);
  g_test_add_func ("/dataset/geometry", test_geometry);
  g_test_add_func ("/dataset/letterbox", test_letterbox);
  g_test_add_func ("/dataset/window", test_window);
  g_test_add_func ("/dataset/tokens", test_tokens);
  g_test_add_func ("/dataset/fit", test_fit);
  return g_test_run ();
}
