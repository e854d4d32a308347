package dev.vfio.migration.sandbox.cluster.process;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** A process that was started by the supervisor. Safe for use by several threads. */
public final class RunningProcess {
  private static final long ASK_AGAIN_MILLIS = 20;

  private final ProcessSpec spec;
  private final Process process;
  private final long logOffset;

  RunningProcess(ProcessSpec spec, Process process, long logOffset) {
    this.spec = spec;
    this.process = process;
    this.logOffset = logOffset;
  }

  public String name() {
    return spec.name();
  }

  public ProcessSpec spec() {
    return spec;
  }

  public long pid() {
    return process.pid();
  }

  public Path log() {
    return spec.log();
  }

  /** Bytes that the log held before this process was started. */
  public long logOffset() {
    return logOffset;
  }

  public boolean alive() {
    return process.isAlive();
  }

  /**
   * Waits until it is ready.
   *
   * @throws ProcessException where it ended first or was not ready in time
   */
  public RunningProcess awaitReady(Readiness readiness, Duration bound)
      throws ProcessException, InterruptedException {
    long deadline = System.nanoTime() + bound.toNanos();
    while (!readiness.ready()) {
      if (process.waitFor(ASK_AGAIN_MILLIS, TimeUnit.MILLISECONDS)) {
        throw new ProcessException(
            "%s ended with exit code %d before it was ready%s"
                .formatted(name(), process.exitValue(), new ProcessLog(log()).ending()));
      }
      if (System.nanoTime() > deadline) {
        throw new ProcessException(
            "%s was not ready within %d s%s"
                .formatted(name(), bound.toSeconds(), new ProcessLog(log()).ending()));
      }
    }
    return this;
  }

  /** SIGTERM, without waiting. */
  public void terminate() {
    process.destroy();
  }

  /** SIGKILL, and waits until the kernel has taken it away. */
  public void kill() {
    process.destroyForcibly();
    waitUninterruptibly(Long.MAX_VALUE);
  }

  /** SIGTERM; SIGKILL where it still runs after {@code bound}. */
  public void end(Duration bound) {
    terminate();
    awaitEnd(bound);
  }

  /** Waits for its end after {@link #terminate()}; SIGKILL where it still runs after that time. */
  void awaitEnd(Duration bound) {
    if (!waitUninterruptibly(Math.max(1, bound.toMillis()))) {
      kill();
    }
  }

  /** Not to be interrupted: whoever ends a process must know that it ended. */
  private boolean waitUninterruptibly(long millis) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return process.waitFor(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /**
   * Waits until it has done its work and ended by itself.
   *
   * @throws ProcessException where it did not, or ended with an exit code other than 0
   */
  public void awaitExit(Duration bound) throws ProcessException, InterruptedException {
    if (!process.waitFor(bound.toMillis(), TimeUnit.MILLISECONDS)) {
      throw new ProcessException(
          "%s did not end within %d s%s"
              .formatted(name(), bound.toSeconds(), new ProcessLog(log()).ending()));
    }
    if (process.exitValue() != 0) {
      throw new ProcessException(
          "%s ended with exit code %d%s"
              .formatted(name(), process.exitValue(), new ProcessLog(log()).ending()));
    }
  }

  /** SIGSTOP: it stands still, its sockets stay open. */
  public void suspend() throws IOException, InterruptedException {
    signal("STOP");
  }

  /** SIGCONT after {@link #suspend()}. */
  public void proceed() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String signal) throws IOException, InterruptedException {
    // The shell's own: the program kill is a package that a small machine does not have.
    int exit =
        new ProcessBuilder("sh", "-c", "kill -%s %d".formatted(signal, pid()))
            .inheritIO()
            .start()
            .waitFor();
    if (exit != 0) {
      throw new ProcessException("%s (pid %d) did not take SIG%s".formatted(name(), pid(), signal));
    }
  }

  /** The most memory it has held so far, in bytes: VmHWM of /proc/PID/status. */
  public long peakResidentBytes() throws IOException {
    Path status = Path.of("/proc", Long.toString(pid()), "status");
    for (String line : Files.readAllLines(status)) {
      if (line.startsWith("VmHWM:")) {
        return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
      }
    }
    throw new ProcessException("%s has no VmHWM in %s".formatted(name(), status));
  }
}
