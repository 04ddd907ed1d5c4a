#include "cli/lang_zh.h"

const struct lang_entry lang_zh_man[] = {
    {"A session, a workflow, a stage or an item is named by its id, by its name, or by the "
     "beginning of one that nothing else has. A session in brackets may be left out: then it is "
     "the active one, which the server keeps for each user; when there is none, the only one that "
     "is live. `last` is the newest.",
     "会话、工作流、阶段或检查项可用编号、名称，或二者独有的开头来指明。方括号里的会话可以省略：即"
     "指当前会话，由服务器为每个用户保存；没有当前会话时，指唯一进行中的会话。last 是最新的会话。"},
    {"COMMANDS", "命令"},
    {"ENVIRONMENT", "环境变量"},
    {"EXIT STATUS", "退出码"},
    {"OPTIONS", "选项"},
    {"SEE ALSO", "另见"},
    {"SYNOPSIS", "用法"},
    {"Sluice manual", "Sluice 手册"},
    {"What is printed ends with commands that can come next; each works as it stands. With --json, "
     "standard output is JSON and nothing else.",
     "输出的末尾是接下来可用的命令，照抄即可运行。带 --json 时，标准输出只有 JSON。"},
    {"`sluice serve` is the server; migrate, backup and copy work on its store; every other "
     "command is a client of a server, over HTTP.",
     "sluice serve 是服务器；migrate、backup 和 copy 处理它的存储；其余命令都是通过 HTTP "
     "访问服务器的客户端。"},
    {"agent workflows that people watch live, and work in", "实时可见、人可参与的智能体工作流"},
    {"commands of sluice", "sluice 的命令"},
    {"detached by Ctrl-C; the session goes on", "用 Ctrl-C 离开；会话继续"},
    {"done; a session that was followed has completed", "完成；所跟随的会话已完成"},
    {"en or zh, before LC_ALL, LC_MESSAGES and LANG",
     "en 或 zh，优先于 LC_ALL、LC_MESSAGES 和 LANG"},
    {"no colours, at a terminal either", "在终端也不用颜色"},
    {"not allowed", "没有权限"},
    {"not found", "找不到"},
    {"the API key", "API 密钥"},
    {"the server cannot be reached, or is too busy", "连不上服务器，或服务器太忙"},
    {"the session failed, or was cancelled", "会话失败或被取消"},
    {"the state does not allow it", "状态不允许"},
    {"where the server is", "服务器的位置"},
    {"whose active session it is, at a server that asks for no key",
     "服务器不要求密钥时，当前会话属于谁"},
    {"wrong usage, or input that the server refused", "用法错误，或输入被服务器拒绝"},
    {0},
};
