#pragma once
#include "engine/graph/pare-graph.h"

/* graph' of compress/apply -> a graph of plain ONNX operators that other runtimes load: PARE_OP_QUANTIZE as QuantizeLinear + DequantizeLinear,
 * constants with PareQuant as int8 / int4 (opset 21) + DequantizeLinear, biases of quantized layers as int32 DQ with scale s_x * s_w, codebooks through
 * Gather; opset raised only as far as needed. metadata (key, value pairs, NULL-terminated; may be NULL) is appended to metadata_props. */
PareGraph *pare_export_onnx (const PareGraph *graph, const char *const *metadata, GError **error);
/* Size in bytes of the file pare_onnx_save() would write. */
gint64 pare_export_file_bytes (const PareGraph *graph, GError **error);
