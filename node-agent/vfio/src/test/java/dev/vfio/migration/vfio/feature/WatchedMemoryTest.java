package dev.vfio.migration.vfio.feature;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.generators.Generator;
import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.vfio.device.MemoryRange;
import dev.vfio.migration.vfio.feature.WatchedMemory.Piece;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Memory to be logged is given to the kernel as the kernel takes it, and never less of it. */
class WatchedMemoryTest {
  private static final int PAGE = 4096;

  private static WatchedMemory of(int most, MemoryRange... ranges) {
    return WatchedMemory.of(List.of(ranges), PAGE, most);
  }

  @Test
  void whatTouchesOrOverlapsIsOnePiece() {
    assertThat(
            of(
                    256,
                    new MemoryRange(0x3000, 0x1000),
                    new MemoryRange(0x1000, 0x2000),
                    new MemoryRange(0x8000, 0x1000),
                    new MemoryRange(0x8000, 0x800))
                .pieces())
        .containsExactly(new Piece(0x1000, 0x3fff), new Piece(0x8000, 0x8fff));
  }

  @Test
  void whatIsNoWholePageBecomesOne() {
    assertThat(of(256, new MemoryRange(0x1ff0, 0x20)).pieces())
        .containsExactly(new Piece(0x1000, 0x2fff));
  }

  @Test
  void whatIsTooMuchClosesTheSmallestGaps() {
    assertThat(
            of(
                    2,
                    new MemoryRange(0, PAGE),
                    new MemoryRange(0x10_0000, PAGE),
                    new MemoryRange(0x10_2000, PAGE),
                    new MemoryRange(0x10_8000, PAGE))
                .pieces())
        .containsExactly(new Piece(0, 0xfff), new Piece(0x10_0000, 0x10_8fff));
  }

  @Test
  void addressesAreUnsigned() {
    WatchedMemory high = of(256, new MemoryRange(-PAGE, PAGE), new MemoryRange(0, PAGE));
    assertThat(high.pieces()).containsExactly(new Piece(0, 0xfff), new Piece(-PAGE, -1));
    assertThat(high.covers(-PAGE, PAGE)).isTrue();
    assertThat(high.covers(-2L * PAGE, PAGE)).isFalse();
    assertThat(of(256, new MemoryRange(-PAGE, PAGE), new MemoryRange(-8, 8)).pieces())
        .containsExactly(new Piece(-PAGE, -1));
  }

  @Test
  void whatIsNoMemoryIsRefused() {
    assertThatThrownBy(() -> of(256, new MemoryRange(0, 0)))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> of(256, new MemoryRange(-PAGE, 2 * PAGE)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static List<MemoryRange> ranges(Generator values) {
    return values.list(
        0, 40, () -> new MemoryRange(values.number(0, 1 << 22), values.number(1, 1 << 15)));
  }

  @Test
  void piecesAreSortedApartWholePagesAndFewEnoughAndCoverEverything() {
    Seeds.check(
        1000,
        values -> {
          List<MemoryRange> ranges = ranges(values);
          int most = values.integer(1, 12);
          WatchedMemory watched = WatchedMemory.of(ranges, PAGE, most);
          List<Piece> pieces = watched.pieces();
          assertThat(pieces.size()).isLessThanOrEqualTo(most);
          for (int i = 0; i < pieces.size(); i++) {
            assertThat(pieces.get(i).first() % PAGE).isZero();
            assertThat(pieces.get(i).length() % PAGE).isZero();
            if (i > 0) {
              assertThat(pieces.get(i).first()).isGreaterThan(pieces.get(i - 1).last() + 1);
            }
          }
          for (MemoryRange range : ranges) {
            assertThat(watched.covers(range.iova(), range.size())).isTrue();
          }
        });
  }

  @Test
  void nothingIsAddedWhereThereIsRoom() {
    Seeds.check(
        1000,
        values -> {
          List<MemoryRange> ranges = ranges(values);
          Set<Long> asked = new HashSet<>();
          for (MemoryRange range : ranges) {
            long last = (range.iova() + range.size() - 1) / PAGE;
            for (long page = range.iova() / PAGE; page <= last; page++) {
              asked.add(page);
            }
          }
          List<Piece> pieces = WatchedMemory.of(ranges, PAGE, 256).pieces();
          assertThat(pieces.stream().mapToLong(Piece::length).sum() / PAGE).isEqualTo(asked.size());
        });
  }
}
