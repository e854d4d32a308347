package dev.vfio.migration.agent.machine;

/** What exactly a destination is about: the work that is out, or what it waits for. */
public enum DestinationStep {
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
  /** Nothing is out; waits for the decision, and for the time of the next look. */
  LOADED,
  /** What is loaded, and the workload that is to take it, are being looked at. */
  LOOKING,
  /** The agent came back; the device is being looked at. */
  REOPENING,
  REOPEN_RESTING,

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
  JOURNALLING_ACTIVE,

  JOURNALLING_DISCARD,
  DISCARD_OPENING,
  DISCARD_FAILING,
  DISCARD_RESETTING,
  DISCARD_RESTING,
  TAKING_BACK,
  TAKE_BACK_RESTING,
  JOURNALLING_DISCARDED,
  /** All is done but for the entry that says so, which could not be written. */
  END_RESTING,
  STRANDED,
  ENDED,
  /** It never began: nothing was touched, and whoever asks hears why. */
  REFUSED
}
