/* How a plan becomes a list of nodes over buffers, shared by the files of this room.
 * A value may be in memory in several layouts at once ("forms"); a buffer is a piece of memory that one or several values share over time;
 * a node is one call: a primitive, a portable kernel, or a loop of our own. */
#pragma once
#include "engine/accel/pare-accel-codes.h"
#include "engine/accel/pare-accel-floats.h"
#include "engine/accel/pare-accel.h"
#include "engine/accel/pare-dnnl.h"
#include "engine/runtime/pare-rt-pool.h"

#define PARE_ACCEL_MAX_FORMS 4
#define PARE_ACCEL_MAX_ARGS (PARE_RT_MAX_IN + 4)

typedef struct
{
  const PareMd *md; /* NULL: plain memory of a type that oneDNN does not see */
  uint32_t buffer;
} PareForm;

typedef struct
{
  PareForm forms[PARE_ACCEL_MAX_FORMS]; /* the first is the one that was computed; none for aliases */
  uint32_t n_forms;
  uint32_t last_use; /* step; UINT32_MAX: read after the run */
  uint32_t n_uses;   /* operands of steps, aliases, and what is read after the run */
} PareAccelValue;

typedef struct
{
  uint64_t bytes, offset; /* offset in the parent, later in the arena */
  bool scratch;           /* so many bytes of each thread; all such buffers lie in one place */
  void *fixed;            /* constants and packed weights */
  uint32_t input;         /* index of the plan's input, or PARE_RT_NONE */
  uint32_t parent;        /* buffer that this one is a part of, or PARE_RT_NONE */
  uint32_t last_use;      /* the latest of the values that were ever put here */
  uint32_t first, last;   /* nodes */
} PareAccelBuffer;

typedef enum
{
  PARE_NODE_PRIMITIVE,
  PARE_NODE_KERNEL,
  PARE_NODE_FAKE_QUANT,
  PARE_NODE_COPY,
  PARE_NODE_BLOCK,
  PARE_NODE_LOOP
} PareNodeKind;

typedef struct
{
  int arg; /* DNNL_ARG_* */
  const PareMd *md;
  uint32_t buffer; /* PARE_RT_NONE: the scratchpad */
} PareAccelArg;

/* A box of elements copied between two strided layouts; axes from the outermost in memory of the destination to the innermost. */
typedef struct
{
  int rank, size; /* bytes of an element: 1, 2 or 4 */
  int fill;       /* what each byte of the destination is set to */
  int64_t extent[PARE_MAX_RANK], src_stride[PARE_MAX_RANK], dst_stride[PARE_MAX_RANK], src_offset, dst_offset;
  uint64_t clear; /* bytes of the destination that are set first */
} PareAccelBlock;

typedef struct
{
  PareNodeKind kind;
  uint32_t step;
  int threads;                /* that share it */
  uint32_t first_arg, n_args; /* primitives: into args; others: inputs, then outputs, into views */
  dnnl_primitive_t primitive;
  PareRtKernel kernel;
  PareAccelLoop loop;
  const void *params; /* of a kernel or loop */
  uint32_t n_in;
  uint64_t count; /* elements of a loop; bytes of a copy */
  float scale;
  float lo, hi, zero;
  const PareAccelBlock *block; /* in packed memory */
} PareAccelNode;

/* A view whose data is known only in a runner. */
typedef struct
{
  PareDtype dtype;
  PareShape shape;
  uint32_t buffer;    /* PARE_RT_NONE: omitted */
  const void *packed; /* constants as their portable kernel likes them */
} PareAccelView;

typedef struct PareAccelRoom PareAccelRoom;
typedef struct PareAccelPack PareAccelPack;

struct PareAccel
{
  const PareRtPlan *plan;
  int threads;      /* of the nodes that have most */
  int sharing;      /* of primitives and portable kernels of the step that is being made */
  PareRtPool *pool; /* the same threads, as portable kernels know them; NULL: one */
  dnnl_engine_t engine; /* of all */
  PareMdPool *mds;
  PareAccelValue *values;
  uint32_t *absorbed_by; /* of steps that an earlier step's nodes compute: that step and one; 0: their own */
  uint32_t building;     /* the step whose nodes are being made */
  PareAccelBuffer *buffers;
  PareAccelNode *nodes;
  PareAccelArg *args;
  PareAccelView *views;
  PareAccelRoom **rooms; /* memory of what is packed */
  uint8_t *pack_at;      /* in the last of it */
  uint64_t pack_left, room_bytes;
  PareAccelPack **packs;    /* those that other programs may have, too */
  PareContentKey *contents; /* of each constant that was asked for; 0: not yet */
  uint32_t n_buffers, n_nodes, n_args, n_views, n_rooms, n_packs;
  uint64_t packed_bytes; /* of all that is packed */
  uint32_t room_buffers, room_nodes, room_args, room_views, room_rooms, room_packs;
  uint32_t n_fast; /* steps that do not run on a portable kernel */
  uint64_t arena_bytes, scratch_bytes;
  bool *gains;     /* of each step: threads share it */
  uint8_t *exact;  /* of each value: it lies on the grid of bfloat16; NULL where the CPU does not multiply that */
  uint32_t n_bf16; /* steps that multiply it */
  bool blocks;     /* channels in blocks rather than innermost */
  bool failed;     /* no memory, or a primitive that could not be made where it had to be */
};

/* Buffers and forms (pare-accel-forms.c). Buffers are ids; PARE_RT_NONE after a failure. */
uint32_t pare_accel_buffer_new (PareAccel *self, uint64_t bytes);
/* So many bytes of each thread, which pare_accel_scratch finds while a node runs; nothing stays in them. */
uint32_t pare_accel_scratch_new (PareAccel *self, uint64_t bytes);
static inline void *
pare_accel_scratch (const PareView *view, int part)
{
  return (char *)view->data + part * view->shape.dims[0];
}
uint32_t pare_accel_buffer_root (const PareAccel *self, uint32_t buffer);
/* Makes room for `more` entries; false when there is no memory. */
bool pare_accel_grow (PareAccel *self, void **array, uint32_t n, uint32_t more, uint32_t *room, size_t size);

/* Packed weights (pare-accel-packs.c). Owned by self, 64-byte aligned. */
void *pare_accel_pack (PareAccel *self, uint64_t bytes);
typedef enum
{
  PARE_PACK_REORDERED = 1,
  PARE_PACK_PANELS,
  PARE_PACK_WINOGRAD,
  PARE_PACK_WINOGRAD_BF16,
} PareAccelPackKind;
/* What a constant, times factors (NULL: none), packed in this way is; how: all else that decides about its bytes. */
PareContentKey pare_accel_pack_key (PareAccel *self, PareAccelPackKind kind, uint32_t value, const float *factor, int64_t n_factors,
                                    const int64_t *how, int n_how);
/* The same for what only the key decides about. *known: it is packed already, by another program; else it is to be written now. */
void *pare_accel_pack_shared (PareAccel *self, PareContentKey key, uint64_t bytes, bool *known);
/* All is written: others may have it. */
void pare_accel_offer_packs (PareAccel *self);
void pare_accel_free_packs (PareAccel *self);
/* A constant's data; NULL for what is computed. Follows aliases. */
const void *pare_accel_constant (const PareAccel *self, uint32_t value);
bool pare_accel_is_float (const PareAccel *self, uint32_t value);
/* UINT8 or INT8. */
bool pare_accel_is_codes (const PareAccel *self, uint32_t value);
/* oneDNN's name of the type of a value of floats or codes. */
dnnl_data_type_t pare_accel_type (const PareAccel *self, uint32_t value);
/* Row-major descriptor of a value of floats or codes (rank 0 counts as one element); NULL where oneDNN has no word for it. */
const PareMd *pare_accel_plain_md (PareAccel *self, uint32_t value);
/* The value in plain row-major order, reordered in `step` if it is not yet. */
uint32_t pare_accel_plain (PareAccel *self, uint32_t step, uint32_t value);
/* The same of bfloat16, whatever the rank that it is read with. */
uint32_t pare_accel_plain_bf16 (PareAccel *self, uint32_t step, uint32_t value);
/* The value in a given layout. */
uint32_t pare_accel_form (PareAccel *self, uint32_t step, uint32_t value, const PareMd *md);
/* A copy that may be overwritten. */
uint32_t pare_accel_form_copy (PareAccel *self, uint32_t step, uint32_t value, const PareMd *md);
/* It is computed already, given, or constant. */
bool pare_accel_is_known (const PareAccel *self, uint32_t value);
/* The layout in which the value is there already: the one it was computed in, or plain; for steps that know only float32. */
const PareMd *pare_accel_native (PareAccel *self, uint32_t value);
/* The same with the elements as they are, float32 or bfloat16. */
const PareMd *pare_accel_native_any (PareAccel *self, uint32_t value);
/* The layout in which a reshaped value is there already, where its axes have strides in what it is another name of; NULL: they have not. */
const PareMd *pare_accel_seen (PareAccel *self, uint32_t value);
/* The step is to multiply bfloat16. */
bool pare_accel_is_bf16 (const PareAccel *self, uint32_t step);
/* Where and in which type a step leaves a float value: bfloat16 where the value lies on its grid, or where all that reads it is the step
 * that rounds it; that one's result is computed at once then, and *rounds is to be absorbed (PARE_RT_NONE: no step). */
typedef struct
{
  uint32_t value, rounds;
  dnnl_data_type_t type;
} PareAccelResult;
PareAccelResult pare_accel_result (const PareAccel *self, uint32_t value);
/* The step that was made does that one's work, too. True. */
bool pare_accel_absorb (PareAccel *self, uint32_t step);
/* An operand (weights) that is read as `as` and wanted as `md`: packed now if it is a constant, else reordered in each run. */
uint32_t pare_accel_weights (PareAccel *self, uint32_t step, uint32_t value, const PareMd *as, const PareMd *md, float factor);
/* The same for a constant whose n rows (first axis) are multiplied by factors. */
uint32_t pare_accel_weights_scaled (PareAccel *self, uint32_t value, const PareMd *as, const PareMd *md, const float *factors, int64_t n);
/* Data that is read as `as`, packed now as `md`. */
uint32_t pare_accel_packed (PareAccel *self, const void *data, const PareMd *as, const PareMd *md);
/* A copy of data in memory of ours. */
uint32_t pare_accel_fixed (PareAccel *self, const void *data, uint64_t bytes);
/* Bias vector of n elements, times factor. */
uint32_t pare_accel_bias (PareAccel *self, uint32_t step, uint32_t value, float factor);
/* True where nothing after `step` reads what is in the buffer, so that the step may write over it. */
bool pare_accel_may_overwrite (const PareAccel *self, uint32_t step, uint32_t buffer);
/* The value is computed into this buffer. */
void pare_accel_set_form (PareAccel *self, uint32_t value, const PareMd *md, uint32_t buffer);
uint32_t pare_accel_new_form (PareAccel *self, uint32_t value, const PareMd *md);

/* The first node of `step` or of a later one. */
uint32_t pare_accel_first_node (const PareAccel *self, uint32_t step);

/* Nodes. */
typedef struct
{
  int arg;
  const PareMd *md;
  uint32_t buffer;
} PareArgSpec;
/* Takes pd. False (and failed) if the primitive cannot be made. */
bool pare_accel_add_primitive (PareAccel *self, uint32_t step, dnnl_primitive_desc_t pd, const PareArgSpec *args, uint32_t n_args);
bool pare_accel_add_kernel (PareAccel *self, uint32_t step, PareRtOp op, const void *params, const PareAccelView *in, uint32_t n_in,
                            const PareAccelView *out, uint32_t n_out, uint64_t scratch);
bool pare_accel_add_loop (PareAccel *self, const PareAccelNode *node, uint32_t src, uint32_t dst);
/* A loop over `count` elements with a copy of its parameters. */
bool pare_accel_add_work (PareAccel *self, uint32_t step, PareAccelLoop loop, const void *params, uint64_t bytes, uint64_t count,
                          const uint32_t *buffers, uint32_t n_buffers);
bool pare_accel_add_reorder (PareAccel *self, uint32_t step, const PareMd *from, uint32_t src, const PareMd *to, uint32_t dst);

/* Appends an activation as oneDNN names it. False: it has no such thing. NONE is fine and appends nothing. */
bool pare_accel_activation (PareActivation activation, float lo, float hi, float alpha, ParePostOps *post);

/* An activation over memory that holds nothing else. */
bool pare_accel_activate (PareAccel *self, uint32_t step, const ParePostOp *op, const PareMd *md, uint32_t buffer);

/* The only step that reads the value, and nothing else does; PARE_RT_NONE otherwise. */
uint32_t pare_accel_only_reader (const PareAccel *self, uint32_t value);
/* A batch normalization with constant parameters as a factor and an offset per channel (buffers), and how both lie: [1, C, 1...]. */
bool pare_accel_affine (PareAccel *self, uint32_t step, const PareMd **md, uint32_t buffers[2]);

/* What follows the sums of a convolution with constant weights and bias, with a normalization behind it. */
typedef struct
{
  const float *factor; /* of each channel's weights; NULL: 1 */
  const float *bias;   /* whole blocks of channels, as the factors and bounds */
  PareAfter after;     /* none for an activation that it cannot say */
  uint32_t norm;       /* the step that is part of it, or PARE_RT_NONE */
  uint32_t y;          /* what then is the result */
} PareFolded;
/* False: the bias is not constant, or there is no memory. */
bool pare_accel_fold (PareAccel *self, uint32_t step, PareFolded *folded);

/* What a convolution is besides its operands' types and layouts. */
typedef struct
{
  int64_t stride[3], dilation[3], pad_begin[3], pad_end[3]; /* pad_end: what windows reach */
  int64_t weights_dims[6], weights_strides[6];              /* of the plan's row-major weights, as oneDNN names their axes */
  int weights_rank;
} PareConvShape;
bool pare_accel_conv_shape (const PareConvParams *p, bool transposed, const PareShape *x, const PareShape *w, const PareShape *y,
                            PareConvShape *shape);
/* In two dimensions, 3 x 3, the same step both ways and at most that long, with at most two pixels of padding in front: what has kernels of
 * its own. */
bool pare_accel_conv_is_3x3 (const PareConvParams *p, const PareConvShape *shape, int64_t most);
/* What a window is; false: oneDNN counts such padding differently. */
typedef struct
{
  int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
  bool padded;
} ParePoolShape;
bool pare_accel_pool_shape (const ParePoolParams *p, bool global, bool max, const PareShape *x, const PareShape *y, ParePoolShape *shape);

/* One step each; false: nothing was added, use the portable kernel. */
bool pare_accel_step_conv (PareAccel *self, uint32_t step);
/* Convolutions in two dimensions of floats with known weights and an activation that the float kernels know; pointwise ones of them. */
bool pare_accel_is_own_conv (const PareAccel *self, uint32_t step);
bool pare_accel_is_point (const PareAccel *self, uint32_t step);
const PareConvParams *pare_accel_conv_params (const PareAccel *self, uint32_t step);
/* PARE_RT_NONE: the step has no such operand. */
uint32_t pare_accel_operand (const PareRtStep *s, uint32_t i);
typedef struct
{
  int64_t k, n;         /* n 0: there is none */
  const float *weights; /* panels: [k][width] */
  const float *bias;    /* n, filled up to whole blocks */
  PareAfter after;
} ParePoint;
bool pare_accel_pack_point (PareAccel *self, const PareFloats *isa, uint32_t step, const PareFolded *f, ParePoint *p);
/* product.c = product.a times the weights, panel by panel. */
void pare_accel_multiply (const PareFloats *isa, const ParePoint *p, PareProduct product);
/* Is it worth it; by the layer and what follows it alone. */
bool pare_accel_point_pays (const PareAccel *self, uint32_t step);
bool pare_accel_separable_pays (const PareAccel *self, uint32_t step);
/* A pointwise convolution; dst: the layout in which its result is wanted. */
bool pare_accel_point (PareAccel *self, uint32_t step, const PareMd *dst);
/* A product of x with a number for each channel (what squeeze-and-excite does), and the pointwise convolution that alone reads it: the
 * product is never written whole. False: nothing was added. */
bool pare_accel_gated_point (PareAccel *self, uint32_t step, uint32_t x, uint32_t numbers);
/* A depthwise convolution with the pointwise ones around it. */
bool pare_accel_separable (PareAccel *self, uint32_t step);
/* A convolution of few channels, of which there must be a plain copy, into blocks if dst is so, else channels innermost. */
bool pare_accel_stem (PareAccel *self, uint32_t step, const PareConvShape *shape, const PareMd *dst);
/* A convolution with few results. */
bool pare_accel_planes (PareAccel *self, uint32_t step, const PareConvShape *shape);
/* A convolution of 3 x 3 in groups of few channels. */
bool pare_accel_grouped (PareAccel *self, uint32_t step, const PareConvShape *shape);
/* A float convolution by Winograd's algorithm, where that pays. */
bool pare_accel_winograd (PareAccel *self, uint32_t step, const PareConvShape *shape);
/* The same three of bfloat16. */
bool pare_accel_winograd_bf16 (PareAccel *self, uint32_t step, const PareConvShape *shape);
bool pare_accel_stem_bf16 (PareAccel *self, uint32_t step, const PareConvShape *shape);
bool pare_accel_point_bf16 (PareAccel *self, uint32_t step);
/* A rounding that only a convolution of few channels reads, with that. */
bool pare_accel_rounded_stem (PareAccel *self, uint32_t step);
/* Operands of one shape, some of 16 bits, by a loop of our own. */
bool pare_accel_binary_bf16 (PareAccel *self, uint32_t step, uint32_t a, uint32_t b, PareAccelResult result);
/* y [rows, n] = act (alpha x [rows, k] w + beta b + residual) of floats with constant w and b; false: nothing was added. */
typedef struct
{
  uint32_t x, w, b, residual, y;
  int64_t rows, k, n, stride_n, stride_k; /* of w */
  float alpha, beta;
  PareActivation activation;
  float lo, hi, act_alpha;
} PareAccelRows;
bool pare_accel_rows (PareAccel *self, uint32_t step, const PareAccelRows *r);
/* The same of bfloat16, with an alpha of 1, also of one row; its result as pare_accel_result() has it. */
bool pare_accel_rows_bf16 (PareAccel *self, uint32_t step, const PareAccelRows *r);
/* A recurrent layer's x w' and the biases that go with it (PareRnnParams), multiplied as bfloat16; PARE_RT_NONE: not this step. */
uint32_t pare_accel_projected (PareAccel *self, uint32_t step);
/* A PareRtRnnMultiplier of a recurrent layer whose matrix of the state is bfloat16; NULL: the portable kernel's own product. */
const void *pare_accel_recurrent_bf16 (PareAccel *self, uint32_t step);
/* How rows go by panels: bands of rows, in each all panels, in each the band's shares of rows, in this order. Threads share this sequence,
 * or the rows. */
typedef struct
{
  int64_t rows, panels;
  int64_t band; /* shares of rows in it; pare_accel_plan_walk sets this, and by_rows */
  bool by_rows;
} PareAccelWalk;
void pare_accel_plan_walk (PareAccelWalk *walk, int64_t columns, int64_t row_bytes);
/* Some rows by one panel; last: it is the last one of this thread. */
typedef void (*PareAccelRowsFunc) (const void *params, const PareView *args, int64_t row, int64_t rows, int64_t panel, bool last);
/* A thread's part, which is as much as any other's. */
void pare_accel_walk (const PareAccelWalk *walk, int part, int parts, PareAccelRowsFunc func, const void *params, const PareView *args);
/* n floats of memory of ours. */
float *pare_accel_filled (PareAccel *self, int64_t n, float value);
bool pare_accel_step_gemm (PareAccel *self, uint32_t step);
bool pare_accel_step_matmul (PareAccel *self, uint32_t step);
bool pare_accel_step_pool (PareAccel *self, uint32_t step);
/* Of bfloat16 whose pixels lie whole; max: the largest, else the average of an image. False: nothing was added. */
bool pare_accel_pool_bf16 (PareAccel *self, uint32_t step, bool max, const ParePoolShape *shape);
bool pare_accel_step_unary (PareAccel *self, uint32_t step);
bool pare_accel_step_binary (PareAccel *self, uint32_t step);
bool pare_accel_step_fake_quant (PareAccel *self, uint32_t step);
bool pare_accel_step_batch_norm (PareAccel *self, uint32_t step);
/* Of bfloat16. */
bool pare_accel_step_attention (PareAccel *self, uint32_t step);
bool pare_accel_step_softmax (PareAccel *self, uint32_t step);
bool pare_accel_step_qconv (PareAccel *self, uint32_t step);
/* A depthwise convolution of bfloat16 with the pointwise ones around it. */
bool pare_accel_separable_bf16 (PareAccel *self, uint32_t step);
/* A depthwise convolution of bfloat16 by a loop of our own. */
bool pare_accel_depthwise_bf16 (PareAccel *self, uint32_t step);
/* A depthwise convolution of codes by a loop of our own. */
bool pare_accel_depthwise_codes (PareAccel *self, uint32_t step, const PareQConvParams *p, const PareConvShape *shape);
/* Products of codes by tiles of our own, with an addition behind them. False: nothing was added. */
bool pare_accel_conv_tiles (PareAccel *self, uint32_t step, const PareQConvParams *p, const PareConvShape *shape);
bool pare_accel_gemm_tiles (PareAccel *self, uint32_t step, const PareQGemmParams *p);
bool pare_accel_step_qgemm (PareAccel *self, uint32_t step);
bool pare_accel_step_qadd (PareAccel *self, uint32_t step);
bool pare_accel_step_lut (PareAccel *self, uint32_t step);
bool pare_accel_step_qavg_pool (PareAccel *self, uint32_t step);
bool pare_accel_step_max_pool_codes (PareAccel *self, uint32_t step);
bool pare_accel_step_quantize (PareAccel *self, uint32_t step);
bool pare_accel_step_dequantize (PareAccel *self, uint32_t step);
bool pare_accel_step_concat_codes (PareAccel *self, uint32_t step);
/* Slice, Pad (with one value), Transpose. */
bool pare_accel_step_move (PareAccel *self, uint32_t step);
bool pare_accel_step_concat (PareAccel *self, uint32_t step);
/* Operands whose channels lie side by side, or in blocks, joined along the channels, which then lie side by side. */
bool pare_accel_join_channels (PareAccel *self, uint32_t step, dnnl_data_type_t type);
/* Nearest and linear ones of images. */
bool pare_accel_step_resize (PareAccel *self, uint32_t step);

/* y = (clamp (rint (x / scale) + zero, lo, hi) - zero) * scale for n elements; x and y may be the same. */
void pare_accel_fake_quant (const float *x, float *y, uint64_t n, float scale, float zero, float lo, float hi, int threads);

void pare_accel_copy_block (const PareAccelBlock *block, const void *src, void *dst);

/* Which steps take long enough that threads gain more than they wait for each other and for what the other wrote: one flag for each, all
 * false before. FALSE: none. exact: as in PareAccel; moves: as pare_accel_moves has it. */
bool pare_accel_find_gains (const PareRtPlan *plan, const uint8_t *exact, double moves, bool *gains);

/* Bytes in a nanosecond that the threads of a team pass to each other, written and read back; infinite where it costs nothing. Measured when
 * it is first asked for, in a fifth of a millisecond, and the same from then on. 0: it could not be measured. */
double pare_accel_moves (void);

/* Below this many elements a second thread costs more than it saves. */
#define PARE_ACCEL_PARALLEL_FROM 65536
/* The same for work that is known by its time: so many elements in a nanosecond. */
#define PARE_ACCEL_IN_NS 26
void pare_accel_run_loop (PareAccelLoop loop, const void *params, const PareView *args, int threads);

/* The same threads for portable kernels (a PareRtShare). */
void pare_accel_share (int threads, int64_t n, void (*func) (int64_t task, int worker, void *arg), void *arg);

/* Number of the calling thread in its team. */
int pare_accel_thread (void);
/* How many it has. */
int pare_accel_team (void);
/* Waits in such a team until all of it have come to the turn; turns begin at 0, which each thread has reached, and grow. */
typedef struct
{
  _Atomic uint32_t reached;
  char apart[124]; /* a line of the cache to itself, and the one that comes with it */
} PareAccelTurn;
void pare_accel_meet (PareAccelTurn *turns, uint32_t turn, int me, int team);
/* Threads of oneDNN's OpenMP for this thread; returns what was set before. */
int pare_accel_set_threads (int threads);
/* On a busy machine the scheduler likes to put the threads of one team on one CPU, where they wait for each other for whole time slices at
 * every barrier: microseconds become hundreds of milliseconds. The first call gives the other members of the calling thread's team a CPU
 * each, of cores of their own as long as there are any; every call moves the caller off those. True: it was moved, and unspread gives it
 * back its choice. */
typedef struct
{
  _Alignas(16) unsigned char mask[128];
} PareAffinity;
bool pare_accel_spread (int threads, PareAffinity *before);
/* CPUs that the calling thread may run on; 1 where it is not known. */
int pare_accel_count_cpus (void);
void pare_accel_unspread (const PareAffinity *before);
