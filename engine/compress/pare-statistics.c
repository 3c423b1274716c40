#include "engine/compress/pare-statistics.h"

#include <string.h>

struct _PareStatistics
{
  gatomicrefcount refs;
  GHashTable *by_name; /* char* -> index + 1 */
  PareHistogram *histograms;
  guint n, n_samples;
};

PareStatistics *
pare_statistics_new (const char *const *names, const PareHistogram *histograms, guint n, guint n_samples)
{
  PareStatistics *self = g_new0 (PareStatistics, 1);
  g_atomic_ref_count_init (&self->refs);
  self->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->histograms = g_new (PareHistogram, MAX (n, 1));
  self->n = n;
  self->n_samples = n_samples;
  for (guint i = 0; i < n; i++)
    {
      self->histograms[i] = histograms[i];
      g_hash_table_insert (self->by_name, g_strdup (names[i]), GUINT_TO_POINTER (i + 1));
    }
  return self;
}

PareStatistics *
pare_statistics_ref (PareStatistics *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_statistics_unref (PareStatistics *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_hash_table_unref (self->by_name);
  g_free (self->histograms);
  g_free (self);
}

const PareHistogram *
pare_statistics_get (const PareStatistics *self, const char *value)
{
  guint i = self != NULL ? GPOINTER_TO_UINT (g_hash_table_lookup (self->by_name, value)) : 0;
  return i > 0 && self->histograms[i - 1].count > 0 ? &self->histograms[i - 1] : NULL;
}

static int
by_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

const char **
pare_statistics_list (const PareStatistics *self, guint *n)
{
  const char **names = (const char **)g_hash_table_get_keys_as_array (self->by_name, n);
  qsort (names, *n, sizeof *names, by_text);
  return names;
}

guint
pare_statistics_get_n_samples (const PareStatistics *self)
{
  return self->n_samples;
}
