#include "engine/onnx/pare-onnx-private.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE (4u << 20)

typedef struct
{
  PareOnnxSource *source;
  const char *name;
  GError **error;
} Context;

static PareTensor *fail (Context *c, PareError code, const char *format, ...) G_GNUC_PRINTF (3, 4);

static PareTensor *
fail (Context *c, PareError code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *reason = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (c->error, PARE_ERROR, code, "%s: tensor '%s': %s", c->source->what, c->name, reason);
  return NULL;
}

/* Names the tensor in an error from below. */
static PareTensor *
named (Context *c, PareTensor *tensor, GError **local)
{
  if (tensor == NULL)
    {
      fail (c, PARE_ERROR_FORMAT, "%s", *local ? (*local)->message : "cannot be read");
      g_clear_error (local);
    }
  return tensor;
}

/* What was read of a mapping need not stay: it comes back from the file when it is read again. Never for memory: it would be emptied. */
static void
forget (const guint8 *from, const guint8 *to)
{
  guintptr page = (guintptr)MAX (sysconf (_SC_PAGESIZE), 4096);
  guintptr first = ((guintptr)from + page - 1) / page * page, last = (guintptr)to / page * page;
  if (last > first)
    madvise ((void *)first, last - first, MADV_DONTNEED);
}

/* Tensors that lie in the file as they are used are borrowed from it. Those that are not aligned (one in four bytes is, in a protobuf) are
 * copied piece by piece; each piece is forgotten, so that a file of 1 GB takes 1 GB and not two. */
static PareTensor *
borrow_or_copy (Context *c, PareDtype dtype, const PareShape *shape, GBytes *owner, gsize offset, gboolean mapped)
{
  GError *local = NULL;
  gsize align = MAX (1, pare_dtype_bits (dtype) / 8), size, bytes = (gsize)MAX (pare_shape_bytes (shape, dtype), 0);
  const guint8 *base = g_bytes_get_data (owner, &size);
  if (bytes < PIECE || (guintptr)(base + offset) % align == 0 || offset > size || bytes > size - offset)
    return named (c, pare_tensor_new_from_bytes (dtype, shape, owner, offset, &local), &local);
  PareTensor *tensor = named (c, pare_tensor_new_unset (dtype, shape, &local), &local);
  for (gsize at = 0; tensor != NULL && at < bytes; at += PIECE)
    {
      gsize n = MIN (PIECE, bytes - at);
      if (pare_control_check (c->source->control, c->error))
        {
          g_clear_pointer (&tensor, pare_tensor_unref);
          break;
        }
      memcpy ((guint8 *)tensor->data + at, base + offset + at, n);
      if (mapped)
        forget (base + offset + at, base + offset + at + n);
    }
  return tensor;
}

static PareTensor *
read_external (Context *c, const Onnx__TensorProto *proto, PareDtype dtype, const PareShape *shape)
{
  const char *location = NULL;
  guint64 offset = 0, length = 0;
  gboolean has_length = FALSE;
  for (gsize i = 0; i < proto->n_external_data; i++)
    {
      const char *key = proto->external_data[i]->key, *value = proto->external_data[i]->value;
      if (key == NULL || value == NULL)
        continue;
      gboolean ok = TRUE;
      if (strcmp (key, "location") == 0)
        location = value;
      else if (strcmp (key, "offset") == 0)
        ok = g_ascii_string_to_unsigned (value, 10, 0, G_MAXINT64, &offset, NULL);
      else if (strcmp (key, "length") == 0)
        ok = has_length = g_ascii_string_to_unsigned (value, 10, 0, G_MAXINT64, &length, NULL);
      if (!ok)
        return fail (c, PARE_ERROR_FORMAT, "external data with %s '%s'", key, value);
    }
  g_autoptr (GBytes) bytes = pare_onnx_external_map (c->source, location, c->name, c->error);
  if (bytes == NULL)
    return NULL;
  gint64 want = pare_shape_bytes (shape, dtype);
  gsize size = g_bytes_get_size (bytes);
  if (want < 0 || (has_length && length != (guint64)want))
    return fail (c, PARE_ERROR_FORMAT, "external data of %" G_GUINT64_FORMAT " bytes where %" G_GINT64_FORMAT " are needed", length, want);
  if (offset > size || (guint64)want > size - offset)
    return fail (c, PARE_ERROR_FORMAT, "external data '%s' ends before byte %" G_GUINT64_FORMAT, location, offset + (guint64)want);
  return borrow_or_copy (c, dtype, shape, bytes, (gsize)offset, TRUE);
}

/* Strings have no fixed size: the tensor keeps the message itself, so that it can be written back. */
static PareTensor *
read_strings (Context *c, const Onnx__TensorProto *proto, const PareShape *shape)
{
  if (pare_shape_count (shape) != (gint64)proto->n_string_data)
    return fail (c, PARE_ERROR_FORMAT, "%" G_GSIZE_FORMAT " strings for its shape", proto->n_string_data);
  gsize size = onnx__tensor_proto__get_packed_size (proto);
  guint8 *data = g_malloc (size + 1);
  onnx__tensor_proto__pack (proto, data);
  PareTensor *tensor = g_new0 (PareTensor, 1);
  g_atomic_ref_count_init (&tensor->refs);
  tensor->dtype = PARE_DTYPE_STRING;
  tensor->shape = *shape;
  tensor->owner = g_bytes_new_take (data, size);
  tensor->data = data;
  tensor->bytes = size;
  return tensor;
}

/* Which typed field holds a dtype, and how many elements of it make one of ours. */
static gboolean
read_typed (Context *c, const Onnx__TensorProto *proto, PareTensor *tensor)
{
  gsize n = (gsize)pare_tensor_count (tensor), have;
  guint8 *b = tensor->data;
  switch (tensor->dtype)
    {
    case PARE_DTYPE_FLOAT32:
      if ((have = proto->n_float_data) == n && n > 0)
        memcpy (b, proto->float_data, n * sizeof (float));
      break;
    case PARE_DTYPE_FLOAT64:
      if ((have = proto->n_double_data) == n && n > 0)
        memcpy (b, proto->double_data, n * sizeof (double));
      break;
    case PARE_DTYPE_INT64:
      if ((have = proto->n_int64_data) == n && n > 0)
        memcpy (b, proto->int64_data, n * sizeof (gint64));
      break;
    case PARE_DTYPE_UINT64:
    case PARE_DTYPE_UINT32:
      have = proto->n_uint64_data;
      for (gsize i = 0; have == n && i < n; i++)
        if (tensor->dtype == PARE_DTYPE_UINT64)
          ((guint64 *)b)[i] = proto->uint64_data[i];
        else
          ((guint32 *)b)[i] = (guint32)proto->uint64_data[i];
      break;
    case PARE_DTYPE_UINT4:
    case PARE_DTYPE_INT4: /* one entry holds two */
      have = proto->n_int32_data;
      n = tensor->bytes;
      for (gsize i = 0; have == n && i < n; i++)
        b[i] = (guint8)proto->int32_data[i];
      break;
    default:
      have = proto->n_int32_data;
      for (gsize i = 0; have == n && i < n; i++)
        switch (pare_dtype_bits (tensor->dtype))
          {
          case 8:
            b[i] = (guint8)(tensor->dtype == PARE_DTYPE_BOOL ? proto->int32_data[i] != 0 : proto->int32_data[i]);
            break;
          case 16:
            ((guint16 *)b)[i] = (guint16)proto->int32_data[i];
            break;
          default:
            ((gint32 *)b)[i] = proto->int32_data[i];
            break;
          }
      break;
    }
  if (have != n)
    {
      fail (c, PARE_ERROR_FORMAT, "%" G_GSIZE_FORMAT " elements where its shape needs %" G_GSIZE_FORMAT, have, n);
      return FALSE;
    }
  return TRUE;
}

PareTensor *
pare_onnx_read_tensor (PareOnnxSource *source, const Onnx__TensorProto *proto, const char *name, GError **error)
{
  Context context = { source, name ? name : "", error }, *c = &context;
  PareDtype dtype = (PareDtype)(proto->has_data_type ? proto->data_type : 0);
  if (pare_dtype_bits (dtype) == 0 && dtype != PARE_DTYPE_STRING)
    return fail (c, PARE_ERROR_UNSUPPORTED, "elements of type %d are not supported", (int)dtype);
  if (proto->n_dims > PARE_MAX_RANK)
    return fail (c, PARE_ERROR_UNSUPPORTED, "%" G_GSIZE_FORMAT " dimensions, at most %d are supported", proto->n_dims, PARE_MAX_RANK);
  if (proto->segment != NULL)
    return fail (c, PARE_ERROR_UNSUPPORTED, "split into segments");
  PareShape shape = { .rank = (int)proto->n_dims };
  for (int i = 0; i < shape.rank; i++)
    {
      shape.dims[i] = proto->dims[i];
      if (shape.dims[i] < 0)
        return fail (c, PARE_ERROR_FORMAT, "dimension %d is %" G_GINT64_FORMAT, i, (gint64)shape.dims[i]);
    }
  gint64 count = pare_shape_count (&shape), bytes = pare_shape_bytes (&shape, dtype);
  if (count < 0 || bytes < 0)
    return fail (c, PARE_ERROR_FORMAT, "its dimensions are beyond any memory");
  if (dtype == PARE_DTYPE_STRING)
    return read_strings (c, proto, &shape);
  if (proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
    return read_external (c, proto, dtype, &shape);
  GError *local = NULL;
  if (proto->has_raw_data && proto->raw_data.len == 2 * sizeof (guint64))
    {
      guint64 token[2];
      memcpy (token, proto->raw_data.data, sizeof token);
      if (token[1] != (guint64)bytes && !(token[1] == 0 && proto->n_float_data + proto->n_int32_data + proto->n_int64_data > 0))
        return fail (c, PARE_ERROR_FORMAT, "%" G_GUINT64_FORMAT " bytes of data where its shape needs %" G_GINT64_FORMAT, token[1], bytes);
      if (token[1] == (guint64)bytes)
        return borrow_or_copy (c, dtype, &shape, source->bytes, (gsize)token[0], source->mapped);
    }
  /* Checked before memory is taken: an entry of any typed field is at least one byte of the file. */
  gsize entries = proto->n_float_data + proto->n_int32_data + proto->n_int64_data + proto->n_double_data + proto->n_uint64_data;
  if ((guint64)(pare_dtype_bits (dtype) == 4 ? bytes : count) != entries)
    return fail (c, PARE_ERROR_FORMAT, "%" G_GSIZE_FORMAT " elements where its shape needs %" G_GINT64_FORMAT, entries, count);
  PareTensor *tensor = named (c, pare_tensor_new (dtype, &shape, &local), &local);
  if (tensor != NULL && !read_typed (c, proto, tensor))
    g_clear_pointer (&tensor, pare_tensor_unref);
  return tensor;
}
