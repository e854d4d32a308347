package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import java.util.OptionalLong;

/** As what a replica reconciles: what it may do, and under which number it commands agents. */
sealed interface Mandate {

  /** Whether everything may be done that is decided. */
  boolean leads();

  /** Under which number agents are commanded; empty where nothing may be commanded. */
  OptionalLong fencingNumber(DeviceMigrationStatus status);

  /**
   * The leader's: all of it, under its own number, and nothing while this replica does not hold the
   * lease.
   */
  record OfLeader(FencingNumber fencing) implements Mandate {
    @Override
    public boolean leads() {
      return true;
    }

    @Override
    public OptionalLong fencingNumber(DeviceMigrationStatus status) {
      return OptionalLong.of(fencing.current());
    }
  }

  /** Of a replica that does not lead: what the last leader recorded, under that leader's number. */
  record OfStandby() implements Mandate {
    @Override
    public boolean leads() {
      return false;
    }

    @Override
    public OptionalLong fencingNumber(DeviceMigrationStatus status) {
      try {
        return status.fencingNumber() == null
            ? OptionalLong.empty()
            : OptionalLong.of(Long.parseUnsignedLong(status.fencingNumber()));
      } catch (NumberFormatException damaged) {
        // Written by hand, or by another release: the next leader records its own.
        return OptionalLong.empty();
      }
    }
  }
}
