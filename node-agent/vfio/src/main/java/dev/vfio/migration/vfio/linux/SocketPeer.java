package dev.vfio.migration.vfio.linux;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/**
 * Who is at the other end of a Unix stream socket, as the kernel noted when it connected ({@code
 * SO_PEERCRED}); numbers as this process sees them.
 *
 * @param process its number then; 0 where this process cannot see it
 * @param user its effective user id then
 */
public record SocketPeer(long process, int user) {
  static final int CREDENTIALS_PROCESS = 0;

  /**
   * Asks the kernel.
   *
   * @throws ErrnoException where it refuses; EBADF after the stream was closed
   */
  public static SocketPeer of(UnixStream stream) throws ErrnoException {
    ByteBuffer holder = NativeMemory.allocate(SocketLayout.CREDENTIALS_BYTES + Integer.BYTES);
    holder.putInt(SocketLayout.CREDENTIALS_BYTES, SocketLayout.CREDENTIALS_BYTES);
    long address = LibC.addressOf(holder);
    stream.option(
        "getsockopt of the peer's credentials",
        fd ->
            LibC.getsockopt(
                fd,
                LibC.SOL_SOCKET,
                LibC.SO_PEERCRED,
                address,
                address + SocketLayout.CREDENTIALS_BYTES));
    Reference.reachabilityFence(holder);
    return new SocketPeer(
        Integer.toUnsignedLong(holder.getInt(CREDENTIALS_PROCESS)),
        holder.getInt(SocketLayout.CREDENTIALS_USER));
  }
}
