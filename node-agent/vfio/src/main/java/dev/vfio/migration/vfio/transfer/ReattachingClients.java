package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.transfer.machine.ConnectedClient;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * Clients of one device that say that they hold it, until that was looked at: one after another, so
 * that a look that hangs costs one thread, however often somebody asks for it. Owned by the
 * listener's thread.
 */
final class ReattachingClients {
  private final String device;
  private final TransferRecords records;
  private final HolderCheck holders;
  private final Executor beside;
  private final Consumer<Runnable> back;
  private final Consumer<TransferEvent> looked;
  private final List<Reattaching> clients = new ArrayList<>();

  /** The client that is looked at now, whether or not it still waits for that. */
  private Reattaching examined;

  private record Reattaching(ConnectedClient client, long deadline) {}

  /**
   * @param beside does what may wait
   * @param back runs a task on the listener's thread
   * @param looked takes what was seen
   */
  ReattachingClients(
      String device,
      TransferRecords records,
      HolderCheck holders,
      Executor beside,
      Consumer<Runnable> back,
      Consumer<TransferEvent> looked) {
    this.device = device;
    this.records = records;
    this.holders = holders;
    this.beside = beside;
    this.back = back;
    this.looked = looked;
  }

  int size() {
    return clients.size();
  }

  void add(ConnectedClient client, long deadline) {
    clients.add(new Reattaching(client, deadline));
    examineNext();
  }

  /** The time until the next of them has waited too long, in nanoseconds from now. */
  long until(long now) {
    return clients.stream().mapToLong(one -> one.deadline() - now).min().orElse(Long.MAX_VALUE);
  }

  /** Forgets those that have waited too long, and returns them. */
  List<ConnectedClient> late(long now) {
    List<Reattaching> late = clients.stream().filter(one -> now - one.deadline() > 0).toList();
    clients.removeAll(late);
    return late.stream().map(Reattaching::client).toList();
  }

  private void examineNext() {
    if (examined == null && !clients.isEmpty()) {
      Reattaching next = clients.get(0);
      examined = next;
      beside.execute(
          () -> {
            TransferEvent seen = look(next.client());
            back.accept(() -> wasExamined(next, seen));
          });
    }
  }

  private TransferEvent look(ConnectedClient client) {
    try {
      Optional<TransferRecord> record = records.of(device);
      return new TransferEvent.ClaimSeen(client, record, holders.holds(device, client.process()));
    } catch (IOException | RuntimeException unknown) {
      return new TransferEvent.ClaimUnclear(
          client,
          "whether you hold the device " + device + " is not known: " + unknown.getMessage());
    }
  }

  private void wasExamined(Reattaching one, TransferEvent seen) {
    examined = null;
    if (clients.remove(one)) {
      looked.accept(seen);
    }
    examineNext();
  }

  /** Forgets all of them, and returns them. */
  List<ConnectedClient> clear() {
    List<ConnectedClient> all = clients.stream().map(Reattaching::client).toList();
    clients.clear();
    return all;
  }
}
