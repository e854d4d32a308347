package dev.vfio.migration.vfio.user;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.RootDirectory;
import dev.vfio.migration.vfio.region.Region2018;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;

/**
 * The vfio-user devices of this node: a folder {@code NAME} for each in one directory, with the
 * device's socket in it; see {@link DeviceSockets}. The id of a device is {@code vfio-user:NAME}.
 *
 * <p>Safe for use by several threads. A server takes one client at a time, so looking at a device
 * and opening it take turns here. Opening a device ends a look at it, and no thread waits for its
 * turn longer than {@link ServerTimeouts#toConnect()}. A device that this directory opened is
 * listed from memory.
 */
public final class VfioUserDirectory implements DeviceDirectory {
  /** What the ids of these devices start with. */
  public static final String ID_PREFIX = "vfio-user:";

  /** Where earlier versions had the sockets of all devices; no such socket is connected to. */
  private static final String FLAT_SUFFIX = ".sock";

  private static final List<String> OTHER_FLAT = List.of(".workload.sock", ".console.sock");
  private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
  private static final int MAX_SHOWN_NAME = 80;

  /**
   * How long a server may call the device busy after our own last connection ended, because it has
   * not noticed the end yet.
   */
  private static final Duration NOTICES_OUR_END_WITHIN = Duration.ofSeconds(2);

  private static final Duration BETWEEN_TRIES = Duration.ofMillis(5);

  private final Path directory;
  private final DeviceSockets sockets;
  private final int pageSize;
  private final ServerTimeouts timeouts;
  private final Map<String, KnownServer> servers = new ConcurrentHashMap<>();

  /** What is known of the server of one device. Guarded by itself, but for {@link #turn}. */
  private static final class KnownServer {
    /** Held by the thread that talks to the server before the device is open. */
    final ReentrantLock turn = new ReentrantLock();

    private DeviceDescription opened;
    private VfioUserAccess lookedThrough;
    private boolean lookWasEnded;
    private long lastEnd;
    private boolean everEnded;

    synchronized DeviceDescription opened() {
      return opened;
    }

    synchronized void opened(DeviceDescription description) {
      opened = description;
    }

    synchronized void lookThrough(VfioUserAccess access) {
      lookedThrough = access;
      lookWasEnded &= access == null;
    }

    synchronized boolean lookWasEnded() {
      return lookWasEnded;
    }

    synchronized void ended() {
      opened = null;
      lastEnd = System.nanoTime();
      everEnded = true;
    }

    synchronized boolean endedLately() {
      return everEnded && System.nanoTime() - lastEnd < NOTICES_OUR_END_WITHIN.toNanos();
    }

    /** Ends a look that is under way: it fails at once. */
    void endLook() {
      VfioUserAccess access;
      synchronized (this) {
        access = lookedThrough;
        lookWasEnded = access != null;
      }
      if (access != null) {
        access.close();
      }
    }
  }

  /**
   * @param directory where the devices' folders are; it need not exist yet
   * @param pageSize bytes of a PFN: the page size of this machine
   */
  public VfioUserDirectory(Path directory, int pageSize, ServerTimeouts timeouts) {
    this.directory = directory;
    this.sockets = new DeviceSockets(directory);
    this.pageSize = pageSize;
    this.timeouts = timeouts;
  }

  /**
   * {@inheritDoc}
   *
   * @throws UncheckedIOException where the directory cannot be read; one that does not exist is
   *     empty
   */
  @Override
  public List<String> ids() {
    List<String> ids = new ArrayList<>();
    names().forEach(name -> ids.add(ID_PREFIX + name));
    return ids;
  }

  @Override
  public Optional<Entry> look(String id, boolean named) {
    String name = id.startsWith(ID_PREFIX) ? id.substring(ID_PREFIX.length()) : "";
    if (!NAME.matcher(name).matches()) {
      // A device that was asked for by such a name does not exist; a listing shows the file.
      return named || name.isEmpty() ? Optional.empty() : Optional.of(entry(id, name));
    }
    return sockets.exists(Path.of(name)) || isFlat(name)
        ? Optional.of(entry(id, name))
        : Optional.empty();
  }

  private Entry entry(String id, String name) {
    try {
      requireValid(id, name);
      return look(id, name);
    } catch (DeviceException problem) {
      return new Entry(shown(id), null, null, problem);
    }
  }

  private Iterable<String> names() {
    TreeSet<String> names = new TreeSet<>();
    try (RootDirectory root = RootDirectory.open(directory);
        DirectoryStream<Path> files = root.list("*")) {
      for (Path file : files) {
        String fileName = file.getFileName().toString();
        if (sockets.exists(file.getFileName())) {
          names.add(fileName);
        } else if (fileName.endsWith(FLAT_SUFFIX)
            && OTHER_FLAT.stream().noneMatch(fileName::endsWith)) {
          names.add(fileName.substring(0, fileName.length() - FLAT_SUFFIX.length()));
        }
      }
    } catch (DirectoryIteratorException unreadable) {
      throw new UncheckedIOException(
          "cannot read the directory of vfio-user sockets " + directory, unreadable.getCause());
    } catch (IOException unreadable) {
      if (unreadable instanceof ErrnoException known && known.is(Errno.ENOENT)) {
        return names;
      }
      throw new UncheckedIOException(
          "cannot read the directory of vfio-user sockets " + directory, unreadable);
    }
    return names;
  }

  private boolean isFlat(String name) {
    return Files.exists(directory.resolve(name + FLAT_SUFFIX), LinkOption.NOFOLLOW_LINKS);
  }

  private Entry look(String id, String name) throws DeviceException {
    KnownServer server = servers.computeIfAbsent(name, unused -> new KnownServer());
    try {
      return look(id, name, server);
    } catch (DeviceException failure) {
      if (!server.lookWasEnded()) {
        throw failure;
      }
      // The thread that opens the device ended the look, which now sees the opened device.
      return look(id, name, server);
    }
  }

  private Entry look(String id, String name, KnownServer server) throws DeviceException {
    takeTurn(id, server);
    try {
      DeviceDescription opened = server.opened();
      if (opened != null) {
        return new Entry(id, opened, null, null);
      }
      try (VfioUserAccess access = connect(id, name, server)) {
        server.lookThrough(access);
        DeviceLook look = Region2018.look(id, access, DriverProfile.NONE, pageSize);
        return new Entry(id, look.description(), look.state(), null);
      } finally {
        server.lookThrough(null);
      }
    } finally {
      server.turn.unlock();
    }
  }

  @Override
  public MigratableDevice open(String id) throws DeviceException {
    String name = nameOf(id);
    KnownServer server = servers.computeIfAbsent(name, unused -> new KnownServer());
    // Opening does not wait behind a listing.
    server.endLook();
    takeTurn(id, server);
    try {
      if (server.opened() != null) {
        throw busy(id, "this agent holds it open for another migration", 0, null);
      }
      VfioUserAccess access = connect(id, name, server);
      Region2018 device = Region2018.open(id, access, pageSize);
      hasOpened(id, access);
      server.opened(device.description());
      return device;
    } finally {
      server.turn.unlock();
    }
  }

  private static void hasOpened(String id, VfioUserAccess access) throws DeviceException {
    try {
      access.opened();
    } catch (AccessException failure) {
      access.close();
      throw notAgreed(id, failure);
    }
  }

  private void takeTurn(String id, KnownServer server) throws DeviceException {
    boolean taken = false;
    try {
      taken = server.turn.tryLock(timeouts.toConnect().toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    if (!taken) {
      throw new DeviceException(
          Kind.UNREACHABLE,
          Errno.ETIMEDOUT.number(),
          String.format(
              "device %s could not be asked: somebody else in this agent has been waiting for its"
                  + " server for more than %s ms. Nothing was done to the device; see whether the"
                  + " process that serves it answers.",
              id, timeouts.toConnect().toMillis()));
    }
  }

  /**
   * The name of a vfio-user device, which need not exist.
   *
   * @throws DeviceException UNKNOWN_DEVICE where no vfio-user device can have that id
   */
  public static String nameOf(String id) throws DeviceException {
    if (!id.startsWith(ID_PREFIX)) {
      throw Kind.UNKNOWN_DEVICE.exception(
          "device %s is not known on this node: it serves devices named %sNAME",
          shown(id), ID_PREFIX);
    }
    String name = id.substring(ID_PREFIX.length());
    requireValid(id, name);
    return name;
  }

  private static void requireValid(String id, String name) throws DeviceException {
    if (!NAME.matcher(name).matches()) {
      throw Kind.UNKNOWN_DEVICE.exception(
          "device "
              + shown(id)
              + ": its name may have lower-case letters, digits and dashes, not at the ends, and at"
              + " most 63 of them");
    }
  }

  private static String shown(String id) {
    String printable = id.replaceAll("[^\\x21-\\x7e]", "?");
    return printable.length() <= MAX_SHOWN_NAME
        ? printable
        : printable.substring(0, MAX_SHOWN_NAME) + "...";
  }

  private VfioUserAccess connect(String id, String name, KnownServer server)
      throws DeviceException {
    Path socket = sockets.path(name, DeviceSockets.DEVICE);
    while (true) {
      long openBy = System.nanoTime() + timeouts.toConnect().toNanos();
      try {
        return VfioUserAccess.over(
            sockets.connect(name, DeviceSockets.DEVICE, timeouts.toConnect()),
            socket,
            timeouts,
            openBy,
            server::ended);
      } catch (AccessException failure) {
        boolean refusedAsBusy =
            failure.reason() == Reason.REFUSED && failure.errno() == Errno.EBUSY.number();
        if (!refusedAsBusy) {
          throw notAgreed(id, failure);
        }
        if (!server.endedLately() || Thread.currentThread().isInterrupted()) {
          throw busy(
              id,
              "it has another migration client; end that one, or wait for it",
              failure.errno(),
              failure);
        }
        LockSupport.parkNanos(BETWEEN_TRIES.toNanos());
      } catch (IOException failure) {
        throw notConnected(id, name, failure);
      }
    }
  }

  private DeviceException notConnected(String id, String name, IOException failure) {
    int errno = ErrnoException.errnoOf(failure);
    if (failure instanceof DeviceSockets.UntrustedException) {
      return new DeviceException(
          Kind.UNREACHABLE, errno, "device " + id + ": " + failure.getMessage(), failure);
    }
    if (errno == Errno.ENOENT.number() || errno == Errno.ENOTDIR.number()) {
      return absent(id, name, errno, failure);
    }
    return new DeviceException(
        Kind.UNREACHABLE,
        errno,
        String.format(
            "device %s cannot be reached: %s. Nothing was done to the device; see whether the"
                + " process that serves it runs.",
            id, failure.getMessage()),
        failure);
  }

  private DeviceException absent(String id, String name, int errno, IOException failure) {
    Path socket = sockets.path(name, DeviceSockets.DEVICE);
    if (isFlat(name)) {
      return new DeviceException(
          Kind.UNREACHABLE,
          errno,
          String.format(
              "device %s: its socket %s lies in a directory that it shares with other devices, and"
                  + " is not used. Nothing was asked of its server; give the device a folder of its"
                  + " own (install -d -o USER -m 0711 %s) and let its server listen at %s.",
              id, directory.resolve(name + FLAT_SUFFIX), socket.getParent(), socket),
          failure);
    }
    return new DeviceException(
        Kind.UNKNOWN_DEVICE,
        errno,
        "device " + id + " is not known on this node: there is no socket " + socket,
        failure);
  }

  private static DeviceException notAgreed(String id, AccessException failure) {
    Kind kind =
        switch (failure.reason()) {
          case REFUSED, UNREACHABLE -> Kind.UNREACHABLE;
          case VIOLATION -> Kind.PROTOCOL_VIOLATION;
        };
    return new DeviceException(
        kind,
        failure.errno(),
        String.format(
            "device %s cannot be used: %s. Nothing was done to the device.",
            id, failure.getMessage()),
        failure);
  }

  private static DeviceException busy(String id, String why, int errno, Throwable cause) {
    return new DeviceException(
        Kind.BUSY,
        errno,
        "device " + id + " is busy: " + why + ". Nothing was done to the device.",
        cause);
  }
}
