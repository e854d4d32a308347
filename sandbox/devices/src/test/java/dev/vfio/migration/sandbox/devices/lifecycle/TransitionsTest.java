package dev.vfio.migration.sandbox.devices.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TransitionsTest {
  /** Columns in the order of the numbers on the wire, as the rows are. */
  private static final String[] ALLOWED = {
    "NONE             . x . . . . x . x .",
    "RUNNING          . . x . . . x . x .",
    "SETUP            . . . x x . . . x x",
    "PRECOPY          . . . . x . . . x x",
    "STOPNCOPY        . . . . . x . . x x",
    "SAVE_COMPLETED   . . . . . . . . x .",
    "RESUME           . . . . . . . x x .",
    "RESUME_COMPLETED . x . . . . . . x .",
    "FAILED           . x . . . . . . x .",
    "CANCELLED        . x . . . . . . x .",
  };

  @Test
  void everyPairOfStatesIsAllowedOrRefusedAsTheTextSays() {
    for (DeviceState from : DeviceState.values()) {
      String[] row = ALLOWED[from.wire()].split(" +");
      assertThat(row[0]).isEqualTo(from.name());
      for (DeviceState to : DeviceState.values()) {
        assertThat(Transitions.allowed(from, to))
            .as("%s to %s", from, to)
            .isEqualTo(row[1 + to.wire()].equals("x"));
      }
    }
  }

  @Test
  void theStatesHaveTheNumbersOfTheText() {
    assertThat(DeviceState.values())
        .extracting(DeviceState::wire)
        .containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    assertThat(DeviceState.ofWire(4)).contains(DeviceState.STOPNCOPY);
    assertThat(DeviceState.ofWire(10)).isEmpty();
    assertThat(DeviceState.ofWire(-1)).isEmpty();
  }
}
