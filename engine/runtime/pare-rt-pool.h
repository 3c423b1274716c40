#pragma once
#include <stdint.h>

typedef struct PareRtPool PareRtPool;
PareRtPool *pare_rt_pool_new (int threads); /* NULL: no memory; fewer threads where they cannot be had */
/* A pool whose work is shared by threads that somebody else keeps: share is to call func (task, worker, arg) once for each task 0..n-1,
 * worker < threads, and to return when all are done. */
typedef void (*PareRtShare) (int threads, int64_t n, void (*func) (int64_t task, int worker, void *arg), void *arg);
PareRtPool *pare_rt_pool_new_over (int threads, PareRtShare share); /* NULL: no memory */
void pare_rt_pool_free (PareRtPool *pool);
int pare_rt_pool_threads (const PareRtPool *pool);
/* The pool that kernels called by this thread use; returns the one before. */
PareRtPool *pare_rt_pool_enter (PareRtPool *pool);
