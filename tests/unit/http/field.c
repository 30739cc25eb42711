#include "http/field.h"

#include "tests/unit/check.h"

#include <ctype.h>

static char room[512];

static void init_arena(struct arena *a)
{
    arena_init(a, room, sizeof room, 1 << 20);
}

/* RFC 9110 5.6.2 */
static bool is_tchar(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void Name_EachByte_OnlyTokens(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char alone[] = {(char)c}, last[] = {'x', (char)c};
        assert_int_equal(!field_name_problem((struct str){alone, 1}), is_tchar(c));
        assert_int_equal(!field_name_problem((struct str){last, 2}), is_tchar(c));
        assert_int_equal(!field_header_problem((struct str){last, 2}), is_tchar(c));
        assert_int_equal(!field_trailer_problem((struct str){last, 2}), is_tchar(c));
    }
}

static void Name_EmptyOrPseudo_SaysWhich(void **state)
{
    (void)state;
    assert_string_equal(field_name_problem(STR("")), "is empty");
    assert_string_equal(field_name_problem((struct str){NULL, 0}), "is empty");
    assert_string_equal(field_header_problem(STR(":status")), "is a pseudo field");
    assert_string_equal(field_trailer_problem(STR(":status")), "is a pseudo field");
    assert_string_equal(field_name_problem(STR("a:b")), "is not a valid field name");
}

/* RFC 9110 5.5: visible characters, space, tab, and bytes above ASCII. */
static void Value_EachByte_NoControlButTab(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        const char value[] = {'a', (char)c, 'b'};
        bool allowed = c == '\t' || (c >= ' ' && c != 0x7f);
        assert_int_equal(!field_value_problem((struct str){value, 3}), allowed);
        assert_int_equal(!field_value_problem((struct str){value + 1, 1}), allowed);
    }
    assert_null(field_value_problem(STR("")));
    assert_null(field_value_problem((struct str){NULL, 0}));
}

static void Value_EachByteAtEachPlaceOfALongOne_NoControlButTab(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool allowed = c == '\t' || (c >= ' ' && c != 0x7f);
        for (size_t at = 0; at < 21; at++) {
            char value[] = "some \xfc\x80\xff ~ text value";
            value[at] = (char)c;
            assert_int_equal(!field_value_problem((struct str){value, 21}), allowed);
        }
    }
}

static void Header_SpecificToConnection_Refused(void **state)
{
    (void)state;
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
        "transfer-encoding", "upgrade", "Connection", "TRANSFER-ENCODING"};
    for (size_t i = 0; i < count_of(names); i++) {
        assert_non_null(field_header_problem(str_of(names[i])));
        assert_non_null(field_trailer_problem(str_of(names[i])));
        assert_null(field_name_problem(str_of(names[i])));
    }
}

static void Header_Others_Allowed(void **state)
{
    (void)state;
    static const char *const names[] = {"content-length", "Date", "te", "trailer", "set-cookie",
        "connections", "upgrade-insecure-requests", "x", "cache-control"};
    for (size_t i = 0; i < count_of(names); i++)
        assert_null(field_header_problem(str_of(names[i])));
}

static const char *const forbidden_trailers[] = {"content-length", "content-type",
    "content-encoding", "content-range", "content-anything", "Content-Type", "host", "te",
    "trailer", "max-forwards", "expect", "range", "accept-ranges", "pragma", "cache-control",
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
    "authorization", "www-authenticate", "proxy-authenticate", "proxy-authorization", "realm",
    "cookie", "set-cookie", "Set-Cookie", "age", "date", "expires", "location", "retry-after",
    "vary", "warning", "CONTENT-", "IF-X"};

static void Trailer_Forbidden_Refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(forbidden_trailers); i++) {
        struct str name = str_of(forbidden_trailers[i]);
        assert_string_equal(
            field_trailer_problem(name), "may not be sent as a trailer (RFC 9110 6.5.1)");
        assert_null(field_header_problem(name));
    }
}

static void Trailer_Others_Allowed(void **state)
{
    (void)state;
    static const char *const names[] = {"grpc-status", "Grpc-Message", "content-digest",
        "Content-Digest", "repr-digest", "etag", "server-timing", "x-checksum", "contents", "ifx",
        "dates", "authentication-info"};
    for (size_t i = 0; i < count_of(names); i++)
        assert_null(field_trailer_problem(str_of(names[i])));
    assert_non_null(field_trailer_problem(STR("content-digests")));
}

static void Names_AnyCase_Same(void **state)
{
    (void)state;
    assert_true(field_same_name(STR("Content-Type"), STR("cONTENT-tYPE")));
    assert_true(field_same_name(STR(""), STR("")));
    assert_false(field_same_name(STR("a"), STR("ab")));
    for (int i = 0; i < 256; i++) {
        for (int j = 0; j < 256; j++) {
            const char a = (char)i, b = (char)j;
            bool same = i == j || (i < 128 && j < 128 && tolower(i) == tolower(j));
            assert_int_equal(field_same_name((struct str){&a, 1}, (struct str){&b, 1}), same);
        }
    }
}

static void Lower_MixedCase_LowerCopy(void **state)
{
    (void)state;
    struct arena a;
    struct str out;
    init_arena(&a);
    assert_int_equal(field_lower(&a, STR("X-Foo@[`{Z\xc4"), &out), RC_OK);
    assert_str(out, "x-foo@[`{z\xc4");
    arena_fini(&a);
    arena_init(&a, NULL, 0, 0);
    assert_int_equal(field_lower(&a, STR("x"), &out), RC_NOMEM);
}

static void Lower_EachByteAtEachPlace_LettersAlone(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 20; at++) {
            char name[] = "AZ@[`{\x80\xc1\xffwordWORD-123", expected[sizeof name];
            struct arena a;
            struct str out;
            name[at] = (char)c;
            for (size_t i = 0; i < sizeof name; i++)
                expected[i] = isupper((unsigned char)name[i]) ? (char)(name[i] + 32) : name[i];
            init_arena(&a);
            assert_int_equal(field_lower(&a, (struct str){name, 20}, &out), RC_OK);
            assert_int_equal(out.n, 20);
            assert_memory_equal(out.p, expected, 20);
            arena_fini(&a);
        }
    }
}

static void Trim_WhiteSpace_OnlyAtEnds(void **state)
{
    (void)state;
    assert_str(field_trim(STR(" \t a \t b\t ")), "a \t b");
    assert_str(field_trim(STR("a")), "a");
    assert_str(field_trim(STR(" \t ")), "");
    assert_str(field_trim(STR("")), "");
    assert_str(field_trim((struct str){NULL, 0}), "");
    assert_str(field_trim(STR("\na\r")), "\na\r");
}

static void Members_Divided_TrimmedAndPerhapsEmpty(void **state)
{
    (void)state;
    struct str list = STR("one, two\t,, three ,"), member;
    const char *const expected[] = {"one", "two", "", "three", ""};
    for (size_t i = 0; i < count_of(expected); i++) {
        assert_true(field_list_next(&list, &member));
        assert_str(member, expected[i]);
    }
    assert_false(field_list_next(&list, &member));
    list = STR("");
    assert_true(field_list_next(&list, &member));
    assert_str(member, "");
    assert_false(field_list_next(&list, &member));
}

static void Members_Has_InAnyCaseAndWhole(void **state)
{
    (void)state;
    assert_true(field_list_has(STR("a, Close"), STR("close")));
    assert_false(field_list_has(STR("closer, xclose"), STR("close")));
    assert_false(field_list_has(STR(""), STR("close")));
}

static void List_Add_KeepsOrderAndGrows(void **state)
{
    (void)state;
    static const char digits[] = "0123456789012345678901234567890123456789";
    struct fields f = {.count = 0};
    struct arena a;
    init_arena(&a);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(
            fields_add(&f, &a, (struct str){digits + i, 1}, (struct str){digits, i}), RC_OK);
    assert_int_equal(f.count, 40);
    for (size_t i = 0; i < 40; i++) {
        assert_ptr_equal(f.list[i].name.p, digits + i);
        assert_int_equal(f.list[i].value.n, i);
    }
    arena_fini(&a);
}

static void List_AddWithoutMemory_AsItWas(void **state)
{
    (void)state;
    struct fields f = {.count = 0};
    struct arena a;
    arena_init(&a, NULL, 0, 1 << 20);
    mem_fail_at(1, 0);
    assert_int_equal(fields_add(&f, &a, STR("a"), STR("1")), RC_NOMEM);
    assert_int_equal(f.count, 0);
    assert_int_equal(fields_add(&f, &a, STR("a"), STR("1")), RC_OK);
    assert_int_equal(f.count, 1);
    arena_fini(&a);
}

static void List_Find_FirstInAnyCase(void **state)
{
    (void)state;
    struct fields f = {.count = 0};
    struct arena a;
    init_arena(&a);
    assert_null(fields_find(&f, STR("a")));
    assert_int_equal(fields_add(&f, &a, STR("a"), STR("1")), RC_OK);
    assert_int_equal(fields_add(&f, &a, STR("b"), STR("2")), RC_OK);
    assert_int_equal(fields_add(&f, &a, STR("b"), STR("3")), RC_OK);
    assert_str(fields_find(&f, STR("B"))->value, "2");
    assert_null(fields_find(&f, STR("c")));
    arena_fini(&a);
}

static void List_Remove_AllOfTheName(void **state)
{
    (void)state;
    struct fields f = {.count = 0};
    struct arena a;
    init_arena(&a);
    assert_int_equal(fields_remove(&f, STR("a")), 0);
    assert_int_equal(fields_add(&f, &a, STR("b"), STR("1")), RC_OK);
    assert_int_equal(fields_add(&f, &a, STR("a"), STR("2")), RC_OK);
    assert_int_equal(fields_add(&f, &a, STR("b"), STR("3")), RC_OK);
    assert_int_equal(fields_remove(&f, STR("B")), 2);
    assert_int_equal(f.count, 1);
    assert_str(f.list[0].value, "2");
    assert_int_equal(fields_remove(&f, STR("b")), 0);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Name_EachByte_OnlyTokens),
        checked(Name_EmptyOrPseudo_SaysWhich),
        checked(Value_EachByte_NoControlButTab),
        checked(Value_EachByteAtEachPlaceOfALongOne_NoControlButTab),
        checked(Header_SpecificToConnection_Refused),
        checked(Header_Others_Allowed),
        checked(Trailer_Forbidden_Refused),
        checked(Trailer_Others_Allowed),
        checked(Names_AnyCase_Same),
        checked(Lower_MixedCase_LowerCopy),
        checked(Lower_EachByteAtEachPlace_LettersAlone),
        checked(Trim_WhiteSpace_OnlyAtEnds),
        checked(Members_Divided_TrimmedAndPerhapsEmpty),
        checked(Members_Has_InAnyCaseAndWhole),
        checked(List_Add_KeepsOrderAndGrows),
        checked(List_AddWithoutMemory_AsItWas),
        checked(List_Find_FirstInAnyCase),
        checked(List_Remove_AllOfTheName),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
