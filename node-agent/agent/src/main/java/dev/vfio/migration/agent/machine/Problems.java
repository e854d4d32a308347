package dev.vfio.migration.agent.machine;

/**
 * What went wrong in a session so far.
 *
 * @param failure why the migration does not go on, null where nothing went wrong
 * @param notReset why the device was released without the reset that it needs, null where it was
 *     reset or that is not due yet
 * @param obstacle what is in the way of ending the session, null where nothing is
 * @param tries of what is being retried
 */
record Problems(Failure failure, Failure notReset, Failure obstacle, int tries) {
  static final Problems NONE = new Problems(null, null, null, 0);

  /** What watchers see: the obstacle first. */
  Failure reported() {
    return obstacle != null ? obstacle : failure;
  }

  Problems withFailure(Failure value) {
    return new Problems(value, notReset, obstacle, tries);
  }

  Problems withNotReset(Failure value) {
    return new Problems(failure, value, obstacle, tries);
  }

  Problems withObstacle(Failure value) {
    return new Problems(failure, notReset, value, tries);
  }

  Problems withTries(int value) {
    return new Problems(failure, notReset, obstacle, value);
  }
}
