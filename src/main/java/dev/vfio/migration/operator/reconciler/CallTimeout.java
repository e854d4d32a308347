package dev.vfio.migration.operator.reconciler;

import java.time.Duration;

/** How long one call to an agent may take. */
public record CallTimeout(Duration length) {}
