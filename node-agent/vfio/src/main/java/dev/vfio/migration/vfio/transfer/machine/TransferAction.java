package dev.vfio.migration.vfio.transfer.machine;

import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;

/** What a device's transfer wants done. */
public sealed interface TransferAction {

  /**
   * Lets {@code handler} perform this action.
   *
   * @return what came of it, to be taken before anything else; null where that comes later, or
   *     where nothing comes of it
   */
  TransferEvent perform(Handler handler);

  /** Performs every action there is. */
  interface Handler {
    TransferEvent readRecord();

    TransferEvent writeRecord(TransferRecord record);

    TransferEvent removeRecord();

    TransferEvent send(ConnectedClient client, Message message, String migration);

    TransferEvent greet(ConnectedClient client);

    TransferEvent refuse(ConnectedClient client, int errno, String why);

    TransferEvent close(ConnectedClient client, String why);

    TransferEvent lookAtClaim(ConnectedClient client);

    TransferEvent listen();

    TransferEvent withdraw();

    TransferEvent releaseMemory();

    TransferEvent prepare(ConnectedClient client, String migration);

    TransferEvent lookAtStart(ConnectedClient client);

    TransferEvent lookAtHolder();

    TransferEvent lookAtProcess(long process, long startTime);

    TransferEvent lookAtFit(ConnectedClient client);

    TransferEvent startTimer(Duration delay);

    TransferEvent stopTimer();

    TransferEvent answer(TransferRequest request, Optional<TransferFailure> failure);

    TransferEvent warn(String what);
  }

  /** What a client is asked. */
  enum Message {
    DELIVER("receive"),
    TAKE("take"),
    GIVE_BACK("give-back");

    private final String operation;

    Message(String operation) {
      this.operation = operation;
    }

    /** The message's name in the protocol. */
    public String operation() {
      return operation;
    }
  }

  /** Actions without values; each names its method of the handler. */
  enum Simple implements TransferAction {
    /** Answered by RecordRead or Failed. */
    READ_RECORD(Handler::readRecord),

    /** Answered by RecordRemoved, once that is on the disk, or Failed. */
    REMOVE_RECORD(Handler::removeRecord),

    /** Lets workloads connect, where they cannot yet. Answered by Failed, or by nothing. */
    LISTEN(Handler::listen),

    /** Takes the device's socket away: it is good for one workload. */
    WITHDRAW(Handler::withdraw),

    /** Releases this agent's hold on the memory of the device's windows. */
    RELEASE_MEMORY(Handler::releaseMemory),

    /** Answered by HolderSeen or HolderUnclear. */
    LOOK_AT_HOLDER(Handler::lookAtHolder),

    /** No timer runs any more. */
    STOP_TIMER(Handler::stopTimer);

    private final Function<Handler, TransferEvent> effect;

    Simple(Function<Handler, TransferEvent> effect) {
      this.effect = effect;
    }

    @Override
    public TransferEvent perform(Handler handler) {
      return effect.apply(handler);
    }
  }

  /** Answered by RecordWritten, once it is on the disk, or Failed. */
  record WriteRecord(TransferRecord record) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.writeRecord(record);
    }
  }

  /** Answered by Sent or SendFailed. DELIVER carries the device and its memory. */
  record Send(ConnectedClient client, Message message, String migration) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.send(client, message, migration);
    }
  }

  /** Answered at once by Greeted; by nothing where the client has left meanwhile. */
  record Greet(ConnectedClient client) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.greet(client);
    }
  }

  /** The client may not wait; it is told why, and its connection closed. */
  record Refuse(ConnectedClient client, int errno, String why) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.refuse(client, errno, why);
    }
  }

  /** Closes the connection of a client that waited. */
  record Close(ConnectedClient client, String why) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.close(client, why);
    }
  }

  /** Answered by ClaimSeen or ClaimUnclear; by nothing where the client has left meanwhile. */
  record LookAtClaim(ConnectedClient client) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.lookAtClaim(client);
    }
  }

  /** Sees that all is there that is to be delivered. Answered by Prepared or Failed. */
  record Prepare(ConnectedClient client, String migration) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.prepare(client, migration);
    }
  }

  /** Answered by Prepared or Failed. */
  record LookAtStart(ConnectedClient client) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.lookAtStart(client);
    }
  }

  /** Answered by ProcessSeen or Failed. */
  record LookAtProcess(long process, long startTime) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.lookAtProcess(process, startTime);
    }
  }

  /** Looks whether a client could have the device. Answered by FitSeen or Failed. */
  record LookAtFit(ConnectedClient client) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.lookAtFit(client);
    }
  }

  /** Answered by TimedOut, unless it is started anew or stopped before. */
  record StartTimer(Duration delay) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.startTimer(delay);
    }
  }

  /** Answers whoever made the request: it is done, or failed. */
  record Answer(TransferRequest request, Optional<TransferFailure> failure)
      implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.answer(request, failure);
    }
  }

  /** Logs what a person should know. */
  record Warn(String what) implements TransferAction {
    @Override
    public TransferEvent perform(Handler handler) {
      return handler.warn(what);
    }
  }
}
