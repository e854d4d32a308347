package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.access.StateFile;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.Host;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A VFIO device of this machine's kernel. Accesses of at most 8 bytes are one {@code pread} or
 * {@code pwrite} each; larger ones go on after a short transfer, until they are done or the driver
 * moves nothing more.
 *
 * <p>Used by one thread at a time, except {@link #close()}. A call that waits inside the driver
 * cannot be ended from outside: {@link #close()} does not wait for it, and the device is closed
 * when that call returns.
 */
public final class KernelAccess implements FeatureAccess {
  /** Bytes that reach the device as exactly one access. */
  private static final int REGISTER_BYTES = Long.BYTES;

  /** Bytes offered for a region's description at first; more where the driver asks for more. */
  private static final int FIRST_INFO_BYTES = 256;

  private static final int MAX_INFO_BYTES = 64 << 10;

  private final OpenedDevice opened;
  private final DriverFile device;
  private final DeviceInfo deviceInfo;
  private final Map<Integer, RegionInfo> regions = new HashMap<>();

  /** Guarded by itself; guards {@link #closed}, too. */
  private final List<MappedArea> mapped = new ArrayList<>();

  private boolean closed;

  private KernelAccess(OpenedDevice opened, DeviceInfo deviceInfo) {
    this.opened = opened;
    this.device = opened.device();
    this.deviceInfo = deviceInfo;
  }

  /**
   * Opens a device that nobody holds.
   *
   * @param directory {@code /dev/vfio}; {@code iommu} is looked for beside it
   * @throws DeviceException BUSY where somebody holds it or its group; NOT_MIGRATABLE where no
   *     IOMMU stands before it; UNREACHABLE where it cannot be opened for any other reason
   */
  public static KernelAccess open(NodeDevice device, Path directory, NodeChoice choice)
      throws DeviceException {
    Opening opening = new Opening(device, directory);
    OpenedDevice opened =
        switch (opening.node(choice)) {
          case GROUP -> new GroupOpening(opening).open();
          case CHARACTER_DEVICE -> new CharacterDeviceOpening(opening).open();
        };
    return described(opened, failure -> opening.callFailed(failure, Opening.CLOSED_AGAIN));
  }

  /**
   * Takes over a descriptor that was duplicated from the process that holds the device; closed at
   * once where this fails.
   *
   * @param id as users name the device
   * @throws DeviceException UNREACHABLE where it is no VFIO device that is in use
   */
  public static KernelAccess adopt(String id, Descriptor device) throws DeviceException {
    return described(
        new OpenedDevice(new DriverFile(device), new LinkedHashMap<>()),
        failure ->
            new DeviceException(
                Kind.UNREACHABLE,
                failure.errno(),
                String.format(
                    "device %s cannot be taken over from the process that holds it: %s%s. Nothing"
                        + " was done to the device; its holder still has it.",
                    id,
                    failure.getMessage(),
                    failure.is(Errno.ENOTTY) || failure.is(Errno.EINVAL)
                        ? ": the descriptor is not that of a VFIO device that is in use"
                        : ""),
                failure));
  }

  /** Describes a failed question about a device that was just opened. */
  @FunctionalInterface
  private interface Words {
    DeviceException of(ErrnoException failure);
  }

  private static KernelAccess described(OpenedDevice opened, Words words) throws DeviceException {
    boolean described = false;
    try {
      ByteBuffer structure = NativeMemory.allocate(DeviceInfoLayout.SIZE);
      structure.putInt(DeviceInfoLayout.ARGSZ, DeviceInfoLayout.SIZE);
      VfioRequest request = VfioRequest.VFIO_DEVICE_GET_INFO;
      opened.device().ioctl(request.name(), request.code(), structure);
      KernelAccess access = new KernelAccess(opened, DeviceInfoLayout.parse(structure));
      described = true;
      return access;
    } catch (ErrnoException failure) {
      throw words.of(failure);
    } finally {
      if (!described) {
        opened.close();
      }
    }
  }

  /** The device's descriptor. This access keeps it. */
  public Descriptor descriptor() {
    return device.descriptor();
  }

  /**
   * The descriptors that must stay open beside the device's, and go with it to a workload. This
   * access keeps them. In this order: {@code group}, {@code container}; or {@code iommufd}; none
   * where the device was adopted.
   */
  public Map<String, Descriptor> companions() {
    Map<String, Descriptor> companions = new LinkedHashMap<>();
    opened.companions().forEach((name, file) -> companions.put(name, file.descriptor()));
    return Collections.unmodifiableMap(companions);
  }

  /** The id of the iommufd's address space that the device is attached to; empty without one. */
  public OptionalInt addressSpace() {
    return opened.addressSpace();
  }

  @Override
  public DeviceInfo deviceInfo() {
    return deviceInfo;
  }

  @Override
  public RegionInfo regionInfo(int index) throws AccessException {
    int room = FIRST_INFO_BYTES;
    while (true) {
      ByteBuffer structure = NativeMemory.allocate(room);
      structure.putInt(RegionInfoLayout.ARGSZ, room).putInt(RegionInfoLayout.INDEX, index);
      call(VfioRequest.VFIO_DEVICE_GET_REGION_INFO, structure);
      long needed = Integer.toUnsignedLong(structure.getInt(RegionInfoLayout.ARGSZ));
      if (needed <= room) {
        RegionInfo info = RegionInfoLayout.parse(structure);
        regions.put(index, info);
        return info;
      }
      if (needed > MAX_INFO_BYTES) {
        throw new AccessException(
            Reason.VIOLATION,
            0,
            String.format(
                "the driver's description of region %s needs %s bytes; at most %s are taken",
                index, needed, MAX_INFO_BYTES));
      }
      room = (int) needed;
    }
  }

  @Override
  public int readRegion(int index, long offset, ByteBuffer into) throws AccessException {
    return transfer(index, offset, into, device::readAt);
  }

  @Override
  public int writeRegion(int index, long offset, ByteBuffer from) throws AccessException {
    return transfer(index, offset, from, device::writeAt);
  }

  /** {@code pread} or {@code pwrite}. */
  @FunctionalInterface
  private interface Transfer {
    int move(long at, ByteBuffer data) throws ErrnoException;
  }

  private int transfer(int index, long offset, ByteBuffer data, Transfer transfer)
      throws AccessException {
    int start = data.position();
    boolean bulk = data.remaining() > REGISTER_BYTES;
    long at = placeOf(index, offset, data.remaining());
    try {
      int moved;
      do {
        moved = transfer.move(at + (data.position() - start), data);
      } while (bulk && moved > 0 && data.hasRemaining());
      return data.position() - start;
    } catch (ErrnoException failure) {
      throw KernelFailures.ofDevice(failure);
    }
  }

  /**
   * Where in the device's file a part of a region lies. A region that has changed is described
   * anew.
   */
  private long placeOf(int index, long offset, int length) throws AccessException {
    RegionInfo known = regions.get(index);
    if (known == null || !inside(known, offset, length)) {
      known = regionInfo(index);
      if (!inside(known, offset, length)) {
        throw new AccessException(
            Reason.REFUSED,
            Errno.EINVAL.number(),
            String.format(
                "%s bytes at %s are not inside region %s, which has %s bytes at present",
                length, offset, index, Long.toUnsignedString(known.size())));
      }
    }
    return known.offset() + offset;
  }

  private static boolean inside(RegionInfo region, long offset, int length) {
    return offset >= 0
        && Long.compareUnsigned(region.size(), length) >= 0
        && Long.compareUnsigned(offset, region.size() - length) <= 0
        && region.offset() >= 0
        && region.offset() <= Long.MAX_VALUE - offset - length;
  }

  /**
   * {@inheritDoc}
   *
   * <p>Whole pages only, of a region that can be read and written. A part that the driver does not
   * map after all is left out.
   */
  @Override
  public List<DirectArea> directAreas(RegionInfo info, List<RegionPart> parts)
      throws AccessException {
    List<DirectArea> areas = new ArrayList<>();
    if (info.mappable() && info.readable() && info.writable()) {
      for (RegionPart part : parts) {
        Optional<MappedArea> area = MappedArea.of(device, info, part, Host.pageSize());
        if (area.isPresent()) {
          keep(area.get());
          areas.add(area.get());
        }
      }
    }
    return areas;
  }

  private void keep(MappedArea area) throws AccessException {
    synchronized (mapped) {
      if (!closed) {
        mapped.add(area);
        return;
      }
    }
    area.mapping().close();
    throw new AccessException(Reason.UNREACHABLE, 0, "the access was closed meanwhile");
  }

  /**
   * {@inheritDoc}
   *
   * <p>The reset is asked for whatever {@link DeviceInfo#resettable()} is: the kernel's own sample
   * driver can be reset and does not say so.
   */
  @Override
  public void reset() throws AccessException {
    VfioRequest request = VfioRequest.VFIO_DEVICE_RESET;
    try {
      device.ioctl(request.name(), request.code(), 0);
    } catch (ErrnoException failure) {
      if (DeviceFailures.isUnknown(failure.errno()) && !deviceInfo.resettable()) {
        throw new AccessException(
            Reason.REFUSED,
            Errno.EOPNOTSUPP.number(),
            "the device has no reset: " + failure.getMessage(),
            failure);
      }
      throw KernelFailures.ofDevice(failure);
    }
  }

  @Override
  public boolean probe(int feature, int directions) throws AccessException {
    try {
      feature(feature, FeatureLayout.PROBE | directions, ByteBuffer.allocateDirect(0));
      return true;
    } catch (ErrnoException failure) {
      if (DeviceFailures.isUnknown(failure.errno())) {
        return false;
      }
      throw KernelFailures.ofDevice(failure);
    }
  }

  @Override
  public void get(int feature, ByteBuffer payload) throws AccessException {
    featureOrRefused(feature, GET, payload);
  }

  @Override
  public void set(int feature, ByteBuffer payload) throws AccessException {
    featureOrRefused(feature, SET, payload);
  }

  private void featureOrRefused(int feature, int direction, ByteBuffer payload)
      throws AccessException {
    try {
      feature(feature, direction, payload);
    } catch (ErrnoException failure) {
      throw KernelFailures.refused(failure);
    }
  }

  private void feature(int feature, int flags, ByteBuffer payload) throws ErrnoException {
    if ((feature & ~FeatureLayout.INDEX_MASK) != 0) {
      throw new IllegalArgumentException("there is no feature " + feature);
    }
    int bytes = payload.remaining();
    ByteBuffer structure = NativeMemory.allocate(FeatureLayout.DATA + bytes);
    structure.putInt(FeatureLayout.ARGSZ, FeatureLayout.DATA + bytes);
    structure.putInt(FeatureLayout.FLAGS, feature | flags);
    structure.put(FeatureLayout.DATA, payload, payload.position(), bytes);
    VfioRequest request = VfioRequest.VFIO_DEVICE_FEATURE;
    try {
      device.ioctl(request.name(), request.code(), structure);
    } finally {
      payload.put(payload.position(), structure, FeatureLayout.DATA, bytes);
    }
  }

  private void call(VfioRequest request, ByteBuffer structure) throws AccessException {
    try {
      device.ioctl(request.name(), request.code(), structure);
    } catch (ErrnoException failure) {
      throw KernelFailures.ofDevice(failure);
    }
  }

  /** Whether this access is not closed yet. For any thread. */
  public boolean isOpen() {
    synchronized (mapped) {
      return !closed;
    }
  }

  @Override
  public StateFile stateFile(int descriptor) {
    return new KernelStateFile(DriverFile.installed(descriptor));
  }

  @Override
  public long addressOf(ByteBuffer buffer) {
    return NativeMemory.addressOf(buffer);
  }

  @Override
  public void close() {
    synchronized (mapped) {
      closed = true;
      // The kernel keeps a device open for as long as it is mapped.
      mapped.forEach(area -> area.mapping().close());
      mapped.clear();
    }
    opened.close();
  }
}
