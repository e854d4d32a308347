package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.vfio.device.DeviceException;
import java.io.IOException;
import java.util.function.Function;

/**
 * A piece of work of a session's machine, ready to run on the session's thread.
 *
 * @param <E> its completion
 */
@FunctionalInterface
interface Task<E> {

  E run() throws IOException, InterruptedException;

  /**
   * Runs the work; what it throws becomes a failure.
   *
   * @param failed the completion of work that failed
   * @param otherwise the failure of what is neither the device's nor the stream's
   */
  static <E> E run(
      Task<E> work, Function<Failure, E> failed, Function<IOException, Failure> otherwise) {
    try {
      return work.run();
    } catch (DeviceException problem) {
      return failed.apply(Failures.of(problem));
    } catch (StreamException problem) {
      return failed.apply(Failures.of(problem));
    } catch (IOException problem) {
      return failed.apply(otherwise.apply(problem));
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return failed.apply(Failure.of(Reason.AGENT_RESTARTED, "the agent was told to end at once"));
    }
  }

  /** A piece of work whose completion says nothing but that it was done. */
  @FunctionalInterface
  interface Plain {
    void run() throws IOException, InterruptedException;

    default <E> Task<E> then(E done) {
      return () -> {
        run();
        return done;
      };
    }
  }
}
