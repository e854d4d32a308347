package dev.vfio.migration.agent.machine;

/** What exactly a source is about: the work that is out, or what it waits for. */
public enum SourceStep {
  NEW,
  JOURNALLING_START,
  OPENING,
  MAPPING,
  CONNECTING,
  SETTING_RUNNING,
  SETTING_UP,
  ENTERING_PRECOPY,
  /** COLD: nothing is out; waits for the switch-over. */
  READY,

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
  ENDING,
  /** Nothing is out but, at most, the destination's word; waits for the decision. */
  AWAITING_DECISION,

  JOURNALLING_COMMIT,
  COMPLETE_REOPENING,
  COMPLETE_SAVING,
  COMPLETE_RELEASING,
  COMPLETE_RESETTING,
  COMPLETE_RESET_RESTING,
  COMPLETE_RESET_REOPENING,
  /** The last look at a device that could not be reset, after it was closed. */
  COMPLETE_LOOKING,
  COMPLETE_RESTING,
  JOURNALLING_COMPLETED,

  JOURNALLING_ROLL_BACK,
  ROLL_BACK_OPENING,
  ROLL_BACK_OPEN_RESTING,
  ROLL_BACK_LEAVING,
  ROLL_BACK_LEAVING_OTHERWISE,
  ROLL_BACK_RUNNING,
  ROLL_BACK_RESUMING,
  ROLL_BACK_RESUME_RESTING,
  ROLL_BACK_RESETTING,
  JOURNALLING_ROLLED_BACK,
  /** All is done but for the entry that says so, which could not be written. */
  END_RESTING,
  STRANDED,
  ENDED,
  /** It never began: nothing was touched, and whoever asks hears why. */
  REFUSED
}
