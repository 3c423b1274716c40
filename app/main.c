#include "app/pare-application.h"

#include <glib/gi18n.h>
#include <locale.h>

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  const char *here = g_getenv ("PARE_LOCALEDIR"); /* of a build that is not installed */
  bindtextdomain (GETTEXT_PACKAGE, here != NULL ? here : PARE_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_prgname ("pare-workbench");
  g_set_application_name ("Pare");
  g_autoptr (PareApplication) application = pare_application_new ();
  return g_application_run (G_APPLICATION (application), argc, argv);
}
