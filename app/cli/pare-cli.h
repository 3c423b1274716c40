/* What the commands of `pare` share: options, messages, JSON, progress. */
#pragma once
#include <json-glib/json-glib.h>
#include "engine/base/pare-control.h"
#include "engine/compress/pare-apply.h"
#include "engine/cost/pare-cost.h"
#include "engine/evaluate/pare-evaluate.h"

enum
{
  PARE_EXIT_DONE = 0,
  PARE_EXIT_FAILED = 1,
  PARE_EXIT_USAGE = 2
};

/* Every option of every command; a command names those it takes. */
typedef struct
{
  const char *model; /* the positional argument */
  gboolean json, per_layer, hashes, bf16;
  int threads; /* 0: all cores */
  guint limit, repeat, batch;
  guint64 memory_budget; /* bytes, 0: what the engine thinks fit */
  PareBackend backend;
  PareSplit split;
  const char *model_again; /* replay: where the model is now */
  const char *data, *recipe, *output, *output_dir, *format, *predictions;
  GArray *shapes;       /* PareNamedShape */
  GPtrArray *inputs;    /* "NAME=FILE" */
  PareControl *control; /* cancelled by Ctrl+C; reports progress on a terminal */
} PareCliOptions;

typedef struct
{
  const char *name;
  const char *synopsis; /* what follows the name */
  const char *summary;
  const char *options; /* space-separated long options it takes, besides --json and --threads */
  gboolean json;       /* takes --json */
  int (*run) (PareCliOptions *options);
} PareCliCommand;

extern const PareCliCommand pare_cli_info, pare_cli_run, pare_cli_evaluate, pare_cli_optimize, pare_cli_bench, pare_cli_export,
    pare_cli_replay;

/* One line on stderr. fail returns PARE_EXIT_FAILED and frees the error. */
int pare_cli_fail (GError *error);
int pare_cli_usage (const char *format, ...) G_GNUC_PRINTF (1, 2);
void pare_cli_warn (const char *format, ...) G_GNUC_PRINTF (1, 2);
void pare_cli_warnings (GPtrArray *warnings);
void pare_cli_progress (const char *what, guint64 done, guint64 total, gpointer data); /* a PareProgressFunc */
void pare_cli_end_progress (void);

/* JSON helpers: a number that is not finite is null. */
void pare_cli_json_double (JsonBuilder *b, const char *name, double value);
void pare_cli_json_int (JsonBuilder *b, const char *name, gint64 value);
void pare_cli_json_string (JsonBuilder *b, const char *name, const char *value);
void pare_cli_json_shape (JsonBuilder *b, const char *name, const PareShape *shape, const char *const *dim_names);
void pare_cli_json_evaluation (JsonBuilder *b, const PareEvaluation *evaluation); /* members into the open object */
void pare_cli_json_print (JsonBuilder *b);

/* "12.3 KiB" and the like; (transfer full). */
char *pare_cli_bytes (gint64 bytes);
/* "0.9059 (0.8703 .. 0.9324, 340 samples)"; (transfer full). */
char *pare_cli_figure (const PareEvaluation *evaluation);

/* Loads graph and data with the options' paths. */
/* (transfer full) The model, with the values of --input in it that decide which branches run; those are taken from the list. runs_inputs: the
 * command feeds the others, else they are an error. */
PareGraph *pare_cli_load_model (const PareCliOptions *options, gboolean runs_inputs, GError **error);
/* The values of --input that are left in the list, by name, into tensors (PareTensor); their extents into the options' shapes. Error: no such
 * input, or no such file. */
gboolean pare_cli_load_inputs (PareCliOptions *options, const PareGraph *graph, GHashTable *tensors, GError **error);
/* Keeps a run's result with the file: recipe, figures, hash of the calibration data; (transfer full) NULL-terminated pairs. */
char **pare_cli_metadata (const PareRecipe *recipe, const PareEvaluation *baseline, const PareEvaluation *result,
                          const PareDataset *dataset);
/* Statistics where the recipe needs them (NULL without error where not). */
PareStatistics *pare_cli_calibrate (const PareCliOptions *options, const PareGraph *graph, PareDataset *dataset, const PareRecipe *recipe,
                                    GError **error);
