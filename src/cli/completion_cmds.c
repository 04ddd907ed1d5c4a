/* `sluice completion bash|zsh|fish`: a script for the shell. It asks `sluice completion words` what
 * may stand where the cursor is, so it never grows old. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/find.h"
#include "cli/lang.h"

#define FETCH_MAX     200 /* objects of the server that are offered */
#define FETCH_SECONDS 2   /* who types does not wait longer */

/* ---- scripts ---- */

/* bash cuts words at colons and equals signs: they are put together again, and what stands before
 * the cut is taken from the candidates. */
static const char bash_script[] =
    "# bash completion of sluice; made by: sluice completion bash\n"
    "_sluice() {\n"
    "    local words=() word cur glue= line i\n"
    "    for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $i -gt 1 && ( $glue || $word == [:=]* ) ]]; then\n"
    "            words[${#words[@]}-1]+=$word\n"
    "        else\n"
    "            words+=(\"$word\")\n"
    "        fi\n"
    "        [[ $word == *[:=] ]] && glue=1 || glue=\n"
    "    done\n"
    "    cur=${COMP_WORDS[COMP_CWORD]}\n"
    "    [[ $cur == [:=] ]] && cur=\n"
    "    word=${words[${#words[@]}-1]}\n"
    "    local before=${word:0:${#word}-${#cur}}\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r line _; do\n"
    "        if [[ $line == :files ]]; then\n"
    "            compopt -o default 2>/dev/null\n"
    "        elif [[ $before == *= ]]; then\n"
    "            COMPREPLY+=(\"$line\")\n"
    "        else\n"
    "            COMPREPLY+=(\"${line#\"$before\"}\")\n"
    "        fi\n"
    "    done < <(\"${COMP_WORDS[0]}\" completion words -- \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _sluice sluice\n";

static const char zsh_script[] =
    "#compdef sluice\n"
    "# zsh completion of sluice; made by: sluice completion zsh\n"
    "_sluice() {\n"
    "    local -a found\n"
    "    local line word about files=\n"
    "    while IFS=$'\\t' read -r word about; do\n"
    "        if [[ $word == :files ]]; then\n"
    "            files=1\n"
    "        else\n"
    "            found+=(\"${word//:/\\\\:}${about:+:$about}\")\n"
    "        fi\n"
    "    done < <(\"${words[1]}\" completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    [[ $PREFIX == --*=* ]] && compset -P '*='\n"
    "    (( ${#found} )) && _describe -V sluice found\n"
    "    [[ -n $files ]] && _files\n"
    "    return 0\n"
    "}\n"
    "if [[ $funcstack[1] == _sluice ]]; then _sluice \"$@\"; else compdef _sluice sluice; fi\n";

static const char fish_script[] =
    "# fish completion of sluice; made by: sluice completion fish\n"
    "function __sluice_complete\n"
    "    set -l before (commandline -opc)\n"
    "    set -l word (commandline -ct)\n"
    "    set -l lead (string match -r -- '^--[^=]*=' $word)\n"
    "    for line in ($before[1] completion words -- $before[2..-1] \"$word\" 2>/dev/null)\n"
    "        if test \"$line\" = ':files'\n"
    "            __fish_complete_path \"$word\"\n"
    "        else\n"
    "            echo \"$lead$line\"\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c sluice -f -a '(__sluice_complete)'\n";

static int script_command(struct client *c, const struct args *a)
{
    fputs(strcmp(a->command, "bash") == 0  ? bash_script
          : strcmp(a->command, "zsh") == 0 ? zsh_script
                                           : fish_script,
          c->out.file);
    return EXIT_DONE;
}

/* ---- words ---- */

struct fetcher {
    struct client *c;
    struct http *http; /* the server that the words name */
};

static void word_print(void *data, const char *word, const char *about)
{
    struct fetcher *f = data;
    fprintf(f->c->out.file, about[0] ? "%s\t%s\n" : "%s\n", word, about);
}

/* A word that every shell takes as it is. */
static bool word_is_plain(const char *s)
{
    for (const char *p = s; *p; p++)
        if (strchr(" \t\n\"'`$&|;<>()[]{}*?!#~\\", *p) || (unsigned char)*p < 0x20)
            return false;
    return *s != 0 && *s != '-';
}

static void row_give(struct json row, const char *id_key, bool by_name, complete_cb *give, void *to)
{
    char *id = member_text(row, id_key), *name = member_text(row, "name");
    struct buf about;
    buf_init(&about, 1u << 20);
    text_clean(&about, str_of(name), true);
    if (word_is_plain(id))
        give(to, id, about.data ? about.data : "");
    if (by_name && word_is_plain(name) && strcmp(name, id) != 0)
        give(to, name, id);
    buf_deinit(&about);
    free(id);
    free(name);
}

static void list_give(struct client *c, const char *path, const char *key, const char *id_key,
                      bool by_name, complete_cb *give, void *to)
{
    struct http_reply r;
    struct json_iter it;
    http_reply_init(&r);
    if (client_try(c, "GET", path, STR_NULL, &r) == 0) {
        json_iter_init(&it, json_get(json_root(buf_str(&r.body)), key));
        while (json_iter_next(&it))
            row_give(it.value, id_key, by_name, give, to);
    }
    http_reply_deinit(&r);
}

/* Of the active session; when there is none, nothing is asked. */
static void stages_give(struct client *c, complete_cb *give, void *to)
{
    char id[ID_TEXT_BYTES + 1], path[64];
    current_get(c, id);
    if (!id[0])
        return;
    snprintf(path, sizeof(path), "/sessions/%s/progress", id);
    list_give(c, path, "stages", "node_id", false, give, to);
}

static void fetch(void *data, const char *kind, complete_cb *give, void *to)
{
    static const struct {
        const char *kind, *path, *id_key;
        bool by_name;
    } lists[] = {
        {"session", "/sessions?order=desc", "id", true},
        {"workflow", "/workflows?", "id", false},
        {"agent", "/agents?", "id", false},
        {"group", "/groups?", "id", false},
        {"template", "/templates?", "id", false},
        {"review", "/reviews?status=pending", "interrupt_id", false},
        {"schedule", "/schedules?", "id", false},
        {"webhook", "/webhooks?", "id", false},
    };
    struct fetcher *f = data;
    struct client c = {.http = f->http, .out = f->c->out};
    char path[64];
    if (strcmp(kind, "stage") == 0)
        stages_give(&c, give, to);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(lists[i].kind, kind) != 0)
            continue;
        snprintf(path, sizeof(path), "%s&limit=%d", lists[i].path, FETCH_MAX);
        list_give(&c, path, "items", lists[i].id_key, lists[i].by_name, give, to);
    }
}

/* A server that does not answer must not hold the shell. */
static void too_late(int number)
{
    (void)number;
    _exit(EXIT_DONE);
}

static const char *value_in(const struct args *a, const char *option, const char *otherwise)
{
    size_t n = strlen(option);
    for (int i = 0; i < a->word_count; i++) {
        if (strncmp(a->words[i], option, n) != 0)
            continue;
        if (a->words[i][n] == '=')
            return a->words[i] + n + 1;
        if (!a->words[i][n] && i + 2 < a->word_count)
            return a->words[i + 1];
    }
    return otherwise;
}

static int words_command(struct client *c, const struct args *a)
{
    const char *url = getenv("SLUICE_URL");
    struct fetcher f = {.c = c};
    signal(SIGALRM, too_late);
    alarm(FETCH_SECONDS);
    f.http = http_create(value_in(a, "--server", url && *url ? url : SERVER_DEFAULT),
                         value_in(a, "--key", getenv("SLUICE_KEY")));
    if (complete_words(a->word_count, a->words, fetch, word_print, &f))
        fputs(":files\n", c->out.file);
    http_destroy(f.http);
    return EXIT_DONE;
}

/* ---- the table ---- */

const struct command completion_commands[] = {
    {"completion", "bash", "", "a script for bash: source <(sluice completion bash)", no_options, 0,
     0, script_command},
    {"completion", "zsh", "", "a script for zsh: source <(sluice completion zsh)", no_options, 0, 0,
     script_command},
    {"completion", "fish", "", "a script for fish: sluice completion fish | source", no_options, 0,
     0, script_command},
    {"completion", "words", "-- WORD…", "what may stand in the place of the last word", no_options,
     0, ARGS_MAX, words_command},
    {0},
};
