package dev.vfio.migration.vfio.linux;

import com.sun.jna.Platform;
import java.time.Duration;

/**
 * A process, pinned by a pidfd: its number cannot be given to another process as far as this is
 * concerned. Safe for use by several threads.
 *
 * <p>Source: {@code pidfd_open(2)}, {@code pidfd_getfd(2)}, {@code pidfd_send_signal(2)}, {@code
 * kcmp(2)}. The three pidfd calls have one number on every architecture; {@code kcmp} has not.
 */
public final class ProcessDescriptor implements AutoCloseable {
  static final int PIDFD_SEND_SIGNAL = 424;
  static final int PIDFD_OPEN = 434;
  static final int PIDFD_GETFD = 438;
  static final int KCMP_X86_64 = 312;
  static final int KCMP_GENERIC = 272;
  static final int KCMP_FILE = 0;
  static final int SIGKILL = 9;

  private final long process;
  private final Descriptor descriptor;

  private ProcessDescriptor(long process, Descriptor descriptor) {
    this.process = process;
    this.descriptor = descriptor;
  }

  /**
   * Pins a process. Whether it is the one that was meant is the caller's to check afterwards, by
   * what cannot change while it is pinned.
   *
   * @throws ErrnoException ESRCH where there is none, ENOSYS before Linux 5.3
   */
  public static ProcessDescriptor open(long process) throws ErrnoException {
    long answer = LibC.syscall(PIDFD_OPEN, process, 0, 0, 0, 0);
    if (answer < 0) {
      throw new ErrnoException("pidfd_open(" + process + ")", LibC.lastErrno());
    }
    return new ProcessDescriptor(process, new Descriptor((int) answer));
  }

  public long process() {
    return process;
  }

  /**
   * Duplicates one of its file descriptors, without its doing. The duplicate keeps what is behind
   * it open until it is closed, whatever becomes of the process.
   *
   * @throws ErrnoException EBADF where it has no such descriptor, EPERM without CAP_SYS_PTRACE,
   *     ESRCH where it has ended, ENOSYS before Linux 5.6
   */
  public Descriptor duplicate(int number) throws ErrnoException {
    long answer = LibC.syscall(PIDFD_GETFD, descriptor.number(), number, 0, 0, 0);
    if (answer < 0) {
      throw new ErrnoException(
          "pidfd_getfd of descriptor " + number + " of process " + process, LibC.lastErrno());
    }
    return new Descriptor((int) answer);
  }

  /**
   * Sends SIGKILL; nothing where it has ended.
   *
   * @throws ErrnoException EPERM where that is not allowed
   */
  public void kill() throws ErrnoException {
    long answer = LibC.syscall(PIDFD_SEND_SIGNAL, descriptor.number(), SIGKILL, 0, 0, 0);
    if (answer < 0 && LibC.lastErrno() != Errno.ESRCH.number()) {
      throw new ErrnoException("pidfd_send_signal to process " + process, LibC.lastErrno());
    }
  }

  /** Whether the process has ended, reaped or not. */
  public boolean ended() throws ErrnoException {
    return awaitEnd(Duration.ZERO);
  }

  /**
   * Waits until it has ended.
   *
   * @return false where it had not within that time
   */
  public boolean awaitEnd(Duration timeout) throws ErrnoException {
    PollSet one = new PollSet();
    int place = one.add(descriptor, PollSet.IN);
    return one.await(timeout) && one.ready(place);
  }

  /**
   * Whether two descriptors are duplicates of one open file, of whichever processes.
   *
   * @throws ErrnoException EBADF or ESRCH where one does not exist, EPERM without CAP_SYS_PTRACE,
   *     ENOSYS where the kernel was built without {@code kcmp}
   */
  public static boolean sameFile(long process, int number, long otherProcess, int otherNumber)
      throws ErrnoException {
    long call = Platform.isIntel() ? KCMP_X86_64 : KCMP_GENERIC;
    long answer = LibC.syscall(call, process, otherProcess, KCMP_FILE, number, otherNumber);
    if (answer < 0) {
      throw new ErrnoException(
          String.format(
              "kcmp of descriptor %s of process %s with descriptor %s of process %s",
              number, process, otherNumber, otherProcess),
          LibC.lastErrno());
    }
    return answer == 0;
  }

  @Override
  public void close() {
    descriptor.close();
  }
}
