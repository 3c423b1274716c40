/* Attention of bfloat16: how its operands lie, what its mask hides, and who does what. */
#include "engine/accel/pare-accel-bfloats.h"
#include "engine/accel/pare-accel-private.h"

#define SCORES (32 << 10) /* bytes of scores that two blocks of rows may have: they stay in the nearest cache */
#define PRODUCTS 120      /* in a nanosecond, of one thread */
#define POWERS 4
/* As the portable kernel has it: a weight of exactly 0. */
#define HIDDEN -1e8f

/* Extents and strides as the four axes name them. FALSE: elements do not lie side by side. */
static bool
read_operand (const PareShape *shape, const int32_t *perm, int64_t dim[4], PareBfloatOperand *o)
{
  for (int a = 0; a < 4; a++)
    {
      int64_t stride = 1;
      dim[a] = perm[a] < 0 ? 1 : shape->dims[perm[a]];
      for (int i = perm[a] + 1; i < shape->rank; i++)
        stride *= shape->dims[i];
      if (a < 3)
        o->stride[a] = perm[a] < 0 ? 0 : stride;
      else if (perm[a] < 0 || stride != 1)
        return false;
    }
  return true;
}

static bool
read_mask (const PareShape *shape, const int64_t dims[4], PareBfloatAttention *a)
{
  int64_t step = 1;
  for (int i = 3; i >= 0; i--)
    {
      int axis = i - (4 - shape->rank);
      int64_t d = axis < 0 ? 1 : shape->dims[axis];
      if (d != dims[i] && (d != 1 || i == 3))
        return false;
      if (i < 3)
        a->mask_stride[i] = d == 1 ? 0 : step;
      step *= d;
    }
  return true;
}

/* A constant mask that is 0 for a row's first positions and hides all others. */
static const int32_t *
look (PareAccel *self, uint32_t mask, const PareBfloatAttention *a)
{
  const float *data = pare_accel_constant (self, mask);
  int32_t *seen = data && !a->mask_stride[0] && !a->mask_stride[1] && a->positions < INT32_MAX
                      ? pare_accel_pack (self, (uint64_t)a->rows * sizeof *seen)
                      : NULL;
  for (int64_t r = 0; seen && r < a->rows; r++)
    {
      const float *row = data + r * a->mask_stride[2];
      int64_t n = 0, hidden;
      while (n < a->positions && row[n] == 0)
        n++;
      for (hidden = n; hidden < a->positions && row[hidden] <= HIDDEN; hidden++)
        ;
      if (n == 0 || hidden < a->positions)
        return NULL;
      seen[r] = (int32_t)n;
    }
  return seen;
}

/* The first element that is read of what is at `data`. */
static void *
begin (const PareBfloatOperand *o, void *data)
{
  return (char *)data + o->at * (int64_t)(o->wide ? sizeof (float) : sizeof (uint16_t));
}

/* With its operands where this run has them: q, k, v, y, keys, values, scratch memory and (only for rows) a mask. */
static PareBfloatAttention
placed (const PareBfloatAttention *plan, const PareView *args)
{
  PareBfloatAttention a = *plan;
  a.q.data = begin (&a.q, args[0].data);
  a.k.data = begin (&a.k, args[1].data);
  a.v.data = begin (&a.v, args[2].data);
  a.y.data = args[3].data;
  a.keys = args[4].data;
  a.values = args[5].data;
  return a;
}

static void
run_pack (const void *params, const PareView *args, int part, int parts)
{
  PareBfloatAttention a = placed (params, args);
  int64_t n = a.batch * (a.key_heads + a.value_heads);
  for (int64_t i = n * part / parts; i < n * (part + 1) / parts; i++)
    pare_accel_attention_pack (&a, i);
}

static void
run_rows (const void *params, const PareView *args, int part, int parts)
{
  PareBfloatAttention a = placed (params, args);
  int64_t n = a.batch * a.heads * a.blocks;
  a.mask = a.has_mask ? args[7].data : NULL;
  for (int64_t i = n * part / parts; i < n * (part + 1) / parts; i++)
    pare_accel_attention_rows (&a, i, (char *)args[6].data + part * a.scratch);
}

static bool
read_operands (PareAccel *self, const PareRtStep *s, PareBfloatAttention *a)
{
  const PareAttentionParams *p = (const PareAttentionParams *)(self->plan->params + s->params);
  const PareRtValue *values = self->plan->values;
  uint32_t mask = pare_accel_operand (s, 3);
  int64_t q[4], k[4], v[4], y[4];
  if (p->without_nan || !read_operand (&values[s->in[0]].shape, p->q, q, &a->q) || !read_operand (&values[s->in[1]].shape, p->k, k, &a->k)
      || !read_operand (&values[s->in[2]].shape, p->v, v, &a->v) || !read_operand (&values[s->out[0]].shape, p->y, y, &a->y)
      || q[0] * q[1] * q[2] * q[3] * k[2] * v[3] == 0
      || (mask != PARE_RT_NONE && !read_mask (&values[mask].shape, (const int64_t[4]){ q[0], q[1], q[2], k[2] }, a)))
    return false;
  a->batch = q[0];
  a->heads = q[1];
  a->rows = q[2];
  a->depth = q[3];
  a->positions = k[2];
  a->key_heads = k[1];
  a->value_heads = v[1];
  a->n = v[3];
  a->factor = p->factor;
  a->rounds = p->round_result;
  a->q.at = p->at[0];
  a->k.at = p->at[1];
  a->v.at = p->at[2];
  return true;
}

/* The value in plain order with the elements that it has. */
static uint32_t
operand (PareAccel *self, uint32_t step, uint32_t value, PareBfloatOperand *o)
{
  const PareMd *md = pare_accel_native_any (self, value);
  o->wide = !md || pare_md_type (md) != dnnl_bf16;
  return o->wide ? pare_accel_plain (self, step, value) : pare_accel_plain_bf16 (self, step, value);
}

bool
pare_accel_step_attention (PareAccel *self, uint32_t step)
{
  const PareRtStep *s = &self->plan->steps[step];
  uint32_t mask = pare_accel_operand (s, 3);
  PareBfloatAttention a = { .vecs = 1 };
  if (!pare_accel_bfloats () || !pare_accel_is_bf16 (self, step) || !read_operands (self, s, &a))
    return false;
  PareAccelResult result = pare_accel_result (self, s->out[0]);
  const PareMd *plain = pare_accel_plain_md (self, result.value), *dst = plain ? pare_md_with_type (self->mds, plain, result.type) : NULL;
  int64_t tiles = (a.positions + PARE_BLOCK - 1) / PARE_BLOCK, pairs = (a.depth + 1) / 2, width = pare_accel_attention_width (a.n);
  if (!dst)
    return false;
  if (2 * tiles * PARE_BLOCK * PARE_BLOCK * (int64_t)sizeof (float) <= SCORES && a.rows > PARE_BLOCK)
    a.vecs = 2;
  int64_t together = a.vecs * PARE_BLOCK;
  a.tiles = pare_accel_bfloats_for (a.rows) != pare_accel_bfloats ();
  a.value_pairs = a.tiles ? (a.positions + 2 * PARE_BLOCK - 1) / (2 * PARE_BLOCK) * PARE_BLOCK : (a.positions + 1) / 2;
  a.blocks = (a.rows + together - 1) / together;
  a.key_apart = (tiles * pairs + 1) * PARE_BLOCK;
  a.value_apart = a.value_pairs * width;
  a.scratch = (tiles * PARE_BLOCK + width + pairs) * together * (int64_t)sizeof (float);
  a.has_mask = mask != PARE_RT_NONE;
  a.seen = a.has_mask ? look (self, mask, &a) : NULL;
  a.y.wide = result.type != dnnl_bf16;
  uint32_t buffers[8]
      = { operand (self, step, s->in[0], &a.q), operand (self, step, s->in[1], &a.k), operand (self, step, s->in[2], &a.v) };
  buffers[4] = pare_accel_buffer_new (self, (uint64_t)(a.batch * a.key_heads * a.key_apart) * sizeof (uint32_t));
  buffers[5] = pare_accel_buffer_new (self, (uint64_t)(a.batch * a.value_heads * a.value_apart) * sizeof (uint32_t));
  buffers[6] = pare_accel_buffer_new (self, (uint64_t)(a.scratch * self->threads));
  buffers[7] = a.has_mask ? pare_accel_plain (self, step, mask) : PARE_RT_NONE;
  buffers[3] = pare_accel_new_form (self, result.value, dst);
  double all = (double)(a.batch * a.heads) * (double)(a.rows * a.positions);
  double packed = (double)(a.batch * a.positions) * (double)(a.key_heads * a.depth + a.value_heads * a.n);
  self->n_bf16++;
  return pare_accel_add_work (self, step, run_pack, &a, sizeof a, (uint64_t)packed, buffers, 6)
         && pare_accel_add_work (self, step, run_rows, &a, sizeof a,
                                 (uint64_t)(all * ((double)(a.depth + a.n) / PRODUCTS + 1.0 / POWERS) * PARE_ACCEL_IN_NS), buffers,
                                 a.has_mask ? 8 : 7)
         && pare_accel_absorb (self, result.rounds);
}
