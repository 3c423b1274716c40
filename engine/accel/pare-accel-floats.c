#include "engine/accel/pare-accel-floats.h"

#include <dnnl.h>
#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define NAME(x) avx512_##x
#define LANES 16
#define VEC __m512
#if defined(__clang__) /* drops the whole attribute over the last word */
#define TARGET __attribute__ ((target ("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")))
#else
#define TARGET __attribute__ ((target ("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512")))
#endif
#include "engine/accel/pare-accel-lanes-512.inc.h"
#include "engine/accel/pare-accel-floats.inc.h"

#define NAME(x) avx2_##x
#define LANES 8
#define VEC __m256
#define TARGET __attribute__ ((target ("avx2,fma")))
#define LOAD(p) _mm256_loadu_ps (p)
#define STORE(p, x) _mm256_storeu_ps (p, x)
#define FIRST(n) _mm256_cmpgt_epi32 (_mm256_set1_epi32 (n), _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7))
#define LOAD_SOME(p, n) _mm256_maskload_ps (p, FIRST (n))
#define STORE_SOME(p, x, n) _mm256_maskstore_ps (p, FIRST (n), x)
#define ALL(s) _mm256_set1_ps (s)
#define ADD(a, b) _mm256_add_ps (a, b)
#define SUB(a, b) _mm256_sub_ps (a, b)
#define MUL(a, b) _mm256_mul_ps (a, b)
#define FMA(a, b, c) _mm256_fmadd_ps (a, b, c)
#define FNMA(a, b, c) _mm256_fnmadd_ps (a, b, c)
#define LARGER(a, x) _mm256_max_ps (a, x)
#define SMALLER(a, x) _mm256_min_ps (a, x)
#define DIV(a, b) _mm256_div_ps (a, b)
#define TO_RANGE(x) _mm256_min_ps (_mm256_set1_ps (127), _mm256_max_ps (_mm256_set1_ps (-126), x))
#define FRACTION(x) _mm256_sub_ps (x, _mm256_round_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC))
#define TIMES_2_TO(a, n)                                                                                                                   \
  _mm256_mul_ps (a, _mm256_castsi256_ps (_mm256_slli_epi32 (_mm256_add_epi32 (_mm256_cvtps_epi32 (n), _mm256_set1_epi32 (127)), 23)))
#include "engine/accel/pare-accel-floats.inc.h"

static const PareFloats *
choose (void)
{
  int allowed = (int)dnnl_get_effective_cpu_isa ();
  if ((allowed & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core && __builtin_cpu_supports ("avx512f")
      && __builtin_cpu_supports ("avx512dq") && __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vl"))
    return &avx512_floats;
  if ((allowed & dnnl_cpu_isa_avx2) == dnnl_cpu_isa_avx2 && __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    return &avx2_floats;
  return NULL;
}

const PareFloats *
pare_accel_floats (void)
{
  static const PareFloats none, *chosen; /* kernels ask in every run, and oneDNN takes its time to answer */
  const PareFloats *isa = __atomic_load_n (&chosen, __ATOMIC_RELAXED);
  if (!isa)
    {
      isa = choose ();
      isa = isa ? isa : &none;
      __atomic_store_n (&chosen, isa, __ATOMIC_RELAXED);
    }
  return isa != &none ? isa : NULL;
}
#else
const PareFloats *
pare_accel_floats (void)
{
  return NULL;
}
#endif

bool
pare_accel_after_knows (PareActivation kind)
{
  return kind == PARE_ACT_NONE || kind == PARE_ACT_CLIP || kind == PARE_ACT_LEAKY || kind == PARE_ACT_SIGMOID || kind == PARE_ACT_SWISH
         || kind == PARE_ACT_HARDSWISH || kind == PARE_ACT_GELU || kind == PARE_ACT_GELU_TANH || kind == PARE_ACT_MISH
         || kind == PARE_ACT_ELU || kind == PARE_ACT_QUICK_GELU;
}

/* As wide as they go, but no lone block at the end: one vector of columns keeps the arithmetic waiting for loads. */
int
pare_accel_panel (const PareFloats *isa, int64_t n, int64_t i, int64_t *at)
{
  for (*at = 0; *at < n; i--)
    {
      int64_t left = n - *at, width = left < isa->width ? left : isa->width;
      if (left > isa->width && left - isa->width == PARE_BLOCK && isa->width > 2 * PARE_BLOCK)
        width -= PARE_BLOCK;
      if (i == 0)
        return (int)width;
      *at += width;
    }
  return 0;
}

void
pare_accel_pack_panels (const PareFloats *isa, const float *weights, int64_t stride_n, int64_t stride_k, const float *factor, int64_t n,
                        int64_t k, float *to)
{
  int64_t at;
  int width;
  for (int64_t i = 0; (width = pare_accel_panel (isa, (n + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK, i, &at)) > 0; i++)
    for (int64_t from = 0; from < k; from += PARE_BLOCK) /* a line of each row at a time */
      for (int64_t c = 0; c < width; c++)
        for (int64_t j = from; j < from + PARE_BLOCK && j < k; j++)
          to[at * k + j * width + c] = at + c < n ? weights[(at + c) * stride_n + j * stride_k] * (factor ? factor[at + c] : 1) : 0;
}
