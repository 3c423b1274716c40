#include "engine/accel/pare-accel-amx.h"

#include <dnnl.h>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>

#define ASK_PERMISSION 0x1023 /* ARCH_REQ_XCOMP_PERM */
#define TILE_DATA 18          /* the part of a thread's state that holds tiles */

bool
pare_accel_has_amx (void)
{
  static int known; /* 1: no, 2: yes; whoever finds it out finds the same */
  int now = __atomic_load_n (&known, __ATOMIC_RELAXED);
  if (!now)
    {
      bool has = ((int)dnnl_get_effective_cpu_isa () & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx;
      now = has && syscall (SYS_arch_prctl, ASK_PERMISSION, TILE_DATA) == 0 ? 2 : 1;
      __atomic_store_n (&known, now, __ATOMIC_RELAXED);
    }
  return now == 2;
}
#else
bool
pare_accel_has_amx (void)
{
  return false;
}
#endif
