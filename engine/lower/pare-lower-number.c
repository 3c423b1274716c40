/* The sum or the product of codes and a number that is a code itself, rounded, as ONNX Runtime's QLinearAdd and QLinearMul take it: where
 * sums lie between two codes, as those of 1 and what Erf gives do in every GELU, the last bit decides which one they become; and what hides
 * words in a mask may be beyond any float, where its code is not. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

/* The operand of such an Add or Mul with one number, both of which lie on grids of one scale; PARE_NONE: v is computed otherwise. */
static PareValueId
operand_of (const PareBuilder *b, PareValueId v, gboolean *sum, const PareValue **number)
{
  const PareGraph *graph = b->graph;
  PareNodeId id = graph->values[v].producer;
  const PareNode *node = id != PARE_NONE ? &graph->nodes[id] : NULL;
  *sum = node != NULL && node->op != NULL && pare_node_is (node, "Add");
  gboolean product = node != NULL && node->op != NULL && pare_node_is (node, "Mul") && pare_node_get_int (node, PARE_ATTR_OF_CODES, 0) != 0;
  int of = *sum || product ? pare_lower_function_of (graph, node) : -1;
  if (of < 0)
    return PARE_NONE;
  *number = &graph->values[node->inputs[1 - of]];
  const PareQuant *a = b->grid[node->inputs[of]], *q = (*number)->quant;
  return a != NULL && a->n == 1 && q != NULL && q->n == 1 ? node->inputs[of] : PARE_NONE;
}

/* The code that a number is; one beyond any float is the nearest of those that are. */
static float
code_of (float number, const PareQuant *q)
{
  gint32 step = number < 0 ? -1 : 1, code = q->zero[0];
  if (isfinite (number))
    return rintf (number / q->scale[0]) + (float)code;
  while (code + step >= q->lo && code + step <= q->hi && isfinite ((float)(code - q->zero[0]) * q->scale[0]))
    code += step;
  return (float)code;
}

PareValueId
pare_lower_number_operand (const PareBuilder *b, PareValueId v)
{
  gboolean sum;
  const PareValue *number;
  return operand_of (b, v, &sum, &number);
}

void
pare_lower_with_number (const PareBuilder *b, PareValueId v, const float *reals, const PareQuant *y, float *codes)
{
  gboolean sum;
  const PareValue *number = NULL;
  const PareQuant *a = b->grid[operand_of (b, v, &sum, &number)], *q = number->quant;
  float zero_a = (float)a->zero[0], zero_b = (float)q->zero[0], zero = (float)y->zero[0];
  float code_b = code_of ((float)pare_tensor_get_double (number->constant, 0), q);
  float ratio_a = a->scale[0] / y->scale[0], ratio_b = q->scale[0] / y->scale[0], both = a->scale[0] * q->scale[0] / y->scale[0];
  float fixed = fmaf (ratio_b, code_b, zero - fmaf (ratio_a, zero_a, ratio_b * zero_b));
  for (int i = 0; i < 256; i++)
    {
      float code_a = rintf (reals[i] / a->scale[0]) + zero_a;
      float c = rintf (sum ? fmaf (code_a, ratio_a, fixed) : fmaf ((code_a - zero_a) * (code_b - zero_b), both, zero));
      c = c > (float)y->lo ? c : (float)y->lo;
      codes[i] = c < (float)y->hi ? c : (float)y->hi;
    }
}
