package dev.vfio.migration.vfio.linux;

/**
 * Counts the users of something that the kernel frees at once, and frees it when the last user
 * leaves. Otherwise another file could get the number that a call still uses, and other memory the
 * address of a mapping that is still copied. Safe for use by several threads.
 */
final class Usage {
  private final Runnable free;
  private int users;
  private boolean ended;

  /**
   * @param free runs once, in the thread that leaves last
   */
  Usage(Runnable free) {
    this.free = free;
  }

  /**
   * Begins a use, which {@link #leave()} ends.
   *
   * @param call for the message of a failure
   * @throws ErrnoException EBADF after {@link #end()}
   */
  synchronized void enter(String call) throws ErrnoException {
    if (ended) {
      throw new ErrnoException(call + " after it was closed here", Errno.EBADF.number());
    }
    users++;
  }

  void leave() {
    boolean last;
    synchronized (this) {
      users--;
      last = ended && users == 0;
    }
    if (last) {
      free.run();
    }
  }

  /** Lets no further use begin. Does not wait. Safe to call again. */
  void end() {
    boolean last;
    synchronized (this) {
      last = !ended && users == 0;
      ended = true;
    }
    if (last) {
      free.run();
    }
  }
}
