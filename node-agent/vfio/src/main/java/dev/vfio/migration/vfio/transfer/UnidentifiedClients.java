package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.SocketWatch;
import dev.vfio.migration.vfio.linux.UnixListener;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.transfer.machine.ConnectedClient;
import dev.vfio.migration.vfio.workload.DeclaredWindows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;

/**
 * The socket of one device, and the clients that have connected there and not said yet who they
 * are: at most {@link #MAX_CLIENTS}, each for a bounded time. Owned by the listener's thread.
 */
final class UnidentifiedClients implements AutoCloseable {
  static final int MAX_CLIENTS = 8;

  private static final int PROTOCOL = DeclaredWindows.PROTOCOL;
  private static final Set<String> MEMBERS = Set.of("protocol", "workload", "holds");
  private static final int ROOT = 0;
  private static final Pattern MIGRATION = Pattern.compile("[!-~]{1,200}");
  private static final int MAX_NAME = 253;
  private static final Duration REST = Duration.ofSeconds(1);

  private final String device;
  private final Path folder;
  private final UnixListener listener;
  private final Settings settings;
  private final ConnectionLog log;
  private final Identified identified;
  private final List<Unidentified> clients = new ArrayList<>();
  private boolean rests;
  private long restsUntil;

  /**
   * Who may connect, and how long they may be silent.
   *
   * @param helloTimeout for a client that connected to say who it is
   * @param allowedUsers user ids that may wait, besides root and the owner of the device's folder
   */
  record Settings(Duration helloTimeout, IntPredicate allowedUsers) {}

  private record Unidentified(WorkloadClient client, long deadline) {}

  /** Takes a client that has said who it is. */
  interface Identified {
    /** How many others are between their hello and its answer. */
    int unanswered();

    /** An id for a connection, which no other one of the device has had. */
    int nextId();

    void take(ConnectedClient client, WorkloadClient connection, long deadline);
  }

  UnidentifiedClients(
      String device,
      Path folder,
      UnixListener listener,
      Settings settings,
      ConnectionLog log,
      Identified identified) {
    this.device = device;
    this.folder = folder;
    this.listener = listener;
    this.settings = settings;
    this.log = log;
    this.identified = identified;
  }

  /** Adds what is to be watched; answers the time until which, in nanoseconds from now. */
  long watch(long now, List<UnixListener> listeners, List<UnixStream> streams) {
    long until = Long.MAX_VALUE;
    for (Unidentified one : clients) {
      streams.add(one.client().stream());
      until = Math.min(until, one.deadline() - now);
    }
    rests = rests && restsUntil - now > 0;
    if (rests) {
      return Math.min(until, restsUntil - now);
    }
    listeners.add(listener);
    return until;
  }

  void serve(SocketWatch.Ready ready) {
    for (Unidentified one : List.copyOf(clients)) {
      if (ready.streams().contains(one.client().stream())) {
        hear(one);
      } else if (System.nanoTime() - one.deadline() > 0) {
        clients.remove(one);
        refuse(one.client(), Errno.ETIMEDOUT.number(), "nothing was said in time");
      }
    }
    if (ready.listeners().contains(listener)) {
      accept();
    }
  }

  /** Whoever may not wait is refused before it could take the place of one that may. */
  private void accept() {
    try {
      UnixStream stream = listener.accept(settings.helloTimeout());
      boolean taken = false;
      try {
        WorkloadClient client = new WorkloadClient(identified.nextId(), stream);
        int user = client.peer().user();
        if (!isAllowed(user)) {
          taken = true;
          refuse(
              client,
              Errno.EPERM.number(),
              "user " + user + " may not wait for the device " + device);
        } else if (clients.size() + identified.unanswered() < MAX_CLIENTS) {
          long deadline = System.nanoTime() + settings.helloTimeout().toNanos();
          clients.add(new Unidentified(client, deadline));
          taken = true;
        }
      } finally {
        if (!taken) {
          stream.close();
        }
      }
    } catch (ErrnoException failure) {
      log.warn(
          "nobody is let in at the socket of " + device + " for a second: " + failure.getMessage());
      rests = true;
      restsUntil = System.nanoTime() + REST.toNanos();
    }
  }

  private boolean isAllowed(int user) {
    try {
      return user == ROOT
          || settings.allowedUsers().test(user)
          || Files.getAttribute(folder, "unix:uid").equals(user);
    } catch (IOException nobodysFolder) {
      log.warn("whose folder " + folder + " is: " + nobodysFolder);
      return false;
    }
  }

  private void hear(Unidentified one) {
    try {
      Optional<JsonNode> hello = one.client().connection().receive();
      if (hello.isPresent()) {
        clients.remove(one);
        identify(one, hello.get());
      }
    } catch (IOException left) {
      clients.remove(one);
      log.warn(
          "process " + one.client().peer().process() + " at the socket of " + device + ": " + left);
      one.client().close();
    }
  }

  private void identify(Unidentified one, JsonNode hello) {
    String name = hello.path("workload").asText("");
    JsonNode holds = hello.path("holds");
    boolean holdsNothing = holds.isMissingNode() || holds.isNull();
    Optional<String> unknown = StrictJson.unknown(hello, MEMBERS, PROTOCOL);
    int invalid = Errno.EINVAL.number();
    if (!StrictJson.isNumber(hello, "protocol", PROTOCOL)) {
      String said = LineConnection.quoted(hello.path("protocol").toString());
      refuse(
          one.client(),
          Errno.EPROTONOSUPPORT.number(),
          "you say protocol " + said + ", and this agent speaks " + PROTOCOL);
    } else if (unknown.isPresent()) {
      // A misspelt "holds" would make whoever has the device one that waits for it.
      refuse(one.client(), invalid, "what you say " + LineConnection.quoted(unknown.get()));
    } else if (name.isBlank() || name.length() > MAX_NAME) {
      refuse(one.client(), invalid, "the workload needs a name of 1 to 253 characters");
    } else if (!holdsNothing
        && !(holds.isTextual() && MIGRATION.matcher(holds.asText()).matches())) {
      refuse(one.client(), invalid, "\"holds\" is null or the migration of \"receive\"");
    } else {
      String migration = holdsNothing ? null : holds.asText();
      identified.take(one.client().named(name, migration), one.client(), one.deadline());
    }
  }

  /** Tells a client why it may not wait, and closes its connection. */
  void refuse(WorkloadClient client, int errno, String why) {
    long process = client.peer().process();
    log.warn("process " + process + " may not wait at the socket of " + device + ": " + why);
    try {
      client.refuse(errno, why);
    } catch (ErrnoException left) {
      log.debug("nor could it be told so: " + left.getMessage());
    }
  }

  /** Whoever is connected has to connect again. */
  void dropAll() {
    clients.forEach(one -> one.client().close());
    clients.clear();
  }

  @Override
  public void close() {
    listener.close();
    dropAll();
  }
}
