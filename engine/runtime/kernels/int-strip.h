/* A strip: rows of input channels with their padding written out, so that unfolding and taps are plain loads. Rows and columns that a
 * stride takes apart lie in phases of their own: what one tap reads of a row is then contiguous, whatever the stride. */
#pragma once
#include "engine/runtime/kernels/conv.h"

typedef struct
{
  int64_t rows, columns; /* of the padded input the output rows look at */
  int64_t phases_y, phases_x;
  int64_t pitch, phase, plane; /* bytes from a row of a phase to the next, of a phase, of a channel */
} PareIntStrip;

#define PARE_STRIP_SLACK 512 /* readable bytes behind the last plane */

/* For `out_rows` rows of output. rows_apart: rows in phases too (else as they follow each other). columns_apart: columns (else rows are of
 * even pitch). FALSE: absurdly large. */
bool pare_rt_int_strip (const ConvGeometry *g, int64_t out_rows, bool rows_apart, bool columns_apart, PareIntStrip *s);
/* Channels x[0..n) (planes of the input, which ends at `end`) for output rows from r0 on; padding is `zero`. */
void pare_rt_int_strip_fill (const PareIntStrip *s, const ConvGeometry *g, int64_t r0, const uint8_t *x, const uint8_t *end, int64_t n,
                             uint8_t zero, uint8_t *to);

/* Where a kernel position begins in a plane. */
static inline int64_t
int_strip_tap (const PareIntStrip *s, const ConvGeometry *g, int64_t ky, int64_t kx)
{
  int64_t y = ky * g->dil[1], x = kx * g->dil[2];
  return (y % s->phases_y * s->phases_x + x % s->phases_x) * s->phase + y / s->phases_y * s->pitch + x / s->phases_x;
}
