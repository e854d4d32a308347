package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.DescribeNodeRequest;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.text.ForeignText;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.common.http.TestHTTPResource;
import io.quarkus.test.junit.QuarkusTest;
import java.net.URL;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;
import org.jboss.logging.MDC;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whoever calls, and whatever it says: a record of the agent's log is one line of it. */
@QuarkusTest
@QuarkusTestResource(NodeForTests.class)
class ForgedLogLinesTest {
  private static final Logger LOG = Logger.getLogger(ForgedLogLinesTest.class);
  private static final String FORGED =
      "x\n2026-01-01 00:00:00,000 INFO  all is well\r\u0085\u2028\u2029\u001b[2K\u202e\u0000";

  @TestHTTPResource(value = "/", tls = true)
  URL control;

  @ConfigProperty(name = "test.certificates")
  Path certificates;

  private final List<ManagedChannel> channels = new ArrayList<>();
  private ConsoleLines console;

  @BeforeEach
  void listen() {
    console = new ConsoleLines();
  }

  @AfterEach
  void close() {
    console.close();
    channels.forEach(ManagedChannel::shutdownNow);
  }

  private NodeAgentGrpc.NodeAgentBlockingStub caller(String identity) throws SSLException {
    ManagedChannel channel = NodeForTests.channel(control, certificates, identity).build();
    channels.add(channel);
    return NodeAgentGrpc.newBlockingStub(channel).withDeadlineAfter(40, TimeUnit.SECONDS);
  }

  private static CommandHeader.Builder header(String uid, String name) {
    return CommandHeader.newBuilder()
        .setMigrationUid(uid)
        .setAttempt(1)
        .setFencingNumber(Long.MAX_VALUE)
        .setMigrationName(name);
  }

  private static String refusal(ThrowingCallable call, Status.Code code) {
    StatusRuntimeException refused = catchThrowableOfType(StatusRuntimeException.class, call);
    assertThat(refused.getStatus().getCode()).as("%s", refused).isEqualTo(code);
    String description = refused.getStatus().getDescription();
    assertThat(ForeignText.isPlain(description)).as(description).isTrue();
    return description;
  }

  @Test
  void theNamesInACallersCertificateForgeNoLine() throws SSLException {
    var forger = caller("forger");
    String description =
        refusal(
            () -> forger.describeNode(DescribeNodeRequest.getDefaultInstance()),
            Status.Code.PERMISSION_DENIED);
    assertThat(description).contains("evil\\n2026-01-01");
    assertThat(console.containing("all is well"))
        .hasSize(1)
        .allSatisfy(
            record -> assertThat(record).matches("20[^\\p{Cc}\u2028]*refused[^\\p{Cc}]*\n"));
  }

  @Test
  void manyNamesInACallersCertificateMakeNoLongAnswer() throws SSLException {
    var crowd = caller("crowd");
    assertThat(
            refusal(
                () -> crowd.describeNode(DescribeNodeRequest.getDefaultInstance()),
                Status.Code.PERMISSION_DENIED))
        .contains("(cut, ");
  }

  @Test
  void aMigrationsNameForgesNoLine() throws SSLException {
    var operator = caller("operator");
    for (CommandHeader.Builder header :
        List.of(header("never", "ns/" + FORGED), header(FORGED, "ns/" + FORGED))) {
      assertThat(
              catchThrowableOfType(
                  StatusRuntimeException.class,
                  () -> operator.commit(CommitRequest.newBuilder().setHeader(header).build())))
          .isNotNull();
    }
    assertThat(console.records())
        .allSatisfy(record -> assertThat(record).matches("20[^\\p{Cc}\u2028\u2029\u202e]*\n"));
  }

  /** Longer than the headers that a client accepts: it would never learn why it was refused. */
  @Test
  void whatIsRefusedForItsLengthIsAnsweredSo() throws SSLException {
    var operator = caller("operator");
    String description =
        refusal(
            () ->
                operator.commit(
                    CommitRequest.newBuilder()
                        .setHeader(header("ü%\n".repeat(40_000), "ns/name"))
                        .build()),
            Status.Code.INVALID_ARGUMENT);
    assertThat(description).contains("(cut, ").endsWith("nothing was done. Mend the request.");
  }

  @Test
  void theNameOfAWindowIsRefusedWhereItIsNone() throws SSLException {
    var operator = caller("operator");
    PrepareDestinationRequest.Builder request =
        PrepareDestinationRequest.newBuilder()
            .setHeader(header("windows", "ns/windows"))
            .setDevice("vfio-user:none")
            .setSourceNode("node-b")
            .setStreams(1);
    request
        .getSourceDeviceBuilder()
        .setId("vfio-user:none")
        .setModel("10de:20b0")
        .setInterface(dev.vfio.migration.contract.v1.MigrationInterface.REGION_2018)
        .addDmaWindowsBuilder()
        .setName("ring" + FORGED)
        .setSize(4096);
    assertThat(
            refusal(
                () -> operator.prepareDestination(request.build()), Status.Code.INVALID_ARGUMENT))
        .contains("window");
    request.getSourceDeviceBuilder().clearDmaWindows().setModel("10de:20b0" + FORGED);
    assertThat(
            refusal(
                () -> operator.prepareDestination(request.build()), Status.Code.INVALID_ARGUMENT))
        .contains("model");
  }

  @Test
  void anExceptionsMessageForgesNoLine() {
    Exception inner = new IllegalStateException("inner " + FORGED);
    Exception outer = new IllegalStateException("outer " + FORGED, inner);
    outer.addSuppressed(new IllegalStateException("suppressed " + FORGED));
    MDC.put("migration", FORGED);
    LOG.error("trouble " + FORGED, outer);
    MDC.remove("migration");
    assertThat(console.containing("trouble"))
        .singleElement()
        .satisfies(
            record -> {
              assertThat(record.lines().toList()).noneMatch(line -> line.startsWith("2026-01-01"));
              assertThat(record).doesNotContain("\u001b", "\r", "\u2028", "\u202e", "\u0000");
              assertThat(record)
                  .contains("outer x\\n2026-01-01")
                  .contains("Caused by: java.lang.IllegalStateException: inner x\\n2026")
                  .contains("suppressed x\\n2026")
                  .contains("\tat " + ForgedLogLinesTest.class.getName());
            });
  }

  @Test
  void aLongMessageIsCutInTheLog() {
    LOG.warnf("long %s", "x".repeat(1_000_000));
    assertThat(console.containing("long xxx"))
        .singleElement()
        .satisfies(record -> assertThat(record).contains("(cut, ").hasSizeLessThan(20_000));
  }
}
