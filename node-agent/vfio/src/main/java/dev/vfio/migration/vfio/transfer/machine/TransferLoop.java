package dev.vfio.migration.vfio.transfer.machine;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BiFunction;

/**
 * Gives one device's events to its machine, one after the other, and has the actions performed. A
 * request waits until the one before it is answered. For one thread.
 */
public final class TransferLoop {
  /** More than there are threads that ask for one device, unless one of them hangs. */
  private static final int MAX_WAITING_REQUESTS = 16;

  private final BiFunction<TransferState, TransferEvent, Next> machine;
  private final TransferAction.Handler handler;
  private final Deque<TransferEvent> events = new ArrayDeque<>();
  private final Deque<TransferRequest> requests = new ArrayDeque<>();
  private TransferState state = TransferState.INITIAL;
  private boolean busy;

  /**
   * @param machine {@link TransferMachine#next}
   */
  public TransferLoop(
      BiFunction<TransferState, TransferEvent, Next> machine, TransferAction.Handler handler) {
    this.machine = machine;
    this.handler = handler;
  }

  public TransferState state() {
    return state;
  }

  /** Whether nothing is asked and nothing is under way. */
  public boolean idle() {
    return state.task() == null && requests.isEmpty();
  }

  /**
   * Carries a request out as soon as no other one is under way.
   *
   * @return false where too many wait: the request is dropped then
   */
  public boolean request(TransferRequest request) {
    if (requests.size() >= MAX_WAITING_REQUESTS) {
      return false;
    }
    requests.add(request);
    run();
    return true;
  }

  /** Drops a request that has not begun. Whether it was dropped. */
  public boolean cancel(TransferRequest request) {
    return requests.removeIf(waiting -> waiting == request);
  }

  /** Something happened. */
  public void post(TransferEvent event) {
    events.add(event);
    run();
  }

  private void run() {
    if (busy) {
      // An action has brought it about: it is taken once the actions are done.
      return;
    }
    busy = true;
    try {
      for (TransferEvent event = next(); event != null; event = next()) {
        Next next = machine.apply(state, event);
        state = next.state();
        Deque<TransferEvent> outcomes = new ArrayDeque<>();
        for (TransferAction action : next.actions()) {
          TransferEvent outcome = action.perform(handler);
          if (outcome != null) {
            outcomes.addFirst(outcome);
          }
        }
        outcomes.forEach(events::addFirst);
      }
    } finally {
      busy = false;
    }
  }

  private TransferEvent next() {
    TransferEvent event = events.poll();
    return event != null || state.task() != null || requests.isEmpty()
        ? event
        : new TransferEvent.Requested(requests.poll());
  }

  /** After a fault: nothing is under way any more, and what was asked is answered by the caller. */
  public void reset() {
    events.clear();
    requests.clear();
    state = TransferState.INITIAL;
  }
}
