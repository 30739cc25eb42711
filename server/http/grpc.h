/*
 * What the server must know of gRPC. A gRPC client reads a status in a trailer and no HTTP status,
 * so what the server answers by itself (no such path, too large, an uncaught error) is put in those
 * terms. The rest of the protocol is left to scripts.
 */
#ifndef HTTP_GRPC_H
#define HTTP_GRPC_H

#include "http/request.h"

struct response;

/* Whether a request is a gRPC call: POST, and content-type application/grpc, alone or followed by
 * "+" or ";". */
bool grpc_is_call(const struct request *r);

/* Whether a request's body is a stream of messages that come when they do: a gRPC call's, or that
 * of a stream of the Connect protocol, whose content-type is application/connect+codec. */
bool grpc_is_stream(const struct request *r);

/* Makes an open response the answer to a call, with what an HTTP status means there and the text as
 * its message, or for 404 the name that is not served: Trailers-Only, so that one HEADERS frame is
 * all of it. RC_STATE, RC_NOMEM. */
enum rc grpc_respond(
    struct response *r, const struct request *request, int http_status, struct str text) MUST_CHECK;

#endif
