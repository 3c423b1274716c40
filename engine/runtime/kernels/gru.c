/* GRU, gates z r h: H = (1 - z) h + z H, where h sees r H through its matrix, or with linear_before_reset r times (H through its matrix).
 */
#include "engine/runtime/kernels/rnn-common.h"

/* One function to a loop: the compiler makes no vectors of loops with more. */
PARE_RT_CLONES static void
usual_linear (const PareRtRnnUnits *at, const float *bias)
{
  const float *x = at->xw, *r = at->hr, *before = at->before;
  int64_t n = at->n, w = at->width, apart = at->xw_apart;
  float g[2 * PARE_RT_RNN_UNITS], v[PARE_RT_RNN_UNITS], *h = at->h;
  for (int64_t gate = 0; gate < 2; gate++)
    for (int64_t i = 0; i < w; i++)
      g[gate * w + i] = x[gate * apart + i] + r[gate * w + i];
  for (int64_t i = 0; i < 2 * w; i++)
    g[i] = sigmoid_f32 (g[i]);
  memset (v, 0, sizeof v);
  for (int64_t i = 0; i < n; i++)
    v[i] = r[2 * w + i] + (bias ? bias[i] : 0);
  for (int64_t i = 0; i < w; i++)
    v[i] = x[2 * apart + i] + g[w + i] * v[i];
  for (int64_t i = 0; i < w; i++)
    v[i] = tanh_f32 (v[i]);
  for (int64_t i = 0; i < w; i++)
    h[i] = (1 - g[i]) * v[i] + g[i] * before[i];
}

/* All three gates of a panel. */
static void
linear_cell (const PareRtRnn *s, const PareRtRnnSide *side, int stage, PareRtRnnUnits *at)
{
  const float *bias = side->bias ? side->bias + 5 * s->hidden + at->unit : NULL;
  int first = side->index * 2;
  int64_t n = at->n;
  if (s->usual)
    {
      usual_linear (at, bias);
      return;
    }
  float g[3][PARE_RT_RNN_UNITS];
  for (int gate = 0; gate < 2; gate++)
    {
      for (int64_t i = 0; i < n; i++)
        g[gate][i] = at->xw[gate * at->xw_apart + i] + at->hr[gate * at->width + i];
      pare_rt_rnn_activate (s->p, first, true, g[gate], n);
    }
  for (int64_t i = 0; i < n; i++)
    g[2][i] = at->xw[2 * at->xw_apart + i] + g[1][i] * (at->hr[2 * at->width + i] + (bias ? bias[i] : 0));
  pare_rt_rnn_activate (s->p, first + 1, true, g[2], n);
  for (int64_t i = 0; i < n; i++)
    at->h[i] = (1 - g[0][i]) * g[2][i] + g[0][i] * at->before[i];
}

/* Stage 0 leaves r H and z, stage 1 multiplies the former. */
static void
staged_cell (const PareRtRnn *s, const PareRtRnnSide *side, int stage, PareRtRnnUnits *at)
{
  const float *bias = side->bias ? side->bias + 5 * s->hidden + at->unit : NULL;
  int first = side->index * 2;
  int64_t n = at->n;
  float *z = at->hold[1], v[PARE_RT_RNN_UNITS];
  if (stage == 0)
    {
      for (int64_t i = 0; i < n; i++)
        {
          z[i] = at->xw[i] + at->hr[i];
          v[i] = at->xw[at->xw_apart + i] + at->hr[at->width + i];
        }
      pare_rt_rnn_activate (s->p, first, true, z, n);
      pare_rt_rnn_activate (s->p, first, true, v, n);
      for (int64_t i = 0; i < n; i++)
        at->hold[0][i] = v[i] * at->before[i];
      return;
    }
  for (int64_t i = 0; i < n; i++)
    v[i] = at->xw[i] + at->hr[i] + (bias ? bias[i] : 0);
  pare_rt_rnn_activate (s->p, first + 1, true, v, n);
  for (int64_t i = 0; i < n; i++)
    at->h[i] = (1 - z[i]) * v[i] + z[i] * at->before[i];
}

static const PareRtRnnKind kinds[2] = {
  { .gates = 3, .stages = 2, .merge = 2, .stage = { { 0, 2, 2, 0, 0 }, { 2, 1, 4, 0, 0 } }, .cell = staged_cell },
  { .gates = 3, .stages = 1, .merge = 2, .stage = { { 0, 3, 2, 0, 0 } }, .cell = linear_cell },
};

static const PareRtRnnKind *
kind_of (const PareRnnParams *p)
{
  return &kinds[p && p->linear_before_reset != 0];
}

KERNEL (pare_rt_k_gru)
{
  return pare_rt_rnn_run (params, kind_of (params), in, n_in, out, n_out, scratch);
}

SCRATCH (pare_rt_s_gru)
{
  return pare_rt_rnn_scratch (params, kind_of (params), in, n_in, out, n_out);
}

PACK (pare_rt_p_gru)
{
  return pare_rt_rnn_pack (params, kind_of (params), in, n_in, out, n_out, packed);
}
