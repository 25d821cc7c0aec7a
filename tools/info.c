/* info.c - `weft info`: what this machine has and what Weft makes of it. */
#include "command.h"
#include "json.h"
#include "machine.h"
#include "options.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

static const usage info_usage = {
    "weft info", "[--json]",
    "What this machine has: the processor with the instruction set that Weft's kernels use on it, and each GPU with\n"
    "its driver and libraries, or the reason why none is used and what helps.",
    "  weft info            the table below\n"
    "  weft info --json     the same for programs\n"};

static void line(const char *key, const char *text)
{
    say(stdout, "  %s%-12s%s %s\n", style(stdout, STYLE_DIM), key, style(stdout, STYLE_PLAIN), text);
}

static void heading(const char *text)
{
    say(stdout, "%s%s%s\n", style(stdout, STYLE_BOLD), text, style(stdout, STYLE_PLAIN));
}

/* ---- Text ---- */

static void print_cpu(const machine *m)
{
    char text[256] = "";
    heading("CPU");
    line("name", m->cpu);
    weft_text(text, sizeof text, "%d usable, %d online", m->processors, m->online);
    line("processors", text);
    const char *forced = getenv("WEFT_ISA");
    weft_text(text, sizeof text, "%s%s%s%s%s", m->isa, m->isas[0] ? "  (the processor has " : "", m->isas,
              m->isas[0] ? ")" : "", forced && *forced && !m->note[0] ? "  chosen by WEFT_ISA" : "");
    line("kernels", text);
    if (m->note[0])
        say(stdout, "  %-12s %s%s%s\n", "", style(stdout, STYLE_WARN), m->note, style(stdout, STYLE_PLAIN));
    text[0] = 0;
    for (int i = 0; i < m->n_caches; i++) {
        size_t used = strlen(text);
        weft_text(text + used, sizeof text - used, "%s%s %s", i ? ", " : "", m->caches[i].name,
                  text_bytes((double)m->caches[i].bytes));
    }
    line("caches", text[0] ? text : "the system does not say");
    if (m->memory)
        line("memory", text_bytes((double)m->memory));
    line("system", m->system);
}

static void print_library(const weft_device_library *l)
{
    bool used = l->version[0] != 0;
    say(stdout, "  %s%-12s%s %s%s%s%s%s\n", style(stdout, STYLE_DIM), l->name, style(stdout, STYLE_PLAIN),
        style(stdout, used ? STYLE_GOOD : STYLE_WARN), used ? l->version : "not used: ", style(stdout, STYLE_PLAIN),
        used ? "  " : "", used ? l->path : l->reason);
}

static void print_gpu(const weft_device_info *g)
{
    char text[256];
    weft_text(text, sizeof text, "GPU %d", g->index);
    say(stdout, "\n");
    heading(text);
    line("name", g->name);
    weft_text(text, sizeof text, "%s, %s free", text_bytes((double)g->total_memory),
              text_bytes((double)g->free_memory));
    line("memory", text);
    weft_text(text, sizeof text, "%d multiprocessors, compute capability %d.%d", g->cores, g->compute_major,
              g->compute_minor);
    line("processors", text);
    weft_text(text, sizeof text, "serves CUDA %s; Weft was built with %s", g->driver, g->runtime);
    line("driver", text);
    for (int i = 0; i < g->n_libraries && i < WEFT_DEVICE_LIBRARIES; i++)
        print_library(&g->libraries[i]);
    if (g->note[0])
        line("note", g->note);
}

static void print_text(const machine *m)
{
    print_cpu(m);
    int gpus = weft_device_count("cuda");
    for (int k = 0; k < gpus || k == 0; k++) {
        weft_device_info g = {0};
        if (weft_device_info_get("cuda", k, &g, sizeof g) == WEFT_OK) {
            print_gpu(&g);
            continue;
        }
        say(stdout, "\n");
        heading("GPU");
        say(stdout, "  %snone used:%s %s\n", style(stdout, STYLE_WARN), style(stdout, STYLE_PLAIN), g.note);
    }
    say(stdout, "\n");
    heading("Weft");
    line("version", weft_version());
}

/* ---- JSON ---- */

static void json_gpu(json *j, const weft_device_info *g)
{
    json_object(j, NULL);
    json_int(j, "index", g->index);
    json_text(j, "name", g->name);
    json_int(j, "total_memory", (int64_t)g->total_memory);
    json_int(j, "free_memory", (int64_t)g->free_memory);
    json_int(j, "multiprocessors", g->cores);
    json_row(j, "compute_capability");
    json_int(j, NULL, g->compute_major);
    json_int(j, NULL, g->compute_minor);
    json_close(j);
    json_text(j, "driver", g->driver);
    json_text(j, "runtime", g->runtime);
    json_text(j, "note", g->note);
    json_array(j, "libraries");
    for (int i = 0; i < g->n_libraries && i < WEFT_DEVICE_LIBRARIES; i++) {
        json_object(j, NULL);
        json_text(j, "name", g->libraries[i].name);
        json_bool(j, "used", g->libraries[i].version[0] != 0);
        json_text(j, "version", g->libraries[i].version);
        json_text(j, "path", g->libraries[i].path);
        json_text(j, "reason", g->libraries[i].reason);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void json_cpu(json *j, const machine *m)
{
    json_object(j, "cpu");
    json_text(j, "name", m->cpu);
    json_int(j, "processors", m->processors);
    json_int(j, "online", m->online);
    json_text(j, "isa", m->isa);
    json_text(j, "features", m->isas);
    json_text(j, "note", m->note);
    json_int(j, "memory", (int64_t)m->memory);
    json_text(j, "system", m->system);
    json_array(j, "caches");
    for (int i = 0; i < m->n_caches; i++) {
        json_object(j, NULL);
        json_text(j, "name", m->caches[i].name);
        json_int(j, "bytes", (int64_t)m->caches[i].bytes);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

static void print_json(const machine *m)
{
    json j = json_begin(stdout);
    json_object(&j, NULL);
    json_text(&j, "schema", "weft-info/1");
    json_text(&j, "weft", weft_version());
    json_cpu(&j, m);
    weft_device_info g = {0};
    json_array(&j, "gpus");
    for (int k = 0; k < weft_device_count("cuda"); k++) {
        memset(&g, 0, sizeof g);
        if (weft_device_info_get("cuda", k, &g, sizeof g) == WEFT_OK)
            json_gpu(&j, &g);
    }
    json_close(&j);
    memset(&g, 0, sizeof g);
    bool usable = weft_device_info_get("cuda", 0, &g, sizeof g) == WEFT_OK;
    json_text(&j, "gpu_unused_because", usable ? NULL : g.note);
    json_close(&j);
}

int command_info(int argc, char **argv)
{
    bool as_json = false;
    const option options[] = {{"json", NULL, "print JSON (schema weft-info/1)", OPTION_FLAG, &as_json, 0, 0}, {0}};
    int status;
    if (!options_parse(&info_usage, options, &argc, argv, &status))
        return status;
    if (argc > 1) {
        complain("weft info takes no \"%s\"; `weft ops %s` looks for operations", argv[1], argv[1]);
        return EXIT_USAGE;
    }
    machine m;
    machine_read(&m);
    if (as_json)
        print_json(&m);
    else
        print_text(&m);
    return EXIT_FINE;
}
