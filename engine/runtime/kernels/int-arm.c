/* The kernels on codes for ARM: dot products of four codes where the CPU has them (sdot, 64-bit), else products of 16 bits added up in 32
 * (smlal). On 32-bit ARM they are compiled beside a baseline without NEON and taken where the kernel says that the CPU has it. */
#include "engine/runtime/kernels/int-sets.h"

#if defined(__aarch64__) || (defined(__arm__) && defined(__GNUC__) && defined(__linux__))
#include <arm_neon.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif

#if defined(__aarch64__)
#define NEON
#else
#define NEON __attribute__ ((target ("fpu=neon")))
#endif
#define INLINE NEON static inline __attribute__ ((always_inline))

/* Half to even, of what lies within codes. */
INLINE int32x4_t
round_4 (float32x4_t v)
{
#if defined(__aarch64__)
  return vcvtnq_s32_f32 (v);
#else
  return vsubq_s32 (vreinterpretq_s32_f32 (vaddq_f32 (v, vdupq_n_f32 (12582912.0f))),
                    vdupq_n_s32 (0x4B400000)); /* as integer.h's round_plain */
#endif
}

INLINE int32x4_t
broadcast_32 (const uint8_t *p)
{
  int32_t v;
  memcpy (&v, p, sizeof v);
  return vdupq_n_s32 (v);
}

INLINE int16x4_t
broadcast_16 (const uint8_t *p)
{
  int16_t v;
  memcpy (&v, p, sizeof v);
  return vdup_n_s16 (v);
}

INLINE int16x4_t
load_16x4 (const uint8_t *p)
{
  int16x4_t v;
  memcpy (&v, p, sizeof v);
  return v;
}

/* The low bytes of four lanes. */
INLINE void
store_4 (uint8_t *to, int32x4_t v)
{
  int16x4_t h = vmovn_s32 (v);
  uint32_t four = vget_lane_u32 (vreinterpret_u32_s8 (vmovn_s16 (vcombine_s16 (h, h))), 0);
  memcpy (to, &four, sizeof four);
}

/* The two low bytes of four lanes. */
INLINE void
store_pairs (uint8_t *to, int32x4_t v)
{
  int16x4_t h = vmovn_s32 (v);
  memcpy (to, &h, sizeof h);
}

#if defined(__aarch64__)
/* Four lines of 16 codes -> 16 columns of four. */
INLINE void
interleave_4 (uint8_t *to, const uint8_t *const *lines, int64_t j, PareIntCodes codes)
{
  uint8x16_t flip = vdupq_n_u8 (codes.flip);
  uint8x16x4_t v;
  for (int q = 0; q < 4; q++)
    v.val[q] = veorq_u8 (vld1q_u8 (lines[q] + j), flip);
  vst4q_u8 (to, v);
}
#endif

/* A line of 16 codes, 16 bits each, less the zero. */
INLINE void
interleave_1 (uint8_t *to, const uint8_t *line, PareIntCodes codes)
{
  uint8x16_t v = veorq_u8 (vld1q_u8 (line), vdupq_n_u8 (codes.flip));
  int16x8_t zero = vdupq_n_s16 (codes.zero);
  int16x8_t low = vsubq_s16 (vreinterpretq_s16_u16 (vmovl_u8 (vget_low_u8 (v))), zero);
  int16x8_t high = vsubq_s16 (vreinterpretq_s16_u16 (vmovl_u8 (vget_high_u8 (v))), zero);
  vst1q_u8 (to, vreinterpretq_u8_s16 (low));
  vst1q_u8 (to + 16, vreinterpretq_u8_s16 (high));
}

#define VECTORS_128 "engine/runtime/kernels/int-arm-128.inc.h"

#define NAME(x) neon_##x
#define ISA "neon"
#define TARGET NEON
#define K_STEP 1
#define WIDTH 2
#define CONV_ROWS 4
#define VL int16x4_t
#define LOAD(p) load_16x4 (p)
#define BROADCAST(p) broadcast_16 (p)
#define DOT(sum, x, w) vmlal_s16 (sum, x, w)
#define INTERLEAVE(to, lines, j, codes) interleave_1 (to, lines[0] + (j), codes)
#include VECTORS_128

#if defined(__aarch64__)
#define NAME(x) dotprod_##x
#define ISA "dotprod"
#define TARGET __attribute__ ((target ("arch=armv8.2-a+dotprod")))
#define K_STEP 4
#define WIDTH 1
#define CONV_ROWS 4
#define VL int32x4_t
#define LOAD(p) vreinterpretq_s32_u8 (vld1q_u8 (p))
#define BROADCAST(p) broadcast_32 (p)
#define DOT(sum, x, w) vdotq_s32 (sum, vreinterpretq_s8_s32 (x), vreinterpretq_s8_s32 (w))
#define INTERLEAVE(to, lines, j, codes) interleave_4 (to, lines, j, codes)
#include VECTORS_128

int
pare_rt_int_sets_arm (const PareIntIsa **sets)
{
  int n = 0;
#if defined(__ARM_FEATURE_DOTPROD)
  sets[n++] = &dotprod_isa;
#elif defined(__linux__)
  if (getauxval (AT_HWCAP) & 1 << 20 /* HWCAP_ASIMDDP */)
    sets[n++] = &dotprod_isa;
#else
  (void)dotprod_isa;
#endif
  sets[n++] = &neon_isa;
  return n;
}
#else
int
pare_rt_int_sets_arm (const PareIntIsa **sets)
{
  const char *most = getenv ("PARE_RT_ISA");
  if ((most && strcmp (most, "base") == 0) || !(getauxval (AT_HWCAP) & (1 << 12) /* HWCAP_NEON */))
    return 0;
  sets[0] = &neon_isa;
  return 1;
}
#endif
#else
int
pare_rt_int_sets_arm (const PareIntIsa **sets)
{
  return 0;
}
#endif
