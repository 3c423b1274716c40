#include "engine/dataset/pare-dataset-private.h"
#include "engine/base/pare-error.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#define DEFAULT_CACHE (512 * G_GUINT64_CONSTANT (1048576))
#define HASH_BYTES_UP_TO (64 * G_GUINT64_CONSTANT (1048576))
#define THUMBNAIL 256

static char *
make_name (const PareDescription *d)
{
  g_autofree char *base = g_path_get_basename (d->file), *whole = g_canonicalize_filename (d->folder, NULL);
  g_autofree char *folder = g_path_get_basename (whole);
  if (strcmp (base, "dataset.json") == 0 || g_file_test (d->file, G_FILE_TEST_IS_DIR))
    return g_steal_pointer (&folder);
  char *dot = strrchr (base, '.');
  if (dot != NULL && dot != base)
    *dot = '\0';
  return g_strdup_printf ("%s/%s", folder, base);
}

PareDataset *
pare_dataset_open (const char *path, GError **error)
{
  PareDescription *d = pare_description_guess (path, error);
  if (d == NULL)
    return NULL;
  g_autoptr (PareDataset) self = g_new0 (PareDataset, 1);
  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->d = d;
  self->path = g_strdup (path);
  self->name = make_name (d);
  self->paths = g_ptr_array_new_with_free_func (g_free);
  self->files = g_ptr_array_new_with_free_func (g_free);
  self->labels = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->cache = pare_cache_new (DEFAULT_CACHE);
  self->class_names = g_strdupv (d->class_names);
  self->n_classes = d->class_names != NULL ? g_strv_length (d->class_names) : 0;
  if (!pare_source_open (self, error) || !pare_splits_make (self, error))
    return NULL;
  if (self->n == 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA,
                   "%s: no samples (pictures in class folders, IDX, x.npy, .npz, CSV or a dataset.json)", path);
      return NULL;
    }
  if (self->labels->len == self->n || self->y != NULL)
    self->has_labels = TRUE;
  if (d->format == PARE_FORMAT_YOLO)
    self->has_labels = d->labels != NULL;
  return g_steal_pointer (&self);
}

PareDataset *
pare_dataset_ref (PareDataset *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_dataset_unref (PareDataset *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  pare_cache_free (self->cache);
  pare_description_free (self->d);
  g_free (self->path);
  g_free (self->name);
  g_free (self->hash);
  g_mutex_clear (&self->lock);
  pare_tensor_unref (self->x);
  pare_tensor_unref (self->y);
  g_free (self->x_file);
  g_free (self->y_file);
  g_ptr_array_unref (self->paths);
  g_ptr_array_unref (self->files);
  g_array_unref (self->labels);
  g_strfreev (self->class_names);
  for (int i = 0; i < 3; i++)
    g_free (self->ids[i]);
  g_free (self);
}

PareTask
pare_dataset_get_task (const PareDataset *self)
{
  return self->d->task;
}

gboolean
pare_dataset_has_labels (const PareDataset *self)
{
  return self->has_labels;
}

const char *
pare_dataset_get_path (const PareDataset *self)
{
  return self->path;
}

const char *
pare_dataset_get_name (const PareDataset *self)
{
  return self->name;
}

int
pare_dataset_get_class_offset (const PareDataset *self)
{
  return self->d->class_offset;
}

guint
pare_dataset_get_n_classes (const PareDataset *self)
{
  return self->n_classes;
}

const char *
pare_dataset_get_class_name (const PareDataset *self, gint64 label)
{
  return label >= 0 && label < self->n_classes ? self->class_names[label] : NULL;
}

int
pare_dataset_get_batch_axis (const PareDataset *self)
{
  return self->d->batch_axis;
}

gboolean
pare_dataset_has_windows (const PareDataset *self)
{
  return self->d->p.window_length > 0 && self->d->task != PARE_TASK_NEXT_TOKEN;
}

guint
pare_dataset_get_n_samples (const PareDataset *self, PareSplit split)
{
  return split == PARE_SPLIT_ALL ? self->n : self->n_ids[split];
}

void
pare_dataset_set_cache (PareDataset *self, guint64 bytes)
{
  pare_cache_set_limit (self->cache, bytes);
}

static guint64
file_size (const char *path)
{
  GStatBuf st;
  return g_stat (path, &st) == 0 ? (guint64)st.st_size : 0;
}

/* The name without the data set's folder, so that a copy elsewhere has the same hash. */
static const char *
inner_name (const PareDataset *self, const char *path)
{
  gsize n = strlen (self->d->folder);
  return strncmp (path, self->d->folder, n) == 0 ? path + n : path;
}

static void
hash_file (const PareDataset *self, GChecksum *sum, const char *path, gboolean bytes)
{
  const char *name = inner_name (self, path);
  g_checksum_update (sum, (const guchar *)name, (gssize)strlen (name) + 1);
  if (bytes)
    {
      g_autoptr (GMappedFile) map = g_mapped_file_new (path, FALSE, NULL);
      if (map != NULL && g_mapped_file_get_length (map) > 0)
        g_checksum_update (sum, (const guchar *)g_mapped_file_get_contents (map), (gssize)g_mapped_file_get_length (map));
      return;
    }
  GStatBuf st = { 0 };
  if (g_stat (path, &st) != 0)
    return;
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT, (gint64)st.st_size, (gint64)st.st_mtime);
  g_checksum_update (sum, (const guchar *)text, -1);
}

const char *
pare_dataset_get_hash (const PareDataset *self)
{
  PareDataset *me = (PareDataset *)self;
  g_mutex_lock (&me->lock);
  if (me->hash == NULL)
    {
      guint64 total = 0;
      GPtrArray *lists[2] = { self->files, self->paths };
      for (int l = 0; l < 2; l++)
        for (guint i = 0; i < lists[l]->len; i++)
          total += file_size (lists[l]->pdata[i]);
      g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
      if (g_file_test (self->d->file, G_FILE_TEST_IS_REGULAR))
        hash_file (self, sum, self->d->file, file_size (self->d->file) <= HASH_BYTES_UP_TO);
      for (int l = 0; l < 2; l++)
        for (guint i = 0; i < lists[l]->len; i++)
          hash_file (self, sum, lists[l]->pdata[i], total <= HASH_BYTES_UP_TO);
      if (self->labels->len > 0)
        g_checksum_update (sum, (const guchar *)self->labels->data, (gssize)(self->labels->len * sizeof (gint64)));
      me->hash = g_strdup (g_checksum_get_string (sum));
    }
  g_mutex_unlock (&me->lock);
  return self->hash;
}

/* Sample number in the whole data set. */
static gboolean
find (const PareDataset *self, PareSplit split, guint i, guint *id)
{
  if (i >= pare_dataset_get_n_samples (self, split))
    return FALSE;
  *id = split == PARE_SPLIT_ALL ? i : self->ids[split][i];
  return TRUE;
}

static PareTensor *
load_x (PareDataset *self, guint id, GError **error)
{
  GError *inner = NULL;
  PareTensor *x = NULL;
  const char *file = self->x_file;
  if (self->x != NULL)
    {
      x = pare_preprocess_row (&self->d->p, self->d->task, self->x, id, &inner);
      if (x == NULL)
        g_propagate_prefixed_error (error, inner, "%s: row %u: ", file, id);
      return x;
    }
  file = self->paths->pdata[id];
  g_autoptr (PareImage) image = pare_image_load (file, error); /* names the file itself */
  if (image == NULL)
    return NULL;
  x = pare_preprocess_image (&self->d->p, image, &inner);
  if (x == NULL)
    g_propagate_prefixed_error (error, inner, "%s: ", file);
  return x;
}

static PareTensor *
load_tokens (const PareDataset *self, guint id, GError **error)
{
  gint64 each = pare_tensor_count (self->y) / self->n;
  PareShape shape = pare_shape_make (1, each);
  PareTensor *t = pare_tensor_new_shared (PARE_DTYPE_INT64, &shape, error);
  for (gint64 k = 0; t != NULL && k < each; k++)
    ((gint64 *)t->data)[k] = pare_tensor_get_int (self->y, (gsize)(id * each + k));
  return t;
}

gboolean
pare_dataset_load (PareDataset *self, PareSplit split, guint i, PareSample *sample, GError **error)
{
  guint id;
  *sample = (PareSample){ .label = -1 };
  if (!find (self, split, i, &id))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: the split %s has no sample %u", self->path, pare_split_name (split), i);
      return FALSE;
    }
  sample->x = pare_cache_get (self->cache, id);
  if (sample->x == NULL)
    {
      if ((sample->x = load_x (self, id, error)) == NULL)
        return FALSE;
      if (split != PARE_SPLIT_CALIBRATION) /* read once: what is kept is for samples that come back */
        pare_cache_put (self->cache, id, sample->x);
    }
  if (self->labels->len > 0)
    sample->label = g_array_index (self->labels, gint64, id);
  if (self->y != NULL && (sample->labels = load_tokens (self, id, error)) == NULL)
    {
      pare_sample_clear (sample);
      return FALSE;
    }
  return TRUE;
}

void
pare_sample_clear (PareSample *sample)
{
  g_clear_pointer (&sample->x, pare_tensor_unref);
  g_clear_pointer (&sample->labels, pare_tensor_unref);
  sample->label = -1;
}

GBytes *
pare_dataset_load_thumbnail (PareDataset *self, PareSplit split, guint i, int *width, int *height)
{
  guint id;
  if (!find (self, split, i, &id) || self->d->task == PARE_TASK_NEXT_TOKEN || self->d->p.window_length > 0)
    return NULL;
  g_autoptr (PareImage) image
      = self->x != NULL ? pare_preprocess_picture (&self->d->p, self->x, id) : pare_image_load (self->paths->pdata[id], NULL);
  if (image == NULL)
    return NULL;
  int longer = MAX (image->width, image->height);
  if (longer > THUMBNAIL)
    {
      int w = MAX (1, (int)((gint64)image->width * THUMBNAIL / longer)), h = MAX (1, (int)((gint64)image->height * THUMBNAIL / longer));
      PareImage *small = pare_image_resize (image, w, h, NULL);
      if (small == NULL)
        return NULL;
      pare_image_free (image);
      image = small;
    }
  *width = image->width;
  *height = image->height;
  gsize pixels = (gsize)image->width * image->height;
  guint8 *rgb = g_malloc (pixels * 3);
  for (gsize k = 0; k < pixels; k++)
    for (int c = 0; c < 3; c++)
      rgb[3 * k + c] = image->data[image->channels == 3 ? 3 * k + c : k];
  return g_bytes_new_take (rgb, pixels * 3);
}

/* numpy's astype: toward zero for integers; what does not fit is clamped. */
static PareTensor *
cast (PareTensor *x, PareDtype dtype, GError **error)
{
  gboolean to_integer
      = dtype != PARE_DTYPE_FLOAT32 && dtype != PARE_DTYPE_FLOAT16 && dtype != PARE_DTYPE_FLOAT64 && dtype != PARE_DTYPE_BFLOAT16;
  if (x->dtype != PARE_DTYPE_FLOAT32 || !to_integer || dtype == PARE_DTYPE_BOOL)
    return pare_tensor_cast (x, dtype, error);
  g_autoptr (PareTensor) whole = pare_tensor_copy (x);
  if (whole == NULL)
    return NULL;
  for (gint64 i = 0; i < pare_tensor_count (whole); i++)
    ((float *)whole->data)[i] = truncf (((float *)whole->data)[i]);
  return pare_tensor_cast (whole, dtype, error);
}

PareTensor *
pare_dataset_fit (PareDataset *self, PareTensor *x, PareDtype dtype, const PareShape *want, const char *input, GError **error)
{
  int axis = self->d->batch_axis;
  g_autoptr (PareTensor) typed = cast (x, dtype, error);
  if (typed == NULL)
    return NULL;
  PareShape shape = typed->shape;
  gboolean room = axis <= shape.rank && shape.rank < PARE_MAX_RANK, fits = room;
  if (room)
    {
      memmove (shape.dims + axis + 1, shape.dims + axis, (gsize)(shape.rank - axis) * sizeof shape.dims[0]);
      shape.dims[axis] = 1;
      shape.rank++;
    }
  if (want != NULL && want->rank >= 0)
    {
      fits = room && want->rank == shape.rank;
      for (int i = 0; fits && i < want->rank; i++)
        fits = want->dims[i] < 0 || want->dims[i] == shape.dims[i];
      if (!fits)
        {
          shape = *want;
          for (int i = 0; i < shape.rank; i++)
            if (shape.dims[i] < 0)
              shape.dims[i] = 1;
          fits = pare_shape_count (&shape) == pare_tensor_count (typed);
        }
    }
  if (!fits)
    {
      g_autofree char *have = pare_shape_to_string (&x->shape), *text = want != NULL ? pare_shape_to_string (want) : g_strdup ("?");
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE,
                   "%s: a sample is %s, the model's input '%s' wants %s: the description's preprocess must fit the model", self->path, have,
                   input, text);
      return NULL;
    }
  return pare_tensor_reshape (typed, &shape, error);
}
