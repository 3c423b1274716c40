/* The inspector's widgets, and what each does when it is touched. */
#include "app/pare-drop-down.h"
#include "app/pare-inspector-private.h"
#include "app/pare-layer-edit.h"
#include "engine/compress/pare-recipe-moves.h"

#include <glib/gi18n.h>
#include <math.h>

/* --- edits --- */

static void
edit (PareInspector *self, const PareLayerRecipe *change, char *what /* taken */, gboolean final)
{
  if (self->drag == 0)
    self->drag = 1;
  pare_layer_edit (self->session, self->selection, change, what, self->drag);
  if (final)
    self->drag++;
  g_free (what);
}

static PareLayerRecipe
unset (void)
{
  PareLayerRecipe change;
  pare_layer_recipe_init (&change);
  return change;
}

static void
on_weight_bits (PareBitsKnob *knob, int bits, gboolean final, PareInspector *self)
{
  PareLayerRecipe change = unset ();
  change.weight_bits = bits;
  edit (self, &change, bits == PARE_BITS_FLOAT ? g_strdup (_ ("float")) : g_strdup_printf (_ ("%d bits"), bits), TRUE);
}

static void
on_activation_bits (PareBitsKnob *knob, int bits, gboolean final, PareInspector *self)
{
  PareLayerRecipe change = unset ();
  change.activation_bits = bits;
  edit (self, &change, bits == PARE_BITS_FLOAT ? g_strdup (_ ("activations float")) : g_strdup_printf (_ ("activations %d bits"), bits),
        TRUE);
}

static void
on_weight_bits_preview (PareBitsKnob *knob, int bits, PareInspector *self)
{
  PareLayerRecipe change = unset ();
  change.weight_bits = bits;
  pare_inspector_preview (self, bits > 0 ? &change : NULL);
}

static void
on_activation_bits_preview (PareBitsKnob *knob, int bits, PareInspector *self)
{
  PareLayerRecipe change = unset ();
  change.activation_bits = bits;
  pare_inspector_preview (self, bits > 0 ? &change : NULL);
}

static void
on_granularity (GtkDropDown *drop, GParamSpec *pspec, PareInspector *self)
{
  if (self->updating)
    return;
  PareLayerRecipe change = unset ();
  change.granularity = gtk_drop_down_get_selected (drop) == 1 ? PARE_GRANULARITY_TENSOR : PARE_GRANULARITY_CHANNEL;
  edit (self, &change, g_strdup (change.granularity == PARE_GRANULARITY_TENSOR ? _ ("one scale") : _ ("a scale per channel")), TRUE);
}

static void
on_range (GtkDropDown *drop, GParamSpec *pspec, PareInspector *self)
{
  guint i = gtk_drop_down_get_selected (drop);
  if (self->updating || i == 0)
    return;
  PareLayerRecipe change = unset ();
  change.range = i == 1 ? PARE_RANGE_MAX : PARE_RANGE_MSE;
  edit (self, &change, g_strdup (i == 1 ? _ ("range by maximum") : _ ("range by error")), TRUE);
}

static void
on_calibrator (GtkDropDown *drop, GParamSpec *pspec, PareInspector *self)
{
  guint i = gtk_drop_down_get_selected (drop);
  if (self->updating || i == 0)
    return;
  static const char *const names[] = { "", N_ ("min-max range"), N_ ("percentile range"), N_ ("MSE range"), N_ ("entropy range") };
  PareLayerRecipe change = unset ();
  change.calibrator = (PareCalibrator)i;
  edit (self, &change, g_strdup (_ (names[i])), TRUE);
}

static void
on_prune_kind (GtkDropDown *drop, GParamSpec *pspec, PareInspector *self)
{
  if (self->updating)
    return;
  static const ParePrune kinds[] = { PARE_PRUNE_OFF, PARE_PRUNE_UNSTRUCTURED, PARE_PRUNE_N_M, PARE_PRUNE_CHANNELS };
  static const char *const names[] = { N_ ("no pruning"), N_ ("prune single weights"), N_ ("prune 2:4"), N_ ("prune channels") };
  guint i = MIN (gtk_drop_down_get_selected (drop), 3);
  PareLayerRecipe change = pare_prune_move (kinds[i], pare_curve_knob_get_value (self->prune_ratio));
  edit (self, &change, g_strdup (_ (names[i])), TRUE);
}

static void
on_prune_ratio (PareCurveKnob *knob, double value, gboolean final, PareInspector *self)
{
  PareLayerRecipe change = unset ();
  change.prune_ratio = value;
  edit (self, &change, g_strdup_printf (_ ("prune %.1f %%"), 100 * value), final);
}

static void
on_prune_ratio_preview (PareCurveKnob *knob, double value, PareInspector *self)
{
  PareLayerRecipe change = unset ();
  change.prune_ratio = value;
  pare_inspector_preview (self, isfinite (value) ? &change : NULL);
}

static void
edit_rank (PareInspector *self, int rank, gboolean final)
{
  PareLayerRecipe change = unset ();
  if (rank <= 0 || self->study == NULL)
    change.factorize = PARE_FACTORIZE_OFF;
  else
    {
      change.factorize = self->study->spectrum_method;
      change.rank = rank;
    }
  edit (self, &change, rank > 0 ? g_strdup_printf (_ ("rank %d"), rank) : g_strdup (_ ("whole")), final);
}

static void
on_rank (PareSpectrumKnob *knob, int rank, gboolean final, PareInspector *self)
{
  edit_rank (self, rank, final);
}

static void
on_rank_preview (PareSpectrumKnob *knob, int rank, PareInspector *self)
{
  PareLayerRecipe change = unset ();
  change.factorize = self->study != NULL ? self->study->spectrum_method : PARE_FACTORIZE_OFF;
  change.rank = rank;
  pare_inspector_preview (self, rank > 0 && self->study != NULL ? &change : NULL);
}

static void
on_factorize (GtkDropDown *drop, GParamSpec *pspec, PareInspector *self)
{
  if (self->updating || self->study == NULL)
    return;
  int half = (int)MAX (1, self->study->max_rank / 2);
  edit_rank (self, gtk_drop_down_get_selected (drop) == 1 ? half : 0, TRUE);
}

static void
on_share (GtkDropDown *drop, GParamSpec *pspec, PareInspector *self)
{
  if (self->updating)
    return;
  guint i = MIN (gtk_drop_down_get_selected (drop), PARE_N_CENTROIDS);
  int n = i > 0 ? pare_centroids[i - 1] : 0;
  PareLayerRecipe change = unset ();
  change.centroids = n > 0 ? n : -1;
  edit (self, &change, n > 0 ? g_strdup_printf (_ ("%d shared weights"), n) : g_strdup (_ ("own weights")), TRUE);
}

static void
on_reset (GtkButton *button, PareInspector *self)
{
  pare_layer_edit_reset (self->session, self->selection);
}

/* --- widgets --- */

static GtkLabel *
label (const char *text, const char *css)
{
  GtkWidget *w = gtk_label_new (text);
  gtk_label_set_xalign (GTK_LABEL (w), 0);
  gtk_label_set_ellipsize (GTK_LABEL (w), PANGO_ELLIPSIZE_END);
  g_auto (GStrv) list = g_strsplit (css, " ", -1);
  for (guint i = 0; list[i] != NULL && *list[i] != '\0'; i++)
    gtk_widget_add_css_class (w, list[i]);
  return GTK_LABEL (w);
}

static GtkDropDown *
drop_down (const char *const *strings, const char *name, GCallback callback, PareInspector *self)
{
  GtkWidget *w = pare_drop_down_new (strings, name);
  g_signal_connect (w, "notify::selected", callback, self);
  return GTK_DROP_DOWN (w);
}

/* A row: bold title, then widgets; the last one at the right end. */
static GtkWidget *
row (const char *title, GtkWidget *beside, GtkWidget *right)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *space = gtk_label_new (NULL);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (label (title, "pare-section")));
  if (beside != NULL)
    gtk_box_append (GTK_BOX (box), beside);
  gtk_widget_set_hexpand (space, TRUE);
  gtk_box_append (GTK_BOX (box), space);
  if (right != NULL)
    gtk_box_append (GTK_BOX (box), right);
  return box;
}

static GtkWidget *
figure (const char *title, GtkLabel **head, GtkLabel **value, GtkLabel **note)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkLabel *name = label (title, "pare-tiny pare-second");
  if (head != NULL)
    *head = name;
  *value = label ("", "pare-figure");
  *note = label ("", "pare-tiny pare-second");
  gtk_widget_set_hexpand (box, TRUE);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (name));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (*value));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (*note));
  return box;
}

static GtkWidget *
build_head (PareInspector *self)
{
  GtkWidget *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *names = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0),
            *reset = gtk_button_new_from_icon_name ("edit-undo-symbolic");
  self->swatch = pare_op_dot_new ();
  gtk_widget_set_size_request (self->swatch, 12, 36);
  self->title = label ("", "pare-bold");
  self->detail = label ("", "pare-tiny pare-second");
  gtk_label_set_ellipsize (self->title, PANGO_ELLIPSIZE_MIDDLE);
  gtk_widget_set_hexpand (names, TRUE);
  gtk_box_append (GTK_BOX (names), GTK_WIDGET (self->title));
  gtk_box_append (GTK_BOX (names), GTK_WIDGET (self->detail));
  gtk_widget_add_css_class (reset, "pare-dense");
  gtk_widget_set_valign (reset, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (reset, _ ("Back to the defaults (Delete)"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (reset), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Back to the defaults"), -1);
  g_signal_connect (reset, "clicked", G_CALLBACK (on_reset), self);
  gtk_box_append (GTK_BOX (head), self->swatch);
  gtk_box_append (GTK_BOX (head), names);
  gtk_box_append (GTK_BOX (head), reset);
  return head;
}

static GtkWidget *
build_prune (PareInspector *self)
{
  static const char *const kinds[] = { N_ ("Off"), N_ ("Weights"), N_ ("2:4"), N_ ("Channels"), NULL };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  self->prune_ratio = PARE_CURVE_KNOB (pare_curve_knob_new (_ ("Pruning ratio")));
  self->prune_kind = drop_down (kinds, _ ("Pruning"), G_CALLBACK (on_prune_kind), self);
  g_signal_connect (self->prune_ratio, "changed", G_CALLBACK (on_prune_ratio), self);
  g_signal_connect (self->prune_ratio, "preview", G_CALLBACK (on_prune_ratio_preview), self);
  gtk_box_append (GTK_BOX (box), row (_ ("Prune"), GTK_WIDGET (self->prune_kind), pare_curve_knob_get_spin (self->prune_ratio)));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->prune_ratio));
  self->coupled = label ("", "pare-caption pare-hint");
  gtk_label_set_wrap (self->coupled, TRUE);
  gtk_label_set_ellipsize (self->coupled, PANGO_ELLIPSIZE_NONE);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->coupled));
  return box;
}

static GtkWidget *
build_rank (PareInspector *self)
{
  static const char *const choices[] = { N_ ("Off"), N_ ("SVD"), NULL };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  self->factorize = drop_down (choices, _ ("Factorize"), G_CALLBACK (on_factorize), self);
  self->rank = PARE_SPECTRUM_KNOB (pare_spectrum_knob_new (_ ("Rank")));
  self->rank_note = label ("", "pare-caption pare-second");
  g_signal_connect (self->rank, "changed", G_CALLBACK (on_rank), self);
  g_signal_connect (self->rank, "preview", G_CALLBACK (on_rank_preview), self);
  gtk_box_append (GTK_BOX (box), row (_ ("Factorize"), GTK_WIDGET (self->factorize), GTK_WIDGET (self->rank_note)));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->rank));
  return box;
}

static GtkWidget *
build_knobs (PareInspector *self)
{
  static const char *const granularities[] = { N_ ("Per channel"), N_ ("Per tensor"), NULL };
  static const char *const ranges[] = { N_ ("Auto range"), N_ ("Max range"), N_ ("MSE range"), NULL };
  static const char *const calibrators[] = { N_ ("Auto range"), N_ ("Min-max"), N_ ("Percentile"), N_ ("MSE range"), N_ ("Entropy"), NULL };
  static const char *const shares[] = { N_ ("Off"), "8", "16", "32", "64", "256", NULL };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8), *pair = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  self->layer_error = label ("", "pare-caption pare-second");
  self->weight_bits = PARE_BITS_KNOB (pare_bits_knob_new (_ ("Weight bits")));
  self->activation_bits = PARE_BITS_KNOB (pare_bits_knob_new (_ ("Activation bits")));
  g_signal_connect (self->weight_bits, "changed", G_CALLBACK (on_weight_bits), self);
  g_signal_connect (self->weight_bits, "preview", G_CALLBACK (on_weight_bits_preview), self);
  g_signal_connect (self->activation_bits, "changed", G_CALLBACK (on_activation_bits), self);
  g_signal_connect (self->activation_bits, "preview", G_CALLBACK (on_activation_bits_preview), self);
  self->granularity = drop_down (granularities, _ ("Scales of the weights"), G_CALLBACK (on_granularity), self);
  self->range = drop_down (ranges, _ ("Range of the weights"), G_CALLBACK (on_range), self);
  self->calibrator = drop_down (calibrators, _ ("Range of the activations"), G_CALLBACK (on_calibrator), self);
  gtk_box_set_homogeneous (GTK_BOX (pair), TRUE);
  gtk_box_append (GTK_BOX (pair), GTK_WIDGET (self->granularity));
  gtk_box_append (GTK_BOX (pair), GTK_WIDGET (self->range));
  gtk_box_append (GTK_BOX (box), row (_ ("Weight bits"), NULL, GTK_WIDGET (self->layer_error)));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->weight_bits));
  gtk_box_append (GTK_BOX (box), pair);
  gtk_box_append (GTK_BOX (box), row (_ ("Activation bits"), NULL, GTK_WIDGET (self->calibrator)));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->activation_bits));

  self->per_layer = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8);
  self->share = drop_down (shares, _ ("Shared weights"), G_CALLBACK (on_share), self);
  gtk_box_append (GTK_BOX (self->per_layer), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (self->per_layer), build_prune (self));
  gtk_box_append (GTK_BOX (self->per_layer), build_rank (self));
  gtk_box_append (GTK_BOX (self->per_layer),
                  row (_ ("Share weights"), GTK_WIDGET (self->share), GTK_WIDGET (label (_ ("storage only"), "pare-caption pare-second"))));
  gtk_box_append (GTK_BOX (box), self->per_layer);
  return box;
}

static GtkWidget *
build_histograms (PareInspector *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  self->histograms = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  self->weights = PARE_HISTOGRAM_VIEW (pare_histogram_view_new (_ ("Weights")));
  gtk_box_append (GTK_BOX (self->histograms), gtk_separator_new (GTK_ORIENTATION_HORIZONTAL));
  gtk_box_append (GTK_BOX (self->histograms),
                  row (_ ("Weights"), NULL, GTK_WIDGET (label (_ ("line: original, bars: now"), "pare-caption pare-second"))));
  gtk_box_append (GTK_BOX (self->histograms), GTK_WIDGET (self->weights));
  self->activations_box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  self->activations = PARE_HISTOGRAM_VIEW (pare_histogram_view_new (_ ("Input activations")));
  pare_histogram_view_set_plot_height (self->activations, 26);
  self->activations_note = label ("", "pare-caption pare-second");
  gtk_box_append (GTK_BOX (self->activations_box), row (_ ("Input activations"), NULL, GTK_WIDGET (self->activations_note)));
  gtk_box_append (GTK_BOX (self->activations_box), GTK_WIDGET (self->activations));
  gtk_box_append (GTK_BOX (box), self->histograms);
  gtk_box_append (GTK_BOX (box), self->activations_box);
  return box;
}

void
pare_inspector_build (PareInspector *self)
{
  GtkWidget *column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8), *card = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  gtk_widget_add_css_class (column, "pare-inspector");
  gtk_widget_add_css_class (card, "pare-card");
  gtk_box_set_homogeneous (GTK_BOX (card), TRUE);
  gtk_box_append (GTK_BOX (card), figure (_ ("Size, packed"), NULL, &self->size_value, &self->size_note));
  gtk_box_append (GTK_BOX (card), figure (_ ("Time here"), &self->time_title, &self->time_value, &self->time_note));
  gtk_box_append (GTK_BOX (card), figure (_ ("Error"), NULL, &self->error_value, &self->error_note));
  self->note = label ("", "pare-caption pare-warning");
  gtk_label_set_wrap (self->note, TRUE);
  self->knobs = build_knobs (self);
  self->details = gtk_expander_new (_ ("Attributes and tensors"));
  gtk_widget_add_css_class (self->details, "pare-caption");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->details), GTK_ACCESSIBLE_PROPERTY_LABEL, _ ("Attributes and tensors"), -1);
  gtk_box_append (GTK_BOX (column), build_head (self));
  gtk_box_append (GTK_BOX (column), card);
  gtk_box_append (GTK_BOX (column), GTK_WIDGET (self->note));
  gtk_box_append (GTK_BOX (column), self->knobs);
  gtk_box_append (GTK_BOX (column), build_histograms (self));
  gtk_box_append (GTK_BOX (column), self->details);
  self->box = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->box), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->box), column);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
}

/* --- attributes and tensors --- */

static char *
attribute_text (const PareAttr *a)
{
  g_autoptr (GString) s = g_string_new (NULL);
  switch (a->kind)
    {
    case PARE_ATTR_INT:
      g_string_printf (s, "%" G_GINT64_FORMAT, a->i);
      break;
    case PARE_ATTR_FLOAT:
      g_string_printf (s, "%g", a->f);
      break;
    case PARE_ATTR_STRING:
      {
        gsize n;
        const char *bytes = a->s != NULL ? g_bytes_get_data (a->s, &n) : NULL;
        g_autofree char *text = bytes != NULL ? g_utf8_make_valid (bytes, (gssize)MIN (n, 200)) : g_strdup ("");
        g_string_assign (s, text);
        break;
      }
    case PARE_ATTR_INTS:
      for (guint i = 0; i < MIN (a->n, 16); i++)
        g_string_append_printf (s, "%s%" G_GINT64_FORMAT, i > 0 ? ", " : "", a->ints[i]);
      break;
    case PARE_ATTR_FLOATS:
      for (guint i = 0; i < MIN (a->n, 16); i++)
        g_string_append_printf (s, "%s%g", i > 0 ? ", " : "", a->floats[i]);
      break;
    case PARE_ATTR_TENSOR:
      g_string_assign (s, _ ("tensor"));
      break;
    case PARE_ATTR_GRAPH:
      g_string_assign (s, _ ("graph"));
      break;
    default:
      g_string_assign (s, "…");
    }
  return g_string_free (g_steal_pointer (&s), FALSE);
}

static void
add_line (GtkWidget *grid, int line, const char *key, const char *value)
{
  GtkLabel *k = label (key, "pare-second"), *v = label (value, "");
  gtk_label_set_selectable (v, TRUE);
  gtk_widget_set_hexpand (GTK_WIDGET (v), TRUE);
  gtk_widget_set_tooltip_text (GTK_WIDGET (v), value);
  gtk_grid_attach (GTK_GRID (grid), GTK_WIDGET (k), 0, line, 1, 1);
  gtk_grid_attach (GTK_GRID (grid), GTK_WIDGET (v), 1, line, 1, 1);
}

void
pare_inspector_show_details (PareInspector *self)
{
  const PareGraph *graph = pare_session_get_graph (self->session);
  const char *layer = pare_selection_get_n (self->selection) == 1 ? pare_selection_get (self->selection)[0] : NULL;
  PareNodeId id = graph != NULL && layer != NULL ? pare_graph_find_layer (graph, layer) : PARE_NONE;
  gtk_widget_set_visible (self->details, id != PARE_NONE);
  if (id == PARE_NONE)
    return;
  const PareNode *node = &graph->nodes[id];
  GtkWidget *grid = gtk_grid_new ();
  int line = 0;
  gtk_grid_set_column_spacing (GTK_GRID (grid), 12);
  for (guint i = 0; i < node->n_attrs; i++)
    {
      g_autofree char *text = attribute_text (&node->attrs[i]);
      add_line (grid, line++, node->attrs[i].name, text);
    }
  for (guint pass = 0; pass < 2; pass++)
    for (guint i = 0; i < (pass == 0 ? node->n_inputs : node->n_outputs); i++)
      {
        PareValueId v = pass == 0 ? node->inputs[i] : node->outputs[i];
        if (v == PARE_NONE)
          continue;
        const PareValue *value = &graph->values[v];
        g_autofree char *shape = pare_shape_to_string (value->constant != NULL ? &value->constant->shape : &value->shape);
        g_autofree char *text = g_strdup_printf ("%s · %s %s", value->name,
                                                 pare_dtype_name (value->constant != NULL ? value->constant->dtype : value->dtype), shape);
        add_line (grid, line++, pass == 0 ? (value->constant != NULL ? _ ("constant") : _ ("input")) : _ ("output"), text);
      }
  gtk_expander_set_child (GTK_EXPANDER (self->details), grid);
}
