/* Who watches which session. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "net/watch.h"
#include "unit.h"

static char told[16][2048];
static unsigned told_count;

static void hear(struct watcher *w, struct str json)
{
    (void)w;
    assert_true(told_count < 16 && json.n < sizeof(told[0]));
    snprintf(told[told_count++], sizeof(told[0]), "%.*s", STR_FMT(json));
}

static struct id session_of(unsigned char n)
{
    struct id id = {{0}};

    id.b[15] = n;
    return id;
}

static void ends_with(const char *text, const char *end)
{
    assert_true(strlen(text) > strlen(end));
    assert_string_equal(text + strlen(text) - strlen(end), end);
}

static int setup(void **state)
{
    (void)state;
    told_count = 0;
    return 0;
}

static void one_who_asks_is_told_once(void **state)
{
    struct watcher a = {.name = "ada", .tell = hear}, b = {.name = "boris"}, c = {.name = NULL};
    struct watch_hub h;

    (void)state;
    watch_hub_init(&h);
    watch_join(&h, &b, session_of(1), 1000);
    assert_false(watch_has_news(&h)); /* nobody asks */
    watch_join(&h, &a, session_of(1), 2000);
    watch_join(&h, &c, session_of(1), 2100);
    assert_true(watch_has_news(&h));
    assert_int_equal(h.tell_at, 2000 + WATCH_TELL_MS);
    watch_tick(&h, h.tell_at - 1);
    assert_int_equal(told_count, 0);
    watch_tick(&h, h.tell_at);
    assert_int_equal(told_count, 1);
    ends_with(told[0], "\"count\":3,\"names\":[\"boris\",\"ada\"]}");
    assert_false(watch_has_news(&h));
    watch_leave(&h, &c, 9000);
    watch_join(&h, &c, session_of(1), 9001); /* back before anybody heard of it */
    watch_tick(&h, h.tell_at);
    assert_int_equal(told_count, 1);
    watch_leave(&h, &b, 9500);
    watch_tick(&h, h.tell_at);
    ends_with(told[1], "\"count\":2,\"names\":[\"ada\"]}");
    watch_leave(&h, &a, 9600);
    watch_leave(&h, &a, 9600);
    watch_leave(&h, &c, 9600);
    watch_tick(&h, 99999);
    assert_int_equal(told_count, 2);
    watch_hub_deinit(&h);
}

static void sessions_are_told_apart(void **state)
{
    struct watcher a = {.tell = hear}, b = {.tell = hear}, late = {.tell = hear};
    struct watch_hub h;

    (void)state;
    watch_hub_init(&h);
    watch_join(&h, &a, session_of(1), 0);
    watch_join(&h, &b, session_of(2), 100);
    watch_tick(&h, WATCH_TELL_MS);
    assert_int_equal(told_count, 2);
    ends_with(told[0], "01\",\"count\":1,\"names\":[]}");
    ends_with(told[1], "02\",\"count\":1,\"names\":[]}");
    watch_join(&h, &late, session_of(2), 5000);
    watch_leave(&h, &b, 5001);
    watch_tick(&h, 6000); /* the same frame as before, but `late` has not heard it */
    assert_int_equal(told_count, 3);
    ends_with(told[2], "02\",\"count\":1,\"names\":[]}");
    watch_leave(&h, &a, 6001);
    watch_leave(&h, &late, 6002);
    watch_hub_deinit(&h);
}

static void a_crowd_is_named_in_part(void **state)
{
    struct watcher crowd[30] = {{.name = NULL}}, a = {.name = "n0", .tell = hear};
    char names[30][8];
    struct watch_hub h;

    (void)state;
    watch_hub_init(&h);
    for (int i = 0; i < 30; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i % 15); /* each has two places */
        crowd[i].name = names[i];
        watch_join(&h, &crowd[i], session_of(1), 0);
    }
    watch_join(&h, &a, session_of(1), 0);
    watch_tick(&h, WATCH_TELL_MS);
    assert_int_equal(told_count, 1);
    ends_with(told[0], "\"count\":31,\"names\":[\"n0\",\"n1\",\"n2\",\"n3\",\"n4\",\"n5\",\"n6\","
                       "\"n7\",\"n8\",\"n9\"]}");
    for (int i = 0; i < 30; i++)
        watch_leave(&h, &crowd[i], 1000);
    watch_leave(&h, &a, 1000);
    watch_hub_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_who_asks_is_told_once, setup),
        cmocka_unit_test_setup(sessions_are_told_apart, setup),
        cmocka_unit_test_setup(a_crowd_is_named_in_part, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
