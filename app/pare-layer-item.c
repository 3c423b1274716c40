#include "app/pare-layer-item.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

G_DEFINE_FINAL_TYPE (PareLayerItem, pare_layer_item, G_TYPE_OBJECT)

static guint changed_signal;

static void
pare_layer_item_finalize (GObject *object)
{
  PareLayerItem *self = PARE_LAYER_ITEM (object);
  g_clear_pointer (&self->children, g_ptr_array_unref);
  g_clear_object ((GObject **)&self->store);
  g_free (self->name);
  g_free (self->title);
  g_free (self->op);
  g_free (self->folded);
  G_OBJECT_CLASS (pare_layer_item_parent_class)->finalize (object);
}

static void
pare_layer_item_class_init (PareLayerItemClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = pare_layer_item_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
pare_layer_item_init (PareLayerItem *self)
{
  self->shorthand = "";
  self->packed = self->original = -1;
  self->sparsity = self->error = self->ms = self->share = self->rate = NAN;
  self->matches = TRUE;
}

void
pare_layer_item_emit_changed (PareLayerItem *self)
{
  g_signal_emit (self, changed_signal, 0);
}

void
pare_layer_item_refresh (PareLayerItem *self, PareSession *session, const PareProfileRow *measured)
{
  const PareLayerCost *now = pare_session_get_layer_cost (session, self->name, FALSE),
                      *was = pare_session_get_layer_cost (session, self->name, TRUE);
  self->original = was != NULL ? was->packed_bytes : -1;
  self->packed = now != NULL ? now->packed_bytes : self->original;
  self->zeros = now != NULL ? (double)now->zeros : 0;
  self->counted = now != NULL ? (double)now->params : 0;
  self->sparsity = self->counted > 0 ? self->zeros / self->counted : NAN;
  self->ms = measured != NULL ? measured->ms : NAN;
  self->share = measured != NULL ? measured->share : NAN;
  self->rate = measured != NULL ? measured->gops : NAN;
  self->inside = measured != NULL && measured->inside != PARE_NONE ? pare_session_get_graph (session)->nodes[measured->inside].layer : NULL;
  self->integer = measured != NULL && measured->integer;
  self->work = isnan (self->rate) ? 0 : self->rate * self->ms;
  self->error = NAN;
  if (!self->compressible)
    return;
  PareLayerRecipe resolved;
  pare_recipe_resolve (pare_session_get_recipe (session), self->name, &resolved);
  if (*self->shorthand == '\0' || !pare_layer_recipe_equal (&resolved, &self->resolved))
    {
      g_autofree char *text = pare_layer_recipe_shorthand (&resolved);
      self->shorthand = g_intern_string (text);
      self->resolved = resolved;
    }
  self->error = pare_session_get_layer_error (session, self->name);
}

/* --- groups --- */

#define KINDS 12

typedef struct
{
  const char *shorthand[KINDS];
  guint count[KINDS], n, total, rest; /* rest: of the kinds that did not fit */
} Census;

static void
take_census (const PareLayerItem *self, const GPtrArray *layers, Census *c)
{
  *c = (Census){ 0 };
  for (guint i = self->first; i < self->first + self->n_layers && i < layers->len; i++)
    {
      const PareLayerItem *layer = g_ptr_array_index (layers, i);
      guint k = 0;
      if (!layer->compressible)
        continue;
      c->total++;
      while (k < c->n && c->shorthand[k] != layer->shorthand)
        k++;
      if (k == KINDS)
        {
          c->rest++;
          continue;
        }
      c->n += k == c->n;
      c->shorthand[k] = layer->shorthand;
      c->count[k]++;
    }
}

static double
join (double a, double b, gboolean worst)
{
  return isnan (a) ? b : isnan (b) ? a : worst ? fmax (a, b) : a + b;
}

void
pare_layer_item_sum (PareLayerItem *self, const GPtrArray *layers)
{
  self->packed = self->original = -1;
  self->params = self->macs = 0;
  self->zeros = self->counted = 0;
  self->error = self->ms = self->share = NAN;
  self->work = 0;
  double worked_ms = 0;
  gboolean floats = FALSE;
  for (guint i = 0; i < self->children->len; i++)
    {
      const PareLayerItem *c = g_ptr_array_index (self->children, i);
      self->packed = c->packed < 0 ? self->packed : MAX (self->packed, 0) + c->packed;
      self->original = c->original < 0 ? self->original : MAX (self->original, 0) + c->original;
      self->params += c->params;
      self->macs += c->macs;
      self->zeros += c->zeros;
      self->counted += c->counted;
      self->error = join (self->error, c->error, TRUE);
      self->ms = join (self->ms, c->ms, FALSE);
      self->share = join (self->share, c->share, FALSE);
      self->work += c->work;
      worked_ms += c->work > 0 ? c->work / c->rate : 0;
      floats |= c->work > 0 && !c->integer;
    }
  self->sparsity = self->counted > 0 ? self->zeros / self->counted : NAN;
  self->rate = worked_ms > 0 ? self->work / worked_ms : NAN;
  self->integer = !floats;
  Census c;
  take_census (self, layers, &c);
  guint most = 0;
  for (guint k = 1; k < c.n; k++)
    most = c.count[k] > c.count[most] ? k : most;
  self->compressible = c.total > 0;
  self->shorthand = "";
  if (c.n == 1 && c.rest == 0)
    self->shorthand = c.shorthand[0];
  else if (c.n > 0 && c.count[most] * 2 > c.total)
    { /* one recipe rules and others are there: "4·8…" */
      g_autofree char *text = g_strconcat (c.shorthand[most], "…", NULL);
      self->shorthand = g_intern_string (text);
    }
  else if (c.n > 0)
    self->shorthand = g_intern_string (_ ("mixed"));
}

char *
pare_layer_item_dup_words (PareLayerItem *self, PareSession *session, const GPtrArray *layers)
{
  if (self->children == NULL)
    {
      PareLayerRecipe resolved;
      if (!self->compressible || pare_session_get_recipe (session) == NULL)
        return g_strdup ("");
      pare_recipe_resolve (pare_session_get_recipe (session), self->name, &resolved);
      return pare_layer_recipe_words (&resolved);
    }
  Census c;
  take_census (self, layers, &c);
  GString *words = g_string_new (NULL);
  for (guint k = 0; k < c.n; k++)
    g_string_append_printf (words, g_dngettext (NULL, "%s%s: %u layer", "%s%s: %u layers", c.count[k]), k > 0 ? "\n" : "", c.shorthand[k],
                            c.count[k]);
  if (c.rest > 0)
    g_string_append_printf (words, g_dngettext (NULL, "\nother: %u layer", "\nother: %u layers", c.rest), c.rest);
  return g_string_free (words, FALSE);
}

/* --- construction --- */

gboolean
pare_layer_item_is_depthwise (const PareGraph *graph, const PareNode *node)
{
  gint64 group = pare_node_get_int (node, "group", 1);
  if (group < 2 || node->n_inputs < 2 || node->inputs[1] == PARE_NONE || graph->values[node->inputs[1]].constant == NULL)
    return FALSE;
  return pare_node_is (node, "Conv") && graph->values[node->inputs[1]].constant->shape.rank > 1
         && graph->values[node->inputs[1]].constant->shape.dims[1] == 1;
}

/* "/stage1/conv/Conv" reads "stage1/conv": the operator stands in the dot and the tip */
static char *
short_name (const char *name, const char *op)
{
  const char *start = *name == '/' ? name + 1 : name;
  gsize length = strlen (start), tail = strlen (op);
  if (length > tail + 1 && start[length - tail - 1] == '/' && strcmp (start + length - tail, op) == 0)
    return g_strndup (start, length - tail - 1);
  return g_strdup (start);
}

static char *
search_key (const PareLayerItem *self)
{
  g_autofree char *all = g_strjoin ("\n", self->name, self->title, self->op, NULL);
  return g_utf8_casefold (all, -1);
}

PareLayerItem *
pare_layer_item_new (PareSession *session, const PareLayerInfo *info, guint position)
{
  const PareGraph *graph = pare_session_get_graph (session);
  PareLayerItem *self = g_object_new (PARE_TYPE_LAYER_ITEM, NULL);
  self->node = info->node;
  self->name = g_strdup (graph->nodes[info->node].layer);
  self->op = g_strdup (graph->nodes[info->node].op);
  self->title = short_name (self->name, self->op);
  self->folded = search_key (self);
  self->position = position;
  self->n_layers = 1;
  self->params = info->params;
  self->macs = info->macs;
  self->shape = info->output_shape;
  self->compressible = pare_layer_is_compressible (graph, info->node, NULL);
  self->depthwise = pare_layer_item_is_depthwise (graph, &graph->nodes[info->node]);
  return self;
}

PareLayerItem *
pare_layer_item_new_group (const char *path, const char *title, const char *summary)
{
  PareLayerItem *self = g_object_new (PARE_TYPE_LAYER_ITEM, NULL);
  self->node = PARE_NONE;
  self->name = g_strdup (path);
  self->title = g_strdup (title);
  self->op = g_strdup (summary);
  self->folded = g_utf8_casefold (title, -1);
  self->children = g_ptr_array_new_with_free_func (g_object_unref);
  return self;
}
