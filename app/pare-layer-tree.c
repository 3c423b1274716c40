#include "app/pare-layer-tree.h"

#include <math.h>
#include <string.h>

/* --- which groups have a row --- */

typedef struct
{
  const PareGraphModel *model;
  guint *rows;      /* of each group, at any depth */
  guint all;        /* rows of layers */
  gint32 *standing; /* the group itself or the next one around it that has a row; -1: none; -2: not asked yet */
} Plan;

static gint32
standing (Plan *plan, gint32 group)
{
  if (group < 0)
    return -1;
  if (plan->standing[group] != -2)
    return plan->standing[group];
  gint32 around = standing (plan, plan->model->groups[group].parent);
  guint least = around >= 0 ? 3 : 2;
  gboolean same = plan->rows[group] == (around >= 0 ? plan->rows[around] : plan->all); /* a group around everything says nothing */
  return plan->standing[group] = plan->rows[group] >= least && !same ? group : around;
}

/* --- titles inside groups --- */

/* How many bytes of a name, up to and with a slash, it has in common with another one. */
static guint
common_scope (const char *a, const char *b, guint most)
{
  guint end = 0;
  for (guint i = 0; i < most && a[i] == b[i] && a[i] != '\0'; i++)
    end = a[i] == '/' ? i + 1 : end;
  return end;
}

/* Layers of a group leave out the scope that all of them share: it stands in the group's title. */
static void
shorten_titles (PareLayerTree *self)
{
  for (guint g = self->groups->len; g-- > 0;)
    {
      PareLayerItem *group = g_ptr_array_index (self->groups, g);
      const char *first = ((PareLayerItem *)g_ptr_array_index (self->layers, group->first))->title;
      const char *slash = strrchr (first, '/');
      guint shared = slash != NULL ? (guint)(slash - first) + 1 : 0;
      for (guint i = 1; i < group->n_layers && shared > 0; i++)
        shared = common_scope (first, ((PareLayerItem *)g_ptr_array_index (self->layers, group->first + i))->title, shared);
      for (guint i = 0; i < group->n_layers && shared > 0; i++)
        {
          char *title = ((PareLayerItem *)g_ptr_array_index (self->layers, group->first + i))->title;
          memmove (title, title + shared, strlen (title + shared) + 1);
        }
    }
}

/* --- making --- */

static PareLayerItem *
group_row (PareLayerTree *self, const PareGraphModel *model, Plan *plan, PareLayerItem **made, gint32 group)
{
  if (made[group] != NULL)
    return made[group];
  const PareShownGroup *g = &model->groups[group];
  made[group] = pare_layer_item_new_group (g->path, g->title, g->summary);
  gint32 around = standing (plan, g->parent);
  made[group]->parent = around >= 0 ? group_row (self, model, plan, made, around) : NULL;
  g_ptr_array_add (made[group]->parent != NULL ? made[group]->parent->children : self->roots, made[group]);
  return made[group];
}

/* Numbers the layers as they stand unfolded; without recursion over layers, over groups only as deep as they nest. */
static void
number (PareLayerTree *self, GPtrArray *rows)
{
  for (guint i = 0; i < rows->len; i++)
    {
      PareLayerItem *item = g_ptr_array_index (rows, i);
      item->first = self->layers->len;
      if (item->children == NULL)
        {
          g_ptr_array_add (self->layers, item);
          continue;
        }
      number (self, item->children);
      item->n_layers = self->layers->len - item->first;
      item->position = item->n_layers > 0 ? ((PareLayerItem *)g_ptr_array_index (self->layers, item->first))->position : 0;
      g_ptr_array_add (self->groups, item);
    }
}

PareLayerTree *
pare_layer_tree_new (PareSession *session, const PareGraphModel *model)
{
  PareLayerTree *self = g_new0 (PareLayerTree, 1);
  self->roots = g_ptr_array_new_with_free_func (g_object_unref);
  self->layers = g_ptr_array_new ();
  self->groups = g_ptr_array_new ();
  self->by_layer = g_hash_table_new (g_str_hash, g_str_equal);
  guint n = 0, n_groups = model != NULL ? model->n_groups : 0;
  const PareLayerInfo *infos = pare_session_get_layer_infos (session, &n);
  const PareGraph *graph = pare_session_get_graph (session);
  if (graph == NULL)
    return self;

  g_autoptr (GPtrArray) items = g_ptr_array_new ();
  g_autoptr (GArray) inside = g_array_new (FALSE, FALSE, sizeof (gint32));
  g_autofree guint *rows = g_new0 (guint, n_groups + 1);
  g_autofree gint32 *stands = g_new (gint32, n_groups + 1);
  for (guint g = 0; g <= n_groups; g++)
    stands[g] = -2;
  Plan plan = { model, rows, 0, stands };
  for (guint i = 0; i < n; i++)
    if (infos[i].params > 0 && (infos[i].macs > 0 || pare_layer_is_compressible (graph, infos[i].node, NULL)))
      {
        PareLayerItem *item = pare_layer_item_new (session, &infos[i], i);
        guint32 shown = model != NULL ? pare_graph_model_find (model, item->name) : PARE_NONE;
        gint32 group = shown != PARE_NONE ? model->shown[shown].group : -1;
        g_ptr_array_add (items, item);
        g_array_append_val (inside, group);
        g_hash_table_insert (self->by_layer, item->name, item);
        for (; group >= 0; group = model->groups[group].parent)
          rows[group]++;
      }
  plan.all = items->len;
  g_autofree PareLayerItem **made = g_new0 (PareLayerItem *, n_groups + 1);
  for (guint i = 0; i < items->len; i++)
    {
      PareLayerItem *item = g_ptr_array_index (items, i);
      gint32 group = standing (&plan, g_array_index (inside, gint32, i));
      item->parent = group >= 0 ? group_row (self, model, &plan, made, group) : NULL;
      g_ptr_array_add (item->parent != NULL ? item->parent->children : self->roots, item);
    }
  number (self, self->roots);
  shorten_titles (self);
  if (model != NULL)
    {
      g_autofree gboolean *folded = pare_graph_model_default_folds (model);
      for (guint g = 0; g < n_groups; g++)
        if (made[g] != NULL)
          made[g]->open = made[g]->open_first = !folded[g];
    }
  self->n_matches = self->layers->len;
  pare_layer_tree_refresh (self, session);
  return self;
}

void
pare_layer_tree_free (PareLayerTree *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < self->layers->len; i++) /* cells may hold rows a little longer */
    ((PareLayerItem *)g_ptr_array_index (self->layers, i))->parent = NULL;
  for (guint g = 0; g < self->groups->len; g++)
    ((PareLayerItem *)g_ptr_array_index (self->groups, g))->parent = NULL;
  g_hash_table_unref (self->by_layer);
  g_ptr_array_unref (self->layers);
  g_ptr_array_unref (self->groups);
  g_ptr_array_unref (self->roots);
  g_free (self);
}

/* --- figures --- */

void
pare_layer_tree_refresh (PareLayerTree *self, PareSession *session)
{
  if (pare_session_get_recipe (session) == NULL)
    return;
  PareOrigin origin = PARE_ORIGIN_NONE;
  g_autoptr (PareProfile) profile = pare_session_dup_profile (session, NULL, &origin, NULL);
  g_autoptr (GHashTable) measured = g_hash_table_new (g_direct_hash, g_direct_equal);
  for (guint i = 0; profile != NULL && i < profile->n_rows; i++)
    g_hash_table_insert (measured, GUINT_TO_POINTER (profile->rows[i].layer), &profile->rows[i]);
  self->stale = origin == PARE_ORIGIN_STALE;
  self->most_error = 0.05; /* below that the colours stay pale: no layer looks bad only because the others are perfect */
  self->most_ms = self->most_share = self->most_rate = 0;
  self->largest = 0;
  for (guint i = 0; i < self->layers->len; i++)
    {
      PareLayerItem *item = g_ptr_array_index (self->layers, i);
      pare_layer_item_refresh (item, session, g_hash_table_lookup (measured, GUINT_TO_POINTER (item->node)));
      self->most_error = isnan (item->error) ? self->most_error : MAX (self->most_error, sqrt (item->error));
      self->most_ms = fmax (self->most_ms, item->ms); /* NAN loses */
      self->most_share = fmax (self->most_share, item->share);
      self->most_rate = fmax (self->most_rate, item->rate);
      self->largest = MAX (self->largest, item->original);
    }
  for (guint g = 0; g < self->groups->len; g++)
    {
      PareLayerItem *item = g_ptr_array_index (self->groups, g);
      pare_layer_item_sum (item, self->layers);
      self->largest = MAX (self->largest, item->original);
    }
  for (guint i = 0; i < self->layers->len; i++) /* now that the scales are known */
    pare_layer_item_emit_changed (g_ptr_array_index (self->layers, i));
  for (guint g = 0; g < self->groups->len; g++)
    pare_layer_item_emit_changed (g_ptr_array_index (self->groups, g));
}

/* --- search --- */

void
pare_layer_tree_search (PareLayerTree *self, const char *text)
{
  gboolean all = text == NULL || *text == '\0';
  g_autofree char *wanted = all ? NULL : g_utf8_casefold (text, -1);
  for (guint i = 0; i < self->layers->len; i++)
    {
      PareLayerItem *item = g_ptr_array_index (self->layers, i);
      item->matches = all || strstr (item->folded, wanted) != NULL;
    }
  for (guint g = 0; g < self->groups->len && !all; g++)
    {
      PareLayerItem *item = g_ptr_array_index (self->groups, g);
      if (strstr (item->folded, wanted) != NULL)
        for (guint i = 0; i < item->n_layers; i++)
          ((PareLayerItem *)g_ptr_array_index (self->layers, item->first + i))->matches = TRUE;
    }
  self->n_matches = 0;
  for (guint g = 0; g < self->groups->len; g++)
    ((PareLayerItem *)g_ptr_array_index (self->groups, g))->matches = FALSE;
  for (guint i = 0; i < self->layers->len; i++)
    {
      PareLayerItem *item = g_ptr_array_index (self->layers, i);
      self->n_matches += item->matches;
      for (PareLayerItem *p = item->parent; item->matches && p != NULL && !p->matches; p = p->parent)
        p->matches = TRUE;
    }
}

/* --- selection --- */

gboolean
pare_layer_tree_is_selected (const PareLayerItem *item)
{
  return item->n_layers > 0 && item->n_selected == item->n_layers;
}

static void
mark_layer (PareLayerTree *self, PareLayerItem *layer, gboolean selected)
{
  if ((layer->n_selected > 0) == selected)
    return;
  for (PareLayerItem *p = layer; p != NULL; p = p->parent)
    p->n_selected = selected ? p->n_selected + 1 : p->n_selected - 1;
  self->n_selected = selected ? self->n_selected + 1 : self->n_selected - 1;
}

void
pare_layer_tree_mark (PareLayerTree *self, PareLayerItem *item, gboolean selected)
{
  for (guint i = 0; i < item->n_layers; i++)
    mark_layer (self, g_ptr_array_index (self->layers, item->first + i), selected);
}

void
pare_layer_tree_select (PareLayerTree *self, const char *const *layers)
{
  for (guint i = 0; i < self->layers->len; i++)
    ((PareLayerItem *)g_ptr_array_index (self->layers, i))->n_selected = 0;
  for (guint g = 0; g < self->groups->len; g++)
    ((PareLayerItem *)g_ptr_array_index (self->groups, g))->n_selected = 0;
  self->n_selected = 0;
  for (guint i = 0; layers != NULL && layers[i] != NULL; i++)
    {
      PareLayerItem *layer = g_hash_table_lookup (self->by_layer, layers[i]);
      if (layer != NULL)
        mark_layer (self, layer, TRUE);
    }
}

const char **
pare_layer_tree_dup_selected (const PareLayerTree *self)
{
  GPtrArray *names = g_ptr_array_new ();
  for (guint i = 0; i < self->layers->len; i++)
    {
      const PareLayerItem *layer = g_ptr_array_index (self->layers, i);
      if (layer->n_selected > 0)
        g_ptr_array_add (names, layer->name);
    }
  g_ptr_array_add (names, NULL);
  return (const char **)g_ptr_array_free (names, FALSE);
}

/* --- folds --- */

/* One line for each group that was folded (-) or unfolded (+) by hand, with its path, escaped. */
char *
pare_layer_tree_dup_folds (const PareLayerTree *self)
{
  GString *text = g_string_new (NULL);
  for (guint g = 0; g < self->groups->len; g++)
    {
      const PareLayerItem *item = g_ptr_array_index (self->groups, g);
      if (!item->open == !item->open_first)
        continue;
      g_autofree char *path = g_uri_escape_string (item->name, "/ ", TRUE);
      g_string_append_printf (text, "%c%s\n", item->open ? '+' : '-', path);
    }
  return g_string_free (text, text->len == 0);
}

void
pare_layer_tree_set_folds (PareLayerTree *self, const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text != NULL ? text : "", "\n", -1);
  g_autoptr (GHashTable) known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *path = *lines[i] == '+' || *lines[i] == '-' ? g_uri_unescape_string (lines[i] + 1, NULL) : NULL;
      if (path != NULL)
        g_hash_table_insert (known, path, GINT_TO_POINTER (*lines[i]));
    }
  for (guint g = 0; g < self->groups->len; g++)
    {
      PareLayerItem *item = g_ptr_array_index (self->groups, g);
      gpointer sign = g_hash_table_lookup (known, item->name);
      item->open = sign != NULL ? GPOINTER_TO_INT (sign) == '+' : item->open_first;
    }
}
