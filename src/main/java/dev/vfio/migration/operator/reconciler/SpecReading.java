package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.decision.Decision;
import dev.vfio.migration.operator.decision.Decisions;
import dev.vfio.migration.operator.decision.Observation;
import dev.vfio.migration.operator.record.StatusRecord;
import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.spec.Settings;
import java.util.Optional;

/**
 * A spec, as far as it can be carried out.
 *
 * @param problem what is wrong with it, where the migration is under way all the same
 */
record SpecReading(Settings settings, Optional<InvalidSpecException> problem) {

  /**
   * @throws InvalidSpecException where it cannot be carried out, and nothing was begun or not even
   *     both devices are known
   */
  static SpecReading of(DeviceMigration migration) throws InvalidSpecException {
    try {
      return new SpecReading(Settings.of(migration.getSpec()), Optional.empty());
    } catch (InvalidSpecException invalid) {
      Optional<Settings> remains =
          StatusRecord.statusOf(migration).phaseOrPending().untouched()
              ? Optional.empty()
              : Settings.remainsOf(migration.getSpec());
      return new SpecReading(remains.orElseThrow(() -> invalid), Optional.of(invalid));
    }
  }

  Decision decide(Observation seen) {
    return problem
        .map(invalid -> Decisions.underWay(seen, invalid))
        .orElseGet(() -> Decisions.decide(seen));
  }
}
