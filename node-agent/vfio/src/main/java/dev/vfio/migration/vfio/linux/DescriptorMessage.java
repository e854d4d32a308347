package dev.vfio.migration.vfio.linux;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Bytes that travel over a Unix stream socket with duplicates of file descriptors ({@code
 * SCM_RIGHTS}), which arrive with the first of the bytes, in the order given.
 */
public final class DescriptorMessage {
  /** The most that Linux takes with one message ({@code SCM_MAX_FD}). */
  public static final int MAX_DESCRIPTORS = 253;

  private static final int IOVEC = SocketLayout.MESSAGE_BYTES;
  private static final int CONTROL = IOVEC + SocketLayout.IOVEC_BYTES;

  private DescriptorMessage() {}

  /**
   * Sends everything. The descriptors stay the caller's.
   *
   * @param bytes direct, at least one; advanced by what was sent
   * @param descriptors 1 to {@link #MAX_DESCRIPTORS}
   * @throws ErrnoException EAGAIN where the peer did not take it in time, EPIPE where it closed its
   *     end; the descriptors may have been sent all the same
   */
  public static void send(UnixStream stream, ByteBuffer bytes, List<Descriptor> descriptors)
      throws ErrnoException {
    if (descriptors.isEmpty() || descriptors.size() > MAX_DESCRIPTORS || !bytes.hasRemaining()) {
      throw new IllegalArgumentException(
          bytes.remaining() + " bytes with " + descriptors.size() + " descriptors");
    }
    int controlLength = SocketLayout.CONTROL_BYTES + descriptors.size() * Integer.BYTES;
    ByteBuffer message = NativeMemory.allocate(CONTROL + ((controlLength + 7) & ~7));
    long address = LibC.addressOf(message);
    message.putLong(SocketLayout.MESSAGE_IOVECS, address + IOVEC);
    message.putLong(SocketLayout.MESSAGE_IOVEC_COUNT, 1);
    message.putLong(SocketLayout.MESSAGE_CONTROL, address + CONTROL);
    message.putLong(SocketLayout.MESSAGE_CONTROL_LENGTH, controlLength);
    message.putLong(IOVEC + SocketLayout.IOVEC_BASE, LibC.addressOf(bytes) + bytes.position());
    message.putLong(IOVEC + SocketLayout.IOVEC_LENGTH, bytes.remaining());
    message.putLong(CONTROL + SocketLayout.CONTROL_LENGTH, controlLength);
    message.putInt(CONTROL + SocketLayout.CONTROL_LEVEL, LibC.SOL_SOCKET);
    message.putInt(CONTROL + SocketLayout.CONTROL_TYPE, LibC.SCM_RIGHTS);
    for (int i = 0; i < descriptors.size(); i++) {
      message.putInt(
          CONTROL + SocketLayout.CONTROL_BYTES + i * Integer.BYTES, descriptors.get(i).number());
    }
    long sent = stream.sendMessage(address);
    Reference.reachabilityFence(message);
    Reference.reachabilityFence(bytes);
    bytes.position(bytes.position() + (int) sent);
    if (bytes.hasRemaining()) {
      stream.send(bytes, ByteBuffer.allocateDirect(0));
    }
  }
}
