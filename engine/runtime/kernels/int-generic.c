/* The kernels on codes in plain C, for CPUs without vectors or whose vectors the compiler finds by itself. */
#include "engine/runtime/kernels/int-sets.h"
#include "engine/runtime/kernels/integer.h"

static inline __attribute__ ((always_inline)) int32_t
load_16 (const uint8_t *p)
{
  int16_t v;
  memcpy (&v, p, sizeof v);
  return v;
}

/* Opaque, or GCC 12 for aarch64 vectorises the loop over steps of a one-row tile wrongly (-O3; ten lines of C show it). */
static inline __attribute__ ((always_inline)) int32_t
load_16_once (const uint8_t *p)
{
  int32_t v = load_16 (p);
  __asm__("" : "+r"(v));
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
#define BROADCAST(p) load_16_once (p)
#define DOT(sum, x, w) ((sum) + (x) * (w))
#define SPLAT(i) (i)
#define LOADI(p) (*(p))
#define TO_FLOAT(i) ((float)(i))
#define ROUND(v) round_plain (v)
#define ADDF(a, b) ((a) + (b))
#define SUBF(a, b) ((a) - (b))
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
