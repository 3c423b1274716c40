/* Shared by pare-profile-view.c, pare-profile-columns.c and pare-profile-head.c only. */
#pragma once
#include "app/pare-profile-view.h"

/* One row: a layer of the source. */
#define PARE_TYPE_PROFILE_ITEM (pare_profile_item_get_type ())
G_DECLARE_FINAL_TYPE (PareProfileItem, pare_profile_item, PARE, PROFILE_ITEM, GObject)

struct _PareProfileItem
{
  GObject parent_instance;
  PareProfileRow row;
  char *name, *title, *op; /* title: as shown; of what belongs to no layer, name is NULL */
  char *inside;            /* (nullable): title of the layer whose step computes it */
  gboolean depthwise;
  guint position;
};

struct _PareProfileView
{
  GtkWidget parent_instance;
  PareSession *session;
  PareSelection *selection;
  PareProfile *profile; /* NULL: not measured by layer */
  GListStore *items;
  GtkSortListModel *sorted;
  GtkMultiSelection *rows;
  GtkColumnView *view;
  GtkColumnViewColumn *time, *op;
  GtkWidget *stack, *empty, *empty_button, *run, *machine, *age, *sum, *measure, *again;
  ParePeaks peaks;
  gboolean has_peaks, peaks_failed, peaks_wanted, stale, dirty, syncing, reveal;
  PareControl *measuring; /* peaks, in a worker */
  double most_ms, most_rate;
  double noise; /* how far two measurements of the same may lie apart, a fraction */
  guint idle, sync_idle, quiet_timer;
};

/* What the machine can do: once more, as soon as nothing else runs. */
void pare_profile_measure_machine (PareProfileView *self);

/* --- pare-profile-columns.c --- */
void pare_profile_add_columns (PareProfileView *self);
void pare_profile_align_heads (PareProfileView *self);

/* --- pare-profile-head.c --- */
/* The lines above and below the table; and what stands there instead of it. */
GtkWidget *pare_profile_build_head (PareProfileView *self);
GtkWidget *pare_profile_build_foot (PareProfileView *self);
GtkWidget *pare_profile_build_empty (PareProfileView *self);
void pare_profile_show_head (PareProfileView *self);
