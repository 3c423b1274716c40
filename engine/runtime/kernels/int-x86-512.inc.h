/* Vectors of 512 bits: 24 sums, three panels and the weight in 32 registers. */
#define LANES 16
#define CONV_ROWS 8
#define CONV_VECTORS 3
#define GEMM_VECTORS 4
#define VI V512
#define VL V512
#define VF __m512
#define LOAD(p) ((V512)_mm512_loadu_si512 (p))
#define BROADCAST(p) ((V512)_mm512_set1_epi32 (load_32 (p)))
#define SPLAT(i) ((V512)_mm512_set1_epi32 (i))
#define LOADI(p) ((V512)_mm512_loadu_si512 (p))
#define STOREI(p, v) _mm512_storeu_si512 (p, (__m512i)(v))
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define SHIFT(a, n) ((a) << (n))
#define TO_FLOAT(v) _mm512_cvtepi32_ps ((__m512i)(v))
#define ROUND(v) ((V512)_mm512_cvtps_epi32 (v))
#define ADDF(a, b) _mm512_add_ps (a, b)
#define SUBF(a, b) _mm512_sub_ps (a, b)
#define MULF(a, b) _mm512_mul_ps (a, b)
#define MAXF(a, b) _mm512_max_ps (a, b)
#define MINF(a, b) _mm512_min_ps (a, b)
#define SPLATF(v) _mm512_set1_ps (v)
#define LOADF(p) _mm512_loadu_ps (p)
#define STOREF(p, v) _mm512_storeu_ps (p, v)
#define STORE_CODES(p, v) _mm_storeu_si128 ((__m128i *)(p), _mm512_cvtepi32_epi8 ((__m512i)(v)))
#define STORE_HALVES(p, v) _mm256_storeu_si256 ((__m256i *)(p), _mm512_cvtepi16_epi8 ((__m512i)(v)))
#define STORE_PAIRS(p, v) _mm256_storeu_si256 ((__m256i *)(p), _mm512_cvtepi32_epi16 ((__m512i)(v)))
#define CHUNK 16
/* Bytes q..q + 63 of memory of which `at` holds 64 and `behind` those from the 16th on. */
#define ALIGN(at, behind, q) ((V512)_mm512_alignr_epi8 ((__m512i)(behind), (__m512i)(at), q))
#include "engine/runtime/kernels/int-kernels.inc.h"
