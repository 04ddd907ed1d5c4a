/* libsluice: the Sluice server from C. Flow sessions, stage instances, the session store and the
 * status system as functions; docs/CLIENT.md has a first program and the table of all calls.
 *
 *     struct sluice_client *c = sluice_client_create("http://127.0.0.1:8080", NULL);
 *     struct sluice_reply r;
 *
 *     if (sluice_send(c, sluice_session_get(id), &r) == 0)
 *         puts(sluice_reply_string(&r, "/status"));
 *     else
 *         fprintf(stderr, "%s\n", r.error);
 *     sluice_reply_free(&r);
 *     sluice_client_destroy(c);
 *
 * A function of the contract builds a request; members and parameters that it may have as well are
 * set on it; it is sent in one of two ways, which take it over:
 *
 *     sluice_session_pause(id, "lunch") ──┬─> sluice_send(client, request, &reply)    waits
 *                                         └─> sluice_start(loop, request, done, data) calls back
 *
 * Results. Whatever can fail gives 0 or one of enum sluice_result, and never changes anything on
 * the server when it says that the server refused. When no answer came (SLUICE_E_UNAVAILABLE,
 * SLUICE_E_TIMEOUT, SLUICE_E_CANCELLED), it may have been carried out: a POST with an idempotency
 * key (sluice_set_key) can be sent again safely. Nothing is sent twice by the library itself.
 *
 * Threads. A client with all that was made from it belongs to one thread at a time; two clients
 * have nothing in common. sluice_interrupt() alone may be called from any thread.
 *
 * What it does to the process: libcurl's global state is initialised by the first client
 * (curl_global_init; safe in threads from libcurl 7.84 on, else create the first client before
 * other threads). No signal is handled, nothing is printed, SIGPIPE is not raised by libcurl's
 * sockets where MSG_NOSIGNAL exists.
 *
 * Memory. Strings that are handed over are copied before a function returns. A reply's strings live
 * until sluice_reply_free(). Texts are UTF-8, JSON is NUL-terminated text.
 *
 * Versions. Members of structs are only added in place of `reserved` while the library's SOVERSION
 * stays the same.
 */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_API __attribute__((visibility("default")))

/* Most bytes of a reply's body unless sluice_client_set_reply_max() says otherwise; of a request.
 */
#define SLUICE_REPLY_BYTES_MAX   (64u << 20)
#define SLUICE_REQUEST_BYTES_MAX (64u << 20)
#define SLUICE_EVENT_BYTES_MAX   (16u << 20)

enum sluice_result {
    SLUICE_OK = 0,
    SLUICE_E_NOMEM = -1,         /* out of memory, here */
    SLUICE_E_INVALID = -2,       /* 400, 405, 411, 415: malformed; or refused here already */
    SLUICE_E_UNAUTHORIZED = -3,  /* 401: no key, or one that is not known */
    SLUICE_E_FORBIDDEN = -4,     /* 403: the key's role does not allow it */
    SLUICE_E_NOT_FOUND = -5,     /* 404 */
    SLUICE_E_CONFLICT = -6,      /* 409: the object is in a state that does not allow it */
    SLUICE_E_STALE = -7,         /* 412: somebody else was faster: read it again */
    SLUICE_E_TOO_LARGE = -8,     /* 413: over a limit of the server, or of this library */
    SLUICE_E_UNPROCESSABLE = -9, /* 422: a workflow does not validate; reply.details says where */
    SLUICE_E_OVERLOAD = -10,     /* 429: again after reply.retry_after_ms */
    SLUICE_E_SERVER = -11,       /* 500, 502: the server's own fault; its log knows more */
    SLUICE_E_UNAVAILABLE = -12,  /* 503: it has no store now; or no answer came */
    SLUICE_E_TIMEOUT = -13,      /* no whole answer in time */
    SLUICE_E_CANCELLED = -14,    /* by sluice_interrupt(), sluice_cancel() or a close */
    SLUICE_E_PROTOCOL = -15,     /* what answers is no Sluice server: not JSON, cut, malformed */
};
/* "not_found"; never NULL. */
SLUICE_API const char *sluice_result_word(int result);
SLUICE_API const char *sluice_version(void); /* of the library: "0.1.0" */

/* ---- a client ---- */

struct sluice_client;

/* url: http:// or https://, a path is kept ("https://host/sluice"); without a scheme it is http.
 * key: sent as `Authorization: Bearer`, or NULL. NULL: out of memory, or libcurl cannot start. An
 * unusable URL is told by the first request. */
SLUICE_API struct sluice_client *sluice_client_create(const char *url, const char *key);
/* NULL is fine. Its loops must have been closed (their callback was called), its streams too. */
SLUICE_API void sluice_client_destroy(struct sluice_client *c);
SLUICE_API const char *sluice_client_url(const struct sluice_client *c); /* as it is used */
/* Milliseconds; 0: no limit. Defaults: 10 s to connect, 120 s for a whole answer. For what is sent
 * from now on; sluice_set_timeout() changes the second one for one request. */
SLUICE_API void sluice_client_set_timeouts(struct sluice_client *c, long connect_ms, long reply_ms);
SLUICE_API void sluice_client_set_reply_max(struct sluice_client *c, size_t bytes);
/* How long a follower tries to come back without any answer: 120 s; 0: for ever. */
SLUICE_API void sluice_client_set_patience(struct sluice_client *c, long ms);
/* A file of certificates (PEM) that are trusted instead of the system's. 0, SLUICE_E_NOMEM. */
SLUICE_API int sluice_client_set_ca(struct sluice_client *c, const char *file);
/* From any thread, or a signal's handler: what sluice_send(), sluice_follow() or sluice_hook() of
 * this client waits for ends with SLUICE_E_CANCELLED; when none of them waits, the next one does.
 * Not for loops. */
SLUICE_API void sluice_interrupt(struct sluice_client *c);

/* ---- a reply ---- */

struct sluice_reply {
    int status;             /* of HTTP; 0: no answer came */
    const char *code;       /* "" when it went well, else the machine word: "stale_version" */
    const char *error;      /* "" when it went well, else a sentence for a person */
    const char *details;    /* the error's details as JSON text, or NULL */
    const char *json;       /* the body, NUL-terminated; "" when there is none */
    size_t json_bytes;      /* without the NUL; an export may be other text than JSON */
    const char *type;       /* media type of the body: "application/json"; "" */
    int64_t version;        /* the object's new version where the answer has one, else 0 */
    int64_t retry_after_ms; /* of 429 and 503; else 0 */
    void *memory;           /* private */
    void *reserved[4];
};
/* A reply that was filled, also by a call that failed; or zeroed. Zeroes it. */
SLUICE_API void sluice_reply_free(struct sluice_reply *r);

/* What is at a JSON Pointer (RFC 6901: "/items/0/id", "" is the whole) of the body. Of a body that
 * is no JSON there is nothing. Strings are owned by the reply. */
SLUICE_API const char *sluice_reply_string(struct sluice_reply *r,
                                           const char *pointer);                       /* or NULL */
SLUICE_API const char *sluice_reply_json(struct sluice_reply *r, const char *pointer); /* or NULL */
/* `otherwise` when there is no number (no true or false) there. */
SLUICE_API int64_t sluice_reply_int(struct sluice_reply *r, const char *pointer, int64_t otherwise);
SLUICE_API double sluice_reply_number(struct sluice_reply *r, const char *pointer,
                                      double otherwise);
SLUICE_API int sluice_reply_bool(struct sluice_reply *r, const char *pointer, int otherwise);
/* Elements of an array, members of an object; else 0. */
SLUICE_API size_t sluice_reply_count(struct sluice_reply *r, const char *pointer);

/* The same for any JSON text, say an event's. The text is checked each time. Copies are freed with
 * sluice_free(); NULL also when the text is no JSON. */
SLUICE_API char *sluice_json_string(const char *json, const char *pointer);
SLUICE_API char *sluice_json_text(const char *json, const char *pointer);
SLUICE_API int64_t sluice_json_int(const char *json, const char *pointer, int64_t otherwise);
SLUICE_API double sluice_json_number(const char *json, const char *pointer, double otherwise);
SLUICE_API int sluice_json_bool(const char *json, const char *pointer, int otherwise);
SLUICE_API size_t sluice_json_count(const char *json, const char *pointer);
SLUICE_API void sluice_free(void *memory); /* NULL is fine */

/* ---- requests in general ---- */

struct sluice_request;

/* path begins with a slash, with what is in it escaped; method is GET, POST, PUT, PATCH, DELETE or
 * HEAD. A mistake in a request (NULL for an id, JSON that is none) is remembered and told when it
 * is sent, as SLUICE_E_INVALID with a sentence. NULL: out of memory; sending NULL tells that, and
 * setting members of NULL does nothing, so nobody has to look. */
SLUICE_API struct sluice_request *sluice_request(const char *method, const char *path);
SLUICE_API void sluice_request_free(struct sluice_request *r); /* one that is not sent after all */

/* Members of the body, a JSON object. value NULL: null. */
SLUICE_API void sluice_set_string(struct sluice_request *r, const char *name, const char *value);
SLUICE_API void sluice_set_int(struct sluice_request *r, const char *name, int64_t value);
SLUICE_API void sluice_set_bool(struct sluice_request *r, const char *name, int value);
SLUICE_API void sluice_set_json(struct sluice_request *r, const char *name, const char *json);
/* The whole body in place of what was set; type: "application/json". */
SLUICE_API void sluice_set_body(struct sluice_request *r, const char *type, const void *bytes,
                                size_t count);
/* `?name=value`, escaped here. value NULL: not set, for options that may be missing. */
SLUICE_API void sluice_set_query(struct sluice_request *r, const char *name, const char *value);
SLUICE_API void sluice_set_limit(struct sluice_request *r, int limit); /* of a list: 1 to 500 */
/* If-Match: the change is made only when the object has this version; else SLUICE_E_STALE. */
SLUICE_API void sluice_set_version(struct sluice_request *r, int64_t version);
/* Idempotency-Key of a POST: the same key and body again give the first answer. */
SLUICE_API void sluice_set_key(struct sluice_request *r, const char *key);
SLUICE_API void sluice_set_header(struct sluice_request *r, const char *name, const char *value);
SLUICE_API void sluice_set_timeout(struct sluice_request *r, long ms); /* 0: no limit */

/* Sends, waits for the whole answer, frees the request. reply is filled whatever comes; free it. It
 * may be NULL when only the result counts. */
SLUICE_API int sluice_send(struct sluice_client *c, struct sluice_request *r,
                           struct sluice_reply *reply);
/* Anything that has no function of its own. json may be NULL. */
SLUICE_API int sluice_call(struct sluice_client *c, const char *method, const char *path,
                           const char *json, struct sluice_reply *reply);

/* ---- on a uv loop of the caller's ---- */

struct uv_loop_s; /* uv_loop_t */
struct sluice_loop;
struct sluice_pending;

/* Handles of the client on a loop; they keep it alive until the close only while requests or
 * followers are under way. NULL: out of memory, or libcurl cannot start. */
SLUICE_API struct sluice_loop *sluice_loop_open(struct sluice_client *c, struct uv_loop_s *loop);
/* Whatever is under way ends with SLUICE_E_CANCELLED, then closed(data) is called (it may be NULL),
 * later, never from inside; the loop has to run until then. Frees l. */
SLUICE_API void sluice_loop_close(struct sluice_loop *l, void (*closed)(void *data), void *data);

/* Sends the request and frees it. done() is called exactly once, from the loop, never from inside;
 * the reply is the callee's: sluice_reply_free() it there or later. It may start and cancel others
 * and close l. The result is good for sluice_cancel() until done() is called; NULL: out of memory,
 * and done() is not called. */
SLUICE_API struct sluice_pending *sluice_start(struct sluice_loop *l, struct sluice_request *r,
                                               void (*done)(void *data, int result,
                                                            struct sluice_reply *reply),
                                               void *data);
/* done() is called with SLUICE_E_CANCELLED, later. What was sent may be carried out all the same.
 */
SLUICE_API void sluice_cancel(struct sluice_pending *p);

/* ---- events of a session ---- */

struct sluice_event {
    int64_t seq;            /* from 1, without gaps; 0: no event of the log (see `type`) */
    const char *type;       /* "token_stream", …; "snapshot": the log no longer holds what was
                               asked for, json is {last_seq, session}, and it goes on from there */
    const char *session_id; /* UUID */
    const char *node_id;    /* or NULL */
    const char *json;       /* all of it, as in docs/api/asyncapi.yaml */
    size_t json_bytes;
    void *reserved[4];
};

/* Gives every event with seq > after to event(), in order, each once, until the session has ended
 * or event() gives non-zero. After every break it comes back and goes on behind the last event; it
 * gives up after a while without any answer (sluice_client_set_patience) and at once when the
 * answer is no (404, 401 …). why may be NULL; free it.
 *
 * 0: the session has ended, or event() wanted no more. event() may send with the client. */
SLUICE_API int sluice_follow(struct sluice_client *c, const char *session_id, int64_t after,
                             int (*event)(void *data, const struct sluice_event *e), void *data,
                             struct sluice_reply *why);

struct sluice_follower;
/* The same on a loop. done() is called exactly once: at the session's end, after event() gave
 * non-zero, after sluice_follow_stop() (SLUICE_OK, too), or with why it cannot go on; the follower
 * is gone then. NULL: out of memory, and nothing is called. */
SLUICE_API struct sluice_follower *sluice_follow_start(
    struct sluice_loop *l, const char *session_id, int64_t after,
    int (*event)(void *data, const struct sluice_event *e),
    void (*done)(void *data, int result, struct sluice_reply *why), void *data);
/* event() is not called any more. Also from inside event(). */
SLUICE_API void sluice_follow_stop(struct sluice_follower *f);

/* ---- hooks: told when a session's status changes ---- */

struct sluice_change {
    const char *session_id;
    const char *from, *to;   /* "running", "paused" … */
    const char *from_status; /* as the status system says it: "IN_PROGRESS"; or NULL */
    const char *to_status;   /* "ON_HOLD" */
    const char *reason;      /* or NULL */
    int64_t seq;             /* of the event: the cursor to go on from */
    const char *json;        /* the whole event, session_state_change */
    void *reserved[4];
};
/* As sluice_follow(), with the changes of the session's status alone. */
SLUICE_API int sluice_hook(struct sluice_client *c, const char *session_id, int64_t after,
                           int (*changed)(void *data, const struct sluice_change *ch), void *data,
                           struct sluice_reply *why);
SLUICE_API struct sluice_follower *sluice_hook_start(
    struct sluice_loop *l, const char *session_id, int64_t after,
    int (*changed)(void *data, const struct sluice_change *ch),
    void (*done)(void *data, int result, struct sluice_reply *why), void *data);

/* ---- one stream, in a poll() loop of one's own ---- */

struct sluice_stream;
/* The bytes of an answer as they come: bytes() is called within sluice_stream_turn(), for status
 * 200 only. There is no limit on its length or time, but 90 s of silence end it. Frees the request.
 * NULL: out of memory. */
SLUICE_API struct sluice_stream *sluice_stream_open(
    struct sluice_client *c, struct sluice_request *r,
    void (*bytes)(void *data, const char *bytes, size_t count), void *data);
SLUICE_API void sluice_stream_close(struct sluice_stream *s); /* NULL is fine */
/* Waits for the stream or for the fds (POLLIN alone; their revents are set; at most 8), at most
 * timeout_ms. 1 while the stream goes on, then 0. */
SLUICE_API int sluice_stream_turn(struct sluice_stream *s, struct pollfd *fds, unsigned count,
                                  int timeout_ms);
SLUICE_API int sluice_stream_status(const struct sluice_stream *s); /* 0: no answer yet */
/* Once it does not go on: how it ended (the server closed a stream: SLUICE_OK), and the answer
 * where it was not 200. reply as for sluice_send(). */
SLUICE_API int sluice_stream_end(struct sluice_stream *s, struct sluice_reply *reply);

/* ---- flow definitions (workflows) ---- */

/* text is JSON or YAML, the workflow itself or (import) a staged file. Answers: the workflow {id,
 * version, …}; lists {items, next_cursor}. */
SLUICE_API struct sluice_request *sluice_workflow_list(void);          /* ?q, type, limit, cursor */
SLUICE_API struct sluice_request *sluice_workflow_get(const char *id); /* ?version */
SLUICE_API struct sluice_request *sluice_workflow_create(const char *text);
SLUICE_API struct sluice_request *sluice_workflow_update(const char *id, const char *text);
SLUICE_API struct sluice_request *sluice_workflow_delete(const char *id);
SLUICE_API struct sluice_request *sluice_workflow_validate(const char *text); /* {valid, errors} */
/* format: "json" or "yaml". The reply's text is the file. */
SLUICE_API struct sluice_request *sluice_workflow_export(const char *id, const char *format);
/* fix: repair what can be repaired. {workflow, fixes} */
SLUICE_API struct sluice_request *sluice_workflow_import(const char *text, int fix);
SLUICE_API struct sluice_request *sluice_workflow_diagram(const char *id, const char *format);

/* ---- flow sessions ---- */

/* Starts a session of a stored workflow: {session_id, status}. May have (sluice_set_…): input
 * (JSON), name, stage, user_id, group_id, tags, metadata, budget (JSON), start_paused (bool). */
SLUICE_API struct sluice_request *sluice_session_create(const char *workflow_id);
/* The same with a graph of its own, as JSON text. */
SLUICE_API struct sluice_request *sluice_session_execute(const char *graph);
SLUICE_API struct sluice_request *sluice_session_get(const char *id);
/* ?status, workflow_id, group_id, user_id, tag, q, created_after, created_before, metadata.<key>,
 * order (asc, desc), limit, cursor */
SLUICE_API struct sluice_request *sluice_session_list(void);
SLUICE_API struct sluice_request *sluice_session_exists(const char *id); /* or SLUICE_E_NOT_FOUND */
/* Merges patch (a JSON object, or NULL and sluice_set_…) into the session, deeply; arrays replace,
 * null deletes. What runs keeps its status: that is moved by the calls below. {version, …} */
SLUICE_API struct sluice_request *sluice_session_update(const char *id, const char *patch);
/* force: cancel it first when it is live; else that is SLUICE_E_CONFLICT. */
SLUICE_API struct sluice_request *sluice_session_delete(const char *id, int force);
/* {status, seq}. reason may be NULL. */
SLUICE_API struct sluice_request *sluice_session_pause(const char *id, const char *reason);
SLUICE_API struct sluice_request *sluice_session_resume(const char *id);
/* Completes the stages that wait, when that completes the session; else SLUICE_E_CONFLICT. What
 * another program keeps here is completed by its own word: sluice_session_update(). */
SLUICE_API struct sluice_request *sluice_session_complete(const char *id);
SLUICE_API struct sluice_request *sluice_session_abort(const char *id, const char *reason);
SLUICE_API struct sluice_request *sluice_session_stop(const char *id, const char *reason);
/* after_seq > 0: the session as it was then; or 0 and node_id. A new session: {session_id} */
SLUICE_API struct sluice_request *sluice_session_fork(const char *id, int64_t after_seq,
                                                      const char *node_id);
SLUICE_API struct sluice_request *sluice_session_retry(const char *id, const char *node_id);
SLUICE_API struct sluice_request *sluice_session_input(const char *id, const char *content);
/* payload: JSON or NULL. */
SLUICE_API struct sluice_request *sluice_session_signal(const char *id, const char *name,
                                                        const char *payload);
SLUICE_API struct sluice_request *sluice_session_messages(const char *id);
SLUICE_API struct sluice_request *sluice_session_events(const char *id, int64_t after); /* ?types */
SLUICE_API struct sluice_request *sluice_session_progress(const char *id);
SLUICE_API struct sluice_request *sluice_session_next(const char *id);
/* JSON lines; what an import takes. */
SLUICE_API struct sluice_request *sluice_session_export(const char *id);
SLUICE_API struct sluice_request *sluice_session_import(const char *lines, size_t bytes);
/* The active session of the key's user, kept by the server: {session_id}. user_id: without auth,
 * whose it is, or NULL. */
SLUICE_API struct sluice_request *sluice_current_get(const char *user_id);
SLUICE_API struct sluice_request *sluice_current_set(const char *session_id, const char *user_id);
SLUICE_API struct sluice_request *sluice_current_clear(const char *user_id);

/* ---- reviews ---- */

SLUICE_API struct sluice_request *sluice_review_list(void); /* ?status, kind, session_id */
SLUICE_API struct sluice_request *sluice_review_get(const char *interrupt_id);
/* action: "approve". May have: data (JSON), reviewer, interrupt_id: the question that is meant. */
SLUICE_API struct sluice_request *sluice_review_answer(const char *session_id, const char *node_id,
                                                       const char *action);

/* ---- stage instances ---- */

/* Somebody begins with a stage: its instance {instance_id, status, items …}. SLUICE_E_CONFLICT
 * while its turn has not come: details.missing says what is before it. */
SLUICE_API struct sluice_request *sluice_stage_create(const char *session_id, const char *stage_id);
SLUICE_API struct sluice_request *sluice_stage_get(const char *instance_id);
SLUICE_API struct sluice_request *sluice_stage_list(const char *session_id);
/* change: {items:[{name, done}], deliverables:{…}, context:{…}, reviewer} or NULL. */
SLUICE_API struct sluice_request *sluice_stage_update(const char *instance_id, const char *change);
/* Ticks one item off, or on again. */
SLUICE_API struct sluice_request *sluice_stage_item(const char *instance_id, const char *item,
                                                    int done);
/* deliverables: {name: value} or NULL. SLUICE_E_CONFLICT: details.missing says what is open. */
SLUICE_API struct sluice_request *sluice_stage_complete(const char *instance_id,
                                                        const char *deliverables);
SLUICE_API struct sluice_request *sluice_stage_skip(const char *instance_id, const char *reason);

/* ---- the session store: sessions that another program keeps here ---- */

/* Creates or replaces: session is a JSON object {name, status, user_id, tags, metadata,
 * thread_configs, workflow_state, settings}, or NULL and sluice_set_…. {id, version, …} */
SLUICE_API struct sluice_request *sluice_session_save(const char *id, const char *session);
/* Atomic: all or nothing. sessions: a JSON array of objects with an id each. */
SLUICE_API struct sluice_request *sluice_session_save_batch(const char *sessions);
SLUICE_API struct sluice_request *sluice_session_delete_batch(const char *const *ids, size_t count);

/* ---- the status system ---- */

SLUICE_API struct sluice_request *sluice_status_list(void); /* entries of type FLOW */
/* The entry flow-<session id>: what the session is, as the status system says it. */
SLUICE_API struct sluice_request *sluice_status_get(const char *session_id);
/* The other way: status PENDING, IN_PROGRESS, ON_HOLD, COMPLETED, FAILED, CANCELED drives the
 * session. What is so already changes nothing. */
SLUICE_API struct sluice_request *sluice_status_set(const char *session_id, const char *status);
/* The server tells url of the events of all sessions, and remembers how far it is:
 * docs/WEBHOOKS.md. May have: events, filter (JSON), secret, enabled. {id, …} */
SLUICE_API struct sluice_request *sluice_webhook_create(const char *url);
SLUICE_API struct sluice_request *sluice_webhook_list(void);
SLUICE_API struct sluice_request *sluice_webhook_delete(const char *id);
/* "paused" -> "ON_HOLD" and back; NULL: no such word. */
SLUICE_API const char *sluice_status_of_session(const char *session_status);
SLUICE_API const char *sluice_session_of_status(const char *status);

#ifdef __cplusplus
}
#endif

#endif
