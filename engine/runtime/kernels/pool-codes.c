/* Pools on codes of 8 bits: the largest of a window, and the mean laid on another grid. */
#include "engine/runtime/kernels/int-isa.h"
#include "engine/runtime/kernels/integer.h"
#include "engine/runtime/kernels/pool.h"

typedef struct
{
  const PareQAvgPoolParams *p; /* NULL: the largest */
  const PoolGeometry *g;
  const PareView *x, *y;
  int64_t planes; /* of a task */
} Job;

/* Kernel positions of an axis that lie inside, for a window that starts at `from`. */
static void
inside (int64_t from, int64_t k, int64_t dil, int64_t extent, int64_t *k0, int64_t *k1)
{
  *k0 = from >= 0 ? 0 : (-from + dil - 1) / dil;
  *k1 = extent <= from ? 0 : (extent - from + dil - 1) / dil;
  *k1 = *k1 < k ? *k1 : k;
}

/* What the mean is divided by. */
static int64_t
divisor (const Job *j, const int64_t *from, int64_t seen)
{
  int64_t n = 1;
  if (!j->p->pool.count_include_pad)
    return seen;
  for (int i = 0; i < 3; i++)
    {
      int64_t k0, k1;
      inside (from[i], j->g->k[i], j->g->dil[i], j->g->in[i] + j->g->pad_end[i], &k0, &k1);
      n *= k1; /* padding in front counts */
    }
  return n;
}

/* The sum of a window in the order in which ONNX Runtime adds it: of means between two codes its last bit decides. */
static float
float_sum (const Job *j, const uint8_t *x, const int64_t *from, const int64_t *k0, const int64_t *k1)
{
  const PoolGeometry *g = j->g;
  bool is_signed = j->x->dtype == PARE_DTYPE_INT8;
  float sum = 0;
  for (int64_t kz = k0[0]; kz < k1[0]; kz++)
    for (int64_t ky = k0[1]; ky < k1[1]; ky++)
      for (int64_t kx = k0[2]; kx < k1[2]; kx++)
        {
          uint8_t code = x[((from[0] + kz * g->dil[0]) * g->in[1] + from[1] + ky * g->dil[1]) * g->in[2] + from[2] + kx * g->dil[2]];
          sum += (float)((is_signed ? (int8_t)code : code) - j->p->zero_x) * j->p->scale_x;
        }
  return sum;
}

static uint8_t
float_code (const PareQAvgPoolParams *p, float sum, int64_t n)
{
  float v = n > 0 ? sum / (float)n / p->scale_y + (float)p->zero_y : (float)p->zero_y;
  return (uint8_t)round_plain (clamp_plain (v, (float)p->lo, (float)p->hi));
}

/* The definition: any shape. */
static void
plane_loop (const Job *j, int64_t plane)
{
  const PoolGeometry *g = j->g;
  bool is_signed = j->x->dtype == PARE_DTYPE_INT8;
  const uint8_t *x = (const uint8_t *)j->x->data + plane * g->in[0] * g->in[1] * g->in[2];
  uint8_t *y = (uint8_t *)j->y->data + plane * g->out[0] * g->out[1] * g->out[2], flip = is_signed ? 0x80 : 0;
  for (int64_t oz = 0; oz < g->out[0]; oz++)
    for (int64_t oy = 0; oy < g->out[1]; oy++)
      for (int64_t ox = 0; ox < g->out[2]; ox++)
        {
          int64_t from[3] = { oz * g->stride[0] - g->pad[0], oy * g->stride[1] - g->pad[1], ox * g->stride[2] - g->pad[2] }, k0[3], k1[3];
          int32_t best = 0, sum = 0; /* signed codes are moved up by 128, so that bytes compare as they should */
          for (int i = 0; i < 3; i++)
            inside (from[i], g->k[i], g->dil[i], g->in[i], &k0[i], &k1[i]);
          for (int64_t kz = k0[0]; kz < k1[0]; kz++)
            for (int64_t ky = k0[1]; ky < k1[1]; ky++)
              {
                const uint8_t *row = x + ((from[0] + kz * g->dil[0]) * g->in[1] + from[1] + ky * g->dil[1]) * g->in[2] + from[2];
                for (int64_t kx = k0[2]; kx < k1[2]; kx++)
                  {
                    int32_t code = (uint8_t)(row[kx * g->dil[2]] ^ flip);
                    best = code > best ? code : best;
                    sum += code;
                  }
              }
          if (!j->p)
            {
              *y++ = (uint8_t)(best ^ flip);
              continue;
            }
          int64_t seen = (k1[0] - k0[0]) * (k1[1] - k0[1]) * (k1[2] - k0[2]);
          seen = k1[0] > k0[0] && k1[1] > k0[1] && k1[2] > k0[2] ? seen : 0;
          int64_t n = divisor (j, from, seen);
          if (j->p->floats)
            {
              *y++ = float_code (j->p, float_sum (j, x, from, k0, k1), n);
              continue;
            }
          float v = n > 0 ? (float)(sum - (int32_t)seen * (flip + j->p->zero_x)) * (j->p->scale_x / (j->p->scale_y * (float)n)) : 0;
          *y++ = (uint8_t)round_code (v, j->p->zero_y, j->p->lo, j->p->hi);
        }
}

/* --- in rows: the rows of a window come together in one line, then the columns of windows --- */

#define MOST_COLUMNS 2048 /* of a padded row */
#define MOST_ROWS 256     /* of a window: their sum fits 16 bits */

static bool
in_rows (const PoolGeometry *g)
{
  return g->in[0] == 1 && g->k[0] == 1 && g->pad[0] == 0 && g->pad[2] >= 0 && g->pad_end[0] == 0 && g->k[1] <= MOST_ROWS
         && g->stride[2] <= MOST_COLUMNS && g->out[2] <= MOST_COLUMNS && g->dil[2] <= MOST_COLUMNS && g->k[2] <= MOST_COLUMNS
         && g->pad[2] <= MOST_COLUMNS && (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] < MOST_COLUMNS
         && g->in[2] + g->pad[2] <= MOST_COLUMNS;
}

/* Lines are computed in whole vectors, so that no loop ends with single bytes: those of the largest codes have room for one more. */
#define VECTOR 32

static int64_t
whole_vectors (int64_t n)
{
  return (n + VECTOR - 1) / VECTOR * VECTOR;
}

PARE_RT_CLONES static void
raise_line (uint8_t *line, const uint8_t *row, int64_t n, uint8_t flip)
{
  for (int64_t i = 0; i < n; i++)
    {
      uint8_t v = row[i] ^ flip;
      line[i] = v > line[i] ? v : line[i];
    }
}

PARE_RT_CLONES static void
add_line (uint16_t *line, const uint8_t *row, int64_t n, uint8_t flip)
{
  for (int64_t i = 0; i < n; i++)
    line[i] += row[i] ^ flip;
}

/* The largest of each window of a line: of those at every column first, of which `step` then leaves some. line: as many bytes as all
 * windows see, in whole vectors, and one vector more. */
PARE_RT_CLONES static void
largest_of_windows (uint8_t *y, const uint8_t *line, int64_t n, int64_t k, int64_t step, int64_t dil, uint8_t flip)
{
  uint8_t all[MOST_COLUMNS + VECTOR], some[MOST_COLUMNS + VECTOR], *from = step == 1 ? all : some;
  int64_t columns = whole_vectors ((n - 1) * step + 1);
  for (int64_t i = 0; i < columns; i++)
    all[i] = line[i];
  for (int64_t q = 1; q < k; q++)
    raise_line (all, line + q * dil, columns, 0);
  if (step == 2)
    for (int64_t i = 0; i < columns / 2; i++)
      some[i] = all[2 * i];
  else if (step > 2)
    for (int64_t i = 0; i < n; i++)
      some[i] = all[i * step];
  for (int64_t i = 0; i < columns && flip; i++)
    from[i] ^= flip;
  memcpy (y, from, n);
}

PARE_RT_CLONES static void
mean_of_windows (uint8_t *y, const uint16_t *line, const float *factor, int32_t zeros, int64_t n, const PoolGeometry *g,
                 const PareQAvgPoolParams *p)
{
  int32_t sum[MOST_COLUMNS];
  int64_t k = g->k[2], step = g->stride[2], dil = g->dil[2];
  for (int64_t i = 0; i < n; i++)
    sum[i] = -zeros;
  for (int64_t q = 0; q < k; q++, line += dil)
    if (step == 1)
      for (int64_t i = 0; i < n; i++)
        sum[i] += line[i];
    else
      for (int64_t i = 0; i < n; i++)
        sum[i] += line[i * step];
  int32_t zero = p->zero_y;
  float lo = (float)(p->lo - zero), hi = (float)(p->hi - zero);
  for (int64_t i = 0; i < n; i++)
    y[i] = (uint8_t)(round_plain (clamp_plain ((float)sum[i] * factor[i], lo, hi)) + zero);
}

/* The windows of a row, whose kernel rows are lines of floats: sums lie beside one another, each in its window's order. */
PARE_RT_CLONES static void
add_windows (float *sum, const float *line, int64_t n, const PoolGeometry *g)
{
  int64_t step = g->stride[2];
  for (int64_t q = 0; q < g->k[2]; q++, line += g->dil[2])
    if (step == 1)
      for (int64_t i = 0; i < n; i++)
        sum[i] += line[i];
    else
      for (int64_t i = 0; i < n; i++)
        sum[i] += line[i * step];
}

PARE_RT_CLONES static void
floats_of (float *line, const uint8_t *row, int64_t n, uint8_t flip, const PareQAvgPoolParams *p)
{
  int32_t zero = p->zero_x + flip;
  float scale = p->scale_x;
  for (int64_t i = 0; i < n; i++)
    line[i] = (float)((int32_t)(row[i] ^ flip) - zero) * scale;
}

PARE_RT_CLONES static void
codes_of_sums (uint8_t *y, const float *sum, const float *count, int64_t n, const PareQAvgPoolParams *p)
{
  float scale = p->scale_y, zero = (float)p->zero_y, lo = (float)p->lo, hi = (float)p->hi;
  for (int64_t i = 0; i < n; i++)
    y[i] = (uint8_t)round_plain (clamp_plain (sum[i] / count[i] / scale + zero, lo, hi));
}

/* What the sums of a row of windows are divided by; 0 where a window sees nothing. */
static void
counts (const Job *j, int64_t oy, float *count)
{
  const PoolGeometry *g = j->g;
  for (int64_t ox = 0; ox < g->out[2]; ox++)
    {
      int64_t from[3] = { 0, oy * g->stride[1] - g->pad[1], ox * g->stride[2] - g->pad[2] }, n = 1;
      for (int i = 1; i < 3; i++)
        {
          int64_t k0, k1;
          inside (from[i], g->k[i], g->dil[i], g->in[i], &k0, &k1);
          n *= k1 > k0 ? k1 - k0 : 0;
        }
      count[ox] = (float)divisor (j, from, n);
    }
}

/* scale_x / (scale_y * n) for the windows of a row; 0 where a window sees nothing. */
static void
factors (const Job *j, int64_t oy, float *factor)
{
  counts (j, oy, factor);
  for (int64_t ox = 0; ox < j->g->out[2]; ox++)
    factor[ox] = factor[ox] > 0 ? j->p->scale_x / (j->p->scale_y * factor[ox]) : 0;
}

/* As plane_in_rows, for means that are sums of floats. Padding adds zeros, which change no sum. */
static void
plane_in_floats (const Job *j, int64_t plane)
{
  const PoolGeometry *g = j->g;
  uint8_t flip = j->x->dtype == PARE_DTYPE_INT8 ? 0x80 : 0;
  float line[MOST_COLUMNS] = { 0 }, sum[MOST_COLUMNS], count[MOST_COLUMNS];
  int64_t columns = (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] + 1;
  int64_t used = columns - g->pad[2] < g->in[2] ? columns - g->pad[2] : g->in[2];
  const uint8_t *x = (const uint8_t *)j->x->data + plane * g->in[1] * g->in[2];
  uint8_t *y = (uint8_t *)j->y->data + plane * g->out[1] * g->out[2];
  for (int64_t oy = 0; oy < g->out[1]; oy++, y += g->out[2])
    {
      int64_t from = oy * g->stride[1] - g->pad[1], k0, k1;
      inside (from, g->k[1], g->dil[1], g->in[1], &k0, &k1);
      memset (sum, 0, (size_t)g->out[2] * sizeof *sum);
      for (int64_t ky = k0; ky < k1 && used > 0; ky++)
        {
          floats_of (line + g->pad[2], x + (from + ky * g->dil[1]) * g->in[2], used, flip, j->p);
          add_windows (sum, line, g->out[2], g);
        }
      counts (j, oy, count);
      for (int64_t ox = 0; ox < g->out[2]; ox++) /* a window that sees nothing has no sum either */
        count[ox] = count[ox] > 0 ? count[ox] : 1;
      codes_of_sums (y, sum, count, g->out[2], j->p);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__ ((target ("avx512f,avx512bw,avx512vl")))
#define AT_A_TIME 8       /* rows of the output: what was written last is slow to read */
#define LINE_COLUMNS 1024 /* of a padded row */

static bool
has_lanes (void)
{
  return pare_rt_int_isa ()->lanes == 16;
}

static bool
in_lanes (const Job *j)
{
  const PoolGeometry *g = j->g;
  return !j->p && in_rows (g) && g->stride[2] <= 2 && (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] < LINE_COLUMNS
         && g->in[2] + g->pad[2] <= LINE_COLUMNS && has_lanes ();
}

static inline __mmask64
first_of (int64_t n)
{
  return n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

/* The largest of each column of the windows. */
AVX512 static void
raise_rows (const PoolGeometry *g, const uint8_t *x, int64_t oy, uint8_t *line, __m512i flip)
{
  int64_t from = oy * g->stride[1] - g->pad[1], k0, k1, width = g->in[2], next = g->dil[1] * width;
  inside (from, g->k[1], g->dil[1], g->in[1], &k0, &k1);
  x += (from + k0 * g->dil[1]) * width;
  for (int64_t i = 0; i < width; i += 64)
    {
      __mmask64 some = first_of (width - i);
      __m512i v = _mm512_setzero_si512 ();
      const uint8_t *row = x + i;
      for (int64_t ky = k0; ky < k1; ky++, row += next)
        v = _mm512_max_epu8 (v, _mm512_xor_si512 (_mm512_maskz_loadu_epi8 (some, row), flip));
      _mm512_mask_storeu_epi8 (line + i, some, v);
    }
}

/* Of the windows of a row: at every column, of which every second one may be left out. */
AVX512 static void
largest_in_lanes (const PoolGeometry *g, const uint8_t *line, uint8_t *y, __m512i flip)
{
  int64_t n = g->out[2], k = g->k[2], dil = g->dil[2], step = g->stride[2], each = 64 / step;
  for (int64_t i = 0; i < n; i += each)
    {
      const uint8_t *from = line + i * step;
      __m512i v = _mm512_loadu_si512 (from);
      for (int64_t kx = 1; kx < k; kx++)
        v = _mm512_max_epu8 (v, _mm512_loadu_si512 (from + kx * dil));
      v = _mm512_xor_si512 (v, flip);
      if (step == 1)
        _mm512_mask_storeu_epi8 (y + i, first_of (n - i), v);
      else
        _mm256_mask_storeu_epi8 (y + i, (__mmask32)first_of (n - i), _mm512_cvtepi16_epi8 (v));
    }
}

AVX512 static void
plane_in_lanes (const Job *j, int64_t plane)
{
  const PoolGeometry *g = j->g;
  uint8_t lines[AT_A_TIME][LINE_COLUMNS + 128];
  __m512i flip = _mm512_set1_epi8 (j->x->dtype == PARE_DTYPE_INT8 ? -128 : 0);
  const uint8_t *x = (const uint8_t *)j->x->data + plane * g->in[1] * g->in[2];
  uint8_t *y = (uint8_t *)j->y->data + plane * g->out[1] * g->out[2];
  int64_t columns = (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] + 1;
  columns = columns > g->pad[2] + g->in[2] ? columns : g->pad[2] + g->in[2];
  for (int r = 0; r < AT_A_TIME; r++)
    memset (lines[r], 0, (size_t)columns + 128);
  for (int64_t oy = 0; oy < g->out[1]; oy += AT_A_TIME)
    {
      int64_t some = g->out[1] - oy < AT_A_TIME ? g->out[1] - oy : AT_A_TIME;
      for (int64_t r = 0; r < some; r++)
        raise_rows (g, x, oy + r, lines[r] + g->pad[2], flip);
      for (int64_t r = 0; r < some; r++)
        largest_in_lanes (g, lines[r], y + (oy + r) * g->out[2], flip);
    }
}
#else
static bool
has_lanes (void)
{
  return false;
}

static bool
in_lanes (const Job *j)
{
  return false;
}

static void
plane_in_lanes (const Job *j, int64_t plane)
{
}
#endif

static void
plane_in_rows (const Job *j, int64_t plane)
{
  const PoolGeometry *g = j->g;
  uint8_t flip = j->x->dtype == PARE_DTYPE_INT8 ? 0x80 : 0, largest[MOST_COLUMNS + 2 * VECTOR];
  uint16_t sum[MOST_COLUMNS], zero = j->p ? (uint16_t)(flip + j->p->zero_x) : 0;
  float factor[MOST_COLUMNS];
  int64_t columns = (g->out[2] - 1) * g->stride[2] + (g->k[2] - 1) * g->dil[2] + 1;
  int64_t used = columns - g->pad[2] < g->in[2] ? columns - g->pad[2] : g->in[2], last_k0 = -1, last_k1 = -1;
  const uint8_t *x = (const uint8_t *)j->x->data + plane * g->in[1] * g->in[2], *end = (const uint8_t *)j->x->data + count_of (j->x);
  uint8_t *y = (uint8_t *)j->y->data + plane * g->out[1] * g->out[2];
  for (int64_t oy = 0; oy < g->out[1]; oy++, y += g->out[2])
    {
      int64_t from = oy * g->stride[1] - g->pad[1], k0, k1;
      inside (from, g->k[1], g->dil[1], g->in[1], &k0, &k1);
      if (!j->p)
        {
          memset (largest, 0, whole_vectors (columns) + VECTOR);
          for (int64_t ky = k0; ky < k1 && used > 0; ky++)
            {
              const uint8_t *row = x + (from + ky * g->dil[1]) * g->in[2];
              raise_line (largest + g->pad[2], row, end - row >= whole_vectors (used) ? whole_vectors (used) : used, flip);
            }
          memset (largest + g->pad[2] + (used > 0 ? used : 0), 0, VECTOR); /* what follows the row in memory is not seen */
          largest_of_windows (y, largest, g->out[2], g->k[2], g->stride[2], g->dil[2], flip);
          continue;
        }
      /* padding counts as zero_x in the sums, so that the same is taken off everywhere */
      int64_t seen = k1 > k0 ? k1 - k0 : 0;
      for (int64_t i = 0; i < columns; i++)
        sum[i] = (uint16_t)((i < g->pad[2] || i >= g->pad[2] + used ? g->k[1] : g->k[1] - seen) * zero);
      for (int64_t ky = k0; ky < k1 && used > 0; ky++)
        add_line (sum + g->pad[2], x + (from + ky * g->dil[1]) * g->in[2], used, flip);
      if (k0 != last_k0 || k1 != last_k1 || j->p->pool.count_include_pad)
        factors (j, oy, factor);
      last_k0 = k0;
      last_k1 = k1;
      mean_of_windows (y, sum, factor, (int32_t)(g->k[1] * g->k[2] * zero), g->out[2], g, j->p);
    }
}

/* --- one window of whole rows: mostly the plane --- */

PARE_RT_CLONES static uint32_t
sum_of (const uint8_t *x, int64_t n, uint8_t flip)
{
  uint32_t sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += x[i] ^ flip;
  return sum;
}

#if defined(__x86_64__)
AVX512 static uint32_t
sum_in_lanes (const uint8_t *x, int64_t n, uint8_t flip)
{
  __m512i sum = _mm512_setzero_si512 (), flips = _mm512_set1_epi8 ((char)flip);
  for (int64_t i = 0; i < n; i += 64)
    {
      __mmask64 some = first_of (n - i);
      __m512i v = _mm512_xor_si512 (_mm512_maskz_loadu_epi8 (some, x + i), _mm512_maskz_mov_epi8 (some, flips));
      sum = _mm512_add_epi64 (sum, _mm512_sad_epu8 (v, _mm512_setzero_si512 ()));
    }
  return (uint32_t)_mm512_reduce_add_epi64 (sum);
}
#else
static uint32_t
sum_in_lanes (const uint8_t *x, int64_t n, uint8_t flip)
{
  return sum_of (x, n, flip);
}
#endif

static bool
is_one_run (const PoolGeometry *g)
{
  bool one = g->k[2] == g->in[2] && (g->k[1] == g->in[1] || g->k[0] == 1);
  for (int i = 0; i < 3; i++)
    one = one && g->out[i] == 1 && g->pad[i] == 0 && g->k[i] <= g->in[i] && (g->k[i] == 1 || g->dil[i] == 1);
  return one;
}

static void
mean_of_run (const Job *j, int64_t plane)
{
  int64_t n = j->g->k[0] * j->g->k[1] * j->g->k[2];
  uint8_t flip = j->x->dtype == PARE_DTYPE_INT8 ? 0x80 : 0;
  const uint8_t *x = (const uint8_t *)j->x->data + plane * j->g->in[0] * j->g->in[1] * j->g->in[2];
  int32_t sum = (int32_t)(has_lanes () ? sum_in_lanes (x, n, flip) : sum_of (x, n, flip)) - (int32_t)n * (flip + j->p->zero_x);
  ((uint8_t *)j->y->data)[plane]
      = (uint8_t)round_code ((float)sum * (j->p->scale_x / (j->p->scale_y * (float)n)), j->p->zero_y, j->p->lo, j->p->hi);
}

#define WIDE 16

typedef uint8_t Codes __attribute__ ((vector_size (WIDE)));

/* Rows become columns: four times, what is half of all apart comes to lie side by side. */
static void
turn (Codes *v)
{
  for (int round = 0; round < 4; round++)
    {
      Codes t[WIDE];
      for (int i = 0; i < WIDE / 2; i++)
        {
          Codes a = v[i], b = v[i + WIDE / 2];
          t[2 * i] = __builtin_shufflevector (a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
          t[2 * i + 1] = __builtin_shufflevector (a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
      memcpy (v, t, sizeof t);
    }
}

/* Adds positions, of each the codes of WIDE planes side by side, to the planes' sums. */
PARE_RT_CLONES static void
add_turned (float *sum, const Codes *turned, int64_t n, uint8_t flip, const PareQAvgPoolParams *p)
{
  int32_t zero = p->zero_x + flip;
  float scale = p->scale_x, acc[WIDE];
  memcpy (acc, sum, sizeof acc);
  for (int64_t i = 0; i < n; i++)
    for (int l = 0; l < WIDE; l++)
      acc[l] += (float)((int32_t)(turned[i][l] ^ flip) - zero) * scale;
  memcpy (sum, acc, sizeof acc);
}

/* Means of whole planes as sums of floats, up to WIDE planes beside each other: each is added in its own order, one after the other. */
static void
means_of_runs (const Job *j, int64_t plane, int64_t planes)
{
  const PoolGeometry *g = j->g;
  int64_t n = g->k[0] * g->k[1] * g->k[2], apart = g->in[0] * g->in[1] * g->in[2];
  uint8_t flip = j->x->dtype == PARE_DTYPE_INT8 ? 0x80 : 0;
  const uint8_t *x = (const uint8_t *)j->x->data + plane * apart;
  float sum[WIDE] = { 0 };
  Codes block[WIDE] = { { 0 } };
  for (int64_t i = 0; i < n; i += WIDE)
    {
      int64_t m = n - i < WIDE ? n - i : WIDE;
      for (int64_t l = 0; l < planes; l++)
        memcpy (&block[l], x + l * apart + i, (size_t)m);
      turn (block);
      add_turned (sum, block, m, flip, j->p);
    }
  for (int64_t l = 0; l < planes; l++)
    ((uint8_t *)j->y->data)[plane + l] = float_code (j->p, sum[l], n);
}

#define TASK_CODES 16384 /* of the input */

static void
planes_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t from = task * j->planes, end = from + j->planes < j->g->planes ? from + j->planes : j->g->planes;
  if (j->p && j->p->floats && is_one_run (j->g))
    {
      for (int64_t plane = from; plane < end; plane += WIDE)
        means_of_runs (j, plane, end - plane < WIDE ? end - plane : WIDE);
      return;
    }
  for (int64_t plane = from; plane < end; plane++)
    if (j->p && !j->p->floats && is_one_run (j->g))
      mean_of_run (j, plane);
    else if (j->p && j->p->floats && in_rows (j->g))
      plane_in_floats (j, plane);
    else if (in_lanes (j))
      plane_in_lanes (j, plane);
    else if (in_rows (j->g))
      plane_in_rows (j, plane);
    else
      plane_loop (j, plane);
}

static void
run (const PareQAvgPoolParams *p, const PoolGeometry *g, const PareView *x, const PareView *y)
{
  int64_t in_plane = g->in[0] * g->in[1] * g->in[2], planes = in_plane > 0 ? TASK_CODES / in_plane : 1;
  Job job = { p, g, x, y, planes > 0 ? planes : 1 };
  if (count_of (y) > 0)
    pare_rt_parallel ((g->planes + job.planes - 1) / job.planes, planes_task, &job);
}

void
pare_rt_max_pool_codes (const PoolGeometry *g, const PareView *x, PareView *y)
{
  run (NULL, g, x, y);
}

KERNEL (pare_rt_k_qavg_pool)
{
  const PareQAvgPoolParams *p = params;
  PoolGeometry g;
  REQUIRE (p && n_in == 1 && n_out == 1 && pare_rt_pool_geometry (&p->pool, &in[0], &out[0], &g));
  SUPPORT (is_codes (&in[0]) && is_codes (&out[0]));
  REQUIRE (fits_codes (&in[0], p->zero_x, p->zero_x) && fits_codes (&out[0], p->lo, p->hi) && p->scale_y > 0);
  for (int i = 0; i < 3; i++)
    REQUIRE (g.k[i] <= 1 << 20 && g.k[0] * g.k[1] * g.k[2] <= 1 << 22);
  CHECKED;
  run (p, &g, &in[0], &out[0]);
  return PARE_RT_OK;
}
