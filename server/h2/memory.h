/*
 * nghttp2's memory: from core/mem.h, and in need from a small reserve. nghttp2 1.52 frees a DATA
 * frame that it could not queue for lack of memory, and goes on using it: so the growth of its
 * queues, which is all that it reallocates, is not to fail.
 */
#ifndef H2_MEMORY_H
#define H2_MEMORY_H

#include <nghttp2/nghttp2.h>

/* Static storage. */
nghttp2_mem *h2_memory(void);

#endif
