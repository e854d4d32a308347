package dev.vfio.migration.vfio.user;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.NativeMemory;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.SharedFile;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A device behind a vfio-user socket. Accesses of at most 8 bytes are one message each; larger ones
 * are split at what the server takes in one message.
 *
 * <p>Used by one thread at a time, except {@link #close()}.
 */
public final class VfioUserAccess implements DeviceAccess {
  /** Where a region's description starts; it grows to what the server asks for, up to the most. */
  private static final int FIRST_INFO_BYTES = 256;

  private static final int MAX_INFO_BYTES = 64 << 10;

  private final Channel channel;
  private final ServerTimeouts timeouts;
  private final Runnable afterClose;
  private final List<SharedFile> passedFiles = new ArrayList<>();
  private ServerLimits limits;
  private DeviceInfo deviceInfo;
  private boolean closed;

  private VfioUserAccess(Channel channel, ServerTimeouts timeouts, Runnable afterClose) {
    this.channel = channel;
    this.timeouts = timeouts;
    this.afterClose = afterClose;
  }

  /**
   * Agrees on the version. Everything until {@link #opened()} together has to be done by one
   * moment.
   *
   * @param socket of the server, for messages
   * @param stream connected to it; closed where this fails
   * @param openBy the moment, as {@link System#nanoTime()} counts: {@link
   *     ServerTimeouts#toConnect()} from before the stream was connected
   * @param afterClose runs once, when the access is closed; not where this fails
   * @throws AccessException REFUSED with EBUSY where the device has a client already
   */
  static VfioUserAccess over(
      UnixStream stream, Path socket, ServerTimeouts timeouts, long openBy, Runnable afterClose)
      throws AccessException {
    Channel channel = new Channel(socket, stream, timeouts.toConnect(), openBy);
    VfioUserAccess access = new VfioUserAccess(channel, timeouts, afterClose);
    try {
      access.limits = access.negotiate();
      access.deviceInfo = access.askDeviceInfo();
      return access;
    } catch (AccessException | RuntimeException failure) {
      channel.close();
      throw failure;
    }
  }

  private ServerLimits negotiate() throws AccessException {
    ByteBuffer request = channel.prepare(MessageLayout.VERSION_DATA);
    request.putShort(MessageLayout.VERSION_MAJOR, (short) ServerLimits.MAJOR);
    request.putShort(MessageLayout.VERSION_MINOR, (short) ServerLimits.MINOR);
    ByteBuffer data = ByteBuffer.allocateDirect(ServerLimits.MAX_BYTES);
    channel.exchange(
        VfioUserCommand.VERSION, ServerLimits.offer(), MessageLayout.VERSION_DATA, data, null);
    ByteBuffer reply = channel.fixed();
    int major = Short.toUnsignedInt(reply.getShort(MessageLayout.VERSION_MAJOR));
    int minor = Short.toUnsignedInt(reply.getShort(MessageLayout.VERSION_MINOR));
    if (major != ServerLimits.MAJOR || minor > ServerLimits.MINOR) {
      throw channel.violation(
          VfioUserCommand.VERSION,
          String.format(
              "it answered version %s.%s to the offer of %s.%s",
              major, minor, ServerLimits.MAJOR, ServerLimits.MINOR));
    }
    try {
      return ServerLimits.parse(data.flip());
    } catch (ServerLimits.MalformedException malformed) {
      throw channel.violation(VfioUserCommand.VERSION, malformed.getMessage());
    }
  }

  private DeviceInfo askDeviceInfo() throws AccessException {
    channel
        .prepare(MessageLayout.INFO_BYTES)
        .putInt(MessageLayout.INFO_ARGSZ, MessageLayout.INFO_BYTES);
    channel.exchange(
        VfioUserCommand.DEVICE_GET_INFO,
        Channel.nothing(),
        MessageLayout.INFO_BYTES,
        Channel.nothing(),
        null);
    ByteBuffer reply = channel.fixed();
    int flags = reply.getInt(MessageLayout.INFO_FLAGS);
    return new DeviceInfo(
        (flags & MessageLayout.INFO_FLAG_RESET) != 0,
        (flags & MessageLayout.INFO_FLAG_PCI) != 0,
        Integer.toUnsignedLong(reply.getInt(MessageLayout.INFO_NUM_REGIONS)));
  }

  /**
   * The device is open: every access has the whole of {@link ServerTimeouts#toAnswer()} from now
   * on.
   */
  void opened() throws AccessException {
    channel.opened();
  }

  @Override
  public DeviceInfo deviceInfo() {
    return deviceInfo;
  }

  @Override
  public RegionInfo regionInfo(int index) throws AccessException {
    return askRegionInfo(index, null);
  }

  /**
   * @param descriptors takes the region's descriptors; null where none are wanted
   */
  private RegionInfo askRegionInfo(int index, List<Descriptor> descriptors) throws AccessException {
    channel.timeout(timeouts.toConnect());
    int room = FIRST_INFO_BYTES;
    while (true) {
      ByteBuffer request = channel.prepare(RegionInfoLayout.SIZE);
      request.putInt(RegionInfoLayout.ARGSZ, room);
      request.putInt(RegionInfoLayout.INDEX, index);
      ByteBuffer structure = NativeMemory.allocate(room);
      channel.exchange(
          VfioUserCommand.DEVICE_GET_REGION_INFO, Channel.nothing(), 0, structure, descriptors);
      structure.flip();
      if (structure.limit() < RegionInfoLayout.SIZE) {
        throw channel.violation(
            VfioUserCommand.DEVICE_GET_REGION_INFO,
            "its description of region " + index + " has only " + structure.limit() + " bytes");
      }
      long needed = Integer.toUnsignedLong(structure.getInt(RegionInfoLayout.ARGSZ));
      if (needed <= room) {
        return RegionInfoLayout.parse(structure);
      }
      if (needed > MAX_INFO_BYTES) {
        throw channel.violation(
            VfioUserCommand.DEVICE_GET_REGION_INFO,
            String.format(
                "its description of region %s needs %s bytes; at most %s are taken",
                index, needed, MAX_INFO_BYTES));
      }
      closeAll(descriptors);
      room = (int) needed;
    }
  }

  private static void closeAll(List<Descriptor> descriptors) {
    if (descriptors != null) {
      descriptors.forEach(Descriptor::close);
      descriptors.clear();
    }
  }

  @Override
  public int readRegion(int index, long offset, ByteBuffer into) throws AccessException {
    return transfer(VfioUserCommand.REGION_READ, index, offset, into, timeouts.toAnswer());
  }

  @Override
  public int askRegion(int index, long offset, ByteBuffer into) throws AccessException {
    return transfer(VfioUserCommand.REGION_READ, index, offset, into, timeouts.toConnect());
  }

  @Override
  public int writeRegion(int index, long offset, ByteBuffer from) throws AccessException {
    return transfer(VfioUserCommand.REGION_WRITE, index, offset, from, timeouts.toAnswer());
  }

  private int transfer(
      VfioUserCommand command, int index, long offset, ByteBuffer data, Duration timeout)
      throws AccessException {
    channel.timeout(timeout);
    boolean reading = command == VfioUserCommand.REGION_READ;
    int start = data.position();
    int end = data.limit();
    int done = 0;
    try {
      while (start + done < end) {
        int count = Math.min(end - start - done, limits.maxTransferBytes());
        data.limit(start + done + count).position(start + done);
        ByteBuffer request = channel.prepare(MessageLayout.TRANSFER_BYTES);
        request.putLong(MessageLayout.TRANSFER_OFFSET, offset + done);
        request.putInt(MessageLayout.TRANSFER_REGION, index);
        request.putInt(MessageLayout.TRANSFER_COUNT, count);
        channel.exchange(
            command,
            reading ? Channel.nothing() : data,
            MessageLayout.TRANSFER_BYTES,
            reading ? data : Channel.nothing(),
            null);
        int moved = movedBytes(command, index, offset + done, count);
        if (reading && data.position() != start + done + moved) {
          throw channel.violation(
              command, "its reply counts " + moved + " bytes and carries another number");
        }
        done += moved;
        if (moved < count) {
          break;
        }
      }
      return done;
    } finally {
      data.limit(end).position(start + done);
    }
  }

  private int movedBytes(VfioUserCommand command, int index, long offset, int count)
      throws AccessException {
    ByteBuffer reply = channel.fixed();
    long moved = Integer.toUnsignedLong(reply.getInt(MessageLayout.TRANSFER_COUNT));
    if (reply.getLong(MessageLayout.TRANSFER_OFFSET) != offset
        || reply.getInt(MessageLayout.TRANSFER_REGION) != index
        || moved > count) {
      throw channel.violation(
          command,
          String.format(
              "its reply is about %s bytes at %s of region %s, the request was about %s bytes at %s"
                  + " of region %s",
              moved,
              Long.toUnsignedString(reply.getLong(MessageLayout.TRANSFER_OFFSET)),
              Integer.toUnsignedString(reply.getInt(MessageLayout.TRANSFER_REGION)),
              count,
              offset,
              index));
    }
    return (int) moved;
  }

  /**
   * {@inheritDoc}
   *
   * <p>An unusable offer is no failure, because messages reach the whole region. Unusable are: no
   * descriptor; one of something else than memory (a file of tmpfs, which a memfd is too); one that
   * cannot be written (hugetlbfs takes writes through mappings only); a file that is too short.
   */
  @Override
  public List<DirectArea> directAreas(RegionInfo info, List<RegionPart> parts)
      throws AccessException {
    if (parts.isEmpty()) {
      return List.of();
    }
    List<Descriptor> descriptors = new ArrayList<>();
    try {
      askRegionInfo(info.index(), descriptors);
      if (descriptors.isEmpty()) {
        return List.of();
      }
      // One file carries the whole region; more descriptors would have no meaning.
      return areasIn(descriptors.remove(0), info.offset(), parts);
    } finally {
      closeAll(descriptors);
    }
  }

  private List<DirectArea> areasIn(Descriptor passed, long base, List<RegionPart> parts)
      throws AccessException {
    SharedFile file = null;
    try {
      // Other files that a server may pass can block for ever, whatever the deadline.
      if (OpenFile.isMemory(passed)) {
        OpenFile.requireReadableAndWritable(passed);
        file = SharedFile.of(passed);
      }
    } catch (IOException unusable) {
      return List.of();
    } finally {
      if (file == null) {
        passed.close();
      }
    }
    if (file == null) {
      return List.of();
    }
    keep(file);
    List<DirectArea> areas = new ArrayList<>();
    for (RegionPart part : parts) {
      if (PassedFileArea.fits(part, base, file.size())) {
        areas.add(new PassedFileArea(part, base, file));
      }
    }
    return areas;
  }

  private synchronized void keep(SharedFile file) throws AccessException {
    if (closed) {
      file.close();
      throw new AccessException(Reason.UNREACHABLE, 0, "the access was closed meanwhile");
    }
    passedFiles.add(file);
  }

  @Override
  public void reset() throws AccessException {
    if (!deviceInfo.resettable()) {
      throw new AccessException(
          Reason.REFUSED, Errno.EOPNOTSUPP.number(), "the device says that it has no reset");
    }
    channel.timeout(timeouts.toAnswer());
    channel.prepare(0);
    channel.exchange(VfioUserCommand.DEVICE_RESET, Channel.nothing(), 0, Channel.nothing(), null);
  }

  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      channel.close();
      passedFiles.forEach(SharedFile::close);
    }
    afterClose.run();
  }
}
