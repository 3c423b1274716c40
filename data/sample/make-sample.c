/* Makes the bundled sample: small drawn pictures of ten kinds of things, and the classifier that tells them apart.
 *
 *   make-sample data DIR         writes x.npy, y.npy, classes.txt, dataset.json (seeded: the same bytes every time)
 *   make-sample train OUT.onnx   draws its own training pictures (other seeds), trains, prints the accuracy, writes the model */
#include "data/sample/pictures.h"
#include "engine/onnx/pare-onnx.h"
#include "engine/train/pare-net.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#define N_TEST 2000
#define N_TRAIN 9000
#define EPOCHS 14
#define BATCH 64

static const char description[]
    = "{ \"format\": \"npy\", \"samples\": \"x.npy\", \"labels\": \"y.npy\", \"classes\": \"classes.txt\", \"task\": \"classification\",\n"
      "  \"splits\": { \"calibration\": \"0:200\", \"search\": \"200:700\", \"report\": \"700:\" },\n"
      "  \"preprocess\": { \"from\": \"NHWC\", \"layout\": \"NCHW\", \"color\": \"RGB\", \"scale\": 0.00392156862745098,\n"
      "    \"mean\": [0.5, 0.5, 0.5], \"std\": [0.25, 0.25, 0.25] } }\n";

static gboolean
fail (GError *error)
{
  fprintf (stderr, "make-sample: %s\n", error->message);
  return FALSE;
}

static gboolean
write_text (const char *folder, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;
  return g_file_set_contents (path, text, -1, &error) || fail (error);
}

static gboolean
make_data (const char *folder)
{
  PareShape xs = pare_shape_make (4, (gint64)N_TEST, (gint64)PICTURE_SIZE, (gint64)PICTURE_SIZE, (gint64)3),
            ys = pare_shape_make (1, (gint64)N_TEST);
  g_autoptr (PareTensor) x = pare_tensor_new (PARE_DTYPE_UINT8, &xs, NULL), y = pare_tensor_new (PARE_DTYPE_INT64, &ys, NULL);
  for (guint i = 0; i < N_TEST; i++)
    {
      ((gint64 *)y->data)[i] = i % PICTURE_CLASSES;
      picture_draw ((int)(i % PICTURE_CLASSES), 1000003 + i, (guint8 *)x->data + (gsize)i * PICTURE_SIZE * PICTURE_SIZE * 3);
    }
  g_mkdir_with_parents (folder, 0777);
  g_autofree char *xp = g_build_filename (folder, "x.npy", NULL), *yp = g_build_filename (folder, "y.npy", NULL);
  g_autoptr (GError) error = NULL;
  if (!pare_npy_save (xp, x, &error) || !pare_npy_save (yp, y, &error))
    return fail (error);
  g_autofree char *names = g_strjoinv ("\n", (char **)picture_names);
  g_autofree char *lines = g_strconcat (names, "\n", NULL);
  return write_text (folder, "classes.txt", lines) && write_text (folder, "dataset.json", description);
}

/* As dataset.json says: NCHW, (v / 255 - 0.5) / 0.25. */
static void
make_batch (const guint *order, int n, guint64 seed, float *x, int *labels)
{
  guint8 rgb[PICTURE_SIZE * PICTURE_SIZE * 3];
  const int area = PICTURE_SIZE * PICTURE_SIZE;
  for (int i = 0; i < n; i++)
    {
      labels[i] = (int)(order[i] % PICTURE_CLASSES);
      picture_draw (labels[i], seed + order[i], rgb);
      for (int k = 0; k < area; k++)
        for (int c = 0; c < 3; c++)
          x[(i * 3 + c) * area + k] = (rgb[k * 3 + c] / 255.0f - 0.5f) / 0.25f;
    }
}

static PareNet *
make_net (void)
{
  PareNet *net = pare_net_new (3, PICTURE_SIZE, PICTURE_SIZE);
  int stem = pare_net_conv (net, "/stem/conv/Conv", -1, 16, 3, 2, 1, TRUE);
  int a = pare_net_conv (net, "/stage1/widen/Conv", stem, 24, 3, 1, 1, TRUE);
  int b = pare_net_conv (net, "/stage1/block/conv1/Conv", a, 24, 3, 1, 1, TRUE);
  b = pare_net_conv (net, "/stage1/block/conv2/Conv", b, 24, 3, 1, 1, FALSE);
  a = pare_net_add (net, "/stage1/block/Add", b, a, TRUE);
  a = pare_net_conv (net, "/stage2/down/depthwise/Conv", a, 24, 3, 2, 24, TRUE);
  a = pare_net_conv (net, "/stage2/down/pointwise/Conv", a, 48, 1, 1, 1, TRUE);
  b = pare_net_conv (net, "/stage2/block/depthwise/Conv", a, 48, 3, 1, 48, TRUE);
  b = pare_net_conv (net, "/stage2/block/pointwise/Conv", b, 48, 1, 1, 1, FALSE);
  a = pare_net_add (net, "/stage2/block/Add", b, a, TRUE);
  a = pare_net_conv (net, "/stage3/down/Conv", a, 64, 3, 2, 1, TRUE);
  a = pare_net_pool (net, "/head/GlobalAveragePool", a);
  pare_net_dense (net, "/head/Gemm", a, PICTURE_CLASSES);
  pare_net_init (net, 7);
  return net;
}

static double
accuracy (PareNet *net)
{
  const int area = PICTURE_SIZE * PICTURE_SIZE;
  g_autofree float *x = g_new (float, BATCH * 3 * area);
  int labels[BATCH], hits = 0, all = 0;
  float logits[BATCH * PICTURE_CLASSES];
  for (guint first = 0; first + BATCH <= N_TEST; first += BATCH)
    {
      guint order[BATCH];
      for (guint i = 0; i < BATCH; i++)
        order[i] = first + i;
      make_batch (order, BATCH, 1000003, x, labels);
      pare_net_predict (net, x, BATCH, logits);
      for (int i = 0; i < BATCH; i++, all++)
        {
          int best = 0;
          for (int k = 1; k < PICTURE_CLASSES; k++)
            if (logits[i * PICTURE_CLASSES + k] > logits[i * PICTURE_CLASSES + best])
              best = k;
          hits += best == labels[i];
        }
    }
  return (double)hits / all;
}

static gboolean
make_model (const char *path)
{
  const int area = PICTURE_SIZE * PICTURE_SIZE;
  g_autoptr (PareNet) net = make_net ();
  g_autofree float *x = g_new (float, BATCH * 3 * area);
  g_autofree guint *order = g_new (guint, N_TRAIN);
  int labels[BATCH], steps = EPOCHS * (N_TRAIN / BATCH), step = 0;
  PareRng rng = { 11 };
  for (guint i = 0; i < N_TRAIN; i++)
    order[i] = i;
  for (int epoch = 0; epoch < EPOCHS; epoch++)
    {
      double loss = 0;
      for (guint i = N_TRAIN - 1; i > 0; i--)
        {
          guint k = (guint)pare_rng_below (&rng, i + 1), t = order[i];
          order[i] = order[k];
          order[k] = t;
        }
      for (guint first = 0; first + BATCH <= N_TRAIN; first += BATCH, step++)
        {
          double warm = MIN (1.0, (step + 1) / 100.0), rest = 0.5 * (1 + cos (G_PI * step / steps));
          PareNetStep s = { .learning_rate = 2e-3 * warm * rest, .weight_decay = 1e-2, .threads = pare_default_threads () };
          make_batch (order + first, BATCH, 5000011, x, labels);
          loss += pare_net_train (net, x, labels, BATCH, &s);
        }
      printf ("epoch %2d: loss %.4f, held-out accuracy %.4f\n", epoch + 1, loss / (N_TRAIN / BATCH), accuracy (net));
      fflush (stdout);
    }
  g_autoptr (PareGraph) graph = pare_net_to_graph (net, "pictures");
  g_autoptr (GError) error = NULL;
  return pare_onnx_save (graph, path, &error) || fail (error);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "data") == 0)
    return make_data (argv[2]) ? 0 : 1;
  if (argc == 3 && strcmp (argv[1], "train") == 0)
    return make_model (argv[2]) ? 0 : 1;
  fputs ("usage: make-sample data DIR | train OUT.onnx\n", stderr);
  return 2;
}
