#include "widgets/pare-format.h"

#include <math.h>

#define CHECK(call, expected)                                                                                                              \
  G_STMT_START                                                                                                                             \
  {                                                                                                                                        \
    g_autofree char *got_ = (call);                                                                                                        \
    g_assert_cmpstr (got_, ==, (expected));                                                                                                \
  }                                                                                                                                        \
  G_STMT_END

static void
test_numbers (void)
{
  CHECK (pare_format_number (0, 2), "0.00");
  CHECK (pare_format_number (-0.001, 2), "0.00"); /* never "−0.00" */
  CHECK (pare_format_number (-0.37, 2), "−0.37");
  CHECK (pare_format_number (999, 0), "999");
  CHECK (pare_format_number (1000, 0), "1 000");
  CHECK (pare_format_number (-1234567.89, 1), "−1 234 567.9");
  CHECK (pare_format_number (999.96, 1), "1 000.0");
  CHECK (pare_format_count (2140), "2 140");
  CHECK (pare_format_count (G_MININT64), "−9.22e+18");
  CHECK (pare_format_number (1e300, 1), "1.00e+300");
  CHECK (pare_format_digits (-2, 3), "−2");
  CHECK (pare_format_digits (2.4137, 3), "2.41");
  CHECK (pare_format_digits (0.01371, 3), "0.0137");
  CHECK (pare_format_digits (-1234.5, 3), "−1 234");
  CHECK (pare_format_digits (100, 3), "100");
  CHECK (pare_format_digits (0, 3), "0");
  CHECK (pare_format_digits (NAN, 3), "–");
  CHECK (pare_format_digits (1e300, 3), "1.00e+300");
}

static void
test_signed (void)
{
  CHECK (pare_format_signed (0.028, 3), "+0.028");
  CHECK (pare_format_signed (-8.5, 1), "−8.5");
  CHECK (pare_format_signed (0, 2), "0.00");
  CHECK (pare_format_signed (0.0004, 2), "0.00");
}

static void
test_missing (void)
{
  CHECK (pare_format_number (NAN, 2), "–");
  CHECK (pare_format_percent (NAN, 2), "–");
  CHECK (pare_format_ms_unit (INFINITY), "–");
  CHECK (pare_format_kib_unit (NAN), "–");
  CHECK (pare_format_pp_interval (NAN, 0, 1, 2), "–");
  CHECK (pare_format_change (1, 0), "–");
  CHECK (pare_format_change (NAN, 2), "–");
  CHECK (pare_format_bits (0), "–");
}

static void
test_units (void)
{
  CHECK (pare_format_kib (128819), "125.8");
  CHECK (pare_format_kib_unit (1084416), "1 059.0 KiB");
  CHECK (pare_format_ms_unit (1.94), "1.94 ms");
  CHECK (pare_format_ms (0.028), "0.028");
  CHECK (pare_format_ms (0), "0.00");
  CHECK (pare_format_ms (1234.5), "1 234"); /* round half to even of binary 1234.5 */
  CHECK (pare_format_percent (0.9141, 2), "91.41 %");
  CHECK (pare_format_pp (-0.0037, 2), "−0.37 pp");
  CHECK (pare_format_pp_interval (-0.0037, -0.0115, 0.0041, 2), "−0.37 ± 0.78 pp");
  CHECK (pare_format_pp_interval (0.0037, -0.001, 0.0041, 2), "+0.37 ± 0.47 pp"); /* the wider side */
  CHECK (pare_format_pp_interval (0.0037, NAN, 0.0041, 2), "+0.37 pp");
  CHECK (pare_format_change (125.8, 1059), "−88 %");
  CHECK (pare_format_change (1.03, 1), "+3 %");
  CHECK (pare_format_change (1, 1), "0 %");
  CHECK (pare_format_bits (4), "4");
  CHECK (pare_format_bits (32), "float");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/format/numbers", test_numbers);
  g_test_add_func ("/format/signed", test_signed);
  g_test_add_func ("/format/missing", test_missing);
  g_test_add_func ("/format/units", test_units);
  return g_test_run ();
}
