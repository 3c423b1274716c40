/* What a person will put up with: points of accuracy lost, bytes, milliseconds. Part of the project, stored with it at once; no edit, so
 * undo leaves it alone. The session tells of changes by the signal "limits-changed" (also when another project is opened). */
#pragma once
#include "engine/project/pare-session.h"

G_BEGIN_DECLS
#define PARE_TOLERANCE_DEFAULT 1.0 /* points of a percent */
#define PARE_TOLERANCE_MAX 100.0

typedef enum
{
  PARE_LIMIT_TOLERANCE,
  PARE_LIMIT_SIZE,
  PARE_LIMIT_LATENCY
} PareLimit;

typedef struct
{
  double tolerance_pp; /* what accuracy may fall below the original's, points of a percent; >= 0 */
  double size_bytes;   /* packed; NAN: no budget */
  double latency_ms;   /* NAN: no budget */
} PareLimits;

void pare_limits_init (PareLimits *limits);
/* "tolerance=1 size=163840 latency=2": what the project keeps (transfer full). */
char *pare_limits_to_string (const PareLimits *limits);
/* FALSE: not readable; `limits` then holds the defaults. Values out of range are left at their default. */
gboolean pare_limits_from_string (PareLimits *limits, const char *text);

/* Those of the open project; the defaults where it says nothing. */
void pare_session_get_limits (PareSession *self, PareLimits *limits);
/* FALSE: nothing was ever said for this project (a fresh one). */
gboolean pare_session_has_limits (PareSession *self);
/* Out of range: clamped; a budget of 0 or less: none. Emits "limits-changed" where something changed. */
void pare_session_set_limits (PareSession *self, const PareLimits *limits);
/* One of them. */
void pare_session_set_limit (PareSession *self, PareLimit which, double value);
G_END_DECLS
