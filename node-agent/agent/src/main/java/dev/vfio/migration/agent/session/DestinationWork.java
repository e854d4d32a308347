package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.JournalWriteException;
import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.DestinationAction;
import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.DestinationState;
import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.machine.WindowCheck;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.stream.StateStreams;
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

/**
 * Performs the work and the immediate actions of a destination's machine, on the session's thread.
 */
final class DestinationWork
    implements MachineLoop.Effects<DestinationState, DestinationEvent, DestinationAction>,
        Work.Handler<Task<DestinationEvent>>,
        Immediate.Handler {
  private final DestinationSpec spec;
  private final String migration;
  private final SessionJournal journal;
  private final SessionEnvironment environment;
  private final SessionThread thread;
  private final Replies<DestinationSession.Prepared> replies;
  private final Runnable forget;
  private final DeviceHold hold;
  private final SessionReports reports;
  private MachineLoop<DestinationState, DestinationEvent, DestinationAction> loop;
  private List<WindowSpec> windows = List.of();
  private WindowMemory.Mapped memory;
  private IncomingState incoming;
  private StateStreams.Room room = () -> {};
  private StateStreams.Awaited awaited;
  private SessionThread.Timer timer = () -> {};

  DestinationWork(
      DestinationState initial,
      SessionJournal journal,
      SessionEnvironment environment,
      SessionThread thread,
      SessionWatcher watcher,
      Replies<DestinationSession.Prepared> replies,
      Runnable forget) {
    this.spec = initial.spec();
    this.migration = spec.key().toString();
    this.journal = journal;
    this.environment = environment;
    this.thread = thread;
    this.replies = replies;
    this.forget = forget;
    this.hold =
        new DeviceHold(
            spec.device(),
            MigrationEnd.DESTINATION,
            migration,
            environment.devices(),
            environment.workloads());
    this.reports = new SessionReports(watcher, initial.snapshot());
  }

  void reportTo(MachineLoop<DestinationState, DestinationEvent, DestinationAction> target) {
    this.loop = target;
  }

  SessionSnapshot snapshot() {
    return reports.snapshot();
  }

  DeviceDescription device() {
    return hold.description();
  }

  @Override
  public void takes(DestinationState state, DestinationEvent event) {
    reports.takes(state, event);
  }

  @Override
  public void entered(DestinationState state) {
    // Not journalled yet: it may still be refused, and its watcher is not to know of it.
    boolean mayBeRefused =
        List.of(MainStep.OPENING, MainStep.MAPPING, MainStep.JOURNALLING_PREPARED, MainStep.REFUSED)
            .contains(state.step());
    // Not verified yet: nobody is to decide on it.
    boolean notVerified = state.step() == WatchStep.REOPENING && !reports.announced();
    reports.entered(state.snapshot(), mayBeRefused || notVerified);
  }

  @Override
  public DestinationEvent broken(DestinationAction action, Throwable fault) {
    reports.fault(action.toString(), fault);
    return action instanceof Work
        ? new DestinationEvent.Failed(
            Failure.of(Reason.INTERNAL_ERROR, "a fault in the agent at " + action + ": " + fault))
        : null;
  }

  @Override
  public void stuck(Throwable fault) {
    reports.stuck(fault);
  }

  @Override
  public DestinationEvent perform(DestinationAction action) {
    if (action instanceof Work work) {
      return Task.run(
          work.handle(this), DestinationEvent.Failed::new, problem -> failure(work, problem));
    }
    ((Immediate) action).handle(this);
    return null;
  }

  private static Task<DestinationEvent> done(Task.Plain work) {
    return work.then(new Done());
  }

  // ------------------------------------------------------------------ work

  @Override
  public Task<DestinationEvent> on(Journal work) {
    return done(() -> journal.append(work.record()));
  }

  @Override
  public Task<DestinationEvent> on(SimpleWork work) {
    return switch (work) {
      case OPEN_DEVICE -> this::open;
      case MAP_WINDOWS -> this::mapWindows;
      case RESET -> () -> reset(true);
      case RESET_FREE -> () -> reset(!hold.kept());
      case AWAIT_STREAMS -> done(this::awaitStreams);
      case TRANSFER_TO_WORKLOAD -> done(() -> hold.workload().deliver(migration));
      case LOOK_AT_LOADED -> done(() -> hold.requireLoaded(migration));
      case TAKE_BACK -> done(() -> hold.workload().giveBack(migration));
      case LET_WORKLOAD_TAKE -> done(() -> hold.letWorkloadTake(migration));
      case LOOK_AT_RUNNING -> done(() -> hold.device().requireUnchanged());
    };
  }

  /** What an earlier agent gave away is had again at once: who holds it may end at any time. */
  private DestinationEvent open() throws DeviceException {
    MigratableDevice device = hold.open();
    hold.regain(migration);
    return opened(device);
  }

  private DestinationEvent reset(boolean free) throws DeviceException {
    if (free) {
      hold.device().reset();
    }
    return opened(hold.device());
  }

  @Override
  public Task<DestinationEvent> on(Transition work) {
    return done(() -> hold.device().transition(work.target()));
  }

  private DestinationEvent opened(MigratableDevice device) throws DeviceException {
    return new Opened(device.description(), hold.state(), hold.continuity());
  }

  private DestinationEvent mapWindows() throws IOException {
    String tooMuch = WindowCheck.excess(spec.sourceWindows(), environment.maxWindowBytes());
    if (tooMuch != null) {
      return new DestinationEvent.Failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the windows that the source declares cannot be moved to %s: %s. Nothing was done to"
                  + " the device, and no memory was made.",
              spec.device(),
              tooMuch));
    }
    room.close();
    room = environment.streams().reserve(expected());
    List<WindowShape> shapes =
        spec.sourceWindows().stream()
            .map(window -> new WindowShape(window.name(), window.iova(), window.size()))
            .toList();
    WorkloadDescription workload = hold.workload().prepareWindowMemory(shapes);
    List<DmaWindow> declared = NumberedWindows.of(workload.windows());
    windows = NumberedWindows.specs(declared);
    try {
      memory = environment.memory().map(declared, true);
    } catch (IOException problem) {
      return new DestinationEvent.Failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the windows of the workload that waits for %s cannot be mapped: %s. Nothing was done"
                  + " to the device.",
              spec.device(),
              problem.getMessage()));
    }
    return new Mapped(windows, workload.state());
  }

  private void awaitStreams() throws IOException {
    incoming =
        new IncomingState(
            migration, hold.device(), windows, memory, thread, environment.clock(), loop::post);
    awaited = environment.streams().await(expected(), incoming);
  }

  /**
   * As if the source's chunks were as large as our device's: that is known only once HELLO has
   * come.
   */
  private StateStreams.Expected expected() throws DeviceException {
    int chunkBytes = StreamSettings.chunkBytes(hold.device().maxChunkBytes(), spec.streams());
    return new StateStreams.Expected(migration, spec.sourceNode(), spec.streams(), chunkBytes);
  }

  // ------------------------------------------------------------------ immediate actions

  @Override
  public void on(StartTimer action) {
    schedule(action.delay(), () -> loop.post(new TimerFired(action.epoch())));
  }

  @Override
  public void on(StartTick action) {
    schedule(
        action.delay(),
        () ->
            loop.post(
                new Ticked(action.epoch(), incoming.deviceStateBytes(), incoming.memoryBytes())));
  }

  @Override
  public void on(RejectLoaded action) {
    incoming.reject(action.failure());
  }

  @Override
  public void on(Reply action) {
    replies.reply(action.command(), prepared(), action.refusal());
  }

  @Override
  public void on(SimpleAction action) {
    Runnable now =
        switch (action) {
          case CLOSE_STREAMS -> this::closeStreams;
          case CONFIRM_LOADED -> incoming::confirm;
          case CLOSE_DEVICE -> this::close;
          case FORGET -> this::forget;
        };
    now.run();
  }

  private void forget() {
    close();
    forget.run();
  }

  private void schedule(Duration delay, Runnable task) {
    timer.cancel();
    timer = thread.schedule(delay, task);
  }

  /** The token is good for the first connection; after that nobody needs it. */
  private DestinationSession.Prepared prepared() {
    boolean listens = awaited != null && snapshot().state() == SessionState.DESTINATION_LISTENING;
    return new DestinationSession.Prepared(
        snapshot(),
        listens ? environment.streams().port() : 0,
        listens ? awaited.token() : new byte[0],
        spec.sourceWindows());
  }

  private void closeStreams() {
    if (incoming != null) {
      // First: a stream that waits for the verdict would keep its end from closing.
      incoming.reject(
          Failure.of(
              Reason.STREAM_REFUSED,
              "the destination " + migration + " takes nothing in any more"));
    }
    if (awaited != null) {
      awaited.close();
      awaited = null;
    }
    if (incoming != null) {
      incoming.close();
    }
  }

  private void close() {
    timer.cancel();
    closeStreams();
    if (memory != null) {
      memory.close();
      memory = null;
    }
    room.close();
    hold.close();
    if (snapshot().state().terminal()) {
      journal.close();
    }
  }

  private Failure failure(Work work, IOException problem) {
    if (work instanceof Journal) {
      int number = problem instanceof JournalWriteException known ? known.errno() : 0;
      return new Failure(
          Reason.JOURNAL_FAILED,
          "the journal of " + migration + " cannot be written: " + problem.getMessage(),
          number);
    }
    if (!(work == SimpleWork.LOOK_AT_LOADED)) {
      hold.dropWorkload();
    }
    int errno = problem instanceof WorkloadException known ? known.errno() : 0;
    return new Failure(
        Reason.WORKLOAD_UNREACHABLE,
        "the workload that waits for " + spec.device() + ": " + problem.getMessage(),
        errno);
  }
}
