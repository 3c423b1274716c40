#include "engine/base/pare-error.h"
#include "engine/base/pare-rng.h"
#include "engine/onnx/pare-onnx.h"
#include "make-graph.h"

#include <glib/gstdio.h>
#include <unistd.h>

/* --- the wire, by hand --- */

static void
put_varint (GByteArray *out, guint64 v)
{
  do
    {
      guint8 b = (guint8)((v & 127) | (v > 127 ? 128 : 0));
      g_byte_array_append (out, &b, 1);
      v >>= 7;
    }
  while (v != 0);
}

static void
put_bytes (GByteArray *out, int field, const void *data, gsize n)
{
  put_varint (out, (guint64)field << 3 | 2);
  put_varint (out, n);
  if (n > 0)
    g_byte_array_append (out, data, (guint)n);
}

static void
put_int (GByteArray *out, int field, guint64 v)
{
  put_varint (out, (guint64)field << 3);
  put_varint (out, v);
}

static GBytes *
model_of (GByteArray *graph)
{
  GByteArray *m = g_byte_array_new ();
  put_int (m, 1, 8);
  put_bytes (m, 7, graph->data, graph->len);
  guint8 opset[] = { 0x0a, 0x00, 0x10, 13 };
  put_bytes (m, 8, opset, sizeof opset);
  return g_byte_array_free_to_bytes (m);
}

static void
put_node (GByteArray *graph, const char *op, const char *in, const char *out)
{
  g_autoptr (GByteArray) n = g_byte_array_new ();
  put_bytes (n, 1, in, strlen (in));
  put_bytes (n, 2, out, strlen (out));
  put_bytes (n, 4, op, strlen (op));
  put_bytes (graph, 1, n->data, n->len);
}

static void
put_value (GByteArray *graph, int field, const char *name)
{
  g_autoptr (GByteArray) v = g_byte_array_new ();
  put_bytes (v, 1, name, strlen (name));
  /* float, 1 x N */
  static const guint8 type[] = { 0x0a, 0x0d, 0x08, 0x01, 0x12, 0x09, 0x0a, 0x02, 0x08, 0x01, 0x0a, 0x03, 0x12, 0x01, 'N' };
  put_bytes (v, 2, type, sizeof type);
  put_bytes (graph, field, v->data, v->len);
}

static void
assert_refused (GBytes *bytes, PareError code, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = pare_onnx_parse (bytes, NULL, &error);
  g_assert_null (g);
  g_assert_error (error, PARE_ERROR, (int)code);
  if (strstr (error->message, word) == NULL)
    g_error ("'%s' does not say '%s'", error->message, word);
  g_assert_null (strchr (error->message, '\n'));
}

static GBytes *
sample_model (void)
{
  g_autoptr (PareGraph) g = make_graph (13);
  PareShape in = pare_shape_make (4, (gint64)-1, (gint64)3, (gint64)8, (gint64)8);
  PareValueId x = make_input (g, "input:0", PARE_DTYPE_FLOAT32, in);
  g->values[x].dim_names[0] = "N";
  PareValueId w = make_float (g, "scope/weight", pare_shape_make (4, (gint64)4, (gint64)3, (gint64)3, (gint64)3), NULL);
  PareValueId b = make_float (g, "scope/bias", pare_shape_make (1, (gint64)4), NULL);
  PareValueId c = MAKE (g, "Conv", "/scope/conv", x, w, b);
  pare_node_set_ints (node_of (g, c), "pads", (gint64[]){ 1, 1, 1, 1 }, 4);
  PareValueId r = MAKE (g, "Relu", "", c);
  PareValueId p = MAKE (g, "GlobalAveragePool", "pool", r);
  PareValueId f = MAKE (g, "Flatten", "flat", p);
  pare_node_set_int (node_of (g, f), "axis", 1);
  g->values[f].dtype = PARE_DTYPE_FLOAT32;
  g->values[f].shape = pare_shape_make (2, (gint64)-1, (gint64)4);
  g->values[f].dim_names[0] = "N";
  make_output (g, f);
  g->meta_keys = g_new0 (char *, 2);
  g->meta_values = g_new0 (char *, 2);
  g->meta_keys[0] = g_strdup ("note");
  g->meta_values[0] = g_strdup ("ünï");
  g->n_meta = 1;
  g->producer_name = g_strdup ("test");
  return pare_onnx_serialize (g, NULL);
}

static void
test_round_trip (void)
{
  g_autoptr (GBytes) bytes = sample_model ();
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = pare_onnx_parse (bytes, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g->n_nodes, ==, 4);
  g_assert_cmpint (g->opset, ==, 13);
  g_assert_cmpstr (g->producer_name, ==, "test");
  g_assert_cmpstr (g->meta_values[0], ==, "ünï");
  g_assert_cmpuint (g->n_inputs, ==, 1);
  g_assert_cmpstr (g->values[g->inputs[0]].name, ==, "input:0");
  g_assert_cmpstr (g->values[g->inputs[0]].dim_names[0], ==, "N");
  g_assert_cmpstr (g->nodes[0].layer, ==, "/scope/conv");
  g_assert_cmpstr (g->nodes[1].layer, ==, "_out"); /* no name: that of its output */
  guint n;
  const gint64 *pads = pare_node_get_ints (&g->nodes[0], "pads", &n);
  g_assert_cmpuint (n, ==, 4);
  g_assert_cmpint (pads[3], ==, 1);
  PareValueId w = pare_graph_find_value (g, "scope/weight");
  g_assert_cmpfloat (pare_tensor_get_double (g->values[w].constant, 1), ==, (37 + 11) % 64 / 32.0 - 1);
  g_assert_cmpuint (strlen (g->sha256), ==, 64);
  /* Written again it is the same file. */
  g_autoptr (GBytes) again = pare_onnx_serialize (g, &error);
  g_assert_cmpint (pare_onnx_count_bytes (g, NULL), ==, g_bytes_get_size (again));
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (bytes, again));
}

static void
test_save_is_atomic (void)
{
  g_autoptr (GBytes) bytes = sample_model ();
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = pare_onnx_parse (bytes, NULL, &error);
  g_autofree char *folder = g_dir_make_tmp ("pare-onnx-XXXXXX", NULL), *path = g_build_filename (folder, "m.onnx", NULL);
  g_assert_true (pare_onnx_save (g, path, &error));
  g_autoptr (PareGraph) back = pare_onnx_load (path, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (back->sha256, ==, g->sha256);
  g_assert_cmpstr (back->path, ==, path);
  g_autofree char *nowhere = g_build_filename (folder, "no", "such", "place.onnx", NULL);
  g_assert_false (pare_onnx_save (g, nowhere, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  g_assert_null (pare_onnx_load (nowhere, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_clear_error (&error);
  g_assert_null (pare_onnx_load (folder, NULL, &error));
  g_assert_error (error, PARE_ERROR, PARE_ERROR_FILE);
  g_unlink (path);
  g_rmdir (folder);
}

static void
put_initializer (GByteArray *graph, const char *name, int dtype, guint n_dims, const gint64 *dims, int field, const void *data, gsize bytes)
{
  g_autoptr (GByteArray) t = g_byte_array_new ();
  for (guint i = 0; i < n_dims; i++)
    put_int (t, 1, (guint64)dims[i]);
  put_int (t, 2, (guint64)dtype);
  put_bytes (t, 8, name, strlen (name));
  if (field > 0)
    put_bytes (t, field, data, bytes);
  put_bytes (graph, 5, t->data, t->len);
}

/* Every way a tensor may hold its elements. */
static void
test_typed_data (void)
{
  g_autoptr (GByteArray) graph = g_byte_array_new ();
  const gint64 two[] = { 2 }, four[] = { 4 };
  const float f[] = { 1.5f, -2 };
  const double d[] = { 0.25, 8 };
  guint8 i8[20], n = 0;
  put_initializer (graph, "float", 1, 1, two, 4, f, sizeof f);
  put_initializer (graph, "double", 11, 1, two, 10, d, sizeof d);
  put_initializer (graph, "raw", 1, 1, two, 9, f, sizeof f);
  /* -1 as a varint of ten bytes, then 7 */
  for (n = 0; n < 9; n++)
    i8[n] = 0xff;
  i8[9] = 1;
  i8[10] = 7;
  put_initializer (graph, "int8", 3, 1, two, 5, i8, 11);
  put_initializer (graph, "int64", 7, 1, two, 7, i8, 11);
  put_initializer (graph, "uint64", 13, 1, two, 11, i8, 11);
  const guint8 half[] = { 0x80, 0x78, 0x80, 0x80, 0x03 }; /* 0x3c00, 0xc000 */
  put_initializer (graph, "half", 10, 1, two, 5, half, sizeof half);
  const guint8 nibbles[] = { 0xf1, 0x01, 0x02 }; /* 0xf1 and 0x02 */
  put_initializer (graph, "int4", 22, 1, four, 5, nibbles, sizeof nibbles);
  const gint64 zero[] = { 0, 5 };
  put_initializer (graph, "empty", 1, 2, zero, 0, NULL, 0);
  put_value (graph, 11, "x");
  put_node (graph, "Relu", "x", "y");
  put_value (graph, 12, "y");
  g_autoptr (GBytes) bytes = model_of (graph);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = pare_onnx_parse (bytes, NULL, &error);
  g_assert_no_error (error);
#define AT(name, i) pare_tensor_get_double (g->values[pare_graph_find_value (g, name)].constant, i)
  g_assert_cmpfloat (AT ("float", 1), ==, -2);
  g_assert_cmpfloat (AT ("raw", 0), ==, 1.5);
  g_assert_cmpfloat (AT ("double", 0), ==, 0.25);
  g_assert_cmpfloat (AT ("int8", 0), ==, -1);
  g_assert_cmpfloat (AT ("int8", 1), ==, 7);
  g_assert_cmpfloat (AT ("int64", 0), ==, -1);
  g_assert_cmpfloat (AT ("uint64", 0), ==, 18446744073709551615.0);
  g_assert_cmpfloat (AT ("half", 0), ==, 1);
  g_assert_cmpfloat (AT ("half", 1), ==, -2);
  g_assert_cmpfloat (AT ("int4", 0), ==, 1);
  g_assert_cmpfloat (AT ("int4", 1), ==, -1);
  g_assert_cmpfloat (AT ("int4", 2), ==, 2);
#undef AT
}

/* --- hostile --- */

static void
test_truncated (void)
{
  g_autoptr (GBytes) bytes = sample_model ();
  gsize size = g_bytes_get_size (bytes);
  for (gsize n = 0; n < size; n++)
    {
      g_autoptr (GBytes) part = g_bytes_new (g_bytes_get_data (bytes, NULL), n);
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) g = pare_onnx_parse (part, NULL, &error);
      g_assert_true ((g == NULL) == (error != NULL)); /* a cut between two fields may leave a model */
    }
}

static void
test_bit_flips (void)
{
  g_autoptr (GBytes) bytes = sample_model ();
  gsize size = g_bytes_get_size (bytes);
  PareRng rng = { 7 };
  guint opened = 0;
  for (guint i = 0; i < 20000; i++)
    {
      g_autofree guint8 *copy = g_memdup2 (g_bytes_get_data (bytes, NULL), size);
      for (guint flips = 1 + (guint)pare_rng_below (&rng, 4); flips > 0; flips--)
        copy[pare_rng_below (&rng, size)] ^= (guint8)(1u << pare_rng_below (&rng, 8));
      g_autoptr (GBytes) flipped = g_bytes_new_take (g_steal_pointer (&copy), size);
      g_autoptr (GError) error = NULL;
      g_autoptr (PareGraph) g = pare_onnx_parse (flipped, NULL, &error);
      g_assert_true ((g == NULL) == (error != NULL));
      if (g == NULL)
        continue;
      opened++;
      g_autoptr (GError) ignored = NULL;
      g_autoptr (PareGraph) c = pare_graph_canonicalize (g, NULL, 0, NULL, &ignored);
      g_assert_true ((c == NULL) == (ignored != NULL));
      g_autoptr (GBytes) again = pare_onnx_serialize (g, NULL);
      g_assert_nonnull (again);
    }
  g_assert_cmpuint (opened, >, 100); /* most flips hit weights, so the parser is reached whole */
}

/* An If in an If in an If ...: protobuf-c alone overflows the stack here. */
static void
test_nested (void)
{
  g_autoptr (GByteArray) inner = g_byte_array_new ();
  put_value (inner, 12, "y");
  for (int i = 0; i < 1000; i++)
    {
      g_autoptr (GByteArray) attr = g_byte_array_new ();
      put_bytes (attr, 1, "then_branch", 11);
      put_bytes (attr, 6, inner->data, inner->len);
      put_int (attr, 20, 5);
      g_autoptr (GByteArray) node = g_byte_array_new ();
      put_bytes (node, 2, "y", 1);
      put_bytes (node, 4, "If", 2);
      put_bytes (node, 5, attr->data, attr->len);
      GByteArray *graph = g_byte_array_new ();
      put_bytes (graph, 1, node->data, node->len);
      g_byte_array_unref (inner);
      inner = graph;
    }
  g_autoptr (GBytes) bytes = model_of (inner);
  assert_refused (bytes, PARE_ERROR_FORMAT, "nested too deep");
}

static void
test_absurd_dims (void)
{
  const gint64 huge[] = { G_MAXINT64, 2 }, large[] = { 1 << 20, 1 << 20, 1 << 10 }, negative[] = { -3 };
  const float one = 1;
  const struct
  {
    const gint64 *dims;
    guint n;
  } cases[] = { { huge, 2 }, { large, 3 }, { negative, 1 } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    for (int field = 4; field <= 9; field += 5)
      {
        g_autoptr (GByteArray) graph = g_byte_array_new ();
        put_initializer (graph, "w", 1, cases[i].n, cases[i].dims, field, &one, sizeof one);
        g_autoptr (GBytes) bytes = model_of (graph);
        assert_refused (bytes, PARE_ERROR_FORMAT, "'w'");
      }
  g_autoptr (GByteArray) graph = g_byte_array_new ();
  const gint64 nine[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
  put_initializer (graph, "w", 1, 9, nine, 9, &one, sizeof one);
  g_autoptr (GBytes) bytes = model_of (graph);
  assert_refused (bytes, PARE_ERROR_UNSUPPORTED, "dimensions");
}

static void
test_wrong_dtype (void)
{
  const gint64 one[] = { 1 };
  const float f = 1;
  g_autoptr (GByteArray) graph = g_byte_array_new ();
  put_initializer (graph, "w", 99, 1, one, 9, &f, sizeof f);
  g_autoptr (GBytes) bytes = model_of (graph);
  assert_refused (bytes, PARE_ERROR_UNSUPPORTED, "type 99");
  g_autoptr (GByteArray) other = g_byte_array_new ();
  put_initializer (other, "w", 7, 1, one, 9, &f, sizeof f); /* four bytes for an int64 */
  g_autoptr (GBytes) second = model_of (other);
  assert_refused (second, PARE_ERROR_FORMAT, "4 bytes");
}

static void
test_broken_graphs (void)
{
  g_autoptr (GByteArray) cycle = g_byte_array_new (), missing = g_byte_array_new (), twice = g_byte_array_new (),
                         no_output = g_byte_array_new ();
  put_node (cycle, "Relu", "b", "a");
  put_node (cycle, "Relu", "a", "b");
  put_value (cycle, 12, "a");
  g_autoptr (GBytes) a = model_of (cycle);
  assert_refused (a, PARE_ERROR_FORMAT, "cycle");
  put_node (missing, "Relu", "nothing", "y");
  put_value (missing, 12, "y");
  g_autoptr (GBytes) b = model_of (missing);
  assert_refused (b, PARE_ERROR_FORMAT, "'nothing'");
  assert_refused (b, PARE_ERROR_FORMAT, "node 'y' (Relu)");
  put_value (twice, 11, "x");
  put_node (twice, "Relu", "x", "y");
  put_node (twice, "Abs", "x", "y");
  put_value (twice, 12, "y");
  g_autoptr (GBytes) c = model_of (twice);
  assert_refused (c, PARE_ERROR_FORMAT, "twice");
  put_value (no_output, 12, "y");
  g_autoptr (GBytes) d = model_of (no_output);
  assert_refused (d, PARE_ERROR_FORMAT, "'y'");
  g_autoptr (GByteArray) text = g_byte_array_new ();
  put_node (text, "Re\xff\xfelu", "x", "y");
  g_autoptr (GBytes) e = model_of (text);
  assert_refused (e, PARE_ERROR_FORMAT, "UTF-8");
  g_autoptr (GByteArray) sparse = g_byte_array_new ();
  put_bytes (sparse, 15, "", 0);
  g_autoptr (GBytes) f = model_of (sparse);
  assert_refused (f, PARE_ERROR_UNSUPPORTED, "sparse");
  g_autoptr (GBytes) empty = g_bytes_new (NULL, 0), png = g_bytes_new_static ("\x89PNG\r\n\x1a\n not a model at all", 30);
  assert_refused (empty, PARE_ERROR_FORMAT, "empty");
  assert_refused (png, PARE_ERROR_FORMAT, "not a valid ONNX file");
}

static void
put_pair (GByteArray *t, const char *key, const char *value)
{
  g_autoptr (GByteArray) p = g_byte_array_new ();
  put_bytes (p, 1, key, strlen (key));
  put_bytes (p, 2, value, strlen (value));
  put_bytes (t, 13, p->data, p->len);
}

static PareGraph *
load_external (const char *folder, const char *location, const char *offset, const char *length, GError **error)
{
  g_autoptr (GByteArray) t = g_byte_array_new (), graph = g_byte_array_new ();
  put_int (t, 1, 4);
  put_int (t, 2, 1);
  put_bytes (t, 8, "w", 1);
  put_pair (t, "location", location);
  put_pair (t, "offset", offset);
  put_pair (t, "length", length);
  put_int (t, 14, 1);
  put_bytes (graph, 5, t->data, t->len);
  put_value (graph, 11, "x");
  put_node (graph, "Relu", "x", "y");
  put_value (graph, 12, "y");
  g_autoptr (GBytes) bytes = model_of (graph);
  g_autofree char *path = g_build_filename (folder, "m.onnx", NULL);
  gsize size;
  const char *data = g_bytes_get_data (bytes, &size);
  g_assert_true (g_file_set_contents (path, data, (gssize)size, NULL));
  PareGraph *g = pare_onnx_load (path, NULL, error);
  g_unlink (path);
  return g;
}

static void
test_external (void)
{
  g_autofree char *outside = g_dir_make_tmp ("pare-onnx-XXXXXX", NULL), *folder = g_build_filename (outside, "inner", NULL);
  g_autofree char *data = g_build_filename (folder, "w.bin", NULL), *secret = g_build_filename (outside, "secret", NULL),
                  *link = g_build_filename (folder, "link", NULL);
  g_mkdir (folder, 0700);
  const float values[] = { 9, 1, 2, 3, 4 };
  g_assert_true (g_file_set_contents (data, (const char *)values, sizeof values, NULL));
  g_assert_true (g_file_set_contents (secret, (const char *)values, sizeof values, NULL));
  g_assert_cmpint (symlink (secret, link), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = load_external (folder, "w.bin", "4", "16", &error);
  g_assert_no_error (error);
  PareTensor *t = g->values[pare_graph_find_value (g, "w")].constant;
  g_assert_cmpfloat (pare_tensor_get_double (t, 3), ==, 4);
  g_assert_nonnull (t->owner); /* mapped, not copied */
  const struct
  {
    const char *location, *offset, *length, *word;
  } bad[] = {
    { "../secret", "0", "16", "outside" },
    { "/etc/passwd", "0", "16", "outside" },
    { "../../etc/passwd", "0", "16", "outside" },
    { "link", "0", "16", "outside" },
    { "w.bin", "8", "16", "ends before" },
    { "w.bin", "0", "20", "20 bytes" },
    { "w.bin", "-4", "16", "offset" },
    { "w.bin", "18446744073709551600", "16", "offset" },
    { "w.bin", "9223372036854775800", "16", "ends before" },
    { "absent.bin", "0", "16", "absent.bin" },
    { "", "0", "16", "location" },
    { ".", "0", "16", "'.'" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) e = NULL;
      g_autoptr (PareGraph) none = load_external (folder, bad[i].location, bad[i].offset, bad[i].length, &e);
      g_assert_null (none);
      g_assert_nonnull (e);
      if (strstr (e->message, bad[i].word) == NULL)
        g_error ("case %u: '%s' does not say '%s'", i, e->message, bad[i].word);
    }
  g_unlink (data);
  g_unlink (link);
  g_unlink (secret);
  g_rmdir (folder);
  g_rmdir (outside);
}

/* Every public model opens, passes its own checks, and is the same graph after it was written and read again. */
static void
test_material (void)
{
  g_autofree char *models = material_models ();
  g_autoptr (GDir) dir = models ? g_dir_open (models, 0, NULL) : NULL;
  if (dir == NULL)
    {
      g_test_skip ("no public models");
      return;
    }
  const char *name;
  guint count = 0;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (models, name, NULL);
      g_autoptr (GError) error = NULL;
      if (!g_str_has_suffix (name, ".onnx"))
        continue;
      count++;
      g_autoptr (PareGraph) g = pare_onnx_load (path, NULL, &error);
      g_assert_no_error (error);
      g_assert_true (pare_graph_verify (g, &error));
      g_autoptr (GBytes) bytes = pare_onnx_serialize (g, &error);
      g_assert_no_error (error);
      g_autoptr (PareGraph) back = pare_onnx_parse (bytes, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (back->n_nodes, ==, g->n_nodes);
      g_assert_cmpuint (back->n_values, ==, g->n_values);
      g_assert_cmpint (back->opset, ==, g->opset);
      for (guint i = 0; i < g->n_nodes; i++)
        {
          g_assert_cmpstr (g->nodes[i].op, ==, back->nodes[i].op);
          g_assert_cmpstr (g->nodes[i].layer, ==, back->nodes[i].layer);
          g_assert_cmpuint (g->nodes[i].n_attrs, ==, back->nodes[i].n_attrs);
        }
      for (guint i = 0; i < g->n_values; i++)
        if (g->values[i].constant != NULL)
          {
            PareTensor *t = back->values[pare_graph_find_value (back, g->values[i].name)].constant;
            g_assert_cmpmem (t->data, t->bytes, g->values[i].constant->data, g->values[i].constant->bytes);
          }
    }
  g_assert_cmpuint (count, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnx/round-trip", test_round_trip);
  g_test_add_func ("/onnx/save", test_save_is_atomic);
  g_test_add_func ("/onnx/typed-data", test_typed_data);
  g_test_add_func ("/onnx/external", test_external);
  g_test_add_func ("/onnx/hostile/truncated", test_truncated);
  g_test_add_func ("/onnx/hostile/bit-flips", test_bit_flips);
  g_test_add_func ("/onnx/hostile/nested", test_nested);
  g_test_add_func ("/onnx/hostile/dims", test_absurd_dims);
  g_test_add_func ("/onnx/hostile/dtype", test_wrong_dtype);
  g_test_add_func ("/onnx/hostile/graphs", test_broken_graphs);
  g_test_add_func ("/onnx/material", test_material);
  return g_test_run ();
}
