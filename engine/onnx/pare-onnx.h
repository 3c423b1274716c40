#pragma once
#include "engine/base/pare-control.h"
#include "engine/graph/pare-graph.h"

/* Reads an ONNX file: maps it, scans nesting depth and lengths before protobuf-c sees it, resolves external data (inside the file's folder
 * only), keeps the bytes for hashing. Errors name file, node or tensor and reason. */
PareGraph *pare_onnx_load (const char *path, PareControl *control, GError **error);
PareGraph *pare_onnx_parse (GBytes *bytes, const char *path /* for messages and external data; nullable */, GError **error);
/* Writes atomically (temporary file + rename). The graph must hold only ONNX operators (see engine/export). */
gboolean pare_onnx_save (const PareGraph *graph, const char *path, GError **error);
GBytes *pare_onnx_serialize (const PareGraph *graph, GError **error);
