/* Every recipe tried, as a tree, and the line of undo through it. Plain data of the main thread. */
#pragma once
#include "engine/project/pare-session.h"
#include "engine/project/pare-store.h"

/* What the session knows of an entry beyond what it shows. `shown` comes first: a PareEntry* is a PareHistoryEntry*. */
typedef struct {
  PareEntry shown;
  char *hash; /* of the recipe */
  char *key;  /* under which its results are kept: the original's where the recipe asks for nothing */
} PareHistoryEntry;

typedef struct _PareHistory PareHistory;

/* One entry, "Original", and no steps. key: results of every recipe that asks for nothing. */
PareHistory *pare_history_new (PareRecipe *original);
/* From a project. Refuses (PARE_ERROR_FORMAT, `name` in the message) what does not hang together. */
PareHistory *pare_history_restore (GPtrArray *entries, GPtrArray *steps, guint position, const char *name, GError **error);
void pare_history_free (PareHistory *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareHistory, pare_history_free)

guint pare_history_get_n_entries (const PareHistory *self);
PareHistoryEntry *pare_history_get_entry (PareHistory *self, guint i);
PareHistoryEntry *pare_history_find (PareHistory *self, gint64 id);
PareHistoryEntry *pare_history_get_current (PareHistory *self);

/* A new recipe after the current one; hash: pare_recipe_hash() of it, or NULL. Edits of one nonzero group in a row become one entry and one step: `merged` tells. */
PareHistoryEntry *pare_history_edit (PareHistory *self, PareRecipe *recipe, const char *hash, const char *title, guint group, gboolean *merged);
/* An entry that exists becomes current, as one step of undo. */
void pare_history_go_to (PareHistory *self, PareHistoryEntry *entry, const char *title);
gboolean pare_history_can_undo (const PareHistory *self, const char **title);
gboolean pare_history_can_redo (const PareHistory *self, const char **title);
void pare_history_undo (PareHistory *self);
void pare_history_redo (PareHistory *self);

/* For the store. */
guint pare_history_get_position (const PareHistory *self);
guint pare_history_get_n_steps (const PareHistory *self);
const PareStoreStep *pare_history_get_step (const PareHistory *self, guint i);
/* (transfer full) */
PareStoreEntry *pare_history_to_store (const PareHistoryEntry *entry);
/* Forgets the figures of an entry; those that belong to data and split. */
void pare_history_entry_forget (PareHistoryEntry *entry);
void pare_history_entry_forget_accuracy (PareHistoryEntry *entry);
