#include <string.h>

#include "engine/session.h"

/* Tasks: work that somebody outside does. The row that a worker leases is all there is of it; the
 * run waits as a timer's does, and its end comes in as any result's. Every attempt is a task of its
 * own, with the same key. */

static struct str task_envelope(struct session *s, unsigned n, struct str input)
{
    char key[ID_TEXT_BYTES + 1];
    struct buf b;
    struct jw w;
    buf_init(&b, TASK_INPUT_BYTES_MAX + 100);
    jw_init(&w, &b);
    id_format(s->at->nodes[n].logical_id, key);
    jw_object(&w);
    jw_kv_stringz(&w, "key", key);
    jw_kv_raw(&w, "input", input);
    jw_end(&w);
    struct str out = STR_NULL;
    if (!buf_error(&b))
        out = (struct str){arena_strdup(&s->made->out.arena, buf_str(&b)), b.len};
    buf_deinit(&b);
    return out;
}

static struct str task_copy(struct session *s, struct str text)
{
    return (struct str){arena_strdup(&s->made->out.arena, text), text.n};
}

void node_start_task(struct session *s, unsigned n)
{
    struct json asked = prop(s, n, "input");
    int64_t heartbeat_ms = TASK_HEARTBEAT_MS;
    struct str input = STR("null");
    struct errbuf e = {{0}};
    if (json_exists(asked) && eval_tree(s, n, asked, &input, &e)) {
        node_failz(s, n, "invalid_expression", e.text);
        return;
    }
    struct str envelope = input.n > TASK_INPUT_BYTES_MAX ? STR_NULL : task_envelope(s, n, input);
    if (!envelope.p) {
        node_failz(s, n, "too_large", "The task's input is larger than 1 MiB.");
        return;
    }
    json_i64(prop(s, n, "heartbeat_ms"), &heartbeat_ms);
    struct work *w = work_begin(s, n, WORK_TASK);
    struct task_row *row = arena_alloc(&s->made->out.arena, sizeof(*row));
    row->task_id = w->id;
    row->run_id = s->at->nodes[n].run_id;
    row->node_id = task_copy(s, node_def(s, n)->id);
    row->queue = task_copy(s, prop_text(s, n, "queue"));
    row->status = STR("waiting");
    row->input_json = envelope;
    row->heartbeat_ms = heartbeat_ms;
    row->created_at = s->now;
    row->next = s->made->out.tasks_new;
    s->made->out.tasks_new = row;
    s->out_any = true;
    w->task = row;
    w->gen = s->gen;
}

void task_finish(struct session *s, struct work *w)
{
    if (w->gen == s->gen && w->task) {
        w->task->task_id = (struct id){{0}}; /* dropped at the take */
        return;
    }
    struct id_list *gone = arena_alloc(&s->made->out.arena, sizeof(*gone));
    gone->id = w->id;
    gone->next = s->made->out.tasks_done;
    s->made->out.tasks_done = gone;
    s->out_any = true;
}

/* The worker says whether trying again makes sense; else the node's policy does. */
void task_failed(struct session *s, unsigned n, struct work *c, const struct engine_input *in)
{
    struct node_state *ns = &s->at->nodes[n];
    char code[65];
    (void)c;
    if (in->is_final && ns->failures < node_def(s, n)->retry.max_attempts)
        ns->failures = node_def(s, n)->retry.max_attempts;
    node_fail(s, n, call_error_code(in, code), in->error_text, in->retry_after_ms, true);
}

bool session_awaits_task(const struct session *s, struct id task_id)
{
    const struct work *w = table_get(&s->runs, task_id);
    if (!w || w->kind != WORK_TASK || session_over(s))
        return false;
    list_foreach(it, &s->withheld)
    {
        const struct withheld *held = container_of(it, struct withheld, link);
        if (id_eq(held->run_id, task_id) &&
            (held->kind == IN_RUN_DONE || held->kind == IN_RUN_FAILED))
            return false;
    }
    return true;
}
