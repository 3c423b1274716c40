/* How the graph gets its places: models and scenes are made in a thread, one at a time, and taken over here; what is looked at stays where
 * it is. Of two jobs the later one counts: a scene of an older generation is dropped when it arrives. */
#include "widgets/pare-graph-view-private.h"

#include <math.h>

typedef struct
{
  PareGraph *graph; /* to make a model of, or NULL */
  PareLayerInfo *infos;
  guint n_infos;
  PareGraphModel *model;
  gboolean *folded;
  PareGraphShow show;
  GHashTable *old_folds; /* path -> 1 + folded, of the model before */
  PareControl *control;
  PareGraphScene *scene;
  guint64 generation;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;
  g_clear_pointer (&job->graph, pare_graph_unref);
  g_free (job->infos);
  g_clear_pointer (&job->model, pare_graph_model_unref);
  g_free (job->folded);
  g_clear_pointer (&job->old_folds, g_hash_table_unref);
  pare_control_unref (job->control);
  pare_graph_scene_unref (job->scene);
  g_free (job);
}

static void
work (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Job *job = data;
  g_autoptr (GError) error = NULL;
  if (job->model == NULL)
    {
      job->model = pare_graph_model_new (job->graph, job->infos, job->n_infos);
      job->folded = pare_graph_model_default_folds (job->model);
      for (guint g = 0; g < job->model->n_groups && job->old_folds != NULL; g++)
        {
          gpointer found = g_hash_table_lookup (job->old_folds, job->model->groups[g].path);
          if (found != NULL)
            job->folded[g] = GPOINTER_TO_INT (found) - 1;
        }
    }
  job->scene = pare_graph_scene_new (job->model, job->folded, job->show, job->control, &error);
  if (job->scene == NULL)
    g_task_return_error (task, g_steal_pointer (&error));
  else
    g_task_return_boolean (task, TRUE);
}

static gboolean
same_layers (const PareGraphModel *a, const PareGraphModel *b)
{
  if (a == NULL || a->n_shown != b->n_shown)
    return FALSE;
  for (guint i = 0; i < a->n_shown; i++)
    if (!g_str_equal (a->shown[i].title, b->shown[i].title))
      return FALSE;
  return TRUE;
}

static void
take_model (PareGraphView *self, PareGraphModel *model, gboolean *folded)
{
  self->placed = self->placed && same_layers (self->model, model);
  if (!self->placed)
    self->cursor = self->hover = (PareGraphRef){ FALSE };
  g_clear_pointer (&self->model, pare_graph_model_unref);
  self->model = pare_graph_model_ref (model);
  g_free (self->folded);
  self->folded = g_memdup2 (folded, sizeof *folded * (model->n_groups + 1));
  g_free (self->selected);
  self->selected = g_new0 (gboolean, model->n_shown + 1);
  g_array_set_size (self->coupled, 0);
  g_autofree char *needle = g_steal_pointer (&self->needle);
  g_clear_pointer (&self->is_hit, g_free);
  g_array_set_size (self->hits, 0);
  for (guint i = 0; self->wanted != NULL && self->wanted[i] != NULL; i++)
    {
      guint32 shown = pare_graph_model_find (model, self->wanted[i]);
      if (shown != PARE_NONE)
        self->selected[shown] = TRUE;
    }
  pare_graph_view_apply_values (self);
  pare_graph_view_apply_decor (self);
  self->needle = g_steal_pointer (&needle);
  pare_graph_view_update_search (self);
}

/* Where a graph opens: its own size, centred, its top at the top. */
void
pare_graph_view_first_place (PareGraphView *self)
{
  const PareLayout *l = self->scene->layout;
  self->fit_when_sized = self->viewport.width <= 1;
  if (self->fit_when_sized)
    return;
  self->placed = TRUE;
  pare_viewport_zoom_at (&self->viewport, MIN (1, MAX (0.3, (self->viewport.width - 24) / l->width)), 0, 0);
  pare_viewport_center_on (&self->viewport, l->width / 2, 0);
  /* the main line in the middle: wide branches may make it lie elsewhere than the middle of the drawing */
  if (self->scene->n_items > 0 && l->width * self->viewport.scale > self->viewport.width)
    pare_viewport_center_on (&self->viewport, self->scene->items[0].rect.x + self->scene->items[0].rect.width / 2, 0);
  self->viewport.y = -6 / self->viewport.scale - self->viewport.inset_top / self->viewport.scale;
  pare_viewport_scroll (&self->viewport, 0, 0);
}

static void
keep_anchor (PareGraphView *self)
{
  PareLayoutRect rect;
  if (!self->anchor.valid || !pare_graph_view_rect_of (self, self->anchor, &rect))
    return;
  self->viewport.x = rect.x + rect.width / 2 - self->anchor_x / self->viewport.scale;
  self->viewport.y = rect.y - self->anchor_y / self->viewport.scale;
  pare_viewport_scroll (&self->viewport, 0, 0);
  self->anchor.valid = FALSE;
}

static void
work_done (GObject *source, GAsyncResult *result, gpointer data)
{
  PareGraphView *self = PARE_GRAPH_VIEW (source);
  Job *job = g_task_get_task_data (G_TASK (result));
  g_autoptr (GError) error = NULL;
  gboolean ok = g_task_propagate_boolean (G_TASK (result), &error);
  if (job->generation != self->generation)
    return; /* superseded */
  g_clear_pointer (&self->control, pare_control_unref);
  self->busy = FALSE;
  g_object_notify (G_OBJECT (self), "busy");
  if (!ok)
    {
      g_warning ("The graph cannot be laid out: %s", error->message);
      return;
    }
  pare_graph_view_stop_motion (self);
  pare_graph_view_drop_cache (self);
  PareGraphScene *old = g_steal_pointer (&self->scene);
  double old_x = self->viewport.x, old_y = self->viewport.y, old_scale = self->viewport.scale;
  if (job->model != self->model)
    take_model (self, job->model, job->folded);
  self->scene = g_steal_pointer (&job->scene);
  self->hover.valid = FALSE;
  pare_viewport_set_content (&self->viewport, self->scene->layout->width, self->scene->layout->height);
  if (!self->placed)
    pare_graph_view_first_place (self);
  keep_anchor (self);
  if (self->placed && self->fly_when_ready == NULL && self->viewport.scale == old_scale)
    pare_graph_view_start_motion (self, old, self->viewport.x - old_x, self->viewport.y - old_y);
  pare_graph_scene_unref (old);
  if (pare_graph_view_item_of (self, self->cursor) < 0 && !(self->cursor.valid && self->cursor.is_group))
    self->cursor.valid = FALSE;
  pare_graph_view_set_cursor (self, self->cursor, FALSE);
  g_signal_emit (self, pare_graph_view_signals[PARE_GRAPH_LAYOUT_CHANGED], 0);
  if (self->fly_when_ready != NULL)
    {
      g_autofree char *layer = g_steal_pointer (&self->fly_when_ready);
      pare_graph_view_fly_to (self, layer);
    }
}

static void
start_job (PareGraphView *self, Job *job)
{
  if (self->control != NULL)
    pare_control_cancel (self->control);
  g_clear_pointer (&self->control, pare_control_unref);
  self->control = pare_control_new (NULL, NULL);
  job->control = pare_control_ref (self->control);
  job->generation = ++self->generation;
  job->show = self->show;
  g_autoptr (GTask) task = g_task_new (self, NULL, work_done, NULL);
  g_task_set_source_tag (task, start_job);
  g_task_set_task_data (task, job, job_free);
  if (!self->busy)
    {
      self->busy = TRUE;
      g_object_notify (G_OBJECT (self), "busy");
    }
  g_task_run_in_thread (task, work);
}

void
pare_graph_view_relayout (PareGraphView *self)
{
  if (self->model == NULL)
    return;
  Job *job = g_new0 (Job, 1);
  job->model = pare_graph_model_ref (self->model);
  job->folded = g_memdup2 (self->folded, sizeof *self->folded * (self->model->n_groups + 1));
  start_job (self, job);
}

void
pare_graph_view_set_graph (PareGraphView *self, const PareGraph *graph, const PareLayerInfo *infos, guint n_infos)
{
  PareGraph *keep = graph != NULL ? pare_graph_ref ((PareGraph *)graph) : NULL;
  g_clear_pointer (&self->graph, pare_graph_unref);
  self->graph = keep;
  pare_graph_view_stop_flight (self);
  if (graph == NULL)
    {
      self->generation++;
      if (self->control != NULL)
        pare_control_cancel (self->control);
      g_clear_pointer (&self->control, pare_control_unref);
      pare_graph_view_stop_motion (self);
      pare_graph_view_drop_cache (self);
      g_clear_pointer (&self->scene, pare_graph_scene_unref);
      g_clear_pointer (&self->model, pare_graph_model_unref);
      self->cursor = self->hover = (PareGraphRef){ FALSE };
      self->placed = self->busy = FALSE;
      g_array_set_size (self->hits, 0);
      g_array_set_size (self->coupled, 0);
      g_clear_pointer (&self->is_hit, g_free);
      g_object_notify (G_OBJECT (self), "busy");
      g_signal_emit (self, pare_graph_view_signals[PARE_GRAPH_LAYOUT_CHANGED], 0);
      gtk_widget_queue_draw (GTK_WIDGET (self));
      return;
    }
  Job *job = g_new0 (Job, 1);
  job->graph = pare_graph_ref (keep);
  job->infos = infos != NULL ? g_memdup2 (infos, sizeof *infos * n_infos) : NULL;
  job->n_infos = infos != NULL ? n_infos : 0;
  if (self->model != NULL)
    {
      job->old_folds = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      for (guint g = 0; g < self->model->n_groups; g++)
        g_hash_table_insert (job->old_folds, g_strdup (self->model->groups[g].path), GINT_TO_POINTER (1 + self->folded[g]));
    }
  start_job (self, job);
}

PareGraphModel *
pare_graph_view_get_model (PareGraphView *self)
{
  return self->model;
}

void
pare_graph_view_set_folded (PareGraphView *self, guint group, gboolean folded)
{
  if (self->model == NULL || group >= self->model->n_groups || self->folded[group] == folded)
    return;
  PareGraphRef ref = { TRUE, TRUE, group };
  PareLayoutRect rect;
  pare_graph_view_stop_flight (self);
  if (pare_graph_view_rect_of (self, ref, &rect)) /* what was clicked stays under the pointer */
    {
      self->anchor = ref;
      pare_viewport_to_view (&self->viewport, rect.x + rect.width / 2, rect.y, &self->anchor_x, &self->anchor_y);
    }
  self->folded[group] = folded;
  pare_graph_view_relayout (self);
}

/* What is looked at stays where it is while the next layout comes: the cursor if it is in sight, else what is nearest to the middle. */
void
pare_graph_view_hold_place (PareGraphView *self)
{
  PareViewport *v = &self->viewport;
  PareLayoutRect rect;
  double x, y, best = G_MAXDOUBLE;
  gint32 item = pare_graph_view_item_of (self, self->cursor), nearest = -1;
  if (self->scene == NULL || self->anchor.valid)
    return;
  for (guint i = 0; i < self->scene->n_items; i++)
    {
      const PareLayoutRect *r = &self->scene->items[i].rect;
      pare_viewport_to_view (v, r->x + r->width / 2, r->y + r->height / 2, &x, &y);
      gboolean seen = x >= 0 && y >= 0 && x <= v->width && y <= v->height;
      double d = (gint32)i == item && seen ? -1 : fabs (x - v->width / 2) + fabs (y - v->height / 2);
      if (d < best)
        best = d, nearest = (gint32)i;
    }
  PareGraphRef ref = pare_graph_view_ref_of (self, nearest);
  if (!pare_graph_view_rect_of (self, ref, &rect))
    return;
  self->anchor = ref;
  pare_viewport_to_view (v, rect.x + rect.width / 2, rect.y, &self->anchor_x, &self->anchor_y);
}

void
pare_graph_view_fold_all (PareGraphView *self, gboolean folded)
{
  pare_graph_view_hold_place (self);
  for (guint g = 0; self->model != NULL && g < self->model->n_groups; g++)
    self->folded[g] = folded;
  pare_graph_view_relayout (self);
}
