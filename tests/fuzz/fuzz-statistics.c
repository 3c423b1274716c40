/* libFuzzer: any bytes as stored activation statistics, whole and behind their checksum. Each gives statistics that ranges can be read
 * from, or one error. */
#include "engine/project/pare-statistics-codec.h"

#include <math.h>

int LLVMFuzzerTestOneInput (const guint8 *data, size_t size);

static void
use (PareStatistics *statistics, GError *error)
{
  static const PareCalibrator calibrators[]
      = { PARE_CALIBRATOR_MINMAX, PARE_CALIBRATOR_PERCENTILE, PARE_CALIBRATOR_MSE, PARE_CALIBRATOR_ENTROPY };
  if ((statistics == NULL) != (error != NULL))
    g_error ("neither statistics nor an error, or both");
  g_clear_error (&error);
  if (statistics == NULL)
    return;
  guint n;
  g_autofree const char **names = pare_statistics_list (statistics, &n);
  for (guint i = 0; i < n; i++)
    for (guint c = 0; i < 2 && c < G_N_ELEMENTS (calibrators); c++)
      {
        double low, high;
        pare_histogram_range (pare_statistics_get (statistics, names[i]), calibrators[c], 99.9, 4, &low, &high);
        if (!isfinite (low) || !isfinite (high) || low > 0 || high < 0)
          g_error ("a range that is none");
      }
  /* Writing and reading again gives the same bytes. */
  g_autoptr (GBytes) once = pare_statistics_to_bytes (statistics, "key");
  gsize length;
  const void *bytes = g_bytes_get_data (once, &length);
  g_autoptr (PareStatistics) back = pare_statistics_from_bytes (bytes, length, "key", NULL);
  g_autoptr (GBytes) twice = back != NULL ? pare_statistics_to_bytes (back, "key") : NULL;
  if (twice == NULL || !g_bytes_equal (once, twice))
    g_error ("not the same after writing and reading");
  pare_statistics_unref (statistics);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, size_t size)
{
  GError *error = NULL;
  PareStatistics *statistics = pare_statistics_from_bytes (data, size, NULL, &error);
  use (statistics, error);
  error = NULL;
  statistics = pare_statistics_payload_from_bytes (data, size, NULL, &error);
  use (statistics, error);
  return 0;
}
