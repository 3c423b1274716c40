/* Primitives that oneDNN was asked for before. It goes through its list of implementations each time, which takes a multiple of what else
 * it takes to prepare a layer; a model of which one layer has changed asks for the same ones again. */
#pragma once
#include "engine/accel/pare-content.h"
#include "engine/accel/pare-dnnl.h"

/* The engine of all: what is kept belongs to it. NULL if there is none. Lives as long as the process. */
dnnl_engine_t pare_dnnl_engine (void);
/* A descriptor of the caller's own, equal to the one that was kept for the key by a thread that has as many threads to share work with as
 * this one; NULL: none was. */
dnnl_primitive_desc_t pare_dnnl_recall (PareContentKey key);
/* Keeps a copy for the key, which must say all else that the descriptor was made from; another one may be forgotten for it. */
void pare_dnnl_keep (PareContentKey key, const_dnnl_primitive_desc_t pd);
