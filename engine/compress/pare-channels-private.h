/* The channel analysis, shared by the files that build and use it. */
#pragma once
#include "engine/compress/pare-compress-private.h"

/* The channels of one value: a unit for each position along its channel axis. */
typedef struct
{
  guint32 *unit; /* NULL: not known, nothing may be removed through it */
  guint n;
  int axis;      /* -1: not known */
  gboolean flat; /* flattened: every unit stands for a run of equal length that its reader tells */
} PareChannelMap;

typedef enum
{
  PARE_CUT_TENSOR, /* a constant input: the axis is indexed by the map's units, each `repeat` times */
  PARE_CUT_SHAPE,  /* a Reshape's target: entry `axis` */
  PARE_CUT_PADS,   /* a Pad on the channel axis */
  PARE_CUT_SIZES,  /* sizes of a Resize */
  PARE_CUT_GROUP   /* the group attribute of a depthwise convolution */
} PareCutKind;

typedef struct
{
  PareCutKind kind;
  PareNodeId node;
  guint input;
  int axis;
  guint repeat;
  guint before, middle; /* PADS: units set in front, and those that were there */
  guint32 *unit;        /* own copy */
  guint n;
} PareCut;

struct _PareChannels
{
  const PareGraph *graph;
  guint n_values, n_nodes; /* when it was looked at: cutting adds values */
  PareChannelMap *map; /* by value */
  guint32 *parent;     /* union-find over units */
  char **veto;         /* by unit: why it must stay, or NULL (each owned; looked at by root) */
  guint n_units, allocated;
  GArray *cuts;         /* PareCut */
  PareChannelMap *made; /* by node: the units its weights produce, or none */
  gboolean *reads;      /* by node: its weights' inputs are indexed by units */
  PareShape *shapes;    /* by value, as they follow from the inputs; NULL: not asked for yet, or not known */
  gboolean looked;      /* it has been asked for */
};

#define MAX_UNITS (4u << 20)

guint32 pare_channels_root (PareChannels *self, guint32 unit);
void pare_channels_unite (PareChannels *self, guint32 a, guint32 b);
/* None of the map's units may go, for this reason. */
void pare_channels_veto (PareChannels *self, const PareChannelMap *map, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* `n` fresh units; FALSE where there would be too many. */
gboolean pare_channels_fresh (PareChannels *self, guint n, int axis, PareChannelMap *map);
PareChannelMap pare_channels_copy_map (const PareChannelMap *map);
void pare_channels_note (PareChannels *self, PareCutKind kind, PareNodeId node, guint input, int axis, guint repeat, const PareChannelMap *map);
PareChannelMap *pare_channels_map_of (PareChannels *self, PareValueId value);
void pare_channels_set_map (PareChannels *self, PareValueId value, PareChannelMap map /* taken */);
const char *pare_channels_label (const PareGraph *graph, PareNodeId id);

/* pare-channels-walk.c: maps of a node's outputs from those of its inputs, and what it needs cut. rank: by value, -1 unknown. */
void pare_channels_walk (PareChannels *self, PareNodeId id, int *rank);
