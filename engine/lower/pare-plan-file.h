/* A compiled model as the file that pare-rt and boards run (engine/runtime/pare-rt-file.h says how it is laid out). */
#pragma once
#include "engine/lower/pare-program.h"

/* Written beside the path and then moved there: an interrupted write leaves what was there before. */
gboolean pare_program_save_plan (const PareProgram *self, const char *path, GError **error);

/* What a step of the last run computed, hashed in logical row-major order: equal wherever the arithmetic is, whatever the backend. The
 * program must have been compiled with keep_steps. */
typedef struct
{
  guint64 hash;
  const char *op, *layer; /* borrowed; layer "": none of its own */
} PareStepHash;
/* (transfer full) array of *n, one for each step; g_free. */
PareStepHash *pare_runner_dup_hashes (PareRunner *self, guint *n);
