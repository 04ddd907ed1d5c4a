/* The session that a person works on when they name none. */
#include "store/pg_store.h"
#include "store/rules.h"

static int active_got(struct pg_job *j)
{
    struct store_active_get *g = container_of(j->req, struct store_active_get, req);
    struct pgr r;

    g->session_id = (struct id){{0}};
    pgr_open(&r, j->conn, 0);
    if (pgr_next(&r))
        pgr_id(&r, &g->session_id);
    return 0;
}

int pg_active_get_start(struct pg_job *j)
{
    struct store_active_get *g = container_of(j->req, struct store_active_get, req);
    struct pgq q;

    pgq_start(&q, j->conn, PG_ACTIVE_GET);
    pgq_str(&q, rules_workspace(g->workspace));
    pgq_str(&q, g->user_id);
    pgq_end(&q);
    return pg_await(j, active_got);
}

int pg_active_put_start(struct pg_job *j)
{
    struct store_active_put *p = container_of(j->req, struct store_active_put, req);
    bool clears = id_is_zero(p->session_id);
    struct pgq q;

    pgq_start(&q, j->conn, clears ? PG_ACTIVE_DELETE : PG_ACTIVE_PUT);
    pgq_str(&q, rules_workspace(p->workspace));
    pgq_str(&q, p->user_id);
    if (!clears) {
        pgq_id(&q, &p->session_id);
        pgq_i64(&q, p->now_ms);
    }
    pgq_end(&q);
    return pg_await(j, pg_finished);
}
