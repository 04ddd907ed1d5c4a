/* The session that a person works on when they name none. */
#include "store/rules.h"
#include "store/sqlite_store.h"

int sqlite_active_get(struct sqlite_db *db, struct store_active_get *g)
{
    int64_t workspace = 0;
    struct sqlq q;

    g->session_id = (struct id){{0}};
    int status = sqlite_workspace_find(db, g->workspace, &workspace);
    if (status < 0)
        return status == ERR_NOT_FOUND ? 0 : status; /* nobody has done anything in it */
    sqlq_start(&q, db, SQL_ACTIVE_GET);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, g->user_id);
    int more = sqlq_next(&q);
    if (more > 0) {
        sqlq_id(&q, &g->session_id);
        sqlq_end(&q);
    }
    return more < 0 ? more : 0;
}

int sqlite_active_put(struct sqlite_db *db, struct store_active_put *p)
{
    bool clears = id_is_zero(p->session_id);
    int64_t workspace = 0;
    struct sqlq q;

    int status = sqlite_workspace_make(db, p->workspace, &workspace);
    if (status < 0)
        return status;
    sqlq_start(&q, db, clears ? SQL_ACTIVE_DELETE : SQL_ACTIVE_PUT);
    sqlq_bind_i64(&q, workspace);
    sqlq_bind_str(&q, p->user_id);
    if (!clears) {
        sqlq_bind_id(&q, &p->session_id);
        sqlq_bind_i64(&q, p->now_ms);
    }
    return sqlq_run(&q);
}
