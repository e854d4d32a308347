package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.SocketWatch;
import dev.vfio.migration.vfio.linux.UnixListener;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.transfer.TransferRecords.TransferRecord;
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
import java.util.Queue;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Where workloads wait for devices: a folder for each device, with a socket that is there while the
 * device is offered and until a workload has taken it.
 *
 * <p>One thread of its own owns every socket; whoever has a request for a waiting workload borrows
 * it. Safe for use by several threads.
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
  private static final Duration ERRAND_PATIENCE = Duration.ofSeconds(30);
  private static final Duration END_PATIENCE = Duration.ofSeconds(5);

  private final Path directory;
  private final TransferRecords receipts;
  private final ReattachCheck claims;
  private final Duration helloTimeout;
  private final IntPredicate allowedUsers;
  private final Duration errandPatience;
  private final SocketWatch watch;
  private final Queue<Runnable> errands = new ConcurrentLinkedQueue<>();
  private final Map<String, DeviceEndpoint> places = new HashMap<>();
  private final WindowMemories windowMemories = new WindowMemories();
  private final DeclarationWriters declarationWriters = new DeclarationWriters();
  private final Object telling = new Object();
  private final ExecutorService beside = Executors.newCachedThreadPool(WorkloadListener::helping);
  private final Thread thread;
  private volatile boolean closed;

  /**
   * Starts to serve, and offers nothing yet.
   *
   * @param directory of the devices' folders; made where it is missing. Nobody but the agent may
   *     write to it
   * @param receipts where it is noted who was handed a device; outlives the agent, made where it is
   *     missing
   * @param helloTimeout for a workload that connected to say who it is
   * @param allowedUsers user ids that may wait, besides root and the owner of the device's folder
   * @param claims looks whether a workload holds what it says that it holds
   */
  public WorkloadListener(
      Path directory,
      Path receipts,
      Duration helloTimeout,
      IntPredicate allowedUsers,
      HolderCheck claims)
      throws IOException {
    this(directory, receipts, helloTimeout, allowedUsers, claims, ERRAND_PATIENCE);
  }

  /** As the other, with how long the desk's thread is waited for. */
  WorkloadListener(
      Path directory,
      Path receipts,
      Duration helloTimeout,
      IntPredicate allowedUsers,
      HolderCheck claims,
      Duration errandPatience)
      throws IOException {
    this.errandPatience = errandPatience;
    this.directory = DeviceFolders.root(directory);
    this.receipts = new TransferRecords(receipts);
    this.claims = new ReattachCheck(this.receipts, claims);
    this.helloTimeout = helloTimeout;
    this.allowedUsers = allowedUsers;
    this.watch = new SocketWatch();
    this.thread = new Thread(this::serve, "workload-listener");
    thread.setDaemon(true);
    thread.start();
  }

  private static Thread helping(Runnable task) {
    Thread thread = new Thread(task, "workload-listener-beside");
    thread.setDaemon(true);
    return thread;
  }

  /** The folder of a device. */
  public Path folder(String device) {
    return directory.resolve(requireId(device));
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
    errand(
        () -> {
          DeviceEndpoint place = places.get(device);
          if (place == null) {
            DeviceFolders folders = new DeviceFolders(directory);
            Path folder = folders.make(device);
            UnixListener listener =
                UnixListener.listen(folder.resolve(SOCKET), folders.birthplace(device), EVERYBODY);
            places.put(
                device,
                new DeviceEndpoint(
                    device,
                    folder,
                    listener,
                    helloTimeout,
                    allowedUsers,
                    claims,
                    migration -> beside.execute(() -> cameBack(device, migration)),
                    beside,
                    this::post));
          }
          return null;
        });
  }

  /** Devices that workloads may wait for. */
  public Set<String> offered() throws IOException {
    return errand(() -> new TreeSet<>(places.keySet()));
  }

  /** Takes the socket away; a workload that waits there is sent off. */
  public void withdraw(String device) throws IOException {
    errand(
        () -> {
          DeviceEndpoint place = places.remove(device);
          if (place != null) {
            place.close();
          }
          return null;
        });
  }

  /** Name of the workload that waits for the device; empty where none does. */
  public Optional<String> waiting(String device) throws IOException {
    return waitingNow(device).map(WorkloadClient::name);
  }

  /**
   * Whether this very holder received the device for exactly that migration, be it that it waits to
   * take it, was told to, or took it.
   */
  public boolean received(Holder holder, String migration) throws IOException {
    Optional<TransferRecord> receipt = receipts.of(holder.device().id());
    return receipt.isPresent()
        ? receipt.get().isOf(holder) && receipt.get().migration().equals(migration)
        : said(holder).filter(migration::equals).isPresent();
  }

  /**
   * Whether a device's holder does not use it, but waits to be told to: it was handed the device
   * and not told yet, or it says so.
   */
  boolean waits(Holder holder) throws IOException {
    return receipt(holder).filter(TransferRecord::untold).isPresent() || said(holder).isPresent();
  }

  private Optional<TransferRecord> receipt(Holder holder) throws IOException {
    return receipts.of(holder.device().id()).filter(receipt -> receipt.isOf(holder));
  }

  /** The migration that the holder, connected to the desk, says that it holds the device for. */
  private Optional<String> said(Holder holder) throws IOException {
    return waitingNow(holder.device().id())
        .filter(workload -> holder.together().contains(workload.peer().process()))
        .map(WorkloadClient::holds);
  }

  /** Whether a workload is connected that says that it holds the device for that migration. */
  boolean isHeldFor(String device, String migration) throws IOException {
    return waitingNow(device).map(WorkloadClient::holds).filter(migration::equals).isPresent();
  }

  private Optional<WorkloadClient> waitingNow(String device) throws IOException {
    return errand(() -> at(device).flatMap(DeviceEndpoint::waiting));
  }

  /** For messages: how long was waited, nothing where that was no time. */
  static String within(Duration patience) {
    return patience.isZero() ? "" : " within " + patience.toMillis() + " ms";
  }

  TransferRecords records() {
    return receipts;
  }

  private Optional<DeviceEndpoint> at(String device) {
    return Optional.ofNullable(places.get(device));
  }

  /** Nobody connected in time. */
  static final class NobodyWaits extends WorkloadException {
    private static final long serialVersionUID = 1L;

    NobodyWaits(String message, Throwable cause) {
      super(Errno.ETIMEDOUT.number(), message, cause);
    }
  }

  /** A request for a waiting workload. */
  @FunctionalInterface
  interface Request<T> {
    T of(WorkloadClient workload) throws IOException;
  }

  /**
   * Puts a request to the workload that waits for the device. A workload that does not answer it as
   * it should is sent off.
   *
   * @param patience for one to connect
   * @param wanted which one
   * @throws NobodyWaits where none does
   */
  <T> T with(String device, Duration patience, Predicate<WorkloadClient> wanted, Request<T> request)
      throws IOException {
    WorkloadClient workload = borrow(device, patience, wanted);
    boolean usable = false;
    try {
      T answer = request.of(workload);
      usable = true;
      return answer;
    } catch (WorkloadClient.Refusal refusal) {
      usable = true;
      throw refusal;
    } finally {
      boolean stays = usable;
      // Not waited for, and done in any case: what is lent for ever nobody else can ask.
      post(
          () ->
              at(device)
                  .ifPresentOrElse(
                      place -> place.returned(workload, stays),
                      () -> workload.connection().close()));
      if (closed) {
        workload.connection().close();
      }
    }
  }

  private WorkloadClient borrow(String device, Duration patience, Predicate<WorkloadClient> wanted)
      throws IOException {
    offer(device);
    CompletableFuture<WorkloadClient> borrowed = new CompletableFuture<>();
    try {
      errand(
          () -> {
            at(device)
                .ifPresentOrElse(
                    place -> place.lend(wanted, borrowed),
                    () -> borrowed.completeExceptionally(new IOException("it was withdrawn")));
            return null;
          });
    } catch (IOException unheard) {
      if (!borrowed.cancel(false) && !borrowed.isCompletedExceptionally()) {
        // Lent at the last moment.
        return borrowed.getNow(null);
      }
      throw unheard;
    }
    try {
      return borrowed.get(patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException nobody) {
      if (!borrowed.cancel(false)) {
        // Lent at the last moment.
        return borrowed.getNow(null);
      }
      throw new NobodyWaits(
          "nobody uses the device "
              + device
              + ", and nobody waits for it at "
              + socket(device)
              + within(patience)
              + ". Start the workload that is to wait there; see whether its socket's folder is"
              + " mounted into it and whether it runs as root or as the folder's owner.",
          nobody);
    } catch (ExecutionException withdrawn) {
      throw new WorkloadException(
          Errno.ECONNREFUSED.number(),
          "nobody can wait for the device " + device + ": " + withdrawn.getCause().getMessage(),
          withdrawn);
    } catch (InterruptedException interrupted) {
      borrowed.cancel(false);
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("waiting for a workload at " + socket(device));
    }
  }

  private void cameBack(String device, String migration) {
    try {
      tellAgain(device, migration);
    } catch (IOException | RuntimeException failure) {
      LOG.log(
          System.Logger.Level.WARNING,
          "the holder of the device "
              + device
              + " came back, and could not be told to take it for the migration "
              + migration,
          failure);
    }
  }

  /**
   * Tells a workload to take the device that counts as having taken it and is here all the same.
   * Nothing where none is here, or where it answered before. One at a time.
   */
  void tellAgain(String device, String migration) throws IOException {
    synchronized (telling) {
      Optional<TransferRecord> presumed =
          receipts
              .of(device)
              .filter(one -> one.stage() == TransferRecords.Stage.PRESUMED)
              .filter(one -> one.migration().equals(migration));
      if (presumed.isEmpty() || !isHeldFor(device, migration)) {
        return;
      }
      try {
        with(
            device,
            Duration.ZERO,
            workload -> migration.equals(workload.holds()),
            workload -> {
              workload.ask(Delivery.takeRequest(migration), helloTimeout);
              receipts.write(presumed.get().at(TransferRecords.Stage.TAKEN));
              workload.holds(null);
              return null;
            });
      } catch (NobodyWaits left) {
        return;
      }
      taken(device);
    }
  }

  /** The device was taken: its socket, good for one workload, is gone. */
  void taken(String device) throws IOException {
    withdraw(device);
    windowMemories.release(device);
  }

  /** Who wrote the declarations of memory. */
  DeclarationWriters declarationWriters() {
    return declarationWriters;
  }

  /** Memory for the windows of workloads that are to come. */
  WindowMemories windowMemories() {
    return windowMemories;
  }

  // ------------------------------------------------------------------ the desk's own thread

  /** Has it done, and does not wait; not at all once the desk has ended. For any thread. */
  private void post(Runnable errand) {
    errands.add(errand);
    try {
      if (!closed) {
        watch.wake();
      }
    } catch (IOException | IllegalStateException ended) {
      LOG.log(System.Logger.Level.DEBUG, "the desk at " + directory + " ends", ended);
    }
    if (closed) {
      // The desk's thread does what is left when it ends; what comes later nobody does.
      errands.remove(errand);
    }
  }

  private <T> T errand(Callable<T> errand) throws IOException {
    CompletableFuture<T> done = new CompletableFuture<>();
    AtomicBoolean begun = new AtomicBoolean();
    errands.add(
        () -> {
          if (begun.compareAndSet(false, true)) {
            try {
              done.complete(errand.call());
            } catch (Exception | Error failure) {
              done.completeExceptionally(failure);
            }
          }
        });
    if (closed) {
      throw new IOException("the desk at " + directory + " is closed");
    }
    watch.wake();
    long start = System.nanoTime();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          long left = errandPatience.toNanos() - (System.nanoTime() - start);
          return done.get(left, TimeUnit.NANOSECONDS);
        } catch (InterruptedException whileWaiting) {
          // The desk's thread is quick; what it does must not be left half known.
          interrupted = true;
        } catch (TimeoutException late) {
          throw new IOException(
              "the desk at "
                  + directory
                  + " did not answer"
                  + within(errandPatience)
                  + (begun.compareAndSet(false, true)
                      ? "; nothing was done"
                      : "; whether what it was asked is done is not known")
                  + ". Restart the agent if that lasts; a thread dump shows at what the thread"
                  + " workload-listener hangs.",
              late);
        } catch (ExecutionException failure) {
          if (failure.getCause() instanceof IOException problem) {
            throw problem;
          }
          throw new IllegalStateException(failure.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Whether workloads can wait here; false for good once the desk has ended. For any thread. */
  public boolean serves() {
    return !closed && thread.isAlive();
  }

  private void serve() {
    try {
      boolean faulty = false;
      while (!closed) {
        runErrands();
        try {
          SocketWatch.Ready ready = await();
          places.forEach((device, place) -> serve(device, place, ready));
          faulty = false;
        } catch (RuntimeException fault) {
          if (faulty) {
            throw fault;
          }
          // Whose connection it is at is not known: all are asked to come again, once.
          faulty = true;
          LOG.log(System.Logger.Level.ERROR, "a fault at the desk at " + directory, fault);
          places.values().forEach(DeviceEndpoint::dropConnections);
        }
      }
    } catch (IOException | RuntimeException fault) {
      LOG.log(
          System.Logger.Level.ERROR,
          "the desk at " + directory + " serves no more; no device can be handed over",
          fault);
    } finally {
      closed = true;
      runErrands();
      places.values().forEach(DeviceEndpoint::close);
      places.clear();
    }
  }

  private SocketWatch.Ready await() throws IOException {
    List<UnixListener> listeners = new ArrayList<>();
    List<UnixStream> streams = new ArrayList<>();
    Duration patience = null;
    long now = System.nanoTime();
    for (DeviceEndpoint place : places.values()) {
      Duration until = place.watched(now, listeners, streams);
      if (until != null && (patience == null || until.compareTo(patience) < 0)) {
        patience = until;
      }
    }
    return watch.await(listeners, streams, patience);
  }

  /** What is wrong at one device's place ends no other's. */
  private static void serve(String device, DeviceEndpoint place, SocketWatch.Ready ready) {
    try {
      place.serve(ready);
    } catch (RuntimeException fault) {
      LOG.log(
          System.Logger.Level.ERROR,
          "a fault at the desk of " + device + ": whoever waits there has to connect again",
          fault);
      place.dropConnections();
    }
  }

  private void runErrands() {
    for (Runnable errand = errands.poll(); errand != null; errand = errands.poll()) {
      try {
        errand.run();
      } catch (RuntimeException fault) {
        LOG.log(System.Logger.Level.ERROR, "a fault at the desk at " + directory, fault);
      }
    }
  }

  /** Takes all sockets away. Workloads that wait notice, and connect again to a later agent. */
  @Override
  public void close() {
    closed = true;
    beside.shutdown();
    boolean interrupted = Thread.interrupted();
    try {
      watch.wake();
      thread.join(END_PATIENCE.toMillis());
    } catch (IOException notWoken) {
      LOG.log(System.Logger.Level.WARNING, "the desk at " + directory + " does not end", notWoken);
    } catch (InterruptedException again) {
      interrupted = true;
    } finally {
      if (!thread.isAlive()) {
        watch.close();
      }
      windowMemories.close();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
