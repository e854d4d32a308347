package dev.vfio.migration.vfio.user;

import static dev.vfio.migration.vfio.user.MessageLayout.*;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.NativeMemory;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * One command and its reply at a time over one connection. Payload data is gathered from and
 * scattered into the caller's own direct buffers. The server is not trusted: it does not decide
 * what is allocated, and a reply must answer the very request, with a size that was allowed.
 *
 * <p>After a failure of the transport or a breach of the protocol the connection is closed, because
 * the start of the next message is not known. Every later call fails with that reason.
 */
final class Channel implements AutoCloseable {
  /** The longest fixed payload, before data, of any request or reply here. */
  private static final int MAX_FIXED_BYTES = 32;

  private static final ByteBuffer NOTHING = ByteBuffer.allocateDirect(0);

  private final Path path;
  private final UnixStream stream;
  private final ByteBuffer request = scratch();
  private final ByteBuffer reply = scratch();
  private final Duration toOpen;
  private final long openBy;
  private Duration timeout;
  private boolean opening = true;
  private int lastId;
  private volatile String brokenBy;

  /**
   * @param path of the server's socket, for messages
   * @param stream connected to it
   * @param toOpen how long connecting and all exchanges until {@link #opened()} may take together:
   *     a server that answers each of many questions just in time is as slow as one that hangs
   * @param openBy when that time ends, as {@link System#nanoTime()} counts
   */
  Channel(Path path, UnixStream stream, Duration toOpen, long openBy) {
    this.path = path;
    this.stream = stream;
    this.toOpen = toOpen;
    this.openBy = openBy;
    this.timeout = toOpen;
  }

  private static ByteBuffer scratch() {
    return NativeMemory.allocate(HEADER_BYTES + MAX_FIXED_BYTES);
  }

  /** The device is open: from now on each exchange has the whole of its own time. */
  void opened() throws AccessException {
    opening = false;
    waitAtMost(timeout);
  }

  /** How long each later exchange may take. */
  void timeout(Duration newTimeout) throws AccessException {
    requireUsable();
    if (!newTimeout.equals(timeout)) {
      waitAtMost(newTimeout);
      timeout = newTimeout;
    }
  }

  private void waitAtMost(Duration limit) throws AccessException {
    try {
      stream.timeout(limit);
    } catch (IOException failure) {
      throw broken(
          Reason.UNREACHABLE, ErrnoException.errnoOf(failure), failure.getMessage(), failure);
    }
  }

  /** Clears the fixed part of the next request and gives it out to be filled, from index 0. */
  ByteBuffer prepare(int bytes) {
    request.clear().limit(HEADER_BYTES + bytes);
    for (int i = 0; i < request.limit(); i++) {
      request.put(i, (byte) 0);
    }
    return request.slice(HEADER_BYTES, bytes).order(ByteOrder.nativeOrder());
  }

  /** The fixed part of the last reply. */
  ByteBuffer fixed() {
    return reply.slice(HEADER_BYTES, reply.limit() - HEADER_BYTES).order(ByteOrder.nativeOrder());
  }

  static ByteBuffer nothing() {
    return NOTHING.duplicate();
  }

  /**
   * Sends the prepared request with data behind it and takes the reply.
   *
   * @param data sent behind the fixed part; advanced to its limit
   * @param fixedBytes bytes of the reply's fixed part, which must all come
   * @param into takes the reply's data, at most what it has room for; advanced by what came
   * @param descriptors takes file descriptors that come along; null where none are wanted
   * @throws AccessException REFUSED where the server answers with an error
   */
  void exchange(
      VfioUserCommand command,
      ByteBuffer data,
      int fixedBytes,
      ByteBuffer into,
      List<Descriptor> descriptors)
      throws AccessException {
    requireUsable();
    try {
      if (opening) {
        awaitAtMostUntil(openBy);
      }
      send(command, data);
      long deadline = System.nanoTime() + timeout.toNanos();
      if (opening && openBy - deadline < 0) {
        deadline = openBy;
      }
      receive(command, fixedBytes, into, descriptors, deadline);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.EAGAIN)) {
        throw broken(
            Reason.UNREACHABLE,
            Errno.ETIMEDOUT.number(),
            String.format(
                "the server of %s did not answer %s%s",
                path,
                command,
                opening && System.nanoTime() - openBy >= 0
                    ? " within " + toOpen.toMillis() + " ms, counted from the connection on"
                    : " within " + timeout.toMillis() + " ms"),
            failure);
      }
      throw broken(
          Reason.UNREACHABLE,
          failure.errno(),
          "the connection to the server of "
              + path
              + " failed at "
              + command
              + ": "
              + failure.getMessage(),
          failure);
    } catch (IOException failure) {
      if (failure instanceof AccessException known) {
        throw known;
      }
      throw broken(
          Reason.VIOLATION, 0, "reply to " + command + ": " + failure.getMessage(), failure);
    }
  }

  private void requireUsable() throws AccessException {
    if (brokenBy != null) {
      throw new AccessException(
          Reason.UNREACHABLE, 0, "the connection to " + path + " was given up: " + brokenBy);
    }
  }

  private void send(VfioUserCommand command, ByteBuffer data) throws IOException {
    lastId = (lastId + 1) & 0xffff;
    request.putShort(ID, (short) lastId);
    request.putShort(COMMAND, (short) command.number());
    request.putInt(MESSAGE_SIZE, request.limit() + data.remaining());
    request.putInt(FLAGS, FLAG_TYPE_COMMAND);
    stream.send(request.position(0), data);
  }

  private void receive(
      VfioUserCommand command,
      int fixedBytes,
      ByteBuffer into,
      List<Descriptor> descriptors,
      long deadline)
      throws IOException {
    int dataStart = into.position();
    int limit = into.limit();
    long most = (long) HEADER_BYTES + fixedBytes + into.remaining();
    reply.clear().limit(HEADER_BYTES + fixedBytes);
    long got = 0;
    // The first call takes what is there: an error has no more than a header.
    while (got < HEADER_BYTES) {
      got += some(command, into, false, descriptors, deadline);
    }
    long size = checkedSize(command, fixedBytes, most, got);
    into.limit(dataStart + (int) (size - HEADER_BYTES - fixedBytes));
    try {
      while (got < size) {
        got += some(command, into, true, descriptors, deadline);
      }
    } finally {
      into.limit(limit);
    }
  }

  private long some(
      VfioUserCommand command,
      ByteBuffer into,
      boolean everything,
      List<Descriptor> descriptors,
      long deadline)
      throws IOException {
    if (opening) {
      awaitAtMostUntil(deadline);
    } else if (System.nanoTime() - deadline > 0) {
      throw new ErrnoException("receiving the reply", Errno.EAGAIN.number());
    }
    long received = stream.receive(reply, into, everything, descriptors);
    if (received == 0) {
      throw broken(
          Reason.UNREACHABLE,
          0,
          "the server of " + path + " closed the connection instead of answering " + command,
          null);
    }
    return received;
  }

  /** Limits the wait of the next call on the socket. */
  private void awaitAtMostUntil(long deadline) throws ErrnoException {
    long left = deadline - System.nanoTime();
    if (left <= 0) {
      throw new ErrnoException("waiting for the server", Errno.EAGAIN.number());
    }
    stream.timeout(Duration.ofNanos(left));
  }

  /** The size of the whole reply, once its header is known to answer this very request. */
  private long checkedSize(VfioUserCommand command, int fixedBytes, long most, long got)
      throws AccessException {
    int id = Short.toUnsignedInt(reply.getShort(ID));
    int answered = Short.toUnsignedInt(reply.getShort(COMMAND));
    int flags = reply.getInt(FLAGS);
    long size = Integer.toUnsignedLong(reply.getInt(MESSAGE_SIZE));
    if ((flags & FLAG_TYPE_MASK) != FLAG_TYPE_REPLY) {
      throw violation(command, "it sent a message that is no reply (flags " + flags + ")");
    }
    if (id != lastId || answered != command.number()) {
      throw violation(
          command,
          String.format(
              "it answered message %s with command %s; message %s with command %s was asked",
              id, answered, lastId, command.number()));
    }
    if (size < HEADER_BYTES || size > most) {
      throw violation(
          command, "its reply says it has " + size + " bytes; at most " + most + " are allowed");
    }
    if (got > size) {
      throw violation(command, "it sent more than the " + size + " bytes its reply says it has");
    }
    if ((flags & FLAG_ERROR) != 0) {
      if (size != HEADER_BYTES) {
        throw violation(command, "its error reply has " + size + " bytes instead of a header");
      }
      int errno = reply.getInt(ERROR);
      throw new AccessException(
          Reason.REFUSED,
          errno,
          "the server of " + path + " refused " + command + ": " + Errno.describe(errno));
    }
    if (size < HEADER_BYTES + fixedBytes) {
      throw violation(command, "its reply has only " + size + " bytes");
    }
    return size;
  }

  /** Closes the connection and makes the exception for a breach of the protocol. */
  AccessException violation(VfioUserCommand command, String what) {
    return broken(
        Reason.VIOLATION,
        0,
        "the server of " + path + " broke the vfio-user protocol at " + command + ": " + what,
        null);
  }

  private AccessException broken(Reason reason, int errno, String what, Throwable cause) {
    if (brokenBy == null) {
      brokenBy = what;
    }
    stream.close();
    return new AccessException(reason, errno, what, cause);
  }

  Path path() {
    return path;
  }

  @Override
  public void close() {
    if (brokenBy == null) {
      brokenBy = "it was closed here";
    }
    stream.close();
  }
}
