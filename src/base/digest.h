/* Hashes and secrets: SHA-256, HMAC-SHA-256, random bytes, base64url (over OpenSSL). Any thread. */
#ifndef SLUICE_BASE_DIGEST_H
#define SLUICE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define DIGEST_SHA256_BYTES 32

void digest_sha256(struct str text, uint8_t out[DIGEST_SHA256_BYTES]);
void digest_hmac_sha256(struct str key, struct str text, uint8_t out[DIGEST_SHA256_BYTES]);
/* In a time that does not tell where they differ. */
bool digest_eq(const void *a, const void *b, size_t n);
/* From the system's source; the program ends when there is none. */
void digest_random(void *out, size_t n);

#define BASE64URL_BYTES(n) (((n)*4 + 2) / 3) /* of n bytes, without padding or terminator */
void base64url_append(struct buf *out, const void *bytes, size_t n);
void base64_append(struct buf *out, const void *bytes, size_t n); /* RFC 4648, 4: padded */
/* Strict: no padding, no other letters, no bits left over. -1: it is none, or longer than max. */
int base64url_decode(struct str text, void *out, size_t max);

#endif
