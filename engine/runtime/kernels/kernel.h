/* What every kernel file sees. A kernel first checks its views and parameters, then - unless this is a dry run - computes.
 * pare_rt_plan_check() makes a dry run of every step, so a plan that passed cannot make a kernel read or write out of bounds. */
#pragma once
#include "engine/runtime/pare-rt.h"
#include <math.h>
#include <string.h>

extern char pare_rt_dry_token;
#define PARE_RT_DRY ((void *) &pare_rt_dry_token)
#define REQUIRE(cond) do { if (!(cond)) return PARE_RT_INVALID; } while (0)
#define SUPPORT(cond) do { if (!(cond)) return PARE_RT_UNSUPPORTED; } while (0)
#define CHECKED do { if (scratch == PARE_RT_DRY) return PARE_RT_OK; } while (0)

#define KERNEL(name) \
  PareRtStatus name (const void *params, const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, void *scratch)
/* Scratch bytes for operands; views have no data. */
#define SCRATCH(name) uint64_t name (const void *params, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)

/* Packs the constant in[1] into `packed` (64-byte aligned) and returns the bytes that takes; packed NULL: only says how many. 0: it is read
 * as it lies. Kernels find it in in[1].packed; whoever runs without pare_rt_weights_new leaves it NULL. */
#define PACK(name) \
  uint64_t name (const void *params, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out, void *packed)

/* Vector code for newer CPUs beside the baseline, chosen once at load (needs ifunc: glibc). Sanitizers run before ifuncs are ready. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PARE_RT_CLONES
#elif defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define PARE_RT_CLONES __attribute__ ((target_clones ("default", "avx2", "avx512f")))
#else
#define PARE_RT_CLONES
#endif

/* Before a loop whose operands are the same memory or do not overlap: vectors may be stored before later elements are read. */
#if defined(__GNUC__) && !defined(__clang__)
#define PARE_RT_IVDEP _Pragma ("GCC ivdep")
#else
#define PARE_RT_IVDEP
#endif

static inline int64_t
count_of (const PareView *v)
{
  return pare_shape_count (&v->shape);
}

static inline int64_t
product (const PareShape *s, int from, int to)
{
  int64_t n = 1;
  for (int i = from; i < to; i++)
    n *= s->dims[i];
  return n;
}

static inline bool
same_shape (const PareView *a, const PareView *b)
{
  if (a->shape.rank != b->shape.rank)
    return false;
  for (int i = 0; i < a->shape.rank; i++)
    if (a->shape.dims[i] != b->shape.dims[i])
      return false;
  return true;
}

/* Optional operands: dtype NONE where omitted. */
static inline bool
given (const PareView *in, uint32_t n_in, uint32_t i)
{
  return i < n_in && in[i].dtype != PARE_DTYPE_NONE;
}

static inline bool
is_f32 (const PareView *v)
{
  return v->dtype == PARE_DTYPE_FLOAT32;
}

/* Bytes of an element; 0 for 4-bit types and strings, which data movement refuses. */
static inline int64_t
element_size (const PareView *v)
{
  int bits = pare_dtype_bits (v->dtype);
  return bits >= 8 ? bits / 8 : 0;
}

/* Index i of an int32 or int64 tensor. */
static inline int64_t
index_at (const PareView *v, int64_t i)
{
  return v->dtype == PARE_DTYPE_INT32 ? ((const int32_t *) v->data)[i] : ((const int64_t *) v->data)[i];
}

static inline bool
is_index (const PareView *v)
{
  return v->dtype == PARE_DTYPE_INT32 || v->dtype == PARE_DTYPE_INT64;
}

#include "engine/runtime/kernels/functions.h"

/* y[i] = a[at_a + i sa] ? b[at_b + i sb] by a comparison or a logical function (PARE_BIN_EQUAL..XOR), of whole-byte types; compare.c */
void pare_rt_compare_row (int kind, const PareView *a, int64_t at_a, int64_t sa, const PareView *b, int64_t at_b, int64_t sb, uint8_t *y,
                          int64_t n);
/* y[i] = act(y[i]); activate.c */
void pare_rt_activate (float *y, int64_t n, int activation, float lo, float hi, float alpha);
/* Of n floats, in sixteen parts that are folded in a fixed order; NaN is no maximum. softmax.c */
float pare_rt_row_max (const float *x, int64_t n);
float pare_rt_row_sum (const float *x, int64_t n);
/* One value through a PareUnaryKind; unary.c */
float pare_rt_unary_f32 (int kind, float x, float alpha, float beta);
double pare_rt_unary_f64 (int kind, double x, float alpha, float beta);

/* Calls func (task, arg) for each task 0..n-1 on the pool of the running runner (here and now where there is none).
 * worker: 0..pare_rt_workers()-1. pare-rt-pool.c */
typedef void (*PareRtTask) (int64_t task, int worker, void *arg);
void pare_rt_parallel (int64_t n, PareRtTask func, void *arg);
int pare_rt_workers (void);
/* Smaller steps are worth sharing between them. The same as long as the pool lives: what is cut by it, and its scratch memory, may rely on
 * that. */
bool pare_rt_workers_are_near (void);
/* For each of `teams` independent sequences: func (round, ...) for all of its parts, each once, before any of the next round's. At most
 * pare_rt_workers() parts of all teams together are worth asking for. leave: what each thread does last, or NULL. pare-rt-team.c */
typedef void (*PareRtRound) (int64_t round, int team, int part, int parts, int worker, void *arg);
void pare_rt_rounds (int64_t rounds, int teams, int parts, PareRtRound func, void (*leave) (void), void *arg);

/* Most scratch-using kernels ask for this many copies, one a worker. */
#define PARE_RT_MAX_WORKERS 64

/* Elements of an elementwise step that are one task, and of which there should be two before anybody is woken. */
#define PARE_RT_SHARE 8192

/* The same here and now where sharing would cost more than the work. */
static inline void
pare_rt_parallel_if (bool worth, int64_t n, PareRtTask func, void *arg)
{
  if (worth)
    pare_rt_parallel (n, func, arg);
  else
    for (int64_t i = 0; i < n; i++)
      func (i, 0, arg);
}

/* --- the matrix kernel, gemm-core.c --- */
#define PARE_RT_KC 256
#define PARE_RT_NC 480 /* divided by the columns of a panel of every instruction set: 48, 24, 12, 8 */
#define PARE_RT_GEMM_SCRATCH ((uint64_t) PARE_RT_KC * (PARE_RT_NC + 8) * sizeof (float))
/* What follows a product: y = act (alpha y + beta c + residual), c broadcast by its strides (0 or not); c, residual (as y lies) NULL: none. */
typedef struct {
  float alpha, beta;
  const float *c, *residual;
  int64_t row_stride, col_stride;
  int activation;
  float lo, hi, act_alpha;
} PareRtGemmAfter;
/* That, of rows i0..i1-1 and `cols` columns from j0 on of c, row i at c + i * ldc. */
void pare_rt_gemm_after (const PareRtGemmAfter *after, float *c, int64_t ldc, int64_t i0, int64_t i1, int64_t j0, int64_t cols);
/* c[m][n] = a b; b(p, j) = b[p * rsb + j * csb]. scratch: PARE_RT_GEMM_SCRATCH per worker, 64-byte aligned. */
void pare_rt_sgemm (int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t rsb, int64_t csb, float *c, int64_t ldc, void *scratch);
/* packed: of b, or NULL; after: NULL for nothing. */
void pare_rt_sgemm_after (int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t rsb, int64_t csb, const float *packed,
                          float *c, int64_t ldc, const PareRtGemmAfter *after, void *scratch);
/* The bytes of b packed; to (64-byte aligned) NULL: only asks. */
uint64_t pare_rt_sgemm_pack (int64_t n, int64_t k, const float *b, int64_t rsb, int64_t csb, float *to);

/* --- small products in the thread that asks for them, gemm-small.c: b in panels, a as it lies --- */
uint64_t pare_rt_small_pack (int64_t n, int64_t k, const float *b, int64_t rsb, int64_t csb, float *to);
/* c[m][n] = a b; b was packed as [depth][n], of which the first k rows count. Columns from `limit` on (0: from n) need not be made. room: rows
 * of c have pare_rt_small_columns (n) places, and those beyond n may be written with zeros. */
void pare_rt_small_product (int64_t m, int64_t n, int64_t k, int64_t depth, int64_t limit, const float *a, int64_t lda, const float *packed, float *c,
                            int64_t ldc, bool room);
int64_t pare_rt_small_columns (int64_t n);

/* --- the kernels: id, function, name, has a scratch function, packs its weights --- */
#define PARE_RT_KERNELS(X) \
  X (CONV, conv, "Conv", 1, 1) X (CONV_TRANSPOSE, conv_transpose, "ConvTranspose", 1, 1) X (GEMM, gemm, "Gemm", 1, 1) X (MATMUL, matmul, "MatMul", 1, 1) \
  X (FAKE_QUANT, fake_quant, "FakeQuant", 0, 0) X (MAX_POOL, max_pool, "MaxPool", 1, 0) X (AVG_POOL, avg_pool, "AveragePool", 1, 0) \
  X (GLOBAL_AVG_POOL, global_avg_pool, "GlobalAveragePool", 0, 0) X (GLOBAL_MAX_POOL, global_max_pool, "GlobalMaxPool", 0, 0) \
  X (UNARY, unary, "Unary", 0, 0) X (BINARY, binary, "Binary", 0, 0) X (CLIP, clip, "Clip", 0, 0) X (WHERE, where, "Where", 0, 0) X (CAST, cast, "Cast", 0, 0) \
  X (SOFTMAX, softmax, "Softmax", 0, 0) X (BATCH_NORM, batch_norm, "BatchNormalization", 0, 0) X (LAYER_NORM, layer_norm, "LayerNormalization", 0, 0) \
  X (INSTANCE_NORM, instance_norm, "InstanceNormalization", 0, 0) X (LRN, lrn, "LRN", 0, 0) X (REDUCE, reduce, "Reduce", 0, 0) \
  X (ARG_EXTREME, arg_extreme, "ArgMax", 0, 0) X (CUMSUM, cumsum, "CumSum", 0, 0) X (COPY, copy, "Copy", 0, 0) X (TRANSPOSE, transpose, "Transpose", 0, 0) \
  X (CONCAT, concat, "Concat", 0, 0) X (SLICE, slice, "Slice", 0, 0) X (SPLIT, split, "Split", 0, 0) X (PAD, pad, "Pad", 0, 0) X (GATHER, gather, "Gather", 0, 0) \
  X (GATHER_ELEMENTS, gather_elements, "GatherElements", 0, 0) X (GATHER_ND, gather_nd, "GatherND", 0, 0) X (SCATTER_ND, scatter_nd, "ScatterND", 0, 0) \
  X (EXPAND, expand, "Expand", 0, 0) X (TILE, tile, "Tile", 0, 0) X (RESIZE, resize, "Resize", 0, 0) X (DEPTH_TO_SPACE, depth_to_space, "DepthToSpace", 0, 0) \
  X (SPACE_TO_DEPTH, space_to_depth, "SpaceToDepth", 0, 0) X (LSTM, lstm, "LSTM", 1, 1) X (GRU, gru, "GRU", 1, 1) X (RNN, rnn, "RNN", 1, 1) \
  X (QUANTIZE_LINEAR, quantize_linear, "QuantizeLinear", 0, 0) X (DEQUANTIZE_LINEAR, dequantize_linear, "DequantizeLinear", 0, 0) \
  X (RANGE, range, "Range", 0, 0) X (TOPK, topk, "TopK", 1, 0) X (ONE_HOT, one_hot, "OneHot", 0, 0) X (EINSUM, einsum, "Einsum", 0, 0) \
  X (SCATTER_ELEMENTS, scatter_elements, "ScatterElements", 0, 0) X (TRILU, trilu, "Trilu", 0, 0) X (GROUP_NORM, group_norm, "GroupNormalization", 0, 0) \
  X (LP_NORM, lp_norm, "LpNormalization", 0, 0) \
  X (QCONV, qconv, "QConv", 1, 1) X (QGEMM, qgemm, "QGemm", 1, 1) X (QADD, qadd, "QAdd", 0, 0) X (QAVG_POOL, qavg_pool, "QAveragePool", 0, 0) \
  X (LUT, lut, "Lut", 0, 0) X (ATTENTION, attention, "Attention", 1, 0) X (GRID_SAMPLE, grid_sample, "GridSample", 0, 0) \
  X (ROI_ALIGN, roi_align, "RoiAlign", 0, 0) X (ROTARY, rotary, "RotaryEmbedding", 0, 0) X (QATTENTION, qattention, "QAttention", 1, 0) \
  X (BLOCK_GEMM, block_gemm, "BlockGemm", 1, 0)

#define PARE_RT_DECLARE(id, name, text, has_scratch, has_pack) KERNEL (pare_rt_k_##name);
PARE_RT_KERNELS (PARE_RT_DECLARE)
#undef PARE_RT_DECLARE
SCRATCH (pare_rt_s_conv);
SCRATCH (pare_rt_s_conv_transpose);
SCRATCH (pare_rt_s_max_pool);
SCRATCH (pare_rt_s_avg_pool);
SCRATCH (pare_rt_s_gemm);
SCRATCH (pare_rt_s_matmul);
SCRATCH (pare_rt_s_lstm);
SCRATCH (pare_rt_s_gru);
SCRATCH (pare_rt_s_rnn);
SCRATCH (pare_rt_s_topk);
SCRATCH (pare_rt_s_qconv);
SCRATCH (pare_rt_s_qgemm);
SCRATCH (pare_rt_s_attention);
SCRATCH (pare_rt_s_qattention);
SCRATCH (pare_rt_s_block_gemm);
PACK (pare_rt_p_conv);
PACK (pare_rt_p_conv_transpose);
PACK (pare_rt_p_gemm);
PACK (pare_rt_p_matmul);
PACK (pare_rt_p_lstm);
PACK (pare_rt_p_gru);
PACK (pare_rt_p_rnn);
PACK (pare_rt_p_qconv);
PACK (pare_rt_p_qgemm);
