/* Equations as people write them, without a result or with "..." for axes that have no letters. What runs has a letter for each axis and
 * says its result. */
#include "engine/graph/pare-writer.h"

#include <string.h>

#define DOTS "..."

/* Letters that the equation does not use. */
static char *
spare_letters (const char *equation)
{
  GString *spare = g_string_new (NULL);
  for (char c = 'A'; c <= 'z'; c++)
    if (g_ascii_isalpha (c) && strchr (equation, c) == NULL)
      g_string_append_c (spare, c);
  return g_string_free (spare, FALSE);
}

/* The term with `letters` for its dots. */
static void
append_term (GString *to, const char *term, const char *letters, gsize n)
{
  const char *dots = strstr (term, DOTS);
  gsize before = dots != NULL ? (gsize)(dots - term) : strlen (term);
  g_string_append_len (to, term, (gssize)before);
  if (dots != NULL)
    {
      g_string_append_len (to, letters, (gssize)n);
      g_string_append (to, dots + strlen (DOTS));
    }
}

static gboolean
write_out (PareWriter *w, const PareNode *node)
{
  g_autofree char *equation = pare_node_dup_string (node, "equation");
  if (equation == NULL || (strstr (equation, "->") != NULL && strstr (equation, DOTS) == NULL))
    return FALSE;
  g_auto (GStrv) words = g_strsplit (equation, " ", -1);
  g_autofree char *text = g_strjoinv (NULL, words), *spare = spare_letters (equation);
  char *arrow = strstr (text, "->");
  const char *result = arrow != NULL ? arrow + strlen ("->") : NULL;
  if (arrow != NULL)
    *arrow = '\0';
  g_auto (GStrv) terms = g_strsplit (text, ",", -1);
  int free_axes[G_N_ELEMENTS (w->in)], most = 0;
  if (g_strv_length (terms) != node->n_inputs)
    return FALSE;
  for (guint i = 0; i < node->n_inputs; i++)
    {
      gboolean dots = strstr (terms[i], DOTS) != NULL;
      int letters = (int)strlen (terms[i]) - (dots ? (int)strlen (DOTS) : 0),
          rank = w->in[i] != PARE_NONE ? pare_writer_shape (w, w->in[i])->rank : -1;
      if (rank < letters || (!dots && rank != letters))
        return FALSE;
      free_axes[i] = rank - letters;
      most = MAX (most, free_axes[i]);
    }
  if (most > (int)strlen (spare) || (result != NULL && most > 0 && strstr (result, DOTS) == NULL))
    return FALSE;
  g_autoptr (GString) full = g_string_new (NULL);
  for (guint i = 0; i < node->n_inputs; i++)
    {
      append_term (full, terms[i], spare + most - free_axes[i], (gsize)free_axes[i]); /* those of fewer are the last ones */
      g_string_append (full, i + 1 < node->n_inputs ? "," : "->");
    }
  if (result != NULL)
    append_term (full, result, spare, (gsize)most);
  else
    {
      g_string_append_len (full, spare, most);
      for (char c = 'A'; c <= 'z'; c++) /* what stands once, in the order of the alphabet */
        {
          const char *first = g_ascii_isalpha (c) ? strchr (text, c) : NULL;
          if (first != NULL && strchr (first + 1, c) == NULL)
            g_string_append_c (full, c);
        }
    }
  pare_node_set_string (pare_write_to (w, "Einsum", w->out[0], w->in, node->n_inputs), "equation", full->str);
  return TRUE;
}

/* An operand whose axes have a letter each. */
static gboolean
is_lettered (const PareWriter *w, PareValueId x, const char *term, PareDtype dtype)
{
  for (const char *c = term; *c != '\0'; c++)
    if (!g_ascii_isalpha (*c) || strchr (c + 1, *c) != NULL)
      return FALSE;
  return x != PARE_NONE && pare_writer_dtype (w, x) == dtype && pare_writer_shape (w, x)->rank == (int)strlen (term);
}

/* Its axes in the order of `labels`, those that it lacks of extent 1. */
static PareValueId
spread (PareWriter *w, PareValueId x, const char *term, const char *labels)
{
  gint64 perm[PARE_MAX_RANK], missing[PARE_MAX_RANK];
  guint n = 0, n_missing = 0;
  for (gsize i = 0; labels[i] != '\0'; i++)
    if (strchr (term, labels[i]) == NULL)
      missing[n_missing++] = (gint64)i;
    else
      perm[n++] = strchr (term, labels[i]) - term;
  PareValueId turned = n > 1 ? pare_write_transpose (w, x, perm, n, PARE_NONE) : x;
  return n_missing > 0 ? pare_write_unsqueeze (w, turned, missing, n_missing) : turned;
}

/* Elements of all products; FALSE: an extent is not known, or they are too many. */
static gboolean
are_few (const PareWriter *w, char *const *terms, const char *labels)
{
  gint64 all = 1;
  for (gsize k = 0; labels[k] != '\0'; k++)
    {
      gint64 extent = 1;
      for (guint i = 0; terms[i] != NULL; i++)
        {
          const char *at = strchr (terms[i], labels[k]);
          const PareShape *s = pare_writer_shape (w, w->in[i]);
          if (at != NULL)
            extent = extent == 1 ? s->dims[at - terms[i]] : extent;
        }
      if (extent < 0 || __builtin_mul_overflow (all, extent, &all) || all > 1 << 24)
        return FALSE;
    }
  return TRUE;
}

/* Whole numbers, as in whole_matmul(): every product, and the sums of those. */
static gboolean
whole_einsum (PareWriter *w, const PareNode *node, const char *equation, PareDtype dtype)
{
  g_auto (GStrv) words = g_strsplit (equation, " ", -1);
  g_autofree char *text = g_strjoinv (NULL, words);
  char *arrow = strstr (text, "->");
  if (arrow == NULL)
    return FALSE;
  *arrow = '\0';
  const char *result = arrow + strlen ("->");
  g_auto (GStrv) terms = g_strsplit (text, ",", -1);
  g_autoptr (GString) labels = g_string_new (result);
  if (g_strv_length (terms) != node->n_inputs)
    return FALSE;
  for (const char *c = text; *c != '\0'; c++)
    if (g_ascii_isalpha (*c) && strchr (labels->str, *c) == NULL)
      g_string_append_c (labels, *c);
  for (guint i = 0; i < node->n_inputs; i++)
    if (!is_lettered (w, w->in[i], terms[i], dtype))
      return FALSE;
  if (labels->len > PARE_MAX_RANK || !are_few (w, terms, labels->str))
    return FALSE;
  PareValueId product = PARE_NONE;
  for (guint i = 0; i < node->n_inputs; i++)
    {
      PareValueId x = spread (w, w->in[i], terms[i], labels->str);
      product = i == 0 ? x : pare_write (w, "Mul", dtype, product, x);
    }
  gint64 axes[PARE_MAX_RANK];
  guint n = 0;
  for (gsize i = strlen (result); i < labels->len; i++)
    axes[n++] = (gint64)i;
  const PareValueId in[2] = { product, pare_write_ints (w, axes, n) };
  if (n > 0)
    pare_node_set_int (pare_write_to (w, "ReduceSum", w->out[0], in, 2), "keepdims", 0);
  else
    pare_write_to (w, "Identity", w->out[0], in, 1);
  return TRUE;
}

/* Explicit, and then, of whole numbers, in other operators. */
static gboolean
einsum (PareWriter *w, const PareNode *node)
{
  PareDtype dtype = pare_writer_dtype (w, w->in[0]);
  g_autofree char *equation = pare_node_dup_string (node, "equation");
  gboolean whole = dtype == PARE_DTYPE_INT32 || dtype == PARE_DTYPE_INT64;
  return write_out (w, node) || (whole && equation != NULL && whole_einsum (w, node, equation, dtype));
}

const PareDecomposeRule pare_decompose_rules_einsum[] = {
  { "", "Einsum", einsum },
  { NULL, NULL, NULL },
};
