/* The canvas as a widget: needs a display. */
#include "widgets/pare-graph-view-private.h"
#include "widgets/pare-minimap.h"

#include <math.h>
#include <string.h>

/* Three residual blocks of one size and three of the next: stages, blocks, skips. */
static PareGraph *
make_graph_of (const char *prefix, int blocks)
{
  PareGraph *g = pare_graph_new ("test");
  PareShape shape = pare_shape_make (4, (gint64)1, (gint64)8, (gint64)16, (gint64)16),
            kernel = pare_shape_make (4, (gint64)8, (gint64)8, (gint64)3, (gint64)3);
  PareValueId x = pare_graph_add_value (g, "x", PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
  g->inputs = g_memdup2 (&x, sizeof x);
  g->n_inputs = 1;
  for (int i = 0; i < blocks; i++)
    {
      PareValueId in = x;
      if (i == blocks / 2)
        shape.dims[2] = shape.dims[3] = 8;
      for (int k = 0; k < 3; k++)
        {
          g_autofree char *name = g_strdup_printf ("%s%d_%c", prefix, i, "abs"[k]);
          PareValueId out = pare_graph_add_value (g, name, PARE_DTYPE_FLOAT32, &shape, PARE_NONE), ins[2] = { x, in };
          if (k < 2)
            {
              g_autoptr (PareTensor) w = pare_tensor_new (PARE_DTYPE_FLOAT32, &kernel, NULL);
              ins[1] = pare_graph_add_constant (g, "w", w, PARE_NONE);
            }
          pare_graph_add_node (g, k < 2 ? "Conv" : "Add", name, ins, 2, &out, 1, PARE_NONE, PARE_ROLE_SELF);
          x = out;
        }
    }
  g->outputs = g_memdup2 (&x, sizeof x);
  g->n_outputs = 1;
  pare_graph_name_layers (g);
  return g;
}

static PareGraph *
make_graph (const char *prefix)
{
  return make_graph_of (prefix, 6);
}

typedef struct
{
  GtkWidget *window, *widget;
  PareGraphView *view;
  guint layouts, selections, activations;
  char *menu;
} Fixture;

static void
count (guint *n)
{
  (*n)++;
}
static void
menu (PareGraphView *view, const char *layer, double x, double y, Fixture *f)
{
  g_free (f->menu);
  f->menu = g_strdup (layer);
}
static void
activated (PareGraphView *view, const char *layer, Fixture *f)
{
  f->activations++;
}

static void
iterate_until_idle (PareGraphView *view)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  while ((view->busy || g_main_context_pending (NULL)) && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, view->busy);
  g_assert_false (view->busy);
}

static void
wait_for_size (Fixture *f)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;
  while ((f->view->busy || !f->view->placed) && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_assert_true (f->view->placed);
}

static char *
format_value (double value, gpointer data)
{
  return g_strdup_printf ("%.1f KiB", value);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  *f = (Fixture){ .window = gtk_window_new (), .widget = pare_graph_view_new () };
  f->view = PARE_GRAPH_VIEW (f->widget);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_box_append (GTK_BOX (box), f->widget);
  gtk_box_append (GTK_BOX (box), pare_minimap_new (f->view));
  gtk_window_set_child (GTK_WINDOW (f->window), box);
  gtk_window_set_default_size (GTK_WINDOW (f->window), 700, 600);
  g_signal_connect_swapped (f->view, "layout-changed", G_CALLBACK (count), &f->layouts);
  g_signal_connect_swapped (f->view, "selection-changed", G_CALLBACK (count), &f->selections);
  g_signal_connect (f->view, "activate-layer", G_CALLBACK (activated), f);
  g_signal_connect (f->view, "context-menu", G_CALLBACK (menu), f);
  g_autoptr (PareGraph) graph = make_graph ("c");
  pare_graph_view_set_graph (f->view, graph, NULL, 0);
  gtk_window_present (GTK_WINDOW (f->window));
  wait_for_size (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->menu);
  gpointer view = f->widget;
  g_object_add_weak_pointer (view, &view);
  gtk_window_destroy (GTK_WINDOW (f->window));
  gint64 end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  while (view != NULL && g_get_monotonic_time () < end) /* a running layout holds it until its cancel is seen */
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (view);
}

/* What the widget draws, as pixels of the view. */
static GdkTexture *
picture (Fixture *f)
{
  gtk_widget_queue_draw (f->widget);
  gtk_test_widget_wait_for_draw (f->widget);
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (f->widget);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  gdk_paintable_snapshot (paintable, GDK_SNAPSHOT (snapshot), gtk_widget_get_width (f->widget), gtk_widget_get_height (f->widget));
  g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (snapshot);
  g_assert_nonnull (node);
  return gsk_renderer_render_texture (gtk_native_get_renderer (gtk_widget_get_native (f->widget)), node, NULL);
}

static guint32
pixel (GdkTexture *texture, int x, int y)
{
  int w = gdk_texture_get_width (texture), h = gdk_texture_get_height (texture);
  g_assert_true (x >= 0 && y >= 0 && x < w && y < h);
  g_autofree guchar *data = g_malloc ((gsize)w * h * 4);
  gdk_texture_download (texture, data, (gsize)w * 4);
  guint32 v;
  memcpy (&v, data + ((gsize)y * w + x) * 4, 4);
  return v & 0xffffff;
}

static guint32
rgb (const GdkRGBA *c)
{
  return (guint32)rint (c->red * 255) << 16 | (guint32)rint (c->green * 255) << 8 | (guint32)rint (c->blue * 255);
}

static void
view_rect (Fixture *f, const char *layer, double *x, double *y, double *w, double *h)
{
  PareLayoutRect r;
  PareGraphRef ref = { TRUE, FALSE, pare_graph_model_find (f->view->model, layer) };
  g_assert_true (pare_graph_view_rect_of (f->view, ref, &r));
  pare_viewport_to_view (&f->view->viewport, r.x, r.y, x, y);
  *w = r.width * f->view->viewport.scale;
  *h = r.height * f->view->viewport.scale;
}

static void
test_draw (Fixture *f, gconstpointer data)
{
  g_assert_cmpuint (f->layouts, ==, 1);
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  double low = 0, high = 10;
  g_hash_table_insert (values, "c0_a", g_memdup2 (&low, sizeof low));
  g_hash_table_insert (values, "c0_b", g_memdup2 (&high, sizeof high));
  pare_graph_view_set_metric (f->view, "Size", values, format_value, NULL, NULL, 0, 10, PARE_METRIC_SUM);
  g_assert_cmpfloat (f->view->group_value[f->view->model->shown[pare_graph_model_find (f->view->model, "c0_a")].group], ==, 10);
  g_autoptr (GdkTexture) t = picture (f);
  double x, y, w, h;
  GdkRGBA want;
  const char *layers[2] = { "c0_a", "c0_b" };
  for (int i = 0; i < 2; i++)
    {
      view_rect (f, layers[i], &x, &y, &w, &h);
      pare_colormap_metric (i, f->view->look.dark, &want);
      g_assert_cmphex (pixel (t, (int)(x + 14), (int)(y + h - 12)), ==, rgb (&want)); /* fill */
      pare_op_class_colour (PARE_OP_CLASS_CONV, f->view->look.dark, &want);
      g_assert_cmphex (pixel (t, (int)(x + 5), (int)(y + h / 2)), ==, rgb (&want)); /* stripe */
    }
  /* every level of detail draws without complaint, and nodes are where the viewport says */
  for (double scale = 1; scale > 0.02; scale *= 0.7)
    {
      pare_graph_view_zoom_to (f->view, scale);
      g_autoptr (GdkTexture) p = picture (f);
      g_assert_nonnull (p);
    }
  pare_graph_view_fit (f->view);
  view_rect (f, "c5_s", &x, &y, &w, &h);
  g_assert_cmpfloat (y + h, <=, gtk_widget_get_height (f->widget));
}

static void
test_select (Fixture *f, gconstpointer data)
{
  pare_graph_view_set_selected (f->view, (const char *[]){ "c1_b", "nothing", "c0_a", NULL });
  g_assert_cmpuint (f->selections, ==, 0);
  g_auto (GStrv) list = pare_graph_view_dup_selected (f->view);
  g_assert_cmpuint (g_strv_length (list), ==, 2);
  g_assert_cmpstr (list[0], ==, "c0_a"); /* the model's order */
  g_assert_cmpstr (list[1], ==, "c1_b");
  PareGraphRef ref = { TRUE, FALSE, pare_graph_model_find (f->view->model, "c2_a") };
  pare_graph_view_select (f->view, ref, FALSE, FALSE);
  pare_graph_view_select (f->view, ref, FALSE, TRUE);
  g_assert_cmpuint (f->selections, ==, 2);
  g_auto (GStrv) none = pare_graph_view_dup_selected (f->view);
  g_assert_cmpuint (g_strv_length (none), ==, 0);
  /* the selection outlives another graph with the same layers */
  pare_graph_view_set_selected (f->view, (const char *[]){ "c1_b", NULL });
  g_autoptr (PareGraph) again = make_graph ("c");
  pare_graph_view_set_graph (f->view, again, NULL, 0);
  iterate_until_idle (f->view);
  g_auto (GStrv) kept = pare_graph_view_dup_selected (f->view);
  g_assert_cmpstr (kept[0], ==, "c1_b");
}

static GtkEventController *
controller (Fixture *f, GType type)
{
  g_autoptr (GListModel) list = gtk_widget_observe_controllers (f->widget);
  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (GtkEventController) c = g_list_model_get_item (list, i);
      if (G_TYPE_CHECK_INSTANCE_TYPE (c, type))
        return c; /* the widget keeps it */
    }
  g_assert_not_reached ();
}

static gboolean
key (Fixture *f, guint value, GdkModifierType state)
{
  gboolean handled = FALSE;
  g_signal_emit_by_name (controller (f, GTK_TYPE_EVENT_CONTROLLER_KEY), "key-pressed", value, 0, state, &handled);
  return handled;
}

static const char *
cursor_title (Fixture *f)
{
  return !f->view->cursor.valid     ? "none"
         : f->view->cursor.is_group ? f->view->model->groups[f->view->cursor.index].title
                                    : f->view->model->shown[f->view->cursor.index].title;
}

static void
test_keys (Fixture *f, gconstpointer data)
{
  g_assert_true (key (f, GDK_KEY_Home, 0));
  g_assert_cmpstr (cursor_title (f), ==, "x");
  key (f, GDK_KEY_Down, 0);
  g_assert_cmpstr (cursor_title (f), ==, "c0_a"); /* not the skip */
  key (f, GDK_KEY_Down, 0);
  key (f, GDK_KEY_Down, 0);
  g_assert_cmpstr (cursor_title (f), ==, "Add");
  key (f, GDK_KEY_Up, 0);
  g_assert_cmpstr (cursor_title (f), ==, "c0_b");
  g_assert_cmpuint (f->selections, ==, 5);
  key (f, GDK_KEY_BackSpace, 0);
  g_assert_cmpstr (cursor_title (f), ==, "Block 1");
  key (f, GDK_KEY_Return, 0); /* folds */
  iterate_until_idle (f->view);
  g_assert_cmpstr (cursor_title (f), ==, "Block 1");
  g_assert_cmpint (pare_graph_view_item_of (f->view, f->view->cursor), >=, 0);
  key (f, GDK_KEY_Down, 0);
  g_assert_cmpstr (cursor_title (f), ==, "c1_a");
  g_assert_true (key (f, GDK_KEY_End, 0));
  g_assert_cmpfloat (f->view->viewport.y, >, 0); /* followed */
  double scale = f->view->viewport.scale;
  key (f, GDK_KEY_f, 0);
  g_assert_cmpfloat (f->view->viewport.scale, <, scale);
  g_assert_false (key (f, GDK_KEY_f, GDK_CONTROL_MASK)); /* Ctrl+F is the window's */
  g_assert_false (key (f, GDK_KEY_4, 0));                /* so are bits */
}

static void
test_fold (Fixture *f, gconstpointer data)
{
  guint group = (guint)f->view->model->shown[pare_graph_model_find (f->view->model, "c1_a")].group;
  PareLayoutRect r;
  PareGraphRef ref = { TRUE, TRUE, group };
  double x, y, nx, ny;
  guint items = f->view->scene->n_items;
  pare_graph_view_rect_of (f->view, ref, &r);
  pare_viewport_to_view (&f->view->viewport, r.x + r.width / 2, r.y, &x, &y);
  pare_graph_view_set_folded (f->view, group, TRUE);
  iterate_until_idle (f->view);
  g_assert_cmpuint (f->view->scene->n_items, ==, items - 2);
  pare_graph_view_rect_of (f->view, ref, &r);
  pare_viewport_to_view (&f->view->viewport, r.x + r.width / 2, r.y, &nx, &ny);
  g_assert_cmpfloat_with_epsilon (x, nx, 1); /* the header stays under the pointer */
  g_assert_cmpfloat_with_epsilon (y, ny, 1);
  picture (f);
  /* three changes in a row: only the last is shown, the others are dropped */
  guint layouts = f->layouts;
  pare_graph_view_fold_all (f->view, TRUE);
  pare_graph_view_fold_all (f->view, FALSE);
  pare_graph_view_fold_all (f->view, TRUE);
  iterate_until_idle (f->view);
  g_assert_cmpuint (f->layouts, ==, layouts + 1);
  g_assert_cmpuint (f->view->scene->n_frames, ==, 0);
  /* flying to a layer inside opens what is around it */
  pare_graph_view_fly_to (f->view, "c4_b");
  iterate_until_idle (f->view);
  g_assert_cmpstr (cursor_title (f), ==, "c4_b");
  g_assert_cmpuint (f->view->scene->n_frames, ==, 2);
  view_rect (f, "c4_b", &x, &y, &nx, &ny);
  g_assert_cmpfloat_with_epsilon (x + nx / 2, gtk_widget_get_width (f->widget) / 2.0, 1);
  g_auto (GStrv) path = pare_graph_view_dup_path (f->view);
  g_assert_cmpstr (path[0], ==, "Stage 2");
  g_assert_cmpstr (path[1], ==, "Block 5");
  g_assert_cmpstr (path[2], ==, "c4_b");
}

static void
test_search (Fixture *f, gconstpointer data)
{
  g_assert_cmpuint (pare_graph_view_search (f->view, "_A"), ==, 6);
  g_assert_cmpstr (cursor_title (f), ==, "c0_a");
  g_assert_cmpuint (pare_graph_view_search_next (f->view, 1), ==, 2);
  g_assert_cmpstr (cursor_title (f), ==, "c1_a");
  g_assert_cmpuint (pare_graph_view_search_next (f->view, -1), ==, 1);
  g_assert_cmpuint (pare_graph_view_search_next (f->view, -1), ==, 6); /* round */
  picture (f);
  g_assert_cmpuint (pare_graph_view_search (f->view, "conv 3"), ==, 12); /* by operator */
  g_assert_cmpuint (pare_graph_view_search (f->view, "zzz"), ==, 0);
  g_assert_cmpuint (pare_graph_view_search_next (f->view, 1), ==, 0);
  g_assert_cmpuint (pare_graph_view_search (f->view, NULL), ==, 0);
}

static void
test_pointer (Fixture *f, gconstpointer data)
{
  double x, y, w, h, gx, gy, hx, hy;
  gboolean handled;
  view_rect (f, "c0_b", &x, &y, &w, &h);
  GtkEventController *motion = controller (f, GTK_TYPE_EVENT_CONTROLLER_MOTION), *scroll = controller (f, GTK_TYPE_EVENT_CONTROLLER_SCROLL);
  g_signal_emit_by_name (motion, "motion", x + 20, y + 20);
  g_assert_true (f->view->hover.valid);
  g_assert_cmpuint (f->view->hover.index, ==, pare_graph_model_find (f->view->model, "c0_b"));
  pare_viewport_to_graph (&f->view->viewport, x + 20, y + 20, &gx, &gy);
  double top = f->view->viewport.y;
  g_signal_emit_by_name (scroll, "scroll", 0.0, 1.0, &handled);
  g_assert_true (handled);
  g_assert_cmpfloat_with_epsilon (f->view->viewport.y, top + 60, 1e-6);
  g_signal_emit_by_name (motion, "leave");
  g_assert_false (f->view->hover.valid);
  /* zoom about a point */
  pare_viewport_to_graph (&f->view->viewport, 100, 200, &gx, &gy);
  pare_viewport_zoom_at (&f->view->viewport, 1.7, 100, 200);
  pare_viewport_to_graph (&f->view->viewport, 100, 200, &hx, &hy);
  g_assert_cmpfloat_with_epsilon (gx, hx, 1e-6);
}

static void
test_decorations (Fixture *f, gconstpointer data)
{
  g_autoptr (GdkTexture) before = picture (f);
  pare_graph_view_set_decorations (f->view, "c0_a", (const char *[]){ "4·8", NULL }, 0.5, "8×16×16", "7×16×16", PARE_GRAPH_CHANGED);
  pare_graph_view_set_decorations (f->view, "c0_b", NULL, NAN, NULL, NULL, PARE_GRAPH_UNSUPPORTED | PARE_GRAPH_EXCLUDED);
  pare_graph_view_set_coupled (f->view, (const char *[]){ "c0_a", "c0_b", NULL });
  g_autoptr (GdkTexture) after = picture (f);
  double x, y, w, h;
  view_rect (f, "c0_a", &x, &y, &w, &h);
  guint differ = 0;
  for (int i = 17; i < (int)w - 8; i += 3)
    differ += pixel (before, (int)x + i, (int)(y + h - 6)) != pixel (after, (int)x + i, (int)(y + h - 6)); /* the bar at the foot */
  g_assert_cmpuint (differ, >, 20);
  g_autofree char *words
      = pare_graph_view_describe (f->view, (PareGraphRef){ TRUE, FALSE, pare_graph_model_find (f->view->model, "c0_a") });
  g_assert_nonnull (strstr (words, "4·8"));
  g_assert_nonnull (strstr (words, "next: c0_b"));
  pare_graph_view_clear_decorations (f->view);
  pare_graph_view_set_coupled (f->view, NULL);
  picture (f);
}

static void
test_replace (Fixture *f, gconstpointer data)
{
  pare_graph_view_search (f->view, "c0");
  pare_graph_view_set_coupled (f->view, (const char *[]){ "c0_a", "c0_b", NULL });
  g_autoptr (PareGraph) other = make_graph ("d");
  pare_graph_view_set_graph (f->view, other, NULL, 0);
  pare_graph_view_set_graph (f->view, other, NULL, 0);
  iterate_until_idle (f->view);
  g_assert_cmpuint (f->layouts, ==, 2); /* the first of the two was superseded */
  g_assert_cmpuint (pare_graph_model_find (f->view->model, "c0_a"), ==, PARE_NONE);
  picture (f);
  pare_graph_view_set_graph (f->view, NULL, NULL, 0);
  g_assert_null (pare_graph_view_get_model (f->view));
  picture (f);
  g_assert_false (key (f, GDK_KEY_Down, 0));
  pare_graph_view_set_graph (f->view, other, NULL, 0); /* left running: the widget goes away first */
}

/* 6,000 nodes unfolded: what a frame costs at each distance. */
static void
test_large (Fixture *f, gconstpointer data)
{
  g_autoptr (PareGraph) large = make_graph_of ("n", 2000);
  pare_graph_view_set_graph (f->view, large, NULL, 0);
  iterate_until_idle (f->view);
  pare_graph_view_fold_all (f->view, FALSE);
  iterate_until_idle (f->view);
  g_assert_cmpuint (f->view->scene->n_items, ==, 6002);
  static const double scales[] = { 1, 0.5, 0.2, 0.06, 0.01 };
  for (guint i = 0; i < G_N_ELEMENTS (scales); i++)
    {
      pare_graph_view_zoom_to (f->view, scales[i]);
      pare_graph_view_fly_to (f->view, "n900_a");
      pare_viewport_zoom_at (&f->view->viewport, scales[i], 300, 300);
      g_autoptr (GdkTexture) warm = picture (f);
      gint64 begin = g_get_monotonic_time ();
      for (int k = 0; k < 5; k++)
        {
          pare_viewport_scroll (&f->view->viewport, 0, 7);
          GtkSnapshot *snapshot = gtk_snapshot_new ();
          pare_graph_view_snapshot (f->widget, snapshot);
          g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (snapshot);
          g_autoptr (GdkTexture) t = gsk_renderer_render_texture (gtk_native_get_renderer (gtk_widget_get_native (f->widget)), node, NULL);
        }
      double each = (g_get_monotonic_time () - begin) / 5e3;
      g_test_message ("zoom %.2f: %.1f ms a frame", f->view->viewport.scale, each);
      g_assert_cmpfloat (each, <, 500);
    }
}

int
main (int argc, char **argv)
{
  if (!gtk_init_check ())
    return 77;
  g_test_init (&argc, &argv, NULL);
  adw_init ();
  g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, NULL);
#define ADD(name, func) g_test_add ("/graph-view/" name, Fixture, NULL, set_up, func, tear_down)
  ADD ("draw", test_draw);
  ADD ("select", test_select);
  ADD ("keys", test_keys);
  ADD ("fold", test_fold);
  ADD ("search", test_search);
  ADD ("pointer", test_pointer);
  ADD ("decorations", test_decorations);
  ADD ("replace", test_replace);
  ADD ("large", test_large);
  return g_test_run ();
}
