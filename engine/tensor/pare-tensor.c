#include "engine/tensor/pare-tensor.h"
#include "engine/base/pare-error.h"
#include "engine/base/pare-memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *
pare_dtype_name (PareDtype dtype)
{
  switch (dtype)
    {
    case PARE_DTYPE_FLOAT32:
      return "float32";
    case PARE_DTYPE_UINT8:
      return "uint8";
    case PARE_DTYPE_INT8:
      return "int8";
    case PARE_DTYPE_UINT16:
      return "uint16";
    case PARE_DTYPE_INT16:
      return "int16";
    case PARE_DTYPE_INT32:
      return "int32";
    case PARE_DTYPE_INT64:
      return "int64";
    case PARE_DTYPE_STRING:
      return "string";
    case PARE_DTYPE_BOOL:
      return "bool";
    case PARE_DTYPE_FLOAT16:
      return "float16";
    case PARE_DTYPE_FLOAT64:
      return "float64";
    case PARE_DTYPE_UINT32:
      return "uint32";
    case PARE_DTYPE_UINT64:
      return "uint64";
    case PARE_DTYPE_BFLOAT16:
      return "bfloat16";
    case PARE_DTYPE_UINT4:
      return "uint4";
    case PARE_DTYPE_INT4:
      return "int4";
    default:
      return "unknown";
    }
}

PareShape
pare_shape_make (int rank, ...)
{
  PareShape shape = { .rank = rank };
  va_list args;
  va_start (args, rank);
  for (int i = 0; i < rank; i++)
    shape.dims[i] = va_arg (args, gint64);
  va_end (args);
  return shape;
}

gboolean
pare_shape_equal (const PareShape *a, const PareShape *b)
{
  return a->rank == b->rank && (a->rank <= 0 || memcmp (a->dims, b->dims, a->rank * sizeof a->dims[0]) == 0);
}

char *
pare_shape_to_string (const PareShape *shape)
{
  if (shape->rank < 0)
    return g_strdup ("?");
  if (shape->rank == 0)
    return g_strdup ("scalar");
  GString *s = g_string_new (NULL);
  for (int i = 0; i < shape->rank; i++)
    {
      if (i > 0)
        g_string_append (s, "×");
      if (shape->dims[i] < 0)
        g_string_append_c (s, '?');
      else
        g_string_append_printf (s, "%" G_GINT64_FORMAT, (gint64)shape->dims[i]);
    }
  return g_string_free (s, FALSE);
}

float
pare_half_to_float (guint16 h)
{
  guint32 sign = (guint32)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023, bits;
  if (exponent == 0)
    {
      float v = ldexpf ((float)mantissa, -24);
      return sign ? -v : v;
    }
  bits = exponent == 31 ? sign | 0x7f800000 | mantissa << 13 : sign | (exponent + 112) << 23 | mantissa << 13;
  float f;
  memcpy (&f, &bits, sizeof f);
  return f;
}

guint16
pare_float_to_half (float f)
{
  guint32 bits;
  memcpy (&bits, &f, sizeof bits);
  guint32 sign = bits >> 16 & 0x8000, a = bits & 0x7fffffff;
  if (a > 0x7f800000)
    return sign | 0x7e00;
  if (a >= 0x477ff000) /* rounds to beyond 65504 */
    return sign | 0x7c00;
  if (a < 0x38800000) /* subnormal: the scaled value rounds half to even */
    return sign | (guint16)lrintf (ldexpf (fabsf (f), 24));
  guint32 r = a + 0xfff + (a >> 13 & 1);
  return sign | (guint16)((r >> 13) - (112u << 10));
}

static PareTensor *
tensor_alloc (PareDtype dtype, const PareShape *shape, gsize bytes)
{
  PareTensor *self = g_new0 (PareTensor, 1);
  g_atomic_ref_count_init (&self->refs);
  self->dtype = dtype;
  self->shape = *shape;
  self->bytes = bytes;
  return self;
}

static gint64
checked_bytes (PareDtype dtype, const PareShape *shape, GError **error)
{
  gint64 bytes = pare_dtype_bits (dtype) == 0 ? -1 : pare_shape_bytes (shape, dtype);
  if (bytes < 0 || shape->rank > PARE_MAX_RANK)
    {
      g_autofree char *text = pare_shape_to_string (shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "a tensor of %s %s cannot be made", pare_dtype_name (dtype), text);
      return -1;
    }
  return bytes;
}

/* From here on the machine is asked before memory is taken: it would hand it out and fail when it is written. */
#define ASK_FROM (G_GINT64_CONSTANT (64) << 20)

PareTensor *
pare_tensor_new_unset (PareDtype dtype, const PareShape *shape, GError **error)
{
  gint64 bytes = checked_bytes (dtype, shape, error);
  if (bytes < 0)
    return NULL;
  void *data = NULL;
  gsize padded = ((gsize)bytes + 127) / 64 * 64; /* kernels may read up to one cache line past the end */
  if (bytes > (G_GINT64_CONSTANT (1) << 46) || (bytes >= ASK_FROM && (guint64)bytes > pare_memory_available ())
      || posix_memalign (&data, 64, padded) != 0)
    {
      g_autofree char *text = pare_shape_to_string (shape), *size = pare_memory_text ((guint64)bytes);
      g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "no memory for a tensor of %s %s (%s)", pare_dtype_name (dtype), text, size);
      return NULL;
    }
  memset ((char *)data + bytes, 0, padded - (gsize)bytes);
  PareTensor *self = tensor_alloc (dtype, shape, (gsize)bytes);
  self->data = data;
  return self;
}

PareTensor *
pare_tensor_new (PareDtype dtype, const PareShape *shape, GError **error)
{
  PareTensor *self = pare_tensor_new_unset (dtype, shape, error);
  if (self != NULL)
    memset (self->data, 0, self->bytes);
  return self;
}

PareTensor *
pare_tensor_new_from_bytes (PareDtype dtype, const PareShape *shape, GBytes *owner, gsize offset, GError **error)
{
  gint64 bytes = checked_bytes (dtype, shape, error);
  if (bytes < 0)
    return NULL;
  gsize size;
  const guint8 *base = g_bytes_get_data (owner, &size);
  if (offset > size || (gsize)bytes > size - offset)
    {
      g_autofree char *text = pare_shape_to_string (shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s %s needs %" G_GINT64_FORMAT " bytes, %" G_GSIZE_FORMAT " are there",
                   pare_dtype_name (dtype), text, bytes, offset > size ? 0 : size - offset);
      return NULL;
    }
  gsize align = MAX (1, pare_dtype_bits (dtype) / 8);
  if (bytes > 0 && (guintptr)(base + offset) % align == 0)
    {
      PareTensor *self = tensor_alloc (dtype, shape, (gsize)bytes);
      self->owner = g_bytes_ref (owner);
      self->data = (void *)(base + offset);
      return self;
    }
  PareTensor *self = pare_tensor_new_unset (dtype, shape, error);
  if (self != NULL && bytes > 0)
    memcpy (self->data, base + offset, (gsize)bytes);
  return self;
}

PareTensor *
pare_tensor_new_like (const PareTensor *other)
{
  return pare_tensor_new (other->dtype, &other->shape, NULL);
}

PareTensor *
pare_tensor_copy (const PareTensor *self)
{
  PareTensor *copy = pare_tensor_new_unset (self->dtype, &self->shape, NULL);
  if (copy != NULL)
    memcpy (copy->data, self->data, self->bytes);
  return copy;
}

void
pare_tensor_swap_bytes (PareTensor *self)
{
  gsize size = pare_dtype_bits (self->dtype) / 8;
  guint8 *data = self->data;
  for (gsize i = 0; size > 1 && i + size <= self->bytes; i += size)
    for (gsize k = 0; k < size / 2; k++)
      {
        guint8 t = data[i + k];
        data[i + k] = data[i + size - 1 - k];
        data[i + size - 1 - k] = t;
      }
}

PareTensor *
pare_tensor_new_scalar_f32 (float value)
{
  PareShape shape = { .rank = 0 };
  PareTensor *self = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  *(float *)self->data = value;
  return self;
}

PareTensor *
pare_tensor_new_i64 (const gint64 *values, gsize n)
{
  PareShape shape = { .rank = 1, .dims = { (gint64)n } };
  PareTensor *self = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  if (n > 0)
    memcpy (self->data, values, n * sizeof *values);
  return self;
}

PareTensor *
pare_tensor_ref (PareTensor *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_tensor_unref (PareTensor *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->owner != NULL)
    g_bytes_unref (self->owner);
  else
    free (self->data);
  g_free (self);
}

gint64
pare_tensor_count (const PareTensor *self)
{
  return pare_shape_count (&self->shape);
}

PareView
pare_tensor_view (const PareTensor *self)
{
  return (PareView){ self->dtype, self->shape, self->data, NULL };
}

gint64
pare_tensor_get_int (const PareTensor *self, gsize i)
{
  const guint8 *b = self->data;
  switch (self->dtype)
    {
    case PARE_DTYPE_UINT8:
      return b[i];
    case PARE_DTYPE_BOOL:
      return b[i] != 0;
    case PARE_DTYPE_INT8:
      return ((const gint8 *)b)[i];
    case PARE_DTYPE_UINT16:
      return ((const guint16 *)b)[i];
    case PARE_DTYPE_INT16:
      return ((const gint16 *)b)[i];
    case PARE_DTYPE_UINT32:
      return ((const guint32 *)b)[i];
    case PARE_DTYPE_INT32:
      return ((const gint32 *)b)[i];
    case PARE_DTYPE_INT64:
      return ((const gint64 *)b)[i];
    case PARE_DTYPE_UINT64:
      return (gint64)((const guint64 *)b)[i];
    case PARE_DTYPE_UINT4:
      return b[i / 2] >> (i % 2 * 4) & 15;
    case PARE_DTYPE_INT4:
      return ((b[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8;
    case PARE_DTYPE_FLOAT32:
    case PARE_DTYPE_FLOAT64:
    case PARE_DTYPE_FLOAT16:
    case PARE_DTYPE_BFLOAT16:
      {
        double v = pare_tensor_get_double (self, i);
        return v >= 9.2e18 ? G_MAXINT64 : v <= -9.2e18 ? G_MININT64 : isnan (v) ? 0 : (gint64)v;
      }
    default: /* texts, and types that are only carried through */
      return 0;
    }
}

double
pare_tensor_get_double (const PareTensor *self, gsize i)
{
  switch (self->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      return ((const float *)self->data)[i];
    case PARE_DTYPE_FLOAT64:
      return ((const double *)self->data)[i];
    case PARE_DTYPE_FLOAT16:
      return pare_half_to_float (((const guint16 *)self->data)[i]);
    case PARE_DTYPE_BFLOAT16:
      {
        guint32 bits = (guint32)((const guint16 *)self->data)[i] << 16;
        float f;
        memcpy (&f, &bits, sizeof f);
        return f;
      }
    case PARE_DTYPE_UINT64:
      return (double)((const guint64 *)self->data)[i];
    case PARE_DTYPE_STRING:
    case PARE_DTYPE_NONE:
      return 0;
    default:
      return (double)pare_tensor_get_int (self, i);
    }
}

static void
store_int (PareTensor *self, gsize i, double v, double lo, double hi)
{
  double c = isnan (v) ? 0 : CLAMP (nearbyint (v), lo, hi);
  guint8 *b = self->data;
  switch (self->dtype)
    {
    case PARE_DTYPE_UINT8:
      b[i] = (guint8)c;
      break;
    case PARE_DTYPE_INT8:
      ((gint8 *)b)[i] = (gint8)c;
      break;
    case PARE_DTYPE_UINT16:
      ((guint16 *)b)[i] = (guint16)c;
      break;
    case PARE_DTYPE_INT16:
      ((gint16 *)b)[i] = (gint16)c;
      break;
    case PARE_DTYPE_UINT32:
      ((guint32 *)b)[i] = (guint32)c;
      break;
    case PARE_DTYPE_INT32:
      ((gint32 *)b)[i] = (gint32)c;
      break;
    case PARE_DTYPE_UINT4:
    case PARE_DTYPE_INT4:
      {
        guint8 code = (guint8)((int)c & 15), shift = i % 2 * 4;
        b[i / 2] = (guint8)((b[i / 2] & ~(15 << shift)) | code << shift);
        break;
      }
    default:
      break;
    }
}

PareTensor *
pare_tensor_cast (const PareTensor *self, PareDtype dtype, GError **error)
{
  if (dtype == self->dtype)
    return pare_tensor_ref ((PareTensor *)self);
  if (pare_dtype_bits (dtype) == 0 || pare_dtype_bits (self->dtype) == 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_UNSUPPORTED, "no cast from %s to %s", pare_dtype_name (self->dtype),
                   pare_dtype_name (dtype));
      return NULL;
    }
  PareTensor *out = pare_tensor_new (dtype, &self->shape, error);
  if (out == NULL)
    return NULL;
  gsize n = (gsize)pare_tensor_count (self);
  for (gsize i = 0; i < n; i++)
    {
      double v = pare_tensor_get_double (self, i);
      switch (dtype)
        {
        case PARE_DTYPE_FLOAT32:
          ((float *)out->data)[i] = (float)v;
          break;
        case PARE_DTYPE_FLOAT64:
          ((double *)out->data)[i] = v;
          break;
        case PARE_DTYPE_FLOAT16:
          ((guint16 *)out->data)[i] = pare_float_to_half ((float)v);
          break;
        case PARE_DTYPE_BFLOAT16:
          {
            float f = (float)v;
            guint32 bits;
            memcpy (&bits, &f, sizeof bits);
            bits = isnan (f) ? 0x7fc00000 : bits + 0x7fff + (bits >> 16 & 1);
            ((guint16 *)out->data)[i] = (guint16)(bits >> 16);
            break;
          }
        case PARE_DTYPE_BOOL:
          ((guint8 *)out->data)[i] = v != 0;
          break;
        case PARE_DTYPE_INT64:
        case PARE_DTYPE_UINT64:
          ((gint64 *)out->data)[i] = pare_tensor_get_int (self, i);
          break;
        case PARE_DTYPE_UINT8:
          store_int (out, i, v, 0, 255);
          break;
        case PARE_DTYPE_INT8:
          store_int (out, i, v, -128, 127);
          break;
        case PARE_DTYPE_UINT16:
          store_int (out, i, v, 0, 65535);
          break;
        case PARE_DTYPE_INT16:
          store_int (out, i, v, -32768, 32767);
          break;
        case PARE_DTYPE_UINT32:
          store_int (out, i, v, 0, 4294967295.0);
          break;
        case PARE_DTYPE_INT32:
          store_int (out, i, v, -2147483648.0, 2147483647.0);
          break;
        case PARE_DTYPE_UINT4:
          store_int (out, i, v, 0, 15);
          break;
        case PARE_DTYPE_INT4:
          store_int (out, i, v, -8, 7);
          break;
        default:
          break;
        }
    }
  return out;
}

PareTensor *
pare_tensor_reshape (PareTensor *self, const PareShape *shape, GError **error)
{
  if (pare_shape_count (shape) != pare_tensor_count (self))
    {
      g_autofree char *from = pare_shape_to_string (&self->shape), *to = pare_shape_to_string (shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "%s does not reshape to %s", from, to);
      return NULL;
    }
  if (self->owner == NULL)
    {
      PareTensor *out = pare_tensor_new_unset (self->dtype, shape, error);
      if (out != NULL)
        memcpy (out->data, self->data, self->bytes);
      return out;
    }
  PareTensor *out = tensor_alloc (self->dtype, shape, self->bytes);
  out->owner = g_bytes_ref (self->owner);
  out->data = self->data;
  return out;
}
