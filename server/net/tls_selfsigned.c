#include "net/tls_selfsigned.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <stdbool.h>

enum { DAYS = 90 };

/* RFC 5280 4.1.2.2 allows 20 octets; 127 bits fit, sign included. */
enum { SERIAL_BITS = 127 };

static bool set_serial(X509 *cert)
{
    BIGNUM *n = BN_new();
    bool ok = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

static bool set_name(X509 *cert)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_txt(
               name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0) &&
           X509_set_issuer_name(cert, name);
}

static bool set_validity(X509 *cert)
{
    return X509_gmtime_adj(X509_getm_notBefore(cert), 0) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), DAYS, 0, NULL);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_extensions(X509 *cert)
{
    static const struct {
        int nid;
        const char *value;
    } extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1"},
        {NID_subject_key_identifier, "hash"},
    };
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
        if (!add_extension(cert, extensions[i].nid, extensions[i].value))
            return false;
    }
    return true;
}

static bool fill(X509 *cert, EVP_PKEY *key)
{
    return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) && set_name(cert) &&
           set_validity(cert) && X509_set_pubkey(cert, key) && add_extensions(cert) &&
           X509_sign(cert, key, EVP_sha256());
}

enum rc tls_selfsigned(X509 **cert, EVP_PKEY **key)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *c = X509_new();
    if (!k || !c || !fill(c, k)) {
        EVP_PKEY_free(k);
        X509_free(c);
        return RC_SYSTEM;
    }
    *cert = c;
    *key = k;
    return RC_OK;
}
