package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.journal.FencingStore;
import dev.vfio.migration.agent.journal.file.JournalDirectory;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.Timings;
import dev.vfio.migration.agent.session.DestinationSession;
import dev.vfio.migration.agent.session.Fencing;
import dev.vfio.migration.agent.session.SessionClock;
import dev.vfio.migration.agent.session.SessionEnvironment;
import dev.vfio.migration.agent.session.SessionThread;
import dev.vfio.migration.agent.session.SessionWatcher;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.agent.session.WindowMemory;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.netty.V1Driver.Looks;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.region.RegionV1;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Both ends' sessions, journals and sockets, and between them drivers that lie: a source's that
 * says after 64 of 128 KiB that this was all. What each end can know of it is known before the
 * decision, and what cannot be known is never reported as a success.
 */
@Timeout(120)
class HalfAStateTest {
  private static final String DEVICE = "0000:65:00.2";
  private static final SessionKey KEY = new SessionKey("3f1c0a52-6b52-4b5e-9d0f-3f2a0c1d7e11", 1);
  private static final int HALF = V1Driver.WHOLE / 2;

  @TempDir Path work;

  private final byte[] whole = new byte[V1Driver.WHOLE];
  private final StandInWorkload using = new StandInWorkload(WorkloadState.RUNNING);
  private final StandInWorkload waiting = new StandInWorkload(WorkloadState.WAITING);
  private TwoNodes nodes;
  private Node source;
  private Node destination;

  @BeforeEach
  void begin() throws IOException {
    new Random(1).nextBytes(whole);
    nodes = new TwoNodes(work);
  }

  @AfterEach
  void end() throws IOException {
    source.close();
    destination.close();
    nodes.close();
  }

  private void between(V1Driver from, V1Driver to) throws Exception {
    source = new Node(from, using, nodes.source, work.resolve("journal-a"));
    destination = new Node(to, waiting, nodes.destination, work.resolve("journal-b"));
  }

  /** Until the source waits for the decision, or either end has given up. */
  private void move() throws Exception {
    DeviceDescription description = source.open(DEVICE).description();
    DestinationSession.Prepared prepared =
        get(
            destination.sessions.prepareDestination(
                1,
                new DestinationSpec(
                    KEY, "default/m", DEVICE, TwoNodes.SOURCE, description, List.of(), 1)));
    get(
        source.sessions.startSource(
            1,
            new SourceSpec(
                KEY,
                "default/m",
                DEVICE,
                TwoNodes.DESTINATION,
                "127.0.0.1",
                prepared.port(),
                Mode.COLD,
                1,
                0,
                0,
                List.of()),
            prepared.token()));
    source.await(SessionState.SOURCE_READY);
    get(source.sessions.switchOver(1, KEY));
  }

  private static <T> T get(CompletableFuture<T> answer) throws Exception {
    return answer.get(60, TimeUnit.SECONDS);
  }

  @Test
  void aWholeStateArrivesWhenItsDriverLooksOnlyWhenItIsToRun() throws Exception {
    V1Driver to = new V1Driver(Looks.WHEN_IT_IS_TO_RUN);
    between(new V1Driver(Looks.WHEN_IT_IS_TO_RUN).holding(whole, V1Driver.WHOLE), to);
    move();
    destination.await(SessionState.DESTINATION_LOADED);
    source.await(SessionState.SOURCE_AWAITING_DECISION);
    get(destination.sessions.verifyLoaded(1, KEY));
    assertThat(to.states()).as("before the decision it does not run").doesNotContain(1);
    get(destination.sessions.activate(1, KEY));
    destination.await(SessionState.DESTINATION_ACTIVE);
    assertThat(to.content()).isEqualTo(whole);
    assertThat(to.state()).isEqualTo(1);
  }

  /** What no count can show, because both ends moved all that the source's driver handed out. */
  @Test
  void halfAStateIsNoSuccessWhereTheDriverLooksOnlyWhenItIsToRun() throws Exception {
    V1Driver from = new V1Driver(Looks.WHEN_IT_IS_TO_RUN).holding(whole, HALF);
    V1Driver to = new V1Driver(Looks.WHEN_IT_IS_TO_RUN);
    between(from, to);
    move();
    destination.await(SessionState.DESTINATION_LOADED);
    source.await(SessionState.SOURCE_AWAITING_DECISION);
    get(destination.sessions.activate(1, KEY));
    SessionSnapshot stranded = destination.await(SessionState.DESTINATION_STRANDED);
    assertThat(stranded.failure().reason()).isEqualTo(Reason.TRANSITION_FAILED);
    assertThat(stranded.failure().message())
        .contains(DEVICE, "does not look at what it took in before it is to run", "not whole")
        .contains("Do not reset it, and do not end the workload at the source")
        .contains("The handover is committed");
    assertThat(waiting.state()).as("nobody was given it").isEqualTo(WorkloadState.WAITING);
    assertThat(from.state()).as("stopped, with its state").isEqualTo(2);
    assertThat(from.content()).isEqualTo(whole);
    assertThat(using.state()).isEqualTo(WorkloadState.PAUSED);
    // What docs/handover.md advises a person to do.
    get(source.sessions.rollBack(1, KEY, "by hand"));
    source.await(SessionState.SOURCE_ROLLED_BACK);
    assertThat(from.state()).isEqualTo(1);
    assertThat(from.content()).isEqualTo(whole);
    assertThat(using.state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void halfAStateIsRolledBackWhereTheDriverLooksBeforeTheDecision() throws Exception {
    V1Driver from = new V1Driver(Looks.WHEN_IT_IS_TO_RUN).holding(whole, HALF);
    V1Driver to = new V1Driver(Looks.WHENEVER_IT_LEAVES_RESUMING);
    between(from, to);
    move();
    SessionSnapshot discarded = destination.await(SessionState.DESTINATION_DISCARDED);
    assertThat(discarded.failure().reason()).isEqualTo(Reason.TRANSITION_FAILED);
    SessionSnapshot waits = source.awaitFailure(SessionState.SOURCE_AWAITING_DECISION);
    assertThat(waits.failure().message()).contains("waits, paused, for the decision");
    get(source.sessions.rollBack(1, KEY, "the destination did not take it"));
    source.await(SessionState.SOURCE_ROLLED_BACK);
    assertThat(from.state()).isEqualTo(1);
    assertThat(using.state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void aSourceThatHandsOutNothingIsNotMoved() throws Exception {
    V1Driver from = new V1Driver(Looks.WHEN_IT_IS_TO_RUN).holding(whole, 0);
    between(from, new V1Driver(Looks.WHEN_IT_IS_TO_RUN));
    move();
    SessionSnapshot back = source.await(SessionState.SOURCE_ROLLED_BACK);
    assertThat(back.failure().reason()).isEqualTo(Reason.DEVICE_READ_FAILED);
    assertThat(back.failure().message()).contains("no state at all");
    assertThat(using.state()).isEqualTo(WorkloadState.RUNNING);
    destination.await(SessionState.DESTINATION_DISCARDED);
  }

  /** It says once that it runs, and is in its error state from then on. */
  @Test
  void aDeviceThatFallsOverAsItIsTakenIsNoSuccess() throws Exception {
    V1Driver to = new V1Driver(Looks.WHEN_IT_IS_TO_RUN).fallingOver();
    between(new V1Driver(Looks.WHEN_IT_IS_TO_RUN).holding(whole, V1Driver.WHOLE), to);
    waiting.looksAt(to);
    move();
    destination.await(SessionState.DESTINATION_LOADED);
    get(destination.sessions.activate(1, KEY));
    SessionSnapshot stranded = destination.await(SessionState.DESTINATION_STRANDED);
    assertThat(stranded.failure().message()).contains("error (110)", "not seen RUNNING");
    assertThatThrownBy(() -> get(destination.sessions.rollBack(1, KEY, "no")))
        .isInstanceOf(ExecutionException.class)
        .hasMessageContaining("was committed");
  }

  /** One node's sessions over one device and one workload. */
  private static final class Node implements DeviceDirectory, AutoCloseable {
    private final V1Driver driver;
    private final JournalDirectory journals;
    private final Sessions sessions;

    Node(V1Driver driver, Workload workload, StateStreams streams, Path journal)
        throws IOException {
      this.driver = driver;
      this.journals = new JournalDirectory(journal);
      this.sessions =
          new Sessions(
              new SessionEnvironment(
                  this,
                  device -> workload,
                  new NoMemory(),
                  streams,
                  new MachineClock(),
                  name -> new OneThread(),
                  Timings.USUAL,
                  1 << 20),
              journals,
              new Fencing(new Numbers()),
              new Sessions.Limits(2, 2, Duration.ofHours(1)),
              new Unwatched());
    }

    SessionSnapshot snapshot() {
      return sessions.snapshots().get(0);
    }

    SessionSnapshot await(SessionState state) {
      Awaitility.await()
          .atMost(TwoNodes.TIMEOUT)
          .untilAsserted(() -> assertThat(snapshot().state()).isEqualTo(state));
      return snapshot();
    }

    SessionSnapshot awaitFailure(SessionState state) {
      Awaitility.await()
          .atMost(TwoNodes.TIMEOUT)
          .until(() -> snapshot().state() == state && snapshot().failure() != null);
      return snapshot();
    }

    @Override
    public List<String> ids() {
      return List.of(DEVICE);
    }

    @Override
    public Optional<Entry> look(String id, boolean named) {
      return Optional.empty();
    }

    @Override
    public MigratableDevice open(String id) throws DeviceException {
      return open(id, MigrationEnd.SOURCE, "");
    }

    @Override
    public MigratableDevice open(String id, MigrationEnd end, String migration)
        throws DeviceException {
      boolean held = end == MigrationEnd.SOURCE;
      return RegionV1.open(id, driver, DriverProfile.NONE, 4096, end, held);
    }

    @Override
    public void close() throws IOException {
      sessions.stop();
      journals.close();
    }
  }

  /** A workload that does what it is asked, and looks at its device as it takes it. */
  private static final class StandInWorkload implements Workload {
    private WorkloadState state;
    private V1Driver device;

    StandInWorkload(WorkloadState state) {
      this.state = state;
    }

    synchronized void looksAt(V1Driver driver) {
      device = driver;
    }

    @Override
    public synchronized WorkloadState state() {
      return state;
    }

    private synchronized void become(WorkloadState next) {
      state = next;
    }

    @Override
    public WorkloadDescription describe() {
      return new WorkloadDescription("stand-in", state(), DEVICE, List.of());
    }

    @Override
    public void pause(String migration) {
      become(WorkloadState.PAUSED);
    }

    @Override
    public void resume(String migration) {
      become(WorkloadState.RUNNING);
    }

    @Override
    public synchronized void take(String migration) throws IOException {
      if (device != null) {
        device.readRegion(9, 0, ByteBuffer.allocate(4));
      }
      become(WorkloadState.RUNNING);
    }

    @Override
    public void release(String migration) {
      become(WorkloadState.RELEASED);
    }

    @Override
    public void close() {
      // It goes on.
    }
  }

  private static final class NoMemory implements WindowMemory {
    @Override
    public Mapped map(List<DmaWindow> windows, boolean writable) {
      return new Mapped() {
        @Override
        public void read(int window, long offset, ByteBuffer into) {
          throw new AssertionError("there are no windows");
        }

        @Override
        public void write(int window, long offset, ByteBuffer content) {
          throw new AssertionError("there are no windows");
        }

        @Override
        public void close() {
          // Nothing is mapped.
        }
      };
    }
  }

  private static final class MachineClock implements SessionClock {
    @Override
    public long nanoTime() {
      return System.nanoTime();
    }

    @Override
    public long epochNanos() {
      return TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis());
    }
  }

  private static final class OneThread implements SessionThread {
    private final ScheduledExecutorService executor =
        Executors.newSingleThreadScheduledExecutor(OneThread::daemon);

    private static Thread daemon(Runnable task) {
      Thread thread = new Thread(task, "session");
      thread.setDaemon(true);
      return thread;
    }

    @Override
    public void execute(Runnable task) {
      executor.execute(task);
    }

    @Override
    public Timer schedule(Duration delay, Runnable task) {
      ScheduledFuture<?> timer = executor.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
      return () -> timer.cancel(false);
    }

    @Override
    public void waitBeside(Runnable waiting) {
      daemon(waiting).start();
    }

    @Override
    public void await(CompletableFuture<?> answer) throws InterruptedException, ExecutionException {
      answer.get();
    }
  }

  private static final class Numbers implements FencingStore {
    @Override
    public long read() {
      return 0;
    }

    @Override
    public void write(long number) {
      // One leader all the time.
    }
  }

  private static final class Unwatched implements SessionWatcher {
    @Override
    public void changed(SessionSnapshot before, SessionSnapshot now) {
      // Whoever wants to know asks.
    }

    @Override
    public void removed(SessionKey key) {
      // Nothing is removed that soon.
    }

    @Override
    public void fault(SessionKey key, String doing, RuntimeException fault) {
      throw fault;
    }
  }
}
