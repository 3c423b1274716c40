/* The only file pair that knows which oneDNN it is built against: memory descriptors and primitive descriptors behind names of our own.
 * Descriptors are interned in a pool, so that equal ones have equal addresses and nothing needs freeing one by one. */
#pragma once
#include <dnnl.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct PareMd PareMd;
typedef struct PareMdPool PareMdPool;

PareMdPool *pare_md_pool_new (void);
void pare_md_pool_free (PareMdPool *pool);

/* float32. NULL on failure (no memory, a rank or size oneDNN does not take). Strides in elements; NULL: row-major. */
const PareMd *pare_md_new (PareMdPool *pool, int rank, const int64_t *dims, const int64_t *strides);
/* The same for any type of element. */
const PareMd *pare_md_new_typed (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims, const int64_t *strides);
/* In the layout that the primitive likes best. */
const PareMd *pare_md_new_any (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims);
/* Channels in blocks of 16 (N, C / 16, spatial, 16). */
const PareMd *pare_md_new_blocks (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims);
uint64_t pare_md_element_size (const PareMd *md);
/* Channels innermost (N, spatial, C). */
const PareMd *pare_md_new_channels_last (PareMdPool *pool, dnnl_data_type_t type, int rank, const int64_t *dims);
/* The same layout for elements of another type. */
const PareMd *pare_md_with_type (PareMdPool *pool, const PareMd *md, dnnl_data_type_t type);
dnnl_data_type_t pare_md_type (const PareMd *md);
/* The same layout for other extents (a slice's own memory, another tensor of the same rank); NULL where that makes no sense. */
const PareMd *pare_md_new_like (PareMdPool *pool, const PareMd *layout, const int64_t *dims);
uint64_t pare_md_bytes (const PareMd *md);
int pare_md_rank (const PareMd *md);
const int64_t *pare_md_dims (const PareMd *md);
/* Bytes are those of the row-major tensor, whatever the descriptor calls itself. */
bool pare_md_is_row_major (const PareMd *md);
/* Strides in elements; NULL for blocked layouts. */
const int64_t *pare_md_strides (const PareMd *md);
/* Every byte belongs to exactly one element (no padding, no gaps). */
bool pare_md_is_dense (const PareMd *md);
/* The tensors sliced along `axis` lie one after the other in memory: batch 1, whole blocks. */
bool pare_md_is_outermost (const PareMd *md, int axis);
/* Equal for equal layouts, in any pool. */
uint64_t pare_md_hash (const PareMd *md);
/* Nothing belongs to the layout that its hash does not know (sums beside the weights, orders that only oneDNN knows). */
bool pare_md_is_plain_blocked (const PareMd *md);
/* Elements of the innermost block along the channels, 1 if none. */
int64_t pare_md_channel_block (const PareMd *md);

/* What a primitive does to its result besides its own work, in this order. */
typedef enum
{
  PARE_POST_SUM /* dst held an operand before */,
  PARE_POST_BINARY,
  PARE_POST_ELTWISE
} ParePostKind;
#define PARE_MAX_POST 5
typedef struct
{
  ParePostKind kind;
  dnnl_alg_kind_t alg;
  const PareMd *md; /* BINARY: the other operand */
  float alpha, beta;
} ParePostOp;
typedef struct
{
  int n;
  ParePostOp ops[PARE_MAX_POST];
  const float *scales; /* one for each output channel, before all of them; NULL: none */
  int n_scales;
  int32_t zero_src; /* of codes */
} ParePostOps;

typedef enum
{
  PARE_PD_SRC,
  PARE_PD_WEIGHTS,
  PARE_PD_DST,
  PARE_PD_SCRATCHPAD
} ParePdOperand;

/* All: NULL where oneDNN has nothing, or only its slow reference code. bias may be NULL. */
dnnl_primitive_desc_t pare_pd_conv (dnnl_engine_t engine, bool transposed, const PareMd *src, const PareMd *weights, const PareMd *bias,
                                    const PareMd *dst, const int64_t *stride, const int64_t *dilation, const int64_t *pad_begin,
                                    const int64_t *pad_end, const ParePostOps *post);
dnnl_primitive_desc_t pare_pd_inner_product (dnnl_engine_t engine, const PareMd *src, const PareMd *weights, const PareMd *bias,
                                             const PareMd *dst, const ParePostOps *post);
dnnl_primitive_desc_t pare_pd_matmul (dnnl_engine_t engine, const PareMd *src, const PareMd *weights, const PareMd *bias, const PareMd *dst,
                                      const ParePostOps *post);
dnnl_primitive_desc_t pare_pd_pool (dnnl_engine_t engine, dnnl_alg_kind_t alg, const PareMd *src, const PareMd *dst, const int64_t *stride,
                                    const int64_t *kernel, const int64_t *dilation, const int64_t *pad_begin, const int64_t *pad_end);
dnnl_primitive_desc_t pare_pd_eltwise (dnnl_engine_t engine, dnnl_alg_kind_t alg, const PareMd *data, float alpha, float beta);
dnnl_primitive_desc_t pare_pd_binary (dnnl_engine_t engine, dnnl_alg_kind_t alg, const PareMd *a, const PareMd *b, const PareMd *dst,
                                      const ParePostOps *post);
dnnl_primitive_desc_t pare_pd_softmax (dnnl_engine_t engine, bool log, const PareMd *data, int axis);
dnnl_primitive_desc_t pare_pd_concat (dnnl_engine_t engine, const PareMd *dst, int axis, int n, const PareMd *const *src);
dnnl_primitive_desc_t pare_pd_reorder (dnnl_engine_t engine, const PareMd *src, const PareMd *dst);
/* The layout that was chosen for an operand. */
const PareMd *pare_pd_md (PareMdPool *pool, dnnl_primitive_desc_t pd, ParePdOperand operand);
const char *pare_pd_name (dnnl_primitive_desc_t pd);
/* Not NULL: consumed pd or freed it. */
dnnl_primitive_t pare_pd_take_primitive (dnnl_primitive_desc_t pd);

dnnl_memory_t pare_dnnl_memory (dnnl_engine_t engine, const PareMd *md, void *data);
