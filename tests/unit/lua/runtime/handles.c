/* Handles: things that are found, retired and dropped. */
#include "lua/runtime/handles.h"
#include "tests/unit/check.h"

static int things[200];

static int64_t put(struct handles *h, void *thing)
{
    int64_t handle;
    assert_int_equal(handles_put(h, thing, &handle), RC_OK);
    return handle;
}

static size_t count_next(const struct handles *h)
{
    size_t at = 0, count = 0;
    while (handles_next(h, &at))
        count++;
    return count;
}

static void Handle_Dropped_GivesNothing(void **state)
{
    (void)state;
    struct handles h = {0};
    int64_t first = put(&h, &things[0]);
    assert_ptr_equal(handles_get(&h, first), &things[0]);
    handles_drop(&h, first);
    int64_t second = put(&h, &things[1]);
    assert_int_not_equal(first, second);
    assert_null(handles_get(&h, first));
    assert_ptr_equal(handles_get(&h, second), &things[1]);
    handles_fini(&h);
}

static void Handle_OfNothing_GivesNothing(void **state)
{
    (void)state;
    struct handles h = {0};
    static const int64_t made_up[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(1) << 32};
    put(&h, &things[0]);
    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++) {
        if (made_up[i] == 1)
            continue;
        assert_null(handles_get(&h, made_up[i]));
        handles_retire(&h, made_up[i]);
    }
    assert_int_equal(h.used, 1);
    handles_fini(&h);
}

static void Retired_IsFoundButNotCounted(void **state)
{
    (void)state;
    struct handles h = {0};
    int64_t kept = put(&h, &things[0]), retired = put(&h, &things[1]);
    handles_retire(&h, retired);
    assert_int_equal(h.used, 1);
    assert_ptr_equal(handles_get(&h, retired), &things[1]);
    assert_int_equal(count_next(&h), 1);
    size_t at = 0;
    assert_ptr_equal(handles_next(&h, &at), &things[0]);
    handles_drop(&h, kept);
    handles_drop(&h, retired);
    handles_fini(&h);
}

static void Retired_Twice_CountsOnce(void **state)
{
    (void)state;
    struct handles h = {0};
    int64_t handle = put(&h, &things[0]);
    put(&h, &things[1]);
    handles_retire(&h, handle);
    handles_retire(&h, handle);
    assert_int_equal(h.used, 1);
    handles_drop(&h, handle);
    assert_int_equal(h.used, 1);
    handles_retire(&h, handle); /* which is none any more */
    assert_int_equal(h.used, 1);
    handles_fini(&h);
}

static void Retired_PlaceIsUsedAgain_CountsAnew(void **state)
{
    (void)state;
    struct handles h = {0};
    int64_t old = put(&h, &things[0]);
    handles_retire(&h, old);
    handles_drop(&h, old);
    int64_t handle = put(&h, &things[1]);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.used, 1);
    assert_int_equal(count_next(&h), 1);
    handles_retire(&h, old);
    assert_int_equal(h.used, 1);
    handles_drop(&h, handle);
    assert_int_equal(h.used, 0);
    handles_fini(&h);
}

static void Many_GrowAndShrink_EachFound(void **state)
{
    (void)state;
    struct handles h = {0};
    int64_t handles[200];
    for (int i = 0; i < 200; i++)
        handles[i] = put(&h, &things[i]);
    for (int i = 0; i < 200; i += 2)
        handles_retire(&h, handles[i]);
    assert_int_equal(h.used, 100);
    assert_int_equal(count_next(&h), 100);
    for (int i = 0; i < 200; i++)
        assert_ptr_equal(handles_get(&h, handles[i]), &things[i]);
    for (int i = 0; i < 200; i++)
        handles_drop(&h, handles[i]);
    assert_int_equal(h.used, 0);
    handles_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        checked(Handle_Dropped_GivesNothing),
        checked(Handle_OfNothing_GivesNothing),
        checked(Retired_IsFoundButNotCounted),
        checked(Retired_Twice_CountsOnce),
        checked(Retired_PlaceIsUsedAgain_CountsAnew),
        checked(Many_GrowAndShrink_EachFound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
