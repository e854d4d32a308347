package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.device.DeviceDirectory.Entry;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.LeakCheck;
import dev.vfio.migration.vfio.linux.PassingSocket;
import dev.vfio.migration.vfio.workload.ScriptedWorkload;
import dev.vfio.migration.vfio.workload.WindowDirectories;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadSocket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whatever a tenant puts in the place of its device's sockets, the agent asks nothing of another
 * tenant's workload and device. All tenants are one user here: what the users' ids add is {@link
 * SocketUsersTest}'s.
 */
@Timeout(120)
class DeviceSocketIdentityTest {
  private static final Duration LONG = Duration.ofMinutes(5);
  private static final ServerTimeouts TIMEOUTS = new ServerTimeouts(LONG, LONG);
  private static final int RACES = 300;

  @RegisterExtension final LeakCheck leaks = new LeakCheck(() -> this.directory);
  @TempDir Path directory;
  private Path attacker;
  private Path victim;
  private ScriptedWorkload victimsWorkload;
  private ScriptedServer victimsDevice;
  private VfioUserDirectory devices;

  @BeforeEach
  void makeTheVictim() throws IOException {
    attacker = DeviceFolder.make(directory, "attacker");
    victim = DeviceFolder.make(directory, "victim");
    victimsWorkload = workload(victim.resolve("workload.sock"), "victim");
    victimsDevice = new ScriptedServer(victim.resolve("device.sock"), 4096);
    devices = new VfioUserDirectory(directory, 4096, TIMEOUTS);
  }

  @AfterEach
  void end() throws IOException {
    victimsWorkload.close();
    victimsDevice.close();
  }

  private static ScriptedWorkload workload(Path socket, String device) throws IOException {
    return new ScriptedWorkload(socket, device, line -> "{\"ok\":true}\n");
  }

  private static WorkloadSocket agentsView(Path devices, String name) {
    return new WorkloadSocket(
        new DeviceSockets(devices).workload(name),
        4096,
        LONG,
        new WindowDirectories(List.of(devices), name));
  }

  private WorkloadSocket attackersWorkload() {
    return agentsView(directory, "attacker");
  }

  private void refusesEverything(Class<? extends Exception> how, String... words) {
    try (WorkloadSocket workload = attackersWorkload()) {
      for (String word : words) {
        assertThatThrownBy(workload::describe).isInstanceOf(how).hasMessageContaining(word);
        assertThatThrownBy(() -> workload.pause("uid/1"))
            .isInstanceOf(how)
            .hasMessageContaining(word);
        assertThatThrownBy(() -> workload.release("uid/1"))
            .isInstanceOf(how)
            .hasMessageContaining(word);
      }
    }
  }

  private DeviceException failureToOpenTheAttackers() {
    try {
      devices.open("vfio-user:attacker").close();
      throw new AssertionError("it was opened");
    } catch (DeviceException refusal) {
      return refusal;
    }
  }

  // ---------------------------------------------------------------------------- workloads

  @Test
  void aLinkToAnotherTenantsWorkloadIsNotFollowed() throws IOException {
    Path link = attacker.resolve("workload.sock");
    for (Path target :
        List.of(victim.resolve("workload.sock"), Path.of("../victim/workload.sock"))) {
      Files.createSymbolicLink(link, target);
      refusesEverything(
          DeviceSockets.UntrustedException.class,
          link.toString(),
          "a link is in the way",
          attacker.toString());
      Files.delete(link);
    }
    assertThat(victimsWorkload.lines()).isEmpty();
  }

  @Test
  void aHardLinkToAnotherTenantsWorkloadIsFoundOutByTheDeviceThatItNames() throws IOException {
    Files.createLink(attacker.resolve("workload.sock"), victim.resolve("workload.sock"));
    refusesEverything(
        WorkloadException.class,
        "names \"victim\"",
        "as the workload of \"attacker\"",
        attacker.resolve("workload.sock").toString());
    assertThat(victimsWorkload.lines()).containsOnly("{\"op\":\"describe\"}");
  }

  @Test
  void aProxyToAnotherTenantsWorkloadIsFoundOutByTheDeviceThatItNames() throws IOException {
    try (Proxy proxy =
        new Proxy(attacker.resolve("workload.sock"), victim.resolve("workload.sock"))) {
      refusesEverything(WorkloadException.class, "names \"victim\"");
      assertThat(proxy.connections()).isPositive();
    }
    assertThat(victimsWorkload.lines()).containsOnly("{\"op\":\"describe\"}");
  }

  @Test
  void aSocketThatIsReplacedAfterItWasLookedAtIsLookedAtAgain() throws IOException {
    ScriptedWorkload own = workload(attacker.resolve("workload.sock"), "attacker");
    try (own;
        WorkloadSocket workload = attackersWorkload()) {
      assertThat(workload.describe().device()).isEqualTo("attacker");
      Files.delete(attacker.resolve("workload.sock"));
      Files.createLink(attacker.resolve("workload.sock"), victim.resolve("workload.sock"));
      own.hangUp();
      assertThatThrownBy(() -> workload.pause("uid/1"))
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("names \"victim\"");
    }
    assertThat(victimsWorkload.lines()).containsOnly("{\"op\":\"describe\"}");
  }

  /** The attacker's socket is its own, a link and a hard link in turn, as fast as it can be. */
  @Test
  void aRaceOfRenamesNeverReachesAnotherTenantsWorkload() throws Exception {
    Path socket = attacker.resolve("workload.sock");
    Path own = attacker.resolve("own");
    AtomicBoolean racing = new AtomicBoolean(true);
    int paused = 0;
    int refused = 0;
    try (ScriptedWorkload mine = workload(own, "attacker")) {
      Files.createLink(socket, own);
      Thread race = new Thread(() -> swap(socket, own, racing), "race");
      race.start();
      try {
        for (int i = 0; i < RACES || (i < 100 * RACES && (paused == 0 || refused == 0)); i++) {
          try (WorkloadSocket workload = attackersWorkload()) {
            workload.pause("uid/" + i);
            paused++;
          } catch (WorkloadException | DeviceSockets.UntrustedException refusal) {
            refused++;
          }
        }
      } finally {
        racing.set(false);
        race.join(LONG.toMillis());
      }
      assertThat(mine.lines()).filteredOn(line -> line.contains("pause")).hasSize(paused);
    }
    assertThat(paused).as("tries that met the attacker's own socket").isPositive();
    assertThat(refused).as("tries that met something else").isPositive();
    assertThat(victimsWorkload.lines())
        .doesNotContain("connection ended")
        .allMatch("{\"op\":\"describe\"}"::equals);
  }

  private void swap(Path socket, Path own, AtomicBoolean racing) {
    Path next = attacker.resolve("next");
    try {
      while (racing.get()) {
        Files.createSymbolicLink(next, victim.resolve("workload.sock"));
        Files.move(next, socket, StandardCopyOption.ATOMIC_MOVE);
        Files.createLink(next, own);
        Files.move(next, socket, StandardCopyOption.ATOMIC_MOVE);
        Files.createLink(next, victim.resolve("workload.sock"));
        Files.move(next, socket, StandardCopyOption.ATOMIC_MOVE);
        Files.createLink(next, own);
        Files.move(next, socket, StandardCopyOption.ATOMIC_MOVE);
      }
    } catch (IOException failure) {
      throw new AssertionError("the race ended early", failure);
    }
  }

  // ------------------------------------------------------------------------------ devices

  @Test
  void aLinkToAnotherTenantsDeviceIsListedWithTheReasonAndNotFollowed() throws IOException {
    Path link = attacker.resolve("device.sock");
    Files.createSymbolicLink(link, victim.resolve("device.sock"));
    int connections = victimsDevice.connections();
    DeviceException refusal = failureToOpenTheAttackers();
    assertThat(refusal.kind()).isEqualTo(Kind.UNREACHABLE);
    assertThat(refusal)
        .hasMessageContainingAll(
            "device vfio-user:attacker",
            link.toString(),
            "a link is in the way",
            "Nothing was asked of anybody");
    assertThat(devices.look("vfio-user:attacker").orElseThrow().problem())
        .hasMessage(refusal.getMessage());
    assertThat(victimsDevice.connections()).isEqualTo(connections);
  }

  @Test
  void aFolderThatIsALinkIsListedWithTheReasonAndNotFollowed() throws IOException {
    Files.delete(attacker);
    Files.createSymbolicLink(attacker, victim);
    assertThat(failureToOpenTheAttackers())
        .hasMessageContainingAll(attacker.toString(), "a link is in the way");
    refusesEverything(DeviceSockets.UntrustedException.class, "a link is in the way");
    assertThat(victimsDevice.connections()).isZero();
    assertThat(victimsWorkload.lines()).isEmpty();
  }

  @Test
  void whateverOneTenantPutsThereTheOthersDevicesAreListed() throws Exception {
    Path there = attacker.resolve("device.sock");
    Map<String, ThrowingMaker> oddities =
        Map.of(
            "a regular file", Files::createFile,
            "a directory", Files::createDirectory,
            "a FIFO", DeviceSocketIdentityTest::makeFifo,
            "a link is in the way", path -> Files.createSymbolicLink(path, path),
            "ECONNREFUSED", path -> PassingSocket.listen(path).close());
    for (Map.Entry<String, ThrowingMaker> oddity : oddities.entrySet()) {
      oddity.getValue().make(there);
      List<Entry> entries = devices.list();
      assertThat(entries)
          .extracting(Entry::id)
          .containsExactly("vfio-user:attacker", "vfio-user:victim");
      assertThat(entries.get(0).problem())
          .hasMessageContainingAll(oddity.getKey(), "vfio-user:attacker");
      assertThat(entries.get(1).problem()).isNull();
      Files.delete(there);
    }
    assertThat(devices.list()).extracting(Entry::id).containsExactly("vfio-user:victim");
  }

  @FunctionalInterface
  private interface ThrowingMaker {
    void make(Path path) throws Exception;
  }

  private static void makeFifo(Path path) throws Exception {
    assertThat(new ProcessBuilder("mkfifo", path.toString()).start().waitFor()).isZero();
  }

  // ------------------------------------------------------------------------------ folders

  @ParameterizedTest
  @ValueSource(strings = {"rwxrwxr-x", "rwxr-xrwx"})
  void aFolderThatOthersMayWriteToIsRefused(String permissions) throws IOException {
    ScriptedWorkload own = workload(attacker.resolve("workload.sock"), "attacker");
    try (own;
        ScriptedServer device = new ScriptedServer(attacker.resolve("device.sock"), 4096)) {
      Files.setPosixFilePermissions(attacker, PosixFilePermissions.fromString(permissions));
      refusesEverything(
          DeviceSockets.UntrustedException.class,
          "others than its owner may write to " + attacker,
          "mode 0711");
      assertThat(failureToOpenTheAttackers())
          .hasMessageContaining("others than its owner may write to " + attacker);
      assertThat(device.connections()).isZero();
      assertThat(own.lines()).isEmpty();
      assertThat(devices.look("vfio-user:victim").orElseThrow().problem()).isNull();

      Files.setPosixFilePermissions(attacker, PosixFilePermissions.fromString("rwx--x--x"));
      devices.open("vfio-user:attacker").close();
    }
  }

  /** It is the administrator's mistake, so it stops no look at what else the node has. */
  @Test
  void aDirectoryThatOthersMayWriteToHasNoUsableDevice() throws IOException {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThat(devices.list()).extracting(Entry::id).containsExactly("vfio-user:victim");
    assertThat(devices.list().get(0).problem())
        .hasMessageContainingAll(
            "others than root and the agent may write to " + directory, "mode 0777", "mode 0755");
    try (WorkloadSocket workload = agentsView(directory, "victim")) {
      assertThatThrownBy(workload::describe)
          .isInstanceOf(DeviceSockets.UntrustedException.class)
          .hasMessageContaining("others than root and the agent may write to " + directory);
    }
    assertThat(victimsDevice.connections()).isZero();
    assertThat(victimsWorkload.lines()).isEmpty();
  }

  /** An empty listing would say that there is nothing. */
  @Test
  void aDirectoryThatIsALinkIsNotTakenForAnEmptyOne() throws IOException {
    Path link = Files.createSymbolicLink(attacker.resolve("link"), directory);
    VfioUserDirectory through = new VfioUserDirectory(link, 4096, TIMEOUTS);
    assertThatThrownBy(through::list)
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining(link.toString())
        .hasRootCauseInstanceOf(ErrnoException.class);
    assertThatThrownBy(() -> through.open("vfio-user:victim"))
        .isInstanceOf(DeviceException.class)
        .hasMessageContaining(link + " is a link, or no directory");
    assertThat(victimsDevice.connections()).isZero();
  }

  /** Only a server's own bind is limited to 107 bytes. */
  @Test
  void aLongDirectoryIsNoHindranceToTheAgent() throws IOException {
    Path deep = directory;
    for (int i = 0; i < 4; i++) {
      deep = DeviceFolder.make(deep, "d".repeat(60));
    }
    Path folder = DeviceFolder.make(deep, "n".repeat(63));
    Path born = directory.resolve("born");
    try (ScriptedServer server = new ScriptedServer(born, 4096)) {
      Files.move(born, folder.resolve("device.sock"));
      new VfioUserDirectory(deep, 4096, TIMEOUTS).open("vfio-user:" + "n".repeat(63)).close();
      assertThat(server.connections()).isPositive();
    }
    try (WorkloadSocket absent = agentsView(deep, "n".repeat(63))) {
      assertThatThrownBy(absent::describe)
          .isInstanceOf(WorkloadException.class)
          .hasCauseInstanceOf(ErrnoException.class)
          .hasMessageContaining("ENOENT");
    }
  }
}
