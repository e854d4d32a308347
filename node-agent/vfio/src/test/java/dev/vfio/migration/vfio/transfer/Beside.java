package dev.vfio.migration.vfio.transfer;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Work on another thread: both ends of a conversation are the test's. */
final class Beside {
  private Beside() {}

  interface Step {
    void run() throws IOException;
  }

  static <T> CompletableFuture<T> beside(Callable<T> work) {
    return CompletableFuture.supplyAsync(
        () -> {
          try {
            return work.call();
          } catch (Exception failure) {
            throw new CompletionException(failure);
          }
        });
  }

  static CompletableFuture<Void> beside(Step step) {
    return beside(
        () -> {
          step.run();
          return null;
        });
  }

  /** Waits for its end; throws what it failed with. */
  static <T> T done(CompletableFuture<T> work) throws Exception {
    try {
      return work.get(60, TimeUnit.SECONDS);
    } catch (ExecutionException failure) {
      throw failure.getCause() instanceof Exception cause ? cause : failure;
    }
  }
}
