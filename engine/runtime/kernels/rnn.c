/* RNN: h = f (x w' + h r' + b). */
#include "engine/runtime/kernels/rnn-common.h"

static void
cell (const PareRtRnn *s, const PareRtRnnSide *side, int stage, PareRtRnnUnits *at)
{
  for (int64_t i = 0; i < at->n; i++)
    at->h[i] = at->xw[i] + at->hr[i];
  pare_rt_rnn_activate (s->p, side->index, true, at->h, at->n);
}

static const PareRtRnnKind kind = { .gates = 1, .stages = 1, .merge = 1, .stage = { { 0, 1, 4, 0, 0 } }, .cell = cell };

KERNEL (pare_rt_k_rnn)
{
  return pare_rt_rnn_run (params, &kind, in, n_in, out, n_out, scratch);
}

SCRATCH (pare_rt_s_rnn)
{
  return pare_rt_rnn_scratch (params, &kind, in, n_in, out, n_out);
}

PACK (pare_rt_p_rnn)
{
  return pare_rt_rnn_pack (params, &kind, in, n_in, out, n_out, packed);
}
