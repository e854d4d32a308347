package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.access.DeviceInfo;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A driver with the migration region of Linux 5.8, written from its text, that does wrong what it
 * is told to. Its device's state is a string of bytes.
 */
final class V1Driver implements DeviceAccess {
  /** When it looks at whether what it took in is whole. */
  enum Looks {
    WHEN_IT_IS_TO_RUN,
    WHENEVER_IT_LEAVES_RESUMING
  }

  static final int WHOLE = 128 << 10;

  private static final int REGION = 9;
  private static final int CHUNK = 16 << 10;
  private static final int DATA = 4096;
  private static final int EIO = 5;
  private static final int EINVAL = 22;
  private static final int STOP = 0;
  private static final int RUNNING = 1;
  private static final int SAVING = 2;
  private static final int RESUMING = 4;
  private static final int ERROR = 6;

  private final Looks looks;
  private final byte[] area = new byte[DATA + CHUNK];
  private final ByteArrayOutputStream taken = new ByteArrayOutputStream();
  private final List<Integer> states = new ArrayList<>();
  private byte[] content = {};
  private int end = WHOLE;
  private int state = RUNNING;
  private int handedOut;
  private int staged;
  private boolean fallsOver;

  V1Driver(Looks looks) {
    this.looks = looks;
  }

  /** Holds a whole state, of which it hands out no more than that. */
  synchronized V1Driver holding(byte[] whole, int saysThatItEndsAt) {
    content = whole.clone();
    end = saysThatItEndsAt;
    return this;
  }

  /** Is in its error state as soon as it has said once that it runs. */
  synchronized V1Driver fallingOver() {
    fallsOver = true;
    return this;
  }

  synchronized byte[] content() {
    return content.clone();
  }

  /** The three bits. */
  synchronized int state() {
    return state;
  }

  /** Every state that it has entered. */
  synchronized List<Integer> states() {
    return List.copyOf(states);
  }

  @Override
  public DeviceInfo deviceInfo() {
    return new DeviceInfo(true, false, REGION + 1);
  }

  @Override
  public RegionInfo regionInfo(int index) {
    ByteBuffer structure = ByteBuffer.allocate(48).order(ByteOrder.nativeOrder());
    structure.putInt(0, 48).putInt(4, 0b1011).putInt(8, index).putInt(12, 32);
    structure.putLong(16, area.length);
    structure.putShort(32, (short) 2).putShort(34, (short) 1).putInt(40, 3).putInt(44, 1);
    return RegionInfoLayout.parse(structure);
  }

  @Override
  public List<DirectArea> directAreas(RegionInfo info, List<RegionPart> parts) {
    return List.of();
  }

  @Override
  public synchronized int readRegion(int index, long offset, ByteBuffer into)
      throws AccessException {
    int size = into.remaining();
    ByteBuffer registers = into.order(ByteOrder.nativeOrder());
    if (offset >= DATA) {
      into.put(area, (int) offset, size);
    } else if (offset == 0 && size == 4) {
      registers.putInt(state);
      if (state == RUNNING && fallsOver && states.contains(RESUMING)) {
        become(ERROR);
      }
    } else if (offset == 8 && size == 8) {
      handedOut += staged;
      staged = 0;
      registers.putLong((state & SAVING) == 0 ? 0 : end - handedOut);
    } else if (offset == 16 && size == 8) {
      stage();
      registers.putLong(DATA);
    } else if (offset == 24 && size == 8) {
      registers.putLong(staged);
    } else {
      throw refused(EINVAL);
    }
    return size;
  }

  private void stage() {
    if ((state & SAVING) != 0) {
      staged = Math.min(CHUNK, end - handedOut);
      System.arraycopy(content, handedOut, area, DATA, staged);
    }
  }

  @Override
  public synchronized int writeRegion(int index, long offset, ByteBuffer from)
      throws AccessException {
    int size = from.remaining();
    if (offset >= DATA) {
      from.get(area, (int) offset, size);
    } else if (offset == 0 && size == 4) {
      enter(from.order(ByteOrder.nativeOrder()).getInt());
    } else if (offset == 24 && size == 8 && state == RESUMING) {
      taken.write(area, DATA, (int) from.order(ByteOrder.nativeOrder()).getLong());
    } else {
      throw refused(EINVAL);
    }
    return size;
  }

  private void enter(int wanted) throws AccessException {
    if (state == ERROR) {
      throw refused(EIO);
    }
    boolean looksNow = wanted == RUNNING || looks == Looks.WHENEVER_IT_LEAVES_RESUMING;
    if (state == RESUMING && wanted != RESUMING) {
      if (looksNow && taken.size() < WHOLE) {
        become(ERROR);
        throw refused(EIO);
      }
      content = Arrays.copyOf(taken.toByteArray(), WHOLE);
    }
    if (wanted == RESUMING) {
      taken.reset();
    }
    if ((state & SAVING) == 0) {
      handedOut = 0;
    }
    become(wanted);
  }

  private void become(int next) {
    state = next;
    states.add(next);
  }

  @Override
  public synchronized void reset() {
    content = new byte[0];
    taken.reset();
    states.clear();
    state = RUNNING;
  }

  @Override
  public void close() {
    // Whoever opens it next finds it as it is.
  }

  private static AccessException refused(int errno) {
    return new AccessException(Reason.REFUSED, errno, "the driver refused");
  }
}
