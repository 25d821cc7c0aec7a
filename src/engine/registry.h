/* registry.h - the backends by name. Any thread may call; contexts that are open keep the backend that they have. */
#ifndef WEFT_ENGINE_REGISTRY_H
#define WEFT_ENGINE_REGISTRY_H

#include "engine/backend.h"

/* The backend of a kind, "cpu" or "cuda", opening its module if that has not been tried before. NULL: why tells the
 * reason (at most size bytes). */
const weft__backend *weft__backend_find(const char *kind, char *why, size_t size);

/* The same, and there is a device of that number. */
const weft__backend *weft__backend_for(const char *kind, int index, char *why, size_t size);

/* Whether there is such a kind, be there a device of it or not. */
bool weft__backend_known(const char *kind);

/* The name of kind k, counted from 0; NULL past the last one. Valid for the life of the process. */
const char *weft__backend_name(int k);

/* Makes *backend, which must last as long as the process, the one of its name for the contexts that are opened from now
 * on: in the place of a module or another backend of that name, or as a further kind. False: its name is not of 1 to 15
 * letters, digits and underscores, or there are as many kinds as there is room for. */
bool weft__backend_register(const weft__backend *backend);

/* Takes "cuda:1" apart into its kind (at most size bytes) and index, 0 without one. False: it is not of that form. */
bool weft__device_parse(const char *text, char *kind, size_t size, int *index);

#endif
