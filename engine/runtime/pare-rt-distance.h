#pragma once
#include "engine/runtime/pare-rt-pool.h"

/* Nanoseconds in which a core writes, copies and reads 32 KiB; and those that it takes longer where another core copies half of it. */
typedef struct
{
  double alone, more; /* alone 0: it could not be measured, for the machine was too busy */
} PareRtDistance;
#define PARE_RT_DISTANCE_MOVED 65536 /* bytes of that which one wrote and the other read */

/* Between the calling thread and the first that shares work with it: a fifth of a millisecond, at most 22 milliseconds. */
PareRtDistance pare_rt_measure_distance (PareRtShare share);
