#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/yaml.h"
#include "engine/expr.h"
#include "engine/staged.h"
#include "engine/workflow.h"

/* Staged files: what is said of them, what is made of them. */

static struct expr_vm *vm;

struct one {
    struct buf json, said, shape;
    struct staged_result r;
    int rc;
};

static void one_close(struct one *o)
{
    staged_result_deinit(&o->r);
    buf_deinit(&o->json);
    buf_deinit(&o->said);
    buf_deinit(&o->shape);
}

static void text_append(struct buf *b, struct json v)
{
    if (json_type(v) == JSON_STRING)
        json_string(v, b);
    else
        buf_append_str(b, json_raw(v));
}

static void list_append(struct buf *b, struct json list)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it)) {
        buf_append_z(b, it.index ? "," : "");
        text_append(b, it.value);
    }
}

/* "a>b c>?c_next" and so on: the graph in a line. */
static void shape_write(struct buf *b, struct json native)
{
    struct json_iter it, k;
    json_iter_init(&it, json_get(native, "nodes"));
    while (json_iter_next(&it)) {
        struct json props = json_get(it.value, "properties");
        buf_append_z(b, it.index ? " " : "");
        json_iter_key(&it, b);
        if (json_string_eq(json_get(it.value, "type"), "switch")) {
            buf_append_z(b, "{");
            json_iter_init(&k, json_get(props, "cases"));
            while (json_iter_next(&k)) {
                text_append(b, json_get(k.value, "when"));
                buf_append_z(b, "?");
                text_append(b, json_get(k.value, "to"));
                buf_append_z(b, ":");
            }
            text_append(b, json_get(props, "default"));
            buf_append_z(b, "}");
        } else if (json_string_eq(json_get(it.value, "type"), "human_review")) {
            buf_append_z(b, "[");
            list_append(b, json_get(props, "actions"));
            buf_append_z(b, "]");
        } else if (json_length(json_get(it.value, "next_ids"))) {
            buf_append_z(b, ">");
            list_append(b, json_get(it.value, "next_ids"));
        }
    }
}

static void one_run(struct one *o, bool fix)
{
    buf_init(&o->said, 1 << 20);
    buf_init(&o->shape, 1 << 20);
    staged_result_init(&o->r);
    o->rc = staged_convert(buf_str(&o->json), fix, vm, &o->r);
    assert_int_equal(o->rc, o->r.errors ? ERR_UNPROCESSABLE : 0);
    for (unsigned i = 0; i < o->r.count; i++) {
        const struct staged_issue *it = &o->r.issues[i];
        buf_printf(&o->said, "%s%s%.*s %.*s%s", i ? ", " : "", it->is_error ? "" : "~",
                   STR_FMT(it->path), STR_FMT(it->code), it->fix.p ? "" : "!");
    }
    if (!o->rc)
        shape_write(&o->shape, json_root(buf_str(&o->r.native)));
}

static void one_open(struct one *o, const char *yaml, bool fix)
{
    struct errbuf e = {""};
    buf_init(&o->json, 1 << 20);
    if (yaml_to_json(str_of(yaml), NULL, &o->json, &e))
        fail_msg("%s\n%s", e.text, yaml);
    one_run(o, fix);
}

/* ---- files that are right ---- */

#define A "{id: a, name: A, order: 1}"
#define B "{id: b, name: B, order: 2}"
#define C "{id: c, name: C, order: 3}"
#define FILE_OF(stages, transitions)                                                               \
    "{id: f, name: F, stages: [" stages "], transitions: [" transitions "]}"

static const struct {
    const char *yaml, *shape, *said;
} right[] = {
    {FILE_OF(A "," B "," C, "{from: a, to: b}, {from: b, to: c, condition: always}"),
     "start>a a>b b>c c>end end", ""},
    {FILE_OF(A "," B, "{from: a, to: b, condition: All completed}"), "start>a a>b b>end end", ""},
    {FILE_OF(A "," B "," C, "{from: a, to: b}, {from: a, to: c}"), "start>a a>b,c b>end c>end end",
     ""},
    {FILE_OF(
         A "," B "," C,
         "{from: a, to: c, condition: 'input.short == true'}, {from: a, to: b}, {from: b, to: c}"),
     "start>a a>a_next a_next{input.short == true?c:b} b>c c>end end", ""},
    {FILE_OF(A "," B "," C, "{from: a, to: c, condition: skipped}, {from: a, to: b, condition: "
                            "all_completed}, {from: b, to: c}"),
     "start>a a>a_next a_next{nodes[\"a\"].output.skipped == true?c:b} b>c c>end end", ""},
    {FILE_OF(A "," B "," C, "{from: a, to: b, condition: done}, {from: a, to: c, condition: "
                            "otherwise}, {from: b, to: c}"),
     "start>a a>a_next a_next{nodes[\"a\"].output.skipped ~= true?b:c} b>c c>end end", ""},
    {FILE_OF(A "," B "," C,
             "{from: a, to: b}, {from: b, to: a, condition: manual}, {from: b, to: c}"),
     "start>a a>b b>b_decide b_decide[a,c] c>end end", ""},
    {FILE_OF(A "," B "," C, "{from: a, to: b, condition: 'input.x > 1'}, {from: a, to: c, "
                            "condition: manual}, {from: a, to: end}, {from: b, to: c}"),
     "start>a a>a_next a_next{input.x > 1?b:a_decide} a_decide[c,end] b>c c>end end", ""},
    {FILE_OF(A "," B "," C,
             "{from: a, to: b, condition: 'input.x > 1'}, {from: b, to: c}, {from: a, to: c}, "
             "{from: a, to: end}"),
     "start>a a>a_next a_next{input.x > 1?b:a_all} a_all>c,end b>c c>end end", ""},
    {FILE_OF(A "," B, "{from: a, to: b, condition: 'input.x > 1'}"),
     "start>a a>a_next a_next{input.x > 1?b:end} b>end end", "~stages[0] no_default!"},
    {FILE_OF(A, ""), "start>a a>end end", ""},
    {FILE_OF("{id: start, name: S, order: 1}, {id: end, name: E, order: 2}",
             "{from: start, to: end}"),
     "start_2>start start>end end>end_2 end_2", ""},
    {FILE_OF(A "," B, "{from: start, to: b}, {from: b, to: a}"), "start>b a>end b>a end", ""},
    {FILE_OF("{id: b, name: B, order: 2}, {id: a, name: A, order: 1}", "{from: A, to: B}"),
     "start>a a>b b>end end", ""},
};

static void right_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(right); i++) {
        struct one o;
        one_open(&o, right[i].yaml, false);
        assert_str(buf_str(&o.said), right[i].said);
        assert_str(buf_str(&o.shape), right[i].shape);
        one_close(&o);
    }
}

/* ---- files that are not: what is said, and what --fix makes of them ---- */

static const struct {
    const char *yaml, *said, *shape; /* shape NULL: cannot be fixed */
} wrong[] = {
    {"{name: My Flow, stages: [{name: First step}, {name: 第二步}]}",
     "~ missing, stages[0] missing, ~stages[0] missing, stages[1] missing, ~stages[1] missing, "
     "~transitions missing",
     "start>first-step first-step>stage_2 stage_2>end end"},
    {FILE_OF(A "," A, "{from: a, to: a_2}"), "stages[1] duplicate", "start>a a>a_2 a_2>end end"},
    {FILE_OF(A ",{id: design, name: D, order: 2}", "{from: a, to: desing}"),
     "transitions[0].to unknown_stage", "start>a a>design design>end end"},
    {FILE_OF(A "," B, "{from: a, to: xyzzy}"),
     "transitions[0].to unknown_stage, stages[1] unreachable", "start>a a>b b>end end"},
    {FILE_OF(A "," B "," C, "{from: a, to: b}"), "stages[2] unreachable",
     "start>a a>b b>c c>end end"},
    {FILE_OF(A "," B "," C, "{from: b, to: c}, {from: c, to: b, condition: manual}, {from: c, to: "
                            "end}"),
     "stages[1] unreachable", "start>a a>b b>c c>c_decide c_decide[b,end] end"},
    {FILE_OF(A "," B, "{from: a, to: b}, {from: b, to: a}"),
     "transitions[1] cycle, stages[1] no_end", "start>a a>b b>b_decide b_decide[a,end] end"},
    {FILE_OF(A, "{from: a, to: a}"), "transitions[0] cycle, stages[0] no_end",
     "start>a a>a_decide a_decide[a,end] end"},
    {FILE_OF(A "," B, "{from: a, to: b, condition: the design was approved}"),
     "transitions[0].condition invalid_condition", "start>a a>b b>end end"},
    {FILE_OF(A "," B "," C, "{from: a, to: b, condition: 设计通过}, {from: a, to: c, condition: "
                            "rework}, {from: b, to: c}"),
     "transitions[0].condition invalid_condition, transitions[1].condition invalid_condition",
     "start>a a>a_decide a_decide[b,c] b>c c>end end"},
    {FILE_OF(A "," B, "{from: a, to: b, condition: 'nodes.aa.output.x > 1'}"),
     "transitions[0].condition invalid_expression!", NULL},
    {FILE_OF(A "," B "," C,
             "{from: a, to: c, condition: 'input.x != 1 && input.y'}, {from: a, to: b}, {from: b, "
             "to: c}"),
     "transitions[0].condition invalid_expression",
     "start>a a>a_next a_next{input.x ~= 1  and  input.y?c:b} b>c c>end end"},
    {"{id: 'my flow!', name: 7, version: [1], stages: [{id: 3, name: N, order: '2', checklist: "
     "[x, {text: y}, 5, {}, x, null], deliverables: spec, weight: heavy, depends_on: n}]}",
     "name wrong_type, version wrong_type, id bad_id, stages[0].id wrong_type, stages[0].order "
     "wrong_type, ~stages[0].checklist[1] missing, stages[0].checklist[2] wrong_type, "
     "stages[0].checklist[3] missing, stages[0].checklist[4] duplicate, stages[0].checklist[5] "
     "wrong_type, stages[0].deliverables wrong_type, "
     "stages[0].weight wrong_type, stages[0].depends_on wrong_type, stages[0].depends_on "
     "unknown_stage",
     "start>3 3>end end"},
    {"{id: f, name: F, stages: {a: {name: A}, b: {name: B}}}",
     "stages wrong_type, ~stages[0] missing, ~stages[1] missing, ~transitions missing",
     "start>a a>b b>end end"},
    {"{id: f, name: F, stages: [Plan, Build, 7], transitions: nothing}",
     "stages[0] wrong_type, stages[0] missing, ~stages[0] missing, stages[1] wrong_type, stages[1] "
     "missing, ~stages[1] missing, stages[2] wrong_type, transitions wrong_type, ~transitions "
     "missing",
     "start>plan plan>build build>end end"},
    {"{id: f, name: F, stages: []}", "stages missing!", NULL},
    {"{id: f, name: F, stages: 7}", "stages missing!", NULL},
    {FILE_OF("{id: a, name: A, order: 1, depends_on: [b]}," B, "{from: a, to: b}"),
     "stages[0].depends_on[0] cycle!", NULL},
    {FILE_OF("{id: a, name: A, order: 1, conditions: [always, 'input.x', people agree]}", ""),
     "stages[0].conditions[2] invalid_condition", "start>a a>end end"},
    {FILE_OF("{id: a, name: A, order: 1, description: '{{ input. }}'}", ""),
     "stages[0].description bad_template!", NULL},
};

static void wrong_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(wrong); i++) {
        struct one o;
        one_open(&o, wrong[i].yaml, false);
        assert_str(buf_str(&o.said), wrong[i].said);
        one_close(&o);
        one_open(&o, wrong[i].yaml, true);
        assert_int_equal(!o.rc, wrong[i].shape != NULL);
        assert_str(buf_str(&o.shape), wrong[i].shape ? wrong[i].shape : "");
        if (o.rc) {
            one_close(&o);
            continue;
        }
        /* What was repaired has nothing to be repaired, and means the same. */
        struct one again = {.rc = 0};
        buf_init(&again.json, 1 << 20);
        buf_append_str(&again.json, buf_str(&o.r.staged));
        one_run(&again, false);
        assert_int_equal(again.rc, 0);
        assert_true(str_eq(buf_str(&again.r.staged), buf_str(&o.r.staged)));
        assert_true(str_eq(buf_str(&again.r.native), buf_str(&o.r.native)));
        one_close(&again);
        one_close(&o);
    }
}

/* ---- what is kept ---- */

static void everything_is_kept(void **state)
{
    (void)state;
    struct one o;
    one_open(
        &o,
        "{id: f, name: F, version: '1.2.0', source_rule: rules/f.md, author: ann, stages: [{id: "
        "a, name: A, description: Do it, order: 10, owner: bob, checklist: [{id: c1, name: one, "
        "required: false}], deliverables: [{name: spec, format: md}], weight: 2.50, "
        "estimated_minutes: 30, conditions: ['input.x', 'input.y == 1'], allow_skip: false}, " B
        "], transitions: [{from: a, to: b, condition: all_completed, id: t1}]}",
        false);
    assert_str(buf_str(&o.said), "");
    assert_str(
        buf_str(&o.r.staged),
        "{\"id\":\"f\",\"name\":\"F\",\"version\":\"1.2.0\",\"source_rule\":\"rules/"
        "f.md\",\"author\":\"ann\",\"stages\":[{\"id\":\"a\",\"name\":\"A\",\"description\":\"Do "
        "it\",\"order\":10,\"checklist\":[{\"name\":\"one\",\"required\":false,\"id\":\"c1\"}],"
        "\"deliverables\":[{\"name\":\"spec\",\"format\":\"md\"}],\"weight\":2.50,\"estimated_"
        "minutes\":30,\"conditions\":[\"input.x\",\"input.y == "
        "1\"],\"allow_skip\":false,\"owner\":\"bob\"},{\"id\":\"b\",\"name\":\"B\",\"order\":2,"
        "\"checklist\":[],\"deliverables\":[]}],\"transitions\":[{\"from\":\"a\",\"to\":\"b\","
        "\"condition\":\"all_completed\",\"id\":\"t1\"}]}");
    struct json meta = json_get(json_root(buf_str(&o.r.native)), "metadata");
    assert_true(json_eq(json_get(meta, "staged"), json_root(buf_str(&o.r.staged))));
    assert_true(json_string_eq(json_get(meta, "source_rule"), "rules/f.md"));
    assert_true(json_string_eq(json_get(meta, "version"), "1.2.0"));
    struct json a = json_get(json_get(json_root(buf_str(&o.r.native)), "nodes"), "a");
    assert_str(json_raw(json_get(a, "properties")),
               "{\"description\":\"Do it\",\"checklist\":[{\"name\":\"one\",\"required\":false}],"
               "\"deliverables\":[\"spec\"],\"condition\":\"(input.x) and (input.y == 1)\","
               "\"estimated_minutes\":30,\"weight\":2.50,\"order\":10,\"allow_skip\":false}");
    one_close(&o);
}

static void what_is_no_staged_file(void **state)
{
    (void)state;
    assert_true(staged_is(json_root(STR("{\"stages\":[]}"))));
    assert_true(staged_is(json_root(STR("{\"stages\":7}"))));
    assert_false(staged_is(json_root(STR("{\"stages\":[],\"nodes\":{}}"))));
    assert_false(staged_is(json_root(STR("[\"stages\"]"))));
    assert_false(staged_is(json_root(STR("{}"))));
}

/* ---- random ones never crash, and validate after --fix or say why ---- */

static unsigned random_at;
static unsigned roll(unsigned n)
{
    random_at = random_at * 1103515245u + 12345u;
    return (random_at >> 16) % n;
}

static const char *const values[] = {"null",
                                     "true",
                                     "7",
                                     "-1",
                                     "\"\"",
                                     "\"a\"",
                                     "\"b\"",
                                     "\"c d\"",
                                     "\"always\"",
                                     "\"input.x > 1\"",
                                     "\"{{\"",
                                     "\"nodes.a.output.y == 1\"",
                                     "\"\\u8bc4\\u5ba1\"",
                                     "[]",
                                     "[\"a\",\"a\",{\"name\":7}]",
                                     "{}",
                                     "{\"name\":\"x\",\"required\":\"no\"}",
                                     "\"manual\"",
                                     "\"end\"",
                                     "\"start\"",
                                     "1e9",
                                     "\"people decide\"",
                                     "\"all_completed\"",
                                     "[[]]",
                                     "\"12\"",
                                     "\"skipped\""};

static const char *value(void)
{
    return values[roll(ROWS(values))];
}

static void random_stage(struct buf *b, unsigned i)
{
    static const char *const keys[] = {"name",
                                       "order",
                                       "checklist",
                                       "deliverables",
                                       "weight",
                                       "depends_on",
                                       "estimated_minutes",
                                       "conditions",
                                       "allow_skip",
                                       "description",
                                       "extra"};
    static const char *const ids[] = {"a", "b", "c", "d", "e", "f"};
    if (!roll(12)) {
        buf_append_z(b, value());
        return;
    }
    buf_printf(b, "{\"id\":");
    if (roll(6))
        buf_printf(b, "\"%s\"", ids[i % 6]);
    else
        buf_append_z(b, value());
    for (size_t k = 0; k < ROWS(keys); k++)
        if (!roll(3))
            buf_printf(b, ",\"%s\":%s", keys[k], value());
    buf_append_char(b, '}');
}

static void random_end(struct buf *b, const char *key, unsigned count)
{
    buf_printf(b, "\"%s\":", key);
    if (roll(8))
        buf_printf(b, "\"%c\"", (char)('a' + roll(count + 1)));
    else
        buf_append_z(b, value());
}

static void random_file(struct buf *b)
{
    unsigned count = 1 + roll(6), ways = roll(9);
    buf_append_z(b, "{\"stages\":[");
    for (unsigned i = 0; i < count; i++) {
        buf_append_z(b, i ? "," : "");
        random_stage(b, i);
    }
    buf_append_z(b, "],\"transitions\":[");
    for (unsigned i = 0; i < ways; i++) {
        buf_append_z(b, i ? ",{" : "{");
        random_end(b, "from", count);
        buf_append_z(b, ",");
        random_end(b, "to", count);
        if (roll(2))
            buf_printf(b, ",\"condition\":%s", value());
        if (!roll(5))
            buf_printf(b, ",\"label\":%s", value());
        buf_append_char(b, '}');
    }
    buf_append_char(b, ']');
    static const char *const keys[] = {"id", "name", "version", "type", "source_rule", "other"};
    for (size_t k = 0; k < ROWS(keys); k++)
        if (!roll(3))
            buf_printf(b, ",\"%s\":%s", keys[k], value());
    buf_append_char(b, '}');
}

static void random_files(void **state)
{
    unsigned good = 0, bad = 0;
    (void)state;
    for (unsigned seed = 1; seed <= 3000; seed++) {
        struct one o, again = {.rc = 0};
        struct errbuf e = {""};
        buf_init(&o.json, 1 << 20);
        random_at = seed;
        random_file(&o.json);
        assert_int_equal(json_check(buf_str(&o.json), NULL, &e), 0);
        one_run(&o, true);
        if (o.rc) {
            assert_true(o.r.errors > 0 && strchr(o.said.data, '!'));
            bad++;
        } else {
            good++;
            buf_init(&again.json, 1 << 20);
            buf_append_str(&again.json, buf_str(&o.r.staged));
            one_run(&again, false);
            if (again.rc || !str_eq(buf_str(&again.r.staged), buf_str(&o.r.staged)))
                fail_msg("seed %u: %s\n%s\n%s", seed, again.said.data, o.json.data,
                         o.r.staged.data);
            one_close(&again);
        }
        one_close(&o);
    }
    assert_true(good > bad);
}

/* What people say of a way is a label of 200 bytes, however many it is as JSON. */
static void a_label_of_backslashes(void **state)
{
    char sentence[191], yaml[1024];
    struct one first = {0}, again = {0};
    (void)state;
    memset(sentence, '\\', sizeof(sentence) - 1);
    sentence[sizeof(sentence) - 1] = 0;
    snprintf(yaml, sizeof(yaml),
             FILE_OF(A "," B, "{from: a, to: b}, {from: a, to: end, condition: '%s?'}"), sentence);
    one_open(&first, yaml, true);
    assert_int_equal(first.rc, 0);
    buf_init(&again.json, 1 << 20);
    buf_append_str(&again.json, buf_str(&first.r.staged));
    one_run(&again, false);
    assert_int_equal(again.rc, 0);
    assert_true(str_eq(buf_str(&first.r.staged), buf_str(&again.r.staged)));
    one_close(&again);
    one_close(&first);
}

static int setup(void **state)
{
    (void)state;
    vm = expr_vm_create();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    expr_vm_destroy(vm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_files),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(everything_is_kept),
        cmocka_unit_test(what_is_no_staged_file),
        cmocka_unit_test(a_label_of_backslashes),
        cmocka_unit_test(random_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
