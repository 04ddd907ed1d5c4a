#include "cli/lang_zh.h"

const struct lang_entry lang_zh_portable[] = {
    {"%s is here now, %s\n", "%s 已导入，状态：%s\n"},
    {"all of it as one file of JSON lines", "导出为一个 JSON Lines 文件"},
    {"goes on from where it was", "从原处继续"},
    {"take in a session that was exported; - is standard input",
     "导入一个已导出的会话；- 表示标准输入"},
    {"write it there; else to standard output", "写入该文件；否则写到标准输出"},
    {0},
};
