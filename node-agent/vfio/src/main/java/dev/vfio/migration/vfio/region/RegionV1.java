package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceLook;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.DirtyRuns;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationEnd;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.device.StateTracker;
import dev.vfio.migration.vfio.region.RegionData.Announced;
import java.nio.ByteBuffer;

/**
 * A device that speaks the v1 migration region. The states of the 2018 interface are mapped onto
 * its three bits:
 *
 * <pre>
 * RUNNING 001   SETUP 001   PRECOPY 011   STOPNCOPY 010   SAVE_COMPLETED 000
 * RESUME 100    RESUME_COMPLETED 000, or 100 (see below)   FAILED, CANCELLED: not written; 001 follows at the source
 * </pre>
 *
 * <p>What the text of the interface leaves open is settled so:
 *
 * <ul>
 *   <li>"Stopped" (000) is STOPNCOPY at the source and RESUME_COMPLETED at the destination, see
 *       {@link #open}.
 *   <li>RESUME_COMPLETED is 000, and not the 001 that the text draws behind 100: the driver then
 *       judges the loaded state before the source gives up its own. A driver that accepts only the
 *       drawn changes answers EINVAL and stays in 100. It has accepted every chunk without an
 *       error, and goes from 100 to 001 later.
 *   <li>A driver may accept the change from 100 to 000 without checking anything, because the text
 *       does not draw that change; from 000 it would never check. So a device that was just reset
 *       is led from 100 to 000 once before it is loaded. If its driver accepts an empty state as
 *       whole, RESUME_COMPLETED is 100, and the driver checks at the change to 001.
 *   <li>A change that the driver accepts is verified: the device has to report the new position.
 *   <li>The driver names the place of incoming data (data_offset). A chunk is split only where the
 *       room behind that place forces it.
 *   <li>The error state, 110, is FAILED, and only {@link #reset()} leads out of it. The same holds
 *       for a device that took state in and was given up: half a state must never run.
 *   <li>The v1 region does not report dirty pages; its drivers pinned pages and left the question
 *       to the IOMMU's container. {@link #dirtyPages} reports all pages.
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
  private final RegionV1Transitions transitions;

  private RegionV1(RegionParts parts, MigrationEnd end) {
    this.parts = parts;
    this.description = parts.description();
    this.registers = parts.registers();
    this.data = parts.data();
    this.incoming = new IncomingChunk(data, new IncomingRegisters());
    this.tracker = new StateTracker(description.id(), end);
    this.transitions = new RegionV1Transitions(parts.access(), registers, tracker);
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
    RegionV1Transitions transitions = new RegionV1(parts, MigrationEnd.SOURCE).transitions;
    RegionV1State found = transitions.whileOpening();
    return found == RegionV1State.STOPPED
        ? new DeviceLook(parts.description(), null, true)
        : new DeviceLook(parts.description(), transitions.meaningOf(found, true));
  }

  /**
   * Opens a device without changing it. The device owns the access from here on; the access is
   * closed at once where this fails.
   *
   * @param id for the description and for messages
   * @param driver what stands behind the device
   * @param pageSize bytes of a host page
   * @param end what "stopped" means: STOPNCOPY at the source, whose state is intact;
   *     RESUME_COMPLETED at the destination
   * @param adopted whether another process opened the device before and still holds it
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
          RegionV1State found = device.transitions.whileOpening();
          device.tracker.found(device.transitions.meaningOf(found, adopted));
          return device;
        });
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
    transitions.to(target);
  }

  @Override
  public void requireLoaded() throws DeviceException {
    transitions.requireLoaded();
  }

  @Override
  public void requireUnchanged() throws DeviceException {
    transitions.requireUnchanged();
  }

  @Override
  public PendingBytes pending(long thresholdBytes) throws DeviceException {
    PendingBytes.requireThreshold(thresholdBytes);
    DeviceState state = state();
    if (state != DeviceState.PRECOPY && state != DeviceState.STOPNCOPY) {
      return PendingBytes.NOTHING;
    }
    try {
      long bytes = registers.read(RegionV1Layout.PENDING_BYTES);
      if (bytes == 0 && state == DeviceState.STOPNCOPY) {
        transitions.requireStillSaving();
      }
      return state == DeviceState.PRECOPY
          ? new PendingBytes(0, bytes, 0)
          : new PendingBytes(0, 0, bytes);
    } catch (AccessException failure) {
      throw DeviceFailures.pendingNotRead(tracker.subject(), failure);
    }
  }

  @Override
  public int readState(ByteBuffer chunk) throws DeviceException {
    return data.readChunk(tracker.subject(), this::announced, chunk);
  }

  /** Reading pending_bytes also informs the driver that the chunk before was taken. */
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
    incoming.write(tracker.subject(), part, following);
  }

  private final class IncomingRegisters implements IncomingChunk.Registers {
    @Override
    public long place(long size) throws AccessException {
      return registers.read(RegionV1Layout.DATA_OFFSET);
    }

    @Override
    public long room(long place) throws DeviceException {
      long size = parts.region().info().size();
      if (!parts.region().holdsData(place, 1)) {
        throw Kind.PROTOCOL_VIOLATION.exception(
            "%s: it wants state at data_offset %s; data lies from offset %s on and inside the"
                + " region of %s bytes. Nothing was written there. %s",
            tracker.subject(),
            Long.toUnsignedString(place),
            RegionV1Layout.SIZE,
            size,
            DeviceFailures.INCOMPLETE);
      }
      return size - place;
    }

    @Override
    public void give(long place, long size) throws AccessException {
      registers.write(RegionV1Layout.DATA_SIZE, size);
    }
  }

  @Override
  public long maxChunkBytes() {
    return data.maxChunkBytes();
  }

  @Override
  public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
    DirtyRuns.requireRange(iova, pages, description.pageSize());
    into.run(iova, pages);
    throw Kind.READ_FAILED.exception(
        "%s: the v1 migration region does not report dirty pages; all %s were reported dirty."
            + " Its state was not touched: copy all its memory while it stands still.",
        tracker.subject(), pages);
  }

  private void abandonChunks() {
    data.abandon();
    incoming.abandon();
  }

  @Override
  public void reset() throws DeviceException {
    abandonChunks();
    transitions.reset();
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
}
