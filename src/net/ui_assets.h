/*
 * The web page, carried inside the binary.
 *
 * web/embed.mjs writes the table when the program is built: one row for each file of the built
 * page, the body gzip-compressed already, so that serving a file is a pointer and a length. The
 * table is sorted by nothing a reader may rely on, is ended by a row whose path is NULL, and is
 * empty when the program was built without the page (SLUICE_UI=OFF, or no Node at build time).
 *
 * Everything here is constant, lives as long as the program and may be read from any thread.
 */
#ifndef SLUICE_NET_UI_ASSETS_H
#define SLUICE_NET_UI_ASSETS_H

struct ui_asset {
    const char *path; /* the whole request path: "/ui/index.html", "/ui/assets/index-Bx3.js" */
    const char *mime; /* for Content-Type, with its charset */
    const unsigned char *gz; /* the body; send it with Content-Encoding: gzip */
    unsigned long gz_len;    /* bytes in gz */
    const char *etag;        /* quoted, strong, of the uncompressed body */
    int immutable;           /* 1: the name holds a hash of the content, cache it for ever */
};

extern const struct ui_asset ui_assets[];
extern const unsigned long ui_assets_count; /* without the ending row */

#endif
