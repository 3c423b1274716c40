#pragma once
#include <glib.h>
#include <pthread.h>

typedef enum
{
  PARE_THREAD_ANYWHERE,
  PARE_THREAD_ELSEWHERE, /* another CPU than the caller's, where there is one: it begins at once */
  PARE_THREAD_HERE       /* the caller's CPU, where there is only one other, which has to be free for what is urgent */
} PareThreadPlace;
/* Starts func(data) in a thread that stays there until it says pare_thread_roam(). A scheduler's own choice is often the caller's CPU, where
 * the thread waits until the caller has nothing more to do, or that of a thread that just began. FALSE: there is no thread. */
gboolean pare_thread_start (pthread_t *thread, PareThreadPlace place, void *(*func) (void *), void *data);
/* The calling thread runs wherever the scheduler likes from now on. */
void pare_thread_roam (void);
/* The calling thread mostly waits and does little at a time: when it wakes, it comes before threads that compute, where Linux can be told so
 * (6.12 and later: it asks for short slices of time, which are due early; older ones ignore it). */
void pare_thread_be_prompt (void);
