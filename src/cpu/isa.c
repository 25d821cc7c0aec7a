/* isa.c - picks the instruction set at run time. CMake defines WEFT__HAVE_AVX512 and WEFT__HAVE_AVX2 for what was
 * built. */
#include "isa.h"
#include <stdlib.h>
#include <string.h>

extern const weft__cpu_table weft__cpu_table_plain;
#if defined(WEFT__HAVE_AVX2)
extern const weft__cpu_table weft__cpu_table_avx2;
#endif
#if defined(WEFT__HAVE_AVX512)
extern const weft__cpu_table weft__cpu_table_avx512;
#endif

#if defined(WEFT__HAVE_AVX2) || defined(WEFT__HAVE_AVX512)
#include <cpuid.h>

/* __builtin_cpu_supports also asks whether the operating system saves the registers. F16C has no name there in every
 * compiler, so it is read from cpuid leaf 1 (Intel SDM vol. 2A, CPUID: ECX bit 29). */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && has_f16c();
}
#endif

#if defined(WEFT__HAVE_AVX512)
/* What -march=skylake-avx512 uses without being asked, in the order of the SDM's feature list. */
static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

bool weft__cpu_has_vnni(const weft__cpu_table *table)
{
#if defined(WEFT__HAVE_AVX2) || defined(WEFT__HAVE_AVX512)
    unsigned a, b, c, d; /* Intel SDM vol. 2A, CPUID leaf 7: AVX512_VNNI is ECX bit 11, AVX-VNNI EAX bit 4 of part 1 */
    if (strcmp(table->isa, "avx512") == 0)
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 11 & 1);
    if (strcmp(table->isa, "avx2") == 0)
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
               (a >> 4 & 1);
#endif
    (void)table;
    return false;
}

int weft__cpu_isas(const weft__cpu_table *tables[WEFT__MAX_ISAS])
{
    int n = 0;
#if defined(WEFT__HAVE_AVX512)
    if (has_avx512())
        tables[n++] = &weft__cpu_table_avx512;
#endif
#if defined(WEFT__HAVE_AVX2)
    if (has_avx2())
        tables[n++] = &weft__cpu_table_avx2;
#endif
    tables[n++] = &weft__cpu_table_plain;
    return n;
}

static const char *wish(void)
{
    const char *name = getenv("WEFT_ISA");
    return name && *name ? name : NULL;
}

/* The usable table called name, or NULL. */
static const weft__cpu_table *find(const char *name)
{
    const weft__cpu_table *tables[WEFT__MAX_ISAS];
    int n = weft__cpu_isas(tables);
    for (int k = 0; k < n; k++)
        if (strcmp(tables[k]->isa, name) == 0)
            return tables[k];
    return NULL;
}

const weft__cpu_table *weft__cpu_isa_choose(void)
{
    const char *name = wish();
    const weft__cpu_table *wished = name ? find(name) : NULL;
    if (wished)
        return wished;
    const weft__cpu_table *tables[WEFT__MAX_ISAS];
    weft__cpu_isas(tables);
    return tables[0];
}

const char *weft__cpu_isa_note(void)
{
    const char *name = wish();
    if (!name || find(name))
        return NULL;
    if (strcmp(name, "avx512") == 0)
        return "WEFT_ISA=avx512 is ignored: this processor or this build has no AVX-512";
    if (strcmp(name, "avx2") == 0)
        return "WEFT_ISA=avx2 is ignored: this processor or this build has no AVX2";
    return "WEFT_ISA is ignored: it names no instruction set (avx512, avx2, plain)";
}
