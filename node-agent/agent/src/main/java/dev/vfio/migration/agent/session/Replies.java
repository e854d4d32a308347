package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.Failure;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;

/**
 * Commands that await their answer.
 *
 * @param <T> what is answered
 */
final class Replies<T> {
  private final AtomicLong numbers = new AtomicLong();
  private final Map<Long, CompletableFuture<T>> awaited = new ConcurrentHashMap<>();

  /** Takes the next number, hands the command in, and promises its answer. */
  CompletableFuture<T> ask(LongConsumer command) {
    long number = numbers.incrementAndGet();
    CompletableFuture<T> answer = new CompletableFuture<>();
    awaited.put(number, answer);
    command.accept(number);
    return answer;
  }

  /** Answers; {@code refusal} is null where the command was accepted. */
  void reply(long number, T answer, Failure refusal) {
    CompletableFuture<T> waiting = awaited.remove(number);
    if (waiting == null) {
      return;
    }
    if (refusal == null) {
      waiting.complete(answer);
    } else {
      waiting.completeExceptionally(new Refusal(refusal));
    }
  }
}
