/* functions.c - see functions.h. The table is made from the headers when the command is built (gen/functions.c). */
#include "functions.h"

#include <string.h>

static const declared all[] = {
#include "functions.inc"
};

int declared_count(void)
{
    return (int)(sizeof all / sizeof *all);
}

const declared *declared_at(int k)
{
    return &all[k];
}

const declared *declared_find(const char *name)
{
    static const char prefix[] = "weft_";
    for (int k = 0; k < declared_count(); k++)
        if (strcmp(all[k].name, name) == 0 || strcmp(all[k].name + sizeof prefix - 1, name) == 0)
            return &all[k];
    return NULL;
}
