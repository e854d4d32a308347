package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.JournalWriteException;
import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowCheck;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Performs the work of a source on its device, workload, windows, stream and journal, on the
 * session's thread.
 */
final class SourceTasks implements Work.Handler<Task<SourceEvent>> {
  private final SourceSpec spec;
  private final String migration;
  private final DeviceHold hold;
  private final OutgoingState outgoing;
  private final SessionJournal journal;
  private final SessionEnvironment environment;
  private final BooleanSupplier commandWaits;
  private WindowCopy windows;

  /**
   * @param commandWaits whether copying is to end soon because something else is to be done
   */
  SourceTasks(
      SourceSpec spec,
      DeviceHold hold,
      OutgoingState outgoing,
      SessionJournal journal,
      SessionEnvironment environment,
      BooleanSupplier commandWaits) {
    this.spec = spec;
    this.migration = spec.key().toString();
    this.hold = hold;
    this.outgoing = outgoing;
    this.journal = journal;
    this.environment = environment;
    this.commandWaits = commandWaits;
  }

  void closeWindows() {
    if (windows != null) {
      windows.close();
      windows = null;
    }
  }

  private static Task<SourceEvent> done(Task.Plain work) {
    return work.then(new Done());
  }

  @Override
  public Task<SourceEvent> on(Journal work) {
    return done(() -> journal.append(work.record()));
  }

  @Override
  public Task<SourceEvent> on(SimpleWork work) {
    return switch (work) {
      case OPEN_DEVICE -> this::openDevice;
      case MAP_WINDOWS -> this::mapWindows;
      case PAUSE_WORKLOAD -> done(() -> hold.workload().pause(migration));
      case RESUME_WORKLOAD -> done(() -> hold.resumeWorkload(migration));
      case RELEASE_WORKLOAD -> done(() -> hold.releaseWorkload(migration));
      case RESET_RELEASED -> this::resetReleased;
      case SEND_END -> done(() -> unlessInterrupted(() -> outgoing.sender().end()));
    };
  }

  private SourceEvent openDevice() throws IOException {
    MigratableDevice device = hold.open();
    return new Opened(hold.state(), device.description().precopy(), hold.kept());
  }

  private SourceEvent resetReleased() throws IOException {
    if (hold.heldByOthers()) {
      return new InUse(hold.state());
    }
    hold.device().reset();
    return new WasReset(hold.state());
  }

  @Override
  public Task<SourceEvent> on(Transition work) {
    return done(() -> hold.device().transition(work.target()));
  }

  @Override
  public Task<SourceEvent> on(ReadPending work) {
    return () -> new PendingRead(hold.device().pending(work.thresholdBytes()));
  }

  @Override
  public Task<SourceEvent> on(CopyState work) {
    return () -> copyState(work.maxBytes());
  }

  @Override
  public Task<SourceEvent> on(CollectDirty work) {
    return () -> {
      long pages = windows.collect(hold.device(), work.last());
      long pageSize = hold.device().description().pageSize();
      return new DirtyFound(
          pages, pages * pageSize, windows.remainingBytes(), windows.pendingBytes());
    };
  }

  @Override
  public Task<SourceEvent> on(CopyMemory work) {
    return () -> copyMemory(work.maxBytes());
  }

  @Override
  public Task<SourceEvent> on(LookAtSaved work) {
    return () -> lookAtSaved(work);
  }

  @Override
  public Task<SourceEvent> on(SendPaused work) {
    return done(
        () ->
            unlessInterrupted(
                () -> {
                  StateSender sender = outgoing.sender();
                  sender.liftBandwidthLimit();
                  long passed = environment.clock().nanoTime() - work.pausedAtNanos();
                  sender.paused(Math.max(0, passed));
                }));
  }

  /** A stream that a command has closed meanwhile is no failure: the command comes next. */
  private void unlessInterrupted(Task.Plain work) throws IOException, InterruptedException {
    try {
      work.run();
    } catch (StreamException problem) {
      if (!outgoing.interrupted()) {
        throw problem;
      }
    }
  }

  private SourceEvent lookAtSaved(LookAtSaved saved) throws IOException {
    hold.device().requireUnchanged();
    StateSender sender = outgoing.sender();
    if (sender.deviceStateBytes() == saved.deviceStateBytes()
        && sender.memoryBytes() == saved.memoryBytes()) {
      return new Done();
    }
    return new SourceEvent.Failed(
        Failure.of(
            Reason.STREAM_CORRUPT,
            "from %s %s bytes of state and %s bytes of memory were read, and %s and %s were handed"
                + " to the stream: the agent lost some. The end mark was not sent; report this with"
                + " the agent's log.",
            spec.device(),
            saved.deviceStateBytes(),
            saved.memoryBytes(),
            sender.deviceStateBytes(),
            sender.memoryBytes()));
  }

  private SourceEvent copyState(long maxBytes) throws IOException, InterruptedException {
    MigratableDevice device = hold.device();
    long sent = 0;
    try {
      StateSender sender = outgoing.sender();
      // A chunk that was begun is read to its end: nothing else may be asked of the device before.
      while (device.unread() > 0
          || (sent < maxBytes && (sent == 0 || !commandWaits.getAsBoolean()))) {
        ChunkBuffer chunk = sender.acquire();
        int read = 0;
        try {
          ByteBuffer bytes = chunk.bytes();
          read = device.readState(bytes);
        } finally {
          if (read == 0) {
            chunk.release();
          }
        }
        if (read == 0) {
          return new StateCopied(sent, true);
        }
        sender.deviceState(chunk, device.unread());
        sent += read;
      }
    } catch (StreamException problem) {
      if (!outgoing.interrupted()) {
        throw problem;
      }
    }
    return new StateCopied(sent, false);
  }

  private SourceEvent copyMemory(long maxBytes) throws IOException, InterruptedException {
    long before = windows.remainingBytes();
    try {
      if (before > 0) {
        windows.copy(outgoing.sender(), maxBytes, commandWaits);
      }
    } catch (StreamException problem) {
      if (!outgoing.interrupted()) {
        throw problem;
      }
      // At least 1, or the copying would count as done: the command that waits ends it.
      return new MemoryCopied(0, Math.max(1, windows.remainingBytes()));
    }
    return new MemoryCopied(before - windows.remainingBytes(), windows.remainingBytes());
  }

  private SourceEvent mapWindows() throws IOException {
    DeviceDescription description = hold.device().description();
    WorkloadDescription workload = hold.workload().describe();
    List<DmaWindow> declared = NumberedWindows.of(workload.windows());
    List<WindowSpec> specs = NumberedWindows.specs(declared);
    Failure refusal = refusal(specs, description.pageSize());
    if (refusal != null) {
      return new SourceEvent.Failed(refusal);
    }
    hold.device()
        .watchMemory(
            specs.stream().map(window -> new MemoryRange(window.iova(), window.size())).toList());
    try {
      windows =
          new WindowCopy(
              specs,
              declared.stream().map(DmaWindow::logged).toList(),
              environment.memory().map(declared, false),
              description.pageSize(),
              description.dirtyPageTracking());
    } catch (IOException problem) {
      return new SourceEvent.Failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the windows of the workload of %s cannot be mapped: %s. Nothing was done to the"
                  + " device.",
              spec.device(),
              problem.getMessage()));
    }
    return new Mapped(windows.totalBytes(), workload.state());
  }

  private Failure refusal(List<WindowSpec> windows, int pageSize) {
    String wrong = WindowCheck.problem(windows, pageSize, environment.maxWindowBytes());
    if (wrong != null) {
      return Failure.of(
          Reason.MEMORY_UNREACHABLE,
          "the workload of %s declares windows that cannot be moved: %s. Nothing was done to the"
              + " device.",
          spec.device(),
          wrong);
    }
    // Both ends know a window by its place in the list, and the destination's was made before.
    String changed =
        WindowCheck.difference(
            "the workload", windows, "what the destination was prepared for", spec.windows());
    return changed == null
        ? null
        : Failure.of(
            Reason.INCOMPATIBLE_DEVICE,
            "the workload of %s has changed its windows since the destination was prepared: %s."
                + " Nothing was done to the device; apply a new DeviceMigration.",
            spec.device(),
            changed);
  }

  /** The failure of work whose exception is neither the device's nor the stream's. */
  Failure failure(Work work, IOException problem) {
    if (work instanceof Journal) {
      int number = problem instanceof JournalWriteException known ? known.errno() : 0;
      return new Failure(
          Reason.JOURNAL_FAILED,
          "the journal of " + migration + " cannot be written: " + problem.getMessage(),
          number);
    }
    if (problem instanceof WindowCopy.MemoryException) {
      return Failure.of(Reason.MEMORY_UNREACHABLE, problem.getMessage());
    }
    hold.dropWorkload();
    int errno = problem instanceof WorkloadException known ? known.errno() : 0;
    Reason reason =
        work == SimpleWork.PAUSE_WORKLOAD
            ? Reason.WORKLOAD_PAUSE_FAILED
            : Reason.WORKLOAD_UNREACHABLE;
    return new Failure(
        reason, "the workload of " + spec.device() + ": " + problem.getMessage(), errno);
  }
}
