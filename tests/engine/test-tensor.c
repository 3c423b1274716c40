#include "engine/base/pare-error.h"
#include "engine/tensor/pare-tensor.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static void
test_half (void)
{
  for (guint h = 0; h < 65536; h++) /* every half survives the way there and back */
    {
      float f = pare_half_to_float ((guint16)h);
      if (!isnan (f))
        g_assert_cmphex (pare_float_to_half (f), ==, h);
    }
  g_assert_cmphex (pare_float_to_half (1.0f + 0x1p-11f), ==, 0x3c00); /* tie to even */
  g_assert_cmphex (pare_float_to_half (1.0f + 3 * 0x1p-11f), ==, 0x3c02);
  g_assert_cmphex (pare_float_to_half (65520.0f), ==, 0x7c00);
}

static void
test_absurd (void)
{
  g_autoptr (GError) error = NULL;
  PareShape shape = pare_shape_make (3, G_MAXINT64 / 2, G_MAXINT64 / 2, (gint64)4);
  g_assert_null (pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_SHAPE);
}

static void
test_int4 (void)
{
  PareShape shape = pare_shape_make (1, (gint64)5);
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  const float values[5] = { -9, -1.5f, 0.5f, 2.5f, 7.4f };
  memcpy (t->data, values, sizeof values);
  g_autoptr (PareTensor) q = pare_tensor_cast (t, PARE_DTYPE_INT4, NULL);
  const int want[5] = { -8, -2, 0, 2, 7 };
  g_assert_cmpuint (q->bytes, ==, 3);
  for (int i = 0; i < 5; i++)
    g_assert_cmpint (pare_tensor_get_int (q, i), ==, want[i]);
}

static void
test_npy (void)
{
  g_autofree char *dir = g_dir_make_tmp ("pare-XXXXXX", NULL), *path = g_build_filename (dir, "t.npy", NULL);
  PareShape shape = pare_shape_make (2, (gint64)2, (gint64)3);
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_INT16, &shape, NULL);
  for (int i = 0; i < 6; i++)
    ((gint16 *)t->data)[i] = (gint16)(i * i - 7);
  g_assert_true (pare_npy_save (path, t, NULL));
  g_autoptr (PareTensor) back = pare_npy_load (path, NULL);
  g_assert_nonnull (back);
  g_assert_true (pare_shape_equal (&back->shape, &shape));
  g_assert_cmpmem (back->data, back->bytes, t->data, t->bytes);
  g_autofree char *text = NULL;
  gsize length;
  g_assert_true (g_file_get_contents (path, &text, &length, NULL));
  for (gsize cut = 0; cut < length; cut++) /* no prefix is accepted, none crashes */
    {
      g_autoptr (GBytes) part = g_bytes_new (text, cut);
      g_autoptr (GError) error = NULL;
      g_assert_null (pare_npy_parse (part, "part", &error));
      g_assert_error (error, PARE_ERROR, PARE_ERROR_FORMAT);
    }
  g_unlink (path);
  g_rmdir (dir);
}

/* (transfer full) An NPY file of 2 x 3 with this element type and order. */
static PareTensor *
parse_2x3 (const char *descr, const char *fortran, gconstpointer data, gsize n)
{
  g_autofree char *dict = g_strdup_printf ("{'descr': '%s', 'fortran_order': %s, 'shape': (2, 3), }\n", descr, fortran);
  const guint8 head[] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (guint8)strlen (dict), 0 };
  g_autoptr (GByteArray) a = g_byte_array_new ();
  g_byte_array_append (a, head, sizeof head);
  g_byte_array_append (a, (const guint8 *)dict, strlen (dict));
  g_byte_array_append (a, data, n);
  g_autoptr (GBytes) bytes = g_bytes_new (a->data, a->len);
  return pare_npy_parse (bytes, "f", NULL);
}

static void
test_fortran (void)
{
  const guint8 data[6] = { 1, 4, 2, 5, 3, 6 };
  g_autoptr (PareTensor) t = parse_2x3 ("|u1", "True", data, 6);
  g_assert_nonnull (t);
  for (int i = 0; i < 6; i++)
    g_assert_cmpint (pare_tensor_get_int (t, i), ==, i + 1);
}

static void
test_big_endian (void)
{
  const guint8 data[12] = { 1, 1, 4, 4, 2, 2, 5, 5, 3, 3, 0xff, 0xfe };
  static const int want[2][6] = { { 0x101, 0x404, 0x202, 0x505, 0x303, -2 }, { 0x101, 0x202, 0x303, 0x404, 0x505, -2 } };
  for (int fortran = 0; fortran < 2; fortran++)
    {
      g_autoptr (PareTensor) t = parse_2x3 (">i2", fortran ? "True" : "False", data, 12);
      g_assert_nonnull (t);
      g_assert_cmpint (t->dtype, ==, PARE_DTYPE_INT16);
      for (int i = 0; i < 6; i++)
        g_assert_cmpint (pare_tensor_get_int (t, i), ==, want[fortran][i]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tensor/half", test_half);
  g_test_add_func ("/tensor/absurd", test_absurd);
  g_test_add_func ("/tensor/int4", test_int4);
  g_test_add_func ("/tensor/npy", test_npy);
  g_test_add_func ("/tensor/npy-fortran", test_fortran);
  g_test_add_func ("/tensor/npy-big-endian", test_big_endian);
  return g_test_run ();
}
