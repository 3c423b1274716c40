#include "app/pare-recent.h"

#include <glib/gi18n.h>

#define MOST_KEPT 30

static char *
file_path (void)
{
  return g_build_filename (g_get_user_data_dir (), "pare", "recent.ini", NULL);
}

static void
recent_free (gpointer data)
{
  PareRecent *r = data;
  g_free (r->path);
  g_free (r->title);
  g_free (r->detail);
  g_free (r->when);
  g_free (r);
}

static char *
describe_time (gint64 seconds)
{
  g_autoptr (GDateTime) then = g_date_time_new_from_unix_local (seconds), now = g_date_time_new_now_local ();
  if (then == NULL)
    return g_strdup ("");
  int days = g_date_time_get_day_of_year (now) - g_date_time_get_day_of_year (then);
  gboolean year = g_date_time_get_year (now) == g_date_time_get_year (then);
  g_autofree char *clock = g_date_time_format (then, "%H:%M");
  if (year && days == 0)
    return g_strdup_printf ("%s\n%s", _ ("Today"), clock);
  if (year && days == 1)
    return g_strdup_printf ("%s\n%s", _ ("Yesterday"), clock);
  g_autofree char *date = g_date_time_format (then, year ? "%e %b" : "%e %b %Y");
  return g_strdup_printf ("%s\n%s", g_strstrip (date), clock);
}

static int
newest_first (gconstpointer a, gconstpointer b, gpointer data)
{
  GKeyFile *file = data;
  gint64 ta = g_key_file_get_int64 (file, *(char *const *)a, "when", NULL),
         tb = g_key_file_get_int64 (file, *(char *const *)b, "when", NULL);
  return ta < tb ? 1 : ta > tb ? -1 : 0;
}

GPtrArray *
pare_recent_list (guint most)
{
  GPtrArray *list = g_ptr_array_new_with_free_func (recent_free);
  g_autofree char *path = file_path ();
  g_autoptr (GKeyFile) file = g_key_file_new ();
  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL))
    return list;
  gsize n;
  g_auto (GStrv) groups = g_key_file_get_groups (file, &n);
  g_qsort_with_data (groups, (int)n, sizeof *groups, newest_first, file);
  for (gsize i = 0; i < n && list->len < most; i++)
    {
      g_autofree char *project = g_key_file_get_string (file, groups[i], "path", NULL);
      if (project == NULL)
        continue;
      PareRecent *r = g_new0 (PareRecent, 1);
      r->missing = !g_file_test (project, G_FILE_TEST_EXISTS);
      r->title = g_key_file_get_string (file, groups[i], "title", NULL);
      r->detail = r->missing ? g_strdup_printf (_ ("The project has moved: %s"), project)
                             : g_key_file_get_string (file, groups[i], "detail", NULL);
      r->when = describe_time (g_key_file_get_int64 (file, groups[i], "when", NULL));
      r->path = g_steal_pointer (&project);
      g_ptr_array_add (list, r);
    }
  return list;
}

void
pare_recent_add (const char *project, const char *title, const char *detail)
{
  g_autofree char *path = file_path (), *folder = g_path_get_dirname (path);
  g_autofree char *group = g_compute_checksum_for_string (G_CHECKSUM_SHA1, project, -1);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL);
  g_key_file_set_string (file, group, "path", project);
  g_key_file_set_string (file, group, "title", title);
  g_key_file_set_string (file, group, "detail", detail);
  g_key_file_set_int64 (file, group, "when", g_get_real_time () / G_USEC_PER_SEC);
  gsize n;
  g_auto (GStrv) groups = g_key_file_get_groups (file, &n);
  g_qsort_with_data (groups, (int)n, sizeof *groups, newest_first, file);
  for (gsize i = MOST_KEPT; i < n; i++)
    g_key_file_remove_group (file, groups[i], NULL);
  g_mkdir_with_parents (folder, 0700);
  g_key_file_save_to_file (file, path, NULL); /* a list of conveniences: failing to keep it is no error to show */
}
