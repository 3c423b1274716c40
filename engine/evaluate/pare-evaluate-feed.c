/* Between a data set and a program: shapes, dtypes, recurrent state, windows. */
#include "engine/evaluate/pare-evaluate-private.h"
#include "engine/base/pare-error.h"

#include <string.h>

/* Row `window` of [windows, length], without copying. */
static PareTensor *
window_of (const PareTensor *x, guint window, GError **error)
{
  PareShape shape = pare_shape_make (1, x->shape.dims[1]);
  gsize each = (gsize)x->shape.dims[1] * pare_dtype_bits (x->dtype) / 8;
  if (x->owner != NULL)
    {
      gsize start = (gsize)((const guint8 *)x->data - (const guint8 *)g_bytes_get_data (x->owner, NULL));
      return pare_tensor_new_from_bytes (x->dtype, &shape, x->owner, start + window * each, error);
    }
  PareTensor *row = pare_tensor_new (x->dtype, &shape, error);
  if (row != NULL)
    memcpy (row->data, (const guint8 *)x->data + window * each, each);
  return row;
}

PareProgram *
pare_evaluate_compile (const PareGraph *graph, PareDataset *dataset, PareSplit split, const PareCompileOptions *options, GError **error)
{
  PareCompileOptions own = options != NULL ? *options : (PareCompileOptions){ 0 };
  if (graph->n_inputs == 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_SHAPE, "%s: the model has no input to feed",
                   graph->path != NULL ? graph->path : graph->name);
      return NULL;
    }
  if (pare_dataset_get_n_samples (dataset, split) == 0)
    {
      g_set_error (error, PARE_ERROR, PARE_ERROR_DATA, "%s: the split %s has no samples", pare_dataset_get_path (dataset),
                   pare_split_name (split));
      return NULL;
    }
  const PareValue *input = &graph->values[graph->inputs[0]];
  for (guint i = 0; i < own.n_shapes; i++)
    if (strcmp (own.shapes[i].name, input->name) == 0)
      return pare_program_compile (graph, &own, error);
  PareSample sample;
  if (!pare_dataset_load (dataset, split, 0, &sample, error))
    return NULL;
  g_autoptr (PareTensor) x = pare_dataset_has_windows (dataset) ? window_of (sample.x, 0, error) : pare_tensor_ref (sample.x);
  pare_sample_clear (&sample);
  if (x == NULL)
    return NULL;
  PareDtype dtype = input->dtype != PARE_DTYPE_NONE ? input->dtype : x->dtype;
  g_autoptr (PareTensor) fitted = pare_dataset_fit (dataset, x, dtype, &input->shape, input->name, error);
  if (fitted == NULL)
    return NULL;
  g_autofree PareNamedShape *shapes = g_new0 (PareNamedShape, own.n_shapes + 1);
  for (guint i = 0; i < own.n_shapes; i++)
    shapes[i] = own.shapes[i];
  shapes[own.n_shapes].name = input->name;
  shapes[own.n_shapes].shape = fitted->shape;
  own.shapes = shapes;
  own.n_shapes++;
  return pare_program_compile (graph, &own, error);
}

gboolean
pare_evaluate_inputs (PareProgram *program, PareDataset *dataset, PareTensor *x, GPtrArray *kept, PareView *views, GError **error)
{
  guint n = pare_program_get_n_inputs (program);
  for (guint i = 0; i < n; i++)
    {
      PareDtype dtype;
      PareShape shape;
      const char *name = pare_program_get_input (program, i, &dtype, &shape);
      PareTensor *t;
      if (i == 0)
        t = pare_dataset_fit (dataset, x, dtype, &shape, name, error);
      else /* recurrent state starts at zero */
        {
          for (int d = 0; d < shape.rank; d++)
            if (shape.dims[d] < 0)
              shape.dims[d] = 1;
          t = pare_tensor_new (dtype, &shape, error);
        }
      if (t == NULL)
        return FALSE;
      g_ptr_array_add (kept, t);
      views[i] = pare_tensor_view (t);
    }
  return TRUE;
}

static gboolean
run_one (PareProgram *program, PareRunner *runner, PareDataset *dataset, PareTensor *x, PareControl *control, GError **error)
{
  guint n = pare_program_get_n_inputs (program);
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify)pare_tensor_unref);
  g_autofree PareView *views = g_new0 (PareView, MAX (n, 1));
  return pare_evaluate_inputs (program, dataset, x, kept, views, error) && pare_runner_run (runner, views, n, control, error);
}

gboolean
pare_evaluate_feed (PareProgram *program, PareRunner *runner, PareDataset *dataset, const PareSample *sample, PareVisitFunc visit,
                    gpointer data, PareControl *control, GError **error)
{
  if (!pare_dataset_has_windows (dataset))
    return run_one (program, runner, dataset, sample->x, control, error) && (visit == NULL || visit (runner, 0, data));
  for (guint w = 0; w < sample->x->shape.dims[0]; w++)
    {
      if (pare_control_check (control, error))
        return FALSE;
      g_autoptr (PareTensor) x = window_of (sample->x, w, error);
      if (x == NULL || !run_one (program, runner, dataset, x, control, error))
        return FALSE;
      if (visit != NULL && !visit (runner, w, data))
        return FALSE;
    }
  return TRUE;
}
