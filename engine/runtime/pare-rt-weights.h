#pragma once
#include "engine/runtime/pare-rt.h"

/* The packed weights of a step, NULL: read them as they lie. */
const void *pare_rt_weights_get (const PareRtWeights *self, uint32_t step);
