/* Stored rows that a restart reads back. One session is brought to where it has some of everything
 * (streams, a queue, a loop, a review, maps, a task, a file, timers, withheld inputs, paused); the
 * first byte picks which text of its rows the rest of the input takes the place of. Refused with a
 * sentence, or sound: then it must run on without harm. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../unit/engine_rows.h"
#include "base/json.h"
#include "engine/expr.h"

static const char graph[] =
    "{\"vars\":{\"c\":1},\"nodes\":{"
    "\"start\":{\"type\":\"start\",\"next_ids\":[\"fork\"]},"
    "\"fork\":{\"type\":\"parallel\",\"properties\":{\"max_concurrent\":6},"
    "\"next_ids\":[\"say\",\"loop\",\"rev\",\"each\",\"wait\",\"file\",\"job\",\"late\"]},"
    "\"file\":{\"type\":\"tool\",\"properties\":{\"tool\":\"write_file\",\"arguments\":"
    "{\"path\":\"a/b\",\"content\":\"x\"}},\"next_ids\":[\"join\"]},"
    "\"job\":{\"type\":\"task\",\"properties\":{\"queue\":\"q\"},\"next_ids\":[\"join\"]},"
    "\"each\":{\"type\":\"map\",\"properties\":{\"items\":\"{{1,2},{3},{4}}\",\"body\":[\"pre\","
    "\"fail\","
    "\"in\",\"ask\"],\"max_concurrent\":2,\"on_item_error\":\"null\"},\"next_ids\":[\"join\"]},"
    "\"pre\":{\"type\":\"switch\",\"properties\":{\"cases\":[{\"when\":\"map.index == 0\","
    "\"to\":\"fail\"}],\"default\":\"in\"}},"
    "\"fail\":{\"type\":\"transform\",\"properties\":{\"output\":\"error('x')\"}},"
    "\"in\":{\"type\":\"map\",\"properties\":{\"items\":\"map.item\",\"body\":[\"nap\"]},"
    "\"next_ids\":[\"ask\"]},"
    "\"nap\":{\"type\":\"wait\",\"properties\":{\"duration_ms\":1000}},"
    "\"ask\":{\"type\":\"user_input\"},"
    "\"say\":{\"type\":\"llm\",\"properties\":{\"prompt\":\"x\"},\"timeout_ms\":9000,"
    "\"next_ids\":[\"join\"]},"
    "\"loop\":{\"type\":\"loop\",\"properties\":{\"max_rounds\":3,\"score\":\"vars.c\"},"
    "\"next_ids\":[\"body\",\"join\"]},"
    "\"body\":{\"type\":\"script\",\"properties\":{\"code\":\"return 1\"},"
    "\"retry\":{\"max_attempts\":3,\"initial_ms\":500},\"next_ids\":[\"loop\"]},"
    "\"rev\":{\"type\":\"human_review\",\"properties\":{\"timeout_minutes\":5},"
    "\"routes\":{\"approve\":\"join\",\"reject\":\"fork\"}},"
    "\"wait\":{\"type\":\"wait\",\"properties\":{\"duration_ms\":1000},\"next_ids\":[\"join\"]},"
    "\"late\":{\"type\":\"transform\",\"properties\":{\"output\":\"vars.c\"},"
    "\"next_ids\":[\"join\"]},"
    "\"join\":{\"type\":\"transform\",\"join\":4,\"properties\":{\"output\":\"1\"},"
    "\"next_ids\":[\"end\"]},"
    "\"end\":{\"type\":\"end\"}}}";

static struct expr_vm *vm;
static struct workflow *wf;
static struct rows rows;
static struct id_source ids;
static int64_t now = 1767225600000;

static void fuzz_take(struct session *s, bool keep)
{
    struct delta d;
    struct effect *effects;
    if (!engine_take_delta(s, now, &d, &effects))
        return;
    if (keep)
        rows_apply(&rows, &d);
    buf_deinit(&d.events);
    arena_deinit(&d.arena);
}

static int fuzz_step(struct session *s, struct engine_input in)
{
    struct errbuf e;
    in.now_ms = now;
    in.ids = &ids;
    int rc = engine_step(s, &in, &e);
    session_check(s);
    return rc;
}

static struct id fuzz_run(const char *node)
{
    struct id none = {{0}};
    struct run_row *found = NULL;
    for (struct run_row *r = rows.runs; r; r = r->next)
        if (str_eqz(r->node_id, node))
            found = r;
    return found ? found->run_id : none;
}

/* The run of the outer map. */
static struct run_row *fuzz_progress(void)
{
    struct run_row *r = rows.runs;
    while (!r->progress_json.p)
        r = r->next;
    return r;
}

static void fuzz_setup(void)
{
    struct workflow_issues issues;
    struct session_meta meta = {.workspace = STR("default"), .input_json = STR("{}")};
    vm = expr_vm_create();
    workflow_issues_init(&issues);
    FUZZ_CHECK(!workflow_parse(str_of(graph), vm, &wf, &issues));
    workflow_issues_deinit(&issues);
    id_source_init_seed(&ids, 1);
    rows_init(&rows);
    struct session_params p = {.id = id_new(&ids, (uint64_t)now), .epoch = 1, .meta = &meta};
    struct session *s = session_create(wf, vm, &p);
    FUZZ_CHECK(!fuzz_step(s, (struct engine_input){.kind = IN_START}));
    fuzz_take(s, true);
    fuzz_step(s, (struct engine_input){
                     .kind = IN_RUN_DONE, .run_id = fuzz_run("file"), .output_json = STR("1")});
    fuzz_step(s, (struct engine_input){
                     .kind = IN_RUN_DONE, .run_id = fuzz_run("body"), .output_json = STR("1")});
    fuzz_take(s, true);
    fuzz_step(s, (struct engine_input){.kind = IN_RUN_FAILED,
                                       .run_id = fuzz_run("body"),
                                       .error_code = STR("flaky"),
                                       .retry_after_ms = -1});
    fuzz_step(
        s, (struct engine_input){.kind = IN_CHUNK, .run_id = fuzz_run("say"), .text = STR("seen")});
    fuzz_step(s, (struct engine_input){.kind = IN_PAUSE});
    fuzz_step(s, (struct engine_input){
                     .kind = IN_CHUNK, .run_id = fuzz_run("say"), .text = STR("unseen")});
    fuzz_take(s, true);
    session_destroy(s);
    const char *show = getenv("FUZZ_SHOW"); /* to make seeds of */
    if (show)
        printf("%.*s\n%.*s\n%.*s\n%.*s\n", STR_FMT(rows.row.core.state_json),
               STR_FMT(rows.row.core.node_statuses_json), STR_FMT(rows.withheld->input_json),
               STR_FMT(fuzz_progress()->progress_json));
}

/* The text that the first byte stands for. */
static struct str *fuzz_target(uint8_t which)
{
    struct run_row *r = rows.runs;
    struct str *const fields[] = {&rows.row.core.state_json,  &rows.row.core.node_statuses_json,
                                  &rows.row.core.vars_json,   &rows.row.core.usage_json,
                                  &rows.row.core.status,      &rows.withheld->input_json,
                                  &rows.effects->request_json};
    unsigned count = sizeof(fields) / sizeof(fields[0]);
    if (which % (count + 2) < count)
        return fields[which % (count + 2)];
    if (which % (count + 2) == count + 1)
        return &fuzz_progress()->progress_json;
    while (!r->interrupt_json.p)
        r = r->next;
    return &r->interrupt_json;
}

/* What came back is sound: it may be resumed, answered and ended. */
static void fuzz_live(struct session *s)
{
    session_check(s);
    if (fuzz_step(s, (struct engine_input){.kind = IN_RECOVER}))
        return;
    fuzz_step(s, (struct engine_input){.kind = IN_RESUME});
    fuzz_step(s, (struct engine_input){.kind = IN_RESUME_NODE,
                                       .node_id = STR("rev"),
                                       .action = STR("reject"),
                                       .data_json = STR("null")});
    fuzz_take(s, false);
    fuzz_step(s, (struct engine_input){.kind = IN_RESUME_NODE,
                                       .node_id = STR("rev"),
                                       .action = STR("approve"),
                                       .data_json = STR("null")});
    fuzz_step(s, (struct engine_input){
                     .kind = IN_RUN_DONE, .run_id = fuzz_run("job"), .output_json = STR("1")});
    fuzz_step(s, (struct engine_input){.kind = IN_USER_INPUT, .content = STR("hello")});
    fuzz_step(s, (struct engine_input){.kind = IN_STOP});
    fuzz_step(s, (struct engine_input){.kind = IN_CANCEL});
    FUZZ_CHECK(session_status_is_terminal(session_status_of(s)));
    fuzz_take(s, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session *s = NULL;
    struct errbuf e = {{0}};
    if (!vm)
        fuzz_setup();
    if (!size)
        return 0;
    struct str *target = fuzz_target(data[0]), good = *target;
    char *copy = malloc(size); /* exactly as long as the text: a byte too far is seen */
    memcpy(copy, data + 1, size - 1);
    *target = (struct str){copy, size - 1};
    int rc = rows_restore(&rows, wf, vm, &s, &e);
    FUZZ_CHECK(rc == 0 || (rc == ERR_CORRUPT && e.text[0]));
    if (!rc)
        fuzz_live(s);
    session_destroy(rc ? NULL : s);
    *target = good;
    free(copy);
    return 0;
}
