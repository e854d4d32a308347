package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.machine.SourceAction;
import dev.vfio.migration.agent.machine.SourceEvent;
import dev.vfio.migration.agent.machine.SourceMachine;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.SourceState;
import dev.vfio.migration.vfio.device.DeviceDescription;
import java.util.concurrent.CompletableFuture;

/** A source: its machine, its thread, and what it holds of the environment. */
public final class SourceSession implements LiveSession {
  private final SourceSpec spec;
  private final SourceWork work;
  private final MachineLoop<SourceState, SourceEvent, SourceAction> loop;
  private final Replies<SessionSnapshot> replies = new Replies<>();

  private SourceSession(
      SourceState initial,
      byte[] token,
      SessionJournal journal,
      SessionEnvironment environment,
      SessionWatcher watcher,
      Runnable forget) {
    this.spec = initial.spec();
    SessionThread thread =
        environment
            .threads()
            .apply(new SessionEnvironment.ThreadName(spec.key(), spec.migrationName()));
    this.work =
        new SourceWork(initial, token, journal, environment, thread, watcher, replies, forget);
    this.loop =
        new MachineLoop<>(
            new SourceMachine(environment.timings())::step,
            work,
            thread,
            environment.clock(),
            initial);
    work.reportTo(loop);
  }

  /** A source that was not there before. {@link #start} makes it begin. */
  public static SourceSession fresh(
      SourceSpec spec,
      byte[] token,
      SessionJournal journal,
      SessionEnvironment environment,
      SessionWatcher watcher,
      Runnable forget) {
    return new SourceSession(
        SourceState.initial(spec), token, journal, environment, watcher, forget);
  }

  /** A source as the journal has it. {@link #recover} makes it go on. */
  public static SourceSession recovered(
      SourceState state,
      SessionJournal journal,
      SessionEnvironment environment,
      SessionWatcher watcher) {
    return new SourceSession(state, new byte[0], journal, environment, watcher, () -> {});
  }

  public CompletableFuture<SessionSnapshot> start() {
    return replies.ask(number -> loop.post(new SourceEvent.Start(number)));
  }

  public CompletableFuture<SessionSnapshot> switchOver() {
    return replies.ask(number -> loop.post(new SourceEvent.SwitchOver(number)));
  }

  public CompletableFuture<SessionSnapshot> commit() {
    return replies.ask(number -> loop.post(new SourceEvent.Commit(number)));
  }

  @Override
  public CompletableFuture<SessionSnapshot> rollBack(boolean cancelled, String reason) {
    // Before it is queued: the session's thread may be waiting for a destination that is stuck.
    work.interruptStream();
    return replies.ask(
        number ->
            loop.post(
                cancelled
                    ? new SourceEvent.Cancel(number)
                    : new SourceEvent.RollBack(number, reason)));
  }

  @Override
  public void recover() {
    loop.post(new SourceEvent.Recover());
  }

  @Override
  public void stop() {
    work.interruptStream();
    loop.post(new SourceEvent.Stop());
  }

  @Override
  public SessionKey key() {
    return spec.key();
  }

  @Override
  public Role role() {
    return Role.SOURCE;
  }

  @Override
  public SessionSnapshot snapshot() {
    return work.snapshot();
  }

  @Override
  public DeviceDescription device() {
    return work.device();
  }

  @Override
  public boolean settled() {
    SessionState state = snapshot().state();
    return state.terminal()
        || state == SessionState.SOURCE_AWAITING_DECISION
        || state == SessionState.SOURCE_STRANDED
        || state == SessionState.SOURCE_COMPLETING;
  }
}
