package dev.vfio.migration.operator.agents;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.connections.certificates.LongNames;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.fake.AgentServer;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.TestAuthority;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Nodes have names that DNS would not allow: Kubernetes bounds the whole name to 253 characters and
 * its parts not at all.
 */
class OddNodeNamesTest {
  @TempDir private Path directory;

  private final TestAuthority authority = new TestAuthority();

  static Stream<String> nodes() {
    return Stream.of(
        "n".repeat(64),
        "n".repeat(253),
        "a." + "n".repeat(64) + ".b",
        "1." + "a.".repeat(125) + "a",
        "10.0.0.1",
        "7",
        "1e3",
        "0x10",
        "null",
        "localhost",
        "node",
        "ip-10-0-0-7.eu-central-1.compute.internal",
        "xn--nde-fka.example",
        "node.migration.vfio.dev",
        "operator.migration.vfio.dev");
  }

  @ParameterizedTest
  @MethodSource("nodes")
  void anAgentIsBelievedWhateverItsNodeIsCalled(String node) {
    assertThat(stateOf(node, List.of(node + ".node.migration.vfio.dev")))
        .isInstanceOf(Side.Reachable.class);
  }

  /** As on the state stream: it is one certificate for all nodes, with dots or without. */
  @ParameterizedTest
  @MethodSource("nodes")
  void theWildcardStandsForEveryNode(String node) {
    assertThat(stateOf(node, List.of("*.node.migration.vfio.dev")))
        .isInstanceOf(Side.Reachable.class);
  }

  @ParameterizedTest
  @MethodSource("nodes")
  void anotherNodesAgentIsNotBelieved(String node) {
    assertThat(
            stateOf(
                node,
                List.of(
                    "x" + node + ".node.migration.vfio.dev",
                    node,
                    "*." + node + ".node.migration.vfio.dev",
                    "*",
                    "*.migration.vfio.dev",
                    "operator.migration.vfio.dev")))
        .isInstanceOfSatisfying(
            Side.Unreachable.class,
            state -> assertThat(state.cause()).contains("it is not that of node " + node));
  }

  /**
   * More than the 32,768 bytes that Java takes of a message of a handshake by itself, and than a
   * session ticket has room for. Java reads both once: so in a process of its own.
   */
  @Test
  void aCertificateOfAThousandLongNamesIsRead() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                LongCertificate.class.getName(),
                directory.toString())
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("output").toFile())
            .start();
    try {
      assertThat(process.waitFor(100, TimeUnit.SECONDS)).isTrue();
      assertThat(Files.readString(directory.resolve("output"))).contains("Reachable[");
    } finally {
      process.destroyForcibly();
    }
  }

  /** Says whether an agent with such a certificate can be reached. */
  static final class LongCertificate {
    private LongCertificate() {}

    public static void main(String... arguments) {
      LongNames.allow();
      OddNodeNamesTest test = new OddNodeNamesTest();
      test.directory = Path.of(arguments[0]);
      List<String> names = new ArrayList<>();
      IntStream.range(0, 1000)
          .mapToObj(number -> "ip-10-0-0-" + number + ".eu-central-1.compute.internal.example")
          .forEach(node -> names.add(node + ".node.migration.vfio.dev"));
      names.add("node-a.node.migration.vfio.dev");
      System.out.println(test.stateOf("node-a", names));
      System.exit(0);
    }
  }

  private Side.Agent stateOf(String node, List<String> names) {
    Path own = authority.issue(directory.resolve("operator"), TestAuthority.OPERATOR);
    try (AgentServer server =
            new AgentServer(
                FakeNodes.silent(node), authority.issue(directory.resolve("agent"), names));
        AgentDirectory agents =
            new AgentDirectory(
                new TlsFiles(own, Clock.systemUTC()),
                Clock.systemUTC(),
                Duration.ofSeconds(30),
                new Ignoring())) {
      server.start();
      agents.locate(node, Optional.of(server.address()));
      await()
          .atMost(Duration.ofSeconds(40))
          .until(
              () ->
                  !(agents.agentOf(node).state() instanceof Side.Unreachable unreachable)
                      || !unreachable.cause().equals("connecting"));
      return agents.agentOf(node).state();
    }
  }

  /** The connection is asked instead. */
  private static final class Ignoring implements AgentListener {
    @Override
    public void sessionChanged(Session session) {}

    @Override
    public void agentChanged(String node) {}
  }
}
