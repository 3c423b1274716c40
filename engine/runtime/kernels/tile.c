/* The instruction sets of the float kernels, and which of them this CPU takes. */
#include "engine/runtime/kernels/tile.h"

#include <stdlib.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "plans and kernels are little endian only"
#endif
_Static_assert(sizeof (float) == 4 && sizeof (double) == 8, "IEEE 754 floats");

#if defined(__x86_64__)
#include <immintrin.h>

#define ISA_NAME "avx512"
#define NAME(x) avx512_##x
#define LANES 16
#define TILE_ROWS 8
#define TILE_VECTORS 3
#if defined(__clang__) /* drops the whole attribute over the last word */
#define TARGET __attribute__ ((target ("avx512f,avx2,fma")))
#else
#define TARGET __attribute__ ((target ("avx512f,avx2,fma,prefer-vector-width=512")))
#endif
#define FMA(acc, b, s) ((avx512_vec)_mm512_fmadd_ps ((__m512)(b), _mm512_set1_ps (s), (__m512)(acc)))
#define FMADD(a, b, c) ((avx512_vec)_mm512_fmadd_ps ((__m512)(a), (__m512)(b), (__m512)(c)))
#define LARGER(a, x) ((avx512_vec)_mm512_max_ps ((__m512)(a), (__m512)(x)))
#define SMALLER(a, x) ((avx512_vec)_mm512_min_ps ((__m512)(a), (__m512)(x)))
#define LOW(a, b)                                                                                                                          \
  ((avx512_vec)_mm512_permutex2var_ps ((__m512)(a), _mm512_setr_epi32 (0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),            \
                                       (__m512)(b)))
#define HIGH(a, b)                                                                                                                         \
  ((avx512_vec)_mm512_permutex2var_ps ((__m512)(a), _mm512_setr_epi32 (8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),      \
                                       (__m512)(b)))
#define MASK __mmask16
#define MASK_OF(from, to) ((__mmask16)((0xFFFFu << (from)) & ~(0xFFFFFFFFu << (to))))
#define LOAD_MASKED(m, p) _mm512_maskz_loadu_ps (m, p)
#define STORE_MASKED(m, p, x) _mm512_mask_storeu_ps (p, m, (__m512)(x))
#define EVEN(a, b)                                                                                                                         \
  ((avx512_vec)_mm512_permutex2var_ps ((__m512)(a), _mm512_setr_epi32 (0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),         \
                                       (__m512)(b)))
#define ODD(a, b)                                                                                                                          \
  ((avx512_vec)_mm512_permutex2var_ps ((__m512)(a), _mm512_setr_epi32 (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31),         \
                                       (__m512)(b)))
#define ROUND(x) ((avx512_vec)_mm512_roundscale_ps ((__m512)(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define TIMES_POWER(x, k) ((avx512_vec)_mm512_scalef_ps ((__m512)(x), (__m512)(k)))
#define STORE_BYTES(p, x) _mm_storeu_si128 ((__m128i *)(p), _mm512_cvtepi32_epi8 (_mm512_cvtps_epi32 ((__m512)(x))))
#define PICK(x, which) ((avx512_vec)_mm512_permutexvar_ps ((__m512i)(which), (__m512)(x)))
#define FOLD_SUM(v) _mm512_reduce_add_ps ((__m512)(v))
#define FOLD_MAX(v) _mm512_reduce_max_ps ((__m512)(v))
#include "engine/runtime/kernels/tile.inc.h"

#define ISA_NAME "avx2"
#define NAME(x) avx2_##x
#define LANES 8
#define TILE_ROWS 4
#define TILE_VECTORS 3
#define TARGET __attribute__ ((target ("avx2,fma")))
#define FMA(acc, b, s) ((avx2_vec)_mm256_fmadd_ps ((__m256)(b), _mm256_set1_ps (s), (__m256)(acc)))
#define FMADD(a, b, c) ((avx2_vec)_mm256_fmadd_ps ((__m256)(a), (__m256)(b), (__m256)(c)))
#define LARGER(a, x) ((avx2_vec)_mm256_max_ps ((__m256)(a), (__m256)(x)))
#define SMALLER(a, x) ((avx2_vec)_mm256_min_ps ((__m256)(a), (__m256)(x)))
#define MASK __m256i
#define MASK_OF(from, to) avx2_mask ((int)(from), (int)(to))
#define LOAD_MASKED(m, p) _mm256_maskload_ps (p, m)
#define STORE_MASKED(m, p, x) _mm256_maskstore_ps (p, m, (__m256)(x))
#define EVEN(a, b) avx2_half ((__m256)(a), (__m256)(b), 0x88)
#define ODD(a, b) avx2_half ((__m256)(a), (__m256)(b), 0xDD)
#define LOW(a, b) avx2_turns (a, b, 0x20)
#define HIGH(a, b) avx2_turns (a, b, 0x31)
#define avx2_turns(a, b, which)                                                                                                            \
  ((avx2_vec)_mm256_permute2f128_ps (_mm256_unpacklo_ps ((__m256)(a), (__m256)(b)), _mm256_unpackhi_ps ((__m256)(a), (__m256)(b)), which))
#define avx2_half(a, b, which) ((avx2_vec)_mm256_permute4x64_pd ((__m256d)_mm256_shuffle_ps (a, b, which), 0xD8))
__attribute__ ((target ("avx2"))) static inline __m256i
avx2_mask (int from, int to)
{
  __m256i lane = _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_and_si256 (_mm256_cmpgt_epi32 (lane, _mm256_set1_epi32 (from - 1)), _mm256_cmpgt_epi32 (_mm256_set1_epi32 (to), lane));
}
#define avx2_fold(v, op, one)                                                                                                              \
  ({                                                                                                                                       \
    __m128 four = op (_mm256_castps256_ps128 ((__m256)(v)), _mm256_extractf128_ps ((__m256)(v), 1));                                       \
    four = op (four, _mm_movehl_ps (four, four));                                                                                          \
    _mm_cvtss_f32 (one (four, _mm_shuffle_ps (four, four, 1)));                                                                            \
  })
#define ROUND(x) ((avx2_vec)_mm256_round_ps ((__m256)(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define PICK(x, which) ((avx2_vec)_mm256_permutevar8x32_ps ((__m256)(x), (__m256i)(which)))
#define FOLD_SUM(v) avx2_fold (v, _mm_add_ps, _mm_add_ss)
#define FOLD_MAX(v) avx2_fold (v, _mm_max_ps, _mm_max_ss)
#include "engine/runtime/kernels/tile.inc.h"
#endif

#if defined(__aarch64__)
#include <arm_neon.h>
#define ISA_NAME "neon"
#define NAME(x) base_##x
#define LANES 4
#define TILE_ROWS 8
#define TILE_VECTORS 3
#define TARGET
#define FMA(acc, b, s) ((base_vec)vfmaq_n_f32 ((float32x4_t)(acc), (float32x4_t)(b), s))
#define FMADD(a, b, c) ((base_vec)vfmaq_f32 ((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
/* comparison and selection, since FMAX has its own idea of -0 and NaN */
#define LARGER(a, x) ((base_vec)vbslq_f32 (vcltq_f32 ((float32x4_t)(x), (float32x4_t)(a)), (float32x4_t)(a), (float32x4_t)(x)))
#define SMALLER(a, x) ((base_vec)vbslq_f32 (vcgtq_f32 ((float32x4_t)(x), (float32x4_t)(a)), (float32x4_t)(a), (float32x4_t)(x)))
#define EVEN(a, b) ((base_vec){ (a)[0], (a)[2], (b)[0], (b)[2] })
#define ODD(a, b) ((base_vec){ (a)[1], (a)[3], (b)[1], (b)[3] })
#define LOW(a, b) ((base_vec){ (a)[0], (b)[0], (a)[1], (b)[1] })
#define HIGH(a, b) ((base_vec){ (a)[2], (b)[2], (a)[3], (b)[3] })
#include "engine/runtime/kernels/tile.inc.h"
#else

typedef float Floats __attribute__ ((vector_size (16)));
typedef int32_t Mask __attribute__ ((vector_size (16)));
static inline __attribute__ ((always_inline)) Floats
choose (Mask m, Floats a, Floats x)
{
  return (Floats)(((Mask)a & m) | ((Mask)x & ~m));
}

#if defined(__arm__) && defined(__GNUC__)
/* Where the baseline has no NEON the code for it is compiled beside, and taken where the kernel says that the CPU has it. VFP arithmetic on
 * either path, one multiply and one addition: NEON of this generation flushes denormals to zero, which is the only difference. */
#include <arm_neon.h>
#include <sys/auxv.h>
#define ISA_NAME "neon"
#define NAME(x) neon_##x
#define LANES 4
#define TILE_ROWS 4
#define TILE_VECTORS 2
#define TARGET __attribute__ ((target ("fpu=neon")))
#define FMA(acc, b, s) ((neon_vec)vaddq_f32 ((float32x4_t)(acc), vmulq_n_f32 ((float32x4_t)(b), s)))
#define FMADD(a, b, c) ((neon_vec)vaddq_f32 (vmulq_f32 ((float32x4_t)(a), (float32x4_t)(b)), (float32x4_t)(c)))
#define LARGER(a, x) ((neon_vec)vbslq_f32 (vcltq_f32 ((float32x4_t)(x), (float32x4_t)(a)), (float32x4_t)(a), (float32x4_t)(x)))
#define SMALLER(a, x) ((neon_vec)vbslq_f32 (vcgtq_f32 ((float32x4_t)(x), (float32x4_t)(a)), (float32x4_t)(a), (float32x4_t)(x)))
#define EVEN(a, b) ((neon_vec){ (a)[0], (a)[2], (b)[0], (b)[2] })
#define ODD(a, b) ((neon_vec){ (a)[1], (a)[3], (b)[1], (b)[3] })
#define LOW(a, b) ((neon_vec){ (a)[0], (b)[0], (a)[1], (b)[1] })
#define HIGH(a, b) ((neon_vec){ (a)[2], (b)[2], (a)[3], (b)[3] })
#include "engine/runtime/kernels/tile.inc.h"
#endif

#define ISA_NAME "base"
#define NAME(x) base_##x
#define LANES 4
#define TILE_ROWS 4
#define TILE_VECTORS 2
#define TARGET
#define FMA(acc, b, s) ((acc) + (b) * (s))
#define FMADD(a, b, c) ((a) * (b) + (c))
#define LARGER(a, x) choose ((x) < (a), a, x)
#define SMALLER(a, x) choose ((x) > (a), a, x)
#define EVEN(a, b) ((base_vec){ (a)[0], (a)[2], (b)[0], (b)[2] })
#define ODD(a, b) ((base_vec){ (a)[1], (a)[3], (b)[1], (b)[3] })
#define LOW(a, b) ((base_vec){ (a)[0], (b)[0], (a)[1], (b)[1] })
#define HIGH(a, b) ((base_vec){ (a)[2], (b)[2], (a)[3], (b)[3] })
#include "engine/runtime/kernels/tile.inc.h"
#endif

const PareRtIsa *
pare_rt_isa (void)
{
  static const PareRtIsa *chosen;
  const PareRtIsa *isa = __atomic_load_n (&chosen, __ATOMIC_ACQUIRE);
  if (isa)
    return isa;
  isa = &base_isa;
#if defined(__x86_64__)
  const char *most = getenv ("PARE_RT_ISA");
  bool low = most && strcmp (most, "base") == 0, middle = most && strcmp (most, "avx2") == 0;
  __builtin_cpu_init ();
  if (!low && !middle && __builtin_cpu_supports ("avx512f"))
    isa = &avx512_isa;
  else if (!low && __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    isa = &avx2_isa;
#elif defined(__arm__)
  const char *most = getenv ("PARE_RT_ISA");
  if (!(most && strcmp (most, "base") == 0) && (getauxval (AT_HWCAP) & (1 << 12))) /* HWCAP_NEON */
    isa = &neon_isa;
#endif
  __atomic_store_n (&chosen, isa, __ATOMIC_RELEASE);
  return isa;
}
