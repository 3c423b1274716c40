/* One turn of a loop that waits for another processor. */
#pragma once
#include <stdatomic.h>

static inline void
pare_rt_pause (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
  __asm__ volatile("yield");
#else
  atomic_signal_fence (memory_order_seq_cst);
#endif
}
