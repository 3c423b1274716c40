#include "engine/project/pare-promise.h"

struct _ParePromise
{
  gatomicrefcount refs;
  GMutex lock; /* of what follows */
  GCond kept;
  gboolean open;
  PareGraph *graph;
};

ParePromise *
pare_promise_new (void)
{
  ParePromise *self = g_new0 (ParePromise, 1);
  g_atomic_ref_count_init (&self->refs);
  g_mutex_init (&self->lock);
  g_cond_init (&self->kept);
  self->open = TRUE;
  return self;
}

ParePromise *
pare_promise_ref (ParePromise *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_promise_unref (ParePromise *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_clear_pointer (&self->graph, pare_graph_unref);
  g_cond_clear (&self->kept);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
pare_promise_keep (ParePromise *self, PareGraph *graph)
{
  g_mutex_lock (&self->lock);
  self->graph = graph != NULL ? pare_graph_ref (graph) : NULL;
  self->open = FALSE;
  g_cond_broadcast (&self->kept);
  g_mutex_unlock (&self->lock);
}

gboolean
pare_promise_is_open (ParePromise *self)
{
  g_mutex_lock (&self->lock);
  gboolean open = self->open;
  g_mutex_unlock (&self->lock);
  return open;
}

PareGraph *
pare_promise_wait (ParePromise *self)
{
  g_mutex_lock (&self->lock);
  while (self->open)
    g_cond_wait (&self->kept, &self->lock);
  g_mutex_unlock (&self->lock);
  return self->graph;
}
