#include "unit.h"

#include "engine/expr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

/* The scope of most tests. */
static bool scope_node(const struct expr_scope *s, struct str id, struct str *output,
                       const char **status)
{
    (void)s;
    *output = STR_NULL;
    *status = "completed";
    if (str_eqz(id, "judge")) {
        *output = STR("{\"score\": 8, \"verdict\": \"pro\", \"empty\": {}, \"none\": []}");
        return true;
    }
    if (str_eqz(id, "pro") || str_eqz(id, "fact-check")) {
        *output = STR("\"caf\\u00e9 \\\"yes\\\"\"");
        return true;
    }
    *status = "pending";
    return str_eqz(id, "late");
}

static bool node_exists(void *data, struct str id)
{
    struct str output;
    const char *status;
    (void)data;
    return scope_node(NULL, id, &output, &status);
}

static struct expr_scope test_scope(void)
{
    return (struct expr_scope){
        .input =
            STR("{ \"topic\": \"tea\", \"n\": 9007199254740993, \"f\": 2.5, \"whole\": 3.0,\n"
                " \"items\": [ {\"name\": \"a\", \"score\": 1}, {\"name\": \"b\", \"score\": 9} ],"
                " \"null\": null, \"list\": [], \"obj\": {}, \"k\\n\\u00e9\": \"esc\","
                " \"words\": [\"x\", \"y\", \"z\"] }"),
        .vars = STR("{\"done\": false, \"count\": 3}"),
        .session = STR("{\"id\": \"s1\", \"name\": \"N\", \"user_id\": null}"),
        .node = scope_node,
    };
}

static struct expr_vm *vm;

static int vm_setup(void **state)
{
    (void)state;
    vm = expr_vm_create();
    return 0;
}

static int vm_teardown(void **state)
{
    (void)state;
    expr_vm_destroy(vm);
    return 0;
}

/* The JSON of an expression, or "! error". */
static void check_eval(const char *code, const char *wanted)
{
    struct expr_scope scope = test_scope();
    struct errbuf e = {""};
    struct buf out;
    buf_init(&out, 1 << 24);
    buf_append_z(&out, "");
    int err = expr_eval(vm, str_of(code), &scope, &out, &e);
    if (err) {
        assert_int_equal(err, ERR_INVALID);
        assert_int_equal(out.len, 0);
        buf_printf(&out, "! %s", e.text);
    } else {
        assert_int_equal(json_check(buf_str(&out), NULL, &e), 0);
    }
    if (strcmp(out.data, wanted) != 0)
        print_error("%s\n", code);
    assert_string_equal(out.data, wanted);
    buf_deinit(&out);
}

struct row {
    const char *code, *wanted;
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_eval(rows[i].code, rows[i].wanted);
}

static void test_values(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 + 1", "2"},
        {"input.topic", "\"tea\""},
        {"input.n", "9007199254740993"},
        {"input.n + 1", "9007199254740994"},
        {"input.f * 2", "5"},
        {"input.whole", "3"},
        {"7 / 2", "3.5"},
        {"6 / 2", "3"},
        {"math.mininteger", "-9223372036854775808"},
        {"null", "null"},
        {"input.null", "null"},
        {"input.null == null", "true"},
        {"nodes.judge.output.score > 7 and not vars.done", "true"},
        {"nodes.judge.status", "\"completed\""},
        {"nodes[\"fact-check\"].output", "\"caf\303\251 \\\"yes\\\"\""},
        {"nodes.late.output == nil", "true"},
        {"loop and loop.round or 1", "1"},
        {"input.items[2].name", "\"b\""},
        {"#input.items", "2"},
        {"input[\"k\\n\303\251\"]", "\"esc\""},
        {"{a = 1, b = {true, false}, [\"c\"] = \"\\u{e9}\"}",
         "{\"a\":1,\"b\":[true,false],\"c\":\"\303\251\"}"},
        {"{}", "{}"},
        {"array()", "[]"},
        {"array(1, nil, \"x\")", "[1,null,\"x\"]"},
        {"{input.list, input.obj}", "[[],{}]"},
        {"copy(input.list)", "[]"},
        {"copy(input.obj)", "{}"},
        {"copy({input.items, x})", "! unknown name \"x\""},
        {"nodes.judge.output", "{\"score\":8,\"verdict\":\"pro\",\"empty\":{},\"none\":[]}"},
        {"nodes.judge.output.none", "[]"},
        {"{n = nodes.late}", "{\"n\":{\"status\":\"pending\"}}"},
        {"nodes.pro", "{\"output\":\"caf\303\251 \\\"yes\\\"\",\"status\":\"completed\"}"},
        {"\"\\xff\\xfe ok\"", "\"\357\277\275\357\277\275 ok\""},
        {"(\"a\\\\b \\\" c\")", "\"a\\\\b \\\" c\""},
        {"{\"a\\\"  b\\\\\", {1}}", "[\"a\\\"  b\\\\\",[1]]"},
        {"parse('{\"a\": [1, {\"b\": []}], \"s\": \"x \\\\\\\\\\\\\" y\"}')",
         "{\"a\":[1,{\"b\":[]}],\"s\":\"x \\\\\\\" y\"}"},
    };
    check_rows(rows, ROWS(rows));
}

static void test_functions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"type(input) .. type(null) .. type(nil) .. type(1) .. type(len)",
         "\"tablenullnilnumberfunction\""},
        {"len(\"caf\\u{e9}\")", "4"},
        {"len(input)", "10"},
        {"len(input.items)", "2"},
        {"len({1, 2, 3})", "3"},
        {"len(nodes.judge)", "2"},
        {"json({1, \"a\"})", "\"[1,\\\"a\\\"]\""},
        {"json(input.items)", "\"[{\\\"name\\\":\\\"a\\\",\\\"score\\\":1},{\\\"name\\\":\\\"b\\\","
                              "\\\"score\\\":9}]\""},
        {"parse(\"[1, 2]\")[2]", "2"},
        {"tostring(12) .. tostring(true) .. tostring({1}) .. tostring(null) .. tostring(nil)",
         "\"12true[1]nullnil\""},
        {"tonumber(\"0x10\")", "16"},
        {"string.upper(input.topic)", "\"TEA\""},
        {"input.topic:upper():lower():reverse()", "\"aet\""},
        {"(\"abc\"):sub(2)", "\"bc\""},
        {"(\"ab\"):rep(3, \"-\")", "\"ab-ab-ab\""},
        {"(\"\"):rep(1 << 60)", "\"\""},
        {"(\"a.b.c\"):find(\".\", 3)", "4"},
        {"find == nil", "! unknown name \"find\""},
        {"contains(input.topic, \"ea\") and contains(input.words, \"y\")", "true"},
        {"contains(input.words, \"w\") or (\"a.c\"):contains(\"a%.c\")", "false"},
        {"split(\"a,b,,c\", \",\")", "[\"a\",\"b\",\"\",\"c\"]"},
        {"trim(\" \\t x y \\n\")", "\"x y\""},
        {"replace(\"aXbXc\", \"X\", \"%1\")", "\"a%1b%1c\""},
        {"starts(\"abc\", \"ab\") and ends(\"abc\", \"bc\") and not starts(\"a\", \"ab\")", "true"},
        {"chars(\"caf\\u{e9}!\", 3, 4)", "\"f\303\251\""},
        {"chars(\"caf\\u{e9}!\", -2)", "\"\303\251!\""},
        {"chars(\"abc\", 0) .. chars(\"abc\", 5) .. chars(\"abc\", 2, 1) .. chars(\"abc\", -9, -2)",
         "\"abcab\""},
        {"string.format(\"%d %5.2f %s %s %q\", 3, 1.5, {1}, nil, \"a\")",
         "\"3  1.50 [1] nil \\\"a\\\"\""},
        {"string.format(\"100%%\")", "\"100%\""},
        {"string.byte(\"a\") + string.len(\"abc\") .. string.char(65)", "\"100A\""},
        {"math.floor(3.7) + math.max(1, 2) + math.tointeger(3.0)", "8"},
        {"table.concat(input.words, \"-\")", "\"x-y-z\""},
        {"select(\"#\", table.unpack(input.words))", "3"},
        {"join(map(input.items, function(x) return x.name .. \"=\" .. x.score end), \", \")",
         "\"a=1, b=9\""},
        {"join({1, true, {}}, \" \")", "\"1 true {}\""},
        {"join({})", "\"\""},
        {"filter(input.items, function(x) return x.score > 5 end)",
         "[{\"name\":\"b\",\"score\":9}]"},
        {"filter({}, function() return true end)", "[]"},
        {"keys({b = 1, a = 2, 10, 20})", "[1,2,\"a\",\"b\"]"},
        {"keys(input.items[1])", "[\"name\",\"score\"]"},
        {"keys(nodes.judge)", "[\"output\",\"status\"]"},
        {"default(input.null, 5) + default(input.nope, 1) + default(2, 3)", "8"},
        {"(function() local t = copy(input.words) table.insert(t, 1, \"w\") table.sort(t, "
         "function(a, b) return a > b end) table.remove(t, 2) return t end)()",
         "[\"z\",\"x\",\"w\"]"},
        {"(function() local s = \"\" for k, v in pairs({z = 1, a = 2, m = 3, 7}) do s = s .. k .. "
         "v end return s end)()",
         "\"17a2m3z1\""},
        {"(function() local s = 0 for i, v in ipairs(input.items) do s = s + i * v.score end "
         "return "
         "s end)()",
         "19"},
        {"(function() local s = \"\" for k, v in pairs(input.items[1]) do s = s .. k .. v end "
         "return "
         "s end)()",
         "\"nameascore1\""},
        {"assert(input.topic)", "\"tea\""},
    };
    check_rows(rows, ROWS(rows));
}

static void test_errors(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "! the expression is empty"},
        {" -- nothing", "! the expression is empty"},
        {"1, 2", "! an expression is one value, not a list"},
        {"1 +", "! unexpected symbol near <eof>"},
        {"return 1", "! unexpected symbol near 'return'"},
        {"topic", "! unknown name \"topic\""},
        {"os.time()", "! unknown name \"os\""},
        {"pcall(error)", "! unknown name \"pcall\""},
        {"load(\"1\")", "! unknown name \"load\""},
        {"math.random()", "! attempt to call a nil value (field 'random')"},
        {"string.gsub(\"a\", \"a\", \"b\")", "! attempt to call a nil value (field 'gsub')"},
        {"nodes.jugde.output", "! no node \"jugde\""},
        {"nodes.judge.ouput", "! node \"judge\" has output and status, not \"ouput\""},
        {"nodes.judge[1]", "! node \"judge\" has output and status, not \"?\""},
        {"nodes[1]", "! a node is named by its id, a string"},
        {"nodes.late.output", "! node \"late\" has no output yet (it is pending)"},
        {"nodes.late.output.score", "! node \"late\" has no output yet (it is pending)"},
        {"nodes", "! nodes as a whole is no value: name the node"},
        {"pairs(nodes)", "! nodes cannot be walked: name the node"},
        {"input.nope", "! there is no value (nil)"},
        {"input.nope.deeper", "! attempt to index a nil value (field 'nope')"},
        {"input.null.deeper", "! attempt to index a null value (field 'null')"},
        {"input + 1", "! attempt to perform arithmetic on a table value (global 'input')"},
        {"(function() input.topic = 1 end)()",
         "! data cannot be changed (setting \"topic\"): copy(x) gives a table of your own"},
        {"(function() input.words[1] = 1 end)()",
         "! data cannot be changed: copy(x) gives a table of your own"},
        {"table.remove(input.words)",
         "! data cannot be changed: copy(x) gives a table of your own"},
        {"(function() x = 1 end)()", "! \"x\" cannot be set: write local x"},
        {"(function() string.upper = 1 end)()", "! the library cannot be changed"},
        {"(function() local s = \"\" s.upper = 1 end)()",
         "! attempt to index a string value (local 's')"},
        {"print", "! unknown name \"print\""},
        {"len", "! a function cannot be JSON"},
        {"{f = len}", "! a function cannot be JSON"},
        {"{1, nil, 3}",
         "! an array with holes cannot be JSON: it has 2 elements at positions 1 to 3"},
        {"{1, a = 2}", "! a table with both names (\"a\") and positions cannot be JSON"},
        {"{[1.5] = 2}", "! a table with a key that is no string and no position cannot be JSON"},
        {"{[{}] = 2}", "! the keys of a table must be strings or numbers"},
        {"(function() local t = {} t.t = {t} return t end)()",
         "! a table that contains itself cannot be JSON"},
        {"(function() local t = {} for i = 1, 100 do t = {t} end return t end)()",
         "! tables nested deeper than 64 cannot be JSON"},
        {"0 / 0", "! a number is not a number (nan)"},
        {"{1 / 0}", "! a number is infinite"},
        {"\"a\\0b\"", "! a string with a zero byte cannot be JSON"},
        {"error(\"no tea\")", "! no tea"},
        {"error({1})", "! [1]"},
        {"assert(input.null, \"no user\")", "! no user"},
        {"assert(false)", "! an assert does not hold"},
        {"string.format(\"%p\", {})", "! format: %p is not available"},
        {"string.upper()", "! bad argument #1 to 'upper' (string expected, got no value)"},
        {"parse(\"{\")", "! parse: invalid JSON at byte 1: expected a key"},
        {"split(\"a\", \"\")", "! split: the separator is empty"},
        {"join({null})", "! join: element 1 is null"},
        {"table.unpack({}, 1, 1 << 62)", "! table.unpack gives 10000 values at most"},
        {"#input", "! # counts the elements of an array; len(x) counts members"},
        {"1 +\n\ninput.nope.x", "! line 3: attempt to index a nil value (field 'nope')"},
        {"\033Lua", "! unexpected symbol near '<\\27>'"},
    };
    check_rows(rows, ROWS(rows));
}

static void test_bool(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        bool wanted;
    } rows[] = {
        {"true", true},        {"false", false}, {"nil", false},       {"null", false},
        {"input.null", false}, {"0", true},      {"\"\"", true},       {"input.nope", false},
        {"{}", true},          {"loop", false},  {"vars.done", false}, {"vars.count == 3", true},
    };
    struct expr_scope scope = test_scope();
    struct errbuf e;
    for (size_t i = 0; i < ROWS(rows); i++) {
        bool out = !rows[i].wanted;
        assert_int_equal(expr_eval_bool(vm, str_of(rows[i].code), &scope, &out, &e), 0);
        assert_int_equal(out, rows[i].wanted);
    }
    bool out = true;
    assert_int_equal(expr_eval_bool(vm, STR("vars.count > \"a\""), &scope, &out, &e), ERR_INVALID);
    assert_string_equal(e.text, "attempt to compare string with number");
    assert_true(out);
}

static void check_render(const char *tmpl, const char *wanted)
{
    struct expr_scope scope = test_scope();
    struct errbuf e = {""};
    struct buf out;
    buf_init(&out, 1 << 24);
    buf_append_z(&out, "");
    if (expr_render(vm, str_of(tmpl), &scope, &out, &e) != 0) {
        assert_int_equal(out.len, 0);
        buf_printf(&out, "! %s", e.text);
    }
    assert_string_equal(out.data, wanted);
    buf_deinit(&out);
}

static void test_render(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"plain } }} { text", "plain } }} { text"},
        {"{{ input.topic }}", "tea"},
        {"Weigh:\n{{nodes.pro.output}}, {{ nodes.judge.output.score }}/10",
         "Weigh:\ncaf\303\251 \"yes\", 8/10"},
        {"{{ 1 == 1 }} {{ 6 / 2 }} {{ 2.5 }} {{ {1, \"a\"} }} {{ {a={b=1}}}}",
         "true 3 2.5 [1,\"a\"] {\"a\":{\"b\":1}}"},
        {"{{ \"}}\" }}{{ '{{' }}{{ [[ }} ]] }}{{ \"\\\"}}\" }}{{ 1 --[[ }} ]] }}", "}}{{ }} \"}}1"},
        {"{{ nodes.jugde.output }}", "! in {{ nodes.jugde.output }}: no node \"jugde\""},
        {"a {{ input.nope }}", "! in {{ input.nope }}: there is no value (nil)"},
        {"{{ input.null }}", "! in {{ input.null }}: there is no value (null)"},
        {"{{ nodes.late.output }}",
         "! in {{ nodes.late.output }}: node \"late\" has no output yet (it is pending)"},
        {"{{ }}", "! in {{  }}: the expression is empty"},
        {"{{ 1", "! in {{ 1 }}: no \"}}\" closes it"},
        {"{{ \"a }}", "! in {{ \"a }} }}: no \"}}\" closes it"},
        {"{{ 1 }", "! in {{ 1 } }}: no \"}}\" closes it"},
        {"{{ 1 + }} {{ input.topic }}", "! in {{ 1 + }}: unexpected symbol near <eof>"},
        {"{{ \"\\xff\" }}|{{ \"a\\0b\" }}", "\357\277\275|a\357\277\275b"},
        {"{{ len }}", "! in {{ len }}: a function cannot be JSON"},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        check_render(rows[i].code, rows[i].wanted);
}

/* What one evaluation does, the next does not see. */
static void test_isolation(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"(function() _ENV = {} return 1 end)()", "1"},
        {"(function() _ENV = {} return 1 end)()", "1"},
        {"(function() local _ENV = {x = 1} return x end)()", "1"},
        {"(function() string.upper = len end)()", "! the library cannot be changed"},
        {"(function() _ENV.len = 1 end)()", "! \"len\" cannot be set: write local len"},
        {"(function() for k in pairs(_ENV) do return k end return 0 end)()", "0"},
        {"(function() for k in pairs(string) do return k end return 0 end)()", "0"},
        {"string.upper(\"a\") .. len(\"b\")", "\"A1\""},
        {"(function() math.pi = 3 end)()", "! the library cannot be changed"},
        {"(function() table.insert(table, 1) end)()", "! the library cannot be changed"},
        {"table.remove({1})", "1"},
    };
    check_rows(rows, ROWS(rows));
    /* The same code over other data gives other results. */
    struct expr_scope scope = {.input = STR("1")};
    struct errbuf e;
    struct buf out;
    buf_init(&out, 100);
    assert_int_equal(expr_eval(vm, STR("input"), &scope, &out, &e), 0);
    scope.input = STR("[2]");
    assert_int_equal(expr_eval(vm, STR("input"), &scope, &out, &e), 0);
    scope.input = STR_NULL;
    assert_int_equal(expr_eval(vm, STR("input"), &scope, &out, &e), ERR_INVALID);
    assert_string_equal(e.text, "there is no value (nil)");
    assert_int_equal(expr_eval(vm, STR("nodes.a"), &scope, &out, &e), ERR_INVALID);
    assert_string_equal(e.text, "no node \"a\"");
    assert_str(buf_str(&out), "1[2]");
    buf_deinit(&out);
}

/* Bombs end with an error, in bounded time, and the machine works on. */
static void test_limits(void **state)
{
    (void)state;
    static const char steps[] = "! takes too many steps (more than 1000000)";
    static const char memory[] = "! needs more than 16 MiB of memory";
    static const struct row rows[] = {
        {"(function() while true do end end)()", steps},
        {"(function() local s = (\"x\"):rep(1000) while true do s = s .. s end end)()", memory},
        {"(function() local t = {} for i = 1, 1e9 do t[i] = {} end end)()", steps},
        {"(\"x\"):rep(1e9)", "! rep: the result is larger than 16777216 bytes"},
        {"(\"0123456789abcdef\"):rep(300000)", "! the result is larger than 4194304 bytes"},
        {"(function() local x = (\"0123456789abcdef\"):rep(100) local a, b = x:rep(2000), "
         "x:rep(2000) "
         "local n = 0 while true do if a == b then n = n + 1 end end end)()",
         steps},
        {"(function() local t = {} for i = 1, 4000 do t[i] = 4000 - i end while true do "
         "table.sort(t) table.sort(t, function(a, b) return a > b end) end end)()",
         steps},
        {"(function() local t = {} for i = 1, 4000 do t[i] = i end while true do table.insert(t, "
         "1, "
         "0) table.remove(t, 1) end end)()",
         steps},
        {"(function() local s = (\"ab\"):rep(1000):rep(2000) while true do s:upper() end end)()",
         steps},
        {"(function() local s = (\"ab\"):rep(3e4) while true do local x = s .. s end end)()",
         steps},
        {"(function() local s = (\"ab\"):rep(1000):rep(2000) while true do contains(s, \"c\") end "
         "end)()",
         steps},
        {"(function() local t = {} for i = 1, 2e5 do t[i] = i end while true do local s = "
         "(\"xy\"):rep(1000):rep(100) end end)()",
         steps},
        {"(function() local t = {} while true do t = {t, t} json(t) end end)()", steps},
        {"(function() local t = {} for i = 1, 60 do t = {t, t} end return t end)()", steps},
        {"(function() local function f(n) return 1 + f(n) end return f(1) end)()", steps},
        {"(function() local function f(x) return map({1}, f) end return f(1) end)()",
         "! C stack overflow"},
        {"(function() local s = \"[\" while true do s = s .. \"[\" len(s) end end)()", steps},
    };
    uint64_t worst = 0;
    size_t worst_at = 0;
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t t = clock_mono_ns();
        check_eval(rows[i].code, rows[i].wanted);
        t = clock_mono_ns() - t;
        if (t > worst) {
            worst = t;
            worst_at = i;
        }
    }
    print_message("slowest bomb: %zu, %llu ms\n", worst_at, (unsigned long long)worst / 1000000);
    check_eval("1", "1");
}

static void test_code_limits(void **state)
{
    (void)state;
    struct expr_scope scope = test_scope();
    struct errbuf e;
    struct buf code, out;
    buf_init(&code, 4 << 20);
    buf_init(&out, 100);
    for (int i = 0; i < 100000; i++)
        buf_append_z(&code, "(");
    assert_int_equal(expr_eval(vm, buf_str(&code), &scope, &out, &e), ERR_INVALID);
    assert_string_equal(e.text, "the expression is longer than 65536 bytes");
    buf_truncate(&code, 60000);
    assert_int_equal(expr_eval(vm, buf_str(&code), &scope, &out, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "C stack overflow"));
    buf_clear(&code);
    while (code.len <= EXPR_TEMPLATE_MAX)
        buf_append_z(&code, "{{");
    assert_int_equal(expr_render(vm, buf_str(&code), &scope, &out, &e), ERR_INVALID);
    assert_int_equal(expr_check_template(vm, buf_str(&code), NULL, NULL, &e), ERR_INVALID);
    /* A full buffer of the caller's. */
    assert_int_equal(expr_eval(vm, STR("(\"x\"):rep(200)"), &scope, &out, &e), ERR_TOO_LARGE);
    assert_int_equal(out.len, 0);
    buf_deinit(&code);
    buf_deinit(&out);
}

/* More texts than the cache holds: it is emptied and goes on. */
static void test_cache(void **state)
{
    (void)state;
    struct expr_scope scope = test_scope();
    struct errbuf e;
    struct buf out;
    char code[64], wanted[32];
    buf_init(&out, 100);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 9000; i++) {
            snprintf(code, sizeof code, "%d + vars.count", i);
            snprintf(wanted, sizeof wanted, "%d", i + 3);
            buf_clear(&out);
            assert_int_equal(expr_eval(vm, str_of(code), &scope, &out, &e), 0);
            assert_string_equal(out.data, wanted);
        }
    }
    buf_deinit(&out);
}

static void test_big_data(void **state)
{
    (void)state;
    struct expr_scope scope = test_scope();
    struct errbuf e;
    struct buf input, out;
    buf_init(&input, 8 << 20);
    buf_init(&out, 8 << 20);
    buf_append_z(&input, "[");
    for (int i = 0; i < 10000; i++)
        buf_printf(&input, "%s{\"i\": %d, \"pad\": [1, 2, {}], \"t\": \"0123456789\"}",
                   i ? "," : "", i);
    buf_append_z(&input, "]");
    scope.input = buf_str(&input);
    assert_int_equal(
        expr_eval(vm,
                  STR("(function() local s = 0 for _, x in ipairs(input) do s = s + x.i "
                      "end return s end)()"),
                  &scope, &out, &e),
        0);
    assert_str(buf_str(&out), "49995000");
    buf_clear(&out);
    assert_int_equal(expr_eval(vm, STR("input"), &scope, &out, &e), 0);
    assert_true(out.len > 300000 && out.len < input.len);
    buf_deinit(&input);
    buf_deinit(&out);
}

static void test_check(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"nodes.judge.output.score > 7 and not vars.done", ""},
        {"nodes.jugde.output", "no node \"jugde\""},
        {"nodes[\"jugde\"].output", "no node \"jugde\""},
        {"nodes['fact-check'].output", ""},
        {"nodes.fact-check.output", "no node \"fact\"; write nodes[\"fact-check\"]"},
        {"nodes.judge.ouput", "node \"judge\" has output and status, not \"ouput\""},
        {"nodes[input.topic].output", ""},
        {"topic == 1", "unknown name \"topic\""},
        {"{topic = topic}", "unknown name \"topic\""},
        {"{topic = input.topic, [\"x\"] = 1}", ""},
        {"input.topic.nodes.jugde", ""},
        {"\"nodes.jugde\" --[[ nodes.jugde ]]", ""},
        {"(\"x\"):nodes(1)", ""},
        {"map(input, function(x, y) local z <const>, w = x, y return z + w end)", ""},
        {"map(input, function(x) return y end)", "unknown name \"y\""},
        {"(function() for i = 1, 2 do for k, v in pairs({}) do i = k + v end end goto done "
         "::done:: "
         "end)()",
         ""},
        {"log(1)", "unknown name \"log\""},
        {"1 +", "unexpected symbol near <eof>"},
        {"_ENV.x", ""},
    };
    struct errbuf e;
    for (size_t i = 0; i < ROWS(rows); i++) {
        e.text[0] = '\0';
        int err = expr_check(vm, str_of(rows[i].code), node_exists, NULL, &e);
        assert_string_equal(e.text, rows[i].wanted);
        assert_int_equal(err, rows[i].wanted[0] ? ERR_INVALID : 0);
    }
    assert_int_equal(expr_check(vm, STR("nodes.any.output"), NULL, NULL, &e), 0);
    assert_int_equal(expr_check_template(vm, STR("{{ input.a }} {{ nodes.judge.output }}"),
                                         node_exists, NULL, &e),
                     0);
    assert_int_equal(expr_check_template(vm, STR("{{ input.a }} {{ nodes.jugde.output }}"),
                                         node_exists, NULL, &e),
                     ERR_INVALID);
    assert_string_equal(e.text, "in {{ nodes.jugde.output }}: no node \"jugde\"");
    assert_int_equal(expr_check_template(vm, STR("{{ input.a }"), node_exists, NULL, &e),
                     ERR_INVALID);
    assert_string_equal(e.text, "in {{ input.a } }}: no \"}}\" closes it");
}

static void test_check_script(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"local a = 1\nlog(a)\nreturn nodes.judge.output", ""},
        {"count, other = 0, 1\nfunction add(n) count = count + n end\nadd(2)\nreturn other", ""},
        {"local t = {}\nfunction t:m(x) return self, x end\nt.y = 1\nreturn z",
         "unknown name \"z\""},
        {"return nodes.jugde", "no node \"jugde\""},
        {"return 1 1", "line 1: <eof> expected near '1'"},
        {"local x\n\nif x", "line 3: 'then' expected near <eof>"},
        {"", ""},
    };
    struct errbuf e;
    for (size_t i = 0; i < ROWS(rows); i++) {
        e.text[0] = '\0';
        int err = expr_check_script(vm, str_of(rows[i].code), node_exists, NULL, &e);
        assert_string_equal(e.text, rows[i].wanted);
        assert_int_equal(err, rows[i].wanted[0] ? ERR_INVALID : 0);
    }
}

struct script_log {
    struct buf text;
    unsigned checkpoints, checkpoints_max;
};

static bool script_checkpoint(void *data)
{
    struct script_log *log = data;
    return ++log->checkpoints <= log->checkpoints_max;
}

static void script_logged(void *data, const char *level, struct str text)
{
    struct script_log *log = data;
    buf_printf(&log->text, "%s:%.*s;", level, STR_FMT(text));
}

static int run_script(const char *code, struct script_log *log, struct buf *out, struct errbuf *e)
{
    struct expr_script_env env = {
        .env =
            STR("{\"input\":{\"n\":3},\"nodes\":{\"a\":{\"output\":[1,2],\"status\":\"completed\"},"
                "\"b\":{\"status\":\"pending\"}},\"vars\":{},\"session\":{\"id\":\"s\"}}"),
        .memory_bytes_max = 8 << 20,
        .checkpoint = script_checkpoint,
        .log = script_logged,
        .data = log,
    };
    buf_init(&log->text, 1 << 20);
    buf_append_z(&log->text, "");
    buf_init(out, 1 << 20);
    buf_append_z(out, "");
    return expr_run_script(str_of(code), &env, out, e);
}

static void test_script(void **state)
{
    (void)state;
    static const struct {
        const char *code, *output, *log;
    } rows[] = {
        {"return input.n + #nodes.a.output", "5", ""},
        {"", "null", ""},
        {"local s = {} for id, n in pairs(nodes) do s[id] = n.status end return s",
         "{\"a\":\"completed\",\"b\":\"pending\"}", ""},
        {"count = 0 function add(n) count = count + n end add(2) add(3) return count", "5", ""},
        {"log(\"hi\") log(\"warn\", {1}) log(nil) return loop == nil", "true",
         "info:hi;warn:[1];info:nil;"},
        {"return {nodes = nodes, s = session.id}",
         "{\"nodes\":{\"a\":{\"output\":[1,2],\"status\":\"completed\"},\"b\":{\"status\":"
         "\"pending\"}},\"s\":\"s\"}",
         ""},
        {"return nodes.c", "line 1: no node \"c\"", ""},
        {"\nreturn nodes.b.output.x", "line 2: node \"b\" has no output yet (it is pending)", ""},
        {"\n\nerror(\"stop here\")", "line 3: stop here", ""},
        {"return 1 +", "line 1: unexpected symbol near <eof>", ""},
        {"return len", "a function cannot be JSON", ""},
        {"log(\"loud\", 1)", "line 1: bad argument #1 to 'log' (invalid option 'loud')", ""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct script_log log = {.checkpoints_max = 1000};
        struct errbuf e;
        struct buf out;
        int err = run_script(rows[i].code, &log, &out, &e);
        assert_string_equal(err ? e.text : out.data, rows[i].output);
        assert_int_equal(err == 0 || err == ERR_INVALID, 1);
        assert_string_equal(log.text.data, rows[i].log);
        buf_deinit(&out);
        buf_deinit(&log.text);
    }
}

static void test_script_limits(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        unsigned checkpoints;
        int err;
        const char *text;
    } rows[] = {
        {"log(1)", 0, ERR_CANCELLED, "stopped"},
        {"while true do end", 50, ERR_CANCELLED, "stopped"},
        {"local s = (\"x\"):rep(1e6) while true do local y = s:upper() end", 50, ERR_CANCELLED,
         "stopped"},
        {"local t = {} while true do t[#t + 1] = {} end", 1000000, ERR_TOO_LARGE,
         "needs more than 8 MiB of memory"},
        {"while true do log(\"x\") end", 1000000, ERR_INVALID,
         "line 1: log: more than 10000 lines"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct script_log log = {.checkpoints_max = rows[i].checkpoints};
        struct errbuf e;
        struct buf out;
        int err = run_script(rows[i].code, &log, &out, &e);
        assert_string_equal(e.text, rows[i].text);
        assert_int_equal(err, rows[i].err);
        assert_int_equal(out.len, 0);
        buf_deinit(&out);
        buf_deinit(&log.text);
    }
    struct expr_script_env env = {.env = STR("{}"), .memory_bytes_max = 1000};
    struct errbuf e;
    assert_int_equal(expr_run_script(STR("return 1"), &env, NULL, &e), ERR_TOO_LARGE);
}

/* A secret stays a reference, whatever is done with it. */
static void test_secret(void **state)
{
    struct expr_scope scope = test_scope();
    struct errbuf e = {""};
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(expr_check_template(vm, STR("Bearer {{ secret.API_KEY }}"), NULL, NULL, &e),
                     0);
    assert_int_equal(expr_render(vm, STR("Bearer {{secret.API_KEY}}"), &scope, &out, &e), 0);
    assert_str(buf_str(&out), "Bearer {{ secret.API_KEY }}");
    buf_clear(&out);
    assert_int_equal(expr_eval(vm, STR("secret['x y']"), &scope, &out, &e), ERR_INVALID);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_errors),        cmocka_unit_test(test_bool),
        cmocka_unit_test(test_render),        cmocka_unit_test(test_isolation),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_code_limits),
        cmocka_unit_test(test_cache),         cmocka_unit_test(test_big_data),
        cmocka_unit_test(test_check),         cmocka_unit_test(test_check_script),
        cmocka_unit_test(test_secret),        cmocka_unit_test(test_script),
        cmocka_unit_test(test_script_limits),
    };
    return cmocka_run_group_tests(tests, vm_setup, vm_teardown);
}
