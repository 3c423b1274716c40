/* What several charts draw alike (headline, hover card), and the table window. */
#include "widgets/pare-chart.h"

#include <adwaita.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

double
pare_chart_draw_headline (PareChart *self, cairo_t *cr, const PareLook *look, double w, const char *value, const char *unit,
                          const char *change, const GdkRGBA *change_colour, gboolean warn)
{
  double s = look->scale;
  const GdkRGBA *colour = change_colour != NULL ? change_colour : &look->fg;
  double right = w, change_w = change != NULL ? pare_draw_text_width (cr, look, PARE_CAPTION_PX, PARE_TEXT_BOLD, change) : 0;
  const char *title = pare_chart_get_title (self);
  gboolean compact = pare_chart_get_compact (self);
  double base = compact ? 15 * s : 33 * s;
  pare_draw_text (cr, look, colour, PARE_CAPTION_PX, PARE_TEXT_RIGHT | PARE_TEXT_BOLD, right, base, 0, change);
  if (warn)
    pare_draw_icon_warning (cr, colour, right - change_w - 18 * s, base - 12 * s, 14 * s);
  double room = w - change_w - (warn ? 22 * s : 6);
  if (compact)
    {
      /* One row: "Size 125.8 KiB ... −88 %". */
      g_autofree char *brief = title != NULL ? g_strndup (title, strcspn (title, ",")) : NULL;
      double x = pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, PARE_TEXT_BOLD, 0, base, 0, brief);
      x += x > 0 ? 6 : 0;
      x += pare_draw_text (cr, look, warn ? &look->worse : &look->fg, PARE_BODY_PX, PARE_TEXT_BOLD, x, base, fmax (room - x, 10), value);
      if (unit != NULL && x < room - 10)
        pare_draw_text (cr, look, &look->fg, PARE_BODY_PX, PARE_TEXT_BOLD, x + 4, base, fmax (room - x - 4, 10), unit);
      return 20 * s;
    }
  pare_draw_text (cr, look, &look->second, PARE_CAPTION_PX, PARE_TEXT_BOLD, 0, 12 * s, w, title);
  double x = pare_draw_text (cr, look, warn ? &look->worse : &look->fg, PARE_HEADLINE_PX, PARE_TEXT_BOLD, 0, base, fmax (room, 10), value);
  if (unit != NULL && x + 6 < room)
    pare_draw_text (cr, look, &look->fg, PARE_CAPTION_PX, 0, x + 6, base, room - x - 6, unit);
  return 40 * s;
}

void
pare_chart_draw_card (cairo_t *cr, const PareLook *look, double w, double h, double x, double y, const char *const *lines)
{
  double s = look->scale, width = 0;
  guint n = 0;
  for (; lines[n] != NULL; n++)
    width = fmax (width, pare_draw_text_width (cr, look, PARE_TICK_PX, n == 0 ? PARE_TEXT_BOLD : 0, lines[n]));
  width = fmin (width + 18, w);
  double height = (n * 13.5 + 9) * s;
  /* Below and right of the pointer; to the other side where that would be cut off. */
  double cx = x + 12 + width <= w ? x + 12 : x - 12 - width, cy = y + 12 + height <= h ? y + 12 : y - 12 - height;
  cx = floor (CLAMP (cx, 0, fmax (w - width, 0)));
  cy = floor (CLAMP (cy, 0, fmax (h - height, 0)));
  pare_draw_rounded (cr, cx + 0.5, cy + 0.5, width - 1, height - 1, 7);
  pare_draw_source (cr, &look->popover, 1);
  cairo_fill_preserve (cr);
  pare_draw_source (cr, &look->line, 1);
  cairo_set_line_width (cr, 1);
  cairo_stroke (cr);
  for (guint i = 0; i < n; i++)
    pare_draw_text (cr, look, i == 2 ? &look->second : &look->fg, PARE_TICK_PX, i == 0 ? PARE_TEXT_BOLD : 0, cx + 9,
                    cy + (15 + i * 13.5) * s, width - 18, lines[i]);
}

void
pare_chart_show_table (PareChart *self)
{
  g_autoptr (GPtrArray) rows = pare_chart_get_table (self);
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  GtkWidget *window = adw_window_new (), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0), *bar = adw_header_bar_new ();
  g_autofree char *sentence = pare_chart_describe (self);
  const char *title = pare_chart_get_title (self);
  gtk_window_set_title (GTK_WINDOW (window), title != NULL ? title : _ ("Table"));
  gtk_window_set_default_size (GTK_WINDOW (window), 480, 420);
  if (GTK_IS_WINDOW (root))
    gtk_window_set_transient_for (GTK_WINDOW (window), GTK_WINDOW (root));
  GtkWidget *reading = gtk_label_new (sentence);
  gtk_label_set_wrap (GTK_LABEL (reading), TRUE);
  gtk_label_set_xalign (GTK_LABEL (reading), 0);
  g_object_set (reading, "margin-start", 12, "margin-end", 12, "margin-top", 6, "margin-bottom", 6, NULL);
  GtkWidget *grid = gtk_grid_new (), *scrolled = gtk_scrolled_window_new ();
  gtk_widget_add_css_class (grid, "pare-table");
  gtk_grid_set_column_spacing (GTK_GRID (grid), 18);
  gtk_grid_set_row_spacing (GTK_GRID (grid), 6);
  g_object_set (grid, "margin-start", 12, "margin-end", 12, "margin-top", 6, "margin-bottom", 12, NULL);
  /* A table of labels: enough for reading; the CSV has every row. */
  for (guint r = 0; r < MIN (rows->len, 400u); r++)
    {
      char **row = rows->pdata[r];
      for (int c = 0; row[c] != NULL; c++)
        {
          GtkWidget *label = gtk_label_new (row[c]);
          gtk_label_set_xalign (GTK_LABEL (label), c == 0 ? 0 : 1);
          gtk_label_set_selectable (GTK_LABEL (label), TRUE);
          if (r == 0)
            gtk_widget_add_css_class (label, "heading");
          gtk_grid_attach (GTK_GRID (grid), label, c, (int)r, 1, 1);
        }
    }
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), grid);
  gtk_widget_set_vexpand (scrolled, TRUE);
  gtk_box_append (GTK_BOX (box), bar);
  gtk_box_append (GTK_BOX (box), reading);
  gtk_box_append (GTK_BOX (box), scrolled);
  adw_window_set_content (ADW_WINDOW (window), box);
  gtk_window_present (GTK_WINDOW (window));
}
