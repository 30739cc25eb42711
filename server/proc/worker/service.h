/*
 * What a server serves with, as master and worker see it. The main program provides it.
 */
#ifndef PROC_WORKER_SERVICE_H
#define PROC_WORKER_SERVICE_H

#include "core/rc.h"
#include "core/setting.h"
#include "proc/options/options.h"

#include <stdbool.h>
#include <stdio.h>

struct area;
struct ev_loop;
struct loop;
struct handler;
struct server; /* what serves in one worker; the main program defines it */

enum { SERVICE_WHY = 2048 }; /* room for any reason; one line each */

/* Where it serves. */
struct service_place {
    int index;               /* of the worker */
    const struct area *area; /* the store's memory; NULL outside of workers */
};

enum service_state {
    SERVICE_OPEN,
    SERVICE_LACKING, /* what it answers with does not load; why says the reason */
    SERVICE_FAILED,  /* why says the reason */
};

struct service {
    /* What the names of files that it reads end with: changes of others are not watched for. */
    const char *suffix;
    /* Reads a configuration file. */
    setting_reader *read_config;
    /* Loads only to see whether it loads, and writes the files that were read, one a line. Called
     * in a process of its own. */
    bool (*prove)(const struct options *o, FILE *files, char why[SERVICE_WHY]);
    /* In the worker of that place: makes what serves, on its loop. If it may lack what does not
     * load, it refuses requests until a reload succeeds. */
    enum service_state (*open)(const struct options *o, const struct service_place *place,
        struct ev_loop *loop, bool may_lack, struct server **out, char why[SERVICE_WHY]);
    /* What answers the exchanges of the loop's connections. */
    struct handler *(*handler)(struct server *s);
    /* In a worker: its loop is there, to which parts are added, and on which connections to other
     * servers can be opened. */
    enum rc (*join)(struct server *s, const struct options *o, struct loop *loop);
    /* No connection is left; ticks still come. */
    void (*stop)(struct server *s);
    void (*close)(struct server *s);
};

#endif
