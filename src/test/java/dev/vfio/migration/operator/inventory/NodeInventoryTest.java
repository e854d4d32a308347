package dev.vfio.migration.operator.inventory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.AgentListener;
import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.api.VfioDevice;
import dev.vfio.migration.operator.api.VfioNodeStatus;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.fake.AgentServer;
import dev.vfio.migration.operator.fake.FakeAgent;
import dev.vfio.migration.operator.fake.FakeNodeStore;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.RefusedCalls;
import dev.vfio.migration.operator.fake.TestAuthority;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One object for each node that has an agent: when it is written, and what becomes of it. */
class NodeInventoryTest {
  private static final String NODE = "node-a";
  private static final Duration PERIOD = Duration.ofMillis(50);
  private static final Duration FORGET_AFTER = Duration.ofMinutes(10);
  private static final Duration TIMEOUT = Duration.ofSeconds(40);

  @TempDir private Path directory;

  private final FakeNodes nodes = new FakeNodes();
  private final FakeNodeStore store = new FakeNodeStore();
  private final AtomicBoolean leads = new AtomicBoolean(true);
  private final SettableClock clock = new SettableClock();
  private final TestAuthority authority = new TestAuthority();
  private AgentServer server;
  private AgentDirectory agents;
  private NodeInventory inventory;

  /** Time that goes on when it is told to. */
  private static final class SettableClock extends Clock {
    private final AtomicReference<Instant> now =
        new AtomicReference<>(Instant.parse("2026-01-01T00:00:00Z"));

    void advance(Duration by) {
      now.updateAndGet(time -> time.plus(by));
    }

    @Override
    public Instant instant() {
      return now.get();
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      throw new UnsupportedOperationException("UTC only");
    }
  }

  @BeforeEach
  void start() {
    Path own = authority.issue(directory.resolve("operator"), TestAuthority.OPERATOR);
    server =
        new AgentServer(
                nodes.source(),
                authority.issue(directory.resolve("a"), "node-a.node.migration.vfio.dev"))
            .start();
    agents =
        new AgentDirectory(
            new TlsFiles(own, Clock.systemUTC()),
            clock,
            Duration.ofSeconds(30),
            new AgentListener() {
              @Override
              public void sessionChanged(Session session) {
                // Nobody's business here.
              }

              @Override
              public void agentChanged(String node) {
                inventory.agentChanged(node);
              }

              @Override
              public void devicesChanged(String node) {
                inventory.devicesChanged(node);
              }
            });
    inventory = new NodeInventory(store, agents, leads::get, clock, clock, PERIOD, FORGET_AFTER);
  }

  @AfterEach
  void stop() {
    inventory.close();
    agents.close();
    server.close();
  }

  private void connect() {
    agents.locate(NODE, Optional.of(server.address()));
  }

  private VfioNodeStatus awaitReachable() {
    await()
        .atMost(TIMEOUT)
        .until(() -> store.status(NODE).map(VfioNodeStatus::reachable).orElse(false));
    return store.status(NODE).orElseThrow();
  }

  private VfioNodeStatus awaitProblem(String text) {
    await()
        .atMost(TIMEOUT)
        .until(
            () ->
                store
                    .status(NODE)
                    .map(VfioNodeStatus::problem)
                    .filter(problem -> problem.contains(text))
                    .isPresent());
    return store.status(NODE).orElseThrow();
  }

  /** As long as it takes to look at every node a few times more. */
  private void awaitUpdates() {
    int before = store.lists();
    await().atMost(TIMEOUT).until(() -> store.lists() >= before + 4);
  }

  @Test
  void anAgentThatIsReachedHasItsDevicesListed() {
    connect();
    VfioNodeStatus status = awaitReachable();
    assertThat(status.devices()).extracting(VfioDevice::id).containsExactly(FakeAgent.DEVICE);
    assertThat(status.counts().devices()).isEqualTo(1);
    assertThat(status.problem()).isNull();
    assertThat(status.lastChange()).isEqualTo("2026-01-01T00:00:00Z");
  }

  @Test
  void nothingIsWrittenWhileNothingChanges() {
    inventory.start();
    connect();
    awaitReachable();
    awaitUpdates();
    int writes = store.writes();
    clock.advance(Duration.ofHours(1));
    awaitUpdates();
    assertThat(store.writes()).isEqualTo(writes);
    assertThat(store.status(NODE).orElseThrow().lastChange()).isEqualTo("2026-01-01T00:00:00Z");
  }

  @Test
  void aChangeIsWrittenAtTheNextUpdateWithItsDate() {
    inventory.start();
    connect();
    awaitReachable();
    clock.advance(Duration.ofMinutes(1));
    nodes.source().changeDevice(device -> device.setModel("another"));
    await()
        .atMost(TIMEOUT)
        .until(() -> store.status(NODE).orElseThrow().devices().get(0).model().equals("another"));
    assertThat(store.status(NODE).orElseThrow().lastChange()).isEqualTo("2026-01-01T00:01:00Z");
  }

  /** As of 128 devices whose workloads declare as many windows as they may. */
  @Test
  void aNodeWhoseWorkloadsDeclareManyWindowsIsListed() {
    DmaWindow window = DmaWindow.newBuilder().setName("w".repeat(63)).setIova(1L << 62).build();
    nodes
        .source()
        .changeDevice(device -> device.addAllDmaWindows(Collections.nCopies(128 * 1024, window)));
    inventory.start();
    connect();
    awaitReachable();
  }

  @Test
  void onlyTheLeaderWritesAndItBeginsOnceItLeads() {
    leads.set(false);
    inventory.start();
    connect();
    await()
        .atMost(TIMEOUT)
        .until(
            () ->
                agents.nodesWithAgent().contains(NODE)
                    && !agents.agentOf(NODE).agentVersion().isEmpty());
    assertThat(store.writes()).isZero();
    assertThat(store.lists()).isZero();
    leads.set(true);
    awaitReachable();
  }

  @Test
  void anAgentOutOfReachKeepsItsDevicesAndSaysSo() {
    inventory.start();
    connect();
    VfioNodeStatus before = awaitReachable();
    server.stop();
    await().atMost(TIMEOUT).until(() -> agents.agentOf(NODE).state() instanceof Side.Unreachable);
    clock.advance(NodeInventory.GRACE);
    VfioNodeStatus status = awaitProblem("the agent cannot be reached: ");
    assertThat(status.reachable()).isFalse();
    assertThat(status.devices()).isEqualTo(before.devices());
    assertThat(status.agentVersion()).isEqualTo(before.agentVersion());

    server.start();
    agents.locate(NODE, Optional.of(server.address()));
    assertThat(awaitReachable().problem()).isNull();
  }

  @Test
  void anAgentWithoutAPodIsForgottenInTheEnd() {
    inventory.start();
    connect();
    awaitReachable();
    agents.locate(NODE, Optional.empty());
    assertThat(awaitProblem("no agent pod runs on this node").reachable()).isFalse();
    clock.advance(FORGET_AFTER.minusSeconds(1));
    awaitUpdates();
    assertThat(store.status(NODE)).as("not yet").isPresent();
    clock.advance(Duration.ofSeconds(1));
    await().atMost(TIMEOUT).until(() -> store.status(NODE).isEmpty());
  }

  @Test
  void anObjectOfANodeThatLostItsAgentWhileNoOperatorRanIsMarked() {
    store.create(NODE);
    inventory.start();
    assertThat(awaitProblem("no agent pod runs on this node").reachable()).isFalse();
  }

  @Test
  void anObjectThatAUserDeletedIsCreatedAgain() {
    inventory.start();
    connect();
    awaitReachable();
    store.remove(NODE);
    awaitReachable();
  }

  @Test
  void anObjectThatAUserChangedIsStillUpdated() {
    inventory.start();
    connect();
    awaitReachable();
    store.annotate(NODE);
    nodes.source().changeDevice(device -> device.setModel("another"));
    await()
        .atMost(TIMEOUT)
        .until(() -> store.status(NODE).orElseThrow().devices().get(0).model().equals("another"));
  }

  @Test
  void devicesThatCannotBeListedAreThoseListedLast() {
    inventory.start();
    connect();
    VfioNodeStatus before = awaitReachable();
    nodes.source().refuseToList(RefusedCalls.of(Reason.INTERNAL_ERROR, "cannot read /sys"));
    VfioNodeStatus status = awaitProblem("cannot read /sys");
    assertThat(status.reachable()).isTrue();
    assertThat(status.devices()).isEqualTo(before.devices());
  }

  @Test
  void nobodyIsAskedForDevicesWhileAWorkloadStandsStill() {
    inventory.start();
    connect();
    awaitReachable();
    nodes.source().hold(SessionState.SOURCE_STOPNCOPY);
    await().atMost(TIMEOUT).until(() -> agents.agentOf(NODE).holdsPausedWorkload());
    awaitUpdates();
    int asked = nodes.source().listings();
    nodes.source().changeDevice(device -> device.setModel("another"));
    awaitUpdates();
    assertThat(nodes.source().listings()).isEqualTo(asked);

    nodes.source().hold(SessionState.SOURCE_COMPLETED);
    await()
        .atMost(TIMEOUT)
        .until(() -> store.status(NODE).orElseThrow().devices().get(0).model().equals("another"));
  }

  /** Nobody looks at all nodes here: only what is heard of a session has the node looked at. */
  @Test
  void aDeviceThatWasClaimedOrReleasedIsListedSoWithoutWaitingForThePeriod() {
    connect();
    awaitReachable();
    nodes.source().changeDevice(device -> device.setClaimedBy("uid/1"));
    nodes.source().hold(SessionState.SOURCE_PRECOPY);
    await().atMost(TIMEOUT).until(() -> store.status(NODE).orElseThrow().counts().busy() == 1);

    nodes.source().changeDevice(device -> device.setClaimedBy("").setBusy(false));
    nodes.source().hold(SessionState.SOURCE_COMPLETED);
    await().atMost(TIMEOUT).until(() -> store.status(NODE).orElseThrow().counts().busy() == 0);
  }

  /** More of them than there are threads, and each is asked again and again. */
  @Test
  void agentsThatNeverListTheirDevicesHideNoOtherNode() {
    List<FakeAgent> silent = new ArrayList<>();
    List<AgentServer> servers = new ArrayList<>();
    try {
      inventory.start();
      for (int index = 0; index < 6; index++) {
        String name = "silent-" + index;
        FakeAgent agent = FakeNodes.silent(name);
        Path certificates =
            authority.issue(directory.resolve(name), name + ".node.migration.vfio.dev");
        AgentServer started = new AgentServer(agent, certificates).start();
        silent.add(agent);
        servers.add(started);
        agents.locate(name, Optional.of(started.address()));
      }
      await()
          .atMost(TIMEOUT)
          .untilAsserted(
              () -> assertThat(silent).extracting(FakeAgent::listings).doesNotContain(0));
      connect();
      awaitReachable();
      nodes.source().changeDevice(device -> device.setModel("another"));
      await()
          .atMost(TIMEOUT)
          .until(() -> store.status(NODE).orElseThrow().devices().get(0).model().equals("another"));
      assertThat(silent)
          .extracting(FakeAgent::listings)
          .as("one question at a time")
          .containsOnly(1);
    } finally {
      servers.forEach(AgentServer::close);
    }
  }

  /** Two looks at a new node: the slower one must not write over what the other one found. */
  @Test
  void anUpdateThatDidNotKnowTheObjectDoesNotOverwriteIt() {
    connect();
    VfioNodeStatus before = awaitReachable();
    nodes.source().refuseToList(RefusedCalls.of(Reason.INTERNAL_ERROR, "cannot read /sys"));
    store.hideFromReaders(NODE);
    int reads = store.reads();
    inventory.agentChanged(NODE);
    await().atMost(TIMEOUT).until(() -> store.creations() >= 2);
    await().atMost(TIMEOUT).until(() -> store.reads() > reads);
    store.hideFromReaders("");
    inventory.agentChanged(NODE);
    assertThat(awaitProblem("cannot read /sys").devices()).isEqualTo(before.devices());
  }

  @Test
  void anApiServerThatDoesNotKnowTheDefinitionYetIsAskedAgain() {
    store.fail(Optional.of(new IllegalStateException("404: vfionodes not found")));
    inventory.start();
    connect();
    awaitUpdates();
    assertThat(store.writes()).isZero();
    store.fail(Optional.empty());
    awaitReachable();
  }

  @Test
  void ofMoreDevicesThanAnObjectHoldsTheFirstAreListed() {
    nodes
        .source()
        .changeDevice(
            device ->
                device.setNotMigratable(
                    Failure.newBuilder()
                        .setReason(Reason.NO_MIGRATION_REGION)
                        .setMessage("x".repeat(2000))));
    nodes.source().listed(1500);
    inventory.start();
    connect();
    VfioNodeStatus status = awaitProblem("of 1500 devices are listed");
    assertThat(status.counts().devices()).isEqualTo(1500);
    assertThat(status.devices()).hasSizeBetween(300, 600);
    assertThat(Serialization.asJson(status).length()).isLessThan(1 << 20);
  }
}
