package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.CancelRequest;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.PrepareDestinationResponse;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.RollBackRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.StreamObserver;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import io.vertx.core.Vertx;
import jakarta.inject.Inject;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/**
 * A node of which one device, or many, hardly answer: every command is carried out all the same,
 * the other devices are listed, and probes answer what is so. Over real mutual TLS and real
 * sockets.
 */
@QuarkusTest
@QuarkusTestResource(NodeForTests.class)
class SlowNodeTest {
  /** Below what the agent waited for each answer by itself. */
  private static final Duration SLOW = Duration.ofMillis(4500);

  private static final int MAX_REGIONS = 1024;
  private static final int FEW_REGIONS = 40;
  private static final int LISTINGS = 1000;
  private static final int CHANNELS = 20;

  /** A command takes no time; a machine that builds other things at once does. */
  private static final Duration COMMAND = Duration.ofSeconds(8);

  /** Of the worker pool that Quarkus has for all that blocks; see the test of the probes. */
  private static final int WORKERS = 400;

  @TestHTTPResource(value = "/", tls = true)
  URL control;

  @TestHTTPResource(value = "/", management = true)
  URL management;

  @ConfigProperty(name = "test.certificates")
  Path certificates;

  @ConfigProperty(name = "agent.vfio-user-directory")
  Path sockets;

  @Inject Vertx vertx;
  @Inject CommandLanes lanes;

  private final List<ManagedChannel> channels = new ArrayList<>();
  private final List<SlowDevice> devices = new ArrayList<>();

  @AfterEach
  void close() throws IOException {
    channels.forEach(ManagedChannel::shutdownNow);
    for (SlowDevice device : devices) {
      device.close();
    }
  }

  private void serve(String name, Duration delay, int regions) throws IOException {
    devices.add(new SlowDevice(sockets.resolve(name).resolve("device.sock"), delay, regions));
  }

  private ManagedChannel channel() throws SSLException {
    ManagedChannel channel = NodeForTests.channel(control, certificates, "operator").build();
    channels.add(channel);
    return channel;
  }

  private NodeAgentGrpc.NodeAgentBlockingStub operator(Duration deadline) throws SSLException {
    return NodeAgentGrpc.newBlockingStub(channel())
        .withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS);
  }

  private static CommandHeader header(String uid) {
    return CommandHeader.newBuilder()
        .setMigrationUid(uid)
        .setAttempt(1)
        .setFencingNumber(Long.MAX_VALUE)
        .setMigrationName("default/" + uid)
        .build();
  }

  /** Asks for all devices, and does not wait for the answer. */
  private void openListings(Duration deadline) throws SSLException {
    for (int channel = 0; channel < CHANNELS; channel++) {
      var stub =
          NodeAgentGrpc.newStub(channel())
              .withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS);
      for (int call = 0; call < LISTINGS / CHANNELS; call++) {
        stub.listDevices(ListDevicesRequest.getDefaultInstance(), new Nobody());
      }
    }
  }

  /** A caller that does not wait for its answer. */
  private static final class Nobody implements StreamObserver<ListDevicesResponse> {
    @Override
    public void onNext(ListDevicesResponse answer) {
      // Nobody looks at it.
    }

    @Override
    public void onError(Throwable failure) {
      // Nobody looks at it.
    }

    @Override
    public void onCompleted() {
      // Nobody looks at it.
    }
  }

  private void assertCommandsAreCarriedOut() throws SSLException {
    var agent = operator(COMMAND);
    List<Runnable> commands =
        List.of(
            () -> agent.rollBack(RollBackRequest.newBuilder().setHeader(header("none")).build()),
            () -> agent.commit(CommitRequest.newBuilder().setHeader(header("none")).build()),
            () -> agent.cancel(CancelRequest.newBuilder().setHeader(header("none")).build()));
    for (Runnable command : commands) {
      assertThat(catchThrowableOfType(StatusRuntimeException.class, command::run))
          .extracting(refused -> refused.getStatus().getCode())
          .as("an answer, and not the end of our own waiting")
          .isEqualTo(Status.Code.NOT_FOUND);
    }
  }

  private HttpResponse<String> probe(String what) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(
                    URI.create("http://127.0.0.1:" + management.getPort() + "/q/health/" + what))
                .timeout(COMMAND)
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }

  private static long threads(String prefix) {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith(prefix))
        .count();
  }

  private static long threadsIn(String nameOfClass) {
    return Thread.getAllStackTraces().values().stream()
        .filter(
            frames ->
                Stream.of(frames).anyMatch(frame -> frame.getClassName().endsWith(nameOfClass)))
        .count();
  }

  @Test
  void aThousandListingsOfASlowDeviceKeepNoCommandAndNoProbeWaiting() throws Exception {
    serve("slow", SLOW, MAX_REGIONS);
    long workers = threads("executor-thread");
    openListings(Duration.ofMinutes(2));
    assertCommandsAreCarriedOut();
    assertThat(probe("ready").statusCode()).isEqualTo(200);
    assertThat(probe("live").statusCode()).isEqualTo(200);
    assertThat(threads("executor-thread") - workers).as("threads that wait").isLessThan(20);
  }

  @Test
  void listingsWhoseCallersGaveUpLeaveNothingBehind() throws Exception {
    serve("slow", SLOW, FEW_REGIONS);
    for (int wave = 0; wave < 3; wave++) {
      openListings(Duration.ofMillis(300));
      channels.forEach(ManagedChannel::shutdownNow);
    }
    assertCommandsAreCarriedOut();
    assertThat(threadsIn("DeviceViews")).as("one device, one look").isLessThanOrEqualTo(1);
  }

  @Test
  void thirteenSlowDevicesAreListedAsSuchAndTheOthersAsTheyAre() throws Exception {
    for (int index = 0; index < 13; index++) {
      serve("slow-" + index, SLOW, FEW_REGIONS);
    }
    serve("quick", Duration.ZERO, 9);
    List<Device> listed =
        operator(Duration.ofSeconds(20))
            .listDevices(ListDevicesRequest.getDefaultInstance())
            .getDevicesList();
    assertThat(listed).hasSize(14);
    for (Device device : listed) {
      boolean slow = device.getId().startsWith("vfio-user:slow");
      assertThat(device.getNotMigratable().getReason())
          .isEqualTo(slow ? Reason.DEVICE_UNREACHABLE : Reason.NO_MIGRATION_REGION);
      if (slow) {
        assertThat(device.getNotMigratable().getMessage())
            .contains(device.getId())
            .containsPattern("It has not answered in time since 20[0-9T:-]+Z");
      }
    }
  }

  @Test
  void aDeviceThatIsAskedForByNameIsAnsweredForBeforeTheOperatorGivesUp() throws Exception {
    serve("slow", SLOW, FEW_REGIONS);
    openListings(Duration.ofMinutes(2));
    Device device =
        operator(Duration.ofSeconds(10))
            .listDevices(ListDevicesRequest.newBuilder().setDevice("vfio-user:slow").build())
            .getDevices(0);
    assertThat(device.getNotMigratable().getReason()).isEqualTo(Reason.DEVICE_UNREACHABLE);
    assertThat(device.getNotMigratable().getMessage()).contains("Nothing was done to the device");
  }

  @Test
  void destinationsThatHangWhileTheyArePreparedKeepNoOtherSessionWaiting() throws Exception {
    List<CountDownLatch> answers = new ArrayList<>();
    for (int index = 0; index < 12; index++) {
      serve("slow-" + index, SLOW, FEW_REGIONS);
      CountDownLatch answer = new CountDownLatch(1);
      answers.add(answer);
      NodeAgentGrpc.newStub(channel())
          .withDeadlineAfter(60, TimeUnit.SECONDS)
          .prepareDestination(
              PrepareDestinationRequest.newBuilder()
                  .setHeader(header("hangs-" + index))
                  .setDevice("vfio-user:slow-" + index)
                  .setSourceNode("node-b")
                  .setSourceDevice(
                      Device.newBuilder()
                          .setId("vfio-user:a")
                          .setInterface(MigrationInterface.REGION_2018)
                          .setModel("m")
                          .setPageSize(4096))
                  .setStreams(1)
                  .build(),
              new StreamObserver<PrepareDestinationResponse>() {
                @Override
                public void onNext(PrepareDestinationResponse prepared) {
                  // It cannot be.
                }

                @Override
                public void onError(Throwable failure) {
                  answer.countDown();
                }

                @Override
                public void onCompleted() {
                  // It cannot be.
                }
              });
    }
    assertCommandsAreCarriedOut();
    for (CountDownLatch answer : answers) {
      assertThat(answer.await(60, TimeUnit.SECONDS)).as("refused in the end").isTrue();
    }
  }

  @Test
  void anAgentThatCarriesOutNoCommandIsNotAliveUntilItDoes() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try {
      // More than there are threads.
      for (int command = 0; command < 10; command++) {
        lanes.execute(
            CommandLanes.Lane.DECIDING,
            () -> {
              try {
                assertThat(release.await(100, TimeUnit.SECONDS)).isTrue();
              } catch (InterruptedException interrupted) {
                throw new AssertionError(interrupted);
              }
            });
      }
      HttpResponse<String> live = probe("live");
      assertThat(live.statusCode()).isEqualTo(503);
      assertThat(live.body()).contains("no session here can be told to commit or to roll back");
      assertThat(probe("ready").statusCode()).as("it could begin one").isEqualTo(200);
    } finally {
      release.countDown();
    }
    await()
        .atMost(Duration.ofSeconds(60))
        .untilAsserted(() -> assertThat(probe("live").statusCode()).isEqualTo(200));
  }

  @Test
  void probesNeedNoThreadOfThePoolThatOthersFill() throws Exception {
    CountDownLatch release = new CountDownLatch(1);
    try {
      IntStream.range(0, WORKERS)
          .forEach(
              index ->
                  vertx.executeBlocking(
                      () -> release.await(60, TimeUnit.SECONDS), /* ordered= */ false));
      assertThat(probe("ready").statusCode()).isEqualTo(200);
      assertThat(probe("live").statusCode()).isEqualTo(200);
      assertCommandsAreCarriedOut();
    } finally {
      release.countDown();
    }
  }
}
