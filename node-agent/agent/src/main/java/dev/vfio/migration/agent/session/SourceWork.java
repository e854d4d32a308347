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
import dev.vfio.migration.agent.machine.SourceStep.*;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.MigrationEnd;

/**
 * Performs the immediate actions of a source's machine, and has {@link SourceTasks} perform its
 * work. Runs on the session's thread.
 */
final class SourceWork
    implements MachineLoop.Effects<SourceState, SourceEvent, SourceAction>, Immediate.Handler {
  private final SourceSpec spec;
  private final String migration;
  private final byte[] token;
  private final SessionJournal journal;
  private final SessionEnvironment environment;
  private final SessionThread thread;
  private final Replies<SessionSnapshot> replies;
  private final Runnable forget;
  private final DeviceHold hold;
  private final OutgoingState outgoing = new OutgoingState();
  private final SessionReports reports;
  private MachineLoop<SourceState, SourceEvent, SourceAction> loop;
  private SourceTasks tasks;
  private SessionThread.Timer timer = () -> {};

  SourceWork(
      SourceState initial,
      byte[] token,
      SessionJournal journal,
      SessionEnvironment environment,
      SessionThread thread,
      SessionWatcher watcher,
      Replies<SessionSnapshot> replies,
      Runnable forget) {
    this.spec = initial.spec();
    this.migration = spec.key().toString();
    this.token = token.clone();
    this.journal = journal;
    this.environment = environment;
    this.thread = thread;
    this.replies = replies;
    this.forget = forget;
    this.hold =
        new DeviceHold(
            spec.device(),
            MigrationEnd.SOURCE,
            migration,
            environment.devices(),
            environment.workloads());
    this.reports = new SessionReports(watcher, initial.snapshot());
  }

  void reportTo(MachineLoop<SourceState, SourceEvent, SourceAction> target) {
    this.loop = target;
    this.tasks = new SourceTasks(spec, hold, outgoing, journal, environment, target::eventWaits);
  }

  SessionSnapshot snapshot() {
    return reports.snapshot();
  }

  DeviceDescription device() {
    return hold.description();
  }

  /** Closes the stream, so that the session's thread does not wait in it. For any thread. */
  void interruptStream() {
    outgoing.interrupt();
  }

  @Override
  public void takes(SourceState state, SourceEvent event) {
    reports.takes(state, event);
  }

  @Override
  public void entered(SourceState state) {
    // A session that is not journalled yet may still be refused: its watcher is not to know of it.
    boolean hidden = state.step() == MainStep.JOURNALLING_START || state.step() == MainStep.REFUSED;
    reports.entered(state.snapshot(), hidden);
  }

  @Override
  public SourceEvent broken(SourceAction action, Throwable fault) {
    reports.fault(action.toString(), fault);
    return action instanceof Work
        ? new SourceEvent.Failed(
            Failure.of(Reason.INTERNAL_ERROR, "a fault in the agent at " + action + ": " + fault))
        : null;
  }

  @Override
  public void stuck(Throwable fault) {
    reports.stuck(fault);
  }

  @Override
  public SourceEvent perform(SourceAction action) {
    if (action instanceof Work work) {
      return Task.run(
          work.handle(tasks), SourceEvent.Failed::new, problem -> tasks.failure(work, problem));
    }
    ((Immediate) action).handle(this);
    return null;
  }

  @Override
  public void on(YieldToCommands action) {
    loop.post(new Continue(action.epoch()));
  }

  @Override
  public void on(StartTimer action) {
    timer.cancel();
    timer = thread.schedule(action.delay(), () -> loop.post(new TimerFired(action.epoch())));
  }

  @Override
  public void on(Connect action) {
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
    thread.waitBeside(() -> connect(destination, action.epoch()));
  }

  private void connect(StateStreams.Destination destination, long epoch) {
    try {
      outgoing.connected(environment.streams().connect(destination));
      loop.post(new Connected(epoch));
    } catch (StreamException problem) {
      loop.post(new NotConnected(epoch, Failures.of(problem)));
    } catch (IllegalArgumentException beyondLimits) {
      loop.post(
          new NotConnected(epoch, Failure.of(Reason.INVALID_REQUEST, beyondLimits.getMessage())));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private long deviceChunkBytes() {
    try {
      return hold.device().maxChunkBytes();
    } catch (DeviceException notOpen) {
      throw new IllegalStateException(notOpen);
    }
  }

  @Override
  public void on(AwaitLoaded action) {
    thread.waitBeside(() -> awaitLoaded(action));
  }

  private void awaitLoaded(AwaitLoaded await) {
    try {
      outgoing.sender().awaitLoaded(await.timeout());
      loop.post(new LoadedHeard(await.epoch()));
    } catch (StreamException problem) {
      loop.post(new LoadedNotHeard(await.epoch(), Failures.of(problem)));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void on(Reply action) {
    replies.reply(action.command(), snapshot(), action.refusal());
  }

  @Override
  public void on(SimpleAction action) {
    Runnable now =
        switch (action) {
          case CLOSE_STREAM -> outgoing::close;
          case CLOSE_DEVICE -> this::close;
          case FORGET -> this::forget;
        };
    now.run();
  }

  private void forget() {
    close();
    forget.run();
  }

  private void close() {
    timer.cancel();
    outgoing.close();
    tasks.closeWindows();
    hold.close();
    if (snapshot().state().terminal()) {
      journal.close();
    }
  }
}
