/* Vectors of 128 bits: 16 sums, four panels and the weight in 32 registers. */
#define LANES 4
#define BIASED false
#define CONV_VECTORS 4
#define GEMM_VECTORS 4
#define VI int32x4_t
#define VF float32x4_t
#define SPLAT(i) vdupq_n_s32 (i)
#define LOADI(p) vld1q_s32 (p)
#define STOREI(p, v) vst1q_u8 (p, vreinterpretq_u8_s32 (v))
#define AND(a, b) vandq_s32 (a, b)
#define OR(a, b) vorrq_s32 (a, b)
#define SHIFT(a, n) vshlq_n_s32 (a, n)
#define TO_FLOAT(v) vcvtq_f32_s32 (v)
#define ROUND(v) round_4 (v)
#define ADDF(a, b) vaddq_f32 (a, b)
#define SUBF(a, b) vsubq_f32 (a, b)
#define MULF(a, b) vmulq_f32 (a, b)
#define MAXF(a, b) vbslq_f32 (vcgtq_f32 (a, b), a, b)
#define MINF(a, b) vbslq_f32 (vcltq_f32 (a, b), a, b)
#define SPLATF(v) vdupq_n_f32 (v)
#define LOADF(p) vld1q_f32 (p)
#define STOREF(p, v) vst1q_f32 (p, v)
#define STORE_CODES(p, v) store_4 (p, v)
#define STORE_PAIRS(p, v) store_pairs (p, v)
#define CHUNK 16
#include "engine/runtime/kernels/int-kernels.inc.h"
