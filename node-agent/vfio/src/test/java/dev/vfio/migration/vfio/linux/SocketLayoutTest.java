package dev.vfio.migration.vfio.linux;

import dev.vfio.migration.vfio.layout.ExpectedConstants;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The system's structures and constants are what a C compiler says they are here. */
class SocketLayoutTest {

  private static final String INCLUDES =
      """
      #define _GNU_SOURCE
      #include <errno.h>
      #include <fcntl.h>
      #include <sys/socket.h>
      #include <sys/time.h>
      #include <sys/un.h>
      """;

  @Test
  void structuresAndConstants(@TempDir Path folder) throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("offsetof(struct sockaddr_un, sun_family)", SocketLayout.ADDRESS_FAMILY);
    expected.add("offsetof(struct sockaddr_un, sun_path)", SocketLayout.ADDRESS_PATH);
    expected.add("sizeof(((struct sockaddr_un *)0)->sun_path)", SocketLayout.ADDRESS_PATH_BYTES);
    expected.add("sizeof(struct sockaddr_un)", SocketLayout.ADDRESS_BYTES);
    expected.add("offsetof(struct iovec, iov_base)", SocketLayout.IOVEC_BASE);
    expected.add("offsetof(struct iovec, iov_len)", SocketLayout.IOVEC_LENGTH);
    expected.add("sizeof(struct iovec)", SocketLayout.IOVEC_BYTES);
    expected.add("offsetof(struct msghdr, msg_iov)", SocketLayout.MESSAGE_IOVECS);
    expected.add("offsetof(struct msghdr, msg_iovlen)", SocketLayout.MESSAGE_IOVEC_COUNT);
    expected.add("offsetof(struct msghdr, msg_control)", SocketLayout.MESSAGE_CONTROL);
    expected.add("offsetof(struct msghdr, msg_controllen)", SocketLayout.MESSAGE_CONTROL_LENGTH);
    expected.add("offsetof(struct msghdr, msg_flags)", SocketLayout.MESSAGE_FLAGS);
    expected.add("sizeof(struct msghdr)", SocketLayout.MESSAGE_BYTES);
    expected.add("offsetof(struct cmsghdr, cmsg_len)", SocketLayout.CONTROL_LENGTH);
    expected.add("offsetof(struct cmsghdr, cmsg_level)", SocketLayout.CONTROL_LEVEL);
    expected.add("offsetof(struct cmsghdr, cmsg_type)", SocketLayout.CONTROL_TYPE);
    expected.add("CMSG_LEN(0)", SocketLayout.CONTROL_BYTES);
    expected.add("offsetof(struct timeval, tv_sec)", SocketLayout.TIME_SECONDS);
    expected.add("offsetof(struct timeval, tv_usec)", SocketLayout.TIME_MICROSECONDS);
    expected.add("sizeof(struct timeval)", SocketLayout.TIME_BYTES);
    expected.add("offsetof(struct ucred, uid)", SocketLayout.CREDENTIALS_USER);
    expected.add("sizeof(struct ucred)", SocketLayout.CREDENTIALS_BYTES);
    expected.add("AF_UNIX", LibC.AF_UNIX);
    expected.add("SOCK_STREAM", LibC.SOCK_STREAM);
    expected.add("SOCK_CLOEXEC", LibC.SOCK_CLOEXEC);
    expected.add("SOL_SOCKET", LibC.SOL_SOCKET);
    expected.add("SO_SNDBUF", LibC.SO_SNDBUF);
    expected.add("SO_PEERCRED", LibC.SO_PEERCRED);
    expected.add("SO_RCVTIMEO", LibC.SO_RCVTIMEO);
    expected.add("SO_SNDTIMEO", LibC.SO_SNDTIMEO);
    expected.add("SCM_RIGHTS", LibC.SCM_RIGHTS);
    expected.add("SHUT_RDWR", LibC.SHUT_RDWR);
    expected.add("MSG_CTRUNC", LibC.MSG_CTRUNC);
    expected.add("MSG_WAITALL", LibC.MSG_WAITALL);
    expected.add("MSG_NOSIGNAL", LibC.MSG_NOSIGNAL);
    expected.add("MSG_CMSG_CLOEXEC", LibC.MSG_CMSG_CLOEXEC);
    expected.add("O_RDONLY", LibC.O_RDONLY);
    expected.add("O_ACCMODE", LibC.O_ACCMODE);
    expected.add("F_GETFL", LibC.F_GETFL);
    expected.add("F_DUPFD_CLOEXEC", LibC.F_DUPFD_CLOEXEC);
    expected.add("F_GET_SEALS", LibC.F_GET_SEALS);
    expected.add("O_PATH", LibC.O_PATH);
    expected.add("O_RDWR", LibC.O_RDWR);
    expected.add("O_CLOEXEC", LibC.O_CLOEXEC);
    for (Errno errno : Errno.values()) {
      expected.add(errno.name(), errno.number());
    }
    expected.hold(folder, INCLUDES);
  }
}
