package io.sluice.client;

import java.time.Instant;

/**
 * No more messages will come.
 *
 * @param byDaemon the daemon ends, and the client looks for its successor; false: this app asked for it
 * @param deadline verdicts count until then
 */
public record Draining(boolean byDaemon, Instant deadline) {}
