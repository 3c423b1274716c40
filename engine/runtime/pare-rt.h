/* The runtime: a compiled plan, its interpreter and the portable kernels.
 * Freestanding C11 (libc + pthreads, no GLib); everything here also runs on boards.
 *
 * A plan is arrays of plain structs that refer to each other by index, compiled for concrete shapes:
 *   values (constants, inputs, arena slots) <- steps (op, operand ids, parameter blob), in execution order.
 * It has no pointers but the bases of its pools, so that it can be written to a file as it stands. */
#pragma once
#include "engine/runtime/pare-rt-types.h"
#include <stdbool.h>

#define PARE_RT_NONE UINT32_MAX
#define PARE_RT_MAX_IN 16   /* Concat of more inputs is lowered to a chain */
#define PARE_RT_MAX_OUT 16

typedef enum { PARE_RT_OK = 0, PARE_RT_UNSUPPORTED, PARE_RT_INVALID, PARE_RT_NO_MEMORY, PARE_RT_CANCELLED } PareRtStatus;

typedef enum { PARE_RT_INPUT, PARE_RT_CONSTANT, PARE_RT_ARENA, PARE_RT_ALIAS } PareRtKind;

typedef struct {
  PareDtype dtype;
  PareShape shape;
  PareRtKind kind;
  uint32_t alias_of;     /* ALIAS: the value whose bytes these are (Reshape, Flatten, Identity ...) */
  uint64_t offset;       /* CONSTANT: into constants; ARENA: into the arena; multiples of 64 */
  uint64_t bytes;
  uint32_t source_value; /* id in the graph the plan was lowered from, or PARE_RT_NONE */
  uint32_t keep;         /* a tap or graph output: never fused away, never overwritten before the run ends */
} PareRtValue;

typedef enum { PARE_ACT_NONE, PARE_ACT_CLIP /* Relu is clip(0, inf) */, PARE_ACT_LEAKY, PARE_ACT_SIGMOID, PARE_ACT_TANH, PARE_ACT_HARDSWISH, PARE_ACT_SWISH,
               PARE_ACT_GELU /* by erf */, PARE_ACT_GELU_TANH, PARE_ACT_MISH,
               PARE_ACT_ELU /* alpha 1 */, PARE_ACT_QUICK_GELU /* x sigmoid (1.702 x) */ } PareActivation;

/* Conv: in = x [N,C,spatial], w [M,C/g,k], (b [M] or none), (residual, same shape as y, or none); y = act(conv + b + residual). */
typedef struct {
  int32_t spatial; /* 1..3 */
  int32_t group;
  int32_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
  PareActivation activation;
  float lo, hi, alpha; /* CLIP: lo..hi; LEAKY: alpha */
} PareConvParams;

/* Gemm: in = a [M,K] (or [K,M] if trans_a; else leading axes may be more than one), b, (c broadcast to [M,N]), (residual, same shape as y);
 * y = act(alpha a b + beta c + residual). MatMul is the product of what is not one matrix b. */
typedef struct {
  int32_t trans_a, trans_b;
  float alpha, beta;
  PareActivation activation;
  float lo, hi, act_alpha;
} PareGemmParams;

/* Quantize to a grid and back, in float: y = (clamp(round_half_even(x / scale) + zero, lo, hi) - zero) * scale.
 * in = x, scale [1 or C], zero (int32) [1 or C]; axis -1 for one scale. */
typedef struct { int32_t axis, lo, hi; } PareFakeQuantParams;

/* The full list of kernels and the parameter structs of the others. */
#include "engine/runtime/pare-rt-ops.h"

typedef struct {
  PareRtOp op;
  uint32_t n_in, n_out;
  uint32_t in[PARE_RT_MAX_IN];   /* PARE_RT_NONE: omitted optional input */
  uint32_t out[PARE_RT_MAX_OUT];
  uint32_t params, params_bytes; /* into PareRtPlan.params, 16-byte aligned */
  uint32_t layer;                /* index of the source node (profile is summed by it), or PARE_RT_NONE */
} PareRtStep;

typedef struct {
  uint32_t n_values, n_steps, n_inputs, n_outputs;
  PareRtValue *values;
  PareRtStep *steps;
  uint32_t *inputs, *outputs; /* value ids, in the model's order */
  uint8_t *params;
  uint64_t params_bytes;
  uint8_t *constants;         /* 64-byte aligned; NULL where `external` says where each lies */
  uint64_t constants_bytes;
  uint64_t arena_bytes;       /* planned peak */
  uint64_t sum_bytes;         /* what separate buffers would take */
  /* In memory only, never in a file: for each value, where the bytes of a constant lie (NULL: none). Offsets say then where a file would have
   * them. A model's weights stay where they were mapped or made, instead of being copied into one pool. NULL: they are in `constants`. */
  const uint8_t *const *external;
} PareRtPlan;

/* Where a constant's bytes lie; aligned for its type. value: of kind CONSTANT. */
static inline uint8_t *
pare_rt_plan_constant (const PareRtPlan *plan, uint32_t value)
{
  return plan->external ? (uint8_t *)(uintptr_t)plan->external[value] : plan->constants + plan->values[value].offset;
}

/* A portable kernel. Views are complete and checked; kernels may not allocate: `scratch` has what `scratch_bytes` asked for. */
typedef PareRtStatus (*PareRtKernel) (const void *params, const PareView *in, uint32_t n_in, PareView *out, uint32_t n_out, void *scratch);

/* The portable kernel of an op, and the scratch bytes it needs for these operands, with as many workers as the calling thread has (1 outside a runner).
 * packed: its weights as pare_rt_kernel_pack made them, or NULL. */
PareRtKernel pare_rt_kernel (PareRtOp op);
uint64_t pare_rt_kernel_scratch (const PareRtPlan *plan, const PareRtStep *step, const void *packed);
const char *pare_rt_op_name (PareRtOp op);
uint32_t pare_rt_params_bytes (PareRtOp op); /* what its kernel reads of the parameters; 0: nothing */
/* A step's constant weights (in[1]) in its kernel's own order: bytes needed, 0 where they are read as they lie. packed (64-byte aligned) NULL: only asks. */
uint64_t pare_rt_kernel_pack (const PareRtPlan *plan, const PareRtStep *step, void *packed);

/* Greedy-by-size packing of intervals [first[i], last[i]] (step indices) of bytes[i] into one arena:
 * offsets[i] multiples of 64; returns the arena's size. */
uint64_t pare_rt_pack_arena (uint32_t n, const uint64_t *bytes, const uint32_t *first, const uint32_t *last, uint64_t *offsets);

/* Checks every index, offset and size of a plan. 0 if fine, else a static text that says what is wrong. */
const char *pare_rt_plan_check (const PareRtPlan *plan);
/* Of one step's operands and parameters. */
const char *pare_rt_step_check (const PareRtPlan *plan, uint32_t step);

/* The constants of a plan that kernels read in an order of their own, packed once for this CPU and shared by all runners. Immutable. */
typedef struct PareRtWeights PareRtWeights;
PareRtWeights *pare_rt_weights_new (const PareRtPlan *plan); /* NULL: no memory */
void pare_rt_weights_free (PareRtWeights *self);
uint64_t pare_rt_weights_bytes (const PareRtWeights *self);

/* Which values lie on the grid of bfloat16 (exact: n_values entries): what a step rounded to it, and what only moving, joining or choosing among such
 * values leaves as it is. Constants count where a product reads them as its weights and each of them is exact in 16 bits. */
void pare_rt_plan_find_bfloat (const PareRtPlan *plan, uint8_t *exact);
/* A product (Conv, ConvTranspose, Gemm, MatMul) of two such operands: by definition one of 16 bits with sums of 32, whoever computes it. */
bool pare_rt_step_is_bfloat (const PareRtPlan *plan, uint32_t step, const uint8_t *exact);

/* One executing thread's state over a plan: arena and scratch. Plan and weights must outlive it. weights NULL: constants are read as they lie. */
typedef struct PareRtRunner PareRtRunner;
PareRtRunner *pare_rt_runner_new (const PareRtPlan *plan, const PareRtWeights *weights); /* NULL: no memory */
void pare_rt_runner_free (PareRtRunner *runner);
/* inputs: n_inputs views of the plan's dtypes and shapes. Outputs stay valid until the next run.
 * step_ns (n_steps, may be NULL): time of each step is added. cancel (may be NULL): checked before each step. */
PareRtStatus pare_rt_runner_run (PareRtRunner *runner, const PareView *inputs, uint64_t *step_ns, const volatile int *cancel, uint32_t *failed_step);
/* Steps from..to-1 alone, over what earlier ones left in the arena. inputs NULL: nothing in that range reads them. */
PareRtStatus pare_rt_runner_run_part (PareRtRunner *runner, const PareView *inputs, uint32_t from, uint32_t to, uint64_t *step_ns, const volatile int *cancel, uint32_t *failed_step);
/* Threads for the kernels of this runner (1 unless said). Results do not depend on it. FALSE: threads could not be started, one is used. */
bool pare_rt_runner_set_threads (PareRtRunner *runner, int threads);
PareView pare_rt_runner_view (PareRtRunner *runner, uint32_t value);
