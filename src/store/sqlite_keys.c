/* API keys and one-time tickets in SQLite. */
#include "store/keys.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

int sqlite_key_list(struct sqlite_db *db, struct store_key_list *l)
{
    struct key_row **tail = &l->rows;
    struct arena *a = &l->req.arena;
    struct sqlq q;
    int more;

    l->rows = NULL;
    sqlq_start(&q, db, SQL_API_KEYS_LIST);
    while ((more = sqlq_next(&q)) > 0) {
        struct key_row *row = arena_alloc(a, sizeof(*row));
        *row = (struct key_row){.next = NULL};
        sqlq_id(&q, &row->id);
        row->workspace = sqlq_str(&q, a);
        row->name = sqlq_str(&q, a);
        row->role = sqlq_str(&q, a);
        row->prefix = sqlq_str(&q, a);
        row->hash = sqlq_blob(&q, a);
        row->created_at = sqlq_i64(&q);
        row->last_used_at = sqlq_i64(&q);
        row->expires_at = sqlq_i64(&q);
        row->revoked_at = sqlq_i64(&q);
        if (q.corrupt || row->hash.n != KEY_HASH_BYTES) {
            sqlq_end(&q);
            return sqlite_db_corrupt(db, "an API key does not read back");
        }
        *tail = row;
        tail = &row->next;
    }
    return more;
}

static int key_put(struct sqlite_db *db, const struct key_row *row)
{
    int64_t workspace = 0;
    struct sqlq q;

    sqlq_start(&q, db, SQL_API_KEY_FIND);
    sqlq_bind_id(&q, &row->id);
    sqlq_bind_blob(&q, row->hash);
    int found = sqlq_next(&q);
    if (found < 0)
        return found;
    sqlq_end(&q);
    if (found)
        return sqlite_db_refuse(db, ERR_CONFLICT, "that key is there already");
    int status = sqlite_workspace_make(db, row->workspace, &workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_API_KEY_INSERT);
    sqlq_bind_id(&q, &row->id);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, row->name);
    sqlq_bind_str(&q, row->role);
    sqlq_bind_str(&q, row->prefix);
    sqlq_bind_blob(&q, row->hash);
    sqlq_bind_i64(&q, row->created_at);
    sqlq_bind_i64(&q, row->expires_at);
    return sqlq_run(&q);
}

static int key_revoke(struct sqlite_db *db, const struct store_key_write *w)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_API_KEY_REVOKE);
    sqlq_bind_id(&q, &w->id);
    sqlq_bind_i64(&q, w->at);
    int status = sqlq_run(&q);
    if (status == 0 && sqlite3_changes(db->handle) == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "there is no such key");
    return status;
}

static int keys_used(struct sqlite_db *db, const struct key_row *rows)
{
    int status = 0;
    struct sqlq q;

    for (; rows && status == 0; rows = rows->next) {
        sqlq_start(&q, db, SQL_API_KEY_USED);
        sqlq_bind_id(&q, &rows->id);
        sqlq_bind_i64(&q, rows->last_used_at);
        status = sqlq_run(&q);
    }
    return status;
}

int sqlite_key_write(struct sqlite_db *db, struct store_key_write *w)
{
    switch (w->kind) {
    case KEY_PUT:
        return key_put(db, &w->row);
    case KEY_REVOKE:
        return key_revoke(db, w);
    case KEY_USED:
        return keys_used(db, w->rows);
    }
    return ERR_INTERNAL;
}

static int ticket_put(struct sqlite_db *db, const struct store_ticket *t)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_TICKETS_TIDY);
    sqlq_bind_i64(&q, t->now);
    int status = sqlq_run(&q);
    if (status < 0)
        return status;
    sqlq_start(&q, db, SQL_TICKET_INSERT);
    sqlq_bind_blob(&q, t->hash);
    sqlq_bind_str(&q, t->body_json);
    sqlq_bind_i64(&q, t->now);
    sqlq_bind_i64(&q, t->expires_at);
    return sqlq_run(&q);
}

static int ticket_take(struct sqlite_db *db, struct store_ticket *t)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_TICKET_GET);
    sqlq_bind_blob(&q, t->hash);
    int found = sqlq_next(&q);
    if (found < 0)
        return found;
    if (found == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "there is no such ticket");
    t->body_json = sqlq_json(&q, &t->req.arena);
    bool over = sqlq_i64(&q) <= t->now, corrupt = q.corrupt;
    sqlq_end(&q);
    sqlq_start(&q, db, SQL_TICKET_DELETE);
    sqlq_bind_blob(&q, t->hash);
    int status = sqlq_run(&q);
    if (status < 0)
        return status;
    if (over || corrupt) /* the deletion may be taken back by this: it is over all the same */
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "there is no such ticket");
    return 0;
}

int sqlite_ticket(struct sqlite_db *db, struct store_ticket *t)
{
    return t->take ? ticket_take(db, t) : ticket_put(db, t);
}
