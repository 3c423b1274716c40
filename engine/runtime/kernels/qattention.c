/* QAttention: attention on codes, see PareQAttentionParams. They are multiplied as they are where the CPU can (code-products.h); elsewhere
 * codes less their zero point are multiplied as floats, which is exact as long as sums stay below 2^24, in whatever order. Keys and values
 * are packed once for each head; tasks of a few rows keep their scores in the cache. */
#include "engine/runtime/kernels/attention.h"
#include "engine/runtime/kernels/code-products.h"
#include "engine/runtime/kernels/integer.h"
#include "engine/runtime/kernels/tile.h"

#define ROWS PARE_RT_WEIGHED /* of q, a task's */
#define SCORES (24 << 10)    /* bytes of scores that a task keeps; fewer rows where positions are many */
#define EXACT 16777216.0

#define LIGHTEST -86.0f /* below the largest: of no weight */

typedef struct
{
  PareRtAttention a;
  const PareQAttentionParams *p;
  const float *table;
  PareRtWeighing weighing;
  bool signed_q, signed_k, signed_v, floats; /* floats: the result's type */
  bool as_codes;                             /* they are multiplied as they are; weights are bytes then */
  PareRtAttentionTasks t;
  int64_t wide_y; /* floats of a row of results */
} Job;

static double
largest (PareDtype dtype, int32_t zero)
{
  return dtype == PARE_DTYPE_UINT8 ? fmax (zero, 255 - zero) : fmax (zero + 128, 127 - zero);
}

/* What the weights of a row, less their zero point, are together at most. */
static double
most_weight (const PareCodeGrid *g, double positions)
{
  double most = fmax (fabs ((double)g->lo - g->zero), fabs ((double)g->hi - g->zero)) * positions;
  return g->lo <= g->zero && g->hi >= g->zero ? fmin (most, 1.01 / (double)g->scale + positions / 2) : most;
}

bool
pare_rt_qattention_is_exact (const PareQAttentionParams *p, PareDtype q, PareDtype k, PareDtype v, int64_t elements, int64_t positions)
{
  return largest (q, p->zero_q) * largest (k, p->zero_k) * (double)elements < EXACT
         && most_weight (&p->weights, (double)positions) * largest (v, p->zero_v) < EXACT;
}

static bool
grid_fits (const PareCodeGrid *g)
{
  return g->scale > 0 && isfinite (g->scale) && g->lo <= g->hi && g->lo >= -128 && g->hi <= 255 && g->zero >= -128 && g->zero <= 255;
}

static PareRtStatus
read_operands (Job *j, const PareQAttentionParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  REQUIRE (p && n_in >= 3 && n_in <= 5 && n_out == 1);
  SUPPORT (is_codes (&in[0]) && is_codes (&in[1]) && is_codes (&in[2]) && (is_codes (&out[0]) || is_f32 (&out[0])));
  *j = (Job){ .p = p,
              .table = given (in, n_in, 4) ? in[4].data : NULL,
              .signed_q = in[0].dtype == PARE_DTYPE_INT8,
              .signed_k = in[1].dtype == PARE_DTYPE_INT8,
              .signed_v = in[2].dtype == PARE_DTYPE_INT8,
              .floats = is_f32 (&out[0]) };
  REQUIRE (fits_codes (&in[0], p->zero_q, p->zero_q) && fits_codes (&in[1], p->zero_k, p->zero_k)
           && fits_codes (&in[2], p->zero_v, p->zero_v));
  REQUIRE (grid_fits (&p->scores) && grid_fits (&p->weights) && (!p->rounds || grid_fits (&p->masked)));
  REQUIRE (j->floats || (fits_codes (&out[0], p->y.lo, p->y.hi) && fits_codes (&out[0], p->y.zero, p->y.zero)));
  REQUIRE (!given (in, n_in, 4) || (is_f32 (&in[4]) && count_of (&in[4]) == 256));
  PareRtStatus status = pare_rt_attention_read (&p->attention, &in[0], &in[1], &in[2], given (in, n_in, 3) ? &in[3] : NULL, &out[0], &j->a);
  if (status != PARE_RT_OK)
    return status;
  SUPPORT (!j->a.mask.data || j->a.mask.stride[3] == 1 || j->a.k.dim[2] == 1);
  REQUIRE (pare_rt_qattention_is_exact (p, in[0].dtype, in[1].dtype, in[2].dtype, j->a.q.dim[3], j->a.k.dim[2]));
  return PARE_RT_OK;
}

/* Wide: of a grid that nothing is rounded to, nobody has looked at the numbers. */
static float
least_of (const PareCodeGrid *g)
{
  return (float)((int64_t)g->lo - g->zero);
}

static float
most_of (const PareCodeGrid *g)
{
  return (float)((int64_t)g->hi - g->zero);
}

static int64_t
whole_columns (int64_t n)
{
  return (n + PARE_RT_CODE_COLUMNS - 1) / PARE_RT_CODE_COLUMNS * PARE_RT_CODE_COLUMNS;
}

static void
plan (Job *j)
{
  const PareCodeGrid *s = &j->p->scores, *m = &j->p->masked, *w = &j->p->weights;
  j->weighing = (PareRtWeighing){ .factor = j->p->factor,
                                  .least = least_of (s),
                                  .most = most_of (s),
                                  .scale = s->scale,
                                  .looked_up = j->table != NULL,
                                  .rounds = j->p->rounds,
                                  .masked_scale = m->scale,
                                  .masked_least = least_of (m),
                                  .masked_most = most_of (m),
                                  .weight_scale = w->scale,
                                  .weight_least = least_of (w),
                                  .weight_most = most_of (w) };
  j->as_codes = pare_rt_code_products () && least_of (w) >= 0 && most_of (w) <= 255;
  int64_t positions = j->a.k.dim[2], depth = j->a.q.dim[3], values = j->a.v.dim[3];
  j->t = pare_rt_attention_tasks (&j->a, ROWS, SCORES);
  if (j->as_codes)
    {
      j->t.key_bytes = attention_round_up (
          (uint64_t)(pare_rt_code_pack_bytes (depth, positions) + whole_columns (positions) * (int64_t)sizeof (int32_t)));
      j->t.value_bytes = attention_round_up ((uint64_t)pare_rt_code_pack_bytes (positions, values));
    }
  j->wide_y = pare_rt_small_columns (values);
  int64_t attends = j->t.rows * (j->t.wide + depth + j->wide_y), packs = positions * (depth > values ? depth : values);
  j->t.worker_bytes = attention_round_up ((uint64_t)(attends > packs ? attends : packs) * sizeof (float)) + 64;
}

PARE_RT_CLONES static void
widen (const uint8_t *x, bool is_signed, int64_t n, int32_t zero, float *to)
{
  if (is_signed)
    for (int64_t i = 0; i < n; i++)
      to[i] = (float)((int8_t)x[i] - zero);
  else
    for (int64_t i = 0; i < n; i++)
      to[i] = (float)(x[i] - zero);
}

/* What each column of scores starts from lies behind the keys. */
static int32_t *
starts_of (const Job *j, char *keys)
{
  return (int32_t *)(void *)(keys + pare_rt_code_pack_bytes (j->a.k.dim[3], j->a.k.dim[2]));
}

/* Codes of q and of the weights have no sign, those of keys and values have one: what their bytes and zero points are then. */
static int32_t
zero_of_left (bool is_signed, int32_t zero)
{
  return is_signed ? zero + 128 : zero;
}

static int32_t
zero_of_right (bool is_signed, int32_t zero)
{
  return is_signed ? zero : zero - 128;
}

static void
pack_codes (const Job *j, const uint8_t *codes, int64_t head, bool keys)
{
  const PareRtAttended *o = keys ? &j->a.k : &j->a.v;
  int64_t positions = o->dim[2], depth = o->dim[3];
  if (!keys)
    {
      pare_rt_code_pack (codes, positions, depth, o->stride[2], o->stride[3], j->signed_v ? 0 : 0x80,
                         (int8_t *)j->t.values + (uint64_t)head * j->t.value_bytes, NULL);
      return;
    }
  char *to = j->t.keys + (uint64_t)head * j->t.key_bytes;
  int32_t *starts = starts_of (j, to), zero_k = zero_of_right (j->signed_k, j->p->zero_k),
          zero_q = zero_of_left (j->signed_q, j->p->zero_q);
  pare_rt_code_pack (codes, depth, positions, o->stride[3], o->stride[2], j->signed_k ? 0 : 0x80, (int8_t *)to, starts);
  for (int64_t i = 0; i < positions; i++)
    starts[i] = -zero_q * (starts[i] - zero_k * (int32_t)depth);
}

static void
pack_head (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t keys = j->a.q.dim[0] * j->a.key_heads, head = task < keys ? task : task - keys;
  const PareRtAttended *o = task < keys ? &j->a.k : &j->a.v;
  const uint8_t *codes = (const uint8_t *)o->data + attended_at (o, head / o->dim[1], head % o->dim[1], 0);
  if (j->as_codes)
    {
      pack_codes (j, codes, head, task < keys);
      return;
    }
  float *reals = (float *)(void *)(j->t.workers + (uint64_t)worker * j->t.worker_bytes);
  /* along whichever axis lies side by side */
  int run = o->stride[2] == 1 ? 2 : 3, apart = 5 - run;
  bool is_signed = task < keys ? j->signed_k : j->signed_v;
  int32_t zero = task < keys ? j->p->zero_k : j->p->zero_v;
  for (int64_t i = 0; i < o->dim[apart]; i++)
    if (o->stride[run] == 1)
      widen (codes + i * o->stride[apart], is_signed, o->dim[run], zero, reals + i * o->dim[run]);
    else
      for (int64_t e = 0; e < o->dim[run]; e++)
        widen (codes + i * o->stride[apart] + e * o->stride[run], is_signed, 1, zero, reals + i * o->dim[run] + e);
  int64_t row = run == 2 ? 1 : o->dim[3], element = run == 2 ? o->dim[2] : 1;
  if (task < keys)
    pare_rt_small_pack (o->dim[2], o->dim[3], reals, element, row, (float *)(void *)(j->t.keys + (uint64_t)head * j->t.key_bytes));
  else
    pare_rt_small_pack (o->dim[3], o->dim[2], reals, row, element, (float *)(void *)(j->t.values + (uint64_t)head * j->t.value_bytes));
}

PARE_RT_CLONES static void
look_up (float *row, int64_t n, float factor, float least, float most, int32_t zero, const float *table)
{
  for (int64_t i = 0; i < n; i++)
    row[i] = table[(uint8_t)(round_plain (clamp_plain (row[i] * factor, least, most)) + zero)];
}

PARE_RT_CLONES static void
store_codes (const float *x, uint8_t *y, int64_t n, float factor, float least, float most, int32_t zero)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = (uint8_t)(round_plain (clamp_plain (x[i] * factor, least, most)) + zero);
}

PARE_RT_CLONES static void
store_reals (const float *x, float *y, int64_t n, float factor)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] * factor;
}

/* Some rows of one head. */
typedef struct
{
  int64_t b, h, r0, rows, n; /* n: positions that they see */
  float *scores;
  char *more, *keys, *values; /* more: what is left of the scratch */
} Rows;

static void
multiply_floats (const Job *j, const Rows *t)
{
  const PareRtAttention *a = &j->a;
  int64_t depth = a->q.dim[3];
  float *q = (float *)(void *)t->more;
  for (int64_t r = 0; r < t->rows; r++)
    widen ((const uint8_t *)a->q.data + attended_at (&a->q, t->b, t->h, t->r0 + r), j->signed_q, depth, j->p->zero_q, q + r * depth);
  pare_rt_small_product (t->rows, a->k.dim[2], depth, depth, t->n, q, depth, (const float *)(const void *)t->keys, t->scores, j->t.wide,
                         true);
}

static void
weigh_floats (const Job *j, const Rows *t)
{
  const PareRtAttention *a = &j->a;
  const PareQAttentionParams *p = j->p;
  float *y = (float *)(void *)t->more;
  pare_rt_small_product (t->rows, a->v.dim[3], t->n, a->k.dim[2], 0, t->scores, j->t.wide, (const float *)(const void *)t->values, y,
                         j->wide_y, true);
  for (int64_t r = 0; r < t->rows; r++)
    {
      int64_t at = attended_at (&a->y, t->b, t->h, t->r0 + r);
      if (j->floats)
        store_reals (y + r * j->wide_y, (float *)(uintptr_t)a->y.data + at, a->v.dim[3], p->factor_y);
      else
        store_codes (y + r * j->wide_y, (uint8_t *)(uintptr_t)a->y.data + at, a->v.dim[3], p->factor_y, least_of (&p->y), most_of (&p->y),
                     p->y.zero);
    }
}

static void
multiply_codes (const Job *j, const Rows *t)
{
  const PareRtAttention *a = &j->a;
  int64_t depth = a->q.dim[3], steps = (depth + 3) / 4;
  int32_t starts[ROWS], zero = zero_of_right (j->signed_k, j->p->zero_k);
  uint8_t *q = (uint8_t *)t->more, flip = j->signed_q ? 0x80 : 0;
  for (int64_t r = 0; r < t->rows; r++)
    {
      const uint8_t *from = (const uint8_t *)a->q.data + attended_at (&a->q, t->b, t->h, t->r0 + r);
      uint8_t *to = q + r * 4 * steps;
      int32_t sum = 0;
      for (int64_t e = 0; e < depth; e++)
        sum += to[e] = from[e] ^ flip;
      memset (to + depth, 0, (size_t)(4 * steps - depth));
      starts[r] = -zero * sum;
    }
  PareRtCodeProduct product = { .a = q,
                                .lda = 4 * steps,
                                .steps = steps,
                                .row = starts,
                                .column = starts_of (j, t->keys),
                                .b = (const int8_t *)t->keys,
                                .apart = steps * 4 * PARE_RT_CODE_COLUMNS,
                                .columns = whole_columns (t->n),
                                .factor = 1,
                                .y = t->scores,
                                .ldy = j->t.wide };
  pare_rt_code_product (&product, t->rows);
}

static void
weigh_codes (const Job *j, const Rows *t, int32_t *sums)
{
  const PareRtAttention *a = &j->a;
  const PareQAttentionParams *p = j->p;
  int64_t at = attended_at (&a->y, t->b, t->h, t->r0), zero = zero_of_right (j->signed_v, p->zero_v);
  for (int64_t r = 0; r < t->rows; r++)
    sums[r] *= (int32_t)-zero;
  PareRtCodeProduct product = { .a = (const uint8_t *)t->scores,
                                .lda = j->t.wide * (int64_t)sizeof (float),
                                .steps = (t->n + 3) / 4,
                                .row = sums,
                                .b = (const int8_t *)t->values,
                                .apart = (a->k.dim[2] + 3) / 4 * 4 * PARE_RT_CODE_COLUMNS,
                                .columns = a->v.dim[3],
                                .codes = !j->floats,
                                .factor = p->factor_y,
                                .ldy = a->y.stride[2] };
  if (j->floats)
    product.y = (float *)(uintptr_t)a->y.data + at;
  else
    {
      product.y = (uint8_t *)(uintptr_t)a->y.data + at;
      product.least = least_of (&p->y);
      product.most = most_of (&p->y);
      product.zero = p->y.zero;
    }
  pare_rt_code_product (&product, t->rows);
}

static void
attend (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  const PareRtAttention *a = &j->a;
  int64_t head = task / j->t.blocks, positions = a->k.dim[2];
  int32_t sums[ROWS];
  Rows t = { .b = head / a->q.dim[1], .h = head % a->q.dim[1], .r0 = task % j->t.blocks * j->t.rows };
  t.rows = a->q.dim[2] - t.r0 < j->t.rows ? a->q.dim[2] - t.r0 : j->t.rows;
  t.keys = j->t.keys + (uint64_t)(t.b * a->key_heads + t.h % a->key_heads) * j->t.key_bytes;
  t.values = j->t.values + (uint64_t)(t.b * a->value_heads + t.h % a->value_heads) * j->t.value_bytes;
  t.scores = (float *)(void *)(j->t.workers + (uint64_t)worker * j->t.worker_bytes);
  t.more = (char *)(t.scores + j->t.rows * j->t.wide);
  for (int64_t r = 0; r < t.rows; r++)
    {
      int64_t until = j->t.seen ? j->t.seen[t.r0 + r] : positions;
      t.n = until > t.n ? until : t.n;
    }
  t.n = (t.n + 15) / 16 * 16 < positions ? (t.n + 15) / 16 * 16 : positions;
  (j->as_codes ? multiply_codes : multiply_floats) (j, &t);
  for (int64_t r = 0; j->table && r < t.rows; r++)
    look_up (t.scores + r * j->t.wide, t.n, j->weighing.factor, j->weighing.least, j->weighing.most, j->p->scores.zero, j->table);
  const float *mask = a->mask.data ? (const float *)a->mask.data + attended_at (&a->mask, t.b, t.h, t.r0) : NULL;
  pare_rt_isa ()->weigh_codes (t.scores, j->t.wide, t.rows, t.n, &j->weighing, mask, a->mask.stride[2], j->t.seen ? j->t.seen + t.r0 : NULL,
                               j->as_codes ? sums : NULL);
  if (j->as_codes)
    weigh_codes (j, &t, sums);
  else
    weigh_floats (j, &t);
}

/* What a mask hides gets no weight, whatever the scores are. */
static bool
hides (const Job *j)
{
  const PareQAttentionParams *p = j->p;
  const PareCodeGrid *s = &p->scores, *m = &p->masked, *w = &p->weights;
  float least = INFINITY, most = -INFINITY;
  for (int32_t c = s->lo; c <= s->hi; c++)
    {
      float x = j->table ? j->table[(uint8_t)c] : (float)(c - s->zero) * s->scale;
      least = x < least ? x : least;
      most = x > most ? x : most;
    }
  least = least + PARE_RT_SEEN;
  most = most + PARE_RT_HIDDEN;
  if (p->rounds)
    {
      least = rintf (clamp_plain (least / m->scale, least_of (m), most_of (m))) * m->scale;
      most = rintf (clamp_plain (most / m->scale, least_of (m), most_of (m))) * m->scale;
    }
  return most - least < LIGHTEST && w->lo <= w->zero && w->hi >= w->zero;
}

KERNEL (pare_rt_k_qattention)
{
  Job j;
  PareRtStatus status = read_operands (&j, params, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  plan (&j);
  pare_rt_attention_place (&j.a, &j.t, scratch);
  if (!hides (&j) || !pare_rt_attention_seen (&j.a, j.t.seen))
    j.t.seen = NULL;
  pare_rt_attention_run (&j.a, &j.t, pack_head, attend, &j);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_qattention)
{
  Job j;
  if (read_operands (&j, params, in, n_in, out, n_out) != PARE_RT_OK)
    return 0;
  plan (&j);
  return pare_rt_attention_place (&j.a, &j.t, NULL);
}
