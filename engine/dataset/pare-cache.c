#include "engine/dataset/pare-dataset-private.h"

typedef struct
{
  guint key;
  PareTensor *value;
  gboolean used; /* since its turn to go came */
  GList link;
} Entry;

struct _PareCache
{
  GMutex lock;
  GHashTable *entries;
  GQueue order; /* the tail goes next, unless it was used: that is as good as the order of use, and asking for one writes to no other */
  guint64 bytes, limit;
};

PareCache *
pare_cache_new (guint64 limit)
{
  PareCache *self = g_new0 (PareCache, 1);
  g_mutex_init (&self->lock);
  self->entries = g_hash_table_new (NULL, NULL);
  g_queue_init (&self->order);
  self->limit = limit;
  return self;
}

static void
drop (PareCache *self, Entry *e)
{
  g_hash_table_remove (self->entries, GUINT_TO_POINTER (e->key));
  g_queue_unlink (&self->order, &e->link);
  self->bytes -= e->value->bytes;
  pare_tensor_unref (e->value);
  g_free (e);
}

static void
shrink (PareCache *self)
{
  while (self->bytes > self->limit && self->order.tail != NULL)
    {
      Entry *e = self->order.tail->data;
      if (!e->used)
        {
          drop (self, e);
          continue;
        }
      e->used = FALSE;
      g_queue_unlink (&self->order, &e->link);
      g_queue_push_head_link (&self->order, &e->link);
    }
}

void
pare_cache_free (PareCache *self)
{
  if (self == NULL)
    return;
  self->limit = 0;
  while (self->order.tail != NULL)
    drop (self, self->order.tail->data);
  g_hash_table_unref (self->entries);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
pare_cache_set_limit (PareCache *self, guint64 limit)
{
  g_mutex_lock (&self->lock);
  self->limit = limit;
  shrink (self);
  g_mutex_unlock (&self->lock);
}

PareTensor *
pare_cache_get (PareCache *self, guint key)
{
  PareTensor *value = NULL;
  g_mutex_lock (&self->lock);
  Entry *e = g_hash_table_lookup (self->entries, GUINT_TO_POINTER (key));
  if (e != NULL)
    {
      e->used = TRUE;
      value = pare_tensor_ref (e->value);
    }
  g_mutex_unlock (&self->lock);
  return value;
}

void
pare_cache_put (PareCache *self, guint key, PareTensor *value)
{
  g_mutex_lock (&self->lock);
  if (value->bytes <= self->limit && g_hash_table_lookup (self->entries, GUINT_TO_POINTER (key)) == NULL)
    {
      Entry *e = g_new0 (Entry, 1);
      e->key = key;
      e->value = pare_tensor_ref (value);
      e->link.data = e;
      g_hash_table_insert (self->entries, GUINT_TO_POINTER (key), e);
      g_queue_push_head_link (&self->order, &e->link);
      self->bytes += value->bytes;
      shrink (self);
    }
  g_mutex_unlock (&self->lock);
}
