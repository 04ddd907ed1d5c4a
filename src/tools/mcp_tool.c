/* Tools `mcp` and `mcp_describe`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tools/mcp_server.h"

#define PROGRESS_TEXT_MAX 500
#define PROGRESS_MAX      1000 /* of one call; each is an event of the session */

struct mcp_job {
    struct tool_job *job;
    struct mcp_server *server;
    struct mcp_request request;
    struct mcp_list_wait wait;
    unsigned progress;
};

static void mcp_job_free(struct mcp_job *m)
{
    mcp_server_unwant_list(m->server, &m->wait);
    mcp_request_deinit(&m->request);
    free(m);
}

static void mcp_job_over(struct mcp_job *m)
{
    struct tool_job *j = m->job;
    mcp_job_free(m);
    if (j->is_started)
        tool_job_finish(j);
    else
        tool_job_finish_later(j); /* it ended while it was being started */
}

static void mcp_cancel(struct tool_job *j)
{
    mcp_job_free(j->impl);
}

static void mcp_job_failed(struct mcp_job *m, const struct mcp_request *r)
{
    m->job->retry_after_ms = r->retry_after_ms;
    tool_job_fail(m->job, r->status, r->code, "%s", r->error.text);
    mcp_job_over(m);
}

static void call_progress(struct mcp_request *r, struct json params)
{
    struct mcp_job *m = r->data;
    struct json total = json_get_set(params, "total");
    struct buf text, message;
    double done = 0, all = 0;
    if (m->progress++ >= PROGRESS_MAX)
        return;
    buf_init(&text, PROGRESS_TEXT_MAX * 4);
    buf_init(&message, PROGRESS_TEXT_MAX);
    json_double(json_get_set(params, "progress"), &done);
    json_write_double(&text, done);
    if (json_double(total, &all)) {
        buf_append_char(&text, '/');
        json_write_double(&text, all);
    }
    json_string(json_get_set(params, "message"), &message);
    if (message.len)
        buf_printf(&text, " %s", message.data);
    tool_job_log(m->job, "info", buf_str(&text));
    buf_deinit(&text);
    buf_deinit(&message);
}

static void call_read(struct mcp_job *m, const struct mcp_message *answer)
{
    struct tool_job *j = m->job;
    struct errbuf e;
    if (answer->kind == MCP_ERROR) {
        struct buf said;
        buf_init(&said, 400);
        json_string(answer->message, &said);
        tool_job_fail(j, ERR_UPSTREAM, answer->code == -32602 ? "invalid_params" : "mcp_error",
                      "MCP server %s: %s (%lld)", m->server->settings->name,
                      said.len ? said.data : "error", (long long)answer->code);
        buf_deinit(&said);
        return;
    }
    int rc = mcp_call_result(answer->result, &j->output, &e);
    if (rc)
        tool_job_fail(j, ERR_UPSTREAM,
                      rc == ERR_UPSTREAM   ? "tool_error"
                      : rc == ERR_CONFLICT ? "input_required"
                                           : "bad_response",
                      "%s", e.text);
}

static void call_ended(struct mcp_request *r, const struct mcp_message *answer)
{
    struct mcp_job *m = r->data;
    if (!answer) {
        mcp_job_failed(m, r);
        return;
    }
    call_read(m, answer);
    mcp_job_over(m);
}

static void call_send(struct mcp_job *m)
{
    struct tool_job *j = m->job;
    struct json tool = m->server->settings->url ? mcp_server_tool(m->server, j->name) : JSON_ABSENT;
    if (json_exists(tool))
        m->request.schema = str_dup(json_raw(json_get(tool, "parameters")));
    mcp_request_send(m->server, &m->request);
}

static void call_listed(struct mcp_list_wait *w, const struct mcp_request *failed)
{
    struct mcp_job *m = container_of(w, struct mcp_job, wait);
    if (failed)
        mcp_job_failed(m, failed);
    else
        call_send(m);
}

static struct mcp_job *mcp_job_create(struct tool_job *j)
{
    struct mcp_server *s = mcp_server_find(j->tools, j->server);
    if (!s) {
        tool_job_fail(j, ERR_NOT_FOUND, "unknown_server",
                      "the settings have no MCP server \"%.*s\"",
                      j->server.n > 80 ? 80 : (int)j->server.n, j->server.n ? j->server.p : "");
        return NULL;
    }
    struct mcp_job *m = mem_zalloc(sizeof(*m));
    m->job = j;
    m->server = s;
    list_init(&m->wait.link);
    mcp_request_init(&m->request, "tools/call");
    m->request.data = m;
    j->impl = m;
    return m;
}

static int mcp_start(struct tool_job *j)
{
    struct mcp_job *m;
    if (!j->name.n || j->name.n > 128)
        return tool_job_fail(j, ERR_INVALID, "invalid_arguments",
                             "mcp: the name of the server's tool is missing");
    m = mcp_job_create(j);
    if (!m)
        return j->status;
    m->request.tool = str_dup(j->name);
    m->request.arguments = j->arguments;
    m->request.on_progress = call_progress;
    m->request.on_end = call_ended;
    buf_append_z(&m->request.params, "\"name\":");
    json_write_string(&m->request.params, j->name);
    buf_append_z(&m->request.params, ",\"arguments\":");
    buf_append_str(&m->request.params, j->arguments);
    /* Over HTTP the modern generation wants some arguments in headers: the list says which. */
    m->wait.done = call_listed;
    if (!m->server->settings->url || mcp_server_want_list(m->server, &m->wait))
        call_send(m);
    return 0;
}

const struct tool_kind tool_mcp = {"mcp", mcp_start, mcp_cancel};

/* ---- mcp_describe ---- */

static void describe_write(struct mcp_job *m)
{
    struct tool_job *j = m->job;
    struct json one = JSON_ABSENT;
    if (j->name.n) {
        one = mcp_server_tool(m->server, j->name);
        if (!json_exists(one)) {
            tool_job_fail(j, ERR_NOT_FOUND, "unknown_tool", "MCP server %s has no tool \"%.*s\"",
                          m->server->settings->name, j->name.n > 80 ? 80 : (int)j->name.n,
                          j->name.p);
            return;
        }
    }
    buf_append_z(&j->output, "{\"tools\":");
    buf_append_z(&j->output, j->name.n ? "[" : "");
    buf_append_str(&j->output, j->name.n ? json_raw(one) : buf_str(&m->server->list));
    buf_append_z(&j->output, j->name.n ? "]}" : "}");
}

static void describe_listed(struct mcp_list_wait *w, const struct mcp_request *failed)
{
    struct mcp_job *m = container_of(w, struct mcp_job, wait);
    if (failed) {
        mcp_job_failed(m, failed);
        return;
    }
    describe_write(m);
    mcp_job_over(m);
}

static int describe_start(struct tool_job *j)
{
    struct mcp_job *m = mcp_job_create(j);
    if (!m)
        return j->status;
    m->wait.done = describe_listed;
    if (mcp_server_want_list(m->server, &m->wait)) {
        describe_write(m);
        mcp_job_over(m);
    }
    return 0;
}

const struct tool_kind tool_mcp_describe = {"mcp_describe", describe_start, mcp_cancel};
