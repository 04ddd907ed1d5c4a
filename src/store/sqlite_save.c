/* Stored sessions: all checks come first, so that a refusal leaves nothing behind. */
#include "store/rules.h"
#include "store/sqlite_store.h"

/* 1, 0: there is none, or an error. Only what the checks ask for: one whose rest does not read back
 * can be replaced and deleted. */
static int save_look(struct sqlite_db *db, struct arena *a, const struct id *id,
                     struct session_row *row, int64_t *key)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_SAVE_LOOK);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more <= 0)
        return more;
    *row = (struct session_row){.id = *id};
    *key = sqlq_i64(&q);
    row->meta.workspace = sqlq_str(&q, a);
    row->version = sqlq_i64(&q);
    row->created_at = sqlq_i64(&q);
    row->core.status = sqlq_str(&q, a);
    row->meta.stored_only = sqlq_i64(&q) != 0;
    sqlq_end(&q);
    return 1;
}

static int save_check(struct sqlite_db *db, struct store_session_save *p, int64_t *keys)
{
    struct arena *a = &p->req.arena;
    struct session_row row;
    int status = 0;

    for (size_t i = 0; i < p->save_count && status == 0; i++) {
        int found = save_look(db, a, &p->saves[i].id, &row, &keys[i]);
        status = found < 0 ? found : rules_save_check(p, i, found ? &row : NULL, &db->error);
    }
    for (size_t i = 0; i < p->delete_count && status == 0; i++) {
        int found = save_look(db, a, &p->deletes[i], &row, &keys[p->save_count + i]);
        status = found < 0 ? found : rules_save_delete_check(p, i, found ? &row : NULL, &db->error);
    }
    return status == 0 ? sqlite_idempotency_check(db, a, p->idempotency) : status;
}

static int save_write(struct sqlite_db *db, struct store_session_save *p,
                      const struct session_save *s, int64_t key)
{
    struct sqlq q;

    if (s->created) {
        struct save_new fresh;
        rules_save_new(p, s, &fresh);
        return sqlite_session_insert(db, &fresh.delta, &key);
    }
    int status = sqlite_meta_update(db, key, &s->meta, s->version, p->now_ms);
    if (status < 0 || s->kind == SAVE_META)
        return status;
    sqlq_start(&q, db, SQL_STORED_UPDATE);
    sqlq_bind_str(&q, s->status);
    sqlq_bind_str(&q, s->meta.user_id);
    sqlq_bind_str(&q, s->meta.group_id);
    sqlq_bind_str(&q, s->meta.workflow_id);
    sqlq_bind_i64(&q, key);
    return sqlq_run(&q);
}

int sqlite_session_save(struct sqlite_db *db, struct store_session_save *p)
{
    int64_t *keys = arena_calloc(&p->req.arena, p->save_count + p->delete_count + 1, sizeof(*keys));
    struct sqlq q;

    int status = save_check(db, p, keys);
    for (size_t i = 0; i < p->save_count && status == 0; i++)
        status = save_write(db, p, &p->saves[i], keys[i]);
    for (size_t i = 0; i < p->delete_count && status == 0; i++) {
        sqlq_start(&q, db, SQL_SESSION_DELETE);
        sqlq_bind_i64(&q, keys[p->save_count + i]);
        status = sqlq_run(&q);
    }
    return status < 0 ? status : sqlite_idempotency_insert(db, rules_save_key(p));
}
