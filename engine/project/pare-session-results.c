/* What is known of each recipe: at hand, in the entries of history, in the store. */
#include "engine/project/pare-session-private.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define KNOWN_MAX 48

typedef struct
{
  char *key;
  PareEvaluation *evaluation;
} Known;

static void
known_free (gpointer data)
{
  Known *known = data;
  g_free (known->key);
  pare_evaluation_unref (known->evaluation);
  g_free (known);
}

void
pare_session_drop_known (PareSession *self)
{
  g_queue_clear_full (&self->known, known_free);
}

static void
remember (PareSession *self, const char *key, PareEvaluation *evaluation)
{
  for (GList *l = self->known.head; l != NULL; l = l->next)
    if (g_str_equal (((Known *)l->data)->key, key))
      {
        known_free (l->data);
        g_queue_delete_link (&self->known, l);
        break;
      }
  Known *known = g_new (Known, 1);
  known->key = g_strdup (key);
  known->evaluation = pare_evaluation_ref (evaluation);
  g_queue_push_head (&self->known, known);
  if (self->known.length > KNOWN_MAX)
    known_free (g_queue_pop_tail (&self->known));
}

PareEvaluation *
pare_session_find_at_hand (PareSession *self, const char *key)
{
  for (GList *l = self->known.head; l != NULL; l = l->next)
    if (g_str_equal (((Known *)l->data)->key, key))
      return pare_evaluation_ref (((Known *)l->data)->evaluation);
  return NULL;
}

PareEvaluation *
pare_session_find_evaluation (PareSession *self, const char *key)
{
  PareEvaluation *at_hand = pare_session_find_at_hand (self, key);
  if (at_hand != NULL)
    return at_hand;
  if (self->store == NULL || self->data_hash == NULL)
    return NULL;
  /* A damaged result is one that is not known. */
  PareEvaluation *evaluation = pare_store_read_evaluation (self->store, key, self->data_hash, self->split, TRUE, NULL);
  if (evaluation != NULL)
    remember (self, key, evaluation);
  return evaluation;
}

void
pare_session_keep_evaluation (PareSession *self, const char *key, PareEvaluation *evaluation, gboolean baseline)
{
  remember (self, key, evaluation);
  if (self->store != NULL && self->data_hash != NULL)
    pare_store_put_evaluation (self->store, key, self->data_hash, self->split, evaluation, baseline);
}

static void
tell_entry (PareSession *self, gint64 id)
{
  if (!self->closed)
    g_signal_emit (self, pare_session_signals[SIGNAL_ENTRY], 0, id);
}

static void
fill_accuracy (PareEntry *e, const PareEvaluation *evaluation, PareOrigin origin)
{
  e->accuracy_origin = origin;
  e->accuracy = evaluation->value;
  e->accuracy_low = evaluation->low;
  e->accuracy_high = evaluation->high;
  e->samples = evaluation->done;
  if (g_strcmp0 (e->metric, evaluation->metric) != 0)
    {
      g_free (e->metric);
      e->metric = g_strdup (evaluation->metric);
    }
  e->has_difference = evaluation->has_difference;
  e->difference = evaluation->difference;
  e->difference_low = evaluation->difference_low;
  e->difference_high = evaluation->difference_high;
}

static void
fill_size (PareEntry *e, const PareSize *size, gint64 macs, PareOrigin origin)
{
  e->size_origin = origin;
  e->size = *size;
  e->macs = macs;
}

static void
fill_latency (PareEntry *e, const PareLatency *latency, PareOrigin origin)
{
  e->latency_origin = origin;
  e->latency_ms = latency->median_ms;
  e->latency_p10 = latency->p10_ms;
  e->latency_p90 = latency->p90_ms;
  e->latency_age = 0;
}

#define FOR_ENTRIES_OF(key_, entry_)                                                                                                       \
  for (guint i_ = 0; self->history != NULL && i_ < pare_history_get_n_entries (self->history); i_++)                                       \
    for (PareHistoryEntry *entry_ = pare_history_get_entry (self->history, i_); entry_ != NULL && g_str_equal (entry_->key, key_);         \
         entry_ = NULL)

void
pare_session_entry_set_evaluation (PareSession *self, const char *key, const PareEvaluation *evaluation, PareOrigin origin)
{
  FOR_ENTRIES_OF (key, entry)
  {
    fill_accuracy (&entry->shown, evaluation, origin);
    tell_entry (self, entry->shown.id);
  }
}

void
pare_session_entry_set_size (PareSession *self, const char *key, const PareSize *size, gint64 macs, PareOrigin origin)
{
  FOR_ENTRIES_OF (key, entry)
  {
    if (entry->shown.size_origin == origin && memcmp (&entry->shown.size, size, sizeof *size) == 0 && entry->shown.macs == macs)
      continue;
    fill_size (&entry->shown, size, macs, origin);
    tell_entry (self, entry->shown.id);
  }
}

void
pare_session_entry_set_latency (PareSession *self, const char *key, const PareLatency *latency, PareOrigin origin)
{
  FOR_ENTRIES_OF (key, entry)
  {
    fill_latency (&entry->shown, latency, origin);
    tell_entry (self, entry->shown.id);
  }
}

static void
fill_from_store (PareSession *self, PareHistoryEntry *entry)
{
  PareSize size;
  gint64 macs;
  PareLatency latency;
  g_autofree char *host = NULL;
  if (self->data_hash != NULL && entry->shown.accuracy_origin != PARE_ORIGIN_MEASURED)
    {
      g_autoptr (PareEvaluation) e = pare_store_read_evaluation (self->store, entry->key, self->data_hash, self->split, FALSE, NULL);
      if (e != NULL)
        fill_accuracy (&entry->shown, e, PARE_ORIGIN_MEASURED);
    }
  if (entry->shown.size_origin != PARE_ORIGIN_MEASURED && pare_store_read_size (self->store, entry->key, &size, &macs, NULL))
    fill_size (&entry->shown, &size, macs, PARE_ORIGIN_MEASURED);
  if (entry->shown.latency_origin != PARE_ORIGIN_MEASURED
      && pare_store_read_latency (self->store, entry->key, pare_session_host (), &latency, &host, NULL, NULL))
    {
      /* Another computer's times are no measurement of this one. */
      fill_latency (&entry->shown, &latency, g_strcmp0 (host, pare_session_host ()) == 0 ? PARE_ORIGIN_MEASURED : PARE_ORIGIN_STALE);
      pare_latency_clear (&latency);
    }
}

void
pare_session_fill_entry (PareSession *self, PareHistoryEntry *entry)
{
  const PareLatency *own = g_hash_table_lookup (self->known_latencies, entry->key);
  if (own != NULL)
    fill_latency (&entry->shown, own, PARE_ORIGIN_MEASURED);
  for (GList *l = self->known.head; l != NULL; l = l->next)
    if (g_str_equal (((Known *)l->data)->key, entry->key))
      fill_accuracy (&entry->shown, ((Known *)l->data)->evaluation, PARE_ORIGIN_MEASURED);
  if (self->store != NULL)
    fill_from_store (self, entry);
  /* A size that another point of the history has may still be on its way into the store. */
  if (entry->shown.size_origin != PARE_ORIGIN_MEASURED)
    FOR_ENTRIES_OF (entry->key, other)
    {
      if (other->shown.size_origin == PARE_ORIGIN_MEASURED)
        fill_size (&entry->shown, &other->shown.size, other->shown.macs, PARE_ORIGIN_MEASURED);
    }
}

void
pare_session_fill_entries (PareSession *self)
{
  /* What is on its way into the store has to be found there. */
  if (self->store != NULL)
    pare_store_flush (self->store, NULL);
  for (guint i = 0; self->history != NULL && i < pare_history_get_n_entries (self->history); i++)
    {
      PareHistoryEntry *entry = pare_history_get_entry (self->history, i);
      pare_history_entry_forget_accuracy (entry);
      pare_session_fill_entry (self, entry);
    }
}

const char *
pare_session_host (void)
{
  return g_get_host_name ();
}

const PareLatency *
pare_session_find_latency (PareSession *self, const char *key)
{
  PareLatency *known = g_hash_table_lookup (self->known_latencies, key);
  PareLatency stored;
  g_autofree char *host = NULL;
  if (known != NULL || self->store == NULL || !pare_store_read_latency (self->store, key, pare_session_host (), &stored, &host, NULL, NULL))
    return known;
  if (g_strcmp0 (host, pare_session_host ()) != 0)
    {
      pare_latency_clear (&stored);
      return NULL;
    }
  known = g_memdup2 (&stored, sizeof stored);
  g_hash_table_replace (self->known_latencies, g_strdup (key), known);
  return known;
}

void
pare_session_keep_latency (PareSession *self, const char *key, const PareLatency *latency)
{
  PareLatency *copy = g_new (PareLatency, 1);
  pare_latency_copy (copy, latency);
  g_hash_table_replace (self->known_latencies, g_strdup (key), copy);
  if (self->store != NULL)
    pare_store_put_latency (self->store, key, pare_session_host (), pare_default_threads (), latency);
  pare_session_entry_set_latency (self, key, latency, PARE_ORIGIN_MEASURED);
}

/* The figures of the current recipe are those of `latency`, which is measured here. */
void
pare_session_show_latency (PareSession *self, const PareLatency *latency)
{
  if (self->has_latency)
    pare_latency_clear (&self->latency);
  pare_latency_copy (&self->latency, latency);
  self->has_latency = TRUE;
  self->latency_origin = PARE_ORIGIN_MEASURED;
  self->latency_edits = self->edits;
}
