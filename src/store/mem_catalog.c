/* Agents, groups and templates in memory. */
#include "store/cursor.h"
#include "store/mem_data.h"
#include "store/rules.h"

static struct mem_catalog *catalog_find(const struct mem_data *d, enum catalog_kind kind,
                                        struct str workspace, struct str id)
{
    struct mem_catalog key = {.kind = kind,
                              .row = {.workspace = rules_workspace(workspace), .id = id}};

    return mem_vec_get(&d->catalog, &key, mem_cmp_catalog);
}

static void catalog_keep(struct mem_data *d, enum catalog_kind kind, const struct catalog_row *row)
{
    struct mem_catalog *c = mem_row_create(sizeof(*c));

    c->kind = kind;
    c->row = mem_copy_catalog(&c->arena, row);
    mem_vec_put(&d->catalog, c, mem_cmp_catalog);
}

int mem_catalog_put(struct mem_data *d, struct store_catalog_put *p)
{
    struct mem_catalog *now = catalog_find(d, p->kind, p->row.workspace, p->row.id);
    int status = rules_catalog_put_check(p, now ? &now->row : NULL, &p->req.error);

    for (size_t i = 0; status == 0 && i < p->agent_count; i++)
        if (!catalog_find(d, CATALOG_AGENT, p->row.workspace, p->agents[i]))
            status = err_set(&p->req.error, ERR_INVALID, "there is no agent \"%.*s\"",
                             STR_FMT(p->agents[i]));
    if (status == 0 && !mem_keys_are_free(d, p->idempotency))
        status = err_set(&p->req.error, ERR_CONFLICT, "this Idempotency-Key is in use");
    if (status < 0)
        return status;
    rules_catalog_put_row(p, now ? &now->row : NULL);
    catalog_keep(d, p->kind, &p->row);
    mem_keys_write(d, p->idempotency);
    return 0;
}

int mem_catalog_get(struct mem_data *d, struct store_catalog_get *g)
{
    g->rows = NULL;
    for (size_t i = 0; i < g->count; i++) {
        const struct mem_catalog *c = catalog_find(d, g->kind, g->workspace, g->ids[i]);
        if (!c)
            continue;
        struct catalog_row *row = arena_alloc(&g->req.arena, sizeof(*row));
        *row = mem_copy_catalog(&g->req.arena, &c->row);
        row->next = g->rows;
        g->rows = row;
    }
    return 0;
}

int mem_catalog_list(struct mem_data *d, struct store_catalog_list *l)
{
    struct catalog_row **tail = &l->rows;
    struct page page = page_of(l->limit);
    struct cursor c = {.a = l->kind};
    struct str last = STR_NULL;
    size_t bytes = 0;
    bool found;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    if (l->cursor.n > 0 && (cursor_decode(l->cursor, CURSOR_CATALOG, &c, &l->req.error) < 0 ||
                            c.a != (int64_t)l->kind))
        return err_set(&l->req.error, ERR_INVALID, "cursor is not one that this list gave");
    struct mem_catalog key = {
        .kind = l->kind,
        .row = {.workspace = rules_workspace(l->workspace), .id = {(char *)c.key, c.key_bytes}}};
    size_t at = mem_vec_find(&d->catalog, &key, mem_cmp_catalog, &found);
    for (at += found; at < d->catalog.count; at++) {
        const struct mem_catalog *o = (struct mem_catalog *)d->catalog.rows[at];
        if (o->kind != l->kind || !str_eq(o->row.workspace, key.row.workspace))
            break;
        enum page_verdict verdict = page_see(&page, rules_catalog_matches(l, &o->row));
        if (verdict == PAGE_STOP || (verdict == PAGE_TAKE && bytes > CATALOG_PAGE_BYTES)) {
            l->next_cursor = cursor_encode(&l->req.arena, CURSOR_CATALOG, l->kind, 0, last);
            break;
        }
        last = o->row.id;
        if (verdict == PAGE_SKIP)
            continue;
        *tail = arena_alloc(&l->req.arena, sizeof(**tail));
        **tail = mem_copy_catalog(&l->req.arena, &o->row);
        bytes += o->row.body_json.n;
        tail = &(*tail)->next;
    }
    return 0;
}

/* ---- deleting ---- */

static void agent_users(struct mem_data *d, struct store_catalog_delete *r, struct catalog_users *u)
{
    struct arena *a = &r->req.arena;
    struct str workspace = rules_workspace(r->workspace);

    for (size_t i = 0; i < d->catalog.count; i++) {
        const struct mem_catalog *c = (struct mem_catalog *)d->catalog.rows[i];
        if (c->kind == CATALOG_AGENT || !str_eq(c->row.workspace, workspace))
            continue;
        rules_user_seen(a, c->kind == CATALOG_GROUP ? CATALOG_USER_GROUP : CATALOG_USER_TEMPLATE,
                        c->row.id, c->row.body_json, r->id, u);
    }
    for (size_t i = 0; i < d->workflows.count; i++) {
        const struct mem_workflow *w = (struct mem_workflow *)d->workflows.rows[i];
        if (!w->deleted && str_eq(w->workspace, workspace))
            rules_user_seen(a, CATALOG_USER_WORKFLOW, w->id, mem_workflow_newest(w)->graph_json,
                            r->id, u);
    }
    rules_used_by_agent(r, u);
}

static int64_t group_users(struct mem_data *d, struct store_catalog_delete *r)
{
    struct str workspace = rules_workspace(r->workspace);
    int64_t memories = 0, sessions = 0;

    for (size_t i = 0; i < d->memories.count; i++) {
        const struct memory_row *m = &((struct mem_memory *)d->memories.rows[i])->row;
        memories += str_eq(rules_workspace(m->workspace), workspace) && str_eq(m->group_id, r->id);
    }
    for (size_t i = 0; i < d->sessions.count; i++) {
        const struct mem_session *s = (struct mem_session *)d->sessions.rows[i];
        struct session_row row = s->row;
        row.core = s->core->core;
        sessions += row.meta.group_id.p && str_eq(row.meta.group_id, r->id) &&
                    str_eq(rules_workspace(row.meta.workspace), workspace) &&
                    rules_session_is_live(&row);
    }
    rules_used_by_group(r, memories, sessions);
    return memories + sessions;
}

static void groups_drop(struct mem_data *d, const struct store_catalog_delete *r)
{
    for (size_t i = 0; i < d->catalog.count; i++) {
        const struct mem_catalog *c = (struct mem_catalog *)d->catalog.rows[i];
        if (c->kind != CATALOG_GROUP || !str_eq(c->row.workspace, rules_workspace(r->workspace)) ||
            !rules_group_has_agent(c->row.body_json, r->id))
            continue;
        struct catalog_row row = c->row;
        struct buf body;
        buf_init(&body, SIZE_MAX);
        rules_group_drop_agent(row.body_json, r->id, &body);
        row.body_json = buf_str(&body);
        row.version++;
        row.updated_at = r->now_ms;
        catalog_keep(d, CATALOG_GROUP, &row);
        buf_deinit(&body);
    }
}

int mem_catalog_delete(struct mem_data *d, struct store_catalog_delete *r)
{
    struct mem_catalog *now = catalog_find(d, r->kind, r->workspace, r->id);
    struct catalog_users users = {.count = 0};
    bool used = false;

    int status = rules_catalog_delete_check(r, now ? &now->row : NULL, &r->req.error);
    if (status < 0)
        return status;
    if (r->kind == CATALOG_AGENT) {
        agent_users(d, r, &users);
        used = users.count > 0;
    } else if (r->kind == CATALOG_GROUP) {
        used = group_users(d, r) > 0;
    }
    if (used && !r->detach)
        return err_set(&r->req.error, ERR_CONFLICT, "\"%.*s\" is in use", STR_FMT(r->id));
    if (r->kind == CATALOG_AGENT)
        groups_drop(d, r);
    mem_vec_remove(&d->catalog, now, mem_cmp_catalog);
    return 0;
}
