/* Intrusive doubly linked circular list, and container_of.
 *
 * A head and an element are both a `struct list`. An element that is in no list points to itself
 * (list_init), so list_remove() may be called twice and list_is_linked() answers truly.
 */
#ifndef SLUICE_BASE_LIST_H
#define SLUICE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}
static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}
static inline bool list_is_linked(const struct list *l)
{
    return l->next != l;
}
static inline void list_append(struct list *head, struct list *l) /* as the last */
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}
static inline void list_prepend(struct list *head, struct list *l) /* as the first */
{
    l->next = head->next;
    l->prev = head;
    head->next->prev = l;
    head->next = l;
}
static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}
/* Moves all elements of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}
static inline struct list *list_pop(struct list *head) /* the first, or NULL */
{
    struct list *l = head->next;
    if (l == head)
        return NULL;
    list_remove(l);
    return l;
}

#define list_foreach(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)
/* Survives removal of the element it stands on, not of the one after it. */
#define list_foreach_safe(it, tmp, head)                                                           \
    for (struct list *it = (head)->next, *tmp = it->next; it != (head); it = tmp, tmp = it->next)

#endif
