package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.StateFile;
import dev.vfio.migration.vfio.device.LyingAnswers;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/**
 * A driver of the v2 interface whose answers come from an input. It writes down what it said and
 * was told.
 */
final class LyingFeatures extends AccessWithoutRegions {
  private static final int ALL_FLAGS = 7;
  private static final int RUNNING = 2;
  private static final int RESUMING = 4;
  private static final int MAX_STATE = 9;

  private final LyingAnswers answers;
  private final FuzzedDataProvider data;
  private int state = RUNNING;
  private int chunks = 2;
  private boolean logs;
  private Integer toldState;
  private int accessesToState;
  private boolean toldTheEnd;
  private int openFiles;
  private final List<ByteBuffer> addressed = new ArrayList<>();
  private final BitSet toldDirty = new BitSet();
  private final ByteArrayOutputStream handedOut = new ByteArrayOutputStream();
  private final ByteArrayOutputStream takenIn = new ByteArrayOutputStream();

  LyingFeatures(LyingAnswers answers) {
    this.answers = answers;
    this.data = answers.data();
  }

  /** Forgets what was said before: a new call begins. */
  void forget() {
    toldState = null;
    accessesToState = 0;
    toldDirty.clear();
    handedOut.reset();
  }

  /** What was taken in so far counts no more. */
  void abandon() {
    takenIn.reset();
  }

  /** What it answered to the last access to its state; null where that told nothing. */
  Integer toldState() {
    return toldState;
  }

  int accessesToState() {
    return accessesToState;
  }

  /** Whether the last file was read to its end. */
  boolean toldTheEnd() {
    return toldTheEnd;
  }

  boolean logs() {
    return logs;
  }

  /** Data files that were handed out and not closed. */
  int openFiles() {
    return openFiles;
  }

  BitSet toldDirty() {
    return toldDirty;
  }

  byte[] handedOut() {
    return handedOut.toByteArray();
  }

  /** Since {@link #abandon()}. */
  byte[] takenIn() {
    return takenIn.toByteArray();
  }

  @Override
  public DeviceInfo deviceInfo() throws AccessException {
    answers.refuse();
    return new DeviceInfo(true, false, answers.number(0));
  }

  @Override
  public boolean probe(int feature, int directions) throws AccessException {
    answers.refuse();
    return !answers.lies();
  }

  @Override
  public void get(int feature, ByteBuffer payload) throws AccessException {
    requireRoom(feature, payload);
    if (feature == PayloadLayout.MIG_DEVICE_STATE) {
      toldState = null;
      accessesToState++;
    }
    answers.refuse();
    switch (feature) {
      case PayloadLayout.MIGRATION -> payload.putLong(0, answers.number(ALL_FLAGS));
      case PayloadLayout.MIG_DEVICE_STATE -> {
        toldState = answers.lies() ? data.consumeInt(-1, MAX_STATE) : state;
        payload.putInt(PayloadLayout.STATE_DEVICE_STATE, toldState);
      }
      case PayloadLayout.MIG_DATA_SIZE -> payload.putLong(0, answers.number(chunks * 16L));
      case PayloadLayout.DMA_LOGGING_REPORT -> report(payload);
      default -> throw new AssertionError("nobody gets feature " + feature);
    }
  }

  private void report(ByteBuffer payload) {
    ByteBuffer bits =
        addressed.get((int) payload.getLong(PayloadLayout.REPORT_BITMAP) - 1).duplicate();
    long pageSize = payload.getLong(PayloadLayout.REPORT_PAGE_SIZE);
    long first = payload.getLong(PayloadLayout.REPORT_IOVA) / pageSize;
    long pages = payload.getLong(PayloadLayout.REPORT_LENGTH) / pageSize;
    assertThat(bits.limit()).isGreaterThanOrEqualTo((int) ((pages + 7) / 8));
    for (int at = 0; at < bits.limit() && data.remainingBytes() > 0; at++) {
      byte one = data.consumeByte();
      bits.put(at, one);
      for (int bit = 0; bit < Byte.SIZE; bit++) {
        if ((one >> bit & 1) != 0 && at * 8L + bit < pages) {
          toldDirty.set((int) first + at * 8 + bit);
        }
      }
    }
  }

  @Override
  public void set(int feature, ByteBuffer payload) throws AccessException {
    requireRoom(feature, payload);
    switch (feature) {
      case PayloadLayout.MIG_DEVICE_STATE -> change(payload);
      case PayloadLayout.DMA_LOGGING_START -> {
        answers.refuse();
        logs = true;
      }
      case PayloadLayout.DMA_LOGGING_STOP -> {
        answers.refuse();
        logs = false;
      }
      default -> throw new AssertionError("nobody sets feature " + feature);
    }
  }

  private void change(ByteBuffer payload) throws AccessException {
    toldState = null;
    accessesToState++;
    int asked = payload.getInt(PayloadLayout.STATE_DEVICE_STATE);
    assertThat(asked).as("nobody asks for ERROR").isBetween(1, 7);
    assertThat(payload.getInt(PayloadLayout.STATE_DATA_FD)).isEqualTo(StateControl.NO_FILE);
    answers.refuse();
    boolean begins = asked == RESUMING || (saves(asked) && !saves(state));
    state = answers.lies() ? data.consumeInt(0, MAX_STATE) : asked;
    int descriptor = answers.lies() ? data.consumeInt(-2, 9) : begins ? 5 : StateControl.NO_FILE;
    payload.putInt(PayloadLayout.STATE_DATA_FD, descriptor);
  }

  private static boolean saves(int number) {
    return number == 3 || number == 6 || number == 7;
  }

  private static void requireRoom(int feature, ByteBuffer payload) {
    assertThat(payload.isDirect()).isTrue();
    int size =
        switch (feature) {
          case PayloadLayout.MIGRATION,
              PayloadLayout.MIG_DEVICE_STATE,
              PayloadLayout.MIG_DATA_SIZE ->
              8;
          case PayloadLayout.DMA_LOGGING_START -> PayloadLayout.CONTROL_SIZE;
          case PayloadLayout.DMA_LOGGING_REPORT -> PayloadLayout.REPORT_SIZE;
          default -> 0;
        };
    assertThat(payload.remaining()).isEqualTo(size);
  }

  @Override
  public StateFile stateFile(int descriptor) {
    assertThat(descriptor).isNotNegative();
    openFiles++;
    toldTheEnd = false;
    return new File();
  }

  private final class File implements StateFile {
    private boolean open = true;

    @Override
    public int read(ByteBuffer into, Duration timeout) throws AccessException {
      requireOpen(into);
      answers.refuse();
      int count = 0;
      if (chunks > 0) {
        chunks--;
        count = (int) Math.min(into.remaining(), Math.max(0, Math.min(answers.number(16), 700)));
      }
      for (int i = 0; i < count; i++) {
        byte one = data.remainingBytes() > 0 ? data.consumeByte() : (byte) i;
        into.put(one);
        handedOut.write(one);
      }
      toldTheEnd = count == 0;
      return count;
    }

    @Override
    public void write(ByteBuffer from, Duration timeout) throws AccessException {
      requireOpen(from);
      int taken = answers.moved(from.remaining());
      for (int i = 0; i < taken; i++) {
        takenIn.write(from.get());
      }
      if (from.hasRemaining()) {
        throw new AccessException(AccessException.Reason.REFUSED, 5, "refused by the input");
      }
      answers.refuse();
    }

    @Override
    public PrecopyInfo precopyInfo() throws AccessException {
      assertThat(open).isTrue();
      answers.refuse();
      return new PrecopyInfo(answers.number(0), answers.number(chunks * 16L));
    }

    private void requireOpen(ByteBuffer buffer) {
      assertThat(open).isTrue();
      assertThat(buffer.isDirect()).isTrue();
    }

    @Override
    public void close() {
      openFiles -= open ? 1 : 0;
      open = false;
    }
  }

  /** A number that stands for the address. */
  @Override
  public long addressOf(ByteBuffer buffer) {
    addressed.add(buffer);
    return addressed.size();
  }

  @Override
  public void reset() throws AccessException {
    answers.refuse();
    state = answers.lies() ? data.consumeInt(0, MAX_STATE) : RUNNING;
    logs = false;
  }

  @Override
  public void close() {}
}
