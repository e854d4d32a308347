package dev.vfio.migration.sandbox.devices.unixsocket;

import com.sun.jna.LastErrorException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One accepted stream connection. Data goes straight between direct buffers and the kernel. One
 * thread receives, sends and closes; {@link #hangUp} and {@link #peerHasClosed} are for any thread,
 * as long as that thread has not closed it.
 */
public final class UnixConnection implements AutoCloseable {
  private static final int NO_DESCRIPTOR = -1;

  private final int fd;
  private final MessageHeader header = new MessageHeader();
  private boolean closed;

  UnixConnection(int fd) {
    this.fd = fd;
  }

  /**
   * Receives exactly as many bytes as {@code into} has room for and moves its position.
   *
   * @return false if the peer ended the connection before the first byte
   * @throws EOFException if it ended it later
   */
  public boolean receive(ByteBuffer into) throws IOException {
    long address = DescriptorCalls.addressOf(into);
    boolean any = false;
    while (into.hasRemaining()) {
      int got = receiveSome(address + into.position(), into.remaining());
      if (got == 0) {
        if (any) {
          throw new EOFException("the client ended the connection in the middle of a message");
        }
        return false;
      }
      any = true;
      into.position(into.position() + got);
    }
    return true;
  }

  /** Sends all of {@code bytes}. */
  public void send(ByteBuffer bytes) throws IOException {
    send(bytes, bytes.slice(bytes.limit(), 0), NO_DESCRIPTOR);
  }

  /**
   * Sends all of {@code first}, then all of {@code second}, in as few calls as the kernel takes.
   */
  public void send(ByteBuffer first, ByteBuffer second) throws IOException {
    send(first, second, NO_DESCRIPTOR);
  }

  /** Sends all of {@code bytes} and a file descriptor with its first byte. */
  public void sendWithDescriptor(ByteBuffer bytes, int descriptor) throws IOException {
    send(bytes, bytes.slice(bytes.limit(), 0), descriptor);
  }

  /** Whether the peer has closed its end; what it had sent before may still be there to read. */
  public synchronized boolean peerHasClosed() {
    if (closed) {
      return true;
    }
    ByteBuffer poll = ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
    poll.putInt(0, fd);
    DescriptorCalls.poll(DescriptorCalls.addressOf(poll), 1, 0);
    return (poll.getShort(6) & DescriptorCalls.POLLHUP) != 0;
  }

  /** Ends the connection in both directions; a thread that waits on it wakes up. */
  public synchronized void hangUp() {
    if (!closed) {
      DescriptorCalls.shutdown(fd, DescriptorCalls.SHUT_RDWR);
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      DescriptorCalls.close(fd);
    }
  }

  private void send(ByteBuffer first, ByteBuffer second, int descriptor) throws IOException {
    long firstAddress = DescriptorCalls.addressOf(first);
    long secondAddress = DescriptorCalls.addressOf(second);
    header.descriptor(descriptor);
    while (first.hasRemaining() || second.hasRemaining()) {
      header.pieces(
          firstAddress + first.position(),
          first.remaining(),
          secondAddress + second.position(),
          second.remaining());
      int sent = sendSome();
      int ofFirst = Math.min(sent, first.remaining());
      first.position(first.position() + ofFirst);
      second.position(second.position() + sent - ofFirst);
      header.descriptor(NO_DESCRIPTOR);
    }
  }

  private int receiveSome(long address, int length) throws IOException {
    while (true) {
      try {
        return (int) DescriptorCalls.recv(fd, address, length, DescriptorCalls.MSG_WAITALL);
      } catch (LastErrorException e) {
        if (e.getErrorCode() == DescriptorCalls.ECONNRESET) {
          return 0;
        }
        if (e.getErrorCode() != DescriptorCalls.EINTR) {
          throw new IOException("receiving failed with errno " + e.getErrorCode(), e);
        }
      }
    }
  }

  private int sendSome() throws IOException {
    while (true) {
      try {
        return (int) DescriptorCalls.sendmsg(fd, header.address(), DescriptorCalls.MSG_NOSIGNAL);
      } catch (LastErrorException e) {
        if (e.getErrorCode() == DescriptorCalls.EPIPE
            || e.getErrorCode() == DescriptorCalls.ECONNRESET) {
          throw new EOFException("the client ended the connection before it had its answer");
        }
        if (e.getErrorCode() != DescriptorCalls.EINTR) {
          throw new IOException("sending failed with errno " + e.getErrorCode(), e);
        }
      }
    }
  }
}
