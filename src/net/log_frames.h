/* WebSocket text frames in a row: how events stand in tails and chunks. Only for log*.c. */
#ifndef SLUICE_NET_LOG_FRAMES_H
#define SLUICE_NET_LOG_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define FRAME_HEADER_MAX 10

/* Bytes that n payload bytes take as a frame. */
size_t frame_size(size_t n);
/* Writes the header for n payload bytes at p; returns its bytes (2, 4 or 10). */
size_t frame_write_header(unsigned char *p, size_t n);
/* The payload of the frame at p, which frame_write_header() wrote. */
struct str frame_payload(const unsigned char *p);

/* Cuts the first line off `lines` (joined by '\n'). False when there is none left. */
bool frame_next_line(struct str *lines, struct str *line);

#endif
