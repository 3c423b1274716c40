/* Products of two activations of codes, see code-products.h. */
#include "engine/runtime/kernels/code-products.h"
#include "engine/runtime/kernels/int-isa.h"

#define COLUMNS PARE_RT_CODE_COLUMNS

bool
pare_rt_code_products (void)
{
  return strcmp (pare_rt_int_isa ()->name, "vnni") == 0 || pare_rt_int_isa ()->matrix;
}

int64_t
pare_rt_code_pack_bytes (int64_t depth, int64_t columns)
{
  return (columns + COLUMNS - 1) / COLUMNS * ((depth + 3) / 4) * 4 * COLUMNS;
}

/* Four elements of up to COLUMNS columns. */
static void
pack_some (const uint8_t *b, int64_t depth, int64_t columns, int64_t along, int64_t across, uint8_t flip, int8_t *to)
{
  for (int64_t c = 0; c < columns; c++)
    for (int64_t k = 0; k < depth; k++)
      to[4 * c + k] = (int8_t)(b[k * along + c * across] ^ flip);
}

/* The same of whole ones, which lie side by side. */
static inline void
pack_whole (const uint8_t *b, int64_t across, uint8_t flip, int8_t *to)
{
  uint32_t flips = flip * 0x01010101u, four;
  for (int64_t c = 0; c < COLUMNS; c++)
    {
      memcpy (&four, b + c * across, sizeof four);
      four ^= flips;
      memcpy (to + 4 * c, &four, sizeof four);
    }
}

/* The same where columns lie side by side. */
PARE_RT_CLONES static void
pack_lines (const uint8_t *b, int64_t along, uint8_t flip, int8_t *to)
{
  for (int64_t c = 0; c < COLUMNS; c++)
    for (int64_t k = 0; k < 4; k++)
      to[4 * c + k] = (int8_t)(b[k * along + c] ^ flip);
}

PARE_RT_CLONES static void
add_up (const int8_t *packed, int64_t steps, int32_t *sums)
{
  memset (sums, 0, COLUMNS * sizeof *sums);
  for (int64_t s = 0; s < steps; s++, packed += 4 * COLUMNS)
    for (int64_t c = 0; c < COLUMNS; c++)
      sums[c] += packed[4 * c] + packed[4 * c + 1] + packed[4 * c + 2] + packed[4 * c + 3];
}

void
pare_rt_code_pack (const uint8_t *b, int64_t depth, int64_t columns, int64_t along, int64_t across, uint8_t flip, int8_t *to, int32_t *sums)
{
  int64_t steps = (depth + 3) / 4;
  for (int64_t j = 0; j < columns; j += COLUMNS, to += steps * 4 * COLUMNS)
    {
      int64_t some = columns - j < COLUMNS ? columns - j : COLUMNS;
      for (int64_t s = 0; s < steps; s++)
        {
          const uint8_t *from = b + 4 * s * along + j * across;
          int8_t *at = to + s * 4 * COLUMNS;
          if (some == COLUMNS && 4 * s + 4 <= depth && along == 1)
            pack_whole (from, across, flip, at);
          else if (some == COLUMNS && 4 * s + 4 <= depth && across == 1)
            pack_lines (from, along, flip, at);
          else
            {
              memset (at, 0, 4 * COLUMNS);
              pack_some (from, depth - 4 * s < 4 ? depth - 4 * s : 4, some, along, across, flip, at);
            }
        }
      if (sums)
        add_up (to, steps, sums + j);
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define ROWS 8
#define VECTORS 3
#define TARGET __attribute__ ((target ("avx512f,avx512bw,avx512vl,avx512vnni,avx2")))
#define INLINE static inline __attribute__ ((always_inline))

typedef int32_t V512 __attribute__ ((vector_size (64))); /* see int-x86.c */

TARGET INLINE void
store (const PareRtCodeProduct *p, int64_t at, __mmask16 some, V512 sum)
{
  __m512 v = _mm512_mul_ps (_mm512_cvtepi32_ps ((__m512i)sum), _mm512_set1_ps (p->factor));
  if (!p->codes)
    {
      _mm512_mask_storeu_ps ((float *)p->y + at, some, v);
      return;
    }
  v = _mm512_min_ps (_mm512_max_ps (v, _mm512_set1_ps (p->least)), _mm512_set1_ps (p->most));
  _mm512_mask_cvtepi32_storeu_epi8 ((uint8_t *)p->y + at, some, _mm512_add_epi32 (_mm512_cvtps_epi32 (v), _mm512_set1_epi32 (p->zero)));
}

/* Rows r.. by the vectors from `first`. */
TARGET INLINE void
tile (const PareRtCodeProduct *p, int64_t r, int64_t first, const int rows, const int vectors)
{
  V512 sum[ROWS][VECTORS];
  const uint8_t *a = p->a + r * p->lda;
  const int8_t *b = p->b + first * p->apart;
  PARE_UNROLL
  for (int i = 0; i < rows; i++)
    PARE_UNROLL
  for (int v = 0; v < vectors; v++)
    sum[i][v] = (V512)_mm512_set1_epi32 (p->row[r + i])
                + (p->column ? (V512)_mm512_loadu_si512 (p->column + (first + v) * COLUMNS) : (V512){ 0 });
  for (int64_t s = 0; s < p->steps; s++)
    {
      __m512i columns[VECTORS];
      PARE_UNROLL
      for (int v = 0; v < vectors; v++)
        columns[v] = _mm512_loadu_si512 (b + v * p->apart + s * 4 * COLUMNS);
      PARE_UNROLL
      for (int i = 0; i < rows; i++)
        {
          int32_t four;
          memcpy (&four, a + i * p->lda + 4 * s, sizeof four);
          PARE_UNROLL
          for (int v = 0; v < vectors; v++)
            sum[i][v] = (V512)_mm512_dpbusd_epi32 ((__m512i)sum[i][v], _mm512_set1_epi32 (four), columns[v]);
        }
    }
  PARE_UNROLL
  for (int v = 0; v < vectors; v++)
    {
      int64_t left = p->columns - (first + v) * COLUMNS;
      __mmask16 some = left < COLUMNS ? (__mmask16)((1u << left) - 1) : (__mmask16)0xFFFF;
      PARE_UNROLL
      for (int i = 0; i < rows; i++)
        store (p, (r + i) * p->ldy + (first + v) * COLUMNS, some, sum[i][v]);
    }
}

TARGET INLINE void
some_rows (const PareRtCodeProduct *p, int64_t r, const int rows)
{
  int64_t vectors = (p->columns + COLUMNS - 1) / COLUMNS, v = 0;
  for (; v + 3 <= vectors && v + 4 != vectors; v += 3)
    tile (p, r, v, rows, 3);
  for (; v + 2 <= vectors; v += 2)
    tile (p, r, v, rows, 2);
  if (v < vectors)
    tile (p, r, v, rows, 1);
}

TARGET void
pare_rt_code_product (const PareRtCodeProduct *p, int64_t rows)
{
  int64_t r = 0;
  for (; r + 8 <= rows; r += 8)
    some_rows (p, r, 8);
  for (; r + 2 <= rows; r += 2)
    some_rows (p, r, 2);
  if (r < rows)
    some_rows (p, r, 1);
}
#else
void
pare_rt_code_product (const PareRtCodeProduct *p, int64_t rows)
{
}
#endif
