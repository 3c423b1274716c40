/* PareJobButton: the header's job: label, done / all, a bar 4 px high and Stop; narrow: a ring with the percentage.
 *
 * # Signals
 * - `stop`: the front job shall end */
#pragma once
#include "widgets/pare-draw.h"

G_BEGIN_DECLS
#define PARE_TYPE_JOB_BUTTON (pare_job_button_get_type ())
G_DECLARE_FINAL_TYPE (PareJobButton, pare_job_button, PARE, JOB_BUTTON, GtkWidget)

GtkWidget *pare_job_button_new (void);
/* name NULL: nothing runs, the button is hidden. all 0: unknown extent, no bar, only what is done. */
void pare_job_button_set_job (PareJobButton *self, const char *name, guint64 done, guint64 all, gboolean can_stop);
/* The list of all jobs, opened by a click. */
void pare_job_button_set_popover (PareJobButton *self, GtkPopover *popover);
void pare_job_button_set_narrow (PareJobButton *self, gboolean narrow);
G_END_DECLS
