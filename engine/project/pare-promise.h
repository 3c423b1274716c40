/* A changed graph that is still being made. Who needs it is started at the same time as who makes it, and waits here: between the two lies
 * no turn of the main loop and no start of a thread. */
#pragma once
#include "engine/graph/pare-graph.h"

typedef struct _ParePromise ParePromise; /* thread-safe, reference counted */
ParePromise *pare_promise_new (void);
ParePromise *pare_promise_ref (ParePromise *self);
void pare_promise_unref (ParePromise *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ParePromise, pare_promise_unref)
/* Once, always. NULL: there will be none. */
void pare_promise_keep (ParePromise *self, PareGraph *graph);
gboolean pare_promise_is_open (ParePromise *self);
/* Borrowed; NULL as above. */
PareGraph *pare_promise_wait (ParePromise *self);
