/* Attention: y = softmax (factor * q k' + mask) v for each batch and head. Keys and values are packed once for each head, then tasks of a
 * few rows of q keep their scores in the cache; nothing of the size of rows times positions is written to memory. Heads of q may share
 * those of k and v. Where the mask hides a row's last positions, as it does in models that look back only, they are not computed. */
#include "engine/runtime/kernels/attention.h"
#include "engine/runtime/kernels/half.h"
#include "engine/runtime/kernels/tile.h"

#define ROWS 48           /* of q, a task's */
#define SCORES (96 << 10) /* bytes of scores that a task keeps; fewer rows where positions are many */
#define LARGEST 1e7f      /* what is hidden has no weight as long as no score is larger */

typedef struct
{
  PareRtAttention a;
  float factor;
  bool round_weights, round_result; /* to bfloat16 */
  bool without_nan;
  PareRtAttentionTasks t;
  float *longest; /* the norm of each head's longest key, where some positions may not be looked at */
} Job;

static void
plan (Job *j)
{
  j->t = pare_rt_attention_tasks (&j->a, ROWS, SCORES);
  j->t.worker_bytes = attention_round_up ((uint64_t)(j->t.rows * j->t.wide) * sizeof (float)) + 64;
}

/* Bytes of everything that the kernel keeps; sets the places if there is memory. */
static uint64_t
place (Job *j, char *memory)
{
  uint64_t at = pare_rt_attention_place (&j->a, &j->t, memory);
  if (memory)
    j->longest = (float *)(void *)(memory + at);
  return at + attention_round_up ((uint64_t)(j->a.q.dim[0] * j->a.key_heads) * sizeof (float));
}

static float
longest_key (const PareRtAttended *k, const float *data)
{
  float most = 0;
  for (int64_t i = 0; i < k->dim[2]; i++)
    {
      float sum = 0;
      for (int64_t e = 0; e < k->dim[3]; e++)
        sum += data[i * k->stride[2] + e * k->stride[3]] * data[i * k->stride[2] + e * k->stride[3]];
      most = sum > most || isnan (sum) ? sum : most;
    }
  return sqrtf (most);
}

static void
pack_head (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t keys = j->a.q.dim[0] * j->a.key_heads, head = task < keys ? task : task - keys;
  const PareRtAttended *o = task < keys ? &j->a.k : &j->a.v;
  const float *data = (const float *)o->data + attended_at (o, head / o->dim[1], head % o->dim[1], 0);
  if (task < keys && j->t.seen)
    j->longest[head] = longest_key (o, data);
  if (task < keys)
    pare_rt_small_pack (o->dim[2], o->dim[3], data, o->stride[3], o->stride[2],
                        (float *)(void *)(j->t.keys + (uint64_t)head * j->t.key_bytes));
  else
    pare_rt_small_pack (o->dim[3], o->dim[2], data, o->stride[2], o->stride[3],
                        (float *)(void *)(j->t.values + (uint64_t)head * j->t.value_bytes));
}

PARE_RT_CLONES static void
scale (float *y, int64_t n, float factor)
{
  for (int64_t i = 0; i < n; i++)
    y[i] *= factor;
}

PARE_RT_CLONES static void
scale_and_round (float *y, int64_t n, float factor)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = bfloat_to_float (float_to_bfloat (y[i] * factor));
}

/* A mask with one number for all positions of a row. */
PARE_RT_CLONES static void
scale_and_shift (float *y, int64_t n, float factor, float by)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = y[i] * factor + by;
}

/* Positions that some of the rows see: all, unless their scores are surely small enough. */
static int64_t
positions_of (const Job *j, const float *q, int64_t r0, int64_t rows, float longest)
{
  int64_t most = 0, all = j->a.k.dim[2];
  float sum = 0;
  if (!j->t.seen)
    return all;
  for (int64_t r = 0; r < rows; r++)
    most = j->t.seen[r0 + r] > most ? j->t.seen[r0 + r] : most;
  /* the norm of all rows together is one of the longest at least */
  for (int64_t r = 0; most < all && r < rows; r++)
    for (int64_t e = 0; e < j->a.q.dim[3]; e++)
      sum += q[r * j->a.q.stride[2] + e] * q[r * j->a.q.stride[2] + e];
  return fabsf (j->factor) * longest * sqrtf (sum) < LARGEST ? most : all;
}

static void
attend (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t head = task / j->t.blocks, b = head / j->a.q.dim[1], h = head % j->a.q.dim[1], r0 = task % j->t.blocks * j->t.rows;
  int64_t rows = j->a.q.dim[2] - r0 < j->t.rows ? j->a.q.dim[2] - r0 : j->t.rows, positions = j->a.k.dim[2],
          key = b * j->a.key_heads + h % j->a.key_heads;
  const float *keys = (const float *)(const void *)(j->t.keys + (uint64_t)key * j->t.key_bytes);
  const float *values
      = (const float *)(const void *)(j->t.values + (uint64_t)(b * j->a.value_heads + h % j->a.value_heads) * j->t.value_bytes);
  float *scores = (float *)(void *)(j->t.workers + (uint64_t)worker * j->t.worker_bytes);
  const float *q = (const float *)j->a.q.data + attended_at (&j->a.q, b, h, r0);
  float *y = (float *)(uintptr_t)j->a.y.data + attended_at (&j->a.y, b, h, r0), norm[ROWS];
  uint64_t nothing = 0; /* bit r: the row weighs nothing */
  const PareRtIsa *isa = pare_rt_isa ();
  int64_t n = positions_of (j, q, r0, rows, j->t.seen ? j->longest[key] : 0);
  pare_rt_small_product (rows, positions, j->a.q.dim[3], j->a.q.dim[3], n, q, j->a.q.stride[2], keys, scores, j->t.wide, true);
  const float *mask = j->a.mask.data ? (const float *)j->a.mask.data + attended_at (&j->a.mask, b, h, r0) : NULL;
  bool shifted = mask && j->a.mask.stride[3] == 0;
  for (int64_t r = 0; shifted && r < rows; r++)
    scale_and_shift (scores + r * j->t.wide, n, j->factor, mask[r * j->a.mask.stride[2]]);
  isa->weigh (scores, j->t.wide, rows, n, shifted ? 1 : j->factor, shifted ? NULL : mask, j->a.mask.stride[2], norm);
  for (int64_t r = 0; r < rows; r++)
    {
      if (j->without_nan && !(norm[r] > 0))
        {
          nothing |= (uint64_t)1 << r;
          memset (scores + r * j->t.wide, 0, (size_t)n * sizeof *scores);
          norm[r] = 1;
        }
      norm[r] = 1.0f / norm[r];
      if (j->round_weights)
        {
          scale_and_round (scores + r * j->t.wide, n, norm[r]);
          norm[r] = 1;
        }
    }
  pare_rt_small_product (rows, j->a.v.dim[3], n, positions, 0, scores, j->t.wide, values, y, j->a.y.stride[2], false);
  for (int64_t r = 0; r < rows; r++)
    if (nothing >> r & 1)
      memset (y + r * j->a.y.stride[2], 0, (size_t)j->a.v.dim[3] * sizeof *y);
    else
      (j->round_result ? scale_and_round : scale) (y + r * j->a.y.stride[2], j->a.v.dim[3], norm[r]);
}

static PareRtStatus
read_operands (Job *j, const PareAttentionParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  REQUIRE (p && (n_in == 3 || n_in == 4) && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&in[2]) && is_f32 (&out[0]));
  *j = (Job){
    .factor = p->factor, .round_weights = p->round_weights != 0, .round_result = p->round_result != 0, .without_nan = p->without_nan != 0
  };
  return pare_rt_attention_read (p, &in[0], &in[1], &in[2], given (in, n_in, 3) ? &in[3] : NULL, &out[0], &j->a);
}

KERNEL (pare_rt_k_attention)
{
  Job j;
  PareRtStatus status = read_operands (&j, params, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  plan (&j);
  place (&j, scratch);
  if (!pare_rt_attention_seen (&j.a, j.t.seen))
    j.t.seen = NULL;
  pare_rt_attention_run (&j.a, &j.t, pack_head, attend, &j);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_attention)
{
  Job j;
  if (read_operands (&j, params, in, n_in, out, n_out) != PARE_RT_OK)
    return 0;
  plan (&j);
  return place (&j, NULL);
}
