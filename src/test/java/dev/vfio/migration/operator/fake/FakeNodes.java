package dev.vfio.migration.operator.fake;

import dev.vfio.migration.contract.v1.DeviceState;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * node-a with a running device and node-b with a waiting one; also the lock of both, and the
 * witness of invariant H1.
 */
public final class FakeNodes {
  public static final String SOURCE = "node-a";
  public static final String DESTINATION = "node-b";

  private final Map<String, FakeAgent> agents = new ConcurrentHashMap<>();
  private final List<String> violations = new CopyOnWriteArrayList<>();

  public FakeNodes() {
    agents.put(SOURCE, new FakeAgent(SOURCE, this, DeviceState.RUNNING));
    agents.put(DESTINATION, new FakeAgent(DESTINATION, this, DeviceState.NONE));
  }

  /** An agent of a node of its own. */
  public static FakeAgent alone(String node, DeviceState state) {
    return new FakeAgent(node, new FakeNodes(), state);
  }

  /** An agent of a node of its own, which never lists its devices. */
  public static FakeAgent silent(String node) {
    FakeAgent agent = new FakeAgent(node, new FakeNodes(), DeviceState.NONE);
    agent.neverLists();
    return agent;
  }

  public FakeAgent agent(String node) {
    return agents.get(node);
  }

  public FakeAgent source() {
    return agent(SOURCE);
  }

  public FakeAgent destination() {
    return agent(DESTINATION);
  }

  FakeAgent other(String node) {
    return node.equals(SOURCE) ? destination() : source();
  }

  void check() {
    boolean destinationRuns = destination().deviceState() == DeviceState.RUNNING;
    boolean sourceRuns =
        switch (source().deviceState()) {
          case RUNNING, SETUP, PRECOPY -> true;
          default -> false;
        };
    if (destinationRuns && sourceRuns) {
      violations.add("both devices run: " + source().deviceState() + " at the source");
    }
  }

  /** Moments at which both devices ran. */
  public List<String> violations() {
    return violations;
  }
}
