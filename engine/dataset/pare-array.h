/* Arrays in files: IDX (plain or gzip) and NPZ; NPY itself is read by the tensor room. */
#pragma once
#include "engine/tensor/pare-tensor.h"

/* IDX (the format of MNIST): big-endian header and elements; gzip is undone first. */
PareTensor *pare_idx_load (const char *path, GError **error);
PareTensor *pare_idx_parse (GBytes *bytes, const char *name, GError **error);

/* NPZ: a zip archive of NPY members, stored or deflated. names: alternatives, first found wins, "*" is any first member. */
PareTensor *pare_npz_load (const char *path, const char *const *names, GError **error);
PareTensor *pare_npz_parse (GBytes *bytes, const char *name, const char *const *names, GError **error);
/* (transfer full): the members' names without ".npy"; NULL and error where it is no archive. */
char **pare_npz_list (GBytes *bytes, const char *name, GError **error);

/* The whole file, mapped. */
GBytes *pare_file_map (const char *path, GError **error);
/* zlib: window_bits 15 + 16 for gzip, -15 for a raw deflate stream. Memory grows only as data really arrives. */
GBytes *pare_inflate (const guint8 *data, gsize size, int window_bits, gsize limit, const char *name, GError **error);
