package dev.vfio.migration.operator.reconciler;

import com.google.protobuf.ByteString;
import dev.vfio.migration.contract.v1.ActivateRequest;
import dev.vfio.migration.contract.v1.CancelRequest;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DmaWindow;
import dev.vfio.migration.contract.v1.GiveUpRequest;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.Mode;
import dev.vfio.migration.contract.v1.NodeAgentGrpc.NodeAgentStub;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.PrepareDestinationResponse;
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
import dev.vfio.migration.operator.decision.Command;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.spec.Settings;
import io.grpc.stub.StreamObserver;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * Turns commands into calls of the agents' contract. Waits for no answer.
 *
 * <p>Keeps the one-time tokens of the state streams, in memory only: after a restart
 * PrepareDestination is repeated and answers with the same token. Thread-safe.
 */
@Singleton
final class AgentCalls {
  private final AgentDirectory agents;
  private final Duration callTimeout;

  /**
   * By claim, as listed when it was validated: another listing would ask every device of the node.
   */
  private final Map<String, Device> sourceDevices = new ConcurrentHashMap<>();

  /** By claim. */
  private final Map<String, Ticket> tickets = new ConcurrentHashMap<>();

  /** What an agent answered to a command. */
  sealed interface Answered {}

  /** To Inspect: the device, or that the agent has none of that name. */
  record Listed(Optional<Device> device) implements Answered {}

  /**
   * To every other command.
   *
   * @param ticket where the answer, or a call that had to be made before, brought one
   */
  record Reported(Session session, Optional<Ticket> ticket) implements Answered {}

  /**
   * Where the destination listens and the secret that opens it. Does not show the secret.
   *
   * @param host empty: where the operator reaches the destination's agent
   * @param windows what the destination has prepared memory for
   */
  record Ticket(String host, int port, ByteString token, List<DmaWindow> windows) {
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

  AgentCalls(AgentDirectory agents, CallTimeout timeout) {
    this.agents = agents;
    this.callTimeout = timeout.length();
  }

  AgentConnection agentOf(Role side, Settings settings) {
    return agents.agentOf(location(side, settings).nodeName());
  }

  static DeviceLocation location(Role side, Settings settings) {
    return side == Role.SOURCE ? settings.source() : settings.destination();
  }

  private CompletableFuture<Optional<Device>> list(Role side, Settings settings) {
    String device = location(side, settings).device();
    return this.<ListDevicesResponse>ask(
            agentOf(side, settings),
            (stub, answer) ->
                stub.listDevices(ListDevicesRequest.newBuilder().setDevice(device).build(), answer))
        .thenApply(
            listing ->
                listing.getDevicesList().stream()
                    .filter(listed -> listed.getId().equals(device))
                    .findFirst());
  }

  void keepSourceDevice(Observation seen, Device listed) {
    sourceDevices.put(seen.claim(), listed);
  }

  void keepTicket(Observation seen, Reported answered) {
    answered.ticket().ifPresent(ticket -> tickets.put(seen.claim(), ticket));
  }

  void forget(String uid) {
    sourceDevices.keySet().removeIf(claim -> claim.startsWith(uid + "/"));
    tickets.keySet().removeIf(claim -> claim.startsWith(uid + "/"));
  }

  private <T> CompletableFuture<T> ask(
      AgentConnection agent, BiConsumer<NodeAgentStub, StreamObserver<T>> call) {
    try {
      return agent.askWithin(callTimeout, call);
    } catch (RefusedException outOfReach) {
      return CompletableFuture.failedFuture(outOfReach);
    }
  }

  /** The calls for one migration: each command as the request that it is in the contract. */
  final class For implements Command.AgentHandler<CompletableFuture<Answered>> {
    private final Observation seen;
    private final Settings settings;
    private final Supplier<CommandHeader> header;
    private final CompletableFuture<Void> prepared;

    /**
     * @param header fails while this replica does not lead
     * @param prepared done once a PrepareDestination that is under way was answered
     */
    For(Observation seen, Supplier<CommandHeader> header, CompletableFuture<Void> prepared) {
      this.seen = seen;
      this.settings = seen.settings();
      this.header = header;
      this.prepared = prepared;
    }

    @Override
    public CompletableFuture<Answered> inspect(Command.Inspect command) {
      return list(command.side(), settings).thenApply(Listed::new);
    }

    @Override
    public CompletableFuture<Answered> prepareDestination(Command.PrepareDestination command) {
      return prepare(header.get()).thenApply(answered -> answered);
    }

    private CompletableFuture<Reported> prepare(CommandHeader by) {
      Device known = sourceDevices.get(seen.claim());
      CompletableFuture<Device> sourceDevice =
          known != null
              ? CompletableFuture.completedFuture(known)
              : list(Role.SOURCE, settings)
                  .thenApply(found -> found.orElse(Device.getDefaultInstance()));
      return sourceDevice.thenCompose(device -> prepare(by, device));
    }

    private CompletableFuture<Reported> prepare(CommandHeader by, Device sourceDevice) {
      PrepareDestinationRequest request =
          PrepareDestinationRequest.newBuilder()
              .setHeader(by)
              .setDevice(settings.destination().device())
              .setSourceNode(settings.source().nodeName())
              .setSourceDevice(sourceDevice)
              .setStreams(settings.streams())
              .build();
      return AgentCalls.this
          .<PrepareDestinationResponse>ask(
              agentOf(Role.DESTINATION, settings),
              (stub, answer) -> stub.prepareDestination(request, answer))
          .thenApply(
              response -> new Reported(response.getSession(), Optional.of(Ticket.in(response))));
    }

    @Override
    public CompletableFuture<Answered> startSource(Command.StartSource command) {
      CommandHeader by = header.get();
      return prepared.thenCompose(done -> ticket(by)).thenCompose(ticket -> start(by, ticket));
    }

    private CompletableFuture<Ticket> ticket(CommandHeader by) {
      Ticket known = tickets.get(seen.claim());
      return known != null
          ? CompletableFuture.completedFuture(known)
          : prepare(by).thenApply(answered -> answered.ticket().orElseThrow());
    }

    private CompletableFuture<Answered> start(CommandHeader by, Ticket ticket) {
      if (ticket.token().isEmpty() || ticket.port() == 0) {
        return CompletableFuture.failedFuture(
            RefusedException.tooEarly(
                "the destination's one-time token was used, so the source has been started; waiting"
                    + " for its agent's report"));
      }
      AgentConnection destination = agentOf(Role.DESTINATION, settings);
      if (!(destination.state() instanceof Side.Reachable reachable)) {
        return CompletableFuture.failedFuture(destination.outOfReach());
      }
      StartSourceRequest request =
          StartSourceRequest.newBuilder()
              .setHeader(by)
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
      return AgentCalls.this
          .<Session>ask(
              agentOf(Role.SOURCE, settings), (stub, answer) -> stub.startSource(request, answer))
          .thenApply(session -> new Reported(session, Optional.of(ticket)));
    }

    @Override
    public CompletableFuture<Answered> switchOver(Command.SwitchOver command) {
      SwitchOverRequest request = SwitchOverRequest.newBuilder().setHeader(header.get()).build();
      return send(command.side(), (stub, answer) -> stub.switchOver(request, answer));
    }

    @Override
    public CompletableFuture<Answered> verifyLoaded(Command.VerifyLoaded command) {
      VerifyLoadedRequest request =
          VerifyLoadedRequest.newBuilder().setHeader(header.get()).build();
      return send(command.side(), (stub, answer) -> stub.verifyLoaded(request, answer));
    }

    @Override
    public CompletableFuture<Answered> activate(Command.Activate command) {
      ActivateRequest request = ActivateRequest.newBuilder().setHeader(header.get()).build();
      return send(command.side(), (stub, answer) -> stub.activate(request, answer));
    }

    @Override
    public CompletableFuture<Answered> commit(Command.Commit command) {
      CommitRequest request = CommitRequest.newBuilder().setHeader(header.get()).build();
      return send(command.side(), (stub, answer) -> stub.commit(request, answer));
    }

    @Override
    public CompletableFuture<Answered> giveUp(Command.GiveUp command) {
      GiveUpRequest request =
          GiveUpRequest.newBuilder().setHeader(header.get()).setReason(command.reason()).build();
      return send(command.side(), (stub, answer) -> stub.giveUp(request, answer));
    }

    @Override
    public CompletableFuture<Answered> rollBack(Command.RollBack command) {
      RollBackRequest request =
          RollBackRequest.newBuilder().setHeader(header.get()).setReason(command.reason()).build();
      return send(command.side(), (stub, answer) -> stub.rollBack(request, answer));
    }

    @Override
    public CompletableFuture<Answered> cancel(Command.Cancel command) {
      CancelRequest request = CancelRequest.newBuilder().setHeader(header.get()).build();
      return send(command.side(), (stub, answer) -> stub.cancel(request, answer));
    }

    private CompletableFuture<Answered> send(
        Role side, BiConsumer<NodeAgentStub, StreamObserver<Session>> call) {
      return AgentCalls.this
          .ask(agentOf(side, settings), call)
          .thenApply(session -> new Reported(session, Optional.empty()));
    }
  }
}
