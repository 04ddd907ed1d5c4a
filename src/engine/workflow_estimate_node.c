#include <math.h>
#include <string.h>

#include "engine/model_list.h"
#include "engine/workflow_estimate_private.h"

#define MESSAGE_TOKENS     4.0 /* around each message */
#define TOOL_RESULT_TOKENS 200.0
#define TOOL_CALL_TOKENS   30.0
#define TOOL_ROUNDS        5     /* max_tool_rounds when it is not given */
#define QUESTION_TOKENS    120.0 /* around a question whose answer has a form of its own */
#define VERDICT_TOKENS     80.0  /* of a voter, or on a claim */
#define CLAIM_TOKENS       40.0
#define FOUND_TOKENS       500.0 /* of one search */
#define OTHER_TOKENS       50.0  /* an output that only the run can tell */

/* A property of an agent: inline under `agent`, or beside it. */
static struct json inline_prop(const struct estimate *s, unsigned n, const char *key)
{
    struct json v = json_get_set(est_prop(s, n, "agent"), key);
    return json_exists(v) ? v : est_prop(s, n, key);
}

static struct json stored_agent(const struct estimate *s, struct str id)
{
    return id.p && s->p->agent ? s->p->agent(s->p->agent_data, id) : JSON_ABSENT;
}

/* The same, or the stored agent's. */
static struct json agent_prop(const struct estimate *s, unsigned n, const char *key)
{
    struct json v = inline_prop(s, n, key);
    if (json_exists(v))
        return v;
    return json_get_set(stored_agent(s, workflow_node_agent(&s->w->nodes[n])), key);
}

static struct str name_of(struct json v)
{
    return json_type(v) == JSON_STRING ? (struct str){v.p + 1, v.n - 2} : STR_NULL;
}

/* The first is what it will probably be. */
static void model_set(struct est_node *e, struct json provider, struct json model)
{
    struct model_choice first;
    model_list_pick(provider, model, 0, &first);
    e->provider = name_of(first.provider);
    e->model = name_of(first.model);
}

/* A node that names a provider or a model takes neither from the stored agent. */
static void agent_model_set(const struct estimate *s, unsigned n, struct est_node *e)
{
    struct json provider = inline_prop(s, n, "provider"), model = inline_prop(s, n, "model");
    if (json_exists(provider) || json_exists(model))
        model_set(e, provider, model);
    else
        model_set(e, agent_prop(s, n, "provider"), agent_prop(s, n, "model"));
}

static double number_or(struct json v, double otherwise)
{
    double d;
    return json_double(v, &d) ? d : otherwise;
}

static bool calls_model(const struct estimate *s, unsigned n)
{
    enum node_kind k = s->w->nodes[n].kind;
    return k == KIND_LLM || k == KIND_AGENT ||
           (k == KIND_END && json_exists(est_prop(s, n, "prompt")));
}

void est_node_prepare(struct estimate *s, unsigned n)
{
    struct est_node *e = &s->nodes[n];
    if (!calls_model(s, n))
        return;
    struct json schema = est_prop(s, n, "response_schema");
    e->output = number_or(agent_prop(s, n, "max_tokens"), ESTIMATE_OUTPUT_TOKENS_ASSUMED);
    if (json_exists(schema)) {
        e->result = est_made_up(s, schema);
        e->output = fmin(e->output, est_tokens(e->result));
    } else {
        e->result = est_stand_in(s, e->output);
    }
    e->result_tokens = e->output;
    agent_model_set(s, n, e);
    if (s->w->nodes[n].kind == KIND_AGENT) {
        e->agent = name_of(est_prop(s, n, "agent_id"));
        if (!e->agent.p)
            e->agent = s->w->nodes[n].id;
    }
}

/* ---- prompts ---- */

static double messages_tokens(struct estimate *s, struct json list)
{
    struct json_iter it;
    double tokens = 0;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        tokens += MESSAGE_TOKENS + est_template(s, json_get_set(it.value, "content"));
    return tokens;
}

/* Without a prompt an agent gets the topic, and what the nodes straight before it said. */
static double default_prompt_tokens(struct estimate *s, unsigned n)
{
    const struct node_def *def = &s->w->nodes[n];
    struct json topic = json_get_set(json_root(s->input), "topic");
    double tokens = est_tokens(json_exists(topic) ? json_raw(topic) : s->input);
    for (unsigned i = 0; i < def->in_count; i++)
        if (s->live[def->in[i]])
            tokens += s->nodes[s->w->edges[def->in[i]].from].result_tokens;
    return tokens;
}

/* A stored persona is text, whatever stands in it. */
static double stored_persona_tokens(struct estimate *s, struct json agent)
{
    return est_tokens(est_text(s, json_get_set(agent, "persona")));
}

static void stored_warn(struct estimate *s, unsigned n, struct str id)
{
    if (s->p->agent && id.p && !json_exists(stored_agent(s, id)))
        est_warn(s, (int)n, "unknown_agent", "there is no agent \"%.*s\"", STR_FMT(id));
}

static double system_tokens(struct estimate *s, unsigned n)
{
    bool is_agent = s->w->nodes[n].kind == KIND_AGENT;
    struct json system = is_agent ? inline_prop(s, n, "persona") : est_prop(s, n, "system");
    struct str stored = workflow_node_agent(&s->w->nodes[n]);
    if (stored.p)
        return MESSAGE_TOKENS + stored_persona_tokens(s, stored_agent(s, stored));
    return json_exists(system) ? MESSAGE_TOKENS + est_template(s, system) : 0;
}

static double prompt_tokens(struct estimate *s, unsigned n)
{
    struct json list = est_prop(s, n, "messages"), prompt = est_prop(s, n, "prompt");
    struct json schema = est_prop(s, n, "response_schema");
    double tokens = system_tokens(s, n);
    if (json_type(list) == JSON_ARRAY)
        tokens += messages_tokens(s, list);
    else if (json_type(prompt) == JSON_STRING)
        tokens += MESSAGE_TOKENS + est_template(s, prompt);
    else
        tokens += MESSAGE_TOKENS + default_prompt_tokens(s, n);
    return tokens + (json_exists(schema) ? est_tokens(json_raw(schema)) : 0);
}

static void price_set(struct estimate *s, struct est_node *e)
{
    const struct engine_rules *r = s->p->rules;
    struct price price;
    e->has_cost = r && r->price && r->price(r->data, e->provider, e->model, &price);
    if (e->has_cost)
        e->cost = (e->input * (double)price.input + e->output * (double)price.output) / 1e12;
}

/* Each round of tools repeats the conversation, longer by what was called and answered. */
static void tools_add(struct estimate *s, unsigned n, struct est_node *e)
{
    struct json tools = agent_prop(s, n, "tools");
    double rounds = number_or(agent_prop(s, n, "max_tool_rounds"), TOOL_ROUNDS);
    if (!json_length(tools) || rounds < 1)
        return;
    double growth = TOOL_CALL_TOKENS + TOOL_RESULT_TOKENS;
    double base = e->input + est_tokens(json_raw(tools));
    e->calls = rounds + 1;
    e->input = base * e->calls + growth * rounds * e->calls / 2;
    e->output += TOOL_CALL_TOKENS * rounds;
    est_warn(s, (int)n, "tool_rounds", "counted with all %g rounds of tools", rounds);
}

static void model_visit(struct estimate *s, unsigned n)
{
    struct est_node *e = &s->nodes[n];
    e->calls = 1;
    stored_warn(s, n, workflow_node_agent(&s->w->nodes[n]));
    e->input = prompt_tokens(s, n);
    tools_add(s, n, e);
    e->seconds = e->calls * ESTIMATE_CALL_S + e->output / ESTIMATE_TOKENS_PER_S;
    price_set(s, e);
}

/* ---- nodes that ask several questions ---- */

/* Adds one question to what the node takes; several are asked side by side. */
static void question_add(struct estimate *s, struct est_node *e, struct est_node asked)
{
    bool first = e->calls == 0;
    asked.input += QUESTION_TOKENS;
    price_set(s, &asked);
    e->calls++;
    e->input += asked.input;
    e->output += asked.output;
    e->cost += asked.has_cost ? asked.cost : 0;
    e->has_cost = asked.has_cost && (first || e->has_cost);
    e->seconds = fmax(e->seconds, ESTIMATE_CALL_S + asked.output / ESTIMATE_TOKENS_PER_S);
}

/* A voter is inline, or the name of an agent node, which has its persona and model. */
static struct json voter_prop(const struct estimate *s, unsigned n, struct json voter,
                              const char *key)
{
    struct json v = json_get_set(voter, key);
    int agent = json_type(voter) == JSON_STRING ? workflow_find(s->w, name_of(voter)) : -1;
    if (agent >= 0 && s->w->nodes[agent].kind == KIND_AGENT)
        v = agent_prop(s, (unsigned)agent, key);
    else if (json_type(voter) == JSON_STRING)
        v = json_get_set(stored_agent(s, name_of(voter)), key);
    return json_exists(v) ? v : est_prop(s, n, key);
}

static double voter_persona_tokens(struct estimate *s, unsigned n, struct json voter)
{
    struct str stored = workflow_voter_agent(s->w, voter);
    return stored.p ? stored_persona_tokens(s, stored_agent(s, stored))
                    : est_template(s, voter_prop(s, n, voter, "persona"));
}

static void vote_visit(struct estimate *s, unsigned n)
{
    struct est_node *e = &s->nodes[n];
    struct json question = est_prop(s, n, "question");
    double asked = json_exists(question) ? est_template(s, question) : default_prompt_tokens(s, n);
    struct json_iter it;
    e->input = e->output = e->calls = 0;
    json_iter_init(&it, est_prop(s, n, "voters"));
    while (json_iter_next(&it)) {
        struct est_node voter = {.output = VERDICT_TOKENS};
        model_set(&voter, voter_prop(s, n, it.value, "provider"),
                  voter_prop(s, n, it.value, "model"));
        stored_warn(s, n, workflow_voter_agent(s->w, it.value));
        voter.input = asked + voter_persona_tokens(s, n, it.value);
        question_add(s, e, voter);
        price_set(s, &voter);
        struct json name = json_get_set(it.value, "name");
        struct str id = name_of(json_exists(name) ? name : it.value);
        est_agent_add(s, (struct est_agent){id, n, e->runs, voter.input + QUESTION_TOKENS,
                                            voter.output, voter.cost, voter.has_cost});
    }
    e->result_tokens = e->output;
    e->result = est_stand_in(s, e->output);
}

/* The claims, then a verdict on each, by what was found. */
static void facts_visit(struct estimate *s, unsigned n)
{
    struct est_node *e = &s->nodes[n];
    struct json text = est_prop(s, n, "text");
    double claims = number_or(est_prop(s, n, "max_claims"), 10);
    double queries = number_or(est_prop(s, n, "max_queries"), 2);
    struct est_node asked = {0};
    model_set(&asked, est_prop(s, n, "provider"), est_prop(s, n, "model"));
    e->input = e->output = e->calls = 0;
    asked.input = json_exists(text) ? est_template(s, text) : default_prompt_tokens(s, n);
    asked.output = claims * CLAIM_TOKENS;
    question_add(s, e, asked);
    asked.input = CLAIM_TOKENS + queries * FOUND_TOKENS;
    asked.output = VERDICT_TOKENS;
    for (int64_t k = 0, count = (int64_t)claims; k < count; k++)
        question_add(s, e, asked);
    e->seconds *= 2; /* one after the other: the claims, the verdicts */
    e->result_tokens = claims * (CLAIM_TOKENS + VERDICT_TOKENS);
    e->result = est_stand_in(s, e->result_tokens);
    est_warn(s, (int)n, "claims_assumed", "counted with %g claims", claims);
}

/* The summary so far and one round more. */
static void synth_visit(struct estimate *s, unsigned n)
{
    struct est_node *e = &s->nodes[n];
    struct est_node asked = {0};
    model_set(&asked, est_prop(s, n, "provider"), est_prop(s, n, "model"));
    asked.output = number_or(est_prop(s, n, "max_tokens"), ESTIMATE_OUTPUT_TOKENS_ASSUMED);
    asked.input = asked.output + 2 * ESTIMATE_OUTPUT_TOKENS_ASSUMED;
    e->input = e->output = e->calls = 0;
    question_add(s, e, asked);
    e->result_tokens = asked.input;
    e->result = est_stand_in(s, asked.input);
}

static void memory_visit(struct estimate *s, unsigned n)
{
    s->nodes[n].result_tokens = number_or(est_prop(s, n, "max_results"), 5) * OTHER_TOKENS;
    s->nodes[n].result = est_stand_in(s, s->nodes[n].result_tokens);
}

/* ---- nodes that only compute ---- */

static void result_of(struct estimate *s, unsigned n, bool known, struct str text)
{
    struct est_node *e = &s->nodes[n];
    e->exact = false;
    e->result = known ? text : est_stand_in(s, OTHER_TOKENS);
    e->result_tokens = est_tokens(e->result);
}

/* Member by member; of those that `except` has as well, nothing. */
static void members_write(struct estimate *s, struct jw *w, struct json from, struct json except,
                          bool evaluate)
{
    struct json_iter it;
    json_iter_init(&it, from);
    while (json_iter_next(&it)) {
        struct str text = json_raw(it.value);
        struct buf key;
        buf_init(&key, it.key.n + 1);
        json_iter_key(&it, &key);
        if (key.data && !json_exists(json_get(except, key.data)) &&
            (!evaluate || est_eval_tree(s, it.value, &text)))
            jw_kv_raw(w, key.data, text);
        buf_deinit(&key);
    }
}

/* What follows a transform sees its variables, as far as they are known. */
static void vars_set(struct estimate *s, struct json vars)
{
    struct buf b;
    struct jw w;
    buf_init(&b, 8u << 20);
    jw_init(&w, &b);
    jw_object(&w);
    members_write(s, &w, json_root(s->vars), vars, false);
    members_write(s, &w, vars, JSON_ABSENT, true);
    jw_end(&w);
    if (!buf_error(&b))
        s->vars = (struct str){arena_strdup(&s->arena, buf_str(&b)), b.len};
    buf_deinit(&b);
}

static void transform_visit(struct estimate *s, unsigned n)
{
    struct str text = STR_NULL;
    bool known = est_eval_tree(s, est_prop(s, n, "output"), &text);
    bool guessed = s->guessed;
    result_of(s, n, known, text);
    s->nodes[n].exact = known && !guessed;
    if (json_exists(est_prop(s, n, "vars")))
        vars_set(s, est_prop(s, n, "vars"));
}

/* Cases up to the first that the input makes true; those that it makes false are closed. */
static void switch_visit(struct estimate *s, unsigned n)
{
    const struct node_def *def = &s->w->nodes[n];
    bool decided = false;
    for (unsigned o = 0; o < def->out_count; o++) {
        const struct edge *e = &s->w->edges[def->out[o]];
        struct json_iter it;
        bool holds = false, known = false;
        if (e->kind != EDGE_CASE && e->kind != EDGE_DEFAULT)
            continue;
        json_iter_init(&it, est_prop(s, n, "cases"));
        while (e->kind == EDGE_CASE && json_iter_next(&it))
            if (it.index == e->ordinal)
                known = est_eval_bool(s, est_text(s, json_get_set(it.value, "when")), &holds);
        if (decided || (known && !holds))
            s->live[def->out[o]] = false;
        decided = decided || (known && holds);
    }
    s->nodes[n].result = STR("null");
}

static void wait_visit(struct estimate *s, unsigned n)
{
    s->nodes[n].seconds = number_or(est_prop(s, n, "duration_ms"), 0) / 1000;
    s->nodes[n].result = STR("null");
}

static void loop_visit(struct estimate *s, unsigned n)
{
    struct buf b;
    buf_init(&b, 512);
    buf_printf(&b, "{\"rounds\":%g,\"exit_reason\":\"max_rounds\",\"score\":null,\"history\":[]}",
               number_or(est_prop(s, n, "max_rounds"), 1));
    result_of(s, n, true, (struct str){arena_strdup(&s->arena, buf_str(&b)), b.len});
    buf_deinit(&b);
}

static void start_visit(struct estimate *s, unsigned n)
{
    result_of(s, n, true, s->input);
    s->nodes[n].exact = s->p->input_json.p;
}

static void human_visit(struct estimate *s, unsigned n)
{
    result_of(s, n, true,
              STR("{\"action\":\"approve\",\"data\":{\"content\":\"some words\"},"
                  "\"reviewer\":\"somebody\",\"content\":\"some words\"}"));
    est_warn(s, (int)n, "waits", "waits for a person: that time is not in seconds");
}

/* What one of its members gives, so many times; what is inside is looked at after it. */
static void container_visit(struct estimate *s, unsigned n)
{
    struct est_node *e = &s->nodes[n];
    double most = OTHER_TOKENS;
    for (unsigned i = 0; i < s->w->node_count; i++)
        if (s->w->nodes[i].owner == (int)n)
            most = fmax(most, s->nodes[i].result_tokens);
    e->result = est_stand_in(s, most * e->items);
    e->result_tokens = most * e->items;
}

static void map_visit(struct estimate *s, unsigned n)
{
    struct est_node *e = &s->nodes[n];
    struct str list = STR_NULL;
    bool known = est_eval(s, est_text(s, est_prop(s, n, "items")), &list) &&
                 json_type(json_root(list)) == JSON_ARRAY;
    bool exact = known && !s->guessed;
    e->items = known ? (double)json_length(json_root(list)) : ESTIMATE_ITEMS_ASSUMED;
    if (!exact)
        est_warn(s, (int)n, "items_assumed", "counted with %g items", e->items);
    if (known) {
        struct json_iter it;
        json_iter_init(&it, json_root(list));
        if (json_iter_next(&it))
            e->first_item = json_raw(it.value);
    }
    e->waves = ceil(e->items / fmax(1, number_or(est_prop(s, n, "max_concurrent"), e->items)));
    container_visit(s, n);
}

static void child_visit(struct estimate *s, unsigned n)
{
    result_of(s, n, false, STR_NULL);
    est_warn(s, (int)n, "child", "what its child session takes is not counted");
}

static void (*const visits[KIND_COUNT])(struct estimate *s, unsigned n) = {
    [KIND_START] = start_visit,         [KIND_LLM] = model_visit,
    [KIND_AGENT] = model_visit,         [KIND_TRANSFORM] = transform_visit,
    [KIND_SWITCH] = switch_visit,       [KIND_LOOP] = loop_visit,
    [KIND_WAIT] = wait_visit,           [KIND_HUMAN_REVIEW] = human_visit,
    [KIND_USER_INPUT] = human_visit,    [KIND_MAP] = map_visit,
    [KIND_SEQUENCE] = container_visit,  [KIND_VOTE] = vote_visit,
    [KIND_SUBWORKFLOW] = child_visit,   [KIND_FACT_CHECK] = facts_visit,
    [KIND_CONTEXT_SYNTH] = synth_visit, [KIND_MEMORY_RETRIEVAL] = memory_visit,
};

void est_node_visit(struct estimate *s, unsigned n)
{
    enum node_kind k = s->w->nodes[n].kind;
    s->at = (int)n;
    if (k == KIND_END ? calls_model(s, n) : visits[k] == model_visit)
        model_visit(s, n);
    else if (visits[k])
        visits[k](s, n);
    else
        result_of(s, n, false, STR_NULL);
    s->at = -1;
}
