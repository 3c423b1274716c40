/* The runner: maps a plan, runs it with the portable kernels, and says how long that took. Needs libc and threads, nothing else; it is what
 * boards get.
 *
 *   pare-rt PLAN [--input FILE]... [--output-dir DIR] [--repeat N] [--threads N] [--profile] [--hash] [--lean]
 *
 * Inputs in the plan's order, raw little-endian or .npy; zeros where none is given. Outputs are written raw as DIR/<name>.bin. lean:
 * weights are read as they lie in the plan, in less memory and slower. */
#define _POSIX_C_SOURCE 200809L
#include "engine/runtime/pare-rt-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_INPUTS 64

static int
fail (const char *file, const char *reason)
{
  fprintf (stderr, "pare-rt: error: %s: %s\n", file, reason);
  return 1;
}

static const char *
map_file (const char *path, const void **data, uint64_t *bytes)
{
  struct stat st;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return strerror (errno);
  if (fstat (fd, &st) != 0 || st.st_size <= 0)
    {
      close (fd);
      return "the file is empty or cannot be read";
    }
  void *at = mmap (NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  close (fd);
  if (at == MAP_FAILED)
    return strerror (errno);
  *data = at;
  *bytes = (uint64_t)st.st_size;
  return NULL;
}

/* The last `want` bytes of a file: raw, or behind the header of an NPY. */
static const char *
read_input (const char *path, uint64_t want, void *to)
{
  const void *data;
  uint64_t bytes = 0;
  const char *wrong = map_file (path, &data, &bytes);
  if (wrong)
    return wrong;
  const uint8_t *p = data;
  uint64_t skip = 0;
  if (bytes >= 10 && memcmp (p, "\x93NUMPY", 6) == 0)
    skip = p[6] == 1 ? 10u + p[8] + 256u * p[9] : bytes >= 12 ? 12u + p[8] + 256u * p[9] + 65536u * p[10] : bytes;
  if (skip > bytes || bytes - skip != want)
    wrong = "its size is not that of the input";
  else
    memcpy (to, p + skip, want);
  munmap ((void *)(uintptr_t)data, bytes);
  return wrong;
}

static const char *
write_output (const char *dir, const char *name, const PareView *view)
{
  char path[4096];
  int n = snprintf (path, sizeof path, "%s/%s.bin", dir, name);
  if (n < 0 || (size_t)n >= sizeof path)
    return "its name is too long";
  for (char *c = path + strlen (dir) + 1; *c; c++)
    if (*c == '/' || *c == ':')
      *c = '_';
  FILE *f = fopen (path, "wb");
  if (!f)
    return strerror (errno);
  uint64_t bytes = (uint64_t)pare_shape_bytes (&view->shape, view->dtype);
  bool fine = fwrite (view->data, 1, bytes, f) == bytes;
  return fclose (f) != 0 || !fine ? "it cannot be written" : NULL;
}

static double
now_ms (void)
{
  struct timespec t;
  clock_gettime (CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
by_size (const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

typedef struct
{
  const char *plan, *output_dir, *inputs[MOST_INPUTS];
  int n_inputs, repeat, threads;
  bool profile, hash, lean;
} Options;

static bool
read_options (int argc, char **argv, Options *o)
{
  *o = (Options){ .repeat = 1, .threads = 1 };
  for (int i = 1; i < argc; i++)
    {
      const char *a = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
      if (strcmp (a, "--profile") == 0)
        o->profile = true;
      else if (strcmp (a, "--hash") == 0)
        o->hash = true;
      else if (strcmp (a, "--lean") == 0)
        o->lean = true;
      else if (strcmp (a, "--input") == 0 && next && o->n_inputs < MOST_INPUTS)
        o->inputs[o->n_inputs++] = argv[++i];
      else if (strcmp (a, "--output-dir") == 0 && next)
        o->output_dir = argv[++i];
      else if (strcmp (a, "--repeat") == 0 && next)
        o->repeat = atoi (argv[++i]);
      else if (strcmp (a, "--threads") == 0 && next)
        o->threads = atoi (argv[++i]);
      else if (a[0] != '-' && !o->plan)
        o->plan = a;
      else
        return false;
    }
  return o->plan && o->repeat > 0 && o->repeat <= 1000000 && o->threads > 0 && o->threads <= 1024;
}

/* What every step computed; memory is reused, so each is hashed as soon as it is there: the plan is run once for each. */
static int
print_hashes (const PareRtFile *file, const PareRtWeights *weights, const PareView *inputs, const char *path)
{
  PareRtPlan part = file->plan;
  for (uint32_t s = 0; s < file->plan.n_steps; s++)
    {
      part.n_steps = s + 1;
      PareRtRunner *r = pare_rt_runner_new (&part, weights);
      if (!r || pare_rt_runner_run (r, inputs, NULL, NULL, NULL) != PARE_RT_OK)
        {
          pare_rt_runner_free (r);
          return fail (path, "a step could not be run");
        }
      PareView v = pare_rt_runner_view (r, part.steps[s].out[0]);
      printf ("%016llx %s %s\n", (unsigned long long)pare_rt_hash (v.data, (uint64_t)pare_shape_bytes (&v.shape, v.dtype)),
              pare_rt_op_name (part.steps[s].op), pare_rt_file_layer_name (file, s));
      pare_rt_runner_free (r);
    }
  return 0;
}

static int
run (const Options *o, const PareRtFile *file)
{
  const PareRtPlan *plan = &file->plan;
  PareView inputs[MOST_INPUTS];
  if (plan->n_inputs > MOST_INPUTS || (o->n_inputs > 0 && (uint32_t)o->n_inputs != plan->n_inputs))
    return fail (o->plan, "it has another number of inputs");
  for (uint32_t i = 0; i < plan->n_inputs; i++)
    {
      const PareRtValue *v = &plan->values[plan->inputs[i]];
      void *data = NULL;
      if (v->bytes > SIZE_MAX - 64 || posix_memalign (&data, 64, v->bytes + 64) != 0)
        return fail (o->plan, "no memory for its inputs");
      memset (data, 0, v->bytes);
      inputs[i] = (PareView){ v->dtype, v->shape, data, NULL };
      const char *wrong = o->n_inputs > 0 ? read_input (o->inputs[i], (uint64_t)pare_shape_bytes (&v->shape, v->dtype), data) : NULL;
      if (wrong)
        return fail (o->inputs[i], wrong);
    }
  PareRtWeights *weights = o->lean ? NULL : pare_rt_weights_new (plan);
  PareRtRunner *runner = pare_rt_runner_new (plan, weights);
  double *ms = calloc ((size_t)o->repeat, sizeof *ms);
  uint64_t *step_ns = calloc ((size_t)plan->n_steps + 1, sizeof *step_ns);
  if (!runner || !ms || !step_ns)
    return fail (o->plan, "no memory for its activations");
  if (o->threads > 1)
    pare_rt_runner_set_threads (runner, o->threads);
  uint32_t failed = 0;
  for (int i = -1; i < o->repeat; i++) /* the first warms up */
    {
      double start = now_ms ();
      if (pare_rt_runner_run (runner, inputs, o->profile && i >= 0 ? step_ns : NULL, NULL, &failed) != PARE_RT_OK)
        return fail (pare_rt_file_layer_name (file, failed), "its operands are out of range");
      if (i >= 0)
        ms[i] = now_ms () - start;
    }
  for (uint32_t i = 0; i < plan->n_outputs && o->output_dir; i++)
    {
      PareView v = pare_rt_runner_view (runner, plan->outputs[i]);
      const char *wrong = write_output (o->output_dir, pare_rt_file_output_name (file, i), &v);
      if (wrong)
        return fail (pare_rt_file_output_name (file, i), wrong);
    }
  qsort (ms, (size_t)o->repeat, sizeof *ms, by_size);
  printf ("median_ms %.4f\np10_ms %.4f\np90_ms %.4f\nruns %d\narena_bytes %llu\nweights_bytes %llu\n", ms[o->repeat / 2],
          ms[o->repeat / 10], ms[o->repeat * 9 / 10], o->repeat, (unsigned long long)plan->arena_bytes,
          (unsigned long long)pare_rt_weights_bytes (weights));
  for (uint32_t s = 0; s < plan->n_steps && o->profile; s++)
    printf ("step %.4f %s %s\n", (double)step_ns[s] / 1e6 / o->repeat, pare_rt_op_name (plan->steps[s].op),
            pare_rt_file_layer_name (file, s));
  int status = o->hash ? print_hashes (file, weights, inputs, o->plan) : 0;
  pare_rt_runner_free (runner);
  pare_rt_weights_free (weights);
  for (uint32_t i = 0; i < plan->n_inputs; i++)
    free (inputs[i].data);
  free (ms);
  free (step_ns);
  return status;
}

int
main (int argc, char **argv)
{
  Options o;
  PareRtFile file;
  const void *data = NULL;
  uint64_t bytes = 0;
  if (!read_options (argc, argv, &o))
    {
      fprintf (stderr,
               "usage: pare-rt PLAN [--input FILE]... [--output-dir DIR] [--repeat N] [--threads N] [--profile] [--hash] [--lean]\n");
      return 2;
    }
  const char *wrong = map_file (o.plan, &data, &bytes);
  if (!wrong)
    wrong = pare_rt_file_open (data, bytes, &file);
  if (!wrong && !pare_rt_file_is_whole (data))
    wrong = "the file is damaged: its bytes are not those that were written";
  if (wrong)
    return fail (o.plan, wrong);
  int status = run (&o, &file);
  munmap ((void *)(uintptr_t)data, bytes);
  return status;
}
