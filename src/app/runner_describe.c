#include "app/runner_describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define DESCRIBE_BYTES_MAX (16u << 20)

static bool entry_is_open(struct json entry)
{
    return json_exists(json_get_set(entry, "server")) &&
           !json_exists(json_get_set(entry, "parameters"));
}

bool describe_is_wanted(struct json request)
{
    struct json_iter it;
    json_iter_init(&it, json_get_set(request, "tools"));
    while (json_iter_next(&it))
        if (entry_is_open(it.value))
            return true;
    return false;
}

static void describe_forget(struct describe *d)
{
    free(d->server);
    free(d->name);
    free(d->description);
    d->server = d->name = d->description = NULL;
}

static void describe_over(struct describe *d)
{
    struct jw w;
    struct json_iter it;
    describe_forget(d);
    buf_append_char(&d->list, ']');
    if (d->job.status == 0) {
        jw_init(&w, &d->text);
        jw_object(&w);
        json_iter_init(&it, json_root(d->request));
        while (json_iter_next(&it)) {
            jw_key_str(&w, it.key); /* of our own making: nothing is escaped in it */
            jw_raw(&w, json_iter_key_is(&it, "tools") ? buf_str(&d->list) : json_raw(it.value));
        }
        jw_end(&w);
        if (buf_error(&d->list) || buf_error(&d->text)) {
            d->job.status = err_set(&d->job.error, ERR_TOO_LARGE,
                                    "the tools' descriptions are larger than allowed");
            strcpy(d->job.error_code, "too_large");
        }
    }
    buf_deinit(&d->list);
    d->done(d);
}

/* The server's own description and parameters, under the name that the workflow gave. */
static void describe_add(struct describe *d)
{
    struct json_iter it;
    struct json tool;
    struct jw w;
    json_iter_init(&it, json_get(json_root(buf_str(&d->job.output)), "tools"));
    tool = json_iter_next(&it) ? it.value : JSON_ABSENT;
    jw_init(&w, &d->list);
    buf_append_z(&d->list, d->at ? "," : "");
    jw_object(&w);
    jw_kv_stringz(&w, "name", d->name);
    if (d->description)
        jw_kv_stringz(&w, "description", d->description);
    else
        jw_kv_raw(&w, "description", json_raw(json_get(tool, "description")));
    jw_kv_raw(&w, "parameters", json_raw(json_get(tool, "parameters")));
    jw_end(&w);
    d->at++;
}

static void describe_next(struct describe *d);

static void describe_told(struct tool_job *j)
{
    struct describe *d = j->data;
    d->is_looking = false;
    if (j->status == 0)
        describe_add(d);
    if (j->status == 0)
        describe_next(d);
    else
        describe_over(d);
}

static void describe_ask(struct describe *d, struct json entry)
{
    describe_forget(d);
    d->server = json_strdup(json_get_set(entry, "server"));
    d->name = json_strdup(json_get_set(entry, "name"));
    d->description = json_strdup(json_get_set(entry, "description"));
    d->job = (struct tool_job){.tool = STR("mcp_describe"),
                               .server = str_of(d->server),
                               .name = str_of(d->name),
                               .on_done = describe_told,
                               .data = d};
    d->is_looking = tool_job_start(d->tools, &d->job) == 0;
    if (!d->is_looking)
        describe_over(d);
}

static void describe_next(struct describe *d)
{
    struct json_iter it;
    json_iter_init(&it, json_get_set(json_root(d->request), "tools"));
    while (json_iter_next(&it)) {
        if (it.index < d->at)
            continue;
        if (entry_is_open(it.value)) {
            describe_ask(d, it.value);
            return;
        }
        buf_append_z(&d->list, d->at++ ? "," : "");
        buf_append_str(&d->list, json_raw(it.value));
    }
    describe_over(d);
}

void describe_start(struct describe *d, struct tools *tools)
{
    d->tools = tools;
    d->at = 0;
    d->job.status = 0;
    buf_init(&d->text, DESCRIBE_BYTES_MAX);
    buf_init(&d->list, DESCRIBE_BYTES_MAX);
    buf_append_char(&d->list, '[');
    describe_next(d);
}

void describe_cancel(struct describe *d)
{
    if (d->is_looking) {
        tool_job_cancel(&d->job);
        buf_deinit(&d->list);
    }
    d->is_looking = false;
    describe_forget(d);
    buf_deinit(&d->text);
}
