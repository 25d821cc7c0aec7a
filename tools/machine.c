/* machine.c - see machine.h. The processor's name comes from /proc/cpuinfo, caches from /sys and then from sysconf. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <weft/weft.h>

/* ---- /proc/cpuinfo ---- */

static bool has_word(const char *line, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(line, word); at; at = strstr(at + 1, word))
        if (at > line && at[-1] == ' ' && (at[length] == ' ' || at[length] == '\n' || !at[length]))
            return true;
    return false;
}

static void read_flags(machine *m, const char *line)
{
    static const char *const known[] = {"avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t used = strlen(m->isas);
        if (has_word(line, known[i]))
            weft_text(m->isas + used, sizeof m->isas - used, "%s%s", used ? " " : "", known[i]);
    }
}

static void read_cpuinfo(machine *m)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    char line[4096];
    while (fgets(line, sizeof line, file) && line[0] != '\n') {
        char *value = strstr(line, ": ");
        if (value && strncmp(line, "model name", 10) == 0)
            weft_text(m->cpu, sizeof m->cpu, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
        if (value && strncmp(line, "flags", 5) == 0)
            read_flags(m, value + 1);
    }
    fclose(file);
}

/* ---- Caches ---- */

static bool read_word(int index, const char *what, char *out, size_t size)
{
    char path[96];
    weft_text(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, what);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool got = fgets(out, (int)size, file) != NULL;
    fclose(file);
    out[got ? strcspn(out, "\n") : 0] = 0;
    return got;
}

static void add_cache(machine *m, const char *name, size_t bytes)
{
    if (bytes == 0 || m->n_caches == MACHINE_CACHES)
        return;
    weft_text(m->caches[m->n_caches].name, sizeof m->caches[0].name, "%s", name);
    m->caches[m->n_caches++].bytes = bytes;
}

static void read_caches(machine *m)
{
    char level[16], type[32], size[32];
    for (int i = 0; i < 8 && read_word(i, "level", level, sizeof level); i++) {
        if (!read_word(i, "type", type, sizeof type) || !read_word(i, "size", size, sizeof size) ||
            strcmp(type, "Instruction") == 0)
            continue;
        char *end, name[8];
        size_t bytes = strtoul(size, &end, 10);
        bytes <<= *end == 'M' ? 20 : *end == 'K' ? 10 : 0;
        weft_text(name, sizeof name, "L%.1s%s", level, strcmp(type, "Data") == 0 ? "d" : "");
        add_cache(m, name, bytes);
    }
    if (m->n_caches > 0)
        return;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    static const struct {
        const char *name;
        int key;
    } levels[] = {{"L1d", _SC_LEVEL1_DCACHE_SIZE}, {"L2", _SC_LEVEL2_CACHE_SIZE}, {"L3", _SC_LEVEL3_CACHE_SIZE}};
    for (int i = 0; i < 3; i++) {
        long bytes = sysconf(levels[i].key);
        add_cache(m, levels[i].name, bytes > 0 ? (size_t)bytes : 0);
    }
#endif
}

size_t machine_last_cache(const machine *m)
{
    size_t most = 0;
    for (int i = 0; i < m->n_caches; i++)
        most = m->caches[i].bytes > most ? m->caches[i].bytes : most;
    return most ? most : (size_t)32 << 20;
}

/* ---- All ---- */

static int usable_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

void machine_read(machine *m)
{
    memset(m, 0, sizeof *m);
    weft_device_info info = {0};
    if (weft_device_info_get("cpu", 0, &info, sizeof info) == WEFT_OK) {
        weft_text(m->cpu, sizeof m->cpu, "%.100s", info.name);
        weft_text(m->isa, sizeof m->isa, "%s", info.isa);
        weft_text(m->note, sizeof m->note, "%.120s", info.note);
    }
    struct utsname system;
    if (uname(&system) == 0)
        weft_text(m->system, sizeof m->system, "%.40s %.60s %.40s", system.sysname, system.release, system.machine);
    m->online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    m->processors = usable_processors();
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    m->memory = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : 0;
    read_cpuinfo(m);
    read_caches(m);
}
