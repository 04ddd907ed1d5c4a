/* The files under examples/templates, as they are carried in the program (embed_catalog.cmake). */
#ifndef SLUICE_APP_CATALOG_FILES_H
#define SLUICE_APP_CATALOG_FILES_H

#include "engine/records.h"

struct catalog_file {
    enum catalog_kind kind; /* CATALOG_KIND_COUNT: the end of the list */
    const char *name;       /* "agents/editor.yaml" */
    const unsigned char *bytes;
    unsigned long len;
};
extern const struct catalog_file catalog_files[];

#endif
