#include "net/access.h"

static const char *const words[] = {"none", "viewer", "operator", "editor", "admin"};

const char *role_word(enum role r)
{
    return words[r];
}

enum role role_parse(struct str word)
{
    for (int r = ROLE_VIEWER; r <= ROLE_ADMIN; r++)
        if (str_eqz(word, words[r]))
            return (enum role)r;
    return ROLE_NONE;
}
