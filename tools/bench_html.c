#include "bench.h"
void bench_print_html(const bench_report *r, FILE *out)
{
    (void)r, (void)out;
}
