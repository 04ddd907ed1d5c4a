#include "base/clock.h"

#include <time.h>

#define CLOCK_DAY_MS INT64_C(86400000)
#define CLOCK_MS_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

int64_t clock_wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

uint64_t clock_mono_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Days from 1970-01-01 to a date and back, in the proleptic Gregorian calendar, with years that
 * begin in March so that the leap day comes last (H. Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms"). Valid from 1970 on. */
static int64_t clock_days_from_date(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month <= 2 ? year - 1 : year;
    unsigned era = y / 400, year_of_era = y % 400;
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int64_t)era * 146097 + day_of_era - 719468;
}

static void clock_date_from_days(unsigned days, unsigned *year, unsigned *month, unsigned *day)
{
    days += 719468;
    unsigned era = days / 146097, doe = days % 146097;
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;

    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = yoe + era * 400 + (*month <= 2);
}

static void clock_put(char *out, unsigned v, int digits)
{
    while (digits-- > 0) {
        out[digits] = (char)('0' + v % 10);
        v /= 10;
    }
}

void clock_format_rfc3339(int64_t ms, char out[CLOCK_RFC3339_BYTES + 1])
{
    unsigned year, month, day;

    if (ms < 0)
        ms = 0;
    if (ms > CLOCK_MS_MAX)
        ms = CLOCK_MS_MAX;
    clock_date_from_days((unsigned)(ms / CLOCK_DAY_MS), &year, &month, &day);
    unsigned rest = (unsigned)(ms % CLOCK_DAY_MS);
    __builtin_memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_RFC3339_BYTES + 1);
    clock_put(out, year, 4);
    clock_put(out + 5, month, 2);
    clock_put(out + 8, day, 2);
    clock_put(out + 11, rest / 3600000, 2);
    clock_put(out + 14, rest / 60000 % 60, 2);
    clock_put(out + 17, rest / 1000 % 60, 2);
    clock_put(out + 20, rest % 1000, 3);
}

void clock_move_rfc3339(int64_t was_ms, int64_t ms, char text[CLOCK_RFC3339_BYTES + 1])
{
    int64_t second = was_ms - was_ms % 1000;

    if (was_ms < 0 || ms > CLOCK_MS_MAX || ms < second || ms - second >= 1000)
        clock_format_rfc3339(ms, text);
    else
        clock_put(text + 20, (unsigned)(ms - second), 3);
}

struct clock_reader {
    struct str rest;
    bool ok;
};

static unsigned clock_take_digits(struct clock_reader *r, size_t count)
{
    unsigned v = 0;

    if (r->rest.n < count) {
        r->ok = false;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        char c = r->rest.p[i];
        if (c < '0' || c > '9')
            r->ok = false;
        v = v * 10 + (unsigned)(c - '0');
    }
    r->rest.p += count;
    r->rest.n -= count;
    return v;
}

/* Takes one character out of `set`, and returns it, or 0. */
static char clock_take_one(struct clock_reader *r, const char *set)
{
    if (r->rest.n == 0)
        return 0;
    for (; *set; set++) {
        if (*set == r->rest.p[0]) {
            r->rest.p++;
            r->rest.n--;
            return *set;
        }
    }
    return 0;
}

static unsigned clock_take_fraction_ms(struct clock_reader *r)
{
    unsigned ms = 0, digits = 0;

    if (!clock_take_one(r, "."))
        return 0;
    while (r->rest.n > 0 && r->rest.p[0] >= '0' && r->rest.p[0] <= '9') {
        unsigned digit = clock_take_digits(r, 1);
        if (digits < 3)
            ms = ms * 10 + digit;
        digits++;
    }
    if (digits == 0 || digits > 9)
        r->ok = false;
    for (; digits < 3; digits++)
        ms *= 10;
    return ms;
}

/* Minutes east of Greenwich. */
static int clock_take_offset(struct clock_reader *r)
{
    char sign = clock_take_one(r, "Zz+-");

    if (sign == 'Z' || sign == 'z')
        return 0;
    unsigned hours = clock_take_digits(r, 2);
    r->ok &= clock_take_one(r, ":") != 0;
    unsigned minutes = clock_take_digits(r, 2);
    r->ok &= sign != 0 && hours <= 23 && minutes <= 59;
    int offset = (int)(hours * 60 + minutes);
    return sign == '-' ? -offset : offset;
}

static unsigned clock_days_of_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return month == 2 && is_leap ? 29 : days[month - 1];
}

bool clock_parse_rfc3339(struct str text, int64_t *ms)
{
    struct clock_reader r = {text, true};

    unsigned year = clock_take_digits(&r, 4);
    r.ok &= clock_take_one(&r, "-") != 0;
    unsigned month = clock_take_digits(&r, 2);
    r.ok &= clock_take_one(&r, "-") != 0;
    unsigned day = clock_take_digits(&r, 2);
    r.ok &= clock_take_one(&r, "Tt ") != 0;
    unsigned hour = clock_take_digits(&r, 2);
    r.ok &= clock_take_one(&r, ":") != 0;
    unsigned minute = clock_take_digits(&r, 2);
    r.ok &= clock_take_one(&r, ":") != 0;
    unsigned second = clock_take_digits(&r, 2);
    unsigned fraction = clock_take_fraction_ms(&r);
    int offset = clock_take_offset(&r);

    /* A leap second is taken as the second after it, as POSIX time does. */
    if (!r.ok || r.rest.n != 0 || year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > clock_days_of_month(year, month) || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t minutes = clock_days_from_date(year, month, day) * 1440 + hour * 60 + minute - offset;
    int64_t at = minutes * 60000 + second * 1000 + fraction;
    if (at < 0 || at > CLOCK_MS_MAX)
        return false;
    *ms = at;
    return true;
}
