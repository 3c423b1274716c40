#pragma once
#include "engine/onnx/pare-onnx.h"
#include "engine/base/pare-error.h"
#include "onnx.pb-c.h"

/* What the wire holds before protobuf-c sees it. `skeleton` is the message without what would be copied for nothing: each raw_data is
 * replaced by where it stands in the file (16 bytes: offset, length), documentation and unknown fields are left out. `functions` keeps the
 * model's functions as they stand in the file, too. */
typedef struct
{
  GByteArray *skeleton;
  GByteArray *functions;
} PareOnnxScan;
#define PARE_ONNX_MAX_DEPTH 64
gboolean pare_onnx_scan (GBytes *bytes, const char *what, PareOnnxScan *scan, GError **error);
void pare_onnx_scan_clear (PareOnnxScan *scan);

typedef struct
{
  GBytes *bytes;        /* of the file */
  gboolean mapped;      /* they are, not in memory */
  PareControl *control; /* (nullable) asked while much is copied */
  const char *what;     /* for messages */
  char *folder;         /* of the file, resolved; NULL: no external data */
  GHashTable *external; /* location -> GBytes */
} PareOnnxSource;
/* (transfer full) The mapped external file at `location`, inside the model's folder. */
GBytes *pare_onnx_external_map (PareOnnxSource *source, const char *location, const char *tensor, GError **error);
/* (transfer full) */
PareTensor *pare_onnx_read_tensor (PareOnnxSource *source, const Onnx__TensorProto *proto, const char *name, GError **error);
/* Replaces calls of the model's own functions by their nodes, whose names begin with the call's. *left: a call remains, since its function is
 * for another opset or one of two of its name. FALSE and error (naming file and function): it calls itself, or without end; `model` is then only
 * good to be freed. */
gboolean pare_onnx_inline_functions (Onnx__ModelProto *model, const char *what, gboolean *left, GError **error);
/* (transfer full) pare_onnx_hash_file() of an open file; path: for messages. */
char *pare_onnx_hash_fd (int fd, const char *path, PareControl *control, GError **error);
