package dev.vfio.migration.sandbox.cluster.link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The link does what the tests that use it rely on. */
@Timeout(120)
class FaultyLinkTest {
  private ServerSocket server;
  private FaultyLink link;
  private Socket client;
  private Socket accepted;

  @BeforeEach
  void connect() throws IOException {
    server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
    // A loopback address that nobody's connections come from: its port stays free.
    InetAddress own = InetAddress.getByAddress(new byte[] {127, 91, 17, 5});
    InetSocketAddress free;
    try (ServerSocket probe = new ServerSocket(0, 1, own)) {
      free = (InetSocketAddress) probe.getLocalSocketAddress();
    }
    link = FaultyLink.open(free, (InetSocketAddress) server.getLocalSocketAddress());
    client = new Socket(free.getAddress(), free.getPort());
    accepted = server.accept();
  }

  @AfterEach
  void disconnect() throws IOException {
    client.close();
    accepted.close();
    link.close();
    server.close();
  }

  @Test
  void answersToTheseWordsAreHeldAndTheWordsArrive() throws Exception {
    link.holdAnswersAfter("done");
    client.getOutputStream().write("do".getBytes(StandardCharsets.US_ASCII));
    assertThat(accepted.getInputStream().readNBytes(2)).hasSize(2);
    accepted.getOutputStream().write(1);
    assertThat(client.getInputStream().read()).as("before the last word").isEqualTo(1);

    client.getOutputStream().write("ne".getBytes(StandardCharsets.US_ASCII));
    assertThat(accepted.getInputStream().readNBytes(2)).hasSize(2);
    assertThat(link.holdsAnswers()).isTrue();
    accepted.getOutputStream().write(2);
    client.setSoTimeout(200);
    assertThatThrownBy(() -> client.getInputStream().read())
        .isInstanceOf(SocketTimeoutException.class);

    client.setSoTimeout(0);
    link.restore();
    assertThat(client.getInputStream().read()).as("held, not lost").isEqualTo(2);
  }

  @Test
  void aGoodLinkCarriesBothWaysAndTheEnd() throws IOException {
    client.getOutputStream().write(new byte[] {1, 2, 3});
    assertThat(accepted.getInputStream().readNBytes(3)).containsExactly(1, 2, 3);
    accepted.getOutputStream().write(4);
    assertThat(client.getInputStream().read()).isEqualTo(4);
    client.shutdownOutput();
    assertThat(accepted.getInputStream().read()).isEqualTo(-1);
  }

  @Test
  void aCutLinkResetsWhatIsConnectedAndWhatComes() throws IOException {
    InetSocketAddress address = (InetSocketAddress) client.getRemoteSocketAddress();
    link.cut();

    assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(IOException.class);
    try (Socket late = new Socket(address.getAddress(), address.getPort())) {
      assertThatThrownBy(() -> late.getInputStream().read()).isInstanceOf(IOException.class);
    }
  }

  @Test
  void oneBitIsChangedAndOnlyOne() throws IOException {
    link.flipBitAfter(1);
    byte[] sent = new byte[100];
    client.getOutputStream().write(sent);
    byte[] received = accepted.getInputStream().readNBytes(sent.length);

    int bits = 0;
    for (byte value : received) {
      bits += Integer.bitCount(value & 0xff);
    }
    assertThat(bits).isEqualTo(1);
    assertThat(link.ambushed()).isFalse();

    client.getOutputStream().write(sent);
    assertThat(accepted.getInputStream().readNBytes(sent.length)).isEqualTo(sent);
  }

  @Test
  void aStalledLinkHoldsBytesBackAndLosesNone() throws Exception {
    link.stallAfter(1);
    client.getOutputStream().write(7);
    await().atMost(40, TimeUnit.SECONDS).until(() -> !link.ambushed());
    InputStream in = accepted.getInputStream();
    CompletableFuture<Integer> read =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return in.read();
              } catch (IOException e) {
                throw new IllegalStateException(e);
              }
            });
    assertThat(read).isNotDone();

    link.restore();
    assertThat(read.get(40, TimeUnit.SECONDS)).isEqualTo(7);
  }
}
