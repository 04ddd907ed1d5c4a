#include "engine/chat.h"

/* What models are told of the tools that every server has. An agent's own `description` and
 * `parameters` take their place. */

static const struct tool_doc docs[] = {
    {"http", "Makes one HTTP request and gives its status, headers and body.",
     "{\"type\":\"object\",\"required\":[\"url\"],\"properties\":{"
     "\"url\":{\"type\":\"string\",\"description\":\"absolute, http or https\"},"
     "\"method\":{\"enum\":[\"GET\",\"HEAD\",\"POST\",\"PUT\",\"PATCH\",\"DELETE\"]},"
     "\"headers\":{\"type\":\"object\"},\"query\":{\"type\":\"object\"},\"body\":{}}}"},
    {"web_search", "Searches the web and gives titles, addresses and summaries.",
     "{\"type\":\"object\",\"required\":[\"query\"],\"properties\":{"
     "\"query\":{\"type\":\"string\"},"
     "\"max_results\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":50}}}"},
    {"read_file", "Reads a file of this session.",
     "{\"type\":\"object\",\"required\":[\"path\"],\"properties\":{"
     "\"path\":{\"type\":\"string\",\"description\":\"relative\"},"
     "\"version\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"the newest if left "
     "out\"},"
     "\"offset\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"bytes to pass over\"},"
     "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1048576,"
     "\"description\":\"bytes at most\"}}}"},
    {"write_file", "Writes a file of this session; older versions are kept.",
     "{\"type\":\"object\",\"required\":[\"path\",\"content\"],\"properties\":{"
     "\"path\":{\"type\":\"string\",\"description\":\"relative\"},"
     "\"content\":{\"type\":[\"string\",\"null\"],\"description\":\"null deletes the file\"},"
     "\"reason\":{\"type\":\"string\",\"description\":\"why, for people\"}}}"},
    /* What else they take is for the workflow's author to fix, or to offer by `parameters`. */
    {"memory_query", "Searches what the group of this session remembers.",
     "{\"type\":\"object\",\"required\":[\"query\"],\"properties\":{"
     "\"query\":{\"type\":\"string\"},"
     "\"max_results\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}}}"},
    {"memory_ingest", "Remembers a text for the group of this session.",
     "{\"type\":\"object\",\"required\":[\"content\"],\"properties\":{"
     "\"content\":{\"type\":\"string\",\"description\":\"text or Markdown\"}}}"},
    {"list_files", "Lists the files of this session.", "{\"type\":\"object\",\"properties\":{}}"},
};

const struct tool_doc *tool_doc_find(struct str name)
{
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
        if (str_eqz(name, docs[i].name))
            return &docs[i];
    return NULL;
}
