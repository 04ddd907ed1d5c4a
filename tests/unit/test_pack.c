#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pack.h"

#define ID "01a20077-c52b-7064-8afd-cdb6ca35bbe5"

typedef struct str (*pack_fn)(struct packer *p, struct str text, struct arena *a);

static struct packer *packer;

/* What comes back is the text; what is stored is shorter, and always the same. 0: it has no such
 * form. */
static size_t packed_by(pack_fn form, const char *text, size_t n)
{
    struct str back, s, again;
    struct arena a;

    arena_init(&a);
    s = form(packer, (struct str){text, n}, &a);
    if (s.p) {
        assert_true(pack_is_packed(s));
        assert_true(s.n < n);
        assert_int_equal(unpack(s, &a, &back), 0);
        assert_int_equal(back.n, n);
        assert_memory_equal(back.p, text, n);
        assert_int_equal(back.p[n], '\0');
        again = form(packer, (struct str){text, n}, &a);
        assert_int_equal(again.n, s.n);
        assert_memory_equal(again.p, s.p, s.n);
    }
    arena_deinit(&a);
    return s.n;
}

/* The first form; the others, too, come back. */
static size_t packed_bytes(const char *text, size_t n)
{
    size_t quick = packed_by(pack_quickly, text, n);
    assert_int_equal(packed_by(pack_marked, text, n), quick);
    return packed_by(pack, text, n);
}

static size_t packed_z(const char *text)
{
    return packed_bytes(text, strlen(text));
}

static void test_frames_get_a_fifth(void **state)
{
    static const char frames[] =
        "{\"seq\":1,\"session_id\":\"" ID "\",\"type\":\"session_state_change\",\"timestamp\":"
        "\"2026-11-21T23:36:18.987Z\",\"data\":{\"from\":\"pending\",\"to\":\"running\"}}\n"
        "{\"seq\":2,\"session_id\":\"" ID "\",\"type\":\"node_state_change\",\"timestamp\":"
        "\"2026-11-21T23:36:18.987Z\",\"node_id\":\"start\",\"run_id\":\"01a20077-c52b-7065-acd1-"
        "5df65e0af8be\",\"data\":{\"from\":\"pending\",\"to\":\"running\",\"attempt\":1,"
        "\"iteration\":1}}";
    (void)state;
    size_t n = packed_z(frames);
    assert_true(n > 0 && n < sizeof(frames) / 5);
    n = packed_by(pack_quickly, frames, sizeof(frames) - 1);
    assert_true(n > 0 && n < sizeof(frames) / 2);
}

static void test_what_has_no_packed_form(void **state)
{
    static char big[PACK_TEXT_MAX + 1], noise[200];
    (void)state;
    assert_int_equal(packed_z("{}"), 0);
    memset(big, 'a', sizeof(big));
    assert_int_equal(packed_bytes(big, sizeof(big)), 0);
    assert_true(packed_bytes(big, PACK_TEXT_MAX) > 0);
    assert_int_equal(packed_bytes(big, PACK_TEXT_MIN - 1), 0);
    assert_true(packed_bytes(big, PACK_TEXT_MIN) > 0);
    /* The bytes that the plain form has for itself. */
    big[40] = 1;
    assert_int_equal(packed_bytes(big, 1000), 0);
    big[40] = 0;
    assert_int_equal(packed_bytes(big, 1000), 0);
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(2 + (i * i * 31 + i * 7 + i / 3) % 251);
    assert_int_equal(packed_bytes(noise, sizeof(noise)), 0);

    memset(big, 'a', sizeof(big));
    assert_int_equal(packed_by(pack_quickly, big, sizeof(big)), 0);
    assert_true(packed_by(pack_quickly, big, PACK_TEXT_MAX) > 0);
    assert_int_equal(packed_by(pack_quickly, big, PACK_TEXT_MIN - 1), 0);
    assert_true(packed_by(pack_quickly, big, PACK_TEXT_MIN) > 0);
    assert_int_equal(packed_by(pack_quickly, noise, sizeof(noise)), 0);
}

static void test_ids_of_every_kind(void **state)
{
    (void)state;
    assert_true(
        packed_z("00000000-0000-0000-0000-000000000000ffffffff-ffff-ffff-ffff-ffffffffffff"));
    assert_true(packed_z(ID ID ID "-" ID "-"));
    assert_true(packed_z("--------" ID "------------------------------------------------------"));
    /* None, though nearly: they stay text. */
    assert_true(
        packed_z("01A20077-C52B-7064-8AFD-CDB6CA35BBE5,01A20077-C52B-7064-8AFD-CDB6CA35BBE5"));
    assert_true(packed_z("\"attempt\":1,\"iteration\":1,\"kind\":\"approve_reject\",\"reason\":"
                         "\"01a20077-c52b-7064-8afd-cdb6ca35bbe"));
}

static uint32_t dice_next(uint32_t *dice)
{
    *dice = *dice * 1664525u + 1013904223u;
    return *dice >> 8;
}

static void test_any_text_comes_back(void **state)
{
    static const char *const words[] = {"\"attempt\":",
                                        "1",
                                        ",",
                                        ID,
                                        "水",
                                        "\n",
                                        "{\"from\":\"pending\"",
                                        "\"",
                                        "é",
                                        "aaaaaaaaaaaa",
                                        "-",
                                        "01a20077-c52b-70",
                                        "}}",
                                        " "};
    static char text[PACK_TEXT_MAX + 64];
    uint32_t dice = 7;
    (void)state;
    for (int round = 0; round < 500; round++) {
        size_t n = 0, want = dice_next(&dice) % (round % 10 ? 4000 : PACK_TEXT_MAX);
        while (n < want) {
            const char *w = words[dice_next(&dice) % (sizeof(words) / sizeof(words[0]))];
            memcpy(text + n, w, strlen(w));
            n += strlen(w);
        }
        packed_bytes(text, n);
    }
}

/* Damage is told, or gives another text of bounded length. */
static void damaged(pack_fn form)
{
    static const char text[] =
        "{\"seq\":1,\"session_id\":\"" ID "\",\"type\":\"session_state_change\","
        "\"data\":{\"from\":\"pending\",\"to\":\"running\"}}";
    struct arena a;
    struct str got;
    uint32_t dice = 3;

    arena_init(&a);
    struct str s = form(packer, str_of(text), &a);
    assert_true(pack_is_packed(s));
    for (size_t n = 0; n < s.n; n++)
        assert_int_equal(unpack((struct str){s.p, n}, &a, &got), ERR_CORRUPT);
    for (int i = 0; i < 20000; i++) {
        char *bad = malloc(s.n + 1); /* of exactly its size, for the sanitizer */
        memcpy(bad, s.p, s.n);
        bad[s.n] = 0;
        struct str t = {bad, s.n + (i % 100 == 0)};
        for (unsigned k = 0; k <= dice_next(&dice) % 3; k++)
            bad[dice_next(&dice) % s.n] = (char)dice_next(&dice);
        struct arena b;
        arena_init(&b);
        if (unpack(t, &b, &got) == 0)
            assert_true(got.n > 0 && got.n <= PACK_TEXT_MAX);
        arena_deinit(&b);
        free(bad);
    }
    arena_deinit(&a);
}

static void test_damage(void **state)
{
    (void)state;
    damaged(pack);
    damaged(pack_quickly);
    damaged(pack_marked);
}

/* What is stored is read for ever: these bytes were written by the first version. */
static void test_what_was_stored_is_read(void **state)
{
    static const char text[] = "{\"session_id\":\"" ID "\",\"type\":\"node_state_change\","
                               "\"data\":{\"from\":\"running\",\"to\":\"completed\"}}";
    static const uint8_t stored[] = {0x01, 0x68, 0xab, 0x46, 0xe5, 0x32, 0x32, 0x2e,
                                     0x62, 0x28, 0x3f, 0xaa, 0x5d, 0x90, 0xd2, 0xf5,
                                     0xf7, 0xec, 0xb6, 0x53, 0xa6, 0xbb, 0x9f, 0xe2,
                                     0xf7, 0x34, 0xb1, 0xc9, 0xb6, 0xb6, 0x16, 0x00};
    static const uint8_t quick[] = {
        0x02, 0x7b, 0x1a, 0x7b, 0x56, 0x00, 0xf6, 0x15, 0x30, 0x31, 0x61, 0x32, 0x30, 0x30, 0x37,
        0x37, 0x2d, 0x63, 0x35, 0x32, 0x62, 0x2d, 0x37, 0x30, 0x36, 0x34, 0x2d, 0x38, 0x61, 0x66,
        0x64, 0x2d, 0x63, 0x64, 0x62, 0x36, 0x63, 0x61, 0x33, 0x35, 0x62, 0x62, 0x65, 0x35, 0x7a,
        0x00, 0x0f, 0x08, 0x01, 0x01, 0x04, 0xc0, 0x07, 0x03, 0xd8, 0x00, 0x06, 0x99, 0x04, 0x01,
        0x3b, 0x06, 0xc0, 0x63, 0x6f, 0x6d, 0x70, 0x6c, 0x65, 0x74, 0x65, 0x64, 0x22, 0x7d, 0x7d};
    const struct str forms[] = {{(const char *)stored, sizeof(stored)},
                                {(const char *)quick, sizeof(quick)}};
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct str got = STR_NULL;
        struct arena a;

        arena_init(&a);
        assert_int_equal(unpack(forms[i], &a, &got), 0);
        assert_int_equal(got.n, sizeof(text) - 1);
        assert_memory_equal(got.p, text, got.n);
        arena_deinit(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_get_a_fifth),
        cmocka_unit_test(test_what_has_no_packed_form),
        cmocka_unit_test(test_ids_of_every_kind),
        cmocka_unit_test(test_any_text_comes_back),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_what_was_stored_is_read),
    };
    packer = packer_create();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    packer_destroy(packer);
    return failed;
}
