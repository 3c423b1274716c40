/* Vectors of 256 bits. */
#define LANES 8
#define VI V256
#define VL V256
#define VF __m256
#define LOAD(p) ((V256)_mm256_loadu_si256 ((const __m256i *)(p)))
#define BROADCAST(p) ((V256)_mm256_set1_epi32 (load_32 (p)))
#define SPLAT(i) ((V256)_mm256_set1_epi32 (i))
#define LOADI(p) ((V256)_mm256_loadu_si256 ((const __m256i *)(p)))
#define STOREI(p, v) _mm256_storeu_si256 ((__m256i *)(p), (__m256i)(v))
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define SHIFT(a, n) ((a) << (n))
#define TO_FLOAT(v) _mm256_cvtepi32_ps ((__m256i)(v))
#define ROUND(v) ((V256)_mm256_cvtps_epi32 (v))
#define ADDF(a, b) _mm256_add_ps (a, b)
#define SUBF(a, b) _mm256_sub_ps (a, b)
#define MULF(a, b) _mm256_mul_ps (a, b)
#define MAXF(a, b) _mm256_max_ps (a, b)
#define MINF(a, b) _mm256_min_ps (a, b)
#define SPLATF(v) _mm256_set1_ps (v)
#define LOADF(p) _mm256_loadu_ps (p)
#define STOREF(p, v) _mm256_storeu_ps (p, v)
#define STORE_CODES(p, v) store_8 (p, (__m256i)(v))
#define STORE_HALVES(p, v) store_halves (p, (__m256i)(v))
#define STORE_PAIRS(p, v) store_pairs (p, (__m256i)(v))
#define CHUNK 16
#include "engine/runtime/kernels/int-kernels.inc.h"
