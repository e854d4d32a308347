package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.device.TransitionRules;
import dev.vfio.migration.vfio.linux.Errno;
import java.nio.ByteBuffer;

/**
 * A device that speaks the 2018 migration region. Registers are always trapped, each in one access
 * of its own width; state data goes through a direct area where the device offers one and through
 * trapped access otherwise.
 *
 * <p>What the text leaves open is settled so:
 *
 * <ul>
 *   <li>The state is kept here. It is read from the device when it is opened, after a reset and
 *       after a change; a device may refuse that ({@link #stateKnown()}).
 *   <li>A device that CANCELLED or FAILED has brought back to RUNNING, and that says so, need not
 *       take RUNNING once more.
 *   <li>A change of state that the interface does not allow is refused before it reaches the
 *       device.
 *   <li>Which read stages a chunk, that of {@code data.offset} or of {@code data.size}, is found
 *       out: see {@link DataPlace}. {@code data.size} 0 means "nothing now"; {@code data.offset} is
 *       then not looked at.
 *   <li>The threshold is a hint: a device that refuses it with EINVAL is asked without one.
 *   <li>State is written to the start of the largest direct area where it fits there, else to where
 *       the driver says in RESUME that its data lies ({@code data.offset}), else from offset 76 on.
 * </ul>
 *
 * <p>Source: "VFIO KABI for migration interface", November 2018.
 */
public final class Region2018 implements MigratableDevice {
  private final RegionParts parts;
  private final DeviceDescription description;
  private final RegionRegisters registers;
  private final RegionData data;
  private final DataPlace place;
  private final DirtyPagesAction dirtyPagesAction;
  private final IncomingChunk incoming;
  private DeviceState state = DeviceState.NONE;
  private boolean stateKnown;
  private boolean tellsThatItIsLoaded;
  private boolean runRefused;

  /** Whether its driver has let its state be read. */
  private boolean toldItsState;

  private long incomingOffset = MigrationRegionLayout.SIZE;

  private Region2018(RegionParts parts) {
    this.parts = parts;
    this.description = parts.description();
    this.registers = parts.registers();
    this.data = parts.data();
    this.place = new DataPlace(registers, data, parts.region());
    this.dirtyPagesAction =
        new DirtyPagesAction(registers, data, place, parts.region(), description.pageSize());
    this.incoming = new IncomingChunk(data, new IncomingRegisters());
  }

  /**
   * Describes a device without changing it.
   *
   * @param id for the description and for messages
   * @param pageSize bytes of a PFN
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static DeviceDescription describe(String id, DeviceAccess access, int pageSize)
      throws DeviceException {
    return RegionParts.find(id, access, RegionFormat.OF_2018, DriverProfile.NONE, pageSize)
        .description();
  }

  /**
   * Describes a device without changing it, with the state that it is in. The access stays the
   * caller's.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device
   * @param pageSize bytes of a PFN
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static DeviceLook look(String id, DeviceAccess access, DriverProfile driver, int pageSize)
      throws DeviceException {
    Region2018 device =
        assembled(RegionParts.find(id, access, RegionFormat.OF_2018, driver, pageSize));
    return new DeviceLook(device.description, device.stateKnown ? device.state : null);
  }

  /**
   * As {@link #open(String, DeviceAccess, DriverProfile, int)}, with no kernel driver behind it.
   */
  public static Region2018 open(String id, DeviceAccess access, int pageSize)
      throws DeviceException {
    return open(id, access, DriverProfile.NONE, pageSize);
  }

  /**
   * Opens a device without changing it. The access belongs to the device from here on, and is
   * closed at once where this fails.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device
   * @param pageSize bytes of a PFN
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static Region2018 open(String id, DeviceAccess access, DriverProfile driver, int pageSize)
      throws DeviceException {
    return RegionParts.open(
        id, access, RegionFormat.OF_2018, driver, pageSize, Region2018::assembled);
  }

  private static Region2018 assembled(RegionParts parts) throws DeviceException {
    Region2018 device = new Region2018(parts);
    device.readBackState();
    return device;
  }

  @Override
  public DeviceDescription description() {
    return description;
  }

  @Override
  public DeviceState state() {
    return state;
  }

  @Override
  public boolean stateKnown() {
    return stateKnown;
  }

  private void abandonChunks() {
    data.abandon();
    incoming.abandon();
  }

  /** A device may refuse to tell its state: then it is not known, which is no error. */
  private void readBackState() throws DeviceException {
    abandonChunks();
    place.abandon();
    state = DeviceState.NONE;
    stateKnown = false;
    tellsThatItIsLoaded = false;
    runRefused = false;
    toldItsState = false;
    try {
      state = DeviceState.ofWireValue(registers.readDeviceState());
      stateKnown = true;
      toldItsState = true;
      tellsThatItIsLoaded = state == DeviceState.RESUME_COMPLETED;
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED) {
        throw DeviceFailures.whileOpening(description.id(), "its state", failure);
      }
    } catch (IllegalArgumentException undefined) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          String.format(
              "device %s reports a state that the interface does not know: %s. Nothing was done to"
                  + " the device; reset it.",
              description.id(), undefined.getMessage()),
          undefined);
    }
  }

  @Override
  public void transition(DeviceState target) throws DeviceException {
    if (stateKnown && !TransitionRules.allows(state, target)) {
      throw new DeviceException(
          Kind.TRANSITION_FAILED,
          0,
          String.format(
              "%s: the interface does not allow a change from %s to %s, only to %s. The device was"
                  + " not asked and is as before.",
              subject(), state, target, TransitionRules.allowedFrom(state)));
    }
    if (target == DeviceState.RUNNING) {
      requireStillLoaded();
    }
    abandonChunks();
    if (target != DeviceState.STOPNCOPY) {
      place.abandon();
    }
    try {
      registers.writeDeviceState(target.wireValue());
    } catch (AccessException failure) {
      if (target == DeviceState.RUNNING && runsAlready(failure)) {
        state = target;
        stateKnown = true;
        return;
      }
      runRefused = target == DeviceState.RUNNING;
      throw failed(
          "the change to " + target,
          Kind.TRANSITION_FAILED,
          failure,
          "The device refused it and counts as being in the state before; lead it out through"
              + " FAILED, or reset it.");
    }
    boolean told = requireThere(target);
    state = target;
    stateKnown = true;
    runRefused = false;
    tellsThatItIsLoaded = told && target == DeviceState.RESUME_COMPLETED;
    if (target == DeviceState.RESUME) {
      incomingOffset = whereItTakesData();
      requireWholeWrites();
    }
  }

  /** Found out while nothing is lost: a state is given to a device inside the pause. */
  private void requireWholeWrites() throws DeviceException {
    if (!registers.takesHalvesOnly()) {
      return;
    }
    try {
      registers.write(MigrationRegionLayout.DATA_OFFSET, incomingOffset);
    } catch (AccessException failure) {
      throw failed(
          "writing data.offset in one access of 8 bytes (its driver takes reads of 4 bytes only,"
              + " and half a data.size might commit a chunk, so such a device takes nothing in)",
          Kind.WRITE_FAILED,
          failure,
          "It is in RESUME; reset it.");
    }
  }

  /**
   * A driver's success is looked at: the device has to say that it is there. A driver that does not
   * let its state be read is believed; so is one that was told FAILED or CANCELLED, which only
   * announce the way back and may be RUNNING already.
   *
   * @return whether the device says that it is there
   */
  private boolean requireThere(DeviceState target) throws DeviceException {
    if (target == DeviceState.FAILED || target == DeviceState.CANCELLED) {
      return false;
    }
    int now;
    try {
      now =
          registers.deviceStateAfter(
              told -> isThere(told, target) || told == DeviceState.FAILED.wireValue());
    } catch (AccessException failure) {
      if (mayKeepItsStateToItself(failure)) {
        return false;
      }
      runRefused = target == DeviceState.RUNNING;
      throw failed(
          "asking where it is after the change to " + target + ", which its driver took,",
          Kind.READ_FAILED,
          failure,
          "It counts as being in the state before; lead it out through FAILED, or reset it.");
    }
    if (isThere(now, target)) {
      toldItsState = true;
      return true;
    }
    String before = subject();
    runRefused = target == DeviceState.RUNNING;
    boolean failed = now == DeviceState.FAILED.wireValue();
    if (failed) {
      state = DeviceState.FAILED;
    }
    throw new DeviceException(
        Kind.TRANSITION_FAILED,
        0,
        String.format(
            "%s: its driver answered the change to %s with success, and the device says that it is"
                + " in %s. It counts as being in %s",
            before,
            target,
            nameOf(now),
            failed
                ? "FAILED; reset it."
                : "the state before; lead it out through FAILED, or reset it."));
  }

  /**
   * Whether this is no failure: EINVAL is how a driver says that it does not tell the state, and
   * one that never told it may say so in any way.
   */
  private boolean mayKeepItsStateToItself(AccessException failure) {
    return failure.refusedWith(Errno.EINVAL)
        || (failure.reason() == Reason.REFUSED && !toldItsState);
  }

  /** What a save has set up is cleaned up, and a driver may begin anew: it stands still, too. */
  private static boolean isThere(int told, DeviceState target) {
    boolean cleanedUp =
        target == DeviceState.SAVE_COMPLETED && told == DeviceState.NONE.wireValue();
    return told == target.wireValue() || cleanedUp;
  }

  /**
   * By the text CANCELLED, and FAILED at the source, are themselves the way back to running, and a
   * state is sent "on state change": a device that went on by itself may refuse to be told.
   */
  private boolean runsAlready(AccessException failure) {
    boolean toldToGoBack = state == DeviceState.CANCELLED || state == DeviceState.FAILED;
    if (!stateKnown || !toldToGoBack || failure.errno() != Errno.EINVAL.number()) {
      return false;
    }
    try {
      int running = DeviceState.RUNNING.wireValue();
      return registers.deviceStateAfter(told -> told == running) == running;
    } catch (AccessException unreadable) {
      return false;
    }
  }

  /**
   * Whoever holds the device beside us may have reset it after it was loaded. The text has the user
   * write the state and says nothing of reading it: a driver is believed where it told that it was
   * loaded when it was.
   */
  private void requireStillLoaded() throws DeviceException {
    if (!tellsThatItIsLoaded) {
      return;
    }
    int told;
    try {
      told = registers.readDeviceState();
    } catch (AccessException failure) {
      if (failure.reason() == Reason.REFUSED) {
        return;
      }
      throw failed("asking for its state", Kind.TRANSITION_FAILED, failure, STATE_UNTOUCHED);
    }
    boolean begunToRun = runRefused && told == DeviceState.RUNNING.wireValue();
    if (told != DeviceState.RESUME_COMPLETED.wireValue() && !begunToRun) {
      throw DeviceFailures.stateLost(subject(), nameOf(told));
    }
  }

  @Override
  public void requireLoaded() throws DeviceException {
    try {
      int told = registers.askDeviceState();
      if (tellsThatItIsLoaded && told != DeviceState.RESUME_COMPLETED.wireValue()) {
        throw DeviceFailures.stateLost(subject(), nameOf(told));
      }
    } catch (AccessException failure) {
      // One that never told its state has at least answered.
      if (tellsThatItIsLoaded || failure.reason() != Reason.REFUSED) {
        throw failed("asking for its state", Kind.READ_FAILED, failure, STATE_UNTOUCHED);
      }
    }
  }

  @Override
  public void requireUnchanged() throws DeviceException {
    try {
      int told = registers.readDeviceState();
      if (toldItsState && told != state.wireValue()) {
        throw DeviceFailures.elsewhere(subject(), nameOf(told));
      }
    } catch (AccessException failure) {
      if (!mayKeepItsStateToItself(failure)) {
        throw failed("asking for its state", Kind.READ_FAILED, failure, STATE_UNTOUCHED);
      }
    }
  }

  private static String nameOf(int wireValue) {
    try {
      return DeviceState.ofWireValue(wireValue).name();
    } catch (IllegalArgumentException undefined) {
      return "the state " + wireValue + ", which the interface does not know";
    }
  }

  /**
   * The text lets the user choose where incoming data lies. A driver that keeps its data area
   * behind the registers' page takes it nowhere else, and tells where once it is asked.
   */
  private long whereItTakesData() throws DeviceException {
    try {
      long told = registers.read(MigrationRegionLayout.DATA_OFFSET);
      return parts.region().holdsData(told, 1) ? told : MigrationRegionLayout.SIZE;
    } catch (AccessException failure) {
      if (failure.reason() == Reason.REFUSED) {
        return MigrationRegionLayout.SIZE;
      }
      throw failed(
          "asking where it takes state", Kind.WRITE_FAILED, failure, "It is in RESUME; reset it.");
    }
  }

  @Override
  public PendingBytes pending(long thresholdBytes) throws DeviceException {
    if (thresholdBytes < 0) {
      throw new IllegalArgumentException("a threshold of " + thresholdBytes + " bytes");
    }
    try {
      offerThreshold(thresholdBytes);
      long precopyOnly = registers.read(MigrationRegionLayout.PENDING_PRECOPY_ONLY);
      long compatible = registers.read(MigrationRegionLayout.PENDING_COMPATIBLE);
      long postcopyOnly = registers.read(MigrationRegionLayout.PENDING_POSTCOPY_ONLY);
      return new PendingBytes(precopyOnly, compatible, postcopyOnly);
    } catch (AccessException failure) {
      throw failed("asking for pending bytes", Kind.READ_FAILED, failure, STATE_UNTOUCHED);
    }
  }

  private void offerThreshold(long thresholdBytes) throws AccessException {
    try {
      registers.write(MigrationRegionLayout.PENDING_THRESHOLD_SIZE, thresholdBytes);
    } catch (AccessException failure) {
      if (failure.errno() != Errno.EINVAL.number()) {
        throw failure;
      }
    }
  }

  @Override
  public int readState(ByteBuffer chunk) throws DeviceException {
    return data.readChunk(subject(), place::announced, chunk);
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
      throw failed("writing state", Kind.WRITE_FAILED, failure, DeviceFailures.INCOMPLETE);
    }
  }

  private final class IncomingRegisters implements IncomingChunk.Registers {
    @Override
    public long place(long size) {
      return data.largestAreaFor(size).map(DirectArea::offset).orElse(incomingOffset);
    }

    @Override
    public long room(long place) {
      return parts.region().info().size() - place;
    }

    @Override
    public void give(long place, long size) throws AccessException {
      registers.write(MigrationRegionLayout.DATA_OFFSET, place);
      registers.write(MigrationRegionLayout.DATA_SIZE, size);
    }
  }

  @Override
  public long maxChunkBytes() {
    return data.maxChunkBytes();
  }

  @Override
  public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
    return dirtyPagesAction.report(subject(), iova, pages, into);
  }

  @Override
  public void reset() throws DeviceException {
    try {
      parts.access().reset();
    } catch (AccessException failure) {
      throw failed(
          "the reset",
          Kind.TRANSITION_FAILED,
          failure,
          "The device is as before; a person has to reset it.");
    }
    readBackState();
  }

  /**
   * {@inheritDoc}
   *
   * <p>May come from any thread and ends a call that waits for the device, which then fails as
   * UNREACHABLE.
   */
  @Override
  public void close() {
    parts.access().close();
  }

  private static final String STATE_UNTOUCHED = "The state of the device was not touched.";

  private DeviceException failed(
      String what, Kind ifRefused, AccessException failure, String consequence) {
    return DeviceFailures.duringAction(subject(), what, ifRefused, failure, consequence);
  }

  private String subject() {
    return String.format(
        "device %s (state %s)", description.id(), stateKnown ? state.name() : "not known");
  }
}
