/* The next edit, made while nothing else runs: what one move of the hand makes of the layers that the person has in hand. Of each, graph',
 * its sizes and what it compiles to wait, so that the edit begins with the first sample. They are what the edit would make itself; a recipe
 * that is not among them is made then. */
#include "engine/compress/pare-recipe-moves.h"
#include "engine/project/pare-session-private.h"

#define MOST_MODEL (G_GUINT64_CONSTANT (16) << 20) /* bytes of constants: compiling more takes too long, and cannot be cancelled */
#define LONGEST_US 25000                           /* of one, for the same reason */
#define MOST_US 250000                             /* of all together */

struct _PareReadySet
{
  PareSessionModel *model;
  PareDataset *dataset;
  PareSplit split;
  PareStatistics *statistics; /* nullable */
  PareRecipe *recipe;         /* that the edit begins with */
  GPtrArray *layers;          /* char*, the model's; none: the defaults are in hand */
  GArray *moves;              /* PareLayerRecipe */
  PareSessionCosts *before;   /* of a recipe before (nullable) */
  GHashTable *items;          /* PareRecipe -> PareReady */
  GHashTable *known;          /* those of the set before (nullable) */
  gboolean hurried;           /* only the first move is made, which the pointer rests on; the others if they are known */
};

static void
ready_unref (gpointer data)
{
  PareReady *self = data;
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  pare_recipe_unref (self->recipe);
  g_free (self->key);
  g_clear_pointer (&self->changed, pare_graph_unref);
  g_clear_pointer (&self->warnings, g_ptr_array_unref);
  g_clear_pointer (&self->program, pare_program_unref);
  g_clear_pointer (&self->costs, pare_session_costs_unref);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareReady, ready_unref)

void
pare_ready_set_free (PareReadySet *self)
{
  if (self == NULL)
    return;
  pare_session_model_unref (self->model);
  pare_dataset_unref (self->dataset);
  g_clear_pointer (&self->statistics, pare_statistics_unref);
  pare_recipe_unref (self->recipe);
  g_ptr_array_unref (self->layers);
  g_array_unref (self->moves);
  g_clear_pointer (&self->before, pare_session_costs_unref);
  g_hash_table_unref (self->items);
  g_clear_pointer (&self->known, g_hash_table_unref);
  g_free (self);
}

static const PareReadySet *
valid_set (PareSession *self)
{
  const PareReadySet *set = self->ready;
  gboolean valid = set != NULL && set->model == self->model && set->dataset == self->dataset && set->split == self->split
                   && set->statistics == self->statistics;
  return valid ? set : NULL;
}

static guint
hash_recipe (gconstpointer recipe)
{
  return pare_recipe_quick_hash (recipe);
}

static gboolean
same_recipe (gconstpointer a, gconstpointer b)
{
  return pare_recipe_equal (a, b);
}

static PareReady *
find (GHashTable *items, const PareRecipe *recipe)
{
  return items != NULL ? g_hash_table_lookup (items, recipe) : NULL;
}

PareReadySet *
pare_ready_set_new (PareSession *self)
{
  PareReadySet *set = g_new0 (PareReadySet, 1);
  set->model = pare_session_model_ref (self->model);
  set->dataset = pare_dataset_ref (self->dataset);
  set->split = self->split;
  set->statistics = self->statistics != NULL ? pare_statistics_ref (self->statistics) : NULL;
  set->recipe = pare_recipe_ref (pare_session_current (self)->shown.recipe);
  set->layers = g_ptr_array_new ();
  for (guint i = 0; self->expected != NULL && i < self->expected->len; i++)
    {
      PareNodeId node = g_array_index (self->expected, PareNodeId, i);
      if (pare_layer_is_compressible (self->model->graph, node, NULL))
        g_ptr_array_add (set->layers, (gpointer)self->model->graph->nodes[node].layer);
    }
  gboolean defaults = self->expected == NULL || self->expected->len == 0;
  PareLayerRecipe now = *pare_recipe_get_defaults (set->recipe);
  if (set->layers->len > 0)
    pare_recipe_resolve (set->recipe, set->layers->pdata[0], &now);
  set->moves = set->layers->len > 0 || defaults ? pare_layer_recipe_dup_moves (&now, defaults) : g_array_new (FALSE, FALSE, sizeof now);
  if (self->has_expected_change && set->moves->len > 0)
    {
      g_array_prepend_val (set->moves, self->expected_change);
      set->hurried = !self->expected_change_tried && pare_session_wants_ready (self, &self->expected_change);
      self->expected_change_tried = TRUE;
    }
  set->before = pare_session_ref_costs (self);
  set->items = g_hash_table_new_full (hash_recipe, same_recipe, NULL, ready_unref);
  set->known = valid_set (self) != NULL ? g_hash_table_ref (valid_set (self)->items) : NULL;
  return set;
}

gboolean
pare_ready_set_is_hurried (const PareReadySet *self)
{
  return self->hurried;
}

/* --- in the thread of the job that keeps states --- */

/* (transfer full), NULL: there is no such edit. */
static PareReady *
make (PareReadySet *self, PareRecipe *recipe, PareControl *control)
{
  PareReady *known = find (self->known, recipe);
  if (known != NULL)
    {
      g_atomic_ref_count_inc (&known->refs);
      return known;
    }
  g_autoptr (PareReady) r = g_new0 (PareReady, 1);
  g_atomic_ref_count_init (&r->refs);
  r->recipe = pare_recipe_ref (recipe);
  r->key = pare_recipe_hash (recipe);
  r->warnings = g_ptr_array_new_with_free_func (g_free);
  r->changed = pare_apply (self->model->graph, recipe, self->statistics, r->warnings, control, NULL);
  gboolean on = r->changed != NULL && !pare_control_cancelled (control);
  r->program = on ? pare_evaluate_compile (r->changed, self->dataset, self->split, NULL, NULL) : NULL;
  r->costs = r->program != NULL ? pare_session_reckon_costs (self->model, r->changed, recipe, self->before, control, NULL) : NULL;
  if (r->costs == NULL)
    return NULL;                      /* whoever makes that edit is told why */
  pare_program_get_cuts (r->program); /* its weights are packed by then, too */
  return g_steal_pointer (&r);
}

static PareRecipe *
moved (const PareReadySet *self, const PareLayerRecipe *change)
{
  PareRecipe *recipe = pare_recipe_copy (self->recipe);
  for (guint k = 0; k < self->layers->len; k++)
    pare_recipe_merge_layer (recipe, self->layers->pdata[k], change);
  if (self->layers->len == 0)
    {
      PareLayerRecipe defaults = *pare_recipe_get_defaults (recipe);
      pare_layer_recipe_merge (&defaults, change);
      pare_recipe_set_defaults (recipe, &defaults);
    }
  pare_recipe_set_model_sha256 (recipe, self->model->graph->sha256);
  return recipe;
}

static guint64
model_bytes (const PareGraph *graph)
{
  guint64 bytes = 0;
  for (guint i = 0; i < graph->n_values; i++)
    bytes += graph->values[i].constant != NULL ? graph->values[i].constant->bytes : 0;
  return bytes;
}

void
pare_ready_set_fill (PareReadySet *self, guint64 budget, PareControl *control)
{
  gint64 begin = g_get_monotonic_time (), longest = 0;
  guint64 bytes = 0;
  if (model_bytes (self->model->graph) > MOST_MODEL)
    return;
  for (guint i = 0; i < self->moves->len; i++)
    {
      g_autoptr (PareRecipe) recipe = moved (self, &g_array_index (self->moves, PareLayerRecipe, i));
      gint64 start = g_get_monotonic_time ();
      /* From then on it takes over what is there, which costs nothing; an edit may be waiting. */
      gboolean enough = pare_control_cancelled (control) || start - begin > MOST_US || longest >= LONGEST_US || (self->hurried && i > 0);
      if (enough && (self->known == NULL || g_hash_table_size (self->known) == 0))
        return;
      if (pare_recipe_is_identity (recipe) || pare_recipe_equal (recipe, self->recipe) || find (self->items, recipe) != NULL
          || (self->statistics == NULL && pare_session_recipe_needs_ranges (self->model, recipe))
          || (enough && find (self->known, recipe) == NULL))
        continue;
      PareReady *r = make (self, recipe, control);
      if (r == NULL)
        continue;
      guint64 arena, sum, constants;
      pare_program_get_memory (r->program, &arena, &sum, &constants);
      bytes += constants + pare_program_get_packed_memory (r->program);
      if (bytes > budget)
        {
          ready_unref (r);
          return;
        }
      g_hash_table_insert (self->items, r->recipe, r);
      longest = MAX (longest, g_get_monotonic_time () - start);
    }
}

/* --- in the main thread --- */

gboolean
pare_session_wants_ready (PareSession *self, const PareLayerRecipe *change)
{
  const PareReadySet *set = valid_set (self);
  g_autoptr (PareRecipe) recipe = set != NULL ? moved (set, change) : NULL;
  return (recipe == NULL || find (set->items, recipe) == NULL) && model_bytes (self->model->graph) <= MOST_MODEL;
}

void
pare_session_take_ready (PareSession *self, PareReadySet *set)
{
  g_clear_pointer (&set->known, g_hash_table_unref);
  pare_ready_set_free (self->ready);
  self->ready = set;
  if (valid_set (self) == NULL) /* of data, or of ranges, that have gone meanwhile */
    g_clear_pointer (&self->ready, pare_ready_set_free);
}

const PareReady *
pare_session_find_ready (PareSession *self, const PareRecipe *recipe)
{
  const PareReadySet *set = valid_set (self);
  return set != NULL ? find (set->items, recipe) : NULL;
}

const PareReady *
pare_session_find_ready_graph (PareSession *self, const PareGraph *changed)
{
  const PareReadySet *set = valid_set (self);
  GHashTableIter iter;
  gpointer ready = NULL;
  if (set == NULL)
    return NULL;
  g_hash_table_iter_init (&iter, set->items);
  while (g_hash_table_iter_next (&iter, NULL, &ready) && ((PareReady *)ready)->changed != changed)
    ready = NULL;
  return ready;
}
