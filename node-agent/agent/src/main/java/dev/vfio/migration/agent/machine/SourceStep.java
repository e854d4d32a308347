package dev.vfio.migration.agent.machine;

/**
 * Where exactly a source stands: which work is under way, or what it waits for. Each part of the
 * machine has an enum of its own steps; its {@code switch} names all of them, so that none can be
 * forgotten.
 */
public sealed interface SourceStep {

  /** What follows once the work is done, or what was awaited has come. */
  Outcome<SourceState, SourceAction> next(
      SourceMachine machine, SourceState s, SourceEvent event, Moment now);

  /** What the machine itself takes: the set-up, the waits and the end. */
  enum MainStep implements SourceStep {
    NEW,
    JOURNALLING_START,
    OPENING,
    MAPPING,
    CONNECTING,
    SETTING_RUNNING,
    SETTING_UP,
    ENTERING_PRECOPY,
    /** COLD: no work is under way; waits for the switch-over. */
    READY,
    /**
     * No work is under way; may still listen for the destination's word, and waits for the
     * decision.
     */
    AWAITING_DECISION,
    /** All is done but for the entry that says so, which could not be written. */
    END_RESTING,
    STRANDED,
    ENDED,
    /** The session never began: nothing was touched, and whoever asks hears why. */
    REFUSED;

    @Override
    public Outcome<SourceState, SourceAction> next(
        SourceMachine machine, SourceState s, SourceEvent event, Moment now) {
      return machine.goOn(this, s, event, now);
    }
  }

  /** The steps of {@link SourceCopying}. */
  enum CopyingStep implements SourceStep {
    ROUND_PENDING,
    ROUND_STATE,
    ROUND_DIRTY,
    ROUND_MEMORY,
    ROUND_REST,
    JOURNALLING_SWITCH_OVER,
    PAUSING,
    MARKING_PAUSE,
    STOPPING,
    /** How much the stopped device says it has. */
    LAST_SIZING,
    LAST_DIRTY,
    LAST_MEMORY,
    LAST_STATE,
    LAST_PENDING,
    /** Nothing is pending: the device and what was sent are looked at before that is believed. */
    LAST_LOOK,
    JOURNALLING_END,
    ENDING;

    @Override
    public Outcome<SourceState, SourceAction> next(
        SourceMachine machine, SourceState s, SourceEvent event, Moment now) {
      return machine.copying.step(this, s, event, now);
    }
  }

  /** The steps of {@link SourceCompletion}. */
  enum CompletionStep implements SourceStep {
    JOURNALLING_COMMIT,
    COMPLETE_REOPENING,
    COMPLETE_SAVING,
    COMPLETE_RELEASING,
    COMPLETE_RESTING,
    JOURNALLING_COMPLETED;

    @Override
    public Outcome<SourceState, SourceAction> next(
        SourceMachine machine, SourceState s, SourceEvent event, Moment now) {
      return machine.completion.step(this, s, event);
    }
  }

  /** The steps of {@link SourceRelease}. */
  enum ReleaseStep implements SourceStep {
    COMPLETE_RESETTING,
    COMPLETE_RESET_RESTING,
    COMPLETE_RESET_REOPENING,
    /** The last look at a device that could not be reset, after it was closed. */
    COMPLETE_LOOKING;

    @Override
    public Outcome<SourceState, SourceAction> next(
        SourceMachine machine, SourceState s, SourceEvent event, Moment now) {
      return machine.release.step(this, s, event);
    }
  }

  /** The steps of {@link SourceRollBack}. */
  enum RollBackStep implements SourceStep {
    JOURNALLING_ROLL_BACK,
    ROLL_BACK_OPENING,
    ROLL_BACK_OPEN_RESTING,
    ROLL_BACK_LEAVING,
    ROLL_BACK_LEAVING_OTHERWISE,
    ROLL_BACK_RUNNING,
    ROLL_BACK_RESUMING,
    ROLL_BACK_RESUME_RESTING,
    ROLL_BACK_RESETTING,
    JOURNALLING_ROLLED_BACK;

    @Override
    public Outcome<SourceState, SourceAction> next(
        SourceMachine machine, SourceState s, SourceEvent event, Moment now) {
      return machine.rollBack.step(this, s, event, now);
    }
  }
}
