/* GKeyFile in the user's configuration folder, and not GSettings: a schema would have to be compiled and installed before the program could
 * start at all (GSettings ends the process without one), and `./dev run` starts it from the build folder. */
#include "app/pare-preferences.h"
#include "app/pare-drop-down.h"
#include "engine/base/pare-control.h"
#include "engine/project/pare-limits.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#define GROUP "pare"
#define LAYOUT "layout"
#define SAVE_MS 400
#define WIDE 1150 /* the window's own bound between its two forms */

static GKeyFile *kept;
static guint save_source;

static char *
file_path (void)
{
  return g_build_filename (g_get_user_config_dir (), "pare", "preferences.ini", NULL);
}

void
pare_preferences_reload (void)
{
  g_autofree char *path = file_path ();
  g_clear_pointer (&kept, g_key_file_unref);
  kept = g_key_file_new ();
  /* None yet, or damaged: the defaults. What cannot be read is written anew at the next change. */
  if (!g_key_file_load_from_file (kept, path, G_KEY_FILE_KEEP_COMMENTS, NULL))
    {
      g_key_file_unref (kept);
      kept = g_key_file_new ();
    }
}

static GKeyFile *
get (void)
{
  if (kept == NULL)
    pare_preferences_reload ();
  return kept;
}

static gboolean
save (gpointer data)
{
  g_autofree char *path = file_path (), *folder = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;
  save_source = 0;
  g_mkdir_with_parents (folder, 0700);
  /* Losing a preference is no reason to stop anybody's work. */
  if (!g_key_file_save_to_file (get (), path, &error))
    g_message ("Preferences are not kept: %s", error->message);
  return G_SOURCE_REMOVE;
}

static char *
get_word (const char *key, const char *const *words, guint otherwise)
{
  char *value = g_key_file_get_string (get (), GROUP, key, NULL);
  if (value != NULL && g_strv_contains (words, value))
    return value;
  g_free (value);
  return g_strdup (words[otherwise]);
}

static guint
get_choice (const char *key, const char *const *words, guint otherwise)
{
  g_autofree char *word = get_word (key, words, otherwise);
  guint i = 0;
  while (strcmp (words[i], word) != 0)
    i++;
  return i;
}

static double
get_number (const char *key, double low, double high, double otherwise)
{
  g_autoptr (GError) error = NULL;
  double value = g_key_file_get_double (get (), GROUP, key, &error);
  return error == NULL && value >= low && value <= high ? value : otherwise;
}

static const char *const schemes[] = { "system", "light", "dark", NULL };
static const char *const splits[] = { "search", "report", "all", NULL };
static const PareSplit split_values[] = { PARE_SPLIT_SEARCH, PARE_SPLIT_REPORT, PARE_SPLIT_ALL };
static const char *const animations[] = { "system", "off", NULL };

static void
apply_scheme (void)
{
  static const AdwColorScheme values[] = { ADW_COLOR_SCHEME_DEFAULT, ADW_COLOR_SCHEME_FORCE_LIGHT, ADW_COLOR_SCHEME_FORCE_DARK };
  adw_style_manager_set_color_scheme (adw_style_manager_get_default (), values[get_choice ("colours", schemes, 0)]);
}

static void
apply_animations (void)
{
  GtkSettings *settings = gtk_settings_get_default ();
  if (get_choice ("animations", animations, 0) == 1)
    g_object_set (settings, "gtk-enable-animations", FALSE, NULL);
  else
    gtk_settings_reset_property (settings, "gtk-enable-animations");
}

static void
apply_threads (void)
{
  pare_set_default_threads ((int)get_number ("threads", 0, 1024, 0));
}

void
pare_preferences_apply (void)
{
  apply_scheme ();
  /* Only where somebody asked: what started the program may have turned them off by other ways. */
  if (get_choice ("animations", animations, 0) == 1)
    apply_animations ();
  apply_threads ();
}

/* --- sessions --- */

static void
on_model (PareSession *session, gpointer data)
{
  if (pare_session_get_graph (session) == NULL || pare_session_has_limits (session) || pare_session_is_read_only (session))
    return;
  /* A fresh project: from here on it has its own, so that a later change of the preferences changes no project behind one's back. */
  PareLimits limits;
  pare_limits_init (&limits);
  limits.tolerance_pp = get_number ("tolerance", 0, PARE_TOLERANCE_MAX, PARE_TOLERANCE_DEFAULT);
  pare_session_set_limits (session, &limits);
  pare_session_set_split (session, split_values[get_choice ("split", splits, 0)]);
}

void
pare_preferences_attach_session (PareSession *session)
{
  g_signal_connect (session, "model-changed", G_CALLBACK (on_model), NULL);
}

/* --- dividers --- */

static gboolean
is_wide (GtkPaned *paned)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (paned));
  return root != NULL && gtk_widget_get_width (GTK_WIDGET (root)) >= WIDE;
}

/* The side that keeps its size when the window grows is what a person sets: its size is kept, not the divider's place. */
static gboolean
is_from_end (GtkPaned *paned)
{
  return gtk_paned_get_resize_start_child (paned) && !gtk_paned_get_resize_end_child (paned);
}

static int
length_of (GtkPaned *paned)
{
  GtkWidget *widget = GTK_WIDGET (paned);
  return gtk_orientable_get_orientation (GTK_ORIENTABLE (paned)) == GTK_ORIENTATION_HORIZONTAL ? gtk_widget_get_width (widget)
                                                                                               : gtk_widget_get_height (widget);
}

static void
on_position (GtkPaned *paned, GParamSpec *pspec, gpointer key)
{
  int length = length_of (paned), position = gtk_paned_get_position (paned);
  /* Before it was put where it was left, and in the narrow form, it stands where the program puts it. */
  if (g_object_get_data (G_OBJECT (paned), "pare-restored") == NULL || !is_wide (paned) || length <= 0)
    return;
  g_key_file_set_integer (get (), LAYOUT, key, is_from_end (paned) ? length - position : position);
  if (save_source == 0)
    save_source = g_timeout_add (SAVE_MS, save, NULL);
}

gboolean
pare_preferences_restore_paned (GtkPaned *paned)
{
  const char *key = g_object_get_data (G_OBJECT (paned), "pare-kept");
  g_autoptr (GError) error = NULL;
  int kept_size = key != NULL ? g_key_file_get_integer (get (), LAYOUT, key, &error) : 0, length = length_of (paned);
  if (error != NULL || kept_size < 60 || kept_size > 8000 || length <= 0)
    return FALSE;
  gtk_paned_set_position (paned, is_from_end (paned) ? MAX (length - kept_size, 60) : kept_size);
  return TRUE;
}

static gboolean
on_first_frame (GtkWidget *widget, GdkFrameClock *clock, gpointer data)
{
  if (length_of (GTK_PANED (widget)) <= 0)
    return G_SOURCE_CONTINUE;
  if (is_wide (GTK_PANED (widget)))
    pare_preferences_restore_paned (GTK_PANED (widget));
  g_object_set_data (G_OBJECT (widget), "pare-restored", GINT_TO_POINTER (1));
  return G_SOURCE_REMOVE;
}

void
pare_preferences_keep_paned (GtkPaned *paned, const char *key)
{
  g_object_set_data (G_OBJECT (paned), "pare-kept", (gpointer)g_intern_string (key));
  gtk_widget_add_tick_callback (GTK_WIDGET (paned), on_first_frame, NULL, NULL);
  g_signal_connect (paned, "notify::position", G_CALLBACK (on_position), (gpointer)g_intern_string (key));
}

/* --- the dialog --- */

typedef struct
{
  PareSession *session; /* nullable */
} Dialog;

static void
dialog_free (gpointer data)
{
  Dialog *d = data;
  g_clear_object (&d->session);
  g_free (d);
}

static void
on_scheme (GtkDropDown *row, GParamSpec *pspec, Dialog *d)
{
  g_key_file_set_string (get (), GROUP, "colours", schemes[MIN (gtk_drop_down_get_selected (row), 2)]);
  apply_scheme ();
  save (NULL);
}

static void
on_animations (GtkDropDown *row, GParamSpec *pspec, Dialog *d)
{
  g_key_file_set_string (get (), GROUP, "animations", animations[MIN (gtk_drop_down_get_selected (row), 1)]);
  apply_animations ();
  save (NULL);
}

static void
on_split (GtkDropDown *row, GParamSpec *pspec, Dialog *d)
{
  guint i = MIN (gtk_drop_down_get_selected (row), G_N_ELEMENTS (split_values) - 1);
  g_key_file_set_string (get (), GROUP, "split", splits[i]);
  save (NULL);
  if (d->session != NULL)
    pare_session_set_split (d->session, split_values[i]);
}

static void
on_threads (GtkSpinButton *spin, Dialog *d)
{
  g_key_file_set_integer (get (), GROUP, "threads", gtk_spin_button_get_value_as_int (spin));
  apply_threads ();
  save (NULL);
}

static void
on_tolerance (GtkSpinButton *spin, Dialog *d)
{
  g_key_file_set_double (get (), GROUP, "tolerance", gtk_spin_button_get_value (spin));
  save (NULL);
}

static gboolean
on_threads_output (GtkSpinButton *spin, gpointer data)
{
  if (gtk_spin_button_get_value_as_int (spin) > 0)
    return FALSE;
  if (g_strcmp0 (gtk_editable_get_text (GTK_EDITABLE (spin)), _ ("all")) != 0)
    gtk_editable_set_text (GTK_EDITABLE (spin), _ ("all"));
  return TRUE;
}

static int
on_threads_input (GtkSpinButton *spin, double *value, gpointer data)
{
  char *end;
  const char *text = gtk_editable_get_text (GTK_EDITABLE (spin));
  *value = g_ascii_strtod (text, &end);
  if (end == text || !isfinite (*value))
    *value = strcmp (text, _ ("all")) == 0 ? 0 : gtk_spin_button_get_value (spin);
  return TRUE;
}

static GtkWidget *
value_row (const char *title, const char *subtitle, GtkWidget *value)
{
  GtkWidget *row = adw_action_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  gtk_widget_set_valign (value, GTK_ALIGN_CENTER);
  gtk_accessible_update_property (GTK_ACCESSIBLE (value), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), value);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), value);
  return row;
}

/* Not AdwComboRow: the list in it that shows the choice has no name for assistive tools. */
static GtkWidget *
combo (const char *title, const char *subtitle, const char *const *choices, guint selected, GCallback callback, Dialog *d)
{
  GtkWidget *drop = pare_drop_down_new (choices, title);
  gtk_widget_remove_css_class (drop, "pare-dense");
  gtk_drop_down_set_selected (GTK_DROP_DOWN (drop), selected);
  g_signal_connect (drop, "notify::selected", callback, d);
  return value_row (title, subtitle, drop);
}

static GtkWidget *
group (AdwPreferencesPage *page, const char *title)
{
  GtkWidget *g = adw_preferences_group_new ();
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (g), title);
  adw_preferences_page_add (page, ADW_PREFERENCES_GROUP (g));
  return g;
}

static gboolean
on_escape (GtkWidget *widget, GVariant *arguments, gpointer data)
{
  gtk_window_close (GTK_WINDOW (widget));
  return TRUE;
}

void
pare_preferences_show (GtkWindow *parent, PareSession *session)
{
  static const char *const scheme_words[] = { N_ ("As the system"), N_ ("Light"), N_ ("Dark"), NULL };
  static const char *const split_words[] = { N_ ("Search"), N_ ("Report"), N_ ("All"), NULL };
  static const char *const animation_words[] = { N_ ("As the system"), N_ ("Off"), NULL };
  GtkWidget *window = adw_window_new (), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *page = adw_preferences_page_new ();
  gtk_widget_add_css_class (page, "pare-rows");
  Dialog *d = g_new0 (Dialog, 1);
  d->session = session != NULL ? g_object_ref (session) : NULL;
  g_object_set_data_full (G_OBJECT (window), "dialog", d, dialog_free);
  gtk_window_set_title (GTK_WINDOW (window), _ ("Preferences"));
  gtk_window_set_modal (GTK_WINDOW (window), TRUE);
  gtk_window_set_transient_for (GTK_WINDOW (window), parent);
  gtk_window_set_default_size (GTK_WINDOW (window), 480, 600);

  GtkWidget *look = group (ADW_PREFERENCES_PAGE (page), _ ("Appearance"));
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (look),
                             combo (_ ("Colours"), NULL, scheme_words, get_choice ("colours", schemes, 0), G_CALLBACK (on_scheme), d));
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (look), combo (_ ("Animations"), NULL, animation_words,
                                                                  get_choice ("animations", animations, 0), G_CALLBACK (on_animations), d));

  GtkWidget *measuring = group (ADW_PREFERENCES_PAGE (page), _ ("Measuring"));
  guint split = get_choice ("split", splits, 0);
  for (guint i = 0; session != NULL && pare_session_get_graph (session) != NULL && i < G_N_ELEMENTS (split_values); i++)
    if (pare_session_get_split (session) == split_values[i])
      split = i;
  GtkWidget *splits_row = combo (_ ("Samples shown"), _ ("Search while trying recipes; Report is for the last word"), split_words, split,
                                 G_CALLBACK (on_split), d);
  GtkWidget *threads = gtk_spin_button_new_with_range (0, 1024, 1);
  gtk_spin_button_set_numeric (GTK_SPIN_BUTTON (threads), FALSE); /* or the word would be refused */
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (threads), get_number ("threads", 0, 1024, 0));
  g_signal_connect (threads, "output", G_CALLBACK (on_threads_output), NULL);
  g_signal_connect (threads, "input", G_CALLBACK (on_threads_input), NULL);
  on_threads_output (GTK_SPIN_BUTTON (threads), NULL); /* the value it begins with is no change that would be written */
  g_signal_connect (threads, "value-changed", G_CALLBACK (on_threads), d);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (measuring), splits_row);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (measuring),
                             value_row (_ ("Threads"), _ ("From the next measurement on; latency is measured with as many"), threads));

  GtkWidget *fresh = group (ADW_PREFERENCES_PAGE (page), _ ("New projects"));
  GtkWidget *tolerance = gtk_spin_button_new_with_range (0, PARE_TOLERANCE_MAX, 0.1);
  gtk_spin_button_set_digits (GTK_SPIN_BUTTON (tolerance), 2);
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (tolerance), get_number ("tolerance", 0, PARE_TOLERANCE_MAX, PARE_TOLERANCE_DEFAULT));
  g_signal_connect (tolerance, "value-changed", G_CALLBACK (on_tolerance), d);
  adw_preferences_group_add (
      ADW_PREFERENCES_GROUP (fresh),
      value_row (_ ("Tolerance"), _ ("Points of accuracy below the original; an open project has its own under Limits"), tolerance));

  gtk_widget_set_vexpand (page, TRUE);
  gtk_box_append (GTK_BOX (box), adw_header_bar_new ());
  gtk_box_append (GTK_BOX (box), page);
  adw_window_set_content (ADW_WINDOW (window), box);
  GtkEventController *keys = gtk_shortcut_controller_new ();
  gtk_shortcut_controller_add_shortcut (GTK_SHORTCUT_CONTROLLER (keys), gtk_shortcut_new (gtk_keyval_trigger_new (GDK_KEY_Escape, 0),
                                                                                          gtk_callback_action_new (on_escape, NULL, NULL)));
  gtk_widget_add_controller (window, keys);
  gtk_window_present (GTK_WINDOW (window));
}
