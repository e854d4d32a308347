package dev.vfio.migration.sandbox.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(120)
class LineProtocolsTest {
  private LiveDevice device;

  @BeforeEach
  void start() throws IOException {
    device = LiveDevice.start("node-a", "running", "--state-size 1MiB --memory-size 64KiB");
  }

  @AfterEach
  void stop() throws IOException {
    device.close();
  }

  @Test
  void describeNamesTheWorkloadItsDeviceAndItsWindows() throws IOException {
    try (LineClient workload = device.workload()) {
      assertThat(workload.ask("{'op':'describe'}"))
          .containsEntry("ok", true)
          .containsEntry("protocol", 1)
          .containsEntry("workload", "counter")
          .containsEntry("state", "running")
          .containsEntry("device", "gpu-0")
          .containsEntry(
              "windows",
              List.of(
                  Map.of(
                      "name",
                      "ring",
                      "iova",
                      4294967296L,
                      "size",
                      65536,
                      "logged",
                      true,
                      "file",
                      device.directory().resolve("node-a.gpu-0.ring").toString())));
    }
  }

  @Test
  void aDeviceThatWritesIntoNoMemoryHasNoWindows() throws IOException {
    try (LiveDevice bare =
            LiveDevice.start("node-b", "waiting", "--state-size 4KiB --memory-size 0");
        LineClient workload = bare.workload()) {
      assertThat(workload.ask("{'op':'describe'}"))
          .containsEntry("state", "waiting")
          .containsEntry("windows", List.of());
    }
  }

  @Test
  void severalConnectionsSeeTheSameWorkload() throws IOException {
    try (LineClient first = device.workload();
        LineClient second = device.workload()) {
      assertThat(first.ask("{'op':'pause','migration':'uid/1'}")).containsEntry("ok", true);
      assertThat(second.ask("{'op':'describe'}")).containsEntry("state", "paused");
      assertThat(second.ask("{'op':'resume','migration':'other/1'}"))
          .containsEntry("ok", false)
          .containsEntry("errno", 16)
          .containsEntry("error", "the workload was paused by migration uid/1, not by other/1");
      assertThat(second.ask("{'op':'resume','migration':'uid/1'}")).containsEntry("ok", true);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "hello",
        "[]",
        "{'op':'describe'",
        "{'op':'describe'} {}",
        "{}",
        "{'op':7}",
        "{'op':'sing'}",
        "{'op':'pause'}",
        "{'op':'pause','migration':''}",
        "{'op':'pause','migration':'uid'}"
      })
  void whatIsNoRequestIsRefusedAndTheConnectionGoesOn(String line) throws IOException {
    try (LineClient workload = device.workload()) {
      assertThat(workload.ask(line)).containsEntry("ok", false).containsEntry("errno", 22);
      assertThat(workload.ask("{'op':'describe'}")).containsEntry("ok", true);
    }
  }

  @Test
  void aLineThatIsTooLongEndsTheConnection() throws IOException {
    try (LineClient workload = device.workload()) {
      assertThat(workload.ask("{'op':'" + "x".repeat(64 * 1024) + "'}"))
          .containsEntry("errno", 22)
          .containsEntry("error", "a line is at most 65536 bytes");
    }
  }

  @Test
  void theConsoleShowsVerifiesAndChangesRates() throws IOException {
    try (LineClient console = device.console()) {
      console.ask("{'op':'fault','spec':'stall=SETUP:1'}");
      assertThat(console.ask("{'op':'status'}"))
          .containsEntry("state", "RUNNING")
          .containsEntry("workload", "running")
          .containsEntry("faults", List.of("stall=SETUP:1"));
      assertThat(console.ask("{'op':'verify'}"))
          .containsEntry("ok", true)
          .containsEntry("continuity", "ok")
          .containsEntry("bytes", (1 << 20) + (1 << 16));
      assertThat(console.ask("{'op':'rates','dirty':'1GiB/s','memory':'0'}"))
          .containsEntry("ok", true);
      device.awaitStep(device.device().device().stepNumber() + 20);
      assertThat(console.ask("{'op':'verify'}")).containsEntry("continuity", "ok");
      assertThat(console.ask("{'op':'rates','dirty':'fast','memory':'0'}"))
          .containsEntry("ok", false);
      console.ask("{'op':'fault','spec':'double-step*1'}");
      device.awaitStep(device.device().device().stepNumber() + 2);
      assertThat(console.ask("{'op':'verify'}")).containsEntry("continuity", "broken");
    }
    assertThat(device.events("continuity"))
        .extracting("result")
        .containsExactly("ok", "ok", "broken");
  }

  @Test
  void aDeviceWithoutAStateCannotBeVerified() throws IOException {
    try (LiveDevice waiting = LiveDevice.start("node-b", "waiting", "--state-size 4KiB");
        LineClient console = waiting.console()) {
      assertThat(console.ask("{'op':'verify'}"))
          .containsEntry("ok", false)
          .containsEntry("error", "the device holds no state in NONE");
    }
  }
}
