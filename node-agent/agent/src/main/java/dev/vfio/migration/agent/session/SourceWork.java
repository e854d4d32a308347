package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SourceAction;
import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.SourceState;
import dev.vfio.migration.agent.machine.SourceStep;
import dev.vfio.migration.agent.machine.WindowCheck;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Does what a source's machine wants done. Runs on the session's thread. */
final class SourceWork implements MachineLoop.Effects<SourceState, SourceEvent, SourceAction> {
  private final SourceSpec spec;
  private final String migration;
  private final byte[] token;
  private final SessionJournal journal;
  private final Surroundings world;
  private final SessionThread thread;
  private final SessionWatcher watcher;
  private final Replies<SessionSnapshot> replies;
  private final Runnable forget;
  private final DeviceHold hold;
  private final Outlet outlet = new Outlet();
  private MachineLoop<SourceState, SourceEvent, SourceAction> loop;
  private WindowCopy windows;
  private SessionThread.Timer timer = () -> {};
  private volatile SessionSnapshot snapshot;
  private boolean announced;

  SourceWork(
      SourceState initial,
      byte[] token,
      SessionJournal journal,
      Surroundings world,
      SessionThread thread,
      SessionWatcher watcher,
      Replies<SessionSnapshot> replies,
      Runnable forget) {
    this.spec = initial.spec();
    this.migration = spec.key().toString();
    this.token = token.clone();
    this.journal = journal;
    this.world = world;
    this.thread = thread;
    this.watcher = watcher;
    this.replies = replies;
    this.forget = forget;
    this.hold =
        new DeviceHold(
            spec.device(), MigrationEnd.SOURCE, migration, world.devices(), world.workloads());
    this.snapshot = initial.snapshot();
  }

  void reportTo(MachineLoop<SourceState, SourceEvent, SourceAction> target) {
    this.loop = target;
  }

  SessionSnapshot snapshot() {
    return snapshot;
  }

  DeviceDescription device() {
    return hold.description();
  }

  /** For any thread. */
  void interruptStream() {
    outlet.interrupt();
  }

  @Override
  public void entered(SourceState state) {
    SessionSnapshot before = snapshot;
    snapshot = state.snapshot();
    // A session that is not journalled yet may still be refused: nobody is told of it.
    boolean unannounced =
        state.step() == SourceStep.JOURNALLING_START || state.step() == SourceStep.REFUSED;
    if (!unannounced && !(announced && snapshot.equals(before))) {
      watcher.changed(announced ? before : null, snapshot);
      announced = true;
    }
  }

  @Override
  public SourceEvent broken(SourceAction action, Throwable fault) {
    watcher.fault(spec.key(), action.toString(), MachineLoop.reportable(fault));
    return action instanceof Work
        ? new SourceEvent.Failed(
            Failure.of(Reason.INTERNAL_ERROR, "a fault in the agent at " + action + ": " + fault))
        : null;
  }

  @Override
  public void stuck(Throwable fault) {
    watcher.fault(spec.key(), "taking an event", MachineLoop.reportable(fault));
    SessionSnapshot before = snapshot;
    if (!before.state().terminal()) {
      snapshot = before.failed(MachineLoop.failure(spec.key(), fault));
      watcher.changed(announced ? before : null, snapshot);
      announced = true;
    }
  }

  @Override
  public SourceEvent perform(SourceAction action) {
    if (action instanceof Work work) {
      try {
        return work(work);
      } catch (DeviceException problem) {
        return new SourceEvent.Failed(Failures.of(problem));
      } catch (StreamException problem) {
        return new SourceEvent.Failed(Failures.of(problem));
      } catch (IOException problem) {
        return new SourceEvent.Failed(failure(work, problem));
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        return new SourceEvent.Failed(
            Failure.of(Reason.AGENT_RESTARTED, "the agent was told to end at once"));
      }
    }
    beside(action);
    return null;
  }

  private SourceEvent work(Work work) throws IOException, InterruptedException {
    if (work instanceof CopyState copy) {
      return copyState(copy.maxBytes());
    }
    if (work instanceof CopyMemory copy) {
      return copyMemory(copy.maxBytes());
    }
    if (work instanceof ReadPending read) {
      return new PendingRead(hold.device().pending(read.thresholdBytes()));
    }
    if (work instanceof CollectDirty collect) {
      long pages = windows.collect(hold.device(), collect.last());
      long pageSize = hold.device().description().pageSize();
      return new DirtyFound(
          pages, pages * pageSize, windows.remainingBytes(), windows.pendingBytes());
    }
    if (work instanceof OpenDevice) {
      MigratableDevice device = hold.open();
      return new Opened(hold.state(), device.description().precopy(), hold.kept());
    }
    if (work instanceof MapWindows) {
      return mapWindows();
    }
    if (work instanceof LookAtSaved saved) {
      return lookAtSaved(saved);
    }
    if (work instanceof Journal entry) {
      journal.append(entry.record());
    } else if (work instanceof Transition transition) {
      hold.device().transition(transition.target());
    } else if (work instanceof PauseWorkload) {
      hold.workload().pause(migration);
    } else if (work instanceof ResumeWorkload) {
      hold.resumeWorkload(migration);
    } else if (work instanceof ReleaseWorkload) {
      hold.releaseWorkload(migration);
    } else if (work instanceof ResetReleased) {
      return resetReleased();
    } else if (work instanceof SendPaused paused) {
      sendPaused(paused.pausedAtNanos());
    } else if (work instanceof SendEnd) {
      sendEnd();
    }
    return new Done();
  }

  private SourceEvent lookAtSaved(LookAtSaved saved) throws IOException {
    hold.device().requireUnchanged();
    StateSender sender = outlet.sender();
    if (sender.deviceStateBytes() == saved.deviceStateBytes()
        && sender.memoryBytes() == saved.memoryBytes()) {
      return new Done();
    }
    return new SourceEvent.Failed(
        Failure.of(
            Reason.STREAM_CORRUPT,
            "from "
                + spec.device()
                + " "
                + saved.deviceStateBytes()
                + " bytes of state and "
                + saved.memoryBytes()
                + " bytes of memory were read, and "
                + sender.deviceStateBytes()
                + " and "
                + sender.memoryBytes()
                + " were handed to the stream: the agent lost some. The end mark was not sent;"
                + " report this with the agent's log."));
  }

  private SourceEvent resetReleased() throws IOException {
    if (hold.heldByOthers()) {
      return new InUse(hold.state());
    }
    hold.device().reset();
    return new WasReset(hold.state());
  }

  private SourceEvent copyState(long maxBytes) throws IOException, InterruptedException {
    MigratableDevice device = hold.device();
    long sent = 0;
    try {
      StateSender sender = outlet.sender();
      // A chunk that was begun is read to its end: nothing else may be asked of the device before.
      while (device.unread() > 0 || (sent < maxBytes && (sent == 0 || !loop.isWanted()))) {
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
      if (!outlet.interrupted()) {
        throw problem;
      }
    }
    return new StateCopied(sent, false);
  }

  private SourceEvent copyMemory(long maxBytes) throws IOException, InterruptedException {
    long before = windows.remainingBytes();
    try {
      if (before > 0) {
        windows.copy(outlet.sender(), maxBytes, loop::isWanted);
      }
    } catch (StreamException problem) {
      if (!outlet.interrupted()) {
        throw problem;
      }
      // Whatever is said to remain: the command that waits ends the copying.
      return new MemoryCopied(0, Math.max(1, windows.remainingBytes()));
    }
    return new MemoryCopied(before - windows.remainingBytes(), windows.remainingBytes());
  }

  private void sendPaused(long pausedAtNanos) throws StreamException {
    try {
      StateSender sender = outlet.sender();
      sender.liftBandwidthLimit();
      sender.paused(Math.max(0, world.clock().nanoTime() - pausedAtNanos));
    } catch (StreamException problem) {
      if (!outlet.interrupted()) {
        throw problem;
      }
    }
  }

  private void sendEnd() throws StreamException {
    try {
      outlet.sender().end();
    } catch (StreamException problem) {
      if (!outlet.interrupted()) {
        throw problem;
      }
    }
  }

  private SourceEvent mapWindows() throws IOException {
    DeviceDescription description = hold.device().description();
    WorkloadDescription workload = hold.workload().describe();
    List<DmaWindow> declared = NumberedWindows.of(workload.windows());
    List<WindowSpec> specs = NumberedWindows.specs(declared);
    String wrong = WindowCheck.problem(specs, description.pageSize(), world.mostWindowBytes());
    if (wrong != null) {
      return new SourceEvent.Failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the workload of "
                  + spec.device()
                  + " declares windows that cannot be moved: "
                  + wrong
                  + ". Nothing was done to the device."));
    }
    // Both ends know a window by its place in the list, and the one there was made before.
    String changed =
        WindowCheck.difference(
            "the workload", specs, "what the destination was prepared for", spec.windows());
    if (changed != null) {
      return new SourceEvent.Failed(
          Failure.of(
              Reason.INCOMPATIBLE_DEVICE,
              "the workload of "
                  + spec.device()
                  + " has changed its windows since the destination was prepared: "
                  + changed
                  + ". Nothing was done to the device; apply a new DeviceMigration."));
    }
    hold.device()
        .watchMemory(
            specs.stream().map(window -> new MemoryRange(window.iova(), window.size())).toList());
    try {
      windows =
          new WindowCopy(
              specs,
              declared.stream().map(DmaWindow::logged).toList(),
              world.memory().map(declared, false),
              description.pageSize(),
              description.dirtyPageTracking());
    } catch (IOException problem) {
      return new SourceEvent.Failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the windows of the workload of "
                  + spec.device()
                  + " cannot be mapped: "
                  + problem.getMessage()
                  + ". Nothing was done to the device."));
    }
    return new Mapped(windows.totalBytes(), workload.state());
  }

  private void beside(SourceAction action) {
    if (action instanceof Breathe breathe) {
      loop.post(new Continue(breathe.epoch()));
    } else if (action instanceof StartTimer start) {
      timer.cancel();
      timer = thread.schedule(start.delay(), () -> loop.post(new TimerFired(start.epoch())));
    } else if (action instanceof Connect connect) {
      connect(connect.epoch());
    } else if (action instanceof AwaitLoaded await) {
      thread.waitBeside(() -> awaitLoaded(await));
    } else if (action instanceof CloseStream) {
      outlet.close();
    } else if (action instanceof LetGo) {
      letGo();
    } else if (action instanceof Reply reply) {
      replies.reply(reply.command(), snapshot, reply.refusal());
    } else if (action instanceof Forget) {
      letGo();
      forget.run();
    }
  }

  private void letGo() {
    timer.cancel();
    outlet.close();
    if (windows != null) {
      windows.close();
      windows = null;
    }
    hold.letGo();
    if (snapshot.state().terminal()) {
      journal.close();
    }
  }

  private void connect(long epoch) {
    StateStreams.Destination destination =
        new StateStreams.Destination(
            migration,
            spec.destinationNode(),
            spec.destinationHost(),
            spec.destinationPort(),
            token,
            spec.streams(),
            spec.bandwidthLimit(),
            StreamSettings.chunkBytes(deviceChunkBytes(), spec.streams()));
    thread.waitBeside(
        () -> {
          try {
            outlet.connected(world.streams().connect(destination));
            loop.post(new Connected(epoch));
          } catch (StreamException problem) {
            loop.post(new NotConnected(epoch, Failures.of(problem)));
          } catch (IllegalArgumentException beyondLimits) {
            loop.post(
                new NotConnected(
                    epoch, Failure.of(Reason.INVALID_REQUEST, beyondLimits.getMessage())));
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
          }
        });
  }

  private long deviceChunkBytes() {
    try {
      return hold.device().maxChunkBytes();
    } catch (DeviceException notOpen) {
      throw new IllegalStateException(notOpen);
    }
  }

  private void awaitLoaded(AwaitLoaded await) {
    try {
      outlet.sender().awaitLoaded(await.patience());
      loop.post(new LoadedHeard(await.epoch()));
    } catch (StreamException problem) {
      loop.post(new LoadedNotHeard(await.epoch(), Failures.of(problem)));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private Failure failure(Work work, IOException problem) {
    if (work instanceof Journal) {
      return Failure.of(
          Reason.JOURNAL_FAILED,
          "the journal of " + migration + " cannot be written: " + problem.getMessage());
    }
    if (problem instanceof WindowCopy.MemoryException) {
      return Failure.of(Reason.MEMORY_UNREACHABLE, problem.getMessage());
    }
    hold.dropWorkload();
    int errno = problem instanceof WorkloadException known ? known.errno() : 0;
    Reason reason =
        work instanceof PauseWorkload ? Reason.WORKLOAD_PAUSE_FAILED : Reason.WORKLOAD_UNREACHABLE;
    return new Failure(
        reason, "the workload of " + spec.device() + ": " + problem.getMessage(), errno);
  }
}
