#pragma once
#include <glib.h>

/* A recipe is data: what each layer gets. Immutable once shared (reference counted); edits make a copy. JSON form: DESIGN "Recipe". */
#define PARE_BITS_UNSET 0
#define PARE_BITS_FLOAT 32
typedef enum { PARE_GRANULARITY_UNSET, PARE_GRANULARITY_CHANNEL, PARE_GRANULARITY_TENSOR } PareGranularity;
typedef enum { PARE_RANGE_UNSET, PARE_RANGE_MAX, PARE_RANGE_MSE } PareRange;                       /* weights: "range" */
typedef enum { PARE_CALIBRATOR_UNSET, PARE_CALIBRATOR_MINMAX, PARE_CALIBRATOR_PERCENTILE, PARE_CALIBRATOR_MSE, PARE_CALIBRATOR_ENTROPY } PareCalibrator;
typedef enum { PARE_PRUNE_UNSET, PARE_PRUNE_OFF, PARE_PRUNE_UNSTRUCTURED, PARE_PRUNE_N_M, PARE_PRUNE_CHANNELS } ParePrune;
typedef enum { PARE_FACTORIZE_UNSET, PARE_FACTORIZE_OFF, PARE_FACTORIZE_SVD, PARE_FACTORIZE_SPATIAL } PareFactorize;

/* Every field has an unset value, so that a layer overrides only the keys it names. */
typedef struct {
  int weight_bits;             /* UNSET, 2..8, 16, FLOAT */
  PareGranularity granularity;
  PareRange range;
  int activation_bits;
  PareCalibrator calibrator;
  double percentile;           /* 0: unset; default 99.99 */
  ParePrune prune;
  double prune_ratio;          /* < 0: unset */
  int prune_n, prune_m;        /* N_M: of m, n are kept zero ("2:4") */
  int round_to;                /* 0: unset; channels kept is a multiple of it */
  PareFactorize factorize;
  int rank;                    /* 0: unset */
  int centroids;               /* 0: unset, -1: off, 2..256 */
  int exclude;                 /* -1: unset, 0, 1 */
} PareLayerRecipe;
void pare_layer_recipe_init (PareLayerRecipe *self);                                          /* all unset */
void pare_layer_recipe_merge (PareLayerRecipe *base, const PareLayerRecipe *over);            /* over's set fields win */
gboolean pare_layer_recipe_is_empty (const PareLayerRecipe *self);
gboolean pare_layer_recipe_equal (const PareLayerRecipe *a, const PareLayerRecipe *b);
/* TRUE: the layer's weights become others. */
gboolean pare_layer_recipe_changes_weights (const PareLayerRecipe *resolved);
/* Weights and activations of 16 bits: products of bfloat16 with sums of float32. Nothing needs to be measured for it. */
gboolean pare_layer_recipe_is_bfloat (const PareLayerRecipe *resolved);
/* TRUE: its activations go on a grid whose range calibration measures. */
gboolean pare_layer_recipe_needs_ranges (const PareLayerRecipe *resolved);
/* "4·8 −12 %", "2:4", "r40", "c16", "float"; (transfer full). words: the tooltip's full text. */
char *pare_layer_recipe_shorthand (const PareLayerRecipe *resolved);
char *pare_layer_recipe_words (const PareLayerRecipe *resolved);

typedef struct _PareRecipe PareRecipe;
PareRecipe *pare_recipe_new (void);
PareRecipe *pare_recipe_ref (PareRecipe *self);
void pare_recipe_unref (PareRecipe *self);
PareRecipe *pare_recipe_copy (const PareRecipe *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareRecipe, pare_recipe_unref)
/* Unknown keys, values out of range: PARE_ERROR_RECIPE that names the place ("layers.conv1.weights.bits: 99 ..."). name: for messages. */
PareRecipe *pare_recipe_parse (const char *json, gssize length, const char *name, GError **error);
PareRecipe *pare_recipe_load (const char *path, GError **error);
char *pare_recipe_to_json (const PareRecipe *self);                                           /* canonical: sorted keys, stable bytes */
gboolean pare_recipe_equal (const PareRecipe *a, const PareRecipe *b);                        /* then their hashes are equal, too */
guint pare_recipe_quick_hash (const PareRecipe *self);                                        /* for tables in memory: of what hands change most */
char *pare_recipe_hash (const PareRecipe *self);                                              /* SHA-256 of that, hex */
const char *pare_recipe_get_model_sha256 (const PareRecipe *self);                            /* (nullable) */
void pare_recipe_set_model_sha256 (PareRecipe *self, const char *sha256);
const PareLayerRecipe *pare_recipe_get_defaults (const PareRecipe *self);
void pare_recipe_set_defaults (PareRecipe *self, const PareLayerRecipe *defaults);
gboolean pare_recipe_get_layer (const PareRecipe *self, const char *layer, PareLayerRecipe *own);   /* FALSE and all unset: no entry */
void pare_recipe_set_layer (PareRecipe *self, const char *layer, const PareLayerRecipe *own);       /* empty removes the entry */
void pare_recipe_merge_layer (PareRecipe *self, const char *layer, const PareLayerRecipe *change);  /* its set fields win */
void pare_recipe_resolve (const PareRecipe *self, const char *layer, PareLayerRecipe *resolved);    /* defaults merged; exclude makes all float/off */
char **pare_recipe_list_layers (const PareRecipe *self);                                      /* (transfer full), sorted */
/* (transfer full) A copy that leaves in float every activation whose range must be measured: what can be applied where none is known. */
PareRecipe *pare_recipe_without_activations (const PareRecipe *self);
gboolean pare_recipe_is_identity (const PareRecipe *self);                                    /* nothing anywhere is asked for */
