/* Kernel-level operators and their parameter structs (see pare-rt.h for Conv, Gemm, FakeQuant).
 * Semantics are those of ONNX opset 21 on concrete shapes. Extended by the runtime room. */
#pragma once
#include <stdint.h>

typedef enum {
  PARE_RT_CONV, PARE_RT_CONV_TRANSPOSE, PARE_RT_GEMM, PARE_RT_MATMUL, PARE_RT_FAKE_QUANT,
  PARE_RT_MAX_POOL, PARE_RT_AVG_POOL, PARE_RT_GLOBAL_AVG_POOL, PARE_RT_GLOBAL_MAX_POOL,
  PARE_RT_UNARY, PARE_RT_BINARY, PARE_RT_CLIP, PARE_RT_WHERE, PARE_RT_CAST,
  PARE_RT_SOFTMAX, PARE_RT_BATCH_NORM, PARE_RT_LAYER_NORM, PARE_RT_INSTANCE_NORM, PARE_RT_LRN, PARE_RT_REDUCE, PARE_RT_ARG_EXTREME, PARE_RT_CUMSUM,
  PARE_RT_COPY /* shape-only change that could not be an alias */, PARE_RT_TRANSPOSE, PARE_RT_CONCAT, PARE_RT_SLICE, PARE_RT_SPLIT, PARE_RT_PAD,
  PARE_RT_GATHER, PARE_RT_GATHER_ELEMENTS, PARE_RT_GATHER_ND, PARE_RT_SCATTER_ND, PARE_RT_EXPAND, PARE_RT_TILE, PARE_RT_RESIZE, PARE_RT_DEPTH_TO_SPACE, PARE_RT_SPACE_TO_DEPTH,
  PARE_RT_LSTM, PARE_RT_GRU, PARE_RT_RNN,
  PARE_RT_QUANTIZE_LINEAR, PARE_RT_DEQUANTIZE_LINEAR, PARE_RT_RANGE, PARE_RT_TOPK, PARE_RT_ONE_HOT, PARE_RT_EINSUM,
  PARE_RT_SCATTER_ELEMENTS, PARE_RT_TRILU, PARE_RT_GROUP_NORM, PARE_RT_LP_NORM,
  PARE_RT_QCONV, PARE_RT_QGEMM, PARE_RT_QADD, PARE_RT_QAVG_POOL, PARE_RT_LUT, PARE_RT_ATTENTION, PARE_RT_GRID_SAMPLE, PARE_RT_ROI_ALIGN, PARE_RT_ROTARY,
  PARE_RT_QATTENTION, PARE_RT_BLOCK_GEMM,
  PARE_RT_N_OPS
} PareRtOp;

typedef enum {
  PARE_UN_ABS, PARE_UN_NEG, PARE_UN_EXP, PARE_UN_LOG, PARE_UN_SQRT, PARE_UN_RECIPROCAL, PARE_UN_SIGMOID, PARE_UN_TANH, PARE_UN_ERF, PARE_UN_RELU,
  PARE_UN_LEAKY_RELU, PARE_UN_ELU, PARE_UN_SELU, PARE_UN_SOFTPLUS, PARE_UN_SOFTSIGN, PARE_UN_HARD_SIGMOID, PARE_UN_HARD_SWISH, PARE_UN_GELU, PARE_UN_GELU_TANH, PARE_UN_MISH,
  PARE_UN_FLOOR, PARE_UN_CEIL, PARE_UN_ROUND, PARE_UN_SIGN, PARE_UN_NOT, PARE_UN_SIN, PARE_UN_COS, PARE_UN_THRESHOLDED_RELU, PARE_UN_IS_NAN,
  PARE_UN_TAN, PARE_UN_ASIN, PARE_UN_ACOS, PARE_UN_ATAN, PARE_UN_SINH, PARE_UN_COSH, PARE_UN_ASINH, PARE_UN_ACOSH, PARE_UN_ATANH,
  PARE_UN_IS_INF /* alpha: find -inf, beta: find +inf */, PARE_UN_CELU, PARE_UN_SHRINK /* alpha: lambd, beta: bias */, PARE_UN_BIT_NOT,
  PARE_UN_BFLOAT16 /* rounded to what bfloat16 holds, half to even */, PARE_UN_SWISH, PARE_UN_QUICK_GELU
} PareUnaryKind;
typedef struct { PareUnaryKind kind; float alpha, beta; } PareUnaryParams;

typedef enum {
  PARE_BIN_ADD, PARE_BIN_SUB, PARE_BIN_MUL, PARE_BIN_DIV, PARE_BIN_POW, PARE_BIN_MIN, PARE_BIN_MAX, PARE_BIN_MOD, PARE_BIN_FMOD, PARE_BIN_PRELU,
  PARE_BIN_EQUAL, PARE_BIN_LESS, PARE_BIN_LESS_EQUAL, PARE_BIN_GREATER, PARE_BIN_GREATER_EQUAL, PARE_BIN_AND, PARE_BIN_OR, PARE_BIN_XOR,
  PARE_BIN_BIT_AND, PARE_BIN_BIT_OR, PARE_BIN_BIT_XOR, PARE_BIN_SHIFT_LEFT, PARE_BIN_SHIFT_RIGHT
} PareBinaryKind;
/* Numpy broadcasting; the activation is applied to float results. */
typedef struct { PareBinaryKind kind; int32_t activation; float lo, hi; } PareBinaryParams;

/* Pools: counting as in ONNX; count_include_pad for averages. */
typedef struct { int32_t spatial, kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3], count_include_pad; } ParePoolParams;
typedef struct { float lo, hi; } PareClipParams;          /* +-inf where absent */
typedef struct { int32_t axis, log; } PareSoftmaxParams;  /* opset 13 semantics (older ones are reshaped on upgrade) */

/* Operands of the others, in ONNX's order unless said otherwise. Extents that are inputs in ONNX (shapes, axes, sizes, starts, pads)
 * are constants of the plan: they show in the shapes of the outputs and in these structs. Rank is at most PARE_MAX_RANK. */
typedef struct { float epsilon; } PareBatchNormParams;                    /* in = x, scale, bias, mean, var */
/* in = x, scale, (bias); out = y, (mean), (1/std). rms: not centred, by the root of the mean square */
typedef struct { int32_t axis; float epsilon; int32_t rms; } PareLayerNormParams;
typedef struct { float epsilon; } PareInstanceNormParams;                 /* in = x, scale, bias */
typedef struct { float epsilon; int32_t groups; } PareGroupNormParams;    /* in = x, scale [C], bias [C] */
typedef struct { int32_t axis, p; } PareLpNormParams;
typedef struct { int32_t size; float alpha, beta, bias; } PareLrnParams;

typedef enum {
  PARE_REDUCE_SUM, PARE_REDUCE_MEAN, PARE_REDUCE_MAX, PARE_REDUCE_MIN, PARE_REDUCE_PROD, PARE_REDUCE_L1, PARE_REDUCE_L2, PARE_REDUCE_LOG_SUM,
  PARE_REDUCE_LOG_SUM_EXP, PARE_REDUCE_SUM_SQUARE
} PareReduceKind;
/* Only in[0]; bit i of axes: axis i is reduced. The output's shape may keep the axes or not: only its count matters. */
typedef struct { PareReduceKind kind; uint32_t axes; } PareReduceParams;
typedef struct { int32_t axis, min /* else max */, last; } PareArgExtremeParams; /* out int64 */
typedef struct { int32_t axis, exclusive, reverse; } PareCumSumParams;           /* in = x */

typedef struct { int32_t perm[PARE_MAX_RANK]; } PareTransposeParams;
typedef struct { int32_t axis; } PareAxisParams; /* Concat, Split, Gather, GatherElements, OneHot (in = indices, values) */
typedef struct { int64_t start[PARE_MAX_RANK], step[PARE_MAX_RANK]; } PareSliceParams; /* in = x; resolved: start in range, step != 0 */
typedef enum { PARE_PAD_CONSTANT, PARE_PAD_REFLECT, PARE_PAD_EDGE, PARE_PAD_WRAP } ParePadMode;
typedef struct { ParePadMode mode; int64_t begin[PARE_MAX_RANK]; } ParePadParams; /* in = x, (value: one element); negative begin crops */
typedef struct { int32_t batch_dims; } PareGatherNdParams;
typedef enum { PARE_SCATTER_NONE, PARE_SCATTER_ADD, PARE_SCATTER_MUL, PARE_SCATTER_MIN, PARE_SCATTER_MAX } PareScatterReduction;
typedef struct { int32_t axis; PareScatterReduction reduction; } PareScatterParams; /* ScatterElements, ScatterND (axis unused); in = x, indices, updates */
typedef struct { int32_t block, crd; } PareDepthSpaceParams;
typedef struct { int32_t upper; int64_t k; } PareTriluParams; /* in = x */

typedef enum { PARE_RESIZE_NEAREST, PARE_RESIZE_LINEAR, PARE_RESIZE_CUBIC } PareResizeMode;
typedef enum {
  PARE_COORD_HALF_PIXEL, PARE_COORD_ASYMMETRIC, PARE_COORD_ALIGN_CORNERS, PARE_COORD_PYTORCH_HALF_PIXEL, PARE_COORD_TF_CROP, PARE_COORD_HALF_PIXEL_SYMMETRIC,
  PARE_COORD_TF_HALF_PIXEL /* of nearest, up to opset 12 */
} PareCoordMode;
typedef enum { PARE_NEAREST_ROUND_PREFER_FLOOR, PARE_NEAREST_ROUND_PREFER_CEIL, PARE_NEAREST_FLOOR, PARE_NEAREST_CEIL } PareNearestMode;
/* in = x. scale[i]: output per input extent as the model says (not their quotient); roi: starts then ends, for tf_crop_and_resize. */
typedef struct {
  PareResizeMode mode; PareCoordMode coord; PareNearestMode nearest;
  int32_t exclude_outside; float cubic_a, extrapolation;
  float scale[PARE_MAX_RANK], roi_start[PARE_MAX_RANK], roi_end[PARE_MAX_RANK];
} PareResizeParams;
/* Where position o of an axis lies in the input. */
float pare_rt_resize_coordinate (const PareResizeParams *p, int axis, int64_t o, int64_t n_in, int64_t n_out);
/* What position o of an axis is made of, nearest or linear, not cropping: returns 1 or 2 positions with their weights. */
int pare_rt_resize_taps (const PareResizeParams *p, int axis, int64_t o, int64_t n_in, int64_t n_out, int64_t at[2], float weight[2]);

typedef enum { PARE_GRID_NEAREST, PARE_GRID_LINEAR, PARE_GRID_CUBIC } PareGridMode;
typedef enum { PARE_GRID_ZEROS, PARE_GRID_BORDER, PARE_GRID_REFLECTION } PareGridPadding;
typedef struct { PareGridMode mode; PareGridPadding padding; int32_t align_corners; } PareGridSampleParams; /* in = x, grid */
typedef struct { float scale; int32_t samples /* 0: as many as a cell has pixels */, half_pixel, max /* else mean */; } PareRoiAlignParams; /* in = x, boxes, images */

/* in = x [B,H,S,D] or [B,S,H*D], cos, sin [B or 1,S,turned/2] */
typedef struct { int32_t heads /* of three extents */, interleaved; } PareRotaryParams;

typedef enum { PARE_RNN_FORWARD, PARE_RNN_REVERSE, PARE_RNN_BIDIRECTIONAL } PareRnnDirection;
/* in = x [T,B,I], w [D,G*H,I], r [D,G*H,H], (b [D,2*G*H]), (lengths [B]), (h0 [D,B,H]), LSTM: (c0), (peepholes [D,3*H]);
 * out = (y [T,D,B,H]), (y_h [D,B,H]), LSTM: (y_c). Operand 8 is for who multiplies faster: x w' with b, and of b's second half for all gates
 * but the last of GRU [D,T*B,G*H] and room behind it, in one extent; x and w are not read then. Operand 2 may come
 * with who multiplies it by the state (`packed`: a PareRtRnnMultiplier). Gates as ONNX orders them. Activations: PARE_UN_* kinds per direction.
 * w and r of LSTM may be codes less their zero points, INT8 or INT16; operands 9 and 10 are then the scales of their rows [D,G*H]. x, and in
 * front of each step the states of the batch, are laid on the grid of 8 bits that their range with 0 asks for: scale = (max - min) / 255 or 1,
 * zero = round_half_even (-min / scale). A product is then (float) (exact sum) * (scale * that of the row). */
#define PARE_RT_PROJECTED 8
#define PARE_RT_SCALES 9
#define PARE_RT_PROJECTED_MORE 16
typedef struct {
  PareRnnDirection direction; int32_t hidden, linear_before_reset;
  int32_t activation[6]; float alpha[6], beta[6]; float clip; /* 0: none */
} PareRnnParams;

/* in = x, scale, (zero); axis -1: per tensor; block > 0: scales per block of that many along axis. Dtypes as the views say.
 * lo..hi: the codes that QuantizeLinear may write, narrower than their type; both 0: all of it. */
typedef struct { int32_t axis, block, lo, hi; } PareQuantizeParams;

/* --- Integers: codes of 8 bits and below in UINT8 or INT8, real = (code - zero) * scale ---
 * Weights are codes less their zero point: INT8, or INT4 or INT2 packed, or INT16 where that difference does not fit (old files). One definition for every backend (see kernels/qconv.c); activations are part
 * of the bounds: ReLU is lo >= zero_y. No contraction to fused multiply-adds but where it is written. */

/* in = x codes [N,C,spatial], w [M,C/g,k], (bias INT32 [M]), scale FLOAT32 [M], (factor, offset FLOAT32 [M]); out = codes or FLOAT32,
 * [N,M,spatial]. acc = sum (x - zero_x) * w, padding counting as zero_x; v = ((float) acc + (float) bias) * scale[m].
 * With factor and offset (a batch normalization behind the activation; out = codes, scale is sx * sw, activation NONE or CLIP):
 * v = min (max (v, conv.lo), conv.hi) where it clips, v = round_half_even (v) where it rounds (then it clips, and scale is over that of the codes in
 * between), v = v * factor[m], v = v + offset[m], both being over sy.
 * Codes: clamp (round_half_even (v) + zero_y, lo, hi), where scale is sx * sw / sy. FLOAT32: activation (v), where scale is sx * sw. */
typedef struct { PareConvParams conv; int32_t zero_x, zero_y, lo, hi, rounds; } PareQConvParams;
/* in = a codes [M,K] (leading axes may be more than one), b [K,N] ([N,K] if trans_b), (bias INT32 [N]), scale FLOAT32 [N]; out = codes or FLOAT32 [M,N]; as QConv.
 * trans_a is 0, alpha and beta are 1. */
typedef struct { PareGemmParams gemm; int32_t zero_x, zero_y, lo, hi; } PareQGemmParams;
/* in = x FLOAT32 [M,K] (leading axes may be more than one), codes UINT8 [N,blocks,bytes] of p.bits each (2, 4 or 8), the lowest bits first, scale FLOAT32
 * [N,blocks], (offset, the same), (bias FLOAT32 [N]), (residual, same shape as y); out = FLOAT32 [M,N]. A block is a power of two bytes, at least 4;
 * K ends in the last one. w[n,k] = (code - 2^(bits - 1)) * scale + offset; y = act (x w' + bias + residual). */
typedef struct { int32_t bits; PareActivation activation; float lo, hi, act_alpha; } PareBlockGemmParams;
/* in = a, b codes of one shape (types may differ); y = clamp (rint (fmaf (b, ratio_b, fmaf (a, ratio_a, fixed))), lo, hi) of the raw codes:
 * ratio = its scale / sy, fixed = zero_y - fmaf (ratio_a, zero_a, ratio_b * zero_b), as ONNX Runtime's QLinearAdd has it. */
typedef struct { float ratio_a, ratio_b, fixed; int32_t lo, hi; } PareQAddParams;
/* in = x codes. acc = sum (x - zero_x) over the window; v = (float) acc * (scale_x / (scale_y * n)); y = clamp (round_half_even (v) + zero_y, lo, hi).
 * The global pool is one whose window is everything. With floats, as ONNX Runtime's QLinearAveragePool (not its global one) has it:
 * acc = the sum of (float) (x - zero_x) * scale_x in the order of the window; v = acc / n / scale_y; y = clamp (round_half_even (v + zero_y), lo, hi). */
typedef struct { ParePoolParams pool; float scale_x, scale_y; int32_t zero_x, zero_y, lo, hi, floats; } PareQAvgPoolParams;
/* Lut: in = x codes, table [256] indexed by the byte; out has the table's type (UINT8, INT8 or FLOAT32). Any function of one code. */
/* Attention: in = q, k, v, (mask); y = softmax (factor * q k' + mask) v for each batch and head, the softmax over the columns of k'. Operands lie as
 * the model has them: perm[a] is the axis of the operand that is batch, head, row (of k and v: position), element, -1 where it has none; of axes that
 * are none of these one element is read: q, k and v begin at element at[0..2] of their operands. k and v may each have one head for all.
 * The mask broadcasts to [batch, head, row, position]. What the softmax gives, and y, may be rounded to bfloat16.
 * without_nan: a row of y whose weights are NaN, as of one whose positions the mask hides all, is 0. */
typedef struct { float factor; int32_t q[4], k[4], v[4], y[4], at[3], round_weights, round_result, without_nan; } PareAttentionParams;
/* QAttention: in = q, k, v codes, (mask FLOAT32), (table FLOAT32 [256]); out = codes or FLOAT32. attention says where everything lies, as for Attention;
 * its factor is 1, and it rounds nothing. With lay (x, grid) = clamp (round_half_even (x) , lo - zero, hi - zero):
 * scores: s = lay ((float) (exact sum of (q - zero_q) (k - zero_k)) * factor, scores); x = table[(uint8) (s + zero)], without a table s * scale;
 * x = x + mask; with rounds: x = lay (x / scale, masked) * scale; w = softmax (x) as Softmax has it, but 0 where x is 86 below the
 * largest or more, p = lay (w / scale, weights);
 * v = (float) (exact sum of p (v - zero_v)) * factor_y; codes: lay (v, y) + zero. FLOAT32: v. Exact sums are less than 2^24. */
typedef struct { float scale; int32_t zero, lo, hi; } PareCodeGrid;
typedef struct {
  PareAttentionParams attention; int32_t zero_q, zero_k, zero_v, rounds; float factor, factor_y; PareCodeGrid scores, masked, weights, y /* scale: unused */;
} PareQAttentionParams;
/* Its sums are less than 2^24, of codes of these types (UINT8, INT8), with so many elements of a row and positions. */
bool pare_rt_qattention_is_exact (const PareQAttentionParams *p, PareDtype q, PareDtype k, PareDtype v, int64_t elements, int64_t positions);
typedef struct { int32_t axis, largest; } PareTopKParams;  /* in = x; out = values, indices (int64); k from the output's shape; sorted */
/* in = up to 4 operands; labels: one small number per axis, out_rank of the output's. n_labels <= 16. */
typedef struct { int32_t n_labels, rank[4], label[4][PARE_MAX_RANK], out_rank, out_label[PARE_MAX_RANK]; } PareEinsumParams;
/* Range: in = start, delta; n from the output's shape. Where: cond, x, y. Expand, Tile: in = x. PReLU: x, slope. */
