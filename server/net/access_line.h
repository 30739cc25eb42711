/* The lines of an access log. */
#ifndef NET_ACCESS_LINE_H
#define NET_ACCESS_LINE_H

#include "core/line.h"
#include "core/str.h"

struct exchange;

/* Each makes the whole line of an exchange that is over, with its end. */
void access_line_combined(struct line *l, const struct exchange *x);
void access_line_json(struct line *l, const struct exchange *x);

/* What a call of gRPC ended with; p is NULL if nothing says so. */
struct str access_line_grpc_status(const struct exchange *x);

#endif
