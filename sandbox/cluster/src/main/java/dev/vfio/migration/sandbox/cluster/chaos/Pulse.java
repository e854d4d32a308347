package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.process.RunningProcess;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** A process that stands still for most of the time, by SIGSTOP and SIGCONT, in a thread. */
final class Pulse {
  private static final long STILL_MILLIS = 180;
  private static final long MOVING_MILLIS = 40;

  private final RunningProcess process;
  private final CountDownLatch over = new CountDownLatch(1);
  private final Thread thread = new Thread(this::run, "pulse");
  private volatile Exception failure;

  private Pulse(RunningProcess process) {
    this.process = process;
  }

  static Pulse begin(RunningProcess process) {
    Pulse pulse = new Pulse(process);
    pulse.thread.setDaemon(true);
    pulse.thread.start();
    return pulse;
  }

  private void run() {
    try {
      boolean more = true;
      while (more) {
        process.suspend();
        more = !over.await(STILL_MILLIS, TimeUnit.MILLISECONDS);
        process.proceed();
        more = more && !over.await(MOVING_MILLIS, TimeUnit.MILLISECONDS);
      }
    } catch (IOException e) {
      failure = e;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      failure = e;
    }
  }

  /** From here on it goes on as usual. */
  void end() throws IOException, InterruptedException {
    over.countDown();
    thread.join();
    if (failure != null) {
      throw new IOException(process.name() + " could not be slowed down", failure);
    }
  }
}
