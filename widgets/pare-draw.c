#include "widgets/pare-draw.h"

#include <math.h>
#include <pango/pangocairo.h>

void
pare_draw_source (cairo_t *cr, const GdkRGBA *colour, double alpha)
{
  cairo_set_source_rgba (cr, colour->red, colour->green, colour->blue, colour->alpha * alpha);
}

static PangoLayout *
text_layout (cairo_t *cr, const PareLook *look, double px, PareTextFlags flags, const char *text)
{
  PangoLayout *layout = pango_cairo_create_layout (cr);
  PangoFontDescription *font = pango_font_description_new ();
  pango_font_description_set_family (font, look->family);
  pango_font_description_set_absolute_size (font, px * look->scale * PANGO_SCALE);
  pango_font_description_set_weight (font, flags & PARE_TEXT_BOLD ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
  pango_font_description_set_style (font, flags & PARE_TEXT_ITALIC ? PANGO_STYLE_ITALIC : PANGO_STYLE_NORMAL);
  pango_layout_set_font_description (layout, font);
  pango_font_description_free (font);
  PangoAttrList *attributes = pango_attr_list_new ();
  pango_attr_list_insert (attributes, pango_attr_font_features_new ("tnum=1"));
  pango_layout_set_attributes (layout, attributes);
  pango_attr_list_unref (attributes);
  pango_layout_set_single_paragraph_mode (layout, TRUE);
  pango_layout_set_text (layout, text, -1);
  return layout;
}

double
pare_draw_text (cairo_t *cr, const PareLook *look, const GdkRGBA *colour, double px, PareTextFlags flags, double x, double y,
                double max_width, const char *text)
{
  if (text == NULL || *text == '\0' || !isfinite (x) || !isfinite (y))
    return 0;
  g_autoptr (PangoLayout) layout = text_layout (cr, look, px, flags, text);
  if (max_width > 0)
    {
      pango_layout_set_width (layout, (int)(fmin (max_width, 10000) * PANGO_SCALE));
      pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
    }
  PangoRectangle box;
  pango_layout_get_extents (layout, NULL, &box);
  /* A layout with a width is as wide as that: align by the text's own extents. */
  double w = (double)box.width / PANGO_SCALE, left = (double)box.x / PANGO_SCALE;
  double at = x - (flags & PARE_TEXT_MIDDLE ? w / 2 : flags & PARE_TEXT_RIGHT ? w : 0) - left;
  cairo_save (cr);
  cairo_new_path (cr);
  cairo_move_to (cr, at, y - (double)pango_layout_get_baseline (layout) / PANGO_SCALE);
  if (flags & PARE_TEXT_HALO)
    {
      pango_cairo_layout_path (cr, layout);
      pare_draw_source (cr, &look->view, 1);
      cairo_set_line_width (cr, 3);
      cairo_set_line_join (cr, CAIRO_LINE_JOIN_ROUND);
      cairo_set_dash (cr, NULL, 0, 0);
      cairo_stroke (cr);
      cairo_move_to (cr, at, y - (double)pango_layout_get_baseline (layout) / PANGO_SCALE);
    }
  pare_draw_source (cr, colour, 1);
  pango_cairo_show_layout (cr, layout);
  cairo_restore (cr);
  cairo_new_path (cr);
  return w;
}

double
pare_draw_text_width (cairo_t *cr, const PareLook *look, double px, PareTextFlags flags, const char *text)
{
  g_autoptr (PangoLayout) layout = text_layout (cr, look, px, flags, text);
  int w;
  pango_layout_get_size (layout, &w, NULL);
  return (double)w / PANGO_SCALE;
}

double
pare_draw_measure_text (GtkWidget *widget, double px, PareTextFlags flags, const char *text)
{
  PareLook look;
  pare_look_for_widget (&look, widget);
  cairo_surface_t *surface = cairo_recording_surface_create (CAIRO_CONTENT_ALPHA, NULL);
  cairo_t *cr = cairo_create (surface);
  double w = pare_draw_text_width (cr, &look, px, flags, text);
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
  return w;
}

void
pare_draw_line (cairo_t *cr, const GdkRGBA *colour, double width, double x1, double y1, double x2, double y2)
{
  if (!isfinite (x1 + y1 + x2 + y2))
    return;
  cairo_new_path (cr);
  cairo_move_to (cr, x1, y1);
  cairo_line_to (cr, x2, y2);
  pare_draw_source (cr, colour, 1);
  cairo_set_line_width (cr, width);
  cairo_stroke (cr);
}

void
pare_draw_dash (cairo_t *cr, double on, double off)
{
  double pattern[2] = { on, off };
  cairo_set_dash (cr, pattern, on > 0 ? 2 : 0, 0);
}

void
pare_draw_rounded (cairo_t *cr, double x, double y, double w, double h, double radius)
{
  double r = fmax (0, fmin (radius, fmin (w, h) / 2));
  cairo_new_path (cr);
  cairo_arc (cr, x + w - r, y + r, r, -G_PI_2, 0);
  cairo_arc (cr, x + w - r, y + h - r, r, 0, G_PI_2);
  cairo_arc (cr, x + r, y + h - r, r, G_PI_2, G_PI);
  cairo_arc (cr, x + r, y + r, r, G_PI, 3 * G_PI_2);
  cairo_close_path (cr);
}

void
pare_draw_hatch (cairo_t *cr, const GdkRGBA *colour, double alpha, double stripe, double every)
{
  double x1, y1, x2, y2;
  cairo_save (cr);
  cairo_path_extents (cr, &x1, &y1, &x2, &y2);
  cairo_clip (cr);
  double h = y2 - y1;
  if (x2 - x1 > 0 && h > 0 && x2 - x1 < 1e5 && h < 1e5)
    {
      /* Lines from top right to bottom left; `every` is measured across the stripes. Anchored to the origin, so that neighbours join. */
      double step = every * G_SQRT2, from = floor ((x1 + y1) / step) * step;
      for (double c = from; c <= x2 + y2 + step; c += step)
        {
          cairo_move_to (cr, c - y1 + 1, y1 - 1);
          cairo_line_to (cr, c - y2 - 1, y2 + 1);
        }
      pare_draw_source (cr, colour, alpha);
      cairo_set_line_width (cr, stripe);
      cairo_set_dash (cr, NULL, 0, 0);
      cairo_stroke (cr);
    }
  cairo_restore (cr);
  cairo_new_path (cr);
}

void
pare_draw_forbidden (cairo_t *cr, const PareLook *look, double x, double y, double w, double h, double alpha)
{
  if (!(w > 0 && h > 0))
    return;
  cairo_new_path (cr);
  cairo_rectangle (cr, x, y, w, h);
  pare_draw_hatch (cr, &look->worse, alpha, 1.2, 7);
}

void
pare_draw_bar (cairo_t *cr, const PareLook *look, PareMark mark, double x, double y, double w, double h)
{
  if (!(w >= 0 && h > 0) || !isfinite (w))
    return;
  cairo_new_path (cr);
  if (mark == PARE_MARK_MEASURED || mark == PARE_MARK_PROVISIONAL)
    {
      cairo_rectangle (cr, x, y, w, h);
      pare_draw_source (cr, &look->mark, 1);
      cairo_fill (cr);
      return;
    }
  /* Outlined bars: the line lies on whole pixels, inside the same box as a solid one. */
  double bw = fmax (w - 1, 1), bh = h - 1;
  cairo_rectangle (cr, x + 0.5, y + 0.5, bw, bh);
  if (mark == PARE_MARK_PREDICTED)
    {
      pare_draw_source (cr, &look->selected, 1);
      cairo_fill_preserve (cr);
      pare_draw_hatch (cr, &look->tint, 1, 2, 5);
    }
  else
    {
      pare_draw_source (cr, &look->hatch, 0.28);
      cairo_fill (cr);
    }
  cairo_rectangle (cr, x + 0.5, y + 0.5, bw, bh);
  pare_draw_source (cr, mark == PARE_MARK_PREDICTED ? &look->mark : &look->hatch, 1);
  cairo_set_line_width (cr, 1);
  if (mark != PARE_MARK_PREDICTED)
    pare_draw_dash (cr, 2, 2);
  cairo_stroke (cr);
  pare_draw_dash (cr, 0, 0);
}

void
pare_draw_whisker_h (cairo_t *cr, const GdkRGBA *colour, double x1, double x2, double y)
{
  pare_draw_line (cr, colour, 1.3, x1, y, x2, y);
  pare_draw_line (cr, colour, 1.3, x1, y - 3, x1, y + 3);
  pare_draw_line (cr, colour, 1.3, x2, y - 3, x2, y + 3);
}

void
pare_draw_icon_warning (cairo_t *cr, const GdkRGBA *colour, double x, double y, double size)
{
  double k = size / 16;
  cairo_save (cr);
  cairo_translate (cr, x, y);
  cairo_scale (cr, k, k);
  cairo_new_path (cr);
  cairo_move_to (cr, 8, 2);
  cairo_line_to (cr, 14.5, 13.5);
  cairo_line_to (cr, 1.5, 13.5);
  cairo_close_path (cr);
  cairo_move_to (cr, 8, 6);
  cairo_line_to (cr, 8, 9.5);
  cairo_move_to (cr, 8, 11.5);
  cairo_line_to (cr, 8, 11.8);
  pare_draw_source (cr, colour, 1);
  cairo_set_line_width (cr, 1.7);
  cairo_set_line_cap (cr, CAIRO_LINE_CAP_ROUND);
  cairo_set_line_join (cr, CAIRO_LINE_JOIN_ROUND);
  cairo_stroke (cr);
  cairo_restore (cr);
}
