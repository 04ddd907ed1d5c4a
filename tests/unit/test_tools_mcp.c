/* MCP over stdio against this program itself as a scripted server ("serve MODE"), and over HTTP
 * against a scripted server on the test's own loop. */
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "llm_server.h"
#include "tools/tool.h"

/* ---- the scripted server, in a process of its own ---- */

static struct {
    const char *mode;
    int lists, cancels, pongs;
} script;

static void say(const char *id, const char *member)
{
    printf("{\"jsonrpc\":\"2.0\",\"id\":%s,%s}\n", id, member);
    fflush(stdout);
}

static void say_text(const char *id, const char *text)
{
    char member[512];
    snprintf(member, sizeof(member),
             "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]}", text);
    say(id, member);
}

static void notice(const char *method, const char *params)
{
    printf("{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s}\n", method, params);
    fflush(stdout);
}

static void say_list(const char *id, const char *line)
{
    script.lists++;
    if (!strstr(line, "\"cursor\""))
        say(id,
            "\"result\":{\"tools\":[{\"name\":\"echo\",\"description\":\"says it\",\"inputSchema\":"
            "{\"type\":\"object\"}},{\"name\":5},\"x\"],\"nextCursor\":\"p2\"}");
    else
        say(id,
            "\"result\":{\"tools\":[{\"name\":\"other\",\"inputSchema\":{\"type\":\"object\"}}]}");
}

static void say_progress(const char *id)
{
    char params[128];
    for (int i = 1; i < 3; i++) {
        snprintf(params, sizeof(params),
                 "{\"progressToken\":%s,\"progress\":%d,\"total\":2,\"message\":\"step\"}", id, i);
        notice("notifications/progress", params);
    }
    say_text(id, "done");
}

static void say_long(void)
{
    for (int i = 0; i < 9; i++)
        for (int k = 0; k < 1 << 20; k++)
            putchar('x');
    putchar('\n');
    fflush(stdout);
}

static void serve_call(const char *id, const char *line)
{
    char counts[64];
    if (strstr(line, "\"name\":\"echo\""))
        say_text(id, strstr(line, "h\xc3\xa9") ? "h\xc3\xa9 back" : "back");
    else if (strstr(line, "\"name\":\"progress\""))
        say_progress(id);
    else if (strstr(line, "\"name\":\"fail\""))
        say(id, "\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"it "
                "broke\"}]}");
    else if (strstr(line, "\"name\":\"rpc\""))
        say(id, "\"error\":{\"code\":-32602,\"message\":\"no such tool\"}");
    else if (strstr(line, "\"name\":\"ask\""))
        say(id, "\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{}}");
    else if (strstr(line, "\"name\":\"odd\""))
        say(id, "\"result\":[1]");
    else if (strstr(line, "\"name\":\"structured\""))
        say(id, "\"result\":{\"content\":[],\"structuredContent\":{\"n\":1}}");
    else if (strstr(line, "\"name\":\"long\""))
        say_long();
    else if (strstr(line, "\"name\":\"die\"")) {
        fprintf(stderr, "boom\n");
        exit(7);
    } else if (strstr(line, "\"name\":\"change\"")) {
        notice("notifications/tools/list_changed", "{}");
        say_text(id, "changed");
    } else if (strstr(line, "\"name\":\"count\"")) {
        snprintf(counts, sizeof(counts), "lists %d cancels %d pongs %d", script.lists,
                 script.cancels, script.pongs);
        say_text(id, counts);
    } /* "hang": no answer */
}

static void serve_legacy(const char *id, const char *line)
{
    if (strstr(line, "\"server/discover\"")) {
        if (strcmp(script.mode, "falls") == 0)
            exit(3);
        say(id, "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}");
    } else if (strstr(line, "\"method\":\"initialize\"")) {
        bool is_odd = strcmp(script.mode, "version") == 0;
        say(id, is_odd ? "\"result\":{\"protocolVersion\":\"1999-01-01\",\"capabilities\":{}}"
                       : "\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}}");
    } else if (strstr(line, "\"notifications/initialized\"")) {
        printf("hello, I am no JSON\n{\"jsonrpc\":\"1.0\"}\n[]\n");
        printf("{\"jsonrpc\":\"2.0\",\"id\":999,\"result\":{}}\n"); /* nobody asked */
        printf("{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n");
        printf("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"roots/list\"}\n");
        fflush(stdout);
    }
}

static void serve_line(const char *line)
{
    char id[32] = "";
    const char *at = strstr(line, "\"id\":");
    if (at)
        snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 5, ",}"), at + 5);
    script.pongs += strstr(line, "\"id\":\"p\",\"result\":{}") != NULL;
    script.pongs += strstr(line, "\"id\":8,\"error\":{\"code\":-32601") != NULL;
    script.cancels += strstr(line, "\"notifications/cancelled\"") != NULL;
    if (strstr(line, "\"tools/list\""))
        say_list(id, line);
    else if (strstr(line, "\"tools/call\""))
        serve_call(id, line);
    else if (strcmp(script.mode, "modern") != 0)
        serve_legacy(id, line);
    else if (strstr(line, "\"server/discover\"") &&
             strstr(line, "\"_meta\":{\"io.modelcontextprotocol/"
                          "protocolVersion\":\"2026-07-28\""))
        say(id, "\"result\":{\"supportedVersions\":[\"2026-07-28\"]}");
}

static int serve(const char *mode)
{
    char *line = NULL;
    size_t size = 0;
    script.mode = mode;
    if (strcmp(mode, "rude") == 0)
        signal(SIGTERM, SIG_IGN);
    while (getline(&line, &size, stdin) > 0)
        serve_line(line);
    free(line);
    while (strcmp(mode, "rude") == 0)
        pause();
    return 0;
}

/* ---- the tests' side ---- */

static uv_loop_t loop;
static struct server server;
static struct tools *tools;
static bool tools_gone;
static char self[4096];

struct call {
    struct tool_job j;
    int done;
    struct buf output, logs;
};

static void call_done(struct tool_job *j)
{
    struct call *c = container_of(j, struct call, j);
    c->done++;
    buf_append_str(&c->output, buf_str(&j->output));
}

static void call_logged(struct tool_job *j, const char *level, struct str text)
{
    struct call *c = container_of(j, struct call, j);
    buf_printf(&c->logs, "%s %.*s\n", level, STR_FMT(text));
}

static void call_start(struct call *c, const char *mode, const char *name, const char *arguments)
{
    memset(c, 0, sizeof(*c));
    buf_init(&c->output, 8 << 20);
    buf_init(&c->logs, 8 << 20);
    c->j.tool = STR("mcp");
    c->j.server = str_of(mode);
    c->j.name = str_of(name);
    c->j.arguments = arguments ? str_of(arguments) : STR_NULL;
    c->j.on_log = call_logged;
    c->j.on_done = call_done;
    assert_int_equal(tool_job_start(tools, &c->j), 0);
    assert_int_equal(c->done, 0);
}

static void call_end(struct call *c)
{
    buf_deinit(&c->output);
    buf_deinit(&c->logs);
}

static void call_wait(struct call *c)
{
    turn_until(&loop, c->done);
    assert_int_equal(c->done, 1);
}

/* The text of a call that goes well. */
static void call_says(const char *mode, const char *name, const char *text)
{
    struct call c;
    call_start(&c, mode, name, NULL);
    call_wait(&c);
    if (c.j.status)
        fail_msg("%s: %s", c.j.error_code, c.j.error.text);
    assert_int_equal(json_check(buf_str(&c.output), NULL, NULL), 0);
    assert_true(json_string_eq(json_get(json_root(buf_str(&c.output)), "text"), text));
    call_end(&c);
}

static void call_fails(const char *mode, const char *name, const char *code, const char *part)
{
    struct call c;
    call_start(&c, mode, name, NULL);
    call_wait(&c);
    assert_int_not_equal(c.j.status, 0);
    assert_string_equal(c.j.error_code, code);
    if (!strstr(c.j.error.text, part))
        fail_msg("\"%s\" is not in: %s", part, c.j.error.text);
    call_end(&c);
}

static void (*answer)(struct conn *conn, const char *body);
static void on_request(struct conn *conn, size_t index)
{
    (void)index;
    answer(conn, conn->body.data ? conn->body.data : "");
}

static const char *const modes[] = {"legacy", "modern", "falls", "version", "rude"};

static int setup(void **state)
{
    static const char *commands[ROWS(modes)][4];
    static struct tool_mcp_server list[ROWS(modes) + 1];
    static char url[64];
    struct tools_settings s = {.mcp = list, .mcp_count = ROWS(list)};
    struct errbuf e = {""};
    (void)state;
    uv_loop_init(&loop);
    server_open(&server, &loop, on_request);
    for (size_t i = 0; i < ROWS(modes); i++) {
        commands[i][0] = self;
        commands[i][1] = "serve";
        commands[i][2] = modes[i];
        list[i] = (struct tool_mcp_server){.name = modes[i], .command = commands[i]};
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/mcp", server.port);
    list[ROWS(modes)] = (struct tool_mcp_server){.name = "http", .url = url};
    tools_gone = false;
    assert_int_equal(tools_create(&tools, &loop, &s, &e), 0);
    return 0;
}

static void tools_closed(void *data)
{
    (void)data;
    tools_gone = true;
}

static int teardown(void **state)
{
    (void)state;
    tools_close(tools, tools_closed, NULL);
    server_close(&server);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(tools_gone);
    server_free(&server);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static void both(const char *name, const char *text)
{
    call_says("legacy", name, text);
    call_says("modern", name, text);
}

static void test_calls(void **state)
{
    struct call c;
    (void)state;
    both("echo", "back");
    call_start(&c, "legacy", "echo", "{\"x\":\"h\xc3\xa9\"}");
    call_wait(&c);
    assert_non_null(strstr(c.output.data, "h\xc3\xa9 back"));
    call_end(&c);
    call_start(&c, "modern", "structured", NULL);
    call_wait(&c);
    assert_str(buf_str(&c.output),
               "{\"content\":[],\"structuredContent\":{\"n\":1},\"text\":\"\"}");
    call_end(&c);
    /* What came between, junk and requests of its own, was lived through and answered. */
    call_says("legacy", "count", "lists 0 cancels 0 pongs 2");
}

static void test_errors(void **state)
{
    (void)state;
    call_fails("legacy", "fail", "tool_error", "it broke");
    call_fails("modern", "rpc", "invalid_params", "no such tool");
    call_fails("modern", "ask", "input_required", "person");
    call_fails("legacy", "odd", "bad_response", "no object");
    call_fails("version", "echo", "mcp_version", "not known");
}

static void test_progress(void **state)
{
    struct call c;
    (void)state;
    call_start(&c, "legacy", "progress", NULL);
    call_wait(&c);
    assert_str(buf_str(&c.logs), "info 1/2 step\ninfo 2/2 step\n");
    call_end(&c);
}

static void test_many_at_once(void **state)
{
    struct call c[20];
    (void)state;
    for (size_t i = 0; i < ROWS(c); i++)
        call_start(&c[i], "legacy", i % 2 ? "echo" : "progress", NULL);
    for (size_t i = 0; i < ROWS(c); i++) {
        call_wait(&c[i]);
        assert_int_equal(c[i].j.status, 0);
        call_end(&c[i]);
    }
}

static void test_cancel(void **state)
{
    struct call c;
    (void)state;
    call_says("legacy", "echo", "back");
    call_start(&c, "legacy", "hang", NULL);
    tool_job_cancel(&c.j);
    assert_int_equal(c.done, 0);
    call_end(&c);
    call_says("legacy", "count", "lists 0 cancels 1 pongs 2");
    call_start(&c, "modern", "echo", NULL); /* before it was sent */
    tool_job_cancel(&c.j);
    call_end(&c);
}

static void test_timeout(void **state)
{
    struct call c;
    (void)state;
    call_says("legacy", "echo", "back");
    memset(&c, 0, sizeof(c));
    buf_init(&c.output, 1 << 20);
    buf_init(&c.logs, 1 << 20);
    c.j = (struct tool_job){.tool = STR("mcp"),
                            .server = STR("legacy"),
                            .name = STR("hang"),
                            .timeout_ms = 20,
                            .on_done = call_done};
    assert_int_equal(tool_job_start(tools, &c.j), 0);
    call_wait(&c);
    assert_string_equal(c.j.error_code, "timeout");
    call_end(&c);
    call_says("legacy", "count", "lists 0 cancels 1 pongs 2");
}

static void test_death(void **state)
{
    struct call hang, die;
    (void)state;
    call_says("legacy", "echo", "back");
    call_start(&hang, "legacy", "hang", NULL);
    call_start(&die, "legacy", "die", NULL);
    call_wait(&hang);
    call_wait(&die);
    assert_string_equal(hang.j.error_code, "server_exited");
    assert_non_null(strstr(hang.j.error.text, "code 7"));
    assert_non_null(strstr(hang.j.error.text, "boom"));
    assert_true(hang.j.retry_after_ms > 0);
    call_says("legacy", "echo", "back"); /* it is started again */
    call_end(&hang);
    call_end(&die);
}

static void test_falls_over_discover(void **state)
{
    (void)state;
    call_says("falls", "echo", "back");
}

static void test_too_long(void **state)
{
    (void)state;
    call_fails("legacy", "long", "server_exited", "too long");
    call_says("legacy", "echo", "back");
}

static void test_rude(void **state)
{
    (void)state;
    call_says("rude", "echo", "back"); /* teardown waits until it was killed */
}

static void describe(struct call *c, const char *mode, const char *name)
{
    memset(c, 0, sizeof(*c));
    buf_init(&c->output, 8 << 20);
    buf_init(&c->logs, 8 << 20);
    c->j.tool = STR("mcp_describe");
    c->j.server = str_of(mode);
    c->j.name = name ? str_of(name) : STR_NULL;
    c->j.on_done = call_done;
    assert_int_equal(tool_job_start(tools, &c->j), 0);
    call_wait(c);
}

static void test_describe(void **state)
{
    struct call c;
    (void)state;
    describe(&c, "legacy", NULL);
    assert_str(buf_str(&c.output),
               "{\"tools\":[{\"name\":\"echo\",\"description\":\"says it\",\"parameters\":"
               "{\"type\":\"object\"}},{\"name\":\"other\",\"description\":\"\",\"parameters\":"
               "{\"type\":\"object\"}}]}");
    call_end(&c);
    describe(&c, "legacy", "other");
    assert_int_equal(json_length(json_get(json_root(buf_str(&c.output)), "tools")), 1);
    call_end(&c);
    describe(&c, "legacy", "none");
    assert_string_equal(c.j.error_code, "unknown_tool");
    call_end(&c);
    call_says("legacy", "count", "lists 2 cancels 0 pongs 2"); /* two pages, once */
    call_says("legacy", "change", "changed");
    describe(&c, "legacy", NULL);
    call_end(&c);
    call_says("legacy", "count", "lists 4 cancels 0 pongs 2");
}

/* ---- HTTP ---- */

static struct {
    int initializes, lists, calls;
    bool forgets; /* the next call */
} web;

static void reply(struct conn *conn, const char *head, const char *type, const char *body)
{
    char text[4096];
    snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
             head, type, strlen(body), body);
    conn_write(conn, text);
}

static void reply_json(struct conn *conn, const char *body, const char *member)
{
    char text[2048];
    const char *at = strstr(body, "\"id\":");
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%.*s,%s}",
             at ? (int)strcspn(at + 5, ",}") : 4, at ? at + 5 : "null", member);
    reply(conn, "200 OK", "application/json", text);
}

static void reply_stream(struct conn *conn, const char *body, const char *member)
{
    char text[2048];
    const char *at = strstr(body, "\"id\":");
    int n = (int)strcspn(at + 5, ",}");
    snprintf(text, sizeof(text),
             "id: 1\ndata: \n\n"
             "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":"
             "{\"progressToken\":%.*s,\"progress\":1}}\n\n"
             "data: {\"jsonrpc\":\"2.0\",\"id\":%.*s,%s}\n\n",
             n, at + 5, n, at + 5, member);
    reply(conn, "200 OK", "text/event-stream", text);
}

#define TEXT_RESULT "\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"over http\"}]}"

static void web_legacy(struct conn *conn, const char *body)
{
    if (strstr(body, "server/discover")) {
        reply(conn, "400 No", "application/json",
              "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"no\"}}");
    } else if (strstr(body, "\"initialize\"")) {
        char text[512];
        const char *at = strstr(body, "\"id\":");
        snprintf(
            text, sizeof(text),
            "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":{\"protocolVersion\":\"2025-11-25\"}}",
            (int)strcspn(at + 5, ",}"), at + 5);
        char head[128];
        snprintf(head, sizeof(head), "200 OK\r\nMcp-Session-Id: s%d", ++web.initializes);
        reply(conn, head, "application/json", text);
    } else if (strstr(body, "notifications/")) {
        conn_write(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    } else if (strstr(body, "tools/list")) {
        web.lists++;
        reply_json(conn, body, "\"result\":{\"tools\":[]}");
    } else if (web.forgets) {
        web.forgets = false;
        reply(conn, "404 Not Found", "application/json",
              "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32001,\"message\":\"gone\"}}");
    } else {
        web.calls++;
        reply_stream(conn, body, TEXT_RESULT);
    }
}

static void test_http_legacy(void **state)
{
    struct call c;
    (void)state;
    memset(&web, 0, sizeof(web));
    answer = web_legacy;
    call_start(&c, "http", "x", NULL);
    call_wait(&c);
    assert_int_equal(c.j.status, 0);
    assert_str(buf_str(&c.logs), "info 1\n");
    call_end(&c);
    call_says("http", "x", "over http");
    assert_int_equal(web.initializes, 1);
    assert_int_equal(web.lists, 1);
    web.forgets = true;
    call_says("http", "x", "over http");
    assert_int_equal(web.initializes, 2);
    assert_int_equal(web.calls, 3);
}

static void web_forgetful(struct conn *conn, const char *body)
{
    if (strstr(body, "tools/call"))
        web.forgets = true;
    web_legacy(conn, body);
}

static void test_http_forgets_twice(void **state)
{
    (void)state;
    memset(&web, 0, sizeof(web));
    answer = web_forgetful;
    call_fails("http", "x", "mcp_error", "gone");
    assert_int_equal(web.initializes, 2);
}

#define REGION                                                                                     \
    "\"result\":{\"tools\":[{\"name\":\"x\",\"inputSchema\":{\"type\":\"object\",\"properties\":"  \
    "{\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"},\"deep\":{\"type\":\"object\"," \
    "\"properties\":{\"n\":{\"type\":\"integer\",\"x-mcp-header\":\"N\"}}}}}},"                    \
    "{\"name\":\"bad\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":"      \
    "\"array\",\"items\":{\"type\":\"string\",\"x-mcp-header\":\"A\"}}}}}]}"

static void web_modern(struct conn *conn, const char *body)
{
    if (strstr(body, "server/discover"))
        reply_json(conn, body, "\"result\":{\"supportedVersions\":[\"2026-07-28\"]}");
    else if (strstr(body, "tools/list"))
        reply_json(conn, body, REGION);
    else if (!strstr(body, "hang"))
        reply_json(conn, body, TEXT_RESULT);
    else
        web.calls++;
}

static void test_http_modern(void **state)
{
    struct call c;
    struct conn *conn;
    (void)state;
    memset(&web, 0, sizeof(web));
    answer = web_modern;
    call_start(&c, "http", "x", "{\"region\":\"Z\xc3\xbcrich\",\"deep\":{\"n\":7}}");
    call_wait(&c);
    assert_int_equal(c.j.status, 0);
    conn = server.conns[server.conn_count - 1];
    assert_true(conn_has_header(conn, "MCP-Protocol-Version: 2026-07-28"));
    assert_true(conn_has_header(conn, "Mcp-Method: tools/call"));
    assert_true(conn_has_header(conn, "Mcp-Name: x"));
    assert_true(conn_has_header(conn, "Mcp-Param-Region: =?base64?WsO8cmljaA==?="));
    assert_true(conn_has_header(conn, "Mcp-Param-N: 7"));
    call_end(&c);
    describe(&c, "http", NULL); /* one with an annotation that is not allowed is left out */
    assert_int_equal(json_length(json_get(json_root(buf_str(&c.output)), "tools")), 1);
    call_end(&c);
    call_start(&c, "http", "hang", NULL);
    turn_until(&loop, web.calls);
    conn = server.conns[server.conn_count - 1];
    tool_job_cancel(&c.j); /* the closed stream is the word for it */
    assert_true(conn_peer_is_gone(conn));
    call_end(&c);
}

static void web_cut(struct conn *conn, const char *body)
{
    if (strstr(body, "tools/call"))
        reply(conn, "200 OK", "text/event-stream",
              "data: {\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n\n");
    else
        web_modern(conn, body);
}

static void web_junk(struct conn *conn, const char *body)
{
    if (strstr(body, "tools/call"))
        reply(conn, "200 OK", "application/json", "{\"jsonrpc\":");
    else
        web_modern(conn, body);
}

static void web_list_hangs(struct conn *conn, const char *body)
{
    if (strstr(body, "tools/list"))
        web.lists++;
    else
        web_modern(conn, body);
}

/* A list that does not come costs those who wait for it, and nobody after them. */
static void test_http_list_hangs(void **state)
{
    struct call c;
    (void)state;
    memset(&web, 0, sizeof(web));
    memset(&c, 0, sizeof(c));
    buf_init(&c.output, 1 << 20);
    answer = web_list_hangs;
    c.j = (struct tool_job){.tool = STR("mcp_describe"),
                            .server = STR("http"),
                            .timeout_ms = 100,
                            .on_done = call_done};
    assert_int_equal(tool_job_start(tools, &c.j), 0);
    call_wait(&c);
    assert_string_equal(c.j.error_code, "timeout");
    assert_int_equal(web.lists, 1);
    buf_deinit(&c.output);
    answer = web_modern;
    call_says("http", "x", "over http");
}

static void web_nags(struct conn *conn, const char *body)
{
    static const char ping[] = "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n";
    static char text[sizeof(ping) * 1000 + 200];
    size_t n = 0;
    if (strstr(body, "\"result\":{}")) {
        web.calls++;
        conn_write(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if (!strstr(body, "tools/call")) {
        web_modern(conn, body);
        return;
    }
    for (int i = 0; i < 1000; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", ping);
    char head[128];
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %zu\r\n\r\n",
             n);
    conn_write(conn, head);
    conn_write_bytes(conn, text, n);
}

static void test_http_nags(void **state)
{
    (void)state;
    memset(&web, 0, sizeof(web));
    answer = web_nags;
    call_fails("http", "x", "truncated", "without a result");
    turn_until(&loop, web.calls >= 32); /* each was counted by its own connection */
    answer = web_modern;
    call_says("http", "x", "over http");
    assert_int_equal(web.calls, 32);
}

static void web_locked(struct conn *conn, const char *body)
{
    (void)body;
    reply(conn, "401 Unauthorized", "text/plain", "who are you");
}

static void web_newer(struct conn *conn, const char *body)
{
    (void)body;
    reply(conn, "400 Bad", "application/json",
          "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32022,\"message\":\"m\",\"data\":"
          "{\"supported\":[\"2030-01-01\"]}}}");
}

static void test_http_errors(void **state)
{
    (void)state;
    answer = web_cut;
    call_fails("http", "x", "truncated", "without a result");
    answer = web_junk;
    call_fails("http", "x", "bad_response", "cannot be read");
}

static void test_http_refused(void **state)
{
    (void)state;
    answer = web_locked;
    call_fails("http", "x", "http_401", "401");
    answer = web_newer;
    call_fails("http", "x", "mcp_version", "2026-07-28");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_calls),           TEST(test_errors),
        TEST(test_progress),        TEST(test_many_at_once),
        TEST(test_cancel),          TEST(test_timeout),
        TEST(test_death),           TEST(test_falls_over_discover),
        TEST(test_too_long),        TEST(test_rude),
        TEST(test_describe),        TEST(test_http_legacy),
        TEST(test_http_modern),     TEST(test_http_forgets_twice),
        TEST(test_http_errors),     TEST(test_http_refused),
        TEST(test_http_list_hangs), TEST(test_http_nags),
#undef TEST
    };
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2]);
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
