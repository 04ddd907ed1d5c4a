/* From tier to tier without anybody's hand.
 *
 *     quarantine ── its session has completed, and the group's rule is "auto" ──> working
 *     working ── a day later, or 50 newer ones in the group ──> long term
 *
 * Both are idempotent, so several instances may do the same side by side.
 */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/catalog.h"
#include "base/clock.h"
#include "base/mem.h"

#define AGE_STEP         500     /* rows of one write: commits wait for no longer than that */
#define AGE_SOON_MS      1000    /* after something came: there may be one too many */
#define AGE_ROUND_MS     3600000 /* while there is working memory */
#define CLOCKS_DIFFER_MS 3600000 /* of instances, at most */
#define RELEASE_STEP     200
#define SWEEP_PAGE       200
#define SWEEP_PAGES      10

/* ---- ageing ---- */

static void age_step(struct memory *m);

static void age_due(uv_timer_t *t)
{
    struct memory *m = t->data;
    m->due_at = 0;
    if (m->is_ageing || m->app->stopping)
        return;
    m->is_ageing = true;
    age_step(m);
}

static void age_arm(struct memory *m, int64_t in)
{
    int64_t due = clock_wall_ms() + in;
    if (m->is_closed || m->app->stopping || (m->due_at && m->due_at <= due))
        return;
    m->due_at = due;
    uv_update_time(m->timer.loop);
    uv_timer_start(&m->timer, age_due, (uint64_t)in, 0);
}

/* What came last is old after a day; until then something may be. After it nothing is. */
static void age_over(struct memory *m, int status, const char *why)
{
    int64_t left = m->noted_at + MEMORY_WORKING_MS - clock_wall_ms();
    m->is_ageing = false;
    if (status < 0 && status != ERR_CANCELLED)
        log_warn("memory", "working memory could not be aged: %s", why);
    if (status < 0 || left + AGE_ROUND_MS > 0)
        age_arm(m, left > 0 && left < AGE_ROUND_MS ? left + 1 : AGE_ROUND_MS);
}

static void age_stepped(struct store_req *r)
{
    struct memory *m = r->data;
    struct errbuf e = r->error;
    int status = r->status;
    bool more = status == 0 && m->age.changed >= AGE_STEP && !m->app->stopping;
    store_req_deinit(r);
    if (more)
        age_step(m);
    else
        age_over(m, status, e.text);
}

static void age_step(struct memory *m)
{
    int64_t now = clock_wall_ms();
    memset(&m->age, 0, sizeof(m->age));
    store_req_init(&m->age.req, STORE_MEMORY_AGE, age_stepped, m);
    m->age.before = now - MEMORY_WORKING_MS;
    m->age.now_ms = now;
    m->age.keep = MEMORY_WORKING_ITEMS;
    m->age.limit = AGE_STEP;
    store_submit(m->app->store, &m->age.req);
}

void memory_note(struct memory *m)
{
    m->noted_at = clock_wall_ms();
    age_arm(m, AGE_SOON_MS);
}

void memory_ageing_open(struct memory *m)
{
    uv_timer_init(&m->app->loop, &m->timer);
    m->timer.data = m;
}

void memory_ageing_close(struct memory *m)
{
    m->is_closed = true;
    uv_close((uv_handle_t *)&m->timer, NULL);
}

/* ---- out of quarantine ---- */

/* One session that has ended, from the question to its group to the last of its chunks. */
struct release {
    struct list link;
    struct app *app;
    struct id session_id;
    int64_t created_at;             /* of the session */
    struct str workspace, group_id; /* in the arena */
    struct arena arena;
    struct catalog_lookup group;
    struct store_memory_query list;
    struct store_memory_update update;
    struct id *ids;
};

static void release_end(struct release *r)
{
    list_remove(&r->link);
    arena_deinit(&r->arena);
    free(r);
}

static void release_failed(const struct release *r, const struct errbuf *e)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(r->session_id, id);
    log_warn("memory", "what session %s wrote stays in quarantine for now: %s", id, e->text);
}

static void release_list(struct release *r);

static void release_seen(void *data)
{
    release_list(data); /* until there is nothing more of it */
}

static void release_moved(struct store_req *req)
{
    struct release *r = req->data;
    bool moved = req->status == 0 && r->update.changed > 0;
    if (req->status)
        release_failed(r, &req->error);
    else
        memory_note(&r->app->memory);
    store_req_deinit(req);
    if (moved)
        memory_hot_changed(r->app, r->workspace, release_seen, r);
    else
        release_end(r);
}

static void release_listed(struct store_req *req)
{
    struct release *r = req->data;
    size_t count = 0;
    if (req->status)
        release_failed(r, &req->error);
    else
        for (const struct memory_row *m = r->list.rows; m && count < RELEASE_STEP; m = m->next)
            r->ids[count++] = m->id;
    store_req_deinit(req);
    if (count == 0 || r->app->stopping) {
        release_end(r);
        return;
    }
    memset(&r->update, 0, sizeof(r->update));
    store_req_init(&r->update.req, STORE_MEMORY_UPDATE, release_moved, r);
    r->update.workspace = r->workspace;
    r->update.ids = r->ids;
    r->update.count = count;
    r->update.tier = MEMORY_WORKING;
    r->update.now_ms = clock_wall_ms();
    store_submit(r->app->store, &r->update.req);
}

/* A session writes nothing before it is made: so what is looked through is what has come to the
 * group since then, however much it remembers. */
static void release_list(struct release *r)
{
    if (r->app->stopping) { /* the next start goes on with it */
        release_end(r);
        return;
    }
    memset(&r->list, 0, sizeof(r->list));
    store_req_init(&r->list.req, STORE_MEMORY_QUERY, release_listed, r);
    r->list.workspace = r->workspace;
    r->list.group_id = r->group_id;
    r->list.session_id = r->session_id;
    r->list.created_after = r->created_at - CLOCKS_DIFFER_MS;
    r->list.tiers = MEMORY_QUARANTINE;
    r->list.limit = RELEASE_STEP;
    store_submit(r->app->store, &r->list.req);
}

/* A group that says nothing, or that nobody has described, lets it out: "auto". */
static bool group_is_manual(const struct catalog_row *row)
{
    struct json body = json_root(row ? row->body_json : STR("{}"));
    return json_string_eq(json_get_set(json_get_set(body, "memory"), "promote"), "manual");
}

static void release_ruled(struct catalog_lookup *l)
{
    struct release *r = l->data;
    bool goes_on = l->status == 0 && !group_is_manual(l->rows[0]);
    if (l->status)
        release_failed(r, &l->error);
    catalog_lookup_deinit(l);
    if (goes_on)
        release_list(r);
    else
        release_end(r);
}

static bool release_is_known(const struct memory *m, struct id session_id, struct str group_id)
{
    list_foreach(it, &m->releases)
    {
        const struct release *r = container_of(it, struct release, link);
        if (id_eq(r->session_id, session_id) && str_eq(r->group_id, group_id))
            return true;
    }
    return false;
}

static struct str kept(struct arena *a, struct str s)
{
    return (struct str){arena_strdup(a, s), s.n};
}

void memory_session_completed(struct memory *m, struct str workspace, struct id session_id,
                              struct str group_id, int64_t created_at)
{
    struct release *r;
    if (!group_id.n || m->app->stopping || release_is_known(m, session_id, group_id))
        return;
    r = mem_zalloc(sizeof(*r));
    r->app = m->app;
    r->session_id = session_id;
    r->created_at = created_at;
    arena_init(&r->arena);
    r->workspace = kept(&r->arena, workspace);
    r->group_id = kept(&r->arena, group_id);
    r->ids = arena_calloc(&r->arena, RELEASE_STEP, sizeof(*r->ids));
    list_append(&m->releases, &r->link);
    r->group.kind = CATALOG_GROUP;
    r->group.workspace = r->workspace;
    r->group.ids = &r->group_id;
    r->group.count = 1;
    r->group.done = release_ruled;
    r->group.data = r;
    catalog_lookup(m->app, &r->group);
}

/* ---- after a start ---- */

/* A process, this one or another instance, may have ended between the end of a session and its
 * release, and whoever aged the working memory may be gone. Looks at the newest of what stands in
 * quarantine; a session that did not complete, or whose group is manual, is looked at again at the
 * next start. */
struct sweep {
    struct app *app;
    struct store_memory_list list;
    struct store_session_get get;
    struct arena arena; /* of the cursor */
    struct memory_row *at;
    struct str cursor;
    unsigned pages;
};

static void sweep_page(struct sweep *s);

static void sweep_end(struct sweep *s)
{
    s->app->memory.is_sweeping = false;
    arena_deinit(&s->arena);
    store_req_deinit(&s->list.req);
    free(s);
}

static void sweep_next(struct sweep *s);

static void sweep_session_got(struct store_req *req)
{
    struct sweep *s = req->data;
    const struct memory_row *row = s->at;
    const struct session_row *session = &s->get.row;
    if (req->status == 0 && str_eqz(session->core.status, "completed"))
        memory_session_completed(&s->app->memory, row->workspace, row->session_id, row->group_id,
                                 session->created_at);
    store_req_deinit(req);
    s->at = s->at->next;
    sweep_next(s);
}

/* Chunks of one text follow each other: its session is asked for once. */
static void sweep_next(struct sweep *s)
{
    struct memory_row *m = s->at;
    while (m && (id_is_zero(m->session_id) ||
                 release_is_known(&s->app->memory, m->session_id, m->group_id)))
        m = m->next;
    s->at = m;
    if (m && !s->app->stopping) {
        memset(&s->get, 0, sizeof(s->get));
        store_req_init(&s->get.req, STORE_SESSION_GET, sweep_session_got, s);
        s->get.id = m->session_id;
        store_submit(s->app->store, &s->get.req);
    } else if (s->list.next_cursor.p && ++s->pages < SWEEP_PAGES && !s->app->stopping) {
        arena_deinit(&s->arena);
        arena_init(&s->arena);
        s->cursor = kept(&s->arena, s->list.next_cursor);
        store_req_deinit(&s->list.req);
        sweep_page(s);
    } else {
        sweep_end(s);
    }
}

static void sweep_listed(struct store_req *req)
{
    struct sweep *s = req->data;
    if (req->status) {
        sweep_end(s);
        return;
    }
    s->at = s->list.rows;
    sweep_next(s);
}

static void sweep_page(struct sweep *s)
{
    memset(&s->list, 0, sizeof(s->list));
    store_req_init(&s->list.req, STORE_MEMORY_LIST, sweep_listed, s);
    s->list.tiers = MEMORY_QUARANTINE;
    s->list.cursor = s->cursor;
    s->list.limit = SWEEP_PAGE;
    store_submit(s->app->store, &s->list.req);
}

struct look {
    struct memory *memory;
    struct store_memory_list list;
};

static void look_done(struct store_req *req)
{
    struct look *l = req->data;
    if (req->status == 0 && l->list.rows)
        memory_note(l->memory);
    store_req_deinit(req);
    free(l);
}

void memory_start(struct memory *m)
{
    if (m->app->stopping)
        return;
    struct look *l = mem_zalloc(sizeof(*l));
    l->memory = m;
    store_req_init(&l->list.req, STORE_MEMORY_LIST, look_done, l);
    l->list.tiers = MEMORY_WORKING;
    l->list.limit = 1;
    store_submit(m->app->store, &l->list.req);
    if (m->is_sweeping)
        return;
    m->is_sweeping = true;
    struct sweep *s = mem_zalloc(sizeof(*s));
    s->app = m->app;
    sweep_page(s);
}
