package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.contract.v1.ActivateRequest;
import dev.vfio.migration.contract.v1.CancelRequest;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.DescribeNodeRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Mode;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.NodeDescription;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.RollBackRequest;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.SwitchOverRequest;
import dev.vfio.migration.contract.v1.VerifyLoadedRequest;
import dev.vfio.migration.contract.v1.WatchSessionsRequest;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ConnectivityState;
import io.grpc.Context;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.net.URL;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Calls that take longer than their caller waits, on the connection that also carries the stream of
 * sessions: nothing but the call itself may notice. Over real mutual TLS and real sockets.
 */
@QuarkusTest
@QuarkusTestResource(NodeForTests.class)
class LateAnswerTest {
  @TestHTTPResource(value = "/", tls = true)
  URL control;

  @ConfigProperty(name = "test.certificates")
  Path certificates;

  @ConfigProperty(name = "agent.vfio-user-directory")
  Path sockets;

  @Inject CommandLanes lanes;
  @Inject Sessions sessions;
  @Inject SessionFeed feed;

  private final List<ManagedChannel> channels = new ArrayList<>();
  private final ScheduledExecutorService cancelling = Executors.newSingleThreadScheduledExecutor();
  private SlowDevice device;
  private ManagedChannel operator;
  private Watcher watcher;

  private static final class Watcher implements StreamObserver<Session> {
    final CountDownLatch firstBatch = new CountDownLatch(1);
    final CompletableFuture<String> end = new CompletableFuture<>();

    @Override
    public void onNext(Session session) {
      firstBatch.countDown();
    }

    @Override
    public void onError(Throwable failure) {
      end.complete(failure.toString());
    }

    @Override
    public void onCompleted() {
      end.complete("completed");
    }
  }

  @BeforeEach
  void watch() throws Exception {
    device = new SlowDevice(sockets.resolve("slow/device.sock"), Duration.ofMillis(4500), 40);
    operator = channel();
    watcher = new Watcher();
    NodeAgentGrpc.newStub(operator)
        .watchSessions(WatchSessionsRequest.newBuilder().setMarkFirstBatch(true).build(), watcher);
    assertThat(watcher.firstBatch.await(30, TimeUnit.SECONDS)).isTrue();
  }

  @AfterEach
  void close() throws Exception {
    channels.forEach(ManagedChannel::shutdownNow);
    cancelling.shutdownNow();
    device.close();
  }

  private ManagedChannel channel() throws SSLException {
    return channel(1 << 20);
  }

  /**
   * @param window bytes of a stream that may be under way to it
   */
  private ManagedChannel channel(int window) throws SSLException {
    ManagedChannel channel =
        NodeForTests.channel(control, certificates, "operator")
            .initialFlowControlWindow(window)
            .build();
    channels.add(channel);
    return channel;
  }

  private static CommandHeader header() {
    return CommandHeader.newBuilder()
        .setMigrationUid("late")
        .setAttempt(1)
        .setFencingNumber(Long.MAX_VALUE)
        .setMigrationName("default/late")
        .build();
  }

  private static final ListDevicesRequest SLOW =
      ListDevicesRequest.newBuilder().setDevice("vfio-user:slow").build();

  private static final Device SOURCE_DEVICE =
      Device.newBuilder()
          .setId("vfio-user:a")
          .setInterface(MigrationInterface.REGION_2018)
          .setModel("m")
          .setPageSize(4096)
          .build();

  /** One call of every method that answers once. */
  private static Map<String, Consumer<NodeAgentGrpc.NodeAgentBlockingStub>> commands() {
    Map<String, Consumer<NodeAgentGrpc.NodeAgentBlockingStub>> calls = new LinkedHashMap<>();
    calls.put(
        "PrepareDestination",
        agent ->
            agent.prepareDestination(
                PrepareDestinationRequest.newBuilder()
                    .setHeader(header())
                    .setDevice("vfio-user:none")
                    .setSourceNode("node-b")
                    .setSourceDevice(SOURCE_DEVICE)
                    .setStreams(1)
                    .build()));
    calls.put(
        "StartSource",
        agent ->
            agent.startSource(
                StartSourceRequest.newBuilder()
                    .setHeader(header().toBuilder().setMigrationUid("late-source"))
                    .setDevice("vfio-user:none")
                    .setDestinationNode("node-b")
                    .setDestinationHost("127.0.0.1")
                    .setDestinationPort(1)
                    .setToken(ByteString.copyFrom(new byte[32]))
                    .setMode(Mode.LIVE)
                    .setStreams(1)
                    .build()));
    calls.put(
        "SwitchOver",
        agent -> agent.switchOver(SwitchOverRequest.newBuilder().setHeader(header()).build()));
    calls.put(
        "Commit", agent -> agent.commit(CommitRequest.newBuilder().setHeader(header()).build()));
    calls.put(
        "Activate",
        agent -> agent.activate(ActivateRequest.newBuilder().setHeader(header()).build()));
    calls.put(
        "VerifyLoaded",
        agent -> agent.verifyLoaded(VerifyLoadedRequest.newBuilder().setHeader(header()).build()));
    calls.put(
        "RollBack",
        agent -> agent.rollBack(RollBackRequest.newBuilder().setHeader(header()).build()));
    calls.put(
        "Cancel", agent -> agent.cancel(CancelRequest.newBuilder().setHeader(header()).build()));
    return calls;
  }

  /** Runs it while no command is carried out. */
  private void whileCommandsWait(Runnable calls) throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    CountDownLatch blocked = new CountDownLatch(12);
    try {
      for (CommandLanes.Lane lane : CommandLanes.Lane.values()) {
        for (int thread = 0; thread < 6; thread++) {
          lanes.execute(
              lane,
              () -> {
                try {
                  assertThat(release.await(100, TimeUnit.SECONDS)).isTrue();
                  blocked.countDown();
                } catch (InterruptedException interrupted) {
                  throw new AssertionError(interrupted);
                }
              });
        }
      }
      calls.run();
    } finally {
      release.countDown();
    }
    assertThat(blocked.await(30, TimeUnit.SECONDS)).isTrue();
    for (CommandLanes.Lane lane : CommandLanes.Lane.values()) {
      // What came before it has had its turn, too.
      assertThat(lanes.probe(lane).get(30, TimeUnit.SECONDS)).isEmpty();
    }
  }

  private NodeAgentGrpc.NodeAgentBlockingStub within(ManagedChannel channel, long milliseconds) {
    return NodeAgentGrpc.newBlockingStub(channel)
        .withDeadlineAfter(milliseconds, TimeUnit.MILLISECONDS);
  }

  /** On the operator's connection, and on no other in its place. */
  private void assertNothingElseWasHarmed() {
    assertThat(
            within(operator, 30_000)
                .describeNode(DescribeNodeRequest.getDefaultInstance())
                .getNodeName())
        .isEqualTo("node-a");
    assertThat(watcher.end.getNow("")).as("why the stream of sessions ended").isEmpty();
    assertThat(operator.getState(false)).isEqualTo(ConnectivityState.READY);
  }

  /** Its answer has begun, and most of it waits until there is room for it: there never is. */
  private static ClientCall<DescribeNodeRequest, NodeDescription> answeredHalf(
      ManagedChannel narrow) throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    ClientCall<DescribeNodeRequest, NodeDescription> call =
        narrow.newCall(NodeAgentGrpc.getDescribeNodeMethod(), CallOptions.DEFAULT);
    call.start(
        new ClientCall.Listener<>() {
          @Override
          public void onHeaders(Metadata headers) {
            begun.countDown();
          }
        },
        new Metadata());
    call.sendMessage(DescribeNodeRequest.getDefaultInstance());
    call.halfClose();
    assertThat(begun.await(30, TimeUnit.SECONDS)).isTrue();
    return call;
  }

  private static Status statusOf(ThrowingCallable call) {
    return catchThrowableOfType(StatusRuntimeException.class, call).getStatus();
  }

  @Test
  void aCallerIsAnsweredBeforeItsDeadlineWhateverTheAnswerTakes() throws Exception {
    Status status = statusOf(() -> within(operator, 3000).listDevices(SLOW));
    assertThat(status.getCode()).isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    assertThat(status.getDescription()).contains("ListDevices has no answer yet after 2");
    // Answered together with the one that was given up.
    within(channel(), 30_000).listDevices(SLOW);
    assertNothingElseWasHarmed();
  }

  @Test
  void aCallThatItsCallerCancelsIsNotAnswered() throws Exception {
    CountDownLatch cancelled = new CountDownLatch(1);
    Context.CancellableContext calling = Context.current().withCancellation();
    calling.run(
        () ->
            NodeAgentGrpc.newStub(operator)
                .listDevices(
                    SLOW,
                    new StreamObserver<>() {
                      @Override
                      public void onNext(ListDevicesResponse answer) {
                        // It cannot be.
                      }

                      @Override
                      public void onError(Throwable failure) {
                        cancelled.countDown();
                      }

                      @Override
                      public void onCompleted() {
                        // It cannot be.
                      }
                    }));
    // The look has begun, and so the call has arrived.
    await().atMost(Duration.ofSeconds(30)).until(device::isAsked);
    calling.cancel(null);
    assertThat(cancelled.await(30, TimeUnit.SECONDS)).isTrue();
    within(channel(), 30_000).listDevices(SLOW);
    assertNothingElseWasHarmed();
  }

  @Test
  void commandsWhoseCallersGaveUpAreNeitherCarriedOutNorAnswered() throws Exception {
    whileCommandsWait(
        () ->
            commands()
                .forEach(
                    (name, call) -> {
                      Status status = statusOf(() -> call.accept(within(operator, 400)));
                      assertThat(status.getCode())
                          .as(name)
                          .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
                    }));
    assertNothingElseWasHarmed();
    assertThat(sessions.snapshots())
        .extracting(session -> session.key().uid())
        .doesNotContain("late", "late-source");
  }

  @Test
  void commandsWhoseCallersHaveGoneHarmNobody() throws Exception {
    whileCommandsWait(
        () ->
            commands()
                .forEach(
                    (name, call) -> {
                      Context.CancellableContext calling = Context.current().withCancellation();
                      cancelling.schedule(() -> calling.cancel(null), 300, TimeUnit.MILLISECONDS);
                      Status status =
                          statusOf(
                              () ->
                                  calling.run(
                                      () -> call.accept(NodeAgentGrpc.newBlockingStub(operator))));
                      assertThat(status.getCode()).as(name).isEqualTo(Status.Code.CANCELLED);
                    }));
    assertNothingElseWasHarmed();
  }

  @Test
  void aWatchThatItsCallerCancelsLeavesNothingBehind() throws Exception {
    int before = feed.watchers();
    Context.CancellableContext calling = Context.current().withCancellation();
    Watcher other = new Watcher();
    calling.run(
        () ->
            NodeAgentGrpc.newStub(operator)
                .watchSessions(
                    WatchSessionsRequest.newBuilder().setMarkFirstBatch(true).build(), other));
    assertThat(other.firstBatch.await(30, TimeUnit.SECONDS)).isTrue();
    assertThat(feed.watchers()).isEqualTo(before + 1);
    calling.cancel(null);
    await().atMost(Duration.ofSeconds(30)).until(() -> feed.watchers() == before);
    assertNothingElseWasHarmed();
  }

  /** What was said before it was cancelled arrives together with that, and begins nothing. */
  @Test
  void watchesThatAreCancelledAtOnceLeaveNothingBehind() throws Exception {
    int before = feed.watchers();
    for (int call = 0; call < 1000; call++) {
      Context.CancellableContext calling = Context.current().withCancellation();
      Watcher other = new Watcher();
      calling.run(
          () ->
              NodeAgentGrpc.newStub(operator)
                  .watchSessions(WatchSessionsRequest.getDefaultInstance(), other));
      calling.cancel(null);
      assertThat(other.end.get(30, TimeUnit.SECONDS)).contains("CANCELLED");
    }
    assertNothingElseWasHarmed();
    await().atMost(Duration.ofSeconds(30)).until(() -> feed.watchers() == before);
  }

  @Test
  void anAnswerThatWaitsForRoomIsGivenUpAlone() throws Exception {
    operator = channel(16);
    watcher = new Watcher();
    NodeAgentGrpc.newStub(operator)
        .watchSessions(WatchSessionsRequest.newBuilder().setMarkFirstBatch(true).build(), watcher);
    assertThat(watcher.firstBatch.await(30, TimeUnit.SECONDS)).isTrue();
    for (int call = 0; call < 10; call++) {
      answeredHalf(operator).cancel("nobody waits for it", null);
      assertNothingElseWasHarmed();
    }
  }

  @Test
  void watchesOfAConnectionThatBreaksLeaveNothingBehind() throws Exception {
    operator.shutdownNow();
    await().atMost(Duration.ofSeconds(30)).until(() -> feed.watchers() == 0);
  }

  @Test
  void ofACallersTimeAQuarterOrASecondIsKeptForTheWay() {
    assertThat(TimelyAnswers.timeLeft("10S")).isEqualTo(Duration.ofSeconds(9));
    assertThat(TimelyAnswers.timeLeft("9999m")).isEqualTo(Duration.ofMillis(8999));
    assertThat(TimelyAnswers.timeLeft("400m")).isEqualTo(Duration.ofMillis(300));
    assertThat(TimelyAnswers.timeLeft("99999999n")).isEqualTo(Duration.ofNanos(75_000_000));
    assertThat(TimelyAnswers.timeLeft("2000000u")).isEqualTo(Duration.ofMillis(1500));
    assertThat(TimelyAnswers.timeLeft("1M")).isEqualTo(Duration.ofSeconds(59));
    assertThat(TimelyAnswers.timeLeft("99999999H")).isGreaterThan(Duration.ofDays(4_000_000));
    assertThat(TimelyAnswers.timeLeft("0n")).isZero();
    assertThat(TimelyAnswers.timeLeft(null)).isNull();
    assertThat(TimelyAnswers.timeLeft("soon")).as("of no gRPC client").isNull();
    assertThat(TimelyAnswers.timeLeft("123456789m")).as("of no gRPC client").isNull();
  }
}
