/* Operators that make as many elements as values say: NonZero, Compress, Unique, NonMaxSuppression. Computed on tensors, as nodes of their
 * own; no step of a plan does it. */
#include "engine/lower/pare-lower-private.h"

#include <string.h>

static gsize
element_bytes (const PareTensor *t)
{
  return (gsize)pare_dtype_bits (t->dtype) / 8;
}

/* --- NonZero --- */

static PareTensor *
non_zero (const PareTensor *x)
{
  gint64 count = pare_tensor_count (x);
  int rank = x->shape.rank;
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (gint64 i = 0; i < count; i++)
    if (pare_tensor_get_double (x, (gsize)i) != 0)
      g_array_append_val (found, i);
  PareShape shape = { .rank = 2, .dims = { MAX (rank, 1), found->len } };
  PareTensor *t = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  for (guint k = 0; t != NULL && k < found->len; k++)
    {
      gint64 left = g_array_index (found, gint64, k), *to = (gint64 *)t->data + k;
      for (int d = rank - 1; d >= 0; d--)
        {
          to[(gsize)d * found->len] = left % x->shape.dims[d];
          left /= x->shape.dims[d];
        }
    }
  return t;
}

/* --- along an axis --- */

/* A tensor seen as before x n x after, or as n elements in a row. */
typedef struct
{
  const PareTensor *x;
  gint64 before, n, after;
  int axis; /* negative: in a row */
} Rows;

static gboolean
rows_of (Rows *rows, const PareNode *node, const PareTensor *x)
{
  *rows = (Rows){ x, 1, 1, 1, -1 };
  if (pare_node_get_attr (node, "axis") == NULL)
    {
      rows->n = pare_tensor_count (x);
      return TRUE;
    }
  gint64 axis = pare_node_get_int (node, "axis", 0);
  axis += axis < 0 ? x->shape.rank : 0;
  if (axis < 0 || axis >= x->shape.rank)
    return FALSE;
  rows->axis = (int)axis;
  rows->n = x->shape.dims[axis];
  for (int d = 0; d < x->shape.rank; d++)
    *(d < axis ? &rows->before : d > axis ? &rows->after : &(gint64){ 1 }) *= x->shape.dims[d];
  return TRUE;
}

/* (transfer full) The named ones, in this order. */
static PareTensor *
pick (const Rows *rows, const gint64 *which, guint n)
{
  PareShape shape = rows->x->shape;
  if (rows->axis < 0)
    shape = (PareShape){ .rank = 1 };
  shape.dims[MAX (rows->axis, 0)] = n;
  PareTensor *t = pare_tensor_new (rows->x->dtype, &shape, NULL);
  gsize piece = (gsize)rows->after * element_bytes (rows->x);
  for (gint64 b = 0; t != NULL && b < rows->before; b++)
    for (guint k = 0; k < n && piece > 0; k++)
      memcpy ((char *)t->data + ((gsize)b * n + k) * piece, (const char *)rows->x->data + (gsize)(b * rows->n + which[k]) * piece, piece);
  return t;
}

static PareTensor *
compress (const PareNode *node, const PareTensor *x, const PareTensor *condition)
{
  Rows rows;
  if (!rows_of (&rows, node, x))
    return NULL;
  g_autoptr (GArray) which = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (gint64 i = 0, n = MIN (rows.n, pare_tensor_count (condition)); i < n; i++)
    if (pare_tensor_get_int (condition, (gsize)i) != 0)
      g_array_append_val (which, i);
  return pick (&rows, (const gint64 *)which->data, which->len);
}

static int
compare_elements (const PareTensor *x, gsize a, gsize b)
{
  if (x->dtype == PARE_DTYPE_INT64)
    {
      gint64 p = ((const gint64 *)x->data)[a], q = ((const gint64 *)x->data)[b];
      return (p > q) - (p < q);
    }
  double p = pare_tensor_get_double (x, a), q = pare_tensor_get_double (x, b);
  return (p > q) - (p < q);
}

/* By content, then by place: the first of equal ones comes first. */
static int
compare_rows (gconstpointer p, gconstpointer q, gpointer data)
{
  const Rows *rows = data;
  gint64 i = *(const gint64 *)p, k = *(const gint64 *)q;
  for (gint64 b = 0; b < rows->before; b++)
    for (gint64 a = 0; a < rows->after; a++)
      {
        int c = compare_elements (rows->x, (gsize)((b * rows->n + i) * rows->after + a), (gsize)((b * rows->n + k) * rows->after + a));
        if (c != 0)
          return c;
      }
  return 0;
}

static int
compare_first (gconstpointer p, gconstpointer q, gpointer data)
{
  const gint64 *first = data;
  gint64 a = first[*(const gint64 *)p], b = first[*(const gint64 *)q];
  return (a > b) - (a < b);
}

static gboolean
unique (const PareNode *node, const PareTensor *x, PareTensor **outputs)
{
  Rows rows;
  if (!rows_of (&rows, node, x) || rows.n > G_MAXINT32)
    return FALSE;
  gsize n = (gsize)rows.n;
  g_autofree gint64 *order = g_new (gint64, n + 1), *group = g_new (gint64, n + 1), *first = g_new (gint64, n + 1),
                    *count = g_new0 (gint64, n + 1), *place = g_new (gint64, n + 1), *at = g_new (gint64, n + 1);
  gint64 groups = 0;
  for (gsize i = 0; i < n; i++)
    order[i] = (gint64)i;
  g_qsort_with_data (order, (int)n, sizeof *order, compare_rows, &rows); /* stable */
  for (gsize i = 0; i < n; i++)
    {
      if (i == 0 || compare_rows (&order[i - 1], &order[i], &rows) != 0)
        first[groups++] = order[i];
      group[order[i]] = groups - 1;
      count[groups - 1]++;
    }
  for (gint64 i = 0; i < groups; i++)
    at[i] = i;
  if (pare_node_get_int (node, "sorted", 1) == 0) /* as they come */
    g_qsort_with_data (at, (int)groups, sizeof *at, compare_first, first);
  g_autofree gint64 *which = g_new (gint64, groups + 1), *counts = g_new (gint64, groups + 1), *inverse = g_new (gint64, n + 1);
  for (gint64 i = 0; i < groups; i++)
    {
      which[i] = first[at[i]];
      counts[i] = count[at[i]];
      place[at[i]] = i;
    }
  for (gsize i = 0; i < n; i++)
    inverse[i] = place[group[i]];
  PareTensor *made[] = { pick (&rows, which, (guint)groups), pare_tensor_new_i64 (which, (gsize)groups), pare_tensor_new_i64 (inverse, n),
                         pare_tensor_new_i64 (counts, (gsize)groups) };
  for (guint i = 0; i < G_N_ELEMENTS (made); i++)
    if (i < node->n_outputs && node->outputs[i] != PARE_NONE)
      outputs[i] = made[i];
    else
      pare_tensor_unref (made[i]);
  return TRUE;
}

/* --- NonMaxSuppression --- */

typedef struct
{
  float y0, x0, y1, x1;
} Box;

typedef struct
{
  float score;
  gint64 box;
} Candidate;

static Box
box_at (const float *b, gboolean centred)
{
  if (centred)
    return (Box){ b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2 };
  return (Box){ MIN (b[0], b[2]), MIN (b[1], b[3]), MAX (b[0], b[2]), MAX (b[1], b[3]) };
}

static gboolean
overlap (const Box *a, const Box *b, float most)
{
  float h = MIN (a->y1, b->y1) - MAX (a->y0, b->y0), w = MIN (a->x1, b->x1) - MAX (a->x0, b->x0);
  float area_a = (a->y1 - a->y0) * (a->x1 - a->x0), area_b = (b->y1 - b->y0) * (b->x1 - b->x0);
  if (h <= 0 || w <= 0 || area_a <= 0 || area_b <= 0)
    return FALSE;
  return h * w / (area_a + area_b - h * w) > most;
}

static int
by_score (gconstpointer p, gconstpointer q)
{
  const Candidate *a = p, *b = q;
  return a->score != b->score ? (a->score < b->score) - (a->score > b->score) : (a->box > b->box) - (a->box < b->box);
}

/* The boxes of one class that stay, best first, after those that are in `kept` already. */
static void
suppress (GArray *candidates, const float *boxes, gboolean centred, gint64 most, float iou, gint64 batch, gint64 class, GArray *kept)
{
  g_autoptr (GArray) own = g_array_new (FALSE, FALSE, sizeof (Box));
  g_array_sort (candidates, by_score);
  for (guint i = 0; i < candidates->len && own->len < most; i++)
    {
      gint64 index = g_array_index (candidates, Candidate, i).box, row[3] = { batch, class, index };
      Box box = box_at (boxes + 4 * index, centred);
      gboolean stays = TRUE;
      for (guint k = 0; k < own->len && stays; k++)
        stays = !overlap (&box, &g_array_index (own, Box, k), iou);
      if (!stays)
        continue;
      g_array_append_val (own, box);
      g_array_append_vals (kept, row, 3);
    }
}

static float
number (PareTensor *const *inputs, guint n, guint i, float fallback)
{
  return i < n && inputs[i] != NULL && pare_tensor_count (inputs[i]) > 0 ? (float)pare_tensor_get_double (inputs[i], 0) : fallback;
}

/* As ONNX Runtime: above both thresholds, equal scores by their place. */
static PareTensor *
non_max_suppression (const PareNode *node, PareTensor *const *inputs)
{
  const PareTensor *boxes = inputs[0], *scores = inputs[1];
  if (boxes->dtype != PARE_DTYPE_FLOAT32 || scores->dtype != PARE_DTYPE_FLOAT32 || boxes->shape.rank != 3 || scores->shape.rank != 3
      || boxes->shape.dims[2] != 4 || boxes->shape.dims[0] != scores->shape.dims[0] || boxes->shape.dims[1] != scores->shape.dims[2])
    return NULL;
  guint n = node->n_inputs;
  gint64 batches = scores->shape.dims[0], classes = scores->shape.dims[1], per = scores->shape.dims[2],
         most = n > 2 && inputs[2] != NULL && pare_tensor_count (inputs[2]) > 0 ? pare_tensor_get_int (inputs[2], 0) : 0;
  float iou = number (inputs, n, 3, 0), least = number (inputs, n, 4, -G_MAXFLOAT);
  gboolean limited = n > 4 && inputs[4] != NULL, centred = pare_node_get_int (node, "center_point_box", 0) != 0;
  g_autoptr (GArray) candidates = g_array_new (FALSE, FALSE, sizeof (Candidate)), kept = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (gint64 b = 0; b < batches; b++)
    for (gint64 c = 0; c < classes && most > 0; c++)
      {
        const float *s = (const float *)scores->data + (b * classes + c) * per;
        g_array_set_size (candidates, 0);
        for (gint64 i = 0; i < per; i++)
          if (!limited || s[i] > least)
            g_array_append_val (candidates, ((Candidate){ s[i], i }));
        suppress (candidates, (const float *)boxes->data + b * per * 4, centred, most, iou, b, c, kept);
      }
  PareShape shape = { .rank = 2, .dims = { kept->len / 3, 3 } };
  PareTensor *t = pare_tensor_new (PARE_DTYPE_INT64, &shape, NULL);
  if (t != NULL && t->bytes > 0)
    memcpy (t->data, kept->data, t->bytes);
  return t;
}

gboolean
pare_lower_select (const PareNode *node, PareTensor *const *inputs, PareTensor **outputs)
{
  gboolean two = pare_node_is (node, "Compress") || pare_node_is (node, "NonMaxSuppression");
  if (node->n_inputs < (two ? 2 : 1) || inputs[0] == NULL || (two && inputs[1] == NULL) || element_bytes (inputs[0]) == 0)
    return FALSE;
  if (pare_node_is (node, "Unique"))
    return unique (node, inputs[0], outputs) && (node->outputs[0] == PARE_NONE || outputs[0] != NULL);
  outputs[0] = pare_node_is (node, "NonZero")    ? non_zero (inputs[0])
               : pare_node_is (node, "Compress") ? compress (node, inputs[0], inputs[1])
                                                 : non_max_suppression (node, inputs);
  return outputs[0] != NULL;
}
