/* A layer's recipe for people: the shorthand of the table and the sentence of its tooltip. */
#include "engine/compress/pare-recipe.h"

#define MINUS "\xe2\x88\x92"
#define DOT "\xc2\xb7"

static gboolean
narrow (int bits)
{
  return bits != PARE_BITS_UNSET && bits != PARE_BITS_FLOAT;
}

/* 12, 12.5: no more decimals than there are. */
static char *
percent (double ratio)
{
  double value = 100 * ratio;
  return value == (int)value ? g_strdup_printf ("%d", (int)value) : g_strdup_printf ("%.1f", value);
}

static void append (GString *s, const char *separator, const char *format, ...) G_GNUC_PRINTF (3, 4);
static void
append (GString *s, const char *separator, const char *format, ...)
{
  if (s->len > 0)
    g_string_append (s, separator);
  va_list args;
  va_start (args, format);
  g_string_append_vprintf (s, format, args);
  va_end (args);
}

char *
pare_layer_recipe_shorthand (const PareLayerRecipe *r)
{
  GString *s = g_string_new (NULL);
  if (narrow (r->weight_bits) && narrow (r->activation_bits))
    append (s, " ", "%d" DOT "%d", r->weight_bits, r->activation_bits);
  else if (narrow (r->weight_bits))
    append (s, " ", "%d" DOT "f", r->weight_bits);
  else if (narrow (r->activation_bits))
    append (s, " ", "f" DOT "%d", r->activation_bits);
  g_autofree char *ratio = percent (r->prune_ratio);
  if (r->prune == PARE_PRUNE_CHANNELS && r->prune_ratio > 0)
    append (s, " ", MINUS "%s %%", ratio);
  else if (r->prune == PARE_PRUNE_UNSTRUCTURED && r->prune_ratio > 0)
    append (s, " ", "z%s %%", ratio);
  else if (r->prune == PARE_PRUNE_N_M)
    append (s, " ", "%d:%d", r->prune_n, r->prune_m);
  if (r->factorize > PARE_FACTORIZE_OFF)
    append (s, " ", "r%d", r->rank);
  if (r->centroids > 0)
    append (s, " ", "c%d", r->centroids);
  if (s->len == 0)
    g_string_append (s, "float");
  return g_string_free (s, FALSE);
}

static const char *
calibrator_words (PareCalibrator calibrator)
{
  switch (calibrator)
    {
    case PARE_CALIBRATOR_MINMAX:
      return "range from minimum to maximum";
    case PARE_CALIBRATOR_PERCENTILE:
      return "range by percentile";
    case PARE_CALIBRATOR_MSE:
      return "range by least squared error";
    case PARE_CALIBRATOR_ENTROPY:
      return "range by entropy";
    default:
      return NULL;
    }
}

char *
pare_layer_recipe_words (const PareLayerRecipe *r)
{
  if (r->exclude == 1)
    return g_strdup ("Excluded: left as it is");
  GString *s = g_string_new (NULL);
  if (narrow (r->weight_bits))
    {
      append (s, "; ", "weights in %d bits", r->weight_bits);
      if (r->weight_bits <= 8)
        g_string_append (s, r->granularity == PARE_GRANULARITY_TENSOR ? ", one scale" : ", one scale per channel");
      if (r->weight_bits <= 8 && r->range != PARE_RANGE_UNSET)
        g_string_append (s, r->range == PARE_RANGE_MSE ? ", clipped for the least error" : ", full range");
    }
  if (narrow (r->activation_bits))
    {
      append (s, "; ", "input in %d bits", r->activation_bits);
      const char *words = calibrator_words (r->calibrator);
      if (words != NULL)
        g_string_append_printf (s, ", %s", words);
      if (r->calibrator == PARE_CALIBRATOR_PERCENTILE)
        g_string_append_printf (s, " %g", r->percentile > 0 ? r->percentile : 99.99);
    }
  g_autofree char *ratio = percent (r->prune_ratio);
  if (r->prune == PARE_PRUNE_CHANNELS && r->prune_ratio > 0)
    append (s, "; ", "%s %% of the channels removed", ratio);
  else if (r->prune == PARE_PRUNE_UNSTRUCTURED && r->prune_ratio > 0)
    append (s, "; ", "%s %% of the weights set to zero", ratio);
  else if (r->prune == PARE_PRUNE_N_M)
    append (s, "; ", "%d of every %d weights set to zero", r->prune_n, r->prune_m);
  if (r->factorize > PARE_FACTORIZE_OFF)
    append (s, "; ", "split in two of rank %d%s", r->rank, r->factorize == PARE_FACTORIZE_SPATIAL ? ", one for each direction" : "");
  if (r->centroids > 0)
    append (s, "; ", "%d shared weight values", r->centroids);
  if (s->len == 0)
    g_string_append (s, "float, as it is");
  *s->str = g_ascii_toupper (*s->str);
  return g_string_free (s, FALSE);
}
