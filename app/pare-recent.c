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
  g_free (r->data);
  g_free (r->figures);
  g_free (r->missing);
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

/* A file that is gone, or a folder that is gone: a drive that is not there, for one. */
static char *
why_missing (const char *path)
{
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return NULL;
  g_autofree char *folder = g_path_get_dirname (path), *shown = g_filename_display_name (path), *place = g_filename_display_name (folder);
  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    return g_strdup_printf (_ ("Its folder is not there: %s"), place);
  return g_strdup_printf (_ ("Moved or deleted: %s"), shown);
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
      r->title = g_key_file_get_string (file, groups[i], "title", NULL);
      r->detail = g_key_file_get_string (file, groups[i], "detail", NULL);
      r->data = g_key_file_get_string (file, groups[i], "data", NULL);
      r->figures = g_key_file_get_string (file, groups[i], "figures", NULL);
      r->missing = why_missing (project);
      if (r->data != NULL && !g_file_test (r->data, G_FILE_TEST_EXISTS))
        g_clear_pointer (&r->data, g_free);
      r->when = describe_time (g_key_file_get_int64 (file, groups[i], "when", NULL));
      r->path = g_steal_pointer (&project);
      g_ptr_array_add (list, r);
    }
  return list;
}

static void
set_or_not (GKeyFile *file, const char *group, const char *key, const char *value)
{
  if (value != NULL)
    g_key_file_set_string (file, group, key, value);
  else
    g_key_file_remove_key (file, group, key, NULL);
}

static char *
group_of (const char *path)
{
  return g_compute_checksum_for_string (G_CHECKSUM_SHA1, path, -1);
}

void
pare_recent_add (const PareRecent *recent)
{
  g_autofree char *path = file_path (), *folder = g_path_get_dirname (path), *group = group_of (recent->path);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL);
  g_key_file_set_string (file, group, "path", recent->path);
  g_key_file_set_string (file, group, "title", recent->title);
  g_key_file_set_string (file, group, "detail", recent->detail);
  set_or_not (file, group, "data", recent->data);
  set_or_not (file, group, "figures", recent->figures);
  g_key_file_set_int64 (file, group, "when", g_get_real_time () / G_USEC_PER_SEC);
  gsize n;
  g_auto (GStrv) groups = g_key_file_get_groups (file, &n);
  g_qsort_with_data (groups, (int)n, sizeof *groups, newest_first, file);
  for (gsize i = MOST_KEPT; i < n; i++)
    g_key_file_remove_group (file, groups[i], NULL);
  g_mkdir_with_parents (folder, 0700);
  g_key_file_save_to_file (file, path, NULL); /* a list of conveniences: failing to keep it is no error to show */
}

void
pare_recent_remove (const char *project)
{
  g_autofree char *path = file_path (), *group = group_of (project);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  if (g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL) && g_key_file_remove_group (file, group, NULL))
    g_key_file_save_to_file (file, path, NULL);
}
