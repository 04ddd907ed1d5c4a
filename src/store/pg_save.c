/* Stored sessions. All of a request's sessions are locked, in the order of their ids, looked at,
 * and written or left as they are together. One that another instance makes at the same moment
 * fails the insert, and all is begun anew. */
#include "store/pg_array.h"
#include "store/pg_store.h"
#include "store/rules.h"

enum save_part {
    SAVE_SESSIONS,
    SAVE_DETAILS,
    SAVE_METAS,
    SAVE_META_DETAILS,
    SAVE_STATES,
    SAVE_DELETES,
    SAVE_KEYS,
    SAVE_PARTS
};

static const struct {
    enum pg_sql sql;
    const char *types;
} save_parts[SAVE_PARTS] = {
    [SAVE_SESSIONS] = {PG_SESSION_INSERT, PG_SESSION_TYPES},
    [SAVE_DETAILS] = {PG_DETAILS_INSERT, PG_DETAILS_TYPES},
    [SAVE_METAS] = {PG_META_UPDATE, PG_META_TYPES},
    [SAVE_META_DETAILS] = {PG_META_DETAILS, PG_META_DETAILS_TYPES},
    [SAVE_STATES] = {PG_STORED_UPDATE, "utttt"},
    [SAVE_DELETES] = {PG_SESSIONS_DELETE, "u"},
    [SAVE_KEYS] = {PG_KEYS_INSERT, "ttiiiti"},
};

static struct store_session_save *save_of(struct pg_job *j)
{
    return container_of(j->req, struct store_session_save, req);
}

static void save_row(struct pg_rows parts[SAVE_PARTS], const struct store_session_save *p,
                     const struct session_save *s)
{
    struct pg_rows *r = &parts[SAVE_STATES];

    if (s->created) {
        struct save_new fresh;
        rules_save_new(p, s, &fresh);
        pg_rows_session(&parts[SAVE_SESSIONS], &fresh.delta,
                        &(struct rules_packed){STR_NULL, STR_NULL, STR_NULL});
        pg_rows_details(&parts[SAVE_DETAILS], &fresh.delta);
        return;
    }
    pg_rows_meta(&parts[SAVE_METAS], &s->id, &s->meta, s->version, p->now_ms);
    pg_rows_meta_details(&parts[SAVE_META_DETAILS], &s->id, &s->meta);
    if (s->kind == SAVE_META)
        return;
    pg_rows_begin(r);
    pg_rows_id(r, &s->id);
    pg_rows_str(r, s->status);
    pg_rows_str(r, s->meta.user_id);
    pg_rows_str(r, s->meta.group_id);
    pg_rows_str(r, s->meta.workflow_id);
}

static int save_write(struct pg_job *j)
{
    struct store_session_save *p = save_of(j);
    const struct idempotency_row *key = rules_save_key(p);
    struct pg_rows parts[SAVE_PARTS], names;
    bool fits = true;

    pg_rows_init(&names, PG_WORKSPACES_MAKE, "t");
    pg_rows_begin(&names);
    pg_rows_str(&names, rules_workspace(p->workspace));
    pg_rows_add(&names, j->conn);
    pg_rows_deinit(&names);
    for (int i = 0; i < SAVE_PARTS; i++)
        pg_rows_init(&parts[i], save_parts[i].sql, save_parts[i].types);
    for (size_t i = 0; i < p->save_count; i++)
        save_row(parts, p, &p->saves[i]);
    for (size_t i = 0; i < p->delete_count; i++) {
        pg_rows_begin(&parts[SAVE_DELETES]);
        pg_rows_id(&parts[SAVE_DELETES], &p->deletes[i]);
        pg_known_forget(&j->store->known, p->deletes[i]);
    }
    if (key)
        pg_rows_key(&parts[SAVE_KEYS], key);
    for (int i = 0; i < SAVE_PARTS; i++) {
        fits = fits && !parts[i].overflow;
        pg_rows_add(&parts[i], j->conn);
        pg_rows_deinit(&parts[i]);
    }
    if (!fits)
        return pg_refuse(j, ERR_TOO_LARGE, "too many bytes");
    pg_conn_add(j->conn, PG_COMMIT);
    return pg_await(j, pg_finished);
}

/* Written by the try before: all of it has this moment. */
static bool save_stands(const struct store_session_save *p, const struct session_row *rows)
{
    for (size_t i = 0; i < p->save_count; i++)
        if (rows[i].core.updated_at != p->now_ms)
            return false;
    for (size_t i = 0; i < p->delete_count; i++)
        if (!id_is_zero(rows[p->save_count + i].id))
            return false;
    return true;
}

static void save_take_standing(struct store_session_save *p, const struct session_row *rows)
{
    for (size_t i = 0; i < p->save_count; i++) {
        p->saves[i].version = rows[i].version;
        p->saves[i].created = rows[i].version == 1;
        p->saves[i].created_at = rows[i].created_at;
    }
}

static void save_read(struct pg_job *j, struct session_row *rows)
{
    struct store_session_save *p = save_of(j);
    struct pgr r;

    for (pgr_open(&r, j->conn, 2); pgr_next(&r);) {
        size_t i = (size_t)pgr_i64(&r) - 1;
        struct session_row *row = &rows[i];
        row->id = i < p->save_count ? p->saves[i].id : p->deletes[i - p->save_count];
        row->meta.workspace = pgr_str(&r, &j->req->arena);
        row->version = pgr_i64(&r);
        row->created_at = pgr_i64(&r);
        row->core.updated_at = pgr_i64(&r);
        row->core.status = pgr_str(&r, &j->req->arena);
        row->meta.stored_only = pgr_bool(&r);
    }
}

static int save_found(struct pg_job *j)
{
    struct store_session_save *p = save_of(j);
    struct session_row *rows =
        arena_calloc(&j->req->arena, p->save_count + p->delete_count + 1, sizeof(*rows));
    struct errbuf *e = &j->req->error;
    bool key_taken = false;
    int status = 0;
    struct pgr r;

    save_read(j, rows);
    if (p->idempotency) {
        pgr_open(&r, j->conn, 3);
        key_taken = pgr_next(&r);
    }
    if (j->repeated && save_stands(p, rows) && (!p->idempotency || key_taken)) {
        save_take_standing(p, rows);
        return 0;
    }
    for (size_t i = 0; i < p->save_count && status == 0; i++)
        status = rules_save_check(p, i, id_is_zero(rows[i].id) ? NULL : &rows[i], e);
    for (size_t i = 0; i < p->delete_count && status == 0; i++) {
        const struct session_row *row = &rows[p->save_count + i];
        status = rules_save_delete_check(p, i, id_is_zero(row->id) ? NULL : row, e);
    }
    if (status < 0)
        return status;
    if (key_taken)
        return pg_refuse(j, ERR_CONFLICT, "this Idempotency-Key is in use");
    return save_write(j);
}

static void save_add_ids(struct pg_job *j, enum pg_sql sql)
{
    struct store_session_save *p = save_of(j);
    struct pg_rows ids;
    struct pgq q;

    pg_rows_init(&ids, sql, "u");
    for (size_t i = 0; i < p->save_count; i++) {
        pg_rows_begin(&ids);
        pg_rows_id(&ids, &p->saves[i].id);
    }
    for (size_t i = 0; i < p->delete_count; i++) {
        pg_rows_begin(&ids);
        pg_rows_id(&ids, &p->deletes[i]);
    }
    pgq_start(&q, j->conn, sql);
    pg_rows_bind(&ids, &q);
    pgq_end(&q);
    pg_rows_deinit(&ids);
}

int pg_session_save_start(struct pg_job *j)
{
    struct store_session_save *p = save_of(j);
    struct pg_rows keys;

    pg_conn_add(j->conn, PG_BEGIN);
    save_add_ids(j, PG_COMMIT_LOCK);
    save_add_ids(j, PG_SAVE_LOOK);
    pg_rows_init(&keys, PG_COMMIT_KEYS_TAKEN, "tt");
    if (p->idempotency) {
        pg_rows_begin(&keys);
        pg_rows_str(&keys, rules_workspace(p->idempotency->workspace));
        pg_rows_str(&keys, p->idempotency->key);
    }
    pg_rows_add(&keys, j->conn);
    pg_rows_deinit(&keys);
    return pg_await(j, save_found);
}
