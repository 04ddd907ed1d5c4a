/* API keys, and who comes with one (docs/SECURITY.md).
 *
 * Keys are few, so all of them are in memory, by the SHA-256 of their text: whoever asks is known
 * at once. They are read before the server is ready, when another instance says that they have
 * changed, and, where the store is shared, every KEYS_REREAD_MS, for a message may be lost. A key's
 * text is random (256 bits) and is nowhere but with its holder.
 *
 *     POST /keys ─> row written ─> known here ─> told to the others
 *     revoked, expired ─> refused; what it holds open is closed
 *
 * last_used_at is kept to a minute and written in batches, never on the way of a request.
 */
#ifndef SLUICE_APP_KEYS_H
#define SLUICE_APP_KEYS_H

#include <uv.h>

#include "app/tokens.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/table.h"
#include "net/service.h"
#include "store/keys.h"

struct app;

#define KEYS_REREAD_MS   30000
#define KEYS_LOOK_MS     1000 /* at most so often for the sake of a key that is not known */
#define KEYS_RETRY_MS    1000
#define KEYS_USED_MS     60000 /* a use within that time of the last one is not noted */
#define KEYS_FLUSH_MS    5000  /* uses are written so long after the first one */
#define KEYS_MAX         10000 /* that are not revoked */
#define KEY_TEXT_PREFIX  "sk_sluice_"
#define KEY_TEXT_BYTES   (sizeof(KEY_TEXT_PREFIX) - 1 + BASE64URL_BYTES(32))
#define KEY_PREFIX_BYTES (sizeof(KEY_TEXT_PREFIX) - 1 + 4) /* what lists show of one */

/* --auth */
enum auth_mode {
    AUTH_AUTO,     /* as soon as a key exists, or tokens are configured */
    AUTH_REQUIRED, /* always */
    AUTH_OFF,      /* never */
};
bool auth_mode_parse(const char *word, enum auth_mode *out);
const char *auth_mode_word(enum auth_mode mode);

struct key {
    struct list link; /* in keys.all, by id */
    struct id id;
    uint8_t hash[KEY_HASH_BYTES];
    enum role role;
    char name[PRINCIPAL_NAME_MAX + 1], workspace[PRINCIPAL_NAME_MAX + 1];
    char prefix[KEY_PREFIX_BYTES + 1];
    int64_t created_at, last_used_at, expires_at, revoked_at;
    bool used; /* last_used_at is to be written */
};

struct keys {
    struct app *app;
    enum auth_mode mode;
    struct tokens *tokens; /* JWTs are taken; or NULL. Owned */
    struct list all;
    size_t count, live;
    struct table by_hash; /* by its first 16 bytes; struct key, the revoked ones as well */
    struct table by_id;
    struct store_key_list list;
    bool reading, read_again, loaded, closing;
    uint64_t looked_at; /* uv_now() */
    uv_timer_t flush, reread;
    void (*ready)(struct app *a); /* once, when they are loaded */
};

void keys_open(struct keys *k, struct app *a);
/* Reads them; app.store is open. Tries until it succeeds. */
void keys_start(struct keys *k, enum auth_mode mode, void (*ready)(struct app *a));
void keys_close(struct keys *k);
void keys_deinit(struct keys *k); /* the loop has ended */
/* They have changed elsewhere. */
void keys_reread(struct keys *k);

/* Must whoever comes show something? */
bool keys_demanded(const struct keys *k);
/* The vtable's functions. */
int keys_authenticate(struct keys *k, const struct credentials *shown, struct principal *out,
                      struct errbuf *e);
bool keys_may_stay(struct keys *k, const struct principal *who);

/* By id, or NULL. */
struct key *keys_find(const struct keys *k, struct id id);
bool key_is_live(const struct key *key, int64_t now);
/* What the store has taken: known from now on, here. */
void keys_added(struct keys *k, const struct key_row *row);
void keys_revoked(struct keys *k, struct id id, int64_t at);

/* A new key's text, and the row for it: hash and prefix, in the arena. */
void key_make(struct arena *a, char text[KEY_TEXT_BYTES + 1], struct key_row *row);

/* service_keys.c */
void svc_key_list(struct app *a, struct svc_req *req);
void svc_key_create(struct app *a, struct svc_req *req);
void svc_key_get(struct app *a, struct svc_req *req);
void svc_key_revoke(struct app *a, struct svc_req *req);
void svc_whoami(struct app *a, struct svc_req *req);
/* tickets.c */
void svc_ticket_make(struct app *a, struct svc_req *req);
void svc_ticket_take(struct app *a, struct svc_req *req);

#endif
