/* What systemd wants to know of a service, and the sockets that it opens for one. Without systemd
 * nothing of this happens. */
#ifndef PROC_MASTER_SYSTEMD_H
#define PROC_MASTER_SYSTEMD_H

#include "core/rc.h"
#include "proc/worker/sockets.h"

enum { SYSTEMD_WHY = SOCKETS_WHY };

/* Sends one datagram with a state: "READY=1" (sd_notify(3)). */
void systemd_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Adds the sockets that systemd has passed (sd_listen_fds(3)); those named "http…" are plain, all
 * others TLS, where no --listen says better. RC_LIMIT, RC_INVALID, RC_SYSTEM; why then names the
 * socket and the cure. RC_NOMEM. */
enum rc systemd_sockets(struct sockets *s, char why[SYSTEMD_WHY]) MUST_CHECK;

#endif
