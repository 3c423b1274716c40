#include "engine/graph/pare-names.h"

struct _PareNames
{
  gatomicrefcount refs;
  GMutex lock; /* of chunk */
  GStringChunk *chunk;
};

PareNames *
pare_names_new (void)
{
  PareNames *self = g_new0 (PareNames, 1);
  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  self->chunk = g_string_chunk_new (2048);
  return self;
}

PareNames *
pare_names_ref (PareNames *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_names_unref (PareNames *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_string_chunk_free (self->chunk);
  g_mutex_clear (&self->lock);
  g_free (self);
}

const char *
pare_names_keep (PareNames *self, const char *text)
{
  if (text == NULL || text[0] == '\0')
    return text != NULL ? "" : NULL;
  g_mutex_lock (&self->lock);
  const char *kept = g_string_chunk_insert_const (self->chunk, text);
  g_mutex_unlock (&self->lock);
  return kept;
}
