/* Plans made by hand, for the tests of the accelerator: values and steps are added one by one; the portable interpreter is the judge. */
#pragma once
#include "engine/accel/pare-accel.h"
#include "engine/base/pare-rng.h"
#include <glib.h>
#include <string.h>

typedef struct
{
  PareRtPlan plan;
  GArray *values, *steps, *inputs, *outputs;
  GByteArray *params, *constants;
  PareRng rng;
  void *aligned;
} Plan;

static inline PareShape
shape_of (int rank, const int64_t *dims)
{
  PareShape shape = { .rank = rank };
  memcpy (shape.dims, dims, (size_t)rank * sizeof *dims);
  return shape;
}
#define SHAPE(...) shape_of ((int)(sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), (const int64_t[]){ __VA_ARGS__ })

static inline Plan *
plan_new (guint64 seed)
{
  Plan *self = g_new0 (Plan, 1);
  self->values = g_array_new (FALSE, TRUE, sizeof (PareRtValue));
  self->steps = g_array_new (FALSE, TRUE, sizeof (PareRtStep));
  self->inputs = g_array_new (FALSE, TRUE, sizeof (uint32_t));
  self->outputs = g_array_new (FALSE, TRUE, sizeof (uint32_t));
  self->params = g_byte_array_new ();
  self->constants = g_byte_array_new ();
  self->rng.state = seed;
  return self;
}

static inline void
plan_free (Plan *self)
{
  g_array_unref (self->values);
  g_array_unref (self->steps);
  g_array_unref (self->inputs);
  g_array_unref (self->outputs);
  g_byte_array_unref (self->params);
  g_byte_array_unref (self->constants);
  free (self->aligned);
  g_free (self);
}

static inline PareRtValue *
plan_value (Plan *self, uint32_t id)
{
  return &g_array_index (self->values, PareRtValue, id);
}

static inline uint32_t
plan_add (Plan *self, PareRtKind kind, PareDtype dtype, PareShape shape)
{
  PareRtValue value = { .dtype = dtype,
                        .shape = shape,
                        .kind = kind,
                        .alias_of = PARE_RT_NONE,
                        .source_value = PARE_RT_NONE,
                        .bytes = (uint64_t)pare_shape_bytes (&shape, dtype) };
  g_array_append_val (self->values, value);
  return self->values->len - 1;
}

static inline uint32_t
plan_input (Plan *self, PareShape shape)
{
  uint32_t id = plan_add (self, PARE_RT_INPUT, PARE_DTYPE_FLOAT32, shape);
  g_array_append_val (self->inputs, id);
  return id;
}

static inline uint32_t
plan_alias (Plan *self, uint32_t of, PareShape shape)
{
  uint32_t id = plan_add (self, PARE_RT_ALIAS, PARE_DTYPE_FLOAT32, shape);
  plan_value (self, id)->alias_of = of;
  return id;
}

static inline uint32_t
plan_constant_data (Plan *self, PareDtype dtype, PareShape shape, const void *data)
{
  static const guint8 zeros[64];
  uint32_t id = plan_add (self, PARE_RT_CONSTANT, dtype, shape);
  g_byte_array_append (self->constants, zeros, (64 - self->constants->len % 64) % 64);
  plan_value (self, id)->offset = self->constants->len;
  g_byte_array_append (self->constants, data, (guint)plan_value (self, id)->bytes);
  return id;
}

/* Random numbers of this size around `mean`. */
static inline uint32_t
plan_constant (Plan *self, PareShape shape, float size, float mean)
{
  gint64 n = pare_shape_count (&shape);
  g_assert_true (n >= 0 && n < 1 << 28);
  g_autofree float *data = g_new (float, (gsize)n);
  for (gint64 i = 0; i < n; i++)
    data[i] = mean + size * (float)(pare_rng_uniform (&self->rng) * 2 - 1);
  return plan_constant_data (self, PARE_DTYPE_FLOAT32, shape, data);
}

/* in: ended by -1; PARE_RT_NONE is an omitted operand. */
static inline uint32_t
plan_step (Plan *self, PareRtOp op, const void *params, gsize bytes, PareShape out, int n_in, const uint32_t *in)
{
  static const guint8 zeros[16];
  PareRtStep step = { .op = op, .n_in = (uint32_t)n_in, .n_out = 1, .layer = self->steps->len };
  g_byte_array_append (self->params, zeros, (16 - self->params->len % 16) % 16);
  step.params = self->params->len;
  step.params_bytes = (uint32_t)bytes;
  g_byte_array_append (self->params, params ? params : zeros, (guint)bytes);
  for (int i = 0; i < PARE_RT_MAX_IN; i++)
    step.in[i] = i < n_in ? in[i] : PARE_RT_NONE;
  for (int i = 1; i < PARE_RT_MAX_OUT; i++)
    step.out[i] = PARE_RT_NONE;
  step.out[0] = plan_add (self, PARE_RT_ARENA, PARE_DTYPE_FLOAT32, out);
  g_array_append_val (self->steps, step);
  return step.out[0];
}
#define STEP(plan, op, params, out, ...)                                                                                                   \
  plan_step (plan, op, params, sizeof *(params), out, (int)(sizeof ((uint32_t[]){ __VA_ARGS__ }) / sizeof (uint32_t)),                     \
             (const uint32_t[]){ __VA_ARGS__ })

/* To what bfloat16 holds. */
G_GNUC_UNUSED static uint32_t
add_rounding (Plan *plan, uint32_t x)
{
  const PareUnaryParams p = { PARE_UN_BFLOAT16, 0, 0 };
  PareShape s = plan_value (plan, x)->shape;
  return STEP (plan, PARE_RT_UNARY, &p, s, x);
}

G_GNUC_UNUSED static void
round_constant (Plan *plan, uint32_t id)
{
  const PareRtValue *v = plan_value (plan, id);
  guint32 *bits = (guint32 *)(void *)(plan->constants->data + v->offset);
  for (guint64 i = 0; i < v->bytes / 4; i++)
    bits[i] = (bits[i] + 0x7fff + (bits[i] >> 16 & 1)) & 0xffff0000u;
}

static inline void
plan_output (Plan *self, uint32_t value)
{
  plan_value (self, value)->keep = true;
  g_array_append_val (self->outputs, value);
}

/* Every value its own place: sharing memory is what is being tested. */
static inline const PareRtPlan *
plan_finish (Plan *self)
{
  guint64 arena = 0;
  for (guint i = 0; i < self->values->len; i++)
    if (plan_value (self, i)->kind == PARE_RT_ARENA)
      {
        plan_value (self, i)->offset = arena;
        arena += (plan_value (self, i)->bytes + 63) / 64 * 64;
      }
  g_assert_cmpint (posix_memalign (&self->aligned, 64, self->constants->len + self->params->len + 192), ==, 0);
  guint8 *constants = self->aligned, *params = constants + (self->constants->len + 63) / 64 * 64 + 64;
  memcpy (constants, self->constants->data ? self->constants->data : (const guint8 *)"", self->constants->len);
  memcpy (params, self->params->data ? self->params->data : (const guint8 *)"", self->params->len);
  self->plan = (PareRtPlan){ .n_values = self->values->len,
                             .n_steps = self->steps->len,
                             .n_inputs = self->inputs->len,
                             .n_outputs = self->outputs->len,
                             .values = (PareRtValue *)(void *)self->values->data,
                             .steps = (PareRtStep *)(void *)self->steps->data,
                             .inputs = (uint32_t *)(void *)self->inputs->data,
                             .outputs = (uint32_t *)(void *)self->outputs->data,
                             .params = params,
                             .params_bytes = self->params->len,
                             .constants = constants,
                             .constants_bytes = self->constants->len,
                             .arena_bytes = arena,
                             .sum_bytes = arena };
  const char *wrong = pare_rt_plan_check (&self->plan);
  if (wrong)
    g_error ("the test's own plan is wrong: %s", wrong);
  return &self->plan;
}
