#include "store/op.h"

#include "core/check.h"

size_t store_path(enum store_space space, struct str name, struct str key, char out[STORE_PATH])
{
    check(name.n <= STORE_NAME && key.n <= STORE_KEY);
    out[0] = (char)space;
    out[1] = (char)name.n;
    if (name.n)
        memcpy(out + 2, name.p, name.n);
    if (key.n)
        memcpy(out + 2 + name.n, key.p, key.n);
    return 2 + name.n + key.n;
}

struct str store_path_key(struct str path)
{
    size_t before = 2 + (size_t)(unsigned char)path.p[1];
    return (struct str){path.p + before, path.n - before};
}
