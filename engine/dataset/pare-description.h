/* What a dataset.json says, checked. DESIGN "Data descriptions". */
#pragma once
#include "engine/dataset/pare-dataset.h"

typedef enum
{
  PARE_FORMAT_IMAGES,
  PARE_FORMAT_IDX,
  PARE_FORMAT_NPY,
  PARE_FORMAT_CSV,
  PARE_FORMAT_YOLO
} PareFormat;
typedef enum
{
  PARE_COLOR_NONE,
  PARE_COLOR_RGB,
  PARE_COLOR_BGR,
  PARE_COLOR_GRAY
} PareColor;
typedef enum
{
  PARE_LAYOUT_NONE,
  PARE_LAYOUT_NCHW,
  PARE_LAYOUT_NHWC
} PareLayout;

#define PARE_MAX_CHANNELS 4096

/* Zero means: not asked for. */
typedef struct
{
  int resize_short, crop, resize_after_crop, letterbox, pad;
  PareColor color;
  gboolean normalize; /* one of scale, mean, std is there */
  float scale, *mean, *std;
  guint n_mean, n_std;
  PareLayout layout, from;
  gboolean reshape_set;
  PareShape reshape; /* one extent may be -1 */
  gint64 window_length, window_stride;
} ParePreprocess;

typedef enum
{
  PARE_RULE_NONE,
  PARE_RULE_FRACTION,
  PARE_RULE_TEXT
} PareRuleKind;
typedef struct
{
  PareRuleKind kind;
  double fraction;
  char *text; /* ranges, or a CSV file's name */
} PareSplitRule;

typedef struct
{
  char *file;   /* for messages: the JSON file, or the folder or file that was opened without one */
  char *folder; /* relative names start here */
  PareFormat format;
  PareTask task;
  char *samples, *labels; /* nullable; as written */
  char **class_names;     /* nullable */
  int class_offset, batch_axis;
  ParePreprocess p;
  PareSplitRule rules[3];
  guint32 seed;
} PareDescription;

PareDescription *pare_description_load (const char *path, GError **error);
PareDescription *pare_description_parse (const char *text, gsize length, const char *path, GError **error);
/* Works out what a folder or a bare data file is. */
PareDescription *pare_description_guess (const char *path, GError **error);
/* The default splits: calibration 0.2, search 0.3, report 0.5, seed 1. */
void pare_description_default_splits (PareDescription *self);
void pare_description_free (PareDescription *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareDescription, pare_description_free)

/* (transfer full): `name` from the description's folder. */
char *pare_description_at (const PareDescription *self, const char *name);
/* (transfer full): lines of a text file without line ends. */
char **pare_lines_load (const char *path, GError **error);
/* The file that goes with this one by its name (x.npy -> y.npy, ..images-idx3.. -> ..labels-idx1..), when it exists; (transfer full)
 * (nullable). */
char *pare_labels_beside (const char *path);
/* (transfer full): names of a folder's entries but hidden ones, in byte order. */
GPtrArray *pare_folder_list (const char *folder, GError **error);
int pare_compare_names (gconstpointer a, gconstpointer b);
