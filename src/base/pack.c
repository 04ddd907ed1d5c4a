#include "base/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/pack_form.h"

#define SIGN_DEFLATE 1
#define SIGN_LZ4     2
#define SIGN_MARKED  3
#define ID_SIGN      1 /* before the bytes of a UUID */
#define HEAD_MAX     4
/* Deflate makes at most so many bytes of one, LZ4 fewer. */
#define EXPANDS_MAX 1100
#define TEXT_FIRST  2 /* no byte of a text that has a plain form is below */
/* A UUID takes 17 bytes in place of 36. */
#define PLAIN_MAX (PACK_TEXT_MAX)

/* What texts of this server look like; what is commonest comes last. Never changed: what is stored
 * is read with it. */
static const char dictionary[] =
    "{\"message_id\":\"\",\"agent_id\":\"\",\"index\":0,\"chunk\":\" "
    "the\",\"is_thinking\":false}}\n"
    "\"type\":\"stream_reset\",\"type\":\"message\",\"role\":\"assistant\",\"content\":\"\","
    "\"token_count\":1,\"finish_reason\":\"stop\"}}\n"
    "\"type\":\"token_usage\",\"data\":{\"model\":\"\",\"provider\":\"\",\"input_tokens\":1,"
    "\"output_tokens\":1,\"cost_usd\":null,\"session\":{\"input_tokens\":0,\"output_tokens\":0,"
    "\"cost_usd\":null}\"type\":\"tool_execution\",\"data\":{\"call_id\":\"\",\"tool\":\"\","
    "\"status\":\"started\",\"input\":{\"type\":\"parallel_start\",\"branches\":[\""
    "\"type\":\"loop_round\",\"round\":1,\"max_rounds\":3,\"score\":null,\"history\":["
    "\"type\":\"vote_cast\",\"voter\":\"\",\"decision\":\"yes\",\"score\":1,\"reasoning\":\""
    "\"type\":\"signal_received\",\"name\":\"\",\"payload\":\"type\":\"user_input\",\"user_id\":\""
    "\"type\":\"error\",\"data\":{\"code\":\"\",\"error\":\"\"type\":\"log\",\"level\":\"info\","
    "\"text\":\"\"type\":\"stage_progress\",\"instance_id\":\"\",\"checklist\":[],"
    "\"deliverables\":[],\"done\":0,\"total\":1,\"form_schema\":{\"type\":\"object\","
    "\"properties\":{\"\":{\"type\":\"string\"}},\"required\":[\"draft\":\"\"user_input\","
    "\"answer\":{\"action\":\"approve\",\"data\":null,\"reviewer\":null,\"at\":"
    "\"type\":\"node_resumed\",\"from\":\"running\",\"to\":\"paused\",\"quiesced\":true,"
    "\"reason\":\"\"from\":\"paused\",\"to\":\"running\"}}\n"
    "\"from\":\"running\",\"to\":\"failed\",\"error\":{\"code\":\""
    "\"from\":\"pending\",\"to\":\"skipped\"\"branch\":\"\",\"output\":{\""
    "{\"v\":1,\"nodes\":3,\"edges\":2,\"starts\":2,\"ord\":0,\"hold\":false,\"timers_run\":false,"
    "\"runs\":{\"start\":{\"phase\":\"done\",\"iteration\":1,\"attempt\":1},\"review\":{\"phase\":"
    "\"suspended\",\"iteration\":1,\"attempt\":1,\"run\":\"\",\"key\":\"\"}},\"live\":[0],"
    "\"fresh\":[],\"ready\":[],\"queued\":[],\"loops\":{},\"frozen\":[]}"
    "\"phase\":\"running\",\"phase\":\"pending\",\"step\":{\"phase\":\"done\",\"iteration\":1,"
    "[{\"node_id\":\"review\",\"interrupt_id\":\"\",\"kind\":\"approve_reject\",\"reason\":\"\","
    "\"actions\":[\"approve\",\"reject\"],\"expires_at\":null}]"
    "{\"interrupt_id\":\"\",\"kind\":\"edit_content\",\"kind\":\"approve_reject\",\"reason\":\"\","
    "\"actions\":[\"approve\",\"reject\"],\"expires_at\":null}}\n"
    "\"type\":\"session_state_change\",\"timestamp\":\"Z\",\"data\":{\"from\":\"running\","
    "\"to\":\"completed\",\"output\":{\""
    "Z\",\"node_id\":\"end\",\"run_id\":\"\",\"data\":{\"from\":\"running\",\"to\":\"completed\","
    "\"attempt\":1,\"iteration\":1,\"output\":{\"n\":1}}}\n{\"seq\":8,\"session_id\":\"\","
    "\"type\":\"human_interaction_required\",\"timestamp\":\"Z\",\"node_id\":\"review\","
    "\"run_id\":\"\",\"data\":{\"interrupt_id\":\""
    "\"data\":{\"from\":\"running\",\"to\":\"suspended\",\"attempt\":1,\"iteration\":1,"
    "\"interrupt_id\":\"\"}}\n{\"seq\":6,\"session_id\":\""
    "\"data\":{\"from\":\"pending\",\"to\":\"running\",\"attempt\":1,\"iteration\":1}}\n{\"seq\":3,"
    "\"session_id\":\"\",\"type\":\"node_state_change\",\"timestamp\":\"Z\",\"node_id\":\"start\","
    "\"run_id\":\"\"Z\",\"data\":{\"from\":\"pending\",\"to\":\"running\"}}\n{\"seq\":2,"
    "\"session_id\":\"\",\"type\":\"session_state_change\",\"timestamp\":\"202"
    "{\"seq\":1,\"session_id\":\"";
_Static_assert(sizeof(dictionary) <= PACK_DICTIONARY_MAX, "all of it is within reach");
const struct str pack_dictionary = {dictionary, sizeof(dictionary) - 1};

struct packer {
    struct zlib_form *zlib;
    struct lz4_form *lz4;
    struct buf plain, packed;
};

struct packer *packer_create(void)
{
    struct packer *p = mem_zalloc(sizeof(*p));

    buf_init(&p->plain, PLAIN_MAX);
    buf_init(&p->packed, PLAIN_MAX);
    p->zlib = zlib_form_create();
    p->lz4 = lz4_form_create();
    return p;
}

void packer_destroy(struct packer *p)
{
    if (!p)
        return;
    zlib_form_destroy(p->zlib);
    lz4_form_destroy(p->lz4);
    buf_deinit(&p->plain);
    buf_deinit(&p->packed);
    free(p);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether these 36 characters are a UUID as id_format() writes it. */
static bool id_at(const char *s, uint8_t out[16])
{
    for (int i = 0, n = 0; i < ID_TEXT_BYTES; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s[i] != '-')
                return false;
            continue;
        }
        int high = hex_value(s[i]), low = hex_value(s[i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[n++] = (uint8_t)(high << 4 | low);
        i++;
    }
    return true;
}

/* The plain form. False: the text has none. */
static bool plain_write(struct buf *out, struct str text)
{
    const char *from = text.p, *end = text.p + text.n;
    uint8_t id[1 + 16] = {ID_SIGN};

    for (const char *p = text.p; p < end; p++)
        if ((uint8_t)*p < TEXT_FIRST)
            return false;
    buf_clear(out);
    for (const char *p = text.p + 8; (p = p < end ? memchr(p, '-', (size_t)(end - p)) : NULL);) {
        const char *s = p - 8;
        if (s < from || end - s < ID_TEXT_BYTES || !id_at(s, id + 1)) {
            p++;
            continue;
        }
        buf_append(out, from, (size_t)(s - from));
        buf_append(out, id, sizeof(id));
        from = s + ID_TEXT_BYTES;
        p = from;
    }
    buf_append(out, from, (size_t)(end - from));
    return buf_error(out) == 0;
}

/* Room for less than the text, behind the head; 0: there is none. */
static size_t head_write(struct buf *out, char sign, size_t n, size_t text)
{
    buf_clear(out);
    buf_append_char(out, sign);
    for (; n >= 0x80; n >>= 7)
        buf_append_char(out, (char)((n & 0x7f) | 0x80));
    buf_append_char(out, (char)n);
    size_t room = text - out->len - 1;
    return buf_reserve(out, room) < 0 ? 0 : room;
}

static bool pack_may(struct str text)
{
    return text.p && text.n >= PACK_TEXT_MIN && text.n <= PACK_TEXT_MAX;
}

static struct str pack_written(struct buf *out, size_t n, struct arena *a)
{
    if (n == 0)
        return STR_NULL;
    out->len += n;
    return (struct str){arena_strdup(a, buf_str(out)), out->len};
}

struct str pack(struct packer *p, struct str text, struct arena *a)
{
    struct buf *out = &p->packed;

    if (!pack_may(text) || !plain_write(&p->plain, text))
        return STR_NULL;
    size_t room = head_write(out, SIGN_DEFLATE, p->plain.len, text.n);
    return pack_written(
        out, zlib_form_write(p->zlib, buf_str(&p->plain), out->data + out->len, room), a);
}

static struct str pack_lz4(struct packer *p, char sign, struct str text, struct arena *a)
{
    struct buf *out = &p->packed;

    if (!pack_may(text))
        return STR_NULL;
    size_t room = head_write(out, sign, text.n, text.n);
    return pack_written(out, lz4_form_write(p->lz4, text, out->data + out->len, room), a);
}

struct str pack_quickly(struct packer *p, struct str text, struct arena *a)
{
    return pack_lz4(p, SIGN_LZ4, text, a);
}

struct str pack_marked(struct packer *p, struct str text, struct arena *a)
{
    return pack_lz4(p, SIGN_MARKED, text, a);
}

/* ---- unpacking ---- */

/* The bytes of the plain form; 0: the head is none. */
static size_t head_read(struct str *packed)
{
    size_t n = 0;

    for (size_t i = 1; i < packed->n && i <= HEAD_MAX; i++) {
        uint8_t c = (uint8_t)packed->p[i];
        n |= (size_t)(c & 0x7f) << (7 * (i - 1));
        if (c & 0x80)
            continue;
        packed->p += i + 1;
        packed->n -= i + 1;
        return n;
    }
    return 0;
}

/* How long the text is; 0: a UUID is cut off. */
static size_t text_bytes(struct str plain)
{
    size_t n = plain.n;
    const char *end = plain.p + plain.n;

    for (const char *p = plain.p; (p = memchr(p, ID_SIGN, (size_t)(end - p))); p += 1 + 16) {
        if (end - p < 1 + 16)
            return 0;
        n += ID_TEXT_BYTES - 1 - 16;
    }
    return n;
}

static void text_write(struct str plain, char *out)
{
    const char *from = plain.p, *end = plain.p + plain.n;
    struct id id;

    for (const char *p; (p = memchr(from, ID_SIGN, (size_t)(end - from)));) {
        memcpy(out, from, (size_t)(p - from));
        out += p - from;
        memcpy(id.b, p + 1, sizeof(id.b));
        id_format(id, out); /* and its terminator, which what follows is written over */
        out += ID_TEXT_BYTES;
        from = p + 1 + sizeof(id.b);
    }
    memcpy(out, from, (size_t)(end - from));
}

/* The text of a plain form of so many bytes. */
static int unpack_deflate(struct str packed, size_t n, struct arena *a, struct str *text)
{
    char plain[4096];
    char *room = n <= sizeof(plain) ? plain : mem_alloc(n);
    int status = ERR_CORRUPT;

    if (zlib_form_read(packed, room, n)) {
        struct str form = {room, n};
        text->n = text_bytes(form);
        if (text->n > 0 && text->n <= PACK_TEXT_MAX) {
            char *out = arena_alloc(a, text->n + 1);
            text_write(form, out);
            out[text->n] = '\0';
            text->p = out;
            status = 0;
        }
    }
    if (room != plain)
        free(room);
    return status;
}

static int unpack_lz4(struct str packed, size_t n, struct arena *a, struct str *text)
{
    char *out = arena_alloc(a, n + 1);

    if (!lz4_form_read(packed, out, n))
        return ERR_CORRUPT;
    out[n] = '\0';
    *text = (struct str){out, n};
    return 0;
}

int unpack(struct str packed, struct arena *a, struct str *text)
{
    if (!pack_is_packed(packed) || packed.n > PACK_TEXT_MAX)
        return ERR_CORRUPT;
    bool is_deflate = packed.p[0] == SIGN_DEFLATE;
    size_t n = head_read(&packed);
    if (n == 0 || n > PACK_TEXT_MAX || n > packed.n * EXPANDS_MAX)
        return ERR_CORRUPT;
    return is_deflate ? unpack_deflate(packed, n, a, text) : unpack_lz4(packed, n, a, text);
}
