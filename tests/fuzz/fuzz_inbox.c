/* Stored commands and answers of the inbox: any bytes are refused or read, and what was read is
 * written and read again as the same. */
#include "fuzz.h"

#include <string.h>

#include "app/inbox_code.h"
#include "base/json.h"

static void try_request(struct str text)
{
    struct svc_req req, again;
    struct id session = {{1}}, from, from_again;
    struct errbuf e = {""};
    struct buf out;

    svc_req_init(&req, SVC_PAUSE);
    int status = inbox_request_read(text, session, &req, &from, &e);
    FUZZ_CHECK(status == 0 || (status == ERR_CORRUPT && e.text[0]));
    if (status == 0) {
        FUZZ_CHECK(inbox_op_is_command(req.op));
        buf_init(&out, SVC_BODY_MAX);
        inbox_request_write(&out, &req, from);
        FUZZ_CHECK(json_check(buf_str(&out), NULL, &e) == 0);
        svc_req_init(&again, SVC_PAUSE);
        FUZZ_CHECK(inbox_request_read(buf_str(&out), session, &again, &from_again, &e) == 0);
        FUZZ_CHECK(again.op == req.op && id_eq(from, from_again));
        FUZZ_CHECK(str_eq(again.reason, req.reason));
        FUZZ_CHECK(str_eq(again.answer.data_json, req.answer.data_json));
        svc_req_deinit(&again);
        buf_deinit(&out);
    }
    svc_req_deinit(&req);
}

static void try_answer(struct str text)
{
    struct svc_req req;
    struct errbuf e = {""};

    svc_req_init(&req, SVC_PAUSE);
    int status = inbox_answer_read(text, 200, &req, &e);
    FUZZ_CHECK(status == 0 || (status == ERR_CORRUPT && e.text[0]));
    svc_req_deinit(&req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};

    try_request(text);
    try_answer(text);
    return 0;
}
