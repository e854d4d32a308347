package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.OpenDescriptors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where sockets are made, what they replace, and that nobody else has a hand in it. */
@Timeout(120)
class ListenerSocketsTest extends ListenerFixture {
  @Test
  void othersGetThroughADevicesFolderAndSeeNothingOfIt() throws Exception {
    assertThat(Files.getPosixFilePermissions(listener.folder(DEVICE)))
        .isEqualTo(PosixFilePermissions.fromString("rwx--x--x"));
  }

  @Test
  void aWithdrawnDeviceHasNoSocketAndNobodyWaits() throws Exception {
    try (TestClient client = TestClient.waitAt(socket, null)) {
      listener.withdraw(DEVICE);

      assertThat(client.next()).isNull();
      assertThat(socket).doesNotExist();
      assertThat(listener.offered()).isEmpty();
      assertThat(listener.waiting(DEVICE)).isEmpty();
    }
    listener.offer(DEVICE);
    TestClient.waitAt(socket, null).close();
  }

  @Test
  void aSocketThatAKilledAgentLeftIsTakenOver() throws Exception {
    try (WorkloadListener killed = newListener(folder.resolve("devices"), LONG, user -> false)) {
      // Two listeners at one folder: the first has its name taken from it, as after a crash.
      killed.offer(DEVICE);
      try (TestClient client = TestClient.waitAt(killed.socket(DEVICE), null)) {
        assertThat(killed.waiting(DEVICE)).contains("shop-db");
        assertThat(client.descriptors()).isEmpty();
      }
    }
  }

  @Test
  void whatIsNoSocketIsNotRemoved() throws Exception {
    listener.withdraw(DEVICE);
    Files.writeString(socket, "somebody's");

    assertThatThrownBy(() -> listener.offer(DEVICE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is no socket; remove it");
    assertThat(socket).hasContent("somebody's");
  }

  @Test
  void aSocketComesIntoItsFolderAsItIsAndNothingIsChangedThereByItsName() throws Exception {
    listener.withdraw(DEVICE);
    Path end = listener.folder(DEVICE).resolve("end");
    List<String> happened = new ArrayList<>();
    try (WatchService watch = folder.getFileSystem().newWatchService()) {
      listener
          .folder(DEVICE)
          .register(
              watch,
              StandardWatchEventKinds.ENTRY_CREATE,
              StandardWatchEventKinds.ENTRY_DELETE,
              StandardWatchEventKinds.ENTRY_MODIFY);
      listener.offer(DEVICE);
      Files.createFile(end);
      while (!happened.contains("ENTRY_CREATE end")) {
        WatchKey key = watch.poll(60, TimeUnit.SECONDS);
        assertThat(key).as("after " + happened).isNotNull();
        key.pollEvents().forEach(event -> happened.add(event.kind() + " " + event.context()));
        key.reset();
      }
    }

    // A change would be one of whatever has that name by then.
    assertThat(happened).startsWith("ENTRY_CREATE handover.sock", "ENTRY_CREATE end");
    assertThat(Files.getPosixFilePermissions(socket))
        .isEqualTo(PosixFilePermissions.fromString("rw-rw-rw-"));
    TestClient.waitAt(socket, null).close();
  }

  @Test
  void whereASocketIsMadeNobodyElseGetsTo() throws Exception {
    assertThat(Files.getPosixFilePermissions(folder.resolve("devices/.new")))
        .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    assertThat(folder.resolve("devices/.new")).isEmptyDirectory();
  }

  @Test
  void aLinkInTheSocketsPlaceIsNotFollowed() throws Exception {
    listener.withdraw(DEVICE);
    Path secret = Files.createFile(folder.resolve("secret"));
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
    Files.createSymbolicLink(socket, secret);

    assertThatThrownBy(() -> listener.offer(DEVICE))
        .hasMessageContaining("is no socket; remove it");

    assertThat(Files.getPosixFilePermissions(secret))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
  }

  @Test
  void whatIsNotTheAgentsOwnIsNotTrusted() throws Exception {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Path devices = folder.resolve("devices");
    Files.createSymbolicLink(devices.resolve("0000:65:00.2"), elsewhere);
    assertThatThrownBy(() -> listener.offer("0000:65:00.2")).hasMessageContaining("is no folder");

    Files.setPosixFilePermissions(devices, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThatThrownBy(() -> listener.offer("0000:65:00.3"))
        .hasMessageContaining("others than the agent may write to " + devices)
        .hasMessageContaining("rwxrwxrwx")
        .hasMessageContaining("mode 0755");
    assertThat(elsewhere).isEmptyDirectory();
  }

  @Test
  void aFolderWithTooLongANameIsRefusedInWords() throws Exception {
    try (WorkloadListener deep =
        newListener(folder.resolve("d".repeat(100)), LONG, user -> false)) {
      assertThatThrownBy(() -> deep.offer(DEVICE))
          .isInstanceOf(ErrnoException.class)
          .hasMessageContaining("ENAMETOOLONG")
          .hasMessageContaining("the path of a socket may have 107");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"..", "a/b", "", ".records", "-a", "a b"})
  void aNameThatIsNoDevicesLeadsNowhere(String name) {
    assertThatThrownBy(() -> listener.folder(name)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aClosedListenerLeavesNothingOpenAndNoSockets() throws Exception {
    Map<String, Integer> before = OpenDescriptors.count(folder);
    WorkloadListener brief = newListener(folder.resolve("short"), LONG, user -> false);
    brief.offer(DEVICE);
    brief.offer("0000:65:00.2");
    TestClient waiting = TestClient.waitAt(brief.socket(DEVICE), null);
    TestClient silent = TestClient.connect(brief.socket(DEVICE));

    brief.close();

    assertThat(waiting.next()).isNull();
    waiting.close();
    silent.close();
    assertThat(brief.socket(DEVICE)).doesNotExist();
    assertThat(OpenDescriptors.count(folder)).isEqualTo(before);
    assertThatThrownBy(() -> brief.offer(DEVICE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is closed");
  }
}
