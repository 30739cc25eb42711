#include "core/activity.h"

#include <string.h>

static struct activity own;
struct activity *activity = &own;

void activity_write(char *to, size_t size, const char *text, size_t n)
{
    if (n > size - 1)
        n = size - 1;
    memcpy(to, text, n);
    to[n] = '\0';
}

void activity_load(const char *file)
{
    const char *text = file ? file : "";
    activity_write(activity->loading, sizeof activity->loading, text, strlen(text));
}

int activity_add_group(int32_t group)
{
    for (int i = 0; i < ACTIVITY_GROUPS; i++) {
        if (atomic_load_explicit(&activity->groups[i], memory_order_relaxed))
            continue;
        atomic_store(&activity->groups[i], group);
        return i;
    }
    return ACTIVITY_NO_GROUP;
}

void activity_drop_group(int place)
{
    if (place != ACTIVITY_NO_GROUP)
        atomic_store(&activity->groups[place], 0);
}
