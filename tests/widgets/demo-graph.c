/* demo-graph MODEL.onnx [--scale S] [--fold] [--search TEXT] [--select LAYER] [--pills] [--at LAYER]: the graph in a window, coloured by
 * parameters. */
#include "engine/onnx/pare-onnx.h"
#include "widgets/pare-format.h"
#include "widgets/pare-graph-view.h"
#include "widgets/pare-minimap.h"
#include <adwaita.h>
#include <math.h>

static double scale;
static gboolean fold, fit, pills, no_infos;
static char *needle, *select_layer, *at_layer, *couple;
static int status;

static const GOptionEntry entries[] = { { "scale", 0, 0, G_OPTION_ARG_DOUBLE, &scale, "Zoom", "S" },
                                        { "fold", 0, 0, G_OPTION_ARG_NONE, &fold, "Fold every group", NULL },
                                        { "fit", 0, 0, G_OPTION_ARG_NONE, &fit, "Show the whole", NULL },
                                        { "pills", 0, 0, G_OPTION_ARG_NONE, &pills, "Decorate every layer", NULL },
                                        { "declared", 0, 0, G_OPTION_ARG_NONE, &no_infos, "Only shapes that the file declares", NULL },
                                        { "search", 0, 0, G_OPTION_ARG_STRING, &needle, "Search", "TEXT" },
                                        { "select", 0, 0, G_OPTION_ARG_STRING, &select_layer, "Select a layer", "LAYER" },
                                        { "couple", 0, 0, G_OPTION_ARG_STRING, &couple, "Couple it with", "LAYER" },
                                        { "at", 0, 0, G_OPTION_ARG_STRING, &at_layer, "Fly to a layer", "LAYER" },
                                        { NULL } };

static char *
format_params (double value, gpointer data)
{
  return pare_format_count ((gint64)value);
}

/* Once there is a layout and a size. */
static gboolean
apply_options (gpointer data)
{
  PareGraphView *view = data;
  PareGraphModel *model = pare_graph_view_get_model (view);
  if (model == NULL || gtk_widget_get_width (GTK_WIDGET (view)) == 0)
    return G_SOURCE_CONTINUE;
  g_print ("%u nodes drawn, %u edges, %u groups\n", model->n_shown, model->n_edges, model->n_groups);
  if (fold)
    pare_graph_view_fold_all (view, TRUE);
  if (fit)
    pare_graph_view_fit (view);
  if (scale > 0)
    pare_graph_view_zoom_to (view, scale);
  if (needle != NULL)
    g_print ("%u hits\n", pare_graph_view_search (view, needle));
  if (select_layer != NULL)
    {
      const char *layers[] = { select_layer, couple, NULL };
      pare_graph_view_set_selected (view, (const char *[]){ select_layer, NULL });
      if (couple != NULL)
        pare_graph_view_set_coupled (view, layers);
    }
  if (at_layer != NULL)
    pare_graph_view_fly_to (view, at_layer);
  return G_SOURCE_REMOVE;
}

static void
activate (GtkApplication *app, gpointer data)
{
  const char *path = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) graph = pare_onnx_load (path, NULL, &error);
  if (graph == NULL)
    {
      g_printerr ("%s\n", error->message);
      status = 1;
      return;
    }
  guint n_infos = 0;
  g_autoptr (PareGraph) concrete = no_infos ? NULL : pare_graph_canonicalize (graph, NULL, 0, NULL, &error);
  if (error != NULL)
    g_printerr ("%s\n", error->message);
  g_autofree PareLayerInfo *infos = pare_graph_layer_infos (graph, concrete, &n_infos);
  g_autoptr (GHashTable) values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  double most = 1;
  for (guint i = 0; i < n_infos; i++)
    {
      double v = (double)infos[i].params;
      if (v > 0)
        g_hash_table_insert (values, g_strdup (graph->nodes[infos[i].node].layer), g_memdup2 (&v, sizeof v));
      most = MAX (most, v);
    }
  GtkWidget *window = adw_application_window_new (app), *view = pare_graph_view_new (), *overlay = gtk_overlay_new ();
  GtkWidget *map = pare_minimap_new (PARE_GRAPH_VIEW (view));
  gtk_widget_set_halign (map, GTK_ALIGN_END);
  gtk_widget_set_valign (map, GTK_ALIGN_END);
  gtk_widget_set_margin_end (map, 8);
  gtk_widget_set_margin_bottom (map, 8);
  gtk_overlay_set_child (GTK_OVERLAY (overlay), view);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), map);
  adw_application_window_set_content (ADW_APPLICATION_WINDOW (window), overlay);
  gtk_window_set_default_size (GTK_WINDOW (window), 800, 700);
  gtk_window_set_title (GTK_WINDOW (window), "Graph");
  pare_graph_view_set_insets (PARE_GRAPH_VIEW (view), 0, 0, 106, 0);
  pare_graph_view_set_metric (PARE_GRAPH_VIEW (view), "parameters", values, format_params, NULL, NULL, 0, most, PARE_METRIC_SUM);
  for (guint i = 0; i < n_infos && pills; i++)
    if (infos[i].params > 0)
      pare_graph_view_set_decorations (PARE_GRAPH_VIEW (view), graph->nodes[infos[i].node].layer,
                                       (const char *[]){ "4·8", "−12 % ch", NULL }, 0.11, "64×8×8", "56×8×8", PARE_GRAPH_CHANGED);
  pare_graph_view_set_graph (PARE_GRAPH_VIEW (view), graph, infos, n_infos);
  gtk_window_present (GTK_WINDOW (window));
  g_timeout_add (1500, apply_options, view);
  gtk_widget_grab_focus (view);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new ("MODEL.onnx");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2)
    {
      g_printerr ("%s\n", error != NULL ? error->message : "demo-graph MODEL.onnx");
      return 2;
    }
  g_autoptr (AdwApplication) app = adw_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (app, "activate", G_CALLBACK (activate), argv[1]);
  int rc = g_application_run (G_APPLICATION (app), 1, argv);
  return rc != 0 ? rc : status;
}
