package dev.vfio.migration.sandbox.devices.unixsocket;

import com.sun.jna.LastErrorException;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;

/**
 * The C library calls that passing a file descriptor needs and the JDK does not offer. Direct
 * mapping; addresses are plain longs (64-bit Linux). Every call throws {@link LastErrorException}
 * with the errno.
 */
final class DescriptorCalls {
  static final int AF_UNIX = 1;
  static final int SOCK_STREAM = 1;
  static final int SOCK_CLOEXEC = 0x80000;
  static final int SOL_SOCKET = 1;
  static final int SCM_RIGHTS = 1;
  static final int MSG_WAITALL = 0x100;
  static final int MSG_NOSIGNAL = 0x4000;
  static final int SHUT_RDWR = 2;
  static final int MFD_CLOEXEC = 1;
  static final short POLLHUP = 0x10;
  static final int EINTR = 4;
  static final int EPIPE = 32;
  static final int ECONNRESET = 104;

  static {
    Native.register(DescriptorCalls.class, Platform.C_LIBRARY_NAME);
  }

  private DescriptorCalls() {}

  static native int socket(int domain, int type, int protocol) throws LastErrorException;

  static native int bind(int fd, long address, int length) throws LastErrorException;

  static native int listen(int fd, int backlog) throws LastErrorException;

  static native int accept4(int fd, long address, long length, int flags) throws LastErrorException;

  static native long recv(int fd, long buffer, long length, int flags) throws LastErrorException;

  static native long sendmsg(int fd, long message, int flags) throws LastErrorException;

  static native int shutdown(int fd, int how) throws LastErrorException;

  static native int close(int fd) throws LastErrorException;

  static native int poll(long descriptors, long count, int milliseconds) throws LastErrorException;

  static native int memfd_create(String name, int flags) throws LastErrorException;

  static native int ftruncate(int fd, long length) throws LastErrorException;

  /** The address of the first byte of a direct buffer, whatever its position. */
  static long addressOf(ByteBuffer direct) {
    return Pointer.nativeValue(Native.getDirectBufferPointer(direct));
  }
}
