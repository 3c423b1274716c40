#pragma once
#include <glib.h>

/* One error domain; the code says which room refused, the message names file, node, op and reason. */
#define PARE_ERROR (pare_error_quark ())
GQuark pare_error_quark (void);

typedef enum
{
  PARE_ERROR_FILE,        /* cannot be read or written */
  PARE_ERROR_FORMAT,      /* damaged or hostile content */
  PARE_ERROR_UNSUPPORTED, /* valid, but Pare cannot do it */
  PARE_ERROR_RECIPE,      /* unknown key, layer or value out of range */
  PARE_ERROR_DATA,        /* data set or sample */
  PARE_ERROR_SHAPE,       /* shapes or dtypes that do not fit */
  PARE_ERROR_MEMORY,      /* more than the budget */
  PARE_ERROR_CANCELLED,
} PareError;
