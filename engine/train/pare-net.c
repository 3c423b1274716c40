#include "engine/train/pare-net.h"
#include "engine/base/pare-rng.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#define CHUNKS 4 /* of a batch; fixed, so that sums are the same on any number of threads */

typedef enum
{
  KIND_CONV,
  KIND_ADD,
  KIND_POOL,
  KIND_DENSE
} Kind;

typedef struct
{
  Kind kind;
  char *name;
  int a, b; /* sources; -1: the input */
  int cin, hin, win, cout, hout, wout;
  int kernel, stride, groups;
  gboolean relu;
  gsize weights, n_weights, biases; /* into parameters */
  gsize value;                      /* into a sample's activations */
} Layer;

struct _PareNet
{
  int channels, height, width;
  GArray *layers;
  gsize n_values, n_parameters;
  float *parameters, *first, *second; /* Adam's moments */
  guint64 steps;
};

PareNet *
pare_net_new (int channels, int height, int width)
{
  PareNet *self = g_new0 (PareNet, 1);
  self->channels = channels;
  self->height = height;
  self->width = width;
  self->layers = g_array_new (FALSE, TRUE, sizeof (Layer));
  return self;
}

void
pare_net_free (PareNet *self)
{
  for (guint i = 0; i < self->layers->len; i++)
    g_free (g_array_index (self->layers, Layer, i).name);
  g_array_unref (self->layers);
  g_free (self->parameters);
  g_free (self->first);
  g_free (self->second);
  g_free (self);
}

static Layer *
get (const PareNet *self, int i)
{
  return &g_array_index (self->layers, Layer, i);
}

static int
append (PareNet *self, Layer *layer, const char *name)
{
  layer->name = g_strdup (name);
  layer->value = self->n_values;
  self->n_values += (gsize)layer->cout * layer->hout * layer->wout;
  layer->weights = self->n_parameters;
  self->n_parameters += layer->n_weights;
  layer->biases = self->n_parameters;
  if (layer->n_weights > 0)
    self->n_parameters += layer->cout;
  g_array_append_val (self->layers, *layer);
  return (int)self->layers->len - 1;
}

static void
source_size (const PareNet *self, int from, int *c, int *h, int *w)
{
  *c = from < 0 ? self->channels : get (self, from)->cout;
  *h = from < 0 ? self->height : get (self, from)->hout;
  *w = from < 0 ? self->width : get (self, from)->wout;
}

int
pare_net_conv (PareNet *self, const char *name, int from, int out_channels, int kernel, int stride, int groups, gboolean relu)
{
  Layer l
      = { .kind = KIND_CONV, .a = from, .b = -2, .cout = out_channels, .kernel = kernel, .stride = stride, .groups = groups, .relu = relu };
  source_size (self, from, &l.cin, &l.hin, &l.win);
  l.hout = (l.hin + 2 * (kernel / 2) - kernel) / stride + 1;
  l.wout = (l.win + 2 * (kernel / 2) - kernel) / stride + 1;
  l.n_weights = (gsize)out_channels * (l.cin / groups) * kernel * kernel;
  return append (self, &l, name);
}

int
pare_net_add (PareNet *self, const char *name, int a, int b, gboolean relu)
{
  Layer l = { .kind = KIND_ADD, .a = a, .b = b, .relu = relu };
  source_size (self, a, &l.cin, &l.hin, &l.win);
  l.cout = l.cin;
  l.hout = l.hin;
  l.wout = l.win;
  return append (self, &l, name);
}

int
pare_net_pool (PareNet *self, const char *name, int from)
{
  Layer l = { .kind = KIND_POOL, .a = from, .b = -2, .hout = 1, .wout = 1 };
  source_size (self, from, &l.cin, &l.hin, &l.win);
  l.cout = l.cin;
  return append (self, &l, name);
}

int
pare_net_dense (PareNet *self, const char *name, int from, int outputs)
{
  Layer l = { .kind = KIND_DENSE, .a = from, .b = -2, .cout = outputs, .hout = 1, .wout = 1 };
  source_size (self, from, &l.cin, &l.hin, &l.win);
  l.n_weights = (gsize)outputs * l.cin * l.hin * l.win;
  return append (self, &l, name);
}

void
pare_net_init (PareNet *self, guint64 seed)
{
  PareRng rng = { seed };
  self->parameters = g_new0 (float, self->n_parameters);
  self->first = g_new0 (float, self->n_parameters);
  self->second = g_new0 (float, self->n_parameters);
  for (guint i = 0; i < self->layers->len; i++)
    {
      Layer *l = get (self, (int)i);
      double scale = l->n_weights > 0 ? sqrt (2.0 / ((double)l->n_weights / l->cout)) : 0;
      /* the second convolution of a residual branch starts small, so that the sum keeps its variance without normalisation */
      if (i + 1 < self->layers->len && get (self, (int)i + 1)->kind == KIND_ADD)
        scale *= 0.5;
      for (gsize k = 0; k < l->n_weights; k++)
        self->parameters[l->weights + k] = (float)(scale * pare_rng_normal (&rng));
    }
}

/* --- kernels of one sample ---
 * columns [cin * k * k, hout * wout] of one group's input */
static void
im2col (const Layer *l, const float *x, int channels, float *columns)
{
  int pad = l->kernel / 2, area = l->hout * l->wout;
  for (int c = 0; c < channels; c++)
    for (int ky = 0; ky < l->kernel; ky++)
      for (int kx = 0; kx < l->kernel; kx++)
        {
          float *row = columns + (gsize)((c * l->kernel + ky) * l->kernel + kx) * area;
          for (int y = 0; y < l->hout; y++)
            for (int x0 = 0; x0 < l->wout; x0++)
              {
                int yy = y * l->stride + ky - pad, xx = x0 * l->stride + kx - pad;
                row[y * l->wout + x0] = yy < 0 || yy >= l->hin || xx < 0 || xx >= l->win ? 0 : x[(c * l->hin + yy) * l->win + xx];
              }
        }
}

static void
col2im (const Layer *l, const float *columns, int channels, float *dx)
{
  int pad = l->kernel / 2, area = l->hout * l->wout;
  for (int c = 0; c < channels; c++)
    for (int ky = 0; ky < l->kernel; ky++)
      for (int kx = 0; kx < l->kernel; kx++)
        {
          const float *row = columns + (gsize)((c * l->kernel + ky) * l->kernel + kx) * area;
          for (int y = 0; y < l->hout; y++)
            for (int x0 = 0; x0 < l->wout; x0++)
              {
                int yy = y * l->stride + ky - pad, xx = x0 * l->stride + kx - pad;
                if (yy >= 0 && yy < l->hin && xx >= 0 && xx < l->win)
                  dx[(c * l->hin + yy) * l->win + xx] += row[y * l->wout + x0];
              }
        }
}

static void
conv_forward (const Layer *l, const float *w, const float *bias, const float *x, float *y, float *columns)
{
  int ci = l->cin / l->groups, co = l->cout / l->groups, area = l->hout * l->wout, depth = ci * l->kernel * l->kernel;
  for (int g = 0; g < l->groups; g++)
    {
      float *out = y + (gsize)g * co * area;
      im2col (l, x + (gsize)g * ci * l->hin * l->win, ci, columns);
      for (int c = 0; c < co; c++)
        for (int i = 0; i < area; i++)
          out[c * area + i] = bias[g * co + c];
      cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, co, area, depth, 1, w + (gsize)g * co * depth, depth, columns, area, 1, out,
                   area);
    }
}

static void
conv_backward (const Layer *l, const float *w, const float *x, const float *dy, float *dw, float *dbias, float *dx, float *columns,
               float *dcolumns)
{
  int ci = l->cin / l->groups, co = l->cout / l->groups, area = l->hout * l->wout, depth = ci * l->kernel * l->kernel;
  for (int g = 0; g < l->groups; g++)
    {
      const float *d = dy + (gsize)g * co * area;
      im2col (l, x + (gsize)g * ci * l->hin * l->win, ci, columns);
      for (int c = 0; c < co; c++)
        for (int i = 0; i < area; i++)
          dbias[g * co + c] += d[c * area + i];
      cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, co, depth, area, 1, d, area, columns, area, 1, dw + (gsize)g * co * depth,
                   depth);
      if (dx == NULL)
        continue;
      cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, depth, area, co, 1, w + (gsize)g * co * depth, depth, d, area, 0, dcolumns,
                   area);
      col2im (l, dcolumns, ci, dx + (gsize)g * ci * l->hin * l->win);
    }
}

static gsize
max_columns (const PareNet *self)
{
  gsize most = 1;
  for (guint i = 0; i < self->layers->len; i++)
    {
      Layer *l = get (self, (int)i);
      if (l->kind == KIND_CONV)
        most = MAX (most, (gsize)l->cin / l->groups * l->kernel * l->kernel * l->hout * l->wout);
    }
  return most;
}

static void
forward (const PareNet *self, const float *x, float *values, float *columns)
{
  for (guint i = 0; i < self->layers->len; i++)
    {
      const Layer *l = get (self, (int)i);
      const float *in = l->a < 0 ? x : values + get (self, l->a)->value;
      float *out = values + l->value;
      gsize n = (gsize)l->cout * l->hout * l->wout, area = (gsize)l->hin * l->win, fan = l->cin * area;
      if (l->kind == KIND_CONV)
        conv_forward (l, self->parameters + l->weights, self->parameters + l->biases, in, out, columns);
      else if (l->kind == KIND_ADD)
        for (gsize k = 0; k < n; k++)
          out[k] = in[k] + values[get (self, l->b)->value + k];
      else if (l->kind == KIND_POOL)
        for (int c = 0; c < l->cout; c++)
          {
            double sum = 0;
            for (gsize k = 0; k < area; k++)
              sum += in[c * area + k];
            out[c] = (float)(sum / area);
          }
      else
        for (int o = 0; o < l->cout; o++)
          out[o] = self->parameters[l->biases + o] + cblas_sdot ((int)fan, self->parameters + l->weights + o * fan, 1, in, 1);
      if (l->relu)
        for (gsize k = 0; k < n; k++)
          out[k] = MAX (out[k], 0);
    }
}

/* grads holds d loss / d value for every layer; the last layer's is filled in. Adds into gradient. */
static void
backward (const PareNet *self, const float *x, const float *values, float *grads, float *gradient, float *columns, float *dcolumns)
{
  for (int i = (int)self->layers->len - 1; i >= 0; i--)
    {
      const Layer *l = get (self, i);
      const float *in = l->a < 0 ? x : values + get (self, l->a)->value;
      float *d = grads + l->value, *dx = l->a < 0 ? NULL : grads + get (self, l->a)->value;
      gsize n = (gsize)l->cout * l->hout * l->wout, area = (gsize)l->hin * l->win, fan = l->cin * area;
      if (l->relu)
        for (gsize k = 0; k < n; k++)
          if (values[l->value + k] <= 0)
            d[k] = 0;
      if (l->kind == KIND_CONV)
        conv_backward (l, self->parameters + l->weights, in, d, gradient + l->weights, gradient + l->biases, dx, columns, dcolumns);
      else if (l->kind == KIND_ADD)
        for (gsize k = 0; k < n; k++)
          {
            if (dx != NULL)
              dx[k] += d[k];
            grads[get (self, l->b)->value + k] += d[k];
          }
      else if (l->kind == KIND_POOL)
        for (gsize k = 0; k < fan && dx != NULL; k++)
          dx[k] += d[k / area] / area;
      else
        for (int o = 0; o < l->cout; o++)
          {
            gradient[l->biases + o] += d[o];
            cblas_saxpy ((int)fan, d[o], in, 1, gradient + l->weights + o * fan, 1);
            if (dx != NULL)
              cblas_saxpy ((int)fan, d[o], self->parameters + l->weights + o * fan, 1, dx, 1);
          }
    }
}

typedef struct
{
  PareNet *net;
  const float *x;
  const int *labels;
  int n;
  float *gradients[CHUNKS];
  double loss[CHUNKS];
} Batch;

static gboolean
run_chunk (guint chunk, int worker, gpointer data)
{
  Batch *b = data;
  PareNet *net = b->net;
  const Layer *last = get (net, (int)net->layers->len - 1);
  gsize size = (gsize)net->channels * net->height * net->width;
  g_autofree float *values = g_new (float, net->n_values), *grads = g_new (float, net->n_values);
  g_autofree float *columns = g_new (float, max_columns (net)), *dcolumns = g_new (float, max_columns (net));
  int from = (int)((gint64)b->n * chunk / CHUNKS), to = (int)((gint64)b->n * (chunk + 1) / CHUNKS);
  for (int s = from; s < to; s++)
    {
      forward (net, b->x + s * size, values, columns);
      memset (grads, 0, net->n_values * sizeof (float));
      float *logits = values + last->value, *d = grads + last->value, top = logits[0];
      double sum = 0;
      for (int k = 1; k < last->cout; k++)
        top = MAX (top, logits[k]);
      for (int k = 0; k < last->cout; k++)
        sum += exp (logits[k] - top);
      for (int k = 0; k < last->cout; k++)
        d[k] = (float)((exp (logits[k] - top) / sum - (k == b->labels[s])) / b->n);
      b->loss[chunk] -= logits[b->labels[s]] - top - log (sum);
      backward (net, b->x + s * size, values, grads, b->gradients[chunk], columns, dcolumns);
    }
  return TRUE;
}

static double
batch_gradient (PareNet *self, const float *x, const int *labels, int n, int threads, float *gradient)
{
  Batch b = { self, x, labels, n };
  double loss = 0;
  openblas_set_num_threads (1); /* the chunks are the parallel part */
  for (int c = 0; c < CHUNKS; c++)
    b.gradients[c] = g_new0 (float, self->n_parameters);
  pare_parallel_for (CHUNKS, threads, run_chunk, &b);
  memset (gradient, 0, self->n_parameters * sizeof (float));
  for (int c = 0; c < CHUNKS; c++)
    {
      for (gsize k = 0; k < self->n_parameters; k++)
        gradient[k] += b.gradients[c][k];
      loss += b.loss[c];
      g_free (b.gradients[c]);
    }
  return loss / n;
}

double
pare_net_gradient (PareNet *self, const float *x, const int *labels, int n, float *gradient)
{
  return batch_gradient (self, x, labels, n, 1, gradient);
}

double
pare_net_train (PareNet *self, const float *x, const int *labels, int n, const PareNetStep *step)
{
  const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  g_autofree float *gradient = g_new (float, self->n_parameters);
  double loss = batch_gradient (self, x, labels, n, step->threads, gradient);
  self->steps++;
  double c1 = 1 - pow (beta1, (double)self->steps), c2 = 1 - pow (beta2, (double)self->steps);
  for (gsize k = 0; k < self->n_parameters; k++)
    {
      self->first[k] = (float)(beta1 * self->first[k] + (1 - beta1) * gradient[k]);
      self->second[k] = (float)(beta2 * self->second[k] + (1 - beta2) * gradient[k] * gradient[k]);
      double update = self->first[k] / c1 / (sqrt (self->second[k] / c2) + epsilon) + step->weight_decay * self->parameters[k];
      self->parameters[k] -= (float)(step->learning_rate * update);
    }
  return loss;
}

void
pare_net_predict (PareNet *self, const float *x, int n, float *logits)
{
  const Layer *last = get (self, (int)self->layers->len - 1);
  gsize size = (gsize)self->channels * self->height * self->width;
  g_autofree float *values = g_new (float, self->n_values), *columns = g_new (float, max_columns (self));
  for (int s = 0; s < n; s++)
    {
      forward (self, x + s * size, values, columns);
      memcpy (logits + (gsize)s * last->cout, values + last->value, last->cout * sizeof (float));
    }
}

float *
pare_net_get_parameters (PareNet *self, gsize *n)
{
  *n = self->n_parameters;
  return self->parameters;
}

/* --- as ONNX --- */

static PareValueId
constant (PareGraph *graph, const char *layer, const char *what, PareShape shape, const float *data)
{
  g_autofree char *name = g_strdup_printf ("%s.%s", layer, what);
  g_autoptr (PareTensor) t = pare_tensor_new (PARE_DTYPE_FLOAT32, &shape, NULL);
  memcpy (t->data, data, t->bytes);
  return pare_graph_add_constant (graph, name, t, PARE_NONE);
}

static PareValueId
node (PareGraph *graph, const char *op, const char *name, const PareValueId *inputs, guint n, PareShape shape, PareNodeId *id)
{
  g_autofree char *out = g_strdup_printf ("%s_output", name);
  PareValueId y = pare_graph_add_value (graph, out, PARE_DTYPE_FLOAT32, &shape, PARE_NONE);
  PareNodeId made = pare_graph_add_node (graph, op, name, inputs, n, &y, 1, PARE_NONE, PARE_ROLE_SELF);
  if (id != NULL)
    *id = made;
  return y;
}

PareGraph *
pare_net_to_graph (const PareNet *self, const char *name)
{
  PareGraph *graph = pare_graph_new (name);
  graph->opset = 13;
  graph->ir_version = 8;
  PareShape input_shape = pare_shape_make (4, (gint64)-1, (gint64)self->channels, (gint64)self->height, (gint64)self->width);
  PareValueId input = pare_graph_add_value (graph, "input", PARE_DTYPE_FLOAT32, &input_shape, PARE_NONE);
  graph->values[input].dim_names[0] = "N";
  graph->inputs = g_new (PareValueId, 1);
  graph->inputs[0] = input;
  graph->n_inputs = 1;
  g_autofree PareValueId *ids = g_new (PareValueId, self->layers->len);
  for (guint i = 0; i < self->layers->len; i++)
    {
      const Layer *l = get (self, (int)i);
      PareShape shape = pare_shape_make (4, (gint64)-1, (gint64)l->cout, (gint64)l->hout, (gint64)l->wout),
                flat = pare_shape_make (2, (gint64)-1, (gint64)l->cout);
      PareValueId a = l->a < 0 ? input : ids[l->a], y;
      PareNodeId id;
      g_autofree char *scope = g_path_get_dirname (l->name);
      const char *scope_name = *scope == '/' ? scope + 1 : scope;
      if (l->kind == KIND_CONV)
        {
          PareShape w = pare_shape_make (4, (gint64)l->cout, (gint64)(l->cin / l->groups), (gint64)l->kernel, (gint64)l->kernel),
                    b = pare_shape_make (1, (gint64)l->cout);
          PareValueId in[3] = { a, constant (graph, scope_name, "weight", w, self->parameters + l->weights),
                                constant (graph, scope_name, "bias", b, self->parameters + l->biases) };
          gint64 k[2] = { l->kernel, l->kernel }, s[2] = { l->stride, l->stride },
                 p[4] = { l->kernel / 2, l->kernel / 2, l->kernel / 2, l->kernel / 2 };
          y = node (graph, "Conv", l->name, in, 3, shape, &id);
          pare_node_set_ints (&graph->nodes[id], "kernel_shape", k, 2);
          pare_node_set_ints (&graph->nodes[id], "strides", s, 2);
          pare_node_set_ints (&graph->nodes[id], "pads", p, 4);
          pare_node_set_int (&graph->nodes[id], "group", l->groups);
        }
      else if (l->kind == KIND_ADD)
        {
          PareValueId in[2] = { a, ids[l->b] };
          y = node (graph, "Add", l->name, in, 2, shape, NULL);
        }
      else if (l->kind == KIND_POOL)
        {
          y = node (graph, "GlobalAveragePool", l->name, &a, 1, shape, NULL);
          g_autofree char *flatten = g_strdup_printf ("%s/Flatten", scope);
          y = node (graph, "Flatten", flatten, &y, 1, flat, &id);
          pare_node_set_int (&graph->nodes[id], "axis", 1);
        }
      else
        {
          PareShape w = pare_shape_make (2, (gint64)l->cout, (gint64)(l->n_weights / l->cout)), b = pare_shape_make (1, (gint64)l->cout);
          PareValueId in[3] = { a, constant (graph, scope_name, "weight", w, self->parameters + l->weights),
                                constant (graph, scope_name, "bias", b, self->parameters + l->biases) };
          y = node (graph, "Gemm", l->name, in, 3, flat, &id);
          pare_node_set_int (&graph->nodes[id], "transB", 1);
        }
      if (l->relu)
        {
          g_autofree char *relu = g_strdup_printf ("%s/Relu", scope);
          y = node (graph, "Relu", relu, &y, 1, shape, NULL);
        }
      ids[i] = y;
    }
  PareValueId last = ids[self->layers->len - 1];
  graph->values[last].name = "logits";
  graph->values[last].dim_names[0] = "N";
  graph->outputs = g_new (PareValueId, 1);
  graph->outputs[0] = last;
  graph->n_outputs = 1;
  pare_graph_name_layers (graph);
  return graph;
}
