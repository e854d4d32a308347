package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.device.MigrationFlag;
import java.util.EnumSet;
import java.util.Set;

/**
 * The states of the v2 interface.
 *
 * <p>Source: {@code enum vfio_device_mig_state} in {@code linux/vfio.h}.
 */
enum FeatureState {
  ERROR(0),
  STOP(1, MigrationFlag.STOP_COPY),
  RUNNING(2, MigrationFlag.STOP_COPY),
  STOP_COPY(3, MigrationFlag.STOP_COPY),
  RESUMING(4, MigrationFlag.STOP_COPY),
  RUNNING_P2P(5, MigrationFlag.STOP_COPY, MigrationFlag.P2P),
  PRE_COPY(6, MigrationFlag.STOP_COPY, MigrationFlag.PRE_COPY),
  PRE_COPY_P2P(7, MigrationFlag.STOP_COPY, MigrationFlag.P2P, MigrationFlag.PRE_COPY);

  private final int number;
  private final Set<MigrationFlag> needs;

  FeatureState(int number, MigrationFlag... needs) {
    this.number = number;
    this.needs = needs.length == 0 ? Set.of() : EnumSet.of(needs[0], needs);
  }

  /** The value of {@code device_state}. */
  int number() {
    return number;
  }

  /** Whether a device with these flags has the state. */
  boolean isOf(Set<MigrationFlag> flags) {
    return flags.containsAll(needs);
  }

  /** Whether state is read in it; these states share one data file. */
  boolean saving() {
    return this == PRE_COPY || this == PRE_COPY_P2P || this == STOP_COPY;
  }

  /** The state with that number; null for one that a later kernel has added. */
  static FeatureState of(int number) {
    for (FeatureState state : values()) {
      if (state.number == number) {
        return state;
      }
    }
    return null;
  }
}
