#include "cli/find.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/lang.h"
#include "cli/names.h"

#define PREFIX_MIN             4 /* of an id */
#define SESSIONS_LOOKED_AT_MAX 20000
#define LIVE_SHOWN_MAX         20

/* ---- lists ---- */

struct collect {
    struct names *names;
    const char *word; /* only what begins so; NULL: all */
    const char *id_key, *more_key;
};

static void collect_row(void *data, struct json row)
{
    struct collect *k = data;
    char *id = member_text(row, k->id_key), *name = member_text(row, "name");
    size_t n = k->word ? strlen(k->word) : 0;
    if (!n || strncasecmp(id, k->word, n) == 0 || strncasecmp(name, k->word, n) == 0) {
        char *more = member_text(row, k->more_key);
        names_add(k->names, id, name, more);
        free(more);
    }
    free(id);
    free(name);
}

/* A list that is for us, not for standard output. */
static int collect(struct client *c, const char *path, long limit, struct collect *k)
{
    bool json = c->json;
    c->json = false;
    int rc = client_each(c, path, limit, collect_row, k);
    c->json = json;
    return rc;
}

/* On standard error: numbers are for answering. */
static void candidates_print(const struct names *n, bool numbers)
{
    struct term t;
    struct grid g;
    int shown = 0;
    term_init(&t, stderr);
    grid_init(&g);
    grid_column(&g, "", true, 0);
    grid_column(&g, T("ID"), false, 0);
    grid_column(&g, T("NAME"), false, 40);
    grid_column(&g, "", false, 0);
    for (int i = 0; i < n->count && shown < LIVE_SHOWN_MAX; i++) {
        char number[16] = "";
        if (!n->items[i].fits)
            continue;
        shown++;
        if (numbers)
            snprintf(number, sizeof(number), "%d", shown);
        grid_cellz(&g, number, STYLE_PLAIN);
        grid_cellz(&g, n->items[i].id, STYLE_BOLD);
        grid_cellz(&g, n->items[i].name, STYLE_PLAIN);
        grid_cellz(&g, status_word(n->items[i].more), status_style(str_of(n->items[i].more)));
    }
    grid_print(&g, &t);
    grid_deinit(&g);
}

/* The one that the word means, or the exit code after telling. `what` is translated. */
static int names_choose(struct names *n, const char *word, size_t prefix_min, const char *what,
                        int *index)
{
    int found = names_match(n, word, prefix_min, index);
    if (found == 1)
        return 0;
    if (!found) {
        client_complain(T("no %s is called \"%.80s\", nor begins so"), what, word);
        return EXIT_NOT_FOUND;
    }
    client_complain(T("\"%.80s\" may be each of these:"), word);
    candidates_print(n, false);
    return EXIT_USAGE;
}

/* ---- the active session ---- */

void current_path(struct buf *path)
{
    const char *user = getenv("SLUICE_USER");
    buf_append_z(path, "/current");
    if (user && *user) {
        buf_append_z(path, "?user_id=");
        http_escape(path, user);
    }
}

static void session_id_copy(struct json object, const char *key, char id[ID_TEXT_BYTES + 1])
{
    char *text = member_text(object, key);
    id[0] = 0;
    if (strlen(text) == ID_TEXT_BYTES)
        memcpy(id, text, ID_TEXT_BYTES + 1);
    free(text);
}

void current_get(struct client *c, char id[ID_TEXT_BYTES + 1])
{
    struct http_reply r;
    struct buf path;
    id[0] = 0;
    http_reply_init(&r);
    buf_init(&path, 4096);
    current_path(&path);
    if (client_try(c, "GET", path.data, STR_NULL, &r) == 0 && r.body.len)
        session_id_copy(json_root(buf_str(&r.body)), "session_id", id);
    buf_deinit(&path);
    http_reply_deinit(&r);
}

int current_put(struct client *c, const char *id, struct http_reply *r)
{
    const char *user = getenv("SLUICE_USER");
    struct buf body;
    struct jw w;
    buf_init(&body, 4096);
    jw_init(&w, &body);
    jw_object(&w);
    jw_kv_stringz(&w, "session_id", id);
    if (user && *user)
        jw_kv_stringz(&w, "user_id", user);
    jw_end(&w);
    struct http_body json = {buf_str(&body), "application/json"};
    int rc = client_call(c, "PUT", "/current", &json, r);
    buf_deinit(&body);
    return rc;
}

static int live_collect(struct client *c, struct names *n)
{
    static const char *const words[] = {"running", "paused", "pending"};
    struct collect k = {n, NULL, "id", "status"};
    int rc = 0;
    for (size_t i = 0; !rc && i < 3; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/sessions?order=desc&status=%s", words[i]);
        rc = collect(c, path, LIVE_SHOWN_MAX, &k);
    }
    for (int i = 0; i < n->count; i++)
        n->items[i].fits = true;
    return rc;
}

/* The number of a candidate, from the terminal; -1: none was given. */
static int number_ask(int count)
{
    char *line = NULL;
    size_t cap = 0;
    int chosen = -1;
    while (chosen < 0) {
        fprintf(stderr, T("which one, 1 to %d? "), count);
        if (getline(&line, &cap, stdin) < 0 || line[0] == '\n')
            break;
        int n = atoi(line);
        if (n >= 1 && n <= count)
            chosen = n - 1;
    }
    free(line);
    return chosen;
}

static int live_choose(struct client *c, const struct names *n, int *index)
{
    *index = 0;
    if (n->count == 1)
        return 0;
    if (!n->count) {
        client_complain("%s", T("no session is live: sluice flow run WORKFLOW begins one"));
        return EXIT_NOT_FOUND;
    }
    client_complain("%s", T("several sessions are live, and none of them is the active one:"));
    int count = n->count < LIVE_SHOWN_MAX ? n->count : LIVE_SHOWN_MAX;
    bool ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !c->json;
    candidates_print(n, ask);
    if (ask && (*index = number_ask(count)) >= 0)
        return 0;
    fprintf(stderr, T("try: sluice session switch %s\n"), n->items[0].id);
    return EXIT_USAGE;
}

static int session_active(struct client *c, char id[ID_TEXT_BYTES + 1])
{
    struct names n;
    int index;
    current_get(c, id);
    if (id[0])
        return 0;
    names_init(&n);
    int rc = live_collect(c, &n);
    if (!rc)
        rc = live_choose(c, &n, &index);
    if (!rc)
        memcpy(id, n.items[index].id, ID_TEXT_BYTES + 1);
    names_deinit(&n);
    return rc;
}

/* ---- sessions ---- */

static int session_last(struct client *c, char id[ID_TEXT_BYTES + 1])
{
    struct http_reply r;
    http_reply_init(&r);
    int rc = client_call(c, "GET", "/sessions?limit=1", NULL, &r);
    if (!rc) {
        struct json_iter it;
        json_iter_init(&it, json_get(json_root(buf_str(&r.body)), "items"));
        id[0] = 0;
        if (json_iter_next(&it))
            session_id_copy(it.value, "id", id);
        if (!id[0]) {
            client_complain("%s", T("there is no session yet"));
            rc = EXIT_NOT_FOUND;
        }
    }
    http_reply_deinit(&r);
    return rc;
}

/* By name the server can filter, by an id's beginning it cannot. */
static int session_by_word(struct client *c, const char *word, char id[ID_TEXT_BYTES + 1])
{
    size_t n = strlen(word);
    bool may_be_id = n >= PREFIX_MIN && strspn(word, "0123456789abcdefABCDEF-") == n;
    struct names names;
    struct buf path;
    int index;
    names_init(&names);
    buf_init(&path, 1u << 16);
    buf_append_z(&path, "/sessions?order=desc");
    if (!may_be_id) {
        buf_append_z(&path, "&q=");
        http_escape(&path, word);
    }
    struct collect k = {&names, word, "id", "status"};
    int rc = collect(c, path.data, SESSIONS_LOOKED_AT_MAX, &k);
    if (!rc)
        rc = names_choose(&names, word, PREFIX_MIN, T("session"), &index);
    if (!rc)
        memcpy(id, names.items[index].id, ID_TEXT_BYTES + 1);
    buf_deinit(&path);
    names_deinit(&names);
    return rc;
}

int client_find_session(struct client *c, const char *given, char id[ID_TEXT_BYTES + 1])
{
    struct id whole;
    if (!given)
        return session_active(c, id);
    if (id_parse(str_of(given), &whole)) {
        memcpy(id, given, ID_TEXT_BYTES + 1);
        return 0;
    }
    if (strcmp(given, "last") == 0)
        return session_last(c, id);
    if (!*given) {
        client_complain("%s", T("a session without a name"));
        return EXIT_USAGE;
    }
    return session_by_word(c, given, id);
}

int client_word_session(struct client *c, const struct args *a, int i, char id[ID_TEXT_BYTES + 1])
{
    return client_find_session(c, i < a->word_count ? a->words[i] : NULL, id);
}

int client_option_session(struct client *c, const struct args *a, char id[ID_TEXT_BYTES + 1])
{
    return client_find_session(c, args_get(a, "session"), id);
}

/* ---- workflows ---- */

static int find_listed(struct client *c, const char *path, const char *told, const char *what,
                       const char *given, char id[ID_TEXT_BYTES + 1])
{
    struct names names;
    int index;
    names_init(&names);
    struct collect k = {&names, given, "id", told};
    int rc = collect(c, path, 0, &k);
    if (!rc)
        rc = names_choose(&names, given, 4, what, &index);
    if (!rc)
        snprintf(id, ID_TEXT_BYTES + 1, "%s", names.items[index].id);
    names_deinit(&names);
    return rc;
}

int client_find_schedule(struct client *c, const char *given, char id[ID_TEXT_BYTES + 1])
{
    return find_listed(c, "/schedules", "cron", T("schedule"), given, id);
}

int client_find_webhook(struct client *c, const char *given, char id[ID_TEXT_BYTES + 1])
{
    return find_listed(c, "/webhooks", "url", T("webhook"), given, id);
}

int client_find_workflow(struct client *c, const char *given, struct buf *id)
{
    struct names names;
    struct buf path;
    int index;
    names_init(&names);
    buf_init(&path, 1u << 16);
    buf_append_z(&path, "/workflows?q=");
    http_escape(&path, given);
    struct collect k = {&names, given, "id", "type"};
    int rc = collect(c, path.data, 0, &k);
    if (!rc)
        rc = names_choose(&names, given, 1, T("workflow"), &index);
    if (!rc)
        buf_append_z(id, names.items[index].id);
    buf_deinit(&path);
    names_deinit(&names);
    return rc;
}

/* ---- stages ---- */

/* The stages of a session, and the ids of their instances beside them. */
static void stages_collect(struct json stages, bool only_active, struct names *n)
{
    struct json_iter it;
    json_iter_init(&it, stages);
    while (json_iter_next(&it)) {
        char *id = member_text(it.value, "node_id"), *name = member_text(it.value, "name");
        char *status = member_text(it.value, "status");
        if (!only_active || strcmp(status, "active") == 0)
            names_add(n, id, name, status);
        free(id);
        free(name);
        free(status);
    }
}

static struct json stage_of_node(struct json stages, const char *node_id)
{
    struct json_iter it;
    json_iter_init(&it, stages);
    while (json_iter_next(&it))
        if (json_string_eq(json_get(it.value, "node_id"), node_id))
            return it.value;
    return JSON_ABSENT;
}

static struct json stage_of_instance(struct json stages, const char *prefix)
{
    struct json_iter it;
    json_iter_init(&it, stages);
    while (strlen(prefix) >= PREFIX_MIN && json_iter_next(&it)) {
        char *id = member_text(it.value, "instance_id");
        bool fits = strncasecmp(id, prefix, strlen(prefix)) == 0;
        free(id);
        if (fits)
            return it.value;
    }
    return JSON_ABSENT;
}

/* The only one that is open. */
static int stage_open(struct json stages, struct json *found)
{
    struct names n;
    int rc = 0;
    names_init(&n);
    stages_collect(stages, true, &n);
    for (int i = 0; i < n.count; i++)
        n.items[i].fits = true;
    if (n.count == 1) {
        *found = stage_of_node(stages, n.items[0].id);
    } else if (!n.count) {
        client_complain("%s", T("no stage of the session is open"));
        rc = EXIT_WRONG_STATE;
    } else {
        client_complain("%s", T("several stages are open; which one?"));
        candidates_print(&n, false);
        rc = EXIT_USAGE;
    }
    names_deinit(&n);
    return rc;
}

static int stage_by_word(struct json stages, const char *word, struct json *found)
{
    struct names n;
    int index;
    *found = stage_of_instance(stages, word);
    if (json_exists(*found))
        return 0;
    names_init(&n);
    stages_collect(stages, false, &n);
    int rc = names_choose(&n, word, 1, T("stage"), &index);
    if (!rc)
        *found = stage_of_node(stages, n.items[index].id);
    names_deinit(&n);
    return rc;
}

bool client_word_is_stage(struct client *c, const struct args *a, const char *word)
{
    char id[ID_TEXT_BYTES + 1], path[64];
    struct id whole;
    struct http_reply r;
    struct names n;
    int index, found = 0;
    if (id_parse(str_of(word), &whole))
        return true;
    if (client_option_session(c, a, id))
        return false;
    http_reply_init(&r);
    names_init(&n);
    snprintf(path, sizeof(path), "/sessions/%s/progress", id);
    if (client_try(c, "GET", path, STR_NULL, &r) == 0) {
        struct json stages = json_get(json_root(buf_str(&r.body)), "stages");
        stages_collect(stages, false, &n);
        found = names_match(&n, word, 1, &index) + json_exists(stage_of_instance(stages, word));
    }
    names_deinit(&n);
    http_reply_deinit(&r);
    return found > 0;
}

int client_find_stage(struct client *c, const struct args *a, const char *given,
                      struct stage_place *p)
{
    struct http_reply r;
    struct buf path;
    struct id whole;
    struct json stage = JSON_ABSENT;
    *p = (struct stage_place){0};
    if (given && id_parse(str_of(given), &whole)) {
        memcpy(p->instance, given, ID_TEXT_BYTES + 1);
        return 0;
    }
    int rc = client_option_session(c, a, p->session);
    if (rc)
        return rc;
    http_reply_init(&r);
    buf_init(&path, 4096);
    buf_printf(&path, "/sessions/%s/progress", p->session);
    rc = client_call(c, "GET", path.data, NULL, &r);
    struct json stages = rc ? JSON_ABSENT : json_get(json_root(buf_str(&r.body)), "stages");
    if (!rc)
        rc = given ? stage_by_word(stages, given, &stage) : stage_open(stages, &stage);
    if (!rc) {
        p->node_id = member_text(stage, "node_id");
        session_id_copy(stage, "instance_id", p->instance);
    }
    buf_deinit(&path);
    http_reply_deinit(&r);
    return rc;
}

void stage_place_deinit(struct stage_place *p)
{
    free(p->node_id);
}
