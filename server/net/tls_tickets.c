#include "net/tls_tickets.h"

#include "net/tls_private.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

/* The return values that OpenSSL expects of on_ticket. */
enum { TICKET_FAILED = -1, TICKET_UNKNOWN = 0, TICKET_OK = 1, TICKET_RENEW = 2 };

static enum rc make_key(struct tls_ticket_key *key)
{
    return RAND_bytes(key->name, sizeof key->name) == 1 &&
                   RAND_priv_bytes(key->aes, sizeof key->aes) == 1 &&
                   RAND_priv_bytes(key->hmac, sizeof key->hmac) == 1
               ? RC_OK
               : RC_SYSTEM;
}

enum rc tls_tickets_init(struct tls_tickets *t)
{
    enum rc rc = RC_OK;
    for (int i = 0; rc == RC_OK && i < TLS_TICKET_KEYS; i++)
        rc = make_key(&t->keys[i]);
    return rc;
}

enum rc tls_tickets_rotate(struct tls_tickets *t)
{
    struct tls_ticket_key fresh;
    enum rc rc = make_key(&fresh);
    if (rc)
        return rc;
    memmove(&t->keys[1], &t->keys[0], (TLS_TICKET_KEYS - 1) * sizeof fresh);
    t->keys[0] = fresh;
    return RC_OK;
}

static int find(const struct tls_tickets *t, const unsigned char name[TLS_TICKET_NAME])
{
    int i = 0;
    while (i < TLS_TICKET_KEYS && memcmp(t->keys[i].name, name, TLS_TICKET_NAME) != 0)
        i++;
    return i;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, sizeof key->hmac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params);
}

static int seal(const struct tls_ticket_key *key, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    memcpy(name, key->name, sizeof key->name);
    return RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 && set_mac(mac, key) &&
                   EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv)
               ? TICKET_OK
               : TICKET_FAILED;
}

/* A ticket under an older key is accepted, and replaced by one under the first key. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int sealing)
{
    const struct tls_tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (sealing)
        return seal(&t->keys[0], name, iv, cipher, mac);
    int i = find(t, name);
    if (i == TLS_TICKET_KEYS)
        return TICKET_UNKNOWN;
    if (!set_mac(mac, &t->keys[i]) ||
        !EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, t->keys[i].aes, iv))
        return TICKET_FAILED;
    return i == 0 ? TICKET_OK : TICKET_RENEW;
}

void tls_tickets_use(struct tls *tls, const struct tls_tickets *t)
{
    for (size_t i = 0; i < tls->count; i++) {
        SSL_CTX_set_app_data(tls->contexts[i], (void *)t);
        SSL_CTX_set_tlsext_ticket_key_evp_cb(tls->contexts[i], on_ticket);
    }
}
