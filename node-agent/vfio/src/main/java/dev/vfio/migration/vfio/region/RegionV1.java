package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.device.StateTracker;
import dev.vfio.migration.vfio.device.UnreportedState;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.region.RegionData.Announced;
import java.nio.ByteBuffer;
import java.util.EnumSet;
import java.util.Set;

/**
 * A device that speaks the v1 migration region. The states of the 2018 interface are mapped onto
 * its three bits:
 *
 * <pre>
 * RUNNING 001   SETUP 001   PRECOPY 011   STOPNCOPY 010   SAVE_COMPLETED 000
 * RESUME 100    RESUME_COMPLETED 000, or 100 (see below)   FAILED, CANCELLED: not told; 001 follows at the source
 * </pre>
 *
 * <p>What the text leaves open is settled so:
 *
 * <ul>
 *   <li>"Stopped" (000) means what the end of the migration makes of it, see {@link #open}.
 *   <li>RESUME_COMPLETED is 000, and not the 001 that the text draws behind 100: so a driver judges
 *       what it took in before the source gives its state up. A driver that takes only what is
 *       drawn says EINVAL and stays in 100: it has taken in every chunk without an error, which is
 *       all that it can say before it runs, and goes from 100 to 001 then.
 *   <li>A driver may take the change from 100 to 000 and look at nothing, because the text draws
 *       none but that to 001. Led on from 000 it would never look. So a device that was just reset
 *       is led from 100 to 000 once before it is loaded: where its driver takes nothing for whole,
 *       RESUME_COMPLETED is 100, and the change to 001 is the first at which it can refuse.
 *   <li>A change that the driver takes is looked at: the device has to say that it is there.
 *   <li>The driver names the place of incoming data (data_offset); a chunk is split only where the
 *       room behind it forces that.
 *   <li>The error state, 110, is FAILED, and only {@link #reset()} leads out. So does it out of a
 *       device that took state in: half of it must never run.
 *   <li>The v1 region knows nothing of dirty pages: its drivers pinned pages and left the question
 *       to the IOMMU's container. {@link #dirtyPages} reports all.
 * </ul>
 *
 * <p>Source: {@code struct vfio_device_migration_info} in {@code linux/vfio.h} of Linux 5.8 to
 * 5.17.
 */
public final class RegionV1 implements MigratableDevice {
  private final RegionParts parts;
  private final DeviceDescription description;
  private final RegionRegisters registers;
  private final RegionData data;
  private final IncomingChunk incoming;
  private final StateTracker tracker;
  private final UnreportedState unreported = new UnreportedState();

  /** Whether it was reset by this object and nothing was done to it since. */
  private boolean holdsNothing;

  /** Whether its driver looks, from 100 to 000, at whether what it took in is whole. */
  private boolean checksWhenStopped = true;

  private RegionV1(RegionParts parts, MigrationEnd end) {
    this.parts = parts;
    this.description = parts.description();
    this.registers = parts.registers();
    this.data = parts.data();
    this.incoming = new IncomingChunk(data, new IncomingRegisters());
    this.tracker = new StateTracker(description.id(), end);
  }

  /**
   * Describes a device without changing it. The access stays the caller's.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device
   * @param pageSize bytes of a host page
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static DeviceLook look(String id, DeviceAccess access, DriverProfile driver, int pageSize)
      throws DeviceException {
    RegionParts parts = RegionParts.find(id, access, RegionFormat.V1, driver, pageSize);
    RegionV1 device = new RegionV1(parts, MigrationEnd.SOURCE);
    RegionV1State found = device.readBack();
    return found == RegionV1State.STOPPED
        ? new DeviceLook(parts.description(), null, true)
        : new DeviceLook(parts.description(), device.meaningOf(found, true));
  }

  /**
   * Opens a device without changing it. The access belongs to the device from here on, and is
   * closed at once where this fails.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device
   * @param pageSize bytes of a host page
   * @param end what "stopped" means: STOPNCOPY at the source, whose state is intact;
   *     RESUME_COMPLETED at the destination
   * @param adopted whether somebody else opened the device before and holds it still
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static RegionV1 open(
      String id,
      DeviceAccess access,
      DriverProfile driver,
      int pageSize,
      MigrationEnd end,
      boolean adopted)
      throws DeviceException {
    return RegionParts.open(
        id,
        access,
        RegionFormat.V1,
        driver,
        pageSize,
        parts -> {
          RegionV1 device = new RegionV1(parts, end);
          RegionV1State found = device.readBack();
          device.tracker.found(device.meaningOf(found, adopted));
          device.checksWhenStopped = found != RegionV1State.RESUMING;
          return device;
        });
  }

  /** Reads the register of the state. */
  @FunctionalInterface
  private interface Question {
    int ask() throws AccessException;
  }

  /** The register, also of a driver that does not tell it while its device runs. */
  private int deviceState(Question question) throws AccessException {
    try {
      return question.ask();
    } catch (AccessException failure) {
      if (unreported.saysRunning(failure)) {
        return RegionV1Layout.STATE_RUNNING;
      }
      throw failure;
    }
  }

  private RegionV1State position() throws AccessException, RegionV1State.UndefinedException {
    return RegionV1State.of(deviceState(registers::readDeviceState));
  }

  /** Where it is after a change that its driver took, and may be at yet. */
  private RegionV1State positionAfter(RegionV1State wanted)
      throws AccessException, RegionV1State.UndefinedException {
    return RegionV1State.of(
        deviceState(
            () ->
                registers.deviceStateAfter(
                    told -> wanted.in(told) == told || RegionV1State.ERROR.in(told) == told)));
  }

  private RegionV1State readBack() throws DeviceException {
    try {
      return position();
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(description.id(), "its state", failure);
    } catch (RegionV1State.UndefinedException undefined) {
      throw undefined(undefined, "Nothing was done to the device; reset it.");
    }
  }

  private DeviceException undefined(RegionV1State.UndefinedException undefined, String done) {
    return new DeviceException(
        Kind.PROTOCOL_VIOLATION,
        0,
        "device " + description.id() + " reports " + undefined.getMessage() + ". " + done,
        undefined);
  }

  private DeviceState meaningOf(RegionV1State found, boolean adopted) {
    return switch (found) {
      case RUNNING -> DeviceState.RUNNING;
      case PRE_COPY -> DeviceState.PRECOPY;
      case STOP_AND_COPY -> DeviceState.STOPNCOPY;
      case RESUMING -> resumingMeans(adopted);
      case ERROR -> DeviceState.FAILED;
      case STOPPED -> tracker.stopped();
    };
  }

  /** Nobody else is given a destination's device before everything was loaded into it. */
  private DeviceState resumingMeans(boolean adopted) {
    return adopted && tracker.stopped() == DeviceState.RESUME_COMPLETED
        ? DeviceState.RESUME_COMPLETED
        : DeviceState.RESUME;
  }

  @Override
  public DeviceDescription description() {
    return description;
  }

  @Override
  public DeviceState state() {
    return tracker.state();
  }

  @Override
  public void transition(DeviceState target) throws DeviceException {
    if (tracker.isAt(target)) {
      return;
    }
    tracker.requireAllowed(target);
    abandonChunks();
    switch (target) {
      case SETUP -> change(target, RegionV1State.RUNNING, EnumSet.of(RegionV1State.RUNNING));
      case PRECOPY -> change(target, RegionV1State.PRE_COPY, EnumSet.of(RegionV1State.RUNNING));
      case STOPNCOPY ->
          change(
              target,
              RegionV1State.STOP_AND_COPY,
              EnumSet.of(
                  state() == DeviceState.PRECOPY ? RegionV1State.PRE_COPY : RegionV1State.RUNNING));
      case SAVE_COMPLETED ->
          change(
              target,
              RegionV1State.STOPPED,
              EnumSet.of(RegionV1State.STOP_AND_COPY, RegionV1State.STOPPED));
      case RESUME -> resume();
      case RESUME_COMPLETED ->
          change(
              target,
              checksWhenStopped ? RegionV1State.STOPPED : RegionV1State.RESUMING,
              EnumSet.of(RegionV1State.RESUMING));
      case RUNNING -> run();
      case FAILED, CANCELLED -> tracker.noted(target);
      case NONE -> throw new IllegalStateException("nothing leads to NONE");
    }
  }

  /** A device that was just reset holds nothing: what its driver makes of that is found out. */
  private void resume() throws DeviceException {
    beginToResume();
    if (holdsNothing) {
      holdsNothing = false;
      if (findWhenItChecks() != RegionV1State.RESUMING) {
        reset();
        holdsNothing = false;
        beginToResume();
      }
    }
  }

  private void beginToResume() throws DeviceException {
    change(
        DeviceState.RESUME,
        RegionV1State.RESUMING,
        EnumSet.of(RegionV1State.RUNNING, RegionV1State.STOPPED));
  }

  /**
   * A driver that takes nothing at all for a whole state does not look at the change from 100 to
   * 000, so it would never look: that from 000 to 001 begins with a device that was not loaded.
   *
   * @return where the device is now; null where it does not say so, which its reset mends
   */
  private RegionV1State findWhenItChecks() throws DeviceException {
    try {
      RegionV1State now = tryToStop();
      // Where it is counts, and not what the driver answered.
      checksWhenStopped = now != RegionV1State.STOPPED;
      return now;
    } catch (AccessException failure) {
      if (failure.reason() == Reason.REFUSED) {
        return null;
      }
      tracker.failedOnTheWayTo(DeviceState.RESUME);
      throw DeviceFailures.duringAction(
          subject(),
          "finding out when its driver looks at what was loaded",
          Kind.TRANSITION_FAILED,
          failure,
          "Nothing was loaded into it; reset it.");
    } catch (RegionV1State.UndefinedException undefined) {
      return null;
    }
  }

  private RegionV1State tryToStop() throws AccessException, RegionV1State.UndefinedException {
    int register = registers.readDeviceState();
    try {
      registers.writeDeviceState(RegionV1State.STOPPED.in(register));
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED) {
        throw failure;
      }
      return position();
    }
    return positionAfter(RegionV1State.STOPPED);
  }

  private void run() throws DeviceException {
    EnumSet<RegionV1State> from =
        EnumSet.complementOf(EnumSet.of(RegionV1State.RESUMING, RegionV1State.ERROR));
    if (state() == DeviceState.RESUME_COMPLETED) {
      from.add(RegionV1State.RESUMING);
      if (!tracker.mayHaveBegunToRun()) {
        // One that runs before it was told to was reset, and what it had taken in is lost.
        from.retainAll(EnumSet.of(RegionV1State.STOPPED, RegionV1State.RESUMING));
      }
    }
    boolean firstCheck = state() == DeviceState.RESUME_COMPLETED && !checksWhenStopped;
    try {
      change(DeviceState.RUNNING, RegionV1State.RUNNING, from);
    } catch (DeviceException refused) {
      throw firstCheck && refused.kind() == Kind.TRANSITION_FAILED
          ? new DeviceException(refused.kind(), refused.errno(), unchecked(refused), refused)
          : refused;
    }
  }

  private static String unchecked(DeviceException refused) {
    return refused.getMessage()
        + " Its driver does not look at what it took in before it is to run, so this may be its"
        + " word that the state is not whole, although it took every byte that the source handed"
        + " out.";
  }

  private void change(DeviceState target, RegionV1State wanted, Set<RegionV1State> from)
      throws DeviceException {
    boolean written = false;
    boolean taken = false;
    try {
      int register = deviceState(registers::readDeviceState);
      RegionV1State before = RegionV1State.of(register);
      if (before == RegionV1State.ERROR) {
        throw tracker.inErrorState(before.words(), target);
      }
      if (!from.contains(before)) {
        throw tracker.strayed(before.words(), target);
      }
      written = true;
      if (before != wanted) {
        registers.writeDeviceState(wanted.in(register));
        unreported.changeTaken();
        taken = true;
        RegionV1State now = positionAfter(wanted);
        if (now != wanted) {
          throw notThere(target, wanted, now, now.words());
        }
      }
      tracker.reached(target);
    } catch (RegionV1State.UndefinedException undefined) {
      if (taken) {
        throw notThere(target, wanted, null, undefined.getMessage());
      }
      tracker.disturbed();
      throw tracker.refused(
          String.format(
              "it reports %s, so it cannot be led to %s. Nothing was done to it; reset it.",
              undefined.getMessage(), target),
          undefined);
    } catch (AccessException failure) {
      if (written && !taken && target == DeviceState.RESUME_COMPLETED && waitsInResuming(failure)) {
        tracker.reached(target);
        return;
      }
      if (written) {
        tracker.failedOnTheWayTo(target);
      } else {
        tracker.disturbed();
      }
      String before = subject();
      String now = written ? afterRefusal() : "It was not asked to change and is as before.";
      throw DeviceFailures.duringAction(
          before,
          taken
              ? "asking where it is after the change to " + target + ", which its driver took,"
              : "the change to " + target,
          taken ? Kind.READ_FAILED : Kind.TRANSITION_FAILED,
          failure,
          now);
    }
  }

  /**
   * Its driver answered the change with success, and the device is elsewhere.
   *
   * @param now null where that is no state of the interface
   */
  private DeviceException notThere(
      DeviceState target, RegionV1State wanted, RegionV1State now, String where) {
    tracker.failedOnTheWayTo(target);
    String before = subject();
    return new DeviceException(
        Kind.TRANSITION_FAILED,
        0,
        String.format(
            "%s: its driver answered the change to %s with success, and the device says that it is"
                + " in %s, so it did not reach %s. %s",
            before, wanted.words(), where, target, now == null ? "Reset it." : consequence(now)));
  }

  /** Whether it does not know the change from 100 to 000, and is ready for that to 001. */
  private boolean waitsInResuming(AccessException failure) {
    if (!failure.refusedWith(Errno.EINVAL)) {
      return false;
    }
    try {
      checksWhenStopped = position() != RegionV1State.RESUMING;
      return !checksWhenStopped;
    } catch (AccessException | RegionV1State.UndefinedException unreadable) {
      return false;
    }
  }

  @Override
  public void requireLoaded() throws DeviceException {
    try {
      RegionV1State now = RegionV1State.of(deviceState(registers::askDeviceState));
      // One that does not know the change from 100 to 000 waits in 100.
      if (now != RegionV1State.STOPPED && now != RegionV1State.RESUMING) {
        throw DeviceFailures.stateLost(subject(), now.words());
      }
    } catch (RegionV1State.UndefinedException undefined) {
      throw DeviceFailures.stateLost(subject(), undefined.getMessage());
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "asking for its state",
          Kind.READ_FAILED,
          failure,
          "The state of the device was not touched.");
    }
  }

  @Override
  public void requireUnchanged() throws DeviceException {
    try {
      RegionV1State now = position();
      if (!positionsIn(state()).contains(now)) {
        throw DeviceFailures.elsewhere(subject(), now.words());
      }
    } catch (RegionV1State.UndefinedException undefined) {
      throw DeviceFailures.elsewhere(subject(), undefined.getMessage());
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "asking for its state",
          Kind.READ_FAILED,
          failure,
          "The state of the device was not touched.");
    }
  }

  /** Where the device may be in that state. */
  private static Set<RegionV1State> positionsIn(DeviceState state) {
    return switch (state) {
      case RUNNING, SETUP -> EnumSet.of(RegionV1State.RUNNING);
      case PRECOPY -> EnumSet.of(RegionV1State.PRE_COPY);
      // One that was found stopped at the source counts as such.
      case STOPNCOPY -> EnumSet.of(RegionV1State.STOP_AND_COPY, RegionV1State.STOPPED);
      case SAVE_COMPLETED -> EnumSet.of(RegionV1State.STOPPED);
      case RESUME -> EnumSet.of(RegionV1State.RESUMING);
      case RESUME_COMPLETED -> EnumSet.of(RegionV1State.STOPPED, RegionV1State.RESUMING);
      case NONE, FAILED, CANCELLED -> EnumSet.allOf(RegionV1State.class);
    };
  }

  /** The text: where a change fails, the state is read again. */
  private String afterRefusal() {
    try {
      return consequence(position());
    } catch (AccessException | RegionV1State.UndefinedException unreadable) {
      return "What state it is in cannot be read ("
          + unreadable.getMessage()
          + "); lead it out through FAILED, or reset it.";
    }
  }

  /** Where a change that failed has left the device, and what to do next; a sentence. */
  private String consequence(RegionV1State now) {
    if (now == RegionV1State.ERROR) {
      tracker.broken();
      return "The device is in its error state (110) now; only a reset leads out, which loses its"
          + " state.";
    }
    return "The device did not change as asked and says that it is in "
        + now.words()
        + "; lead it out through FAILED, or reset it.";
  }

  @Override
  public PendingBytes pending(long thresholdBytes) throws DeviceException {
    if (thresholdBytes < 0) {
      throw new IllegalArgumentException("a threshold of " + thresholdBytes + " bytes");
    }
    DeviceState state = state();
    if (state != DeviceState.PRECOPY && state != DeviceState.STOPNCOPY) {
      return PendingBytes.NOTHING;
    }
    try {
      long bytes = registers.read(RegionV1Layout.PENDING_BYTES);
      if (bytes == 0 && state == DeviceState.STOPNCOPY) {
        requireStillSaving();
      }
      return state == DeviceState.PRECOPY
          ? new PendingBytes(0, bytes, 0)
          : new PendingBytes(0, 0, bytes);
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "asking for pending bytes",
          Kind.READ_FAILED,
          failure,
          "The state of the device was not touched.");
    }
  }

  /** A device that was reset has nothing pending either, and its state would be cut short. */
  private void requireStillSaving() throws AccessException, DeviceException {
    int register = registers.readDeviceState();
    if (RegionV1State.STOP_AND_COPY.in(register) != register) {
      tracker.disturbed();
      throw new DeviceException(
          Kind.READ_FAILED,
          0,
          subject()
              + ": nothing is pending, but it left stop-and-copy (device_state 0x"
              + Integer.toHexString(register)
              + "): it was reset, or led by somebody else, before it had handed out everything."
              + " This attempt cannot be completed: lead it out through FAILED.");
    }
  }

  @Override
  public int readState(ByteBuffer chunk) throws DeviceException {
    return data.readChunk(subject(), this::announced, chunk);
  }

  /** Reading pending_bytes also tells the driver that the chunk before was taken. */
  private Announced announced() throws AccessException {
    if (registers.read(RegionV1Layout.PENDING_BYTES) == 0) {
      return Announced.NOTHING;
    }
    long offset = registers.read(RegionV1Layout.DATA_OFFSET);
    long size = registers.read(RegionV1Layout.DATA_SIZE);
    return new Announced(offset, size);
  }

  @Override
  public long unread() {
    return data.unread();
  }

  @Override
  public void writeState(ByteBuffer part, long following) throws DeviceException {
    RegionData.requireDirect(part);
    try {
      incoming.take(part, following);
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(), "writing state", Kind.WRITE_FAILED, failure, DeviceFailures.INCOMPLETE);
    }
  }

  private final class IncomingRegisters implements IncomingChunk.Registers {
    @Override
    public long place(long size) throws AccessException {
      return registers.read(RegionV1Layout.DATA_OFFSET);
    }

    @Override
    public long room(long place) throws DeviceException {
      return roomAt(place);
    }

    @Override
    public void give(long place, long size) throws AccessException {
      registers.write(RegionV1Layout.DATA_SIZE, size);
    }
  }

  private long roomAt(long offset) throws DeviceException {
    if (!parts.region().holdsData(offset, 1)) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          String.format(
              "%s: it wants state at data_offset %s; data lies from offset %s on and inside the"
                  + " region of %s bytes. Nothing was written there. %s",
              subject(),
              Long.toUnsignedString(offset),
              RegionV1Layout.SIZE,
              parts.region().info().size(),
              DeviceFailures.INCOMPLETE));
    }
    return parts.region().info().size() - offset;
  }

  @Override
  public long maxChunkBytes() {
    return data.maxChunkBytes();
  }

  @Override
  public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
    DirtyRuns.requireRange(iova, pages, description.pageSize());
    into.run(iova, pages);
    throw new DeviceException(
        Kind.READ_FAILED,
        0,
        String.format(
            "%s: the v1 migration region does not report dirty pages; all %s were reported dirty."
                + " Its state was not touched: copy all its memory while it stands still.",
            subject(), pages));
  }

  private void abandonChunks() {
    data.abandon();
    incoming.abandon();
  }

  @Override
  public void reset() throws DeviceException {
    abandonChunks();
    try {
      parts.access().reset();
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "the reset",
          Kind.TRANSITION_FAILED,
          failure,
          "The device is as before; a person has to reset it.");
    }
    unreported.wasReset();
    try {
      tracker.found(meaningOf(position(), false));
      holdsNothing = tracker.state() == DeviceState.RUNNING;
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "asking for its state after the reset",
          Kind.TRANSITION_FAILED,
          failure,
          "It was reset; open it anew.");
    } catch (RegionV1State.UndefinedException undefined) {
      throw undefined(undefined, "It was reset before.");
    }
  }

  /**
   * {@inheritDoc}
   *
   * <p>May come from any thread.
   */
  @Override
  public void close() {
    parts.access().close();
  }

  private String subject() {
    return tracker.subject();
  }
}
