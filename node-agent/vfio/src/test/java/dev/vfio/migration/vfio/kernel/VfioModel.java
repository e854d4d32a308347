package dev.vfio.migration.vfio.kernel;

import com.sun.jna.Pointer;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.InterceptedCalls;
import dev.vfio.migration.vfio.linux.TestFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A model of the kernel's VFIO and iommufd, written from {@code linux/vfio.h} and {@code
 * linux/iommufd.h} with the numbers as they stand there, not with the client's. It keeps the rules
 * of order: no device before a container with an IOMMU, no question before BIND. Its device is a
 * file in memory.
 */
public final class VfioModel implements InterceptedCalls.Model {
  static final String DEVICE = "model-of-a-device";
  public static final int REGION_INDEX = 9;
  private static final int CONFIG_INDEX = 7;
  static final long REGION_PLACE = 1L << 20;
  public static final long REGION_SIZE = 1L << 20;
  private static final int ADDRESS_SPACE = 42;

  private final Path directory;
  private final String id;

  /** Every intercepted call that was not broken off by a signal, in order. */
  public final List<String> calls = new ArrayList<>();

  /** Errno by the name of a call: it is refused. */
  public final Map<String, Errno> refusals = new HashMap<>();

  /** The call of that place in the order is refused with EIO. */
  public int refusedAt = -1;

  /** Each call is broken off by a signal once before it is made. */
  boolean interrupting;

  private int group = 7;
  int groupFlags = 1;
  int version;
  int type1 = 1;
  int deviceFlags = 3;
  int regionInfoNeeds = 32;
  long regionSize = REGION_SIZE;

  /** Whether it has a configuration space, of its registers. */
  private boolean configured;

  /** A file that is the device, too: whoever has it open opened the device. */
  private Path alsoTheDevice;

  /** How the driver describes the region, in full; null for a plain one. */
  private ByteBuffer description;

  /** The same of a region behind it; null for none. */
  private ByteBuffer another;

  /** What 32-bit registers of the region hold, by their offset. */
  private final Map<Long, Integer> registers = new HashMap<>();

  /** Eight bytes of each feature that the device has; null where it has all and adds 1 to each. */
  private Map<Integer, Long> features;

  /** Errno by feature: that feature is there and refuses. */
  public final Map<Integer, Errno> featureRefusals = new HashMap<>();

  /** The most that one pread or pwrite moves. */
  long mostAtOnce = Long.MAX_VALUE;

  /** Place in the region from which on nothing is moved any more, and the errno of trying. */
  long brokenFrom = Long.MAX_VALUE;

  long brokenAnswer;

  private final Set<String> interrupted = new HashSet<>();
  private boolean container;
  private boolean iommu;
  private boolean usable;
  byte[] lastFeature = {};

  public VfioModel(Path directory, String id) {
    this.directory = directory;
    this.id = id;
  }

  /** The device's group has that number, and not 7. */
  public void group(int number) {
    group = number;
  }

  /** Stands also behind that file, which somebody opened as a device that is in use. */
  public void isAlso(Path file) {
    alsoTheDevice = file;
    usable = true;
  }

  /**
   * Describes the region so.
   *
   * @param structure {@code vfio_region_info} with its capabilities
   */
  public void describes(ByteBuffer structure) {
    description = structure.putLong(24, REGION_PLACE);
  }

  /** It has one region more, of which nothing but the description can be read. */
  public void describesAnother(ByteBuffer structure) {
    another = structure;
  }

  /**
   * Its configuration space has these ids.
   *
   * @param identity the device's in the upper, the vendor's in the lower half
   */
  public void configures(int identity, int subsystem) {
    configured = true;
    register(0x00, identity);
    register(0x2c, subsystem);
  }

  /** A register that can be read and written, of 32 bits. */
  public void register(long offset, int value) {
    registers.put(offset, value);
  }

  /** The device has these features and no others. */
  public void features(Map<Integer, Long> values) {
    features = values;
  }

  private static String nameOf(int fd) {
    try {
      return Files.readSymbolicLink(Path.of("/proc/self/fd", Integer.toString(fd))).toString();
    } catch (IOException closed) {
      throw new UncheckedIOException(closed);
    }
  }

  private boolean isDevice(int fd) {
    String name = nameOf(fd);
    return name.startsWith("/memfd:" + DEVICE)
        || name.startsWith(directory + "/devices/")
        || (alsoTheDevice != null && name.equals(alsoTheDevice.toString()));
  }

  /** 0 where the call goes on. */
  private long obstacle(String call) {
    if (interrupting && interrupted.add(call + "#" + calls.size())) {
      return -Errno.EINTR.number();
    }
    calls.add(call);
    if (calls.size() - 1 == refusedAt) {
      return -Errno.EIO.number();
    }
    Errno refusal = refusals.get(call);
    return refusal == null ? 0 : -refusal.number();
  }

  @Override
  public long open(String path) {
    if (!Path.of(path).startsWith(directory.getParent())) {
      return InterceptedCalls.REAL;
    }
    long obstacle = obstacle("open " + directory.getParent().relativize(Path.of(path)));
    return obstacle == 0 ? InterceptedCalls.REAL : obstacle;
  }

  @Override
  public long ioctl(int fd, int request, Pointer argument) {
    String call = "ioctl " + Integer.toHexString(request);
    long obstacle = obstacle(call);
    return obstacle == 0 ? answer(fd, request, argument) : obstacle;
  }

  private long answer(int fd, int request, Pointer argument) {
    return switch (request) {
      case 0x3b64 -> version;
      case 0x3b65 -> Pointer.nativeValue(argument) == 3 ? type1 : 0;
      case 0x3b66 -> setIommu(argument);
      case 0x3b67 -> groupStatus(fd, argument);
      case 0x3b68 -> setContainer(fd, argument);
      case 0x3b6a -> deviceOf(argument);
      case 0x3b6b -> usable && isDevice(fd) ? deviceInfo(argument) : -Errno.EINVAL.number();
      case 0x3b6c -> isDevice(fd) ? regionInfo(argument) : -Errno.EINVAL.number();
      case 0x3b6f -> 0;
      case 0x3b75 -> feature(argument);
      case 0x3b76 -> bind(argument);
      case 0x3b77 ->
          argument.getInt(0) >= 12 && argument.getInt(8) == ADDRESS_SPACE
              ? attached()
              : -Errno.ENOENT.number();
      case 0x3b81 -> allocate(fd, argument);
      default -> -Errno.ENOTTY.number();
    };
  }

  private long setIommu(Pointer argument) {
    iommu = container && Pointer.nativeValue(argument) == 3;
    return iommu ? 0 : -Errno.EINVAL.number();
  }

  private long groupStatus(int fd, Pointer argument) {
    if (!nameOf(fd).equals(directory + "/" + group) || argument.getInt(0) < 8) {
      return -Errno.EINVAL.number();
    }
    argument.setInt(4, groupFlags);
    return 0;
  }

  private long setContainer(int fd, Pointer argument) {
    container =
        nameOf(fd).equals(directory + "/" + group)
            && nameOf(argument.getInt(0)).equals(directory + "/vfio");
    return container ? 0 : -Errno.EINVAL.number();
  }

  private long deviceOf(Pointer argument) {
    if (!iommu) {
      return -Errno.EINVAL.number();
    }
    if (!argument.getString(0, StandardCharsets.UTF_8.name()).equals(id)) {
      return -Errno.ENODEV.number();
    }
    usable = true;
    return TestFiles.number(memory());
  }

  /** Its owner is whoever gets the number. */
  static DriverFile memory() {
    return TestFiles.memory(DEVICE, REGION_PLACE + REGION_SIZE);
  }

  private long deviceInfo(Pointer argument) {
    if (argument.getInt(0) < 16) {
      return -Errno.EINVAL.number();
    }
    argument.setInt(4, deviceFlags);
    argument.setInt(8, REGION_INDEX + (another == null ? 1 : 2));
    return 0;
  }

  private long regionInfo(Pointer argument) {
    int room = argument.getInt(0);
    if (room >= 32 && argument.getInt(8) == CONFIG_INDEX && configured) {
      argument.setInt(0, 32);
      argument.setInt(4, 3);
      argument.setInt(12, 0);
      argument.setLong(16, 256);
      argument.setLong(24, REGION_PLACE);
      return 0;
    }
    if (room >= 32 && argument.getInt(8) == REGION_INDEX + 1 && another != null) {
      return described(another, argument, room);
    }
    if (room < 32 || argument.getInt(8) != REGION_INDEX) {
      return -Errno.EINVAL.number();
    }
    if (description != null) {
      return described(description, argument, room);
    }
    argument.setInt(0, regionInfoNeeds);
    argument.setInt(4, 0xf);
    argument.setInt(12, room < regionInfoNeeds || regionInfoNeeds == 32 ? 0 : 32);
    argument.setLong(16, regionSize);
    argument.setLong(24, REGION_PLACE);
    if (room >= regionInfoNeeds) {
      for (int i = 32; i < regionInfoNeeds; i++) {
        argument.setByte(i, (byte) i);
      }
    }
    return 0;
  }

  private static long described(ByteBuffer description, Pointer argument, int room) {
    if (room < description.limit()) {
      argument.setInt(0, description.limit());
      return 0;
    }
    for (int i = 0; i < description.limit(); i++) {
      argument.setByte(i, description.get(i));
    }
    return 0;
  }

  private long feature(Pointer argument) {
    lastFeature = argument.getByteArray(0, argument.getInt(0));
    if (features != null) {
      int flags = argument.getInt(4);
      Errno refusal = featureRefusals.get(flags & 0xffff);
      if (refusal != null && (flags & 1 << 18) == 0) {
        return -refusal.number();
      }
      Long value = features.get(flags & 0xffff);
      if (value == null) {
        return -Errno.ENOTTY.number();
      }
      if ((flags & 1 << 18) == 0) {
        argument.setLong(8, value);
      }
      return 0;
    }
    for (int i = 8; i < lastFeature.length; i++) {
      argument.setByte(i, (byte) (lastFeature[i] + 1));
    }
    return 0;
  }

  private long bind(Pointer argument) {
    if (argument.getInt(0) < 16
        || argument.getInt(4) != 0
        || !nameOf(argument.getInt(8)).equals(directory.resolveSibling("iommu").toString())) {
      return -Errno.EINVAL.number();
    }
    argument.setInt(12, 1);
    return 0;
  }

  private long attached() {
    usable = true;
    return 0;
  }

  private long allocate(int fd, Pointer argument) {
    if (!nameOf(fd).equals(directory.resolveSibling("iommu").toString())
        || argument.getInt(0) != 12
        || argument.getInt(4) != 0) {
      return -Errno.EINVAL.number();
    }
    argument.setInt(8, ADDRESS_SPACE);
    return 0;
  }

  /** What the device has at a place of its file. */
  static byte content(long place) {
    return (byte) (place * 7 + (place >> 8));
  }

  @Override
  public long read(int fd, Pointer into, long count, long offset) {
    if (!isDevice(fd)) {
      return InterceptedCalls.REAL;
    }
    long moved = moved("pread", count, offset);
    Integer register = registers.get(offset - REGION_PLACE);
    if (moved == Integer.BYTES && register != null) {
      into.setInt(0, register);
      return moved;
    }
    for (int i = 0; i < moved; i++) {
      into.setByte(i, content(offset + i));
    }
    return moved;
  }

  @Override
  public long write(int fd, Pointer from, long count, long offset) {
    if (!isDevice(fd)) {
      return InterceptedCalls.REAL;
    }
    long moved = moved("pwrite", count, offset);
    for (int i = 0; i < moved; i++) {
      if (from.getByte(i) != content(offset + i)) {
        return -Errno.EIO.number();
      }
    }
    return moved;
  }

  private long moved(String call, long count, long offset) {
    long obstacle = obstacle(call + " " + count + " at " + (offset - REGION_PLACE));
    if (obstacle != 0) {
      return obstacle;
    }
    return offset - REGION_PLACE >= brokenFrom ? brokenAnswer : Math.min(count, mostAtOnce);
  }
}
