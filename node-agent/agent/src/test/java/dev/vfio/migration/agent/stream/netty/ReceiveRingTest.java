package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.BeforeTry;

/** Places never overlap while they are in use, and there is always room again. */
class ReceiveRingTest {
  private static final int BYTES = 256;

  private DirectMemory pool;

  @BeforeTry
  void emptyPool() {
    pool = new DirectMemory(1024);
  }

  private record Held(ByteBuffer place, byte mark) {}

  @Property
  void whatIsReservedIsNobodyElses(
      @ForAll @Size(max = 200) List<@IntRange(min = -1, max = 64) Integer> steps) {
    ReceiveRing ring = new ReceiveRing(pool, BYTES, new MemoryBudget(BYTES).room("the test"));
    Deque<Held> held = new ArrayDeque<>();
    byte mark = 0;
    for (int step : steps) {
      ByteBuffer place = step < 0 ? null : ring.reserve(step);
      if (place != null) {
        assertThat(place.remaining()).isEqualTo(step);
        mark++;
        fill(place, mark);
        held.addLast(new Held(place, mark));
      } else if (!held.isEmpty()) {
        checkAndRelease(ring, held);
      } else {
        assertThat(step).as("an empty ring has room for every frame").isNegative();
      }
    }
    while (!held.isEmpty()) {
      checkAndRelease(ring, held);
    }
    assertThat(ring.reserve(BYTES)).as("an empty ring has room for the largest").isNotNull();
  }

  @Example
  void whoeverFoundNoRoomIsToldOnce() {
    ReceiveRing ring = new ReceiveRing(pool, BYTES, new MemoryBudget(BYTES).room("the test"));
    assertThat(ring.reserve(200)).isNotNull();
    assertThat(ring.reserve(50)).isNotNull();
    assertThat(ring.reserve(50)).isNull();
    assertThat(ring.release()).isTrue();
    assertThat(ring.release()).isFalse();
  }

  @Example
  void tinyFramesAreBoundedInNumber() {
    ReceiveRing ring = new ReceiveRing(pool, BYTES, new MemoryBudget(BYTES).room("the test"));
    for (int frame = 0; frame < ReceiveRing.MAX_FRAMES; frame++) {
      assertThat(ring.reserve(0)).isNotNull();
    }
    assertThat(ring.reserve(0)).isNull();
    assertThat(ring.frames()).isEqualTo(ReceiveRing.MAX_FRAMES);
  }

  @Example
  void theMemoryGoesBackWhenBothUsersHaveLeft() {
    ReceiveRing ring = new ReceiveRing(pool, BYTES, new MemoryBudget(BYTES).room("the test"));
    ring.leave();
    assertThat(pool.idleBytes()).isZero();
    ring.leave();
    assertThat(pool.idleBytes()).isEqualTo(BYTES);
  }

  private static void checkAndRelease(ReceiveRing ring, Deque<Held> held) {
    Held oldest = held.removeFirst();
    for (int index = 0; index < oldest.place().limit(); index++) {
      assertThat(oldest.place().get(index)).isEqualTo(oldest.mark());
    }
    ring.release();
  }

  private static void fill(ByteBuffer place, byte mark) {
    for (int index = 0; index < place.limit(); index++) {
      place.put(index, mark);
    }
  }
}
