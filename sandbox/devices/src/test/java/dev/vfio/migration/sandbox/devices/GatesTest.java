package dev.vfio.migration.sandbox.devices;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A socket that is shut, or silent, as those who ask there see it; the device goes on. */
@Timeout(120)
class GatesTest {
  private static final String DESCRIBE = "{'op':'describe'}";

  private LiveDevice device;
  private LineClient console;

  @BeforeEach
  void start() throws IOException {
    device = LiveDevice.start("node-a", "running", "--state-size 1MiB --memory-size 64KiB");
    console = device.console();
  }

  @AfterEach
  void stop() throws IOException {
    console.close();
    device.close();
  }

  private void gate(String socket, String manner) throws IOException {
    assertThat(console.ask("{'op':'gate','socket':'%s','manner':'%s'}".formatted(socket, manner)))
        .containsEntry("ok", true);
  }

  @Test
  void whoIsConnectedToAShutSocketLosesTheConnectionAndNobodyElseGetsOne() throws IOException {
    try (LineClient before = device.workload()) {
      before.ask(DESCRIBE);
      gate("workload", "shut");
      assertThatThrownBy(() -> before.ask(DESCRIBE)).isInstanceOf(Exception.class);
    }
    try (LineClient meanwhile = device.workload()) {
      assertThatThrownBy(() -> meanwhile.ask(DESCRIBE)).isInstanceOf(Exception.class);
    }
    gate("workload", "open");
    try (LineClient after = device.workload()) {
      assertThat(after.ask(DESCRIBE)).containsEntry("state", "running");
    }
  }

  @Test
  void whatIsAskedAtASilentSocketIsAnsweredOnceItIsOpen() throws Exception {
    gate("workload", "silent");
    try (LineClient workload = device.workload()) {
      CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
      Thread asking =
          new Thread(
              () -> {
                try {
                  answer.complete(workload.ask(DESCRIBE));
                } catch (IOException e) {
                  answer.completeExceptionally(e);
                }
              });
      asking.start();
      device.awaitStep(device.device().device().stepNumber() + 50);
      assertThat(answer).isNotDone();

      gate("workload", "open");
      assertThat(answer.get(60, TimeUnit.SECONDS)).containsEntry("state", "running");
      asking.join();
    }
  }

  @Test
  void aMigrationClientOfAShutDeviceIsSentAway() throws IOException {
    try (VfioUserClient client = VfioUserClient.connect(device.socket())) {
      device.await("client", event -> "connected".equals(event.get("to")));
      gate("device", "shut");
      device.await("client", event -> "gone".equals(event.get("to")));
    }
    gate("device", "open");
    VfioUserClient.connect(device.socket()).close();
  }

  @Test
  void aGateThatThereIsNotIsRefused() throws IOException {
    assertThat(console.ask("{'op':'gate','socket':'console','manner':'shut'}"))
        .containsEntry("ok", false);
    assertThat(console.ask("{'op':'gate','socket':'device','manner':'ajar'}"))
        .containsEntry("ok", false);
  }
}
