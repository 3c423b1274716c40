/* Calling one portable kernel: views with guards behind their data, and first a dry call, with views without data, as the check of a
 * plan makes it. Included by the tests of the kernels; functions a test does not use are dropped. */
#pragma once
#include "engine/runtime/pare-rt.h"
#include "engine/runtime/kernels/kernel.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#define GUARD 64
#define N_OF(a) (sizeof (a) / sizeof *(a))

static GPtrArray *made; /* data of all views of a test */

/* "2x3x4"; "" is a scalar. Memory as large as the data, with a guard that must survive behind it. */
G_GNUC_UNUSED static PareView
make (PareDtype dtype, const char *dims)
{
  PareView v = { .dtype = dtype };
  g_auto (GStrv) parts = g_strsplit (dims, "x", -1);
  for (int i = 0; parts[i] && *parts[i]; i++)
    v.shape.dims[v.shape.rank++] = g_ascii_strtoll (parts[i], NULL, 10);
  gsize bytes = (gsize)pare_shape_bytes (&v.shape, dtype);
  v.data = g_malloc0 (bytes + GUARD);
  memset ((char *)v.data + bytes, 0xA5, GUARD);
  g_ptr_array_add (made, v.data);
  return v;
}

G_GNUC_UNUSED static float
seeded (gint64 i, int seed)
{
  return (float)((double)((i * 7919 + (gint64)seed * 104729) % 2003) / 1001.5 - 1);
}

G_GNUC_UNUSED static PareView
floats (const char *dims, int seed)
{
  PareView v = make (PARE_DTYPE_FLOAT32, dims);
  for (gint64 i = 0; i < count_of (&v); i++)
    ((float *)v.data)[i] = seeded (i, seed);
  return v;
}

G_GNUC_UNUSED static PareView
given_floats (const char *dims, const float *values)
{
  PareView v = make (PARE_DTYPE_FLOAT32, dims);
  memcpy (v.data, values, count_of (&v) * sizeof (float));
  return v;
}

G_GNUC_UNUSED static PareView
longs (const char *dims, const gint64 *values)
{
  PareView v = make (PARE_DTYPE_INT64, dims);
  memcpy (v.data, values, count_of (&v) * sizeof (gint64));
  return v;
}

#define F(v) ((float *)(v).data)
#define NONE ((PareView){ .dtype = PARE_DTYPE_NONE })

G_GNUC_UNUSED static void
check_guard (const PareView *v)
{
  if (v->dtype == PARE_DTYPE_NONE)
    return;
  gint64 bytes = pare_shape_bytes (&v->shape, v->dtype);
  for (int i = 0; i < GUARD; i++)
    g_assert_cmphex (((guint8 *)v->data)[bytes + i], ==, 0xA5);
}

G_GNUC_UNUSED static PareRtStatus
try (PareRtOp op, const void *params, gsize params_bytes, const PareView *in, guint n_in, PareView *out, guint n_out)
{
  PareRtValue values[PARE_RT_MAX_IN + PARE_RT_MAX_OUT] = { 0 };
  PareRtStep step = { .op = op, .n_in = n_in, .n_out = n_out, .params_bytes = (guint32)params_bytes };
  PareView dry[PARE_RT_MAX_IN + PARE_RT_MAX_OUT];
  for (guint i = 0; i < n_in + n_out; i++)
    {
      dry[i] = i < n_in ? in[i] : out[i - n_in];
      dry[i].data = NULL;
      values[i] = (PareRtValue){ .dtype = dry[i].dtype, .shape = dry[i].shape };
      *(i < n_in ? &step.in[i] : &step.out[i - n_in]) = dry[i].dtype == PARE_DTYPE_NONE ? PARE_RT_NONE : i;
    }
  PareRtKernel kernel = pare_rt_kernel (op);
  g_assert_nonnull (kernel);
  PareRtStatus status = kernel (params, dry, n_in, dry + n_in, n_out, PARE_RT_DRY);
  if (status != PARE_RT_OK)
    return status;
  g_autofree guint8 *block = g_malloc0 (MAX (params_bytes, 1));
  if (params_bytes)
    memcpy (block, params, params_bytes);
  PareRtPlan plan
      = { .n_values = n_in + n_out, .n_steps = 1, .values = values, .steps = &step, .params = block, .params_bytes = params_bytes };
  guint64 bytes = pare_rt_kernel_scratch (&plan, &step, NULL);
  g_autofree char *scratch = g_malloc (bytes + 2 * GUARD);
  char *aligned = (char *)(((guintptr)scratch + 63) & ~(guintptr)63);
  memset (aligned + bytes, 0xA5, scratch + bytes + 2 * GUARD - (aligned + bytes));
  status = kernel (params, in, n_in, out, n_out, aligned);
  g_assert_cmphex ((guint8)aligned[bytes], ==, 0xA5);
  for (guint i = 0; i < n_in + n_out; i++)
    check_guard (i < n_in ? &in[i] : &out[i - n_in]);
  return status;
}

#define RUN(op, params, in, out) try (op, &(params), sizeof (params), in, N_OF (in), out, N_OF (out))
#define MUST(op, params, in, out) g_assert_cmpint (RUN (op, params, in, out), ==, PARE_RT_OK)
G_GNUC_UNUSED static const PareAxisParams no_params; /* for kernels that read none */

G_GNUC_UNUSED static void
near (const PareView *v, const float *want, gint64 n, float tolerance)
{
  g_assert_cmpint (count_of (v), ==, n);
  for (gint64 i = 0; i < n; i++)
    if (isnan (want[i]) || isinf (want[i]))
      g_assert_true (isnan (want[i]) ? isnan (F (*v)[i]) : F (*v)[i] == want[i]);
    else if (tolerance == 0)
      g_assert_cmpfloat (F (*v)[i], ==, want[i]);
    else
      g_assert_cmpfloat_with_epsilon (F (*v)[i], want[i], tolerance * MAX (1, fabsf (want[i])));
}
#define NEAR(v, want, tolerance) near (&(v), want, N_OF (want), tolerance)
#define SAME(v, ...)                                                                                                                       \
  G_STMT_START                                                                                                                             \
  {                                                                                                                                        \
    const float want_[] = { __VA_ARGS__ };                                                                                                 \
    near (&(v), want_, N_OF (want_), 0);                                                                                                   \
  }                                                                                                                                        \
  G_STMT_END

G_GNUC_UNUSED static void
unravel (const PareShape *s, gint64 i, gint64 *index)
{
  for (int a = s->rank - 1; a >= 0; a--)
    {
      index[a] = i % s->dims[a];
      i /= s->dims[a];
    }
}

G_GNUC_UNUSED static gint64
ravel (const PareShape *s, const gint64 *index)
{
  gint64 i = 0;
  for (int a = 0; a < s->rank; a++)
    i = i * s->dims[a] + index[a];
  return i;
}

G_GNUC_UNUSED static void
set_up (gpointer fixture, gconstpointer data)
{
  made = g_ptr_array_new_with_free_func (g_free);
}

G_GNUC_UNUSED static void
tear_down (gpointer fixture, gconstpointer data)
{
  g_clear_pointer (&made, g_ptr_array_unref);
}

G_GNUC_UNUSED static void
call_test (gpointer fixture, gconstpointer data)
{
  ((void (*) (void))data) ();
}

/* Runs func between set_up() and tear_down(). */
#define ADD(path, func) g_test_add_vtable (path, 1, (gconstpointer)func, set_up, call_test, tear_down)
