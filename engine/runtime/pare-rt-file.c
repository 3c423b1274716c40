#include "engine/runtime/pare-rt-file.h"

#include <string.h>

_Static_assert(sizeof (PareRtFileHeader) == 256, "the header's size is part of the format");
_Static_assert(sizeof (PareShape) == 72 && sizeof (PareRtValue) == 112 && sizeof (PareRtStep) == 152, "sizes are part of the format");
_Static_assert(sizeof (PareDtype) == 4 && sizeof (PareRtOp) == 4 && sizeof (PareRtKind) == 4, "enumerations are 32 bits in the format");
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "plans are little-endian"
#endif

static const char magic[8] = { 'P', 'A', 'R', 'E', 'P', 'L', 'A', 'N' };

uint64_t
pare_rt_hash (const void *data, uint64_t bytes)
{
  const uint8_t *p = data;
  uint64_t h = 0xcbf29ce484222325u ^ bytes, word;
  for (; bytes >= 8; p += 8, bytes -= 8)
    {
      memcpy (&word, p, 8);
      h = (h ^ word) * 0x9fb21c651e98df25u;
      h ^= h >> 32;
    }
  word = 0;
  memcpy (&word, p, bytes);
  h = (h ^ word) * 0x9fb21c651e98df25u;
  return h ^ h >> 29;
}

static uint64_t
up (uint64_t n)
{
  return (n + 63) / 64 * 64;
}

/* Over header and all that follows, its own field counting as zero. */
static uint64_t
hash_of (const uint8_t *data, PareRtFileHeader h)
{
  uint64_t parts[2] = { 0, pare_rt_hash (data + sizeof h, h.file_bytes - sizeof h) };
  h.hash = 0;
  parts[0] = pare_rt_hash (&h, sizeof h);
  return pare_rt_hash (parts, sizeof parts);
}

/* --- writing --- */

static uint32_t
n_names (const PareRtPlan *plan)
{
  return plan->n_inputs + plan->n_outputs + plan->n_steps;
}

static PareRtFileHeader
lay_out (const PareRtPlan *plan, const char *const *names)
{
  PareRtFileHeader h = { .version = PARE_RT_FILE_VERSION,
                         .header_bytes = sizeof h,
                         .value_bytes = sizeof (PareRtValue),
                         .step_bytes = sizeof (PareRtStep),
                         .n_values = plan->n_values,
                         .n_steps = plan->n_steps,
                         .n_inputs = plan->n_inputs,
                         .n_outputs = plan->n_outputs,
                         .params_bytes = plan->params_bytes,
                         .constants_bytes = plan->constants_bytes,
                         .arena_bytes = plan->arena_bytes,
                         .sum_bytes = plan->sum_bytes };
  memcpy (h.magic, magic, sizeof magic);
  h.names_bytes = (uint64_t)n_names (plan) * 4;
  for (uint32_t i = 0; i < n_names (plan); i++)
    h.names_bytes += strlen (names[i]) + 1;
  h.values = sizeof h;
  h.steps = up (h.values + (uint64_t)plan->n_values * sizeof (PareRtValue));
  h.inputs = up (h.steps + (uint64_t)plan->n_steps * sizeof (PareRtStep));
  h.outputs = up (h.inputs + (uint64_t)plan->n_inputs * 4);
  h.params = up (h.outputs + (uint64_t)plan->n_outputs * 4);
  h.names = up (h.params + plan->params_bytes);
  h.constants = up (h.names + h.names_bytes);
  h.file_bytes = h.names_bytes > UINT32_MAX ? UINT64_MAX : up (h.constants + plan->constants_bytes);
  return h;
}

uint64_t
pare_rt_file_bytes (const PareRtPlan *plan, const char *const *names)
{
  return lay_out (plan, names).file_bytes;
}

static void
put (uint8_t *to, const void *from, uint64_t bytes)
{
  if (bytes > 0)
    memcpy (to, from, bytes);
}

/* Constants that lie here and there, at their offsets. */
static void
gather (const PareRtPlan *plan, uint8_t *to)
{
  memset (to, 0, plan->constants_bytes);
  for (uint32_t i = 0; i < plan->n_values; i++)
    if (plan->values[i].kind == PARE_RT_CONSTANT)
      put (to + plan->values[i].offset, pare_rt_plan_constant (plan, i), plan->values[i].bytes);
}

void
pare_rt_file_write (const PareRtPlan *plan, const char *const *names, void *data)
{
  PareRtFileHeader h = lay_out (plan, names);
  uint8_t *to = data;
  memset (to, 0, h.constants);
  memset (to + h.constants + plan->constants_bytes, 0, h.file_bytes - h.constants - plan->constants_bytes);
  put (to + h.values, plan->values, (uint64_t)plan->n_values * sizeof (PareRtValue));
  put (to + h.steps, plan->steps, (uint64_t)plan->n_steps * sizeof (PareRtStep));
  put (to + h.inputs, plan->inputs, (uint64_t)plan->n_inputs * 4);
  put (to + h.outputs, plan->outputs, (uint64_t)plan->n_outputs * 4);
  put (to + h.params, plan->params, plan->params_bytes);
  if (plan->external)
    gather (plan, to + h.constants);
  else
    put (to + h.constants, plan->constants, plan->constants_bytes);
  uint32_t at = n_names (plan) * 4;
  for (uint32_t i = 0; i < n_names (plan); i++)
    {
      memcpy (to + h.names + (uint64_t)i * 4, &at, 4);
      put (to + h.names + at, names[i], strlen (names[i]) + 1);
      at += (uint32_t)strlen (names[i]) + 1;
    }
  h.hash = hash_of (to, h);
  memcpy (to, &h, sizeof h);
}

/* --- reading --- */

/* A section lies inside the file, behind the header, where its structs are aligned. */
static bool
inside (const PareRtFileHeader *h, uint64_t offset, uint64_t n, uint64_t size)
{
  return offset % 64 == 0 && offset >= sizeof *h && offset <= h->file_bytes && n <= (h->file_bytes - offset) / size;
}

static bool
names_are_fine (const uint8_t *names, uint64_t bytes, uint64_t n)
{
  if (n * 4 > bytes || (n > 0 && names[bytes - 1] != 0))
    return false;
  for (uint64_t i = 0; i < n; i++)
    {
      uint32_t at;
      memcpy (&at, names + i * 4, 4);
      if (at < n * 4 || at >= bytes)
        return false;
    }
  return true;
}

const char *
pare_rt_file_open (const void *data, uint64_t bytes, PareRtFile *file)
{
  PareRtFileHeader h;
  const uint8_t *base = data;
  if (bytes < sizeof h)
    return "the file is too short";
  memcpy (&h, data, sizeof h);
  if (memcmp (h.magic, magic, sizeof magic) != 0)
    return "the file is not a plan";
  if (h.version != PARE_RT_FILE_VERSION)
    return "the plan is of another version";
  if (h.header_bytes != sizeof h || h.value_bytes != sizeof (PareRtValue) || h.step_bytes != sizeof (PareRtStep))
    return "the plan's structs have other sizes";
  if (h.file_bytes != bytes)
    return "the file is cut off or has bytes left over";
  if (((uintptr_t)data & 63) != 0)
    return "the plan is not aligned";
  if (!inside (&h, h.values, h.n_values, sizeof (PareRtValue)) || !inside (&h, h.steps, h.n_steps, sizeof (PareRtStep))
      || !inside (&h, h.inputs, h.n_inputs, 4) || !inside (&h, h.outputs, h.n_outputs, 4) || !inside (&h, h.params, h.params_bytes, 1)
      || !inside (&h, h.names, h.names_bytes, 1) || !inside (&h, h.constants, h.constants_bytes, 1))
    return "a section lies outside the file";
  if (!names_are_fine (base + h.names, h.names_bytes, (uint64_t)h.n_inputs + h.n_outputs + h.n_steps))
    return "a name lies outside";
  *file = (PareRtFile){ .names = base + h.names, .names_bytes = h.names_bytes };
  file->plan = (PareRtPlan){ .n_values = h.n_values,
                             .n_steps = h.n_steps,
                             .n_inputs = h.n_inputs,
                             .n_outputs = h.n_outputs,
                             .values = (PareRtValue *)(uintptr_t)(base + h.values),
                             .steps = (PareRtStep *)(uintptr_t)(base + h.steps),
                             .inputs = (uint32_t *)(uintptr_t)(base + h.inputs),
                             .outputs = (uint32_t *)(uintptr_t)(base + h.outputs),
                             .params = (uint8_t *)(uintptr_t)(base + h.params),
                             .params_bytes = h.params_bytes,
                             .constants = (uint8_t *)(uintptr_t)(base + h.constants),
                             .constants_bytes = h.constants_bytes,
                             .arena_bytes = h.arena_bytes,
                             .sum_bytes = h.sum_bytes };
  return pare_rt_plan_check (&file->plan);
}

bool
pare_rt_file_is_whole (const void *data)
{
  PareRtFileHeader h;
  memcpy (&h, data, sizeof h);
  return hash_of (data, h) == h.hash;
}

static const char *
name_at (const PareRtFile *file, uint64_t i)
{
  uint32_t at;
  memcpy (&at, file->names + i * 4, 4);
  return (const char *)file->names + at;
}

const char *
pare_rt_file_input_name (const PareRtFile *file, uint32_t i)
{
  return name_at (file, i);
}

const char *
pare_rt_file_output_name (const PareRtFile *file, uint32_t i)
{
  return name_at (file, (uint64_t)file->plan.n_inputs + i);
}

const char *
pare_rt_file_layer_name (const PareRtFile *file, uint32_t step)
{
  return name_at (file, (uint64_t)file->plan.n_inputs + file->plan.n_outputs + step);
}
