/* Webhooks among the other parts of the server. */
#include "app/app.h"
#include "base/clock.h"

static int64_t wall_ms(void *data)
{
    (void)data;
    return clock_wall_ms();
}

int app_webhook_key(struct app *a, bool make, struct errbuf *e)
{
    const struct config *c = &a->config;
    struct seal_key *key = &a->webhooks.key;
    if (key->is_set)
        return 0;
    if (c->secret_key)
        return seal_key_of_text(key, str_of(c->secret_key), e);
    if (a->store->v->shared)
        return make ? err_set(e, ERR_CONFLICT,
                              "secrets cannot be kept: set SLUICE_SECRET_KEY, the same for all "
                              "instances")
                    : 0;
    return seal_key_of_folder(key, c->data, make, e);
}

int app_webhooks_open(struct app *a, struct errbuf *e)
{
    struct webhooks *w = &a->webhooks;
    int rc = app_webhook_key(a, false, e);
    if (rc)
        return rc;
    rc = webhook_sender_open(&a->webhook_sender, &a->loop, a->config.tools.allow, NULL, e);
    w->store = a->store;
    w->sender = &a->webhook_sender.base;
    w->shared = a->store->v->shared;
    w->now = wall_ms;
    w->self = &a->instances.self;
    return rc;
}

void app_webhooks_start(struct app *a)
{
    webhooks_start(&a->webhooks);
}

void app_webhooks_sealed(struct live *l, const struct delta *d)
{
    if (!l->session)
        return;
    const struct session_meta *m = session_meta_of(l->session);
    const struct webhook_session about = {l->id, m->workflow_id, m->group_id, m->metadata_json};
    webhooks_sealed(&l->app->webhooks, m->workspace.p ? m->workspace : STR("default"), &about,
                    d->is_new, d->seq_first, d->seq_last, buf_str(&d->events));
}

void app_webhooks_metrics(const struct app *a, struct buf *out)
{
    static const char form[] = "# HELP %s %s\n# TYPE %s counter\n%s %llu\n";
    const char *delivered = "sluice_webhooks_delivered_total";
    const char *failed = "sluice_webhooks_failed_total";
    buf_printf(out, form, delivered, "events that a webhook took", delivered, delivered,
               a->webhooks.delivered);
    buf_printf(out, form, failed, "attempts at it that failed", failed, failed, a->webhooks.failed);
}
