#include "engine/project/pare-statistics-codec.h"
#include "engine/base/pare-error.h"

#include <math.h>
#include <string.h>

#define MAGIC "PARESTA1"
#define DIGEST 32
#define HEAD (sizeof MAGIC - 1 + 8 + DIGEST)
/* A record has at least a name of one byte behind its length, seven numbers and two bin positions. */
#define LEAST_RECORD (2 + 1 + 7 * 8 + 4)

/* --- writing --- */

static void
put (GByteArray *out, guint64 value, guint bytes)
{
  guint8 b[8];
  for (guint i = 0; i < bytes; i++)
    b[i] = (guint8)(value >> (8 * i));
  g_byte_array_append (out, b, bytes);
}

static void
put_double (GByteArray *out, double value)
{
  guint64 bits;
  memcpy (&bits, &value, sizeof bits);
  put (out, bits, 8);
}

static void
put_text (GByteArray *out, const char *text)
{
  gsize n = strlen (text);
  put (out, n, 2);
  g_byte_array_append (out, (const guint8 *)text, (guint)n);
}

static void
put_varint (GByteArray *out, guint64 value)
{
  for (; value >= 0x80; value >>= 7)
    put (out, (value & 0x7f) | 0x80, 1);
  put (out, value, 1);
}

static void
put_histogram (GByteArray *out, const char *name, const PareHistogram *h)
{
  guint first = 0, last = PARE_HISTOGRAM_BINS;
  while (first < last && h->bins[first] == 0)
    first++;
  while (last > first && h->bins[last - 1] == 0)
    last--;
  put_text (out, name);
  put_double (out, h->min);
  put_double (out, h->max);
  put_double (out, h->sum);
  put_double (out, h->sum_squares);
  put (out, h->count, 8);
  put_double (out, h->bin_low);
  put_double (out, h->bin_width);
  put (out, first, 2);
  put (out, last - first, 2);
  for (guint i = first; i < last; i++)
    put_varint (out, h->bins[i]);
}

static void
digest_of (const void *data, gsize length, guint8 *digest)
{
  gsize n = DIGEST;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_checksum_update (sum, data, (gssize)length);
  g_checksum_get_digest (sum, digest, &n);
}

GBytes *
pare_statistics_to_bytes (const PareStatistics *self, const char *key)
{
  guint n, kept = 0;
  guint8 digest[DIGEST];
  g_autofree const char **names = pare_statistics_list (self, &n);
  g_autoptr (GByteArray) payload = g_byte_array_new (), out = g_byte_array_new ();
  put_text (payload, key);
  put (payload, pare_statistics_get_n_samples (self), 4);
  guint at = payload->len;
  put (payload, 0, 4);
  for (guint i = 0; i < n; i++)
    {
      const PareHistogram *h = pare_statistics_get (self, names[i]);
      gsize length = strlen (names[i]);
      if (h == NULL || length == 0 || length > G_MAXUINT16) /* seen nothing of, which is what one that is not there says */
        continue;
      put_histogram (payload, names[i], h);
      kept++;
    }
  for (guint i = 0; i < 4; i++)
    payload->data[at + i] = (guint8)(kept >> (8 * i));
  digest_of (payload->data, payload->len, digest);
  g_byte_array_append (out, (const guint8 *)MAGIC, sizeof MAGIC - 1);
  put (out, payload->len, 8);
  g_byte_array_append (out, digest, sizeof digest);
  g_byte_array_append (out, payload->data, payload->len);
  return g_byte_array_free_to_bytes (g_steal_pointer (&out));
}

/* --- reading --- */

typedef struct
{
  const guint8 *p;
  gsize left;
  gboolean bad;
} Reader;

static guint64
take (Reader *r, guint bytes)
{
  guint64 value = 0;
  if (r->left < bytes)
    {
      r->bad = TRUE;
      return 0;
    }
  for (guint i = 0; i < bytes; i++)
    value |= (guint64)r->p[i] << (8 * i);
  r->p += bytes;
  r->left -= bytes;
  return value;
}

static double
take_double (Reader *r)
{
  guint64 bits = take (r, 8);
  double value;
  memcpy (&value, &bits, sizeof value);
  return value;
}

static char *
take_text (Reader *r)
{
  gsize n = take (r, 2);
  if (r->bad || n > r->left || memchr (r->p, 0, n) != NULL)
    {
      r->bad = TRUE;
      return NULL;
    }
  char *text = g_strndup ((const char *)r->p, n);
  r->p += n;
  r->left -= n;
  return text;
}

static guint64
take_varint (Reader *r)
{
  guint64 value = 0;
  for (guint shift = 0; shift < 64; shift += 7)
    {
      guint8 b = (guint8)take (r, 1);
      if (shift == 63 && b > 1)
        break;
      value |= (guint64)(b & 0x7f) << shift;
      if (!(b & 0x80))
        return value;
    }
  r->bad = TRUE;
  return 0;
}

/* What every histogram keeps to, and those who read ranges from it rely on. */
static gboolean
makes_sense (const PareHistogram *h)
{
  int exponent;
  if (!isfinite (h->min) || !isfinite (h->max) || !isfinite (h->sum) || !isfinite (h->sum_squares) || h->min > h->max || h->sum_squares < 0)
    return FALSE;
  if (!(h->bin_width > 0) || frexp (h->bin_width, &exponent) != 0.5 || !isfinite (h->bin_low)
      || floor (h->bin_low / h->bin_width) * h->bin_width != h->bin_low)
    return FALSE;
  double end = h->bin_low + h->bin_width * PARE_HISTOGRAM_BINS;
  return isfinite (end) && h->min >= h->bin_low && h->max < end;
}

static gboolean
take_histogram (Reader *r, PareHistogram *h)
{
  guint64 total = 0;
  pare_histogram_init (h);
  h->min = take_double (r);
  h->max = take_double (r);
  h->sum = take_double (r);
  h->sum_squares = take_double (r);
  h->count = take (r, 8);
  h->bin_low = take_double (r);
  h->bin_width = take_double (r);
  guint first = (guint)take (r, 2), n = (guint)take (r, 2);
  if (r->bad || first + n > PARE_HISTOGRAM_BINS || !makes_sense (h))
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      guint64 bin = take_varint (r);
      if (r->bad || bin > h->count - total)
        return FALSE;
      h->bins[first + i] = bin;
      total += bin;
    }
  return h->count > 0 && total == h->count;
}

static PareStatistics *
fail (GError **error, const char *what)
{
  g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "stored activation statistics: %s", what);
  return NULL;
}

PareStatistics *
pare_statistics_payload_from_bytes (const void *data, gsize length, const char *key, GError **error)
{
  Reader r = { data, length, FALSE };
  g_autofree char *of = take_text (&r);
  guint n_samples = (guint)take (&r, 4), n = (guint)take (&r, 4);
  if (r.bad || n > r.left / LEAST_RECORD)
    return fail (error, "damaged head");
  if (key != NULL && strcmp (of, key) != 0)
    return fail (error, "those of another model or other data");
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GArray) histograms = g_array_new (FALSE, FALSE, sizeof (PareHistogram));
  for (guint i = 0; i < n; i++)
    {
      PareHistogram h;
      char *name = take_text (&r);
      if (name == NULL)
        return fail (error, "a name that does not end");
      g_ptr_array_add (names, name);
      if (*name == '\0' || !g_hash_table_add (seen, name))
        return fail (error, "a value without a name, or one twice");
      if (!take_histogram (&r, &h))
        return fail (error, "a histogram that contradicts itself");
      g_array_append_val (histograms, h);
    }
  if (r.left > 0)
    return fail (error, "more bytes than belong to it");
  return pare_statistics_new ((const char *const *)names->pdata, (const PareHistogram *)(void *)histograms->data, n, n_samples);
}

PareStatistics *
pare_statistics_from_bytes (const void *data, gsize length, const char *key, GError **error)
{
  guint8 digest[DIGEST];
  if (length < HEAD || memcmp (data, MAGIC, sizeof MAGIC - 1) != 0)
    return fail (error, "not of this kind, or of another version");
  Reader r = { (const guint8 *)data + sizeof MAGIC - 1, 8, FALSE };
  if (take (&r, 8) != length - HEAD)
    return fail (error, "cut off");
  const guint8 *payload = (const guint8 *)data + HEAD;
  digest_of (payload, length - HEAD, digest);
  if (memcmp (digest, payload - DIGEST, DIGEST) != 0)
    return fail (error, "its checksum differs");
  return pare_statistics_payload_from_bytes (payload, length - HEAD, key, error);
}
