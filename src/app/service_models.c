/* Providers and prices: from the settings and the lanes, no store is asked. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "base/json.h"

/* One page of what is counted from 0; the cursor is the next number. */
struct page {
    struct jw w;
    struct svc_req *req;
    size_t at, end, count;
};

static bool page_begin(struct page *p, struct svc_req *req, size_t count)
{
    char text[24] = "", *end = text;
    struct str cursor = req->list.cursor;
    *p = (struct page){.req = req, .count = count};
    if (cursor.n && cursor.n < sizeof(text)) {
        memcpy(text, cursor.p, cursor.n);
        p->at = strtoul(text, &end, 10);
    }
    if ((cursor.n && (end == text || *end)) || p->at > count) {
        app_fail(req, ERR_INVALID, "cursor: not one that was given");
        return false;
    }
    p->end = p->at + (size_t)req->list.limit < count ? p->at + (size_t)req->list.limit : count;
    jw_init(&p->w, &req->body);
    jw_object(&p->w);
    jw_key(&p->w, "items");
    jw_array(&p->w);
    return true;
}

static void page_end(struct page *p)
{
    char next[24];
    jw_end(&p->w);
    snprintf(next, sizeof(next), "%zu", p->end);
    jw_kv_stringz(&p->w, "next_cursor", p->end < p->count ? next : NULL);
    jw_end(&p->w);
    app_done(p->req);
}

/* ---- providers ---- */

static void models_write(struct jw *w, const struct llm_provider *p)
{
    jw_kv_stringz(w, "default_model", p->default_model);
    jw_key(w, "models");
    jw_array(w);
    for (unsigned i = 0; i < p->model_count; i++)
        jw_stringz(w, p->models[i]);
    if (!p->model_count && p->default_model)
        jw_stringz(w, p->default_model);
    jw_end(w);
}

static void provider_write(struct jw *w, const struct llm_provider_stats *s)
{
    const struct llm_provider *p = s->config;
    jw_object(w);
    jw_kv_stringz(w, "id", p->id);
    jw_kv_stringz(w, "dialect", llm_dialect_name(p->dialect));
    models_write(w, p);
    jw_kv_stringz(w, "state", s->circuit);
    jw_key(w, "retry_in_ms");
    if (s->open_ms)
        jw_i64(w, s->open_ms);
    else
        jw_null(w);
    jw_kv_u64(w, "queue", s->waiting);
    jw_kv_u64(w, "in_flight", s->in_flight);
    jw_kv_u64(w, "max_concurrent", p->max_concurrent);
    jw_end(w);
}

void svc_llm_providers(struct app *a, struct svc_req *req)
{
    struct page p;
    if (!page_begin(&p, req, llm_provider_count(a->llm)))
        return;
    for (size_t i = p.at; i < p.end; i++) {
        struct llm_provider_stats s;
        llm_provider_stats(a->llm, i, &s);
        provider_write(&p.w, &s);
    }
    page_end(&p);
}

/* ---- prices ---- */

static void price_write(struct jw *w, const struct llm_price_row *r, const char *as_of)
{
    static const char *const sources[] = {
        [LLM_PRICE_BUILTIN] = "builtin",
        [LLM_PRICE_SETTINGS] = "settings",
        [LLM_PRICE_FILE] = "file",
    };
    char input[LLM_PRICE_TEXT_BYTES], output[LLM_PRICE_TEXT_BYTES];
    llm_price_text(r->price.input, input);
    llm_price_text(r->price.output, output);
    jw_object(w);
    jw_kv_stringz(w, "provider", r->provider);
    jw_kv_stringz(w, "model", r->model);
    jw_kv_raw(w, "input", str_of(input));
    jw_kv_raw(w, "output", str_of(output));
    jw_kv_stringz(w, "source", sources[r->source]);
    jw_kv_stringz(w, "as_of", r->source == LLM_PRICE_BUILTIN ? as_of : NULL);
    jw_end(w);
}

/* In the order in which they are looked through. */
void svc_models_pricing(struct app *a, struct svc_req *req)
{
    const char *as_of;
    const struct llm_prices *own = &a->config.prices, *known = llm_prices_builtin(&as_of);
    struct page p;
    if (!page_begin(&p, req, own->count + known->count))
        return;
    for (size_t i = p.at; i < p.end; i++)
        price_write(&p.w, i < own->count ? &own->rows[i] : &known->rows[i - own->count], as_of);
    page_end(&p);
}

/* ---- metrics ---- */

struct labelled {
    const char *name, *type, *help;
    uint64_t (*value)(const struct llm_provider_stats *s);
};

static uint64_t value_queue(const struct llm_provider_stats *s)
{
    return s->waiting;
}

static uint64_t value_in_flight(const struct llm_provider_stats *s)
{
    return s->in_flight;
}

static uint64_t value_circuit(const struct llm_provider_stats *s)
{
    return strcmp(s->circuit, "open") == 0 ? 2 : strcmp(s->circuit, "closed") != 0;
}

static uint64_t value_opened(const struct llm_provider_stats *s)
{
    return s->opened;
}

static uint64_t value_done(const struct llm_provider_stats *s)
{
    return s->done;
}

static uint64_t value_failed(const struct llm_provider_stats *s)
{
    return s->failed;
}

static uint64_t value_moved(const struct llm_provider_stats *s)
{
    return s->moved;
}

static const struct labelled labelled[] = {
    {"sluice_llm_queue", "gauge", "model calls that wait for a slot", value_queue},
    {"sluice_llm_in_flight", "gauge", "model calls under way", value_in_flight},
    {"sluice_llm_circuit", "gauge", "0 closed, 1 recovering, 2 open", value_circuit},
    {"sluice_llm_circuit_opened_total", "counter", "times it has opened", value_opened},
    {"sluice_llm_calls_done_total", "counter", "calls that went well", value_done},
    {"sluice_llm_calls_failed_total", "counter", "calls that failed", value_failed},
    {"sluice_llm_calls_moved_total", "counter", "calls that went on to another", value_moved},
};

static void waits_write(const struct llm_provider_stats *s, struct buf *out)
{
    const char *name = "sluice_llm_wait_seconds", *id = s->config->id;
    uint64_t count = 0;
    for (unsigned i = 0; i < s->wait_classes; i++) {
        count += s->waits[i];
        buf_printf(out, "%s_bucket{provider=\"%s\",le=\"%g\"} %llu\n", name, id,
                   (double)s->wait_ends_ms[i] / 1000, (unsigned long long)count);
    }
    count += s->waits[s->wait_classes];
    buf_printf(out, "%s_bucket{provider=\"%s\",le=\"+Inf\"} %llu\n", name, id,
               (unsigned long long)count);
    buf_printf(out, "%s_sum{provider=\"%s\"} %.17g\n", name, id, (double)s->waited_ms / 1000);
    buf_printf(out, "%s_count{provider=\"%s\"} %llu\n", name, id, (unsigned long long)count);
}

/* Ids of providers need no escapes: letters, digits, '_', '.', '-'. */
void llm_metrics_write(const struct llm *llm, struct buf *out)
{
    struct llm_provider_stats s;
    size_t count = llm_provider_count(llm);
    for (size_t k = 0; k < sizeof(labelled) / sizeof(labelled[0]); k++) {
        const struct labelled *l = &labelled[k];
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", l->name, l->help, l->name, l->type);
        for (size_t i = 0; i < count; i++) {
            llm_provider_stats(llm, i, &s);
            buf_printf(out, "%s{provider=\"%s\"} %llu\n", l->name, s.config->id,
                       (unsigned long long)l->value(&s));
        }
    }
    buf_append_z(out, "# HELP sluice_llm_wait_seconds how long calls waited for a slot\n"
                      "# TYPE sluice_llm_wait_seconds histogram\n");
    for (size_t i = 0; i < count; i++) {
        llm_provider_stats(llm, i, &s);
        waits_write(&s, out);
    }
}
