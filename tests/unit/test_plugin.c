#include "unit.h"

#include "tools/plugin.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"

struct bench {
    uv_loop_t loop;
    struct worker_pool *pool;
    struct plugins *plugins;
    struct buf types; /* as they were added */
    bool closed;
};

struct job {
    struct plugin_job plugin;
    struct bench *b;
    struct gate *gate;
    struct buf text, log, saved;
    char code[65];
    bool done;
};

static int type_added(void *data, const char *plugin, const char *type, struct str schema,
                      struct errbuf *e)
{
    struct bench *b = data;
    (void)e;
    buf_printf(&b->types, "%s:%s:%s ", plugin, type, schema.n > 2 ? "schema" : "any");
    return 0;
}

static void bench_open(struct bench *b)
{
    struct errbuf e;
    *b = (struct bench){0};
    buf_init(&b->types, 1000);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    assert_int_equal(worker_pool_create(&b->pool, &b->loop, 1, 4), 0);
    b->plugins = plugins_create();
    assert_int_equal(plugins_load(b->plugins, PLUGINS "/typewriter.so", type_added, b, &e), 0);
    assert_int_equal(plugins_load(b->plugins, PLUGINS "/bad.so", type_added, b, &e), 0);
}

static void bench_closed(void *data)
{
    ((struct bench *)data)->closed = true;
}

static void bench_close(struct bench *b)
{
    worker_pool_close(b->pool, bench_closed, b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_true(b->closed);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    plugins_destroy(b->plugins);
    buf_deinit(&b->types);
}

static void job_said(struct worker_job *wj, struct str utf8, bool is_thinking)
{
    struct job *j = wj->data;
    assert_false(is_thinking);
    buf_append_str(&j->text, utf8);
}

static void job_logged(struct worker_job *wj, const char *level, struct str text)
{
    struct job *j = wj->data;
    buf_printf(&j->log, "%s: %.*s\n", level, STR_FMT(text));
}

static void job_saved(struct worker_job *wj, struct str json)
{
    struct job *j = wj->data;
    buf_clear(&j->saved);
    buf_append_str(&j->saved, json);
}

static void job_done(struct worker_job *wj)
{
    struct job *j = wj->data;
    assert_false(j->done);
    j->done = true;
    if (wj->status)
        snprintf(j->code, sizeof(j->code), "%s", plugin_job_code(&j->plugin));
}

static int job_begin(struct bench *b, struct job *j, const char *type, const char *properties,
                     struct errbuf *e)
{
    int64_t timeout_ms = j->plugin.job.timeout_ms;
    struct str saved = j->plugin.saved;
    *j = (struct job){.b = b, .gate = gate_create()};
    buf_init(&j->text, 10000);
    buf_init(&j->log, 10000);
    buf_init(&j->saved, 10000);
    j->plugin = (struct plugin_job){.type = type,
                                    .node_id = "node",
                                    .properties = str_of(properties),
                                    .input = STR("{}"),
                                    .saved = saved,
                                    .job = {.timeout_ms = timeout_ms,
                                            .gate = j->gate,
                                            .on_text = job_said,
                                            .on_log = job_logged,
                                            .on_save = job_saved,
                                            .on_done = job_done,
                                            .data = j}};
    return plugin_job_start(b->plugins, b->pool, &j->plugin, e);
}

static void job_start(struct bench *b, struct job *j, const char *type, const char *properties)
{
    struct errbuf e;
    assert_int_equal(job_begin(b, j, type, properties, &e), 0);
}

static void job_wait(struct job *j)
{
    while (!j->done)
        uv_run(&j->b->loop, UV_RUN_ONCE);
}

static void job_end(struct job *j)
{
    buf_deinit(&j->plugin.job.output);
    buf_deinit(&j->text);
    buf_deinit(&j->log);
    buf_deinit(&j->saved);
    gate_unref(j->gate);
}

static void test_load(void **state)
{
    (void)state;
    static const struct {
        const char *file, *why;
    } rows[] = {
        {PLUGINS "/nothing.so", "cannot open shared object file"},
        {"/dev/null", "file too short"},
        {"libm.so.6", "cannot open shared object file"}, /* only files, no search */
    };
    struct bench b;
    struct errbuf e;
    bench_open(&b);
    assert_str(buf_str(&b.types), "acme:acme.typewriter:schema bad:bad.blocks:any "
                                  "bad:bad.leaks:any bad:bad.rubbish:any bad:bad.fails:any "
                                  "bad:bad.crashes:any ");
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_int_equal(plugins_load(b.plugins, rows[i].file, type_added, &b, &e), ERR_INVALID);
        if (!strstr(e.text, rows[i].why))
            fail_msg("%s", e.text);
    }
    struct job j = {0};
    assert_int_equal(job_begin(&b, &j, "acme.none", "{}", &e), ERR_NOT_FOUND);
    job_end(&j);
    bench_close(&b);
}

static void test_types(void **state)
{
    (void)state;
    struct bench b;
    struct job j = {0};
    bench_open(&b);
    job_start(&b, &j, "acme.typewriter",
              "{\"text\":\"d\xc3\xa9j\xc3\xa0 vu\",\"per_second\":1000}");
    job_wait(&j);
    assert_int_equal(j.plugin.job.status, 0);
    assert_str(buf_str(&j.text), "d\xc3\xa9j\xc3\xa0 vu");
    assert_str(buf_str(&j.plugin.job.output), "{\"typed\":9,\"text\":\"d\xc3\xa9j\xc3\xa0 vu\"}");
    assert_str(buf_str(&j.log), "info: typed to the end\n");
    assert_str(buf_str(&j.saved), "9");
    job_end(&j);
    j = (struct job){.plugin.saved = STR("5")};
    job_start(&b, &j, "acme.typewriter",
              "{\"text\":\"again\xe2\x9c\x93 here\",\"per_second\":1000}");
    job_wait(&j);
    assert_int_equal(j.plugin.job.status, 0);
    assert_str(buf_str(&j.text), "again\xe2\x9c\x93 here");
    assert_str(buf_str(&j.saved), "13");
    job_end(&j);
    bench_close(&b);
}

static void job_wait_text(struct job *j, size_t bytes)
{
    while (j->text.len < bytes && !j->done)
        uv_run(&j->b->loop, UV_RUN_ONCE);
    assert_false(j->done);
}

/* In the middle of a text; and cancelled while it stands there. */
static void test_pause_and_cancel(void **state)
{
    (void)state;
    struct bench b;
    struct job j = {0};
    bench_open(&b);
    job_start(&b, &j, "acme.typewriter", "{\"text\":\"abcdefghijklmnopqrst\",\"per_second\":200}");
    job_wait_text(&j, 3);
    gate_close(j.gate);
    while (gate_waiters(j.gate) < 1) {
        uv_run(&b.loop, UV_RUN_NOWAIT);
        sched_yield();
    }
    for (int i = 0; i < 10; i++)
        uv_run(&b.loop, UV_RUN_NOWAIT);
    size_t shown = j.text.len;
    struct job other = {0}; /* the one thread's place is free meanwhile */
    job_start(&b, &other, "acme.typewriter", "{\"text\":\"xy\",\"per_second\":1000}");
    job_wait(&other);
    assert_int_equal(other.plugin.job.status, 0);
    assert_int_equal(j.text.len, shown);
    gate_open(j.gate);
    job_wait(&j);
    assert_int_equal(j.plugin.job.status, 0);
    assert_str(buf_str(&j.text), "abcdefghijklmnopqrst");
    job_end(&j);
    job_end(&other);
    j = (struct job){0};
    job_start(&b, &j, "acme.typewriter", "{\"text\":\"abcdefghijklmnopqrst\",\"per_second\":1}");
    job_wait_text(&j, 1);
    gate_break(j.gate);
    job_wait(&j);
    assert_int_equal(j.plugin.job.status, ERR_CANCELLED);
    job_end(&j);
    bench_close(&b);
}

static void test_broken_promises(void **state)
{
    (void)state;
    static const struct {
        const char *type, *properties;
        int status;
        const char *code, *error, *log;
    } rows[] = {
        {"bad.leaks", "{}", 0, "", "",
         "warn: plugin \"bad\" (bad.leaks): it left 1000 bytes in 1 blocks behind\n"},
        {"bad.rubbish", "{}", ERR_UPSTREAM, "plugin_error",
         "Plugin \"bad\" broke its promise: its output is not JSON.",
         "warn: plugin \"bad\" (bad.rubbish): its output is not JSON\n"},
        {"bad.rubbish", "{\"emit\":1}", ERR_UPSTREAM, "plugin_error",
         "Plugin \"bad\" broke its promise: what it emitted is not UTF-8.",
         "warn: plugin \"bad\" (bad.rubbish): what it emitted is not UTF-8\n"},
        {"bad.fails", "{}", ERR_UPSTREAM, "no_luck", "It was not to be.", ""},
        {"bad.fails", "{\"silent\":1}", ERR_UPSTREAM, "plugin_error",
         "Plugin \"bad\" failed with 7 and did not say why.", ""},
        {"bad.fails", "{\"odd\":1}", ERR_UPSTREAM, "plugin_error",
         "Plugin \"bad\" broke its promise: it failed with something that is not a code.",
         "warn: plugin \"bad\" (bad.fails): it failed with something that is not a code\n"},
    };
    struct bench b;
    bench_open(&b);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct job j = {0};
        job_start(&b, &j, rows[i].type, rows[i].properties);
        job_wait(&j);
        assert_int_equal(j.plugin.job.status, rows[i].status);
        assert_string_equal(j.code, rows[i].code);
        if (rows[i].status)
            assert_string_equal(j.plugin.job.error.text, rows[i].error);
        else
            assert_str(buf_str(&j.plugin.job.output), "null");
        assert_str(j.log.len ? buf_str(&j.log) : STR(""), rows[i].log);
        job_end(&j);
    }
    bench_close(&b);
}

/* Its time is over: the job ends without it, and the place of its thread is free. It comes back
 * later, and nobody minds. */
static void test_blocks(void **state)
{
    (void)state;
    struct bench b;
    struct job j = {.plugin.job.timeout_ms = 200}, other = {0};
    bench_open(&b);
    job_start(&b, &j, "bad.blocks", "{}");
    job_wait(&j);
    assert_int_equal(j.plugin.job.status, ERR_TIMEOUT);
    assert_string_equal(j.code, "timeout");
    assert_string_equal(j.plugin.job.error.text,
                        "plugin \"bad\" (bad.blocks) ran longer than 200 ms and does not look at "
                        "its gate: its thread is written off");
    job_start(&b, &other, "acme.typewriter", "{\"text\":\"xy\",\"per_second\":1000}");
    job_wait(&other);
    assert_int_equal(other.plugin.job.status, 0);
    job_end(&j);
    job_end(&other);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_pause_and_cancel),
        cmocka_unit_test(test_broken_promises),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
