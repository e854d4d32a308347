package dev.vfio.migration.vfio.device;

/** A device reports a state that its interface does not allow, or that this agent does not know. */
public final class UndefinedStateException extends Exception {
  private static final long serialVersionUID = 1L;

  /**
   * @param reported the state as the device reported it, for the middle of a sentence
   */
  public UndefinedStateException(String reported) {
    super(reported);
  }
}
