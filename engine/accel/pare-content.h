#pragma once
#include <stdint.h>

/* What bytes are the same: a fast hash, for content that nobody forges. */
typedef struct
{
  uint64_t a, b;
} PareContentKey;
PareContentKey pare_content_hash (PareContentKey seed, const void *data, uint64_t bytes);
/* Of a constant's bytes alone. */
PareContentKey pare_constant_hash (const void *data, uint64_t bytes);
