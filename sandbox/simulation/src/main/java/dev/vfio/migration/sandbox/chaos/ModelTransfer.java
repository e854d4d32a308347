package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.transfer.machine.ConnectedClient;
import dev.vfio.migration.vfio.transfer.machine.HolderView;
import dev.vfio.migration.vfio.transfer.machine.TransferAction;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import dev.vfio.migration.vfio.transfer.machine.TransferFailure;
import dev.vfio.migration.vfio.transfer.machine.TransferLoop;
import dev.vfio.migration.vfio.transfer.machine.TransferMachine;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.transfer.machine.TransferState;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Workloads that wait for the device of a node, and its transfer to one of them by the very machine
 * of the agent. The record is on a disk that stays, and the processes outlive the agent: they are
 * silent, refuse, end, leave and connect again as chance has it.
 */
final class ModelTransfer extends ModelWorkload implements TransferAction.Handler {
  private static final int ESRCH = 3;
  private static final int ETIMEDOUT = 110;
  private static final int LATEST_NANOS = 6_000_000;

  private final Node node;
  private final Chance chance;
  private final Loop.Lane lane;
  private final List<WaitingProcess> processes = new ArrayList<>();

  /** On the disk. */
  private Optional<TransferRecord> record = Optional.empty();

  /** The agent's; null while there is none. */
  private TransferLoop loop;

  private boolean memoryMade;
  private boolean listens;
  private boolean timed;
  private boolean answered;
  private TransferFailure failure;
  private int connections;

  ModelTransfer(Node node, Chance chance, int waiting) {
    super(node, chance, State.WAITING);
    this.node = node;
    this.chance = chance;
    this.lane = node.world().loop().lane("workloads of " + node);
    for (int number = 1; number <= waiting; number++) {
      WaitingProcess process = new WaitingProcess(number);
      processes.add(process);
      connectLater(process);
    }
  }

  /** As of a device of the kernel, which lives with those who have it open. */
  @Override
  Continuity continuity(boolean held) {
    return held ? Continuity.KEPT : Continuity.FRESH;
  }

  /** How far the transfer is, by its record; empty where it has none. */
  Optional<Stage> stage() {
    return record.map(TransferRecord::stage);
  }

  @Override
  State state() {
    if (processes.stream().anyMatch(WaitingProcess::uses)) {
      return State.RUNNING;
    }
    return processes.stream().anyMatch(WaitingProcess::lives) ? State.WAITING : State.DEAD;
  }

  @Override
  Workload reach() {
    return new Transferred();
  }

  // ------------------------------------------------------------------ agents and processes end

  @Override
  void agentStarts() {
    TransferMachine machine = new TransferMachine(ModelDevice.ID, "handover.sock");
    loop =
        new TransferLoop(
            (state, event) -> {
              Coverage.TRANSFER.met(
                  state.task() == null ? Coverage.NO_TASK : state.task().step().name(),
                  state,
                  event);
              return machine.next(state, event);
            },
            this);
    listens = true;
    memoryMade = false;
  }

  @Override
  void agentEnds() {
    loop = null;
    timed = false;
    processes.forEach(this::disconnected);
  }

  /** All of them end. */
  @Override
  void die() {
    node.world().destinationDied("workload");
    List.copyOf(processes).forEach(this::end);
  }

  /** The one that received the device ends; others that wait live on. */
  @Override
  void receiverDies() {
    Optional<WaitingProcess> receiver = holder();
    if (receiver.isPresent()) {
      node.world().destinationDied("workload that received the device");
      end(receiver.get());
    }
  }

  /** A connection of one of them breaks. */
  @Override
  void hangUp() {
    processes.stream().filter(WaitingProcess::connected).findFirst().ifPresent(this::leave);
  }

  private void end(WaitingProcess process) {
    boolean held = process.holds() != null;
    process.end();
    leave(process);
    if (held) {
      node.device().heldByWorkload(false);
    }
  }

  private void leave(WaitingProcess process) {
    boolean waits = isClient(process);
    disconnected(process);
    if (waits && loop.state().watchesClient()) {
      loop.post(new TransferEvent.Disconnected(104, "closed"));
    }
  }

  private boolean isClient(WaitingProcess process) {
    return loop != null
        && process.connected()
        && loop.state().client() != null
        && loop.state().client().id() == process.connection();
  }

  /** What was sent to it before is still in its socket, and it reads that. */
  private void disconnected(WaitingProcess process) {
    if (process.connected()) {
      process.disconnect();
      if (process.lives()) {
        lane.later(chance.below(LATEST_NANOS), () -> read(process));
        connectLater(process);
      }
    }
  }

  private void connectLater(WaitingProcess process) {
    lane.later(LATEST_NANOS + chance.below(LATEST_NANOS), () -> connect(process));
  }

  private void connect(WaitingProcess process) {
    if (!process.lives() || process.connected() || process.uses()) {
      return;
    }
    if (loop == null || !listens || process.unread() != null) {
      connectLater(process);
      return;
    }
    hello(process);
    bringOn();
  }

  private void hello(WaitingProcess process) {
    process.connect(connections++);
    loop.post(new TransferEvent.SaidHello(client(process)));
  }

  private static ConnectedClient client(WaitingProcess process) {
    return new ConnectedClient(process.connection(), process.number(), 0, "model", process.holds());
  }

  private Optional<WaitingProcess> process(ConnectedClient client) {
    return processes.stream()
        .filter(process -> process.connected() && process.connection() == client.id())
        .findFirst();
  }

  private Optional<WaitingProcess> holder() {
    return processes.stream().filter(process -> process.holds() != null).findFirst();
  }

  /** It does what it was asked, whoever asked and whether or not it can answer. */
  private void read(WaitingProcess process) {
    TransferAction.Message message = process.unread();
    if (message == null || !process.lives()) {
      return;
    }
    process.read();
    Runnable reaction =
        switch (message) {
          case DELIVER ->
              () -> {
                // It holds the device since it was sent.
              };
          case GIVE_BACK ->
              () -> {
                require(
                    !process.uses(), "a workload that uses its device is asked to give it back");
                process.giveBack();
                node.device().heldByWorkload(false);
              };
          case TAKE ->
              () -> {
                require(process.holds() != null, "a workload takes a device that it does not hold");
                process.use();
                node.world().workloadMoved(node, State.RUNNING);
              };
        };
    reaction.run();
  }

  // ------------------------------------------------------------------ the agent asks

  private void request(Kind kind, String migration) throws IOException {
    node.mayCrash();
    answered = false;
    failure = null;
    loop.request(
        new TransferRequest(kind, migration, Duration.ofSeconds(1), Duration.ofSeconds(1)));
    bringOn();
    require(answered, "a request is never answered: " + kind);
    if (failure != null) {
      throw failure.cause() != null
          ? failure.cause()
          : new WorkloadException(failure.errno(), failure.message(), null);
    }
  }

  /** Whatever is under way comes to its end: somebody connects, answers, or is silent. */
  private void bringOn() {
    while (loop.state().task() != null) {
      require(timed, "nothing leads on from " + loop.state());
      if (loop.state().awaitsAnswer()) {
        answer(process(loop.state().client()).orElseThrow());
      } else {
        Optional<WaitingProcess> comes = oneThatComes();
        if (comes.isPresent() && !chance.fault(4)) {
          hello(comes.get());
        } else {
          timeOut();
        }
      }
    }
  }

  private Optional<WaitingProcess> oneThatComes() {
    return processes.stream()
        .filter(process -> process.lives() && !process.connected() && !process.uses())
        .filter(process -> process.unread() == null)
        .filter(process -> loop.state().client() == null || process.holds() != null)
        .findFirst();
  }

  private void timeOut() {
    timed = false;
    loop.post(new TransferEvent.TimedOut());
  }

  private void answer(WaitingProcess process) {
    TransferAction.Message message = process.unread();
    require(
        message != TransferAction.Message.DELIVER
            || recorded(process, process.holds(), Stage.DELIVERED),
        "a device was delivered and that is not on record: " + record);
    if (chance.fault(40)) {
      timeOut();
    } else if (chance.fault(40)) {
      boolean told = message == TransferAction.Message.TAKE;
      if (chance.oneIn(2)) {
        read(process);
      }
      end(process);
      if (told) {
        node.world().destinationDied("workload that was told to take the device");
      }
    } else if (chance.fault(30)) {
      process.refuse();
      if (message == TransferAction.Message.DELIVER) {
        node.device().heldByWorkload(false);
      }
      loop.post(new TransferEvent.Refused(12, "no memory"));
    } else if (chance.fault(60)) {
      read(process);
      loop.post(new TransferEvent.Malformed("nonsense"));
    } else {
      read(process);
      node.mayCrash();
      loop.post(new TransferEvent.Answered());
    }
  }

  private void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  // ------------------------------------------------------------------ the machine's actions

  private TransferEvent onDisk(TransferEvent done, Runnable change) {
    node.mayCrash();
    if (chance.fault(40)) {
      return new TransferEvent.Failed(new IOException("no space left on device"));
    }
    change.run();
    node.mayCrash();
    return done;
  }

  @Override
  public TransferEvent readRecord() {
    node.mayCrash();
    return chance.fault(60)
        ? new TransferEvent.Failed(new IOException("the record cannot be read"))
        : new TransferEvent.RecordRead(record);
  }

  @Override
  public TransferEvent writeRecord(TransferRecord written) {
    if (written.stage() == Stage.PRESUMED) {
      require(
          holder().filter(process -> process.number() == written.process()).isPresent(),
          "a workload is presumed to have taken a device that it does not hold");
      require(
          record
              .filter(one -> one.stage() == Stage.TOLD || one.stage() == Stage.PRESUMED)
              .isPresent(),
          "a workload is presumed to have taken a device that it was never told to take: "
              + record);
    }
    require(
        written.stage() != Stage.TAKEN || process(written.process()).uses(),
        "a workload is noted to have taken a device that it does not use");
    return onDisk(
        new TransferEvent.RecordWritten(),
        () -> {
          record = Optional.of(written);
          node.world().note(node + ": transfer " + written.stage() + " to " + written.process());
        });
  }

  @Override
  public TransferEvent removeRecord() {
    return onDisk(
        new TransferEvent.RecordRemoved(),
        () -> {
          record = Optional.empty();
          node.world().note(node + ": no transfer");
        });
  }

  private boolean recorded(WaitingProcess process, String migration, Stage... stages) {
    return record
        .filter(one -> one.migration().equals(migration) && one.process() == process.number())
        .filter(one -> List.of(stages).contains(one.stage()))
        .isPresent();
  }

  @Override
  public TransferEvent send(
      ConnectedClient client, TransferAction.Message message, String migration) {
    node.mayCrash();
    Optional<WaitingProcess> found = process(client);
    if (found.isEmpty() || chance.fault(60)) {
      return new TransferEvent.SendFailed(32, "broken pipe");
    }
    WaitingProcess process = found.get();
    Runnable effect =
        switch (message) {
          case DELIVER -> () -> delivered(process, migration);
          case TAKE -> () -> toldToTake(process, migration);
          case GIVE_BACK -> () -> require(!process.uses(), "a device in use is asked back");
        };
    effect.run();
    process.deliver(message, migration);
    node.mayCrash();
    return new TransferEvent.Sent();
  }

  private void delivered(WaitingProcess process, String migration) {
    require(process.holds() == null, "a device is delivered twice");
    require(
        recorded(process, migration, Stage.PROMISED),
        "a device is delivered before that is on record: " + record);
    require(
        processes.stream().noneMatch(WaitingProcess::told),
        "a device is delivered to another workload than the one that was told to take it");
    node.device().heldByWorkload(true);
  }

  private void toldToTake(WaitingProcess process, String migration) {
    require(
        recorded(process, migration, Stage.TOLD, Stage.PRESUMED),
        "a workload is told to take its device before that is on record: " + record);
    require(
        processes.stream().noneMatch(other -> other != process && other.told()),
        "two workloads are told to take one device");
    node.world().toldToTake(node);
  }

  @Override
  public TransferEvent greet(ConnectedClient client) {
    return process(client).isPresent() ? new TransferEvent.Greeted(client) : null;
  }

  @Override
  public TransferEvent refuse(ConnectedClient client, int errno, String why) {
    process(client).ifPresent(this::disconnected);
    return null;
  }

  @Override
  public TransferEvent close(ConnectedClient client, String why) {
    process(client).ifPresent(this::disconnected);
    return null;
  }

  @Override
  public TransferEvent lookAtClaim(ConnectedClient client) {
    node.mayCrash();
    return chance.fault(30)
        ? new TransferEvent.ClaimUnclear(client, "two candidates")
        : new TransferEvent.ClaimSeen(
            client, record, process(client).filter(one -> one.holds() != null).isPresent());
  }

  @Override
  public TransferEvent listen() {
    listens = true;
    return chance.fault(100) ? new TransferEvent.Failed(new IOException("no folder")) : null;
  }

  @Override
  public TransferEvent withdraw() {
    listens = false;
    return new TransferEvent.Withdrawn();
  }

  @Override
  public TransferEvent releaseMemory() {
    memoryMade = false;
    return null;
  }

  @Override
  public TransferEvent prepare(ConnectedClient client, String migration) {
    return memoryMade && !chance.fault(40)
        ? new TransferEvent.Prepared(1)
        : new TransferEvent.Failed(
            new WorkloadException(2, "the memory of its windows is no more", null));
  }

  @Override
  public TransferEvent lookAtStart(ConnectedClient client) {
    return new TransferEvent.Prepared(1);
  }

  @Override
  public TransferEvent lookAtHolder() {
    node.mayCrash();
    return chance.fault(40)
        ? new TransferEvent.HolderUnclear(new IOException("two candidates"), false)
        : new TransferEvent.HolderSeen(
            holder()
                .map(
                    process ->
                        new HolderView(
                            process.number(), 1, "model", Set.of(process.number()), false, 0)));
  }

  @Override
  public TransferEvent lookAtProcess(long number, long startTime) {
    node.mayCrash();
    return new TransferEvent.ProcessSeen(process(number).lives());
  }

  private WaitingProcess process(long number) {
    return processes.stream()
        .filter(process -> process.number() == number)
        .findFirst()
        .orElseThrow();
  }

  @Override
  public TransferEvent lookAtFit(ConnectedClient client) {
    return new TransferEvent.FitSeen(
        client.holds() == null && chance.fault(60)
            ? Optional.of("it holds other devices")
            : Optional.empty());
  }

  @Override
  public TransferEvent startTimer(Duration delay) {
    timed = true;
    return null;
  }

  @Override
  public TransferEvent stopTimer() {
    timed = false;
    return null;
  }

  @Override
  public TransferEvent answer(TransferRequest request, Optional<TransferFailure> failed) {
    if (request.kind() != Kind.TELL_AGAIN) {
      answered = true;
      failure = failed.orElse(null);
    }
    return null;
  }

  @Override
  public TransferEvent warn(String what) {
    node.world().note(what);
    return null;
  }

  /** As the agent's own way to the workload of a kernel device. */
  private final class Transferred implements Workload {
    @Override
    public WorkloadDescription describe() throws IOException {
      node.mayCrash();
      return describedAs(state());
    }

    private WorkloadDescription describedAs(WorkloadState state) {
      return ModelTransfer.this.described(state);
    }

    @Override
    public WorkloadState state() throws IOException {
      node.mayCrash();
      Optional<WaitingProcess> holder = holder();
      TransferState known = loop.state();
      if (holder.isPresent()) {
        boolean says = isClient(holder.get()) && known.client().holds() != null;
        boolean untold =
            record
                .filter(one -> one.process() == holder.get().number() && one.untold())
                .isPresent();
        return says || untold ? WorkloadState.WAITING : WorkloadState.RUNNING;
      }
      if (record.filter(TransferRecord::taken).isPresent()) {
        throw new WorkloadException(ESRCH, "the workload took the device and has ended", null);
      }
      if (known.client() == null) {
        oneThatComes().ifPresent(ModelTransfer.this::hello);
        bringOn();
      }
      if (loop.state().client() == null) {
        throw new WorkloadException(ETIMEDOUT, "nobody waits for the device", null);
      }
      return WorkloadState.WAITING;
    }

    @Override
    public WorkloadDescription prepareWindowMemory(List<WindowShape> shapes) throws IOException {
      request(Kind.FORGET, null);
      memoryMade = true;
      WorkloadDescription description = describe();
      request(Kind.REQUIRE_FIT, null);
      return description;
    }

    @Override
    public void deliver(String migration) throws IOException {
      request(Kind.DELIVER, migration);
    }

    @Override
    public void regain(String migration) {
      node.mayCrash();
      boolean heldUntold =
          holder()
              .filter(one -> recorded(one, migration, Stage.PROMISED, Stage.DELIVERED))
              .isPresent();
      if (heldUntold && !chance.fault(40)) {
        memoryMade = true;
      }
      reopened();
    }

    @Override
    public void requireReadyToTake(String migration) throws IOException {
      request(Kind.REQUIRE_RECEIVER, migration);
    }

    @Override
    public void take(String migration) throws IOException {
      request(Kind.TAKE, migration);
    }

    @Override
    public void giveBack(String migration) throws IOException {
      request(Kind.GIVE_BACK, migration);
    }

    @Override
    public void pause(String migration) {
      throw new AssertionError("a workload that waits is paused");
    }

    @Override
    public void resume(String migration) {
      throw new AssertionError("a workload that waits is resumed");
    }

    @Override
    public void release(String migration) {
      throw new AssertionError("a workload that waits is released");
    }

    @Override
    public void close() {
      // Nothing is held.
    }
  }
}
