/* What LSTM, GRU and RNN share: operands, scratch and the walk over directions and steps. */
#pragma once
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  const PareRnnParams *p;
  int64_t steps, batch, inputs, hidden, gates, directions; /* gates: G */
  float *xw; /* [steps * batch, G * H]: x w' + both biases (GRU: see there) of the direction at hand */
  float *hr; /* [batch, G * H] */
  float *h;  /* [batch, H]: the state */
  float *c;  /* [batch, H]: the cell, or GRU's product with the reset gate */
  void *packing;
} PareRtRnn;

/* What the operands of one direction are at a step. */
typedef struct
{
  const float *w, *r, *bias, *peep; /* bias [2 G H] and peep [3 H] may be NULL */
  int index;                        /* of the direction */
} PareRtRnnSide;

/* Turns xw of one step ([batch, G * H]) and the state into the next state. */
typedef void (*PareRtRnnStep) (const PareRtRnn *s, const PareRtRnnSide *side, const float *xw);

/* Checks all operands of a cell with `gates` gates; cell: LSTM's operands are there. */
PareRtStatus pare_rt_rnn_check (PareRtRnn *s, const PareRnnParams *p, int gates, bool cell, const PareView *in, uint32_t n_in,
                                const PareView *out, uint32_t n_out);
/* Bytes of scratch of operands that passed; UINT64_MAX: more than can be counted. */
uint64_t pare_rt_rnn_scratch (const PareRtRnn *s);
/* merge_bias: how many of the gates have their recurrent bias added in xw already. */
void pare_rt_rnn_run (PareRtRnn *s, const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, int merge_bias, bool cell,
                      void *scratch, PareRtRnnStep step);
/* v = activation (clip (v)) for n values; which: index into the activations. */
void pare_rt_rnn_activate (const PareRnnParams *p, int which, bool clip, float *v, int64_t n);
/* to [batch, cols] = from [batch, H] r' where r is [cols, H] */
void pare_rt_rnn_recur (const PareRtRnn *s, const float *from, const float *r, int64_t cols, float *to);
