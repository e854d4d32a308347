package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory.Entry;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.linux.LeakCheck;
import dev.vfio.migration.vfio.linux.PassingSocket;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What a node says of its devices, and who may open them. */
@Timeout(120)
class VfioUserDirectoryTest {
  private static final ServerTimeouts TIMEOUTS =
      new ServerTimeouts(Duration.ofMinutes(5), Duration.ofMinutes(5));

  @RegisterExtension final LeakCheck leaks = new LeakCheck(() -> this.folder);
  @TempDir Path folder;
  private ScriptedServer server;
  private VfioUserDirectory directory;

  @BeforeEach
  void start() throws IOException {
    server = new ScriptedServer(DeviceFolder.make(folder, "gpu-0").resolve("device.sock"), 4096);
    directory = new VfioUserDirectory(folder, 4096, TIMEOUTS);
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private DeviceException failureToOpen(String id) {
    return catchThrowableOfType(DeviceException.class, () -> directory.open(id));
  }

  private ScriptedServer.Answer busy() {
    return (request, client) -> client.write(ScriptedServer.error(request, 16));
  }

  @Test
  void aDeviceIsListedWithWhatItIsAndNotTouched() {
    List<Entry> entries = directory.list();
    assertThat(entries).hasSize(1);
    assertThat(entries.get(0).id()).isEqualTo("vfio-user:gpu-0");
    assertThat(entries.get(0).problem()).isNull();
    assertThat(entries.get(0).description())
        .extracting(DeviceDescription::regionSize, DeviceDescription::pageSize)
        .containsExactly(4096L, 4096);
    assertThat(entries.get(0).state()).isNotNull();
    assertThat(server.commands())
        .containsExactly("command 1", "command 4", "command 5", "read 0/4");
  }

  @Test
  void oneDeviceIsLookedAtAlone() throws IOException {
    Files.createFile(DeviceFolder.make(folder, "gpu-1").resolve("device.sock"));
    assertThat(directory.look("vfio-user:gpu-0"))
        .hasValueSatisfying(entry -> assertThat(entry.problem()).isNull());
    assertThat(directory.look("vfio-user:gpu-2")).isEmpty();
    assertThat(directory.look("../gpu-0")).isEmpty();
  }

  @Test
  void theSocketsOfWorkloadsAndConsolesAreNoDevices() throws IOException {
    Files.createFile(folder.resolve("gpu-0/workload.sock"));
    Files.createFile(folder.resolve("gpu-0/console.sock"));
    Files.createFile(DeviceFolder.make(folder, "gpu-1").resolve("workload.sock"));
    Files.createFile(folder.resolve("gpu-2.workload.sock"));
    Files.createFile(folder.resolve("notes.txt"));
    DeviceFolder.make(folder, "gpu-3");
    assertThat(directory.look("vfio-user:gpu-3")).isEmpty();
    assertThat(directory.list()).extracting(Entry::id).containsExactly("vfio-user:gpu-0");
  }

  @Test
  void aDeviceThatCannotMigrateIsListedWithTheReason() throws IOException {
    server.regionInfo(RegionInfoBytes.plain(9, 4096));
    Path dead = DeviceFolder.make(folder, "dead-1").resolve("device.sock");
    PassingSocket.listen(dead).close();
    Files.createFile(DeviceFolder.make(folder, "Bad\u0007Name").resolve("device.sock"));
    List<Entry> entries = directory.list();
    assertThat(entries)
        .extracting(Entry::id)
        .containsExactly("vfio-user:Bad?Name", "vfio-user:dead-1", "vfio-user:gpu-0");
    assertThat(entries).extracting(Entry::description).containsOnlyNulls();
    assertThat(entries)
        .extracting(entry -> entry.problem().kind())
        .containsExactly(Kind.UNKNOWN_DEVICE, Kind.UNREACHABLE, Kind.NOT_MIGRATABLE);
    assertThat(entries.get(1).problem()).hasMessageContaining("ECONNREFUSED (111)");
    assertThat(entries.get(2).problem()).hasMessageContaining("no migration region");
    assertThat(failureToOpen("vfio-user:gpu-0").kind()).isEqualTo(Kind.NOT_MIGRATABLE);
  }

  @Test
  void aDirectoryThatDoesNotExistHasNoDevices() {
    assertThat(new VfioUserDirectory(folder.resolve("none"), 4096, TIMEOUTS).list()).isEmpty();
  }

  @Test
  void aDeviceThatWeHoldIsListedWithoutDisturbingIt() throws IOException {
    try (MigratableDevice device = directory.open("vfio-user:gpu-0")) {
      int connections = server.connections();
      List<Entry> entries = directory.list();
      assertThat(entries).extracting(Entry::description).containsExactly(device.description());
      assertThat(server.connections()).isEqualTo(connections);
      device.pending(1);
    }
    assertThat(directory.list()).extracting(Entry::problem).containsOnlyNulls();
  }

  @Test
  void aDeviceThatWeHoldIsBusyUntilItIsClosed() throws IOException {
    MigratableDevice device = directory.open("vfio-user:gpu-0");
    DeviceException failure = failureToOpen("vfio-user:gpu-0");
    assertThat(failure.kind()).isEqualTo(Kind.BUSY);
    assertThat(failure).hasMessageContaining("this agent holds it");
    device.close();
    device.close();
    directory.open("vfio-user:gpu-0").close();
  }

  @Test
  void aDeviceWithAnotherClientIsBusyAtOnce() {
    AtomicInteger asked = new AtomicInteger();
    server.on(
        ScriptedServer.VERSION,
        (request, client) -> {
          asked.incrementAndGet();
          busy().to(request, client);
        });
    DeviceException failure = failureToOpen("vfio-user:gpu-0");
    assertThat(failure.kind()).isEqualTo(Kind.BUSY);
    assertThat(failure.errno()).isEqualTo(16);
    assertThat(failure)
        .hasMessageContainingAll("another migration client", "Nothing was done to the device");
    assertThat(directory.list())
        .extracting(entry -> entry.problem().kind())
        .containsExactly(Kind.BUSY);
    assertThat(asked).as("once by open, once by list").hasValue(2);
  }

  @Test
  void aServerThatHasNotNoticedOurOwnEndYetIsAskedAgain() throws IOException {
    directory.list();
    AtomicInteger refusals = new AtomicInteger(3);
    server.on(
        ScriptedServer.VERSION,
        (request, client) ->
            client.write(
                refusals.getAndDecrement() > 0
                    ? ScriptedServer.error(request, 16)
                    : server.reply(request)));
    directory.open("vfio-user:gpu-0").close();
    assertThat(refusals.get()).isEqualTo(-1);
  }

  @Test
  void aDeviceThatIsNotHereIsUnknown() {
    for (String id :
        new String[] {
          "vfio-user:gpu-1",
          "0000:3b:00.0",
          "vfio-user:",
          "vfio-user:../etc/passwd",
          "vfio-user:gpu-0.workload",
          "vfio-user:-a",
          "vfio-user:" + "a".repeat(64)
        }) {
      DeviceException failure = failureToOpen(id);
      assertThat(failure.kind()).as(id).isEqualTo(Kind.UNKNOWN_DEVICE);
      assertThat(failure).hasMessageContaining("device " + id);
    }
    assertThat(failureToOpen("vfio-user:gpu-1")).hasMessageContaining(folder.toString());
  }

  /** Of a release that was never made; its sockets lie in one directory for all tenants. */
  @Test
  void aSocketOutsideAFolderIsListedWithWhatToDoAndNotConnectedTo() throws IOException {
    try (ScriptedServer flat = new ScriptedServer(folder.resolve("gpu-1.sock"), 4096)) {
      Files.createFile(folder.resolve("gpu-1.workload.sock"));
      assertThat(directory.list())
          .extracting(Entry::id)
          .containsExactly("vfio-user:gpu-0", "vfio-user:gpu-1");
      DeviceException problem = directory.look("vfio-user:gpu-1").orElseThrow().problem();
      assertThat(problem.kind()).isEqualTo(Kind.UNREACHABLE);
      assertThat(problem)
          .hasMessageContainingAll(
              "device vfio-user:gpu-1",
              folder.resolve("gpu-1.sock").toString(),
              "install -d -o USER -m 0711 " + folder.resolve("gpu-1"),
              folder.resolve("gpu-1/device.sock").toString());
      assertThat(failureToOpen("vfio-user:gpu-1")).hasMessage(problem.getMessage());
      assertThat(flat.connections()).isZero();
    }
  }
}
