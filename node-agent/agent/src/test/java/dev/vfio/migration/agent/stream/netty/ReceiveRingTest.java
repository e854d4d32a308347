package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Places never overlap while they are in use, and there is always room again. */
class ReceiveRingTest {
  private static final int BYTES = 256;

  private DirectMemory pool;

  @BeforeEach
  void emptyPool() {
    pool = new DirectMemory(1024);
  }

  private record Held(ByteBuffer place, byte mark) {}

  @Test
  void whatIsReservedIsNobodyElses() {
    Seeds.check(
        1000,
        values -> {
          emptyPool();
          ReceiveRing ring = new ReceiveRing(pool, BYTES, new MemoryBudget(BYTES).room("the test"));
          Deque<Held> held = new ArrayDeque<>();
          byte mark = 0;
          for (int step : values.list(0, 200, () -> values.integer(-1, 64))) {
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
        });
  }

  @Test
  void whoeverFoundNoRoomIsCalledOnce() {
    ReceiveRing ring = new ReceiveRing(pool, BYTES, new MemoryBudget(BYTES).room("the test"));
    assertThat(ring.reserve(200)).isNotNull();
    assertThat(ring.reserve(50)).isNotNull();
    assertThat(ring.reserve(50)).isNull();
    assertThat(ring.release()).isTrue();
    assertThat(ring.release()).isFalse();
  }

  @Test
  void tinyFramesAreBoundedInNumber() {
    ReceiveRing ring = new ReceiveRing(pool, BYTES, new MemoryBudget(BYTES).room("the test"));
    for (int frame = 0; frame < ReceiveRing.MAX_FRAMES; frame++) {
      assertThat(ring.reserve(0)).isNotNull();
    }
    assertThat(ring.reserve(0)).isNull();
    assertThat(ring.frames()).isEqualTo(ReceiveRing.MAX_FRAMES);
  }

  @Test
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
