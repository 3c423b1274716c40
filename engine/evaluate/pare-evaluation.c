/* From what each sample did to the figures people read. */
#include "engine/evaluate/pare-evaluate-private.h"

#include <math.h>
#include <string.h>

#define Z95 1.959963984540054
#define ALPHA 0.05

PareEvaluation *
pare_evaluation_new (guint n)
{
  PareEvaluation *self = g_new0 (PareEvaluation, 1);
  g_atomic_ref_count_init (&self->refs);
  self->n = n;
  self->top5 = self->perplexity = self->kl = NAN;
  self->prediction = g_new (gint32, MAX (n, 1));
  self->label = g_new (gint32, MAX (n, 1));
  for (guint i = 0; i < n; i++)
    self->prediction[i] = self->label[i] = -1;
  self->confidence = g_new0 (float, MAX (n, 1));
  self->correct = g_new0 (guint8, MAX (n, 1));
  self->score = g_new0 (float, MAX (n, 1));
  return self;
}

PareEvaluation *
pare_evaluation_copy (const PareEvaluation *self)
{
  PareEvaluation *copy = pare_evaluation_new (self->n);
  copy->all = self->all;
  memcpy (copy->prediction, self->prediction, self->n * sizeof *self->prediction);
  memcpy (copy->label, self->label, self->n * sizeof *self->label);
  memcpy (copy->confidence, self->confidence, self->n * sizeof *self->confidence);
  memcpy (copy->correct, self->correct, self->n * sizeof *self->correct);
  memcpy (copy->score, self->score, self->n * sizeof *self->score);
  if (self->units != NULL)
    {
      guint samples = 0;
      for (guint at = 0; at < self->n; at += self->units[samples++])
        ;
      copy->units = g_memdup2 (self->units, samples * sizeof *self->units);
    }
  return copy;
}

PareEvaluation *
pare_evaluation_ref (PareEvaluation *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
pare_evaluation_unref (PareEvaluation *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->metric);
  g_free (self->prediction);
  g_free (self->label);
  g_free (self->confidence);
  g_free (self->correct);
  g_free (self->score);
  g_free (self->outputs);
  g_free (self->units);
  pare_unfinished_free (self->unfinished);
  g_free (self);
}

void
pare_unfinished_free (PareUnfinished *self)
{
  if (self == NULL)
    return;
  g_free (self->finished);
  g_free (self->top5);
  g_free (self->kl);
  g_free (self);
}

gboolean
pare_evaluation_is_decided (const PareEvaluation *self, double tolerance)
{
  return self->has_difference && (self->difference_low >= -tolerance || self->difference_high < -tolerance);
}

static void
set_interval (PareEvaluation *self, double low, double high)
{
  self->low = CLAMP (MIN (low, self->value), 0, 1);
  self->high = CLAMP (MAX (high, self->value), 0, 1);
}

static void
set_difference (PareEvaluation *self, double d, double half)
{
  self->has_difference = TRUE;
  self->difference = d;
  self->difference_low = MAX (-1, d - half);
  self->difference_high = MIN (1, d + half);
}

/* Only the same samples may be compared. */
static gboolean
comparable (const PareEvaluation *self, const PareMeasure *m)
{
  const PareEvaluation *b = m->baseline;
  if (b == NULL || b->n < self->n || b->done < b->n || g_strcmp0 (b->metric, self->metric) != 0
      || (b->units != NULL) != (self->units != NULL))
    return FALSE;
  for (guint i = 0; i < self->n; i++)
    if (m->finished[i] && b->label[i] != self->label[i])
      return FALSE;
  return TRUE;
}

static void
measure_anomaly (PareEvaluation *self, const PareMeasure *m)
{
  g_autofree float *score = g_new (float, MAX (self->n, 1)), *before = g_new (float, MAX (self->n, 1));
  g_autofree gint32 *label = g_new (gint32, MAX (self->n, 1));
  guint n = 0;
  gboolean paired = comparable (self, m);
  for (guint i = 0; i < self->n; i++)
    if (m->finished[i])
      {
        score[n] = self->score[i];
        before[n] = paired ? m->baseline->score[i] : 0;
        label[n++] = self->label[i];
      }
  double low, high, se, value = pare_stat_auc (score, label, n, &low, &high);
  self->value = isnan (value) ? 0.5 : value; /* one class only so far: nothing is known */
  set_interval (self, low, high);
  if (!paired)
    return;
  double d = pare_stat_auc_difference (score, before, label, n, &se);
  if (!isnan (d))
    set_difference (self, d, self->done < self->all ? pare_stat_anytime_half_width (n, MAX (se, 1.0 / n), ALPHA) : Z95 * se);
}

/* Positions of one text depend on each other: texts are the unit of the intervals. */
static void
measure_clusters (PareEvaluation *self, const PareMeasure *m)
{
  g_autofree double *hits = g_new0 (double, MAX (m->n_samples, 1)), *units = g_new0 (double, MAX (m->n_samples, 1));
  g_autofree double *change = g_new0 (double, MAX (m->n_samples, 1));
  gboolean paired = comparable (self, m);
  guint clusters = 0, at = 0;
  for (guint s = 0; s < m->n_samples; at += self->units[s++])
    {
      double count = 0;
      for (guint k = at; k < at + self->units[s]; k++)
        if (m->finished[k])
          {
            count++;
            hits[clusters] += self->correct[k];
            change[clusters] += paired ? (int)self->correct[k] - (int)m->baseline->correct[k] : 0;
          }
      units[clusters] = count;
      clusters += count > 0;
    }
  double value, se;
  pare_stat_clustered (hits, units, clusters, &value, &se);
  if (clusters > 1 && se > 0)
    set_interval (self, value - Z95 * se, value + Z95 * se);
  if (!paired || clusters < 2)
    return;
  pare_stat_clustered (change, units, clusters, &value, &se);
  double half = self->done < self->all ? pare_stat_anytime_half_width (clusters, MAX (se, 1.0 / self->done), ALPHA) : Z95 * se;
  set_difference (self, value, half);
}

static void
measure_fraction (PareEvaluation *self, const PareMeasure *m)
{
  double hits = 0, top5 = 0, nll = 0;
  gboolean paired = comparable (self, m);
  self->lost = self->gained = 0;
  for (guint i = 0; i < self->n; i++)
    if (m->finished[i])
      {
        hits += self->correct[i];
        top5 += m->top5 != NULL ? m->top5[i] : 0;
        nll += self->score[i];
        if (paired)
          {
            self->lost += m->baseline->correct[i] && !self->correct[i];
            self->gained += !m->baseline->correct[i] && self->correct[i];
          }
      }
  double low, high, done = MAX (self->done, 1);
  self->value = hits / done;
  pare_stat_wilson (hits, self->done, &low, &high);
  set_interval (self, low, high);
  if (m->has_top5 && m->labelled)
    self->top5 = top5 / done;
  if (m->task == PARE_TASK_NEXT_TOKEN && m->labelled)
    self->perplexity = exp (nll / done);
  if (paired)
    {
      self->has_difference = TRUE;
      (self->done < self->all
           ? pare_stat_paired_anytime (self->done, self->lost, self->gained, ALPHA, &self->difference, &self->difference_low,
                                       &self->difference_high)
           : pare_stat_paired (self->done, self->lost, self->gained, &self->difference, &self->difference_low, &self->difference_high));
    }
  if (self->units != NULL)
    measure_clusters (self, m);
}

void
pare_evaluation_measure (PareEvaluation *self, const PareMeasure *m)
{
  double kl = 0;
  guint with_kl = 0;
  self->done = 0;
  for (guint i = 0; i < self->n; i++)
    {
      if (!m->finished[i])
        continue;
      self->done++;
      if (m->kl != NULL && !isnan (m->kl[i]))
        {
          kl += m->kl[i];
          with_kl++;
        }
    }
  self->kl = with_kl > 0 && with_kl == self->done ? kl / with_kl : NAN;
  g_free (self->metric);
  self->metric = g_strdup (!m->labelled ? "agreement" : m->task == PARE_TASK_ANOMALY ? "auc" : "top1");
  if (m->task == PARE_TASK_ANOMALY)
    measure_anomaly (self, m);
  else
    measure_fraction (self, m);
}
