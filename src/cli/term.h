/* The terminal: colours (only there, and not with NO_COLOR), its width, how wide text is on it, and
 * tables. Text from the server is cleaned of control characters before it is shown. */
#ifndef SLUICE_CLI_TERM_H
#define SLUICE_CLI_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum style {
    STYLE_PLAIN,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_RED,
    STYLE_GREEN,
    STYLE_YELLOW,
    STYLE_BLUE,
    STYLE_MAGENTA,
    STYLE_CYAN,
};

struct term {
    FILE *file;
    bool is_tty;
    bool has_color;
    int columns; /* 0: not a terminal, as wide as need be */
};

/* Also sets the process' character type to UTF-8, for widths. */
void term_init(struct term *t, FILE *file);
void term_measure(struct term *t); /* after SIGWINCH */
/* The escape sequence, or "" without colours. */
const char *term_style(const struct term *t, enum style s);
const char *term_reset(const struct term *t);

/* Columns that UTF-8 text takes on a terminal (wide characters 2, combining ones 0). */
int text_columns(struct str s);
/* The longest prefix of at most so many columns, on a character's boundary. */
size_t text_fit(struct str s, int columns);
/* Appends s without control characters but newline and tab; a newline becomes a space if one_line.
 */
void text_clean(struct buf *out, struct str s, bool one_line);

/* The text, and spaces up to so many columns. */
void text_pad(FILE *f, const char *text, int columns);

/* ---- tables ---- */

#define GRID_COLUMNS_MAX 12

struct grid {
    struct {
        const char *title;
        bool right; /* aligned */
        int max;    /* columns it may take; 0: any */
    } columns[GRID_COLUMNS_MAX];
    int column_count;
    struct grid_cell {
        char *text;
        enum style style;
    } * cells; /* row by row */
    int cell_count, cell_cap;
};

void grid_init(struct grid *g);
void grid_deinit(struct grid *g);
void grid_column(struct grid *g, const char *title, bool right, int max);
/* Cells in their order, row after row; what a cell says is cleaned and copied. */
void grid_cell(struct grid *g, struct str text, enum style style);
void grid_cellz(struct grid *g, const char *text, enum style style);
/* Titles, then the rows, two spaces between; the last column is cut at the terminal's edge. */
void grid_print(const struct grid *g, const struct term *t);

/* ---- values for people ---- */

/* "just now", "5 min ago", "3 h ago", then the date; "-" for 0. */
void ago_format(int64_t then_ms, int64_t now_ms, char out[32]);
/* "0.8 s", "42 s", "3 min 5 s", "2 h 10 min". */
void duration_format(int64_t ms, char out[32]);
enum style status_style(struct str status);
/* A status in the language of people; one that another program made up as it is. */
const char *status_word(const char *status);

#endif
