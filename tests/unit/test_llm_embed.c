/* llm_embed_start() over a server on the same loop, and by the demo provider. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "llm_server.h"

struct world {
    uv_loop_t loop;
    struct server server;
    struct llm *llm;
    char url[64];
    bool is_closed;
};

struct asked {
    struct llm_embed c;
    int done;
    float first[4]; /* copies, since the results go */
    float *vectors; /* the same, all */
    char model[32];
    unsigned *order; /* counts what is done, in common */
    unsigned place;
};

static void world_closed(void *data)
{
    ((struct world *)data)->is_closed = true;
}

static void world_open(struct world *w, void (*on_request)(struct conn *, size_t),
                       struct llm_provider first)
{
    struct errbuf e = {""};
    memset(w, 0, sizeof(*w));
    uv_loop_init(&w->loop);
    server_open(&w->server, &w->loop, on_request);
    w->server.data = w;
    snprintf(w->url, sizeof(w->url), "http://127.0.0.1:%d/v1", w->server.port);
    first.id = "local";
    first.base_url = w->url;
    first.default_model = "m";
    struct llm_provider providers[] = {first, {.id = "demo", .dialect = LLM_DEMO}};
    assert_int_equal(llm_create(&w->llm, &w->loop, providers, 2, &e), 0);
}

static void world_close(struct world *w)
{
    llm_close(w->llm, world_closed, w);
    server_close(&w->server);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_true(w->is_closed);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    server_free(&w->server);
}

static void asked_done(struct llm_embed *c)
{
    struct asked *a = c->data;
    assert_int_equal(a->done++, 0);
    if (a->order)
        a->place = ++*a->order;
    snprintf(a->model, sizeof(a->model), "%s", c->model_used ? c->model_used : "");
    assert_true((c->status == 0) == (c->vectors != NULL));
    assert_true((c->status == 0) == (c->error.text[0] == '\0'));
    if (!c->vectors)
        return;
    size_t bytes = c->count * c->dimensions_used * sizeof(float);
    a->vectors = malloc(bytes);
    memcpy(a->vectors, c->vectors, bytes);
    memcpy(a->first, c->vectors, sizeof(float) * (c->dimensions_used < 4 ? c->dimensions_used : 4));
}

static void asked_init(struct asked *a, const struct str *texts, size_t count)
{
    memset(a, 0, sizeof(*a));
    a->c = (struct llm_embed){.texts = texts, .count = count, .on_done = asked_done, .data = a};
}

static void asked_start(struct asked *a, struct world *w)
{
    struct errbuf e = {""};
    if (llm_embed_start(w->llm, &a->c, &e))
        fail_msg("%s", e.text);
    assert_int_equal(a->done, 0);
}

static void answer(struct conn *conn, const char *status, const char *json)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    buf_printf(&b, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               status, strlen(json), json);
    conn_write_bytes(conn, b.data, b.len);
    buf_deinit(&b);
}

/* A vector for each text: its length and 1. The last text comes first. */
static void serve_lengths(struct conn *conn, size_t index)
{
    struct json input = json_get(json_root(buf_str(&conn->body)), "input");
    struct json_iter it;
    struct buf b, row;
    (void)index;
    assert_int_equal(json_check(buf_str(&conn->body), NULL, NULL), 0);
    buf_init(&b, 1u << 20);
    buf_init(&row, 1u << 20);
    json_iter_init(&it, input);
    while (json_iter_next(&it)) {
        buf_clear(&row);
        buf_printf(&row, "{\"index\":%zu,\"embedding\":[%zu,1]}%s%.*s", it.index, it.value.n - 2,
                   b.len ? "," : "", STR_FMT(buf_str(&b)));
        buf_clear(&b);
        buf_append_str(&b, buf_str(&row));
    }
    buf_clear(&row);
    buf_printf(&row, "{\"model\":\"m-7\",\"usage\":{\"prompt_tokens\":2},\"data\":[%.*s]}",
               STR_FMT(buf_str(&b)));
    answer(conn, "200 OK", row.data);
    buf_deinit(&b);
    buf_deinit(&row);
}

static void test_one(void **state)
{
    struct str texts[] = {STR("abc"), STR("")};
    struct world w;
    struct asked a;
    (void)state;
    world_open(&w, serve_lengths, (struct llm_provider){.api_key = "sk-secret-1"});
    asked_init(&a, texts, 1);
    asked_start(&a, &w);
    turn_until(&w.loop, a.done);
    assert_int_equal(a.c.status, 0);
    assert_int_equal(a.c.dimensions_used, 2);
    assert_float_equal(a.first[0], 0.948683298f, 1e-6f);
    assert_string_equal(a.model, "m-7");
    assert_string_equal(a.c.provider_used, "local");
    assert_int_equal(a.c.input_tokens, 2);
    struct conn *conn = w.server.conns[0];
    assert_true(conn_has_header(conn, "POST /v1/embeddings HTTP/1.1\r\n"));
    assert_true(conn_has_header(conn, "Authorization: Bearer sk-secret-1\r\n"));
    assert_str(buf_str(&conn->body), "{\"model\":\"m\",\"input\":[\"abc\"]}");
    free(a.vectors);
    world_close(&w);
}

/* 100 texts go in batches of 32, one after the other, and keep their order. */
static void test_batches(void **state)
{
    char text[100];
    struct str texts[100];
    struct world w;
    struct asked a;
    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < 100; i++)
        texts[i] = (struct str){text, i + 1};
    world_open(&w, serve_lengths, (struct llm_provider){0});
    asked_init(&a, texts, 100);
    a.c.dimensions = 2;
    a.c.model = "other";
    asked_start(&a, &w);
    turn_until(&w.loop, a.done);
    assert_int_equal(a.c.status, 0);
    assert_int_equal(w.server.requests, 4);
    assert_int_equal(a.c.input_tokens, 8);
    for (size_t i = 0; i < 100; i++)
        assert_float_equal(a.vectors[2 * i] / a.vectors[2 * i + 1], (float)i + 1, 1e-2f);
    assert_non_null(strstr(w.server.conns[0]->body.data, "\"model\":\"other\""));
    assert_non_null(strstr(w.server.conns[0]->body.data, "\"dimensions\":2"));
    free(a.vectors);
    world_close(&w);
}

static const struct {
    const char *answer; /* NULL: drops at once */
    size_t requests;    /* with at most 1 retry */
    int status;
    const char *code, *error;
} failures[] = {
    {"HTTP/1.1 500 Oops\r\nRetry-After-Ms: 1\r\nContent-Length: 4\r\n\r\noops", 2, ERR_UPSTREAM,
     "http_500", "the model server answered 500: oops"},
    {"HTTP/1.1 429 Busy\r\nRetry-After-Ms: 1\r\nContent-Length: 34\r\n\r\n"
     "{\"error\":{\"message\":\"slow down!\"}}",
     2, ERR_OVERLOAD, "rate_limited", "the model server answered 429: slow down!"},
    {"HTTP/1.1 429 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n", 1, ERR_OVERLOAD,
     "rate_limited", "the model server answered 429"},
    {"HTTP/1.1 401 No\r\nContent-Length: 43\r\n\r\n{\"error\":{\"message\":\"bad key "
     "sk-secret-1\"}}",
     1, ERR_UPSTREAM, "http_401", "the model server answered 401: bad key ***"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"data\":", 2, ERR_UPSTREAM, "truncated",
     "the model server broke off its answer"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", 1, ERR_UPSTREAM, "bad_response",
     "the model server sent what cannot be read: "},
    {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"data\":[]}", 1, ERR_UPSTREAM, "bad_response",
     "the model server sent what cannot be read: data: 0 vectors for 1 texts"},
    {"HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"data\":[{\"embedding\":[1,2,3,4]}]}"
     "",
     1, ERR_UPSTREAM, "bad_response", "the model server sent what cannot be read: "},
    {"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"error\":{\"message\":\"is ill\"}}", 1,
     ERR_UPSTREAM, "model_error", "the model server reported: is ill"},
    {NULL, 2, ERR_UPSTREAM, "connect_failed", "the model server cannot be reached: "},
};

static size_t failure_row;

static void serve_failure(struct conn *conn, size_t index)
{
    const char *text = failures[failure_row].answer;
    (void)index;
    if (text)
        conn_write(conn, text);
    if (!text || strstr(text, "500\r\n\r\n{"))
        conn_close(conn);
}

static void test_failures(void **state)
{
    struct str texts[] = {STR("abc")};
    (void)state;
    for (failure_row = 0; failure_row < ROWS(failures); failure_row++) {
        struct world w;
        struct asked a;
        world_open(&w, serve_failure,
                   (struct llm_provider){.api_key = "sk-secret-1", .retries_max = 1});
        asked_init(&a, texts, 1);
        a.c.dimensions = 3;
        asked_start(&a, &w);
        turn_until(&w.loop, a.done);
        if (a.c.status != failures[failure_row].status ||
            strncmp(a.c.error.text, failures[failure_row].error,
                    strlen(failures[failure_row].error)) != 0)
            fail_msg("row %zu: %d %s", failure_row, a.c.status, a.c.error.text);
        assert_string_equal(a.c.error_code, failures[failure_row].code);
        assert_int_equal(w.server.requests, failures[failure_row].requests);
        free(a.vectors);
        world_close(&w);
    }
}

static void serve_never(struct conn *conn, size_t index)
{
    (void)conn;
    (void)index;
}

static void test_silence_is_a_timeout(void **state)
{
    struct str texts[] = {STR("abc")};
    struct world w;
    struct asked a;
    (void)state;
    world_open(&w, serve_never, (struct llm_provider){.idle_timeout_ms = 50, .retries_max = 2});
    asked_init(&a, texts, 1);
    asked_start(&a, &w);
    turn_until(&w.loop, a.done);
    assert_int_equal(a.c.status, ERR_TIMEOUT);
    assert_string_equal(a.c.error_code, "timeout");
    assert_int_equal(w.server.requests, 1);
    world_close(&w);
}

static void serve_busy_then_lengths(struct conn *conn, size_t index)
{
    if (index == 0)
        conn_write(conn, "HTTP/1.1 503 No\r\nRetry-After-Ms: 2\r\nContent-Length: 0\r\n\r\n");
    else
        serve_lengths(conn, index);
}

static void test_retry_then_success(void **state)
{
    struct str texts[] = {STR("abc")};
    struct world w;
    struct asked a;
    (void)state;
    world_open(&w, serve_busy_then_lengths, (struct llm_provider){.retries_max = 2});
    asked_init(&a, texts, 1);
    asked_start(&a, &w);
    turn_until(&w.loop, a.done);
    assert_int_equal(a.c.status, 0);
    assert_int_equal(w.server.requests, 2);
    free(a.vectors);
    world_close(&w);
}

/* One that waits, one under way and one that is ended but not told: none calls back. */
static void test_cancel(void **state)
{
    struct str texts[] = {STR("abc")};
    struct world w;
    struct asked many[12], demo;
    (void)state;
    world_open(&w, serve_never, (struct llm_provider){0});
    for (size_t i = 0; i < ROWS(many); i++) {
        asked_init(&many[i], texts, 1);
        asked_start(&many[i], &w);
    }
    asked_init(&demo, texts, 1);
    demo.c.provider = "demo";
    asked_start(&demo, &w);
    llm_embed_cancel(w.llm, &demo.c);
    llm_embed_cancel(w.llm, &many[11].c); /* waits: 8 are under way */
    turn_until(&w.loop, w.server.requests == 8);
    for (size_t i = 0; i < ROWS(many); i++)
        llm_embed_cancel(w.llm, &many[i].c);
    for (size_t i = 0; i < ROWS(many); i++)
        assert_int_equal(many[i].done, 0);
    assert_int_equal(demo.done, 0);
    world_close(&w);
}

/* Twelve of one session and one of another: the other does not wait for all twelve. */
static void test_sessions_take_turns(void **state)
{
    struct str texts[] = {STR("abc")};
    struct world w;
    struct asked many[20], other;
    unsigned order = 0;
    (void)state;
    world_open(&w, serve_lengths, (struct llm_provider){0});
    for (size_t i = 0; i < ROWS(many); i++) {
        asked_init(&many[i], texts, 1);
        many[i].order = &order;
        many[i].c.fair_key.b[0] = 1;
        asked_start(&many[i], &w);
    }
    asked_init(&other, texts, 1);
    other.order = &order;
    other.c.fair_key.b[0] = 2;
    asked_start(&other, &w);
    turn_until(&w.loop, order == 21);
    assert_true(other.place < 20);
    free(other.vectors);
    for (size_t i = 0; i < ROWS(many); i++)
        free(many[i].vectors);
    world_close(&w);
}

static void test_demo(void **state)
{
    struct str texts[] = {STR("one two"), STR("three")};
    struct world w;
    struct asked a;
    (void)state;
    world_open(&w, serve_never, (struct llm_provider){0});
    asked_init(&a, texts, 2);
    a.c.provider = "demo";
    asked_start(&a, &w);
    turn_until(&w.loop, a.done);
    assert_int_equal(a.c.status, 0);
    assert_int_equal(a.c.dimensions_used, 384);
    assert_int_equal(a.c.input_tokens, 3);
    assert_string_equal(a.model, "demo");
    assert_int_equal(w.server.requests, 0);
    free(a.vectors);
    world_close(&w);
}

static void test_refusals(void **state)
{
    struct str texts[257] = {STR("a"), STR("")};
    struct world w;
    struct asked a;
    struct errbuf e;
    char *large = malloc(LLM_EMBED_BYTES_MAX + 1);
    (void)state;
    memset(large, 'a', LLM_EMBED_BYTES_MAX + 1);
    world_open(&w, serve_never, (struct llm_provider){0});
    asked_init(&a, texts, 0);
    assert_int_equal(llm_embed_start(w.llm, &a.c, &e), ERR_INVALID);
    a.c.count = 2;
    assert_int_equal(llm_embed_start(w.llm, &a.c, &e), ERR_INVALID);
    assert_string_equal(e.text, "texts[1]: an empty text has no vector");
    a.c.count = 257;
    assert_int_equal(llm_embed_start(w.llm, &a.c, &e), ERR_INVALID);
    a.c.count = 1;
    a.c.dimensions = LLM_EMBED_DIMENSIONS_MAX + 1;
    assert_int_equal(llm_embed_start(w.llm, &a.c, &e), ERR_INVALID);
    a.c.dimensions = 0;
    a.c.provider = "nobody";
    assert_int_equal(llm_embed_start(w.llm, &a.c, &e), ERR_NOT_FOUND);
    a.c.provider = NULL;
    texts[0] = (struct str){large, LLM_EMBED_BYTES_MAX + 1};
    assert_int_equal(llm_embed_start(w.llm, &a.c, &e), ERR_INVALID);
    free(large);
    world_close(&w);
    assert_int_equal(a.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_silence_is_a_timeout),
        cmocka_unit_test(test_retry_then_success),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_sessions_take_turns),
        cmocka_unit_test(test_demo),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
