package dev.vfio.migration.sandbox.devices.region;

import dev.vfio.migration.sandbox.devices.device.DeviceModel;
import dev.vfio.migration.sandbox.devices.device.PendingBytes;
import dev.vfio.migration.sandbox.devices.fault.ActiveFaults;
import dev.vfio.migration.sandbox.devices.fault.Fault;
import dev.vfio.migration.sandbox.devices.fault.FaultKind;
import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusableAction;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * The 2018 migration region: turns reads and writes of its registers into the five actions.
 *
 * <ul>
 *   <li>Set state: write device_state.
 *   <li>Get pending bytes: write threshold_size, read the three classes.
 *   <li>Get buffer: a read of data.offset stages the next chunk; data.size and the bytes follow. A
 *       device with the fault {@code stage-on-size} does it when data.size is read.
 *   <li>Set buffer: write the bytes, data.offset, then data.size, which commits.
 *   <li>Get dirty pages: write start_addr and total; a read of copied stages the bitmap, and the
 *       next read of data.offset says where it lies.
 * </ul>
 *
 * A 64-bit register may be accessed in two halves: a read takes effect with the low half, a write
 * with the high one. One thread at a time (the client's).
 */
public final class MigrationRegion {
  private final DeviceModel device;
  private final RegionMemory memory;
  private final ActiveFaults faults;
  private final EventLog log;
  private final ByteBuffer registers =
      ByteBuffer.allocate(RegionLayout.END).order(ByteOrder.nativeOrder());
  private boolean bitmapStaged;

  public MigrationRegion(
      DeviceModel device, RegionMemory memory, ActiveFaults faults, EventLog log) {
    this.device = device;
    this.memory = memory;
    this.faults = faults;
    this.log = log;
  }

  public DeviceState deviceState() {
    return device.state();
  }

  public RegionMemory memory() {
    return memory;
  }

  /**
   * How many bytes a read of {@code count} returns: all, but for the fault that cuts reads short.
   */
  public int lengthOfRead(int count) {
    boolean cut = count > 1 && faults.fire(FaultKind.SHORT_READ, device.state()).isPresent();
    return cut ? count / 2 : count;
  }

  /**
   * Reads {@code count} bytes at {@code offset}.
   *
   * @return a view of them, good until the next access
   * @throws RefusalException EINVAL for an offset, a width or a moment that the region does not
   *     take
   */
  public ByteBuffer read(long offset, int count) throws RefusalException {
    try {
      requireInside(offset, count);
      if (offset >= RegionLayout.END) {
        return memory.slice((int) offset, count);
      }
      RegionLayout register = register(offset, count);
      requireHalf(count);
      if (register.begins(offset)) {
        refresh(register);
      }
      return registers.slice((int) offset, count);
    } catch (RefusalException e) {
      logRejection("read", offset, count, e);
      throw e;
    }
  }

  /**
   * Where the bytes of a write go; {@link #written} must follow once they are there.
   *
   * @throws RefusalException EINVAL as for {@link #read}; nothing has changed then
   */
  public ByteBuffer beforeWrite(long offset, int count) throws RefusalException {
    try {
      requireInside(offset, count);
      if (offset >= RegionLayout.END) {
        requireResume("the data area");
        return memory.slice((int) offset, count);
      }
      RegionLayout register = register(offset, count);
      requireHalf(count);
      boolean onlyInResume =
          switch (register) {
            case PRECOPY_ONLY, COMPATIBLE, POSTCOPY_ONLY, COPIED ->
                throw new RefusalException(Errno.EINVAL, register + " is the device's to write");
            case DATA_OFFSET, DATA_SIZE -> true;
            case DEVICE_STATE, THRESHOLD_SIZE, START_ADDRESS, TOTAL -> false;
          };
      if (onlyInResume) {
        requireResume(register.name());
      }
      return ByteBuffer.allocate(count).order(ByteOrder.nativeOrder());
    } catch (RefusalException e) {
      logRejection("write", offset, count, e);
      throw e;
    }
  }

  /**
   * The bytes of a write have arrived; it takes effect now.
   *
   * @param bytes what {@link #beforeWrite} returned, filled
   */
  public void written(long offset, ByteBuffer bytes) throws RefusalException {
    if (offset >= RegionLayout.END) {
      return;
    }
    int count = bytes.capacity();
    RegionLayout register = register(offset, count);
    if (register == RegionLayout.DEVICE_STATE) {
      // the device logs what it refuses of this one itself
      device.transition(bytes.getInt(0));
      forgetStaged();
      return;
    }
    try {
      registers.put((int) offset, bytes, 0, count);
      if (register.ends(offset, count)) {
        commit(register);
      }
    } catch (RefusalException e) {
      logRejection("write", offset, count, e);
      throw e;
    }
  }

  /** The client has left, and what was staged for it is dropped. */
  public void clientLeft() {
    bitmapStaged = false;
    device.clientLeft();
  }

  /** The device has been reset. */
  public void reset() throws RefusalException {
    device.reset();
    forgetStaged();
  }

  private void refresh(RegionLayout register) throws RefusalException {
    RefusableAction action =
        switch (register) {
          case DEVICE_STATE ->
              () -> {
                faults.refuse(FaultKind.STATE_READ_EINVAL, device.state(), Long.MAX_VALUE);
                registers.putInt(RegionLayout.DEVICE_STATE.offset(), device.state().wire());
              };
          case PRECOPY_ONLY -> () -> put(register, pending().precopyOnly());
          case COMPATIBLE -> () -> put(register, pending().compatible());
          case POSTCOPY_ONLY -> () -> put(register, pending().postcopyOnly());
          case DATA_OFFSET ->
              () -> {
                if (!stagesOnSize()) {
                  stage();
                }
              };
          case DATA_SIZE ->
              () -> {
                if (stagesOnSize()) {
                  stage();
                }
              };
          case COPIED -> this::reportDirty;
          case THRESHOLD_SIZE, START_ADDRESS, TOTAL -> () -> {};
        };
    action.perform();
  }

  private PendingBytes pending() {
    bitmapStaged = false;
    return device.pending(get(RegionLayout.THRESHOLD_SIZE));
  }

  private void commit(RegionLayout register) throws RefusalException {
    if (register == RegionLayout.DATA_SIZE) {
      long offset = get(RegionLayout.DATA_OFFSET);
      long size = get(RegionLayout.DATA_SIZE);
      boolean inside =
          offset >= RegionLayout.END
              && offset <= memory.size()
              && size >= 0
              && size <= memory.size() - offset;
      if (!inside) {
        throw new RefusalException(
            Errno.EINVAL,
            String.format(
                "data of %d bytes at offset %d is not inside the region (%d to %d)",
                size, offset, RegionLayout.END, memory.size()));
      }
      device.load(memory.slice((int) offset, (int) size));
    }
    bitmapStaged = false;
  }

  private void stage() throws RefusalException {
    DeviceState state = device.state();
    if (bitmapStaged) {
      bitmapStaged = false;
      if (stagesOnSize()) {
        put(RegionLayout.DATA_OFFSET, memory.dataOffset());
      }
      return;
    }
    if (state == DeviceState.RESUME) {
      return;
    }
    int size = device.stage(get(RegionLayout.THRESHOLD_SIZE), area());
    put(RegionLayout.DATA_OFFSET, memory.dataOffset());
    put(RegionLayout.DATA_SIZE, size);
    Optional<Fault> badOffset = faults.fire(FaultKind.BAD_OFFSET, state);
    if (badOffset.isPresent()) {
      boolean beyond = badOffset.get().word().equals("beyond");
      put(RegionLayout.DATA_OFFSET, beyond ? memory.size() : RegionLayout.DATA_OFFSET.offset());
    }
    if (faults.fire(FaultKind.OVERSIZE_DATA, state).isPresent()) {
      put(RegionLayout.DATA_SIZE, memory.areaSize() + 1L);
    }
  }

  private void reportDirty() throws RefusalException {
    DeviceState state = device.state();
    long total = get(RegionLayout.TOTAL);
    ByteBuffer area = area();
    int covered = device.reportDirty(get(RegionLayout.START_ADDRESS), total, area);
    int bytes = (covered + Byte.SIZE - 1) / Byte.SIZE;
    bitmapStaged = covered > 0;
    put(RegionLayout.COPIED, covered);
    if (faults.fire(FaultKind.COPIED_BEYOND_TOTAL, state).isPresent()) {
      bitmapStaged = true;
      put(RegionLayout.COPIED, total + 1);
    }
    if (bitmapStaged) {
      put(RegionLayout.DATA_OFFSET, placeBeforeTheSizeIsRead());
      put(RegionLayout.DATA_SIZE, bytes);
      Optional<Fault> badBitmap = faults.fire(FaultKind.BAD_BITMAP, state);
      if (badBitmap.isPresent() && badBitmap.get().word().equals("bits")) {
        area.put(bytes - 1, (byte) 0xFF);
      } else if (badBitmap.isPresent()) {
        put(RegionLayout.DATA_OFFSET, memory.size() - bytes + 1L);
      }
    }
  }

  private ByteBuffer area() {
    return memory.slice(memory.dataOffset(), memory.areaSize());
  }

  private void forgetStaged() {
    bitmapStaged = false;
    put(RegionLayout.DATA_OFFSET, placeBeforeTheSizeIsRead());
    put(RegionLayout.DATA_SIZE, 0);
  }

  private boolean stagesOnSize() {
    return faults.fire(FaultKind.STAGE_ON_SIZE, device.state()).isPresent();
  }

  private long placeBeforeTheSizeIsRead() {
    return stagesOnSize() ? 0 : memory.dataOffset();
  }

  private void requireHalf(int count) throws RefusalException {
    if (count == Long.BYTES) {
      faults.refuse(FaultKind.HALVES_ONLY, device.state(), Long.MAX_VALUE);
    }
  }

  private long get(RegionLayout register) {
    return registers.getLong(register.offset());
  }

  private void put(RegionLayout register, long value) {
    registers.putLong(register.offset(), value);
  }

  private void requireInside(long offset, int count) throws RefusalException {
    if (offset < 0 || count < 1 || offset > memory.size() - (long) count) {
      throw new RefusalException(
          Errno.EINVAL, "the access is outside the region of " + memory.size() + " bytes");
    }
  }

  private void requireResume(String what) throws RefusalException {
    DeviceState state = device.state();
    if (state != DeviceState.RESUME) {
      throw new RefusalException(Errno.EINVAL, what + " is the client's only in RESUME");
    }
  }

  private static RegionLayout register(long offset, int count) throws RefusalException {
    RegionLayout register = RegionLayout.at(offset);
    if (!register.takes(offset, count)) {
      throw new RefusalException(
          Errno.EINVAL, register + " is accessed as a whole, or a 64-bit one in halves");
    }
    return register;
  }

  private void logRejection(String access, long offset, int count, RefusalException refusal) {
    log.event(
        "rejected",
        line -> {
          line.writeStringField("access", access);
          line.writeNumberField("offset", offset);
          line.writeNumberField("count", count);
          line.writeStringField("state", device.state().name());
          line.writeNumberField("errno", refusal.errno());
          line.writeStringField("reason", refusal.getMessage());
        });
  }
}
