/* The lower half of the compare view: layers that two recipes treat differently or that take another time since. A layer that another one
 * computes on the way has no time of its own. */
#include "app/pare-compare-layers.h"
#include "widgets/pare-delta-cell.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

#define MOST_LAYERS 80
/* A layer that is treated alike is shown where its time changed by so much of the whole. */
#define WORTH_SHOWING 0.02

enum
{
  COLUMN_LAYER,
  COLUMN_A,
  COLUMN_B,
  COLUMN_A_MS,
  COLUMN_B_MS,
  COLUMN_RATIO,
  COLUMN_DELTA,
  N_COLUMNS
};

typedef struct
{
  const PareGraph *graph;
  PareProfile *times; /* of B, with A's as the original's; NULL: one of them is not measured by layer */
  double spread;
  double most; /* ms: the longest bar */
  GtkGrid *grid;
  int line;
} Table;

GtkWidget *
pare_compare_cell (const char *text, const char *css, gboolean number)
{
  GtkWidget *w = gtk_label_new (text);
  gtk_label_set_xalign (GTK_LABEL (w), number ? 1 : 0);
  if (!number)
    gtk_label_set_ellipsize (GTK_LABEL (w), PANGO_ELLIPSIZE_END);
  gtk_widget_add_css_class (w, "pare-caption");
  gtk_widget_set_size_request (w, -1, 22);
  if (css != NULL)
    gtk_widget_add_css_class (w, css);
  return w;
}

static void
put (Table *t, int column, int columns, const char *text, const char *css, const char *tip)
{
  GtkWidget *w = pare_compare_cell (text, css, column >= COLUMN_A_MS);
  if (tip != NULL)
    gtk_widget_set_tooltip_text (w, tip);
  gtk_grid_attach (t->grid, w, column, t->line, columns, 1);
}

/* --- times --- */

static gboolean
is_known (const PareProfileRow *row)
{
  return row != NULL && isfinite (row->ms) && isfinite (row->original_ms);
}

static gboolean
changed (const Table *t, const PareProfileRow *row)
{
  return is_known (row) && fabs (row->ms - row->original_ms) > t->spread * row->original_ms
         && fabs (row->ms - row->original_ms) > WORTH_SHOWING * t->times->original_ms;
}

/* A, B, their ratio and their difference; a difference within what the runs spread is neither gain nor loss. */
static void
put_times (Table *t, double a, double b, const char *why_not, gboolean bold)
{
  const char *css = bold ? "pare-bold" : NULL;
  g_autofree char *ta = isfinite (a) ? pare_format_number (a, 3) : g_strdup (_ ("N/A")),
                  *tb = isfinite (b) ? pare_format_number (b, 3) : g_strdup (_ ("N/A"));
  put (t, COLUMN_A_MS, 1, ta, isfinite (a) ? css : "pare-second", isfinite (a) ? NULL : why_not);
  put (t, COLUMN_B_MS, 1, tb, isfinite (b) ? css : "pare-second", isfinite (b) ? NULL : why_not);
  if (!isfinite (a) || !isfinite (b) || a <= 0)
    return;
  gboolean noise = fabs (b - a) <= t->spread * a;
  g_autofree char *number = pare_format_number (b / a, 2), *ratio = g_strdup_printf ("%s×", number),
                  *spread = pare_format_percent (t->spread, 0),
                  *tip = noise ? g_strdup_printf (_ ("Within the spread of the runs, %s: neither gain nor loss"), spread) : NULL;
  put (t, COLUMN_RATIO, 1, ratio, noise ? "pare-second" : b < a ? "pare-better" : "pare-worse", tip);
  GtkWidget *bar = pare_delta_cell_new ();
  pare_delta_cell_set_noise (PARE_DELTA_CELL (bar), t->spread * a);
  pare_delta_cell_set (PARE_DELTA_CELL (bar), b - a, t->most, 3, FALSE, _ ("milliseconds"));
  gtk_widget_set_tooltip_text (bar, tip);
  gtk_widget_set_size_request (bar, 110, 22);
  gtk_grid_attach (t->grid, bar, COLUMN_DELTA, t->line, 1, 1);
}

static void
put_layer_times (Table *t, const PareProfileRow *row)
{
  if (t->times == NULL)
    return;
  g_autofree char *why = row != NULL && row->inside != PARE_NONE
                             ? g_strdup_printf (_ ("Fused away: “%s” computes it"), t->graph->nodes[row->inside].layer)
                             : g_strdup (_ ("Fused away or nothing to do: no time of its own"));
  put_times (t, row != NULL ? row->original_ms : NAN, row != NULL ? row->ms : NAN, why, FALSE);
}

/* --- the table --- */

static void
put_heads (Table *t, int line)
{
  static const char *const heads[N_COLUMNS] = { N_ ("Layer"), "A", "B", N_ ("A, ms"), N_ ("B, ms"), N_ ("B / A"), N_ ("Time, ms") };
  int back = t->line;
  t->line = line;
  for (int c = 0; c < (t->times != NULL ? N_COLUMNS : COLUMN_A_MS); c++)
    put (t, c, 1, _ (heads[c]), "pare-second", NULL);
  t->line = back;
}

static void
put_layer (Table *t, const char *layer, const PareLayerRecipe *a, const PareLayerRecipe *b, const PareProfileRow *row)
{
  gboolean alike = pare_layer_recipe_equal (a, b);
  g_autofree char *ta = pare_layer_recipe_shorthand (a), *tb = pare_layer_recipe_shorthand (b), *wa = pare_layer_recipe_words (a),
                  *wb = pare_layer_recipe_words (b);
  put (t, COLUMN_LAYER, 1, layer, NULL, layer);
  put (t, COLUMN_A, 1, ta, "pare-second", wa);
  put (t, COLUMN_B, 1, alike ? _ ("the same") : tb, alike ? "pare-second" : "pare-bold", wb);
  put_layer_times (t, row);
  t->line++;
}

/* What the rows above leave, and the sum. */
static void
put_rest (Table *t, const char *rest, double shown_a, double shown_b)
{
  put (t, COLUMN_LAYER, COLUMN_A_MS, rest, "pare-second", NULL);
  if (t->times != NULL)
    put_times (t, t->times->original_ms - shown_a, t->times->layers_ms - shown_b, NULL, FALSE);
  t->line++;
  if (t->times == NULL)
    return;
  put (t, COLUMN_LAYER, COLUMN_A_MS, _ ("All layers, B against A"), "pare-bold", NULL);
  put_times (t, t->times->original_ms, t->times->layers_ms, NULL, TRUE);
  t->line++;
}

GtkWidget *
pare_compare_layers_new (PareSession *session, const PareEntry *a, const PareEntry *b)
{
  Table t = { .graph = pare_session_get_graph (session), .grid = GTK_GRID (gtk_grid_new ()) };
  guint n = 0, different = 0, same = 0, shown = 0;
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  gtk_grid_set_column_spacing (t.grid, 12);
  gtk_grid_set_row_spacing (t.grid, 2);
  if (t.graph == NULL || a->recipe == NULL || b->recipe == NULL)
    return GTK_WIDGET (t.grid);
  const PareLatency *was = pare_session_get_entry_latency (session, a->id), *now = pare_session_get_entry_latency (session, b->id);
  if (was != NULL && now != NULL && was->n_layers > 0 && now->n_layers > 0)
    t.times = pare_profile_new (t.graph, now, was, NULL);
  t.spread = pare_latency_spread (was, now);
  g_autofree const PareProfileRow **row_of = g_new0 (const PareProfileRow *, t.graph->n_nodes);
  for (guint r = 0; t.times != NULL && r < t.times->n_rows; r++)
    {
      const PareProfileRow *row = &t.times->rows[r];
      if (row->layer < t.graph->n_nodes)
        row_of[row->layer] = row;
      if (is_known (row))
        t.most = fmax (t.most, fabs (row->ms - row->original_ms));
    }
  if (t.times != NULL)
    t.most = fmax (t.most, fabs (t.times->layers_ms - t.times->original_ms));
  int head = t.line++;
  double shown_a = 0, shown_b = 0;
  for (guint i = 0; i < n; i++)
    {
      const char *layer = t.graph->nodes[infos[i].node].layer;
      const PareProfileRow *row = row_of[infos[i].node];
      PareLayerRecipe ra, rb;
      gboolean compressible = pare_layer_is_compressible (t.graph, infos[i].node, NULL), alike;
      pare_recipe_resolve (a->recipe, layer, &ra);
      pare_recipe_resolve (b->recipe, layer, &rb);
      alike = !compressible || pare_layer_recipe_equal (&ra, &rb);
      different += !alike;
      same += compressible && alike;
      if ((alike && !changed (&t, row)) || shown >= MOST_LAYERS)
        continue;
      shown++;
      shown_a += row != NULL && isfinite (row->original_ms) ? row->original_ms : 0;
      shown_b += row != NULL && isfinite (row->ms) ? row->ms : 0;
      put_layer (&t, layer, &ra, alike ? &ra : &rb, row);
    }
  if (shown > 0 || t.times != NULL)
    put_heads (&t, head);
  g_autofree char *rest = shown >= MOST_LAYERS
                              ? g_strdup_printf (_ ("%u of %u that differ are shown, %u are the same"), shown, different, same)
                          : different == 0 ? g_strdup (_ ("Both treat every layer alike"))
                                           : g_strdup_printf (_ ("%u others: the same"), same);
  put_rest (&t, rest, shown_a, shown_b);
  if (t.times == NULL)
    put (&t, COLUMN_LAYER, COLUMN_A_MS, _ ("Times by layer: measure both recipes here (go to each, Ctrl+R)"), "pare-second", NULL);
  gtk_widget_set_hexpand (gtk_grid_get_child_at (t.grid, COLUMN_LAYER, t.line - 1), TRUE);
  g_clear_pointer (&t.times, pare_profile_free);
  return GTK_WIDGET (t.grid);
}
