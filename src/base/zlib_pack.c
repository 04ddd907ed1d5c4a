#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/err.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/pack.h"

#define SIGN        1
#define ID_SIGN     1 /* before the bytes of a UUID */
#define WINDOW_BITS 13
#define MEMORY      5 /* zlib's memLevel: 48 kB with this window */
#define LEVEL       9
#define HEAD_MAX    4
/* Deflate makes at most so many bytes of one. */
#define EXPANDS_MAX 1100
#define TEXT_FIRST  2 /* no byte of a text is below */
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
#define DICTIONARY_BYTES (sizeof(dictionary) - 1)
_Static_assert(DICTIONARY_BYTES < (1u << WINDOW_BITS), "all of it is within reach");

struct packer {
    z_stream deflate;
    struct buf plain, packed;
};

static void *zlib_alloc(void *unused, uInt count, uInt size)
{
    (void)unused;
    return mem_calloc(count, size);
}

static void zlib_free(void *unused, void *p)
{
    (void)unused;
    free(p);
}

struct packer *packer_create(void)
{
    struct packer *p = mem_zalloc(sizeof(*p));

    buf_init(&p->plain, PLAIN_MAX);
    buf_init(&p->packed, PLAIN_MAX);
    p->deflate.zalloc = zlib_alloc;
    p->deflate.zfree = zlib_free;
    int code =
        deflateInit2(&p->deflate, LEVEL, Z_DEFLATED, -WINDOW_BITS, MEMORY, Z_DEFAULT_STRATEGY);
    assert(code == Z_OK);
    (void)code;
    return p;
}

void packer_destroy(struct packer *p)
{
    if (!p)
        return;
    deflateEnd(&p->deflate);
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

static void head_write(struct buf *out, size_t n)
{
    buf_append_char(out, SIGN);
    for (; n >= 0x80; n >>= 7)
        buf_append_char(out, (char)((n & 0x7f) | 0x80));
    buf_append_char(out, (char)n);
}

struct str pack(struct packer *p, struct str text, struct arena *a)
{
    z_stream *z = &p->deflate;

    if (!text.p || text.n < PACK_TEXT_MIN || text.n > PACK_TEXT_MAX ||
        !plain_write(&p->plain, text))
        return STR_NULL;
    buf_clear(&p->packed);
    head_write(&p->packed, p->plain.len);
    size_t room = text.n - p->packed.len - 1; /* or it is no shorter */
    if (buf_reserve(&p->packed, room) < 0 || deflateReset(z) != Z_OK ||
        deflateSetDictionary(z, (const Bytef *)dictionary, DICTIONARY_BYTES) != Z_OK)
        return STR_NULL;
    z->next_in = (Bytef *)p->plain.data;
    z->avail_in = (uInt)p->plain.len;
    z->next_out = (Bytef *)p->packed.data + p->packed.len;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return STR_NULL;
    p->packed.len += room - z->avail_out;
    return (struct str){arena_strdup(a, buf_str(&p->packed)), p->packed.len};
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

static bool inflate_whole(struct str packed, char *plain, size_t n)
{
    z_stream z = {.next_in = (Bytef *)packed.p,
                  .avail_in = (uInt)packed.n,
                  .next_out = (Bytef *)plain,
                  .avail_out = (uInt)n,
                  .zalloc = zlib_alloc,
                  .zfree = zlib_free};

    int code = inflateInit2(&z, -WINDOW_BITS);
    assert(code == Z_OK);
    (void)code;
    bool whole = inflateSetDictionary(&z, (const Bytef *)dictionary, DICTIONARY_BYTES) == Z_OK &&
                 inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0 && z.avail_in == 0;
    inflateEnd(&z);
    return whole;
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

int unpack(struct str packed, struct arena *a, struct str *text)
{
    char plain[4096];
    int status = ERR_CORRUPT;

    if (!pack_is_packed(packed) || packed.n > PACK_TEXT_MAX)
        return ERR_CORRUPT;
    size_t n = head_read(&packed);
    if (n == 0 || n > PLAIN_MAX || n > packed.n * EXPANDS_MAX)
        return ERR_CORRUPT;
    char *room = n <= sizeof(plain) ? plain : mem_alloc(n);
    if (inflate_whole(packed, room, n)) {
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
