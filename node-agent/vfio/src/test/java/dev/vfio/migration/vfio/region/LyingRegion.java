package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.device.LyingAnswers;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The driver of a device with a migration region, whose answers come from an input. It writes down
 * what it said and was told, and fails the test where an access leaves the region, or where the
 * device is told to take in what was not put there.
 *
 * <p>It interrupts the thread that waits for it, which ends each wait for a busy driver at once.
 */
final class LyingRegion implements DeviceAccess {
  private static final int REGION = 9;
  private static final int MAX_STATE = 7;

  private final LyingAnswers answers;
  private final FuzzedDataProvider data;
  private final RegionFormat format;
  private final long honestSize;
  private RegionInfo info;
  private int state;

  /** Chunks that it has yet to hand out. */
  private int chunks;

  /** What it answered to the last access to its state; null where that told nothing. */
  private Integer toldState;

  private int accessesToState;

  /** The state that was asked for and taken since {@link #forget()}; null for none. */
  private Integer takenState;

  private boolean shortMoves;
  private boolean halved;
  private long toldSize;
  private boolean tookTooMany;
  private final List<Long> toldCopied = new ArrayList<>();
  private long askedPages;
  private long place;

  /** What was put into its data, by offset in the region. */
  private final Map<Long, Byte> staged = new HashMap<>();

  private final ByteArrayOutputStream handedOut = new ByteArrayOutputStream();
  private final ByteArrayOutputStream takenIn = new ByteArrayOutputStream();
  private final List<Long> toldPending = new ArrayList<>();

  LyingRegion(LyingAnswers answers, RegionFormat format, int state) {
    this.answers = answers;
    this.data = answers.data();
    this.format = format;
    this.state = state;
    this.honestSize = format.structureBytes() + 4096;
    this.place = format.structureBytes();
  }

  /** Forgets what was said before: a new call begins. */
  void forget() {
    toldState = null;
    takenState = null;
    accessesToState = 0;
    shortMoves = false;
    halved = false;
    tookTooMany = false;
    toldCopied.clear();
    handedOut.reset();
    toldPending.clear();
  }

  /** What was taken in so far counts no more. */
  void abandon() {
    takenIn.reset();
  }

  int accessesToState() {
    return accessesToState;
  }

  /** Whether a register was read in two halves. */
  boolean halved() {
    return halved;
  }

  /** The size that it announced last, bytes. */
  long toldSize() {
    return toldSize;
  }

  /** For how many pages it answered, each time. */
  List<Long> toldCopied() {
    return toldCopied;
  }

  Integer toldState() {
    return toldState;
  }

  Integer takenState() {
    return takenState;
  }

  /** Whether an access moved fewer bytes than it was asked for. */
  boolean movedTooFew() {
    return shortMoves;
  }

  /** Whether it said that it answers for more pages than it was asked for. */
  boolean answeredForTooMany() {
    return tookTooMany;
  }

  byte[] handedOut() {
    return handedOut.toByteArray();
  }

  /** Since {@link #abandon()}. */
  byte[] takenIn() {
    return takenIn.toByteArray();
  }

  List<Long> toldPending() {
    return toldPending;
  }

  void hasChunks(int count) {
    chunks = count;
  }

  @Override
  public DeviceInfo deviceInfo() throws AccessException {
    answers.refuse();
    return new DeviceInfo(true, false, answers.number(REGION + 1));
  }

  @Override
  public RegionInfo regionInfo(int index) throws AccessException {
    answers.refuse();
    if (answers.lies()) {
      byte[] any = data.consumeBytes(120);
      ByteBuffer structure =
          ByteBuffer.allocate(Math.max(RegionInfoLayout.SIZE, any.length))
              .order(ByteOrder.nativeOrder());
      structure.duplicate().put(any);
      info = RegionInfoLayout.parse(structure);
    } else {
      boolean of2018 = format == RegionFormat.OF_2018;
      RegionInfoBytes bytes =
          RegionInfoBytes.plain(index, answers.number(honestSize)).type(of2018 ? 1 << 30 : 3, 1);
      if (data.consumeBoolean()) {
        bytes.sparse(
            answers.number(1024), answers.number(512), answers.number(0), answers.number(2048));
      }
      info = bytes.parse();
    }
    return info;
  }

  @Override
  public List<DirectArea> directAreas(RegionInfo region, List<RegionPart> parts)
      throws AccessException {
    answers.refuse();
    List<DirectArea> areas = new ArrayList<>();
    for (RegionPart part : parts) {
      assertThat(part.offset()).isBetween(0L, region.size());
      assertThat(part.size()).isBetween(1L, region.size() - part.offset());
      if (!answers.lies()) {
        areas.add(new Area(part.offset(), part.size()));
      }
    }
    return areas;
  }

  private final class Area implements DirectArea {
    private final long offset;
    private final long size;

    private Area(long offset, long size) {
      this.offset = offset;
      this.size = size;
    }

    @Override
    public long offset() {
      return offset;
    }

    @Override
    public long size() {
      return size;
    }

    @Override
    public void read(long at, ByteBuffer into) throws AccessException {
      assertThat(covers(at, into.remaining())).isTrue();
      answers.refuse();
      handOut(into, into.remaining());
    }

    @Override
    public void write(long at, ByteBuffer from) throws AccessException {
      assertThat(covers(at, from.remaining())).isTrue();
      assertThat(at).isGreaterThanOrEqualTo(format.structureBytes());
      answers.refuse();
      stage(at, from, from.remaining());
    }
  }

  @Override
  public int readRegion(int index, long offset, ByteBuffer into) throws AccessException {
    requireInside(index, offset, into);
    Thread.currentThread().interrupt();
    accessToState(offset);
    int width = into.remaining();
    halved |= width == Integer.BYTES && offset > 0 && offset < format.structureBytes();
    answers.refuse();
    int moved = answers.moved(width);
    shortMoves |= moved < width;
    if (offset >= format.structureBytes()) {
      handOut(into, moved);
      return moved;
    }
    long value = offset == 0 ? stateNow() : register(offset);
    ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.nativeOrder());
    bytes.putLong(0, value);
    if (offset == 0 && moved == width) {
      toldState = bytes.getInt(0);
    }
    into.put(bytes.limit(moved));
    return moved;
  }

  private void accessToState(long offset) {
    if (offset == 0) {
      toldState = null;
      accessesToState++;
    }
  }

  private long stateNow() {
    return answers.lies() ? data.consumeInt(-1, 12) : state;
  }

  private long register(long offset) {
    boolean of2018 = format == RegionFormat.OF_2018;
    boolean size = offset == (of2018 ? MigrationRegionLayout.DATA_SIZE : RegionV1Layout.DATA_SIZE);
    boolean at =
        offset == (of2018 ? MigrationRegionLayout.DATA_OFFSET : RegionV1Layout.DATA_OFFSET);
    if (at) {
      long said = answers.number(format.structureBytes());
      if (!of2018) {
        place = said;
      }
      return said;
    }
    if (size) {
      toldSize = answers.number(chunks > 0 ? Math.min(chunks--, 1) * 16L : 0);
      return toldSize;
    }
    if (of2018 && offset == MigrationRegionLayout.DIRTY_PFNS_COPIED) {
      long copied = answers.number(askedPages);
      tookTooMany |= !halved && Long.compareUnsigned(copied, askedPages) > 0;
      toldCopied.add(copied);
      return copied;
    }
    long pending = answers.number(chunks * 16L);
    toldPending.add(pending);
    return pending;
  }

  private void handOut(ByteBuffer into, int count) {
    for (int i = 0; i < count; i++) {
      byte one = data.remainingBytes() > 0 ? data.consumeByte() : (byte) i;
      into.put(one);
      handedOut.write(one);
    }
  }

  @Override
  public int writeRegion(int index, long offset, ByteBuffer from) throws AccessException {
    requireInside(index, offset, from);
    Thread.currentThread().interrupt();
    accessToState(offset);
    answers.refuse();
    int width = from.remaining();
    int moved = answers.moved(width);
    shortMoves |= moved < width;
    if (offset >= format.structureBytes()) {
      stage(offset, from, moved);
      return moved;
    }
    if (moved < width) {
      from.position(from.position() + moved);
      return moved;
    }
    if (offset == 0) {
      assertThat(width).isEqualTo(Integer.BYTES);
      takenState = from.getInt();
      if (format == RegionFormat.OF_2018) {
        assertThat(takenState).isBetween(1, 9);
      }
      state = answers.lies() ? data.consumeInt(0, MAX_STATE) : takenState;
      return moved;
    }
    assertThat(width).isEqualTo(Long.BYTES);
    told(offset, from.getLong());
    return moved;
  }

  private void told(long offset, long value) {
    boolean of2018 = format == RegionFormat.OF_2018;
    if (of2018 && offset == MigrationRegionLayout.DATA_OFFSET) {
      place = value;
    } else if (of2018 && offset == MigrationRegionLayout.DIRTY_PFNS_TOTAL) {
      askedPages = value;
    } else if (offset == (of2018 ? MigrationRegionLayout.DATA_SIZE : RegionV1Layout.DATA_SIZE)) {
      assertThat(value).isPositive();
      for (long at = place; at < place + value; at++) {
        Byte one = staged.get(at);
        if (one == null) {
          throw new AssertionError("nothing was put at " + at + " of " + value + " from " + place);
        }
        takenIn.write(one);
      }
    } else {
      assertThat(of2018).as("v1 has no other register to write").isTrue();
    }
  }

  private void stage(long at, ByteBuffer from, int count) {
    for (int i = 0; i < count; i++) {
      staged.put(at + i, from.get());
    }
  }

  private void requireInside(int index, long offset, ByteBuffer bytes) {
    assertThat(bytes.isDirect()).isTrue();
    assertThat(bytes.order()).isIn(ByteOrder.nativeOrder(), ByteOrder.BIG_ENDIAN);
    assertThat(index).isEqualTo(info.index());
    assertThat(offset).isBetween(0L, info.size());
    assertThat((long) bytes.remaining()).isBetween(1L, info.size() - offset);
    if (offset < format.structureBytes()) {
      assertThat(bytes.remaining()).isIn(Integer.BYTES, Long.BYTES);
    }
  }

  @Override
  public void reset() throws AccessException {
    answers.refuse();
    state = answers.lies() ? data.consumeInt(0, MAX_STATE) : format == RegionFormat.V1 ? 1 : 0;
    staged.clear();
  }

  @Override
  public void close() {}
}
