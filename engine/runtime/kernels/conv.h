#pragma once
#include "engine/runtime/kernels/kernel.h"
#include "engine/runtime/kernels/tile.h"

typedef struct
{
  int64_t n, c, m, group, in[3], out[3], k[3], stride[3], dil[3], pad[3], pad_end[3];
} ConvGeometry;

bool pare_rt_conv_geometry (const PareConvParams *p, const PareView *x, const PareView *w, const PareView *y, ConvGeometry *g);
/* y = act(y + bias + residual) over n floats of one channel */
void pare_rt_conv_epilogue (float *y, const float *residual, int64_t n, float bias, const PareConvParams *p);

/* The part of the input under a block of output, as the kernels like it: with its padding, and for strides above 1 sorted into phases, so
 * that every tap sees the output's columns (and rows) in steps of one. Row r and column c, counted from the first under the block, lie at
 *   ((r % stride) * col_phases + c % stride) * plane + (r / stride) * pitch + c / stride. */
typedef struct
{
  int64_t rows, cols;             /* of output, in a full block */
  int64_t row_phases, col_phases; /* those that a tap can meet */
  int64_t pitch, plane, channel;  /* floats; a channel: all its phases, at each depth of the kernel */
} ConvBlock;

/* FALSE: too large for numbers. */
bool pare_rt_conv_block (const ConvGeometry *g, int64_t rows, int64_t cols, ConvBlock *b);
/* Where taps (kz, ky, kx) lie, in their order. */
void pare_rt_conv_taps (const ConvGeometry *g, const ConvBlock *b, int64_t *taps);
/* Fills `to` with channels of x (each g->in[0..2] floats) under output (oz, oy.., ox..). end: where the whole tensor ends.
 * outside: the value of the padding. */
void pare_rt_conv_fill (const ConvGeometry *g, const ConvBlock *b, const float *x, const float *end, int64_t channels, int64_t oz,
                        int64_t oy, int64_t rows, int64_t ox, int64_t cols, float outside, float *to);
/* What follows the packed input: tiles read (and fill writes) whole vectors. */
#define CONV_SLACK 64

typedef struct
{
  const PareConvParams *p;
  const PareRtIsa *isa;
  ConvGeometry g;
  int64_t cg, mg, terms; /* of a group; terms = cg * kernel */
  ConvBlock block;
  bool depthwise, pointwise, flat;
  int64_t row_blocks, col_blocks; /* of one depth of output; pointwise: columns are all positions */
  int64_t grain;                  /* pointwise: blocks begin at multiples of so many */
  int64_t m_tiles, m_blocks;      /* of a group: tiles of rows, and into how many tasks they are cut */
  int64_t taps;                   /* entries of the table in front of the scratch */
  int64_t each;                   /* floats of a worker's scratch */
  int winograd;                   /* m of its tiles; 0: not that way */
  int64_t across, down, tiles;    /* tiles of a row, rows of them, all */
  int64_t band, bands;            /* tiles that a task transforms at a time */
  bool serial;                    /* too little work to share */
  const float *x, *x_end, *w, *b, *residual;
  const float *packed;
  float *y;
  char *scratch;
} ConvJob;

/* How a product is cut for that many workers. FALSE: too large. */
bool pare_rt_conv_cut (ConvJob *job, int workers);
void pare_rt_conv_direct (ConvJob *job);
/* --- conv-winograd.c: 3 x 3 with a step of one, where weights are packed --- */
/* The m that takes least by the layer alone, 0: another way does. */
int pare_rt_winograd_choose (const ConvJob *job);
bool pare_rt_winograd_cut (ConvJob *job, int workers);
/* Floats of the packed weights; to NULL: only asks. */
int64_t pare_rt_winograd_pack (const ConvJob *job, const float *w, float *to);
void pare_rt_conv_winograd (ConvJob *job);
/* --- conv-unfold.c: few positions of output --- */
bool pare_rt_conv_unfolds (const ConvJob *job);
/* In bytes. */
uint64_t pare_rt_conv_unfold_scratch (const ConvJob *job, int workers);
uint64_t pare_rt_conv_unfold_pack (const ConvJob *job, const float *w, float *to);
void pare_rt_conv_unfold (const ConvJob *job);
/* One input channel per group, two spatial axes (in[0] == 1). What it takes of the table in front (entries) and of each worker's floats. */
void pare_rt_conv_depthwise_scratch (const ConvJob *job, int64_t *entries, int64_t *floats);
void pare_rt_conv_depthwise (ConvJob *job);
/* Some microseconds, which are not worth sharing: what another processor has written takes as long to come, unless it is near. */
static inline bool
conv_is_small (const ConvJob *job)
{
  const ConvGeometry *g = &job->g;
  double work = (double)g->n * (double)g->m * (double)(g->out[0] * g->out[1] * g->out[2]) * (double)job->terms;
  return work < (job->depthwise ? 20000.0 : 40000.0) * job->isa->lanes / (pare_rt_workers_are_near () ? 4 : 1);
}

/* The rows of a group's tile i: m_tiles of them, as even as they come. */
static inline int64_t
conv_tile_start (int64_t mg, int64_t tiles, int64_t i)
{
  return mg * i / tiles;
}
