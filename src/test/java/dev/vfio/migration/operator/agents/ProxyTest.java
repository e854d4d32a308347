package dev.vfio.migration.operator.agents;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.decision.Side;
import dev.vfio.migration.operator.fake.AgentServer;
import dev.vfio.migration.operator.fake.FakeNodes;
import dev.vfio.migration.operator.fake.TestAuthority;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever proxy the process is told to use: what goes from pod to pod goes to none. */
class ProxyTest {
  @TempDir private Path directory;

  private final Map<String, String> before = new HashMap<>();
  private final ProxySelector selector = ProxySelector.getDefault();
  private final AtomicInteger asked = new AtomicInteger();
  private ServerSocket proxy;
  private AgentServer server;
  private AgentDirectory agents;

  @BeforeEach
  void start() throws IOException {
    proxy = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
    Thread accepting = new Thread(this::accept, "proxy");
    accepting.setDaemon(true);
    accepting.start();
    TestAuthority authority = new TestAuthority();
    server =
        new AgentServer(
            new FakeNodes().source(),
            authority.issue(directory.resolve("a"), "node-a.node.migration.vfio.dev"));
    agents =
        new AgentDirectory(
            new TlsFiles(
                authority.issue(directory.resolve("operator"), TestAuthority.OPERATOR),
                Clock.systemUTC()),
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

  private void accept() {
    while (!proxy.isClosed()) {
      try (Socket caller = proxy.accept()) {
        asked.incrementAndGet();
      } catch (IOException closed) {
        return;
      }
    }
  }

  private void set(String property, String value) {
    before.put(property, System.getProperty(property));
    System.setProperty(property, value);
  }

  @AfterEach
  void stop() throws IOException {
    ProxySelector.setDefault(selector);
    before.forEach(
        (property, value) -> {
          if (value == null) {
            System.clearProperty(property);
          } else {
            System.setProperty(property, value);
          }
        });
    agents.close();
    server.close();
    proxy.close();
  }

  private void assertReachedWithoutTheProxy() {
    server.start();
    agents.locate("node-a", Optional.of(server.address()));
    await()
        .atMost(Duration.ofSeconds(40))
        .untilAsserted(
            () -> assertThat(agents.agentOf("node-a").state()).isInstanceOf(Side.Reachable.class));
    assertThat(asked).hasValue(0);
  }

  @Test
  void theVirtualMachinesProxyIsNotUsed() {
    for (String kind : List.of("https", "http", "socks")) {
      set(kind.equals("socks") ? "socksProxyHost" : kind + ".proxyHost", "127.0.0.1");
      set(
          kind.equals("socks") ? "socksProxyPort" : kind + ".proxyPort",
          String.valueOf(proxy.getLocalPort()));
    }
    // Without it loopback, where this test has to be, would need no proxy.
    set("http.nonProxyHosts", "");
    set("socksNonProxyHosts", "");
    assertReachedWithoutTheProxy();
  }

  @Test
  void theProcessProxySelectorIsNotAsked() {
    ProxySelector.setDefault(
        new ProxySelector() {
          @Override
          public List<Proxy> select(URI uri) {
            return List.of(
                new Proxy(
                    Proxy.Type.HTTP, new InetSocketAddress("127.0.0.1", proxy.getLocalPort())));
          }

          @Override
          public void connectFailed(URI uri, SocketAddress address, IOException failure) {
            // Nobody is asked a second time.
          }
        });
    assertReachedWithoutTheProxy();
  }
}
