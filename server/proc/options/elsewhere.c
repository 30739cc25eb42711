#include "proc/options/elsewhere.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *word;
    struct elsewhere here;
} words[] = {
    {"port", {"listen", "http://127.0.0.1:8080"}},
    {"p", {"listen", "http://127.0.0.1:8080"}},
    {"host", {"listen", "http://0.0.0.0:8080"}},
    {"bind", {"listen", "http://0.0.0.0:8080"}},
    {"b", {"listen", "http://0.0.0.0:8080"}},
    {"address", {"listen", "http://0.0.0.0:8080"}},
    {"addr", {"listen", "http://0.0.0.0:8080"}},
    {"https", {"listen", "https://0.0.0.0:8443"}},
    {"tls", {"listen", "https://0.0.0.0:8443"}},
    {"ssl", {"listen", "https://0.0.0.0:8443"}},
    {"certificate", {"cert", "FILE"}},
    {"threads", {"workers", "2"}},
    {"processes", {"workers", "2"}},
    {"reload", {"watch", NULL}},
    {"verbose", {"log-level", "debug"}},
    {"debug", {"log-level", "debug"}},
    {"proxy", {"upstream", "http://127.0.0.1:9000"}},
    {"backend", {"upstream", "http://127.0.0.1:9000"}},
};

const struct elsewhere *options_elsewhere(const char *word)
{
    size_t n = strcspn(word, "=");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == n && memcmp(words[i].word, word, n) == 0)
            return &words[i].here;
    return NULL;
}
