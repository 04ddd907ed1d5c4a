#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tools/address.h"

union any {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union any address(const char *text)
{
    union any a;
    memset(&a, 0, sizeof(a));
    if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET;
    } else {
        a.v6.sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &a.v6.sin6_addr), 1);
    }
    return a;
}

static void test_public(void **state)
{
    static const char *const open[] = {"1.1.1.1",         "8.8.8.8",         "172.15.255.255",
                                       "172.32.0.1",      "100.63.255.255",  "100.128.0.1",
                                       "192.0.3.1",       "223.255.255.255", "2606:4700::1111",
                                       "2001:4860::8888", "::ffff:8.8.8.8"};
    (void)state;
    for (size_t i = 0; i < ROWS(open); i++) {
        union any a = address(open[i]);
        if (!address_is_public(&a.any))
            fail_msg("%s is public", open[i]);
    }
}

static void test_not_public(void **state)
{
    static const char *const closed[] = {"0.0.0.0",
                                         "0.1.2.3",
                                         "10.0.0.1",
                                         "100.64.0.1",
                                         "127.0.0.1",
                                         "127.255.0.1",
                                         "169.254.169.254",
                                         "172.16.0.1",
                                         "172.31.255.255",
                                         "192.168.1.1",
                                         "198.18.0.1",
                                         "192.0.2.1",
                                         "203.0.113.9",
                                         "224.0.0.1",
                                         "255.255.255.255",
                                         "240.0.0.1",
                                         "::",
                                         "::1",
                                         "::ffff:127.0.0.1",
                                         "::ffff:10.0.0.1",
                                         "::127.0.0.1",
                                         "64:ff9b::7f00:1",
                                         "64:ff9b::808:808",
                                         "64:ff9b:1::1",
                                         "fe80::1",
                                         "fec0::1",
                                         "fc00::1",
                                         "fd12::1",
                                         "ff02::1",
                                         "2002:7f00:1::1",
                                         "2001::1",
                                         "2001:db8::1",
                                         "100::1",
                                         "3fff::1",
                                         "5f00::1"};
    (void)state;
    for (size_t i = 0; i < ROWS(closed); i++) {
        union any a = address(closed[i]);
        if (address_is_public(&a.any))
            fail_msg("%s is not public", closed[i]);
        assert_false(address_is_allowed(&a.any, "host", 80, NULL, 0));
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    assert_false(address_is_public(&other));
}

static void test_rules(void **state)
{
    static const struct {
        const char *rule, *to, *host;
        int port;
        bool is_allowed;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1", "x", 80, true},
        {"127.0.0.1", "127.0.0.2", "x", 80, false},
        {"127.0.0.1", "::ffff:127.0.0.1", "x", 80, true},
        {"127.0.0.1:8080", "127.0.0.1", "x", 8080, true},
        {"127.0.0.1:8080", "127.0.0.1", "x", 80, false},
        {"10.0.0.0/8", "10.200.3.4", "x", 80, true},
        {"10.0.0.0/8", "11.0.0.1", "x", 80, true}, /* public anyway */
        {"10.0.0.0/9", "10.200.3.4", "x", 80, false},
        {"10.0.0.0/8:443", "10.1.1.1", "x", 443, true},
        {"[::1]:9", "::1", "x", 9, true},
        {"[::1]:9", "::1", "x", 8, false},
        {"::1", "::1", "x", 8, true},
        {"fd00::/8", "fd12::1", "x", 8, true},
        {"fd00::/8", "fc12::1", "x", 8, false},
        {"internal.example", "192.168.0.9", "Internal.Example", 80, true},
        {"internal.example", "192.168.0.9", "evil.example", 80, false},
        {"internal.example:81", "192.168.0.9", "internal.example", 80, false},
        {"0.0.0.0/0", "127.0.0.1", "x", 80, true},
        {"0.0.0.0/0", "::1", "x", 80, false},
    };
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct address_rule r;
        struct errbuf e = {""};
        assert_int_equal(address_rule_parse(&r, rows[i].rule, &e), 0);
        union any a = address(rows[i].to);
        if (address_is_allowed(&a.any, rows[i].host, rows[i].port, &r, 1) != rows[i].is_allowed)
            fail_msg("row %zu: %s, %s", i, rows[i].rule, rows[i].to);
    }
}

static void test_bad_rules(void **state)
{
    static const char *const rows[] = {"",       ":80",    "10.0.0.0/33", "10.0.0.0/x",
                                       "::/129", "host:0", "host:x",      "[::1",
                                       "[::1]x", "a b",    "host/8",      "host:70000"};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct address_rule r;
        struct errbuf e = {""};
        assert_int_equal(address_rule_parse(&r, rows[i], &e), ERR_INVALID);
        assert_true(e.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_not_public),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_bad_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
