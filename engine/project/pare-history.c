#include "engine/project/pare-history.h"
#include "engine/base/pare-error.h"

struct _PareHistory
{
  GPtrArray *entries; /* PareHistoryEntry, ids ascending */
  GPtrArray *steps;   /* PareStoreStep; step 0 is where undo ends */
  guint position;
  guint group; /* of the edit that made the current step, 0: closed */
  char *original_key;
};

static void
entry_free (gpointer data)
{
  PareHistoryEntry *entry = data;
  g_free (entry->shown.title);
  g_free (entry->shown.metric);
  g_clear_pointer (&entry->shown.recipe, pare_recipe_unref);
  g_free (entry->hash);
  g_free (entry->key);
  g_free (entry);
}

void
pare_history_entry_forget_accuracy (PareHistoryEntry *entry)
{
  PareEntry *e = &entry->shown;
  e->accuracy_origin = PARE_ORIGIN_NONE;
  e->has_difference = FALSE;
  e->samples = 0;
  e->accuracy = e->accuracy_low = e->accuracy_high = 0;
  e->difference = e->difference_low = e->difference_high = 0;
  g_clear_pointer (&e->metric, g_free);
}

void
pare_history_entry_forget (PareHistoryEntry *entry)
{
  PareEntry *e = &entry->shown;
  pare_history_entry_forget_accuracy (entry);
  e->size_origin = e->latency_origin = PARE_ORIGIN_NONE;
  e->latency_age = 0;
  e->latency_ms = e->latency_p10 = e->latency_p90 = 0;
  e->size = (PareSize){ 0 };
  e->macs = 0;
}

/* hash: pare_recipe_hash(), or NULL. */
static void
set_recipe (PareHistory *self, PareHistoryEntry *entry, PareRecipe *recipe, const char *hash)
{
  pare_recipe_ref (recipe);
  g_clear_pointer (&entry->shown.recipe, pare_recipe_unref);
  entry->shown.recipe = recipe;
  g_free (entry->hash);
  g_free (entry->key);
  entry->hash = hash != NULL ? g_strdup (hash) : pare_recipe_hash (recipe);
  if (self->original_key == NULL)
    self->original_key = g_strdup (entry->hash);
  entry->key = g_strdup (pare_recipe_is_identity (recipe) ? self->original_key : entry->hash);
}

static PareHistoryEntry *
add_entry (PareHistory *self, gint64 id, gint64 parent, const char *title, gint64 when, PareRecipe *recipe, const char *hash)
{
  PareHistoryEntry *entry = g_new0 (PareHistoryEntry, 1);
  entry->shown.id = id;
  entry->shown.parent = parent;
  entry->shown.title = g_strdup (title);
  entry->shown.when = when;
  set_recipe (self, entry, recipe, hash);
  g_ptr_array_add (self->entries, entry);
  return entry;
}

static void
add_step (PareHistory *self, gint64 entry, const char *title)
{
  PareStoreStep *step = g_new0 (PareStoreStep, 1);
  step->entry = entry;
  step->title = g_strdup (title);
  g_ptr_array_add (self->steps, step);
}

static PareHistory *
history_alloc (void)
{
  PareHistory *self = g_new0 (PareHistory, 1);
  self->entries = g_ptr_array_new_with_free_func (entry_free);
  self->steps = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_store_step_free);
  return self;
}

PareHistory *
pare_history_new (PareRecipe *original)
{
  PareHistory *self = history_alloc ();
  add_entry (self, 1, 0, "Original", g_get_real_time () / G_USEC_PER_SEC, original, NULL);
  add_step (self, 1, "Original");
  return self;
}

PareHistory *
pare_history_restore (GPtrArray *entries, GPtrArray *steps, guint position, const char *name, GError **error)
{
  g_autoptr (PareHistory) self = history_alloc ();
  const char *wrong = entries->len == 0                           ? "it has no history"
                      : steps->len == 0 || position >= steps->len ? "its undo list ends too early"
                                                                  : NULL;
  for (guint i = 0; i < entries->len && wrong == NULL; i++)
    {
      PareStoreEntry *e = entries->pdata[i];
      GError *local = NULL;
      g_autoptr (PareRecipe) recipe = pare_recipe_parse (e->recipe, -1, name, &local);
      if (recipe == NULL)
        {
          g_propagate_error (error, local);
          return NULL;
        }
      if (e->parent >= e->id || (i == 0 && (e->id != 1 || e->parent != 0)) || (i > 0 && pare_history_find (self, e->parent) == NULL))
        wrong = "a point of its history has no origin";
      else
        add_entry (self, e->id, e->parent, e->title, e->when, recipe, NULL);
    }
  for (guint i = 0; i < steps->len && wrong == NULL; i++)
    {
      PareStoreStep *s = steps->pdata[i];
      if (pare_history_find (self, s->entry) == NULL)
        wrong = "its undo list names a point that is not there";
      else
        add_step (self, s->entry, s->title);
    }
  if (wrong != NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: the project file is damaged (%s); it was left as it is", name, wrong);
      return NULL;
    }
  self->position = position;
  return g_steal_pointer (&self);
}

void
pare_history_free (PareHistory *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->entries);
  g_ptr_array_unref (self->steps);
  g_free (self->original_key);
  g_free (self);
}

guint
pare_history_get_n_entries (const PareHistory *self)
{
  return self->entries->len;
}

PareHistoryEntry *
pare_history_get_entry (PareHistory *self, guint i)
{
  return i < self->entries->len ? self->entries->pdata[i] : NULL;
}

PareHistoryEntry *
pare_history_find (PareHistory *self, gint64 id)
{
  guint low = 0, high = self->entries->len;
  while (low < high)
    {
      guint middle = low + (high - low) / 2;
      PareHistoryEntry *entry = self->entries->pdata[middle];
      if (entry->shown.id == id)
        return entry;
      if (entry->shown.id < id)
        low = middle + 1;
      else
        high = middle;
    }
  return NULL;
}

PareHistoryEntry *
pare_history_get_current (PareHistory *self)
{
  PareStoreStep *step = self->steps->pdata[self->position];
  return pare_history_find (self, step->entry);
}

static void
push_step (PareHistory *self, gint64 entry, const char *title)
{
  g_ptr_array_set_size (self->steps, (int)self->position + 1);
  add_step (self, entry, title);
  self->position++;
}

PareHistoryEntry *
pare_history_edit (PareHistory *self, PareRecipe *recipe, const char *hash, const char *title, guint group, gboolean *merged)
{
  PareHistoryEntry *current = pare_history_get_current (self);
  *merged = group != 0 && group == self->group;
  if (*merged)
    {
      PareStoreStep *step = self->steps->pdata[self->position];
      set_recipe (self, current, recipe, hash);
      pare_history_entry_forget (current);
      g_free (current->shown.title);
      g_free (step->title);
      current->shown.title = g_strdup (title);
      step->title = g_strdup (title);
      current->shown.when = g_get_real_time () / G_USEC_PER_SEC;
      return current;
    }
  PareHistoryEntry *last = self->entries->pdata[self->entries->len - 1];
  PareHistoryEntry *entry = add_entry (self, last->shown.id + 1, current->shown.id, title, g_get_real_time () / G_USEC_PER_SEC, recipe, hash);
  push_step (self, entry->shown.id, title);
  self->group = group;
  return entry;
}

void
pare_history_go_to (PareHistory *self, PareHistoryEntry *entry, const char *title)
{
  push_step (self, entry->shown.id, title);
  self->group = 0;
}

gboolean
pare_history_can_undo (const PareHistory *self, const char **title)
{
  gboolean can = self->position > 0;
  if (title != NULL)
    *title = can ? ((PareStoreStep *)self->steps->pdata[self->position])->title : NULL;
  return can;
}

gboolean
pare_history_can_redo (const PareHistory *self, const char **title)
{
  gboolean can = self->position + 1 < self->steps->len;
  if (title != NULL)
    *title = can ? ((PareStoreStep *)self->steps->pdata[self->position + 1])->title : NULL;
  return can;
}

void
pare_history_undo (PareHistory *self)
{
  if (self->position > 0)
    self->position--;
  self->group = 0;
}

void
pare_history_redo (PareHistory *self)
{
  if (self->position + 1 < self->steps->len)
    self->position++;
  self->group = 0;
}

guint
pare_history_get_position (const PareHistory *self)
{
  return self->position;
}

guint
pare_history_get_n_steps (const PareHistory *self)
{
  return self->steps->len;
}

const PareStoreStep *
pare_history_get_step (const PareHistory *self, guint i)
{
  return i < self->steps->len ? self->steps->pdata[i] : NULL;
}

PareStoreEntry *
pare_history_to_store (const PareHistoryEntry *entry)
{
  PareStoreEntry *out = g_new0 (PareStoreEntry, 1);
  out->id = entry->shown.id;
  out->parent = entry->shown.parent;
  out->when = entry->shown.when;
  out->title = g_strdup (entry->shown.title);
  out->recipe = pare_recipe_to_json (entry->shown.recipe);
  out->hash = g_strdup (entry->hash);
  return out;
}
