/* Routes, query parameters, Host and Origin: tables. And the route table against
 * docs/api/openapi.yaml. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "net/guard.h"
#include "net/query.h"
#include "net/routes.h"

static void test_find(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        enum svc_op op; /* SVC_OP_COUNT: none */
        const char *session, *node, *workflow, *allowed;
    } rows[] = {
        {HTTP_GET, "/workflows", SVC_WORKFLOW_LIST, "", "", "", NULL},
        {HTTP_POST, "/workflows", SVC_WORKFLOW_CREATE, "", "", "", NULL},
        {HTTP_POST, "/api/v1/workflows/execute", SVC_EXECUTE, "", "", "", NULL},
        {HTTP_GET, "/workflows/execute", SVC_WORKFLOW_GET, "", "", "execute", NULL},
        {HTTP_PUT, "/workflows/a.b-c_d", SVC_WORKFLOW_PUT, "", "", "a.b-c_d", NULL},
        {HTTP_HEAD, "/sessions/7", SVC_SESSION_GET, "7", "", "", NULL},
        {HTTP_POST, "/sessions/7/nodes/judge/resume", SVC_NODE_RESUME, "7", "judge", "", NULL},
        {HTTP_GET, "/sessions/7/nodes", SVC_NODES, "7", "", "", NULL},
        {HTTP_POST, "/sessions/7", SVC_OP_COUNT, "", "", "", "GET, HEAD, PUT, PATCH, DELETE"},
        {HTTP_PATCH, "/workflows/w", SVC_OP_COUNT, "", "", "", "GET, HEAD, PUT, DELETE"},
        {HTTP_GET, "/sessions/7/pause", SVC_OP_COUNT, "", "", "", "POST"},
        {HTTP_GET, "/", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "/sessions/", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "/sessions//nodes", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "/sessions/7/nodes/", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "/api/v1", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "/api/v1sessions", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "/api/v1/api/v1/sessions", SVC_OP_COUNT, "", "", "", ""},
        {HTTP_GET, "/SESSIONS", SVC_OP_COUNT, "", "", "", ""},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct route_match m;
        struct buf b;
        route_find(rows[i].method, str_of(rows[i].path), &m);
        assert_int_equal(m.route ? m.route->op : SVC_OP_COUNT, rows[i].op);
        assert_true(str_eqz(m.session_id, rows[i].session));
        assert_true(str_eqz(m.node_id, rows[i].node));
        assert_true(str_eqz(m.workflow_id, rows[i].workflow));
        if (!rows[i].allowed)
            continue;
        buf_init(&b, 100);
        route_write_allowed(m.allowed, &b);
        assert_true(str_eqz(buf_str(&b), rows[i].allowed));
        buf_deinit(&b);
    }
}

/* A parameter that the table does not know would end the server. */
static void test_every_pattern_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_count; i++) {
        char path[200];
        size_t n = 0;
        bool inside = false;
        struct route_match m;
        for (const char *p = routes[i].pattern; *p; p++) {
            if (*p == '{')
                path[n++] = '7';
            inside = *p == '{' || (inside && *p != '}');
            if (!inside && *p != '}')
                path[n++] = *p;
        }
        path[n] = '\0';
        route_find(routes[i].method, str_of(path), &m);
        if (m.route != &routes[i])
            fail_msg("%s is not found as %s", path, routes[i].pattern);
    }
}

static void test_objects_have_ids(void **state)
{
    static const char *const paths[] = {"/agents/a.b", "/groups/a.b", "/api/v1/templates/a.b"};
    (void)state;
    for (int k = 0; k < CATALOG_KIND_COUNT; k++) {
        struct route_match m;
        route_find(HTTP_PATCH, str_of(paths[k]), &m);
        assert_int_equal(m.route->op, SVC_CATALOG_PATCH);
        assert_int_equal(m.route->catalog, k);
        assert_true(str_eqz(m.object_id, "a.b"));
    }
}

/* ---- the document ---- */

static struct buf document(void)
{
    struct buf yaml, json;
    struct errbuf e = {""};
    char bytes[4096];
    FILE *file = fopen("docs/api/openapi.yaml", "r");
    size_t n;

    assert_non_null(file);
    buf_init(&yaml, 1 << 20);
    buf_init(&json, 4 << 20);
    while ((n = fread(bytes, 1, sizeof(bytes), file)) > 0)
        buf_append(&yaml, bytes, n);
    fclose(file);
    if (yaml_to_json(buf_str(&yaml), NULL, &json, &e) < 0)
        fail_msg("openapi.yaml: %s", e.text);
    buf_deinit(&yaml);
    return json;
}

/* "/sessions/{session_id}" and "/sessions/{id}" are the same path. */
static void plain_path(struct str path, char out[200])
{
    size_t n = 0;
    bool inside = false;

    for (size_t i = 0; i < path.n && n < 199; i++) {
        if (path.p[i] == '}')
            inside = false;
        if (!inside)
            out[n++] = path.p[i];
        if (path.p[i] == '{')
            inside = true;
    }
    out[n] = '\0';
}

static bool table_has(const char *method, const char *path)
{
    char plain[200];

    for (size_t i = 0; i < routes_count; i++) {
        plain_path(str_of(routes[i].pattern), plain);
        if (strcmp(plain, path) == 0 &&
            (strcasecmp(http_method_word(routes[i].method), method) == 0 ||
             (strcasecmp(method, "head") == 0 && routes[i].method == HTTP_GET)))
            return true;
    }
    return false;
}

static bool document_has(struct json paths, const struct route *r)
{
    char wanted[200], plain[200];
    struct json_iter it;

    plain_path(str_of(r->pattern), wanted);
    json_iter_init(&it, paths);
    while (json_iter_next(&it)) {
        char method[16] = "";
        plain_path(it.key, plain);
        for (size_t i = 0; http_method_word(r->method)[i]; i++)
            method[i] = (char)(http_method_word(r->method)[i] | 0x20);
        if (strcmp(plain, wanted) == 0 && json_exists(json_get(it.value, method)))
            return true;
    }
    return false;
}

static void test_table_and_document_agree(void **state)
{
    static const char *const methods[] = {"get", "head", "post", "put", "patch", "delete"};
    struct buf json = document();
    struct json paths = json_get(json_root(buf_str(&json)), "paths");
    struct json_iter it;
    char plain[200];
    (void)state;

    assert_true(json_length(paths) > 10);
    for (size_t i = 0; i < routes_count; i++)
        if (!document_has(paths, &routes[i]))
            fail_msg("%s %s is not in openapi.yaml", http_method_word(routes[i].method),
                     routes[i].pattern);
    json_iter_init(&it, paths);
    while (json_iter_next(&it)) {
        plain_path(it.key, plain);
        for (size_t m = 0; m < ROWS(methods); m++)
            if (json_exists(json_get(it.value, methods[m])) && !table_has(methods[m], plain))
                fail_msg("openapi.yaml has %s %s, the table has not", methods[m], plain);
    }
    buf_deinit(&json);
}

/* ---- queries ---- */

static int apply(struct svc_req *q, enum svc_op op, const char *pair)
{
    svc_req_init(q, op);
    query_defaults(q);
    return query_apply(q, str_of(pair), NULL);
}

static void test_query(void **state)
{
    static const struct {
        enum svc_op op;
        const char *pair;
        bool ok;
    } rows[] = {
        {SVC_SESSION_LIST, "limit=1", true},
        {SVC_SESSION_LIST, "limit=500", true},
        {SVC_SESSION_LIST, "limit=", false},
        {SVC_SESSION_LIST, "limit", false},
        {SVC_SESSION_LIST, "limit=501", false},
        {SVC_SESSION_LIST, "limit=+5", false},
        {SVC_SESSION_LIST, "limit=1e2", false},
        {SVC_SESSION_LIST, "limit=99999999999999999999", false},
        {SVC_SESSION_LIST, "order=up", false},
        {SVC_SESSION_LIST, "order=asc", true},
        {SVC_SESSION_LIST, "=", true},
        {SVC_SESSION_LIST, "", true},
        {SVC_SESSION_LIST, "LIMIT=0", true},
        {SVC_SESSION_DELETE, "force=yes", false},
        {SVC_SESSION_DELETE, "force=true", true},
        {SVC_EVENTS, "after=-1", false},
        {SVC_EVENTS, "after=9", true},
        {SVC_EVENTS, "cursor=9", true},
        {SVC_WORKFLOW_GET, "version=two", false},
        {SVC_EXECUTE, "limit=0", true}, /* it knows none */
    };
    struct svc_req q;
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        if ((apply(&q, rows[i].op, rows[i].pair) == 0) != rows[i].ok)
            fail_msg("%s", rows[i].pair);
        svc_req_deinit(&q);
    }
    assert_int_equal(apply(&q, SVC_SESSION_LIST, "tag=a=b"), 0);
    assert_true(str_eqz(q.list.tag, "a=b"));
    svc_req_deinit(&q);
    assert_int_equal(apply(&q, SVC_SESSION_LIST, "status="), 0);
    assert_null(q.list.status.p);
    assert_int_equal(q.list.limit, 50);
    svc_req_deinit(&q);
}

static void test_if_match(void **state)
{
    static const struct {
        const char *text;
        int64_t version; /* -1: refused */
    } rows[] = {
        {"3", 3},   {"\"3\"", 3}, {"W/\"3\"", 3}, {"*", 0},     {"", -1},
        {"\"", -1}, {"\"\"", -1}, {"0", -1},      {"3, 4", -1}, {"\"x\"", -1},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t v = -1;
        int status = query_if_match(str_of(rows[i].text), &v, NULL);
        assert_int_equal(status == 0 ? v : -1, rows[i].version);
    }
}

/* ---- guard ---- */

static void test_host(void **state)
{
    static const struct {
        const char *bound, *host;
        bool ok;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1:8080", true},
        {"127.0.0.1", "localhost", true},
        {"127.0.0.1", "LocalHost:80", true},
        {"127.0.0.1", "[::1]:8080", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.2", "127.0.0.2:1", true},
        {"127.0.0.1", "localhost.evil.example", false},
        {"127.0.0.1", "evil.example:8080", false},
        {"127.0.0.1", "", false},
        {"127.0.0.1", ":", false},
        {"127.0.0.1", "[", false},
        {"127.0.0.1", NULL, false},
        {"::1", "[::1]", true},
        {"localhost", "localhost:1", true},
        {"0.0.0.0", "sluice.example", true},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct guard g = {rows[i].bound, 8080, NULL};
        if (guard_host_ok(&g, str_of(rows[i].host)) != rows[i].ok)
            fail_msg("%s at %s", rows[i].host, rows[i].bound);
    }
}

static void test_origin(void **state)
{
    static const struct {
        const char *bound, *origin, *host;
        bool ok;
    } rows[] = {
        {"127.0.0.1", "http://localhost:8080", "127.0.0.1:8080", true},
        {"127.0.0.1", "http://[::1]:8080", "127.0.0.1:8080", true},
        {"127.0.0.1", "http://localhost:3000", "127.0.0.1:8080", false},
        {"127.0.0.1", "http://127.0.0.1:8080", "127.0.0.1:8080", true},
        {"127.0.0.1", "https://app.example", "127.0.0.1:8080", true},
        {"127.0.0.1", "https://app.example.evil", "127.0.0.1:8080", false},
        {"127.0.0.1", "https://two.example", "127.0.0.1:8080", true},
        {"127.0.0.1", "https://", "127.0.0.1:8080", false},
        {"127.0.0.1", "null", "127.0.0.1:8080", false},
        {"0.0.0.0", "https://sluice.example", "sluice.example", true},
        {"0.0.0.0", "http://localhost:8080", "sluice.example", false},
    };
    (void)state;

    for (size_t i = 0; i < ROWS(rows); i++) {
        struct guard g = {rows[i].bound, 8080, "https://app.example, https://two.example/"};
        if (guard_origin_ok(&g, str_of(rows[i].origin), str_of(rows[i].host)) != rows[i].ok)
            fail_msg("%s", rows[i].origin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_every_pattern_is_found),
        cmocka_unit_test(test_objects_have_ids),
        cmocka_unit_test(test_table_and_document_agree),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_if_match),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
