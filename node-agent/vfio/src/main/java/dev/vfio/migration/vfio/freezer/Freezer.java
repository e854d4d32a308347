package dev.vfio.migration.vfio.freezer;

import dev.vfio.migration.vfio.freezer.FreezerLedger.Entry;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.linux.DiskRoom;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelText;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Predicate;

/**
 * Makes the cgroup of a device's holder stand still, and run again. A frozen cgroup is in the
 * ledger from before it is frozen until it is thawed. Freezing the processor does not stop the
 * device's DMA: only the device's own transition does.
 *
 * <p>Safe for use by several threads, as long as they are about different devices.
 */
public final class Freezer {
  private final Cgroups cgroups;
  private final Processes processes;
  private final FreezerLedger ledger;
  private final Duration timeout;

  /** The cgroup of this process, kept because finding it may mean to walk the hierarchy. */
  private volatile Optional<Cgroup> self;

  /**
   * Freezes a cgroup whoever else is in it. Does no I/O.
   *
   * @param timeout for a cgroup to stand still, to run again, or to be empty
   */
  public Freezer(Cgroups cgroups, Processes processes, FreezerLedger ledger, Duration timeout) {
    this.cgroups = cgroups;
    this.processes = processes;
    this.ledger = ledger;
    this.timeout = timeout;
  }

  /** Everything that is frozen. */
  public List<Entry> frozen() throws IOException {
    return ledger.entries();
  }

  /** What is frozen for a device, or was about to be when an earlier agent ended. */
  public Optional<Entry> frozenFor(String device) throws IOException {
    return ledger.of(device);
  }

  /** Whether the holder stands still, whoever froze it. */
  public boolean standsStill(Holder holder) throws IOException {
    Optional<Cgroup> cgroup = cgroups.of(holder.process());
    try {
      return cgroup.isPresent() && !cgroups.isRoot(cgroup.get()) && cgroup.get().frozen();
    } catch (ErrnoException failure) {
      // Its last process ended meanwhile, or nothing in it can be frozen.
      if (KernelText.isMissing(failure)) {
        return false;
      }
      throw failure;
    }
  }

  /**
   * Freezes the holder's cgroup, also where it is frozen for that device already.
   *
   * @throws WorkloadException where it cannot or must not be frozen; it then runs on, as far as
   *     this agent is concerned
   */
  public void freeze(Holder holder, String migration) throws IOException {
    String device = holder.device().id();
    Cgroup cgroup = freezable(holder, cgroups.of(processes.self()));
    requireUnclaimed(holder, cgroup);
    Entry entry = new Entry(device, migration, cgroup.path(), holder.process(), holder.startTime());
    Optional<Entry> earlier = ledger.of(device);
    if (earlier.isPresent() && !earlier.get().cgroup().equals(entry.cgroup())) {
      thaw(device);
    }
    ledger.write(entry);
    try {
      if (!cgroup.freeze(timeout)) {
        throw failed(
            Errno.ETIMEDOUT.number(),
            holder,
            cgroup,
            "did not stand still within "
                + timeout.toMillis()
                + " ms: a process of it waits in the kernel and cannot be stopped. It is thawed"
                + " again and runs on.",
            null);
      }
    } catch (FileSystemException | ErrnoException refusal) {
      throw undone(
          entry,
          failed(
              FileTrouble.errno(refusal),
              holder,
              cgroup,
              "cannot be frozen, and runs on: " + FileTrouble.described(refusal),
              refusal));
    } catch (IOException failure) {
      throw undone(entry, failure);
    }
    if (!processes.lives(holder.process(), holder.startTime())) {
      thaw(device);
      throw failed(
          Errno.ESRCH.number(),
          holder,
          cgroup,
          "was frozen, and the holder had ended by then; it was thawed again. The device's state is"
              + " in the hands of whoever still holds it.",
          null);
    }
  }

  /** Thaws what was frozen; a second failure is added to the first. */
  private IOException undone(Entry entry, IOException failure) {
    try {
      thaw(entry);
    } catch (IOException notThawed) {
      failure.addSuppressed(notThawed);
    }
    return failure;
  }

  /**
   * Makes sure, while the holder runs, that it can probably be frozen. Changes nothing.
   *
   * @throws WorkloadException where it cannot or must not be frozen
   */
  public void requireFreezable(Holder holder) throws IOException {
    Optional<Cgroup> own = self;
    if (own == null) {
      own = cgroups.of(processes.self());
      self = own;
    }
    Cgroup cgroup = freezable(holder, own);
    requireUnclaimed(holder, cgroup);
    // The kernel answers for this user, and for a file system that is mounted read-only.
    if (!Files.isWritable(cgroup.directory().resolve("cgroup.freeze"))) {
      throw failed(
          Errno.EACCES.number(),
          holder,
          cgroup,
          String.format(
              "cannot be frozen: %s. Nothing was done to it.",
              cgroup.freezable()
                  ? "this agent may not write to cgroup.freeze there. Mount cgroup v2 read-write"
                      + " into the agent"
                  : "there is no cgroup.freeze in it, so that the kernel is older than 5.2 or this"
                      + " is not its hierarchy"),
          null);
    }
    ledger.of(holder.device().id());
    try {
      DiskRoom.require(ledger.directory());
    } catch (IOException full) {
      throw refused(holder, cgroup, "what is frozen must be noted first, and " + full.getMessage());
    }
  }

  private void requireUnclaimed(Holder holder, Cgroup cgroup) throws IOException {
    for (Entry other : ledger.entries()) {
      if (other.cgroup().equals(cgroup.path()) && !other.device().equals(holder.device().id())) {
        throw refused(
            holder,
            cgroup,
            "it is frozen already, for the migration "
                + other.migration()
                + " of the device "
                + other.device());
      }
    }
  }

  /** The holder's cgroup, where it may be frozen. */
  private Cgroup freezable(Holder holder, Optional<Cgroup> own) throws IOException {
    Optional<Cgroup> found = cgroups.of(holder.process());
    if (found.isEmpty()) {
      throw new WorkloadException(
          Errno.ENOENT.number(),
          String.format(
              "%s, which holds the device %s, is in no cgroup of the unified hierarchy (version 2)"
                  + " that can be seen here. Nothing was done to it. Mount the machine's own"
                  + " hierarchy, or see whether the process still runs.",
              holder.name(), holder.device().id()),
          null);
    }
    Cgroup cgroup = found.get();
    if (cgroups.isRoot(cgroup)) {
      throw refused(holder, cgroup, "it is the root: the whole machine would stand still");
    }
    if (own.isPresent() && own.get().directory().startsWith(cgroup.directory())) {
      throw refused(holder, cgroup, "this agent is in it, and would stand still with it");
    }
    return cgroup;
  }

  private static WorkloadException refused(Holder holder, Cgroup cgroup, String why) {
    return failed(
        Errno.EBUSY.number(),
        holder,
        cgroup,
        "is not frozen: "
            + why
            + ". Nothing was done to it. Let each workload have one device, and run it in a cgroup"
            + " of its own, as a container or a systemd unit does.",
        null);
  }

  private static WorkloadException failed(
      int errno, Holder holder, Cgroup cgroup, String what, Throwable cause) {
    return new WorkloadException(
        errno,
        String.format(
            "the cgroup %s of %s, which holds the device %s, %s",
            cgroup.path(), holder.name(), holder.device().id(), what),
        cause);
  }

  /**
   * Thaws what is frozen for the device; nothing where nothing is.
   *
   * @throws WorkloadException where it does not run again
   */
  public void thaw(String device) throws IOException {
    Optional<Entry> entry = ledger.of(device);
    if (entry.isPresent()) {
      thaw(entry.get());
    }
  }

  private void thaw(Entry entry) throws IOException {
    Cgroup cgroup = cgroups.at(entry.cgroup());
    try {
      if (cgroup.exists() && !cgroup.thaw(timeout)) {
        throw new WorkloadException(
            Errno.ETIMEDOUT.number(),
            String.format(
                "the cgroup %s, frozen for the migration %s of the device %s, was thawed and does"
                    + " not run within %s ms: a cgroup above it is frozen. Thaw that"
                    + " (cgroup.freeze).",
                entry.cgroup(), entry.migration(), entry.device(), timeout.toMillis()),
            null);
      }
    } catch (FileSystemException | ErrnoException failure) {
      if (cgroup.exists()) {
        throw refused(entry, "thawed and may still stand still", failure);
      }
    }
    ledger.remove(entry.device());
  }

  private static WorkloadException refused(Entry entry, String what, IOException failure) {
    return new WorkloadException(
        FileTrouble.errno(failure),
        String.format(
            "the cgroup %s, frozen for the migration %s of the device %s, cannot be %s: %s",
            entry.cgroup(),
            entry.migration(),
            entry.device(),
            what,
            FileTrouble.described(failure)),
        failure);
  }

  /**
   * Kills everything in the cgroup that is frozen for the device, without letting it run once more;
   * nothing where nothing is.
   *
   * @throws WorkloadException where something of it still lives
   */
  public void kill(String device) throws IOException {
    Optional<Entry> found = ledger.of(device);
    if (found.isEmpty()) {
      return;
    }
    Entry entry = found.get();
    Cgroup cgroup = cgroups.at(entry.cgroup());
    try {
      // A cgroup of that name that is not frozen and lacks the holder is another workload's.
      boolean ours =
          cgroup.exists()
              && (cgroup.freezeAsked() || processes.lives(entry.process(), entry.startTime()));
      if (ours && !cgroup.kill(timeout)) {
        throw new WorkloadException(
            Errno.ETIMEDOUT.number(),
            String.format(
                "processes %s of the cgroup %s were killed and still live after %s ms. The cgroup"
                    + " stays frozen, and the device %s does not run here.",
                cgroup.processes(), entry.cgroup(), timeout.toMillis(), device),
            null);
      }
    } catch (FileSystemException | ErrnoException failure) {
      if (cgroup.exists()) {
        throw refused(entry, "killed", failure);
      }
    }
    thaw(entry);
  }

  /**
   * Thaws what an earlier agent left frozen and no migration needs.
   *
   * @param claimed by a migration that goes on
   * @return what was thawed
   * @throws IOException where one could not be thawed or not be read, after all others were thawed
   */
  public List<Entry> thawLeftOvers(Predicate<Entry> claimed) throws IOException {
    List<Entry> thawed = new ArrayList<>();
    forEach(
        claimed.negate(),
        entry -> {
          thaw(entry);
          thawed.add(entry);
        });
    return thawed;
  }

  /**
   * Removes entries of unknown migrations whose holder has ended and whose cgroup does not exist or
   * is not asked to be frozen. Changes no cgroup.
   *
   * @param unknown whether nobody knows of its migration
   * @param forgotten is given each entry that was removed
   * @throws IOException where one could not be looked at or not be read, after all others were
   */
  public void forgetEnded(Predicate<Entry> unknown, Consumer<Entry> forgotten) throws IOException {
    forEach(
        unknown,
        entry -> {
          Cgroup cgroup = cgroups.at(entry.cgroup());
          boolean ended =
              !processes.lives(entry.process(), entry.startTime()) && !freezeAsked(cgroup);
          if (ended) {
            ledger.remove(entry.device());
            forgotten.accept(entry);
          }
        });
  }

  private static boolean freezeAsked(Cgroup cgroup) throws IOException {
    try {
      return cgroup.freezable() && cgroup.freezeAsked();
    } catch (IOException failure) {
      // It may be removed during the look.
      if (cgroup.exists()) {
        throw failure;
      }
      return false;
    }
  }

  @FunctionalInterface
  private interface Step {
    void take(Entry entry) throws IOException;
  }

  private void forEach(Predicate<Entry> wanted, Step step) throws IOException {
    List<IOException> troubles = new ArrayList<>();
    for (Entry entry : ledger.entries(troubles::add)) {
      if (wanted.test(entry)) {
        try {
          step.take(entry);
        } catch (IOException failure) {
          troubles.add(failure);
        }
      }
    }
    if (!troubles.isEmpty()) {
      IOException first = troubles.get(0);
      troubles.stream().skip(1).forEach(first::addSuppressed);
      throw first;
    }
  }

  /** The file that an entry is in, for messages. */
  public Path file(Entry entry) {
    return ledger.file(entry);
  }
}
