/* libFuzzer: any bytes as NPY, IDX (also gzip) and NPZ. Each gives a tensor that can be read whole, or one error. */
#include "engine/dataset/pare-array.h"

int LLVMFuzzerTestOneInput (const guint8 *data, size_t size);

static void
use (PareTensor *t, GError *error)
{
  if ((t == NULL) != (error != NULL))
    g_error ("neither a tensor nor an error, or both");
  volatile double sum = 0;
  for (gint64 i = 0; t != NULL && i < pare_tensor_count (t); i++)
    sum += pare_tensor_get_double (t, (gsize)i);
  pare_tensor_unref (t);
  g_clear_error (&error);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, size_t size)
{
  static const char *const names[] = { "x", "*", NULL };
  g_autoptr (GBytes) bytes = g_bytes_new (data, size); /* a copy of its own: reading past the end is seen */
  GError *error = NULL;
  PareTensor *t = pare_npy_parse (bytes, "npy", &error);
  use (t, error);
  error = NULL;
  t = pare_idx_parse (bytes, "idx", &error);
  use (t, error);
  error = NULL;
  t = pare_npz_parse (bytes, "npz", names, &error);
  use (t, error);
  error = NULL;
  g_strfreev (pare_npz_list (bytes, "npz", &error));
  g_clear_error (&error);
  return 0;
}
