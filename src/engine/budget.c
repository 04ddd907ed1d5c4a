#include "engine/budget.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/model_list.h"
#include "engine/session.h"

#define TOKENS_MAX     INT64_C(1000000000) /* of one call: more is a server's mistake */
#define PRICE_MAX      INT64_C(1000000000) /* $1,000 for a million tokens */
#define SAVED_PARTS    64                  /* a crash forgets at most such a part of the budget */
#define MICROS_PER_USD 1000000

/* ---- reading, writing ---- */

void budget_parse(struct str json, struct budget *b)
{
    struct json v = json_root(json), on_limit = json_get_set(v, "on_limit");
    int64_t tokens;
    double usd;
    if (!json.p)
        return;
    if (json_i64(json_get_set(v, "tokens"), &tokens) && tokens > 0)
        b->tokens = tokens;
    if (json_double(json_get_set(v, "cost_usd"), &usd) && usd > 0)
        b->micros = usd >= 1e9 ? INT64_C(1000000000) * MICROS_PER_USD
                               : (int64_t)fmax(1, round(usd * MICROS_PER_USD));
    if (json_exists(on_limit))
        b->fails = json_string_eq(on_limit, "fail");
}

void micros_write(struct jw *w, const char *key, int64_t micros)
{
    struct buf b;
    buf_init(&b, 64);
    buf_printf(&b, "%lld.%06lld", (long long)(micros / MICROS_PER_USD),
               (long long)(micros % MICROS_PER_USD));
    while (b.data[b.len - 1] == '0')
        buf_truncate(&b, b.len - 1);
    if (b.data[b.len - 1] == '.')
        buf_truncate(&b, b.len - 1);
    jw_kv_raw(w, key, buf_str(&b));
    buf_deinit(&b);
}

void budget_write(struct jw *w, const char *key, const struct budget *b)
{
    jw_key(w, key);
    jw_object(w);
    if (b->tokens)
        jw_kv_i64(w, "tokens", b->tokens);
    if (b->micros)
        micros_write(w, "cost_usd", b->micros);
    jw_kv_stringz(w, "on_limit", b->fails ? "fail" : "pause");
    jw_end(w);
}

void usage_totals_write(const struct session *s, struct jw *w)
{
    jw_kv_i64(w, "input_tokens", s->input_tokens);
    jw_kv_i64(w, "output_tokens", s->output_tokens);
    if (s->spend.priced && !s->spend.unpriced) {
        micros_write(w, "cost_usd", s->spend.micros);
    } else {
        jw_key(w, "cost_usd");
        jw_null(w);
    }
    if (s->spend.estimated)
        jw_kv_i64(w, "estimated_calls", s->spend.estimated);
}

/* ---- counting ---- */

static int64_t clamp(int64_t v, int64_t most)
{
    return v < 0 ? 0 : v > most ? most : v;
}

static int64_t tokens_of(int64_t bytes)
{
    return (bytes + 3) / 4;
}

static int64_t cost_of(const struct price *p, int64_t input, int64_t output)
{
    int64_t in = clamp(input, TOKENS_MAX) * clamp(p->input, PRICE_MAX);
    int64_t out = clamp(output, TOKENS_MAX) * clamp(p->output, PRICE_MAX);
    return (in + out + 500000) / 1000000;
}

int64_t meter_tokens(const struct meter *m)
{
    return m->input + tokens_of(m->shown_bytes);
}

int64_t meter_micros(const struct meter *m)
{
    return m->priced ? cost_of(&m->price, m->input, tokens_of(m->shown_bytes)) : 0;
}

static void meter_on(struct session *s, struct meter *m)
{
    m->on = true;
    s->spend.running_tokens += meter_tokens(m);
    s->spend.running_micros += meter_micros(m);
}

static void meter_off(struct session *s, struct meter *m)
{
    if (!m->on)
        return;
    m->on = false;
    s->spend.running_tokens -= meter_tokens(m);
    s->spend.running_micros -= meter_micros(m);
}

static bool price_find(const struct session *s, struct str provider, struct str model,
                       struct price *out)
{
    const struct engine_rules *r = s->in ? s->in->rules : NULL;
    return r && r->price && r->price(r->data, provider, model, out);
}

static struct str text_of(struct session *s, struct json v)
{
    return json_type(v) == JSON_STRING ? json_text(s, v) : STR_NULL;
}

/* Whom a request asks; of a list the first. */
static struct model_names request_names(struct session *s, struct str request)
{
    struct model_choice first;
    struct json v = json_root(request);
    model_list_at(v, 0, &first);
    return (struct model_names){text_of(s, first.provider), text_of(s, first.model),
                                json_length(json_get_set(v, "model")) > 1};
}

static bool names_eq(struct str a, struct str b)
{
    return !a.p == !b.p && (!a.p || str_eq(a, b));
}

/* Few sessions ask more than two or three: a list, in which meters have a number. */
static uint8_t names_number(struct session *s, const struct model_names *m)
{
    for (unsigned i = 0; i < s->model_count; i++)
        if (names_eq(s->models[i].provider, m->provider) &&
            names_eq(s->models[i].model, m->model) && s->models[i].several == m->several)
            return (uint8_t)(i + 1);
    if (s->model_count == MODEL_NAMES_MAX)
        return 0;
    s->models = mem_realloc(s->models, (s->model_count + 1) * sizeof(*s->models));
    struct model_names *new = &s->models[s->model_count++];
    *new = *m;
    if (m->provider.p)
        new->provider.p = arena_strdup(&s->arena, m->provider);
    if (m->model.p)
        new->model.p = arena_strdup(&s->arena, m->model);
    return (uint8_t)s->model_count;
}

static const struct model_names *meter_names(const struct session *s, const struct meter *m)
{
    static const struct model_names unknown;
    return m->names && m->names <= s->model_count ? &s->models[m->names - 1] : &unknown;
}

static void meter_init(struct session *s, struct meter *m, struct str request)
{
    struct model_names asked = request_names(s, request);
    const struct engine_rules *r = s->in ? s->in->rules : NULL;
    *m = (struct meter){.input = tokens_of((int64_t)request.n)};
    if (r && r->names)
        r->names(r->data, &asked.provider, &asked.model);
    m->priced = price_find(s, asked.provider, asked.model, &m->price);
    m->names = names_number(s, &asked);
}

/* ---- the limit ---- */

struct limit_hit {
    const char *resource;
    int64_t limit, used;
    bool is_money;
};

static int64_t used_tokens(const struct session *s)
{
    return s->input_tokens + s->output_tokens + s->spend.running_tokens;
}

static int64_t used_micros(const struct session *s)
{
    return s->spend.micros + s->spend.running_micros;
}

/* Is a limit of `b` reached by what is used, and `next` on top of it? */
static bool limit_is_reached(const struct session *s, const struct budget *b,
                             const struct meter *next, struct limit_hit *hit)
{
    int64_t tokens = used_tokens(s), micros = used_micros(s);
    if (b->tokens && tokens + (next ? meter_tokens(next) : 0) >= b->tokens) {
        *hit = (struct limit_hit){"tokens", b->tokens, tokens, false};
        return true;
    }
    if (b->micros && micros + (next ? meter_micros(next) : 0) >= b->micros) {
        *hit = (struct limit_hit){"cost_usd", b->micros, micros, true};
        return true;
    }
    return false;
}

static void amount_write(struct jw *w, const char *key, bool is_money, int64_t amount)
{
    if (is_money)
        micros_write(w, key, amount);
    else
        jw_kv_i64(w, key, amount);
}

/* next: the call that is not made, or NULL. */
static void budget_halt(struct session *s, unsigned n, const struct limit_hit *hit,
                        const struct meter *next)
{
    struct jw *w = event_begin(s, "budget_reached", (int)n);
    jw_kv_stringz(w, "resource", hit->resource);
    amount_write(w, "limit", hit->is_money, hit->limit);
    amount_write(w, "used", hit->is_money, hit->used);
    if (next)
        amount_write(w, "next_call", hit->is_money,
                     hit->is_money ? meter_micros(next) : meter_tokens(next));
    jw_kv_stringz(w, "on_limit", s->budget.fails ? "fail" : "pause");
    event_end(s);
    s->halt = HALT_BUDGET;
}

void budget_look(struct session *s, unsigned n)
{
    struct limit_hit hit;
    if (s->halt == HALT_NONE && limit_is_reached(s, &s->budget, NULL, &hit))
        budget_halt(s, n, &hit, NULL);
}

/* ---- a call's life ---- */

bool budget_admit(struct session *s, struct work *w, struct str request)
{
    struct limit_hit hit;
    meter_init(s, &w->meter, request);
    if (s->halt == HALT_NONE && !s->replay && limit_is_reached(s, &s->budget, &w->meter, &hit))
        budget_halt(s, w->node, &hit, &w->meter);
    if (s->halt != HALT_NONE)
        return false;
    meter_on(s, &w->meter);
    s->spend.unsaved_tokens += meter_tokens(&w->meter);
    s->core_dirty = true;
    return true;
}

/* A chunk costs no row but its event's. With a budget the session's row follows now and then, so
 * that a crash forgets little of what was used. */
static void budget_save(struct session *s)
{
    const struct budget *b = &s->budget;
    if ((b->tokens && s->spend.unsaved_tokens > b->tokens / SAVED_PARTS) ||
        (b->micros && s->spend.unsaved_micros > b->micros / SAVED_PARTS))
        s->core_dirty = true;
}

void budget_chunk(struct session *s, struct work *w, size_t bytes)
{
    struct meter *m = &w->meter;
    int64_t tokens = meter_tokens(m), micros = meter_micros(m);
    if (!m->on)
        return;
    m->shown_bytes += (int64_t)bytes;
    tokens = meter_tokens(m) - tokens;
    micros = meter_micros(m) - micros;
    s->spend.running_tokens += tokens;
    s->spend.running_micros += micros;
    s->spend.unsaved_tokens += tokens;
    s->spend.unsaved_micros += micros;
    budget_save(s);
    budget_look(s, w->node);
}

/* What a call has used becomes part of the session's totals. */
static void used_add(struct session *s, const struct used *u)
{
    s->input_tokens += u->input;
    s->output_tokens += u->output;
    if (u->micros >= 0)
        s->spend.micros += u->micros;
    s->spend.priced = s->spend.priced || u->micros >= 0;
    s->spend.unpriced = s->spend.unpriced || u->micros < 0;
    s->spend.estimated += u->estimated;
    s->core_dirty = true;
}

bool budget_drop(struct session *s, struct work *w, struct used *out)
{
    struct meter *m = &w->meter;
    const struct model_names *asked = meter_names(s, m);
    if (!m->on)
        return false;
    meter_off(s, m);
    if (!m->shown_bytes)
        return false;
    *out = (struct used){.provider = asked->provider,
                         .model = asked->model,
                         .input = clamp(m->input, TOKENS_MAX),
                         .output = clamp(tokens_of(m->shown_bytes), TOKENS_MAX),
                         .micros = m->priced ? meter_micros(m) : -1,
                         .estimated = true};
    used_add(s, out);
    return true;
}

/* The price of what really ran. A server may call its model by a name that no list has: then the
 * price of what was asked for counts, unless another may have answered. */
static bool price_of_answer(const struct session *s, const struct meter *m,
                            const struct engine_input *in, struct price *p)
{
    const struct model_names *asked = meter_names(s, m);
    if (price_find(s, in->provider, in->model, p))
        return true;
    *p = m->price;
    return m->priced && !asked->several;
}

struct used budget_settle(struct session *s, struct work *w, const struct engine_input *in)
{
    struct meter *m = &w->meter;
    struct used u = {.provider = in->provider, .model = in->model, .micros = -1};
    struct price p;
    meter_off(s, m);
    u.estimated = in->input_tokens < 0 || in->output_tokens < 0;
    u.input = clamp(in->input_tokens < 0 ? m->input : in->input_tokens, TOKENS_MAX);
    u.output =
        clamp(in->output_tokens < 0 ? tokens_of(m->shown_bytes) : in->output_tokens, TOKENS_MAX);
    if (price_of_answer(s, m, in, &p))
        u.micros = cost_of(&p, u.input, u.output);
    used_add(s, &u);
    return u;
}

/* ---- resume ---- */

/* The least of the calls that wait, or NULL. */
static const struct meter *meter_deferred(const struct session *s)
{
    const struct meter *least = NULL;
    table_foreach(slot, &s->runs)
    {
        const struct work *w = slot->value;
        if (w->deferred && (!least || meter_tokens(&w->meter) < meter_tokens(least)))
            least = &w->meter;
    }
    return least;
}

int budget_check_resume(struct session *s, const struct engine_input *in, struct budget *next,
                        struct errbuf *e)
{
    struct limit_hit hit;
    *next = s->budget;
    if (in->budget_json.p) {
        budget_parse(in->budget_json, next);
        next->raised = true;
    }
    if (!limit_is_reached(s, next, meter_deferred(s), &hit))
        return 0;
    s->refusal = "budget_exhausted";
    if (hit.is_money)
        return err_set(e, ERR_CONFLICT,
                       "The session has used $%.6f of its budget of $%.6f: resume it with a larger "
                       "budget.cost_usd.",
                       (double)hit.used / MICROS_PER_USD, (double)hit.limit / MICROS_PER_USD);
    return err_set(e, ERR_CONFLICT,
                   "The session has used %lld of its budget of %lld tokens: resume it with a "
                   "larger budget.tokens.",
                   (long long)hit.used, (long long)hit.limit);
}

/* ---- storage ---- */

void budget_saved(struct session *s)
{
    s->spend.unsaved_tokens = s->spend.unsaved_micros = 0;
}

void spend_write(const struct session *s, struct jw *w)
{
    const struct spend *p = &s->spend;
    if (!p->priced && !p->unpriced)
        return;
    jw_key(w, "spend");
    jw_object(w);
    jw_kv_i64(w, "micros", p->micros);
    jw_kv_bool(w, "priced", p->priced);
    jw_kv_bool(w, "unpriced", p->unpriced);
    jw_end(w);
}

static int64_t amount_get(struct json v, const char *key)
{
    int64_t out = 0;
    json_i64(json_get_set(v, key), &out);
    return clamp(out, INT64_C(1) << 53);
}

void spend_restore(struct session *s, struct json usage, struct json state)
{
    struct json v = json_get_set(state, "spend"), raised = json_get_set(usage, "budget");
    struct spend *p = &s->spend;
    double usd;
    p->micros = amount_get(v, "micros");
    p->estimated = amount_get(usage, "estimated_calls");
    /* Earlier versions kept estimates apart from the totals. */
    s->output_tokens += amount_get(v, "guessed_tokens");
    p->micros += amount_get(v, "guessed_micros");
    json_bool(json_get_set(v, "priced"), &p->priced);
    json_bool(json_get_set(v, "unpriced"), &p->unpriced);
    if (!json_exists(v) && json_double(json_get_set(usage, "cost_usd"), &usd) && usd >= 0 &&
        usd < 1e9) { /* it has ended: nothing but the sum is left */
        p->micros = (int64_t)round(usd * MICROS_PER_USD);
        p->priced = true;
    }
    if (json_type(raised) == JSON_OBJECT) {
        s->budget = (struct budget){.raised = true};
        budget_parse(json_raw(raised), &s->budget);
    }
}

void meter_write(const struct session *s, const struct work *w, struct jw *jw)
{
    const struct meter *m = &w->meter;
    if (w->deferred)
        jw_kv_bool(jw, "deferred", true);
    if (!m->on && !w->deferred)
        return;
    jw_key(jw, "meter");
    jw_object(jw);
    jw_kv_i64(jw, "input", m->input);
    jw_kv_i64(jw, "shown_bytes", m->shown_bytes);
    if (meter_names(s, m)->provider.p)
        jw_kv_string(jw, "provider", meter_names(s, m)->provider);
    if (meter_names(s, m)->model.p)
        jw_kv_string(jw, "model", meter_names(s, m)->model);
    if (meter_names(s, m)->several)
        jw_kv_bool(jw, "several", true);
    if (m->priced) {
        jw_kv_i64(jw, "price_input", m->price.input);
        jw_kv_i64(jw, "price_output", m->price.output);
    }
    jw_end(jw);
}

void meter_restore(struct session *s, struct work *w, struct json v)
{
    struct json m = json_get_set(v, "meter");
    json_bool(json_get_set(v, "deferred"), &w->deferred);
    if (json_type(m) != JSON_OBJECT)
        return;
    w->meter.input = amount_get(m, "input");
    w->meter.shown_bytes = amount_get(m, "shown_bytes");
    w->meter.priced = json_exists(json_get_set(m, "price_input"));
    struct model_names asked = {text_of(s, json_get_set(m, "provider")),
                                text_of(s, json_get_set(m, "model")), false};
    json_bool(json_get_set(m, "several"), &asked.several);
    w->meter.names = names_number(s, &asked);
    w->meter.price.input = amount_get(m, "price_input");
    w->meter.price.output = amount_get(m, "price_output");
    if (!w->deferred)
        meter_on(s, &w->meter);
}
