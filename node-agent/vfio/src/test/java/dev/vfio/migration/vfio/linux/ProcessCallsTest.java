package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jna.Platform;
import dev.vfio.migration.vfio.layout.CompiledConstants;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Numbers of the calls about processes and waiting are what a C compiler says they are here. */
class ProcessCallsTest {

  private static final String INCLUDES =
      """
      #define _GNU_SOURCE
      #include <fcntl.h>
      #include <poll.h>
      #include <signal.h>
      #include <sys/eventfd.h>
      #include <sys/mman.h>
      #include <sys/socket.h>
      #include <sys/syscall.h>
      #include <linux/kcmp.h>
      """;

  @Test
  void numbersAndStructures(@TempDir Path folder) throws IOException, InterruptedException {
    Map<String, Integer> expected = new LinkedHashMap<>();
    expected.put("SYS_pidfd_open", ProcessDescriptor.PIDFD_OPEN);
    expected.put("SYS_pidfd_getfd", ProcessDescriptor.PIDFD_GETFD);
    expected.put("SYS_pidfd_send_signal", ProcessDescriptor.PIDFD_SEND_SIGNAL);
    expected.put(
        "SYS_kcmp",
        Platform.isIntel() ? ProcessDescriptor.KCMP_X86_64 : ProcessDescriptor.KCMP_GENERIC);
    expected.put("KCMP_FILE", ProcessDescriptor.KCMP_FILE);
    expected.put("SIGKILL", ProcessDescriptor.SIGKILL);
    expected.put("POLLIN", PollSet.IN);
    expected.put("POLLPRI", PollSet.PRIORITY);
    expected.put("offsetof(struct pollfd, fd)", PollSet.NUMBER);
    expected.put("offsetof(struct pollfd, events)", PollSet.WANTED);
    expected.put("offsetof(struct pollfd, revents)", PollSet.FOUND);
    expected.put("sizeof(struct pollfd)", PollSet.BYTES);
    expected.put("EFD_CLOEXEC", SocketWatch.EFD_CLOEXEC);
    expected.put("EFD_NONBLOCK", SocketWatch.EFD_NONBLOCK);
    expected.put("MFD_CLOEXEC", MemoryFile.MFD_CLOEXEC);
    expected.put("O_NONBLOCK", LibC.O_NONBLOCK);
    expected.put("O_NOFOLLOW", GuardedFile.noFollow());
    expected.put("offsetof(struct ucred, pid)", SocketPeer.CREDENTIALS_PROCESS);
    Map<String, String> expressions = new LinkedHashMap<>();
    expected.keySet().forEach(expression -> expressions.put(expression, expression));
    Map<String, Long> values = new LinkedHashMap<>();
    expected.forEach((expression, value) -> values.put(expression, value.longValue()));

    assertThat(CompiledConstants.evaluate(folder, INCLUDES, expressions)).isEqualTo(values);
  }
}
