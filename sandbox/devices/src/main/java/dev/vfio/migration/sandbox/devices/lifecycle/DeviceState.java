package dev.vfio.migration.sandbox.devices.lifecycle;

import java.util.Optional;

/**
 * The ten states of the 2018 migration region, as this device model reads the text. The ordinal of
 * each is its number on the wire ({@code VFIO_DEVICE_STATE_*} in the text's enum).
 */
public enum DeviceState {
  NONE("initialized, holds no state"),
  RUNNING("serves its workload"),
  SETUP("serves its workload, logs what becomes dirty"),
  PRECOPY("serves its workload, hands out state"),
  STOPNCOPY("stopped, hands out the rest of its state"),
  SAVE_COMPLETED("has given its state away"),
  RESUME("takes state in"),
  RESUME_COMPLETED("holds a complete state, not started yet"),
  FAILED("a migration failed here"),
  CANCELLED("a migration was cancelled here");

  private static final DeviceState[] BY_WIRE = values();

  private final String description;

  DeviceState(String description) {
    this.description = description;
  }

  public String description() {
    return description;
  }

  /** The number that stands for this state in {@code device_state}. */
  public int wire() {
    return ordinal();
  }

  /** The state a {@code device_state} value names; empty for numbers the text does not define. */
  public static Optional<DeviceState> ofWire(int wire) {
    return wire >= 0 && wire < BY_WIRE.length ? Optional.of(BY_WIRE[wire]) : Optional.empty();
  }

  /** SETUP, PRECOPY and STOPNCOPY: the device keeps track of what has become dirty. */
  public boolean saving() {
    return this == SETUP || this == PRECOPY || this == STOPNCOPY;
  }

  /** PRECOPY and STOPNCOPY: the device hands out buffers. */
  public boolean handsOutBuffers() {
    return this == PRECOPY || this == STOPNCOPY;
  }
}
