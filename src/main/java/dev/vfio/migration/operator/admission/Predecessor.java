package dev.vfio.migration.operator.admission;

import dev.vfio.migration.operator.api.DeviceLocation;

/** The migration that must end before this one may start, and the device that both want. */
public record Predecessor(String qualifiedName, DeviceLocation device) {}
