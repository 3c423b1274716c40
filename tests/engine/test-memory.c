/* Models that ask for what no machine has, and what large ones may take: one clear error that names the node, at once, without taking
 * memory. */
#include "engine/base/pare-error.h"
#include "engine/base/pare-memory.h"
#include "engine/lower/pare-program.h"
#include "engine/onnx/pare-onnx.h"
#include "tests/engine/make-graph.h"

#include <glib/gstdio.h>
#include <math.h>
#include <unistd.h>

#define TERA (G_GINT64_CONSTANT (1) << 40)
#define SHAPE(...) ((PareShape){ .rank = G_N_ELEMENTS (((gint64[]){ __VA_ARGS__ })), .dims = { __VA_ARGS__ } })
#define INTS(g, name, ...) make_ints (g, name, G_N_ELEMENTS (((gint64[]){ __VA_ARGS__ })), (gint64[]){ __VA_ARGS__ })

#if defined(__SANITIZE_ADDRESS__)
#define SLOWER 10
#else
#define SLOWER 3 /* the machine does other things as well */
#endif

static PareGraph *
graph_with_image (PareValueId *x, gint64 size)
{
  PareGraph *g = make_graph (17);
  *x = make_input (g, "x", PARE_DTYPE_FLOAT32, SHAPE (1, 1, size, size));
  return g;
}

static PareValueId
conv (PareGraph *g, const char *op, PareValueId x, gint64 k)
{
  PareValueId w = make_float (g, "w", SHAPE (1, 1, k, k), NULL);
  return MAKE (g, op, "bad", x, w);
}

/* --- the table --- */

typedef struct
{
  const char *name;
  const char *op;
  gint64 operand[4]; /* of the second input, int64 */
  guint n;
  const char *attr;
  gint64 value;
} Hostile;

/* Operators on an image of 1x1x8x8 whose second operand, or an attribute, asks for the absurd. */
static const Hostile table[] = {
  { "reshape to more than there is", "Reshape", { TERA, TERA }, 2, NULL, 0 },
  { "reshape to a negative extent", "Reshape", { -5, 4 }, 2, NULL, 0 },
  { "reshape with two unknowns", "Reshape", { -1, -1 }, 2, NULL, 0 },
  { "reshape that does not divide", "Reshape", { 7, -1 }, 2, NULL, 0 },
  { "reshape that overflows", "Reshape", { G_MAXINT64, G_MAXINT64, 3 }, 3, NULL, 0 },
  { "expand to 2^40", "Expand", { TERA, 1, 8, 8 }, 4, NULL, 0 },
  { "expand that overflows", "Expand", { G_MAXINT64, G_MAXINT64, 8, 8 }, 4, NULL, 0 },
  { "expand to a negative extent", "Expand", { -3, 1, 8, 8 }, 4, NULL, 0 },
  { "tile by 2^40", "Tile", { 1, 1, TERA, 1 }, 4, NULL, 0 },
  { "tile that overflows", "Tile", { G_MAXINT64, 1, G_MAXINT64, 1 }, 4, NULL, 0 },
  { "tile by a negative number", "Tile", { 1, 1, -2, 1 }, 4, NULL, 0 },
  { "tile by too few numbers", "Tile", { 1, 1 }, 2, NULL, 0 },
  { "convolution with a kernel beyond the input", "Conv", { 0 }, 0, "kernel", 11 },
  { "convolution of no groups", "Conv", { 0 }, 0, "group", 0 },
  { "convolution of negative groups", "Conv", { 0 }, 0, "group", -1 },
  { "convolution of 2^40 groups", "Conv", { 0 }, 0, "group", TERA },
  { "convolution by strides of zero", "Conv", { 0 }, 0, "strides", 0 },
  { "convolution by negative strides", "Conv", { 0 }, 0, "strides", -1 },
  { "convolution dilated by 2^40", "Conv", { 0 }, 0, "dilations", TERA },
  { "convolution padded by 2^40", "Conv", { 0 }, 0, "pads", TERA },
  { "convolution padded by the largest number", "Conv", { 0 }, 0, "pads", G_MAXINT64 },
  { "transposed convolution by strides of 2^30", "ConvTranspose", { 0 }, 0, "strides", 1 << 30 },
  { "transposed convolution by strides of 2^62", "ConvTranspose", { 0 }, 0, "strides", G_GINT64_CONSTANT (1) << 62 },
  { "transposed convolution padded away", "ConvTranspose", { 0 }, 0, "pads", 100 },
  { "pooling with a window of zero", "MaxPool", { 0 }, 0, "kernel_shape", 0 },
  { "pooling with a window of 2^40", "MaxPool", { 0 }, 0, "kernel_shape", TERA },
  { "pooling with a negative window", "AveragePool", { 0 }, 0, "kernel_shape", -2 },
  { "padding by 2^40", "Pad", { 0 }, 0, "pads8", TERA },
  { "padding that overflows", "Pad", { 0 }, 0, "pads8", G_MAXINT64 },
  { "padding that leaves nothing", "Pad", { 0 }, 0, "pads8", -100 },
  { "space to depth by zero", "SpaceToDepth", { 0 }, 0, "blocksize", 0 },
  { "depth to space by 2^40", "DepthToSpace", { 0 }, 0, "blocksize", TERA },
  { "an axis that is not there", "Softmax", { 0 }, 0, "axis", 9 },
  { "flatten at an axis that is not there", "Flatten", { 0 }, 0, "axis", -9 },
  { "concatenation at an axis that is not there", "Concat", { 0 }, 0, "axis", 77 },
  { "the 2^40 largest of eight", "TopK", { TERA }, 1, NULL, 0 },
  { "fewer than none of the largest", "TopK", { -1 }, 1, NULL, 0 },
  { "split into negative parts", "Split", { -1, 2 }, 2, NULL, 0 },
  { "split into more than there is", "Split", { TERA, TERA }, 2, NULL, 0 },
  { "squeeze what is not 1", "Squeeze", { 2 }, 1, NULL, 0 },
  { "unsqueeze at 2^40", "Unsqueeze", { TERA }, 1, NULL, 0 },
  { "cast to what there is not", "Cast", { 0 }, 0, "to", 99 },
  { "cast to complex numbers", "Cast", { 0 }, 0, "to", 14 },
  { "cast to 8-bit floats", "Cast", { 0 }, 0, "to", 17 },
  { "cast to text", "Cast", { 0 }, 0, "to", PARE_DTYPE_STRING },
  { "2^40 random numbers", "RandomUniform", { 0 }, 0, "shape", TERA },
  { "fewer than no random numbers", "RandomNormal", { 0 }, 0, "shape", -1 },
  { "an operator that nobody knows", "Frobnicate", { 0 }, 0, NULL, 0 },
};

static PareGraph *
build_hostile (const Hostile *h)
{
  PareValueId x;
  PareGraph *g = graph_with_image (&x, 8);
  gboolean is_conv = g_str_has_prefix (h->op, "Conv") && strcmp (h->op, "Concat") != 0;
  PareValueId y;
  if (is_conv)
    y = conv (g, h->op, x, h->attr != NULL && strcmp (h->attr, "kernel") == 0 ? h->value : 3);
  else if (h->attr != NULL && strcmp (h->attr, "pads8") == 0)
    {
      PareValueId pads = INTS (g, "pads", 0, 0, h->value, h->value, 0, 0, h->value, h->value);
      y = MAKE (g, h->op, "bad", x, pads);
    }
  else if (h->n > 0)
    {
      PareValueId operand = make_ints (g, "operand", h->n, h->operand);
      y = MAKE (g, h->op, "bad", x, operand);
    }
  else
    y = MAKE (g, h->op, "bad", x);
  PareNode *node = node_of (g, y);
  if (h->attr != NULL
      && (strcmp (h->attr, "strides") == 0 || strcmp (h->attr, "dilations") == 0 || strcmp (h->attr, "kernel_shape") == 0
          || strcmp (h->attr, "shape") == 0))
    pare_node_set_ints (node, h->attr, (gint64[]){ h->value, h->value }, 2);
  else if (h->attr != NULL && strcmp (h->attr, "pads") == 0)
    pare_node_set_ints (node, "pads", (gint64[]){ h->value, h->value, h->value, h->value }, 4);
  else if (h->attr != NULL && strcmp (h->attr, "kernel") != 0 && strcmp (h->attr, "pads8") != 0)
    pare_node_set_int (node, h->attr, h->value);
  make_output (g, y);
  return g;
}

/* Compiling must fail with one line that names the node, soon, and leave no memory behind. */
static void
expect_refusal (PareGraph *g, const PareCompileOptions *options, const char *what, const char *named)
{
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  guint64 before = pare_memory_peak ();
  g_autoptr (PareProgram) program = pare_program_compile (g, options, &error);
  double seconds = (g_get_monotonic_time () - start) / 1e6;
  guint64 taken = pare_memory_peak () - before;
  if (program != NULL || error == NULL || strstr (error->message, named) == NULL || strchr (error->message, '\n') != NULL)
    g_error ("%s: %s", what, program != NULL ? "it compiles" : error == NULL ? "no reason is given" : error->message);
  g_test_message ("%s: %s (%.3f s, %.1f MiB)", what, error->message, seconds, taken / 1048576.0);
  g_assert_cmpfloat (seconds, <, SLOWER);
  g_assert_cmpuint (taken, <, 128 << 20);
  /* and what is shown of a model that is only opened */
  g_autoptr (GError) ignored = NULL;
  g_autoptr (PareGraph) canonical = pare_graph_canonicalize (g, NULL, 0, pare_lower_eval_node, &ignored);
  guint n;
  g_autofree PareLayerInfo *infos = pare_graph_layer_infos (g, canonical, &n);
  g_autofree char *why = canonical != NULL ? pare_lower_why_not (canonical) : NULL;
  g_assert_cmpuint (pare_memory_peak () - before, <, 128 << 20);
}

static void
test_hostile (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (PareGraph) g = build_hostile (&table[i]);
      pare_graph_name_layers (g);
      expect_refusal (g, NULL, table[i].name, "'bad'");
    }
}

/* --- results whose size only operands say --- */

static PareValueId
scalar_i64 (PareGraph *g, const char *name, gint64 v)
{
  PareShape scalar = { .rank = 0 };
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_INT64, &scalar, NULL);
  *(gint64 *)t->data = v;
  return pare_graph_add_constant (g, name, t, PARE_NONE);
}

static PareGraph *
finish (PareGraph *g, PareValueId x, PareValueId made)
{
  /* read beside the input, so that nothing is constant to the end */
  PareValueId cast = MAKE (g, "Cast", "cast", made);
  pare_node_set_int (node_of (g, cast), "to", PARE_DTYPE_FLOAT32);
  PareValueId y = MAKE (g, "Add", "last", cast, x);
  make_output (g, y);
  pare_graph_name_layers (g);
  return g;
}

static void
test_made_sizes (void)
{
  PareValueId x;
  const gint64 extents[][3] = { { TERA, 1, 1 }, { G_MAXINT64, G_MAXINT64, 2 }, { -4, 1, 1 } };
  for (guint i = 0; i < G_N_ELEMENTS (extents); i++)
    {
      g_autoptr (PareGraph) g = graph_with_image (&x, 1);
      PareValueId made = MAKE (g, "ConstantOfShape", "bad", make_ints (g, "extents", 3, extents[i]));
      finish (g, x, made);
      expect_refusal (g, NULL, "constant of shape", i == 0 ? "node '" : "'bad'");
    }
  const gint64 ranges[][3] = { { 0, TERA, 1 }, { G_MININT64, G_MAXINT64, 1 }, { 0, 10, 0 } };
  for (guint i = 0; i < G_N_ELEMENTS (ranges); i++)
    {
      g_autoptr (PareGraph) g = graph_with_image (&x, 1);
      PareValueId made = MAKE (g, "Range", "bad", scalar_i64 (g, "from", ranges[i][0]), scalar_i64 (g, "to", ranges[i][1]),
                               scalar_i64 (g, "by", ranges[i][2]));
      finish (g, x, made);
      expect_refusal (g, NULL, "range", "'bad'");
    }
  const gint64 depths[] = { TERA, G_MAXINT64, -3 };
  for (guint i = 0; i < G_N_ELEMENTS (depths); i++)
    {
      g_autoptr (PareGraph) g = graph_with_image (&x, 1);
      PareValueId indices = make_input (g, "indices", PARE_DTYPE_INT64, SHAPE (4, 4));
      PareValueId made = MAKE (g, "OneHot", "bad", indices, scalar_i64 (g, "depth", depths[i]), make_float (g, "values", SHAPE (2), NULL));
      finish (g, x, made);
      expect_refusal (g, NULL, "one hot", "'bad'");
    }
  const float scales[] = { 1e6f, 1e30f, -2, 0, NAN, INFINITY };
  for (guint i = 0; i < G_N_ELEMENTS (scales); i++)
    {
      g_autoptr (PareGraph) g = graph_with_image (&x, 8);
      float four[4] = { 1, 1, scales[i], scales[i] };
      PareValueId made = MAKE (g, "Resize", "bad", x, PARE_NONE, make_float (g, "scales", SHAPE (4), four));
      make_output (g, made);
      pare_graph_name_layers (g);
      expect_refusal (g, NULL, "resize by scales", "'bad'");
    }
  const gint64 sizes[] = { 1 << 22, TERA, -8 };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (PareGraph) g = graph_with_image (&x, 8);
      PareValueId made = MAKE (g, "Resize", "bad", x, PARE_NONE, PARE_NONE, INTS (g, "sizes", 1, 1, sizes[i], sizes[i]));
      make_output (g, made);
      pare_graph_name_layers (g);
      expect_refusal (g, NULL, "resize to sizes", "'bad'");
    }
}

/* --- shapes that the user sets --- */

static void
test_absurd_inputs (void)
{
  const gint64 extents[] = { G_MAXINT32, TERA, G_MAXINT64 };
  for (guint i = 0; i < G_N_ELEMENTS (extents); i++)
    {
      g_autoptr (PareGraph) g = make_graph (17);
      PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, SHAPE (-1, 1, 64, 64));
      PareValueId y = conv (g, "Conv", x, 3);
      make_output (g, y);
      pare_graph_name_layers (g);
      PareNamedShape shape = { "x", SHAPE (extents[i], 1, 64, 64) };
      PareCompileOptions options = { .shapes = &shape, .n_shapes = 1 };
      expect_refusal (g, &options, "an absurd batch", "'x'");
    }
}

/* Doubles the input forty times: no single step is absurd. */
static void
test_doubling (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, SHAPE (1, 16));
  for (guint i = 0; i < 40; i++)
    {
      g_autofree char *name = g_strdup_printf ("double%u", i);
      x = MAKE (g, "Concat", name, x, x);
      pare_node_set_int (node_of (g, x), "axis", 1);
    }
  make_output (g, x);
  pare_graph_name_layers (g);
  expect_refusal (g, NULL, "forty doublings", "'double");
}

/* Constants that the graph computes from nothing: a file of a few kilobytes must not become gigabytes before it runs. */
static void
test_folding (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, SHAPE (1, 4));
  for (guint i = 0; i < 100; i++)
    {
      g_autofree char *a = g_strdup_printf ("extents%u", i), *b = g_strdup_printf ("big%u", i), *c = g_strdup_printf ("add%u", i);
      PareValueId big = MAKE (g, "ConstantOfShape", b, INTS (g, a, 2000000, 4));
      x = MAKE (g, "Add", c, x, big);
    }
  make_output (g, x);
  pare_graph_name_layers (g);
  guint64 before = pare_memory_peak ();
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_test_message ("%s; %.1f MiB, %.2f s", error != NULL ? error->message : "compiles", (pare_memory_peak () - before) / 1048576.0,
                  (g_get_monotonic_time () - start) / 1e6);
  g_assert_cmpuint (pare_memory_peak () - before, <, 600 << 20); /* 3.2 GB, were all of them kept */
  if (error != NULL)
    g_assert_nonnull (strstr (error->message, "'big"));
}

/* What is only wrong once it runs is refused then. */
static void
test_indices (void)
{
  PareValueId x;
  g_autoptr (PareGraph) g = graph_with_image (&x, 8);
  make_output (g, MAKE (g, "Gather", "bad", x, INTS (g, "indices", TERA)));
  pare_graph_name_layers (g);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  g_autoptr (PareTensor) in = pare_tensor_new (PARE_DTYPE_FLOAT32, &g->values[x].shape, NULL);
  PareView view = pare_tensor_view (in);
  g_assert_false (pare_runner_run (runner, &view, 1, NULL, &error));
  g_assert_nonnull (strstr (error->message, "'bad'"));
}

/* --- nothing in a tensor --- */

static void
test_empty (void)
{
  static const char *const ops[] = { "Relu", "Softmax", "GlobalAveragePool", "MaxPool", "Conv", "Transpose", "ReduceMax", "ArgMax", NULL };
  for (guint i = 0; ops[i] != NULL; i++)
    for (guint axis = 0; axis < 4; axis++)
      {
        g_autoptr (PareGraph) g = make_graph (17);
        PareShape shape = SHAPE (1, 1, 8, 8);
        shape.dims[axis] = 0;
        PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, SHAPE (-1, -1, -1, -1));
        PareValueId y = strcmp (ops[i], "Conv") == 0 ? conv (g, "Conv", x, 3) : MAKE (g, ops[i], "bad", x);
        if (strcmp (ops[i], "MaxPool") == 0)
          pare_node_set_ints (node_of (g, y), "kernel_shape", (gint64[]){ 2, 2 }, 2);
        make_output (g, y);
        pare_graph_name_layers (g);
        PareNamedShape named = { "x", shape };
        PareCompileOptions options = { .shapes = &named, .n_shapes = 1 };
        g_autoptr (GError) error = NULL;
        g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
        g_autoptr (PareTensor) in = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
        PareView view = pare_tensor_view (in);
        g_autoptr (PareRunner) runner = program != NULL ? pare_runner_new (program, 1, &error) : NULL;
        gboolean ran = runner != NULL && pare_runner_run (runner, &view, 1, NULL, &error);
        if (!ran && (error == NULL || strstr (error->message, "'bad'") == NULL))
          g_error ("%s of nothing along axis %u: %s", ops[i], axis, error != NULL ? error->message : "no reason");
      }
}

/* --- what a file says of its tensors --- */

static void
put_number (GByteArray *out, guint field, guint64 v)
{
  guint8 b[24];
  guint n = 0;
  for (guint64 part = (guint64)field << 3, last = 0; last < 2; part = v, last++)
    {
      do
        {
          b[n++] = (guint8)((part & 127) | (part > 127 ? 128 : 0));
          part >>= 7;
        }
      while (part != 0);
    }
  g_byte_array_append (out, b, n);
}

static void
put_bytes (GByteArray *out, guint field, const void *data, gsize size)
{
  guint at = out->len;
  put_number (out, field, size);
  /* the wire type of bytes stands in the tag's lowest bits */
  out->data[at] |= 2;
  g_byte_array_append (out, data, (guint)size);
}

static void
put_text (GByteArray *out, guint field, const char *text)
{
  put_bytes (out, field, text, strlen (text));
}

static void
put_message (GByteArray *out, guint field, GByteArray *inner /* taken */)
{
  put_bytes (out, field, inner->data, inner->len);
  g_byte_array_unref (inner);
}

static gint64 input_type = PARE_DTYPE_FLOAT32;

/* A model of one Add of an input and a tensor. data_field: 9 raw_data, 4 float_data. */
static GBytes *
model_with_tensor (gint64 dtype, const gint64 *dims, guint n_dims, guint data_field, const void *data, gsize size, guint pad)
{
  GByteArray *model = g_byte_array_new (), *opset = g_byte_array_new (), *graph = g_byte_array_new (), *node = g_byte_array_new (),
             *tensor = g_byte_array_new (), *in = g_byte_array_new (), *out = g_byte_array_new (), *type = g_byte_array_new (),
             *elements = g_byte_array_new (), *shape = g_byte_array_new ();
  put_text (node, 1, "x");
  put_text (node, 1, "weights");
  put_text (node, 2, "y");
  put_text (node, 3, "sum");
  put_text (node, 4, "Add");
  put_message (graph, 1, node);
  put_text (graph, 2, "g");
  for (guint i = 0; i < n_dims; i++)
    put_number (tensor, 1, (guint64)dims[i]);
  put_number (tensor, 2, (guint64)dtype);
  put_text (tensor, 8, "weights");
  g_autofree char *filler = g_strnfill (pad, 'd');
  put_text (tensor, 12, filler); /* doc_string: moves what follows to where it is not aligned */
  if (data != NULL)
    put_bytes (tensor, data_field, data, size);
  put_message (graph, 5, tensor);
  for (guint i = 0; i < n_dims; i++)
    {
      GByteArray *dim = g_byte_array_new ();
      put_number (dim, 1, (guint64)MAX (dims[i], 1));
      put_message (shape, 1, dim);
    }
  put_number (elements, 1, (guint64)input_type);
  put_message (elements, 2, shape);
  put_message (type, 1, elements);
  put_text (in, 1, "x");
  put_message (in, 2, type);
  put_message (graph, 11, in);
  put_text (out, 1, "y");
  put_message (graph, 12, out);
  put_text (graph, 10, "words after the tensors: what kernels may read behind a tensor is there, so that it is not copied for it");
  put_number (model, 1, 8);
  put_message (model, 7, graph);
  put_number (opset, 2, 17);
  put_message (model, 8, opset);
  return g_byte_array_free_to_bytes (model);
}

static void
test_tensors_of_files (void)
{
  static const struct
  {
    const char *name;
    gint64 dtype, dims[3];
    guint n;
  } cases[] = {
    { "a negative extent", 1, { -4 }, 1 },
    { "2^40 elements", 1, { TERA }, 1 },
    { "extents that overflow", 1, { TERA, TERA, TERA }, 3 },
    { "the largest extent", 1, { G_MAXINT64 }, 1 },
    { "complex numbers", 14, { 2 }, 1 },
    { "complex numbers of 128 bits", 15, { 1 }, 1 },
    { "8-bit floats", 17, { 16 }, 1 },
    { "8-bit floats of the other kind", 19, { 16 }, 1 },
    { "a type that is not there", 4711, { 4 }, 1 },
    { "a negative type", -1, { 4 }, 1 },
    { "text", 8, { 4 }, 1 },
  };
  guint8 data[16] = { 0 };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = model_with_tensor (cases[i].dtype, cases[i].dims, cases[i].n, 9, data, sizeof data, 0);
      guint64 before = pare_memory_peak ();
      gint64 start = g_get_monotonic_time ();
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) g = pare_onnx_parse (bytes, "hostile.onnx", &error);
      if (g != NULL || error == NULL || strstr (error->message, "hostile.onnx") == NULL || strstr (error->message, "'weights'") == NULL)
        g_error ("%s: %s", cases[i].name, g != NULL ? "is read" : error->message);
      g_test_message ("%s: %s", cases[i].name, error->message);
      g_assert_cmpfloat ((g_get_monotonic_time () - start) / 1e6, <, SLOWER);
      g_assert_cmpuint (pare_memory_peak () - before, <, 64 << 20);
    }
}

/* A type of the input that nothing runs on: the model opens, so that it can be looked at, and says why it does not run. */
static void
test_types_of_inputs (void)
{
  static const gint64 types[] = { PARE_DTYPE_STRING, 14, 15, 17, 18, 19, 20, 23, 4711, -1, 0 };
  const float weights[4] = { 1, 2, 3, 4 };
  const gint64 n = 4;
  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      input_type = types[i];
      g_autoptr (GBytes) bytes = model_with_tensor (PARE_DTYPE_FLOAT32, &n, 1, 9, weights, sizeof weights, 0);
      input_type = PARE_DTYPE_FLOAT32;
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) g = pare_onnx_parse (bytes, "types.onnx", &error);
      if (g == NULL)
        {
          g_assert_nonnull (strstr (error->message, "'x'"));
          continue;
        }
      g_autofree char *what = g_strdup_printf ("an input of type %d", (int)types[i]);
      expect_refusal (g, NULL, what, "types.onnx: ");
      g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
      g_assert_true (strstr (error->message, "'sum'") != NULL || strstr (error->message, "'x'") != NULL);
    }
}

/* Elements read the same wherever they stand in the file, raw or as floats one by one, and however large the tensor is. */
static void
test_unaligned (void)
{
  enum
  {
    LARGE = 5 << 18 /* floats: 5 MiB, more than one piece */
  };
  g_autofree float *values = g_new (float, LARGE);
  for (guint i = 0; i < LARGE; i++)
    values[i] = (float)i * 0.5f - 7;
  g_autofree char *dir = g_dir_make_tmp ("pare-memory-XXXXXX", NULL), *path = g_build_filename (dir, "model.onnx", NULL);
  for (guint large = 0; large < 2; large++)
    for (guint field = 4; field <= 9; field += 5)
      for (guint pad = 0; pad < 5; pad++)
        {
          gint64 n = large ? LARGE : 37;
          g_autoptr (GBytes) bytes = model_with_tensor (PARE_DTYPE_FLOAT32, &n, 1, field, values, (gsize)n * sizeof (float), pad);
          g_assert_true (g_file_set_contents (path, g_bytes_get_data (bytes, NULL), (gssize)g_bytes_get_size (bytes), NULL));
          g_autoptr (GError) error = NULL;
          g_autoptr (PareGraph) mapped = pare_onnx_load (path, NULL, &error);
          g_assert_no_error (error);
          g_autoptr (PareGraph) parsed = pare_onnx_parse (bytes, NULL, &error);
          g_assert_no_error (error);
          g_assert_cmpstr (mapped->sha256, ==, parsed->sha256);
          for (guint k = 0; k < 2; k++)
            {
              const PareGraph *g = k ? mapped : parsed;
              const PareTensor *t = g->values[pare_graph_find_value (g, "weights")].constant;
              g_assert_cmpuint (t->bytes, ==, (gsize)n * sizeof (float));
              g_assert_cmpint (memcmp (t->data, values, t->bytes), ==, 0);
              g_assert_cmpuint ((guintptr)t->data % sizeof (float), ==, 0);
            }
          /* and the sum of it is computed */
          g_autoptr (PareProgram) program = pare_program_compile (mapped, NULL, &error);
          g_assert_no_error (error);
          g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
          g_assert_no_error (error);
          g_autoptr (PareTensor) in = pare_tensor_new (PARE_DTYPE_FLOAT32, &SHAPE (n), NULL);
          PareView view = pare_tensor_view (in);
          g_assert_true (pare_runner_run (runner, &view, 1, NULL, &error));
          g_assert_cmpint (memcmp (pare_runner_get_output (runner, 0).data, values, (gsize)n * sizeof (float)), ==, 0);
        }
  g_unlink (path);
  g_rmdir (dir);
}

/* --- budgets --- */

static PareGraph *
wide_graph (gint64 width)
{
  PareGraph *g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, SHAPE (64, width));
  PareValueId first = MAKE (g, "MatMul", "small", x, make_float (g, "w1", SHAPE (width, 16), NULL));
  PareValueId second = MAKE (g, "MatMul", "large", first, make_float (g, "w2", SHAPE (16, width * 4), NULL));
  make_output (g, MAKE (g, "Relu", "relu", second));
  pare_graph_name_layers (g);
  return g;
}

static void
test_budget (void)
{
  g_autoptr (PareGraph) g = wide_graph (4096);
  PareCompileOptions options = { .memory_budget = 64 << 20 };
  g_autoptr (GError) error = NULL;
  g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
  g_assert_no_error (error);
  guint64 arena, sum, constants;
  pare_program_get_memory (program, &arena, &sum, &constants);
  g_assert_cmpuint (constants, ==, (4096 * 16 + 16 * 16384) * 4);
  g_assert_cmpuint (arena, >=, 64 * 16384 * 4);
  g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pare_program_get_packed_memory (program), <=, 2 * constants + 65536);
  /* all of it, but for a little */
  options.memory_budget = arena + constants;
  expect_refusal (g, &options, "everything but packed weights", "node 'large'");
  options.memory_budget = 64 * 16384 * 4 - 1;
  expect_refusal (g, &options, "not even one result", "node 'large'");
  /* weights that are larger than activations are blamed themselves */
  g_autoptr (PareGraph) heavy = make_graph (17);
  PareValueId x = make_input (heavy, "x", PARE_DTYPE_FLOAT32, SHAPE (1, 8));
  PareValueId a = MAKE (heavy, "MatMul", "light", x, make_float (heavy, "w1", SHAPE (8, 1024), NULL));
  make_output (heavy, MAKE (heavy, "MatMul", "heavy", a, make_float (heavy, "w2", SHAPE (1024, 2048), NULL)));
  pare_graph_name_layers (heavy);
  options.memory_budget = 1 << 20;
  expect_refusal (heavy, &options, "weights beyond the budget", "node 'heavy'");
}

/* Weights that grow when they are packed (Winograd's algorithm) are packed where there is room for them; without, the kernels read them as
 * they lie, and the answer is the same but for rounding. */
static void
test_lean (void)
{
  g_autoptr (PareGraph) g = make_graph (17);
  PareValueId x = make_input (g, "x", PARE_DTYPE_FLOAT32, SHAPE (1, 64, 16, 16)), w = make_float (g, "w", SHAPE (64, 64, 3, 3), NULL),
              y = MAKE (g, "Conv", "conv", x, w);
  static const gint64 pads[] = { 1, 1, 1, 1 };
  pare_node_set_ints (node_of (g, y), "pads", pads, 4);
  make_output (g, y);
  pare_graph_name_layers (g);
  const guint64 bytes = 64 * 64 * 9 * sizeof (float), positions = 64 * 16 * 16;
  g_autofree float *input = g_new (float, positions);
  float *outputs[2] = { g_new (float, positions), g_new (float, positions) };
  for (guint i = 0; i < positions; i++)
    input[i] = (float)((i * 31 + 7) % 97) / 97.0f - 0.5f;
  PareView view = { .dtype = PARE_DTYPE_FLOAT32, .shape = SHAPE (1, 64, 16, 16), .data = input };
  guint64 packed[2], arena, sum, constants;
  for (int lean = 0; lean < 2; lean++)
    {
      PareCompileOptions options = { .backend = PARE_BACKEND_PORTABLE };
      if (lean)
        options.memory_budget = arena + constants + (512 << 10); /* and scratch, of one worker */
      g_autoptr (GError) error = NULL;
      g_autoptr (PareProgram) program = pare_program_compile (g, &options, &error);
      g_assert_no_error (error);
      g_autoptr (PareRunner) runner = pare_runner_new (program, 1, &error);
      g_assert_no_error (error);
      pare_runner_run (runner, &view, 1, NULL, &error);
      g_assert_no_error (error);
      memcpy (outputs[lean], pare_runner_get_output (runner, 0).data, positions * sizeof (float));
      packed[lean] = pare_program_get_packed_memory (program);
      pare_program_get_memory (program, &arena, &sum, &constants);
    }
  g_test_message ("%" G_GUINT64_FORMAT " bytes of weights, packed %" G_GUINT64_FORMAT, bytes, packed[0]);
  g_assert_cmpuint (packed[0], >, bytes * 3 / 2);
  g_assert_cmpuint (packed[1], ==, 0);
  for (guint i = 0; i < positions; i++)
    g_assert_cmpfloat_with_epsilon (outputs[0][i], outputs[1][i], 1e-3);
  g_free (outputs[0]);
  g_free (outputs[1]);
}

/* A mapped model is not copied: neither by opening it nor by compiling. */
static void
test_mapped_weights (void)
{
  enum
  {
    N = 4096
  };
  g_autofree char *dir = g_dir_make_tmp ("pare-memory-XXXXXX", NULL), *path = g_build_filename (dir, "model.onnx", NULL);
  g_autoptr (GError) error = NULL;
  {
    g_autofree float *values = g_new0 (float, N *N);
    g_autoptr (GBytes) bytes = NULL;
    const gint64 dims[] = { N, N };
    guint pad = 0;
    /* the offset at which raw_data is aligned */
    for (; pad < 64; pad++)
      {
        g_clear_pointer (&bytes, g_bytes_unref);
        bytes = model_with_tensor (PARE_DTYPE_FLOAT32, dims, 2, 9, values, N * N * sizeof (float), pad);
        const guint8 *data = g_bytes_get_data (bytes, NULL), *raw = memmem (data, 512, "\x4a\x80\x80\x80\x20", 5);
        g_assert_nonnull (raw);
        if ((raw + 5 - data) % 4 == 0)
          break;
      }
    g_assert_cmpuint (pad, <, 64);
    g_assert_true (g_file_set_contents (path, g_bytes_get_data (bytes, NULL), (gssize)g_bytes_get_size (bytes), &error));
  }
  guint64 before = pare_memory_own ();
  g_autoptr (PareGraph) g = pare_onnx_load (path, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (PareProgram) program = pare_program_compile (g, NULL, &error);
  g_assert_no_error (error);
  guint64 after = pare_memory_own ();
  g_test_message ("a model of 64 MiB: %.1f MiB of memory before, %.1f MiB compiled", before / 1048576.0, after / 1048576.0);
  g_assert_cmpuint (after, <, before + (16 << 20));
  g_unlink (path);
  g_rmdir (dir);
}

/* --- reading is watched and stopped --- */

static PareControl *watched;
static guint64 last_done, largest_step;

static void
on_progress (const char *what, guint64 done, guint64 total, gpointer stop_at)
{
  if (done >= last_done)
    largest_step = MAX (largest_step, done - last_done);
  last_done = done;
  if (done >= GPOINTER_TO_SIZE (stop_at))
    pare_control_cancel (watched);
}

static void
test_stopped (void)
{
  g_autofree char *dir = g_dir_make_tmp ("pare-memory-XXXXXX", NULL), *path = g_build_filename (dir, "model.onnx", NULL);
  const gint64 n = 12 << 20;
  {
    g_autofree float *values = g_new0 (float, n);
    g_autoptr (GBytes) bytes = model_with_tensor (PARE_DTYPE_FLOAT32, &n, 1, 9, values, (gsize)n * 4, 0);
    g_assert_true (g_file_set_contents (path, g_bytes_get_data (bytes, NULL), (gssize)g_bytes_get_size (bytes), NULL));
  }
  for (guint stop = 0; stop < 2; stop++)
    {
      g_autoptr (GError) error = NULL;
      last_done = largest_step = 0;
      watched = pare_control_new (on_progress, GSIZE_TO_POINTER (stop ? 20 << 20 : G_MAXSIZE));
      g_autoptr (PareGraph) g = pare_onnx_load (path, watched, &error);
      if (stop)
        {
          g_assert_error (error, PARE_ERROR, PARE_ERROR_CANCELLED);
          g_assert_cmpuint (last_done, <, 36 << 20);
        }
      else
        g_assert_no_error (error);
      g_assert_cmpuint (largest_step, >, 0);
      g_assert_cmpuint (largest_step, <=, 16 << 20);
      pare_control_unref (watched);
    }
  g_unlink (path);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory/hostile-operators", test_hostile);
  g_test_add_func ("/memory/hostile-sizes", test_made_sizes);
  g_test_add_func ("/memory/hostile-inputs", test_absurd_inputs);
  g_test_add_func ("/memory/doubling", test_doubling);
  g_test_add_func ("/memory/folding", test_folding);
  g_test_add_func ("/memory/indices", test_indices);
  g_test_add_func ("/memory/empty", test_empty);
  g_test_add_func ("/memory/hostile-tensors", test_tensors_of_files);
  g_test_add_func ("/memory/types-of-inputs", test_types_of_inputs);
  g_test_add_func ("/memory/unaligned", test_unaligned);
  g_test_add_func ("/memory/budget", test_budget);
  g_test_add_func ("/memory/lean", test_lean);
  g_test_add_func ("/memory/mapped-weights", test_mapped_weights);
  g_test_add_func ("/memory/stopped", test_stopped);
  return g_test_run ();
}
