package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.access.RegionPart;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;

/**
 * A device's access that writes down every access with its offset and width, plays a region of
 * memory, and answers from a script where it has one.
 */
final class RecordingAccess implements DeviceAccess {
  static final int REGION = 9;

  private final ByteBuffer memory;
  private final List<String> log = new ArrayList<>();
  private final Map<Integer, Deque<Long>> answers = new HashMap<>();
  private final Map<String, AccessException> failures = new HashMap<>();
  private final Map<Integer, Runnable> effects = new HashMap<>();
  private final Map<String, Integer> busy = new HashMap<>();
  private final Map<Integer, RegionInfo> regions = new HashMap<>();
  private final List<DirectArea> areas = new ArrayList<>();
  private DeviceInfo info = new DeviceInfo(true, false, REGION + 1);
  private final Deque<Integer> statesAfterWrites = new ArrayDeque<>();
  private boolean closedToWrites;
  private IntUnaryOperator transferred = IntUnaryOperator.identity();
  private boolean closed;

  RecordingAccess(int regionSize) {
    memory = ByteBuffer.allocate(regionSize).order(ByteOrder.nativeOrder());
    regions.put(REGION, RegionInfoBytes.migration(REGION, regionSize).parse());
  }

  RecordingAccess info(DeviceInfo deviceInfo) {
    info = deviceInfo;
    return this;
  }

  RecordingAccess region(int index, RegionInfo region) {
    regions.put(index, region);
    return this;
  }

  /** What reads of a u64 field answer, one after the other; afterwards the memory answers. */
  RecordingAccess answer(int field, long... values) {
    for (long value : values) {
      answers.computeIfAbsent(field, unused -> new ArrayDeque<>()).add(value);
    }
    return this;
  }

  /** What the driver does whenever a u64 field is read. */
  RecordingAccess whenReading(int field, Runnable effect) {
    effects.put(field, effect);
    return this;
  }

  RecordingAccess state(int value) {
    memory.putInt(0, value);
    return this;
  }

  /** Writes of the state are taken and have no effect; afterwards reads answer these. */
  RecordingAccess takingNoState(int... states) {
    closedToWrites = true;
    for (int state : states) {
      statesAfterWrites.add(state);
    }
    return this;
  }

  /** Fails every access of that kind: {@code "read 0/4"}. */
  RecordingAccess fail(String access, Reason reason, int errno) {
    failures.put(access, new AccessException(reason, errno, "scripted"));
    return this;
  }

  /** Says EAGAIN to so many accesses of that kind. */
  RecordingAccess busy(String access, int times) {
    busy.put(access, times);
    return this;
  }

  RecordingAccess heal() {
    failures.clear();
    closedToWrites = false;
    return this;
  }

  /** How many bytes of each access really move. */
  RecordingAccess transferring(IntUnaryOperator rule) {
    transferred = rule;
    return this;
  }

  RecordingAccess direct(long offset, int size) {
    areas.add(new RecordedArea(memory, log, "direct", offset, size));
    return this;
  }

  ByteBuffer memory() {
    return memory;
  }

  boolean closed() {
    return closed;
  }

  /** What was accessed since the last call: {@code "read 36/8"}. */
  List<String> accesses() {
    List<String> seen = List.copyOf(log);
    log.clear();
    return seen;
  }

  @Override
  public DeviceInfo deviceInfo() {
    return info;
  }

  @Override
  public RegionInfo regionInfo(int index) throws AccessException {
    RegionInfo region = regions.get(index);
    if (region == null) {
      throw new AccessException(Reason.REFUSED, 22, "no region " + index);
    }
    return region;
  }

  @Override
  public int readRegion(int index, long offset, ByteBuffer into) throws AccessException {
    int width = record("read", offset, into);
    effects.getOrDefault((int) offset, () -> {}).run();
    Deque<Long> scripted = answers.get((int) offset);
    if (index == REGION && width == Long.BYTES && scripted != null && !scripted.isEmpty()) {
      memory.putLong((int) offset, scripted.remove());
    }
    if (index == REGION && offset == 0 && !statesAfterWrites.isEmpty()) {
      memory.putInt(0, statesAfterWrites.remove());
    }
    int moved = transferred.applyAsInt(width);
    into.put(memory.slice((int) offset, moved));
    return moved;
  }

  @Override
  public int writeRegion(int index, long offset, ByteBuffer from) throws AccessException {
    int width = record("write", offset, from);
    int moved = transferred.applyAsInt(width);
    if (offset == 0 && closedToWrites) {
      from.position(from.position() + moved);
      return moved;
    }
    memory.put((int) offset, from, from.position(), moved);
    from.position(from.position() + moved);
    return moved;
  }

  private int record(String what, long offset, ByteBuffer data) throws AccessException {
    if (!data.isDirect()) {
      throw new AssertionError("only direct buffers reach the device");
    }
    String access = what + " " + offset + "/" + data.remaining();
    log.add(access);
    if (failures.containsKey(access)) {
      throw failures.get(access);
    }
    if (busy.merge(access, -1, Integer::sum) >= 0) {
      throw new AccessException(Reason.REFUSED, 11, "scripted");
    }
    return data.remaining();
  }

  @Override
  public List<DirectArea> directAreas(RegionInfo region, List<RegionPart> parts) {
    return areas;
  }

  @Override
  public void reset() throws AccessException {
    log.add("reset");
    if (failures.containsKey("reset")) {
      throw failures.get("reset");
    }
    memory.putInt(0, 0);
  }

  @Override
  public void close() {
    closed = true;
  }
}
