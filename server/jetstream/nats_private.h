#pragma once

#include "nats/nats.h"

// What cnats exports without declaring it: the same in each version from 3.4.1 to 3.14, and weak, so that one without
// it is used as far as its own header goes.
extern "C" {

// natsMsg_Destroy() leaves the freeing to a thread of cnats's that goes to sleep whenever it has nothing to do: with
// messages freed one by one nearly each of them wakes it, and both threads wait for its lock. That was a quarter of the
// daemon's CPU time. This frees at once.
__attribute__((weak)) void natsMsg_free(void* msg);

// cnats writes what was published up to 1 ms later, by its flusher. For acks that is right, and half the rate of a
// consumer if the next pull has to wait for it. natsConn_bufferFlush() writes now, between the other two.
__attribute__((weak)) void natsConn_lockAndRetain(natsConnection* connection);
__attribute__((weak)) natsStatus natsConn_bufferFlush(natsConnection* connection);
__attribute__((weak)) void natsConn_unlockAndRelease(natsConnection* connection);

// Bytes as they go over the wire, into the buffer that it flushes, between the same two: for many publications at once.
__attribute__((weak)) natsStatus natsConn_bufferWrite(natsConnection* connection, const char* buffer, int length);

// cnats hands each message from its reading thread over to one of its subscription's: a wake-up for each that comes
// alone. A filter sees it before, and has taken it if it sets it to null.
__attribute__((weak)) void natsConn_setFilterWithClosure(natsConnection* connection,
                                                         void (*filter)(natsConnection*, natsMsg** msg, void* closure),
                                                         void* closure);

}  // extern "C"
