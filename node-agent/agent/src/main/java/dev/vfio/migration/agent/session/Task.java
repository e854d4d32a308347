package dev.vfio.migration.agent.session;

import java.io.IOException;

/**
 * A piece of work of a session's machine, ready to run on the session's thread.
 *
 * @param <E> its completion
 */
@FunctionalInterface
interface Task<E> {

  E run() throws IOException, InterruptedException;

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
