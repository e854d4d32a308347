package dev.vfio.migration.vfio.linux;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The socket structures of 64-bit Linux, as bytes.
 *
 * <pre>
 * struct sockaddr_un { sa_family_t sun_family; char sun_path[108]; };
 * struct iovec   { void *iov_base; size_t iov_len; };
 * struct msghdr  { void *msg_name; socklen_t msg_namelen; struct iovec *msg_iov; size_t msg_iovlen;
 *                  void *msg_control; size_t msg_controllen; int msg_flags; };
 * struct cmsghdr { size_t cmsg_len; int cmsg_level; int cmsg_type; };
 * struct timeval { time_t tv_sec; suseconds_t tv_usec; };
 * struct ucred   { pid_t pid; uid_t uid; gid_t gid; };
 * </pre>
 */
final class SocketLayout {
  static final int ADDRESS_FAMILY = 0;
  static final int ADDRESS_PATH = 2;
  static final int ADDRESS_PATH_BYTES = 108;
  static final int ADDRESS_BYTES = 110;

  static final int IOVEC_BASE = 0;
  static final int IOVEC_LENGTH = 8;
  static final int IOVEC_BYTES = 16;

  static final int MESSAGE_IOVECS = 16;
  static final int MESSAGE_IOVEC_COUNT = 24;
  static final int MESSAGE_CONTROL = 32;
  static final int MESSAGE_CONTROL_LENGTH = 40;
  static final int MESSAGE_FLAGS = 48;
  static final int MESSAGE_BYTES = 56;

  static final int CONTROL_LENGTH = 0;
  static final int CONTROL_LEVEL = 8;
  static final int CONTROL_TYPE = 12;
  static final int CONTROL_BYTES = 16;

  static final int TIME_SECONDS = 0;
  static final int TIME_MICROSECONDS = 8;
  static final int TIME_BYTES = 16;

  static final int CREDENTIALS_USER = 4;
  static final int CREDENTIALS_BYTES = 12;

  private SocketLayout() {}

  /**
   * The bytes of a socket's path.
   *
   * @param call for messages, such as {@code bind(/run/a.sock)}
   * @throws ErrnoException ENAMETOOLONG where they do not fit, with the NUL that ends them
   */
  static byte[] pathBytes(Path path, String call) throws ErrnoException {
    byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
    if (bytes.length >= ADDRESS_PATH_BYTES) {
      throw new ErrnoException(
          call,
          Errno.ENAMETOOLONG.number(),
          "it has "
              + bytes.length
              + " bytes, and the path of a socket may have "
              + (ADDRESS_PATH_BYTES - 1));
    }
    return bytes;
  }
}
