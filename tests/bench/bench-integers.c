/* The portable integer kernels beside oneDNN's int8 convolution, layer by layer, one thread, in one run: bench-integers [MODEL [ISA]].
 * oneDNN runs the primitive alone, in the layout of its choice (no reorders). Times of the thread, medians over rounds that take turns;
 * share: of what the inner tile reaches on panels in the first cache. */
#include "engine/runtime/kernels/int-isa.h"
#include "engine/runtime/pare-rt.h"

#include <dnnl.h>
#include <glib.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct
{
  const char *model;
  int times, c, h, w, m, group, kh, kw, sh, sw, pt, pl, pb, pr;
} Layer;

static const Layer layers[] = {
  { "mobilenet-v2", 1, 3, 224, 224, 32, 1, 3, 3, 2, 2, 0, 0, 1, 1 },
  { "mobilenet-v2", 1, 32, 112, 112, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "mobilenet-v2", 1, 32, 112, 112, 16, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 16, 112, 112, 96, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 96, 112, 112, 96, 96, 3, 3, 2, 2, 0, 0, 1, 1 },
  { "mobilenet-v2", 1, 96, 56, 56, 24, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 2, 24, 56, 56, 144, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 144, 56, 56, 144, 144, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "mobilenet-v2", 1, 144, 56, 56, 24, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 144, 56, 56, 144, 144, 3, 3, 2, 2, 0, 0, 1, 1 },
  { "mobilenet-v2", 1, 144, 28, 28, 32, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 3, 32, 28, 28, 192, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 2, 192, 28, 28, 192, 192, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "mobilenet-v2", 2, 192, 28, 28, 32, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 192, 28, 28, 192, 192, 3, 3, 2, 2, 0, 0, 1, 1 },
  { "mobilenet-v2", 1, 192, 14, 14, 64, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 4, 64, 14, 14, 384, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 4, 384, 14, 14, 384, 384, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "mobilenet-v2", 3, 384, 14, 14, 64, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 384, 14, 14, 96, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 3, 96, 14, 14, 576, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 2, 576, 14, 14, 576, 576, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "mobilenet-v2", 2, 576, 14, 14, 96, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 576, 14, 14, 576, 576, 3, 3, 2, 2, 0, 0, 1, 1 },
  { "mobilenet-v2", 1, 576, 7, 7, 160, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 3, 160, 7, 7, 960, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 3, 960, 7, 7, 960, 960, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "mobilenet-v2", 2, 960, 7, 7, 160, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 960, 7, 7, 320, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 320, 7, 7, 1280, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "mobilenet-v2", 1, 1280, 1, 1, 1001, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 1, 3, 224, 224, 64, 1, 3, 3, 2, 2, 0, 0, 0, 0 },
  { "squeezenet", 1, 64, 55, 55, 16, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 16, 55, 55, 64, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 16, 55, 55, 64, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "squeezenet", 1, 128, 55, 55, 16, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 1, 128, 27, 27, 32, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 32, 27, 27, 128, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 32, 27, 27, 128, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "squeezenet", 1, 256, 27, 27, 32, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 1, 256, 13, 13, 48, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 48, 13, 13, 192, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 48, 13, 13, 192, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "squeezenet", 1, 384, 13, 13, 48, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 1, 384, 13, 13, 64, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 64, 13, 13, 256, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 2, 64, 13, 13, 256, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "squeezenet", 1, 512, 13, 13, 64, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "squeezenet", 1, 512, 13, 13, 1000, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
  { "resnet20", 1, 3, 32, 32, 16, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "resnet20", 6, 16, 32, 32, 16, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "resnet20", 1, 16, 32, 32, 32, 1, 3, 3, 2, 2, 1, 1, 1, 1 },
  { "resnet20", 5, 32, 16, 16, 32, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "resnet20", 1, 32, 16, 16, 64, 1, 3, 3, 2, 2, 1, 1, 1, 1 },
  { "resnet20", 5, 64, 8, 8, 64, 1, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "kws", 1, 1, 49, 10, 64, 1, 10, 4, 2, 2, 4, 1, 5, 1 },
  { "kws", 4, 64, 25, 5, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1 },
  { "kws", 4, 64, 25, 5, 64, 1, 1, 1, 1, 1, 0, 0, 0, 0 },
};

#define ROUNDS 31
#define ROUND_US 300

static int
compare (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static guint32 state = 1;

static void *
codes (gsize n)
{
  guint8 *p = aligned_alloc (64, (n + 127) / 64 * 64);
  for (gsize i = 0; i < n; i++)
    p[i] = (guint8)((state = state * 1664525 + 1013904223) >> 24);
  return p;
}

/* --- ours --- */

typedef struct
{
  PareQConvParams p;
  PareView in[4], out;
  void *scratch, *packed;
} Ours;

static PareView
view (PareDtype dtype, int rank, int a, int b, int c, int d)
{
  PareView v = { .dtype = dtype, .shape = { rank, { a, b, c, d } } };
  v.data = codes ((gsize)pare_shape_bytes (&v.shape, dtype));
  return v;
}

static void
make_ours (const Layer *l, PareDtype weights, Ours *o)
{
  int oh = (l->h + l->pt + l->pb - l->kh) / l->sh + 1, ow = (l->w + l->pl + l->pr - l->kw) / l->sw + 1;
  *o = (Ours){ .p = { .conv = { 2, l->group, { l->kh, l->kw }, { l->sh, l->sw }, { 1, 1 }, { l->pt, l->pl }, { l->pb, l->pr } },
                      .zero_x = 7,
                      .zero_y = 3,
                      .hi = 255 } };
  o->in[0] = view (PARE_DTYPE_UINT8, 4, 1, l->c, l->h, l->w);
  o->in[1] = view (weights, 4, l->m, l->c / l->group, l->kh, l->kw);
  o->in[2] = view (PARE_DTYPE_INT32, 1, l->m, 0, 0, 0);
  o->in[3] = view (PARE_DTYPE_FLOAT32, 1, l->m, 0, 0, 0);
  o->out = view (PARE_DTYPE_UINT8, 4, 1, l->m, oh, ow);
  for (int i = 0; i < l->m; i++)
    {
      ((gint32 *)o->in[2].data)[i] = 100;
      ((float *)o->in[3].data)[i] = 0.0001f;
    }
  PareRtValue values[5] = { 0 };
  for (int i = 0; i < 5; i++)
    values[i] = (PareRtValue){ .dtype = i < 4 ? o->in[i].dtype : o->out.dtype,
                               .shape = i < 4 ? o->in[i].shape : o->out.shape,
                               .kind = i == 1 ? PARE_RT_CONSTANT : PARE_RT_ARENA };
  PareRtStep step = { .op = PARE_RT_QCONV, .n_in = 4, .n_out = 1, .in = { 0, 1, 2, 3 }, .out = { 4 }, .params_bytes = sizeof o->p };
  PareRtPlan plan = { .n_values = 5,
                      .n_steps = 1,
                      .values = values,
                      .steps = &step,
                      .params = (guint8 *)&o->p,
                      .params_bytes = sizeof o->p,
                      .constants = o->in[1].data };
  o->scratch = codes (pare_rt_kernel_scratch (&plan, &step, NULL));
  guint64 bytes = pare_rt_kernel_pack (&plan, &step, NULL);
  if (bytes)
    {
      o->packed = codes (bytes);
      pare_rt_kernel_pack (&plan, &step, o->packed);
      o->in[1].packed = o->packed;
    }
}

static void
free_ours (Ours *o)
{
  for (int i = 0; i < 4; i++)
    free (o->in[i].data);
  free (o->out.data);
  free (o->scratch);
  free (o->packed);
}

static void
run_ours (void *arg)
{
  Ours *o = arg;
  pare_rt_kernel (PARE_RT_QCONV) (&o->p, o->in, 4, &o->out, 1, o->scratch);
}

/* --- oneDNN --- */

typedef struct
{
  dnnl_primitive_t primitive;
  dnnl_exec_arg_t args[4];
} Theirs;

static dnnl_engine_t engine;
static dnnl_stream_t stream;

#define MUST(call) g_assert_cmpint (call, ==, dnnl_success)

static dnnl_memory_t
memory_of (const_dnnl_primitive_desc_t pd, dnnl_query_t what)
{
  const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md (pd, what, 0);
  dnnl_memory_t memory;
  MUST (dnnl_memory_create (&memory, md, engine, codes (dnnl_memory_desc_get_size (md))));
  return memory;
}

static void
make_theirs (const Layer *l, Theirs *t)
{
  int oh = (l->h + l->pt + l->pb - l->kh) / l->sh + 1, ow = (l->w + l->pl + l->pr - l->kw) / l->sw + 1;
  gboolean grouped = l->group > 1;
  dnnl_dims_t x = { 1, l->c, l->h, l->w }, y = { 1, l->m, oh, ow }, b = { l->m }, strides = { l->sh, l->sw }, dilates = { 0, 0 };
  dnnl_dims_t from = { l->pt, l->pl }, to = { l->pb, l->pr };
  dnnl_dims_t dense = { l->m, l->c, l->kh, l->kw }, groups = { l->group, l->m / l->group, l->c / l->group, l->kh, l->kw };
  dnnl_memory_desc_t xd, wd, bd, yd;
  MUST (dnnl_memory_desc_init_by_tag (&xd, 4, x, dnnl_u8, dnnl_format_tag_any));
  MUST (dnnl_memory_desc_init_by_tag (&wd, grouped ? 5 : 4, grouped ? groups : dense, dnnl_s8, dnnl_format_tag_any));
  MUST (dnnl_memory_desc_init_by_tag (&bd, 1, b, dnnl_s32, dnnl_a));
  MUST (dnnl_memory_desc_init_by_tag (&yd, 4, y, dnnl_u8, dnnl_format_tag_any));
  dnnl_convolution_desc_t desc;
  MUST (dnnl_dilated_convolution_forward_desc_init (&desc, dnnl_forward_inference, dnnl_convolution_direct, &xd, &wd, &bd, &yd, strides,
                                                    dilates, from, to));
  dnnl_primitive_attr_t attr;
  MUST (dnnl_primitive_attr_create (&attr));
  g_autofree float *scales = g_new (float, l->m);
  for (int i = 0; i < l->m; i++)
    scales[i] = 0.0001f;
  MUST (dnnl_primitive_attr_set_output_scales (attr, l->m, 2, scales));
  dnnl_primitive_desc_t pd;
  MUST (dnnl_primitive_desc_create (&pd, &desc, attr, engine, NULL));
  MUST (dnnl_primitive_create (&t->primitive, pd));
  t->args[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, memory_of (pd, dnnl_query_src_md) };
  t->args[1] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, memory_of (pd, dnnl_query_weights_md) };
  t->args[3] = (dnnl_exec_arg_t){ DNNL_ARG_DST, memory_of (pd, dnnl_query_dst_md) };
  dnnl_memory_t bias;
  MUST (dnnl_memory_create (&bias, &bd, engine, codes ((gsize)l->m * 4)));
  t->args[2] = (dnnl_exec_arg_t){ DNNL_ARG_BIAS, bias };
  MUST (dnnl_primitive_desc_destroy (pd));
  MUST (dnnl_primitive_attr_destroy (attr));
}

static void
free_theirs (Theirs *t)
{
  for (int i = 0; i < 4; i++)
    {
      void *data;
      MUST (dnnl_memory_get_data_handle (t->args[i].memory, &data));
      MUST (dnnl_memory_destroy (t->args[i].memory));
      free (data);
    }
  MUST (dnnl_primitive_destroy (t->primitive));
}

static void
run_theirs (void *arg)
{
  Theirs *t = arg;
  MUST (dnnl_primitive_execute (t->primitive, stream, 4, t->args));
  MUST (dnnl_stream_wait (stream));
}

/* --- the measurement --- */

/* Time this thread has had: other work on the machine does not count. */
static double
thread_us (void)
{
  struct timespec t;
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* One round: as many runs as fill its time; microseconds of one. */
static double
round_us (void (*run) (void *), void *arg, int runs)
{
  double t0 = thread_us ();
  for (int i = 0; i < runs; i++)
    run (arg);
  return (thread_us () - t0) / runs;
}

static int
runs_of (void (*run) (void *), void *arg)
{
  int runs = 1;
  run (arg);
  while (round_us (run, arg, runs) * runs < ROUND_US)
    runs *= 2;
  return runs;
}

/* GMAC/s of the largest tile on panels in the first cache. */
static double
tile_rate (const PareIntIsa *isa)
{
  enum
  {
    STEPS = 32
  };
  int wide = isa->conv_vectors * isa->lanes, column = int_column_bytes (isa);
  guint8 *x = codes ((gsize)(STEPS * wide * column)), *w = codes ((gsize)(STEPS * isa->conv_rows * column)), *y = codes (4096);
  gint32 init[16] = { 0 };
  float bias[16] = { 0 }, scale[16] = { 0 };
  PareIntScale s = { init, bias, scale, 0, 0, 255, true };
  double best = 0;
  for (int i = 0; i < 20; i++)
    {
      double t0 = thread_us ();
      for (int k = 0; k < 5000; k++)
        isa->conv (y, wide, x, NULL, w, STEPS, isa->conv_rows, isa->conv_vectors, &s);
      double rate = 5000.0 * STEPS * isa->k_step * isa->conv_rows * wide / (thread_us () - t0) / 1000;
      best = MAX (best, rate);
    }
  free (x);
  free (w);
  free (y);
  return best;
}

static void
measure (const Layer *l, double rate, double *ours_sum, double *theirs_sum)
{
  Ours ours;
  Theirs theirs;
  double a[ROUNDS], b[ROUNDS];
  make_ours (l, PARE_DTYPE_INT8, &ours);
  make_theirs (l, &theirs);
  int runs_a = runs_of (run_ours, &ours), runs_b = runs_of (run_theirs, &theirs);
  for (int i = 0; i < ROUNDS; i++)
    {
      a[i] = round_us (run_ours, &ours, runs_a);
      b[i] = round_us (run_theirs, &theirs, runs_b);
    }
  qsort (a, ROUNDS, sizeof *a, compare);
  qsort (b, ROUNDS, sizeof *b, compare);
  double macs = (double)count_of (&ours.out) * l->c / l->group * l->kh * l->kw, us = a[ROUNDS / 2], other = b[ROUNDS / 2];
  g_autofree char *shape
      = g_strdup_printf ("%dx%dx%d -> %d, %dx%d/%d%s", l->c, l->h, l->w, l->m, l->kh, l->kw, l->sw, l->group > 1 ? " dw" : "");
  g_print ("%-13s x%d %-34s %8.1f %8.1f us %6.2f %7.1f GMAC/s %4.0f %%\n", l->model, l->times, shape, us, other, other / us,
           macs / us / 1000, 100 * macs / us / 1000 / rate);
  *ours_sum += us * l->times;
  *theirs_sum += other * l->times;
  free_ours (&ours);
  free_theirs (&theirs);
}

int
main (int argc, char **argv)
{
  if (argc > 2 && !pare_rt_int_limit (argv[2]))
    g_error ("This CPU has no %s.", argv[2]);
  omp_set_num_threads (1);
  MUST (dnnl_engine_create (&engine, dnnl_cpu, 0));
  MUST (dnnl_stream_create (&stream, engine, dnnl_stream_default_flags));
  double rate = tile_rate (pare_rt_int_isa ()), ours = 0, theirs = 0;
  g_print ("%s: the tile alone %.0f GMAC/s\n", pare_rt_int_isa ()->name, rate);
  g_print ("%-51s %8s %8s    %6s\n", "layer", "ours", "oneDNN", "ratio");
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++)
    {
      if (argc > 1 && *argv[1] && strcmp (argv[1], layers[i].model) != 0)
        continue;
      measure (&layers[i], rate, &ours, &theirs);
      if (i + 1 == G_N_ELEMENTS (layers) || strcmp (layers[i].model, layers[i + 1].model) != 0)
        {
          g_print ("%-51s %8.1f %8.1f us %6.2f\n", layers[i].model, ours, theirs, theirs / ours);
          ours = theirs = 0;
        }
    }
  dnnl_stream_destroy (stream);
  dnnl_engine_destroy (engine);
  return 0;
}
