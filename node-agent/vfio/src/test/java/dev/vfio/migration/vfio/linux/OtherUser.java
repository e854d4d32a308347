package dev.vfio.migration.vfio.linux;

import com.sun.jna.Platform;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Assumptions;

/**
 * Does something as another user, which takes root. Linux keeps the user of each thread, and the C
 * library's call would change them all: the system call changes the one that ends afterwards.
 */
public final class OtherUser {
  private static final int SETRESUID = Platform.isIntel() ? 117 : 147;

  private OtherUser() {}

  /** Skips the test where there is but one user that this process can be. */
  public static void assumeRoot() {
    Assumptions.assumeTrue(
        "root".equals(System.getProperty("user.name")), "only root can be several users");
  }

  /** Runs it in a thread of that user. */
  public static <T> T run(int user, Callable<T> what) throws Exception {
    FutureTask<T> task =
        new FutureTask<>(
            () -> {
              if (LibC.syscall(SETRESUID, user, user, user, 0, 0) < 0) {
                throw new ErrnoException("setresuid(" + user + ")", LibC.lastErrno());
              }
              return what.call();
            });
    Thread thread = new Thread(task, "user " + user);
    thread.start();
    return task.get();
  }
}
