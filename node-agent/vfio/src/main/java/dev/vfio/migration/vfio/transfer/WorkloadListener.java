package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.linux.SocketWatch;
import dev.vfio.migration.vfio.linux.UnixListener;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.transfer.machine.ConnectedClient;
import dev.vfio.migration.vfio.transfer.machine.TransferFailure;
import dev.vfio.migration.vfio.transfer.machine.TransferFailures;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;

/**
 * Where workloads wait for devices: a folder for each device, with a socket that is there while the
 * device is offered and until a workload has taken it.
 *
 * <p>One thread of its own owns every socket and every {@link DeviceEndpoint}; what may wait is
 * done beside it. Safe for use by several threads.
 */
public final class WorkloadListener implements AutoCloseable {
  /** Name of the socket in a device's folder. */
  public static final String SOCKET = "handover.sock";

  /** Name of the file in a device's folder by which a running workload declares its memory. */
  public static final String MEMORY = "memory.json";

  private static final System.Logger LOG = System.getLogger(WorkloadListener.class.getName());
  private static final Pattern DEVICE = Pattern.compile("[0-9A-Za-z][-:.0-9A-Za-z]{0,63}");
  private static final Set<PosixFilePermission> EVERYBODY =
      PosixFilePermissions.fromString("rw-rw-rw-");
  private static final Duration TASK_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration END_TIMEOUT = Duration.ofSeconds(5);

  /** Deliver, give back, take: no request asks a workload more often. */
  private static final int MAX_ANSWERS = 4;

  private final Path directory;
  private final Duration taskTimeout;
  private final SocketWatch watch;
  private final ListenerTasks tasks;
  private final Map<String, DeviceEndpoint> endpoints = new HashMap<>();
  private final Shared shared;
  private final DeclarationWriters declarationWriters = new DeclarationWriters();
  private final ExecutorService beside = Executors.newCachedThreadPool(WorkloadListener::helping);
  private final Thread thread;

  /**
   * Starts to serve, and offers nothing yet.
   *
   * @param directory of the devices' folders; made where it is missing. Nobody but the agent may
   *     write to it
   * @param records where it is noted which workload a device is transferred to; outlives the agent,
   *     made where it is missing
   * @param helloTimeout for a workload that connected to say who it is
   * @param allowedUsers user ids that may wait, besides root and the owner of the device's folder
   * @param holders looks whether a workload holds what it says that it holds
   */
  public WorkloadListener(
      Path directory,
      Path records,
      Duration helloTimeout,
      IntPredicate allowedUsers,
      HolderCheck holders)
      throws IOException {
    this(directory, records, helloTimeout, allowedUsers, holders, TASK_TIMEOUT);
  }

  /** As the other constructor, with how long the listener's thread is waited for. */
  WorkloadListener(
      Path directory,
      Path records,
      Duration helloTimeout,
      IntPredicate allowedUsers,
      HolderCheck holders,
      Duration taskTimeout)
      throws IOException {
    this.taskTimeout = taskTimeout;
    this.directory = DeviceFolders.root(directory);
    this.shared =
        new Shared(
            this.directory,
            new TransferRecords(records),
            new WindowMemories(),
            holders,
            new UnidentifiedClients.Settings(helloTimeout, allowedUsers),
            beside,
            this::post);
    this.watch = new SocketWatch();
    this.tasks = new ListenerTasks("the workload listener at " + directory, watch, taskTimeout);
    this.thread = new Thread(this::serve, "workload-listener");
    thread.setDaemon(true);
    thread.start();
  }

  /** What all endpoints have in common. */
  record Shared(
      Path directory,
      TransferRecords records,
      WindowMemories memories,
      HolderCheck holders,
      UnidentifiedClients.Settings settings,
      Executor beside,
      Consumer<Runnable> back) {

    Path folder(String device) {
      return directory.resolve(device);
    }

    Path socket(String device) {
      return folder(device).resolve(SOCKET);
    }

    TransferFailures failures(String device) {
      return new TransferFailures(device, socket(device).toString());
    }

    /** Makes a device's socket, in its folder. */
    UnixListener open(String device) throws IOException {
      DeviceFolders folders = new DeviceFolders(directory);
      Path folder = folders.make(device);
      return UnixListener.listen(folder.resolve(SOCKET), folders.birthplace(device), EVERYBODY);
    }
  }

  private static Thread helping(Runnable task) {
    Thread thread = new Thread(task, "workload-listener-beside");
    thread.setDaemon(true);
    return thread;
  }

  /** The folder of a device. */
  public Path folder(String device) {
    return shared.folder(requireId(device));
  }

  static String requireId(String device) {
    if (!DEVICE.matcher(device).matches()) {
      throw new IllegalArgumentException("not the id of a device: " + device);
    }
    return device;
  }

  /** Where a workload connects that waits for the device. */
  public Path socket(String device) {
    return folder(device).resolve(SOCKET);
  }

  /** Lets workloads wait for the device. Nothing where they may already. */
  public void offer(String device) throws IOException {
    requireId(device);
    tasks.call(
        () -> {
          endpoint(device).offer();
          return null;
        });
  }

  /** Devices that workloads may wait for. */
  public Set<String> offered() throws IOException {
    return tasks.call(
        () -> {
          Set<String> offered = new TreeSet<>();
          endpoints.forEach(
              (device, endpoint) -> {
                if (endpoint.offered()) {
                  offered.add(device);
                }
              });
          return offered;
        });
  }

  /** Takes the socket away; the connection of a workload that waits there is closed. */
  public void withdraw(String device) throws IOException {
    tasks.call(
        () -> {
          endpoint(device).withdrawSocket();
          return null;
        });
  }

  /** Name of the workload that waits for the device; empty where none does. */
  public Optional<String> waiting(String device) throws IOException {
    return client(device).map(ConnectedClient::name);
  }

  /** The workload that waits for the device; empty where none does. */
  Optional<ConnectedClient> client(String device) throws IOException {
    return tasks.call(() -> Optional.ofNullable(endpoints.get(device)).map(DeviceEndpoint::client));
  }

  /**
   * Whether this very holder received the device for exactly that migration: it waits to take the
   * device, was told to, or took it.
   */
  public boolean received(Holder holder, String migration) throws IOException {
    Optional<TransferRecord> record = records().of(holder.device().id());
    return record.isPresent()
        ? record.get().isOf(KernelDeviceLookups.view(holder))
            && record.get().migration().equals(migration)
        : says(holder).filter(migration::equals).isPresent();
  }

  /**
   * Whether a device's holder does not use it, but waits to be told to: it received the device and
   * was not told yet, or it says so.
   */
  boolean waits(Holder holder) throws IOException {
    return records()
            .of(holder.device().id())
            .filter(record -> record.isOf(KernelDeviceLookups.view(holder)))
            .filter(TransferRecord::untold)
            .isPresent()
        || says(holder).isPresent();
  }

  /** The migration that the holder, which is connected, says that it holds the device for. */
  private Optional<String> says(Holder holder) throws IOException {
    return client(holder.device().id())
        .filter(client -> holder.together().contains(client.process()))
        .map(ConnectedClient::holds);
  }

  TransferRecords records() {
    return shared.records();
  }

  /** Who wrote the declarations of memory. */
  DeclarationWriters declarationWriters() {
    return declarationWriters;
  }

  /** Memory for the windows of workloads that are to come. */
  WindowMemories windowMemories() {
    return shared.memories();
  }

  TransferFailures failures(String device) {
    return shared.failures(requireId(device));
  }

  static WorkloadException exception(TransferFailure failure) {
    return new WorkloadException(failure.errno(), failure.message(), failure.cause());
  }

  /** Nobody connected in time. */
  static final class NobodyWaits extends WorkloadException {
    private static final long serialVersionUID = 1L;

    NobodyWaits(TransferFailure failure) {
      super(failure.errno(), failure.message(), null);
    }
  }

  /**
   * The workload that waits for the device, whatever it is asked meanwhile.
   *
   * @param timeout for one to connect
   * @throws NobodyWaits where none does
   */
  ConnectedClient await(String device, Duration timeout) throws IOException {
    requireId(device);
    CompletableFuture<ConnectedClient> somebody = new CompletableFuture<>();
    tasks.call(
        () -> {
          endpoint(device).await(somebody);
          return null;
        });
    try {
      return somebody.get(timeout.toNanos(), TimeUnit.NANOSECONDS);
    } catch (TimeoutException nobody) {
      if (!somebody.cancel(false)) {
        return somebody.getNow(null);
      }
      throw new NobodyWaits(failures(device).nobodyWaits(timeout));
    } catch (ExecutionException withdrawn) {
      throw exception(failures(device).withdrawn());
    } catch (InterruptedException interrupted) {
      somebody.cancel(false);
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("waiting for a workload at " + socket(device));
    }
  }

  /**
   * Carries a request of a device's transfer out, and waits for its end.
   *
   * @throws IOException why it was not carried out
   */
  void request(String device, TransferRequest request, DeviceLookups lookups) throws IOException {
    requireId(device);
    CompletableFuture<Optional<TransferFailure>> answer = new CompletableFuture<>();
    tasks.call(
        () -> {
          endpoint(device).request(request, lookups, answer);
          return null;
        });
    Duration timeout =
        taskTimeout
            .plus(request.connectTimeout())
            .plus(request.answerTimeout().multipliedBy(MAX_ANSWERS));
    Optional<TransferFailure> failure =
        tasks.await(
            answer,
            timeout,
            "the transfer of the device " + device,
            () -> Optional.ofNullable(endpoints.get(device)).map(at -> at.cancel(request)));
    if (failure.isPresent()) {
      throw failure.get().cause() != null ? failure.get().cause() : exception(failure.get());
    }
  }

  // ------------------------------------------------------------------ the listener's own thread

  private DeviceEndpoint endpoint(String device) {
    return endpoints.computeIfAbsent(device, id -> new DeviceEndpoint(id, shared));
  }

  /** Runs a task on the listener's thread, and does not wait for it. */
  private void post(Runnable task) {
    tasks.post(task);
  }

  /** Whether workloads can wait here; false for good once the listener has ended. */
  public boolean serves() {
    return !tasks.closed() && thread.isAlive();
  }

  private void serve() {
    try {
      boolean faulty = false;
      while (!tasks.closed()) {
        tasks.run();
        try {
          SocketWatch.Ready ready = awaitSockets();
          List.copyOf(endpoints.entrySet()).forEach(at -> serve(at.getKey(), at.getValue(), ready));
          faulty = false;
        } catch (RuntimeException fault) {
          if (faulty) {
            throw fault;
          }
          // Whose connection it is at is not known: all are asked to connect again, once.
          faulty = true;
          LOG.log(System.Logger.Level.ERROR, "a fault of the listener at " + directory, fault);
          endpoints.values().forEach(endpoint -> endpoint.dropAll(fault));
        }
      }
    } catch (IOException | RuntimeException fault) {
      LOG.log(
          System.Logger.Level.ERROR,
          "the workload listener at "
              + directory
              + " serves no more; no device can be transferred to a workload",
          fault);
    } finally {
      tasks.close();
      tasks.run();
      endpoints.values().forEach(DeviceEndpoint::close);
      endpoints.clear();
    }
  }

  private SocketWatch.Ready awaitSockets() throws IOException {
    endpoints.values().removeIf(WorkloadListener::closedUnused);
    List<UnixListener> listeners = new ArrayList<>();
    List<UnixStream> streams = new ArrayList<>();
    Duration timeout = null;
    long now = System.nanoTime();
    for (DeviceEndpoint endpoint : endpoints.values()) {
      Duration until = endpoint.watch(now, listeners, streams);
      if (until != null && (timeout == null || until.compareTo(timeout) < 0)) {
        timeout = until;
      }
    }
    return watch.await(listeners, streams, timeout);
  }

  private static boolean closedUnused(DeviceEndpoint endpoint) {
    if (endpoint.unused()) {
      endpoint.close();
      return true;
    }
    return false;
  }

  /** What is wrong at one device's endpoint ends no other's. */
  private static void serve(String device, DeviceEndpoint endpoint, SocketWatch.Ready ready) {
    try {
      endpoint.serve(ready);
    } catch (RuntimeException fault) {
      LOG.log(
          System.Logger.Level.ERROR,
          "a fault at the socket of " + device + ": whoever waits there has to connect again",
          fault);
      endpoint.dropAll(fault);
    }
  }

  /** Takes all sockets away. Workloads that wait notice, and connect again to a later agent. */
  @Override
  public void close() {
    tasks.close();
    beside.shutdown();
    boolean interrupted = Thread.interrupted();
    try {
      watch.wake();
      thread.join(END_TIMEOUT.toMillis());
    } catch (IOException notWoken) {
      LOG.log(
          System.Logger.Level.WARNING, "the listener at " + directory + " does not end", notWoken);
    } catch (InterruptedException again) {
      interrupted = true;
    } finally {
      if (!thread.isAlive()) {
        watch.close();
      }
      windowMemories().close();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
