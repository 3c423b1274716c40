#pragma once
#include <glib.h>
#include <pthread.h>

/* Starts func(data) in a thread that begins at once, on another CPU than the caller's where there is one; later it runs wherever the
 * scheduler likes. A scheduler's own choice is often the caller's CPU, where the thread waits until the caller has nothing more to do.
 * FALSE: there is no thread. */
gboolean pare_thread_start_elsewhere (pthread_t *thread, void *(*func) (void *), void *data);
