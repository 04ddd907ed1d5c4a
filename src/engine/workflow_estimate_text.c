#include <math.h>
#include <string.h>

#include "engine/expr_lex.h"
#include "engine/state.h"
#include "engine/workflow_estimate_private.h"

#define TEXT_BYTES_MAX (4u << 20)
#define EVALS_MAX      5000 /* then the rest counts as not known */
#define EVAL_STRIKE    1500 /* of one that ran into a limit */
#define UNKNOWN_TOKENS 16.0 /* of an expression in a template that cannot be computed yet */
#define STAND_IN_BYTES (256u << 10)
#define MADE_UP_DEPTH  8
#define MADE_UP_INNER  2 /* elements of an array inside of another value's */
#define MADE_UP_ITEMS  100
#define SCHEMA_TEXT    "some words of the input"

double est_tokens(struct str text)
{
    double ascii = 0, others = 0;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 0x80)
            ascii++;
        else if (c >= 0xC0)
            others++;
    }
    return ceil(ascii / 4) + others;
}

struct str est_stand_in(struct estimate *s, double tokens)
{
    size_t bytes = tokens * 4 > STAND_IN_BYTES ? STAND_IN_BYTES : (size_t)(tokens * 4);
    if (bytes > s->text_left)
        bytes = s->text_left;
    s->text_left -= bytes;
    char *p = arena_alloc(&s->arena, bytes + 3);
    p[0] = '"';
    for (size_t i = 0; i < bytes; i++)
        p[i + 1] = i % 6 == 5 ? ' ' : 'w';
    p[bytes + 1] = '"';
    return (struct str){p, bytes + 2};
}

/* ---- what expressions see ---- */

/* Has `of` run before `n`, as people would expect? Rounds of a loop come after each other. */
static bool runs_before(const struct estimate *s, unsigned of, unsigned n)
{
    for (int l = s->nodes[n].loop; l >= 0; l = s->nodes[l].loop)
        for (int m = (int)of; m >= 0; m = s->nodes[m].loop)
            if (m == l || s->nodes[m].loop == l)
                return true;
    return s->nodes[of].reached && of != n;
}

static bool scope_node(const struct expr_scope *x, struct str id, struct str *output,
                       const char **status)
{
    struct estimate *s = x->data;
    int n = workflow_find(s->w, id);
    if (n < 0)
        return false;
    s->guessed = s->guessed || !s->nodes[n].exact;
    bool ran = s->nodes[n].alive && s->at >= 0 && runs_before(s, (unsigned)n, (unsigned)s->at);
    *output = ran ? s->nodes[n].result : STR_NULL;
    *status = node_status_word(ran ? NODE_COMPLETED : NODE_PENDING);
    return true;
}

/* The last round: what the rounds before said is in the prompt. */
static struct str loop_text(struct estimate *s)
{
    int l = s->round ? s->at : s->at >= 0 ? s->nodes[s->at].loop : -1;
    int64_t rounds = 1;
    struct buf b;
    struct jw w;
    if (l < 0)
        return STR_NULL;
    json_i64(est_prop(s, (unsigned)l, "max_rounds"), &rounds);
    if (s->round)
        rounds = s->round;
    buf_init(&b, 4096);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_i64(&w, "round", rounds);
    jw_kv_i64(&w, "max_rounds", rounds);
    jw_kv_raw(&w, "score", STR("null"));
    jw_kv_raw(&w, "history", STR("[]"));
    jw_end(&w);
    struct str out = {arena_strdup(&s->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return out;
}

/* The first item stands for all. */
static struct str map_text(struct estimate *s)
{
    int m = s->at;
    struct buf b;
    struct jw w;
    while (m >= 0 && (m = s->w->nodes[m].owner) >= 0 && s->w->nodes[m].kind != KIND_MAP) {}
    if (m < 0)
        return STR_NULL;
    struct str item = s->nodes[m].first_item;
    buf_init(&b, item.n + 4096);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_raw(&w, "item", item.p ? item : STR("\"" SCHEMA_TEXT "\""));
    jw_kv_i64(&w, "index", 1);
    jw_kv_double(&w, "count", s->nodes[m].items);
    jw_end(&w);
    struct str out = {arena_strdup(&s->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return out;
}

static struct expr_scope scope_of(struct estimate *s)
{
    return (struct expr_scope){
        .map = map_text(s),
        .input = s->input,
        .vars = s->vars,
        .loop = loop_text(s),
        .session =
            STR("{\"id\":\"00000000-0000-7000-8000-000000000000\",\"name\":\"\",\"user_id\":\"\"}"),
        .node = scope_node,
        .data = s,
    };
}

struct str est_text(struct estimate *s, struct json v)
{
    struct buf b;
    if (json_type(v) != JSON_STRING)
        return STR_NULL;
    if (!memchr(v.p, '\\', v.n))
        return (struct str){v.p + 1, v.n - 2};
    buf_init(&b, v.n + 1);
    json_string(v, &b);
    struct str out = {arena_strdup(&s->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return out;
}

/* Estimates are made on the loop: what many costly expressions would take is not spent. */
static bool may_eval(struct estimate *s)
{
    if (s->evals >= EVALS_MAX)
        return false;
    s->evals++;
    return true;
}

static bool eval_ended(struct estimate *s, int rc, const struct errbuf *e)
{
    if (rc && (strstr(e->text, "too many steps") || strstr(e->text, "of memory")))
        s->evals += EVAL_STRIKE;
    return rc == 0;
}

/* Rounds change, and an input that was not given is made up. */
static bool sees_guesses(const struct estimate *s, struct str code)
{
    return code.p && ((!s->p->input_json.p && memmem(code.p, code.n, "input", 5)) ||
                      memmem(code.p, code.n, s->round ? "vars" : "loop", 4) ||
                      memmem(code.p, code.n, "map", 3));
}

bool est_eval(struct estimate *s, struct str code, struct str *out)
{
    struct expr_scope x = scope_of(s);
    struct errbuf e = {{0}};
    struct buf b;
    s->guessed = sees_guesses(s, code);
    if (!code.p || !may_eval(s))
        return false;
    buf_init(&b, TEXT_BYTES_MAX);
    int rc = expr_eval(s->p->vm, code, &x, &b, &e);
    if (!rc)
        *out = (struct str){arena_strdup(&s->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return eval_ended(s, rc, &e);
}

bool est_eval_bool(struct estimate *s, struct str code, bool *out)
{
    struct expr_scope x = scope_of(s);
    struct errbuf e = {{0}};
    s->guessed = sees_guesses(s, code);
    return code.p && may_eval(s) &&
           eval_ended(s, expr_eval_bool(s->p->vm, code, &x, out, &e), &e) && !s->guessed;
}

static bool tree_eval(struct estimate *s, struct json v, struct buf *out, bool *guessed)
{
    enum json_type type = json_type(v);
    struct json_iter it;
    struct str text = STR_NULL;
    bool known = true;
    if (type == JSON_STRING) {
        known = est_eval(s, est_text(s, v), &text);
        *guessed = *guessed || s->guessed;
        buf_append_str(out, known ? text : STR("null"));
        return known;
    }
    if (type != JSON_ARRAY && type != JSON_OBJECT) {
        buf_append_str(out, json_raw(v));
        return true;
    }
    buf_append_char(out, type == JSON_ARRAY ? '[' : '{');
    json_iter_init(&it, v);
    while (json_iter_next(&it)) { /* depth is bounded by json_check() */
        if (it.index)
            buf_append_char(out, ',');
        if (type == JSON_OBJECT)
            buf_printf(out, "\"%.*s\":", STR_FMT(it.key));
        known = tree_eval(s, it.value, out, guessed) && known;
    }
    buf_append_char(out, type == JSON_ARRAY ? ']' : '}');
    return known;
}

bool est_eval_tree(struct estimate *s, struct json v, struct str *out)
{
    struct buf b;
    if (!json_exists(v))
        return false;
    buf_init(&b, TEXT_BYTES_MAX);
    bool guessed = false;
    bool known = tree_eval(s, v, &b, &guessed) && !buf_error(&b);
    s->guessed = guessed;
    if (known)
        *out = (struct str){arena_strdup(&s->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return known;
}

/* ---- templates ---- */

/* An expression that cannot be computed yet probably takes a part of an output that it names. */
static double unknown_tokens(const struct estimate *s, struct str code)
{
    double most = 0;
    for (unsigned i = 0; i < s->w->node_count && s->evals < EVALS_MAX; i++) {
        struct str id = s->w->nodes[i].id;
        if (s->nodes[i].result_tokens > most && memmem(code.p, code.n, id.p, id.n))
            most = s->nodes[i].result_tokens;
    }
    return UNKNOWN_TOKENS > most / 2 ? UNKNOWN_TOKENS : most / 2;
}

static double value_tokens(struct str json)
{
    struct json v = json_root(json);
    struct str text = json_type(v) == JSON_STRING ? (struct str){v.p + 1, v.n - 2} : json_raw(v);
    return est_tokens(text);
}

double est_template(struct estimate *s, struct json v)
{
    struct template_scan scan = {est_text(s, v)};
    struct template_part part;
    double tokens = 0;
    bool more = scan.rest.n > 0;
    while (more) {
        struct str value;
        if (!template_next(&scan, &part))
            return tokens;
        tokens += est_tokens(part.text);
        if (!part.code.p)
            return tokens;
        tokens +=
            est_eval(s, part.code, &value) ? value_tokens(value) : unknown_tokens(s, part.code);
    }
    return tokens;
}

/* ---- the input ---- */

static unsigned made_up_count(struct json schema, unsigned depth)
{
    double count = depth > 1 ? MADE_UP_INNER : ESTIMATE_ITEMS_ASSUMED, least = 0, most = count;
    json_double(json_get(schema, "minItems"), &least);
    json_double(json_get(schema, "maxItems"), &most);
    count = fmin(fmax(count, least), most);
    return count > 0 && count < MADE_UP_ITEMS ? (unsigned)count : count > 0 ? MADE_UP_ITEMS : 0;
}

static void made_up_value(struct jw *w, struct json schema, unsigned depth);

static void made_up_object(struct jw *w, struct json schema, unsigned depth)
{
    struct json_iter it;
    jw_object(w);
    json_iter_init(&it, json_get(schema, "properties"));
    while (json_iter_next(&it)) {
        struct buf key;
        buf_init(&key, it.key.n + 1);
        json_iter_key(&it, &key);
        jw_key_str(w, buf_str(&key));
        made_up_value(w, it.value, depth + 1);
        buf_deinit(&key);
    }
    jw_end(w);
}

static void made_up_value(struct jw *w, struct json schema, unsigned depth)
{
    struct json fallback = json_get(schema, "default"), type = json_get(schema, "type");
    struct json_iter it;
    json_iter_init(&it, json_get(schema, "enum"));
    if (json_exists(fallback)) {
        jw_raw(w, json_raw(fallback));
    } else if (json_iter_next(&it)) {
        jw_raw(w, json_raw(it.value));
    } else if (json_string_eq(type, "integer") || json_string_eq(type, "number")) {
        jw_i64(w, 1);
    } else if (json_string_eq(type, "boolean")) {
        jw_bool(w, true);
    } else if (json_string_eq(type, "array")) {
        jw_array(w);
        for (unsigned n = depth < MADE_UP_DEPTH ? made_up_count(schema, depth) : 0; n > 0; n--)
            made_up_value(w, json_get(schema, "items"), depth + 1);
        jw_end(w);
    } else if (json_string_eq(type, "object") && depth < MADE_UP_DEPTH) {
        made_up_object(w, schema, depth);
    } else {
        jw_stringz(w, SCHEMA_TEXT);
    }
}

struct str est_made_up(struct estimate *s, struct json schema)
{
    struct buf b;
    struct jw w;
    buf_init(&b, TEXT_BYTES_MAX);
    jw_init(&w, &b);
    made_up_value(&w, schema, 0);
    struct str out = buf_error(&b) || b.len > s->text_left
                         ? STR("null")
                         : (struct str){arena_strdup(&s->arena, buf_str(&b)), b.len};
    s->text_left -= out.n < s->text_left ? out.n : s->text_left;
    buf_deinit(&b);
    return out;
}

void est_text_init(struct estimate *s)
{
    s->vars = json_exists(s->w->vars) ? json_raw(s->w->vars) : STR("{}");
    s->text_left = 32u << 20;
    if (s->p->input_json.p) {
        s->input = s->p->input_json;
        return;
    }
    if (json_exists(s->w->input_schema))
        est_warn(s, -1, "no_input", "no input was given: defaults of the input_schema are used");
    s->input = json_exists(s->w->input_schema) ? est_made_up(s, s->w->input_schema) : STR("{}");
}
