/* Small scenes drawn with cairo. Each kind is drawn around the origin, about two units wide. */
#include "data/sample/pictures.h"

#include <cairo.h>

const char *const picture_names[PICTURE_CLASSES + 1]
    = { "sun", "moon", "tree", "house", "boat", "fish", "flower", "mushroom", "bird", "cup", NULL };

typedef struct
{
  double r, g, b;
} Colour;

static double
between (PareRng *rng, double low, double high)
{
  return low + (high - low) * pare_rng_uniform (rng);
}

static Colour
any_colour (PareRng *rng, double low, double high)
{
  Colour c;
  c.r = between (rng, low, high);
  c.g = between (rng, low, high);
  c.b = between (rng, low, high);
  return c;
}

/* A colour near c. */
static Colour
vary (PareRng *rng, Colour c)
{
  Colour v;
  v.r = CLAMP (c.r + between (rng, -.22, .22), 0, 1);
  v.g = CLAMP (c.g + between (rng, -.22, .22), 0, 1);
  v.b = CLAMP (c.b + between (rng, -.22, .22), 0, 1);
  return v;
}

static void
fill (cairo_t *cr, Colour c)
{
  cairo_set_source_rgb (cr, c.r, c.g, c.b);
  cairo_fill (cr);
}

static void
stroke (cairo_t *cr, Colour c, double width)
{
  cairo_set_source_rgb (cr, c.r, c.g, c.b);
  cairo_set_line_width (cr, width);
  cairo_stroke (cr);
}

static void
ellipse (cairo_t *cr, double x, double y, double rx, double ry)
{
  cairo_save (cr);
  cairo_translate (cr, x, y);
  cairo_scale (cr, rx, ry);
  cairo_new_sub_path (cr);
  cairo_arc (cr, 0, 0, 1, 0, 2 * G_PI);
  cairo_restore (cr);
}

static void
polygon (cairo_t *cr, const double *xy, int n)
{
  for (int i = 0; i < n; i++)
    cairo_line_to (cr, xy[2 * i], xy[2 * i + 1]);
  cairo_close_path (cr);
}

static void
draw_sun (cairo_t *cr, PareRng *rng)
{
  Colour c = vary (rng, (Colour){ .95, .75, .2 });
  int rays = 7 + (int)pare_rng_below (rng, 4);
  for (int i = 0; i < rays; i++)
    {
      double a = 2 * G_PI * i / rays;
      cairo_move_to (cr, .68 * cos (a), .68 * sin (a));
      cairo_line_to (cr, 1.05 * cos (a), 1.05 * sin (a));
      stroke (cr, c, .14);
    }
  ellipse (cr, 0, 0, .5, .5);
  fill (cr, c);
}

static void
draw_moon (cairo_t *cr, PareRng *rng)
{
  double bite = between (rng, .35, .55);
  cairo_arc (cr, 0, 0, .85, -G_PI / 2.2, G_PI / 2.2);
  cairo_arc_negative (cr, -bite * .6, 0, .92, G_PI / 2.9, -G_PI / 2.9);
  cairo_close_path (cr);
  fill (cr, vary (rng, (Colour){ .9, .88, .6 }));
}

static void
draw_tree (cairo_t *cr, PareRng *rng)
{
  Colour leaf = vary (rng, (Colour){ .2, .55, .25 });
  cairo_rectangle (cr, -.14, .2, .28, .8);
  fill (cr, vary (rng, (Colour){ .45, .3, .15 }));
  if (pare_rng_below (rng, 2))
    for (int i = 0; i < 3; i++)
      {
        double y = -.95 + i * .42, w = .45 + i * .17, xy[6] = { 0, y, w, y + .62, -w, y + .62 };
        polygon (cr, xy, 3);
        fill (cr, leaf);
      }
  else
    {
      ellipse (cr, 0, -.55, .5, .45);
      ellipse (cr, -.4, -.15, .42, .38);
      ellipse (cr, .4, -.15, .42, .38);
      fill (cr, leaf);
    }
}

static void
draw_house (cairo_t *cr, PareRng *rng)
{
  Colour wall = vary (rng, (Colour){ .8, .7, .55 });
  double roof[6] = { -1, -.1, 0, -.95, 1, -.1 };
  cairo_rectangle (cr, -.75, -.1, 1.5, 1);
  fill (cr, wall);
  polygon (cr, roof, 3);
  fill (cr, vary (rng, (Colour){ .65, .25, .2 }));
  cairo_rectangle (cr, between (rng, -.5, -.1), .35, .32, .55);
  fill (cr, vary (rng, (Colour){ .35, .22, .15 }));
  cairo_rectangle (cr, .22, .12, .32, .3);
  fill (cr, vary (rng, (Colour){ .55, .75, .9 }));
}

static void
draw_boat (cairo_t *cr, PareRng *rng)
{
  double hull[8] = { -.95, .35, .95, .35, .55, .85, -.55, .85 }, sail[6] = { .05, -.95, .05, .2, .75, .2 },
         jib[6] = { -.05, -.75, -.05, .2, -.6, .2 };
  polygon (cr, hull, 4);
  fill (cr, vary (rng, (Colour){ .5, .3, .2 }));
  cairo_move_to (cr, 0, -1);
  cairo_line_to (cr, 0, .4);
  stroke (cr, (Colour){ .3, .25, .2 }, .09);
  polygon (cr, sail, 3);
  fill (cr, vary (rng, (Colour){ .92, .9, .85 }));
  polygon (cr, jib, 3);
  fill (cr, vary (rng, (Colour){ .85, .5, .4 }));
}

static void
draw_fish (cairo_t *cr, PareRng *rng)
{
  Colour c = vary (rng, (Colour){ .85, .5, .3 });
  double tail[6] = { .45, 0, 1, -.45, 1, .45 }, fin[6] = { -.2, -.3, .25, -.3, .15, -.7 };
  polygon (cr, tail, 3);
  fill (cr, vary (rng, c));
  polygon (cr, fin, 3);
  fill (cr, vary (rng, c));
  ellipse (cr, -.15, 0, .75, .42);
  fill (cr, c);
  ellipse (cr, -.55, -.1, .1, .1);
  fill (cr, (Colour){ .1, .1, .15 });
}

static void
draw_flower (cairo_t *cr, PareRng *rng)
{
  Colour petal = vary (rng, (Colour){ .85, .45, .65 });
  int petals = 5 + (int)pare_rng_below (rng, 3);
  cairo_move_to (cr, 0, .2);
  cairo_curve_to (cr, .1, .5, -.1, .7, 0, 1.05);
  stroke (cr, vary (rng, (Colour){ .25, .5, .2 }), .12);
  for (int i = 0; i < petals; i++)
    {
      double a = 2 * G_PI * i / petals;
      ellipse (cr, .42 * cos (a), -.25 + .42 * sin (a), .28, .28);
      fill (cr, petal);
    }
  ellipse (cr, 0, -.25, .22, .22);
  fill (cr, vary (rng, (Colour){ .95, .8, .3 }));
}

static void
draw_mushroom (cairo_t *cr, PareRng *rng)
{
  cairo_rectangle (cr, -.22, -.05, .44, .95);
  fill (cr, vary (rng, (Colour){ .9, .85, .75 }));
  cairo_arc (cr, 0, .1, .9, G_PI, 2 * G_PI);
  cairo_close_path (cr);
  fill (cr, vary (rng, (Colour){ .8, .25, .2 }));
  for (int i = 0; i < 3; i++)
    {
      ellipse (cr, -.45 + i * .45, -.25 - (i == 1) * .25, .13, .13);
      fill (cr, (Colour){ .95, .93, .9 });
    }
}

static void
draw_bird (cairo_t *cr, PareRng *rng)
{
  Colour c = vary (rng, (Colour){ .35, .45, .65 });
  double tail[6] = { .5, .1, 1.05, -.15, .95, .3 }, beak[6] = { -.75, -.4, -1.1, -.3, -.75, -.22 };
  polygon (cr, tail, 3);
  fill (cr, c);
  ellipse (cr, .05, .1, .6, .42);
  ellipse (cr, -.5, -.35, .3, .28);
  fill (cr, c);
  polygon (cr, beak, 3);
  fill (cr, vary (rng, (Colour){ .9, .65, .2 }));
  ellipse (cr, .15, .05, .36, .2);
  fill (cr, vary (rng, c));
  for (int i = 0; i < 2; i++)
    {
      cairo_move_to (cr, -.05 + i * .25, .45);
      cairo_line_to (cr, -.05 + i * .25, .9);
      stroke (cr, (Colour){ .5, .35, .2 }, .09);
    }
}

static void
draw_cup (cairo_t *cr, PareRng *rng)
{
  Colour c = vary (rng, (Colour){ .75, .75, .8 });
  double body[8] = { -.7, -.45, .45, -.45, .3, .75, -.55, .75 };
  ellipse (cr, .5, .05, .35, .35);
  stroke (cr, c, .15);
  polygon (cr, body, 4);
  fill (cr, c);
  ellipse (cr, -.125, -.45, .57, .15);
  fill (cr, vary (rng, (Colour){ .35, .22, .12 }));
  for (int i = 0; i < 2; i++)
    {
      cairo_move_to (cr, -.35 + i * .4, -.65);
      cairo_curve_to (cr, -.5 + i * .4, -.8, -.2 + i * .4, -.85, -.35 + i * .4, -1.05);
      stroke (cr, (Colour){ .9, .9, .9 }, .08);
    }
}

static void
draw_background (cairo_t *cr, PareRng *rng)
{
  cairo_pattern_t *sky = cairo_pattern_create_linear (0, 0, between (rng, -10, 10), PICTURE_SIZE);
  Colour a = any_colour (rng, .15, .95), b = vary (rng, a);
  cairo_pattern_add_color_stop_rgb (sky, 0, a.r, a.g, a.b);
  cairo_pattern_add_color_stop_rgb (sky, 1, b.r, b.g, b.b);
  cairo_set_source (cr, sky);
  cairo_paint (cr);
  cairo_pattern_destroy (sky);
  for (guint i = 0, n = (guint)pare_rng_below (rng, 4); i < n; i++) /* things that mean nothing */
    {
      double x = between (rng, 0, PICTURE_SIZE), y = between (rng, 0, PICTURE_SIZE);
      if (pare_rng_below (rng, 2))
        ellipse (cr, x, y, between (rng, 1, 6), between (rng, 1, 6));
      else
        cairo_rectangle (cr, x, y, between (rng, 2, 12), between (rng, 2, 12));
      fill (cr, vary (rng, a));
    }
}

void
picture_draw (int kind, guint64 seed, guint8 *rgb)
{
  static void (*const draw[PICTURE_CLASSES]) (cairo_t *, PareRng *)
      = { draw_sun, draw_moon, draw_tree, draw_house, draw_boat, draw_fish, draw_flower, draw_mushroom, draw_bird, draw_cup };
  PareRng rng = { pare_splitmix64 (seed) };
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, PICTURE_SIZE, PICTURE_SIZE);
  cairo_t *cr = cairo_create (surface);
  draw_background (cr, &rng);
  double scale = between (&rng, 7.5, 14);
  cairo_translate (cr, between (&rng, 11, 21), between (&rng, 11, 21));
  cairo_rotate (cr, between (&rng, -.4, .4));
  cairo_scale (cr, pare_rng_below (&rng, 2) ? scale : -scale, scale * between (&rng, .85, 1.15));
  draw[kind](cr, &rng);
  cairo_identity_matrix (cr);
  if (pare_rng_below (&rng, 3) == 0) /* something in front */
    {
      cairo_rectangle (cr, between (&rng, 0, 26), between (&rng, 0, 26), between (&rng, 3, 9), between (&rng, 3, 9));
      fill (cr, any_colour (&rng, .1, .9));
    }
  cairo_surface_flush (surface);
  const guint8 *pixels = cairo_image_surface_get_data (surface);
  int stride = cairo_image_surface_get_stride (surface);
  double noise = between (&rng, 4, 22), light = between (&rng, .75, 1.15);
  for (int y = 0; y < PICTURE_SIZE; y++)
    for (int x = 0; x < PICTURE_SIZE; x++)
      {
        guint32 p = *(const guint32 *)(pixels + y * stride + x * 4);
        for (int c = 0; c < 3; c++)
          {
            double v = (p >> (16 - 8 * c) & 255) * light + noise * pare_rng_normal (&rng);
            rgb[(y * PICTURE_SIZE + x) * 3 + c] = (guint8)CLAMP (v + .5, 0, 255);
          }
      }
  cairo_destroy (cr);
  cairo_surface_destroy (surface);
}
