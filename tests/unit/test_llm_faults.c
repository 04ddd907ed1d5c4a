/* What goes wrong between us and a model server, once for every dialect: the same table, written to
 * a socket in the words of each, and the same outcome. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm_server.h"

#define IDLE_MS 200 /* of rows that wait for a timeout; the others may be slow */
#define SLOW_MS 30

/* What a server does, in order. */
enum step_kind {
    STEPS_END,
    HEAD,       /* 200, chunked; text: the content type, or NULL for text/event-stream */
    RAW_HEAD,   /* the whole head, as it is */
    BEGIN,      /* what stands at the beginning of an answer */
    THINK,      /* a piece of thinking */
    SAY,        /* a piece of the answer */
    REFUSE,     /* the model will not */
    CALL,       /* a tool call begins; text: its name, n: its place */
    ARGUMENTS,  /* a piece of its arguments; text is within a JSON string */
    PING,       /* what says nothing */
    REASON,     /* the end is said; text: "stop", "length", "tools" */
    USAGE,      /* n tokens in, n + 1 out */
    OVER,       /* the last event */
    FAIL,       /* an error in the middle; text: the sentence */
    RAW,        /* bytes in the stream */
    SLOW,       /* nothing for a while */
    BYTE_BYTE,  /* everything from here on comes in single bytes */
    CLOSE_GOOD, /* the HTTP body ends as it should */
    DROP,       /* the connection goes */
};

struct step {
    enum step_kind kind;
    const char *text;
    int n;
};

#define STEPS_MAX 16

/* ---- In the words of a dialect ---- */

struct words {
    const char *name;
    enum llm_dialect dialect;
    const char *request_line, *key_line;
    const char *begin, *think, *say, *refuse, *call, *arguments, *ping, *usage, *over, *fail;
    const char *stop, *length, *tools; /* REASON */
};

/* %s is the text, %d the number; in this order. */
static const struct words openai = {
    .name = "openai",
    .dialect = LLM_OPENAI,
    .request_line = "POST /v1/chat/completions HTTP/1.1\r\n",
    .key_line = "Authorization: Bearer sk-secret-1\r\n",
    .begin = "data: {\"model\":\"m-7\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
             "\"content\":\"\"}}]}\n\n",
    .think = "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"%s\"}}]}\n\n",
    .say = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n",
    .refuse = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"content_filter\"}]"
              "}\n\n",
    .call =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"function\":{\"name\":"
        "\"%s\",\"arguments\":\"\"},\"type\":\"function\",\"index\":%d,\"id\":\"c%d\"}]}}]}\n\n",
    .arguments = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"function\":{"
                 "\"arguments\":\"%s\"},\"index\":%d}]}}]}\n\n",
    .ping = ": keep-alive\n\n",
    .usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d}}\n\n",
    .over = "data: [DONE]\n\n",
    .fail = "data: {\"error\":{\"message\":\"%s\",\"type\":\"server_error\"}}\n\n",
    .stop = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    .length = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
    .tools =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n",
};

#define NAMED(name, rest) "event: " name "\ndata: {\"type\":\"" name "\"" rest "}\n\n"
#define REASONED(why)                                                                              \
    NAMED("message_delta", ",\"delta\":{\"stop_reason\":\"" why "\",\"stop_sequence\":null}")

static const struct words anthropic = {
    .name = "anthropic",
    .dialect = LLM_ANTHROPIC,
    .request_line = "POST /v1/messages HTTP/1.1\r\n",
    .key_line = "x-api-key: sk-secret-1\r\n",
    .begin = NAMED("message_start", ",\"message\":{\"type\":\"message\",\"role\":\"assistant\","
                                    "\"model\":\"m-7\",\"content\":[],\"stop_reason\":null}"),
    .think = NAMED("content_block_delta",
                   ",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"%s\"}"),
    .say = NAMED("content_block_delta",
                 ",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}"),
    .refuse = REASONED("refusal"),
    .call =
        NAMED("content_block_start",
              ",\"content_block\":{\"type\":\"tool_use\",\"name\":\"%s\",\"input\":{},\"index\":"
              "%d,\"id\":\"c%d\"},\"index\":%d"),
    .arguments = NAMED("content_block_delta", ",\"delta\":{\"type\":\"input_json_delta\","
                                              "\"partial_json\":\"%s\"},\"index\":%d"),
    .ping = NAMED("ping", ""),
    .usage = NAMED("message_delta",
                   ",\"delta\":{},\"usage\":{\"input_tokens\":%d,\"output_tokens\":%d}"),
    .over = NAMED("message_stop", ""),
    .fail = NAMED("error", ",\"error\":{\"type\":\"api_error\",\"message\":\"%s\"}"),
    .stop = REASONED("end_turn"),
    .length = REASONED("max_tokens"),
    .tools = REASONED("tool_use"),
};

static const struct words *const dialects[] = {&openai, &anthropic};

/* ---- The table ---- */

#define ENDING                                                                                     \
    {REASON, "stop", 0}, {USAGE, NULL, 3}, {OVER, NULL, 0},                                        \
    {                                                                                              \
        CLOSE_GOOD, NULL, 0                                                                        \
    }
#define HTTP_HEAD(type, bytes)                                                                     \
    "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\nContent-Length: " #bytes "\r\n\r\n"

static const struct row {
    const char *fault;
    enum llm_dialect only; /* when is_only */
    bool is_only;
    struct step steps[STEPS_MAX];
    /* What comes of it */
    int status;
    const char *code;     /* of a failure */
    const char *sentence; /* how it begins */
    const char *text, *thinking, *finish, *tools;
    int64_t tokens;  /* in; one more out. -1: not told */
    size_t requests; /* 0: one. retries_max is 1 */
} rows[] = {
    {.fault = "none",
     .steps = {{HEAD}, {BEGIN}, {PING}, {THINK, "hm"}, {SAY, "Hel"}, {SAY, "lo"}, ENDING},
     .text = "Hello",
     .thinking = "hm",
     .finish = "stop",
     .tokens = 3},
    {.fault = "every byte alone",
     .steps = {{HEAD},
               {BYTE_BYTE},
               {BEGIN},
               {THINK, "h\\ud83d"},
               {SAY, "a\\ud83d"},
               {THINK, "\\ude00"},
               {SAY, "\\ude00"},
               ENDING},
     .text = "a\xF0\x9F\x98\x80",
     .thinking = "h\xF0\x9F\x98\x80",
     .finish = "stop",
     .tokens = 3},
    {.fault = "truncated: ends well formed, without a reason",
     .steps = {{HEAD}, {BEGIN}, {THINK, "hm"}, {SAY, "Hel"}, {USAGE, NULL, 3}, {CLOSE_GOOD}},
     .status = ERR_UPSTREAM,
     .code = "truncated",
     .sentence = "the model server broke off in the middle of its answer",
     .text = "Hel",
     .thinking = "hm",
     .tokens = 3},
    {.fault = "truncated: before the first text",
     .steps = {{HEAD}, {BEGIN}, {CLOSE_GOOD}},
     .status = ERR_UPSTREAM,
     .code = "truncated",
     .sentence = "the model server broke off in the middle of its answer",
     .tokens = -1},
    {.fault = "truncated: in the middle of a tool call",
     .steps = {{HEAD}, {BEGIN}, {CALL, "f", 0}, {ARGUMENTS, "{\\\"a\\\"", 0}, {CLOSE_GOOD}},
     .status = ERR_UPSTREAM,
     .code = "truncated",
     .sentence = "the model server broke off in the middle of its answer",
     .tokens = -1},
    {.fault = "the last event is missing",
     .only = LLM_OPENAI,
     .is_only = true,
     .steps = {{HEAD}, {SAY, "Hel"}, {REASON, "stop"}, {CLOSE_GOOD}},
     .text = "Hel",
     .finish = "stop",
     .tokens = -1},
    {.fault = "the last event is missing",
     .only = LLM_ANTHROPIC,
     .is_only = true,
     .steps = {{HEAD}, {SAY, "Hel"}, {REASON, "stop"}, {CLOSE_GOOD}},
     .status = ERR_UPSTREAM,
     .code = "truncated",
     .sentence = "the model server broke off in the middle of its answer",
     .text = "Hel",
     .finish = "stop",
     .tokens = -1},
    {.fault = "bad JSON",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {RAW, "data: {\"choices\": oops\n\n"}},
     .status = ERR_UPSTREAM,
     .code = "bad_response",
     .sentence = "the model server sent what cannot be read: ",
     .text = "Hel",
     .tokens = -1},
    {.fault = "bad UTF-8",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {SAY, "\xC3"}},
     .status = ERR_UPSTREAM,
     .code = "bad_response",
     .sentence = "the model server sent what cannot be read: ",
     .text = "Hel",
     .tokens = -1},
    {.fault = "JSON of another kind",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {RAW, "data: [1]\n\n"}},
     .status = ERR_UPSTREAM,
     .code = "bad_response",
     .sentence = "the model server sent what cannot be read: an event is not an object",
     .text = "Hel",
     .tokens = -1},
    {.fault = "drop between two events",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {DROP}},
     .status = ERR_UPSTREAM,
     .code = "truncated",
     .sentence = "the model server broke off in the middle of its answer",
     .text = "Hel",
     .tokens = -1},
    {.fault = "drop in the middle of an event",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {RAW, "data: {\"index\":0,\"de"}, {DROP}},
     .status = ERR_UPSTREAM,
     .code = "truncated",
     .sentence = "the model server broke off in the middle of its answer",
     .text = "Hel",
     .tokens = -1},
    {.fault = "drop after the last event",
     .steps = {{HEAD}, {SAY, "Hel"}, {REASON, "stop"}, {OVER}, {DROP}},
     .text = "Hel",
     .finish = "stop",
     .tokens = -1},
    {.fault = "drop before a byte", /* repeated, since nothing was shown */
     .steps = {{DROP}},
     .status = ERR_UPSTREAM,
     .code = "connect_failed",
     .sentence = "the model server cannot be reached: ",
     .tokens = -1,
     .requests = 2},
    {.fault = "slow first byte",
     .steps = {{SLOW}, {HEAD}, {SLOW}, {BEGIN}, {SLOW}, {SAY, "Hel"}, ENDING},
     .text = "Hel",
     .finish = "stop",
     .tokens = 3},
    {.fault = "no first byte",
     .steps = {{STEPS_END}},
     .status = ERR_TIMEOUT,
     .code = "timeout",
     .sentence = "the model server sent nothing for 200 ms",
     .tokens = -1},
    {.fault = "silence in the middle",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}},
     .status = ERR_TIMEOUT,
     .code = "timeout",
     .sentence = "the model server sent nothing for 200 ms",
     .text = "Hel",
     .tokens = -1},
    {.fault = "wrong content type: a web page",
     .steps = {{RAW_HEAD, HTTP_HEAD("text/html", 6) "<html>"}},
     .status = ERR_UPSTREAM,
     .code = "bad_response",
     .sentence = "the server answered with a web page, not as a model server",
     .tokens = -1},
    {.fault = "wrong content type: text",
     .steps = {{RAW_HEAD, HTTP_HEAD("text/plain", 12) "Hello there\n"}},
     .status = ERR_UPSTREAM,
     .code = "bad_response",
     .sentence = "the server answered with something else than a stream of events",
     .tokens = -1},
    {.fault = "wrong content type: JSON that is none",
     .steps = {{RAW_HEAD, HTTP_HEAD("application/json", 5) "hello"}},
     .status = ERR_UPSTREAM,
     .code = "bad_response",
     .sentence = "the model server sent what cannot be read: ",
     .tokens = -1},
    {.fault = "wrong content type: JSON of something else",
     .steps = {{RAW_HEAD, HTTP_HEAD("application/json", 11) "{\"ok\":true}"}},
     .status = ERR_UPSTREAM,
     .code = "bad_response",
     .sentence = "the model server sent what cannot be read: no answer is in it",
     .tokens = -1},
    {.fault = "wrong content type: events under another name",
     .steps = {{HEAD, "application/octet-stream"}, {BEGIN}, {SAY, "Hel"}, ENDING},
     .text = "Hel",
     .finish = "stop",
     .tokens = 3},
    {.fault = "an error as JSON with status 200",
     .steps = {{RAW_HEAD,
                HTTP_HEAD("application/json",
                          54) "{\"error\":{\"message\":\"no money\",\"type\":\"server_error\"}}"}},
     .status = ERR_UPSTREAM,
     .code = "model_error",
     .sentence = "the model server reported: no money",
     .tokens = -1},
    {.fault = "refusal",
     .steps = {{HEAD}, {BEGIN}, {SAY, "I "}, {REFUSE}, {USAGE, NULL, 3}, {OVER}, {CLOSE_GOOD}},
     .text = "I ",
     .finish = "content_filter",
     .tokens = 3},
    {.fault = "the text is too long for the model",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {REASON, "length"}, {OVER}, {CLOSE_GOOD}},
     .text = "Hel",
     .finish = "length",
     .tokens = -1},
    {.fault = "tool calls in pieces",
     .steps = {{HEAD},
               {BEGIN},
               {SAY, "see"},
               {CALL, "f", 0},
               {ARGUMENTS, "{\\\"a\\\\", 0},
               {CALL, "g", 1},
               {ARGUMENTS, "\\\"\\\":", 0},
               {ARGUMENTS, "{}", 1},
               {ARGUMENTS, "\\\"\\ud83d", 0},
               {ARGUMENTS, "\\ude00\\\"}", 0},
               {REASON, "tools"},
               {USAGE, NULL, 3},
               {OVER},
               {CLOSE_GOOD}},
     .text = "see",
     .finish = "tool_calls",
     .tools =
         "[{\"id\":\"c0\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\\\\\"\\\":\\\"\xF0\x9F\x98\x80"
         "\\\"}\"},{\"id\":\"c1\",\"name\":\"g\",\"arguments\":\"{}\"}]",
     .tokens = 3},
    {.fault = "usage missing",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {REASON, "stop"}, {OVER}, {CLOSE_GOOD}},
     .text = "Hel",
     .finish = "stop",
     .tokens = -1},
    {.fault = "an error in the middle",
     .steps = {{HEAD}, {BEGIN}, {SAY, "Hel"}, {FAIL, "the key sk-secret-1 ran dry"}},
     .status = ERR_UPSTREAM,
     .code = "model_error",
     .sentence = "the model server reported: the key *** ran dry",
     .text = "Hel",
     .tokens = -1},
    {.fault = "overloaded",
     .steps = {{RAW_HEAD, "HTTP/1.1 503 No\r\nRetry-After-Ms: 1\r\nContent-Length: 34\r\n\r\n"
                          "{\"error\":{\"message\":\"Overloaded\"}}"}},
     .status = ERR_UPSTREAM,
     .code = "http_503",
     .sentence = "the model server answered 503: Overloaded",
     .tokens = -1,
     .requests = 2},
};

/* ---- The server ---- */

struct world {
    uv_loop_t loop;
    struct server server;
    struct llm *llm;
    char url[64];
    const struct words *words;
    const struct row *row;
    struct conn *conn; /* of the answer that waits */
    size_t at;         /* its next step */
    bool is_chunked, is_byte_by_byte;
    uv_timer_t timer;
    int open_parts;
};

static void world_send(struct world *w, const char *text)
{
    size_t n = strlen(text);
    if (!w->is_byte_by_byte) {
        struct buf b;
        buf_init(&b, 1 << 20);
        buf_printf(&b, "%zx\r\n%s\r\n", n, text);
        conn_write_bytes(w->conn, b.data, b.len);
        buf_deinit(&b);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char chunk[] = "1\r\nx\r\n";
        chunk[3] = text[i];
        for (size_t k = 0; k < 6; k++)
            conn_write_bytes(w->conn, chunk + k, 1);
    }
}

/* A format with the step's text, then its number in three places. */
static void world_say(struct world *w, const char *format, const struct step *s)
{
    char *event = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = s->text ? asprintf(&event, format, s->text, s->n, s->n, s->n)
                    : asprintf(&event, format, s->n, s->n + 1);
#pragma GCC diagnostic pop
    assert_true(n >= 0);
    world_send(w, event);
    free(event);
}

static void world_head(struct world *w, const char *type)
{
    char head[200];
    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
             type ? type : "text/event-stream");
    conn_write(w->conn, head);
}

static void world_go_on(struct world *w);

static void world_timer_fired(uv_timer_t *timer)
{
    world_go_on(timer->data);
}

/* False: the rest comes later, or not at all. */
static bool world_step(struct world *w, const struct step *s)
{
    const struct words *v = w->words;
    switch (s->kind) {
    case STEPS_END:
        return false;
    case HEAD:
        world_head(w, s->text);
        return true;
    case RAW_HEAD:
        conn_write(w->conn, s->text);
        return true;
    case BEGIN:
        world_send(w, v->begin);
        return true;
    case THINK:
        world_say(w, v->think, s);
        return true;
    case SAY:
        world_say(w, v->say, s);
        return true;
    case REFUSE:
        world_send(w, v->refuse);
        return true;
    case CALL:
        world_say(w, v->call, s);
        return true;
    case ARGUMENTS:
        world_say(w, v->arguments, s);
        return true;
    case PING:
        world_send(w, v->ping);
        return true;
    case REASON:
        world_send(w, s->text[0] == 's' ? v->stop : s->text[0] == 'l' ? v->length : v->tools);
        return true;
    case USAGE:
        world_say(w, v->usage, s);
        return true;
    case OVER:
        world_send(w, v->over);
        return true;
    case FAIL:
        world_say(w, v->fail, s);
        return true;
    case RAW:
        world_send(w, s->text);
        return true;
    case SLOW:
        uv_timer_start(&w->timer, world_timer_fired, SLOW_MS, 0);
        return false;
    case BYTE_BYTE:
        w->is_byte_by_byte = true;
        return true;
    case CLOSE_GOOD:
        conn_end(w->conn);
        return true;
    case DROP:
        conn_close(w->conn);
        return false;
    }
    abort();
}

static void world_go_on(struct world *w)
{
    while (w->at < STEPS_MAX && world_step(w, &w->row->steps[w->at++]))
        ;
}

static void serve_row(struct conn *conn, size_t index)
{
    struct world *w = conn->server->data;
    (void)index;
    w->conn = conn;
    w->at = 0;
    w->is_byte_by_byte = false;
    world_go_on(w);
}

static void world_closed(void *data)
{
    ((struct world *)data)->open_parts--;
}

static void world_timer_closed(uv_handle_t *handle)
{
    world_closed(handle->data);
}

static void world_open(struct world *w, const struct words *words, const struct row *row)
{
    struct errbuf e = {""};
    memset(w, 0, sizeof(*w));
    w->words = words;
    w->row = row;
    uv_loop_init(&w->loop);
    server_open(&w->server, &w->loop, serve_row);
    w->server.data = w;
    uv_timer_init(&w->loop, &w->timer);
    w->timer.data = w;
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d/v1", w->server.port);
    struct llm_provider p = {.id = "local",
                             .dialect = words->dialect,
                             .base_url = w->url,
                             .api_key = "sk-secret-1",
                             .default_model = "m",
                             .idle_timeout_ms = row->status == ERR_TIMEOUT ? IDLE_MS : 0,
                             .retries_max = 1};
    assert_int_equal(llm_create(&w->llm, &w->loop, &p, 1, &e), 0);
}

static void world_close(struct world *w)
{
    w->open_parts = 2;
    llm_close(w->llm, world_closed, w);
    server_close(&w->server);
    uv_close((uv_handle_t *)&w->timer, world_timer_closed);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(w->open_parts, 0);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    server_free(&w->server);
}

/* ---- The test ---- */

#define ASK                                                                                        \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"tools\":[{\"name\":\"f\"},"       \
    "{\"name\":\"g\"}]}"

static const char *or_empty(const char *z)
{
    return z ? z : "";
}

static void check_outcome(const struct world *w, const struct recorded *r)
{
    const struct row *row = w->row;
    bool is_good =
        r->c.status == row->status && strcmp(r->c.error_code, or_empty(row->code)) == 0 &&
        strncmp(r->c.error.text, or_empty(row->sentence), strlen(or_empty(row->sentence))) == 0;
    if (!is_good)
        fail_msg("%s, %s: %d %s \"%s\"", w->words->name, row->fault, r->c.status, r->c.error_code,
                 r->c.error.text);
    print_message("  %s: %s\n", w->words->name, row->fault);
    assert_str(buf_str(&r->text), or_empty(row->text));
    assert_str(buf_str(&r->thinking), or_empty(row->thinking));
    assert_string_equal(r->finish, or_empty(row->finish));
    assert_string_equal(r->tool_calls, or_empty(row->tools));
    assert_int_equal(r->c.usage.input_tokens, row->tokens);
    assert_int_equal(r->c.usage.output_tokens, row->tokens < 0 ? -1 : row->tokens + 1);
    assert_int_equal(w->server.requests, row->requests ? row->requests : 1);
    assert_true(conn_has_header(w->server.conns[0], w->words->request_line));
    assert_true(conn_has_header(w->server.conns[0], w->words->key_line));
}

static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++)
        for (size_t k = 0; k < ROWS(dialects); k++) {
            struct world w;
            struct recorded r;
            if (rows[i].is_only && rows[i].only != dialects[k]->dialect)
                continue;
            world_open(&w, dialects[k], &rows[i]);
            recorded_init(&r, w.llm, ASK);
            recorded_start(&r);
            turn_until(&w.loop, r.done);
            check_outcome(&w, &r);
            recorded_free(&r);
            world_close(&w);
        }
}

/* An answer that came at once, in the words of each. */
static void test_not_streamed(void **state)
{
    static const struct row row[] = {
        {.fault = "not streamed",
         .steps = {{RAW_HEAD,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
                    "{\"choices\":[{\"message\":{\"content\":\"Hello\",\"reasoning\":\"hm\"},"
                    "\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":3,"
                    "\"completion_tokens\":4}}"},
                   {DROP}},
         .text = "Hello",
         .thinking = "hm",
         .finish = "length",
         .tokens = 3},
        {.fault = "not streamed",
         .steps =
             {{RAW_HEAD,
               "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
               "{\"type\":\"message\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},"
               "{\"type\":\"text\",\"text\":\"Hello\"}],\"stop_reason\":\"max_tokens\","
               "\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}"},
              {DROP}},
         .text = "Hello",
         .thinking = "hm",
         .finish = "length",
         .tokens = 3},
    };
    (void)state;
    for (size_t k = 0; k < ROWS(dialects); k++) {
        struct world w;
        struct recorded r;
        world_open(&w, dialects[k], &row[k]);
        recorded_init(&r, w.llm, ASK);
        recorded_start(&r);
        turn_until(&w.loop, r.done);
        check_outcome(&w, &r);
        recorded_free(&r);
        world_close(&w);
    }
}

/* Busy as a status, then busy as the first event of a stream: nothing was shown, so both are
 * repeated. */
static void serve_busy_twice(struct conn *conn, size_t index)
{
    struct world *w = conn->server->data;
    w->conn = conn;
    if (index == 0) {
        conn_write(conn, "HTTP/1.1 529 Busy\r\nRetry-After-Ms: 1\r\nContent-Length: 0\r\n\r\n");
    } else if (index == 1) {
        world_head(w, NULL);
        world_send(w, anthropic.begin);
        world_send(w, NAMED("error", ",\"error\":{\"type\":\"overloaded_error\",\"message\":"
                                     "\"Overloaded\"}"));
    } else {
        serve_row(conn, index);
    }
}

static void test_overloaded_is_repeated(void **state)
{
    struct world w;
    struct recorded r;
    (void)state;
    world_open(&w, &anthropic, &rows[0]);
    w.server.on_request = serve_busy_twice;
    recorded_init(&r, w.llm, ASK);
    recorded_start(&r);
    turn_until(&w.loop, r.done);
    assert_int_equal(r.c.status, 0);
    assert_str(buf_str(&r.text), "Hello");
    assert_int_equal(w.server.requests, 3);
    recorded_free(&r);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_not_streamed),
        cmocka_unit_test(test_overloaded_is_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
