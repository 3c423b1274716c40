/* What the machine can do: short loops on every thread, started together; of several rounds the best, since whatever else runs only makes
 * them slower. */
#include "engine/base/pare-error.h"
#include "engine/cost/pare-profile.h"

#include <glib/gstdio.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <immintrin.h>
#define ON_X86 1
#endif

#ifdef __aarch64__
#include <arm_neon.h>
#endif

#define ROUNDS 80
#define ROUND_MS 1.0                    /* short: on a busy machine a long one is never left alone */
#define STREAM_BYTES ((gsize)128 << 20) /* of all threads, twice: more than the caches hold */
#define STREAM_MOST ((gsize)64 << 20)   /* of one */
#define STREAM_LEAST ((gsize)8 << 20)
#define FILE_VERSION 2
#define KEPT_SECONDS (30 * G_GINT64_CONSTANT (86400)) /* then a system may have changed enough */

typedef void (*Loop) (guint64 n, gpointer memory);

/* Results go here, so that no loop is dropped. */
static volatile float float_sink;
static volatile int int_sink;

/* --- loops; each turn does what its comment says --- */

/* 8 vectors of 4: 64 operations */
typedef float Four __attribute__ ((vector_size (16)));

static void
floats_plain (guint64 n, gpointer memory)
{
  volatile float start = 0.999f;
  Four x = { start, start, start, start }, y = x * 1e-3f, a[8];
  for (int i = 0; i < 8; i++)
    a[i] = x * (float)i;
  for (guint64 k = 0; k < n; k++)
    for (int i = 0; i < 8; i++)
#ifdef __aarch64__
      a[i] = (Four)vfmaq_f32 ((float32x4_t)y, (float32x4_t)a[i], (float32x4_t)x);
#else
      a[i] = a[i] * x + y;
#endif
  for (int i = 1; i < 8; i++)
    a[0] += a[i];
  float_sink = a[0][0];
}

#ifdef ON_X86
#define PRAGMA(words) _Pragma (#words)
/* So many vectors, each its own chain of dependent steps a = step (a, x, y), enough of them to fill the units; folded into one at the end.
 */
#define LOOP(name, isa, Vector, count, Scalar, x_is, y_is, broadcast, step, add, sink, first)                                              \
  __attribute__ ((target (isa))) static void name (guint64 n, gpointer memory)                                                             \
  {                                                                                                                                        \
    volatile Scalar start = x_is;                                                                                                          \
    Vector x = broadcast (start), y = broadcast (y_is), a[count];                                                                          \
    for (int i = 0; i < count; i++)                                                                                                        \
      a[i] = broadcast ((Scalar)i);                                                                                                        \
    for (guint64 k = 0; k < n; k++)                                                                                                        \
      PRAGMA (GCC unroll count)                                                                                                            \
    for (int i = 0; i < count; i++)                                                                                                        \
      a[i] = step (a[i], x, y);                                                                                                            \
    for (int i = 1; i < count; i++)                                                                                                        \
      a[0] = add (a[0], a[i]);                                                                                                             \
    sink = first;                                                                                                                          \
  }

/* 10 vectors of 8: 160 operations */
LOOP (floats_avx2, "avx2,fma", __m256, 10, float, 0.999f, start * 1e-3f, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, float_sink,
      _mm256_cvtss_f32 (a[0]))
/* 16 vectors of 16: 512 operations */
LOOP (floats_avx512, "avx512f", __m512, 16, float, 0.999f, start * 1e-3f, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, float_sink,
      _mm512_cvtss_f32 (a[0]))
/* 16 vectors of 64 products: 2048 operations */
LOOP (bytes_avx512, "avx512f,avx512vnni", __m512i, 16, int, 0x01020102, start ^ 0x03, _mm512_set1_epi32, _mm512_dpbusd_epi32,
      _mm512_add_epi32, int_sink, _mm512_cvtsi512_si32 (a[0]))
/* 10 vectors of 32 products: 640 operations */
LOOP (bytes_avx2, "avx2,avxvnni", __m256i, 10, int, 0x01020102, start ^ 0x03, _mm256_set1_epi32, _mm256_dpbusd_avx_epi32, _mm256_add_epi32,
      int_sink, _mm256_extract_epi32 (a[0], 0))

static gboolean
has_avxvnni (void)
{
  unsigned a, b, c, d;
  return __builtin_cpu_supports ("avx2") && __get_cpuid_count (7, 1, &a, &b, &c, &d) && (a & 16) != 0;
}
#endif

typedef struct
{
  guint8 *bytes; /* twice `half` */
  gsize half;
} Memory;

/* Copies: `half` bytes are read and as many written */
static void
stream (guint64 n, gpointer data)
{
  Memory *memory = data;
  for (guint64 k = 0; k < n; k++)
    {
      memcpy (memory->bytes + (k % 2 ? 0 : memory->half), memory->bytes + (k % 2 ? memory->half : 0), memory->half);
      int_sink = memory->bytes[memory->half / 2];
    }
}

typedef struct
{
  Loop run; /* NULL: no instruction for it */
  double operations;
  const char *isa;
} Kernel;

static Kernel
float_kernel (void)
{
#ifdef ON_X86
  if (__builtin_cpu_supports ("avx512f"))
    return (Kernel){ floats_avx512, 512, "avx512" };
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    return (Kernel){ floats_avx2, 160, "avx2" };
#endif
  return (Kernel){ floats_plain, 64, "baseline" };
}

static Kernel
byte_kernel (void)
{
#ifdef ON_X86
  if (__builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512vnni"))
    return (Kernel){ bytes_avx512, 2048, "avx512-vnni" };
  if (has_avxvnni ())
    return (Kernel){ bytes_avx2, 640, "avx-vnni" };
#endif
  return (Kernel){ NULL, 0, "none" };
}

/* --- rounds --- */

typedef struct
{
  pthread_barrier_t barrier;
  Loop loop;
  guint64 n;
  double best_us; /* written by thread 0 */
  PareControl *control;
  gboolean stop; /* said by thread 0 between two barriers */
} Team;

typedef struct
{
  Team *team;
  int index;
  gpointer memory;
} Member;

static gpointer
run_member (gpointer data)
{
  Member *self = data;
  Team *team = self->team;
  for (int round = 0; round < ROUNDS; round++)
    {
      if (self->index == 0)
        team->stop = pare_control_cancelled (team->control);
      pthread_barrier_wait (&team->barrier);
      if (team->stop)
        break;
      gint64 start = g_get_monotonic_time ();
      team->loop (team->n, self->memory);
      pthread_barrier_wait (&team->barrier);
      double took = (double)(g_get_monotonic_time () - start);
      if (self->index == 0 && took > 0 && (team->best_us == 0 || took < team->best_us))
        team->best_us = took;
    }
  return NULL;
}

/* Units of work per second of all threads together. */
static double
best_rate (Loop loop, double work, int threads, Memory *memories, PareControl *control)
{
  guint64 n = 1;
  double took = 0;
  while (n < (G_GUINT64_CONSTANT (1) << 40)) /* how much fills a round */
    {
      gint64 start = g_get_monotonic_time ();
      loop (n, &memories[0]);
      took = (double)(g_get_monotonic_time () - start);
      if (took >= 200)
        break;
      n *= 4;
    }
  Team team = { .loop = loop, .n = MAX ((guint64)((double)n * ROUND_MS * 1e3 / MAX (took, 1)), 1), .control = control };
  pthread_barrier_init (&team.barrier, NULL, (unsigned)threads);
  g_autofree Member *members = g_new0 (Member, threads);
  g_autofree GThread **workers = g_new0 (GThread *, threads);
  for (int t = 0; t < threads; t++)
    members[t] = (Member){ &team, t, &memories[t] };
  for (int t = 1; t < threads; t++)
    workers[t] = g_thread_new ("pare-peaks", run_member, &members[t]);
  run_member (&members[0]);
  for (int t = 1; t < threads; t++)
    g_thread_join (workers[t]);
  pthread_barrier_destroy (&team.barrier);
  return team.best_us > 0 ? work * (double)team.n * threads / team.best_us * 1e6 : 0;
}

static void
name_cpu (char *name, gsize size)
{
  g_autofree char *text = NULL;
  g_strlcpy (name, "CPU", size);
  if (!g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL))
    return;
  static const char *const keys[] = { "model name", "Model", "Hardware", "uarch" };
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      const char *line = strstr (text, keys[i]), *colon = line != NULL ? strchr (line, ':') : NULL;
      if (colon == NULL)
        continue;
      g_autofree char *rest = g_strndup (colon + 1, strcspn (colon + 1, "\n"));
      g_strstrip (rest);
      g_strlcpy (name, rest, size);
      return;
    }
}

static void
name_machine (ParePeaks *peaks)
{
  name_cpu (peaks->cpu, sizeof peaks->cpu);
  g_snprintf (peaks->isa, sizeof peaks->isa, "%s, %s", float_kernel ().isa, byte_kernel ().isa);
}

/* The most memory that the process had before the last measurement: its own buffers are no part of that figure. */
static guint64 peak_before;
static GMutex peak_lock;

static guint64
peak_now (void)
{
  struct rusage usage;
  return getrusage (RUSAGE_SELF, &usage) == 0 ? (guint64)usage.ru_maxrss * 1024 : 0;
}

guint64
pare_cost_peak_memory (void)
{
  g_mutex_lock (&peak_lock);
  guint64 peak = MAX (peak_before, peak_now ());
  g_mutex_unlock (&peak_lock);
  return peak;
}

/* The system forgets its mark, where it can: we keep what it was. */
static void
forget_peak (guint64 before)
{
  FILE *file = peak_now () > before ? fopen ("/proc/self/clear_refs", "w") : NULL;
  if (file == NULL)
    return;
  g_mutex_lock (&peak_lock);
  if (fputs ("5", file) >= 0 && fflush (file) == 0)
    peak_before = MAX (peak_before, before);
  g_mutex_unlock (&peak_lock);
  fclose (file);
}

gboolean
pare_peaks_measure (int threads, ParePeaks *peaks, PareControl *control, GError **error)
{
  threads = CLAMP (threads, 1, 256);
  *peaks = (ParePeaks){ .threads = threads };
  name_machine (peaks);
  g_autofree Memory *memories = g_new0 (Memory, threads);
  gsize half = CLAMP (STREAM_BYTES / threads, STREAM_LEAST, STREAM_MOST);
  guint64 before = peak_now ();
  gboolean enough = TRUE;
  for (int t = 0; t < threads && enough; t++)
    {
      memories[t] = (Memory){ malloc (2 * half), half };
      enough = memories[t].bytes != NULL;
      if (enough)
        memset (memories[t].bytes, t + 1, 2 * half); /* pages are there before the clock runs */
    }
  if (enough)
    peaks->stream_gbs = best_rate (stream, 2.0 * half, threads, memories, control) / 1e9;
  for (int t = 0; t < threads; t++)
    free (memories[t].bytes);
  forget_peak (before);
  if (!enough)
    {
      g_set_error_literal (error, PARE_ERROR, PARE_ERROR_MEMORY, "no memory to measure how fast memory is");
      return FALSE;
    }
  Kernel floats = float_kernel (), bytes = byte_kernel ();
  peaks->gflops = best_rate (floats.run, floats.operations, threads, memories, control) / 1e9;
  if (bytes.run != NULL)
    peaks->int8_gops = best_rate (bytes.run, bytes.operations, threads, memories, control) / 1e9;
  peaks->when = g_get_real_time () / G_USEC_PER_SEC;
  return !pare_control_check (control, error);
}

/* --- kept --- */

char *
pare_peaks_path (void)
{
  return g_build_filename (g_get_user_cache_dir (), "pare", "peaks.ini", NULL);
}

/* A virtual machine may hide instructions of the CPU that it names. */
static char *
group_of (const ParePeaks *peaks)
{
  char *group = g_strdup_printf ("%d threads, %s, %s", peaks->threads, peaks->isa, peaks->cpu);
  return g_strdelimit (group, "[]\n\r", ' ');
}

static gboolean
get_rate (GKeyFile *file, const char *group, const char *key, double *value)
{
  g_autoptr (GError) error = NULL;
  *value = g_key_file_get_double (file, group, key, &error);
  return error == NULL && isfinite (*value) && *value >= 0 && *value < 1e9;
}

gboolean
pare_peaks_load (const char *path, int threads, ParePeaks *peaks)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  ParePeaks p = { .threads = CLAMP (threads, 1, 256) };
  name_machine (&p);
  g_autofree char *group = group_of (&p);
  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL)
      || g_key_file_get_integer (file, group, "version", NULL) != FILE_VERSION || !get_rate (file, group, "float-gflops", &p.gflops)
      || !get_rate (file, group, "int8-gops", &p.int8_gops) || !get_rate (file, group, "memory-gbs", &p.stream_gbs) || p.gflops <= 0
      || p.stream_gbs <= 0)
    return FALSE;
  p.when = g_key_file_get_int64 (file, group, "measured", NULL);
  *peaks = p;
  return TRUE;
}

gboolean
pare_peaks_are_old (const ParePeaks *peaks, gint64 now)
{
  return now - peaks->when > KEPT_SECONDS || now < peaks->when;
}

gboolean
pare_peaks_save (const char *path, const ParePeaks *peaks, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *group = group_of (peaks), *folder = g_path_get_dirname (path);
  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_KEEP_COMMENTS, NULL))
    {
      g_key_file_unref (file);
      file = g_key_file_new ();
    }
  g_mkdir_with_parents (folder, 0700);
  g_key_file_set_integer (file, group, "version", FILE_VERSION);
  g_key_file_set_double (file, group, "float-gflops", peaks->gflops);
  g_key_file_set_double (file, group, "int8-gops", peaks->int8_gops);
  g_key_file_set_double (file, group, "memory-gbs", peaks->stream_gbs);
  g_key_file_set_int64 (file, group, "measured", peaks->when);
  return g_key_file_save_to_file (file, path, error);
}
