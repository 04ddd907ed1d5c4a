#include "engine_fixture.h"

#include "base/file.h"

/* Breakers: what trips them, what they ask for, and that sensible text never does. */

#define TALK(breakers)                                                                             \
    "breakers: " breakers "\n"                                                                     \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [say]}\n"                                                    \
    "  say: {type: llm, properties: {prompt: 'On {{ input.topic }}'}, next_ids: [end]}\n"          \
    "  end: {type: end}\n"

static int unlock(struct fix *f, const char *why)
{
    return fix_try(
        f, (struct engine_input){.kind = IN_RESUME, .justification = why ? str_of(why) : STR_NULL});
}

static void repetition_pauses_and_wants_a_reason(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, TALK("{repetition: 3}"));
        fix_quiet(&f);
        for (int i = 0; i < 19; i++)
            fix_chunk(&f, "say", "ha ");
        fix_quiet(&f);
        assert_int_equal(session_status_of(f.s), SESSION_PAUSED);
        assert_true(strstr(f.rows.events.data, "\"breaker_tripped\"") != NULL);
        assert_str(f.rows.row.core.reason, "breaker:repetition");
        if (restart)
            fix_restart(&f);
        fix_quiet(&f);
        assert_int_equal(unlock(&f, NULL), ERR_CONFLICT);
        assert_string_equal(session_refusal(f.s), "breaker_tripped");
        assert_int_equal(unlock(&f, " \n"), ERR_CONFLICT);
        assert_int_equal(unlock(&f, "It laughs."), 0);
        fix_take(&f);
        assert_non_null(strstr(f.rows.events.data, "\"to\":\"running\",\"reason\":\"It laughs.\""));
        assert_non_null(strstr(f.rows.events.data, "was unlocked: It laughs."));
        assert_int_equal(session_status_of(f.s), SESSION_RUNNING);
        assert_int_equal(f.s->reason.n, 0);
        for (int i = 0; i < 18; i++) /* it is armed again, and begins anew */
            fix_chunk(&f, "say", "ha ");
        assert_int_equal(session_status_of(f.s), SESSION_RUNNING);
        fix_chunk(&f, "say", "ha ha ");
        assert_int_equal(session_status_of(f.s), SESSION_PAUSED);
        fix_close(&f);
    }
}

static void the_event_says_which_and_how_much(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("{repetition: 3, variety: null}"));
    fix_quiet(&f);
    fix_chunk(&f, "say",
              "a b c d e f g h i j k l m n o p a b c d e f g h i j k l m n o p "
              "a b c d e f g h i j k l m n o p a b c d e f g h i j k l m n o p ");
    fix_quiet(&f);
    const char *at = strstr(f.rows.events.data, "breaker_tripped");
    assert_non_null(at);
    assert_non_null(strstr(at, "\"data\":{\"detector\":\"repetition\",\"value\":4,\"limit\":3}"));
    assert_non_null(strstr(at, "\"node_id\":\"say\""));
    fix_close(&f);
}

static void low_variety_trips(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("{repetition: 0, variety: 0.05}"));
    for (int i = 0; i < 100; i++)
        fix_chunk(&f, "say", i % 3 ? "yes no " : "no yes ");
    fix_quiet(&f);
    assert_str(f.rows.row.core.reason, "breaker:variety");
    fix_close(&f);
}

static void velocity_is_of_ten_seconds(void **state)
{
    (void)state;
    for (int fast = 0; fast < 2; fast++) {
        struct fix f;
        fix_open(&f, TALK("{tokens_per_s: 100}"));
        fix_quiet(&f);
        for (int i = 0; i < 60 && session_status_of(f.s) == SESSION_RUNNING; i++) {
            char text[512]; /* 100 tokens of different words */
            int n = snprintf(text, sizeof(text), "w%d", i * 7919);
            memset(text + n, 'x', 400 - (size_t)n);
            text[400] = 0;
            fix_chunk(&f, "say", text);
            f.now += fast ? 900 : 1100;
        }
        fix_quiet(&f);
        assert_int_equal(session_status_of(f.s), fast ? SESSION_PAUSED : SESSION_RUNNING);
        if (fast)
            assert_str(f.rows.row.core.reason, "breaker:tokens_per_s");
        fix_close(&f);
    }
}

/* What was withheld comes all at once: that is no speed. */
static void replay_has_no_velocity(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("{tokens_per_s: 100, repetition: 0, variety: 0}"));
    assert_int_equal(fix_command(&f, IN_PAUSE), 0);
    for (int i = 0; i < 2000; i++) {
        fix_chunk(&f, "say", "four");
        f.now += 100;
    }
    assert_int_equal(fix_command(&f, IN_RESUME), 0);
    assert_int_equal(session_status_of(f.s), SESSION_RUNNING);
    fix_close(&f);
}

#define ROUND                                                                                      \
    "breakers: {loop_depth: 3}\n"                                                                  \
    "nodes:\n"                                                                                     \
    "  start: {type: start, next_ids: [draft]}\n"                                                  \
    "  draft: {type: transform, properties: {output: '1'}, next_ids: [ask]}\n"                     \
    "  ask: {type: human_review, routes: {approve: end, reject: draft}}\n"                         \
    "  end: {type: end}\n"

static void loop_depth_counts_starts(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct fix f;
        fix_open(&f, ROUND);
        for (int i = 0; i < 2; i++)
            assert_int_equal(fix_answer(&f, "ask", "reject", "null"), 0);
        fix_quiet(&f);
        assert_int_equal(fix_answer(&f, "ask", "reject", "null"), 0);
        fix_take(&f);
        assert_non_null(strstr(fix_text(&f.lines), "draft@4 breaker_tripped 3 \"loop_depth\" 4") ||
                                strstr(fix_text(&f.lines), "breaker_tripped 3 \"loop_depth\" 4")
                            ? "yes"
                            : NULL);
        assert_str(f.rows.row.core.reason, "breaker:loop_depth");
        if (restart)
            fix_restart(&f);
        fix_quiet(&f);
        assert_int_equal(unlock(&f, "They want one more."), 0);
        expect_moves(&f, "=running +draft@4 draft@4 +ask@4 ask@4?");
        fix_close(&f);
    }
}

static void users_cannot_fake_one(void **state)
{
    (void)state;
    struct fix f;
    fix_open(&f, TALK("{}"));
    fix_step(&f, (struct engine_input){.kind = IN_PAUSE, .reason = STR("breaker:repetition")});
    assert_int_equal(unlock(&f, NULL), 0);
    fix_close(&f);
}

/* ---- sensible text ---- */

static enum breaker read_all(const char *text, size_t n, double *value)
{
    struct text_watch *t = text_watch_create();
    struct breaker_limits l = BREAKERS_DEFAULT;
    enum breaker b = BREAKER_NONE;
    for (size_t at = 0; at < n && b == BREAKER_NONE;) {
        size_t len = n - at < 7 ? n - at : 7; /* chunks are cut anywhere but in a character */
        while (at + len < n && ((unsigned char)text[at + len] & 0xc0) == 0x80)
            len++;
        b = text_watch_feed(t, (struct str){text + at, len}, &l, value);
        at += len;
    }
    text_watch_free(t);
    return b;
}

static void documents_do_not_trip(void **state)
{
    (void)state;
    static const char *const files[] = {
        "docs/WORKFLOWS.md",    "docs/LIMITS.md",        "docs/api/openapi.yaml",
        "src/engine/breaker.c", "src/engine/node_run.c", "LICENSE",
        "docs/EXPRESSIONS.md",  "src/store/pg_sql.c",    "tests/unit/test_schema.c",
    };
    for (size_t i = 0; i < ROWS(files); i++) {
        struct buf b;
        struct errbuf e = {""};
        double value = 0;
        buf_init(&b, 4u << 20);
        if (file_append(files[i], &b, &e))
            fail_msg("%s", e.text);
        if (read_all(b.data, b.len, &value) != BREAKER_NONE)
            fail_msg("%s trips at %g", files[i], value);
        buf_deinit(&b);
    }
}

/* Words drawn from a small vocabulary of each script, in sentences of changing length. */
static void scripts_do_not_trip(void **state)
{
    (void)state;
    static const char *const words[][24] = {
        {"人工", "智能", "系统", "可以", "帮助", "我们", "解决", "问题",
         "但是", "需要", "更多", "数据", "。",   "，",   "的",   "是",
         "在",   "不",   "研究", "表明", "未来", "城市", "交通", "方法"},
        {"これは", "日本語", "の",   "文章", "です",   "。",   "私たち", "は",
         "問題",   "を",     "考え", "ます", "しかし", "方法", "が",     "必要",
         "で",     "ある",   "と",   "思う", "都市",   "人",   "道",     "時間"},
        {"ระบบ", "ช่วย", "เรา", "แก้",   "ปัญหา", "แต่", "ต้อง", "ใช้",  "ข้อมูล", "มาก", "ขึ้น", " ",
         "เมือง", "คน",  "ทาง", "เวลา", "ดี",    "ไม่", "ได้",  "และ", "ที่",    "ของ", "ใน", "เป็น"},
        {"the ", "city ",   "needs ", "more ",   "time ", "to ",    "solve ", "problems ",
         "of ",  "people ", "and ",   "roads. ", "We ",   "think ", "that ",  "data ",
         "may ", "help ",   "but ",   "costs ",  "rise ", "every ", "year, ", "too. "},
    };
    uint64_t seed = 88172645463325252u;
    for (size_t k = 0; k < ROWS(words); k++) {
        struct buf b;
        double value = 0;
        buf_init(&b, 4u << 20);
        for (int i = 0; i < 20000; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            buf_append_z(&b, words[k][(seed >> 11) % 24]);
        }
        if (read_all(b.data, b.len, &value) != BREAKER_NONE)
            fail_msg("vocabulary %zu trips at %g", k, value);
        buf_deinit(&b);
    }
}

/* A table of numbers says the same again and again, and is no babble. */
static void numbers_do_not_trip(void **state)
{
    (void)state;
    struct buf b;
    double value = 0;
    buf_init(&b, 4u << 20);
    for (int i = 0; i < 500; i++)
        buf_append_z(&b, "| 0 | 0 | 1 | 0 | --- | 0.00 |\n");
    for (int i = 0; i < 500; i++)
        buf_printf(&b, "{\"day\": %d, \"open\": true, \"degrees\": %d},\n", i, i % 30);
    for (int i = 0; i < 500; i++)
        buf_printf(&b, "user-%d ", i);
    assert_int_equal(read_all(b.data, b.len, &value), BREAKER_NONE);
    buf_deinit(&b);
}

static void babble_trips(void **state)
{
    (void)state;
    static const char *const babble[] = {
        "the ",
        "I am sorry, but I cannot help with that. ",
        "对不起，我不能帮助你。",
        "As I said before, the first step is to look at the data and then to decide what should be "
        "done about it, and as I said before that means to ask the people who know. ",
    };
    for (size_t i = 0; i < ROWS(babble); i++) {
        struct buf b;
        double value = 0;
        buf_init(&b, 4u << 20);
        for (int k = 0; k < 200; k++)
            buf_append_z(&b, babble[i]);
        if (read_all(b.data, b.len, &value) == BREAKER_NONE)
            fail_msg("babble %zu does not trip", i);
        buf_deinit(&b);
    }
}

static void bad_limits_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"{loops: 3}", "{variety: 2}", "{repetition: -1}",
                                      "{loop_depth: 1.5}", "[]"};
    for (size_t i = 0; i < ROWS(bad); i++) {
        struct buf yaml, json;
        struct errbuf e;
        struct expr_vm *vm = expr_vm_create();
        struct workflow_issues issues;
        struct workflow *wf = NULL;
        buf_init(&yaml, 1u << 16);
        buf_init(&json, 1u << 16);
        buf_printf(&yaml,
                   "breakers: %s\nnodes:\n  start: {type: start, next_ids: [end]}\n"
                   "  end: {type: end}\n",
                   bad[i]);
        assert_int_equal(yaml_to_json(buf_str(&yaml), NULL, &json, &e), 0);
        workflow_issues_init(&issues);
        assert_int_equal(workflow_parse(buf_str(&json), vm, &wf, &issues), ERR_UNPROCESSABLE);
        assert_int_equal(strncmp(issues.items[0].path.p, "breakers", 8), 0);
        workflow_issues_deinit(&issues);
        expr_vm_destroy(vm);
        buf_deinit(&yaml);
        buf_deinit(&json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetition_pauses_and_wants_a_reason),
        cmocka_unit_test(the_event_says_which_and_how_much),
        cmocka_unit_test(low_variety_trips),
        cmocka_unit_test(velocity_is_of_ten_seconds),
        cmocka_unit_test(replay_has_no_velocity),
        cmocka_unit_test(loop_depth_counts_starts),
        cmocka_unit_test(users_cannot_fake_one),
        cmocka_unit_test(documents_do_not_trip),
        cmocka_unit_test(scripts_do_not_trip),
        cmocka_unit_test(numbers_do_not_trip),
        cmocka_unit_test(babble_trips),
        cmocka_unit_test(bad_limits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
