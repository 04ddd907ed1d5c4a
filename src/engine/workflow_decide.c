#include "engine/workflow_private.h"

#include <stdio.h>

/* Kinds that decide by themselves: vote, fact_check. */

#define VOTERS_MAX PROP_VOTERS_MAX

static bool voter_name_is(struct wf_parse *p, struct json voter, struct str name)
{
    struct json v = json_type(voter) == JSON_STRING ? voter : json_get_set(voter, "name");
    return json_type(v) == JSON_STRING && str_eq(text_of(p, v), name);
}

static void voter_check(struct wf_parse *p, struct json list, struct json v, size_t index)
{
    struct json name = json_type(v) == JSON_OBJECT ? json_get_set(v, "name") : v, other;
    struct json_iter it;
    if (json_type(v) == JSON_OBJECT) {
        agent_check(p, v);
        if (!json_exists(name))
            issue_error(p, v.p, "missing", "a voter needs a name");
    } else {
        name_check(p, v, "a voter");
    }
    json_iter_init(&it, list);
    while (json_type(name) == JSON_STRING && json_iter_next(&it) && it.index < index) {
        other = it.value;
        if (voter_name_is(p, other, text_of(p, name)))
            issue_error(p, name.p, "duplicate", "another voter has the name \"%.*s\"",
                        STR_FMT(shown(text_of(p, name))));
    }
}

void voters_check(struct wf_parse *p, struct json v)
{
    struct json_iter it;
    if (!want_type(p, v, JSON_ARRAY, "voters", "an array of agents"))
        return;
    if (json_length(v) < 1 || json_length(v) > VOTERS_MAX) {
        issue_error(p, v.p, "out_of_range", "voters must have 1 to %d elements, not %zu",
                    VOTERS_MAX, json_length(v));
        return;
    }
    json_iter_init(&it, v);
    while (json_iter_next(&it)) {
        size_t mark = path_push(p, "[%zu]", it.index);
        voter_check(p, v, it.value, it.index);
        path_pop(p, mark);
    }
}

/* A share for yes and no, a score for scores. */
void vote_check(struct wf_parse *p, struct json props, const char *at)
{
    bool scored = json_string_eq(json_get_set(props, "vote_type"), "score_1_10");
    double threshold, quorum;
    size_t voters = json_length(json_get_set(props, "voters"));
    if (json_double(json_get_set(props, "threshold"), &threshold) &&
        (scored ? threshold < 1 : threshold > 1)) {
        size_t mark = path_push(p, ".threshold");
        issue_error(p, at, "out_of_range",
                    scored ? "the threshold of a score_1_10 vote is a score from 1 to 10"
                           : "the threshold of a yes_no vote is a share from 0 to 1");
        path_pop(p, mark);
    }
    if (voters && json_double(json_get_set(props, "quorum"), &quorum) && quorum > (double)voters) {
        size_t mark = path_push(p, ".quorum");
        issue_error(p, at, "out_of_range", "the quorum is more than there are voters");
        path_pop(p, mark);
    }
}

/* Routes have only the labels that its kind decides by; each outcome leads somewhere. */
void outcomes_check(struct wf_parse *p, const char *at)
{
    const struct kind_def *kind = kind_def_of(p->w->nodes[p->node].kind);
    const struct node_source *src = &p->sources[p->node];
    struct json routes = src->fields[NF_ROUTES];
    struct json_iter it;
    json_iter_init(&it, routes);
    while (json_type(routes) == JSON_OBJECT && json_iter_next(&it)) {
        struct str label = key_of(p, &it);
        struct suggestion s;
        bool found = false;
        suggest_init(&s, label);
        for (unsigned i = 0; i < 4 && kind->outcomes[i]; i++) {
            found = found || str_eqz(label, kind->outcomes[i]);
            suggest_offer(&s, str_of(kind->outcomes[i]));
        }
        size_t mark = path_push(p, ".routes.%.*s", STR_FMT(shown(label)));
        if (!found)
            issue_error(p, it.value.p, "bad_route", "\"%.*s\" is no outcome of %s %s%s",
                        STR_FMT(shown(label)), kind->article, kind->word, suggest_text(p, &s));
        path_pop(p, mark);
    }
    if (json_length(src->fields[NF_NEXT_IDS]) || !json_length(routes))
        return;                        /* without any it may be the last of a container's members */
    for (unsigned i = 0; i < 2; i++) { /* two words for each outcome at most */
        const char *a = kind->outcomes[i], *b = kind->outcomes[i + 2];
        if (!json_exists(json_get(routes, a)) && !(b && json_exists(json_get(routes, b))))
            issue_error(p, at, "bad_route",
                        "the outcome \"%s\" leads nowhere: give it a route, or the node next_ids",
                        a);
    }
}
