package dev.vfio.migration.agent.control;

import dev.vfio.migration.contract.v1.Session;
import io.grpc.stub.ServerCallStreamObserver;
import java.util.concurrent.Executor;

/**
 * One caller that watches sessions. Sends while the caller takes it, and lets the feed conflate
 * while it does not. Works on the call's own event loop, so that no session ever waits for a
 * caller.
 */
final class Watch {
  private final SessionFeed feed;
  private final ServerCallStreamObserver<Session> caller;
  private final String instanceId;
  private final Executor eventLoop;
  // Owned by the event loop.
  private SessionFeed.Subscription subscription;
  private boolean ended;
  private boolean markDue;

  /**
   * @param markFirstBatch whether the end of the first batch is to be marked
   * @param eventLoop of the call; runs tasks one after the other
   */
  Watch(
      SessionFeed feed,
      ServerCallStreamObserver<Session> caller,
      String instanceId,
      boolean markFirstBatch,
      Executor eventLoop) {
    this.feed = feed;
    this.caller = caller;
    this.instanceId = instanceId;
    this.markDue = markFirstBatch;
    this.eventLoop = eventLoop;
  }

  /** On the event loop. */
  void begin() {
    caller.setOnReadyHandler(this::wake);
    caller.setOnCancelHandler(() -> eventLoop.execute(this::end));
    subscription = feed.subscribe(this::wake);
    send();
  }

  /** On any thread. */
  private void wake() {
    eventLoop.execute(this::send);
  }

  private void send() {
    while (!ended && caller.isReady()) {
      SessionFeed.Report report = subscription.next();
      if (report == null) {
        if (markDue) {
          markDue = false;
          caller.onNext(
              Session.newBuilder().setInstanceId(instanceId).setFirstBatchComplete(true).build());
        }
        return;
      }
      caller.onNext(ContractMapping.session(report, instanceId));
    }
  }

  private void end() {
    ended = true;
    subscription.close();
  }
}
