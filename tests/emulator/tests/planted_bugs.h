/* planted_bugs.h - the list of planted bugs and what is expected to catch each. */
#ifndef WEFT_TESTS_PLANTED_BUGS_H
#define WEFT_TESTS_PLANTED_BUGS_H

#include <vector>
#include "emulator.h"

constexpr int no_report = -1;

struct PlantedBug {
    const char *name;
    /* Runs the faulty code; true if its result is right all the same. */
    bool (*run)();
    /* The report that it gives, in every order; in checked builds only, unless everywhere. */
    int kind;
    bool everywhere;
    /* What the report's text must contain: the place in the source. */
    const char *place;
    /* What the process says as it ends: under the sanitizers, and in the other build too if it gives no report and is
     * to be found everywhere. */
    const char *end;
    /* Whether at least one order of threads, or of streams, gives a wrong result or an error. */
    bool wrong;
};

/* Bugs in kernels, to be run in several orders of threads. */
std::vector<PlantedBug> planted_kernel_bugs();
/* Bugs in host code, to be run with several orders of streams. */
std::vector<PlantedBug> planted_host_bugs();
/* A kernel that never ends. */
PlantedBug planted_spin_wait();

#endif
