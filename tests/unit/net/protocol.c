/* How a connection's first bytes tell what it speaks. */
#include "net/protocol.h"

#include "tests/unit/check.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE = sizeof preface - 1 };

/* What is told after the first piece of the bytes, and after the rest. */
static void tell(const char *bytes, size_t n, size_t first, enum protocol told[2])
{
    size_t seen = 0;
    told[0] = protocol_of_bytes(&seen, (const uint8_t *)bytes, first);
    told[1] = told[0];
    if (told[0] == PROTOCOL_UNKNOWN)
        told[1] = protocol_of_bytes(&seen, (const uint8_t *)bytes + first, n - first);
}

static void Bytes_PrefaceInTwoPieces_Http2(void **state)
{
    (void)state;
    enum protocol told[2];
    for (size_t first = 1; first < PREFACE; first++) {
        tell(preface, PREFACE, first, told);
        assert_int_equal(told[0], PROTOCOL_UNKNOWN);
        assert_int_equal(told[1], PROTOCOL_HTTP_2);
    }
}

static void Bytes_PrefaceAndMore_Http2(void **state)
{
    (void)state;
    size_t seen = 0;
    const char bytes[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore";
    assert_int_equal(
        protocol_of_bytes(&seen, (const uint8_t *)bytes, sizeof bytes - 1), PROTOCOL_HTTP_2);
    assert_int_equal(seen, 0);
}

static void Bytes_DifferAtEachPlace_Http1(void **state)
{
    (void)state;
    for (size_t wrong = 0; wrong < PREFACE; wrong++) {
        char bytes[PREFACE];
        memcpy(bytes, preface, PREFACE);
        bytes[wrong] ^= 1;
        for (size_t first = 1; first < PREFACE; first++) {
            enum protocol told[2];
            tell(bytes, PREFACE, first, told);
            assert_int_equal(told[0], first > wrong ? PROTOCOL_HTTP_1 : PROTOCOL_UNKNOWN);
            assert_int_equal(told[1], PROTOCOL_HTTP_1);
        }
    }
}

static void Bytes_Seen_AreCounted(void **state)
{
    (void)state;
    size_t seen = 0;
    assert_int_equal(protocol_of_bytes(&seen, (const uint8_t *)"PR", 2), PROTOCOL_UNKNOWN);
    assert_int_equal(seen, 2);
    assert_int_equal(protocol_of_bytes(&seen, (const uint8_t *)"OPFIND", 6), PROTOCOL_HTTP_1);
    assert_int_equal(seen, 2);
}

static void Alpn_Names_AsAgreed(void **state)
{
    (void)state;
    assert_int_equal(protocol_of_alpn("h2"), PROTOCOL_HTTP_2);
    assert_int_equal(protocol_of_alpn("http/1.1"), PROTOCOL_HTTP_1);
    assert_int_equal(protocol_of_alpn(NULL), PROTOCOL_HTTP_1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Bytes_PrefaceInTwoPieces_Http2),
        checked(Bytes_PrefaceAndMore_Http2),
        checked(Bytes_DifferAtEachPlace_Http1),
        checked(Bytes_Seen_AreCounted),
        checked(Alpn_Names_AsAgreed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
