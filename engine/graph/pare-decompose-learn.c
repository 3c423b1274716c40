/* Operators of ai.onnx.ml that stand around a network which scikit-learn trained (its scalers before, its classes behind), written out in
 * those of ONNX, as ONNX Runtime computes them. Trees, support vectors and the like stay refused: they are no networks. */
#include "engine/graph/pare-writer.h"

#include <math.h>

#define DOMAIN_ML "ai.onnx.ml"

static const PareDtype f32 = PARE_DTYPE_FLOAT32;

static gboolean
is_number (PareDtype dtype)
{
  return dtype == PARE_DTYPE_FLOAT32 || dtype == PARE_DTYPE_FLOAT64 || dtype == PARE_DTYPE_INT32 || dtype == PARE_DTYPE_INT64;
}

/* The operand as float32, which these operators give whatever they get; PARE_NONE: no numbers. */
static PareValueId
floats_of (PareWriter *w)
{
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  return !is_number (dtype) ? PARE_NONE : dtype == f32 ? w->in[0] : pare_write_cast (w, w->in[0], f32, PARE_NONE);
}

/* A list of floats as a constant, one for each feature or one for all; PARE_NONE: it is neither. */
static PareValueId
list (PareWriter *w, const PareNode *node, const char *name, float fallback)
{
  const PareShape *s = pare_writer_shape (w, w->in[0]);
  const PareAttr *a = pare_node_get_attr (node, name);
  if (a == NULL)
    return pare_write_number (w, fallback);
  if (a->kind != PARE_ATTR_FLOATS || s->rank < 1 || (a->n != 1 && (gint64)a->n != s->dims[s->rank - 1]))
    return PARE_NONE;
  PareShape shape = pare_shape_make (1, (gint64)a->n);
  g_autoptr (PareTensor) t = pare_tensor_new (f32, &shape, NULL);
  if (t == NULL)
    return PARE_NONE;
  for (guint i = 0; i < a->n; i++)
    ((float *)t->data)[i] = a->floats[i];
  return pare_write_constant (w, name, t);
}

/* (x - offset) * scale */
static gboolean
scaler (PareWriter *w, const PareNode *node)
{
  PareValueId offset = list (w, node, "offset", 0), scale = list (w, node, "scale", 1);
  PareValueId x = offset == PARE_NONE || scale == PARE_NONE ? PARE_NONE : floats_of (w);
  if (x == PARE_NONE)
    return FALSE;
  const PareValueId in[2] = { pare_write (w, "Sub", f32, x, offset), scale };
  pare_write_to (w, "Mul", w->out[0], in, 2);
  return TRUE;
}

/* What is missing, NaN or a number that stands for it, becomes another number. */
static gboolean
imputer (PareWriter *w, const PareNode *node)
{
  float missing = pare_node_get_float (node, "replaced_value_float", 0);
  PareValueId number = list (w, node, "imputed_value_floats", 0), x = w->in[0];
  if (pare_writer_dtype (w, x) != f32 || number == PARE_NONE || pare_node_get_attr (node, "imputed_value_floats") == NULL)
    return FALSE;
  PareValueId is = isnan (missing) ? pare_write (w, "IsNaN", PARE_DTYPE_BOOL, x, PARE_NONE)
                                   : pare_write (w, "Equal", PARE_DTYPE_BOOL, x, pare_write_number (w, missing));
  pare_write_where (w, is, number, x, w->out[0]);
  return TRUE;
}

/* x over the greatest, the sum of magnitudes or the length of its row; a row of zeros stays as it is. */
static gboolean
normalizer (PareWriter *w, const PareNode *node)
{
  g_autofree char *norm = pare_node_dup_string (node, "norm");
  const char *op = norm == NULL || g_str_equal (norm, "MAX") ? "ReduceMax"
                   : g_str_equal (norm, "L1")                ? "ReduceL1"
                   : g_str_equal (norm, "L2")                ? "ReduceL2"
                                                             : NULL;
  const gint64 last = -1;
  PareValueId x = op == NULL ? PARE_NONE : floats_of (w);
  if (x == PARE_NONE)
    return FALSE;
  PareValueId size = pare_write_reduce (w, op, x, pare_write_ints (w, &last, 1), TRUE);
  PareValueId none = pare_write (w, "Equal", PARE_DTYPE_BOOL, size, pare_write_number (w, 0));
  const PareValueId in[2] = { x, pare_write_where (w, none, pare_write_number (w, 1), size, PARE_NONE) };
  pare_write_to (w, "Div", w->out[0], in, 2);
  return TRUE;
}

/* 1 above the threshold, else 0. */
static gboolean
binarizer (PareWriter *w, const PareNode *node)
{
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  if (dtype != f32)
    return FALSE;
  PareValueId above
      = pare_write (w, "Greater", PARE_DTYPE_BOOL, w->in[0], pare_write_number (w, pare_node_get_float (node, "threshold", 0)));
  pare_write_cast (w, above, f32, w->out[0]);
  return TRUE;
}

/* Some of the last axis. Of a list, it is one row. */
static gboolean
extractor (PareWriter *w, const PareNode *node)
{
  const gint64 all[1] = { -1 }, row[2] = { 1, -1 };
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  int rank = pare_writer_shape (w, w->in[0])->rank;
  if (!is_number (dtype) || rank < 1 || w->in[1] == PARE_NONE)
    return FALSE;
  const PareValueId in[2]
      = { rank == 1 ? pare_write_reshape (w, w->in[0], row, 2, PARE_NONE) : w->in[0], pare_write_reshape (w, w->in[1], all, 1, PARE_NONE) };
  pare_node_set_int (pare_write_to (w, "Gather", w->out[0], in, 2), "axis", rank == 1 ? 1 : rank - 1);
  return TRUE;
}

/* Classes and their probabilities side by side: the probabilities, in the order of the classes. */
static gboolean
zip_map (PareWriter *w, const PareNode *node)
{
  pare_write_to (w, "Identity", w->out[0], w->in, 1);
  return TRUE;
}

/* x coefficients' + intercepts */
static gboolean
linear_regressor (PareWriter *w, const PareNode *node)
{
  const PareShape x = *pare_writer_shape (w, w->in[0]);
  const PareAttr *a = pare_node_get_attr (node, "coefficients"), *b = pare_node_get_attr (node, "intercepts");
  g_autofree char *after = pare_node_dup_string (node, "post_transform");
  gint64 targets = pare_node_get_int (node, "targets", 1);
  if ((after != NULL && !g_str_equal (after, "NONE")) || x.rank != 2 || targets < 1 || x.dims[1] < 1 || a == NULL
      || a->kind != PARE_ATTR_FLOATS || (gint64)a->n / targets != x.dims[1] || a->n % targets != 0
      || (b != NULL && (b->kind != PARE_ATTR_FLOATS || (gint64)b->n != targets)))
    return FALSE;
  PareShape shape = pare_shape_make (2, targets, x.dims[1]), row = pare_shape_make (1, targets);
  g_autoptr (PareTensor) k = pare_tensor_new (f32, &shape, NULL), bias = pare_tensor_new (f32, &row, NULL);
  if (k == NULL || bias == NULL)
    return FALSE;
  for (guint i = 0; i < a->n; i++)
    ((float *)k->data)[i] = a->floats[i];
  for (gint64 i = 0; i < targets; i++)
    ((float *)bias->data)[i] = b != NULL ? b->floats[i] : 0;
  PareValueId in[3] = { floats_of (w), PARE_NONE, PARE_NONE };
  if (in[0] == PARE_NONE)
    return FALSE;
  in[1] = pare_write_constant (w, "coefficients", k);
  in[2] = pare_write_constant (w, "intercepts", bias);
  pare_node_set_int (pare_write_to (w, "Gemm", w->out[0], in, 3), "transB", 1);
  return TRUE;
}

const PareDecomposeRule pare_decompose_rules_learn[] = {
  { DOMAIN_ML, "ArrayFeatureExtractor", extractor },
  { DOMAIN_ML, "Binarizer", binarizer },
  { DOMAIN_ML, "Imputer", imputer },
  { DOMAIN_ML, "LinearRegressor", linear_regressor },
  { DOMAIN_ML, "Normalizer", normalizer },
  { DOMAIN_ML, "Scaler", scaler },
  { DOMAIN_ML, "ZipMap", zip_map },
  { NULL, NULL, NULL },
};
