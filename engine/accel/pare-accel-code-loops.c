#include "engine/accel/pare-accel-codes.h"
#include "engine/runtime/kernels/kernel.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define PARE_X86 1
#include <immintrin.h>
#define WIDE __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))
#define MIDDLE __attribute__ ((target ("avx2,fma")))
#endif
#define INLINE static inline __attribute__ ((always_inline))

/* `name`_body for this CPU. */
#ifdef PARE_X86
#define VARIANTS(name)                                                                                                                       \
  WIDE static void name##_wide (const void *params, const PareView *args, int part, int parts)                                               \
  {                                                                                                                                          \
    name##_body (params, args, part, parts);                                                                                                 \
  }                                                                                                                                          \
  MIDDLE static void name##_middle (const void *params, const PareView *args, int part, int parts)                                           \
  {                                                                                                                                          \
    name##_body (params, args, part, parts);                                                                                                 \
  }                                                                                                                                          \
  static void name##_plain (const void *params, const PareView *args, int part, int parts)                                                   \
  {                                                                                                                                          \
    name##_body (params, args, part, parts);                                                                                                 \
  }                                                                                                                                          \
  PareAccelLoop pare_accel_loop_##name (void)                                                                                                \
  {                                                                                                                                          \
    return __builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vl") && __builtin_cpu_supports ("avx512dq") ? name##_wide   \
           : __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma")                                               ? name##_middle \
                                                                                                                             : name##_plain;                                               \
  }
#else
#define VARIANTS(name)                                                                                                                     \
  static void name##_plain (const void *params, const PareView *args, int part, int parts)                                                 \
  {                                                                                                                                        \
    name##_body (params, args, part, parts);                                                                                               \
  }                                                                                                                                        \
  PareAccelLoop pare_accel_loop_##name (void)                                                                                              \
  {                                                                                                                                        \
    return name##_plain;                                                                                                                   \
  }
#endif

/* This part's share of n things, in multiples of `grain`. */
INLINE void
share (uint64_t n, uint64_t grain, int part, int parts, uint64_t *begin, uint64_t *end)
{
  uint64_t chunk = (n / (uint64_t)parts + grain - 1) / grain * grain;
  *begin = chunk * (uint64_t)part < n ? chunk * (uint64_t)part : n;
  *end = part == parts - 1 || *begin + chunk > n ? n : *begin + chunk;
}

INLINE void
add_run (const uint8_t *restrict a, const uint8_t *restrict b, uint8_t *restrict y, uint64_t n, const PareQAddParams *p, bool sa, bool sb,
         bool sy)
{
  float ra = p->ratio_a, rb = p->ratio_b, fixed = p->fixed, lo = (float)p->lo, hi = (float)p->hi;
  for (uint64_t i = 0; i < n; i++)
    {
      float fa = sa ? (float)(int8_t)a[i] : (float)a[i], fb = sb ? (float)(int8_t)b[i] : (float)b[i];
      float v = fmaf (fb, rb, fmaf (fa, ra, fixed));
      v = v > lo ? v : lo;
      v = v < hi ? v : hi;
      int32_t q = (int32_t)rintf (v);
      y[i] = sy ? (uint8_t)(int8_t)q : (uint8_t)q;
    }
}

INLINE void
add_body (const void *params, const PareView *args, int part, int parts)
{
  const PareAddCodes *s = params;
  uint64_t begin, end;
  share (s->n, 64, part, parts, &begin, &end);
  const uint8_t *a = (const uint8_t *)args[0].data + begin, *b = (const uint8_t *)args[1].data + begin;
  uint8_t *y = (uint8_t *)args[2].data + begin;
  switch (s->signed_a * 2 + s->signed_b) /* bytes of the result are the same for both types */
    {
    case 0:
      add_run (a, b, y, end - begin, &s->p, false, false, false);
      break;
    case 1:
      add_run (a, b, y, end - begin, &s->p, false, true, false);
      break;
    case 2:
      add_run (a, b, y, end - begin, &s->p, true, false, false);
      break;
    default:
      add_run (a, b, y, end - begin, &s->p, true, true, false);
      break;
    }
}
VARIANTS (add)

INLINE void
quantize_run (const float *restrict x, uint8_t *restrict y, int64_t n, float scale, int32_t zero, float least, float most)
{
  for (int64_t i = 0; i < n; i++)
    {
      float q = x[i] / scale;
      q = q > least ? q : least;
      q = q < most ? q : most;
      y[i] = (uint8_t)((int32_t)rintf (q) + zero);
    }
}

#define QUANTIZE_BLOCK 512

/* Three planes of codes woven into one. */
INLINE void
weave3 (const uint8_t *restrict a, const uint8_t *restrict b, const uint8_t *restrict c, uint8_t *restrict y, int64_t n)
{
  for (int64_t i = 0; i < n; i++)
    {
      y[3 * i] = a[i];
      y[3 * i + 1] = b[i];
      y[3 * i + 2] = c[i];
    }
}

INLINE void
quantize_body (const void *params, const PareView *args, int part, int parts)
{
  const PareQuantizeCodes *s = params;
  const float *x = args[0].data;
  uint8_t *y = args[1].data;
  float least = (float)(s->lo - s->zero), most = (float)(s->hi - s->zero);
  uint64_t begin, end;
  share ((uint64_t)(s->batch * s->area), QUANTIZE_BLOCK, part, parts, &begin, &end);
  if (s->planes == 1)
    {
      quantize_run (x + begin, y + begin, (int64_t)(end - begin), s->scale, s->zero, least, most);
      return;
    }
  uint8_t codes[8][QUANTIZE_BLOCK];
  for (int64_t at = (int64_t)begin; at < (int64_t)end;)
    {
      int64_t image = at / s->area, from = at % s->area, n = s->area - from;
      n = n < QUANTIZE_BLOCK ? n : QUANTIZE_BLOCK;
      n = n < (int64_t)end - at ? n : (int64_t)end - at;
      const float *plane = x + image * s->planes * s->area + from;
      uint8_t *to = y + at * s->planes;
      for (int64_t c0 = 0; c0 < s->planes; c0 += 8)
        {
          int some = s->planes - c0 < 8 ? (int)(s->planes - c0) : 8;
          for (int c = 0; c < some; c++)
            quantize_run (plane + (c0 + c) * s->area, codes[c], n, s->scale, s->zero, least, most);
          if (s->planes == 3)
            weave3 (codes[0], codes[1], codes[2], to, n);
          else
            for (int64_t i = 0; i < n; i++)
              for (int c = 0; c < some; c++)
                to[i * s->planes + c0 + c] = codes[c][i];
        }
      at += n;
    }
}
VARIANTS (quantize)

INLINE void
dequantize_body (const void *params, const PareView *args, int part, int parts)
{
  const PareDequantizeCodes *s = params;
  uint64_t begin, end;
  share (s->n, 64, part, parts, &begin, &end);
  const uint8_t *restrict x = args[0].data;
  float *restrict y = args[1].data;
  if (s->is_signed)
    for (uint64_t i = begin; i < end; i++)
      y[i] = (float)((int32_t)(int8_t)x[i] - s->zero) * s->scale;
  else
    for (uint64_t i = begin; i < end; i++)
      y[i] = (float)((int32_t)x[i] - s->zero) * s->scale;
}
VARIANTS (dequantize)

/* Kernel positions of an axis that lie inside, for a window that starts at `from`. */
INLINE void
inside (int64_t from, int64_t k, int64_t dilation, int64_t extent, int64_t *k0, int64_t *k1)
{
  *k0 = from >= 0 ? 0 : (-from + dilation - 1) / dilation;
  *k1 = extent <= from ? 0 : (extent - from + dilation - 1) / dilation;
  *k1 = *k1 < k ? *k1 : k;
}

#define POOL_CHANNELS 256

/* One window, some channels. */
INLINE void
average (const ParePoolCodes *s, const uint8_t *restrict x, uint8_t *restrict y, int64_t channels, const int64_t *from, const int64_t *k0,
         const int64_t *k1, bool is_signed)
{
  int32_t sum[POOL_CHANNELS] = { 0 }, zero_x = s->p->zero_x;
  float floats[POOL_CHANNELS] = { 0 }, scale_x = s->p->scale_x;
  bool in_floats = s->p->floats;
  int64_t seen = (k1[0] - k0[0]) * (k1[1] - k0[1]) * (k1[2] - k0[2]), n = 1;
  seen = k1[0] > k0[0] && k1[1] > k0[1] && k1[2] > k0[2] ? seen : 0;
  if (seen)
    for (int64_t kz = k0[0]; kz < k1[0]; kz++)
      for (int64_t ky = k0[1]; ky < k1[1]; ky++)
        for (int64_t kx = k0[2]; kx < k1[2]; kx++)
          {
            const uint8_t *restrict pixel = x
                                            + (((from[0] + kz * s->dilation[0]) * s->in[1] + from[1] + ky * s->dilation[1]) * s->in[2]
                                               + from[2] + kx * s->dilation[2])
                                                  * s->channels;
            if (in_floats)
              for (int64_t c = 0; c < channels; c++)
                floats[c] += (float)((is_signed ? (int32_t)(int8_t)pixel[c] : (int32_t)pixel[c]) - zero_x) * scale_x;
            else
              for (int64_t c = 0; c < channels; c++)
                sum[c] += is_signed ? (int32_t)(int8_t)pixel[c] : (int32_t)pixel[c];
          }
  if (s->p->pool.count_include_pad)
    for (int i = 0; i < 3; i++)
      {
        int64_t a, b;
        inside (from[i], s->k[i], s->dilation[i], s->in[i] + s->pad_end[i], &a, &b);
        n *= b; /* padding in front counts */
      }
  else
    n = seen;
  int32_t zero = s->p->zero_y;
  if (in_floats)
    {
      float offset = (float)zero, least = (float)s->p->lo, most = (float)s->p->hi, count = n > 0 ? (float)n : 1, scale = s->p->scale_y;
      for (int64_t c = 0; c < channels; c++)
        {
          float v = floats[c] / count / scale + offset;
          v = v > least ? v : least;
          v = v < most ? v : most;
          y[c] = (uint8_t)(int32_t)rintf (v);
        }
      return;
    }
  float lo = (float)(s->p->lo - zero), hi = (float)(s->p->hi - zero), factor = n > 0 ? s->p->scale_x / (s->p->scale_y * (float)n) : 0;
  for (int64_t c = 0; c < channels; c++)
    {
      float v = n > 0 ? (float)(sum[c] - (int32_t)seen * s->p->zero_x) * factor : 0;
      v = v > lo ? v : lo;
      v = v < hi ? v : hi;
      y[c] = (uint8_t)((int32_t)rintf (v) + zero);
    }
}

/* One window, `n` channels (a constant) held in registers. */
INLINE void
largest_of (const ParePoolCodes *s, const uint8_t *x, uint8_t *y, const int64_t *from, const int64_t *k0, const int64_t *k1, int n,
            uint8_t flip)
{
  uint8_t best[64] = { 0 }; /* signed codes are moved up by 128, so that bytes compare as they should */
#ifdef PARE_X86
  __m128i most[4], flips = _mm_set1_epi8 ((char)flip);
  for (int i = 0; i < n / 16; i++)
    most[i] = _mm_setzero_si128 ();
#endif
  for (int64_t kz = k0[0]; kz < k1[0]; kz++)
    for (int64_t ky = k0[1]; ky < k1[1]; ky++)
      {
        int64_t row = ((from[0] + kz * s->dilation[0]) * s->in[1] + from[1] + ky * s->dilation[1]) * s->in[2] + from[2];
        for (int64_t kx = k0[2]; kx < k1[2]; kx++)
          {
            const uint8_t *pixel = x + (row + kx * s->dilation[2]) * s->channels;
#ifdef PARE_X86
            for (int i = 0; i < n / 16; i++)
              most[i] = _mm_max_epu8 (most[i], _mm_xor_si128 (_mm_loadu_si128 ((const __m128i *)(const void *)(pixel + i * 16)), flips));
            if (n % 16 == 0)
              continue;
#endif
            for (int c = 0; c < n; c++)
              best[c] = (uint8_t)(pixel[c] ^ flip) > best[c] ? (uint8_t)(pixel[c] ^ flip) : best[c];
          }
      }
#ifdef PARE_X86
  for (int i = 0; i < n / 16; i++)
    _mm_storeu_si128 ((__m128i *)(void *)(y + i * 16), _mm_xor_si128 (most[i], flips));
  if (n % 16 == 0)
    return;
#endif
  for (int c = 0; c < n; c++)
    y[c] = best[c] ^ flip;
}

INLINE void
largest (const ParePoolCodes *s, const uint8_t *x, uint8_t *y, const int64_t *from, const int64_t *k0, const int64_t *k1)
{
  uint8_t flip = s->is_signed ? 0x80 : 0;
  int64_t c = 0, n = s->channels;
  for (; c + 64 <= n; c += 64)
    largest_of (s, x + c, y + c, from, k0, k1, 64, flip);
  for (; c + 16 <= n; c += 16)
    largest_of (s, x + c, y + c, from, k0, k1, 16, flip);
  for (; c < n; c++)
    largest_of (s, x + c, y + c, from, k0, k1, 1, flip);
}

/* Rows of windows; where a window begins and ends is divided out only at the edges. */
INLINE void
pool_row (const ParePoolCodes *s, const uint8_t *x, uint8_t *y, const int64_t *at, const int64_t *begin, const int64_t *end, bool max)
{
  int64_t from[3] = { at[0], at[1], 0 }, k0[3] = { begin[0], begin[1], 0 }, k1[3] = { end[0], end[1], 0 };
  for (int64_t ox = 0; ox < s->out[2]; ox++, y += s->channels)
    {
      from[2] = ox * s->stride[2] - s->pad[2];
      k0[2] = 0;
      k1[2] = s->k[2];
      if (from[2] < 0 || from[2] + (s->k[2] - 1) * s->dilation[2] >= s->in[2])
        inside (from[2], s->k[2], s->dilation[2], s->in[2], &k0[2], &k1[2]);
      if (max)
        largest (s, x, y, from, k0, k1);
      else
        for (int64_t c = 0; c < s->channels; c += POOL_CHANNELS)
          {
            int64_t some = s->channels - c < POOL_CHANNELS ? s->channels - c : POOL_CHANNELS;
            if (s->is_signed)
              average (s, x + c, y + c, some, from, k0, k1, true);
            else
              average (s, x + c, y + c, some, from, k0, k1, false);
          }
    }
}

INLINE void
max_row (const ParePoolCodes *s, const uint8_t *x, uint8_t *y, const int64_t *from, const int64_t *k0, const int64_t *k1)
{
  pool_row (s, x, y, from, k0, k1, true);
}

INLINE void
avg_row (const ParePoolCodes *s, const uint8_t *x, uint8_t *y, const int64_t *from, const int64_t *k0, const int64_t *k1)
{
  pool_row (s, x, y, from, k0, k1, false);
}

typedef void (*PoolRow) (const ParePoolCodes *s, const uint8_t *x, uint8_t *y, const int64_t *from, const int64_t *k0, const int64_t *k1);

INLINE void
pool_body (const ParePoolCodes *s, const PareView *args, int part, int parts, PoolRow row_of)
{
  int64_t out = s->out[0] * s->out[1] * s->out[2], in = s->in[0] * s->in[1] * s->in[2], rows = s->out[0] * s->out[1];
  uint64_t begin, end;
  share ((uint64_t)(s->batch * rows), 1, part, parts, &begin, &end);
  for (int64_t i = (int64_t)begin; i < (int64_t)end; i++)
    {
      int64_t image = i / rows, row = i % rows, o[2] = { row / s->out[1], row % s->out[1] }, from[3], k0[3], k1[3];
      for (int a = 0; a < 2; a++)
        {
          from[a] = o[a] * s->stride[a] - s->pad[a];
          inside (from[a], s->k[a], s->dilation[a], s->in[a], &k0[a], &k1[a]);
        }
      row_of (s, (const uint8_t *)args[0].data + image * in * s->channels,
              (uint8_t *)args[1].data + (image * out + row * s->out[2]) * s->channels, from, k0, k1);
    }
}

#ifdef PARE_X86
/* A row of windows, 64 channels at a time. */
WIDE static void
max_row_wide (const ParePoolCodes *s, const uint8_t *x, uint8_t *y, const int64_t *from, const int64_t *k0, const int64_t *k1)
{
  __m512i flip = _mm512_set1_epi8 (s->is_signed ? (char)0x80 : 0);
  for (int64_t ox = 0; ox < s->out[2]; ox++, y += s->channels)
    {
      int64_t at = ox * s->stride[2] - s->pad[2], x0 = 0, x1 = s->k[2], step = s->dilation[2] * s->channels;
      if (at < 0 || at + (s->k[2] - 1) * s->dilation[2] >= s->in[2])
        inside (at, s->k[2], s->dilation[2], s->in[2], &x0, &x1);
      for (int64_t c = 0; c < s->channels; c += 64)
        {
          __mmask64 rest = s->channels - c < 64 ? ((__mmask64)1 << (s->channels - c)) - 1 : ~(__mmask64)0;
          __m512i most = _mm512_setzero_si512 ();
          for (int64_t kz = k0[0]; kz < k1[0]; kz++)
            for (int64_t ky = k0[1]; ky < k1[1]; ky++)
              {
                int64_t row = ((from[0] + kz * s->dilation[0]) * s->in[1] + from[1] + ky * s->dilation[1]) * s->in[2] + at;
                const uint8_t *pixel = x + row * s->channels + x0 * step + c;
                for (int64_t kx = x0; kx < x1; kx++, pixel += step)
                  most = _mm512_max_epu8 (most, _mm512_xor_si512 (_mm512_maskz_loadu_epi8 (rest, pixel), flip));
              }
          _mm512_mask_storeu_epi8 (y + c, rest, _mm512_xor_si512 (most, flip));
        }
    }
}

WIDE static void
max_pool_wide (const void *params, const PareView *args, int part, int parts)
{
  pool_body (params, args, part, parts, max_row_wide);
}
#endif

INLINE void
avg_pool_body (const void *params, const PareView *args, int part, int parts)
{
  pool_body (params, args, part, parts, avg_row);
}
VARIANTS (avg_pool)

static void
max_pool_plain (const void *params, const PareView *args, int part, int parts)
{
  pool_body (params, args, part, parts, max_row);
}

PareAccelLoop
pare_accel_loop_max_pool (void)
{
#ifdef PARE_X86
  if (__builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vl"))
    return max_pool_wide;
#endif
  return max_pool_plain;
}

/* One code of each of n operands in turn: a loop of a fixed length, which becomes vectors. */
INLINE void
interleave (uint8_t *restrict y, const PareView *args, uint64_t begin, uint64_t end, const int n)
{
  const uint8_t *x[8];
  for (int i = 0; i < n; i++)
    x[i] = args[i].data;
  for (uint64_t r = begin; r < end; r++)
    for (int i = 0; i < n; i++)
      y[r * (uint64_t)n + (uint64_t)i] = x[i][r];
}

INLINE void
concat_body (const void *params, const PareView *args, int part, int parts)
{
  const PareConcatCodes *s = params;
  uint64_t begin, end;
  int64_t whole = 0, at = 0;
  share ((uint64_t)s->rows, 1, part, parts, &begin, &end);
  bool single = true;
  for (int i = 0; i < s->n; i++)
    {
      whole += s->run[i];
      single = single && s->run[i] == 1;
    }
  if (single && (s->n == 2 || s->n == 4 || s->n == 8))
    {
      uint8_t *y = args[s->n].data;
      if (s->n == 2)
        interleave (y, args, begin, end, 2);
      else if (s->n == 4)
        interleave (y, args, begin, end, 4);
      else
        interleave (y, args, begin, end, 8);
      return;
    }
  for (int i = 0; i < s->n; i++)
    {
      int64_t run = s->run[i];
      const uint8_t *restrict x = (const uint8_t *)args[i].data + (int64_t)begin * run;
      uint8_t *restrict y = (uint8_t *)args[s->n].data + (int64_t)begin * whole + at;
      /* calls for such short copies would take longer than they do */
      if (run % 16 == 0)
        for (uint64_t r = begin; r < end; r++, x += run, y += whole)
          for (int64_t k = 0; k < run; k += 16)
            memcpy (y + k, x + k, 16);
      else if (run == 4)
        for (uint64_t r = begin; r < end; r++, x += 4, y += whole)
          memcpy (y, x, 4);
      else if (run % 8 == 0)
        for (uint64_t r = begin; r < end; r++, x += run, y += whole)
          for (int64_t k = 0; k < run; k += 8)
            memcpy (y + k, x + k, 8);
      else
        for (uint64_t r = begin; r < end; r++, x += run, y += whole)
          memcpy (y, x, (size_t)run);
      at += run;
    }
}
VARIANTS (concat)

static void
lut_plain (const void *params, const PareView *args, int part, int parts)
{
  const PareLutCodes *s = params;
  uint64_t begin, end;
  share (s->n, 64, part, parts, &begin, &end);
  const uint8_t *x = args[0].data, *table = args[1].data;
  uint8_t *y = args[2].data;
  for (uint64_t i = begin; i < end; i++)
    y[i] = table[x[i]];
}

#ifdef PARE_X86
/* The table in four registers. */
__attribute__ ((target ("avx512f,avx512bw,avx512vbmi"))) static void
lut_wide (const void *params, const PareView *args, int part, int parts)
{
  const PareLutCodes *s = params;
  uint64_t begin, end;
  share (s->n, 64, part, parts, &begin, &end);
  const uint8_t *x = args[0].data, *table = args[1].data;
  uint8_t *y = args[2].data;
  __m512i t[4];
  for (int i = 0; i < 4; i++)
    t[i] = _mm512_loadu_si512 (table + i * 64);
  for (uint64_t i = begin; i < end; i += 64)
    {
      __mmask64 rest = end - i < 64 ? ((__mmask64)1 << (end - i)) - 1 : ~(__mmask64)0;
      __m512i v = _mm512_maskz_loadu_epi8 (rest, x + i);
      __m512i low = _mm512_permutex2var_epi8 (t[0], v, t[1]), high = _mm512_permutex2var_epi8 (t[2], v, t[3]);
      _mm512_mask_storeu_epi8 (y + i, rest, _mm512_mask_blend_epi8 (_mm512_movepi8_mask (v), low, high));
    }
}
#endif

PareAccelLoop
pare_accel_loop_lut (void)
{
#ifdef PARE_X86
  if (__builtin_cpu_supports ("avx512bw") && __builtin_cpu_supports ("avx512vbmi"))
    return lut_wide;
#endif
  return lut_plain;
}

static void
activate (const void *params, const PareView *args, int part, int parts)
{
  const PareActivateFloats *s = params;
  uint64_t begin, end;
  share (s->n, 64, part, parts, &begin, &end);
  pare_rt_activate ((float *)args[0].data + begin, (int64_t)(end - begin), s->activation, s->lo, s->hi, s->alpha);
}

PareAccelLoop
pare_accel_loop_activate (void)
{
  return activate;
}
