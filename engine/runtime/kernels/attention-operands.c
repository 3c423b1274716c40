/* Operands of attention, and the positions that a mask hides. */
#include "engine/runtime/kernels/attention.h"

/* The operand's extents and strides as the four axes name them, from element `at` on; FALSE: that ends behind it, or (whole) there is more
 * in it. */
static bool
read_operand (const PareView *view, const int32_t *perm, int32_t at, bool whole, PareRtAttended *o)
{
  uint32_t seen = 0;
  int64_t last = at;
  for (int a = 0; a < 4; a++)
    {
      o->dim[a] = 1;
      o->stride[a] = 0;
      if (perm[a] == -1)
        continue;
      if (perm[a] < 0 || perm[a] >= view->shape.rank || (seen >> perm[a] & 1))
        return false;
      seen |= 1u << perm[a];
      o->dim[a] = view->shape.dims[perm[a]];
      o->stride[a] = product (&view->shape, perm[a] + 1, view->shape.rank);
      last += (o->dim[a] - 1) * o->stride[a];
    }
  o->data = view->data ? (const char *)view->data + (int64_t)at * element_size (view) : NULL;
  for (int axis = 0; axis < view->shape.rank; axis++)
    if (!(seen >> axis & 1) && view->shape.dims[axis] != 1 && whole)
      return false;
  return at == 0 || (at > 0 && last < count_of (view));
}

static bool
read_mask (const PareView *view, PareRtAttended *o, const int64_t *dims)
{
  if (view->shape.rank > 4)
    return false;
  int64_t step = 1;
  for (int a = 3; a >= 0; a--)
    {
      int axis = a - (4 - view->shape.rank);
      int64_t d = axis < 0 ? 1 : view->shape.dims[axis];
      if (d != 1 && d != dims[a])
        return false;
      o->dim[a] = dims[a];
      o->stride[a] = d == 1 ? 0 : step;
      step *= d;
    }
  o->data = view->data;
  return true;
}

PareRtStatus
pare_rt_attention_read (const PareAttentionParams *p, const PareView *q, const PareView *k, const PareView *v, const PareView *mask,
                        const PareView *y, PareRtAttention *a)
{
  *a = (PareRtAttention){ 0 };
  REQUIRE (count_of (q) > 0 && count_of (k) > 0 && count_of (v) > 0 && count_of (y) > 0);
  REQUIRE (q->shape.rank <= 5 && k->shape.rank <= 5 && v->shape.rank <= 5 && y->shape.rank <= 5);
  REQUIRE (read_operand (q, p->q, p->at[0], false, &a->q) && read_operand (k, p->k, p->at[1], false, &a->k)
           && read_operand (v, p->v, p->at[2], false, &a->v) && read_operand (y, p->y, 0, true, &a->y));
  REQUIRE (a->q.dim[0] == a->k.dim[0] && a->q.dim[0] == a->v.dim[0] && a->q.dim[0] == a->y.dim[0] && a->q.dim[1] == a->y.dim[1]);
  a->key_heads = a->k.dim[1];
  a->value_heads = a->v.dim[1];
  REQUIRE ((a->key_heads == a->q.dim[1] || a->key_heads == 1) && (a->value_heads == a->q.dim[1] || a->value_heads == 1));
  REQUIRE (a->q.dim[2] == a->y.dim[2] && a->k.dim[2] == a->v.dim[2] && a->q.dim[3] == a->k.dim[3] && a->v.dim[3] == a->y.dim[3]);
  SUPPORT (a->q.stride[3] <= 1 && a->y.stride[3] <= 1);
  if (mask)
    {
      const int64_t dims[4] = { a->q.dim[0], a->q.dim[1], a->q.dim[2], a->k.dim[2] };
      SUPPORT (is_f32 (mask));
      REQUIRE (read_mask (mask, &a->mask, dims));
    }
  return PARE_RT_OK;
}

/* Of each row of a mask: how many positions there are until the last that it does not hide; all where there is none. FALSE: it hides no
 * row's last ones. */
PARE_RT_CLONES static bool
look (const float *mask, int64_t apart, int64_t rows, int64_t n, int32_t *seen)
{
  bool any = false;
  for (int64_t r = 0; r < rows; r++, mask += apart)
    {
      int64_t left = n;
      for (int32_t found = 0; left >= 16; left -= 16)
        {
          for (int i = 0; i < 16; i++)
            found |= !(mask[left - 16 + i] <= PARE_RT_HIDDEN);
          if (found)
            break;
        }
      while (left > 0 && mask[left - 1] <= PARE_RT_HIDDEN)
        left--;
      seen[r] = (int32_t)(left == 0 || !(mask[left - 1] >= PARE_RT_SEEN) ? n : left);
      any |= seen[r] < n;
    }
  return any;
}

bool
pare_rt_attention_seen (const PareRtAttention *a, int32_t *seen)
{
  const PareRtAttended *m = &a->mask;
  int64_t rows = a->q.dim[2];
  if (!m->data || m->stride[0] != 0 || m->stride[1] != 0 || m->stride[3] != 1 || a->k.dim[2] > INT32_MAX
      || !look (m->data, m->stride[2], m->stride[2] ? rows : 1, a->k.dim[2], seen))
    return false;
  for (int64_t r = 1; m->stride[2] == 0 && r < rows; r++)
    seen[r] = seen[0];
  return true;
}
