/* Finding samples and labels: class folders, CSV, arrays, YOLO folders. Everything wrong is named with its file and line. */
#include "engine/dataset/pare-dataset-private.h"
#include "engine/dataset/pare-array.h"
#include "engine/dataset/pare-csv.h"
#include "engine/base/pare-error.h"

#include <math.h>
#include <string.h>

#define MAX_FILES 50000000u

static gboolean
check_label (PareDataset *self, gint64 label, const char *file, const char *what, guint where, GError **error)
{
  if (label < 0)
    g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: %s %u: label %" G_GINT64_FORMAT " is negative", file, what, where, label);
  else if (label > G_MAXINT32 / 2)
    g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: %s %u: label %" G_GINT64_FORMAT " is out of range", file, what, where, label);
  else if (self->n_classes > 0 && label >= self->n_classes && self->d->task == PARE_TASK_CLASSIFICATION)
    g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: %s %u: label %" G_GINT64_FORMAT " is out of range, there are %u classes", file,
                 what, where, label, self->n_classes);
  else
    return TRUE;
  return FALSE;
}

/* A whole number, also written as 3.0. */
static gboolean
parse_number (const char *text, gint64 *value)
{
  char *end;
  double v = g_ascii_strtod (text, &end);
  if (end == text || *end != '\0' || !isfinite (v) || v != floor (v) || fabs (v) > 1e15)
    return FALSE;
  *value = (gint64)v;
  return TRUE;
}

static gboolean
parse_label (PareDataset *self, const char *text, gint64 *value)
{
  if (parse_number (text, value))
    return TRUE;
  for (guint i = 0; i < self->n_classes; i++)
    if (strcmp (self->class_names[i], text) == 0)
      {
        *value = i;
        return TRUE;
      }
  return FALSE;
}

static void
add_file (PareDataset *self, char *path, gboolean labelled, gint64 label)
{
  g_ptr_array_add (self->paths, path);
  if (labelled)
    g_array_append_val (self->labels, label);
  self->n++;
}

gboolean
pare_source_add_csv (PareDataset *self, const char *file, guint *first, guint *count, GError **error)
{
  g_autoptr (GPtrArray) table = pare_csv_load (file, error);
  if (table == NULL)
    return FALSE;
  g_ptr_array_add (self->files, g_strdup (file));
  *first = self->n;
  guint labelled = self->labels->len, before = self->n;
  for (guint i = 0; i < table->len; i++)
    {
      PareCsvRow *row = table->pdata[i];
      gint64 label = -1;
      gboolean has = row->n_fields >= 2 && self->d->task != PARE_TASK_DETECTION;
      g_autofree char *path = row->fields[0][0] != '\0' ? pare_description_at (self->d, row->fields[0]) : NULL;
      gboolean exists = path != NULL && g_file_test (path, G_FILE_TEST_IS_REGULAR);
      if (has && !parse_label (self, g_strstrip (row->fields[1]), &label))
        {
          if (i == 0 && !exists)
            continue; /* the header */
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: line %u: label \"%s\" is neither a number nor a class name", file,
                       row->line, row->fields[1]);
          return FALSE;
        }
      if (!exists)
        {
          if (i == 0 && !has && table->len > 1)
            continue;
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: line %u: no file \"%s\"", file, row->line, row->fields[0]);
          return FALSE;
        }
      if (has && !check_label (self, label, file, "line", row->line, error))
        return FALSE;
      if (has != (self->labels->len > labelled) && self->n > before)
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: line %u: %s a label, unlike the lines before", file, row->line,
                       has ? "has" : "lacks");
          return FALSE;
        }
      add_file (self, g_steal_pointer (&path), has, label);
    }
  *count = self->n - *first;
  if (self->labels->len != 0 && self->labels->len != self->n)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: some of the data set's CSV files have labels and some have none", file);
      return FALSE;
    }
  return TRUE;
}

static gboolean
open_csv (PareDataset *self, GError **error)
{
  guint first, count;
  if (self->d->samples == NULL)
    return TRUE; /* the splits name the files */
  g_autofree char *file = pare_description_at (self->d, self->d->samples);
  return pare_source_add_csv (self, file, &first, &count, error);
}

static gboolean
too_many (PareDataset *self, GError **error)
{
  if (self->n < MAX_FILES)
    return FALSE;
  g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: more than %u files", self->d->file, MAX_FILES);
  return TRUE;
}

/* Pictures directly in `folder`. One of another kind is not left out: figures would stand for fewer samples, or for other classes. */
static gboolean
add_folder (PareDataset *self, const char *folder, GPtrArray *names, gboolean labelled, gint64 label, GError **error)
{
  for (guint i = 0; i < names->len; i++)
    {
      if (pare_image_is_foreign_name (names->pdata[i]))
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s%s%s: neither JPEG nor PNG", folder, G_DIR_SEPARATOR_S,
                       (const char *)names->pdata[i]);
          return FALSE;
        }
      if (!pare_image_is_name (names->pdata[i]))
        continue;
      if (too_many (self, error))
        return FALSE;
      add_file (self, g_build_filename (folder, names->pdata[i], NULL), labelled, label);
    }
  return TRUE;
}

static gboolean
holds_pictures (const char *folder, GPtrArray *names)
{
  for (guint i = 0; i < names->len; i++)
    if (pare_image_is_name (names->pdata[i]) || pare_image_is_foreign_name (names->pdata[i]))
      return TRUE;
  return FALSE;
}

/* Class folders; without any, a flat folder of unlabelled pictures. */
static gboolean
open_images (PareDataset *self, GError **error)
{
  g_autofree char *root = pare_description_at (self->d, self->d->samples != NULL ? self->d->samples : ".");
  g_autoptr (GPtrArray) names = pare_folder_list (root, error);
  if (names == NULL)
    return FALSE;
  g_autoptr (GStrvBuilder) found = g_strv_builder_new ();
  gint64 next = 0;
  for (guint i = 0; i < names->len; i++)
    {
      g_autofree char *folder = g_build_filename (root, names->pdata[i], NULL);
      if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
        continue;
      g_autoptr (GPtrArray) inside = pare_folder_list (folder, error);
      if (inside == NULL)
        return FALSE;
      if (!holds_pictures (folder, inside))
        continue;
      gint64 label = next++;
      if (self->n_classes > 0 && !parse_label (self, names->pdata[i], &label))
        {
          g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: the folder's name is none of the classes in %s", folder, self->d->file);
          return FALSE;
        }
      if (self->n_classes > 0 && !check_label (self, label, folder, "class", (guint)next, error))
        return FALSE;
      g_strv_builder_add (found, names->pdata[i]);
      if (!add_folder (self, folder, inside, TRUE, label, error))
        return FALSE;
    }
  if (next > 0)
    {
      if (self->n_classes == 0)
        {
          self->class_names = g_strv_builder_end (found);
          self->n_classes = (guint)next;
        }
      return TRUE;
    }
  return add_folder (self, root, names, FALSE, -1, error);
}

static gboolean
walk (PareDataset *self, const char *folder, int depth, GError **error)
{
  g_autoptr (GPtrArray) names = pare_folder_list (folder, error);
  if (names == NULL || !add_folder (self, folder, names, FALSE, -1, error))
    return FALSE;
  for (guint i = 0; i < names->len && depth < 8; i++)
    {
      g_autofree char *inner = g_build_filename (folder, names->pdata[i], NULL);
      if (g_file_test (inner, G_FILE_TEST_IS_DIR) && !g_file_test (inner, G_FILE_TEST_IS_SYMLINK) && !walk (self, inner, depth + 1, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
open_yolo (PareDataset *self, GError **error)
{
  g_autofree char *root = pare_description_at (self->d, self->d->samples);
  return walk (self, root, 0, error);
}

static PareTensor *
load_array (PareDataset *self, const char *name, const char *const *members, char **file, GError **error)
{
  *file = pare_description_at (self->d, name);
  g_ptr_array_add (self->files, g_strdup (*file));
  if (self->d->format == PARE_FORMAT_IDX)
    return pare_idx_load (*file, error);
  if (g_str_has_suffix (*file, ".npz"))
    return pare_npz_load (*file, members, error);
  return pare_npy_load (*file, error);
}

/* A label of an array, which may be stored as a float. */
static gboolean
label_at (const PareTensor *y, gsize i, const char *file, guint row, gint64 *label, GError **error)
{
  if (y->dtype != PARE_DTYPE_FLOAT32 && y->dtype != PARE_DTYPE_FLOAT64 && y->dtype != PARE_DTYPE_FLOAT16)
    {
      *label = pare_tensor_get_int (y, i);
      return TRUE;
    }
  double v = pare_tensor_get_double (y, i);
  if (isnan (v) || v != floor (v) || fabs (v) > 1e15)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: row %u: label %g is not a whole number", file, row, v);
      return FALSE;
    }
  *label = (gint64)v;
  return TRUE;
}

static gboolean
use_labels (PareDataset *self, PareTensor *y, GError **error)
{
  gint64 n = self->n, each = y->shape.rank > 0 && n > 0 ? pare_tensor_count (y) / n : 0;
  if (y->shape.rank < 1 || y->shape.dims[0] != n)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: %" G_GINT64_FORMAT " labels, %s has %u samples", self->y_file,
                   (gint64)(y->shape.rank > 0 ? y->shape.dims[0] : 1), self->x_file, self->n);
      return FALSE;
    }
  gboolean tokens = self->d->task == PARE_TASK_NEXT_TOKEN;
  if (each < 1 || (!tokens && each != 1))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: %" G_GINT64_FORMAT " labels for each sample, one was expected", self->y_file,
                   each);
      return FALSE;
    }
  for (gint64 i = 0; i < n * each; i++)
    {
      gint64 label;
      guint row = (guint)(i / each);
      if (!label_at (y, (gsize)i, self->y_file, row, &label, error) || !check_label (self, label, self->y_file, "row", row, error))
        return FALSE;
      if (!tokens)
        g_array_append_val (self->labels, label);
    }
  if (tokens)
    self->y = pare_tensor_ref (y);
  self->has_labels = TRUE;
  return TRUE;
}

static gboolean
open_arrays (PareDataset *self, GError **error)
{
  static const char *const samples[] = { "x", "X", "x_test", "X_test", "images", "samples", "data", "arr_0", NULL };
  static const char *const labels[] = { "y", "Y", "y_test", "Y_test", "labels", "arr_1", NULL };
  self->x = load_array (self, self->d->samples, samples, &self->x_file, error);
  if (self->x == NULL)
    return FALSE;
  if (self->x->shape.rank < 1 || self->x->shape.dims[0] < 1 || pare_tensor_count (self->x) < 1 || self->x->shape.dims[0] > G_MAXINT32)
    {
      g_autofree char *text = pare_shape_to_string (&self->x->shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: the array (%s) has no samples along its first axis", self->x_file, text);
      return FALSE;
    }
  self->n = (guint)self->x->shape.dims[0];
  g_autoptr (PareTensor) y = NULL;
  if (self->d->labels != NULL)
    {
      if ((y = load_array (self, self->d->labels, labels, &self->y_file, error)) == NULL)
        return FALSE;
    }
  else if (g_str_has_suffix (self->x_file, ".npz"))
    {
      g_autoptr (GBytes) bytes = pare_file_map (self->x_file, error);
      g_auto (GStrv) members = bytes != NULL ? pare_npz_list (bytes, self->x_file, error) : NULL;
      if (members == NULL)
        return FALSE;
      gboolean there = FALSE;
      for (guint i = 0; labels[i] != NULL; i++)
        there |= g_strv_contains ((const char *const *)members, labels[i]);
      if (there)
        {
          self->y_file = g_strdup (self->x_file);
          if ((y = pare_npz_parse (bytes, self->x_file, labels, error)) == NULL)
            return FALSE;
        }
    }
  return y == NULL || use_labels (self, y, error);
}

gboolean
pare_source_open (PareDataset *self, GError **error)
{
  gboolean good = FALSE;
  switch (self->d->format)
    {
    case PARE_FORMAT_IMAGES:
      good = open_images (self, error);
      break;
    case PARE_FORMAT_CSV:
      good = open_csv (self, error);
      break;
    case PARE_FORMAT_YOLO:
      good = open_yolo (self, error);
      break;
    case PARE_FORMAT_IDX:
    case PARE_FORMAT_NPY:
      good = open_arrays (self, error);
      break;
    }
  return good;
}
