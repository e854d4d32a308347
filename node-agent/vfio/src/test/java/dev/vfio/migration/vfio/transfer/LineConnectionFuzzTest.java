package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.linux.PassingSocket;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** A client of the workload listener that sends anything at all gets an error and nothing else. */
class LineConnectionFuzzTest {
  /** So many fit the socket's buffer, so that nobody has to read meanwhile. */
  private static final int MAX_BYTES = 16 << 10;

  private static Path folder;
  private static Path socket;
  private static PassingSocket listener;

  @BeforeAll
  static void listen() throws IOException {
    folder = Files.createTempDirectory("line-fuzz");
    socket = folder.resolve("handover.sock");
    listener = PassingSocket.listen(socket);
  }

  @AfterAll
  static void stop() throws IOException {
    listener.close();
    Files.deleteIfExists(socket);
    Files.delete(folder);
  }

  @FuzzTest(maxDuration = "1h")
  void anyBytesAreOneObjectALineOrAreRefused(byte[] bytes) throws IOException {
    try (UnixStream stream = UnixStream.connect(socket, Duration.ofMinutes(1));
        LineConnection connection = new LineConnection(stream)) {
      try (PassingSocket client = listener.accept()) {
        if (bytes.length > 0) {
          client.write(Arrays.copyOf(bytes, Math.min(bytes.length, MAX_BYTES)));
        }
      }
      while (true) {
        Optional<JsonNode> object = connection.receive();
        object.ifPresent(one -> assertThat(one.isObject()).isTrue());
      }
    } catch (IOException refusedOrEnded) {
      assertThat(refusedOrEnded.getMessage()).isNotBlank().matches(ForeignText::isPlain);
    }
  }
}
