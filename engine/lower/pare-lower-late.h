/* What runs behind a plan, node by node: the nodes whose sizes only values say. */
#pragma once
#include "engine/graph/pare-graph.h"

/* Immutable. */
typedef struct
{
  PareGraph *graph;
  guint *inputs; /* of its graph: each is this output of the plan */
  gint64 most; /* bytes that its values may take; 0: three quarters of what is free */
  guint n_outputs;
  guint *early, *late; /* each output of the whole: this output of the plan, or this one of the graph; the other is PARE_NONE */
} PareLate;

/* Leaves in the canonical graph what a plan can hold, with what the rest reads as further outputs. *late NULL: that was all. */
gboolean pare_late_split (PareGraph *canonical, PareLate **late, GError **error);
void pare_late_free (PareLate *self);
/* views: of its inputs. outputs: of its graph, from the run before or NULL; replaced (transfer full). */
gboolean pare_late_run (const PareLate *self, const PareView *views, PareTensor **outputs, PareControl *control, GError **error);
void pare_late_forget (const PareLate *self, PareTensor **outputs);
