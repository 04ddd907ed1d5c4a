#include "engine/workflow_schema.h"

#include <string.h>

#include "engine/workflow_private.h"

/* ---- small pieces ---- */

/* "type": t; null counts as absent, so what may be absent may be null. */
static void type_write(struct jw *w, const char *t, bool or_null)
{
    if (!or_null) {
        jw_kv_stringz(w, "type", t);
        return;
    }
    jw_key(w, "type");
    jw_array(w);
    jw_stringz(w, t);
    jw_stringz(w, "null");
    jw_end(w);
}

static void ref_write(struct jw *w, const char *name, bool or_null)
{
    char text[64] = "#/$defs/";
    strncat(text, name, sizeof(text) - strlen(text) - 1);
    if (!or_null) {
        jw_kv_stringz(w, "$ref", text);
        return;
    }
    jw_key(w, "anyOf");
    jw_array(w);
    jw_object(w);
    jw_kv_stringz(w, "$ref", text);
    jw_end(w);
    jw_raw(w, STR("{\"type\":\"null\"}"));
    jw_end(w);
}

static void words_write(struct jw *w, const char *const *words, bool or_null)
{
    jw_key(w, "enum");
    jw_array(w);
    for (; *words; words++)
        jw_stringz(w, *words);
    if (or_null)
        jw_null(w);
    jw_end(w);
}

static void list_write(struct jw *w, const char *of, unsigned max, bool or_null)
{
    type_write(w, "array", or_null);
    jw_kv_u64(w, "minItems", 1);
    jw_kv_u64(w, "maxItems", max);
    jw_key(w, "items");
    jw_object(w);
    ref_write(w, of, false);
    jw_end(w);
}

static void required_write(struct jw *w, const char *name)
{
    jw_key(w, "required");
    jw_array(w);
    jw_stringz(w, name);
    jw_end(w);
}

/* ---- properties of a kind ---- */

static void prop_write(struct jw *w, const struct prop_def *def)
{
    bool or_null = !def->required;
    jw_key(w, def->name);
    jw_object(w);
    switch (def->type) {
    case PROP_STRING:
    case PROP_TEMPLATE:
    case PROP_EXPR:
    case PROP_CODE:
    case PROP_TIME:
        type_write(w, "string", or_null);
        break;
    case PROP_NAME:
    case PROP_NODE:
        ref_write(w, "name", or_null);
        break;
    case PROP_EXPRS:
        break;
    case PROP_TEMPLATES:
    case PROP_EXPR_MAP:
    case PROP_SCHEMA:
        type_write(w, "object", or_null);
        break;
    case PROP_MODEL:
        ref_write(w, "model", or_null);
        break;
    case PROP_AGENT:
    case PROP_MEMORY:
        ref_write(w, def->type == PROP_AGENT ? "agent" : "memory", or_null);
        break;
    case PROP_INT:
    case PROP_NUMBER:
        type_write(w, def->type == PROP_INT ? "integer" : "number", or_null);
        jw_kv_double(w, "minimum", def->min);
        jw_kv_double(w, "maximum", def->max);
        break;
    case PROP_BOOL:
        type_write(w, "boolean", or_null);
        break;
    case PROP_WORD:
        words_write(w, def->words, or_null);
        break;
    case PROP_NAMES:
        list_write(w, "name", PROP_NAMES_MAX, or_null);
        jw_kv_bool(w, "uniqueItems", true);
        break;
    case PROP_TEXTS:
    case PROP_ENTRIES:
        list_write(w, def->type == PROP_TEXTS ? "text" : "entry", PROP_ENTRIES_MAX, or_null);
        jw_kv_bool(w, "uniqueItems", true);
        break;
    case PROP_MEMBERS:
        list_write(w, "name", WORKFLOW_NODES_MAX, or_null);
        jw_kv_bool(w, "uniqueItems", true);
        break;
    case PROP_TOOLS:
        list_write(w, "tool", PROP_TOOLS_MAX, or_null);
        break;
    case PROP_MESSAGES:
        list_write(w, "message", PROP_MESSAGES_MAX, or_null);
        break;
    case PROP_VOTERS:
        list_write(w, "voter", PROP_VOTERS_MAX, or_null);
        break;
    case PROP_CASES:
        list_write(w, "case", WORKFLOW_NODES_MAX, or_null);
        break;
    }
    jw_end(w);
}

static bool props_are_required(const struct kind_def *kind)
{
    for (unsigned i = 0; i < kind->prop_count; i++)
        if (kind->props[i].required)
            return true;
    return kind->either[0];
}

/* One of two properties: llm has a prompt or messages. */
static void either_write(struct jw *w, const struct kind_def *kind)
{
    if (!kind->either[0])
        return;
    jw_key(w, kind->either_only ? "oneOf" : "anyOf");
    jw_array(w);
    for (unsigned i = 0; i < 2; i++) {
        /* Null counts as absent. */
        jw_object(w);
        required_write(w, kind->either[i]);
        jw_key(w, "properties");
        jw_object(w);
        jw_kv_raw(w, kind->either[i], STR("{\"not\":{\"type\":\"null\"}}"));
        jw_end(w);
        jw_end(w);
    }
    jw_end(w);
}

static void props_write(struct jw *w, const struct kind_def *kind)
{
    jw_object(w);
    type_write(w, "object", !props_are_required(kind));
    jw_key(w, "required");
    jw_array(w);
    for (unsigned i = 0; i < kind->prop_count; i++)
        if (kind->props[i].required)
            jw_stringz(w, kind->props[i].name);
    jw_end(w);
    either_write(w, kind);
    jw_kv_bool(w, "additionalProperties", false);
    jw_key(w, "properties");
    jw_object(w);
    for (unsigned i = 0; i < kind->prop_count; i++)
        prop_write(w, &kind->props[i]);
    jw_end(w);
    jw_end(w);
}

/* ---- fields of the document and of nodes ---- */

struct field_schema {
    const char *name, *text;
};

static const struct field_schema top_schemas[] = {
    {"id", "{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"type\":\"null\"}]}"},
    {"name", "{\"type\":[\"string\",\"null\"],\"maxLength\":200}"},
    {"type", "{\"type\":[\"string\",\"null\"],\"maxLength\":200}"},
    {"description", "{\"type\":[\"string\",\"null\"]}"},
    {"group_id",
     "{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"type\":\"null\"}],\"description\":\"the "
     "group of sessions that are given none\"}"},
    {"version", "{\"description\":\"ignored: the server counts versions\"}"},
    {"start_node_id", "{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"type\":\"null\"}]}"},
    {"input_schema",
     "{\"type\":[\"object\",\"null\"],\"description\":\"JSON Schema of the input\"}"},
    {"vars", "{\"type\":[\"object\",\"null\"]}"},
    {"breakers",
     "{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
     "\"loop_depth\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,\"maximum\":100000},"
     "\"tokens_per_s\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"maximum\":1e9},"
     "\"repetition\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,\"maximum\":1000000},"
     "\"variety\":{\"type\":[\"number\",\"null\"],\"minimum\":0,\"maximum\":1}}}"},
    {"metadata", "{\"type\":[\"object\",\"null\"]}"},
    {"ui", "{\"type\":[\"object\",\"null\"]}"},
    {"nodes", "{\"anyOf\":[{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1000,"
              "\"propertyNames\":{\"$ref\":\"#/$defs/name\"},"
              "\"additionalProperties\":{\"$ref\":\"#/$defs/node\"}},"
              "{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,"
              "\"items\":{\"allOf\":[{\"required\":[\"id\"]},{\"$ref\":\"#/$defs/node\"}]}}]}"},
};

static const struct field_schema node_schemas[] = {
    {"id", "{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"type\":\"null\"}]}"},
    {"type", NULL}, /* the kinds, see node_write() */
    {"name", "{\"type\":[\"string\",\"null\"],\"maxLength\":200}"},
    {"next_ids", "{\"type\":[\"array\",\"null\"],\"maxItems\":1000,\"uniqueItems\":true,"
                 "\"items\":{\"$ref\":\"#/$defs/name\"}}"},
    {"routes", "{\"type\":[\"object\",\"null\"],\"propertyNames\":{\"$ref\":\"#/$defs/name\"},"
               "\"additionalProperties\":{\"$ref\":\"#/$defs/name\"}}"},
    {"when", "{\"type\":[\"string\",\"null\"],\"description\":\"an expression\"}"},
    {"join", "{\"anyOf\":[{\"enum\":[\"all\",\"any\",null]},"
             "{\"type\":\"integer\",\"minimum\":1,\"maximum\":8000}]}"},
    {"retry", "{\"anyOf\":[{\"$ref\":\"#/$defs/retry\"},{\"type\":\"null\"}]}"},
    {"timeout_ms", "{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":31536000000}"},
    {"on_error",
     "{\"anyOf\":[{\"enum\":[\"fail\",\"continue\",null]},{\"$ref\":\"#/$defs/name\"}]}"},
    {"properties", "{\"type\":[\"object\",\"null\"]}"},
};

/* What properties refer to. */
static const struct field_schema shared_schemas[] = {
    {"name", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_.-]{1,64}$\"}"},
    {"text", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":256}"},
    {"entry",
     "{\"anyOf\":[{\"$ref\":\"#/$defs/text\"},{\"type\":\"object\","
     "\"additionalProperties\":false,\"required\":[\"name\"],\"properties\":{"
     "\"name\":{\"$ref\":\"#/$defs/text\"},\"required\":{\"type\":[\"boolean\",\"null\"]}}}]}"},
    {"agent", "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
              "\"name\":{\"type\":[\"string\",\"null\"]},"
              "\"persona\":{\"type\":[\"string\",\"null\"]},"
              "\"provider\":{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"type\":\"null\"}]},"
              "\"model\":{\"anyOf\":[{\"$ref\":\"#/$defs/model\"},{\"type\":\"null\"}]}}}"},
    {"model", "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"minItems\":1,\"maxItems\":8,"
              "\"items\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\","
              "\"additionalProperties\":false,\"anyOf\":[{\"required\":[\"provider\"]},"
              "{\"required\":[\"model\"]}],\"properties\":{"
              "\"provider\":{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"type\":\"null\"}]},"
              "\"model\":{\"type\":[\"string\",\"null\"]}}}]}}]}"},
    {"tool", "{\"anyOf\":[{\"$ref\":\"#/$defs/tool_name\"},{\"type\":\"object\","
             "\"additionalProperties\":false,\"required\":[\"tool\"],\"properties\":{"
             "\"name\":{\"anyOf\":[{\"$ref\":\"#/$defs/tool_name\"},{\"type\":\"null\"}]},"
             "\"description\":{\"type\":[\"string\",\"null\"]},"
             "\"tool\":{\"$ref\":\"#/$defs/name\"},"
             "\"server\":{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},{\"type\":\"null\"}]},"
             "\"arguments\":{\"type\":[\"object\",\"null\"]},"
             "\"parameters\":{\"type\":[\"object\",\"null\"]}}}]}"},
    {"tool_name", "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{1,64}$\"}"},
    {"message", "{\"type\":\"object\",\"additionalProperties\":false,"
                "\"required\":[\"role\",\"content\"],\"properties\":{"
                "\"role\":{\"enum\":[\"system\",\"user\",\"assistant\"]},"
                "\"content\":{\"type\":\"string\"}}}"},
    {"voter", "{\"anyOf\":[{\"$ref\":\"#/$defs/name\"},"
              "{\"allOf\":[{\"$ref\":\"#/$defs/agent\"},{\"required\":[\"name\"]}]}]}"},
    {"memory", "{\"anyOf\":[{\"const\":false},{\"type\":\"object\","
               "\"additionalProperties\":false,\"properties\":{"
               "\"group_results\":{\"type\":[\"integer\",\"null\"],"
               "\"minimum\":0,\"maximum\":50},"
               "\"agent_results\":{\"type\":[\"integer\",\"null\"],"
               "\"minimum\":0,\"maximum\":50}}}]}"},
    {"case", "{\"type\":\"object\",\"additionalProperties\":false,"
             "\"required\":[\"when\",\"to\"],\"properties\":{"
             "\"when\":{\"type\":\"string\",\"description\":\"an expression\"},"
             "\"to\":{\"$ref\":\"#/$defs/name\"}}}"},
    {"retry",
     "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
     "\"max_attempts\":{\"type\":[\"integer\",\"null\"],\"minimum\":1,\"maximum\":100},"
     "\"initial_ms\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,\"maximum\":31536000000},"
     "\"multiplier\":{\"type\":[\"number\",\"null\"],\"minimum\":1,\"maximum\":100},"
     "\"max_ms\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,\"maximum\":31536000000},"
     "\"on\":{\"type\":[\"array\",\"null\"],\"maxItems\":50,\"items\":{\"type\":\"string\"}}}}"},
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A field that validation knows and this file does not is anything: test_workflow_schema tells. */
static struct str schema_find(const struct field_schema *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].text ? str_of(table[i].text) : STR_NULL;
    return STR("true");
}

/* ---- nodes ---- */

/* What a node of this kind must have and may not have. */
static void kind_write(struct jw *w, const struct kind_def *kind)
{
    jw_object(w);
    jw_key(w, "if");
    jw_object(w);
    required_write(w, "type");
    jw_key(w, "properties");
    jw_object(w);
    jw_key(w, "type");
    jw_object(w);
    jw_kv_stringz(w, "const", kind->word);
    jw_end(w);
    jw_end(w);
    jw_end(w);
    jw_key(w, "then");
    jw_object(w);
    jw_key(w, "required");
    jw_array(w);
    if (props_are_required(kind))
        jw_stringz(w, "properties");
    if (kind->next_min)
        jw_stringz(w, "next_ids");
    jw_end(w);
    jw_key(w, "properties");
    jw_object(w);
    jw_key(w, "properties");
    props_write(w, kind);
    if (!kind->takes_next)
        jw_kv_raw(w, "next_ids", STR("{\"maxItems\":0}"));
    if (kind->next_min) {
        jw_key(w, "next_ids");
        jw_object(w);
        jw_kv_stringz(w, "type", "array");
        jw_kv_u64(w, "minItems", kind->next_min);
        if (kind->next_max)
            jw_kv_u64(w, "maxItems", kind->next_max);
        jw_end(w);
    }
    if (!kind->decides)
        jw_kv_raw(w, "routes", STR("{\"type\":\"null\"}"));
    jw_end(w);
    jw_end(w);
    jw_end(w);
}

/* Those that are built in, or any of a plugin: which have a dot. */
static void types_write(struct jw *w)
{
    jw_object(w);
    jw_key(w, "anyOf");
    jw_array(w);
    jw_object(w);
    jw_key(w, "enum");
    jw_array(w);
    for (int k = 0; k < KIND_COUNT; k++)
        if (k != KIND_PLUGIN)
            jw_stringz(w, node_kind_word((enum node_kind)k));
    jw_end(w);
    jw_end(w);
    jw_object(w);
    jw_kv_stringz(w, "type", "string");
    jw_kv_stringz(w, "pattern", "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_.-]+$");
    jw_end(w);
    jw_end(w);
    jw_end(w);
}

static void node_write(struct jw *w)
{
    jw_object(w);
    jw_kv_stringz(w, "type", "object");
    required_write(w, "type");
    jw_kv_bool(w, "additionalProperties", false);
    jw_key(w, "properties");
    jw_object(w);
    const char *name;
    for (unsigned i = 0; (name = node_field_name(i)); i++) {
        struct str text = schema_find(node_schemas, COUNT(node_schemas), name);
        if (text.p)
            jw_kv_raw(w, name, text);
    }
    jw_key(w, "type");
    types_write(w);
    jw_end(w);
    jw_key(w, "allOf");
    jw_array(w);
    for (int k = 0; k < KIND_COUNT; k++)
        if (k != KIND_PLUGIN)
            kind_write(w, kind_def_of((enum node_kind)k));
    jw_end(w);
    jw_end(w);
}

void workflow_schema_write(struct buf *out)
{
    struct jw w;
    const char *name;
    jw_init(&w, out);
    jw_object(&w);
    jw_kv_stringz(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    jw_kv_stringz(&w, "title", "Sluice workflow");
    jw_kv_stringz(&w, "description",
                  "The shape of a workflow. Targets, cycles, expressions and templates are checked "
                  "by sluice flow validate.");
    jw_kv_stringz(&w, "type", "object");
    required_write(&w, "nodes");
    jw_kv_bool(&w, "additionalProperties", false);
    jw_key(&w, "properties");
    jw_object(&w);
    for (unsigned i = 0; (name = top_field_name(i)); i++)
        jw_kv_raw(&w, name, schema_find(top_schemas, COUNT(top_schemas), name));
    jw_end(&w);
    jw_key(&w, "$defs");
    jw_object(&w);
    jw_key(&w, "node");
    node_write(&w);
    for (size_t i = 0; i < COUNT(shared_schemas); i++)
        jw_kv_raw(&w, shared_schemas[i].name, str_of(shared_schemas[i].text));
    jw_end(&w);
    jw_end(&w);
}
