/* LSTM, gates i o f c: C = f(F) C + f(I) g(c), H = f(O) h(C); peepholes look at the old C (i, f) and the new one (o).
 * The clip bounds the gates, not the cell, as in ONNX Runtime. */
#include "engine/runtime/kernels/rnn-common.h"

/* One function to a loop: the compiler makes no vectors of loops with more. */
PARE_RT_CLONES static void
usual_cell (const PareRtRnnUnits *at)
{
  const float *x = at->xw, *r = at->hr;
  int64_t n = at->width, apart = at->xw_apart;
  float g[4 * PARE_RT_RNN_UNITS], t[PARE_RT_RNN_UNITS], *c = at->c, *h = at->h;
  for (int64_t gate = 0; gate < 4; gate++)
    for (int64_t i = 0; i < n; i++)
      g[gate * n + i] = x[gate * apart + i] + r[gate * n + i];
  for (int64_t i = 0; i < 3 * n; i++)
    g[i] = sigmoid_f32 (g[i]);
  for (int64_t i = 0; i < n; i++)
    t[i] = tanh_f32 (g[3 * n + i]);
  for (int64_t i = 0; i < n; i++)
    t[i] = c[i] = g[2 * n + i] * c[i] + g[i] * t[i];
  for (int64_t i = 0; i < n; i++)
    t[i] = tanh_f32 (t[i]);
  for (int64_t i = 0; i < n; i++)
    h[i] = t[i] * g[n + i];
}

static void
cell (const PareRtRnn *s, const PareRtRnnSide *side, int stage, PareRtRnnUnits *at)
{
  if (s->usual && !side->peep)
    {
      usual_cell (at);
      return;
    }
  int64_t n = at->n, w = at->width;
  int first = side->index * 3;
  const float *peep = side->peep ? side->peep + at->unit : NULL;
  float g[4][PARE_RT_RNN_UNITS], *c = at->c, *h = at->h;
  for (int gate = 0; gate < 4; gate++)
    for (int64_t i = 0; i < n; i++)
      g[gate][i] = at->xw[gate * at->xw_apart + i] + at->hr[gate * w + i];
  for (int64_t i = 0; peep && i < n; i++)
    {
      g[0][i] += peep[i] * c[i];
      g[2][i] += peep[2 * s->hidden + i] * c[i];
    }
  pare_rt_rnn_activate (s->p, first, true, g[0], n);
  pare_rt_rnn_activate (s->p, first, true, g[2], n);
  pare_rt_rnn_activate (s->p, first + 1, true, g[3], n);
  for (int64_t i = 0; i < n; i++)
    {
      c[i] = g[2][i] * c[i] + g[0][i] * g[3][i];
      h[i] = c[i];
    }
  for (int64_t i = 0; peep && i < n; i++)
    g[1][i] += peep[s->hidden + i] * c[i];
  pare_rt_rnn_activate (s->p, first, true, g[1], n);
  pare_rt_rnn_activate (s->p, first + 2, false, h, n);
  for (int64_t i = 0; i < n; i++)
    h[i] *= g[1][i];
}

static const PareRtRnnKind kind = { .gates = 4, .stages = 1, .merge = 4, .stage = { { 0, 4, 1, 0, 0 } }, .cell = cell, .lstm = true };

KERNEL (pare_rt_k_lstm)
{
  return pare_rt_rnn_run (params, &kind, in, n_in, out, n_out, scratch);
}

SCRATCH (pare_rt_s_lstm)
{
  return pare_rt_rnn_scratch (params, &kind, in, n_in, out, n_out);
}

PACK (pare_rt_p_lstm)
{
  return pare_rt_rnn_pack (params, &kind, in, n_in, out, n_out, packed);
}
