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
