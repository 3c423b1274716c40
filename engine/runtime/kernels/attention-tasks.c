/* How both kernels of attention cut their work into tasks, and what these keep. */
#include "engine/runtime/kernels/attention.h"
#include "engine/runtime/kernels/tile.h"

#define SHARED 100000 /* multiply-adds of the scores from which threads pay */

PareRtAttentionTasks
pare_rt_attention_tasks (const PareRtAttention *a, int64_t rows, int64_t bytes)
{
  int64_t positions = a->k.dim[2], fit = bytes / ((int64_t)sizeof (float) * (positions > 0 ? positions : 1)) / 8 * 8;
  PareRtAttentionTasks t = { .rows = fit < 8 ? 8 : fit > rows ? rows : fit, .wide = pare_rt_small_columns (positions) };
  t.blocks = (a->q.dim[2] + t.rows - 1) / t.rows;
  t.rows = t.blocks > 0 ? (a->q.dim[2] + t.blocks - 1) / t.blocks : 1; /* equal shares */
  t.key_bytes = attention_round_up (pare_rt_small_pack (positions, a->k.dim[3], NULL, 1, 1, NULL));
  t.value_bytes = attention_round_up (pare_rt_small_pack (a->v.dim[3], positions, NULL, 1, 1, NULL));
  return t;
}

uint64_t
pare_rt_attention_place (const PareRtAttention *a, PareRtAttentionTasks *t, char *memory)
{
  uint64_t keys = (uint64_t)(a->q.dim[0] * a->key_heads) * t->key_bytes, values = (uint64_t)(a->q.dim[0] * a->value_heads) * t->value_bytes,
           workers = (uint64_t)pare_rt_workers () * t->worker_bytes;
  if (memory)
    {
      t->workers = memory;
      t->keys = memory + workers;
      t->values = t->keys + keys;
      t->seen = (int32_t *)(void *)(t->values + values);
    }
  return workers + keys + values + attention_round_up ((uint64_t)a->q.dim[2] * sizeof (int32_t));
}

void
pare_rt_attention_run (const PareRtAttention *a, const PareRtAttentionTasks *t, PareRtTask pack, PareRtTask attend, void *job)
{
  int64_t heads = a->q.dim[0] * a->q.dim[1];
  bool shared = (double)heads * (double)(a->q.dim[2] * a->k.dim[2]) * (double)a->q.dim[3] >= SHARED;
  pare_rt_parallel_if (shared, a->q.dim[0] * (a->key_heads + a->value_heads), pack, job);
  pare_rt_parallel_if (shared, heads * t->blocks, attend, job);
}
