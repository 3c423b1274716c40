/* From steps to layers: where the time of a run, its work and the bytes it moves belong. pare-program.c only. */
#pragma once
#include "engine/lower/pare-lower-private.h"
#include "engine/lower/pare-program.h"

typedef struct
{
  const PareRtPlan *plan;
  const PareGraph *graph;    /* canonical */
  const guint32 *owner;      /* of each step: the one whose nodes compute it, mostly itself */
  const gint64 *macs;        /* of each step */
  const guint64 *ns;         /* of each step; nothing where another computes it */
  const guint8 *bf16;        /* of each step; NULL: none */
  const PareNodeId *holders; /* of source nodes: what lowering fused them into, PARE_NONE */
  guint n_holders;
} PareStepTimes;

/* Multiply-adds of each step: those of its node and of all that are fused into it. (transfer full) */
gint64 *pare_plan_count_macs (const PareRtPlan *plan, const PareGraph *graph, const PareBuilder *builder);
PareLayerTime *pare_layer_times_sum (const PareStepTimes *steps, guint *n);
/* (transfer full), n_holders of them */
PareNodeId *pare_layer_times_holders (const PareStepTimes *steps);
