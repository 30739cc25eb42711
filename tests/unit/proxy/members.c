#include "proxy/members.h"

#include "tests/unit/check.h"

struct lines {
    const char *name;
    bool (*are)(struct str line);
    const char *const *good, *const *bad;
};

static const struct lines kinds[] = {
    {"forwarded", members_are_forwarded,
        (const char *const[]){"", ",", "for=192.0.2.1", "FOR=_hidden;proto=http;by=\"[::1]:80\"",
            "for=a, for=b;;host=\"x,y;z\"", "for=\"a\\\"b\\\\\"", " for=a ; proto=https\t, ;",
            "a=\"\"", "for=\"\xc3\xa4\"", NULL},
        (const char *const[]){"for=a;x=\"", "for=a;x=\"\\\"", "for=a\"", "\"", "for", "for=", "=a",
            "for=a b", "for=[::1]", "for=1.2.3.4:80", "for=a,x=\"b", "for=\"a\"b", "for=\"a\\",
            "(c)", "for=a;\\", "for = a", NULL}},
    {"via", members_are_via,
        (const char *const[]){"", "1.1 a", "HTTP/1.1 a.test:80, 2 b", "1.1 [::1]:443 (a (b) \\) c)",
            "1.0 fred, , 1.1 p.example.net (Apache/1.1),", "1.1\ta", NULL},
        (const char *const[]){"1.1", "1.1 ", "a", "1.1 a (", "1.1 a (b", "1.1 a (b\\)",
            "1.1 a ((b)", "1.1 a )", "1.1 a (b) c", "1.1 \"a", "1.1/ a", "1.1 a b", "(b)",
            "1.1 a\\", NULL}},
    {"addresses", members_are_addresses,
        (const char *const[]){
            "", "1.2.3.4", "1.2.3.4:80, ::1, [::1]:80,unknown", ", _x", "fe80::1%eth0", NULL},
        (const char *const[]){
            "\"1.2.3.4", "\"1.2.3.4\"", "1.2.3.4 5", "a;b", "a\\", "a=b", "(a)", "a/b", NULL}},
};

static void Members_EachLine_AsTheTable(void **state)
{
    (void)state;
    for (size_t i = 0; i < count_of(kinds); i++) {
        for (const char *const *line = kinds[i].good; *line; line++)
            if (!kinds[i].are(str_of(*line)))
                fail_msg("%s: %s is refused", kinds[i].name, *line);
        for (const char *const *line = kinds[i].bad; *line; line++)
            if (kinds[i].are(str_of(*line)))
                fail_msg("%s: %s is taken", kinds[i].name, *line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(Members_EachLine_AsTheTable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
