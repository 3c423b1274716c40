#include "engine/accel/pare-dnnl.h"
#include "engine/accel/pare-dnnl-known.h"

#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR != 2
#error "this file speaks oneDNN 2; another major version needs its own twin of it"
#endif

struct PareMd
{
  dnnl_memory_desc_t md;
  PareMd *next;
};

#define POOL_BUCKETS 256
struct PareMdPool
{
  PareMd *buckets[POOL_BUCKETS];
};

PareMdPool *
pare_md_pool_new (void)
{
  return calloc (1, sizeof (PareMdPool));
}

void
pare_md_pool_free (PareMdPool *pool)
{
  if (!pool)
    return;
  for (int i = 0; i < POOL_BUCKETS; i++)
    for (PareMd *md = pool->buckets[i], *next; md; md = next)
      {
        next = md->next;
        free (md);
      }
  free (pool);
}

static const PareMd *
intern (PareMdPool *pool, const dnnl_memory_desc_t *desc)
{
  uint64_t hash = 14695981039346656037u;
  for (int i = 0; i < desc->ndims; i++)
    {
      hash = (hash ^ (uint64_t)desc->dims[i]) * 1099511628211u;
      if (desc->format_kind == dnnl_blocked)
        hash = (hash ^ (uint64_t)desc->format_desc.blocking.strides[i]) * 1099511628211u;
    }
  PareMd **bucket = &pool->buckets[(hash ^ hash >> 32) % POOL_BUCKETS];
  for (PareMd *md = *bucket; md; md = md->next)
    if (dnnl_memory_desc_equal (&md->md, desc))
      return md;
  PareMd *md = malloc (sizeof *md);
  if (!md)
    return NULL;
  md->md = *desc;
  md->next = *bucket;
  *bucket = md;
  return md;
}

static uint64_t
mix (uint64_t hash, const dnnl_dim_t *values, int n)
{
  for (int i = 0; i < n; i++)
    {
      hash = (hash ^ (uint64_t)values[i]) * 0x9FB21C651E98DF25u;
      hash ^= hash >> 32;
    }
  return hash;
}

uint64_t
pare_md_hash (const PareMd *md)
{
  const dnnl_memory_desc_t *d = &md->md;
  const dnnl_dim_t head[4] = { d->ndims, d->data_type, d->format_kind, d->offset0 };
  uint64_t hash = mix (14695981039346656037u, head, 4);
  hash = mix (hash, d->dims, d->ndims);
  hash = mix (hash, d->padded_dims, d->ndims);
  hash = mix (hash, d->padded_offsets, d->ndims);
  if (d->format_kind != dnnl_blocked)
    return hash;
  const dnnl_blocking_desc_t *b = &d->format_desc.blocking;
  const dnnl_dim_t blocks = b->inner_nblks;
  hash = mix (hash, b->strides, d->ndims);
  hash = mix (hash, &blocks, 1);
  hash = mix (hash, b->inner_blks, b->inner_nblks);
  return mix (hash, b->inner_idxs, b->inner_nblks);
}

bool
pare_md_is_plain_blocked (const PareMd *md)
{
  return md->md.format_kind == dnnl_blocked && md->md.extra.flags == dnnl_memory_extra_flag_none;
}

const PareMd *
pare_md_new (PareMdPool *pool, int rank, const int64_t *dims, const int64_t *strides)
{
  return pare_md_new_typed (pool, dnnl_f32, rank, dims, strides);
}

const PareMd *
pare_md_new_typed (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims, const int64_t *strides)
{
  dnnl_memory_desc_t desc;
  dnnl_dims_t row_major;
  if (rank < 1 || rank > DNNL_MAX_NDIMS)
    return NULL;
  for (int i = rank - 1; i >= 0; i--)
    {
      if (dims[i] <= 0)
        return NULL;
      row_major[i] = i == rank - 1 ? 1 : row_major[i + 1] * dims[i + 1];
    }
  if (dnnl_memory_desc_init_by_strides (&desc, rank, dims, type, strides ? strides : row_major) != dnnl_success)
    return NULL;
  return intern (pool, &desc);
}

const PareMd *
pare_md_new_any (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims)
{
  dnnl_memory_desc_t desc;
  if (rank < 1 || rank > DNNL_MAX_NDIMS || dnnl_memory_desc_init_by_tag (&desc, rank, dims, type, dnnl_format_tag_any) != dnnl_success)
    return NULL;
  return intern (pool, &desc);
}

const PareMd *
pare_md_new_channels_last (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims)
{
  int64_t strides[DNNL_MAX_NDIMS], step = 1;
  if (rank < 3 || rank > DNNL_MAX_NDIMS)
    return NULL;
  strides[1] = 1;
  step = dims[1];
  for (int i = rank - 1; i >= 2; i--)
    {
      strides[i] = step;
      step *= dims[i];
    }
  strides[0] = step;
  return pare_md_new_typed (pool, type, rank, dims, strides);
}

const PareMd *
pare_md_with_type (PareMdPool *pool, const PareMd *md, dnnl_data_type_t type)
{
  dnnl_memory_desc_t desc = md->md;
  if (desc.format_kind != dnnl_blocked || desc.extra.flags)
    return NULL;
  desc.data_type = type;
  return intern (pool, &desc);
}

const PareMd *
pare_md_new_blocks (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims)
{
  dnnl_memory_desc_t desc;
  dnnl_format_tag_t tag = rank == 3 ? dnnl_aBc16b : rank == 4 ? dnnl_aBcd16b : dnnl_aBcde16b;
  if (rank < 3 || rank > 5 || dnnl_memory_desc_init_by_tag (&desc, rank, dims, type, tag) != dnnl_success)
    return NULL;
  return intern (pool, &desc);
}

uint64_t
pare_md_element_size (const PareMd *md)
{
  return dnnl_data_type_size (md->md.data_type);
}

dnnl_data_type_t
pare_md_type (const PareMd *md)
{
  return md->md.data_type;
}

const PareMd *
pare_md_new_like (PareMdPool *pool, const PareMd *layout, const int64_t *dims)
{
  const dnnl_memory_desc_t *from = &layout->md;
  if (from->format_kind != dnnl_blocked || from->offset0 || from->extra.flags)
    return NULL;
  dnnl_memory_desc_t desc = *from;
  int64_t block[DNNL_MAX_NDIMS], inner = 1;
  int order[DNNL_MAX_NDIMS];
  for (int i = 0; i < desc.ndims; i++)
    {
      block[i] = 1;
      order[i] = i;
    }
  for (int i = 0; i < from->format_desc.blocking.inner_nblks; i++)
    {
      block[from->format_desc.blocking.inner_idxs[i]] *= from->format_desc.blocking.inner_blks[i];
      inner *= from->format_desc.blocking.inner_blks[i];
    }
  /* Outer axes keep their order in memory; ties (extents of one) stay in the order of the axes. */
  for (int i = 1; i < desc.ndims; i++)
    for (int j = i; j > 0 && from->format_desc.blocking.strides[order[j - 1]] < from->format_desc.blocking.strides[order[j]]; j--)
      {
        int swap = order[j];
        order[j] = order[j - 1];
        order[j - 1] = swap;
      }
  int64_t step = inner;
  for (int i = desc.ndims - 1; i >= 0; i--)
    {
      int axis = order[i];
      if (dims[axis] <= 0)
        return NULL;
      desc.dims[axis] = dims[axis];
      desc.padded_dims[axis] = (dims[axis] + block[axis] - 1) / block[axis] * block[axis];
      desc.padded_offsets[axis] = 0;
      desc.format_desc.blocking.strides[axis] = step;
      step *= desc.padded_dims[axis] / block[axis];
    }
  return intern (pool, &desc);
}

uint64_t
pare_md_bytes (const PareMd *md)
{
  return dnnl_memory_desc_get_size (&md->md);
}

int
pare_md_rank (const PareMd *md)
{
  return md->md.ndims;
}

const int64_t *
pare_md_dims (const PareMd *md)
{
  return md->md.dims;
}

bool
pare_md_is_row_major (const PareMd *md)
{
  const dnnl_memory_desc_t *d = &md->md;
  if (d->format_kind != dnnl_blocked || d->offset0 || d->extra.flags || d->format_desc.blocking.inner_nblks > 1)
    return false;
  const dnnl_blocking_desc_t *b = &d->format_desc.blocking;
  int64_t step = 1;
  for (int i = d->ndims - 1; i >= 0; i--)
    {
      if (d->padded_dims[i] != d->dims[i])
        return false;
      int64_t outer = d->dims[i];
      if (b->inner_nblks == 1 && b->inner_idxs[0] == i)
        {
          if (b->inner_blks[0] > 1 && step != 1) /* something lies inside the block */
            return false;
          step *= b->inner_blks[0];
          outer /= b->inner_blks[0];
        }
      if (outer > 1 && b->strides[i] != step)
        return false;
      step *= outer;
    }
  return true;
}

const int64_t *
pare_md_strides (const PareMd *md)
{
  const dnnl_memory_desc_t *d = &md->md;
  return d->format_kind == dnnl_blocked && !d->offset0 && !d->extra.flags && !d->format_desc.blocking.inner_nblks
             ? d->format_desc.blocking.strides
             : NULL;
}

bool
pare_md_is_dense (const PareMd *md)
{
  const dnnl_memory_desc_t *d = &md->md;
  uint64_t count = 1;
  if (d->format_kind != dnnl_blocked || d->offset0 || d->extra.flags)
    return false;
  for (int i = 0; i < d->ndims; i++)
    count *= (uint64_t)d->dims[i];
  return count * dnnl_data_type_size (d->data_type) == pare_md_bytes (md);
}

bool
pare_md_is_outermost (const PareMd *md, int axis)
{
  const dnnl_memory_desc_t *d = &md->md;
  if (!pare_md_is_dense (md))
    return false;
  for (int i = 0; i < d->ndims; i++)
    if (i != axis && d->dims[i] > 1 && d->format_desc.blocking.strides[i] > d->format_desc.blocking.strides[axis])
      return false;
  return true;
}

int64_t
pare_md_channel_block (const PareMd *md)
{
  int64_t block = 1;
  for (int i = 0; i < md->md.format_desc.blocking.inner_nblks; i++)
    if (md->md.format_desc.blocking.inner_idxs[i] == 1)
      block *= md->md.format_desc.blocking.inner_blks[i];
  return block;
}

static bool
begins (dnnl_primitive_desc_t pd, const char *name)
{
  return !strncmp (pare_pd_name (pd), name, strlen (name));
}

/* oneDNN 2.6's convolution by tiles of bytes reads beside its sums of what padding adds to a zero point: rows at the end of an image that
 * is padded by 4 or more are wrong, and it reads out of bounds. Those sums are wrong for depthwise windows of eight, too, on AVX2 and where
 * volumes are convolved by general products. */
static bool
is_wrong (dnnl_primitive_desc_t pd, const ParePostOps *post)
{
  if (!post || !post->zero_src)
    return false;
  if (begins (pd, "jit:avx512_core_amx_int8"))
    return true;
  const dnnl_memory_desc_t *w = dnnl_primitive_desc_query_md (pd, dnnl_query_weights_md, 0);
  int64_t area = 1;
  for (int i = 1; w && i < w->ndims; i++)
    area *= w->dims[i];
  return w && w->dims[1] == 1 && w->dims[2] == 1 && area == 8 && (begins (pd, "jit_uni_int8:avx2") || begins (pd, "x64:gemm"));
}

static const char matrix[] = "brgconv:avx512_core_amx", lines[] = "brgconv:";

/* The next implementation after those whose names begin with `avoid`, of the kind that is generated for the case, or of vectors instead of
 * matrices; NULL if there is none. */
static dnnl_primitive_desc_t
make_other (dnnl_engine_t engine, const_dnnl_op_desc_t desc, const_dnnl_primitive_attr_t attr, const ParePostOps *post, const char *avoid)
{
  dnnl_primitive_desc_iterator_t iterator = NULL;
  dnnl_primitive_desc_t found = NULL;
  if (dnnl_primitive_desc_iterator_create (&iterator, desc, attr, engine, NULL) != dnnl_success)
    return NULL;
  do
    {
      dnnl_primitive_desc_t pd = dnnl_primitive_desc_iterator_fetch (iterator);
      bool kind = pd && (begins (pd, "jit") || (avoid == matrix && begins (pd, "brgconv")));
      if (kind && (!avoid || !begins (pd, avoid)) && !is_wrong (pd, post))
        found = pd;
      else if (pd)
        dnnl_primitive_desc_destroy (pd);
    }
  while (!found && dnnl_primitive_desc_iterator_next (iterator) == dnnl_success);
  dnnl_primitive_desc_iterator_destroy (iterator);
  return found;
}

/* avoid: beginning of the name of implementations that are slower here than the next; NULL: take the first. */
static dnnl_primitive_desc_t
make_avoiding (dnnl_engine_t engine, const_dnnl_op_desc_t desc, const ParePostOps *post, const char *avoid)
{
  dnnl_primitive_attr_t attr = NULL;
  dnnl_post_ops_t ops = NULL;
  dnnl_primitive_desc_t pd = NULL;
  bool fine = dnnl_primitive_attr_create (&attr) == dnnl_success
              && dnnl_primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user) == dnnl_success;
  if (fine && post && post->n)
    {
      fine = dnnl_post_ops_create (&ops) == dnnl_success;
      for (int i = 0; fine && i < post->n; i++)
        {
          const ParePostOp *op = &post->ops[i];
          fine = (op->kind == PARE_POST_SUM      ? dnnl_post_ops_append_sum (ops, 1.0f)
                  : op->kind == PARE_POST_BINARY ? dnnl_post_ops_append_binary (ops, op->alg, &op->md->md)
                                                 : dnnl_post_ops_append_eltwise (ops, 1.0f, op->alg, op->alpha, op->beta))
                 == dnnl_success;
        }
      if (fine)
        fine = dnnl_primitive_attr_set_post_ops (attr, ops) == dnnl_success;
    }
  if (fine && post && post->scales)
    fine = dnnl_primitive_attr_set_output_scales (attr, post->n_scales, post->n_scales > 1 ? 1 << 1 : 0, post->scales) == dnnl_success;
  if (fine && post && post->zero_src)
    fine = dnnl_primitive_attr_set_zero_points (attr, DNNL_ARG_SRC, 1, 0, &post->zero_src) == dnnl_success;
  if (fine && dnnl_primitive_desc_create (&pd, desc, attr, engine, NULL) != dnnl_success)
    pd = NULL;
  bool wrong = pd && is_wrong (pd, post);
  if (wrong || (pd && avoid && begins (pd, avoid)))
    {
      dnnl_primitive_desc_t other = make_other (engine, desc, attr, post, avoid);
      if (other || wrong)
        {
          dnnl_primitive_desc_destroy (pd);
          pd = other;
        }
    }
  if (ops)
    dnnl_post_ops_destroy (ops);
  if (attr)
    dnnl_primitive_attr_destroy (attr);
  if (pd && begins (pd, "ref")) /* correct, but slower than the portable kernels */
    {
      dnnl_primitive_desc_destroy (pd);
      pd = NULL;
    }
  return pd;
}

static dnnl_primitive_desc_t
make (dnnl_engine_t engine, const_dnnl_op_desc_t desc, const ParePostOps *post)
{
  return make_avoiding (engine, desc, post, NULL);
}

/* Some window has no row (of a volume: or no plane) of the image: oneDNN 2.6's matrix kernels crash there. */
static bool
is_beside (const PareMd *src, const PareMd *weights, const PareMd *dst, const int64_t *stride, const int64_t *dilation,
           const int64_t *pad_begin)
{
  int spatial = src->md.ndims - 2;
  for (int i = 0; i < spatial - 1; i++)
    for (int64_t o = 0; o < dst->md.dims[i + 2]; o++)
      {
        bool inside = false;
        for (int64_t k = 0; k < weights->md.dims[weights->md.ndims - spatial + i] && !inside; k++)
          {
            int64_t at = o * stride[i] - pad_begin[i] + k * dilation[i];
            inside = at >= 0 && at < src->md.dims[i + 2];
          }
        if (!inside)
          return true;
      }
  return false;
}

/* So many windows of a row reach beyond its end that they may be more than the last block of results has, which is what oneDNN 2.6's
 * products of lines do not look at. Rows that are one block are right: of up to 24 vectors. */
static bool
reaches_far (const PareMd *src, const PareMd *weights, const PareMd *dst, const int64_t *stride, const int64_t *dilation,
             const int64_t *pad_end)
{
  int last = src->md.ndims - 3;
  int64_t channels = weights->md.dims[weights->md.ndims - src->md.ndims], vectors = channels > 48 ? 4 : (channels + 15) / 16;
  return dilation[last] == 1 && pad_end[last] > 3 * stride[last] && dst->md.dims[last + 2] * vectors > 24;
}

static dnnl_primitive_desc_t
make_conv (dnnl_engine_t engine, bool transposed, const PareMd *src, const PareMd *weights, const PareMd *bias, const PareMd *dst,
           const int64_t *stride, const int64_t *dilation, const int64_t *pad_begin, const int64_t *pad_end, const ParePostOps *post)
{
  dnnl_convolution_desc_t desc; /* deconvolutions have the same type */
  dnnl_dims_t between = { 0 };  /* oneDNN counts the gaps */
  for (int i = 0; i < src->md.ndims - 2; i++)
    between[i] = dilation[i] - 1;
  dnnl_status_t status
      = transposed
            ? dnnl_dilated_deconvolution_forward_desc_init (&desc, dnnl_forward_inference, dnnl_deconvolution_direct, &src->md,
                                                            &weights->md, bias ? &bias->md : NULL, &dst->md, stride, between, pad_begin,
                                                            pad_end)
            : dnnl_dilated_convolution_forward_desc_init (&desc, dnnl_forward_inference, dnnl_convolution_direct, &src->md, &weights->md,
                                                          bias ? &bias->md : NULL, &dst->md, stride, between, pad_begin, pad_end);
  dnnl_primitive_desc_t pd = status == dnnl_success ? make (engine, &desc, post) : NULL;
  if (!pd || transposed)
    return pd;
  const char *wrong = NULL;
  if (begins (pd, matrix))
    wrong = is_beside (src, weights, dst, stride, dilation, pad_begin) ? matrix : NULL;
  else if (begins (pd, lines))
    wrong = reaches_far (src, weights, dst, stride, dilation, pad_end) ? lines : NULL;
  if (wrong)
    {
      dnnl_primitive_desc_destroy (pd);
      pd = make_avoiding (engine, &desc, post, wrong);
      if (!pd || !begins (pd, wrong))
        return pd;
      dnnl_primitive_desc_destroy (pd);
      return NULL;
    }
  /* The matrix kernels come first in oneDNN's list and fix the layout (channels last); measured, in that layout, convolutions of single
   * channels take half the time with the generator that is next in the list, and those of few channels two thirds. */
  bool grouped = weights->md.ndims > src->md.ndims;
  int64_t ic = src->md.dims[1], oc = dst->md.dims[1];
  bool single = grouped && weights->md.dims[1] == 1 && weights->md.dims[2] == 1, few = !grouped && (ic <= 4 || (ic <= 16 && oc <= 16));
  const char *avoid = single ? "brdgmm" : few ? "brgconv:" : NULL;
  if (!avoid || !begins (pd, avoid))
    return pd;
  const dnnl_memory_desc_t *src_md = dnnl_primitive_desc_query_md (pd, dnnl_query_src_md, 0),
                           *dst_md = dnnl_primitive_desc_query_md (pd, dnnl_query_dst_md, 0);
  dnnl_primitive_desc_t other = NULL;
  if (src_md && dst_md
      && dnnl_dilated_convolution_forward_desc_init (&desc, dnnl_forward_inference, dnnl_convolution_direct, src_md, &weights->md,
                                                     bias ? &bias->md : NULL, dst_md, stride, between, pad_begin, pad_end)
             == dnnl_success)
    other = make_avoiding (engine, &desc, post, avoid);
  if (other)
    dnnl_primitive_desc_destroy (pd);
  return other ? other : pd;
}

static PareContentKey
hash_post (PareContentKey key, const ParePostOps *post)
{
  for (int i = 0; i < post->n; i++)
    {
      const ParePostOp *op = &post->ops[i];
      const uint64_t words[3] = { op->kind, op->alg, op->md ? pare_md_hash (op->md) : 0 };
      const float numbers[2] = { op->alpha, op->beta };
      key = pare_content_hash (key, words, sizeof words);
      key = pare_content_hash (key, numbers, sizeof numbers);
    }
  if (post->scales)
    key = pare_content_hash (key, post->scales, (uint64_t)post->n_scales * sizeof *post->scales);
  const int32_t rest[3] = { post->n, post->scales ? post->n_scales : 0, post->zero_src };
  return pare_content_hash (key, rest, sizeof rest);
}

dnnl_primitive_desc_t
pare_pd_conv (dnnl_engine_t engine, bool transposed, const PareMd *src, const PareMd *weights, const PareMd *bias, const PareMd *dst,
              const int64_t *stride, const int64_t *dilation, const int64_t *pad_begin, const int64_t *pad_end, const ParePostOps *post)
{
  const ParePostOps none = { 0 };
  const int64_t *const window[4] = { stride, dilation, pad_begin, pad_end };
  const uint64_t operands[4] = { pare_md_hash (src), pare_md_hash (weights), bias ? pare_md_hash (bias) : 0, pare_md_hash (dst) };
  PareContentKey key = pare_content_hash ((PareContentKey){ transposed, 8 }, operands, sizeof operands);
  for (int i = 0; i < 4; i++)
    key = pare_content_hash (key, window[i], (uint64_t)(src->md.ndims - 2) * sizeof *window[i]);
  key = hash_post (key, post ? post : &none);
  dnnl_primitive_desc_t pd = pare_dnnl_recall (key);
  if (pd)
    return pd;
  pd = make_conv (engine, transposed, src, weights, bias, dst, stride, dilation, pad_begin, pad_end, post);
  if (pd)
    pare_dnnl_keep (key, pd);
  return pd;
}

dnnl_primitive_desc_t
pare_pd_inner_product (dnnl_engine_t engine, const PareMd *src, const PareMd *weights, const PareMd *bias, const PareMd *dst,
                       const ParePostOps *post)
{
  dnnl_inner_product_desc_t desc;
  if (dnnl_inner_product_forward_desc_init (&desc, dnnl_forward_inference, &src->md, &weights->md, bias ? &bias->md : NULL, &dst->md)
      != dnnl_success)
    return NULL;
  return make (engine, &desc, post);
}

dnnl_primitive_desc_t
pare_pd_matmul (dnnl_engine_t engine, const PareMd *src, const PareMd *weights, const PareMd *bias, const PareMd *dst,
                const ParePostOps *post)
{
  dnnl_matmul_desc_t desc;
  if (dnnl_matmul_desc_init (&desc, &src->md, &weights->md, bias ? &bias->md : NULL, &dst->md) != dnnl_success)
    return NULL;
  return make (engine, &desc, post);
}

dnnl_primitive_desc_t
pare_pd_pool (dnnl_engine_t engine, dnnl_alg_kind_t alg, const PareMd *src, const PareMd *dst, const int64_t *stride, const int64_t *kernel,
              const int64_t *dilation, const int64_t *pad_begin, const int64_t *pad_end)
{
  dnnl_pooling_v2_desc_t desc;
  dnnl_pooling_desc_t undilated;
  dnnl_dims_t between = { 0 };
  bool dilated = false;
  for (int i = 0; i < src->md.ndims - 2; i++)
    {
      between[i] = dilation[i] - 1;
      dilated |= between[i] != 0;
    }
  if (dilated)
    return dnnl_pooling_v2_forward_desc_init (&desc, dnnl_forward_inference, alg, &src->md, &dst->md, stride, kernel, between, pad_begin,
                                              pad_end)
                   == dnnl_success
               ? make (engine, &desc, NULL)
               : NULL;
  return dnnl_pooling_forward_desc_init (&undilated, dnnl_forward_inference, alg, &src->md, &dst->md, stride, kernel, pad_begin, pad_end)
                 == dnnl_success
             ? make (engine, &undilated, NULL)
             : NULL;
}

dnnl_primitive_desc_t
pare_pd_eltwise (dnnl_engine_t engine, dnnl_alg_kind_t alg, const PareMd *data, float alpha, float beta)
{
  dnnl_eltwise_desc_t desc;
  if (dnnl_eltwise_forward_desc_init (&desc, dnnl_forward_inference, alg, &data->md, alpha, beta) != dnnl_success)
    return NULL;
  return make (engine, &desc, NULL);
}

static bool
is_one_pixel (const PareMd *md)
{
  for (int i = 2; i < md->md.ndims; i++)
    if (md->md.dims[i] != 1)
      return false;
  return true;
}

dnnl_primitive_desc_t
pare_pd_binary (dnnl_engine_t engine, dnnl_alg_kind_t alg, const PareMd *a, const PareMd *b, const PareMd *dst, const ParePostOps *post)
{
  dnnl_binary_desc_t desc;
  /* Images of one pixel: oneDNN 2.6 reads what is added behind for each channel from the place of another. */
  if (post && post->n > 0 && dst->md.ndims > 2 && dst->md.dims[0] > 1 && is_one_pixel (dst))
    return NULL;
  if (dnnl_binary_desc_init (&desc, alg, &a->md, &b->md, &dst->md) != dnnl_success)
    return NULL;
  return make (engine, &desc, post);
}

dnnl_primitive_desc_t
pare_pd_softmax (dnnl_engine_t engine, bool log, const PareMd *data, int axis)
{
  dnnl_softmax_v2_desc_t desc;
  if (dnnl_softmax_v2_forward_desc_init (&desc, dnnl_forward_inference, log ? dnnl_softmax_log : dnnl_softmax_accurate, &data->md,
                                         &data->md, axis)
      != dnnl_success)
    return NULL;
  return make (engine, &desc, NULL);
}

dnnl_primitive_desc_t
pare_pd_concat (dnnl_engine_t engine, const PareMd *dst, int axis, int n, const PareMd *const *src)
{
  dnnl_primitive_attr_t attr = NULL;
  dnnl_primitive_desc_t pd = NULL;
  dnnl_memory_desc_t *descs = calloc ((size_t)n, sizeof *descs);
  if (!descs)
    return NULL;
  for (int i = 0; i < n; i++)
    descs[i] = src[i]->md;
  if (dnnl_primitive_attr_create (&attr) == dnnl_success)
    {
      dnnl_primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user);
      if (dnnl_concat_primitive_desc_create (&pd, &dst->md, n, axis, descs, attr, engine) != dnnl_success)
        pd = NULL;
      dnnl_primitive_attr_destroy (attr);
    }
  free (descs);
  return pd;
}

dnnl_primitive_desc_t
pare_pd_reorder (dnnl_engine_t engine, const PareMd *src, const PareMd *dst)
{
  dnnl_primitive_attr_t attr = NULL;
  dnnl_primitive_desc_t pd = NULL;
  if (dnnl_primitive_attr_create (&attr) != dnnl_success)
    return NULL;
  dnnl_primitive_attr_set_scratchpad_mode (attr, dnnl_scratchpad_mode_user);
  if (dnnl_reorder_primitive_desc_create (&pd, &src->md, engine, &dst->md, engine, attr) != dnnl_success)
    pd = NULL;
  dnnl_primitive_attr_destroy (attr);
  return pd;
}

const PareMd *
pare_pd_md (PareMdPool *pool, dnnl_primitive_desc_t pd, ParePdOperand operand)
{
  static const dnnl_query_t what[] = {
    [PARE_PD_SRC] = dnnl_query_src_md,
    [PARE_PD_WEIGHTS] = dnnl_query_weights_md,
    [PARE_PD_DST] = dnnl_query_dst_md,
    [PARE_PD_SCRATCHPAD] = dnnl_query_scratchpad_md,
  };
  const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md (pd, what[operand], 0);
  return md ? intern (pool, md) : NULL;
}

const char *
pare_pd_name (dnnl_primitive_desc_t pd)
{
  const char *name = NULL;
  return dnnl_primitive_desc_query (pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name ? name : "";
}

dnnl_primitive_t
pare_pd_take_primitive (dnnl_primitive_desc_t pd)
{
  dnnl_primitive_t primitive = NULL;
  if (dnnl_primitive_create (&primitive, pd) != dnnl_success)
    primitive = NULL;
  dnnl_primitive_desc_destroy (pd);
  return primitive;
}

dnnl_memory_t
pare_dnnl_memory (dnnl_engine_t engine, const PareMd *md, void *data)
{
  dnnl_memory_t memory = NULL;
  if (dnnl_memory_create (&memory, &md->md, engine, data) != dnnl_success)
    return NULL;
  return memory;
}
