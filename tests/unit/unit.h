/* What every unit test includes: cmocka in the order it wants, and a few helpers. */
#ifndef SLUICE_TESTS_UNIT_H
#define SLUICE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

/* Compares a struct str with a literal, and shows both when they differ. */
#define assert_str(s, z)                                                                           \
    do {                                                                                           \
        struct str assert_s_ = (s);                                                                \
        char *assert_z_ = str_dup(assert_s_);                                                      \
        assert_string_equal(assert_z_, (z));                                                       \
        assert_int_equal(assert_s_.n, __builtin_strlen(z));                                        \
        free(assert_z_);                                                                           \
    } while (0)

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

#endif
