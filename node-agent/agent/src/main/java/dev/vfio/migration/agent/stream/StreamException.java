package dev.vfio.migration.agent.stream;

import dev.vfio.migration.text.ForeignText;
import java.io.IOException;

/**
 * The state stream failed. The message says what, where, and what the other end said of it, in one
 * line of a bounded length.
 */
public class StreamException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What kind of trouble it is; callers decide on this, never on the message. */
  public enum Kind {
    /**
     * The other end does not take this stream: no such session, already used, or it gave a reason.
     */
    REFUSED,
    /** The connection ended or cannot be made. */
    BROKEN,
    /** A checksum, digest, length or sequence number is wrong. */
    CORRUPT,
    /** Certificate or token are not good. */
    UNAUTHENTICATED,
    /** The other end speaks a version that we do not. */
    VERSION,
    /** One end has not the memory for it now. */
    NO_CAPACITY
  }

  private final Kind kind;

  public StreamException(Kind kind, String message) {
    this(kind, message, null);
  }

  public StreamException(Kind kind, String message, Throwable cause) {
    super(ForeignText.message(message), cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }
}
