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
  PARE_RT_N_OPS
} PareRtOp;

typedef enum {
  PARE_UN_ABS, PARE_UN_NEG, PARE_UN_EXP, PARE_UN_LOG, PARE_UN_SQRT, PARE_UN_RECIPROCAL, PARE_UN_SIGMOID, PARE_UN_TANH, PARE_UN_ERF, PARE_UN_RELU,
  PARE_UN_LEAKY_RELU, PARE_UN_ELU, PARE_UN_SELU, PARE_UN_SOFTPLUS, PARE_UN_SOFTSIGN, PARE_UN_HARD_SIGMOID, PARE_UN_HARD_SWISH, PARE_UN_GELU, PARE_UN_GELU_TANH, PARE_UN_MISH,
  PARE_UN_FLOOR, PARE_UN_CEIL, PARE_UN_ROUND, PARE_UN_SIGN, PARE_UN_NOT, PARE_UN_SIN, PARE_UN_COS, PARE_UN_THRESHOLDED_RELU, PARE_UN_IS_NAN
} PareUnaryKind;
typedef struct { PareUnaryKind kind; float alpha, beta; } PareUnaryParams;

typedef enum {
  PARE_BIN_ADD, PARE_BIN_SUB, PARE_BIN_MUL, PARE_BIN_DIV, PARE_BIN_POW, PARE_BIN_MIN, PARE_BIN_MAX, PARE_BIN_MOD, PARE_BIN_FMOD, PARE_BIN_PRELU,
  PARE_BIN_EQUAL, PARE_BIN_LESS, PARE_BIN_LESS_EQUAL, PARE_BIN_GREATER, PARE_BIN_GREATER_EQUAL, PARE_BIN_AND, PARE_BIN_OR, PARE_BIN_XOR
} PareBinaryKind;
/* Numpy broadcasting; the activation is applied to float results. */
typedef struct { PareBinaryKind kind; int32_t activation; float lo, hi; } PareBinaryParams;

/* Pools: counting as in ONNX; count_include_pad for averages. */
typedef struct { int32_t spatial, kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3], count_include_pad; } ParePoolParams;
typedef struct { float lo, hi; } PareClipParams;          /* +-inf where absent */
typedef struct { int32_t axis, log; } PareSoftmaxParams;  /* opset 13 semantics (older ones are reshaped on upgrade) */
