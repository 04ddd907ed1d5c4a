#include "net/uv_senders.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/mem.h"

#define HELPER_STACK_BYTES (64u << 10)
#define CLAIM              4 /* jobs that one takes at a time: what the others may have to wait for */
#define SPINS              20000 /* some 10 us: the writes that are under way elsewhere */

struct helper {
    struct senders *senders;
    uv_thread_t id;
    uv_sem_t wake; /* of its own: a post that nobody took up would wake another one for nothing */
};

/* jobs is written before `open` is, and read by those only who have taken jobs from it; the caller
 * does not touch it again before all that were taken are done. So whatever a helper that wakes late
 * finds in `open` is of the call that is under way. */
struct senders {
    unsigned threads, started; /* helpers that run: started of threads - 1 */
    bool tried;                /* to start them */
    struct send_job *jobs;
    _Atomic uint64_t open; /* how many jobs there are << 32 | the next that nobody has taken */
    atomic_uint done;
    atomic_bool ending;
    uv_mutex_t mutex;
    uv_cond_t all_done;
    struct helper helpers[SENDERS_MAX - 1];
};

ssize_t send_now(int fd, const void *bytes, size_t n)
{
    ssize_t sent;

    do
        sent = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && send_is_full(errno) ? 0 : sent;
}

/* Takes the next jobs, [*at, *at + result) of *count; 0: none is left. */
static unsigned jobs_take(struct senders *s, unsigned *at, unsigned *count)
{
    uint64_t open = atomic_load_explicit(&s->open, memory_order_acquire);
    unsigned n;

    do {
        *at = (unsigned)(open & UINT32_MAX);
        *count = (unsigned)(open >> 32);
        if (*at >= *count)
            return 0;
        n = *count - *at < CLAIM ? *count - *at : CLAIM;
    } while (!atomic_compare_exchange_weak_explicit(&s->open, &open, open + n, memory_order_acq_rel,
                                                    memory_order_acquire));
    return n;
}

/* True: these were the last to be done. */
static bool jobs_send(struct senders *s)
{
    unsigned at, count, n;
    bool last = false;

    while ((n = jobs_take(s, &at, &count)) > 0) {
        for (struct send_job *j = s->jobs + at, *end = j + n; j < end; j++)
            j->sent = send_now(j->fd, j->bytes, j->len);
        last = atomic_fetch_add_explicit(&s->done, n, memory_order_acq_rel) + n == count;
    }
    return last;
}

static void helper_main(void *arg)
{
    struct helper *h = arg;
    struct senders *s = h->senders;

    for (;;) {
        uv_sem_wait(&h->wake);
        if (atomic_load(&s->ending))
            return;
        if (!jobs_send(s))
            continue;
        uv_mutex_lock(&s->mutex);
        uv_cond_signal(&s->all_done);
        uv_mutex_unlock(&s->mutex);
    }
}

struct senders *senders_create(unsigned threads)
{
    struct senders *s = mem_zalloc(sizeof(*s));

    s->threads = threads ? threads : uv_available_parallelism();
    if (s->threads > SENDERS_MAX)
        s->threads = SENDERS_MAX;
    atomic_init(&s->open, 0);
    atomic_init(&s->done, 0);
    atomic_init(&s->ending, false);
    if (uv_mutex_init(&s->mutex) != 0 || uv_cond_init(&s->all_done) != 0)
        abort();
    return s;
}

void senders_destroy(struct senders *s)
{
    if (!s)
        return;
    atomic_store(&s->ending, true);
    for (unsigned i = 0; i < s->started; i++) {
        uv_sem_post(&s->helpers[i].wake);
        uv_thread_join(&s->helpers[i].id);
        uv_sem_destroy(&s->helpers[i].wake);
    }
    uv_cond_destroy(&s->all_done);
    uv_mutex_destroy(&s->mutex);
    free(s);
}

unsigned senders_threads(const struct senders *s)
{
    return s->threads;
}

static void helpers_start(struct senders *s)
{
    uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                   .stack_size = HELPER_STACK_BYTES};

    s->tried = true;
    while (s->started + 1 < s->threads) {
        struct helper *h = &s->helpers[s->started];
        h->senders = s;
        if (uv_sem_init(&h->wake, 0) != 0)
            return;
        if (uv_thread_create_ex(&h->id, &options, helper_main, h) != 0) {
            uv_sem_destroy(&h->wake); /* a limit of threads: it goes without */
            return;
        }
        s->started++;
    }
}

static bool all_done(struct senders *s, unsigned count)
{
    return atomic_load_explicit(&s->done, memory_order_acquire) == count;
}

/* What helpers have taken is under way: it takes as long as CLAIM writes, but where the system runs
 * something else in a helper's place. */
static void jobs_await(struct senders *s, unsigned count)
{
    for (unsigned i = 0; i < SPINS; i++)
        if (all_done(s, count))
            return;
    uv_mutex_lock(&s->mutex);
    while (!all_done(s, count))
        uv_cond_wait(&s->all_done, &s->mutex);
    uv_mutex_unlock(&s->mutex);
}

void senders_run(struct senders *s, struct send_job *jobs, unsigned count)
{
    unsigned wanted = count / (SENDERS_MIN / 2); /* threads, each with enough to do */

    if (count >= SENDERS_MIN && s->threads > 1 && !s->tried)
        helpers_start(s);
    if (count < SENDERS_MIN || s->started == 0) {
        for (struct send_job *j = jobs; j < jobs + count; j++)
            j->sent = send_now(j->fd, j->bytes, j->len);
        return;
    }
    s->jobs = jobs;
    atomic_store_explicit(&s->done, 0, memory_order_relaxed);
    atomic_store_explicit(&s->open, (uint64_t)count << 32, memory_order_release);
    for (unsigned i = 0; i < s->started && i + 1 < wanted; i++)
        uv_sem_post(&s->helpers[i].wake);
    if (!jobs_send(s))
        jobs_await(s, count);
}
