#include "engine/runtime/kernels/int-weights.h"

#include "engine/runtime/kernels/integer.h"

#define CHUNK 64 /* codes packed at a time */

typedef struct
{
  char isa[16]; /* packed for another one, it is not read */
  int32_t fold, bits, wide, moved, step, taps;
} Header;
#define HEADER 64

static int64_t
block_codes (const PareIntWeights *w)
{
  return int_round_up (w->steps * int_step (w) * w->wide, CHUNK);
}

static int
bits_of (const PareIntWeights *w)
{
  return w->moved ? 8 : pare_dtype_bits (w->view->dtype);
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

/* In front of the blocks: where sums start, and the offsets. */
static int64_t
front_bytes (const PareIntWeights *w)
{
  return HEADER + init_bytes (w) * (w->moved ? 2 : 1);
}

static Header
header_of (const PareIntWeights *w)
{
  Header h = { .fold = w->fold,
               .bits = bits_of (w),
               .wide = w->wide,
               .moved = w->moved,
               .step = int_step (w),
               .taps = (int32_t)(w->kernel[0] * w->kernel[1]) };
  strncpy (h.isa, w->isa->name, sizeof h.isa - 1);
  return h;
}

uint64_t
pare_rt_int_packed_bytes (const PareIntWeights *w)
{
  return (uint64_t)(front_bytes (w) + w->groups * int_blocks (w) * block_bytes (w));
}

uint64_t
pare_rt_int_block_room (const PareIntWeights *w)
{
  return (uint64_t)int_round_up (block_codes (w) * w->isa->width, 64);
}

#define MOVED_MOST (1 << 14) /* products of a row: two sums of so many stay within 32 bits */

/* What brings the row that begins at `at` into 8 bits; FALSE: nothing does. */
static bool
find_offset (const PareIntWeights *w, int64_t at, int32_t *offset)
{
  const int16_t *code = (const int16_t *)w->view->data + at;
  int32_t least = 0, most = 0;
  for (int64_t k = 0; k < w->k; k++)
    {
      int32_t c = code[k * w->k_stride];
      least = c < least ? c : least;
      most = c > most ? c : most;
    }
  *offset = most > INT8_MAX ? most - INT8_MAX : least < INT8_MIN ? least - INT8_MIN : 0;
  return least - *offset >= INT8_MIN && most - *offset <= INT8_MAX;
}

bool
pare_rt_int_can_move (const PareIntWeights *w)
{
  int32_t offset;
  bool can = w->view->dtype == PARE_DTYPE_INT16 && w->k <= MOVED_MOST;
  for (int64_t r = 0; can && r < w->groups * w->rows; r++)
    can = find_offset (w, r * w->row_stride, &offset);
  return can;
}

bool
pare_rt_int_packed_moved (const PareView *view, const PareIntIsa *isa)
{
  const Header *header = view->packed;
  return header && view->dtype == PARE_DTYPE_INT16 && header->moved && strncmp (header->isa, isa->name, sizeof header->isa) == 0;
}

/* Which of the view's k are those of a step; beyond the last: -1. */
static void
find_step (const PareIntWeights *w, int64_t step, int64_t *k)
{
  const PareIntOrder *o = w->order;
  for (int64_t i = 0; i < int_step (w); i++)
    {
      k[i] = step * int_step (w) + i;
      if (o)
        {
          int64_t run = step / o->pieces, line = step % o->pieces * o->depth + i / 4, fours = (o->channels + 3) / 4;
          int64_t channel = line % fours * 4 + i % 4, tap = o->columns ? line / fours * o->width + run : run;
          k[i] = line < o->lines && channel < o->channels ? channel * o->height * o->width + tap : -1;
        }
      else if (w->kernel[0])
        {
          int64_t taps = w->kernel[0] * w->kernel[1], tap = step % taps, channel = step / taps * w->isa->k_step + i;
          k[i] = channel * taps + tap % w->kernel[0] * w->kernel[1] + tap / w->kernel[0];
        }
      if (step >= w->steps || k[i] >= w->k)
        k[i] = -1;
    }
}

#define STEP 64 /* codes of a row, at most */

/* Walks a block in its packed order. */
typedef struct
{
  const PareIntWeights *w;
  int64_t at, step; /* of row 0 in the view */
  int rows, row, q;
  int64_t k[STEP];        /* of the step */
  int32_t *init, *offset; /* offset: NULL where they are not moved */
} Walk;

static void
walk_block (Walk *walk, const PareIntWeights *w, int64_t group, int64_t block, int32_t *init, int32_t *offset)
{
  int64_t row = block * w->wide, at = (group * w->rows + row) * w->row_stride;
  int rows = (int)(w->rows - row < w->wide ? w->rows - row : w->wide);
  memset (init, 0, w->wide * sizeof *init);
  for (int r = 0; w->moved && r < w->wide; r++)
    {
      offset[r] = 0;
      if (r < rows)
        find_offset (w, at + r * w->row_stride, &offset[r]);
      init[r] = -w->fold * offset[r] * (int32_t)w->k;
    }
  *walk = (Walk){ .w = w, .at = at, .rows = rows, .init = init, .offset = w->moved ? offset : NULL };
  find_step (w, 0, walk->k);
}

static void
next_chunk (Walk *walk, int16_t *code)
{
  const PareIntWeights *w = walk->w;
  int k_step = int_step (w);
  for (int i = 0; i < CHUNK; i++)
    {
      int64_t k = walk->k[walk->q], at = walk->at + walk->row * w->row_stride + k * w->k_stride;
      code[i] = 0;
      if (k >= 0 && walk->row < walk->rows)
        code[i] = w->view->dtype == PARE_DTYPE_INT8 ? ((const int8_t *)w->view->data)[at]
                                                    : (int16_t)(code_at (w->view, at) - (walk->offset ? walk->offset[walk->row] : 0));
      if (walk->row < w->wide && code[i])
        walk->init[walk->row] -= w->fold * code[i];
      if (++walk->q < k_step)
        continue;
      walk->q = 0;
      if (++walk->row < w->wide)
        continue;
      walk->row = 0;
      find_step (w, ++walk->step, walk->k);
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
  uint8_t *init = (uint8_t *)packed + HEADER, *offset = init + init_bytes (w), *to = (uint8_t *)packed + front_bytes (w);
  memset (packed, 0, HEADER);
  memcpy (packed, &header, sizeof header);
  for (int64_t g = 0; g < w->groups; g++)
    for (int64_t b = 0; b < blocks; b++, init += w->wide * 4, offset += w->wide * 4)
      {
        Walk walk;
        walk_block (&walk, w, g, b, (int32_t *)(void *)init, (int32_t *)(void *)offset);
        for (int64_t i = 0; i < codes; i += CHUNK, to += CHUNK * bits / 8)
          {
            int16_t code[CHUNK];
            next_chunk (&walk, code);
            narrow (to, code, bits);
          }
      }
}

bool
pare_rt_int_is_ready (const PareIntWeights *w)
{
  Header header = header_of (w);
  return w->view->packed && memcmp (w->view->packed, &header, sizeof header) == 0 && header.bits == 8 * w->isa->width;
}

const uint8_t *
pare_rt_int_block (const PareIntWeights *w, int64_t group, int64_t block, void *room, int32_t *init, int32_t *offset)
{
  Header header = header_of (w);
  const uint8_t *packed = w->view->packed;
  int64_t codes = block_codes (w), index = group * int_blocks (w) + block;
  if (packed && memcmp (packed, &header, sizeof header) == 0)
    {
      const uint8_t *from = packed + front_bytes (w) + index * block_bytes (w), *start = packed + HEADER + index * w->wide * 4;
      memcpy (init, start, w->wide * 4);
      if (w->moved)
        memcpy (offset, start + init_bytes (w), w->wide * 4);
      if (header.bits == 8 * w->isa->width)
        return from;
      w->isa->expand (room, from, codes, header.bits);
      return room;
    }
  Walk walk;
  walk_block (&walk, w, group, block, init, offset);
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
