package dev.vfio.migration.vfio.linux;

import java.lang.ref.Reference;

/** Makes a call of {@link LibC} again for as long as signals interrupt it. */
final class SystemCall {
  /** The call. A buffer whose address it passes on stays reachable until the call returns. */
  @FunctionalInterface
  interface Call {
    long make() throws ErrnoException;
  }

  private SystemCall() {}

  /**
   * Makes the call.
   *
   * @param name for the message of a failure
   * @return what the call answered, at least 0
   * @throws ErrnoException where the kernel refuses, with any errno but EINTR
   */
  static long retried(String name, Call call) throws ErrnoException {
    while (true) {
      long answer = call.make();
      int errno = LibC.lastErrno();
      Reference.reachabilityFence(call);
      if (answer >= 0) {
        return answer;
      }
      if (errno != Errno.EINTR.number()) {
        throw new ErrnoException(name, errno);
      }
    }
  }
}
