package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StreamException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** A device thread that sends full chunks until it cannot, and what ended it. */
final class EndlessSending {
  private EndlessSending() {}

  /** Completes exceptionally with what ended it. */
  static CompletableFuture<Void> by(StateSender sender) {
    return by(sender, new CompletableFuture<>());
  }

  /**
   * @param by completes with the thread that sends
   */
  static CompletableFuture<Void> by(StateSender sender, CompletableFuture<Thread> by) {
    CompletableFuture<Void> failed = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              by.complete(Thread.currentThread());
              try {
                while (true) {
                  TwoNodes.sendState(sender, new byte[TwoNodes.CHUNK]);
                }
              } catch (StreamException | InterruptedException ended) {
                failed.completeExceptionally(ended);
              }
            });
    thread.setDaemon(true);
    thread.start();
    return failed;
  }

  static StreamException failureOf(CompletableFuture<Void> sending) throws Exception {
    try {
      sending.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      throw new AssertionError("sending did not fail");
    } catch (ExecutionException failed) {
      return (StreamException) failed.getCause();
    }
  }

  static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      if (!latch.await(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)) {
        throw new IllegalStateException("the test did not go on");
      }
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }
}
