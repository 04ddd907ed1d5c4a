#include "base/cron.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define MINUTE 60
#define DAY    86400
#define YEAR   (366 * (int64_t)DAY)

/* ---- the text ---- */

struct cron_field {
    const char *name;
    unsigned min, max;
    const char *words; /* three letters each, the first is `min` of the words */
    unsigned first_word;
};
static const struct cron_field fields[] = {
    {"minute", 0, 59, NULL, 0},
    {"hour", 0, 23, NULL, 0},
    {"day of the month", 1, 31, NULL, 0},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1},
    {"day of the week", 0, 7, "sunmontuewedthufrisat", 0},
};
enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, FIELD_COUNT };

static const struct {
    const char *word, *text;
} nicknames[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int field_fail(const struct cron_field *f, struct str text, struct errbuf *e)
{
    return err_set(e, ERR_INVALID, "%s: \"%.*s\" is no such field (%u to %u)", f->name,
                   STR_FMT(text), f->min, f->max);
}

/* A number or a name at *at; false: none, or out of the field's bounds. */
static bool read_value(const struct cron_field *f, const char **at, const char *end, unsigned *out)
{
    unsigned n = 0;
    int digits = 0;

    for (; *at < end && **at >= '0' && **at <= '9' && digits < 4; (*at)++, digits++)
        n = n * 10 + (unsigned)(**at - '0');
    if (digits == 0 && f->words && end - *at >= 3) {
        for (unsigned i = 0; f->words[3 * (size_t)i]; i++) {
            if (strncasecmp(f->words + 3 * (size_t)i, *at, 3) != 0)
                continue;
            n = f->first_word + i;
            *at += 3;
            digits = 3;
            break;
        }
    }
    *out = n;
    return digits > 0 && n >= f->min && n <= f->max;
}

/* One item of a list: a set of values. */
static bool read_item(const struct cron_field *f, const char *at, const char *end, uint64_t *set)
{
    unsigned from = f->min, to = f->max, step = 1;
    bool days = f == &fields[FIELD_DAY] || f == &fields[FIELD_WEEKDAY];

    if (at < end && (*at == '*' || (days && *at == '?'))) {
        at++;
    } else if (!read_value(f, &at, end, &from)) {
        return false;
    } else if (at < end && *at == '-') {
        at++;
        if (!read_value(f, &at, end, &to) || to < from)
            return false;
    } else if (at == end) {
        to = from;
    }
    if (at < end) { /* a step; without a range it goes on to the end */
        struct cron_field steps = {"", 1, f->max > 0 ? f->max : 1, NULL, 0};
        if (*at++ != '/' || !read_value(&steps, &at, end, &step) || at != end)
            return false;
    }
    for (unsigned v = from; v <= to; v += step)
        *set |= UINT64_C(1) << v;
    return true;
}

static int read_field(const struct cron_field *f, struct str text, uint64_t *set, struct errbuf *e)
{
    const char *at = text.p, *end = text.p + text.n;

    *set = 0;
    while (at <= end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (!read_item(f, at, stop, set))
            return field_fail(f, text, e);
        at = stop + 1;
    }
    return 0;
}

/* The next word between blanks; n == 0: none. */
static struct str next_word(const char **at, const char *end)
{
    while (*at < end && is_blank(**at))
        (*at)++;
    struct str word = {*at, 0};
    while (*at < end && !is_blank(**at))
        (*at)++;
    word.n = (size_t)(*at - word.p);
    return word;
}

static int parse_nickname(struct str text, struct cron *out, struct errbuf *e)
{
    for (size_t i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++)
        if (strlen(nicknames[i].word) == text.n &&
            strncasecmp(nicknames[i].word, text.p, text.n) == 0)
            return cron_parse(str_of(nicknames[i].text), out, e);
    return err_set(e, ERR_INVALID,
                   "\"%.*s\" is none of @yearly, @monthly, @weekly, @daily and @hourly",
                   STR_FMT(text));
}

int cron_parse(struct str text, struct cron *out, struct errbuf *e)
{
    struct str words[FIELD_COUNT];
    uint64_t sets[FIELD_COUNT];

    if (text.n > CRON_BYTES_MAX)
        return err_set(e, ERR_INVALID, "longer than %d bytes", CRON_BYTES_MAX);
    const char *at = text.p, *end = text.p + text.n;
    for (int i = 0; i < FIELD_COUNT; i++) {
        words[i] = next_word(&at, end);
        if (i == 0 && words[0].n > 0 && words[0].p[0] == '@' && next_word(&at, end).n == 0)
            return parse_nickname(words[0], out, e);
        if (words[i].n == 0)
            return err_set(e, ERR_INVALID, "expected five fields, there are %d", i);
        if (read_field(&fields[i], words[i], &sets[i], e) < 0)
            return ERR_INVALID;
    }
    if (next_word(&at, end).n > 0)
        return err_set(e, ERR_INVALID, "expected five fields, there are more");
    if (sets[FIELD_WEEKDAY] & 1 << 7)
        sets[FIELD_WEEKDAY] |= 1;
    *out = (struct cron){
        .minutes = sets[FIELD_MINUTE],
        .hours = (uint32_t)sets[FIELD_HOUR],
        .days = (uint32_t)sets[FIELD_DAY],
        .months = (uint32_t)sets[FIELD_MONTH],
        .weekdays = (uint32_t)sets[FIELD_WEEKDAY] & 0x7f,
        .hours_any = words[FIELD_HOUR].p[0] == '*',
        .days_any = words[FIELD_DAY].p[0] == '*' || words[FIELD_DAY].p[0] == '?',
        .weekdays_any = words[FIELD_WEEKDAY].p[0] == '*' || words[FIELD_WEEKDAY].p[0] == '?',
    };
    return 0;
}

/* ---- the calendar: local time, as if it were UTC ---- */

static int64_t floor_to(int64_t n, int64_t unit)
{
    int64_t rest = n % unit;

    return n - (rest < 0 ? rest + unit : rest);
}

/* Days since 1970 as month and day (proleptic Gregorian; Howard Hinnant, civil_from_days). */
static void civil_of(int64_t days, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = floor_to(z, 146097) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;

    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
}

static bool day_matches(const struct cron *c, int64_t days)
{
    unsigned month, day;
    unsigned weekday = (unsigned)((days + 4) % 7 + 7) % 7; /* 1970 began on a Thursday */

    civil_of(days, &month, &day);
    if (!(c->months >> month & 1))
        return false;
    bool by_day = c->days >> day & 1, by_weekday = c->weekdays >> weekday & 1;
    if (c->days_any || c->weekdays_any)
        return by_day && by_weekday;
    return by_day || by_weekday;
}

/* The first local second >= from and < until that matches; INT64_MAX: none. */
static int64_t local_next(const struct cron *c, int64_t from, int64_t until)
{
    int64_t at = floor_to(from + MINUTE - 1, MINUTE);

    while (at < until) {
        int64_t midnight = floor_to(at, DAY);
        if (!day_matches(c, midnight / DAY)) {
            at = midnight + DAY;
            continue;
        }
        unsigned minute_of_day = (unsigned)((at - midnight) / MINUTE);
        unsigned hour = minute_of_day / 60, minute = minute_of_day % 60;
        if (!(c->hours >> hour & 1))
            at = midnight + ((int64_t)hour + 1) * 3600;
        else if (!(c->minutes >> minute & 1))
            at += MINUTE;
        else
            return at;
    }
    return INT64_MAX;
}

/* ---- in a zone ---- */

/* In the stretch `span`, at or after `from`; `before` is the offset of the stretch before it. */
static int64_t span_next(const struct cron *c, const struct cron_span *span, int64_t before,
                         int64_t from, int64_t until)
{
    int64_t local = from + span->offset;
    int64_t end = (until < span->until ? until : span->until) + span->offset;

    if (!c->hours_any && span->from != INT64_MIN && before < span->offset &&
        from == span->from && /* these local times were left out */
        local_next(c, span->from + before, span->from + span->offset) != INT64_MAX)
        return span->from;
    if (!c->hours_any && span->from != INT64_MIN && before > span->offset &&
        local < span->from + before) /* these have been before */
        local = span->from + before;
    int64_t found = local_next(c, local, end);
    return found == INT64_MAX ? INT64_MAX : found - span->offset;
}

int64_t cron_next(const struct cron *c, cron_zone zone_at, void *zone, int64_t after_ms)
{
    int64_t from = floor_to(after_ms, 1000) / 1000 + 1;
    int64_t until = from + CRON_AHEAD_YEARS * YEAR;

    while (from < until) {
        struct cron_span span, prior = {0, 0, 0};
        zone_at(zone, from, &span);
        if (span.from != INT64_MIN)
            zone_at(zone, span.from - 1, &prior);
        int64_t found = span_next(c, &span, prior.offset, from, until);
        if (found != INT64_MAX)
            return found * 1000;
        if (span.until == INT64_MAX)
            return 0;
        from = span.until;
    }
    return 0;
}
