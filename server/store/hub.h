/*
 * The hub: messages from the ring to whoever in this process subscribes to their channel. A message
 * is copied out of the ring once, whatever the number of those that get it.
 */
#ifndef STORE_HUB_H
#define STORE_HUB_H

#include "core/list.h"
#include "core/rc.h"
#include "store/area.h"

#include <stdbool.h>

enum { HUB_MESSAGES = 1024, HUB_BYTES = 4 << 20 }; /* that each subscription holds */

struct hub_message;

struct hub {
    struct area_page *page;
    int slot; /* AREA_NONE: nobody wakes it */
    uint64_t at;
    bool has_lost;         /* messages that were overwritten, and are not counted yet */
    struct list *channels; /* struct hub_channel, by hash */
    size_t subscriptions;
    unsigned char *room;
    uint64_t seen[RING_TOPICS]; /* messages of each topic so far */
    uint32_t uses[RING_TOPICS]; /* channels of each topic */
};

struct hub_subscription {
    struct list link; /* of its channel; in none once it is over */
    struct hub *hub;
    struct hub_channel *channel;
    struct hub_message **queue; /* a ring */
    size_t room, first, count, bytes;
    uint64_t dropped; /* of those overwritten in the ring each counts for its whole topic */
    void (*on_message)(struct hub_subscription *s); /* there is one; queues what is to be done */
};

enum rc hub_init(struct hub *h, struct area_page *p, int slot) MUST_CHECK;
/* Nobody subscribes. */
void hub_fini(struct hub *h);
/* Gives out what has come. */
void hub_drain(struct hub *h);
/* Before something is written to the ring: no message of this process's own is to push out what it
 * has not taken yet. */
void hub_keep_up(struct hub *h);

/* Everything that is published from now on. The owner has made s, with on_message set. RC_NOMEM. */
enum rc hub_subscribe(struct hub *h, struct hub_subscription *s, struct str channel) MUST_CHECK;
void hub_unsubscribe(struct hub_subscription *s);
/* The oldest message, which is the caller's until hub_put_back; NULL. */
struct hub_message *hub_take(struct hub_subscription *s);
struct str hub_text(const struct hub_message *m);
void hub_put_back(struct hub_message *m);

#endif
