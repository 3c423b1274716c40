/* The kernels on codes in plain C, for CPUs without vectors or whose vectors the compiler finds by itself. */
#include "engine/runtime/kernels/int-sets.h"

static inline __attribute__ ((always_inline)) int32_t
load_16 (const uint8_t *p)
{
  int16_t v;
  memcpy (&v, p, sizeof v);
  return v;
}

static inline __attribute__ ((always_inline)) void
interleave_plain (uint8_t *to, const uint8_t *line, PareIntCodes codes)
{
  int16_t v[4];
  for (int i = 0; i < 4; i++)
    v[i] = (int16_t)((line[i] ^ codes.flip) - codes.zero);
  memcpy (to, v, sizeof v);
}

/* Half to even: adding 1.5 * 2^23 leaves the integer in the low bits. Right up to 2^22, and codes are far below. */
static inline __attribute__ ((always_inline)) int32_t
round_plain (float v)
{
  v += 12582912.0f;
  int32_t bits;
  memcpy (&bits, &v, sizeof bits);
  return bits - 0x4B400000;
}

#define NAME(x) generic_##x
#define ISA "generic"
#define TARGET
#define LANES 1
#define K_STEP 1
#define WIDTH 2
#define BIASED false
#define CONV_ROWS 4
#define CONV_VECTORS 4
#define GEMM_VECTORS 4
#define VI int32_t
#define VL int32_t
#define VF float
#define LOAD(p) load_16 (p)
#define BROADCAST(p) load_16 (p)
#define DOT(sum, x, w) ((sum) + (x) * (w))
#define SPLAT(i) (i)
#define LOADI(p) (*(p))
#define TO_FLOAT(i) ((float)(i))
#define ROUND(v) round_plain (v)
#define ADDF(a, b) ((a) + (b))
#define MULF(a, b) ((a) * (b))
#define MAXF(a, b) ((a) > (b) ? (a) : (b))
#define MINF(a, b) ((a) < (b) ? (a) : (b))
#define SPLATF(v) (v)
#define LOADF(p) (*(p))
#define STOREF(p, v) (*(p) = (v))
#define STORE_CODES(p, i) (*(p) = (uint8_t)(i))
#define CHUNK 4
#define INTERLEAVE(to, lines, j, codes) interleave_plain (to, lines[0] + (j), codes)
#include "engine/runtime/kernels/int-kernels.inc.h"

int
pare_rt_int_sets_generic (const PareIntIsa **sets)
{
  sets[0] = &generic_isa;
  return 1;
}
