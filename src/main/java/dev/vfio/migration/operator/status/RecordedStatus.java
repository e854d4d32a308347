package dev.vfio.migration.operator.status;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;

/**
 * A status in groups. Immutable; {@link StatusWriter} turns it into {@link DeviceMigrationStatus}.
 */
record RecordedStatus(
    PhaseHistory phases,
    HandoverRecord handover,
    DeviceRecord devices,
    CopyProgress progress,
    Pause pause,
    Conditions conditions) {}
