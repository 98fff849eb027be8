package io.sluice.client;

/**
 * Counts since the consumption began.
 *
 * @param received messages delivered, without those that rejoined a running handler
 * @param acked acks given, whether or not they could still be sent
 * @param naked naks given, as far as the app or its handlers gave them
 * @param terminated terms given
 * @param thrown handlers that threw; their messages are in {@code naked}
 * @param inFlight received and not settled yet
 * @param streams opened so far: 1 + reconnects
 * @param lost held when their stream was lost, and not resumed
 * @param refused tokens that a daemon did not take, as their message was settled or is with another app
 * @param rejoined delivered again while at work or after their verdict: not handled twice
 * @param late verdicts the daemon got after the lease had ended
 * @param notHeld verdicts the daemon knew no message for
 * @param failed verdicts that could not be confirmed
 */
public record Stats(
    long received,
    long acked,
    long naked,
    long terminated,
    long thrown,
    long inFlight,
    long streams,
    long lost,
    long refused,
    long rejoined,
    long late,
    long notHeld,
    long failed) {}
