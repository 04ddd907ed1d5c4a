#include "cli/term.h"
#include "cli/lang.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"

#define CELL_BYTES_MAX (1u << 20)

static const char *const style_codes[] = {
    [STYLE_PLAIN] = "",        [STYLE_BOLD] = "\033[1m",     [STYLE_DIM] = "\033[2m",
    [STYLE_RED] = "\033[31m",  [STYLE_GREEN] = "\033[32m",   [STYLE_YELLOW] = "\033[33m",
    [STYLE_BLUE] = "\033[34m", [STYLE_MAGENTA] = "\033[35m", [STYLE_CYAN] = "\033[36m",
};

void term_init(struct term *t, FILE *file)
{
    const char *no_color = getenv("NO_COLOR"), *name = getenv("TERM");
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    *t = (struct term){.file = file, .is_tty = isatty(fileno(file)) == 1};
    t->has_color = t->is_tty && !(no_color && *no_color) && !(name && strcmp(name, "dumb") == 0);
    term_measure(t);
}

void term_measure(struct term *t)
{
    struct winsize size;
    t->columns = 0;
    if (t->is_tty)
        t->columns =
            ioctl(fileno(t->file), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

const char *term_style(const struct term *t, enum style s)
{
    return t->has_color ? style_codes[s] : "";
}

const char *term_reset(const struct term *t)
{
    return t->has_color ? "\033[0m" : "";
}

/* ---- width ---- */

/* Bytes of the character at p, and the columns it takes. */
static size_t char_measure(const char *p, size_t n, int *columns)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t len = utf8_char_len(p, n);
    *columns = 1;
    if (len == 0)
        return 1;
    if (mbrtowc(&wide, p, len, &state) == len) {
        int w = wcwidth(wide);
        *columns = w < 0 ? 0 : w;
    }
    return len;
}

int text_columns(struct str s)
{
    int sum = 0, columns;
    for (size_t i = 0; i < s.n; sum += columns)
        i += char_measure(s.p + i, s.n - i, &columns);
    return sum;
}

size_t text_fit(struct str s, int columns)
{
    size_t i = 0;
    while (i < s.n) {
        int width;
        size_t len = char_measure(s.p + i, s.n - i, &width);
        if (width > columns)
            break;
        columns -= width;
        i += len;
    }
    return i;
}

/* C0, DEL and C1: they could move the cursor or change the terminal's state. */
static bool char_is_control(const char *p, size_t len)
{
    unsigned char c = (unsigned char)p[0];
    return (len == 1 && (c < 0x20 || c == 0x7f)) ||
           (len == 2 && c == 0xc2 && (unsigned char)p[1] < 0xa0);
}

void text_clean(struct buf *out, struct str s, bool one_line)
{
    for (size_t i = 0; i < s.n;) {
        size_t len = utf8_char_len(s.p + i, s.n - i);
        if (len == 0) {
            buf_append_z(out, UTF8_REPLACEMENT);
            len = 1;
        } else if (s.p[i] == '\n' || s.p[i] == '\t') {
            buf_append_char(out, one_line ? ' ' : s.p[i]);
        } else if (!char_is_control(s.p + i, len)) {
            buf_append(out, s.p + i, len);
        }
        i += len;
    }
}

/* ---- tables ---- */

void grid_init(struct grid *g)
{
    *g = (struct grid){0};
}

void grid_deinit(struct grid *g)
{
    for (int i = 0; i < g->cell_count; i++)
        free(g->cells[i].text);
    free(g->cells);
}

void grid_column(struct grid *g, const char *title, bool right, int max)
{
    g->columns[g->column_count].title = title;
    g->columns[g->column_count].right = right;
    g->columns[g->column_count++].max = max;
}

void grid_cell(struct grid *g, struct str text, enum style style)
{
    if (g->cell_count == g->cell_cap) {
        g->cell_cap = g->cell_cap ? g->cell_cap * 2 : 64;
        g->cells = mem_realloc(g->cells, (size_t)g->cell_cap * sizeof(*g->cells));
    }
    struct buf b;
    buf_init(&b, CELL_BYTES_MAX);
    text_clean(&b, text, true);
    g->cells[g->cell_count].style = style;
    g->cells[g->cell_count++].text = buf_steal(&b, NULL);
}

void grid_cellz(struct grid *g, const char *text, enum style style)
{
    grid_cell(g, str_of(text), style);
}

void text_pad(FILE *f, const char *text, int columns)
{
    fputs(text, f);
    for (int n = columns - text_columns(str_of(text)); n > 0; n--)
        fputc(' ', f);
}

static void spaces_print(FILE *f, int n)
{
    for (; n > 0; n--)
        fputc(' ', f);
}

/* One cell in so many columns; the last one of a row gets no trailing space. */
static void cell_print(const struct grid *g, const struct term *t, int column, const char *text,
                       enum style style, int width)
{
    struct str s = str_of(text);
    bool last = column + 1 == g->column_count;
    bool cut = text_columns(s) > width;
    if (cut)
        s.n = text_fit(s, width - 1);
    int pad = width - text_columns(s) - cut;
    if (g->columns[column].right)
        spaces_print(t->file, pad);
    fprintf(t->file, "%s%.*s%s%s", term_style(t, style), STR_FMT(s), cut ? "…" : "",
            style == STYLE_PLAIN ? "" : term_reset(t));
    if (!g->columns[column].right && !last)
        spaces_print(t->file, pad);
    fputs(last ? "\n" : "  ", t->file);
}

static void widths_find(const struct grid *g, const struct term *t, int *widths)
{
    int sum = 0;
    for (int c = 0; c < g->column_count; c++)
        widths[c] = text_columns(str_of(g->columns[c].title));
    for (int i = 0; i < g->cell_count; i++) {
        int c = i % g->column_count, w = text_columns(str_of(g->cells[i].text));
        if (w > widths[c])
            widths[c] = w;
    }
    for (int c = 0; c < g->column_count; c++) {
        if (g->columns[c].max && widths[c] > g->columns[c].max)
            widths[c] = g->columns[c].max;
        sum += widths[c] + (c ? 2 : 0);
    }
    int last = g->column_count - 1;
    if (t->columns && sum > t->columns) {
        widths[last] -= sum - t->columns;
        if (widths[last] < 8)
            widths[last] = 8;
    }
}

void grid_print(const struct grid *g, const struct term *t)
{
    int widths[GRID_COLUMNS_MAX] = {0};
    widths_find(g, t, widths);
    for (int c = 0; c < g->column_count; c++)
        cell_print(g, t, c, g->columns[c].title, STYLE_DIM, widths[c]);
    for (int i = 0; i < g->cell_count; i++) {
        int c = i % g->column_count;
        cell_print(g, t, c, g->cells[i].text, g->cells[i].style, widths[c]);
    }
}

/* ---- values for people ---- */

void ago_format(int64_t then_ms, int64_t now_ms, char out[32])
{
    int64_t s = (now_ms - then_ms) / 1000;
    char date[CLOCK_RFC3339_BYTES + 1];
    if (then_ms <= 0) {
        snprintf(out, 32, "-");
    } else if (s < 60) {
        snprintf(out, 32, "%s", T("just now"));
    } else if (s < 3600) {
        snprintf(out, 32, T("%d min ago"), (int)(s / 60));
    } else if (s < 86400) {
        snprintf(out, 32, T("%d h ago"), (int)(s / 3600));
    } else {
        clock_format_rfc3339(then_ms, date);
        snprintf(out, 32, "%.10s", date);
    }
}

void duration_format(int64_t ms, char out[32])
{
    int64_t s = ms / 1000;
    if (ms < 0)
        ms = s = 0;
    if (ms < 10000)
        snprintf(out, 32, T("%d.%d s"), (int)s, (int)(ms % 1000 / 100));
    else if (s < 60)
        snprintf(out, 32, T("%d s"), (int)s);
    else if (s < 3600)
        snprintf(out, 32, T("%d min %d s"), (int)(s / 60), (int)(s % 60));
    else
        snprintf(out, 32, T("%lld h %d min"), (long long)(s / 3600), (int)(s % 3600 / 60));
}

static const struct {
    const char *word;
    enum style style;
} status_rows[] = {
    {N_("running"), STYLE_BLUE},      {N_("paused"), STYLE_YELLOW},
    {N_("suspended"), STYLE_YELLOW},  {N_("active"), STYLE_YELLOW},
    {N_("completed"), STYLE_GREEN},   {N_("failed"), STYLE_RED},
    {N_("cancelled"), STYLE_MAGENTA}, {N_("skipped"), STYLE_DIM},
    {N_("pending"), STYLE_DIM},       {N_("unknown"), STYLE_DIM},
};

enum style status_style(struct str status)
{
    for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++)
        if (str_eqz(status, status_rows[i].word))
            return status_rows[i].style;
    return STYLE_PLAIN;
}

const char *status_word(const char *status)
{
    for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++)
        if (strcmp(status, status_rows[i].word) == 0)
            return T(status_rows[i].word);
    return status;
}
