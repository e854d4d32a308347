package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.LeakCheck;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.workload.DeclaredWindows.UnusableException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever a window's path leads to: what is no file of the workload's own is named and refused.
 */
@Timeout(120)
class WindowDirectoriesTest {
  private static final WindowShape RING = new WindowShape("ring", 0, 4096);
  private static final int ROOT = 0;

  @RegisterExtension final LeakCheck leaks = new LeakCheck(() -> this.folder);
  @TempDir Path folder;

  private Path devices;
  private Path own;
  private Path ring;
  private int user;

  @BeforeEach
  void prepare() throws IOException {
    devices = Files.createDirectory(folder.resolve("devices"));
    own = Files.createDirectory(devices.resolve("gpu-0"));
    ring = Files.write(own.resolve("ring"), new byte[4096]);
    user = (Integer) Files.getAttribute(ring, "unix:uid");
  }

  private Descriptor handle(Path file, int asUser) throws UnusableException {
    return new WindowDirectories(List.of(devices), "gpu-0").handle(RING, file, asUser);
  }

  private void refused(Path file, int asUser, String because) {
    assertThatThrownBy(() -> handle(file, asUser).close())
        .isInstanceOf(UnusableException.class)
        .hasMessageStartingWith("window ring: file " + file + ": ")
        .hasMessageContaining(because);
  }

  private static void run(String... command) throws IOException, InterruptedException {
    assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
  }

  @Test
  void itsOwnFileIsNamedAndNotOpenedYet() throws Exception {
    try (Descriptor handle = handle(ring, user)) {
      assertThat(OpenFile.onlyNames(handle)).isTrue();
      assertThat(OpenFile.name(handle)).isEqualTo(ring.toRealPath().toString());
    }
  }

  @Test
  void whatIsNoRegularFileIsRefused() throws Exception {
    run("mkfifo", own.resolve("pipe").toString());
    Files.createDirectory(own.resolve("folder"));
    refused(own.resolve("pipe"), user, "it is a FIFO, not a regular file");
    refused(own.resolve("folder"), user, "it is a directory, not a regular file");
    refused(own.resolve("missing"), user, "ENOENT (2)");
    refused(ring.resolve("beneath"), user, "ENOTDIR (20)");
  }

  @Test
  void aDeviceIsRefused() throws Exception {
    assumeTrue(user == ROOT, "devices are made by root only");
    run("mknod", own.resolve("memory").toString(), "c", "1", "1");
    run("mknod", own.resolve("disk").toString(), "b", "7", "0");
    refused(own.resolve("memory"), user, "it is a character device, not a regular file");
    refused(own.resolve("disk"), user, "it is a block device, not a regular file");
  }

  @Test
  void aLinkIsRefusedWhereverItIs() throws Exception {
    refused(Files.createSymbolicLink(own.resolve("link"), ring), user, "a link is in the way");
    Files.createSymbolicLink(own.resolve("folder"), own);
    refused(own.resolve("folder/ring"), user, "a link is in the way");
    Files.createSymbolicLink(devices.resolve("gpu-1"), own);
    assertThatThrownBy(
            () ->
                new WindowDirectories(List.of(devices), "gpu-1")
                    .handle(RING, devices.resolve("gpu-1/ring"), user))
        .hasMessageMatching(".*(ENOTDIR \\(20\\)|a link is in the way).*");
  }

  @Test
  void aFileWithASecondNameIsRefused() throws Exception {
    Files.createLink(own.resolve("second"), ring);
    refused(ring, user, "it has 2 names (hard links)");
    refused(own.resolve("second"), user, "it has 2 names (hard links)");
  }

  @Test
  void aFileThatGivesItsOwnersRightsIsRefused() throws Exception {
    run("chmod", "4755", ring.toString());
    refused(ring, user, "set-user-ID");
    run("chmod", "2755", ring.toString());
    refused(ring, user, "set-group-ID");
  }

  @Test
  void aFileThatIsTooShortIsRefused() throws Exception {
    Files.write(ring, new byte[4095]);
    refused(ring, user, "it has 4095 bytes and the window has 4096");
  }

  @Test
  void aFileOfAnotherUserIsRefusedWhoeverThatIs() throws IOException {
    refused(ring, user + 1, "it belongs to user " + user + " and the workload runs as user ");
    refused(ring, -2, "runs as user 4294967294; let the workload's user own it");
    assumeTrue(user == ROOT, "files are given away by root only");
    Files.setAttribute(ring, "unix:uid", 1000);
    refused(ring, ROOT, "it belongs to user 1000 and the workload runs as user 0");
  }

  @Test
  void whatLiesOutsideIsRefused() throws Exception {
    Path outside = Files.write(folder.resolve("outside"), new byte[4096]);
    String none =
        "it lies in none of the directories for windows on this node, which are "
            + devices
            + "; put it into the folder gpu-0 of one of them, or let the administrator add a"
            + " directory (agent.memory-directories)";
    refused(outside, user, none);
    refused(Path.of("/proc/self/mem"), user, none);
    refused(Path.of("/dev/fd/0"), user, none);
    refused(folder.resolve("devices-too/ring"), user, none);
    refused(own.resolve("../../outside"), user, "EXDEV (18)");
  }

  @Test
  void whatIsMountedBeneathIsNamedForItself() {
    assertThatThrownBy(
            () ->
                new WindowDirectories(List.of(Path.of("/")), "proc")
                    .handle(RING, Path.of("/proc/version"), 1000))
        .hasMessageContainingAll("EXDEV (18)", "another file system is mounted there");
  }

  @Test
  void aDirectoryThatIsNotThereIsNamed() {
    assertThatThrownBy(
            () ->
                new WindowDirectories(List.of(folder.resolve("none")), "gpu-0")
                    .handle(RING, folder.resolve("none/gpu-0/ring"), user))
        .hasMessageContaining("open(" + folder.resolve("none") + ") failed: ENOENT (2)");
  }

  /** Two workloads of one user, root or not, are told apart by nothing else. */
  @Test
  void windowsLieInTheFolderOfTheDevice() throws Exception {
    Path flat = Files.write(devices.resolve("flat"), new byte[4096]);
    Path victims = Files.createDirectory(devices.resolve("gpu-1")).resolve("ring");
    Files.write(victims, new byte[4096]);

    refused(flat, user, "put it into " + own);
    refused(victims, user, "put it into " + own);
    refused(own, user, "put it into " + own);
    refused(devices, user, "put it into " + own);
    refused(own.resolve("../gpu-1/ring"), user, "EXDEV (18)");
    Path deep = Files.createDirectories(own.resolve("a/b")).resolve("ring");
    Files.write(deep, new byte[4096]);
    handle(deep, user).close();
  }

  @Test
  void aDirectoryMayBeThatFolderItself() throws Exception {
    new WindowDirectories(List.of(devices, own), "gpu-0").handle(RING, ring, user).close();
    assertThatThrownBy(
            () -> new WindowDirectories(List.of(devices, own), "gpu-1").handle(RING, ring, user))
        .hasMessageContaining("put it into " + own.resolve("gpu-1"));
  }

  @Test
  void theFolderAloneIsNotEnough() throws Exception {
    assumeTrue(user == ROOT, "files are given away by root only");
    Files.setAttribute(ring, "unix:uid", 1000);
    handle(ring, 1000).close();
    refused(ring, 1001, "it belongs to user 1000 and the workload runs as user 1001");
  }
}
