/* Pictures of a graph that is too large for one at its own size; stopping; what changes meanwhile. Needs a display. */
#include "widgets/pare-graph-view-private.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

typedef struct
{
  GtkWidget *window;
  PareGraphView *view;
  char *folder, *png, *svg;
  gboolean done, ok;
  GError *error;
  double progress;
  guint reports;
} Fixture;

static PareGraph *
make_graph (int n)
{
  PareGraph *g = pare_graph_new ("test");
  PareShape shape = pare_shape_make (4, (gint64)1, (gint64)8, (gint64)16, (gint64)16),
            kernel = pare_shape_make (4, (gint64)8, (gint64)8, (gint64)3, (gint64)3);
  PareValueId x = pare_graph_add_value (g, "x", PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
  g->inputs = g_memdup2 (&x, sizeof x);
  g->n_inputs = 1;
  for (int i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("conv%d", i);
      g_autoptr (PareTensor) w = pare_tensor_new (PARE_DTYPE_FLOAT32, &kernel, NULL);
      PareValueId out = pare_graph_add_value (g, name, PARE_DTYPE_FLOAT32, &shape, PARE_NONE),
                  ins[2] = { x, pare_graph_add_constant (g, "w", w, PARE_NONE) };
      pare_graph_add_node (g, "Conv", name, ins, 2, &out, 1, PARE_NONE, PARE_ROLE_SELF);
      x = out;
    }
  g->outputs = g_memdup2 (&x, sizeof x);
  g->n_outputs = 1;
  pare_graph_name_layers (g);
  return g;
}

static void
wait_idle (Fixture *f)
{
  gint64 end = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;
  while ((f->view->busy || !f->view->placed) && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, TRUE);
  g_assert_false (f->view->busy);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  *f = (Fixture){ .window = gtk_window_new (), .view = PARE_GRAPH_VIEW (pare_graph_view_new ()) };
  f->folder = g_dir_make_tmp ("pare-pictures-XXXXXX", NULL);
  f->png = g_build_filename (f->folder, "graph.png", NULL);
  f->svg = g_build_filename (f->folder, "graph.svg", NULL);
  gtk_window_set_child (GTK_WINDOW (f->window), GTK_WIDGET (f->view));
  gtk_window_set_default_size (GTK_WINDOW (f->window), 500, 400);
  g_autoptr (PareGraph) graph = make_graph (GPOINTER_TO_INT (data));
  pare_graph_view_set_graph (f->view, graph, NULL, 0);
  gtk_window_present (GTK_WINDOW (f->window));
  wait_idle (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  gtk_window_destroy (GTK_WINDOW (f->window));
  g_remove (f->png);
  g_remove (f->svg);
  g_assert_cmpint (g_rmdir (f->folder), ==, 0); /* nothing else was left there */
  g_clear_error (&f->error);
  g_free (f->folder);
  g_free (f->png);
  g_free (f->svg);
}

static void
on_progress (double fraction, gpointer data)
{
  Fixture *f = data;
  g_assert_cmpfloat (fraction, >=, f->progress);
  g_assert_cmpfloat (fraction, <=, 1);
  f->progress = fraction;
  f->reports++;
}

static void
on_saved (GObject *source, GAsyncResult *result, gpointer data)
{
  Fixture *f = data;
  f->ok = pare_graph_view_save_picture_finish (PARE_GRAPH_VIEW (source), result, &f->error);
  f->done = TRUE;
}

static void
begin (Fixture *f, gboolean svg, GCancellable *cancellable)
{
  f->done = f->ok = FALSE;
  f->progress = f->reports = 0;
  g_clear_error (&f->error);
  pare_graph_view_save_picture_async (f->view, svg ? f->svg : f->png, svg, cancellable, on_progress, f, on_saved, f);
}

/* Returns the longest time that the main loop was held up. */
static double
finish (Fixture *f)
{
  double worst = 0;
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  while (!f->done && g_get_monotonic_time () < end)
    {
      gint64 at = g_get_monotonic_time ();
      if (g_main_context_iteration (NULL, FALSE))
        worst = MAX (worst, (double)(g_get_monotonic_time () - at) / 1000);
      else
        g_usleep (500);
    }
  g_assert_true (f->done);
  return worst;
}

static void
test_large (Fixture *f, gconstpointer data)
{
  PareViewport before = f->view->viewport;
  double scale = pare_graph_view_picture_scale (f->view, FALSE);
  g_assert_cmpfloat (f->view->scene->layout->height, >, 16384);
  g_assert_cmpfloat (scale, <, 1);
  begin (f, FALSE, NULL);
  double held = finish (f);
  g_assert_no_error (f->error);
  g_assert_true (f->ok);
  g_assert_cmpuint (f->reports, >, 2);
  GError *error = NULL;
  g_autoptr (GdkPixbuf) picture = gdk_pixbuf_new_from_file (f->png, &error);
  g_assert_no_error (error);
  int w = gdk_pixbuf_get_width (picture), h = gdk_pixbuf_get_height (picture);
  g_assert_cmpint (h, <=, 16384);
  g_assert_cmpint (h, >=, 16380);
  /* the stripe of the first and of the last card, where the scale says */
  const char *ends[2] = { "conv0", NULL };
  g_autofree char *last = g_strdup_printf ("conv%d", GPOINTER_TO_INT (data) - 1);
  ends[1] = last;
  GdkRGBA want;
  pare_op_class_colour (PARE_OP_CLASS_CONV, f->view->look.dark, &want);
  for (int i = 0; i < 2; i++)
    {
      const PareLayoutRect *r = &f->view->scene->items[f->view->scene->item_of_shown[pare_graph_model_find (f->view->model, ends[i])]].rect;
      int x = (int)((r->x + 16 + 4) * scale), y = (int)((r->y + 16 + r->height / 2) * scale);
      g_assert_true (x < w && y < h);
      const guchar *p = gdk_pixbuf_read_pixels (picture) + (gsize)y * gdk_pixbuf_get_rowstride (picture) + 3 * x;
      g_assert_cmpint (abs (p[0] - (int)rint (want.red * 255)), <=, 2);
      g_assert_cmpint (abs (p[1] - (int)rint (want.green * 255)), <=, 2);
      g_assert_cmpint (abs (p[2] - (int)rint (want.blue * 255)), <=, 2);
    }
  begin (f, TRUE, NULL);
  double held_svg = finish (f);
  g_assert_no_error (f->error);
  g_autofree char *text = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (f->svg, &text, &size, NULL));
  g_assert_nonnull (strstr (text, "<svg"));
  g_assert_nonnull (g_strrstr (text, "</svg>"));
  g_test_message ("PNG %d x %d at %.1f %%: the window held up %.0f ms at most; SVG of %.1f MB: %.0f ms", w, h, 100 * scale, held,
                  size / 1e6, held_svg);
  g_assert_cmpmem (&before, sizeof before, &f->view->viewport, sizeof before); /* the view itself did not move */
}

static void
test_stop (Fixture *f, gconstpointer data)
{
  for (int svg = 0; svg < 2; svg++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      begin (f, svg, cancellable);
      for (int i = 0; i < 5; i++)
        g_main_context_iteration (NULL, FALSE);
      g_cancellable_cancel (cancellable);
      finish (f);
      g_assert_error (f->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_false (g_file_test (svg ? f->svg : f->png, G_FILE_TEST_EXISTS));
    }
}

static void
test_changes (Fixture *f, gconstpointer data)
{
  for (int svg = 0; svg < 2; svg++)
    {
      const char *path = svg ? f->svg : f->png;
      begin (f, svg, NULL);
      pare_graph_view_set_graph (f->view, NULL, NULL, 0);
      finish (f);
      g_assert_nonnull (f->error);
      g_assert_nonnull (strstr (f->error->message, path));
      g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
      g_autoptr (PareGraph) graph = make_graph (GPOINTER_TO_INT (data));
      pare_graph_view_set_graph (f->view, graph, NULL, 0);
      wait_idle (f);
    }
  /* without a graph there is nothing to paint */
  pare_graph_view_set_graph (f->view, NULL, NULL, 0);
  begin (f, FALSE, NULL);
  finish (f);
  g_assert_nonnull (strstr (f->error->message, f->png));
}

int
main (int argc, char **argv)
{
  if (!gtk_init_check ())
    return 77;
  g_test_init (&argc, &argv, NULL);
  adw_init ();
  g_object_set (gtk_settings_get_default (), "gtk-enable-animations", FALSE, NULL);
#define ADD(name, n, func) g_test_add ("/graph-export/" name, Fixture, GINT_TO_POINTER (n), set_up, func, tear_down)
  ADD ("large", 300, test_large);
  ADD ("stop", 1000, test_stop);
  ADD ("changes", 300, test_changes);
  return g_test_run ();
}
