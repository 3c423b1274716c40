/* RotaryEmbedding: the first elements of each head's row are turned in pairs, by the angles of its position. */
#include "engine/runtime/kernels/kernel.h"

typedef struct
{
  const float *x, *cos, *sin;
  float *y;
  int64_t batch, rows, heads, each, half, tables; /* tables: of how many samples */
  bool interleaved, rows_first;
  int64_t share; /* rows of a task */
} Job;

PARE_RT_CLONES static void
turn_halves (const float *restrict x, const float *restrict c, const float *restrict s, float *restrict y, int64_t half)
{
  for (int64_t i = 0; i < half; i++)
    {
      float a = x[i], b = x[half + i];
      y[i] = c[i] * a - s[i] * b;
      y[half + i] = s[i] * a + c[i] * b;
    }
}

PARE_RT_CLONES static void
turn_neighbours (const float *restrict x, const float *restrict c, const float *restrict s, float *restrict y, int64_t half)
{
  for (int64_t i = 0; i < half; i++)
    {
      float a = x[2 * i], b = x[2 * i + 1];
      y[2 * i] = c[i] * a - s[i] * b;
      y[2 * i + 1] = s[i] * a + c[i] * b;
    }
}

static void
turn (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  int64_t all = j->batch * j->rows * j->heads;
  for (int64_t r = task * j->share; r < (task + 1) * j->share && r < all; r++)
    {
      int64_t sample = r / (j->rows * j->heads), row = j->rows_first ? r / j->heads % j->rows : r % j->rows;
      int64_t at = ((j->tables == 1 ? 0 : sample) * j->rows + row) * j->half;
      const float *x = j->x + r * j->each;
      float *y = j->y + r * j->each;
      (j->interleaved ? turn_neighbours : turn_halves) (x, j->cos + at, j->sin + at, y, j->half);
      memcpy (y + 2 * j->half, x + 2 * j->half, (size_t)(j->each - 2 * j->half) * sizeof (float));
    }
}

KERNEL (pare_rt_k_rotary)
{
  const PareRotaryParams *p = params;
  REQUIRE (p && n_in == 3 && n_out == 1 && same_shape (&in[0], &out[0]) && same_shape (&in[1], &in[2]));
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&in[2]) && is_f32 (&out[0]));
  const int64_t *x = in[0].shape.dims, *table = in[1].shape.dims;
  bool flat = in[0].shape.rank == 3;
  REQUIRE ((flat || in[0].shape.rank == 4) && in[1].shape.rank == 3 && (!flat || (p->heads >= 1 && x[2] % p->heads == 0)));
  Job j = { .batch = x[0], .rows = flat ? x[1] : x[2], .heads = flat ? p->heads : x[1], .each = flat ? x[2] / p->heads : x[3] };
  REQUIRE ((table[0] == j.batch || table[0] == 1) && table[1] == j.rows && table[2] <= j.each / 2);
  CHECKED;
  j.x = in[0].data;
  j.cos = in[1].data;
  j.sin = in[2].data;
  j.y = out[0].data;
  j.half = table[2];
  j.tables = table[0];
  j.interleaved = p->interleaved != 0;
  j.rows_first = flat;
  j.share = j.each < PARE_RT_SHARE && j.each > 0 ? PARE_RT_SHARE / j.each : 1;
  int64_t all = j.batch * j.rows * j.heads;
  pare_rt_parallel_if (count_of (&in[0]) >= 2 * PARE_RT_SHARE, (all + j.share - 1) / j.share, turn, &j);
  return PARE_RT_OK;
}
