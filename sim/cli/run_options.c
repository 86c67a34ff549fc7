/* run_options.c: the options of `vtsim run`, and what QEMU's spellings of them mean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/run_request.h"
#include "sim/sanitize/sanitizer.h"
#include "vtsim/profile.h"

#define MEMORY_DEFAULT (128ull << 20)
#define MEMORY_LEAST (1ull << 20)
#define MEMORY_MOST (64ull << 30)

void run_request_init(struct run_request *request)
{
    *request = (struct run_request){
        .machine = {.cpu = "skylake", .memory_bytes = MEMORY_DEFAULT, .messages = stderr}};
}

void run_request_free(struct run_request *request)
{
    for (size_t i = 0; i < request->machine.module_count; i++)
        free(request->modules[i]);
    free(request->modules);
}

int run_set_image(void *target, const char *value)
{
    struct run_request *request = target;
    if (request->machine.image)
        return cli_fail(CLI_USAGE, "two images were given, '%s' and '%s'; modules go with --module",
                        request->machine.image, value);
    request->machine.image = value;
    return CLI_OK;
}

static int unknown_profile(const char *name)
{
    char hint[512];
    struct suggestions s = {.wanted = name};
    const struct cpu_profile *profile;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++)
        suggest(&s, profile->name);
    suggest_text(&s, hint, sizeof hint);
    return cli_fail(CLI_USAGE, "unknown processor profile '%s'%s ('vtsim list cpus' shows them all)", name,
                    hint);
}

/* --cpu all[,-FEATURE...]: what follows "all" must be so for every profile. */
static int set_every_cpu(struct run_request *request, const char *features)
{
    const struct cpu_profile *profile;
    for (size_t i = 0; (profile = cpu_profile_at(i)); i++) {
        struct cpu_selection selection;
        char text[256], message[256];
        snprintf(text, sizeof text, "%s%s", profile->name, features);
        if (!cpu_profile_select(text, &selection, message, sizeof message))
            return cli_fail(CLI_USAGE, "--cpu all%s: %s", features, message);
    }
    request->every_cpu = features;
    return CLI_OK;
}

static int set_cpu(void *target, const char *value)
{
    struct run_request *request = target;
    struct cpu_selection selection;
    char name[32], message[256];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(value, ","), value);
    request->every_cpu = NULL;
    if (!strcmp(name, "all"))
        return set_every_cpu(request, value + strlen(name));
    if (!cpu_profile_find(name))
        return unknown_profile(name);
    if (!cpu_profile_select(value, &selection, message, sizeof message))
        return cli_fail(CLI_USAGE, "--cpu %s: %s", value, message);
    request->machine.cpu = value;
    return CLI_OK;
}

static int set_memory(void *target, const char *value)
{
    struct run_request *request = target;
    uint64_t bytes;
    if (!cli_parse_size(value, &bytes))
        return cli_fail(CLI_USAGE, "'%s' is no size of memory: a number with K, M or G behind it is wanted",
                        value);
    if (bytes < MEMORY_LEAST || bytes > MEMORY_MOST)
        return cli_fail(CLI_USAGE, "%s of memory: it must be from 1M to 64G", value);
    if (bytes % 4096)
        return cli_fail(CLI_USAGE, "%s of memory: it must be a multiple of 4K", value);
    request->machine.memory_bytes = bytes;
    return CLI_OK;
}

static int set_processors(void *target, const char *value)
{
    uint64_t count;
    if (!cli_parse_number(value, &count) || !count)
        return cli_fail(CLI_USAGE, "'%s' is no number of processors: one from 1 to %d is wanted", value,
                        MACHINE_PROCESSORS);
    if (count > MACHINE_PROCESSORS)
        return cli_fail(CLI_UNSUPPORTED, "%s processors are more than the %d that vtsim has at most", value,
                        MACHINE_PROCESSORS);
    ((struct run_request *)target)->machine.processors = (unsigned)count;
    return CLI_OK;
}

static int set_append(void *target, const char *value)
{
    ((struct run_request *)target)->machine.append = value;
    return CLI_OK;
}

/* Takes text over. */
static int add_module(struct run_request *request, char *text)
{
    size_t count = request->machine.module_count;
    char **grown = text ? realloc(request->modules, (count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(text);
        return cli_fail(CLI_INTERNAL, "out of memory");
    }
    grown[count] = text;
    request->modules = grown;
    request->machine.modules = (const char *const *)grown;
    request->machine.module_count = count + 1;
    return CLI_OK;
}

static int set_module(void *target, const char *value)
{
    if (!*value || *value == ',')
        return cli_fail(CLI_USAGE, "--module '%s': a file name is missing", value);
    return add_module(target, strdup(value));
}

/* QEMU for Multiboot: modules with a comma between (two commas are one of a name), each "file arguments". */
static int set_initrd(void *target, const char *value)
{
    int status = CLI_OK;
    while (status == CLI_OK && *value) {
        char *text = malloc(strlen(value) + 1), *to = text;
        bool arguments = false;
        for (; text && *value && (*value != ',' || value[1] == ','); value++) {
            value += *value == ',';
            *to++ = !arguments && *value == ' ' ? ',' : *value;
            arguments = arguments || *value == ' ';
        }
        if (text)
            *to = 0;
        value += *value == ',';
        status = add_module(target, text);
    }
    return status;
}

static int set_serial(void *target, const char *value)
{
    struct machine_options *machine = &((struct run_request *)target)->machine;
    if (!strcmp(value, "stdio"))
        machine->serial = SERIAL_STDIO;
    else if (!strcmp(value, "null") || !strcmp(value, "none"))
        machine->serial = SERIAL_NULL;
    else if (!strncmp(value, "file:", 5) && value[5]) {
        machine->serial = SERIAL_FILE;
        machine->serial_path = value + 5;
    } else
        return cli_fail(CLI_USAGE, "--serial %s: stdio, file:PATH or null is wanted", value);
    return CLI_OK;
}

static int set_limit(const char *name, const char *value, uint64_t *limit)
{
    if (cli_parse_number(value, limit) && *limit)
        return CLI_OK;
    return cli_fail(CLI_USAGE, "%s %s: a number from 1 on is wanted, below 2^64", name, value);
}

static int set_firmware(void *target, const char *value)
{
    struct machine_options *machine = &((struct run_request *)target)->machine;
    if (strcmp(value, "none") && strcmp(value, "pc"))
        return cli_fail(CLI_USAGE, "--firmware '%s': it is none or pc", value);
    machine->firmware = strcmp(value, "pc") ? FIRMWARE_NONE : FIRMWARE_PC;
    return CLI_OK;
}

static int set_max_cycles(void *target, const char *value)
{
    return set_limit("--max-cycles", value, &((struct run_request *)target)->machine.max_cycles);
}

static int set_max_instructions(void *target, const char *value)
{
    return set_limit("--max-instructions", value, &((struct run_request *)target)->machine.max_instructions);
}

static int set_stats(void *target, const char *value)
{
    ((struct run_request *)target)->stats = value;
    return CLI_OK;
}

/* A label that looks like another way to name a run could never be found. */
static int set_label(void *target, const char *value)
{
    if (!*value || !strcmp(value, "last") || value[strspn(value, "0123456789")] == 0)
        return cli_fail(CLI_USAGE, "--label '%s': a text is wanted that is neither a number nor 'last'",
                        value);
    ((struct run_request *)target)->label = value;
    return CLI_OK;
}

static int set_format(void *target, const char *value)
{
    struct run_request *request = target;
    request->format_given = true;
    if (table_format_parse(value, &request->format))
        return CLI_OK;
    return cli_fail(CLI_USAGE, "--format %s: text, json, csv or html is wanted", value);
}

static unsigned sanitize_group(const char *name)
{
    for (unsigned bit = 1; finding_group_name(bit); bit <<= 1)
        if (!strcmp(name, finding_group_name(bit)))
            return bit;
    return 0;
}

static int set_sanitize(void *target, const char *value)
{
    struct machine_options *machine = &((struct run_request *)target)->machine;
    const char *at = value;
    do {
        char name[16];
        const size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        const unsigned group = sanitize_group(name);
        if (!group)
            return cli_fail(CLI_USAGE, "--sanitize %s: '%s' is none of vmx, tlb and limits", value, name);
        machine->sanitize |= group;
        at += length;
    } while (*at++);
    return CLI_OK;
}

static int set_sanitize_minimum(void *target, const char *value)
{
    if (!cpu_profile_find(value))
        return unknown_profile(value);
    ((struct run_request *)target)->machine.sanitize_minimum = value;
    return CLI_OK;
}

static int set_quiet(void *target, const char *value)
{
    (void)value;
    ((struct run_request *)target)->machine.quiet = true;
    return CLI_OK;
}

static int refuse_gdb(void *target, const char *value)
{
    (void)target, (void)value;
    return cli_fail(CLI_UNSUPPORTED, "a debugger cannot be attached yet");
}

static int refuse_trace(void *target, const char *value)
{
    (void)target;
    return cli_fail(CLI_UNSUPPORTED, "--trace %s: event files are not written yet; --stats keeps statistics",
                    value);
}

/* isa-debug-exit[,iobase=PORT][,iosize=SIZE] */
static int set_debug_exit(struct machine_options *machine, const char *parameters)
{
    while (*parameters) {
        char item[64];
        size_t length = strcspn(parameters, ",");
        snprintf(item, sizeof item, "%.*s", (int)length, parameters);
        parameters += length + (parameters[length] == ',');
        uint64_t value = 0;
        bool base = !strncmp(item, "iobase=", 7), size = !strncmp(item, "iosize=", 7);
        if ((!base && !size) || !cli_parse_number(item + 7, &value))
            return cli_fail(CLI_USAGE, "isa-debug-exit: '%s' is neither iobase=PORT nor iosize=SIZE", item);
        if (base ? !value || value > 0xffff : value != 1 && value != 2 && value != 4)
            return cli_fail(CLI_USAGE,
                            "isa-debug-exit: '%s': a port from 1 to 0xffff, or a size of 1, 2 or 4", item);
        if (base)
            machine->debug_exit_port = (uint16_t)value;
        else
            machine->debug_exit_size = (uint8_t)value;
    }
    return CLI_OK;
}

static int set_device(void *target, const char *value)
{
    static const char name[] = "isa-debug-exit";
    size_t length = strcspn(value, ",");
    if (length != sizeof name - 1 || strncmp(value, name, length))
        return cli_fail(CLI_UNSUPPORTED,
                        "the device '%.*s' is not modelled; isa-debug-exit is the one that can be given",
                        (int)length, value);
    return set_debug_exit(&((struct run_request *)target)->machine, value + length + (value[length] == ','));
}

static int set_display(void *target, const char *value)
{
    (void)target;
    return strcmp(value, "none")
               ? cli_fail(CLI_UNSUPPORTED, "-display %s: there is no display; 'none' is", value)
               : CLI_OK;
}

/* What QEMU needs to be told and what is so here in any case. */
static int accept(void *target, const char *value)
{
    (void)target, (void)value;
    return CLI_OK;
}

static int set_nographic(void *target, const char *value)
{
    (void)value;
    return set_serial(target, "stdio");
}

const struct cli_option run_options[] = {
    {"cpu", "PROFILE[,-FEATURE...]",
     "the processor, one of 'vtsim list cpus'; skylake if not given; all: on each of them", set_cpu},
    {"mem", "SIZE", "memory, 1M to 64G (a bare number counts MiB); 128M if not given", set_memory},
    {"smp", "N", "number of processors, 1 to 16; 1 if not given", set_processors},
    {"append", "CMDLINE", "the image's command line", set_append},
    {"module", "FILE[,CMDLINE]", "a boot module; may be repeated", set_module},
    {"firmware", "none|pc", "pc: vectors, handlers and timer as a PC's BIOS leaves them; none if not given",
     set_firmware},
    {"serial", "stdio|file:PATH|null", "where the serial port goes; stdio if not given", set_serial},
    {"max-cycles", "N", "end the run after N simulated cycles, status 124", set_max_cycles},
    {"max-instructions", "N", "end the run after about N instructions, status 124", set_max_instructions},
    {"stats", "FILE.db", "keep statistics in this file, next to those of other runs", set_stats},
    {"label", "TEXT", "a name for this run in the statistics file", set_label},
    {"device", "isa-debug-exit,...", "with iobase=PORT and iosize=SIZE; 0xf4 and 4 if not given", set_device},
    {"format", "text|json|csv|html", "of what --cpu all prints; text if not given", set_format},
    {"sanitize", "vmx,tlb,limits",
     "report at the end what works here but is undefined, or breaks elsewhere: 'vtsim list findings'",
     set_sanitize},
    {"sanitize-minimum", "PROFILE", "with --sanitize vmx: report what this processor would not have",
     set_sanitize_minimum},
    {"quiet", NULL, "do not explain failed VM entries", set_quiet},
    {"gdb", "PORT", NULL, refuse_gdb},
    {"trace", "FILE", NULL, refuse_trace},
    {"kernel", "IMAGE", NULL, run_set_image},
    {"initrd", "FILES", NULL, set_initrd},
    {"m", "SIZE", NULL, set_memory},
    {"s", NULL, NULL, refuse_gdb},
    {"S", NULL, NULL, refuse_gdb},
    {"display", "none", NULL, set_display},
    {"nographic", NULL, NULL, set_nographic},
    {"no-reboot", NULL, NULL, accept},
    {"machine", "TYPE", NULL, accept},
    {0},
};

int run_request_check(const struct run_request *request)
{
    if (!request->machine.image)
        return cli_fail(CLI_USAGE, "no image was given; 'vtsim run --help' shows how");
    if (request->label && !request->stats)
        return cli_fail(CLI_USAGE, "--label names a run in a statistics file: give --stats FILE.db too");
    if (request->format_given && !request->every_cpu)
        return cli_fail(CLI_USAGE, "--format is for what --cpu all prints");
    if (request->machine.sanitize_minimum && !(request->machine.sanitize & FINDINGS_VMX))
        return cli_fail(CLI_USAGE, "--sanitize-minimum is looked at by --sanitize vmx: give that too");
    return CLI_OK;
}
