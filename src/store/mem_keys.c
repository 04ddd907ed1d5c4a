/* API keys and one-time tickets in memory. */
#include <string.h>

#include "store/keys.h"
#include "store/mem_data.h"
#include "store/rules.h"

static int cmp_key(const struct mem_row *a, const struct mem_row *b)
{
    return memcmp(((const struct mem_key *)a)->row.id.b, ((const struct mem_key *)b)->row.id.b, 16);
}

static int cmp_ticket(const struct mem_row *a, const struct mem_row *b)
{
    return memcmp(((const struct mem_ticket *)a)->hash.p, ((const struct mem_ticket *)b)->hash.p,
                  KEY_HASH_BYTES);
}

static struct key_row copy_key(struct arena *a, const struct key_row *r)
{
    struct key_row row = *r;

    row.next = NULL;
    row.workspace = rules_copy(a, rules_workspace(r->workspace));
    row.name = rules_copy(a, r->name);
    row.role = rules_copy(a, r->role);
    row.prefix = rules_copy(a, r->prefix);
    row.hash = rules_copy(a, r->hash);
    return row;
}

int mem_key_list(struct mem_data *d, struct store_key_list *l)
{
    struct key_row **tail = &l->rows;

    l->rows = NULL;
    for (size_t i = 0; i < d->keys.count; i++) {
        struct key_row *row = arena_alloc(&l->req.arena, sizeof(*row));
        *row = copy_key(&l->req.arena, &((const struct mem_key *)d->keys.rows[i])->row);
        *tail = row;
        tail = &row->next;
    }
    return 0;
}

static struct mem_key *key_find(const struct mem_data *d, struct id id)
{
    struct mem_key key = {.row.id = id};

    return mem_vec_get(&d->keys, &key, cmp_key);
}

static int key_put(struct mem_data *d, struct store_key_write *w)
{
    bool there = key_find(d, w->row.id) != NULL;

    for (size_t i = 0; i < d->keys.count && !there; i++)
        there = str_eq(((const struct mem_key *)d->keys.rows[i])->row.hash, w->row.hash);
    if (there)
        return err_set(&w->req.error, ERR_CONFLICT, "that key is there already");
    struct mem_key *key = mem_row_create(sizeof(*key));
    key->row = copy_key(&key->arena, &w->row);
    mem_vec_put(&d->keys, key, cmp_key);
    return 0;
}

static int key_revoke(struct mem_data *d, struct store_key_write *w)
{
    struct mem_key *key = key_find(d, w->id);

    if (!key)
        return err_set(&w->req.error, ERR_NOT_FOUND, "there is no such key");
    if (key->row.revoked_at == 0)
        key->row.revoked_at = w->at;
    return 0;
}

int mem_key_write(struct mem_data *d, struct store_key_write *w)
{
    switch (w->kind) {
    case KEY_PUT:
        return key_put(d, w);
    case KEY_REVOKE:
        return key_revoke(d, w);
    case KEY_USED:
        for (const struct key_row *row = w->rows; row; row = row->next) {
            struct mem_key *key = key_find(d, row->id);
            if (key && key->row.last_used_at < row->last_used_at)
                key->row.last_used_at = row->last_used_at;
        }
        return 0;
    }
    return ERR_INTERNAL;
}

static void tickets_tidy(struct mem_data *d, int64_t now)
{
    for (size_t i = d->tickets.count; i-- > 0;)
        if (((const struct mem_ticket *)d->tickets.rows[i])->expires_at <= now)
            mem_vec_remove(&d->tickets, d->tickets.rows[i], cmp_ticket);
}

int mem_ticket(struct mem_data *d, struct store_ticket *t)
{
    struct mem_ticket key = {.hash = t->hash}, *found;

    tickets_tidy(d, t->now);
    if (!t->take) {
        struct mem_ticket *row = mem_row_create(sizeof(*row));
        row->hash = rules_copy(&row->arena, t->hash);
        row->body_json = rules_copy(&row->arena, t->body_json);
        row->expires_at = t->expires_at;
        mem_vec_put(&d->tickets, row, cmp_ticket);
        return 0;
    }
    found = mem_vec_get(&d->tickets, &key, cmp_ticket);
    if (!found)
        return err_set(&t->req.error, ERR_NOT_FOUND, "there is no such ticket");
    t->body_json = rules_copy(&t->req.arena, found->body_json);
    mem_vec_remove(&d->tickets, &key, cmp_ticket);
    return 0;
}
