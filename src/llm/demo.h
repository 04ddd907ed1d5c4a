/* The backend of dialect `demo`: canned text at a human pace, without any network, so that
 * everything can be tried without a key. Every answer says that it is canned.
 *
 * The text depends on the request and the idempotency key alone, so a repeated call says the same.
 * It takes up the topic of the last user message and the side that the system message gives (for,
 * against, judge), and obeys a response_schema of the plain kinds.
 */
#ifndef SLUICE_LLM_DEMO_H
#define SLUICE_LLM_DEMO_H

#include "llm/backend.h"

struct uv_loop_s;
struct demo;
extern const struct llm_backend demo_backend;

struct demo *demo_open(struct uv_loop_s *loop, const struct llm *llm);

#endif
