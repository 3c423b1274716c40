/* What LSTM, GRU and RNN share: operands, packed weights, scratch and the walk over directions and steps.
 *
 * Units are cut into panels of a few vectors: all of a panel's gates are multiplied together, and its weights lie in the order
 * in which the product reads them. Panels are shared by threads, step by step. */
#pragma once
#include "engine/runtime/kernels/int-weights.h"
#include "engine/runtime/kernels/tile.h"

/* Gates that are multiplied at once. GRU whose candidate waits for the reset gates of all units has two such stages in a step. */
typedef struct
{
  int first, gates, vectors; /* vectors: of units in a panel, few enough that it fits the first cache */
  int64_t width, panels;     /* units of a panel; the last may be narrower */
} PareRtRnnStage;

/* What the operands of one direction are. */
typedef struct
{
  const float *w, *r, *bias, *peep; /* bias [2 G H] and peep [3 H] may be NULL */
  const float *panels_w, *panels_r; /* packed, NULL: not */
  const float *xw;                  /* [steps * batch, G * H]: x w' + bias; NULL: together */
  float *merged;                    /* [G * H]: the bias that is added to x w' */
  float *h[2], *c, *hold[2];        /* [batch, room]: state before and behind a step, by turns; LSTM's cell; what stage 0 leaves */
  int index;                        /* of the direction */
  bool backward;
} PareRtRnnSide;

/* Units that a cell makes at once at most: enough for its functions, few enough for the first cache. */
#define PARE_RT_RNN_UNITS 128

typedef struct
{
  const float *xw, *hr;    /* sums; gate g of unit i: xw[g * xw_apart + i], hr[g * width + i] */
  int64_t xw_apart, width; /* may be read up to width, and written in the state */
  int64_t unit, n;         /* the first, and how many there are */
  const float *before;     /* the state, from this unit on */
  float *h, *c, *hold[2];
} PareRtRnnUnits;

typedef struct PareRtRnn PareRtRnn;
typedef void (*PareRtRnnCell) (const PareRtRnn *s, const PareRtRnnSide *side, int stage, PareRtRnnUnits *at);

/* The state times R by somebody who is faster than the panels here: operand 2 has it as `packed`. */
typedef struct
{
  int64_t direction, hidden, unit, end; /* units: whole vectors, the last perhaps of fewer */
  int first, gates;
  const float *x; /* rows of states, at most PARE_RT_PANEL_ROWS of them */
  int64_t rows, x_row;
  bool backwards; /* the units that were read last are still in the first cache */
  float *y;       /* [rows][gates][end - unit] */
} PareRtRnnProduct;

typedef struct PareRtRnnMultiplier PareRtRnnMultiplier;
struct PareRtRnnMultiplier
{
  void (*multiply) (const PareRtRnnMultiplier *self, const PareRtRnnProduct *p);
  PareRtRnnCell lstm;   /* of LSTM with its usual functions and no peepholes; NULL: as ever */
  void (*leave) (void); /* what each thread that multiplied does in the end */
};

/* A matrix of codes, whose other operand is laid on the grid of its own range when it is there. */
typedef struct
{
  PareView view; /* with what was packed */
  PareIntWeights weights;
  const float *scale; /* of each row */
  uint64_t row_bytes; /* of a row of the other operand */
} PareRtRnnCodes;

struct PareRtRnn
{
  const PareRnnParams *p;
  int64_t steps, batch, inputs, hidden, gates, directions; /* gates: G */
  int64_t room;                                            /* places of a row of states: hidden in whole vectors */
  bool together;     /* a single step multiplies x with the state, which else is one product for all steps; so its weights lie */
  bool projected;    /* that product is an operand, whatever the weights of x are for */
  bool narrow;       /* panels are of bfloat16: half of what there is to be read */
  bool usual;        /* sigmoid and tanh, nothing clipped */
  bool codes;        /* both matrices are of codes: of_x, of_state */
  int stages, merge; /* merge: gates whose recurrent bias is in `merged` */
  PareRtRnnStage stage[2];
  PareRtRnnCell cell;
  PareRtRnnSide side[2];
  const PareRtRnnMultiplier *multiplier; /* of the state; NULL: the panels here */
  const int32_t *lengths;                /* of the batch's sequences; NULL: all take every step */
  float *y, *unpacked;                   /* y: NULL where nobody wants it; unpacked: room for a panel of each worker */
  uint64_t panel_floats;
  PareRtRnnCodes of_x, of_state;
  uint8_t *laid;         /* codes of x, then what each worker needs for those of the state */
  uint64_t worker_bytes; /* of that */
};

/* What a kind of layer is: its cell, its gates and how they are staged. */
typedef struct
{
  int gates, stages, merge;
  PareRtRnnStage stage[2];
  PareRtRnnCell cell;
  bool lstm;
} PareRtRnnKind;
/* Checks all operands. */
PareRtStatus pare_rt_rnn_check (PareRtRnn *s, const PareRnnParams *p, const PareRtRnnKind *kind, bool narrow, const PareView *in,
                                uint32_t n_in, const PareView *out, uint32_t n_out);
/* The kernel, its scratch and its packed weights. */
PareRtStatus pare_rt_rnn_run (const PareRnnParams *p, const PareRtRnnKind *kind, const PareView *in, uint32_t n_in, PareView *out,
                              uint32_t n_out, void *scratch);
uint64_t pare_rt_rnn_scratch (const PareRnnParams *p, const PareRtRnnKind *kind, const PareView *in, uint32_t n_in, const PareView *out,
                              uint32_t n_out);
uint64_t pare_rt_rnn_pack (const PareRnnParams *p, const PareRtRnnKind *kind, const PareView *in, uint32_t n_in, const PareView *out,
                           uint32_t n_out, float *to);
/* v = activation (clip (v)) for n values; which: index into the activations. */
void pare_rt_rnn_activate (const PareRnnParams *p, int which, bool clip, float *v, int64_t n);

/* --- rnn-codes.c --- */
/* Operands 1, 2, 9 and 10 of a layer whose other operands were checked: codes and their scales. Sets of_x, of_state, and the stages to
 * whole blocks of them. */
PareRtStatus pare_rt_rnn_codes_check (PareRtRnn *s, const PareView *in, uint32_t n_in);
/* Bytes of s->laid; false: more than can be counted. */
bool pare_rt_rnn_codes_room (PareRtRnn *s, uint64_t *bytes);
/* x w' and the merged bias of every side, for all steps. */
void pare_rt_rnn_codes_project (const PareRtRnn *s, const float *x);
/* Lays the state in front of a step on the grid that the range of all of it asks for; then some rows of it, from row `row` on, times R. */
void pare_rt_rnn_codes_lay (const PareRtRnn *s, const float *state, int worker);
void pare_rt_rnn_codes_multiply (const PareRtRnn *s, const PareRtRnnProduct *p, int64_t row, int worker);
/* As pare_rt_rnn_pack() has it. */
uint64_t pare_rt_rnn_codes_pack (PareRtRnn *s, uint8_t *to);

/* --- rnn-weights.c --- */
/* What was packed is narrow; NULL: nothing was. */
bool pare_rt_rnn_is_narrow (const void *packed);
/* Packs panel `panel` of a stage of [G H, depth] weights; returns its floats, of which each is two of bfloat16 where they are narrow. */
int64_t pare_rt_rnn_pack_panel (const PareRtRnn *s, int stage, int64_t panel, int64_t depth, const float *weights, float *to);
/* Floats before that panel in the weights of a whole direction. */
int64_t pare_rt_rnn_panel_at (const PareRtRnn *s, int stage, int64_t panel, int64_t depth);
int64_t pare_rt_rnn_panels_floats (const PareRtRnn *s, int64_t depth);
/* Finds a direction's weights in what pare_rt_rnn_pack() made, NULL: nothing; w_gemm: of the product for all steps. */
void pare_rt_rnn_find (const PareRtRnn *s, const void *packed, int64_t direction, const float **panels_w, const float **panels_r,
                       const float **w_gemm);
