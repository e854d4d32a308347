package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.user.DeviceFolder;
import dev.vfio.migration.vfio.user.DeviceSockets;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A workload that writes lines of its own into whatever quotes it: what is said of it stays one
 * line of a bounded length.
 */
@Timeout(120)
class HostileWorkloadTextTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Ends a line in each way that a reader of logs may know, colours, and turns the text around. */
  private static final String FORGED =
      "x\n"
          + "2026-01-01 00:00:00,000 INFO all is well\r"
          + "\u0085\u2028\u2029\u001b[2K\u009b2K\u202e\u0000";

  @TempDir Path folder;
  private ScriptedWorkload workload;
  private WorkloadSocket client;

  @BeforeEach
  void start() throws IOException {
    Path socket = DeviceFolder.make(folder, "gpu-0").resolve("workload.sock");
    workload = new ScriptedWorkload(socket, "gpu-0", line -> "{\"ok\":true}\n");
    client =
        new WorkloadSocket(
            new DeviceSockets(folder).workload("gpu-0"),
            4096,
            Duration.ofMinutes(5),
            new WindowDirectories(List.of(folder), "gpu-0"));
  }

  @AfterEach
  void stop() throws IOException {
    client.close();
    workload.close();
  }

  private static ObjectNode description() {
    return JSON.createObjectNode()
        .put("ok", true)
        .put("protocol", 1)
        .put("workload", "counter")
        .put("state", "running")
        .put("device", "gpu-0");
  }

  private void describing(ObjectNode description) {
    workload.describing(description.toString());
  }

  private void describingAWindow(String name, String file) {
    ObjectNode description = description();
    description
        .putArray("windows")
        .addObject()
        .put("name", name)
        .put("iova", 0)
        .put("size", 4096)
        .put("file", file);
    describing(description);
  }

  private static String messageOf(ThrowingCallable action) {
    String message = catchThrowableOfType(WorkloadException.class, action).getMessage();
    assertThat(ForeignText.isPlain(message)).as("one line: %s", message).isTrue();
    assertThat(message.getBytes(StandardCharsets.UTF_8).length)
        .as("bytes")
        .isLessThanOrEqualTo(ForeignText.MAX_MESSAGE_BYTES);
    return message;
  }

  @Test
  void thePathOfAWindowForgesNoLine() {
    describingAWindow("ring", "/run/" + FORGED.replace("\u0000", ""));
    assertThat(messageOf(client::describe)).contains("/run/x\\n2026-01-01").contains("\\u202e");
  }

  @Test
  void aPathWithANulForgesNoLine() {
    describingAWindow("ring", "/run/" + FORGED);
    assertThat(messageOf(client::describe))
        .contains("window ring: this agent, whose file names are in ")
        .contains(System.getProperty("sun.jnu.encoding") + ", can name no file /run/x");
  }

  @Test
  void thePathOfAWindowHasABoundInMessages() {
    describingAWindow("ring", "/run/" + "機".repeat(15_000));
    assertThat(messageOf(client::describe))
        .contains("(cut, ")
        .as("what to do is said at the end")
        .endsWith("mend its declaration.");
  }

  @Test
  void aWindowsNameIsRefusedAndNotRepeated() {
    describingAWindow("ring" + FORGED, "/run/ring");
    assertThat(messageOf(client::describe))
        .contains("every window needs a name")
        .doesNotContain("ring");
  }

  @Test
  void theTextOfARefusalForgesNoLine() {
    ObjectNode refusal = JSON.createObjectNode().put("ok", false).put("error", FORGED);
    workload.answering(line -> refusal + "\n");
    assertThat(messageOf(() -> client.pause("u/1"))).contains("x\\n2026-01-01").contains("\\u2028");
  }

  @Test
  void aLongRefusalKeepsItsEnd() {
    ObjectNode refusal =
        JSON.createObjectNode()
            .put("ok", false)
            .put("error", "ring 7 is stuck: " + "x".repeat(60_000) + " Reset the ring.");
    workload.answering(line -> refusal + "\n");
    assertThat(messageOf(() -> client.pause("u/1")))
        .contains("ring 7 is stuck")
        .contains("(cut, 60033 characters)")
        .contains("Reset the ring.");
  }

  @Test
  void whatIsNoJsonForgesNoLine() {
    workload.describing(FORGED.replace("\n", ""));
    messageOf(client::describe);
  }

  @Test
  void namesForPeopleAreOneLine() throws IOException {
    ObjectNode description = description().put("workload", FORGED);
    description.putArray("windows");
    describing(description);
    WorkloadDescription said = client.describe();
    assertThat(ForeignText.isPlain(said.workload())).isTrue();
  }

  @Test
  void theNameOfAnotherDeviceForgesNoLine() {
    describing(description().put("device", FORGED));
    assertThat(messageOf(client::describe)).contains("names \"x\\n2026-01-01");
  }

  @Test
  void aStateThatIsNoneForgesNoLine() {
    describing(description().put("state", FORGED));
    messageOf(client::describe);
  }

  /** Read as what they are: no number of bytes, and nothing that takes long to find out. */
  @Test
  void aNumberWithAHugeExponentIsRefusedAtOnce() {
    for (String number : new String[] {"1e999999999", "1e-999999999", "9".repeat(900), "1e99"}) {
      for (String member : new String[] {"iova", "size"}) {
        String window =
            "{\"name\":\"ring\",\"iova\":0,\"size\":4096,\"file\":\"/run/ring\"}"
                .replaceAll("\"" + member + "\":[0-9]+", "\"" + member + "\":" + number);
        workload.describing(
            description().toString().replace("}", ",\"windows\":[" + window + "]}"));
        assertThat(messageOf(client::describe)).contains(member + " must be a number from 0 on");
      }
    }
    workload.describing(description().toString());
    workload.answering(line -> "{\"ok\":false,\"errno\":1e999999999,\"error\":\"no\"}\n");
    messageOf(() -> client.pause("u/1"));
    workload.describing("{\"ok\":true,\"protocol\":1e999999999}");
    messageOf(client::describe);
  }
}
