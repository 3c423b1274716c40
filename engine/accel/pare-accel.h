/* oneDNN under a plan: the steps it does well run through its primitives in its own (blocked) layouts, the others through the portable
 * kernels on plain memory, with reorders between. Weights are repacked once; no allocation while running. */
#pragma once
#include "engine/accel/pare-content.h"
#include "engine/runtime/pare-rt.h"

typedef struct PareAccel PareAccel;             /* immutable after new: primitives and packed weights, shared */
typedef struct PareAccelRunner PareAccelRunner; /* per thread: arena, scratchpad, bound arguments */

/* NULL: oneDNN is not there or nothing of the plan gains; run the portable interpreter then. The plan must outlive it. threads: kernels'
 * threads. Products whose operands lie on the grid of bfloat16 (pare_rt_step_is_bfloat) are multiplied as 16 bits where the CPU can. */
PareAccel *pare_accel_new (const PareRtPlan *plan, int threads);
/* The CPU (and what oneDNN may use of it) multiplies bfloat16. */
bool pare_accel_has_bf16 (void);
/* Steps that are really multiplied so. self may be NULL. */
uint32_t pare_accel_count_bf16 (const PareAccel *self);
void pare_accel_free (PareAccel *self);
/* Bytes of constants kept in another order than the plan's. */
uint64_t pare_accel_packed_bytes (const PareAccel *self);
/* Packed weights that programs share, of all that there are: the same constants packed in the same way are there once. */
uint64_t pare_accel_count_shared (void);
/* pare_constant_hash of a constant, where packing it has asked for that. */
bool pare_accel_get_content (const PareAccel *self, uint32_t value, PareContentKey *key);
PareAccelRunner *pare_accel_runner_new (PareAccel *self);
void pare_accel_runner_free (PareAccelRunner *self);
/* As pare_rt_runner_run; step_ns has n_steps entries, reorders are counted with the step that needed them. */
PareRtStatus pare_accel_runner_run (PareAccelRunner *self, const PareView *inputs, uint64_t *step_ns, const volatile int *cancel,
                                    uint32_t *failed_step);
/* --- a run in parts: what lies in memory between two steps --- */
/* A piece of the arena that steps before a cut wrote and steps after it read. */
typedef struct
{
  uint32_t buffer;
  uint64_t bytes;
  uint32_t value; /* one of the plan's values that lie there */
} PareAccelPiece;
/* The pieces at the place before `step`. layout: a hash over where which value lies in which memory layout, with hashes[v] standing for
 * what value v is; two programs whose layouts and sizes of the pieces are equal may take over each other's. needs_input: what follows reads
 * the model's inputs. Returns their number, UINT32_MAX where a run cannot be cut (the step is computed by an earlier one). pieces: room for
 * `room`.
 */
uint32_t pare_accel_cut (const PareAccel *self, uint32_t step, const uint64_t *hashes, PareAccelPiece *pieces, uint32_t room,
                         uint64_t *layout, bool *needs_input);
void *pare_accel_runner_piece (PareAccelRunner *self, const PareAccelPiece *piece);
/* The caller reads these bytes when the next part has run: it asks memory for them between its steps, so that nobody waits for them. */
void pare_accel_runner_expect (PareAccelRunner *self, const void *data, uint64_t bytes);
/* Steps from..to-1. inputs NULL: nothing in that range reads them. */
PareRtStatus pare_accel_runner_run_part (PareAccelRunner *self, const PareView *inputs, uint32_t from, uint32_t to,
                                         const volatile int *cancel, uint32_t *failed_step);
/* Graph outputs and kept values, plain row-major. */
PareView pare_accel_runner_view (PareAccelRunner *self, uint32_t value);
/* The step whose nodes compute this one: itself, or an earlier one. */
uint32_t pare_accel_get_owner (const PareAccel *self, uint32_t step);
/* Share of the plan's steps that oneDNN runs. */
double pare_accel_get_coverage (const PareAccel *self);
const char *pare_accel_version (void);
