/* usable.c - exit status 0 if the kernels of the instruction set argv[1] can run here, else 77 (skipped, for ctest). */
#include <stdio.h>
#include <string.h>
#include "cpu/isa.h"

int main(int argc, char **argv)
{
    const weft__cpu_table *tables[WEFT__MAX_ISAS];
    int n = weft__cpu_isas(tables);
    for (int k = 0; k < n && argc == 2; k++)
        if (strcmp(tables[k]->isa, argv[1]) == 0)
            return 0;
    printf("skipped: this processor cannot run the %s kernels\n", argc == 2 ? argv[1] : "unnamed");
    return 77;
}
