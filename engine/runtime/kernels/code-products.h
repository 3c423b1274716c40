/* Products of two activations of codes, as attention makes them, where the CPU multiplies four codes at once and sums them in 32 bits
 * (AVX-512 VNNI). One operand's rows are codes without a sign and lie as they are, the other one is packed with one. Sums wrap, so that
 * they are right wherever what they come to fits 32 bits. */
#pragma once
#include "engine/runtime/kernels/kernel.h"

#define PARE_RT_CODE_COLUMNS 16 /* of a vector */

typedef struct
{
  const uint8_t *a; /* row r at a + r * lda: 4 * steps codes, of which those beyond the depth count for nothing */
  int64_t lda, steps;
  const int32_t *row; /* what the sums of a row and those of a column start from, together; column: whole vectors, NULL: 0 */
  const int32_t *column;
  const int8_t *b; /* packed; vectors of columns are `apart` bytes from each other */
  int64_t apart, columns;
  /* What becomes of a sum: times the factor, then floats, or codes: rounded half to even between the bounds, and zero is added. */
  bool codes;
  float factor, least, most;
  int32_t zero;
  void *y; /* row r at element r * ldy; exactly `columns` of each are written */
  int64_t ldy;
} PareRtCodeProduct;

/* This CPU has them, and they are not switched off (pare_rt_int_limit). */
bool pare_rt_code_products (void);
/* Bytes of b [depth][columns] when it is packed; from one vector of columns to the next if columns are as many. */
int64_t pare_rt_code_pack_bytes (int64_t depth, int64_t columns);
/* Element (k, column) at b + k * along + column * across; flip: what makes a byte one with a sign. sums: NULL, or of each
 * column; whole vectors. */
void pare_rt_code_pack (const uint8_t *b, int64_t depth, int64_t columns, int64_t along, int64_t across, uint8_t flip, int8_t *to,
                        int32_t *sums);
void pare_rt_code_product (const PareRtCodeProduct *p, int64_t rows);
