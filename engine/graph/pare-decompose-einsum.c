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

const PareDecomposeRule pare_decompose_rules_einsum[] = {
  { "", "Einsum", write_out },
  { NULL, NULL, NULL },
};
