/* Rounds in lock step: the parts of a round are shared by threads, and nobody begins the next before all of them are done. What recurrent
 * layers need: a round is a step of theirs and takes a microsecond, too little to open and close a region of the pool for each.
 *
 * Each part has a home worker, which finds its data in its cache. A worker that is not there (the pool does not wait for one that is held
 * up) is missed by nobody: whoever waits for its part claims it and does it, so that any one worker alone gets to the end. Only what a
 * worker has begun is waited for. */
#include "engine/runtime/kernels/kernel.h"
#include "engine/runtime/pare-rt-spin.h"

#include <sched.h>

#define PATIENCE 100 /* turns before a part that nobody has begun is taken from its home worker */
#define YIELD 4096   /* turns before the processor is offered to others */

typedef struct
{
  _Alignas(64) _Atomic int64_t begun, done; /* rounds of this part */
  _Atomic bool here;                        /* the home worker */
} Part;

typedef struct
{
  int64_t rounds;
  int teams, parts;
  PareRtRound func;
  void (*leave) (void);
  void *arg;
  Part part[PARE_RT_MAX_WORKERS]; /* [team][part] */
} Job;

/* Does one part of a round, if nobody has begun it. */
static bool
claim (const Job *j, Part *p, int64_t round, int team, int part, int worker)
{
  int64_t expected = round;
  if (atomic_load_explicit (&p->begun, memory_order_relaxed) != round
      || !atomic_compare_exchange_strong_explicit (&p->begun, &expected, round + 1, memory_order_acquire, memory_order_relaxed))
    return false;
  j->func (round, team, part, j->parts, worker, j->arg);
  atomic_store_explicit (&p->done, round + 1, memory_order_release);
  return true;
}

/* Waits until a part of the round is done, or does it. */
static void
settle (const Job *j, Part *p, int64_t round, int team, int part, int worker)
{
  for (uint32_t turn = 0; atomic_load_explicit (&p->done, memory_order_acquire) <= round; turn++)
    {
      bool here = atomic_load_explicit (&p->here, memory_order_relaxed);
      if (!here || (turn >= PATIENCE && atomic_load_explicit (&p->begun, memory_order_relaxed) == round))
        {
          if (here)
            atomic_store_explicit (&p->here, false, memory_order_relaxed);
          if (claim (j, p, round, team, part, worker))
            return;
        }
      if (turn % YIELD == YIELD - 1)
        sched_yield ();
      else
        pare_rt_pause ();
    }
}

/* One team's rounds, to the end; home: this worker's part of it, -1: none. */
static void
take_part (Job *j, int team, int home, int worker)
{
  Part *parts = j->part + team * j->parts, *mine = home >= 0 ? &parts[home] : NULL;
  int64_t round = j->rounds;
  for (int i = 0; i < j->parts; i++)
    {
      int64_t done = atomic_load_explicit (&parts[i].done, memory_order_acquire);
      round = done < round ? done : round;
    }
  for (; round < j->rounds; round++)
    {
      if (mine)
        {
          if (!atomic_load_explicit (&mine->here, memory_order_relaxed))
            atomic_store_explicit (&mine->here, true, memory_order_relaxed);
          claim (j, mine, round, team, home, worker);
        }
      for (int i = 0; i < j->parts; i++)
        if (atomic_load_explicit (&parts[i].done, memory_order_acquire) <= round)
          settle (j, &parts[i], round, team, i, worker);
    }
}

static void
member (int64_t task, int worker, void *arg)
{
  Job *j = arg;
  for (int i = 0; i < j->teams; i++)
    {
      int team = (worker + i) % j->teams, home = worker / j->teams;
      take_part (j, team, i == 0 && home < j->parts ? home : -1, worker);
    }
  if (j->leave)
    j->leave ();
}

void
pare_rt_rounds (int64_t rounds, int teams, int parts, PareRtRound func, void (*leave) (void), void *arg)
{
  Job j = { .rounds = rounds, .teams = teams, .parts = parts, .func = func, .leave = leave, .arg = arg };
  int workers = pare_rt_workers (), members = teams * parts;
  if (members > 1 && workers > 1 && members <= PARE_RT_MAX_WORKERS)
    {
      pare_rt_parallel (members < workers ? members : workers, member, &j);
      return;
    }
  for (int team = 0; team < teams; team++)
    for (int64_t round = 0; round < rounds; round++)
      for (int part = 0; part < parts; part++)
        func (round, team, part, parts, 0, arg);
  if (leave)
    leave ();
}
