#include "cli/lang_zh.h"

const struct lang_entry lang_zh_errors[] = {
    {"a key is needed", "需要密钥"},
    {"it is in use", "使用中"},
    {"it is not there", "找不到"},
    {"it is too large", "太大"},
    {"somebody else was faster", "已被他人抢先修改"},
    {"something is wrong with the server", "服务器内部出错"},
    {"something is wrong with what was asked", "请求有误"},
    {"the input does not fit", "输入不合要求"},
    {"the key does not allow it", "密钥没有权限"},
    {"the server cannot do it now", "服务器现在无法处理"},
    {"the server cannot reach its store", "服务器连不上存储"},
    {"the server is too busy; try again later", "服务器太忙，请稍后再试"},
    {"the stage may not be left out", "此阶段不可跳过"},
    {"the workflow does not validate", "工作流未通过校验"},
    {"there is no such stage", "没有这个阶段"},
    {"there is no such workflow", "没有这个工作流"},
    {"too many requests; try again later", "请求太多，请稍后再试"},
    {0},
};
