/* Any fields, in a zone whose clocks change as the first bytes say: times ascend and hold to the
 * fields, and the search ends. */
#include "fuzz.h"

#include "base/cron.h"
#include "base/zone.h"

/* Changes every `days` days by an hour, or by half of one. */
struct changing {
    int64_t days, shift;
};

static void changing_at(void *zone, int64_t at, struct cron_span *out)
{
    const struct changing *c = zone;
    int64_t length = c->days * 86400;
    int64_t n = at / length - (at % length < 0);

    out->from = n * length;
    out->until = out->from + length;
    out->offset = n % 2 ? c->shift : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct changing zone = {size > 0 ? 20 + data[0] % 200 : 30,
                            size > 1 && data[1] % 2 ? 1800 : 3600};
    struct errbuf e = {""};
    struct cron c;
    struct zone *real = NULL;
    int64_t at = INT64_C(1767225600000);

    if (size < 2)
        return 0;
    struct str text = {(const char *)data + 2, size - 2};
    if (cron_parse(text, &c, &e) == 0) {
        FUZZ_CHECK(c.minutes && c.hours && c.days && c.months && c.weekdays);
        FUZZ_CHECK(!(c.minutes >> 60) && !(c.hours >> 24) && !(c.days & 1) && !(c.months & 1));
        for (int i = 0; i < 20; i++) {
            int64_t next = cron_next(&c, changing_at, &zone, at);
            FUZZ_CHECK(next == 0 || (next > at && next % 1000 == 0));
            if (next == 0)
                break;
            at = next;
        }
    } else {
        FUZZ_CHECK(e.text[0]);
    }
    if (zone_open(&real, text, &e) == 0)
        zone_close(real);
    return 0;
}
