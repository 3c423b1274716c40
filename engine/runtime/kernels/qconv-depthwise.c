/* QConv with one input channel a group: no matrix product. A channel's rows are written out as a strip; along it outputs lie as their
 * inputs do, so that whole images go through the lanes in one run, rows and all; what falls between rows is dropped. */
#include "engine/runtime/kernels/int-strip.h"
#include "engine/runtime/kernels/qconv.h"

#define STRIP_CODES (16 * 1024) /* of a channel at a time: a part of the first cache */
#define TASK_CODES (8 * 1024)   /* outputs of a task */

typedef struct
{
  const PareQConv *c;
  const PareIntIsa *isa;
  PareIntCodes codes;
  PareIntStrip strip;
  int64_t rows, channels, tasks; /* of the output at a time; planes of a task */
  int64_t most_taps;
  uint64_t at_wide, at_result, at_offsets, at_weights, bytes;
  uint8_t *scratch;
} Job;

static bool
plan (Job *j, const PareQConv *c)
{
  const ConvGeometry *g = &c->g;
  int64_t width;
  *j = (Job){ .c = c, .isa = pare_rt_int_isa (), .rows = g->out[1] };
  j->codes = int_codes (j->isa, c->x->dtype == PARE_DTYPE_INT8, c->p->zero_x);
  while (!pare_rt_int_strip (g, j->rows, true, &j->strip) || (j->strip.plane > STRIP_CODES && j->rows > 1))
    {
      if (j->rows == 1)
        return false;
      j->rows = (j->rows + 1) / 2;
    }
  j->most_taps = g->k[1] * g->k[2];
  if (j->most_taps > 1 << 16)
    return false;
  j->channels = TASK_CODES / (g->out[1] * g->out[2]);
  j->channels = j->channels < 1 ? 1 : j->channels;
  j->tasks = (g->n * g->m + j->channels - 1) / j->channels;
  width = is_codes (c->y) ? 1 : 4;
  uint64_t strip = (uint64_t)int_round_up (j->strip.plane + PARE_STRIP_SLACK, 64);
  j->at_wide = strip;
  j->at_result = j->at_wide + (j->isa->width == 2 || j->codes.flip ? strip * (uint64_t)j->isa->width : 0);
  j->at_offsets = j->at_result + (uint64_t)int_round_up ((j->rows * j->strip.pitch + 64) * width, 64);
  j->at_weights = j->at_offsets + (uint64_t)int_round_up (j->most_taps * 16, 64);
  j->bytes = j->at_weights + (uint64_t)int_round_up (j->most_taps * int_column_bytes (j->isa), 64);
  return j->bytes < PARE_QCONV_MOST;
}

uint64_t
pare_rt_qconv_depthwise_scratch (const PareQConv *c)
{
  Job j;
  return plan (&j, c) ? j.bytes : 0;
}

/* Kernel positions whose columns follow each other in the strip make one tap of up to k_step: the offsets of taps, and of each position the
 * place of its weight among those of the taps. */
static int64_t
find_taps (const Job *j, int64_t *offset, int64_t *place)
{
  const ConvGeometry *g = &j->c->g;
  int64_t taps = 0, k_step = j->isa->k_step;
  for (int64_t ky = 0; ky < g->k[1]; ky++)
    for (int64_t px = 0; px < j->strip.phases_x; px++)
      {
        int64_t begin = -1; /* of the tap being filled */
        for (int64_t kx = 0; kx < g->k[2]; kx++)
          {
            if (kx * g->dil[2] % g->stride[2] != px)
              continue;
            int64_t at = int_strip_tap (&j->strip, g, ky, kx);
            if (begin < 0 || at - begin >= k_step)
              {
                begin = at;
                offset[taps++] = at;
              }
            place[ky * g->k[2] + kx] = (taps - 1) * k_step + at - begin;
          }
      }
  return taps;
}

/* The weights of a channel at their places; their sum. */
static int32_t
lay_weights (const Job *j, int64_t m, const int64_t *place, int64_t taps, uint8_t *to)
{
  int64_t volume = j->c->g.k[1] * j->c->g.k[2];
  int32_t sum = 0;
  memset (to, 0, taps * int_column_bytes (j->isa));
  for (int64_t i = 0; i < volume; i++)
    {
      int32_t w = code_at (j->c->w, m * volume + i);
      if (j->isa->width == 1)
        ((int8_t *)to)[place[i]] = (int8_t)w;
      else
        ((int16_t *)(void *)to)[place[i]] = (int16_t)w;
      sum += w;
    }
  return sum;
}

static void
take_rows (uint8_t *y, const uint8_t *from, int64_t rows, int64_t row, int64_t pitch, const uint8_t *end)
{
  for (int64_t r = 0; r < rows; r++, y += row, from += pitch)
    if (row <= 16 && end - y >= 16)
      memcpy (y, from, 16); /* too far is written over by the next row */
    else
      memcpy (y, from, row);
}

static void
channel (const Job *j, uint8_t *scratch, int64_t taps, int64_t plane)
{
  const PareQConv *c = j->c;
  const ConvGeometry *g = &c->g;
  int64_t n = plane / g->m, m = plane % g->m, in_plane = g->in[1] * g->in[2], out_plane = g->out[1] * g->out[2];
  const int64_t *offset = (const int64_t *)(void *)(scratch + j->at_offsets);
  int64_t bytes = is_codes (c->y) ? 1 : 4, pitch = j->strip.pitch;
  int32_t sum = lay_weights (j, m, offset + j->most_taps, taps, scratch + j->at_weights);
  int32_t init = -j->codes.fold * sum;
  float bias = c->bias ? (float)c->bias[m] : 0;
  PareIntScale scale = { &init, &bias, &c->scale[m], (float)c->p->zero_y, (float)c->p->lo, (float)c->p->hi, bytes == 1 };
  const uint8_t *x = (const uint8_t *)c->x->data + (n * g->c + m / (g->m / g->group)) * in_plane;
  const uint8_t *end = (const uint8_t *)c->x->data + g->n * g->c * in_plane;
  uint8_t *y = (uint8_t *)c->y->data + plane * out_plane * bytes, *y_end = y + out_plane * bytes;
  for (int64_t r0 = 0; r0 < g->out[1]; r0 += j->rows)
    {
      int64_t rows = g->out[1] - r0 < j->rows ? g->out[1] - r0 : j->rows;
      uint8_t *strip = scratch, *result = scratch + j->at_result;
      pare_rt_int_strip_fill (&j->strip, g, r0, x, end, 1, (uint8_t)c->p->zero_x, strip);
      if (j->isa->width == 2 || j->codes.flip)
        {
          j->isa->widen (scratch + j->at_wide, strip, j->strip.plane, j->codes);
          strip = scratch + j->at_wide;
        }
      j->isa->depthwise (result, strip, offset, scratch + j->at_weights, taps, rows * pitch, &scale);
      take_rows (y + r0 * g->out[2] * bytes, result, rows, g->out[2] * bytes, pitch * bytes, y_end);
    }
  if (bytes == 4)
    pare_rt_activate ((float *)(void *)y, out_plane, c->p->conv.activation, c->p->conv.lo, c->p->conv.hi, c->p->conv.alpha);
}

static void
channel_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t first = task * j->channels, last = first + j->channels, all = j->c->g.n * j->c->g.m;
  uint8_t *scratch = j->scratch + (uint64_t)worker * j->bytes;
  int64_t *offset = (int64_t *)(void *)(scratch + j->at_offsets), taps = find_taps (j, offset, offset + j->most_taps);
  for (int64_t i = first; i < last && i < all; i++)
    channel (j, scratch, taps, i);
}

void
pare_rt_qconv_depthwise (const PareQConv *c, void *scratch)
{
  Job j;
  if (!plan (&j, c))
    return;
  j.scratch = scratch;
  pare_rt_parallel (j.tasks, channel_task, &j);
}
