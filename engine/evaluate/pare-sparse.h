/* Floats of which many are zero, as what a ReLU leaves: half of the memory, and of the time that memory takes. */
#pragma once
#include <glib.h>

/* Room that pare_sparse_pack() needs for n floats. */
gsize pare_sparse_most (gsize n);
/* For each 16 floats a mask of those that are not zero (bit for bit: -0 and NAN are kept as they are), then these. out: room for
 * pare_sparse_most (n). Returns the bytes that it takes. */
gsize pare_sparse_pack (const float *x, gsize n, guint8 *out);
/* The n floats back, bit for bit. packed need not be aligned. */
void pare_sparse_unpack (const guint8 *packed, gsize n, float *x);
