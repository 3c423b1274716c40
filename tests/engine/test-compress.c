/* Compression of whole graphs, made by hand and of the material's models where they are. */
#include "random-tensor.h"
#include "engine/compress/pare-compress-private.h"
#include "engine/evaluate/pare-evaluate.h"
#include "engine/onnx/pare-onnx.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- a network by hand: Conv BN Relu MaxPool | depthwise Conv Relu, Conv, Add, Relu | Conv Relu | GlobalAveragePool Flatten Gemm Softmax
 * --- */

typedef struct
{
  PareGraph *g;
  PareValueId last;
  guint64 seed;
} Net;

static PareValueId
add_node (Net *n, const char *op, const char *name, PareValueId a, PareValueId b, PareValueId c)
{
  PareValueId in[3] = { a, b, c };
  g_autofree char *out_name = g_strconcat (name, "_out", NULL);
  PareShape unknown = { .rank = -1 };
  PareValueId out = pare_graph_add_value (n->g, out_name, PARE_DTYPE_FLOAT32, &unknown, PARE_NONE);
  guint count = c != PARE_NONE ? 3 : b != PARE_NONE ? 2 : 1;
  pare_graph_add_node (n->g, op, name, in, count, &out, 1, n->g->n_nodes, PARE_ROLE_SELF);
  return n->last = out;
}

static PareValueId
constant (Net *n, const char *name, PareTensor *t)
{
  PareValueId id = pare_graph_add_constant (n->g, name, t, PARE_NONE);
  pare_tensor_unref (t);
  return id;
}

static PareValueId
conv (Net *n, const char *name, PareValueId x, gint64 out, gint64 in, gint64 kernel, gint64 group, gint64 stride, gboolean bias)
{
  g_autofree char *wn = g_strconcat (name, "_w", NULL), *bn = g_strconcat (name, "_b", NULL);
  PareValueId w = constant (n, wn, TENSOR (++n->seed, 1 / sqrt ((double)(in / group * kernel * kernel)), out, in / group, kernel, kernel));
  PareValueId b = bias ? constant (n, bn, TENSOR (++n->seed, 0.1, out)) : PARE_NONE;
  PareValueId y = add_node (n, "Conv", name, x, w, b);
  PareNode *node = &n->g->nodes[n->g->n_nodes - 1];
  gint64 k[2] = { kernel, kernel }, s[2] = { stride, stride }, p[4] = { kernel / 2, kernel / 2, kernel / 2, kernel / 2 };
  pare_node_set_ints (node, "kernel_shape", k, 2);
  pare_node_set_ints (node, "strides", s, 2);
  pare_node_set_ints (node, "pads", p, 4);
  pare_node_set_int (node, "group", group);
  return y;
}

static PareGraph *
make_net (void)
{
  Net n = { pare_graph_new ("net"), PARE_NONE, 100 };
  n.g->opset = 13;
  n.g->ir_version = 7;
  PareShape in = pare_shape_make (4, (gint64)1, (gint64)3, (gint64)12, (gint64)12), out = pare_shape_make (2, (gint64)1, (gint64)10);
  PareValueId x = pare_graph_add_value (n.g, "x", PARE_DTYPE_FLOAT32, &in, PARE_NONE);
  n.g->inputs = g_new (PareValueId, 1);
  n.g->inputs[n.g->n_inputs++] = x;
  PareValueId y = conv (&n, "conv1", x, 16, 3, 3, 1, 1, FALSE);
  PareValueId scale = constant (&n, "bn_scale", TENSOR (1, 0.1, 16)), shift = constant (&n, "bn_shift", TENSOR (2, 0.2, 16));
  PareValueId mean = constant (&n, "bn_mean", TENSOR (3, 0.2, 16)), var = constant (&n, "bn_var", TENSOR (4, 0.1, 16));
  for (int i = 0; i < 16; i++)
    {
      ((float *)n.g->values[scale].constant->data)[i] += 1;
      ((float *)n.g->values[var].constant->data)[i] = fabsf (((float *)n.g->values[var].constant->data)[i]) + 0.5f;
    }
  y = add_node (&n, "BatchNormalization", "bn1", y, scale, shift);
  PareValueId five[5] = { n.g->nodes[n.g->n_nodes - 1].inputs[0], scale, shift, mean, var };
  pare_node_set_inputs (&n.g->nodes[n.g->n_nodes - 1], five, 5);
  y = add_node (&n, "Relu", "relu1", y, PARE_NONE, PARE_NONE);
  y = add_node (&n, "MaxPool", "pool1", y, PARE_NONE, PARE_NONE);
  gint64 two[2] = { 2, 2 };
  pare_node_set_ints (&n.g->nodes[n.g->n_nodes - 1], "kernel_shape", two, 2);
  pare_node_set_ints (&n.g->nodes[n.g->n_nodes - 1], "strides", two, 2);
  PareValueId skip = y;
  y = conv (&n, "dw", y, 16, 16, 3, 16, 1, TRUE);
  y = add_node (&n, "Relu", "relu2", y, PARE_NONE, PARE_NONE);
  y = conv (&n, "pw", y, 16, 16, 1, 1, 1, TRUE);
  y = add_node (&n, "Add", "add", y, skip, PARE_NONE);
  y = add_node (&n, "Relu", "relu3", y, PARE_NONE, PARE_NONE);
  y = conv (&n, "conv2", y, 24, 16, 3, 1, 2, TRUE);
  y = add_node (&n, "Relu", "relu4", y, PARE_NONE, PARE_NONE);
  y = add_node (&n, "Flatten", "flatten", y, PARE_NONE, PARE_NONE);
  PareValueId w = constant (&n, "fc_w", TENSOR (50, 0.06, 10, 24 * 9)), b = constant (&n, "fc_b", TENSOR (51, 0.1, 10));
  y = add_node (&n, "Gemm", "fc", y, w, b);
  pare_node_set_int (&n.g->nodes[n.g->n_nodes - 1], "transB", 1);
  y = add_node (&n, "Softmax", "softmax", y, PARE_NONE, PARE_NONE);
  n.g->values[y].shape = out;
  n.g->outputs = g_new (PareValueId, 1);
  n.g->outputs[n.g->n_outputs++] = y;
  pare_graph_name_layers (n.g);
  for (guint i = 0; i < n.g->n_values; i++)
    n.g->values[i].origin = i;
  GError *error = NULL;
  g_assert_true (pare_graph_verify (n.g, &error));
  g_assert_no_error (error);
  return n.g;
}

/* The first output for a fixed input. */
static PareTensor *
run (const PareGraph *g)
{
  GError *error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  PareShape shape;
  PareDtype dtype;
  pare_program_get_input (program, 0, &dtype, &shape);
  g_autoptr (PareTensor) x = tensor (77, 1, shape.rank, shape.dims);
  PareView view = pare_tensor_view (x);
  g_assert_true (pare_runner_run (runner, &view, 1, NULL, &error));
  g_assert_no_error (error);
  PareView out = pare_runner_get_output (runner, 0);
  PareTensor *y = pare_tensor_new (out.dtype, &out.shape, NULL);
  memcpy (y->data, out.data, y->bytes);
  return y;
}

static double
largest_difference (const PareTensor *a, const PareTensor *b)
{
  double worst = 0;
  g_assert_cmpint (pare_tensor_count (a), ==, pare_tensor_count (b));
  for (gint64 i = 0; i < pare_tensor_count (a); i++)
    worst = MAX (worst, fabs (((float *)a->data)[i] - ((float *)b->data)[i]));
  return worst;
}

static PareRecipe *
recipe (const char *body)
{
  g_autofree char *json = g_strdup_printf ("{\"pare_recipe\": 1, %s}", body);
  GError *error = NULL;
  PareRecipe *r = pare_recipe_parse (json, -1, "test", &error);
  g_assert_no_error (error);
  return r;
}

static PareGraph *
apply (const PareGraph *g, const char *body, const PareStatistics *statistics, guint n_warnings)
{
  g_autoptr (PareRecipe) r = recipe (body);
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);
  GError *error = NULL;
  PareGraph *changed = pare_apply (g, r, statistics, warnings, NULL, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < warnings->len; i++)
    g_test_message ("%s", (char *)g_ptr_array_index (warnings, i));
  if (n_warnings != G_MAXUINT)
    g_assert_cmpuint (warnings->len, ==, n_warnings);
  g_assert_true (pare_graph_verify (changed, &error));
  g_assert_no_error (error);
  return changed;
}

static const PareValue *
weights_of (const PareGraph *g, const char *layer)
{
  PareNodeId id = pare_graph_find_layer (g, layer);
  g_assert_cmpuint (id, !=, PARE_NONE);
  return &g->values[g->nodes[id].inputs[1]];
}

static void
test_identity (void)
{
  g_autoptr (PareGraph) g = make_net ();
  g_autoptr (PareGraph) same = apply (g, "\"layers\": {\"dw\": {\"exclude\": true}}", NULL, 0);
  g_assert_cmpuint (same->n_nodes, ==, g->n_nodes);
  g_autoptr (PareTensor) a = run (g), b = run (same);
  g_assert_cmpfloat (largest_difference (a, b), ==, 0);
}

static void
test_weights (void)
{
  g_autoptr (PareGraph) g = make_net ();
  g_autoptr (PareTensor) before = pare_layer_dup_weights (g, "conv1"), y = run (g);
  g_autoptr (PareGraph) q
      = apply (g, "\"defaults\": {\"weights\": {\"bits\": 4}}, \"layers\": {\"pw\": {\"weights\": {\"bits\": 16}}}", NULL, 0);
  g_assert_cmpuint (pare_graph_find_layer (q, "bn1"), ==, PARE_NONE); /* folded, so that what is rounded is what is deployed */
  const PareValue *w = weights_of (q, "conv1");
  g_assert_cmpint (w->quant->bits, ==, 4);
  g_assert_cmpuint (w->quant->n, ==, 16);
  double error = 0, all = 0;
  for (gint64 i = 0; i < pare_tensor_count (before); i++)
    {
      double d = ((float *)before->data)[i] - ((float *)w->constant->data)[i];
      error += d * d;
      all += ((float *)before->data)[i] * ((float *)before->data)[i];
    }
  g_assert_cmpfloat (error / all, <, 0.02);
  g_assert_cmpfloat (error / all, >, 1e-4);
  g_assert_cmpint (weights_of (q, "pw")->storage, ==, PARE_DTYPE_FLOAT16);
  g_assert_null (weights_of (q, "pw")->quant);
  PareLayerRecipe only;
  pare_layer_recipe_init (&only);
  only.weight_bits = 4;
  PareWeightError e;
  g_assert_true (pare_layer_weight_error (g, &only, "conv1", &e, NULL));
  g_assert_cmpfloat (fabs (e.relative_error - error / all), <, 1e-6);
  double curve[9];
  pare_layer_bits_curve (g, "conv1", &only, curve);
  g_assert_cmpfloat (curve[2], ==, e.relative_error);
  for (int i = 1; i < 9; i++)
    g_assert_cmpfloat (curve[i], <, curve[i - 1]);
  g_assert_cmpfloat (curve[8], ==, 0);
  g_autoptr (PareTensor) changed = run (q);
  g_assert_cmpfloat (largest_difference (y, changed), <, 0.2);
  g_assert_cmpfloat (largest_difference (y, changed), >, 0);
  /* the source is as it was */
  g_assert_nonnull (weights_of (g, "conv1")->constant);
  g_assert_null (weights_of (g, "conv1")->quant);
}

/* --- channels --- */

static void
scale_channel (PareGraph *g, const char *layer, gint64 channel, float by)
{
  PareNodeId id = pare_graph_find_layer (g, layer);
  PareTensor *w = g->values[g->nodes[id].inputs[1]].constant;
  gint64 n = pare_tensor_count (w) / w->shape.dims[0];
  for (gint64 i = 0; i < n; i++)
    ((float *)w->data)[channel * n + i] *= by;
  if (g->nodes[id].n_inputs > 2)
    ((float *)g->values[g->nodes[id].inputs[2]].constant->data)[channel] *= by;
}

static void
test_channels (void)
{
  g_autoptr (PareGraph) g = make_net ();
  /* conv1, pw and dw are one group: the sum ties conv1 to pw, the depthwise layer hands conv1's channels to pw's input. */
  PareCoupledGroup *group = pare_coupled_group_find (g, "pw");
  g_assert_nonnull (group);
  g_assert_cmpint (group->channels, ==, 16);
  g_autofree char *members = g_strjoinv (",", group->members), *followers = g_strjoinv (",", group->followers);
  g_assert_cmpstr (members, ==, "conv1,dw,pw");
  g_assert_cmpstr (followers, ==, "conv2");
  pare_coupled_group_free (group);
  g_assert_null (pare_coupled_group_find (g, "fc"));
  g_autofree char *why = pare_coupled_group_why_not (g, "fc");
  g_assert_nonnull (why);
  /* Channels that carry nothing are those that go, and nothing changes but the size. */
  static const char *const layers[] = { "conv1", "dw", "pw" };
  float *shift = g->values[pare_graph_find_value (g, "bn_shift")].constant->data,
        *mean = g->values[pare_graph_find_value (g, "bn_mean")].constant->data;
  for (int c = 0; c < 16; c += 4)
    {
      for (guint l = 0; l < 3; l++)
        scale_channel (g, layers[l], c, 0);
      shift[c] = mean[c] = 0;
    }
  scale_channel (g, "conv2", 5, 0);
  scale_channel (g, "conv2", 23, 0);
  g_autoptr (PareTensor) want = run (g);
  g_autoptr (PareGraph) thin = apply (g,
                                      "\"layers\": {\"pw\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.3}}, \"conv2\": {\"prune\": "
                                      "{\"kind\": \"channels\", \"ratio\": 0.1}}}",
                                      NULL, 0);
  g_assert_cmpint (weights_of (thin, "conv1")->constant->shape.dims[0], ==, 12);
  g_assert_cmpint (weights_of (thin, "dw")->constant->shape.dims[0], ==, 12);
  g_assert_cmpint (pare_node_get_int (&thin->nodes[pare_graph_find_layer (thin, "dw")], "group", 1), ==, 12);
  g_assert_cmpint (weights_of (thin, "pw")->constant->shape.dims[0], ==, 12);
  g_assert_cmpint (weights_of (thin, "pw")->constant->shape.dims[1], ==, 12);
  g_assert_cmpint (weights_of (thin, "conv2")->constant->shape.dims[0], ==, 22);
  g_assert_cmpint (weights_of (thin, "conv2")->constant->shape.dims[1], ==, 12);
  g_assert_cmpint (weights_of (thin, "fc")->constant->shape.dims[1], ==, 22 * 9);
  g_autoptr (PareTensor) got = run (thin);
  g_assert_cmpfloat (largest_difference (want, got), <, 1e-5);
  /* The smallest ratio counts, exclude vetoes, round_to keeps multiples. */
  g_autoptr (PareGraph) least
      = apply (g,
               "\"defaults\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.5}}, \"layers\": {\"dw\": {\"prune\": "
               "{\"ratio\": 0.125}}, \"conv2\": {\"prune\": {\"round_to\": 8}}, \"fc\": {\"exclude\": true}}",
               NULL, 0);
  g_assert_cmpint (weights_of (least, "conv1")->constant->shape.dims[0], ==, 14);
  g_assert_cmpint (weights_of (least, "conv2")->constant->shape.dims[0], ==, 16);
  g_autoptr (PareGraph) vetoed
      = apply (g, "\"layers\": {\"pw\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.5}}, \"dw\": {\"exclude\": true}}", NULL, 1);
  g_assert_cmpint (weights_of (vetoed, "pw")->constant->shape.dims[0], ==, 16);
  g_autoptr (PareTensor) still = run (least);
  g_assert_cmpint (pare_tensor_count (still), ==, 10);
}

/* Concat, padded channels and their sum: what option-A shortcuts of ResNets do. */
static void
test_padded_channels (void)
{
  Net n = { pare_graph_new ("pad"), PARE_NONE, 300 };
  n.g->opset = 13;
  n.g->ir_version = 7;
  PareShape in = pare_shape_make (4, (gint64)1, (gint64)3, (gint64)8, (gint64)8);
  PareValueId x = pare_graph_add_value (n.g, "x", PARE_DTYPE_FLOAT32, &in, PARE_NONE);
  n.g->inputs = g_new (PareValueId, 1);
  n.g->inputs[n.g->n_inputs++] = x;
  PareValueId a = conv (&n, "a", x, 8, 3, 3, 1, 1, TRUE), b = conv (&n, "b", a, 16, 8, 3, 1, 1, TRUE);
  gint64 pads[8] = { 0, 4, 0, 0, 0, 4, 0, 0 };
  PareValueId p = add_node (&n, "Pad", "pad", a, constant (&n, "pads", pare_tensor_new_i64 (pads, 8)), PARE_NONE);
  PareValueId sum = add_node (&n, "Add", "sum", b, p, PARE_NONE);
  PareValueId both = add_node (&n, "Concat", "concat", sum, a, PARE_NONE);
  pare_node_set_int (&n.g->nodes[n.g->n_nodes - 1], "axis", 1);
  PareValueId y = conv (&n, "c", both, 5, 24, 1, 1, 1, TRUE);
  n.g->outputs = g_new (PareValueId, 1);
  n.g->outputs[n.g->n_outputs++] = y;
  pare_graph_name_layers (n.g);
  g_autoptr (PareGraph) g = n.g;
  scale_channel (g, "a", 2, 0); /* is channel 6 of the sum */
  scale_channel (g, "a", 7, 0); /* is channel 11 */
  scale_channel (g, "b", 6, 0);
  scale_channel (g, "b", 11, 0);
  scale_channel (g, "b", 1, 0); /* beside a padded one */
  scale_channel (g, "b", 15, 0);
  g_autoptr (PareTensor) want = run (g);
  g_autoptr (PareGraph) thin = apply (g, "\"defaults\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.25}}", NULL, 1);
  g_assert_cmpint (weights_of (thin, "a")->constant->shape.dims[0], ==, 6);
  g_assert_cmpint (weights_of (thin, "b")->constant->shape.dims[0], ==, 12);
  g_assert_cmpint (weights_of (thin, "c")->constant->shape.dims[1], ==, 18);
  g_assert_cmpint (weights_of (thin, "c")->constant->shape.dims[0], ==, 5);
  g_autoptr (PareTensor) got = run (thin);
  g_assert_cmpfloat (largest_difference (want, got), <, 1e-5);
}

static PareGraph *
finish (Net *n, PareValueId output)
{
  n->g->outputs = g_new (PareValueId, 1);
  n->g->outputs[n->g->n_outputs++] = output;
  pare_graph_name_layers (n->g);
  return n->g;
}

static Net
start (int opset, PareShape shape)
{
  Net n = { pare_graph_new ("small"), PARE_NONE, 400 };
  n.g->opset = opset;
  n.g->ir_version = 7;
  n.last = pare_graph_add_value (n.g, "x", PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
  n.g->inputs = g_new (PareValueId, 1);
  n.g->inputs[n.g->n_inputs++] = n.last;
  return n;
}

/* A Reshape to [-1, k] flattens where k is all that a sample has; where it makes rows of less, channels are no runs of them. Files tell by
 * no shape which of both it is. */
static void
test_channels_as_rows (void)
{
  for (int rows = 0; rows < 2; rows++)
    {
      Net n = start (13, pare_shape_make (4, (gint64)1, (gint64)3, (gint64)8, (gint64)8));
      PareValueId a = conv (&n, "a", n.last, 8, 3, 3, 1, 1, TRUE);
      gint64 width = rows ? 64 : 8 * 64, to[2] = { -1, width };
      PareValueId flat = add_node (&n, "Reshape", "flat", a, constant (&n, "to", pare_tensor_new_i64 (to, 2)), PARE_NONE);
      PareValueId y = add_node (&n, "MatMul", "fc", flat, constant (&n, "fc_w", TENSOR (9, 0.1, width, 5)), PARE_NONE);
      g_autoptr (PareGraph) g = finish (&n, y);
      scale_channel (g, "a", 1, 0);
      scale_channel (g, "a", 4, 0);
      g_autoptr (PareTensor) want = run (g);
      g_autoptr (PareGraph) thin
          = apply (g, "\"layers\": {\"a\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.25}}}", NULL, (guint)rows);
      g_assert_cmpint (weights_of (thin, "a")->constant->shape.dims[0], ==, rows ? 8 : 6);
      g_autoptr (PareTensor) got = run (thin);
      g_assert_cmpfloat (largest_difference (want, got), <, 1e-5);
    }
}

/* Channels last, as TensorFlow's exporters leave them in front of a flattening, and axes of one that come and go. */
static void
test_channels_last_flattened (void)
{
  for (int how = 0; how < 3; how++) /* Reshape, Flatten, Reshape to what is put together */
    {
      Net n = start (13, pare_shape_make (4, (gint64)1, (gint64)3, (gint64)8, (gint64)8));
      PareValueId a = conv (&n, "a", n.last, 8, 3, 3, 1, 1, TRUE);
      gint64 last[4] = { 0, 2, 3, 1 }, rows[3] = { -1, 64, 8 }, whole[2] = { -1, 512 }, behind[2] = { 2, 3 };
      PareValueId turned = add_node (&n, "Transpose", "turn", a, PARE_NONE, PARE_NONE);
      pare_node_set_ints (&n.g->nodes[n.g->n_nodes - 1], "perm", last, 4);
      PareValueId axes = constant (&n, "axes", pare_tensor_new_i64 (behind, 2));
      PareValueId listed = add_node (&n, "Reshape", "rows", turned, constant (&n, "rows_to", pare_tensor_new_i64 (rows, 3)), PARE_NONE);
      PareValueId to = constant (&n, "to", pare_tensor_new_i64 (how == 2 ? whole + 1 : whole, how == 2 ? 1 : 2));
      if (how == 2)
        {
          gint64 first = 0;
          PareShape one = pare_shape_make (1, (gint64)1);
          PareValueId batch = add_node (&n, "Gather", "batch", add_node (&n, "Shape", "extents", listed, PARE_NONE, PARE_NONE),
                                        constant (&n, "first", pare_tensor_new_i64 (&first, 1)), PARE_NONE);
          n.g->values[batch].shape = one;
          n.g->values[batch].dtype = n.g->values[pare_graph_find_value (n.g, "extents_out")].dtype = PARE_DTYPE_INT64;
          PareValueId narrow = constant (&n, "to_32", pare_tensor_new (PARE_DTYPE_INT32, &one, NULL));
          *(gint32 *)n.g->values[narrow].constant->data = 512;
          batch = add_node (&n, "Cast", "batch_32", batch, PARE_NONE, PARE_NONE);
          n.g->values[batch].shape = one;
          n.g->values[batch].dtype = PARE_DTYPE_INT32;
          pare_node_set_int (&n.g->nodes[n.g->n_nodes - 1], "to", PARE_DTYPE_INT32);
          to = add_node (&n, "Concat", "target", batch, narrow, PARE_NONE);
          pare_node_set_int (&n.g->nodes[n.g->n_nodes - 1], "axis", 0);
          n.g->values[to].dtype = PARE_DTYPE_INT32;
          to = add_node (&n, "Cast", "target_64", to, PARE_NONE, PARE_NONE);
          n.g->values[to].dtype = PARE_DTYPE_INT64;
          pare_node_set_int (&n.g->nodes[n.g->n_nodes - 1], "to", PARE_DTYPE_INT64);
        }
      PareValueId flat = how == 1 ? add_node (&n, "Flatten", "flat", listed, PARE_NONE, PARE_NONE)
                                  : add_node (&n, "Reshape", "flat", listed, to, PARE_NONE);
      PareValueId b = add_node (&n, "MatMul", "b", flat, constant (&n, "b_w", TENSOR (9, 0.1, 512, 6)), PARE_NONE);
      PareValueId c = conv (&n, "c", add_node (&n, "Unsqueeze", "pixel", b, axes, PARE_NONE), 4, 6, 1, 1, 1, TRUE);
      PareValueId y = add_node (&n, "MatMul", "d", add_node (&n, "Squeeze", "list", c, axes, PARE_NONE),
                                constant (&n, "d_w", TENSOR (5, 0.3, 4, 3)), PARE_NONE);
      g_autoptr (PareGraph) g = finish (&n, y);
      scale_channel (g, "a", 1, 0);
      scale_channel (g, "a", 4, 0);
      scale_channel (g, "c", 3, 0);
      for (int i = 0; i < 512; i++)
        ((float *)weights_of (g, "b")->constant->data)[i * 6 + 2] = 0;
      g_autoptr (PareTensor) want = run (g);
      g_autoptr (PareGraph) thin = apply (
          g, "\"defaults\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.25}}, \"layers\": {\"d\": {\"exclude\": true}}", NULL, 0);
      g_assert_cmpint (weights_of (thin, "a")->constant->shape.dims[0], ==, 6);
      g_assert_cmpint (weights_of (thin, "b")->constant->shape.dims[0], ==, 6 * 64);
      g_assert_cmpint (weights_of (thin, "b")->constant->shape.dims[1], ==, 5);
      g_assert_cmpint (weights_of (thin, "c")->constant->shape.dims[0], ==, 3);
      g_assert_cmpint (weights_of (thin, "c")->constant->shape.dims[1], ==, 5);
      g_assert_cmpint (weights_of (thin, "d")->constant->shape.dims[0], ==, 3);
      g_autoptr (PareTensor) got = run (thin);
      g_assert_cmpfloat (largest_difference (want, got), <, 1e-5);
    }
}

/* What a Gemm adds may be another layer's result: it keeps its channels as the Gemm does. */
static void
test_channels_added_by_gemm (void)
{
  Net n = start (13, pare_shape_make (2, (gint64)1, (gint64)6));
  PareValueId x = n.last, a = add_node (&n, "MatMul", "a", x, constant (&n, "a_w", TENSOR (1, 0.3, 6, 8)), PARE_NONE);
  PareValueId b = add_node (&n, "Gemm", "b", x, constant (&n, "b_w", TENSOR (2, 0.3, 6, 8)), a);
  PareValueId y = add_node (&n, "MatMul", "c", b, constant (&n, "c_w", TENSOR (3, 0.3, 8, 4)), PARE_NONE);
  g_autoptr (PareGraph) g = finish (&n, y);
  g_autoptr (PareTensor) want = run (g);
  g_autoptr (PareGraph) thin = apply (g, "\"layers\": {\"a\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.5}}}", NULL, 1);
  g_autoptr (PareTensor) got = run (thin);
  g_assert_cmpfloat (largest_difference (want, got), ==, 0);
}

/* --- factors --- */

static void
make_low_rank (PareTensor *w, const PareWeightPlace *place, PareFactorize method, int rank)
{
  gsize rows, columns;
  g_autofree float *matrix = pare_factorize_unfold (w, place, method, &rows, &columns);
  g_autofree float *u = g_new (float, rows *rank), *v = g_new (float, columns *rank);
  fill_normal (u, rows * rank, 1, 0.3);
  fill_normal (v, columns * rank, 2, 0.3);
  for (gsize i = 0; i < rows; i++)
    for (gsize j = 0; j < columns; j++)
      {
        matrix[i * columns + j] = 0;
        for (int k = 0; k < rank; k++)
          matrix[i * columns + j] += u[i * rank + k] * v[j * rank + k];
      }
  pare_factorize_fold (matrix, w, place, method);
}

static void
test_factorize (void)
{
  static const struct
  {
    const char *layer;
    PareFactorize method;
    int rank;
  } cases[] = { { "conv2", PARE_FACTORIZE_SPATIAL, 3 },
                { "conv2", PARE_FACTORIZE_SVD, 4 },
                { "pw", PARE_FACTORIZE_SVD, 2 },
                { "fc", PARE_FACTORIZE_SVD, 5 } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (PareGraph) g = make_net ();
      PareNodeId id = pare_graph_find_layer (g, cases[i].layer);
      PareWeightPlace place;
      g_assert_true (pare_weights_place (g, id, &place));
      make_low_rank (g->values[g->nodes[id].inputs[1]].constant, &place, cases[i].method, cases[i].rank);
      g_autoptr (PareTensor) want = run (g);
      g_autofree char *body = g_strdup_printf ("\"layers\": {\"%s\": {\"factorize\": {\"method\": \"%s\", \"rank\": %d}}}", cases[i].layer,
                                               cases[i].method == PARE_FACTORIZE_SPATIAL ? "spatial" : "svd", cases[i].rank);
      g_autoptr (PareGraph) two = apply (g, body, NULL, 0);
      g_assert_cmpuint (two->n_nodes, ==, g->n_nodes + 1);
      g_assert_cmpint (pare_graph_count_params (two), <, pare_graph_count_params (g));
      guint parts = 0;
      for (guint k = 0; k < two->n_nodes; k++)
        parts += two->nodes[k].role == PARE_ROLE_FACTOR && two->nodes[k].origin == id;
      g_assert_cmpuint (parts, ==, 2);
      g_autoptr (PareTensor) got = run (two);
      g_assert_cmpfloat (largest_difference (want, got), <, 2e-5);
      guint n, max;
      g_autofree double *spectrum = pare_layer_spectrum (g, cases[i].layer, cases[i].method, &n, &max);
      g_assert_nonnull (spectrum);
      g_assert_cmpfloat (spectrum[cases[i].rank - 1], >, 1e-2);
      g_assert_cmpfloat (spectrum[cases[i].rank], <, 1e-4);
      g_assert_cmpuint (max, >=, (guint)cases[i].rank);
    }
  g_autoptr (PareGraph) g = make_net ();
  g_autoptr (PareGraph) same
      = apply (g,
               "\"layers\": {\"dw\": {\"factorize\": {\"method\": \"svd\", \"rank\": 2}}, \"pw\": {\"factorize\": {\"method\": "
               "\"svd\", \"rank\": 8}}, \"conv1\": {\"prune\": {\"kind\": \"2:4\"}}, \"fc\": {\"factorize\": {\"method\": \"spatial\", "
               "\"rank\": 2}}}",
               NULL, 4);
  g_assert_cmpint (pare_graph_count_params (same), <=, pare_graph_count_params (g));
  /* neither factor has inputs enough for 2:4: that is said once */
  g_autoptr (PareGraph) factors = apply (
      g, "\"layers\": {\"conv1\": {\"prune\": {\"kind\": \"2:4\"}, \"factorize\": {\"method\": \"spatial\", \"rank\": 2}}}", NULL, 1);
  g_assert_nonnull (factors);
}

/* Until opset 11 a Gemm adds something, whether there is anything to add or not. */
static void
test_factorize_old_gemm (void)
{
  for (int opset = 6; opset <= 11; opset += opset == 6 ? 3 : 2)
    {
      Net n = start (opset, pare_shape_make (2, (gint64)1, (gint64)12));
      PareValueId w = constant (&n, "w", TENSOR (1, 0.3, 12, 10)), b = constant (&n, "b", TENSOR (2, 0.3, 10));
      PareValueId y = add_node (&n, "Gemm", "fc", n.last, w, b);
      if (opset < 7)
        pare_node_set_int (&n.g->nodes[0], "broadcast", 1);
      g_autoptr (PareGraph) g = finish (&n, y);
      PareWeightPlace place;
      g_assert_true (pare_weights_place (g, 0, &place));
      make_low_rank (g->values[w].constant, &place, PARE_FACTORIZE_SVD, 3);
      g_autoptr (PareTensor) want = run (g);
      g_autoptr (PareGraph) two = apply (g, "\"layers\": {\"fc\": {\"factorize\": {\"method\": \"svd\", \"rank\": 3}}}", NULL, 0);
      g_assert_cmpuint (two->n_nodes, ==, 2);
      for (guint i = 0; i < 2; i++)
        {
          g_assert_cmpuint (two->nodes[i].n_inputs, ==, i == 0 && opset >= 11 ? 2 : 3);
          g_assert_cmpint (pare_node_get_int (&two->nodes[i], "broadcast", 0), ==, opset < 7);
        }
      g_autoptr (PareTensor) got = run (two);
      g_assert_cmpfloat (largest_difference (want, got), <, 2e-5);
    }
}

/* --- what must be refused --- */

static void
test_refused (void)
{
  g_autoptr (PareGraph) g = make_net ();
  g_autoptr (PareRecipe) nowhere = recipe ("\"layers\": {\"nowhere\": {\"weights\": {\"bits\": 8}}}");
  g_autoptr (PareRecipe) w4 = recipe ("\"defaults\": {\"weights\": {\"bits\": 4}}"),
                         a8 = recipe ("\"defaults\": {\"activations\": {\"bits\": 8}}");
  g_autoptr (GError) error = NULL;
  g_assert_null (pare_apply (g, nowhere, NULL, NULL, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_RECIPE);
  g_assert_nonnull (strstr (error->message, "nowhere"));
  g_clear_error (&error);
  g_assert_null (pare_apply (g, a8, NULL, NULL, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_RECIPE);
  g_clear_error (&error);
  ((float *)weights_of (g, "pw")->constant->data)[3] = NAN;
  g_assert_null (pare_apply (g, w4, NULL, NULL, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_DATA);
  g_assert_nonnull (strstr (error->message, "pw"));
  g_clear_error (&error);
  g->sha256 = g_strdup ("aa");
  pare_recipe_set_model_sha256 (w4, "bb");
  g_assert_null (pare_apply (g, w4, NULL, NULL, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_RECIPE);
}

/* --- activations --- */

static char *
write_samples (guint n, char **folder)
{
  *folder = g_dir_make_tmp ("pare-compress-XXXXXX", NULL);
  g_autofree char *x = g_build_filename (*folder, "x.npy", NULL), *y = g_build_filename (*folder, "y.npy", NULL);
  g_autoptr (PareTensor) samples = TENSOR (500, 1, n, 3, 12, 12);
  PareShape shape = pare_shape_make (1, (gint64)n);
  g_autoptr (PareTensor) labels = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  g_assert_true (pare_npy_save (x, samples, NULL));
  g_assert_true (pare_npy_save (y, labels, NULL));
  char *path = g_build_filename (*folder, "dataset.json", NULL);
  g_assert_true (
      g_file_set_contents (path,
                           "{\"format\": \"npy\", \"samples\": \"x.npy\", \"labels\": \"y.npy\", \"splits\": {\"calibration\": 0.5, "
                           "\"search\": 0.2, \"report\": 0.3, \"seed\": 1}}",
                           -1, NULL));
  return path;
}

static const PareValue *
input_of (const PareGraph *g, const char *layer, guint i)
{
  return &g->values[g->nodes[pare_graph_find_layer (g, layer)].inputs[i]];
}

static guint
count_quantizers (const PareGraph *g)
{
  guint n = 0;
  for (guint i = 0; i < g->n_nodes; i++)
    if (g_str_equal (g->nodes[i].op, PARE_OP_QUANTIZE))
      {
        g_test_message ("%s", g->nodes[i].name);
        n++;
      }
  return n;
}

static void
test_activations (void)
{
  g_autoptr (PareGraph) g = make_net ();
  g_autofree char *folder = NULL, *path = write_samples (80, &folder);
  GError *error = NULL;
  g_autoptr (PareDataset) dataset = pare_dataset_open (path, &error);
  g_assert_no_error (error);
  g_autoptr (PareStatistics) one = pare_calibrate (g, dataset, 0, 1, PARE_BACKEND_AUTO, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareStatistics) two = pare_calibrate (g, dataset, 0, 2, PARE_BACKEND_AUTO, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pare_statistics_get_n_samples (one), ==, 40);
  static const char *const watched[] = { "x", "relu1_out", "pool1_out", "relu2_out", "pw_out", "relu3_out", "relu4_out", "flatten_out" };
  for (guint i = 0; i < G_N_ELEMENTS (watched); i++)
    {
      const PareHistogram *a = pare_statistics_get (one, watched[i]), *b = pare_statistics_get (two, watched[i]);
      if (a == NULL)
        g_error ("nothing of %s", watched[i]);
      g_assert_cmpmem (a, sizeof *a, b, sizeof *b); /* to the bit, whatever the threads */
    }
  g_autoptr (PareGraph) q
      = apply (g, "\"defaults\": {\"weights\": {\"bits\": 8}, \"activations\": {\"bits\": 8, \"calibrator\": \"minmax\"}}", one, 0);
  /* x; relu1 and pool1 share one grid; relu2; pw (into the sum); relu3; relu4 and flatten share one. */
  g_assert_cmpuint (count_quantizers (q), ==, 8);
  const PareQuant *x = input_of (q, "conv1", 0)->quant, *pool_in = input_of (q, "pool1", 0)->quant,
                  *pool_out = input_of (q, "dw", 0)->quant;
  g_assert_nonnull (x);
  g_assert_cmpint (x->zero[0], >, 0);
  g_assert_cmpfloat (pool_in->scale[0], ==, pool_out->scale[0]);
  g_assert_cmpint (pool_in->zero[0], ==, 0);
  g_assert_nonnull (input_of (q, "add", 0)->quant);
  g_assert_true (input_of (q, "add", 1) == input_of (q, "dw", 0)); /* one quantizer for all readers */
  g_assert_null (input_of (q, "relu1", 0)->quant);                 /* nothing between a layer and its own clip */
  g_assert_null (input_of (q, "relu3", 0)->quant);
  g_assert_null (input_of (q, "softmax", 0)->quant);
  const PareHistogram *h = pare_statistics_get (one, "relu2_out");
  g_assert_cmpfloat (fabs (input_of (q, "pw", 0)->quant->scale[0] - h->max / 255), <, 1e-6 * h->max);
  const PareValue *bias = input_of (q, "conv2", 2);
  const PareQuant *w = input_of (q, "conv2", 1)->quant, *in = input_of (q, "conv2", 0)->quant;
  g_assert_cmpint (bias->quant->bits, ==, 32);
  const float *was = weights_of (g, "conv2") != NULL ? input_of (g, "conv2", 2)->constant->data : NULL;
  for (int c = 0; c < 24; c++)
    {
      g_assert_cmpfloat (bias->quant->scale[c], ==, in->scale[0] * w->scale[c]);
      double want = rint (was[c] / (double)bias->quant->scale[c]) * bias->quant->scale[c];
      g_assert_cmpfloat (fabs (((float *)bias->constant->data)[c] - want), <, 1e-6);
    }
  g_autoptr (PareTensor) a = run (g), b = run (q);
  g_assert_cmpfloat (largest_difference (a, b), <, 0.03);
  /* Two readers of one value with different widths get a quantizer each; the sum takes the wider one. */
  g_autoptr (PareGraph) mixed = apply (g,
                                       "\"defaults\": {\"weights\": {\"bits\": 8}, \"activations\": {\"bits\": 8}}, \"layers\": {\"dw\": "
                                       "{\"activations\": {\"bits\": 4}}, \"fc\": {\"exclude\": true}}",
                                       one, 0);
  g_assert_cmpint (input_of (mixed, "dw", 0)->quant->bits, ==, 4);
  g_assert_cmpint (input_of (mixed, "add", 1)->quant->bits, ==, 8);
  g_assert_cmpint (input_of (mixed, "pool1", 0)->quant->bits, ==, 8);
  g_assert_null (input_of (mixed, "fc", 0)->quant);
  g_assert_null (input_of (mixed, "fc", 1)->quant);
  g_autofree char *x_path = g_build_filename (folder, "x.npy", NULL), *y_path = g_build_filename (folder, "y.npy", NULL);
  g_unlink (x_path);
  g_unlink (y_path);
  g_unlink (path);
  g_rmdir (folder);
}

/* --- the material's models: the figures of plain rounding and magnitude that others measured --- */

static char *
material (const char *path)
{
  const char *shared = g_getenv ("PARE_SHARED");
  g_autofree char *beside = g_build_filename (g_getenv ("PARE_SOURCE_ROOT") ? g_getenv ("PARE_SOURCE_ROOT") : ".", "..", "shared", NULL);
  char *full = g_build_filename (shared != NULL ? shared : beside, "material", path, NULL);
  if (!g_file_test (full, G_FILE_TEST_EXISTS))
    g_clear_pointer (&full, g_free);
  return full;
}

static void
test_material (void)
{
  static const struct
  {
    const char *model, *data, *layers;
    double want;
  } cases[] = {
    { "cifar10-resnet20", "data/cifar10/torch.json", "\"weights\": {\"bits\": 4, \"range\": \"max\"}", 0.865 },
    { "cifar10-resnet20", "data/cifar10/torch.json", "\"prune\": {\"kind\": \"unstructured\", \"ratio\": 0.5}", 0.847 },
    { "cifar10-resnet20", "data/cifar10/torch.json", "\"prune\": {\"kind\": \"2:4\"}", 0.674 },
    { "tiny-ic-resnet8", "data/cifar10/raw.json", "\"weights\": {\"bits\": 4, \"range\": \"max\"}", 0.588 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *name = g_strdup_printf ("models/%s.onnx", cases[i].model), *path = material (name), *data = material (cases[i].data);
      if (path == NULL || data == NULL)
        {
          g_test_skip ("the material is not there");
          return;
        }
      GError *error = NULL;
      g_autoptr (PareGraph) g = pare_onnx_load (path, NULL, &error);
      g_assert_no_error (error);
      g_autoptr (PareDataset) dataset = pare_dataset_open (data, &error);
      g_assert_no_error (error);
      g_autofree char *body = g_strdup_printf ("\"defaults\": {%s}", cases[i].layers);
      g_autoptr (PareGraph) changed = apply (g, body, NULL, G_MAXUINT);
      PareEvaluateOptions options = { .split = PARE_SPLIT_REPORT };
      g_autoptr (PareEvaluation) e = pare_evaluate (changed, dataset, &options, NULL, &error);
      g_assert_no_error (error);
      g_test_message ("%s %s: %.4f, others measured %.3f", cases[i].model, cases[i].layers, e->value, cases[i].want);
      g_assert_cmpfloat (fabs (e->value - cases[i].want), <, 0.012);
    }
}

/* Narrowed models still run: padded shortcuts, reshapes to a matrix, sums in the way of the first opsets. */
static void
test_material_channels (void)
{
  static const char *const models[] = { "odd-ir1-no-opset", "cifar10-resnet20", "mnist-convnet", "tiny-kws-dscnn", "audio-yamnet-256" };
  for (guint i = 0; i < G_N_ELEMENTS (models); i++)
    {
      g_autofree char *name = g_strdup_printf ("models/%s.onnx", models[i]), *path = material (name);
      if (path == NULL)
        {
          g_test_skip ("the material is not there");
          return;
        }
      GError *error = NULL;
      g_autoptr (PareGraph) g = pare_onnx_load (path, NULL, &error);
      g_assert_no_error (error);
      g_autoptr (PareGraph) thin = apply (g, "\"defaults\": {\"prune\": {\"kind\": \"channels\", \"ratio\": 0.25}}", NULL, G_MAXUINT);
      g_assert_cmpint (pare_graph_count_params (thin), <, pare_graph_count_params (g) * 0.8);
      g_autoptr (PareTensor) was = run (g), is = run (thin);
      g_assert_true (pare_shape_equal (&was->shape, &is->shape));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/compress/identity", test_identity);
  g_test_add_func ("/compress/weights", test_weights);
  g_test_add_func ("/compress/channels", test_channels);
  g_test_add_func ("/compress/padded-channels", test_padded_channels);
  g_test_add_func ("/compress/channels-as-rows", test_channels_as_rows);
  g_test_add_func ("/compress/channels-last-flattened", test_channels_last_flattened);
  g_test_add_func ("/compress/channels-added-by-gemm", test_channels_added_by_gemm);
  g_test_add_func ("/compress/factorize", test_factorize);
  g_test_add_func ("/compress/factorize-old-gemm", test_factorize_old_gemm);
  g_test_add_func ("/compress/refused", test_refused);
  g_test_add_func ("/compress/activations", test_activations);
  g_test_add_func ("/compress/material", test_material);
  g_test_add_func ("/compress/material-channels", test_material_channels);
  return g_test_run ();
}
