/* What the two kernels of attention share: operands named by their axes, and which positions a mask hides. attention-operands.c */
#pragma once
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  const void *data;
  int64_t dim[4], stride[4]; /* batch, head, row, element */
} PareRtAttended;

typedef struct
{
  PareRtAttended q, k, v, y, mask; /* mask.data NULL: none */
  int64_t key_heads, value_heads;  /* as many as q has, or one */
} PareRtAttention;

/* Reads and checks what both have in common; types are checked by the caller. mask: may be NULL. */
PareRtStatus pare_rt_attention_read (const PareAttentionParams *p, const PareView *q, const PareView *k, const PareView *v,
                                     const PareView *mask, const PareView *y, PareRtAttention *a);

/* Positions of each row until the last whose mask is more than `hidden`, in seen[rows]; all where the last of these is less than `least`,
 * or there is none. FALSE: no row has less than all, or the mask is not the same for all batches and heads. */
bool pare_rt_attention_seen (const PareRtAttention *a, float hidden, float least, int32_t *seen);

static inline int64_t
attended_at (const PareRtAttended *o, int64_t batch, int64_t head, int64_t row)
{
  return batch * o->stride[0] + head * o->stride[1] + row * o->stride[2];
}
