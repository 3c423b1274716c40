#include "engine/base/pare-error.h"

G_DEFINE_QUARK (pare - error - quark, pare_error)
