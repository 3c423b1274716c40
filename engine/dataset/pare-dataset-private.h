/* Inside of a data set: where samples lie, what they are called, which split they are in. */
#pragma once
#include "engine/dataset/pare-dataset.h"
#include "engine/dataset/pare-description.h"
#include "engine/dataset/pare-image.h"

typedef struct _PareCache PareCache;
/* Least recently used first out, by bytes; thread-safe. */
PareCache *pare_cache_new (guint64 limit);
void pare_cache_free (PareCache *self);
void pare_cache_set_limit (PareCache *self, guint64 limit);
PareTensor *pare_cache_get (PareCache *self, guint key); /* (transfer full) (nullable) */
void pare_cache_put (PareCache *self, guint key, PareTensor *value);

struct _PareDataset
{
  gatomicrefcount refs;
  PareDescription *d;
  char *path, *name;
  GMutex lock; /* guards hash */
  char *hash;

  /* Either arrays.. */
  PareTensor *x, *y; /* y: next-token only */
  char *x_file, *y_file;
  /* ..or files. */
  GPtrArray *paths; /* char* */

  GArray *labels;   /* gint64 per sample; empty: none */
  GPtrArray *files; /* char*: what was read at opening, for the hash */
  char **class_names;
  guint n_classes;
  guint n;
  gboolean has_labels;
  guint *ids[3];
  guint n_ids[3];
  PareCache *cache;
};

/* Fills x/y or paths and labels. */
gboolean pare_source_open (PareDataset *self, GError **error);
/* Appends the rows of a CSV of path,label; *first and *count say which samples they became. */
gboolean pare_source_add_csv (PareDataset *self, const char *file, guint *first, guint *count, GError **error);
/* Fills ids. */
gboolean pare_splits_make (PareDataset *self, GError **error);

/* All steps of the description on one stored sample; x without batch axis. */
PareTensor *pare_preprocess_image (const ParePreprocess *p, const PareImage *image, GError **error);
PareTensor *pare_preprocess_row (const ParePreprocess *p, PareTask task, const PareTensor *x, guint row, GError **error);
/* Row of an array as a picture where it can be one; NULL otherwise, without error. */
PareImage *pare_preprocess_picture (const ParePreprocess *p, const PareTensor *x, guint row);
/* A tensor whose memory is shared when it is reshaped. */
PareTensor *pare_tensor_new_shared (PareDtype dtype, const PareShape *shape, GError **error);
