/*
 * With --dev: one line of the log, at info, for each exchange that is over:
 *
 *     request method=GET path=/a script=s/a.lua status=200 duration=0.0004 bytes=12 conn=7
 * stream=1
 *
 * with reset= where it was cut short, and grpc_status= for a call. There is one for the process,
 * which owns nothing.
 */
#ifndef NET_REQUEST_LOG_H
#define NET_REQUEST_LOG_H

struct exchange_observer;

/* The observer that logs exchanges. It may be in one list only. */
struct exchange_observer *request_log_observer(void);

#endif
