#include "widgets/pare-verdict.h"
#include "widgets/pare-format.h"

#include <glib/gi18n.h>
#include <math.h>

PareVerdict
pare_verdict (double low, double value, double high, double limit, gboolean small_is_good)
{
  if (!isfinite (value) || !isfinite (limit))
    return PARE_VERDICT_NONE;
  if (!isfinite (low) || !isfinite (high))
    low = high = value;
  if (!small_is_good)
    {
      double t = -low;
      low = -high;
      high = t;
      value = -value;
      limit = -limit;
    }
  if (high <= limit)
    return PARE_VERDICT_MET;
  if (low > limit)
    return PARE_VERDICT_MISSED;
  return value <= limit ? PARE_VERDICT_LIKELY_MET : PARE_VERDICT_LIKELY_MISSED;
}

const char *
pare_verdict_words (PareVerdict verdict)
{
  static const char *const words[] = { "", N_ ("met"), N_ ("likely met"), N_ ("likely missed"), N_ ("missed") };
  return *words[verdict] != '\0' ? _ (words[verdict]) : "";
}

guint
pare_samples_to_go (guint done, guint all, double half, double distance)
{
  distance = fabs (distance);
  if (!(half > distance))
    return 0;
  double need = distance > 0 ? done * (half / distance) * (half / distance) : INFINITY;
  return need > all ? G_MAXUINT : (guint)ceil (need - done);
}

double
pare_limit_round (PareLimitKind kind, double value)
{
  if (!isfinite (value))
    return value;
  if (kind == PARE_LIMIT_KIND_TOLERANCE)
    {
      double steps = fabs (value) < 0.5 ? 20 : fabs (value) < 10 ? 10 : 2; /* per point */
      return CLAMP (round (value * steps) / steps, 0, 100);
    }
  double unit = kind == PARE_LIMIT_KIND_SIZE ? 1024 : 1, v = value / unit;
  if (!(v > 0))
    return value;
  double decade = pow (10, floor (log10 (v))), step = decade * (v < 2 * decade ? 0.05 : 0.1);
  if (kind == PARE_LIMIT_KIND_SIZE)
    step = fmax (step, 1);
  /* Through a decimal text: 3 * 0.1 is to be 0.3. */
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  return g_ascii_strtod (g_ascii_formatd (buffer, sizeof buffer, "%.6g", fmax (round (v / step), 1) * step), NULL) * unit;
}

int
pare_limit_decimals (double tolerance_pp)
{
  return isfinite (tolerance_pp) && fabs (tolerance_pp * 10 - round (tolerance_pp * 10)) > 1e-6 ? 2 : 1;
}

char *
pare_accuracy_sentence (double difference, double low, double high, double tolerance, guint done, guint all)
{
  if (!isfinite (difference) || !isfinite (low) || !isfinite (high))
    return g_strdup (done < 20 && all > 0 ? _ ("Counting: an interval from 20 samples on") : "");
  if (!isfinite (tolerance))
    return g_strdup (low > 0 ? _ ("Better than the original") : high < 0 ? _ ("Worse than the original") : _ ("No difference shown"));
  PareVerdict verdict = pare_verdict (low, difference, high, -tolerance, FALSE);
  gboolean running = done < all;
  if (verdict == PARE_VERDICT_MET)
    return g_strdup (running ? _ ("Within tolerance, still counting") : _ ("Within tolerance"));
  if (verdict == PARE_VERDICT_MISSED)
    return g_strdup (running ? _ ("Beyond tolerance, still counting") : _ ("Beyond tolerance"));
  if (!running)
    return g_strdup_printf (_ ("Undecided: tolerance %s"), pare_verdict_words (verdict));
  double half = verdict == PARE_VERDICT_LIKELY_MET ? difference - low : high - difference;
  guint left = pare_samples_to_go (done, all, half, difference + tolerance);
  if (left == G_MAXUINT)
    return g_strdup_printf (_ ("Undecided, %s: all may not settle it"), pare_verdict_words (verdict));
  /* A forecast: two digits are all it is worth. */
  guint unit = left >= 1000 ? 100 : left >= 100 ? 50 : 10;
  g_autofree char *count = pare_format_count ((left + unit - 1) / unit * unit);
  return g_strdup_printf (_ ("Undecided: about %s samples to go"), count);
}
