/* What the ways to compute a QConv share. */
#pragma once
#include "engine/runtime/kernels/conv.h"
#include "engine/runtime/kernels/int-weights.h"
#include "engine/runtime/kernels/integer.h"

typedef struct
{
  const PareQConvParams *p;
  ConvGeometry g;
  uint32_t n_in;
  const PareView *x, *w, *y;
  const int32_t *bias; /* or NULL */
  const float *scale;
  const float *factor, *offset; /* both or NULL */
  float least, most, rounding;  /* of v before them */
} PareQConv;

/* The definition, loop by loop: three spatial axes, and shapes nothing else is made for. */
void pare_rt_qconv_loop (const PareQConv *c);

/* A matrix product for each group; two spatial axes. Scratch bytes of one worker: 0 where the shape is not one for it. */
uint64_t pare_rt_qconv_gemm_scratch (const PareQConv *c, int workers);
void pare_rt_qconv_gemm (const PareQConv *c, void *scratch);
/* Their weights, as they are to be packed. */
PareIntWeights pare_rt_qconv_weights_to_pack (const PareQConv *c);

/* The same on a matrix unit. */
uint64_t pare_rt_qconv_matrix_scratch (const PareQConv *c, int workers);
void pare_rt_qconv_matrix (const PareQConv *c, void *scratch);
uint64_t pare_rt_qconv_matrix_pack (const PareQConv *c, void *packed);

/* One input channel a group; as above. */
uint64_t pare_rt_qconv_depthwise_scratch (const PareQConv *c);
void pare_rt_qconv_depthwise (const PareQConv *c, void *scratch);
uint64_t pare_rt_qconv_depthwise_pack (const PareQConv *c, void *packed);

/* Bytes of scratch beyond which the loop is taken: shapes of absurd padding or dilation. */
#define PARE_QCONV_MOST (1 << 28)

static inline int64_t
at_least (int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static inline int64_t
at_most (int64_t a, int64_t b)
{
  return a < b ? a : b;
}
