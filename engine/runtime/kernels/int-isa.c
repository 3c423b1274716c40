/* Which instruction set the kernels on codes use. */
#include "engine/runtime/kernels/int-sets.h"

#include <stdatomic.h>

static _Atomic (const PareIntIsa *) chosen, chosen_wide; /* asking the CPU again takes microseconds, in a virtual machine many */
static atomic_bool always;

static int
all (const PareIntIsa **sets)
{
  int n = 0;
#if defined(__x86_64__)
  n += pare_rt_int_sets_x86 (sets + n);
#endif
#if defined(__aarch64__) || defined(__arm__)
  n += pare_rt_int_sets_arm (sets + n);
#endif
  return n + pare_rt_int_sets_generic (sets + n);
}

const PareIntIsa *
pare_rt_int_isa_at (int i)
{
  const PareIntIsa *sets[PARE_INT_SETS];
  int n = all (sets);
  return i >= 0 && i < n ? sets[i] : NULL;
}

const PareIntIsa *
pare_rt_int_isa (void)
{
  const PareIntIsa *isa = atomic_load_explicit (&chosen, memory_order_relaxed);
  if (!isa)
    {
      isa = pare_rt_int_isa_at (0);
      atomic_store_explicit (&chosen, isa, memory_order_relaxed);
    }
  return isa;
}

const PareIntIsa *
pare_rt_int_isa_for (PareDtype weights)
{
  const PareIntIsa *isa = pare_rt_int_isa (), *wide = NULL;
  if (weights != PARE_DTYPE_INT16 || isa->width == 2)
    return isa;
  wide = atomic_load_explicit (&chosen_wide, memory_order_relaxed);
  for (int i = 0; !wide; i++)
    {
      const PareIntIsa *next = pare_rt_int_isa_at (i);
      if (!next || next->width == 2)
        wide = next ? next : isa;
    }
  atomic_store_explicit (&chosen_wide, wide, memory_order_relaxed);
  return wide;
}

bool
pare_rt_int_limit (const char *name)
{
  const PareIntIsa *isa;
  for (int i = 0; (isa = pare_rt_int_isa_at (i)); i++)
    if (!name || strcmp (isa->name, name) == 0)
      {
        atomic_store_explicit (&chosen, isa, memory_order_relaxed);
        atomic_store_explicit (&always, name != NULL, memory_order_relaxed);
        return true;
      }
  return false;
}

bool
pare_rt_int_matrix_always (void)
{
  return atomic_load_explicit (&always, memory_order_relaxed);
}
