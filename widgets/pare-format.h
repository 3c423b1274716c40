/* How Pare writes numbers: a real minus sign, a thin space every three digits, one unit, an en dash where a value is missing.
 * Display-free. Every function returns a new string (transfer full); a value that is not finite is missing. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS
#define PARE_MINUS "\xe2\x88\x92"
#define PARE_THIN "\xe2\x80\x89"
#define PARE_DASH "\xe2\x80\x93"

char *pare_format_number (double v, int decimals);         /* "1 059.0", "−0.37"; never "−0.00" */
char *pare_format_digits (double v, int digits);           /* so many of them that count, no zeros behind: "−2", "0.0137" */
char *pare_format_signed (double v, int decimals);         /* "+0.028", "−8.5", "0.00" */
char *pare_format_count (gint64 n);                        /* "2 140" */
char *pare_format_kib (double bytes);                      /* "125.8", without the unit: columns have it in their head */
char *pare_format_kib_unit (double bytes);                 /* "125.8 KiB" */
char *pare_format_ms (double ms);                          /* "1.94", two decimals, below 0.1 three */
char *pare_format_ms_unit (double ms);                     /* "1.94 ms" */
char *pare_format_percent (double fraction, int decimals); /* 0.9141 -> "91.41 %" */
char *pare_format_pp (double fraction, int decimals);      /* a difference of fractions: "−0.37 pp" */
/* Value, then the half width of its interval: "−0.37 ± 0.78 pp". */
char *pare_format_pp_interval (double difference, double low, double high, int decimals);
/* What became of `before`: "−88 %", "+3 %", "0 %"; missing where before is zero. */
char *pare_format_change (double now, double before);
char *pare_format_bits (int bits); /* "4"; 32: "float" */
G_END_DECLS
