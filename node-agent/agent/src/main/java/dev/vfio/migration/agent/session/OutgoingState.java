package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StreamException;

/**
 * The source's end of the stream, from before it is connected until after it is closed. It may be
 * closed from any thread while the session's thread waits in it.
 */
final class OutgoingState {
  private StateSender sender;
  private boolean closed;
  private boolean interrupted;

  /** Takes a sender that was connected; closes it at once where nobody wants it any more. */
  synchronized void connected(StateSender connected) {
    if (closed || interrupted) {
      connected.close();
    } else {
      sender = connected;
    }
  }

  synchronized StateSender sender() throws StreamException {
    if (sender == null) {
      throw new StreamException(
          StreamException.Kind.BROKEN, "the state stream is closed at this end");
    }
    return sender;
  }

  /** A command is about to end the copying: frees the session's thread. */
  synchronized void interrupt() {
    interrupted = true;
    if (sender != null) {
      sender.close();
    }
  }

  /** Whether a failure of the stream is our own doing. */
  synchronized boolean interrupted() {
    return interrupted;
  }

  synchronized void close() {
    closed = true;
    if (sender != null) {
      sender.close();
    }
  }
}
