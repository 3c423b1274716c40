/* Memory of what is packed, and what programs share of it: a changed layer's program has the weights of all others in common with the one
 * before. What is the same is told by content: a hash over what is packed and how. Shared packs live as long as any program that uses them;
 * the rooms that they lie in, as long as anything in them. */
#include "engine/accel/pare-accel-private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LEAST_ROOM ((uint64_t)64 << 10)
#define MOST_ROOM ((uint64_t)32 << 20)
#define LARGE_PAGE ((uint64_t)2 << 20)
#define BUCKETS 1024

struct PareAccelRoom
{
  uint32_t users; /* under the lock, once it is shared */
  void *data;
};

struct PareAccelPack
{
  PareContentKey key;
  uint64_t bytes;
  void *data;
  PareAccelRoom *room;
  uint32_t users; /* programs; 0: not offered yet, the program's own */
  PareAccelPack *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows and of all users */
static PareAccelPack *table[BUCKETS];

/* Pieces of memory that what is packed lies in, each twice as large as the one before: large ones in large pages, which are touched in a
 * tenth of the time, and whose addresses the CPU does not have to look up again and again. */
static bool
add_room (PareAccel *self, uint64_t bytes)
{
  void *data = NULL;
  uint64_t size = self->n_rooms ? self->room_bytes * 2 : LEAST_ROOM;
  size = size > MOST_ROOM ? MOST_ROOM : size;
  if (size < bytes)
    size = bytes;
  bool large = size >= LARGE_PAGE;
  if (bytes > SIZE_MAX - 2 * LARGE_PAGE
      || !pare_accel_grow (self, (void **)&self->rooms, self->n_rooms, 1, &self->room_rooms, sizeof *self->rooms))
    return false;
  if (large)
    size = (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
  PareAccelRoom *room = malloc (sizeof *room);
  if (!room || posix_memalign (&data, large ? LARGE_PAGE : 64, size))
    {
      free (room);
      return false;
    }
#ifdef MADV_HUGEPAGE
  if (large)
    madvise (data, size, MADV_HUGEPAGE);
#endif
  *room = (PareAccelRoom){ 1, data };
  self->rooms[self->n_rooms++] = room;
  self->pack_at = data;
  self->room_bytes = self->pack_left = size;
  return true;
}

void *
pare_accel_pack (PareAccel *self, uint64_t bytes)
{
  uint64_t whole = bytes < UINT64_MAX - 64 ? (bytes + 63) / 64 * 64 : bytes;
  whole = whole ? whole : 64;
  if (whole > self->pack_left && !add_room (self, whole))
    {
      self->failed = true;
      return NULL;
    }
  void *data = self->pack_at;
  self->pack_at += whole;
  self->pack_left -= whole;
  self->packed_bytes += bytes;
  return data;
}

uint64_t
pare_accel_packed_bytes (const PareAccel *self)
{
  return self->packed_bytes;
}

/* --- what is the same --- */

static uint32_t
constant_of (const PareAccel *self, uint32_t value)
{
  while (self->plan->values[value].kind == PARE_RT_ALIAS)
    value = self->plan->values[value].alias_of;
  return value;
}

bool
pare_accel_get_content (const PareAccel *self, uint32_t value, PareContentKey *key)
{
  value = constant_of (self, value);
  *key = self->contents[value];
  return key->a || key->b;
}

PareContentKey
pare_accel_pack_key (PareAccel *self, PareAccelPackKind kind, uint32_t value, const float *factor, int64_t n_factors, const int64_t *how,
                     int n_how)
{
  PareContentKey content;
  if (!pare_accel_get_content (self, value, &content))
    {
      value = constant_of (self, value);
      content = self->contents[value] = pare_constant_hash (pare_rt_plan_constant (self->plan, value), self->plan->values[value].bytes);
    }
  const int64_t head[3] = { kind, factor ? n_factors : 0, n_how };
  PareContentKey key = pare_content_hash (content, head, sizeof head);
  key = pare_content_hash (key, how, (uint64_t)n_how * sizeof *how);
  return factor ? pare_content_hash (key, factor, (uint64_t)n_factors * sizeof *factor) : key;
}

/* --- sharing --- */

static PareAccelPack **
place_of (const PareContentKey *key, uint64_t bytes)
{
  PareAccelPack **at = &table[key->a % BUCKETS];
  while (*at && ((*at)->key.a != key->a || (*at)->key.b != key->b || (*at)->bytes != bytes))
    at = &(*at)->next;
  return at;
}

/* With the lock held. */
static void
leave_room (PareAccelRoom *room)
{
  if (--room->users)
    return;
  free (room->data);
  free (room);
}

void *
pare_accel_pack_shared (PareAccel *self, PareContentKey key, uint64_t bytes, bool *known)
{
  if (!pare_accel_grow (self, (void **)&self->packs, self->n_packs, 1, &self->room_packs, sizeof *self->packs))
    return NULL;
  pthread_mutex_lock (&lock);
  PareAccelPack *pack = *place_of (&key, bytes);
  if (pack)
    pack->users++;
  pthread_mutex_unlock (&lock);
  *known = pack != NULL;
  if (pack)
    {
      self->packs[self->n_packs++] = pack;
      self->packed_bytes += bytes;
      return pack->data;
    }
  void *data = pare_accel_pack (self, bytes);
  pack = data ? malloc (sizeof *pack) : NULL;
  if (pack) /* else nobody else will have it, that is all */
    {
      *pack = (PareAccelPack){ .key = key, .bytes = bytes, .data = data, .room = self->rooms[self->n_rooms - 1] };
      self->packs[self->n_packs++] = pack;
    }
  return data;
}

void
pare_accel_offer_packs (PareAccel *self)
{
  uint32_t n = 0;
  pthread_mutex_lock (&lock);
  for (uint32_t i = 0; i < self->n_packs; i++)
    {
      PareAccelPack *pack = self->packs[i], **at;
      if (!pack->users)
        {
          at = place_of (&pack->key, pack->bytes);
          if (*at) /* another program was quicker, or another layer has the same weights */
            {
              free (pack);
              continue;
            }
          pack->users = 1;
          pack->room->users++;
          *at = pack;
        }
      self->packs[n++] = pack;
    }
  pthread_mutex_unlock (&lock);
  self->n_packs = n;
}

void
pare_accel_free_packs (PareAccel *self)
{
  pthread_mutex_lock (&lock);
  for (uint32_t i = 0; i < self->n_packs; i++)
    {
      PareAccelPack *pack = self->packs[i];
      if (pack->users > 1)
        {
          pack->users--;
          continue;
        }
      if (pack->users)
        {
          *place_of (&pack->key, pack->bytes) = pack->next;
          leave_room (pack->room);
        }
      free (pack);
    }
  for (uint32_t i = 0; i < self->n_rooms; i++)
    leave_room (self->rooms[i]);
  pthread_mutex_unlock (&lock);
  free (self->packs);
  free (self->rooms);
}

uint64_t
pare_accel_count_shared (void)
{
  uint64_t n = 0;
  pthread_mutex_lock (&lock);
  for (int i = 0; i < BUCKETS; i++)
    for (const PareAccelPack *pack = table[i]; pack; pack = pack->next)
      n++;
  pthread_mutex_unlock (&lock);
  return n;
}
