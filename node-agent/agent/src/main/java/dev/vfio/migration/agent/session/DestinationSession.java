package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.DestinationAction;
import dev.vfio.migration.agent.machine.DestinationEvent;
import dev.vfio.migration.agent.machine.DestinationMachine;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.DestinationState;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.vfio.device.DeviceDescription;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** A destination: its machine, its thread, and what it holds of the environment. */
public final class DestinationSession implements LiveSession {

  /**
   * What the operator carries to the source.
   *
   * @param session as it is now
   * @param port TCP port of the state stream; 0 once a stream has come
   * @param token the one-time secret; empty once a stream has come
   * @param windows the source's windows that memory was made ready for, by address
   */
  public record Prepared(
      SessionSnapshot session, int port, byte[] token, List<WindowSpec> windows) {
    public Prepared {
      windows = List.copyOf(windows);
    }

    /** Never shows the token. */
    @Override
    public String toString() {
      return "Prepared[session=" + session + ", port=" + port + "]";
    }
  }

  private final DestinationSpec spec;
  private final DestinationWork work;
  private final MachineLoop<DestinationState, DestinationEvent, DestinationAction> loop;
  private final Replies<Prepared> replies = new Replies<>();

  private DestinationSession(
      DestinationState initial,
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
        new DestinationWork(initial, journal, environment, thread, watcher, replies, forget);
    this.loop =
        new MachineLoop<>(
            new DestinationMachine(environment.timings())::step,
            work,
            thread,
            environment.clock(),
            initial);
    work.reportTo(loop);
  }

  /** A destination that was not there before. {@link #prepare} makes it begin. */
  public static DestinationSession fresh(
      DestinationSpec spec,
      SessionJournal journal,
      SessionEnvironment environment,
      SessionWatcher watcher,
      Runnable forget) {
    return new DestinationSession(
        DestinationState.initial(spec), journal, environment, watcher, forget);
  }

  /** A destination as the journal has it. {@link #recover} makes it go on. */
  public static DestinationSession recovered(
      DestinationState state,
      SessionJournal journal,
      SessionEnvironment environment,
      SessionWatcher watcher) {
    return new DestinationSession(state, journal, environment, watcher, () -> {});
  }

  public CompletableFuture<Prepared> prepare() {
    return replies.ask(number -> loop.post(new DestinationEvent.Prepare(number)));
  }

  public CompletableFuture<SessionSnapshot> activate() {
    return replies
        .ask(number -> loop.post(new DestinationEvent.Activate(number)))
        .thenApply(Prepared::session);
  }

  /** Looks at what is loaded, and answers once it was found; refused where it was not. */
  public CompletableFuture<SessionSnapshot> giveUp(String reason) {
    return replies
        .ask(number -> loop.post(new DestinationEvent.GiveUp(number, reason)))
        .thenApply(Prepared::session);
  }

  public CompletableFuture<SessionSnapshot> verifyLoaded() {
    return replies
        .ask(number -> loop.post(new DestinationEvent.VerifyLoaded(number)))
        .thenApply(Prepared::session);
  }

  @Override
  public CompletableFuture<SessionSnapshot> rollBack(boolean cancelled, String reason) {
    return replies
        .ask(
            number ->
                loop.post(
                    cancelled
                        ? new DestinationEvent.Cancel(number)
                        : new DestinationEvent.RollBack(number, reason)))
        .thenApply(Prepared::session);
  }

  @Override
  public void recover() {
    loop.post(new DestinationEvent.Recover());
  }

  @Override
  public void stop() {
    loop.post(new DestinationEvent.Stop());
  }

  @Override
  public SessionKey key() {
    return spec.key();
  }

  @Override
  public Role role() {
    return Role.DESTINATION;
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
        || state == SessionState.DESTINATION_LOADED
        || state == SessionState.DESTINATION_STRANDED;
  }
}
