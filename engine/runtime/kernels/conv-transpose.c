/* ConvTranspose: x [N,C,spatial], w [C,M/g,k], b [M] or none, residual like y or none; y [N,M,out].
 * Per group and image: columns [M/g * k, positions] = w' x by the matrix kernel, added into place. The output's extents are the plan's
 * (output_padding is in them). */
#include "engine/runtime/kernels/conv.h"

/* Rows of w' come as columns of w: transposed into scratch once a call. */
static uint64_t
align64 (uint64_t n)
{
  return (n + 63) / 64 * 64;
}

KERNEL (pare_rt_k_conv_transpose)
{
  const PareConvParams *p = params;
  ConvGeometry g;
  REQUIRE (p && n_in >= 2 && n_out == 1);
  SUPPORT (is_f32 (&in[0]) && is_f32 (&in[1]) && is_f32 (&out[0]));
  REQUIRE (pare_rt_conv_geometry (p, &in[0], &in[1], &out[0], &g));
  int64_t cg = g.c / g.group, mg = g.m / g.group, kvol = g.k[0] * g.k[1] * g.k[2];
  REQUIRE (in[1].shape.dims[0] == g.c && in[1].shape.dims[1] == mg);
  REQUIRE (!given (in, n_in, 2) || (is_f32 (&in[2]) && count_of (&in[2]) == g.m));
  REQUIRE (!given (in, n_in, 3) || (is_f32 (&in[3]) && same_shape (&in[3], &out[0])));
  CHECKED;
  int64_t positions = g.in[0] * g.in[1] * g.in[2], outs = g.out[0] * g.out[1] * g.out[2];
  float *wt = (float *)((char *)scratch + pare_rt_workers () * PARE_RT_GEMM_SCRATCH);
  float *columns = wt + align64 (mg * kvol * cg);
  memset (out[0].data, 0, count_of (&out[0]) * sizeof (float));
  for (int64_t gi = 0; gi < g.group; gi++)
    {
      const float *w = (const float *)in[1].data + gi * cg * mg * kvol;
      for (int64_t c = 0; c < cg; c++)
        for (int64_t r = 0; r < mg * kvol; r++)
          wt[r * cg + c] = w[c * mg * kvol + r];
      for (int64_t n = 0; n < g.n; n++)
        {
          const float *x = (const float *)in[0].data + (n * g.c + gi * cg) * positions;
          float *y = (float *)out[0].data + (n * g.m + gi * mg) * outs;
          pare_rt_sgemm (mg * kvol, positions, cg, wt, cg, x, positions, 1, columns, positions, scratch);
          for (int64_t r = 0; r < mg * kvol; r++)
            {
              int64_t m = r / kvol, rest = r % kvol, kx = rest % g.k[2], ky = rest / g.k[2] % g.k[1], kz = rest / g.k[2] / g.k[1];
              const float *col = columns + r * positions;
              for (int64_t iz = 0; iz < g.in[0]; iz++)
                for (int64_t iy = 0; iy < g.in[1]; iy++, col += g.in[2])
                  {
                    int64_t oz = iz * g.stride[0] - g.pad[0] + kz * g.dil[0], oy = iy * g.stride[1] - g.pad[1] + ky * g.dil[1];
                    if (oz < 0 || oz >= g.out[0] || oy < 0 || oy >= g.out[1])
                      continue;
                    float *row = y + m * outs + (oz * g.out[1] + oy) * g.out[2];
                    int64_t ox = kx * g.dil[2] - g.pad[2];
                    for (int64_t ix = 0; ix < g.in[2]; ix++, ox += g.stride[2])
                      if (ox >= 0 && ox < g.out[2])
                        row[ox] += col[ix];
                  }
            }
        }
    }
  for (int64_t i = 0; i < g.n * g.m; i++)
    pare_rt_conv_epilogue ((float *)out[0].data + i * outs, given (in, n_in, 3) ? (const float *)in[3].data + i * outs : NULL, outs,
                           given (in, n_in, 2) ? ((const float *)in[2].data)[i % g.m] : 0, p);
  return PARE_RT_OK;
}

SCRATCH (pare_rt_s_conv_transpose)
{
  const PareConvParams *p = params;
  ConvGeometry g;
  if (!p || n_in < 2 || n_out < 1 || !pare_rt_conv_geometry (p, &in[0], &in[1], &out[0], &g))
    return 0;
  int64_t rows = g.m / g.group * g.k[0] * g.k[1] * g.k[2], positions = g.in[0] * g.in[1] * g.in[2], a, b;
  if (__builtin_mul_overflow (rows, g.c / g.group + 16, &a) || __builtin_mul_overflow (rows, positions, &b) || a > INT64_MAX / 16
      || b > INT64_MAX / 16)
    return UINT64_MAX / 2;
  return (align64 (a) + align64 (b)) * sizeof (float);
}
