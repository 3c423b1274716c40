#include "engine/evaluate/pare-sparse.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define AVX512 __attribute__ ((target ("avx512f,popcnt")))
#endif

gsize
pare_sparse_most (gsize n)
{
  return (n + 15) / 16 * sizeof (guint16) + (n + 16) * sizeof (float);
}

/* The masks of the floats from i on, and behind `values` what is not zero of them; returns where that ends. */
static guint8 *
pack_from (const float *x, gsize i, gsize n, guint8 *out, guint8 *values)
{
  for (; i < n; i += 16)
    {
      guint16 mask = 0;
      for (gsize k = 0; k < MIN (16, n - i); k++)
        {
          guint32 bits;
          memcpy (&bits, &x[i + k], sizeof bits);
          memcpy (values, &bits, sizeof bits); /* overwritten by the next where it is zero */
          values += bits != 0 ? sizeof bits : 0;
          mask |= (guint16)((bits != 0) << k);
        }
      memcpy (out + i / 16 * sizeof mask, &mask, sizeof mask);
    }
  return values;
}

static void
unpack_from (const guint8 *packed, const guint8 *values, gsize i, gsize n, float *x)
{
  for (; i < n; i++)
    {
      guint16 mask;
      guint32 bits;
      memcpy (&mask, packed + i / 16 * sizeof mask, sizeof mask);
      memcpy (&bits, values, sizeof bits);
      guint32 one = mask >> (i % 16) & 1u; /* no branch: nobody could foretell it */
      bits &= -one;
      memcpy (&x[i], &bits, sizeof bits);
      values += one * sizeof bits;
    }
}

#if defined(__x86_64__)
AVX512 static guint8 *
pack_avx512 (const float *x, gsize n, guint8 *out, guint8 *values)
{
  gsize i = 0;
  for (; i + 16 <= n; i += 16)
    {
      __m512i bits = _mm512_loadu_si512 (x + i);
      guint16 mask = (guint16)_mm512_test_epi32_mask (bits, bits);
      _mm512_storeu_si512 (values, _mm512_maskz_compress_epi32 (mask, bits));
      values += (gsize)_mm_popcnt_u32 (mask) * sizeof *x;
      memcpy (out + i / 16 * sizeof mask, &mask, sizeof mask);
    }
  return pack_from (x, i, n, out, values);
}

/* With a zero that the compiler cannot see through: without it, some CPUs wait for what the register held before. */
AVX512 static inline __m512
expand (__mmask16 mask, const guint8 *values)
{
  __m512 zero = _mm512_setzero_ps ();
  __asm__("" : "+v"(zero));
  return _mm512_mask_expandloadu_ps (zero, mask, values);
}

AVX512 static void
unpack_avx512 (const guint8 *packed, gsize n, float *x)
{
  const guint8 *values = packed + (n + 15) / 16 * sizeof (guint16);
  gsize i = 0;
  /* Four at once: where they begin is known after one count of four masks. */
  for (; i + 64 <= n; i += 64)
    {
      guint64 masks;
      memcpy (&masks, packed + i / 16 * sizeof (guint16), sizeof masks);
      for (int k = 0; k < 4; k++)
        {
          guint64 before = masks & ((G_GUINT64_CONSTANT (1) << 16 * k) - 1);
          _mm512_storeu_ps (x + i + 16 * k, expand ((__mmask16)(masks >> 16 * k), values + (gsize)_mm_popcnt_u64 (before) * sizeof *x));
        }
      values += (gsize)_mm_popcnt_u64 (masks) * sizeof *x;
    }
  for (; i + 16 <= n; i += 16)
    {
      guint16 mask;
      memcpy (&mask, packed + i / 16 * sizeof mask, sizeof mask);
      _mm512_storeu_ps (x + i, expand (mask, values));
      values += (gsize)_mm_popcnt_u32 (mask) * sizeof *x;
    }
  unpack_from (packed, values, i, n, x);
}
#endif

gsize
pare_sparse_pack (const float *x, gsize n, guint8 *out)
{
  guint8 *values = out + (n + 15) / 16 * sizeof (guint16);
#if defined(__x86_64__)
  if (__builtin_cpu_supports ("avx512f"))
    values = pack_avx512 (x, n, out, values);
  else
#endif
    values = pack_from (x, 0, n, out, values);
  memset (values, 0, sizeof (float)); /* what unpacking may read and not use */
  return (gsize)(values - out) + sizeof (float);
}

void
pare_sparse_unpack (const guint8 *packed, gsize n, float *x)
{
#if defined(__x86_64__)
  if (__builtin_cpu_supports ("avx512f"))
    {
      unpack_avx512 (packed, n, x);
      return;
    }
#endif
  unpack_from (packed, packed + (n + 15) / 16 * sizeof (guint16), 0, n, x);
}
