/*
 * What the server must know of remote procedure calls. Their clients read a status of their own
 * protocol, so what the server answers by itself (no such path, too large, an uncaught error) is
 * put in the caller's terms. The rest of the protocols is left to scripts.
 */
#ifndef HTTP_RPC_H
#define HTTP_RPC_H

#include "http/request.h"

struct response;

/* What a call speaks. */
enum rpc_protocol {
    RPC_NONE,           /* it is no call */
    RPC_GRPC,           /* POST, application/grpc… */
    RPC_GRPC_WEB,       /* POST, application/grpc-web… */
    RPC_CONNECT,        /* POST, application/proto; or it names its connect-protocol-version */
    RPC_CONNECT_STREAM, /* POST, application/connect+… */
};

enum rpc_protocol rpc_protocol_of(const struct request *r);

/* Whether a request's body is a stream of messages that come when they do. */
bool rpc_is_stream(const struct request *r);

/* Makes an open response the answer to a call, with what an HTTP status means there and the text as
 * its message, or for 404 the name that is not served. gRPC gets Trailers-Only, a stream of Connect
 * its last message, and Connect the HTTP status, with JSON and the fields of more, which may be
 * NULL. RC_STATE, RC_NOMEM. */
enum rc rpc_respond(struct response *r, const struct request *request, int http_status,
    struct str text, const struct fields *more) MUST_CHECK;

#endif
