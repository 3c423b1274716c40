/* What the two kernels of attention share: operands named by their axes, which positions a mask hides (attention-operands.c), and how the
 * work is cut into tasks (attention-tasks.c). */
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

/* Reads and checks what both have in common, among it that nothing is empty; types are checked by the caller. mask: may be NULL. */
PareRtStatus pare_rt_attention_read (const PareAttentionParams *p, const PareView *q, const PareView *k, const PareView *v,
                                     const PareView *mask, const PareView *y, PareRtAttention *a);

/* A mask of PARE_RT_HIDDEN or less makes a weight of exactly 0 beside one of PARE_RT_SEEN or more, if scores are not too large. */
#define PARE_RT_HIDDEN -1e8f
#define PARE_RT_SEEN -1e6f

/* Positions of each row until the last whose mask is more than PARE_RT_HIDDEN, in seen[rows]; all where the last of these is less than
 * PARE_RT_SEEN, or there is none. FALSE: no row has less than all, or the mask is not the same for all batches and heads. */
bool pare_rt_attention_seen (const PareRtAttention *a, int32_t *seen);

/* Keys and values are packed once for each head; then tasks of a few rows of q keep their scores in the cache. */
typedef struct
{
  int64_t rows, blocks, wide;                    /* rows of q in a task, tasks of a head; floats of a row of scores */
  uint64_t key_bytes, value_bytes, worker_bytes; /* of a packed head; a worker's memory, which the kernel sets */
  char *keys, *values, *workers;
  int32_t *seen; /* [rows of q]: positions that a row looks at; NULL: all */
} PareRtAttentionTasks;

/* At most `rows` rows in a task, whose scores take at most `bytes`, but 8 of them. */
PareRtAttentionTasks pare_rt_attention_tasks (const PareRtAttention *a, int64_t rows, int64_t bytes);
/* Bytes of everything that the tasks keep, a multiple of 64; sets the places if there is memory. */
uint64_t pare_rt_attention_place (const PareRtAttention *a, PareRtAttentionTasks *tasks, char *memory);
/* Packs all heads of keys, then of values (a task each), then attends: task = head of q * blocks + block. Shared among threads if it pays.
 */
void pare_rt_attention_run (const PareRtAttention *a, const PareRtAttentionTasks *tasks, PareRtTask pack, PareRtTask attend, void *job);

static inline uint64_t
attention_round_up (uint64_t bytes)
{
  return (bytes + 63) / 64 * 64;
}

static inline int64_t
attended_at (const PareRtAttended *o, int64_t batch, int64_t head, int64_t row)
{
  return batch * o->stride[0] + head * o->stride[1] + row * o->stride[2];
}
