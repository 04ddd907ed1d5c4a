/* What an MCP server may say: one message, a call's result, a list of tools, headers that a schema
 * asks for. */
#include "fuzz.h"

#include <string.h>

#include "tools/mcp_message.h"

static int put(void *data, struct str header, struct str value)
{
    (void)data;
    FUZZ_CHECK(header.n > 10 && header.n < 128);
    for (size_t i = 0; i < header.n; i++) /* they go onto a wire as they are */
        FUZZ_CHECK(header.p[i] > ' ' && header.p[i] < 0x7f && header.p[i] != ':');
    for (size_t i = 0; i < value.n; i++)
        FUZZ_CHECK(value.p[i] >= ' ' && value.p[i] < 0x7f);
    return 0;
}

static void try_tool(struct json tool)
{
    struct buf out;
    buf_init(&out, 4u << 20);
    if (mcp_tool_describe(tool, &out) == 0 && !buf_error(&out))
        FUZZ_CHECK(json_check(buf_str(&out), NULL, NULL) == 0);
    buf_deinit(&out);
    mcp_param_headers(json_get_set(tool, "inputSchema"), json_get_set(tool, "arguments"), put,
                      NULL);
}

static void try_result(struct json result)
{
    struct buf out;
    struct errbuf e = {""};
    struct json_iter it;
    buf_init(&out, 4u << 20);
    int rc = mcp_call_result(result, &out, &e);
    FUZZ_CHECK(rc == 0 || rc == ERR_INVALID || rc == ERR_UPSTREAM || rc == ERR_CONFLICT);
    FUZZ_CHECK(rc == 0 ? out.len > 0 || buf_error(&out) : e.text[0] && out.len == 0);
    if (rc == 0 && !buf_error(&out))
        FUZZ_CHECK(json_check(buf_str(&out), NULL, NULL) == 0);
    buf_deinit(&out);
    mcp_legacy_version(json_get_set(result, "protocolVersion"));
    mcp_lists_modern(json_get_set(result, "supportedVersions"));
    json_iter_init(&it, json_get_set(result, "tools"));
    while (json_iter_next(&it))
        try_tool(it.value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mcp_message m;
    struct errbuf e = {""};
    int rc = mcp_message_parse((struct str){(const char *)data, size}, &m, &e);
    if (rc) {
        FUZZ_CHECK((rc == ERR_INVALID || rc == ERR_TOO_LARGE || rc == ERR_NOMEM) && e.text[0]);
        return 0;
    }
    if (m.kind == MCP_RESULT)
        try_result(m.result);
    if (m.kind == MCP_ERROR)
        mcp_is_modern_error(m.code);
    return 0;
}
