/* A run in two parts: its state between two steps is kept, and taken up later by this program or by another whose steps up to there compute
 * the same. What makes two states the same is a hash over everything that computes them (operators, parameters, the bytes of constants, the
 * layouts in memory), never the name of a layer. */
#pragma once
#include "engine/accel/pare-accel.h"
#include "engine/accel/pare-content.h"
#include "engine/lower/pare-program.h"

typedef PareContentKey PareCutKey;

typedef struct
{
  guint32 place; /* of the backend */
  guint64 bytes;
  guint32 value; /* of the plan */
  float scale;   /* of the grid that the value lies on, 0: none */
} PareCutPiece;

typedef struct
{
  PareCutKey key;
  guint step;           /* the first that is not done */
  guint64 bytes;        /* of the state */
  double work;          /* share of the whole that lies before, by multiplications (and a little for what has none) */
  gboolean needs_input; /* what follows reads the model's inputs, too */
  guint n_pieces;
  PareCutPiece *pieces;
} PareCut;

typedef struct
{
  guint n;
  PareCut *cuts;   /* ascending by step */
  guint64 work;    /* of a whole run: multiplications */
  guint32 *layers; /* source node of each step, or PARE_NONE */
  guint n_steps;
} PareCuts;
/* The places where runs of one-thread runners can be cut. Never NULL; n is 0 where there are none. Found when first asked for, which packs the
 * weights, and as long there as the program. Any thread. */
const PareCuts *pare_program_get_cuts (PareProgram *self);

/* Steps from..to-1 of a runner made for one thread; to G_MAXUINT: to the end. inputs NULL: nothing in that range reads them. */
gboolean pare_runner_run_part (PareRunner *self, const PareView *inputs, guint n_inputs, guint from, guint to, PareControl *control,
                               GError **error);
/* The caller reads these bytes when the next part has run, which may ask memory for them meanwhile. */
void pare_runner_expect (PareRunner *self, const void *data, gsize bytes);
/* The memory of a piece, valid while the runner lives; what lies there counts only between the parts. */
void *pare_runner_get_piece (PareRunner *self, const PareCutPiece *piece);

/* between pare-program.c and pare-program-cut.c */
PareCuts *pare_cuts_new (PareProgram *program);
void pare_cuts_free (PareCuts *self);
const PareRtPlan *pare_program_get_plan (const PareProgram *self);
PareAccel *pare_program_get_accel (PareProgram *self); /* for one thread; NULL: portable */
