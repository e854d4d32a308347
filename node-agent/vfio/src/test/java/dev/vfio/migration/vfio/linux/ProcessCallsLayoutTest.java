package dev.vfio.migration.vfio.linux;

import dev.vfio.migration.vfio.layout.ExpectedConstants;
import java.io.IOException;
import java.nio.file.Path;
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

  @Test
  void callsAndFlagsAreTheSystems() throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("SYS_pidfd_send_signal", ProcessDescriptor.PIDFD_SEND_SIGNAL);
    expected.add("SYS_pidfd_open", ProcessDescriptor.PIDFD_OPEN);
    expected.add("SYS_pidfd_getfd", ProcessDescriptor.PIDFD_GETFD);
    expected.add("KCMP_FILE", ProcessDescriptor.KCMP_FILE);
    expected.add("SIGKILL", ProcessDescriptor.SIGKILL);
    expected.add("EFD_CLOEXEC", SocketWatch.EFD_CLOEXEC);
    expected.add("EFD_NONBLOCK", SocketWatch.EFD_NONBLOCK);
    expected.add("MFD_CLOEXEC", MemoryFile.MFD_CLOEXEC);
    expected.add("O_NONBLOCK", LibC.O_NONBLOCK);
    expected.add("AT_FDCWD", CharacterDevice.AT_FDCWD);
    expected.add("AT_STATX_DONT_SYNC", CharacterDevice.AT_STATX_DONT_SYNC);
    expected.add("STATX_TYPE", CharacterDevice.STATX_TYPE);
    expected.add("offsetof(struct statx, stx_mode)", CharacterDevice.MODE);
    expected.add("offsetof(struct statx, stx_rdev_major)", CharacterDevice.MAJOR);
    expected.add("offsetof(struct statx, stx_rdev_minor)", CharacterDevice.MINOR);
    expected.add("sizeof(struct statx)", Statx.BYTES);
    expected.add("S_IFMT", CharacterDevice.S_IFMT);
    expected.add("S_IFCHR", CharacterDevice.S_IFCHR);
    expected.add("offsetof(struct ucred, pid)", SocketPeer.CREDENTIALS_PROCESS);
    expected.hold(folder, INCLUDES);
  }

  @Test
  void theStructureForOpeningBeneathADirectoryIsTheSystems()
      throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("SYS_openat2", RootDirectory.OPENAT2);
    expected.add("offsetof(struct open_how, flags)", RootDirectory.HOW_FLAGS);
    expected.add("offsetof(struct open_how, mode)", RootDirectory.HOW_MODE);
    expected.add("offsetof(struct open_how, resolve)", RootDirectory.HOW_RESOLVE);
    expected.add("sizeof(struct open_how)", RootDirectory.HOW_BYTES);
    expected.add("RESOLVE_NO_XDEV", RootDirectory.RESOLVE_NO_XDEV);
    expected.add("RESOLVE_NO_MAGICLINKS", RootDirectory.RESOLVE_NO_MAGICLINKS);
    expected.add("RESOLVE_NO_SYMLINKS", RootDirectory.RESOLVE_NO_SYMLINKS);
    expected.add("RESOLVE_BENEATH", RootDirectory.RESOLVE_BENEATH);
    expected.add("O_DIRECTORY", RootDirectory.directoryOnly());
    expected.add("O_NOFOLLOW", GuardedFile.noFollow());
    expected.add("O_NOCTTY", LibC.O_NOCTTY);
    expected.hold(folder, INCLUDES);
  }

  @Test
  void theBitsThatSayWhatAFileIsAreTheSystems() throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("AT_EMPTY_PATH", FileStatus.AT_EMPTY_PATH);
    expected.add("STATX_BASIC_STATS", FileStatus.STATX_BASIC_STATS);
    expected.add("offsetof(struct statx, stx_nlink)", FileStatus.LINKS);
    expected.add("offsetof(struct statx, stx_uid)", FileStatus.OWNER);
    expected.add("offsetof(struct statx, stx_size)", FileStatus.SIZE);
    expected.add("offsetof(struct statx, stx_dev_major)", FileStatus.DEVICE_MAJOR);
    expected.add("offsetof(struct statx, stx_dev_minor)", FileStatus.DEVICE_MINOR);
    expected.add("S_IFIFO", FileStatus.S_IFIFO);
    expected.add("S_IFDIR", FileStatus.S_IFDIR);
    expected.add("S_IFBLK", FileStatus.S_IFBLK);
    expected.add("S_IFREG", FileStatus.S_IFREG);
    expected.add("S_IFLNK", FileStatus.S_IFLNK);
    expected.add("S_IFSOCK", FileStatus.S_IFSOCK);
    expected.add("S_ISUID", FileStatus.S_ISUID);
    expected.add("S_ISGID", FileStatus.S_ISGID);
    expected.hold(folder, INCLUDES);
  }

  @Test
  void thePollStructureIsTheSystems() throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("POLLIN", PollSet.IN);
    expected.add("POLLPRI", PollSet.PRIORITY);
    expected.add("offsetof(struct pollfd, fd)", PollSet.NUMBER);
    expected.add("offsetof(struct pollfd, events)", PollSet.WANTED);
    expected.add("offsetof(struct pollfd, revents)", PollSet.FOUND);
    expected.add("sizeof(struct pollfd)", PollSet.BYTES);
    expected.hold(folder, INCLUDES);
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "amd64", disabledReason = "of x86-64")
  void theCallsThatDifferByArchitectureAreTheSystemsHere()
      throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("SYS_kcmp", ProcessDescriptor.KCMP_X86_64);
    expected.add("SYS_statx", Statx.STATX_X86_64);
    expected.hold(folder, INCLUDES);
  }

  @Test
  @EnabledIfSystemProperty(named = "os.arch", matches = "aarch64", disabledReason = "of aarch64")
  void theCallsThatDifferByArchitectureAreTheSystemsElsewhere()
      throws IOException, InterruptedException {
    ExpectedConstants expected = new ExpectedConstants();
    expected.add("SYS_kcmp", ProcessDescriptor.KCMP_GENERIC);
    expected.add("SYS_statx", Statx.STATX_GENERIC);
    expected.hold(folder, INCLUDES);
  }
}
