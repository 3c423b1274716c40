/* The kernels on codes for x86-64: AVX2 and AVX-512 multiply pairs of 16 bits (vpmaddwd, exact; never vpmaddubsw, which saturates), the
 * VNNI sets four codes at a time (vpdpbusd, which does not). */
#include "engine/runtime/kernels/int-matrix.h"
#include "engine/runtime/kernels/int-sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Sums keep one type throughout: with __m512i, GCC moves each of them to and fro around every multiplication. */
typedef int32_t V256 __attribute__ ((vector_size (32)));
typedef int32_t V512 __attribute__ ((vector_size (64)));

#define INLINE static inline __attribute__ ((always_inline))

INLINE int32_t
load_32 (const uint8_t *p)
{
  int32_t v;
  memcpy (&v, p, sizeof v);
  return v;
}

/* Four lines of 16 codes -> 16 columns of four. */
INLINE void
interleave_4 (uint8_t *to, const uint8_t *const *lines, int64_t j, PareIntCodes codes)
{
  __m128i flip = _mm_set1_epi8 ((char)codes.flip);
  __m128i a = _mm_loadu_si128 ((const __m128i *)(lines[0] + j)), b = _mm_loadu_si128 ((const __m128i *)(lines[1] + j));
  __m128i c = _mm_loadu_si128 ((const __m128i *)(lines[2] + j)), d = _mm_loadu_si128 ((const __m128i *)(lines[3] + j));
  __m128i ab = _mm_xor_si128 (_mm_unpacklo_epi8 (a, b), flip), cd = _mm_xor_si128 (_mm_unpacklo_epi8 (c, d), flip);
  __m128i ab1 = _mm_xor_si128 (_mm_unpackhi_epi8 (a, b), flip), cd1 = _mm_xor_si128 (_mm_unpackhi_epi8 (c, d), flip);
  _mm_storeu_si128 ((__m128i *)to, _mm_unpacklo_epi16 (ab, cd));
  _mm_storeu_si128 ((__m128i *)(to + 16), _mm_unpackhi_epi16 (ab, cd));
  _mm_storeu_si128 ((__m128i *)(to + 32), _mm_unpacklo_epi16 (ab1, cd1));
  _mm_storeu_si128 ((__m128i *)(to + 48), _mm_unpackhi_epi16 (ab1, cd1));
}

/* Two lines of 16 codes -> 16 columns of two, 16 bits each, less the zero. */
__attribute__ ((target ("avx2"))) INLINE void
interleave_2 (uint8_t *to, const uint8_t *const *lines, int64_t j, PareIntCodes codes)
{
  __m128i flip = _mm_set1_epi8 ((char)codes.flip);
  __m256i zero = _mm256_set1_epi16 (codes.zero);
  __m128i a = _mm_loadu_si128 ((const __m128i *)(lines[0] + j)), b = _mm_loadu_si128 ((const __m128i *)(lines[1] + j));
  __m128i lo = _mm_xor_si128 (_mm_unpacklo_epi8 (a, b), flip), hi = _mm_xor_si128 (_mm_unpackhi_epi8 (a, b), flip);
  _mm256_storeu_si256 ((__m256i *)to, _mm256_sub_epi16 (_mm256_cvtepu8_epi16 (lo), zero));
  _mm256_storeu_si256 ((__m256i *)(to + 32), _mm256_sub_epi16 (_mm256_cvtepu8_epi16 (hi), zero));
}

/* The low bytes of eight lanes. */
__attribute__ ((target ("avx2"))) INLINE void
store_8 (uint8_t *to, __m256i v)
{
  const __m256i low = _mm256_setr_epi8 (0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1,
                                        -1, -1, -1, -1, -1, -1);
  v = _mm256_shuffle_epi8 (v, low);
  _mm_storel_epi64 ((__m128i *)to, _mm_unpacklo_epi32 (_mm256_castsi256_si128 (v), _mm256_extracti128_si256 (v, 1)));
}

/* The low bytes of sixteen halves of lanes. */
__attribute__ ((target ("avx2"))) INLINE void
store_halves (uint8_t *to, __m256i v)
{
  v = _mm256_and_si256 (v, _mm256_set1_epi16 (255));
  _mm_storeu_si128 ((__m128i *)to, _mm_packus_epi16 (_mm256_castsi256_si128 (v), _mm256_extracti128_si256 (v, 1)));
}

/* The two low bytes of eight lanes. */
__attribute__ ((target ("avx2"))) INLINE void
store_pairs (uint8_t *to, __m256i v)
{
  const __m256i low = _mm256_setr_epi8 (0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1,
                                        -1, -1, -1, -1);
  v = _mm256_shuffle_epi8 (v, low);
  _mm_storeu_si128 ((__m128i *)to, _mm_unpacklo_epi64 (_mm256_castsi256_si128 (v), _mm256_extracti128_si256 (v, 1)));
}

#define VECTORS_256 "engine/runtime/kernels/int-x86-256.inc.h"
#define VECTORS_512 "engine/runtime/kernels/int-x86-512.inc.h"

#define NAME(x) avx2_##x
#define ISA "avx2"
#define TARGET __attribute__ ((target ("avx2")))
#define K_STEP 2
#define WIDTH 2
#define BIASED false
#define CONV_ROWS 4
#define CONV_VECTORS 2
#define GEMM_VECTORS 2
/* Sums fit; those of lanes behind the last position, which nobody stores, wrap. */
#define DOT(sum, x, w) ((V256)_mm256_add_epi32 ((__m256i)(sum), _mm256_madd_epi16 ((__m256i)(x), (__m256i)(w))))
#define INTERLEAVE(to, lines, j, codes) interleave_2 (to, lines, j, codes)
#include VECTORS_256

#define NAME(x) avxvnni_##x
#define ISA "avxvnni"
#define TARGET __attribute__ ((target ("avx2,avxvnni")))
#define K_STEP 4
#define WIDTH 1
#define BIASED true
#define CONV_ROWS 4
#define CONV_VECTORS 2
#define GEMM_VECTORS 2
#define DOT(sum, x, w) ((V256)_mm256_dpbusd_avx_epi32 ((__m256i)(sum), (__m256i)(x), (__m256i)(w)))
#define INTERLEAVE(to, lines, j, codes) interleave_4 (to, lines, j, codes)
#include VECTORS_256

#define NAME(x) avx512_##x
#define ISA "avx512"
#define TARGET __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx2")))
#define K_STEP 2
#define WIDTH 2
#define BIASED false
#define DOT(sum, x, w) ((V512)_mm512_add_epi32 ((__m512i)(sum), _mm512_madd_epi16 ((__m512i)(x), (__m512i)(w))))
#define INTERLEAVE(to, lines, j, codes) interleave_2 (to, lines, j, codes)
#include VECTORS_512

#define NAME(x) vnni_##x
#define ISA "vnni"
#define TARGET __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512vnni,avx2")))
#define K_STEP 4
#define WIDTH 1
#define BIASED true
#define DOT(sum, x, w) ((V512)_mm512_dpbusd_epi32 ((__m512i)(sum), (__m512i)(x), (__m512i)(w)))
#define INTERLEAVE(to, lines, j, codes) interleave_4 (to, lines, j, codes)
#if defined(PARE_INT_AMX)
#define MATRIX_ISA "amx"
#define MATRIX &pare_rt_int_amx
#endif
#include VECTORS_512

static bool
has_avxvnni (void)
{
  unsigned a = 7, b, c = 1, d;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return a >> 4 & 1;
}

int
pare_rt_int_sets_x86 (const PareIntIsa **sets)
{
  int n = 0;
  bool avx512 = __builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vl");
  if (avx512 && __builtin_cpu_supports ("avx512vnni"))
    {
#if defined(PARE_INT_AMX)
      if (pare_rt_int_has_amx ())
        sets[n++] = &vnni_matrix_isa;
#endif
      sets[n++] = &vnni_isa;
    }
  if (avx512)
    sets[n++] = &avx512_isa;
  if (__builtin_cpu_supports ("avx2") && has_avxvnni ())
    sets[n++] = &avxvnni_isa;
  if (__builtin_cpu_supports ("avx2"))
    sets[n++] = &avx2_isa;
  return n;
}
#else
int
pare_rt_int_sets_x86 (const PareIntIsa **sets)
{
  return 0;
}
#endif
