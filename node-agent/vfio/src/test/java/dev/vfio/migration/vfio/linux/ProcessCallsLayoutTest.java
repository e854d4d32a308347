package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.layout.CompiledConstants;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** The numbers by which processes, their files and waits are asked for are the system's. */
class ProcessCallsLayoutTest {
  private static final String INCLUDES =
      """
      #define _GNU_SOURCE
      #include <fcntl.h>
      #include <linux/kcmp.h>
      #include <poll.h>
      #include <signal.h>
      #include <sys/eventfd.h>
      #include <sys/mman.h>
      #include <sys/socket.h>
      #include <sys/stat.h>
      #include <sys/syscall.h>
      """;

  @TempDir Path folder;

  private void hold(Map<String, Integer> numbers) throws IOException, InterruptedException {
    Map<String, Long> expected = new LinkedHashMap<>();
    Map<String, String> expressions = new LinkedHashMap<>();
    numbers.forEach(
        (expression, number) -> {
          expected.put(expression, number.longValue());
          expressions.put(expression, expression);
        });
    assertThat(CompiledConstants.evaluate(folder, INCLUDES, expressions)).isEqualTo(expected);
  }

  @Test
  void callsAndFlags() throws IOException, InterruptedException {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    numbers.put("SYS_pidfd_send_signal", ProcessDescriptor.PIDFD_SEND_SIGNAL);
    numbers.put("SYS_pidfd_open", ProcessDescriptor.PIDFD_OPEN);
    numbers.put("SYS_pidfd_getfd", ProcessDescriptor.PIDFD_GETFD);
    numbers.put("KCMP_FILE", ProcessDescriptor.KCMP_FILE);
    numbers.put("SIGKILL", ProcessDescriptor.SIGKILL);
    numbers.put("EFD_CLOEXEC", SocketWatch.EFD_CLOEXEC);
    numbers.put("EFD_NONBLOCK", SocketWatch.EFD_NONBLOCK);
    numbers.put("MFD_CLOEXEC", MemoryFile.MFD_CLOEXEC);
    numbers.put("O_NONBLOCK", GuardedFile.O_NONBLOCK);
    numbers.put("AT_FDCWD", CharacterDevice.AT_FDCWD);
    numbers.put("AT_STATX_DONT_SYNC", CharacterDevice.AT_STATX_DONT_SYNC);
    numbers.put("STATX_TYPE", CharacterDevice.STATX_TYPE);
    numbers.put("offsetof(struct statx, stx_mode)", CharacterDevice.MODE);
    numbers.put("offsetof(struct statx, stx_rdev_major)", CharacterDevice.MAJOR);
    numbers.put("offsetof(struct statx, stx_rdev_minor)", CharacterDevice.MINOR);
    numbers.put("sizeof(struct statx)", CharacterDevice.BYTES);
    numbers.put("S_IFMT", CharacterDevice.S_IFMT);
    numbers.put("S_IFCHR", CharacterDevice.S_IFCHR);
    numbers.put("offsetof(struct ucred, pid)", SocketPeer.CREDENTIALS_PROCESS);
    hold(numbers);
  }

  @Test
  void thePollStructure() throws IOException, InterruptedException {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    numbers.put("POLLIN", PollSet.IN);
    numbers.put("POLLPRI", PollSet.PRIORITY);
    numbers.put("offsetof(struct pollfd, fd)", PollSet.NUMBER);
    numbers.put("offsetof(struct pollfd, events)", PollSet.WANTED);
    numbers.put("offsetof(struct pollfd, revents)", PollSet.FOUND);
    numbers.put("sizeof(struct pollfd)", PollSet.BYTES);
    hold(numbers);
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "of x86-64")
  void theCallsThatDifferByArchitectureHere() throws IOException, InterruptedException {
    hold(
        Map.of(
            "SYS_kcmp", ProcessDescriptor.KCMP_X86_64, "SYS_statx", CharacterDevice.STATX_X86_64));
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "aarch64", disabledReason = "of aarch64")
  void theCallsThatDifferByArchitectureElsewhere() throws IOException, InterruptedException {
    hold(
        Map.of(
            "SYS_kcmp",
            ProcessDescriptor.KCMP_GENERIC,
            "SYS_statx",
            CharacterDevice.STATX_GENERIC));
  }
}
