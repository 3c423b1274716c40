#pragma once
#include "engine/tensor/pare-tensor.h"

/* Labelled (or unlabelled) samples by DESIGN's data descriptions. Immutable after open; thread-safe. */
typedef struct _PareDataset PareDataset;
typedef enum { PARE_TASK_CLASSIFICATION, PARE_TASK_ANOMALY, PARE_TASK_NEXT_TOKEN, PARE_TASK_DETECTION } PareTask;
typedef enum { PARE_SPLIT_CALIBRATION, PARE_SPLIT_SEARCH, PARE_SPLIT_REPORT, PARE_SPLIT_ALL } PareSplit;
gboolean pare_split_parse (const char *text, PareSplit *split);
const char *pare_split_name (PareSplit split);

/* path: a folder, a JSON description, an .npz, a CSV, an IDX or .npy pair's first file. Errors name the file and the place. */
PareDataset *pare_dataset_open (const char *path, GError **error);
PareDataset *pare_dataset_ref (PareDataset *self);
void pare_dataset_unref (PareDataset *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareDataset, pare_dataset_unref)

PareTask pare_dataset_get_task (const PareDataset *self);
gboolean pare_dataset_has_labels (const PareDataset *self);
const char *pare_dataset_get_path (const PareDataset *self);
const char *pare_dataset_get_name (const PareDataset *self);          /* for the title */
const char *pare_dataset_get_hash (const PareDataset *self);          /* SHA-256 over description and the files' bytes or sizes and times, hex */
int pare_dataset_get_class_offset (const PareDataset *self);
guint pare_dataset_get_n_classes (const PareDataset *self);           /* names known; 0: none */
const char *pare_dataset_get_class_name (const PareDataset *self, gint64 label); /* (nullable) */
int pare_dataset_get_batch_axis (const PareDataset *self);
gboolean pare_dataset_has_windows (const PareDataset *self);           /* samples are [windows, length] */
/* Number of samples of a split; sample ids run 0..n-1 within it, in split order. */
guint pare_dataset_get_n_samples (const PareDataset *self, PareSplit split);

/* One sample, preprocessed, without batch axis, float32 (int64 for next-token). With `window`: [windows, length]. */
typedef struct {
  PareTensor *x;
  gint64 label;         /* class; anomaly: 0 normal; -1: none */
  PareTensor *labels;   /* next-token: int64, one per position (or NULL) */
} PareSample;
gboolean pare_dataset_load (PareDataset *self, PareSplit split, guint i, PareSample *sample, GError **error);
void pare_sample_clear (PareSample *sample);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PareSample, pare_sample_clear)
/* Preprocessed samples are kept in memory up to this many bytes (default 512 MiB), least recently used first out. */
void pare_dataset_set_cache (PareDataset *self, guint64 bytes);
/* The sample as a picture for people: RGB8, (transfer full) NULL where it is no image. */
GBytes *pare_dataset_load_thumbnail (PareDataset *self, PareSplit split, guint i, int *width, int *height);

/* The sample as the model wants it: batch axis inserted, reshaped to `want` where only that fits, cast to dtype. */
PareTensor *pare_dataset_fit (PareDataset *self, PareTensor *x, PareDtype dtype, const PareShape *want, const char *input, GError **error);
