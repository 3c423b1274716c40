/* What a node can show besides its name: the attributes the file gives it and the constants it reads, as pairs of short texts. */
#include "widgets/pare-graph-model.h"

#include <string.h>

#define MOST 8   /* lines of each kind; the last one counts what is left out */
#define VALUES 6 /* numbers of a list that are written out */

/* The names that the ONNX specification gives to the inputs of operators that read constants. */
static const struct
{
  const char *op, *inputs;
} formal[] = {
  { "Conv", "X W B" },
  { "ConvTranspose", "X W B" },
  { "Gemm", "A B C" },
  { "MatMul", "A B" },
  { "BatchNormalization", "X scale B mean var" },
  { "InstanceNormalization", "input scale B" },
  { "LayerNormalization", "X Scale B" },
  { "PRelu", "X slope" },
  { "Clip", "input min max" },
  { "LSTM", "X W R B sequence_lens initial_h initial_c P" },
  { "GRU", "X W R B sequence_lens initial_h" },
  { "RNN", "X W R B sequence_lens initial_h" },
  { "Reshape", "data shape" },
  { "Slice", "data starts ends axes steps" },
  { "Pad", "data pads constant_value axes" },
  { "Gather", "data indices" },
  { "Unsqueeze", "data axes" },
  { "Squeeze", "data axes" },
  { "ReduceMean", "data axes" },
  { "Resize", "X roi scales sizes" },
  { "QLinearConv", "x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B" },
  { "QLinearMatMul", "a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point" },
};

static char *
formal_name (const PareNode *n, guint input, const char *fallback)
{
  for (guint i = 0; i < G_N_ELEMENTS (formal); i++)
    if (pare_node_is (n, formal[i].op))
      {
        g_auto (GStrv) names = g_strsplit (formal[i].inputs, " ", -1);
        if (input < g_strv_length (names))
          return g_strdup (names[input]);
      }
  return g_strdup (fallback);
}

static void
add_list (GString *s, guint i, guint n)
{
  if (i > 0 && i < n)
    g_string_append (s, ", ");
}

static char *
attribute_text (const PareAttr *a)
{
  GString *s = g_string_new (NULL);
  switch (a->kind)
    {
    case PARE_ATTR_FLOAT:
      g_string_append_printf (s, "%g", a->f);
      break;
    case PARE_ATTR_INT:
      g_string_append_printf (s, "%" G_GINT64_FORMAT, a->i);
      break;
    case PARE_ATTR_STRING:
      {
        gsize size = 0;
        const char *bytes = a->s != NULL ? g_bytes_get_data (a->s, &size) : NULL;
        g_autofree char *whole = g_strndup (bytes != NULL ? bytes : "", MIN (size, 60)), *valid = g_utf8_make_valid (whole, -1);
        g_string_append (s, valid);
        break;
      }
    case PARE_ATTR_FLOATS:
    case PARE_ATTR_INTS:
      for (guint i = 0; i < MIN (a->n, VALUES); i++)
        {
          add_list (s, i, a->n);
          if (a->kind == PARE_ATTR_INTS)
            g_string_append_printf (s, "%" G_GINT64_FORMAT, a->ints[i]);
          else
            g_string_append_printf (s, "%g", a->floats[i]);
        }
      if (a->n > VALUES)
        g_string_append (s, ", …");
      break;
    case PARE_ATTR_TENSOR:
      if (a->tensor != NULL)
        {
          g_autofree char *shape = pare_shape_to_string (&a->tensor->shape);
          g_string_append (s, *shape != '\0' ? shape : pare_dtype_name (a->tensor->dtype));
        }
      break;
    case PARE_ATTR_STRINGS:
      g_string_append_printf (s, "[%u]", a->n);
      break;
    case PARE_ATTR_GRAPH:
      g_string_append (s, "{ }");
      break;
    default:
      g_string_append (s, "…");
    }
  return g_string_free (s, FALSE);
}

/* A few whole numbers are said; everything else by its shape and, where it is not float32, its type. */
static char *
constant_text (const PareValue *v)
{
  const PareTensor *t = v->constant;
  const PareShape *shape = t != NULL ? &t->shape : &v->shape;
  PareDtype dtype = t != NULL ? t->dtype : v->dtype;
  gint64 count = t != NULL ? pare_tensor_count (t) : -1;
  GString *s = g_string_new (NULL);
  if (t != NULL && shape->rank <= 1 && count > 0 && count <= 4)
    {
      for (gint64 i = 0; i < count; i++)
        {
          add_list (s, (guint)i, (guint)count);
          g_string_append_printf (s, "%g", pare_tensor_get_double (t, (gsize)i));
        }
      return g_string_free (s, FALSE);
    }
  g_autofree char *text = shape->rank >= 0 ? pare_shape_to_string (shape) : NULL;
  g_string_append (s, text != NULL ? text : "?");
  if (dtype != PARE_DTYPE_FLOAT32 && dtype != PARE_DTYPE_NONE)
    g_string_append_printf (s, "%s%s", s->len > 0 ? " " : "", pare_dtype_name (dtype));
  return g_string_free (s, FALSE);
}

static void
add (GPtrArray *list, char *name, char *text)
{
  g_ptr_array_add (list, name);
  g_ptr_array_add (list, text);
}

/* At most MOST pairs, NULL-terminated. */
static char **
finish (GPtrArray *list)
{
  guint pairs = list->len / 2;
  if (pairs > MOST)
    {
      guint left = pairs - (MOST - 1);
      for (guint i = 2 * (MOST - 1); i < list->len; i++)
        g_free (list->pdata[i]);
      g_ptr_array_set_size (list, 2 * (MOST - 1));
      add (list, g_strdup ("…"), g_strdup_printf ("+%u", left));
    }
  g_ptr_array_add (list, NULL);
  return (char **)g_ptr_array_free (list, FALSE);
}

void
pare_graph_details (const PareGraph *graph, const PareNode *node, char ***attributes, char ***constants)
{
  GPtrArray *list = g_ptr_array_new ();
  for (guint i = 0; i < node->n_attrs; i++)
    add (list, g_strdup (node->attrs[i].name != NULL ? node->attrs[i].name : "?"), attribute_text (&node->attrs[i]));
  *attributes = finish (list);
  list = g_ptr_array_new ();
  for (guint i = 0; i < node->n_inputs; i++)
    if (node->inputs[i] < graph->n_values && graph->values[node->inputs[i]].constant != NULL)
      add (list, formal_name (node, i, graph->values[node->inputs[i]].name), constant_text (&graph->values[node->inputs[i]]));
  *constants = finish (list);
}

guint
pare_shown_n_lines (const PareShown *self, PareGraphShow show)
{
  guint n = 0;
  if (show & PARE_SHOW_ATTRIBUTES && self->attributes != NULL)
    n += g_strv_length (self->attributes) / 2;
  if (show & PARE_SHOW_CONSTANTS && self->constants != NULL)
    n += g_strv_length (self->constants) / 2;
  return n;
}

const char *
pare_shown_heading (const PareShown *self, PareGraphShow show)
{
  return self->kind == PARE_SHOWN_CARD && !(show & PARE_SHOW_NAMES) ? self->op : self->title;
}
