/* graph' -> plain ONNX: grids become QuantizeLinear and DequantizeLinear, constants their codes. What the recipe did not touch stays as the
 * file had it. */
#include "engine/export/pare-export.h"
#include "engine/base/pare-error.h"
#include "engine/export/pare-export-private.h"
#include "engine/onnx/pare-onnx.h"

#include <math.h>
#include <string.h>

/* The smallest standard container of a grid; NONE where there is none. */
static PareDtype
container (const PareQuant *q, gboolean constant)
{
  if (q->bits > 16)
    return q->bits == 32 && q->is_signed ? PARE_DTYPE_INT32 : PARE_DTYPE_NONE;
  if (q->bits > 8)
    return q->is_signed ? PARE_DTYPE_INT16 : PARE_DTYPE_UINT16;
  if (q->bits > 4 || !constant) /* activations: no runtime keeps four bits in memory */
    return q->is_signed ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8;
  return q->is_signed ? PARE_DTYPE_INT4 : PARE_DTYPE_UINT4;
}

static int
opset_for (PareDtype dtype)
{
  switch (dtype)
    {
    case PARE_DTYPE_INT4:
    case PARE_DTYPE_UINT4:
    case PARE_DTYPE_INT16:
    case PARE_DTYPE_UINT16:
      return 21;
    default:
      return 13; /* scales per channel; and ONNX Runtime writes nodes of opset 11 beside them into files that are older */
    }
}

static gboolean
is_quantize (const PareNode *node)
{
  return pare_node_is (node, PARE_OP_QUANTIZE) && node->n_inputs == 1 && node->n_outputs == 1;
}

static gboolean
as_codebook (const PareValue *v)
{
  return v->encoding == PARE_ENCODING_CODEBOOK && v->quant == NULL && v->constant->dtype == PARE_DTYPE_FLOAT32;
}

static int
needed_opset (const PareGraph *g)
{
  int opset = 0;
  for (guint i = 0; i < g->n_values; i++)
    {
      const PareValue *v = &g->values[i];
      if (v->constant == NULL || v->producer != PARE_NONE)
        continue;
      if (v->quant != NULL)
        opset = MAX (opset, opset_for (container (v->quant, TRUE)));
      else if (v->storage == PARE_DTYPE_BFLOAT16)
        opset = MAX (opset, 13);
      else if (v->storage == PARE_DTYPE_FLOAT16 || as_codebook (v))
        opset = MAX (opset, 6);
    }
  for (guint i = 0; i < g->n_nodes; i++)
    {
      const PareQuant *q = is_quantize (&g->nodes[i]) ? g->values[g->nodes[i].outputs[0]].quant : NULL;
      if (q != NULL)
        opset = MAX (opset, opset_for (container (q, FALSE)));
      else if (is_quantize (&g->nodes[i]))
        opset = MAX (opset, 13); /* Cast knows bfloat16 from there on */
    }
  return opset;
}

static PareTensor *
scalar (PareDtype dtype, double value)
{
  PareShape s = { .rank = 0 };
  g_autoptr (PareTensor) f = pare_tensor_new (PARE_DTYPE_FLOAT32, &s, NULL);
  *(float *)f->data = (float)value;
  return pare_tensor_cast (f, dtype, NULL);
}

/* scale and zero point as constants named after what they belong to. */
static void
grid_constants (PareGraph *g, const char *name, const PareQuant *q, PareDtype dtype, PareValueId *scale, PareValueId *zero)
{
  PareShape s = { .rank = q->n > 1 ? 1 : 0, .dims = { q->n } };
  g_autoptr (PareTensor) st = pare_tensor_new (PARE_DTYPE_FLOAT32, &s, NULL), zi = pare_tensor_new (PARE_DTYPE_INT32, &s, NULL);
  for (guint i = 0; i < q->n; i++)
    {
      ((float *)st->data)[i] = q->scale[i];
      ((gint32 *)zi->data)[i] = q->zero[i];
    }
  g_autofree char *sn = g_strconcat (name, "_scale", NULL), *zn = g_strconcat (name, "_zero_point", NULL);
  *scale = pare_graph_add_constant (g, sn, st, PARE_NONE);
  *zero = PARE_NONE;
  if (dtype == PARE_DTYPE_INT32) /* has none */
    return;
  g_autoptr (PareTensor) zt = pare_tensor_cast (zi, dtype, NULL);
  *zero = pare_graph_add_constant (g, zn, zt, PARE_NONE);
}

static void
set_axis (PareGraph *g, PareNodeId id, const PareQuant *q)
{
  if (q->n > 1)
    pare_node_set_int (&g->nodes[id], "axis", q->axis);
}

/* Value `to` stops being a constant and becomes the output of `op` on `inputs`. */
static PareNodeId
compute_from (PareGraph *g, PareValueId to, const char *op, const PareValueId *inputs, guint n)
{
  g_autofree char *name = g_strconcat (g->values[to].name, "_", op, NULL);
  g_clear_pointer (&g->values[to].constant, pare_tensor_unref);
  return pare_graph_add_node (g, op, name, inputs, n, &to, 1, PARE_NONE, PARE_ROLE_QUANT);
}

static gboolean
fail (const PareValue *v, GError **error, const char *reason)
{
  g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "tensor '%s': %s", v->name, reason);
  return FALSE;
}

/* (transfer full) round (value / scale) + zero, as the grid says; only its place where just the size is asked for. */
static PareTensor *
codes_of (const PareTensor *t, const PareQuant *q, PareDtype dtype, gboolean sizes)
{
  if (sizes)
    return pare_tensor_new (dtype, &t->shape, NULL);
  g_autoptr (PareTensor) codes = pare_tensor_new (PARE_DTYPE_INT32, &t->shape, NULL);
  gint64 n = pare_tensor_count (t), inner = 1;
  for (int i = q->axis + 1; q->n > 1 && i < t->shape.rank; i++)
    inner *= t->shape.dims[i];
  for (gint64 i = 0; codes != NULL && i < n; i++)
    {
      guint k = q->n > 1 ? (guint)(i / inner % q->n) : 0;
      double c = nearbyint (pare_tensor_get_double (t, (gsize)i) / (double)q->scale[k]) + q->zero[k];
      ((gint32 *)codes->data)[i] = (gint32)CLAMP (isnan (c) ? 0 : c, (double)q->lo, (double)q->hi);
    }
  return codes == NULL ? NULL : pare_tensor_cast (codes, dtype, NULL);
}

static gboolean
write_codes (PareGraph *g, PareValueId id, gboolean sizes, GError **error)
{
  PareValue *v = &g->values[id];
  g_autofree char *name = g_strdup (v->name), *cn = g_strconcat (v->name, "_quantized", NULL);
  PareQuant *q = v->quant;
  PareDtype dtype = container (q, TRUE);
  if (dtype == PARE_DTYPE_NONE || q->group > 0)
    return fail (v, error, "its grid has no ONNX type");
  if (q->n > 1 && (q->axis < 0 || q->axis >= v->constant->shape.rank || v->constant->shape.dims[q->axis] != q->n))
    return fail (v, error, "its scales do not fit its shape");
  g_autoptr (PareTensor) codes = codes_of (v->constant, q, dtype, sizes);
  if (codes == NULL)
    return fail (v, error, "no memory for its codes");
  PareValueId inputs[3] = { pare_graph_add_constant (g, cn, codes, PARE_NONE) };
  grid_constants (g, name, q, dtype, &inputs[1], &inputs[2]);
  PareNodeId node = compute_from (g, id, "DequantizeLinear", inputs, inputs[2] == PARE_NONE ? 2 : 3);
  set_axis (g, node, q);
  return TRUE;
}

/* A constant whose elements are exact in 16 bits is stored so, and widened where it is read. */
static gboolean
write_half (PareGraph *g, PareValueId id, GError **error)
{
  PareValue *v = &g->values[id];
  g_autofree char *name = g_strconcat (v->name, v->storage == PARE_DTYPE_FLOAT16 ? "_float16" : "_bfloat16", NULL);
  g_autoptr (PareTensor) t = pare_tensor_cast (v->constant, v->storage, error);
  if (t == NULL)
    return FALSE;
  PareValueId narrow = pare_graph_add_constant (g, name, t, PARE_NONE);
  PareNodeId node = compute_from (g, id, "Cast", &narrow, 1);
  pare_node_set_int (&g->nodes[node], "to", PARE_DTYPE_FLOAT32);
  return TRUE;
}

static int
compare_bits (gconstpointer a, gconstpointer b)
{
  guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;
  return x < y ? -1 : x > y;
}

/* A table of the distinct values and an index per element; left dense where that is not smaller. */
static gboolean
write_codebook (PareGraph *g, PareValueId id, gboolean sizes, GError **error)
{
  PareTensor *t = g->values[id].constant;
  gsize n = (gsize)pare_tensor_count (t), found = 0;
  const guint32 *bits = t->data;
  guint32 table[256];
  for (gsize i = 0; i < n && found <= 256; i++)
    {
      gsize lo = 0, hi = found; /* kept sorted */
      while (lo < hi)
        {
          gsize mid = (lo + hi) / 2;
          if (table[mid] < bits[i])
            lo = mid + 1;
          else
            hi = mid;
        }
      if (lo < found && table[lo] == bits[i])
        continue;
      if (found == 256)
        return g->values[id].storage == PARE_DTYPE_NONE || write_half (g, id, error); /* not a codebook after all */
      memmove (table + lo + 1, table + lo, (found - lo) * sizeof *table);
      table[lo] = bits[i];
      found++;
    }
  if (found * 4 + n + 64 >= n * 4)
    return g->values[id].storage == PARE_DTYPE_NONE || write_half (g, id, error);
  PareShape s = { .rank = 1, .dims = { (gint64)found } };
  g_autoptr (PareTensor) values = pare_tensor_new (PARE_DTYPE_FLOAT32, &s, error);
  g_autoptr (PareTensor) indices = values ? pare_tensor_new (PARE_DTYPE_UINT8, &t->shape, error) : NULL;
  if (indices == NULL)
    return FALSE;
  memcpy (values->data, table, found * sizeof *table);
  for (gsize i = 0; i < n && !sizes; i++)
    ((guint8 *)indices->data)[i] = (guint8)((const guint32 *)bsearch (&bits[i], table, found, sizeof *table, compare_bits) - table);
  PareDtype storage = g->values[id].storage;
  g_autofree char *tn = g_strconcat (g->values[id].name, "_codebook", NULL), *in = g_strconcat (g->values[id].name, "_indices", NULL);
  g_autofree char *wn = g_strconcat (in, "_int32", NULL);
  PareShape shape = t->shape;
  PareValueId inputs[2] = { pare_graph_add_constant (g, tn, values, PARE_NONE), PARE_NONE };
  PareValueId narrow = pare_graph_add_constant (g, in, indices, PARE_NONE);
  inputs[1] = pare_graph_add_value (g, wn, PARE_DTYPE_INT32, &shape, PARE_NONE); /* Gather takes 32 or 64 bit indices */
  PareNodeId cast = compute_from (g, inputs[1], "Cast", &narrow, 1);
  pare_node_set_int (&g->nodes[cast], "to", PARE_DTYPE_INT32);
  compute_from (g, id, "Gather", inputs, 2);
  g->values[inputs[0]].storage = storage;
  return storage == PARE_DTYPE_NONE || write_half (g, inputs[0], error);
}

/* PareQuantize without a grid -> Cast to bfloat16 and back: a runtime that keeps 16 bits may drop the second. */
static gboolean
write_rounding (PareGraph *g, PareNodeId id)
{
  PareValueId x = g->nodes[id].inputs[0], y = g->nodes[id].outputs[0];
  PareNodeId origin = g->nodes[id].origin;
  PareShape shape = g->values[y].shape;
  g_autofree char *nn = g_strconcat (g->values[y].name, "_narrow", NULL), *cn = g_strconcat (g->values[y].name, "_Cast", NULL),
                  *wn = g_strconcat (g->values[y].name, "_CastBack", NULL);
  PareValueId narrow = pare_graph_add_value (g, nn, PARE_DTYPE_BFLOAT16, &shape, PARE_NONE);
  pare_graph_remove_node (g, id);
  PareNodeId to = pare_graph_add_node (g, "Cast", cn, &x, 1, &narrow, 1, origin, PARE_ROLE_QUANT);
  PareNodeId back = pare_graph_add_node (g, "Cast", wn, &narrow, 1, &y, 1, origin, PARE_ROLE_QUANT);
  pare_node_set_int (&g->nodes[to], "to", PARE_DTYPE_BFLOAT16);
  pare_node_set_int (&g->nodes[back], "to", PARE_DTYPE_FLOAT32);
  return TRUE;
}

/* PareQuantize -> (Clip) + QuantizeLinear + DequantizeLinear. */
static gboolean
write_activation (PareGraph *g, PareNodeId id, GError **error)
{
  PareValueId x = g->nodes[id].inputs[0], y = g->nodes[id].outputs[0];
  PareNodeId origin = g->nodes[id].origin;
  PareQuant *q = g->values[y].quant;
  if (q == NULL && g->values[y].storage == PARE_DTYPE_BFLOAT16)
    return write_rounding (g, id);
  if (q == NULL)
    return fail (&g->values[y], error, "laid on a grid that is not there");
  PareDtype dtype = container (q, FALSE);
  if (dtype == PARE_DTYPE_NONE || q->bits > 16)
    return fail (&g->values[y], error, "its grid has no ONNX type");
  g_autofree char *name = g_strdup (g->values[y].name);
  PareShape shape = g->values[y].shape;
  gint32 lowest = q->is_signed ? -(1 << (pare_dtype_bits (dtype) - 1)) : 0, highest = lowest + (1 << pare_dtype_bits (dtype)) - 1;
  if (q->n == 1 && (q->lo > lowest || q->hi < highest))
    {
      /* Narrower than its container: clamped before. */
      float lo = (float)(q->lo - q->zero[0]) * q->scale[0], hi = (float)(q->hi - q->zero[0]) * q->scale[0];
      g_autofree char *cn = g_strconcat (name, "_clamped", NULL), *ln = g_strconcat (name, "_min", NULL),
                      *hn = g_strconcat (name, "_max", NULL);
      PareValueId clamped = pare_graph_add_value (g, cn, PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
      PareValueId inputs[3] = { x, PARE_NONE, PARE_NONE };
      gboolean attributes = g->opset < 11;
      if (!attributes)
        {
          g_autoptr (PareTensor) l = scalar (PARE_DTYPE_FLOAT32, lo), h = scalar (PARE_DTYPE_FLOAT32, hi);
          inputs[1] = pare_graph_add_constant (g, ln, l, PARE_NONE);
          inputs[2] = pare_graph_add_constant (g, hn, h, PARE_NONE);
        }
      PareNodeId clip = pare_graph_add_node (g, "Clip", cn, inputs, attributes ? 1 : 3, &clamped, 1, origin, PARE_ROLE_QUANT);
      if (attributes)
        {
          pare_node_set_float (&g->nodes[clip], "min", lo);
          pare_node_set_float (&g->nodes[clip], "max", hi);
        }
      x = clamped;
    }
  else if (q->n > 1 && (q->lo > lowest || q->hi < highest))
    return fail (&g->values[y], error, "a narrow grid per channel cannot be exported");
  PareValueId inputs[3] = { x };
  grid_constants (g, name, q, dtype, &inputs[1], &inputs[2]);
  g_autofree char *qn = g_strconcat (name, "_quantized", NULL), *dn = g_strconcat (name, "_DequantizeLinear", NULL),
                  *nn = g_strconcat (name, "_QuantizeLinear", NULL);
  PareValueId codes = pare_graph_add_value (g, qn, dtype, &shape, PARE_NONE);
  pare_graph_remove_node (g, id);
  PareNodeId quantize = pare_graph_add_node (g, "QuantizeLinear", nn, inputs, 3, &codes, 1, origin, PARE_ROLE_QUANT);
  inputs[0] = codes;
  PareNodeId dequantize = pare_graph_add_node (g, "DequantizeLinear", dn, inputs, 3, &y, 1, origin, PARE_ROLE_QUANT);
  set_axis (g, quantize, q);
  set_axis (g, dequantize, q);
  return TRUE;
}

static void
add_metadata (PareGraph *g, const char *const *metadata)
{
  for (; metadata != NULL && metadata[0] != NULL && metadata[1] != NULL; metadata += 2)
    {
      guint at = 0;
      while (at < g->n_meta && strcmp (g->meta_keys[at], metadata[0]) != 0)
        at++;
      if (at == g->n_meta)
        {
          g->meta_keys = g_renew (char *, g->meta_keys, g->n_meta + 1);
          g->meta_values = g_renew (char *, g->meta_values, g->n_meta + 1);
          g->meta_keys[g->n_meta] = g_strdup (metadata[0]);
          g->meta_values[g->n_meta++] = NULL;
        }
      g_free (g->meta_values[at]);
      g->meta_values[at] = g_strdup (metadata[1]);
    }
}

static gboolean
same_grid (const PareQuant *a, const PareQuant *b)
{
  if (a == NULL || b == NULL)
    return a == b;
  return a->bits == b->bits && a->is_signed == b->is_signed && a->axis == b->axis && a->group == b->group && a->n == b->n && a->lo == b->lo
         && a->hi == b->hi && memcmp (a->scale, b->scale, a->n * sizeof *a->scale) == 0
         && memcmp (a->zero, b->zero, a->n * sizeof *a->zero) == 0;
}

static gboolean
same_constant (const PareValue *a, const PareValue *b)
{
  const PareTensor *t = a->constant, *u = b->constant;
  return t->dtype == u->dtype && pare_shape_equal (&t->shape, &u->shape) && a->encoding == b->encoding && a->storage == b->storage
         && same_grid (a->quant, b->quant) && (t->data == u->data || memcmp (t->data, u->data, t->bytes) == 0);
}

/* Layers that read one constant of the file have one each once they are compressed. Where those came to the same they are one again. */
static void
share_constants (PareGraph *g)
{
  g_autoptr (GHashTable) last = g_hash_table_new (NULL, NULL); /* by origin */
  g_autofree PareValueId *before = g_new (PareValueId, g->n_values);
  for (PareValueId i = 0; i < g->n_values; i++)
    {
      const PareValue *v = &g->values[i];
      if (v->constant == NULL || v->producer != PARE_NONE || v->origin == PARE_NONE)
        continue;
      gpointer key = GUINT_TO_POINTER (v->origin + 1), found;
      PareValueId k = g_hash_table_lookup_extended (last, key, NULL, &found) ? GPOINTER_TO_UINT (found) : PARE_NONE;
      before[i] = k;
      while (k != PARE_NONE && !same_constant (&g->values[k], v))
        k = before[k];
      if (k != PARE_NONE)
        pare_graph_replace_uses (g, i, k, FALSE);
      else
        g_hash_table_insert (last, key, GUINT_TO_POINTER (i));
    }
}

/* sizes: codes are of the right size, not of the right value. */
static PareGraph *
export_graph (const PareGraph *graph, const char *const *metadata, gboolean sizes, GError **error)
{
  g_autoptr (PareGraph) g = pare_graph_copy (graph);
  g_clear_pointer (&g->source, g_bytes_unref); /* what is written is another file */
  g_clear_pointer (&g->sha256, g_free);
  int opset = needed_opset (g);
  if (opset > MAX (g->opset, 1) && !pare_export_raise (g, opset, error))
    return NULL;
  share_constants (g);
  if (!pare_graph_compact (g, error))
    return NULL;
  guint n_values = g->n_values, n_nodes = g->n_nodes;
  for (PareNodeId i = 0; i < n_nodes; i++)
    if (is_quantize (&g->nodes[i]) && !write_activation (g, i, error))
      return NULL;
  for (PareValueId i = 0; i < n_values; i++)
    {
      PareValue *v = &g->values[i];
      if (v->constant == NULL || v->producer != PARE_NONE || pare_tensor_count (v->constant) < 1)
        continue;
      if (v->quant != NULL  ? !write_codes (g, i, sizes, error)
          : as_codebook (v) ? !write_codebook (g, i, sizes, error)
                            : v->storage != PARE_DTYPE_NONE && v->constant->dtype == PARE_DTYPE_FLOAT32 && !write_half (g, i, error))
        return NULL;
    }
  for (PareValueId i = 0; i < g->n_values; i++)
    {
      g_clear_pointer (&g->values[i].quant, pare_quant_free);
      g->values[i].encoding = PARE_ENCODING_DENSE;
      g->values[i].storage = PARE_DTYPE_NONE;
    }
  add_metadata (g, metadata);
  if (!pare_graph_compact (g, error))
    return NULL;
  pare_graph_name_layers (g);
  return g_steal_pointer (&g);
}

PareGraph *
pare_export_onnx (const PareGraph *graph, const char *const *metadata, GError **error)
{
  return export_graph (graph, metadata, FALSE, error);
}

gint64
pare_export_file_bytes (const PareGraph *graph, GError **error)
{
  g_autoptr (PareGraph) exported = export_graph (graph, NULL, TRUE, error);
  return exported != NULL ? pare_onnx_count_bytes (exported, error) : -1;
}
