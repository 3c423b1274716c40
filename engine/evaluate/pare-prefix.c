#include "engine/evaluate/pare-prefix-private.h"

#include <math.h>
#include <string.h>

#define MOST_BYTES (G_GUINT64_CONSTANT (1) << 30)
#define NOTED 4
#define HELD 2 /* a program is let go of when the next but one comes, or while nobody waits: that takes a while, too */

/* The samples of one cut. */
typedef struct
{
  PareCutKey key;
  GPtrArray *states;   /* by rank; NULL: not kept */
  PareStateRoom *room; /* that the next will lie in; nullable */
  guint count;
  guint64 bytes;
  double saved;  /* multiplications for each sample */
  guint64 clock; /* of the last use */
} Group;

struct _ParePrefixCache
{
  gatomicrefcount refs;
  GMutex lock; /* of all that follows */
  guint64 budget, bytes, clock, salt;
  GHashTable *groups; /* PareCutKey -> Group */
  PareDataset *dataset;
  PareSplit split;
  guint n;
  GHashTable *noted[NOTED]; /* sets of PareCutKey, newest first */
  guint64 noted_salt;       /* of the newest */
  PareProgram *held[HELD];  /* newest first */
  gsize hits, misses;       /* atomic */
};

static guint
key_hash (gconstpointer key)
{
  return (guint)((const PareCutKey *)key)->a;
}

static gboolean
key_equal (gconstpointer a, gconstpointer b)
{
  return memcmp (a, b, sizeof (PareCutKey)) == 0;
}

static void
group_free (gpointer data)
{
  Group *group = data;
  g_ptr_array_unref (group->states);
  pare_state_room_unref (group->room);
  g_free (group);
}

static guint64
default_budget (void)
{
  g_autofree char *text = NULL;
  guint64 kib = 0;
  if (g_file_get_contents ("/proc/meminfo", &text, NULL, NULL))
    {
      const char *line = strstr (text, "MemAvailable:");
      if (line != NULL)
        kib = g_ascii_strtoull (line + strlen ("MemAvailable:"), NULL, 10);
    }
  return kib > 0 ? MIN (kib * 1024 / 4, MOST_BYTES) : MOST_BYTES / 4;
}

ParePrefixCache *
pare_prefix_cache_new (guint64 budget)
{
  ParePrefixCache *self = g_new0 (ParePrefixCache, 1);
  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->budget = budget > 0 ? budget : default_budget ();
  self->groups = g_hash_table_new_full (key_hash, key_equal, NULL, group_free);
  return self;
}

ParePrefixCache *
pare_prefix_cache_ref (ParePrefixCache *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
clear_locked (ParePrefixCache *self)
{
  g_hash_table_remove_all (self->groups);
  self->bytes = 0;
  for (guint i = 0; i < NOTED; i++)
    g_clear_pointer (&self->noted[i], g_hash_table_unref);
  for (guint i = 0; i < HELD; i++)
    g_clear_pointer (&self->held[i], pare_program_unref);
}

void
pare_prefix_cache_unref (ParePrefixCache *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  clear_locked (self);
  g_hash_table_unref (self->groups);
  g_clear_pointer (&self->dataset, pare_dataset_unref);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
drop_state (ParePrefixCache *self, Group *group, guint rank)
{
  PareState *state = group->states->pdata[rank];
  self->bytes -= state->bytes;
  group->bytes -= state->bytes;
  group->count--;
  group->states->pdata[rank] = NULL;
  pare_state_unref (state);
  while (group->states->len > 0 && group->states->pdata[group->states->len - 1] == NULL)
    g_ptr_array_set_size (group->states, (int)group->states->len - 1);
}

/* What a byte of it spares, the less the longer nobody asked. */
static double
score_of (const ParePrefixCache *self, const Group *group)
{
  double bytes = group->count > 0 ? (double)group->bytes / group->count : 1;
  return group->saved / bytes / (1 + (double)(self->clock - group->clock));
}

/* Makes room at the cost of what is less useful than `score`: its last samples go first, since the first give the first interval. */
static gboolean
make_room (ParePrefixCache *self, guint64 bytes, const Group *keep, double score)
{
  while (self->bytes + bytes > self->budget)
    {
      GHashTableIter iter;
      gpointer value;
      Group *worst = NULL;
      g_hash_table_iter_init (&iter, self->groups);
      while (g_hash_table_iter_next (&iter, NULL, &value))
        if (value != keep && (worst == NULL || score_of (self, value) < score_of (self, worst)))
          worst = value;
      if (worst == NULL || (score_of (self, worst) >= score && (keep == NULL || worst->clock >= keep->clock)))
        return FALSE;
      if (worst->count > 0)
        drop_state (self, worst, worst->states->len - 1);
      if (worst->count == 0)
        g_hash_table_remove (self->groups, &worst->key);
    }
  return TRUE;
}

void
pare_prefix_cache_set_budget (ParePrefixCache *self, guint64 budget)
{
  g_mutex_lock (&self->lock);
  self->budget = budget > 0 ? budget : default_budget ();
  make_room (self, 0, NULL, INFINITY);
  g_mutex_unlock (&self->lock);
}

guint64
pare_prefix_cache_get_budget (ParePrefixCache *self)
{
  g_mutex_lock (&self->lock);
  guint64 budget = self->budget;
  g_mutex_unlock (&self->lock);
  return budget;
}

guint64
pare_prefix_cache_get_bytes (ParePrefixCache *self)
{
  g_mutex_lock (&self->lock);
  guint64 bytes = self->bytes;
  g_mutex_unlock (&self->lock);
  return bytes;
}

void
pare_prefix_cache_clear (ParePrefixCache *self)
{
  g_mutex_lock (&self->lock);
  clear_locked (self);
  g_mutex_unlock (&self->lock);
}

void
pare_prefix_cache_get_counts (ParePrefixCache *self, guint64 *hits, guint64 *misses)
{
  *hits = (gsize)g_atomic_pointer_get (&self->hits);
  *misses = (gsize)g_atomic_pointer_get (&self->misses);
}

guint64
pare_prefix_cache_begin (ParePrefixCache *self, PareDataset *dataset, PareSplit split, guint n)
{
  g_mutex_lock (&self->lock);
  if (self->dataset != dataset || self->split != split || self->n != n)
    {
      clear_locked (self);
      pare_dataset_ref (dataset);
      g_clear_pointer (&self->dataset, pare_dataset_unref);
      self->dataset = dataset; /* held, so that no other can come to lie at its address */
      self->split = split;
      self->n = n;
      self->salt++;
    }
  self->clock++;
  guint64 salt = self->salt;
  g_mutex_unlock (&self->lock);
  return salt;
}

PareCutKey
pare_prefix_key (PareCutKey cut, guint64 salt)
{
  return pare_content_hash (cut, &salt, sizeof salt);
}

guint
pare_prefix_cache_count (ParePrefixCache *self, PareCutKey key)
{
  g_mutex_lock (&self->lock);
  Group *group = g_hash_table_lookup (self->groups, &key);
  guint count = group != NULL ? group->count : 0;
  g_mutex_unlock (&self->lock);
  return count;
}

gboolean
pare_prefix_cache_has (ParePrefixCache *self, PareCutKey key, guint rank)
{
  g_mutex_lock (&self->lock);
  Group *group = g_hash_table_lookup (self->groups, &key);
  gboolean has = group != NULL && rank < group->states->len && group->states->pdata[rank] != NULL;
  g_mutex_unlock (&self->lock);
  return has;
}

void
pare_prefix_cache_take (ParePrefixCache *self, const PareCutKey *keys, const guint *cuts, guint n_cuts, guint first, guint n,
                        PareState **states, guint *at)
{
  guint missing = n;
  for (guint i = 0; i < n; i++)
    states[i] = NULL;
  g_mutex_lock (&self->lock);
  for (guint c = 0; c < n_cuts && missing > 0; c++)
    {
      Group *group = g_hash_table_lookup (self->groups, &keys[cuts[c]]);
      for (guint i = 0; group != NULL && i < n && first + i < group->states->len; i++)
        if (states[i] == NULL && (states[i] = group->states->pdata[first + i]) != NULL)
          {
            pare_state_touch (states[i]); /* all are asked for before the first is waited for */
            at[i] = cuts[c];
            missing--;
            group->clock = self->clock;
          }
    }
  for (guint i = 0; i < n; i++)
    if (states[i] != NULL)
      g_atomic_ref_count_inc (&states[i]->refs);
  g_mutex_unlock (&self->lock);
}

gboolean
pare_prefix_cache_store (ParePrefixCache *self, PareCutKey key, guint rank, PareRunner *runner, const PareCut *cut, double saved,
                         gint64 label)
{
  if (pare_prefix_cache_has (self, key, rank))
    return TRUE;
  PareState *state = pare_state_new (runner, cut, label);
  if (state == NULL)
    return FALSE;
  g_mutex_lock (&self->lock);
  Group *group = g_hash_table_lookup (self->groups, &key);
  if (group == NULL)
    {
      group = g_new0 (Group, 1);
      group->key = key;
      group->states = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_state_unref);
      group->saved = saved;
      g_hash_table_insert (self->groups, &group->key, group);
    }
  group->clock = self->clock;
  gboolean fits = make_room (self, state->bytes, group, saved / (double)state->bytes);
  if (fits)
    {
      if (rank >= group->states->len)
        g_ptr_array_set_size (group->states, (int)rank + 1);
      if (group->states->pdata[rank] != NULL)
        drop_state (self, group, rank); /* another thread was here first */
      if (rank >= group->states->len)
        g_ptr_array_set_size (group->states, (int)rank + 1);
      state = pare_state_settle (state, &group->room, self->n > group->count ? self->n - group->count - 1 : 0);
      group->states->pdata[rank] = state;
      group->count++;
      group->bytes += state->bytes;
      self->bytes += state->bytes;
    }
  else if (group->count == 0)
    g_hash_table_remove (self->groups, &key);
  g_mutex_unlock (&self->lock);
  if (!fits)
    pare_state_unref (state);
  return fits;
}

void
pare_prefix_cache_note (ParePrefixCache *self, const PareCuts *cuts, guint64 salt)
{
  GHashTable *set = g_hash_table_new_full (key_hash, key_equal, g_free, NULL);
  for (guint i = 0; i < cuts->n; i++)
    {
      PareCutKey key = pare_prefix_key (cuts->cuts[i].key, salt);
      g_hash_table_add (set, g_memdup2 (&key, sizeof key));
    }
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->noted[NOTED - 1], g_hash_table_unref);
  memmove (self->noted + 1, self->noted, (NOTED - 1) * sizeof *self->noted);
  self->noted[0] = set;
  self->noted_salt = salt;
  g_mutex_unlock (&self->lock);
}

void
pare_prefix_cache_hold (ParePrefixCache *self, PareProgram *program, gboolean only)
{
  PareProgram *gone[HELD] = { NULL };
  guint64 bytes = pare_program_get_packed_memory (program);
  g_mutex_lock (&self->lock);
  guint keep = only ? 0 : HELD - 1; /* of those that are held already */
  for (guint i = keep; i < HELD; i++)
    gone[i] = g_steal_pointer (&self->held[i]);
  memmove (self->held + 1, self->held, keep * sizeof *self->held);
  self->held[0] = bytes <= self->budget / 4 ? pare_program_ref (program) : NULL;
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < HELD; i++)
    pare_program_unref (gone[i]);
}

gboolean
pare_prefix_cache_noted (ParePrefixCache *self, PareCutKey key)
{
  gboolean found = FALSE;
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < NOTED && !found; i++)
    found = self->noted[i] != NULL && g_hash_table_contains (self->noted[i], &key);
  g_mutex_unlock (&self->lock);
  return found;
}

gboolean
pare_prefix_cache_knows (ParePrefixCache *self, guint64 salt)
{
  g_mutex_lock (&self->lock);
  gboolean known = self->noted[0] != NULL && self->noted_salt == salt;
  g_mutex_unlock (&self->lock);
  return known;
}

void
pare_prefix_cache_count_runs (ParePrefixCache *self, guint hits, guint misses)
{
  g_atomic_pointer_add (&self->hits, hits);
  g_atomic_pointer_add (&self->misses, misses);
}
