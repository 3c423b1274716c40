#pragma once
#include <glib.h>
#include "engine/runtime/pare-rt-types.h"

/* An immutable-once-shared, 64-byte aligned, typed, row-major tensor of rank 0..8; reference counted (atomic). */
typedef struct
{
  gatomicrefcount refs;
  PareDtype dtype;
  PareShape shape;
  gsize bytes;
  void *data;    /* owned unless owner is set */
  GBytes *owner; /* (nullable): memory-mapped or shared storage that data points into */
} PareTensor;

/* Zero-filled; NULL and PARE_ERROR_MEMORY/SHAPE when the size overflows or is beyond what can be had. */
PareTensor *pare_tensor_new (PareDtype dtype, const PareShape *shape, GError **error);
/* The same, its elements not set: all of them are to be written. */
PareTensor *pare_tensor_new_unset (PareDtype dtype, const PareShape *shape, GError **error);
/* Borrows bytes of `owner` at `offset` when aligned for the dtype, copies otherwise. */
PareTensor *pare_tensor_new_from_bytes (PareDtype dtype, const PareShape *shape, GBytes *owner, gsize offset, GError **error);
PareTensor *pare_tensor_new_like (const PareTensor *other); /* zero-filled, same dtype and shape */
PareTensor *pare_tensor_copy (const PareTensor *self);
void pare_tensor_swap_bytes (PareTensor *self); /* of each element, in place: between big-endian and little-endian */
PareTensor *pare_tensor_new_scalar_f32 (float value);
PareTensor *pare_tensor_new_i64 (const gint64 *values, gsize n); /* rank 1 */
PareTensor *pare_tensor_ref (PareTensor *self);
void pare_tensor_unref (PareTensor *self);
gint64 pare_tensor_count (const PareTensor *self);
PareView pare_tensor_view (const PareTensor *self);
/* Element i as double / gint64, any numeric dtype (4-bit, fp16, bf16 too). */
double pare_tensor_get_double (const PareTensor *self, gsize i);
gint64 pare_tensor_get_int (const PareTensor *self, gsize i);
/* (transfer full): the same values as another dtype, round-half-even and clamped for integers. */
PareTensor *pare_tensor_cast (const PareTensor *self, PareDtype dtype, GError **error);
/* (transfer full): the same bytes under another shape of as many elements. */
PareTensor *pare_tensor_reshape (PareTensor *self, const PareShape *shape, GError **error);
const char *pare_dtype_name (PareDtype dtype);       /* "float32", ... */
char *pare_shape_to_string (const PareShape *shape); /* "1×3×224×224", "?" where unknown */
PareShape pare_shape_make (int rank, ...);           /* gint64 arguments */
gboolean pare_shape_equal (const PareShape *a, const PareShape *b);
float pare_half_to_float (guint16 h);
guint16 pare_float_to_half (float f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareTensor, pare_tensor_unref)

/* NPY files (version 1..3, little endian, C order; Fortran order is transposed). Every length is checked before memory is taken. */
PareTensor *pare_npy_load (const char *path, GError **error);
PareTensor *pare_npy_parse (GBytes *bytes, const char *name, GError **error);
gboolean pare_npy_save (const char *path, const PareTensor *tensor, GError **error);
