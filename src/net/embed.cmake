# cmake -DOUT=api_docs.c -DDOCS=docs/api -P embed.cmake: the API documents as byte arrays.
set(text "/* Generated from docs/api. */\n#include \"net/api_docs.h\"\n")
foreach(name openapi asyncapi)
    file(READ ${DOCS}/${name}.yaml hex HEX)
    string(LENGTH "${hex}" digits)
    math(EXPR bytes "${digits} / 2")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
        "\\1\n" hex "${hex}")
    string(APPEND text "\nconst unsigned char api_${name}[] = {\n${hex}};\n"
        "const unsigned long api_${name}_len = ${bytes};\n")
endforeach()
file(WRITE ${OUT} "${text}")
