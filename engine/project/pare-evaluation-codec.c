#include "engine/project/pare-evaluation-codec.h"
#include "engine/base/pare-error.h"

#include <math.h>
#include <string.h>

/* Every array is preceded by its kind, so that absent ones cost nothing and later versions may add to them. */
enum
{
  PART_PREDICTION = 1,
  PART_LABEL,
  PART_CONFIDENCE,
  PART_CORRECT,
  PART_SCORE,
  PART_OUTPUTS,
  PART_UNITS,
};

#define MAX_SAMPLES (1u << 28)

static void
put_u32 (GByteArray *out, guint32 value)
{
  guint32 le = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *)&le, sizeof le);
}

static void
put_u64 (GByteArray *out, guint64 value)
{
  guint64 le = GUINT64_TO_LE (value);
  g_byte_array_append (out, (const guint8 *)&le, sizeof le);
}

/* Arrays of 32-bit elements of any kind: the bits are what is kept. */
static void
put_words (GByteArray *out, guint32 part, const void *words, guint64 n)
{
  if (words == NULL || n == 0)
    return;
  put_u32 (out, part);
  put_u64 (out, n * 4);
#if G_BYTE_ORDER == G_LITTLE_ENDIAN
  const guint8 *from = words;
  for (guint64 left = n * 4; left > 0;)
    {
      guint step = (guint)MIN (left, 1u << 28);
      g_byte_array_append (out, from, step);
      from += step;
      left -= step;
    }
#else
  for (guint64 i = 0; i < n; i++)
    put_u32 (out, ((const guint32 *)words)[i]);
#endif
}

GBytes *
pare_evaluation_samples_to_bytes (const PareEvaluation *self, gboolean outputs)
{
  GByteArray *out = g_byte_array_new ();
  put_u32 (out, self->n);
  put_u32 (out, self->outputs != NULL && outputs ? self->n_outputs : 0);
  put_words (out, PART_PREDICTION, self->prediction, self->n);
  put_words (out, PART_LABEL, self->label, self->n);
  put_words (out, PART_CONFIDENCE, self->confidence, self->n);
  put_words (out, PART_SCORE, self->score, self->n);
  put_words (out, PART_UNITS, self->units, self->n);
  if (self->correct != NULL && self->n > 0)
    {
      put_u32 (out, PART_CORRECT);
      put_u64 (out, self->n);
      g_byte_array_append (out, self->correct, self->n);
    }
  if (outputs)
    put_words (out, PART_OUTPUTS, self->outputs, (guint64)self->n * self->n_outputs);
  return g_byte_array_free_to_bytes (out);
}

typedef struct
{
  const guint8 *p;
  gsize left;
} Reader;

static gboolean
get_u32 (Reader *r, guint32 *value)
{
  if (r->left < 4)
    return FALSE;
  memcpy (value, r->p, 4);
  *value = GUINT32_FROM_LE (*value);
  r->p += 4;
  r->left -= 4;
  return TRUE;
}

static gboolean
get_u64 (Reader *r, guint64 *value)
{
  if (r->left < 8)
    return FALSE;
  memcpy (value, r->p, 8);
  *value = GUINT64_FROM_LE (*value);
  r->p += 8;
  r->left -= 8;
  return TRUE;
}

static void *
get_words (Reader *r, guint64 bytes)
{
  guint32 *words = g_malloc (bytes);
  memcpy (words, r->p, bytes);
#if G_BYTE_ORDER != G_LITTLE_ENDIAN
  for (guint64 i = 0; i < bytes / 4; i++)
    words[i] = GUINT32_FROM_LE (words[i]);
#endif
  return words;
}

static gboolean
damaged (GError **error)
{
  g_set_error_literal (error, PARE_ERROR, PARE_ERROR_FORMAT, "per-sample results are damaged");
  return FALSE;
}

gboolean
pare_evaluation_samples_from_bytes (PareEvaluation *self, const void *data, gsize length, GError **error)
{
  Reader r = { data, length };
  guint32 n, n_outputs, part;
  if (!get_u32 (&r, &n) || !get_u32 (&r, &n_outputs) || n > MAX_SAMPLES)
    return damaged (error);
  self->n = n;
  while (r.left > 0)
    {
      guint64 bytes, want = (guint64)n * 4;
      if (!get_u32 (&r, &part) || !get_u64 (&r, &bytes) || bytes > r.left)
        return damaged (error);
      void **slot = NULL;
      switch (part)
        {
        case PART_PREDICTION:
          slot = (void **)&self->prediction;
          break;
        case PART_LABEL:
          slot = (void **)&self->label;
          break;
        case PART_CONFIDENCE:
          slot = (void **)&self->confidence;
          break;
        case PART_SCORE:
          slot = (void **)&self->score;
          break;
        case PART_UNITS:
          slot = (void **)&self->units;
          break;
        case PART_CORRECT:
          slot = (void **)&self->correct;
          want = n;
          break;
        case PART_OUTPUTS:
          slot = (void **)&self->outputs;
          want = (guint64)n * n_outputs * 4;
          self->n_outputs = n_outputs;
          break;
        default:
          break;
        }
      if (slot != NULL && (bytes != want || *slot != NULL))
        return damaged (error);
      if (slot != NULL && part == PART_CORRECT)
        *slot = g_memdup2 (r.p, bytes);
      else if (slot != NULL)
        *slot = get_words (&r, bytes);
      r.p += bytes;
      r.left -= bytes;
    }
  return TRUE;
}

PareEvaluation *
pare_evaluation_blank (void)
{
  PareEvaluation *self = g_new0 (PareEvaluation, 1);
  g_atomic_ref_count_init (&self->refs);
  self->top5 = self->perplexity = self->kl = NAN;
  return self;
}

GBytes *
pare_layer_times_to_bytes (const PareLayerTime *times, guint n)
{
  GByteArray *out = g_byte_array_new ();
  put_u32 (out, n);
  for (guint i = 0; i < n; i++)
    {
      guint64 bits;
      const char *op = times[i].op != NULL ? times[i].op : "";
      guint32 length = (guint32)strlen (op);
      memcpy (&bits, &times[i].ms, sizeof bits);
      put_u32 (out, times[i].layer);
      put_u64 (out, bits);
      put_u32 (out, length);
      g_byte_array_append (out, (const guint8 *)op, length);
    }
  return g_byte_array_free_to_bytes (out);
}

PareLayerTime *
pare_layer_times_from_bytes (const void *data, gsize length, guint *n, GError **error)
{
  Reader r = { data, length };
  guint32 count;
  *n = 0;
  /* 16: the least that one entry takes. */
  if (!get_u32 (&r, &count) || count > r.left / 16)
    {
      damaged (error);
      return NULL;
    }
  PareLayerTime *times = g_new0 (PareLayerTime, MAX (count, 1));
  for (guint i = 0; i < count; i++)
    {
      guint32 layer, op;
      guint64 bits;
      if (!get_u32 (&r, &layer) || !get_u64 (&r, &bits) || !get_u32 (&r, &op) || op > r.left)
        {
          pare_layer_times_free (times, i);
          damaged (error);
          return NULL;
        }
      times[i].layer = layer;
      memcpy (&times[i].ms, &bits, sizeof bits);
      times[i].op = g_strndup ((const char *)r.p, op);
      r.p += op;
      r.left -= op;
    }
  *n = count;
  return times;
}
