/* The input of a convolution on codes, laid so that windows are read where they lie: for each k_step channels and each column of the kernel
 * a band, which holds for every row of the input that column's codes of all positions of an output row, one behind the other. A position of
 * the output is then the same distance from where any row of the kernel begins in a band, whatever the rows' width; rows that a stride
 * takes apart lie in phases of their own. Unfolding would lay every row of the kernel anew. */
#pragma once
#include "engine/runtime/kernels/conv.h"
#include "engine/runtime/kernels/int-isa.h"

typedef struct
{
  const ConvGeometry *g;
  const PareIntIsa *isa;
  int64_t channels, parts;             /* of a group; k_step of them each */
  int64_t rows, phases, rows_of_phase; /* of output; of the input's rows; rows in each */
  int64_t band, raw;                   /* bytes: of a band; of the columns of k_step channels before they are shifted */
} PareIntBands;

/* For `rows` rows of output. FALSE: absurdly large. */
bool pare_rt_int_bands (const ConvGeometry *g, const PareIntIsa *isa, int64_t rows, PareIntBands *b);
/* Of all bands, and what tiles read behind them. */
int64_t pare_rt_int_bands_bytes (const PareIntBands *b);
/* next[s]: bytes from where step s reads to where step s + 1 does; parts * kernel entries. Steps go through the rows of the kernel, then
 * its columns, then the channels. */
void pare_rt_int_bands_steps (const PareIntBands *b, int64_t *next);
/* x: a group's channels. For `rows` rows of output from r0 on. raw: b->raw bytes. */
void pare_rt_int_bands_fill (const PareIntBands *b, int64_t r0, int64_t rows, const uint8_t *x, uint8_t zero_x, PareIntCodes codes,
                             uint8_t *raw, uint8_t *to);
