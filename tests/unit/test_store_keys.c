/* API keys and one-time tickets, over every store. */
#include "store/keys.h"
#include "test_store_rig.h"

static struct str hash_of(char letter)
{
    static char bytes[4][KEY_HASH_BYTES];
    static int next;
    char *p = bytes[next++ % 4];

    memset(p, letter, KEY_HASH_BYTES);
    p[0] = '\0'; /* any byte may be in it */
    return (struct str){p, KEY_HASH_BYTES};
}

static int put(struct rig *r, struct id id, char letter, const char *workspace)
{
    RIG_REQ(store_key_write, w, STORE_KEY_WRITE);

    w.kind = KEY_PUT;
    w.row = (struct key_row){.id = id,
                             .workspace = str_of(workspace),
                             .name = STR("Ann’s laptop"),
                             .role = STR("editor"),
                             .prefix = STR("sk_abcd"),
                             .hash = hash_of(letter),
                             .created_at = T0,
                             .expires_at = T0 + 9};
    int status = rig_run(r, &w.req);
    store_req_deinit(&w.req);
    return status;
}

static int revoke_key(struct rig *r, struct id id, int64_t at)
{
    RIG_REQ(store_key_write, w, STORE_KEY_WRITE);

    w.kind = KEY_REVOKE;
    w.id = id;
    w.at = at;
    int status = rig_run(r, &w.req);
    store_req_deinit(&w.req);
    return status;
}

static void use(struct rig *r, struct id a, int64_t at_a, struct id b, int64_t at_b)
{
    struct key_row second = {.id = b, .last_used_at = at_b};
    struct key_row first = {.next = &second, .id = a, .last_used_at = at_a};
    RIG_REQ(store_key_write, w, STORE_KEY_WRITE);

    w.kind = KEY_USED;
    w.rows = &first;
    assert_int_equal(rig_run(r, &w.req), 0);
    store_req_deinit(&w.req);
}

static void test_keys(void **state)
{
    struct rig *r = *state;
    struct id a = rig_id(r, T0), b = rig_id(r, T0 + 1), nobody = rig_id(r, T0 + 2);

    assert_int_equal(put(r, a, 'a', "default"), 0);
    assert_int_equal(put(r, b, 'b', "Größe 2"), 0);
    assert_int_equal(put(r, a, 'c', "default"), ERR_CONFLICT);
    assert_int_equal(put(r, nobody, 'a', "default"), ERR_CONFLICT);
    assert_int_equal(revoke_key(r, nobody, T0), ERR_NOT_FOUND);
    assert_int_equal(revoke_key(r, b, T0 + 5), 0);
    assert_int_equal(revoke_key(r, b, T0 + 6), 0);
    use(r, a, T0 + 20, b, T0 + 21);
    use(r, a, T0 + 10, b, T0 + 22); /* one is older than what is known */

    RIG_REQ(store_key_list, l, STORE_KEY_LIST);
    assert_int_equal(rig_run(r, &l.req), 0);
    struct key_row *row = l.rows;
    assert_true(id_eq(row->id, a));
    assert_true(str_eqz(row->workspace, "default"));
    assert_true(str_eqz(row->name, "Ann’s laptop"));
    assert_true(str_eqz(row->role, "editor"));
    assert_true(str_eqz(row->prefix, "sk_abcd"));
    assert_true(str_eq(row->hash, hash_of('a')));
    assert_int_equal(row->created_at, T0);
    assert_int_equal(row->expires_at, T0 + 9);
    assert_int_equal(row->revoked_at, 0);
    assert_int_equal(row->last_used_at, T0 + 20);
    row = row->next;
    assert_true(id_eq(row->id, b));
    assert_true(str_eqz(row->workspace, "Größe 2"));
    assert_int_equal(row->revoked_at, T0 + 5);
    assert_int_equal(row->last_used_at, T0 + 22);
    assert_null(row->next);
    store_req_deinit(&l.req);
}

static void test_no_keys(void **state)
{
    RIG_REQ(store_key_list, l, STORE_KEY_LIST);

    assert_int_equal(rig_run(*state, &l.req), 0);
    assert_null(l.rows);
    store_req_deinit(&l.req);
}

static void ticket_put(struct rig *r, char letter, int64_t now, int64_t expires_at)
{
    RIG_REQ(store_ticket, t, STORE_TICKET);

    t.hash = hash_of(letter);
    t.body_json = STR("{\"name\":\"Ann\"}");
    t.now = now;
    t.expires_at = expires_at;
    assert_int_equal(rig_run(r, &t.req), 0);
    store_req_deinit(&t.req);
}

static int ticket_take(struct rig *r, char letter, int64_t now)
{
    RIG_REQ(store_ticket, t, STORE_TICKET);

    t.take = true;
    t.hash = hash_of(letter);
    t.now = now;
    int status = rig_run(r, &t.req);
    if (status == 0)
        assert_true(str_eqz(t.body_json, "{\"name\":\"Ann\"}"));
    store_req_deinit(&t.req);
    return status;
}

static void test_tickets(void **state)
{
    struct rig *r = *state;

    ticket_put(r, 'a', T0, T0 + 30);
    ticket_put(r, 'b', T0, T0 + 30);
    assert_int_equal(ticket_take(r, 'c', T0 + 1), ERR_NOT_FOUND);
    assert_int_equal(ticket_take(r, 'a', T0 + 29), 0);
    assert_int_equal(ticket_take(r, 'a', T0 + 29), ERR_NOT_FOUND);
    assert_int_equal(ticket_take(r, 'b', T0 + 30), ERR_NOT_FOUND); /* it is over */
    ticket_put(r, 'd', T0 + 31, T0 + 60);                          /* tidies up the others */
    assert_int_equal(ticket_take(r, 'd', T0 + 59), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {EVERY(test_keys), EVERY(test_no_keys), EVERY(test_tickets)};

    return RIG_RUN_TESTS(tests);
}
