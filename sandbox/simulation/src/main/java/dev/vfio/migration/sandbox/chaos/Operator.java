package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.session.DestinationSession;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The other party of the contract: looks at both ends, decides once, and says again what was not
 * heard. Its commands may be lost, late, repeated, or come from a leader that was deposed.
 */
final class Operator {
  enum Decision {
    UNDECIDED,
    COMMITTED,
    ROLLED_BACK
  }

  private static final long LOOK_EVERY_NANOS = 1_500_000;
  private static final int LATEST_NANOS = 4_000_000;

  private final World world;
  private final Chance chance;
  private final SessionKey key;
  private final Mode mode;
  private final boolean userCancels;
  private final Loop.Lane lane;
  private final Loop.Lane network;
  private final List<Runnable> sentBefore = new ArrayList<>();
  private Decision decision = Decision.UNDECIDED;
  private boolean cancelled;
  private DestinationSession.Prepared prepared;
  private SessionSnapshot source;
  private SessionSnapshot destination;
  private long fencingNumber = 1;
  private int rollBackAtLook = Integer.MAX_VALUE;
  private int looks;

  Operator(World world, Chance chance, SessionKey key) {
    this.world = world;
    this.chance = chance;
    this.key = key;
    this.mode = chance.oneIn(3) ? Mode.COLD : Mode.LIVE;
    this.userCancels = chance.oneIn(5);
    this.lane = world.loop().lane("operator");
    this.network = world.loop().lane("control network");
    lane.add(this::look);
  }

  Decision decision() {
    return decision;
  }

  /** Whether it was rolled back because the user asked for that. */
  boolean cancelled() {
    return cancelled;
  }

  /** Lets it give up at that look, unless it has decided by then. */
  void rollBackAt(int look) {
    rollBackAtLook = look;
  }

  int looks() {
    return looks;
  }

  SessionKey key() {
    return key;
  }

  private void look() {
    // What it sees may be old.
    source = chance.fault(4) ? source : world.source().watched(key);
    destination = chance.fault(4) ? destination : world.destination().watched(key);
    if (chance.fault(60)) {
      fencingNumber++;
    }
    if (!sentBefore.isEmpty() && chance.fault(5)) {
      send(sentBefore.get(chance.below(sentBefore.size())));
    }
    Runnable next =
        switch (decision) {
          case UNDECIDED -> this::lead;
          case COMMITTED -> this::commit;
          case ROLLED_BACK -> this::rollBack;
        };
    next.run();
    lane.later(LOOK_EVERY_NANOS, this::look);
  }

  private void lead() {
    long number = fencingNumber;
    boolean failed =
        isOneOf(
                source,
                SessionState.SOURCE_ROLLING_BACK,
                SessionState.SOURCE_ROLLED_BACK,
                SessionState.SOURCE_STRANDED)
            || isOneOf(
                destination,
                SessionState.DESTINATION_DISCARDING,
                SessionState.DESTINATION_DISCARDED,
                SessionState.DESTINATION_STRANDED)
            || (source != null
                && source.failure() != null
                && !isOneOf(destination, SessionState.DESTINATION_LOADED));
    looks++;
    if (failed
        || looks > rollBackAtLook
        || chance.fault(150)
        || (userCancels && chance.fault(20))) {
      decision = Decision.ROLLED_BACK;
      cancelled = userCancels;
    } else if (isOneOf(destination, SessionState.DESTINATION_LOADED)
        && isOneOf(source, SessionState.SOURCE_AWAITING_DECISION)) {
      verify();
    } else if (isOneOf(source, SessionState.SOURCE_READY, SessionState.SOURCE_PRECOPY)) {
      if (chance.oneIn(4)) {
        command(world.source(), sessions -> sessions.switchOver(number, key));
      }
    } else if (source == null && prepared != null && prepared.port() != 0) {
      startSource();
    } else if (source == null && prepared == null) {
      prepare();
    }
  }

  /** What it knows of the destination may be old, so it commits on nothing but a fresh look. */
  private void verify() {
    long number = fencingNumber;
    long asked = world.loop().nanoTime();
    ask(
        world.destination(),
        sessions -> sessions.verifyLoaded(number, key),
        answer -> {
          if (decision == Decision.UNDECIDED && answer.state() == SessionState.DESTINATION_LOADED) {
            decision = Decision.COMMITTED;
            world.committed(asked);
          }
        });
  }

  private void prepare() {
    DestinationSpec spec =
        new DestinationSpec(
            key,
            "default/move",
            ModelDevice.ID,
            world.source().toString(),
            new DeviceDescription(
                ModelDevice.ID,
                MigrationInterface.REGION_2018,
                "model",
                4096,
                true,
                true,
                ModelDevice.PAGE_BYTES),
            List.of(
                new WindowSpec(
                    "ring", ModelDevice.IOVA, (long) ModelDevice.PAGES * ModelDevice.PAGE_BYTES)),
            1);
    long number = fencingNumber;
    ask(
        world.destination(),
        sessions -> sessions.prepareDestination(number, spec),
        answer -> prepared = answer);
  }

  private void startSource() {
    SourceSpec spec =
        new SourceSpec(
            key,
            "default/move",
            ModelDevice.ID,
            world.destination().toString(),
            "host",
            prepared.port(),
            mode,
            1,
            0,
            0,
            prepared.windows());
    byte[] token = prepared.token();
    long number = fencingNumber;
    command(world.source(), sessions -> sessions.startSource(number, spec, token));
  }

  private void commit() {
    long number = fencingNumber;
    if (!isOneOf(destination, SessionState.DESTINATION_ACTIVE)) {
      command(world.destination(), sessions -> sessions.activate(number, key));
    }
    // The source's copy is the last one until the destination runs.
    if (isOneOf(destination, SessionState.DESTINATION_ACTIVE)
        && !isOneOf(source, SessionState.SOURCE_COMPLETED)) {
      command(world.source(), sessions -> sessions.commit(number, key));
    }
  }

  private void rollBack() {
    long number = fencingNumber;
    if (source != null && !source.state().terminal()) {
      command(world.source(), sessions -> undo(sessions, number));
    }
    if (destination != null && !destination.state().terminal()) {
      command(world.destination(), sessions -> undo(sessions, number));
    }
  }

  private CompletableFuture<SessionSnapshot> undo(Sessions sessions, long number) {
    return cancelled
        ? sessions.cancel(number, key)
        : sessions.rollBack(number, key, "the test says so");
  }

  private void command(Node node, Function<Sessions, CompletableFuture<SessionSnapshot>> command) {
    ask(node, command, answer -> {});
  }

  private <T> void ask(
      Node node, Function<Sessions, CompletableFuture<T>> command, Consumer<T> answered) {
    Runnable arrival =
        () -> {
          if (node.isUp()) {
            command
                .apply(node.sessions())
                .whenComplete((answer, problem) -> answered(answer, problem, answered));
          }
        };
    sentBefore.add(arrival);
    send(arrival);
  }

  private void send(Runnable arrival) {
    if (!chance.fault(12)) {
      network.later(1 + chance.below(LATEST_NANOS), arrival);
    }
  }

  private <T> void answered(T answer, Throwable problem, Consumer<T> answered) {
    if (problem == null) {
      if (!chance.fault(12)) {
        network.later(1 + chance.below(LATEST_NANOS), () -> answered.accept(answer));
      }
      return;
    }
    if (!(problem instanceof Refusal refusal)) {
      throw new AssertionError("a command ended otherwise than by a refusal", problem);
    }
    Reason reason = refusal.failure().reason();
    if (decision == Decision.COMMITTED && reason == Reason.ALREADY_ROLLED_BACK) {
      throw new AssertionError("committed, and one end says: " + refusal.getMessage());
    }
    if (decision == Decision.ROLLED_BACK && reason == Reason.ALREADY_COMMITTED) {
      throw new AssertionError("rolled back, and one end says: " + refusal.getMessage());
    }
  }

  private static boolean isOneOf(SessionSnapshot session, SessionState... states) {
    return session != null && List.of(states).contains(session.state());
  }
}
