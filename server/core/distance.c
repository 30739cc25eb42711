#include "core/distance.h"

#include "core/check.h"

#include <string.h>

static size_t least(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t distance(const char *a, const char *b)
{
    size_t row[DISTANCE_WORD + 1], n = strlen(b);
    check(n <= DISTANCE_WORD);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

size_t distance_limit(const char *word)
{
    size_t len = strlen(word);
    return len < 3 || len > DISTANCE_WORD ? 0 : 2 + len / 5;
}
