/* What an interval says about a limit, and how long until it says more. Display-free. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS
typedef enum
{
  PARE_VERDICT_NONE,
  PARE_VERDICT_MET,
  PARE_VERDICT_LIKELY_MET,
  PARE_VERDICT_LIKELY_MISSED,
  PARE_VERDICT_MISSED
} PareVerdict;

/* small_is_good: a budget; otherwise a floor. low, high NAN: the value alone. A limit or value that is not finite: NONE. */
PareVerdict pare_verdict (double low, double value, double high, double limit, gboolean small_is_good);
const char *pare_verdict_words (PareVerdict verdict); /* "met", "likely met", "likely missed", "missed", "" */
/* Samples still needed until an interval of half width `half` after `done` samples no longer reaches over `distance`, at the usual
 * 1/sqrt(n); 0 where it already does not; G_MAXUINT where all samples will not do. */
guint pare_samples_to_go (guint done, guint all, double half, double distance);
typedef enum
{
  PARE_LIMIT_KIND_TOLERANCE, /* points of a percent */
  PARE_LIMIT_KIND_SIZE,      /* bytes */
  PARE_LIMIT_KIND_LATENCY    /* ms */
} PareLimitKind;
/* The nearest value that is worth writing down, for a line that is dragged: it stops at 160 KiB, not at 159.7. Tolerances: 0.1 pp, 0.05
 * below 0.5; budgets: two digits, and halves of the second from 10 to 20. */
double pare_limit_round (PareLimitKind kind, double value);
int pare_limit_decimals (double tolerance_pp); /* 1, or 2 where the tenths do not say it all */
/* The sentence under the accuracy chart (transfer full). tolerance as a fraction, NAN: none. */
char *pare_accuracy_sentence (double difference, double low, double high, double tolerance, guint done, guint all);
G_END_DECLS
