package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A listener that offers one device, and what its tests have in common. */
@Timeout(120)
abstract class ListenerFixture {
  static final String DEVICE = "0000:65:00.1";
  static final Duration LONG = TransferFixture.LONG;
  static final int NOBODY = 65534;

  @TempDir Path folder;
  WorkloadListener listener;
  Path socket;

  @BeforeEach
  void open() throws IOException {
    listener = newListener(folder.resolve("devices"), LONG, user -> false);
    listener.offer(DEVICE);
    socket = listener.socket(DEVICE);
  }

  @AfterEach
  void close() {
    listener.close();
  }

  WorkloadListener newListener(Path directory, Duration helloTimeout, IntPredicate users)
      throws IOException {
    long self = ProcessHandle.current().pid();
    return new WorkloadListener(
        directory,
        folder.resolve("records"),
        helloTimeout,
        users,
        (device, process) -> process == self);
  }

  WorkloadListener newListener(HolderCheck holders) throws IOException {
    return new WorkloadListener(
        folder.resolve("reattaching"), folder.resolve("records"), LONG, user -> false, holders);
  }

  void record(String migration, TransferRecord.Stage stage) throws IOException {
    listener
        .records()
        .write(DEVICE, new TransferRecord(migration, ProcessHandle.current().pid(), 1, stage));
  }

  static void sentAway(Path socket, String holds, int errno, String why) throws IOException {
    try (TestClient client = TestClient.connect(socket)) {
      client.hello(holds);
      JsonNode answer = client.next();
      assertThat(answer.path("errno").asInt()).isEqualTo(errno);
      assertThat(answer.path("error").asText()).contains(why);
      assertThat(client.next()).isNull();
    }
  }
}
