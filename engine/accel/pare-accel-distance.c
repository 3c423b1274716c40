/* How fast cores of a team pass on what they write, measured once in a process, so that all its programs are made alike. */
#include "engine/accel/pare-accel-private.h"
#include "engine/runtime/pare-rt-distance.h"

#include <math.h>
#include <stdatomic.h>

double
pare_accel_moves (void)
{
  static _Atomic double known;
  double moves = atomic_load (&known);
  if (moves > 0 || pare_accel_count_cpus () < 2)
    return moves;
  PareAffinity places;
  bool moved = pare_accel_spread (2, &places);
  int before = pare_accel_set_threads (2);
  PareRtDistance d = pare_rt_measure_distance (pare_accel_share);
  pare_accel_set_threads (before);
  if (moved)
    pare_accel_unspread (&places);
  if (d.alone <= 0)
    return 0;
  moves = d.more > 0 ? PARE_RT_DISTANCE_MOVED / d.more : INFINITY;
  atomic_store (&known, moves);
  return moves;
}
