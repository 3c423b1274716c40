#include "engine/accel/pare-dnnl-known.h"

#include <pthread.h>

#define PLACES 512 /* a large model has some 300 different ones; each takes some kilobytes */

static struct
{
  PareContentKey key;
  dnnl_primitive_desc_t pd;
} known[PLACES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of known */

int omp_get_max_threads (void); /* of the OpenMP that oneDNN uses */

/* What oneDNN generates splits the work among as many threads as the calling one has then. */
static PareContentKey
for_threads (PareContentKey key)
{
  int threads = omp_get_max_threads ();
  return pare_content_hash (key, &threads, sizeof threads);
}

static dnnl_engine_t engine;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
make_engine (void)
{
  if (dnnl_engine_create (&engine, dnnl_cpu, 0) != dnnl_success)
    engine = NULL;
}

dnnl_engine_t
pare_dnnl_engine (void)
{
  pthread_once (&once, make_engine);
  return engine;
}

dnnl_primitive_desc_t
pare_dnnl_recall (PareContentKey key)
{
  dnnl_primitive_desc_t pd = NULL;
  key = for_threads (key);
  uint64_t at = key.a % PLACES;
  pthread_mutex_lock (&lock);
  if (known[at].pd && known[at].key.a == key.a && known[at].key.b == key.b && dnnl_primitive_desc_clone (&pd, known[at].pd) != dnnl_success)
    pd = NULL;
  pthread_mutex_unlock (&lock);
  return pd;
}

void
pare_dnnl_keep (PareContentKey key, const_dnnl_primitive_desc_t pd)
{
  dnnl_primitive_desc_t copy = NULL, before;
  key = for_threads (key);
  uint64_t at = key.a % PLACES;
  if (dnnl_primitive_desc_clone (&copy, pd) != dnnl_success)
    return;
  pthread_mutex_lock (&lock);
  before = known[at].pd;
  known[at].key = key;
  known[at].pd = copy;
  pthread_mutex_unlock (&lock);
  if (before)
    dnnl_primitive_desc_destroy (before);
}
