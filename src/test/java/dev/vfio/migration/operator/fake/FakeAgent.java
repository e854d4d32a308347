package dev.vfio.migration.operator.fake;

import com.google.protobuf.ByteString;
import dev.vfio.migration.contract.v1.ActivateRequest;
import dev.vfio.migration.contract.v1.CancelRequest;
import dev.vfio.migration.contract.v1.CommandHeader;
import dev.vfio.migration.contract.v1.CommitRequest;
import dev.vfio.migration.contract.v1.DescribeNodeRequest;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.ListDevicesRequest;
import dev.vfio.migration.contract.v1.ListDevicesResponse;
import dev.vfio.migration.contract.v1.MigrationInterface;
import dev.vfio.migration.contract.v1.Mode;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.NodeDescription;
import dev.vfio.migration.contract.v1.PrepareDestinationRequest;
import dev.vfio.migration.contract.v1.PrepareDestinationResponse;
import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.RollBackRequest;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.contract.v1.StartSourceRequest;
import dev.vfio.migration.contract.v1.SwitchOverRequest;
import dev.vfio.migration.contract.v1.VerifyLoadedRequest;
import dev.vfio.migration.contract.v1.WatchSessionsRequest;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * A node agent that keeps the contract and moves nothing: sessions and one device per node, in
 * memory. What an agent journals survives {@link AgentServer#stop()}. All state is guarded by
 * {@link FakeNodes}, which also watches that no two devices run.
 */
public final class FakeAgent extends NodeAgentGrpc.NodeAgentImplBase {
  public static final String DEVICE = "vfio-user:gpu-0";

  private final String node;
  private final FakeNodes nodes;
  private final Map<String, Session> sessions = new LinkedHashMap<>();
  private final List<StreamObserver<Session>> watchers = new CopyOnWriteArrayList<>();
  private final List<String> commands = new CopyOnWriteArrayList<>();

  private Device.Builder device;
  private ByteString token = ByteString.EMPTY;
  private long fencing;
  private long revision;
  private String instance = "first";
  private volatile Function<String, Optional<RuntimeException>> refusal =
      command -> Optional.empty();
  private final AtomicInteger listings = new AtomicInteger();
  private volatile Optional<RuntimeException> listing = Optional.empty();
  private volatile int copies = 1;
  private volatile boolean listsNothing;
  private volatile Predicate<String> ignored = command -> false;
  private volatile Duration delay = Duration.ZERO;
  private volatile String stateHost = "";
  private volatile String toldDestination = "";
  private volatile boolean convergesAtOnce = true;
  private volatile boolean loadsAtOnce = true;
  private volatile boolean activatesAtOnce = true;
  private volatile boolean verifies = true;
  private volatile Runnable beforeItVerifies = () -> {};

  FakeAgent(String node, FakeNodes nodes, DeviceState state) {
    this.node = node;
    this.nodes = nodes;
    this.device =
        Device.newBuilder()
            .setId(DEVICE)
            .setInterface(MigrationInterface.REGION_2018)
            .setModel("10de:20b0:10de:1450")
            .setPrecopy(true)
            .setState(state);
  }

  /** Every command that was carried out or refused, in order. */
  public List<String> commands() {
    return commands;
  }

  public DeviceState deviceState() {
    synchronized (nodes) {
      return device.getState();
    }
  }

  public void changeDevice(Function<Device.Builder, Device.Builder> change) {
    synchronized (nodes) {
      device = change.apply(device);
    }
  }

  /**
   * From now on {@code next} decides by a command's name whether it is refused; what it refuses
   * does nothing.
   */
  public void refuse(Function<String, Optional<RuntimeException>> next) {
    refusal = next;
  }

  /** From now on that command is refused, and every other one carried out. */
  public void refuse(String command, Reason reason, String message) {
    refuse(
        given ->
            given.equals(command)
                ? Optional.of(RefusedCalls.of(reason, message))
                : Optional.empty());
  }

  /** That command is refused the next time it is given. */
  public void refuseOnce(String command, Reason reason, String message) {
    AtomicBoolean refused = new AtomicBoolean();
    refuse(
        given ->
            given.equals(command) && refused.compareAndSet(false, true)
                ? Optional.of(RefusedCalls.of(reason, message))
                : Optional.empty());
  }

  /** Has a session of its own accord, in that state. */
  public void hold(SessionState state) {
    synchronized (nodes) {
      change(
          Session.newBuilder()
              .setMigrationUid("held")
              .setAttempt(1)
              .setRole(Role.SOURCE)
              .setDevice(DEVICE)
              .setState(state));
    }
  }

  /** How often the devices were listed. */
  public int listings() {
    return listings.get();
  }

  /** From now on its device is listed so many times. */
  public void listed(int times) {
    copies = times;
  }

  /** From now on the devices are not listed. */
  public void refuseToList(RuntimeException why) {
    listing = Optional.of(why);
  }

  /** From now on whoever asks for the devices gets no answer. */
  void neverLists() {
    listsNothing = true;
  }

  /** From now on whoever gives one of those commands gets no answer, and nothing is done. */
  public void ignore(Predicate<String> commands) {
    ignored = commands;
  }

  /** From now on everything that is asked is carried out, and answered, so much later. */
  public void answersAfter(Duration time) {
    delay = time;
  }

  private void soon(Runnable work) {
    if (delay.isZero()) {
      work.run();
    } else {
      CompletableFuture.delayedExecutor(delay.toMillis(), TimeUnit.MILLISECONDS).execute(work);
    }
  }

  /** Its state stream is at a place of its own. */
  public void stateHost(String host) {
    stateHost = host;
  }

  /** Where the source was told to connect to. */
  public String toldDestination() {
    return toldDestination;
  }

  public void convergesAtOnce(boolean atOnce) {
    convergesAtOnce = atOnce;
  }

  public void loadsAtOnce(boolean atOnce) {
    loadsAtOnce = atOnce;
  }

  public void activatesAtOnce(boolean atOnce) {
    activatesAtOnce = atOnce;
  }

  /** The newest session in {@code role}. */
  public Optional<Session> session(Role role) {
    synchronized (nodes) {
      return sessions.values().stream()
          .filter(session -> session.getRole() == role)
          .reduce((older, newer) -> newer);
    }
  }

  /** The journal is gone, and with it every session and claim; the device stays as it is. */
  public void loseJournal() {
    synchronized (nodes) {
      sessions.clear();
      device.setClaimedBy("");
    }
  }

  /** A new process of this agent, which goes on from the journal. */
  void restarted(String newInstance) {
    synchronized (nodes) {
      instance = newInstance;
      watchers.clear();
      sessions.replaceAll(
          (key, session) -> session.toBuilder().setInstanceId(instance).setRecovered(true).build());
    }
  }

  /** The source reports {@code progress}. */
  public void report(Progress progress) {
    synchronized (nodes) {
      change(session(Role.SOURCE).orElseThrow().toBuilder().setProgress(progress));
    }
  }

  /** The session goes into {@code state} by itself, for {@code reason}. */
  public void fail(Role role, SessionState state, Reason reason, String message) {
    synchronized (nodes) {
      change(
          session(role).orElseThrow().toBuilder()
              .setState(state)
              .setFailure(Failure.newBuilder().setReason(reason).setMessage(message)));
    }
  }

  /** The session says that its workload has been paused for so long. */
  public void pausedFor(Duration time) {
    synchronized (nodes) {
      change(session(Role.SOURCE).orElseThrow().toBuilder().setPausedNanos(time.toNanos()));
    }
  }

  /** The destination has everything. */
  public void load() {
    synchronized (nodes) {
      Session.Builder session = session(Role.DESTINATION).orElseThrow().toBuilder();
      enter(DeviceState.RESUME_COMPLETED);
      change(session.setState(SessionState.DESTINATION_LOADED));
    }
  }

  /** The destination runs. */
  public void activate() {
    synchronized (nodes) {
      Session.Builder session = session(Role.DESTINATION).orElseThrow().toBuilder();
      enter(DeviceState.RUNNING);
      change(
          session
              .setState(SessionState.DESTINATION_ACTIVE)
              .clearFailure()
              .setProgress(Progress.newBuilder().setDowntimeNanos(42_000_000)));
    }
  }

  private void change(Session.Builder session) {
    Session changed =
        session
            .setDeviceState(device.getState())
            .setRevision(++revision)
            .setInstanceId(instance)
            .build();
    sessions.put(key(changed.getMigrationUid(), changed.getAttempt(), changed.getRole()), changed);
    watchers.forEach(watcher -> watcher.onNext(changed));
  }

  private void enter(DeviceState state) {
    device.setState(state);
    nodes.check();
  }

  private static String key(String uid, int attempt, Role role) {
    return uid + "/" + attempt + "/" + role;
  }

  private <T> void answer(
      String command, CommandHeader header, StreamObserver<T> observer, Supplier<T> work) {
    if (ignored.test(command)) {
      commands.add(command);
    } else {
      soon(() -> answerNow(command, header, observer, work));
    }
  }

  private <T> void answerNow(
      String command, CommandHeader header, StreamObserver<T> observer, Supplier<T> work) {
    T response;
    try {
      synchronized (nodes) {
        commands.add(command);
        refusal
            .apply(command)
            .ifPresent(
                refused -> {
                  throw refused;
                });
        if (header.getFencingNumber() < fencing) {
          throw RefusedCalls.of(
              Reason.STALE_FENCING_NUMBER, "an older leader: " + header.getFencingNumber());
        }
        fencing = header.getFencingNumber();
        response = work.get();
      }
    } catch (RuntimeException refused) {
      observer.onError(refused);
      return;
    }
    observer.onNext(response);
    observer.onCompleted();
  }

  private Session.Builder known(CommandHeader header, Role role) {
    Session session = sessions.get(key(header.getMigrationUid(), header.getAttempt(), role));
    if (session == null) {
      throw RefusedCalls.of(
          Reason.UNKNOWN_SESSION, "the agent on " + node + " has no such session");
    }
    return session.toBuilder();
  }

  private Session now(Session.Builder session) {
    return sessions.get(key(session.getMigrationUid(), session.getAttempt(), session.getRole()));
  }

  /** Answers a command to the session in {@code role}, as {@code work} leaves it. */
  private void answer(
      String command,
      CommandHeader header,
      Role role,
      StreamObserver<Session> observer,
      Consumer<Session.Builder> work) {
    answer(
        command,
        header,
        observer,
        () -> {
          Session.Builder session = known(header, role);
          work.accept(session);
          return now(session);
        });
  }

  private Session.Builder claim(CommandHeader header, Role role, String id) {
    if (!id.equals(device.getId())) {
      throw RefusedCalls.of(Reason.UNKNOWN_DEVICE, "no device " + id);
    }
    if (!device.getClaimedBy().isEmpty()) {
      throw RefusedCalls.of(Reason.DEVICE_BUSY, id + " is claimed by " + device.getClaimedBy());
    }
    device.setClaimedBy(header.getMigrationUid() + "/" + header.getAttempt());
    return Session.newBuilder()
        .setMigrationUid(header.getMigrationUid())
        .setAttempt(header.getAttempt())
        .setMigrationName(header.getMigrationName())
        .setRole(role)
        .setDevice(id);
  }

  @Override
  public void describeNode(DescribeNodeRequest request, StreamObserver<NodeDescription> observer) {
    observer.onNext(
        NodeDescription.newBuilder()
            .setNodeName(node)
            .setInstanceId(instance)
            .setAgentVersion("fake")
            .setVerifiesLoaded(verifies)
            .build());
    observer.onCompleted();
  }

  @Override
  public void listDevices(
      ListDevicesRequest request, StreamObserver<ListDevicesResponse> observer) {
    listings.incrementAndGet();
    if (!listsNothing) {
      soon(() -> list(observer));
    }
  }

  private void list(StreamObserver<ListDevicesResponse> observer) {
    Optional<RuntimeException> refused = listing;
    if (refused.isPresent()) {
      observer.onError(refused.get());
      return;
    }
    synchronized (nodes) {
      observer.onNext(
          ListDevicesResponse.newBuilder()
              .addAllDevices(Collections.nCopies(copies, device.build()))
              .build());
    }
    observer.onCompleted();
  }

  @Override
  public void prepareDestination(
      PrepareDestinationRequest request, StreamObserver<PrepareDestinationResponse> observer) {
    CommandHeader header = request.getHeader();
    answer(
        "PrepareDestination",
        header,
        observer,
        () -> {
          String key = key(header.getMigrationUid(), header.getAttempt(), Role.DESTINATION);
          if (!sessions.containsKey(key)) {
            Session.Builder session = claim(header, Role.DESTINATION, request.getDevice());
            token = ByteString.copyFromUtf8("secret-" + header.getMigrationUid());
            enter(DeviceState.RESUME);
            change(session.setState(SessionState.DESTINATION_LISTENING));
          }
          return PrepareDestinationResponse.newBuilder()
              .setSession(sessions.get(key))
              .setStatePort(9444)
              .setToken(token)
              .setStateHost(stateHost)
              .build();
        });
  }

  @Override
  public void startSource(StartSourceRequest request, StreamObserver<Session> observer) {
    CommandHeader header = request.getHeader();
    answer(
        "StartSource",
        header,
        observer,
        () -> {
          String key = key(header.getMigrationUid(), header.getAttempt(), Role.SOURCE);
          if (!sessions.containsKey(key)) {
            if (!request.getToken().equals(nodes.agent(request.getDestinationNode()).token)) {
              throw RefusedCalls.of(Reason.STREAM_UNAUTHENTICATED, "the token is wrong");
            }
            toldDestination = request.getDestinationHost() + ":" + request.getDestinationPort();
            Session.Builder session = claim(header, Role.SOURCE, request.getDevice());
            enter(DeviceState.SETUP);
            change(session.setState(SessionState.SOURCE_STARTING));
            if (request.getMode() == Mode.LIVE) {
              enter(DeviceState.PRECOPY);
              change(session.setState(SessionState.SOURCE_PRECOPY).setProgress(Copies.begun()));
              if (convergesAtOnce) {
                change(session.setProgress(Copies.converged()));
              }
            } else {
              change(session.setState(SessionState.SOURCE_READY));
            }
          }
          return sessions.get(key);
        });
  }

  @Override
  public void switchOver(SwitchOverRequest request, StreamObserver<Session> observer) {
    answer(
        "SwitchOver",
        request.getHeader(),
        Role.SOURCE,
        observer,
        session -> {
          if (session.getState() == SessionState.SOURCE_PRECOPY
              || session.getState() == SessionState.SOURCE_READY) {
            enter(DeviceState.STOPNCOPY);
            change(session.setState(SessionState.SOURCE_STOPNCOPY));
            if (loadsAtOnce) {
              nodes.other(node).load();
            }
            change(session.setState(SessionState.SOURCE_AWAITING_DECISION));
          }
        });
  }

  /** From now on this agent is one of the time before it could be asked to look. */
  public void knowsNoVerifying() {
    verifies = false;
  }

  /** Before it is asked to look at what is loaded, that happens. */
  public void beforeItVerifies(Runnable fate) {
    beforeItVerifies = fate;
  }

  @Override
  public void verifyLoaded(VerifyLoadedRequest request, StreamObserver<Session> observer) {
    if (!verifies) {
      super.verifyLoaded(request, observer);
      return;
    }
    answer(
        "VerifyLoaded",
        request.getHeader(),
        observer,
        () -> {
          beforeItVerifies.run();
          Session.Builder session = known(request.getHeader(), Role.DESTINATION);
          if (session.getState() != SessionState.DESTINATION_LOADED) {
            throw RefusedCalls.of(Reason.NOT_LOADED, "the session is " + session.getState());
          }
          return now(session);
        });
  }

  @Override
  public void activate(ActivateRequest request, StreamObserver<Session> observer) {
    answer(
        "Activate",
        request.getHeader(),
        Role.DESTINATION,
        observer,
        session -> {
          switch (session.getState()) {
            case DESTINATION_LOADED, DESTINATION_STRANDED -> {
              change(session.setState(SessionState.DESTINATION_ACTIVATING));
              if (activatesAtOnce) {
                activate();
              }
            }
            case DESTINATION_ACTIVATING, DESTINATION_ACTIVE -> {
              // Repeated.
            }
            default ->
                throw RefusedCalls.of(Reason.NOT_LOADED, "the session is " + session.getState());
          }
        });
  }

  @Override
  public void commit(CommitRequest request, StreamObserver<Session> observer) {
    answer(
        "Commit",
        request.getHeader(),
        Role.SOURCE,
        observer,
        session -> {
          if (session.getState() == SessionState.SOURCE_AWAITING_DECISION) {
            enter(DeviceState.SAVE_COMPLETED);
            device.setClaimedBy("");
            change(session.setState(SessionState.SOURCE_COMPLETED));
          }
        });
  }

  @Override
  public void rollBack(RollBackRequest request, StreamObserver<Session> observer) {
    answer("RollBack", request.getHeader(), observer, () -> back(request.getHeader()));
  }

  @Override
  public void cancel(CancelRequest request, StreamObserver<Session> observer) {
    answer("Cancel", request.getHeader(), observer, () -> back(request.getHeader()));
  }

  private Session back(CommandHeader header) {
    boolean source =
        sessions.containsKey(key(header.getMigrationUid(), header.getAttempt(), Role.SOURCE));
    Session.Builder session = known(header, source ? Role.SOURCE : Role.DESTINATION);
    switch (session.getState()) {
      case SOURCE_COMPLETED, DESTINATION_ACTIVE, DESTINATION_ACTIVATING ->
          throw RefusedCalls.of(Reason.ALREADY_COMMITTED, "the handover was committed");
      case SOURCE_ROLLED_BACK, DESTINATION_DISCARDED -> {
        // Repeated.
      }
      default -> {
        enter(source ? DeviceState.RUNNING : DeviceState.NONE);
        device.setClaimedBy("");
        change(
            session.setState(
                source ? SessionState.SOURCE_ROLLED_BACK : SessionState.DESTINATION_DISCARDED));
      }
    }
    return now(session);
  }

  @Override
  public void watchSessions(WatchSessionsRequest request, StreamObserver<Session> observer) {
    // With a handler, telling a watcher that is gone is no error.
    ((ServerCallStreamObserver<Session>) observer)
        .setOnCancelHandler(() -> watchers.remove(observer));
    synchronized (nodes) {
      new ArrayList<>(sessions.values()).forEach(observer::onNext);
      if (request.getMarkFirstBatch()) {
        observer.onNext(
            Session.newBuilder().setInstanceId(instance).setFirstBatchComplete(true).build());
      }
      watchers.add(observer);
    }
  }

  ByteString token() {
    return token;
  }
}
