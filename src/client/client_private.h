/* What the files of libsluice share. Nothing here aborts for want of memory: a program that links
 * us may want to live on, so mem_*(), str_dup() and the like of base are not used. */
#ifndef SLUICE_CLIENT_CLIENT_PRIVATE_H
#define SLUICE_CLIENT_CLIENT_PRIVATE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "sluice/client.h"

struct sluice_client {
    struct buf url;           /* with a scheme, without a slash at the end */
    struct buf authorization; /* the header; empty: none */
    struct buf ca;            /* empty: the system's */
    struct errbuf fault;      /* why nothing can be sent; "" when all is well */
    long connect_ms, reply_ms, patience_ms;
    size_t reply_max;
    int interrupts; /* eventfd: readable once sluice_interrupt() was called */
    void *multi;    /* CURLM of sluice_send(), with its connections */
};

/* ---- requests ---- */

struct sluice_request {
    char method[8];
    struct buf path;    /* with the query */
    struct buf headers; /* each with a NUL at its end */
    struct buf body;
    char type[64]; /* of the body */
    bool has_body, has_query;
    bool expects_json; /* an answer of another type is none of a Sluice server */
    long timeout_ms;   /* -1: the client's */
    int fault;         /* enum sluice_result; told when it is sent */
    struct errbuf fault_text;
};
/* pattern: a path with a '%' for each id that goes there, escaped. The answer is JSON. */
struct sluice_request *request_make(const char *method, const char *pattern, const char *id,
                                    const char *id2);
/* The body: a JSON object, checked; NULL: none yet. */
void request_object(struct sluice_request *r, const char *what, const char *json);
void request_fail(struct sluice_request *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The first failure so far, of memory or of a mistake. The sentence is in fault_text. */
int request_fault(struct sluice_request *r);
/* Appends text, percent-escaped for a path or a query. */
void url_escape(struct buf *out, const char *text);

/* ---- replies ---- */

/* What came, before it is a reply. */
struct answer {
    int result; /* of the transport: 0, then status and body are whole */
    int status;
    struct buf *body; /* taken over */
    const char *type;
    int64_t retry_after_ms;
    bool expects_json;
    const char *sentence; /* of the transport's failure */
};
/* Fills reply and gives the result of it all. */
int reply_fill(struct sluice_reply *reply, struct answer *a);
/* A reply without an answer. */
int reply_fail(struct sluice_reply *reply, int result, const char *sentence);
int result_of_status(int status);

/* ---- JSON ---- */

/* What is at a JSON Pointer of checked JSON; absent when there is nothing. */
struct json json_at(struct json root, const char *pointer);

#endif
