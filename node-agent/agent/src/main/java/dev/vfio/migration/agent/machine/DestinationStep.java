package dev.vfio.migration.agent.machine;

/**
 * Where exactly a destination stands: which work is under way, or what it waits for. Each part of
 * the machine has an enum of its own steps; its {@code switch} names all of them, so that none can
 * be forgotten.
 */
public sealed interface DestinationStep {

  /** What follows once the work is done, or what was awaited has come. */
  Outcome<DestinationState, DestinationAction> next(
      DestinationMachine machine, DestinationState s, DestinationEvent event, Moment now);

  /** What the machine itself takes: the preparation, the taking in and the end. */
  enum MainStep implements DestinationStep {
    NEW,
    OPENING,
    MAPPING,
    JOURNALLING_PREPARED,
    RESETTING,
    RESUMING,
    STARTING_TO_LISTEN,
    LISTENING,
    RECEIVING,
    COMPLETING,
    TRANSFERRING,
    JOURNALLING_LOADED,
    /** All is done but for the entry that says so, which could not be written. */
    END_RESTING,
    STRANDED,
    ENDED,
    /** The session never began: nothing was touched, and whoever asks hears why. */
    REFUSED;

    @Override
    public Outcome<DestinationState, DestinationAction> next(
        DestinationMachine machine, DestinationState s, DestinationEvent event, Moment now) {
      return machine.goOn(this, s, event, now);
    }
  }

  /** The steps of {@link LoadedWatch}. */
  enum WatchStep implements DestinationStep {
    /** No work is under way; waits for the decision, and for the time of the next look. */
    LOADED,
    /** What is loaded, and the workload that is to take it, are being looked at. */
    LOOKING,
    /** The agent came back; the device is being looked at. */
    REOPENING,
    REOPEN_RESTING;

    @Override
    public Outcome<DestinationState, DestinationAction> next(
        DestinationMachine machine, DestinationState s, DestinationEvent event, Moment now) {
      return machine.watch.step(this, s, event, now);
    }
  }

  /** The steps of {@link DestinationActivation}. */
  enum ActivationStep implements DestinationStep {
    JOURNALLING_ACTIVATING,
    ACTIVATE_OPENING,
    ACTIVATE_OPEN_RESTING,
    ACTIVATE_RUNNING,
    JOURNALLING_LOST,
    ACTIVATE_TAKING,
    ACTIVATE_TAKE_RESTING,
    /** The workload says that it runs; the device is looked at before that is reported. */
    ACTIVATE_LOOKING,
    ACTIVATE_LOOK_RESTING,
    JOURNALLING_ACTIVE;

    @Override
    public Outcome<DestinationState, DestinationAction> next(
        DestinationMachine machine, DestinationState s, DestinationEvent event, Moment now) {
      return machine.activation.step(this, s, event, now);
    }
  }

  /** The steps of {@link DestinationDiscard}. */
  enum DiscardStep implements DestinationStep {
    JOURNALLING_DISCARD,
    JOURNALLING_GIVEN_UP,
    DISCARD_OPENING,
    DISCARD_FAILING,
    DISCARD_RESETTING,
    DISCARD_RESTING,
    TAKING_BACK,
    TAKE_BACK_RESTING,
    JOURNALLING_DISCARDED;

    @Override
    public Outcome<DestinationState, DestinationAction> next(
        DestinationMachine machine, DestinationState s, DestinationEvent event, Moment now) {
      return machine.discard.step(this, s, event);
    }
  }
}
