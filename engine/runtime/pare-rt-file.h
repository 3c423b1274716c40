/* A plan as one flat file that a program maps and runs without parsing: the host writes it, the runner on boards and generated C read it.
 * Little-endian; every section starts at a multiple of 64, so that the file may be mapped, read into aligned memory or linked in as an
 * array.
 *
 *   header (256 bytes) | values | steps | inputs | outputs | params | names | constants
 *
 * The structs are those of pare-rt.h as they stand; the header says their sizes. Names: offsets (uint32) of inputs, outputs and the layer
 * of each step, then the texts, each ended by a zero byte. */
#pragma once
#include "engine/runtime/pare-rt.h"

#define PARE_RT_FILE_VERSION 4

typedef struct
{
  char magic[8]; /* "PAREPLAN" */
  uint32_t version, header_bytes, value_bytes, step_bytes;
  uint32_t n_values, n_steps, n_inputs, n_outputs;
  uint64_t values, steps, inputs, outputs, params, names, constants; /* offsets from the start */
  uint64_t params_bytes, names_bytes, constants_bytes, arena_bytes, sum_bytes, file_bytes;
  uint64_t hash; /* of the whole file, this field counting as zero */
  uint8_t reserved[256 - 8 - 8 * 4 - 14 * 8];
} PareRtFileHeader;

typedef struct
{
  PareRtPlan plan; /* points into the file's bytes, which must stay; nothing of it is to be freed */
  const uint8_t *names;
  uint64_t names_bytes;
} PareRtFile;

/* data: 64-byte aligned. Checks every size, offset, index and parameter (not the hash). 0 if fine, else a static text that says what is
 * wrong. */
const char *pare_rt_file_open (const void *data, uint64_t bytes, PareRtFile *file);
/* Of an opened file: false where its bytes are not those that were written. Reads all of it. */
bool pare_rt_file_is_whole (const void *data);
/* Borrowed. i: below n_inputs, n_outputs, n_steps. */
const char *pare_rt_file_input_name (const PareRtFile *file, uint32_t i);
const char *pare_rt_file_output_name (const PareRtFile *file, uint32_t i);
const char *pare_rt_file_layer_name (const PareRtFile *file, uint32_t step);

/* names: n_inputs + n_outputs + n_steps texts. Bytes the file takes; UINT64_MAX: too much for the format. */
uint64_t pare_rt_file_bytes (const PareRtPlan *plan, const char *const *names);
/* to: that many bytes, 64-byte aligned. */
void pare_rt_file_write (const PareRtPlan *plan, const char *const *names, void *to);

/* 64-bit hash over bytes: files, and what layers computed (in logical row-major order, so that it does not depend on the backend). */
uint64_t pare_rt_hash (const void *data, uint64_t bytes);
