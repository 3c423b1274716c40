#include "app/pare-history-list.h"
#include "app/pare-history-lanes.h"
#include "app/pare-preview.h"
#include "widgets/pare-format.h"
#include "widgets/pare-style.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

/* A row's entry, by id: what it shows is read from the session when bound. */
#define PARE_TYPE_HISTORY_ITEM (pare_history_item_get_type ())
G_DECLARE_FINAL_TYPE (PareHistoryItem, pare_history_item, PARE, HISTORY_ITEM, GObject)
struct _PareHistoryItem
{
  GObject parent_instance;
  gint64 id;
  PareLaneRow lane;
  gboolean current;
};
G_DEFINE_FINAL_TYPE (PareHistoryItem, pare_history_item, G_TYPE_OBJECT)
static void
pare_history_item_class_init (PareHistoryItemClass *klass)
{
}
static void
pare_history_item_init (PareHistoryItem *self)
{
}

struct _PareHistoryList
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  GListStore *items;
  GtkWidget *scroller, *view;
  GtkSingleSelection *model; /* of the view */
  guint idle;
};

G_DEFINE_FINAL_TYPE (PareHistoryList, pare_history_list, GTK_TYPE_WIDGET)

#define LANE_X(l) (14.5 + 13.0 * (l))

static void
draw_lane (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  PareHistoryItem *item = g_object_get_data (G_OBJECT (area), "item");
  if (item == NULL)
    return;
  PareLook look;
  pare_look_for_widget (&look, GTK_WIDGET (area));
  const PareLaneRow *lane = &item->lane;
  double y = height / 2.0, x = LANE_X (lane->lane);
  gdk_cairo_set_source_rgba (cr, &look.hatch);
  cairo_set_line_width (cr, 1.5);
  for (guint l = 0; l < 8; l++)
    {
      if (lane->through >> l & 1)
        {
          cairo_move_to (cr, LANE_X (l), 0);
          cairo_line_to (cr, LANE_X (l), height);
        }
      if (lane->above >> l & 1)
        {
          cairo_move_to (cr, LANE_X (l), 0);
          if (l == lane->lane)
            cairo_line_to (cr, x, y);
          else
            cairo_curve_to (cr, LANE_X (l), y * .7, x, y * .5, x, y);
        }
    }
  if (lane->below)
    {
      cairo_move_to (cr, x, y);
      cairo_line_to (cr, x, height);
    }
  cairo_stroke (cr);
  cairo_arc (cr, x, y, item->current ? 6 : 4.5, 0, 2 * G_PI);
  gdk_cairo_set_source_rgba (cr, &look.mark);
  cairo_fill_preserve (cr);
  gdk_cairo_set_source_rgba (cr, &look.view);
  cairo_stroke (cr);
  if (item->current)
    {
      cairo_arc (cr, x, y, 8, 0, 2 * G_PI);
      gdk_cairo_set_source_rgba (cr, &look.mark);
      cairo_stroke (cr);
    }
}

static GtkWidget *
text (double x, const char *css)
{
  GtkWidget *w = gtk_label_new ("");
  gtk_label_set_xalign (GTK_LABEL (w), (float)x);
  gtk_label_set_ellipsize (GTK_LABEL (w), PANGO_ELLIPSIZE_END);
  g_auto (GStrv) list = g_strsplit (css, " ", -1);
  for (guint i = 0; list[i] != NULL; i++)
    gtk_widget_add_css_class (w, list[i]);
  return w;
}

/* --- preview and marks --- */

static void
on_row_enter (GtkEventControllerMotion *motion, double x, double y, PareHistoryList *self)
{
  PareHistoryItem *item = gtk_list_item_get_item (g_object_get_data (G_OBJECT (motion), "row"));
  if (item != NULL && self->selection != NULL)
    pare_preview_rest (self->selection, item->id);
}

static void
on_row_leave (GtkEventControllerMotion *motion, PareHistoryList *self)
{
  if (self->selection != NULL)
    pare_preview_rest (self->selection, PARE_PREVIEW_NONE);
}

static void
mark_row (PareHistoryList *self, GtkWidget *box, gint64 id)
{
  static const char *const names[] = { "pare-marked", "pare-previewed", "pare-now" };
  const gboolean is[] = { pare_selection_has_entry (self->selection, id), pare_selection_get_preview (self->selection) == id,
                          pare_session_get_current_entry (self->session) == id };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (is[i])
      gtk_widget_add_css_class (box, names[i]);
    else
      gtk_widget_remove_css_class (box, names[i]);
  /* Of two that are compared, the older is A, as in the chart. */
  guint n;
  const gint64 *ids = pare_selection_get_entries (self->selection, &n);
  GtkWidget *tag = gtk_widget_get_prev_sibling (gtk_widget_get_last_child (box));
  gboolean second = n == 2 && id == MAX (ids[0], ids[1]);
  gtk_label_set_text (GTK_LABEL (tag), second ? "B" : "A");
  gtk_widget_set_visible (tag, n == 2 && is[0]);
  if (second)
    gtk_widget_add_css_class (tag, "pare-tag-b");
  else
    gtk_widget_remove_css_class (tag, "pare-tag-b");
}

/* What a child of the list shows: its first child is the box of on_setup (). NULL: nothing, it waits to be used again. */
static PareHistoryItem *
item_of (GtkWidget *child)
{
  GtkWidget *box = gtk_widget_get_first_child (child);
  return box != NULL ? g_object_get_data (G_OBJECT (gtk_widget_get_first_child (box)), "item") : NULL;
}

static void
mark_rows (PareHistoryList *self)
{
  for (GtkWidget *child = gtk_widget_get_first_child (self->view); child != NULL; child = gtk_widget_get_next_sibling (child))
    {
      PareHistoryItem *item = item_of (child);
      if (item != NULL)
        mark_row (self, gtk_widget_get_first_child (child), item->id);
    }
}

/* The keyboard's cursor previews as the pointer does. */
static void
on_cursor (PareHistoryList *self)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *focus = root != NULL ? gtk_root_get_focus (root) : NULL;
  gboolean here = focus != NULL && gtk_widget_is_ancestor (focus, self->view) && gtk_window_get_focus_visible (GTK_WINDOW (root));
  PareHistoryItem *item = gtk_single_selection_get_selected_item (self->model);
  if (here && item != NULL)
    pare_preview_rest (self->selection, item->id);
}

static void
on_focus_left (GtkEventControllerFocus *focus, PareHistoryList *self)
{
  pare_preview_rest (self->selection, PARE_PREVIEW_NONE);
}

static gboolean
on_key (GtkEventControllerKey *controller, guint key, guint code, GdkModifierType state, PareHistoryList *self)
{
  guint n;
  pare_selection_get_entries (self->selection, &n);
  if (key != GDK_KEY_Escape || n == 0)
    return GDK_EVENT_PROPAGATE;
  pare_selection_set_entries (self->selection, NULL, 0);
  return GDK_EVENT_STOP;
}

static void
on_setup (GtkSignalListItemFactory *factory, GtkListItem *row, PareHistoryList *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *lane = gtk_drawing_area_new ();
  GtkWidget *names = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *figures = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  gtk_drawing_area_set_content_width (GTK_DRAWING_AREA (lane), 62);
  gtk_drawing_area_set_content_height (GTK_DRAWING_AREA (lane), 48);
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (lane), draw_lane, NULL, NULL);
  gtk_widget_set_valign (names, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (figures, GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand (names, TRUE);
  gtk_box_append (GTK_BOX (names), text (0, "pare-caption pare-bold"));
  gtk_box_append (GTK_BOX (names), text (0, "pare-tiny pare-second"));
  gtk_box_append (GTK_BOX (figures), text (1, "pare-caption pare-bold"));
  gtk_box_append (GTK_BOX (figures), text (1, "pare-tiny pare-second"));
  gtk_box_append (GTK_BOX (box), lane);
  gtk_box_append (GTK_BOX (box), names);
  GtkWidget *tag = gtk_label_new ("");
  gtk_widget_add_css_class (tag, "pare-tag");
  gtk_widget_set_valign (tag, GTK_ALIGN_CENTER);
  gtk_widget_set_visible (tag, FALSE);
  gtk_box_append (GTK_BOX (box), tag);
  gtk_box_append (GTK_BOX (box), figures);
  GtkEventController *motion = gtk_event_controller_motion_new ();
  g_object_set_data (G_OBJECT (motion), "row", row);
  g_signal_connect (motion, "enter", G_CALLBACK (on_row_enter), self);
  g_signal_connect (motion, "leave", G_CALLBACK (on_row_leave), self);
  gtk_widget_add_controller (box, motion);
  gtk_widget_add_css_class (box, "pare-history-row");
  gtk_list_item_set_child (row, box);
}

static void
show_row (PareHistoryList *self, GtkWidget *box, PareHistoryItem *item)
{
  const PareEntry *entry = pare_session_find_entry (self->session, item->id);
  GtkWidget *lane = gtk_widget_get_first_child (box), *names = gtk_widget_get_next_sibling (lane);
  GtkWidget *figures = gtk_widget_get_last_child (box);
  if (entry == NULL)
    return;
  g_object_set_data_full (G_OBJECT (lane), "item", g_object_ref (item), g_object_unref);
  mark_row (self, box, item->id);
  gtk_widget_queue_draw (lane);
  g_autoptr (GDateTime) when = g_date_time_new_from_unix_local (entry->when);
  g_autofree char *clock = when != NULL ? g_date_time_format (when, "%e %b %H:%M") : g_strdup ("");
  g_autofree char *difference = pare_format_signed (entry->has_difference ? 100 * entry->difference : NAN, 2);
  g_autofree char *value = pare_format_percent (entry->accuracy_origin != PARE_ORIGIN_NONE ? entry->accuracy : NAN, 2);
  g_autofree char *kib = pare_format_kib (entry->size_origin != PARE_ORIGIN_NONE ? entry->size.packed_bytes : NAN);
  gtk_label_set_text (GTK_LABEL (gtk_widget_get_first_child (names)), entry->title);
  gtk_label_set_text (GTK_LABEL (gtk_widget_get_last_child (names)), g_strstrip (clock));
  gtk_label_set_text (GTK_LABEL (gtk_widget_get_first_child (figures)), entry->has_difference ? difference : value);
  gtk_label_set_text (GTK_LABEL (gtk_widget_get_last_child (figures)), kib);
  g_autofree char *tip = g_strdup_printf (_ ("%s\naccuracy %s, difference %s pp, packed %s KiB"), entry->title, value, difference, kib);
  gtk_widget_set_tooltip_text (box, tip);
  if (gtk_widget_get_parent (box) != NULL)
    gtk_accessible_update_property (GTK_ACCESSIBLE (gtk_widget_get_parent (box)), GTK_ACCESSIBLE_PROPERTY_LABEL, tip, -1);
}

static void
on_bind (GtkSignalListItemFactory *factory, GtkListItem *row, PareHistoryList *self)
{
  show_row (self, gtk_list_item_get_child (row), gtk_list_item_get_item (row));
}

static void
on_unbind (GtkSignalListItemFactory *factory, GtkListItem *row, gpointer data)
{
  g_object_set_data (G_OBJECT (gtk_widget_get_first_child (gtk_list_item_get_child (row))), "item", NULL);
}

static gboolean
rebuild (gpointer data)
{
  PareHistoryList *self = data;
  self->idle = 0;
  guint n = pare_session_get_n_entries (self->session);
  g_autofree gint64 *ids = g_new (gint64, MAX (n, 1)), *parents = g_new (gint64, MAX (n, 1));
  gint64 current = pare_session_get_current_entry (self->session);
  for (guint i = 0; i < n; i++)
    {
      const PareEntry *entry = pare_session_get_entry (self->session, i);
      ids[i] = entry->id;
      parents[i] = entry->parent;
    }
  g_autofree PareLaneRow *lanes = pare_history_lanes (ids, parents, n, current);
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < n; i++)
    {
      PareHistoryItem *item = g_object_new (PARE_TYPE_HISTORY_ITEM, NULL);
      item->id = ids[n - 1 - i];
      item->lane = lanes[i];
      item->current = item->id == current;
      g_ptr_array_add (items, item);
    }
  /* The same rows with other figures: the pointer and the keyboard stay where they are. */
  gboolean same = n == g_list_model_get_n_items (G_LIST_MODEL (self->items));
  for (guint i = 0; same && i < n; i++)
    {
      g_autoptr (PareHistoryItem) old = g_list_model_get_item (G_LIST_MODEL (self->items), i);
      const PareHistoryItem *item = items->pdata[i];
      same = old->id == item->id && old->current == item->current && memcmp (&old->lane, &item->lane, sizeof old->lane) == 0;
    }
  if (same)
    {
      for (GtkWidget *child = gtk_widget_get_first_child (self->view); child != NULL; child = gtk_widget_get_next_sibling (child))
        {
          PareHistoryItem *item = item_of (child);
          if (item != NULL)
            show_row (self, gtk_widget_get_first_child (child), item);
        }
      return G_SOURCE_REMOVE;
    }
  g_list_store_splice (self->items, 0, g_list_model_get_n_items (G_LIST_MODEL (self->items)), items->pdata, items->len);
  return G_SOURCE_REMOVE;
}

static void
queue_rebuild (PareHistoryList *self)
{
  if (self->idle == 0)
    self->idle = g_idle_add (rebuild, self);
}

static void
on_activate (GtkListView *view, guint position, PareHistoryList *self)
{
  g_autoptr (PareHistoryItem) item = g_list_model_get_item (G_LIST_MODEL (self->items), position);
  if (item != NULL)
    pare_session_go_to_entry (self->session, item->id);
}

static void
pare_history_list_dispose (GObject *object)
{
  PareHistoryList *self = PARE_HISTORY_LIST (object);
  g_clear_handle_id (&self->idle, g_source_remove);
  if (self->session != NULL)
    g_signal_handlers_disconnect_by_data (self->session, self);
  if (self->selection != NULL)
    g_signal_handlers_disconnect_by_data (self->selection, self);
  g_clear_pointer (&self->scroller, gtk_widget_unparent);
  g_clear_object (&self->session);
  g_clear_object (&self->selection);
  g_clear_object (&self->items);
  G_OBJECT_CLASS (pare_history_list_parent_class)->dispose (object);
}

static void
pare_history_list_class_init (PareHistoryListClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = pare_history_list_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
pare_history_list_init (PareHistoryList *self)
{
  self->items = g_list_store_new (PARE_TYPE_HISTORY_ITEM);
}

GtkWidget *
pare_history_list_new (PareSession *session, PareSelection *selection)
{
  PareHistoryList *self = g_object_new (PARE_TYPE_HISTORY_LIST, NULL);
  self->session = g_object_ref (session);
  self->selection = g_object_ref (selection);
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();
  g_signal_connect (factory, "setup", G_CALLBACK (on_setup), self);
  g_signal_connect (factory, "bind", G_CALLBACK (on_bind), self);
  g_signal_connect (factory, "unbind", G_CALLBACK (on_unbind), NULL);
  GtkSingleSelection *model = gtk_single_selection_new (G_LIST_MODEL (g_object_ref (self->items)));
  gtk_single_selection_set_autoselect (model, FALSE);
  gtk_single_selection_set_can_unselect (model, TRUE);
  self->model = model;
  self->view = gtk_list_view_new (GTK_SELECTION_MODEL (model), factory);
  gtk_widget_add_css_class (self->view, "pare-history");
  gtk_list_view_set_single_click_activate (GTK_LIST_VIEW (self->view), TRUE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->view), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("History: every recipe tried"), -1);
  GtkEventController *focus = gtk_event_controller_focus_new (), *key = gtk_event_controller_key_new ();
  g_signal_connect (focus, "leave", G_CALLBACK (on_focus_left), self);
  g_signal_connect (key, "key-pressed", G_CALLBACK (on_key), self);
  gtk_widget_add_controller (self->view, focus);
  gtk_widget_add_controller (self->view, key);
  g_signal_connect_swapped (model, "notify::selected", G_CALLBACK (on_cursor), self);
  g_signal_connect_swapped (selection, "entries-changed", G_CALLBACK (mark_rows), self);
  g_signal_connect_swapped (selection, "preview-changed", G_CALLBACK (mark_rows), self);
  g_signal_connect (self->view, "activate", G_CALLBACK (on_activate), self);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), self->view);
  gtk_widget_set_vexpand (self->scroller, TRUE);
  gtk_widget_set_parent (self->scroller, GTK_WIDGET (self));
  static const char *const signals[] = { "history-changed", "entry-changed", "recipe-changed", "model-changed" };
  for (guint i = 0; i < G_N_ELEMENTS (signals); i++)
    g_signal_connect_swapped (session, signals[i], G_CALLBACK (queue_rebuild), self);
  return GTK_WIDGET (self);
}
