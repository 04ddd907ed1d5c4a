#include "app/keys.h"

#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static const char *const mode_words[] = {"auto", "required", "off"};

bool auth_mode_parse(const char *word, enum auth_mode *out)
{
    for (int i = AUTH_AUTO; i <= AUTH_OFF; i++)
        if (strcmp(word, mode_words[i]) == 0) {
            *out = (enum auth_mode)i;
            return true;
        }
    return false;
}

const char *auth_mode_word(enum auth_mode mode)
{
    return mode_words[mode];
}

/* ---- those that are known ---- */

static struct id hash_slot(const uint8_t hash[KEY_HASH_BYTES])
{
    struct id id;

    memcpy(id.b, hash, sizeof(id.b));
    return id;
}

struct key *keys_find(const struct keys *k, struct id id)
{
    return table_get(&k->by_id, id);
}

bool key_is_live(const struct key *key, int64_t now)
{
    return key->revoked_at == 0 && (key->expires_at == 0 || now < key->expires_at);
}

static void text_set(char *out, size_t max, struct str s)
{
    size_t n = s.n < max ? s.n : max;

    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

static void key_read(struct key *key, const struct key_row *row)
{
    key->id = row->id;
    memcpy(key->hash, row->hash.p, KEY_HASH_BYTES);
    key->role = role_parse(row->role);
    text_set(key->name, PRINCIPAL_NAME_MAX, row->name);
    text_set(key->workspace, PRINCIPAL_NAME_MAX, row->workspace);
    text_set(key->prefix, KEY_PREFIX_BYTES, row->prefix);
    key->created_at = row->created_at;
    key->expires_at = row->expires_at;
    key->revoked_at = row->revoked_at;
    if (key->last_used_at < row->last_used_at)
        key->last_used_at = row->last_used_at;
}

/* By id; those that come are newer than most, if not all. */
static void keys_insert(struct keys *k, struct key *key)
{
    struct list *before = k->all.prev;

    while (before != &k->all &&
           memcmp(container_of(before, struct key, link)->id.b, key->id.b, sizeof(key->id.b)) > 0)
        before = before->prev;
    list_prepend(before, &key->link); /* behind it */
    k->count++;
}

static void keys_put(struct keys *k, const struct key_row *row)
{
    struct key *key = keys_find(k, row->id);

    if (!key) {
        key = mem_zalloc(sizeof(*key));
        key->id = row->id;
        keys_insert(k, key);
    }
    k->live -= key->created_at && key->revoked_at == 0;
    key_read(key, row);
    k->live += key->revoked_at == 0;
    table_put(&k->by_id, key->id, key);
    table_put(&k->by_hash, hash_slot(key->hash), key);
}

/* Connections that were let in by what does not hold any more are closed. */
static void keys_changed(struct keys *k)
{
    if (k->app->net)
        net_server_recheck(k->app->net);
}

void keys_added(struct keys *k, const struct key_row *row)
{
    keys_put(k, row);
    instances_tell_keys(&k->app->instances);
    keys_changed(k);
}

void keys_revoked(struct keys *k, struct id id, int64_t at)
{
    struct key *key = keys_find(k, id);

    if (key && key->revoked_at == 0) {
        key->revoked_at = at;
        k->live--;
    }
    instances_tell_keys(&k->app->instances);
    keys_changed(k);
}

/* ---- reading ---- */

static void keys_read_now(struct keys *k);

static void keys_reread_due(uv_timer_t *t)
{
    struct keys *k = t->data;

    if (k->loaded && instances_is_resting(&k->app->instances))
        return; /* nobody else changes them; read again when it wakes */
    keys_read_now(k);
}

static void keys_read(struct store_req *r)
{
    struct keys *k = r->data;
    bool again = k->read_again, failed = r->status != 0;

    k->reading = false;
    for (const struct key_row *row = failed ? NULL : k->list.rows; row; row = row->next)
        keys_put(k, row);
    if (failed && r->status != ERR_CANCELLED)
        log_error("keys", "cannot be read: %s", r->error.text);
    store_req_deinit(r);
    if (k->closing)
        return;
    if (again) {
        keys_read_now(k);
        return;
    }
    if (failed)
        uv_timer_start(&k->reread, keys_reread_due, KEYS_RETRY_MS, 0);
    else if (k->app->store->v->shared)
        uv_timer_start(&k->reread, keys_reread_due, KEYS_REREAD_MS, 0);
    if (failed)
        return;
    keys_changed(k);
    if (!k->loaded) {
        k->loaded = true;
        k->ready(k->app);
    }
}

static void keys_read_now(struct keys *k)
{
    k->read_again = k->reading;
    if (k->reading || k->closing)
        return;
    k->reading = true;
    memset(&k->list, 0, sizeof(k->list));
    store_req_init(&k->list.req, STORE_KEY_LIST, keys_read, k);
    store_submit(k->app->store, &k->list.req);
}

void keys_reread(struct keys *k)
{
    if (k->loaded)
        keys_read_now(k);
}

/* ---- uses ---- */

struct keys_flush {
    struct store_key_write write;
    struct key_row rows[];
};

static void keys_flushed(struct store_req *r)
{
    struct keys_flush *f = r->data;

    if (r->status && r->status != ERR_CANCELLED)
        log_warn("keys", "when keys were used last could not be written: %s", r->error.text);
    store_req_deinit(r);
    free(f);
}

static void keys_flush_due(uv_timer_t *t)
{
    struct keys *k = t->data;
    struct keys_flush *f = mem_zalloc(sizeof(*f) + k->count * sizeof(f->rows[0]));
    size_t n = 0;

    list_foreach(it, &k->all)
    {
        struct key *key = container_of(it, struct key, link);
        if (!key->used)
            continue;
        key->used = false;
        f->rows[n] = (struct key_row){.id = key->id, .last_used_at = key->last_used_at};
        if (n > 0)
            f->rows[n - 1].next = &f->rows[n];
        n++;
    }
    store_req_init(&f->write.req, STORE_KEY_WRITE, keys_flushed, f);
    f->write.kind = KEY_USED;
    f->write.rows = f->rows;
    store_submit(k->app->store, &f->write.req);
}

static void key_note_use(struct keys *k, struct key *key, int64_t now)
{
    if (now - key->last_used_at < KEYS_USED_MS || k->closing)
        return;
    key->last_used_at = now;
    key->used = true;
    if (!uv_is_active((uv_handle_t *)&k->flush))
        uv_timer_start(&k->flush, keys_flush_due, KEYS_FLUSH_MS, 0);
}

/* ---- who comes ---- */

bool keys_demanded(const struct keys *k)
{
    /* A revoked key counts: to revoke the last one does not open the server to everybody. */
    return k->mode == AUTH_REQUIRED || (k->mode == AUTH_AUTO && (k->count > 0 || k->tokens));
}

static int keys_refuse(struct errbuf *e, const char *why)
{
    return err_set(e, ERR_UNAUTHORIZED, "%s", why);
}

/* It may have been made at another instance a moment ago, and what that said may be lost. */
static void keys_look_again(struct keys *k)
{
    uint64_t now = uv_now(&k->app->loop);

    if (!k->app->store->v->shared || now - k->looked_at < KEYS_LOOK_MS)
        return;
    k->looked_at = now;
    keys_reread(k);
}

static int key_authenticate(struct keys *k, struct str text, struct principal *out,
                            struct errbuf *e)
{
    uint8_t hash[KEY_HASH_BYTES];
    int64_t now = clock_wall_ms();
    struct key *key;

    digest_sha256(text, hash);
    key = table_get(&k->by_hash, hash_slot(hash));
    if (!key || !digest_eq(key->hash, hash, sizeof(hash))) {
        keys_look_again(k);
        return keys_refuse(e, "this key is not known here");
    }
    if (key->revoked_at)
        return keys_refuse(e, "this key was revoked");
    if (!key_is_live(key, now))
        return keys_refuse(e, "this key has expired");
    key_note_use(k, key, now);
    memset(out, 0, sizeof(*out));
    out->kind = PRINCIPAL_KEY;
    out->role = key->role;
    out->key_id = key->id;
    out->expires_at = key->expires_at;
    memcpy(out->name, key->name, sizeof(out->name));
    memcpy(out->workspace, key->workspace, sizeof(out->workspace));
    return 0;
}

int keys_authenticate(struct keys *k, const struct credentials *shown, struct principal *out,
                      struct errbuf *e)
{
    if (!keys_demanded(k)) {
        principal_anonymous(out);
        return 0;
    }
    if (!shown->bearer.p || shown->bearer.n == 0)
        return keys_refuse(e, "show a key: Authorization: Bearer <key>");
    if (k->tokens && memchr(shown->bearer.p, '.', shown->bearer.n)) /* no key has one */
        return tokens_authenticate(k->tokens, shown->bearer, out, e);
    return key_authenticate(k, shown->bearer, out, e);
}

bool keys_may_stay(struct keys *k, const struct principal *who)
{
    int64_t now = clock_wall_ms();
    const struct key *key;

    switch (who->kind) {
    case PRINCIPAL_ANONYMOUS:
        return !keys_demanded(k);
    case PRINCIPAL_KEY:
        key = keys_find(k, who->key_id);
        return k->mode == AUTH_OFF || (key && key_is_live(key, now));
    case PRINCIPAL_TOKEN:
        return who->expires_at == 0 || now < who->expires_at;
    case PRINCIPAL_SERVER:
        return true;
    }
    return false;
}

/* ---- making one ---- */

void key_make(struct arena *a, char text[KEY_TEXT_BYTES + 1], struct key_row *row)
{
    uint8_t secret[32], *hash = arena_alloc(a, KEY_HASH_BYTES);
    struct buf b;

    digest_random(secret, sizeof(secret));
    buf_init(&b, KEY_TEXT_BYTES + 1);
    buf_append_z(&b, KEY_TEXT_PREFIX);
    base64url_append(&b, secret, sizeof(secret));
    memcpy(text, b.data, KEY_TEXT_BYTES);
    text[KEY_TEXT_BYTES] = '\0';
    digest_sha256((struct str){text, KEY_TEXT_BYTES}, hash);
    row->hash = (struct str){(const char *)hash, KEY_HASH_BYTES};
    row->prefix = str_of(arena_strdup(a, (struct str){text, KEY_PREFIX_BYTES}));
    explicit_bzero(b.data, b.len);
    explicit_bzero(secret, sizeof(secret));
    buf_deinit(&b);
}

/* ---- its life ---- */

void keys_open(struct keys *k, struct app *a)
{
    k->app = a;
    list_init(&k->all);
    table_init(&k->by_hash);
    table_init(&k->by_id);
    uv_timer_init(&a->loop, &k->flush);
    uv_timer_init(&a->loop, &k->reread);
    k->flush.data = k->reread.data = k;
}

void keys_start(struct keys *k, enum auth_mode mode, void (*ready)(struct app *a))
{
    k->mode = mode;
    k->ready = ready;
    keys_read_now(k);
}

void keys_close(struct keys *k)
{
    k->closing = true;
    tokens_close(k->tokens);
    k->tokens = NULL;
    uv_close((uv_handle_t *)&k->flush, NULL);
    uv_close((uv_handle_t *)&k->reread, NULL);
}

void keys_deinit(struct keys *k)
{
    struct list *it;

    while ((it = list_pop(&k->all)) != NULL)
        free(container_of(it, struct key, link));
    table_deinit(&k->by_hash);
    table_deinit(&k->by_id);
}
