/* Manual pages, made of the tables of commands: sluice(1), and sluice-GROUP(1) for each group. */
#ifndef SLUICE_CLI_MAN_H
#define SLUICE_CLI_MAN_H

#include <stdio.h>

/* In roff (man macros), UTF-8, in the language that is set. group: NULL, the page of all. */
void man_page(FILE *to, const char *group);

#endif
