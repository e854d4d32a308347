package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.DescribeNodeRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Mode;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.NodeDescription;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.RollBackRequest;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.VerifyLoadedRequest;
import dev.vfio.migration.contract.v1.WatchSessionsRequest;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.handler.ssl.SslContextBuilder;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The control service as the operator meets it: over real mutual TLS. */
@QuarkusTest
@QuarkusTestResource(NodeForTests.class)
class NodeAgentServiceTest {
  private static final long TIMEOUT_SECONDS = 40;

  @TestHTTPResource(value = "/", tls = true)
  URL control;

  @TestHTTPResource(value = "/", management = true)
  URL management;

  @ConfigProperty(name = "test.certificates")
  Path certificates;

  private final List<ManagedChannel> channels = new ArrayList<>();

  @AfterEach
  void close() {
    channels.forEach(ManagedChannel::shutdownNow);
  }

  private NodeAgentGrpc.NodeAgentBlockingStub operator() throws SSLException {
    return caller("operator");
  }

  private NodeAgentGrpc.NodeAgentBlockingStub caller(String identity) throws SSLException {
    SslContextBuilder tls =
        GrpcSslContexts.forClient().trustManager(certificates.resolve("agent/ca.crt").toFile());
    if (identity != null) {
      Path own = certificates.resolve(identity);
      tls.keyManager(own.resolve("tls.crt").toFile(), own.resolve("tls.key").toFile());
    }
    ManagedChannel channel =
        NettyChannelBuilder.forAddress("127.0.0.1", control.getPort())
            .overrideAuthority(NodeForTests.AGENT_NAME)
            .sslContext(tls.build())
            .build();
    channels.add(channel);
    return NodeAgentGrpc.newBlockingStub(channel)
        .withDeadlineAfter(TIMEOUT_SECONDS, TimeUnit.SECONDS);
  }

  private static CommandHeader header(String uid, long fencingNumber) {
    return CommandHeader.newBuilder()
        .setMigrationUid(uid)
        .setAttempt(1)
        .setFencingNumber(fencingNumber)
        .setMigrationName("default/" + uid)
        .build();
  }

  private static StartSourceRequest.Builder source(String uid) {
    return StartSourceRequest.newBuilder()
        .setHeader(header(uid, Long.MAX_VALUE))
        .setDevice("vfio-user:none")
        .setDestinationNode("node-b")
        .setDestinationHost("127.0.0.1")
        .setDestinationPort(1)
        .setToken(ByteString.copyFrom(new byte[32]))
        .setMode(Mode.LIVE)
        .setStreams(1);
  }

  private static void assertRefused(Runnable call, Status.Code code, String reason) {
    assertThatThrownBy(call::run)
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            refused -> {
              assertThat(refused.getStatus().getCode()).isEqualTo(code);
              assertThat(refused.getTrailers().get(Refusals.REASON)).isEqualTo(reason);
              assertThat(refused.getStatus().getDescription()).isNotBlank();
            });
  }

  @Test
  void theOperatorIsServed() throws SSLException {
    NodeDescription node = operator().describeNode(DescribeNodeRequest.getDefaultInstance());
    assertThat(node.getNodeName()).isEqualTo("node-a");
    assertThat(node.getInstanceId()).isNotBlank();
    assertThat(node.getStreamVersionsList()).containsExactly(1, 2);
    assertThat(node.getMaxStreams()).isPositive();
    assertThat(node.getVerifiesLoaded()).isTrue();
    assertThat(operator().listDevices(ListDevicesRequest.getDefaultInstance()).getDevicesList())
        .isEmpty();
  }

  @Test
  void anotherAgentsCertificateIsGoodForTheStateStreamOnly() {
    assertThatThrownBy(
            () -> caller("other-agent").describeNode(DescribeNodeRequest.getDefaultInstance()))
        .isInstanceOfSatisfying(
            StatusRuntimeException.class,
            refused -> {
              assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.PERMISSION_DENIED);
              assertThat(refused.getStatus().getDescription())
                  .contains(NodeForTests.OPERATOR_NAME)
                  .contains("node-b");
            });
  }

  @Test
  void withoutACertificateOfOurAuthorityNobodyIsServed() {
    for (String identity : new String[] {null, "stranger", "expired"}) {
      assertThatThrownBy(
              () -> caller(identity).describeNode(DescribeNodeRequest.getDefaultInstance()))
          .as("%s", identity)
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              refused ->
                  assertThat(refused.getStatus().getCode()).isEqualTo(Status.Code.UNAVAILABLE));
    }
  }

  @Test
  void aLeaderThatWasDeposedIsRefused() throws SSLException {
    var agent = operator();
    assertRefused(
        () ->
            agent.rollBack(
                RollBackRequest.newBuilder().setHeader(header("never", Long.MAX_VALUE)).build()),
        Status.Code.NOT_FOUND,
        "UNKNOWN_SESSION");
    assertRefused(
        () -> agent.rollBack(RollBackRequest.newBuilder().setHeader(header("never", 6)).build()),
        Status.Code.ABORTED,
        "STALE_FENCING_NUMBER");
    assertThat(agent.describeNode(DescribeNodeRequest.getDefaultInstance()).getFencingNumber())
        .isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void whatMakesNoSenseIsRefusedBeforeAnythingIsTouched() throws SSLException {
    var agent = operator();
    List<StartSourceRequest> senseless =
        List.of(
            source("a").setHeader(header("../etc/passwd", Long.MAX_VALUE)).build(),
            source("a").setHeader(header("a", Long.MAX_VALUE).toBuilder().setAttempt(0)).build(),
            source("a").setDestinationPort(0).build(),
            source("a").setDestinationPort(65536).build(),
            source("a").setToken(ByteString.copyFrom(new byte[31])).build(),
            source("a").setMode(Mode.MODE_UNSPECIFIED).build(),
            source("a").setStreams(0).build(),
            source("a").setStreams(100_000).build(),
            source("a").setDevice("").build(),
            source("a").setBandwidthLimit(-1).build());
    for (StartSourceRequest request : senseless) {
      assertRefused(
          () -> agent.startSource(request), Status.Code.INVALID_ARGUMENT, "INVALID_REQUEST");
    }
  }

  @Test
  void aDestinationWithoutTheDeviceIsRefusedAndLeavesNothing() throws SSLException {
    var agent = operator();
    PrepareDestinationRequest request =
        PrepareDestinationRequest.newBuilder()
            .setHeader(header("nowhere", Long.MAX_VALUE))
            .setDevice("vfio-user:none")
            .setSourceNode("node-b")
            .setSourceDevice(
                Device.newBuilder()
                    .setId("vfio-user:none")
                    .setInterface(MigrationInterface.REGION_2018)
                    .setModel("m")
                    .setPageSize(4096))
            .setStreams(1)
            .build();
    assertRefused(() -> agent.prepareDestination(request), Status.Code.NOT_FOUND, "UNKNOWN_DEVICE");
    assertRefused(
        () ->
            agent.rollBack(
                RollBackRequest.newBuilder().setHeader(header("nowhere", Long.MAX_VALUE)).build()),
        Status.Code.NOT_FOUND,
        "UNKNOWN_SESSION");
    assertRefused(
        () ->
            agent.verifyLoaded(
                VerifyLoadedRequest.newBuilder()
                    .setHeader(header("nowhere", Long.MAX_VALUE))
                    .build()),
        Status.Code.NOT_FOUND,
        "UNKNOWN_SESSION");
  }

  @Test
  void aSourceThatFailsIsReportedToWhoeverWatchesAndRemembered() throws SSLException {
    var agent = operator();
    Iterator<Session> watch = agent.watchSessions(WatchSessionsRequest.getDefaultInstance());
    Session answer = agent.startSource(source("gone").build());
    assertThat(answer.getMigrationUid()).isEqualTo("gone");
    Session session = answer;
    long revision = 0;
    while (session.getState() != SessionState.SOURCE_ROLLED_BACK) {
      session = watch.next();
      if (session.getMigrationUid().equals("gone")) {
        assertThat(session.getRevision()).isGreaterThan(revision);
        revision = session.getRevision();
      }
    }
    assertThat(session.getFailure().getReason())
        .isEqualTo(dev.vfio.migration.contract.v1.Reason.UNKNOWN_DEVICE);
    assertThat(session.getFailure().getMessage()).contains("vfio-user:none");
    assertThat(agent.startSource(source("gone").build()).getState())
        .as("a repeated command answers with the session as it is")
        .isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertRefused(
        () ->
            agent.commit(
                CommitRequest.newBuilder().setHeader(header("gone", Long.MAX_VALUE)).build()),
        Status.Code.FAILED_PRECONDITION,
        "ALREADY_ROLLED_BACK");
    Iterator<Session> later =
        operator().watchSessions(WatchSessionsRequest.newBuilder().setMarkFirstBatch(true).build());
    // Other tests of this agent may have left sessions, too.
    List<String> known = new ArrayList<>();
    for (Session next = later.next(); !next.getFirstBatchComplete(); next = later.next()) {
      known.add(next.getMigrationUid());
    }
    assertThat(known).as("a new watcher begins with all").contains("gone");
  }

  @Test
  void aRenewedCertificateIsShownWithoutARestart() throws Exception {
    Path live = certificates.resolve("agent");
    Path renewed = certificates.resolve("renewed");
    for (String file : List.of("tls.key", "tls.crt")) {
      Path fresh = live.resolve(file + ".new");
      Files.copy(renewed.resolve(file), fresh, StandardCopyOption.REPLACE_EXISTING);
      Files.move(fresh, live.resolve(file), StandardCopyOption.ATOMIC_MOVE);
    }
    var wanted = ShownCertificate.in(renewed.resolve("tls.crt"));
    await()
        .atMost(Duration.ofSeconds(TIMEOUT_SECONDS))
        // A reload between the two files finds a key of another certificate.
        .ignoreExceptionsInstanceOf(IOException.class)
        .untilAsserted(
            () ->
                assertThat(
                        ShownCertificate.of(
                            control.getPort(), certificates.resolve("operator"), live))
                    .isEqualTo(wanted));
    assertThat(operator().describeNode(DescribeNodeRequest.getDefaultInstance()).getNodeName())
        .isEqualTo("node-a");
  }

  @Test
  void healthAndMetricsAreOnAPortOfTheirOwn() throws Exception {
    assertThat(get("/q/health/live").statusCode()).isEqualTo(200);
    HttpResponse<String> ready = get("/q/health/ready");
    assertThat(ready.statusCode()).as(ready.body()).isEqualTo(200);
    assertThat(ready.body()).contains("statePort");
    assertThat(get("/q/metrics").body()).contains("vfio_migration_sessions");
  }

  private HttpResponse<String> get(String path) throws Exception {
    return HttpClient.newHttpClient()
        .send(
            HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + management.getPort() + path))
                .build(),
            HttpResponse.BodyHandlers.ofString());
  }
}
