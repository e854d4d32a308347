package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.DestinationAction;
import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.DestinationState;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.machine.WindowCheck;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/** Does what a destination's machine wants done. Runs on the session's thread. */
final class DestinationWork
    implements MachineLoop.Effects<DestinationState, DestinationEvent, DestinationAction> {
  private final DestinationSpec spec;
  private final String migration;
  private final SessionJournal journal;
  private final Surroundings world;
  private final SessionThread thread;
  private final SessionWatcher watcher;
  private final Replies<DestinationSession.Prepared> replies;
  private final Runnable forget;
  private final DeviceHold hold;
  private MachineLoop<DestinationState, DestinationEvent, DestinationAction> loop;
  private List<WindowSpec> windows = List.of();
  private WindowMemory.Mapped memory;
  private Inlet inlet;
  private StateStreams.Room room = () -> {};
  private StateStreams.Awaited awaited;
  private SessionThread.Timer timer = () -> {};
  private volatile SessionSnapshot snapshot;
  private boolean announced;

  DestinationWork(
      DestinationState initial,
      SessionJournal journal,
      Surroundings world,
      SessionThread thread,
      SessionWatcher watcher,
      Replies<DestinationSession.Prepared> replies,
      Runnable forget) {
    this.spec = initial.spec();
    this.migration = spec.key().toString();
    this.journal = journal;
    this.world = world;
    this.thread = thread;
    this.watcher = watcher;
    this.replies = replies;
    this.forget = forget;
    this.hold =
        new DeviceHold(
            spec.device(), MigrationEnd.DESTINATION, migration, world.devices(), world.workloads());
    this.snapshot = initial.snapshot();
  }

  void reportTo(MachineLoop<DestinationState, DestinationEvent, DestinationAction> target) {
    this.loop = target;
  }

  SessionSnapshot snapshot() {
    return snapshot;
  }

  DeviceDescription device() {
    return hold.description();
  }

  @Override
  public void entered(DestinationState state) {
    SessionSnapshot before = snapshot;
    snapshot = state.snapshot();
    boolean unannounced =
        switch (state.step()) {
          // Not journalled yet: it may still be refused, and nobody is told of it.
          case OPENING, MAPPING, JOURNALLING_PREPARED, REFUSED -> true;
          // Not verified yet: nobody is to decide on it.
          case REOPENING -> !announced;
          default -> false;
        };
    if (!unannounced && !(announced && snapshot.equals(before))) {
      watcher.changed(announced ? before : null, snapshot);
      announced = true;
    }
  }

  @Override
  public DestinationEvent broken(DestinationAction action, Throwable fault) {
    watcher.fault(spec.key(), action.toString(), MachineLoop.reportable(fault));
    return action instanceof Work
        ? new DestinationEvent.Failed(
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
  public DestinationEvent perform(DestinationAction action) {
    if (action instanceof Work work) {
      try {
        return work(work);
      } catch (DeviceException problem) {
        return new DestinationEvent.Failed(Failures.of(problem));
      } catch (StreamException problem) {
        return new DestinationEvent.Failed(Failures.of(problem));
      } catch (IOException problem) {
        return new DestinationEvent.Failed(failure(work, problem));
      }
    }
    beside(action);
    return null;
  }

  private DestinationEvent work(Work work) throws IOException {
    if (work instanceof OpenDevice) {
      return opened(hold.open());
    }
    if (work instanceof MapWindows) {
      return mapWindows();
    }
    if (work instanceof Reset) {
      hold.device().reset();
      return opened(hold.device());
    }
    if (work instanceof ResetFree) {
      if (!hold.kept()) {
        hold.device().reset();
      }
      return opened(hold.device());
    }
    if (work instanceof Journal entry) {
      journal.append(entry.record());
    } else if (work instanceof Transition transition) {
      hold.device().transition(transition.target());
    } else if (work instanceof AwaitStreams) {
      awaitStreams();
    } else if (work instanceof HandToWorkload) {
      hold.workload().receive(migration);
    } else if (work instanceof LookAtLoaded) {
      hold.requireLoaded(migration);
    } else if (work instanceof TakeBack) {
      hold.workload().giveBack(migration);
    } else if (work instanceof TakeWorkload) {
      hold.letWorkloadTake(migration);
    } else if (work instanceof LookAtRunning) {
      hold.device().requireUnchanged();
    }
    return new Done();
  }

  private DestinationEvent opened(MigratableDevice device) throws DeviceException {
    return new Opened(device.description(), hold.state(), hold.continuity());
  }

  private DestinationEvent mapWindows() throws IOException {
    String tooMuch = WindowCheck.excess(spec.sourceWindows(), world.mostWindowBytes());
    if (tooMuch != null) {
      return new DestinationEvent.Failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the windows that the source declares cannot be moved to "
                  + spec.device()
                  + ": "
                  + tooMuch
                  + ". Nothing was done to the device, and no memory was made."));
    }
    room.close();
    room = world.streams().reserve(expected());
    List<WindowShape> shapes =
        spec.sourceWindows().stream()
            .map(window -> new WindowShape(window.name(), window.iova(), window.size()))
            .toList();
    WorkloadDescription workload = hold.workload().accommodate(shapes);
    List<DmaWindow> declared = NumberedWindows.of(workload.windows());
    windows = NumberedWindows.specs(declared);
    try {
      memory = world.memory().map(declared, true);
    } catch (IOException problem) {
      return new DestinationEvent.Failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the windows of the workload that waits for "
                  + spec.device()
                  + " cannot be mapped: "
                  + problem.getMessage()
                  + ". Nothing was done to the device."));
    }
    return new Mapped(windows, workload.state());
  }

  private void awaitStreams() throws IOException {
    inlet = new Inlet(migration, hold.device(), windows, memory, thread, world.clock(), loop::post);
    awaited = world.streams().await(expected(), inlet);
  }

  /** The source's device hands out chunks as ours does; what its HELLO says counts in the end. */
  private StateStreams.Expected expected() throws DeviceException {
    int chunkBytes = StreamSettings.chunkBytes(hold.device().maxChunkBytes(), spec.streams());
    return new StateStreams.Expected(migration, spec.sourceNode(), spec.streams(), chunkBytes);
  }

  private void beside(DestinationAction action) {
    if (action instanceof StartTimer start) {
      schedule(start.delay(), () -> loop.post(new TimerFired(start.epoch())));
    } else if (action instanceof StartTick start) {
      schedule(
          start.delay(),
          () ->
              loop.post(new Ticked(start.epoch(), inlet.deviceStateBytes(), inlet.memoryBytes())));
    } else if (action instanceof CloseStreams) {
      closeStreams();
    } else if (action instanceof ConfirmLoaded) {
      inlet.confirm();
    } else if (action instanceof RejectLoaded reject) {
      inlet.reject(reject.failure());
    } else if (action instanceof LetGo) {
      letGo();
    } else if (action instanceof Reply reply) {
      replies.reply(reply.command(), prepared(), reply.refusal());
    } else if (action instanceof Forget) {
      letGo();
      forget.run();
    }
  }

  private void schedule(Duration delay, Runnable task) {
    timer.cancel();
    timer = thread.schedule(delay, task);
  }

  /** The token is good for the first connection; after that nobody needs it. */
  private DestinationSession.Prepared prepared() {
    boolean listens = awaited != null && snapshot.state() == SessionState.DESTINATION_LISTENING;
    return new DestinationSession.Prepared(
        snapshot,
        listens ? world.streams().port() : 0,
        listens ? awaited.token() : new byte[0],
        spec.sourceWindows());
  }

  private void closeStreams() {
    if (inlet != null) {
      // First: a stream that waits for the verdict would keep its end from closing.
      inlet.reject(
          Failure.of(
              Reason.STREAM_REFUSED,
              "the destination " + migration + " takes nothing in any more"));
    }
    if (awaited != null) {
      awaited.close();
      awaited = null;
    }
    if (inlet != null) {
      inlet.close();
    }
  }

  private void letGo() {
    timer.cancel();
    closeStreams();
    if (memory != null) {
      memory.close();
      memory = null;
    }
    room.close();
    hold.letGo();
    if (snapshot.state().terminal()) {
      journal.close();
    }
  }

  private Failure failure(Work work, IOException problem) {
    if (work instanceof Journal) {
      return Failure.of(
          Reason.JOURNAL_FAILED,
          "the journal of " + migration + " cannot be written: " + problem.getMessage());
    }
    if (!(work instanceof LookAtLoaded)) {
      hold.dropWorkload();
    }
    int errno = problem instanceof WorkloadException known ? known.errno() : 0;
    return new Failure(
        Reason.WORKLOAD_UNREACHABLE,
        "the workload that waits for " + spec.device() + ": " + problem.getMessage(),
        errno);
  }
}
