#include "cli/lang_zh.h"

const struct lang_entry lang_zh_session[] = {
    {0},
};
