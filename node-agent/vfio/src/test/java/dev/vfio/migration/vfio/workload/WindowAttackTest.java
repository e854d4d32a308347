package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.vfio.migration.vfio.memory.WindowFile;
import dev.vfio.migration.vfio.user.DeviceSockets;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A workload leads the agent, which is root and may do anything, to no file but its own: neither as
 * a user without rights nor as root in a container, by no path and by no race.
 */
@Timeout(120)
class WindowAttackTest {
  private static final int NOBODY = 65534;
  private static final int ROOT = 0;
  private static final int PAGE = 4096;
  private static final int TRIES = 400;

  @TempDir Path folder;

  private Path devices;
  private Path own;
  private Path secret;

  @BeforeEach
  void prepare() throws IOException {
    assumeTrue(
        Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(ROOT),
        "processes of several users are started by root only");
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
    devices = Files.createDirectory(folder.resolve("devices"));
    own = Files.createDirectory(devices.resolve("gpu-0"));
    secret = page(folder.resolve("secret"), 's', ROOT);
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
  }

  private static Path page(Path file, char content, int user) throws IOException {
    byte[] bytes = new byte[PAGE];
    Arrays.fill(bytes, (byte) content);
    return owned(Files.write(file, bytes), user);
  }

  private static Path owned(Path file, int user) throws IOException {
    Files.setAttribute(file, "unix:uid", user, java.nio.file.LinkOption.NOFOLLOW_LINKS);
    return file;
  }

  private WorkloadSocket agent() {
    return new WorkloadSocket(
        new DeviceSockets(devices).workload("gpu-0"),
        PAGE,
        Duration.ofMinutes(5),
        new WindowDirectories(List.of(devices), "gpu-0"));
  }

  private Tenant tenant(int user, Path window, Path place, Path... things) throws IOException {
    owned(own, user);
    return new Tenant(folder, user, own.resolve("workload.sock"), window, place, things);
  }

  /** Does what a migration does: looks at the windows, and copies them then. */
  private int copied() throws IOException {
    int copied = 0;
    try (WorkloadSocket agent = agent()) {
      for (int tries = 0; tries < TRIES || copied == 0; tries++) {
        try {
          DmaWindow window = agent.describe().windows().get(0);
          try (WindowFile file = WindowFile.open(window, true)) {
            ByteBuffer page = ByteBuffer.allocateDirect(PAGE);
            file.read(0, page);
            assertThat((char) page.get(0)).as("what was read").isEqualTo('o');
            file.write(0, page.flip());
            copied++;
          }
        } catch (WorkloadException refused) {
          assertThat(refused)
              .message()
              .contains("window ring: file ", "no memory was touched")
              .containsAnyOf(
                  "a link is in the way",
                  "ENOENT (2)",
                  "is a FIFO",
                  "it belongs to user",
                  "which are");
        }
      }
    }
    return copied;
  }

  private void refused(String because) throws IOException {
    try (WorkloadSocket agent = agent()) {
      assertThatThrownBy(agent::describe)
          .isInstanceOf(WorkloadException.class)
          .hasMessageContainingAll(because, "Nothing was asked of it and no memory was touched");
    }
  }

  private void secretIsAsItWas() throws IOException {
    assertThat(Files.readString(secret)).isEqualTo("s".repeat(PAGE));
  }

  @ParameterizedTest
  @ValueSource(ints = {NOBODY, ROOT})
  void whileItsFileIsReplacedByLinksAndPipesItsOwnFileIsAllThatIsTouched(int user)
      throws Exception {
    Path ring = page(own.resolve("own"), 'o', user);
    Path link = owned(Files.createSymbolicLink(own.resolve("link"), secret), user);
    Path pipe = own.resolve("pipe");
    assertThat(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor()).isZero();
    owned(pipe, user);
    Path place = own.resolve("ring");

    try (Tenant attacker = tenant(user, place, place, ring, link, pipe)) {
      assertThat(attacker).isNotNull();
      assertThat(copied()).as("copies of its own file").isPositive();
    }
    secretIsAsItWas();
  }

  @ParameterizedTest
  @ValueSource(ints = {NOBODY, ROOT})
  void whileADirectoryOnTheWayIsReplacedItsOwnFileIsAllThatIsTouched(int user) throws IOException {
    Path real = owned(Files.createDirectory(own.resolve("real")), user);
    page(real.resolve("secret"), 'o', user);
    Path link = owned(Files.createSymbolicLink(own.resolve("link"), folder), user);
    Path place = own.resolve("place");

    try (Tenant attacker = tenant(user, place.resolve("secret"), place, real, link)) {
      assertThat(attacker).isNotNull();
      assertThat(copied()).as("copies of its own file").isPositive();
    }
    secretIsAsItWas();
  }

  /** The race above, won for certain. */
  @ParameterizedTest
  @ValueSource(ints = {NOBODY, ROOT})
  void whatTakesThePlaceOfItsFileAfterTheLookIsNotTouched(int user) throws IOException {
    Path ring = page(own.resolve("ring"), 'o', user);
    try (Tenant attacker = tenant(user, ring, null);
        WorkloadSocket agent = agent()) {
      assertThat(attacker).isNotNull();
      DmaWindow window = agent.describe().windows().get(0);
      Files.move(ring, own.resolve("moved"));
      owned(Files.createSymbolicLink(ring, secret), user);

      try (WindowFile file = WindowFile.open(window, true)) {
        ByteBuffer page = ByteBuffer.allocateDirect(PAGE);
        file.read(0, page);
        assertThat((char) page.get(0)).as("what was read").isEqualTo('o');
        file.write(0, ByteBuffer.allocateDirect(PAGE));
      }
    }
    secretIsAsItWas();
  }

  @Test
  void rootOfAContainerHasNoFileOfTheNodeRead() throws IOException {
    for (String path :
        List.of(secret.toString(), "/etc/passwd", "/proc/1/root/etc/passwd", "/dev/fd/0")) {
      try (Tenant attacker = tenant(ROOT, Path.of(path), null)) {
        assertThat(attacker).isNotNull();
        refused("it lies in none of the directories for windows on this node, which are ");
      }
      Files.delete(own.resolve("workload.sock"));
    }
    try (Tenant attacker = tenant(ROOT, own.resolve("../../secret"), null)) {
      assertThat(attacker).isNotNull();
      refused("EXDEV (18)");
    }
  }

  /** Two tenants whose containers run as the same user. */
  @ParameterizedTest
  @ValueSource(ints = {NOBODY, ROOT})
  void itHasNothingOfAnotherWorkloadOfItsUserRead(int user) throws IOException {
    Path victim = Files.createDirectory(devices.resolve("gpu-1"));
    Path ring = page(victim.resolve("ring"), 'v', user);
    for (Path path : List.of(ring, own.resolve("../gpu-1/ring"))) {
      try (Tenant attacker = tenant(user, path, null)) {
        assertThat(attacker).isNotNull();
        refused(path.equals(ring) ? "put it into " + own : "EXDEV (18)");
      }
      Files.delete(own.resolve("workload.sock"));
    }
    assertThat(Files.readString(ring)).isEqualTo("v".repeat(PAGE));
  }

  @Test
  void itHasNothingOfAnotherUserReadThatIsPutIntoItsFolder() throws IOException {
    Path others = page(own.resolve("ring"), 'v', 1000);
    try (Tenant attacker = tenant(NOBODY, others, null)) {
      assertThat(attacker).isNotNull();
      refused("it belongs to user 1000 and the workload runs as user 65534");
    }
  }
}
