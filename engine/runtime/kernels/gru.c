/* GRU, gates z r h: H = (1 - z) h + z H, where h sees r H through its matrix, or with linear_before_reset r times (H through its matrix).
 */
#include "engine/runtime/kernels/rnn-common.h"

static void
step (const PareRtRnn *s, const PareRtRnnSide *side, const float *xw)
{
  int64_t n = s->hidden, wide = 3 * n;
  int first = side->index * 2;
  bool linear = s->p->linear_before_reset != 0;
  /* the rows of z and r (and h) lie side by side for each sample, whichever are made at once */
  int64_t made = linear ? wide : 2 * n;
  pare_rt_rnn_recur (s, s->h, side->r, made, s->hr);
  for (int64_t b = 0; b < s->batch; b++)
    {
      float *g = s->hr + b * made;
      for (int64_t i = 0; i < 2 * n; i++)
        g[i] = xw[b * wide + i] + g[i];
      pare_rt_rnn_activate (s->p, first, true, g, 2 * n);
      for (int64_t i = 0; i < n; i++)
        s->c[b * n + i] = linear ? g[n + i] * (g[2 * n + i] + (side->bias ? side->bias[wide + 2 * n + i] : 0)) : g[n + i] * s->h[b * n + i];
    }
  float *candidate = s->c;
  if (!linear)
    {
      /* behind the [batch, 2 H] of z and r there is room for [batch, H] more */
      candidate = s->hr + s->batch * 2 * n;
      pare_rt_rnn_recur (s, s->c, side->r + 2 * n * n, n, candidate);
    }
  for (int64_t b = 0; b < s->batch; b++)
    {
      const float *z = s->hr + b * made;
      float *v = candidate + b * n, *h = s->h + b * n;
      for (int64_t i = 0; i < n; i++)
        v[i] = xw[b * wide + 2 * n + i] + v[i] + (!linear && side->bias ? side->bias[wide + 2 * n + i] : 0);
      pare_rt_rnn_activate (s->p, first + 1, true, v, n);
      for (int64_t i = 0; i < n; i++)
        h[i] = (1 - z[i]) * v[i] + z[i] * h[i];
    }
}

KERNEL (pare_rt_k_gru)
{
  PareRtRnn s;
  PareRtStatus status = pare_rt_rnn_check (&s, params, 3, false, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  pare_rt_rnn_run (&s, in, n_in, out, n_out, 2, false, scratch, step);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_gru)
{
  PareRtRnn s;
  return pare_rt_rnn_check (&s, params, 3, false, in, n_in, out, n_out) == PARE_RT_OK ? pare_rt_rnn_scratch (&s) : 0;
}
