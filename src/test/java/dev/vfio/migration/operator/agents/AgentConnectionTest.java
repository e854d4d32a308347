package dev.vfio.migration.operator.agents;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.fake.AgentServer;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.TestAuthority;
import io.grpc.stub.StreamObserver;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The line to an agent: who is believed to be one, and what is said when there is none. */
class AgentConnectionTest {
  private static final String NAME_A = "node-a.node.migration.vfio.dev";

  @TempDir private Path directory;

  private final TestAuthority authority = new TestAuthority();
  private Path own;
  private AgentServer server;
  private AgentDirectory agents;

  @BeforeEach
  void start() {
    own = authority.issue(directory.resolve("operator"), TestAuthority.OPERATOR);
    server =
        new AgentServer(new FakeNodes().source(), authority.issue(directory.resolve("a"), NAME_A));
    agents =
        new AgentDirectory(
            new TlsFiles(own, Clock.systemUTC()),
            Clock.systemUTC(),
            Duration.ofSeconds(30),
            new AgentListener() {
              @Override
              public void sessionChanged(Session session) {
                // The connection is asked instead.
              }

              @Override
              public void agentChanged(String node) {
                // The connection is asked instead.
              }
            });
  }

  @AfterEach
  void stop() {
    agents.close();
    server.close();
  }

  private void connect() {
    server.start();
    agents.locate("node-a", Optional.of(server.address()));
  }

  private void awaitReachable() {
    await()
        .atMost(Duration.ofSeconds(40))
        .untilAsserted(
            () -> assertThat(agents.agentOf("node-a").state()).isInstanceOf(Side.Reachable.class));
  }

  private void awaitCause(String text) {
    await()
        .atMost(Duration.ofSeconds(40))
        .untilAsserted(
            () ->
                assertThat(agents.agentOf("node-a").state())
                    .isInstanceOfSatisfying(
                        Side.Unreachable.class, state -> assertThat(state.cause()).contains(text)));
  }

  private Path expired(String name, String dnsName) {
    Instant now = Instant.now();
    return authority.issue(
        directory.resolve(name), dnsName, now.minusSeconds(7200), now.minusSeconds(3600));
  }

  @Test
  void anAgentWithTheNodesNameIsBelieved() {
    connect();
    awaitReachable();
  }

  @Test
  void aWildcardOfTheAgentsDomainIsBelieved() {
    server.certificates(authority.issue(directory.resolve("wild"), "*.node.migration.vfio.dev"));
    connect();
    awaitReachable();
  }

  @Test
  void anotherNodesCertificateIsNotBelieved() {
    server.certificates(authority.issue(directory.resolve("b"), "node-b.node.migration.vfio.dev"));
    connect();
    awaitCause("certificate is not accepted");
  }

  @Test
  void anotherAuthoritysCertificateIsNotBelieved() {
    server.certificates(new TestAuthority().issue(directory.resolve("stranger"), NAME_A));
    connect();
    awaitCause("certificate is not accepted");
  }

  @Test
  void anExpiredCertificateOfTheAgentIsNamed() {
    server.certificates(expired("old", NAME_A));
    connect();
    awaitCause("certificate has expired");
  }

  @Test
  void rotatedCertificatesAreUsedWithoutARestart() {
    authority.issue(
        own,
        TestAuthority.OPERATOR,
        Instant.now().minusSeconds(7200),
        Instant.now().minusSeconds(3600));
    connect();
    awaitCause("the operator's own certificate");
    authority.issue(own, TestAuthority.OPERATOR);
    awaitReachable();
  }

  /** A FIFO that nobody writes stands in for a file system that hangs: to open it blocks. */
  @Test
  void certificatesWhoseFileSystemHangsBlockNoCaller() throws Exception {
    Path file = own.resolve("tls.crt");
    Files.delete(file);
    Process made = new ProcessBuilder("mkfifo", file.toString()).inheritIO().start();
    assertThat(made.waitFor(40, TimeUnit.SECONDS)).isTrue();
    connect();
    awaitCause("could not be read within 3000 ms: its file system hangs");
    assertThat(agents.agentOf("node-x").state()).isInstanceOf(Side.Absent.class);
    // Lets go whoever has opened it.
    Files.write(file, new byte[0]);
    Files.delete(file);
    authority.issue(own, TestAuthority.OPERATOR);
    awaitReachable();
  }

  @Test
  void anAgentThatRestartsIsFoundAgain() {
    connect();
    awaitReachable();
    long before = agents.agentOf("node-a").epoch();
    server.stop();
    awaitCause("");
    server.start();
    awaitReachable();
    assertThat(agents.agentOf("node-a").epoch()).isGreaterThan(before);
  }

  /** Else whoever asked would wait for ever: no deadline ends a call that has ended. */
  @Test
  void aQuestionThatIsAnsweredWithNothingFails() throws RefusedException {
    connect();
    awaitReachable();
    CompletableFuture<ListDevicesResponse> asked =
        agents
            .agentOf("node-a")
            .askWithin(
                Duration.ofSeconds(30),
                (stub, answer) ->
                    stub.listDevices(
                        ListDevicesRequest.getDefaultInstance(), withoutItsValue(answer)));
    assertThat(asked)
        .failsWithin(Duration.ofSeconds(40))
        .withThrowableOfType(ExecutionException.class)
        .withCauseInstanceOf(RefusedException.class)
        .withMessageContaining("answered nothing");
  }

  private static <T> StreamObserver<T> withoutItsValue(StreamObserver<T> answer) {
    return new StreamObserver<>() {
      @Override
      public void onNext(T value) {
        // Lost.
      }

      @Override
      public void onError(Throwable failure) {
        answer.onError(failure);
      }

      @Override
      public void onCompleted() {
        answer.onCompleted();
      }
    };
  }

  @Test
  void aNodeWithoutAPodSaysSo() {
    assertThat(agents.agentOf("node-x").state()).isInstanceOf(Side.Absent.class);
  }

  @Test
  void aRefusalCarriesTheAgentsReasonAndWords() throws RefusedException {
    connect();
    awaitReachable();
    CommitRequest unknown =
        CommitRequest.newBuilder()
            .setHeader(CommandHeader.newBuilder().setMigrationUid("nobody").setAttempt(1))
            .build();
    CompletableFuture<Session> asked =
        agents
            .agentOf("node-a")
            .askWithin(Duration.ofSeconds(30), (stub, answer) -> stub.commit(unknown, answer));
    assertThat(asked)
        .failsWithin(Duration.ofSeconds(40))
        .withThrowableOfType(ExecutionException.class)
        .havingCause()
        .isInstanceOfSatisfying(
            RefusedException.class,
            refused -> {
              assertThat(refused.reason()).isEqualTo(Reason.UNKNOWN_SESSION);
              assertThat(refused.lasting()).isTrue();
            })
        .withMessageContaining("has no such session");
  }
}
