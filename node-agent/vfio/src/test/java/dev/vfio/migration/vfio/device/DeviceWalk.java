package dev.vfio.migration.vfio.device;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.api.FuzzedDataProvider;
import dev.vfio.migration.text.ForeignText;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.List;

/**
 * Does with a device what an input says; where the input says nothing, a whole migration of either
 * end. Each call either fails in one plain line or is judged by what its driver had said. For
 * devices whose driver may lie.
 */
public final class DeviceWalk {
  private static final int MAX_STEPS = 24;
  private static final int ROOM = 600;
  private static final int MAX_PAGES = 700;

  private static final List<DeviceState> AS_SOURCE =
      List.of(
          DeviceState.RUNNING,
          DeviceState.SETUP,
          DeviceState.PRECOPY,
          DeviceState.STOPNCOPY,
          DeviceState.SAVE_COMPLETED);
  private static final List<DeviceState> AS_DESTINATION =
      List.of(DeviceState.RESUME, DeviceState.RESUME_COMPLETED, DeviceState.RUNNING);

  /** Knows what the driver said in a call, and whether success may follow from it. */
  public interface Judge {
    /** A new call begins. */
    void begins();

    /** What was written and not taken in is given up. */
    void abandons();

    void changed(DeviceState before, DeviceState target);

    void isLoaded();

    void isUnchanged(DeviceState state);

    void pends(DeviceState state, PendingBytes pending);

    void read(byte[] bytes);

    /** All bytes of chunks that were written since {@link #abandons()}. */
    void took(byte[] bytes);

    /**
     * @param dirty of so many pages
     */
    void reported(int pages, BitSet dirty);

    /** The device was reset and says that it is in that state. */
    void wasReset(DeviceState state);
  }

  /** One call. */
  @FunctionalInterface
  public interface Call {
    void make() throws DeviceException;
  }

  private final MigratableDevice device;
  private final MigrationEnd end;
  private final Judge judge;
  private final FuzzedDataProvider data;
  private final ByteBuffer buffer = ByteBuffer.allocateDirect(ROOM);
  private final ByteArrayOutputStream written = new ByteArrayOutputStream();
  private int next;

  /** Whether more of the chunk that was written last is to come. */
  private boolean chunkIsOpen;

  /** Whether something else was asked meanwhile, so that it is open what becomes of that chunk. */
  private boolean interrupted;

  /** Whether the device took in state that was given up since. Only of judges that hold it. */
  private boolean holdsForeignState;

  public DeviceWalk(
      MigratableDevice device, MigrationEnd end, Judge judge, FuzzedDataProvider data) {
    this.device = device;
    this.end = end;
    this.judge = judge;
    this.data = data;
  }

  /**
   * @param halvesNeverRun whether the client itself refuses to run a device whose loading was given
   *     up
   */
  public void go(boolean halvesNeverRun) {
    List<DeviceState> way = end == MigrationEnd.SOURCE ? AS_SOURCE : AS_DESTINATION;
    for (int step = 0;
        step < MAX_STEPS && (next < way.size() || data.remainingBytes() > 0);
        step++) {
      switch (data.consumeInt(0, 11)) {
        case 0 -> {
          if (next < way.size()) {
            change(way.get(next++), halvesNeverRun);
          }
          asUsual();
        }
        case 1 -> change(data.pickValue(DeviceState.values()), halvesNeverRun);
        case 2 -> read();
        case 3 -> pending();
        case 4 -> write(data.consumeInt(0, 700));
        case 5 -> dirtyPages();
        case 6 -> requireLoaded();
        case 7 -> requireUnchanged();
        case 8 -> reset();
        case 9 -> change(DeviceState.FAILED, halvesNeverRun);
        case 10 -> change(DeviceState.RUNNING, halvesNeverRun);
        default -> change(way.get(Math.min(next, way.size() - 1)), halvesNeverRun);
      }
    }
    device.close();
  }

  /** What follows a change in a migration without trouble. */
  private void asUsual() {
    switch (device.state()) {
      case PRECOPY, STOPNCOPY -> {
        pending();
        read();
        read();
        dirtyPages();
        requireUnchanged();
      }
      case RESUME -> write(0);
      case RESUME_COMPLETED -> requireLoaded();
      case NONE, RUNNING, SETUP, SAVE_COMPLETED, FAILED, CANCELLED -> {}
    }
  }

  /** Whether it succeeded. */
  private boolean made(Call call) {
    judge.begins();
    try {
      call.make();
      return true;
    } catch (DeviceException refused) {
      requirePlain(refused);
      return false;
    }
  }

  public static void requirePlain(DeviceException refused) {
    assertThat(refused.getMessage()).isNotBlank().matches(ForeignText::isPlain);
    assertThat(refused.kind()).isNotNull();
    assertThat(refused.errno()).isNotNegative();
  }

  private void change(DeviceState target, boolean halvesNeverRun) {
    if (target == DeviceState.NONE) {
      return;
    }
    DeviceState before = device.state();
    abandon();
    interrupted |= chunkIsOpen;
    if (!made(() -> device.transition(target))) {
      // A device that is in RESUME and does not say where it takes data fails as well.
      assertThat(device.state())
          .isIn(
              before,
              DeviceState.FAILED,
              DeviceState.RUNNING,
              target == DeviceState.RESUME ? target : before);
      if (device.state() == DeviceState.RUNNING) {
        assertThat(before).isIn(DeviceState.RUNNING, DeviceState.SETUP);
      }
      return;
    }
    assertThat(device.state()).isEqualTo(target);
    judge.changed(before, target);
    if (target == DeviceState.RESUME) {
      if (before != target) {
        chunkIsOpen = false;
        interrupted = false;
      }
      holdsForeignState = true;
    } else if (target == DeviceState.RUNNING) {
      if (halvesNeverRun && holdsForeignState) {
        assertThat(before).as("what ran").isEqualTo(DeviceState.RESUME_COMPLETED);
      }
      holdsForeignState = false;
    }
  }

  private void abandon() {
    judge.abandons();
    written.reset();
  }

  private void read() {
    if (data.remainingBytes() > 0 && data.consumeInt(0, 3) == 3) {
      buffer.clear().limit(data.consumeInt(1, ROOM));
    } else {
      buffer.clear();
    }
    int limit = buffer.limit();
    boolean read =
        made(
            () -> {
              int count = device.readState(buffer);
              assertThat(count).isEqualTo(buffer.position());
            });
    assertThat(buffer.limit()).isEqualTo(limit);
    assertThat(device.unread()).isNotNegative();
    if (read) {
      byte[] bytes = new byte[buffer.position()];
      buffer.flip().get(bytes);
      judge.read(bytes);
    } else {
      assertThat(buffer.position()).isZero();
    }
  }

  private void pending() {
    PendingBytes[] answer = new PendingBytes[1];
    if (made(() -> answer[0] = device.pending(data.consumeLong(0, Long.MAX_VALUE)))) {
      assertThat(answer[0].total()).isNotNegative();
      judge.pends(device.state(), answer[0]);
    }
  }

  private void write(int following) {
    if (device.state() != DeviceState.RESUME) {
      return;
    }
    int count = data.consumeInt(16, ROOM);
    buffer.clear();
    for (int i = 0; i < count; i++) {
      buffer.put((byte) (i + written.size()));
    }
    buffer.flip();
    byte[] bytes = new byte[count];
    buffer.duplicate().get(bytes);
    written.writeBytes(bytes);
    chunkIsOpen = following > 0;
    if (!made(() -> device.writeState(buffer, following))) {
      assertThat(buffer.limit()).isEqualTo(count);
      chunkIsOpen = false;
      interrupted = false;
      abandon();
      return;
    }
    assertThat(buffer.remaining()).isZero();
    if (following == 0) {
      if (!interrupted) {
        judge.took(written.toByteArray());
      }
      interrupted = false;
      abandon();
    }
  }

  private void dirtyPages() {
    int pageSize = device.description().pageSize();
    int pages = data.consumeInt(1, MAX_PAGES);
    CollectedPages collected = new CollectedPages(pageSize);
    long[] count = new long[1];
    boolean whole = made(() -> count[0] = device.dirtyPages(0, pages, collected));
    assertThat(collected.pages().length()).isLessThanOrEqualTo(pages);
    if (whole) {
      assertThat(count[0]).isEqualTo(collected.pages().cardinality());
      judge.reported(pages, collected.pages());
    } else {
      assertThat(collected.pages().get(pages - 1)).as("the rest is dirty").isTrue();
    }
  }

  private void requireLoaded() {
    if (device.state() == DeviceState.RESUME_COMPLETED && made(device::requireLoaded)) {
      judge.isLoaded();
    }
  }

  private void requireUnchanged() {
    if (made(device::requireUnchanged)) {
      judge.isUnchanged(device.state());
    }
  }

  private void reset() {
    abandon();
    if (made(device::reset)) {
      judge.wasReset(device.state());
      holdsForeignState =
          device.state() == DeviceState.RESUME || device.state() == DeviceState.RESUME_COMPLETED;
    }
  }
}
