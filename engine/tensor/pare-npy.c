/* NPY, format 1.0 to 3.0: numpy/lib/format.py. */
#include "engine/tensor/pare-tensor.h"
#include "engine/base/pare-error.h"

#include <stdio.h>
#include <string.h>

static const struct
{
  const char *descr;
  PareDtype dtype;
} descrs[] = {
  { "<f4", PARE_DTYPE_FLOAT32 }, { "<f8", PARE_DTYPE_FLOAT64 }, { "<f2", PARE_DTYPE_FLOAT16 }, { "|u1", PARE_DTYPE_UINT8 },
  { "|i1", PARE_DTYPE_INT8 },    { "<u2", PARE_DTYPE_UINT16 },  { "<i2", PARE_DTYPE_INT16 },   { "<u4", PARE_DTYPE_UINT32 },
  { "<i4", PARE_DTYPE_INT32 },   { "<u8", PARE_DTYPE_UINT64 },  { "<i8", PARE_DTYPE_INT64 },   { "|b1", PARE_DTYPE_BOOL },
};

static gboolean
refuse (GError **error, const char *name, const char *why)
{
  g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: %s", name, why);
  return FALSE;
}

/* The text after 'key': in the header dictionary, or NULL. */
static const char *
find_key (const char *header, const char *key)
{
  g_autofree char *single = g_strdup_printf ("'%s':", key), *twice = g_strdup_printf ("\"%s\":", key);
  const char *at = strstr (header, single);
  if (at == NULL)
    at = strstr (header, twice);
  if (at == NULL)
    return NULL;
  at += strlen (single);
  while (*at == ' ')
    at++;
  return at;
}

static gboolean
parse_shape (const char *at, PareShape *shape)
{
  shape->rank = 0;
  if (at == NULL || *at != '(')
    return FALSE;
  for (at++; *at != ')';)
    {
      if (!g_ascii_isdigit (*at) || shape->rank == PARE_MAX_RANK)
        return FALSE;
      char *end;
      guint64 v = g_ascii_strtoull (at, &end, 10);
      if (v > G_MAXINT64 / 2)
        return FALSE;
      shape->dims[shape->rank++] = (gint64)v;
      at = end + (*end == 'L');
      while (*at == ' ' || *at == ',')
        at++;
      if (*at == '\0')
        return FALSE;
    }
  return TRUE;
}

static PareTensor *
from_fortran (PareTensor *t)
{
  int rank = t->shape.rank;
  PareTensor *out = pare_tensor_new_like (t);
  gsize size = pare_dtype_bits (t->dtype) / 8, n = (gsize)pare_tensor_count (t);
  gint64 index[PARE_MAX_RANK] = { 0 };
  for (gsize i = 0; out != NULL && i < n; i++)
    {
      gsize from = 0, step = 1;
      for (int d = 0; d < rank; d++)
        {
          from += (gsize)index[d] * step;
          step *= (gsize)t->shape.dims[d];
        }
      memcpy ((char *)out->data + i * size, (char *)t->data + from * size, size);
      for (int d = rank - 1; d >= 0 && ++index[d] == t->shape.dims[d]; d--)
        index[d] = 0;
    }
  pare_tensor_unref (t);
  return out;
}

/* (transfer full) Takes `t`, which may lie in a file. */
static PareTensor *
from_big_endian (PareTensor *t)
{
  PareTensor *out = pare_tensor_copy (t);
  if (out != NULL)
    pare_tensor_swap_bytes (out);
  pare_tensor_unref (t);
  return out;
}

PareTensor *
pare_npy_parse (GBytes *bytes, const char *name, GError **error)
{
  gsize size;
  const guint8 *b = g_bytes_get_data (bytes, &size);
  if (size < 10 || memcmp (b, "\x93NUMPY", 6) != 0)
    return refuse (error, name, "not an NPY file"), NULL;
  gsize start = b[6] >= 2 ? 12 : 10;
  if (b[6] < 1 || b[6] > 3 || size < start)
    return refuse (error, name, "NPY version is not 1, 2 or 3"), NULL;
  gsize length = b[6] >= 2 ? (gsize)b[8] | (gsize)b[9] << 8 | (gsize)b[10] << 16 | (gsize)b[11] << 24 : (gsize)b[8] | (gsize)b[9] << 8;
  if (length > size - start)
    return refuse (error, name, "NPY header is cut off"), NULL;
  g_autofree char *header = g_strndup ((const char *)b + start, length);
  const char *descr = find_key (header, "descr"), *order = find_key (header, "fortran_order");
  PareShape shape;
  PareDtype dtype = PARE_DTYPE_NONE;
  if (descr != NULL && (*descr == '\'' || *descr == '"') && descr[1] != '\0' && strchr ("<>|", descr[1]) != NULL)
    for (guint i = 0; i < G_N_ELEMENTS (descrs); i++)
      if (strncmp (descr + 2, descrs[i].descr + 1, 2) == 0 && (descr[1] != '|' || descrs[i].descr[0] == '|'))
        dtype = descrs[i].dtype;
  if (dtype == PARE_DTYPE_NONE)
    return refuse (error, name, "NPY element type is not supported (numbers of 8 to 64 bits and bool are)"), NULL;
  if (!parse_shape (find_key (header, "shape"), &shape))
    return refuse (error, name, "NPY shape cannot be read"), NULL;
  if (pare_shape_bytes (&shape, dtype) < 0)
    return refuse (error, name, "NPY shape is absurd"), NULL;
  GError *inner = NULL;
  PareTensor *t = pare_tensor_new_from_bytes (dtype, &shape, bytes, start + length, &inner);
  if (t == NULL)
    {
      g_propagate_prefixed_error (error, inner, "%s: ", name);
      return NULL;
    }
  if (descr[1] == '>')
    t = from_big_endian (t);
  if (t != NULL && order != NULL && g_str_has_prefix (order, "True") && shape.rank > 1)
    t = from_fortran (t);
  if (t == NULL)
    g_set_error (error, PARE_ERROR, PARE_ERROR_MEMORY, "%s: no memory to bring its numbers in order", name);
  return t;
}

PareTensor *
pare_npy_load (const char *path, GError **error)
{
  GError *inner = NULL;
  g_autoptr (GMappedFile) map = g_mapped_file_new (path, FALSE, &inner);
  if (map == NULL)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path, inner->message);
      g_error_free (inner);
      return NULL;
    }
  g_autoptr (GBytes) bytes = g_mapped_file_get_bytes (map);
  return pare_npy_parse (bytes, path, error);
}

gboolean
pare_npy_save (const char *path, const PareTensor *tensor, GError **error)
{
  const char *descr = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (descrs); i++)
    if (descrs[i].dtype == tensor->dtype)
      descr = descrs[i].descr;
  if (descr == NULL)
    return refuse (error, path, "NPY cannot hold this element type");
  g_autoptr (GString) dict = g_string_new (NULL);
  g_string_append_printf (dict, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (int i = 0; i < tensor->shape.rank; i++)
    g_string_append_printf (dict, "%" G_GINT64_FORMAT ",", (gint64)tensor->shape.dims[i]);
  g_string_append (dict, "), }");
  while ((10 + dict->len + 1) % 64 != 0)
    g_string_append_c (dict, ' ');
  g_string_append_c (dict, '\n');
  g_autoptr (GByteArray) out = g_byte_array_sized_new ((guint)(10 + dict->len + tensor->bytes));
  const guint8 head[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (guint8)dict->len, (guint8)(dict->len >> 8) };
  g_byte_array_append (out, head, sizeof head);
  g_byte_array_append (out, (const guint8 *)dict->str, (guint)dict->len);
  g_byte_array_append (out, tensor->data, (guint)tensor->bytes);
  GError *inner = NULL;
  if (!g_file_set_contents (path, (const char *)out->data, (gssize)out->len, &inner))
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_FILE, "%s: %s", path, inner->message);
      g_error_free (inner);
      return FALSE;
    }
  return TRUE;
}
