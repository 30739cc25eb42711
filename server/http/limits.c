#include "http/limits.h"

const struct http_limits http_limits_default = {
    .header_bytes = 65536,
    .header_fields = 128,
    .stream_window = 65536,
    .min_body_rate = 240,
    .min_send_rate = 240,
    .header_timeout = 30,
    .body_timeout = 300,
    .write_timeout = 60,
    .request_timeout = 0,
    .tunnel_timeout = 3600,
};
