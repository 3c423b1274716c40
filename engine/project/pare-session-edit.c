/* The recipe's edits: each is one entry of history, one step of undo, one transaction, and then one call that says what became of the
 * figures. */
#include "engine/project/pare-session-private.h"

/* DESIGN: evaluation restarts 150 ms after the last move of a drag. */
#define SETTLE_MS 150

static gboolean
on_settled (gpointer data)
{
  PareSession *self = data;
  g_clear_pointer (&self->debounce, g_source_unref);
  pare_session_pump (self);
  return G_SOURCE_REMOVE;
}

static void
set_debounce (PareSession *self, gboolean on)
{
  if (self->debounce != NULL)
    g_source_destroy (self->debounce);
  g_clear_pointer (&self->debounce, g_source_unref);
  if (!on)
    return;
  self->debounce = g_timeout_source_new (SETTLE_MS);
  g_source_set_callback (self->debounce, on_settled, self, NULL);
  g_source_attach (self->debounce, self->context);
}

static void
show_evaluation (PareSession *self, const PareHistoryEntry *entry)
{
  gboolean measured = entry->shown.accuracy_origin == PARE_ORIGIN_MEASURED; /* or there is nothing to look for */
  g_autoptr (PareEvaluation) known = measured ? pare_session_find_evaluation (self, entry->key) : NULL;
  if (known != NULL)
    {
      g_clear_pointer (&self->evaluation, pare_evaluation_unref);
      self->evaluation = g_steal_pointer (&known);
      self->evaluation_origin = PARE_ORIGIN_MEASURED;
      self->evaluation_state = WORK_DONE;
      pare_session_cancel_heavy (self, HEAVY_EVALUATE); /* begun before that was known */
      return;
    }
  self->evaluation_origin = self->evaluation != NULL ? PARE_ORIGIN_STALE : PARE_ORIGIN_NONE;
  self->evaluation_state = WORK_WANTED;
}

static void
show_size (PareSession *self, const PareHistoryEntry *entry)
{
  const PareEntry *e = &entry->shown;
  if (e->size_origin != PARE_ORIGIN_MEASURED)
    return;
  self->has_size = TRUE;
  self->size = e->size;
  self->macs = e->macs;
}

static void
show_latency (PareSession *self, const PareHistoryEntry *entry)
{
  gboolean measured = entry->shown.latency_origin == PARE_ORIGIN_MEASURED;
  const PareLatency *known = measured ? pare_session_find_latency (self, entry->key) : NULL;
  self->latency_state = known != NULL ? WORK_DONE : WORK_WANTED;
  if (known != NULL)
    pare_session_show_latency (self, known);
  else if (self->has_latency)
    self->latency_origin = PARE_ORIGIN_STALE;
}

/* What an edit is, besides a recipe in use that is another one. */
typedef enum
{
  NEW_ENTRY = 1, /* there is a point of history to keep */
  NEW_STEP = 2,  /* and a step of undo */
  GROUPED = 4,   /* a drag, which may go on */
  MERGED = 8,    /* into the point that the drag has made already */
  BEGUN = 16     /* graph' is being made */
} EditFlags;

static void
show_recipe (PareSession *self, EditFlags flags)
{
  PareHistoryEntry *entry = pare_session_current (self);
  if (self->baseline == NULL)
    self->baseline_state = WORK_WANTED;
  self->calibrate_stopped = FALSE;
  self->latency_repeats = 0;
  show_evaluation (self, entry);
  show_size (self, entry);
  show_latency (self, entry);
  pare_session_emit (self, SIGNAL_RECIPE);
  if ((flags & MERGED) && !self->closed)
    g_signal_emit (self, pare_session_signals[SIGNAL_ENTRY], 0, entry->shown.id);
  else
    pare_session_emit (self, SIGNAL_HISTORY);
  if (entry->shown.size_origin == PARE_ORIGIN_MEASURED)
    pare_session_emit (self, SIGNAL_SIZE);
  pare_session_emit (self, SIGNAL_EVALUATION);
  pare_session_emit (self, SIGNAL_LATENCY);
  pare_session_pump (self);
}

static void
recipe_changed (PareSession *self, EditFlags flags)
{
  PareHistoryEntry *entry = pare_session_current (self);
  if (!(flags & BEGUN))
    self->generation++;
  if (!(flags & MERGED))
    self->edits++;
  /* What runs for an older recipe is of no use; a measurement of the original gives way and comes again. */
  if (!(flags & BEGUN))
    pare_session_cancel_heavy (self, HEAVY_EVALUATE);
  pare_session_cancel_heavy (self, HEAVY_LATENCY_NOW);
  pare_session_cancel_heavy (self, HEAVY_LATENCY_ORIGINAL);
  pare_session_cancel_heavy (self, HEAVY_FILL);
  self->fill_wanted = TRUE;
  if (!(flags & (GROUPED | BEGUN)))
    pare_job_cancel (pare_scheduler_get_running (self->scheduler, LANE_APPLY));
  set_debounce (self, flags & GROUPED);
  /* Another CPU makes graph', and goes on to measure it, while the edit is kept, what is known of the recipe is looked up and the window
   * draws. */
  if (flags & BEGUN)
    pare_session_name_edit (self, entry->key);
  else
    {
      g_autoptr (PareEvaluation) at_hand = pare_session_find_at_hand (self, entry->key);
      self->evaluation_state = at_hand != NULL ? WORK_DONE : WORK_WANTED;
      pare_session_pump_apply (self);
    }
  pare_session_save_edit (self, flags & NEW_ENTRY, flags & NEW_STEP);
  if (flags & NEW_ENTRY)
    pare_session_fill_entry (self, entry);
  show_recipe (self, flags);
}

static gboolean
may_edit (PareSession *self)
{
  return !self->closed && self->history != NULL;
}

static void
edit (PareSession *self, PareRecipe *recipe, const char *title, guint group)
{
  gboolean merged;
  pare_recipe_set_model_sha256 (recipe, self->model->graph->sha256);
  if (pare_recipe_equal (recipe, pare_session_current (self)->shown.recipe))
    return;
  /* Where nothing else runs it begins before it is known by name: to find that takes as long as the beginning. */
  gboolean begun = group == 0 && pare_session_begin_edit (self, recipe);
  const PareReady *ready = pare_session_find_ready (self, recipe);
  g_autofree char *hash = ready != NULL ? g_strdup (ready->key) : pare_recipe_hash (recipe);
  pare_history_edit (self->history, recipe, hash, title != NULL ? title : "Edit", group, &merged);
  recipe_changed (self, NEW_ENTRY | NEW_STEP | (group != 0 ? GROUPED : 0) | (merged ? MERGED : 0) | (begun ? BEGUN : 0));
}

static gboolean
has_layer (PareSession *self, const char *layer)
{
  if (g_hash_table_contains (self->model->nodes, layer))
    return TRUE;
  pare_session_message (self, "error", "%s: there is no layer “%s”", self->model->name, layer);
  return FALSE;
}

void
pare_session_set_layers (PareSession *self, const char *const *layers, const PareLayerRecipe *change, const char *title, guint group)
{
  g_return_if_fail (PARE_IS_SESSION (self) && layers != NULL && change != NULL);
  if (!may_edit (self))
    return;
  pare_session_expect_apply (self);
  g_autoptr (PareRecipe) recipe = pare_recipe_copy (pare_session_get_recipe (self));
  for (guint i = 0; layers[i] != NULL; i++)
    {
      if (!has_layer (self, layers[i]))
        return;
      pare_recipe_merge_layer (recipe, layers[i], change);
    }
  edit (self, recipe, title, group);
}

void
pare_session_reset_layers (PareSession *self, const char *const *layers, const char *title)
{
  g_return_if_fail (PARE_IS_SESSION (self) && layers != NULL);
  if (!may_edit (self))
    return;
  pare_session_expect_apply (self);
  g_autoptr (PareRecipe) recipe = pare_recipe_copy (pare_session_get_recipe (self));
  PareLayerRecipe none;
  pare_layer_recipe_init (&none);
  for (guint i = 0; layers[i] != NULL; i++)
    pare_recipe_set_layer (recipe, layers[i], &none);
  edit (self, recipe, title, 0);
}

void
pare_session_set_defaults (PareSession *self, const PareLayerRecipe *defaults, const char *title, guint group)
{
  g_return_if_fail (PARE_IS_SESSION (self) && defaults != NULL);
  if (!may_edit (self))
    return;
  pare_session_expect_apply (self);
  g_autoptr (PareRecipe) recipe = pare_recipe_copy (pare_session_get_recipe (self));
  pare_recipe_set_defaults (recipe, defaults);
  edit (self, recipe, title, group);
}

void
pare_session_set_recipe (PareSession *self, PareRecipe *recipe, const char *title)
{
  g_return_if_fail (PARE_IS_SESSION (self) && recipe != NULL);
  if (!may_edit (self))
    return;
  const char *sha256 = pare_recipe_get_model_sha256 (recipe);
  if (sha256 != NULL && g_strcmp0 (sha256, self->model->graph->sha256) != 0)
    {
      pare_session_message (self, "error",
                            "The recipe was made for another model (its model_sha256 begins with %.8s, this model's with %.8s)", sha256,
                            self->model->graph->sha256 != NULL ? self->model->graph->sha256 : "");
      return;
    }
  g_auto (GStrv) layers = pare_recipe_list_layers (recipe);
  for (guint i = 0; layers[i] != NULL; i++)
    if (!has_layer (self, layers[i]))
      return;
  g_autoptr (PareRecipe) copy = pare_recipe_copy (recipe);
  edit (self, copy, title, 0);
}

gboolean
pare_session_can_undo (PareSession *self, const char **title)
{
  if (self->history != NULL)
    return pare_history_can_undo (self->history, title);
  if (title != NULL)
    *title = NULL;
  return FALSE;
}

gboolean
pare_session_can_redo (PareSession *self, const char **title)
{
  if (self->history != NULL)
    return pare_history_can_redo (self->history, title);
  if (title != NULL)
    *title = NULL;
  return FALSE;
}

void
pare_session_undo (PareSession *self)
{
  if (!may_edit (self) || !pare_history_can_undo (self->history, NULL))
    return;
  pare_history_undo (self->history);
  recipe_changed (self, 0);
}

void
pare_session_redo (PareSession *self)
{
  if (!may_edit (self) || !pare_history_can_redo (self->history, NULL))
    return;
  pare_history_redo (self->history);
  recipe_changed (self, 0);
}

void
pare_session_go_to_entry (PareSession *self, gint64 id)
{
  PareHistoryEntry *entry = may_edit (self) ? pare_history_find (self->history, id) : NULL;
  if (entry == NULL || entry == pare_session_current (self))
    return;
  g_autofree char *title = g_strdup_printf ("Go to “%s”", entry->shown.title);
  pare_history_go_to (self->history, entry, title);
  recipe_changed (self, NEW_STEP);
}
