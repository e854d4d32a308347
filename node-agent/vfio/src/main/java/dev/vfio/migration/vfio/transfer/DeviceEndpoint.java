package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.SocketPeer;
import dev.vfio.migration.vfio.linux.SocketWatch;
import dev.vfio.migration.vfio.linux.UnixListener;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.text.StrictJson;
import dev.vfio.migration.vfio.workload.DeclaredWindows;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/** The place of one device at the desk. Owned by the desk's thread. */
final class DeviceEndpoint implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(DeviceEndpoint.class.getName());
  private static final int PROTOCOL = DeclaredWindows.PROTOCOL;
  private static final Set<String> MEMBERS = Set.of("protocol", "workload", "holds");
  private static final int MOST_VISITORS = 8;
  private static final int ROOT = 0;
  private static final Pattern MIGRATION = Pattern.compile("[!-~]{1,200}");
  private static final int LONGEST_NAME = 253;
  private static final Duration REST = Duration.ofSeconds(1);

  private final String device;
  private final Path folder;
  private final UnixListener listener;
  private final Duration helloTimeout;
  private final IntPredicate allowedUsers;
  private final ReattachCheck claims;
  private final Consumer<String> cameBack;
  private final Executor beside;
  private final Consumer<Runnable> back;
  private final ConnectionLog lines;
  private final List<Visitor> visitors = new ArrayList<>();
  private final List<Claimant> claimants = new ArrayList<>();
  private final List<Borrower> borrowers = new ArrayList<>();
  private WorkloadClient workload;

  /** The one whose claim is looked at now, be it that it is still here or not. */
  private Claimant examined;

  private boolean lent;
  private long restsUntil;
  private boolean rests;

  /** A client that has not said yet who it is. */
  private record Visitor(LineConnection connection, SocketPeer peer, long deadline) {}

  /** A client that says that it holds the device, until that was looked at. */
  private record Claimant(Visitor visitor, String name, String migration) {}

  /** Who has a request for a workload, and for which. */
  private record Borrower(
      Predicate<WorkloadClient> wanted, CompletableFuture<WorkloadClient> borrowed) {}

  /**
   * @param cameBack is given the migration that a workload which was let in says it holds the
   *     device for; must not wait
   * @param beside does what may wait
   * @param back has something done by the desk's thread, for those beside it
   */
  DeviceEndpoint(
      String device,
      Path folder,
      UnixListener listener,
      Duration helloTimeout,
      IntPredicate allowedUsers,
      ReattachCheck claims,
      Consumer<String> cameBack,
      Executor beside,
      Consumer<Runnable> back) {
    this.device = device;
    this.folder = folder;
    this.listener = listener;
    this.helloTimeout = helloTimeout;
    this.allowedUsers = allowedUsers;
    this.claims = claims;
    this.cameBack = cameBack;
    this.beside = beside;
    this.back = back;
    this.lines = new ConnectionLog(device, LOG::log, System::nanoTime);
  }

  Optional<WorkloadClient> waiting() {
    return Optional.ofNullable(workload);
  }

  /** Adds what is to be watched; answers how long at most, null for as long as it takes. */
  Duration watched(long now, List<UnixListener> listeners, List<UnixStream> streams) {
    long until = Long.MAX_VALUE;
    for (Visitor visitor : visitors) {
      streams.add(visitor.connection().stream());
      until = Math.min(until, visitor.deadline() - now);
    }
    for (Claimant claimant : claimants) {
      until = Math.min(until, claimant.visitor().deadline() - now);
    }
    if (workload != null && !lent) {
      streams.add(workload.connection().stream());
    }
    rests = rests && restsUntil - now > 0;
    if (rests) {
      until = Math.min(until, restsUntil - now);
    } else {
      listeners.add(listener);
    }
    return until == Long.MAX_VALUE ? null : Duration.ofNanos(Math.max(0, until));
  }

  void serve(SocketWatch.Ready ready) {
    // First: one that comes back may be here again before its old connection was found ended.
    if (workload != null && !lent && ready.streams().contains(workload.connection().stream())) {
      lines.write(System.Logger.Level.INFO, workload.described() + " left the desk of " + device);
      workload.connection().close();
      workload = null;
    }
    for (Visitor visitor : List.copyOf(visitors)) {
      if (ready.streams().contains(visitor.connection().stream())) {
        hear(visitor);
      } else if (System.nanoTime() - visitor.deadline() > 0) {
        visitors.remove(visitor);
        refuse(visitor, Errno.ETIMEDOUT, "nothing was said in time");
      }
    }
    for (Claimant claimant : List.copyOf(claimants)) {
      if (System.nanoTime() - claimant.visitor().deadline() > 0) {
        claimants.remove(claimant);
        refuse(
            claimant.visitor(),
            Errno.ETIMEDOUT,
            "whether you hold the device " + device + " could not be found out in time");
      }
    }
    if (ready.listeners().contains(listener)) {
      accept();
    }
  }

  /** Whoever may not wait is sent away before it could take the place of one that may. */
  private void accept() {
    try {
      UnixStream stream = listener.accept(helloTimeout);
      boolean taken = false;
      try {
        Visitor visitor =
            new Visitor(
                new LineConnection(stream),
                SocketPeer.of(stream),
                System.nanoTime() + helloTimeout.toNanos());
        if (!isAllowed(visitor.peer().user())) {
          taken = true;
          refuse(
              visitor,
              Errno.EPERM,
              "user " + visitor.peer().user() + " may not wait for the device " + device);
        } else if (visitors.size() + claimants.size() < MOST_VISITORS) {
          visitors.add(visitor);
          taken = true;
        }
      } finally {
        if (!taken) {
          stream.close();
        }
      }
    } catch (ErrnoException failure) {
      lines.write(
          System.Logger.Level.WARNING,
          "nobody is let in at the desk of " + device + " for a second: " + failure.getMessage());
      rests = true;
      restsUntil = System.nanoTime() + REST.toNanos();
    }
  }

  private void hear(Visitor visitor) {
    try {
      Optional<JsonNode> hello = visitor.connection().receive();
      if (hello.isPresent()) {
        visitors.remove(visitor);
        admit(visitor, hello.get());
      }
    } catch (IOException gone) {
      visitors.remove(visitor);
      dropped(visitor, gone);
    }
  }

  private void admit(Visitor visitor, JsonNode hello) throws IOException {
    String name = hello.path("workload").asText("");
    JsonNode holds = hello.path("holds");
    boolean holdsNothing = holds.isMissingNode() || holds.isNull();
    Optional<String> unknown = StrictJson.unknown(hello, MEMBERS, PROTOCOL);
    if (!StrictJson.isNumber(hello, "protocol", PROTOCOL)) {
      refuse(
          visitor,
          Errno.EPROTONOSUPPORT,
          "you say protocol "
              + LineConnection.quoted(hello.path("protocol").toString())
              + ", and this agent speaks "
              + PROTOCOL);
    } else if (unknown.isPresent()) {
      // A misspelt "holds" would make whoever has the device one that waits for it.
      refuse(visitor, Errno.EINVAL, "what you say " + LineConnection.quoted(unknown.get()));
    } else if (name.isBlank() || name.length() > LONGEST_NAME) {
      refuse(visitor, Errno.EINVAL, "the workload needs a name of 1 to 253 characters");
    } else if (!holdsNothing
        && !(holds.isTextual() && MIGRATION.matcher(holds.asText()).matches())) {
      refuse(visitor, Errno.EINVAL, "\"holds\" is null or the migration of \"receive\"");
    } else if (workload != null && (holdsNothing || lent || workload.holds() != null)) {
      refuse(visitor, Errno.EBUSY, "another workload waits for the device " + device);
    } else if (holdsNothing) {
      letIn(visitor, name, null);
    } else {
      claimants.add(new Claimant(visitor, name, holds.asText()));
      examineNext();
    }
  }

  private void letIn(Visitor visitor, String name, String holds) throws IOException {
    if (workload != null) {
      // Whoever holds the device comes before one that would like to.
      lines.write(System.Logger.Level.WARNING, workload.described() + " makes room for its holder");
      workload.connection().close();
      // Before anything else can fail: nobody is to wait for a socket that is closed.
      workload = null;
    }
    visitor.connection().send(LineConnection.JSON.createObjectNode().put("ok", true), List.of());
    workload =
        new WorkloadClient(
            device, LineConnection.quoted(name), visitor.peer(), visitor.connection(), holds);
    lines.write(
        System.Logger.Level.INFO,
        workload.described() + " waits at the desk of " + device + ", holds " + holds);
    lend();
    if (holds != null) {
      cameBack.accept(holds);
    }
  }

  /** One after another: a look that hangs costs one thread, however often somebody asks for it. */
  private void examineNext() {
    if (examined == null && !claimants.isEmpty()) {
      Claimant next = claimants.get(0);
      examined = next;
      beside.execute(
          () -> {
            Refused refused = objection(next);
            back.accept(() -> wasExamined(next, refused));
          });
    }
  }

  /** Why a claimant is not let in. */
  private record Refused(Errno errno, String why) {}

  /** Not on the desk's thread: may ask a driver, and wait for it. Null where it is believed. */
  private Refused objection(Claimant claimant) {
    try {
      return claims
          .objection(device, claimant.migration(), claimant.visitor().peer().process())
          .map(why -> new Refused(Errno.EINVAL, why))
          .orElse(null);
    } catch (IOException | RuntimeException unknown) {
      return new Refused(
          Errno.EBUSY,
          "whether you hold the device " + device + " is not known: " + unknown.getMessage());
    }
  }

  private void wasExamined(Claimant claimant, Refused refused) {
    examined = null;
    if (claimants.remove(claimant)) {
      Visitor visitor = claimant.visitor();
      try {
        if (refused != null) {
          // Whoever waits, waits on.
          refuse(visitor, refused.errno(), refused.why());
        } else if (workload != null && (lent || workload.holds() != null)) {
          refuse(visitor, Errno.EBUSY, "another workload waits for the device " + device);
        } else {
          letIn(visitor, claimant.name(), claimant.migration());
        }
      } catch (IOException gone) {
        dropped(visitor, gone);
      }
    }
    examineNext();
  }

  private void dropped(Visitor visitor, IOException gone) {
    lines.write(
        System.Logger.Level.WARNING,
        "process " + visitor.peer().process() + " at the desk of " + device + ": " + gone);
    visitor.connection().close();
  }

  private boolean isAllowed(int user) {
    try {
      return user == ROOT
          || allowedUsers.test(user)
          || Files.getAttribute(folder, "unix:uid").equals(user);
    } catch (IOException nobodysFolder) {
      lines.write(System.Logger.Level.WARNING, "whose folder " + folder + " is: " + nobodysFolder);
      return false;
    }
  }

  private void refuse(Visitor visitor, Errno errno, String why) {
    lines.write(
        System.Logger.Level.WARNING,
        "process "
            + visitor.peer().process()
            + " is sent away from the desk of "
            + device
            + ": "
            + why);
    ObjectNode refusal =
        LineConnection.JSON
            .createObjectNode()
            .put("ok", false)
            .put("errno", errno.number())
            .put("error", why);
    try {
      visitor.connection().send(refusal, List.of());
    } catch (ErrnoException gone) {
      LOG.log(System.Logger.Level.DEBUG, "nor could it be told so: " + gone.getMessage());
    } finally {
      visitor.connection().close();
    }
  }

  /** Lends the workload out as soon as there is one that is wanted. */
  void lend(Predicate<WorkloadClient> wanted, CompletableFuture<WorkloadClient> borrowed) {
    borrowers.add(new Borrower(wanted, borrowed));
    lend();
  }

  private void lend() {
    borrowers.removeIf(borrower -> borrower.borrowed().isDone());
    for (Borrower borrower : List.copyOf(borrowers)) {
      if (workload != null && !lent && borrower.wanted().test(workload)) {
        borrowers.remove(borrower);
        lent = borrower.borrowed().complete(workload);
      }
    }
  }

  /**
   * The borrower is done.
   *
   * @param stays whether it can be asked again
   */
  void returned(WorkloadClient returned, boolean stays) {
    if (workload == returned) {
      lent = false;
      if (!stays) {
        workload = null;
      }
    }
    if (workload != returned) {
      returned.connection().close();
    }
    lend();
  }

  /**
   * After a fault: whoever is here has to connect again, and is not what the next one fails at. One
   * that is lent stays its borrower's.
   */
  void dropConnections() {
    visitors.forEach(visitor -> visitor.connection().close());
    visitors.clear();
    claimants.forEach(claimant -> claimant.visitor().connection().close());
    claimants.clear();
    if (workload != null && !lent) {
      workload.connection().close();
      workload = null;
    }
  }

  @Override
  public void close() {
    listener.close();
    dropConnections();
    workload = null;
    borrowers.forEach(
        borrower ->
            borrower.borrowed().completeExceptionally(new IOException("its socket was withdrawn")));
    borrowers.clear();
  }
}
