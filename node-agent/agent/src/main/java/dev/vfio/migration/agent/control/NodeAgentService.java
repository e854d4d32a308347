package dev.vfio.migration.agent.control;

import com.google.protobuf.ByteString;
import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.control.CommandLanes.Lane;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.connections.log.LoggedMigration;
import dev.vfio.migration.contract.v1.ActivateRequest;
import dev.vfio.migration.contract.v1.CancelRequest;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.DescribeNodeRequest;
import dev.vfio.migration.contract.v1.GiveUpRequest;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.NodeDescription;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.PrepareDestinationResponse;
import dev.vfio.migration.contract.v1.RollBackRequest;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.SwitchOverRequest;
import dev.vfio.migration.contract.v1.VerifyLoadedRequest;
import dev.vfio.migration.contract.v1.WatchSessionsRequest;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import org.jboss.logging.Logger;

/**
 * The control service. It translates and asks; every decision is a session's.
 *
 * <p>No method blocks the event loop that it is called on, and none needs a thread of a pool that
 * others fill: commands have threads of their own, looks at devices have theirs. Whether a caller
 * still waits for what is answered here is the concern of {@link TimelyAnswers}.
 */
@GrpcService
public class NodeAgentService extends NodeAgentGrpc.NodeAgentImplBase {
  private static final Logger LOG = Logger.getLogger(NodeAgentService.class);

  private final Sessions sessions;
  private final Inventory inventory;
  private final SessionFeed feed;
  private final NodeIdentity node;
  private final CommandLanes lanes;
  private final String stateHost;

  NodeAgentService(
      Sessions sessions,
      Inventory inventory,
      SessionFeed feed,
      NodeIdentity node,
      CommandLanes lanes,
      AgentConfig config) {
    this.sessions = sessions;
    this.inventory = inventory;
    this.feed = feed;
    this.node = node;
    this.lanes = lanes;
    this.stateHost = config.stateHost().orElse("");
  }

  /** A command that makes no sense is refused before anybody is asked. */
  @FunctionalInterface
  private interface Asked<T> {
    CompletableFuture<T> ask() throws Refusal;
  }

  /** A command to a session that is under way. */
  @FunctionalInterface
  private interface Decision {
    CompletableFuture<SessionSnapshot> ask(long fencingNumber, SessionKey key) throws Refusal;
  }

  @Override
  public void describeNode(DescribeNodeRequest request, StreamObserver<NodeDescription> answer) {
    answer.onNext(
        NodeDescription.newBuilder()
            .setNodeName(node.nodeName())
            .setAgentVersion(node.version())
            .addAllStreamVersions(node.streamVersions())
            .setMaxStreams(node.maximumStreams())
            .setInstanceId(node.instanceId())
            .setFencingNumber(sessions.highestFencingNumber())
            .setVerifiesLoaded(true)
            .build());
    answer.onCompleted();
  }

  @Override
  public void listDevices(ListDevicesRequest request, StreamObserver<ListDevicesResponse> answer) {
    answer(
        answer,
        () ->
            inventory
                .list(request.getDevice())
                .thenApply(
                    devices -> ListDevicesResponse.newBuilder().addAllDevices(devices).build()),
        Function.identity());
  }

  @Override
  public void prepareDestination(
      PrepareDestinationRequest request, StreamObserver<PrepareDestinationResponse> answer) {
    command(
        Lane.BEGINNING,
        "PrepareDestination",
        request.getHeader(),
        answer,
        () ->
            sessions.prepareDestination(
                request.getHeader().getFencingNumber(),
                ContractMapping.destination(request, node.maximumStreams())),
        prepared ->
            PrepareDestinationResponse.newBuilder()
                .setSession(message(prepared.session()))
                .setStatePort(prepared.port())
                .setToken(ByteString.copyFrom(prepared.token()))
                .setStateHost(stateHost)
                .addAllWindows(prepared.windows().stream().map(ContractMapping::window).toList())
                .build());
  }

  @Override
  public void startSource(StartSourceRequest request, StreamObserver<Session> answer) {
    command(
        Lane.BEGINNING,
        "StartSource",
        request.getHeader(),
        answer,
        () ->
            sessions.startSource(
                request.getHeader().getFencingNumber(),
                ContractMapping.key(request.getHeader()),
                () -> ContractMapping.source(request, node.maximumStreams()),
                request.getToken().toByteArray()),
        this::message);
  }

  @Override
  public void switchOver(SwitchOverRequest request, StreamObserver<Session> answer) {
    decide("SwitchOver", request.getHeader(), answer, sessions::switchOver);
  }

  @Override
  public void commit(CommitRequest request, StreamObserver<Session> answer) {
    decide("Commit", request.getHeader(), answer, sessions::commit);
  }

  @Override
  public void activate(ActivateRequest request, StreamObserver<Session> answer) {
    decide("Activate", request.getHeader(), answer, sessions::activate);
  }

  @Override
  public void verifyLoaded(VerifyLoadedRequest request, StreamObserver<Session> answer) {
    decide("VerifyLoaded", request.getHeader(), answer, sessions::verifyLoaded);
  }

  @Override
  public void rollBack(RollBackRequest request, StreamObserver<Session> answer) {
    decide(
        "RollBack",
        request.getHeader(),
        answer,
        (fencingNumber, key) -> sessions.rollBack(fencingNumber, key, request.getReason()));
  }

  @Override
  public void giveUp(GiveUpRequest request, StreamObserver<Session> answer) {
    decide(
        "GiveUp",
        request.getHeader(),
        answer,
        (fencingNumber, key) -> sessions.giveUp(fencingNumber, key, request.getReason()));
  }

  @Override
  public void cancel(CancelRequest request, StreamObserver<Session> answer) {
    decide("Cancel", request.getHeader(), answer, sessions::cancel);
  }

  @Override
  public void watchSessions(WatchSessionsRequest request, StreamObserver<Session> answer) {
    // Not blocking, so this is the call's event loop.
    Context eventLoop = Vertx.currentContext();
    new Watch(
            feed,
            (ServerCallStreamObserver<Session>) answer,
            node.instanceId(),
            request.getMarkFirstBatch(),
            task -> eventLoop.runOnContext(unused -> task.run()))
        .begin();
  }

  private void decide(
      String command, CommandHeader header, StreamObserver<Session> answer, Decision decision) {
    command(
        Lane.DECIDING,
        command,
        header,
        answer,
        () -> decision.ask(header.getFencingNumber(), ContractMapping.key(header)),
        this::message);
  }

  private <T, A> void command(
      Lane lane,
      String command,
      CommandHeader header,
      StreamObserver<A> answer,
      Asked<T> asked,
      Function<T, A> message) {
    try {
      lanes.execute(lane, () -> carryOut(command, header, answer, asked, message));
    } catch (RejectedExecutionException full) {
      // Not for good: whoever repeats it may be served.
      answer.onError(
          Status.UNAVAILABLE
              .withDescription(
                  command
                      + " was not carried out: as many commands wait on this agent as may, or it"
                      + " ends. Nothing was done; repeat it.")
              .asRuntimeException());
    }
  }

  @SuppressWarnings("try") // The log is what asks it.
  private <T, A> void carryOut(
      String command,
      CommandHeader header,
      StreamObserver<A> answer,
      Asked<T> asked,
      Function<T, A> message) {
    try (LoggedMigration logged =
        LoggedMigration.open(ContractMapping.name(header), header.getAttempt())) {
      if (((ServerCallStreamObserver<?>) answer).isCancelled()) {
        // Whoever gave it may have decided otherwise since: it would begin what nobody ends.
        LOG.warnf("%s is not carried out: its caller gave up before its turn came", command);
        return;
      }
      LOG.infof(
          "%s asked for, fencing number %s",
          command, Long.toUnsignedString(header.getFencingNumber()));
      answer(answer, asked, message);
    }
  }

  private static <T, A> void answer(
      StreamObserver<A> answer, Asked<T> asked, Function<T, A> message) {
    CompletableFuture<T> promised;
    try {
      promised = asked.ask();
    } catch (Refusal | RuntimeException | Error refusal) {
      // Also an Error, as where no thread can be made: whoever asked must not wait for nothing.
      promised = CompletableFuture.failedFuture(refusal);
    }
    promised.whenComplete(
        (value, problem) -> {
          if (problem != null) {
            answer.onError(Refusals.of(problem));
          } else {
            answer.onNext(message.apply(value));
            answer.onCompleted();
          }
        });
  }

  private Session message(SessionSnapshot session) {
    SessionFeed.Report report = feed.answer(session);
    return ContractMapping.session(report, node.instanceId());
  }
}
