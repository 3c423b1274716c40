/* Activation statistics that were measured once, kept in the user's cache folder. Nothing depends on them: a file that is missing, cut off, damaged or somebody
 * else's is as good as none, and the statistics are measured and written again. Any thread. */
#pragma once
#include "engine/compress/pare-statistics.h"

/* The folder grows no further than this; what was longest not used goes first. */
#define PARE_STATISTICS_CACHE_LIMIT (G_GUINT64_CONSTANT (1) << 30)

/* Which statistics these are: model with all its tensors, data, calibration split, method, and the machine's way of computing. (transfer full).
 * Reads every weight. */
char *pare_statistics_cache_key (const PareGraph *source, const PareDataset *dataset, PareBackend backend);
/* Hex SHA-256 over the model's tensors by name, wherever its files keep them. (transfer full) */
char *pare_statistics_cache_tensors (const PareGraph *source);
/* (transfer full) (nullable) */
PareStatistics *pare_statistics_cache_get (const char *key);
/* Appears whole or not at all. FALSE where it could not be written, which is no trouble but time. */
gboolean pare_statistics_cache_put (const char *key, const PareStatistics *statistics, GError **error);
/* Removes the longest unused until all take at most `limit` bytes, and what killed processes left. */
void pare_statistics_cache_trim (guint64 limit);
/* Where the statistics of a key are kept. (transfer full) */
char *pare_statistics_cache_path (const char *key);
/* pare_calibrate() on all of the split, but from the cache where it is there, and into it where it is not. */
PareStatistics *pare_statistics_cache_calibrate (const PareGraph *source, PareDataset *dataset, int threads, PareBackend backend, PareControl *control,
                                                 GError **error);
