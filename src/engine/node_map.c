#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"

/* Containers: a map runs its members once for each item, a sequence once, one after the other. An
 * item is a scope; when nothing is active in it any more, or a member has failed for good, it has
 * settled, and the drain tells the container. */

#define ITEMS_MAX       1000
#define SCOPE_NODES_MAX 20000 /* in all items under way: then others wait, but one of each map */
#define ITEM_TEXT_MAX   300   /* bytes of a member's error that the container's repeats */

static bool is_map(const struct session *s, unsigned n)
{
    return node_def(s, n)->kind == KIND_MAP;
}

static struct container *container_at(const struct session *s, unsigned n)
{
    return s->at->nodes[n].work->container;
}

/* ---- life ---- */

static struct container *container_new(struct session *s, struct work *w, unsigned count)
{
    struct container *k = mem_zalloc(sizeof(*k));
    k->count = count;
    k->item = mem_calloc(count, sizeof(*k->item));
    k->output = mem_calloc(count, sizeof(*k->output));
    k->state = mem_calloc(count, sizeof(*k->state));
    k->work = w;
    k->changed = true;
    w->container = k;
    list_append(&s->containers, &k->link);
    return k;
}

void container_free(struct container *k)
{
    if (!k)
        return;
    for (unsigned i = 0; i < k->count; i++)
        free((char *)k->output[i].p);
    list_remove(&k->link);
    free((char *)k->items.p);
    free(k->item);
    free(k->output);
    free(k->state);
    free(k);
}

/* `items` is a checked array of k->count elements. */
static void container_own_items(struct container *k, struct str items)
{
    struct json_iter it;
    own_set(&k->items, items);
    json_iter_init(&it, json_root(k->items));
    while (json_iter_next(&it) && it.index < k->count)
        k->item[it.index] = json_raw(it.value);
}

/* ---- what members see ---- */

static void scope_write_map(struct scope *c, const struct container *k)
{
    struct buf b;
    struct jw w;
    buf_init(&b, k->item[c->item].n + 100);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_raw(&w, "item", k->item[c->item]);
    jw_kv_i64(&w, "index", c->item);
    jw_kv_i64(&w, "count", k->count);
    jw_end(&w);
    own_set(&c->map_text, buf_str(&b));
    buf_deinit(&b);
}

struct str map_text(const struct session *s)
{
    const struct scope *c = scope_item(s->at);
    return c ? c->map_text : STR_NULL;
}

/* ---- items begin ---- */

static struct scope *item_open(struct session *s, unsigned n, unsigned item)
{
    struct container *k = container_at(s, n);
    struct scope *c = scope_open(s, n, item);
    if (is_map(s, n))
        scope_write_map(c, k);
    k->state[item] = ITEM_RUNS;
    k->alive++;
    return c;
}

static unsigned map_limit(const struct session *s, unsigned n)
{
    int64_t limit;
    if (json_i64(prop(s, n, "max_concurrent"), &limit) && limit > 0 && limit < ITEMS_MAX)
        return (unsigned)limit;
    return ITEMS_MAX;
}

static void items_begin(struct session *s, unsigned n)
{
    struct container *k = container_at(s, n);
    struct scope *was = s->at;
    unsigned limit = map_limit(s, n);
    while (k->next < k->count && k->alive < limit &&
           (!k->alive || s->scope_nodes < SCOPE_NODES_MAX)) {
        s->at = item_open(s, n, k->next++);
        ready_push(s, s->at->wf->start);
        s->at = was;
    }
}

void node_start_map(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct str items;
    if (eval_json(s, n, prop_text(s, n, "items"), &items, &e)) {
        node_failz(s, n, "invalid_expression", e.text);
        return;
    }
    struct json list = json_root(items);
    size_t count = json_length(list);
    if (json_type(list) != JSON_ARRAY) {
        err_set(&e, ERR_INVALID, "The items are %s, not an array.",
                json_type(list) == JSON_OBJECT ? "an object" : json_type_name(json_type(list)));
        node_failz(s, n, "invalid_items", e.text);
    } else if (count > ITEMS_MAX) {
        err_set(&e, ERR_INVALID, "A map takes at most %d items, not %zu.", ITEMS_MAX, count);
        node_failz(s, n, "invalid_items", e.text);
    } else if (!count) {
        node_complete(s, n, STR("[]"), EDGES_NEXT);
    } else {
        struct container *k = container_new(s, work_begin(s, n, WORK_CONTAINER), (unsigned)count);
        container_own_items(k, items);
        items_begin(s, n);
    }
}

void node_start_sequence(struct session *s, unsigned n)
{
    container_new(s, work_begin(s, n, WORK_CONTAINER), 1);
    items_begin(s, n);
}

/* ---- progress, for people ---- */

static void progress_event(struct session *s, unsigned n, unsigned done, unsigned total,
                           struct str item)
{
    char id[ID_TEXT_BYTES + 1];
    id_format(s->at->nodes[n].run_id, id);
    struct jw *w = event_begin(s, "stage_progress", (int)n);
    jw_kv_stringz(w, "instance_id", id);
    jw_kv_i64(w, "done", done);
    jw_kv_i64(w, "total", total);
    jw_kv_string(w, "item", item);
    event_end(s);
}

void step_settled(struct session *s, unsigned n)
{
    struct scope *c = s->at;
    unsigned done = 0;
    if (!c->parent || c->parent->wf->nodes[c->owner].kind != KIND_SEQUENCE)
        return;
    for (unsigned i = 0; i < c->wf->node_count; i++)
        done += c->nodes[i].phase == PHASE_DONE;
    struct str id = node_def(s, n)->id;
    s->at = c->parent;
    progress_event(s, c->owner, done, c->wf->node_count, id);
    s->at = c;
}

/* ---- items settle ---- */

/* Completed, and nothing follows it: of a map's item that is its end. */
static bool node_is_sink(const struct session *s, unsigned n)
{
    const struct node_def *def = node_def(s, n);
    const struct node_state *ns = &s->at->nodes[n];
    if (ns->phase != PHASE_DONE || ns->status != NODE_COMPLETED)
        return false;
    for (unsigned i = 0; i < def->out_count; i++)
        if (!s->at->wf->edges[def->out[i]].back && bit_get(s->at->live, def->out[i]))
            return false;
    return true;
}

static struct str outputs_by_id(struct session *s, bool sinks_only)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    for (unsigned n = 0; n < s->at->wf->node_count; n++) {
        if (sinks_only && !node_is_sink(s, n))
            continue;
        jw_key_str(&w, node_def(s, n)->id);
        jw_raw(&w, s->at->nodes[n].output.p ? s->at->nodes[n].output : STR("null"));
    }
    jw_end(&w);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* NULL: too large. */
static struct str item_output(struct session *s)
{
    unsigned sinks = 0, last = 0;
    if (s->at->parent->wf->nodes[s->at->owner].kind == KIND_SEQUENCE)
        return outputs_by_id(s, false);
    for (unsigned n = 0; n < s->at->wf->node_count; n++) {
        if (node_is_sink(s, n)) {
            sinks++;
            last = n;
        }
    }
    if (!sinks)
        return STR("null");
    return sinks == 1 ? tmp_copy(s, s->at->nodes[last].output) : outputs_by_id(s, true);
}

/* All settled: the outputs in order. */
static void map_complete(struct session *s, unsigned n)
{
    struct container *k = container_at(s, n);
    bool drop = json_string_eq(prop(s, n, "on_item_error"), "drop");
    struct buf b;
    struct jw w;
    buf_init(&b, (size_t)ENGINE_OUTPUT_BYTES_MAX * 2);
    jw_init(&w, &b);
    jw_array(&w);
    for (unsigned i = 0; i < k->count; i++) {
        if (k->state[i] == ITEM_DONE)
            jw_raw(&w, k->output[i]);
        else if (!drop)
            jw_null(&w);
    }
    jw_end(&w);
    node_complete(s, n, buf_str(&b), EDGES_NEXT);
    buf_deinit(&b);
}

/* The container n of s->at has an item less. output NULL: it failed, and that is tolerated. */
static void item_keep(struct session *s, unsigned n, unsigned item, struct str output)
{
    struct container *k = container_at(s, n);
    char text[16];
    if (!is_map(s, n)) {
        node_complete(s, n, output, EDGES_NEXT);
        return;
    }
    k->state[item] = output.p ? ITEM_DONE : ITEM_FAILED;
    k->settled++;
    k->bytes += output.n + 1;
    k->changed = true;
    if (k->bytes > ENGINE_OUTPUT_BYTES_MAX) {
        node_failz(s, n, "too_large", "The outputs of all items together are too large.");
        return;
    }
    own_set(&k->output[item], output);
    snprintf(text, sizeof(text), "%u", item);
    progress_event(s, n, k->settled, k->count, str_of(text));
    if (k->settled == k->count)
        map_complete(s, n);
    else
        items_begin(s, n);
}

static bool item_error_is_tolerated(const struct session *s, unsigned n)
{
    struct json policy = prop(s, n, "on_item_error");
    return json_string_eq(policy, "null") || json_string_eq(policy, "drop");
}

void item_settle(struct session *s)
{
    struct scope *c = s->at;
    unsigned n = c->owner;
    struct str output = c->failed ? STR_NULL : item_output(s);
    struct str code = c->failed ? c->fail_code : STR("too_large");
    struct str text = c->failed ? c->fail_text : STR("The output is larger than allowed.");
    s->at = c->parent;
    container_at(s, n)->alive--;
    container_at(s, n)->state[c->item] = ITEM_FAILED;
    scope_close(s, c); /* its texts live on until the step ends */
    if (output.p || item_error_is_tolerated(s, n))
        item_keep(s, n, c->item, output);
    else
        node_fail(s, n, code.p, text, -1, true);
}

void item_fail(struct session *s, unsigned n, const char *code, struct str message)
{
    struct scope *c = s->at;
    const struct scope *item = scope_item(c);
    struct errbuf e;
    int len = (int)(message.n > ITEM_TEXT_MAX ? ITEM_TEXT_MAX : message.n);
    while (len > 0 && (size_t)len < message.n && ((unsigned char)message.p[len] & 0xc0) == 0x80)
        len--; /* a cut may not split a character */
    if (item == c)
        err_set(&e, 0, "Item %u, node \"%.*s\": %.*s", c->item, STR_FMT(node_def(s, n)->id), len,
                message.p);
    else
        err_set(&e, 0, "Node \"%.*s\": %.*s", STR_FMT(node_def(s, n)->id), len, message.p);
    c->failed = true;
    own_set(&c->fail_code, str_of(code));
    own_set(&c->fail_text, str_of(e.text));
    for (unsigned i = 0; i < c->wf->node_count; i++)
        if (phase_is_active(c->nodes[i].phase))
            node_cancel(s, i, "cancelled", "Another node of the same item failed.");
    scope_stir(s, c);
}

/* ---- ended from outside ---- */

void container_cancel(struct session *s, unsigned n, const char *code, const char *message)
{
    struct scope *was = s->at, *c;
    struct container *k = container_at(s, n);
    while (k && k->alive && (c = scope_inside(s, n))) {
        s->at = c;
        for (unsigned i = 0; i < c->wf->node_count; i++)
            if (phase_is_active(c->nodes[i].phase))
                node_cancel(s, i, code, message);
        s->at = was;
        k->state[c->item] = ITEM_FAILED;
        k->alive--;
        scope_close(s, c);
    }
}

/* ---- progress, as rows ---- */

/* Texts in texts, so that nothing is nested deeper than it was. */
static struct str progress_text(struct session *s, const struct container *k)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ((size_t)ENGINE_OUTPUT_BYTES_MAX + ENGINE_OUTPUT_BYTES_MAX) * 6);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_string(&w, "items", k->items);
    jw_key(&w, "settled");
    jw_array(&w);
    for (unsigned i = 0; i < k->count; i++) {
        if (k->state[i] != ITEM_DONE && k->state[i] != ITEM_FAILED)
            continue;
        jw_object(&w);
        jw_kv_i64(&w, "item", i);
        if (k->output[i].p)
            jw_kv_string(&w, "output", k->output[i]);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    struct str out = {arena_strdup(&s->made->out.arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return out;
}

void containers_write(struct session *s)
{
    struct scope *was = s->at;
    list_foreach(it, &s->containers)
    {
        struct container *k = container_of(it, struct container, link);
        s->at = k->work->scope;
        if (!k->changed || !is_map(s, k->work->node))
            continue;
        run_row_sync(s, k->work->node);
        s->at->nodes[k->work->node].row->progress_json = progress_text(s, k);
        k->changed = false;
    }
    s->at = was;
}

/* ---- the way back ---- */

static bool settled_restore(struct container *k, struct json v)
{
    struct json output = json_get_set(v, "output");
    struct buf b;
    int64_t i;
    if (!json_i64(json_get_set(v, "item"), &i) || i < 0 || i >= k->count ||
        k->state[i] != ITEM_WAITS)
        return false;
    k->state[i] = ITEM_FAILED;
    k->settled++;
    if (!json_exists(output))
        return true;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX + 1);
    bool good = json_type(output) == JSON_STRING && json_string(output, &b) && !buf_error(&b) &&
                !json_check(buf_str(&b), NULL, NULL);
    if (good) {
        own_set(&k->output[i], json_raw(json_root(buf_str(&b))));
        k->bytes += k->output[i].n + 1;
        k->state[i] = ITEM_DONE;
    }
    buf_deinit(&b);
    return good;
}

static int map_restore(struct session *s, struct work *w, struct json progress)
{
    struct json items = json_get_set(progress, "items");
    struct json_iter it;
    struct buf b;
    int rc = ERR_CORRUPT;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX + 1);
    if (json_type(items) != JSON_STRING || !json_string(items, &b) || buf_error(&b) ||
        json_check(buf_str(&b), NULL, NULL))
        goto out;
    struct json list = json_root(buf_str(&b));
    size_t count = json_length(list);
    if (json_type(list) != JSON_ARRAY || !count || count > ITEMS_MAX)
        goto out;
    struct container *k = container_new(s, w, (unsigned)count);
    container_own_items(k, json_raw(list));
    k->changed = false;
    rc = 0;
    json_iter_init(&it, json_get_set(progress, "settled"));
    while (json_iter_next(&it) && !rc)
        rc = settled_restore(k, it.value) ? 0 : ERR_CORRUPT;
    k->next = k->settled;
out:
    buf_deinit(&b);
    return rc;
}

/* Then its scopes are opened again, one by one, by scope_restore(). */
int container_restore(struct session *s, unsigned n, struct work *w, struct json progress)
{
    if (is_map(s, n))
        return map_restore(s, w, progress);
    container_new(s, w, 1)->changed = false;
    return 0;
}

struct scope *item_restore(struct session *s, unsigned n, int64_t item)
{
    struct container *k = container_at(s, n);
    if (item < 0 || item >= k->count || k->state[item] != ITEM_WAITS)
        return NULL;
    k->next++;
    return item_open(s, n, (unsigned)item);
}

#define BROKEN(...) return err_set(e, ERR_CORRUPT, __VA_ARGS__)

int container_verify(const struct session *s, unsigned n, struct errbuf *e)
{
    const struct container *k = container_at(s, n);
    unsigned counts[ITEM_FAILED + 1] = {0}, scopes = 0;
    scopes_foreach(it, s)
    {
        const struct scope *c = scope_of(it);
        if (c->parent != s->at || c->owner != n)
            continue;
        if (c->item >= k->count || k->state[c->item] != ITEM_RUNS)
            BROKEN("a scope is of item %u, which does not run", c->item);
        scopes++;
    }
    for (unsigned i = 0; i < k->count; i++)
        counts[k->state[i]]++;
    if (counts[ITEM_RUNS] != k->alive || scopes != k->alive)
        BROKEN("%u items run (counted %u) in %u scopes", counts[ITEM_RUNS], k->alive, scopes);
    if (counts[ITEM_DONE] + counts[ITEM_FAILED] != k->settled || k->next != k->settled + k->alive)
        BROKEN("%u items have settled, %u have begun", k->settled, k->next);
    for (unsigned i = 0; i < k->count; i++)
        if ((k->state[i] == ITEM_WAITS) != (i >= k->next))
            BROKEN("item %u did not begin in its turn", i);
    if (!k->alive)
        BROKEN("a container runs, but none of its items");
    return 0;
}
