/* All functions of one instruction set. Before it is included:
 *   NAME(x), ISA (its name), TARGET, LANES, K_STEP, WIDTH, BIASED, the tiles CONV_ROWS, CONV_VECTORS, GEMM_VECTORS,
 *   VI, VL, VF: LANES sums, LANES columns of codes, LANES floats; LOAD, BROADCAST (a column), DOT (sums, codes, weights), SPLAT, LOADI,
 * STOREI, AND, OR, SHIFT, TO_FLOAT, ROUND (half to even), ADDF, MULF, MAXF (v > lo ? v : lo), MINF, SPLATF, LOADF, STOREF, STORE_CODES (the
 * low byte of each lane), STORE_HALVES (the low bytes of the two halves; K_STEP 2), STORE_PAIRS (the two low bytes; K_STEP 4), CHUNK and
 * INTERLEAVE (to, lines, at, codes): so many columns at once; ALIGN (at, behind, bytes), where it is faster than loads across lines of the
 * cache; MATRIX_ISA, MATRIX: another set, which has this matrix unit, too. */
#define COLUMN (K_STEP * WIDTH)
#define GEMM_ROWS 4

#include "engine/runtime/kernels/int-depthwise.inc.h"
#include "engine/runtime/kernels/int-panel.inc.h"
#include "engine/runtime/kernels/int-tile.inc.h"

#define SET(name, matrix)                                                                                                                  \
  {                                                                                                                                        \
    name, K_STEP, WIDTH, LANES, CONV_ROWS, CONV_VECTORS, GEMM_ROWS, GEMM_VECTORS, BIASED, NAME (panel), NAME (unfold), NAME (widen),       \
        NAME (expand), NAME (conv), NAME (gemm), NAME (depthwise), matrix                                                                  \
  }
static const PareIntIsa NAME (isa) = SET (ISA, NULL);
#if defined(MATRIX)
static const PareIntIsa NAME (matrix_isa) = SET (MATRIX_ISA, MATRIX);
#undef MATRIX_ISA
#undef MATRIX
#endif
#undef SET

#undef NAME
#undef ISA
#undef TARGET
#undef LANES
#undef K_STEP
#undef WIDTH
#undef BIASED
#undef CONV_ROWS
#undef CONV_VECTORS
#undef GEMM_VECTORS
#undef GEMM_ROWS
#undef COLUMN
#undef VI
#undef VL
#undef VF
#undef LOAD
#undef BROADCAST
#undef DOT
#undef SPLAT
#undef LOADI
#undef STOREI
#undef AND
#undef OR
#undef SHIFT
#undef TO_FLOAT
#undef ROUND
#undef ADDF
#undef SUBF
#undef MULF
#undef MAXF
#undef MINF
#undef SPLATF
#undef LOADF
#undef STOREF
#undef STORE_CODES
#undef STORE_HALVES
#undef STORE_PAIRS
#undef CHUNK
#undef ALIGN
#undef INTERLEAVE
