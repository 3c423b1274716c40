/* The instruction sets each file brings. */
#pragma once
#include "engine/runtime/kernels/int-isa.h"

/* Appends those that this CPU has, the best first, and returns how many. */
int pare_rt_int_sets_x86 (const PareIntIsa **sets);
int pare_rt_int_sets_arm (const PareIntIsa **sets);
int pare_rt_int_sets_generic (const PareIntIsa **sets);
#define PARE_INT_SETS 8
