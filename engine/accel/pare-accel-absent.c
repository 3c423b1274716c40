/* Built instead of the others where oneDNN is not there: callers run the portable interpreter. */
#include "engine/accel/pare-accel.h"

PareAccel *
pare_accel_new (const PareRtPlan *plan, int threads)
{
  return NULL;
}

void
pare_accel_free (PareAccel *self)
{
}

PareAccelRunner *
pare_accel_runner_new (PareAccel *self)
{
  return NULL;
}

void
pare_accel_runner_free (PareAccelRunner *self)
{
}

PareRtStatus
pare_accel_runner_run (PareAccelRunner *self, const PareView *inputs, uint64_t *step_ns, const volatile int *cancel, uint32_t *failed_step)
{
  return PARE_RT_UNSUPPORTED;
}

PareView
pare_accel_runner_view (PareAccelRunner *self, uint32_t value)
{
  return (PareView){ 0 };
}

double
pare_accel_get_coverage (const PareAccel *self)
{
  return 0;
}

const char *
pare_accel_version (void)
{
  return "none";
}
