/* An agent in the middle of a round of tools. The first byte says what the rest is: its stored
 * progress, the request of a call, the session's state; or what the model asks for, or a tool
 * gives. Whatever it is: a sentence, or a session that runs on to its end. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../unit/engine_rows.h"
#include "base/json.h"
#include "engine/expr.h"

static const char graph[] =
    "{\"nodes\":{"
    "\"start\":{\"type\":\"start\",\"next_ids\":[\"a\"]},"
    "\"a\":{\"type\":\"agent\",\"retry\":{\"max_attempts\":2,\"initial_ms\":0},\"properties\":{"
    "\"persona\":\"P\",\"prompt\":\"Q\",\"max_tool_rounds\":3,\"response_schema\":{\"type\":"
    "\"object\"},\"tools\":[\"web_search\",{\"name\":\"get\",\"tool\":\"http\","
    "\"arguments\":{\"url\":\"http://x/{{ input.x }}\"}}]},\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

#define CALLS_MAX 64

struct calls {
    struct id ids[CALLS_MAX];
    bool model[CALLS_MAX];
    unsigned count;
};

static struct expr_vm *vm;
static struct workflow *wf;
static struct rows rows;
static struct id_source ids;
static int64_t now = 1767225600000;

static void fuzz_take(struct session *s, struct calls *c, bool keep)
{
    struct delta d;
    struct effect *effects;
    if (!engine_take_delta(s, now, &d, &effects))
        return;
    for (; effects; effects = effects->next)
        if ((effects->kind == EFFECT_MODEL_START || effects->kind == EFFECT_TOOL_START) &&
            c->count < CALLS_MAX) {
            c->ids[c->count] = effects->run_id;
            c->model[c->count++] = effects->kind == EFFECT_MODEL_START;
        }
    if (keep)
        rows_apply(&rows, &d);
    buf_deinit(&d.events);
    arena_deinit(&d.arena);
}

static void fuzz_step(struct session *s, struct engine_input in)
{
    struct errbuf e;
    in.now_ms = now;
    in.ids = &ids;
    engine_step(s, &in, &e);
    session_check(s);
}

static void model_says(struct session *s, struct id id, struct str text, struct str tool_calls)
{
    fuzz_step(s, (struct engine_input){.kind = IN_CHUNK, .run_id = id, .text = text});
    fuzz_step(s, (struct engine_input){.kind = IN_MODEL_DONE,
                                       .run_id = id,
                                       .finish_reason = STR("stop"),
                                       .tool_calls_json = tool_calls});
}

#define TOOL_CALLS                                                                                 \
    "[{\"id\":\"1\",\"name\":\"get\",\"arguments\":\"{}\"},"                                       \
    "{\"id\":\"2\",\"name\":\"web_search\",\"arguments\":\"{\\\"query\\\":\\\"q\\\"}\"}]"

static void fuzz_setup(void)
{
    struct workflow_issues issues;
    struct session_meta meta = {.workspace = STR("default"), .input_json = STR("{\"x\":1}")};
    struct calls c = {.count = 0};
    vm = expr_vm_create();
    workflow_issues_init(&issues);
    FUZZ_CHECK(!workflow_parse(str_of(graph), vm, &wf, &issues));
    workflow_issues_deinit(&issues);
    id_source_init_seed(&ids, 1);
    rows_init(&rows);
    struct session_params p = {.id = id_new(&ids, (uint64_t)now), .epoch = 1, .meta = &meta};
    struct session *s = session_create(wf, vm, &p);
    fuzz_step(s, (struct engine_input){.kind = IN_START});
    fuzz_take(s, &c, true);
    model_says(s, c.ids[0], STR("see"), STR(TOOL_CALLS));
    fuzz_take(s, &c, true);
    FUZZ_CHECK(c.count == 3);
    fuzz_step(s, (struct engine_input){
                     .kind = IN_RUN_DONE, .run_id = c.ids[1], .output_json = STR("\"one\"")});
    fuzz_take(s, &c, true);
    session_destroy(s);
}

static struct run_row *agent_run(void)
{
    struct run_row *r = rows.runs;
    while (!r->progress_json.p)
        r = r->next;
    return r;
}

/* Every call is answered, by turns with `text`, until nothing is left. */
static void fuzz_live(struct session *s, unsigned which, struct str text)
{
    struct calls c = {.count = 0};
    fuzz_step(s, (struct engine_input){.kind = IN_RECOVER});
    fuzz_take(s, &c, false);
    for (unsigned i = 0; i < c.count; i++) {
        bool odd = i % 2;
        if (i == 2) /* as withheld rows have it */
            fuzz_step(s, (struct engine_input){.kind = IN_PAUSE});
        if (c.model[i])
            model_says(s, c.ids[i], odd ? STR("no") : STR("{}"),
                       which == 3 ? text
                       : odd      ? STR(TOOL_CALLS)
                                  : STR_NULL);
        else
            fuzz_step(s, (struct engine_input){.kind = IN_RUN_DONE,
                                               .run_id = c.ids[i],
                                               .output_json = which == 4 ? text : STR("1")});
        if (i == 2)
            fuzz_step(s, (struct engine_input){.kind = IN_RESUME});
        fuzz_take(s, &c, false);
    }
    if (!session_status_is_terminal(session_status_of(s)))
        fuzz_step(s, (struct engine_input){.kind = IN_CANCEL});
    FUZZ_CHECK(session_status_is_terminal(session_status_of(s)));
    fuzz_take(s, &c, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session *s = NULL;
    struct errbuf e = {{0}};
    if (!vm)
        fuzz_setup();
    if (!size)
        return 0;
    unsigned which = data[0] % 5;
    char *copy = malloc(size); /* exactly as long as the text: a byte too far is seen */
    memcpy(copy, data + 1, size - 1);
    struct str text = {copy, size - 1}, unused = STR_NULL;
    struct str *const targets[] = {&agent_run()->progress_json, &rows.effects->request_json,
                                   &rows.row.core.state_json, &unused, &unused};
    struct str good = *targets[which];
    *targets[which] = text;
    int rc = rows_restore(&rows, wf, vm, &s, &e);
    FUZZ_CHECK(rc == 0 || (rc == ERR_CORRUPT && e.text[0]));
    if (!rc) {
        fuzz_live(s, which, text);
        session_destroy(s);
    }
    *targets[which] = good;
    free(copy);
    return 0;
}
