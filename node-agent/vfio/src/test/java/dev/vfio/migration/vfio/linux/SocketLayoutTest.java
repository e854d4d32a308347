package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.layout.CompiledConstants;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
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
    Map<String, Long> expected = new LinkedHashMap<>();
    expected.put("offsetof(struct sockaddr_un, sun_family)", at(SocketLayout.ADDRESS_FAMILY));
    expected.put("offsetof(struct sockaddr_un, sun_path)", at(SocketLayout.ADDRESS_PATH));
    expected.put(
        "sizeof(((struct sockaddr_un *)0)->sun_path)", at(SocketLayout.ADDRESS_PATH_BYTES));
    expected.put("sizeof(struct sockaddr_un)", at(SocketLayout.ADDRESS_BYTES));
    expected.put("offsetof(struct iovec, iov_base)", at(SocketLayout.IOVEC_BASE));
    expected.put("offsetof(struct iovec, iov_len)", at(SocketLayout.IOVEC_LENGTH));
    expected.put("sizeof(struct iovec)", at(SocketLayout.IOVEC_BYTES));
    expected.put("offsetof(struct msghdr, msg_iov)", at(SocketLayout.MESSAGE_IOVECS));
    expected.put("offsetof(struct msghdr, msg_iovlen)", at(SocketLayout.MESSAGE_IOVEC_COUNT));
    expected.put("offsetof(struct msghdr, msg_control)", at(SocketLayout.MESSAGE_CONTROL));
    expected.put(
        "offsetof(struct msghdr, msg_controllen)", at(SocketLayout.MESSAGE_CONTROL_LENGTH));
    expected.put("offsetof(struct msghdr, msg_flags)", at(SocketLayout.MESSAGE_FLAGS));
    expected.put("sizeof(struct msghdr)", at(SocketLayout.MESSAGE_BYTES));
    expected.put("offsetof(struct cmsghdr, cmsg_len)", at(SocketLayout.CONTROL_LENGTH));
    expected.put("offsetof(struct cmsghdr, cmsg_level)", at(SocketLayout.CONTROL_LEVEL));
    expected.put("offsetof(struct cmsghdr, cmsg_type)", at(SocketLayout.CONTROL_TYPE));
    expected.put("CMSG_LEN(0)", at(SocketLayout.CONTROL_BYTES));
    expected.put("offsetof(struct timeval, tv_sec)", at(SocketLayout.TIME_SECONDS));
    expected.put("offsetof(struct timeval, tv_usec)", at(SocketLayout.TIME_MICROSECONDS));
    expected.put("sizeof(struct timeval)", at(SocketLayout.TIME_BYTES));
    expected.put("offsetof(struct ucred, uid)", at(SocketLayout.CREDENTIALS_USER));
    expected.put("sizeof(struct ucred)", at(SocketLayout.CREDENTIALS_BYTES));
    expected.put("AF_UNIX", at(LibC.AF_UNIX));
    expected.put("SOCK_STREAM", at(LibC.SOCK_STREAM));
    expected.put("SOCK_CLOEXEC", at(LibC.SOCK_CLOEXEC));
    expected.put("SOL_SOCKET", at(LibC.SOL_SOCKET));
    expected.put("SO_SNDBUF", at(LibC.SO_SNDBUF));
    expected.put("SO_PEERCRED", at(LibC.SO_PEERCRED));
    expected.put("SO_RCVTIMEO", at(LibC.SO_RCVTIMEO));
    expected.put("SO_SNDTIMEO", at(LibC.SO_SNDTIMEO));
    expected.put("SCM_RIGHTS", at(LibC.SCM_RIGHTS));
    expected.put("SHUT_RDWR", at(LibC.SHUT_RDWR));
    expected.put("MSG_CTRUNC", at(LibC.MSG_CTRUNC));
    expected.put("MSG_WAITALL", at(LibC.MSG_WAITALL));
    expected.put("MSG_NOSIGNAL", at(LibC.MSG_NOSIGNAL));
    expected.put("MSG_CMSG_CLOEXEC", at(LibC.MSG_CMSG_CLOEXEC));
    expected.put("O_RDONLY", at(LibC.O_RDONLY));
    expected.put("O_ACCMODE", at(LibC.O_ACCMODE));
    expected.put("F_GETFL", at(LibC.F_GETFL));
    expected.put("F_DUPFD_CLOEXEC", at(LibC.F_DUPFD_CLOEXEC));
    expected.put("F_GET_SEALS", at(LibC.F_GET_SEALS));
    expected.put("O_PATH", at(LibC.O_PATH));
    expected.put("O_RDWR", at(LibC.O_RDWR));
    expected.put("O_CLOEXEC", at(LibC.O_CLOEXEC));
    for (Errno errno : Errno.values()) {
      expected.put(errno.name(), at(errno.number()));
    }
    Map<String, String> expressions = new LinkedHashMap<>();
    expected.keySet().forEach(expression -> expressions.put(expression, expression));

    assertThat(CompiledConstants.evaluate(folder, INCLUDES, expressions)).isEqualTo(expected);
  }

  private static long at(int value) {
    return value;
  }
}
