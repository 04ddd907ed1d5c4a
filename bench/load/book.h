/* The book of a soak: each session that was accepted must end exactly once. What is settled leaves
 * it, so it stays small for hours, and whatever stands in it at the end is a session that was lost,
 * or an ending that came twice or for nothing.
 */
#ifndef BENCH_BOOK_H
#define BENCH_BOOK_H

#include <stddef.h>
#include <stdint.h>

#define BOOK_ID_BYTES 36

enum book_kind { BOOK_W1, BOOK_TALK, BOOK_WAIT, BOOK_KINDS };

struct book_entry {
    char id[BOOK_ID_BYTES];
    uint8_t kind;
    uint64_t since_ns; /* execute was sent, or the answer that it waited for; 0: not accepted */
    uint64_t ended_ns; /* 0: not seen ended */
};

void book_init(void);
/* The entry of a session, made when there is none. It stands until the next call. Ends the program
 * when too many are open. */
struct book_entry *book_get(const char *id);
/* An entry that both sides have told of. */
void book_settle(struct book_entry *e);
size_t book_count(void);
/* The entries that are left, in no order: *at from 0; NULL at the end. */
const struct book_entry *book_next(size_t *at);

#endif
