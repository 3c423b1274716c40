/* The matrix unit of CPUs that have one (AMX): eight tiles of 16 rows of 64 bytes. A tile of sums gets the products of a tile of rows with a
 * tile of columns, in which four bytes (or two bfloat16) that follow one another in a row stand side by side: the order that panels for
 * VNNI and AVX512-BF16 have, too. What is loaded need not be aligned. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* As LDTILECFG reads it (Intel, Architecture Instruction Set Extensions, 3.2.1): palette 1. A tile that is not used has no rows. */
typedef struct
{
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} PareAmxTiles;

/* This CPU has it for bytes and bfloat16, the kernel lets this process use it, and so may oneDNN. */
bool pare_accel_has_amx (void);
