#pragma once
#include "engine/runtime/kernels/kernel.h"

typedef struct { int64_t n, c, m, group, in[3], out[3], k[3], stride[3], dil[3], pad[3], pad_end[3]; } ConvGeometry;

bool pare_rt_conv_geometry (const PareConvParams *p, const PareView *x, const PareView *w, const PareView *y, ConvGeometry *g);
/* y = act(y + bias + residual) over n floats of one channel */
void pare_rt_conv_epilogue (float *y, const float *residual, int64_t n, float bias, const PareConvParams *p);
/* One input channel per group, two spatial axes (in[0] == 1). */
void pare_rt_conv_depthwise (const PareConvParams *p, const ConvGeometry *g, const float *x, const float *w, const float *b, const float *residual, float *y);
