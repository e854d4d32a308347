package dev.vfio.migration.agent.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.vfio.device.DeviceDirectory.Entry;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.freezer.FreezerLedger;
import dev.vfio.migration.vfio.linux.DurableFile;
import dev.vfio.migration.vfio.user.ServerTimeouts;
import dev.vfio.migration.vfio.user.VfioUserDirectory;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The kernel's side of a node, by folders that stand for what the kernel shows. */
@Timeout(120)
class KernelNodeTest {
  private static final String ID = "0000:65:00.1";
  private static final String OTHER = "0000:65:00.2";

  @TempDir Path folder;
  private KernelFiles files;

  @BeforeEach
  void makeFolders() throws IOException {
    files =
        new KernelFiles(
            Files.createDirectories(folder.resolve("dev/vfio")),
            Files.createDirectories(folder.resolve("sys")),
            Files.createDirectories(folder.resolve("proc")));
    Files.createSymbolicLink(files.proc().resolve("self"), Path.of("1"));
    Files.createDirectories(folder.resolve("cgroup"));
    device(ID);
  }

  private AgentConfig config(Map<String, String> more) {
    Map<String, String> all = new HashMap<>(more);
    all.put("agent.node-name", "node-a");
    all.put("agent.journal-directory", folder.resolve("journal").toString());
    all.put("agent.handover-directory", folder.resolve("devices").toString());
    all.put("agent.cgroup-directory", folder.resolve("cgroup").toString());
    return new SmallRyeConfigBuilder()
        .addDiscoveredConverters()
        .withMapping(AgentConfig.class)
        .withSources(new PropertiesConfigSource(all, "test", 100))
        .build()
        .getConfigMapping(AgentConfig.class);
  }

  private KernelNode node() throws IOException {
    return new KernelNode(config(Map.of()), files, 4096);
  }

  private void device(String id) throws IOException {
    Path device = Files.createDirectories(files.sysfs().resolve("devices").resolve(id));
    Path driver = Files.createDirectories(files.sysfs().resolve("drivers/some-vfio-pci"));
    Files.createSymbolicLink(device.resolve("driver"), driver);
    Path link = files.sysfs().resolve("bus/pci/devices").resolve(id);
    Files.createDirectories(link.getParent());
    Files.createSymbolicLink(link, device);
  }

  private Path socket(String id) {
    return folder.resolve("devices").resolve(id).resolve("handover.sock");
  }

  // ---------------------------------------------------------------- offering

  @Test
  void workloadsMayWaitForADeviceFromWhenItIsThereUntilItIsGone() throws Exception {
    try (KernelNode node = node()) {
      assertThat(socket(ID)).doesNotExist();
      node.followDevices();
      assertThat(socket(ID)).exists();
      Files.delete(files.sysfs().resolve("bus/pci/devices").resolve(ID));
      device(OTHER);
      node.followDevices();
      assertThat(socket(ID)).doesNotExist();
      assertThat(socket(OTHER)).exists();
    }
    assertThat(socket(OTHER)).as("closed").doesNotExist();
  }

  /** The period is far away: the change of the folder of device nodes is enough. */
  @Test
  void aWorkloadThatStartsRightAfterItsDeviceFindsTheFolder() throws Exception {
    Path nodes = files.devices();
    try (KernelNode node = node();
        DeviceFollower follower =
            new DeviceFollower(nodes, node::followDevices, Duration.ofHours(1))) {
      follower.start();
      await().atMost(Duration.ofSeconds(60)).until(() -> Files.exists(socket(ID)));
      device(OTHER);
      Files.createFile(nodes.resolve("7"));
      await().atMost(Duration.ofSeconds(60)).until(() -> Files.exists(socket(OTHER)));

      Files.delete(files.sysfs().resolve("bus/pci/devices").resolve(OTHER));
      Files.delete(nodes.resolve("7"));
      await().atMost(Duration.ofSeconds(60)).until(() -> Files.notExists(socket(OTHER)));
    }
  }

  /** A node may be there a moment before sysfs has its device. */
  @Test
  void aDeviceWhoseNodeCameFirstIsFoundAllTheSame() throws Exception {
    AtomicInteger looks = new AtomicInteger();
    try (DeviceFollower follower =
        new DeviceFollower(files.devices(), looks::incrementAndGet, Duration.ofHours(1))) {
      follower.start();
      await().atMost(Duration.ofSeconds(60)).until(() -> looks.get() == 1);
      Files.createFile(files.devices().resolve("7"));
      await().atMost(Duration.ofSeconds(60)).until(() -> looks.get() >= 4);
    }
  }

  @Test
  void aDeviceThatCannotBeLookedAtIsListedWithTheReasonAndNotOffered() throws Exception {
    try (KernelNode node = node()) {
      Entry entry = node.look(ID).orElseThrow();
      assertThat(entry.description()).isNull();
      assertThat(entry.problem()).hasMessageContaining("Nothing was done to the device");
      assertThat(node.list()).extracting(Entry::id).containsExactly(ID);
      assertThat(socket(ID)).doesNotExist();
    }
  }

  @Test
  void followingGoesOnWhereTheDevicesCannotBeRead() throws Exception {
    try (KernelNode node = node()) {
      Path list = files.sysfs().resolve("bus/pci/devices");
      Path aside = Files.move(list, list.resolveSibling("aside"));
      // Neither a folder nor absent: it cannot be listed.
      Files.createSymbolicLink(list, list);
      node.followDevices();
      assertThat(socket(ID)).doesNotExist();
      Files.delete(list);
      Files.move(aside, list);
      node.followDevices();
      assertThat(socket(ID)).exists();
    }
  }

  @Test
  void whoWaitedAtAnEarlierAgentFindsThePlaceAgain() throws Exception {
    device(OTHER);
    Files.createDirectories(socket(ID).getParent());
    // An agent that is killed leaves its socket behind.
    UnixDomainSocketAddress place = UnixDomainSocketAddress.of(socket(ID));
    ServerSocketChannel killed = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    killed.bind(place).close();
    try (KernelNode node = node()) {
      assertThatThrownBy(() -> SocketChannel.open(place)).isInstanceOf(ConnectException.class);
      node.offerToThoseWhoCameBack();
      SocketChannel.open(place).close();
      assertThat(socket(OTHER)).doesNotExist();
    }
  }

  @Test
  void aDeviceThatIsNotThereHasNoWorkload() throws Exception {
    try (KernelNode node = node()) {
      assertThatThrownBy(() -> node.workloads(Duration.ZERO).of("0000:01:00.0"))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("this node has no PCI device 0000:01:00.0");
    }
  }

  // ---------------------------------------------------------------- what was left frozen

  private Path frozen(String device, String migration) throws IOException {
    String cgroup = "/pod-" + device;
    Path directory = Files.createDirectories(folder.resolve("cgroup" + cgroup));
    Files.writeString(directory.resolve("cgroup.freeze"), "1");
    Files.writeString(directory.resolve("cgroup.events"), "populated 1\nfrozen 0\n");
    Path ledger = Files.createDirectories(folder.resolve("journal/frozen"));
    DurableFile.write(
        ledger.resolve(device + ".json"),
        "{\"device\":\"%s\",\"migration\":\"%s\",\"cgroup\":\"%s\",\"process\":1,\"startTime\":1}"
            .formatted(device, migration, cgroup)
            .getBytes(StandardCharsets.UTF_8));
    return directory.resolve("cgroup.freeze");
  }

  private static void ofAnotherProcess(Path entry) throws IOException {
    String text = new String(DurableFile.read(entry), StandardCharsets.UTF_8);
    DurableFile.write(
        entry, text.replace("\"process\":1", "\"process\":2").getBytes(StandardCharsets.UTF_8));
  }

  private static SessionSnapshot session(String uid, SessionState state) {
    return new SessionSnapshot(
        new SessionKey(uid, 1), "shop/db", state, "device", null, Progress.NONE, null, true, false);
  }

  @Test
  void onlyWhatStandsStillForAMigrationThatWasRolledBackIsThawed() throws Exception {
    Path back = frozen("a", "back/1");
    Path waiting = frozen("b", "waiting/1");
    Path committed = frozen("c", "committed/1");
    Path unknown = frozen("d", "unknown/1");
    try (KernelNode node = node()) {
      node.thawLeftOvers(
          List.of(
              session("back", SessionState.SOURCE_ROLLED_BACK),
              session("waiting", SessionState.SOURCE_AWAITING_DECISION),
              session("committed", SessionState.SOURCE_COMPLETED)));
    }
    assertThat(back).content().startsWith("0");
    for (Path still : List.of(waiting, committed, unknown)) {
      assertThat(still).content().isEqualTo("1");
    }
    assertThat(new FreezerLedger(folder.resolve("journal/frozen")).entries())
        .extracting(FreezerLedger.Entry::migration)
        .containsExactlyInAnyOrder("waiting/1", "committed/1", "unknown/1");
  }

  @Test
  void whatIsLeftOfAnUnknownMigrationIsForgottenOnceNobodyStandsStillForIt() throws Exception {
    Path thawed = frozen("a", "unknown/1");
    Files.writeString(thawed, "0");
    Path removed = frozen("b", "unknown/2");
    Files.delete(removed.resolveSibling("cgroup.events"));
    Files.delete(removed);
    Files.delete(removed.getParent());
    Path known = frozen("c", "waiting/1");
    Files.writeString(known, "0");
    Path frozen = frozen("d", "unknown/3");
    Path running = frozen("e", "unknown/4");
    Files.writeString(running, "0");
    Path alive = Files.createDirectories(files.proc().resolve("1"));
    Files.writeString(
        alive.resolve("stat"), "1 (app) S 1 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 1 1 2 3\n");
    Path ledger = folder.resolve("journal/frozen");
    ofAnotherProcess(ledger.resolve("a.json"));
    ofAnotherProcess(ledger.resolve("b.json"));
    Files.writeString(ledger.resolve("damaged.json"), "{");
    try (KernelNode node = node()) {
      node.thawLeftOvers(List.of(session("waiting", SessionState.SOURCE_AWAITING_DECISION)));
    }
    assertThat(new FreezerLedger(ledger).entries())
        .extracting(FreezerLedger.Entry::migration)
        .containsExactlyInAnyOrder("waiting/1", "unknown/3", "unknown/4");
    assertThat(frozen).content().isEqualTo("1");
    assertThat(ledger.resolve("damaged.json")).as("for people to look at").exists();
  }

  // ---------------------------------------------------------------- without the kernel's devices

  @Test
  void theKernelIsLookedAtWhereItHasVfioUnlessConfiguredOtherwise() throws Exception {
    KernelFiles without = new KernelFiles(folder.resolve("dev/none"), files.sysfs(), files.proc());
    Map<String, String> yes = Map.of("agent.kernel-devices", "true");
    Map<String, String> no = Map.of("agent.kernel-devices", "false");
    isOf(config(Map.of()), files, KernelNode.class);
    isOf(config(Map.of()), without, NoKernel.class);
    isOf(config(yes), without, KernelNode.class);
    isOf(config(no), files, NoKernel.class);
  }

  private static void isOf(AgentConfig config, KernelFiles files, Class<?> expected)
      throws IOException {
    try (KernelSide side = KernelSide.of(config, files, 4096)) {
      assertThat(side).isInstanceOf(expected);
    }
  }

  @Test
  void withoutItOnlyServedDevicesAreKnown() throws Exception {
    try (KernelSide none = new NoKernel()) {
      Path served = Files.createDirectory(folder.resolve("served"));
      NodeDevices devices =
          new NodeDevices(new VfioUserDirectory(served, 4096, ServerTimeouts.DEFAULT), none);
      none.offerToThoseWhoCameBack();
      none.thawLeftOvers(List.of());
      none.followDevices();
      assertThat(devices.list()).isEmpty();
      assertThat(devices.look(ID)).isEmpty();
      for (MigrationEnd end : MigrationEnd.values()) {
        DeviceException refusal =
            catchThrowableOfType(
                DeviceException.class, () -> devices.open(ID, end, "uid/1").close());
        assertThat(refusal.kind()).isEqualTo(Kind.UNKNOWN_DEVICE);
        assertThat(refusal)
            .hasMessageContaining("device " + ID + " is not known on this node")
            .hasMessageContaining("agent.kernel-devices")
            .hasMessageContaining("Nothing was touched");
      }
      assertThatThrownBy(() -> none.workloads(Duration.ZERO).of(ID))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("is not known on this node");
    }
    assertThat(socket(ID)).doesNotExist();
  }
}
