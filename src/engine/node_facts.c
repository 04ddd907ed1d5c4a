#include <string.h>

#include "engine/chat.h"
#include "engine/question.h"

/* A fact check: a model finds the claims of a text, each is searched for, a model judges it by what
 * was found. All claims at once. What there is so far is the run's progress,
 *
 *     {"claims": [{"claim", "queries", "found": [{"i", "query", "results" | "error"}],
 *                  "verdict"?: {"verdict", "reasoning", "sources", "error"?}}]}
 *
 * Ordinals: the claims are question 0; claim k has CLAIM_SPAN from CLAIM_SPAN * (k + 1) on, its
 * verdict first, then its searches. A claim whose searches all failed is unverified without asking:
 * a dead source never makes anything true. */

#define CLAIM_SPAN         16
#define SEARCHES_MAX       (CLAIM_SPAN - QUESTION_SPAN)
#define CLAIMS_MAX         50
#define CLAIMS_DEFAULT     10
#define QUERIES_DEFAULT    2
#define RESULTS_PER_SEARCH 5
#define THRESHOLD_DEFAULT  0.7
#define SNIPPET_BYTES      1000

static const char claims_schema[] =
    "{\"type\":\"object\",\"properties\":{\"claims\":{\"type\":\"array\",\"items\":{"
    "\"type\":\"object\",\"properties\":{\"claim\":{\"type\":\"string\",\"minLength\":1},"
    "\"queries\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},"
    "\"required\":[\"claim\",\"queries\"],\"additionalProperties\":false}}},"
    "\"required\":[\"claims\"],\"additionalProperties\":false}";

static const char verdict_schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"verdict\":{\"type\":\"string\",\"enum\":[\"supported\",\"refuted\",\"unverified\"]},"
    "\"reasoning\":{\"type\":\"string\"},"
    "\"sources\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}},"
    "\"required\":[\"verdict\",\"reasoning\",\"sources\"],\"additionalProperties\":false}";

struct claim {
    struct str claim;   /* JSON string */
    struct str queries; /* JSON array of strings */
    struct str found;   /* JSON array */
    struct str verdict; /* JSON object, or NULL */
};
struct facts {
    struct claim claims[CLAIMS_MAX];
    unsigned count;
};

/* ---- properties ---- */

static int64_t prop_number(const struct session *s, unsigned n, const char *key, int64_t otherwise,
                           int64_t most)
{
    json_i64(prop(s, n, key), &otherwise);
    return otherwise < most ? otherwise : most;
}

static struct json array_at(struct json array, unsigned i)
{
    struct json_iter it;
    json_iter_init(&it, array);
    while (json_iter_next(&it))
        if (it.index == i)
            return it.value;
    return JSON_ABSENT;
}

static unsigned source_count(const struct session *s, unsigned n)
{
    unsigned count = (unsigned)json_length(prop(s, n, "search_sources"));
    return count ? count : 1;
}

/* Every query goes to every source, as far as that goes. */
static unsigned search_count(const struct session *s, unsigned n, const struct claim *c)
{
    size_t queries = json_length(json_root(c->queries)), count = queries * source_count(s, n);
    return (unsigned)(count < SEARCHES_MAX ? count : SEARCHES_MAX);
}

/* ---- progress ---- */

static struct str member_or(struct json v, const char *key, struct str otherwise)
{
    struct json m = json_get_set(v, key);
    return json_exists(m) ? json_raw(m) : otherwise;
}

static bool facts_load(struct session *s, unsigned n, struct facts *f)
{
    struct str progress = progress_get(s, n);
    struct json_iter it;
    f->count = 0;
    if (!progress.p)
        return false;
    struct json claims = json_get_set(json_root(tmp_copy(s, progress)), "claims");
    json_iter_init(&it, claims);
    while (json_iter_next(&it) && f->count < CLAIMS_MAX)
        f->claims[f->count++] = (struct claim){.claim = member_or(it.value, "claim", STR("\"\"")),
                                               .queries = member_or(it.value, "queries", STR("[]")),
                                               .found = member_or(it.value, "found", STR("[]")),
                                               .verdict = member_or(it.value, "verdict", STR_NULL)};
    return json_type(claims) == JSON_ARRAY;
}

static bool facts_save(struct session *s, unsigned n, const struct facts *f)
{
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "claims");
    jw_array(&w);
    for (unsigned i = 0; i < f->count; i++) {
        jw_object(&w);
        jw_kv_raw(&w, "claim", f->claims[i].claim);
        jw_kv_raw(&w, "queries", f->claims[i].queries);
        jw_kv_raw(&w, "found", f->claims[i].found);
        if (f->claims[i].verdict.p)
            jw_kv_raw(&w, "verdict", f->claims[i].verdict);
        jw_end(&w);
    }
    jw_end(&w);
    jw_end(&w);
    bool fits = !buf_error(&b);
    if (fits)
        progress_set(s, n, buf_str(&b));
    else
        node_failz(s, n, "too_large", "What was found is larger than allowed.");
    buf_deinit(&b);
    return fits;
}

/* ---- the claims ---- */

static int text_of(struct session *s, unsigned n, struct str *out, struct errbuf *e)
{
    struct json text = prop(s, n, "text");
    if (json_type(text) != JSON_STRING)
        text = prop(s, n, "prompt");
    if (json_type(text) == JSON_STRING)
        return eval_template(s, n, json_text(s, text), out, e);
    *out = prompt_default(s, n);
    return out->p ? 0 : err_set(e, ERR_TOO_LARGE, "What came in is too large for a prompt.");
}

static int claims_ask(struct session *s, unsigned n, struct errbuf *e)
{
    struct question q;
    struct str text;
    struct buf b;
    int rc = text_of(s, n, &text, e);
    if (rc)
        return rc;
    question_init(s, n, &q);
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    buf_printf(&b,
               "List the claims of fact in this text that can be checked, %lld at most, the most "
               "important first, each as one sentence that can be understood alone. No opinions, "
               "no predictions. For each give search queries that would show whether it is true, "
               "%lld at most. Answer with JSON only: {\"claims\": [{\"claim\", \"queries\"}]}, an "
               "empty list when there are none.\n\nText:\n",
               (long long)prop_number(s, n, "max_claims", CLAIMS_DEFAULT, CLAIMS_MAX),
               (long long)prop_number(s, n, "max_queries", QUERIES_DEFAULT, SEARCHES_MAX));
    buf_append_str(&b, text);
    q.system = STR("You find claims of fact in texts, so that they can be checked.");
    q.user = tmp_copy(s, buf_str(&b));
    q.schema = STR(claims_schema);
    rc = buf_error(&b) || !question_begin(s, n, 0, &q) ? ERR_TOO_LARGE : 0;
    buf_deinit(&b);
    return rc ? err_set(e, rc, "The text is larger than allowed.") : 0;
}

/* At most so many queries; without any the claim itself is searched for. */
static struct str queries_take(struct session *s, unsigned n, struct json claim)
{
    int64_t most = prop_number(s, n, "max_queries", QUERIES_DEFAULT, SEARCHES_MAX), count = 0;
    struct json_iter it;
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    jw_init(&w, &b);
    jw_array(&w);
    json_iter_init(&it, json_get_set(claim, "queries"));
    while (count < most && json_iter_next(&it)) {
        if (it.value.n <= 2)
            continue;
        jw_raw(&w, json_raw(it.value));
        count++;
    }
    if (!count && most > 0)
        jw_raw(&w, json_raw(json_get(claim, "claim")));
    jw_end(&w);
    struct str out = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static void claims_take(struct session *s, unsigned n, struct json answer, struct facts *f)
{
    int64_t most = prop_number(s, n, "max_claims", CLAIMS_DEFAULT, CLAIMS_MAX);
    struct json_iter it;
    f->count = 0;
    json_iter_init(&it, json_get_set(answer, "claims"));
    while ((int64_t)f->count < most && json_iter_next(&it))
        f->claims[f->count++] = (struct claim){.claim = json_raw(json_get(it.value, "claim")),
                                               .queries = queries_take(s, n, it.value),
                                               .found = STR("[]")};
}

/* ---- searches ---- */

static struct json found_at(const struct claim *c, unsigned i)
{
    struct json_iter it;
    int64_t at;
    json_iter_init(&it, json_root(c->found));
    while (json_iter_next(&it)) {
        at = -1;
        json_i64(json_get_set(it.value, "i"), &at);
        if (at == (int64_t)i)
            return it.value;
    }
    return JSON_ABSENT;
}

static struct json search_query(const struct session *s, unsigned n, const struct claim *c,
                                unsigned i)
{
    return array_at(json_root(c->queries), i / source_count(s, n));
}

static bool search_begin(struct session *s, unsigned n, unsigned k, const struct claim *c,
                         unsigned i)
{
    struct json source = array_at(prop(s, n, "search_sources"), i % source_count(s, n));
    struct tool_call t = {.tool = STR("web_search")};
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_raw(&w, "query", json_raw(search_query(s, n, c, i)));
    jw_kv_i64(&w, "max_results", RESULTS_PER_SEARCH);
    if (json_type(source) == JSON_STRING && !json_string_eq(source, "web_search"))
        jw_kv_raw(&w, "source", json_raw(source));
    jw_end(&w);
    t.arguments = tmp_copy(s, buf_str(&b));
    struct str request = buf_error(&b) ? STR_NULL : tool_request(s, n, &t);
    buf_deinit(&b);
    if (request.p)
        call_begin(s, n, WORK_TOOL, CLAIM_SPAN * (k + 1) + QUESTION_SPAN + i, request);
    return request.p != NULL;
}

static void text_cut(struct session *s, struct jw *w, const char *key, struct json v)
{
    struct str text = json_type(v) == JSON_STRING ? json_text(s, v) : STR("");
    if (text.n > SNIPPET_BYTES) {
        text.n = SNIPPET_BYTES;
        while (text.n && ((unsigned char)text.p[text.n] & 0xc0) == 0x80)
            text.n--;
    }
    jw_kv_string(w, key, text);
}

/* {title, url, snippet} of each result; `results` of the answer, or the answer when it is a list.
 */
static void results_write(struct session *s, struct jw *w, struct json output)
{
    static const char *const keys[] = {"title", "url", "snippet"};
    struct json list = json_type(output) == JSON_ARRAY ? output : json_get_set(output, "results");
    struct json_iter it;
    unsigned count = 0;
    jw_key(w, "results");
    jw_array(w);
    json_iter_init(&it, list);
    while (count < RESULTS_PER_SEARCH && json_iter_next(&it)) {
        if (json_type(it.value) != JSON_OBJECT)
            continue;
        jw_object(w);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            text_cut(s, w, keys[i], json_get_set(it.value, keys[i]));
        jw_end(w);
        count++;
    }
    jw_end(w);
}

/* error: JSON, or NULL when the search gave `output`. */
static void found_add(struct session *s, unsigned n, struct claim *c, unsigned i,
                      struct json output, struct str error)
{
    struct json_iter it;
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_array(&w);
    json_iter_init(&it, json_root(c->found));
    while (json_iter_next(&it))
        jw_raw(&w, json_raw(it.value));
    jw_object(&w);
    jw_kv_u64(&w, "i", i);
    jw_kv_raw(&w, "query", json_raw(search_query(s, n, c, i)));
    if (error.p)
        jw_kv_raw(&w, "error", error);
    else
        results_write(s, &w, output);
    jw_end(&w);
    jw_end(&w);
    c->found = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
}

/* ---- the verdict ---- */

/* Calls `each` with every result in order, numbered from 1. */
typedef void evidence_fn(void *data, unsigned number, struct json result);
static unsigned evidence_each(const struct claim *c, evidence_fn *each, void *data)
{
    struct json_iter it, results;
    unsigned number = 0;
    json_iter_init(&it, json_root(c->found));
    while (json_iter_next(&it)) {
        json_iter_init(&results, json_get_set(it.value, "results"));
        while (json_iter_next(&results))
            each(data, ++number, results.value);
    }
    return number;
}

struct evidence_text {
    struct session *s;
    struct buf *b;
};
static void evidence_write(void *data, unsigned number, struct json result)
{
    struct evidence_text *t = data;
    static const char *const keys[] = {"title", "url", "snippet"};
    buf_printf(t->b, "[%u]", number);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        buf_append_z(t->b, i == 2 ? "\n" : " ");
        buf_append_str(t->b, json_text(t->s, json_get(result, keys[i])));
    }
    buf_append_z(t->b, "\n\n");
}

static bool verdict_ask(struct session *s, unsigned n, unsigned k, const struct claim *c)
{
    struct question q;
    struct buf b;
    struct evidence_text text = {s, &b};
    question_init(s, n, &q);
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    buf_append_z(&b, "Claim: ");
    buf_append_str(&b, json_text(s, json_root(c->claim)));
    if (search_count(s, n, c)) {
        buf_append_z(&b, "\n\nEvidence:\n\n");
        evidence_each(c, evidence_write, &text);
        buf_append_z(&b, "Judge by this evidence alone");
    } else {
        buf_append_z(&b, "\n\nJudge by what you know for certain");
    }
    buf_append_z(&b,
                 ": \"supported\", \"refuted\", or \"unverified\" when it shows neither. sources: "
                 "the numbers of what you relied on. Answer with JSON only: {\"verdict\", "
                 "\"reasoning\", \"sources\"}.");
    q.system = STR("You check claims of fact.");
    q.user = tmp_copy(s, buf_str(&b));
    q.schema = STR(verdict_schema);
    bool fits = !buf_error(&b) && question_begin(s, n, CLAIM_SPAN * (k + 1), &q);
    buf_deinit(&b);
    return fits;
}

struct evidence_cited {
    struct json numbers;
    struct jw *w;
};
static void evidence_cite(void *data, unsigned number, struct json result)
{
    struct evidence_cited *c = data;
    struct json_iter it;
    int64_t cited;
    json_iter_init(&it, c->numbers);
    while (json_iter_next(&it)) {
        if (!json_i64(it.value, &cited) || cited != (int64_t)number)
            continue;
        jw_object(c->w);
        jw_kv_raw(c->w, "title", json_raw(json_get(result, "title")));
        jw_kv_raw(c->w, "url", json_raw(json_get(result, "url")));
        jw_end(c->w);
        return;
    }
}

/* answer: {verdict, reasoning, sources: numbers}; absent: unverified, for this reason. */
static void verdict_set(struct session *s, struct claim *c, struct json answer, const char *code,
                        struct str why)
{
    struct evidence_cited cited = {json_get_set(answer, "sources"), NULL};
    struct buf b;
    struct jw w;
    cited.w = &w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    if (json_exists(answer)) {
        jw_kv_raw(&w, "verdict", json_raw(json_get(answer, "verdict")));
        jw_kv_raw(&w, "reasoning", json_raw(json_get(answer, "reasoning")));
    } else {
        jw_kv_stringz(&w, "verdict", "unverified");
        jw_kv_string(&w, "reasoning", why);
    }
    jw_key(&w, "sources");
    jw_array(&w);
    if (json_exists(cited.numbers))
        evidence_each(c, evidence_cite, &cited);
    jw_end(&w);
    if (code)
        jw_kv_raw(&w, "error", error_json(s, code, why, NULL));
    jw_end(&w);
    c->verdict = tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
}

static void progress_event(struct session *s, unsigned n, const struct facts *f, unsigned k)
{
    unsigned current = 0;
    struct json verdict = json_root(f->claims[k].verdict);
    for (unsigned i = 0; i < f->count; i++)
        current += f->claims[i].verdict.p != NULL;
    struct jw *w = event_begin(s, "fact_check_progress", (int)n);
    jw_kv_u64(w, "current", current);
    jw_kv_u64(w, "total", f->count);
    jw_kv_raw(w, "claim", f->claims[k].claim);
    jw_kv_raw(w, "verdict", json_raw(json_get(verdict, "verdict")));
    jw_kv_raw(w, "sources", json_raw(json_get(verdict, "sources")));
    event_end(s);
}

/* ---- the result ---- */

struct fact_counts {
    unsigned supported, refuted, unverified, failed;
    double pass_rate;
    bool passed;
};

static void facts_count(const struct session *s, unsigned n, const struct facts *f,
                        struct fact_counts *c)
{
    double threshold = THRESHOLD_DEFAULT;
    for (unsigned i = 0; i < f->count; i++) {
        struct json v = json_root(f->claims[i].verdict), word = json_get(v, "verdict");
        c->supported += json_string_eq(word, "supported");
        c->refuted += json_string_eq(word, "refuted");
        c->failed += json_exists(json_get_set(v, "error"));
    }
    c->unverified = f->count - c->supported - c->refuted;
    json_double(prop(s, n, "verify_threshold"), &threshold);
    c->pass_rate = f->count ? (double)c->supported / f->count : 1;
    c->passed = c->pass_rate >= threshold - 1e-9;
}

static void output_write(struct jw *w, const struct facts *f, const struct fact_counts *c)
{
    static const char *const keys[] = {"verdict", "reasoning", "sources", "error"};
    jw_object(w);
    jw_kv_bool(w, "passed", c->passed);
    jw_kv_double(w, "pass_rate", c->pass_rate);
    jw_kv_u64(w, "supported", c->supported);
    jw_kv_u64(w, "refuted", c->refuted);
    jw_kv_u64(w, "unverified", c->unverified);
    jw_key(w, "claims");
    jw_array(w);
    for (unsigned i = 0; i < f->count; i++) {
        jw_object(w);
        jw_kv_raw(w, "claim", f->claims[i].claim);
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            struct json v = json_get_set(json_root(f->claims[i].verdict), keys[k]);
            if (json_exists(v))
                jw_kv_raw(w, keys[k], json_raw(v));
        }
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

/* Another attempt searches and judges again where that failed; the claims stay. */
static bool failures_forget(struct session *s, unsigned n, struct facts *f)
{
    for (unsigned k = 0; k < f->count; k++) {
        struct str found = STR("[]");
        struct json_iter it;
        json_iter_init(&it, json_root(f->claims[k].found));
        while (json_iter_next(&it))
            if (!json_exists(json_get_set(it.value, "error")))
                found = array_append(s, found, json_raw(it.value));
        f->claims[k].found = found;
        f->claims[k].verdict = STR_NULL;
    }
    return facts_save(s, n, f);
}

static void facts_finish(struct session *s, unsigned n, struct facts *f)
{
    static const char *const good[] = {"approve", "verified", NULL};
    static const char *const bad[] = {"reject", "failed", NULL};
    struct fact_counts c = {0};
    struct buf b;
    struct jw w;
    facts_count(s, n, f, &c);
    if (f->count && c.failed == f->count) {
        struct json why = json_get(json_root(f->claims[0].verdict), "reasoning");
        struct str text = json_text(s, why);
        if (failures_forget(s, n, f))
            node_fail(s, n, "fact_check_failed", text, -1, true);
        return;
    }
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    output_write(&w, f, &c);
    if (buf_error(&b))
        node_failz(s, n, "too_large", "The verdicts are larger than allowed.");
    else
        node_complete(s, n, tmp_copy(s, buf_str(&b)), decision_edge(s, n, c.passed ? good : bad));
    buf_deinit(&b);
}

/* ---- the run ---- */

/* Is every search of this claim over, and has none given anything to judge by? */
static bool searches_over(struct session *s, unsigned n, const struct claim *c, bool *all_failed)
{
    unsigned count = search_count(s, n, c), failed = 0;
    for (unsigned i = 0; i < count; i++) {
        struct json found = found_at(c, i);
        if (!json_exists(found))
            return false;
        failed += json_exists(json_get_set(found, "error"));
    }
    *all_failed = count && failed == count;
    return true;
}

static bool searches_begin(struct session *s, unsigned n, unsigned k, const struct claim *c)
{
    for (unsigned i = 0; i < search_count(s, n, c); i++) {
        unsigned ordinal = CLAIM_SPAN * (k + 1) + QUESTION_SPAN + i;
        if (!json_exists(found_at(c, i)) && !call_find(s, n, ordinal) &&
            !search_begin(s, n, k, c, i))
            return false;
    }
    return true;
}

/* The next steps of claim k; false: something is too large. */
static bool claim_go_on(struct session *s, unsigned n, struct facts *f, unsigned k)
{
    struct claim *c = &f->claims[k];
    bool all_failed = false;
    if (c->verdict.p || question_is_open(s, n, CLAIM_SPAN * (k + 1)))
        return true;
    if (!searches_over(s, n, c, &all_failed))
        return searches_begin(s, n, k, c);
    if (!all_failed)
        return verdict_ask(s, n, k, c);
    struct json error = json_get(found_at(c, 0), "error");
    verdict_set(s, c, JSON_ABSENT, "no_source", json_text(s, json_get(error, "message")));
    progress_event(s, n, f, k);
    return true;
}

static void facts_go_on(struct session *s, unsigned n, struct facts *f)
{
    unsigned judged = 0;
    bool fits = true;
    for (unsigned k = 0; k < f->count && fits; k++)
        fits = claim_go_on(s, n, f, k);
    for (unsigned k = 0; k < f->count; k++)
        judged += f->claims[k].verdict.p != NULL;
    if (!fits)
        node_failz(s, n, "too_large", "A claim and its evidence are larger than allowed.");
    else if (facts_save(s, n, f) && judged == f->count)
        facts_finish(s, n, f);
}

void node_start_facts(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct facts f;
    if (facts_load(s, n, &f)) {
        facts_go_on(s, n, &f);
        return;
    }
    int rc = claims_ask(s, n, &e);
    if (rc)
        node_failz(s, n, rc == ERR_TOO_LARGE ? "too_large" : "invalid_template", e.text);
}

/* A result of claim *k; place: 0 its verdict, else search place - QUESTION_SPAN. */
static bool result_place(const struct facts *f, const struct work *c, unsigned *k, unsigned *place)
{
    *k = c->ordinal / CLAIM_SPAN - 1;
    *place = c->ordinal % CLAIM_SPAN;
    return c->ordinal >= CLAIM_SPAN && *k < f->count && !f->claims[*k].verdict.p &&
           (*place < QUESTION_SPAN) == (c->kind == WORK_MODEL);
}

static void verdict_done(struct session *s, unsigned n, struct work *c,
                         const struct engine_input *in, struct facts *f, unsigned k)
{
    struct errbuf e = {{0}};
    struct str answer;
    switch (question_read(s, n, c, in, STR(verdict_schema), &answer, &e)) {
    case QUESTION_READ:
        verdict_set(s, &f->claims[k], json_root(answer), NULL, STR_NULL);
        break;
    case QUESTION_AGAIN:
        return;
    case QUESTION_WRONG:
        question_void(s, n, c, "schema_mismatch");
        verdict_set(s, &f->claims[k], JSON_ABSENT, "schema_mismatch", str_of(e.text));
        break;
    }
    progress_event(s, n, f, k);
    facts_go_on(s, n, f);
}

static void claims_done(struct session *s, unsigned n, struct work *c,
                        const struct engine_input *in)
{
    struct errbuf e = {{0}};
    struct str answer;
    struct facts f;
    switch (question_read(s, n, c, in, STR(claims_schema), &answer, &e)) {
    case QUESTION_READ:
        claims_take(s, n, json_root(answer), &f);
        facts_go_on(s, n, &f);
        break;
    case QUESTION_AGAIN:
        break;
    case QUESTION_WRONG:
        node_fail(s, n, "schema_mismatch", str_of(e.text), -1, true);
        break;
    }
}

static void result_lost(struct session *s, unsigned n)
{
    node_failz(s, n, "lost", "The claim that this is about is not there.");
}

void facts_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct facts f;
    unsigned k, place;
    bool loaded = facts_load(s, n, &f);
    if (!loaded && c->kind == WORK_MODEL && c->ordinal < QUESTION_SPAN) {
        claims_done(s, n, c, in);
    } else if (!loaded || !result_place(&f, c, &k, &place)) {
        result_lost(s, n);
    } else if (c->kind == WORK_MODEL) {
        verdict_done(s, n, c, in, &f, k);
    } else {
        found_add(s, n, &f.claims[k], place - QUESTION_SPAN, json_root(in->output_json), STR_NULL);
        facts_go_on(s, n, &f);
    }
}

void facts_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct facts f;
    unsigned k, place;
    char code[65];
    bool loaded = facts_load(s, n, &f);
    call_error_code(in, code);
    if (!loaded && c->kind == WORK_MODEL) {
        call_fail_run(s, n, in);
    } else if (!loaded || !result_place(&f, c, &k, &place)) {
        result_lost(s, n);
    } else if (c->kind == WORK_MODEL) {
        question_void(s, n, c, code);
        verdict_set(s, &f.claims[k], JSON_ABSENT, code, in->error_text);
        progress_event(s, n, &f, k);
        facts_go_on(s, n, &f);
    } else {
        found_add(s, n, &f.claims[k], place - QUESTION_SPAN, JSON_ABSENT,
                  error_json(s, code, in->error_text, NULL));
        facts_go_on(s, n, &f);
    }
}
