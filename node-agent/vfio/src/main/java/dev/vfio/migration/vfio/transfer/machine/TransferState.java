package dev.vfio.migration.vfio.transfer.machine;

import dev.vfio.migration.vfio.transfer.machine.TransferAction.Message;
import java.util.Set;

/**
 * What a device's transfer knows beside its record on the disk.
 *
 * @param client that waits; null where none does
 * @param task that is under way; null where none is
 */
public record TransferState(ConnectedClient client, Task task) {
  /** Nobody is connected and nothing is asked: how an agent starts. */
  public static final TransferState INITIAL = new TransferState(null, null);

  /**
   * A request on its way.
   *
   * @param request that is worked on
   * @param step that is being done
   * @param record of this migration as it was before the workload was told to take the device; null
   *     where there is none
   * @param held TAKE: whether somebody holds the device; GIVE_BACK: whether the workload of the
   *     record may hold it
   * @param failure that the request ends with once the step is done; null where it goes on
   */
  public record Task(
      TransferRequest request,
      Step step,
      TransferRecord record,
      boolean held,
      TransferFailure failure) {

    static Task of(TransferRequest request) {
      return new Task(request, Step.READ_RECORD, null, false, null);
    }

    boolean presumed() {
      return record != null && record.stage() == TransferRecord.Stage.PRESUMED;
    }
  }

  /** What comes of a step's action; all but an answer may fail instead. */
  private enum Outcome {
    RECORD(TransferEvent.RecordRead.class),
    WRITTEN(TransferEvent.RecordWritten.class),
    REMOVED(TransferEvent.RecordRemoved.class),
    HOLDER(TransferEvent.HolderSeen.class, TransferEvent.HolderUnclear.class),
    PROCESS(TransferEvent.ProcessSeen.class),
    FIT(TransferEvent.FitSeen.class),
    PREPARED(TransferEvent.Prepared.class),
    NOBODY(TransferEvent.TimedOut.class),
    SENT(TransferEvent.Sent.class, TransferEvent.SendFailed.class),
    ANSWER(
        TransferEvent.Answered.class,
        TransferEvent.Refused.class,
        TransferEvent.Malformed.class,
        TransferEvent.Disconnected.class,
        TransferEvent.TimedOut.class);

    private final Set<Class<? extends TransferEvent>> events;

    @SafeVarargs
    Outcome(Class<? extends TransferEvent>... events) {
      this.events = Set.of(events);
    }
  }

  /** What is being done for a request. */
  public enum Step {
    READ_RECORD(Outcome.RECORD, false),
    LOOK_AT_HOLDER(Outcome.HOLDER, false),
    LOOK_AT_PROCESS(Outcome.PROCESS, false),
    AWAIT_CLIENT(Outcome.NOBODY, false),
    LOOK_WHO_HOLDS_UNHEARD(Outcome.HOLDER, false),
    LOOK_WHETHER_SILENT_LIVES(Outcome.PROCESS, false),
    WRITE_PRESUMED(Outcome.WRITTEN, false),
    LOOK_AT_FIT(Outcome.FIT, true),
    PREPARE(Outcome.PREPARED, true),
    WRITE_PROMISED(Outcome.WRITTEN, true),
    SEND_DELIVER(Outcome.SENT, Message.DELIVER),
    WRITE_DELIVERED(Outcome.WRITTEN, true),
    AWAIT_DELIVERED(Outcome.ANSWER, Message.DELIVER),
    CHECK_RECEIVER(Outcome.HOLDER, true),
    SEND_GIVE_BACK(Outcome.SENT, Message.GIVE_BACK),
    AWAIT_GIVEN_BACK(Outcome.ANSWER, Message.GIVE_BACK),
    REMOVE_RECORD(Outcome.REMOVED, false),
    IDENTIFY(Outcome.PREPARED, true),
    WRITE_TOLD(Outcome.WRITTEN, true),
    SEND_TAKE(Outcome.SENT, Message.TAKE),
    AWAIT_TAKEN(Outcome.ANSWER, Message.TAKE),
    WRITE_UNTOLD(Outcome.WRITTEN, false),
    WRITE_TAKEN(Outcome.WRITTEN, true);

    private final Outcome outcome;
    private final boolean usesClient;
    private final Message message;

    Step(Outcome outcome, boolean usesClient) {
      this(outcome, usesClient, null);
    }

    Step(Outcome outcome, Message message) {
      this(outcome, true, message);
    }

    Step(Outcome outcome, boolean usesClient, Message message) {
      this.outcome = outcome;
      this.usesClient = usesClient;
      this.message = message;
    }

    /** Whether the event can be what comes of this step. */
    boolean expects(TransferEvent event) {
      return event instanceof TransferEvent.Failed
          ? outcome != Outcome.ANSWER
          : outcome.events.contains(event.getClass());
    }

    /** Whether the client is with the step, so that no other one may take its place. */
    boolean usesClient() {
      return usesClient;
    }

    /** Whether the client is to answer a message. */
    boolean awaitsAnswer() {
      return outcome == Outcome.ANSWER;
    }

    /** The message that this step sends, or awaits the answer to; null where it has none. */
    Message message() {
      return message;
    }
  }

  /** Whether the client is being asked something, so that no other one may take its place. */
  boolean clientInUse() {
    return task != null && task.step().usesClient();
  }

  /** Whether the client is to answer a message. */
  public boolean awaitsAnswer() {
    return task != null && task.step().awaitsAnswer();
  }

  /** Whether it matters now what comes from the client: an answer, or its end. */
  public boolean watchesClient() {
    return client != null && (!clientInUse() || awaitsAnswer());
  }

  /** Whether the client holds the device for the task's migration. */
  boolean clientHolds() {
    return client != null && client.holds() != null && client.holdsFor(migration());
  }

  TransferRequest request() {
    return task.request();
  }

  String migration() {
    return task.request().migration();
  }

  /** The record of the task's migration; null where there is none. */
  TransferRecord record() {
    return task.record();
  }

  TransferState with(ConnectedClient connected) {
    return new TransferState(connected, task);
  }

  TransferState withoutClient() {
    return new TransferState(null, task);
  }

  TransferState at(Step step) {
    return with(task.request(), step, task.record(), task.held(), task.failure());
  }

  TransferState with(TransferRecord record) {
    return with(task.request(), task.step(), record, task.held(), task.failure());
  }

  TransferState held(boolean held) {
    return with(task.request(), task.step(), task.record(), held, task.failure());
  }

  TransferState failing(TransferFailure failure) {
    return with(task.request(), task.step(), task.record(), task.held(), failure);
  }

  private TransferState with(
      TransferRequest request,
      Step step,
      TransferRecord record,
      boolean held,
      TransferFailure failure) {
    return new TransferState(client, new Task(request, step, record, held, failure));
  }
}
