/* The project file behind the session. */
#include "engine/project/pare-session-private.h"
#include "engine/onnx/pare-onnx.h"

#include <string.h>

/* --- trouble with writing: from the writer thread to the main thread --- */

static gboolean
on_trouble_idle (gpointer data)
{
  PareSession *self = data;
  g_mutex_lock (&self->trouble_mutex);
  g_autofree char *text = g_steal_pointer (&self->trouble_text);
  g_clear_pointer (&self->trouble_source, g_source_unref);
  g_mutex_unlock (&self->trouble_mutex);
  gboolean was = self->save_trouble != NULL;
  g_free (self->save_trouble);
  self->save_trouble = g_strdup (text);
  if (text != NULL && !was)
    pare_session_message (self, "error", "%s", text);
  else if (text == NULL && was)
    pare_session_message (self, "info", "All changes are saved again");
  pare_session_emit (self, SIGNAL_SAVED);
  return G_SOURCE_REMOVE;
}

static void
on_trouble (const char *text, gpointer data)
{
  PareSession *self = data;
  g_mutex_lock (&self->trouble_mutex);
  g_free (self->trouble_text);
  self->trouble_text = g_strdup (text);
  if (self->trouble_source == NULL)
    {
      self->trouble_source = g_idle_source_new ();
      g_source_set_callback (self->trouble_source, on_trouble_idle, self, NULL);
      g_source_attach (self->trouble_source, self->context);
    }
  g_mutex_unlock (&self->trouble_mutex);
}

void
pare_session_connect_store (PareSession *self)
{
  if (self->store != NULL && !pare_store_is_read_only (self->store))
    pare_store_set_trouble_func (self->store, on_trouble, self);
}

gboolean
pare_session_is_dispensable (PareSession *self)
{
  return self->own_file && self->store != NULL && self->history != NULL && pare_history_get_n_entries (self->history) == 1
         && pare_store_is_plain (self->store);
}

void
pare_session_close_store (PareSession *self, gboolean remove)
{
  if (self->store == NULL)
    g_clear_pointer (&self->save_trouble, g_free);
  if (self->store == NULL)
    return;
  GError *error = NULL;
  pare_store_set_trouble_func (self->store, NULL, NULL);
  if (self->trouble_source != NULL)
    g_source_destroy (self->trouble_source);
  g_clear_pointer (&self->trouble_source, g_source_unref);
  if (!pare_store_flush (self->store, &error))
    pare_session_message (self, "error", "%s", error->message);
  g_clear_error (&error);
  if (remove && self->own_file)
    g_clear_pointer (&self->store, pare_store_close_and_remove);
  else
    g_clear_pointer (&self->store, pare_store_close);
  g_clear_pointer (&self->save_trouble, g_free);
}

/* --- what is written --- */

void
pare_session_save_edit (PareSession *self, gboolean with_entry, gboolean with_step)
{
  if (self->store == NULL)
    return;
  PareStoreEntry *entry = with_entry ? pare_history_to_store (pare_session_current (self)) : NULL;
  PareStoreEdit edit = { .entry = entry, .position = pare_history_get_position (self->history) };
  if (with_step)
    {
      edit.step_index = edit.position;
      edit.step = pare_history_get_step (self->history, edit.step_index);
    }
  pare_store_put_edit (self->store, &edit);
  pare_store_entry_free (entry);
}

/* Tensors that live in other files: the bytes of the model's own file are not the whole model. */
static gboolean
keeps_tensors_outside (GBytes *source)
{
  static const char key[] = "\x0a\x08location";
  gsize n;
  const void *data = g_bytes_get_data (source, &n);
  return memmem (data, n, key, sizeof key - 1) != NULL;
}

static GBytes *
bytes_to_embed (const PareGraph *graph, gboolean *serialized)
{
  *serialized = FALSE;
  if (graph->source == NULL || g_bytes_get_size (graph->source) >= PARE_STORE_EMBED_LIMIT)
    return NULL;
  if (!keeps_tensors_outside (graph->source))
    return g_bytes_ref (graph->source);
  guint64 total = 0;
  for (guint i = 0; i < graph->n_values; i++)
    total += graph->values[i].constant != NULL ? graph->values[i].constant->bytes : 0;
  *serialized = TRUE;
  GBytes *bytes = total < PARE_STORE_EMBED_LIMIT ? pare_onnx_serialize (graph, NULL) : NULL;
  if (bytes != NULL && g_bytes_get_size (bytes) >= PARE_STORE_EMBED_LIMIT)
    g_clear_pointer (&bytes, g_bytes_unref);
  return bytes;
}

void
pare_session_put_model (PareStore *store, const PareSessionModel *model)
{
  const PareGraph *graph = model->graph;
  g_autofree char *path = graph->path != NULL ? g_canonicalize_filename (graph->path, NULL) : NULL;
  gboolean serialized;
  g_autoptr (GBytes) bytes = bytes_to_embed (graph, &serialized);
  PareStoreModel record = { .path = path,
                            .name = model->name,
                            .sha256 = graph->sha256,
                            .size = graph->source != NULL ? (gint64)g_bytes_get_size (graph->source) : 0,
                            .serialized = serialized };
  pare_store_put_model (store, &record, bytes);
}

/* Everything that is at hand, into a store that has not seen it. */
void
pare_session_save_all (PareSession *self)
{
  if (self->store == NULL || self->history == NULL)
    return;
  pare_session_put_model (self->store, self->model);
  if (self->dataset != NULL)
    {
      PareStoreData data = { (char *)pare_dataset_get_path (self->dataset), (char *)pare_dataset_get_name (self->dataset),
                             (char *)pare_dataset_get_hash (self->dataset) };
      pare_store_put_data (self->store, &data);
    }
  pare_store_put_meta (self->store, "split", pare_split_name (self->split));
  for (guint i = 0; i < pare_history_get_n_entries (self->history); i++)
    {
      PareHistoryEntry *entry = pare_history_get_entry (self->history, i);
      PareStoreEntry *record = pare_history_to_store (entry);
      PareStoreEdit edit = { .entry = record, .position = pare_history_get_position (self->history) };
      pare_store_put_edit (self->store, &edit);
      pare_store_entry_free (record);
      if (entry->shown.size_origin == PARE_ORIGIN_MEASURED)
        pare_store_put_size (self->store, entry->key, &entry->shown.size, entry->shown.macs);
      g_autoptr (PareEvaluation) e = pare_session_find_evaluation (self, entry->key);
      if (e != NULL)
        pare_store_put_evaluation (self->store, entry->key, self->data_hash, self->split, e, e->outputs != NULL);
      const PareLatency *latency = pare_session_find_latency (self, entry->key);
      if (latency != NULL)
        pare_store_put_latency (self->store, entry->key, pare_session_host (), pare_default_threads (), latency);
    }
  for (guint i = 0; i < pare_history_get_n_steps (self->history); i++)
    {
      PareStoreEdit edit
          = { .step = pare_history_get_step (self->history, i), .step_index = i, .position = pare_history_get_position (self->history) };
      pare_store_put_edit (self->store, &edit);
    }
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init (&iter, self->ui);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      g_autofree char *name = g_strconcat ("ui.", key, NULL);
      pare_store_put_meta (self->store, name, value);
    }
}

const char *
pare_session_get_save_trouble (PareSession *self)
{
  return self->save_trouble;
}
