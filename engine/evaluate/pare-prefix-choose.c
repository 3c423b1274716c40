/* Which states are worth their memory. */
#include "engine/evaluate/pare-prefix-private.h"

#include <math.h>

/* Rough speeds of one core, for the trade between computing and fetching; what they decide is only which states are kept. */
#define MULTIPLICATIONS_PER_SECOND 4e10
#define BYTES_PER_SECOND 2e10

guint64
pare_prefix_expected_bytes (const PareCut *cut)
{
  guint64 bytes = 64;
  for (guint i = 0; i < cut->n_pieces; i++)
    bytes += cut->pieces[i].scale > 0 ? cut->pieces[i].bytes / sizeof (float) : cut->pieces[i].bytes;
  return bytes;
}

double
pare_prefix_worth (const PareCuts *cuts, const PareCut *cut)
{
  return cut->work * (double)cuts->work / MULTIPLICATIONS_PER_SECOND - 2.0 * (double)cut->bytes / BYTES_PER_SECOND;
}

/* Samples that fit. */
static double
kept (const PareCut *cut, guint n, guint64 budget)
{
  return MIN ((double)n, (double)budget / (double)pare_prefix_expected_bytes (cut));
}

guint
pare_prefix_choose_before (const PareCuts *cuts, guint step, guint n, guint64 budget)
{
  guint best = G_MAXUINT;
  double most = 0;
  for (guint i = 0; i < cuts->n && cuts->cuts[i].step <= step; i++)
    {
      double gain = pare_prefix_worth (cuts, &cuts->cuts[i]) * kept (&cuts->cuts[i], n, budget / 4 * 3);
      if (gain > most)
        {
          most = gain;
          best = i;
        }
    }
  return best;
}

/* The cut that adds most for each byte to what others spare already. */
static guint
find_next (const PareCuts *cuts, const double *weights, const double *spared, guint n, guint64 budget)
{
  guint best = G_MAXUINT;
  double best_rate = 0;
  for (guint i = 0; i < cuts->n; i++)
    {
      const PareCut *cut = &cuts->cuts[i];
      double gain = 0, worth = pare_prefix_worth (cuts, cut), share = kept (cut, n, budget) / MAX (n, 1);
      for (guint s = cut->step; s < cuts->n_steps && worth > 0; s++)
        gain += weights[s] * MAX (0, worth * share - spared[s]);
      double rate = gain / (double)pare_prefix_expected_bytes (cut);
      if (rate > best_rate && share > 0.05)
        {
          best_rate = rate;
          best = i;
        }
    }
  return best;
}

GArray *
pare_prefix_choose (const PareCuts *cuts, const double *weights, const GArray *first, guint n, guint64 budget, guint most)
{
  GArray *chosen = g_array_new (FALSE, FALSE, sizeof (guint));
  g_autofree double *spared = g_new0 (double, cuts->n_steps + 1);
  guint given = first != NULL ? first->len : 0;
  while (chosen->len < most)
    {
      guint best = chosen->len < given ? g_array_index (first, guint, chosen->len) : find_next (cuts, weights, spared, n, budget);
      if (best == G_MAXUINT)
        break;
      const PareCut *cut = &cuts->cuts[best];
      double worth = pare_prefix_worth (cuts, cut) * kept (cut, n, budget) / MAX (n, 1);
      for (guint s = cut->step; s < cuts->n_steps; s++)
        spared[s] = MAX (spared[s], worth);
      budget -= MIN (budget, (guint64)(kept (cut, n, budget) * (double)pare_prefix_expected_bytes (cut)));
      g_array_append_val (chosen, best);
    }
  return chosen;
}
