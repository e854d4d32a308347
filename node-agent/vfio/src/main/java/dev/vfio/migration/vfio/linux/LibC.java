package dev.vfio.migration.vfio.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import java.nio.Buffer;

/**
 * The C library's calls that this library needs, by JNA's direct mapping. Pointers and {@code
 * size_t} travel as {@code long}: 64-bit machines only. A call that answers -1 leaves its errno in
 * {@link #lastErrno()} of the same thread.
 */
final class LibC {
  static final int AF_UNIX = 1;
  static final int SOCK_STREAM = 1;
  static final int SOCK_CLOEXEC = 0x80000;
  static final int SOL_SOCKET = 1;
  static final int SO_SNDBUF = 7;
  static final int SO_PEERCRED = 17;
  static final int SO_RCVTIMEO = 20;
  static final int SO_SNDTIMEO = 21;
  static final int SCM_RIGHTS = 1;
  static final int SHUT_RDWR = 2;
  static final int MSG_CTRUNC = 0x8;
  static final int MSG_DONTWAIT = 0x40;
  static final int MSG_WAITALL = 0x100;
  static final int MSG_NOSIGNAL = 0x4000;
  static final int MSG_CMSG_CLOEXEC = 0x40000000;
  static final int O_RDONLY = 0;
  static final int O_RDWR = 2;
  static final int O_ACCMODE = 3;
  static final int O_NOCTTY = 0x100;
  static final int O_CLOEXEC = 0x80000;
  static final int O_NONBLOCK = 0x800;
  static final int O_PATH = 0x200000;
  static final int F_GETFL = 3;
  static final int F_SETFL = 4;
  static final int F_DUPFD_CLOEXEC = 1030;
  static final int F_GET_SEALS = 1034;
  static final int F_SEAL_WRITE = 0x8;
  static final int F_SEAL_FUTURE_WRITE = 0x10;
  static final int POLLIN = 0x1;
  static final int POLLOUT = 0x4;
  static final int PROT_READ = 1;
  static final int PROT_WRITE = 2;
  static final int MAP_SHARED = 1;
  static final long MAP_FAILED = -1;

  static {
    if (Native.POINTER_SIZE != Long.BYTES) {
      throw new UnsatisfiedLinkError("only 64-bit machines are supported");
    }
    Native.register(LibC.class, Platform.C_LIBRARY_NAME);
  }

  private LibC() {}

  static native int socket(int domain, int type, int protocol);

  static native int connect(int fd, long address, int length);

  static native int shutdown(int fd, int how);

  static native int setsockopt(int fd, int level, int name, long value, int length);

  static native int getsockopt(int fd, int level, int name, long value, long length);

  static native long sendmsg(int fd, long message, int flags);

  static native long recvmsg(int fd, long message, int flags);

  static native int open(byte[] path, int flags);

  static native long readlink(byte[] path, long target, long size);

  static native int close(int fd);

  static native int fcntl(int fd, int command, long argument);

  static native long pread(int fd, long address, long count, long offset);

  static native long pwrite(int fd, long address, long count, long offset);

  static native long read(int fd, long address, long count);

  static native long write(int fd, long address, long count);

  static native int ioctl(int fd, long request, long argument);

  static native long mmap(long address, long length, int protection, int flags, int fd, long at);

  static native int munmap(long address, long length);

  static native int poll(long descriptors, long count, int timeoutMillis);

  static native int bind(int fd, long address, int length);

  static native int listen(int fd, int backlog);

  static native int accept4(int fd, long address, long length, int flags);

  static native int ftruncate(int fd, long length);

  static native int fallocate(int fd, int mode, long offset, long length);

  static native int memfd_create(byte[] name, int flags);

  /** For calls that the C library has no wrapper for. */
  static native long syscall(long number, long a, long b, long c, long d, long e);

  static native int getpagesize();

  static int lastErrno() {
    return Native.getLastError();
  }

  /** The address of a direct buffer's index 0. The buffer must be kept reachable by the caller. */
  static long addressOf(Buffer buffer) {
    return Pointer.nativeValue(Native.getDirectBufferPointer(buffer));
  }
}
