#include "widgets/pare-style.h"

#include <adwaita.h>

typedef struct
{
  const char *light, *dark;
} Pair;

static void
pick (GdkRGBA *colour, gboolean dark, Pair pair)
{
  gdk_rgba_parse (colour, dark ? pair.dark : pair.light);
}

void
pare_look_init (PareLook *self, gboolean dark, gboolean high_contrast)
{
  *self = (PareLook){ .dark = dark, .high_contrast = high_contrast, .scale = 1 };
  g_strlcpy (self->family, "Cantarell", sizeof self->family);
  pick (&self->window, dark, (Pair){ "#fafafa", "#242424" });
  pick (&self->view, dark, (Pair){ "#ffffff", "#1e1e1e" });
  pick (&self->card, dark, (Pair){ "#ffffff", "#343434" });
  pick (&self->popover, dark, (Pair){ "#ffffff", "#383838" });
  pick (&self->button, dark, (Pair){ "rgba(0,0,0,0.075)", "rgba(255,255,255,0.1)" });
  pick (&self->fg, dark, (Pair){ "#2e2e32", "#f2f2f2" });
  pick (&self->second, dark, (Pair){ "#5e5c64", "#c0bfbc" });
  pick (&self->line, dark, (Pair){ "#d8d7d5", "#454545" });
  pick (&self->mark, dark, (Pair){ "#1c71d8", "#4a96ee" });
  pick (&self->tint, dark, (Pair){ "#3584e4", "#3584e4" });
  pick (&self->selected, dark, (Pair){ "#dce9fa", "#26405f" });
  pick (&self->fill, dark, (Pair){ "#1c71d8", "#1c71d8" });
  pick (&self->link, dark, (Pair){ "#1a66c4", "#8cbcf3" });
  pick (&self->better, dark, (Pair){ "#156b40", "#8ff0a4" });
  pick (&self->worse, dark, (Pair){ "#c01c28", "#ff8c78" });
  pick (&self->warning, dark, (Pair){ "#8a5f00", "#f5c451" });
  pick (&self->hatch, dark, (Pair){ "#8b8993", "#9a9996" });
  pick (&self->knob, dark, (Pair){ "#ffffff", "#d8d8d8" });
  pick (&self->delta_better, dark, (Pair){ "#0067b3", "#44c4ff" });
  pick (&self->delta_worse, dark, (Pair){ "#99461a", "#ffa371" });
  if (high_contrast)
    {
      /* Lines to the foreground, no tints. */
      self->line = self->second = self->hatch = self->fg;
      self->selected = self->view;
    }
}

void
pare_look_for_widget (PareLook *self, GtkWidget *widget)
{
  AdwStyleManager *manager = adw_style_manager_get_default ();
  pare_look_init (self, adw_style_manager_get_dark (manager), adw_style_manager_get_high_contrast (manager));
  PangoContext *context = gtk_widget_get_pango_context (widget);
  const char *family = pango_font_description_get_family (pango_context_get_font_description (context));
  if (family != NULL)
    g_strlcpy (self->family, family, sizeof self->family);
  double dpi = pango_cairo_context_get_resolution (context);
  self->scale = dpi > 0 ? CLAMP (dpi / 96, 0.75, 3) : 1;
}

static void
on_notify (GtkWidget *widget)
{
  void (*func) (GtkWidget *) = g_object_get_data (G_OBJECT (widget), "pare-look-watch");
  func (widget);
}

void
pare_look_watch (GtkWidget *widget, void (*func) (GtkWidget *))
{
  g_object_set_data (G_OBJECT (widget), "pare-look-watch", func);
  AdwStyleManager *manager = adw_style_manager_get_default ();
  g_signal_connect_object (manager, "notify::dark", G_CALLBACK (on_notify), widget, G_CONNECT_SWAPPED);
  g_signal_connect_object (manager, "notify::high-contrast", G_CALLBACK (on_notify), widget, G_CONNECT_SWAPPED);
  g_signal_connect_object (gtk_widget_get_settings (widget), "notify::gtk-xft-dpi", G_CALLBACK (on_notify), widget, G_CONNECT_SWAPPED);
  g_signal_connect_object (gtk_widget_get_settings (widget), "notify::gtk-font-name", G_CALLBACK (on_notify), widget, G_CONNECT_SWAPPED);
}

static const char sheet[]
    = ".pare-focus { border-radius: 6px; }\n"
      ".pare-focus:focus-visible { outline: 2px solid @accent_color; outline-offset: 0; }\n"
      ".pare-spin { min-height: 24px; font-size: 9pt; font-weight: bold; font-feature-settings: \"tnum\"; border-radius: 6px; }\n"
      ".pare-spin > text { min-height: 22px; padding: 0 0 0 8px; min-width: 0; }\n"
      ".pare-spin > button { min-height: 22px; min-width: 24px; padding: 0; margin: 0; }\n"
      ".pare-job { border-radius: 6px; padding: 0; background: alpha(currentColor, 0.075); }\n"
      ".pare-job .pare-second { color: mix(@window_fg_color, @window_bg_color, 0.22); }\n"
      ".pare-job label { font-size: 9pt; font-weight: normal; font-feature-settings: \"tnum\"; }\n"
      ".pare-job > button { min-height: 26px; min-width: 26px; padding: 0; margin: 4px; }\n"
      ".pare-job > menubutton > button { padding: 0 6px 0 10px; min-height: 34px; }\n"
      ".pare-job.ring > menubutton > button { padding: 0 8px; }\n"
      ".pare-job.ring label { font-weight: bold; font-size: 11pt; }\n"
      ".pare-job progressbar, .pare-job progressbar > trough, .pare-job progressbar > trough > progress { min-height: 4px; min-width: 1px; "
      "}\n"
      ".pare-table label { font-size: 9pt; font-feature-settings: \"tnum\"; }\n";

void
pare_style_load (void)
{
  static gboolean loaded;
  GdkDisplay *display = gdk_display_get_default ();
  if (loaded || display == NULL)
    return;
  loaded = TRUE;
  g_autoptr (GtkCssProvider) provider = gtk_css_provider_new ();
  gtk_css_provider_load_from_data (provider, sheet, -1);
  gtk_style_context_add_provider_for_display (display, GTK_STYLE_PROVIDER (provider), GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

void
pare_look_part (const PareLook *self, guint i, GdkRGBA *colour)
{
  /* Okabe and Ito's colours; the last is the grey of what belongs to no part. */
  static const Pair parts[] = { { "#0072b2", "#0072b2" }, { "#56b4e9", "#56b4e9" }, { "#009e73", "#009e73" }, { "#e69f00", "#e69f00" },
                                { "#8b8993", "#8b8993" }, { "#cc79a7", "#cc79a7" }, { "#7d52c4", "#b393ec" }, { "#d55e00", "#d55e00" } };
  pick (colour, self->dark, parts[i % G_N_ELEMENTS (parts)]);
}

gboolean
pare_look_animations (GtkWidget *widget)
{
  gboolean on = FALSE;
  g_object_get (gtk_widget_get_settings (widget), "gtk-enable-animations", &on, NULL);
  return on;
}
