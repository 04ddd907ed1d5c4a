#include "app/webhook_post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "tools/curl_fetch.h"

struct posting {
    struct fetch f;
    struct hook_post *post;
    uint64_t began_ns;
};

void webhook_sign(struct str secret, int64_t at_s, struct str body, char out[WEBHOOK_SIGNATURE_MAX])
{
    uint8_t mac[DIGEST_SHA256_BYTES];
    struct buf b;
    buf_init(&b, body.n + 32);
    buf_printf(&b, "%lld.", (long long)at_s);
    buf_append_str(&b, body);
    digest_hmac_sha256(secret, buf_str(&b), mac);
    buf_deinit(&b);
    int n = snprintf(out, WEBHOOK_SIGNATURE_MAX, "t=%lld,v1=", (long long)at_s);
    for (size_t i = 0; i < sizeof(mac); i++)
        n += snprintf(out + n, WEBHOOK_SIGNATURE_MAX - (size_t)n, "%02x", mac[i]);
}

static void posting_free(struct posting *x)
{
    fetch_deinit(&x->f);
    free(x);
}

static void posting_done(struct fetch *f)
{
    struct posting *x = f->data;
    struct hook_post *p = x->post;
    p->http_status = f->http_status;
    p->duration_ms = (int64_t)((clock_mono_ns() - x->began_ns) / 1000000);
    p->taken = f->status == 0 && f->http_status >= 200 && f->http_status < 300;
    p->refused = f->status == 0 && f->http_status == 410;
    if (f->status)
        snprintf(p->error, sizeof(p->error), "%.31s: %.200s", f->code, f->error.text);
    else if (!p->taken)
        snprintf(p->error, sizeof(p->error), "it answered %ld", f->http_status);
    p->impl = NULL;
    posting_free(x);
    p->done(p);
}

static void posting_headers(struct posting *x)
{
    const struct hook_post *p = x->post;
    char id[ID_TEXT_BYTES + 1], signature[WEBHOOK_SIGNATURE_MAX];
    struct errbuf e;
    fetch_add_header(&x->f, STR("Content-Type"), STR("application/json"), false, &e);
    fetch_add_header(&x->f, STR("User-Agent"), STR("sluice/" SLUICE_VERSION), false, &e);
    id_format(p->hook, id);
    fetch_add_header(&x->f, STR("Sluice-Webhook"), str_of(id), false, &e);
    id_format(p->delivery, id);
    fetch_add_header(&x->f, STR("Sluice-Delivery"), str_of(id), false, &e);
    fetch_add_header(&x->f, STR("Sluice-Event"), p->type, false, &e);
    if (p->replay)
        fetch_add_header(&x->f, STR("Sluice-Replay"), STR("1"), false, &e);
    webhook_sign(p->secret, p->at / 1000, p->body, signature);
    fetch_add_header(&x->f, STR("Sluice-Signature"), str_of(signature), false, &e);
}

static void sender_post(struct hook_sender *base, struct hook_post *p)
{
    struct webhook_sender *s = container_of(base, struct webhook_sender, base);
    struct posting *x = mem_zalloc(sizeof(*x));
    fetch_init(&x->f, s->fetcher);
    x->post = p;
    x->began_ns = clock_mono_ns();
    x->f.url = str_dup(p->url);
    memcpy(x->f.method, "POST", sizeof("POST"));
    x->f.body = p->body;
    x->f.bytes_max = HOOK_ANSWER_MAX;
    x->f.timeout_ms = HOOK_TIMEOUT_MS;
    x->f.on_done = posting_done;
    x->f.data = x;
    posting_headers(x);
    p->impl = x;
    fetch_start(&x->f);
}

static void sender_cancel(struct hook_sender *base, struct hook_post *p)
{
    (void)base;
    if (p->impl)
        posting_free(p->impl);
    p->impl = NULL;
}

int webhook_sender_open(struct webhook_sender *s, uv_loop_t *loop, const char *const *allow,
                        const char *proxy, struct errbuf *e)
{
    size_t count = 0;
    while (allow && allow[count])
        count++;
    memset(s, 0, sizeof(*s));
    s->base = (struct hook_sender){sender_post, sender_cancel};
    s->rules = mem_calloc(count + 1, sizeof(*s->rules));
    for (size_t i = 0; i < count; i++)
        if (address_rule_parse(&s->rules[i], allow[i], e))
            return ERR_INVALID;
    struct fetcher_options options = {
        .is_guarded = true, .rules = s->rules, .rule_count = count, .proxy = proxy};
    return fetcher_open(&s->fetcher, loop, &options, e);
}

void webhook_sender_close(struct webhook_sender *s, void (*closed)(void *data), void *data)
{
    fetcher_close(s->fetcher, closed, data);
    free(s->rules);
    s->rules = NULL;
}
