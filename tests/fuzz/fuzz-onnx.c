/* libFuzzer: any bytes as an ONNX file. It opens or gives one error; what opens is made runnable or gives one error, and what is written
 * back opens again. */
#include "engine/export/pare-export.h"
#include "engine/onnx/pare-onnx.h"

int LLVMFuzzerTestOneInput (const guint8 *data, size_t size);

int
LLVMFuzzerTestOneInput (const guint8 *data, size_t size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size); /* a copy of its own: reading past the end is seen */
  g_autoptr (GError) error = NULL;
  g_autoptr (PareGraph) g = pare_onnx_parse (bytes, NULL, &error);
  if ((g == NULL) != (error != NULL))
    g_error ("neither a graph nor an error, or both");
  if (g == NULL)
    return 0;
  g_autoptr (GError) refused = NULL;
  g_autoptr (PareGraph) twin = pare_graph_canonicalize (g, NULL, 0, NULL, &refused);
  if ((twin == NULL) != (refused != NULL))
    g_error ("neither a twin nor an error, or both");
  guint n;
  g_free (pare_graph_layer_infos (g, twin, &n));
  g_autoptr (GBytes) again = pare_onnx_serialize (g, NULL);
  g_autoptr (GError) back_error = NULL;
  g_autoptr (PareGraph) back = again != NULL ? pare_onnx_parse (again, NULL, &back_error) : NULL;
  if (back == NULL)
    g_error ("what was written does not open: %s", back_error ? back_error->message : "not written");
  PareGraph *folded = pare_graph_copy (g);
  pare_graph_fold_batch_norm (folded, NULL);
  pare_graph_compact (folded, NULL);
  PareGraph *exported = twin != NULL ? pare_export_onnx (twin, NULL, NULL) : NULL;
  pare_graph_unref (folded);
  pare_graph_unref (exported);
  return 0;
}
