/* The versions of HTTP that this server speaks. */
#ifndef HTTP_VERSION_H
#define HTTP_VERSION_H

enum http_version { HTTP_1_0, HTTP_1_1, HTTP_2 };

/* "HTTP/2"; static. */
static inline const char *http_version_text(enum http_version version)
{
    static const char *const texts[] = {"HTTP/1.0", "HTTP/1.1", "HTTP/2"};
    return texts[version];
}

#endif
