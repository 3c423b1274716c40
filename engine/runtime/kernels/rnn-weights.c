/* The weights of recurrent layers in the order in which their loops read them. A line that says whether panels are narrow; then for each
 * direction W as the matrix kernel has it, or, where there is only one step, in panels, and R in panels. A panel: [depth][gates of its
 * stage][its units], whole vectors; narrow ones: pairs of two depths in the place of a float, the lower half is that of the even one. */
#include "engine/runtime/kernels/half.h"
#include "engine/runtime/kernels/rnn-common.h"

#define LINE 64

bool
pare_rt_rnn_is_narrow (const void *packed)
{
  return packed && *(const uint32_t *)packed;
}

/* Of a panel's columns. */
static int64_t
floats_of (const PareRtRnn *s, int64_t depth)
{
  return s->narrow ? (depth + 1) / 2 : depth;
}

int64_t
pare_rt_rnn_panel_at (const PareRtRnn *s, int stage, int64_t panel, int64_t depth)
{
  int64_t before = 0, each = floats_of (s, depth);
  for (int i = 0; i < stage; i++)
    before += s->stage[i].gates * s->room * each;
  if (panel > 0) /* stage may be the end of the last one */
    before += panel * s->stage[stage].width * s->stage[stage].gates * each;
  return before;
}

int64_t
pare_rt_rnn_panels_floats (const PareRtRnn *s, int64_t depth)
{
  return pare_rt_rnn_panel_at (s, s->stages, 0, depth);
}

/* Two of bfloat16 in the place of a float, which they need not make. */
static void
put_pair (float *to, float even, float odd)
{
  uint32_t low, high;
  memcpy (&low, &even, sizeof low);
  memcpy (&high, &odd, sizeof high);
  low = low >> 16 | (high & 0xffff0000u);
  memcpy (to, &low, sizeof low);
}

int64_t
pare_rt_rnn_pack_panel (const PareRtRnn *s, int stage, int64_t panel, int64_t depth, const float *weights, float *to)
{
  const PareRtRnnStage *g = &s->stage[stage];
  int64_t unit = panel * g->width, width = s->room - unit < g->width ? s->room - unit : g->width, ld = g->gates * width;
  for (int gate = 0; gate < g->gates; gate++)
    for (int64_t i = 0; i < width; i++)
      {
        const float *row = weights + ((g->first + gate) * s->hidden + unit + i) * depth;
        float *column = to + gate * width + i;
        bool there = unit + i < s->hidden;
        for (int64_t p = 0; s->narrow && p < depth; p += 2)
          put_pair (column + p / 2 * ld, there ? row[p] : 0, there && p + 1 < depth ? row[p + 1] : 0);
        for (int64_t p = 0; !s->narrow && p < depth; p++)
          column[p * ld] = there ? row[p] : 0;
      }
  return ld * floats_of (s, depth);
}

static uint64_t
in_lines (uint64_t bytes)
{
  return (bytes + LINE - 1) / LINE * LINE;
}

static uint64_t
bytes_of_w (const PareRtRnn *s)
{
  return in_lines (s->together ? (uint64_t)pare_rt_rnn_panels_floats (s, s->inputs) * sizeof (float)
                               : pare_rt_sgemm_pack (s->gates * s->hidden, s->inputs, NULL, 1, s->inputs, NULL));
}

static uint64_t
bytes_of_r (const PareRtRnn *s)
{
  return in_lines ((uint64_t)pare_rt_rnn_panels_floats (s, s->hidden) * sizeof (float));
}

void
pare_rt_rnn_find (const PareRtRnn *s, const void *packed, int64_t direction, const float **panels_w, const float **panels_r,
                  const float **w_gemm)
{
  const char *at = packed ? (const char *)packed + LINE + (uint64_t)direction * (bytes_of_w (s) + bytes_of_r (s)) : NULL;
  *panels_w = at && s->together ? (const float *)(const void *)at : NULL;
  *w_gemm = at && !s->together ? (const float *)(const void *)at : NULL;
  *panels_r = at ? (const float *)(const void *)(at + bytes_of_w (s)) : NULL;
}

static void
pack_all (const PareRtRnn *s, int64_t depth, const float *weights, float *to)
{
  for (int i = 0; i < s->stages; i++)
    for (int64_t p = 0; p < s->stage[i].panels; p++)
      to += pare_rt_rnn_pack_panel (s, i, p, depth, weights, to);
}

static bool
are_bfloat (const PareView *v)
{
  const float *data = v->data;
  int64_t n = count_of (v);
  for (int64_t i = 0; i < n; i++)
    if (!is_bfloat (data[i]))
      return false;
  return true;
}

uint64_t
pare_rt_rnn_pack (const PareRnnParams *p, const PareRtRnnKind *kind, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out,
                  float *to)
{
  PareRtRnn s;
  /* views of a dry run have no data; both matrices must be constants */
  if (pare_rt_rnn_check (&s, p, kind, false, in, n_in, out, n_out) != PARE_RT_OK || !in[1].data || !in[2].data)
    return 0;
  if (s.codes)
    return pare_rt_rnn_codes_pack (&s, (uint8_t *)to);
  bool narrow = are_bfloat (&in[2]) && (!s.together || are_bfloat (&in[1]));
  if (pare_rt_rnn_check (&s, p, kind, narrow, in, n_in, out, n_out) != PARE_RT_OK)
    return 0;
  if (to)
    {
      memset (to, 0, LINE);
      *(uint32_t *)(void *)to = narrow;
    }
  int64_t wide = s.gates * s.hidden;
  for (int64_t d = 0; to && d < s.directions; d++)
    {
      const float *w = (const float *)in[1].data + d * wide * s.inputs, *panels_w, *panels_r, *w_gemm;
      pare_rt_rnn_find (&s, to, d, &panels_w, &panels_r, &w_gemm);
      if (s.together)
        pack_all (&s, s.inputs, w, (float *)panels_w);
      else
        pare_rt_sgemm_pack (wide, s.inputs, w, 1, s.inputs, (float *)w_gemm);
      pack_all (&s, s.hidden, (const float *)in[2].data + d * wide * s.hidden, (float *)panels_r);
    }
  return LINE + (uint64_t)s.directions * (bytes_of_w (&s) + bytes_of_r (&s));
}
