#pragma once
#include <glib.h>
#include <sched.h>

/* A thread that waits for work when it has done some. */
typedef struct _PareThread PareThread;
/* Starts func(data) in a thread whose nice value is by so much above the calling thread's. It runs on `cpus`, or, without, on those that
 * the calling thread may run on. One that waits begins within microseconds, on a CPU that is idle; a new one often has to wait until its
 * maker has nothing more to do. NULL: there is no thread. */
PareThread *pare_thread_start (int nice, const cpu_set_t *cpus, void (*func) (gpointer), gpointer data);
/* Likewise; it begins on another CPU than the calling thread's, where there is one, and goes on wherever the scheduler likes: that one's
 * own choice to begin on is often the caller's CPU, which one of the two then waits for. */
PareThread *pare_thread_start_elsewhere (int nice, void (*func) (gpointer), gpointer data);
/* Work of that kind is about to come: a thread that waits is woken for it and stays awake for a fraction of a millisecond. Waking takes as
 * long as a small edit. */
void pare_thread_expect_elsewhere (int nice);
/* Waits until that has been done; the thread then is for others. Each is to be let go of, once. */
void pare_thread_finish (PareThread *self);
/* The calling thread mostly waits and does little at a time: when it wakes, it comes before threads that compute, where Linux can be told
 * so (6.12 and later: it asks for short slices of time, which are due early; older ones ignore it). */
void pare_thread_be_prompt (void);
/* The calling thread gives way to others, for good: its nice value is `nice`, and where that is above 0 it waits until one of them rests
 * instead of stopping it. */
void pare_thread_give_way (int nice);
