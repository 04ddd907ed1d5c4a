#include "engine/persona.h"

#include <string.h>

#define DAY_BYTES 10 /* of an RFC 3339 time */

/* Lines after the first are indented: what was remembered stays one entry of the list, whatever
 * headings or lists are in it. */
static void entry_write(struct buf *out, struct json memory)
{
    struct json at = json_get_set(memory, "created_at");
    struct buf text;
    buf_init(&text, memory.n + 1);
    json_string(json_get_set(memory, "content"), &text);
    buf_append_z(out, "\n- ");
    if (json_type(at) == JSON_STRING && at.n > DAY_BYTES + 2)
        buf_printf(out, "(%.*s) ", DAY_BYTES, at.p + 1);
    for (size_t i = 0; i < text.len; i++) {
        buf_append_char(out, text.data[i]);
        if (text.data[i] == '\n')
            buf_append_z(out, "  ");
    }
    buf_deinit(&text);
}

static void memories_write(struct buf *out, struct json list)
{
    struct json_iter it;
    json_iter_init(&it, list);
    while (json_iter_next(&it))
        if (json_type(json_get_set(it.value, "content")) == JSON_STRING)
            entry_write(out, it.value);
}

void persona_write(struct buf *out, const struct persona *p)
{
    static const char *const headings[] = {
        "## The group\n\n",
        "## Who you are\n\n",
        "## What the group remembers\n",
        "## What you remember\n",
    };
    struct str texts[] = {p->group, p->self};
    struct json lists[] = {p->group_memory, p->self_memory};
    unsigned parts = 0, written = 0;
    for (unsigned i = 0; i < 2; i++)
        parts += (texts[i].n > 0) + (json_length(lists[i]) > 0);
    for (unsigned i = 0; i < 4; i++) {
        if (i < 2 ? !texts[i].n : !json_length(lists[i - 2]))
            continue;
        if (written++)
            buf_append_z(out, "\n\n");
        if (parts > 1 || i >= 2)
            buf_append_z(out, headings[i]);
        if (i < 2)
            buf_append_str(out, texts[i]);
        else
            memories_write(out, lists[i - 2]);
    }
}
