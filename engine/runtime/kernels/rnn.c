/* RNN: h = f (x w' + h r' + b). */
#include "engine/runtime/kernels/rnn-common.h"

static void
step (const PareRtRnn *s, const PareRtRnnSide *side, const float *xw)
{
  int64_t n = s->batch * s->hidden;
  pare_rt_rnn_recur (s, s->h, side->r, s->hidden, s->hr);
  for (int64_t i = 0; i < n; i++)
    s->h[i] = xw[i] + s->hr[i];
  pare_rt_rnn_activate (s->p, side->index, true, s->h, n);
}

KERNEL (pare_rt_k_rnn)
{
  PareRtRnn s;
  PareRtStatus status = pare_rt_rnn_check (&s, params, 1, false, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  pare_rt_rnn_run (&s, in, n_in, out, n_out, 1, false, scratch, step);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_rnn)
{
  PareRtRnn s;
  return pare_rt_rnn_check (&s, params, 1, false, in, n_in, out, n_out) == PARE_RT_OK ? pare_rt_rnn_scratch (&s) : 0;
}
