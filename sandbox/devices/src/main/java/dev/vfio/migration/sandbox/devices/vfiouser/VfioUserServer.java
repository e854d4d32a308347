package dev.vfio.migration.sandbox.devices.vfiouser;

import dev.vfio.migration.sandbox.devices.fault.ActiveFaults;
import dev.vfio.migration.sandbox.devices.gate.Gate;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.devices.region.MigrationRegion;
import dev.vfio.migration.sandbox.devices.unixsocket.ListeningSocket;
import dev.vfio.migration.sandbox.devices.unixsocket.SocketPath;
import dev.vfio.migration.sandbox.devices.unixsocket.UnixConnection;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Serves the device to one migration client over vfio-user. A second client's VERSION is refused
 * with EBUSY as long as the first is there; when the first leaves, the device keeps its state and
 * the next client may go on. One thread a connection.
 */
public final class VfioUserServer implements AutoCloseable {
  private static final long TIMEOUT = TimeUnit.SECONDS.toNanos(2);

  private final ListeningSocket listener;
  private final DeviceRegions regions;
  private final Gate gate;
  private final EventLog log;
  private final Set<ClientConnection> connections = ConcurrentHashMap.newKeySet();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition left = lock.newCondition();
  private ClientConnection admitted;

  private VfioUserServer(ListeningSocket listener, DeviceRegions regions, Gate gate, EventLog log) {
    this.listener = listener;
    this.regions = regions;
    this.gate = gate;
    this.log = log;
  }

  /** Listens from the moment this returns. */
  public static VfioUserServer start(
      Path path,
      MigrationRegion region,
      PciIdentity identity,
      ActiveFaults faults,
      Gate gate,
      EventLog log)
      throws IOException {
    ListeningSocket listener = ListeningSocket.listen(SocketPath.claim(path));
    VfioUserServer server =
        new VfioUserServer(listener, new DeviceRegions(region, identity, faults), gate, log);
    gate.whenShut(() -> server.connections.forEach(ClientConnection::hangUp));
    startThread(server::acceptAll, path.getFileName().toString());
    return server;
  }

  @Override
  public void close() throws IOException {
    listener.close();
    connections.forEach(ClientConnection::hangUp);
  }

  private void acceptAll() {
    try {
      UnixConnection socket = listener.accept();
      while (socket != null) {
        ClientConnection client = new ClientConnection(socket, regions);
        connections.add(client);
        startThread(() -> serve(client), "vfio-user client");
        socket = listener.accept();
      }
    } catch (IOException e) {
      throw new UncheckedIOException("the vfio-user server has ended", e);
    }
  }

  private void serve(ClientConnection client) {
    try {
      boolean more = gate.letsIn() && client.greet(this::admit);
      while (more) {
        more = client.serve() && gate.letsIn();
      }
    } catch (IOException e) {
      logClient("lost", e.getMessage());
    } finally {
      connections.remove(client);
      leave(client);
      client.close();
    }
  }

  private void admit(ClientConnection client) throws RefusalException {
    lock.lock();
    try {
      long remaining = TIMEOUT;
      // a client that has closed its end leaves soon; its last command may still run
      while (admitted != null && admitted.peerHasClosed() && remaining > 0) {
        remaining = left.awaitNanos(remaining);
      }
      if (admitted != null) {
        logClient("refused", "another client is connected");
        throw new RefusalException(Errno.EBUSY, "another migration client is connected");
      }
      admitted = client;
      logClient("connected", "");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RefusalException(Errno.EBUSY, "the device is being stopped");
    } finally {
      lock.unlock();
    }
  }

  private void leave(ClientConnection client) {
    lock.lock();
    try {
      if (admitted == client) {
        regions.migration().clientLeft();
        admitted = null;
        left.signalAll();
        logClient("gone", "");
      }
    } finally {
      lock.unlock();
    }
  }

  private void logClient(String to, String detail) {
    log.event(
        "client",
        line -> {
          line.writeStringField("to", to);
          line.writeStringField("detail", detail);
        });
  }

  private static void startThread(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    thread.start();
  }
}
