/* Node types that break what a plugin promises, each in its own way. */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "sluice/plugin.h"

static int done_blocks(struct sluice_node *node)
{
    int steps = strstr(node->properties, "forever") ? 1000000 : 40;
    for (int i = 0; i < steps; i++) { /* and never looks */
        struct timespec ts = {.tv_nsec = 50000000};
        nanosleep(&ts, NULL);
    }
    return 0;
}

static int done_leaks(struct sluice_node *node)
{
    void *kept = node->api->alloc(node, 1000);
    void *given_back = node->api->alloc(node, 10);
    node->api->free(node, given_back);
    memset(kept, 1, 1000);
    return 0;
}

static int done_rubbish(struct sluice_node *node)
{
    if (!strstr(node->properties, "emit"))
        return node->api->output(node, "{\"a\":", 5) ? 0 : 1;
    node->api->emit(node, "\xff\xfe", 2);
    return 0;
}

static int done_fails(struct sluice_node *node)
{
    if (strstr(node->properties, "silent"))
        return 7;
    if (strstr(node->properties, "odd"))
        node->api->fail(node, "Not A Code", "?");
    else
        node->api->fail(node, "no_luck", "It was not to be.");
    return 1;
}

static int done_crashes(struct sluice_node *node)
{
    (void)node;
    return raise(SIGSEGV);
}

static const struct sluice_node_type types[] = {
    {.type = "bad.blocks", .run = done_blocks},   {.type = "bad.leaks", .run = done_leaks},
    {.type = "bad.rubbish", .run = done_rubbish}, {.type = "bad.fails", .run = done_fails},
    {.type = "bad.crashes", .run = done_crashes},
};

static const struct sluice_plugin plugin = {.abi = SLUICE_PLUGIN_ABI,
                                            .size = sizeof(plugin),
                                            .name = "bad",
                                            .version = "0",
                                            .types = types,
                                            .type_count = sizeof(types) / sizeof(types[0])};

const struct sluice_plugin *sluice_plugin(uint32_t abi)
{
    return abi == SLUICE_PLUGIN_ABI ? &plugin : NULL;
}
