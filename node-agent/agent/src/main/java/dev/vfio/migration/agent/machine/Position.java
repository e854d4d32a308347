package dev.vfio.migration.agent.machine;

/**
 * Where a session's machine stands.
 *
 * @param <T> the steps of one end
 * @param state as watchers see it
 * @param step the work that is out, or what is awaited
 * @param epoch rises with each step; later events of older epochs are void
 * @param command the command that awaits its answer, 0 for none
 */
record Position<T>(SessionState state, T step, long epoch, long command) {

  Position<T> at(SessionState newState, T newStep) {
    return new Position<>(newState, newStep, epoch + 1, command);
  }

  Position<T> answering(long newCommand) {
    return new Position<>(state, step, epoch, newCommand);
  }
}
