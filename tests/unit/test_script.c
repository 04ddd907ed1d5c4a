#include "unit.h"

#include "tools/script.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* A loop, a pool, and jobs that count what they were told. */
struct bench {
    uv_loop_t loop;
    struct worker_pool *pool;
    bool closed;
    unsigned done;
};

struct job {
    struct script_job script;
    struct bench *b;
    struct gate *gate;
    unsigned logs, done;
    struct buf log; /* the last few lines */
    bool in_order;
};

static const char endless[] =
    "local i = 0 while true do i = i + 1 if i % 20000 == 0 then log(i) end end";

static void bench_open(struct bench *b, unsigned threads, unsigned cap)
{
    *b = (struct bench){0};
    assert_int_equal(uv_loop_init(&b->loop), 0);
    assert_int_equal(worker_pool_create(&b->pool, &b->loop, threads, cap), 0);
}

static void bench_closed(void *data)
{
    struct bench *b = data;
    assert_false(b->closed);
    b->closed = true;
}

static void bench_close(struct bench *b)
{
    worker_pool_close(b->pool, bench_closed, b);
    assert_false(b->closed);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_true(b->closed);
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

static void job_logged(struct worker_job *sj, const char *level, struct str text)
{
    struct job *j = sj->data;
    assert_int_equal(j->done, 0);
    j->logs++;
    if (j->log.len < 1000)
        buf_printf(&j->log, "%s:%.*s;", level, STR_FMT(text));
    if ((unsigned)atoi(text.p) != j->logs)
        j->in_order = false;
}

static void job_done(struct worker_job *sj)
{
    struct job *j = sj->data;
    j->done++;
    j->b->done++;
}

static void job_said(struct worker_job *sj, struct str utf8, bool is_thinking)
{
    struct job *j = sj->data;
    assert_false(is_thinking);
    buf_printf(&j->log, "<%.*s>", STR_FMT(utf8));
}

static void job_saved(struct worker_job *sj, struct str json)
{
    struct job *j = sj->data;
    buf_printf(&j->log, "saved %.*s;", STR_FMT(json));
}

static int job_start(struct bench *b, struct job *j, const char *code)
{
    int64_t timeout_ms = j->script.job.timeout_ms;
    uint64_t memory = j->script.memory_bytes_max;
    struct str saved = j->script.saved;
    *j = (struct job){.b = b, .gate = j->gate ? j->gate : gate_create(), .in_order = true};
    buf_init(&j->log, 2000);
    buf_append_z(&j->log, "");
    j->script = (struct script_job){
        .code = str_of(code),
        .env = STR("{\"input\":{\"n\":3}}"),
        .saved = saved,
        .memory_bytes_max = memory,
        .job = {.timeout_ms = timeout_ms,
                .gate = j->gate,
                .on_text = job_said,
                .on_log = job_logged,
                .on_save = job_saved,
                .on_done = job_done,
                .data = j},
    };
    return script_job_start(b->pool, &j->script);
}

static void job_wait(struct job *j)
{
    while (!j->done)
        uv_run(&j->b->loop, UV_RUN_ONCE);
}

static void job_end(struct job *j)
{
    assert_int_equal(j->done, 1);
    buf_deinit(&j->script.job.output);
    buf_deinit(&j->log);
    gate_unref(j->gate);
}

static void job_wait_logs(struct job *j, unsigned n)
{
    while (j->logs < n && !j->done)
        uv_run(&j->b->loop, UV_RUN_ONCE);
    assert_int_equal(j->done, 0);
}

/* All that the workers had told before they blocked. */
static void bench_drain(struct bench *b)
{
    for (int i = 0; i < 10; i++)
        uv_run(&b->loop, UV_RUN_NOWAIT);
}

static void job_wait_blocked(struct job *j)
{
    while (gate_waiters(j->gate) < 1) {
        uv_run(&j->b->loop, UV_RUN_NOWAIT);
        sched_yield();
    }
    bench_drain(j->b);
}

static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *code, *output, *log;
        int status;
    } rows[] = {
        {"return {n = input.n + 1}", "{\"n\":4}", "", 0},
        {"log(\"a\") log(\"warn\", 2) return 1", "1", "info:a;warn:2;", 0},
        {"emit(\"a\") emit(1) emit({x = 2}) return null", "null", "<a><1><{\"x\":2}>", 0},
        {"checkpoint({at = 3}) checkpoint() return saved()", "null", "saved {\"at\":3};", 0},
        {"emit(string.rep(\"x\", 70000))", "line 1: emit: more than 65536 bytes at once", "",
         ERR_INVALID},
        {"log(1) error(\"no\")", "line 1: no", "info:1;", ERR_INVALID},
        {"return 1 +", "line 1: unexpected symbol near <eof>", "", ERR_INVALID},
        {"local t = {} while true do t[#t + 1] = {} end", "needs more than 64 MiB of memory", "",
         ERR_TOO_LARGE},
    };
    struct bench b;
    bench_open(&b, 2, 4);
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct job j = {0};
        assert_int_equal(job_start(&b, &j, rows[i].code), 0);
        assert_int_equal(j.done, 0);
        job_wait(&j);
        assert_int_equal(j.script.job.status, rows[i].status);
        if (rows[i].status)
            assert_string_equal(j.script.job.error.text, rows[i].output);
        else
            assert_str(buf_str(&j.script.job.output), rows[i].output);
        assert_string_equal(j.log.data, rows[i].log);
        job_end(&j);
    }
    struct job small = {.script.memory_bytes_max = 2 << 20};
    assert_int_equal(job_start(&b, &small, "return (\"x\"):rep(4000000)"), 0);
    job_wait(&small);
    assert_int_equal(small.script.job.status, ERR_TOO_LARGE);
    assert_string_equal(small.script.job.error.text, "needs more than 2 MiB of memory");
    job_end(&small);
    struct job again = {.script.saved = STR("{\"at\":3}")}; /* after a restart */
    assert_int_equal(job_start(&b, &again, "local s = saved() s.at = s.at + 1 return s"), 0);
    job_wait(&again);
    assert_str(buf_str(&again.script.job.output), "{\"at\":4}");
    job_end(&again);
    bench_close(&b);
}

static void test_log_flood(void **state)
{
    (void)state;
    struct bench b;
    struct job j = {0};
    bench_open(&b, 1, 1);
    assert_int_equal(job_start(&b, &j, "for i = 1, 5000 do log(i) end"), 0);
    job_wait(&j);
    assert_int_equal(j.logs, 5000);
    assert_true(j.in_order);
    assert_str(buf_str(&j.script.job.output), "null");
    job_end(&j);
    bench_close(&b);
}

static void test_pause(void **state)
{
    (void)state;
    struct bench b;
    struct job j = {0};
    bench_open(&b, 1, 1);
    assert_int_equal(job_start(&b, &j, endless), 0);
    for (int round = 0; round < 5; round++) {
        job_wait_logs(&j, j.logs + 3);
        gate_close(j.gate);
        job_wait_blocked(&j);
        unsigned logs = j.logs;
        bench_drain(&b);
        assert_int_equal(j.logs, logs);
        assert_int_equal(gate_waiters(j.gate), 1);
        gate_open(j.gate);
        job_wait_logs(&j, logs + 1);
    }
    gate_close(j.gate);
    job_wait_blocked(&j);
    gate_break(j.gate);
    job_wait(&j);
    assert_int_equal(j.script.job.status, ERR_CANCELLED);
    assert_string_equal(j.script.job.error.text, "the script was cancelled");
    job_end(&j);
    /* Cancelled while it runs, and before it starts. */
    j = (struct job){0};
    assert_int_equal(job_start(&b, &j, endless), 0);
    job_wait_logs(&j, 1);
    gate_break(j.gate);
    job_wait(&j);
    assert_int_equal(j.script.job.status, ERR_CANCELLED);
    job_end(&j);
    j = (struct job){.gate = gate_create()};
    gate_break(j.gate);
    assert_int_equal(job_start(&b, &j, "log(1) return 1"), 0);
    job_wait(&j);
    assert_int_equal(j.script.job.status, ERR_CANCELLED);
    assert_int_equal(j.logs, 0);
    job_end(&j);
    bench_close(&b);
}

static void test_many_paused(void **state)
{
    (void)state;
    struct bench b;
    struct job jobs[100], last = {0};
    bench_open(&b, 2, 101);
    for (int i = 0; i < 100; i++) {
        jobs[i] = (struct job){.gate = gate_create()};
        gate_close(jobs[i].gate);
        assert_int_equal(job_start(&b, &jobs[i], "return input.n"), 0);
    }
    for (int i = 0; i < 100; i++)
        job_wait_blocked(&jobs[i]);
    assert_int_equal(job_start(&b, &last, "return 7"), 0);
    job_wait(&last);
    assert_str(buf_str(&last.script.job.output), "7");
    job_end(&last);
    assert_int_equal(b.done, 1);
    /* All go on at once, and new jobs still find a thread when those have gone. */
    for (int i = 0; i < 100; i++)
        gate_open(jobs[i].gate);
    for (int round = 0; round < 100; round++) {
        last = (struct job){0};
        assert_int_equal(job_start(&b, &last, "return 8"), 0);
        job_wait(&last);
        assert_str(buf_str(&last.script.job.output), "8");
        job_end(&last);
    }
    for (int i = 0; i < 100; i++) {
        job_wait(&jobs[i]);
        assert_str(buf_str(&jobs[i].script.job.output), "3");
        job_end(&jobs[i]);
    }
    bench_close(&b);
}

static void timer_fired(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

static void test_timeout(void **state)
{
    (void)state;
    struct bench b;
    struct job j = {.script.job.timeout_ms = 20};
    bench_open(&b, 1, 1);
    assert_int_equal(job_start(&b, &j, "while true do end"), 0);
    job_wait(&j);
    assert_int_equal(j.script.job.status, ERR_TIMEOUT);
    assert_string_equal(j.script.job.error.text, "the script ran longer than 20 ms");
    job_end(&j);
    /* Time at the gate does not count. */
    uv_timer_t timer;
    bool fired = false;
    timer.data = &fired;
    uv_timer_init(&b.loop, &timer);
    j = (struct job){.gate = gate_create(), .script.job.timeout_ms = 250};
    gate_close(j.gate);
    assert_int_equal(job_start(&b, &j, "return 1"), 0);
    job_wait_blocked(&j);
    uv_timer_start(&timer, timer_fired, 300, 0);
    while (!fired)
        uv_run(&b.loop, UV_RUN_ONCE);
    assert_int_equal(gate_waiters(j.gate), 1);
    gate_open(j.gate);
    job_wait(&j);
    assert_int_equal(j.script.job.status, 0);
    job_end(&j);
    uv_close((uv_handle_t *)&timer, NULL);
    bench_close(&b);
}

static void test_abort(void **state)
{
    (void)state;
    struct bench b;
    struct job running = {0}, queued = {0}, paused = {0};
    bench_open(&b, 1, 2);
    assert_int_equal(job_start(&b, &running, endless), 0);
    job_wait_logs(&running, 1);
    assert_int_equal(job_start(&b, &queued, "return 1"), 0);
    worker_job_abort(b.pool, &queued.script.job);
    worker_job_abort(b.pool, &queued.script.job);
    assert_int_equal(queued.done, 0);
    job_wait(&queued);
    assert_int_equal(queued.script.job.status, ERR_CANCELLED);
    job_end(&queued);
    assert_int_equal(running.done, 0);
    worker_job_abort(b.pool, &running.script.job);
    job_wait(&running);
    assert_int_equal(running.script.job.status, ERR_CANCELLED);
    job_end(&running);
    /* At the gate, which stays closed: only this one ends. */
    struct job other = {0};
    struct gate *gate = gate_create();
    gate_close(gate);
    paused.gate = gate_ref(gate);
    other.gate = gate_ref(gate);
    assert_int_equal(job_start(&b, &paused, "return 1"), 0);
    assert_int_equal(job_start(&b, &other, "return 2"), 0);
    while (gate_waiters(gate) < 2)
        sched_yield();
    worker_job_abort(b.pool, &paused.script.job);
    job_wait(&paused);
    assert_int_equal(paused.script.job.status, ERR_CANCELLED);
    assert_int_equal(gate_waiters(gate), 1);
    gate_open(gate);
    job_wait(&other);
    assert_str(buf_str(&other.script.job.output), "2");
    job_end(&paused);
    job_end(&other);
    gate_unref(gate);
    bench_close(&b);
}

/* Closing ends what runs, what is paused and what waits; each calls back once, before `closed`. */
static void test_close(void **state)
{
    (void)state;
    struct bench b;
    struct job jobs[20];
    bench_open(&b, 2, 4);
    for (int i = 0; i < 20; i++) {
        jobs[i] = (struct job){.gate = gate_create()};
        if (i % 3 == 0)
            gate_close(jobs[i].gate);
        assert_int_equal(job_start(&b, &jobs[i], endless), 0);
    }
    job_wait_logs(&jobs[1], 1);
    bench_close(&b);
    assert_int_equal(b.done, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(jobs[i].script.job.status, ERR_CANCELLED);
        job_end(&jobs[i]);
    }
}

static void test_overload(void **state)
{
    (void)state;
    struct bench b;
    struct gate *gate = gate_create();
    struct job *jobs = calloc(10002, sizeof *jobs);
    bench_open(&b, 1, 1);
    gate_close(gate);
    jobs[0].gate = gate_ref(gate);
    assert_int_equal(job_start(&b, &jobs[0], "return 1"), 0);
    job_wait_blocked(&jobs[0]);
    for (int i = 1; i <= 10000; i++) {
        jobs[i].gate = gate_ref(gate);
        assert_int_equal(job_start(&b, &jobs[i], "return 1"), 0);
    }
    jobs[10001].gate = gate_ref(gate);
    assert_int_equal(job_start(&b, &jobs[10001], "return 1"), ERR_OVERLOAD);
    gate_break(gate);
    while (b.done < 10001)
        uv_run(&b.loop, UV_RUN_ONCE);
    bench_close(&b);
    for (int i = 0; i <= 10000; i++)
        job_end(&jobs[i]);
    buf_deinit(&jobs[10001].log);
    gate_unref(gate);
    gate_unref(gate);
    free(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results), cmocka_unit_test(test_log_flood),
        cmocka_unit_test(test_pause),   cmocka_unit_test(test_many_paused),
        cmocka_unit_test(test_timeout), cmocka_unit_test(test_abort),
        cmocka_unit_test(test_close),   cmocka_unit_test(test_overload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
