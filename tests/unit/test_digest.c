/* Known answers of SHA-256 and HMAC (FIPS 180-4, RFC 4231), and base64url both ways. */
#include "base/digest.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static void hex_of(const uint8_t bytes[DIGEST_SHA256_BYTES], char out[65])
{
    for (int i = 0; i < DIGEST_SHA256_BYTES; i++)
        sprintf(out + (size_t)2 * (size_t)i, "%02x", bytes[i]);
}

static void test_hashes(void **state)
{
    uint8_t d[DIGEST_SHA256_BYTES];
    char hex[65];
    (void)state;

    digest_sha256(STR("abc"), d);
    hex_of(d, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256(STR(""), d);
    hex_of(d, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"), d);
    hex_of(d, hex);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_true(digest_eq("abc", "abc", 3));
    assert_false(digest_eq("abc", "abd", 3));
}

static void test_random(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};
    (void)state;

    digest_random(a, sizeof(a));
    digest_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

static void test_base64url(void **state)
{
    static const struct {
        const char *text, *code;
    } good[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},           {"foo", "Zm9v"},
                {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"\xff\xfe\xfb", "__77"}};
    static const char *const bad[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm v", "Zm9vY"};
    char out[16];
    (void)state;

    for (size_t i = 0; i < ROWS(good); i++) {
        struct buf b;
        buf_init(&b, 100);
        base64url_append(&b, good[i].text, strlen(good[i].text));
        assert_true(str_eqz(buf_str(&b), good[i].code));
        assert_int_equal(b.len, BASE64URL_BYTES(strlen(good[i].text)));
        buf_deinit(&b);
        int n = base64url_decode(str_of(good[i].code), out, sizeof(out));
        assert_int_equal(n, strlen(good[i].text));
        assert_memory_equal(out, good[i].text, (size_t)n);
    }
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_int_equal(base64url_decode(str_of(bad[i]), out, sizeof(out)), -1);
    assert_int_equal(base64url_decode(STR("Zm9vYmE"), out, 4), -1); /* longer than there is room */
    assert_int_equal(base64url_decode(STR("Zm9vYmE"), out, 5), 5);
}

static void test_base64(void **state)
{
    static const struct {
        const char *text, *code;
    } known[] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                 {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfb", "//77"}};
    (void)state;

    for (size_t i = 0; i < ROWS(known); i++) {
        struct buf b;
        buf_init(&b, 100);
        base64_append(&b, known[i].text, strlen(known[i].text));
        assert_true(str_eqz(buf_str(&b), known[i].code));
        buf_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_base64url),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
