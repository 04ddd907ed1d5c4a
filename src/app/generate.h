/* Workflows from a sentence: the model is told the format, answers JSON, and what it gives is
 * validated as any other; what is wrong with it is told back to it, at most GENERATE_REPAIRS times.
 *
 *     stored workflows (similar ones) -> model -> valid? -- yes -> answered
 *                                          ^         |
 *                                          +- errors -+  then 502 with the errors
 *
 * Nothing is stored. A client that goes away takes its model call with it.
 */
#ifndef SLUICE_APP_GENERATE_H
#define SLUICE_APP_GENERATE_H

#include "base/list.h"

#define GENERATE_REPAIRS          2
#define GENERATE_MAX              32 /* at once; more: 429 */
#define GENERATE_SIMILAR          3  /* stored workflows that are named with the answer */
#define GENERATE_ANSWER_BYTES_MAX (1u << 20)

struct app;
struct svc_req;

struct generate {
    struct app *app;
    struct list jobs;
    unsigned count;
};

void generate_open(struct generate *g, struct app *a);
/* Before net closes: what is under way is answered with 503. */
void generate_stop(struct generate *g);
void svc_workflow_generate(struct app *a, struct svc_req *req);

#endif
