/* parts.c - which parts the library has: what rooms above the engine do for it. The one file that knows all rooms. */
#include "engine/engine.h"
#include "profile/profile.h"

const weft__parts weft__parts_of_library = {.cpu = weft__cpu_backend, .opened = weft__profile_opened};
