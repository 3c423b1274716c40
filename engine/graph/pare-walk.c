/* The walk that every pass on meaning shares: upgrade, infer, fold, node by node in topological order. */
#include "engine/base/pare-memory.h"
#include "engine/graph/pare-graph-private.h"

#include <string.h>

/* What a folded constant may take, and what all may take that are larger than what they were computed from. The rest is computed when the
 * program runs, in its arena. */
#define MAX_FOLDED (G_GINT64_CONSTANT (64) << 20)
#define MAX_GROWN (G_GINT64_CONSTANT (256) << 20)
/* Products of constants are folded when they are small: a few bytes of file could ask for hours. */
#define MAX_PRODUCT (G_GINT64_CONSTANT (4) << 20)
/* Loops are folded that count or shape something. */
#define MAX_TURNED (64 << 10)
/* What a running graph may take before the machine is asked for what is free, which takes longer than many a node. */
#define UNASKED (G_GINT64_CONSTANT (64) << 20)

static gboolean step (PareGraph *g, PareNodeId id, PareWalk *w, GError **error);
static gboolean visit (PareGraph *g, PareNodeId id, PareWalk *w, GError **error);

static PareTensor *
list_tensor (const PareAttr *a)
{
  PareShape s = { .rank = 1, .dims = { a->n } };
  PareTensor *t = pare_tensor_new (a->kind == PARE_ATTR_INTS ? PARE_DTYPE_INT64 : PARE_DTYPE_FLOAT32, &s, NULL);
  if (t != NULL && a->n > 0)
    memcpy (t->data, a->kind == PARE_ATTR_INTS ? (const void *)a->ints : (const void *)a->floats, t->bytes);
  return t;
}

/* (transfer full) What a Constant node holds; NULL for kinds that are not tensors of numbers. */
static PareTensor *
constant_tensor (const PareNode *node)
{
  const PareAttr *a;
  PareShape scalar = { .rank = 0 };
  if ((a = pare_node_get_attr (node, "value")) != NULL && a->tensor != NULL)
    return pare_tensor_ref (a->tensor);
  if ((a = pare_node_get_attr (node, "value_float")) != NULL && a->kind == PARE_ATTR_FLOAT)
    return pare_tensor_new_scalar_f32 (a->f);
  if ((a = pare_node_get_attr (node, "value_int")) != NULL && a->kind == PARE_ATTR_INT)
    {
      PareTensor *t = pare_tensor_new (PARE_DTYPE_INT64, &scalar, NULL);
      if (t != NULL)
        *(gint64 *)t->data = a->i;
      return t;
    }
  if (((a = pare_node_get_attr (node, "value_floats")) != NULL && a->floats != NULL)
      || ((a = pare_node_get_attr (node, "value_ints")) != NULL && a->ints != NULL))
    return list_tensor (a);
  return NULL;
}

/* Operators that move the elements of their first input: the result lies on the same grid. */
static gboolean
keeps_grid (const PareNode *node)
{
  static const char *const names[] = { "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Gather", "Slice", NULL };
  return node->op != NULL && (node->domain == NULL || node->domain[0] == '\0') && g_strv_contains (names, node->op);
}

/* (transfer full) (nullable) The grid of what such an operator makes of a constant on a grid. */
static PareQuant *
moved_grid (const PareGraph *g, const PareNode *node)
{
  const PareValue *x = node->n_inputs > 0 ? pare_node_input (g, node, 0) : NULL;
  if (x == NULL || x->quant == NULL || !keeps_grid (node))
    return NULL;
  if (x->quant->axis < 0 || pare_node_is (node, "Identity"))
    return pare_quant_copy (x->quant);
  if (!pare_node_is (node, "Transpose"))
    return NULL;
  PareQuant *q = pare_quant_copy (x->quant);
  guint n;
  const gint64 *perm = pare_node_get_ints (node, "perm", &n);
  q->axis = perm == NULL ? x->shape.rank - 1 - x->quant->axis : q->axis;
  for (guint i = 0; perm != NULL && i < n; i++)
    if (perm[i] == x->quant->axis)
      q->axis = (int)i;
  return q;
}

static gboolean
is_product (const PareNode *node)
{
  static const char *const names[] = { "MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum", "LSTM", "GRU", "RNN", NULL };
  return g_strv_contains (names, node->op);
}

static gint64
input_bytes (const PareGraph *g, const PareNode *node)
{
  gint64 total = 0;
  for (guint i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PARE_NONE)
      total += (gint64)g->values[node->inputs[i]].constant->bytes;
  return total;
}

/* What the node makes of constants of `in` bytes; more than `most`: that much, or nobody knows. */
static gint64
output_bytes (const PareGraph *g, const PareNode *node, gint64 in, gint64 most)
{
  gint64 total = 0;
  for (guint i = 0; i < node->n_outputs && total <= most; i++)
    {
      const PareValue *v = pare_node_output (g, node, i);
      gint64 bytes = v ? pare_shape_bytes (&v->shape, v->dtype) : 0;
      if (bytes < 0 || v == NULL || pare_dtype_bits (v->dtype) == 0)
        bytes = v == NULL ? 0 : in <= 1 << 20 && pare_node_is_selection (node) ? in * 64 : most + 1;
      total += bytes;
    }
  return total;
}

/* grown: by how much its outputs are larger than its inputs. */
static gboolean
may_fold (const PareGraph *g, const PareNode *node, const PareWalk *w, gint64 *grown)
{
  static const char *const never[] = { "RandomNormal", "RandomUniform",    "RandomNormalLike", "RandomUniformLike", "Multinomial",
                                       "Bernoulli",    "DequantizeLinear", "QuantizeLinear",   PARE_OP_QUANTIZE,    NULL };
  if ((node->domain != NULL && node->domain[0] != '\0') || pare_node_has_graph (node) || g_strv_contains (never, node->op)
      || node->n_outputs == 0)
    return FALSE;
  for (guint i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PARE_NONE
        && (g->values[node->inputs[i]].constant == NULL || (g->values[node->inputs[i]].quant != NULL && (i > 0 || !keeps_grid (node)))))
      return FALSE;
  gint64 in = input_bytes (g, node), total = output_bytes (g, node, in, MAX_FOLDED);
  if (total > MAX_FOLDED)
    return FALSE;
  *grown = MAX (total - in, 0);
  return *grown <= MAX_GROWN - w->folded && !(is_product (node) && MAX (total, in) > MAX_PRODUCT);
}

/* In a graph that runs: there is room for so many bytes more, of which the node makes one of this shape. */
static gboolean
has_room (const PareNode *node, const PareWalk *w, gint64 bytes, const PareShape *shape, GError **error)
{
  if (w->most == 0 && bytes <= UNASKED - w->held)
    return TRUE;
  gint64 left = w->most > 0 ? w->most - w->held : (gint64)MIN (pare_memory_available () / 4 * 3, G_MAXINT64);
  if (bytes <= left)
    return TRUE;
  g_autofree char *what = pare_node_describe (node), *extents = pare_shape_to_string (shape), *need = pare_memory_text ((guint64)bytes),
                  *allowed = pare_memory_text ((guint64)MAX (left, 0));
  g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: its output %s needs %s, %s are left", what, extents, need, allowed);
  return FALSE;
}

/* In a graph that runs. */
static gboolean
may_run (const PareGraph *g, const PareNode *node, const PareWalk *w, GError **error)
{
  gint64 need = 0;
  for (guint i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PARE_NONE && g->values[node->inputs[i]].constant == NULL)
      return FALSE;
  for (guint i = 0; i < node->n_outputs; i++)
    {
      const PareValue *v = pare_node_output (g, node, i);
      gint64 bytes = v != NULL && v->dtype != PARE_DTYPE_NONE ? pare_shape_bytes (&v->shape, v->dtype) : 0;
      if (bytes > 0
          && (__builtin_mul_overflow (bytes, 2, &bytes) || __builtin_add_overflow (need, bytes, &need))) /* where it is computed, too */
        need = G_MAXINT64;
      if (bytes > 0 && !has_room (node, w, need, &v->shape, error))
        return FALSE;
    }
  return !pare_node_has_graph (node);
}

/* Counts what the node has made; how much that would be was perhaps not known before. */
static gboolean
keep_run (const PareNode *node, PareWalk *w, PareTensor **outputs, GError **error)
{
  for (guint i = 0; i < node->n_outputs; i++)
    {
      gint64 bytes = outputs[i] != NULL ? (gint64)outputs[i]->bytes : 0;
      if (w->most > 0 && bytes > 0 && !has_room (node, w, bytes, &outputs[i]->shape, error))
        return FALSE;
      w->held += bytes;
    }
  return TRUE;
}

static void
take_outputs (PareGraph *g, PareNodeId id, PareTensor **outputs)
{
  PareNode *node = &g->nodes[id];
  guint n = node->n_outputs;
  g_autofree PareValueId *ids = g_memdup2 (node->outputs, n * sizeof *ids);
  pare_graph_remove_node (g, id);
  for (guint i = 0; i < n; i++)
    if (ids[i] != PARE_NONE && outputs[i] != NULL)
      pare_graph_set_constant (g, ids[i], outputs[i]);
}

/* A body sees the values around it under their names: what is known of them is copied in. */
static void
inform_body (const PareGraph *outer, PareGraph *body, gboolean constants)
{
  g_autofree guint8 *is_input = g_new0 (guint8, body->n_values + 1);
  for (guint i = 0; i < body->n_inputs; i++)
    is_input[body->inputs[i]] = 1;
  for (guint i = 0; i < body->n_values; i++)
    {
      PareValue *v = &body->values[i];
      if (is_input[i] || v->producer != PARE_NONE || v->constant != NULL)
        continue;
      PareValueId o = pare_graph_find_value (outer, v->name);
      if (o == PARE_NONE)
        continue;
      v->dtype = outer->values[o].dtype;
      v->shape = outer->values[o].shape;
      if (constants && outer->values[o].constant != NULL && outer->values[o].producer == PARE_NONE)
        pare_graph_set_constant (body, i, outer->values[o].constant);
    }
}

/* What a body captures must exist in it before its own bodies look: a name that only an inner body reads is added as captured here. */
static void
pass_captured (PareGraph *body)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < body->n_nodes; i++)
    for (guint a = 0; a < body->nodes[i].n_attrs; a++)
      if (body->nodes[i].attrs[a].graph != NULL)
        pare_graph_collect_captured (body->nodes[i].attrs[a].graph, names);
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init (&iter, names);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    if (pare_graph_find_value (body, key) == PARE_NONE)
      pare_graph_add_value (body, key, PARE_DTYPE_NONE, NULL, PARE_NONE);
}

/* TRUE: all its inputs, and what its body reads from around it, are constants, and it was run. */
static gboolean
compute_loop (PareGraph *g, PareNode *node, PareWalk *w, PareTensor **outputs, GError **error)
{
  const PareAttr *a = pare_node_get_attr (node, "body");
  if (a == NULL || a->graph == NULL)
    return FALSE;
  for (guint i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] != PARE_NONE && g->values[node->inputs[i]].constant == NULL)
      return FALSE;
  g_autoptr (GHashTable) captured = g_hash_table_new (g_str_hash, g_str_equal);
  pare_graph_collect_captured (a->graph, captured);
  GHashTableIter iter;
  gpointer name;
  g_hash_table_iter_init (&iter, captured);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      PareValueId id = pare_graph_find_value (g, name);
      if (id == PARE_NONE || g->values[id].constant == NULL)
        return FALSE;
    }
  g_autoptr (PareGraph) body = pare_graph_copy (a->graph);
  pass_captured (body);
  inform_body (g, body, TRUE);
  PareWalk turn = *w;
  turn.depth++;
  turn.most = w->run ? w->most : MAX_TURNED;
  return pare_loop_node (g, node, body, &turn, outputs, error);
}

/* Computes the node, as one of lists, as small arithmetic or by w->eval. */
static gboolean
compute (PareGraph *g, PareNode *node, PareWalk *w, PareTensor **outputs, GError **error)
{
  gboolean lists = pare_node_is_sequence (node), one = FALSE;
  g_autofree PareTensor **inputs = g_new0 (PareTensor *, node->n_inputs + 1);
  for (guint i = 0; i < node->n_inputs; i++)
    {
      inputs[i] = pare_node_input_constant (g, node, i);
      one |= pare_tensor_is_sequence (inputs[i]);
    }
  if (lists)
    return pare_sequence_node (node, inputs, outputs, error);
  if (one && pare_node_is (node, "Identity"))
    {
      outputs[0] = pare_tensor_ref (inputs[0]);
      return TRUE;
    }
  if (one) /* no other operator reads a list */
    return FALSE;
  if (pare_arith_node (g, node, outputs))
    return TRUE;
  if (w->eval == NULL)
    return FALSE;
  gboolean done = w->eval (g, node, inputs, outputs, error);
  for (guint i = 0; done && i < node->n_outputs; i++)
    done = node->outputs[i] == PARE_NONE || outputs[i] != NULL;
  return done;
}

static void
take_folded (PareGraph *g, PareNodeId id, PareTensor **outputs)
{
  PareNode *node = &g->nodes[id];
  PareQuant *grid = moved_grid (g, node);
  PareValueId first = node->outputs[0];
  take_outputs (g, id, outputs);
  if (grid != NULL && first != PARE_NONE)
    {
      pare_quant_free (g->values[first].quant);
      g->values[first].quant = g_steal_pointer (&grid);
    }
  pare_quant_free (grid);
}

/* FALSE where the node has to be computed and cannot be. */
static gboolean
fold (PareGraph *g, PareNodeId id, PareWalk *w, GError **error)
{
  PareNode *node = &g->nodes[id];
  gboolean shape_only = pare_node_is (node, "Shape") || pare_node_is (node, "Size"),
           loop = pare_node_is (node, "Loop") || pare_node_is (node, "Scan"), done = FALSE;
  gint64 grown = 0;
  PareTensor *outputs[64] = { NULL };
  g_autoptr (GError) reason = NULL; /* what cannot be computed now is the running program's to refuse */
  if (node->n_outputs > 0 && node->n_outputs <= G_N_ELEMENTS (outputs))
    {
      if (loop)
        done = compute_loop (g, node, w, outputs, &reason);
      else if (shape_only && !w->run)
        done = pare_arith_node (g, node, outputs);
      else if (w->run ? may_run (g, node, w, &reason) : may_fold (g, node, w, &grown))
        done = compute (g, node, w, outputs, &reason);
      done = done && (!w->run || keep_run (node, w, outputs, &reason));
    }
  guint n = node->n_outputs;
  if (done)
    {
      w->folded += grown;
      take_folded (g, id, outputs);
    }
  for (guint i = 0; i < n && i < G_N_ELEMENTS (outputs); i++)
    g_clear_pointer (&outputs[i], pare_tensor_unref);
  if (done || !w->run)
    return TRUE;
  g_autofree char *what = pare_node_describe (node);
  if (reason != NULL)
    g_propagate_error (error, g_steal_pointer (&reason));
  else
    g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "%s: %s cannot be computed on what it reads", what, node->op);
  return FALSE;
}

static gboolean
walk_bodies (PareGraph *g, PareNodeId id, PareWalk *w, GError **error)
{
  for (guint a = 0; a < g->nodes[id].n_attrs; a++)
    {
      PareGraph *body = g->nodes[id].attrs[a].graph;
      if (body == NULL)
        continue;
      pass_captured (body);
      inform_body (g, body, w->fold);
      PareWalk inner = *w;
      inner.depth++;
      inner.run = FALSE;                                   /* what a body reads is not there yet */
      inner.lenient |= pare_node_is (&g->nodes[id], "If"); /* one of its branches does not run and need not fit */
      if (!pare_graph_walk (body, &inner, error))
        return FALSE;
      w->folded = inner.folded;
    }
  return TRUE;
}

/* Puts the nodes of an If's taken branch in its place; they are visited like any others. */
static gboolean
inline_branch (PareGraph *g, PareNodeId id, PareWalk *w, GError **error)
{
  PareTensor *condition = pare_node_input_constant (g, &g->nodes[id], 0);
  if (condition == NULL || pare_tensor_count (condition) != 1)
    return TRUE;
  const PareAttr *a = pare_node_get_attr (&g->nodes[id], pare_tensor_get_int (condition, 0) ? "then_branch" : "else_branch");
  if (a == NULL || a->graph == NULL || a->graph->n_outputs != g->nodes[id].n_outputs)
    return TRUE;
  g_autoptr (PareGraph) body = pare_graph_ref (a->graph);
  PareNodeId origin = g->nodes[id].origin;
  const char *layer = g->nodes[id].layer;
  guint n_outputs = g->nodes[id].n_outputs;
  g_autofree PareValueId *outputs = g_memdup2 (g->nodes[id].outputs, n_outputs * sizeof *outputs);
  pare_graph_remove_node (g, id);
  g_autofree PareValueId *map = g_new (PareValueId, body->n_values + 1);
  for (guint i = 0; i < body->n_values; i++)
    {
      const PareValue *v = &body->values[i];
      PareValueId outer = v->producer == PARE_NONE ? pare_graph_find_value (g, v->name) : PARE_NONE;
      if (outer != PARE_NONE && (v->constant == NULL || g->values[outer].constant == v->constant))
        {
          map[i] = outer;
          continue;
        }
      map[i] = pare_graph_add_value (g, v->name, v->dtype, &v->shape, PARE_NONE);
      if (v->constant != NULL)
        pare_graph_set_constant (g, map[i], v->constant);
    }
  g_autoptr (GArray) added = g_array_new (FALSE, FALSE, sizeof (PareNodeId));
  for (guint i = 0; i < body->n_nodes; i++)
    {
      const PareNode *from = &body->nodes[i];
      if (from->op == NULL)
        continue;
      g_autofree PareValueId *in = g_new (PareValueId, from->n_inputs + 1), *out = g_new (PareValueId, from->n_outputs + 1);
      for (guint k = 0; k < from->n_inputs; k++)
        in[k] = from->inputs[k] == PARE_NONE ? PARE_NONE : map[from->inputs[k]];
      for (guint k = 0; k < from->n_outputs; k++)
        out[k] = from->outputs[k] == PARE_NONE ? PARE_NONE : map[from->outputs[k]];
      PareNodeId n = pare_graph_add_node (g, from->op, from->name, in, from->n_inputs, out, from->n_outputs, origin, PARE_ROLE_SELF);
      PareNode *node = &g->nodes[n];
      node->layer = layer;
      node->domain = pare_graph_keep_name (g, from->domain);
      pare_node_add_attrs (node, from, NULL);
      g_array_append_val (added, n);
    }
  /* Names that inner bodies capture may have been changed by the move. */
  for (guint i = 0; i < body->n_values; i++)
    if (strcmp (body->values[i].name, g->values[map[i]].name) != 0)
      for (guint k = 0; k < added->len; k++)
        {
          PareNode *node = &g->nodes[g_array_index (added, PareNodeId, k)];
          for (guint b = 0; b < node->n_attrs; b++)
            if (node->attrs[b].graph != NULL)
              pare_graph_rename_captured (node->attrs[b].graph, body->values[i].name, g->values[map[i]].name);
        }
  for (guint i = 0; i < n_outputs; i++)
    if (outputs[i] != PARE_NONE)
      {
        PareNodeId n = pare_graph_add_node (g, "Identity", "", &map[body->outputs[i]], 1, &outputs[i], 1, origin, PARE_ROLE_SELF);
        g->nodes[n].layer = layer;
        g_array_append_val (added, n);
      }
  PareWalk inner = *w;
  inner.depth++;
  for (guint i = 0; i < added->len; i++)
    if (!visit (g, g_array_index (added, PareNodeId, i), &inner, error))
      return FALSE;
  w->folded = inner.folded;
  return TRUE;
}

static void
merge_declared (PareValue *v, const PareShape *declared, const PareWalk *w)
{
  if (v->constant != NULL || !w->trust_declared || declared->rank < 0 || (v->shape.rank >= 0 && v->shape.rank != declared->rank))
    return;
  for (int i = 0; i < declared->rank; i++)
    {
      gint64 d = declared->dims[i];
      if (v->shape.rank < 0 || v->shape.dims[i] < 0)
        v->shape.dims[i] = d < 0 ? pare_extents_get (w->extents, v->dim_names[i]) : d;
    }
  v->shape.rank = declared->rank;
}

static gboolean
step (PareGraph *g, PareNodeId id, PareWalk *w, GError **error)
{
  if (g->nodes[id].op == NULL)
    return TRUE;
  if (w->depth > 64)
    {
      g_autofree char *what = pare_node_describe (&g->nodes[id]);
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: nested too deep", what);
      return FALSE;
    }
  if (w->fold && pare_node_is (&g->nodes[id], "Constant"))
    {
      PareTensor *t = constant_tensor (&g->nodes[id]);
      if (t != NULL && g->nodes[id].n_outputs == 1)
        take_outputs (g, id, &t);
      g_clear_pointer (&t, pare_tensor_unref);
      return TRUE;
    }
  if (w->fold && pare_node_is (&g->nodes[id], "If"))
    {
      if (!inline_branch (g, id, w, error))
        return FALSE;
      if (g->nodes[id].op == NULL)
        return TRUE;
    }
  if (!walk_bodies (g, id, w, error))
    return FALSE;
  guint n = g->nodes[id].n_outputs;
  g_autofree PareShape *declared = g_new (PareShape, n + 1);
  for (guint i = 0; i < n; i++)
    {
      PareValue *v = pare_node_output (g, &g->nodes[id], i);
      if (v == NULL)
        continue;
      declared[i] = v->shape;
      v->shape = (PareShape){ .rank = -1 };
    }
  GError *local = NULL;
  if (!pare_infer_node (g, id, &local))
    {
      if (!w->lenient)
        {
          g_propagate_error (error, local);
          return FALSE;
        }
      g_clear_error (&local);
    }
  for (guint i = 0; i < n; i++)
    {
      PareValue *v = pare_node_output (g, &g->nodes[id], i);
      if (v != NULL)
        merge_declared (v, &declared[i], w);
    }
  return !w->fold || fold (g, id, w, error);
}

/* The node, or what it is made of; that may be made of others in turn, never of itself. */
static gboolean
step_parts (PareGraph *g, PareNodeId id, PareWalk *w, GError **error)
{
  g_autoptr (GArray) made = g_array_new (FALSE, FALSE, sizeof (PareNodeId));
  if (!w->fold || g->nodes[id].op == NULL || !pare_decompose_node (g, id, made))
    return step (g, id, w, error);
  for (guint i = 0; i < made->len; i++)
    if (!step_parts (g, g_array_index (made, PareNodeId, i), w, error))
      return FALSE;
  return TRUE;
}

static gboolean
visit (PareGraph *g, PareNodeId id, PareWalk *w, GError **error)
{
  if (g->nodes[id].op == NULL)
    return TRUE;
  if (w->from >= w->target)
    return step_parts (g, id, w, error);
  g_autoptr (GArray) before = g_array_new (FALSE, FALSE, sizeof (PareNodeId)), after = g_array_new (FALSE, FALSE, sizeof (PareNodeId));
  PareUpgrade u = { g, id, w->from, w->target, before, after };
  if (!pare_upgrade_node (&u, error))
    return FALSE;
  for (guint i = 0; i < before->len; i++)
    if (!step (g, g_array_index (before, PareNodeId, i), w, error))
      return FALSE;
  if (!step_parts (g, id, w, error))
    return FALSE;
  for (guint i = 0; i < after->len; i++)
    if (!step (g, g_array_index (after, PareNodeId, i), w, error))
      return FALSE;
  return TRUE;
}

gboolean
pare_graph_walk (PareGraph *self, PareWalk *walk, GError **error)
{
  g_autoptr (GArray) order = pare_graph_order (self, error);
  if (order == NULL)
    return FALSE;
  for (guint i = 0; i < order->len; i++)
    if (pare_control_check (walk->control, error) || !visit (self, g_array_index (order, PareNodeId, i), walk, error))
      return FALSE;
  return pare_graph_sort (self, error);
}

gboolean
pare_graph_upgrade (PareGraph *self, int target, GError **error)
{
  PareWalk walk = { .from = MAX (self->opset, 1), .target = target, .trust_declared = TRUE, .lenient = TRUE };
  if (walk.from >= target)
    return TRUE;
  if (!pare_graph_walk (self, &walk, error))
    return FALSE;
  self->opset = target;
  return TRUE;
}
