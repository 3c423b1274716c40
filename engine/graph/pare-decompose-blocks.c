/* Weights that are codes of a few bits with a scale, and perhaps a zero point, for each block of a row: as exporters of language models
 * write them, as operators of com.microsoft or as DequantizeLinear. Those of products stay codes wherever the kernel knows such blocks, and
 * are floats else; rows that are looked up stay codes until they are. */
#include "engine/graph/pare-writer.h"

#include <string.h>

static const PareDtype f32 = PARE_DTYPE_FLOAT32;

static guint
code_at (const guint8 *packed, gint64 i, int bits)
{
  return packed[i * bits / 8] >> (i * bits % 8) & ((1u << bits) - 1);
}

static gboolean
are_bits (gint64 bits)
{
  return bits == 2 || bits == 4 || bits == 8;
}

/* --- products --- */

/* Which block each of k columns belongs to, as int32 or int64, where a file says so; NULL: one after the other, or not as it should be. */
static gint64 *
read_groups (const PareTensor *groups, gint64 k, gint64 blocks)
{
  if (groups == NULL || pare_tensor_count (groups) < k || (groups->dtype != PARE_DTYPE_INT32 && groups->dtype != PARE_DTYPE_INT64))
    return NULL;
  g_autofree gint64 *of = g_new (gint64, k);
  for (gint64 i = 0; i < k; i++)
    {
      of[i] = pare_tensor_get_int (groups, (gsize)i);
      if (of[i] < 0 || of[i] >= blocks)
        return NULL;
    }
  return g_steal_pointer (&of);
}

/* Weights [n, blocks of k, bytes] of 2, 4 or 8 bits with a scale and a zero point for each block, as floats [k, n]; NULL: not as it should
 * be. */
static PareTensor *
read_blocks (const PareWriter *w, const PareNode *node)
{
  gint64 k = pare_node_get_int (node, "K", 0), n = pare_node_get_int (node, "N", 0), bits = pare_node_get_int (node, "bits", 4),
         each = pare_node_get_int (node, "block_size", 0);
  PareTensor *codes = pare_node_input_constant (w->graph, node, 1), *scales = pare_node_input_constant (w->graph, node, 2),
             *zeros = pare_node_input_constant (w->graph, node, 3), *groups = pare_node_input_constant (w->graph, node, 4);
  if (codes == NULL || scales == NULL || k < 1 || n < 1 || k > 1 << 24 || n > 1 << 24 || each < 16 || each > 1 << 16 || !are_bits (bits)
      || codes->dtype != PARE_DTYPE_UINT8 || (w->in[3] != PARE_NONE && zeros == NULL))
    return NULL;
  gint64 blocks = (k + each - 1) / each, row = each * bits / 8 * blocks, zero_row = (blocks * bits + 7) / 8;
  gboolean real_zeros = zeros != NULL && zeros->dtype != PARE_DTYPE_UINT8;
  g_autofree gint64 *group = read_groups (groups, k, blocks);
  /* ONNX Runtime leaves zero points out where columns are in groups of their own order: no answer is the file's */
  if (pare_tensor_count (codes) != n * row || pare_tensor_count (scales) != n * blocks
      || (w->in[4] != PARE_NONE && (group == NULL || zeros != NULL))
      || (zeros != NULL && pare_tensor_count (zeros) != (real_zeros ? n * blocks : n * zero_row)))
    return NULL;
  PareShape shape = { .rank = 2, .dims = { k, n } };
  PareTensor *t = pare_tensor_new (f32, &shape, NULL);
  for (gint64 c = 0; t != NULL && c < n; c++)
    for (gint64 i = 0; i < k; i++)
      {
        gint64 block = group != NULL ? group[i] : i / each;
        float zero = (float)(1 << (bits - 1)), scale = (float)pare_tensor_get_double (scales, (gsize)(c * blocks + block));
        if (real_zeros)
          zero = (float)pare_tensor_get_double (zeros, (gsize)(c * blocks + block));
        else if (zeros != NULL)
          zero = (float)code_at ((const guint8 *)zeros->data + c * zero_row, block, (int)bits);
        ((float *)t->data)[i * n + c] = ((float)code_at ((const guint8 *)codes->data + c * row, i, (int)bits) - zero) * scale;
      }
  return t;
}

/* A block is as PARE_OP_BLOCK_GEMM wants it. */
static gboolean
is_kept (gint64 each, int bits)
{
  return each >= 16 && each <= 1 << 16 && (each & (each - 1)) == 0 && are_bits (bits);
}

/* (transfer full) (nullable) What is added to each of a block's weights: (half of the codes' range - zero) * scale. NULL: nothing. */
static PareTensor *
offsets_of (const float *zeros, const PareTensor *scales, int bits)
{
  gint64 n = pare_tensor_count (scales);
  gboolean none = TRUE;
  PareTensor *t = pare_tensor_new (f32, &scales->shape, NULL);
  for (gint64 i = 0; t != NULL && i < n; i++)
    {
      float more = (float)(1 << (bits - 1)) - zeros[i];
      none &= more == 0;
      ((float *)t->data)[i] = more * ((const float *)scales->data)[i];
    }
  if (none)
    g_clear_pointer (&t, pare_tensor_unref);
  return t;
}

/* x by codes, and the bias (PARE_NONE: none). */
static void
write_block_gemm (PareWriter *w, PareValueId codes, PareValueId scales, PareTensor *offsets, int bits, PareValueId bias)
{
  const PareValueId in[4] = { w->in[0], codes, scales, offsets != NULL ? pare_write_constant (w, "offsets", offsets) : PARE_NONE };
  PareValueId y = bias != PARE_NONE ? pare_graph_add_value (w->graph, PARE_OP_BLOCK_GEMM, f32, NULL, PARE_NONE) : w->out[0];
  pare_node_set_int (pare_write_to (w, PARE_OP_BLOCK_GEMM, y, in, 4), "bits", bits);
  if (bias != PARE_NONE)
    pare_write_to (w, "Add", w->out[0], (PareValueId[]){ y, bias }, 2);
}

/* MatMulNBits on its codes as they lie in the file. FALSE: its blocks are others. */
static gboolean
keep_n_bits (PareWriter *w, const PareNode *node)
{
  gint64 k = pare_node_get_int (node, "K", 0), n = pare_node_get_int (node, "N", 0), bits = pare_node_get_int (node, "bits", 4),
         each = pare_node_get_int (node, "block_size", 0);
  PareTensor *codes = pare_node_input_constant (w->graph, node, 1), *scales = pare_node_input_constant (w->graph, node, 2),
             *zeros = pare_node_input_constant (w->graph, node, 3);
  const PareShape *x = pare_writer_shape (w, w->in[0]);
  if (codes == NULL || scales == NULL || k < 1 || n < 1 || k > 1 << 24 || n > 1 << 24 || bits < 2 || bits > 8 || !is_kept (each, (int)bits)
      || codes->dtype != PARE_DTYPE_UINT8 || (w->in[3] != PARE_NONE && zeros == NULL) || w->in[4] != PARE_NONE || x->rank < 2
      || x->dims[x->rank - 1] != k)
    return FALSE;
  gint64 blocks = (k + each - 1) / each, bytes = each * bits / 8, zero_row = (blocks * bits + 7) / 8;
  gboolean real_zeros = zeros != NULL && zeros->dtype != PARE_DTYPE_UINT8;
  if (pare_tensor_count (codes) != n * blocks * bytes || pare_tensor_count (scales) != n * blocks
      || (zeros != NULL && pare_tensor_count (zeros) != (real_zeros ? n * blocks : n * zero_row)))
    return FALSE;
  PareShape as = pare_shape_make (3, n, blocks, bytes);
  g_autoptr (PareTensor) laid = pare_tensor_reshape (codes, &as, NULL), floats = pare_tensor_cast (scales, f32, NULL), offsets = NULL;
  if (laid == NULL || floats == NULL)
    return FALSE;
  if (zeros != NULL)
    {
      g_autofree float *zero = g_new (float, n *blocks);
      for (gint64 i = 0; i < n * blocks; i++)
        zero[i] = real_zeros ? (float)pare_tensor_get_double (zeros, (gsize)i)
                             : (float)code_at ((const guint8 *)zeros->data + i / blocks * zero_row, i % blocks, (int)bits);
      offsets = offsets_of (zero, floats, (int)bits);
    }
  PareValueId c = pare_shape_equal (&codes->shape, &as) ? w->in[1] : pare_write_constant (w, "codes", laid),
              s = scales->dtype == f32 ? w->in[2] : pare_write_constant (w, "scales", floats);
  write_block_gemm (w, c, s, offsets, (int)bits, w->in[5]);
  return TRUE;
}

static gboolean
matmul_n_bits (PareWriter *w, const PareNode *node)
{
  if (pare_writer_is_float (w, w->in[0]) && keep_n_bits (w, node))
    return TRUE;
  g_autoptr (PareTensor) weights = pare_writer_is_float (w, w->in[0]) ? read_blocks (w, node) : NULL;
  if (weights == NULL)
    return FALSE;
  pare_write_product (w, w->in[0], pare_write_constant (w, "weights", weights), w->in[5]);
  return TRUE;
}

/* What codes of 4 bits stand for, as bitsandbytes has it: FP4, and NF4, quantiles of a normal distribution
 * (Dettmers et al., QLoRA, 2023, appendix E). */
static const float numbers_of_bnb[2][16]
    = { { 0.0f, 5.208333333e-03f, 0.66666667f, 1.0f, 0.33333333f, 0.5f, 0.16666667f, 0.25f, -0.0f, -5.208333333e-03f, -0.66666667f, -1.0f,
          -0.33333333f, -0.5f, -0.16666667f, -0.25f },
        { -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f,
          -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
          0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f } };

/* [n, k] in a row, the first of two codes in the upper half of a byte; each block has its greatest magnitude. */
static gboolean
matmul_bnb (PareWriter *w, const PareNode *node)
{
  gint64 k = pare_node_get_int (node, "K", 0), n = pare_node_get_int (node, "N", 0), each = pare_node_get_int (node, "block_size", 0),
         kind = pare_node_get_int (node, "quant_type", 1);
  gboolean turned = pare_node_get_int (node, "transB", 1) != 0;
  PareTensor *codes = pare_node_input_constant (w->graph, node, 1), *greatest = pare_node_input_constant (w->graph, node, 2);
  if (!pare_writer_is_float (w, w->in[0]) || codes == NULL || greatest == NULL || k < 1 || n < 1 || k > 1 << 24 || n > 1 << 24 || each < 16
      || each > 1 << 24 || kind < 0 || kind > 1 || codes->dtype != PARE_DTYPE_UINT8 || pare_tensor_count (codes) != (n * k + 1) / 2
      || pare_tensor_count (greatest) != (n * k + each - 1) / each)
    return FALSE;
  PareShape shape = { .rank = 2, .dims = { turned ? k : n, turned ? n : k } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &shape, NULL);
  if (t == NULL)
    return FALSE;
  for (gint64 c = 0; c < n; c++)
    for (gint64 i = 0; i < k; i++)
      {
        gint64 at = c * k + i;
        guint8 code = ((const guint8 *)codes->data)[at / 2];
        float value
            = numbers_of_bnb[kind][at % 2 == 0 ? code >> 4 : code & 15] * (float)pare_tensor_get_double (greatest, (gsize)(at / each));
        ((float *)t->data)[turned ? i * n + c : at] = value;
      }
  pare_write_product (w, w->in[0], pare_write_constant (w, "weights", t), PARE_NONE);
  return TRUE;
}

/* --- rows --- */

typedef struct
{
  PareTensor *codes, *zeros /* NULL: `zero` */, *scales; /* one code an element */
  gint64 each, gathered, quantized;                      /* elements of a block; axes */
  float zero;
} Rows;

static void
rows_clear (Rows *rows)
{
  g_clear_pointer (&rows->codes, pare_tensor_unref);
  g_clear_pointer (&rows->zeros, pare_tensor_unref);
}

/* (transfer full) Codes one by one, as uint8, or as they are where they are not packed; NULL: not as it should be. `last`: elements of the
 * last extent. */
static PareTensor *
unpack (const PareTensor *packed, gint64 bits, gint64 last)
{
  if (packed->dtype == PARE_DTYPE_INT4 || packed->dtype == PARE_DTYPE_UINT4)
    return pare_tensor_cast (packed, packed->dtype == PARE_DTYPE_INT4 ? PARE_DTYPE_INT8 : PARE_DTYPE_UINT8, NULL);
  if (packed->dtype != PARE_DTYPE_UINT8 || packed->shape.rank < 1)
    return NULL;
  PareShape shape = packed->shape;
  gint64 bytes = shape.dims[shape.rank - 1], n = bytes > 0 ? pare_tensor_count (packed) / bytes : 0;
  if (last < 1 || last > 1 << 24 || bytes != (last * bits + 7) / 8)
    return NULL;
  shape.dims[shape.rank - 1] = last;
  PareTensor *t = pare_tensor_new (PARE_DTYPE_UINT8, &shape, NULL);
  for (gint64 r = 0; t != NULL && r < n; r++)
    for (gint64 i = 0; i < last; i++)
      ((guint8 *)t->data)[r * last + i] = (guint8)code_at ((const guint8 *)packed->data + r * bytes, i, (int)bits);
  return t;
}

/* There is a scale, and perhaps a zero point, for each block. */
static gboolean
fits (const Rows *rows)
{
  const PareShape *s = &rows->codes->shape;
  if (s->rank != rows->scales->shape.rank)
    return FALSE;
  for (int d = 0; d < s->rank; d++)
    if (rows->scales->shape.dims[d] != (d == rows->quantized ? (s->dims[d] + rows->each - 1) / rows->each : s->dims[d]))
      return FALSE;
  return rows->zeros == NULL || pare_shape_equal (&rows->zeros->shape, &rows->scales->shape);
}

static gboolean
read_rows (const PareWriter *w, const PareNode *node, Rows *rows)
{
  PareTensor *data = pare_node_input_constant (w->graph, node, 0), *scales = pare_node_input_constant (w->graph, node, 2),
             *zeros = pare_node_input_constant (w->graph, node, 3);
  gint64 bits = pare_node_get_int (node, "bits", 4);
  *rows = (Rows){ .scales = scales,
                  .each = pare_node_get_int (node, "block_size", 128),
                  .gathered = pare_node_get_int (node, "gather_axis", 0),
                  .quantized = pare_node_get_int (node, "quantize_axis", 1) };
  if (data == NULL || scales == NULL || (w->in[3] != PARE_NONE && zeros == NULL) || data->shape.rank < 1
      || data->shape.rank != scales->shape.rank || rows->each < 1 || rows->each > 1 << 24)
    return FALSE;
  int rank = data->shape.rank;
  gboolean packed = data->dtype == PARE_DTYPE_UINT8;
  rows->gathered += rows->gathered < 0 ? rank : 0;
  rows->quantized += rows->quantized < 0 ? rank : 0;
  if (rows->gathered < 0 || rows->gathered >= rank || rows->quantized < 0 || rows->quantized >= rank || (packed && !are_bits (bits)))
    return FALSE;
  gint64 last = data->shape.dims[rank - 1];
  rows->codes = unpack (data, bits, packed ? last * 8 / bits : last);
  rows->zero = packed ? (float)(1 << (bits - 1)) : 0;
  if (zeros != NULL)
    rows->zeros = unpack (zeros, bits, scales->shape.dims[rank - 1]);
  if (rows->codes == NULL || (zeros != NULL && rows->zeros == NULL))
    return FALSE;
  return fits (rows);
}

/* (transfer full) All rows as floats: where a block is cut by what is gathered, or by the end. */
static PareTensor *
all_rows (const Rows *rows)
{
  const PareShape *s = &rows->codes->shape;
  PareTensor *t = pare_tensor_new (f32, s, NULL);
  gint64 inner = 1, n = pare_tensor_count (rows->codes), length = s->dims[rows->quantized];
  for (int d = (int)rows->quantized + 1; d < s->rank; d++)
    inner *= s->dims[d];
  gint64 blocks = (length + rows->each - 1) / rows->each;
  for (gint64 i = 0; t != NULL && i < n; i++)
    {
      gsize at = (gsize)((i / (inner * length) * blocks + i / inner % length / rows->each) * inner + i % inner);
      float zero = rows->zeros != NULL ? (float)pare_tensor_get_int (rows->zeros, at) : rows->zero;
      ((float *)t->data)[i]
          = ((float)pare_tensor_get_int (rows->codes, (gsize)i) - zero) * (float)pare_tensor_get_double (rows->scales, at);
    }
  return t;
}

static PareValueId
gather (PareWriter *w, PareTensor *from, PareValueId index, gint64 axis, PareValueId output)
{
  PareValueId in[2] = { pare_write_constant (w, "rows", from), index };
  PareValueId out = output != PARE_NONE ? output : pare_graph_add_value (w->graph, "Gather", from->dtype, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "Gather", out, in, 2), "axis", axis);
  return out;
}

static PareValueId
as_float (PareWriter *w, PareValueId x)
{
  return pare_writer_dtype (w, x) == f32 ? x : pare_write_cast (w, x, f32, PARE_NONE);
}

/* Codes, scales and zero points are looked up alike; each block of what was found then gets its own. */
static void
gather_codes (PareWriter *w, const Rows *rows, const PareShape *index)
{
  const PareShape *s = &rows->codes->shape;
  gint64 whole[PARE_MAX_RANK], split[PARE_MAX_RANK];
  int n = 0, axis = 0;
  for (int d = 0; d < s->rank; d++)
    {
      if (d == rows->quantized)
        axis = n;
      for (int i = 0; d == rows->gathered && i < index->rank; i++)
        whole[n++] = index->dims[i];
      if (d != rows->gathered)
        whole[n++] = s->dims[d];
    }
  for (int d = 0; d < n; d++)
    split[d < axis ? d : d + 1] = whole[d];
  split[axis] = whole[axis] / rows->each;
  split[axis + 1] = rows->each;
  const gint64 inside = axis + 1;
  PareValueId codes = as_float (w, gather (w, rows->codes, w->in[1], rows->gathered, PARE_NONE)),
              scale = as_float (w, gather (w, rows->scales, w->in[1], rows->gathered, PARE_NONE));
  PareValueId zero = rows->zeros != NULL
                         ? pare_write_unsqueeze (w, as_float (w, gather (w, rows->zeros, w->in[1], rows->gathered, PARE_NONE)), &inside, 1)
                         : pare_write_number (w, rows->zero);
  PareValueId blocks = pare_write_reshape (w, codes, split, (guint)n + 1, PARE_NONE);
  PareValueId values = pare_write (w, "Mul", f32, pare_write (w, "Sub", f32, blocks, zero), pare_write_unsqueeze (w, scale, &inside, 1));
  pare_write_reshape (w, values, whole, (guint)n, w->out[0]);
}

static gboolean
gather_blocks (PareWriter *w, const PareNode *node)
{
  Rows rows = { 0 };
  const PareShape index = w->in[1] != PARE_NONE ? *pare_writer_shape (w, w->in[1]) : (PareShape){ .rank = -1 };
  gboolean done = pare_shape_count (&index) >= 0 && read_rows (w, node, &rows);
  if (done && rows.codes->shape.dims[rows.quantized] % rows.each == 0 && rows.gathered != rows.quantized
      && rows.codes->shape.rank + index.rank <= PARE_MAX_RANK)
    gather_codes (w, &rows, &index);
  else if (done)
    {
      g_autoptr (PareTensor) all = all_rows (&rows);
      done = all != NULL;
      if (done)
        gather (w, all, w->in[1], rows.gathered, w->out[0]);
    }
  rows_clear (&rows);
  return done;
}

/* (transfer full) Codes of one element each; NULL: they are none. */
static PareTensor *
one_by_one (PareTensor *codes)
{
  switch (codes->dtype)
    {
    case PARE_DTYPE_INT4:
      return pare_tensor_cast (codes, PARE_DTYPE_INT8, NULL);
    case PARE_DTYPE_UINT4:
      return pare_tensor_cast (codes, PARE_DTYPE_UINT8, NULL);
    case PARE_DTYPE_INT8:
    case PARE_DTYPE_UINT8:
    case PARE_DTYPE_INT16:
    case PARE_DTYPE_UINT16:
      return pare_tensor_ref (codes);
    default:
      return NULL;
    }
}

/* Weights of blocks, as other files than those of com.microsoft have them. FALSE: there are none, or not known. What has one scale, or one
 * a channel, is a grid instead and no node by now. */
static gboolean
read_dequantized (const PareGraph *g, const PareNode *node, Rows *rows)
{
  PareTensor *codes = pare_node_input_constant (g, node, 0), *scales = pare_node_input_constant (g, node, 1),
             *zeros = pare_node_input_constant (g, node, 2);
  *rows = (Rows){ .scales = scales, .each = pare_node_get_int (node, "block_size", 0), .quantized = pare_node_get_int (node, "axis", 1) };
  if (codes == NULL || scales == NULL || scales->dtype != f32 || (pare_node_input (g, node, 2) != NULL && zeros == NULL) || rows->each < 1
      || rows->each > 1 << 24 || g->values[node->inputs[0]].quant != NULL)
    return FALSE;
  rows->quantized += rows->quantized < 0 ? codes->shape.rank : 0;
  rows->codes = one_by_one (codes);
  rows->zeros = zeros != NULL ? one_by_one (zeros) : NULL;
  if (rows->codes != NULL && (zeros == NULL || rows->zeros != NULL) && rows->quantized >= 0 && rows->quantized < codes->shape.rank
      && fits (rows))
    return TRUE;
  rows_clear (rows);
  return FALSE;
}

/* All that read v are products, by it as their matrix; they take it as it is. */
static gboolean
is_read_by_products (const PareGraph *g, PareValueId v)
{
  g_autoptr (PareConsumers) c = pare_graph_consumers (g);
  guint from = c->starts[v], to = c->starts[v + 1];
  for (guint i = from; i < to; i++)
    {
      const PareNode *reader = &g->nodes[c->nodes[i]];
      if (!(pare_node_is (reader, "MatMul") || pare_node_is (reader, "Gemm")) || reader->n_inputs < 2 || reader->inputs[1] != v
          || reader->inputs[0] == v)
        return FALSE;
    }
  return to > from && !pare_graph_is_output (g, v);
}

static gboolean
dequantize_blocks (PareWriter *w, const PareNode *node)
{
  Rows rows;
  if (!read_dequantized (w->graph, node, &rows))
    return FALSE;
  gboolean theirs = rows.codes->shape.rank == 2 && is_read_by_products (w->graph, w->out[0]);
  g_autoptr (PareTensor) all = theirs ? NULL : all_rows (&rows);
  rows_clear (&rows);
  if (all == NULL)
    return FALSE;
  PareValueId value = pare_write_constant (w, "weights", all);
  pare_write_to (w, "Identity", w->out[0], &value, 1);
  return TRUE;
}

/* (transfer full) Codes [k, n], or [n, k] where they are turned, as PARE_OP_BLOCK_GEMM has them: without a sign, columns one after the
 * other. zeros: of each block of a column; scales: likewise. */
static PareTensor *
lay_out_columns (const Rows *rows, gboolean turned, gboolean is_signed, int bits, PareTensor **scales, float *zeros)
{
  const gint64 k = rows->codes->shape.dims[turned ? 1 : 0], n = rows->codes->shape.dims[turned ? 0 : 1], each = rows->each,
               blocks = (k + each - 1) / each, half = 1 << (bits - 1);
  PareShape shape = pare_shape_make (3, n, blocks, each * bits / 8), of_blocks = pare_shape_make (2, n, blocks);
  PareTensor *t = pare_tensor_new (PARE_DTYPE_UINT8, &shape, NULL);
  *scales = t != NULL ? pare_tensor_new (f32, &of_blocks, NULL) : NULL;
  if (*scales == NULL)
    {
      g_clear_pointer (&t, pare_tensor_unref);
      return NULL;
    }
  const gint64 lift = is_signed ? half : 0; /* codes without a sign, and their zero points */
  for (gint64 c = 0; c < n; c++)
    for (gint64 b = 0; b < blocks; b++)
      {
        gsize from = (gsize)(turned ? c * blocks + b : b * n + c);
        zeros[c * blocks + b] = (float)(rows->zeros != NULL ? pare_tensor_get_int (rows->zeros, from) : 0) + (float)lift;
        ((float *)(*scales)->data)[c * blocks + b] = ((const float *)rows->scales->data)[from];
        guint8 *to = (guint8 *)t->data + (c * blocks + b) * each * bits / 8;
        for (gint64 i = 0; i < each && b * each + i < k; i++)
          {
            gint64 at = b * each + i;
            guint code = (guint)(pare_tensor_get_int (rows->codes, (gsize)(turned ? c * k + at : at * n + c)) + lift);
            to[i * bits / 8] |= (guint8)(code << (i * bits % 8));
          }
      }
  return t;
}

/* A product by weights that DequantizeLinear makes of blocks along the sum: on their codes, or as floats. */
gboolean
pare_decompose_product_of_blocks (PareWriter *w, const PareNode *node)
{
  PareNodeId producer = w->in[1] != PARE_NONE ? w->graph->values[w->in[1]].producer : PARE_NONE;
  Rows rows;
  if (producer == PARE_NONE || !pare_node_is (&w->graph->nodes[producer], "DequantizeLinear")
      || pare_node_get_int (&w->graph->nodes[producer], "block_size", 0) < 1 || !is_read_by_products (w->graph, w->in[1])
      || !read_dequantized (w->graph, &w->graph->nodes[producer], &rows))
    return FALSE;
  gboolean gemm = pare_node_is (node, "Gemm"), turned = gemm && pare_node_get_int (node, "transB", 0) != 0;
  PareDtype dtype = pare_node_input_constant (w->graph, &w->graph->nodes[producer], 0)->dtype;
  int bits = pare_dtype_bits (dtype);
  const PareShape *x = pare_writer_shape (w, w->in[0]);
  gboolean plain = !gemm
                   || (pare_node_get_int (node, "transA", 0) == 0 && pare_node_get_float (node, "alpha", 1) == 1
                       && (w->in[2] == PARE_NONE || pare_node_get_float (node, "beta", 1) == 1));
  if (plain && pare_writer_is_float (w, w->in[0]) && x->rank >= 2 && rows.codes->shape.rank == 2 && is_kept (rows.each, bits)
      && rows.quantized == (turned ? 1 : 0) && x->dims[x->rank - 1] == rows.codes->shape.dims[rows.quantized])
    {
      g_autofree float *zeros = g_new (float, pare_tensor_count (rows.scales) + 1);
      g_autoptr (PareTensor) scales = NULL,
                             codes
                             = lay_out_columns (&rows, turned, dtype == PARE_DTYPE_INT4 || dtype == PARE_DTYPE_INT8, bits, &scales, zeros),
                             offsets = codes != NULL ? offsets_of (zeros, scales, bits) : NULL;
      rows_clear (&rows);
      if (codes == NULL)
        return FALSE;
      PareValueId c = pare_write_constant (w, "codes", codes), s = pare_write_constant (w, "scales", scales);
      write_block_gemm (w, c, s, offsets, bits, gemm ? w->in[2] : PARE_NONE);
      return TRUE;
    }
  g_autoptr (PareTensor) all = all_rows (&rows);
  rows_clear (&rows);
  if (all == NULL)
    return FALSE;
  const PareValueId in[3] = { w->in[0], pare_write_constant (w, "weights", all), w->in[2] };
  pare_node_add_attrs (pare_write_to (w, node->op, w->out[0], in, node->n_inputs), node, NULL);
  return TRUE;
}

/* (transfer full) Codes with one scale and one zero point as floats; NULL: they are none, or not known. */
static PareTensor *
table_of (const PareWriter *w, const PareNode *node, guint codes_at, guint scale_at, guint zero_at)
{
  const PareTensor *codes = pare_node_input_constant (w->graph, node, codes_at),
                   *scale = pare_node_input_constant (w->graph, node, scale_at), *zero = pare_node_input_constant (w->graph, node, zero_at);
  if (codes == NULL || scale == NULL || (w->in[zero_at] != PARE_NONE && zero == NULL)
      || (codes->dtype != PARE_DTYPE_UINT8 && codes->dtype != PARE_DTYPE_INT8) || pare_tensor_count (scale) != 1
      || (zero != NULL && pare_tensor_count (zero) != 1))
    return NULL;
  float step = (float)pare_tensor_get_double (scale, 0), none = zero != NULL ? (float)pare_tensor_get_int (zero, 0) : 0;
  PareTensor *t = pare_tensor_new (f32, &codes->shape, NULL);
  for (gint64 i = 0; t != NULL && i < pare_tensor_count (t); i++)
    ((float *)t->data)[i] = ((float)pare_tensor_get_int (codes, (gsize)i) - none) * step;
  return t;
}

/* EmbedLayerNormalization over tables of codes: words, places, segments (or none), and what the sum is normalized with. */
static gboolean
q_embed_layer_norm (PareWriter *w, const PareNode *node)
{
  PareValueId in[8] = { w->in[0], w->in[1], PARE_NONE, PARE_NONE, PARE_NONE, PARE_NONE, PARE_NONE, w->in[7] };
  for (guint i = 2; i < 7; i++)
    {
      if (i == 4 && w->in[4] == PARE_NONE)
        continue;
      g_autoptr (PareTensor) table = table_of (w, node, i, 6 + i, 11 + i);
      if (table == NULL)
        return FALSE;
      in[i] = pare_write_constant (w, "table", table);
    }
  PareNode *made = pare_write_many (w, "EmbedLayerNormalization", w->out, MIN (node->n_outputs, 2), in, G_N_ELEMENTS (in));
  made->domain = PARE_DOMAIN_MS;
  pare_node_add_attrs (made, node, NULL);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_blocks[] = {
  { "", "DequantizeLinear", dequantize_blocks },
  { "", "Gemm", pare_decompose_product_of_blocks }, /* MatMul has a rule that asks for it */
  { PARE_DOMAIN_MS, "GatherBlockQuantized", gather_blocks },
  { PARE_DOMAIN_MS, "MatMulBnb4", matmul_bnb },
  { PARE_DOMAIN_MS, "MatMulNBits", matmul_n_bits },
  { PARE_DOMAIN_MS, "QEmbedLayerNormalization", q_embed_layer_norm },
  { NULL, NULL, NULL },
};
