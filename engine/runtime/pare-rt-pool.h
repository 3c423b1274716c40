#pragma once

typedef struct PareRtPool PareRtPool;
PareRtPool *pare_rt_pool_new (int threads); /* NULL: no memory; fewer threads where they cannot be had */
void pare_rt_pool_free (PareRtPool *pool);
int pare_rt_pool_threads (const PareRtPool *pool);
/* The pool that kernels called by this thread use; returns the one before. */
PareRtPool *pare_rt_pool_enter (PareRtPool *pool);
