package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.DeviceDirectory.Entry;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.linux.OtherUser;
import dev.vfio.migration.vfio.workload.WindowDirectories;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * One user goes through all of a device: folder, sockets, processes. With processes of several
 * users, so as root only.
 */
@Timeout(120)
class SocketUsersTest {
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final int RACES = 150;
  private static final int ROOT = 0;
  private static final int TENANT = 64001;
  private static final int OTHER = 64002;

  private Path directory;
  private VfioUserDirectory devices;

  @BeforeEach
  void makeADirectoryThatEverybodyReaches() throws IOException {
    OtherUser.assumeRoot();
    directory = Files.createTempDirectory("users");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    devices = new VfioUserDirectory(directory, 4096, new ServerTimeouts(LONG, LONG));
  }

  @AfterEach
  void remove() throws IOException {
    if (directory != null) {
      try (Stream<Path> files = Files.walk(directory)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    }
  }

  private Path folder(String name, int user) throws IOException {
    Path folder = DeviceFolder.make(directory, name);
    Files.setAttribute(folder, "unix:uid", user);
    return folder;
  }

  private WorkloadSocket workload(String name) {
    return new WorkloadSocket(
        new DeviceSockets(directory).workload(name),
        4096,
        LONG,
        new WindowDirectories(List.of(directory), name));
  }

  private void refuses(String name, String... words) {
    try (WorkloadSocket workload = workload(name)) {
      for (String word : words) {
        assertThatThrownBy(workload::describe)
            .isInstanceOf(DeviceSockets.UntrustedException.class)
            .hasMessageContaining(word);
        assertThatThrownBy(() -> workload.pause("uid/1"))
            .isInstanceOf(DeviceSockets.UntrustedException.class)
            .hasMessageContaining(word);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {ROOT, TENANT})
  void whatIsOfOneUserIsUsed(int user) throws IOException {
    Path folder = folder("gpu-0", user);
    try (TenantProcess device = TenantProcess.device(user, folder.resolve("device.sock"));
        TenantProcess process =
            TenantProcess.workload(user, folder.resolve("workload.sock"), "gpu-0");
        WorkloadSocket workload = workload("gpu-0")) {
      devices.open("vfio-user:gpu-0").close();
      workload.pause("uid/1");
      workload.close();
      assertThat(device.asked()).contains("command 1");
      assertThat(process.asked())
          .containsExactly("{\"op\":\"describe\"}", "{\"op\":\"pause\",\"migration\":\"uid/1\"}");
    }
  }

  /** Root may put any socket into any folder, and is believed no more for it. */
  @Test
  void aWorkloadOfAnotherUserThanItsDeviceIsRefusedWithBoth() throws IOException {
    Path folder = folder("gpu-0", TENANT);
    Path others = folder("gpu-1", OTHER);
    Path socket = folder.resolve("workload.sock");
    try (TenantProcess other =
        TenantProcess.workload(OTHER, others.resolve("workload.sock"), "gpu-0")) {
      Files.createLink(socket, others.resolve("workload.sock"));
      refuses(
          "gpu-0",
          socket.toString(),
          "it belongs to user 64002 and the folder it is in to user 64001",
          "Nothing was asked of anybody",
          "let one user own");
      Files.setAttribute(socket, "unix:uid", TENANT);
      refuses(
          "gpu-0",
          "it is served by a process of user 64002 and belongs, with its folder, to user 64001",
          "Nothing was asked of that process");
      assertThat(other.asked()).isEmpty();
    }
  }

  @Test
  void aDeviceOfAnotherUserThanItsFolderIsRefusedBeforeAnythingIsAskedOfIt() throws IOException {
    Path folder = folder("gpu-0", TENANT);
    Path others = folder("gpu-1", OTHER);
    Path socket = folder.resolve("device.sock");
    try (TenantProcess other = TenantProcess.device(OTHER, others.resolve("device.sock"))) {
      Files.createLink(socket, others.resolve("device.sock"));
      for (String words :
          List.of(
              "it belongs to user 64002 and the folder it is in to user 64001",
              "it is served by a process of user 64002 and belongs, with its folder, to user"
                  + " 64001")) {
        DeviceException refusal =
            catchThrowableOfType(
                DeviceException.class, () -> devices.open("vfio-user:gpu-0").close());
        assertThat(refusal.kind()).isEqualTo(Kind.UNREACHABLE);
        assertThat(refusal)
            .hasMessageContainingAll("device vfio-user:gpu-0", socket.toString(), words);
        assertThat(devices.look("vfio-user:gpu-0").orElseThrow().problem())
            .hasMessage(refusal.getMessage());
        Files.setAttribute(socket, "unix:uid", TENANT);
      }
      assertThat(other.asked()).isEmpty();
    }
  }

  /** Root serves devices of many tenants, so that its user id does not say which one is meant. */
  @ParameterizedTest
  @ValueSource(ints = {ROOT, TENANT})
  void rootIsNoExemption(int owner) throws IOException {
    int server = owner == ROOT ? TENANT : ROOT;
    Path folder = folder("gpu-0", owner);
    Path born = folder("born", server);
    try (TenantProcess device = TenantProcess.device(server, born.resolve("device.sock"));
        TenantProcess process =
            TenantProcess.workload(server, born.resolve("workload.sock"), "gpu-0")) {
      Files.move(born.resolve("device.sock"), folder.resolve("device.sock"));
      Files.move(born.resolve("workload.sock"), folder.resolve("workload.sock"));
      String words = "it belongs to user " + server + " and the folder it is in to user " + owner;
      refuses("gpu-0", words);
      assertThat(devices.look("vfio-user:gpu-0").orElseThrow().problem())
          .hasMessageContaining(words);
      assertThat(device.asked()).isEmpty();
      assertThat(process.asked()).isEmpty();
    }
  }

  @Test
  void aSocketThatAnotherUserTookOverAfterTheLookIsRefused() throws IOException {
    Path folder = folder("gpu-0", TENANT);
    Path others = folder("gpu-1", OTHER);
    Path socket = folder.resolve("workload.sock");
    try (TenantProcess first = TenantProcess.workload(TENANT, socket, "gpu-0");
        TenantProcess second =
            TenantProcess.workload(OTHER, others.resolve("workload.sock"), "gpu-0");
        WorkloadSocket workload = workload("gpu-0")) {
      assertThat(workload.describe().device()).isEqualTo("gpu-0");
      first.close();
      Files.delete(socket);
      Files.createLink(socket, others.resolve("workload.sock"));
      assertThatThrownBy(() -> workload.pause("uid/1"))
          .isInstanceOf(DeviceSockets.UntrustedException.class)
          .hasMessageContaining("belongs to user 64002");
      assertThat(second.asked()).isEmpty();
    }
  }

  /** The attacker's sockets are its own, links and hard links in turn, as fast as it can be. */
  @Test
  void aRaceOfRenamesReachesNothingOfAnotherUser() throws Exception {
    Path attacker = folder("attacker", TENANT);
    Path victim = folder("victim", OTHER);
    AtomicBoolean racing = new AtomicBoolean(true);
    List<Entry> looks = new ArrayList<>();
    int used = 0;
    int refused = 0;
    try (TenantProcess device = TenantProcess.device(OTHER, victim.resolve("device.sock"));
        TenantProcess process =
            TenantProcess.workload(OTHER, victim.resolve("workload.sock"), "attacker");
        TenantProcess ownDevice =
            TenantProcess.device(TENANT, attacker.resolve("own-device.sock"));
        TenantProcess own =
            TenantProcess.workload(TENANT, attacker.resolve("own-workload.sock"), "attacker")) {
      Thread race = new Thread(() -> swap(attacker, victim, racing), "race");
      race.start();
      try {
        for (int i = 0; i < RACES || (i < 100 * RACES && (used == 0 || refused == 0)); i++) {
          devices.look("vfio-user:attacker").ifPresent(looks::add);
          try (WorkloadSocket workload = workload("attacker")) {
            workload.pause("uid/" + i);
            used++;
          } catch (DeviceSockets.UntrustedException | WorkloadException refusal) {
            // There may be no socket yet.
            refused++;
          }
        }
      } finally {
        racing.set(false);
        race.join(LONG.toMillis());
      }
      assertThat(own.asked()).filteredOn(line -> line.contains("pause")).hasSize(used);
      assertThat(ownDevice.asked()).filteredOn("command 1"::equals).hasSameSizeAs(described(looks));
      assertThat(device.asked()).isEmpty();
      assertThat(process.asked()).isEmpty();
    }
    assertThat(described(looks)).hasSizeBetween(1, looks.size() - 1);
    assertThat(used).as("tries that met the attacker's own socket").isPositive();
    assertThat(refused).as("tries that met something else").isPositive();
  }

  private static List<Entry> described(List<Entry> looks) {
    return looks.stream().filter(entry -> entry.description() != null).toList();
  }

  private static void swap(Path attacker, Path victim, AtomicBoolean racing) {
    Path next = attacker.resolve("next");
    try {
      while (racing.get()) {
        for (String name : List.of("device.sock", "workload.sock")) {
          Files.createSymbolicLink(next, victim.resolve(name));
          Files.move(next, attacker.resolve(name), StandardCopyOption.ATOMIC_MOVE);
          Files.createLink(next, victim.resolve(name));
          Files.move(next, attacker.resolve(name), StandardCopyOption.ATOMIC_MOVE);
          Files.createLink(next, attacker.resolve("own-" + name));
          Files.move(next, attacker.resolve(name), StandardCopyOption.ATOMIC_MOVE);
        }
      }
    } catch (IOException failure) {
      throw new AssertionError("the race ended early", failure);
    }
  }

  @Test
  void aDirectoryOfATenantHasNoUsableDevice() throws IOException {
    Path folder = folder("gpu-0", TENANT);
    try (TenantProcess device = TenantProcess.device(TENANT, folder.resolve("device.sock"))) {
      Files.setAttribute(directory, "unix:uid", OTHER);
      assertThat(devices.look("vfio-user:gpu-0").orElseThrow().problem())
          .hasMessageContainingAll(
              "others than root and the agent may write to " + directory, "user 64002, mode 0755");
      assertThat(device.asked()).isEmpty();
    }
  }
}
