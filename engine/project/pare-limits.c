#include "engine/project/pare-limits.h"
#include "engine/project/pare-session-private.h"

#include <math.h>
#include <string.h>

/* Kept beside the window's layout: both are said once for a project, change no figure and belong to no edit. */
#define KEY "limits"

#define MOST_BYTES 1e15
#define MOST_MS 1e9

void
pare_limits_init (PareLimits *limits)
{
  *limits = (PareLimits){ PARE_TOLERANCE_DEFAULT, NAN, NAN };
}

static gboolean
fits (PareLimit which, double value)
{
  if (!isfinite (value))
    return FALSE;
  return which == PARE_LIMIT_TOLERANCE ? value >= 0 && value <= PARE_TOLERANCE_MAX
                                       : value > 0 && value <= (which == PARE_LIMIT_SIZE ? MOST_BYTES : MOST_MS);
}

static double *
field (PareLimits *limits, PareLimit which)
{
  return which == PARE_LIMIT_TOLERANCE ? &limits->tolerance_pp : which == PARE_LIMIT_SIZE ? &limits->size_bytes : &limits->latency_ms;
}

static const char *const names[] = { "tolerance", "size", "latency" };

char *
pare_limits_to_string (const PareLimits *limits)
{
  GString *s = g_string_new (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      double value = *field ((PareLimits *)limits, (PareLimit)i);
      char buffer[G_ASCII_DTOSTR_BUF_SIZE];
      if (fits ((PareLimit)i, value))
        g_string_append_printf (s, "%s%s=%s", s->len > 0 ? " " : "", names[i], g_ascii_dtostr (buffer, sizeof buffer, value));
    }
  return g_string_free (s, FALSE);
}

gboolean
pare_limits_from_string (PareLimits *limits, const char *text)
{
  gboolean some = FALSE;
  pare_limits_init (limits);
  if (text == NULL)
    return FALSE;
  g_auto (GStrv) parts = g_strsplit (text, " ", 8);
  for (guint k = 0; parts[k] != NULL; k++)
    for (guint i = 0; i < G_N_ELEMENTS (names); i++)
      {
        gsize n = strlen (names[i]);
        char *end;
        if (strncmp (parts[k], names[i], n) != 0 || parts[k][n] != '=')
          continue;
        double value = g_ascii_strtod (parts[k] + n + 1, &end);
        if (end == parts[k] + n + 1 || *end != '\0' || !fits ((PareLimit)i, value))
          continue;
        *field (limits, (PareLimit)i) = value;
        some = TRUE;
      }
  return some;
}

void
pare_session_get_limits (PareSession *self, PareLimits *limits)
{
  g_autofree char *text = pare_session_get_ui (self, KEY);
  pare_limits_from_string (limits, text);
}

gboolean
pare_session_has_limits (PareSession *self)
{
  PareLimits limits;
  g_autofree char *text = pare_session_get_ui (self, KEY);
  return pare_limits_from_string (&limits, text);
}

void
pare_session_set_limits (PareSession *self, const PareLimits *limits)
{
  g_return_if_fail (PARE_IS_SESSION (self) && limits != NULL);
  PareLimits clean = *limits;
  clean.tolerance_pp = isfinite (clean.tolerance_pp) ? CLAMP (clean.tolerance_pp, 0, PARE_TOLERANCE_MAX) : PARE_TOLERANCE_DEFAULT;
  for (int i = PARE_LIMIT_SIZE; i <= PARE_LIMIT_LATENCY; i++)
    if (!fits ((PareLimit)i, *field (&clean, (PareLimit)i)))
      *field (&clean, (PareLimit)i) = NAN;
  g_autofree char *was = pare_session_get_ui (self, KEY), *now = pare_limits_to_string (&clean);
  if (g_strcmp0 (was, now) == 0)
    return;
  pare_session_set_ui (self, KEY, now);
  pare_session_emit (self, SIGNAL_LIMITS);
}

void
pare_session_set_limit (PareSession *self, PareLimit which, double value)
{
  PareLimits limits;
  pare_session_get_limits (self, &limits);
  *field (&limits, which) = value;
  pare_session_set_limits (self, &limits);
}
