/* Built instead of the others where oneDNN is not there: callers run the portable interpreter. */
#include "engine/accel/pare-accel.h"

PareAccel *
pare_accel_new (const PareRtPlan *plan, int threads)
{
  return NULL;
}

bool
pare_accel_has_bf16 (void)
{
  return false;
}

uint32_t
pare_accel_count_bf16 (const PareAccel *self)
{
  return 0;
}

void
pare_accel_free (PareAccel *self)
{
}

uint64_t
pare_accel_packed_bytes (const PareAccel *self)
{
  return 0;
}

uint64_t
pare_accel_count_shared (void)
{
  return 0;
}

bool
pare_accel_get_content (const PareAccel *self, uint32_t value, PareContentKey *key)
{
  return false;
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

uint32_t
pare_accel_cut (const PareAccel *self, uint32_t step, const uint64_t *hashes, PareAccelPiece *pieces, uint32_t room, uint64_t *layout,
                bool *needs_input)
{
  return UINT32_MAX;
}

void *
pare_accel_runner_piece (PareAccelRunner *self, const PareAccelPiece *piece)
{
  return NULL;
}

void
pare_accel_runner_expect (PareAccelRunner *self, const void *data, uint64_t bytes)
{
}

PareRtStatus
pare_accel_runner_run_part (PareAccelRunner *self, const PareView *inputs, uint32_t from, uint32_t to, const volatile int *cancel,
                            uint32_t *failed_step)
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
