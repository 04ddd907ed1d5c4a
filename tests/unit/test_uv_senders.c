/* Writes by several threads: each job once, each outcome its own, whoever wrote it; under the
 * thread sanitizer too. */
#include "unit.h"

#include "net/uv_senders.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS 300

/* Sockets that are written to, and what reads them. */
struct rig {
    struct senders *senders;
    int write_end[PAIRS], read_end[PAIRS];
    struct send_job jobs[PAIRS];
};

static void rig_init(struct rig *r, unsigned threads)
{
    r->senders = senders_create(threads);
    for (int i = 0; i < PAIRS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        r->write_end[i] = pair[0];
        r->read_end[i] = pair[1];
    }
}

static void rig_deinit(struct rig *r)
{
    senders_destroy(r->senders);
    for (int i = 0; i < PAIRS; i++) {
        close(r->write_end[i]);
        close(r->read_end[i]);
    }
}

static void rig_run(struct rig *r, char *text, size_t n, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        r->jobs[i] = (struct send_job){
            .bytes = (unsigned char *)text, .len = n, .fd = r->write_end[i], .sent = -2};
    senders_run(r->senders, r->jobs, count);
}

static unsigned threads_now(void)
{
    DIR *d = opendir("/proc/self/task");
    unsigned n = 0;

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static void expect_text(int fd, const char *text, size_t n)
{
    char got[64];

    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), n);
    assert_memory_equal(got, text, n);
}

/* Round after round without a pause, so that a helper may wake in a later one than it was woken
 * for; of any number of jobs. */
static void rounds(unsigned threads)
{
    static struct rig r;
    char text[32];

    rig_init(&r, threads);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned count = round % 3 ? (round * 7) % PAIRS + 1 : PAIRS;
        size_t n = (size_t)sprintf(text, "round %u", round);
        rig_run(&r, text, n, count);
        memset(text, 'x', sizeof(text)); /* nobody looks at it any more */
        n = (size_t)sprintf(text, "round %u", round);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(r.jobs[i].sent, n);
            expect_text(r.read_end[i], text, n);
        }
    }
    rig_deinit(&r);
}

static void test_rounds(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= SENDERS_MAX; threads++)
        rounds(threads);
}

/* A part of it, nothing because it is full, nothing because the other side has gone, no socket. */
static void test_outcomes(void **state)
{
    static struct rig r;
    size_t n = 4u << 20;
    char *much = calloc(1, n);
    (void)state;

    rig_init(&r, 3);
    for (int i = 0; i < PAIRS; i++) {
        if (i % 4 == 1)
            while (send_now(r.write_end[i], much, n) > 0) {}
        if (i % 4 == 2) {
            close(r.read_end[i]);
            r.read_end[i] = -1;
        }
        if (i % 4 == 3) {
            close(r.write_end[i]);
            r.write_end[i] = -1;
        }
    }
    rig_run(&r, much, n, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        ssize_t sent = r.jobs[i].sent;
        if (i % 4 == 0)
            assert_true(sent > 0 && (size_t)sent < n);
        else
            assert_int_equal(sent, i % 4 == 1 ? 0 : -1);
    }
    rig_deinit(&r);
    free(much);
}

/* Helpers are there once they are needed, not before, and end with it; none for one thread. */
static void test_helpers(void **state)
{
    static struct rig r;
    char text[] = "x";
    unsigned before;
    (void)state;

    rig_init(&r, 3);
    before = threads_now();
    assert_int_equal(senders_threads(r.senders), 3);
    rig_run(&r, text, 1, SENDERS_MIN - 1);
    rig_run(&r, text, 1, 0);
    assert_int_equal(threads_now(), before);
    rig_run(&r, text, 1, SENDERS_MIN);
    rig_run(&r, text, 1, PAIRS);
    assert_int_equal(threads_now(), before + 2);
    rig_deinit(&r);
    rig_init(&r, 1);
    before = threads_now(); /* those that have ended may go from the list a little later */
    rig_run(&r, text, 1, PAIRS);
    assert_true(threads_now() <= before);
    rig_deinit(&r);
    rig_init(&r, 100);
    assert_int_equal(senders_threads(r.senders), SENDERS_MAX);
    rig_deinit(&r);
    senders_destroy(NULL);
}

static void test_as_many_as_cores(void **state)
{
    struct senders *s = senders_create(0);
    (void)state;
    assert_in_range(senders_threads(s), 1, SENDERS_MAX);
    senders_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_helpers),
        cmocka_unit_test(test_as_many_as_cores),
    };

    setrlimit(RLIMIT_NOFILE, &(struct rlimit){4096, 4096});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
