package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.DirtyPages;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.BitSet;

/**
 * A device with a few cells of state and a few pages of memory. While it runs for its workload,
 * cells and pages change and are marked dirty.
 *
 * <p>A device of the kernel is reset when its last holder closes it, where its driver does that;
 * every other outlives its agent.
 */
final class ModelDevice {
  static final String ID = "vfio-user:gpu-0";
  static final String MODEL = "model";
  static final int PAGE_BYTES = 16;
  static final int PAGES = 5;
  static final long IOVA = 4096L * PAGE_BYTES;

  private static final int CELLS = 6;
  private static final int CHUNK_BYTES = Integer.BYTES + Long.BYTES;
  private static final int EIO = 5;
  private static final int EINVAL = 22;
  private static final int EOPNOTSUPP = 95;
  private static final int ECONNREFUSED = 111;

  private final Node node;
  private final Chance chance;
  private final boolean tellsState;
  private final boolean logsDirtyPages;
  private final boolean resetsAtLastClose;
  private final Resetting resetting;
  private final long[] cells = new long[CELLS];
  private final BitSet dirtyCells = new BitSet();
  private final BitSet loadedCells = new BitSet();
  private final BitSet dirtyPages = new BitSet();
  private final byte[] memory = new byte[PAGES * PAGE_BYTES];
  private DeviceState state;
  private Open client;
  private boolean heldByWorkload;
  private boolean gone;
  private long changes;

  ModelDevice(
      Node node,
      Chance chance,
      DeviceState state,
      boolean tellsState,
      boolean logsDirtyPages,
      boolean resetsAtLastClose,
      Resetting resetting) {
    this.node = node;
    this.chance = chance;
    this.state = state;
    this.tellsState = tellsState;
    this.logsDirtyPages = logsDirtyPages;
    this.resetsAtLastClose = resetsAtLastClose;
    this.resetting = resetting;
    this.heldByWorkload = state == DeviceState.RUNNING;
  }

  /** What its driver does when it is told to reset it. */
  enum Resetting {
    WORKS,
    IS_NOT_OFFERED,
    KEEPS_THE_STATE
  }

  DeviceState state() {
    return state;
  }

  /** Whether it can be made sure that nothing of an earlier workload is left in it. */
  boolean canTakeStateIn() {
    return tellsState || resetting != Resetting.IS_NOT_OFFERED;
  }

  boolean resetsAtLastClose() {
    return resetsAtLastClose;
  }

  boolean tellsState() {
    return tellsState;
  }

  byte[] memory() {
    return memory;
  }

  /** The workload makes it work. */
  void work() {
    changes++;
    int cell = chance.below(CELLS);
    cells[cell] = changes;
    dirtyCells.set(cell);
    int page = chance.below(PAGES);
    memory[page * PAGE_BYTES + chance.below(PAGE_BYTES)] = (byte) changes;
    dirtyPages.set(page);
  }

  boolean holdsWhat(ModelDevice other) {
    return Arrays.equals(cells, other.cells) && Arrays.equals(memory, other.memory);
  }

  MigratableDevice open() throws DeviceException {
    if (chance.fault(25)) {
      throw new DeviceException(Kind.UNREACHABLE, 0, "device " + node + " does not answer");
    }
    if (gone) {
      throw new DeviceException(Kind.UNREACHABLE, ECONNREFUSED, "nobody serves " + node);
    }
    if (client != null) {
      throw new AssertionError("the device of " + node + " is opened twice");
    }
    client = new Open();
    return client;
  }

  /** Whoever serves it ends, and what it held with it. Perhaps another one serves it then. */
  void die() {
    client = null;
    // What a workload has open is not the one that comes in its place.
    heldByWorkload = false;
    state = DeviceState.NONE;
    gone = chance.oneIn(2);
    Arrays.fill(cells, -1);
    node.world().destinationDied("device");
  }

  /** The agent that had it open is no more. */
  void clientGone() {
    client = null;
    resetIfFree();
  }

  /** Whether a workload has it open. */
  boolean isHeldByWorkload() {
    return heldByWorkload;
  }

  /** The workload opens the device, or closes it. */
  void heldByWorkload(boolean held) {
    heldByWorkload = held;
    resetIfFree();
  }

  private void resetIfFree() {
    if (resetsAtLastClose && client == null && !heldByWorkload && state != DeviceState.NONE) {
      become(DeviceState.NONE);
    }
  }

  private void become(DeviceState target) {
    DeviceState before = state;
    state = target;
    if (target == DeviceState.SETUP) {
      dirtyCells.set(0, CELLS);
      dirtyPages.clear();
    } else if (target == DeviceState.RESUME) {
      Arrays.fill(cells, -1);
      loadedCells.clear();
    }
    node.world().deviceMoved(node, before, target);
  }

  private static boolean allowed(DeviceState from, DeviceState to) {
    return switch (to) {
      case RUNNING ->
          from == DeviceState.NONE
              || from == DeviceState.RESUME_COMPLETED
              || from == DeviceState.FAILED
              || from == DeviceState.CANCELLED;
      case SETUP -> from == DeviceState.RUNNING;
      case PRECOPY -> from == DeviceState.SETUP;
      case STOPNCOPY -> from == DeviceState.SETUP || from == DeviceState.PRECOPY;
      case SAVE_COMPLETED -> from == DeviceState.STOPNCOPY;
      case RESUME -> from == DeviceState.NONE || from == DeviceState.RUNNING;
      case RESUME_COMPLETED -> from == DeviceState.RESUME;
      case CANCELLED ->
          from == DeviceState.SETUP || from == DeviceState.PRECOPY || from == DeviceState.STOPNCOPY;
      case FAILED -> true;
      case NONE -> false;
    };
  }

  /** One client's hold on it. */
  private final class Open implements MigratableDevice {
    private boolean known = tellsState;

    /** Where this client has it. */
    private DeviceState led = state;

    /** Cell of the chunk of which only the first part was read; -1 between chunks. */
    private int begun = -1;

    /** What came of a chunk that is written in parts. */
    private final ByteBuffer incoming = ByteBuffer.allocate(CHUNK_BYTES);

    private void check() throws DeviceException {
      node.mayCrash();
      if (client != this) {
        throw new DeviceException(Kind.UNREACHABLE, 0, "the device of " + node + " was closed");
      }
      if (chance.fault(400)) {
        client = null;
        throw new DeviceException(Kind.UNREACHABLE, 0, "device " + node + " does not answer");
      }
    }

    @Override
    public DeviceDescription description() {
      return new DeviceDescription(
          ID, MigrationInterface.REGION_2018, MODEL, 4096, true, true, PAGE_BYTES);
    }

    @Override
    public DeviceState state() {
      return known ? state : DeviceState.NONE;
    }

    @Override
    public boolean stateKnown() {
      return known;
    }

    @Override
    public void transition(DeviceState target) throws DeviceException {
      check();
      boolean incomplete =
          target == DeviceState.RESUME_COMPLETED && loadedCells.cardinality() < CELLS;
      if (!allowed(state, target) || incomplete || chance.fault(30)) {
        throw new DeviceException(
            Kind.TRANSITION_FAILED,
            EINVAL,
            node + ": from " + state + " to " + target + " refused");
      }
      become(target);
      led = target;
      begun = -1;
      incoming.clear();
      known = true;
      node.mayCrash();
    }

    @Override
    public void requireLoaded() throws DeviceException {
      check();
      node.world().lookedAtLoaded();
      if (chance.fault(50)) {
        throw new DeviceException(Kind.READ_FAILED, EINVAL, node + ": its state cannot be read");
      }
      if (tellsState && state != DeviceState.RESUME_COMPLETED) {
        throw new DeviceException(Kind.STATE_LOST, 0, node + ": the device is in " + state);
      }
    }

    @Override
    public void requireUnchanged() throws DeviceException {
      check();
      if (chance.fault(50)) {
        throw new DeviceException(Kind.READ_FAILED, EINVAL, node + ": its state cannot be read");
      }
      if (tellsState && state != led) {
        throw new DeviceException(
            Kind.TRANSITION_FAILED, 0, node + ": it is in " + state + " and was led to " + led);
      }
    }

    @Override
    public PendingBytes pending(long thresholdBytes) throws DeviceException {
      check();
      requireBetweenChunks();
      return new PendingBytes(0, (long) dirtyCells.cardinality() * CHUNK_BYTES, 0);
    }

    @Override
    public int readState(ByteBuffer chunk) throws DeviceException {
      check();
      if (chance.fault(100)) {
        throw new DeviceException(Kind.READ_FAILED, 5, node + ": state cannot be read");
      }
      if (state != DeviceState.PRECOPY && state != DeviceState.STOPNCOPY) {
        throw new AssertionError("state is read in " + state);
      }
      if (begun >= 0) {
        chunk.putLong(cells[begun]);
        begun = -1;
        return Long.BYTES;
      }
      int cell = dirtyCells.nextSetBit(0);
      if (cell < 0 || chance.oneIn(8)) {
        return 0;
      }
      dirtyCells.clear(cell);
      chunk.putInt(cell);
      if (chance.oneIn(4)) {
        begun = cell;
        return Integer.BYTES;
      }
      chunk.putLong(cells[cell]);
      return CHUNK_BYTES;
    }

    @Override
    public long unread() {
      return begun < 0 ? 0 : Long.BYTES;
    }

    private void requireBetweenChunks() {
      if (begun >= 0) {
        throw new AssertionError("the chunk that was begun is not read to its end");
      }
    }

    @Override
    public void writeState(ByteBuffer chunk, long following) throws DeviceException {
      check();
      if (chance.fault(100)) {
        throw new DeviceException(Kind.WRITE_FAILED, 5, node + ": state cannot be written");
      }
      if (state != DeviceState.RESUME) {
        throw new AssertionError("state is written in " + state);
      }
      incoming.put(chunk);
      if (incoming.position() + following != CHUNK_BYTES) {
        throw new AssertionError("a chunk of " + (incoming.position() + following) + " bytes");
      }
      if (following == 0) {
        int cell = incoming.flip().getInt();
        cells[cell] = incoming.getLong();
        loadedCells.set(cell);
        incoming.clear();
      }
    }

    @Override
    public long maxChunkBytes() {
      return CHUNK_BYTES;
    }

    @Override
    public long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException {
      check();
      requireBetweenChunks();
      if (!logsDirtyPages) {
        into.run(iova, pages);
        throw new DeviceException(Kind.READ_FAILED, EINVAL, node + ": no dirty pages are logged");
      }
      long count = dirtyPages.cardinality();
      for (int page = dirtyPages.nextSetBit(0); page >= 0; page = dirtyPages.nextSetBit(page + 1)) {
        into.run(IOVA + (long) page * PAGE_BYTES, 1);
      }
      dirtyPages.clear();
      return count;
    }

    @Override
    public void reset() throws DeviceException {
      check();
      if (resetting == Resetting.IS_NOT_OFFERED || chance.fault(20)) {
        throw new DeviceException(
            Kind.TRANSITION_FAILED,
            resetting == Resetting.IS_NOT_OFFERED ? EOPNOTSUPP : EIO,
            node + ": the reset failed");
      }
      if (resetting == Resetting.WORKS) {
        become(DeviceState.NONE);
      }
      led = state;
      known = tellsState;
      node.mayCrash();
    }

    @Override
    public void close() {
      if (client == this) {
        clientGone();
      }
    }
  }
}
