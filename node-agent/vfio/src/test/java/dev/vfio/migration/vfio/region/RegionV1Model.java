package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.access.RegionPart;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A driver that offers the v1 migration region, written from the text in {@code linux/vfio.h} and
 * knowing nothing of the client. It is strict: registers at their widths only, data only where and
 * when it staged some, and every access out of the order of the text is an error.
 *
 * <p>Its device's state is a string of bytes, handed out in chunks.
 */
final class RegionV1Model implements DeviceAccess {
  static final int REGION = 10;
  static final int EIO = 5;
  static final int EINVAL = 22;

  private static final int RUNNING = 1;
  private static final int SAVING = 2;
  private static final int RESUMING = 4;
  private static final int ERROR = 6;

  private final int regionSize;
  private final int dataOffset;
  private final ByteBuffer area;
  private final List<String> log = new ArrayList<>();
  private final List<DirectArea> direct = new ArrayList<>();
  private final ByteArrayOutputStream taken = new ByteArrayOutputStream();
  private final List<Integer> takenSizes = new ArrayList<>();
  private int register = RUNNING;
  private byte[] content = {};
  private int handedOut;
  private int staged = -1;
  private int chunkSize = 16;
  private int readableSize;
  private String failing = "";
  private int failingLeaves = -1;
  private Runnable failingEffect = () -> {};
  private int settling;
  private int registerBefore;
  private int readsBefore;
  private String ignored = "";
  private boolean unreported;
  private boolean asDrawn;
  private int wholeBytes;
  private boolean looksWhenStopped;
  private Long announcedSize;
  private Long announcedOffset;
  private Long resumeOffset;
  private boolean lost;
  private int resets;
  private boolean keepsStateAtReset;
  private boolean closed;

  RegionV1Model(int regionSize, int dataOffset) {
    this.regionSize = regionSize;
    this.readableSize = regionSize;
    this.dataOffset = dataOffset;
    this.area = ByteBuffer.allocate(regionSize).order(ByteOrder.nativeOrder());
  }

  // ------------------------------------------------------------------ the test's side

  RegionV1Model in(int deviceState) {
    register = deviceState;
    return this;
  }

  int register() {
    return register;
  }

  RegionV1Model holding(byte[] bytes) {
    content = bytes.clone();
    return this;
  }

  byte[] content() {
    return content.clone();
  }

  /** Sizes of the chunks that were written to it. */
  List<Integer> takenSizes() {
    return takenSizes;
  }

  /** Accesses since the last call, such as {@code "read 8/8"}. */
  List<String> accesses() {
    List<String> seen = List.copyOf(log);
    log.clear();
    return seen;
  }

  /**
   * Fails that access, such as {@code "write 0/4=2"} for the state 010, and leaves the register so.
   *
   * @param leaves -1 for as it was
   */
  RegionV1Model failing(String access, int leaves) {
    failing = access;
    failingLeaves = leaves;
    return this;
  }

  /** As {@link #failing(String, int)}, and does that beside it. */
  RegionV1Model failing(String access, int leaves, Runnable effect) {
    failingEffect = effect;
    return failing(access, leaves);
  }

  /** A change is over only when the state was read so often; before it reads as it was. */
  RegionV1Model settling(int reads) {
    settling = reads;
    return this;
  }

  /** It answers that write of the state as done, and stays where it is: {@code "write 0/4=2"}. */
  RegionV1Model ignoring(String access) {
    ignored = access;
    return this;
  }

  /** Its state cannot be read, with EINVAL, before one was written. */
  RegionV1Model reportingNoStateAtRest() {
    unreported = true;
    return this;
  }

  /**
   * It knows only the changes that the text draws: from 100 to 001, and no further one from 100.
   */
  RegionV1Model asDrawn() {
    asDrawn = true;
    return this;
  }

  /**
   * A state is whole with so many bytes, and its driver looks at that at the change from 100 to
   * 001, or at every change from 100. What is not whole it refuses, and is in 110 then.
   */
  RegionV1Model wholeWith(int bytes, boolean lookedAtWhenStopped) {
    wholeBytes = bytes;
    looksWhenStopped = lookedAtWhenStopped;
    return this;
  }

  RegionV1Model announcing(Long offset, Long size) {
    announcedOffset = offset;
    announcedSize = size;
    return this;
  }

  /** Where it wants incoming data. */
  RegionV1Model wantingDataAt(Long offset) {
    resumeOffset = offset;
    return this;
  }

  /** The region is shorter than it was said to be: nothing behind that can be reached. */
  RegionV1Model shrunkTo(int size) {
    readableSize = size;
    return this;
  }

  RegionV1Model lost() {
    lost = true;
    return this;
  }

  /** The data part, reached without a trap. */
  RegionV1Model mapped(long offset, int size) {
    direct.add(new RecordedArea(area, log, "mapped", offset, size));
    return this;
  }

  /** Its driver answers a reset as done and does nothing. */
  RegionV1Model keepingStateAtReset() {
    keepsStateAtReset = true;
    return this;
  }

  int resets() {
    return resets;
  }

  boolean closed() {
    return closed;
  }

  // ------------------------------------------------------------------ the kernel's side

  @Override
  public DeviceInfo deviceInfo() throws AccessException {
    requireReachable();
    return new DeviceInfo(true, false, REGION + 1);
  }

  @Override
  public RegionInfo regionInfo(int index) throws AccessException {
    requireReachable();
    return index == REGION
        ? RegionInfoBytes.plain(index, regionSize).type(3, 1).parse()
        : RegionInfoBytes.plain(index, 64).type(1, 2).parse();
  }

  @Override
  public List<DirectArea> directAreas(RegionInfo info, List<RegionPart> parts) {
    return direct;
  }

  @Override
  public int readRegion(int index, long offset, ByteBuffer into) throws AccessException {
    requireReachable();
    int width = into.remaining();
    String access = "read " + offset + "/" + width;
    begin(access);
    if (offset >= 32) {
      return readData((int) offset, into);
    }
    if (offset == 0 && width == 4 && unreported) {
      throw refused(EINVAL);
    } else if (offset == 0 && width == 4) {
      into.order(ByteOrder.nativeOrder()).putInt(readsBefore-- > 0 ? registerBefore : register);
    } else if (offset == 8 && width == 8) {
      into.order(ByteOrder.nativeOrder()).putLong(pendingBytes());
    } else if (offset == 16 && width == 8) {
      into.order(ByteOrder.nativeOrder()).putLong(dataOffset());
    } else if (offset == 24 && width == 8) {
      into.order(ByteOrder.nativeOrder()).putLong(dataSize());
    } else {
      throw refused(EINVAL);
    }
    return width;
  }

  private int readData(int offset, ByteBuffer into) {
    int readable = Math.max(0, Math.min(into.remaining(), readableSize - offset));
    into.put(area.slice(offset, readable));
    return readable;
  }

  @Override
  public int writeRegion(int index, long offset, ByteBuffer from) throws AccessException {
    requireReachable();
    int width = from.remaining();
    if (offset >= 32) {
      begin("write " + offset + "/" + width);
      int writable = Math.max(0, Math.min(width, readableSize - (int) offset));
      area.put((int) offset, from, from.position(), writable);
      from.position(from.position() + writable);
      return writable;
    }
    if (offset == 0 && width == 4) {
      int value = from.order(ByteOrder.nativeOrder()).getInt();
      begin("write 0/4=" + (value & 7));
      if (!ignored.equals("write 0/4=" + (value & 7))) {
        changeTo(value);
        unreported = false;
      }
    } else if (offset == 24 && width == 8) {
      long value = from.order(ByteOrder.nativeOrder()).getLong();
      begin("write 24/8");
      consume(value);
    } else {
      begin("write " + offset + "/" + width);
      throw refused(EINVAL);
    }
    return width;
  }

  private void begin(String access) throws AccessException {
    log.add(access);
    if (access.equals(failing)) {
      if (failingLeaves >= 0) {
        register = failingLeaves;
      }
      failingEffect.run();
      throw refused(EIO);
    }
  }

  private void requireReachable() throws AccessException {
    if (lost) {
      throw new AccessException(Reason.UNREACHABLE, 19, "scripted");
    }
  }

  private static AccessException refused(int errno) {
    return new AccessException(Reason.REFUSED, errno, "scripted");
  }

  private int bits() {
    return register & 7;
  }

  private boolean saving() {
    return (bits() & SAVING) != 0 && bits() != ERROR;
  }

  /** 101, 110 and 111 are not for the user; what leads where the text leaves to the driver. */
  private void changeTo(int value) throws AccessException {
    int wanted = value & 7;
    if (bits() == ERROR || ((wanted & RESUMING) != 0 && wanted != RESUMING)) {
      throw refused(EINVAL);
    }
    if (asDrawn && bits() == RESUMING && wanted != RUNNING) {
      throw refused(EINVAL);
    }
    boolean looks = wanted == RUNNING || (looksWhenStopped && wanted == 0);
    if (bits() == RESUMING && looks && taken.size() < wholeBytes) {
      register = ERROR;
      throw refused(EIO);
    }
    if (bits() == RESUMING && wanted != RESUMING) {
      content = taken.toByteArray();
    }
    if (wanted == RESUMING) {
      taken.reset();
    }
    boolean goesOn = saving() && (wanted & SAVING) != 0;
    registerBefore = register;
    readsBefore = settling;
    register = value;
    if (!goesOn) {
      handedOut = 0;
      staged = -1;
    }
  }

  private long pendingBytes() {
    if (!saving()) {
      return 0;
    }
    if (staged >= 0) {
      handedOut += staged;
      staged = -1;
    }
    return Math.max(0, there() - handedOut);
  }

  /** While it runs, the last chunk is not there yet. */
  private int there() {
    return (bits() & RUNNING) != 0 ? Math.max(0, content.length - chunkSize) : content.length;
  }

  private long dataOffset() throws AccessException {
    if (bits() == RESUMING) {
      return resumeOffset != null ? resumeOffset : dataOffset;
    }
    if (!saving()) {
      throw refused(EINVAL);
    }
    if (staged < 0) {
      staged = Math.min(chunkSize, there() - handedOut);
      if (staged <= 0) {
        throw refused(EINVAL);
      }
      area.put(dataOffset, Arrays.copyOfRange(content, handedOut, handedOut + staged));
    }
    return announcedOffset != null ? announcedOffset : dataOffset;
  }

  private long dataSize() throws AccessException {
    if (!saving() || staged < 0) {
      throw refused(EINVAL);
    }
    return announcedSize != null ? announcedSize : staged;
  }

  private void consume(long size) throws AccessException {
    if (bits() != RESUMING || size < 1 || size > regionSize - dataOffset) {
      throw refused(EINVAL);
    }
    byte[] chunk = new byte[(int) size];
    area.get(dataOffset, chunk);
    taken.writeBytes(chunk);
    takenSizes.add(chunk.length);
  }

  @Override
  public void reset() throws AccessException {
    requireReachable();
    begin("reset");
    resets++;
    if (keepsStateAtReset) {
      return;
    }
    register = (register & ~7) | RUNNING;
    content = new byte[0];
    handedOut = 0;
    staged = -1;
  }

  @Override
  public void close() {
    closed = true;
  }
}
