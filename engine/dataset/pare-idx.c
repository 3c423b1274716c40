/* IDX files: yann.lecun.com/exdb/mnist, "The IDX file format". Two zero bytes, a type, the rank, big-endian extents, then the elements. */
#include "engine/dataset/pare-array.h"
#include "engine/base/pare-error.h"

#include <string.h>
#include <zlib.h>

GBytes *
pare_file_map (const char *path, GError **error)
{
  GError *inner = NULL;
  g_autoptr (GMappedFile) map = g_mapped_file_new (path, FALSE, &inner);
  if (map == NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path, inner->message);
      g_error_free (inner);
      return NULL;
    }
  return g_mapped_file_get_bytes (map);
}

GBytes *
pare_inflate (const guint8 *data, gsize size, int window_bits, gsize limit, const char *name, GError **error)
{
  z_stream z = { .next_in = (Bytef *)data };
  g_autoptr (GByteArray) out = g_byte_array_new ();
  guint8 chunk[65536];
  int status = Z_OK;
  if (inflateInit2 (&z, window_bits) != Z_OK)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: no memory to decompress", name);
      return NULL;
    }
  /* avail_in is 32 bits wide: feed large files in parts. */
  for (gsize left = size; status == Z_OK && out->len <= limit;)
    {
      if (z.avail_in == 0)
        {
          z.avail_in = (uInt)MIN (left, 1u << 30);
          left -= z.avail_in;
          if (z.avail_in == 0)
            break;
        }
      z.next_out = chunk;
      z.avail_out = sizeof chunk;
      status = inflate (&z, Z_NO_FLUSH);
      gsize got = sizeof chunk - z.avail_out;
      if (got > G_MAXUINT32 / 2 - out->len)
        break;
      g_byte_array_append (out, chunk, (guint)got);
    }
  inflateEnd (&z);
  if (status != Z_STREAM_END || out->len > limit)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: %s", name,
                   out->len > limit ? "compressed data is longer than it says" : "compressed data is damaged or cut off");
      return NULL;
    }
  return g_byte_array_free_to_bytes (g_steal_pointer (&out));
}

static guint32
big32 (const guint8 *b)
{
  return (guint32)b[0] << 24 | (guint32)b[1] << 16 | (guint32)b[2] << 8 | b[3];
}

PareTensor *
pare_idx_parse (GBytes *bytes, const char *name, GError **error)
{
  gsize size;
  const guint8 *b = g_bytes_get_data (bytes, &size);
  g_autoptr (GBytes) plain = NULL;
  if (size >= 2 && b[0] == 0x1f && b[1] == 0x8b)
    {
      if ((plain = pare_inflate (b, size, 15 + 16, G_MAXUINT32 / 2, name, error)) == NULL)
        return NULL;
      bytes = plain;
      b = g_bytes_get_data (bytes, &size);
    }
  PareDtype dtype = PARE_DTYPE_NONE;
  if (size >= 4 && b[0] == 0 && b[1] == 0)
    switch (b[2])
      {
      case 0x08:
        dtype = PARE_DTYPE_UINT8;
        break;
      case 0x09:
        dtype = PARE_DTYPE_INT8;
        break;
      case 0x0b:
        dtype = PARE_DTYPE_INT16;
        break;
      case 0x0c:
        dtype = PARE_DTYPE_INT32;
        break;
      case 0x0d:
        dtype = PARE_DTYPE_FLOAT32;
        break;
      case 0x0e:
        dtype = PARE_DTYPE_FLOAT64;
        break;
      default:
        break;
      }
  if (dtype == PARE_DTYPE_NONE)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: not an IDX file", name);
      return NULL;
    }
  PareShape shape = { .rank = b[3] };
  if (shape.rank > PARE_MAX_RANK || size < 4 + 4 * (gsize)shape.rank)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: IDX header is %s", name, shape.rank > PARE_MAX_RANK ? "absurd" : "cut off");
      return NULL;
    }
  for (int i = 0; i < shape.rank; i++)
    shape.dims[i] = big32 (b + 4 + 4 * i);
  gsize start = 4 + 4 * (gsize)shape.rank;
  gint64 want = pare_shape_bytes (&shape, dtype);
  if (want < 0 || (guint64)want != size - start)
    {
      g_autofree char *text = pare_shape_to_string (&shape);
      g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: IDX header says %s of %s, %" G_GSIZE_FORMAT " bytes are there", name,
                   pare_dtype_name (dtype), text, size - start);
      return NULL;
    }
  gsize element = pare_dtype_bits (dtype) / 8;
  if (element == 1)
    return pare_tensor_new_from_bytes (dtype, &shape, bytes, start, error);
  PareTensor *t = pare_tensor_new (dtype, &shape, error);
  if (t != NULL && t->bytes > 0)
    {
      memcpy (t->data, b + start, t->bytes);
      if (G_BYTE_ORDER == G_LITTLE_ENDIAN)
        pare_tensor_swap_bytes (t);
    }
  return t;
}

PareTensor *
pare_idx_load (const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = pare_file_map (path, error);
  return bytes != NULL ? pare_idx_parse (bytes, path, error) : NULL;
}
