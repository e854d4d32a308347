package dev.vfio.migration.sandbox.devices.fault;

/** Everything that can be made to go wrong on demand; see {@link Fault#parse} for the notation. */
public enum FaultKind {
  FAIL_TRANSITION("fail-transition", Argument.STATE_AND_ERRNO, "the move to a state fails"),
  FAIL_BUFFER("fail-buffer", Argument.STATE_AT_BYTES, "get or set buffer fails after some bytes"),
  IGNORE_TRANSITION(
      "ignore-transition",
      Argument.STATE,
      "the move to a state is answered as done and is not made"),
  STALL("stall", Argument.STATE_AND_NUMBER, "the move to a state takes that many milliseconds"),
  SHORT_READ("short-read", Argument.STATE, "reads of the region return half of what was asked"),
  OVERSIZE_DATA("oversize-data", Argument.STATE, "data.size reaches beyond the region"),
  BAD_OFFSET("bad-offset", Argument.STATE_AND_WORD, "data.offset is below 76, or 'beyond'"),
  BAD_BITMAP("bad-bitmap", Argument.WORD, "the bitmap lies beyond the region, or has extra 'bits'"),
  COPIED_BEYOND_TOTAL("copied-beyond-total", Argument.NONE, "copied is larger than total"),
  NEVER_DRY("never-dry", Argument.WORD, "STOPNCOPY always has bytes pending, or endless 'data'"),
  END_EARLY(
      "end-early", Argument.STATE_AT_BYTES, "after some bytes nothing more is said to be there"),
  CHECK_LATE("check-late", Argument.NONE, "whether a state is whole is looked at in RUNNING only"),
  NO_MIGRATION_REGION("no-migration-region", Argument.NONE, "the device has no migration region"),
  STATE_READ_EINVAL("state-read-einval", Argument.NONE, "device_state cannot be read back"),
  STAGE_ON_SIZE(
      "stage-on-size", Argument.NONE, "a read of data.size stages, and data.offset is 0 before it"),
  HALVES_ONLY("halves-only", Argument.NONE, "no access of 8 bytes to a register is taken"),
  ESTIMATE_NOTHING("estimate-nothing", Argument.NONE, "nothing is ever said to be pending"),
  DIRTY_LOG_REFUSED("dirty-log-refused", Argument.ERRNO, "the device cannot log dirty pages"),
  CORRUPT_DATA("corrupt-data", Argument.STATE, "one bit of each chunk is flipped"),
  LOSE_CHUNK("lose-chunk", Argument.STATE, "a chunk is thought to be sent and is not"),
  FORGET_DIRTY("forget-dirty", Argument.NONE, "the dirty log forgets pages of the DMA window"),
  DOUBLE_STEP("double-step", Argument.NONE, "the workload does a step twice"),
  NO_RESET("no-reset", Argument.NONE, "the device offers no reset"),
  FAIL_RESET("fail-reset", Argument.ERRNO, "a reset fails"),
  RESET_KEEPS_STATE("reset-keeps-state", Argument.NONE, "a reset succeeds and changes nothing");

  /** What follows the name of a fault. */
  enum Argument {
    NONE,
    ERRNO,
    WORD,
    STATE,
    STATE_AND_ERRNO,
    STATE_AND_NUMBER,
    STATE_AND_WORD,
    STATE_AT_BYTES
  }

  private final String notation;
  private final Argument argument;
  private final String description;

  FaultKind(String notation, Argument argument, String description) {
    this.notation = notation;
    this.argument = argument;
    this.description = description;
  }

  public String notation() {
    return notation;
  }

  public String description() {
    return description;
  }

  Argument argument() {
    return argument;
  }
}
