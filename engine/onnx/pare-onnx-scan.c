/* Walks the wire format with protobuf-c's own descriptors before protobuf-c does: it recurses without a limit and trusts lengths to fit the
 * stack. */
#include "engine/onnx/pare-onnx-private.h"

#include <string.h>

/* A message of two bytes becomes a structure of some hundred: more of them than this is not a model. */
#define MAX_MESSAGES (8u << 20)

typedef struct
{
  const guint8 *base;
  const char *what;
  guint messages;
  GByteArray *functions;
  GError **error;
} Scan;

static gboolean
refuse (Scan *s, gsize at, const char *reason)
{
  if (s->error != NULL && *s->error == NULL)
    g_set_error (s->error, PARE_ERROR, PARE_ERROR_FORMAT, "%s: not a valid ONNX file: %s (byte %" G_GSIZE_FORMAT ")", s->what, reason, at);
  return FALSE;
}

static gboolean
get_varint (const guint8 *base, gsize *at, gsize end, guint64 *value)
{
  guint64 v = 0;
  for (int shift = 0; shift < 64; shift += 7)
    {
      if (*at >= end)
        return FALSE;
      guint8 b = base[(*at)++];
      v |= (guint64)(b & 127) << shift;
      if (b < 128)
        {
          *value = v;
          return TRUE;
        }
    }
  return FALSE;
}

static void
put_varint (GByteArray *out, guint64 v)
{
  guint8 b[10];
  guint n = 0;
  do
    {
      b[n++] = (guint8)((v & 127) | (v > 127 ? 128 : 0));
      v >>= 7;
    }
  while (v != 0);
  g_byte_array_append (out, b, n);
}

/* What is left of a file without its tensors: beyond this it is not a model that could be handled (GByteArray ends at 4 GB, and aborts). */
#define MAX_SKELETON (1u << 30)

static gboolean
put_bytes (Scan *s, GByteArray *out, gsize at, const guint8 *from, gsize n)
{
  if (n > MAX_SKELETON - MIN (out->len, MAX_SKELETON))
    return refuse (s, at, "more than 1 GB of it is not raw tensor data");
  g_byte_array_append (out, from, (guint)n);
  return TRUE;
}

/* Elements of a TensorProto that are written one by one as float_data (4) or double_data (10) lie there as raw_data would, when they are
 * packed, in one run, and the tensor's type is theirs. Returns that field's number, 0: none. */
static guint
plain_elements (const Scan *s, gsize at, gsize end)
{
  guint64 dtype = 0, tag, value = 0;
  guint runs[2] = { 0, 0 };
  gboolean fine = TRUE;
  while (at < end && get_varint (s->base, &at, end, &tag))
    {
      guint64 field = tag >> 3;
      gsize body = at;
      if ((tag & 7) == 0 || (tag & 7) == 2)
        {
          if (!get_varint (s->base, &at, end, &value))
            return 0;
          body = at;
        }
      gsize n = (tag & 7) == 2 ? value : (tag & 7) == 1 ? 8 : (tag & 7) == 5 ? 4 : 0;
      if ((tag & 7) == 3 || (tag & 7) == 4 || n > end - body)
        return 0;
      at = body + n;
      if (field == 2 && (tag & 7) == 0)
        dtype = value;
      if (field == 4 || field == 10)
        {
          runs[field == 10]++;
          fine &= (tag & 7) == 2 && n % (field == 4 ? 4 : 8) == 0;
        }
      fine &= field != 9;
    }
  return !fine ? 0 : dtype == 1 && runs[0] == 1 && runs[1] == 0 ? 4 : dtype == 11 && runs[1] == 1 && runs[0] == 0 ? 10 : 0;
}

/* keep: the bytes are copied as they are (attribute kinds that are not modelled are written back later). */
static gboolean
scan_message (Scan *s, const ProtobufCMessageDescriptor *d, gsize at, gsize end, int depth, gboolean keep, GByteArray *out)
{
  if (depth > PARE_ONNX_MAX_DEPTH)
    return refuse (s, at, "nested too deep");
  if (++s->messages > MAX_MESSAGES)
    return refuse (s, at, "too many parts");
  guint64 seen = 0;
  guint plain = !keep && d == &onnx__tensor_proto__descriptor ? plain_elements (s, at, end) : 0;
  while (at < end)
    {
      gsize start = at;
      guint64 tag, value;
      if (!get_varint (s->base, &at, end, &tag) || tag >> 3 == 0 || tag >> 3 >= 1u << 29)
        return refuse (s, start, "damaged field");
      gsize body = at;
      switch (tag & 7)
        {
        case 0:
          if (!get_varint (s->base, &at, end, &value))
            return refuse (s, start, "damaged number");
          break;
        case 1:
        case 5:
          at += (tag & 7) == 1 ? 8 : 4;
          if (at > end)
            return refuse (s, start, "the file ends in the middle of a number");
          break;
        case 2:
          if (!get_varint (s->base, &at, end, &value))
            return refuse (s, start, "damaged length");
          if (value > end - at)
            return refuse (s, start, "a part is longer than what holds it (cut off?)");
          body = at;
          at += value;
          break;
        default:
          return refuse (s, start, "unknown kind of field");
        }
      const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field (d, (unsigned)(tag >> 3));
      /* defaults of a function's attributes, which older schemas do not know */
      if (field == NULL && d == &onnx__function_proto__descriptor && tag == (11 << 3 | 2))
        {
          g_autoptr (GByteArray) inner = g_byte_array_new ();
          if (!scan_message (s, &onnx__attribute_proto__descriptor, body, at, depth + 1, FALSE, inner))
            return FALSE;
          put_varint (out, tag);
          put_varint (out, inner->len);
          if (!put_bytes (s, out, start, inner->data, inner->len))
            return FALSE;
        }
      if (field == NULL)
        continue;
      if (d == &onnx__model_proto__descriptor && field->id == 25 && !put_bytes (s, s->functions, start, s->base + start, at - start))
        return FALSE;
      gboolean is_message = field->type == PROTOBUF_C_TYPE_MESSAGE;
      gboolean is_text = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES;
      if ((is_message || is_text) && (tag & 7) != 2)
        return refuse (s, start, "a field is of the wrong kind");
      if (strcmp (field->name, "doc_string") == 0)
        continue;
      if (is_message)
        {
          guint index = (guint)(field - d->fields);
          if (field->label != PROTOBUF_C_LABEL_REPEATED && index < 64)
            {
              if (seen >> index & 1)
                return refuse (s, start, "a part that must be single appears twice");
              seen |= G_GUINT64_CONSTANT (1) << index;
            }
          gboolean other = keep || (d == &onnx__attribute_proto__descriptor && field->id != 5 && field->id != 6)
                           || d == &onnx__sparse_tensor_proto__descriptor;
          g_autoptr (GByteArray) inner = g_byte_array_new ();
          if (!scan_message (s, field->descriptor, body, at, depth + 1, other, inner))
            return FALSE;
          put_varint (out, tag);
          put_varint (out, inner->len);
          if (!put_bytes (s, out, start, inner->data, inner->len))
            return FALSE;
          continue;
        }
      if (field->type == PROTOBUF_C_TYPE_STRING && !g_utf8_validate_len ((const char *)s->base + body, at - body, NULL))
        return refuse (s, start, "text that is not UTF-8");
      if (!keep && d == &onnx__tensor_proto__descriptor && (strcmp (field->name, "raw_data") == 0 || (plain != 0 && field->id == plain)))
        {
          guint64 token[2] = { body, at - body };
          put_varint (out, 9 << 3 | 2);
          put_varint (out, sizeof token);
          if (!put_bytes (s, out, start, (const guint8 *)token, sizeof token))
            return FALSE;
          continue;
        }
      if (!put_bytes (s, out, start, s->base + start, at - start))
        return FALSE;
    }
  return TRUE;
}

gboolean
pare_onnx_scan (GBytes *bytes, const char *what, PareOnnxScan *scan, GError **error)
{
  gsize size;
  const guint8 *base = g_bytes_get_data (bytes, &size);
  GError *local = NULL;
  scan->skeleton = g_byte_array_new ();
  scan->functions = g_byte_array_new ();
  Scan s = { .base = base, .what = what, .functions = scan->functions, .error = &local };
  if (size == 0)
    refuse (&s, 0, "the file is empty");
  else
    scan_message (&s, &onnx__model_proto__descriptor, 0, size, 0, FALSE, scan->skeleton);
  if (local == NULL)
    return TRUE;
  g_propagate_error (error, local);
  pare_onnx_scan_clear (scan);
  return FALSE;
}

void
pare_onnx_scan_clear (PareOnnxScan *scan)
{
  g_clear_pointer (&scan->skeleton, g_byte_array_unref);
  g_clear_pointer (&scan->functions, g_byte_array_unref);
}
