/* Codes that lie among others 64 bytes at a time: brought apart, with padding between them, and together again. */
#pragma once
#include "engine/runtime/kernels/int-isa.h"

/* Of 64 bytes, those that are codes of an image among padding or garbage; `at` come before them. */
typedef struct
{
  uint64_t mask;
  int64_t at;
} PareIntRun;

/* n times 64 bytes. end: of what may be read of the image, and what may be written behind it: codes are moved 64 bytes at a time. */
typedef struct
{
  void (*spread) (uint8_t *to, const uint8_t *from, const uint8_t *end, const PareIntRun *runs, int64_t n, uint8_t padding);
  void (*collect) (uint8_t *to, const uint8_t *end, const uint8_t *from, const PareIntRun *runs, int64_t n);
} PareIntRuns;

/* NULL: CPUs that are as that set takes them to be cannot, or this one cannot. */
const PareIntRuns *pare_rt_int_runs (const PareIntIsa *isa);
