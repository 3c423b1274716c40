/* Opening, the part that runs in a worker thread: what a path is, told by its content, and everything that can be read of it. */
#include "engine/project/pare-session-private.h"
#include "engine/project/pare-projects.h"
#include "engine/project/pare-statistics-cache.h"
#include "engine/onnx/pare-onnx.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

static void
note_free (gpointer data)
{
  PareSessionNote *note = data;
  g_free (note->severity);
  g_free (note->text);
  g_free (note);
}

void
pare_opened_free (PareOpened *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->model, pare_session_model_unref);
  g_clear_pointer (&self->dataset, pare_dataset_unref);
  g_clear_pointer (&self->recipe, pare_recipe_unref);
  g_clear_pointer (&self->store, pare_store_close);
  g_clear_pointer (&self->history, pare_history_free);
  g_clear_pointer (&self->ui, g_hash_table_unref);
  g_clear_pointer (&self->data, pare_store_data_free);
  g_free (self->save_trouble);
  g_clear_pointer (&self->notes, g_ptr_array_unref);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareOpened, pare_opened_free)

static void G_GNUC_PRINTF (3, 4) add_note (PareOpened *self, const char *severity, const char *format, ...)
{
  va_list args;
  PareSessionNote *note = g_new (PareSessionNote, 1);
  va_start (args, format);
  note->severity = g_strdup (severity);
  note->text = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (self->notes, note);
}

/* --- what a path is --- */

static gboolean
is_text (const guint8 *head, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (head[i] < 0x20 && head[i] != '\t' && head[i] != '\n' && head[i] != '\r')
      return FALSE;
  /* A character may be cut at the end of what was read. */
  const char *end;
  return n > 0 && (g_utf8_validate ((const char *)head, (gssize)n, &end) || (const guint8 *)end + 4 > head + n);
}

/* The first field of a ModelProto: number and wire type. */
static gboolean
begins_like_onnx (const guint8 *head, gsize n)
{
  static const guint8 tags[] = { 0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72 };
  return n >= 2 && memchr (tags, head[0], sizeof tags) != NULL;
}

static gboolean
ends_with (const char *path, const char *ending)
{
  gsize n = strlen (path), m = strlen (ending);
  return n >= m && g_ascii_strcasecmp (path + n - m, ending) == 0;
}

static gboolean
tell_kind (const char *path, PareOpenedKind *kind, GError **error)
{
  guint8 head[4096];
  g_autofree char *shown = g_filename_display_name (path);
  *kind = PARE_OPENED_DATA;
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return TRUE;
  if (pare_store_sniff (path))
    {
      *kind = PARE_OPENED_PROJECT;
      return TRUE;
    }
  FILE *file = fopen (path, "rbe");
  if (file == NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: cannot be opened: %s", shown, g_strerror (errno));
      return FALSE;
    }
  gsize n = fread (head, 1, sizeof head, file);
  fclose (file);
  gboolean sqlite = n >= 16 && memcmp (head, "SQLite format 3", 16) == 0;
  /* A name that promises gets the reader that it names, and that reader's message if it does not keep it. */
  if (sqlite || ends_with (path, ".pare"))
    *kind = PARE_OPENED_PROJECT;
  else if (ends_with (path, ".onnx") || ends_with (path, ".ort.onnx"))
    *kind = PARE_OPENED_MODEL;
  else if (n >= 6
           && (memcmp (head, "\x93NUMPY", 6) == 0 || memcmp (head, "PK\3\4", 4) == 0 || (head[0] == 0x1f && head[1] == 0x8b)
               || (head[0] == 0 && head[1] == 0)))
    *kind = PARE_OPENED_DATA;
  else if (is_text (head, n) || ends_with (path, ".json") || ends_with (path, ".csv"))
    {
      g_autofree char *text = g_strndup ((const char *)head, n);
      *kind = strstr (text, "\"pare_recipe\"") != NULL ? PARE_OPENED_RECIPE : PARE_OPENED_DATA;
    }
  else if (begins_like_onnx (head, n))
    *kind = PARE_OPENED_MODEL;
  else
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT,
                   "%s: no ONNX model, Pare project, recipe or data (a folder of images, NPY, NPZ, IDX, CSV, JSON)", shown);
      return FALSE;
    }
  return TRUE;
}

/* --- the model --- */

static char *
name_of_model (const char *path)
{
  char *name = g_path_get_basename (path);
  if (ends_with (name, ".onnx"))
    name[strlen (name) - 5] = '\0';
  if (*name != '\0')
    return name;
  g_free (name);
  return g_strdup ("model");
}

/* Takes the graph. A graph that cannot be made to run is opened all the same, with the reason. */
static PareSessionModel *
study (PareGraph *graph, const char *name)
{
  PareSessionModel *model = g_new0 (PareSessionModel, 1);
  g_atomic_ref_count_init (&model->refs);
  model->graph = graph;
  model->name = g_strdup (name);
  GError *error = NULL;
  pare_lower_assume_shapes (graph);
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (graph, NULL, 0, pare_lower_eval_node, &error);
  if (canonical == NULL)
    model->why_not = g_strdup (error != NULL ? error->message : "the graph contradicts itself");
  else
    model->why_not = pare_lower_why_not (canonical);
  g_clear_error (&error);
  model->infos = pare_graph_layer_infos (graph, canonical, &model->n_infos);
  model->layers = g_ptr_array_new_with_free_func (g_free);
  model->nodes = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < graph->n_nodes; i++)
    {
      const char *layer = graph->nodes[i].layer;
      guint weight;
      if (layer == NULL)
        continue;
      g_hash_table_insert (model->nodes, (gpointer)layer, GUINT_TO_POINTER (i));
      if (pare_layer_is_compressible (graph, i, &weight))
        g_ptr_array_add (model->layers, g_strdup (layer));
    }
  return model;
}

static PareStore *
create_own_store (PareOpened *opened)
{
  for (guint n = 1;; n++)
    {
      GError *error = NULL;
      g_autofree char *path = pare_projects_path (opened->model->name, n);
      /* Also while a file of that number is there, but not for ever. */
      PareStore *store = g_file_test (path, G_FILE_TEST_EXISTS) && n < 100000 ? NULL : pare_store_create (path, &error);
      if (store != NULL)
        return store;
      if (error != NULL && !g_file_test (path, G_FILE_TEST_EXISTS))
        {
          add_note (opened, "warning", "Changes will not be saved: %s", error->message);
          opened->save_trouble = g_strdup_printf ("Changes are not saved: %s", error->message);
          g_error_free (error);
          return NULL;
        }
      g_clear_error (&error);
    }
}

static gboolean
load_model (PareOpened *opened, const char *path, PareControl *control, GError **error)
{
  PareGraph *graph = pare_onnx_load (path, control, error);
  if (graph == NULL)
    return FALSE;
  g_autofree char *name = name_of_model (path);
  opened->model = study (graph, name);
  if (pare_control_check (control, error))
    return FALSE;
  g_autoptr (PareRecipe) original = pare_recipe_new ();
  pare_recipe_set_model_sha256 (original, graph->sha256);
  opened->history = pare_history_new (original);
  pare_projects_tidy (g_get_real_time () / G_USEC_PER_SEC);
  opened->store = create_own_store (opened);
  opened->own_file = opened->store != NULL;
  if (opened->store == NULL)
    return TRUE;
  PareStoreEntry *entry = pare_history_to_store (pare_history_get_entry (opened->history, 0));
  PareStoreEdit edit = { .entry = entry, .step = pare_history_get_step (opened->history, 0) };
  pare_session_put_model (opened->store, opened->model);
  pare_store_put_edit (opened->store, &edit);
  pare_store_entry_free (entry);
  return TRUE;
}

/* --- the project --- */

/* FALSE: not there or not readable. */
static gboolean
hash_of_file (const char *path, PareControl *control, char **sha256)
{
  *sha256 = g_file_test (path, G_FILE_TEST_IS_REGULAR) ? pare_onnx_hash_file (path, control, NULL) : NULL;
  return *sha256 != NULL;
}

static gboolean
damaged (const char *path, const char *what, GError **error)
{
  g_autofree char *shown = g_filename_display_name (path);
  g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: the project file is damaged (%s); it was left as it is", shown, what);
  return FALSE;
}

static PareGraph *
load_embedded (PareOpened *opened, const PareStoreModel *record, PareControl *control, GError **error)
{
  const char *project = pare_store_get_path (opened->store);
  g_autoptr (GBytes) bytes = pare_store_read_model_bytes (opened->store, error);
  if (bytes == NULL)
    {
      if (error != NULL && *error == NULL)
        damaged (project, "its model is missing", error);
      return NULL;
    }
  g_autofree char *is = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
  if (!record->serialized && !g_str_equal (is, record->sha256))
    {
      damaged (project, "its model does not have the hash that it was saved with", error);
      return NULL;
    }
  PareGraph *graph = pare_onnx_parse (bytes, record->path, error);
  if (graph == NULL)
    return NULL;
  /* Recipes belong to the file that was opened, not to how it is kept here. */
  g_free (graph->sha256);
  graph->sha256 = g_strdup (record->sha256);
  if (graph->path == NULL)
    graph->path = g_strdup (record->path);
  g_autofree char *now = NULL;
  if (record->path != NULL && hash_of_file (record->path, control, &now) && !g_str_equal (now, record->sha256))
    add_note (opened, "warning", "%s has changed since this project was made; the project's own copy is used", record->path);
  return graph;
}

static PareGraph *
load_by_path (const PareStoreModel *record, const char *project, PareControl *control, GError **error)
{
  if (record->path == NULL)
    {
      damaged (project, "it names no model", error);
      return NULL;
    }
  GError *local = NULL;
  g_autoptr (PareGraph) graph = pare_onnx_load (record->path, control, &local);
  if (graph == NULL)
    {
      g_propagate_prefixed_error (error, local, "the project keeps no copy of its model, and the file it names cannot be read: ");
      return NULL;
    }
  if (g_strcmp0 (graph->sha256, record->sha256) == 0)
    return g_steal_pointer (&graph);
  g_set_error (error, PARE_ERROR, PARE_ERROR_FILE,
               "%s has changed since the project was made (its hash differs), and the project keeps no copy", record->path);
  return NULL;
}

static gboolean
load_project (PareOpened *opened, const char *path, PareControl *control, GError **error)
{
  GError *local = NULL;
  guint position;
  g_autofree char *shown = g_filename_display_name (path);
  opened->store = pare_store_open (path, error);
  if (opened->store == NULL)
    return FALSE;
  g_autoptr (PareStoreModel) record = pare_store_read_model (opened->store, &local);
  if (record == NULL)
    {
      if (local == NULL)
        return damaged (path, "it holds no model", error);
      g_propagate_error (error, local);
      return FALSE;
    }
  PareGraph *graph = record->embedded ? load_embedded (opened, record, control, error) : load_by_path (record, path, control, error);
  if (graph == NULL)
    return FALSE;
  opened->model = study (graph, record->name);
  g_autoptr (GPtrArray) entries = pare_store_list_entries (opened->store, error);
  g_autoptr (GPtrArray) steps = NULL;
  if (entries == NULL || !pare_store_read_undo (opened->store, &steps, &position, error))
    return FALSE;
  opened->history = pare_history_restore (entries, steps, position, shown, error);
  if (opened->history == NULL)
    return FALSE;
  opened->ui = pare_store_list_meta (opened->store, "ui.", error);
  if (opened->ui == NULL)
    return FALSE;
  opened->data = pare_store_read_data (opened->store, NULL);
  g_autofree char *split = pare_store_read_meta (opened->store, "split", NULL);
  if (split != NULL)
    pare_split_parse (split, &opened->split);
  if (pare_store_is_read_only (opened->store))
    add_note (opened, "warning", "%s: open for reading only (%s). Changes are not saved; use Save As", shown,
              pare_store_get_why_read_only (opened->store));
  return !pare_control_check (control, error);
}

/* --- a model that has a project --- */

static void
forget_project (PareOpened *opened)
{
  g_clear_pointer (&opened->model, pare_session_model_unref);
  g_clear_pointer (&opened->store, pare_store_close);
  g_clear_pointer (&opened->history, pare_history_free);
  g_clear_pointer (&opened->ui, g_hash_table_unref);
  g_clear_pointer (&opened->data, pare_store_data_free);
  g_ptr_array_set_size (opened->notes, 0);
  opened->split = PARE_SPLIT_SEARCH;
}

/* Tensors in other files may have changed under a model file that did not. */
static gboolean
has_same_tensors (const PareGraph *kept, const char *path, PareControl *control)
{
  g_autoptr (PareGraph) now = pare_onnx_load (path, control, NULL);
  g_autofree char *a = now != NULL ? pare_statistics_cache_tensors (now) : NULL, *b = pare_statistics_cache_tensors (kept);
  return g_strcmp0 (a, b) == 0;
}

/* The newest unnamed project of this very file, if nobody else has it open. */
static gboolean
continue_project (PareOpened *opened, const char *path, const char *current, PareControl *control)
{
  g_autofree char *name = name_of_model (path), *canonical = g_canonicalize_filename (path, NULL), *sha256 = NULL;
  g_autoptr (GPtrArray) files = pare_projects_find (name, canonical);
  if (files->len == 0 || !hash_of_file (path, control, &sha256))
    return FALSE;
  g_autoptr (GPtrArray) troubles = g_ptr_array_new_with_free_func (g_free);
  gboolean found = FALSE;
  for (guint i = 0; !found && i < files->len && !pare_control_cancelled (control); i++)
    {
      PareProjectFile *file = files->pdata[i];
      GError *error = NULL;
      if (g_strcmp0 (file->peek.model_sha256, sha256) != 0)
        continue;
      if (g_strcmp0 (file->path, current) == 0 && !file->peek.serialized)
        {
          opened->kind = PARE_OPENED_ALREADY;
          return TRUE;
        }
      found = load_project (opened, file->path, control, &error) && !pare_store_is_read_only (opened->store)
              && (!file->peek.serialized || has_same_tensors (opened->model->graph, path, control));
      if (error != NULL && !g_error_matches (error, PARE_ERROR, PARE_ERROR_CANCELLED))
        g_ptr_array_add (troubles, g_strdup (error->message));
      g_clear_error (&error);
      if (found)
        opened->continued = file->peek.plain ? 0 : file->peek.when;
      else
        forget_project (opened);
    }
  for (guint i = 0; i < troubles->len; i++)
    add_note (opened, "warning", "An earlier project of this model cannot be read: %s", (char *)troubles->pdata[i]);
  opened->own_file = found;
  return found;
}

PareOpened *
pare_session_load (const char *path, gboolean has_model, gboolean fresh, const char *current, PareControl *control, GError **error)
{
  g_autoptr (PareOpened) opened = g_new0 (PareOpened, 1);
  opened->notes = g_ptr_array_new_with_free_func (note_free);
  opened->split = PARE_SPLIT_SEARCH;
  if (!tell_kind (path, &opened->kind, error))
    return NULL;
  gboolean fine = FALSE;
  switch (opened->kind)
    {
    case PARE_OPENED_MODEL:
      opened->fresh = fresh;
      fine = (!fresh && continue_project (opened, path, current, control)) || load_model (opened, path, control, error);
      break;
    case PARE_OPENED_PROJECT:
      fine = load_project (opened, path, control, error);
      break;
    case PARE_OPENED_DATA:
      opened->dataset = pare_dataset_open (path, error);
      fine = opened->dataset != NULL;
      if (fine)
        pare_dataset_get_hash (opened->dataset); /* kept there: reads every file, which is nothing for the main thread */
      break;
    case PARE_OPENED_ALREADY: /* no content says so */
      break;
    case PARE_OPENED_RECIPE:
      if (!has_model)
        g_set_error (error, PARE_ERROR, PARE_ERROR_RECIPE, "%s: a recipe; open the model that it belongs to first", path);
      else
        opened->recipe = pare_recipe_load (path, error);
      fine = opened->recipe != NULL;
      break;
    }
  return fine ? g_steal_pointer (&opened) : NULL;
}
