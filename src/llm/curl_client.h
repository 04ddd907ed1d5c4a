/* The backend of the dialects over HTTP (dialect.h): streamed answers, by libcurl on the loop.
 *
 *     begin ─> request ─> reading ──[DONE], finish_reason, end of stream──> finished
 *                            │ ^
 *                            v │ hold: the write callback answers "pause", so the socket is not
 * read held
 *
 * Always HTTP/1.1, one socket per call: then a hold is TCP's own flow control with at most one
 * receive buffer (16 kB) kept here, and a cancel closes a socket of its own. On HTTP/2 libcurl
 * keeps megabytes for a paused stream, and a cancelled one leaves the connection open.
 */
#ifndef SLUICE_LLM_CURL_CLIENT_H
#define SLUICE_LLM_CURL_CLIENT_H

#include <stddef.h>

#include "base/err.h"
#include "llm/backend.h"

struct uv_loop_s;
struct curl_client;
extern const struct llm_backend curl_client_backend;

/* Prepares all providers over HTTP. ERR_INVALID: a base URL or key that cannot be used. */
int curl_client_open(struct curl_client **out, struct uv_loop_s *loop, const struct llm *llm,
                     size_t provider_count, struct errbuf *e);

#endif
