package dev.vfio.migration.operator.reconciler;

import com.google.protobuf.ByteString;
import dev.vfio.migration.contract.v1.ActivateRequest;
import dev.vfio.migration.contract.v1.CancelRequest;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.Mode;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.PrepareDestinationResponse;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.RollBackRequest;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.SwitchOverRequest;
import dev.vfio.migration.contract.v1.VerifyLoadedRequest;
import dev.vfio.migration.operator.agents.AgentConnection;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.RefusedException;
import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.decision.Command;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Settings;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.reconciler.CallsUnderWay.Call;
import dev.vfio.migration.operator.reconciler.CallsUnderWay.Reply;
import dev.vfio.migration.operator.record.MigrationStore;
import io.grpc.stub.StreamObserver;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jboss.logging.Logger;

/**
 * Carries commands to the agents. A command that was given is given again only after {@link
 * #PATIENCE} or on a new connection; agents do nothing twice, this merely spares them. Nobody waits
 * for an agent that is slow: see {@link CallsUnderWay}.
 *
 * <p>Keeps the one-time tokens of the state streams, in memory only: after a restart
 * PrepareDestination is repeated and answers with the same token. Thread-safe.
 */
final class Commander {
  static final Duration PATIENCE = Duration.ofSeconds(2);

  /** What was found loaded counts for no longer; it is looked for again then. */
  static final Duration OLDEST_VERIFICATION = Duration.ofSeconds(1);

  private static final Logger LOG = Logger.getLogger(Commander.class);

  private final AgentDirectory agents;
  private final FencingNumber fencing;
  private final MigrationStore store;
  private final Clock steady;
  private final Duration callTimeout;
  private final CallsUnderWay calls;

  /** As listed when it was validated: asking again would ask every device of the node. */
  private final Map<String, Device> sourceDevices = new ConcurrentHashMap<>();

  private final Map<String, Ticket> tickets = new ConcurrentHashMap<>();
  private final Map<Given, Moment> given = new ConcurrentHashMap<>();

  private record Given(String claim, Class<?> command, Role side) {}

  /**
   * @param ticket where it was asked for on the way
   */
  private record Sent(Session session, Optional<Ticket> ticket) {}

  private record Moment(Instant at, long epoch) {}

  /**
   * Where the destination listens and the secret that opens it. Does not show the secret.
   *
   * @param host empty: where the operator reaches the destination's agent
   * @param windows what the destination has made memory ready for
   */
  private record Ticket(String host, int port, ByteString token, List<DmaWindow> windows) {
    static Ticket in(PrepareDestinationResponse response) {
      return new Ticket(
          response.getStateHost(),
          response.getStatePort(),
          response.getToken(),
          response.getWindowsList());
    }

    @Override
    public String toString() {
      return "ticket for port " + port;
    }
  }

  Commander(
      AgentDirectory agents,
      FencingNumber fencing,
      MigrationStore store,
      Clock steady,
      Duration callTimeout,
      Consumer<String> answered) {
    this.agents = agents;
    this.fencing = fencing;
    this.store = store;
    this.steady = steady;
    this.callTimeout = callTimeout;
    this.calls = new CallsUnderWay(steady, answered);
  }

  /**
   * Gives {@code commands} and returns what has come back. What has not is waited for by nobody:
   * the migration is reconciled once it comes.
   */
  Answers carryOut(DeviceMigration migration, Observation seen, List<Command> commands) {
    Answers answers = Answers.none();
    List<Call> asked = new ArrayList<>();
    for (Command command : commands) {
      if (command instanceof Command.Delete) {
        LOG.info("Deleted: ttlSecondsAfterFinished is over");
        store.delete(migration);
      } else {
        asked(migration, seen, command).ifPresent(asked::add);
      }
    }
    long deadline = System.nanoTime() + CallsUnderWay.SHORT.toNanos();
    asked.forEach(call -> calls.awaitShortly(call, deadline));
    // Where both devices are looked at, one without the other tells nothing.
    boolean looked = asked.stream().filter(Commander::isLook).allMatch(Call::isAnswered);
    asked.stream()
        .filter(Call::isAnswered)
        .filter(call -> looked || !isLook(call))
        .forEach(call -> calls.take(call, answers));
    return answers;
  }

  private static boolean isLook(Call call) {
    return call.command() == Command.Inspect.class;
  }

  /** The call for a command, which may have been answered by now; empty where it is not due. */
  private Optional<Call> asked(DeviceMigration migration, Observation seen, Command command) {
    AgentConnection agent = agentOf(command.side(), seen.settings());
    String node = location(command.side(), seen.settings()).nodeName();
    CallsUnderWay.Key key = key(seen, command);
    Optional<Call> known =
        calls.find(
            key, command instanceof Command.VerifyLoaded ? OLDEST_VERIFICATION : callTimeout);
    Given given = new Given(seen.claim(), command.getClass(), command.side());
    if (known.isPresent() || !isDue(given, agent) || (canWait(command) && calls.isFull(node))) {
      return known;
    }
    return Optional.of(calls.begin(key, node, begin(migration, seen, command, agent, given)));
  }

  private static CallsUnderWay.Key key(Observation seen, Command command) {
    return new CallsUnderWay.Key(
        seen.uid(), seen.attempt(), seen.status().phase(), command.getClass(), command.side());
  }

  /** Whether no workload stands still for it. */
  private static boolean canWait(Command command) {
    return command instanceof Command.Inspect
        || command instanceof Command.PrepareDestination
        || command instanceof Command.StartSource;
  }

  /** What is asked again whenever it must be known again. */
  private static boolean isQuestion(Command command) {
    return command instanceof Command.Inspect || command instanceof Command.VerifyLoaded;
  }

  private boolean isDue(Given key, AgentConnection agent) {
    Moment last = given.get(key);
    return last == null
        || last.epoch() != agent.epoch()
        || Duration.between(last.at(), steady.instant()).compareTo(PATIENCE) >= 0;
  }

  private CompletableFuture<Reply> begin(
      DeviceMigration migration,
      Observation seen,
      Command command,
      AgentConnection agent,
      Given key) {
    long asked = agent.epoch();
    Moment moment = new Moment(steady.instant(), asked);
    DeviceLocation at = location(command.side(), seen.settings());
    CompletableFuture<Reply> call;
    if (command instanceof Command.Inspect) {
      call = inspect(agent, at.device()).thenApply(device -> inspected(seen, command, device));
    } else {
      CommandHeader header =
          CommandHeader.newBuilder()
              .setMigrationUid(seen.uid())
              .setAttempt(seen.attempt())
              .setFencingNumber(fencing.current())
              .setMigrationName(migration.qualifiedName())
              .build();
      LOG.infof("%s -> %s", command.getClass().getSimpleName(), at);
      call =
          send(command, header, seen, agent)
              .thenApply(
                  sent -> {
                    agent.accept(sent.session(), asked);
                    // The stream of sessions may have told more by now than this answer does.
                    calls.unlessForgotten(key(seen, command), () -> keepTicket(seen, sent));
                    return carriedOut(seen, command, key, moment, sent);
                  });
    }
    return call.exceptionally(failure -> refused(command, at, key, moment, failure));
  }

  private Reply inspected(Observation seen, Command command, Optional<Device> device) {
    return answers -> {
      if (command.side() == Role.SOURCE) {
        device.ifPresent(listed -> sourceDevices.put(seen.claim(), listed));
      }
      answers.inspected(command.side(), new Side.Inspection(device));
    };
  }

  private Reply carriedOut(Observation seen, Command command, Given key, Moment moment, Sent sent) {
    return answers -> {
      keepTicket(seen, sent);
      if (isQuestion(command)) {
        answers.verified(command.side(), sent.session());
      } else {
        given.put(key, moment);
        answers.carriedOut();
      }
    };
  }

  private void keepTicket(Observation seen, Sent sent) {
    sent.ticket().ifPresent(ticket -> tickets.put(seen.claim(), ticket));
  }

  private Reply refused(
      Command command, DeviceLocation at, Given key, Moment moment, Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    if (!(cause instanceof RefusedException refused)) {
      throw new CompletionException(cause);
    }
    return answers -> {
      LOG.warnf(
          "%s -> %s was not carried out: %s",
          command.getClass().getSimpleName(), at, refused.getMessage());
      given.put(key, moment);
      answers.refused(
          command.side(),
          new Side.Refusal(command, refused.reason(), explained(refused), refused.lasting()));
    };
  }

  private String explained(RefusedException refused) {
    return refused.reason() == Reason.STALE_FENCING_NUMBER
        ? refused.getMessage()
            + " (This leader's number is "
            + fencing.current()
            + ": an operator whose lease is newer commands that agent or did so. Stop the other"
            + " operator. Where there is none, because the cluster's data is older than the agent's"
            + " (restored, or a new cluster), see STALE_FENCING_NUMBER in docs/troubleshooting.md.)"
        : refused.getMessage();
  }

  private <T> CompletableFuture<T> ask(
      AgentConnection agent, BiConsumer<NodeAgentGrpc.NodeAgentStub, StreamObserver<T>> call) {
    try {
      return agent.askWithin(callTimeout, call);
    } catch (RefusedException outOfReach) {
      return CompletableFuture.failedFuture(outOfReach);
    }
  }

  private CompletableFuture<Sent> send(
      Command command, CommandHeader header, Observation seen, AgentConnection agent) {
    if (command instanceof Command.PrepareDestination) {
      return prepare(header, seen, agent);
    }
    if (command instanceof Command.StartSource) {
      return start(header, seen, agent);
    }
    return this.<Session>ask(agent, (stub, answer) -> send(command, header, stub, answer))
        .thenApply(session -> new Sent(session, Optional.empty()));
  }

  private static void send(
      Command command,
      CommandHeader header,
      NodeAgentGrpc.NodeAgentStub stub,
      StreamObserver<Session> answer) {
    if (command instanceof Command.SwitchOver) {
      stub.switchOver(SwitchOverRequest.newBuilder().setHeader(header).build(), answer);
    } else if (command instanceof Command.VerifyLoaded) {
      stub.verifyLoaded(VerifyLoadedRequest.newBuilder().setHeader(header).build(), answer);
    } else if (command instanceof Command.Activate) {
      stub.activate(ActivateRequest.newBuilder().setHeader(header).build(), answer);
    } else if (command instanceof Command.Commit) {
      stub.commit(CommitRequest.newBuilder().setHeader(header).build(), answer);
    } else if (command instanceof Command.RollBack rollBack) {
      stub.rollBack(
          RollBackRequest.newBuilder().setHeader(header).setReason(rollBack.reason()).build(),
          answer);
    } else if (command instanceof Command.Cancel) {
      stub.cancel(CancelRequest.newBuilder().setHeader(header).build(), answer);
    } else {
      throw new IllegalArgumentException("no agent carries out " + command);
    }
  }

  private CompletableFuture<Optional<Device>> inspect(AgentConnection agent, String device) {
    return this.<ListDevicesResponse>ask(
            agent,
            (stub, answer) ->
                stub.listDevices(ListDevicesRequest.newBuilder().setDevice(device).build(), answer))
        .thenApply(
            listing ->
                listing.getDevicesList().stream()
                    .filter(listed -> listed.getId().equals(device))
                    .findFirst());
  }

  private CompletableFuture<Sent> prepare(
      CommandHeader header, Observation seen, AgentConnection destination) {
    Settings settings = seen.settings();
    Device known = sourceDevices.get(seen.claim());
    CompletableFuture<Device> sourceDevice =
        known != null
            ? CompletableFuture.completedFuture(known)
            : inspect(agentOf(Role.SOURCE, settings), settings.source().device())
                .thenApply(found -> found.orElse(Device.getDefaultInstance()));
    return sourceDevice
        .thenCompose(
            device ->
                this.<PrepareDestinationResponse>ask(
                    destination,
                    (stub, answer) ->
                        stub.prepareDestination(
                            PrepareDestinationRequest.newBuilder()
                                .setHeader(header)
                                .setDevice(settings.destination().device())
                                .setSourceNode(settings.source().nodeName())
                                .setSourceDevice(device)
                                .setStreams(settings.streams())
                                .build(),
                            answer)))
        .thenApply(response -> new Sent(response.getSession(), Optional.of(Ticket.in(response))));
  }

  private CompletableFuture<Sent> start(
      CommandHeader header, Observation seen, AgentConnection source) {
    AgentConnection destination = agentOf(Role.DESTINATION, seen.settings());
    CompletableFuture<Ticket> ticket =
        calls
            .end(key(seen, new Command.PrepareDestination()))
            .thenCompose(
                prepared -> {
                  Ticket known = tickets.get(seen.claim());
                  return known != null
                      ? CompletableFuture.completedFuture(known)
                      : prepare(header, seen, destination)
                          .thenApply(sent -> sent.ticket().orElseThrow());
                });
    return ticket.thenCompose(
        prepared ->
            start(header, seen.settings(), source, destination, prepared)
                .thenApply(session -> new Sent(session, Optional.of(prepared))));
  }

  private CompletableFuture<Session> start(
      CommandHeader header,
      Settings settings,
      AgentConnection source,
      AgentConnection destination,
      Ticket ticket) {
    if (ticket.token().isEmpty() || ticket.port() == 0) {
      return CompletableFuture.failedFuture(
          RefusedException.tooEarly(
              "the destination's one-time token was used, so the source has been started; waiting"
                  + " for its agent's report"));
    }
    if (!(destination.state() instanceof Side.Reachable reachable)) {
      return CompletableFuture.failedFuture(destination.outOfReach());
    }
    StartSourceRequest request =
        StartSourceRequest.newBuilder()
            .setHeader(header)
            .setDevice(settings.source().device())
            .setDestinationNode(settings.destination().nodeName())
            .setDestinationHost(ticket.host().isEmpty() ? reachable.host() : ticket.host())
            .setDestinationPort(ticket.port())
            .setToken(ticket.token())
            .setMode(settings.mode() == Convergence.Mode.LIVE ? Mode.LIVE : Mode.COLD)
            .setStreams(settings.streams())
            .setBandwidthLimit(settings.bandwidthLimit())
            .setThresholdBytes(settings.rule().thresholdBytes())
            .addAllWindows(ticket.windows())
            .build();
    return ask(source, (stub, answer) -> stub.startSource(request, answer));
  }

  private AgentConnection agentOf(Role side, Settings settings) {
    return agents.agentOf(location(side, settings).nodeName());
  }

  private static DeviceLocation location(Role side, Settings settings) {
    return side == Role.SOURCE ? settings.source() : settings.destination();
  }

  void forget(String uid) {
    calls.forget(uid);
    sourceDevices.keySet().removeIf(claim -> claim.startsWith(uid + "/"));
    tickets.keySet().removeIf(claim -> claim.startsWith(uid + "/"));
    given.keySet().removeIf(key -> key.claim().startsWith(uid + "/"));
  }
}
