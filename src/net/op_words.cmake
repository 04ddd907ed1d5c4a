# What operations are called in the audit log: the names of enum svc_op, in small letters.
file(READ ${HEADER} text)
string(REGEX REPLACE ".*enum svc_op {" "" text "${text}")
string(REGEX REPLACE "SVC_OP_COUNT.*" "" text "${text}")
string(REGEX MATCHALL "\n    SVC_[A-Z0-9_]+," ops "${text}")
set(rows "")
foreach(op IN LISTS ops)
    string(REGEX REPLACE "\n    SVC_([A-Z0-9_]+)," "\\1" name "${op}")
    string(TOLOWER ${name} word)
    string(APPEND rows "    [SVC_${name}] = \"${word}\",\n")
endforeach()
file(WRITE ${OUT} "#include \"net/service.h\"\n
static const char *const words[SVC_OP_COUNT] = {\n${rows}};\n
const char *svc_op_word(enum svc_op op)
{
    return op < SVC_OP_COUNT && words[op] ? words[op] : \"unknown\";
}\n")
