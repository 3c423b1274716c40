#pragma once
#include <gtk/gtk.h>
#include "engine/project/pare-limits.h"

/* A menu button "Limits" with a popover of three spin rows: tolerance, size budget, latency budget. The keyboard's way to what a drag of
 * the lines in the charts does. */
GtkWidget *pare_limits_button_new (PareSession *session);
