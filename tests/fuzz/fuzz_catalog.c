/* Bodies of agents, groups and templates: a letter (a, g, t), then the body. What is taken reads
 * back as what was taken; a template's graph with its values in it is JSON. */
#include "fuzz.h"

#include <string.h>

#include "app/catalog_body.h"
#include "app/catalog_template.h"

static void fuzz_template(struct json body)
{
    struct json graph = json_get(body, "graph"), parameters = json_get_set(body, "parameters");
    struct json values = json_get_set(graph, "values");
    struct errbuf e = {""};
    struct buf out;
    if (json_type(values) != JSON_OBJECT)
        values = JSON_ABSENT;
    if (!json_exists(graph))
        return;
    buf_init(&out, 2 * JSON_BODY_MAX);
    int rc = catalog_template_sample(graph, parameters, &out, &e);
    FUZZ_CHECK(rc == 0 || (rc == ERR_INVALID && e.text[0]));
    if (rc == 0) {
        /* A value may be as deep as its place; keys may meet, as the graph's own never do. */
        rc = json_check(buf_str(&out), &(struct json_limits){.depth_max = 200}, &e);
        FUZZ_CHECK(rc == 0);
    }
    buf_clear(&out);
    rc = catalog_template_render(graph, parameters, values, &out, &e);
    FUZZ_CHECK(rc == 0 || (rc == ERR_UNPROCESSABLE && e.text[0]));
    buf_deinit(&out);
}

static void fuzz_body(enum catalog_kind kind, struct str text)
{
    struct catalog_body body, again;
    struct errbuf e = {""};
    struct arena a;
    if (json_check(text, NULL, NULL) != 0)
        return;
    arena_init(&a);
    int rc = catalog_body_read(kind, text, &a, &body, &e);
    FUZZ_CHECK(rc == 0 || (rc == ERR_INVALID && e.text[0]));
    if (rc == 0) {
        FUZZ_CHECK(json_check(body.json, NULL, NULL) == 0);
        FUZZ_CHECK(catalog_body_read(kind, body.json, &a, &again, &e) == 0);
        FUZZ_CHECK(str_eq(body.json, again.json));
        FUZZ_CHECK(body.agent_count == again.agent_count);
        if (kind == CATALOG_TEMPLATE)
            fuzz_template(json_root(body.json));
    }
    arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    fuzz_body(data[0] == 'g'   ? CATALOG_GROUP
              : data[0] == 't' ? CATALOG_TEMPLATE
                               : CATALOG_AGENT,
              (struct str){text, size - 1});
    free(text);
    return 0;
}
