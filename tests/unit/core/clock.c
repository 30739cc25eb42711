#include "core/clock.h"

#include "tests/unit/check.h"

#include <time.h>

static void Monotonic_Repeated_NeverGoesBack(void **state)
{
    (void)state;
    double last = clock_monotonic();
    for (int i = 0; i < 10000; i++) {
        double now = clock_monotonic();
        assert_true(now >= last);
        last = now;
    }
}

static void Monotonic_AfterSleep_CountsSeconds(void **state)
{
    (void)state;
    double start = clock_monotonic();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    double passed = clock_monotonic() - start;
    assert_true(passed >= 0.02);
    assert_true(passed < 5);
}

static void Recent_BesideMonotonic_LittleBehind(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        double recent = clock_recent(), now = clock_monotonic();
        assert_true(recent <= now);
        assert_true(now - recent < 1);
    }
}

static void Wall_Now_IsTheTime(void **state)
{
    (void)state;
    double difference = clock_wall() - (double)time(NULL);
    assert_true(difference > -2 && difference < 2);
}

static void HttpDate_Now_HasFixedForm(void **state)
{
    (void)state;
    const char *date = clock_http_date();
    struct tm t = {.tm_sec = 0};
    assert_int_equal(strlen(date), CLOCK_DATE_LEN);
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &t);
    assert_non_null(end);
    assert_string_equal(end, "");
    double difference = (double)timegm(&t) - (double)time(NULL);
    assert_true(difference >= -1 && difference <= 1);
}

static void HttpDate_NextSecond_Differs(void **state)
{
    (void)state;
    char first[CLOCK_DATE_LEN + 1];
    const char *date = clock_http_date();
    memcpy(first, date, sizeof first);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 50000000}, NULL);
    assert_string_not_equal(clock_http_date(), first);
}

static void LogDate_Now_HasFixedForm(void **state)
{
    (void)state;
    struct tm t = {.tm_sec = 0};
    const char *end = strptime(clock_log_date(), "%d/%b/%Y:%H:%M:%S +0000", &t);
    assert_non_null(end);
    assert_string_equal(end, "");
    double difference = (double)timegm(&t) - (double)time(NULL);
    assert_true(difference >= -1 && difference <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Recent_BesideMonotonic_LittleBehind),
        checked(Monotonic_Repeated_NeverGoesBack),
        checked(Monotonic_AfterSleep_CountsSeconds),
        checked(Wall_Now_IsTheTime),
        checked(HttpDate_Now_HasFixedForm),
        checked(HttpDate_NextSecond_Differs),
        checked(LogDate_Now_HasFixedForm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
