#include "engine/project/pare-projects.h"

#include <glib/gstdio.h>
#include <string.h>

#define ENDING ".pare"

char *
pare_projects_folder (void)
{
  char *folder = g_build_filename (g_get_user_data_dir (), "pare", "projects", NULL);
  g_mkdir_with_parents (folder, 0700);
  return folder;
}

char *
pare_projects_path (const char *model_name, guint n)
{
  g_autofree char *folder = pare_projects_folder ();
  g_autofree char *file = g_strdup_printf ("%s-%u" ENDING, model_name, n);
  return g_build_filename (folder, file, NULL);
}

static void
file_free (gpointer data)
{
  PareProjectFile *f = data;
  pare_store_peek_clear (&f->peek);
  g_free (f->path);
  g_free (f);
}

static int
newest_first (gconstpointer a, gconstpointer b)
{
  const PareProjectFile *x = *(PareProjectFile *const *)a, *y = *(PareProjectFile *const *)b;
  if (x->peek.plain != y->peek.plain)
    return x->peek.plain ? 1 : -1;
  return x->peek.when != y->peek.when ? (x->peek.when < y->peek.when ? 1 : -1) : strcmp (y->path, x->path);
}

/* "NAME-12.pare" */
static gboolean
is_named_after (const char *file, const char *model_name)
{
  gsize n = strlen (model_name);
  if (strncmp (file, model_name, n) != 0 || file[n] != '-' || !g_str_has_suffix (file, ENDING))
    return FALSE;
  gsize digits = strspn (file + n + 1, "0123456789");
  return digits > 0 && strcmp (file + n + 1 + digits, ENDING) == 0;
}

GPtrArray *
pare_projects_find (const char *model_name, const char *model_path)
{
  GPtrArray *found = g_ptr_array_new_with_free_func (file_free);
  g_autofree char *folder = pare_projects_folder ();
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      if (!is_named_after (name, model_name))
        continue;
      PareProjectFile *f = g_new0 (PareProjectFile, 1);
      f->path = g_build_filename (folder, name, NULL);
      if (pare_store_peek (f->path, &f->peek, NULL) && f->peek.n_entries > 0 && g_strcmp0 (f->peek.model_path, model_path) == 0)
        g_ptr_array_add (found, f);
      else
        file_free (f);
    }
  g_ptr_array_sort (found, newest_first);
  return found;
}

guint
pare_projects_tidy (gint64 now)
{
  guint removed = 0;
  g_autofree char *folder = pare_projects_folder ();
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      GStatBuf st;
      PareStorePeek peek;
      g_autofree char *path = g_build_filename (folder, name, NULL);
      if (!g_str_has_suffix (name, ENDING) || g_lstat (path, &st) != 0 || !S_ISREG (st.st_mode)
          || st.st_mtime + PARE_PROJECTS_KEEP_DAYS * 86400 > now)
        continue;
      gboolean useless = pare_store_peek (path, &peek, NULL) && peek.plain && peek.n_entries == 1 && peek.model_path != NULL
                         && g_file_test (peek.model_path, G_FILE_TEST_IS_REGULAR);
      pare_store_peek_clear (&peek);
      /* Once more with the file locked and checked: only then it is certain, and goes. */
      PareStore *store = useless ? pare_store_open (path, NULL) : NULL;
      if (store != NULL && !pare_store_is_read_only (store) && pare_store_is_plain (store))
        {
          pare_store_close_and_remove (store);
          removed++;
        }
      else
        pare_store_close (store);
    }
  return removed;
}
