package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.control.ContractMapping;
import dev.vfio.migration.agent.control.SessionFeed;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.session.DestinationSession;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.decision.Command;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.vfio.device.DeviceDescription;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * The calls of one replica of the operator to both agents, over a network that loses, delays and
 * repeats them, and their answers.
 */
final class ControlCalls {
  private static final int LATEST_NANOS = 4_000_000;

  /** How late a call arrives whose sender was stopped between recording and calling. */
  private static final int STOPPED_NANOS = 80_000_000;

  private static final long CALL_TIMEOUT_NANOS = 10_000_000;
  private static final long REPEAT_AFTER_NANOS = 6_000_000;

  /** Refusals after which the agent may carry the same command out. */
  private static final Set<Reason> PASSING =
      EnumSet.of(
          Reason.NOT_READY,
          Reason.NOT_LOADED,
          Reason.STALE_FENCING_NUMBER,
          Reason.JOURNAL_FAILED,
          Reason.DEVICE_UNREACHABLE,
          Reason.INTERNAL_ERROR);

  private final Replica replica;
  private final World world;
  private final Chance chance;
  private final Runnable answered;
  private final Loop.Lane network;
  private final Map<Kind, Long> begun = new LinkedHashMap<>();
  private final Map<Kind, Long> given = new LinkedHashMap<>();
  private final Map<Kind, Consumer<Answers>> replies = new LinkedHashMap<>();
  private final List<Runnable> sentBefore = new ArrayList<>();
  private DestinationSession.Prepared ticket;

  /** A call of that kind is not begun while another is under way. */
  private record Kind(Phase phase, Class<?> command, Role side) {}

  /** What came back since the last step, by the role of who answered. */
  static final class Answers {
    private final Map<Role, Side.Refusal> refusals = new LinkedHashMap<>();
    private final Map<Role, Side.Inspection> inspections = new LinkedHashMap<>();
    private final Map<Role, Session> verified = new LinkedHashMap<>();
    private long verificationAsked;

    Side enterInto(Side side) {
      return new Side(
          side.role(),
          side.location(),
          side.agent(),
          side.session(),
          Optional.ofNullable(refusals.get(side.role())),
          Optional.ofNullable(inspections.get(side.role())),
          Optional.ofNullable(verified.get(side.role())));
    }

    /** When the destination was asked for the verification that came back; 0 where none did. */
    long verificationAsked() {
      return verificationAsked;
    }

    boolean isEmpty() {
      return refusals.isEmpty() && inspections.isEmpty() && verified.isEmpty();
    }
  }

  /**
   * @param answered is called once something came back
   */
  ControlCalls(World world, Chance chance, Replica replica, Runnable answered) {
    this.replica = replica;
    this.world = world;
    this.chance = chance;
    this.answered = answered;
    this.network = world.loop().lane("control network of " + replica);
  }

  /** Its process is no more; what it sent may still arrive. */
  void forget() {
    begun.clear();
    given.clear();
    replies.clear();
    ticket = null;
  }

  /** What came back, once. */
  Answers take(Phase phase) {
    Answers answers = new Answers();
    replies.entrySet().removeIf(reply -> taken(reply, phase, answers));
    return answers;
  }

  private static boolean taken(
      Map.Entry<Kind, Consumer<Answers>> reply, Phase phase, Answers answers) {
    if (reply.getKey().phase() == phase) {
      reply.getValue().accept(answers);
    }
    return true;
  }

  /** Something that was sent before arrives once more. */
  void repeatOne() {
    if (!sentBefore.isEmpty()) {
      network.later(
          1 + chance.below(LATEST_NANOS), sentBefore.get(chance.below(sentBefore.size())));
    }
  }

  /** Gives {@code commands}, unless they were given a moment ago. */
  void give(Observation seen, List<Command> commands) {
    commands.forEach(command -> command.handle(new Giving(seen)));
  }

  private final class Giving
      implements Command.Handler<Void>, Command.AgentHandler<Consumer<Sessions>> {
    private final Observation seen;
    private final SessionKey key;

    /** The number is read when a command is decided, not when it arrives. */
    private final long number;

    private Command.AgentCommand giving;
    private Kind kind;

    Giving(Observation seen) {
      this.seen = seen;
      this.key = new SessionKey(seen.uid(), seen.attempt());
      this.number = seen.fencingNumber().orElse(0);
    }

    @Override
    public Void delete(Command.Delete command) {
      throw new AssertionError("no time to live is set");
    }

    @Override
    public Void agent(Command.AgentCommand command) {
      giving = command;
      kind = new Kind(seen.status().phase(), command.getClass(), command.side());
      long now = world.loop().nanoTime();
      Long since = begun.get(kind);
      Long last = given.get(kind);
      boolean underWay = since != null && now - since < CALL_TIMEOUT_NANOS;
      boolean early = last != null && now - last < REPEAT_AFTER_NANOS;
      if (underWay || !command.isQuestion() && early) {
        return null;
      }
      world.commands(replica, number, command);
      begun.put(kind, now);
      Consumer<Sessions> call = command.handleByAgent(this);
      if (call != null) {
        send(node(command.side()), call);
      }
      return null;
    }

    private Node node(Role side) {
      return side == Role.SOURCE ? world.source() : world.destination();
    }

    /** Has what {@code call} comes back with taken at the next step of this replica. */
    private <T> Consumer<Sessions> call(
        Function<Sessions, CompletableFuture<T>> call, Function<T, Consumer<Answers>> taken) {
      Node node = node(giving.side());
      Command.AgentCommand command = giving;
      Kind of = kind;
      return sessions -> {
        // An agent that has obeyed a later leader obeys this one no more.
        boolean replaced =
            !command.isQuestion() && Long.compareUnsigned(number, node.fencingNumber()) < 0;
        // What a future's callback throws is heard by nobody: it is judged on a lane.
        call.apply(sessions)
            .whenComplete(
                (answer, problem) ->
                    network.add(
                        () -> {
                          if (replaced && problem == null) {
                            throw new AssertionError(
                                "F: " + node + " obeyed a leader that was replaced: " + command);
                          }
                          back(
                              of,
                              problem == null
                                  ? taken.apply(answer)
                                  : refused(node, command, problem));
                        }));
      };
    }

    private Consumer<Sessions> told(Function<Sessions, CompletableFuture<SessionSnapshot>> call) {
      Kind of = kind;
      return call(call, answer -> answers -> given.put(of, world.loop().nanoTime()));
    }

    private Consumer<Answers> refused(Node node, Command command, Throwable problem) {
      Throwable cause = problem instanceof CompletionException ? problem.getCause() : problem;
      if (!(cause instanceof Refusal refusal)) {
        throw new AssertionError("a command ended otherwise than by a refusal", problem);
      }
      world.refused(refusal);
      Reason reason = Reason.valueOf(refusal.failure().reason().name());
      boolean lasting = !PASSING.contains(reason);
      return answers ->
          answers.refusals.put(
              command.side(),
              new Side.Refusal(command, reason, node + ": " + refusal.getMessage(), lasting));
    }

    @Override
    public Consumer<Sessions> inspect(Command.Inspect command) {
      Node node = node(command.side());
      return call(
          sessions -> CompletableFuture.completedFuture(listed(node)),
          device ->
              answers ->
                  answers.inspections.put(
                      command.side(), new Side.Inspection(Optional.of(device))));
    }

    @Override
    public Consumer<Sessions> prepareDestination(Command.PrepareDestination command) {
      DestinationSpec spec =
          new DestinationSpec(
              key,
              Operator.NAMESPACE + "/" + Operator.NAME,
              ModelDevice.ID,
              world.source().toString(),
              new DeviceDescription(
                  ModelDevice.ID,
                  dev.vfio.migration.vfio.device.MigrationInterface.REGION_2018,
                  ModelDevice.MODEL,
                  4096,
                  true,
                  true,
                  ModelDevice.PAGE_BYTES),
              List.of(
                  new WindowSpec(
                      "ring", ModelDevice.IOVA, (long) ModelDevice.PAGES * ModelDevice.PAGE_BYTES)),
              1);
      Kind of = kind;
      return call(
          sessions -> sessions.prepareDestination(number, spec),
          prepared ->
              answers -> {
                ticket = prepared;
                given.put(of, world.loop().nanoTime());
              });
    }

    @Override
    public Consumer<Sessions> startSource(Command.StartSource command) {
      if (ticket == null || ticket.port() == 0) {
        // As the operator does: the ticket comes with another PrepareDestination.
        begun.remove(kind);
        agent(new Command.PrepareDestination());
        return null;
      }
      SourceSpec spec =
          new SourceSpec(
              key,
              Operator.NAMESPACE + "/" + Operator.NAME,
              ModelDevice.ID,
              world.destination().toString(),
              "host",
              ticket.port(),
              Mode.valueOf(seen.settings().mode().name()),
              1,
              0,
              0,
              ticket.windows());
      byte[] token = ticket.token();
      return told(sessions -> sessions.startSource(number, spec, token));
    }

    @Override
    public Consumer<Sessions> switchOver(Command.SwitchOver command) {
      return told(sessions -> sessions.switchOver(number, key));
    }

    @Override
    public Consumer<Sessions> verifyLoaded(Command.VerifyLoaded command) {
      long asked = world.loop().nanoTime();
      int life = world.destination().life();
      return call(
          sessions -> sessions.verifyLoaded(number, key),
          session ->
              answers -> {
                answers.verified.put(Role.DESTINATION, session(session, life));
                answers.verificationAsked = asked;
              });
    }

    @Override
    public Consumer<Sessions> activate(Command.Activate command) {
      return told(sessions -> sessions.activate(number, key));
    }

    @Override
    public Consumer<Sessions> commit(Command.Commit command) {
      return told(sessions -> sessions.commit(number, key));
    }

    @Override
    public Consumer<Sessions> giveUp(Command.GiveUp command) {
      return told(sessions -> sessions.giveUp(number, key, command.reason()));
    }

    @Override
    public Consumer<Sessions> rollBack(Command.RollBack command) {
      return told(sessions -> sessions.rollBack(number, key, command.reason()));
    }

    @Override
    public Consumer<Sessions> cancel(Command.Cancel command) {
      return told(sessions -> sessions.cancel(number, key));
    }
  }

  private void send(Node node, Consumer<Sessions> call) {
    Runnable arrival =
        () -> {
          if (node.isUp()) {
            call.accept(node.sessions());
          }
        };
    sentBefore.add(arrival);
    if (chance.fault(12)) {
      return;
    }
    int latest = chance.fault(40) ? STOPPED_NANOS : LATEST_NANOS;
    network.later(1 + chance.below(latest), arrival);
  }

  private void back(Kind kind, Consumer<Answers> reply) {
    if (!chance.fault(12)) {
      network.later(
          1 + chance.below(LATEST_NANOS),
          () -> {
            if (begun.remove(kind) != null) {
              replies.put(kind, reply);
              answered.run();
            }
          });
    }
  }

  /** A session as the agent's report of it is in the contract. */
  static Session session(SessionSnapshot session, int life) {
    return ContractMapping.session(new SessionFeed.Report(session, 1, 0), "life " + life);
  }

  /** The device of {@code node} as its agent lists it. */
  private static Device listed(Node node) {
    ModelDevice device = node.device();
    Optional<SessionSnapshot> holder =
        node.sessions().snapshots().stream()
            .filter(session -> !session.state().terminal())
            .findFirst();
    DeviceState state =
        holder
            .map(session -> ContractMapping.deviceState(session.deviceState()))
            .orElseGet(
                () ->
                    device.tellsState()
                        ? DeviceState.valueOf(device.state().name())
                        : DeviceState.DEVICE_STATE_UNSPECIFIED);
    return Device.newBuilder()
        .setId(ModelDevice.ID)
        .setInterface(MigrationInterface.REGION_2018)
        .setModel(ModelDevice.MODEL)
        .setPageSize(ModelDevice.PAGE_BYTES)
        .setState(state)
        .setClaimedBy(holder.map(session -> session.key().toString()).orElse(""))
        .build();
  }

  /** Whether what an agent refuses contradicts what is recorded. */
  static Optional<String> contradiction(Handover recorded, boolean takenBack, Refusal refusal) {
    dev.vfio.migration.agent.machine.Reason reason = refusal.failure().reason();
    return switch (recorded) {
      case UNDECIDED -> Optional.empty();
      case COMMITTED ->
          reason == dev.vfio.migration.agent.machine.Reason.ALREADY_ROLLED_BACK && !takenBack
              ? Optional.of("committed, and one end says: " + refusal.getMessage())
              : Optional.empty();
      case ROLLED_BACK ->
          reason == dev.vfio.migration.agent.machine.Reason.ALREADY_COMMITTED
              ? Optional.of("rolled back, and one end says: " + refusal.getMessage())
              : Optional.empty();
    };
  }
}
