#include "widgets/pare-format.h"

#include <math.h>
#include <string.h>

/* Beyond this a figure is no longer read digit by digit, and "%.*f" would write hundreds of them. */
#define LARGEST 1e15

static char *
missing (void)
{
  return g_strdup (PARE_DASH);
}

static char *
with_unit (char *number, const char *unit)
{
  if (strcmp (number, PARE_DASH) == 0)
    return number;
  char *s = g_strconcat (number, " ", unit, NULL);
  g_free (number);
  return s;
}

static char *
format (double v, int decimals, gboolean plus)
{
  if (!isfinite (v))
    return missing ();
  decimals = CLAMP (decimals, 0, 12);
  char digits[64], plain[64];
  if (fabs (v) >= LARGEST)
    {
      g_snprintf (plain, sizeof plain, "%.2e", fabs (v));
      return g_strconcat (v < 0 ? PARE_MINUS : plus ? "+" : "", plain, NULL);
    }
  char pattern[16];
  g_snprintf (pattern, sizeof pattern, "%%.%df", decimals);
  /* g_ascii_formatd: a decimal point in every locale, as in the files that Pare writes. */
  g_ascii_formatd (digits, sizeof digits, pattern, fabs (v));
  gboolean zero = strspn (digits, "0.") == strlen (digits);
  GString *out = g_string_new (zero ? "" : v < 0 ? PARE_MINUS : plus ? "+" : "");
  gsize whole = strcspn (digits, ".");
  for (gsize i = 0; i < whole; i++)
    {
      if (i > 0 && (whole - i) % 3 == 0)
        g_string_append (out, PARE_THIN);
      g_string_append_c (out, digits[i]);
    }
  g_string_append (out, digits + whole);
  return g_string_free (out, FALSE);
}

char *
pare_format_number (double v, int decimals)
{
  return format (v, decimals, FALSE);
}

char *
pare_format_digits (double v, int digits)
{
  int decimals = isfinite (v) && v != 0 ? CLAMP (digits - 1 - (int)floor (log10 (fabs (v))), 0, 9) : 0;
  char *text = pare_format_number (v, decimals), *end = text + strlen (text);
  if (decimals == 0)
    return text;
  while (end[-1] == '0')
    *--end = '\0';
  if (end[-1] == '.')
    end[-1] = '\0';
  return text;
}

char *
pare_format_signed (double v, int decimals)
{
  return format (v, decimals, TRUE);
}

char *
pare_format_count (gint64 n)
{
  return format ((double)n, 0, FALSE);
}

char *
pare_format_kib (double bytes)
{
  return format (bytes / 1024.0, 1, FALSE);
}

char *
pare_format_kib_unit (double bytes)
{
  return with_unit (pare_format_kib (bytes), "KiB");
}

char *
pare_format_ms (double ms)
{
  return format (ms, fabs (ms) < 0.1 && ms != 0 ? 3 : fabs (ms) < 1000 ? 2 : 0, FALSE);
}

char *
pare_format_ms_unit (double ms)
{
  return with_unit (pare_format_ms (ms), "ms");
}

char *
pare_format_percent (double fraction, int decimals)
{
  return with_unit (format (fraction * 100, decimals, FALSE), "%");
}

char *
pare_format_pp (double fraction, int decimals)
{
  return with_unit (format (fraction * 100, decimals, TRUE), "pp");
}

char *
pare_format_pp_interval (double difference, double low, double high, int decimals)
{
  if (!isfinite (difference))
    return missing ();
  if (!isfinite (low) || !isfinite (high))
    return pare_format_pp (difference, decimals);
  /* An interval need not be symmetric; the wider side is the honest half width. */
  g_autofree char *value = format (difference * 100, decimals, TRUE);
  g_autofree char *half = format (fmax (difference - low, high - difference) * 100, decimals, FALSE);
  return g_strdup_printf ("%s ± %s pp", value, half);
}

char *
pare_format_change (double now, double before)
{
  if (!isfinite (now) || !isfinite (before) || before <= 0)
    return missing ();
  return with_unit (format ((now / before - 1) * 100, 0, TRUE), "%");
}

char *
pare_format_bits (int bits)
{
  return bits == 32 ? g_strdup ("float") : bits <= 0 ? missing () : g_strdup_printf ("%d", bits);
}
