#include "engine/workflow_diagram.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/state.h"

struct shape {                /* NULL: a plain box */
    const char *open, *close; /* of Mermaid */
    const char *dot;
};
static const struct shape shape_box = {"[", "]", "box"};
static const struct shape shapes[KIND_COUNT] = {
    [KIND_START] = {"([", "])", "oval"},
    [KIND_END] = {"([", "])", "oval"},
    [KIND_SWITCH] = {"{", "}", "diamond"},
    [KIND_VOTE] = {"{", "}", "diamond"},
    [KIND_PARALLEL] = {"{{", "}}", "hexagon"},
    [KIND_LOOP] = {"{{", "}}", "hexagon"},
    [KIND_HUMAN_REVIEW] = {"[/", "/]", "parallelogram"},
    [KIND_USER_INPUT] = {"[/", "/]", "parallelogram"},
    [KIND_WAIT] = {"(", ")", "ellipse"},
    [KIND_SCRIPT] = {"[[", "]]", "component"},
    [KIND_TRANSFORM] = {"[[", "]]", "component"},
    [KIND_TOOL] = {"[[", "]]", "component"},
    [KIND_PLUGIN] = {"[[", "]]", "component"},
    [KIND_TASK] = {"[[", "]]", "component"},
    [KIND_SUBWORKFLOW] = {"[[", "]]", "component"},
    [KIND_SIGNAL] = {"(", ")", "ellipse"},
    [KIND_STAGE] = {"[/", "/]", "parallelogram"},
    [KIND_MAP] = {"{{", "}}", "hexagon"},
    [KIND_SEQUENCE] = {"{{", "}}", "hexagon"},
};

static const struct {
    const char *word, *fill, *line;
} colours[] = {
    [NODE_PENDING] = {"pending", "#f4f4f5", "#a1a1aa"},
    [NODE_RUNNING] = {"running", "#dbeafe", "#2563eb"},
    [NODE_SUSPENDED] = {"suspended", "#fef9c3", "#ca8a04"},
    [NODE_COMPLETED] = {"completed", "#dcfce7", "#16a34a"},
    [NODE_FAILED] = {"failed", "#fee2e2", "#dc2626"},
    [NODE_SKIPPED] = {"skipped", "#fafafa", "#d4d4d8"},
};
#define EDGE_LABEL_BYTES_MAX (1u << 20) /* an expression, at most EXPR_CODE_MAX */
#define COLOURS              (sizeof(colours) / sizeof(colours[0]))

struct picture {
    const struct workflow *w;
    struct buf *out;
    struct json statuses;
    int *status; /* of each node: enum node_status, or -1 */
};

bool diagram_format_parse(struct str word, enum diagram_format *out)
{
    static const char *const words[] = {"mermaid", "dot", "json"};
    for (int i = 0; i < 3; i++) {
        if (str_eqz(word, words[i])) {
            *out = (enum diagram_format)i;
            return true;
        }
    }
    return false;
}

const char *diagram_media_type(enum diagram_format f)
{
    switch (f) {
    case DIAGRAM_MERMAID:
        return "text/vnd.mermaid; charset=utf-8";
    case DIAGRAM_DOT:
        return "text/vnd.graphviz; charset=utf-8";
    case DIAGRAM_JSON:
        return "application/json";
    }
    return NULL;
}

static const struct shape *shape_of(enum node_kind k)
{
    return shapes[k].open ? &shapes[k] : &shape_box;
}

/* ---- texts ---- */

/* As much of the text as a label has room for, cut between two characters. */
static struct str label_cut(struct str s)
{
    if (s.n <= DIAGRAM_LABEL_MAX)
        return s;
    size_t n = DIAGRAM_LABEL_MAX;
    while (n && ((unsigned char)s.p[n] & 0xC0) == 0x80)
        n--;
    return (struct str){s.p, n};
}

/* Mermaid has entities only, `#` and `;` around a name or a number. It looks for directives in the
 * whole text, `%%{`, quoted or not. */
static void label_mermaid(struct buf *out, struct str text)
{
    struct str s = label_cut(text);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            buf_append_char(out, ' ');
        else if (strchr("\"#;<>&`\\|{}%", c))
            buf_printf(out, "#%u;", c);
        else
            buf_append_char(out, (char)c);
    }
    if (s.n < text.n)
        buf_append_z(out, "…");
}

/* Graphviz: backslash sequences and HTML entities are read in quoted labels. */
static void label_dot(struct buf *out, struct str text)
{
    struct str s = label_cut(text);
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            buf_append_char(out, ' ');
        else if (c == '&')
            buf_append_z(out, "&amp;");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_append_char(out, (char)c);
    }
    if (s.n < text.n)
        buf_append_z(out, "…");
}

/* What stands at an edge, appended unescaped. */
static void edge_label(const struct workflow *w, const struct edge *e, struct buf *out)
{
    const struct node_def *from = &w->nodes[e->from];
    struct json_iter it;
    switch (e->kind) {
    case EDGE_NEXT:
        if (from->kind == KIND_LOOP)
            buf_append_z(out, e->ordinal == 0 ? "body" : "exit");
        break;
    case EDGE_ROUTE:
        buf_append_str(out, e->label);
        break;
    case EDGE_CASE:
        json_iter_init(&it, json_get_set(from->properties, "cases"));
        while (json_iter_next(&it))
            if (it.index == e->ordinal)
                json_string(json_get_set(it.value, "when"), out);
        break;
    case EDGE_DEFAULT:
        buf_append_z(out, "default");
        break;
    case EDGE_ERROR:
        buf_append_z(out, "error");
        break;
    }
}

/* ---- statuses ---- */

static void statuses_read(struct picture *p)
{
    struct json_iter it;
    struct buf id;
    buf_init(&id, 1u << 20);
    json_iter_init(&it, p->statuses);
    while (json_iter_next(&it)) {
        enum node_status status;
        buf_clear(&id);
        json_iter_key(&it, &id);
        int node = workflow_find(p->w, buf_str(&id));
        if (node >= 0 && json_type(it.value) == JSON_STRING &&
            node_status_parse((struct str){it.value.p + 1, it.value.n - 2}, &status))
            p->status[node] = status;
    }
    buf_deinit(&id);
}

/* ---- boxes: around what a container has inside, and around branches of more than one node ---- */

/* A box is known by the head of its branch, or, node_count higher, by its container. */
struct boxes {
    const struct workflow *w;
    unsigned *size; /* nodes of each branch, by its head; those inside inner ones count there */
};

/* The index of the head of the branch that node lies in, or -1. */
static int branch_of(const struct workflow *w, unsigned node)
{
    struct str head = w->nodes[node].branch;
    return head.p ? workflow_find(w, head) : -1;
}

/* The branch around a branch: the one that its parallel lies in. */
static int branch_around(const struct workflow *w, unsigned head)
{
    const struct node_def *n = &w->nodes[head];
    for (unsigned i = 0; i < n->in_count; i++) {
        const struct edge *e = &w->edges[n->in[i]];
        if (w->nodes[e->from].kind == KIND_PARALLEL && !e->back)
            return branch_of(w, e->from);
    }
    return -1;
}

static void boxes_init(struct boxes *b, const struct workflow *w)
{
    b->w = w;
    b->size = mem_calloc(w->node_count, sizeof(*b->size));
    for (unsigned i = 0; i < w->node_count; i++) {
        int head = branch_of(w, i);
        if (head >= 0 && w->nodes[head].owner == w->nodes[i].owner)
            b->size[head]++;
    }
}

static void boxes_deinit(struct boxes *b)
{
    free(b->size);
}

/* The first drawn box from this branch outwards, within one container; or that container's box, or
 * -1. Branches nest, so the walk ends. */
static int box_outwards(const struct boxes *b, int head, int owner)
{
    for (unsigned steps = 0; head >= 0 && steps < b->w->node_count; steps++) {
        if (b->w->nodes[head].owner != owner)
            break; /* inherited from outside */
        if (b->size[head] > 1)
            return head;
        int outer = branch_around(b->w, (unsigned)head);
        head = outer == head ? -1 : outer;
    }
    return owner >= 0 ? owner + (int)b->w->node_count : -1;
}

/* The innermost drawn box around a node, or -1. */
static int box_of(const struct boxes *b, unsigned node)
{
    return box_outwards(b, branch_of(b->w, node), b->w->nodes[node].owner);
}

static bool box_is_drawn(const struct boxes *b, unsigned box)
{
    return box < b->w->node_count ? b->size[box] > 1
                                  : b->w->nodes[box - b->w->node_count].inner != NULL;
}

/* The drawn box around a drawn box, or -1. */
static int box_around(const struct boxes *b, unsigned box)
{
    if (box >= b->w->node_count)
        return box_of(b, box - b->w->node_count);
    int outer = branch_around(b->w, box);
    return box_outwards(b, outer == (int)box ? -1 : outer, b->w->nodes[box].owner);
}

/* ---- Mermaid and Graphviz: nodes, boxes, edges ---- */

struct dialect {
    void (*node)(struct picture *p, unsigned node, unsigned depth);
    void (*box_open)(struct picture *p, unsigned box, unsigned depth);
    const char *box_close;
};

static void indent(struct buf *out, unsigned depth)
{
    for (unsigned i = 0; i <= depth && i < JSON_DEPTH_MAX; i++)
        buf_append_z(out, "    ");
}

static void boxes_write(struct picture *p, const struct dialect *d, const struct boxes *b)
{
    const struct workflow *w = p->w;
    unsigned count = w->node_count, depth = 0;
    unsigned *at = mem_calloc(2 * count + 1, sizeof(*at)); /* next index to look at, by depth */
    int *inside = mem_calloc(2 * count + 1, sizeof(*inside));
    inside[0] = -1;
    /* Depth first over the boxes, without recursion: each index is looked at once as a node and
     * once as the head of a box, at every level that is open. */
    for (;;) {
        unsigned i = at[depth]++;
        if (i >= count * 3) {
            if (!depth)
                break;
            indent(p->out, --depth);
            buf_append_z(p->out, d->box_close);
            continue;
        }
        if (i < count) {
            if (box_of(b, i) == inside[depth])
                d->node(p, i, depth);
            continue;
        }
        unsigned box = i - count;
        if (!box_is_drawn(b, box) || box_around(b, box) != inside[depth])
            continue;
        d->box_open(p, box, depth);
        inside[++depth] = (int)box;
        at[depth] = 0;
    }
    free(at);
    free(inside);
}

static void mermaid_node(struct picture *p, unsigned node, unsigned depth)
{
    const struct node_def *n = &p->w->nodes[node];
    const struct shape *shape = shape_of(n->kind);
    indent(p->out, depth);
    buf_printf(p->out, "n%u%s\"", node, shape->open);
    label_mermaid(p->out, n->name);
    if (!str_eqz(n->name, node_kind_word(n->kind)))
        buf_printf(p->out, "<br/>%s", node_kind_word(n->kind));
    buf_printf(p->out, "\"%s\n", shape->close);
}

static void mermaid_box(struct picture *p, unsigned box, unsigned depth)
{
    indent(p->out, depth);
    buf_printf(p->out, "subgraph b%u[\"", box);
    label_mermaid(p->out, p->w->nodes[box % p->w->node_count].name);
    buf_append_z(p->out, "\"]\n");
}

static void mermaid_edges(struct picture *p)
{
    struct buf label;
    buf_init(&label, EDGE_LABEL_BYTES_MAX);
    for (unsigned i = 0; i < p->w->edge_count; i++) {
        const struct edge *e = &p->w->edges[i];
        buf_clear(&label);
        edge_label(p->w, e, &label);
        bool dotted = e->back || e->kind == EDGE_ERROR;
        buf_printf(p->out, "    n%u %s", e->from, dotted ? "-.->" : "-->");
        if (label.len) {
            buf_append_z(p->out, "|\"");
            label_mermaid(p->out, buf_str(&label));
            buf_append_z(p->out, "\"|");
        }
        buf_printf(p->out, " n%u\n", e->to);
    }
    buf_deinit(&label);
}

/* From a container to where what is inside begins. */
static void entries_write(struct picture *p, const char *arrow, const char *end)
{
    for (unsigned i = 0; i < p->w->node_count; i++) {
        const struct workflow *in = p->w->nodes[i].inner;
        if (in)
            buf_printf(p->out, "    n%u %s n%u%s\n", i, arrow, in->nodes[in->start].doc, end);
    }
}

static void mermaid_colours(struct picture *p)
{
    for (size_t c = 0; c < COLOURS; c++) {
        const char *sep = "";
        for (unsigned i = 0; i < p->w->node_count; i++) {
            if (p->status[i] != (int)c)
                continue;
            if (!*sep)
                buf_printf(p->out, "    classDef %s fill:%s,stroke:%s,color:#18181b\n    class ",
                           colours[c].word, colours[c].fill, colours[c].line);
            buf_printf(p->out, "%sn%u", sep, i);
            sep = ",";
        }
        if (*sep)
            buf_printf(p->out, " %s\n", colours[c].word);
    }
}

static void mermaid_write(struct picture *p, const struct boxes *b)
{
    static const struct dialect mermaid = {mermaid_node, mermaid_box, "end\n"};
    buf_append_z(p->out, "flowchart TD\n");
    boxes_write(p, &mermaid, b);
    mermaid_edges(p);
    entries_write(p, "-.-o", "");
    mermaid_colours(p);
}

static void dot_node(struct picture *p, unsigned node, unsigned depth)
{
    const struct node_def *n = &p->w->nodes[node];
    indent(p->out, depth);
    buf_printf(p->out, "n%u [label=\"", node);
    label_dot(p->out, n->name);
    if (!str_eqz(n->name, node_kind_word(n->kind)))
        buf_printf(p->out, "\\n%s", node_kind_word(n->kind));
    buf_printf(p->out, "\", shape=%s", shape_of(n->kind)->dot);
    if (p->status[node] >= 0)
        buf_printf(p->out, ", style=filled, fillcolor=\"%s\", color=\"%s\"",
                   colours[p->status[node]].fill, colours[p->status[node]].line);
    buf_append_z(p->out, "];\n");
}

static void dot_box(struct picture *p, unsigned box, unsigned depth)
{
    indent(p->out, depth);
    buf_printf(p->out, "subgraph cluster_%u {\n", box);
    indent(p->out, depth + 1);
    buf_append_z(p->out, "label=\"");
    label_dot(p->out, p->w->nodes[box % p->w->node_count].name);
    buf_append_z(p->out, "\"; style=rounded; color=\"#a1a1aa\";\n");
}

static void dot_edges(struct picture *p)
{
    struct buf label;
    buf_init(&label, EDGE_LABEL_BYTES_MAX);
    for (unsigned i = 0; i < p->w->edge_count; i++) {
        const struct edge *e = &p->w->edges[i];
        const char *sep = " [";
        buf_clear(&label);
        edge_label(p->w, e, &label);
        buf_printf(p->out, "    n%u -> n%u", e->from, e->to);
        if (label.len) {
            buf_append_z(p->out, " [label=\"");
            label_dot(p->out, buf_str(&label));
            buf_append_char(p->out, '"');
            sep = ", ";
        }
        /* A back edge must not pull its target below its source. */
        if (e->back)
            buf_printf(p->out, "%sstyle=dashed, constraint=false]", sep);
        else if (e->kind == EDGE_ERROR)
            buf_printf(p->out, "%sstyle=dotted]", sep);
        else if (label.len)
            buf_append_char(p->out, ']');
        buf_append_z(p->out, ";\n");
    }
    buf_deinit(&label);
}

static void dot_write(struct picture *p, const struct boxes *b)
{
    static const struct dialect dot = {dot_node, dot_box, "}\n"};
    struct str title = p->w->name.p ? p->w->name : p->w->id;
    buf_append_z(p->out, "digraph workflow {\n    rankdir=TB;\n");
    if (title.p) {
        buf_append_z(p->out, "    label=\"");
        label_dot(p->out, title);
        buf_append_z(p->out, "\"; labelloc=t;\n");
    }
    buf_append_z(p->out, "    node [fontname=\"sans-serif\", fontsize=11];\n"
                         "    edge [fontname=\"sans-serif\", fontsize=10];\n");
    boxes_write(p, &dot, b);
    dot_edges(p);
    entries_write(p, "->", " [style=dotted, arrowhead=odot];");
    buf_append_z(p->out, "}\n");
}

/* ---- JSON ---- */

static void json_text_or_null(struct jw *w, const char *key, struct str s)
{
    if (s.p)
        jw_kv_string(w, key, s);
    else
        jw_kv_raw(w, key, STR("null"));
}

static void json_nodes(struct picture *p, struct jw *w, const unsigned *level,
                       const unsigned *position)
{
    jw_key(w, "nodes");
    jw_array(w);
    for (unsigned i = 0; i < p->w->node_count; i++) {
        const struct node_def *n = &p->w->nodes[i];
        jw_object(w);
        jw_kv_string(w, "id", n->id);
        jw_kv_string(w, "name", n->name);
        jw_kv_stringz(w, "type", node_kind_word(n->kind));
        jw_kv_u64(w, "level", level[i]);
        jw_kv_u64(w, "position", position[i]);
        json_text_or_null(w, "branch", n->branch);
        json_text_or_null(w, "container", n->owner >= 0 ? p->w->nodes[n->owner].id : STR_NULL);
        if (json_exists(p->statuses))
            jw_kv_stringz(
                w, "status",
                node_status_word(p->status[i] < 0 ? NODE_PENDING : (enum node_status)p->status[i]));
        jw_end(w);
    }
    jw_end(w);
}

static void json_edge(struct jw *w, struct str from, struct str to, const char *kind,
                      struct str label, bool back)
{
    jw_object(w);
    jw_kv_string(w, "from", from);
    jw_kv_string(w, "to", to);
    jw_kv_stringz(w, "kind", kind);
    json_text_or_null(w, "label", label);
    jw_kv_bool(w, "back", back);
    jw_end(w);
}

static void json_edges(struct picture *p, struct jw *w)
{
    static const char *const kinds[] = {"next", "route", "case", "default", "error"};
    struct buf label;
    buf_init(&label, EDGE_LABEL_BYTES_MAX);
    jw_key(w, "edges");
    jw_array(w);
    for (unsigned i = 0; i < p->w->edge_count; i++) {
        const struct edge *e = &p->w->edges[i];
        buf_clear(&label);
        edge_label(p->w, e, &label);
        json_edge(w, p->w->nodes[e->from].id, p->w->nodes[e->to].id, kinds[e->kind],
                  label.len ? buf_str(&label) : STR_NULL, e->back);
    }
    for (unsigned i = 0; i < p->w->node_count; i++) {
        const struct workflow *in = p->w->nodes[i].inner;
        if (in)
            json_edge(w, p->w->nodes[i].id, in->nodes[in->start].id, "entry", STR_NULL, false);
    }
    jw_end(w);
    buf_deinit(&label);
}

static void json_write(struct picture *p)
{
    unsigned count = p->w->node_count;
    unsigned *level = mem_calloc(count, sizeof(*level));
    unsigned *position = mem_calloc(count, sizeof(*position));
    unsigned levels = workflow_layers(p->w, level, position);
    struct jw w;
    jw_init(&w, p->out);
    jw_object(&w);
    json_text_or_null(&w, "id", p->w->id);
    json_text_or_null(&w, "name", p->w->name);
    jw_kv_i64(&w, "version", p->w->version);
    jw_kv_string(&w, "start_node_id", p->w->nodes[p->w->start].id);
    jw_kv_u64(&w, "levels", levels);
    json_nodes(p, &w, level, position);
    json_edges(p, &w);
    jw_end(&w);
    free(level);
    free(position);
}

void workflow_diagram_write(const struct workflow *w, enum diagram_format f, struct json statuses,
                            struct buf *out)
{
    struct picture p = {.w = w, .out = out, .statuses = statuses};
    struct boxes b;
    p.status = mem_calloc(w->node_count, sizeof(*p.status));
    for (unsigned i = 0; i < w->node_count; i++)
        p.status[i] = -1;
    if (json_exists(statuses)) {
        for (unsigned i = 0; i < w->node_count; i++)
            p.status[i] = NODE_PENDING;
        statuses_read(&p);
    }
    boxes_init(&b, w);
    switch (f) {
    case DIAGRAM_MERMAID:
        mermaid_write(&p, &b);
        break;
    case DIAGRAM_DOT:
        dot_write(&p, &b);
        break;
    case DIAGRAM_JSON:
        json_write(&p);
        break;
    }
    boxes_deinit(&b);
    free(p.status);
}
