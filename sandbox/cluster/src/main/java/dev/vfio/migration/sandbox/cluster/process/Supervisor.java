package dev.vfio.migration.sandbox.cluster.process;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Starts processes and sees to it that none outlives its purpose. Three lines of defence: {@link
 * #close()}; a shutdown hook for Ctrl-C and SIGTERM; and {@code guard.sh}, a shell process at the
 * other end of a pipe, which ends everything when this process ended without doing so. Safe for use
 * by several threads.
 */
public final class Supervisor implements AutoCloseable {
  private static final Duration END_TIMEOUT = Duration.ofSeconds(5);

  private final ProcessTable table;
  private final List<RunningProcess> processes = new ArrayList<>();
  private final List<Path> directories = new ArrayList<>();
  private final Thread hook = new Thread(this::endEverything, "end-processes");
  private final Process guard;
  private boolean closed;

  private Supervisor(ProcessTable table, Process guard) {
    this.table = table;
    this.guard = guard;
  }

  /**
   * Ends what an earlier sandbox with that table left behind, and begins a new one.
   *
   * @param table file in the work folder
   * @param guardScript {@code guard.sh}
   */
  public static Supervisor open(Path table, Path guardScript)
      throws IOException, InterruptedException {
    Files.createDirectories(table.toAbsolutePath().getParent());
    if (Files.exists(table)) {
      new ProcessBuilder("sh", guardScript.toString(), table.toString(), "--now")
          .inheritIO()
          .start()
          .waitFor();
    }
    Process guard =
        new ProcessBuilder("sh", guardScript.toString(), table.toString())
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    Supervisor supervisor = new Supervisor(new ProcessTable(table), guard);
    Runtime.getRuntime().addShutdownHook(supervisor.hook);
    return supervisor;
  }

  /** Starts it; does not wait until it is ready. */
  public RunningProcess start(ProcessSpec spec) throws IOException {
    Files.createDirectories(spec.directory());
    Files.createDirectories(spec.log().toAbsolutePath().getParent());
    long logOffset = Files.exists(spec.log()) ? Files.size(spec.log()) : 0;
    ProcessBuilder builder =
        new ProcessBuilder(spec.command())
            .directory(spec.directory().toFile())
            .redirectInput(new File("/dev/null"))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(spec.log().toFile()));
    builder.environment().putAll(spec.environment());
    synchronized (this) {
      if (closed) {
        throw new ProcessException(spec.name() + " was not started: the sandbox is ending");
      }
      Process process;
      try {
        process = builder.start();
      } catch (IOException e) {
        throw new ProcessException(
            spec.name() + " cannot be started with " + spec.command().get(0), e);
      }
      RunningProcess running = new RunningProcess(spec, process, logOffset);
      processes.add(running);
      try {
        table.addProcess(process.pid(), spec.name());
      } catch (IOException unknown) {
        // A process that has ended already need not be ended by the guard.
        if (Files.exists(Path.of("/proc", Long.toString(process.pid())))) {
          throw unknown;
        }
      }
      return running;
    }
  }

  /** A folder outside the work folder, removed with everything in it at the end. */
  public synchronized void removeAtTheEnd(Path directory) throws IOException {
    directories.add(directory);
    table.addDirectory(directory);
  }

  /** Every process that was started and still runs. */
  public synchronized List<RunningProcess> running() {
    return processes.stream().filter(RunningProcess::alive).toList();
  }

  /**
   * Lets everything run on after this process; the process table stays, and with it whoever comes
   * next can end it.
   */
  public void leaveRunning() throws IOException {
    synchronized (this) {
      closed = true;
    }
    try (OutputStream input = guard.getOutputStream()) {
      input.write("leave\n".getBytes(StandardCharsets.US_ASCII));
    }
    forgetHook();
  }

  /** Ends every process and removes the folders. Safe to call again. */
  @Override
  public void close() {
    endEverything();
    forgetHook();
  }

  private void forgetHook() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException alreadyEnding) {
      // The hook runs or has run, and finds nothing left to do.
      return;
    }
  }

  private void endEverything() {
    List<RunningProcess> latestFirst;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      latestFirst = new ArrayList<>(processes);
    }
    Collections.reverse(latestFirst);
    latestFirst.forEach(RunningProcess::terminate);
    long deadline = System.nanoTime() + END_TIMEOUT.toNanos();
    for (RunningProcess process : latestFirst) {
      process.awaitEnd(Duration.ofNanos(deadline - System.nanoTime()));
    }
    try {
      for (Path directory : directories) {
        FileTree.delete(directory);
      }
      table.remove();
    } catch (IOException e) {
      throw new UncheckedIOException("every process ended, but files are left", e);
    } finally {
      dismissGuard();
    }
  }

  /** The end of its input wakes the guard, which finds no table and ends. */
  private void dismissGuard() {
    try {
      guard.getOutputStream().close();
    } catch (IOException e) {
      throw new UncheckedIOException("every process ended, but the guard cannot be dismissed", e);
    }
  }
}
