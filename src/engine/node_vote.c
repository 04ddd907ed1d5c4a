#include <stdlib.h>
#include <string.h>

#include "engine/context.h"
#include "engine/question.h"

/* A vote: every voter is asked at once, each gives {decision, score, reasoning} or abstains. A
 * voter who cannot be asked, or whose answer cannot be read, abstains with the error as the reason:
 * a dead voter never says yes. What has been cast is the run's progress, {"votes": [...]}, in the
 * order it came in; another attempt asks only those who failed.
 *
 * A voter who is a stored agent is looked up first (context.h), under the last ordinal of its
 * question, which no try takes. */

#define SCORE_THRESHOLD 6
#define CONTEXT_OFFSET  (QUESTION_SPAN - 1)

static const char answer_schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"decision\":{\"type\":\"string\",\"enum\":[\"yes\",\"no\",\"abstain\"]},"
    "\"score\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10},"
    "\"reasoning\":{\"type\":\"string\"}},"
    "\"required\":[\"decision\",\"score\",\"reasoning\"],\"additionalProperties\":false}";

static const char yes_no_text[] =
    "Vote on this. decision: \"yes\" or \"no\", or \"abstain\" when you cannot decide. score: from "
    "1 "
    "(wholly against) to 10 (wholly for). reasoning: a few sentences. Answer with JSON of these "
    "three members only.";
static const char score_text[] =
    "Judge this. score: from 1 (worst) to 10 (best). decision: \"yes\" when it should be accepted, "
    "\"no\" when not, or \"abstain\" when you cannot judge. reasoning: a few sentences. Answer "
    "with "
    "JSON of these three members only.";

/* ---- voters ---- */

static struct json voter_at(const struct session *s, unsigned n, unsigned i)
{
    struct json_iter it;
    json_iter_init(&it, prop(s, n, "voters"));
    while (json_iter_next(&it))
        if (it.index == i)
            return it.value;
    return JSON_ABSENT;
}

static unsigned voter_count(const struct session *s, unsigned n)
{
    return (unsigned)json_length(prop(s, n, "voters"));
}

/* Inline, or an agent node of this workflow by its id; of a stored agent nothing stands here. */
static struct json voter_props(const struct session *s, struct json voter)
{
    if (json_type(voter) != JSON_STRING)
        return voter;
    int agent = workflow_find(s->wf, (struct str){voter.p + 1, voter.n - 2});
    if (agent < 0 || s->wf->nodes[agent].kind != KIND_AGENT)
        return JSON_ABSENT;
    struct json props = s->wf->nodes[agent].properties, inside = json_get_set(props, "agent");
    return json_exists(json_get_set(inside, "persona")) ? inside : props;
}

static struct str voter_name(struct session *s, struct json voter)
{
    struct json name = json_type(voter) == JSON_STRING ? voter : json_get_set(voter, "name");
    return json_type(name) == JSON_STRING ? json_text(s, name) : STR("");
}

struct str vote_agent_id(struct session *s, unsigned n, const struct work *c)
{
    return voter_name(s, voter_at(s, n, c->ordinal / QUESTION_SPAN));
}

/* ---- asking ---- */

static struct str self_make(struct session *s, struct str name, struct str persona)
{
    struct buf b;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    buf_printf(&b, "You are %.*s, one of several voters.", STR_FMT(name));
    if (persona.n) {
        buf_append_char(&b, ' ');
        buf_append_str(&b, persona);
    }
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

static int too_large(struct errbuf *e)
{
    return err_set(e, ERR_TOO_LARGE, "A voter's persona is larger than allowed.");
}

static int system_make(struct session *s, unsigned n, struct json voter, struct str *out,
                       struct errbuf *e)
{
    struct json persona = json_get_set(voter_props(s, voter), "persona");
    struct str text = STR_NULL;
    if (json_type(persona) == JSON_STRING) {
        int rc = eval_template(s, n, json_text(s, persona), &text, e);
        if (rc)
            return rc;
    }
    *out = self_make(s, voter_name(s, voter), text);
    return out->p ? 0 : too_large(e);
}

/* The same of a stored agent, whose name is what people call it. */
static int system_stored(struct session *s, struct json voter, struct context *x, struct str *out,
                         struct errbuf *e)
{
    struct json name = json_get_set(x->agent, "name");
    struct buf b;
    x->persona.self =
        self_make(s, json_type(name) == JSON_STRING ? json_text(s, name) : voter_name(s, voter),
                  x->persona.self);
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    persona_write(&b, &x->persona);
    *out = tmp_copy(s, buf_str(&b));
    bool fits = x->persona.self.p && !buf_error(&b);
    buf_deinit(&b);
    return fits ? 0 : too_large(e);
}

static bool is_scored(const struct session *s, unsigned n)
{
    return json_string_eq(prop(s, n, "vote_type"), "score_1_10");
}

static int question_text(struct session *s, unsigned n, struct str *out, struct errbuf *e)
{
    struct json question = prop(s, n, "question");
    if (json_type(question) == JSON_STRING)
        return eval_template(s, n, json_text(s, question), out, e);
    *out = prompt_default(s, n);
    return out->p ? 0 : err_set(e, ERR_TOO_LARGE, "The question is larger than allowed.");
}

/* With what is wanted of the answer. */
static struct str question_whole(struct session *s, unsigned n, struct str text)
{
    struct buf b;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX);
    buf_append_str(&b, text);
    buf_append_z(&b, "\n\n");
    buf_append_z(&b, is_scored(s, n) ? score_text : yes_no_text);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* Its own settings, and those of the stored agent, before the node's. */
static void voter_settings(const struct session *s, struct json voter, const struct context *x,
                           struct question *a)
{
    struct json props = voter_props(s, voter);
    struct json provider = json_get_set(props, "provider"), model = json_get_set(props, "model");
    context_model(x, &provider, &model);
    if (json_exists(provider))
        a->provider = provider;
    if (json_exists(model))
        a->model = model;
    a->temperature = context_or(x, a->temperature, "temperature");
    a->top_p = context_or(x, a->top_p, "top_p");
    a->max_tokens = context_or(x, a->max_tokens, "max_tokens");
}

/* x: of a stored agent what is known of it, else NULL. */
static int voter_ask(struct session *s, unsigned n, unsigned i, struct str text, struct context *x,
                     struct errbuf *e)
{
    struct json voter = voter_at(s, n, i);
    struct question a;
    question_init(s, n, &a);
    voter_settings(s, voter, x, &a);
    a.user = question_whole(s, n, text);
    a.schema = STR(answer_schema);
    int rc = x ? system_stored(s, voter, x, &a.system, e) : system_make(s, n, voter, &a.system, e);
    if (rc)
        return rc;
    if (!a.user.p || !question_begin(s, n, i * QUESTION_SPAN, &a))
        return err_set(e, ERR_TOO_LARGE, "The question is larger than allowed.");
    return 0;
}

static int voter_begin(struct session *s, unsigned n, unsigned i, struct str text, struct errbuf *e)
{
    struct context_ask a = {.agent_id = workflow_voter_agent(s->wf, voter_at(s, n, i)),
                            .query = text,
                            .memory = prop(s, n, "memory")};
    if (!a.agent_id.p)
        return voter_ask(s, n, i, text, NULL, e);
    return context_begin(s, n, i * QUESTION_SPAN + CONTEXT_OFFSET, &a) ? 0 : too_large(e);
}

/* ---- what has been cast ---- */

static struct json votes_get(struct session *s, unsigned n)
{
    struct str progress = progress_get(s, n);
    return progress.p ? json_get_set(json_root(tmp_copy(s, progress)), "votes") : JSON_ABSENT;
}

static int64_t vote_index(struct json vote)
{
    int64_t i = -1;
    json_i64(json_get_set(vote, "i"), &i);
    return i;
}

static struct json vote_find(struct json votes, unsigned i)
{
    struct json_iter it;
    json_iter_init(&it, votes);
    while (json_iter_next(&it))
        if (vote_index(it.value) == (int64_t)i)
            return it.value;
    return JSON_ABSENT;
}

static bool vote_failed_before(struct json vote)
{
    return json_exists(json_get_set(vote, "error"));
}

/* Keeps the votes, without those that failed (`only_cast`), and adds one (or NULL). */
static void votes_save(struct session *s, unsigned n, bool only_cast, struct str more)
{
    struct json_iter it;
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_key(&w, "votes");
    jw_array(&w);
    json_iter_init(&it, votes_get(s, n));
    while (json_iter_next(&it))
        if (!only_cast || !vote_failed_before(it.value))
            jw_raw(&w, json_raw(it.value));
    if (more.p)
        jw_raw(&w, more);
    jw_end(&w);
    jw_end(&w);
    progress_set(s, n, buf_error(&b) ? STR_NULL : buf_str(&b));
    buf_deinit(&b);
}

/* What an event and the output tell of a vote. */
static void vote_members(struct jw *w, struct json vote)
{
    static const char *const keys[] = {"voter", "decision", "score", "reasoning"};
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
        jw_kv_raw(w, keys[k], json_raw(json_get(vote, keys[k])));
    if (vote_failed_before(vote))
        jw_kv_raw(w, "error", json_raw(json_get(vote, "error")));
}

/* answer: {decision, score, reasoning}; or absent, then code and text say why there is none. */
static struct str vote_make(struct session *s, unsigned n, unsigned i, struct json answer,
                            const char *code, struct str text)
{
    struct buf b;
    struct jw w;
    bool abstains = !json_exists(answer) || json_string_eq(json_get(answer, "decision"), "abstain");
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    jw_object(&w);
    jw_kv_u64(&w, "i", i);
    jw_kv_string(&w, "voter", voter_name(s, voter_at(s, n, i)));
    if (json_exists(answer))
        jw_kv_raw(&w, "decision", json_raw(json_get(answer, "decision")));
    else
        jw_kv_stringz(&w, "decision", "abstain");
    jw_kv_raw(&w, "score", abstains ? STR("null") : json_raw(json_get(answer, "score")));
    if (json_exists(answer))
        jw_kv_raw(&w, "reasoning", json_raw(json_get(answer, "reasoning")));
    else
        jw_kv_string(&w, "reasoning", text);
    if (!json_exists(answer))
        jw_kv_raw(&w, "error", error_json(s, code, text, NULL));
    jw_end(&w);
    struct str out = buf_error(&b) ? STR_NULL : tmp_copy(s, buf_str(&b));
    buf_deinit(&b);
    return out;
}

/* ---- the result ---- */

struct tally {
    unsigned yes, no, abstain, failed;
    double scores;
    bool passed;
};

static void tally_add(struct tally *t, struct json vote)
{
    double score = 0;
    if (vote_failed_before(vote))
        t->failed++;
    if (json_string_eq(json_get(vote, "decision"), "yes"))
        t->yes++;
    else if (json_string_eq(json_get(vote, "decision"), "no"))
        t->no++;
    else
        t->abstain++;
    if (json_double(json_get_set(vote, "score"), &score))
        t->scores += score;
}

/* Abstentions do not count: they are neither for nor against. */
static void tally_judge(const struct session *s, unsigned n, struct tally *t)
{
    const double nearly = 1e-9; /* 2/3 written with some digits is 2/3 */
    double voting = t->yes + t->no, threshold, quorum = 1;
    bool given = json_double(prop(s, n, "threshold"), &threshold);
    json_double(prop(s, n, "quorum"), &quorum);
    if (voting < 1 || voting < quorum)
        return;
    if (is_scored(s, n))
        t->passed = t->scores / voting >= (given ? threshold : SCORE_THRESHOLD) - nearly;
    else if (given)
        t->passed = t->yes / voting >= threshold - nearly;
    else
        t->passed = t->yes > t->no;
}

static void tally_write(struct jw *w, const struct tally *t)
{
    unsigned voting = t->yes + t->no;
    jw_kv_bool(w, "passed", t->passed);
    jw_key(w, "tally");
    jw_object(w);
    jw_kv_u64(w, "yes", t->yes);
    jw_kv_u64(w, "no", t->no);
    jw_kv_u64(w, "abstain", t->abstain);
    jw_key(w, "mean_score");
    if (voting)
        jw_double(w, t->scores / voting);
    else
        jw_null(w);
    jw_end(w);
}

static void output_write(struct session *s, unsigned n, struct jw *w, const struct tally *t,
                         struct json votes)
{
    jw_object(w);
    tally_write(w, t);
    jw_key(w, "votes");
    jw_array(w);
    for (unsigned i = 0; i < voter_count(s, n); i++) {
        jw_object(w);
        vote_members(w, vote_find(votes, i));
        jw_end(w);
    }
    jw_end(w);
    jw_end(w);
}

static void vote_finish(struct session *s, unsigned n, struct json votes)
{
    static const char *const approve[] = {"approve", NULL}, *const reject[] = {"reject", NULL};
    struct tally t = {0};
    struct buf b;
    struct jw w;
    for (unsigned i = 0; i < voter_count(s, n); i++)
        tally_add(&t, vote_find(votes, i));
    if (t.failed == voter_count(s, n)) {
        struct json first = json_get_set(vote_find(votes, 0), "reasoning");
        node_fail(s, n, "vote_failed", json_text(s, first), -1, true);
        return;
    }
    tally_judge(s, n, &t);
    struct jw *event = event_begin(s, "vote_result", (int)n);
    tally_write(event, &t);
    event_end(s);
    buf_init(&b, ENGINE_REQUEST_BYTES_MAX);
    jw_init(&w, &b);
    output_write(s, n, &w, &t, votes);
    if (buf_error(&b))
        node_failz(s, n, "too_large", "The votes are larger than allowed.");
    else
        node_complete(s, n, tmp_copy(s, buf_str(&b)),
                      decision_edge(s, n, t.passed ? approve : reject));
    buf_deinit(&b);
}

/* ---- the run ---- */

static bool votes_are_whole(struct session *s, unsigned n, struct json votes)
{
    for (unsigned i = 0; i < voter_count(s, n); i++)
        if (!json_exists(vote_find(votes, i)))
            return false;
    return true;
}

static void vote_cast(struct session *s, unsigned n, unsigned i, struct json answer,
                      const char *code, struct str text)
{
    struct str vote = vote_make(s, n, i, answer, code, text);
    if (!vote.p || i >= voter_count(s, n) || json_exists(vote_find(votes_get(s, n), i))) {
        node_failz(s, n, "invalid_output", "A vote came that nobody was asked for.");
        return;
    }
    votes_save(s, n, false, vote);
    struct jw *w = event_begin(s, "vote_cast", (int)n);
    vote_members(w, json_root(vote));
    event_end(s);
    struct json votes = votes_get(s, n);
    if (votes_are_whole(s, n, votes))
        vote_finish(s, n, votes);
}

void node_start_vote(struct session *s, unsigned n)
{
    struct errbuf e = {{0}};
    struct str text = STR_NULL;
    struct json votes;
    int rc = question_text(s, n, &text, &e);
    if (json_exists(votes_get(s, n)))
        votes_save(s, n, true, STR_NULL);
    votes = votes_get(s, n);
    for (unsigned i = 0; i < voter_count(s, n) && !rc; i++)
        if (!json_exists(vote_find(votes, i)))
            rc = voter_begin(s, n, i, text, &e);
    if (rc)
        node_failz(s, n, rc == ERR_TOO_LARGE ? "too_large" : "invalid_template", e.text);
    else if (votes_are_whole(s, n, votes))
        vote_finish(s, n, votes);
}

static void voter_known(struct session *s, unsigned n, const struct work *c,
                        const struct engine_input *in)
{
    unsigned i = c->ordinal / QUESTION_SPAN;
    struct errbuf e = {{0}};
    struct context x;
    if (context_read(s, c, in, &x, &e))
        vote_cast(s, n, i, JSON_ABSENT, "unknown_agent", str_of(e.text));
    else if (voter_ask(s, n, i, x.query, &x, &e))
        node_failz(s, n, "too_large", e.text);
}

void vote_done(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct errbuf e = {{0}};
    struct str answer;
    if (c->kind == WORK_TOOL) {
        voter_known(s, n, c, in);
        return;
    }
    switch (question_read(s, n, c, in, STR(answer_schema), &answer, &e)) {
    case QUESTION_READ:
        vote_cast(s, n, c->ordinal / QUESTION_SPAN, json_root(answer), NULL, STR_NULL);
        break;
    case QUESTION_AGAIN:
        break;
    case QUESTION_WRONG:
        question_void(s, n, c, "schema_mismatch");
        vote_cast(s, n, c->ordinal / QUESTION_SPAN, JSON_ABSENT, "schema_mismatch", str_of(e.text));
        break;
    }
}

void vote_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    char code[65];
    question_void(s, n, c, call_error_code(in, code));
    vote_cast(s, n, c->ordinal / QUESTION_SPAN, JSON_ABSENT, call_error_code(in, code),
              in->error_text);
}
