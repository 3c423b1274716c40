#include "app/pare-preview.h"

/* A pointer that only passes over points repaints nothing. */
#define REST_MS 80

typedef struct
{
  PareSelection *selection; /* owns this */
  gint64 entry;
  guint source;
} Rest;

static void
rest_free (gpointer data)
{
  Rest *rest = data;
  g_clear_handle_id (&rest->source, g_source_remove);
  g_free (rest);
}

static gboolean
on_rested (gpointer data)
{
  Rest *rest = data;
  rest->source = 0;
  pare_selection_set_preview (rest->selection, rest->entry);
  return G_SOURCE_REMOVE;
}

void
pare_preview_rest (PareSelection *selection, gint64 entry)
{
  Rest *rest = g_object_get_data (G_OBJECT (selection), "pare-preview-rest");
  if (rest == NULL)
    {
      rest = g_new0 (Rest, 1);
      rest->selection = selection;
      rest->entry = PARE_PREVIEW_NONE;
      g_object_set_data_full (G_OBJECT (selection), "pare-preview-rest", rest, rest_free);
    }
  if (rest->entry == entry)
    return;
  rest->entry = entry;
  g_clear_handle_id (&rest->source, g_source_remove);
  if (entry < 0)
    pare_selection_set_preview (selection, PARE_PREVIEW_NONE);
  else
    rest->source = g_timeout_add (REST_MS, on_rested, rest);
}
