/* Activation statistics as bytes, for the cache: a head with a checksum over everything behind it, then the key that they belong to, then one
 * record for each value. Numbers are little endian, bins are written as variable-length integers between the first and the last that hold anything. */
#pragma once
#include "engine/compress/pare-statistics.h"

/* (transfer full). key: what the reader will have to ask for. */
GBytes *pare_statistics_to_bytes (const PareStatistics *self, const char *key);
/* Every length and figure is checked before it is believed; NULL with error where anything is off. key NULL: whatever it is for. */
PareStatistics *pare_statistics_from_bytes (const void *data, gsize length, const char *key, GError **error);
/* The part behind the checksum; for tests that look for what the checksum would hide. */
PareStatistics *pare_statistics_payload_from_bytes (const void *data, gsize length, const char *key, GError **error);
