#include "base/id.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

#define ID_COUNTER_MAX  0xfff
#define ID_COUNTER_SEED 0x7ff /* a new millisecond begins in the lower half: room to count up */

/* Spreads a seed over the state (splitmix64, as xoroshiro's authors advise). */
static uint64_t id_spread(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void id_source_init_seed(struct id_source *s, uint64_t seed)
{
    *s = (struct id_source){0};
    s->state[0] = id_spread(&seed);
    s->state[1] = id_spread(&seed) | 1; /* all zero would stay zero */
}

void id_source_init_random(struct id_source *s)
{
    *s = (struct id_source){0};
    if (getrandom(s->state, sizeof(s->state), 0) != (ssize_t)sizeof(s->state)) {
        log_error("id", "the system gives no random bytes");
        abort();
    }
    s->state[1] |= 1;
}

static uint64_t id_rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t id_source_random(struct id_source *s)
{
    uint64_t s0 = s->state[0], s1 = s->state[1], result = s0 + s1;

    s1 ^= s0;
    s->state[0] = id_rotl(s0, 24) ^ s1 ^ (s1 << 16);
    s->state[1] = id_rotl(s1, 37);
    return result;
}

struct id id_new(struct id_source *s, uint64_t now_ms)
{
    uint64_t random = id_source_random(s);
    struct id id;

    /* A clock that stands or steps back must not break the order: then the counter goes on, and
     * when it is used up, the time is borrowed from the future (RFC 9562, 6.2). */
    if (now_ms > s->last_ms) {
        s->last_ms = now_ms;
        s->counter = (uint16_t)(id_source_random(s) >> 32 & ID_COUNTER_SEED);
    } else if (s->counter == ID_COUNTER_MAX) {
        s->last_ms++;
        s->counter = (uint16_t)(id_source_random(s) >> 32 & ID_COUNTER_SEED);
    } else {
        s->counter++;
    }
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(s->last_ms >> (40 - 8 * i));
    id.b[6] = (uint8_t)(0x70 | s->counter >> 8);
    id.b[7] = (uint8_t)s->counter;
    for (int i = 0; i < 8; i++)
        id.b[8 + i] = (uint8_t)(random >> (56 - 8 * i));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

/* Where the 16 bytes stand in the text form. */
static const uint8_t id_at[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};

#define ID_EACH UINT64_C(0x0101010101010101)

/* Four bytes as eight digits, all at once. */
static uint64_t id_hex(const uint8_t *p)
{
    uint32_t bytes;

    memcpy(&bytes, p, 4);
    uint64_t v = le32toh(bytes);
    v = (v | v << 16) & UINT64_C(0x0000ffff0000ffff);
    v = (v | v << 8) & UINT64_C(0x00ff00ff00ff00ff);
    v = (v >> 4 | v << 8) & ID_EACH * 15;
    uint64_t letters = (v + ID_EACH * 6) >> 4 & ID_EACH;
    return htole64(v + ID_EACH * '0' + letters * ('a' - '9' - 1));
}

void id_format(struct id id, char out[ID_TEXT_BYTES + 1])
{
    uint64_t parts[4];

    for (int i = 0; i < 4; i++)
        parts[i] = id_hex(id.b + (ptrdiff_t)4 * i);
    const char *digits = (const char *)parts;
    memcpy(out, digits, 8);
    memcpy(out + 9, digits + 8, 4);
    memcpy(out + 14, digits + 12, 4);
    memcpy(out + 19, digits + 16, 4);
    memcpy(out + 24, digits + 20, 12);
    out[8] = out[13] = out[18] = out[23] = '-';
    out[ID_TEXT_BYTES] = '\0';
}

static int id_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool id_parse(struct str text, struct id *out)
{
    struct id id;

    if (text.n != ID_TEXT_BYTES)
        return false;
    if (text.p[8] != '-' || text.p[13] != '-' || text.p[18] != '-' || text.p[23] != '-')
        return false;
    for (int i = 0; i < 16; i++) {
        int high = id_hex_value(text.p[id_at[i]]), low = id_hex_value(text.p[id_at[i] + 1]);
        if (high < 0 || low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return true;
}

bool id_eq(struct id a, struct id b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

bool id_is_zero(struct id id)
{
    return id_eq(id, (struct id){{0}});
}

uint64_t id_hash(struct id id)
{
    uint64_t high, low;

    memcpy(&high, id.b, 8);
    memcpy(&low, id.b + 8, 8);
    uint64_t seed = low ^ id_rotl(high, 32);
    return id_spread(&seed);
}

bool name_is_valid(struct str s)
{
    if (s.n == 0 || s.n > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && c != '_' && c != '.' && c != '-')
            return false;
    }
    return true;
}
