package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.LiveSession;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import org.jboss.logging.Logger;

/**
 * The devices of this node as the contract lists them. Changes nothing about any of them.
 *
 * <p>A device that hangs keeps nobody waiting but those who asked for it by its name, and these no
 * longer than one and a half times the time of a look, and a second. At most one thread looks at a
 * device, whoever asks for it, and what hangs is not looked at again before that thread is back.
 *
 * <p>Safe for use by several threads. No method waits: answers are given on other threads.
 */
public final class Inventory implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger(Inventory.class);

  private static final int USUAL_LOOKS = 16;
  private static final int NAMED_LOOKS = 8;
  private static final int HANGING_LOOKS = 64;

  /** Devices that were asked for by name and wait for a thread. */
  private static final int MAX_NAMED_QUEUE = 64;

  /** Devices and workloads end their own waits by then; what does not is a thread that hangs. */
  private static final Duration GRACE = Duration.ofSeconds(1);

  /** Reaches workloads that have only so much time. */
  @FunctionalInterface
  public interface WorkloadsWithin {
    /**
     * @param limit for the workload to say what it is
     * @param awaited whether one that is about to come for its device is given that time, too
     */
    Workloads within(Duration limit, boolean awaited);
  }

  private final DeviceViews views;
  private final LookFailures failures;
  private final Duration time;

  /** How long a caller that asks for a device by its name waits for a thread. */
  private final Duration longestQueue;

  /** How long a listing of all devices waits for those that were looked at before. */
  private final Duration freshWithin;

  private final LookThreads threads;
  // All guarded by this.
  private final Map<String, Watched> watched = new HashMap<>();
  private LookThreads.Look<List<String>> namesLook;
  private CompletableFuture<List<Device>> listing;

  /**
   * What is known of one device, and who waits for more. Guarded by the inventory.
   *
   * <pre>
   *  state    look              hangs  anyLook  namedLook
   *  IDLE     none              no     none     none
   *  USUAL    for all           no     waits    none       its answer is everybody's
   *  DUE      for all, begun    no     waits    waits      a named look follows its end
   *  NAMED    named             no     may      waits      its answer is everybody's
   *  LEAVING  answered          no     may      may        whoever asks gets the next look
   *  HANGS    over its time     yes    none     none       whoever asks is told so at once
   *
   *  IDLE ---- all are listed ----&gt; USUAL       IDLE --- asked for by name ---&gt; NAMED
   *  USUAL --- asked for by name --&gt; NAMED where the look has not begun and so is withdrawn,
   *                                  else DUE
   *  DUE ----- no thread in time ---&gt; USUAL, and who asked by name is told that it is looked at
   *  NAMED --- no thread in time ---&gt; IDLE or USUAL, and who asked by name is refused
   *  USUAL, DUE, NAMED --- the answer -------&gt; LEAVING
   *  USUAL, DUE, NAMED --- the time is over -&gt; HANGS, and all who wait are told so
   *  LEAVING, HANGS ------ the thread is back -&gt; IDLE, or at once USUAL or NAMED for who waits
   * </pre>
   */
  private static final class Watched {
    final String id;
    Optional<Device> last;

    /** Since when it has not answered in time; null where it has. */
    Instant silentSince;

    /** That has a thread, or waits for one; null where none is under way. */
    LookThreads.Look<Optional<Device>> look;

    boolean lookIsNamed;

    /** Whether that look is over its time. */
    boolean hangs;

    /** Of those who list all devices: the answer of any look. Null where nobody waits. */
    CompletableFuture<Void> anyLook;

    /** Of those who ask by name: the answer of a named look. Null where nobody waits. */
    CompletableFuture<Optional<Device>> namedLook;

    Watched(String id) {
      this.id = id;
    }

    boolean idle() {
      return look == null && anyLook == null && namedLook == null;
    }
  }

  /**
   * @param workloads of this node's devices
   * @param time of a look at one device, its workload included
   */
  public Inventory(
      DeviceDirectory devices, WorkloadsWithin workloads, Sessions sessions, Duration time) {
    this(devices, workloads, sessions::holderOf, sessions::windowProblem, time);
  }

  /**
   * @param sessionOf the session that has claimed a device; null where there is none
   * @param windows looks whether a workload's windows could be moved
   */
  Inventory(
      DeviceDirectory devices,
      WorkloadsWithin workloads,
      Function<String, LiveSession> sessionOf,
      DeviceViews.WindowLook windows,
      Duration time) {
    this.views = new DeviceViews(devices, workloads, sessionOf, windows, time);
    this.time = time;
    this.longestQueue = time.dividedBy(2);
    this.freshWithin = time.dividedBy(5);
    this.failures = new LookFailures(time, longestQueue);
    this.threads =
        new LookThreads(
            new LookThreads.Limits(time.plus(GRACE), USUAL_LOOKS, NAMED_LOOKS, HANGING_LOOKS));
  }

  /**
   * @param id of the one device that is looked at anew; empty for all devices, each as a look finds
   *     it now or, where that takes long, as the last look found it
   * @return fails with a {@link Refusal} where so many devices hang that no look can begin
   */
  CompletableFuture<List<Device>> list(String id) {
    return id.isEmpty() ? listAll() : listNamed(id);
  }

  // ------------------------------------------------------------------ one device

  private CompletableFuture<List<Device>> listNamed(String id) {
    CompletableFuture<Optional<Device>> answer;
    synchronized (this) {
      Watched device = watched.computeIfAbsent(id, Watched::new);
      if (device.hangs) {
        return CompletableFuture.completedFuture(
            List.of(views.unseen(id, failures.hangs(device.id, device.silentSince))));
      }
      if (device.namedLook == null) {
        if (threads.waiting(LookThreads.Rank.NAMED) >= MAX_NAMED_QUEUE) {
          forgetIfUnknown(device);
          return CompletableFuture.failedFuture(failures.noThread(id, threads.hanging()));
        }
        CompletableFuture<Optional<Device>> asked = new CompletableFuture<>();
        device.namedLook = asked;
        advance(device);
        Future<?> limit = threads.after(longestQueue, () -> giveUpUnbegun(device, asked));
        asked.whenComplete((found, failure) -> limit.cancel(false));
      }
      answer = device.namedLook;
    }
    return answer.thenApply(found -> found.stream().toList());
  }

  /** Answers those who asked for a device whose look has not begun in time. */
  private void giveUpUnbegun(Watched device, CompletableFuture<Optional<Device>> asked) {
    boolean otherLook;
    synchronized (this) {
      boolean named = device.look != null && device.lookIsNamed;
      if (device.namedLook != asked || (named && !withdraw(device))) {
        return;
      }
      device.namedLook = null;
      otherLook = device.look != null;
      advance(device);
      forgetIfUnknown(device);
    }
    if (otherLook) {
      asked.complete(Optional.of(views.unseen(device.id, failures.beingLookedAt(device.id))));
    } else {
      asked.completeExceptionally(failures.noThread(device.id, threads.hanging()));
    }
  }

  /** Withdraws the device's look, unless it has begun. Whether it was withdrawn. Under the lock. */
  private boolean withdraw(Watched device) {
    LookThreads.Look<Optional<Device>> look = device.look;
    // Cleared first: the end of a look that is withdrawn must not count as its answer.
    device.look = null;
    if (look.withdraw()) {
      return true;
    }
    device.look = look;
    return false;
  }

  // ------------------------------------------------------------------ all devices

  /**
   * A caller that asks while a listing is under way gets the result of that one: listings do not
   * pile up.
   */
  private CompletableFuture<List<Device>> listAll() {
    CompletableFuture<List<Device>> own = new CompletableFuture<>();
    CompletableFuture<List<String>> names;
    synchronized (this) {
      if (listing != null) {
        return listing.copy();
      }
      if (namesLook == null || !namesLook.hangs()) {
        namesLook = threads.look(LookThreads.Rank.NAMES, views::ids);
        threads.enqueue(namesLook);
      }
      names = namesLook.answer();
      listing = own;
    }
    names.whenComplete(
        (ids, failure) -> {
          if (failure == null) {
            orFail(own, () -> lookAtAll(ids, own));
          } else {
            finish(own, () -> own.completeExceptionally(failures.unreadable(failure)));
          }
        });
    return own.copy();
  }

  private void lookAtAll(List<String> ids, CompletableFuture<List<Device>> own) {
    List<Watched> all = new ArrayList<>();
    List<CompletableFuture<Void>> looks = new ArrayList<>();
    synchronized (this) {
      Set<String> present = new HashSet<>(ids);
      watched.values().removeIf(device -> device.idle() && !present.contains(device.id));
      for (String id : ids) {
        Watched device = watched.computeIfAbsent(id, Watched::new);
        all.add(device);
        if (!device.hangs) {
          if (device.anyLook == null) {
            device.anyLook = new CompletableFuture<>();
          }
          looks.add(device.anyLook);
          advance(device);
        }
      }
    }
    Runnable finish = () -> finish(own, () -> own.complete(lastOf(all)));
    CompletableFuture.allOf(looks.toArray(CompletableFuture[]::new))
        .whenComplete((unused, failure) -> finish.run());
    Future<?> fresh =
        threads.after(
            freshWithin,
            () -> {
              if (allKnown(all)) {
                finish.run();
              }
            });
    Future<?> longest = threads.after(time.plus(GRACE).plus(GRACE), finish);
    own.whenComplete(
        (unused, failure) -> {
          fresh.cancel(false);
          longest.cancel(false);
        });
  }

  private synchronized boolean allKnown(List<Watched> all) {
    return all.stream().allMatch(device -> device.last != null || device.hangs);
  }

  private List<Device> lastOf(List<Watched> all) {
    List<Device> devices = new ArrayList<>();
    for (Watched device : all) {
      Optional<Device> last;
      Failure unseen;
      synchronized (this) {
        last = device.hangs ? null : device.last;
        unseen =
            device.hangs
                ? failures.hangs(device.id, device.silentSince)
                : failures.notLookedAt(device.id, threads.hanging());
      }
      if (last == null) {
        devices.add(views.unseen(device.id, unseen));
      } else {
        last.ifPresent(devices::add);
      }
    }
    return devices;
  }

  private void finish(CompletableFuture<List<Device>> own, Runnable completion) {
    forget(own);
    if (!own.isDone()) {
      orFail(own, completion);
    }
  }

  private synchronized void forget(CompletableFuture<List<Device>> own) {
    if (listing == own) {
      listing = null;
    }
  }

  /** A fault of ours is reported to those who wait, and the next listing begins anew. */
  private void orFail(CompletableFuture<List<Device>> own, Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error fault) {
      forget(own);
      own.completeExceptionally(fault);
    }
  }

  // ------------------------------------------------------------------ looks

  /** Begins the look that somebody waits for, unless one is under way. Under the lock. */
  private void advance(Watched device) {
    boolean named = device.namedLook != null;
    if (device.look != null && (device.lookIsNamed || !named || !withdraw(device))) {
      return;
    }
    if (!named && device.anyLook == null) {
      return;
    }
    LookThreads.Rank rank =
        named
            ? LookThreads.Rank.NAMED
            : device.silentSince == null ? LookThreads.Rank.USUAL : LookThreads.Rank.SLOW;
    LookThreads.Look<Optional<Device>> look =
        threads.look(rank, () -> views.look(device.id, named));
    device.look = look;
    device.lookIsNamed = named;
    look.answer().whenComplete((found, failure) -> answered(device, look, found, failure));
    look.end().thenRun(() -> ended(device, look));
    threads.enqueue(look);
  }

  private void answered(
      Watched device,
      LookThreads.Look<Optional<Device>> look,
      Optional<Device> found,
      Throwable failure) {
    CompletableFuture<Void> anyLook;
    CompletableFuture<Optional<Device>> namedLook = null;
    Optional<Device> answer;
    synchronized (this) {
      if (device.look != look) {
        // Withdrawn.
        return;
      }
      device.hangs = failure instanceof TimeoutException;
      answer = noted(device, found, failure);
      anyLook = device.anyLook;
      device.anyLook = null;
      if (device.lookIsNamed || device.hangs) {
        namedLook = device.namedLook;
        device.namedLook = null;
      }
    }
    if (anyLook != null) {
      anyLook.complete(null);
    }
    if (namedLook != null) {
      namedLook.complete(answer);
    }
  }

  /** Remembers what a look found, and returns it as callers get it. Under the lock. */
  private Optional<Device> noted(Watched device, Optional<Device> found, Throwable failure) {
    boolean silent =
        device.hangs || (failure == null && found.filter(LookFailures::isSilent).isPresent());
    if (!silent) {
      device.silentSince = null;
    } else if (device.silentSince == null) {
      device.silentSince = Instant.now().minus(time).truncatedTo(ChronoUnit.SECONDS);
    }
    if (device.hangs) {
      device.last =
          Optional.of(views.unseen(device.id, failures.hangs(device.id, device.silentSince)));
    } else if (failure != null) {
      LOG.errorf(failure, "a fault in the agent while it looked at the device %s", device.id);
      device.last =
          Optional.of(
              views.unseen(
                  device.id,
                  Failure.of(
                      Reason.INTERNAL_ERROR,
                      "a fault in the agent while it looked at the device "
                          + device.id
                          + ": "
                          + failure)));
    } else {
      device.last =
          silent ? found.map(answer -> LookFailures.since(answer, device.silentSince)) : found;
    }
    return device.last;
  }

  private void ended(Watched device, LookThreads.Look<Optional<Device>> look) {
    synchronized (this) {
      if (device.look == look) {
        device.look = null;
        device.hangs = false;
        advance(device);
        forgetIfUnknown(device);
      }
    }
  }

  /** Names that somebody made up are not kept. Under the lock. */
  private void forgetIfUnknown(Watched device) {
    boolean unknown =
        device.last == null
            || device
                .last
                .filter(
                    known ->
                        known.getNotMigratable().getReason()
                            != dev.vfio.migration.contract.v1.Reason.UNKNOWN_DEVICE)
                .isEmpty();
    if (unknown && device.silentSince == null && device.idle()) {
      watched.remove(device.id, device);
    }
  }

  /** No device is looked at any more. */
  @Override
  public void close() {
    threads.close();
  }
}
