/* NPZ: PKWARE APPNOTE 6.3, central directory only, methods 0 (stored) and 8 (deflated), ZIP64 sizes. Everything the directory says is
 * checked against the file before it is used. */
#include "engine/dataset/pare-array.h"
#include "engine/base/pare-error.h"

#include <string.h>
#include <zlib.h>

typedef struct
{
  char *name; /* without ".npy" */
  guint16 method, flags;
  guint32 crc;
  guint64 packed, size, offset; /* offset of the local header */
} Member;

static void
member_free (gpointer data)
{
  g_free (((Member *)data)->name);
  g_free (data);
}

static guint32
le (const guint8 *b, int n)
{
  guint32 v = 0;
  for (int i = n - 1; i >= 0; i--)
    v = v << 8 | b[i];
  return v;
}

static guint64
le64 (const guint8 *b)
{
  return le (b, 4) | (guint64)le (b + 4, 4) << 32;
}

static gboolean
damaged (const char *name, const char *why, GError **error)
{
  g_set_error (error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: %s", name, why);
  return FALSE;
}

/* The end record: the last one in the final 64 KiB whose comment ends the file. */
static gboolean
find_directory (const guint8 *b, gsize size, guint64 *start, guint64 *entries)
{
  if (size < 22)
    return FALSE;
  for (gsize at = size - 22;; at--)
    {
      if (le (b + at, 4) == 0x06054b50 && at + 22 + le (b + at + 20, 2) == size)
        {
          *entries = le (b + at + 10, 2);
          *start = le (b + at + 16, 4);
          if ((*entries == 0xffff || *start == 0xffffffff) && at >= 20 && le (b + at - 20, 4) == 0x07064b50)
            {
              guint64 end64 = le64 (b + at - 20 + 8);
              if (end64 > size || size - end64 < 56 || le (b + end64, 4) != 0x06064b50)
                return FALSE;
              *entries = le64 (b + end64 + 32);
              *start = le64 (b + end64 + 48);
            }
          return *start <= size;
        }
      if (at == 0 || size - at > 22 + 65535)
        return FALSE;
    }
}

static void
read_zip64 (Member *m, const guint8 *extra, gsize length)
{
  for (gsize at = 0; at + 4 <= length;)
    {
      gsize part = le (extra + at + 2, 2);
      if (part > length - at - 4)
        return;
      if (le (extra + at, 2) == 1)
        {
          const guint8 *v = extra + at + 4, *end = v + part;
          guint64 *fields[3] = { &m->size, &m->packed, &m->offset };
          for (int i = 0; i < 3; i++)
            if (*fields[i] == 0xffffffff && end - v >= 8)
              {
                *fields[i] = le64 (v);
                v += 8;
              }
        }
      at += 4 + part;
    }
}

static GPtrArray *
read_directory (GBytes *bytes, const char *name, GError **error)
{
  gsize size;
  const guint8 *b = g_bytes_get_data (bytes, &size);
  guint64 start, entries;
  if (!find_directory (b, size, &start, &entries))
    return damaged (name, "not a zip archive (NPZ), or cut off", error), NULL;
  g_autoptr (GPtrArray) members = g_ptr_array_new_with_free_func (member_free);
  gsize at = (gsize)start;
  for (guint64 i = 0; i < entries; i++)
    {
      if (size - at < 46 || le (b + at, 4) != 0x02014b50)
        return damaged (name, "the archive's directory is damaged", error), NULL;
      gsize n = le (b + at + 28, 2), extra = le (b + at + 30, 2), comment = le (b + at + 32, 2);
      if (size - at - 46 < n + extra + comment)
        return damaged (name, "the archive's directory is cut off", error), NULL;
      Member *m = g_new0 (Member, 1);
      g_ptr_array_add (members, m);
      m->flags = (guint16)le (b + at + 8, 2);
      m->method = (guint16)le (b + at + 10, 2);
      m->crc = le (b + at + 16, 4);
      m->packed = le (b + at + 20, 4);
      m->size = le (b + at + 24, 4);
      m->offset = le (b + at + 42, 4);
      m->name = g_strndup ((const char *)b + at + 46, n);
      if (g_str_has_suffix (m->name, ".npy"))
        m->name[strlen (m->name) - 4] = '\0';
      read_zip64 (m, b + at + 46 + n, extra);
      at += 46 + n + extra + comment;
    }
  return g_steal_pointer (&members);
}

static GBytes *
read_member (GBytes *bytes, const Member *m, const char *name, GError **error)
{
  gsize size;
  const guint8 *b = g_bytes_get_data (bytes, &size);
  if (m->flags & 1)
    return damaged (name, "the member is encrypted", error), NULL;
  if (m->offset > size || size - m->offset < 30 || le (b + m->offset, 4) != 0x04034b50)
    return damaged (name, "the member's header is damaged", error), NULL;
  guint64 start = m->offset + 30 + le (b + m->offset + 26, 2) + le (b + m->offset + 28, 2);
  if (start > size || m->packed > size - start)
    return damaged (name, "the member is cut off", error), NULL;
  g_autoptr (GBytes) out = NULL;
  if (m->method == 0 && m->packed == m->size)
    out = g_bytes_new_from_bytes (bytes, (gsize)start, (gsize)m->size);
  else if (m->method == 8 && m->size / 1040 <= m->packed + 1) /* deflate shrinks at most about 1032 times */
    out = pare_inflate (b + start, (gsize)m->packed, -15, (gsize)m->size, name, error);
  else
    return damaged (name, "the member's compression is neither stored nor deflate, or its size is absurd", error), NULL;
  if (out == NULL)
    return NULL;
  if (g_bytes_get_size (out) != m->size)
    return damaged (name, "the member is shorter than it says", error), NULL;
  guint32 crc = (guint32)crc32_z (0, g_bytes_get_data (out, NULL), g_bytes_get_size (out));
  if (crc != m->crc)
    return damaged (name, "the member's checksum is wrong", error), NULL;
  return g_steal_pointer (&out);
}

PareTensor *
pare_npz_parse (GBytes *bytes, const char *name, const char *const *names, GError **error)
{
  g_autoptr (GPtrArray) members = read_directory (bytes, name, error);
  if (members == NULL)
    return NULL;
  for (guint k = 0; names[k] != NULL; k++)
    for (guint i = 0; i < members->len; i++)
      {
        const Member *m = members->pdata[i];
        if (strcmp (names[k], "*") != 0 && strcmp (names[k], m->name) != 0)
          continue;
        g_autofree char *place = g_strdup_printf ("%s:%s", name, m->name);
        g_autoptr (GBytes) plain = read_member (bytes, m, place, error);
        return plain != NULL ? pare_npy_parse (plain, place, error) : NULL;
      }
  g_autofree char *wanted = g_strjoinv (", ", (char **)names);
  g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: no member named %s", name, wanted);
  return NULL;
}

char **
pare_npz_list (GBytes *bytes, const char *name, GError **error)
{
  g_autoptr (GPtrArray) members = read_directory (bytes, name, error);
  if (members == NULL)
    return NULL;
  g_autoptr (GStrvBuilder) list = g_strv_builder_new ();
  for (guint i = 0; i < members->len; i++)
    g_strv_builder_add (list, ((Member *)members->pdata[i])->name);
  return g_strv_builder_end (list);
}

PareTensor *
pare_npz_load (const char *path, const char *const *names, GError **error)
{
  g_autoptr (GBytes) bytes = pare_file_map (path, error);
  return bytes != NULL ? pare_npz_parse (bytes, path, names, error) : NULL;
}
