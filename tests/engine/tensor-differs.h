/* What a test computed beside what a file says it should be. */
#pragma once
#include "engine/tensor/pare-tensor.h"

#include <math.h>
#include <string.h>

static inline double
element (const PareView *v, gint64 i)
{
  switch (v->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      return ((const float *)v->data)[i];
    case PARE_DTYPE_FLOAT64:
      return ((const double *)v->data)[i];
    case PARE_DTYPE_FLOAT16:
      return pare_half_to_float (((const guint16 *)v->data)[i]);
    case PARE_DTYPE_BFLOAT16:
      {
        guint32 bits = (guint32)((const guint16 *)v->data)[i] << 16;
        float f;
        memcpy (&f, &bits, sizeof f);
        return f;
      }
    case PARE_DTYPE_INT64:
      return (double)((const gint64 *)v->data)[i];
    case PARE_DTYPE_UINT64:
      return (double)((const guint64 *)v->data)[i];
    case PARE_DTYPE_INT32:
      return ((const gint32 *)v->data)[i];
    case PARE_DTYPE_UINT32:
      return ((const guint32 *)v->data)[i];
    case PARE_DTYPE_INT16:
      return ((const gint16 *)v->data)[i];
    case PARE_DTYPE_UINT16:
      return ((const guint16 *)v->data)[i];
    case PARE_DTYPE_INT8:
      return ((const gint8 *)v->data)[i];
    case PARE_DTYPE_INT4:
    case PARE_DTYPE_UINT4:
      {
        int code = ((const guint8 *)v->data)[i / 2] >> (i % 2 * 4) & 15;
        return v->dtype == PARE_DTYPE_INT4 && code > 7 ? code - 16 : code;
      }
    default:
      return ((const guint8 *)v->data)[i];
    }
}

/* As ONNX's own runner compares, relative 1e-3, or absolute. NULL, or (transfer full) what differs. */
static inline char *
differs (const PareView *got, const PareTensor *want, double absolute)
{
  /* the files write bfloat16 as 16-bit integers of the same bits */
  gboolean brain = got->dtype == PARE_DTYPE_BFLOAT16 && want->dtype == PARE_DTYPE_UINT16;
  if (got->dtype != want->dtype && !brain)
    return g_strdup_printf ("%s, not %s", pare_dtype_name (got->dtype), pare_dtype_name (want->dtype));
  gboolean same = got->shape.rank == want->shape.rank;
  for (int i = 0; same && i < want->shape.rank; i++)
    same = got->shape.dims[i] == want->shape.dims[i];
  if (!same)
    return g_strdup ("another shape");
  PareView expected = pare_tensor_view (want);
  expected.dtype = got->dtype;
  for (gint64 i = 0; i < pare_tensor_count (want); i++)
    {
      double a = element (got, i), b = element (&expected, i);
      if (!(isnan (a) && isnan (b)) && !(fabs (a - b) <= absolute + 1e-3 * fabs (b)) && a != b)
        return g_strdup_printf ("element %" G_GINT64_FORMAT " is %g, not %g", i, a, b);
    }
  return NULL;
}
