/* The kernels on codes against their definition, bit for bit: random shapes with fixed seeds, every instruction set of this CPU, weights
 * packed and as they lie, one worker and three. Operands end where unreadable memory begins. */
#include "engine/runtime/kernels/int-isa.h"
#include "engine/runtime/kernels/integer.h"
#include "engine/runtime/pare-rt-pool.h"

#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct
{
  void *map;
  gsize length;
} Map;

static GArray *maps;

/* Memory that ends at a page nobody may touch. */
static void *
fenced (gsize bytes)
{
  gsize page = (gsize)sysconf (_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
  Map map = { mmap (NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), whole + page };
  g_assert_true (map.map != MAP_FAILED);
  g_assert_cmpint (mprotect ((char *)map.map + whole, page, PROT_NONE), ==, 0);
  g_array_append_val (maps, map);
  return (char *)map.map + whole - bytes;
}

static void
release_maps (void)
{
  for (guint i = 0; i < maps->len; i++)
    munmap (g_array_index (maps, Map, i).map, g_array_index (maps, Map, i).length);
  g_array_set_size (maps, 0);
}

static PareView
view_of (PareDtype dtype, int rank, const gint64 *dims)
{
  PareView v = { .dtype = dtype, .shape.rank = rank };
  for (int i = 0; i < rank; i++)
    v.shape.dims[i] = dims[i];
  gsize bytes = (gsize)pare_shape_bytes (&v.shape, dtype);
  v.data = fenced (dtype == PARE_DTYPE_FLOAT32 || dtype == PARE_DTYPE_INT32 ? (bytes + 3) / 4 * 4 : bytes);
  return v;
}

static int
pick (GRand *r, int from, int to)
{
  return g_rand_int_range (r, from, to + 1);
}

static void
random_codes (GRand *r, PareView *v)
{
  gsize bytes = (gsize)pare_shape_bytes (&v->shape, v->dtype);
  int zero = pick (r, 0, 3) ? pick (r, 0, 255) : -1;                    /* -1: not one for all */
  for (gsize i = 0; i < bytes / 2 && v->dtype == PARE_DTYPE_INT16; i++) /* differences of two codes of 8 bits */
    ((gint16 *)v->data)[i] = (gint16)(zero >= 0 ? pick (r, 0, 255) - zero : pick (r, -255, 255));
  for (gsize i = 0; i < bytes && v->dtype != PARE_DTYPE_INT16; i++)
    ((guint8 *)v->data)[i] = pick (r, 0, 3) ? (guint8)pick (r, 0, 255) : (guint8)(pick (r, 0, 1) ? 0x80 : 0x7F); /* often the extremes */
}

static PareView
random_bias (GRand *r, gint64 n)
{
  PareView v = view_of (PARE_DTYPE_INT32, 1, &n);
  for (gint64 i = 0; i < n; i++)
    ((gint32 *)v.data)[i] = pick (r, -100000, 100000);
  return v;
}

/* Scales that bring most sums of `k` products into the range of codes, and exact halves now and then. */
static PareView
random_scale (GRand *r, gint64 n, gint64 k)
{
  PareView v = view_of (PARE_DTYPE_FLOAT32, 1, &n);
  for (gint64 i = 0; i < n; i++)
    ((float *)v.data)[i] = pick (r, 0, 4) ? (float)g_rand_double_range (r, 0.2, 2) / (100 * sqrtf ((float)k)) : 1.0f / 512;
  return v;
}

static PareView
random_floats (GRand *r, gint64 n, double from, double to)
{
  PareView v = view_of (PARE_DTYPE_FLOAT32, 1, &n);
  for (gint64 i = 0; i < n; i++)
    ((float *)v.data)[i] = (float)g_rand_double_range (r, from, to);
  return v;
}

static PareDtype
some_codes (GRand *r)
{
  return pick (r, 0, 1) ? PARE_DTYPE_UINT8 : PARE_DTYPE_INT8;
}

static PareDtype
some_weights (GRand *r)
{
  static const PareDtype types[] = { PARE_DTYPE_INT8, PARE_DTYPE_INT8, PARE_DTYPE_INT4, PARE_DTYPE_INT2, PARE_DTYPE_INT16 };
  return types[pick (r, 0, 4)];
}

static void
some_range (GRand *r, PareDtype dtype, gint32 *zero, gint32 *lo, gint32 *hi)
{
  gint32 low = dtype == PARE_DTYPE_UINT8 ? 0 : -128;
  *zero = low + (pick (r, 0, 3) ? pick (r, 0, 255) : 0);
  *lo = pick (r, 0, 1) ? low : *zero;
  *hi = pick (r, 0, 1) ? low + 255 : pick (r, *lo, low + 255);
}

/* --- running a kernel --- */

typedef struct
{
  PareRtOp op;
  const void *params;
  gsize params_bytes;
  PareView in[6], out;
  guint n_in;
} Case;

static void
run_as (const Case *c, const char *isa, gboolean packed, PareRtPool *pool)
{
  PareRtValue values[7] = { 0 };
  guint8 constants[1] = { 0 };
  PareRtStep step = { .op = c->op, .n_in = c->n_in, .n_out = 1, .params_bytes = (guint32)c->params_bytes, .out = { c->n_in } };
  PareView in[6], dry[7], out = c->out;
  for (guint i = 0; i <= c->n_in; i++)
    {
      const PareView *v = i < c->n_in ? &c->in[i] : &c->out;
      values[i] = (PareRtValue){ .dtype = v->dtype, .shape = v->shape };
      if (i < c->n_in)
        {
          in[i] = *v;
          step.in[i] = v->dtype == PARE_DTYPE_NONE ? PARE_RT_NONE : i;
        }
      dry[i] = *v;
      dry[i].data = NULL;
    }
  g_assert_true (pare_rt_int_limit (isa));
  PareRtKernel kernel = pare_rt_kernel (c->op);
  g_assert_cmpint (kernel (c->params, dry, c->n_in, dry + c->n_in, 1, PARE_RT_DRY), ==, PARE_RT_OK);
  g_autofree guint8 *block = g_memdup2 (c->params, c->params_bytes);
  PareRtPlan plan = { .n_values = c->n_in + 1,
                      .n_steps = 1,
                      .values = values,
                      .steps = &step,
                      .params = block,
                      .params_bytes = c->params_bytes,
                      .constants = constants };
  if (packed)
    {
      /* the weights as a plan's constants: at the end of fenced memory they need not be aligned */
      values[1].kind = PARE_RT_CONSTANT;
      values[1].bytes = (guint64)pare_shape_bytes (&c->in[1].shape, c->in[1].dtype);
      plan.constants = c->in[1].data;
      guint64 bytes = pare_rt_kernel_pack (&plan, &step, NULL);
      if (bytes)
        {
          guint8 *to = fenced ((bytes + 63) / 64 * 64);
          g_assert_cmpuint (pare_rt_kernel_pack (&plan, &step, to), ==, bytes);
          in[1].packed = to;
        }
    }
  PareRtPool *before = pare_rt_pool_enter (pool);
  guint64 bytes = pare_rt_kernel_scratch (&plan, &step, NULL);
  void *scratch = fenced ((bytes + 63) / 64 * 64);
  memset (scratch, 0xA5, bytes);
  memset (out.data, 0xA5, (gsize)pare_shape_bytes (&out.shape, out.dtype));
  g_assert_cmpint (kernel (c->params, in, c->n_in, &out, 1, scratch), ==, PARE_RT_OK);
  pare_rt_pool_enter (before);
}

/* Threads of somebody else, whose cores count as far apart. */
static void
one_by_one (int threads, int64_t n, void (*func) (int64_t task, int worker, void *arg), void *arg)
{
  for (int64_t i = n - 1; i >= 0; i--)
    func (i, (int)(i % threads), arg);
}

/* Every set, packed and not, with one worker and with three, near and far, must give `want`. */
static void
check_all (const Case *c, const void *want, const char *what)
{
  gsize bytes = (gsize)pare_shape_bytes (&c->out.shape, c->out.dtype), size = (gsize)pare_dtype_bits (c->out.dtype) / 8;
  PareRtPool *pool = pare_rt_pool_new (3), *far = pare_rt_pool_new_over (3, one_by_one);
  const PareIntIsa *isa;
  for (int i = 0; (isa = pare_rt_int_isa_at (i)); i++)
    for (int way = 0; way < 4; way++)
      {
        run_as (c, isa->name, way > 0, way == 2 ? pool : way == 3 ? far : NULL);
        for (gsize k = 0; k < bytes; k += size)
          if (memcmp ((const guint8 *)c->out.data + k, (const guint8 *)want + k, size) != 0)
            {
              g_test_message ("%s: %s, way %d: element %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT, what, isa->name, way, k / size,
                              bytes / size);
              g_test_fail ();
              break;
            }
      }
  pare_rt_pool_free (pool);
  pare_rt_pool_free (far);
  pare_rt_int_limit (NULL);
}

/* --- QConv --- */

typedef struct
{
  PareQConvParams p;
  gint64 n, c, m, in[3], out[3];
} Conv;

/* The sum at one position of the output, from nothing but the formula. */
static gint32
conv_sum (const Conv *s, const PareView *x, const PareView *w, gint64 n, gint64 m, const gint64 *o)
{
  gint64 cg = s->c / s->p.conv.group, first = m / (s->m / s->p.conv.group) * cg;
  gint32 acc = 0;
  int rank = s->p.conv.spatial;
  gint64 volume = 1;
  for (int a = 0; a < rank; a++)
    volume *= s->p.conv.kernel[a];
  for (gint64 i = 0; i < cg * volume; i++)
    {
      gint64 rest = i % volume, at[3];
      gboolean inside = TRUE;
      for (int a = rank - 1; a >= 0; a--)
        {
          at[a] = o[a] * s->p.conv.stride[a] - s->p.conv.pad_begin[a] + rest % s->p.conv.kernel[a] * s->p.conv.dilation[a];
          rest /= s->p.conv.kernel[a];
          inside = inside && at[a] >= 0 && at[a] < s->in[a];
        }
      if (!inside)
        continue;
      gint64 index = n * s->c + first + i / volume;
      for (int a = 0; a < rank; a++)
        index = index * s->in[a] + at[a];
      acc += (code_at (x, index) - s->p.zero_x) * code_at (w, m * cg * volume + i);
    }
  return acc;
}

static void
store (const PareView *y, gint64 at, float v, gint32 zero, gint32 lo, gint32 hi, guint8 *want)
{
  if (is_f32 (y))
    ((float *)(void *)want)[at] = v;
  else
    want[at] = (guint8)round_code (v, zero, lo, hi);
}

typedef enum
{
  DENSE,
  POINTWISE,
  GROUPED,
  DEPTHWISE,
  WIDE, /* blocks of channels, and sums of several pieces of a matrix unit */
  N_FORMS
} Form;

/* Shapes: mostly small, sometimes beyond a tile, a sub-block or a strip. */
static void
some_conv (GRand *r, Form form, int spatial, Conv *s)
{
  PareConvParams *c = &s->p.conv;
  memset (s, 0, sizeof *s);
  c->spatial = spatial;
  s->n = pick (r, 0, 5) ? 1 : 2;
  c->group = form == GROUPED ? pick (r, 2, 4) : form == DEPTHWISE ? pick (r, 1, 9) : 1;
  gint64 cg = form == DEPTHWISE ? 1 : form == WIDE ? pick (r, 13, 140) : pick (r, 1, form == POINTWISE ? 70 : 12);
  gint64 mg = form == DEPTHWISE ? pick (r, 0, 3) ? 1 : 2 : form == WIDE ? pick (r, 10, 70) : pick (r, 1, 20);
  s->c = cg * c->group;
  s->m = mg * c->group;
  for (int a = 0; a < spatial; a++)
    do
      {
        s->in[a] = pick (r, 0, 9) ? pick (r, 1, 20) : pick (r, 20, form == WIDE ? 40 : spatial == 1 ? 900 : 70);
        c->kernel[a] = form == POINTWISE ? 1 : pick (r, 1, form == WIDE ? 3 : 5);
        c->stride[a] = form == POINTWISE && pick (r, 0, 3) ? 1 : pick (r, 0, 1) ? 1 : pick (r, 2, 3);
        c->dilation[a] = pick (r, 0, 3) ? 1 : pick (r, 2, 3);
        gboolean pads = form == POINTWISE ? pick (r, 0, 5) == 0 : pick (r, 0, 3);
        c->pad_begin[a] = pads ? pick (r, 0, 3) : 0;
        c->pad_end[a] = pads ? pick (r, 0, 3) : 0;
        s->out[a] = s->in[a] + c->pad_begin[a] + c->pad_end[a] - c->dilation[a] * (c->kernel[a] - 1) - 1;
        s->out[a] = s->out[a] < 0 ? -1 : s->out[a] / c->stride[a];
      }
    while (s->out[a]++ < 0);
}

static void
check_conv (GRand *r, Conv *s, const char *what)
{
  int rank = s->p.conv.spatial + 2;
  gint64 x_dims[5] = { s->n, s->c }, w_dims[5] = { s->m, s->c / s->p.conv.group }, y_dims[5] = { s->n, s->m }, volume = w_dims[1];
  for (int a = 0; a + 2 < rank; a++)
    {
      x_dims[a + 2] = s->in[a];
      w_dims[a + 2] = s->p.conv.kernel[a];
      y_dims[a + 2] = s->out[a];
      volume *= w_dims[a + 2];
    }
  PareDtype to = pick (r, 0, 3) ? some_codes (r) : PARE_DTYPE_FLOAT32;
  Case c = { .op = PARE_RT_QCONV, .params = &s->p, .params_bytes = sizeof s->p, .n_in = 4 };
  c.in[0] = view_of (some_codes (r), rank, x_dims);
  c.in[1] = view_of (some_weights (r), rank, w_dims);
  c.in[2] = pick (r, 0, 4) ? random_bias (r, s->m) : (PareView){ .dtype = PARE_DTYPE_NONE };
  c.in[3] = random_scale (r, s->m, volume);
  c.out = view_of (to, rank, y_dims);
  random_codes (r, &c.in[0]);
  random_codes (r, &c.in[1]);
  s->p.zero_x = (c.in[0].dtype == PARE_DTYPE_INT8 ? -128 : 0) + pick (r, 0, 255);
  if (to == PARE_DTYPE_FLOAT32)
    {
      s->p.conv.activation = pick (r, 0, 1) ? PARE_ACT_NONE : pick (r, 0, 1) ? PARE_ACT_CLIP : PARE_ACT_HARDSWISH;
      s->p.conv.hi = 6;
    }
  else
    some_range (r, to, &s->p.zero_y, &s->p.lo, &s->p.hi);
  s->p.conv.activation = to == PARE_DTYPE_FLOAT32 ? s->p.conv.activation : PARE_ACT_NONE;
  if (to != PARE_DTYPE_FLOAT32 && pick (r, 0, 2) == 0) /* a batch normalization follows */
    {
      c.n_in = 6;
      c.in[4] = random_floats (r, s->m, -2, 2);
      c.in[5] = random_floats (r, s->m, -50, 50);
      s->p.conv.activation = pick (r, 0, 2) ? PARE_ACT_CLIP : PARE_ACT_NONE;
      s->p.conv.lo = pick (r, 0, 1) ? 0 : -3;
      s->p.conv.hi = pick (r, 0, 1) ? INFINITY : 60;
      s->p.rounds = s->p.conv.activation == PARE_ACT_CLIP && isfinite (s->p.conv.hi) && pick (r, 0, 1);
    }
  gint64 count = count_of (&c.out), positions = count / s->n / s->m;
  g_assert_cmpint (count, >, 0);
  g_autofree guint8 *want = g_malloc ((gsize)MAX (count, 1) * 4);
  for (gint64 i = 0; i < count; i++)
    {
      gint64 rest = i % positions, m = i / positions % s->m, o[3] = { 0 };
      for (int a = rank - 3; a >= 0; a--)
        {
          o[a] = rest % s->out[a];
          rest /= s->out[a];
        }
      gint32 acc = conv_sum (s, &c.in[0], &c.in[1], i / positions / s->m, m, o);
      float v = scale_sum (acc, c.in[2].data ? (float)((gint32 *)c.in[2].data)[m] : 0, ((float *)c.in[3].data)[m]);
      if (c.n_in == 6)
        {
          if (s->p.conv.activation == PARE_ACT_CLIP)
            v = fminf (fmaxf (v, s->p.conv.lo), s->p.conv.hi);
          if (s->p.rounds)
            v = nearbyintf (v);
          volatile float product = v * ((float *)c.in[4].data)[m]; /* rounded on its own */
          v = product + ((float *)c.in[5].data)[m];
        }
      store (&c.out, i, v, s->p.zero_y, s->p.lo, s->p.hi, want);
    }
  if (to == PARE_DTYPE_FLOAT32)
    pare_rt_activate ((float *)(void *)want, count, s->p.conv.activation, s->p.conv.lo, s->p.conv.hi, 0);
  check_all (&c, want, what);
  release_maps ();
}

static void
conv_cases (guint32 seed, int cases, Form form, int spatial)
{
  g_autoptr (GRand) r = g_rand_new_with_seed (seed);
  for (int i = 0; i < cases && !g_test_failed (); i++)
    {
      Conv s;
      some_conv (r, form, spatial, &s);
      PareConvParams *c = &s.p.conv;
      if (spatial == 3 && i % 2) /* one plane, and padding around it */
        {
          s.in[0] = c->kernel[0] = c->dilation[0] = 1;
          s.out[0] = (c->pad_begin[0] + c->pad_end[0]) / c->stride[0] + 1;
        }
      g_autofree char *what = g_strdup_printf (
          "case %d of seed %u: x %dx%dx%dx%d, m %d, group %d, kernel %dx%d, stride %d,%d, dilation %d,%d, pads %d,%d,%d,%d", i, seed,
          (int)s.n, (int)s.c, (int)s.in[0], (int)s.in[1], (int)s.m, c->group, c->kernel[0], c->kernel[1], c->stride[0], c->stride[1],
          c->dilation[0], c->dilation[1], c->pad_begin[0], c->pad_begin[1], c->pad_end[0], c->pad_end[1]);
      check_conv (r, &s, what);
    }
}

static void
test_conv_dense (void)
{
  conv_cases (1, 150, DENSE, 2);
}

static void
test_conv_pointwise (void)
{
  conv_cases (2, 150, POINTWISE, 2);
}

static void
test_conv_grouped (void)
{
  conv_cases (3, 80, GROUPED, 2);
}

static void
test_conv_depthwise (void)
{
  conv_cases (4, 200, DEPTHWISE, 2);
}

static void
test_conv_wide (void)
{
  conv_cases (5, 40, WIDE, 2);
}

static void
test_conv_one_axis (void)
{
  for (int form = 0; form < N_FORMS; form++)
    conv_cases (10 + (guint32)form, 30, (Form)form, 1);
}

static void
test_conv_three_axes (void)
{
  for (int form = 0; form < N_FORMS; form++)
    conv_cases (20 + (guint32)form, 12, (Form)form, 3);
}

/* Sums, strips and panels beyond one sub-block. */
static void
test_conv_large (void)
{
  static const Conv shapes[] = {
    { .p.conv = { 2, 1, { 3, 3 }, { 1, 1 }, { 1, 1 }, { 1, 1 }, { 1, 1 } },
      .n = 1,
      .c = 130,
      .m = 17,
      .in = { 23, 29 },
      .out = { 23, 29 } },
    { .p.conv = { 2, 1, { 1, 1 }, { 1, 1 }, { 1, 1 } }, .n = 1, .c = 600, .m = 9, .in = { 14, 50 }, .out = { 14, 50 } },
    { .p.conv = { 2, 1, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, { 1, 1 } }, .n = 1, .c = 3, .m = 8, .in = { 90, 130 }, .out = { 45, 65 } },
    { .p.conv = { 2, 1, { 1, 9 }, { 1, 1 }, { 1, 1 }, { 0, 4 }, { 0, 4 } }, .n = 1, .c = 2, .m = 5, .in = { 2, 1500 }, .out = { 2, 1500 } },
    { .p.conv = { 2, 2, { 5, 5 }, { 1, 1 }, { 1, 1 }, { 2, 2 }, { 2, 2 } },
      .n = 1,
      .c = 2,
      .m = 2,
      .in = { 150, 170 },
      .out = { 150, 170 } },
    { .p.conv = { 2, 9, { 3, 3 }, { 2, 1 }, { 1, 1 }, { 1, 1 }, { 0, 1 } }, .n = 1, .c = 9, .m = 9, .in = { 100, 60 }, .out = { 50, 60 } },
    { .p.conv = { 2, 7, { 5, 3 }, { 1, 2 }, { 1, 1 }, { 2, 1 }, { 2, 0 } }, .n = 1, .c = 7, .m = 7, .in = { 200, 50 }, .out = { 200, 25 } },
  };
  g_autoptr (GRand) r = g_rand_new_with_seed (30);
  for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++)
    {
      Conv s = shapes[i];
      check_conv (r, &s, "large");
    }
}

/* The kernel covers all of the input. */
static void
test_conv_whole (void)
{
  g_autoptr (GRand) r = g_rand_new_with_seed (31);
  for (int i = 0; i < 20; i++)
    {
      int side = pick (r, 1, 4);
      Conv s = { .p.conv = { 2, 1, { side, side }, { 1, 1 }, { 1, 1 } },
                 .n = pick (r, 1, 3),
                 .c = pick (r, 1, 40),
                 .m = pick (r, 1, 90),
                 .in = { side, side },
                 .out = { 1, 1 } };
      check_conv (r, &s, "whole");
    }
}

/* --- QGemm --- */

static void
check_gemm (GRand *r, gint64 m, gint64 k, gint64 n, const char *what)
{
  PareQGemmParams p = { .gemm = { .trans_b = pick (r, 0, 1), .alpha = 1, .beta = 1 } };
  gint64 a_dims[2] = { m, k }, b_dims[2] = { p.gemm.trans_b ? n : k, p.gemm.trans_b ? k : n }, y_dims[2] = { m, n };
  PareDtype to = pick (r, 0, 3) ? some_codes (r) : PARE_DTYPE_FLOAT32;
  Case c = { .op = PARE_RT_QGEMM, .params = &p, .params_bytes = sizeof p, .n_in = 4 };
  c.in[0] = view_of (some_codes (r), 2, a_dims);
  c.in[1] = view_of (some_weights (r), 2, b_dims);
  c.in[2] = pick (r, 0, 4) ? random_bias (r, n) : (PareView){ .dtype = PARE_DTYPE_NONE };
  c.in[3] = random_scale (r, n, MAX (k, 1));
  c.out = view_of (to, 2, y_dims);
  random_codes (r, &c.in[0]);
  random_codes (r, &c.in[1]);
  p.zero_x = (c.in[0].dtype == PARE_DTYPE_INT8 ? -128 : 0) + pick (r, 0, 255);
  if (to == PARE_DTYPE_FLOAT32)
    {
      p.gemm.activation = pick (r, 0, 1) ? PARE_ACT_NONE : PARE_ACT_TANH;
      p.gemm.hi = 6;
    }
  else
    some_range (r, to, &p.zero_y, &p.lo, &p.hi);
  g_autofree guint8 *want = g_malloc ((gsize)(m * n) * 4);
  for (gint64 i = 0; i < m * n; i++)
    {
      gint32 acc = 0;
      gint64 column = i % n;
      for (gint64 q = 0; q < k; q++)
        acc += (code_at (&c.in[0], i / n * k + q) - p.zero_x) * code_at (&c.in[1], p.gemm.trans_b ? column * k + q : q * n + column);
      float v = scale_sum (acc, c.in[2].data ? (float)((gint32 *)c.in[2].data)[column] : 0, ((float *)c.in[3].data)[column]);
      store (&c.out, i, v, p.zero_y, p.lo, p.hi, want);
    }
  if (to == PARE_DTYPE_FLOAT32)
    pare_rt_activate ((float *)(void *)want, m * n, p.gemm.activation, p.gemm.lo, p.gemm.hi, 0);
  check_all (&c, want, what);
  release_maps ();
}

static void
test_gemm (void)
{
  g_autoptr (GRand) r = g_rand_new_with_seed (40);
  for (int i = 0; i < 250 && !g_test_failed (); i++)
    {
      int m = pick (r, 0, 2) ? pick (r, 1, 6) : pick (r, 1, 70), k = pick (r, 1, 3) > 1 ? pick (r, 1, 40) : pick (r, 40, 300),
          n = pick (r, 1, 150);
      g_autofree char *what = g_strdup_printf ("case %d: %d x %d x %d", i, m, k, n);
      check_gemm (r, m, k, n, what);
    }
}

/* --- elements and pools --- */

static void
test_add (void)
{
  g_autoptr (GRand) r = g_rand_new_with_seed (50);
  for (int i = 0; i < 60 && !g_test_failed (); i++)
    {
      gint64 n = pick (r, 0, 3) ? pick (r, 1, 300) : pick (r, 60000, 70000);
      PareQAddParams p = { (float)g_rand_double_range (r, 0.01, 2), (float)g_rand_double_range (r, 0.01, 2),
                           (float)g_rand_double_range (r, -100, 200), 0, 0 };
      gint32 zero;
      Case c = { .op = PARE_RT_QADD, .params = &p, .params_bytes = sizeof p, .n_in = 2 };
      c.in[0] = view_of (some_codes (r), 1, &n);
      c.in[1] = view_of (some_codes (r), 1, &n);
      c.out = view_of (some_codes (r), 1, &n);
      some_range (r, c.out.dtype, &zero, &p.lo, &p.hi);
      random_codes (r, &c.in[0]);
      random_codes (r, &c.in[1]);
      g_autofree guint8 *want = g_malloc ((gsize)n);
      for (gint64 k = 0; k < n; k++)
        {
          float v = fmaf ((float)code_at (&c.in[1], k), p.ratio_b, fmaf ((float)code_at (&c.in[0], k), p.ratio_a, p.fixed));
          want[k] = (guint8)(gint32)rintf (fminf (fmaxf (v, (float)p.lo), (float)p.hi));
        }
      check_all (&c, want, "add");
      release_maps ();
    }
}

static void
test_lut (void)
{
  g_autoptr (GRand) r = g_rand_new_with_seed (60);
  for (int i = 0; i < 40 && !g_test_failed (); i++)
    {
      gint64 n = pick (r, 0, 3) ? pick (r, 1, 300) : pick (r, 60000, 70000), entries = 256, unused[1] = { 0 };
      PareDtype to = pick (r, 0, 2) ? some_codes (r) : PARE_DTYPE_FLOAT32;
      Case c = { .op = PARE_RT_LUT, .params = unused, .params_bytes = sizeof unused, .n_in = 2 };
      c.in[0] = view_of (some_codes (r), 1, &n);
      c.in[1] = view_of (to, 1, &entries);
      c.out = view_of (to, 1, &n);
      random_codes (r, &c.in[0]);
      for (int k = 0; k < 256; k++)
        if (to == PARE_DTYPE_FLOAT32)
          ((float *)c.in[1].data)[k] = (float)pick (r, -1000, 1000);
        else
          ((guint8 *)c.in[1].data)[k] = (guint8)pick (r, 0, 255);
      gsize size = (gsize)pare_dtype_bits (to) / 8;
      g_autofree guint8 *want = g_malloc ((gsize)n * size);
      for (gint64 k = 0; k < n; k++)
        memcpy (want + (gsize)k * size, (guint8 *)c.in[1].data + ((guint8 *)c.in[0].data)[k] * size, size);
      check_all (&c, want, "lut");
      release_maps ();
    }
}

/* What a window sees: the largest, the sum of x - zero, and as floats times scale, how many positions, and how many of them count with the
 * padding. */
static void
look (const ParePoolParams *p, const PareView *x, const gint64 *in, gint64 plane, const gint64 *o, gint32 zero, float scale, gint32 *most,
      gint32 *sum, float *floats, gint64 *seen, gint64 *padded)
{
  gint64 volume = 1;
  *most = x->dtype == PARE_DTYPE_UINT8 ? 0 : -128;
  *sum = 0;
  *floats = 0;
  *seen = *padded = 0;
  for (int a = 0; a < p->spatial; a++)
    volume *= p->kernel[a];
  for (gint64 i = 0; i < volume; i++)
    {
      gint64 rest = i, at[3], index = plane;
      gboolean inside = TRUE, counts = TRUE;
      for (int a = p->spatial - 1; a >= 0; a--)
        {
          at[a] = o[a] * p->stride[a] - p->pad_begin[a] + rest % p->kernel[a] * p->dilation[a];
          rest /= p->kernel[a];
          inside = inside && at[a] >= 0 && at[a] < in[a];
          counts = counts && at[a] < in[a] + p->pad_end[a];
        }
      *padded += counts;
      if (!inside)
        continue;
      for (int a = 0; a < p->spatial; a++)
        index = index * in[a] + at[a];
      *most = MAX (*most, code_at (x, index));
      *sum += code_at (x, index) - zero;
      *floats += (float)(code_at (x, index) - zero) * scale;
      (*seen)++;
    }
}

static void
check_pool (GRand *r, gboolean mean, int spatial)
{
  PareQAvgPoolParams p = { .pool = { .spatial = spatial, .count_include_pad = pick (r, 0, 1) },
                           .scale_x = (float)g_rand_double_range (r, 0.01, 1),
                           .scale_y = (float)g_rand_double_range (r, 0.01, 1) };
  gint64 x_dims[5] = { pick (r, 1, 2), pick (r, 1, 5) }, y_dims[5] = { x_dims[0], x_dims[1] }, *in = x_dims + 2, *out = y_dims + 2;
  gboolean global = mean && pick (r, 0, 3) == 0;
  p.floats = pick (r, 0, 1);
  for (int a = 0; a < spatial; a++)
    do
      {
        in[a] = pick (r, 0, 9) ? pick (r, 1, 20) : pick (r, 20, spatial == 1 ? 3000 : 70);
        p.pool.kernel[a] = global ? (gint32)in[a] : pick (r, 1, 4);
        p.pool.stride[a] = pick (r, 1, 3);
        p.pool.dilation[a] = global || pick (r, 0, 3) ? 1 : 2;
        p.pool.pad_begin[a] = global ? 0 : pick (r, 0, 2);
        p.pool.pad_end[a] = global ? 0 : pick (r, 0, 2);
        out[a] = in[a] + p.pool.pad_begin[a] + p.pool.pad_end[a] - p.pool.dilation[a] * (p.pool.kernel[a] - 1) - 1;
        if (out[a] >= 0) /* ceil mode lets the last window begin inside and reach beyond */
          out[a] = (out[a] + (pick (r, 0, 3) ? 0 : p.pool.stride[a] - 1)) / p.pool.stride[a];
      }
    while (out[a]++ < 0);
  Case c = { .op = mean ? PARE_RT_QAVG_POOL : PARE_RT_MAX_POOL,
             .params = mean ? (void *)&p : &p.pool,
             .params_bytes = mean ? sizeof p : sizeof p.pool,
             .n_in = 1 };
  c.in[0] = view_of (some_codes (r), spatial + 2, x_dims);
  c.out = view_of (mean ? some_codes (r) : c.in[0].dtype, spatial + 2, y_dims);
  random_codes (r, &c.in[0]);
  p.zero_x = (c.in[0].dtype == PARE_DTYPE_INT8 ? -128 : 0) + pick (r, 0, 255);
  some_range (r, c.out.dtype, &p.zero_y, &p.lo, &p.hi);
  gint64 count = count_of (&c.out), positions = count / y_dims[0] / y_dims[1];
  g_assert_cmpint (count, >, 0);
  g_autofree guint8 *want = g_malloc ((gsize)MAX (count, 1));
  for (gint64 i = 0; i < count; i++)
    {
      gint64 rest = i % positions, o[3], seen, padded;
      gint32 most, sum;
      float floats;
      for (int a = spatial - 1; a >= 0; a--)
        {
          o[a] = rest % out[a];
          rest /= out[a];
        }
      look (&p.pool, &c.in[0], in, i / positions, o, p.zero_x, p.scale_x, &most, &sum, &floats, &seen, &padded);
      gint64 n = p.pool.count_include_pad ? padded : seen;
      float v = n > 0 ? (float)sum * (p.scale_x / (p.scale_y * (float)n)) : 0;
      want[i] = (guint8)(mean ? round_code (v, p.zero_y, p.lo, p.hi) : most);
      if (mean && p.floats)
        want[i] = (guint8)(gint32)CLAMP (rintf ((n > 0 ? floats / (float)n : 0) / p.scale_y + (float)p.zero_y), (float)p.lo, (float)p.hi);
    }
  g_autofree char *what = g_strdup_printf ("%s of %dx%d, window %dx%d, strides %d,%d, pads %d,%d,%d,%d", mean ? "mean" : "largest",
                                           (int)in[0], (int)in[1], p.pool.kernel[0], p.pool.kernel[1], p.pool.stride[0], p.pool.stride[1],
                                           p.pool.pad_begin[0], p.pool.pad_begin[1], p.pool.pad_end[0], p.pool.pad_end[1]);
  check_all (&c, want, what);
  release_maps ();
}

static void
test_pools (void)
{
  g_autoptr (GRand) r = g_rand_new_with_seed (70);
  for (int i = 0; i < 300 && !g_test_failed (); i++)
    check_pool (r, i % 2, i % 10 == 9 ? 3 : i % 5 == 4 ? 1 : 2);
}

/* --- attention --- */

static gint32
lay (float x, const PareCodeGrid *g)
{
  float least = (float)(g->lo - g->zero), most = (float)(g->hi - g->zero);
  return (gint32)rintf (fminf (fmaxf (x, least), most));
}

static PareCodeGrid
some_grid (GRand *r, float scale)
{
  PareCodeGrid g = { .scale = scale };
  some_range (r, some_codes (r), &g.zero, &g.lo, &g.hi);
  g.lo = MIN (g.lo, g.zero - 1 < -128 ? g.zero : g.zero - 1);
  g.hi = MAX (g.hi, MIN (g.lo + 20, g.lo < 0 ? 127 : 255));
  return g;
}

/* A row of weights as the steps one by one make it: products, tables or grids, mask, its grid, Softmax, its grid. */
static void
weigh_row (const PareQAttentionParams *p, const gint32 *sums, gint64 n, const float *mask, const float *table, gint32 *weights)
{
  g_autofree float *x = g_new (float, n);
  float top = -INFINITY;
  for (gint64 i = 0; i < n; i++)
    {
      gint32 s = lay ((float)sums[i] * p->factor, &p->scores);
      x[i] = table != NULL ? table[(guint8)(s + p->scores.zero)] : (float)s * p->scores.scale;
      if (mask != NULL)
        x[i] = x[i] + mask[i];
      if (p->rounds)
        x[i] = (float)lay (x[i] / p->masked.scale, &p->masked) * p->masked.scale;
      top = fmaxf (top, x[i]);
    }
  for (gint64 i = 0; i < n; i++)
    x[i] = exp_f32 (x[i] - top);
  float norm = 1.0f / pare_rt_row_sum (x, n);
  for (gint64 i = 0; i < n; i++)
    weights[i] = lay (x[i] * norm / p->weights.scale, &p->weights);
}

static void
check_attention (GRand *r, gint64 batch, gint64 heads, gint64 rows, gint64 n, gint64 depth, gint64 values, const char *what)
{
  gint64 key_heads = pick (r, 0, 1) ? heads : 1;
  gboolean turned = pick (r, 0, 1), joined = pick (r, 0, 1), masks = pick (r, 0, 2) > 0, looks = pick (r, 0, 3) == 0;
  PareQAttentionParams p
      = { .attention = { .factor = 1, .q = { 0, 1, 2, 3 }, .k = { 0, 1, 2, 3 }, .v = { 0, 1, 2, 3 }, .y = { 0, 1, 2, 3 } },
          .rounds = pick (r, 0, 1) };
  gint64 q_dims[4] = { batch, heads, rows, depth }, k_dims[4] = { batch, key_heads, n, depth }, v_dims[4] = { batch, key_heads, n, values },
         y_dims[4] = { batch, heads, rows, values }, mask_dims[2] = { rows, n }, table_dims[1] = { 256 };
  if (turned)
    {
      k_dims[2] = depth;
      k_dims[3] = n;
      p.attention.k[2] = 3;
      p.attention.k[3] = 2;
    }
  if (joined)
    {
      y_dims[1] = rows;
      y_dims[2] = heads;
      p.attention.y[1] = 2;
      p.attention.y[2] = 1;
    }
  PareDtype to = pick (r, 0, 3) ? some_codes (r) : PARE_DTYPE_FLOAT32;
  Case c = { .op = PARE_RT_QATTENTION, .params = &p, .params_bytes = sizeof p, .n_in = 5 };
  c.in[0] = view_of (some_codes (r), 4, q_dims);
  c.in[1] = view_of (some_codes (r), 4, k_dims);
  c.in[2] = view_of (some_codes (r), 4, v_dims);
  c.in[3] = c.in[4] = (PareView){ .dtype = PARE_DTYPE_NONE };
  c.out = view_of (to, 4, y_dims);
  gint32 *zeros[3] = { &p.zero_q, &p.zero_k, &p.zero_v };
  for (int i = 0; i < 3; i++)
    {
      random_codes (r, &c.in[i]);
      *zeros[i] = (c.in[i].dtype == PARE_DTYPE_INT8 ? -128 : 0) + pick (r, 0, 255);
    }
  p.factor = (float)g_rand_double_range (r, 0.2, 2) / (100 * sqrtf ((float)depth));
  p.scores = some_grid (r, (float)g_rand_double_range (r, 0.01, 0.5));
  p.masked = some_grid (r, masks && pick (r, 0, 1) ? 4e6f : (float)g_rand_double_range (r, 0.01, 0.5));
  p.weights = (PareCodeGrid){ .scale = 1.0f / (float)pick (r, 100, 400), .zero = pick (r, 0, 3) ? 0 : 3, .lo = 0, .hi = 255 };
  p.factor_y = (float)g_rand_double_range (r, 0.2, 2) / 255;
  p.y = some_grid (r, 1);
  if (to != PARE_DTYPE_FLOAT32)
    some_range (r, to, &p.y.zero, &p.y.lo, &p.y.hi);
  if (masks)
    {
      float hidden = pick (r, 0, 2) ? -1e9f : pick (r, 0, 1) ? -INFINITY : -30;
      c.in[3] = view_of (PARE_DTYPE_FLOAT32, 2, mask_dims);
      for (gint64 i = 0; i < rows * n; i++)
        ((float *)c.in[3].data)[i] = i % n > i / n ? hidden : pick (r, 0, 3) ? 0 : (float)g_rand_double_range (r, -2, 2);
    }
  if (looks)
    {
      c.in[4] = view_of (PARE_DTYPE_FLOAT32, 1, table_dims);
      for (gint64 i = 0; i < 256; i++)
        ((float *)c.in[4].data)[i] = (float)g_rand_double_range (r, -8, 8);
    }
  g_autofree guint8 *want = g_malloc ((gsize)(batch * heads * rows * values) * 4);
  g_autofree gint32 *sums = g_new (gint32, n);
  for (gint64 at = 0; at < batch * heads * rows; at++)
    {
      gint64 row = at % rows, head = at / rows % heads, b = at / rows / heads, kept = b * key_heads + (key_heads > 1 ? head : 0);
      for (gint64 i = 0; i < n; i++)
        {
          sums[i] = 0;
          for (gint64 e = 0; e < depth; e++)
            sums[i] += (code_at (&c.in[0], at * depth + e) - p.zero_q)
                       * (code_at (&c.in[1], kept * n * depth + (turned ? e * n + i : i * depth + e)) - p.zero_k);
        }
      weigh_row (&p, sums, n, masks ? (float *)c.in[3].data + row * n : NULL, c.in[4].data, sums);
      for (gint64 e = 0; e < values; e++)
        {
          gint32 acc = 0;
          for (gint64 i = 0; i < n; i++)
            acc += sums[i] * (code_at (&c.in[2], (kept * n + i) * values + e) - p.zero_v);
          gint64 place = joined ? ((b * rows + row) * heads + head) * values + e : at * values + e;
          store (&c.out, place, (float)acc * p.factor_y, p.y.zero, p.y.lo, p.y.hi, want);
        }
    }
  check_all (&c, want, what);
  release_maps ();
}

static void
test_attention (void)
{
  g_autoptr (GRand) r = g_rand_new_with_seed (80);
  for (int i = 0; i < 200 && !g_test_failed (); i++)
    {
      int rows = pick (r, 0, 2) ? pick (r, 1, 20) : pick (r, 20, 120), n = pick (r, 0, 2) ? pick (r, 1, 40) : pick (r, 40, 130),
          depth = pick (r, 1, 40), values = pick (r, 1, 40);
      g_autofree char *what = g_strdup_printf ("case %d: %d rows, %d positions, %d and %d elements", i, rows, n, depth, values);
      check_attention (r, pick (r, 1, 2), pick (r, 1, 3), rows, n, depth, values, what);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  maps = g_array_new (FALSE, FALSE, sizeof (Map));
  g_test_add_func ("/integers/conv/dense", test_conv_dense);
  g_test_add_func ("/integers/conv/pointwise", test_conv_pointwise);
  g_test_add_func ("/integers/conv/grouped", test_conv_grouped);
  g_test_add_func ("/integers/conv/depthwise", test_conv_depthwise);
  g_test_add_func ("/integers/conv/wide", test_conv_wide);
  g_test_add_func ("/integers/conv/one-axis", test_conv_one_axis);
  g_test_add_func ("/integers/conv/three-axes", test_conv_three_axes);
  g_test_add_func ("/integers/conv/large", test_conv_large);
  g_test_add_func ("/integers/conv/whole", test_conv_whole);
  g_test_add_func ("/integers/gemm", test_gemm);
  g_test_add_func ("/integers/attention", test_attention);
  g_test_add_func ("/integers/add", test_add);
  g_test_add_func ("/integers/lut", test_lut);
  g_test_add_func ("/integers/pools", test_pools);
  int status = g_test_run ();
  g_array_unref (maps);
  return status;
}
