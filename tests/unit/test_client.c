/* libsluice, requests that are waited for: what goes out, what comes back, and what comes back
 * badly. */
#include "unit.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_server.h"
#include "sluice/client.h"

static struct client_server *server;
static struct sluice_client *client;

static int setup(void **state)
{
    (void)state;
    server = client_server_start();
    client = sluice_client_create(client_server_url(server), "secret");
    return client ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    sluice_client_destroy(client);
    client_server_stop(server);
    return 0;
}

/* ---- what goes out ---- */

static const char *long_id = "a/b c%?";

/* A request as the server sees it. */
struct sent {
    struct sluice_request *request;
    const char *method, *path, *body;
};

static void check_sent(const struct sent *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sluice_reply r;
        assert_int_equal(sluice_send(client, rows[i].request, &r), SLUICE_OK);
        assert_string_equal(sluice_reply_string(&r, "/method"), rows[i].method);
        assert_string_equal(sluice_reply_string(&r, "/path"), rows[i].path);
        assert_string_equal(sluice_reply_json(&r, "/body"), rows[i].body);
        assert_string_equal(sluice_reply_string(&r, "/auth"), "Bearer secret");
        sluice_reply_free(&r);
    }
}

static void test_flow_requests(void **state)
{
    const struct sent rows[] = {
        {sluice_workflow_list(), "GET", "/workflows", "null"},
        {sluice_workflow_get("w"), "GET", "/workflows/w", "null"},
        {sluice_workflow_create(" {\"id\":\"w\"}"), "POST", "/workflows", "{\"id\":\"w\"}"},
        {sluice_workflow_update("w", "{}"), "PUT", "/workflows/w", "{}"},
        {sluice_workflow_delete("w"), "DELETE", "/workflows/w", "null"},
        {sluice_workflow_validate("{}"), "POST", "/workflows/validate", "{}"},
        {sluice_workflow_export("w", "yaml"), "GET", "/workflows/w/export?format=yaml", "null"},
        {sluice_workflow_import("{}", 1), "POST", "/workflows/import?fix=1", "{}"},
        {sluice_workflow_import("{}", 0), "POST", "/workflows/import", "{}"},
        {sluice_workflow_diagram("w", "dot"), "GET", "/workflows/w/diagram?format=dot", "null"},
        {sluice_session_create("w"), "POST", "/workflows/execute", "{\"workflow_id\":\"w\"}"},
        {sluice_session_execute("{\"nodes\":{}}"), "POST", "/workflows/execute",
         "{\"graph\":{\"nodes\":{}}}"},
        {sluice_session_get(long_id), "GET", "/sessions/a%2Fb%20c%25%3F", "null"},
        {sluice_session_get(".."), "GET", "/sessions/..", "null"},
        {sluice_session_list(), "GET", "/sessions", "null"},
        {sluice_session_update("s", "{\"name\":null}"), "PATCH", "/sessions/s", "{\"name\":null}"},
        {sluice_session_delete("s", 0), "DELETE", "/sessions/s", "null"},
        {sluice_session_delete("s", 1), "DELETE", "/sessions/s?force=true", "null"},
        {sluice_session_pause("s", "lunch"), "POST", "/sessions/s/pause", "{\"reason\":\"lunch\"}"},
        {sluice_session_pause("s", NULL), "POST", "/sessions/s/pause", "null"},
        {sluice_session_resume("s"), "POST", "/sessions/s/resume", "null"},
        {sluice_session_complete("s"), "PUT", "/status/flow-s", "{\"status\":\"COMPLETED\"}"},
        {sluice_session_abort("s", NULL), "POST", "/sessions/s/cancel", "null"},
        {sluice_session_stop("s", "no"), "POST", "/sessions/s/stop", "{\"reason\":\"no\"}"},
        {sluice_session_fork("s", 7, NULL), "POST", "/sessions/s/fork", "{\"after_seq\":7}"},
        {sluice_session_fork("s", 0, "n"), "POST", "/sessions/s/fork", "{\"node_id\":\"n\"}"},
        {sluice_session_retry("s", NULL), "POST", "/sessions/s/retry", "null"},
        {sluice_session_input("s", "a\n\"b\""), "POST", "/sessions/s/input",
         "{\"content\":\"a\\n\\\"b\\\"\"}"},
        {sluice_session_signal("s", "go", "[1]"), "POST", "/sessions/s/signal",
         "{\"name\":\"go\",\"payload\":[1]}"},
        {sluice_session_messages("s"), "GET", "/sessions/s/messages", "null"},
        {sluice_session_events("s", 3), "GET", "/sessions/s/events?after=3", "null"},
        {sluice_session_progress("s"), "GET", "/sessions/s/progress", "null"},
        {sluice_session_next("s"), "GET", "/sessions/s/next", "null"},
        {sluice_session_export("s"), "GET", "/sessions/s/export", "null"},
        {sluice_current_get("u"), "GET", "/current?user_id=u", "null"},
        {sluice_current_set("s", NULL), "PUT", "/current", "{\"session_id\":\"s\"}"},
        {sluice_current_set("s", "u"), "PUT", "/current",
         "{\"session_id\":\"s\",\"user_id\":\"u\"}"},
        {sluice_current_clear(NULL), "DELETE", "/current", "null"},
    };

    (void)state;
    check_sent(rows, ROWS(rows));
}

static void test_people_requests(void **state)
{
    static const char *const ids[] = {"one", "t\"wo"};
    const struct sent rows[] = {
        {sluice_review_list(), "GET", "/reviews", "null"},
        {sluice_review_get("i"), "GET", "/reviews/i", "null"},
        {sluice_review_answer("s", "n", "approve"), "POST", "/sessions/s/nodes/n/resume",
         "{\"action\":\"approve\"}"},
        {sluice_stage_create("s", "st"), "POST", "/sessions/s/stages", "{\"stage_id\":\"st\"}"},
        {sluice_stage_get("i"), "GET", "/stages/i", "null"},
        {sluice_stage_list("s"), "GET", "/sessions/s/stages", "null"},
        {sluice_stage_update("i", "{\"items\":[]}"), "PATCH", "/stages/i", "{\"items\":[]}"},
        {sluice_stage_item("i", "a \"b\"", 1), "PATCH", "/stages/i",
         "{\"items\":[{\"name\":\"a \\\"b\\\"\",\"done\":true}]}"},
        {sluice_stage_complete("i", "{\"d\":1}"), "POST", "/stages/i/complete",
         "{\"deliverables\":{\"d\":1}}"},
        {sluice_stage_complete("i", NULL), "POST", "/stages/i/complete", "null"},
        {sluice_stage_skip("i", "no need"), "POST", "/stages/i/skip", "{\"reason\":\"no need\"}"},
        {sluice_session_save("s", " { \"name\" : 1 } "), "PUT", "/sessions/s", "{ \"name\" : 1 }"},
        {sluice_session_save("s", NULL), "PUT", "/sessions/s", "{}"},
        {sluice_session_save_batch("[{\"id\":\"s\"}]"), "POST", "/sessions/batch",
         "{\"save\":[{\"id\":\"s\"}]}"},
        {sluice_session_delete_batch(ids, 2), "POST", "/sessions/batch",
         "{\"delete\":[\"one\",\"t\\\"wo\"]}"},
        {sluice_session_delete_batch(NULL, 0), "POST", "/sessions/batch", "{\"delete\":[]}"},
        {sluice_webhook_create("http://x"), "POST", "/webhooks", "{\"url\":\"http://x\"}"},
        {sluice_webhook_list(), "GET", "/webhooks", "null"},
        {sluice_webhook_delete("w"), "DELETE", "/webhooks/w", "null"},
        {sluice_status_list(), "GET", "/status?type=FLOW", "null"},
        {sluice_status_get("s"), "GET", "/status/flow-s", "null"},
        {sluice_status_set("s", "ON_HOLD"), "PUT", "/status/flow-s", "{\"status\":\"ON_HOLD\"}"},
    };

    (void)state;
    check_sent(rows, ROWS(rows));
}

static void test_setters(void **state)
{
    struct sluice_request *q = sluice_session_save("s", "{\"a\":1}");
    struct sluice_reply r;

    (void)state;
    sluice_set_string(q, "name", "K\xc3\xa4se");
    sluice_set_string(q, "none", NULL);
    sluice_set_int(q, "n", -5);
    sluice_set_bool(q, "yes", 2);
    sluice_set_json(q, "metadata", " {\"x\": [1]} ");
    sluice_set_version(q, 12);
    sluice_set_key(q, "k-1");
    sluice_set_query(q, "q", "a&b=c");
    sluice_set_query(q, "left", NULL);
    sluice_set_limit(q, 5);
    assert_int_equal(sluice_send(client, q, &r), 0);
    assert_string_equal(sluice_reply_json(&r, "/body"),
                        "{\"a\":1,\"name\":\"K\xc3\xa4se\",\"none\":null,\"n\":-5,\"yes\":true,"
                        "\"metadata\":{\"x\": [1]}}");
    assert_string_equal(sluice_reply_string(&r, "/path"), "/sessions/s?q=a%26b%3Dc&limit=5");
    assert_string_equal(sluice_reply_string(&r, "/match"), "12");
    assert_string_equal(sluice_reply_string(&r, "/key"), "k-1");
    assert_int_equal(r.version, 7);
    assert_string_equal(r.type, "application/json");
    sluice_reply_free(&r);

    q = sluice_status_list();
    sluice_set_query(q, "status", "ON_HOLD");
    assert_int_equal(sluice_send(client, q, &r), 0);
    assert_string_equal(sluice_reply_string(&r, "/path"), "/status?type=FLOW&status=ON_HOLD");
    sluice_reply_free(&r);

    assert_int_equal(sluice_send(client, sluice_workflow_create("id: w\n"), &r), 0);
    assert_string_equal(sluice_reply_string(&r, "/type"), "application/yaml");
    sluice_reply_free(&r);
    assert_int_equal(sluice_send(client, sluice_session_import("{}\n{}\n", 6), &r), 0);
    assert_string_equal(sluice_reply_string(&r, "/type"), "application/x-ndjson");
    assert_int_equal(sluice_reply_int(&r, "/length", 0), 6);
    sluice_reply_free(&r);
    assert_int_equal(sluice_call(client, "POST", "/x", "{\"b\":2}", &r), 0);
    assert_string_equal(sluice_reply_json(&r, "/body"), "{\"b\":2}");
    sluice_reply_free(&r);
}

/* What cannot be sent says why, and nothing goes out. */
static void test_mistakes(void **state)
{
    struct sluice_request *with_header = sluice_session_list();
    struct sluice_request *no_object = sluice_session_save_batch("[]");
    struct sluice_request *twice = sluice_session_get(NULL);

    (void)state;
    sluice_set_header(with_header, "X", "a\r\nB: c");
    sluice_set_body(no_object, "application/json", "[]", 2);
    sluice_set_string(no_object, "a", "b");
    sluice_set_json(twice, "a", "{");
    const struct {
        struct sluice_request *request;
        const char *sentence;
    } rows[] = {
        {sluice_session_get(NULL), "an id is missing"},
        {sluice_session_get(""), "an id is missing"},
        {sluice_review_answer("s", NULL, "approve"), "an id is missing"},
        {sluice_session_update("s", "[1]"), "patch: must be an object"},
        {sluice_session_update("s", "{\"a\":}"), "patch: "},
        {sluice_session_save("s", "{\"a\":1,\"a\":2}"), "session: "},
        {sluice_session_execute("nonsense"), "graph: "},
        {sluice_session_signal("s", "n", "{"), "payload: "},
        {sluice_stage_item("i", NULL, 1), "an item is missing"},
        {sluice_workflow_create(NULL), "a definition is missing"},
        {sluice_request("BREW", "/pot"), "there is no method \"BREW\""},
        {sluice_request("GET", "pot"), "a path begins with a slash"},
        {sluice_request("GET", "/a b"), "a path begins with a slash"},
        {with_header, "a header is malformed"},
        {no_object, "a: the body is no JSON object"},
        {twice, "an id is missing"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct sluice_reply r;
        assert_int_equal(sluice_send(client, rows[i].request, &r), SLUICE_E_INVALID);
        assert_int_equal(r.status, 0);
        assert_string_equal(r.code, "invalid");
        assert_non_null(strstr(r.error, rows[i].sentence));
        assert_null(sluice_reply_string(&r, ""));
        sluice_reply_free(&r);
        sluice_reply_free(&r); /* zeroed */
    }
    assert_int_equal(sluice_send(client, NULL, NULL), SLUICE_E_NOMEM);
    sluice_set_string(NULL, "a", "b");
    sluice_request_free(NULL);
    sluice_request_free(sluice_session_list());
    sluice_client_destroy(NULL);
}

static void test_addresses(void **state)
{
    static const struct {
        const char *url, *key;
        int result;
    } rows[] = {
        {"", NULL, SLUICE_E_INVALID},
        {"ftp://127.0.0.1", NULL, SLUICE_E_INVALID},
        {"http://127.0.0.1:1/?a", NULL, SLUICE_E_INVALID},
        {"http://127.0.0.1:99999", NULL, SLUICE_E_INVALID},
        {"http://127.0.0.1:1\r\nX: y", NULL, SLUICE_E_INVALID},
        {"127.0.0.1:1", "a\nb", SLUICE_E_INVALID},
        {"http://127.0.0.1:1", NULL, SLUICE_E_UNAVAILABLE}, /* refused */
        {"nowhere.invalid", NULL, SLUICE_E_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct sluice_client *c = sluice_client_create(rows[i].url, rows[i].key);
        struct sluice_reply r;
        assert_int_equal(sluice_call(c, "GET", "/version", NULL, &r), rows[i].result);
        assert_int_equal(r.status, 0);
        assert_true(strlen(r.error) > 10);
        assert_string_equal(r.code, sluice_result_word(rows[i].result));
        sluice_reply_free(&r);
        sluice_client_destroy(c);
    }
    struct sluice_client *c = sluice_client_create("example.org/sluice//", "");
    assert_string_equal(sluice_client_url(c), "http://example.org/sluice");
    sluice_client_destroy(c);
}

/* ---- what comes back ---- */

static void test_accessors(void **state)
{
    struct sluice_reply r;

    (void)state;
    assert_int_equal(sluice_call(client, "GET", "/many", NULL, &r), 0);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.error, "");
    assert_int_equal(sluice_reply_count(&r, "/items"), 2);
    assert_int_equal(sluice_reply_count(&r, "/items/0"), 2);
    assert_int_equal(sluice_reply_count(&r, "/items/0/id"), 0);
    assert_string_equal(sluice_reply_string(&r, "/items/1/id"), "b");
    assert_int_equal(sluice_reply_int(&r, "/items/0/n", -1), 1);
    assert_int_equal(sluice_reply_int(&r, "/items/1/n", -1), -1); /* no integer */
    assert_true(sluice_reply_number(&r, "/items/1/n", 0) == 2.5);
    assert_int_equal(sluice_reply_int(&r, "/big", 0), 9007199254740993);
    assert_int_equal(sluice_reply_bool(&r, "/a~1b/m~0n", 0), 1);
    assert_int_equal(sluice_reply_bool(&r, "/big", 5), 5);
    assert_string_equal(sluice_reply_string(&r, "/"), "empty");
    assert_string_equal(sluice_reply_string(&r, "/caf\xc3\xa9"), "\xc3\xa9");
    assert_string_equal(sluice_reply_json(&r, "/caf\xc3\xa9"), "\"\\u00e9\"");
    assert_string_equal(sluice_reply_json(&r, "/next_cursor"), "null");
    assert_null(sluice_reply_string(&r, "/next_cursor"));
    assert_string_equal(sluice_reply_json(&r, ""), r.json);
    static const char *const nowhere[] = {
        "items",         "/items/2", "/items/x", "/items/-1", "/items/00000000000",
        "/items/0/id/x", "/a/b",     "//"};
    for (size_t i = 0; i < ROWS(nowhere); i++)
        assert_null(sluice_reply_json(&r, nowhere[i]));
    assert_null(sluice_reply_json(&r, NULL));

    char *copy = sluice_json_string(r.json, "/items/0/id");
    assert_string_equal(copy, "a");
    sluice_free(copy);
    copy = sluice_json_string("{\"e\":\"\"}", "/e");
    assert_string_equal(copy, "");
    sluice_free(copy);
    copy = sluice_json_text(r.json, "/items/1");
    assert_string_equal(copy, "{\"id\":\"b\",\"n\":2.5}");
    sluice_free(copy);
    assert_int_equal(sluice_json_int("[1, 2]", "/1", 0), 2);
    assert_true(sluice_json_number("[1.5]", "/0", 0) == 1.5);
    assert_int_equal(sluice_json_bool("true", "", 0), 1);
    assert_int_equal(sluice_json_count("[1, 2]", ""), 2);
    assert_null(sluice_json_string("{\"a\":", "/a"));
    assert_null(sluice_json_text(NULL, ""));
    sluice_reply_free(&r);
}

static void test_answers(void **state)
{
    static const struct {
        const char *path;
        int result, status;
        const char *code, *error;
    } rows[] = {
        {"/echo", SLUICE_OK, 200, "", ""},
        {"/nothing", SLUICE_OK, 204, "", ""},
        {"/html", SLUICE_OK, 200, "", ""}, /* whoever asks for anything gets anything */
        {"/not-found", SLUICE_E_NOT_FOUND, 404, "not_found", "no such \"thing\""},
        {"/odd-error", SLUICE_E_SERVER, 502, "internal", "the server answered with status 502"},
        {"/empty-error", SLUICE_E_SERVER, 502, "internal", "the server answered with status 502"},
        {"/overload", SLUICE_E_OVERLOAD, 429, "overloaded", "later"},
        {"/redirect", SLUICE_E_PROTOCOL, 302, "protocol", "status 302"},
        {"/bad-json", SLUICE_E_PROTOCOL, 200, "protocol", "cannot be read as JSON"},
        {"/sessions/bad-json", SLUICE_E_PROTOCOL, 200, "protocol", "cannot be read as JSON"},
        {"/garbage", SLUICE_E_PROTOCOL, 0, "protocol", ""},
        {"/head-garbage", SLUICE_E_PROTOCOL, 0, "protocol", ""},
        {"/cut", SLUICE_E_UNAVAILABLE, 0, "unavailable", ""},
        {"/huge", SLUICE_E_TOO_LARGE, 0, "too_large", "larger than 1000000 bytes"},
    };

    (void)state;
    sluice_client_set_reply_max(client, 1000000);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct sluice_reply r;
        assert_int_equal(sluice_call(client, "GET", rows[i].path, NULL, &r), rows[i].result);
        assert_int_equal(r.status, rows[i].status);
        assert_string_equal(r.code, rows[i].code);
        if (rows[i].result)
            assert_non_null(strstr(r.error, rows[i].error));
        if (r.status == 404)
            assert_string_equal(r.details, "{\"id\":\"x\"}");
        else
            assert_null(r.details);
        assert_int_equal(r.retry_after_ms, r.status == 429 ? 3000 : 0);
        sluice_reply_free(&r);
    }
    struct sluice_reply r;
    assert_int_equal(sluice_send(client, sluice_session_get("html"), &r), SLUICE_E_PROTOCOL);
    sluice_reply_free(&r);
    assert_int_equal(sluice_send(client, sluice_session_exists("x"), &r), SLUICE_OK);
    assert_int_equal(r.json_bytes, 0);
    sluice_reply_free(&r);
    sluice_client_set_reply_max(client, SLUICE_REPLY_BYTES_MAX);
}

static void test_times(void **state)
{
    struct sluice_request *q = sluice_request("GET", "/slow");
    struct sluice_reply r;

    (void)state;
    sluice_set_timeout(q, 30);
    assert_int_equal(sluice_send(client, q, &r), SLUICE_E_TIMEOUT);
    assert_string_equal(r.code, "timeout");
    sluice_reply_free(&r);
    client_server_await_slow(server);
    sluice_client_set_timeouts(client, 1000, 30);
    assert_int_equal(sluice_call(client, "GET", "/slow", NULL, NULL), SLUICE_E_TIMEOUT);
    client_server_await_slow(server);
    sluice_client_set_timeouts(client, 10000, 120000);
}

static void *interrupter(void *data)
{
    (void)data;
    client_server_await_slow(server);
    sluice_interrupt(client);
    return NULL;
}

static void test_interrupt(void **state)
{
    pthread_t thread;
    struct sluice_reply r;

    (void)state;
    pthread_create(&thread, NULL, interrupter, NULL);
    assert_int_equal(sluice_call(client, "GET", "/slow", NULL, &r), SLUICE_E_CANCELLED);
    assert_string_equal(r.code, "cancelled");
    sluice_reply_free(&r);
    pthread_join(thread, NULL);
    sluice_interrupt(client); /* nobody waits: the next one does */
    sluice_interrupt(client);
    assert_int_equal(sluice_call(client, "GET", "/echo", NULL, NULL), SLUICE_E_CANCELLED);
    assert_int_equal(sluice_call(client, "GET", "/echo", NULL, NULL), SLUICE_OK);
}

/* ---- following ---- */

struct seen {
    char text[1024];
    int64_t stop_at;
};

static int event_seen(void *data, const struct sluice_event *e)
{
    struct seen *s = data;
    size_t n = strlen(s->text);

    assert_int_equal(e->json_bytes, strlen(e->json));
    snprintf(s->text + n, sizeof(s->text) - n, "%lld:%s%s%s ", (long long)e->seq,
             strcmp(e->type, "session_state_change") == 0 ? "state" : e->type,
             e->node_id ? "@" : "", e->node_id ? e->node_id : "");
    return e->seq == s->stop_at;
}

static int change_seen(void *data, const struct sluice_change *ch)
{
    struct seen *s = data;
    size_t n = strlen(s->text);

    snprintf(s->text + n, sizeof(s->text) - n, "%lld:%s>%s=%s>%s(%s) ", (long long)ch->seq,
             ch->from, ch->to, ch->from_status, ch->to_status, ch->reason ? ch->reason : "");
    return ch->seq == s->stop_at;
}

static void test_follow(void **state)
{
    static const struct {
        const char *session;
        int64_t after, stop_at;
        int result;
        const char *seen;
    } rows[] = {
        {"whole", 0, 0, 0,
         "1:state 2:token_stream@w\xc3\xb6rk 3:token_stream 4:state 5:token_stream 6:state "},
        {"whole", 4, 0, 0, "5:token_stream 6:state "},
        {"whole", 0, 2, 0, "1:state 2:token_stream@w\xc3\xb6rk "},
        {"broken", 0, 0, 0,
         "1:state 2:token_stream@w\xc3\xb6rk 3:token_stream 4:state 5:token_stream 6:state "},
        {"broken", 6, 0, 0, ""},
        {"snapshot", 1, 0, 0, "0:snapshot 5:token_stream 6:state "},
        {"junk", 0, 0, SLUICE_E_PROTOCOL, ""},
        {"gone", 0, 0, SLUICE_E_NOT_FOUND, ""},
        {"page", 0, 0, SLUICE_E_PROTOCOL, ""},
        {"busy", 0, 0, SLUICE_E_UNAVAILABLE, ""},
        {"", 0, 0, SLUICE_E_INVALID, ""},
    };

    (void)state;
    sluice_client_set_patience(client, 300);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct seen seen = {.stop_at = rows[i].stop_at ? rows[i].stop_at : -1};
        struct sluice_reply why;
        unsigned first = client_server_streams(server);
        assert_int_equal(
            sluice_follow(client, rows[i].session, rows[i].after, event_seen, &seen, &why),
            rows[i].result);
        assert_string_equal(seen.text, rows[i].seen);
        assert_int_equal(why.error[0] == '\0', rows[i].result == 0);
        sluice_reply_free(&why);
        if (strcmp(rows[i].session, "broken") == 0 && rows[i].after == 0) {
            assert_int_equal(client_server_streams(server) - first, 4);
            for (unsigned k = 0; k < 4; k++)
                assert_int_equal(client_server_last_id(server, first + k), 2 * k);
        }
    }
}

static void test_hook(void **state)
{
    struct seen seen = {.stop_at = 0};

    (void)state;
    assert_int_equal(sluice_hook(client, "broken", 0, change_seen, &seen, NULL), 0);
    assert_string_equal(seen.text, "1:pending>running=PENDING>IN_PROGRESS() "
                                   "4:running>paused=IN_PROGRESS>ON_HOLD(lunch) "
                                   "6:paused>completed=ON_HOLD>COMPLETED() ");
    seen = (struct seen){.stop_at = 4};
    assert_int_equal(sluice_hook(client, "snapshot", 1, change_seen, &seen, NULL), 0);
    assert_string_equal(seen.text, "6:paused>completed=ON_HOLD>COMPLETED() ");
}

static int event_sends(void *data, const struct sluice_event *e)
{
    struct sluice_reply r;

    assert_int_equal(sluice_send(client, sluice_session_get(e->session_id), &r), SLUICE_OK);
    assert_string_equal(sluice_reply_string(&r, "/path"), "/sessions/whole");
    sluice_reply_free(&r);
    ++*(int *)data;
    return 0;
}

/* What is told may be acted on at once. */
static void test_send_within_event(void **state)
{
    int count = 0;

    (void)state;
    assert_int_equal(sluice_follow(client, "whole", 0, event_sends, &count, NULL), SLUICE_OK);
    assert_int_equal(count, 6);
}

static void test_follow_interrupted(void **state)
{
    pthread_t thread;
    struct seen seen = {.stop_at = -1};
    struct sluice_reply why;

    (void)state;
    pthread_create(&thread, NULL, interrupter, NULL);
    assert_int_equal(sluice_follow(client, "quiet", 0, event_seen, &seen, &why),
                     SLUICE_E_CANCELLED);
    pthread_join(thread, NULL);
    assert_string_equal(seen.text, "1:state ");
    sluice_reply_free(&why);
}

static void test_words(void **state)
{
    static const char *const words[][2] = {
        {"pending", "PENDING"},     {"running", "IN_PROGRESS"}, {"paused", "ON_HOLD"},
        {"completed", "COMPLETED"}, {"failed", "FAILED"},       {"cancelled", "CANCELED"},
    };

    (void)state;
    for (size_t i = 0; i < ROWS(words); i++) {
        assert_string_equal(sluice_status_of_session(words[i][0]), words[i][1]);
        assert_string_equal(sluice_session_of_status(words[i][1]), words[i][0]);
    }
    assert_null(sluice_status_of_session("drafting"));
    assert_null(sluice_session_of_status(NULL));
    assert_string_equal(sluice_result_word(SLUICE_E_STALE), "stale_version");
    assert_string_equal(sluice_result_word(1), "unknown");
    assert_string_equal(sluice_result_word(-100), "unknown");
    assert_string_equal(sluice_version(), SLUICE_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flow_requests), cmocka_unit_test(test_people_requests),
        cmocka_unit_test(test_setters),       cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_addresses),     cmocka_unit_test(test_accessors),
        cmocka_unit_test(test_answers),       cmocka_unit_test(test_times),
        cmocka_unit_test(test_interrupt),     cmocka_unit_test(test_follow),
        cmocka_unit_test(test_hook),          cmocka_unit_test(test_send_within_event),
        cmocka_unit_test(test_words),         cmocka_unit_test(test_follow_interrupted),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
