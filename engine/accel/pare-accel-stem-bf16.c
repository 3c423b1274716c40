/* The first convolution of a network on bfloat16: few channels, read as they come, plane by plane; and those with few results, which leave
 * planes, or whole pixels where there are few channels, too. A band of rows is copied with its padding, two planes to one of pairs, an odd
 * one paired with itself one column on; what a pair of terms multiplies then lies at one offset for all results of a row. Where there is a
 * matrix unit, pixels are copied whole, and tiles read a row of the window at once; so do windows of one block of channels. */
#include "engine/accel/pare-accel-bfloats-private.h"

#include <string.h>

#define MOST_CHANNELS 4
#define ROWS 8            /* of results in a band */
#define PRODUCTS 140      /* in a nanosecond, of one thread */
#define BY_TILES 600      /* the same of the matrix unit */
#define BAND (384 * 1024) /* bytes of a band at most, where there are many channels */

typedef struct
{
  int64_t batch, channels, n, in[2], out[2], kernel[2], stride[2], pad[2];
  int64_t rows, pitch; /* of a plane's copy, in elements of one plane */
  int64_t together;    /* by tiles: elements of a pixel, which lie side by side instead; else 0 */
  int64_t run, skip;   /* pairs of a step then; pixels between rows of results, if these are multiplied together */
  bool turned;         /* by tiles, of one channel: rows are columns */
  int64_t y_row, y_line, y_block, y_image, pairs; /* y_row: from result to result, y_line: from row to row of them */
  const int64_t *taps;
  const uint16_t *weights;
  const float *factor, *bias;
  PareAfter after;
  bool residual, wide_residual; /* of many channels only */
  bool wide_x, wide;
  bool few;        /* results, which lie in planes; weights: groups of them */
  bool across;     /* as few of them, which lie pixel by pixel */
  int64_t scratch; /* elements of a thread */
} Stem;

/* Where row r of a band of pixels lies: rows that are as far apart as rows of windows follow one another. */
static int64_t
place_of_row (const Stem *s, int64_t r)
{
  int64_t apart = (s->rows + s->stride[0] - 1) / s->stride[0];
  return (r % s->stride[0] * apart + r / s->stride[0]) * s->pitch * s->together;
}

#if defined(__x86_64__) && defined(__GNUC__)
#include "engine/accel/pare-accel-bfloats-lanes.inc.h"

/* Pairs of x[a..] and x[b..], floats or bfloat16, where the masks have them; else 0. */
BF16 INLINE __m512i
pairs_in (const void *x, const bool wide, int64_t a, __mmask16 first, int64_t b, __mmask16 second)
{
  __m512i both;
  if (wide)
    {
      const float *row = x;
      both = (__m512i)_mm512_cvtne2ps_pbh (_mm512_maskz_loadu_ps (second, row + b), _mm512_maskz_loadu_ps (first, row + a));
    }
  else
    {
      const uint16_t *row = x;
      both = _mm512_inserti64x4 (_mm512_castsi256_si512 (_mm256_maskz_loadu_epi16 (first, row + a)),
                                 _mm256_maskz_loadu_epi16 (second, row + b), 1);
    }
  return in_turn (both);
}

/* The same of the first n <= 16; b -1: 0. */
BF16 INLINE __m512i
pairs_of (const void *x, bool wide, int64_t a, int64_t b, int64_t n)
{
  __mmask16 some = (__mmask16)((1u << n) - 1);
  return pairs_in (x, wide, a, some, b, b < 0 ? 0 : some);
}

/* The same of any number of them. */
BF16 static void
join (uint16_t *to, const void *x, bool wide, int64_t a, int64_t b, int64_t n)
{
  for (int64_t i = 0; i < n; i += LANES)
    {
      int64_t some = n - i < LANES ? n - i : LANES;
      _mm512_mask_storeu_epi32 (to + 2 * i, (__mmask16)((1u << some) - 1), pairs_of (x, wide, a + i, b + i, some));
    }
}

/* Pixels of three or four channels (`fourth`), planes apart, of four elements. */
BF16 static void
join_four (uint16_t *to, const void *x, bool wide, int64_t at, int64_t plane, bool fourth, int64_t n)
{
  const __m512i low = _mm512_setr_epi32 (0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
                high = _mm512_setr_epi32 (8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  for (int64_t i = 0; i < n; i += LANES, at += LANES, to += 4 * LANES)
    {
      int64_t some = n - i < LANES ? n - i : LANES;
      uint32_t mask = (uint32_t)((UINT64_C (1) << 2 * some) - 1);
      __m512i two = pairs_of (x, wide, at, at + plane, some), more = pairs_of (x, wide, at + 2 * plane, fourth ? at + 3 * plane : -1, some);
      _mm512_mask_storeu_epi32 (to, (__mmask16)mask, _mm512_permutex2var_epi32 (two, low, more));
      _mm512_mask_storeu_epi32 (to + 2 * LANES, (__mmask16)(mask >> LANES), _mm512_permutex2var_epi32 (two, high, more));
    }
}

/* Pixels of one channel. */
BF16 static void
copy_one (uint16_t *to, const void *x, bool wide, int64_t at, int64_t n)
{
  if (!wide)
    memcpy (to, (const uint16_t *)x + at, (size_t)n * sizeof *to);
  for (int64_t i = 0; wide && i < n; i += LANES)
    store_some (to, false, i, load_some ((const float *)x + at, true, i, n - i < LANES ? n - i : LANES), n - i < LANES ? n - i : LANES);
}

/* The same of a column of an image, `step` apart. */
BF16 static void
copy_column (uint16_t *to, const void *x, bool wide, int64_t at, int64_t n, int64_t step)
{
  const __m512i places
      = _mm512_mullo_epi32 (_mm512_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32 ((int)step));
  for (int64_t i = 0; !wide && i < n; i++)
    to[i] = ((const uint16_t *)x)[at + i * step];
  for (int64_t i = 0; wide && i < n; i += LANES)
    {
      int64_t some = n - i < LANES ? n - i : LANES;
      __m512 all = _mm512_mask_i32gather_ps (ALL (0), (__mmask16)((1u << some) - 1), places, (const float *)x + at + i * step, 4);
      store_some (to, false, i, all, some);
    }
}

/* What the results of rows oy..oy + n - 1 need of an image, pixel by pixel. */
static void
lay_out_pixels (const Stem *s, const void *x, int64_t oy, int64_t n, uint16_t *band)
{
  int64_t above = oy * s->stride[0] - s->pad[0], rows = (n - 1) * s->stride[0] + s->kernel[0], plane = s->in[0] * s->in[1],
          some = s->pitch - s->pad[1] < s->in[1] ? s->pitch - s->pad[1] : s->in[1], t = s->together;
  for (int64_t r = 0; r < rows; r++)
    {
      int64_t iy = above + r, at = s->turned ? iy : iy * s->in[1];
      uint16_t *to = band + place_of_row (s, r), *row = to + s->pad[1] * t;
      if (iy < 0 || iy >= s->in[0])
        {
          memset (to, 0, (size_t)(s->pitch * t) * sizeof *to);
          continue;
        }
      memset (to, 0, (size_t)(s->pad[1] * t) * sizeof *to);
      memset (row + some * t, 0, (size_t)((s->pitch - s->pad[1] - some) * t) * sizeof *to);
      if (s->turned)
        copy_column (row, x, s->wide_x, at, some, s->in[0]);
      else if (t == 1)
        copy_one (row, x, s->wide_x, at, some);
      else if (t == 2)
        join (row, x, s->wide_x, at, at + plane, some);
      else if (t > MOST_CHANNELS)
        memcpy (row, (const uint16_t *)x + at * t, (size_t)(some * t) * sizeof *to);
      else
        join_four (row, x, s->wide_x, at, plane, s->channels == 4, some);
    }
}

/* Those of columns at..at + LANES - 1 of a row of `width`. */
INLINE __mmask16
inside (int64_t at, int64_t width)
{
  uint32_t from = at >= 0 ? 0xffffu : at > -LANES ? 0xffffu << -at : 0;
  int64_t left = width - at;
  return (__mmask16)(from & (left >= LANES ? 0xffffu : left > 0 ? (1u << left) - 1 : 0));
}

/* A row of `pitch` pairs, whole vectors of them: of two planes, or of neighbours in one. */
BF16 INLINE void
join_row (uint16_t *to, const void *x, const bool wide, int64_t a, int64_t b, int64_t shift, int64_t width, int64_t pad, int64_t pitch)
{
  for (int64_t i = 0; i < pitch; i += LANES)
    {
      int64_t at = i - pad;
      __m512i both = pairs_in (x, wide, a + at, inside (at, width), b + at, inside (at + shift, width));
      _mm512_storeu_si512 (to + 2 * i, both);
    }
}

/* The same in planes of pairs. Vectors of a row may end in the next one, which follows. */
BF16 static void
lay_out (const Stem *s, const void *x, int64_t oy, int64_t n, uint16_t *to)
{
  int64_t above = oy * s->stride[0] - s->pad[0], rows = (n - 1) * s->stride[0] + s->kernel[0], width = s->in[1], plane = s->in[0] * width;
  for (int64_t c = 0; c < s->channels; c += 2)
    for (int64_t r = 0; r < rows; r++)
      {
        uint16_t *row = to + (c / 2 * s->rows + r) * s->pitch * 2;
        int64_t iy = above + r, a = c * plane + iy * width, shift = c + 1 < s->channels ? 0 : 1, b = shift ? a + 1 : a + plane;
        bool there = iy >= 0 && iy < s->in[0];
        if (s->wide_x)
          join_row (row, x, true, a, b, shift, there ? width : 0, s->pad[1], s->pitch);
        else
          join_row (row, x, false, a, b, shift, there ? width : 0, s->pad[1], s->pitch);
      }
}

/* Results of a group of n. */
static int
count_of (int64_t left, bool across)
{
  return left == 12 && across ? 12 : left >= 8 ? 8 : left >= 4 ? 4 : 1;
}

/* A row of few results. */
static void
run_few (const Stem *s, const PareView *y, const uint16_t *x, int64_t image, int64_t oy)
{
  for (int64_t c = 0, count; c < s->n; c += count)
    {
      int64_t to = s->across ? image * s->y_image + oy * s->y_line + c : ((image * s->n + c) * s->out[0] + oy) * s->out[1];
      count = count_of (s->n - c, s->across);
      pare_accel_few_row (&(PareBfloatFew){ .pairs = s->pairs,
                                            .taps = s->taps,
                                            .x = x,
                                            .weights = s->weights + c * s->pairs * 2,
                                            .factor = s->factor,
                                            .bias = s->bias,
                                            .count = (int)count,
                                            .stride = (int)s->stride[1],
                                            .columns = s->out[1],
                                            .y_plane = s->out[0] * s->out[1],
                                            .y_pixel = s->across ? s->y_row : 0,
                                            .y = { (char *)y->data + to * (s->wide ? 4 : 2), s->wide },
                                            .after = &s->after,
                                            .first = c });
    }
}

static void
run (const void *params, const PareView *args, int part, int parts)
{
  const Stem *s = params;
  const PareBfloats *isa = s->together ? pare_accel_bfloats_for (s->out[0] * s->out[1]) : pare_accel_bfloats ();
  uint16_t *band = pare_accel_scratch (&args[2], part);
  int64_t all = s->batch * s->out[0], row = all * part / parts, end = all * (part + 1) / parts;
  pare_accel_hold_tiles ();
  while (row < end)
    {
      int64_t image = row / s->out[0], oy = row % s->out[0], some = end - row < ROWS ? end - row : ROWS;
      some = some > s->out[0] - oy ? s->out[0] - oy : some;
      const char *x = (const char *)args[0].data + image * s->channels * s->in[0] * s->in[1] * (s->wide_x ? 4 : 2);
      if (s->together)
        lay_out_pixels (s, x, oy, some, band);
      else
        lay_out (s, x, oy, some, band);
      for (int64_t r = 0; r < some; r += s->skip ? some : 1)
        {
          const uint16_t *a = band + (s->together ? r * s->together : r * s->stride[0] * 2) * s->pitch;
          if (s->few || s->across)
            {
              run_few (s, &args[1], a, image, oy + r);
              continue;
            }
          int64_t y = image * s->y_image + (oy + r) * s->y_line;
          pare_accel_multiply_pairs (
              isa, s->n,
              &(PareBfloatProduct){ .rows = s->out[1] + (s->skip ? (some - 1) * (s->out[1] + s->skip) : 0),
                                    .pairs = s->pairs,
                                    .a = a,
                                    .a_row = s->stride[1] * (s->together ? s->together : 2),
                                    .taps = s->taps,
                                    .run = s->run,
                                    .line = s->out[1],
                                    .skip = s->skip,
                                    .b = s->weights,
                                    .factor = s->factor,
                                    .bias = s->bias,
                                    .c = pare_accel_place (&args[1], s->wide, y),
                                    .c_row = s->y_row,
                                    .c_block = s->y_block,
                                    .residual = s->residual ? pare_accel_place (&args[3], s->wide_residual, y) : (PareBfloatPlace){ NULL },
                                    .after = &s->after });
        }
      row += some;
    }
  pare_accel_release_tiles ();
}

#else
static void
run (const void *params, const PareView *args, int part, int parts)
{
}
#endif

/* [pairs][count][2] for each group of results. */
static void
pack_few (const Stem *s, const float *weights, int64_t k, const int32_t *terms, uint16_t *to)
{
  for (int64_t c = 0, count; c < s->n; c += count)
    {
      count = count_of (s->n - c, s->across);
      for (int64_t j = 0; j < s->pairs; j++)
        for (int64_t i = 0; i < count; i++)
          for (int half = 0; half < 2; half++)
            {
              int32_t term = terms[2 * j + half];
              uint32_t bits = 0;
              if (term >= 0)
                memcpy (&bits, weights + (c + i) * k + term, sizeof bits);
              *to++ = (uint16_t)(bits >> 16);
            }
    }
}

/* Few results take vectors of pixels rather than of channels. */
static bool
is_few (const PareConvParams *p, const PareConvShape *shape, const PareShape *x, const PareShape *y)
{
  int64_t n = y->dims[1], pixels = y->dims[3], whole = (pixels + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK, step = shape->stride[1];
  double macs = (double)n * (double)whole * (double)y->dims[2] * (double)(x->dims[1] * p->kernel[0] * p->kernel[1]);
  double ours = macs / (n < 4 ? 80 : 180) + 0.3 * (double)(x->dims[1] * x->dims[2] * x->dims[3]),
         theirs = macs * (double)pixels / (double)whole / (14 * (double)n);
  return n <= PARE_BF16_MOST_RESULTS && p->kernel[0] * p->kernel[1] > 1 && (step == 1 || step == 2) && ours < 0.8 * theirs;
}

/* Of results that fill one vector at most, a product reads memory once for each step: vectors of pixels need that less often, though a
 * stride of 2 reads twice. */
static bool
is_across (const Stem *s)
{
  int64_t whole = (s->out[1] + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK;
  return s->channels <= MOST_CHANNELS && s->n <= PARE_BLOCK && s->n % 4 == 0 && s->stride[1] <= 2 && !s->wide && !s->residual
         && (s->stride[1] == 1 ? 3 : 4) * whole * s->n < 4 * s->out[1] * PARE_BLOCK;
}

/* Terms of a row of the window, as pixels have them, in steps of a run. */
static int64_t
find_pixel_terms (const Stem *s, int64_t *taps, int32_t *terms)
{
  int64_t area = s->kernel[0] * s->kernel[1], line = s->pairs / s->kernel[0], n = 0;
  for (int64_t ky = 0; ky < s->kernel[0]; ky++)
    for (int64_t i = 0; i < 2 * line; i++, n++)
      {
        int64_t kx = i / s->together, c = i % s->together;
        if (i % 2 == 0)
          taps[n / 2] = place_of_row (s, ky) + i;
        int64_t tap = s->turned ? kx * s->kernel[0] + ky : ky * s->kernel[1] + kx;
        terms[n] = kx < s->kernel[1] && c < s->channels ? (int32_t)(c * area + tap) : -1;
      }
  return n / 2;
}

/* Pairs of terms, and where they lie in a band. */
static bool
pack (PareAccel *self, Stem *s, const float *weights)
{
  int64_t area = s->kernel[0] * s->kernel[1], across = (s->kernel[1] + 1) / 2, k = s->channels * area, n = 0;
  if (!s->together)
    s->pairs = s->channels / 2 * area + s->channels % 2 * s->kernel[0] * across;
  int64_t *taps = pare_accel_pack (self, (uint64_t)s->pairs * sizeof *taps);
  int32_t *terms = pare_accel_pack (self, (uint64_t)s->pairs * 2 * sizeof *terms);
  uint16_t *packed = pare_accel_pack (self, (uint64_t)((s->n + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK * s->pairs) * 2 * sizeof *packed);
  if (!taps || !terms || !packed)
    return false;
  if (s->together)
    n = find_pixel_terms (s, taps, terms);
  for (int64_t c = 0; c < s->channels && !s->together; c += 2)
    for (int64_t ky = 0; ky < s->kernel[0]; ky++)
      for (int64_t kx = 0; kx < s->kernel[1]; kx += c + 1 < s->channels ? 1 : 2, n++)
        {
          int64_t term = c * area + ky * s->kernel[1] + kx;
          taps[n] = ((c / 2 * s->rows + ky) * s->pitch + kx) * 2;
          terms[2 * n] = (int32_t)term;
          terms[2 * n + 1] = (int32_t)(c + 1 < s->channels ? term + area : kx + 1 < s->kernel[1] ? term + 1 : -1);
        }
  if (s->few || s->across)
    pack_few (s, weights, k, terms, packed);
  else
    pare_accel_pack_pairs (weights, s->n, k, terms, s->pairs, packed);
  s->weights = packed;
  s->taps = taps;
  return true;
}

static bool
has_tiles (int64_t rows)
{
  return pare_accel_bfloats_for (rows) != pare_accel_bfloats ();
}

/* A block of channels, which is one vector to oneDNN, which takes its matrix kernels for more only: windows of it fill tiles. So do those
 * of less, which oneDNN fills up with zeros. */
static bool
is_deep (const PareConvParams *p, const PareShape *x, const PareShape *y)
{
  int64_t c = x->dims[1];
  return p->spatial == 2 && p->kernel[0] > 1 && p->kernel[1] > 1 && c > MOST_CHANNELS && c <= PARE_BLOCK && c % 2 == 0
         && y->dims[1] % PARE_BLOCK == 0 && has_tiles (y->dims[2] * y->dims[3]);
}

static const PareMd *
pixels_of (PareAccel *self, bool blocked, dnnl_data_type_t type, const PareShape *y)
{
  return blocked ? pare_md_new_blocks (self->mds, type, y->rank, y->dims) : pare_md_new_channels_last (self->mds, type, y->rank, y->dims);
}

static void
swap (int64_t pair[2])
{
  int64_t first = pair[0];
  pair[0] = pair[1];
  pair[1] = first;
}

/* Steps of tiles that a result takes, where rows of them are `out` long and each window has so many rows. */
static double
steps_of (int64_t out, int64_t kernel, int64_t stride)
{
  int64_t whole = (out + PARE_BLOCK - 1) / PARE_BLOCK * PARE_BLOCK;
  return (double)kernel * (stride == 1 ? 1 : (double)whole / (double)out);
}

/* Of one channel, whether rows or columns are read may be chosen: long rows of results fill tiles, flat windows take few steps. */
static void
turn (Stem *s)
{
  if (s->channels > 1 || s->kernel[0] > 2 * PARE_BLOCK
      || steps_of (s->out[0], s->kernel[1], 2) > 0.7 * steps_of (s->out[1], s->kernel[0], s->stride[0] * s->stride[1]))
    return;
  s->turned = true;
  s->y_line = s->y_row;
  s->y_row *= s->out[1];
  swap (s->in);
  swap (s->out);
  swap (s->kernel);
  swap (s->stride);
  swap (s->pad);
  s->rows = (ROWS - 1) * s->stride[0] + s->kernel[0];
}

/* Steps of about the same length, of whole rows of the window. */
static void
plan_pixels (Stem *s)
{
  turn (s);
  s->together = s->channels == 3 ? 4 : s->channels;
  int64_t line = (s->kernel[1] * s->together + 1) / 2, steps = (line + PARE_BLOCK - 1) / PARE_BLOCK;
  s->run = (line + steps - 1) / steps;
  s->pairs = s->kernel[0] * steps * s->run;
  s->pitch = (s->out[1] - 1) * s->stride[1] + (2 * steps * s->run + s->together - 1) / s->together;
  s->pitch = (s->pitch + s->stride[1] - 1) / s->stride[1] * s->stride[1]; /* rows of results go on where the last one ended */
  s->skip = s->pitch / s->stride[1] - s->out[1];
  if (s->turned || (s->skip > s->out[1] / 8 + 2 && s->skip + s->out[1] > pare_accel_whole_blocks (s->out[1])))
    s->skip = 0;
  s->scratch = place_of_row (s, s->stride[0]) + s->stride[0] * ((s->rows + s->stride[0] - 1) / s->stride[0]) * s->pitch * s->together;
}

/* Convolution `step` of x, which is rounded while it is read if it is of floats. */
static bool
make (PareAccel *self, uint32_t step, uint32_t x, const PareConvShape *shape)
{
  const PareRtStep *st = &self->plan->steps[step];
  const PareConvParams *p = (const PareConvParams *)(self->plan->params + st->params);
  const PareShape *sx = &self->plan->values[x].shape, *sy = &self->plan->values[st->out[0]].shape;
  const float *weights = pare_accel_constant (self, st->in[1]);
  bool few = st->op == PARE_RT_CONV && p->spatial == 2 && is_few (p, shape, sx, sy);
  uint32_t residual = pare_accel_operand (st, 3), there = PARE_RT_NONE, y;
  bool deep = st->op == PARE_RT_CONV && x == st->in[0] && is_deep (p, sx, sy);
  if (!pare_accel_bfloats () || st->op != PARE_RT_CONV || p->spatial > 2 || p->group != 1 || (sx->dims[1] > MOST_CHANNELS && !few && !deep)
      || !weights || (residual != PARE_RT_NONE && !deep) || !pare_accel_after_knows (p->activation))
    return false;
  const PareMd *plain = pare_accel_plain_md (self, x), *src = pare_accel_native_any (self, x);
  PareFolded f;
  if (few && plain && src != plain)
    src = pare_md_with_type (self->mds, plain, dnnl_bf16);
  const PareMd *blocks = deep && sx->dims[1] == PARE_BLOCK ? pare_md_new_blocks (self->mds, dnnl_bf16, sx->rank, sx->dims) : NULL;
  bool blocked = blocks && src == blocks;
  if (deep && !blocked)
    src = pare_md_new_channels_last (self->mds, dnnl_bf16, sx->rank, sx->dims);
  if (!plain || !src || (!deep && src != plain && src != pare_md_with_type (self->mds, plain, dnnl_bf16))
      || !pare_accel_fold (self, step, &f))
    return false;
  PareAccelResult result = pare_accel_result (self, f.y);
  const PareMd *dst
      = few ? pare_md_new_typed (self->mds, result.type, sy->rank, sy->dims, NULL) : pixels_of (self, blocked, result.type, sy);
  const PareMd *added = residual != PARE_RT_NONE ? pare_accel_native_any (self, residual) : NULL;
  int64_t n = sy->dims[1], out = pare_shape_count (sy) / (sy->dims[0] * n);
  Stem s = { .batch = sx->dims[0],
             .channels = sx->dims[1],
             .n = n,
             .y_row = blocked ? PARE_BLOCK : n,
             .y_block = blocked ? out * PARE_BLOCK : PARE_BLOCK,
             .y_image = out * n,
             .factor = f.factor,
             .bias = f.bias,
             .after = f.after,
             .few = few,
             .residual = residual != PARE_RT_NONE,
             .wide_residual = added && pare_md_type (added) != dnnl_bf16,
             .wide_x = src == plain,
             .wide = result.type != dnnl_bf16 };
  s.in[0] = s.out[0] = s.kernel[0] = s.stride[0] = 1; /* of one dimension */
  for (int i = 0; i < p->spatial; i++)
    {
      int to = 2 - p->spatial + i;
      if (shape->dilation[i] != 1)
        return false;
      s.in[to] = sx->dims[i + 2];
      s.out[to] = sy->dims[i + 2];
      s.kernel[to] = p->kernel[i];
      s.stride[to] = shape->stride[i];
      s.pad[to] = shape->pad_begin[i];
    }
  s.y_line = s.out[1] * s.y_row;
  s.rows = (ROWS - 1) * s.stride[0] + s.kernel[0];
  s.pitch = (s.out[1] - 1) * s.stride[1] + s.kernel[1];
  s.scratch = ((s.channels + 1) / 2 * s.rows * s.pitch + 3 * PARE_BLOCK) * 2;
  if (!few && has_tiles (s.out[0] * s.out[1]))
    plan_pixels (&s);
  else
    s.across = !few && is_across (&s);
  if (!dst || (s.channels > MOST_CHANNELS && s.scratch * 2 > BAND) || s.pad[1] >= s.pitch || !pack (self, &s, weights))
    return false;
  const uint32_t now = self->building;
  const PareMd *dst_added = s.residual ? pixels_of (self, blocked, s.wide_residual ? dnnl_f32 : dnnl_bf16, sy) : NULL;
  uint32_t in = pare_accel_form (self, now, x, src);
  if (s.residual && (!dst_added || (there = pare_accel_form (self, now, residual, dst_added)) == PARE_RT_NONE))
    self->failed = true;
  if (there != PARE_RT_NONE && dst == dst_added && pare_accel_may_overwrite (self, now, there)
      && pare_accel_buffer_root (self, there) != pare_accel_buffer_root (self, in))
    {
      y = there;
      pare_accel_set_form (self, result.value, dst, there);
    }
  else
    y = pare_accel_new_form (self, result.value, dst);
  const uint32_t buffers[4] = { in, y, pare_accel_scratch_new (self, (uint64_t)s.scratch * sizeof (uint16_t)), there };
  double ns = (double)(s.batch * out * n) * (double)(s.pairs * 2) / (s.together ? BY_TILES : PRODUCTS);
  if (!pare_accel_add_work (self, now, run, &s, sizeof s, (uint64_t)(ns * PARE_ACCEL_IN_NS), buffers, s.residual ? 4 : 3))
    return false;
  return pare_accel_absorb (self, f.norm) && pare_accel_absorb (self, result.rounds);
}

bool
pare_accel_stem_bf16 (PareAccel *self, uint32_t step, const PareConvShape *shape)
{
  return make (self, step, self->plan->steps[step].in[0], shape);
}

bool
pare_accel_rounded_stem (PareAccel *self, uint32_t step)
{
  const PareRtStep *rounding = &self->plan->steps[step];
  uint32_t reader = pare_accel_only_reader (self, rounding->out[0]);
  const PareRtStep *st = reader != PARE_RT_NONE ? &self->plan->steps[reader] : NULL;
  PareConvShape shape;
  if (!st || st->op != PARE_RT_CONV || st->in[0] != rounding->out[0] || !pare_accel_is_bf16 (self, reader)
      || !pare_accel_conv_shape ((const PareConvParams *)(self->plan->params + st->params), false, &self->plan->values[st->in[0]].shape,
                                 &self->plan->values[st->in[1]].shape, &self->plan->values[st->out[0]].shape, &shape)
      || !make (self, reader, rounding->in[0], &shape))
    return false;
  self->n_bf16++;
  return pare_accel_absorb (self, reader);
}
