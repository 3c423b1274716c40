/* The recipe itself: defaults, one entry per layer that says something of its own, and how they combine. */
#include "engine/compress/pare-recipe.h"

#include <string.h>

struct _PareRecipe
{
  gatomicrefcount refs;
  char *model_sha256;
  PareLayerRecipe defaults;
  GHashTable *layers; /* char* -> PareLayerRecipe*, never an empty one */
};

void
pare_layer_recipe_init (PareLayerRecipe *self)
{
  memset (self, 0, sizeof *self); /* padding too: entries are compared and hashed as JSON, but copied as bytes */
  self->prune_ratio = -1;
  self->exclude = -1;
}

void
pare_layer_recipe_merge (PareLayerRecipe *base, const PareLayerRecipe *over)
{
  if (over->weight_bits != PARE_BITS_UNSET)
    base->weight_bits = over->weight_bits;
  if (over->granularity != PARE_GRANULARITY_UNSET)
    base->granularity = over->granularity;
  if (over->range != PARE_RANGE_UNSET)
    base->range = over->range;
  if (over->activation_bits != PARE_BITS_UNSET)
    base->activation_bits = over->activation_bits;
  if (over->calibrator != PARE_CALIBRATOR_UNSET)
    base->calibrator = over->calibrator;
  if (over->percentile > 0)
    base->percentile = over->percentile;
  if (over->prune != PARE_PRUNE_UNSET)
    base->prune = over->prune;
  if (over->prune_ratio >= 0)
    base->prune_ratio = over->prune_ratio;
  if (over->prune_n > 0)
    base->prune_n = over->prune_n;
  if (over->prune_m > 0)
    base->prune_m = over->prune_m;
  if (over->round_to > 0)
    base->round_to = over->round_to;
  if (over->factorize != PARE_FACTORIZE_UNSET)
    base->factorize = over->factorize;
  if (over->rank > 0)
    base->rank = over->rank;
  if (over->centroids != 0)
    base->centroids = over->centroids;
  if (over->exclude >= 0)
    base->exclude = over->exclude;
}

gboolean
pare_layer_recipe_equal (const PareLayerRecipe *a, const PareLayerRecipe *b)
{
  gboolean same_ratio = a->prune_ratio == b->prune_ratio || (a->prune_ratio < 0 && b->prune_ratio < 0);
  gboolean same_percentile = a->percentile == b->percentile || (a->percentile <= 0 && b->percentile <= 0);
  return a->weight_bits == b->weight_bits && a->granularity == b->granularity && a->range == b->range
         && a->activation_bits == b->activation_bits && a->calibrator == b->calibrator && same_percentile && a->prune == b->prune
         && same_ratio && a->prune_n == b->prune_n && a->prune_m == b->prune_m && a->round_to == b->round_to && a->factorize == b->factorize
         && a->rank == b->rank && a->centroids == b->centroids && a->exclude == b->exclude;
}

gboolean
pare_layer_recipe_is_empty (const PareLayerRecipe *self)
{
  PareLayerRecipe unset;
  pare_layer_recipe_init (&unset);
  return pare_layer_recipe_equal (self, &unset);
}

PareRecipe *
pare_recipe_new (void)
{
  PareRecipe *self = g_new0 (PareRecipe, 1);
  g_atomic_ref_count_init (&self->refs);
  pare_layer_recipe_init (&self->defaults);
  self->layers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return self;
}

PareRecipe *
pare_recipe_ref (PareRecipe *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_recipe_unref (PareRecipe *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->model_sha256);
  g_hash_table_unref (self->layers);
  g_free (self);
}

PareRecipe *
pare_recipe_copy (const PareRecipe *self)
{
  PareRecipe *copy = pare_recipe_new ();
  copy->model_sha256 = g_strdup (self->model_sha256);
  copy->defaults = self->defaults;
  GHashTableIter iter;
  gpointer name, entry;
  g_hash_table_iter_init (&iter, self->layers);
  while (g_hash_table_iter_next (&iter, &name, &entry))
    g_hash_table_insert (copy->layers, g_strdup (name), g_memdup2 (entry, sizeof (PareLayerRecipe)));
  return copy;
}

gboolean
pare_recipe_equal (const PareRecipe *a, const PareRecipe *b)
{
  if (g_strcmp0 (a->model_sha256, b->model_sha256) != 0 || !pare_layer_recipe_equal (&a->defaults, &b->defaults)
      || g_hash_table_size (a->layers) != g_hash_table_size (b->layers))
    return FALSE;
  GHashTableIter iter;
  gpointer name, entry;
  g_hash_table_iter_init (&iter, a->layers);
  while (g_hash_table_iter_next (&iter, &name, &entry))
    {
      const PareLayerRecipe *other = g_hash_table_lookup (b->layers, name);
      if (other == NULL || !pare_layer_recipe_equal (entry, other))
        return FALSE;
    }
  return TRUE;
}

static guint
hash_layer (const PareLayerRecipe *l)
{
  guint ratio = l->prune_ratio > 0 ? (guint)(l->prune_ratio * 1e6) : 0;
  return (guint)l->weight_bits + 31 * (ratio + 31 * (guint)(l->rank + l->centroids));
}

guint
pare_recipe_quick_hash (const PareRecipe *self)
{
  guint hash = hash_layer (&self->defaults);
  GHashTableIter iter;
  gpointer name, entry;
  g_hash_table_iter_init (&iter, self->layers);
  while (g_hash_table_iter_next (&iter, &name, &entry)) /* in no order */
    hash += g_str_hash (name) ^ hash_layer (entry);
  return hash;
}

const char *
pare_recipe_get_model_sha256 (const PareRecipe *self)
{
  return self->model_sha256;
}

void
pare_recipe_set_model_sha256 (PareRecipe *self, const char *sha256)
{
  char *copy = g_strdup (sha256);
  g_free (self->model_sha256);
  self->model_sha256 = copy;
}

const PareLayerRecipe *
pare_recipe_get_defaults (const PareRecipe *self)
{
  return &self->defaults;
}

void
pare_recipe_set_defaults (PareRecipe *self, const PareLayerRecipe *defaults)
{
  self->defaults = *defaults;
}

gboolean
pare_recipe_get_layer (const PareRecipe *self, const char *layer, PareLayerRecipe *own)
{
  const PareLayerRecipe *entry = layer != NULL ? g_hash_table_lookup (self->layers, layer) : NULL;
  if (own != NULL && entry != NULL)
    *own = *entry;
  else if (own != NULL)
    pare_layer_recipe_init (own);
  return entry != NULL;
}

void
pare_recipe_set_layer (PareRecipe *self, const char *layer, const PareLayerRecipe *own)
{
  if (own == NULL || pare_layer_recipe_is_empty (own))
    g_hash_table_remove (self->layers, layer);
  else
    g_hash_table_replace (self->layers, g_strdup (layer), g_memdup2 (own, sizeof *own));
}

void
pare_recipe_merge_layer (PareRecipe *self, const char *layer, const PareLayerRecipe *change)
{
  PareLayerRecipe own;
  pare_recipe_get_layer (self, layer, &own);
  pare_layer_recipe_merge (&own, change);
  pare_recipe_set_layer (self, layer, &own);
}

void
pare_recipe_resolve (const PareRecipe *self, const char *layer, PareLayerRecipe *resolved)
{
  PareLayerRecipe own;
  *resolved = self->defaults;
  if (pare_recipe_get_layer (self, layer, &own))
    pare_layer_recipe_merge (resolved, &own);
  if (resolved->exclude == 1)
    {
      resolved->weight_bits = resolved->activation_bits = PARE_BITS_FLOAT;
      resolved->prune = PARE_PRUNE_OFF;
      resolved->factorize = PARE_FACTORIZE_OFF;
      resolved->centroids = -1;
    }
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

char **
pare_recipe_list_layers (const PareRecipe *self)
{
  GPtrArray *names = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, self->layers);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  g_ptr_array_add (names, NULL);
  return (char **)g_ptr_array_free (names, FALSE);
}

gboolean
pare_layer_recipe_changes_weights (const PareLayerRecipe *r)
{
  return (r->weight_bits != PARE_BITS_UNSET && r->weight_bits != PARE_BITS_FLOAT) || r->prune > PARE_PRUNE_OFF
         || r->factorize > PARE_FACTORIZE_OFF || r->centroids > 0;
}

gboolean
pare_layer_recipe_is_bfloat (const PareLayerRecipe *r)
{
  return r->weight_bits == 16 && r->activation_bits == 16;
}

gboolean
pare_layer_recipe_needs_ranges (const PareLayerRecipe *r)
{
  return r->activation_bits != PARE_BITS_UNSET && r->activation_bits != PARE_BITS_FLOAT && !pare_layer_recipe_is_bfloat (r);
}

static gboolean
asks_for_something (const PareLayerRecipe *r)
{
  return pare_layer_recipe_changes_weights (r) || (r->activation_bits != PARE_BITS_UNSET && r->activation_bits != PARE_BITS_FLOAT);
}

gboolean
pare_recipe_is_identity (const PareRecipe *self)
{
  if (self->defaults.exclude != 1 && asks_for_something (&self->defaults))
    return FALSE;
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, self->layers);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      PareLayerRecipe resolved;
      pare_recipe_resolve (self, name, &resolved);
      if (asks_for_something (&resolved))
        return FALSE;
    }
  return TRUE;
}

PareRecipe *
pare_recipe_without_activations (const PareRecipe *self)
{
  PareRecipe *copy = pare_recipe_copy (self);
  PareLayerRecipe r = *pare_recipe_get_defaults (self), resolved;
  gboolean kept = pare_layer_recipe_is_bfloat (&r);
  if (!kept)
    r.activation_bits = PARE_BITS_UNSET;
  pare_recipe_set_defaults (copy, &r);
  g_auto (GStrv) layers = pare_recipe_list_layers (self);
  for (guint i = 0; layers[i] != NULL; i++)
    {
      pare_recipe_get_layer (self, layers[i], &r);
      pare_recipe_resolve (self, layers[i], &resolved);
      if (pare_layer_recipe_is_bfloat (&resolved))
        r.activation_bits = 16; /* whatever the defaults say now */
      else
        r.activation_bits = kept ? PARE_BITS_FLOAT : PARE_BITS_UNSET;
      pare_recipe_set_layer (copy, layers[i], &r);
    }
  return copy;
}
