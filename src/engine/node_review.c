#include <string.h>

#include "base/diff.h"
#include "engine/session.h"

/* Answers to human_review nodes. One answer decides, unless several reviewers have to agree
 * (quorum, reject_quorum): then each is a vote, kept with the interrupt, until one side has enough.
 * Edited content is the answer's, the draft's when it is approved as it stands. */

#define DIFF_BYTES_MAX (512u << 10) /* of draft and content together; larger: no diff */
#define VOTES_MAX      100

/* ---- what is edited ---- */

static bool review_edits(const struct session *s, unsigned n)
{
    return json_string_eq(prop(s, n, "review_type"), "edit_content");
}

static struct str review_draft(struct session *s, unsigned n)
{
    struct json draft = interrupt_get(s, n, "draft");
    return json_type(draft) == JSON_STRING ? tmp_copy(s, json_text(s, draft)) : STR_NULL;
}

/* A text, or an object with it as `content` or `text`. */
static struct str data_content(struct session *s, struct str data)
{
    struct json v = json_root(data), text = v;
    if (json_type(v) == JSON_OBJECT) {
        text = json_get(v, "content");
        if (json_type(text) != JSON_STRING)
            text = json_get(v, "text");
    }
    return json_type(text) == JSON_STRING ? json_text(s, text) : STR_NULL;
}

static int content_check(struct session *s, unsigned n, struct answer *a, struct errbuf *e)
{
    if (!review_edits(s, n))
        return 0;
    if (a->data.n > ENGINE_OUTPUT_BYTES_MAX / 4)
        return err_set(e, ERR_TOO_LARGE, "The content is larger than allowed.");
    if (!str_eqz(a->action, "modify"))
        return 0;
    a->content = data_content(s, a->data);
    if (!a->content.p)
        return err_set(e, ERR_INVALID,
                       "\"modify\" needs the text as it shall be: data {\"content\": \"...\"}.");
    return 0;
}

static void content_settle(struct session *s, unsigned n, struct answer *a)
{
    struct str draft = review_draft(s, n);
    struct buf b;
    if (!review_edits(s, n) || str_eqz(a->action, "reject"))
        return;
    if (!a->content.p) {
        a->content = draft;
        return;
    }
    if (draft.n + a->content.n > DIFF_BYTES_MAX)
        return;
    buf_init(&b, DIFF_BYTES_MAX * 4);
    if (!diff_unified(draft.p ? draft : STR(""), a->content, "draft", "content", &b))
        a->diff = b.len ? tmp_copy(s, buf_str(&b)) : STR("");
    buf_deinit(&b);
}

/* ---- several reviewers ---- */

static int64_t quorum_of(const struct session *s, unsigned n, const char *key)
{
    int64_t count = 1;
    json_i64(prop(s, n, key), &count);
    return count;
}

static bool reviewer_is(struct session *s, struct json v, struct str reviewer)
{
    return json_type(v) == JSON_STRING && str_eq(json_text(s, v), reviewer);
}

static bool reviewer_listed(struct session *s, struct json list, struct str reviewer)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (reviewer_is(s, it.value, reviewer))
            return true;
    return false;
}

/* May this one answer, now? */
static int reviewer_check(struct session *s, unsigned n, struct str reviewer, struct errbuf *e)
{
    struct json list = prop(s, n, "reviewers");
    bool several = quorum_of(s, n, "quorum") > 1 || quorum_of(s, n, "reject_quorum") > 1;
    struct json_iter it;
    if ((json_exists(list) || several) && !reviewer.n)
        return err_set(e, ERR_INVALID, "Say who answers: this review asks for a reviewer.");
    if (json_exists(list) && !reviewer_listed(s, list, reviewer))
        return err_set(e, ERR_FORBIDDEN, "\"%.*s\" is not one of the reviewers of this node.",
                       (int)(reviewer.n > 64 ? 64 : reviewer.n), reviewer.p);
    json_iter_init(&it, interrupt_get(s, n, "votes"));
    while (json_iter_next(&it))
        if (reviewer_is(s, json_get(it.value, "reviewer"), reviewer))
            return err_set(e, ERR_CONFLICT, "\"%.*s\" has answered already.",
                           (int)(reviewer.n > 64 ? 64 : reviewer.n), reviewer.p);
    return 0;
}

struct tally {
    int64_t accepts, rejects;
};

static struct tally tally_of(const struct session *s, unsigned n)
{
    struct tally t = {0, 0};
    struct json_iter it;
    json_iter_init(&it, interrupt_get(s, n, "votes"));
    while (json_iter_next(&it)) {
        bool rejects = json_string_eq(json_get(it.value, "action"), "reject");
        t.rejects += rejects;
        t.accepts += !rejects;
    }
    return t;
}

static int vote_add(struct session *s, unsigned n, const struct answer *a, struct errbuf *e)
{
    struct json_iter it;
    struct buf b;
    struct jw w;
    buf_init(&b, ENGINE_OUTPUT_BYTES_MAX / 2);
    jw_init(&w, &b);
    jw_array(&w);
    json_iter_init(&it, interrupt_get(s, n, "votes"));
    while (json_iter_next(&it))
        jw_raw(&w, json_raw(it.value));
    jw_object(&w);
    jw_kv_string(&w, "reviewer", a->reviewer);
    jw_kv_string(&w, "action", a->action);
    jw_kv_raw(&w, "data", a->data);
    jw_kv_time(&w, "at", s->now);
    jw_end(&w);
    jw_end(&w);
    int rc = buf_error(&b) ? err_set(e, ERR_TOO_LARGE, "All answers together are too large.") : 0;
    if (!rc)
        interrupt_set(s, n, "votes", buf_str(&b));
    buf_deinit(&b);
    return rc;
}

/* Who agrees with a change agrees to it: of the answers that go on, the last that is more than
 * "approve" counts, with its data; of those that reject, the last. */
static void votes_decide(struct session *s, unsigned n, bool reject, struct answer *a)
{
    struct json votes = interrupt_get(s, n, "votes"), best = JSON_ABSENT;
    struct json_iter it;
    json_iter_init(&it, votes);
    while (json_iter_next(&it)) {
        struct json action = json_get(it.value, "action");
        if (json_string_eq(action, "reject") != reject)
            continue;
        if (!json_exists(best) || !json_string_eq(action, "approve") ||
            json_string_eq(json_get(best, "action"), "approve"))
            best = it.value;
    }
    struct str data = json_raw(json_get(best, "data"));
    a->votes_json = tmp_copy(s, json_raw(votes));
    a->action = tmp_copy(s, json_text(s, json_get(best, "action")));
    a->reviewer = tmp_copy(s, json_text(s, json_get(best, "reviewer")));
    a->data = data.p ? tmp_copy(s, data) : STR_NULL;
    a->content =
        str_eqz(a->action, "modify") && review_edits(s, n) ? data_content(s, a->data) : STR_NULL;
}

/* An answer that does not decide: people see it, the node waits on. */
static void vote_tell(struct session *s, unsigned n, const struct answer *a, struct tally t)
{
    struct jw *w = event_begin(s, "node_resumed", (int)n);
    interrupt_id_write(s, n, w);
    jw_kv_string(w, "action", a->action);
    jw_kv_raw(w, "data", a->data);
    write_text(w, "reviewer", a->reviewer);
    jw_kv_bool(w, "final", false);
    jw_key(w, "votes");
    jw_object(w);
    jw_kv_i64(w, "accepted", t.accepts);
    jw_kv_i64(w, "rejected", t.rejects);
    jw_kv_i64(w, "quorum", quorum_of(s, n, "quorum"));
    jw_kv_i64(w, "reject_quorum", quorum_of(s, n, "reject_quorum"));
    jw_end(w);
    event_end(s);
    interrupt_put(s, n, "pending");
}

/* Has everybody who may answer done so? Then nothing else can come: not enough have agreed. */
static bool votes_are_all(const struct session *s, unsigned n, struct tally t)
{
    struct json list = prop(s, n, "reviewers");
    size_t most = json_exists(list) ? json_length(list) : VOTES_MAX;
    return (size_t)(t.accepts + t.rejects) >= most;
}

static int review_vote(struct session *s, unsigned n, struct answer *a, struct errbuf *e)
{
    int rc = vote_add(s, n, a, e);
    if (rc)
        return rc;
    struct tally t = tally_of(s, n);
    bool accept = t.accepts >= quorum_of(s, n, "quorum");
    bool reject = t.rejects >= quorum_of(s, n, "reject_quorum");
    if (!accept && !reject && !votes_are_all(s, n, t)) {
        vote_tell(s, n, a, t);
        return 0;
    }
    votes_decide(s, n, !accept && t.rejects, a);
    content_settle(s, n, a);
    human_resume(s, n, a);
    return 0;
}

static int review_answer(struct session *s, unsigned n, const struct engine_input *in,
                         struct errbuf *e)
{
    struct answer a = {.action = in->action, .data = in->data_json, .reviewer = in->reviewer};
    int rc = human_action_check(s, n, a.action, e);
    if (!rc)
        rc = reviewer_check(s, n, a.reviewer, e);
    if (!rc)
        rc = human_data_check(s, n, a.action, &a.data, e);
    if (!rc)
        rc = content_check(s, n, &a, e);
    if (rc)
        return rc;
    if (quorum_of(s, n, "quorum") > 1 || quorum_of(s, n, "reject_quorum") > 1)
        return review_vote(s, n, &a, e);
    content_settle(s, n, &a);
    human_resume(s, n, &a);
    return 0;
}

/* ---- any answer ---- */

static int answer_refuse(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    int len = (int)(in->node_id.n > 64 ? 64 : in->node_id.n);
    struct work *w = work_waiting(s, in->node_id, (struct id){{0}});
    if (w)
        return err_set(e, ERR_CONFLICT, "This interrupt has been answered or has expired.");
    int n = workflow_find(s->at->wf, in->node_id);
    if (n < 0)
        return err_set(e, ERR_NOT_FOUND, "The workflow has no node \"%.*s\".", len, in->node_id.p);
    return err_set(e, ERR_CONFLICT, "Node \"%.*s\" is not suspended; it is %s.", len, in->node_id.p,
                   node_status_word(s->at->nodes[n].status));
}

int human_answer(struct session *s, const struct engine_input *in, struct errbuf *e)
{
    struct work *w = work_waiting(s, in->node_id, in->interrupt_id);
    if (!w)
        return answer_refuse(s, in, e);
    s->at = w->scope;
    enum node_kind kind = node_def(s, w->node)->kind;
    if (kind == KIND_SIGNAL)
        return err_set(e, ERR_CONFLICT, "Node \"%.*s\" waits for a signal, not for an answer.",
                       STR_FMT(node_def(s, w->node)->id));
    if (kind == KIND_STAGE)
        return stage_answer(s, w->node, in, e);
    return review_answer(s, w->node, in, e);
}
