/* A small trainable network: convolutions, residual additions, global average pooling, a dense head; forward, backward, Adam.
 * It makes the bundled sample; backward kernels stand right after their forward. Tensors are float32, NCHW, one sample after the other. */
#pragma once
#include "engine/base/pare-control.h"
#include "engine/graph/pare-graph.h"

typedef struct _PareNet PareNet;

PareNet *pare_net_new (int channels, int height, int width);
void pare_net_free (PareNet *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareNet, pare_net_free)

/* Each appends a layer that reads layer `from` (-1: the input) and returns its index. Square kernels, padding k / 2.
 * name: its node in the exported graph. */
int pare_net_conv (PareNet *self, const char *name, int from, int out_channels, int kernel, int stride, int groups, gboolean relu);
int pare_net_add (PareNet *self, const char *name, int a, int b, gboolean relu);
int pare_net_pool (PareNet *self, const char *name, int from); /* global average */
int pare_net_dense (PareNet *self, const char *name, int from, int outputs);

/* He initialisation of weights, zero biases. */
void pare_net_init (PareNet *self, guint64 seed);

typedef struct
{
  double learning_rate, weight_decay;
  int threads;
} PareNetStep;
/* One Adam step (Kingma, Ba 2015; decoupled weight decay) on cross-entropy of a batch: x [n, C, H, W], labels [n]. Returns the mean loss
 * before the step. The batch is cut in fixed chunks whose gradients are summed in order: the result does not depend on `threads`. */
double pare_net_train (PareNet *self, const float *x, const int *labels, int n, const PareNetStep *step);
/* logits [n, outputs]. */
void pare_net_predict (PareNet *self, const float *x, int n, float *logits);

/* For gradient checks: all parameters as one array, and the gradient of the mean loss at them. */
float *pare_net_get_parameters (PareNet *self, gsize *n);
double pare_net_gradient (PareNet *self, const float *x, const int *labels, int n, float *gradient);

/* The network as an ONNX graph (opset 13): input `input` [N, C, H, W], output `logits`. */
PareGraph *pare_net_to_graph (const PareNet *self, const char *name);
