/* Who watches which session: those who read its events, here and now.
 *
 * Whoever reads joins, and leaves. Those of them that ask are told how many there are and who, a
 * moment after it has changed (WATCH_TELL_MS), so that a crowd that comes costs one frame and not
 * one each. Memory only: nothing is stored or logged, and a session that nobody reads has nothing
 * here. Each instance knows its own readers. Loop thread only.
 */
#ifndef SLUICE_NET_WATCH_H
#define SLUICE_NET_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/table.h"

#define WATCH_TELL_MS   500
#define WATCH_NAMES_MAX 10 /* that are told */

struct watch_session;

struct watcher {
    /* In */
    const char *name; /* NULL: nobody was asked who they are */
    void (*tell)(struct watcher *w,
                 struct str json); /* NULL: does not ask. Must not join or leave */
    /* Private */
    struct watch_session *session; /* NULL: has not joined */
    struct list link;
    bool is_told; /* of the newest */
};

struct watch_hub {
    struct table by_session;
    struct list dirty; /* struct watch_session */
    uint64_t tell_at;  /* when dirty is not empty */
};

void watch_hub_init(struct watch_hub *h);
void watch_hub_deinit(struct watch_hub *h); /* all have left */

void watch_join(struct watch_hub *h, struct watcher *w, struct id session_id, uint64_t now);
void watch_leave(struct watch_hub *h, struct watcher *w, uint64_t now); /* or has not joined */

/* Somebody is to be told at h->tell_at. */
bool watch_has_news(const struct watch_hub *h);
/* Tells them when it is time. */
void watch_tick(struct watch_hub *h, uint64_t now);

#endif
