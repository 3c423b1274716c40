#pragma once
#include <adwaita.h>

#define PARE_TYPE_APPLICATION (pare_application_get_type ())
G_DECLARE_FINAL_TYPE (PareApplication, pare_application, PARE, APPLICATION, AdwApplication)

PareApplication *pare_application_new (void);

/* Where the bundled sample's model and data are: $PARE_SAMPLE, beside the program in the build tree, or installed. (transfer full)
 * (nullable) */
char *pare_application_dup_sample (const char *file);
