/* The whole graph as a picture. Text is laid out and painted in the main thread, a strip at a time between frames (fonts belong to it);
 * packing and writing go on in a worker, so that neither a large graph nor a slow disk holds up the window.
 *
 *   main: strip -> pixels --(queue, at most AHEAD)--> worker: PNG rows -> file       (PNG)
 *   main: some nodes -> vector surface ... whole --------------> worker: finish -> file  (SVG)
 *
 * Invariants:
 * 1. The scene is the one of the beginning (a reference is held); while it is painted it stands in for the view's own.
 * 2. The file appears under its name only when it is whole: it is written beside and moved. */
#include "widgets/pare-graph-view-private.h"

#include <cairo-svg.h>
#include <errno.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <string.h>
#include <glib/gi18n.h>

#define MARGIN 16
#define LARGEST 16384
#define MOST_PIXELS (160.0 * 1024 * 1024) /* of a PNG; more than viewers open */
#define STRIP_PIXELS (1024 * 1024)
#define AHEAD 4
#define SVG_CHUNK 200 /* items painted between two frames */

typedef struct
{
  PareGraphView *view; /* held by the task */
  PareGraphScene *scene;
  char *path;
  gboolean svg;
  double scale;
  int width, height; /* pixels of the picture */
  int next_row, strip;
  guint next_item;
  cairo_surface_t *surface; /* of the SVG */
  cairo_t *cr;
  GByteArray *bytes;
  GAsyncQueue *strips; /* GBytes of rows; an empty one: no more come */
  int rows_written;    /* atomic */
  int failed;          /* atomic: the worker has given up */
  gboolean handed_over;
  guint source;
  PareGraphProgress progress;
  gpointer progress_data;
  GCancellable *cancellable;
  GTask *task;
} Picture;

static void
picture_free (gpointer data)
{
  Picture *p = data;
  g_clear_handle_id (&p->source, g_source_remove);
  g_clear_pointer (&p->cr, cairo_destroy);
  g_clear_pointer (&p->surface, cairo_surface_destroy);
  g_clear_pointer (&p->bytes, g_byte_array_unref);
  g_clear_pointer (&p->strips, g_async_queue_unref);
  g_clear_object (&p->cancellable);
  pare_graph_scene_unref (p->scene);
  g_free (p->path);
  g_free (p);
}

/* --- the worker --- */

typedef struct
{
  GOutputStream *stream;
  GError *error;
  GCancellable *cancellable;
} Sink;

static void
png_put (png_structp png, png_bytep data, png_size_t size)
{
  Sink *sink = png_get_io_ptr (png);
  if (!g_output_stream_write_all (sink->stream, data, size, NULL, sink->cancellable, &sink->error))
    png_error (png, "write");
}

static void
png_flushed (png_structp png)
{
}

static void
png_failed (png_structp png, png_const_charp what)
{
  Sink *sink = png_get_error_ptr (png);
  if (sink->error == NULL)
    sink->error = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "%s", what);
  longjmp (png_jmpbuf (png), 1);
}

static void
png_warned (png_structp png, png_const_charp what)
{
}

static gboolean
pump_again (gpointer data)
{
  Picture *p = g_task_get_task_data (data);
  if (p->source == 0 && !p->handed_over)
    p->source = g_idle_add_full (G_PRIORITY_LOW, pare_graph_picture_step, p, NULL);
  if (p->progress != NULL)
    p->progress ((double)g_atomic_int_get (&p->rows_written) / p->height, p->progress_data);
  return G_SOURCE_REMOVE;
}

/* cairo's premultiplied words -> bytes; what is painted on the canvas colour is opaque. */
static gboolean
write_rows (Picture *p, Sink *sink)
{
  png_structp png = png_create_write_struct (PNG_LIBPNG_VER_STRING, sink, png_failed, png_warned);
  png_infop info = png != NULL ? png_create_info_struct (png) : NULL;
  guchar *volatile row = info != NULL ? g_try_malloc ((gsize)p->width * 3) : NULL;
  if (row == NULL)
    {
      png_destroy_write_struct (&png, &info);
      g_set_error (&sink->error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "%s", g_strerror (ENOMEM));
      return FALSE;
    }
  GBytes *volatile strip = NULL;
  gboolean ok = FALSE;
  if (setjmp (png_jmpbuf (png)) == 0)
    {
      png_set_write_fn (png, sink, png_put, png_flushed);
      png_set_IHDR (png, info, (png_uint_32)p->width, (png_uint_32)p->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                    PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
      png_set_compression_level (png, 6);
      png_write_info (png, info);
      gsize stride = (gsize)cairo_format_stride_for_width (CAIRO_FORMAT_RGB24, p->width);
      while (TRUE)
        {
          gsize size;
          strip = g_async_queue_pop (p->strips);
          const guint8 *data = g_bytes_get_data (strip, &size);
          if (size == 0)
            break;
          for (gsize at = 0; at + stride <= size; at += stride)
            {
              const guint32 *words = (const guint32 *)(const void *)(data + at);
              for (int x = 0; x < p->width; x++)
                {
                  row[3 * x] = (guchar)(words[x] >> 16);
                  row[3 * x + 1] = (guchar)(words[x] >> 8);
                  row[3 * x + 2] = (guchar)words[x];
                }
              png_write_row (png, row);
            }
          g_atomic_int_add (&p->rows_written, (int)(size / stride));
          g_bytes_unref (strip);
          strip = NULL;
          g_main_context_invoke_full (NULL, G_PRIORITY_DEFAULT_IDLE, pump_again, g_object_ref (p->task), g_object_unref);
        }
      ok = g_atomic_int_get (&p->rows_written) == p->height;
      if (ok)
        png_write_end (png, info);
    }
  else
    ok = FALSE;
  if (strip != NULL)
    g_bytes_unref (strip);
  g_free (row);
  png_destroy_write_struct (&png, &info);
  return ok;
}

static cairo_status_t
svg_put (void *closure, const unsigned char *data, unsigned int length)
{
  Sink *sink = closure;
  return g_output_stream_write_all (sink->stream, data, length, NULL, sink->cancellable, &sink->error) ? CAIRO_STATUS_SUCCESS
                                                                                                       : CAIRO_STATUS_WRITE_ERROR;
}

static gboolean
write_vector (Picture *p, Sink *sink)
{
  return svg_put (sink, p->bytes->data, p->bytes->len) == CAIRO_STATUS_SUCCESS;
}

static void
run (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Picture *p = data;
  g_autofree char *beside = g_strconcat (p->path, ".part", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (p->path), part = g_file_new_for_path (beside);
  Sink sink = { .cancellable = cancellable };
  g_autoptr (GFileOutputStream) stream = g_file_replace (part, NULL, FALSE, G_FILE_CREATE_REPLACE_DESTINATION, cancellable, &sink.error);
  gboolean ok = stream != NULL;
  if (ok)
    {
      sink.stream = g_buffered_output_stream_new_sized (G_OUTPUT_STREAM (stream), 1 << 16);
      if (p->svg)
        {
          cairo_surface_finish (p->surface);
          ok = cairo_surface_status (p->surface) == CAIRO_STATUS_SUCCESS;
          if (!ok)
            g_set_error (&sink.error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s", cairo_status_to_string (cairo_surface_status (p->surface)));
          ok = ok && write_vector (p, &sink);
        }
      else
        ok = write_rows (p, &sink);
      ok = g_output_stream_close (sink.stream, NULL, ok ? &sink.error : NULL) && ok;
      ok = ok && !g_cancellable_is_cancelled (cancellable)
           && g_file_move (part, file, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, &sink.error);
      if (!ok)
        g_file_delete (part, NULL, NULL);
      g_object_unref (sink.stream);
    }
  g_atomic_int_set (&p->failed, !ok);
  if (!ok && g_cancellable_is_cancelled (cancellable))
    {
      g_clear_error (&sink.error);
      g_cancellable_set_error_if_cancelled (cancellable, &sink.error);
    }
  if (ok)
    g_task_return_boolean (task, TRUE);
  else if (sink.error != NULL)
    {
      if (!g_error_matches (sink.error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_prefix_error (&sink.error, _ ("“%s” cannot be written: "), p->path);
      g_task_return_error (task, sink.error);
    }
  else
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("“%s” cannot be written: the graph changed while it was painted"),
                             p->path);
}

/* --- painting, in the main thread --- */

/* The view as it would be at the picture's scale, for as long as something is painted. */
typedef struct
{
  PareViewport viewport;
  PareGraphScene *scene;
  GskRenderNode **cache;
  PareDetail cache_detail;
  double cache_scale;
  PareLayoutRect *moving, *moving_frames;
} Aside;

static void
stand_in (Picture *p, Aside *aside, double x, double y, double width, double height)
{
  PareGraphView *v = p->view;
  *aside = (Aside){ v->viewport, v->scene, v->cache, v->cache_detail, v->cache_scale, v->moving, v->moving_frames };
  double scale = p->svg ? 1 : p->scale;
  v->viewport = (PareViewport){ .scale = scale, .x = x, .y = y, .width = width, .height = height };
  v->viewport.content_width = p->scene->layout->width;
  v->viewport.content_height = p->scene->layout->height;
  v->viewport.detail = pare_detail_for_scale (scale, PARE_DETAIL_GROUP);
  v->scene = p->scene;
  v->cache = NULL;
  v->moving = v->moving_frames = NULL;
}

static void
stand_back (Picture *p, const Aside *aside)
{
  PareGraphView *v = p->view;
  pare_graph_view_drop_cache (v);
  v->viewport = aside->viewport;
  v->scene = aside->scene;
  v->cache = aside->cache;
  v->cache_detail = aside->cache_detail;
  v->cache_scale = aside->cache_scale;
  v->moving = aside->moving;
  v->moving_frames = aside->moving_frames;
}

static void
paint_strip (Picture *p)
{
  int rows = MIN (p->strip, p->height - p->next_row);
  cairo_surface_t *image = cairo_image_surface_create (CAIRO_FORMAT_RGB24, p->width, rows);
  cairo_t *cr = cairo_create (image);
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  Aside aside;
  stand_in (p, &aside, -MARGIN, -MARGIN + p->next_row / p->scale, p->width, rows);
  pare_graph_view_draw (p->view, snapshot, p->width, rows, PARE_DRAW_ALL);
  stand_back (p, &aside);
  g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (snapshot);
  if (node != NULL)
    gsk_render_node_draw (node, cr);
  cairo_destroy (cr);
  cairo_surface_flush (image);
  if (cairo_surface_status (image) == CAIRO_STATUS_SUCCESS)
    g_async_queue_push (p->strips,
                        g_bytes_new (cairo_image_surface_get_data (image), (gsize)cairo_image_surface_get_stride (image) * rows));
  else
    {
      g_async_queue_push (p->strips, g_bytes_new (NULL, 0));
      p->handed_over = TRUE;
    }
  cairo_surface_destroy (image);
  p->next_row += rows;
}

/* First what lies under the nodes, then the nodes some at a time. */
static void
paint_vector (Picture *p)
{
  const PareLayout *l = p->scene->layout;
  GtkSnapshot *snapshot = gtk_snapshot_new ();
  Aside aside;
  gboolean under = p->next_item == 0;
  stand_in (p, &aside, -MARGIN, -MARGIN, l->width + 2 * MARGIN, l->height + 2 * MARGIN);
  if (under)
    pare_graph_view_draw (p->view, snapshot, (float)p->view->viewport.width, (float)p->view->viewport.height, PARE_DRAW_UNDER);
  guint end = MIN (p->next_item + SVG_CHUNK, p->scene->n_items);
  for (guint i = p->next_item; i < end; i++)
    pare_graph_view_draw_item (p->view, snapshot, i);
  p->next_item = end;
  stand_back (p, &aside);
  g_autoptr (GskRenderNode) node = gtk_snapshot_free_to_node (snapshot);
  if (node != NULL)
    gsk_render_node_draw (node, p->cr);
}

static cairo_status_t
svg_append (void *closure, const unsigned char *data, unsigned int length)
{
  g_byte_array_append (closure, data, length);
  return CAIRO_STATUS_SUCCESS;
}

gboolean
pare_graph_picture_step (gpointer data)
{
  Picture *p = data;
  gboolean gone = p->view->model != p->scene->model || g_cancellable_is_cancelled (p->cancellable);
  if (p->svg)
    {
      if (!gone)
        paint_vector (p);
      if (p->progress != NULL)
        p->progress (0.9 * p->next_item / MAX (p->scene->n_items, 1), p->progress_data);
      if (!gone && p->next_item < p->scene->n_items)
        return G_SOURCE_CONTINUE;
      p->source = 0;
      p->handed_over = TRUE;
      g_clear_pointer (&p->cr, cairo_destroy);
      if (gone && !g_cancellable_is_cancelled (p->cancellable))
        g_task_return_new_error (p->task, G_IO_ERROR, G_IO_ERROR_FAILED,
                                 _ ("“%s” cannot be written: the graph changed while it was painted"), p->path);
      else
        g_task_run_in_thread (p->task, run);
      g_object_unref (p->task);
      return G_SOURCE_REMOVE;
    }
  if (!gone && g_atomic_int_get (&p->failed) == 0 && p->next_row < p->height)
    {
      if (g_async_queue_length (p->strips) < AHEAD)
        paint_strip (p);
      if (p->next_row < p->height && !p->handed_over && g_async_queue_length (p->strips) < AHEAD)
        return G_SOURCE_CONTINUE;
      if (p->next_row < p->height && !p->handed_over)
        {
          p->source = 0; /* the worker calls again when it has taken one */
          return G_SOURCE_REMOVE;
        }
    }
  p->source = 0;
  if (!p->handed_over)
    {
      p->handed_over = TRUE;
      g_async_queue_push (p->strips, g_bytes_new (NULL, 0));
    }
  return G_SOURCE_REMOVE;
}

double
pare_graph_view_picture_scale (PareGraphView *self, gboolean svg)
{
  if (self->scene == NULL)
    return 1;
  double w = self->scene->layout->width + 2 * MARGIN, h = self->scene->layout->height + 2 * MARGIN;
  double scale = MIN (1, LARGEST / MAX (w, h));
  return svg ? scale : MIN (scale, sqrt (MOST_PIXELS / (w * h)));
}

void
pare_graph_view_save_picture_async (PareGraphView *self, const char *path, gboolean svg, GCancellable *cancellable,
                                    PareGraphProgress progress, gpointer progress_data, GAsyncReadyCallback callback, gpointer data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, data);
  g_task_set_source_tag (task, pare_graph_view_save_picture_async);
  if (self->scene == NULL || self->scene->n_items == 0)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("“%s” cannot be written: there is no graph to paint"), path);
      return;
    }
  Picture *p = g_new0 (Picture, 1);
  p->view = self;
  p->scene = pare_graph_scene_ref (self->scene);
  p->path = g_strdup (path);
  p->svg = svg;
  p->scale = pare_graph_view_picture_scale (self, svg);
  p->width = (int)MAX (1, floor ((p->scene->layout->width + 2 * MARGIN) * p->scale));
  p->height = (int)MAX (1, floor ((p->scene->layout->height + 2 * MARGIN) * p->scale));
  p->strip = CLAMP (STRIP_PIXELS / p->width, 16, 1024);
  p->progress = progress;
  p->progress_data = progress_data;
  p->cancellable = cancellable != NULL ? g_object_ref (cancellable) : g_cancellable_new ();
  p->task = task;
  g_task_set_task_data (task, p, picture_free);
  if (svg)
    {
      p->bytes = g_byte_array_new ();
      p->surface = cairo_svg_surface_create_for_stream (svg_append, p->bytes, p->width, p->height);
      cairo_svg_surface_set_document_unit (p->surface, CAIRO_SVG_UNIT_PX);
      p->cr = cairo_create (p->surface);
      cairo_scale (p->cr, p->scale, p->scale);
      g_object_ref (task); /* until the last chunk is painted */
    }
  else
    {
      p->strips = g_async_queue_new_full ((GDestroyNotify)g_bytes_unref);
      g_task_run_in_thread (task, run);
    }
  p->source = g_idle_add_full (G_PRIORITY_LOW, pare_graph_picture_step, p, NULL);
}

gboolean
pare_graph_view_save_picture_finish (PareGraphView *self, GAsyncResult *result, GError **error)
{
  Picture *p = g_task_get_task_data (G_TASK (result));
  if (p != NULL) /* a strip may still be asked for: nobody listens any more */
    {
      g_clear_handle_id (&p->source, g_source_remove);
      p->handed_over = TRUE;
      p->progress = NULL;
    }
  return g_task_propagate_boolean (G_TASK (result), error);
}
