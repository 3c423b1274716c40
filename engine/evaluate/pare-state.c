/* What a run holds at a cut, packed, and the memory that many of them lie in. */
#include "engine/evaluate/pare-prefix-private.h"
#include "engine/evaluate/pare-sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TOUCHED 256 /* bytes; what follows the CPU then fetches by itself */
#define LINE 64
#define LARGE_PAGE ((gsize)2 << 20)
#define MOST_ROOM ((gsize)8 << 20)

/* Addresses of large pages the CPU finds at once. For small ones it has to ask memory, and after a pause, while the person thought, what it
 * asks is no longer near: then that takes as long as the reading. */
struct _PareStateRoom
{
  gatomicrefcount refs; /* states, and whoever fills it */
  gsize size, used;
  guint8 *data;
};

typedef enum
{
  PLAIN, /* the bytes as they are */
  CODES, /* one byte for each float: (byte + lowest) * scale */
  SPARSE /* pare-sparse.h */
} Packing;

typedef struct
{
  gint32 packing;
  float scale;
  gint32 lowest;
  guint64 bytes; /* packed */
} Head;

/* x as codes of one byte, where every element is exactly one: FALSE where not. out may be NULL to ask. */
static gboolean
to_codes (const float *x, gsize n, float scale, gint32 *lowest, guint8 *out)
{
  float low = INFINITY, high = -INFINITY;
  for (gsize i = 0; i < n; i++)
    {
      float code = rintf (x[i] / scale), back = code * scale;
      if (memcmp (&back, &x[i], sizeof back) != 0 || !(fabsf (code) <= 65536))
        return FALSE;
      low = MIN (low, code);
      high = MAX (high, code);
    }
  if (!(high - low <= 255))
    return FALSE;
  *lowest = (gint32)low;
  for (gsize i = 0; i < n; i++)
    out[i] = (guint8)(rintf (x[i] / scale) - low);
  return TRUE;
}

PareState *
pare_state_new (PareRunner *runner, const PareCut *cut, gint64 label)
{
  gsize most = 0;
  for (guint i = 0; i < cut->n_pieces; i++)
    most += sizeof (Head) + pare_sparse_most (cut->pieces[i].bytes / sizeof (float) + 1);
  PareState *state = g_try_malloc (sizeof *state + most);
  if (state == NULL)
    return NULL;
  guint8 *at = state->data;
  for (guint i = 0; i < cut->n_pieces; i++)
    {
      const PareCutPiece *piece = &cut->pieces[i];
      const void *x = pare_runner_get_piece (runner, piece);
      gsize floats = piece->bytes % sizeof (float) == 0 ? piece->bytes / sizeof (float) : 0;
      Head head = { .packing = CODES, .scale = piece->scale, .bytes = floats };
      if (!(piece->scale > 0 && floats > 0 && to_codes (x, floats, piece->scale, &head.lowest, at + sizeof head)))
        {
          head.packing = SPARSE;
          head.bytes = pare_sparse_pack (x, floats, at + sizeof head);
        }
      if (head.packing == SPARSE && (floats == 0 || head.bytes > piece->bytes / 8 * 7))
        {
          head.packing = PLAIN;
          head.bytes = piece->bytes;
          memcpy (at + sizeof head, x, piece->bytes);
        }
      memcpy (at, &head, sizeof head);
      at += sizeof head + head.bytes;
    }
  g_atomic_ref_count_init (&state->refs);
  state->room = NULL;
  state->label = label;
  state->bytes = sizeof *state + (gsize)(at - state->data);
  return state;
}

/* --- where they lie --- */

void
pare_state_room_unref (PareStateRoom *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  free (self->data);
  g_free (self);
}

static PareStateRoom *
make_room (gsize bytes)
{
  void *data = NULL;
  gboolean large = bytes > LARGE_PAGE / 2;
  bytes = large ? (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE : bytes;
  if (posix_memalign (&data, large ? LARGE_PAGE : LINE, bytes) != 0)
    return NULL;
#ifdef MADV_HUGEPAGE
  if (large)
    madvise (data, bytes, MADV_HUGEPAGE);
#endif
  PareStateRoom *self = g_new0 (PareStateRoom, 1);
  g_atomic_ref_count_init (&self->refs);
  self->size = bytes;
  self->data = data;
  return self;
}

PareState *
pare_state_settle (PareState *self, PareStateRoom **room, guint more)
{
  gsize bytes = (self->bytes + LINE - 1) / LINE * LINE;
  if (*room == NULL || (*room)->size - (*room)->used < bytes)
    {
      gsize all = bytes > MOST_ROOM / (more + 1) ? MOST_ROOM : bytes * (more + 1);
      pare_state_room_unref (*room);
      if ((*room = make_room (MAX (all, bytes))) == NULL)
        return self;
    }
  PareState *there = (PareState *)(void *)((*room)->data + (*room)->used);
  memcpy (there, self, self->bytes);
  g_atomic_ref_count_inc (&(*room)->refs);
  (*room)->used += bytes;
  there->room = *room;
  g_free (self);
  return there;
}

void
pare_state_unref (PareState *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->room != NULL)
    pare_state_room_unref (self->room);
  else
    g_free (self);
}

/* --- reading them --- */

gint64
pare_state_load (const PareState *self, PareRunner *runner, const PareCut *cut)
{
  const guint8 *at = self->data;
  for (guint i = 0; i < cut->n_pieces; i++)
    {
      Head head;
      memcpy (&head, at, sizeof head);
      at += sizeof head;
      void *x = pare_runner_get_piece (runner, &cut->pieces[i]);
      if (head.packing == SPARSE)
        pare_sparse_unpack (at, cut->pieces[i].bytes / sizeof (float), x);
      else if (head.packing == CODES)
        for (gsize k = 0; k < head.bytes; k++)
          ((float *)x)[k] = (float)(at[k] + head.lowest) * head.scale;
      else
        memcpy (x, at, head.bytes);
      at += head.bytes;
    }
  return self->label;
}

void
pare_state_touch (const PareState *self)
{
  if (self != NULL)
    for (guint i = 0; i < TOUCHED; i += 64) /* without a look at its size, which would wait for memory; harmless behind its end */
      __builtin_prefetch ((const guint8 *)self + i);
}
