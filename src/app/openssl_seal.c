#include "app/openssl_seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/mem.h"

#define NONCE_BYTES 12
#define TAG_BYTES   16
#define PREFIX      "v1."

/* ---- keys ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool hex_read(struct str text, uint8_t out[SEAL_KEY_BYTES])
{
    if (text.n != (size_t)2 * SEAL_KEY_BYTES)
        return false;
    for (size_t i = 0; i < SEAL_KEY_BYTES; i++) {
        int high = hex_digit(text.p[2 * i]), low = hex_digit(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int seal_key_of_text(struct seal_key *k, struct str text, struct errbuf *e)
{
    if (text.n < SEAL_TEXT_MIN)
        return err_set(e, ERR_INVALID, "the secret key has less than %d characters", SEAL_TEXT_MIN);
    if (!hex_read(text, k->bytes))
        digest_sha256(text, k->bytes);
    k->is_set = true;
    return 0;
}

static int file_fail(struct errbuf *e, const char *path)
{
    return err_set(e, ERR_IO, "%s: %s", path, strerror(errno));
}

/* Whole or not at all: written beside it, and put there unless somebody else has. */
static int key_make(const char *path, struct errbuf *e)
{
    uint8_t bytes[SEAL_KEY_BYTES];
    char text[2 * SEAL_KEY_BYTES + 2], temp[4200];
    digest_random(bytes, sizeof(bytes));
    for (int i = 0; i < SEAL_KEY_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    text[2 * SEAL_KEY_BYTES] = '\n';
    snprintf(temp, sizeof(temp), "%s.%ld", path, (long)getpid());
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return file_fail(e, temp);
    bool written = write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1 && !fsync(fd);
    close(fd);
    int rc = !written                                   ? file_fail(e, temp)
             : link(temp, path) != 0 && errno != EEXIST ? file_fail(e, path)
                                                        : 0;
    unlink(temp);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(text, sizeof(text));
    return rc;
}

int seal_key_of_folder(struct seal_key *k, const char *dir, bool make, struct errbuf *e)
{
    char path[4096], text[2 * SEAL_KEY_BYTES];
    if ((size_t)snprintf(path, sizeof(path), "%s/secret.key", dir) >= sizeof(path))
        return err_set(e, ERR_IO, "the name of the folder is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !make)
        return 0;
    if (fd < 0 && errno == ENOENT) {
        int rc = key_make(path, e);
        if (rc)
            return rc;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return file_fail(e, path);
    ssize_t n = read(fd, text, sizeof(text));
    close(fd);
    k->is_set = n == (ssize_t)sizeof(text) && hex_read((struct str){text, sizeof(text)}, k->bytes);
    OPENSSL_cleanse(text, sizeof(text));
    return k->is_set ? 0 : err_set(e, ERR_IO, "%s: expected %zu hex digits", path, sizeof(text));
}

/* ---- sealing ---- */

void seal_close(const struct seal_key *k, struct str secret, struct str bound, struct buf *out)
{
    size_t n = NONCE_BYTES + secret.n + TAG_BYTES;
    uint8_t *raw = mem_zalloc(n);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int len;
    assert(k->is_set);
    digest_random(raw, NONCE_BYTES);
    if (!c || !EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->bytes, raw) ||
        !EVP_EncryptUpdate(c, NULL, &len, (const uint8_t *)bound.p, (int)bound.n) ||
        !EVP_EncryptUpdate(c, raw + NONCE_BYTES, &len, (const uint8_t *)secret.p, (int)secret.n) ||
        !EVP_EncryptFinal_ex(c, raw + NONCE_BYTES + len, &len) ||
        !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, raw + n - TAG_BYTES))
        abort(); /* out of memory: nothing that a peer chose is large here */
    EVP_CIPHER_CTX_free(c);
    buf_append_z(out, PREFIX);
    base64url_append(out, raw, n);
    free(raw);
}

static bool gcm_open(const struct seal_key *k, uint8_t *raw, size_t n, struct str bound)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    size_t text = n - NONCE_BYTES - TAG_BYTES;
    uint8_t *at = raw + NONCE_BYTES;
    int len;
    bool ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, k->bytes, raw) &&
              EVP_DecryptUpdate(c, NULL, &len, (const uint8_t *)bound.p, (int)bound.n) &&
              EVP_DecryptUpdate(c, at, &len, at, (int)text) &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, raw + n - TAG_BYTES) &&
              EVP_DecryptFinal_ex(c, at + len, &len) > 0;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

int seal_open(const struct seal_key *k, struct str sealed, struct str bound, struct buf *out,
              struct errbuf *e)
{
    size_t skip = sizeof(PREFIX) - 1;
    bool ours = k->is_set && sealed.n > skip && memcmp(sealed.p, PREFIX, skip) == 0;
    uint8_t *raw = mem_zalloc(sealed.n + 1);
    int n =
        ours ? base64url_decode((struct str){sealed.p + skip, sealed.n - skip}, raw, sealed.n) : -1;
    bool ok = n >= NONCE_BYTES + TAG_BYTES && gcm_open(k, raw, (size_t)n, bound);
    if (ok)
        buf_append(out, raw + NONCE_BYTES, (size_t)n - NONCE_BYTES - TAG_BYTES);
    OPENSSL_cleanse(raw, sealed.n);
    free(raw);
    return ok ? 0 : err_set(e, ERR_CORRUPT, "the secret does not open with this server's key");
}
