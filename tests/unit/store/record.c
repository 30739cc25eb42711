#include "store/record.h"

#include "store/url.h"
#include "tests/unit/check.h"

static struct str bytes_of(const struct record *r, unsigned char *out)
{
    record_write(r, out);
    return (struct str){(const char *)out, record_size(&r->value)};
}

static void Record_OfEachKind_IsReadAsItWas(void **state)
{
    (void)state;
    unsigned char bytes[100];
    const struct record integer = {7, 9, {.kind = STORE_INTEGER, .integer = INT64_MIN}};
    const struct record text = {UINT64_MAX, 0, {.kind = STORE_STRING, .text = {"a\0b", 3}}};
    const struct record empty = {1, 1, {.kind = STORE_STRING}};
    struct record r;
    assert_true(record_read(bytes_of(&integer, bytes), &r));
    assert_int_equal(r.value.integer, INT64_MIN);
    assert_int_equal(r.version, 7);
    assert_int_equal(r.expiry, 9);
    assert_true(record_read(bytes_of(&text, bytes), &r));
    assert_int_equal(r.value.kind, STORE_STRING);
    assert_memory_equal(r.value.text.p, "a\0b", 3);
    assert_true(record_read(bytes_of(&empty, bytes), &r));
    assert_int_equal(r.value.text.n, 0);
}

static void Record_OfOtherBytes_Refused(void **state)
{
    (void)state;
    unsigned char bytes[100] = {0};
    const struct record integer = {1, 2, {.kind = STORE_INTEGER, .integer = 3}};
    struct record r;
    struct str whole = bytes_of(&integer, bytes);
    for (size_t n = 0; n < whole.n; n++)
        assert_false(record_read((struct str){whole.p, n}, &r));
    for (int kind = 0; kind < 256; kind++) {
        bytes[0] = (unsigned char)kind;
        assert_int_equal(record_read(whole, &r), kind == STORE_INTEGER || kind == STORE_STRING);
    }
}

static void Index_Keys_SortByTime(void **state)
{
    (void)state;
    char a[RECORD_INDEX_HEAD + STORE_PATH], b[RECORD_INDEX_HEAD + STORE_PATH];
    for (int i = 0; i < 1000; i++) {
        uint64_t x = (uint64_t)check_random() << check_random() % 33;
        uint64_t y = (uint64_t)check_random() << check_random() % 33;
        uint64_t expiry;
        struct str path;
        size_t n = record_index(x, str_of("path"), a);
        record_index(y, str_of("path"), b);
        int order = memcmp(a, b, n);
        assert_int_equal(order < 0, x < y);
        assert_true(record_index_read((struct str){a, n}, &expiry, &path));
        assert_int_equal(expiry, x);
        assert_str(path, "path");
    }
}

static void Path_NamesAndKeys_AreApart(void **state)
{
    (void)state;
    char a[STORE_PATH], b[STORE_PATH];
    size_t n = store_path(SPACE_MAP, str_of("ab"), str_of("c"), a);
    size_t k = store_path(SPACE_MAP, str_of("a"), str_of("bc"), b);
    assert_int_equal(n, k);
    assert_memory_not_equal(a, b, n);
    assert_str(store_path_key((struct str){a, n}), "c");
    assert_str(store_path_key((struct str){b, k}), "bc");
    store_path(SPACE_LOCK, str_of("ab"), str_of("c"), b);
    assert_memory_not_equal(a, b, n);
}

static void Url_EachForm_IsTakenOrRefused(void **state)
{
    (void)state;
    struct store_url url;
    char why[STORE_WHY];
    assert_int_equal(store_url_parse("memory:", &url, why), RC_OK);
    assert_int_equal(url.place, STORE_IN_MEMORY);
    assert_int_equal(store_url_parse("file:a/b", &url, why), RC_OK);
    assert_int_equal(url.place, STORE_IN_FILE);
    assert_string_equal(url.path, "a/b");
    static const char *const wrong[] = {
        "", "memory", "memory:x", "file:", "file", "file://h/x", "x:"};
    for (size_t i = 0; i < count_of(wrong); i++) {
        assert_int_equal(store_url_parse(wrong[i], &url, why), RC_INVALID);
        assert_non_null(strstr(why, "memory:"));
    }
}

static void Url_OfRedis_IsTaken(void **state)
{
    (void)state;
    static const char *const right[] = {"redis://host", "rediss://host:1/",
        "redis://[::1]:65535/15", "redis://[::1]", "redis://:secret@host?prefix=x:y",
        "redis://user:a%40b:c@127.0.0.1:6379/0?prefix=x"};
    struct store_url url;
    char why[STORE_WHY];
    for (size_t i = 0; i < count_of(right); i++) {
        assert_int_equal(store_url_parse(right[i], &url, why), RC_OK);
        assert_int_equal(url.place, STORE_IN_REDIS);
    }
}

static void Url_OfRedisThatIsNone_IsRefusedWithTheCure(void **state)
{
    (void)state;
    static const struct {
        const char *url, *said;
    } wrong[] = {
        {"redis:host", "redis://"},
        {"redis", "redis://"},
        {"redis://", "names a host"},
        {"redis:///1", "names a host"},
        {"redis://:6379", "names a host"},
        {"redis://host:", "names a host"},
        {"redis://host:0", "names a host"},
        {"redis://host:65536", "names a host"},
        {"redis://host:99999999999", "names a host"},
        {"redis://host:6x", "names a host"},
        {"redis://[]", "names a host"},
        {"redis://[::1", "names a host"},
        {"redis://a@b:secret@", "names a host"},
        {"redis://user@host", "password"},
        {"redis://host/x", "number of a database"},
        {"redis://host/1/2", "number of a database"},
        {"redis://host#x", "names a host"},
        {"redis://host?prefix=", "?prefix=TEXT"},
        {"redis://host?timeout=1", "?prefix=TEXT"},
        {"redis://host?prefix=a&b=1", "?prefix=TEXT"},
        {"redis://host?prefix=a b", "?prefix=TEXT"},
    };
    struct store_url url;
    char why[STORE_WHY];
    for (size_t i = 0; i < count_of(wrong); i++) {
        assert_int_equal(store_url_parse(wrong[i].url, &url, why), RC_INVALID);
        assert_non_null(strstr(why, wrong[i].said));
        assert_null(strstr(why, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Record_OfEachKind_IsReadAsItWas),
        checked(Record_OfOtherBytes_Refused),
        checked(Index_Keys_SortByTime),
        checked(Path_NamesAndKeys_AreApart),
        checked(Url_EachForm_IsTakenOrRefused),
        checked(Url_OfRedis_IsTaken),
        checked(Url_OfRedisThatIsNone_IsRefusedWithTheCure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
