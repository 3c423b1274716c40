#include "engine/runtime/kernels/int-runs.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define BYTES __attribute__ ((target ("avx512f,avx512bw,avx512vbmi2,popcnt")))

/* The first of 64, as many as the run has: nothing else is read or written. */
BYTES static inline __mmask64
first_of (uint64_t mask)
{
  int count = __builtin_popcountll (mask);
  return count ? ~(__mmask64)0 >> (64 - count) : 0;
}

BYTES static void
spread (uint8_t *to, const uint8_t *from, const uint8_t *end, const PareIntRun *runs, int64_t n, uint8_t padding)
{
  __m512i fill = _mm512_set1_epi8 ((char)padding);
  for (int64_t i = 0; i < n; i++) /* loaded first: some CPUs expand from memory byte by byte; with no mask: some wait for it */
    {
      const uint8_t *at = from + runs[i].at;
      __m512i codes = end - at >= 64 ? _mm512_loadu_si512 (at) : _mm512_maskz_loadu_epi8 (first_of (runs[i].mask), at);
      _mm512_storeu_si512 (to + 64 * i, _mm512_mask_expand_epi8 (fill, runs[i].mask, codes));
    }
}

BYTES static void
collect (uint8_t *to, const uint8_t *end, const uint8_t *from, const PareIntRun *runs, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    {
      uint8_t *at = to + runs[i].at;
      __m512i codes = _mm512_maskz_compress_epi8 (runs[i].mask, _mm512_loadu_si512 (from + 64 * i));
      if (end - at >= 64) /* what is too much is written over by what follows */
        _mm512_storeu_si512 (at, codes);
      else
        _mm512_mask_storeu_epi8 (at, first_of (runs[i].mask), codes);
    }
}

const PareIntRuns *
pare_rt_int_runs (const PareIntIsa *isa)
{
  static const PareIntRuns runs = { spread, collect };
  bool wide = isa->lanes == 16; /* sets of 64 bytes */
  return wide && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vbmi2") ? &runs : NULL;
}
#else
const PareIntRuns *
pare_rt_int_runs (const PareIntIsa *isa)
{
  (void)isa;
  return NULL;
}
#endif
