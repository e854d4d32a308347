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
 *   <li>The state is kept by {@link Region2018Transitions}. It is read from the device when it is
 *       opened, after a reset and after a change; a device may refuse that ({@link #stateKnown()}).
 *   <li>A device that went back to RUNNING by itself after CANCELLED or FAILED, and reports so,
 *       need not accept RUNNING once more.
 *   <li>Which read stages a chunk, that of {@code data.offset} or of {@code data.size}, is found
 *       out by {@link DataPlace}. {@code data.size} 0 means "nothing now", whatever {@code
 *       data.offset} is.
 *   <li>The threshold is a hint: a device that refuses it with EINVAL is asked without one.
 *   <li>State is written to the start of the largest direct area that has room for it; else to
 *       where the driver says in RESUME that its data lies ({@code data.offset}); else from offset
 *       76 on.
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
  private final Region2018Transitions transitions;
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
    this.transitions = new Region2018Transitions(description.id(), registers);
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
    return new DeviceLook(device.description, device.stateKnown() ? device.state() : null);
  }

  /**
   * As {@link #open(String, DeviceAccess, DriverProfile, int)}, with no kernel driver behind it.
   */
  public static Region2018 open(String id, DeviceAccess access, int pageSize)
      throws DeviceException {
    return open(id, access, DriverProfile.NONE, pageSize);
  }

  /**
   * Opens a device without changing it. The device owns the access from here on; the access is
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
    return transitions.state();
  }

  @Override
  public boolean stateKnown() {
    return transitions.stateKnown();
  }

  private void abandonChunks() {
    data.abandon();
    incoming.abandon();
  }

  /** A device that was opened or reset has staged nothing for this object. */
  private void readBackState() throws DeviceException {
    abandonChunks();
    place.abandon();
    transitions.readBack();
  }

  @Override
  public void transition(DeviceState target) throws DeviceException {
    transitions.requireAllowed(target);
    abandonChunks();
    if (target != DeviceState.STOPNCOPY) {
      place.abandon();
    }
    transitions.to(target);
    if (target == DeviceState.RESUME) {
      incomingOffset = whereItTakesData();
      requireWholeWrites();
    }
  }

  /** Checked in RESUME, because a refusal inside the pause would come too late. */
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

  @Override
  public void requireLoaded() throws DeviceException {
    transitions.requireLoaded();
  }

  @Override
  public void requireUnchanged() throws DeviceException {
    transitions.requireUnchanged();
  }

  /**
   * The text lets the user choose where incoming data lies. A driver whose data area begins behind
   * the registers' page accepts data only there, and says so in {@code data.offset}.
   */
  private long whereItTakesData() throws DeviceException {
    try {
      long offset = registers.read(MigrationRegionLayout.DATA_OFFSET);
      return parts.region().holdsData(offset, 1) ? offset : MigrationRegionLayout.SIZE;
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
    PendingBytes.requireThreshold(thresholdBytes);
    try {
      offerThreshold(thresholdBytes);
      long precopyOnly = registers.read(MigrationRegionLayout.PENDING_PRECOPY_ONLY);
      long compatible = registers.read(MigrationRegionLayout.PENDING_COMPATIBLE);
      long postcopyOnly = registers.read(MigrationRegionLayout.PENDING_POSTCOPY_ONLY);
      return new PendingBytes(precopyOnly, compatible, postcopyOnly);
    } catch (AccessException failure) {
      throw DeviceFailures.pendingNotRead(subject(), failure);
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
    incoming.write(subject(), part, following);
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
      throw DeviceFailures.resetRefused(subject(), failure);
    }
    readBackState();
  }

  /**
   * {@inheritDoc}
   *
   * <p>May come from any thread. A call that waits for the device then fails as UNREACHABLE.
   */
  @Override
  public void close() {
    parts.access().close();
  }

  private DeviceException failed(
      String what, Kind ifRefused, AccessException failure, String consequence) {
    return DeviceFailures.duringAction(subject(), what, ifRefused, failure, consequence);
  }

  private String subject() {
    return transitions.subject();
  }
}
