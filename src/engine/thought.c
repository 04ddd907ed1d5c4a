#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "engine/session.h"

/* What a model thinks before it answers: shown as it comes, and kept with the message. Few models
 * tell of it, so a call that has none costs a pointer. What is beyond the limit was shown, and is
 * not kept. */

void thought_add(struct work *w, struct str text)
{
    if (!w->thought) {
        w->thought = mem_zalloc(sizeof(*w->thought));
        buf_init(w->thought, ENGINE_THOUGHT_BYTES_MAX + 1);
    }
    size_t room = ENGINE_THOUGHT_BYTES_MAX - w->thought->len;
    if (text.n > room)
        text.n = utf8_cut(text.p, room);
    buf_append_str(w->thought, text);
}

void thought_forget(struct work *w)
{
    if (w->thought)
        buf_deinit(w->thought);
    free(w->thought);
    w->thought = NULL;
}

struct str thought_text(const struct work *w)
{
    return w->thought && w->thought->len ? buf_str(w->thought) : STR_NULL;
}
