/* Weights of QConv and QGemm as tiles read them: blocks of `wide` rows, in each the steps of the sum, in those the rows, k_step codes of
 * each. Packed they keep their 8, 4 or 2 bits, so that no more memory is read than the model has; a block is brought to the width of the
 * multiplier beside its use. */
#pragma once
#include "engine/runtime/kernels/int-isa.h"

/* What a matrix unit sums up: runs over the columns of the kernel (or over its positions), in each lines of four channels that lie the
 * same distance apart, cut into pieces of `depth` lines. The last piece of a run is filled up with zeros. */
typedef struct
{
  int64_t channels, height, width; /* of the kernel */
  bool columns;                    /* a run goes through all rows of a column of the kernel */
  int64_t lines, pieces, depth;    /* of a run */
} PareIntOrder;

typedef struct
{
  const PareIntIsa *isa;
  const PareView *view;      /* of the model */
  const PareIntOrder *order; /* NULL: steps are of the set's k_step and follow the view's order; else they are pieces */
  int wide;                  /* rows of a block */
  int64_t k, steps;
  int64_t groups, rows;         /* of a group: its last block is filled up with zeros */
  int64_t row_stride, k_stride; /* in the view, in elements */
  int32_t fold;                 /* sums start at -fold times the sum of the row */
  int64_t kernel[2];            /* 0, or bands (qconv-bands.h): its rows and columns, which steps go through before the next k_step channels */
  bool moved;                   /* weights of 16 bits that lie as bytes, those of each row less an offset */
} PareIntWeights;

/* Bytes of all blocks packed; 0: not worth it. */
uint64_t pare_rt_int_packed_bytes (const PareIntWeights *w);
void pare_rt_int_pack (const PareIntWeights *w, void *packed);
/* Whether they can be moved for a set of 8 bits: no row spans more, and sums stay within 32. Reads all of them. */
bool pare_rt_int_can_move (const PareIntWeights *w);
/* Whether they were when they were packed for this set. */
bool pare_rt_int_packed_moved (const PareView *view, const PareIntIsa *isa);
/* Block `block` of group `group` in the multiplier's width, where its sums start, and where they were moved the offset that each column's
 * sum is still to be multiplied by (wide entries each). room: pare_rt_int_block_room() bytes, used where the block does not lie ready. */
const uint8_t *pare_rt_int_block (const PareIntWeights *w, int64_t group, int64_t block, void *room, int32_t *init, int32_t *offset);
uint64_t pare_rt_int_block_room (const PareIntWeights *w);
/* Whether blocks lie ready: packed for this use, in the multiplier's width. */
bool pare_rt_int_is_ready (const PareIntWeights *w);

static inline int
int_step (const PareIntWeights *w)
{
  return w->order ? (int)w->order->depth * 4 : w->isa->k_step;
}

static inline int64_t
int_blocks (const PareIntWeights *w)
{
  return (w->rows + w->wide - 1) / w->wide;
}
