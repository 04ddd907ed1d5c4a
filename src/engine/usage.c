#include "engine/session.h"

/* What an ended model call has used: a row of llm_usage, and the token_usage event with the
 * session's totals, which are the sums of both. In a replay nobody pays: there is neither. */

static struct str copy(struct session *s, struct str text)
{
    return text.p ? (struct str){arena_strdup(&s->made->out.arena, text), text.n} : STR_NULL;
}

static void row_add(struct session *s, struct work *w, const struct used *u)
{
    struct usage_row *r = arena_alloc(&s->made->out.arena, sizeof(*r));
    *r = (struct usage_row){.next = s->made->out.usage,
                            .call_id = w->id,
                            .run_id = s->at->nodes[w->node].run_id,
                            .node_id = copy(s, node_def(s, w->node)->id),
                            .agent_id = copy(s, call_agent(s, w)),
                            .provider = copy(s, u->provider),
                            .model = copy(s, u->model),
                            .input_tokens = u->input,
                            .output_tokens = u->output,
                            .cost_micros = u->micros,
                            .estimated = u->estimated,
                            .created_at = s->now};
    s->made->out.usage = r;
    s->out_any = true;
}

static void event_add(struct session *s, const struct work *w, const struct used *u)
{
    struct jw *j = event_begin(s, "token_usage", (int)w->node);
    write_text(j, "model", u->model);
    write_text(j, "provider", u->provider);
    jw_kv_i64(j, "input_tokens", u->input);
    jw_kv_i64(j, "output_tokens", u->output);
    if (u->micros >= 0) {
        micros_write(j, "cost_usd", u->micros);
    } else {
        jw_key(j, "cost_usd");
        jw_null(j);
    }
    if (u->estimated)
        jw_kv_bool(j, "estimated", true);
    jw_key(j, "session");
    jw_object(j);
    usage_totals_write(s, j);
    jw_end(j);
    event_end(s);
}

static void usage_tell(struct session *s, struct work *w, const struct used *u)
{
    struct scope *was = s->at;
    s->at = w->scope;
    row_add(s, w, u);
    event_add(s, w, u);
    s->at = was;
}

void usage_settle(struct session *s, struct work *w, const struct engine_input *in)
{
    struct used u = budget_settle(s, w, in);
    usage_tell(s, w, &u);
    budget_look(s, w->node);
}

void usage_drop(struct session *s, struct work *w)
{
    struct used u;
    if (budget_drop(s, w, &u))
        usage_tell(s, w, &u);
}
