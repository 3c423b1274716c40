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

/* --- times by layer --- */

/* Behind the times, since 2: what each layer moves, and what else a run by layers says. Files without it are read too. */
#define PROFILE_VERSION 2

static void
put_double (GByteArray *out, double value)
{
  guint64 bits;
  memcpy (&bits, &value, sizeof bits);
  put_u64 (out, bits);
}

static gboolean
get_double (Reader *r, double *value)
{
  guint64 bits;
  if (!get_u64 (r, &bits))
    return FALSE;
  memcpy (value, &bits, sizeof bits);
  return TRUE;
}

GBytes *
pare_latency_layers_to_bytes (const PareLatency *latency)
{
  GByteArray *out = g_byte_array_new ();
  put_u32 (out, latency->n_layers);
  for (guint i = 0; i < latency->n_layers; i++)
    {
      const PareLayerTime *t = &latency->layers[i];
      const char *op = t->op != NULL ? t->op : "";
      guint32 length = (guint32)strlen (op);
      put_u32 (out, t->layer);
      put_double (out, t->ms);
      put_u32 (out, length);
      g_byte_array_append (out, (const guint8 *)op, length);
    }
  put_u32 (out, PROFILE_VERSION);
  for (guint i = 0; i < latency->n_layers; i++)
    {
      put_u64 (out, latency->layers[i].bytes);
      put_u64 (out, (guint64)latency->layers[i].macs);
      put_u32 (out, (latency->layers[i].integer != FALSE) | (latency->layers[i].bf16 != FALSE) << 1);
    }
  put_double (out, latency->profiled_ms);
  put_double (out, latency->fast_share);
  put_u32 (out, (guint32)latency->threads);
  put_u64 (out, latency->arena_bytes);
  put_u64 (out, latency->tensors_bytes);
  put_u64 (out, latency->constants_bytes);
  put_u64 (out, latency->packed_bytes);
  put_u32 (out, latency->n_holders);
  for (guint i = 0; i < latency->n_holders; i++)
    put_u32 (out, latency->holders[i]);
  put_u32 (out, latency->bf16_steps);
  put_u32 (out, latency->bf16_multiplied);
  return g_byte_array_free_to_bytes (out);
}

static gboolean
get_times (Reader *r, PareLatency *latency)
{
  guint32 count;
  /* 16: the least that one entry takes. */
  if (!get_u32 (r, &count) || count > r->left / 16)
    return FALSE;
  latency->layers = g_new0 (PareLayerTime, MAX (count, 1));
  for (; latency->n_layers < count; latency->n_layers++)
    {
      PareLayerTime *t = &latency->layers[latency->n_layers];
      guint32 layer, op;
      if (!get_u32 (r, &layer) || !get_double (r, &t->ms) || !get_u32 (r, &op) || op > r->left)
        return FALSE;
      t->layer = layer;
      t->op = g_strndup ((const char *)r->p, op);
      r->p += op;
      r->left -= op;
    }
  return TRUE;
}

static gboolean
get_rest (Reader *r, PareLatency *latency)
{
  guint32 word, threads;
  if (!get_u32 (r, &word) || word != PROFILE_VERSION)
    return FALSE;
  for (guint i = 0; i < latency->n_layers; i++)
    {
      guint64 macs;
      if (!get_u64 (r, &latency->layers[i].bytes) || !get_u64 (r, &macs) || !get_u32 (r, &word))
        return FALSE;
      latency->layers[i].macs = (gint64)MIN (macs, G_MAXINT64);
      latency->layers[i].integer = word & 1;
      latency->layers[i].bf16 = word >> 1 & 1;
    }
  if (!get_double (r, &latency->profiled_ms) || !get_double (r, &latency->fast_share) || !get_u32 (r, &threads)
      || !get_u64 (r, &latency->arena_bytes) || !get_u64 (r, &latency->tensors_bytes) || !get_u64 (r, &latency->constants_bytes)
      || !get_u64 (r, &latency->packed_bytes) || !get_u32 (r, &word) || word > r->left / 4)
    return FALSE;
  latency->threads = (int)MIN (threads, 4096);
  latency->holders = g_new (PareNodeId, MAX (word, 1));
  for (; latency->n_holders < word; latency->n_holders++)
    get_u32 (r, &latency->holders[latency->n_holders]);
  guint32 steps = 0, multiplied = 0; /* older projects have none */
  if (r->left > 0 && (!get_u32 (r, &steps) || !get_u32 (r, &multiplied)))
    return FALSE;
  latency->bf16_steps = steps;
  latency->bf16_multiplied = multiplied;
  return TRUE;
}

gboolean
pare_latency_layers_from_bytes (PareLatency *latency, const void *data, gsize length, GError **error)
{
  Reader r = { data, length };
  pare_latency_clear (latency);
  if (get_times (&r, latency) && (r.left == 0 || get_rest (&r, latency)))
    return TRUE;
  pare_latency_clear (latency);
  latency->profiled_ms = latency->fast_share = 0;
  latency->arena_bytes = latency->tensors_bytes = latency->constants_bytes = latency->packed_bytes = 0;
  latency->threads = 0;
  latency->bf16_steps = latency->bf16_multiplied = 0;
  g_set_error_literal (error, PARE_ERROR, PARE_ERROR_FORMAT, "times by layer are damaged");
  return FALSE;
}
