#pragma once
#include "engine/dataset/pare-dataset.h"
#include "engine/compress/pare-recipe.h"
#include "engine/lower/pare-program.h"

/* What calibration saw of one value of the source graph (its BatchNorm and activation as in the file). Constant memory: 2048 bins that grow by merging. */
#define PARE_HISTOGRAM_BINS 2048
typedef struct {
  double min, max, sum, sum_squares;
  guint64 count;
  double bin_low, bin_width;
  guint64 bins[PARE_HISTOGRAM_BINS];
} PareHistogram;
void pare_histogram_init (PareHistogram *self);
void pare_histogram_add (PareHistogram *self, const float *x, gsize n);
void pare_histogram_merge (PareHistogram *self, const PareHistogram *other); /* order-independent result for the same set of inputs */
/* Range for quantizing: low <= 0 <= high. */
void pare_histogram_range (const PareHistogram *self, PareCalibrator calibrator, double percentile, int bits, double *low, double *high);

/* Raised when calibration gives other figures for the same input: what was stored before is measured again. */
#define PARE_STATISTICS_METHOD 1
typedef struct _PareStatistics PareStatistics;  /* immutable, reference counted */
PareStatistics *pare_statistics_ref (PareStatistics *self);
void pare_statistics_unref (PareStatistics *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PareStatistics, pare_statistics_unref)
/* Runs the source graph on the calibration split (limit samples, 0: all) and fills a histogram for every float value that a quantizer may stand on. */
PareStatistics *pare_calibrate (const PareGraph *source, PareDataset *dataset, guint limit, int threads, PareBackend backend, PareControl *control, GError **error);
/* value: name in the source graph (nullable result). */
const PareHistogram *pare_statistics_get (const PareStatistics *self, const char *value);
guint pare_statistics_get_n_samples (const PareStatistics *self);

/* Putting together and taking apart, for those who store them. Names are copied, and are all different. */
PareStatistics *pare_statistics_new (const char *const *names, const PareHistogram *histograms, guint n, guint n_samples);
/* Every value that was watched, sorted, also those that nothing was seen of. (transfer container) */
const char **pare_statistics_list (const PareStatistics *self, guint *n);
