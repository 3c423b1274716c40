/* Vectors of 512 bits: 24 sums, three panels and the weight in 32 registers. */
#define LANES 16
#define CONV_ROWS 8
#define CONV_VECTORS 3
#define GEMM_VECTORS 4
#define VI __m512i
#define VL __m512i
#define VF __m512
#define LOAD(p) _mm512_loadu_si512 (p)
#define BROADCAST(p) _mm512_set1_epi32 (load_32 (p))
#define SPLAT(i) _mm512_set1_epi32 (i)
#define LOADI(p) _mm512_loadu_si512 (p)
#define STOREI(p, v) _mm512_storeu_si512 (p, v)
#define AND(a, b) _mm512_and_si512 (a, b)
#define OR(a, b) _mm512_or_si512 (a, b)
#define SHIFT(a, n) _mm512_slli_epi32 (a, n)
#define TO_FLOAT(v) _mm512_cvtepi32_ps (v)
#define ROUND(v) _mm512_cvtps_epi32 (v)
#define ADDF(a, b) _mm512_add_ps (a, b)
#define MULF(a, b) _mm512_mul_ps (a, b)
#define MAXF(a, b) _mm512_max_ps (a, b)
#define MINF(a, b) _mm512_min_ps (a, b)
#define SPLATF(v) _mm512_set1_ps (v)
#define LOADF(p) _mm512_loadu_ps (p)
#define STOREF(p, v) _mm512_storeu_ps (p, v)
#define STORE_CODES(p, v) _mm_storeu_si128 ((__m128i *)(p), _mm512_cvtepi32_epi8 (v))
#define STORE_HALVES(p, v) _mm256_storeu_si256 ((__m256i *)(p), _mm512_cvtepi16_epi8 (v))
#define CHUNK 16
#include "engine/runtime/kernels/int-kernels.inc.h"
