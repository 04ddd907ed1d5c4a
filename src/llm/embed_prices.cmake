# cmake -DOUT=prices_file.c -DFILE=prices.json -P embed_prices.cmake: the price list as a byte array.
file(READ ${FILE} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR bytes "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
    "\\1\n" hex "${hex}")
file(WRITE ${OUT} "/* Generated from prices.json. */\n#include \"llm/prices_file.h\"\n"
    "\nconst unsigned char prices_file[] = {\n${hex}};\n"
    "const unsigned long prices_file_len = ${bytes};\n")
