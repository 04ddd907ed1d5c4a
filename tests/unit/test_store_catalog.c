/* Agents, groups and templates, over every store. */
#include "base/json.h"
#include "store/rules.h"
#include "test_store_rig.h"

static int put(struct rig *r, enum catalog_kind kind, const char *id, const char *body,
               int64_t expected, bool create, struct catalog_row *out)
{
    static struct catalog_row row; /* of the last put */
    static char name[80];
    RIG_REQ(store_catalog_put, p, STORE_CATALOG_PUT);

    snprintf(name, sizeof(name), "Name of %s", id);
    p.kind = kind;
    p.row = (struct catalog_row){.id = str_of(id),
                                 .name = str_of(name),
                                 .description = STR("Grün"),
                                 .category = str_of(strstr(id, "odd") ? "odd" : "even"),
                                 .body_json = str_of(body)};
    p.create_only = create;
    p.expected_version = expected;
    p.now_ms = T0 + 7;
    int status = rig_run(r, &p.req);
    row = p.row;
    if (out)
        *out = row;
    store_req_deinit(&p.req);
    return status;
}

static int put_group(struct rig *r, const char *id, const char *body, const struct str *agents,
                     size_t count)
{
    RIG_REQ(store_catalog_put, p, STORE_CATALOG_PUT);

    p.kind = CATALOG_GROUP;
    p.row = (struct catalog_row){.id = str_of(id), .name = str_of(id), .body_json = str_of(body)};
    p.agents = agents;
    p.agent_count = count;
    p.now_ms = T0;
    int status = rig_run(r, &p.req);
    if (status < 0)
        assert_non_null(strstr(p.req.error.text, "ghost"));
    store_req_deinit(&p.req);
    return status;
}

static int64_t version_of(struct rig *r, enum catalog_kind kind, const char *id, char body[4000])
{
    struct str name = str_of(id);
    int64_t version = 0;
    RIG_REQ(store_catalog_get, g, STORE_CATALOG_GET);

    g.kind = kind;
    g.ids = &name;
    g.count = 1;
    assert_int_equal(rig_run(r, &g.req), 0);
    if (g.rows) {
        assert_true(str_eqz(g.rows->id, id));
        assert_null(g.rows->next);
        version = g.rows->version;
        if (body)
            snprintf(body, 4000, "%.*s", STR_FMT(g.rows->body_json));
    }
    store_req_deinit(&g.req);
    return version;
}

static int drop(struct rig *r, enum catalog_kind kind, const char *id, bool detach,
                int64_t expected, char used[4000])
{
    RIG_REQ(store_catalog_delete, d, STORE_CATALOG_DELETE);

    d.kind = kind;
    d.id = str_of(id);
    d.detach = detach;
    d.expected_version = expected;
    d.now_ms = T0 + 9;
    int status = rig_run(r, &d.req);
    if (used)
        snprintf(used, 4000, "%.*s", STR_FMT(d.used_by_json));
    store_req_deinit(&d.req);
    return status;
}

static void objects_are_kept_with_versions(void **state)
{
    struct rig *r = *state;
    struct catalog_row row;
    char body[4000];

    for (int k = 0; k < CATALOG_KIND_COUNT; k++) {
        enum catalog_kind kind = (enum catalog_kind)k;
        assert_int_equal(version_of(r, kind, "a", body), 0);
        assert_int_equal(put(r, kind, "a", "{\"id\":\"a\",\"n\":1}", 0, true, NULL), 0);
        assert_int_equal(put(r, kind, "a", "{}", 0, true, NULL), ERR_CONFLICT);
        assert_int_equal(put(r, kind, "a", "{}", 7, false, NULL), ERR_STALE);
        assert_int_equal(version_of(r, kind, "a", body), 1);
        assert_string_equal(body, "{\"id\":\"a\",\"n\":1}");
        assert_int_equal(put(r, kind, "a", "{\"n\":2}", 1, false, &row), 0);
        assert_int_equal(row.version, 2);
        assert_int_equal(version_of(r, kind, "a", body), 2);
        assert_string_equal(body, "{\"n\":2}");
        assert_int_equal(drop(r, kind, "b", false, 0, NULL), ERR_NOT_FOUND);
        assert_int_equal(drop(r, kind, "a", false, 1, NULL), ERR_STALE);
        assert_int_equal(drop(r, kind, "a", false, 2, NULL), 0);
        assert_int_equal(version_of(r, kind, "a", NULL), 0);
    }
    RIG_REQ(store_catalog_put, p, STORE_CATALOG_PUT);
    p.row = (struct catalog_row){.id = STR("x"), .name = STR("x"), .body_json = STR("{}")};
    p.must_exist = true;
    assert_int_equal(rig_run(r, &p.req), ERR_NOT_FOUND);
    store_req_deinit(&p.req);
}

static void a_key_is_stored_with_its_object(void **state)
{
    struct rig *r = *state;
    struct idempotency_row key = {
        .key = STR("k1"), .http_status = 201, .body_json = STR("{\"id\":\"a\"}"), .created_at = T0};
    RIG_REQ(store_catalog_put, p, STORE_CATALOG_PUT);

    p.row = (struct catalog_row){.id = STR("a"), .name = STR("A"), .body_json = STR("{}")};
    p.idempotency = &key;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
    RIG_REQ(store_catalog_put, again, STORE_CATALOG_PUT);
    again.row = (struct catalog_row){.id = STR("b"), .name = STR("B"), .body_json = STR("{}")};
    again.idempotency = &key;
    assert_int_equal(rig_run(r, &again.req), ERR_CONFLICT);
    store_req_deinit(&again.req);
    assert_int_equal(version_of(r, CATALOG_AGENT, "b", NULL), 0);
    RIG_REQ(store_idempotency_get, g, STORE_IDEMPOTENCY_GET);
    g.key = STR("k1");
    assert_int_equal(rig_run(r, &g.req), 0);
    assert_true(str_eqz(g.row.body_json, "{\"id\":\"a\"}"));
    store_req_deinit(&g.req);
}

static void many_are_looked_up_at_once(void **state)
{
    struct rig *r = *state;
    const struct str ids[] = {STR("c"), STR("none"), STR("a")};
    unsigned seen = 0;

    put(r, CATALOG_AGENT, "a", "{\"id\":\"a\"}", 0, true, NULL);
    put(r, CATALOG_AGENT, "b", "{\"id\":\"b\"}", 0, true, NULL);
    put(r, CATALOG_AGENT, "c", "{\"id\":\"c\"}", 0, true, NULL);
    for (size_t count = 0; count <= 3; count += 3) {
        RIG_REQ(store_catalog_get, g, STORE_CATALOG_GET);
        g.ids = ids;
        g.count = count;
        assert_int_equal(rig_run(r, &g.req), 0);
        for (const struct catalog_row *row = g.rows; row; row = row->next)
            seen += row->id.p[0] == 'a' ? 1 : row->id.p[0] == 'c' ? 10 : 100;
        store_req_deinit(&g.req);
    }
    assert_int_equal(seen, 11);
    RIG_REQ(store_catalog_get, other, STORE_CATALOG_GET); /* another's workspace, not there yet */
    other.workspace = STR("theirs");
    other.ids = ids;
    other.count = 3;
    assert_int_equal(rig_run(r, &other.req), 0);
    assert_null(other.rows);
    store_req_deinit(&other.req);
}

/* Walks the list by pages of `limit` and gives the ids. */
static void listed(struct rig *r, const char *q, const char *category, int limit, char out[4000])
{
    char cursor[600] = "";

    *out = 0;
    do {
        RIG_REQ(store_catalog_list, l, STORE_CATALOG_LIST);
        l.kind = CATALOG_TEMPLATE;
        l.q = q ? str_of(q) : STR_NULL;
        l.category = category ? str_of(category) : STR_NULL;
        l.cursor = str_of(cursor);
        l.limit = limit;
        assert_int_equal(rig_run(r, &l.req), 0);
        for (const struct catalog_row *row = l.rows; row; row = row->next)
            snprintf(out + strlen(out), 4000 - strlen(out), "%.*s ", STR_FMT(row->id));
        snprintf(cursor, sizeof(cursor), "%.*s", STR_FMT(l.next_cursor));
        store_req_deinit(&l.req);
    } while (*cursor);
}

static void lists_go_by_id_in_pages(void **state)
{
    struct rig *r = *state;
    char out[4000];

    for (int i = 0; i < 7; i++) {
        char id[20];
        snprintf(id, sizeof(id), "%s%d", i % 2 ? "odd" : "Even", i);
        put(r, CATALOG_TEMPLATE, id, "{}", 0, true, NULL);
    }
    put(r, CATALOG_AGENT, "odd", "{}", 0, true, NULL);
    for (int limit = 1; limit < 9; limit++) {
        listed(r, NULL, NULL, limit, out);
        assert_string_equal(out, "Even0 Even2 Even4 Even6 odd1 odd3 odd5 ");
        listed(r, NULL, "odd", limit, out);
        assert_string_equal(out, "odd1 odd3 odd5 ");
        listed(r, "NAME OF E", NULL, limit, out);
        assert_string_equal(out, "Even0 Even2 Even4 Even6 ");
        listed(r, "D3", "odd", limit, out);
        assert_string_equal(out, "odd3 ");
    }
    listed(r, "Gr\xc3\xbcn", NULL, 3, out); /* the description, too */
    assert_string_equal(out, "Even0 Even2 Even4 Even6 odd1 odd3 odd5 ");
    listed(r, "%", NULL, 3, out);
    assert_string_equal(out, "");

    RIG_REQ(store_catalog_list, l, STORE_CATALOG_LIST); /* of another kind */
    l.kind = CATALOG_AGENT;
    l.cursor = cursor_encode(&l.req.arena, CURSOR_CATALOG, CATALOG_TEMPLATE, 0, STR("a"));
    assert_int_equal(rig_run(r, &l.req), ERR_INVALID);
    store_req_deinit(&l.req);
}

static void a_page_of_large_bodies_is_short(void **state)
{
    struct rig *r = *state;
    size_t n = 1500000;
    char *body = malloc(n + 3), out[4000];

    memset(body, 'x', n);
    body[0] = body[n] = '"';
    body[n + 1] = 0;
    for (int i = 0; i < 5; i++) {
        char id[] = {'t', (char)('0' + i), 0};
        put(r, CATALOG_TEMPLATE, id, body, 0, true, NULL);
    }
    free(body);
    RIG_REQ(store_catalog_list, l, STORE_CATALOG_LIST);
    l.kind = CATALOG_TEMPLATE;
    assert_int_equal(rig_run(r, &l.req), 0);
    int rows = 0;
    for (const struct catalog_row *row = l.rows; row; row = row->next)
        rows++;
    assert_int_equal(rows, 3);
    assert_non_null(l.next_cursor.p);
    store_req_deinit(&l.req);
    listed(r, NULL, NULL, 50, out);
    assert_string_equal(out, "t0 t1 t2 t3 t4 ");
}

static void put_workflow(struct rig *r, const char *id, const char *graph)
{
    RIG_REQ(store_workflow_put, p, STORE_WORKFLOW_PUT);

    p.id = p.name = str_of(id);
    p.graph_json = str_of(graph);
    p.now_ms = T0;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

#define NODE(type, properties)                                                                     \
    "{\"nodes\":{\"n\":{\"type\":\"" type "\",\"properties\":" properties "}}}"
#define NODES(agent) NODE("agent", agent)

static void an_agent_in_use_stays(void **state)
{
    struct rig *r = *state;
    const struct str agents[] = {STR("pro"), STR("con")}, ghost[] = {STR("pro"), STR("ghost")};
    char used[4000], body[4000];

    put(r, CATALOG_AGENT, "pro", "{}", 0, true, NULL);
    put(r, CATALOG_AGENT, "con", "{}", 0, true, NULL);
    assert_int_equal(
        put_group(r, "g", "{\"default_agent_ids\":[\"pro\",\"con\"],\"x\":1}", agents, 2), 0);
    assert_int_equal(put_group(r, "h", "{}", ghost, 2), ERR_INVALID);
    assert_int_equal(version_of(r, CATALOG_GROUP, "h", NULL), 0);

    assert_int_equal(put_group(r, "g2", "{\"default_agent_ids\":[\"pro\"]}", agents, 1), 0);

    put_workflow(r, "w", NODES("{\"agent_id\":\"pro\"}"));
    put_workflow(r, "inline", NODES("{\"agent_id\":\"pro\",\"persona\":\"I am another.\"}"));
    put_workflow(r, "older", NODES("{\"agent_id\":\"pro\"}"));
    put_workflow(r, "older", NODES("{\"agent_id\":\"con\"}"));
    put_workflow(r, "escaped", NODE("vote", "{\"voters\":[\"x\",\"p\\u0072o\"]}"));
    put(r, CATALOG_TEMPLATE, "t", "{\"graph\":" NODE("vote", "{\"voters\":[\"pro\"]}") "}", 0, true,
        NULL);
    put(r, CATALOG_TEMPLATE, "u", "{\"name\":\"pro\",\"graph\":" NODES("{}") "}", 0, true, NULL);

    assert_int_equal(drop(r, CATALOG_AGENT, "pro", false, 0, used), ERR_CONFLICT);
    assert_string_equal(
        used,
        "{\"groups\":[\"g\",\"g2\"],\"workflows\":[\"escaped\",\"w\"],\"templates\":[\"t\"]}");
    assert_int_equal(version_of(r, CATALOG_AGENT, "pro", NULL), 1);

    assert_int_equal(drop(r, CATALOG_AGENT, "pro", true, 0, used), 0);
    assert_int_equal(version_of(r, CATALOG_AGENT, "pro", NULL), 0);
    assert_int_equal(version_of(r, CATALOG_GROUP, "g", body), 2);
    assert_string_equal(body, "{\"default_agent_ids\":[\"con\"],\"x\":1}");
    assert_int_equal(version_of(r, CATALOG_GROUP, "g2", body), 2);
    assert_string_equal(body, "{\"default_agent_ids\":[]}");
}

static void a_voter_that_is_a_node_is_no_agent(void **state)
{
    struct rig *r = *state;

    put(r, CATALOG_AGENT, "n", "{}", 0, true, NULL);
    put_workflow(r, "w",
                 "{\"nodes\":{\"n\":{\"type\":\"agent\",\"properties\":{\"persona\":\"I am n.\"}},"
                 "\"v\":{\"type\":\"vote\",\"properties\":{\"voters\":[\"n\"]}}}}");
    put_workflow(r, "list",
                 "{\"nodes\":[{\"id\":\"v\",\"type\":\"vote\",\"properties\":{\"voters\":[\"n\"]}},"
                 "{\"id\":\"n\",\"type\":\"agent\",\"properties\":{\"agent\":{\"persona\":\"x\"},"
                 "\"agent_id\":\"n\"}}]}");
    assert_int_equal(drop(r, CATALOG_AGENT, "n", false, 0, NULL), 0);

    put(r, CATALOG_AGENT, "n", "{}", 0, true, NULL); /* a node of another kind has no persona */
    put_workflow(r, "w", NODE("vote", "{\"voters\":[\"n\"]}"));
    assert_int_equal(drop(r, CATALOG_AGENT, "n", false, 0, NULL), ERR_CONFLICT);
}

static void group_session(struct rig *r, const char *status)
{
    struct rig_delta x;

    rig_new_session(r, &x, status, T0);
    x.meta.group_id = STR("g");
    assert_int_equal(rig_commit(r, &x, NULL), 0);
    rig_delta_deinit(&x);
}

static void group_memory(struct rig *r, const char *group)
{
    struct memory_row m = {.id = rig_id(r, T0),
                           .workspace = STR("default"),
                           .group_id = str_of(group),
                           .content = STR("We chose tea."),
                           .metadata_json = STR("{}"),
                           .tier = MEMORY_WORKING,
                           .chunks = 1,
                           .created_at = T0,
                           .updated_at = T0};
    RIG_REQ(store_memory_put, p, STORE_MEMORY_PUT);

    m.source_id = m.id;
    p.rows = &m;
    assert_int_equal(rig_run(r, &p.req), 0);
    store_req_deinit(&p.req);
}

static void a_group_that_remembers_stays(void **state)
{
    struct rig *r = *state;
    char used[4000];

    put(r, CATALOG_GROUP, "g", "{}", 0, true, NULL);
    group_memory(r, "g");
    group_memory(r, "g");
    group_memory(r, "another");
    assert_int_equal(drop(r, CATALOG_GROUP, "g", false, 0, used), ERR_CONFLICT);
    assert_string_equal(used, "{\"memories\":2,\"sessions\":0}");
    assert_int_equal(drop(r, CATALOG_GROUP, "g", true, 0, used), 0);
}

static void a_group_in_use_stays(void **state)
{
    struct rig *r = *state;
    char used[4000];

    put(r, CATALOG_GROUP, "g", "{}", 0, true, NULL);
    group_session(r, "completed");
    assert_int_equal(drop(r, CATALOG_GROUP, "g", false, 0, used), 0);
    assert_string_equal(used, "{\"memories\":0,\"sessions\":0}");

    put(r, CATALOG_GROUP, "g", "{}", 0, true, NULL);
    group_session(r, "paused");
    group_session(r, "running");
    assert_int_equal(drop(r, CATALOG_GROUP, "g", false, 0, used), ERR_CONFLICT);
    assert_string_equal(used, "{\"memories\":0,\"sessions\":2}");
    assert_int_equal(version_of(r, CATALOG_GROUP, "g", NULL), 1);
    assert_int_equal(drop(r, CATALOG_GROUP, "g", true, 0, used), 0);
    assert_int_equal(version_of(r, CATALOG_GROUP, "g", NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY(objects_are_kept_with_versions),     EVERY(a_key_is_stored_with_its_object),
        EVERY(many_are_looked_up_at_once),         EVERY(lists_go_by_id_in_pages),
        EVERY(a_page_of_large_bodies_is_short),    EVERY(an_agent_in_use_stays),
        EVERY(a_voter_that_is_a_node_is_no_agent), EVERY(a_group_in_use_stays),
        EVERY(a_group_that_remembers_stays),
    };

    return RIG_RUN_TESTS(tests);
}
