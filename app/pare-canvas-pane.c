#include "app/pare-canvas-private.h"
#include "app/pare-drop-down.h"
#include "widgets/pare-colormap.h"
#include "widgets/pare-format.h"
#include "widgets/pare-graph-view.h"
#include "widgets/pare-minimap.h"
#include "widgets/pare-style.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

static const struct
{
  const char *name, *legend, *unit;
  PareMetricFlags flags;
} colours[PARE_CANVAS_N_COLOURS] = {
  [PARE_CANVAS_ERROR] = { N_ ("Layer error"), N_ ("Error of each layer's weights"), "%", PARE_METRIC_WORST },
  [PARE_CANVAS_SIZE] = { N_ ("Size"), N_ ("Packed size of each layer"), "KiB", PARE_METRIC_SUM },
  [PARE_CANVAS_MACS] = { N_ ("Multiply-adds"), N_ ("Multiply-adds of each layer"), "M", PARE_METRIC_SUM },
  [PARE_CANVAS_TIME] = { N_ ("Time here"), N_ ("Time of each layer, measured here"), "ms", PARE_METRIC_SUM },
  [PARE_CANVAS_SHARE] = { N_ ("Share of time"), N_ ("Share of the time, measured here"), "%", PARE_METRIC_SUM },
  [PARE_CANVAS_RATE] = { N_ ("GFLOP/s here"), N_ ("Achieved rate; of a group the fastest"), N_ ("GFLOP/s"), PARE_METRIC_WORST },
  [PARE_CANVAS_BITS] = { N_ ("Weight bits"), N_ ("Bits of each layer's weights"), N_ ("bits"), PARE_METRIC_WORST },
};

G_DEFINE_FINAL_TYPE (PareCanvasPane, pare_canvas_pane, GTK_TYPE_WIDGET)

/* --- colours --- */

static char *
format_value (double value, gpointer data)
{
  PareCanvasColour colour = (PareCanvasColour)GPOINTER_TO_INT (data);
  g_autofree char *number = pare_format_number (value, colour == PARE_CANVAS_BITS   ? 0
                                                       : colour == PARE_CANVAS_TIME ? 3
                                                       : colour == PARE_CANVAS_MACS ? 2
                                                                                    : 1);
  return g_strdup_printf ("%s %s", number, _ (colours[colour].unit));
}

/* The recipe that is shown: the one looked at, else the session's. */
static const PareRecipe *
shown_recipe (PareCanvasPane *self)
{
  const PareEntry *entry = pare_canvas_preview_entry (self);
  return entry != NULL ? entry->recipe : pare_session_get_recipe (self->session);
}

/* TRUE: the layer is the same in both recipes, so that its present figures hold for the one looked at. */
static gboolean
same_as_now (PareCanvasPane *self, const PareEntry *entry, const char *layer)
{
  PareLayerRecipe a, b;
  pare_recipe_resolve (entry->recipe, layer, &a);
  pare_recipe_resolve (pare_session_get_recipe (self->session), layer, &b);
  return pare_layer_recipe_equal (&a, &b);
}

/* (nullable): not known (yet). */
static const PareLayerCost *
shown_cost (PareCanvasPane *self, const char *layer)
{
  const PareEntry *entry = pare_canvas_preview_entry (self);
  if (entry == NULL || entry->id == PARE_CANVAS_ORIGINAL)
    return pare_session_get_layer_cost (self->session, layer, entry != NULL);
  if (self->figures != NULL && self->figures->entry == entry->id)
    return g_hash_table_lookup (self->figures->costs, layer);
  return same_as_now (self, entry, layer) ? pare_session_get_layer_cost (self->session, layer, FALSE) : NULL;
}

static double
shown_error (PareCanvasPane *self, const char *layer)
{
  const PareEntry *entry = pare_canvas_preview_entry (self);
  if (entry == NULL)
    return pare_session_get_layer_error (self->session, layer);
  if (entry->id == PARE_CANVAS_ORIGINAL)
    return isnan (pare_session_get_layer_error (self->session, layer)) ? NAN : 0;
  if (self->figures != NULL && self->figures->entry == entry->id)
    {
      const double *known = g_hash_table_lookup (self->figures->errors, layer);
      return known != NULL ? *known : NAN;
    }
  return same_as_now (self, entry, layer) ? pare_session_get_layer_error (self->session, layer) : NAN;
}

static double
value_of (PareCanvasPane *self, PareCanvasColour colour, const PareLayerInfo *info, const char *layer, GHashTable *times)
{
  const PareProfileRow *row;
  const PareLayerCost *cost = shown_cost (self, layer);
  const PareEntry *entry = pare_canvas_preview_entry (self);
  PareLayerRecipe r;
  switch (colour)
    {
    case PARE_CANVAS_ERROR:
      return info->params > 0 ? 100 * sqrt (shown_error (self, layer)) : NAN;
    case PARE_CANVAS_SIZE:
      return cost != NULL && cost->packed_bytes > 0 ? cost->packed_bytes / 1024.0 : NAN;
    case PARE_CANVAS_MACS:
      return cost != NULL && cost->macs > 0 ? cost->macs / 1e6 : entry == NULL && info->macs > 0 ? info->macs / 1e6 : NAN;
    case PARE_CANVAS_TIME: /* measured for what is there now only */
      return entry == NULL ? pare_session_get_layer_time (self->session, layer, NULL) : NAN;
    case PARE_CANVAS_SHARE:
    case PARE_CANVAS_RATE:
      row = entry == NULL && times != NULL ? g_hash_table_lookup (times, layer) : NULL;
      return row == NULL ? NAN : colour == PARE_CANVAS_SHARE ? 100 * row->share : row->gops;
    default:
      if (!pare_layer_is_compressible (pare_session_get_graph (self->session), info->node, NULL))
        return NAN;
      pare_recipe_resolve (shown_recipe (self), layer, &r);
      return r.weight_bits == PARE_BITS_UNSET ? 32 : r.weight_bits;
    }
}

static void
draw_legend (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  PareCanvasPane *self = data;
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (area));
  for (int i = 0; i < 48; i++)
    {
      GdkRGBA c;
      pare_colormap_metric (i / 47.0, look.dark, &c);
      gdk_cairo_set_source_rgba (cr, &c);
      cairo_rectangle (cr, i * 2.5, 0, 2.7, 10);
      cairo_fill (cr);
    }
  gpointer colour = GINT_TO_POINTER (gtk_drop_down_get_selected (self->colour));
  g_autofree char *low = format_value (0, colour), *end = format_value (self->most, colour),
                  *high = self->beyond ? g_strdup_printf ("%s +", end) : g_strdup (end);
  g_autoptr (PangoLayout) layout = gtk_widget_create_pango_layout (GTK_WIDGET (area), low);
  int w, low_w;
  pango_layout_get_pixel_size (layout, &low_w, NULL);
  pango_layout_set_text (layout, high, -1);
  pango_layout_get_pixel_size (layout, &w, NULL);
  gdk_cairo_set_source_rgba (cr, &look.fg);
  cairo_move_to (cr, 0, 11);
  pango_layout_set_text (layout, low_w + w > 112 ? "0" : low, -1); /* a long unit is said once */
  pango_cairo_show_layout (cr, layout);
  pango_layout_set_text (layout, high, -1);
  cairo_move_to (cr, 120 - w, 11);
  pango_cairo_show_layout (cr, layout);
}

/* As the graph's edges show it: without the batch. */
static char *
shape_text (const PareShape *shape)
{
  PareShape inner = *shape;
  if (inner.rank > 1)
    {
      inner.rank--;
      memmove (inner.dims, inner.dims + 1, inner.rank * sizeof inner.dims[0]);
    }
  return pare_shape_to_string (&inner);
}

static void
add_pill (GPtrArray *pills, char *text)
{
  g_ptr_array_add (pills, text);
}

static void
decorate (PareCanvasPane *self, const PareGraph *graph, const PareLayerInfo *info)
{
  const char *layer = graph->nodes[info->node].layer;
  const PareLayerCost *was = pare_session_get_layer_cost (self->session, layer, TRUE), *now = shown_cost (self, layer);
  PareLayerRecipe r;
  pare_recipe_resolve (shown_recipe (self), layer, &r);
  g_autoptr (GPtrArray) pills = g_ptr_array_new_with_free_func (g_free);
  if (pare_layer_is_compressible (graph, info->node, NULL))
    {
      gboolean w = r.weight_bits != PARE_BITS_UNSET && r.weight_bits != PARE_BITS_FLOAT,
               a = r.activation_bits != PARE_BITS_UNSET && r.activation_bits != PARE_BITS_FLOAT;
      if (w && a)
        add_pill (pills, g_strdup_printf ("%d·%d", r.weight_bits, r.activation_bits));
      else if (w)
        add_pill (pills, g_strdup_printf (_ ("%d bit"), r.weight_bits));
      else if (a)
        add_pill (pills, g_strdup_printf (_ ("act %d"), r.activation_bits));
      if (r.prune == PARE_PRUNE_N_M)
        add_pill (pills, g_strdup_printf ("%d:%d", r.prune_n, r.prune_m));
      else if ((r.prune == PARE_PRUNE_UNSTRUCTURED || r.prune == PARE_PRUNE_CHANNELS) && r.prune_ratio > 0)
        add_pill (pills,
                  g_strdup_printf (r.prune == PARE_PRUNE_CHANNELS ? PARE_MINUS "%.0f %% ch" : PARE_MINUS "%.0f %%", 100 * r.prune_ratio));
      if ((r.factorize == PARE_FACTORIZE_SVD || r.factorize == PARE_FACTORIZE_SPATIAL) && r.rank > 0)
        add_pill (pills, g_strdup_printf ("r%d", r.rank));
      if (r.centroids > 0)
        add_pill (pills, g_strdup_printf ("c%d", r.centroids));
    }
  g_ptr_array_add (pills, NULL);
  double fraction = was != NULL && was->packed_bytes > 0 && now != NULL ? (double)now->packed_bytes / was->packed_bytes : NAN;
  g_autofree char *old_shape = was != NULL && was->output_shape.rank > 0 ? shape_text (&was->output_shape) : NULL;
  g_autofree char *new_shape = now != NULL && now->output_shape.rank > 0 ? shape_text (&now->output_shape) : NULL;
  gboolean reshaped = old_shape != NULL && new_shape != NULL && strcmp (old_shape, new_shape) != 0;
  PareGraphFlags flags = (pills->len > 1 ? PARE_GRAPH_CHANGED : 0) | (r.exclude == 1 ? PARE_GRAPH_EXCLUDED : 0);
  pare_graph_view_set_decorations (self->view, layer, (const char *const *)pills->pdata, fraction, reshaped ? old_shape : NULL,
                                   reshaped ? new_shape : NULL, flags);
}

static gboolean
recolour (gpointer data)
{
  PareCanvasPane *self = data;
  self->idle = 0;
  guint n = 0;
  const PareGraph *graph = pare_session_get_graph (self->session);
  const PareLayerInfo *infos = pare_session_get_layer_infos (self->session, &n);
  if (graph == NULL)
    return G_SOURCE_REMOVE;
  PareCanvasColour colour = (PareCanvasColour)gtk_drop_down_get_selected (self->colour);
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  gboolean preview = pare_canvas_preview_entry (self) != NULL;
  g_autoptr (PareProfile) profile
      = colour == PARE_CANVAS_SHARE || colour == PARE_CANVAS_RATE ? pare_session_dup_profile (self->session, NULL, NULL, NULL) : NULL;
  g_autoptr (GHashTable) times = profile != NULL ? pare_canvas_figures_times (profile, graph) : NULL;
  double most = colour == PARE_CANVAS_BITS ? 32 : colour == PARE_CANVAS_ERROR ? 10 : 0, seen = 0;
  pare_graph_view_clear_decorations (self->view);
  for (guint i = 0; i < n; i++)
    {
      const char *layer = graph->nodes[infos[i].node].layer;
      double v = value_of (self, colour, &infos[i], layer, times);
      if (infos[i].params > 0)
        decorate (self, graph, &infos[i]);
      const PareLayerCost *was = pare_session_get_layer_cost (self->session, layer, TRUE);
      /* size and work: the original's largest layer ends the scale, so that an edit changes the colours it should and no others */
      if (was != NULL && (colour == PARE_CANVAS_SIZE || colour == PARE_CANVAS_MACS))
        most = MAX (most, colour == PARE_CANVAS_SIZE ? was->packed_bytes / 1024.0 : was->macs / 1e6);
      if (isnan (v))
        continue;
      g_hash_table_insert (values, g_strdup (layer), g_memdup2 (&v, sizeof v));
      seen = MAX (seen, v);
    }
  if (!preview || colour != self->scaled_for) /* what is only looked at is measured with the scale that is there */
    self->most = MAX (most, seen) > 0 ? MAX (most, seen) : 1;
  self->scaled_for = colour;
  self->beyond = seen > self->most * (1 + 1e-9);
  pare_graph_view_set_metric (self->view, _ (colours[colour].name), values, format_value, GINT_TO_POINTER (colour), NULL, 0, self->most,
                              colours[colour].flags);
  gtk_label_set_text (GTK_LABEL (self->legend_title), _ (colours[colour].legend));
  gtk_widget_queue_draw (self->legend);
  return G_SOURCE_REMOVE;
}

void
pare_canvas_queue_recolour (PareCanvasPane *self)
{
  if (self->idle == 0)
    self->idle = g_idle_add (recolour, self);
}

static void
on_colour (GtkDropDown *drop, GParamSpec *pspec, PareCanvasPane *self)
{
  pare_canvas_queue_recolour (self);
}

/* --- the session and the selection --- */

static void
show_path (PareCanvasPane *self)
{
  g_auto (GStrv) path = pare_graph_view_dup_path (self->view);
  guint n = path != NULL ? g_strv_length (path) : 0;
  g_autofree char *text = n > 0 ? g_strjoinv (" › ", path) : NULL;
  gtk_label_set_text (GTK_LABEL (self->path), text != NULL ? text : "");
  gtk_widget_set_visible (gtk_widget_get_parent (self->path), n > 0);
}

static void
on_model_changed (PareSession *session, PareCanvasPane *self)
{
  guint n = 0;
  const PareGraph *graph = pare_session_get_graph (session);
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  const char *why_not = pare_session_get_why_not (session);
  pare_canvas_preview_clear (self);
  pare_canvas_preview_changed (self);
  pare_graph_view_set_graph (self->view, graph, infos, n);
  gtk_stack_set_visible_child_name (GTK_STACK (self->stack), graph != NULL ? "graph" : "empty");
  g_autofree char *text = why_not != NULL ? g_strdup_printf (_ ("This model opens but cannot run here: %s"), why_not) : NULL;
  gtk_label_set_text (GTK_LABEL (self->banner_text), text != NULL ? text : "");
  gtk_revealer_set_reveal_child (GTK_REVEALER (self->banner), text != NULL);
  pare_canvas_queue_recolour (self);
  show_path (self);
}

static void
on_view_selection (PareGraphView *view, PareCanvasPane *self)
{
  g_auto (GStrv) layers = pare_graph_view_dup_selected (view);
  self->syncing = TRUE;
  pare_selection_set (self->selection, (const char *const *)layers);
  self->syncing = FALSE;
  show_path (self);
}

static void
on_selection (PareSelection *selection, PareCanvasPane *self)
{
  if (self->syncing)
    return;
  const char *const *layers = pare_selection_get (selection);
  pare_graph_view_set_selected (self->view, layers);
  if (layers[0] != NULL)
    pare_graph_view_fly_to (self->view, layers[0]);
  show_path (self);
}

static void
on_scale (PareGraphView *view, GParamSpec *pspec, PareCanvasPane *self)
{
  g_autofree char *text = g_strdup_printf ("%.0f %%", 100 * pare_graph_view_get_scale (view));
  gtk_label_set_text (GTK_LABEL (self->zoom), text);
}

/* --- search --- */

static void
show_hits (PareCanvasPane *self, guint at, guint all)
{
  g_autofree char *text = all == 0 ? g_strdup (_ ("no hit")) : g_strdup_printf (_ ("%u of %u"), at, all);
  gtk_label_set_text (GTK_LABEL (self->hits), text);
}

static void
on_search (GtkSearchEntry *entry, PareCanvasPane *self)
{
  const char *text = gtk_editable_get_text (GTK_EDITABLE (entry));
  guint n = pare_graph_view_search (self->view, text);
  g_object_set_data (G_OBJECT (self), "hits", GUINT_TO_POINTER (n));
  if (*text == '\0')
    gtk_label_set_text (GTK_LABEL (self->hits), "");
  else
    show_hits (self, n > 0 ? 1 : 0, n);
}

static void
step_hit (PareCanvasPane *self, int direction)
{
  show_hits (self, pare_graph_view_search_next (self->view, direction), GPOINTER_TO_UINT (g_object_get_data (G_OBJECT (self), "hits")));
}

static void
on_search_activate (GtkSearchEntry *entry, PareCanvasPane *self)
{
  step_hit (self, 1);
}

static void
on_search_stop (GtkSearchEntry *entry, PareCanvasPane *self)
{
  pare_graph_view_search (self->view, NULL);
  gtk_widget_set_visible (self->search_bar, FALSE);
  gtk_widget_grab_focus (GTK_WIDGET (self->view));
}

void
pare_canvas_pane_command (PareCanvasPane *self, const char *command)
{
  if (strcmp (command, "find") == 0)
    {
      gtk_widget_set_visible (self->search_bar, TRUE);
      gtk_widget_grab_focus (self->search);
    }
  else if (strcmp (command, "find-next") == 0)
    step_hit (self, 1);
  else if (strcmp (command, "find-previous") == 0)
    step_hit (self, -1);
  else if (strcmp (command, "zoom-in") == 0)
    pare_graph_view_zoom_in (self->view);
  else if (strcmp (command, "zoom-out") == 0)
    pare_graph_view_zoom_out (self->view);
  else if (strcmp (command, "zoom-original") == 0)
    pare_graph_view_zoom_original (self->view);
  else if (strcmp (command, "zoom-fit") == 0)
    pare_graph_view_fit (self->view);
  else if (strcmp (command, "next-colour") == 0)
    gtk_drop_down_set_selected (self->colour, (gtk_drop_down_get_selected (self->colour) + 1) % PARE_CANVAS_N_COLOURS);
}

void
pare_canvas_pane_set_coupled (PareCanvasPane *self, char **layers)
{
  const char *const *selected = pare_selection_get (self->selection);
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  if (layers != NULL && selected[0] != NULL)
    {
      g_ptr_array_add (all, (gpointer)selected[0]);
      for (char **l = layers; *l != NULL; l++)
        g_ptr_array_add (all, *l);
    }
  g_ptr_array_add (all, NULL);
  pare_graph_view_set_coupled (self->view, all->len > 1 ? (const char *const *)all->pdata : NULL);
}

GtkWidget *
pare_canvas_pane_get_view (PareCanvasPane *self)
{
  return GTK_WIDGET (self->view);
}

/* --- construction --- */

static GtkWidget *
osd (GtkWidget *child, GtkAlign h, GtkAlign v, int bottom)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 3);
  gtk_widget_add_css_class (box, "pare-osd");
  gtk_widget_set_halign (box, h);
  gtk_widget_set_valign (box, v);
  gtk_widget_set_margin_start (box, 8);
  gtk_widget_set_margin_end (box, 8);
  gtk_widget_set_margin_top (box, 8);
  gtk_widget_set_margin_bottom (box, bottom);
  if (child != NULL)
    gtk_box_append (GTK_BOX (box), child);
  return box;
}

static GtkWidget *
small_button (const char *icon, const char *action, const char *name)
{
  GtkWidget *b = gtk_button_new_from_icon_name (icon);
  gtk_widget_add_css_class (b, "flat");
  gtk_widget_add_css_class (b, "pare-dense");
  gtk_actionable_set_action_name (GTK_ACTIONABLE (b), action);
  gtk_widget_set_tooltip_text (b, name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (b), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  return b;
}

static GtkWidget *
label (const char *text, const char *css)
{
  GtkWidget *w = gtk_label_new (text);
  g_auto (GStrv) list = g_strsplit (css, " ", -1);
  for (guint i = 0; list[i] != NULL; i++)
    gtk_widget_add_css_class (w, list[i]);
  return w;
}

/* What floats above a narrow canvas: the path ends where the choice of the colour begins, and the map is left out where it would cover
 * a good part of the graph. */
static gboolean
on_child_position (GtkOverlay *overlay, GtkWidget *child, GdkRectangle *at, PareCanvasPane *self)
{
  int width = gtk_widget_get_width (GTK_WIDGET (overlay)), height = gtk_widget_get_height (GTK_WIDGET (overlay)), taken, least, wanted;
  if (child == self->minimap)
    gtk_widget_set_child_visible (child, width >= PARE_CANVAS_MAP_WIDTH && height >= PARE_CANVAS_MAP_HEIGHT);
  if (child != gtk_widget_get_parent (self->path))
    return FALSE;
  /* both measures hold the margins: between the two, the end margin of one and the start margin of the other */
  gtk_widget_measure (gtk_widget_get_parent (GTK_WIDGET (self->colour)), GTK_ORIENTATION_HORIZONTAL, -1, NULL, &taken, NULL, NULL);
  gtk_widget_measure (child, GTK_ORIENTATION_HORIZONTAL, -1, &least, &wanted, NULL, NULL);
  at->x = at->y = 0;
  at->width = MAX (least, MIN (wanted, width - taken));
  gtk_widget_measure (child, GTK_ORIENTATION_VERTICAL, at->width, NULL, &at->height, NULL, NULL);
  return TRUE;
}

static void
build_overlays (PareCanvasPane *self)
{
  GtkOverlay *overlay = GTK_OVERLAY (self->overlay);
  self->path = label ("", "pare-caption pare-bold");
  gtk_label_set_ellipsize (GTK_LABEL (self->path), PANGO_ELLIPSIZE_START);
  gtk_label_set_max_width_chars (GTK_LABEL (self->path), 34);
  gtk_widget_set_margin_start (self->path, 10);
  gtk_widget_set_margin_end (self->path, 10);
  GtkWidget *path = osd (self->path, GTK_ALIGN_START, GTK_ALIGN_START, 8);
  gtk_widget_set_size_request (path, -1, 28);
  gtk_overlay_add_overlay (overlay, path);

  const char *names[PARE_CANVAS_N_COLOURS + 1] = { NULL };
  for (guint i = 0; i < PARE_CANVAS_N_COLOURS; i++)
    names[i] = colours[i].name;
  self->colour = GTK_DROP_DOWN (pare_drop_down_new (names, _ ("Colour by")));
  g_signal_connect (self->colour, "notify::selected", G_CALLBACK (on_colour), self);
  GtkWidget *word = label (_ ("Colour"), "pare-caption pare-second"), *colour = osd (word, GTK_ALIGN_END, GTK_ALIGN_START, 8);
  gtk_widget_set_margin_start (word, 10);
  gtk_box_append (GTK_BOX (colour), GTK_WIDGET (self->colour));
  gtk_box_append (GTK_BOX (colour), gtk_separator_new (GTK_ORIENTATION_VERTICAL));
  gtk_box_append (GTK_BOX (colour), pare_canvas_view_button_new ());
  gtk_overlay_add_overlay (overlay, colour);

  GtkWidget *column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  self->legend_title = label ("", "pare-tiny pare-bold");
  gtk_label_set_xalign (GTK_LABEL (self->legend_title), 0);
  self->legend = gtk_drawing_area_new ();
  gtk_widget_add_css_class (self->legend, "pare-tiny");
  gtk_drawing_area_set_content_width (GTK_DRAWING_AREA (self->legend), 124);
  gtk_drawing_area_set_content_height (GTK_DRAWING_AREA (self->legend), 26);
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (self->legend), draw_legend, self, NULL);
  gtk_widget_set_margin_start (column, 8);
  gtk_widget_set_margin_end (column, 8);
  gtk_widget_set_margin_top (column, 6);
  gtk_widget_set_margin_bottom (column, 3);
  gtk_box_append (GTK_BOX (column), self->legend_title);
  gtk_box_append (GTK_BOX (column), self->legend);
  gtk_overlay_add_overlay (overlay, osd (column, GTK_ALIGN_START, GTK_ALIGN_END, 8));

  GtkWidget *zoom = osd (small_button ("list-remove-symbolic", "win.zoom-out", _ ("Zoom out")), GTK_ALIGN_END, GTK_ALIGN_END, 8);
  self->zoom = label ("100 %", "pare-caption pare-bold");
  gtk_label_set_width_chars (GTK_LABEL (self->zoom), 6);
  gtk_box_append (GTK_BOX (zoom), self->zoom);
  gtk_box_append (GTK_BOX (zoom), small_button ("list-add-symbolic", "win.zoom-in", _ ("Zoom in")));
  gtk_box_append (GTK_BOX (zoom), small_button ("pare-fit-symbolic", "win.zoom-fit", _ ("Fit the graph (F)")));
  gtk_overlay_add_overlay (overlay, zoom);

  self->minimap = pare_minimap_new (self->view);
  gtk_widget_set_halign (self->minimap, GTK_ALIGN_END);
  gtk_widget_set_valign (self->minimap, GTK_ALIGN_END);
  gtk_widget_set_margin_end (self->minimap, 8);
  gtk_widget_set_margin_bottom (self->minimap, 48);
  gtk_overlay_add_overlay (overlay, self->minimap);
  g_signal_connect (overlay, "get-child-position", G_CALLBACK (on_child_position), self);

  self->search = gtk_search_entry_new ();
  gtk_widget_set_size_request (self->search, 220, -1);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->search), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Find in the graph"), -1);
  g_signal_connect (self->search, "search-changed", G_CALLBACK (on_search), self);
  g_signal_connect (self->search, "activate", G_CALLBACK (on_search_activate), self);
  g_signal_connect (self->search, "stop-search", G_CALLBACK (on_search_stop), self);
  self->hits = label ("", "pare-caption pare-second");
  gtk_label_set_width_chars (GTK_LABEL (self->hits), 9);
  GtkWidget *top = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_widget_set_halign (top, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (top, GTK_ALIGN_START);
  gtk_widget_set_margin_top (top, 36);
  gtk_overlay_add_overlay (overlay, top);
  self->search_bar = osd (self->search, GTK_ALIGN_CENTER, GTK_ALIGN_START, 0);
  gtk_box_append (GTK_BOX (self->search_bar), self->hits);
  gtk_box_append (GTK_BOX (self->search_bar), small_button ("go-up-symbolic", "win.find-previous", _ ("Previous hit")));
  gtk_box_append (GTK_BOX (self->search_bar), small_button ("go-down-symbolic", "win.find-next", _ ("Next hit")));
  gtk_widget_set_visible (self->search_bar, FALSE);
  gtk_box_append (GTK_BOX (top), self->search_bar);
  self->showing = label ("", "pare-caption pare-bold");
  gtk_label_set_ellipsize (GTK_LABEL (self->showing), PANGO_ELLIPSIZE_END);
  gtk_label_set_max_width_chars (GTK_LABEL (self->showing), 48);
  gtk_widget_set_margin_start (self->showing, 10);
  gtk_widget_set_margin_end (self->showing, 10);
  GtkWidget *showing = osd (self->showing, GTK_ALIGN_CENTER, GTK_ALIGN_START, 0);
  gtk_widget_set_size_request (showing, -1, 28);
  gtk_widget_set_can_target (showing, FALSE);
  gtk_widget_set_visible (showing, FALSE);
  gtk_box_append (GTK_BOX (top), showing);
  gtk_box_append (GTK_BOX (top), pare_canvas_build_saving (self));

  self->banner_text = label ("", "pare-caption pare-warning");
  gtk_label_set_wrap (GTK_LABEL (self->banner_text), TRUE);
  gtk_label_set_selectable (GTK_LABEL (self->banner_text), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (self->banner_text), 72);
  g_object_set (self->banner_text, "margin-start", 10, "margin-end", 10, "margin-top", 4, "margin-bottom", 4, NULL);
  GtkWidget *inside = osd (self->banner_text, GTK_ALIGN_CENTER, GTK_ALIGN_START, 0);
  self->banner = gtk_revealer_new ();
  gtk_revealer_set_child (GTK_REVEALER (self->banner), inside);
  gtk_widget_set_can_target (self->banner, FALSE);
  gtk_box_append (GTK_BOX (top), self->banner);
}

static void
pare_canvas_pane_dispose (GObject *object)
{
  PareCanvasPane *self = PARE_CANVAS_PANE (object);
  g_clear_handle_id (&self->saved_timer, g_source_remove);
  if (self->saving != NULL)
    g_cancellable_cancel (self->saving);
  g_clear_object (&self->actions);
  pare_canvas_preview_clear (self);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  /* a layout on its way keeps the view, which outlives the labels that its handlers write to */
  if (self->stack != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->view, self);
      pare_graph_view_set_graph (self->view, NULL, NULL, 0);
    }
  g_clear_pointer (&self->stack, gtk_widget_unparent);
  g_clear_handle_id (&self->idle, g_source_remove);
  g_clear_pointer (&self->menu_layer, g_free);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  G_OBJECT_CLASS (pare_canvas_pane_parent_class)->dispose (object);
}

/* The actions are the window's, so that their keys work wherever the focus is. */
static void
pare_canvas_pane_root (GtkWidget *widget)
{
  PareCanvasPane *self = PARE_CANVAS_PANE (widget);
  GTK_WIDGET_CLASS (pare_canvas_pane_parent_class)->root (widget);
  gtk_widget_insert_action_group (GTK_WIDGET (gtk_widget_get_root (widget)), "graph", G_ACTION_GROUP (self->actions));
}

static void
pare_canvas_pane_unroot (GtkWidget *widget)
{
  gtk_widget_insert_action_group (GTK_WIDGET (gtk_widget_get_root (widget)), "graph", NULL);
  GTK_WIDGET_CLASS (pare_canvas_pane_parent_class)->unroot (widget);
}

static void
pare_canvas_pane_class_init (PareCanvasPaneClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_canvas_pane_dispose;
  GTK_WIDGET_CLASS (klass)->root = pare_canvas_pane_root;
  GTK_WIDGET_CLASS (klass)->unroot = pare_canvas_pane_unroot;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_canvas_pane_init (PareCanvasPane *self)
{
}

GtkWidget *
pare_canvas_pane_new (PareSession *session, PareSelection *selection)
{
  PareCanvasPane *self = g_object_new (PARE_TYPE_CANVAS_PANE, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  self->view = PARE_GRAPH_VIEW (pare_graph_view_new ());
  pare_canvas_add_actions (self);
  self->overlay = gtk_overlay_new ();
  gtk_overlay_set_child (GTK_OVERLAY (self->overlay), GTK_WIDGET (self->view));
  build_overlays (self);
  pare_graph_view_set_insets (self->view, 12, 44, 12, 12);
  GtkWidget *empty = adw_status_page_new ();
  adw_status_page_set_title (ADW_STATUS_PAGE (empty), _ ("Open a model"));
  self->stack = gtk_stack_new ();
  gtk_stack_add_named (GTK_STACK (self->stack), self->overlay, "graph");
  gtk_stack_add_named (GTK_STACK (self->stack), empty, "empty");
  gtk_widget_set_parent (self->stack, GTK_WIDGET (self));
  g_signal_connect (self->view, "selection-changed", G_CALLBACK (on_view_selection), self);
  g_signal_connect (self->view, "context-menu", G_CALLBACK (pare_canvas_context_menu), self);
  g_signal_connect (self->view, "notify::scale", G_CALLBACK (on_scale), self);
  g_signal_connect (selection, "changed", G_CALLBACK (on_selection), self);
  g_signal_connect_swapped (selection, "preview-changed", G_CALLBACK (pare_canvas_preview_changed), self);
  pare_canvas_preview_keys_attach (GTK_WIDGET (self->view), selection);
  g_signal_connect (session, "model-changed", G_CALLBACK (on_model_changed), self);
  static const char *const signals[] = { "recipe-changed", "size-changed", "latency-changed" };
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect_swapped (session, signals[i], G_CALLBACK (pare_canvas_queue_recolour), self);
  on_model_changed (session, self);
  return GTK_WIDGET (self);
}
