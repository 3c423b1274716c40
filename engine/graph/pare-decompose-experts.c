/* Mixtures of experts of com.microsoft: every expert is computed for every row, and what the router gave those that it did not choose is 0.
 */
#include "engine/graph/pare-writer.h"

#include <math.h>

static const PareDtype f32 = PARE_DTYPE_FLOAT32, i64 = PARE_DTYPE_INT64;

typedef enum
{
  ACT_IDENTITY,
  ACT_RELU,
  ACT_GELU,
  ACT_SILU,
  ACT_SWIGLU
} Activation;

typedef struct
{
  gint64 rows, hidden, experts, chosen;
  Activation activation;
  gint64 fusion; /* of SwiGLU: how gate and value lie in what the first weights give: 1: in turns, 2: one behind the other */
  float alpha, beta, limit;
} Mixture;

static gboolean
read_mixture (const PareWriter *w, const PareNode *node, Mixture *m)
{
  static const char *const names[] = { "identity", "relu", "gelu", "silu", "swiglu" };
  g_autofree char *name = pare_node_dup_string (node, "activation_type");
  gint64 kind = name == NULL ? ACT_RELU : -1;
  for (gint64 i = 0; name != NULL && i < (gint64)G_N_ELEMENTS (names); i++)
    if (g_str_equal (name, names[i]))
      kind = i;
  if (kind < 0 || !pare_writer_is_float (w, w->in[0]) || w->in[1] == PARE_NONE || !pare_writer_is_float (w, w->in[1])
      || pare_node_get_int (node, "use_sparse_mixer", 0) != 0 || pare_node_get_int (node, "swiglu_limit_after_activation", 0) != 0)
    return FALSE;
  const PareShape *x = pare_writer_shape (w, w->in[0]), *router = pare_writer_shape (w, w->in[1]);
  *m = (Mixture){ .activation = (Activation)kind,
                  .chosen = pare_node_get_int (node, "k", 1),
                  .fusion = pare_node_get_int (node, "swiglu_fusion", 0),
                  .alpha = pare_node_get_float (node, "activation_alpha", 1),
                  .beta = pare_node_get_float (node, "activation_beta", 0),
                  .limit = pare_node_get_float (node, "swiglu_limit", INFINITY) };
  if (x->rank < 2 || x->rank > 3 || router->rank != 2 || x->dims[x->rank - 1] < 1)
    return FALSE;
  m->hidden = x->dims[x->rank - 1];
  m->rows = pare_shape_count (x) / m->hidden;
  m->experts = router->dims[1];
  return router->dims[0] == m->rows && m->chosen >= 1 && m->chosen <= m->experts
         && (m->activation != ACT_SWIGLU || m->fusion == 1 || m->fusion == 2);
}

/* [experts, n, k] of floats as [experts, k, n]. */
static PareValueId
turned (PareWriter *w, PareValueId weights)
{
  static const gint64 swap[] = { 0, 2, 1 };
  return pare_write_transpose (w, weights, swap, 3, PARE_NONE);
}

/* [experts, n] as what is added to [experts, rows, n] */
static PareValueId
with_bias (PareWriter *w, PareValueId x, PareValueId bias)
{
  static const gint64 rows[] = { 1 };
  return bias == PARE_NONE ? x : pare_write (w, "Add", f32, x, pare_write_unsqueeze (w, bias, rows, 1));
}

static PareValueId
swiglu (PareWriter *w, const Mixture *m, PareValueId x, gint64 width)
{
  gboolean turns = m->fusion == 1;
  PareValueId gate = pare_write_slice (w, x, 2, 0, turns ? 2 * width : width, turns ? 2 : 1),
              value = pare_write_slice (w, x, 2, turns ? 1 : width, 2 * width, turns ? 2 : 1);
  if (isfinite (m->limit))
    {
      gate = pare_write (w, "Min", f32, gate, pare_write_number (w, m->limit));
      value = pare_write (w, "Max", f32, pare_write (w, "Min", f32, value, pare_write_number (w, m->limit)),
                          pare_write_number (w, -m->limit));
    }
  PareValueId inner = m->alpha != 1 ? pare_write (w, "Mul", f32, gate, pare_write_number (w, m->alpha)) : gate;
  gate = pare_write (w, "Mul", f32, gate, pare_write (w, "Sigmoid", f32, inner, PARE_NONE));
  return pare_write (w, "Mul", f32, gate, m->beta != 0 ? pare_write (w, "Add", f32, value, pare_write_number (w, m->beta)) : value);
}

static PareValueId
activated (PareWriter *w, const Mixture *m, PareValueId x, gint64 width)
{
  switch (m->activation)
    {
    case ACT_RELU:
      return pare_write (w, "Relu", f32, x, PARE_NONE);
    case ACT_GELU:
      {
        PareValueId gelu = pare_graph_add_value (w->graph, "Gelu", f32, NULL, PARE_NONE);
        pare_node_set_string (pare_write_to (w, "Gelu", gelu, &x, 1), "approximate", "tanh");
        return gelu;
      }
    case ACT_SILU:
      return pare_write (w, "Mul", f32, x, pare_write (w, "Sigmoid", f32, x, PARE_NONE));
    case ACT_SWIGLU:
      return swiglu (w, m, x, width);
    default:
      return x;
    }
}

/* [rows, experts]: how much of each expert a row gets. Shares are those of all experts, or of the chosen ones among themselves: with
 * weights of codes always, as ONNX Runtime has it. mixed (PARE_NONE: the router): what the shares are of those that the router chose. */
static PareValueId
shares_of (PareWriter *w, const PareNode *node, const Mixture *m, PareValueId mixed)
{
  gboolean normalizes = pare_node_get_int (node, "normalize_routing_weights", 0) != 0,
           among = normalizes || (mixed == PARE_NONE && g_str_equal (node->op, "QMoE"));
  PareShape all = { .rank = 2, .dims = { m->rows, m->experts } };
  g_autoptr (PareTensor) none = pare_tensor_new (f32, &all, NULL);
  if (none == NULL)
    return PARE_NONE;
  PareValueId out[2] = { pare_graph_add_value (w->graph, "greatest", f32, NULL, PARE_NONE),
                         pare_graph_add_value (w->graph, "chosen", i64, NULL, PARE_NONE) };
  PareValueId in[2] = { w->in[1], pare_write_ints (w, &m->chosen, 1) };
  pare_write_many (w, "TopK", out, 2, in, 2);
  PareValueId share = out[0];
  if (mixed != PARE_NONE || !among)
    {
      PareValueId from[2] = { mixed != PARE_NONE ? mixed : pare_write (w, "Softmax", f32, w->in[1], PARE_NONE), out[1] };
      share = pare_graph_add_value (w->graph, "share", f32, NULL, PARE_NONE);
      pare_node_set_int (pare_write_to (w, "GatherElements", share, from, 2), "axis", 1);
      if (mixed != PARE_NONE && among)
        {
          static const gint64 across[] = { 1 };
          share = pare_write (w, "Div", f32, share, pare_write_reduce (w, "ReduceSum", share, pare_write_ints (w, across, 1), TRUE));
        }
    }
  else
    share = pare_write (w, "Softmax", f32, share, PARE_NONE);
  const PareValueId spread[3] = { pare_write_constant (w, "none", none), out[1], share };
  PareValueId shares = pare_graph_add_value (w->graph, "shares", f32, NULL, PARE_NONE);
  pare_node_set_int (pare_write_to (w, "ScatterElements", shares, spread, 3), "axis", 1);
  return shares;
}

/* weights and biases of both products, floats: [experts, n, hidden], [experts, n], [experts, hidden, width], [experts, hidden] */
static gboolean
mix (PareWriter *w, const PareNode *node, const Mixture *m, const PareValueId first[2], const PareValueId second[2], PareValueId mixed)
{
  static const gint64 experts[] = { 0 }, last[] = { 2 }, swap[] = { 1, 0 };
  gint64 parts = m->activation == ACT_SWIGLU ? 2 : 1;
  for (guint i = 0; i < 2; i++)
    {
      const PareShape *s = pare_writer_shape (w, i == 0 ? first[0] : second[0]);
      if (!pare_writer_is_float (w, i == 0 ? first[0] : second[0]) || s->rank != 3 || s->dims[0] != m->experts
          || s->dims[i == 0 ? 2 : 1] != m->hidden)
        return FALSE;
    }
  gint64 n = pare_writer_shape (w, first[0])->dims[1], width = pare_writer_shape (w, second[0])->dims[2];
  if (n != parts * width)
    return FALSE;
  const PareShape shape = *pare_writer_shape (w, w->in[0]);
  const gint64 one[] = { 1, m->rows, m->hidden };
  PareValueId shares = shares_of (w, node, m, mixed);
  if (shares == PARE_NONE)
    return FALSE;
  PareValueId x = pare_write_reshape (w, w->in[0], one, 3, PARE_NONE);
  PareValueId y = activated (w, m, with_bias (w, pare_write (w, "MatMul", f32, x, turned (w, first[0])), first[1]), width);
  y = with_bias (w, pare_write (w, "MatMul", f32, y, turned (w, second[0])), second[1]);
  PareValueId share = pare_write_unsqueeze (w, pare_write_transpose (w, shares, swap, 2, PARE_NONE), last, 1);
  y = pare_write_reduce (w, "ReduceSum", pare_write (w, "Mul", f32, y, share), pare_write_ints (w, experts, 1), FALSE);
  pare_write_reshape (w, y, shape.dims, (guint)shape.rank, w->out[0]);
  return TRUE;
}

static gboolean
mixture (PareWriter *w, const PareNode *node)
{
  Mixture m;
  if (!read_mixture (w, node, &m) || w->in[2] == PARE_NONE || w->in[4] == PARE_NONE || w->in[6] != PARE_NONE || w->in[7] != PARE_NONE)
    return FALSE;
  return mix (w, node, &m, &w->in[2], &w->in[4], PARE_NONE);
}

/* Codes [experts, n, bytes of k], scales and zero points (PARE_NONE: none) of each row or of blocks of one, as floats [experts, n, k];
 * PARE_NONE: not as it should be. */
static PareValueId
expert_weights (PareWriter *w, const PareNode *node, guint codes_at, guint zeros_at, gint64 k, gint64 bits)
{
  PareTensor *codes = pare_node_input_constant (w->graph, node, codes_at),
             *scales = pare_node_input_constant (w->graph, node, codes_at + 1),
             *zeros = pare_node_input_constant (w->graph, node, zeros_at);
  gint64 each = pare_node_get_int (node, "block_size", 0);
  if (codes == NULL || scales == NULL || codes->shape.rank != 3 || codes->dtype != PARE_DTYPE_UINT8 || (bits != 2 && bits != 4 && bits != 8)
      || (w->in[zeros_at] != PARE_NONE && (zeros == NULL || zeros->dtype != PARE_DTYPE_UINT8)) || k < 1 || k > 1 << 24)
    return PARE_NONE;
  each = each > 0 ? each : k;
  gint64 rows = codes->shape.dims[0] * codes->shape.dims[1], bytes = codes->shape.dims[2], blocks = k / each;
  gboolean by_row = zeros != NULL && zeros->shape.rank == 3; /* else the zero points of an expert's rows lie in one row */
  gint64 each_expert = codes->shape.dims[1], zero_bytes = ((by_row ? blocks : each_expert) * bits + 7) / 8;
  if (bytes * 8 != k * bits || k % each != 0 || pare_tensor_count (scales) != rows * blocks
      || (zeros != NULL && (pare_tensor_count (zeros) != (by_row ? rows : codes->shape.dims[0]) * zero_bytes || (!by_row && blocks != 1))))
    return PARE_NONE;
  PareShape shape = { .rank = 3, .dims = { codes->shape.dims[0], each_expert, k } };
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &shape, NULL);
  guint mask = (1u << bits) - 1;
  for (gint64 r = 0; t != NULL && r < rows; r++)
    for (gint64 i = 0; i < k; i++)
      {
        gint64 block = i / each, at = i * bits, zero_at = (by_row ? block : r % each_expert) * bits;
        guint code = ((const guint8 *)codes->data)[r * bytes + at / 8] >> (at % 8) & mask, zero = 1u << (bits - 1);
        if (zeros != NULL)
          zero = ((const guint8 *)zeros->data)[(by_row ? r : r / each_expert) * zero_bytes + zero_at / 8] >> (zero_at % 8) & mask;
        ((float *)t->data)[r * k + i] = ((float)code - (float)zero) * (float)pare_tensor_get_double (scales, (gsize)(r * blocks + block));
      }
  return t != NULL ? pare_write_constant (w, "weights", t) : PARE_NONE;
}

static gboolean
quantized_mixture (PareWriter *w, const PareNode *node)
{
  Mixture m;
  g_autofree char *kind = pare_node_dup_string (node, "quant_type");
  gint64 bits = pare_node_get_int (node, "expert_weight_bits", 4);
  if (!read_mixture (w, node, &m) || (kind != NULL && !g_str_equal (kind, "int")) || w->in[8] != PARE_NONE || w->in[9] != PARE_NONE
      || w->in[10] != PARE_NONE || w->in[13] != PARE_NONE || w->in[15] != PARE_NONE || w->in[5] == PARE_NONE)
    return FALSE;
  const PareTensor *second = pare_node_input_constant (w->graph, node, 5);
  gint64 second_bits = pare_node_get_int (node, "fc2_expert_weight_bits", bits);
  if (second == NULL || second->shape.rank != 3 || second_bits < 1)
    return FALSE;
  const PareValueId weights[2] = { expert_weights (w, node, 2, 11, m.hidden, pare_node_get_int (node, "fc1_expert_weight_bits", bits)),
                                   expert_weights (w, node, 5, 12, second->shape.dims[2] * 8 / second_bits, second_bits) };
  if (weights[0] == PARE_NONE || weights[1] == PARE_NONE)
    return FALSE;
  return mix (w, node, &m, (PareValueId[2]){ weights[0], w->in[4] }, (PareValueId[2]){ weights[1], w->in[7] }, w->in[14]);
}

const PareDecomposeRule pare_decompose_rules_experts[] = {
  { PARE_DOMAIN_MS, "MoE", mixture },
  { PARE_DOMAIN_MS, "QMoE", quantized_mixture },
  { NULL, NULL, NULL },
};
