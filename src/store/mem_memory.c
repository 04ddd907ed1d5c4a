/* What groups remember, in memory: every row is looked at. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/mem_data.h"
#include "store/rules.h"

static struct memory_row *memory_at(const struct mem_data *d, size_t i)
{
    return &((struct mem_memory *)d->memories.rows[i])->row;
}

static bool memory_is_there(const struct mem_data *d, struct id id)
{
    for (size_t i = 0; i < d->memories.count; i++)
        if (id_eq(memory_at(d, i)->id, id))
            return true;
    return false;
}

int mem_memory_put(struct mem_data *d, struct store_memory_put *p)
{
    if (!mem_keys_are_free(d, p->idempotency))
        return err_set(&p->req.error, ERR_CONFLICT, "this Idempotency-Key is in use");
    for (const struct memory_row *row = p->rows; row; row = row->next) {
        struct memory_row in = *row;
        if (memory_is_there(d, in.id))
            continue;
        in.workspace = rules_workspace(in.workspace);
        in.group_id = rules_text(in.group_id);
        in.content = rules_text(in.content);
        in.metadata_json = in.metadata_json.p ? in.metadata_json : STR("{}");
        in.dimensions = in.embedding ? in.dimensions : 0;
        struct mem_memory *kept = mem_row_create(sizeof(*kept));
        kept->row = mem_copy_memory(&kept->arena, &in);
        mem_vec_put(&d->memories, kept, mem_cmp_memory);
    }
    mem_keys_write(d, p->idempotency);
    return 0;
}

/* How many texts of the group have each word, up to as many as count. */
static void memory_count(const struct memory_question *q, const struct memory_row *row,
                         int64_t found[RULES_QUESTION_WORDS], int64_t *texts)
{
    for (int i = 0; i < q->count; i++) {
        struct memory_question one = {.count = 1, .hashes = {q->hashes[i]}, .weights = {1}};
        found[i] += found[i] < RULES_COMMON && rules_question_score(&one, row->content) > 0;
    }
    *texts += *texts < RULES_COMMON;
}

int mem_memory_query(struct mem_data *d, struct store_memory_query *m)
{
    struct memory_row *all = NULL, **tail = &all;
    struct memory_question q;
    int64_t found[RULES_QUESTION_WORDS] = {0}, texts = 0;

    rules_question_init(&q, m->text);
    for (size_t i = d->memories.count; i-- > 0;) {
        const struct memory_row *row = memory_at(d, i);
        if (str_eq(row->workspace, rules_workspace(m->workspace)) &&
            str_eq(row->group_id, rules_text(m->group_id)))
            memory_count(&q, row, found, &texts);
        if (!rules_memory_matches(row, m))
            continue;
        *tail = arena_alloc(&m->req.arena, sizeof(*row));
        **tail = mem_copy_memory(&m->req.arena, row);
        tail = &(*tail)->next;
    }
    rules_question_weigh(&q, found, texts);
    m->rows = rules_memory_best(all, m, &q);
    return 0;
}

/* ---- lists ---- */

static bool memory_is_listed(const struct memory_row *row, const struct store_memory_list *l)
{
    return str_eq(row->workspace, rules_workspace(l->workspace)) &&
           (!l->group_id.p || str_eq(row->group_id, l->group_id)) &&
           (!l->agent_id.p || (row->agent_id.p && str_eq(row->agent_id, l->agent_id))) &&
           (id_is_zero(l->session_id) || id_eq(row->session_id, l->session_id)) &&
           (id_is_zero(l->source_id) || id_eq(row->source_id, l->source_id)) &&
           (!l->tiers || (l->tiers & (unsigned)row->tier) != 0);
}

static struct memory_row mem_memory_out(struct arena *a, const struct memory_row *row)
{
    struct memory_row out = mem_copy_memory(a, row);

    out.embedding = NULL;
    return out;
}

int mem_memory_list(struct mem_data *d, struct store_memory_list *l)
{
    struct memory_row **tail = &l->rows, *last = NULL;
    struct page page = page_of(l->limit);
    struct cursor c;
    struct id before;

    l->rows = NULL;
    l->next_cursor = STR_NULL;
    int status = rules_memory_cursor_read(l->cursor, &c, &before, &l->req.error);
    for (size_t i = d->memories.count; status == 0 && i-- > 0;) {
        const struct memory_row *row = memory_at(d, i);
        bool passed = row->created_at > c.a ||
                      (row->created_at == c.a && memcmp(row->id.b, before.b, 16) >= 0);
        if (passed || !memory_is_listed(row, l))
            continue;
        if (page_see(&page, true) == PAGE_STOP) {
            l->next_cursor = rules_memory_cursor(&l->req.arena, last);
            break;
        }
        last = *tail = arena_alloc(&l->req.arena, sizeof(*last));
        *last = mem_memory_out(&l->req.arena, row);
        tail = &last->next;
    }
    return status;
}

int mem_memory_get(struct mem_data *d, struct store_memory_get *g)
{
    for (size_t i = 0; i < d->memories.count; i++) {
        const struct memory_row *row = memory_at(d, i);
        if (!id_eq(row->id, g->id) || !str_eq(row->workspace, rules_workspace(g->workspace)))
            continue;
        g->row = mem_memory_out(&g->req.arena, row);
        return 0;
    }
    return err_set(&g->req.error, ERR_NOT_FOUND, "no such memory");
}

/* ---- changes ---- */

static bool memory_is_named(const struct memory_row *row, struct str workspace, struct id id)
{
    return (id_eq(row->id, id) || id_eq(row->source_id, id)) &&
           str_eq(row->workspace, rules_workspace(workspace));
}

static bool memory_change(struct memory_row *row, const struct store_memory_update *u)
{
    bool moved = u->tier && u->tier != row->tier;

    row->hits += u->hit;
    if (moved) {
        row->tier = u->tier;
        row->updated_at = u->now_ms;
    }
    return moved || u->hit;
}

int mem_memory_update(struct mem_data *d, struct store_memory_update *u)
{
    u->changed = 0;
    for (size_t n = 0; n < u->count; n++)
        for (size_t i = 0; i < d->memories.count; i++)
            if (memory_is_named(memory_at(d, i), u->workspace, u->ids[n]))
                u->changed += memory_change(memory_at(d, i), u);
    return 0;
}

/* Working memories of the same group that are newer there. */
static int memories_newer(const struct mem_data *d, const struct memory_row *than)
{
    int newer = 0;

    for (size_t i = 0; i < d->memories.count; i++) {
        const struct memory_row *row = memory_at(d, i);
        newer += row->tier == MEMORY_WORKING && str_eq(row->workspace, than->workspace) &&
                 str_eq(row->group_id, than->group_id) &&
                 (row->updated_at > than->updated_at ||
                  (row->updated_at == than->updated_at && memcmp(row->id.b, than->id.b, 16) > 0));
    }
    return newer;
}

int mem_memory_age(struct mem_data *d, struct store_memory_age *g)
{
    struct memory_row **old = mem_alloc((d->memories.count + 1) * sizeof(struct memory_row *));
    size_t count = 0, limit = (size_t)rules_retention_limit(g->limit);

    for (size_t i = 0; i < d->memories.count && count < limit; i++) {
        struct memory_row *row = memory_at(d, i);
        if (row->tier == MEMORY_WORKING &&
            (row->updated_at < g->before || (g->keep > 0 && memories_newer(d, row) >= g->keep)))
            old[count++] = row;
    }
    for (size_t i = 0; i < count; i++) {
        old[i]->tier = MEMORY_LONG_TERM;
        old[i]->updated_at = g->now_ms;
    }
    g->changed = (int64_t)count;
    free(old);
    return 0;
}

int mem_memory_delete(struct mem_data *d, struct store_memory_delete *r)
{
    r->changed = 0;
    for (size_t i = d->memories.count; i-- > 0;)
        if (memory_is_named(memory_at(d, i), r->workspace, r->id)) {
            mem_vec_remove(&d->memories, d->memories.rows[i], mem_cmp_memory);
            r->changed++;
        }
    return r->changed ? 0 : err_set(&r->req.error, ERR_NOT_FOUND, "no such memory");
}
