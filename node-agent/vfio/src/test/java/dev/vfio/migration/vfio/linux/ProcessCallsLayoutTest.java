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
      #include <linux/openat2.h>
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
    numbers.put("O_NONBLOCK", LibC.O_NONBLOCK);
    numbers.put("AT_FDCWD", CharacterDevice.AT_FDCWD);
    numbers.put("AT_STATX_DONT_SYNC", CharacterDevice.AT_STATX_DONT_SYNC);
    numbers.put("STATX_TYPE", CharacterDevice.STATX_TYPE);
    numbers.put("offsetof(struct statx, stx_mode)", CharacterDevice.MODE);
    numbers.put("offsetof(struct statx, stx_rdev_major)", CharacterDevice.MAJOR);
    numbers.put("offsetof(struct statx, stx_rdev_minor)", CharacterDevice.MINOR);
    numbers.put("sizeof(struct statx)", Statx.BYTES);
    numbers.put("S_IFMT", CharacterDevice.S_IFMT);
    numbers.put("S_IFCHR", CharacterDevice.S_IFCHR);
    numbers.put("offsetof(struct ucred, pid)", SocketPeer.CREDENTIALS_PROCESS);
    hold(numbers);
  }

  @Test
  void openingBeneathADirectory() throws IOException, InterruptedException {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    numbers.put("SYS_openat2", RootDirectory.OPENAT2);
    numbers.put("offsetof(struct open_how, flags)", RootDirectory.HOW_FLAGS);
    numbers.put("offsetof(struct open_how, mode)", RootDirectory.HOW_MODE);
    numbers.put("offsetof(struct open_how, resolve)", RootDirectory.HOW_RESOLVE);
    numbers.put("sizeof(struct open_how)", RootDirectory.HOW_BYTES);
    numbers.put("RESOLVE_NO_XDEV", RootDirectory.RESOLVE_NO_XDEV);
    numbers.put("RESOLVE_NO_MAGICLINKS", RootDirectory.RESOLVE_NO_MAGICLINKS);
    numbers.put("RESOLVE_NO_SYMLINKS", RootDirectory.RESOLVE_NO_SYMLINKS);
    numbers.put("RESOLVE_BENEATH", RootDirectory.RESOLVE_BENEATH);
    numbers.put("O_DIRECTORY", RootDirectory.directoryOnly());
    numbers.put("O_NOFOLLOW", GuardedFile.noFollow());
    numbers.put("O_NOCTTY", LibC.O_NOCTTY);
    hold(numbers);
  }

  @Test
  void whatAFileIs() throws IOException, InterruptedException {
    Map<String, Integer> numbers = new LinkedHashMap<>();
    numbers.put("AT_EMPTY_PATH", FileStatus.AT_EMPTY_PATH);
    numbers.put("STATX_BASIC_STATS", FileStatus.STATX_BASIC_STATS);
    numbers.put("offsetof(struct statx, stx_nlink)", FileStatus.LINKS);
    numbers.put("offsetof(struct statx, stx_uid)", FileStatus.OWNER);
    numbers.put("offsetof(struct statx, stx_ino)", FileStatus.INODE);
    numbers.put("offsetof(struct statx, stx_size)", FileStatus.SIZE);
    numbers.put("offsetof(struct statx, stx_dev_major)", FileStatus.DEVICE_MAJOR);
    numbers.put("offsetof(struct statx, stx_dev_minor)", FileStatus.DEVICE_MINOR);
    numbers.put("S_IFIFO", FileStatus.S_IFIFO);
    numbers.put("S_IFDIR", FileStatus.S_IFDIR);
    numbers.put("S_IFBLK", FileStatus.S_IFBLK);
    numbers.put("S_IFREG", FileStatus.S_IFREG);
    numbers.put("S_IFLNK", FileStatus.S_IFLNK);
    numbers.put("S_IFSOCK", FileStatus.S_IFSOCK);
    numbers.put("S_ISUID", FileStatus.S_ISUID);
    numbers.put("S_ISGID", FileStatus.S_ISGID);
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
    hold(Map.of("SYS_kcmp", ProcessDescriptor.KCMP_X86_64, "SYS_statx", Statx.STATX_X86_64));
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "aarch64", disabledReason = "of aarch64")
  void theCallsThatDifferByArchitectureElsewhere() throws IOException, InterruptedException {
    hold(Map.of("SYS_kcmp", ProcessDescriptor.KCMP_GENERIC, "SYS_statx", Statx.STATX_GENERIC));
  }
}
