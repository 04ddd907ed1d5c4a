#include "engine/budget.h"

#include <math.h>

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

void usage_cost_write(const struct session *s, struct jw *w)
{
    if (s->spend.priced && !s->spend.unpriced) {
        micros_write(w, "cost_usd", s->spend.micros);
    } else {
        jw_key(w, "cost_usd");
        jw_null(w);
    }
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
    return json_exists(v) ? json_text(s, v) : STR_NULL;
}

static void meter_init(struct session *s, struct meter *m, struct str request)
{
    struct json v = json_root(request);
    *m = (struct meter){.input = tokens_of((int64_t)request.n)};
    struct model_choice first; /* what others would cost is seen when they answer */
    model_list_at(v, 0, &first);
    m->priced = price_find(s, text_of(s, first.provider), text_of(s, first.model), &m->price);
}

/* ---- the limit ---- */

struct limit_hit {
    const char *resource;
    int64_t limit, used;
    bool is_money;
};

static int64_t used_tokens(const struct session *s)
{
    return s->input_tokens + s->output_tokens + s->spend.guessed_tokens + s->spend.running_tokens;
}

static int64_t used_micros(const struct session *s)
{
    return s->spend.micros + s->spend.guessed_micros + s->spend.running_micros;
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

void budget_drop(struct session *s, struct work *w)
{
    struct meter *m = &w->meter;
    if (!m->on)
        return;
    meter_off(s, m);
    if (m->shown_bytes > 0) {
        s->spend.guessed_tokens += meter_tokens(m);
        s->spend.guessed_micros += meter_micros(m);
    }
}

int64_t budget_settle(struct session *s, struct work *w, const struct engine_input *in)
{
    struct meter *m = &w->meter;
    int64_t input = in->input_tokens, output = in->output_tokens, cost = -1;
    bool told = input >= 0 && output >= 0;
    struct price p = m->price;
    bool priced = price_find(s, in->provider, in->model, &p) || m->priced;
    meter_off(s, m);
    if (input < 0)
        s->spend.guessed_tokens += input = m->input;
    if (output < 0)
        s->spend.guessed_tokens += output = tokens_of(m->shown_bytes);
    if (priced && told)
        s->spend.micros += cost = cost_of(&p, input, output);
    else if (priced)
        s->spend.guessed_micros += cost_of(&p, input, output);
    if (cost >= 0)
        s->spend.priced = true;
    else
        s->spend.unpriced = true;
    return cost;
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
    if (!p->priced && !p->unpriced && !p->guessed_tokens)
        return;
    jw_key(w, "spend");
    jw_object(w);
    jw_kv_i64(w, "micros", p->micros);
    jw_kv_bool(w, "priced", p->priced);
    jw_kv_bool(w, "unpriced", p->unpriced);
    jw_kv_i64(w, "guessed_tokens", p->guessed_tokens);
    jw_kv_i64(w, "guessed_micros", p->guessed_micros);
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
    p->guessed_tokens = amount_get(v, "guessed_tokens");
    p->guessed_micros = amount_get(v, "guessed_micros");
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

void meter_write(const struct work *w, struct jw *jw)
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
    w->meter.price.input = amount_get(m, "price_input");
    w->meter.price.output = amount_get(m, "price_output");
    if (!w->deferred)
        meter_on(s, &w->meter);
}
