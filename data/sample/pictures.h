#pragma once
#include "engine/base/pare-rng.h"

#define PICTURE_SIZE 32
#define PICTURE_CLASSES 10
extern const char *const picture_names[PICTURE_CLASSES + 1];

/* Draws one picture of the kind, [32, 32, 3] RGB. The seed decides place, size, turn, colours, background and noise. */
void picture_draw (int kind, guint64 seed, guint8 *rgb);
