#pragma once
#include <glib.h>
#include <pthread.h>

/* Starts func(data) in a thread that begins at once, on another CPU than the caller's where there is one; later it runs wherever the
 * scheduler likes. A scheduler's own choice is often the caller's CPU, where the thread waits until the caller has nothing more to do.
 * FALSE: there is no thread. */
gboolean pare_thread_start_elsewhere (pthread_t *thread, void *(*func) (void *), void *data);
/* The calling thread mostly waits and does little at a time: when it wakes, it comes before threads that compute, where Linux can be told so
 * (6.12 and later: it asks for short slices of time, which are due early; older ones ignore it). */
void pare_thread_be_prompt (void);
