#pragma once
#include "engine/base/pare-control.h"
#include "engine/graph/pare-graph.h"

/* Reads an ONNX file: maps it, scans nesting depth and lengths before protobuf-c sees it, resolves external data (inside the file's folder
 * only). Tensors are borrowed from the mapped files: their bytes come into memory when somebody reads them. The hash is made piece by piece,
 * with progress. Errors name file, node or tensor and reason. */
PareGraph *pare_onnx_load (const char *path, PareControl *control, GError **error);
/* Of bytes in memory, hashed as a whole. */
PareGraph *pare_onnx_parse (GBytes *bytes, const char *path /* for messages and external data; nullable */, GError **error);
/* Writes atomically (temporary file + rename). The graph must hold only ONNX operators (see engine/export). */
gboolean pare_onnx_save (const PareGraph *graph, const char *path, GError **error);
GBytes *pare_onnx_serialize (const PareGraph *graph, GError **error);
/* How many that would be: no constant is read. -1: it cannot be written. */
gint64 pare_onnx_count_bytes (const PareGraph *graph, GError **error);
/* (transfer full) SHA-256 of a file's bytes, hex: at most 1 MiB of it is in memory at a time; control is asked, and told, between pieces. */
char *pare_onnx_hash_file (const char *path, PareControl *control, GError **error);
