package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;

/**
 * A device at one moment. Immutable.
 *
 * @param holdsState whether it could run
 * @param bytesOut bytes of chunks handed out since the last SETUP
 * @param bytesIn bytes of chunks taken in since the last RESUME
 * @param missingPages pages that have not arrived, in RESUME
 * @param dirtyWindowPages pages of the window that the dirty log holds
 */
public record DeviceSnapshot(
    DeviceState state,
    boolean holdsState,
    long step,
    long chain,
    PendingBytes pending,
    long bytesOut,
    long bytesIn,
    long missingPages,
    long dirtyWindowPages) {}
