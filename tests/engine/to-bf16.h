/* The neighbour in bfloat16, by its definition. */
#pragma once
#include <glib.h>
#include <string.h>

static float
to_bf16 (float f)
{
  guint32 bits;
  memcpy (&bits, &f, 4);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  memcpy (&f, &bits, 4);
  return f;
}
