/* The sum of codes and a number that is a code itself, rounded, as ONNX Runtime's QLinearAdd takes it: where sums lie between two codes, as
 * those of 1 and what Erf gives do in every GELU, the last bit decides which one they become. */
#include "engine/lower/pare-lower-private.h"

#include <math.h>

/* The operand of an Add with one number, both of which lie on grids of one scale; PARE_NONE: v is computed otherwise. */
static PareValueId
operand_of (const PareBuilder *b, PareValueId v, const PareValue **number)
{
  const PareGraph *graph = b->graph;
  PareNodeId id = graph->values[v].producer;
  const PareNode *node = id != PARE_NONE ? &graph->nodes[id] : NULL;
  int of = node != NULL && node->op != NULL && pare_node_is (node, "Add") ? pare_lower_function_of (graph, node) : -1;
  if (of < 0)
    return PARE_NONE;
  *number = &graph->values[node->inputs[1 - of]];
  const PareQuant *a = b->grid[node->inputs[of]], *q = (*number)->quant;
  return a != NULL && a->n == 1 && q != NULL && q->n == 1 ? node->inputs[of] : PARE_NONE;
}

PareValueId
pare_lower_number_operand (const PareBuilder *b, PareValueId v)
{
  const PareValue *number;
  return operand_of (b, v, &number);
}

void
pare_lower_add_number (const PareBuilder *b, PareValueId v, const float *reals, const PareQuant *y, float *codes)
{
  const PareValue *number = NULL;
  const PareQuant *a = b->grid[operand_of (b, v, &number)], *q = number->quant;
  float zero_a = (float)a->zero[0], zero_b = (float)q->zero[0], zero = (float)y->zero[0];
  float code_b = rintf ((float)pare_tensor_get_double (number->constant, 0) / q->scale[0]) + zero_b;
  float ratio_a = a->scale[0] / y->scale[0], ratio_b = q->scale[0] / y->scale[0];
  float fixed = fmaf (ratio_b, code_b, zero - fmaf (ratio_a, zero_a, ratio_b * zero_b));
  for (int i = 0; i < 256; i++)
    {
      float c = rintf (fmaf (rintf (reals[i] / a->scale[0]) + zero_a, ratio_a, fixed));
      c = c > (float)y->lo ? c : (float)y->lo;
      codes[i] = c < (float)y->hi ? c : (float)y->hi;
    }
}
