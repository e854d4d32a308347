package dev.vfio.migration.sandbox.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The module's trace says which device worked and when. */
class DeviceTraceTest {
  private static final String ID = "6b0e5f0c-2f10-4a39-9d0b-1c7a3e1f2a11";

  @Test
  void aSourceThatWasLeftStoppedWhenItStoppedLast() throws Exception {
    DeviceTrace trace =
        trace(
            line(1, "open", "NONE", "NONE", 0),
            line(2, "state", "NONE", "RUNNING", 0),
            line(3, "state", "RUNNING", "SETUP", 0),
            line(4, "state", "SETUP", "PRECOPY", 0),
            line(5, "state", "PRECOPY", "STOPNCOPY", 0),
            line(6, "state", "STOPNCOPY", "SAVE_COMPLETED", 0));

    assertThat(trace.working()).isFalse();
    assertThat(trace.lastStopped()).hasValue(5);
    assertThat(trace.states())
        .containsExactly("RUNNING", "SETUP", "PRECOPY", "STOPNCOPY", "SAVE_COMPLETED");
  }

  @Test
  void aSourceThatCameBackWorks() throws Exception {
    DeviceTrace trace =
        trace(
            line(1, "state", "001-RUNNING", "011-PRE-COPY", 0),
            line(2, "state", "011-PRE-COPY", "010-STOP-COPY", 0),
            line(3, "state", "010-STOP-COPY", "001-RUNNING", 0));

    assertThat(trace.working()).isTrue();
  }

  @Test
  void aStateThatWasRefusedWasNotEntered() throws Exception {
    DeviceTrace trace =
        trace(
            line(1, "state", "NONE", "RESUME", 0),
            line(2, "load-failed", "RESUME", "RESUME", -5),
            line(3, "state", "RESUME", "RUNNING", -22));

    assertThat(trace.states()).containsExactly("RESUME");
    assertThat(trace.firstWorked()).isEmpty();
    assertThat(trace.working()).isFalse();
  }

  @Test
  void aDeviceOfTheThirdInterfaceStandsFromTheP2pStatesOn() throws Exception {
    DeviceTrace trace =
        trace(
            line(1, "open", "-", "RUNNING", 0),
            line(2, "log-start", "RUNNING", "RUNNING", 0),
            line(3, "state", "RUNNING", "PRE_COPY", 0),
            line(4, "state", "PRE_COPY", "PRE_COPY_P2P", 0),
            line(5, "state", "PRE_COPY_P2P", "STOP_COPY", 0),
            line(6, "log-report", "STOP_COPY", "STOP_COPY", -95),
            line(7, "state", "STOP_COPY", "STOP", 0));

    assertThat(trace.lastStopped()).hasValue(4);
    assertThat(trace.working()).isFalse();
    assertThat(trace.results("log-start")).containsExactly(0);
    assertThat(trace.results("log-report")).containsExactly(-95);
  }

  @Test
  void theBytesThatWereSentAreThoseOfTheLastSave() throws Exception {
    DeviceTrace trace =
        trace(
            line(1, "state", "RUNNING", "PRE_COPY", 0),
            line(2, "state", "PRE_COPY", "STOP_COPY", 0).replace("sent=0", "sent=900"),
            line(3, "state", "STOP_COPY", "STOP", 0).replace("sent=0", "sent=1000"),
            line(4, "close", "STOP", "-", 0));

    assertThat(trace.sent()).isEqualTo(1000);
  }

  @Test
  void anotherLineIsNotGuessedAt() {
    assertThatThrownBy(() -> DeviceTrace.parse("1 2 3 " + ID + " 2018 state RUNNING"))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("not a line of the module's trace");
  }

  private static DeviceTrace trace(String... lines) throws IOException {
    List<DeviceTrace.Event> events = new ArrayList<>();
    for (String line : lines) {
      events.add(DeviceTrace.parse(line));
    }
    return new DeviceTrace(events);
  }

  private static String line(long time, String event, String from, String to, int result) {
    return "%d %d %d %s 2018 %s %s %s result=%d step=4 sent=0 loaded=0 pid=7 comm=java"
        .formatted(time, time + 100, time, ID, event, from, to, result);
  }
}
