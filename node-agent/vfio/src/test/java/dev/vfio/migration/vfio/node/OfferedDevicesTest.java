package dev.vfio.migration.vfio.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.transfer.WorkloadListener;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** For which devices workloads find a place to wait. */
@Timeout(120)
class OfferedDevicesTest {
  private static final String ID = ModelNode.ID;

  @TempDir Path folder;
  private ModelNode node;
  private WorkloadListener listener;
  private OfferedDevices offers;

  @BeforeEach
  void makeNode() throws IOException {
    node = new ModelNode(folder.toRealPath());
    start();
  }

  private void start() throws IOException {
    listener =
        new WorkloadListener(
            folder.resolve("listener"),
            folder.resolve("records"),
            Duration.ofSeconds(60),
            user -> false,
            (device, process) -> false);
    offers = new OfferedDevices(node.inventory(), listener);
  }

  @AfterEach
  void endNode() throws InterruptedException {
    listener.close();
    node.close();
  }

  @Test
  void aFreeDeviceThatCanMigrateMayBeWaitedForOnceItWasLookedAt() throws Exception {
    node.speaksV2();
    node.run(
        () -> {
          node.directory().list().forEach(offers::lookedAt);
          assertThat(listener.offered()).as("not looked at yet").isEmpty();
          offers.lookedAt(node.directory().look(ID).orElseThrow());
          assertThat(listener.offered()).containsExactly(ID);
        });
    assertThat(listener.socket(ID)).exists();
  }

  @Test
  void aDeviceThatCannotMigrateIsNotOffered() throws Exception {
    node.speaksNothing();
    node.run(() -> offers.lookedAt(node.directory().look(ID).orElseThrow()));
    assertThat(listener.offered()).isEmpty();
  }

  @Test
  void aDeviceInUseIsNotOffered() throws Exception {
    node.speaksV2();
    node.held();
    node.run(() -> offers.lookedAt(node.directory().look(ID).orElseThrow()));
    assertThat(listener.offered()).isEmpty();
  }

  @Test
  void aNewDeviceMayBeWaitedForBeforeAnybodyLooksAtIt() throws Exception {
    node.run(offers::follow);
    assertThat(listener.offered()).containsExactly(ID);
    assertThat(node.model().calls).isEmpty();
  }

  @Test
  void whatWasTakenIsNotOfferedAgainUntilAnotherDeviceIsInItsPlace() throws Exception {
    offers.follow();
    listener.withdraw(ID);
    offers.follow();
    assertThat(listener.offered()).as("the same device").isEmpty();
    node.bindToPlainDriver();
    offers.follow();
    assertThat(listener.offered()).as("another device").containsExactly(ID);
  }

  @Test
  void aDeviceThatWasRemovedIsWithdrawn() throws Exception {
    offers.follow();
    node.remove();
    offers.follow();
    assertThat(listener.offered()).isEmpty();
    assertThat(listener.socket(ID)).doesNotExist();
  }

  @Test
  void afterARestartThePlaceIsThereAgainWhereSomebodyWaited() throws Exception {
    Path before = listener.socket(ID);
    Files.createDirectories(before.getParent());
    offers.reofferExistingSockets();
    assertThat(listener.offered()).as("nobody was offered it").isEmpty();
    // An agent that is killed leaves its socket behind.
    ServerSocketChannel killed = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    killed.bind(UnixDomainSocketAddress.of(before)).close();
    offers.reofferExistingSockets();
    assertThat(listener.offered()).containsExactly(ID);
  }

  @Test
  void aDeviceThatCannotBeOfferedDoesNotKeepTheOthersBack() throws Exception {
    node.makeAnother("0000:65:00.0");
    Files.createDirectories(folder.resolve("listener"));
    Files.createFile(folder.resolve("listener/0000:65:00.0"));
    offers.follow();
    assertThat(listener.offered()).containsExactly(ID);
  }
}
