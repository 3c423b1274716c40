/* Splits: fractions of a seeded order, index ranges, or CSV files of their own. */
#include "engine/dataset/pare-dataset-private.h"
#include "engine/dataset/pare-csv.h"
#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"

#include <stdlib.h>
#include <string.h>

gboolean
pare_split_parse (const char *text, PareSplit *split)
{
  for (int i = 0; i <= PARE_SPLIT_ALL; i++)
    if (text != NULL && strcmp (text, pare_split_name ((PareSplit)i)) == 0)
      {
        *split = (PareSplit)i;
        return TRUE;
      }
  return FALSE;
}

const char *
pare_split_name (PareSplit split)
{
  static const char *const names[] = { "calibration", "search", "report", "all" };
  return names[split];
}

static gboolean refuse (PareDataset *self, int split, GError **error, const char *format, ...) G_GNUC_PRINTF (4, 5);

static gboolean
refuse (PareDataset *self, int split, GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: 'splits.%s' %s", self->d->file, pare_split_name ((PareSplit)split), why);
  return FALSE;
}

static void
take (PareDataset *self, int split, GArray *ids)
{
  self->n_ids[split] = ids->len;
  self->ids[split] = (guint *)g_array_free (ids, FALSE);
}

/* "0:200,310:": index ranges as Python slices without steps. */
static gboolean
add_ranges (PareDataset *self, int split, guint n, GError **error)
{
  const char *at = self->d->rules[split].text;
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (guint));
  for (;;)
    {
      guint64 bounds[2] = { 0, n };
      for (int side = 0; side < 2; side++)
        {
          char *end;
          if (g_ascii_isdigit (*at))
            {
              bounds[side] = g_ascii_strtoull (at, &end, 10);
              at = end;
            }
          if (side == 0 && *at++ != ':')
            {
              g_array_free (ids, TRUE);
              return refuse (self, split, error, "is \"%s\": ranges look like \"0:200,310:\"", self->d->rules[split].text);
            }
        }
      guint64 length = bounds[1] > bounds[0] ? bounds[1] - bounds[0] : 0;
      if (bounds[1] > n || ids->len + length > n)
        {
          gboolean beyond = bounds[1] > n;
          g_array_free (ids, TRUE);
          return beyond ? refuse (self, split, error, "names sample %" G_GUINT64_FORMAT ", there are %u", bounds[1] - 1, n)
                        : refuse (self, split, error, "names samples more than once");
        }
      for (guint64 i = bounds[0]; i < bounds[1]; i++)
        {
          guint id = (guint)i;
          g_array_append_val (ids, id);
        }
      if (*at == '\0')
        break;
      if (*at++ != ',')
        {
          g_array_free (ids, TRUE);
          return refuse (self, split, error, "is \"%s\": ranges look like \"0:200,310:\"", self->d->rules[split].text);
        }
    }
  take (self, split, ids);
  return TRUE;
}

typedef struct
{
  guint64 hash;
  guint id;
} Ticket;

static int
compare_tickets (const void *a, const void *b)
{
  const Ticket *x = a, *y = b;
  return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
}

static void
add_fractions (PareDataset *self, guint n)
{
  Ticket *order = g_new (Ticket, MAX (n, 1));
  for (guint i = 0; i < n; i++)
    order[i] = (Ticket){ pare_splitmix64 ((guint64)self->d->seed << 32 | i), i };
  qsort (order, n, sizeof *order, compare_tickets);
  double start = 0;
  for (int s = 0; s < 3; s++)
    {
      if (self->d->rules[s].kind != PARE_RULE_FRACTION)
        continue;
      double end = start + self->d->rules[s].fraction;
      guint lo = MIN ((guint)(start * n + 0.5), n), hi = CLAMP ((guint)(end * n + 0.5), lo, n);
      GArray *ids = g_array_sized_new (FALSE, FALSE, sizeof (guint), hi - lo);
      for (guint i = lo; i < hi; i++)
        g_array_append_val (ids, order[i].id);
      take (self, s, ids);
      start = end;
    }
  g_free (order);
}

static gboolean
is_ranges (const char *text)
{
  return text[0] != '\0' && text[strspn (text, "0123456789:, ")] == '\0';
}

/* A CSV beside an array names rows by their index. */
static gboolean
add_index_file (PareDataset *self, int split, const char *file, guint n, GError **error)
{
  g_autoptr (GPtrArray) table = pare_csv_load (file, error);
  if (table == NULL)
    return FALSE;
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < table->len; i++)
    {
      PareCsvRow *row = table->pdata[i];
      char *end, *text = g_strstrip (row->fields[0]);
      guint64 v = g_ascii_strtoull (text, &end, 10);
      if (!g_ascii_isdigit (*text) || *end != '\0' || v >= n)
        {
          if (i == 0 && !g_ascii_isdigit (*text))
            continue; /* the header */
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: line %u: \"%s\" is no index below %u", file, row->line, text, n);
          g_array_free (ids, TRUE);
          return FALSE;
        }
      guint id = (guint)v;
      g_array_append_val (ids, id);
    }
  g_ptr_array_add (self->files, g_strdup (file));
  take (self, split, ids);
  return TRUE;
}

static gboolean
add_file (PareDataset *self, int split, guint n, GHashTable *seen, GError **error)
{
  g_autofree char *file = pare_description_at (self->d, self->d->rules[split].text);
  if (!g_file_test (file, G_FILE_TEST_IS_REGULAR))
    return refuse (self, split, error, "is \"%s\": neither index ranges nor a CSV file that exists", self->d->rules[split].text);
  if (self->x != NULL)
    return add_index_file (self, split, file, n, error);
  guint first, count;
  gpointer before = g_hash_table_lookup (seen, file); /* two splits may share one file */
  if (before != NULL)
    {
      int other = GPOINTER_TO_INT (before) - 1;
      self->n_ids[split] = self->n_ids[other];
      self->ids[split] = g_memdup2 (self->ids[other], self->n_ids[other] * sizeof (guint));
      return TRUE;
    }
  if (!pare_source_add_csv (self, file, &first, &count, error))
    return FALSE;
  GArray *ids = g_array_sized_new (FALSE, FALSE, sizeof (guint), count);
  for (guint i = first; i < first + count; i++)
    g_array_append_val (ids, i);
  take (self, split, ids);
  g_hash_table_insert (seen, g_steal_pointer (&file), GINT_TO_POINTER (split + 1));
  return TRUE;
}

gboolean
pare_splits_make (PareDataset *self, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint n = self->n; /* CSV files of splits add to self->n, ranges and fractions mean what was there before */
  gboolean files_only = self->d->format == PARE_FORMAT_CSV && self->d->samples == NULL;
  add_fractions (self, n);
  for (int s = 0; s < 3; s++)
    {
      const PareSplitRule *rule = &self->d->rules[s];
      if (rule->kind == PARE_RULE_FRACTION && files_only)
        return refuse (self, s, error, "is a fraction, but there are no 'samples' to divide");
      if (rule->kind != PARE_RULE_TEXT)
        continue;
      if (!(is_ranges (rule->text) && !files_only ? add_ranges (self, s, n, error) : add_file (self, s, n, seen, error)))
        return FALSE;
    }
  return TRUE;
}
