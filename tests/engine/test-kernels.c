/* The portable kernels that move, cast, quantize and reduce, against loops written from ONNX's definitions. */
#include "tests/engine/kernel-call.h"

#include "engine/runtime/pare-rt-distance.h"
#include "engine/runtime/pare-rt-pool.h"

static void
test_transpose (void)
{
  PareView in[] = { floats ("3x17x5x19", 1) };
  for (int a = 0; a < 24; a++)
    {
      int left[4] = { 0, 1, 2, 3 }, code = a;
      PareTransposeParams p = { { 0 } };
      PareView out[] = { make (PARE_DTYPE_FLOAT32, "3x17x5x19") };
      for (int i = 0; i < 4; i++)
        {
          int pick = code % (4 - i);
          code /= 4 - i;
          p.perm[i] = left[pick];
          memmove (left + pick, left + pick + 1, (3 - pick) * sizeof (int));
          out[0].shape.dims[i] = in[0].shape.dims[p.perm[i]];
        }
      MUST (PARE_RT_TRANSPOSE, p, in, out);
      for (gint64 i = 0; i < count_of (&out[0]); i++)
        {
          gint64 y[4], x[4];
          unravel (&out[0].shape, i, y);
          for (int k = 0; k < 4; k++)
            x[p.perm[k]] = y[k];
          g_assert_cmpfloat (F (out[0])[i], ==, F (in[0])[ravel (&in[0].shape, x)]);
        }
    }
  /* an axis named twice, and extents that do not follow */
  PareView out[] = { make (PARE_DTYPE_FLOAT32, "3x17x5x19") };
  g_assert_cmpint (RUN (PARE_RT_TRANSPOSE, ((PareTransposeParams){ { 0, 1, 1, 3 } }), in, out), ==, PARE_RT_INVALID);
  g_assert_cmpint (RUN (PARE_RT_TRANSPOSE, ((PareTransposeParams){ { 1, 0, 2, 3 } }), in, out), ==, PARE_RT_INVALID);
}

static void
test_sizes (void)
{
  /* rearranging knows only the size of an element */
  static const PareDtype types[] = { PARE_DTYPE_UINT8, PARE_DTYPE_FLOAT16, PARE_DTYPE_INT32, PARE_DTYPE_FLOAT64 };
  for (guint t = 0; t < N_OF (types); t++)
    {
      PareView in[] = { make (types[t], "3x4") }, out[] = { make (types[t], "4x3") };
      gsize size = pare_dtype_bits (types[t]) / 8;
      for (gsize i = 0; i < 12 * size; i++)
        ((guint8 *)in[0].data)[i] = (guint8)(i + 1);
      MUST (PARE_RT_TRANSPOSE, ((PareTransposeParams){ { 1, 0 } }), in, out);
      for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
          g_assert_cmpint (memcmp ((char *)out[0].data + (c * 3 + r) * size, (char *)in[0].data + (r * 4 + c) * size, size), ==, 0);
    }
  PareView in[] = { make (PARE_DTYPE_INT4, "5") }, out[] = { make (PARE_DTYPE_INT4, "5") };
  g_assert_cmpint (RUN (PARE_RT_TRANSPOSE, no_params, in, out), ==, PARE_RT_UNSUPPORTED);
  memcpy (in[0].data, "\x21\x43\x05", 3);
  MUST (PARE_RT_COPY, no_params, in, out);
  g_assert_cmpmem (in[0].data, 3, out[0].data, 3);
}

static void
test_concat_split (void)
{
  for (int axis = 0; axis < 3; axis++)
    {
      PareView in[] = { floats ("2x3x4", 1), floats ("2x3x4", 2), floats ("2x3x4", 3) };
      PareView out[] = { floats ("2x3x4", 0) }, back[] = { floats ("2x3x4", 0), floats ("2x3x4", 0), floats ("2x3x4", 0) };
      const gint64 extents[] = { 1, 2, 0 };
      gint64 total = 0;
      for (int i = 0; i < 3; i++)
        {
          in[i].shape.dims[axis] = back[i].shape.dims[axis] = extents[i];
          in[i].data = floats ("24", i + 1).data;
          /* the guard belongs behind the smaller view */
          memset ((char *)in[i].data + count_of (&in[i]) * 4, 0xA5, GUARD);
          memset ((char *)back[i].data + count_of (&in[i]) * 4, 0xA5, GUARD);
          total += extents[i];
        }
      out[0] = make (PARE_DTYPE_FLOAT32, axis == 0 ? "3x3x4" : axis == 1 ? "2x3x4" : "2x3x3");
      g_assert_cmpint (out[0].shape.dims[axis], ==, total);
      PareAxisParams p = { axis };
      MUST (PARE_RT_CONCAT, p, in, out);
      for (gint64 i = 0; i < count_of (&out[0]); i++)
        {
          gint64 at[3];
          unravel (&out[0].shape, i, at);
          int which = at[axis] < 1 ? 0 : 1;
          at[axis] -= which;
          g_assert_cmpfloat (F (out[0])[i], ==, F (in[which])[ravel (&in[which].shape, at)]);
        }
      MUST (PARE_RT_SPLIT, p, out, back);
      for (int i = 0; i < 2; i++)
        near (&back[i], F (in[i]), count_of (&in[i]), 0);
      in[0].shape.dims[axis]++;
      g_assert_cmpint (RUN (PARE_RT_CONCAT, p, in, out), ==, PARE_RT_INVALID);
      back[1].shape.dims[axis]--;
      g_assert_cmpint (RUN (PARE_RT_SPLIT, p, out, back), ==, PARE_RT_INVALID);
    }
}

/* Large steps on three workers: parts of a row whose bytes do not divide, and planes. */
static void
test_shared (void)
{
  PareRtPool *pool = pare_rt_pool_new (3), *before = pare_rt_pool_enter (pool);
  static const char *const shapes[][3] = { { "1x3x37x41", "1x5x37x41", "1x8x37x41" }, { "2x3x37x43", "2x5x37x43", "2x8x37x43" } };
  static const PareDtype types[] = { PARE_DTYPE_FLOAT32, PARE_DTYPE_UINT8, PARE_DTYPE_FLOAT64 };
  for (guint i = 0; i < N_OF (shapes) * N_OF (types); i++)
    {
      const char *const *shape = shapes[i / N_OF (types)];
      PareDtype type = types[i % N_OF (types)];
      PareView in[] = { make (type, shape[0]), make (type, shape[1]) }, out[] = { make (type, shape[2]) };
      gsize bytes[2], at = 0;
      for (int k = 0; k < 2; k++)
        {
          bytes[k] = (gsize)pare_shape_bytes (&in[k].shape, type) / in[k].shape.dims[0];
          for (gsize b = 0; b < bytes[k] * in[k].shape.dims[0]; b++)
            ((guint8 *)in[k].data)[b] = (guint8)(b * 131 + b / 251 + k);
        }
      MUST (PARE_RT_CONCAT, (PareAxisParams){ 1 }, in, out);
      for (gint64 row = 0; row < in[0].shape.dims[0]; row++)
        for (int k = 0; k < 2; at += bytes[k++])
          g_assert_cmpint (memcmp ((char *)out[0].data + at, (char *)in[k].data + row * bytes[k], bytes[k]), ==, 0);
    }
  PareView in[] = { floats ("2x13x40x41", 1), floats ("13", 2), floats ("13", 3), floats ("13", 4), floats ("13", 5) };
  PareView out[] = { floats ("2x13x40x41", 0) };
  for (int c = 0; c < 13; c++)
    F (in[4])[c] = F (in[4])[c] * F (in[4])[c];
  MUST (PARE_RT_BATCH_NORM, (PareBatchNormParams){ 1e-3f }, in, out);
  for (gint64 i = 0; i < count_of (&out[0]); i++)
    {
      gint64 c = i / (40 * 41) % 13;
      double want = (F (in[0])[i] - F (in[3])[c]) / sqrt (F (in[4])[c] + 1e-3) * F (in[1])[c] + F (in[2])[c];
      g_assert_cmpfloat_with_epsilon (F (out[0])[i], want, 1e-4 * (1 + fabs (want)));
    }
  pare_rt_pool_enter (before);
  pare_rt_pool_free (pool);
}

static void
test_slice (void)
{
  PareView in[] = { floats ("4x5x6", 4) }, out[] = { make (PARE_DTYPE_FLOAT32, "2x5x1") };
  PareSliceParams p = { { 3, 0, 2 }, { -2, 1, 1000000 } };
  MUST (PARE_RT_SLICE, p, in, out);
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 5; j++)
      g_assert_cmpfloat (F (out[0])[i * 5 + j], ==, F (in[0])[(3 - 2 * i) * 30 + j * 6 + 2]);
  p.step[0] = -4; /* would reach -1 */
  g_assert_cmpint (RUN (PARE_RT_SLICE, p, in, out), ==, PARE_RT_INVALID);
  p.step[0] = G_MININT64;
  g_assert_cmpint (RUN (PARE_RT_SLICE, p, in, out), ==, PARE_RT_INVALID);
  p = (PareSliceParams){ { 0, 1, 0 }, { 1, 1, 1 } };
  g_assert_cmpint (RUN (PARE_RT_SLICE, p, in, out), ==, PARE_RT_INVALID);
}

static void
test_pad (void)
{
  PareView x = given_floats ("1x3", (const float[]){ 1, 2, 3 }), value = given_floats ("", (const float[]){ 9 }), in[] = { x, value };
  PareView out[] = { make (PARE_DTYPE_FLOAT32, "1x8") };
  MUST (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_CONSTANT, { 0, 2 } }), in, out);
  SAME (out[0], 9, 9, 1, 2, 3, 9, 9, 9);
  MUST (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_REFLECT, { 0, 2 } }), in, out);
  SAME (out[0], 3, 2, 1, 2, 3, 2, 1, 2);
  MUST (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_EDGE, { 0, 2 } }), in, out);
  SAME (out[0], 1, 1, 1, 2, 3, 3, 3, 3);
  MUST (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_WRAP, { 0, 2 } }), in, out);
  SAME (out[0], 2, 3, 1, 2, 3, 1, 2, 3);
  PareView crop[] = { make (PARE_DTYPE_FLOAT32, "2x2") }, only[] = { x };
  MUST (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_CONSTANT, { 1, -1 } }), only, crop);
  SAME (crop[0], 0, 0, 2, 3);
  MUST (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_EDGE, { 1, -1 } }), only, crop);
  SAME (crop[0], 2, 3, 2, 3);
  g_assert_cmpint (RUN (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_EDGE, { 1, -4 } }), only, crop), ==, PARE_RT_INVALID);
  g_assert_cmpint (RUN (PARE_RT_PAD, ((ParePadParams){ PARE_PAD_EDGE, { 3, 0 } }), only, crop), ==, PARE_RT_INVALID);
}

static void
test_quantize (void)
{
  PareView x = given_floats ("10", (const float[]){ 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 1e9f, -1e9f, INFINITY, -INFINITY, NAN });
  PareView scale = given_floats ("", (const float[]){ 1 }), zero = make (PARE_DTYPE_UINT8, ""), in[] = { x, scale, zero };
  PareView out[] = { make (PARE_DTYPE_UINT8, "10") };
  *(guint8 *)zero.data = 128;
  MUST (PARE_RT_QUANTIZE_LINEAR, ((PareQuantizeParams){ -1, 0 }), in, out);
  g_assert_cmpmem (out[0].data, 10, ((const guint8[]){ 128, 130, 130, 128, 126, 255, 0, 255, 0, 0 }), 10);
  PareView back_in[] = { out[0], scale, zero }, back[] = { make (PARE_DTYPE_FLOAT32, "10") };
  MUST (PARE_RT_DEQUANTIZE_LINEAR, ((PareQuantizeParams){ -1, 0 }), back_in, back);
  SAME (back[0], 0, 2, 2, 0, -2, 127, -128, 127, -128, -128);
  /* halves to even in 16 bits, and 4 bits with an odd count */
  PareView five[] = { given_floats ("5", (const float[]){ -20, -2.5f, -1.5f, 3, 20 }), scale }, nibbles[] = { make (PARE_DTYPE_INT4, "5") };
  MUST (PARE_RT_QUANTIZE_LINEAR, ((PareQuantizeParams){ -1, 0 }), five, nibbles);
  g_assert_cmpmem (nibbles[0].data, 3, "\xe8\x3e\x07", 3);
  PareView n_in[] = { nibbles[0], scale }, n_out[] = { make (PARE_DTYPE_FLOAT32, "5") };
  MUST (PARE_RT_DEQUANTIZE_LINEAR, ((PareQuantizeParams){ -1, 0 }), n_in, n_out);
  SAME (n_out[0], -8, -2, -2, 3, 7);
  nibbles[0].dtype = PARE_DTYPE_UINT4;
  MUST (PARE_RT_QUANTIZE_LINEAR, ((PareQuantizeParams){ -1, 0 }), five, nibbles);
  g_assert_cmpmem (nibbles[0].data, 3, "\x00\x30\x0f", 3);
  PareView words[] = { make (PARE_DTYPE_INT16, "5") };
  five[0] = given_floats ("5", (const float[]){ -1e6f, -2.5f, -1.5f, 1234.5f, 1e6f });
  MUST (PARE_RT_QUANTIZE_LINEAR, ((PareQuantizeParams){ -1, 0 }), five, words);
  g_assert_cmpmem (words[0].data, 10, ((const gint16[]){ -32768, -2, -2, 1234, 32767 }), 10);
  /* a zero point of another type than the codes */
  PareView wrong[] = { make (PARE_DTYPE_INT8, "10") };
  g_assert_cmpint (RUN (PARE_RT_QUANTIZE_LINEAR, ((PareQuantizeParams){ -1, 0 }), in, wrong), ==, PARE_RT_INVALID);
}

/* Scales per index of an axis and per block, on every axis, against the definition; one block is short. */
static void
test_quantize_axes (void)
{
  static const char *const dims[] = { "5x7x4", "5x1x1", "1x7x1", "1x1x4" };
  for (int axis = 0; axis < 3; axis++)
    for (int block = 0; block <= 3; block += 3)
      {
        PareView x = floats ("5x7x4", axis), out[] = { make (PARE_DTYPE_INT8, "5x7x4") };
        PareView s = floats (dims[0], 9), z = make (PARE_DTYPE_INT8, dims[0]);
        gint64 d = x.shape.dims[axis];
        if (block == 0)
          {
            s.shape = z.shape = (PareShape){ 1, { d } };
          }
        else
          s.shape.dims[axis] = z.shape.dims[axis] = (d + block - 1) / block;
        memset ((char *)s.data + count_of (&s) * 4, 0xA5, GUARD);
        memset ((char *)z.data + count_of (&z), 0xA5, GUARD);
        for (gint64 i = 0; i < count_of (&s); i++)
          {
            F (s)[i] = 0.003f + 0.002f * fabsf (F (s)[i]);
            ((gint8 *)z.data)[i] = (gint8)(i % 11 - 5);
          }
        PareView in[] = { x, s, z };
        PareQuantizeParams p = { axis, block };
        MUST (PARE_RT_QUANTIZE_LINEAR, p, in, out);
        PareView back_in[] = { out[0], s, z }, back[] = { make (PARE_DTYPE_FLOAT32, "5x7x4") };
        MUST (PARE_RT_DEQUANTIZE_LINEAR, p, back_in, back);
        for (gint64 i = 0; i < count_of (&x); i++)
          {
            gint64 at[3];
            unravel (&x.shape, i, at);
            at[axis] = block ? at[axis] / block : at[axis];
            gint64 k = block ? ravel (&s.shape, at) : at[axis];
            int zero = ((gint8 *)z.data)[k], q = (int)nearbyintf (F (x)[i] / F (s)[k]) + zero;
            q = CLAMP (q, -128, 127);
            g_assert_cmpint (((gint8 *)out[0].data)[i], ==, q);
            g_assert_cmpfloat (F (back[0])[i], ==, (float)(q - zero) * F (s)[k]);
          }
        p.axis = (axis + 1) % 3;
        g_assert_cmpint (RUN (PARE_RT_QUANTIZE_LINEAR, p, in, out), ==, PARE_RT_INVALID);
      }
}

static void
test_cast (void)
{
  PareView x = given_floats ("8", (const float[]){ 0, -0.0f, 1.9f, -1.9f, 300, -300, NAN, 1e20f }), in[] = { x };
  PareView i8[] = { make (PARE_DTYPE_INT8, "8") }, u8[] = { make (PARE_DTYPE_UINT8, "8") }, i64[] = { make (PARE_DTYPE_INT64, "8") };
  PareView yes[] = { make (PARE_DTYPE_BOOL, "8") }, half[] = { make (PARE_DTYPE_FLOAT16, "8") },
           brain[] = { make (PARE_DTYPE_BFLOAT16, "8") };
  MUST (PARE_RT_CAST, no_params, in, i8);
  g_assert_cmpmem (i8[0].data, 8, ((const gint8[]){ 0, 0, 1, -1, 127, -128, 0, 127 }), 8);
  MUST (PARE_RT_CAST, no_params, in, u8);
  g_assert_cmpmem (u8[0].data, 8, ((const guint8[]){ 0, 0, 1, 0, 255, 0, 0, 255 }), 8);
  MUST (PARE_RT_CAST, no_params, in, i64);
  g_assert_cmpmem (i64[0].data, 64, ((const gint64[]){ 0, 0, 1, -1, 300, -300, 0, G_MAXINT64 }), 64);
  MUST (PARE_RT_CAST, no_params, in, yes);
  g_assert_cmpmem (yes[0].data, 8, ((const guint8[]){ 0, 0, 1, 1, 1, 1, 1, 1 }), 8);
  MUST (PARE_RT_CAST, no_params, in, half);
  g_assert_cmpmem (half[0].data, 16, ((const guint16[]){ 0, 0x8000, 0x3f9a, 0xbf9a, 0x5cb0, 0xdcb0, 0x7e00, 0x7c00 }), 16);
  MUST (PARE_RT_CAST, no_params, in, brain);
  g_assert_cmpmem (brain[0].data, 16, ((const guint16[]){ 0, 0x8000, 0x3ff3, 0xbff3, 0x4396, 0xc396, 0x7fc0, 0x60ad }), 16);
  /* a double just above the middle of two halves must not fall on the middle on its way */
  PareView wide[] = { make (PARE_DTYPE_FLOAT64, "2") }, narrow[] = { make (PARE_DTYPE_FLOAT16, "2") };
  ((double *)wide[0].data)[0] = 1 + 0x1p-11 + 0x1p-40;
  ((double *)wide[0].data)[1] = 1 + 0x1p-11;
  MUST (PARE_RT_CAST, no_params, wide, narrow);
  g_assert_cmpmem (narrow[0].data, 4, ((const guint16[]){ 0x3c01, 0x3c00 }), 4);
  /* integers wrap */
  PareView big[] = { longs ("4", (const gint64[]){ 257, -1, G_MAXINT64, 1LL << 32 }) }, bytes[] = { make (PARE_DTYPE_UINT8, "4") };
  PareView four[] = { make (PARE_DTYPE_INT4, "4") };
  MUST (PARE_RT_CAST, no_params, big, bytes);
  g_assert_cmpmem (bytes[0].data, 4, "\x01\xff\xff\x00", 4);
  MUST (PARE_RT_CAST, no_params, big, four);
  g_assert_cmpmem (four[0].data, 2, "\xf1\x0f", 2);
  MUST (PARE_RT_CAST, no_params, four, big);
  g_assert_cmpmem (big[0].data, 32, ((const gint64[]){ 1, -1, -1, 0 }), 32);
  /* all halves there and back */
  PareView all[] = { make (PARE_DTYPE_FLOAT16, "65536") }, f[] = { make (PARE_DTYPE_FLOAT32, "65536") },
           again[] = { make (PARE_DTYPE_FLOAT16, "65536") };
  for (guint i = 0; i < 65536; i++)
    ((guint16 *)all[0].data)[i] = (guint16)i;
  MUST (PARE_RT_CAST, no_params, all, f);
  MUST (PARE_RT_CAST, no_params, f, again);
  for (guint i = 0; i < 65536; i++)
    if ((i & 0x7fff) <= 0x7c00)
      {
        double want = (i & 0x7c00) == 0x7c00 ? INFINITY
                      : (i & 0x7c00)         ? ldexp (1024 + (i & 1023), (int)(i >> 10 & 31) - 25)
                                             : ldexp (i & 1023, -24);
        g_assert_cmpfloat (F (f[0])[i], ==, i & 0x8000 ? -want : want);
        g_assert_cmphex (((guint16 *)again[0].data)[i], ==, i);
      }
    else
      g_assert_true (isnan (F (f[0])[i]));
}

static double
reduce_one (PareReduceKind kind, const double *x, gint64 n)
{
  double sum = 0, prod = 1, most = -INFINITY, least = INFINITY, l1 = 0, square = 0, e = 0;
  for (gint64 i = 0; i < n; i++)
    {
      sum += x[i];
      prod *= x[i];
      most = MAX (most, x[i]);
      least = MIN (least, x[i]);
      l1 += fabs (x[i]);
      square += x[i] * x[i];
      e += exp (x[i]);
    }
  const double all[] = { sum, sum / (double)n, most, least, prod, l1, sqrt (square), log (sum), log (e), square };
  return all[kind];
}

static void
test_reduce (void)
{
  PareView x = floats ("3x4x5x70", 5);
  for (int kind = 0; kind <= PARE_REDUCE_SUM_SQUARE; kind++)
    for (guint axes = 0; axes < 16; axes++)
      {
        PareShape kept = x.shape;
        gint64 n = 1;
        for (int a = 0; a < 4; a++)
          if (axes >> a & 1)
            {
              n *= kept.dims[a];
              kept.dims[a] = 1;
            }
        PareView in[] = { x }, out[] = { { PARE_DTYPE_FLOAT32, kept, make (PARE_DTYPE_FLOAT32, "4200").data } };
        memset (F (out[0]) + count_of (&out[0]), 0xA5, GUARD);
        MUST (PARE_RT_REDUCE, ((PareReduceParams){ kind, axes }), in, out);
        g_autofree double *list = g_new (double, n);
        for (gint64 o = 0; o < count_of (&out[0]); o += 1 + count_of (&out[0]) / 20)
          {
            gint64 at[4], want[4], m = 0;
            unravel (&kept, o, want);
            for (gint64 i = 0; i < count_of (&x); i++)
              {
                unravel (&x.shape, i, at);
                bool mine = true;
                for (int a = 0; a < 4; a++)
                  mine &= (axes >> a & 1) || at[a] == want[a];
                if (mine)
                  list[m++] = F (x)[i];
              }
            double r = reduce_one (kind, list, n);
            if (kind == PARE_REDUCE_LOG_SUM && isnan (r))
              g_assert_true (isnan (F (out[0])[o]));
            else
              g_assert_cmpfloat_with_epsilon (F (out[0])[o], r, 2e-6 * MAX (1, fabs (r)));
          }
      }
  /* of all, which threads share where there are many */
  static const char *const sizes[] = { "1", "32", "40001", "2x300003" };
  PareRtPool *pool = pare_rt_pool_new (3), *before = pare_rt_pool_enter (pool);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      PareView all = floats (sizes[i], 7);
      gint64 n = count_of (&all);
      for (gint64 at = 0; at < n; at += 1 + n / 7)
        for (int kind = PARE_REDUCE_MAX; kind <= PARE_REDUCE_MIN; kind++)
          {
            float most = kind == PARE_REDUCE_MAX ? 100 : -100, was = F (all)[at];
            PareView y[] = { make (PARE_DTYPE_FLOAT32, "1") };
            PareView ends[] = { make (PARE_DTYPE_FLOAT32, "1"), make (PARE_DTYPE_FLOAT32, "1") };
            for (int twice = 0; twice < 2; twice++)
              {
                F (all)[at] = twice == 0 ? most : NAN;
                PareView in[] = { all };
                MUST (PARE_RT_REDUCE, ((PareReduceParams){ kind, all.shape.rank == 2 ? 3 : 1 }), in, y);
                MUST (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_MAX, all.shape.rank == 2 ? 3 : 1 }), in, ends);
                for (int end = 0; end < 2; end++) /* both at once are what each is alone */
                  {
                    PareView alone[] = { make (PARE_DTYPE_FLOAT32, "1") };
                    MUST (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_MAX + end, all.shape.rank == 2 ? 3 : 1 }), in, alone);
                    g_assert_cmpmem (ends[end].data, 4, alone[0].data, 4);
                  }
                if (twice == 0)
                  g_assert_cmpfloat (F (y[0])[0], ==, most);
                else
                  g_assert_true (isnan (F (y[0])[0]));
              }
            F (all)[at] = was;
          }
    }
  pare_rt_pool_enter (before);
  pare_rt_pool_free (pool);
  /* every other axis, so that three are walked on either side */
  PareView six[] = { floats ("2x3x2x4x3x5", 6) };
  for (guint axes = 0x15; axes <= 0x2a; axes += 0x15)
    {
      PareView out[] = { make (PARE_DTYPE_FLOAT32, axes == 0x15 ? "3x4x5" : "2x2x3") };
      double sums[60] = { 0 };
      for (gint64 i = 0; i < 720; i++)
        {
          gint64 at[6];
          unravel (&six[0].shape, i, at);
          sums[axes == 0x15 ? (at[1] * 4 + at[3]) * 5 + at[5] : (at[0] * 2 + at[2]) * 3 + at[4]] += F (six[0])[i];
        }
      MUST (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_SUM, axes }), six, out);
      for (gint64 i = 0; i < count_of (&out[0]); i++)
        g_assert_cmpfloat_with_epsilon (F (out[0])[i], sums[i], 1e-6 * MAX (1, fabs (sums[i])));
    }
  /* nothing overflows on the way, and -inf stays */
  PareView in[] = { given_floats ("2x2", (const float[]){ 1000, 1000, -INFINITY, -INFINITY }) }, out[] = { make (PARE_DTYPE_FLOAT32, "2") };
  MUST (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_LOG_SUM_EXP, 2 }), in, out);
  SAME (out[0], (float)(1000 + log (2)), -INFINITY);
  PareView whole[] = { longs ("2x2", (const gint64[]){ -7, 2, 3, 4 }) }, mean[] = { make (PARE_DTYPE_INT64, "2") };
  MUST (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_MEAN, 2 }), whole, mean);
  g_assert_cmpmem (mean[0].data, 16, ((const gint64[]){ -2, 3 }), 16);
  MUST (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_MIN, 1 }), whole, mean);
  g_assert_cmpmem (mean[0].data, 16, ((const gint64[]){ -7, 2 }), 16);
  g_assert_cmpint (RUN (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_SUM, 4 }), in, out), ==, PARE_RT_INVALID);
  g_assert_cmpint (RUN (PARE_RT_REDUCE, ((PareReduceParams){ PARE_REDUCE_SUM, 3 }), in, out), ==, PARE_RT_INVALID);
}

static void
test_doubles (void)
{
  /* 2^24 + 1 is no float: what goes through one comes back changed */
  static const struct
  {
    PareBinaryKind kind;
    double a, b, y;
  } cases[] = { { PARE_BIN_MIN, 16777217, 16777218, 16777217 }, { PARE_BIN_MAX, 16777217, 0, 16777217 },
                { PARE_BIN_FMOD, 16777217, 1000, 217 },         { PARE_BIN_FMOD, -16777217, 1000, -217 },
                { PARE_BIN_MOD, -16777217, 1000, 783 },         { PARE_BIN_PRELU, -16777217, 1, -16777217 } };
  for (guint i = 0; i < N_OF (cases); i++)
    {
      PareView in[] = { make (PARE_DTYPE_FLOAT64, "1"), make (PARE_DTYPE_FLOAT64, "1") }, out[] = { make (PARE_DTYPE_FLOAT64, "1") };
      *(double *)in[0].data = cases[i].a;
      *(double *)in[1].data = cases[i].b;
      MUST (PARE_RT_BINARY, ((PareBinaryParams){ .kind = cases[i].kind }), in, out);
      g_assert_cmpfloat (*(double *)out[0].data, ==, cases[i].y);
    }
}

/* A share that one thread does alone. */
static void
share_alone (int threads, int64_t n, PareRtTask func, void *arg)
{
  for (int64_t i = 0; i < n; i++)
    func (i, 0, arg);
}

static void
share_pool (int threads, int64_t n, PareRtTask func, void *arg)
{
  pare_rt_parallel (n, func, arg);
}

/* Of threads that run one after the other nothing is said, and nobody waits for long; of others, what may be; a pool says the same of its
 * workers as long as it lives. */
static void
test_distance (void)
{
  gint64 start = g_get_monotonic_time ();
  PareRtDistance d = pare_rt_measure_distance (share_alone);
  g_assert_true (d.alone == 0 && d.more == 0);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 5 * G_USEC_PER_SEC);
  PareRtPool *pool = pare_rt_pool_new (2), *before = pare_rt_pool_enter (pool);
  bool near = pare_rt_workers_are_near ();
  d = pare_rt_measure_distance (share_pool);
  g_test_message ("%.0f ns alone, %.0f more%s", d.alone, d.more, near ? ", near" : "");
  g_assert_true (d.alone >= 0 && d.more >= 0 && (d.alone > 0 || d.more == 0));
  g_assert_true (pare_rt_workers_are_near () == near);
  pare_rt_pool_enter (before);
  g_assert_false (pare_rt_workers_are_near ());
  pare_rt_pool_free (pool);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/kernels/transpose", test_transpose);
  ADD ("/kernels/sizes", test_sizes);
  ADD ("/kernels/concat-split", test_concat_split);
  ADD ("/kernels/shared", test_shared);
  ADD ("/kernels/slice", test_slice);
  ADD ("/kernels/pad", test_pad);
  ADD ("/kernels/quantize", test_quantize);
  ADD ("/kernels/quantize-axes", test_quantize_axes);
  ADD ("/kernels/cast", test_cast);
  ADD ("/kernels/reduce", test_reduce);
  ADD ("/kernels/doubles", test_doubles);
  g_test_add_func ("/kernels/distance", test_distance);
  return g_test_run ();
}
