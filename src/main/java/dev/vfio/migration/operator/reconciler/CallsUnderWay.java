package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.operator.api.Phase;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Calls to agents and their answers, so that no reconciliation waits for an agent that is slow: its
 * thread is needed by the migrations of other nodes. A caller waits for {@link #SHORT}, which is
 * longer than a healthy agent takes, and not at all while another call to the same node is taking
 * longer than that. An answer that comes later is kept, and the migration is reconciled at once.
 *
 * <p>Thread-safe; one migration is reconciled by one thread at a time.
 */
final class CallsUnderWay {
  static final Duration SHORT = Duration.ofMillis(250);

  /**
   * Calls to one node at a time that can wait. An agent serves a hundred calls on one connection:
   * the rest stays free for calls that cannot wait.
   */
  static final int MAX_CALLS_TO_A_NODE = 32;

  private final Clock steady;
  private final Consumer<String> answered;
  private final Map<Key, Call> calls = new ConcurrentHashMap<>();

  /** By node. */
  private final Map<String, Integer> underWay = new ConcurrentHashMap<>();

  /** By node: calls under way that took longer than was waited for. */
  private final Map<String, Integer> slow = new ConcurrentHashMap<>();

  /**
   * What is asked; nothing is asked twice at a time.
   *
   * @param phase an answer is of no use in another one
   */
  record Key(String uid, int attempt, Phase phase, Class<?> command, Role side) {}

  /** What came back, for the reconciliation that takes it, on its thread. */
  @FunctionalInterface
  interface Reply {
    void enterInto(Answers answers);
  }

  /** One call. */
  final class Call {
    private final Key key;
    private final String node;
    private final CompletableFuture<Reply> reply;
    private volatile Instant answeredAt;

    private Call(Key key, String node, CompletableFuture<Reply> begun) {
      this.key = key;
      this.node = node;
      this.reply = begun.whenComplete((answer, failure) -> answeredAt = steady.instant());
    }

    Class<?> command() {
      return key.command();
    }

    boolean isAnswered() {
      return reply.isDone();
    }
  }

  /**
   * @param steady measures how old an answer is; never set back or forth
   * @param answered takes the uid of a migration whose call was answered later than anybody waited;
   *     must not block
   */
  CallsUnderWay(Clock steady, Consumer<String> answered) {
    this.steady = steady;
    this.answered = answered;
  }

  /** The call of that kind that is under way, or whose answer is not older than {@code oldest}. */
  Optional<Call> find(Key key, Duration oldest) {
    Call call = calls.get(key);
    if (call != null
        && call.isAnswered()
        && Duration.between(call.answeredAt, steady.instant()).compareTo(oldest) > 0) {
      calls.remove(key, call);
      return Optional.empty();
    }
    return Optional.ofNullable(call);
  }

  /** Runs {@code task}, unless the migration was forgotten. */
  void unlessForgotten(Key key, Runnable task) {
    calls.computeIfPresent(
        key,
        (unused, call) -> {
          task.run();
          return call;
        });
  }

  /** Done once the call of that kind that is under way, if any, was answered. */
  CompletableFuture<Void> end(Key key) {
    Call call = calls.get(key);
    return call == null
        ? CompletableFuture.completedFuture(null)
        : call.reply.handle((reply, failure) -> null);
  }

  /** Whether so many calls to that node are under way that one which can wait has to. */
  boolean isFull(String node) {
    return underWay.getOrDefault(node, 0) >= MAX_CALLS_TO_A_NODE;
  }

  /**
   * @param begun what comes back; fails only with what is no agent's answer
   */
  Call begin(Key key, String node, CompletableFuture<Reply> begun) {
    Call call = new Call(key, node, begun);
    calls.put(key, call);
    count(underWay, node);
    call.reply.whenComplete((reply, failure) -> discount(underWay, node));
    return call;
  }

  private static void count(Map<String, Integer> counts, String node) {
    counts.merge(node, 1, Integer::sum);
  }

  private static void discount(Map<String, Integer> counts, String node) {
    counts.computeIfPresent(node, (unused, count) -> count == 1 ? null : count - 1);
  }

  /**
   * Waits for a short while, or not at all, and has the migration reconciled once it is answered.
   */
  void awaitShortly(Call call, long deadlineNanos) {
    if (call.isAnswered()) {
      return;
    }
    try {
      long left = slow.containsKey(call.node) ? 0 : deadlineNanos - System.nanoTime();
      call.reply.get(Math.max(0, left), TimeUnit.NANOSECONDS);
    } catch (TimeoutException later) {
      leave(call);
    } catch (InterruptedException ended) {
      leave(call);
      Thread.currentThread().interrupt();
    } catch (ExecutionException failed) {
      // Whoever takes the answer learns of it.
    }
  }

  private void leave(Call call) {
    count(slow, call.node);
    call.reply.whenComplete(
        (reply, failure) -> {
          discount(slow, call.node);
          answered.accept(call.key.uid());
        });
  }

  /** Takes what came back to a call that is answered, once. */
  void take(Call call, Answers answers) {
    calls.remove(call.key, call);
    call.reply.getNow(null).enterInto(answers);
  }

  void forget(String uid) {
    calls.keySet().removeIf(key -> key.uid().equals(uid));
  }
}
