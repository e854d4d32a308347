package dev.vfio.migration.operator.decision;

/**
 * What one phase decides. Each class begins with what it decides and which phase follows when;
 * {@link Decisions} chooses the class.
 */
sealed interface PhaseDecision
    permits PendingPhase,
        ValidatingPhase,
        BegunPhase,
        CommittedPhase,
        SucceededPhase,
        CommittedContradiction,
        RollingBackPhase,
        RolledBackEnd {

  Decision decide();
}
