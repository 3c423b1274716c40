#include "engine/cost/pare-profile.h"

#include <math.h>
#include <string.h>

#define LEAST_SPREAD 0.05 /* of a run: below that no two measurements on a desktop agree */

/* Only says how bytes that are there already are to be read: nothing is computed. */
static gboolean
is_view (const PareNode *node)
{
  static const char *const ops[] = { "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size" };
  for (guint i = 0; i < G_N_ELEMENTS (ops); i++)
    if (pare_node_is (node, ops[i]))
      return TRUE;
  return FALSE;
}

static void
rate (PareProfileRow *row, const ParePeaks *peaks, double whole)
{
  row->share = whole > 0 ? row->ms / whole : NAN;
  if (row->ms <= 0)
    return;
  row->gops = row->macs > 0 ? 2.0 * row->macs / row->ms / 1e6 : NAN;
  row->gbs = row->bytes > 0 ? row->bytes / row->ms / 1e6 : NAN;
  if (peaks == NULL)
    return;
  double peak = row->integer ? peaks->int8_gops : row->bf16 ? 0 : peaks->gflops; /* that of 16 bits is not measured */
  double compute = isfinite (row->gops) && peak > 0 ? row->gops / peak : NAN;
  double memory = isfinite (row->gbs) && peaks->stream_gbs > 0 ? row->gbs / peaks->stream_gbs : NAN;
  /* without a peak for its products it cannot be told which of both it is */
  if (isnan (compute) && (isnan (memory) || isfinite (row->gops)))
    return;
  row->bound = isnan (memory) || compute >= memory ? PARE_BOUND_COMPUTE : PARE_BOUND_MEMORY;
  row->reach = row->bound == PARE_BOUND_COMPUTE ? compute : memory;
}

/* Of a node without a step of its own: who does it. Producers stand before it, their rows are known. */
static PareNodeId
find_inside (const PareGraph *graph, PareNodeId id, const PareLatency *now, const PareProfileRow *const *row_of)
{
  const PareNode *node = &graph->nodes[id];
  if (id < now->n_holders && now->holders[id] != PARE_NONE)
    return now->holders[id];
  if (is_view (node))
    return PARE_NONE;
  PareNodeId last = PARE_NONE; /* of several, the one that comes last: the others are done by then */
  for (guint i = 0; i < node->n_inputs; i++)
    {
      PareNodeId from = node->inputs[i] != PARE_NONE ? graph->values[node->inputs[i]].producer : PARE_NONE;
      const PareProfileRow *row = from != PARE_NONE ? row_of[from] : NULL;
      PareNodeId who = row == NULL ? PARE_NONE : row->timed ? from : row->inside;
      if (who != PARE_NONE && (last == PARE_NONE || who > last))
        last = who;
    }
  return last;
}

PareProfile *
pare_profile_new (const PareGraph *graph, const PareLatency *now, const PareLatency *original, const ParePeaks *peaks)
{
  PareProfile *self = g_new0 (PareProfile, 1);
  self->rows = g_new0 (PareProfileRow, graph->n_nodes + 1);
  g_autofree const PareLayerTime **entries = g_new0 (const PareLayerTime *, graph->n_nodes + 1);
  g_autofree const PareProfileRow **row_of = g_new0 (const PareProfileRow *, graph->n_nodes + 1);
  g_autofree double *before = g_new (double, graph->n_nodes + 1);
  for (guint i = 0; i <= graph->n_nodes; i++)
    before[i] = NAN;
  for (guint i = 0; i < now->n_layers; i++)
    entries[MIN (now->layers[i].layer, graph->n_nodes)] = &now->layers[i];
  for (guint i = 0; original != NULL && i < original->n_layers; i++)
    before[MIN (original->layers[i].layer, graph->n_nodes)] = original->layers[i].ms;
  for (guint i = 0; i < now->n_layers; i++)
    self->layers_ms += now->layers[i].ms;
  self->whole_ms = now->profiled_ms > 0 ? now->profiled_ms : now->median_ms;
  self->between_ms = self->whole_ms - self->layers_ms;
  self->original_ms = original != NULL && original->n_layers > 0 ? 0 : NAN;
  for (guint i = 0; original != NULL && i < original->n_layers; i++)
    self->original_ms += original->layers[i].ms;
  for (guint i = 0; i <= graph->n_nodes; i++)
    {
      const PareLayerTime *entry = entries[i];
      if (i < graph->n_nodes ? graph->nodes[i].op == NULL || pare_node_is (&graph->nodes[i], "Constant") : entry == NULL)
        continue;
      PareProfileRow *row = &self->rows[self->n_rows++];
      *row = (PareProfileRow){ .layer = i < graph->n_nodes ? i : PARE_NONE,
                               .inside = PARE_NONE,
                               .ms = NAN,
                               .share = NAN,
                               .gops = NAN,
                               .gbs = NAN,
                               .reach = NAN,
                               .original_ms = before[i] > 0 ? before[i] : NAN };
      /* a step that another one computed on the way took no time at all */
      row->timed = entry != NULL && entry->ms > 0;
      if (row->timed)
        {
          row->ms = entry->ms;
          row->bytes = entry->bytes;
          row->integer = entry->integer;
          row->bf16 = entry->bf16;
          row->macs = entry->macs;
          rate (row, peaks, self->whole_ms);
        }
      row_of[i] = row;
      if (!row->timed && i < graph->n_nodes)
        row->inside = find_inside (graph, i, now, row_of);
      self->macs += row->macs;
      self->bytes += row->bytes;
    }
  return self;
}

void
pare_profile_free (PareProfile *self)
{
  if (self == NULL)
    return;
  g_free (self->rows);
  g_free (self);
}

double
pare_latency_spread (const PareLatency *a, const PareLatency *b)
{
  double spread = LEAST_SPREAD;
  const PareLatency *two[] = { a, b };
  for (guint i = 0; i < G_N_ELEMENTS (two); i++)
    if (two[i] != NULL && two[i]->median_ms > 0)
      spread = fmax (spread, (two[i]->p90_ms - two[i]->p10_ms) / two[i]->median_ms);
  return spread;
}

/* --- as text --- */

static void
put_number (GPtrArray *cells, double value, int decimals)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE], format[8] = { '%', '.', (char)('0' + decimals), 'f', '\0' };
  g_ptr_array_add (cells, isfinite (value) ? g_strdup (g_ascii_formatd (text, sizeof text, format, value)) : g_strdup (""));
}

/* Names may hold anything; what a spreadsheet would take for a formula is made text. */
static void
put_text (GPtrArray *cells, const char *text)
{
  g_autoptr (GString) out = g_string_new ("\"");
  if (*text != '\0' && strchr ("=+-@", *text) != NULL)
    g_string_append_c (out, '\'');
  for (; *text != '\0'; text++)
    {
      if (*text == '"')
        g_string_append_c (out, '"');
      g_string_append_c (out, *text);
    }
  g_string_append_c (out, '"');
  g_ptr_array_add (cells, g_strdup (out->str));
}

static void
put_word (GPtrArray *cells, const char *word)
{
  g_ptr_array_add (cells, g_strdup (word));
}

static void
end_line (GString *out, GPtrArray *cells, char separator)
{
  for (guint i = 0; i < cells->len; i++)
    {
      if (i > 0)
        g_string_append_c (out, separator);
      g_string_append (out, g_ptr_array_index (cells, i));
    }
  g_string_append_c (out, '\n');
  g_ptr_array_set_size (cells, 0);
}

static void
put_row (GPtrArray *cells, const PareProfileRow *row, const PareGraph *graph)
{
  static const char *const bounds[] = { "", "compute", "memory" };
  put_text (cells, row->layer != PARE_NONE ? graph->nodes[row->layer].layer : "(no layer)");
  put_text (cells, row->layer != PARE_NONE ? graph->nodes[row->layer].op : "");
  put_text (cells, row->inside != PARE_NONE ? graph->nodes[row->inside].layer : "");
  put_number (cells, row->ms, 6);
  put_number (cells, 100 * row->share, 3);
  put_number (cells, row->timed ? (double)row->macs : NAN, 0);
  put_number (cells, row->gops, 3);
  put_word (cells, isnan (row->gops) ? "" : row->integer ? "integer" : row->bf16 ? "bf16" : "float");
  put_number (cells, row->bytes > 0 ? (double)row->bytes : NAN, 0);
  put_number (cells, row->gbs, 3);
  put_word (cells, bounds[row->bound]);
  put_number (cells, 100 * row->reach, 2);
  put_number (cells, row->original_ms, 6);
}

char *
pare_profile_to_text (const PareProfile *self, const PareGraph *graph, char separator)
{
  static const char *const heads[]
      = { "layer",   "operator",      "in layer",     "time (ms)", "share (%)",         "multiply-adds", "rate (GOP/s)",
          "numbers", "moved (bytes)", "moved (GB/s)", "bound by",  "share of peak (%)", "original (ms)" };
  GString *out = g_string_new (NULL);
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  double whole = self->whole_ms;
  for (guint i = 0; i < G_N_ELEMENTS (heads); i++)
    put_word (cells, heads[i]);
  end_line (out, cells, separator);
  for (guint i = 0; i < self->n_rows; i++)
    {
      put_row (cells, &self->rows[i], graph);
      end_line (out, cells, separator);
    }
  PareProfileRow between = { .layer = PARE_NONE,
                             .inside = PARE_NONE,
                             .ms = self->between_ms,
                             .share = self->between_ms / whole,
                             .gops = NAN,
                             .gbs = NAN,
                             .reach = NAN,
                             .original_ms = NAN };
  put_row (cells, &between, graph);
  g_free (cells->pdata[0]);
  cells->pdata[0] = g_strdup ("\"(between layers)\"");
  end_line (out, cells, separator);
  PareProfileRow sum = { .layer = PARE_NONE,
                         .inside = PARE_NONE,
                         .timed = TRUE,
                         .ms = whole,
                         .share = 1,
                         .macs = self->macs,
                         .bytes = self->bytes,
                         .gops = 2.0 * self->macs / whole / 1e6,
                         .gbs = self->bytes / whole / 1e6,
                         .reach = NAN,
                         .original_ms = self->original_ms };
  put_row (cells, &sum, graph);
  g_free (cells->pdata[0]);
  cells->pdata[0] = g_strdup ("\"(whole)\"");
  g_free (cells->pdata[7]); /* may be of both kinds */
  cells->pdata[7] = g_strdup ("");
  end_line (out, cells, separator);
  return g_string_free (out, FALSE);
}
