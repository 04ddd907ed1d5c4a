/* The requests of webhooks, over HTTP: signed, guarded like those of tools, no redirects followed,
 * with little read of the answer.
 *
 *     POST url
 *     Content-Type: application/json      the body is the event, as every reader gets it
 *     Sluice-Webhook, Sluice-Event        the webhook's id, the type
 *     Sluice-Delivery                     the same on every repeat
 *     Sluice-Replay: 1                    asked for by a person
 *     Sluice-Signature: t=<unix s>,v1=<hex HMAC-SHA-256 of "<t>.<body>">
 */
#ifndef SLUICE_APP_WEBHOOK_POST_H
#define SLUICE_APP_WEBHOOK_POST_H

#include "app/webhooks.h"
#include "tools/address.h"

struct fetcher;
struct webhook_sender {
    struct hook_sender base;
    struct fetcher *fetcher;
    struct address_rule *rules; /* of inner addresses that may be reached */
};

/* allow: as tools.http.allow, NULL-terminated, or NULL. ERR_INVALID; ERR_INTERNAL. */
int webhook_sender_open(struct webhook_sender *s, uv_loop_t *loop, const char *const *allow,
                        const char *proxy, struct errbuf *e);
/* Nothing is under way. */
void webhook_sender_close(struct webhook_sender *s, void (*closed)(void *data), void *data);

/* "t=…,v1=…" */
#define WEBHOOK_SIGNATURE_MAX 100
void webhook_sign(struct str secret, int64_t at_s, struct str body,
                  char out[WEBHOOK_SIGNATURE_MAX]);

#endif
