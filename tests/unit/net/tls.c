/* The server's TLS against a client of OpenSSL: bytes go between the client's memory BIOs and the
 * wire, and no socket is there. */
#include "net/tls_private.h"
#include "net/tls_tickets.h"

#include "core/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Files: made once for all tests. */

static char dir[] = "/tmp/moontrail-tls-XXXXXX";

enum file {
    FIRST_CERT,
    FIRST_KEY,
    SECOND_CERT,
    SECOND_KEY,
    WILD_CERT,
    WILD_KEY,
    RSA_CERT,
    RSA_KEY,
    BOTH_CERT, /* RSA, of the first's name and another */
    BOTH_KEY,
    EXACT_CERT, /* of a name that the wildcard has too, as its third */
    EXACT_KEY,
    WEAK_CERT,
    WEAK_KEY,
    CHAIN,
    GARBAGE,
    BROKEN,
    ENCRYPTED,
    ENCRYPTED_OLD,
    MISSING,
    FILES,
};
static char paths[FILES][64];

static FILE *create(enum file file)
{
    FILE *f = fopen(paths[file], "w");
    assert_non_null(f);
    return f;
}

static void write_text(enum file file, const char *text)
{
    FILE *f = create(file);
    fputs(text, f);
    fclose(f);
}

static X509 *make_cert(EVP_PKEY *key, const char *name)
{
    char san[128];
    X509V3_CTX ctx;
    X509 *cert = X509_new();
    snprintf(san, sizeof san, "DNS:%s", name);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, san);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

/* Takes the key over. */
static void write_pair(enum file cert_file, enum file key_file, EVP_PKEY *key, const char *name)
{
    assert_non_null(key);
    X509 *cert = make_cert(key, name);
    FILE *f = create(cert_file);
    PEM_write_X509(f, cert);
    fclose(f);
    f = create(key_file);
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void write_encrypted(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *f = create(ENCRYPTED);
    PEM_write_PKCS8PrivateKey(f, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL);
    fclose(f);
    BIO *bio = BIO_new_file(paths[ENCRYPTED_OLD], "w");
    PEM_write_bio_PrivateKey_traditional(
        bio, key, EVP_aes_128_cbc(), (unsigned char *)"secret", 6, NULL, NULL);
    BIO_free(bio);
    EVP_PKEY_free(key);
}

/* A certificate of the first key's, and one of another's after it. */
static void write_chain(void)
{
    FILE *f = create(CHAIN);
    enum file parts[] = {FIRST_CERT, SECOND_CERT};
    for (size_t i = 0; i < 2; i++) {
        FILE *part = fopen(paths[parts[i]], "r");
        for (int c = getc(part); c != EOF; c = getc(part))
            putc(c, f);
        fclose(part);
    }
    fclose(f);
}

static int make_files(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    for (size_t i = 0; i < FILES; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%zu.pem", dir, i);
    write_pair(FIRST_CERT, FIRST_KEY, EVP_EC_gen("P-256"), "first.test");
    write_pair(SECOND_CERT, SECOND_KEY, EVP_EC_gen("P-256"), "second.test");
    write_pair(WILD_CERT, WILD_KEY, EVP_EC_gen("P-256"), "*.wild.test");
    write_pair(RSA_CERT, RSA_KEY, EVP_RSA_gen(2048), "rsa.test");
    write_pair(BOTH_CERT, BOTH_KEY, EVP_RSA_gen(2048), "first.test,DNS:both.test");
    write_pair(EXACT_CERT, EXACT_KEY, EVP_EC_gen("P-256"),
        "third.test,DNS:fourth.test,DNS:exact.wild.test");
    write_pair(WEAK_CERT, WEAK_KEY, EVP_RSA_gen(1024), "weak.test");
    write_chain();
    write_encrypted();
    write_text(GARBAGE, "no certificate, and no key\n");
    write_text(BROKEN, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
                       "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < FILES; i++)
        (void)unlink(paths[i]);
    return rmdir(dir);
}

/* A server and its client. */

struct pair {
    struct tls *tls;
    struct transport server;
    SSL_CTX *client_ctx;
    SSL *client;
    BIO *to_client, *from_client;
    size_t step; /* bytes that reach the server at once */
    bool met;
    enum rc rc;      /* the server's last result */
    const char *why; /* of a failed handshake */
    size_t received; /* by the server, of the pattern */
};

static struct wire wire;
static struct pair pair;
static uint64_t blocks_before;

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) + (i >> 16));
}

static struct tls *new_tls(const struct tls_files *files, size_t count)
{
    struct tls *tls = NULL;
    char why[TLS_WHY] = "";
    if (tls_new(files, count, &tls, why))
        fail_msg("%s", why);
    return tls;
}

static void serve_many(const struct tls_files *files, size_t count)
{
    pair.tls = new_tls(files, count);
}

/* The three certificates of the tests on names. */
static void serve_names(void)
{
    const struct tls_files files[] = {
        {paths[FIRST_CERT], paths[FIRST_KEY]},
        {paths[SECOND_CERT], paths[SECOND_KEY]},
        {paths[WILD_CERT], paths[WILD_KEY]},
    };
    serve_many(files, 3);
}

static void serve(void)
{
    serve_many(&(struct tls_files){paths[FIRST_CERT], paths[FIRST_KEY]}, 1);
}

/* A new connection; the client offers h2 in the given version of TLS. */
static void join(int version)
{
    pair.client_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(pair.client_ctx, version < TLS1_2_VERSION ? 0 : 2);
    SSL_CTX_set_min_proto_version(pair.client_ctx, version);
    SSL_CTX_set_max_proto_version(pair.client_ctx, version);
    pair.client = SSL_new(pair.client_ctx);
    pair.to_client = BIO_new(BIO_s_mem());
    pair.from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(pair.client, pair.to_client, pair.from_client);
    SSL_set_connect_state(pair.client);
    SSL_set_alpn_protos(pair.client, (const unsigned char *)"\2h2", 3);
    wire.in_left = wire.out_len = 0;
    assert_int_equal(tls_transport(&pair.server, pair.tls, &wire), RC_OK);
    pair.step = WIRE_IN;
    pair.met = false;
    pair.rc = RC_AGAIN;
    pair.why = NULL;
    pair.received = 0;
}

static void leave(void)
{
    if (pair.client) {
        pair.server.ops->fini(&pair.server);
        /* Else the client takes its session for one that must not be resumed. */
        SSL_set_shutdown(pair.client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(pair.client);
        SSL_CTX_free(pair.client_ctx);
    }
    pair.client = NULL;
}

static void stop(void)
{
    leave();
    tls_free(pair.tls);
    pair.tls = NULL;
}

static void deliver(void)
{
    if (wire.out_len)
        BIO_write(pair.to_client, wire.out, (int)wire.out_len);
    wire.out_len = 0;
}

static void open_all(void)
{
    const uint8_t *data;
    size_t n;
    while ((pair.rc = pair.server.ops->open(&pair.server, &data, &n)) == RC_OK) {
        for (size_t i = 0; i < n; i++) {
            if (data[i] != pattern(pair.received++))
                fail_msg("byte %zu is wrong", pair.received - 1);
        }
    }
}

/* A server's turn with what is on the wire. */
static void take(void)
{
    if (!pair.met) {
        pair.rc = pair.server.ops->handshake(&pair.server, &pair.why);
        pair.met = pair.rc == RC_OK;
    }
    if (pair.met)
        open_all();
    if (pair.rc == RC_AGAIN)
        assert_int_equal(wire.in_left, 0);
    deliver();
}

/* Brings all that the client has written to the server; whether there was any. */
static bool bring(void)
{
    bool any = false;
    while (pair.rc == RC_AGAIN && BIO_pending(pair.from_client) > 0) {
        wire.in_next = wire.in;
        wire.in_left = (size_t)BIO_read(pair.from_client, wire.in, (int)pair.step);
        take();
        any = true;
    }
    return any;
}

static void put(const void *data, size_t n)
{
    memcpy(wire.in, data, n);
    wire.in_next = wire.in;
    wire.in_left = n;
    take();
}

/* Whether both sides end their handshake. */
static bool meet(void)
{
    int done;
    char none;
    do {
        ERR_clear_error();
        done = SSL_do_handshake(pair.client);
    } while (bring());
    if (done != 1 || !pair.met)
        return false;
    /* The tickets of TLS 1.3 come after it. */
    assert_int_equal(SSL_read(pair.client, &none, 1), -1);
    return true;
}

/* What the client's last call said; "" for nothing. */
static const char *client_error(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    return text ? text : "";
}

static struct tls_info info(void)
{
    return tls_info(&pair.server);
}

static int set_up(void **state)
{
    (void)state;
    memset(&pair, 0, sizeof pair);
    ERR_clear_error();
    blocks_before = mem_stats()->blocks;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop();
    mem_fail_at(0, 0);
    return mem_stats()->blocks == blocks_before ? 0 : -1;
}

/* Handshake. */

static void Handshake_Tls13_AgreesOnH2(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    assert_true(meet());
    assert_string_equal(info().version, "TLSv1.3");
    assert_string_equal(info().cipher, SSL_get_cipher_name(pair.client));
    assert_string_equal(info().alpn, "h2");
    assert_null(info().sni);
}

static void Handshake_Tls12_AgreesOnH2(void **state)
{
    (void)state;
    serve();
    join(TLS1_2_VERSION);
    assert_true(meet());
    assert_string_equal(info().version, "TLSv1.2");
    assert_string_equal(info().cipher, "ECDHE-ECDSA-AES256-GCM-SHA384");
    assert_string_equal(info().alpn, "h2");
}

static void Handshake_Tls11_Refused(void **state)
{
    (void)state;
    serve();
    join(TLS1_1_VERSION);
    assert_false(meet());
    assert_int_equal(pair.rc, RC_PROTOCOL);
    assert_string_equal(pair.why, "unsupported protocol");
    assert_string_equal(client_error(), "tlsv1 alert protocol version");
}

static void Handshake_CbcAlone_Refused(void **state)
{
    (void)state;
    serve();
    join(TLS1_2_VERSION);
    SSL_set_cipher_list(pair.client, "ECDHE-ECDSA-AES128-SHA256");
    assert_false(meet());
    assert_string_equal(pair.why, "no shared cipher");
}

static void Handshake_ChachaFirst_Chosen(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    SSL_set_ciphersuites(pair.client, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384");
    assert_true(meet());
    assert_string_equal(info().cipher, "TLS_CHACHA20_POLY1305_SHA256");
}

static void Handshake_ByteByByte_Agrees(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        serve();
        join(version);
        pair.step = 1;
        assert_true(meet());
        stop();
    }
}

static void Handshake_Garbage_Refused(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    put("GET / HTTP/1.1\r\n", 16);
    assert_int_equal(pair.rc, RC_PROTOCOL);
    assert_string_equal(pair.why, "http request");
}

static void Handshake_ClosedByClient_Fails(void **state)
{
    static const uint8_t close_notify[] = {21, 3, 1, 0, 2, 1, 0};
    (void)state;
    serve();
    join(TLS1_2_VERSION);
    (void)SSL_do_handshake(pair.client);
    bring();
    put(close_notify, sizeof close_notify);
    assert_int_equal(pair.rc, RC_PROTOCOL);
    assert_non_null(pair.why);
}

static void Handshake_WithoutRoom_Fails(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    (void)SSL_do_handshake(pair.client);
    wire.in_next = wire.in;
    wire.in_left = (size_t)BIO_read(pair.from_client, wire.in, WIRE_IN);
    wire.out_len = WIRE_OUT - 10;
    assert_int_equal(pair.server.ops->handshake(&pair.server, &pair.why), RC_PROTOCOL);
    assert_non_null(pair.why);
    assert_int_equal(wire.out_len, WIRE_OUT - 10);
}

/* ALPN. */

static void Alpn_H2AmongOthers_Chosen(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    SSL_set_alpn_protos(pair.client, (const unsigned char *)"\10http/1.1\3h2c\2h2", 16);
    assert_true(meet());
    assert_string_equal(info().alpn, "h2");
}

static void Alpn_Http1WithoutH2_Chosen(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    SSL_set_alpn_protos(pair.client, (const unsigned char *)"\10http/1.0\10http/1.1", 18);
    assert_true(meet());
    assert_string_equal(info().alpn, "http/1.1");
    stop();
    serve();
    join(TLS1_3_VERSION);
    SSL_set_alpn_protos(pair.client, (const unsigned char *)"\3h2c\10http/1.0", 13);
    assert_true(meet());
    assert_string_equal(info().alpn, "http/1.0");
}

static void Alpn_Absent_Accepted(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    SSL_set_alpn_protos(pair.client, NULL, 0);
    assert_true(meet());
    assert_null(info().alpn);
}

static void Alpn_WithoutHttp_Refused(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        serve();
        join(version);
        SSL_set_alpn_protos(pair.client, (const unsigned char *)"\10http/0.9\3h2c", 13);
        assert_false(meet());
        assert_int_equal(pair.rc, RC_PROTOCOL);
        assert_string_equal(pair.why, "no application protocol");
        assert_string_equal(client_error(), "tlsv1 alert no application protocol");
        stop();
    }
}

/* Names. */

/* Whether a client that asks for the name is shown the certificate of another. */
static bool shown(int version, const char *asked, const char *name)
{
    join(version);
    SSL_set_tlsext_host_name(pair.client, asked);
    assert_true(meet());
    assert_string_equal(info().sni, asked);
    assert_string_equal(info().alpn, "h2");
    X509 *cert = SSL_get1_peer_certificate(pair.client);
    bool is = X509_check_host(cert, name, 0, 0, NULL) == 1;
    X509_free(cert);
    leave();
    return is;
}

static void Sni_Known_PicksCertificate(void **state)
{
    (void)state;
    serve_names();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        assert_true(shown(version, "first.test", "first.test"));
        assert_true(shown(version, "second.test", "second.test"));
        assert_true(shown(version, "SECOND.test", "second.test"));
        assert_true(shown(version, "a.wild.test", "b.wild.test"));
    }
}

static void Sni_Unknown_GetsFirst(void **state)
{
    (void)state;
    serve_names();
    assert_true(shown(TLS1_3_VERSION, "third.test", "first.test"));
    assert_true(shown(TLS1_2_VERSION, "wild.test", "first.test"));
    assert_true(shown(TLS1_3_VERSION, "a.b.wild.test", "first.test"));
}

static void Sni_Absent_GetsFirst(void **state)
{
    (void)state;
    serve_names();
    join(TLS1_3_VERSION);
    assert_true(meet());
    X509 *cert = SSL_get1_peer_certificate(pair.client);
    assert_int_equal(X509_check_host(cert, "first.test", 0, 0, NULL), 1);
    X509_free(cert);
    assert_null(info().sni);
}

static void Sni_ExactName_BeforeWildcard(void **state)
{
    const struct tls_files exact = {paths[EXACT_CERT], paths[EXACT_KEY]},
                           wild = {paths[WILD_CERT], paths[WILD_KEY]};
    (void)state;
    for (int exact_first = 0; exact_first <= 1; exact_first++) {
        const struct tls_files files[] = {exact_first ? exact : wild, exact_first ? wild : exact};
        serve_many(files, 2);
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            assert_true(shown(version, "exact.wild.test", "fourth.test"));
            assert_true(shown(version, "EXACT.Wild.test", "fourth.test"));
            assert_true(shown(version, "other.wild.test", "some.wild.test"));
        }
        stop();
    }
}

/* Kinds of one name. */

enum can { CAN_BOTH, CAN_ECDSA, CAN_RSA };

static void join_with(int version, enum can can)
{
    static const char *const algorithms[] = {
        "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256", "ECDSA+SHA256", "RSA-PSS+SHA256:RSA+SHA256"};
    static const char *const ciphers[] = {
        "ECDHE+AESGCM", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"};
    join(version);
    SSL_set1_sigalgs_list(pair.client, algorithms[can]);
    SSL_set_cipher_list(pair.client, ciphers[can]);
}

/* The kind of the key in the certificate that such a client is shown. */
static int kind_shown(int version, enum can can, const char *name)
{
    join_with(version, can);
    if (name)
        SSL_set_tlsext_host_name(pair.client, name);
    assert_true(meet());
    X509 *cert = SSL_get1_peer_certificate(pair.client);
    int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(cert));
    X509_free(cert);
    leave();
    return kind;
}

static void Kinds_OfOneName_ChosenByClient(void **state)
{
    static const char *const names[] = {"first.test", "nobody.test", NULL};
    const struct tls_files ec = {paths[FIRST_CERT], paths[FIRST_KEY]},
                           rsa = {paths[BOTH_CERT], paths[BOTH_KEY]},
                           third = {paths[SECOND_CERT], paths[SECOND_KEY]};
    const struct tls_files orders[][3] = {{ec, rsa, third}, {rsa, ec, third}, {third, rsa, ec}};
    (void)state;
    for (size_t i = 0; i < 9; i++) {
        serve_many(orders[i / 3], 3);
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            assert_int_equal(kind_shown(version, CAN_ECDSA, names[i % 3]), EVP_PKEY_EC);
            assert_int_equal(kind_shown(version, CAN_RSA, names[i % 3]), EVP_PKEY_RSA);
            assert_int_equal(kind_shown(version, CAN_BOTH, "first.test"), EVP_PKEY_EC);
            assert_int_equal(kind_shown(version, CAN_BOTH, "both.test"), EVP_PKEY_RSA);
        }
        stop();
    }
}

static void Kinds_NoneThatSuits_Refused(void **state)
{
    const struct tls_files files[] = {
        {paths[FIRST_CERT], paths[FIRST_KEY]}, {paths[BOTH_CERT], paths[BOTH_KEY]}};
    (void)state;
    serve_many(files, 2);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        join_with(version, CAN_ECDSA);
        SSL_set_tlsext_host_name(pair.client, "both.test");
        assert_false(meet());
        assert_int_equal(pair.rc, RC_PROTOCOL);
        leave();
    }
}

static void Kinds_CurveThatClientLacks_Rsa(void **state)
{
    const struct tls_files files[] = {
        {paths[FIRST_CERT], paths[FIRST_KEY]}, {paths[BOTH_CERT], paths[BOTH_KEY]}};
    (void)state;
    serve_many(files, 2);
    join(TLS1_2_VERSION);
    SSL_set1_groups_list(pair.client, "X25519");
    SSL_set_tlsext_host_name(pair.client, "first.test");
    assert_true(meet());
    assert_string_equal(info().cipher, "ECDHE-RSA-AES256-GCM-SHA384");
}

static void Pair_ThatIsNeverChosen_Told(void **state)
{
    const struct tls_files files[] = {{paths[FIRST_CERT], paths[FIRST_KEY]},
        {paths[BOTH_CERT], paths[BOTH_KEY]}, {paths[FIRST_CERT], paths[FIRST_KEY]},
        {paths[WILD_CERT], paths[WILD_KEY]}, {paths[EXACT_CERT], paths[EXACT_KEY]},
        {paths[BOTH_CERT], paths[BOTH_KEY]}};
    (void)state;
    serve_many(files, 6);
    assert_int_equal(tls_next_idle(pair.tls, 0), 2);
    assert_int_equal(tls_next_idle(pair.tls, 3), 5);
    assert_int_equal(tls_next_idle(pair.tls, 6), 6);
    stop();
    serve();
    assert_int_equal(tls_next_idle(pair.tls, 0), 1);
}

/* Groups. */

/* The group that a client which offers those gets; NULL where it gets none. */
static const char *group_of(int version, const char *offered)
{
    static char name[32];
    join(version);
    assert_true(SSL_set1_groups_list(pair.client, offered));
    bool met = meet();
    if (met) {
        EVP_PKEY *key = NULL;
        SSL_get_peer_tmp_key(pair.client, &key);
        if (EVP_PKEY_get_group_name(key, name, sizeof name, NULL) != 1)
            snprintf(name, sizeof name, "%s", OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
        EVP_PKEY_free(key);
    }
    leave();
    return met ? name : NULL;
}

static void Groups_OursAlone_AgreedUpon(void **state)
{
    (void)state;
    serve();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        assert_string_equal(group_of(version, "X25519:P-256"), "X25519");
        assert_string_equal(group_of(version, "P-521:P-256"), "prime256v1");
        assert_null(group_of(version, "P-521"));
        assert_null(group_of(version, "X448"));
    }
    assert_string_equal(group_of(TLS1_3_VERSION, "X25519"), "X25519");
    assert_null(group_of(TLS1_3_VERSION, "ffdhe2048"));
    assert_null(group_of(TLS1_3_VERSION, "ffdhe8192:ffdhe2048"));
    assert_string_equal(group_of(TLS1_3_VERSION, "ffdhe8192:X25519"), "X25519");
}

static void Groups_P384_ForClientThatHasNoOther(void **state)
{
    (void)state;
    serve();
    assert_string_equal(group_of(TLS1_3_VERSION, "P-384"), "secp384r1");
    assert_string_equal(group_of(TLS1_3_VERSION, "P-521:P-384"), "secp384r1");
    assert_string_equal(group_of(TLS1_3_VERSION, "P-384:X25519"), "X25519");
    assert_string_equal(group_of(TLS1_3_VERSION, "P-384:P-256"), "prime256v1");
    assert_string_equal(group_of(TLS1_2_VERSION, "P-384:P-256:X25519"), "X25519");
}

/* Certificates. */

static void refused(enum file cert, enum file key, const char *format, ...)
{
    char expected[TLS_WHY], why[TLS_WHY] = "";
    struct tls *tls = NULL;
    const struct tls_files files[] = {
        {paths[FIRST_CERT], paths[FIRST_KEY]}, {paths[cert], paths[key]}};
    va_list args;
    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    assert_int_equal(tls_new(files, 2, &tls, why), RC_INVALID);
    assert_null(tls);
    assert_string_equal(why, expected);
    assert_int_equal(ERR_peek_error(), 0);
}

static void Certificate_Unreadable_Named(void **state)
{
    (void)state;
    refused(MISSING, FIRST_KEY, "certificate \"%s\" cannot be read: No such file or directory",
        paths[MISSING]);
    refused(GARBAGE, FIRST_KEY, "\"%s\" holds no PEM certificate", paths[GARBAGE]);
    refused(FIRST_KEY, FIRST_KEY, "\"%s\" holds no PEM certificate", paths[FIRST_KEY]);
}

static void Certificate_Unusable_Named(void **state)
{
    char why[TLS_WHY];
    struct tls *tls;
    (void)state;
    refused(WEAK_CERT, WEAK_KEY, "certificate \"%s\" cannot be used: ee key too small",
        paths[WEAK_CERT]);
    const struct tls_files broken = {paths[BROKEN], paths[FIRST_KEY]};
    assert_int_equal(tls_new(&broken, 1, &tls, why), RC_INVALID);
    assert_non_null(strstr(why, "cannot be used: "));
}

static void Key_Unreadable_Named(void **state)
{
    (void)state;
    refused(FIRST_CERT, MISSING, "key \"%s\" cannot be read: No such file or directory",
        paths[MISSING]);
    refused(FIRST_CERT, GARBAGE, "\"%s\" holds no PEM private key", paths[GARBAGE]);
    refused(FIRST_CERT, FIRST_CERT, "\"%s\" holds no PEM private key", paths[FIRST_CERT]);
    refused(FIRST_CERT, BROKEN, "\"%s\" holds no PEM private key", paths[BROKEN]);
}

static void Key_OfAnotherCertificate_Named(void **state)
{
    (void)state;
    refused(FIRST_CERT, SECOND_KEY, "key \"%s\" does not match certificate \"%s\"",
        paths[SECOND_KEY], paths[FIRST_CERT]);
    refused(FIRST_CERT, RSA_KEY, "key \"%s\" does not match certificate \"%s\"", paths[RSA_KEY],
        paths[FIRST_CERT]);
    refused(CHAIN, SECOND_KEY,
        "key \"%s\" does not match the first certificate of \"%s\" but a later one: the chain is "
        "in "
        "the wrong order, the server's own certificate goes first",
        paths[SECOND_KEY], paths[CHAIN]);
}

static void Key_Encrypted_Named(void **state)
{
    static const char message[] = "key \"%s\" is encrypted: give one without a passphrase";
    (void)state;
    refused(FIRST_CERT, ENCRYPTED, message, paths[ENCRYPTED]);
    refused(FIRST_CERT, ENCRYPTED_OLD, message, paths[ENCRYPTED_OLD]);
}

static void Certificate_LongName_Cut(void **state)
{
    char name[2 * TLS_WHY], why[TLS_WHY];
    struct tls *tls;
    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(tls_new(&(struct tls_files){name, name}, 1, &tls, why), RC_INVALID);
    assert_int_equal(strlen(why), TLS_WHY - 1);
}

static void Certificate_Chain_Sent(void **state)
{
    (void)state;
    serve_many(&(struct tls_files){paths[CHAIN], paths[FIRST_KEY]}, 1);
    join(TLS1_3_VERSION);
    assert_true(meet());
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(pair.client);
    assert_int_equal(sk_X509_num(chain), 2);
    assert_int_equal(X509_check_host(sk_X509_value(chain, 1), "second.test", 0, 0, NULL), 1);
}

static void Certificate_Rsa_Served(void **state)
{
    (void)state;
    serve_many(&(struct tls_files){paths[RSA_CERT], paths[RSA_KEY]}, 1);
    join(TLS1_2_VERSION);
    assert_true(meet());
    assert_string_equal(info().cipher, "ECDHE-RSA-AES256-GCM-SHA384");
}

static X509 *selfsigned(void)
{
    serve_many(NULL, 0);
    join(TLS1_3_VERSION);
    assert_true(meet());
    X509 *cert = SSL_get1_peer_certificate(pair.client);
    stop();
    return cert;
}

/* Whether a client that trusts the certificate itself accepts it of a server. */
static bool trusted(X509 *cert)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, cert);
    X509_STORE_CTX_init(ctx, store, cert, NULL);
    X509_STORE_CTX_set_default(ctx, "ssl_server");
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
    bool ok = X509_verify_cert(ctx) == 1;
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return ok;
}

static void Selfsigned_Localhost_Served(void **state)
{
    int days, seconds;
    (void)state;
    X509 *cert = selfsigned();
    assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
    ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert), X509_get0_notAfter(cert));
    assert_int_equal(days, 90);
    assert_int_equal(X509_get_signature_nid(cert), NID_ecdsa_with_SHA256);
    assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
    assert_true(trusted(cert));
    X509_free(cert);
}

static void Selfsigned_Serial_Random(void **state)
{
    (void)state;
    X509 *a = selfsigned(), *b = selfsigned();
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)), 0);
    X509_free(a);
    X509_free(b);
}

/* Sessions. */

/* Meets under the name, with the session where there is one; returns what a later one takes. */
static SSL_SESSION *visit(int version, const char *name, SSL_SESSION *session)
{
    join(version);
    if (name)
        SSL_set_tlsext_host_name(pair.client, name);
    if (session)
        SSL_set_session(pair.client, session);
    assert_true(meet());
    assert_int_equal(SSL_session_reused(pair.client), session != NULL);
    assert_string_equal(info().alpn, "h2");
    if (name)
        assert_string_equal(info().sni, name);
    else
        assert_null(info().sni);
    SSL_SESSION *next = SSL_get1_session(pair.client);
    assert_true(SSL_SESSION_has_ticket(next) && SSL_SESSION_is_resumable(next));
    leave();
    SSL_SESSION_free(session);
    return next;
}

static void Resumption_AnyName_Resumes(void **state)
{
    static const char *const names[] = {NULL, "first.test", "second.test", "a.wild.test", "third"};
    (void)state;
    serve_names();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            SSL_SESSION *session = visit(version, names[i], NULL);
            session = visit(version, names[i], session);
            SSL_SESSION_free(visit(version, names[i], session));
        }
    }
}

/* Whether the server resumes a session, which the caller keeps, under the name. */
static bool resumes_as(int version, const char *name, SSL_SESSION *session)
{
    /* A client of OpenSSL's sends the session's own name unless it has another. */
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    if (!name)
        SSL_SESSION_set1_hostname(copy, NULL);
    join(version);
    if (name)
        SSL_set_tlsext_host_name(pair.client, name);
    SSL_set_session(pair.client, copy);
    assert_true(meet());
    bool resumed = SSL_session_reused(pair.client);
    if (name)
        assert_string_equal(info().sni, name);
    else
        assert_null(info().sni);
    leave();
    SSL_SESSION_free(copy);
    return resumed;
}

static bool resumes(int version, SSL_SESSION *session)
{
    return resumes_as(version, NULL, session);
}

static void Resumption_AnotherName_StartsAnew(void **state)
{
    static const char *const names[] = {"first.test", "second.test", "third", NULL};
    (void)state;
    serve_names();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        for (size_t i = 0; i < 16; i++) {
            SSL_SESSION *session = visit(version, names[i / 4], NULL);
            assert_int_equal(resumes_as(version, names[i % 4], session), i / 4 == i % 4);
            SSL_SESSION_free(session);
        }
    }
}

static void Resumption_OtherCertificates_StartsAnew(void **state)
{
    struct tls_tickets keys;
    (void)state;
    assert_int_equal(tls_tickets_init(&keys), RC_OK);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        serve();
        tls_tickets_use(pair.tls, &keys);
        SSL_SESSION *session = visit(version, NULL, NULL);
        stop();
        serve_many(&(struct tls_files){paths[SECOND_CERT], paths[SECOND_KEY]}, 1);
        tls_tickets_use(pair.tls, &keys);
        assert_false(resumes(version, session));
        SSL_SESSION_free(session);
        stop();
    }
}

static void Resumption_AnotherServer_StartsAnew(void **state)
{
    (void)state;
    serve();
    SSL_SESSION *session = visit(TLS1_3_VERSION, NULL, NULL);
    stop();
    serve();
    assert_false(resumes(TLS1_3_VERSION, session));
    SSL_SESSION_free(session);
}

static void Resumption_SameKeys_Resumes(void **state)
{
    struct tls_tickets keys;
    (void)state;
    assert_int_equal(tls_tickets_init(&keys), RC_OK);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        serve();
        tls_tickets_use(pair.tls, &keys);
        SSL_SESSION *session = visit(version, NULL, NULL);
        stop();
        const struct tls_tickets copy = keys;
        serve();
        tls_tickets_use(pair.tls, &copy);
        assert_true(resumes(version, session));
        SSL_SESSION_free(session);
        stop();
    }
}

static void Resumption_KeysRotate_Resumes(void **state)
{
    struct tls_tickets keys;
    (void)state;
    assert_int_equal(tls_tickets_init(&keys), RC_OK);
    serve();
    tls_tickets_use(pair.tls, &keys);
    SSL_SESSION *old = visit(TLS1_2_VERSION, NULL, NULL);
    assert_int_equal(tls_tickets_rotate(&keys), RC_OK);
    assert_true(resumes(TLS1_2_VERSION, old));
    SSL_SESSION *renewed = visit(TLS1_2_VERSION, NULL, SSL_SESSION_dup(old));
    assert_int_equal(tls_tickets_rotate(&keys), RC_OK);
    assert_false(resumes(TLS1_2_VERSION, old));
    assert_true(resumes(TLS1_2_VERSION, renewed));
    SSL_SESSION_free(old);
    SSL_SESSION_free(renewed);
}

static void Renegotiation_Asked_Refused(void **state)
{
    (void)state;
    serve();
    join(TLS1_2_VERSION);
    assert_true(meet());
    SSL_renegotiate(pair.client);
    (void)SSL_do_handshake(pair.client);
    assert_true(bring());
    assert_int_equal(pair.rc, RC_PROTOCOL);
    (void)SSL_do_handshake(pair.client);
    assert_string_equal(client_error(), "no renegotiation");
    pair.server.ops->end(&pair.server);
    assert_true(wire.out_len > 0);
}

static void KeyUpdate_Asked_PassesUnseen(void **state)
{
    const uint8_t data[] = {pattern(0), pattern(1)};
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    assert_true(meet());
    SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED);
    assert_int_equal(SSL_write(pair.client, data, 2), 2);
    bring();
    assert_int_equal(pair.rc, RC_AGAIN);
    assert_int_equal(pair.received, 2);
    assert_int_equal(tls_take_key_updates(&pair.server), 1);
    assert_int_equal(tls_take_key_updates(&pair.server), 0);
    uint8_t back[2];
    assert_int_equal(pair.server.ops->seal(&pair.server, data, 2), RC_OK);
    deliver();
    assert_int_equal(SSL_read(pair.client, back, 2), 2);
}

/* Data. */

enum { MIB = 1 << 20 };

/* The client sends 1 MiB in pieces of the size. */
static void upload(size_t piece)
{
    uint8_t data[30000];
    for (size_t sent = 0; sent < MIB;) {
        size_t n = piece < MIB - sent ? piece : MIB - sent;
        for (size_t i = 0; i < n; i++)
            data[i] = pattern(sent + i);
        assert_int_equal(SSL_write(pair.client, data, (int)n), n);
        bring();
        assert_int_equal(pair.rc, RC_AGAIN);
        sent += n;
        assert_int_equal(pair.received, sent);
    }
}

/* The server sends 1 MiB in pieces of the size, from the very room that it opens into. */
static void download(size_t piece)
{
    uint8_t data[WIRE_RECORD];
    for (size_t sent = 0; sent < MIB;) {
        size_t n = piece < MIB - sent ? piece : MIB - sent;
        for (size_t i = 0; i < n; i++)
            wire.plain[i] = pattern(sent + i);
        assert_int_equal(pair.server.ops->seal(&pair.server, wire.plain, n), RC_OK);
        deliver();
        assert_int_equal(SSL_read(pair.client, data, sizeof data), n);
        for (size_t i = 0; i < n; i++, sent++) {
            if (data[i] != pattern(sent))
                fail_msg("byte %zu is wrong", sent);
        }
    }
}

static void Data_BothWays_Arrives(void **state)
{
    (void)state;
    serve();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        join(version);
        assert_true(meet());
        upload(30000);
        download(WIRE_RECORD);
        pair.received = 0;
        pair.step = 777;
        upload(1000);
        download(1000);
        leave();
    }
}

static void Data_ByteByByte_Arrives(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    pair.step = 1;
    assert_true(meet());
    upload(16384);
}

static void Data_SmallFragments_Arrives(void **state)
{
    (void)state;
    serve();
    join(TLS1_2_VERSION);
    SSL_set_tlsext_max_fragment_length(pair.client, TLSEXT_max_fragment_length_512);
    assert_true(meet());
    for (size_t i = 0; i < WIRE_RECORD; i++)
        wire.plain[i] = 1;
    while (wire.out_len < WIRE_MARK)
        assert_int_equal(pair.server.ops->seal(&pair.server, wire.plain, WIRE_RECORD), RC_OK);
}

static void Seal_Nothing_AddsNothing(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    assert_true(meet());
    assert_int_equal(pair.server.ops->seal(&pair.server, wire.plain, 0), RC_OK);
    assert_int_equal(wire.out_len, 0);
}

static void Seal_WithoutRoom_Fails(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    assert_true(meet());
    wire.out_len = WIRE_OUT - 100;
    assert_int_equal(pair.server.ops->seal(&pair.server, wire.plain, 100), RC_NOMEM);
    pair.server.ops->end(&pair.server);
    assert_int_equal(wire.out_len, WIRE_OUT - 100);
}

static void Errors_Stale_Ignored(void **state)
{
    const uint8_t data[] = {pattern(0)};
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    assert_int_equal(pair.server.ops->handshake(&pair.server, &pair.why), RC_AGAIN);
    assert_true(meet());
    assert_int_equal(SSL_write(pair.client, data, 1), 1);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    bring();
    assert_int_equal(pair.rc, RC_AGAIN);
    assert_int_equal(pair.received, 1);
}

/* The end. */

static void CloseNotify_Received_Closes(void **state)
{
    const uint8_t data[] = {pattern(0)};
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    assert_true(meet());
    assert_int_equal(SSL_write(pair.client, data, 1), 1);
    SSL_shutdown(pair.client);
    bring();
    assert_int_equal(pair.received, 1);
    assert_int_equal(pair.rc, RC_CLOSED);
    pair.server.ops->end(&pair.server);
    deliver();
    assert_int_equal(SSL_shutdown(pair.client), 1);
}

static void Garbage_AfterHandshake_Refused(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        serve();
        join(version);
        assert_true(meet());
        put("no record of TLS", 16);
        assert_int_equal(pair.rc, RC_PROTOCOL);
        pair.server.ops->end(&pair.server);
        assert_int_equal(wire.out_len, 0);
        stop();
    }
}

static void Record_Forged_Refused(void **state)
{
    uint8_t record[64] = {23, 3, 3, 0, 59};
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    assert_true(meet());
    put(record, sizeof record);
    assert_int_equal(pair.rc, RC_PROTOCOL);
    ERR_clear_error();
    assert_true(SSL_read(pair.client, record, sizeof record) <= 0);
    assert_string_equal(client_error(), "sslv3 alert bad record mac");
}

static void End_DuringHandshake_SaysNothing(void **state)
{
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    pair.server.ops->end(&pair.server);
    assert_int_equal(wire.out_len, 0);
    (void)SSL_do_handshake(pair.client);
    bring();
    pair.server.ops->end(&pair.server);
    assert_int_equal(wire.out_len, 0);
}

static void End_Twice_SaidOnce(void **state)
{
    char none;
    (void)state;
    serve();
    join(TLS1_3_VERSION);
    assert_true(meet());
    pair.server.ops->end(&pair.server);
    size_t once = wire.out_len;
    assert_true(once > 0);
    pair.server.ops->end(&pair.server);
    assert_int_equal(wire.out_len, once);
    deliver();
    int got = SSL_read(pair.client, &none, 1);
    assert_int_equal(SSL_get_error(pair.client, got), SSL_ERROR_ZERO_RETURN);
}

/* Memory. */

static void Memory_Short_Reported(void **state)
{
    char why[TLS_WHY] = "";
    struct tls *tls = NULL;
    struct transport t;
    (void)state;
    mem_fail_at(1, 0);
    assert_int_equal(tls_new(NULL, 0, &tls, why), RC_NOMEM);
    assert_null(tls);
    assert_true(strlen(why) > 0);
    serve();
    mem_fail_at(1, 0);
    assert_int_equal(tls_transport(&t, pair.tls, &wire), RC_NOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(Handshake_Tls13_AgreesOnH2),
        TEST(Handshake_Tls12_AgreesOnH2),
        TEST(Handshake_Tls11_Refused),
        TEST(Handshake_CbcAlone_Refused),
        TEST(Handshake_ChachaFirst_Chosen),
        TEST(Handshake_ByteByByte_Agrees),
        TEST(Handshake_Garbage_Refused),
        TEST(Handshake_ClosedByClient_Fails),
        TEST(Handshake_WithoutRoom_Fails),
        TEST(Alpn_H2AmongOthers_Chosen),
        TEST(Alpn_Absent_Accepted),
        TEST(Alpn_Http1WithoutH2_Chosen),
        TEST(Alpn_WithoutHttp_Refused),
        TEST(Sni_Known_PicksCertificate),
        TEST(Sni_Unknown_GetsFirst),
        TEST(Sni_Absent_GetsFirst),
        TEST(Sni_ExactName_BeforeWildcard),
        TEST(Kinds_OfOneName_ChosenByClient),
        TEST(Kinds_NoneThatSuits_Refused),
        TEST(Kinds_CurveThatClientLacks_Rsa),
        TEST(Pair_ThatIsNeverChosen_Told),
        TEST(Groups_OursAlone_AgreedUpon),
        TEST(Groups_P384_ForClientThatHasNoOther),
        TEST(Certificate_Unreadable_Named),
        TEST(Certificate_Unusable_Named),
        TEST(Key_Unreadable_Named),
        TEST(Key_OfAnotherCertificate_Named),
        TEST(Key_Encrypted_Named),
        TEST(Certificate_LongName_Cut),
        TEST(Certificate_Chain_Sent),
        TEST(Certificate_Rsa_Served),
        TEST(Selfsigned_Localhost_Served),
        TEST(Selfsigned_Serial_Random),
        TEST(Resumption_AnyName_Resumes),
        TEST(Resumption_AnotherName_StartsAnew),
        TEST(Resumption_OtherCertificates_StartsAnew),
        TEST(Resumption_AnotherServer_StartsAnew),
        TEST(Resumption_SameKeys_Resumes),
        TEST(Resumption_KeysRotate_Resumes),
        TEST(Renegotiation_Asked_Refused),
        TEST(KeyUpdate_Asked_PassesUnseen),
        TEST(Data_BothWays_Arrives),
        TEST(Data_ByteByByte_Arrives),
        TEST(Data_SmallFragments_Arrives),
        TEST(Seal_Nothing_AddsNothing),
        TEST(Seal_WithoutRoom_Fails),
        TEST(Errors_Stale_Ignored),
        TEST(CloseNotify_Received_Closes),
        TEST(Garbage_AfterHandshake_Refused),
        TEST(Record_Forged_Refused),
        TEST(End_DuringHandshake_SaysNothing),
        TEST(End_Twice_SaidOnce),
        TEST(Memory_Short_Reported),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
