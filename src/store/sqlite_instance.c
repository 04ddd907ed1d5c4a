/* Several instances: who is there, what they give up, and the inbox of commands. With SQLite there
 * is one instance at a time; the rules hold all the same, and the tests of all stores check them.
 */
#include "base/clock.h"
#include "store/rules.h"
#include "store/sqlite_store.h"

/* ---- instances ---- */

static int instance_lease(struct sqlite_db *db, const struct id *id, bool *found, int64_t *until)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_INSTANCE_GET);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    *found = more > 0;
    if (more > 0) {
        *until = sqlq_i64(&q);
        sqlq_end(&q);
    }
    return more < 0 ? more : 0;
}

int sqlite_instance_is_there(struct sqlite_db *db, const struct id *id, bool *out)
{
    int64_t until;

    return instance_lease(db, id, out, &until);
}

static int instance_write(struct sqlite_db *db, enum sqlite_sql sql,
                          const struct store_instance_put *p, int64_t now)
{
    struct sqlq q;

    sqlq_start(&q, db, sql);
    sqlq_bind_id(&q, &p->row.id);
    sqlq_bind_str(&q, rules_text(p->row.name));
    sqlq_bind_str(&q, rules_text(p->row.address));
    sqlq_bind_str(&q, rules_text(p->row.version));
    sqlq_bind_i64(&q, p->row.leaving);
    sqlq_bind_i64(&q, p->row.sessions);
    sqlq_bind_i64(&q, now);
    sqlq_bind_i64(&q, now + p->lease_ms);
    return sqlq_run(&q);
}

int sqlite_instance_put(struct sqlite_db *db, struct store_instance_put *p)
{
    int64_t now = clock_wall_ms();

    int status = instance_write(db, SQL_INSTANCE_UPDATE, p, now);
    if (status < 0 || sqlite3_changes(db->handle) > 0)
        return status;
    if (p->must_exist)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "the instance was held for dead");
    return instance_write(db, SQL_INSTANCE_INSERT, p, now);
}

int sqlite_instance_remove(struct sqlite_db *db, struct store_instance_remove *r)
{
    int64_t until = 0;
    bool found = false;
    struct sqlq q;

    int status = instance_lease(db, &r->id, &found, &until);
    if (status < 0)
        return status;
    if (!found)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such instance");
    if (r->expired_only && until > clock_wall_ms())
        return sqlite_db_refuse(db, ERR_CONFLICT, "the instance's lease holds");
    sqlq_start(&q, db, SQL_INSTANCE_DELETE);
    sqlq_bind_id(&q, &r->id);
    return sqlq_run(&q);
}

int sqlite_instance_list(struct sqlite_db *db, struct store_instance_list *l)
{
    struct instance_row **tail = &l->rows;
    struct arena *a = &l->req.arena;
    struct sqlq q;
    int more;

    l->rows = NULL;
    l->now = clock_wall_ms();
    sqlq_start(&q, db, SQL_INSTANCES_LIST);
    while ((more = sqlq_next(&q)) > 0) {
        struct instance_row *row = arena_alloc(a, sizeof(*row));
        sqlq_id(&q, &row->id);
        row->name = sqlq_str(&q, a);
        row->address = sqlq_str(&q, a);
        row->version = sqlq_str(&q, a);
        row->leaving = sqlq_i64(&q) != 0;
        row->sessions = sqlq_i64(&q);
        row->started_at = sqlq_i64(&q);
        row->seen_at = sqlq_i64(&q);
        row->lease_until = sqlq_i64(&q);
        *tail = row;
        tail = &row->next;
    }
    return more == 0 && q.corrupt ? sqlite_db_corrupt(db, "instances do not read back") : more;
}

int sqlite_session_release(struct sqlite_db *db, struct store_session_release *r)
{
    int status = 0;
    struct sqlq q;

    for (size_t i = 0; i < r->count && status == 0; i++) {
        sqlq_start(&q, db, SQL_SESSION_RELEASE);
        sqlq_bind_id(&q, &r->ids[i]);
        sqlq_bind_id(&q, &r->instance);
        status = sqlq_run(&q);
    }
    return status;
}

/* ---- the inbox ---- */

static int command_columns(struct sqlq *q, struct arena *a, struct command_row *row)
{
    char id[ID_TEXT_BYTES + 1];

    *row = (struct command_row){.next = NULL};
    sqlq_id(q, &row->command_id);
    sqlq_id(q, &row->session_id);
    row->http_status = (int)sqlq_i64(q);
    row->request_json = sqlq_json(q, a);
    row->answer_json = sqlq_json(q, a);
    row->created_at = sqlq_i64(q);
    if (!q->corrupt)
        return 0;
    sqlq_end(q);
    id_format(row->command_id, id);
    return sqlite_db_corrupt(q->db, "command %s does not read back", id);
}

static int command_find(struct sqlite_db *db, struct arena *a, const struct id *id,
                        struct command_row *row)
{
    struct sqlq q;

    sqlq_start(&q, db, SQL_COMMAND_GET);
    sqlq_bind_id(&q, id);
    int more = sqlq_next(&q);
    if (more < 0)
        return more;
    if (more == 0)
        return sqlite_db_refuse(db, ERR_NOT_FOUND, "no such command");
    int status = command_columns(&q, a, row);
    sqlq_end(&q);
    return status;
}

int sqlite_command_put(struct sqlite_db *db, struct store_command_put *p)
{
    struct sqlite_session session = {.key = 0};
    struct command_row old;
    struct sqlq q;

    int status = sqlite_session_find(db, &p->row.session_id, &session);
    if (status < 0)
        return status;
    status = command_find(db, &p->req.arena, &p->row.command_id, &old);
    if (status == 0)
        return sqlite_db_refuse(db, ERR_CONFLICT, "the command is there already");
    if (status != ERR_NOT_FOUND)
        return status;
    sqlq_start(&q, db, SQL_COMMAND_INSERT);
    sqlq_bind_id(&q, &p->row.command_id);
    sqlq_bind_i64(&q, session.key);
    sqlq_bind_str(&q, p->row.request_json);
    sqlq_bind_i64(&q, p->row.created_at);
    return sqlq_run(&q);
}

int sqlite_command_get(struct sqlite_db *db, struct store_command_get *g)
{
    return command_find(db, &g->req.arena, &g->command_id, &g->row);
}

int sqlite_command_list(struct sqlite_db *db, struct store_command_list *l)
{
    struct command_row **tail = &l->rows;
    struct sqlite_session session = {.key = 0};
    bool one = !id_is_zero(l->session_id);
    struct sqlq q;
    int more;

    l->rows = NULL;
    int status = one ? sqlite_session_find(db, &l->session_id, &session) : 0;
    if (status < 0)
        return status;
    sqlq_start(&q, db, one ? SQL_COMMANDS_OF_SESSION : SQL_COMMANDS_OF_INSTANCE);
    sqlq_bind_id(&q, &l->after);
    sqlq_bind_i64(&q, l->limit > 0 ? l->limit : STORE_LIMIT_DEFAULT);
    if (one)
        sqlq_bind_i64(&q, session.key);
    else
        sqlq_bind_id(&q, &l->instance);
    while ((more = sqlq_next(&q)) > 0) {
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        status = command_columns(&q, &l->req.arena, *tail);
        if (status < 0)
            return status;
        tail = &(*tail)->next;
    }
    return more;
}

int sqlite_commands_check(struct sqlite_db *db, struct arena *a, const struct command_row *rows,
                          bool *same)
{
    int answered = 0;

    *same = true;
    for (; rows; rows = rows->next) {
        struct command_row old = {.next = NULL};
        int status = command_find(db, a, &rows->command_id, &old);
        if (status < 0 && status != ERR_NOT_FOUND)
            return status;
        answered += status == ERR_NOT_FOUND || old.http_status != 0;
        *same = *same && status == 0 && rules_answer_is_same(&old, rows);
    }
    return answered > 0 ? sqlite_db_refuse(db, ERR_CONFLICT, "a command was answered before") : 0;
}

int sqlite_commands_answer(struct sqlite_db *db, int64_t session, int64_t at,
                           const struct command_row *rows)
{
    int status = 0;
    struct sqlq q;

    for (; rows && status == 0; rows = rows->next) {
        sqlq_start(&q, db, SQL_COMMAND_DONE);
        sqlq_bind_id(&q, &rows->command_id);
        sqlq_bind_i64(&q, session);
        sqlq_bind_i64(&q, rows->http_status);
        sqlq_bind_str(&q, rows->answer_json);
        sqlq_bind_i64(&q, at);
        status = sqlq_run(&q);
    }
    return status;
}

int sqlite_commands_insert(struct sqlite_db *db, const struct command_row *rows)
{
    int status = 0;
    struct sqlq q;

    for (; rows && status == 0; rows = rows->next) {
        sqlq_start(&q, db, SQL_COMMAND_ADD);
        sqlq_bind_id(&q, &rows->command_id);
        sqlq_bind_id(&q, &rows->session_id);
        sqlq_bind_str(&q, rows->request_json);
        sqlq_bind_i64(&q, rows->created_at);
        status = sqlq_run(&q);
    }
    return status;
}

int sqlite_command_done(struct sqlite_db *db, struct store_command_done *c)
{
    struct sqlite_session session = {.key = 0};

    int status = sqlite_session_find(db, &c->session_id, &session);
    if (status < 0)
        return status;
    if (c->epoch < session.epoch)
        return sqlite_db_refuse(db, ERR_STALE, "the session has another owner by now");
    return sqlite_commands_answer(db, session.key, clock_wall_ms(), c->rows);
}
