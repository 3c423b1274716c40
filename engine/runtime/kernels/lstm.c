/* LSTM, gates i o f c: C = f(F) C + f(I) g(c), H = f(O) h(C); peepholes look at the old C (i, f) and the new one (o).
 * The clip bounds the gates, not the cell, as in ONNX Runtime. */
#include "engine/runtime/kernels/rnn-common.h"

static void
step (const PareRtRnn *s, const PareRtRnnSide *side, const float *xw)
{
  int64_t n = s->hidden, wide = 4 * n;
  int first = side->index * 3;
  const float *peep = side->peep;
  pare_rt_rnn_recur (s, s->h, side->r, wide, s->hr);
  for (int64_t b = 0; b < s->batch; b++)
    {
      float *g = s->hr + b * wide, *h = s->h + b * n, *c = s->c + b * n;
      for (int64_t i = 0; i < wide; i++)
        g[i] = xw[b * wide + i] + g[i];
      for (int64_t i = 0; peep && i < n; i++)
        {
          g[i] += peep[i] * c[i];
          g[2 * n + i] += peep[2 * n + i] * c[i];
        }
      pare_rt_rnn_activate (s->p, first, true, g, n);
      pare_rt_rnn_activate (s->p, first, true, g + 2 * n, n);
      pare_rt_rnn_activate (s->p, first + 1, true, g + 3 * n, n);
      for (int64_t i = 0; i < n; i++)
        {
          c[i] = g[2 * n + i] * c[i] + g[i] * g[3 * n + i];
          h[i] = c[i];
        }
      for (int64_t i = 0; peep && i < n; i++)
        g[n + i] += peep[n + i] * c[i];
      pare_rt_rnn_activate (s->p, first, true, g + n, n);
      pare_rt_rnn_activate (s->p, first + 2, false, h, n);
      for (int64_t i = 0; i < n; i++)
        h[i] *= g[n + i];
    }
}

KERNEL (pare_rt_k_lstm)
{
  PareRtRnn s;
  PareRtStatus status = pare_rt_rnn_check (&s, params, 4, true, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  pare_rt_rnn_run (&s, in, n_in, out, n_out, 4, true, scratch, step);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_lstm)
{
  PareRtRnn s;
  return pare_rt_rnn_check (&s, params, 4, true, in, n_in, out, n_out) == PARE_RT_OK ? pare_rt_rnn_scratch (&s) : 0;
}
