/* Moving elements between boxes of memory; the base of the kernels that only rearrange. */
#pragma once
#include "engine/runtime/kernels/kernel.h"

/* Row-major strides of `s` in bytes for elements of `size` bytes. */
void pare_rt_strides (const PareShape *s, int64_t size, int64_t *strides);
/* Byte strides of `s` over the axes of `out`, 0 where it is broadcast. false: it does not broadcast to `out`. */
bool pare_rt_broadcast_strides (const PareShape *s, const PareShape *out, int64_t size, int64_t *strides);
/* Copies elements of `size` (1, 2, 4, 8 or 16) bytes between two boxes of the same extents; strides in bytes, of `from` also 0 or negative.
 * rank <= 2 * PARE_MAX_RANK. */
void pare_rt_move (int rank, const int64_t *dims, const void *from, const int64_t *from_strides, void *to, const int64_t *to_strides,
                   int64_t size);
/* to[0..n) = the element at `value` */
void pare_rt_fill (void *to, int64_t n, const void *value, int64_t size);
