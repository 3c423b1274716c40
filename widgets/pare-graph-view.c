/* Invariants:
 * 1. scene belongs to model; a scene of an older generation is dropped when it arrives.
 * 2. Arrays "by display node" and "by group" have the model's lengths; the cache has the scene's.
 * 3. Everything is remembered by layer, display node or group, never by item: items change with every fold. */
#include "widgets/pare-graph-view-private.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

G_DEFINE_FINAL_TYPE (PareGraphView, pare_graph_view, GTK_TYPE_WIDGET)

enum
{
  PROP_SCALE = 1,
  PROP_BUSY,
  PROP_SHOW_NAMES,
  PROP_SHOW_ATTRIBUTES,
  PROP_SHOW_CONSTANTS,
  PROP_WHEEL_ZOOMS,
  N_PROPS
};
static GParamSpec *props[N_PROPS];
guint pare_graph_view_signals[4];

static void
decor_free (gpointer data)
{
  PareDecor *d = data;
  g_strfreev (d->pills);
  g_free (d->old_shape);
  g_free (d->new_shape);
  g_free (d);
}

/* --- references --- */

gint32
pare_graph_view_item_of (PareGraphView *self, PareGraphRef ref)
{
  if (!ref.valid || self->scene == NULL || ref.index >= (ref.is_group ? self->model->n_groups : self->model->n_shown))
    return -1;
  return ref.is_group ? self->scene->item_of_group[ref.index] : self->scene->item_of_shown[ref.index];
}

PareGraphRef
pare_graph_view_ref_of (PareGraphView *self, gint32 item)
{
  if (item < 0 || self->scene == NULL)
    return (PareGraphRef){ FALSE };
  return (PareGraphRef){ TRUE, self->scene->items[item].is_group, self->scene->items[item].index };
}

gboolean
pare_graph_view_rect_of (PareGraphView *self, PareGraphRef ref, PareLayoutRect *rect)
{
  gint32 item = pare_graph_view_item_of (self, ref);
  if (item >= 0)
    *rect = self->scene->items[item].rect;
  else if (ref.valid && ref.is_group && self->scene != NULL && ref.index < self->model->n_groups
           && self->scene->frame_of_group[ref.index] >= 0)
    *rect = self->scene->frames[self->scene->frame_of_group[ref.index]].rect;
  else
    return FALSE;
  return TRUE;
}

const char *
pare_graph_view_layer_of (PareGraphView *self, PareGraphRef ref)
{
  if (!ref.valid || self->model == NULL || ref.is_group || ref.index >= self->model->n_shown || self->model->shown[ref.index].n_layers == 0)
    return NULL;
  return self->model->shown[ref.index].layers[0];
}

/* "Conv_57, convolution, Conv 3×3, 4·8, 0.14 pp; next: Conv_60" */
char *
pare_graph_view_describe (PareGraphView *self, PareGraphRef ref)
{
  if (!ref.valid || self->model == NULL)
    return g_strdup (_ ("Graph"));
  GString *s = g_string_new (NULL);
  double value = NAN;
  gint32 group;
  if (ref.is_group)
    {
      const PareShownGroup *g = &self->model->groups[ref.index];
      g_string_append_printf (s, self->folded[ref.index] ? _ ("%s, group, %s, folded") : _ ("%s, group, %s, open"), g->title, g->summary);
      value = self->group_value != NULL ? self->group_value[ref.index] : NAN;
      group = g->parent;
    }
  else
    {
      const PareShown *n = &self->model->shown[ref.index];
      const PareDecor *d = self->decor_of != NULL ? self->decor_of[ref.index] : NULL;
      g_string_append_printf (s, "%s, %s", n->title,
                              n->kind == PARE_SHOWN_PORT ? _ ("input or output") : _ (pare_op_class_name (n->klass)));
      if (n->kind == PARE_SHOWN_CARD)
        g_string_append_printf (s, ", %s", n->op);
      if (n->shape != NULL)
        g_string_append_printf (s, _ (", output %s"), n->shape);
      for (guint i = 0; d != NULL && d->pills != NULL && d->pills[i] != NULL; i++)
        g_string_append_printf (s, ", %s", d->pills[i]);
      if (d != NULL && d->flags & PARE_GRAPH_UNSUPPORTED)
        g_string_append (s, _ (", cannot run"));
      value = self->shown_value != NULL ? self->shown_value[ref.index] : NAN;
      group = n->group;
    }
  if (!isnan (value) && self->format != NULL)
    {
      g_autofree char *text = self->format (value, self->format_data);
      g_string_append_printf (s, ", %s %s", self->metric_title != NULL ? self->metric_title : "", text);
    }
  if (group >= 0)
    g_string_append_printf (s, _ (", in %s"), self->model->groups[group].title);
  gint32 item = pare_graph_view_item_of (self, ref);
  if (item >= 0 && self->scene->out_start[item] < self->scene->out_start[item + 1])
    {
      const PareSceneItem *to = &self->scene->items[self->scene->edges[self->scene->out[self->scene->out_start[item]]].to];
      g_string_append_printf (s, _ ("; next: %s"),
                              to->is_group ? self->model->groups[to->index].title : self->model->shown[to->index].title);
    }
  return g_string_free (s, FALSE);
}

/* --- moving --- */

void
pare_graph_view_moved (PareGraphView *self)
{
  gtk_widget_queue_allocate (GTK_WIDGET (self)); /* the reader follows */
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SCALE]);
}

void
pare_graph_view_set_cursor (PareGraphView *self, PareGraphRef ref, gboolean reveal)
{
  self->cursor = ref;
  PareLayoutRect rect;
  if (reveal && pare_graph_view_rect_of (self, ref, &rect))
    {
      gint32 item = pare_graph_view_item_of (self, ref);
      if (item < 0)
        rect.height = PARE_FRAME_HEADER;
      pare_graph_view_stop_flight (self);
      pare_viewport_reveal (&self->viewport, rect.x, rect.y, rect.width, rect.height, 48);
    }
  g_autofree char *label = pare_graph_view_describe (self, ref);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->reader), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  pare_graph_view_moved (self);
}

double
pare_graph_view_get_scale (PareGraphView *self)
{
  return self->viewport.scale;
}

static void
zoom_about (PareGraphView *self, double scale)
{
  /* about the cursor when it is in sight, else about the middle */
  double x = self->viewport.width / 2, y = self->viewport.height / 2, cx, cy;
  PareLayoutRect rect;
  if (pare_graph_view_item_of (self, self->cursor) >= 0 && pare_graph_view_rect_of (self, self->cursor, &rect))
    {
      pare_viewport_to_view (&self->viewport, rect.x + rect.width / 2, rect.y + rect.height / 2, &cx, &cy);
      if (cx > 0 && cy > 0 && cx < self->viewport.width && cy < self->viewport.height)
        x = cx, y = cy;
    }
  pare_graph_view_stop_flight (self);
  pare_viewport_zoom_at (&self->viewport, scale, x, y);
  pare_graph_view_moved (self);
}

void
pare_graph_view_zoom_in (PareGraphView *self)
{
  zoom_about (self, self->viewport.scale * 1.25);
}
void
pare_graph_view_zoom_out (PareGraphView *self)
{
  zoom_about (self, self->viewport.scale / 1.25);
}
void
pare_graph_view_zoom_original (PareGraphView *self)
{
  zoom_about (self, 1);
}
void
pare_graph_view_zoom_to (PareGraphView *self, double scale)
{
  zoom_about (self, scale);
}

void
pare_graph_view_fit (PareGraphView *self)
{
  if (self->scene == NULL)
    return;
  pare_graph_view_stop_flight (self);
  pare_viewport_fit (&self->viewport, 0, 0, self->scene->layout->width, self->scene->layout->height, 12, 1);
  pare_graph_view_moved (self);
}

void
pare_graph_view_fit_selection (PareGraphView *self)
{
  PareLayoutRect all = { G_MAXDOUBLE, G_MAXDOUBLE, -G_MAXDOUBLE, -G_MAXDOUBLE };
  for (guint i = 0; self->scene != NULL && i < self->scene->n_items; i++)
    if (pare_graph_view_ref_selected (self, pare_graph_view_ref_of (self, (gint32)i)))
      {
        const PareLayoutRect *r = &self->scene->items[i].rect;
        all.x = MIN (all.x, r->x), all.y = MIN (all.y, r->y);
        all.width = MAX (all.width, r->x + r->width), all.height = MAX (all.height, r->y + r->height);
      }
  if (all.x > all.width)
    return;
  pare_graph_view_stop_flight (self);
  pare_viewport_fit (&self->viewport, all.x, all.y, all.width - all.x, all.height - all.y, 36, 1.5);
  pare_graph_view_moved (self);
}

void
pare_graph_view_set_insets (PareGraphView *self, double left, double top, double right, double bottom)
{
  self->viewport.inset_left = left;
  self->viewport.inset_top = top;
  self->viewport.inset_right = right;
  self->viewport.inset_bottom = bottom;
}

/* --- metric and decorations --- */

static double
join_values (PareGraphView *self, double a, double b)
{
  return isnan (a) ? b : isnan (b) ? a : self->metric_flags & PARE_METRIC_WORST ? MAX (a, b) : a + b;
}

void
pare_graph_view_apply_values (PareGraphView *self)
{
  PareGraphModel *m = self->model;
  g_clear_pointer (&self->shown_value, g_free);
  g_clear_pointer (&self->group_value, g_free);
  g_clear_pointer (&self->group_worst, g_free);
  if (m == NULL || self->values == NULL)
    return;
  self->shown_value = g_new (double, m->n_shown + 1);
  self->group_value = g_new (double, m->n_groups + 1);
  self->group_worst = g_new (double, m->n_groups + 1);
  for (guint g = 0; g < m->n_groups; g++)
    self->group_value[g] = self->group_worst[g] = NAN;
  for (guint i = 0; i < m->n_shown; i++)
    {
      const PareShown *s = &m->shown[i];
      double v = NAN;
      for (guint k = 0; k < s->n_layers; k++)
        {
          const double *one = g_hash_table_lookup (self->values, s->layers[k]);
          if (one != NULL)
            v = join_values (self, v, *one);
        }
      self->shown_value[i] = v;
      for (gint32 g = s->group; g >= 0 && !isnan (v); g = m->groups[g].parent)
        {
          self->group_value[g] = join_values (self, self->group_value[g], v);
          gboolean worse = self->metric_flags & PARE_METRIC_DELTA ? fabs (v) > fabs (self->group_worst[g]) : v > self->group_worst[g];
          if (isnan (self->group_worst[g]) || worse)
            self->group_worst[g] = v;
        }
    }
}

void
pare_graph_view_apply_decor (PareGraphView *self)
{
  g_clear_pointer (&self->decor_of, g_free);
  if (self->model == NULL)
    return;
  self->decor_of = g_new0 (PareDecor *, self->model->n_shown + 1);
  for (guint i = 0; i < self->model->n_shown; i++)
    for (guint k = self->model->shown[i].n_layers; k-- > 0;) /* the leader has the last word */
      {
        PareDecor *d = g_hash_table_lookup (self->decor, self->model->shown[i].layers[k]);
        if (d != NULL)
          self->decor_of[i] = d;
      }
}

void
pare_graph_view_set_metric (PareGraphView *self, const char *title, GHashTable *values, PareValueFormat format, gpointer format_data,
                            GDestroyNotify destroy, double min, double max, PareMetricFlags flags)
{
  GHashTable *keep = values != NULL ? g_hash_table_ref (values) : NULL;
  g_clear_pointer (&self->values, g_hash_table_unref);
  if (self->format_destroy != NULL)
    self->format_destroy (self->format_data);
  self->values = keep;
  g_free (self->metric_title);
  self->metric_title = g_strdup (title);
  self->format = format;
  self->format_data = format_data;
  self->format_destroy = destroy;
  self->min = min;
  self->max = max;
  self->metric_flags = flags;
  self->paint_serial++;
  pare_graph_view_apply_values (self);
  pare_graph_view_drop_cache (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SCALE]); /* the minimap repaints */
}

void
pare_graph_view_set_decorations (PareGraphView *self, const char *layer, const char *const *pills, double size_fraction,
                                 const char *old_shape, const char *new_shape, PareGraphFlags flags)
{
  PareDecor *d = g_new0 (PareDecor, 1);
  d->pills = g_strdupv ((char **)pills);
  d->size_fraction = size_fraction;
  d->old_shape = g_strdup (old_shape);
  d->new_shape = g_strdup (new_shape);
  d->flags = flags;
  g_hash_table_replace (self->decor, g_strdup (layer), d);
  guint32 shown = self->model != NULL ? pare_graph_model_find (self->model, layer) : PARE_NONE;
  if (shown != PARE_NONE && self->decor_of != NULL)
    {
      self->decor_of[shown] = NULL;
      for (guint k = self->model->shown[shown].n_layers; k-- > 0;)
        {
          PareDecor *one = g_hash_table_lookup (self->decor, self->model->shown[shown].layers[k]);
          if (one != NULL)
            self->decor_of[shown] = one;
        }
      if (self->scene != NULL && self->scene->model == self->model)
        pare_graph_view_drop_item (self, self->scene->item_of_shown[shown]);
    }
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
pare_graph_view_clear_decorations (PareGraphView *self)
{
  g_hash_table_remove_all (self->decor);
  pare_graph_view_apply_decor (self);
  pare_graph_view_drop_cache (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* --- selection --- */

gboolean
pare_graph_view_ref_selected (PareGraphView *self, PareGraphRef ref)
{
  if (!ref.valid || self->selected == NULL)
    return FALSE;
  if (!ref.is_group)
    return self->selected[ref.index];
  for (guint i = 0; i < self->model->n_shown; i++)
    if (self->selected[i] && pare_graph_model_inside (self->model, self->model->shown[i].group, (gint32)ref.index))
      return TRUE;
  return FALSE;
}

void
pare_graph_view_set_selected (PareGraphView *self, const char *const *layers)
{
  g_strfreev (self->wanted);
  self->wanted = g_strdupv ((char **)layers);
  if (self->model == NULL)
    return;
  memset (self->selected, 0, sizeof *self->selected * self->model->n_shown);
  for (guint i = 0; layers != NULL && layers[i] != NULL; i++)
    {
      guint32 shown = pare_graph_model_find (self->model, layers[i]);
      if (shown != PARE_NONE)
        self->selected[shown] = TRUE;
    }
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

char **
pare_graph_view_dup_selected (PareGraphView *self)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  for (guint i = 0; self->model != NULL && i < self->model->n_shown; i++)
    if (self->selected[i] && self->model->shown[i].n_layers > 0)
      g_ptr_array_add (list, g_strdup (self->model->shown[i].layers[0]));
  g_ptr_array_add (list, NULL);
  return (char **)g_ptr_array_free (g_steal_pointer (&list), FALSE);
}

static void
selection_done (PareGraphView *self)
{
  g_strfreev (self->wanted);
  self->wanted = pare_graph_view_dup_selected (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
  g_signal_emit (self, pare_graph_view_signals[PARE_GRAPH_SELECTION_CHANGED], 0);
}

void
pare_graph_view_select_none (PareGraphView *self)
{
  if (self->model == NULL)
    return;
  gboolean any = FALSE;
  for (guint i = 0; i < self->model->n_shown; i++)
    any |= self->selected[i];
  if (!any)
    return;
  memset (self->selected, 0, sizeof *self->selected * self->model->n_shown);
  selection_done (self);
}

void
pare_graph_view_select (PareGraphView *self, PareGraphRef ref, gboolean add, gboolean toggle)
{
  if (!ref.valid || self->model == NULL)
    return;
  gboolean on = !(toggle && pare_graph_view_ref_selected (self, ref));
  if (!add && !toggle)
    memset (self->selected, 0, sizeof *self->selected * self->model->n_shown);
  if (!ref.is_group)
    self->selected[ref.index] = on;
  else
    for (guint i = 0; i < self->model->n_shown; i++) /* a group stands for its layers that compute */
      if (self->model->shown[i].kind == PARE_SHOWN_CARD
          && pare_graph_model_inside (self->model, self->model->shown[i].group, (gint32)ref.index))
        self->selected[i] = on;
  selection_done (self);
}

char **
pare_graph_view_dup_path (PareGraphView *self)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new ();
  if (self->cursor.valid && self->model != NULL)
    {
      gint32 g = self->cursor.is_group ? (gint32)self->cursor.index : self->model->shown[self->cursor.index].group;
      if (!self->cursor.is_group)
        g_ptr_array_add (list, g_strdup (self->model->shown[self->cursor.index].title));
      for (; g >= 0; g = self->model->groups[g].parent)
        g_ptr_array_insert (list, 0, g_strdup (self->model->groups[g].title));
    }
  g_ptr_array_add (list, NULL);
  return (char **)g_ptr_array_free (g_steal_pointer (&list), FALSE);
}

/* --- widget --- */

static void
restyle (GtkWidget *widget)
{
  PareGraphView *self = PARE_GRAPH_VIEW (widget);
  pare_look_for_widget (&self->look, widget);
  self->paint_serial++;
  pare_graph_view_drop_cache (self);
  gtk_widget_queue_draw (widget);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_SCALE]);
}

static void
pare_graph_view_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural, int *min_base,
                         int *nat_base)
{
  *minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 240 : 160;
  *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 640 : 520;
}

static void
pare_graph_view_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  PareGraphView *self = PARE_GRAPH_VIEW (widget);
  if (width != (int)self->viewport.width || height != (int)self->viewport.height)
    pare_viewport_set_size (&self->viewport, width, height);
  if (self->fit_when_sized && self->scene != NULL)
    pare_graph_view_first_place (self);
  /* the reader lies over the cursor, inside the view, so that magnifiers and pickers find it */
  PareLayoutRect rect;
  GtkAllocation at = { 0, 0, width, height };
  if (pare_graph_view_rect_of (self, self->cursor, &rect))
    {
      double x, y;
      pare_viewport_to_view (&self->viewport, rect.x, rect.y, &x, &y);
      at.width = (int)CLAMP (rect.width * self->viewport.scale, 1, width);
      at.height = (int)CLAMP (rect.height * self->viewport.scale, 1, height);
      at.x = (int)CLAMP (x, 0, MAX (width - at.width, 0));
      at.y = (int)CLAMP (y, 0, MAX (height - at.height, 0));
    }
  int minimum;
  gtk_widget_measure (self->reader, GTK_ORIENTATION_HORIZONTAL, -1, &minimum, NULL, NULL, NULL);
  gtk_widget_size_allocate (self->reader, &at, -1);
}

static gboolean
pare_graph_view_grab_focus (GtkWidget *widget)
{
  return gtk_widget_grab_focus (PARE_GRAPH_VIEW (widget)->reader);
}

static void
pare_graph_view_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  PareGraphView *self = PARE_GRAPH_VIEW (object);
  if (id == PROP_SCALE)
    g_value_set_double (value, self->viewport.scale);
  else if (id == PROP_BUSY)
    g_value_set_boolean (value, self->busy);
  else if (id >= PROP_SHOW_NAMES && id <= PROP_SHOW_CONSTANTS)
    g_value_set_boolean (value, (self->show & 1u << (id - PROP_SHOW_NAMES)) != 0);
  else if (id == PROP_WHEEL_ZOOMS)
    g_value_set_boolean (value, self->wheel_zooms);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
pare_graph_view_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  PareGraphView *self = PARE_GRAPH_VIEW (object);
  gboolean on = g_value_get_boolean (value);
  if (id == PROP_WHEEL_ZOOMS)
    {
      self->wheel_zooms = on;
      return;
    }
  if (id < PROP_SHOW_NAMES || id > PROP_SHOW_CONSTANTS)
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      return;
    }
  PareGraphShow bit = 1u << (id - PROP_SHOW_NAMES), show = on ? self->show | bit : self->show & ~bit;
  if (show == self->show)
    return;
  self->show = show;
  pare_graph_view_hold_place (self);
  pare_graph_view_relayout (self); /* nodes grow and shrink with what they say */
}

static void
pare_graph_view_dispose (GObject *object)
{
  PareGraphView *self = PARE_GRAPH_VIEW (object);
  self->generation++;
  if (self->control != NULL)
    pare_control_cancel (self->control);
  g_clear_pointer (&self->control, pare_control_unref);
  pare_graph_view_stop_flight (self);
  pare_graph_view_stop_motion (self);
  pare_graph_view_drop_cache (self);
  g_clear_pointer (&self->reader, gtk_widget_unparent);
  G_OBJECT_CLASS (pare_graph_view_parent_class)->dispose (object);
}

static void
pare_graph_view_finalize (GObject *object)
{
  PareGraphView *self = PARE_GRAPH_VIEW (object);
  g_clear_pointer (&self->scene, pare_graph_scene_unref);
  g_clear_pointer (&self->model, pare_graph_model_unref);
  g_clear_pointer (&self->graph, pare_graph_unref);
  g_clear_pointer (&self->values, g_hash_table_unref);
  if (self->format_destroy != NULL)
    self->format_destroy (self->format_data);
  g_hash_table_unref (self->decor);
  g_free (self->decor_of);
  g_free (self->folded);
  g_free (self->metric_title);
  g_free (self->shown_value);
  g_free (self->group_value);
  g_free (self->group_worst);
  g_free (self->selected);
  g_strfreev (self->wanted);
  g_free (self->fly_when_ready);
  g_free (self->needle);
  g_free (self->is_hit);
  g_array_unref (self->hits);
  g_array_unref (self->coupled);
  G_OBJECT_CLASS (pare_graph_view_parent_class)->finalize (object);
}

static void
pare_graph_view_class_init (PareGraphViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  object_class->dispose = pare_graph_view_dispose;
  object_class->finalize = pare_graph_view_finalize;
  object_class->get_property = pare_graph_view_get_property;
  object_class->set_property = pare_graph_view_set_property;
  widget_class->snapshot = pare_graph_view_snapshot;
  widget_class->measure = pare_graph_view_measure;
  widget_class->size_allocate = pare_graph_view_size_allocate;
  widget_class->grab_focus = pare_graph_view_grab_focus;
  props[PROP_SCALE] = g_param_spec_double ("scale", NULL, NULL, 0, G_MAXDOUBLE, 1, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  props[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  static const struct
  {
    const char *name;
    gboolean fallback;
  } switches[] = { { "show-names", TRUE }, { "show-attributes", FALSE }, { "show-constants", FALSE }, { "wheel-zooms", FALSE } };
  for (guint i = 0; i < G_N_ELEMENTS (switches); i++)
    props[PROP_SHOW_NAMES + i]
        = g_param_spec_boolean (switches[i].name, NULL, NULL, switches[i].fallback, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, props);
  GType type = G_TYPE_FROM_CLASS (klass);
  pare_graph_view_signals[PARE_GRAPH_SELECTION_CHANGED]
      = g_signal_new ("selection-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  pare_graph_view_signals[PARE_GRAPH_ACTIVATE_LAYER]
      = g_signal_new ("activate-layer", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  pare_graph_view_signals[PARE_GRAPH_CONTEXT_MENU] = g_signal_new ("context-menu", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                                                   G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  pare_graph_view_signals[PARE_GRAPH_LAYOUT_CHANGED]
      = g_signal_new ("layout-changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_css_name (widget_class, "graphview");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_TREE);
}

static void
pare_graph_view_init (PareGraphView *self)
{
  pare_viewport_init (&self->viewport);
  self->show = PARE_SHOW_NAMES;
  self->decor = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, decor_free);
  self->hits = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->coupled = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->reader
      = g_object_new (GTK_TYPE_BOX, "accessible-role", GTK_ACCESSIBLE_ROLE_TREE_ITEM, "focusable", TRUE, "can-target", FALSE, NULL);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->reader), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Graph"), -1);
  gtk_widget_set_parent (self->reader, GTK_WIDGET (self));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Graph of the network"), -1);
  gtk_widget_set_hexpand (GTK_WIDGET (self), TRUE);
  gtk_widget_set_vexpand (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  gtk_widget_set_has_tooltip (GTK_WIDGET (self), TRUE);
  pare_look_for_widget (&self->look, GTK_WIDGET (self));
  pare_look_watch (GTK_WIDGET (self), restyle);
  pare_graph_view_add_controllers (self);
}

GtkWidget *
pare_graph_view_new (void)
{
  return g_object_new (PARE_TYPE_GRAPH_VIEW, NULL);
}
