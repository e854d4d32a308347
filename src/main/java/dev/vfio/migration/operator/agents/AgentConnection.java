package dev.vfio.migration.operator.agents;

import dev.vfio.migration.connections.certificates.NodeNames;
import dev.vfio.migration.contract.v1.DescribeNodeRequest;
import dev.vfio.migration.contract.v1.NodeAgentGrpc;
import dev.vfio.migration.contract.v1.NodeDescription;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.WatchSessionsRequest;
import dev.vfio.migration.operator.agents.TlsFiles.CredentialsException;
import dev.vfio.migration.operator.decision.Side;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.StreamObserver;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.jboss.logging.Logger;

/**
 * The connection to the agent of one node: one channel of its own, one stream of sessions, and a
 * new channel whenever either breaks.
 *
 * <p>A new channel for each attempt, and not gRPC's own reconnecting: it reads the certificates
 * again, fails with the cause instead of waiting, and its backoff is ours (100 ms, doubling to
 * {@link #MAX_BACKOFF}). An idle connection is probed every {@link #PROBE_INTERVAL}, so that a node
 * that vanished without closing its connections is noticed.
 *
 * <p>All changes of state happen under this object's lock; listeners are called outside it. Calls
 * may come from any thread.
 */
public final class AgentConnection implements AutoCloseable {
  static final Duration MIN_BACKOFF = Duration.ofMillis(100);
  static final Duration MAX_BACKOFF = Duration.ofSeconds(5);
  static final Duration PROBE_INTERVAL = Duration.ofSeconds(5);
  static final Duration FIRST_BATCH_TIMEOUT = Duration.ofSeconds(1);

  private static final Logger LOG = Logger.getLogger(AgentConnection.class);
  private static final String CONNECTING = "connecting";
  private static final Status ANSWERED_NOTHING =
      Status.INTERNAL.withDescription("it answered nothing");

  /**
   * What workloads declare is in the listing of a node: 1024 windows of each device take 100 KiB.
   */
  private static final int MAX_MESSAGE = 64 << 20;

  private final String node;
  private final TlsFiles tls;
  private final Clock steady;
  private final Duration callTimeout;
  private final ScheduledExecutorService timer;
  private final AgentListener listener;
  private final SessionBook sessions = new SessionBook();

  private AgentAddress address;
  private Side.Agent state;
  private ManagedChannel channel;
  private ScheduledFuture<?> next;
  private Duration backoff = MIN_BACKOFF;
  private long epoch;
  private boolean closed;
  private String agentVersion = "";
  private boolean verifiesLoaded;

  AgentConnection(
      String node,
      TlsFiles tls,
      Clock steady,
      Duration callTimeout,
      ScheduledExecutorService timer,
      AgentListener listener) {
    this.node = node;
    this.tls = tls;
    this.steady = steady;
    this.callTimeout = callTimeout;
    this.timer = timer;
    this.listener = listener;
    this.state = new Side.Absent(steady.instant());
  }

  /** The name that the agent's certificate must carry. */
  static String authorityOf(String node) {
    return NodeNames.of(node);
  }

  /** Whether the agent can be reached now; since when not, by the steady clock. */
  public synchronized Side.Agent state() {
    return state;
  }

  /** Rises with every new connection: what was sent before may have to be sent again. */
  public synchronized long epoch() {
    return epoch;
  }

  /** Version of the agent as it last introduced itself; empty where it never did. */
  public synchronized String agentVersion() {
    return agentVersion;
  }

  /** The session of a migration's attempt as last reported on this connection. */
  public Optional<Session> session(String migrationUid, int attempt, Role role) {
    return sessions.find(migrationUid, attempt, role);
  }

  /** Whether a workload of that node is paused for a migration, or is about to run. */
  public boolean holdsPausedWorkload() {
    return sessions.anyPaused();
  }

  /** The agent's pod is at {@code found}, or there is none. */
  void locate(Optional<AgentAddress> found) {
    boolean changed;
    synchronized (this) {
      changed = !closed && !found.equals(Optional.ofNullable(address));
      if (changed) {
        address = found.orElse(null);
        disconnect();
        backoff = MIN_BACKOFF;
        state =
            address == null
                ? new Side.Absent(steady.instant())
                : new Side.Unreachable(CONNECTING, sinceOr(steady.instant()));
        if (address != null) {
          LOG.infof("Agent of node %s is at %s", node, address);
          connect();
        } else {
          LOG.warnf("Node %s has no agent any more", node);
        }
      }
    }
    if (changed) {
      listener.agentChanged(node);
    }
  }

  private Instant sinceOr(Instant now) {
    return state instanceof Side.Unreachable unreachable ? unreachable.since() : now;
  }

  /** Runs under the lock. */
  private void connect() {
    disconnect();
    long attempt = ++epoch;
    try {
      channel =
          NettyChannelBuilder.forAddress(address.host(), address.port())
              .overrideAuthority(authorityOf(node))
              .sslContext(tls.context())
              .maxInboundMessageSize(MAX_MESSAGE)
              // Another pod: a proxy that this process is configured with is for other connections.
              .proxyDetector(target -> null)
              .disableServiceConfigLookUp()
              .build();
    } catch (CredentialsException unusable) {
      timer.execute(() -> lost(attempt, unusable.getMessage()));
      return;
    }
    NodeAgentGrpc.newStub(channel)
        .withDeadlineAfter(callTimeout.toMillis(), TimeUnit.MILLISECONDS)
        .describeNode(DescribeNodeRequest.getDefaultInstance(), new Greeting(attempt));
  }

  /** Runs under the lock. */
  private void disconnect() {
    if (next != null) {
      next.cancel(false);
      next = null;
    }
    if (channel != null) {
      channel.shutdownNow();
      channel = null;
    }
  }

  private void greeted(long attempt, NodeDescription description) {
    if (!description.getNodeName().equals(node)) {
      lost(attempt, "it calls itself the agent of node '" + description.getNodeName() + "'");
      return;
    }
    synchronized (this) {
      if (attempt != epoch || closed) {
        return;
      }
      LOG.infof("Agent of node %s is connected (version %s)", node, description.getAgentVersion());
      agentVersion = description.getAgentVersion();
      verifiesLoaded = description.getVerifiesLoaded();
      sessions.forgetAll();
      NodeAgentGrpc.newStub(channel)
          .watchSessions(
              WatchSessionsRequest.newBuilder().setMarkFirstBatch(true).build(),
              new Watch(attempt));
      next =
          timer.schedule(
              () -> {
                sessionsKnown(attempt);
                probe(attempt);
              },
              FIRST_BATCH_TIMEOUT.toMillis(),
              TimeUnit.MILLISECONDS);
    }
  }

  /**
   * The agent is within reach only now: before, a session that it has not reported yet could be
   * taken for one that it lost. Called with the mark after the first batch, or after {@link
   * #FIRST_BATCH_TIMEOUT} for an agent that sends no mark.
   */
  private void sessionsKnown(long attempt) {
    synchronized (this) {
      if (attempt != epoch || closed || state instanceof Side.Reachable) {
        return;
      }
      state = new Side.Reachable(address.host(), agentVersion, verifiesLoaded);
      backoff = MIN_BACKOFF;
    }
    listener.agentChanged(node);
  }

  private void probe(long attempt) {
    synchronized (this) {
      if (attempt == epoch && !closed && channel != null) {
        NodeAgentGrpc.newStub(channel)
            .withDeadlineAfter(callTimeout.toMillis(), TimeUnit.MILLISECONDS)
            .describeNode(DescribeNodeRequest.getDefaultInstance(), new Answer(attempt));
      }
    }
  }

  private void lost(long attempt, String cause) {
    boolean changed;
    synchronized (this) {
      if (attempt != epoch || closed || address == null) {
        return;
      }
      disconnect();
      Side.Agent before = state;
      state = new Side.Unreachable(cause, sinceOr(steady.instant()));
      changed = !state.equals(before);
      if (changed) {
        LOG.warnf("Agent of node %s at %s cannot be reached: %s", node, address, cause);
      }
      // Late answers of this attempt are ignored.
      epoch++;
      next = timer.schedule(this::reconnect, backoff.toMillis(), TimeUnit.MILLISECONDS);
      backoff =
          backoff.multipliedBy(2).compareTo(MAX_BACKOFF) < 0
              ? backoff.multipliedBy(2)
              : MAX_BACKOFF;
    }
    if (changed) {
      listener.agentChanged(node);
    }
  }

  private synchronized void reconnect() {
    if (!closed && address != null && channel == null) {
      connect();
    }
  }

  /** What a call says while the agent is out of reach. */
  public synchronized RefusedException outOfReach() {
    return RefusedException.outOfReach(
        node,
        state instanceof Side.Unreachable unreachable
            ? unreachable.cause()
            : state instanceof Side.Reachable
                ? "it came back only just now"
                : "no agent pod runs on that node");
  }

  /**
   * Asks without waiting: no thread waits for an agent that is slow to answer.
   *
   * @param call whose only answer is taken
   * @return fails with a {@link RefusedException} when the agent does not answer in time or
   *     refuses, on a thread that must not be kept
   * @throws RefusedException when the agent is out of reach
   */
  public <T> CompletableFuture<T> askWithin(
      Duration limit, BiConsumer<NodeAgentGrpc.NodeAgentStub, StreamObserver<T>> call)
      throws RefusedException {
    CompletableFuture<T> answer = new CompletableFuture<>();
    call.accept(
        NodeAgentGrpc.newStub(reachable())
            .withDeadlineAfter(limit.toMillis(), TimeUnit.MILLISECONDS),
        new StreamObserver<>() {
          @Override
          public void onNext(T value) {
            answer.complete(value);
          }

          @Override
          public void onError(Throwable failure) {
            answer.completeExceptionally(refused(failure));
          }

          @Override
          public void onCompleted() {
            // Unless the answer has been taken.
            if (!answer.isDone()) {
              answer.completeExceptionally(refused(ANSWERED_NOTHING.asRuntimeException()));
            }
          }
        });
    return answer;
  }

  private synchronized ManagedChannel reachable() throws RefusedException {
    if (!(state instanceof Side.Reachable)) {
      throw outOfReach();
    }
    return channel;
  }

  private RefusedException refused(Throwable failure) {
    return state() instanceof Side.Unreachable unreachable
        // The connection broke during the call: its cause says more than the error of the call.
        ? RefusedException.outOfReach(node, unreachable.cause())
        : RefusedException.of(node, failure);
  }

  /**
   * Takes the session with which a command was answered, so that the next decision sees it without
   * waiting for the stream. An answer that comes after its connection broke is dropped: the stream
   * of the next connection begins with every session as it is then.
   *
   * @param asked the {@link #epoch()} in which the command was given
   */
  public synchronized void accept(Session session, long asked) {
    if (asked == epoch && state instanceof Side.Reachable) {
      boolean changes = sessions.hasAnotherState(session);
      sessions.enterAnswer(session);
      if (changes) {
        listener.devicesChanged(node);
      }
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    disconnect();
  }

  /** The first answer on a new channel. */
  private final class Greeting implements StreamObserver<NodeDescription> {
    private final long attempt;

    Greeting(long attempt) {
      this.attempt = attempt;
    }

    @Override
    public void onNext(NodeDescription description) {
      greeted(attempt, description);
    }

    @Override
    public void onError(Throwable failure) {
      lost(attempt, CallFailures.describe(failure));
    }

    @Override
    public void onCompleted() {
      // The answer has been dealt with.
    }
  }

  /** A sign of life. */
  private final class Answer implements StreamObserver<NodeDescription> {
    private final long attempt;

    Answer(long attempt) {
      this.attempt = attempt;
    }

    @Override
    public void onNext(NodeDescription description) {
      synchronized (AgentConnection.this) {
        if (attempt == epoch && !closed) {
          next =
              timer.schedule(
                  () -> probe(attempt), PROBE_INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
        }
      }
    }

    @Override
    public void onError(Throwable failure) {
      lost(attempt, CallFailures.describe(failure));
    }

    @Override
    public void onCompleted() {
      // The answer has been dealt with.
    }
  }

  /** The stream of sessions, which ends only when the agent or the connection does. */
  private final class Watch implements StreamObserver<Session> {
    private final long attempt;

    Watch(long attempt) {
      this.attempt = attempt;
    }

    @Override
    public void onNext(Session session) {
      if (session.getFirstBatchComplete()) {
        sessionsKnown(attempt);
        return;
      }
      boolean news;
      boolean changes;
      synchronized (AgentConnection.this) {
        changes = sessions.hasAnotherState(session);
        news = attempt == epoch && !closed && sessions.enter(session);
      }
      if (news) {
        listener.sessionChanged(session);
      }
      if (news && changes) {
        listener.devicesChanged(node);
      }
    }

    @Override
    public void onError(Throwable failure) {
      lost(attempt, CallFailures.describe(failure));
    }

    @Override
    public void onCompleted() {
      lost(attempt, "it ended the stream of sessions");
    }
  }
}
