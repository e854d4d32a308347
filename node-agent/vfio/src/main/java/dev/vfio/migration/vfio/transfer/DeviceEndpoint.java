package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.SocketWatch;
import dev.vfio.migration.vfio.linux.UnixListener;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.transfer.machine.ConnectedClient;
import dev.vfio.migration.vfio.transfer.machine.TransferAction;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import dev.vfio.migration.vfio.transfer.machine.TransferFailure;
import dev.vfio.migration.vfio.transfer.machine.TransferLoop;
import dev.vfio.migration.vfio.transfer.machine.TransferMachine;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest;
import dev.vfio.migration.vfio.transfer.machine.TransferState;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * One device at the listener: performs what the machine of its transfer wants, and tells the
 * machine what happens. What may wait, for a disk or a driver, is done beside the listener's
 * thread, which owns this.
 */
final class DeviceEndpoint
    implements TransferAction.Handler, UnidentifiedClients.Identified, AutoCloseable {
  private static final System.Logger LOG = System.getLogger(DeviceEndpoint.class.getName());

  private final String device;
  private final WorkloadListener.Shared shared;
  private final ConnectionLog log;
  private final TransferLoop loop;
  private final ReattachingClients reattaching;
  private final EffectsBeside effects;
  private final Map<Integer, WorkloadClient> connections = new HashMap<>();
  private final Map<TransferRequest, Asked> asked = new IdentityHashMap<>();
  private final List<CompletableFuture<ConnectedClient>> awaiting = new ArrayList<>();

  /** Where clients connect; null where none can. */
  private UnidentifiedClients socket;

  private boolean timed;
  private long timerEnds;

  /**
   * Id of the next connection. Kept here, because a client that is asked something outlives its
   * socket.
   */
  private int nextId;

  /** Until when the client that says hello now is to be answered. */
  private long helloDeadline;

  /** Who asks, and what it brings along to find things out. */
  private record Asked(
      DeviceLookups lookups, CompletableFuture<Optional<TransferFailure>> answer) {}

  DeviceEndpoint(String device, WorkloadListener.Shared shared) {
    this.device = device;
    this.shared = shared;
    this.log = new ConnectionLog(device, LOG::log, System::nanoTime);
    this.loop =
        new TransferLoop(new TransferMachine(device, shared.socket(device).toString())::next, this);
    this.reattaching =
        new ReattachingClients(
            device, shared.records(), shared.holders(), shared.beside(), shared.back(), this::post);
    this.effects = new EffectsBeside(device, shared.beside(), shared.back(), this::post);
  }

  // ------------------------------------------------------------------ the listener's side

  boolean offered() {
    return socket != null;
  }

  /** Whether nothing here is worth keeping: nobody can connect, and nothing is asked. */
  boolean unused() {
    return socket == null && loop.idle() && awaiting.isEmpty();
  }

  ConnectedClient client() {
    return loop.state().client();
  }

  void offer() throws IOException {
    if (socket == null) {
      socket =
          new UnidentifiedClients(
              device, shared.folder(device), shared.open(device), shared.settings(), log, this);
    }
  }

  @Override
  public int unanswered() {
    return reattaching.size();
  }

  @Override
  public int nextId() {
    return nextId++;
  }

  @Override
  public void take(ConnectedClient client, WorkloadClient connection, long deadline) {
    connections.put(client.id(), connection);
    helloDeadline = deadline;
    post(new TransferEvent.SaidHello(client));
  }

  /** Nobody can connect any more; a conversation that is under way is brought to its end. */
  void withdrawSocket() {
    closeSocket();
    post(new TransferEvent.Withdrawn());
  }

  private void closeSocket() {
    if (socket != null) {
      socket.close();
      socket = null;
    }
    reattaching.clear().forEach(client -> disconnect(client.id()));
    WorkloadException withdrawn = WorkloadListener.exception(shared.failures(device).withdrawn());
    awaiting.forEach(somebody -> somebody.completeExceptionally(withdrawn));
    awaiting.clear();
  }

  /** Carries a request out; the answer is empty once that is done, and else says why not. */
  void request(
      TransferRequest request,
      DeviceLookups lookups,
      CompletableFuture<Optional<TransferFailure>> answer) {
    asked.put(request, new Asked(lookups, answer));
    boolean[] accepted = {true};
    guarded(() -> accepted[0] = loop.request(request));
    if (!accepted[0]) {
      asked.remove(request);
      answer.complete(
          Optional.of(
              new TransferFailure(
                  Errno.EBUSY.number(),
                  String.format(
                      "too many requests wait for the transfer of the device %s, and the one that"
                          + " is under way does not end. Nothing was done; a thread dump shows at"
                          + " what it hangs.",
                      device),
                  null)));
    }
    tellAwaiting();
  }

  /** Drops a request that has not begun. Whether it was dropped. */
  boolean cancel(TransferRequest request) {
    boolean cancelled = loop.cancel(request);
    if (cancelled) {
      asked.remove(request);
    }
    return cancelled;
  }

  /** Completes with the client that waits, as soon as there is one. */
  void await(CompletableFuture<ConnectedClient> somebody) throws IOException {
    offer();
    awaiting.add(somebody);
    tellAwaiting();
  }

  private void tellAwaiting() {
    if (client() != null) {
      awaiting.forEach(somebody -> somebody.complete(client()));
    }
    awaiting.removeIf(CompletableFuture::isDone);
  }

  private void post(TransferEvent event) {
    guarded(() -> loop.post(event));
    tellAwaiting();
  }

  /** A fault in one device's transfer is nobody else's. */
  private void guarded(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException fault) {
      LOG.log(
          System.Logger.Level.ERROR,
          String.format(
              "a fault in the transfer of %s: whoever waits has to connect again. What its record"
                  + " says holds",
              device),
          fault);
      dropAll(fault);
    }
  }

  /** Adds what is to be watched; answers how long at most, null for as long as it takes. */
  Duration watch(long now, List<UnixListener> listeners, List<UnixStream> streams) {
    long until = reattaching.until(now);
    if (socket != null) {
      until = Math.min(until, socket.watch(now, listeners, streams));
    }
    if (loop.state().watchesClient()) {
      streams.add(connections.get(client().id()).stream());
    }
    if (timed) {
      until = Math.min(until, timerEnds - now);
    }
    return until == Long.MAX_VALUE ? null : Duration.ofNanos(Math.max(0, until));
  }

  void serve(SocketWatch.Ready ready) {
    // The client first: it may connect again before the end of its old connection is noticed.
    hearClient(ready);
    if (socket != null) {
      socket.serve(ready);
    }
    for (ConnectedClient late : reattaching.late(System.nanoTime())) {
      refuse(
          late,
          Errno.ETIMEDOUT.number(),
          "whether you hold the device " + device + " could not be found out in time");
    }
    if (timed && System.nanoTime() - timerEnds >= 0) {
      timed = false;
      post(new TransferEvent.TimedOut());
    }
  }

  private void hearClient(SocketWatch.Ready ready) {
    TransferState state = loop.state();
    if (!state.watchesClient()) {
      return;
    }
    WorkloadClient connection = connections.get(state.client().id());
    if (!ready.streams().contains(connection.stream())) {
      return;
    }
    if (state.awaitsAnswer()) {
      connection.receive().ifPresent(this::post);
    } else {
      post(new TransferEvent.Disconnected(0, "it left"));
    }
  }

  /** After a fault: whoever is connected has to connect again, and who asks is told. */
  void dropAll(Throwable fault) {
    effects.drop();
    timed = false;
    if (socket != null) {
      socket.dropAll();
    }
    reattaching.clear();
    List.copyOf(connections.keySet()).forEach(this::disconnect);
    List<Asked> unanswered = List.copyOf(asked.values());
    asked.clear();
    loop.reset();
    unanswered.forEach(one -> one.answer().completeExceptionally(fault));
  }

  @Override
  public void close() {
    closeSocket();
    dropAll(new IOException("the socket of the device " + device + " was withdrawn"));
  }

  private void disconnect(int id) {
    WorkloadClient connection = connections.remove(id);
    if (connection != null) {
      connection.close();
    }
  }

  // ------------------------------------------------------------------ the machine's side

  private TransferEvent beside(EffectsBeside.Effect effect) {
    Asked current = asked.get(loop.state().task().request());
    effects.begin(effect, current == null ? null : current.lookups());
    return null;
  }

  @Override
  public TransferEvent readRecord() {
    return beside(lookups -> new TransferEvent.RecordRead(shared.records().of(device)));
  }

  @Override
  public TransferEvent writeRecord(TransferRecord record) {
    return beside(
        lookups -> {
          shared.records().write(device, record);
          return new TransferEvent.RecordWritten();
        });
  }

  @Override
  public TransferEvent removeRecord() {
    return beside(
        lookups -> {
          shared.records().remove(device);
          return new TransferEvent.RecordRemoved();
        });
  }

  @Override
  public TransferEvent send(
      ConnectedClient client, TransferAction.Message message, String migration) {
    WorkloadClient connection = connections.get(client.id());
    Duration timeout = loop.state().task().request().answerTimeout();
    return beside(
        lookups ->
            connection.send(
                switch (message) {
                  case DELIVER -> lookups.deliverRequest(migration);
                  case TAKE, GIVE_BACK -> WorkloadRequest.of(message.operation(), migration);
                },
                timeout));
  }

  @Override
  public TransferEvent greet(ConnectedClient client) {
    try {
      connections.get(client.id()).greet();
    } catch (ErrnoException left) {
      log.warn("process " + client.process() + " at the socket of " + device + ": " + left);
      disconnect(client.id());
      return null;
    }
    log.info(
        client.described() + " waits at the socket of " + device + ", holds " + client.holds());
    return new TransferEvent.Greeted(client);
  }

  @Override
  public TransferEvent refuse(ConnectedClient client, int errno, String why) {
    WorkloadClient connection = connections.remove(client.id());
    if (socket == null) {
      connection.close();
    } else {
      socket.refuse(connection, errno, why);
    }
    return null;
  }

  @Override
  public TransferEvent close(ConnectedClient client, String why) {
    log.info("the connection of " + client.described() + " for " + device + " ends: it " + why);
    disconnect(client.id());
    return null;
  }

  @Override
  public TransferEvent lookAtClaim(ConnectedClient client) {
    reattaching.add(client, helloDeadline);
    return null;
  }

  @Override
  public TransferEvent listen() {
    try {
      offer();
      return null;
    } catch (IOException problem) {
      return new TransferEvent.Failed(problem);
    }
  }

  @Override
  public TransferEvent withdraw() {
    closeSocket();
    return new TransferEvent.Withdrawn();
  }

  @Override
  public TransferEvent releaseMemory() {
    shared.memories().release(device);
    return null;
  }

  @Override
  public TransferEvent prepare(ConnectedClient client, String migration) {
    return beside(
        lookups -> {
          lookups.deliverRequest(migration);
          lookups.removeEarlierDeclaration();
          return new TransferEvent.Prepared(lookups.startTime(client.process()), lookups.given());
        });
  }

  @Override
  public TransferEvent lookAtStart(ConnectedClient client) {
    return beside(lookups -> new TransferEvent.Prepared(lookups.startTime(client.process())));
  }

  @Override
  public TransferEvent lookAtHolder() {
    return beside(DeviceLookups::holder);
  }

  @Override
  public TransferEvent lookAtProcess(long process, long startTime) {
    return beside(lookups -> new TransferEvent.ProcessSeen(lookups.lives(process, startTime)));
  }

  @Override
  public TransferEvent lookAtFit(ConnectedClient client) {
    return beside(
        lookups -> {
          shared.records().requireRoom();
          return new TransferEvent.FitSeen(
              client.holds() == null ? lookups.objection(client.process()) : Optional.empty());
        });
  }

  @Override
  public TransferEvent startTimer(Duration delay) {
    timed = true;
    timerEnds = System.nanoTime() + delay.toNanos();
    return null;
  }

  @Override
  public TransferEvent stopTimer() {
    timed = false;
    return null;
  }

  @Override
  public TransferEvent answer(TransferRequest request, Optional<TransferFailure> failure) {
    Asked one = asked.remove(request);
    if (one != null) {
      one.answer().complete(failure);
    } else if (failure.isPresent()) {
      warn(
          String.format(
              "the holder of the device %s connected again, and could not be told to take it for"
                  + " the migration %s: %s",
              device, request.migration(), failure.get().message()));
    }
    return null;
  }

  @Override
  public TransferEvent warn(String what) {
    LOG.log(System.Logger.Level.WARNING, what);
    return null;
  }
}
