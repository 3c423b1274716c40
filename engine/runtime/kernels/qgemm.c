/* QGemm: matrix product on codes, see PareQGemmParams. Columns of the weights lie in the lanes, so that one row of codes is enough to keep
 * them full; weights are read once for each block of rows. */
#include "engine/runtime/kernels/int-weights.h"
#include "engine/runtime/kernels/integer.h"

#define ROWS 32 /* of codes, laid out by each task */
#define FEW_ROWS 3
#define SERIAL_VECTOR 100000 /* products of a few rows, which take as long as the weights take to come, that are not worth sharing */

typedef struct
{
  const PareQGemmParams *p;
  const PareView *a, *b, *y;
  const int32_t *bias;
  const float *scale;
  int64_t m, k, n;
  const PareIntIsa *isa;
  PareIntWeights weights;
  PareIntCodes codes;
  int64_t parts, part_blocks;                               /* of the columns: blocks of a task */
  uint64_t row_bytes, at_weights, at_scale, at_tile, bytes; /* of a worker's scratch */
  uint8_t *scratch;
  bool serial; /* too little work to share */
} Job;

static PareRtStatus
read_operands (Job *j, const PareQGemmParams *p, const PareView *in, uint32_t n_in, const PareView *out, uint32_t n_out)
{
  REQUIRE (p && n_in == 4 && n_out == 1 && !p->gemm.trans_a);
  SUPPORT (is_codes (&in[0]) && is_weight_codes (&in[1]) && (is_codes (&out[0]) || is_f32 (&out[0])));
  int rank = in[0].shape.rank;
  REQUIRE (rank >= 2 && in[1].shape.rank == 2 && out[0].shape.rank == rank);
  int64_t m = product (&in[0].shape, 0, rank - 1), k = in[0].shape.dims[rank - 1], n = in[1].shape.dims[p->gemm.trans_b ? 0 : 1];
  REQUIRE (in[1].shape.dims[p->gemm.trans_b ? 1 : 0] == k && product (&out[0].shape, 0, rank - 1) == m && out[0].shape.dims[rank - 1] == n);
  REQUIRE (!given (in, n_in, 2) || (in[2].dtype == PARE_DTYPE_INT32 && count_of (&in[2]) == n));
  REQUIRE (is_f32 (&in[3]) && count_of (&in[3]) == n);
  REQUIRE (fits_codes (&in[0], p->zero_x, p->zero_x));
  REQUIRE (is_f32 (&out[0]) || (fits_codes (&out[0], p->lo, p->hi) && fits_codes (&out[0], p->zero_y, p->zero_y)));
  *j = (Job){ p, &in[0], &in[1], &out[0], given (in, n_in, 2) ? in[2].data : NULL, in[3].data, m, k, n, pare_rt_int_isa_for (in[1].dtype) };
  return PARE_RT_OK;
}

static void
plan (Job *j, int workers)
{
  const PareIntIsa *isa = j->isa;
  j->codes = int_codes (isa, j->a->dtype == PARE_DTYPE_INT8, j->p->zero_x);
  j->weights = (PareIntWeights){ .isa = isa,
                                 .view = j->b,
                                 .wide = isa->gemm_vectors * isa->lanes,
                                 .k = j->k,
                                 .steps = (j->k + isa->k_step - 1) / isa->k_step,
                                 .groups = 1,
                                 .rows = j->n,
                                 .row_stride = j->p->gemm.trans_b ? j->k : 1,
                                 .k_stride = j->p->gemm.trans_b ? 1 : j->n,
                                 .fold = j->codes.fold };
  double products = (double)j->m * (double)j->n * (double)j->k;
  j->serial = workers == 1 || (j->m > FEW_ROWS ? int_is_small (isa, products) : products < SERIAL_VECTOR);
  int64_t blocks = int_blocks (&j->weights), want = j->serial ? 1 : 4 * workers, parts = want < blocks ? want : blocks;
  j->part_blocks = parts ? (blocks + parts - 1) / parts : 1;
  j->parts = (blocks + j->part_blocks - 1) / j->part_blocks;
  j->row_bytes = (uint64_t)int_round_up (j->weights.steps * int_column_bytes (isa), 64);
  j->at_weights = j->row_bytes * ROWS;
  j->at_scale = j->at_weights + pare_rt_int_block_room (&j->weights);
  j->at_tile = j->at_scale + (uint64_t)int_round_up (j->weights.wide * 12, 64);
  j->bytes = j->at_tile + (uint64_t)int_round_up (isa->gemm_rows * j->weights.wide * 4, 64);
}

/* A block of columns for rows r0.. of codes. */
static void
run_block (const Job *j, uint8_t *scratch, int64_t block, int64_t r0, int64_t rows)
{
  const PareIntIsa *isa = j->isa;
  int wide = j->weights.wide, bytes = is_codes (j->y) ? 1 : 4;
  int32_t *init = (int32_t *)(void *)(scratch + j->at_scale);
  float *bias = (float *)(void *)(init + wide), *factor = bias + wide;
  int64_t c0 = block * wide, fit = j->n - c0 < wide ? j->n - c0 : wide;
  const uint8_t *w = pare_rt_int_block (&j->weights, 0, block, scratch + j->at_weights, init, NULL);
  for (int i = 0; i < wide; i++)
    {
      bias[i] = i < fit && j->bias ? (float)j->bias[c0 + i] : 0;
      factor[i] = i < fit ? j->scale[c0 + i] : 0;
    }
  PareIntScale scale = {
    init, bias, factor, j->p->zero_y, (float)(j->p->lo - j->p->zero_y), (float)(j->p->hi - j->p->zero_y), bytes == 1, NULL, NULL, 0, 0
  };
  for (int64_t r = 0; r < rows; r += isa->gemm_rows)
    {
      int some = (int)(rows - r < isa->gemm_rows ? rows - r : isa->gemm_rows);
      uint8_t *y = (uint8_t *)j->y->data + ((r0 + r) * j->n + c0) * bytes, *tile = scratch + j->at_tile;
      const uint8_t *x = scratch + (uint64_t)r * j->row_bytes;
      if (fit == wide)
        isa->gemm (y, j->n, x, (int64_t)j->row_bytes, w, j->weights.steps, some, &scale);
      else
        isa->gemm (tile, wide, x, (int64_t)j->row_bytes, w, j->weights.steps, some, &scale);
      for (int i = 0; i < some; i++, y += j->n * bytes)
        {
          if (fit < wide)
            memcpy (y, tile + i * wide * bytes, fit * bytes);
          if (bytes == 4)
            pare_rt_activate ((float *)(void *)y, fit, j->p->gemm.activation, j->p->gemm.lo, j->p->gemm.hi, j->p->gemm.act_alpha);
        }
    }
}

static void
rows_task (int64_t task, int worker, void *arg)
{
  const Job *j = arg;
  uint8_t *scratch = j->scratch + (uint64_t)worker * j->bytes;
  int64_t part = task % j->parts, r0 = task / j->parts * ROWS, rows = j->m - r0 < ROWS ? j->m - r0 : ROWS;
  int64_t used = j->k * j->isa->width;
  for (int64_t r = 0; r < rows; r++)
    {
      uint8_t *to = scratch + (uint64_t)r * j->row_bytes;
      j->isa->widen (to, (const uint8_t *)j->a->data + (r0 + r) * j->k, j->k, j->codes);
      memset (to + used, 0, j->row_bytes - (uint64_t)used);
    }
  for (int64_t b = part * j->part_blocks; b < (part + 1) * j->part_blocks && b < int_blocks (&j->weights); b++)
    run_block (j, scratch, b, r0, rows);
}

KERNEL (pare_rt_k_qgemm)
{
  Job j;
  PareRtStatus status = read_operands (&j, params, in, n_in, out, n_out);
  if (status != PARE_RT_OK)
    return status;
  CHECKED;
  plan (&j, pare_rt_workers ());
  j.scratch = scratch;
  if (count_of (&out[0]) > 0)
    pare_rt_parallel_if (!j.serial, (j.m + ROWS - 1) / ROWS * j.parts, rows_task, &j);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_qgemm)
{
  Job j;
  if (read_operands (&j, params, in, n_in, out, n_out) != PARE_RT_OK)
    return 0;
  plan (&j, pare_rt_workers ());
  return j.bytes * (uint64_t)pare_rt_workers ();
}

PACK (pare_rt_p_qgemm)
{
  Job j;
  if (read_operands (&j, params, in, n_in, out, n_out) != PARE_RT_OK || count_of (&in[1]) <= 0)
    return 0;
  plan (&j, 1);
  if (packed)
    pare_rt_int_pack (&j.weights, packed);
  return pare_rt_int_packed_bytes (&j.weights);
}
