/* A plugin with one node type: acme.typewriter writes a text letter by letter, as a model would.
 *
 *     cmake -S examples/plugin -B build-plugin && cmake --build build-plugin
 *     sluice serve --plugin build-plugin/typewriter.so
 *
 * It shows all that a plugin needs: properties by a schema, text that people see at once, stopping
 * at a pause in the middle of a word, being cancelled, going on after a restart, and an output.
 */
#include <sluice/plugin.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A plugin may use any JSON library. This one needs two values out of properties that the server
 * has checked already, so it looks for them by hand: "text" without escapes, and "per_second". */
static const char *after_key(const char *json, const char *key)
{
    const char *at = strstr(json, key);
    return at ? at + strlen(key) : NULL;
}

/* Sleeps in steps that are short enough to notice a pause. */
static int wait_ms(struct sluice_node *node, long ms)
{
    while (ms > 0) {
        long step = ms < 100 ? ms : 100;
        struct timespec ts = {.tv_nsec = step * 1000000L};
        if (node->api->checkpoint(node))
            return 1;
        nanosleep(&ts, NULL);
        ms -= step;
    }
    return 0;
}

/* The bytes of the character that begins at p. */
static size_t letter(const char *p)
{
    size_t n = 1;
    while (((unsigned char)p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static int typewriter_run(struct sluice_node *node)
{
    const struct sluice_node_api *api = node->api;
    const char *text = after_key(node->properties, "\"text\":\"");
    const char *rate = after_key(node->properties, "\"per_second\":");
    const char *end = text ? strchr(text, '"') : NULL;
    long per_second = rate ? strtol(rate, NULL, 10) : 20;
    size_t length = end ? (size_t)(end - text) : 0, done = 0;
    if (!end || memchr(text, '\\', length)) {
        api->fail(node, "acme_bad_text", "The text is to have no quotes and no line breaks.");
        return 1;
    }
    /* What was typed before a restart is shown again at once, then it goes on. */
    if (node->saved)
        done = (size_t)strtoul(node->saved, NULL, 10);
    if (done > length || (done && api->emit(node, text, done)))
        return 1;
    while (done < length) {
        char number[32];
        size_t n = letter(text + done);
        if (api->emit(node, text + done, n) || wait_ms(node, 1000 / per_second))
            return 1;
        done += n;
        snprintf(number, sizeof(number), "%zu", done);
        api->save(node, number, strlen(number));
    }
    char *output = api->alloc(node, length + 64);
    if (!output) {
        api->fail(node, "acme_memory", "There is no memory for the output.");
        return 1;
    }
    int bytes =
        snprintf(output, length + 64, "{\"typed\":%zu,\"text\":\"%.*s\"}", done, (int)length, text);
    api->output(node, output, (size_t)bytes);
    api->log(node, SLUICE_INFO, "typed to the end");
    api->free(node, output);
    return 0;
}

static const struct sluice_node_type types[] = {{
    .type = "acme.typewriter",
    .description = "Writes a text letter by letter.",
    .schema = "{\"type\":\"object\",\"required\":[\"text\"],\"additionalProperties\":false,"
              "\"properties\":{\"text\":{\"type\":\"string\",\"maxLength\":10000},"
              "\"per_second\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}}}",
    .run = typewriter_run,
}};

static const struct sluice_plugin plugin = {
    .abi = SLUICE_PLUGIN_ABI,
    .size = sizeof(plugin),
    .name = "acme",
    .version = "1.0",
    .types = types,
    .type_count = sizeof(types) / sizeof(types[0]),
};

const struct sluice_plugin *sluice_plugin(uint32_t abi)
{
    return abi == SLUICE_PLUGIN_ABI ? &plugin : NULL;
}
