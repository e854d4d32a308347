package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A device that speaks the 2018 migration region. Registers are always trapped, each in one access
 * of its own width; state data goes through a direct area where the device offers one and through
 * trapped access otherwise, in one bulk copy either way.
 *
 * <p>What the text leaves open is settled so:
 *
 * <ul>
 *   <li>The state is kept here. It is read from the device when it is opened and after a reset; a
 *       device may refuse that ({@link #stateKnown()}).
 *   <li>A change of state that the interface does not allow is refused before it reaches the
 *       device.
 *   <li>{@code data.size} 0 means "nothing now". The device's {@code data.offset} is then not
 *       looked at.
 *   <li>State is written to the start of the largest direct area where it fits there, else from
 *       offset 76 on.
 * </ul>
 *
 * <p>Source: "VFIO KABI for migration interface", November 2018.
 */
public final class Region2018 implements MigratableDevice {
  private final DeviceAccess access;
  private final MigrationRegion region;
  private final DeviceDescription description;
  private final List<DirectArea> areas;
  private final RegionRegisters registers;
  private final DirtyPagesAction dirtyPagesAction;
  private DeviceState state = DeviceState.NONE;
  private boolean stateKnown;

  private Region2018(
      DeviceAccess access,
      MigrationRegion region,
      DeviceDescription description,
      List<DirectArea> areas) {
    this.access = access;
    this.region = region;
    this.description = description;
    this.areas = areas;
    this.registers = new RegionRegisters(access, region.info().index());
    this.dirtyPagesAction =
        new DirtyPagesAction(registers, this::readData, region, description.pageSize());
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
    return describe(id, access, MigrationRegion.find(id, access), pageSize);
  }

  /**
   * What a device says of itself when it is only looked at.
   *
   * @param state null where it does not tell
   */
  public record Look(DeviceDescription description, DeviceState state) {}

  /** As {@link #describe}, with the state that the device is in. The access stays the caller's. */
  public static Look look(String id, DeviceAccess access, int pageSize) throws DeviceException {
    MigrationRegion region = MigrationRegion.find(id, access);
    DeviceDescription description = describe(id, access, region, pageSize);
    Region2018 device = new Region2018(access, region, description, List.of());
    device.readBackState();
    return new Look(description, device.stateKnown ? device.state : null);
  }

  private static DeviceDescription describe(
      String id, DeviceAccess access, MigrationRegion region, int pageSize) throws DeviceException {
    return new DeviceDescription(
        id,
        MigrationInterface.REGION_2018,
        PciModel.of(id, access),
        region.info().size(),
        true,
        true,
        pageSize);
  }

  /**
   * Opens a device without changing it. The access belongs to the device from here on, and is
   * closed at once where this fails.
   *
   * @param id for the description and for messages
   * @param pageSize bytes of a PFN
   * @throws DeviceException NOT_MIGRATABLE, PROTOCOL_VIOLATION or UNREACHABLE
   */
  public static Region2018 open(String id, DeviceAccess access, int pageSize)
      throws DeviceException {
    boolean opened = false;
    try {
      MigrationRegion region = MigrationRegion.find(id, access);
      DeviceDescription description = describe(id, access, region, pageSize);
      List<DirectArea> areas = access.directAreas(region.info(), region.mappableParts());
      Region2018 device = new Region2018(access, region, description, List.copyOf(areas));
      device.readBackState();
      opened = true;
      return device;
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(id, "its migration region", failure);
    } finally {
      if (!opened) {
        access.close();
      }
    }
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

  /** A device may refuse to tell its state: then it is not known, which is no error. */
  private void readBackState() throws DeviceException {
    state = DeviceState.NONE;
    stateKnown = false;
    try {
      state = DeviceState.ofWireValue(registers.readDeviceState());
      stateKnown = true;
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED) {
        throw DeviceFailures.whileOpening(description.id(), "its state", failure);
      }
    } catch (IllegalArgumentException undefined) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          "device "
              + description.id()
              + " reports a state that the interface does not know: "
              + undefined.getMessage()
              + ". Nothing was done to the device; reset it.",
          undefined);
    }
  }

  @Override
  public void transition(DeviceState target) throws DeviceException {
    if (stateKnown && !TransitionRules.allows(state, target)) {
      throw new DeviceException(
          Kind.TRANSITION_FAILED,
          0,
          subject()
              + ": the interface does not allow a change from "
              + state
              + " to "
              + target
              + ", only to "
              + TransitionRules.allowedFrom(state)
              + ". The device was not asked and is as before.");
    }
    try {
      registers.writeDeviceState(target.wireValue());
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "the change to " + target,
          Kind.TRANSITION_FAILED,
          failure,
          "The device refused it and counts as being in the state before; lead it out through"
              + " FAILED, or reset it.");
    }
    state = target;
    stateKnown = true;
  }

  @Override
  public PendingBytes pending(long thresholdBytes) throws DeviceException {
    if (thresholdBytes < 0) {
      throw new IllegalArgumentException("a threshold of " + thresholdBytes + " bytes");
    }
    try {
      registers.write(MigrationRegionLayout.PENDING_THRESHOLD_SIZE, thresholdBytes);
      long precopyOnly = registers.read(MigrationRegionLayout.PENDING_PRECOPY_ONLY);
      long compatible = registers.read(MigrationRegionLayout.PENDING_COMPATIBLE);
      long postcopyOnly = registers.read(MigrationRegionLayout.PENDING_POSTCOPY_ONLY);
      return new PendingBytes(precopyOnly, compatible, postcopyOnly);
    } catch (AccessException failure) {
      throw failed("asking for pending bytes", Kind.READ_FAILED, failure, STATE_UNTOUCHED);
    }
  }

  @Override
  public int readState(ByteBuffer chunk) throws DeviceException {
    requireDirect(chunk);
    int position = chunk.position();
    int limit = chunk.limit();
    try {
      long offset = registers.read(MigrationRegionLayout.DATA_OFFSET);
      long size = registers.read(MigrationRegionLayout.DATA_SIZE);
      if (size == 0) {
        return 0;
      }
      requireInsideRegion(offset, size);
      if (size > chunk.remaining()) {
        throw new IllegalArgumentException(
            subject()
                + " staged a chunk of "
                + size
                + " bytes and the buffer has room for "
                + chunk.remaining()
                + "; offer "
                + maxChunkBytes());
      }
      chunk.limit(position + (int) size);
      readData(offset, chunk);
      return (int) size;
    } catch (AccessException failure) {
      chunk.position(position);
      throw failed(
          "reading state",
          Kind.READ_FAILED,
          failure,
          "A chunk that the device had staged is lost, so this attempt cannot be completed: lead"
              + " the device back through FAILED.");
    } finally {
      chunk.limit(limit);
    }
  }

  private void requireInsideRegion(long offset, long size) throws DeviceException {
    if (!inside(offset, size) || size < 0 || size > maxChunkBytes()) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          subject()
              + ": it announced "
              + Long.toUnsignedString(size)
              + " bytes of state (data.size) at data.offset "
              + Long.toUnsignedString(offset)
              + "; data lies from offset "
              + MigrationRegionLayout.SIZE
              + " on and inside the region of "
              + region.info().size()
              + " bytes. Nothing was read. This attempt cannot be completed: lead the device back"
              + " through FAILED.");
    }
  }

  private boolean inside(long offset, long size) {
    return DataBounds.inside(offset, size, region.info().size());
  }

  @Override
  public void writeState(ByteBuffer chunk) throws DeviceException {
    requireDirect(chunk);
    int start = chunk.position();
    int end = chunk.limit();
    DirectArea area = areaToWriteTo(chunk.remaining());
    long offset = area == null ? MigrationRegionLayout.SIZE : area.offset();
    try {
      while (chunk.position() < end) {
        int size = (int) Math.min(end - chunk.position(), maxChunkBytes());
        chunk.limit(chunk.position() + size);
        if (area == null) {
          requireWhole("write", size, access.writeRegion(region.info().index(), offset, chunk));
        } else {
          area.write(offset, chunk);
        }
        registers.write(MigrationRegionLayout.DATA_OFFSET, offset);
        registers.write(MigrationRegionLayout.DATA_SIZE, size);
        start += size;
      }
    } catch (AccessException failure) {
      chunk.position(start);
      throw failed(
          "writing state",
          Kind.WRITE_FAILED,
          failure,
          "The state on this device is incomplete and must not run: lead it to FAILED and reset"
              + " it.");
    } finally {
      chunk.limit(end);
    }
  }

  private DirectArea areaToWriteTo(int size) {
    DirectArea largest = null;
    for (DirectArea area : areas) {
      if (area.offset() >= MigrationRegionLayout.SIZE
          && area.size() >= size
          && (largest == null || area.size() > largest.size())) {
        largest = area;
      }
    }
    return largest;
  }

  /** Fills the rest of the buffer from an offset that was checked to lie in the data area. */
  private void readData(long offset, ByteBuffer into) throws AccessException {
    int size = into.remaining();
    for (DirectArea area : areas) {
      if (area.covers(offset, size)) {
        area.read(offset, into);
        return;
      }
    }
    requireWhole("read", size, access.readRegion(region.info().index(), offset, into));
  }

  private static void requireWhole(String what, int size, int done) throws AccessException {
    if (done != size) {
      throw new AccessException(
          Reason.REFUSED, 0, "short " + what + " of data: " + done + " of " + size + " bytes");
    }
  }

  @Override
  public long maxChunkBytes() {
    return Math.min(region.dataArea(), Integer.MAX_VALUE);
  }

  @Override
  public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
    return dirtyPagesAction.report(subject(), iova, pages, into);
  }

  @Override
  public void reset() throws DeviceException {
    try {
      access.reset();
    } catch (AccessException failure) {
      throw failed(
          "the reset",
          Kind.TRANSITION_FAILED,
          failure,
          "The device is as before; whoever serves it has to be restarted to bring it back.");
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
    access.close();
  }

  private static final String STATE_UNTOUCHED = "The state of the device was not touched.";

  private DeviceException failed(
      String what, Kind ifRefused, AccessException failure, String consequence) {
    return DeviceFailures.duringAction(subject(), what, ifRefused, failure, consequence);
  }

  private String subject() {
    return "device "
        + description.id()
        + " (state "
        + (stateKnown ? state.name() : "not known")
        + ")";
  }

  private static void requireDirect(ByteBuffer chunk) {
    if (!chunk.isDirect()) {
      throw new IllegalArgumentException("state travels in direct buffers only");
    }
  }
}
