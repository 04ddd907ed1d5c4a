/* A session's events as lines on a terminal.
 *
 *     pro     │ Four days would …           text of a node as it streams
 *     con     │ The risk is …
 *     pro     ✓ completed · 3.2 s           what became of it
 *     ─── paused: lunch ───                 what became of the session
 *
 * Several nodes may stream at once: one of them owns the line that is being written, the others are
 * kept until they have a whole line to show. With a prompt on the last line, whole lines only come
 * above it.
 */
#ifndef SLUICE_CLI_VIEW_H
#define SLUICE_CLI_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "cli/term.h"

#define VIEW_NODES_MAX   1000
#define VIEW_STREAMS_MAX 256 /* messages under way at once; more are shown when they are whole */

struct view_node {
    char *id;
    int64_t started_ms; /* 0: not running */
    bool announce;      /* running, and not told yet */
    bool said;          /* somebody has just said something to it */
    int iteration, attempt;
};

struct view_stream {
    char *message_id;
    char *node_id;
    struct buf text;  /* not shown yet */
    bool is_thinking; /* what is in text and on the line */
};

struct view {
    struct term *t;
    int label_columns;
    struct view_node *nodes;
    int node_count;
    struct view_stream streams[VIEW_STREAMS_MAX];
    int stream_count;
    int owner;  /* of the line that is being written, or -1 */
    int column; /* where the cursor stands; 0: at a line's beginning */
    char *prompt;
    bool prompt_shown;
    char *last_text; /* of the last message that was whole */
    /* Out: sums and ending, for the last line and the exit code */
    int64_t first_ms, last_ms;
    int64_t input_tokens, output_tokens;
};

void view_init(struct view *v, struct term *t);
void view_deinit(struct view *v);
/* Ids that will come, so that labels are aligned from the first line on. */
void view_expect(struct view *v, struct str node_id);
void view_event(struct view *v, struct json event);
/* After the events that came together: tells who runs now, shows the prompt again, flushes. */
void view_settle(struct view *v);
/* A line of our own. */
void view_note(struct view *v, enum style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Text under a node's label, wrapped. */
void view_block(struct view *v, const char *node_id, struct str text, enum style style);
/* The question on the last line; NULL takes it away. */
void view_prompt(struct view *v, const char *text);
/* The person has ended the prompt's line. */
void view_prompt_done(struct view *v);
/* JSON, indented by two spaces a level. */
void view_json(struct buf *out, struct json v);

#endif
