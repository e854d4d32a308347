package dev.vfio.migration.operator.inventory;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.agents.AgentConnection;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.AgentListener;
import dev.vfio.migration.operator.agents.RefusedException;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.VfioDevice;
import dev.vfio.migration.operator.api.VfioDeviceCounts;
import dev.vfio.migration.operator.api.VfioNode;
import dev.vfio.migration.operator.api.VfioNodeStatus;
import dev.vfio.migration.operator.decision.Side;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jboss.logging.Logger;

/**
 * Keeps one VfioNode for each node that has an agent: asks the agents when they come within reach
 * and once a period, and writes where something has changed. A replica that does not lead writes
 * nothing.
 *
 * <p>An agent that is out of reach keeps its object, marked so, with the devices it last listed;
 * the object of a node that has had no agent pod for {@code forgetAfter} is deleted.
 *
 * <p>Thread-safe. Everything happens on this object's own threads, and none of them waits for an
 * agent: one that is slow to list its devices, or does not answer, keeps only its own node's object
 * as it is. What fails is tried again at the next period.
 */
public final class NodeInventory implements AgentListener, AutoCloseable {
  /** An agent that is only just being connected to is not reported as unreachable. */
  static final Duration GRACE = Duration.ofSeconds(5);

  /** Several sessions of a node may change their state at once. */
  private static final Duration TOGETHER = Duration.ofMillis(50);

  /** A node may have many devices and a slow processor, and nobody waits for the list. */
  static final Duration LISTING_TIMEOUT = Duration.ofSeconds(60);

  /** How often a replica that does not lead checks whether it leads. */
  static final Duration UNTIL_LEADING = Duration.ofSeconds(2);

  /** Of all devices together; an API server stores 1.5 MiB of an object, and this grows as JSON. */
  static final int MAX_BYTES = 512 << 10;

  private static final Logger LOG = Logger.getLogger(NodeInventory.class);
  private static final int THREADS = 4;

  private final NodeStore store;
  private final AgentDirectory agents;
  private final Leadership leadership;
  private final Clock clock;
  private final Clock steady;
  private final Duration period;
  private final Duration forgetAfter;
  private final Set<String> waiting = ConcurrentHashMap.newKeySet();

  /** Nodes being updated, and whether another update must follow. Guarded by itself. */
  private final Map<String, Boolean> underWay = new HashMap<>();

  private final ScheduledExecutorService threads =
      Executors.newScheduledThreadPool(
          THREADS,
          task -> {
            Thread thread = new Thread(task, "node-inventory");
            thread.setDaemon(true);
            return thread;
          });
  private volatile String trouble = "";

  /**
   * @param clock the time of day, for what is recorded
   * @param steady measures for how long an agent is away; the one that its directory has
   * @param period between two updates of every node
   * @param forgetAfter how long a node must have had no agent before its object is deleted
   */
  public NodeInventory(
      NodeStore store,
      AgentDirectory agents,
      Leadership leadership,
      Clock clock,
      Clock steady,
      Duration period,
      Duration forgetAfter) {
    this.store = store;
    this.agents = agents;
    this.leadership = leadership;
    this.clock = clock;
    this.steady = steady;
    this.period = period;
    this.forgetAfter = forgetAfter;
  }

  /** Begins to update the objects of all nodes. */
  public void start() {
    updateAllAfter(shorter(period, UNTIL_LEADING));
  }

  private void updateAllAfter(Duration delay) {
    schedule(
        () -> {
          AtomicBoolean leads = new AtomicBoolean();
          guarded("all nodes", () -> leads.set(updateAll()));
          updateAllAfter(leads.get() ? period : shorter(period, UNTIL_LEADING));
        },
        delay);
  }

  private static Duration shorter(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? one : other;
  }

  private void schedule(Runnable task, Duration delay) {
    try {
      threads.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException ended) {
      LOG.debug("No agent is asked any more: the operator ends");
    }
  }

  @Override
  public void sessionChanged(Session session) {
    // Only what its device is busy with is shown: see devicesChanged.
  }

  @Override
  public void agentChanged(String node) {
    boolean connecting = agents.agentOf(node).state() instanceof Side.Unreachable;
    updateSoon(node, connecting ? GRACE : Duration.ZERO);
  }

  /** Shown soon: who uses a device, or that it is free, must not be one period old. */
  @Override
  public void devicesChanged(String node) {
    updateSoon(node, TOGETHER);
  }

  private void updateSoon(String node, Duration after) {
    if (!waiting.add(node) && !after.isZero()) {
      // The update that is waiting covers this change, too.
      return;
    }
    schedule(
        () -> {
          waiting.remove(node);
          guarded("node " + node, () -> updateIfLeading(node));
        },
        after);
  }

  /**
   * @return whether this replica leads
   */
  private boolean updateAll() {
    if (!leadership.held()) {
      return false;
    }
    Map<String, VfioNode> known = new HashMap<>();
    store.list().forEach(object -> known.put(object.getMetadata().getName(), object));
    Set<String> nodes = new TreeSet<>(known.keySet());
    nodes.addAll(agents.nodesWithAgent());
    for (String node : nodes) {
      Optional<VfioNode> seen = Optional.ofNullable(known.get(node));
      schedule(() -> guarded("node " + node, () -> update(node, seen)), Duration.ZERO);
    }
    return true;
  }

  private void updateIfLeading(String node) {
    if (leadership.held()) {
      update(node, store.read(node));
    }
  }

  /** One update of a node at a time; a change meanwhile causes another one after it. */
  private void update(String node, Optional<VfioNode> known) {
    synchronized (underWay) {
      if (underWay.computeIfPresent(node, (unused, again) -> true) != null) {
        return;
      }
      underWay.put(node, false);
    }
    boolean asked = false;
    try {
      asked = updateOrAsk(node, known);
    } finally {
      if (!asked) {
        updated(node);
      }
    }
  }

  private void updated(String node) {
    boolean again;
    synchronized (underWay) {
      again = underWay.remove(node);
    }
    if (again) {
      updateSoon(node, Duration.ZERO);
    }
  }

  /**
   * @return whether the agent was asked, whose answer comes later
   */
  private boolean updateOrAsk(String node, Optional<VfioNode> known) {
    AgentConnection agent = agents.agentOf(node);
    if (agent.state() instanceof Side.Absent absent) {
      known.ifPresent(object -> agentIsAbsent(object, absent.since()));
      return false;
    }
    if (agent.state() instanceof Side.Unreachable unreachable) {
      boolean young = Duration.between(unreachable.since(), steady.instant()).compareTo(GRACE) < 0;
      if (!young) {
        String why = "the agent cannot be reached: " + unreachable.cause();
        write(node, known, outOfReach(before(known), why));
      }
      return false;
    }
    if (agent.holdsPausedWorkload()) {
      // What can be done after the pause must not delay it.
      return false;
    }
    CompletableFuture<ListDevicesResponse> listing;
    try {
      listing =
          agent.askWithin(
              LISTING_TIMEOUT,
              (stub, answer) -> stub.listDevices(ListDevicesRequest.getDefaultInstance(), answer));
    } catch (RefusedException refused) {
      // It went out of reach at this moment.
      return false;
    }
    listing.whenComplete(
        (listed, failure) ->
            schedule(
                () -> {
                  guarded("node " + node, () -> answered(node, known, agent, listed, failure));
                  updated(node);
                },
                Duration.ZERO));
    return true;
  }

  private void answered(
      String node,
      Optional<VfioNode> known,
      AgentConnection agent,
      ListDevicesResponse listed,
      Throwable failure) {
    VfioNodeStatus before = before(known);
    if (failure == null) {
      List<VfioDevice> devices =
          listed.getDevicesList().stream().map(device -> view(device, agent)).toList();
      List<VfioDevice> fitting = thatFit(devices);
      String problem =
          fitting.size() == devices.size()
              ? null
              : "only the first %s of %s devices are listed: one object does not hold them all"
                  .formatted(fitting.size(), devices.size());
      write(
          node,
          known,
          new VfioNodeStatus(
              agent.agentVersion(), true, problem, null, VfioDeviceCounts.of(devices), fitting));
    } else if (agent.state() instanceof Side.Reachable) {
      write(
          node,
          known,
          new VfioNodeStatus(
              agent.agentVersion(),
              true,
              "the devices could not be listed: " + failure.getMessage(),
              null,
              before.counts(),
              before.devices()));
    }
  }

  private static VfioNodeStatus before(Optional<VfioNode> known) {
    return known.map(NodeInventory::statusOf).orElse(VfioNodeStatus.EMPTY);
  }

  private void write(String node, Optional<VfioNode> known, VfioNodeStatus now) {
    if (known.isPresent() && now.saysTheSameAs(before(known))) {
      return;
    }
    VfioNode object = known.orElseGet(() -> store.create(node));
    if (known.isEmpty() && object.getStatus() != null) {
      // Created since it was read: the next update knows what it says.
      return;
    }
    write(object, now);
  }

  private void agentIsAbsent(VfioNode object, Instant since) {
    Duration gone = Duration.between(since, steady.instant());
    if (gone.compareTo(forgetAfter) >= 0) {
      LOG.infof(
          "Node %s has had no agent for %s: its VfioNode is deleted",
          object.getMetadata().getName(), GoDuration.format(forgetAfter));
      store.delete(object);
      return;
    }
    VfioNodeStatus before = statusOf(object);
    VfioNodeStatus now = outOfReach(before, "no agent pod runs on this node");
    if (!now.saysTheSameAs(before)) {
      write(object, now);
    }
  }

  private void write(VfioNode object, VfioNodeStatus status) {
    String time = clock.instant().truncatedTo(ChronoUnit.SECONDS).toString();
    if (!store.writeStatus(object, status.changedAt(time))) {
      LOG.debugf("VfioNode %s has changed since it was read", object.getMetadata().getName());
    }
  }

  /** An object that is too large is not recorded at all. */
  private static List<VfioDevice> thatFit(List<VfioDevice> devices) {
    long bytes = 0;
    for (int count = 0; count < devices.size(); count++) {
      bytes += devices.get(count).toString().getBytes(StandardCharsets.UTF_8).length;
      if (bytes > MAX_BYTES) {
        return devices.subList(0, count);
      }
    }
    return devices;
  }

  private static VfioDevice view(Device device, AgentConnection agent) {
    return DeviceView.of(device, claim -> nameOf(claim, agent));
  }

  /** Agents name a claim {@code uid/attempt}; people know the migration by its name. */
  private static String nameOf(String claim, AgentConnection agent) {
    int slash = claim.lastIndexOf('/');
    if (slash < 0 || !claim.substring(slash + 1).matches("[0-9]{1,9}")) {
      return claim;
    }
    String uid = claim.substring(0, slash);
    int attempt = Integer.parseInt(claim.substring(slash + 1));
    return agent
        .session(uid, attempt, Role.SOURCE)
        .or(() -> agent.session(uid, attempt, Role.DESTINATION))
        .map(Session::getMigrationName)
        .filter(name -> !name.isEmpty())
        .orElse(claim);
  }

  private static VfioNodeStatus outOfReach(VfioNodeStatus before, String why) {
    return new VfioNodeStatus(
        before.agentVersion(), false, why, null, before.counts(), before.devices());
  }

  private static VfioNodeStatus statusOf(VfioNode object) {
    return object.getStatus() == null ? VfioNodeStatus.EMPTY : object.getStatus();
  }

  /**
   * What fails for one node, or in the API server, ends nothing. The same failure is logged once.
   */
  private void guarded(String what, Runnable task) {
    try {
      task.run();
      trouble = "";
    } catch (RuntimeException failure) {
      String message = String.valueOf(failure.getMessage());
      if (!threads.isShutdown() && !message.equals(trouble)) {
        trouble = message;
        LOG.warnf(
            "The VfioNode objects (%s) could not be brought up to date, trying again every %s."
                + " Nothing of a migration depends on them. Is the definition %s installed (kubectl"
                + " apply --server-side -f crds/), and may this operator write it? %s",
            what, GoDuration.format(period), VfioNode.PLURAL + ".migration.vfio.dev", message);
      }
    }
  }

  @Override
  public void close() {
    threads.shutdownNow();
  }
}
