#include "engine/runtime/kernels/int-weights.h"

#include "engine/runtime/kernels/integer.h"

#define CHUNK 64 /* codes packed at a time */

typedef struct
{
  char isa[16]; /* packed for another one, it is not read */
  int32_t fold, bits, wide;
} Header;
#define HEADER 64

static int64_t
block_codes (const PareIntWeights *w)
{
  return int_round_up (w->steps * w->isa->k_step * w->wide, CHUNK);
}

static int
bits_of (const PareIntWeights *w)
{
  return pare_dtype_bits (w->view->dtype);
}

static int64_t
block_bytes (const PareIntWeights *w)
{
  return block_codes (w) * bits_of (w) / 8;
}

static int64_t
init_bytes (const PareIntWeights *w)
{
  return int_round_up (w->groups * int_blocks (w) * w->wide * 4, 64);
}

static Header
header_of (const PareIntWeights *w)
{
  Header h = { .fold = w->fold, .bits = bits_of (w), .wide = w->wide };
  strncpy (h.isa, w->isa->name, sizeof h.isa - 1);
  return h;
}

uint64_t
pare_rt_int_packed_bytes (const PareIntWeights *w)
{
  return (uint64_t)(HEADER + init_bytes (w) + w->groups * int_blocks (w) * block_bytes (w));
}

uint64_t
pare_rt_int_block_room (const PareIntWeights *w)
{
  return (uint64_t)int_round_up (block_codes (w) * w->isa->width, 64);
}

/* Walks a block in its packed order. */
typedef struct
{
  const PareIntWeights *w;
  int64_t at, step; /* of row 0 in the view */
  int rows, row, q;
  int32_t *init;
} Walk;

static Walk
walk_block (const PareIntWeights *w, int64_t group, int64_t block, int32_t *init)
{
  int64_t row = block * w->wide;
  memset (init, 0, w->wide * sizeof *init);
  return (Walk){ w, (group * w->rows + row) * w->row_stride, 0, (int)(w->rows - row < w->wide ? w->rows - row : w->wide), 0, 0, init };
}

static void
next_chunk (Walk *walk, int16_t *code)
{
  const PareIntWeights *w = walk->w;
  int k_step = w->isa->k_step;
  for (int i = 0; i < CHUNK; i++)
    {
      int64_t k = walk->step * k_step + walk->q, at = walk->at + walk->row * w->row_stride + k * w->k_stride;
      code[i] = 0;
      if (k < w->k && walk->row < walk->rows)
        code[i] = w->view->dtype == PARE_DTYPE_INT8 ? ((const int8_t *)w->view->data)[at] : (int16_t)code_at (w->view, at);
      if (walk->row < w->wide && code[i])
        walk->init[walk->row] -= w->fold * code[i];
      if (++walk->q < k_step)
        continue;
      walk->q = 0;
      if (++walk->row < w->wide)
        continue;
      walk->row = 0;
      walk->step++;
    }
}

static void
narrow (uint8_t *to, const int16_t *code, int bits)
{
  if (bits == 16)
    memcpy (to, code, CHUNK * sizeof *code);
  else if (bits == 8)
    for (int i = 0; i < CHUNK; i++)
      to[i] = (uint8_t)code[i];
  else if (bits == 4)
    for (int i = 0; i < CHUNK / 2; i++)
      to[i] = (uint8_t)((code[i] + 8) | (code[i + 32] + 8) << 4);
  else
    for (int i = 0; i < CHUNK / 4; i++)
      to[i] = (uint8_t)((code[i] + 2) | (code[i + 16] + 2) << 2 | (code[i + 32] + 2) << 4 | (code[i + 48] + 2) << 6);
}

void
pare_rt_int_pack (const PareIntWeights *w, void *packed)
{
  Header header = header_of (w);
  int64_t codes = block_codes (w), blocks = int_blocks (w);
  int bits = bits_of (w);
  uint8_t *init = (uint8_t *)packed + HEADER, *to = init + init_bytes (w);
  memset (packed, 0, HEADER);
  memcpy (packed, &header, sizeof header);
  for (int64_t g = 0; g < w->groups; g++)
    for (int64_t b = 0; b < blocks; b++, init += w->wide * 4)
      {
        Walk walk = walk_block (w, g, b, (int32_t *)(void *)init);
        for (int64_t i = 0; i < codes; i += CHUNK, to += CHUNK * bits / 8)
          {
            int16_t code[CHUNK];
            next_chunk (&walk, code);
            narrow (to, code, bits);
          }
      }
}

const uint8_t *
pare_rt_int_block (const PareIntWeights *w, int64_t group, int64_t block, void *room, int32_t *init)
{
  Header header = header_of (w);
  const uint8_t *packed = w->view->packed;
  int64_t codes = block_codes (w), index = group * int_blocks (w) + block;
  if (packed && memcmp (packed, &header, sizeof header) == 0)
    {
      const uint8_t *from = packed + HEADER + init_bytes (w) + index * block_bytes (w);
      memcpy (init, packed + HEADER + index * w->wide * 4, w->wide * 4);
      if (header.bits == 8 * w->isa->width)
        return from;
      w->isa->expand (room, from, codes, header.bits);
      return room;
    }
  Walk walk = walk_block (w, group, block, init);
  for (int64_t i = 0; i < codes; i += CHUNK)
    {
      int16_t code[CHUNK];
      uint8_t bytes[CHUNK];
      next_chunk (&walk, code);
      if (bits_of (w) == 16)
        memcpy ((uint8_t *)room + i * 2, code, sizeof code);
      else
        {
          narrow (bytes, code, 8);
          w->isa->expand ((uint8_t *)room + i * w->isa->width, bytes, CHUNK, 8);
        }
    }
  return room;
}
